"""The leaves for witnesses, and among them the openings that the asking partner may have.

A partner may open the records of its own lane (with their places in it, so that it sees gaps) and those in
which it is the actor: nobody else's. Acts about a partner stand in its lane. With acknowledgements in its
lane goes the envelope that was acknowledged.

    entries.read(caller, 0, 1000).opened
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from core.errors import InvalidInput
from core.names import PartnerId
from hub.services.context import Caller, Context
from hub.services.log.checkpoints import Checkpoints
from hub.services.registry import RegistryService
from hub.storage import schema
from sync.ports import Entries, OpenedEntry

_DIGEST_BYTES = 33
_OPENING_OVERHEAD_BYTES = 256  # nonce, salt, commitment, numbers, framing
_ANSWER_OVERHEAD_BYTES = 64 * 1024


class EntryReader:
    """Reads entries up to the newest checkpoint."""

    def __init__(self, context: Context, registry: RegistryService, checkpoints: Checkpoints) -> None:
        self._context = context
        self._registry = registry
        self._checkpoints = checkpoints

    def read(self, caller: Caller, first: int, count: int = 0) -> Entries:
        """Leaves from `first` on: at most `count` (0: as many as go), never beyond the newest checkpoint, and
        no more than one answer holds. Raises `InvalidInput` (OUT_OF_RANGE)."""
        self._registry.require_active(caller)
        limits = self._context.limits
        size = self._checkpoints.newest().size
        if not 0 <= first <= size or count < 0:
            raise InvalidInput(
                f"{count} leaves from {first} are not in a log of {size}", reason="OUT_OF_RANGE"
            )
        end = min(size, first + min(count or limits.entries_count_max, limits.entries_count_max))
        with self._context.database.read() as connection:
            opened, end = self._opened(connection, caller.partner, first, end)
            table = schema.leaves
            leaves = connection.execute(
                sa.select(table.c.leaf).where(table.c.idx >= first, table.c.idx < end).order_by(table.c.idx)
            ).scalars()
            return Entries(tuple(leaves), tuple(opened))

    def _opened(
        self, connection: sa.Connection, partner: PartnerId, first: int, end: int
    ) -> tuple[list[OpenedEntry], int]:
        """The openings in a range, and where it must end so that the answer is not too large."""
        room = self._context.limits.message_bytes_max - _ANSWER_OVERHEAD_BYTES
        end = max(min(end, first + room // _DIGEST_BYTES), min(end, first + 1))
        found: list[OpenedEntry] = []
        taken = 0
        for each in openings_of(connection, partner, first, end):
            taken += len(each.record) + len(each.statement or b"") + _OPENING_OVERHEAD_BYTES
            if taken + (each.index + 1 - first) * _DIGEST_BYTES > room and each.index > first:
                return found, each.index
            end = max(min(end, first + (room - taken) // _DIGEST_BYTES), each.index + 1)
            found.append(each)
        return found, end


def openings_of(connection: sa.Connection, partner: PartnerId, first: int, end: int) -> Iterator[OpenedEntry]:
    """What `partner` may open among the leaves [first, end)."""
    leaves, acknowledgements = schema.leaves, schema.acknowledgements
    before = leaves.alias()
    rows = connection.execute(
        sa.select(
            leaves.c.idx,
            leaves.c.record,
            leaves.c.nonce,
            leaves.c.lane_owner,
            leaves.c.lane_n,
            leaves.c.lane_salt,
            before.c.lane_commitment.label("lane_prev"),
            acknowledgements.c.envelope.label("statement"),
        )
        .outerjoin(
            before,
            sa.and_(before.c.lane_owner == leaves.c.lane_owner, before.c.lane_n == leaves.c.lane_n - 1),
        )
        .outerjoin(acknowledgements, acknowledgements.c.leaf == leaves.c.idx)
        .where(
            leaves.c.idx >= first,
            leaves.c.idx < end,
            leaves.c.nonce.is_not(None),
            sa.or_(leaves.c.lane_owner == partner, leaves.c.actor == partner),
        )
        .order_by(leaves.c.idx)
        .execution_options(yield_per=500)
    )
    return (_opened(row, partner) for row in rows)


def _opened(row: Any, partner: PartnerId) -> OpenedEntry:
    if row.lane_owner != partner:
        return OpenedEntry(row.idx, row.record, row.nonce)
    return OpenedEntry(
        row.idx, row.record, row.nonce, row.lane_n, row.lane_prev, row.lane_salt, row.statement
    )
