"""ContentService: questions about chunks and requests for them. Frames: `sync.wire.framecodec`."""

from collections.abc import Sequence
from dataclasses import dataclass

from syncline.v1 import content_pb2

from core.limits import LIMITS, Limits
from core.names import DatasetId, check_dataset
from sync.ports import ChunkId, OrdinalRange, RecipeStream
from sync.wire.messages.checks import (
    DIGEST_BYTES,
    counted,
    digest_from_message,
    digest_to_message,
    ill_formed,
)


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """ReadBlobs: chunks of one version by their places."""

    dataset: DatasetId
    manifest_id: str
    stream: RecipeStream
    ranges: tuple[OrdinalRange, ...]


def find_missing_to_message(ids: Sequence[ChunkId]) -> content_pb2.FindMissingBlobsRequest:
    """Client side of FindMissingBlobs."""
    return content_pb2.FindMissingBlobsRequest(chunk_ids=b"".join(ids))


def find_missing_from_message(
    message: content_pb2.FindMissingBlobsRequest, limits: Limits = LIMITS
) -> list[ChunkId]:
    """Server side of FindMissingBlobs: the ids asked about."""
    joined = message.chunk_ids
    count, rest = divmod(len(joined), DIGEST_BYTES)
    if rest:
        raise ill_formed("chunk_ids is not a whole number of 32-byte ids")
    counted(count, "the number of chunk_ids", 1, limits.find_missing_count_max)
    return [joined[place : place + DIGEST_BYTES] for place in range(0, len(joined), DIGEST_BYTES)]


def missing_to_message(missing: Sequence[bool]) -> content_pb2.FindMissingBlobsResponse:
    """Server side: one bit a chunk, least significant first."""
    bits = bytearray((len(missing) + 7) // 8)
    for place, is_missing in enumerate(missing):
        if is_missing:
            bits[place >> 3] |= 1 << (place & 7)
    return content_pb2.FindMissingBlobsResponse(missing_bits=bytes(bits))


def missing_from_message(message: content_pb2.FindMissingBlobsResponse, asked_count: int) -> list[bool]:
    """Client side: for each of the `asked_count` ids, whether the hub lacks it."""
    bits = message.missing_bits
    if len(bits) != (asked_count + 7) // 8:
        raise ill_formed(f"missing_bits has {len(bits)} bytes for {asked_count} chunks")
    if asked_count % 8 and bits[-1] >> asked_count % 8:
        raise ill_formed("missing_bits has bits beyond the last chunk")
    return [bool(bits[place >> 3] >> (place & 7) & 1) for place in range(asked_count)]


def durable_to_message(frames_count: int) -> content_pb2.UpdateBlobsResponse:
    """Server side of UpdateBlobs: frames that are durable."""
    return content_pb2.UpdateBlobsResponse(durable_frames_count=frames_count)


def durable_from_message(message: content_pb2.UpdateBlobsResponse) -> int:
    """Client side of UpdateBlobs: frames that are durable."""
    return counted(message.durable_frames_count, "durable_frames_count")


def read_to_message(request: ReadRequest) -> content_pb2.ReadBlobsRequest:
    """Client side of ReadBlobs."""
    return content_pb2.ReadBlobsRequest(
        dataset=request.dataset,
        manifest_sha256=digest_to_message(request.manifest_id),
        stream=content_pb2.RecipeStream.Name(request.stream.value),
        ranges=[content_pb2.OrdinalRange(first=r.first, count=r.count) for r in request.ranges],
    )


def read_from_message(message: content_pb2.ReadBlobsRequest, limits: Limits = LIMITS) -> ReadRequest:
    """Server side of ReadBlobs: ranges ascend and do not overlap."""
    try:
        stream = RecipeStream(message.stream)
    except ValueError:
        raise ill_formed(f"stream {message.stream} is not one of {[s.name for s in RecipeStream]}") from None
    counted(len(message.ranges), "the number of ranges", 1, limits.read_ranges_count_max)
    ranges: list[OrdinalRange] = []
    free_from = 0
    for given in message.ranges:
        first = counted(given.first, "a range's first", free_from)
        free_from = first + counted(given.count, "a range's count", 1)
        ranges.append(OrdinalRange(first, given.count))
    return ReadRequest(
        check_dataset(message.dataset),
        digest_from_message(message.manifest_sha256, "manifest_sha256"),
        stream,
        tuple(ranges),
    )
