"""Becoming a member: from a join file to keys, a certificate and the first registry.

    outcome = join(Path("la-dgm.join"), partner="la-dgm", node="main", hub_address=None, state_dir=…, clock=…)
    print(outcome.fingerprint)                                   # the operator reads it back
    outcome = wait(state_dir=…, clock=…, timeout_s=None)
    renew_if_due(state_dir=…, clock=…)                           # True: a new certificate, rebuild the
    channel

Rules: the registry is believed by its id in the join file alone; nothing is said to a hub that is not the one
in the file; keys are made once, and the join statement too, so that repeating it sends the same bytes; the
token is kept (0600) until the certificate is here. Private keys never leave the machine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from core.clock import Clock
from core.errors import Corrupt, InvalidInput, Unavailable, Untrusted
from core.limits import LIMITS, Limits
from core.names import NodeName, PartnerId
from node import departure, rotate
from node import identity as identities
from node.config_edit import set_hub_address
from node.hub_client import EnrolmentClient
from node.identity import NodeIdentity
from node.join_file import NOT_SENT, Enrolling, JoinFile, read_join_file
from node.trust import TrustStore
from security import certificates
from security.digests import sha256_hex
from security.join import JoinStatement, Renewal, build_join, build_renewal, format_fingerprint
from sync.wire.messages import EnrolmentState as WireState

__all__ = [
    "EnrolmentState",
    "JoinFile",
    "JoinOutcome",
    "join",
    "read_join_file",
    "renew",
    "renew_if_due",
    "wait",
]

_AWAY = ("UNREACHABLE", "TIMEOUT", "CLOSED_AT_ONCE", "BUSY", "HUB_FAILED", "UNAVAILABLE", "CANCELLED")

Connect = Callable[[str, bytes, str, Limits], EnrolmentClient]


class EnrolmentState(Enum):
    """Where an enrolment stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class JoinOutcome:
    """Where the enrolment stands; `fingerprint` is 16 groups of 4 hex digits."""

    state: EnrolmentState
    fingerprint: str
    federation: str
    partner: PartnerId
    node: NodeName
    hub: str


def join(
    join_file: Path,
    *,
    partner: PartnerId,
    node: NodeName,
    hub_address: str | None,
    state_dir: Path,
    clock: Clock,
    limits: Limits = LIMITS,
    passphrase: bytes | None = None,
    config_path: Path | None = None,
    connect: Connect = EnrolmentClient,
) -> JoinOutcome:
    """Ask to become a member; repeating it is safe. Writes `[hub] address` into `config_path` if missing.

    Raises:
        InvalidInput: the file is for another partner or node, or `[hub] address` is another one.
        Untrusted: the file was altered, or who answers is not the hub in it (WRONG_HUB).
        Denied: the token is unknown, used or expired.
    """
    file = check_meant_for_us(join_file, partner, node, hub_address, limits)
    identity = identities.load_or_create(state_dir, passphrase)
    TrustStore.establish(state_dir, clock, file.registry, file.registry_id, limits)
    enrolling = Enrolling.load(identity.directory)
    if enrolling is None or enrolling.file != file:
        departure.forget(identity.directory)
        enrolling = _begin(file, identity)
    departure.check_not_left(identity.directory)
    if enrolling.state == EnrolmentState.APPROVED.value and identity.is_enrolled:
        return _outcome(enrolling, EnrolmentState.APPROVED)
    with connect(file.enrol, file.ca_pem, file.federation, limits) as client:
        state = client.join(enrolling.envelope, file.token, enrolling.csr)
        if enrolling.state == NOT_SENT:
            enrolling = enrolling.with_state(EnrolmentState.PENDING.value)
            enrolling.save(identity.directory)
        if hub_address is None and config_path is not None:
            set_hub_address(config_path, file.hub)
        if state is WireState.APPROVED:
            return _ask(client, enrolling, identity, clock)
    return _outcome(enrolling, EnrolmentState(state.name.lower()))


def wait(
    *,
    state_dir: Path,
    clock: Clock,
    limits: Limits = LIMITS,
    passphrase: bytes | None = None,
    timeout_s: float | None = None,
    poll_s: float = 2.0,
    connect: Connect = EnrolmentClient,
) -> JoinOutcome:
    """Ask until approved or rejected; stores the certificate. `timeout_s` None: for ever; 0: ask once.

    A hub that is away is waited for, but for the last question. Raises `Unavailable` (NOT_ENROLLED) before
    `join` has reached the hub.
    """
    identity = identities.load(state_dir, passphrase)
    enrolling = Enrolling.load(identity.directory)
    if enrolling is None:
        raise identities.not_enrolled(state_dir)
    departure.check_not_left(identity.directory)
    if enrolling.state == EnrolmentState.APPROVED.value and identity.is_enrolled:
        return _outcome(enrolling, EnrolmentState.APPROVED)
    if enrolling.state == NOT_SENT:
        raise identities.not_sent(enrolling)
    file = enrolling.file
    deadline = None if timeout_s is None else clock.monotonic() + timeout_s
    while True:
        is_last = deadline is not None and clock.monotonic() + poll_s > deadline
        try:
            with connect(file.enrol, file.ca_pem, file.federation, limits) as client:
                outcome = _ask(client, enrolling, identity, clock)
        except Unavailable as error:
            if is_last or error.reason not in _AWAY:
                raise
        else:
            if outcome.state is not EnrolmentState.PENDING or is_last:
                return outcome
        clock.sleep(poll_s)


