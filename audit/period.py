"""Was a dataset delivered to a partner in a period, as far as the log tells?

    told = deliveries(dossier, dataset, partner, begin, end)
    told.known, told.deliveries, told.words()

Rules: deliveries that were found are told in any case; that there was none is said only where the owner's
lane, or the log itself, is opened without a gap over the whole period. A period is half-open: `begin <=
time < end`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from audit.dossier import Dossier, LoggedRecord
from audit.plain import instant
from audit.stretch import LANE, Stretch, stretches
from core.names import DatasetId, owner_of

UNPROVABLE = (
    "A delivery is logged once for each partner and version, before its first byte: what was delivered"
    " before may have been read again. A copy that was never logged, as by a hub and a recipient that"
    " collude, cannot be proven absent by any log."
)


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What the log says. `by` is the stretch that covers the period, else None, and `missing` says why."""

    dataset: str
    partner: str
    begin: datetime
    end: datetime
    deliveries: tuple[LoggedRecord, ...]
    by: Stretch | None
    missing: str

    @property
    def known(self) -> bool:
        """Whether these are all that were logged."""
        return self.by is not None

    def words(self) -> str:
        """The answer in a sentence."""
        between = f"between {instant(self.begin)} and {instant(self.end)}"
        what = f"of {self.dataset} to {self.partner}"
        count = len(self.deliveries)
        if self.known and not count:
            return f"No delivery {what} was logged {between}."
        if not self.known:
            said = (
                f"It cannot be said from this evidence whether any other delivery {what} was logged {between}"
            )
            return f"{said if count else said.replace('any other', 'a')}: {self.missing}."
        told = "1 delivery" if count == 1 else f"{count} deliveries"
        return f"{told} {what} {'was' if count == 1 else 'were'} logged {between}."

    def by_words(self) -> str:
        """What the answer rests on."""
        if self.by is None:
            return ""
        first, last = self.by.first, self.by.last
        back = " The hub's clock went back within it; times are as logged." if self.by.backwards else ""
        if self.by.kind == LANE and first.lane is not None and last.lane is not None:
            return (
                f"The lane of {first.lane.owner} is opened here without a gap from its record {first.lane.n}"
                f" ({instant(first.time)}) to its record {last.lane.n} ({instant(last.time)}).{back}"
            )
        return (
            f"The log is opened here without a gap from leaf {first.index} ({instant(first.time)})"
            f" to leaf {last.index} ({instant(last.time)}).{back}"
        )


def deliveries(
    dossier: Dossier, dataset: DatasetId, partner: str, begin: datetime, end: datetime
) -> Deliveries:
    """What was logged as delivered to `partner` from `begin` until `end`. Pure; one pass over the records."""
    owner = owner_of(dataset)
    found: list[LoggedRecord] = []

    def noting() -> Iterator[LoggedRecord]:
        for record in dossier.records:
            about = record.type == "delivery" and record.object == dataset and record.partner == partner
            if about and begin <= record.time < end:
                found.append(record)
            yield record

    by: Stretch | None = None
    lane: list[Stretch] = []
    for each in stretches(noting(), dossier.registry_positions, owner):
        if by is None and each.covers(begin, end):
            by = each
        if each.kind == LANE:
            lane.append(each)
    missing = "" if by is not None else _missing(lane, owner)
    if partner == owner:
        by, missing = None, f"{owner} is the owner, and an owner's own reading is not logged as a delivery"
    return Deliveries(dataset, partner, begin, end, tuple(found), by, missing)


def _missing(lane: list[Stretch], owner: str) -> str:
    if not lane:
        return f"the lane of {owner} is not opened in it"
    longest = max(lane, key=lambda each: each.last.time - each.first.time)
    begins = "its beginning" if longest.from_start else instant(longest.first.time)
    gaps = f", in {len(lane)} pieces" if len(lane) > 1 else ""
    ends = instant(longest.last.time)
    return f"the lane of {owner} is opened from {begins} to {ends}{gaps}, which does not cover it"
