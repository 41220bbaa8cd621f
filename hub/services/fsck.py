"""Every stored byte, re-read and checked.

    for finding in hub.fsck.check(): ...

Safe beside a running hub: it only reads. `rebuild_index` writes, and wants the hub to be stopped.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core.errors import SynclineError, Unavailable
from core.limits import Limits
from core.names import PartnerId, owner_of
from hub.services.context import Context
from hub.services.log.checking import check_log
from hub.services.log.tree import rebuild
from hub.services.recipes import check_recipe, fetcher
from hub.storage import schema
from security.keys import PublicKey
from security.policy import verify_policy
from security.registry import VerifiedRegistry, verify_first, verify_next
from security.tlog.leaf import Opening, open_leaf, registry_of_leaf
from sync import inventory
from sync.acknowledgement import verify_acknowledgement
from sync.manifest import VerifiedManifest, verify_manifest
from sync.ports import ChunkStore
from sync.recipe import Root, read_layout, read_table
from sync.stores.packs import PackStore
from sync.table import open_stream


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and what to do about it."""

    where: str
    problem: str
    remedy: str


_RESTORE = "restore the hub's directory from a backup; keep the damaged one"
_REUPLOAD = (
    "run `syncline-hub fsck --rebuild-index`; if that does not help, the owner publishes the data again"
)
_REGROW = (
    "run `syncline-hub fsck --rebuild-index` while the hub is stopped; if that does not help, " + _RESTORE
)
_BATCH_COUNT = 500
_GROW_COUNT = 16_384


