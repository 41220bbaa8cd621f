"""What of a hub's directory is backed up, in the order that makes it one state: the database first, then keys
and settings, then packs up to where they are indexed.

The database names nothing that is not in the packs already, and what it names is never removed from them: so
packs that are read later hold all of it. Of a pack only what the index counts as durable is taken: that never
changes, while what lies behind it may be cut off by a hub that starts after a crash. Indices are made anew at
the restore. `admin/` is not taken: those keys, and what opens the backup, belong elsewhere.

    with staged_database(layout, limits) as staged: ...
    small_files(layout, settings_file), packs(layout, owner)
"""

import errno
import os
import shutil
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.errors import Corrupt, Unavailable
from core.limits import Limits
from hub.backup.snapshot import LogPosition
from hub.layout import Layout
from sync.stores.index import Index
from sync.stores.packs import INDEX_NAME
from sync.stores.records import PACK_SUFFIX

DATABASE = "hub.sqlite"
SETTINGS = "hub.toml"
_FREE = 1.1  # a copy may be a little larger than the file without its write-ahead log


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to back up: `path` in the hub's directory as a text, where it is read, and how many bytes."""

    path: str
    place: Path
    bytes: int


@dataclass(frozen=True, slots=True)
class Staged:
    """A copy of the database as of one moment, checked; and what it says about itself."""

    file: Path
    federation: str
    log: LogPosition
    snapshots: frozenset[str]


@contextmanager
def staged_database(layout: Layout, limits: Limits) -> Generator[Staged]:
    """Copy the database in one step, beside a running hub; the copy is gone when the block ends.

    Raises `Unavailable` (DISK_FULL), `Corrupt` (STORE_CORRUPT) when SQLite's own check finds damage.
    """
    folder = layout.backup
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / "staged.sqlite"
    _forget(target)
    wanted = int(layout.database.stat().st_size * _FREE)
    if shutil.disk_usage(folder).free < wanted + limits.disk_reserve_bytes:
        raise Unavailable(
            f"{folder} has no room for a copy of the database ({wanted:,} bytes)",
            remedy="free space on the hub's own disk",
            reason="DISK_FULL",
        )
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with (
            closing(sqlite3.connect(layout.database, timeout=30.0)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            copy.execute("PRAGMA synchronous = OFF")
            source.backup(copy)  # all pages in one step: one state, however busy the hub is
        yield _described(target)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            raise Unavailable(
                f"no space left in {folder}", remedy="free space on the hub's own disk", reason="DISK_FULL"
            ) from error
        raise Corrupt(
            f"{layout.database} cannot be copied: {error}",
            remedy="run `syncline-hub fsck`; earlier snapshots are as they were",
            reason="STORE_CORRUPT",
        ) from error
    finally:
        _forget(target)


def small_files(layout: Layout, settings: Path) -> Iterator[tuple[str, bytes]]:
    """Settings and keys, with their bytes."""
    yield SETTINGS, settings.read_bytes()
    for path in sorted(layout.keys.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            yield f"keys/{path.name}", path.read_bytes()


def owners(layout: Layout) -> list[str]:
    """The partners that have a store."""
    if not layout.store.is_dir():
        return []
    return sorted(each.name for each in layout.store.iterdir() if (each / INDEX_NAME).exists())


def packs(layout: Layout, owner: str) -> Iterator[SourceFile]:
    """The packs of `owner` up to where they are indexed. Raises `Corrupt` when one is missing or cut off."""
    folder = layout.store / owner
    with closing(Index(folder / INDEX_NAME, readonly=True)) as index:
        for number, extent in sorted(index.extents().items()):
            path = folder / "packs" / f"{number:08d}{PACK_SUFFIX}"
            try:
                size = path.stat().st_size
            except FileNotFoundError:
                size = -1
            if size >= extent:
                yield SourceFile(f"store/{owner}/packs/{path.name}", path, extent)
            elif number in index.extents():  # else it was removed meanwhile: nothing in it was needed
                raise Corrupt(
                    f"{path} is missing or shorter than what was once durable",
                    remedy="run `syncline-hub fsck`; earlier snapshots are as they were",
                    reason="STORE_CORRUPT",
                )


def read_part(file: SourceFile, offset: int, count: int) -> bytes | None:
    """Bytes of a pack; None when it was removed meanwhile, which only happens to what nothing needs."""
    data = bytearray(count)
    view, got = memoryview(data), 0
    try:
        with file.place.open("rb", buffering=0) as opened:
            opened.seek(offset)
            while got < count and (more := opened.readinto(view[got:])):
                got += more
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.EIO:
            raise
    if got < count:
        raise Corrupt(
            f"{file.place} cannot be read at {offset + got}",
            remedy="check the disk; run `syncline-hub fsck`; earlier snapshots are as they were",
            reason="STORE_CORRUPT",
        )
    return bytes(data)


def _described(path: Path) -> Staged:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as copy:
        lines = [row[0] for row in copy.execute("PRAGMA integrity_check(10)")]
        if lines != ["ok"]:
            raise Corrupt(
                f"the database is damaged: {lines[0]}",
                remedy="run `syncline-hub fsck`; earlier snapshots are as they were",
                reason="STORE_CORRUPT",
            )
        [size] = copy.execute("SELECT coalesce(max(idx) + 1, 0) FROM leaves").fetchone()
        newest = copy.execute(
            "SELECT origin, size, root FROM log_checkpoints ORDER BY made DESC, size DESC LIMIT 1"
        ).fetchone()
        [federation] = copy.execute("SELECT id FROM federation").fetchone()
        made = frozenset(row[0] for row in copy.execute("SELECT snapshot FROM backups"))
    origin, checkpoint, root = newest or ("", 0, b"")
    return Staged(path, federation, LogPosition(origin, size, checkpoint, bytes(root).hex()), made)


def _forget(path: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
