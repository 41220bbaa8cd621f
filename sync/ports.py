"""The seams of the exchange: what a node asks of a hub, and what both ask of a chunk store.

Nouns here are plain and frozen, free of protobuf and of I/O. `node/hub_client` implements `HubApi`
over gRPC, `tests/simulation` implements it in one process with faults; the node's engines know
only the protocol. Every method may raise any branch of `core.errors.SynclineError`; `Unavailable`
is the one that a caller retries.

`ChunkStore` is implemented by packs on a filesystem and in memory; one contract suite tests all.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from core.names import DatasetId, PartnerId

ChunkId = bytes
"""BLAKE3 of a chunk's uncompressed bytes, 32 bytes."""


class RecipeStream(Enum):
    """The lists of chunks that a recipe's root names, and the content that they describe."""

    INVENTORY = 1
    LAYOUT = 2
    TABLE = 3
    CONTENT = 4


@dataclass(frozen=True, slots=True)
class HubInfo:
    """What `GetHubInfo` says. `time` is the hub's clock.

    `used_bytes` is what the caller's partner keeps here, of `quota_bytes` (None: no quota).
    """

    federation: str
    version: str
    time: datetime
    registry_seq: int
    frame_bytes_max: int
    find_missing_count_max: int
    read_ranges_count_max: int
    used_bytes: int = 0
    quota_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class PolicyExtract:
    """A policy's envelope with the disclosures (JSON array of {"rule", "salt"}) that a caller may have."""

    envelope: bytes
    disclosures: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """The hub has recorded a statement: the leaf's index in its log and its time of acceptance.

    `receipt` is the hub's signed word for it (docs/formats/receipt.md), given for versions.
    """

    leaf_index: int
    accept_time: datetime
    receipt: bytes | None = None


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """One dataset in a listing, as its caller may see it. `manifest_id` is hex SHA-256, None before a first
    version.
    """

    dataset: DatasetId
    manifest_id: str | None
    manifest_seq: int
    policy_seq: int
    may_read: bool
    has_content: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """All that the caller may discover, by dataset id, with the etag of exactly this view."""

    entries: tuple[DatasetEntry, ...]
    etag: str


@dataclass(frozen=True, slots=True)
class VersionDetail:
    """One version: envelope, the caller's policy extract and, with `read`, the recipe's root."""

    envelope: bytes
    policy: PolicyExtract
    root: bytes | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision in words: the deciding rule (None when none matches) and policy (0 when none)."""

    allowed: bool
    rule_uid: str | None
    policy_seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class OrdinalRange:
    """`count` consecutive chunks from place `first` (from 0) in a recipe's stream."""

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class CheckpointView:
    """The log's newest checkpoint as a signed note with all its cosignatures. `cosigned`: notes of earlier
    ones, with the cosignatures of witnesses that have cosigned none later.
    """

    note: bytes
    cosigned: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenedEntry:
    """A leaf's opening. `lane_n` 0: not in the caller's lane. `statement`: the recorded envelope, for
    acknowledgements of the caller's datasets.
    """

    index: int
    record: bytes
    nonce: bytes
    lane_n: int = 0
    lane_prev: str | None = None
    lane_salt: bytes | None = None
    statement: bytes | None = None


@dataclass(frozen=True, slots=True)
class Entries:
    """Consecutive leaves as their bytes, and the openings among them that the caller may have."""

    leaves: tuple[bytes, ...]
    opened: tuple[OpenedEntry, ...]


class LeafKind(Enum):
    """What a proven leaf records."""

    VERSION = 1
    POLICY = 2
    DELIVERY = 3
    REGISTRY = 4


