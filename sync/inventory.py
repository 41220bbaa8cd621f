"""The file list of a version: byte for byte what GNU `sha256sum` prints, so that `sha256sum -c` checks it.

Rules: lines `hash␠␠path\\n`, lower-case hexadecimal SHA-256; legal paths only (`core.names.path_problem`),
so that `sha256sum` escapes nothing; strictly ascending by the paths' UTF-8 bytes, so unique; never empty.
Reader and writer hold one line at a time. What deviates is refused: on the way out as `InvalidInput`, on
the way in as `Untrusted` (reason MALFORMED_INVENTORY).

    summary = write(entries, file)                     # summary.sha256 is the manifest's subject
    for entry in read(file): entry.path, entry.sha256
    for change in diff(read(old), read(new)): change.kind, change.path
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from core.names import path_problem

_HASH_CHARACTERS = 64
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_OVERHEAD = _HASH_CHARACTERS + len("  \n")
_FLUSH_BYTES = 1 << 18


class Entry(NamedTuple):
    """A file of a version: its path relative to the dataset, and the hex SHA-256 of its bytes."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class InventorySummary:
    """What was written: hex SHA-256 of the inventory itself, its lines (files) and bytes."""

    sha256: str
    lines: int
    bytes: int


class Writer(Protocol):
    """A binary file open for writing."""

    def write(self, data: bytes, /) -> int | None: ...


class LineReader(Protocol):
    """A buffered binary file open for reading."""

    def readline(self, size: int = -1, /) -> bytes: ...


class InventoryWriter:
    """Writes an inventory entry by entry; `finish` flushes and sums up."""

    def __init__(self, file: Writer, limits: Limits = LIMITS) -> None:
        self._file = file
        self._limits = limits
        self._hash = hashlib.sha256()
        self._last = b""
        self._lines = 0
        self._bytes = 0
        self._buffer = bytearray()

    def add(self, entry: Entry) -> None:
        """Append a line. Raises `InvalidInput` for an illegal path, a wrong order or one file too many."""
        path, sha256 = entry
        problem = path_problem(path, self._limits)
        if problem is not None:
            raise InvalidInput(f"path {path!r} {problem}", reason="ILLEGAL_PATH")
        key = path.encode("utf-8")
        if key <= self._last:
            raise InvalidInput(f"path {path!r} is not after the one before it", reason="UNSORTED")
        if not _HASH.fullmatch(sha256):
            raise InvalidInput(f"{sha256!r} is not a SHA-256 in hexadecimal", reason="ILLEGAL_HASH")
        if self._lines >= self._limits.files_count_max:
            raise InvalidInput(
                f"the dataset has more than {self._limits.files_count_max} files",
                remedy="split it into several datasets",
                reason="TOO_MANY_FILES",
            )
        self._last = key
        self._lines += 1
        self._buffer += b"%b  %b\n" % (sha256.encode("ascii"), key)
        if len(self._buffer) >= _FLUSH_BYTES:
            self._flush()

    def finish(self) -> InventorySummary:
        """Flush. Raises `InvalidInput` when nothing was added."""
        if not self._lines:
            raise InvalidInput(
                "the dataset has no file that can be published",
                remedy="put a file there",
                reason="EMPTY_DATASET",
            )
        self._flush()
        return InventorySummary(self._hash.hexdigest(), self._lines, self._bytes)

    def _flush(self) -> None:
        data = bytes(self._buffer)
        self._file.write(data)
        self._hash.update(data)
        self._bytes += len(data)
        self._buffer.clear()


def write(entries: Iterable[Entry], file: Writer, limits: Limits = LIMITS) -> InventorySummary:
    """Write `entries`, which come sorted by path bytes. Raises `InvalidInput` as `InventoryWriter` does."""
    writer = InventoryWriter(file, limits)
    for entry in entries:
        writer.add(entry)
    return writer.finish()


def read(file: LineReader, limits: Limits = LIMITS) -> Iterator[Entry]:
    """The entries of an inventory, checked line by line. Raises `Untrusted` (MALFORMED_INVENTORY)."""
    longest = _OVERHEAD + limits.path_bytes_max
    last = b""
    number = 0
    while line := file.readline(longest + 1):
        number += 1
        if number > limits.files_count_max:
            raise _malformed(number, f"is above the limit of {limits.files_count_max} files")
        if len(line) > longest or line[-1:] != b"\n":
            raise _malformed(number, "is too long or does not end")
        key = line[_HASH_CHARACTERS + 2 : -1]
        try:
            sha256 = line[:_HASH_CHARACTERS].decode("ascii")
            path = key.decode("utf-8")
        except UnicodeDecodeError:
            raise _malformed(number, "is not UTF-8") from None
        if not _HASH.fullmatch(sha256) or line[_HASH_CHARACTERS : _HASH_CHARACTERS + 2] != b"  ":
            raise _malformed(number, "is not a SHA-256, two spaces and a path")
        problem = path_problem(path, limits)
        if problem is not None:
            raise _malformed(number, f"has a path that {problem}")
        if key <= last:
            raise _malformed(number, "is not after the one before it")
        last = key
        yield Entry(path, sha256)
    if not number:
        raise Untrusted("an inventory is empty", reason="MALFORMED_INVENTORY")


class ChangeKind(Enum):
    """How a path differs between two inventories."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    SAME = "same"


class Change(NamedTuple):
    """One path in either inventory. `old` is None when added, `new` when removed."""

    kind: ChangeKind
    path: str
    old: Entry | None
    new: Entry | None


def diff(old: Iterable[Entry], new: Iterable[Entry]) -> Iterator[Change]:
    """Every path of two sorted inventories, in order, with what became of it; holds one entry of each."""
    before, after = iter(old), iter(new)
    left, right = next(before, None), next(after, None)
    while left is not None and right is not None:
        if left.path == right.path:
            kind = ChangeKind.SAME if left.sha256 == right.sha256 else ChangeKind.CHANGED
            yield Change(kind, left.path, left, right)
            left, right = next(before, None), next(after, None)
        elif left.path.encode() < right.path.encode():
            yield Change(ChangeKind.REMOVED, left.path, left, None)
            left = next(before, None)
        else:
            yield Change(ChangeKind.ADDED, right.path, None, right)
            right = next(after, None)
    while left is not None:
        yield Change(ChangeKind.REMOVED, left.path, left, None)
        left = next(before, None)
    while right is not None:
        yield Change(ChangeKind.ADDED, right.path, None, right)
        right = next(after, None)


def _malformed(number: int, what: str) -> Untrusted:
    return Untrusted(f"line {number} of an inventory {what}", reason="MALFORMED_INVENTORY")
