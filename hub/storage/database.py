"""The metadata database: one writer at a time, snapshots for readers, every commit durable.

SQLite in WAL mode with `synchronous=FULL`: what `write` has committed survives a power cut. Writers take
the lock at once (`BEGIN IMMEDIATE`), in this process one after the other, beside other processes by
SQLite's busy timeout.

    with database.write(visible=True) as connection:      # one transaction; raises → nothing happened
        connection.execute(...)
    with database.read() as connection:                   # one snapshot
        ...
    database.revisions()                                  # (any, visible): has anything changed?

The library's errors become ours: `Unavailable` (busy, disk full), `Corrupt`.
"""

import sqlite3
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from core.errors import Conflict, Corrupt, InvalidInput, Unavailable
from hub.storage import schema

_BUSY_TIMEOUT_S = 30.0
_POOL_COUNT = 8
_POOL_OVERFLOW_COUNT = 64
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
)
_REVISIONS = "SELECT any, visible FROM revision"

CommitListener = Callable[[bool], None]
"""Called after a commit of this process; True when it may have changed what partners see."""


class Database:
    """The hub's metadata. Thread-safe."""

    def __init__(self, engine: sa.Engine, path: Path, busy_timeout_s: float = _BUSY_TIMEOUT_S) -> None:
        self._engine = engine
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._writer = threading.Lock()
        self._looking = threading.Lock()
        self._looks = 0  # that have begun
        self._seen = 0, (0, 0)  # by the number of the look
        self._look: sqlite3.Connection | None = None  # for `revisions` alone
        self._listeners: list[CommitListener] = []

    @classmethod
    def open(cls, path: Path, *, create: bool = False, busy_timeout_s: float = _BUSY_TIMEOUT_S) -> "Database":
        """Open (or, `create`, make) the database and bring its schema up to date.

        Raises `InvalidInput` when it is missing, `Conflict` when it exists and `create` (ALREADY_EXISTS),
        or when a newer release wrote it (NEWER_SCHEMA).
        """
        if create and path.exists():
            raise Conflict(f"{path} exists", remedy="choose an empty directory", reason="ALREADY_EXISTS")
        if not create and not path.exists():
            raise InvalidInput(f"{path} does not exist", remedy="make the hub with `syncline-hub init`")
        database = cls(_engine(path, busy_timeout_s), path, busy_timeout_s)
        try:
            database._upgrade()
        except BaseException:
            database.close()
            raise
        return database

    def listen(self, listener: CommitListener) -> None:
        """Call `listener` after each commit of this process."""
        self._listeners.append(listener)

    @contextmanager
    def read(self) -> Generator[sa.Connection]:
        """One consistent snapshot."""
        with self._translated(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, visible: bool = True) -> Generator[sa.Connection]:
        """One transaction; committed when the block ends, undone when it raises.

        `visible` False for what changes nobody's view (deliveries, reports): doorbells need not look.
        """
        with self._translated():
            with self._writer, self._engine.connect() as plain:
                connection = plain.execution_options(syncline_write=True)
                with connection.begin():
                    yield connection
                    table = schema.revision
                    values: dict[Any, Any] = {table.c.any: table.c.any + 1}
                    if visible:
                        values[table.c.visible] = table.c.visible + 1
                    connection.execute(table.update().values(values))
            for listener in self._listeners:
                listener(visible)

    def revisions(self) -> tuple[int, int]:
        """The counters (any, visible), also moved by other processes.

        Asked at every call and by every page that is open: one statement on a connection that is kept,
        without a transaction or the layers above, takes a tenth of the time. Who comes while another looks
        waits, and takes the answer of the first look that began after it came: of many, one looks.
        """
        came = self._looks
        with self._translated(), self._looking:
            number, seen = self._seen
            if number > came:
                return seen
            self._looks += 1
            try:
                if self._look is None:
                    self._look = _look(self._path, self._busy_timeout_s)
                # To the end of the rows: a statement that is left in the middle keeps its snapshot.
                ((revision, visible),) = self._look.execute(_REVISIONS).fetchall()
            except sqlite3.Error:
                self._forget_look()
                raise
            self._seen = self._looks, (revision, visible)
        return revision, visible

    def close(self) -> None:
        """Close all connections."""
        with self._looking:
            self._forget_look()
        self._engine.dispose()

    def _forget_look(self) -> None:
        look, self._look = self._look, None
        if look is not None:
            look.close()

    def check(self) -> list[str]:
        """SQLite's own integrity check; a line for each problem."""
        with self.read() as connection:
            lines = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(100)")]
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        problems = [line for line in lines if line != "ok"]
        return problems + [f"a row of {row[0]} refers to a row of {row[2]} that is gone" for row in broken]

    def schema_version(self) -> str | None:
        """The migration that the database stands at; None before the first."""
        with self._translated(), self._engine.connect() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()

    def _upgrade(self) -> None:
        if self.schema_version() == schema.HEAD:
            return
        # Imported only here: alembic is slow to load, and most starts need no migration.
        from hub.storage import upgrade  # noqa: PLC0415

        with self._translated(), self._writer, self._engine.connect() as plain:
            connection = plain.execution_options(syncline_write=True)
            with connection.begin():
                upgrade.to_head(connection, self._path)

    @contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except IntegrityError:
            raise  # a bug of ours: services check before they write
        except DBAPIError as error:
            raise _ours(error, error.orig, self._path) from error
        except sqlite3.Error as error:
            raise _ours(error, error, self._path) from error
        except PoolTimeout as error:
            raise Unavailable("the hub's database is too busy", reason="BUSY") from error


def _engine(path: Path, busy_timeout_s: float) -> sa.Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=_POOL_COUNT,
        max_overflow=_POOL_OVERFLOW_COUNT,
        connect_args={"check_same_thread": False, "timeout": busy_timeout_s, "cached_statements": 256},
    )

    def connected(connection: sqlite3.Connection, _record: Any) -> None:
        _prepare(connection)

    def begin(connection: sa.Connection) -> None:
        immediate = connection.get_execution_options().get("syncline_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begin)
    return engine


def _prepare(connection: sqlite3.Connection) -> None:
    # Transactions are begun explicitly: the driver's own would begin too late to be a snapshot.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _look(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, timeout=busy_timeout_s)
    try:
        _prepare(connection)
        connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _ours(error: Exception, cause: BaseException | None, path: Path) -> Exception:
    """Our error for what the driver said (`cause`); `error` itself where there is none."""
    name = getattr(cause, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Unavailable(f"{path} is busy: {cause}", remedy="try again", reason="BUSY")
    if name.startswith("SQLITE_FULL"):
        return Unavailable(f"no space left for {path}", remedy="free space on that disk", reason="DISK_FULL")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return Corrupt(
            f"{path} is damaged: {cause}",
            remedy="run `syncline-hub fsck`; restore from a backup",
            reason="STORE_CORRUPT",
        )
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")):
        return Unavailable(
            f"{path} cannot be used: {cause}",
            remedy="check the disk and the folder's rights",
            reason="STORE_UNAVAILABLE",
        )
    return error
