"""A dataset's policy: the owner's signed word on who may do what, disclosed rule by rule.

The signed payload holds a salted digest of each rule, `SHA-256(salt32 ‖ JCS(rule))`, sorted. Owner, hub and
auditors hold all rules with their salts (the *disclosures*); a partner gets those that name it or the
federation. It can prove its own grant against the signed policy, and learns nothing about who else has one
but how many rules there are.

    envelope, disclosures = build(dataset, 1, None, now, rules, None, key)
    policy = verify_policy(envelope, disclosures, [key.public], complete=True)
    extract = extract_for(policy, partner)                       # disclosures for that partner

Unknown fields are refused: a policy that is not fully understood must not be enforced in part.
Format: docs/formats/policy.md.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from core.clock import format_instant
from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from core.names import DatasetId, PartnerId, check_dataset, owner_of
from security import envelope as dsse
from security.canonical import JSON, canonical, parse_canonical, parse_strict
from security.digests import Sha256Hex, is_digest, sha256_hex
from security.fields import Fields
from security.keys import PublicKey, Signer
from security.rules import Decision, Rule, decide, next_change
from security.statement import Link

__all__ = [
    "Decision",
    "Disclosure",
    "Policy",
    "Rule",
    "VerifiedPolicy",
    "build",
    "decide",
    "disclosures_from_json",
    "disclosures_to_json",
    "extract_for",
    "next_change",
    "verify_policy",
]

SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A rule with the salt that ties it to a signed digest."""

    rule: Rule
    salt: bytes

    @property
    def digest(self) -> Sha256Hex:
        """Hex SHA-256(salt ‖ JCS(rule))."""
        return sha256_hex(self.salt + canonical(self.rule.to_json()))


@dataclass(frozen=True, slots=True)
class Policy:
    """The signed payload. `terms` are shown and kept, never evaluated."""

    dataset: DatasetId
    seq: int
    prev: Sha256Hex | None
    created: datetime
    rule_digests: tuple[Sha256Hex, ...]
    terms: Mapping[str, Any] | None = None

    def to_payload(self) -> bytes:
        """The canonical bytes that are signed."""
        payload: dict[str, JSON] = {
            "v": 1,
            "dataset": self.dataset,
            "seq": self.seq,
            "prev": self.prev,
            "created": format_instant(self.created),
            "rules": list(self.rule_digests),
        }
        if self.terms is not None:
            payload["terms"] = self.terms
        return canonical(payload)

    @classmethod
    def from_payload(cls, payload: bytes, limits: Limits = LIMITS) -> "Policy":
        """Read a payload strictly. Raises `Untrusted`."""
        fields = Fields(parse_strict(payload, limits), "policy", limits)
        fields.version()
        digests = fields.array("rules", limits.rules_count_max)
        if not all(is_digest(each) for each in digests):
            raise fields.wrong("rules", "an array of digests")
        texts = [str(each) for each in digests]
        if texts != sorted(set(texts)):
            raise fields.wrong("rules", "sorted and without repetition")
        terms = fields.raw("terms") if "terms" in fields else None
        if "terms" in fields and not isinstance(terms, dict):
            raise fields.wrong("terms", "an object")
        try:
            dataset = check_dataset(fields.text("dataset"))
        except InvalidInput as error:
            raise Untrusted(f"policy: {error.message}", reason="MALFORMED") from None
        made = cls(
            dataset=dataset,
            seq=fields.integer("seq", 1),
            prev=fields.digest_or_null("prev"),
            created=fields.instant("created"),
            rule_digests=tuple(texts),
            terms=cast("dict[str, Any] | None", terms),
        )
        fields.finish()
        if (made.seq == 1) != (made.prev is None):
            raise fields.wrong("prev", "null in the first statement, and in no other")
        return made


@dataclass(frozen=True, slots=True)
class VerifiedPolicy:
    """A policy whose signature holds, with its disclosed rules. Only `verify_policy` makes it."""

    policy: Policy
    id: Sha256Hex
    envelope: bytes = field(repr=False)
    rules: tuple[Disclosure, ...]

    @property
    def link(self) -> Link:
        """Its place in its chain, for `statement.check_successor`."""
        return Link(self.policy.seq, self.policy.prev, self.id)

    def decide(self, partner: PartnerId, action: str, at: datetime) -> Decision:
        """`rules.decide` by the rules disclosed here."""
        owner = owner_of(self.policy.dataset)
        return decide(owner, [d.rule for d in self.rules], self.policy.seq, partner, action, at)


