"""LogService: checkpoints, proofs, leaves with their openings, evidence, cosignatures.

A leaf travels as 33 bytes, a kind and a digest; its own bytes, canonical JSON, are made again here
(docs/formats/leaf.md). Notes, records and envelopes stay opaque, bounded, unverified.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from syncline.v1 import log_pb2

from core.errors import Corrupt
from core.limits import LIMITS, Limits
from core.names import DatasetId, check_dataset
from sync.ports import CheckpointView, Entries, Evidence, LeafKind, OpenedEntry, ProvenLeaf
from sync.wire.messages.checks import (
    DIGEST_BYTES,
    bounded,
    counted,
    digest_checked,
    digest_from_message,
    digest_to_message,
    envelope_from_message,
    ill_formed,
)

LEAF_BYTES = 1 + DIGEST_BYTES
#: A proof in a tree of up to 2**53 leaves has no more.
PROOF_HASHES_MAX = 64
#: A leaf's bytes around its digest in hex, by its kind on the wire.
_LEAVES = {0: (b'{"commit":"', b'","v":1}'), 1: (b'{"registry":"', b'","v":1}')}


@dataclass(frozen=True, slots=True)
class ConsistencyRequest:
    """GetConsistencyProof: 1 ≤ `first_size` ≤ `second_size`."""

    first_size: int
    second_size: int


@dataclass(frozen=True, slots=True)
class InclusionRequest:
    """GetInclusionProof: each index stands below `tree_size`."""

    indices: tuple[int, ...]
    tree_size: int


@dataclass(frozen=True, slots=True)
class EntriesRequest:
    """GetEntries: `count` is bounded, never 0."""

    first_index: int
    count: int


@dataclass(frozen=True, slots=True)
class EvidenceRequest:
    """GetEvidence: one version of one dataset."""

    dataset: DatasetId
    manifest_id: str


def checkpoint_request_to_message(min_size: int) -> log_pb2.GetCheckpointRequest:
    """Client side of GetCheckpoint."""
    return log_pb2.GetCheckpointRequest(min_size=min_size)


def checkpoint_request_from_message(message: log_pb2.GetCheckpointRequest) -> int:
    """Server side of GetCheckpoint: the size to wait for; 0 does not wait."""
    return counted(message.min_size, "min_size")


def checkpoint_to_message(view: CheckpointView) -> log_pb2.GetCheckpointResponse:
    """Server side: the newest checkpoint."""
    return log_pb2.GetCheckpointResponse(checkpoint=view.note, cosigned=view.cosigned)


def checkpoint_from_message(
    message: log_pb2.GetCheckpointResponse, limits: Limits = LIMITS
) -> CheckpointView:
    """Client side: notes, bounded, not yet verified."""
    counted(len(message.cosigned), "the number of cosigned notes", 0, limits.note_signatures_count_max)
    return CheckpointView(
        _note(message.checkpoint, "checkpoint", limits),
        tuple(_note(note, "a cosigned note", limits) for note in message.cosigned),
    )


def consistency_request_to_message(request: ConsistencyRequest) -> log_pb2.GetConsistencyProofRequest:
    """Client side of GetConsistencyProof."""
    return log_pb2.GetConsistencyProofRequest(first_size=request.first_size, second_size=request.second_size)


def consistency_request_from_message(message: log_pb2.GetConsistencyProofRequest) -> ConsistencyRequest:
    """Server side of GetConsistencyProof."""
    second = counted(message.second_size, "second_size", 1)
    return ConsistencyRequest(counted(message.first_size, "first_size", 1, second), second)


def consistency_to_message(hashes: Sequence[bytes]) -> log_pb2.GetConsistencyProofResponse:
    """Server side: the proof."""
    return log_pb2.GetConsistencyProofResponse(hashes=hashes)


def consistency_from_message(message: log_pb2.GetConsistencyProofResponse) -> tuple[bytes, ...]:
    """Client side: the proof, not yet verified."""
    return _hashes(message.hashes)


def inclusion_request_to_message(request: InclusionRequest) -> log_pb2.GetInclusionProofRequest:
    """Client side of GetInclusionProof."""
    return log_pb2.GetInclusionProofRequest(indices=request.indices, tree_size=request.tree_size)


def inclusion_request_from_message(
    message: log_pb2.GetInclusionProofRequest, limits: Limits = LIMITS
) -> InclusionRequest:
    """Server side of GetInclusionProof."""
    size = counted(message.tree_size, "tree_size", 1)
    counted(len(message.indices), "the number of indices", 1, limits.page_count_max)
    return InclusionRequest(tuple(counted(i, "an index", 0, size - 1) for i in message.indices), size)


def inclusion_to_message(proofs: Sequence[Sequence[bytes]]) -> log_pb2.GetInclusionProofResponse:
    """Server side: a proof for each index."""
    return log_pb2.GetInclusionProofResponse(
        proofs=[log_pb2.InclusionProof(hashes=hashes) for hashes in proofs]
    )


def inclusion_from_message(
    message: log_pb2.GetInclusionProofResponse, asked_count: int
) -> list[tuple[bytes, ...]]:
    """Client side: a proof for each of the `asked_count` indices, not yet verified."""
    if len(message.proofs) != asked_count:
        raise ill_formed(f"{len(message.proofs)} proofs for {asked_count} indices")
    return [_hashes(proof.hashes) for proof in message.proofs]


def entries_request_to_message(request: EntriesRequest) -> log_pb2.GetEntriesRequest:
    """Client side of GetEntries."""
    return log_pb2.GetEntriesRequest(first_index=request.first_index, count=request.count)


def entries_request_from_message(
    message: log_pb2.GetEntriesRequest, limits: Limits = LIMITS
) -> EntriesRequest:
    """Server side of GetEntries: more than one answer holds is cut, as 0 is."""
    most = limits.entries_count_max
    return EntriesRequest(counted(message.first_index, "first_index"), min(message.count or most, most))


def entries_to_message(entries: Entries) -> log_pb2.GetEntriesResponse:
    """Server side: leaves and openings."""
    return log_pb2.GetEntriesResponse(
        digests=b"".join(_leaf_to_wire(leaf) for leaf in entries.leaves),
        opened=[opened_to_message(opened) for opened in entries.opened],
    )


def entries_from_message(
    message: log_pb2.GetEntriesResponse, asked: EntriesRequest, limits: Limits = LIMITS
) -> Entries:
    """Client side: leaves as their bytes; openings ascend and are of these leaves, not yet verified."""
    joined = message.digests
    count, rest = divmod(len(joined), LEAF_BYTES)
    if rest:
        raise ill_formed(f"digests is not a whole number of {LEAF_BYTES}-byte leaves")
    counted(count, "the number of leaves", 0, asked.count)
    leaves = tuple(_leaf_from_wire(joined[at : at + LEAF_BYTES]) for at in range(0, len(joined), LEAF_BYTES))
    opened: list[OpenedEntry] = []
    least, end = asked.first_index, asked.first_index + count
    for given in message.opened:
        counted(given.index, "the index of an opening", least, end - 1)
        opened.append(opened_from_message(given, limits))
        least = given.index + 1
    return Entries(leaves, tuple(opened))


def opened_to_message(opened: OpenedEntry) -> log_pb2.OpenedEntry:
    """A leaf's opening."""
    return log_pb2.OpenedEntry(
        index=opened.index,
        record=opened.record,
        nonce=opened.nonce,
        lane_n=opened.lane_n,
        lane_prev=b"" if opened.lane_prev is None else digest_to_message(opened.lane_prev),
        lane_salt=opened.lane_salt or b"",
        statement=opened.statement or b"",
    )


