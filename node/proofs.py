"""Evidence of a version, verified: what the hub's log says about it, under one checkpoint.

    evidence = hub.get_evidence(dataset, manifest_id)
    proven = verify_evidence(evidence, Subject(manifest, policy, partner), trust.chain())
    proven.cosigned                        # which witnesses vouch for the checkpoint
    proof_files(proven, quorum=0)          # the files of `.syncline/log/`

Rules: all of it holds, or none is believed. The checkpoint is the current log's of the registry; each leaf is
in its tree; version, policy and delivery say exactly what this node has verified by itself; every registry
statement that it believes was logged, in order, and no other. A signing key counts by the log's order, not by
clocks: it signed before any registry statement that no longer lists it. Pure: no I/O and no clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn

from core.errors import Unavailable, Untrusted
from core.limits import LIMITS, Limits
from core.names import PartnerId, owner_of
from security import envelope as dsse
from security.canonical import parse_strict
from security.digests import is_digest
from security.keys import PublicKey
from security.members import REVOKED
from security.policy import VerifiedPolicy
from security.registry import Registry, VerifiedRegistry
from security.tlog.checkpoint import Checkpoint, open_checkpoint
from security.tlog.cosignature import Cosigned, cosigners
from security.tlog.leaf import NONCE_BYTES, leaf_hash, make_leaf, registry_leaf
from security.tlog.log_policy import write as write_log_policy
from security.tlog.merkle import verify_inclusion
from security.tlog.opening_file import OpeningFile
from security.tlog.tlog_proof import to_proof_file
from security.tlog.witnesses import witnesses_of
from sync.manifest import VerifiedManifest
from sync.ports import Evidence, LeafKind, ProvenLeaf

#: The reason of evidence for which a checkpoint is still to come.
NOT_COVERED = "NOT_COVERED"


@dataclass(frozen=True, slots=True)
class Subject:
    """What the evidence must be about. `partner`: who received it; None for the owner's own evidence."""

    manifest: VerifiedManifest
    policy: VerifiedPolicy
    partner: PartnerId | None = None


@dataclass(frozen=True, slots=True)
class ProvenVersion:
    """Evidence of which every part holds. Made by `verify_evidence` alone. `note` is the checkpoint's."""

    note: bytes
    checkpoint: Checkpoint
    cosigned: tuple[Cosigned, ...]
    version: ProvenLeaf
    policy: ProvenLeaf
    delivery: ProvenLeaf | None
    registries: tuple[ProvenLeaf, ...]
    registry: Registry


def verify_evidence(
    evidence: Evidence, subject: Subject, chain: Sequence[VerifiedRegistry], limits: Limits = LIMITS
) -> ProvenVersion:
    """All of `evidence`, by the registry statements `chain` that this node believes, oldest first.

    Raises `Unavailable` (NOT_COVERED) while the checkpoint is older than the newest statement, `Untrusted`:
    those of `open_checkpoint`, `cosigners` and `verify_inclusion`, MALFORMED_EVIDENCE, WRONG_OPENING,
    WRONG_RECORD, VERSION_NOT_LOGGED, POLICY_NOT_LOGGED, DELIVERY_NOT_LOGGED, REGISTRY_NOT_LOGGED,
    HIDDEN_REGISTRY, KEY_NOT_VALID.
    """
    registry = chain[-1].registry
    if not registry.logs:
        raise Untrusted("the registry names no log", reason="UNKNOWN_LOG")
    log = registry.logs[-1]
    opened = open_checkpoint(evidence.checkpoint, log.origin, log.key, limits)
    cosigned = cosigners(opened.note, witnesses_of(registry))
    owner = owner_of(subject.manifest.manifest.dataset)
    version = _record_leaf(evidence, LeafKind.VERSION, opened.checkpoint, _version(subject), limits)
    policy = _record_leaf(evidence, LeafKind.POLICY, opened.checkpoint, _policy(subject), limits)
    delivery = None
    if subject.partner is not None:
        delivery = _record_leaf(evidence, LeafKind.DELIVERY, opened.checkpoint, _delivery(subject), limits)
        _check_delivery(delivery, version, subject, limits)
    registries = _registry_leaves(evidence, chain, opened.checkpoint, subject)
    order = _Order(chain, {each.registry_seq: each.index for each in registries})
    order.check_manifest(subject.manifest, owner, version.index)
    order.check_policy(subject.policy, owner, policy.index)
    return ProvenVersion(
        note=evidence.checkpoint,
        checkpoint=opened.checkpoint,
        cosigned=cosigned,
        version=version,
        policy=policy,
        delivery=delivery,
        registries=registries,
        registry=registry,
    )