class FsckService:
    """Checks of a whole hub directory."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._database = context.database
        self._limits = context.limits

    def check(self, *, files: bool = True) -> Iterator[Finding]:
        """Packs, versions, statements, leaves, tree, checkpoints; one finding for each thing that is wrong.

        With `files`, every version's files are rebuilt in memory and compared with their signed digests.
        """
        for problem in self._database.check():
            yield Finding("hub.sqlite", problem, _RESTORE)
        for owner in self._context.stores.owners():
            yield from self._store(owner)
        registries: dict[int, VerifiedRegistry] = {}
        yield from self._registries(registries)
        yield from self._policies(registries)
        yield from self._versions(registries, files=files)
        yield from self._acknowledgements(registries)
        yield from self._leaves()
        yield from self._log(registries)

    def rebuild_index(self) -> Iterator[str]:
        """Make the chunk indices anew from the packs, and the log's tiles from its leaves (the hub must not
        run); a line for each."""
        for owner in self._context.stores.owners():
            store = PackStore(self._context.layout.owner_store(owner), self._limits, rebuild=True)
            try:
                yield f"{owner}: {store.count()} chunks"
                yield from (f"{owner}: {problem}" for problem in store.problems)
            finally:
                store.close()
        yield f"log: {rebuild(self._database, _GROW_COUNT)} leaves"

    def _store(self, owner: PartnerId) -> Iterator[Finding]:
        where = f"store of {owner}"
        try:
            for problem in self._context.stores.readable(owner).verify():
                yield Finding(where, problem, _REUPLOAD)
        except SynclineError as error:
            yield Finding(where, error.message, error.remedy or _REUPLOAD)

    # --- statements ------------------------------------------------------------------------------

    def _registries(self, found: dict[int, VerifiedRegistry]) -> Iterator[Finding]:
        current: VerifiedRegistry | None = None
        for row in self._rows(schema.registry_statements, schema.registry_statements.c.seq):
            try:
                if current is None:
                    current = verify_first(row.envelope, row.id, self._limits)
                else:
                    current = verify_next(current, row.envelope, self._limits)
                found[row.seq] = current
            except SynclineError as error:
                yield Finding(f"registry {row.seq}", error.message, _RESTORE)
                return

    def _policies(self, registries: dict[int, VerifiedRegistry]) -> Iterator[Finding]:
        table = schema.policies
        for row in self._rows(table, table.c.dataset, table.c.seq):
            where = f"policy {row.seq} of {row.dataset}"
            try:
                verified = verify_policy(
                    row.envelope,
                    row.disclosures,
                    _keys_ever(registries, owner_of(row.dataset)),
                    complete=True,
                    dataset=row.dataset,
                    limits=self._limits,
                )
            except SynclineError as error:
                yield Finding(where, error.message, _RESTORE)
                continue
            if verified.id != row.id or verified.policy.seq != row.seq:
                yield Finding(where, "its id is not that of its payload", _RESTORE)

    def _versions(self, registries: dict[int, VerifiedRegistry], *, files: bool) -> Iterator[Finding]:
        table = schema.versions
        for row in self._rows(table, table.c.dataset, table.c.seq):
            where = f"version {row.seq} of {row.dataset}"
            try:
                verified = verify_manifest(
                    row.envelope, _keys_ever(registries, owner_of(row.dataset)), row.dataset, self._limits
                )
                if verified.id != row.id or verified.manifest.seq != row.seq:
                    yield Finding(where, "its id is not that of its payload", _RESTORE)
                    continue
            except SynclineError as error:
                yield Finding(where, error.message, _RESTORE)
                continue
            if row.root is not None:
                yield from self._content(where, verified, row.root, files=files)

    def _content(
        self, where: str, verified: VerifiedManifest, root: bytes, *, files: bool
    ) -> Iterator[Finding]:
        store = self._context.stores.readable(owner_of(verified.manifest.dataset))
        try:
            check_recipe(root, verified.manifest, store, self._limits)
            if files:
                for path in _broken_files(Root.from_bytes(root, self._limits), store, self._limits):
                    yield Finding(where, f"{path} does not have its signed digest", _REUPLOAD)
        except SynclineError as error:
            yield Finding(where, error.message, _REUPLOAD)

    def _acknowledgements(self, registries: dict[int, VerifiedRegistry]) -> Iterator[Finding]:
        table = schema.acknowledgements
        for row in self._rows(table, table.c.leaf):
            try:
                verified = verify_acknowledgement(
                    row.envelope, _keys_ever(registries, row.partner), row.partner, self._limits
                )
                problem = "" if verified.id == row.id else "its id is not that of its payload"
            except SynclineError as error:
                problem = error.message
            if problem:
                yield Finding(f"acknowledgement {row.id[:16]} of {row.partner}", problem, _RESTORE)

    # --- the log ---------------------------------------------------------------------------------

    def _leaves(self) -> Iterator[Finding]:
        lanes: dict[str, int] = {}
        for expected, row in enumerate(self._rows(schema.leaves, schema.leaves.c.idx)):
            where = f"log leaf {row.idx}"
            if row.idx != expected:
                yield Finding(where, f"leaf {expected} is missing before it", _RESTORE)
                return
            try:
                self._check_leaf(row)
            except SynclineError as error:
                yield Finding(where, error.message, _RESTORE)
            if row.lane_owner is not None:
                last = lanes.get(row.lane_owner, 0)
                if row.lane_n != last + 1:
                    yield Finding(
                        where, f"the lane of {row.lane_owner} jumps from {last} to {row.lane_n}", _RESTORE
                    )
                lanes[row.lane_owner] = row.lane_n

    def _log(self, registries: dict[int, VerifiedRegistry]) -> Iterator[Finding]:
        """Tiles and checkpoints against the leaves. Where a registry is damaged, that was said already."""
        if registries:
            logs = registries[max(registries)].registry.logs
            for where, problem in check_log(self._database, logs, self._limits):
                yield Finding(where, problem, _REGROW)

    def _check_leaf(self, row: sa.Row[Any]) -> None:
        if row.nonce is None:
            if registry_of_leaf(row.leaf, self._limits) is None or row.record != row.leaf:
                raise Unavailable("a leaf without an opening is not a registry's")
        else:
            open_leaf(row.leaf, Opening(row.record, row.nonce), self._limits)

    def _rows(self, table: sa.Table, *order: sa.ColumnElement[Any]) -> Iterator[sa.Row[Any]]:
        """All rows in order, in pages: a long check must not hold one snapshot for hours."""
        keys = [column.name for column in order]
        last: tuple[Any, ...] | None = None
        while True:
            query = sa.select(table).order_by(*order).limit(_BATCH_COUNT)
            if last is not None:
                query = query.where(sa.tuple_(*order) > sa.tuple_(*last))
            with self._database.read() as connection:
                rows = connection.execute(query).all()
            yield from rows
            if len(rows) < _BATCH_COUNT:
                return
            last = tuple(getattr(rows[-1], key) for key in keys)


def _keys_ever(registries: dict[int, VerifiedRegistry], partner: str) -> list[PublicKey]:
    """Every signing key that any registry ever gave the partner: signatures of any year can be checked."""
    keys: dict[PublicKey, None] = {}
    for each in registries.values():
        entry = each.registry.partner(partner)
        if entry is not None:
            keys.update(dict.fromkeys(entry.signing_keys))
    return list(keys)


def _broken_files(root: Root, store: ChunkStore, limits: Limits) -> Iterator[str]:
    """Paths whose content has not the digest of the inventory; chunk by chunk, in constant memory."""
    fetch = fetcher(store, limits)
    layout = read_layout(open_stream(root.layout, fetch))
    table = read_table(open_stream(root.table, fetch))
    for entry, place in zip(inventory.read(open_stream(root.inventory, fetch), limits), layout, strict=True):
        digest = hashlib.sha256()
        for _ in range(place.chunks):
            digest.update(fetch(next(table)))
        if digest.hexdigest() != entry.sha256:
            yield entry.path
