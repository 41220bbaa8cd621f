"""The model that every evidence is read into: a mirror, a bundle, in a folder or a zip file.

    for dossier, findings in load_all(path, trust):        # audit.load; `load` where there must be one
        for record in dossier.records: record.type, record.time, record.actor
        for dataset in dossier.datasets: dataset.dataset, dataset.versions, dataset.policies

Rules: only `audit.load` makes these. What stands in a dossier holds as far as its findings say; what did not
hold is left out, and a finding says so. `Collection`s may be long: iterate them, in the order given, as
often as needed; never make a list of them. Files stay where they are and are opened when asked for.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from core.names import DatasetId, PartnerId
from security.policy import VerifiedPolicy
from security.registry import VerifiedRegistry
from sync.acknowledgement import VerifiedAcknowledgement
from sync.manifest import VerifiedManifest

MIRROR = "mirror"
BUNDLE = "bundle"

Position = tuple[int, int]
"""(number of the log in `logs[]`, index in it): ascends with time, also across continued logs."""


class StoredFile(Protocol):
    """A file of the evidence, on a disk or in a zip file."""

    @property
    def name(self) -> str:
        """Its path within the evidence."""
        ...

    def open(self) -> AbstractContextManager[BinaryIO]:
        """Its bytes, as a stream. Raises `Unavailable` when it is not there."""
        ...


@dataclass(frozen=True, slots=True)
class LogCheckpoint:
    """The checkpoint under which all proofs stand; `note` is it with every signature, as it was stored."""

    origin: str
    size: int
    root: bytes
    note: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WitnessSeen:
    """A witness of the registry whose cosignature holds: `<federation>/<partner>/<node>`, and when."""

    name: str
    partner: PartnerId
    node: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LanePlace:
    """A record's opened place in its owner's lane: `n` counts the owner's records from 1."""

    owner: PartnerId
    n: int
    prev: str | None


@dataclass(frozen=True, slots=True)
class LoggedRecord:
    """A record whose opening fits its leaf and whose leaf is in the tree. `lane` None: not opened to us.

    `type` is one of policy, version, delivery, acknowledgement, act, refusals, alarm.
    """

    index: int
    position: Position
    record: Mapping[str, Any] = field(repr=False)
    type: str
    time: datetime
    actor: str
    object: str
    statement_sha256: str | None
    detail: Mapping[str, Any]
    lane: LanePlace | None
    leaf: bytes = field(default=b"", repr=False)

    @property
    def partner(self) -> str:
        """Whom the record is about: the recipient of a delivery, else who acted."""
        said = self.detail.get("partner")
        return said if self.type == "delivery" and isinstance(said, str) else self.actor


@dataclass(frozen=True, slots=True)
class VersionReceipt:
    """The hub's signed word that it accepted the version, at a place in its log."""

    log: str
    leaf_index: int
    accept_time: datetime
    envelope: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class VersionDossier:
    """A version: its manifest, its inventory, and where its bytes stand, if they travel along.

    `record` is the leaf that records it, None where that is not at hand. `content` is the folder of the bytes
    on a disk; None when they are not there, or within a zip file (`has_content` says).
    """

    manifest: VerifiedManifest
    inventory: StoredFile
    has_content: bool
    content: Path | None = None
    record: LoggedRecord | None = None
    receipt: VersionReceipt | None = None


@dataclass(frozen=True, slots=True)
class LoggedAcknowledgement:
    """A subscriber's acknowledgement, and the index of the leaf that records it."""

    index: int
    verified: VerifiedAcknowledgement


@dataclass(frozen=True, slots=True)
class DatasetDossier:
    """What is at hand about a dataset. `versions` and `policies` ascend by `seq`.

    A policy's `rules` are those disclosed here: all of them when they are as many as its `rule_digests`.
    `policy_positions` says, by policy id, where the log records it.
    """

    dataset: DatasetId
    versions: tuple[VersionDossier, ...]
    policies: tuple[VerifiedPolicy, ...]
    policy_positions: Mapping[str, Position] = field(default_factory=dict[str, Position])
    acknowledgements: Collection[LoggedAcknowledgement] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """What a bundle was made to hold. `audience` is a partner's id or an auditor's name.

    `lanes` are the partners whose lanes are opened whole, up to `tree_size`; `since` what was left out.
    """

    federation: str
    audience: str
    lanes: tuple[PartnerId, ...]
    datasets: tuple[DatasetId, ...]
    since: datetime | None
    log: str
    tree_size: int


@dataclass(frozen=True, slots=True)
class Dossier:
    """Evidence at `path`. `kind` is `mirror` or `bundle`; `scope` belongs to bundles alone.

    `registry_positions` says, by the statement's number, where the log records it. `whole_lanes` are the
    lanes that were found whole, from their first record on, without a gap; `whole_log` that every leaf of the
    tree is accounted for. Only then may it be said what was not logged. `prefix_root(size)` is the root of
    the tree of the first `size` leaves, where this evidence shows it.
    """

    path: Path
    kind: str
    federation: str | None
    registries: tuple[VerifiedRegistry, ...]
    registry_positions: Mapping[int, Position] = field(default_factory=dict[int, Position])
    checkpoint: LogCheckpoint | None = None
    cosigned: tuple[WitnessSeen, ...] = ()
    witnesses_known: int = 0
    quorum: int = 0
    records: Collection[LoggedRecord] = ()
    whole_lanes: tuple[PartnerId, ...] = ()
    whole_log: bool = False
    datasets: tuple[DatasetDossier, ...] = ()
    scope: Scope | None = None
    prefix_root: Callable[[int], bytes | None] = field(default=lambda _: None, repr=False, compare=False)
