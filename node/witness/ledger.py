"""The openings that the hub gave this node, in its state database: the partner's own lane above all.

    ledger = Ledger(state)
    ledger.taken                                # leaves from 0 whose openings were asked for and looked at
    ledger.take(records, taken=50_000)          # one transaction, with what was looked at
    ledger.lane(dataset)                        # verified records of one dataset, in lane order

Rules: only what fits its leaf is stored; rows are never deleted: what a continued or replaced log does not
have any more is marked with the number of the history that had it (`lost`). With a read-only state it only
reads.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from core.names import DatasetId
from node.state import NodeState, translated

_TAKEN = "log_taken"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS log_records (
    lost INTEGER NOT NULL DEFAULT 0, idx INTEGER NOT NULL, lane_n INTEGER NOT NULL, lane_prev TEXT,
    lane_salt BLOB, type TEXT NOT NULL, object TEXT NOT NULL, statement_sha256 TEXT,
    record BLOB NOT NULL, nonce BLOB NOT NULL, statement BLOB, PRIMARY KEY (lost, idx)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS log_records_lane ON log_records (lost, lane_n);
CREATE INDEX IF NOT EXISTS log_records_object ON log_records (object, type, idx);
-- Own policies with all their rules, as the lane names them: what was allowed at any place of it.
CREATE TABLE IF NOT EXISTS own_policies (
    id TEXT PRIMARY KEY, dataset TEXT NOT NULL, seq INTEGER NOT NULL, envelope BLOB NOT NULL,
    disclosures BLOB NOT NULL);
-- When other witnesses cosigned last.
CREATE TABLE IF NOT EXISTS witnesses (name TEXT PRIMARY KEY, key BLOB NOT NULL, at INTEGER NOT NULL);
"""
_COLUMNS = "idx, lane_n, lane_prev, lane_salt, record, nonce, statement"


@dataclass(frozen=True, slots=True)
class Kept:
    """A leaf's opening that fits its leaf, read. `lane_n` 0: not in this partner's lane."""

    index: int
    lane_n: int
    lane_prev: str | None
    lane_salt: bytes | None
    record: bytes
    nonce: bytes
    statement: bytes | None
    value: dict[str, Any]

    @property
    def type(self) -> str:
        """`policy`, `version`, `delivery`, `acknowledgement`, `act`, …"""
        return str(self.value["type"])

    @property
    def object(self) -> str:
        """What it concerns."""
        return str(self.value["object"])

    @property
    def statement_sha256(self) -> str | None:
        """The statement that it records."""
        found = self.value.get("statement_sha256")
        return None if found is None else str(found)

    @property
    def detail(self) -> dict[str, Any]:
        """By type."""
        return dict(self.value["detail"])

    @property
    def commitment(self) -> str | None:
        """The lane commitment."""
        return self.value["lane"]


@dataclass(frozen=True, slots=True)
class OwnPolicy:
    """A policy of this partner whose signature was verified, with all its rules."""

    id: str
    dataset: str
    seq: int
    envelope: bytes
    disclosures: bytes


