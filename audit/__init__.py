"""The auditor's door: checks a mirror or a statement offline, with nothing but the files at hand.

No network, no database: what an auditor runs years later must not need the federation to be there.
`evidence` reads, `statements` and `content` check and return findings, `verify` puts them together,
`report` shows them, `cli` is the command.
"""
