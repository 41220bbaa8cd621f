"""CatalogueService, downwards: what a caller may see."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from syncline.v1 import catalogue_pb2

from core.limits import LIMITS, Limits
from core.names import DatasetId, PartnerId, check_dataset, check_partner
from sync.ports import DatasetEntry, Explanation, PolicyExtract, VersionDetail
from sync.wire.messages.checks import (
    bounded,
    counted,
    digest_from_message,
    digest_to_message,
    envelope_from_message,
    ill_formed,
    next_seq_of,
    page_of,
    page_size_of,
    short,
)
from sync.wire.messages.statements import policy_from_message, policy_to_message


@dataclass(frozen=True, slots=True)
class VersionRequest:
    """GetVersion: one version of one dataset."""

    dataset: DatasetId
    manifest_id: str


@dataclass(frozen=True, slots=True)
class ChainRequest:
    """ListVersions, ListPolicies: a dataset's chain from `from_seq`; `page_size` is bounded, never 0."""

    dataset: DatasetId
    from_seq: int
    page_size: int


@dataclass(frozen=True, slots=True)
class ListingRequest:
    """ListDatasets: a page of the caller's view."""

    page_size: int
    page_token: str
    if_none_match: str | None


@dataclass(frozen=True, slots=True)
class ListingPage:
    """A page of the caller's view; `unchanged` when it still is what `if_none_match` named."""

    entries: tuple[DatasetEntry, ...]
    next_page_token: str
    etag: str
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """ExplainAccess: `action` is `discover` or `read`."""

    dataset: DatasetId
    partner: PartnerId
    action: str


def listing_request_to_message(request: ListingRequest) -> catalogue_pb2.ListDatasetsRequest:
    """Client side of ListDatasets."""
    return catalogue_pb2.ListDatasetsRequest(
        page_size=request.page_size, page_token=request.page_token, if_none_match=request.if_none_match or ""
    )


def listing_request_from_message(
    message: catalogue_pb2.ListDatasetsRequest, limits: Limits = LIMITS
) -> ListingRequest:
    """Server side of ListDatasets."""
    return ListingRequest(
        page_size_of(message.page_size, limits),
        short(message.page_token, "page_token"),
        short(message.if_none_match, "if_none_match") or None,
    )


def dataset_entry_to_message(entry: DatasetEntry) -> catalogue_pb2.DatasetEntry:
    """One dataset of a listing."""
    return catalogue_pb2.DatasetEntry(
        dataset=entry.dataset,
        manifest_sha256=b"" if entry.manifest_id is None else digest_to_message(entry.manifest_id),
        manifest_seq=entry.manifest_seq,
        policy_seq=entry.policy_seq,
        may_read=entry.may_read,
        has_content=entry.has_content,
    )


def dataset_entry_from_message(message: catalogue_pb2.DatasetEntry) -> DatasetEntry:
    """One dataset of a listing."""
    manifest = message.manifest_sha256
    if bool(manifest) != bool(message.manifest_seq):
        raise ill_formed("a dataset has a manifest without a sequence number, or the reverse")
    return DatasetEntry(
        dataset=check_dataset(message.dataset),
        manifest_id=digest_from_message(manifest, "manifest_sha256") if manifest else None,
        manifest_seq=counted(message.manifest_seq, "manifest_seq"),
        policy_seq=counted(message.policy_seq, "policy_seq"),
        may_read=message.may_read,
        has_content=message.has_content,
    )


def listing_page_to_message(page: ListingPage) -> catalogue_pb2.ListDatasetsResponse:
    """Server side: a page."""
    return catalogue_pb2.ListDatasetsResponse(
        datasets=[dataset_entry_to_message(entry) for entry in page.entries],
        next_page_token=page.next_page_token,
        etag=page.etag,
        unchanged=page.unchanged,
    )


def listing_page_from_message(
    message: catalogue_pb2.ListDatasetsResponse, limits: Limits = LIMITS
) -> ListingPage:
    """Client side: a page, ascending by dataset id."""
    entries = tuple(dataset_entry_from_message(entry) for entry in page_of(message.datasets, limits))
    if any(a.dataset >= b.dataset for a, b in pairwise(entries)):
        raise ill_formed("a listing is not in ascending order")
    if message.unchanged and entries:
        raise ill_formed("an unchanged listing has entries")
    return ListingPage(
        entries,
        short(message.next_page_token, "next_page_token"),
        short(message.etag, "etag"),
        message.unchanged,
    )


def version_request_to_message(request: VersionRequest) -> catalogue_pb2.GetVersionRequest:
    """Client side of GetVersion."""
    return catalogue_pb2.GetVersionRequest(
        dataset=request.dataset, manifest_sha256=digest_to_message(request.manifest_id)
    )


