"""What an earlier attempt left in a staging folder: what is right is kept, what is not wanted goes.

Rules: nothing is believed because it is there. A file that has all its bytes is hashed again; of one that
was being written the chunks that TABLE lists are kept, up to the first that differs. Files that the version
does not have are removed before anything is staged; links and special files are refused, loudly.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from blake3 import blake3

from core import durable
from core.errors import Corrupt
from core.limits import MIB
from node.materialise import Walker, anchored, open_file, open_folder, reopen_for_writing, tampered
from node.subscribe.edits import inspect
from node.subscribe.records import PENDING, File, Record, Table
from sync.recipe import TABLE_RECORD_BYTES

#: A beginning of a file is worth keeping from this size on; smaller files are simply fetched again.
_WORTH_BYTES = 1 * MIB

_STAGED = "staged"


class Leftover(NamedTuple):
    """What is usable of a staged file: `chunks` of its beginning, `offset` bytes, hashed by `hasher`."""

    chunks: int
    offset: int
    hasher: Any
    descriptor: int | None  # open for writing, positioned; None when the file is complete


def purge(staging: int, record: Record) -> None:
    """Remove every file that is not a path of `record`, and folders that are empty then."""
    wanted = record.files()
    after = next(wanted, None)
    for path in _tree(staging, ""):
        key = path.encode("utf-8", "surrogateescape")
        while after is not None and after.path.encode() < key:
            after = next(wanted, None)
        if after is None or after.path != path:
            _remove(staging, path)


def mark_staged(record: Record, staging: int) -> None:
    """Remember that all of it is in `staging`, each file as it was hashed: waiting costs no second look."""
    if record.read(_STAGED) is None:
        durable.sync_filesystem(anchored(staging))
        record.keep(_STAGED, b"")


def unmark_staged(record: Record) -> None:
    """The version is staged anew."""
    (record.folder / _STAGED).unlink(missing_ok=True)


def is_staged(record: Record, staging: int) -> bool:
    """Whether all of the version is in `staging`, and each file still is as it was when it was hashed."""
    if record.read(_STAGED) is None or not (record.folder / PENDING).exists():
        return False
    try:
        return not inspect(record, staging, PENDING).edits
    except Corrupt:
        return False


def leftover_bytes(staging: int) -> int:
    """Bytes of the files that an earlier attempt left, but for those that are links to old files."""
    total = 0
    for _, _, names, descriptor in os.fwalk(".", dir_fd=staging):
        for name in names:
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            total += status.st_size if status.st_nlink == 1 else 0
    return total


def examine(walker: Walker, file: File, table: Table, *, worth_bytes: int = _WORTH_BYTES) -> Leftover | None:
    """What is usable of `file` in staging; what is not is removed. None when it must be written anew."""
    try:
        folder, name = walker.parent(file.path)
    except FileNotFoundError:
        return None
    reading = open_file(folder, name)
    if reading is None:
        return None
    try:
        status = os.fstat(reading)
        kept = _matching(reading, file, table, min(status.st_size, file.size))
        if kept.offset == file.size and status.st_size == file.size:
            if kept.hasher.hexdigest() == file.sha256:
                return kept
        elif kept.offset >= worth_bytes:
            writing = reopen_for_writing(folder, name, reading)
            if writing is not None:
                os.ftruncate(writing, kept.offset)
                os.lseek(writing, kept.offset, os.SEEK_SET)
                return kept._replace(descriptor=writing)
        os.unlink(name, dir_fd=folder)
        return None
    finally:
        os.close(reading)


def _matching(descriptor: int, file: File, table: Table, available: int) -> Leftover:
    hasher = hashlib.sha256()
    offset = chunks = 0
    for ordinal in range(file.first, file.first + file.chunks):
        at = ordinal * TABLE_RECORD_BYTES
        length = int.from_bytes(table[at + 32 : at + TABLE_RECORD_BYTES], "little")
        if offset + length > available:
            break
        data = os.pread(descriptor, length, offset)
        if blake3(data).digest() != table[at : at + 32]:
            break
        hasher.update(data)
        offset += length
        chunks += 1
    return Leftover(chunks, offset, hasher, None)


def _tree(folder: int, above: str) -> Iterator[str]:
    """Every file below `folder` in the order of the paths' bytes; empty folders are removed on the way."""
    with os.scandir(folder) as listing:
        entries = [(entry.name, entry.stat(follow_symlinks=False).st_mode) for entry in listing]
    entries.sort(key=lambda each: os.fsencode(each[0]) + (b"/" if stat.S_ISDIR(each[1]) else b""))
    for name, mode in entries:
        path = f"{above}{name}"
        if stat.S_ISREG(mode):
            yield path
        elif stat.S_ISDIR(mode):
            inner = open_folder(folder, name)
            try:
                yield from _tree(inner, f"{path}/")
            finally:
                os.close(inner)
            with suppress(OSError):  # it may hold something that is wanted
                os.rmdir(name, dir_fd=folder)
        else:
            raise tampered(f"{path!r} in the staging folder")


def _remove(root: int, path: str) -> None:
    with Walker(root) as walker:
        folder, name = walker.parent(path)
        os.unlink(name, dir_fd=folder)
