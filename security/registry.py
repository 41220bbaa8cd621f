"""The registry: the administrators' statement of who belongs, with which keys.

* The first statement is trusted by its id (from the join file) and signed by its own threshold.
* The next is signed by the threshold of the one before, and by its own where administrators change.
* Statements form a chain: rollback, fork, gap (fast-forward) are refused, and so is another federation.
* A registry ends (`expires`): who is kept on an old one (freeze) stops working, and says so.
* Partners and auditors are never dropped, only suspended or revoked; a key belongs to one partner alone.

    current = verify_first(envelopes[0], expected_id)
    for envelope in envelopes[1:]:
        current = verify_next(current, envelope)
    check_fresh(current.registry, clock.now())

Making one: `current.successor(now).with_partner(partner)`, then `sign_registry(draft, administrators)`.
Format: docs/formats/registry.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from core.clock import format_instant
from core.errors import InvalidInput, Unavailable, Untrusted
from core.limits import LIMITS, Limits
from core.names import PartnerId
from security import envelope as dsse
from security.canonical import JSON, canonical, parse_strict
from security.certificates import check_federation, der_to_pem
from security.digests import Sha256Hex
from security.fields import Fields, decode_base64, encode_base64
from security.keys import PublicKey, Signatory
from security.members import (
    ACTIVE,
    REVOKED,
    STATES,
    SUSPENDED,
    Administrators,
    RegistryAuditor,
    RegistryLog,
    RegistryNode,
    RegistryPartner,
)
from security.statement import Link, check_successor

__all__ = [
    "ACTIVE",
    "REVOKED",
    "STATES",
    "SUSPENDED",
    "Administrators",
    "Registry",
    "RegistryAuditor",
    "RegistryLog",
    "RegistryNode",
    "RegistryPartner",
    "VerifiedRegistry",
    "check_fresh",
    "first_registry",
    "renewal_due",
    "sign_registry",
    "verify_first",
    "verify_next",
]

_HUB_KEYS_COUNT_MAX = 16
_LOGS_COUNT_MAX = 64
_CAS_COUNT_MAX = 16
_AUDITORS_COUNT_MAX = 64


@dataclass(frozen=True, slots=True)
class Registry:
    """One statement. Partners and auditors are sorted by id; `cas` are certificates in DER."""

    federation: str
    seq: int
    prev: Sha256Hex | None
    created: datetime
    expires: datetime
    administrators: Administrators
    partners: tuple[RegistryPartner, ...]
    hub_keys: tuple[PublicKey, ...]
    logs: tuple[RegistryLog, ...]
    cas: tuple[bytes, ...]
    auditors: tuple[RegistryAuditor, ...] = ()

    def partner(self, id: str) -> RegistryPartner | None:  # noqa: A002 - the noun's own name
        """The partner of that id, whatever its state."""
        return next((partner for partner in self.partners if partner.id == id), None)

    def auditor(self, id: str) -> RegistryAuditor | None:  # noqa: A002 - the noun's own name
        """The auditor of that id, whatever its state."""
        return next((auditor for auditor in self.auditors if auditor.id == id), None)

    def all_cas_pem(self) -> bytes:
        """All certificate authorities as one PEM, for a TLS library."""
        return b"".join(der_to_pem(der) for der in self.cas)

    def with_partner(self, partner: RegistryPartner) -> "Registry":
        """With `partner` added, or its entry replaced."""
        others = (each for each in self.partners if each.id != partner.id)
        return replace(self, partners=tuple(sorted((*others, partner), key=lambda each: each.id)))

    def with_state(self, id: PartnerId, state: str) -> "Registry":  # noqa: A002 - the noun's own name
        """With the partner's state changed. Raises `InvalidInput` for an unknown partner or state."""
        found = self.partner(id)
        if found is None:
            raise InvalidInput(f"{id} is not in the registry", remedy="see `syncline-hub partners`")
        if state not in STATES:
            raise InvalidInput(f"{state!r} is not a partner's state")
        return self.with_partner(replace(found, state=state))

    def with_auditor(self, auditor: RegistryAuditor) -> "Registry":
        """With `auditor` added, or its entry replaced."""
        others = (each for each in self.auditors if each.id != auditor.id)
        return replace(self, auditors=tuple(sorted((*others, auditor), key=lambda each: each.id)))

    def with_administrators(self, administrators: Administrators) -> "Registry":
        """With other administrators; both the old and the new ones must sign."""
        return replace(self, administrators=administrators)

    def with_log(self, log: RegistryLog) -> "Registry":
        """With one more log."""
        return replace(self, logs=(*self.logs, log))

    def to_payload(self) -> bytes:
        """The canonical bytes that are signed."""
        payload: dict[str, JSON] = {
            "v": 1,
            "federation": self.federation,
            "seq": self.seq,
            "prev": self.prev,
            "created": format_instant(self.created),
            "expires": format_instant(self.expires),
            "administrators": self.administrators.to_json(),
            "partners": [partner.to_json() for partner in self.partners],
            "hub_keys": [key.to_json() for key in self.hub_keys],
            "logs": [log.to_json() for log in self.logs],
            "cas": [encode_base64(der) for der in self.cas],
        }
        if self.auditors:
            payload["auditors"] = [auditor.to_json() for auditor in self.auditors]
        return canonical(payload)

    @classmethod
    def from_payload(cls, payload: bytes, limits: Limits = LIMITS) -> "Registry":
        """Read a payload strictly. Raises `Untrusted`."""
        fields = Fields(parse_strict(payload, limits, limits.registry_payload_bytes_max), "registry", limits)
        fields.version()
        try:
            federation = check_federation(fields.text("federation"))
        except InvalidInput as error:
            raise Untrusted(f"registry: {error.message}", reason="MALFORMED") from None
        made = cls(
            federation=federation,
            seq=fields.integer("seq", 1),
            prev=fields.digest_or_null("prev"),
            created=fields.instant("created"),
            expires=fields.instant("expires"),
            administrators=Administrators.from_json(fields.object("administrators")),
            partners=tuple(
                RegistryPartner.from_json(each, limits)
                for each in fields.array("partners", limits.partners_count_max)
            ),
            hub_keys=tuple(
                PublicKey.from_json(each, "registry: hub key")
                for each in fields.array("hub_keys", _HUB_KEYS_COUNT_MAX)
            ),
            logs=tuple(RegistryLog.from_json(each, limits) for each in fields.array("logs", _LOGS_COUNT_MAX)),
            cas=tuple(_certificate(each) for each in fields.array("cas", _CAS_COUNT_MAX)),
            auditors=_auditors(fields, limits),
        )
        fields.finish()
        _check_whole(made, fields)
        return made


