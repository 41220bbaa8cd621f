"""Chunks that nothing needs, found in a file beside the index: memory does not grow with the store.

Rules: what is to be kept is named first, in any order and number. Something named that is not here means
that the caller's view of the store is wrong, or the store is damaged: then nothing may be removed. Only
chunks that were added before a given time are ever removed.

    with closing(index_sweep) as sweep:
        sweep.keep(ids); sweep.choose(before)      # slow; the store is in use meanwhile
        sweep.keep(late_ids)                       # under the caller's lock, which lets no more be named
        sweep.remove()
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from core.errors import Corrupt
from sync.ports import ChunkId

SCRATCH_NAME = "sweep.sqlite"

_MISSING = "SELECT count(*) FROM sweep.kept WHERE id NOT IN (SELECT id FROM main.chunk)"
_DEAD = "SELECT id FROM main.chunk WHERE added < ? AND id NOT IN (SELECT id FROM sweep.kept)"


class IndexSweep:
    """One sweep over an index, on a connection of its own. One thread at a time."""

    def __init__(self, connection: sqlite3.Connection, scratch: Path) -> None:
        self._connection = connection
        self._scratch = scratch
        self._before: int | None = None
        forget_scratch(scratch)  # of a process that died
        connection.execute("ATTACH ? AS sweep", (str(scratch),))
        connection.execute("PRAGMA sweep.journal_mode = OFF")
        connection.execute("PRAGMA sweep.synchronous = OFF")
        connection.execute("CREATE TABLE sweep.kept (id BLOB PRIMARY KEY) WITHOUT ROWID")
        connection.execute("CREATE TABLE sweep.dead (id BLOB PRIMARY KEY) WITHOUT ROWID")

    def keep(self, ids: Iterable[ChunkId]) -> None:
        """These stay."""
        rows = [(bytes(each),) for each in ids]
        self._connection.execute("BEGIN")
        try:
            self._connection.executemany("INSERT OR IGNORE INTO sweep.kept VALUES (?)", rows)
            self._connection.executemany("DELETE FROM sweep.dead WHERE id = ?", rows)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def choose(self, before: int) -> int:
        """Choose what was added before then and is not kept; how many. Raises `Corrupt` (MISSING_KEPT)."""
        [missing] = self._connection.execute(_MISSING).fetchone()
        if missing:
            raise Corrupt(
                f"{missing} chunks that versions need are not in {self._scratch.parent}: nothing is removed",
                remedy="run `syncline-hub fsck`",
                reason="MISSING_KEPT",
            )
        self._before = before
        return self._connection.execute(f"INSERT INTO sweep.dead {_DEAD}", (before,)).rowcount

    def remove(self, spared: Iterable[ChunkId]) -> tuple[int, int]:
        """Remove from the index what was chosen and not kept or given anew since; chunks and raw bytes."""
        if self._before is None:
            raise ValueError("nothing was chosen")
        self.keep(spared)
        dead = "id IN (SELECT id FROM sweep.dead) AND added < ?"
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            count, raw = self._connection.execute(
                f"SELECT count(*), coalesce(sum(raw), 0) FROM main.chunk WHERE {dead}",  # noqa: S608
                (self._before,),
            ).fetchone()
            self._connection.execute(f"DELETE FROM main.chunk WHERE {dead}", (self._before,))  # noqa: S608
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return count, raw

    def close(self) -> None:
        """Give the file up."""
        self._connection.execute("DETACH sweep")
        forget_scratch(self._scratch)


def forget_scratch(path: Path) -> None:
    """Remove the file and what SQLite may have put beside it."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
