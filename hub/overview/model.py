"""The operator's nouns: frozen, plain, serialisable. Pages, API, terminal, metrics and alerts show these.

* Instants are aware datetimes in UTC; as JSON RFC 3339, whole seconds. Sizes are bytes, rates bytes a second,
  durations seconds. None means: not known.
* States are words of this file; how they are said to a person, and in which language, is `wording`'s part.
* Texts in the node's own words (`Fault.message`) are bounded here and escaped where they are shown.

    fleet.model_dump(mode="json")            # what /api/v1/fleet answers
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

from core.clock import format_instant
from sync.maintenance import Freshness

Instant = Annotated[
    datetime,
    PlainSerializer(format_instant, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

#: How a node stands, the worst first: `WORST_FIRST` is the order of every list.
NodeState = Literal[
    "alarm",  # its witness has raised an alarm that nobody here has acknowledged
    "silent",  # it has not reported for `reports_missed_max` turns
    "trouble",  # it reports a fault of its own or of a dataset
    "stuck",  # something to do, and no byte moved for `stuck_s`
    "behind",  # something to do, and it is being done
    "in sync",
    "no report yet",
    "left",  # by its own word, or replaced by nothing
]
WORST_FIRST: tuple[NodeState, ...] = (
    "alarm",
    "silent",
    "trouble",
    "stuck",
    "no report yet",
    "behind",
    "in sync",
    "left",
)

Severity = Literal["info", "warning", "error"]
Standing = Literal["invited", "pending", "active", "suspended", "revoked", "left"]
Source = Literal["declared", "extracted", "unknown"]

#: What a partner has of a dataset's newest version.
HolderState = Literal[
    "current",  # it acknowledged the newest version
    "behind",  # it may read it and holds an older one, or none yet
    "failed",  # it reports an error about it
    "withheld",  # the owner grants it to see, not to read: nothing is missing
    "not shared",  # the owner grants it nothing
    "not wanted",  # it may read it and does not subscribe
    "ended",  # it holds an older version and may no longer read
    "owner",
]


class View(BaseModel):
    """Something to show. Frozen; unknown members are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(View):
    """Something to say: a `code` of `hub.overview.wording` and what it needs; `wording.say` says it."""

    code: str
    params: dict[str, str | int | None] = {}


class Fault(View):
    """What a node says is wrong. `reason` is the stable word; the texts are the node's own, bounded."""

    branch: str
    reason: str
    message: str
    remedy: str
    since: Instant | None
    about: str = ""


class Attention(View):
    """Something for a person. `urgent` makes `status` exit with 8; `command` is what to run, if it is one."""

    severity: Severity
    urgent: bool
    message: Message
    remedy: Message
    command: str = ""
    partner: str | None = None
    node: str | None = None
    dataset: str | None = None
    decision: bool = False


class Disk(View):
    """A disk of a node or of the hub. `days_left`: until full, as it went lately; None: not filling."""

    name: str
    free_bytes: int
    total_bytes: int
    days_left: float | None = None


class Watch(View):
    """How a node watches its folders."""

    mode: str
    healthy: bool
    last_full_scan: Instant | None
    note: str = ""


class Witnessing(View):
    """What a node has seen of the log."""

    size: int
    read: int
    cosigned: int | None
    note: str = ""


class NodeLine(View):
    """A node in a list. `lag_s`: how long it has lacked the oldest version that it may read and wants."""

    partner: str
    node: str
    state: NodeState
    version: str | None
    last_seen: Instant | None
    lag_s: int | None
    backlog_bytes: int
    rate_bytes_s: int
    clock_offset_s: float | None
    alarms: int
    problems: tuple[Fault, ...]


class NodeView(NodeLine):
    """All that a node's newest report says."""

    started: Instant | None
    certificate_expires: Instant | None
    signing_key_since: Instant | None
    registry_seq: int | None
    registry_behind: int | None
    disks: tuple[Disk, ...]
    watch: Watch | None
    witness: Witnessing | None
    last_error: Fault | None
    publishes: tuple["Work", ...]
    mirrors: tuple["Work", ...]
    omitted: int
    history: tuple["Sample", ...]


