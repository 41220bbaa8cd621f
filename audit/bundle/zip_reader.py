"""Reads a zip file that may be hostile: its list of members as a stream, its members by name.

    archive = ZipReader(path)
    archive.find("data/scope.json")                # Entry, or None
    with archive.open(entry) as file: ...

Rules:

* Nothing is unpacked, nothing written. Names are legal relative paths (`core.names`), each once, sorted by
  their bytes within the payload: what is unsafe is `Untrusted` (UNSAFE_ARCHIVE) before anything is read.
* No encryption, no other method than stored and deflated, no links; a member's bytes lie within the file, and
  all together are no more than the file (members that overlap are a bomb).
* No member grows more than 200-fold, or beyond what it declares. More members than `bundle_files_count_max`
  are `InvalidInput`.
* Memory does not grow with the number of members: of the list, only every 256th name is kept.

Format: PKWARE APPNOTE 6.3.10, with zip64; what our own writer never makes is refused rather than guessed.
"""

import io
import os
import stat
import struct
import weakref
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, MIB, Limits
from core.names import path_problem

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")

_U16, _U32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_UTF8 = 0x0800
_STORED, _DEFLATED = 0, 8
_ZIP64_FIELD = 1
_PAYLOAD = "data/"
_RATIO_MAX = 200
_RATIO_FREE_BYTES = 1 * MIB
_BLOCK_COUNT = 256
_BUFFER_BYTES = 1 << 18
_MEMBERS_SPARE = 64
_REFUSED = "do not unpack it; ask who made it for another, or for a folder"


class Entry(NamedTuple):
    """A member: where its header stands, how many bytes it takes and gives."""

    name: str
    offset: int
    stored: int
    size: int
    method: int


