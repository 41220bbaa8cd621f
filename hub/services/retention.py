"""Uploads that no version came to name are removed when they are old: `limits.upload_retention_s`.

Rules: everything that a version with content names is kept, whoever signed it and whenever. Where a version's
recipe cannot be read whole, or something that it names is not there, nothing is removed for that owner.
A commit counts on what its check has found in the store, so that removing waits for commits under way, and
commits wait for it; the long search before that hinders nobody. While a backup is made, nothing is removed.

    retention.perform()             # every hour, in a thread; sweeps once a day, never raises
    retention.sweep(owner)          # now
"""

import threading
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice

import sqlalchemy as sa

from core.errors import SynclineError, Unavailable
from core.logs import get_logger
from core.names import PartnerId
from hub.lock import is_backing_up
from hub.services.context import Context
from hub.services.recipes import Piece, fetcher, pieces, unknown
from hub.storage import schema
from sync.ports import ChunkId, ChunkStore, Removed, Sweep
from sync.recipe import Root
from sync.table import TableReader

_log = get_logger("hub.retention")

_SWEEP_EVERY_S = 24 * 3600
_PATIENCE_S = 60.0  # for commits under way
_BATCH_COUNT = 10_000


class RetentionService:
    """Removes uploads that were never committed. One sweep at a time; `stop` from any thread."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._swept: float | None = None
        self._stopped = threading.Event()

    def perform(self) -> None:
        """Sweep all stores, if that was not done today. What goes wrong is logged."""
        now = self._context.clock.monotonic()
        if self._swept is not None and now - self._swept < _SWEEP_EVERY_S:
            return
        if is_backing_up(self._context.layout):
            return  # in an hour, then
        for owner in self._context.stores.owners():
            if self._stopped.is_set():
                return
            try:
                removed = self.sweep(owner)
            except SynclineError as error:
                if self._stopped.is_set():
                    return
                _log.error(
                    "old uploads were not removed", owner=owner, problem=error.message, remedy=error.remedy
                )
                continue
            if removed.chunks:
                _log.info(
                    "removed uploads that no version names",
                    owner=owner,
                    chunks=removed.chunks,
                    bytes=removed.raw_bytes,
                )
        self._swept = now

    def sweep(self, owner: PartnerId) -> Removed:
        """Remove old chunks of `owner` that no version names.

        Raises what reading a recipe raises, `Corrupt` (MISSING_KEPT), `Unavailable` (BUSY, STOPPING,
        BACKUP_RUNS); then nothing was removed.
        """
        retention = timedelta(seconds=self._context.limits.upload_retention_s)
        before = self._context.clock.now() - retention
        store = self._context.stores.of(owner)
        seen: set[str] = set()
        known: set[Piece] = set()
        with store.sweep() as sweep:
            self._keep_versions(owner, store, sweep, seen, known)
            if not sweep.choose(before):
                return Removed(0, 0)
            with self._context.counting_on.alone(owner, _PATIENCE_S):
                self._keep_versions(owner, store, sweep, seen, known)
                if is_backing_up(self._context.layout):  # it has begun since
                    raise Unavailable("a backup is being made", remedy="wait for it", reason="BACKUP_RUNS")
                return sweep.remove()

    def stop(self) -> None:
        """A sweep under way gives up soon."""
        self._stopped.set()

    def _keep_versions(
        self, owner: PartnerId, store: ChunkStore, sweep: Sweep, seen: set[str], known: set[Piece]
    ) -> None:
        """Keep what the versions name that are not in `seen`. Equal pieces of tables are read once."""
        for version in self._with_content(owner):
            if version in seen:
                continue
            for batch in _batches(self._named(version, store, known)):
                if self._stopped.is_set():
                    raise Unavailable("the hub stops", reason="STOPPING")
                sweep.keep(batch)
            seen.add(version)

    def _with_content(self, owner: PartnerId) -> list[str]:
        table = schema.versions
        with self._context.database.read() as connection:
            rows = connection.execute(
                sa.select(table.c.id).where(
                    table.c.dataset.startswith(f"{owner}/", autoescape=True), table.c.root.is_not(None)
                )
            ).all()
        return [row.id for row in rows]

    def _named(self, version: str, store: ChunkStore, known: set[Piece]) -> Iterator[ChunkId]:
        table = schema.versions
        with self._context.database.read() as connection:
            root = connection.execute(sa.select(table.c.root).where(table.c.id == version)).scalar_one()
        recipe = Root.from_bytes(root, self._context.limits)
        for refs in (recipe.inventory, recipe.layout, recipe.table):
            yield from (ref.id for ref in refs)
        reader = TableReader(recipe.table, fetcher(store, self._context.limits))
        for first, count in unknown(recipe, known):
            yield from (ref.id for ref in reader.entries(first, count))
        known.update(pieces(recipe))


def _batches(ids: Iterable[ChunkId]) -> Iterator[list[ChunkId]]:
    iterator = iter(ids)
    while batch := list(islice(iterator, _BATCH_COUNT)):
        yield batch
