"""What a recipe must satisfy before its version is committed (ADR 7), read as streams.

The inventory has the signed digest; layout and table agree with it in files, lengths and totals; every
chunk is in the owner's store. That the files hold what the inventory says is checked by whoever reads them,
and by `fsck`.

    check_recipe(root, manifest, store, limits)         # or Untrusted, Unavailable (MISSING_CHUNKS)

A new version of a large dataset shares most of its table with the one before: what that one's commit has
found in the store is not looked up again (nothing that a version needs is ever removed from a store).
"""

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any

from core.errors import InvalidInput, Unavailable, Untrusted
from core.limits import Limits
from sync.compression import check_chunk
from sync.manifest import Manifest
from sync.ports import ChunkStore
from sync.recipe import TABLE_RECORD_BYTES, ChunkRef, Root, check_consistent
from sync.table import Fetch, TableReader, open_stream


def check_recipe(
    root: bytes, manifest: Manifest, store: ChunkStore, limits: Limits, before: bytes | None = None
) -> None:
    """Demand that the recipe is that of `manifest`, and complete in `store`.

    `before` is the root of an earlier version that was committed to the same store. Raises `Untrusted`
    (MALFORMED_RECIPE, WRONG_INVENTORY), `Unavailable` (MISSING_CHUNKS).
    """
    if len(root) > limits.root_bytes_max:
        raise InvalidInput(f"a recipe's root of {len(root)} bytes exceeds {limits.root_bytes_max}")
    recipe = Root.from_bytes(root, limits)
    _check_present((*recipe.inventory, *recipe.layout, *recipe.table), store, limits)
    fetch = fetcher(store, limits)
    known = frozenset[Piece]() if before is None else frozenset(pieces(Root.from_bytes(before, limits)))
    table = TableReader(recipe.table, fetch)
    refs = (ref for first, count in unknown(recipe, known) for ref in table.entries(first, count))
    _check_present(refs, store, limits)
    digest = hashlib.sha256()
    inventory = _Hashing(open_stream(recipe.inventory, fetch), digest)
    totals = check_consistent(
        inventory, open_stream(recipe.layout, fetch), open_stream(recipe.table, fetch), limits
    )
    if digest.hexdigest() != manifest.inventory_sha256:
        raise Untrusted(
            f"{manifest.dataset}: the recipe's inventory is not the one that was signed",
            reason="WRONG_INVENTORY",
        )
    if (totals.files, totals.bytes) != (manifest.files, manifest.bytes):
        raise Untrusted(
            f"{manifest.dataset}: the recipe has {totals.files} files of {totals.bytes} bytes,"
            f" the manifest says {manifest.files} of {manifest.bytes}",
            reason="MALFORMED_RECIPE",
        )


def fetcher(store: ChunkStore, limits: Limits) -> Fetch:
    """One chunk's decoded and checked bytes, as `sync.table` asks for them."""

    def fetch(ref: ChunkRef) -> bytes | memoryview:
        (chunk,) = store.get([ref.id])
        return check_chunk(chunk, limits)

    return fetch


Piece = tuple[bytes, int]
"""A chunk of a TABLE stream, and where in a record it starts: the same piece holds the same whole records."""


def pieces(recipe: Root) -> Iterator[Piece]:
    """The pieces of a recipe's TABLE."""
    at = 0
    for ref in recipe.table:
        yield ref.id, at % TABLE_RECORD_BYTES
        at += ref.raw_bytes


def unknown(recipe: Root, known: AbstractSet[Piece]) -> Iterator[tuple[int, int]]:
    """Ranges of the table's records (first, count) that are not whole inside of a known piece."""
    first = at = 0
    for ref, piece in zip(recipe.table, pieces(recipe), strict=True):
        end = at + ref.raw_bytes
        if piece in known:
            inside, behind = -(-at // TABLE_RECORD_BYTES), end // TABLE_RECORD_BYTES
            if behind > inside:
                if inside > first:
                    yield first, inside - first
                first = behind
        at = end
    if at // TABLE_RECORD_BYTES > first:
        yield first, at // TABLE_RECORD_BYTES - first


def _check_present(refs: Iterable[ChunkRef], store: ChunkStore, limits: Limits) -> None:
    missing = 0
    for batch in _batches(refs, limits.find_missing_count_max):
        missing += sum(store.missing(list({ref.id for ref in batch})))
    if missing:
        raise Unavailable(
            f"{missing} chunks of this version are not at the hub yet",
            remedy="ask for what is missing, upload it, and commit again",
            reason="MISSING_CHUNKS",
        )


def _batches(refs: Iterable[ChunkRef], count: int) -> Iterator[Sequence[ChunkRef]]:
    iterator = iter(refs)
    while batch := list(islice(iterator, count)):
        yield batch


class _Hashing:
    """An inventory that is digested as it is read."""

    def __init__(self, file: io.BufferedReader, digest: Any) -> None:
        self._file = file
        self._digest = digest

    def readline(self, size: int = -1, /) -> bytes:
        line = self._file.readline(size)
        self._digest.update(line)
        return line
