"""What one backup is made of: files, cut into pieces of objects; when, of which log, signed by the hub.

Bytes: a line of JSON with the hub's key and its envelope over the digest of the rest, then the rest: one JSON
object. Layout: docs/formats/backup.md.

    data = write(snapshot, signer)
    snapshot = read(data, signer_ids)          # Untrusted, Corrupt
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

from core.errors import Corrupt, SynclineError, Untrusted
from security import envelope as dsse
from security.digests import is_digest, sha256_hex
from security.keys import PublicKey, Signer

PAYLOAD_TYPE = "application/vnd.syncline.backup+json"
FORMAT = "syncline-snapshot-1"

Piece = tuple[int, int, int]
"""Number of the object, offset in it, bytes."""


@dataclass(frozen=True, slots=True)
class SavedObject:
    """An object's name in the place, its bytes and their SHA-256 before it was encrypted."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file below the hub's directory, by a relative path; its pieces in order."""

    path: str
    mode: int
    pieces: tuple[Piece, ...]

    @property
    def bytes(self) -> int:
        """How long it is."""
        return sum(count for _, _, count in self.pieces)


@dataclass(frozen=True, slots=True)
class LogPosition:
    """Where the log stood: leaves, and the newest checkpoint (size 0: none was signed)."""

    origin: str
    size: int
    checkpoint_size: int
    checkpoint_root: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One backup. `running`: a hub ran while it was made."""

    id: str
    created: str
    federation: str
    software: str
    running: bool
    log: LogPosition
    objects: tuple[SavedObject, ...]
    files: tuple[SavedFile, ...]

    def file(self, path: str) -> SavedFile | None:
        """The file at that path."""
        return next((each for each in self.files if each.path == path), None)


def to_json(snapshot: Snapshot) -> dict[str, Any]:
    """As it is written, without the signature."""
    return {
        "format": FORMAT,
        "id": snapshot.id,
        "created": snapshot.created,
        "federation": snapshot.federation,
        "software": snapshot.software,
        "running": snapshot.running,
        "log": asdict(snapshot.log),
        "objects": [[each.name, each.bytes, each.sha256] for each in snapshot.objects],
        "files": [
            {"path": each.path, "mode": each.mode, "bytes": each.bytes, "pieces": each.pieces}
            for each in snapshot.files
        ],
    }


def from_json(value: Any) -> Snapshot:
    """Raises `Corrupt` for anything that `to_json` does not make."""
    try:
        if value["format"] != FORMAT:
            raise Corrupt(f"a snapshot in the format {value['format']!r}", remedy="upgrade syncline")
        snapshot = Snapshot(
            id=_text(value["id"]),
            created=_text(value["created"]),
            federation=_text(value["federation"]),
            software=_text(value["software"]),
            running=bool(value["running"]),
            log=LogPosition(**value["log"]),
            objects=tuple(SavedObject(*each) for each in value["objects"]),
            files=tuple(
                SavedFile(
                    _relative(each["path"]),
                    int(each["mode"]) & 0o700,
                    tuple(cast("Piece", tuple(map(int, piece))) for piece in each["pieces"]),
                )
                for each in value["files"]
            ),
        )
        _check(snapshot, [each["bytes"] for each in value["files"]])
    except (KeyError, TypeError, ValueError) as error:
        raise Corrupt(
            f"the snapshot cannot be understood ({error})",
            remedy="restore another one with --snapshot",
            reason="CORRUPT_BACKUP",
        ) from error
    return snapshot


def write(snapshot: Snapshot, signer: Signer) -> bytes:
    """The snapshot's bytes, signed."""
    body = json.dumps(to_json(snapshot), separators=(",", ":")).encode("utf-8")
    said = json.dumps({"sha256": sha256_hex(body)}).encode()
    head = {
        "key": signer.public.to_json(),
        "envelope": json.loads(dsse.sign(PAYLOAD_TYPE, said, [signer])),
    }
    return json.dumps(head, separators=(",", ":")).encode() + b"\n" + body


def read(data: bytes, signer: Sequence[str] | None) -> Snapshot:
    """The snapshot. With `signer`, the ids of a hub's key, by that key alone.

    Raises `Untrusted` (BACKUP_NOT_SIGNED) when it is not, `Corrupt` (CORRUPT_BACKUP).
    """
    head, _, body = data.partition(b"\n")
    try:
        said = json.loads(head)
        key = PublicKey.from_json(said["key"])
        verified = dsse.verify(json.dumps(said["envelope"]).encode(), PAYLOAD_TYPE, [key])
        signed = json.loads(verified.payload)["sha256"] == sha256_hex(body)
        value = json.loads(body)
    except (ValueError, KeyError, TypeError, RecursionError, SynclineError) as error:
        raise Corrupt(
            f"the snapshot cannot be read ({error})",
            remedy="restore another one with --snapshot",
            reason="CORRUPT_BACKUP",
        ) from error
    if not signed or (signer is not None and tuple(key.keyids) != tuple(signer)):
        raise Untrusted(
            "the snapshot was not made by the hub to which this identity belongs",
            remedy="somebody has changed the backup: do not restore it; look for another copy",
            reason="BACKUP_NOT_SIGNED",
        )
    return from_json(value)


def lost_object(place: Path, name: str) -> Corrupt:
    """An object is not there."""
    return Corrupt(
        f"{place} has lost the object {name}",
        remedy="restore another snapshot with --snapshot, or from another copy",
        reason="CORRUPT_BACKUP",
    )


def changed(path: Path) -> Untrusted:
    """A file can be read, and holds something else than the snapshot says."""
    return Untrusted(
        f"{path} holds something else than what was backed up",
        remedy="somebody has changed the backup: look for another copy",
        reason="BACKUP_CHANGED",
    )


def _check(snapshot: Snapshot, promised: list[Any]) -> None:
    for each in snapshot.objects:
        _demand(is_digest(each.name), "an object's name")
        _demand(is_digest(each.sha256), "an object's digest")
        _demand(each.bytes >= 0, "an object's size")
    _demand(len({each.path for each in snapshot.files}) == len(snapshot.files), "a path stands twice")
    for file, count in zip(snapshot.files, promised, strict=True):
        _demand(file.bytes == count, f"{file.path} is incomplete")
        for number, offset, length in file.pieces:
            _demand(0 <= number < len(snapshot.objects), f"{file.path} names an object that is not listed")
            _demand(offset >= 0, f"{file.path} has an impossible piece")
            _demand(0 < length <= snapshot.objects[number].bytes - offset, f"{file.path} is beyond an object")


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _relative(value: object) -> str:
    """A path that cannot leave the directory that it is restored into."""
    text = _text(value)
    path = PurePosixPath(text)
    _demand(text == str(path), f"the path {text!r}")
    _demand(not path.is_absolute(), f"the path {text!r}")
    _demand(bool(path.parts), "an empty path")
    _demand(not {"..", "."} & set(path.parts), f"the path {text!r}")
    _demand("\0" not in text, "a path with NUL")
    return text
