"""Where each file of a new version comes from, decided by digests before anything is written.

    with plan_version(new, old, intact, folder=scratch) as plan:
        plan.source(file)        # FETCH, KEEP (linked from the same path), MOVED (from another), TWIN (of a
        new one) plan.fetch_bytes         # what must be written

Rules: both inventories are merged as streams; what is held in memory is a byte a file and, of the files that
are not kept, eight bytes of their digests. Chunks of old files that are not kept, the sources for what is
assembled, are indexed in a temporary database that is nobody's truth: every chunk is checked when it is used.
"""

import os
import sqlite3
from array import array
from bisect import bisect_left
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from enum import IntEnum
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from node.subscribe.records import File, Record, Table
from sync.recipe import TABLE_RECORD_BYTES

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -16000;
PRAGMA locking_mode = EXCLUSIVE;
CREATE TABLE moved (sha256 TEXT PRIMARY KEY, path TEXT NOT NULL, place INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE twins (sha256 TEXT PRIMARY KEY, path TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sources (place INTEGER PRIMARY KEY, path TEXT NOT NULL);
CREATE TABLE chunks (id BLOB PRIMARY KEY, source INTEGER NOT NULL, offset INTEGER NOT NULL) WITHOUT ROWID;
"""


class Source(IntEnum):
    """Where a file of the new version comes from."""

    FETCH = 0  # assembled from chunks, local and fetched
    KEEP = 1  # the old version's file at the same path
    MOVED = 2  # the old version's file at another path
    TWIN = 3  # a file of the new version with the same content, earlier in its order


class LocalChunk(NamedTuple):
    """A place in an old file that should hold a chunk."""

    path: str
    offset: int


class Plan:
    """The decisions for one version."""

    def __init__(self, new: Record, old: Record | None, database: sqlite3.Connection) -> None:
        self.new = new
        self.old = old
        self.decisions = bytearray()
        self.fetch_bytes = 0
        self.fetch_files = 0
        self.has_local_chunks = False
        self.database = database

    def source(self, file: File) -> Source:
        """Where `file` comes from."""
        return Source(self.decisions[file.line])

    def moved_from(self, file: File) -> tuple[str, int] | None:
        """The old path with the content of a MOVED file, and its line in the old inventory."""
        row = self.database.execute(
            "SELECT path, place FROM moved WHERE sha256 = ?", (file.sha256,)
        ).fetchone()
        return None if row is None else (str(row[0]), int(row[1]))

    def twin_of(self, file: File) -> str | None:
        """The path in the new version with the content of a TWIN."""
        row = self.database.execute("SELECT path FROM twins WHERE sha256 = ?", (file.sha256,)).fetchone()
        return None if row is None else str(row[0])

    def local_chunk(self, chunk: bytes) -> LocalChunk | None:
        """Where an old file should hold this chunk."""
        row = self.database.execute(
            "SELECT s.path, c.offset FROM chunks c JOIN sources s ON s.place = c.source WHERE c.id = ?",
            (chunk,),
        ).fetchone()
        return None if row is None else LocalChunk(str(row[0]), int(row[1]))


@contextmanager
def plan_version(new: Record, old: Record | None, intact: bytearray, *, folder: Path) -> Generator[Plan]:
    """Decide for each file of `new`, with the files of `old` of which `intact` says 1.

    `folder` is for scratch.
    """
    scratch = folder / f"plan-{os.getpid()}.sqlite"
    scratch.unlink(missing_ok=True)
    database = sqlite3.connect(scratch, isolation_level=None, check_same_thread=False)
    try:
        database.executescript(_SCHEMA)
        database.execute("BEGIN")
        plan = Plan(new, old, database)
        wanted = _keep(plan, intact)
        if wanted:
            _find_elsewhere(plan, intact, wanted)
        yield plan
    finally:
        database.close()
        scratch.unlink(missing_ok=True)


def _keep(plan: Plan, intact: bytearray) -> "array[int]":
    """First pass: what stays at its path. Returns the digests' starts of everything else, sorted."""
    others = array("Q")
    old = plan.old.files() if plan.old is not None else iter(())
    before = next(old, None)
    for file in plan.new.files():
        key = file.path.encode()
        while before is not None and before.path.encode() < key:
            before = next(old, None)
        kept = (
            before is not None
            and before.path == file.path
            and before.sha256 == file.sha256
            and bool(intact[before.line])
        )
        plan.decisions.append(Source.KEEP if kept else Source.FETCH)
        if not kept:
            others.append(_start(file.sha256))
    return array("Q", sorted(others))


def _find_elsewhere(plan: Plan, intact: bytearray, wanted: "array[int]") -> None:
    """Second pass: renamed files, files that occur twice, and chunks of what was changed or removed."""
    if plan.old is not None:
        plan.database.executemany(
            "INSERT OR IGNORE INTO moved VALUES (?, ?, ?)",
            (
                (file.sha256, file.path, file.line)
                for file in plan.old.files()
                if intact[file.line] and _is_in(wanted, _start(file.sha256))
            ),
        )
    twins = array("Q", (value for value, after in pairwise(wanted) if value == after))
    for file in plan.new.files():
        if plan.decisions[file.line] == Source.KEEP:
            continue
        if plan.old is not None and plan.moved_from(file) is not None:
            plan.decisions[file.line] = Source.MOVED
            continue
        if file.size and _is_in(twins, _start(file.sha256)):
            added = plan.database.execute(
                "INSERT OR IGNORE INTO twins VALUES (?, ?)", (file.sha256, file.path)
            ).rowcount
            if not added:
                plan.decisions[file.line] = Source.TWIN
                continue
        plan.fetch_bytes += file.size
        plan.fetch_files += 1
    if plan.old is not None and plan.fetch_files:
        _index_chunks(plan, plan.old, intact)


def _index_chunks(plan: Plan, old: Record, intact: bytearray) -> None:
    """Chunks of old files whose content is not linked as it is: what changed and what was removed."""
    new = plan.new.files()
    after = next(new, None)
    with old.table() as table:
        for file in old.files():
            key = file.path.encode()
            while after is not None and after.path.encode() < key:
                after = next(new, None)
            stays = after is not None and after.path == file.path and after.sha256 == file.sha256
            if stays or not intact[file.line] or not file.chunks:
                continue
            plan.has_local_chunks = True
            plan.database.execute("INSERT INTO sources VALUES (?, ?)", (file.line, file.path))
            plan.database.executemany("INSERT OR IGNORE INTO chunks VALUES (?, ?, ?)", _chunks(table, file))


def _chunks(table: Table, file: File) -> Iterator[tuple[bytes, int, int]]:
    offset = 0
    for ordinal in range(file.first, file.first + file.chunks):
        at = ordinal * TABLE_RECORD_BYTES
        yield table[at : at + 32], file.line, offset
        offset += int.from_bytes(table[at + 32 : at + TABLE_RECORD_BYTES], "little")


def _start(sha256: str) -> int:
    return int(sha256[:16], 16)


def _is_in(values: "array[int]", value: int) -> bool:
    at = bisect_left(values, value)
    return at < len(values) and values[at] == value
