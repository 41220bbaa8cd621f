"""Take an SQLite-based file (GeoPackage, MBTiles) as one consistent state, touching nothing beside it.

Rules: the file is never copied raw into a version; SQLite's backup API reads it, all pages in one step. The
watched folder sees reads alone: a database in WAL mode would have `-shm` and `-wal` made by its mere
opening, so such a one is copied privately with its `-wal`, the fingerprints before and after must agree,
and it is opened there. A hot journal (a crashed or busy writer) is no state at all: the file keeps its last
published one. The snapshot stands alone (no journal beside it), with the same bytes for the same content.

    with snapshot(path, work_dir) as (file, stat):
        digest = hasher.digest(file, sink)
"""

import errno
import io
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from core.errors import Unavailable
from node.scan import Stat, stat_of

MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 20
_WAL_VERSION = 2


class NotNow(Unavailable):
    """The database cannot be read as one state at this moment."""

    default_reason = "BUSY_DATABASE"


def is_sqlite(header: bytes) -> bool:
    """Whether a file that begins with `header` (16 bytes or more) is an SQLite database."""
    return header.startswith(MAGIC)


@contextmanager
def snapshot(path: Path, work_dir: Path) -> Generator[tuple[io.FileIO, Stat], None, None]:
    """A consistent copy of the database at `path`, open for reading, with the stat that it belongs to.

    Raises `NotNow` while somebody writes or a crashed writer left a journal, and where it is not a sound
    database.
    """
    before = stat_of_database(path)
    if before is None:
        raise NotNow(f"{path.name} is gone")
    if "-journal:" in before.wal:
        raise NotNow(
            f"{path.name} has a rollback journal beside it: somebody is writing, or crashed while writing",
            remedy="let the program finish, or open the file once with it",
        )
    work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="snapshot-", dir=work_dir) as folder:
        target = Path(folder) / "snapshot"
        try:
            if _in_wal_mode(path):
                _backup(_private_copy(path, Path(folder)), target, "rw")
            else:
                _backup(path, target, "ro")
        except sqlite3.Error as error:
            if "is full" in str(error):  # the copy's disk, and no fault of the file
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from error
            raise NotNow(
                f"{path.name} cannot be read as a database: {error}",
                remedy="check it with the program that writes it",
            ) from error
        if stat_of_database(path) != before:
            raise NotNow(f"{path.name} changed while it was copied")
        with target.open("rb", buffering=0) as file:
            yield file, before


def snapshot_bytes(path: Path) -> int:
    """What a snapshot of the database at `path` takes on the disk at the most, for as long as it is read."""
    try:
        size = path.stat().st_size
        if not _in_wal_mode(path):
            return size
        wal = Path(f"{path}-wal")
        return 2 * size + (
            2 * wal.stat().st_size if wal.exists() else 0
        )  # a private copy, and what comes of it
    except FileNotFoundError:
        return 0  # `snapshot` says so


def stat_of_database(path: Path) -> Stat | None:
    """The stat of a database and its journals, whatever its name."""
    plain = stat_of(os.fspath(path))
    if plain is None or plain.wal:
        return plain
    journals: list[str] = []
    for suffix in ("-wal", "-journal"):
        beside = stat_of(f"{path}{suffix}")
        if beside is not None and beside.size:
            journals.append(f"{suffix}:{beside.size}:{beside.mtime_ns}:{beside.ctime_ns}:{beside.inode}")
    return plain._replace(wal="".join(journals))


def _in_wal_mode(path: Path) -> bool:
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    return len(header) == _HEADER_BYTES and _WAL_VERSION in (header[18], header[19])


def _private_copy(path: Path, folder: Path) -> Path:
    copy = folder / "copy"
    shutil.copyfile(path, copy)
    wal = Path(f"{path}-wal")
    if wal.exists():
        shutil.copyfile(wal, f"{copy}-wal")
    return copy


def _backup(source: Path, target: Path, mode: str) -> None:
    with (
        closing(
            sqlite3.connect(f"{source.absolute().as_uri()}?mode={mode}", uri=True, timeout=5.0)
        ) as reader,
        closing(sqlite3.connect(target)) as writer,
    ):
        writer.execute("PRAGMA synchronous = OFF")  # a snapshot is thrown away after it was read
        reader.backup(writer, pages=-1)
        writer.execute("PRAGMA journal_mode = DELETE")