def proof_files(proven: ProvenVersion, *, quorum: int) -> dict[str, bytes]:
    """The files of `.syncline/log/` (docs/formats/mirror.md). The same evidence gives the same bytes."""
    named = [("version", proven.version), ("policy", proven.policy)]
    if proven.delivery is not None:
        named.append(("delivery", proven.delivery))
    files = {
        "checkpoint": proven.note,
        "log-policy": write_log_policy(proven.registry.logs, witnesses_of(proven.registry), quorum),
    }
    for name, leaf in named:
        files[f"{name}.opening.json"] = OpeningFile(leaf.index, leaf.record, leaf.nonce).to_bytes()
        files[f"{name}.tlog-proof"] = to_proof_file(leaf.index, leaf.hashes, proven.note)
    for leaf in proven.registries:
        name = f"registry-{leaf.registry_seq:08}.tlog-proof"
        files[name] = to_proof_file(leaf.index, leaf.hashes, proven.note)
    return files


def claimed_policy_seq(evidence: Evidence, limits: Limits = LIMITS) -> int:
    """The number of the policy that the evidence is about, before anything of it is believed; else 0."""
    for leaf in evidence.leaves:
        if leaf.kind is LeafKind.POLICY:
            seq = _detail(parse_strict(leaf.record, limits)).get("seq")
            return seq if isinstance(seq, int) else 0
    return 0


def leaf_of(proven: ProvenLeaf, limits: Limits = LIMITS) -> bytes:
    """The leaf to which the opening commits. Raises `Untrusted` (WRONG_OPENING, or as `parse_strict`)."""
    if len(proven.nonce) != NONCE_BYTES:
        _refuse("WRONG_OPENING", f"a nonce has {NONCE_BYTES} bytes, not {len(proven.nonce)}")
    return make_leaf(parse_strict(proven.record, limits), proven.nonce)[0]


# What each record must say


def _version(subject: Subject) -> dict[str, Any]:
    manifest = subject.manifest.manifest
    return {
        "type": "version",
        "actor": manifest.owner,
        "object": manifest.dataset,
        "statement_sha256": subject.manifest.id,
        "detail": {"seq": manifest.seq},
    }


def _policy(subject: Subject) -> dict[str, Any]:
    policy = subject.policy.policy
    return {
        "type": "policy",
        "actor": owner_of(policy.dataset),
        "object": policy.dataset,
        "statement_sha256": subject.policy.id,
        "detail": {"seq": policy.seq},
    }


def _delivery(subject: Subject) -> dict[str, Any]:
    return {
        "type": "delivery",
        "object": subject.manifest.manifest.dataset,
        "statement_sha256": subject.manifest.id,
        "detail": {},
    }


def _record_leaf(
    evidence: Evidence, kind: LeafKind, checkpoint: Checkpoint, expected: Mapping[str, Any], limits: Limits
) -> ProvenLeaf:
    """The one leaf of that kind: in the tree, and saying what is expected."""
    found = [leaf for leaf in evidence.leaves if leaf.kind is kind]
    what = kind.name.lower()
    if not found:
        _refuse(f"{kind.name}_NOT_LOGGED", f"it holds no {what}: nothing proves that it was logged")
    if len(found) > 1:
        _refuse("MALFORMED_EVIDENCE", f"it holds {len(found)} leaves for one {what}")
    (leaf,) = found
    _check_included(leaf, leaf_of(leaf, limits), checkpoint)
    record = parse_strict(leaf.record, limits)
    stated = {**record, "detail": {key: _detail(record).get(key) for key in expected["detail"]}}
    for name, value in {"v": 1, **expected}.items():
        if stated.get(name) != value or isinstance(stated.get(name), bool):
            _refuse("WRONG_RECORD", f"its {what} is another one: {name} is not what it must be")
    if not is_digest(record.get("lane")):
        _refuse("WRONG_RECORD", f"its {what} has no place in the owner's lane")
    return leaf


def _check_delivery(delivery: ProvenLeaf, version: ProvenLeaf, subject: Subject, limits: Limits) -> None:
    """Its order, its receiver (the actor in the first release), its policy where it is the one in force."""
    if delivery.index <= version.index:
        _refuse("WRONG_RECORD", "its delivery stands before the version that was delivered")
    record = parse_strict(delivery.record, limits)
    detail = _detail(record)
    if detail.get("partner", record.get("actor")) != subject.partner:
        _refuse("WRONG_RECORD", "its delivery is another partner's")
    policy = subject.policy
    same = detail.get("policy_seq") == policy.policy.seq
    if same and detail.get("policy_sha256", policy.id) != policy.id:
        _refuse("WRONG_RECORD", "its delivery is another one: policy_sha256 is not what it must be")


