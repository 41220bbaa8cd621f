"""What a chunk store says when it cannot give or take a chunk; the same words from every back end."""

from pathlib import Path

from core.errors import Corrupt, Denied, Unavailable
from sync.ports import ChunkId


def missing_chunk(chunk: ChunkId) -> Unavailable:
    """A chunk that was asked for is not here."""
    return Unavailable(
        f"chunk {chunk.hex()} is not in the store", remedy="upload it again", reason="MISSING_CHUNKS"
    )


def quota_exceeded(used: int, more: int, allowed: int) -> Denied:
    """The owner has no room left; what is held stays."""
    return Denied(
        f"{used:,} of {allowed:,} bytes that the hub keeps for this agency are used;"
        f" {more:,} more are too many",
        remedy="ask the hub's operator for more, or publish less",
        reason="QUOTA_EXCEEDED",
    )


def disk_full(where: str) -> Unavailable:
    """Nothing can be written; nothing was half written."""
    return Unavailable(
        f"no space left for chunks in {where}",
        remedy="free space on that disk; the transfer then goes on by itself",
        reason="DISK_FULL",
    )


def disk_failed(where: str, error: OSError) -> Unavailable:
    """Chunks could not be made durable; they count as never received, and the store takes no more."""
    return Unavailable(
        f"chunks in {where} could not be flushed to the disk ({error.strerror or error})",
        remedy="check the disk and its free space, then restart",
        reason="DISK_FAILED",
    )


def corrupt_record(chunk: ChunkId, pack: Path, offset: int) -> Corrupt:
    """Stored bytes are not what they were."""
    return Corrupt(
        f"chunk {chunk.hex()} in {pack} at offset {offset} is damaged",
        remedy="check the disk; restore the pack from a backup, or rebuild the index and publish again",
        reason="CORRUPT_CHUNK",
    )
