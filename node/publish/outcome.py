"""What became of a dataset in a pass, and what is known about it: plain values for `status` and the log."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from core.names import DatasetId


class PublishState(Enum):
    """Where a dataset stands. The values are what `status --json` shows."""

    NEW = "not published yet"
    UP_TO_DATE = "up to date"  # the last version is what the folder holds
    PUBLISHED = "published"  # a new version was just accepted
    WITHHELD = "signed, bytes withheld"  # nobody may read it yet, so only the manifest is at the hub
    EMPTY = "nothing to publish"
    WAITING = "waiting for approval"
    HELD = "held"  # the folder is not to be had; the last published state stands
    FENCED = "fenced"  # somebody else published with this node's keys
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PublishOutcome:
    """A dataset after a pass.

    `attention` has a line for each thing that a person must look at (exit status 8). `again_at` is the
    next instant at which a rule begins or ends, so that a pass is due.
    """

    dataset: DatasetId
    state: PublishState
    seq: int | None = None
    manifest_id: str | None = None
    files: int = 0
    bytes: int = 0
    sent_bytes: int = 0
    held: int = 0
    skipped: int = 0
    attention: tuple[str, ...] = ()
    again_at: datetime | None = None
    changed: bool = False  # a version or a policy was accepted in this pass
    unsettled: bool = False  # files were still changing: look again soon

    @property
    def needs_attention(self) -> bool:
        """Whether a person must look (exit status 8) though nothing failed."""
        return bool(self.attention)


@dataclass(frozen=True, slots=True)
class Issue:
    """A name that does not travel, or keeps its last published state, and why. `path` is fit for a
    terminal."""

    path: str
    kind: str  # "held" or "skipped"
    reason: str


@dataclass(frozen=True, slots=True)
class DatasetStatus:
    """What the state database knows of a published dataset. Times are text, as `core.clock` writes them."""

    dataset: DatasetId
    state: PublishState
    detail: str
    seq: int | None
    manifest_id: str | None
    policy_seq: int | None
    files: int
    bytes: int
    has_content: bool
    bytes_left: int
    held: int
    skipped: int
    last_success: str | None
    last_error: str | None
    last_error_remedy: str | None
    last_error_time: str | None
    waiting: tuple[str, ...]  # what `approve` would let through, a line each
