"""The node's own memory: one SQLite database and one lock in its state directory.

    lock = StateLock(state_dir); lock.acquire()        # the daemon, or a command that does the work
    state = NodeState(state_dir)
    with state.writing() as database:                  # one transaction, durable when it ends
        database.table("meta").insert({"key": "x", "value": "1"}, replace=True)
    plan_state = NodeState(state_dir, read_only=True)  # a consistent view, beside a running daemon

Rules: whoever writes holds the lock; a database of a newer release is refused, not guessed; a damaged one is
`Corrupt`, and `rebuild` moves it aside (never deletes it): what the node has published is then learnt again
from the hub, checked with the node's own keys. Connections are one a thread.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from sqlite_utils import Database

from core.errors import Conflict, Corrupt, InvalidInput, Unavailable
from core.logs import get_logger

SCHEMA_VERSION = 1
DATABASE_NAME = "state.sqlite"
LOCK_NAME = "lock"
_QUICK_CHECK_BYTES_MAX = 256 * 1024 * 1024

_log = get_logger("node.state")

# Paths are legal names, so TEXT compares by UTF-8 bytes: the inventory's order.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
-- What a file held when it was last hashed: its stat decides whether it must be read again.
CREATE TABLE IF NOT EXISTS seen (
    dataset TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, wal TEXT NOT NULL, racy INTEGER NOT NULL,
    sha256 BLOB NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (dataset, path)) WITHOUT ROWID;
-- The list of the last signed version.
CREATE TABLE IF NOT EXISTS published (
    dataset TEXT NOT NULL, path TEXT NOT NULL, sha256 BLOB NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (dataset, path)) WITHOUT ROWID;
-- How content is cut: 36 bytes a chunk (id, u32 length), in segments so that no blob grows with a file.
CREATE TABLE IF NOT EXISTS chunk_tables (
    sha256 BLOB NOT NULL, segment INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (sha256, segment))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heads (
    dataset TEXT PRIMARY KEY, manifest_seq INTEGER NOT NULL DEFAULT 0, manifest_id TEXT,
    manifest_envelope BLOB,
    policy_seq INTEGER NOT NULL DEFAULT 0, policy_id TEXT, policy_envelope BLOB, disclosures BLOB,
    files INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
    has_content INTEGER NOT NULL DEFAULT 0,
    described TEXT NOT NULL DEFAULT '', folder TEXT NOT NULL DEFAULT '');
-- Signed, not yet answered: sent again, byte for byte, until the hub answers.
CREATE TABLE IF NOT EXISTS journal (
    dataset TEXT NOT NULL, kind TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, envelope BLOB NOT NULL,
    extra BLOB, facts TEXT NOT NULL, PRIMARY KEY (dataset, kind));
-- What the journalled version changes in `published`; sha256 NULL is a removal.
CREATE TABLE IF NOT EXISTS journal_changes (
    dataset TEXT NOT NULL, path TEXT NOT NULL, sha256 BLOB, bytes INTEGER, PRIMARY KEY (dataset, path))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS approvals (dataset TEXT PRIMARY KEY, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS issues (
    dataset TEXT NOT NULL, path TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY
    (dataset, path));
CREATE TABLE IF NOT EXISTS publish_status (
    dataset TEXT PRIMARY KEY, state TEXT NOT NULL, detail TEXT NOT NULL DEFAULT '',
    last_success TEXT, last_error TEXT,
    last_error_remedy TEXT, last_error_reason TEXT, last_error_time TEXT,
    bytes_left INTEGER NOT NULL DEFAULT 0,
    bytes_total INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    waiting TEXT NOT NULL DEFAULT '');
"""


