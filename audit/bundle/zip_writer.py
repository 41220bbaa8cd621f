"""Writes a zip file that is the same bytes wherever it is written: stored, sorted, without a clock.

    with path.open("wb") as file:
        archive = ZipWriter(file, spool)
        archive.write("bag/data/scope.json", 17, [b"…"])
        archive.finish()

Rules: members are stored, not deflated (what deflate makes differs with the library's release, and most of
it is hashes and rasters that do not shrink); the time is 1980-01-01, the earliest that the format has; the
mode is 0644; names are UTF-8. Sizes and places beyond 4 GiB use zip64, as do more than 65,534 members. The
list of members goes to `spool`, so that memory does not grow with it.

Format: PKWARE APPNOTE 6.3.10.
"""

import shutil
import struct
import zlib
from collections.abc import Iterable
from typing import BinaryIO

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")

_UTF8 = 0x0800
_DATE_1980 = 0x21
_UNIX = 3 << 8
_MODE = 0o100644 << 16
_PLAIN, _ZIP64 = 20, 45  # the version of the format that a reader needs
_U16, _U32 = 0xFFFF, 0xFFFFFFFF
_LARGE_FROM = _U32  # sizes and places that need zip64; tests choose smaller ones


class ZipWriter:
    """One archive. `file` is seekable, new and empty; `spool` is a temporary file."""

    def __init__(self, file: BinaryIO, spool: BinaryIO) -> None:
        self._file = file
        self._spool = spool
        self._count = 0

    def write(self, name: str, size: int, pieces: Iterable[bytes | memoryview]) -> None:
        """Append a member. `pieces` must be `size` bytes in all: whoever calls has checked that."""
        encoded = name.encode()
        start = self._file.tell()
        # The checksum is not known yet: the header is written again behind the data.
        self._file.write(_local(encoded, size, 0))
        checksum = 0
        for piece in pieces:
            self._file.write(piece)
            checksum = zlib.crc32(piece, checksum)
        end = self._file.tell()
        self._file.seek(start)
        self._file.write(_local(encoded, size, checksum))
        self._file.seek(end)
        self._spool.write(_central(encoded, size, checksum, start))
        self._count += 1

    def finish(self) -> None:
        """Append the list of members. The file is whole then, and not flushed."""
        start, count = self._file.tell(), self._count
        self._spool.seek(0)
        shutil.copyfileobj(self._spool, self._file, 1 << 20)
        end = self._file.tell()
        size = end - start
        if count >= _U16 or size >= _LARGE_FROM or start >= _LARGE_FROM:
            wide = _END_64.pack(
                b"PK\x06\x06", _END_64.size - 12, _UNIX | _ZIP64, _ZIP64, 0, 0, count, count, size, start
            )
            self._file.write(wide + _LOCATOR_64.pack(b"PK\x06\x07", 0, end, 1))
        self._file.write(
            _END.pack(
                b"PK\x05\x06", 0, 0, min(count, _U16), min(count, _U16), min(size, _U32), min(start, _U32), 0
            )
        )


def _local(name: bytes, size: int, checksum: int) -> bytes:
    large = size >= _LARGE_FROM
    extra = struct.pack("<2H2Q", 1, 16, size, size) if large else b""
    shown = _U32 if large else size
    version = _ZIP64 if large else _PLAIN
    header = _LOCAL.pack(
        b"PK\x03\x04", version, _UTF8, 0, 0, _DATE_1980, checksum, shown, shown, len(name), len(extra)
    )
    return header + name + extra


def _central(name: bytes, size: int, checksum: int, start: int) -> bytes:
    large, far = size >= _LARGE_FROM, start >= _LARGE_FROM
    wide = [size, size] * large + [start] * far
    extra = struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    shown, place = (_U32 if large else size), (_U32 if far else start)
    version = _ZIP64 if wide else _PLAIN
    header = _CENTRAL.pack(
        b"PK\x01\x02", _UNIX | version, version, _UTF8, 0, 0, _DATE_1980, checksum, shown, shown,
        len(name), len(extra), 0, 0, 0, _MODE, place,
    )  # fmt: skip
    return header + name + extra
