"""Where the data are: footprints that owners declared or their nodes found, for drawing.

A west that is greater than the east crosses 180°, and stays so: whoever draws cuts it in two.

    reader.view().items[0].bbox
"""

import threading

from core.clock import Clock
from hub.overview.abouts import NOTHING, About
from hub.overview.counting import AGAIN_S
from hub.overview.datasets import DatasetReader
from hub.overview.facts import Facts
from hub.overview.model import MapItem, MapView
from hub.overview.shelves import Head, ShelfState
from sync.maintenance import Freshness


class MapReader:
    """Answers `map`. Keeps what it has said of each dataset until that changes. Thread-safe."""

    def __init__(self, datasets: DatasetReader, clock: Clock) -> None:
        self._datasets = datasets
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Head, Facts, MapItem]] = {}
        self._said: tuple[float, ShelfState, MapView] | None = None

    def view(self) -> MapView:
        """Every dataset that has a place, and how many have none; the same answer while nothing changes."""
        state, now, moment = self._datasets.state(), self._clock.now(), self._clock.monotonic()
        with self._lock:
            if self._said is not None:
                until, before, said = self._said
                if moment < until and before.heads is state.heads and before.facts is state.facts:
                    return said
            kept: dict[str, tuple[Head, Facts, MapItem]] = {}
            fresh: list[tuple[Head, Facts, Freshness]] = []
            for name, facts in state.facts.items():
                head = state.heads.get(name)
                if head is None or facts.footprint.bbox is None:
                    continue
                freshness, known = state.freshness(name, now), self._known.get(name)
                if known and known[0] is head and known[1] is facts and known[2].freshness == freshness:
                    kept[name] = known
                else:
                    fresh.append((head, facts, freshness))
            abouts = self._datasets.abouts([head for head, _, _ in fresh])
            for head, facts, freshness in fresh:
                about = abouts.get(head.dataset, NOTHING)
                kept[head.dataset] = head, facts, _item(head, facts, freshness, about)
            self._known = kept
            items = tuple(kept[name][2] for name in sorted(kept))
            view = MapView(items=items, placeless=len(state.heads) - len(items))
            self._said = moment + AGAIN_S, state, view
            return view


def _item(head: Head, facts: Facts, freshness: Freshness, about: About) -> MapItem:
    assert facts.footprint.bbox is not None
    return MapItem(
        dataset=head.dataset,
        owner=head.owner,
        title=dict(head.title),
        theme=about.theme,
        freshness=freshness,
        bbox=facts.footprint.bbox,
        source=facts.footprint.bbox_source,
    )