class Work(View):
    """A dataset that a node publishes or mirrors, by its own word. `partner`, `node`: whose, where lists mix
    nodes."""

    dataset: str
    state: str
    seq: int | None
    wanted_seq: int | None
    bytes_left: int
    rate_bytes_s: int
    held: int
    skipped: int
    attention: tuple[str, ...]
    error: Fault | None
    partner: str = ""
    node: str = ""


class Sample(View):
    """A point of a node's line."""

    time: Instant
    state: NodeState
    bytes_left: int | None
    rate_bytes_s: int | None
    lag_s: int | None


class PartnerLine(View):
    """A partner in the fleet: the worst of its nodes. `backlog`: the last day in 48 steps, oldest first."""

    partner: str
    names: dict[str, str]
    standing: Standing
    state: NodeState
    lag_s: int | None
    backlog_bytes: int
    rate_bytes_s: int
    last_seen: Instant | None
    backlog: tuple[int | None, ...]
    nodes: tuple[NodeLine, ...]
    datasets: int
    datasets_late: int
    used_bytes: int
    quota_bytes: int | None


class FleetCounts(View):
    """The line at the top."""

    partners: int
    nodes: int
    by_state: dict[NodeState, int]
    datasets: int
    versions: int
    datasets_by_freshness: dict[Freshness, int]
    backlog_bytes: int
    rate_bytes_s: int


class HubView(View):
    """The hub itself."""

    name: str
    federation: str
    running: bool
    version: str
    address: str
    time: Instant
    registry_seq: int
    registry_expires: Instant
    certificate_expires: Instant
    last_backup: Instant | None
    disk: Disk