@dataclass(frozen=True, slots=True)
class ProvenLeaf:
    """A leaf's opening and its proof of inclusion. Registry leaves are open: `record` and `nonce` are empty
    and `registry_seq` says which statement.
    """

    kind: LeafKind
    index: int
    record: bytes
    nonce: bytes
    registry_seq: int
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that proves one version to the caller, under one checkpoint (a signed note with cosignatures)."""

    checkpoint: bytes
    leaves: tuple[ProvenLeaf, ...]


class HubApi(Protocol):
    """What an enrolled node may ask. The caller's identity is the connection's, never an argument."""

    def get_hub_info(self) -> HubInfo: ...

    def list_registry(self, from_seq: int) -> Sequence[bytes]:
        """Registry envelopes from `from_seq` (≥ 1) to the newest, in order."""
        ...

    def publish_policy(self, policy: PolicyExtract) -> Accepted: ...

    def commit_version(self, envelope: bytes, root: bytes | None) -> Accepted:
        """Commit a manifest. `root` None withholds the bytes; the same envelope with a root adds them.

        Raises `Conflict` (reason FENCED) when `prev` is not the head, `Unavailable` (reason
        MISSING_CHUNKS) when chunks that the recipe names are not at the hub.
        """
        ...

    def list_datasets(self, if_none_match: str | None) -> Listing | None:
        """The whole listing, or None when it still is the one of that etag."""
        ...

    def get_version(self, dataset: DatasetId, manifest_id: str) -> VersionDetail: ...

    def list_versions(self, dataset: DatasetId, from_seq: int) -> Iterator[bytes]:
        """Manifest envelopes in order, from `from_seq` to the newest."""
        ...

    def list_policies(self, dataset: DatasetId, from_seq: int) -> Iterator[PolicyExtract]:
        """Policies in order, from `from_seq` to the newest, each with the caller's disclosures."""
        ...

    def explain_access(self, dataset: DatasetId, partner: PartnerId, action: str) -> Explanation: ...

    def acknowledge(self, envelope: bytes) -> int:
        """Record an acknowledgement; its leaf's index."""
        ...

    def find_missing(self, ids: Sequence[ChunkId]) -> Sequence[bool]:
        """For each id (at most `find_missing_count_max`), whether the hub lacks it for this owner."""
        ...

    def update_blobs(self, frames: Iterator[bytes]) -> Iterator[int]:
        """Send frames; yields how many, counted from the stream's start, are durable (ascending)."""
        ...

    def read_blobs(
        self, dataset: DatasetId, manifest_id: str, stream: RecipeStream, ranges: Sequence[OrdinalRange]
    ) -> Iterator[memoryview | bytes]:
        """Frames with the chunks of `ranges`, in that order."""
        ...

    def watch_changes(self) -> AbstractContextManager[Iterator[None]]:
        """The doorbell: yields None once at the start and whenever something may have changed."""
        ...

    def report_status(self, status_json: bytes) -> datetime:
        """Leave a report; the hub's time."""
        ...

    def offer_registry(self, envelopes: Sequence[bytes]) -> int:
        """Give a restored hub the registry statements that it lacks; the number of its newest."""
        ...

    def rotate_keys(self, envelope: bytes) -> bool:
        """Ask for other signing keys; whether the registry lists them already."""
        ...

    def leave(self, envelope: bytes) -> bool:
        """Leave the federation; whether this was the partner's last node. Nothing can be called after it."""
        ...

    def get_checkpoint(self, min_size: int = 0) -> CheckpointView:
        """The newest checkpoint; waits some seconds for one of `min_size`, and gives what there is then."""
        ...

    def get_consistency_proof(self, first_size: int, second_size: int) -> Sequence[bytes]:
        """RFC 6962's proof between two sizes (1 ≤ first ≤ second). Raises `InvalidInput` beyond the newest
        checkpoint (OUT_OF_RANGE).
        """
        ...

    def get_inclusion_proofs(self, indices: Sequence[int], tree_size: int) -> Sequence[Sequence[bytes]]:
        """RFC 6962's proof for each index in the tree of that size."""
        ...

    def get_entries(self, first_index: int, count: int) -> Entries:
        """Up to `count` leaves (at most `entries_count_max`) from an index on, never beyond the newest
        checkpoint.
        """
        ...

    def get_evidence(self, dataset: DatasetId, manifest_id: str) -> Evidence:
        """All that proves a version to the caller. Waits some seconds for a checkpoint that covers it.

        Raises `Unavailable` (reason NOT_COVERED) when none comes.
        """
        ...

    def add_cosignature(self, note: bytes) -> None:
        """Give the hub this witness's cosignature: the checkpoint's note with that signature alone."""
        ...


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as it is stored and sent: `codec` 0 raw or 1 zstd; `data` is `stored` bytes, `raw_bytes` when
    decoded.
    """

    id: ChunkId
    codec: int
    raw_bytes: int
    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Removed:
    """What a sweep has removed: chunks, and their uncompressed bytes."""

    chunks: int
    raw_bytes: int


class Sweep(Protocol):
    """Removes old chunks that nothing needs: first `keep`, then `choose`, then, while the caller lets nobody
    come to need more, `keep` what has come to be needed meanwhile, and `remove`."""

    def keep(self, ids: Iterable[ChunkId]) -> None:
        """These stay."""
        ...

    def choose(self, before: datetime) -> int:
        """Choose what was last put before then and is not kept; how many. What was put again counts from
        then.

        Raises `Corrupt` (MISSING_KEPT) when something that is to be kept is not in the store.
        """
        ...

    def remove(self) -> Removed:
        """Remove what was chosen, but what was kept or put since; it is `missing` from now on."""
        ...


class ChunkStore(Protocol):
    """Chunks of one owner. Ids are checked against the decoded bytes on the way in and on the way out."""

    def missing(self, ids: Sequence[ChunkId]) -> list[bool]:
        """For each id, whether it is not here."""
        ...

    def put(self, chunks: Iterable[StoredChunk], *, raw_bytes_max: int | None = None) -> None:
        """Append chunks; durable only after `commit`. Chunks that are here already are passed over.

        With `raw_bytes_max` all or none: what would make `raw_bytes` exceed it is refused. Raises `Corrupt`
        when decoded bytes do not have the id, `Denied` (QUOTA_EXCEEDED), `Unavailable` (reason DISK_FULL).
        """
        ...

    def commit(self) -> None:
        """Make everything put so far durable and findable: pack fsync, then index."""
        ...

    def get(self, ids: Sequence[ChunkId]) -> Iterator[StoredChunk]:
        """The chunks in the order asked, as stored (not decoded). Raises `Corrupt`, or `Unavailable` when one
        is missing.
        """
        ...

    def raw_bytes(self) -> int:
        """The uncompressed bytes of all chunks that were put, durable or not yet."""
        ...

    def sweep(self) -> AbstractContextManager["Sweep"]:
        """Begin to remove what nothing needs. One at a time."""
        ...

    def verify(self) -> Iterator[str]:
        """Re-read every stored byte; yields a line for each thing that is wrong."""
        ...

    def close(self) -> None: ...
