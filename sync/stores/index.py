"""Where each chunk of a pack store stands: one SQLite file beside the packs, which can always be made again.

Rules: a row is written only after the record that it names is durable; rows and the packs' indexed extents
change in one transaction (`synchronous=FULL`, write-ahead log). Any number of threads and processes may
read while one writes. SQLite's errors leave as ours.
"""

import sqlite3
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.errors import Corrupt, SynclineError, Unavailable
from sync.ports import ChunkId
from sync.stores.errors import disk_full
from sync.stores.records import Location
from sync.stores.sweep import SCRATCH_NAME, IndexSweep

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE chunk (
    id BLOB PRIMARY KEY, pack INTEGER NOT NULL, offset INTEGER NOT NULL, stored INTEGER NOT NULL,
    raw INTEGER NOT NULL, codec INTEGER NOT NULL, added INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE pack (number INTEGER PRIMARY KEY, indexed_bytes INTEGER NOT NULL);
"""
_LOCATION = "id, pack, offset, stored, raw, codec"
_IDS_AT_A_TIME = 256  # one prepared statement is asked for this many ids at once
_ROWS_AT_A_TIME = 1000


class Index:
    """The index of one store. Thread-safe: each use takes a connection of its own from a pool."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self._path = path
        self._readonly = readonly
        self._free: list[sqlite3.Connection] = []
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        with self._connection() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and not readonly:
                connection.executescript(
                    f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                )
            elif version != SCHEMA_VERSION:
                raise Unavailable(
                    f"{path} was written by another release (index version {version})",
                    remedy="upgrade syncline",
                    reason="NEWER_STATE",
                )

    def locate(self, ids: Iterable[ChunkId]) -> dict[ChunkId, Location]:
        """Where those of `ids` stand that are here."""
        found: dict[ChunkId, Location] = {}
        wanted = sorted(set(ids))
        with self._connection() as connection:
            for at in range(0, len(wanted), _IDS_AT_A_TIME):
                part = wanted[at : at + _IDS_AT_A_TIME]
                where_id = f"WHERE id IN ({_marks(len(part))})"
                rows = connection.execute(f"SELECT {_LOCATION} FROM chunk {where_id}", part)  # noqa: S608
                for id_, *where in rows:
                    found[id_] = Location(*where)
        return found

    def present(self, ids: Iterable[ChunkId]) -> set[ChunkId]:
        """Those of `ids` that are here."""
        found: set[ChunkId] = set()
        wanted = sorted(set(ids))
        with self._connection() as connection:
            for at in range(0, len(wanted), _IDS_AT_A_TIME):
                part = wanted[at : at + _IDS_AT_A_TIME]
                rows = connection.execute(f"SELECT id FROM chunk WHERE id IN ({_marks(len(part))})", part)  # noqa: S608
                found.update(row[0] for row in rows)
        return found

    def extents(self) -> dict[int, int]:
        """For each pack, up to which byte its records are indexed."""
        with self._connection() as connection:
            return dict(connection.execute("SELECT number, indexed_bytes FROM pack"))

    def add(
        self,
        rows: Mapping[ChunkId, Location],
        extents: Mapping[int, int],
        added: int,
        again: Iterable[ChunkId] = (),
    ) -> None:
        """Record chunks and extents in one durable transaction; chunks that are here stay where they are.

        Those of `again` that are here count as added now.
        """
        values = [(id_, *where, added) for id_, where in sorted(rows.items())]
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany("INSERT OR IGNORE INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?)", values)
                connection.executemany("INSERT OR REPLACE INTO pack VALUES (?, ?)", sorted(extents.items()))
                connection.executemany(
                    "UPDATE chunk SET added = ? WHERE id = ?", [(added, id_) for id_ in sorted(again)]
                )
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def by_place(self) -> Iterator[tuple[ChunkId, Location]]:
        """Everything, in the order in which it lies in the packs."""
        with self._connection() as connection:
            rows = connection.execute(f"SELECT {_LOCATION} FROM chunk ORDER BY pack, offset")  # noqa: S608
            while part := rows.fetchmany(_ROWS_AT_A_TIME):
                for id_, *where in part:
                    yield id_, Location(*where)

    @contextmanager
    def sweep(self) -> Generator[IndexSweep]:
        """A sweep, on a connection of its own."""
        connection = self._connect()
        try:
            sweep = IndexSweep(connection, self._path.with_name(SCRATCH_NAME))
            try:
                yield sweep
            finally:
                sweep.close()
        except sqlite3.Error as error:
            raise self._ours(error) from error
        finally:
            with self._lock:
                if connection in self._all:
                    self._all.remove(connection)
            connection.close()

    def forget_dead_packs(self, below: int) -> list[int]:
        """Forget the packs with lower numbers that hold no chunk; which they were. Durable."""
        with self._connection() as connection:
            live = {row[0] for row in connection.execute("SELECT DISTINCT pack FROM chunk")}
            known = {row[0] for row in connection.execute("SELECT number FROM pack")}
            dead = sorted(number for number in known - live if number < below)
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany("DELETE FROM pack WHERE number = ?", [(number,) for number in dead])
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        return dead

    def raw_bytes(self) -> int:
        """The uncompressed bytes of all chunks; reads the whole index."""
        with self._connection() as connection:
            return connection.execute("SELECT coalesce(sum(raw), 0) FROM chunk").fetchone()[0]

    def count(self) -> int:
        """How many chunks are here."""
        with self._connection() as connection:
            return connection.execute("SELECT count(*) FROM chunk").fetchone()[0]

    def problems(self) -> Sequence[str]:
        """What SQLite's own check finds wrong with the file."""
        with self._connection() as connection:
            lines = [row[0] for row in connection.execute("PRAGMA quick_check(5)")]
        return [] if lines == ["ok"] else lines

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            connections, self._all, self._free = self._all, [], []
        for connection in connections:
            connection.close()

    @contextmanager
    def _connection(self) -> Generator[sqlite3.Connection]:
        connection: sqlite3.Connection | None = None
        try:
            with self._lock:
                connection = self._free.pop() if self._free else None
            if connection is None:
                connection = self._connect()
            yield connection
        except sqlite3.Error as error:
            raise self._ours(error) from error
        finally:
            if connection is not None:
                with self._lock:
                    if connection in self._all:  # else the index was closed meanwhile
                        self._free.append(connection)

    def _connect(self) -> sqlite3.Connection:
        mode = "ro" if self._readonly else "rwc"
        uri = f"{self._path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30.0
        )
        if not self._readonly:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        with self._lock:
            self._all.append(connection)
        return connection

    def _ours(self, error: sqlite3.Error) -> SynclineError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return disk_full(str(self._path.parent))
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Unavailable(f"{self._path} is busy", remedy="try again", reason="INDEX_BUSY")
        if code == sqlite3.SQLITE_CANTOPEN and self._readonly:
            return Unavailable(f"{self._path} does not exist or cannot be opened", reason="NO_STORE")
        return Corrupt(
            f"{self._path} cannot be used ({error})",
            remedy="stop the hub and run `syncline-hub fsck --rebuild-index`",
            reason="CORRUPT_INDEX",
        )


def _marks(count: int) -> str:
    return ",".join("?" * count)