def _detail(record: Mapping[str, Any]) -> Mapping[str, Any]:
    detail = record.get("detail")
    return detail if isinstance(detail, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _check_included(leaf: ProvenLeaf, data: bytes, checkpoint: Checkpoint) -> None:
    verify_inclusion(leaf_hash(data), leaf.index, checkpoint.size, leaf.hashes, checkpoint.root)


# Registry statements, and the keys that they name


def _registry_leaves(
    evidence: Evidence, chain: Sequence[VerifiedRegistry], checkpoint: Checkpoint, subject: Subject
) -> tuple[ProvenLeaf, ...]:
    """A leaf for each statement of `chain`, by number."""
    found = {leaf.registry_seq: leaf for leaf in evidence.leaves if leaf.kind is LeafKind.REGISTRY}
    if len(found) != sum(leaf.kind is LeafKind.REGISTRY for leaf in evidence.leaves):
        _refuse("MALFORMED_EVIDENCE", "it holds two leaves for one registry statement")
    newest = chain[-1].registry.seq
    if hidden := [seq for seq in found if seq > newest]:
        _refuse("HIDDEN_REGISTRY", f"registry statement {min(hidden)} was logged and not given to this node")
    missing = [each.registry.seq for each in chain if each.registry.seq not in found]
    if missing:
        newer = missing[0] > max((subject.manifest.manifest.registry_seq, *found))
        if newer:
            raise Unavailable(
                f"the checkpoint does not cover registry statement {missing[0]} yet", reason=NOT_COVERED
            )
        _refuse("REGISTRY_NOT_LOGGED", f"registry statement {missing[0]} is believed here and was not logged")
    leaves = tuple(found[each.registry.seq] for each in chain)
    for statement, leaf in zip(chain, leaves, strict=True):
        _check_included(leaf, registry_leaf(statement.id), checkpoint)
    if any(later.index <= earlier.index for earlier, later in pairwise(leaves)):
        _refuse("MALFORMED_EVIDENCE", "registry statements were logged in another order than their own")
    return leaves


class _Order:
    """Which key was valid when, by the log's order. `indices`: of the registry leaves, by number."""

    def __init__(self, chain: Sequence[VerifiedRegistry], indices: Mapping[int, int]) -> None:
        self._chain = chain
        self._indices = indices

    def check_manifest(self, manifest: VerifiedManifest, owner: PartnerId, index: int) -> None:
        """Signed by a key that the pinned statement lists, before any later one that no longer does."""
        pinned = manifest.manifest.registry_seq
        statement = next((each for each in self._chain if each.registry.seq == pinned), None)
        if statement is None or self._indices[pinned] >= index:
            _refuse("KEY_NOT_VALID", f"the registry statement {pinned} that it pins was not logged before it")
        signer = _signer(manifest.envelope, dsse.MANIFEST, _keys(statement, owner))
        for later in self._chain:
            if later.registry.seq > pinned and signer not in _keys(later, owner):
                if self._indices[later.registry.seq] < index:
                    seq = later.registry.seq
                    _refuse("KEY_NOT_VALID", f"registry statement {seq} had withdrawn the key that signed it")
                return

    def check_policy(self, policy: VerifiedPolicy, owner: PartnerId, index: int) -> None:
        """Signed by a key of the statement that was the newest when it was logged (a policy pins none)."""
        before = [each for each in self._chain if self._indices[each.registry.seq] < index]
        _signer(policy.envelope, dsse.POLICY, _keys(before[-1], owner) if before else ())


def _keys(statement: VerifiedRegistry, owner: PartnerId) -> Sequence[PublicKey]:
    member = statement.registry.partner(owner)
    return () if member is None or member.state == REVOKED else member.signing_keys


def _signer(envelope: bytes, payload_type: str, keys: Sequence[PublicKey]) -> PublicKey:
    try:
        return dsse.verify(envelope, payload_type, keys).signers[0]
    except Untrusted as error:
        raise Untrusted(
            f"when it was logged, the registry gave its owner no key that signed it: {error.message}",
            reason="KEY_NOT_VALID",
        ) from error


def _refuse(reason: str, message: str) -> NoReturn:
    raise Untrusted(f"the evidence does not hold: {message}", reason=reason)
