"""One chunk store an owner, opened when first used.

    stores = OwnerStores(layout, limits)
    stores.of(PartnerId("la-dgm")).missing(ids)

Deduplication never crosses owners, so nobody can ask about or claim another's bytes (ADR 1).
"""

import threading
from collections.abc import Callable
from pathlib import Path

from core.limits import Limits
from core.names import PartnerId, check_partner
from hub.layout import Layout
from sync.ports import ChunkStore
from sync.stores.packs import PackStore

OpenStore = Callable[[Path, Limits], ChunkStore]


class OwnerStores:
    """The stores of all owners. Thread-safe."""

    def __init__(self, layout: Layout, limits: Limits, open_store: OpenStore = PackStore) -> None:
        self._layout = layout
        self._limits = limits
        self._open = open_store
        self._lock = threading.Lock()
        self._stores: dict[PartnerId, ChunkStore] = {}

    def of(self, partner: PartnerId) -> ChunkStore:
        """The store of `partner`; made if this is its first use."""
        with self._lock:
            store = self._stores.get(partner)
            if store is None:
                directory = self._layout.owner_store(check_partner(partner))
                directory.mkdir(parents=True, exist_ok=True)
                store = self._stores[partner] = self._open(directory, self._limits)
            return store

    def owners(self) -> list[PartnerId]:
        """Every owner that has a store on the disk, by id."""
        if not self._layout.store.is_dir():
            return []
        return sorted(PartnerId(each.name) for each in self._layout.store.iterdir() if each.is_dir())

    def close(self) -> None:
        """Close all stores."""
        with self._lock:
            stores, self._stores = list(self._stores.values()), {}
        for store in stores:
            store.close()
