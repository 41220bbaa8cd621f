"""The folder that backups stand in: objects that never change, snapshots that name them.

    <place>/backup.json                       whose backups these are, and to whom they are encrypted
            lock                              held by who writes
            objects/<aa>/<name>-<digest>      <digest>: SHA-256 of the file; <aa>: the name's first two digits
            snapshots/<id>.objects            the names that the snapshot needs, one a line
            snapshots/<id>-<digest>.age       the snapshot; .json in a plain backup
            damaged/                          objects that were found changed, kept aside

Rules: a file appears by one rename, whole and flushed, under a name that says what it must hold: so a run
that was killed leaves nothing half, and the next one goes on with what is there. The snapshot's own file
comes last, and is what makes a snapshot. Nothing that a snapshot names is removed before the snapshot.

    place = Place.open(path)
    with place.locked():
        stored = place.put_object(name, sealed)
        place.commit(id, names, sealed_snapshot)
"""

import hashlib
import os
import re
import secrets
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core import durable
from core.errors import Conflict, Corrupt, InvalidInput, Unavailable
from hub.backup.disk import lock, translated
from hub.backup.header import Header, damaged_header, read_header, read_list, write_header, write_list
from security.digests import sha256_hex

_HEADER = "backup.json"
_OBJECT = re.compile(r"([0-9a-f]{64})-([0-9a-f]{64})", re.ASCII)
_SNAPSHOT = re.compile(r"([0-9]{8}T[0-9]{6}Z-[0-9a-f]{8})-([0-9a-f]{64})\.(age|json)", re.ASCII)
_PASSING = ".objects.new"
_READ_BYTES = 1 << 20
_HEADER_BYTES_MAX = 16 * 1024
_PRIVATE = 0o700


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of the place, and the digest that its name promises."""

    name: str
    digest: str
    path: Path
    bytes: int


class Place:
    """A backup place that exists."""

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self.header = header

    @classmethod
    def open(cls, path: Path) -> "Place":
        """Raises `InvalidInput` (NO_BACKUP) where none is, or one of a newer release; `Corrupt`."""
        header = path / _HEADER
        try:
            with translated(path):
                data = header.read_bytes()[:_HEADER_BYTES_MAX]
        except Unavailable as error:
            if not isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
                raise
            if (path / "snapshots").is_dir():
                raise damaged_header(header) from None
            raise InvalidInput(
                f"there is no backup in {path}",
                remedy="give the folder that `syncline-hub backup` wrote; is the disk mounted?",
                reason="NO_BACKUP",
            ) from None
        return cls(path, read_header(data, header))

    @classmethod
    def make(cls, path: Path, federation: str, recipient: str | None) -> "Place":
        """A new place in a folder that is missing or empty. Raises `Conflict` (NOT_EMPTY), `Unavailable`."""
        with translated(path):
            try:
                path.mkdir(mode=_PRIVATE)
            except FileExistsError:
                if any(each.name != "lost+found" for each in path.iterdir()):
                    raise Conflict(
                        f"{path} holds other things, and no backup; nothing was changed",
                        remedy="give an empty folder, or the folder of an earlier backup",
                        reason="NOT_EMPTY",
                    ) from None
            except FileNotFoundError:
                raise InvalidInput(f"{path.parent} does not exist", remedy="create it, or mount it") from None
            header = Header(secrets.token_hex(8), federation, recipient)
            durable.write_file(path / _HEADER, write_header(header), mode=0o600)
            durable.fsync_dir(path.parent)
        return cls(path, header)

    @contextmanager
    def locked(self) -> Generator[None]:
        """Be the only one who writes here. Raises `Conflict` (BACKUP_RUNS)."""
        with translated(self.path):
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            lock(descriptor, self.path, shared=False)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def unchanging(self) -> Generator[None]:
        """Read while nobody writes; also from a disk that cannot be written. Raises `Conflict`."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # a copy without the lock: nobody has ever written here
            yield
            return
        try:
            lock(descriptor, self.path, shared=True)
            yield
        finally:
            os.close(descriptor)

    # --- objects ---------------------------------------------------------------------------------

    def objects(self) -> dict[str, Stored]:
        """Everything that was stored, by name."""
        found: dict[str, Stored] = {}
        with translated(self.path):
            for folder in _folders(self.path / "objects"):
                for entry in os.scandir(folder):
                    match = _OBJECT.fullmatch(entry.name)
                    if match is not None:
                        name, digest = match.groups()
                        found[name] = Stored(name, digest, Path(entry.path), entry.stat().st_size)
        return found

    def put_object(self, name: str, sealed: bytes) -> Stored:
        """Store an object, durably."""
        digest = sha256_hex(sealed)
        path = self.path / "objects" / name[:2] / f"{name}-{digest}"
        with translated(self.path):
            self._folder(path.parent)
            durable.write_file(path, sealed, mode=0o600)
        return Stored(name, digest, path, len(sealed))

    def is_whole(self, stored: Stored) -> bool:
        """Whether the file still has its digest, read from the disk and not from memory."""
        whole = hashlib.sha256()
        try:
            with stored.path.open("rb", buffering=0) as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                while data := file.read(_READ_BYTES):
                    whole.update(data)
        except OSError:
            return False
        return whole.hexdigest() == stored.digest

    def read(self, stored: Stored) -> bytes:
        """The bytes, checked. Raises `Corrupt` (CORRUPT_BACKUP)."""
        try:
            data = stored.path.read_bytes()
        except OSError as error:
            raise damaged(stored) from error
        if sha256_hex(data) != stored.digest:
            raise damaged(stored)
        return data

    def put_aside(self, stored: Stored) -> None:
        """Keep what was found damaged where nobody takes it for whole."""
        with translated(self.path):
            self._folder(self.path / "damaged")
            durable.rename(stored.path, self.path / "damaged" / stored.path.name)

    # --- snapshots -------------------------------------------------------------------------------

    def snapshots(self) -> list[Stored]:
        """Oldest first; `name` is the id."""
        found: list[Stored] = []
        with translated(self.path):
            try:
                entries = list(os.scandir(self.path / "snapshots"))
            except FileNotFoundError:
                return []
            for entry in entries:
                match = _SNAPSHOT.fullmatch(entry.name)
                if match is not None:
                    id_, digest, _ = match.groups()
                    found.append(Stored(id_, digest, Path(entry.path), entry.stat().st_size))
        return sorted(found, key=lambda each: each.name)

    def snapshot(self, id_: str | None) -> Stored:
        """The snapshot of that id, or the newest.

        Raises `InvalidInput` (NO_SNAPSHOT), `Corrupt` (CORRUPT_BACKUP) when the newest has lost its file.
        """
        known = self.snapshots()
        lost = self.without_snapshot()
        if id_ is None and lost and (not known or lost[-1] > known[-1].name):
            raise Corrupt(
                lost_snapshot(self.path, lost[-1]),
                remedy="look for another copy of the backup"
                + (f"; or take the one before, with --snapshot {known[-1].name}" if known else ""),
                reason="CORRUPT_BACKUP",
            )
        chosen = [each for each in known if id_ in (None, each.name)]
        if not chosen:
            names = ", ".join(each.name for each in known) or "none yet"
            raise InvalidInput(
                f"{self.path} holds no snapshot {id_ or ''}".rstrip(),
                remedy=f"there are: {names}",
                reason="NO_SNAPSHOT",
            )
        return chosen[-1]

    def named_by(self, id_: str) -> list[str]:
        """The names of the objects that a snapshot needs. Raises `Corrupt`."""
        path = self._list(id_)
        try:
            try:
                return read_list(id_, path.read_bytes())
            except FileNotFoundError:
                return read_list(id_, self._list(id_, passing=True).read_bytes())
        except (OSError, ValueError) as error:
            raise Corrupt(
                f"{path}, a list of objects, is damaged or missing; nothing is pruned without it",
                remedy="restore it from a copy; or give that snapshot up, and remove the file"
                f" {id_}-….{self._ending} beside it",
                reason="CORRUPT_BACKUP",
            ) from error

    def without_snapshot(self) -> list[str]:
        """Ids whose list is there, and whose snapshot is not; the oldest first."""
        known = {each.name for each in self.snapshots()}
        with translated(self.path):
            lists = sorted((self.path / "snapshots").glob("*.objects"))
        return [each.stem for each in lists if each.stem not in known]

    def commit(self, id_: str, names: Iterable[str], sealed: bytes) -> Stored:
        """Make a snapshot, when all of its objects are stored."""
        digest = sha256_hex(sealed)
        path = self.path / "snapshots" / f"{id_}-{digest}.{self._ending}"
        with translated(self.path):
            self._folder(path.parent)
            durable.write_file(self._list(id_, passing=True), write_list(id_, names), mode=0o600)
            durable.write_file(path, sealed, mode=0o600)
            durable.rename(self._list(id_, passing=True), self._list(id_))
        return Stored(id_, digest, path, len(sealed))

    def remove_snapshot(self, snapshot: Stored) -> None:
        """Forget a snapshot; its objects stay until `remove_unneeded`."""
        with translated(self.path):
            passing = self._list(snapshot.name, passing=True)
            if self._list(snapshot.name).exists():
                durable.rename(self._list(snapshot.name), passing)
            durable.fault_hook("unlink", snapshot.path)
            snapshot.path.unlink()
            durable.fsync_dir(snapshot.path.parent)
            passing.unlink(missing_ok=True)

    def remove_unneeded(self) -> int:
        """Remove objects that no snapshot names; their bytes. Raises `Corrupt` when a list cannot be read."""
        needed = {name for each in self.snapshots() for name in self.named_by(each.name)}
        freed = 0
        with translated(self.path):
            for stored in self.objects().values():
                if stored.name not in needed:
                    durable.fault_hook("unlink", stored.path)
                    stored.path.unlink()
                    freed += stored.bytes
        return freed

    def clean(self) -> None:
        """Remove what a run that was killed has left: temporary files, lists without a snapshot."""
        known = {each.name for each in self.snapshots()}
        lost = self.without_snapshot()
        with translated(self.path):
            for folder in (self.path, self.path / "snapshots", *_folders(self.path / "objects")):
                for left in folder.glob(".*.tmp"):
                    left.unlink()
            for id_ in lost:
                self._list(id_).unlink()
            for passing in (self.path / "snapshots").glob(f"*{_PASSING}"):
                id_ = passing.name.removesuffix(_PASSING)
                if id_ in known and not self._list(id_).exists():
                    durable.rename(passing, self._list(id_))
                else:
                    passing.unlink()

    def _list(self, id_: str, *, passing: bool = False) -> Path:
        """`passing`: its name while the snapshot is made or removed."""
        return self.path / "snapshots" / f"{id_}{_PASSING if passing else '.objects'}"

    @property
    def _ending(self) -> str:
        return "json" if self.header.recipient is None else "age"

    def _folder(self, path: Path) -> None:
        """Make a folder below the place, durably."""
        if path.is_dir():
            return
        if path.parent != self.path:
            self._folder(path.parent)
        path.mkdir(mode=_PRIVATE, exist_ok=True)
        durable.fsync_dir(path.parent)


def damaged(stored: Stored) -> Corrupt:
    """A file of a backup is not what its name says."""
    return Corrupt(
        f"{stored.path} is damaged or missing",
        remedy="check that disk; another snapshot or another copy of the backup may be whole",
        reason="CORRUPT_BACKUP",
    )


def lost_snapshot(place: Path, id_: str) -> str:
    """What is said of a list without its snapshot."""
    return f"{place / 'snapshots'}/{id_}-… is missing, and its list of objects is there: the file was lost"


def _folders(path: Path) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    yield from (Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
