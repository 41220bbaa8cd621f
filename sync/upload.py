"""Send chunks to the hub while they are being produced: negotiate, compress, send, await durable acks.

    with BlobUploader(api, limits) as uploader:
        uploader.add(id, data)                 # blocks while too much is under way
        stats = uploader.finish()              # everything is durable at the hub
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Self

from core.clock import Clock, SystemClock
from core.limits import LIMITS, Limits
from sync.bandwidth import TokenBucket
from sync.ports import ChunkId, HubApi

Progress = Callable[[int], None]
"""Called with the uncompressed bytes that have become settled (durable at the hub) since the last call."""


@dataclass(frozen=True, slots=True)
class UploadStats:
    """What a session did: distinct chunks offered, chunks sent, bytes of frames sent, bytes of them sent again."""

    chunks: int
    sent_chunks: int
    sent_bytes: int
    repeated_bytes: int


class BlobUploader:
    """One upload session. `add` and `finish` are called by one thread; both raise what went wrong."""

    def __init__(
        self,
        api: HubApi,
        limits: Limits = LIMITS,
        bandwidth: TokenBucket | None = None,
        progress: Progress | None = None,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        retries: int = 5,
    ) -> None:
        raise NotImplementedError

    def add(self, id: ChunkId, data: bytes | memoryview) -> None:  # noqa: A002
        """Offer a chunk. Blocks while too much is under way; copies `data` where it is a view."""
        raise NotImplementedError

    def finish(self) -> UploadStats:
        """Wait until everything offered is durable at the hub."""
        raise NotImplementedError

    def close(self) -> None:
        """End the session; aborts it when it is not finished."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
