"""The log's messages: what goes out comes back, byte for byte, and what is ill-formed is refused by name."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syncline.v1 import catalogue_pb2, log_pb2, registry_pb2

from core.errors import Corrupt, InvalidInput
from core.limits import LIMITS, Limits
from core.names import DatasetId
from security.tlog.leaf import make_leaf, registry_leaf
from sync.ports import Accepted, CheckpointView, Entries, Evidence, LeafKind, OpenedEntry, ProvenLeaf
from sync.wire import messages as m

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
DATASET = DatasetId("la-dgm/geology-1m")
HEX = "ab" * 32
RAW = b"\xab" * 32
SMALL = Limits(page_count_max=3, note_bytes_max=64, note_signatures_count_max=2, entries_count_max=4)
COMMITMENT = make_leaf({"type": "version"}, bytes(32))[0]
REGISTRY = registry_leaf(HEX)
FIRST = OpenedEntry(3, b"{}", RAW, 1, None, RAW)
SECOND = OpenedEntry(4, b"{}", RAW, 2, HEX, RAW, b"{envelope}")
ANOTHERS = OpenedEntry(6, b'{"v":1}', RAW)
VERSION = ProvenLeaf(LeafKind.VERSION, 7, b"{}", RAW, 0, (RAW, bytes(32)))
STATEMENT = ProvenLeaf(LeafKind.REGISTRY, 0, b"", b"", 1, ())

ROUND_TRIPS: list[tuple[Any, Any, Any]] = [
    (m.checkpoint_request_to_message, m.checkpoint_request_from_message, 0),
    (m.checkpoint_request_to_message, m.checkpoint_request_from_message, 2**53 - 1),
    (m.checkpoint_to_message, m.checkpoint_from_message, CheckpointView(b"note")),
    (m.checkpoint_to_message, m.checkpoint_from_message, CheckpointView(b"note", (b"one", b"two"))),
    (m.consistency_request_to_message, m.consistency_request_from_message, m.ConsistencyRequest(4, 4)),
    (m.consistency_to_message, m.consistency_from_message, (RAW, bytes(32))),
    (m.consistency_to_message, m.consistency_from_message, ()),
    (m.inclusion_request_to_message, m.inclusion_request_from_message, m.InclusionRequest((3, 0, 3), 4)),
    (m.entries_request_to_message, m.entries_request_from_message, m.EntriesRequest(9, 7)),
    (m.opened_to_message, m.opened_from_message, FIRST),
    (m.opened_to_message, m.opened_from_message, SECOND),
    (m.opened_to_message, m.opened_from_message, ANOTHERS),
    (m.evidence_request_to_message, m.evidence_request_from_message, m.EvidenceRequest(DATASET, HEX)),
    (m.evidence_to_message, m.evidence_from_message, Evidence(b"note", (VERSION, STATEMENT))),
    (m.proven_to_message, m.proven_from_message, VERSION),
    (m.proven_to_message, m.proven_from_message, STATEMENT),
    (m.cosignature_to_message, m.cosignature_from_message, b"note"),
    (m.version_accepted_to_message, m.accepted_from_message, Accepted(3, NOW, b"{receipt}")),
    (m.offer_to_message, m.offer_from_message, [b"{one}", b"{two}"]),
    (m.offered_to_message, m.offered_from_message, 4),
    (m.rotation_to_message, m.rotation_from_message, b"{}"),
    (lambda signed: m.rotated_to_message(signed=signed), m.rotated_from_message, True),
    (lambda signed: m.rotated_to_message(signed=signed), m.rotated_from_message, False),
]


@pytest.mark.parametrize(("out", "back", "noun"), ROUND_TRIPS)
def test_nouns_round_trip_through_the_bytes_of_their_message(out: Any, back: Any, noun: Any) -> None:
    assert back(over_the_wire(out(noun))) == noun


def over_the_wire(message: Any) -> Any:
    return type(message).FromString(message.SerializeToString())


def test_proofs_come_back_for_as_many_leaves_as_were_asked_about() -> None:
    message = over_the_wire(m.inclusion_to_message([(RAW,), ()]))
    assert m.inclusion_from_message(message, 2) == [(RAW,), ()]
    for count in (0, 1, 3):
        with pytest.raises(InvalidInput):
            m.inclusion_from_message(message, count)


@given(
    st.lists(st.tuples(st.booleans(), st.binary(min_size=32, max_size=32)), max_size=20), st.integers(0, 99)
)
def test_leaves_come_back_byte_for_byte(kinds: list[tuple[bool, bytes]], first: int) -> None:
    """The tree hashes these bytes: one that came back otherwise would be a false alarm."""
    leaves = tuple(
        registry_leaf(digest.hex()) if is_open else make_leaf({"n": digest.hex()}, digest)[0]
        for is_open, digest in kinds
    )
    entries = Entries(leaves, tuple(OpenedEntry(first + n, b"{}", RAW) for n in range(0, len(leaves), 2)))
    message = over_the_wire(m.entries_to_message(entries))
    assert m.entries_from_message(message, m.EntriesRequest(first, 20)) == entries
    assert len(message.digests) == 33 * len(leaves)


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"{}",
        COMMITMENT[:-1],
        COMMITMENT + b" ",
        COMMITMENT.upper(),
        b'{"commit":"' + b"AB" * 32 + b'","v":1}',
    ],
)
def test_a_leaf_that_would_not_come_back_never_leaves(leaf: bytes) -> None:
    with pytest.raises(Corrupt):
        m.entries_to_message(Entries((leaf,), ()))


def entries(digests: bytes, *opened: OpenedEntry) -> Any:
    return log_pb2.GetEntriesResponse(digests=digests, opened=[m.opened_to_message(each) for each in opened])


def asked_entries(message: Any) -> Entries:
    return m.entries_from_message(message, m.EntriesRequest(3, 4), SMALL)


LEAF = b"\0" + RAW
ILL_FORMED: dict[str, tuple[Any, Any]] = {
    "size_beyond_json": (m.checkpoint_request_from_message, log_pb2.GetCheckpointRequest(min_size=2**60)),
    "no_checkpoint": (m.checkpoint_from_message, log_pb2.GetCheckpointResponse()),
    "huge_checkpoint": (m.checkpoint_from_message, log_pb2.GetCheckpointResponse(checkpoint=bytes(65))),
    "empty_cosigned_note": (
        m.checkpoint_from_message,
        log_pb2.GetCheckpointResponse(checkpoint=b"x", cosigned=[b""]),
    ),
    "too_many_cosigned_notes": (
        m.checkpoint_from_message,
        log_pb2.GetCheckpointResponse(checkpoint=b"x", cosigned=[b"x"] * 3),
    ),
    "consistency_from_size_zero": (
        m.consistency_request_from_message,
        log_pb2.GetConsistencyProofRequest(second_size=3),
    ),
    "consistency_to_size_zero": (m.consistency_request_from_message, log_pb2.GetConsistencyProofRequest()),
    "consistency_backwards": (
        m.consistency_request_from_message,
        log_pb2.GetConsistencyProofRequest(first_size=4, second_size=3),
    ),
    "short_hash": (m.consistency_from_message, log_pb2.GetConsistencyProofResponse(hashes=[bytes(31)])),
    "long_hash": (m.consistency_from_message, log_pb2.GetConsistencyProofResponse(hashes=[bytes(33)])),
    "too_many_hashes": (m.consistency_from_message, log_pb2.GetConsistencyProofResponse(hashes=[RAW] * 65)),
    "no_indices": (m.inclusion_request_from_message, log_pb2.GetInclusionProofRequest(tree_size=3)),
    "too_many_indices": (
        m.inclusion_request_from_message,
        log_pb2.GetInclusionProofRequest(indices=[0] * 4, tree_size=3),
    ),
    "index_beyond_the_tree": (
        m.inclusion_request_from_message,
        log_pb2.GetInclusionProofRequest(indices=[3], tree_size=3),
    ),
    "inclusion_in_the_empty_tree": (
        m.inclusion_request_from_message,
        log_pb2.GetInclusionProofRequest(indices=[0]),
    ),
    "leaf_cut_short": (asked_entries, entries(LEAF[:-1])),
    "leaf_of_no_kind": (asked_entries, entries(b"\2" + RAW)),
    "more_leaves_than_asked": (asked_entries, entries(LEAF * 5)),
    "opening_before_the_leaves": (asked_entries, entries(LEAF, OpenedEntry(2, b"{}", RAW))),
    "opening_after_the_leaves": (asked_entries, entries(LEAF, OpenedEntry(4, b"{}", RAW))),
    "opening_of_no_leaf": (asked_entries, entries(b"", OpenedEntry(3, b"{}", RAW))),
    "opening_twice": (asked_entries, entries(LEAF * 2, FIRST, FIRST)),
    "openings_descend": (asked_entries, entries(LEAF * 2, SECOND, FIRST)),
    "short_nonce": (asked_entries, entries(LEAF, OpenedEntry(3, b"{}", RAW[1:]))),
    "no_record": (asked_entries, entries(LEAF, OpenedEntry(3, b"", RAW))),
    "huge_record": (asked_entries, entries(LEAF, OpenedEntry(3, bytes(LIMITS.payload_bytes_max + 1), RAW))),
    "place_without_salt": (asked_entries, entries(LEAF, OpenedEntry(3, b"{}", RAW, 1))),
    "salt_without_place": (asked_entries, entries(LEAF, OpenedEntry(3, b"{}", RAW, 0, None, RAW))),
    "first_place_with_prev": (asked_entries, entries(LEAF, OpenedEntry(3, b"{}", RAW, 1, HEX, RAW))),
    "second_place_without_prev": (asked_entries, entries(LEAF, OpenedEntry(3, b"{}", RAW, 2, None, RAW))),
    "short_salt": (asked_entries, entries(LEAF, OpenedEntry(3, b"{}", RAW, 1, None, b"x"))),
    "evidence_of_no_dataset": (
        m.evidence_request_from_message,
        log_pb2.GetEvidenceRequest(manifest_sha256=RAW),
    ),
    "evidence_of_no_version": (m.evidence_request_from_message, log_pb2.GetEvidenceRequest(dataset=DATASET)),
    "evidence_without_checkpoint": (m.evidence_from_message, log_pb2.GetEvidenceResponse()),
    "leaf_proven_twice": (
        m.evidence_from_message,
        m.evidence_to_message(Evidence(b"x", (VERSION, VERSION))),
    ),
    "kind_unspecified": (m.proven_from_message, log_pb2.ProvenLeaf(record=b"{}", nonce=RAW)),
    "registry_leaf_with_a_record": (
        m.proven_from_message,
        log_pb2.ProvenLeaf(kind="LEAF_KIND_REGISTRY", registry_seq=1, record=b"{}"),
    ),
    "registry_leaf_with_a_nonce": (
        m.proven_from_message,
        log_pb2.ProvenLeaf(kind="LEAF_KIND_REGISTRY", registry_seq=1, nonce=RAW),
    ),
    "registry_leaf_without_number": (m.proven_from_message, log_pb2.ProvenLeaf(kind="LEAF_KIND_REGISTRY")),
    "version_with_a_registry_number": (
        m.proven_from_message,
        log_pb2.ProvenLeaf(kind="LEAF_KIND_VERSION", record=b"{}", nonce=RAW, registry_seq=1),
    ),
    "version_without_opening": (m.proven_from_message, log_pb2.ProvenLeaf(kind="LEAF_KIND_VERSION")),
    "short_hash_of_a_leaf": (
        m.proven_from_message,
        log_pb2.ProvenLeaf(kind="LEAF_KIND_REGISTRY", registry_seq=1, hashes=[b"x"]),
    ),
    "no_cosignature": (m.cosignature_from_message, log_pb2.AddCosignatureRequest()),
    "huge_cosignature": (m.cosignature_from_message, log_pb2.AddCosignatureRequest(note=bytes(65))),
    "huge_receipt": (
        m.accepted_from_message,
        catalogue_pb2.CommitVersionResponse(accept_time="2026-11-22T13:00:00Z", receipt=bytes(2**21 + 1)),
    ),
    "nothing_offered": (m.offer_from_message, registry_pb2.OfferRegistryRequest()),
    "empty_offer": (m.offer_from_message, registry_pb2.OfferRegistryRequest(envelopes=[b""])),
    "too_much_offered": (m.offer_from_message, registry_pb2.OfferRegistryRequest(envelopes=[b"x"] * 4)),
    "no_newest": (m.offered_from_message, registry_pb2.OfferRegistryResponse()),
    "no_rotation": (m.rotation_from_message, registry_pb2.RotateKeysRequest()),
}


@pytest.mark.parametrize("name", ILL_FORMED)
def test_ill_formed_messages_are_refused(name: str) -> None:
    convert, message = ILL_FORMED[name]
    with pytest.raises(InvalidInput):
        try:
            convert(message, SMALL)
        except TypeError:
            convert(message)


def test_a_question_for_leaves_is_cut_to_what_one_answer_holds() -> None:
    def asked(count: int) -> int:
        return m.entries_request_from_message(log_pb2.GetEntriesRequest(count=count), SMALL).count

    assert [asked(0), asked(2), asked(99)] == [4, 2, 4]


def test_an_answer_of_the_most_leaves_fits_a_message() -> None:
    whole = m.entries_to_message(Entries((COMMITMENT,) * LIMITS.entries_count_max, ()))
    assert whole.ByteSize() < LIMITS.message_bytes_max


def test_an_opening_is_never_larger_than_it_is_counted_for() -> None:
    for opened in (
        FIRST,
        SECOND,
        ANOTHERS,
        OpenedEntry(2**53 - 1, b"{}", RAW, 2**53 - 1, HEX, RAW, b"x" * 9999),
    ):
        message = log_pb2.GetEntriesResponse(opened=[m.opened_to_message(opened)])
        assert message.ByteSize() <= m.opened_bytes(opened)
