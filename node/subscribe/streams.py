"""Fetching a recipe's three streams, and proving that they are what the manifest promises.

Rules: every chunk is checked by its id; what the record of another version, or an earlier attempt, holds
already is not fetched again; the inventory's digest is the manifest's subject, its lines and bytes are the
manifest's, and layout and table describe exactly its files. Only then does anything else look at them.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from core import durable
from core.errors import Corrupt, Untrusted
from core.limits import LIMITS, Limits
from node.subscribe.records import STREAMS, Record
from sync import recipe
from sync.chunking import chunk_id
from sync.compression import check_chunk
from sync.frames import unpack
from sync.manifest import VerifiedManifest
from sync.ports import ChunkId, HubApi, OrdinalRange, RecipeStream
from sync.recipe import Root


class _Place(NamedTuple):
    path: Path
    offset: int


def fetch_streams(
    hub: HubApi,
    target: VerifiedManifest,
    root: Root,
    record: Record,
    others: Sequence[Record],
    limits: Limits = LIMITS,
) -> None:
    """Bring the streams of `target` into `record`; `others` may hold chunks of them.

    Raises `Untrusted` when they are not what the manifest and the root say, or what the hub raises.
    """
    for stream, name in STREAMS.items():
        final = record.path(stream)
        if final.exists():
            continue
        partial = final.with_suffix(".part")
        old = record.path(stream).with_suffix(".kept")
        if partial.exists():
            partial.replace(old)  # an earlier attempt's: a source of chunks
        known = _known_chunks([old] if old.exists() else [], others, stream, root, limits)
        with partial.open("wb", buffering=1 << 20) as file:
            for data in _chunks(hub, target, stream, root.refs(stream), known, limits):
                file.write(data)
            file.flush()
            durable.fsync(file.fileno(), partial)  # it may stand on another disk than the mirror
        old.unlink(missing_ok=True)
        partial.replace(final)
        assert name == final.name
    _verify(target, record, limits)


def _verify(target: VerifiedManifest, record: Record, limits: Limits) -> None:
    try:
        with record.path(RecipeStream.INVENTORY).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != target.manifest.inventory_sha256:
            raise Untrusted(
                f"the inventory of {target.manifest.dataset} version {target.manifest.seq} "
                "is not the one that its owner signed",
                remedy="what the hub delivers was altered on the way or at rest: report it to its operator",
                reason="WRONG_INVENTORY",
            )
        with (
            record.path(RecipeStream.INVENTORY).open("rb") as lines,
            record.path(RecipeStream.LAYOUT).open("rb") as layout,
            record.path(RecipeStream.TABLE).open("rb") as table,
        ):
            totals = recipe.check_consistent(lines, layout, table, limits)
        if (totals.files, totals.bytes) != (target.manifest.files, target.manifest.bytes):
            raise Untrusted(
                f"{target.manifest.dataset} version {target.manifest.seq} has {totals.files} files of "
                f"{totals.bytes} bytes, its manifest says {target.manifest.files} of {target.manifest.bytes}",
                reason="MALFORMED_RECIPE",
            )
    except Untrusted:
        for stream in STREAMS:  # so that the next attempt asks again instead of finding these
            record.path(stream).unlink(missing_ok=True)
        raise


def _chunks(
    hub: HubApi,
    target: VerifiedManifest,
    stream: RecipeStream,
    refs: Sequence[recipe.ChunkRef],
    known: dict[ChunkId, _Place],
    limits: Limits,
) -> Iterator[bytes | memoryview]:
    """The stream's chunks in order, from disk where they are, the others in as few calls as may be."""
    missing = [ordinal for ordinal, ref in enumerate(refs) if ref.id not in known]
    fetched = _fetch(hub, target, stream, refs, missing, limits)
    for ref in refs:
        place = known.get(ref.id)
        yield next(fetched) if place is None else _read(place, ref)


def _fetch(
    hub: HubApi,
    target: VerifiedManifest,
    stream: RecipeStream,
    refs: Sequence[recipe.ChunkRef],
    ordinals: Sequence[int],
    limits: Limits,
) -> Iterator[bytes | memoryview]:
    ranges = merge_ordinals(ordinals)
    for at in range(0, len(ranges), limits.read_ranges_count_max):
        asked = ranges[at : at + limits.read_ranges_count_max]
        expected = (ordinal for one in asked for ordinal in range(one.first, one.first + one.count))
        for frame in hub.read_blobs(target.manifest.dataset, target.id, stream, asked):
            for chunk in unpack(frame, limits):
                ordinal = next(expected, None)
                if ordinal is None or (chunk.id, chunk.raw_bytes) != refs[ordinal]:
                    raise wrong_chunk(target)
                yield check_chunk(chunk, limits)
        if next(expected, None) is not None:
            raise wrong_chunk(target)


def wrong_chunk(target: VerifiedManifest) -> Corrupt:
    """The error for chunks that were not asked for, or are missing."""
    return Corrupt(
        f"the hub sent other chunks of {target.manifest.dataset} version {target.manifest.seq} than asked",
        remedy="report it to the hub's operator; the next pass asks again",
        reason="WRONG_CHUNK",
    )


def merge_ordinals(ordinals: Sequence[int]) -> list[OrdinalRange]:
    """Ascending ordinals as ranges."""
    ranges: list[OrdinalRange] = []
    start = previous = -2
    for ordinal in ordinals:
        if ordinal != previous + 1:
            if start >= 0:
                ranges.append(OrdinalRange(start, previous - start + 1))
            start = ordinal
        previous = ordinal
    if start >= 0:
        ranges.append(OrdinalRange(start, previous - start + 1))
    return ranges


def _known_chunks(
    kept: Sequence[Path], others: Sequence[Record], stream: RecipeStream, root: Root, limits: Limits
) -> dict[ChunkId, _Place]:
    """Where chunks of this stream stand on this disk already; each is checked again when it is read."""
    known: dict[ChunkId, _Place] = {}
    for other in others:
        data = other.read("root")
        path = other.path(stream)
        if data is None or not path.exists():
            continue
        try:
            refs = Root.from_bytes(data, limits).refs(stream)
        except Untrusted:
            continue  # a damaged record is no source; it is another version's affair
        _add_places(known, path, refs)
    for path in kept:
        _add_places(known, path, root.refs(stream))
    wanted = {ref.id: ref for ref in root.refs(stream)}
    return {id_: place for id_, place in known.items() if id_ in wanted and _holds(place, wanted[id_])}


def _add_places(known: dict[ChunkId, _Place], path: Path, refs: Sequence[recipe.ChunkRef]) -> None:
    offset, size = 0, path.stat().st_size
    for ref in refs:
        if offset + ref.raw_bytes > size:
            return
        known.setdefault(ref.id, _Place(path, offset))
        offset += ref.raw_bytes


def _holds(place: _Place, ref: recipe.ChunkRef) -> bool:
    try:
        return chunk_id(_read(place, ref)) == ref.id
    except OSError:
        return False


def _read(place: _Place, ref: recipe.ChunkRef) -> bytes:
    with place.path.open("rb") as file:
        return os.pread(file.fileno(), ref.raw_bytes, place.offset)
