"""Checks the statements beside a version: who belongs, who signed, under which policy. Bytes to findings.

    chain, findings = check_registry(evidence.registries, anchor=None)
    manifest, finding = check_manifest(evidence.manifest, chain)

Rules: the registry's chain is followed from its first statement, which is trusted by its id alone; without
that id everything below may hold together and still be made up, and a finding says so. A manifest is
checked with the keys that its owner had in the registry that it names. A policy names no registry: any key
that the owner ever had in the chain may have signed it.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from audit.findings import Finding, failed, passed, unchecked
from core.clock import format_instant
from core.errors import SynclineError
from core.limits import LIMITS, Limits
from core.logs import printable
from core.names import DatasetId, PartnerId, check_dataset
from security import envelope as dsse
from security.canonical import parse_strict
from security.fields import Fields
from security.keys import PublicKey, ed25519_pem
from security.policy import VerifiedPolicy, verify_policy
from security.registry import REVOKED, VerifiedRegistry, verify_first, verify_next
from security.tlog.log_policy import parse as parse_log_policy
from security.tlog.witnesses import witness_name
from sync.manifest import VerifiedManifest, verify_manifest

Chain = tuple[VerifiedRegistry, ...]

_AGAIN = "copy the evidence whole, again"
_FALSE = "do not rely on it; ask who gave it to you, and tell the federation's administrators"

_NOT_TRUSTED = "its first statement is not the one that you trust: another federation's evidence, or made up"
_OTHER_TRUST = (
    "compare the trust file's fingerprint with its administrators; verify each federation by itself"
)
_BY_HAND = "do not check by hand with that file"

_KEY_NAME = re.compile(r"([a-z0-9-]+)(?:\.[0-9]+)?\.ed25519\.pem", re.ASCII)
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)


def check_registry(
    registries: Iterable[tuple[int, bytes]], anchor: str | None, limits: Limits = LIMITS
) -> tuple[Chain, list[Finding]]:
    """Follow the chain from its first statement; `anchor` is the id that the auditor trusts, in hex."""
    chain: list[VerifiedRegistry] = []
    wide = registry_limits(limits)
    try:
        for place, (number, envelope) in enumerate(registries, start=1):
            if number != place:
                return (), [unchecked("registry", f"statement {place} is missing", _AGAIN)]
            chain.append(
                verify_next(chain[-1], envelope, limits)
                if chain
                else verify_first(envelope, anchor or dsse.parse(envelope, wide).id, limits)
            )
    except SynclineError as error:
        if not chain and error.reason == "WRONG_REGISTRY":
            return (), [failed("registry", _NOT_TRUSTED, _OTHER_TRUST)]
        return (), [failed("registry", error.message, error.remedy or _FALSE)]
    if not chain:
        return (), [unchecked("registry", "no registry statement is at hand", _AGAIN)]
    newest = chain[-1].registry
    findings = [passed("registry", f"federation {newest.federation}, {len(chain)} statements in one chain")]
    if anchor is None:
        findings.append(
            unchecked(
                "anchor",
                f"nobody vouched for the first registry statement, {chain[0].id}",
                "give the federation's trust file with --trust, or that id, once compared, as --registry-id",
            )
        )
    else:
        findings.append(passed("anchor", "the first registry statement is the one that you trust"))
    return tuple(chain), findings


def registry_limits(limits: Limits) -> Limits:
    """Bounds under which any statement's envelope may be parsed: a registry's are the widest."""
    return replace(
        limits,
        payload_bytes_max=limits.registry_payload_bytes_max,
        envelope_bytes_max=limits.registry_envelope_bytes_max,
        message_bytes_max=2 * limits.message_bytes_max,
    )


def check_manifest(
    envelope: bytes | None, chain: Chain, limits: Limits = LIMITS
) -> tuple[VerifiedManifest | None, list[Finding]]:
    """Signatures by the owner's keys of the registry that the manifest names, then form."""
    if envelope is None:
        return None, [unchecked("manifest", "manifest.json is missing", _AGAIN)]
    if not chain:
        return None, [unchecked("manifest", "without a registry nobody's keys are known")]
    try:
        dataset = _claimed_dataset(envelope, limits)
        owner = PartnerId(dataset.partition("/")[0])
        verified = verify_manifest(envelope, owner_keys(chain, owner), dataset, limits)
    except SynclineError as error:
        return None, [failed("manifest", error.message, error.remedy or _FALSE)]
    manifest = verified.manifest
    if manifest.registry_seq > len(chain):
        return None, [
            unchecked(
                "manifest",
                f"it was signed under registry statement {manifest.registry_seq}, which is not at hand",
                _AGAIN,
            )
        ]
    pinned = chain[manifest.registry_seq - 1]
    if pinned.id != manifest.registry_sha256:
        return None, [
            failed("manifest", f"it names another registry statement {manifest.registry_seq}", _FALSE)
        ]
    partner = pinned.registry.partner(owner)
    if partner is None or partner.state == REVOKED:
        return None, [failed("manifest", f"{owner} was no member when it was signed", _FALSE)]
    try:
        verify_manifest(envelope, partner.signing_keys, dataset, limits)
    except SynclineError:
        return None, [
            failed("manifest", f"it is signed with a key that {owner} did not have at that time", _FALSE)
        ]
    words = f"{dataset} version {manifest.seq}, signed by {owner}, {format_instant(manifest.created)}"
    return verified, [passed("manifest", words)]


