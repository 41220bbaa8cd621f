"""The trust file: where an auditor's trust begins, given once, checked by its fingerprint.

    trust = Trust.of(first_registry)                  # the operator: syncline-hub registry trust --out FILE
    trust = read_trust(data)                          # the auditor: syncline-audit … --trust FILE
    trust.fingerprint                                 # read it out to each other

Rules: canonical JSON `{v, federation, registry, logs}`: the first registry statement's envelope in base64,
and the verifier keys of the logs that it names. The statement must verify by itself and the logs must be
its own, so that the file says one thing only. Format: docs/formats/trust.md.
"""

from dataclasses import dataclass, field, replace

from core.errors import Untrusted
from core.limits import LIMITS, Limits
from security import envelope as dsse
from security.canonical import canonical, parse_canonical
from security.digests import sha256_hex
from security.fields import Fields, decode_base64, encode_base64
from security.members import RegistryLog
from security.registry import VerifiedRegistry, verify_first
from security.tlog.note import ED25519_NOTE, verifier_key


@dataclass(frozen=True, slots=True)
class Trust:
    """A federation's first registry statement, the logs in it, and the file's own bytes."""

    registry: VerifiedRegistry
    logs: tuple[RegistryLog, ...]
    file: bytes = field(repr=False)

    @property
    def federation(self) -> str:
        """The federation's name."""
        return self.registry.registry.federation

    @property
    def registry_id(self) -> str:
        """Id of the first registry statement, in hex."""
        return self.registry.id

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file, as 16 groups of 4 hexadecimal digits."""
        digest = sha256_hex(self.file)
        return " ".join(digest[place : place + 4] for place in range(0, len(digest), 4))

    @classmethod
    def of(cls, first: VerifiedRegistry, limits: Limits = LIMITS) -> "Trust":
        """The trust file of the federation whose first statement this is."""
        registry = first.registry
        data = canonical(
            {
                "v": 1,
                "federation": registry.federation,
                "registry": encode_base64(first.envelope),
                "logs": [_verifier_key(log) for log in registry.logs],
            }
        )
        return read_trust(data, limits)


def read_trust(data: bytes, limits: Limits = LIMITS) -> Trust:
    """Read a trust file strictly. Raises `Untrusted`."""
    wide = replace(limits, text_bytes_max=2 * limits.registry_envelope_bytes_max)
    value = parse_canonical(data, 2 * limits.registry_envelope_bytes_max, limits)
    fields = Fields(value, "trust file", wide)
    fields.version()
    federation = fields.text("federation", 256)
    encoded = fields.text("registry", 2 * limits.registry_envelope_bytes_max)
    envelope = decode_base64(encoded, "trust file: registry")
    said = fields.array("logs", 64)
    fields.finish()
    first = verify_first(envelope, dsse.parse(envelope, limits).id, limits)
    if first.registry.federation != federation:
        raise Untrusted(
            f"the trust file says {federation}, but holds the registry of {first.registry.federation}",
            remedy="ask the federation's administrators for its trust file",
            reason="WRONG_REGISTRY",
        )
    logs = first.registry.logs
    if said != [_verifier_key(log) for log in logs]:
        raise Untrusted(
            "the trust file names other logs than the registry in it",
            remedy="ask the federation's administrators for its trust file",
            reason="WRONG_LOGS",
        )
    return Trust(first, logs, data)


def _verifier_key(log: RegistryLog) -> str:
    return verifier_key(log.origin, ED25519_NOTE, log.key)
