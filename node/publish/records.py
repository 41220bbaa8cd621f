"""What the node remembers of a dataset that it publishes: typed reads and writes of the state database.

    records = PublishRecords(state, dataset)
    records.head()                                  # the last accepted version and policy
    for known in records.known_files(): ...         # by path: as published, and as last hashed
    records.journal_version(journalled, changes)    # before it is sent
    records.accept_version(...)                     # when the hub has answered

Each write is one durable transaction.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from core.names import DatasetId
from node.scan import Stat
from node.state import NodeState

#: Of a chunk table, so that no row grows with its file: 4,096 chunks of 36 bytes.
SEGMENT_BYTES = 4_096 * 36


@dataclass(frozen=True, slots=True)
class Head:
    """The last accepted version and policy of a dataset; zeros and None before the first."""

    manifest_seq: int = 0
    manifest_id: str | None = None
    manifest_envelope: bytes | None = None
    policy_seq: int = 0
    policy_id: str | None = None
    policy_envelope: bytes | None = None
    disclosures: bytes | None = None
    files: int = 0
    bytes: int = 0
    has_content: bool = False
    described: str = ""  # digest of what the manifest says beside the files
    folder: str = ""  # the folder's identity, as text


class Seen(NamedTuple):
    """A file as it was last hashed. `bytes` is the length of the content, a snapshot's for a database."""

    stat: Stat
    racy: bool
    sha256: bytes
    bytes: int


# Within the nouns below the plain name is a field.
Bytes = bytes

KnownRow = tuple[Any, ...]
"""A path that was published, or hashed by a pass that did not end: path, published content (None: not
published) and its bytes, then the last hashing: the five fields of `Stat` (None: never), racy, content,
bytes. Raw, because a scan of many unchanged files does nothing else than to compare these."""


class Listed(NamedTuple):
    """A file of a version. `table`: the first segment of its chunk table, where it is at hand."""

    path: str
    sha256: bytes
    bytes: int
    table: Bytes | None = None


class ListChange(NamedTuple):
    """How a version's list differs from the one before; `sha256` None is a removal."""

    path: str
    sha256: bytes | None
    bytes: int


@dataclass(frozen=True, slots=True)
class Journalled:
    """A signed statement that the hub has not answered. `extra` is the root, or the policy's disclosures."""

    kind: str  # "version" or "policy"
    seq: int
    id: str
    envelope: bytes
    extra: bytes | None
    facts: dict[str, Any]


