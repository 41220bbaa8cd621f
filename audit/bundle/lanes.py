"""Checks owners' lanes: whether records are missing between those that are opened.

    lanes = Lanes(scope)
    for record in records: lanes.add(record, gathered)
    whole = lanes.finish(gathered)             # the owners whose lanes are whole

Rules: within a lane `n` counts up with the log's index, and `prev` is the commitment of the place before. A
lane that the bundle says to open whole has no gap, from its first record on (from 1, unless the bundle begins
later). That nothing follows the last one is shown only where every leaf of the log is accounted for.
"""

from dataclasses import dataclass
from datetime import datetime

from audit.dossier import LoggedRecord, Scope
from audit.findings import failed, passed, unchecked
from audit.gathering import Gathering
from core.names import PartnerId

_CHECK = "lanes"
_GAP = "records of this owner were left out or slipped in: ask who made the bundle, then the hub's operator"


@dataclass(slots=True)
class _Lane:
    first: int = 0
    n: int = 0
    commitment: str = ""
    broken: bool = False
    last: datetime | None = None


class Lanes:
    """Follows every lane of which a place is opened. Memory grows with the number of partners alone."""

    def __init__(self, scope: Scope | None) -> None:
        self._whole = frozenset(scope.lanes) if scope is not None else frozenset[PartnerId]()
        self._since = scope.since if scope is not None else None
        self._lanes: dict[PartnerId, _Lane] = {}

    def add(self, record: LoggedRecord, gathered: Gathering) -> None:
        """The next record, by index."""
        owner = PartnerId(record.object.partition("/")[0])
        commitment = record.record.get("lane")
        place = record.lane
        if place is None:
            if owner in self._whole and commitment is not None:
                self._break(owner)
                gathered.add(
                    failed(
                        _CHECK, f"{owner}: the place of leaf {record.index} in its lane is not opened", _GAP
                    )
                )
            return
        lane = self._lanes.setdefault(owner, _Lane())
        if not lane.first:
            lane.first = place.n
            if owner in self._whole and self._since is None and place.n != 1:
                self._gap(owner, lane, f"begins with record {place.n}", gathered)
        elif place.n == lane.n + 1:
            if place.prev != lane.commitment:
                self._gap(owner, lane, f"record {place.n} does not follow record {lane.n}", gathered)
        elif place.n <= lane.n:
            self._gap(owner, lane, f"record {place.n} stands behind record {lane.n}", gathered)
        elif owner not in self._whole:
            lane.broken = True
        elif self._since is None or (lane.last is not None and lane.last >= self._since):
            self._gap(owner, lane, f"lane gap: records {lane.n + 1} to {place.n - 1} are missing", gathered)
        else:
            # Before the time from which on the bundle holds everything, some records stand by themselves.
            lane.first = place.n
        lane.n, lane.commitment, lane.last = place.n, str(commitment), record.time

    def finish(self, gathered: Gathering) -> tuple[PartnerId, ...]:
        """The owners whose lanes are whole."""
        whole: list[PartnerId] = []
        for owner in sorted(self._whole):
            lane = self._lanes.get(owner)
            if lane is None:
                gathered.add(
                    unchecked(_CHECK, f"{owner}: no record of its lane is here, though it is opened")
                )
            elif not lane.broken:
                whole.append(owner)
                gathered.add(passed(_CHECK, f"{owner}: records {lane.first} to {lane.n}, none left out"))
        return tuple(whole)

    def _gap(self, owner: PartnerId, lane: _Lane, words: str, gathered: Gathering) -> None:
        lane.broken = True
        gathered.add(failed(_CHECK, f"{owner}: {words}", _GAP))

    def _break(self, owner: PartnerId) -> None:
        self._lanes.setdefault(owner, _Lane(first=1)).broken = True