class ZipReader:
    """One archive, checked as a whole when it is opened. Thread-safe: reads name their places."""

    def __init__(self, path: Path, limits: Limits = LIMITS) -> None:
        self.path = path
        self._limits = replace(
            limits, path_bytes_max=limits.path_bytes_max + 512, path_depth_max=limits.path_depth_max + 12
        )
        self._most = limits.bundle_files_count_max
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # A dossier's files are read as long as somebody holds it.
        weakref.finalize(self, os.close, self._descriptor)
        self._start, self._end = self._directory()
        self._names: list[bytes] = []
        self._places: list[int] = []
        self.tags: dict[str, Entry] = {}
        self.base: str | None = None
        self._check()
        self._block = lru_cache(maxsize=32)(self._read_block)

    def find(self, name: str) -> Entry | None:
        """The payload member of that name, below the base folder."""
        if name in self.tags:
            return self.tags[name]
        place = bisect_right(self._names, name.encode("utf-8", "surrogateescape")) - 1
        return self._block(place).get(name) if place >= 0 else None

    def payload(self, first: str = "") -> Iterator[Entry]:
        """Payload members from the name `first` on, ascending."""
        key = first.encode()
        place = max(0, bisect_right(self._names, key) - 1)
        if place >= len(self._places):
            return
        for _, entry in self._entries(self._places[place]):
            if entry is not None and entry.name not in self.tags and entry.name.encode() >= key:
                yield entry

    def open(self, entry: Entry) -> io.BufferedReader:
        """A member's bytes as a stream. Raises `Untrusted` where they are not as declared."""
        header = os.pread(self._descriptor, _LOCAL.size, entry.offset)
        if len(header) != _LOCAL.size:
            self._refuse(f"{entry.name!r} has no header")
        magic, _, _, method, _, _, _, _, _, named, extra = _LOCAL.unpack(header)
        name = os.pread(self._descriptor, named, entry.offset + _LOCAL.size)
        if (
            magic != b"PK\x03\x04"
            or method != entry.method
            or name != f"{self.base or ''}{entry.name}".encode()
        ):
            self._refuse(f"{entry.name!r} is called otherwise where it stands")
        begin = entry.offset + _LOCAL.size + named + extra
        if begin + entry.stored > self._start:
            self._refuse(f"{entry.name!r} reaches beyond the members")
        raw = _Slice(self._descriptor, begin, entry.stored)
        if entry.method == _STORED:
            return io.BufferedReader(raw, _BUFFER_BYTES)
        return io.BufferedReader(_Inflated(raw, entry, self.path), _BUFFER_BYTES)

    # The list of members

    def _directory(self) -> tuple[int, int]:
        """Where the list of members begins and ends."""
        length = os.fstat(self._descriptor).st_size
        tail_at = max(0, length - _END.size - _U16)
        tail = os.pread(self._descriptor, length - tail_at, tail_at)
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) - at < _END.size:
            raise InvalidInput(
                f"{self.path} is no zip file, or only the beginning of one",
                remedy="give a bundle's folder or its .zip; copy it again if it was cut short",
            )
        _, disk, first, here, count, size, start, comment = _END.unpack_from(tail, at)
        end = tail_at + at
        if end + _END.size + comment != length or disk or first or here != count:
            self._refuse("it is not one whole archive and nothing else")
        if count == _U16 or size == _U32 or start == _U32:
            end, count, size, start = self._directory_64(end)
        if start + size != end:
            self._refuse("something stands beside its list of members")
        if count > self._most + _MEMBERS_SPARE:
            self._too_many()
        return start, end

    def _directory_64(self, end: int) -> tuple[int, int, int, int]:
        at = end - _LOCATOR_64.size
        located = os.pread(self._descriptor, _LOCATOR_64.size, max(0, at))
        if at < 0 or len(located) != _LOCATOR_64.size:
            self._refuse("its zip64 record is missing")
        magic, disk, place, _ = _LOCATOR_64.unpack(located)
        wide = os.pread(self._descriptor, _END_64.size, place) if place < at else b""
        if magic != b"PK\x06\x07" or disk or len(wide) != _END_64.size:
            self._refuse("its zip64 record is missing")
        magic, length, _, _, disk, first, here, count, size, start = _END_64.unpack(wide)
        if magic != b"PK\x06\x06" or disk or first or here != count or place + 12 + length != at:
            self._refuse("its zip64 record is damaged")
        return place, count, size, start

    def _entries(self, place: int) -> Iterator[tuple[int, Entry | None]]:
        """Members from `place` in the list on, each with its place; None for folders."""
        raw = _Slice(self._descriptor, place, self._end - place)
        with io.BufferedReader(raw, _BUFFER_BYTES) as listed:
            while head := listed.read(_CENTRAL.size):
                if len(head) != _CENTRAL.size:
                    self._refuse("its list of members is cut off")
                values = _CENTRAL.unpack(head)
                named, extra, comment = values[10], values[11], values[12]
                rest = listed.read(named + extra + comment)
                if values[0] != b"PK\x01\x02" or len(rest) != named + extra + comment:
                    self._refuse("its list of members is damaged")
                yield place, self._entry(values, rest[:named], rest[named : named + extra])
                place += len(head) + len(rest)

    def _entry(self, values: tuple[Any, ...], raw: bytes, extra: bytes) -> Entry | None:
        flags, method, stored, size, mode, offset = (values[each] for each in (3, 4, 8, 9, 15, 16))
        try:
            name = raw.decode("utf-8" if flags & _UTF8 else "ascii")
        except UnicodeDecodeError:
            self._refuse("a name in it is not UTF-8")
        size, stored, offset = self._wide(extra, size, stored, offset)
        shown = name.removesuffix("/")
        if problem := path_problem(shown, self._limits):
            self._refuse(f"the name {shown[:200]!r} {problem}")
        if flags & _ENCRYPTED:
            self._refuse(f"{name!r} is encrypted")
        kind = stat.S_IFMT(mode >> 16)
        if name.endswith("/"):
            if size or stored:
                self._refuse(f"the folder {name!r} has bytes")
            return None
        if kind not in (0, stat.S_IFREG):
            self._refuse(f"{name!r} is a link or a device")
        if method not in (_STORED, _DEFLATED) or (method == _STORED and size != stored):
            self._refuse(f"{name!r} is packed in a way that is not read here")
        if size > _RATIO_FREE_BYTES and size > _RATIO_MAX * stored:
            self._refuse(f"{name!r} would grow from {stored} to {size} bytes: a zip bomb")
        if size > self._limits.dataset_bytes_max:
            self._refuse(f"{name!r} would have {size} bytes")
        if self.base and not name.startswith(self.base):
            self._refuse(f"{name!r} stands outside the folder {self.base!r}")
        return Entry(name.removeprefix(self.base or ""), offset, stored, size, method)

    def _wide(self, extra: bytes, size: int, stored: int, offset: int) -> tuple[int, int, int]:
        """Sizes and places beyond 4 GiB."""
        saturated = [each == _U32 for each in (size, stored, offset)]
        at = 0
        if not any(saturated):
            return size, stored, offset
        while at + 4 <= len(extra):
            kind, length = struct.unpack_from("<2H", extra, at)
            if kind == _ZIP64_FIELD and at + 4 + length <= len(extra) and length >= 8 * sum(saturated):
                wide = iter(struct.unpack_from(f"<{sum(saturated)}Q", extra, at + 4))
                narrow = zip((size, stored, offset), saturated, strict=True)
                found = [next(wide) if large else value for value, large in narrow]
                return found[0], found[1], found[2]
            at += 4 + length
        raise self._unsafe("a size beyond 4 GiB is not told")

    def _check(self) -> None:
        """One pass over the list: base folder, order, number, and that all fits into the file."""
        last, total, payload = b"", 0, 0
        for count, (place, entry) in enumerate(self._entries(self._start), start=1):
            if count > self._most + _MEMBERS_SPARE:
                self._too_many()
            if entry is None:
                continue
            if self.base is None:
                self.base = _base(entry.name)
                entry = entry._replace(name=entry.name.removeprefix(self.base))
            total += entry.stored + _LOCAL.size
            if not entry.name.startswith(_PAYLOAD):
                if entry.name in self.tags or len(self.tags) >= _MEMBERS_SPARE:
                    self._refuse(f"{entry.name!r} stands in it twice, or too much stands beside its payload")
                self.tags[entry.name] = entry
                continue
            key = entry.name.encode()
            if key <= last:
                self._refuse(f"{entry.name!r} {'stands in it twice' if key == last else 'is not sorted'}")
            if payload % _BLOCK_COUNT == 0:
                self._names.append(key)
                self._places.append(place)
            last = key
            payload += 1
        if payload > self._most:
            self._too_many()
        if total > self._start:
            self._refuse("its members overlap: a zip bomb")

    def _read_block(self, number: int) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        end = self._places[number + 1] if number + 1 < len(self._places) else self._end
        for place, entry in self._entries(self._places[number]):
            if place >= end:
                break
            if entry is not None:
                found[entry.name] = entry
        return found

    def _too_many(self) -> NoReturn:
        raise InvalidInput(
            f"{self.path} holds more than {self._most} files",
            remedy="ask for several smaller bundles",
            reason="TOO_MANY_FILES",
        )

    def _refuse(self, why: str) -> NoReturn:
        raise self._unsafe(why)

    def _unsafe(self, why: str) -> Untrusted:
        return Untrusted(f"{self.path} is not safe to read: {why}", remedy=_REFUSED, reason="UNSAFE_ARCHIVE")


