"""Checks that a leaf of the log records what it should: this version, this policy, this delivery.

record, finding = check_leaf("version", opening, proof, view, expected_version(manifest))
finding = check_delivery(record, policy, whole=False)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from audit.dossier import LoggedRecord
from audit.findings import Finding, failed, passed, unchecked
from audit.logged import LogView
from core.clock import format_instant
from core.errors import SynclineError
from core.names import PartnerId, owner_of
from security.policy import VerifiedPolicy
from security.registry import REVOKED, Registry
from security.rules import READ
from sync.manifest import VerifiedManifest

_MADE_AGAIN = "make it again with a current release, or ask the owner or the hub's operator for a bundle"
_FALSE = "stop; keep this evidence, and show it to the federation's administrators"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a record must say. `actor` None: whoever it was."""

    type: str
    about: str
    statement_sha256: str | None
    actor: str | None = None
    detail: Mapping[str, str | int] = field(default_factory=dict[str, str | int])

    def difference(self, record: LoggedRecord) -> str:
        """What differs, in a few words; empty when nothing does."""
        pairs = [
            ("type", self.type, record.type),
            ("object", self.about, record.object),
            ("statement", self.statement_sha256, record.statement_sha256),
            ("actor", self.actor or record.actor, record.actor),
            *((name, value, record.detail.get(name)) for name, value in self.detail.items()),
        ]
        return next(
            (f"its {name} is {is_!r}, not {should!r}" for name, should, is_ in pairs if should != is_), ""
        )


def expected_version(manifest: VerifiedManifest) -> Expected:
    """The record of a version."""
    said = manifest.manifest
    return Expected("version", said.dataset, manifest.id, said.owner, {"seq": said.seq})


def expected_policy(policy: VerifiedPolicy) -> Expected:
    """The record of a policy."""
    said = policy.policy
    return Expected("policy", said.dataset, policy.id, owner_of(said.dataset), {"seq": said.seq})


def expected_delivery(manifest: VerifiedManifest) -> Expected:
    """The record of a delivery of a version, to whomever."""
    return Expected("delivery", manifest.manifest.dataset, manifest.id)


def leaf_check(kind: str) -> str:
    """The name of the check of such leaves."""
    return f"{kind} leaf" if kind in ("version", "policy", "delivery", "acknowledgement") else "other leaves"


def check_leaf(
    kind: str, opening: bytes | None, proof: bytes | None, view: LogView | None, expected: Expected | None
) -> tuple[LoggedRecord | None, Finding]:
    """The leaf behind `opening` stands in the log and says what is expected."""
    check = leaf_check(kind)
    if view is None:
        return None, unchecked(check, "without the log's checkpoint no leaf can be proven")
    if opening is None or proof is None:
        missing = "opening" if opening is None else "proof"
        return None, unchecked(check, f"the {missing} of the leaf is missing", _MADE_AGAIN)
    if expected is None:
        return None, unchecked(check, f"what the {kind} leaf must record is not verified")
    try:
        record = view.record(opening, proof)
    except SynclineError as error:
        return None, failed(check, error.message, error.remedy or _FALSE)
    if wrong := expected.difference(record):
        return None, failed(check, f"leaf {record.index} records something else: {wrong}", _FALSE)
    return record, passed(check, f"leaf {record.index}, {format_instant(record.time)}")


def check_delivery(
    record: LoggedRecord,
    policy: VerifiedPolicy | None,
    registry: Registry | None = None,
    audience: str | None = None,
) -> Finding:
    """The delivery was allowed by `policy`, the one in force when it was logged.

    `registry` was in force then; `audience`: for whom the rules were disclosed, if not all of them were.
    """
    check, place = "deliveries", f"leaf {record.index}"
    to = record.partner
    member = None if registry is None else registry.partner(to)
    if registry is not None and (member is None or member.state == REVOKED):
        return failed(check, f"delivery not allowed: {place} gave {record.object} to {to}, no member", _FALSE)
    if policy is None:
        seq = record.detail.get("policy_seq")
        return unchecked(check, f"{place}: policy {seq} of {record.object} is not at hand")
    seq, cited = record.detail.get("policy_seq"), record.detail.get("policy_sha256", policy.id)
    if seq != policy.policy.seq or cited != policy.id:
        return failed(
            check,
            f"delivery not allowed: {place} names policy {seq}, but {policy.policy.seq} was in force",
            _FALSE,
        )
    complete = len(policy.rules) == len(policy.policy.rule_digests)
    if not complete and to not in (audience, owner_of(policy.policy.dataset)):
        return unchecked(check, f"{place}: not all rules of policy {seq} of {record.object} are disclosed")
    decision = policy.decide(PartnerId(to), READ, record.time)
    if not decision.allowed:
        return failed(
            check,
            f"delivery not allowed: {place} gave {record.object} to {to} at {format_instant(record.time)};"
            f" policy {seq} says {decision.reason}",
            _FALSE,
        )
    return passed(check, f"{place}: to {to}, allowed by policy {seq}: {decision.reason}")
