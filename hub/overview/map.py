"""Where the data are: footprints that owners declared or their nodes found, for drawing.

A west that is greater than the east crosses 180°, and stays so: whoever draws cuts it in two.

    reader.view().items[0].bbox
"""

import threading
from datetime import datetime

from core.clock import Clock
from hub.overview.abouts import NOTHING
from hub.overview.datasets import DatasetReader
from hub.overview.model import MapItem, MapView
from hub.overview.shelves import ShelfState


class MapReader:
    """Answers `map`. Keeps its answer until a dataset changes, or turns due or late. Thread-safe."""

    def __init__(self, datasets: DatasetReader, clock: Clock) -> None:
        self._datasets = datasets
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[ShelfState, datetime, datetime | None, MapView] | None = None

    def view(self) -> MapView:
        """Every dataset that has a place, and how many have none."""
        state, now = self._datasets.state(), self._clock.now()
        with self._lock:
            if self._known is not None:
                before, made, until, view = self._known
                same = before.heads is state.heads and before.turns is state.turns
                if same and before.facts is state.facts and made <= now and (until is None or now < until):
                    return view
            view = self._drawn(state, now)
            turns = (turn for both in state.turns.values() for turn in both if turn > now)
            self._known = state, now, min(turns, default=None), view
            return view

    def _drawn(self, state: ShelfState, now: datetime) -> MapView:
        placed = [
            head
            for name, head in state.heads.items()
            if name in state.facts and state.facts[name].footprint.bbox is not None
        ]
        abouts = self._datasets.abouts(placed)
        items: list[MapItem] = []
        for head in placed:
            footprint = state.facts[head.dataset].footprint
            assert footprint.bbox is not None
            items.append(
                MapItem(
                    dataset=head.dataset,
                    owner=head.owner,
                    title=dict(head.title),
                    theme=abouts.get(head.dataset, NOTHING).theme,
                    freshness=state.freshness(head.dataset, now),
                    bbox=footprint.bbox,
                    source=footprint.bbox_source,
                )
            )
        return MapView(items=tuple(items), placeless=len(state.heads) - len(items))
