"""Since when a node lacks something: the oldest version that it may have, wants, and does not hold.

What a mirror says that it holds and wants is the node's word; when a version came is the hub's knowledge,
and never changes once it is there.

    lags.since(connection, seen, joined)             # None: it lacks nothing
"""

import threading
from datetime import datetime

import sqlalchemy as sa

from core.clock import parse_instant
from hub.overview.report import Report, is_behind
from hub.storage import schema

_KNOWN_COUNT_MAX = 100_000
_ASKED_COUNT_MAX = 200

Place = tuple[str, int]
"""A dataset and a version's number."""


def lacking(report: Report) -> list[Place]:
    """The oldest version that each mirror lacks, as far as the report tells; not more than are asked for."""
    places: list[Place] = []
    for mirror in report.mirrors:
        if is_behind(mirror) and mirror.wanted_seq:
            held = mirror.seq or 0
            oldest = held + 1 if 0 < held < mirror.wanted_seq else mirror.wanted_seq
            places.append((mirror.dataset, oldest))
    return places[:_ASKED_COUNT_MAX]


class Lags:
    """Remembers when versions came. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accepted: dict[Place, datetime] = {}

    def since(self, connection: sa.Connection, report: Report, joined: datetime | None) -> datetime | None:
        """When the oldest version came that the node lacks; not before it joined."""
        places = lacking(report)
        if not places:
            return None
        with self._lock:
            if len(self._accepted) > _KNOWN_COUNT_MAX:
                self._accepted.clear()
            self._read(connection, [each for each in places if each not in self._accepted])
            came = [self._accepted[each] for each in places if each in self._accepted]
        if not came:
            return None
        oldest = min(came)
        return oldest if joined is None else max(oldest, joined)

    def _read(self, connection: sa.Connection, places: list[Place]) -> None:
        """One look into the primary key each: SQLite would read the whole table for a list of pairs."""
        for dataset, seq in places:
            accepted = connection.execute(_ACCEPTED, {"dataset": dataset, "seq": seq}).scalar_one_or_none()
            if accepted is not None:
                self._accepted[dataset, seq] = parse_instant(accepted)


_ACCEPTED = sa.select(schema.versions.c.accepted).where(
    schema.versions.c.dataset == sa.bindparam("dataset"), schema.versions.c.seq == sa.bindparam("seq")
)
