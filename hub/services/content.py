"""Chunks up and down: durable before acknowledged, authorised before and while they are read.

What a caller may ask about or claim is its own store; what it reads is chunks of one committed version, by place.

    upload = content.open_upload(caller)
    upload.put_frame(frame)                # verified, in the caller's thread
    durable_frames = upload.commit()       # rpc decides when: limits.group_commit_bytes, group_commit_s
"""

from collections.abc import Iterator, Sequence

from core.names import DatasetId
from hub.services.context import Caller, Context
from hub.services.registry import RegistryService
from hub.services.sharing import SharingService
from hub.services.translog import TransparencyLog
from sync.ports import ChunkId, OrdinalRange, RecipeStream


class Upload:
    """One stream of frames into the caller's own store. Not for use by two threads at once."""

    def put_frame(self, frame: bytes | memoryview) -> int:
        """Check and append a frame's chunks; not durable yet. Bytes put since the last commit.

        Raises `Corrupt` (a chunk is not what its id says), `InvalidInput` (bounds), `Unavailable` (DISK_FULL), `Denied`.
        """
        raise NotImplementedError

    def commit(self) -> int:
        """Make everything put so far durable; how many frames, counted from the stream's start, are."""
        raise NotImplementedError

    def close(self) -> None:
        """Make durable what is pending, quietly; the stream has ended or broken."""
        raise NotImplementedError


class ContentService:
    """Chunks of owners' stores."""

    def __init__(
        self, context: Context, registry: RegistryService, sharing: SharingService, translog: TransparencyLog
    ) -> None:
        raise NotImplementedError

    def find_missing(self, caller: Caller, ids: Sequence[ChunkId]) -> list[bool]:
        """For each id (at most `find_missing_count_max`), whether the caller's own store lacks it."""
        raise NotImplementedError

    def open_upload(self, caller: Caller) -> Upload:
        """Begin a stream of frames."""
        raise NotImplementedError

    def read_blobs(
        self,
        caller: Caller,
        dataset: DatasetId,
        manifest_id: str,
        stream: RecipeStream,
        ranges: Sequence[OrdinalRange],
    ) -> Iterator[bytes]:
        """Frames of at most `frame_bytes_max` with the chunks of `ranges` in that order.

        The delivery's leaf is committed before the first frame. While it runs, the decision is made again every
        `limits.reauthorise_s`. Raises `Denied` (NOT_FOUND, NOT_GRANTED, SUSPENDED …), `InvalidInput` (ranges),
        `Unavailable` (WITHHELD: the version has no content here), `Corrupt`.
        """
        raise NotImplementedError
