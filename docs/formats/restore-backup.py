#!/usr/bin/env python3
"""A hub's files from a backup, without Syncline: needs Python and `age` (https://age-encryption.org).

restore-backup.py BACKUP IDENTITY NEW-FOLDER [SNAPSHOT]      (a plain backup: any IDENTITY, it is not read)
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

place, identity, out = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
plain = json.loads((place / "backup.json").read_text())["recipient"] is None


def opened(path: Path) -> bytes:
    """A file of the backup, decrypted."""
    data = path.read_bytes()
    promised = path.name.split(".")[0].rsplit("-", 1)[1]
    assert hashlib.sha256(data).hexdigest() == promised, f"{path} is damaged"
    command = ["age", "--decrypt", "--identity", identity]
    return data if plain else subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


wanted = sys.argv[4] if sys.argv[4:] else "*"
[*_, newest] = sorted((place / "snapshots").glob(f"{wanted}-*.age" if not plain else f"{wanted}-*.json"))
snapshot = json.loads(opened(newest).partition(b"\n")[2])  # the first line is the hub's signature
out.mkdir(mode=0o700)
pieces = {}
for file in snapshot["files"]:
    (out / file["path"]).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    (out / file["path"]).touch(mode=0o600)
    place_in_file = 0
    for number, offset, length in file["pieces"]:
        pieces.setdefault(number, []).append((file["path"], place_in_file, offset, length))
        place_in_file += length
for number, (name, length, sha256) in enumerate(snapshot["objects"]):
    [stored] = (place / "objects" / name[:2]).glob(f"{name}-*")
    data = opened(stored)
    assert (len(data), hashlib.sha256(data).hexdigest()) == (length, sha256), f"{stored} was changed"
    for path, at, offset, count in pieces.get(number, []):
        with (out / path).open("r+b") as target:
            target.seek(at)
            target.write(data[offset : offset + count])
print(f"{out}: snapshot {snapshot['id']}, log of {snapshot['log']['size']} leaves")