class StateLock:
    """The one lock on a state directory: held by the daemon, or by a command that does its work."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / LOCK_NAME
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock, or raise `Conflict` (reason STATE_LOCKED). Freed by the kernel if the process
        dies."""
        ensure_state_dir(self._path.parent)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise Conflict(
                f"{self._path.parent} is in use by process {holder or 'of another node'}",
                remedy="the daemon runs: let it do the work, or stop it first",
                reason="STATE_LOCKED",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go; fine when not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> "StateLock":
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class NodeState:
    """The database of a state directory.

    Args:
        state_dir: made (0700) when missing, unless `read_only`.
        read_only: never writes; where no database exists yet, an empty one in memory stands for it.

    Raises:
        Corrupt: the database is damaged (reason STATE_CORRUPT); see `rebuild`.
        InvalidInput: it was written by a newer release (reason NEWER_SCHEMA).
        Unavailable: it cannot be opened: rights, disk.
    """

    def __init__(self, state_dir: Path, *, read_only: bool = False) -> None:
        self.state_dir = state_dir
        self.path = state_dir / DATABASE_NAME
        self.read_only = read_only
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._empty = read_only and not self.path.exists()
        if not read_only:
            ensure_state_dir(state_dir)
        try:
            with translated(self.path):
                self._prepare()
        except BaseException:
            self.close()
            raise

    @property
    def database(self) -> Database:
        """The calling thread's connection. Everyday rows by sqlite-utils; bulk rows by `.conn.executemany` in
        `writing()`."""
        database: Database | None = getattr(self._local, "database", None)
        if database is None:
            database = self._connect()
            self._local.database = database
        return database

    @contextmanager
    def writing(self) -> Generator[Database, None, None]:
        """One transaction, taken at once; committed and durable at the end, undone by an exception."""
        assert not self.read_only, "a read-only state is never written"
        database = self.database
        with translated(self.path):
            if database.conn.in_transaction:
                yield database
                return
            database.conn.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.conn.rollback()
                raise
            database.conn.commit()

    @contextmanager
    def reading(self) -> Generator[Database, None, None]:
        """One consistent snapshot for as many queries as are made within."""
        database = self.database
        with translated(self.path):
            if database.conn.in_transaction:
                yield database
                return
            database.conn.execute("BEGIN")
            try:
                yield database
            finally:
                database.conn.rollback()

    def get_meta(self, key: str) -> str | None:
        """A single remembered word, or None."""
        with translated(self.path):
            row = self.database.conn.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Remember a word durably."""
        with self.writing() as database:
            database.conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def mark_lost(self, moment: str) -> None:
        """Note that this database takes the place of a damaged or lost one, since `moment`."""
        self.set_meta("rebuilt", moment)

    @property
    def was_rebuilt(self) -> bool:
        """It took the place of a damaged or lost one: heads may be learnt again from the hub."""
        return self.get_meta("rebuilt") is not None

    def close(self) -> None:
        """Close every thread's connection."""
        with self._guard:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self._local = threading.local()

    def _connect(self) -> Database:
        if self._empty:
            connection = sqlite3.connect(":memory:", check_same_thread=False)
            connection.executescript(_SCHEMA)
        elif self.read_only:
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False, timeout=30.0
            )
        else:
            connection = sqlite3.connect(self.path, check_same_thread=False, timeout=30.0)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        with self._guard:
            self._connections.append(connection)
        return Database(connection)

    def _prepare(self) -> None:
        database = self.database
        if self._empty:
            return
        connection = database.conn
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > SCHEMA_VERSION:
            raise InvalidInput(
                f"{self.path} was written by a newer release (schema {version}, this one knows"
                f" {SCHEMA_VERSION})",
                remedy="install that release again, or give node.state_dir another folder",
                reason="NEWER_SCHEMA",
            )
        if self.path.stat().st_size <= _QUICK_CHECK_BYTES_MAX:
            answer = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            if answer != "ok":
                raise sqlite3.DatabaseError(answer.splitlines()[0])
        if self.read_only and version == 0:  # cut to nothing, or not begun: as if it were not there
            self.close()
            self._empty = True
            return
        if not self.read_only and version < SCHEMA_VERSION:
            self.path.chmod(0o600)
            connection.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )


def ensure_state_dir(state_dir: Path) -> None:
    """Make the state directory, for its owner alone. Raises `Unavailable` where that is not possible."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"node.state_dir {state_dir} cannot be made: {error.strerror}",
            remedy="create it and give it to the user that runs the node",
        ) from error


def rebuild(state_dir: Path, moment: str) -> NodeState:
    """Move a damaged database aside (`state.sqlite.damaged-<moment>`) and start a new one that knows it.

    Mirrors are checked again by their hashes; published heads are learnt from the hub (see
    `node.publish.recover`).
    """
    stamp = moment.replace(":", "").replace("-", "")
    for suffix in ("", "-wal", "-shm"):
        old = state_dir / f"{DATABASE_NAME}{suffix}"
        if old.exists():
            old.replace(state_dir / f"{DATABASE_NAME}.damaged-{stamp}{suffix}")
    state = NodeState(state_dir)
    state.mark_lost(moment)
    _log.warning(
        "the state database was damaged and has been moved aside",
        kept=str(state_dir / f"{DATABASE_NAME}.damaged-{stamp}"),
        remedy="check the disk; published datasets are recovered from the hub by themselves",
    )
    return state


@contextmanager
def translated(path: Path) -> Generator[None, None, None]:
    """Turn SQLite's errors into ours: damaged is `Corrupt`, everything else `Unavailable`."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "malformed" in str(error):
            raise _corrupt(path, error) from error
        if "is full" in str(error):
            raise Unavailable(
                f"the disk is full, of {path} or of temporary files",
                remedy="free some space there; it goes on by itself",
                reason="DISK_FULL",
            ) from error
        if _is_on_read_only_disk(path):
            raise Unavailable(
                f"the state database {path} cannot be used: its disk is mounted read-only",
                remedy="mount it for writing (a disk that was remounted by itself has errors: see dmesg)",
                reason="STATE_UNAVAILABLE",
            ) from error
        raise Unavailable(
            f"the state database {path} cannot be used: {error}",
            remedy="check the rights and the free space of node.state_dir",
            reason="STATE_UNAVAILABLE",
        ) from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, (sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.InterfaceError)):
            raise  # a bug of ours
        raise _corrupt(path, error) from error


def _is_on_read_only_disk(path: Path) -> bool:
    try:
        return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _corrupt(path: Path, error: sqlite3.Error) -> Corrupt:
    return Corrupt(
        f"the state database {path} is damaged: {error}",
        remedy="start the node with `syncline-node run`, which moves it aside and recovers from the hub",
        reason="STATE_CORRUPT",
    )