def opened_from_message(message: log_pb2.OpenedEntry, limits: Limits = LIMITS) -> OpenedEntry:
    """A leaf's opening: a place in the lane has its salt, and all but the first what stands before."""
    n = counted(message.lane_n, "lane_n")
    if bool(message.lane_salt) != (n > 0) or bool(message.lane_prev) != (n > 1):
        raise ill_formed(f"lane place {n} with lane_prev or lane_salt missing or too many")
    return OpenedEntry(
        index=counted(message.index, "index"),
        record=_record(message.record, limits),
        nonce=digest_checked(message.nonce, "nonce"),
        lane_n=n,
        lane_prev=digest_from_message(message.lane_prev, "lane_prev") if n > 1 else None,
        lane_salt=digest_checked(message.lane_salt, "lane_salt") if n else None,
        statement=envelope_from_message(message.statement, limits) if message.statement else None,
    )


def opened_bytes(opened: OpenedEntry) -> int:
    """At most what an opening takes in a message."""
    return len(opened.record) + len(opened.statement or b"") + 5 * DIGEST_BYTES


def evidence_request_to_message(request: EvidenceRequest) -> log_pb2.GetEvidenceRequest:
    """Client side of GetEvidence."""
    return log_pb2.GetEvidenceRequest(
        dataset=request.dataset, manifest_sha256=digest_to_message(request.manifest_id)
    )