@dataclass(frozen=True, slots=True)
class VerifiedRegistry:
    """A registry whose chain and signatures hold. Made by `verify_first` and `verify_next` alone."""

    registry: Registry
    id: Sha256Hex
    envelope: bytes = field(repr=False)

    @property
    def link(self) -> Link:
        """Its place in its chain."""
        return Link(self.registry.seq, self.registry.prev, self.id)

    def successor(self, now: datetime, limits: Limits = LIMITS) -> Registry:
        """The next statement, still equal but for seq, prev, created and expires: change it, then sign it."""
        return replace(
            self.registry,
            seq=self.registry.seq + 1,
            prev=self.id,
            created=now.replace(microsecond=0),
            expires=_expiry(now, limits),
        )


def first_registry(
    federation: str,
    administrators: Administrators,
    hub_keys: Sequence[PublicKey],
    logs: Sequence[RegistryLog],
    cas: Sequence[bytes],
    now: datetime,
    limits: Limits = LIMITS,
) -> Registry:
    """The first statement of a new federation, without partners. `cas` are DER certificates."""
    return Registry(
        federation=check_federation(federation),
        seq=1,
        prev=None,
        created=now.replace(microsecond=0),
        expires=_expiry(now, limits),
        administrators=administrators,
        partners=(),
        hub_keys=tuple(hub_keys),
        logs=tuple(logs),
        cas=tuple(cas),
    )


def sign_registry(registry: Registry, signers: Sequence[Signatory], limits: Limits = LIMITS) -> bytes:
    """An envelope over `registry`. Further administrators add theirs with `envelope.cosign`.

    Raises `InvalidInput` for a registry that every reader would refuse.
    """
    payload = registry.to_payload()
    try:
        Registry.from_payload(payload, limits)
    except Untrusted as error:
        raise InvalidInput(f"this registry would be refused: {error.message}", reason=error.reason) from error
    return dsse.sign(dsse.REGISTRY, payload, signers)


def verify_first(envelope: bytes, expected_id: Sha256Hex, limits: Limits = LIMITS) -> VerifiedRegistry:
    """The first registry, trusted because its id is `expected_id`, signed by its own threshold.

    Raises `Untrusted`: WRONG_REGISTRY, and the reasons of `envelope.verify` and of reading.
    """
    parsed = dsse.parse(envelope, limits)
    if parsed.id != expected_id:
        raise Untrusted(
            "this is not the registry that the join file names",
            remedy="ask the hub's operator for a new join file, and tell him why",
            reason="WRONG_REGISTRY",
        )
    registry = Registry.from_payload(parsed.payload, limits)
    check_successor(None, Link(registry.seq, registry.prev, parsed.id), "registry")
    _verify_by(registry.administrators, envelope, limits)
    return VerifiedRegistry(registry, parsed.id, envelope)


