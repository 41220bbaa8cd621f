"""What one pass works on: a private table on disk that is gone when the pass ends.

A pass over a first version may touch a million files; here they wait, sorted by path, instead of in memory.
A file's `state` goes from NEW (to be read) or KNOWN (its content is known from an unchanged stat) to READY,
SAME (read, and as published) or HELD (its last published state stays). ABSENT is a published file that was
seen to be gone, with the stat of its last hashing, by which it is known again under a new name.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import NamedTuple, Self

from node.publish.outcome import Issue
from node.scan import Stat, readable

NEW = "new"
KNOWN = "known"
READY = "ready"
SAME = "same"
HELD = "held"
ABSENT = "absent"

_BATCH = 4_000

_SCHEMA = """
CREATE TABLE work (
    path TEXT PRIMARY KEY, disk TEXT, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER,
    inode INTEGER, wal TEXT,
    unit TEXT NOT NULL, was BLOB, was_bytes INTEGER, sha256 BLOB, bytes INTEGER, state TEXT NOT NULL)
    WITHOUT ROWID;
CREATE TABLE issues (path TEXT PRIMARY KEY, kind TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
"""


class WorkItem(NamedTuple):
    """A file that differs from the last version. `was` is its published content (None: not published)."""

    path: str
    disk: str | None
    stat: Stat
    unit: str
    was: bytes | None
    was_bytes: int
    sha256: bytes | None
    bytes: int
    state: str


class Counts(NamedTuple):
    """Files and their bytes."""

    files: int
    bytes: int


class Scratch:
    """The table. One thread."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("")  # a temporary file, kept in memory while it is small
        self._connection.executescript(_SCHEMA)
        self._items: list[tuple[object, ...]] = []
        self._issues: list[tuple[str, str, str]] = []
        self._settled: list[tuple[str, bytes, int, str]] = []

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, item: WorkItem) -> None:
        """Note a difference; paths come in order."""
        self._items.append((item.path, item.disk, *item.stat, *item[3:]))
        if len(self._items) >= _BATCH:
            self._flush()

    def issue(self, path: str, kind: str, reason: str) -> None:
        """Note something that does not travel; the first reason of a path stays."""
        self._issues.append((readable(path), kind, reason))
        if len(self._issues) >= _BATCH:
            self._flush()

    def hold(self, path: str, reason: str) -> None:
        """Let a file keep its last published state, or stay out of a first version."""
        self._flush()
        self._connection.execute("UPDATE work SET state = ? WHERE path = ?", (HELD, path))
        self.issue(path, "held", reason)

    def settle(self, path: str, state: str, sha256: bytes, size: int) -> None:
        """A file has been read."""
        self._settled.append((state, sha256, size, path))
        if len(self._settled) >= _BATCH:
            self._flush()

    def hold_broken_units(self) -> None:
        """A unit with a part that is held is held as a whole."""
        self._flush()
        broken = self._connection.execute(
            "SELECT path, unit FROM work WHERE unit IN (SELECT unit FROM work WHERE state = ? AND unit != '')"
            " AND state NOT IN (?, ?)",
            (HELD, HELD, SAME),
        ).fetchall()
        for path, unit in broken:
            self.hold(path, f"belongs to {unit!r}, another part of which is held")

    def items(self, *states: str, units: bool = False) -> Iterator[WorkItem]:
        """The files in one of `states`, by path; of those, with `units`, the parts of units alone.

        They may be settled or held while they are iterated.
        """
        self._flush()
        marks = ",".join("?" * len(states))
        which = " AND unit != ''" if units else ""
        after = ""
        while True:
            rows = self._connection.execute(
                f"SELECT * FROM work WHERE path > ? AND state IN ({marks}){which}"  # noqa: S608 -- marks alone
                f" ORDER BY path LIMIT {_BATCH}",
                (after, *states),
            ).fetchall()
            for row in rows:
                yield WorkItem(row[0], row[1], Stat(*row[2:7]), *row[7:])
            if len(rows) < _BATCH:
                return
            after = rows[-1][0]

    def count(self, *states: str, published: bool | None = None) -> Counts:
        """How many files are in one of `states`; of those that were (or were not) published.

        Bytes of a file that is gone, or held, are those of its published state.
        """
        self._flush()
        marks = ",".join("?" * len(states))
        which = {None: "", True: " AND was IS NOT NULL", False: " AND was IS NULL"}[published]
        row = self._connection.execute(
            "SELECT count(*), coalesce(sum(CASE WHEN state IN (?, ?) THEN was_bytes"  # noqa: S608
            f" ELSE coalesce(bytes, size) END), 0) FROM work WHERE state IN ({marks}){which}",
            (ABSENT, HELD, *states),
        ).fetchone()
        return Counts(*row)

    def removals(self, *, by_content: bool = False) -> Counts:
        """The published files that are gone, less those that stand in the folder under a new name.

        A new name is an added file that travels and has the inode, size and modification time of the one
        that is gone; `by_content`, once the files have been read, its content as well. One new name stands
        for one old one.
        """
        self._flush()
        key = "inode, size, mtime_ns" + (", {}" if by_content else "")
        row = self._connection.execute(
            "SELECT count(*), coalesce(sum(g.was_bytes), 0) FROM ("  # noqa: S608 -- columns and marks alone
            f"SELECT *, row_number() OVER (PARTITION BY {key.format('was')} ORDER BY path) AS nth"
            " FROM work WHERE state = ?) g LEFT JOIN ("
            f"SELECT {key.format('sha256')}, count(*) AS names FROM work"
            f" WHERE was IS NULL AND state IN (?, ?, ?) AND inode > 0 GROUP BY {key.format('sha256')}) n"
            " ON n.inode = g.inode AND n.size = g.size AND n.mtime_ns = g.mtime_ns"
            + (" AND n.sha256 = g.was" if by_content else "")
            + " WHERE n.names IS NULL OR g.nth > n.names",
            (ABSENT, NEW, KNOWN, READY),
        ).fetchone()
        return Counts(*row)

    def issues(self, limit: int) -> list[Issue]:
        """The first `limit` things that do not travel, by path; held ones first."""
        self._flush()
        rows = self._connection.execute(
            "SELECT path, kind, reason FROM issues ORDER BY kind, path LIMIT ?", (limit,)
        )
        return [Issue(*row) for row in rows]

    def issue_count(self, kind: str) -> int:
        """How many things are held, or skipped."""
        self._flush()
        with closing(
            self._connection.execute("SELECT count(*) FROM issues WHERE kind = ?", (kind,))
        ) as cursor:
            return int(cursor.fetchone()[0])

    def _flush(self) -> None:
        if self._items:
            rows: Iterable[tuple[object, ...]] = self._items
            self._connection.executemany(f"INSERT INTO work VALUES ({','.join('?' * 13)})", rows)  # noqa: S608
            self._items = []
        if self._settled:
            update = "UPDATE work SET state = ?, sha256 = ?, bytes = ? WHERE path = ?"
            self._connection.executemany(update, self._settled)
            self._settled = []
        if self._issues:
            self._connection.executemany("INSERT OR IGNORE INTO issues VALUES (?, ?, ?)", self._issues)
            self._issues = []