class _Slice(io.RawIOBase):
    """Bytes of a file from a place on, without moving anything that others share."""

    def __init__(self, descriptor: int, place: int, length: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._place = place
        self._left = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)[: self._left]
        got = os.preadv(self._descriptor, [view], self._place) if len(view) else 0
        self._place += got
        self._left -= got
        return got


class _Inflated(io.RawIOBase):
    """A deflated member, which gives exactly the bytes that it declares, or is refused."""

    def __init__(self, raw: _Slice, entry: Entry, path: Path) -> None:
        super().__init__()
        self._raw = raw
        self._entry = entry
        self._path = path
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._waiting = b""
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        try:
            data = self._next(len(view))
        except zlib.error:
            self._refuse("is damaged")
        self._given += len(data)
        if self._given > self._entry.size or (not data and self._given < self._entry.size):
            self._refuse(f"does not have the {self._entry.size} bytes that it declares")
        view[: len(data)] = data
        return len(data)

    def _next(self, most: int) -> bytes:
        while not self._inflate.eof:
            packed = self._waiting or self._raw.read(_BUFFER_BYTES) or b""
            data = self._inflate.decompress(packed, most)
            self._waiting = self._inflate.unconsumed_tail
            if data or not packed:
                return data
        return b""

    def _refuse(self, why: str) -> NoReturn:
        raise Untrusted(
            f"{self._path} is not safe to read: {self._entry.name!r} {why}",
            remedy=_REFUSED,
            reason="UNSAFE_ARCHIVE",
        )


def _base(name: str) -> str:
    """The bag's folder within the archive; none where it stands at the top."""
    first, slash, _ = name.partition("/")
    return f"{first}/" if slash and f"{first}/" != _PAYLOAD else ""
