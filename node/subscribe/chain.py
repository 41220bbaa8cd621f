"""From what the hub lists to a version that the owner signed: the chain, the policy, and the way to them.

Rules: from the head that this node last verified, every manifest up to the newest must be the successor of
the one before; an older head, another one of the same number or a jump is refused, loudly, and what is held
stays. A manifest's registry and policy pins never go back along the chain. The policy in force is at least
the one that the manifest pins, never older than one seen before, and must hold a rule that grants this
partner `read`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import Denied, Untrusted
from core.limits import LIMITS, Limits
from core.names import DatasetId, PartnerId, owner_of
from node.trust import TrustStore
from security import envelope as dsse
from security.keys import PublicKey
from security.policy import VerifiedPolicy, verify_policy
from security.rules import PERMISSION, READ
from security.statement import Link, check_successor
from sync.manifest import Manifest, VerifiedManifest, parse_manifest, verify_manifest
from sync.ports import DatasetEntry, HubApi, VersionDetail


@dataclass(frozen=True, slots=True)
class Head:
    """The newest statement of a chain that was verified: what may never go back."""

    seq: int
    id: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A verified version with the policy under which it is received."""

    manifest: VerifiedManifest
    policy: VerifiedPolicy
    disclosures: bytes
    root: bytes | None


class ChainReader:
    """Verifies what one hub says about datasets, by what this node trusts."""

    def __init__(self, hub: HubApi, trust: TrustStore, partner: PartnerId, limits: Limits = LIMITS) -> None:
        self._hub = hub
        self._trust = trust
        self._partner = partner
        self._limits = limits

    def newest(self, entry: DatasetEntry, head: Head | None) -> VerifiedManifest:
        """The newest manifest of a dataset, proven from `head` on (None: from the first one)."""
        dataset = entry.dataset
        if head is not None and entry.manifest_seq < head.seq:
            raise rolled_back(dataset, entry.manifest_seq, head.seq)
        verified: VerifiedManifest | None = None
        listed = False
        for envelope in self._hub.list_versions(dataset, head.seq if head else 1):
            new = self.verify(envelope, dataset)
            if verified is not None:
                self._follows(verified, new)
            elif head is not None:
                _is_head(head, new)
            else:
                check_successor(None, new.link, f"the manifests of {dataset}")
            verified = new
            listed = listed or new.id == entry.manifest_id
        if verified is None or not listed:
            raise Untrusted(
                f"the hub lists version {entry.manifest_seq} of {dataset}, and its chain does not lead there",
                remedy="nothing was changed here; report it to the hub's operator and the owner",
                reason="BROKEN_CHAIN",
            )
        return verified

    def verify(self, envelope: bytes, dataset: DatasetId) -> VerifiedManifest:
        """One manifest, by the keys that its owner has, or had in the registry that it pins."""
        claimed = parse_manifest(dsse.parse(envelope, self._limits).payload, dataset, self._limits)
        self._learn_registry(claimed.registry_seq)
        verified = verify_manifest(envelope, self._keys(dataset, claimed), dataset, self._limits)
        pinned = self._trust.at(claimed.registry_seq)
        if pinned is None or pinned.id != claimed.registry_sha256:
            raise Untrusted(
                f"version {claimed.seq} of {dataset} pins registry statement {claimed.registry_seq}, "
                "and this node knows another one, or none, of that number",
                remedy="report it to the hub's operator: two registries may exist",
                reason="WRONG_REGISTRY",
            )
        return verified

    def grant(
        self, manifest: VerifiedManifest, floor: Head | None, detail: VersionDetail | None = None
    ) -> Grant:
        """The policy under which `manifest` may be received, and its recipe's root.

        Raises `Denied` when no rule disclosed to this partner grants it `read`, `Untrusted` when the policy
        is older than `floor` or the manifest's pin, or not the owner's.
        """
        dataset = manifest.manifest.dataset
        detail = detail or self._hub.get_version(dataset, manifest.id)
        if dsse.parse(detail.envelope, self._limits).id != manifest.id:
            raise Untrusted(
                f"the hub gave another version of {dataset} than was asked for", reason="WRONG_SUBJECT"
            )
        keys = self._trust.keys_ever(owner_of(dataset))
        policy = verify_policy(
            detail.policy.envelope,
            detail.policy.disclosures,
            keys,
            complete=False,
            dataset=dataset,
            limits=self._limits,
        )
        pin = Head(manifest.manifest.policy_seq, manifest.manifest.policy_sha256)
        for least in (pin, floor):
            if least is not None:
                _not_older(policy, least)
        if not self._grants_read(policy):
            raise Denied(
                f"the policy of {dataset} holds no rule that lets {self._partner} read it",
                remedy="ask the owner to share it; what you have stays",
                reason="NOT_GRANTED",
            )
        return Grant(manifest, policy, detail.policy.disclosures, detail.root)

    def keys(self, manifest: Manifest) -> Sequence[PublicKey]:
        """The keys that may have signed this manifest."""
        return self._keys(manifest.dataset, manifest)

    def _keys(self, dataset: DatasetId, manifest: Manifest) -> Sequence[PublicKey]:
        return self._trust.keys_of(owner_of(dataset), manifest.registry_seq)

    def _learn_registry(self, seq: int) -> None:
        if seq > self._trust.newest().registry.seq:
            self._trust.refresh(self._hub)

    def _follows(self, before: VerifiedManifest, new: VerifiedManifest) -> None:
        what = f"the manifests of {new.manifest.dataset}"
        check_successor(before.link, new.link, what)
        if (
            new.manifest.registry_seq < before.manifest.registry_seq
            or new.manifest.policy_seq < before.manifest.policy_seq
        ):
            raise Untrusted(
                f"{what}: number {new.manifest.seq} pins an older registry or policy than the one before it",
                reason="ROLLBACK",
            )

    def _grants_read(self, policy: VerifiedPolicy) -> bool:
        """Whether some rule grants `read`, at whatever time: the hub's clock decides when, not this one."""
        return any(
            each.rule.effect == PERMISSION and READ in each.rule.actions and each.rule.concerns(self._partner)
            for each in policy.rules
        )


def _is_head(head: Head, new: VerifiedManifest) -> None:
    if (new.manifest.seq, new.id) != (head.seq, head.id):
        check_successor(Link(head.seq, None, head.id), new.link, f"the manifests of {new.manifest.dataset}")
        raise Untrusted(
            f"the hub does not give version {head.seq} of {new.manifest.dataset} any more", reason="GAP"
        )


def rolled_back(dataset: DatasetId, listed: int, known: int) -> Untrusted:
    """The error for a dataset that is older at the hub than it was."""
    return Untrusted(
        f"the hub lists version {listed} of {dataset}, and this node has verified version {known}",
        remedy="the hub was rolled back, or replays an old version: what you have stays; ask its operator",
        reason="ROLLBACK",
    )


def _not_older(policy: VerifiedPolicy, least: Head) -> None:
    what = f"the policy of {policy.policy.dataset}"
    if policy.policy.seq < least.seq:
        raise Untrusted(
            f"{what} is number {policy.policy.seq}, and number {least.seq} is known",
            remedy="the hub was rolled back, or replays an old policy; ask its operator",
            reason="ROLLBACK",
        )
    if policy.policy.seq == least.seq and policy.id != least.id:
        raise Untrusted(f"{what}: two different statements with number {least.seq}", reason="FORK")
    if policy.policy.seq == least.seq + 1 and policy.policy.prev != least.id:
        raise Untrusted(
            f"{what}: number {policy.policy.seq} does not name the one before it", reason="BROKEN_CHAIN"
        )
