"""One chunk store an owner, opened when first used.

    stores = OwnerStores(layout, limits)
    stores.of(PartnerId("la-dgm")).missing(ids)             # the running hub: reads and writes
    stores.readable(PartnerId("la-dgm")).verify()           # beside a running hub, too

Deduplication never crosses owners, so nobody can ask about or claim another's bytes (ADR 1).
"""

import threading
from pathlib import Path
from typing import Protocol

from core.limits import Limits
from core.logs import get_logger
from core.names import PartnerId, check_partner
from hub.layout import Layout
from sync.ports import ChunkStore

_log = get_logger("hub.storage.stores")


class OpenStore(Protocol):
    """Opens the store in a directory; `sync.stores.packs.PackStore` is one."""

    def __call__(self, directory: Path, limits: Limits, /, *, readonly: bool) -> ChunkStore: ...


class OwnerStores:
    """The stores of all owners. Thread-safe."""

    def __init__(self, layout: Layout, limits: Limits, open_store: OpenStore) -> None:
        self._layout = layout
        self._limits = limits
        self._open = open_store
        self._lock = threading.Lock()
        self._stores: dict[PartnerId, ChunkStore] = {}
        self._readers: dict[PartnerId, ChunkStore] = {}

    def of(self, partner: PartnerId) -> ChunkStore:
        """The store of `partner`; made if this is its first use. One process at a time (`Conflict`,
        STORE_LOCKED)."""
        with self._lock:
            store = self._stores.get(partner)
            if store is None:
                directory = self._layout.owner_store(check_partner(partner))
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                store = self._stores[partner] = self._open(directory, self._limits, readonly=False)
                for problem in getattr(store, "problems", ()):
                    _log.error(
                        "a chunk store is damaged",
                        owner=partner,
                        problem=problem,
                        remedy="run `syncline-hub fsck`",
                    )
            return store

    def readable(self, partner: PartnerId) -> ChunkStore:
        """The store of `partner` for reading, whichever process writes it."""
        with self._lock:
            store = self._stores.get(partner) or self._readers.get(partner)
            if store is None:
                directory = self._layout.owner_store(check_partner(partner))
                store = self._readers[partner] = self._open(directory, self._limits, readonly=True)
            return store

    def owners(self) -> list[PartnerId]:
        """Every owner that has a store on the disk, by id."""
        if not self._layout.store.is_dir():
            return []
        return sorted(PartnerId(each.name) for each in self._layout.store.iterdir() if each.is_dir())

    def close(self) -> None:
        """Close all stores."""
        with self._lock:
            stores = [*self._stores.values(), *self._readers.values()]
            self._stores, self._readers = {}, {}
        for store in stores:
            store.close()
