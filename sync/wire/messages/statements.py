"""CatalogueService, upwards: policies, versions and acknowledgements that a node hands over."""

from dataclasses import dataclass

from syncline.v1 import catalogue_pb2

from core.clock import format_instant, parse_instant
from core.limits import LIMITS, Limits
from sync.ports import Accepted, PolicyExtract
from sync.wire.messages.checks import bounded, counted, envelope_from_message, short


@dataclass(frozen=True, slots=True)
class Commit:
    """CommitVersion: `root` None withholds the bytes."""

    envelope: bytes
    root: bytes | None
    request_id: str = ""


def policy_to_message(extract: PolicyExtract) -> catalogue_pb2.PolicyExtract:
    """A policy's envelope and disclosures."""
    return catalogue_pb2.PolicyExtract(envelope=extract.envelope, disclosures=extract.disclosures)


def policy_from_message(message: catalogue_pb2.PolicyExtract, limits: Limits = LIMITS) -> PolicyExtract:
    """A policy's envelope and disclosures, bounded, not yet verified."""
    # A rule with its salt is larger than its digest in the payload, hence the larger bound.
    disclosures = bounded(message.disclosures, "disclosures", 2, limits.envelope_bytes_max)
    return PolicyExtract(envelope_from_message(message.envelope, limits), disclosures)


def publish_policy_to_message(extract: PolicyExtract, request_id: str) -> catalogue_pb2.PublishPolicyRequest:
    """Client side of PublishPolicy."""
    return catalogue_pb2.PublishPolicyRequest(policy=policy_to_message(extract), request_id=request_id)


def publish_policy_from_message(
    message: catalogue_pb2.PublishPolicyRequest, limits: Limits = LIMITS
) -> tuple[PolicyExtract, str]:
    """Server side of PublishPolicy: the policy and the request's id."""
    return policy_from_message(message.policy, limits), short(message.request_id, "request_id")


def policy_accepted_to_message(accepted: Accepted) -> catalogue_pb2.PublishPolicyResponse:
    """Server side: the policy is in force."""
    return catalogue_pb2.PublishPolicyResponse(
        leaf_index=accepted.leaf_index, accept_time=format_instant(accepted.accept_time)
    )


def version_accepted_to_message(accepted: Accepted) -> catalogue_pb2.CommitVersionResponse:
    """Server side: the version is committed."""
    return catalogue_pb2.CommitVersionResponse(
        leaf_index=accepted.leaf_index,
        accept_time=format_instant(accepted.accept_time),
        receipt=accepted.receipt or b"",
    )


def accepted_from_message(
    message: catalogue_pb2.PublishPolicyResponse | catalogue_pb2.CommitVersionResponse,
    limits: Limits = LIMITS,
) -> Accepted:
    """Client side of both: what the hub recorded; a receipt is not yet verified."""
    receipt = b""
    if isinstance(message, catalogue_pb2.CommitVersionResponse):
        receipt = bounded(message.receipt, "receipt", 0, limits.envelope_bytes_max)
    return Accepted(
        counted(message.leaf_index, "leaf_index"), parse_instant(message.accept_time), receipt or None
    )


def commit_to_message(commit: Commit) -> catalogue_pb2.CommitVersionRequest:
    """Client side of CommitVersion."""
    return catalogue_pb2.CommitVersionRequest(
        envelope=commit.envelope, root=commit.root or b"", request_id=commit.request_id
    )


def commit_from_message(message: catalogue_pb2.CommitVersionRequest, limits: Limits = LIMITS) -> Commit:
    """Server side of CommitVersion: bounded, not yet verified."""
    return Commit(
        envelope_from_message(message.envelope, limits),
        bounded(message.root, "root", 0, limits.root_bytes_max) or None,
        short(message.request_id, "request_id"),
    )


def acknowledge_to_message(envelope: bytes) -> catalogue_pb2.AcknowledgeRequest:
    """Client side of Acknowledge."""
    return catalogue_pb2.AcknowledgeRequest(envelope=envelope)


def acknowledge_from_message(message: catalogue_pb2.AcknowledgeRequest, limits: Limits = LIMITS) -> bytes:
    """Server side of Acknowledge: the envelope, not yet verified."""
    return envelope_from_message(message.envelope, limits)


def acknowledged_to_message(leaf_index: int) -> catalogue_pb2.AcknowledgeResponse:
    """Server side: the leaf that records it."""
    return catalogue_pb2.AcknowledgeResponse(leaf_index=leaf_index)


def acknowledged_from_message(message: catalogue_pb2.AcknowledgeResponse) -> int:
    """Client side: the leaf that records it."""
    return counted(message.leaf_index, "leaf_index")
