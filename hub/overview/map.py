"""Where the data are: footprints that owners declared or their nodes found, for drawing.

A west that is greater than the east crosses 180°, and stays so: whoever draws cuts it in two.

    map_view(reader).items[0].bbox
"""

from core.clock import Clock
from hub.overview.abouts import NOTHING
from hub.overview.datasets import DatasetReader
from hub.overview.model import MapItem, MapView
from hub.overview.shelves import Head


def map_view(reader: DatasetReader, clock: Clock) -> MapView:
    """Every dataset that has a place, and how many have none."""
    state, now = reader.state(), clock.now()
    placed: list[Head] = []
    for name, declared in state.facts.items():
        head = state.heads.get(name)
        if head is not None and declared.footprint.bbox is not None:
            placed.append(head)
    placed.sort(key=lambda head: head.dataset)
    abouts = reader.abouts(placed)
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
