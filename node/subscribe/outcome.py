"""What became of each mirror in a pass: plain values for `status`, the log and the hub's report."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from core.errors import SynclineError
from core.names import DatasetId


class MirrorState(Enum):
    """Where a mirror stands. The values are what `status --json` shows."""

    CURRENT = "current"  # holds the newest version that the hub lists
    UPDATED = "updated"  # has just been brought to it
    VISIBLE = "visible, not granted"  # discover without read
    WAITING = "waiting for content"  # read is granted, the owner has not brought the bytes yet
    AWAITS_LOG = "waiting for the log"  # all is here, and no checkpoint covers it yet
    AWAITS_WITNESSES = "waiting for witnesses"  # the same, and the settings demand their quorum
    NOT_SHARED = "not shared with us"  # a dataset named in full of which the hub tells us nothing
    GRANT_ENDED = "grant ended"  # what was received stays
    NEEDS_ATTENTION = "needs attention"  # a person must look: local edits, a bound
    FAILED = "failed"  # `error` says why; tried again at the next pass


@dataclass(frozen=True, slots=True)
class MirrorOutcome:
    """One mirror after a pass.

    `seq` and `manifest_id` name what `current` holds, None before a first version.
    """

    dataset: DatasetId
    path: Path  # <mirror path>/<owner>/<dataset>
    state: MirrorState
    seq: int | None = None
    manifest_id: str | None = None
    wanted_seq: int | None = None  # the newest that the hub lists
    bytes_left: int = 0  # of the version being fetched
    error: SynclineError | None = None
    acknowledged: bool = True
    attention: tuple[str, ...] = field(default=())  # lines for a person: local edits, what was kept and where

    @property
    def waits(self) -> bool:
        """Whether a version is here and not applied yet, for want of evidence: looked at again soon."""
        return self.state in (MirrorState.AWAITS_LOG, MirrorState.AWAITS_WITNESSES)

    @property
    def needs_attention(self) -> bool:
        """Whether a person must look (exit status 8) though nothing failed."""
        return self.state is MirrorState.NEEDS_ATTENTION or bool(self.attention)