def version_request_from_message(message: catalogue_pb2.GetVersionRequest) -> VersionRequest:
    """Server side of GetVersion."""
    return VersionRequest(
        check_dataset(message.dataset), digest_from_message(message.manifest_sha256, "manifest_sha256")
    )


def version_to_message(detail: VersionDetail) -> catalogue_pb2.GetVersionResponse:
    """Server side: one version."""
    return catalogue_pb2.GetVersionResponse(
        envelope=detail.envelope, policy=policy_to_message(detail.policy), root=detail.root or b""
    )


def version_from_message(message: catalogue_pb2.GetVersionResponse, limits: Limits = LIMITS) -> VersionDetail:
    """Client side: one version, not yet verified."""
    return VersionDetail(
        envelope_from_message(message.envelope, limits),
        policy_from_message(message.policy, limits),
        bounded(message.root, "root", 0, limits.root_bytes_max) or None,
    )


def versions_request_to_message(request: ChainRequest) -> catalogue_pb2.ListVersionsRequest:
    """Client side of ListVersions."""
    return catalogue_pb2.ListVersionsRequest(
        dataset=request.dataset, from_seq=request.from_seq, page_size=request.page_size
    )


def policies_request_to_message(request: ChainRequest) -> catalogue_pb2.ListPoliciesRequest:
    """Client side of ListPolicies."""
    return catalogue_pb2.ListPoliciesRequest(
        dataset=request.dataset, from_seq=request.from_seq, page_size=request.page_size
    )


def chain_request_from_message(
    message: catalogue_pb2.ListVersionsRequest | catalogue_pb2.ListPoliciesRequest, limits: Limits = LIMITS
) -> ChainRequest:
    """Server side of ListVersions and ListPolicies."""
    return ChainRequest(
        check_dataset(message.dataset),
        counted(message.from_seq, "from_seq", 1),
        page_size_of(message.page_size, limits),
    )


def versions_page_to_message(
    envelopes: Sequence[bytes], next_seq: int | None
) -> catalogue_pb2.ListVersionsResponse:
    """Server side: a page of manifests."""
    return catalogue_pb2.ListVersionsResponse(envelopes=envelopes, next_seq=next_seq or 0)


def versions_page_from_message(
    message: catalogue_pb2.ListVersionsResponse, limits: Limits = LIMITS
) -> tuple[list[bytes], int | None]:
    """Client side: manifests, and where the next page starts (None at the end)."""
    page = page_of(message.envelopes, limits)
    return [envelope_from_message(raw, limits) for raw in page], next_seq_of(message.next_seq)


def policies_page_to_message(
    policies: Sequence[PolicyExtract], next_seq: int | None
) -> catalogue_pb2.ListPoliciesResponse:
    """Server side: a page of policies."""
    return catalogue_pb2.ListPoliciesResponse(
        policies=[policy_to_message(extract) for extract in policies], next_seq=next_seq or 0
    )


def policies_page_from_message(
    message: catalogue_pb2.ListPoliciesResponse, limits: Limits = LIMITS
) -> tuple[list[PolicyExtract], int | None]:
    """Client side: policies, and where the next page starts (None at the end)."""
    page = page_of(message.policies, limits)
    return [policy_from_message(extract, limits) for extract in page], next_seq_of(message.next_seq)


def explain_request_to_message(request: ExplainRequest) -> catalogue_pb2.ExplainAccessRequest:
    """Client side of ExplainAccess."""
    return catalogue_pb2.ExplainAccessRequest(
        dataset=request.dataset, partner=request.partner, action=request.action
    )


def explain_request_from_message(message: catalogue_pb2.ExplainAccessRequest) -> ExplainRequest:
    """Server side of ExplainAccess."""
    if message.action not in ("discover", "read"):
        raise ill_formed("action is neither discover nor read")
    return ExplainRequest(check_dataset(message.dataset), check_partner(message.partner), message.action)


def explanation_to_message(explanation: Explanation) -> catalogue_pb2.ExplainAccessResponse:
    """Server side: a decision."""
    return catalogue_pb2.ExplainAccessResponse(
        allowed=explanation.allowed,
        rule_uid=explanation.rule_uid or "",
        policy_seq=explanation.policy_seq,
        reason=explanation.reason,
    )


def explanation_from_message(message: catalogue_pb2.ExplainAccessResponse) -> Explanation:
    """Client side: a decision."""
    return Explanation(
        message.allowed,
        short(message.rule_uid, "rule_uid") or None,
        counted(message.policy_seq, "policy_seq"),
        short(message.reason, "reason"),
    )
