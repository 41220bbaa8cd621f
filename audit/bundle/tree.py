"""A bag's files, in a folder or a zip file: one face for both, and every file of the payload as a stream.

with open_tree(path) as tree:
    tree.read("bagit.txt", 1024)
    for member in tree.members(): member.name, member.size, member.hash()
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from audit.bundle.zip_reader import Entry, ZipReader
from audit.dossier import StoredFile
from audit.hashing import Hashed, digest_stream
from audit.source import FolderSource, Source, open_plain
from audit.walking import read_plain, walk
from core.errors import InvalidInput, Unavailable
from core.limits import LIMITS, Limits

PAYLOAD = "data/"


class Member(NamedTuple):
    """A file of the payload. `size` None: no plain file. `hash` is None when it cannot be read."""

    name: bytes
    size: int | None
    hash: Callable[[], Hashed | None]


class Tree(Source, Protocol):
    """A source that can also be walked as a whole."""

    def members(self) -> Iterator[Member]:
        """All that is not a folder in the payload, ascending by the bytes of names."""
        ...

    def contents(self, folder: str, bytes_max: int, suffix: str = "") -> Iterator[tuple[str, bytes]]:
        """Name and bytes of the files directly in `folder` that end so, ascending. Raises as `read`."""
        ...

    def tags(self) -> Iterable[str]:
        """The names of the files beside the payload."""
        ...


class FolderTree(FolderSource):
    """A bag as a folder."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._top = root

    def members(self) -> Iterator[Member]:
        payload = self._top / PAYLOAD
        for path, size in walk(payload, leave_out=b""):
            yield Member(PAYLOAD.encode() + path, size, partial(read_plain, payload, path))

    def contents(self, folder: str, bytes_max: int, suffix: str = "") -> Iterator[tuple[str, bytes]]:
        for name in self.names(folder):
            if not name.endswith(suffix):
                continue
            data = self.read(f"{folder}/{name}", bytes_max)
            if data is not None:
                yield name, data

    def tags(self) -> Iterable[str]:
        folders = [name for name in self.folders("") if name != PAYLOAD.rstrip("/")]
        return [*self.names(""), *folders]


@dataclass(frozen=True, slots=True)
class _ZippedFile:
    name: str
    archive: ZipReader
    entry: Entry | None

    @contextmanager
    def open(self) -> Generator[BinaryIO]:
        if self.entry is None:
            raise Unavailable(f"{self.archive.path} has no {self.name}", remedy="ask for the bundle again")
        with self.archive.open(self.entry) as file:
            yield file


class ZipTree:
    """A bag in a zip file."""

    def __init__(self, archive: ZipReader) -> None:
        self._archive = archive

    def read(self, name: str, bytes_max: int) -> bytes | None:
        entry = self._archive.find(name)
        return None if entry is None else self._read(entry, bytes_max)

    def file(self, name: str) -> StoredFile:
        return _ZippedFile(name, self._archive, self._archive.find(name))

    def names(self, folder: str) -> Iterable[str]:
        return (name for name, is_folder in self._children(folder) if not is_folder)

    def folders(self, folder: str) -> Iterable[str]:
        return (name for name, is_folder in self._children(folder) if is_folder)

    def path(self, name: str) -> Path | None:
        del name
        return None

    def members(self) -> Iterator[Member]:
        for entry in self._archive.payload():
            yield Member(entry.name.encode(), entry.size, partial(self._hash, entry))

    def contents(self, folder: str, bytes_max: int, suffix: str = "") -> Iterator[tuple[str, bytes]]:
        before = f"{folder}/"
        for entry in self._archive.payload(before):
            if not entry.name.startswith(before):
                return
            name = entry.name.removeprefix(before)
            if "/" not in name and name.endswith(suffix):
                yield name, self._read(entry, bytes_max)

    def tags(self) -> Iterable[str]:
        return list(self._archive.tags)

    def _children(self, folder: str) -> Iterator[tuple[str, bool]]:
        before = f"{folder}/"
        first = before
        while True:
            # What follows a folder's files sorts behind its name with the character after the slash.
            for entry in self._archive.payload(first):
                if not entry.name.startswith(before):
                    return
                name, slash, _ = entry.name.removeprefix(before).partition("/")
                yield name, bool(slash)
                if slash:
                    first = f"{before}{name}0"
                    break
            else:
                return

    def _read(self, entry: Entry, bytes_max: int) -> bytes:
        with self._archive.open(entry) as file:
            data = file.read(bytes_max + 1)
        if len(data) > bytes_max:
            raise InvalidInput(f"{entry.name} is larger than {bytes_max} bytes")
        return data

    def _hash(self, entry: Entry) -> Hashed:
        with self._archive.open(entry) as file:
            return digest_stream(file)


def open_tree(path: Path, limits: Limits = LIMITS) -> Tree:
    """The bag at `path`. Raises `Untrusted` (UNSAFE_ARCHIVE), `InvalidInput`."""
    return ZipTree(ZipReader(path, limits)) if path.is_file() else FolderTree(path)


def is_zip(path: Path) -> bool:
    """Whether a zip file begins at `path`."""
    with open_plain(path) as file:
        return file is not None and file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