class Ledger:
    """The tables. Every write is one durable transaction."""

    def __init__(self, state: NodeState) -> None:
        self._state = state
        if not state.read_only:
            with state.writing() as database:
                for statement in _SCHEMA.split(";\n"):
                    database.conn.execute(statement)

    @property
    def is_there(self) -> bool:
        """Whether the tables exist (a read-only state of a node that never looked has none)."""
        return bool(self._rows("SELECT 1 FROM sqlite_master WHERE name = 'log_records'"))

    @property
    def taken(self) -> int:
        """How many leaves, from 0 on, have been looked at."""
        return int(self._state.get_meta(_TAKEN) or 0)

    def take(self, records: Iterable[Kept], taken: int) -> None:
        """Keep records, and that all leaves below `taken` have been looked at."""
        with self._state.writing() as database:
            database.conn.executemany(
                "INSERT OR REPLACE INTO log_records VALUES (0,?,?,?,?,?,?,?,?,?,?)",
                (
                    (
                        each.index, each.lane_n, each.lane_prev, each.lane_salt, each.type, each.object,
                        each.statement_sha256, each.record, each.nonce, each.statement,
                    )
                    for each in records
                ),
            )  # fmt: skip
            database.conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_TAKEN, str(taken)))

    def lose(self, size: int, history: int) -> None:
        """The log that is followed from here on has only the first `size` leaves of `history`."""
        with self._state.writing() as database:
            database.conn.execute(
                "UPDATE log_records SET lost = ? WHERE lost = 0 AND idx >= ?", (history, size)
            )
            taken = min(self.taken, size)
            database.conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_TAKEN, str(taken)))

    def lane_end(self, before: int) -> Kept | None:
        """The last record of the lane among the leaves below `before`."""
        rows = self._records("lost = 0 AND lane_n > 0 AND idx < ? ORDER BY idx DESC LIMIT 1", (before,))
        return next(rows, None)

    def lane(self, dataset: DatasetId | None = None) -> Iterator[Kept]:
        """The lane in the log's order: all of it, or one dataset's."""
        if dataset is None:
            return self._records("lost = 0 AND lane_n > 0 ORDER BY idx", ())
        return self._records("lost = 0 AND lane_n > 0 AND object = ? ORDER BY idx", (dataset,))

    def all(self) -> Iterator[Kept]:
        """Every opening that this node has of the log that it follows, by index."""
        return self._records("lost = 0 ORDER BY idx", ())

    def lost(self) -> Iterator[Kept]:
        """What stood in logs that were continued without it, or that the operator gave up."""
        return self._records("lost > 0 ORDER BY lost, idx", ())

    def policy_in_force(self, dataset: str, before: int) -> str | None:
        """The id of the last policy of `dataset` in the lane below leaf `before`."""
        rows = self._rows(
            "SELECT statement_sha256 FROM log_records WHERE lost = 0 AND lane_n > 0 AND object = ?"
            " AND type = 'policy' AND idx < ? ORDER BY idx DESC LIMIT 1",
            (dataset, before),
        )
        return str(rows[0][0]) if rows else None

    # --- own policies and other witnesses ----------------------------------------------------------

    def policy(self, policy_id: str) -> OwnPolicy | None:
        """A verified policy of this partner."""
        rows = self._rows(
            "SELECT id, dataset, seq, envelope, disclosures FROM own_policies WHERE id = ?", (policy_id,)
        )
        return OwnPolicy(*rows[0]) if rows else None

    def keep_policy(self, policy: OwnPolicy) -> None:
        """Remember a policy that was verified."""
        with self._state.writing() as database:
            database.conn.execute(
                "INSERT OR REPLACE INTO own_policies VALUES (?,?,?,?,?)",
                (policy.id, policy.dataset, policy.seq, policy.envelope, policy.disclosures),
            )

    def witnesses(self) -> dict[tuple[str, bytes], int]:
        """When each witness (name, key) cosigned last, in seconds since 1970."""
        return {(str(name), bytes(key)): int(at) for name, key, at in self._rows("SELECT * FROM witnesses")}

    def keep_witnesses(self, seen: Iterable[tuple[str, bytes, int]]) -> None:
        """Remember who cosigned when; later than before."""
        with self._state.writing() as database:
            database.conn.executemany(
                "INSERT INTO witnesses VALUES (?,?,?) ON CONFLICT (name) DO UPDATE SET key = excluded.key,"
                " at = excluded.at WHERE excluded.at > witnesses.at OR excluded.key != witnesses.key",
                seen,
            )

    def _records(self, where: str, arguments: tuple[Any, ...]) -> Iterator[Kept]:
        query = f"SELECT {_COLUMNS} FROM log_records WHERE {where}"  # noqa: S608 - texts of this file
        with translated(self._state.path):
            for row in self._state.database.conn.execute(query, arguments):
                yield Kept(*row, value=json.loads(row[4]))

    def _rows(self, query: str, arguments: tuple[Any, ...] = ()) -> list[Any]:
        with translated(self._state.path):
            return self._state.database.conn.execute(query, arguments).fetchall()