def evidence_request_from_message(message: log_pb2.GetEvidenceRequest) -> EvidenceRequest:
    """Server side of GetEvidence."""
    return EvidenceRequest(
        check_dataset(message.dataset), digest_from_message(message.manifest_sha256, "manifest_sha256")
    )


def evidence_to_message(evidence: Evidence) -> log_pb2.GetEvidenceResponse:
    """Server side: checkpoint and proven leaves."""
    return log_pb2.GetEvidenceResponse(
        checkpoint=evidence.checkpoint, leaves=[proven_to_message(leaf) for leaf in evidence.leaves]
    )


def evidence_from_message(message: log_pb2.GetEvidenceResponse, limits: Limits = LIMITS) -> Evidence:
    """Client side: no leaf twice; not yet verified."""
    leaves = tuple(proven_from_message(leaf, limits) for leaf in message.leaves)
    if len({leaf.index for leaf in leaves}) != len(leaves):
        raise ill_formed("a leaf is proven twice")
    return Evidence(_note(message.checkpoint, "checkpoint", limits), leaves)


def proven_to_message(leaf: ProvenLeaf) -> log_pb2.ProvenLeaf:
    """A leaf with its opening and its proof."""
    return log_pb2.ProvenLeaf(
        kind=log_pb2.LeafKind.Name(leaf.kind.value),
        index=leaf.index,
        record=leaf.record,
        nonce=leaf.nonce,
        registry_seq=leaf.registry_seq,
        hashes=leaf.hashes,
    )


def proven_from_message(message: log_pb2.ProvenLeaf, limits: Limits = LIMITS) -> ProvenLeaf:
    """A leaf with its proof: a registry's has a number, and every other its opening."""
    try:
        kind = LeafKind(message.kind)
    except ValueError:
        raise ill_formed(f"kind {message.kind} is not one of {[k.name for k in LeafKind]}") from None
    index, hashes = counted(message.index, "index"), _hashes(message.hashes)
    if kind is LeafKind.REGISTRY:
        if message.record or message.nonce:
            raise ill_formed("the leaf of a registry statement has no opening")
        return ProvenLeaf(kind, index, b"", b"", counted(message.registry_seq, "registry_seq", 1), hashes)
    counted(message.registry_seq, "registry_seq", 0, 0)
    nonce = digest_checked(message.nonce, "nonce")
    return ProvenLeaf(kind, index, _record(message.record, limits), nonce, 0, hashes)


def cosignature_to_message(note: bytes) -> log_pb2.AddCosignatureRequest:
    """Client side of AddCosignature."""
    return log_pb2.AddCosignatureRequest(note=note)


def cosignature_from_message(message: log_pb2.AddCosignatureRequest, limits: Limits = LIMITS) -> bytes:
    """Server side of AddCosignature: the note, not yet verified."""
    return _note(message.note, "note", limits)


def cosigned_to_message() -> log_pb2.AddCosignatureResponse:
    """Server side: the cosignature is kept."""
    return log_pb2.AddCosignatureResponse()


def _note(raw: bytes, what: str, limits: Limits) -> bytes:
    return bounded(raw, what, 1, limits.note_bytes_max)


def _record(raw: bytes, limits: Limits) -> bytes:
    return bounded(raw, "record", 2, limits.payload_bytes_max)


def _hashes(hashes: Sequence[bytes]) -> tuple[bytes, ...]:
    counted(len(hashes), "the number of hashes", 0, PROOF_HASHES_MAX)
    return tuple(digest_checked(raw, "a hash") for raw in hashes)


def _leaf_to_wire(leaf: bytes) -> bytes:
    for kind, (start, end) in _LEAVES.items():
        if leaf.startswith(start) and len(leaf) == len(start) + 2 * DIGEST_BYTES + len(end):
            raw = bytes([kind]) + bytes.fromhex(leaf[len(start) : -len(end)].decode("ascii"))
            if _leaf_from_wire(raw) == leaf:
                return raw
    raise Corrupt("a leaf of the log is neither a commitment nor a registry statement's")


def _leaf_from_wire(raw: bytes) -> bytes:
    around = _LEAVES.get(raw[0])
    if around is None:
        raise ill_formed(f"a leaf has the unknown kind {raw[0]}")
    return around[0] + raw[1:].hex().encode("ascii") + around[1]
