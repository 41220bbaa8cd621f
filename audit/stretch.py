"""Stretches of the log that are opened without a gap: of these alone may be said what was not logged.

    for stretch in stretches(dossier.records, dossier.registry_positions, owner): stretch.covers(begin, end)

Two kinds: a stretch of the owner's *lane*, records n, n + 1, … each naming the commitment before; and a
stretch of the *log* itself, index by index, registry leaves among them. One pass, a few values a stretch: a
million records need no memory.

Rule: a stretch covers a time only with a record before its beginning (or from the lane's or the log's very
first record on) and one at or after its end.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from audit.dossier import LoggedRecord, Position
from core.names import PartnerId

LANE = "lane"
LOG = "log"


@dataclass(slots=True)
class Stretch:
    """Records without a gap between them. `from_start`: nothing can have come before the first one.

    `backwards` says that the hub's clock went back somewhere within.
    """

    kind: str
    from_start: bool
    first: LoggedRecord
    last: LoggedRecord
    latest: datetime
    backwards: bool = False

    def covers(self, begin: datetime, end: datetime) -> bool:
        """Whether everything that was logged with a time from `begin` until `end` stands in here."""
        # Times are whole seconds: another record of the first one's second may stand before it.
        begun = self.from_start or self.first.time < begin
        return begun and end <= self.last.time

    def add(self, record: LoggedRecord) -> None:
        """The next record, directly after the last."""
        self.backwards = self.backwards or record.time < self.latest
        self.latest = max(self.latest, record.time)
        self.last = record


def stretches(
    records: Iterable[LoggedRecord], registry_positions: Mapping[int, Position], owner: PartnerId
) -> Iterator[Stretch]:
    """The stretches of the owner's lane and of the log, of both kinds mixed; most may be a record long."""
    between = set(registry_positions.values())
    lane: Stretch | None = None
    log: Stretch | None = None
    for record in records:
        place = record.lane
        if place is not None and place.owner == owner:
            if lane is not None and _follows_in_lane(lane.last, record):
                lane.add(record)
            else:
                if lane is not None:
                    yield lane
                lane = _begin(LANE, record, from_start=place.n == 1)
        if log is not None and _follows_in_log(log.last.position, record.position, between):
            log.add(record)
        else:
            if log is not None:
                yield log
            log = _begin(LOG, record, from_start=_is_first(record.position, between))
    yield from (each for each in (lane, log) if each is not None)


def _begin(kind: str, record: LoggedRecord, *, from_start: bool) -> Stretch:
    return Stretch(kind, from_start, record, record, record.time)


def _follows_in_lane(before: LoggedRecord, after: LoggedRecord) -> bool:
    assert before.lane is not None
    assert after.lane is not None
    named = after.lane.prev == before.record.get("lane")
    return after.lane.n == before.lane.n + 1 and named and before.position < after.position


def _follows_in_log(before: Position, after: Position, between: set[Position]) -> bool:
    return (
        before[0] == after[0]
        and before < after
        and _only_registries(before[0], before[1] + 1, after[1], between)
    )


def _is_first(position: Position, between: set[Position]) -> bool:
    return position[0] == 0 and _only_registries(0, 0, position[1], between)


def _only_registries(log: int, first: int, end: int, between: set[Position]) -> bool:
    # Longer than there are registry statements, a gap cannot be theirs.
    return end - first <= len(between) and all((log, index) in between for index in range(first, end))
