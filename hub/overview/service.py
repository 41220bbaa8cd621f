"""The way in: everything that is shown, each answer by its own module.

Answers come from the database and the settings alone, so that a command beside the running hub sees what its
pages show; they are kept for `limits.view_fresh_s`. Thread-safe.

    overview = Overview(hub, settings)
    overview.fleet().healthy
    overview.partner(PartnerId("la-dgm")).nodes
"""

from core.names import DatasetId, PartnerId
from hub.config import HubSettings
from hub.overview.dataset import OneDataset
from hub.overview.datasets import DatasetReader
from hub.overview.events import EventReader
from hub.overview.fleet import FleetReader, Looked
from hub.overview.log import LogReader
from hub.overview.map import MapReader
from hub.overview.model import (
    DatasetPage,
    DatasetView,
    EventPage,
    FleetView,
    LogView,
    MapView,
    NodeView,
    PartnerView,
    StorageView,
    TransfersView,
)
from hub.overview.search import DatasetSearch, EventSearch
from hub.overview.storage import StorageReader
from hub.overview.transfers import TransferReader
from hub.services.hub import Hub


class Overview:
    """Every question of the operator. Made by composition roots and commands."""

    def __init__(self, hub: Hub, settings: HubSettings, command: str = "syncline-hub") -> None:
        """`command`: how the operator calls `syncline-hub`, for the commands that are shown."""
        self._hub = hub
        self._datasets = DatasetReader(hub)
        self._fleet = FleetReader(hub, settings, self._datasets, command)
        self._dataset = OneDataset(hub, self._datasets, self._fleet.reports)
        self._transfers = TransferReader(hub.context, self._fleet.reports)
        self._events = EventReader(hub.context)
        self._log = LogReader(hub, self._fleet.reports)
        self._storage = StorageReader(hub.context)
        self._map = MapReader(self._datasets, hub.context.clock)

    def warm(self) -> None:
        """Read what the first page of a running hub would else wait for: every newest manifest and report."""
        self.refresh()
        self._datasets.page(DatasetSearch(text="-"))
        self._log.view()

    def refresh(self) -> None:
        """Bring what is kept up to date, so that a page that comes afterwards pays nothing for what changed:
        the look at the fleet, the shelves with what new versions say and who may read them, the map. Made to
        be called every half of `limits.view_fresh_s`: then no page looks itself."""
        self._fleet.refresh()
        self._datasets.refresh()
        self._map.view()
        self._log.refresh()

    def revision(self) -> int:
        """Moves when anything that is shown may have changed; cheap. Never newer than what is shown: who has
        the answers of one revision and is told the next one has missed nothing."""
        return self._fleet.revision()

    def fleet(self) -> FleetView:
        """Every partner and node, the worst first, and what a person must look at."""
        return self._fleet.view()

    def forget(self) -> None:
        """Somebody has acted: what is asked next is read anew."""
        self._fleet.forget()

    def look(self) -> Looked:
        """`fleet` with what it was made of; for duties of the running hub."""
        return self._fleet.look()

    def nodes(self) -> tuple[NodeView, ...]:
        """Every node of the partners in good standing with all that it says, without its history."""
        return self._fleet.nodes()

    def partner(self, partner: PartnerId) -> PartnerView:
        """One partner. Raises `InvalidInput` (NO_SUCH_PARTNER)."""
        return self._fleet.partner(partner)

    def datasets(self, search: DatasetSearch) -> DatasetPage:
        """The datasets that match."""
        return self._datasets.page(search)

    def dataset(self, dataset: DatasetId) -> DatasetView:
        """One dataset. Raises `InvalidInput` (NO_SUCH_DATASET)."""
        return self._dataset.view(dataset)

    def transfers(self) -> TransfersView:
        """What moves now, ended lately, and waits."""
        return self._transfers.view()

    def events(self, search: EventSearch) -> EventPage:
        """What happened, the newest first."""
        return self._events.page(search)

    def log(self) -> LogView:
        """The log, its witnesses, their alarms."""
        return self._log.view()

    def storage(self) -> StorageView:
        """The hub's disk."""
        return self._storage.view()

    def map(self) -> MapView:
        """Where the data are."""
        return self._map.view()