def verify_next(current: VerifiedRegistry, envelope: bytes, limits: Limits = LIMITS) -> VerifiedRegistry:
    """The registry that directly follows `current`. Raises `Untrusted`; `current` stays good.

    Reasons: BAD_SIGNATURE, UNKNOWN_SIGNER, THRESHOLD, ROLLBACK, FORK, GAP, BROKEN_CHAIN, WRONG_REGISTRY
    (another federation), PARTNER_DROPPED, AUDITOR_DROPPED, LOG_DROPPED, and those of reading.
    """
    verified = _verify_by(current.registry.administrators, envelope, limits)
    registry = Registry.from_payload(verified.payload, limits)
    if registry.federation != current.registry.federation:
        raise Untrusted(
            f"this is the registry of {registry.federation}, not of {current.registry.federation}",
            reason="WRONG_REGISTRY",
        )
    check_successor(current.link, Link(registry.seq, registry.prev, verified.id), "registry")
    if registry.administrators != current.registry.administrators:
        _verify_by(registry.administrators, envelope, limits)
    dropped = {each.id for each in current.registry.partners} - {each.id for each in registry.partners}
    if dropped:
        raise Untrusted(f"registry: {min(dropped)} was dropped instead of revoked", reason="PARTNER_DROPPED")
    dropped = {each.id for each in current.registry.auditors} - {each.id for each in registry.auditors}
    if dropped:
        raise Untrusted(f"registry: {min(dropped)} was dropped instead of revoked", reason="AUDITOR_DROPPED")
    # Positions in the log are counted by the places of logs (`tlog.position`).
    if registry.logs[: len(current.registry.logs)] != current.registry.logs:
        raise Untrusted("registry: a log was dropped, changed or moved", reason="LOG_DROPPED")
    return VerifiedRegistry(registry, verified.id, envelope)


def check_fresh(registry: Registry, now: datetime) -> None:
    """Demand that `registry` has not expired. Raises `Unavailable` (REGISTRY_EXPIRED)."""
    if now >= registry.expires:
        raise Unavailable(
            f"the registry ended at {format_instant(registry.expires)} and no newer one has come",
            remedy="check the connection to the hub and this machine's clock; the operator renews it",
            reason="REGISTRY_EXPIRED",
        )


def renewal_due(registry: Registry, now: datetime, limits: Limits = LIMITS) -> bool:
    """Whether it is time to sign the next registry, changed or not."""
    return now >= registry.created + timedelta(seconds=limits.registry_renew_after_s)


def _verify_by(administrators: Administrators, envelope: bytes, limits: Limits) -> dsse.Verified:
    return dsse.verify(envelope, dsse.REGISTRY, administrators.keys, administrators.threshold, limits)


def _expiry(now: datetime, limits: Limits) -> datetime:
    return now.replace(microsecond=0) + timedelta(seconds=limits.registry_valid_s)


def _certificate(value: object) -> bytes:
    if not isinstance(value, str):
        raise Untrusted("registry: cas must be an array of base64", reason="MALFORMED")
    der = decode_base64(value, "registry: cas")
    der_to_pem(der)
    return der


def _auditors(fields: Fields, limits: Limits) -> tuple[RegistryAuditor, ...]:
    if "auditors" not in fields:  # a registry from before there were any, or without
        return ()
    found = tuple(
        RegistryAuditor.from_json(each, limits) for each in fields.array("auditors", _AUDITORS_COUNT_MAX)
    )
    if not found:
        raise fields.wrong("auditors", "absent where there are none")
    return found


def _check_whole(registry: Registry, fields: Fields) -> None:
    """What no single field shows. Raises `Untrusted`."""
    if (registry.seq == 1) != (registry.prev is None):
        raise fields.wrong("prev", "null in the first statement, and in no other")
    if registry.expires <= registry.created:
        raise fields.wrong("expires", "later than created")
    ids = [partner.id for partner in registry.partners]
    if ids != sorted(set(ids)):
        raise fields.wrong("partners", "sorted by id and without repetition")
    auditors = [auditor.id for auditor in registry.auditors]
    if auditors != sorted(set(auditors)):
        raise fields.wrong("auditors", "sorted by id and without repetition")
    if not set(ids).isdisjoint(auditors):
        raise fields.wrong("auditors", "other ids than the partners'")
    _check_distinct(registry.administrators.keys, "administrators")
    _check_distinct([key for partner in registry.partners for key in partner.signing_keys], "partners")


def _check_distinct(keys: Sequence[PublicKey], what: str) -> None:
    """No key stands twice, not even half of one: who signed must never be a question."""
    halves = [half for key in keys for half in (key.ed25519, key.ml_dsa_65)]
    if len(set(halves)) != len(halves):
        raise Untrusted(f"registry: {what} hold the same key twice", reason="DUPLICATE_KEY")