class PublishRecords:
    """The rows of one dataset."""

    def __init__(self, state: NodeState, dataset: DatasetId) -> None:
        self._state = state
        self.dataset = dataset

    # -- the accepted state ---------------------------------------------------------------------

    def head(self) -> Head | None:
        """The accepted state; None when the node knows nothing of the dataset."""
        row = self._row(
            "SELECT manifest_seq, manifest_id, manifest_envelope, policy_seq, policy_id, policy_envelope,"
            " disclosures, files, bytes, has_content, described, folder FROM heads WHERE dataset = ?"
        )
        return (
            None
            if row is None
            else Head(*row[:9], has_content=bool(row[9]), described=row[10], folder=row[11])
        )

    def known_files(self) -> Iterator[KnownRow]:
        """Every path that was published or hashed, by path, with its last hashing."""
        known = self._state.database.conn.execute(
            "SELECT p.path, p.sha256, p.bytes, s.size, s.mtime_ns, s.ctime_ns, s.inode, s.wal,"
            " s.racy, s.sha256,"
            " s.bytes FROM published p LEFT JOIN seen s ON s.dataset = p.dataset AND s.path = p.path"
            " WHERE p.dataset = ? ORDER BY p.path",
            (self.dataset,),
        )
        left_over = self._state.database.conn.execute(
            "SELECT path, NULL, 0, size, mtime_ns, ctime_ns, inode, wal, racy, sha256, bytes FROM seen s"
            " WHERE dataset = ? AND NOT EXISTS (SELECT 1 FROM published p WHERE p.dataset = s.dataset"
            " AND p.path = s.path) ORDER BY path",
            (self.dataset,),
        )
        first = left_over.fetchone()
        return known if first is None else merge(known, chain([first], left_over), key=itemgetter(0))

    def published(self) -> Iterator[Listed]:
        """The list of the last accepted version, by path, with the chunk tables of small files."""
        cursor = self._state.database.conn.execute(
            "SELECT p.path, p.sha256, p.bytes, t.data FROM published p"
            " LEFT JOIN chunk_tables t ON t.sha256 = p.sha256 AND t.segment = 0"
            " WHERE p.dataset = ? ORDER BY p.path",
            (self.dataset,),
        )
        return (Listed(*row) for row in cursor)

    def was_published(self, path: str) -> bool:
        """Whether the last accepted version has `path`."""
        return self._row("SELECT 1 FROM published WHERE dataset = ? AND path = ?", path) is not None

    def has_list(self) -> bool:
        """Whether any file of the last accepted version is known."""
        return self._row("SELECT 1 FROM published WHERE dataset = ? LIMIT 1") is not None

    def has_read(self) -> bool:
        """Whether any file of the folder was ever read with this state."""
        return self._row("SELECT 1 FROM seen WHERE dataset = ? LIMIT 1") is not None

    def chunk_table(self, listed: Listed) -> Iterator[bytes]:
        """How the content of `listed` is cut: 36 bytes a chunk, in segments; none for an empty file."""
        if listed.table is not None and len(listed.table) < SEGMENT_BYTES:
            yield listed.table
            return
        cursor = self._state.database.conn.execute(
            "SELECT data FROM chunk_tables WHERE sha256 = ? ORDER BY segment", (listed.sha256,)
        )
        for (data,) in cursor:
            yield data

    # -- hashing ---------------------------------------------------------------------------------

    def store_hashed(
        self, seen: Iterable[tuple[str, Seen]], segments: Iterable[tuple[bytes, int, bytes]]
    ) -> None:
        """Remember files that were read, with their chunk tables."""
        rows = [(self.dataset, path, *s.stat, int(s.racy), s.sha256, s.bytes) for path, s in seen]
        with self._state.writing() as database:
            database.conn.executemany("INSERT OR REPLACE INTO seen VALUES (?,?,?,?,?,?,?,?,?,?)", rows)
            database.conn.executemany("INSERT OR REPLACE INTO chunk_tables VALUES (?,?,?)", segments)

    # -- signed and sent --------------------------------------------------------------------------

    def journalled(self, kind: str) -> Journalled | None:
        """The statement of that kind that still waits for its answer."""
        row = self._row(
            "SELECT kind, seq, id, envelope, extra, facts FROM journal WHERE dataset = ? AND kind = ?", kind
        )
        return None if row is None else Journalled(*row[:5], facts=json.loads(row[5]))

    def journal(self, statement: Journalled, changes: Iterable[ListChange] = ()) -> None:
        """Keep a signed statement before it is sent; for a version, with what it changes in the list."""
        with self._state.writing() as database:
            database.conn.execute(
                "INSERT INTO journal VALUES (?,?,?,?,?,?,?)",
                (
                    self.dataset,
                    statement.kind,
                    statement.seq,
                    statement.id,
                    statement.envelope,
                    statement.extra,
                    json.dumps(statement.facts),
                ),
            )
            if statement.kind == "version":
                database.conn.execute("DELETE FROM journal_changes WHERE dataset = ?", (self.dataset,))
                database.conn.executemany(
                    "INSERT INTO journal_changes VALUES (?,?,?,?)",
                    ((self.dataset, *change) for change in changes),
                )

    def accept_policy(self, policy: Journalled) -> None:
        """The hub has recorded a policy: it is the head now."""
        with self._state.writing() as database:
            database.conn.execute("INSERT OR IGNORE INTO heads (dataset) VALUES (?)", (self.dataset,))
            database.conn.execute(
                "UPDATE heads SET policy_seq = ?, policy_id = ?, policy_envelope = ?, disclosures ="
                " ? WHERE dataset = ?",
                (policy.seq, policy.id, policy.envelope, policy.extra, self.dataset),
            )
            database.conn.execute(
                "DELETE FROM journal WHERE dataset = ? AND kind = 'policy'", (self.dataset,)
            )

    def accept_version(self, version: Journalled, *, has_content: bool) -> None:
        """The hub has recorded a version: its list is the published one now."""
        facts = version.facts
        with self._state.writing() as database:
            connection = database.conn
            connection.execute("INSERT OR IGNORE INTO heads (dataset) VALUES (?)", (self.dataset,))
            connection.execute(
                "UPDATE heads SET manifest_seq = ?, manifest_id = ?, manifest_envelope = ?, files ="
                " ?, bytes = ?,"
                " has_content = ?, described = ?, folder = ? WHERE dataset = ?",
                (
                    version.seq, version.id, version.envelope, facts["files"], facts["bytes"],
                    has_content, facts["described"], facts["folder"], self.dataset,
                ),
            )  # fmt: skip
            old = connection.execute(
                "SELECT p.sha256 FROM journal_changes c JOIN published p ON p.dataset = c.dataset"
                " AND p.path = c.path"
                " WHERE c.dataset = ?",
                (self.dataset,),
            ).fetchall()
            connection.execute(
                "INSERT OR REPLACE INTO published SELECT dataset, path, sha256, bytes FROM journal_changes"
                " WHERE dataset = ? AND sha256 IS NOT NULL",
                (self.dataset,),
            )
            for table in ("published", "seen"):
                connection.execute(
                    f"DELETE FROM {table} WHERE dataset = ? AND path IN"  # noqa: S608 -- one of two names
                    " (SELECT path FROM journal_changes WHERE dataset = ? AND sha256 IS NULL)",
                    (self.dataset, self.dataset),
                )
            self._forget_version(connection)
            connection.execute("DELETE FROM approvals WHERE dataset = ?", (self.dataset,))
            self._drop_tables(connection, old)

    def accept_content(self) -> None:
        """The bytes of the head are at the hub."""
        with self._state.writing() as database:
            database.conn.execute("UPDATE heads SET has_content = 1 WHERE dataset = ?", (self.dataset,))

    def learn_list(self, files: Iterable[ListChange]) -> None:
        """The files of the head, of which none was known: the folder holds exactly what was signed."""
        with self._state.writing() as database:
            database.conn.executemany(
                "INSERT OR REPLACE INTO published VALUES (?,?,?,?)", ((self.dataset, *each) for each in files)
            )

    def lose_content(self) -> None:
        """The bytes of the head are not at the hub any more: it was restored from an older copy."""
        with self._state.writing() as database:
            database.conn.execute("UPDATE heads SET has_content = 0 WHERE dataset = ?", (self.dataset,))

    def set_folder(self, folder: str) -> None:
        """The published folder is known by this identity now (a person has approved it, or mounts were
        added)."""
        with self._state.writing() as database:
            database.conn.execute("UPDATE heads SET folder = ? WHERE dataset = ?", (folder, self.dataset))
            database.conn.execute("DELETE FROM approvals WHERE dataset = ?", (self.dataset,))

    def journal_changes(self) -> Iterator[ListChange]:
        """What the journalled version changes in the list, by path."""
        cursor = self._state.database.conn.execute(
            "SELECT path, sha256, bytes FROM journal_changes WHERE dataset = ? ORDER BY path", (self.dataset,)
        )
        return (ListChange(*row) for row in cursor)

    def forget_journal(self) -> None:
        """Drop what was signed and not accepted (it was fenced, and a person has decided)."""
        with self._state.writing() as database:
            self._forget_version(database.conn)
            database.conn.execute("DELETE FROM journal WHERE dataset = ?", (self.dataset,))

    def adopt(self, head: Head, files: Iterable[tuple[Listed, bytes]]) -> None:
        """Take over a head, its list and its chunk tables as the hub has them."""
        with self._state.writing() as database:
            connection = database.conn
            for table in ("heads", "published", "journal", "journal_changes", "approvals"):
                connection.execute(f"DELETE FROM {table} WHERE dataset = ?", (self.dataset,))  # noqa: S608
            connection.execute(
                "INSERT INTO heads VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    self.dataset, head.manifest_seq, head.manifest_id, head.manifest_envelope,
                    head.policy_seq, head.policy_id, head.policy_envelope, head.disclosures, head.files,
                    head.bytes,
                    head.has_content, head.described, head.folder,
                ),
            )  # fmt: skip
            for listed, table in files:
                connection.execute("INSERT INTO published VALUES (?,?,?,?)", (self.dataset, *listed[:3]))
                segments = ((listed.sha256, n, data) for n, data in enumerate(segmented(table)))
                connection.executemany("INSERT OR REPLACE INTO chunk_tables VALUES (?,?,?)", segments)

    # -- within -----------------------------------------------------------------------------------

    def _row(self, query: str, *arguments: object) -> Any:
        return self._state.database.conn.execute(query, (self.dataset, *arguments)).fetchone()

    def _forget_version(self, connection: Any) -> None:
        connection.execute("DELETE FROM journal_changes WHERE dataset = ?", (self.dataset,))
        connection.execute("DELETE FROM journal WHERE dataset = ? AND kind = 'version'", (self.dataset,))

    def _drop_tables(self, connection: Any, contents: Iterable[tuple[bytes]]) -> None:
        """Chunk tables of content that no list and no hashing names any more."""
        connection.executemany(
            "DELETE FROM chunk_tables WHERE sha256 = ?1 AND NOT EXISTS (SELECT 1 FROM published"
            " WHERE sha256 = ?1)"
            " AND NOT EXISTS (SELECT 1 FROM seen WHERE sha256 = ?1)"
            " AND NOT EXISTS (SELECT 1 FROM journal_changes WHERE sha256 = ?1)",
            contents,
        )


def segmented(table: bytes) -> Iterator[bytes]:
    """A chunk table in pieces that fit a row."""
    for start in range(0, len(table), SEGMENT_BYTES):
        yield table[start : start + SEGMENT_BYTES]