def build(
    dataset: DatasetId,
    seq: int,
    prev: Sha256Hex | None,
    created: datetime,
    rules: Sequence[Rule],
    terms: Mapping[str, Any] | None,
    signer: Signer,
    limits: Limits = LIMITS,
) -> tuple[bytes, bytes]:
    """Sign a policy: its envelope, and the complete disclosures with fresh salts. Raises `InvalidInput`."""
    if len(rules) > limits.rules_count_max:
        raise InvalidInput(
            f"{len(rules)} rules for {dataset} exceed {limits.rules_count_max}",
            remedy="share with the federation, or with fewer partners",
        )
    if len({rule.uid for rule in rules}) != len(rules):
        raise InvalidInput(f"two rules for {dataset} have the same uid")
    disclosed = [Disclosure(rule, secrets.token_bytes(SALT_BYTES)) for rule in rules]
    digests = tuple(sorted(each.digest for each in disclosed))
    policy = Policy(check_dataset(dataset), seq, prev, created, digests, terms)
    envelope = dsse.sign(dsse.POLICY, policy.to_payload(), [signer])
    disclosures = disclosures_to_json(disclosed)
    # What would be refused elsewhere must not be signed here.
    try:
        verify_policy(envelope, disclosures, [signer.public], complete=True, limits=limits)
    except Untrusted as error:
        raise InvalidInput(f"this policy would be refused: {error.message}", reason=error.reason) from error
    return envelope, disclosures


def verify_policy(
    envelope: bytes,
    disclosures: bytes,
    keys: Sequence[PublicKey],
    complete: bool,
    *,
    dataset: DatasetId | None = None,
    limits: Limits = LIMITS,
) -> VerifiedPolicy:
    """Check a policy by its owner's `keys`; with `complete`, demand that every rule is disclosed.

    Give `dataset` wherever it is known: a policy of another dataset is refused (WRONG_DATASET). Other
    reasons: those of `envelope.verify`, RULE_NOT_SIGNED, DUPLICATE_RULE, INCOMPLETE.
    """
    verified = dsse.verify(envelope, dsse.POLICY, keys, 1, limits)
    policy = Policy.from_payload(verified.payload, limits)
    if dataset is not None and policy.dataset != dataset:
        raise Untrusted(f"this is the policy of {policy.dataset}, not of {dataset}", reason="WRONG_DATASET")
    disclosed = disclosures_from_json(disclosures, limits)
    signed = frozenset(policy.rule_digests)
    digests = {each.digest for each in disclosed}
    if not digests <= signed:
        raise Untrusted(
            f"policy of {policy.dataset}: a disclosed rule is not signed", reason="RULE_NOT_SIGNED"
        )
    if len(digests) != len(disclosed) or len({d.rule.uid for d in disclosed}) != len(disclosed):
        raise Untrusted(f"policy of {policy.dataset}: a rule is disclosed twice", reason="DUPLICATE_RULE")
    if complete and len(digests) != len(signed):
        raise Untrusted(
            f"policy of {policy.dataset}: {len(signed) - len(digests)} rules are not disclosed",
            reason="INCOMPLETE",
        )
    return VerifiedPolicy(policy, verified.id, envelope, tuple(disclosed))


def extract_for(policy: VerifiedPolicy, partner: PartnerId) -> bytes:
    """The disclosures that `partner` may have: rules that name it or the federation; all for the owner."""
    if partner == owner_of(policy.policy.dataset):
        return disclosures_to_json(policy.rules)
    return disclosures_to_json([each for each in policy.rules if each.rule.concerns(partner)])


def disclosures_to_json(disclosures: Sequence[Disclosure]) -> bytes:
    """A canonical JSON array of `{"rule", "salt"}`, ordered by digest, so that it tells nothing more."""
    ordered = sorted(disclosures, key=lambda each: each.digest)
    return canonical([{"rule": each.rule.to_json(), "salt": each.salt.hex()} for each in ordered])


def disclosures_from_json(data: bytes, limits: Limits = LIMITS) -> list[Disclosure]:
    """Read what `disclosures_to_json` writes. Raises `Untrusted`."""
    value = parse_canonical(data, limits.envelope_bytes_max, limits)
    if not isinstance(value, list) or len(cast("list[object]", value)) > limits.rules_count_max:
        raise Untrusted(f"disclosures: not an array of at most {limits.rules_count_max}", reason="MALFORMED")
    found: list[Disclosure] = []
    for item in cast("list[object]", value):
        fields = Fields(item, "disclosure", limits)
        salt = bytes.fromhex(fields.digest("salt"))
        found.append(Disclosure(Rule.from_json(fields.raw("rule"), limits), salt))
        fields.finish()
    return found
