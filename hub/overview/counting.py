"""The numbers at the top: how many nodes and datasets stand how.

counts.read().late["la-dgm"]
counted(partner_lines, counts.read()).by_state["silent"]
"""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from core.clock import Clock
from hub.overview import claims
from hub.overview.datasets import DatasetReader
from hub.overview.model import WORST_FIRST, FleetCounts, PartnerLine
from hub.overview.shelves import ShelfState
from sync.maintenance import Freshness

#: Nothing becomes late within less: ten thousand datasets are counted again only so often.
AGAIN_S = 10.0
_LATEST_FIRST: tuple[Freshness, ...] = ("late", "due", "fresh", "unknown")

Word = TypeVar("Word", bound=str)


@dataclass(frozen=True, slots=True)
class Counted:
    """Datasets: all, versions of all, by freshness, and by owner all of them and the late ones."""

    datasets: int
    versions: int
    by_freshness: Mapping[Freshness, int]
    of_owner: Mapping[str, int]
    late: Mapping[str, int]


class DatasetCounts:
    """Counts again when something changed, or after a while. Thread-safe."""

    def __init__(self, datasets: DatasetReader, clock: Clock) -> None:
        self._datasets = datasets
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[float, ShelfState, Counted] | None = None

    def read(self) -> Counted:
        """As of some seconds ago at the most."""
        with self._lock:
            state, now = self._datasets.state(), self._clock.monotonic()
            if self._known is not None:
                until, before, counted = self._known
                same = before.heads is state.heads and before.turns is state.turns
                if same and now < until:
                    return counted
            counted = Counted(
                datasets=len(state.heads),
                versions=state.versions(),
                by_freshness=self._datasets.counts(state),
                of_owner=Counter(head.owner for head in state.heads.values()),
                late=self._datasets.late_by_owner(state),
            )
            self._known = now + AGAIN_S, state, counted
            return counted


def counted(partners: Iterable[PartnerLine], datasets: Counted) -> FleetCounts:
    """The line at the top: nodes and work of the partners in good standing."""
    active = [line for line in partners if line.standing == "active"]
    nodes = [node for line in active for node in line.nodes]
    return FleetCounts(
        partners=len(active),
        nodes=len(nodes),
        by_state=_ordered(Counter(node.state for node in nodes), WORST_FIRST),
        datasets=datasets.datasets,
        versions=datasets.versions,
        datasets_by_freshness=_ordered(datasets.by_freshness, _LATEST_FIRST),
        backlog_bytes=claims.total(line.backlog_bytes for line in active),
        rate_bytes_s=claims.total(line.rate_bytes_s for line in active),
    )


def _ordered(counts: Mapping[Word, int], order: Iterable[Word]) -> dict[Word, int]:
    return {each: counts[each] for each in order if counts.get(each)}