def renew_if_due(
    *,
    state_dir: Path,
    clock: Clock,
    limits: Limits = LIMITS,
    passphrase: bytes | None = None,
    connect: Connect = EnrolmentClient,
) -> bool:
    """Renew the certificate past its half-life, or expired. True when there is a new one."""
    identity = identities.load(state_dir, passphrase)
    try:
        if not certificates.renewal_due(identity.tls().certificate_pem, clock.now()):
            return False
    except Corrupt:
        pass  # a damaged certificate or TLS key: the signing key gets a new one
    renew(state_dir=state_dir, clock=clock, limits=limits, passphrase=passphrase, connect=connect)
    return True


def renew(
    *,
    state_dir: Path,
    clock: Clock,
    limits: Limits = LIMITS,
    passphrase: bytes | None = None,
    connect: Connect = EnrolmentClient,
) -> None:
    """A new TLS key and certificate now, proven by the signing key; works after expiry."""
    identity = identities.load(state_dir, passphrase)
    enrolling = Enrolling.load(identity.directory)
    if enrolling is None:
        raise identities.not_enrolled(state_dir)
    file = enrolling.file
    trust = TrustStore(state_dir, clock, limits)
    key = identity.new_tls_key()
    csr = certificates.make_csr(key, f"{file.partner} {file.node}")
    renewal = Renewal(
        federation=file.federation,
        partner=file.partner,
        node=file.node,
        csr_sha256=sha256_hex(csr),
        created=clock.now(),
    )
    with connect(file.enrol, trust.roots_pem(), file.federation, limits) as client:
        try:
            chain = client.renew(build_renewal(renewal, identity.signing), csr)
        except Untrusted:
            # The registry may list the new key already; this node cannot look before it has a certificate.
            following = rotate.next_key(identity)
            if following is None:
                raise
            chain = client.renew(build_renewal(renewal, following), csr)
    _check_names_us(chain, file)
    identity.accept_certificate(chain, trust.newest().registry.cas, csr, clock.now())


def check_meant_for_us(
    path: Path, partner: PartnerId, node: NodeName, hub_address: str | None, limits: Limits = LIMITS
) -> JoinFile:
    """The join file, if it invites this node to this hub. Raises `InvalidInput`."""
    file = read_join_file(path, limits)
    if file.partner != partner:
        raise InvalidInput(
            f"{path} invites {file.partner}, and this node is of {partner}",
            remedy="use the join file for this partner, or correct [node] partner",
            reason="OTHER_PARTNER",
        )
    if file.node != node:
        raise InvalidInput(
            f"{path} invites the node {file.node!r} of {partner}, and this node is {node!r}",
            remedy=f"correct [node] name, or have it invited: syncline-hub invite … --node {node}",
            reason="OTHER_NODE",
        )
    if hub_address is not None and hub_address != file.hub:
        raise InvalidInput(
            f"[hub] address is {hub_address}, and {path} is from the hub at {file.hub}",
            remedy="remove [hub] address if this node is to change hubs, or use a join file of that hub",
            reason="OTHER_HUB",
        )
    return file


def _begin(file: JoinFile, identity: NodeIdentity) -> Enrolling:
    """The join statement for this file, signed once and kept, so that repeating it sends the same bytes."""
    csr = certificates.make_csr(identity.new_tls_key(), f"{file.partner} {file.node}")
    statement = JoinStatement(
        federation=file.federation,
        partner=file.partner,
        node=file.node,
        hub=file.hub,
        enrol=file.enrol,
        ca_sha256=sha256_hex(file.ca_der),
        registry_sha256=file.registry_id,
        token_sha256=sha256_hex(file.token),
        csr_sha256=sha256_hex(csr),
        signing_key=identity.signing.public,
        witness_key=identity.witness.public,
    )
    envelope = build_join(statement, identity.signing, identity.witness)
    enrolling = Enrolling(file, envelope, csr, NOT_SENT)
    enrolling.save(identity.directory)
    return enrolling


def _ask(client: EnrolmentClient, enrolling: Enrolling, identity: NodeIdentity, clock: Clock) -> JoinOutcome:
    answer = client.get(enrolling.join_id, enrolling.file.token)
    state = EnrolmentState(answer.state.name.lower())
    if answer.certificate_pem is not None:
        _check_names_us(answer.certificate_pem, enrolling.file)
        identity.accept_certificate(
            answer.certificate_pem, [enrolling.file.ca_der], enrolling.csr, clock.now()
        )
    if state.value != enrolling.state:
        enrolling.with_state(state.value).save(identity.directory)
    return _outcome(enrolling, state)


def _check_names_us(chain: bytes, file: JoinFile) -> None:
    if certificates.identify_node(chain) != (file.federation, file.partner, file.node):
        raise Untrusted("the hub's certificate for this node names another one", reason="BAD_CERTIFICATE")


def _outcome(enrolling: Enrolling, state: EnrolmentState) -> JoinOutcome:
    file = enrolling.file
    return JoinOutcome(
        state, format_fingerprint(enrolling.join_id), file.federation, file.partner, file.node, file.hub
    )
