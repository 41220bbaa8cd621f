"""What a chunk store says when it cannot give or take a chunk; the same words from every back end."""

from core.errors import Unavailable
from sync.ports import ChunkId


def missing_chunk(chunk: ChunkId) -> Unavailable:
    """A chunk that was asked for is not here."""
    return Unavailable(
        f"chunk {chunk.hex()} is not in the store", remedy="upload it again", reason="MISSING_CHUNKS"
    )


def disk_full(where: str) -> Unavailable:
    """Nothing can be written; nothing was half written."""
    return Unavailable(
        f"no space left for chunks in {where}",
        remedy="free space on that disk; the transfer then goes on by itself",
        reason="DISK_FULL",
    )