def check_policy(
    envelope: bytes | None,
    disclosures: bytes | None,
    manifest: VerifiedManifest | None,
    chain: Chain,
    limits: Limits = LIMITS,
) -> tuple[VerifiedPolicy | None, Finding]:
    """The policy extract: signed by the owner, of this dataset, not older than the manifest demands."""
    if envelope is None or disclosures is None:
        return None, unchecked("policy", "policy.json or policy-rules.json is missing", _AGAIN)
    if manifest is None:
        return None, unchecked("policy", "it belongs to a manifest that is not verified")
    pin = manifest.manifest
    try:
        keys = owner_keys(chain, pin.owner)
        policy = verify_policy(
            envelope, disclosures, keys, complete=False, dataset=pin.dataset, limits=limits
        )
    except SynclineError as error:
        return None, failed("policy", error.message, error.remedy or _FALSE)
    seq = policy.policy.seq
    if seq < pin.policy_seq:
        words = f"number {seq} is older than number {pin.policy_seq}, which the manifest names"
        return None, failed("policy", words, _FALSE)
    if seq == pin.policy_seq and policy.id != pin.policy_sha256:
        return None, failed("policy", f"another policy number {seq} than the manifest names", _FALSE)
    newer = "" if seq == pin.policy_seq else f", newer than number {pin.policy_seq}, which the manifest names"
    return policy, passed("policy", f"number {seq}{newer}; {rules_words(policy)}")


def rules_words(policy: VerifiedPolicy) -> str:
    """How much of a policy is disclosed here."""
    return f"{len(policy.rules)} of {len(policy.policy.rule_digests)} rules disclosed"


def check_keys(keys: Iterable[tuple[str, bytes]], chain: Chain, log_policy: bytes | None = None) -> Finding:
    """The files for checks by hand hold keys of the registry, else such a check would deceive."""
    if not chain:
        return unchecked("keys", "without a registry nobody's keys are known")
    count = 0
    for name, data in keys:
        count += 1
        known = {ed25519_pem(key).strip() for key in _keys_named(name, chain)}
        blocks = _PEM.findall(data)
        if not blocks or _PEM.sub(b"", data).strip() or not known.issuperset(blocks):
            words = f"keys/{printable(name)} holds something else than keys of the registry"
            return failed("keys", words, _BY_HAND)
    if log_policy is not None and (wrong := _wrong_policy(log_policy, chain)):
        return failed("keys", f"log/log-policy: {wrong}", _BY_HAND)
    if not count:
        return unchecked("keys", "no keys/*.pem for checks by hand", _AGAIN)
    return passed("keys", f"{count} files, all with keys of the registry")


def _keys_named(name: str, chain: Chain) -> list[bytes]:
    """The Ed25519 keys that a file of this name may hold: a partner's, the hub's, a log's …"""
    registries = [each.registry for each in chain]
    if name == "log.pem":
        return [log.key for each in registries for log in each.logs]
    matched = _KEY_NAME.fullmatch(name)
    who = "" if matched is None else matched[1]
    if who == "administrators":
        return [key.ed25519 for each in registries for key in each.administrators.keys]
    if who == "hub":
        return [key.ed25519 for each in registries for key in each.hub_keys]
    return [key.ed25519 for key in owner_keys(chain, PartnerId(who))]


def _wrong_policy(data: bytes, chain: Chain) -> str:
    try:
        policy = parse_log_policy(data)
    except SynclineError as error:
        return error.message
    registries = [each.registry for each in chain]
    logs = {(log.origin, log.key) for each in registries for log in each.logs}
    witnesses = {
        (witness_name(each.federation, partner.id, node.name), node.witness_key)
        for each in registries
        for partner in each.partners
        for node in partner.nodes
    }
    foreign = [log.name for log in policy.logs if (log.name, log.public) not in logs]
    foreign += [each.name for each in policy.witnesses if (each.name, each.key) not in witnesses]
    return f"{foreign[0]} has not that key in the registry" if foreign else ""


def check_predecessor(
    manifest: VerifiedManifest, before: bytes, chain: Chain, limits: Limits = LIMITS
) -> Finding:
    """The version before it on this disk is the one that the manifest names."""
    verified, findings = check_manifest(before, chain, limits)
    if verified is None:
        return failed("chain", f"the version before it: {findings[0].message}", _FALSE)
    if verified.id != manifest.manifest.prev:
        return failed(
            "chain", f"it does not follow version {verified.manifest.seq}, which stands beside it", _FALSE
        )
    return passed("chain", f"it follows version {verified.manifest.seq}, which stands beside it")


def owner_keys(chain: Chain, owner: PartnerId) -> list[PublicKey]:
    """Every key that `owner` ever had in `chain`."""
    keys: dict[PublicKey, None] = {}
    for statement in chain:
        partner = statement.registry.partner(owner)
        if partner is not None:
            keys.update(dict.fromkeys(partner.signing_keys))
    return list(keys)


def _claimed_dataset(envelope: bytes, limits: Limits) -> DatasetId:
    # Whose keys to ask for; `verify_manifest` then demands that the signed subject is the same.
    payload = dsse.parse(envelope, limits).payload
    statement = Fields(parse_strict(payload, limits), "manifest", limits)
    subjects = statement.array("subject", 1)
    if not subjects:
        raise statement.wrong("subject", "exactly one subject")
    return check_dataset(Fields(subjects[0], "manifest: subject", limits).text("name"))
