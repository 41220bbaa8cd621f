"""A hub that can be lost: backups made beside the running hub, and a hub made again from one.

`seal` what is encrypted and how it is named · `place` the folder that backups stand in, `disk` what it stands
on · `snapshot` what one backup is made of · `source` what of a hub's directory is taken · `pieces` files cut
into objects · `making` one backup from beginning to end · `checking` an existing place · `restoring` ·
`marker` what keeps a restored hub from signing a second history. Format: docs/formats/backup.md.
"""
