"""Leaves and openings of the log, appended inside the transaction of what they record.

Indices count 0, 1, 2 … without gaps: the writer's lock is held from reading the last index to the commit,
and a transaction that fails takes its leaf with it. A leaf commits to its record without showing it; a
registry's leaf alone is open. Each record about an owner's dataset has a place in that owner's lane
(docs/formats/leaf.md).

    with database.write() as connection:
        index = translog.append(connection, Record(type="policy", actor=…, object=…, owner=…))
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from core.clock import format_instant
from core.names import PartnerId
from hub.services.context import Context
from hub.storage import schema
from security.canonical import JSON
from security.tlog.leaf import lane_commitment, make_leaf, new_salt, registry_leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a leaf commits to. `type`: policy, version, delivery, acknowledgement, act, refusals, alarm.

    `actor` is who did it: a partner, `hub` or `operator`; `object` what it concerns; `owner` whose lane it
    stands in (None: in nobody's).
    """

    type: str
    actor: str
    object: str
    owner: PartnerId | None
    statement_sha256: str | None = None
    detail: Mapping[str, JSON] = field(default_factory=dict[str, JSON])


def told_by(by: str | None) -> dict[str, JSON]:
    """What an act's detail says of the user of the pages who did it; nothing of a command at the hub."""
    return {} if by is None else {"user": by}


@dataclass(frozen=True, slots=True)
class StoredLeaf:
    """A leaf and, for its entitled readers, its opening."""

    index: int
    leaf: bytes
    type: str
    record: bytes
    nonce: bytes | None
    lane_owner: PartnerId | None
    lane_n: int | None
    lane_commitment: str | None
    lane_salt: bytes | None
    actor: str | None
    time: str | None
    object: str | None


class TransparencyLog:
    """The leaves so far, and the only way to append one."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._clock = context.clock

    def append(self, connection: sa.Connection, record: Record) -> int:
        """Append a leaf in the caller's write transaction; its index."""
        time = format_instant(self._clock.now())
        value: dict[str, JSON] = {
            "v": 1,
            "type": record.type,
            "time": time,
            "actor": record.actor,
            "object": record.object,
            "detail": dict(record.detail),
            "lane": None,
        }
        if record.statement_sha256 is not None:
            value["statement_sha256"] = record.statement_sha256
        lane: dict[str, object] = {}
        if record.owner is not None:
            n, prev = self._lane_end(connection, record.owner)
            salt = new_salt()
            place = lane_commitment(record.owner, n, prev, salt)
            value["lane"] = place
            lane = {"lane_owner": record.owner, "lane_n": n, "lane_commitment": place, "lane_salt": salt}
        leaf, opening = make_leaf(value)
        return self._insert(
            connection,
            leaf=leaf,
            type=record.type,
            record=opening.record,
            nonce=opening.nonce,
            actor=record.actor,
            time=time,
            object=record.object,
            **lane,
        )

    def append_registry(self, connection: sa.Connection, registry_id: str) -> int:
        """Append a registry's open leaf in the caller's write transaction; its index."""
        leaf = registry_leaf(registry_id)
        time = format_instant(self._clock.now())
        return self._insert(connection, leaf=leaf, type="registry", record=leaf, nonce=None, time=time)

    def size(self) -> int:
        """How many leaves there are."""
        with self._database.read() as connection:
            return leaf_count(connection)

    def leaves(self, first: int = 0) -> Iterator[StoredLeaf]:
        """The leaves from `first` on, in order."""
        columns = schema.leaves.c
        with self._database.read() as connection:
            rows = connection.execution_options(yield_per=1000).execute(
                sa.select(schema.leaves).where(columns.idx >= first).order_by(columns.idx)
            )
            for row in rows:
                yield StoredLeaf(*row)

    def _lane_end(self, connection: sa.Connection, owner: PartnerId) -> tuple[int, str | None]:
        columns = schema.leaves.c
        last = connection.execute(
            sa.select(columns.lane_n, columns.lane_commitment)
            .where(columns.lane_owner == owner)
            .order_by(columns.lane_n.desc())
            .limit(1)
        ).one_or_none()
        return (1, None) if last is None else (last.lane_n + 1, last.lane_commitment)

    def _insert(self, connection: sa.Connection, **values: object) -> int:
        index = leaf_count(connection)
        connection.execute(schema.leaves.insert().values(idx=index, **values))
        return index


def leaf_count(connection: sa.Connection) -> int:
    """How many leaves there are, as `connection` sees it: indices have no gaps, so the last one tells."""
    last = connection.execute(sa.select(sa.func.max(schema.leaves.c.idx))).scalar_one_or_none()
    return 0 if last is None else last + 1
