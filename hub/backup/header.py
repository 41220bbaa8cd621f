"""The two small files of a backup's folder that carry their own digest: whose backups these are, and which
objects a snapshot needs. Pure; layout: docs/formats/backup.md.

    write_header(header), read_header(data, path)             # InvalidInput, Corrupt
    write_list(snapshot, names), read_list(snapshot, data)    # ValueError

A byte that a disk has changed is seen in each, so that the right file is named. Neither proves who wrote it:
that does the snapshot's signature.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import Corrupt, InvalidInput
from security.digests import sha256_hex

FORMAT = "syncline-backup-1"

_MEMBERS = {"format", "id", "federation", "recipient", "sha256"}
_END = "sha256 "


@dataclass(frozen=True, slots=True)
class Header:
    """Whose backups stand here. `recipient` None: plain."""

    id: str
    federation: str
    recipient: str | None


def write_header(header: Header) -> bytes:
    """`backup.json`."""
    value = {
        "format": FORMAT,
        "id": header.id,
        "federation": header.federation,
        "recipient": header.recipient,
        "sha256": _header_digest(header),
    }
    return (json.dumps(value, indent=1) + "\n").encode()


def read_header(data: bytes, path: Path) -> Header:
    """Raises `InvalidInput` for one of a newer release, `Corrupt` (CORRUPT_BACKUP)."""
    try:
        value: Any = json.loads(data)
        known = str(value["format"])
        members = (value["id"], value["federation"], value["recipient"])
        header = Header(*members)
        # Without the digest it was written by hand.
        whole = all(isinstance(each or "", str) for each in members) and value.get(
            "sha256", _header_digest(header)
        ) == _header_digest(header)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged_header(path) from error
    if known != FORMAT and known.startswith("syncline-backup-"):
        raise InvalidInput(f"{path.parent} is a backup in the format {known!r}", remedy="upgrade syncline")
    if not whole or known != FORMAT or not value.keys() <= _MEMBERS:
        raise damaged_header(path)
    return header


def damaged_header(path: Path) -> Corrupt:
    """`backup.json` is not what was written."""
    return Corrupt(
        f"{path} is damaged or missing",
        remedy="restore this file from another copy of the backup, or write it again by hand"
        " (docs/formats/backup.md, The place); everything else is as it was",
        reason="CORRUPT_BACKUP",
    )


def write_list(snapshot: str, names: Iterable[str]) -> bytes:
    """`<id>.objects`: the names that the snapshot needs, and a digest at the end."""
    lines = "".join(f"{name}\n" for name in names)
    return f"{lines}{_END}{_list_digest(snapshot, lines)}\n".encode("ascii")


def read_list(snapshot: str, data: bytes) -> list[str]:
    """The names. Raises `ValueError` when this is not the whole list of that snapshot."""
    lines, found, digest = data.decode("ascii").rpartition(_END)
    if not found or digest != f"{_list_digest(snapshot, lines)}\n":
        raise ValueError("not the list of that snapshot, or not all of it")
    return lines.split()


def _header_digest(header: Header) -> str:
    members = (FORMAT, header.id, header.federation, header.recipient or "")
    return sha256_hex("".join(f"{each}\n" for each in members).encode())


def _list_digest(snapshot: str, lines: str) -> str:
    return sha256_hex(f"{snapshot}\n{lines}".encode("ascii"))
