"""Messages and nouns: what goes out comes back, and what is ill-formed is refused by name."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from syncline.v1 import catalogue_pb2 as c
from syncline.v1 import content_pb2, enrolment_pb2, fleet_pb2, hub_pb2, log_pb2, registry_pb2

from core.errors import InvalidInput
from core.limits import Limits
from core.names import DatasetId, PartnerId
from sync.ports import (
    Accepted,
    DatasetEntry,
    Explanation,
    HubInfo,
    OrdinalRange,
    PolicyExtract,
    RecipeStream,
    VersionDetail,
)
from sync.wire import messages as m

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
DATASET = DatasetId("la-dgm/geology-1m")
HEX = "ab" * 32
RAW = b"\xab" * 32
SMALL = Limits(page_count_max=3, find_missing_count_max=4, read_ranges_count_max=3)
EXTRACT = PolicyExtract(b"{policy}", b"[]")
ENTRY = DatasetEntry(DATASET, HEX, 3, 2, True, False)
NO_VERSION = DatasetEntry(DatasetId("la-dgm/new"), None, 0, 1, True, False)

ROUND_TRIPS: list[tuple[Any, Any, Any]] = [
    (m.hub_info_to_message, m.hub_info_from_message, HubInfo("mekong", "0.1.0", NOW, 4, 1, 2, 3)),
    (m.status_to_message, m.status_from_message, b"{}"),
    (m.status_time_to_message, m.status_time_from_message, NOW),
    (m.registry_request_to_message, m.registry_request_from_message, m.RegistryRequest(4, 7)),
    (m.policy_to_message, m.policy_from_message, EXTRACT),
    (m.policy_accepted_to_message, m.accepted_from_message, Accepted(0, NOW)),
    (m.version_accepted_to_message, m.accepted_from_message, Accepted(9, NOW)),
    (m.commit_to_message, m.commit_from_message, m.Commit(b"{}", b"root", "r1")),
    (m.commit_to_message, m.commit_from_message, m.Commit(b"{}", None, "")),
    (m.listing_request_to_message, m.listing_request_from_message, m.ListingRequest(5, "t", "e")),
    (m.listing_request_to_message, m.listing_request_from_message, m.ListingRequest(5, "", None)),
    (m.dataset_entry_to_message, m.dataset_entry_from_message, ENTRY),
    (m.dataset_entry_to_message, m.dataset_entry_from_message, NO_VERSION),
    (m.listing_page_to_message, m.listing_page_from_message, m.ListingPage((ENTRY, NO_VERSION), "n", "e")),
    (m.listing_page_to_message, m.listing_page_from_message, m.ListingPage((), "", "e", True)),
    (m.version_request_to_message, m.version_request_from_message, m.VersionRequest(DATASET, HEX)),
    (m.version_to_message, m.version_from_message, VersionDetail(b"{}", EXTRACT, b"root")),
    (m.version_to_message, m.version_from_message, VersionDetail(b"{}", EXTRACT, None)),
    (m.versions_request_to_message, m.chain_request_from_message, m.ChainRequest(DATASET, 2, 9)),
    (m.policies_request_to_message, m.chain_request_from_message, m.ChainRequest(DATASET, 2, 9)),
    (
        m.explain_request_to_message,
        m.explain_request_from_message,
        m.ExplainRequest(DATASET, PartnerId("cn-cgs"), "read"),
    ),
    (m.explanation_to_message, m.explanation_from_message, Explanation(True, "r1", 3, "by rule r1")),
    (m.explanation_to_message, m.explanation_from_message, Explanation(False, None, 0, "no policy")),
    (m.acknowledge_to_message, m.acknowledge_from_message, b"{}"),
    (m.acknowledged_to_message, m.acknowledged_from_message, 12),
    (m.find_missing_to_message, m.find_missing_from_message, [RAW, bytes(32)]),
    (m.durable_to_message, m.durable_from_message, 3),
    (
        m.read_to_message,
        m.read_from_message,
        m.ReadRequest(DATASET, HEX, RecipeStream.TABLE, (OrdinalRange(0, 2), OrdinalRange(2, 1))),
    ),
    (m.join_to_message, m.join_from_message, m.JoinCall(b"{}", bytes(32), b"csr")),
    (m.join_state_to_message, m.join_state_from_message, m.EnrolmentState.PENDING),
    (m.enrolment_query_to_message, m.enrolment_query_from_message, m.EnrolmentQuery(HEX, bytes(32))),
    (m.enrolment_to_message, m.enrolment_from_message, m.Enrolment(m.EnrolmentState.APPROVED, b"pem")),
    (m.enrolment_to_message, m.enrolment_from_message, m.Enrolment(m.EnrolmentState.REJECTED)),
    (m.renew_to_message, m.renew_from_message, m.RenewCall(b"{}", b"csr")),
    (m.renewed_to_message, m.renewed_from_message, b"pem"),
]


@pytest.mark.parametrize(("out", "back", "noun"), ROUND_TRIPS)
def test_nouns_round_trip_through_the_bytes_of_their_message(out: Any, back: Any, noun: Any) -> None:
    message = out(noun)
    again = type(message).FromString(message.SerializeToString())
    assert back(again) == noun


def test_two_part_messages_round_trip() -> None:
    assert m.publish_policy_from_message(m.publish_policy_to_message(EXTRACT, "r")) == (EXTRACT, "r")
    assert m.registry_page_from_message(m.registry_page_to_message([b"{}"], 2)) == ([b"{}"], 2)
    assert m.versions_page_from_message(m.versions_page_to_message([b"{}"], None)) == ([b"{}"], None)
    assert m.policies_page_from_message(m.policies_page_to_message([EXTRACT], 8)) == ([EXTRACT], 8)


def test_every_function_of_the_contract_has_its_converters() -> None:
    """A new call in protos/ cannot be forgotten here: each message is taken or made by some function."""
    used = " ".join(
        str(part)
        for name in m.__all__
        if callable(getattr(m, name))
        for part in getattr(getattr(m, name), "__annotations__", {}).values()
    )
    frames = {"UpdateBlobsRequest", "ReadBlobsResponse"}  # sync.wire.framecodec
    empty = {"GetHubInfoRequest", "WatchChangesRequest", "WatchChangesResponse"}
    nested = {"OrdinalRange", "InclusionProof"}
    modules = (c, content_pb2, enrolment_pb2, fleet_pb2, hub_pb2, log_pb2, registry_pb2)
    names = {name for module in modules for name in module.DESCRIPTOR.message_types_by_name}
    missing = {name for name in names if f".{name}'" not in used and f".{name} " not in used + " "}
    assert missing - frames - empty - nested == set()


def _read(*ranges: tuple[int, int], stream: int = 1, manifest: bytes = RAW) -> Any:
    return content_pb2.ReadBlobsRequest(
        dataset=DATASET,
        manifest_sha256=manifest,
        stream=content_pb2.RecipeStream.Name(stream),
        ranges=[content_pb2.OrdinalRange(first=first, count=count) for first, count in ranges],
    )


ILL_FORMED: dict[str, tuple[Any, Any]] = {
    "short_digest": (
        m.version_request_from_message,
        c.GetVersionRequest(dataset=DATASET, manifest_sha256=b"x"),
    ),
    "no_digest": (m.version_request_from_message, c.GetVersionRequest(dataset=DATASET)),
    "long_digest": (m.read_from_message, _read((0, 1), manifest=bytes(33))),
    "illegal_dataset": (
        m.version_request_from_message,
        c.GetVersionRequest(dataset="../x", manifest_sha256=RAW),
    ),
    "no_dataset": (m.chain_request_from_message, c.ListVersionsRequest(from_seq=1)),
    "seq_zero": (m.chain_request_from_message, c.ListPoliciesRequest(dataset=DATASET)),
    "registry_seq_zero": (m.registry_request_from_message, registry_pb2.ListRegistryRequest()),
    "seq_beyond_json": (m.chain_request_from_message, c.ListVersionsRequest(dataset=DATASET, from_seq=2**60)),
    "empty_envelope": (m.commit_from_message, c.CommitVersionRequest(root=b"x")),
    "huge_envelope": (m.commit_from_message, c.CommitVersionRequest(envelope=bytes(2**21 + 1))),
    "huge_root": (m.commit_from_message, c.CommitVersionRequest(envelope=b"x", root=bytes(2**21 + 1))),
    "no_policy": (m.publish_policy_from_message, c.PublishPolicyRequest()),
    "no_disclosures": (m.policy_from_message, c.PolicyExtract(envelope=b"x")),
    "long_request_id": (m.commit_from_message, c.CommitVersionRequest(envelope=b"x", request_id="x" * 2000)),
    "unknown_action": (
        m.explain_request_from_message,
        c.ExplainAccessRequest(dataset=DATASET, partner="cn-cgs", action="write"),
    ),
    "illegal_partner": (
        m.explain_request_from_message,
        c.ExplainAccessRequest(dataset=DATASET, partner="CN", action="read"),
    ),
    "stream_unspecified": (m.read_from_message, _read((0, 1), stream=0)),
    "no_ranges": (m.read_from_message, _read()),
    "empty_range": (m.read_from_message, _read((0, 0))),
    "overlapping_ranges": (m.read_from_message, _read((0, 2), (1, 1))),
    "descending_ranges": (m.read_from_message, _read((5, 1), (1, 1))),
    "endless_range": (m.read_from_message, _read((0, 2**64 - 1))),
    "too_many_ranges": (m.read_from_message, _read((0, 1), (1, 1), (2, 1), (3, 1))),
    "ids_cut_short": (m.find_missing_from_message, content_pb2.FindMissingBlobsRequest(chunk_ids=bytes(33))),
    "no_ids": (m.find_missing_from_message, content_pb2.FindMissingBlobsRequest()),
    "too_many_ids": (m.find_missing_from_message, content_pb2.FindMissingBlobsRequest(chunk_ids=bytes(160))),
    "state_unspecified": (m.join_state_from_message, enrolment_pb2.JoinResponse()),
    "approved_without_certificate": (
        m.enrolment_from_message,
        enrolment_pb2.GetEnrolmentResponse(state="ENROLMENT_STATE_APPROVED"),
    ),
    "certificate_without_approval": (
        m.enrolment_from_message,
        enrolment_pb2.GetEnrolmentResponse(state="ENROLMENT_STATE_PENDING", certificate_pem=b"x"),
    ),
    "short_token": (m.join_from_message, enrolment_pb2.JoinRequest(envelope=b"x", token=b"x", csr_der=b"x")),
    "no_csr": (m.renew_from_message, enrolment_pb2.RenewRequest(envelope=b"x")),
    "no_certificate": (m.renewed_from_message, enrolment_pb2.RenewResponse()),
    "bad_time": (m.status_time_from_message, fleet_pb2.ReportStatusResponse(time="yesterday")),
    "huge_status": (m.status_from_message, fleet_pb2.ReportStatusRequest(status_json=bytes(2**20))),
    "no_frame_bound": (m.hub_info_from_message, hub_pb2.GetHubInfoResponse(time="2026-11-22T13:00:00Z")),
    "entry_with_id_without_seq": (
        m.dataset_entry_from_message,
        c.DatasetEntry(dataset=DATASET, manifest_sha256=RAW),
    ),
    "entry_with_seq_without_id": (
        m.dataset_entry_from_message,
        c.DatasetEntry(dataset=DATASET, manifest_seq=1),
    ),
    "unsorted_listing": (
        m.listing_page_from_message,
        m.listing_page_to_message(m.ListingPage((NO_VERSION, ENTRY), "", "e")),
    ),
    "repeated_listing": (
        m.listing_page_from_message,
        m.listing_page_to_message(m.ListingPage((ENTRY, ENTRY), "", "e")),
    ),
    "unchanged_with_entries": (
        m.listing_page_from_message,
        m.listing_page_to_message(m.ListingPage((ENTRY,), "", "e", True)),
    ),
    "page_too_long": (m.versions_page_from_message, c.ListVersionsResponse(envelopes=[b"x"] * 4)),
    "empty_envelope_in_page": (m.versions_page_from_message, c.ListVersionsResponse(envelopes=[b""])),
}


@pytest.mark.parametrize("name", ILL_FORMED)
def test_ill_formed_messages_are_refused(name: str) -> None:
    convert, message = ILL_FORMED[name]
    with pytest.raises(InvalidInput):
        try:
            convert(message, SMALL)
        except TypeError:
            convert(message)


def test_page_size_zero_asks_for_the_default_and_more_is_cut() -> None:
    def asked(size: int) -> int:
        return m.chain_request_from_message(
            c.ListVersionsRequest(dataset=DATASET, from_seq=1, page_size=size), SMALL
        ).page_size

    assert [asked(0), asked(2), asked(99)] == [3, 2, 3]


@pytest.mark.parametrize("count", [1, 7, 8, 9, 64, 65])
def test_missing_bits_round_trip_at_byte_borders(count: int) -> None:
    for missing in ([True] * count, [False] * count, [i % 3 == 0 for i in range(count)]):
        assert m.missing_from_message(m.missing_to_message(missing), count) == missing


@pytest.mark.parametrize(("bits", "count"), [(b"", 1), (b"\0\0", 8), (b"\x02", 1), (b"\0\xf0", 12)])
def test_missing_bits_of_a_wrong_length_are_refused(bits: bytes, count: int) -> None:
    with pytest.raises(InvalidInput):
        m.missing_from_message(content_pb2.FindMissingBlobsResponse(missing_bits=bits), count)


def test_hex_that_is_not_a_digest_never_leaves() -> None:
    for text in ("", "zz" * 32, "ab" * 31):
        with pytest.raises(InvalidInput):
            m.version_request_to_message(replace(m.VersionRequest(DATASET, HEX), manifest_id=text))
