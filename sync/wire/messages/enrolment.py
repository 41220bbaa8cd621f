"""EnrolmentService: joining and renewing. Statements stay opaque here; `security` reads them."""

from dataclasses import dataclass
from enum import Enum

from syncline.v1 import enrolment_pb2

from core.limits import LIMITS, Limits
from sync.wire.messages.checks import (
    bounded,
    digest_from_message,
    digest_to_message,
    envelope_from_message,
    ill_formed,
)

_TOKEN_BYTES_MAX = 256
_CSR_BYTES_MAX = 16 * 1024
_CHAIN_BYTES_MAX = 64 * 1024


class EnrolmentState(Enum):
    """Where a request to join stands."""

    PENDING = 1
    APPROVED = 2
    REJECTED = 3


@dataclass(frozen=True, slots=True)
class JoinCall:
    """Join: `envelope` is the join statement, `csr_der` the request for the TLS certificate."""

    envelope: bytes
    token: bytes
    csr_der: bytes


@dataclass(frozen=True, slots=True)
class EnrolmentQuery:
    """GetEnrolment: `join_id` is the hex SHA-256 of the join statement's payload."""

    join_id: str
    token: bytes


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The state and, once approved, the certificate chain (PEM, leaf first)."""

    state: EnrolmentState
    certificate_pem: bytes | None = None


@dataclass(frozen=True, slots=True)
class RenewCall:
    """Renew: `envelope` is the renewal statement."""

    envelope: bytes
    csr_der: bytes


def join_to_message(call: JoinCall) -> enrolment_pb2.JoinRequest:
    """Client side of Join."""
    return enrolment_pb2.JoinRequest(envelope=call.envelope, token=call.token, csr_der=call.csr_der)


def join_from_message(message: enrolment_pb2.JoinRequest, limits: Limits = LIMITS) -> JoinCall:
    """Server side of Join: bounded, not yet verified."""
    return JoinCall(
        envelope_from_message(message.envelope, limits), _token(message.token), _csr(message.csr_der)
    )


def join_state_to_message(state: EnrolmentState) -> enrolment_pb2.JoinResponse:
    """Server side of Join: where the request stands."""
    return enrolment_pb2.JoinResponse(state=enrolment_pb2.EnrolmentState.Name(state.value))


def join_state_from_message(message: enrolment_pb2.JoinResponse) -> EnrolmentState:
    """Client side of Join."""
    return _state(message.state)


def enrolment_query_to_message(query: EnrolmentQuery) -> enrolment_pb2.GetEnrolmentRequest:
    """Client side of GetEnrolment."""
    return enrolment_pb2.GetEnrolmentRequest(join_sha256=digest_to_message(query.join_id), token=query.token)


def enrolment_query_from_message(message: enrolment_pb2.GetEnrolmentRequest) -> EnrolmentQuery:
    """Server side of GetEnrolment."""
    return EnrolmentQuery(digest_from_message(message.join_sha256, "join_sha256"), _token(message.token))


def enrolment_to_message(enrolment: Enrolment) -> enrolment_pb2.GetEnrolmentResponse:
    """Server side of GetEnrolment."""
    return enrolment_pb2.GetEnrolmentResponse(
        state=enrolment_pb2.EnrolmentState.Name(enrolment.state.value),
        certificate_pem=enrolment.certificate_pem or b"",
    )


def enrolment_from_message(message: enrolment_pb2.GetEnrolmentResponse) -> Enrolment:
    """Client side of GetEnrolment: a certificate comes with approval, and only then."""
    state = _state(message.state)
    if (state is EnrolmentState.APPROVED) != bool(message.certificate_pem):
        raise ill_formed("a certificate without approval, or the reverse")
    return Enrolment(state, _chain(message.certificate_pem) if message.certificate_pem else None)


def renew_to_message(call: RenewCall) -> enrolment_pb2.RenewRequest:
    """Client side of Renew."""
    return enrolment_pb2.RenewRequest(envelope=call.envelope, csr_der=call.csr_der)


def renew_from_message(message: enrolment_pb2.RenewRequest, limits: Limits = LIMITS) -> RenewCall:
    """Server side of Renew: bounded, not yet verified."""
    return RenewCall(envelope_from_message(message.envelope, limits), _csr(message.csr_der))


def renewed_to_message(certificate_pem: bytes) -> enrolment_pb2.RenewResponse:
    """Server side of Renew."""
    return enrolment_pb2.RenewResponse(certificate_pem=certificate_pem)


def renewed_from_message(message: enrolment_pb2.RenewResponse) -> bytes:
    """Client side of Renew: the chain, PEM, leaf first."""
    return _chain(message.certificate_pem)


def _state(value: int) -> EnrolmentState:
    try:
        return EnrolmentState(value)
    except ValueError:
        raise ill_formed(f"state {value} is not one of {[s.name for s in EnrolmentState]}") from None


def _token(raw: bytes) -> bytes:
    return bounded(raw, "token", 16, _TOKEN_BYTES_MAX)


def _csr(raw: bytes) -> bytes:
    return bounded(raw, "csr_der", 1, _CSR_BYTES_MAX)


def _chain(raw: bytes) -> bytes:
    return bounded(raw, "certificate_pem", 1, _CHAIN_BYTES_MAX)