class FleetView(View):
    """Who is in sync, who is late, what is stuck; the worst first. `revision` moves when anything does."""

    revision: int
    hub: HubView
    counts: FleetCounts
    attention: tuple[Attention, ...]
    partners: tuple[PartnerLine, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is urgent."""
        return not any(each.urgent for each in self.attention)


class PartnerView(View):
    """One partner."""

    line: PartnerLine
    nodes: tuple[NodeView, ...]
    attention: tuple[Attention, ...]
    enrolments: tuple["EnrolmentView", ...]
    datasets: tuple["DatasetLine", ...]
    used: tuple["StoragePoint", ...]


class EnrolmentView(View):
    """An invitation and what became of it. `fingerprint` once a node has joined."""

    number: int
    partner: str
    node: str
    state: str
    invited: Instant
    expires: Instant
    joined: Instant | None
    fingerprint: str | None
    replace: bool


class DatasetLine(View):
    """A dataset in a list. `holders`: how many partners hold the newest version, of `readers` who may."""

    dataset: str
    owner: str
    title: dict[str, str]
    theme: str
    license: str
    seq: int | None
    last_version: Instant | None
    freshness: Freshness
    update_frequency: str | None
    next_due: Instant | None
    files: int
    bytes: int
    withheld: bool
    holders: int
    readers: int
    owner_left: bool


class DatasetPage(View):
    """A page of datasets; `next` goes on."""

    total: int
    lines: tuple[DatasetLine, ...]
    next: str | None


class VersionView(View):
    """One version. `files_delta`, `bytes_delta`: against the one before, all of it for the first.

    `shrunk`: files or bytes fell by more than a fifth.
    """

    seq: int
    id: str
    accepted: Instant
    files: int
    bytes: int
    files_delta: int
    bytes_delta: int
    shrunk: bool
    withheld: bool
    policy_seq: int
    deliveries: int
    acknowledgements: int
    leaf: int


class Holder(View):
    """What one partner's node has of a dataset, and why. `rule`: the uid that decided; `why` in words."""

    partner: str
    node: str | None
    state: HolderState
    seq: int | None
    since: Instant | None
    may_discover: bool
    may_read: bool
    rule: str | None
    why: Message
    error: Fault | None


class RuleView(View):
    """A rule of the newest policy, as a sentence (`text`)."""

    uid: str
    effect: str
    assignee: str
    actions: tuple[str, ...]
    not_before: Instant | None
    not_after: Instant | None
    text: Message


class Footprint(View):
    """Where and when the data are. `bbox`: west, south, east, north in degrees, WGS 84; west > east crosses
    180°."""

    bbox: tuple[float, float, float, float] | None
    bbox_source: Source
    begin: str | None
    end: str | None
    period_source: Source


class DatasetView(View):
    """One dataset."""

    line: DatasetLine
    rights_holder: str
    attribution: str | None
    classification: str | None
    supersedes: str | None
    footprint: Footprint
    policy_seq: int | None
    rules: tuple[RuleView, ...]
    terms: str | None
    versions: tuple[VersionView, ...]
    holders: tuple[Holder, ...]
    attention: tuple[Attention, ...]


class TransferView(View):
    """Content that moves. `bytes_left` by the node's own word."""

    partner: str
    node: str
    dataset: str | None
    direction: Literal["up", "down"]
    started: Instant
    seen: Instant
    bytes_done: int
    bytes_left: int | None
    rate_bytes_s: int
    ended: Instant | None


class TransfersView(View):
    """What moves now, then what ended lately, then what waits."""

    now: tuple[TransferView, ...]
    lately: tuple[TransferView, ...]
    waiting: tuple[Work, ...]


class EventView(View):
    """Something that happened. `leaf`: its place in the log, if it has one; `kind`: what a search takes.

    `user`: who of the pages' users did it; `actor`: else a partner, `hub`, or `operator`, by a command there.
    """

    id: str
    time: Instant
    severity: Severity
    message: Message
    partner: str | None
    node: str | None
    dataset: str | None
    user: str | None
    leaf: int | None
    kind: str = ""
    actor: str | None = None


class EventPage(View):
    """Events, the newest first; `next` goes on."""

    events: tuple[EventView, ...]
    next: str | None


class WitnessLine(View):
    """A node as the hub's witness."""

    name: str
    partner: str
    node: str
    size: int | None
    time: Instant | None
    fresh: bool


class AlarmView(View):
    """A witness's alarm, and what the operator said to it. `open`: the newest report still holds it."""

    partner: str
    node: str
    id: str
    kind: str
    since: str | None
    reported: Instant
    open: bool
    acknowledged_by: str | None
    acknowledged: Instant | None
    reason: str | None
    leaf: int


class LogView(View):
    """The log and its witnesses."""

    origin: str
    leaves: int
    checkpoint_size: int
    checkpoint_time: Instant | None
    root: str | None
    witnesses_fresh: int
    witnesses_seen: int
    witnesses_needed: int
    witnesses: tuple[WitnessLine, ...]
    alarms: tuple[AlarmView, ...]
    leaves_by_type: dict[str, int]


class StoragePoint(View):
    """How much lay on the disk then."""

    time: Instant
    used_bytes: int
    free_bytes: int | None


class OwnerStorage(View):
    """An owner's chunks: as counted against the quota (uncompressed), and on the disk."""

    owner: str
    used_bytes: int
    quota_bytes: int | None
    disk_bytes: int
    packs: int
    history: tuple[StoragePoint, ...]


class StorageView(View):
    """The hub's disk. `fsck`: when it was last run and what it found."""

    disk: Disk
    database_bytes: int
    owners: tuple[OwnerStorage, ...]
    history: tuple[StoragePoint, ...]
    fsck_time: Instant | None
    fsck_problems: int | None
    backups: tuple["BackupView", ...]


class BackupView(View):
    """A backup that was made and verified."""

    time: Instant
    place: str
    snapshot: str
    bytes_added: int
    bytes_total: int
    log_size: int


class MapItem(View):
    """A dataset with a place."""

    dataset: str
    owner: str
    title: dict[str, str]
    theme: str
    freshness: Freshness
    bbox: tuple[float, float, float, float]
    source: Source


class MapView(View):
    """Footprints; `placeless`: how many datasets have none."""

    items: tuple[MapItem, ...]
    placeless: int
