"""Reads a version's folder in a mirror, with the evidence beside it, and checks both.

    dossier, findings = load_version(Path("…/versions/3-1a2b3c4d"), anchor)

Copied elsewhere, the folder proves itself all the same; nothing outside it is read, but for the version
before it where that still stands beside it.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from audit.content import check_content, check_inventory
from audit.dossier import MIRROR, DatasetDossier, Dossier, LoggedRecord, Position, VersionDossier
from audit.evidence import Evidence, read_evidence
from audit.findings import Finding, Result, failed, passed, unchecked
from audit.leaves import (
    check_delivery,
    check_leaf,
    expected_delivery,
    expected_policy,
    expected_version,
)
from audit.logged import LogView, check_registry_leaves, open_log
from audit.positions import check_manifest_position, check_statement_position
from audit.source import DiskFile, read_bounded
from audit.statements import (
    Chain,
    check_keys,
    check_manifest,
    check_policy,
    check_predecessor,
    check_registry,
)
from audit.witnesses import check_witnesses
from core.errors import SynclineError
from core.limits import LIMITS, Limits
from core.names import EVIDENCE_FOLDER, PartnerId
from core.progress import Progress
from security import envelope as dsse
from security.policy import VerifiedPolicy
from security.tlog.quorum import needed
from sync.manifest import VerifiedManifest

_VERSION_NAME = re.compile(r"([0-9]+)-([0-9a-f]{8})", re.ASCII)
_MIXED = "move it back to where the node wrote it, or fetch this version again"


@dataclass(frozen=True, slots=True)
class _Proven:
    """What the log's part of the evidence showed."""

    view: LogView | None
    positions: dict[int, Position]
    version: LoggedRecord | None
    policy: LoggedRecord | None
    delivery: LoggedRecord | None


def load_version(
    path: Path,
    anchor: str | None,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
    *,
    with_content: bool = True,
) -> tuple[Dossier, list[Finding]]:
    """A version's folder: registry, manifest, policy, keys, log, inventory, files, place."""
    try:
        evidence = read_evidence(path / EVIDENCE_FOLDER, limits)
    except SynclineError as error:
        return Dossier(path, MIRROR, None, ()), [unchecked("evidence", error.message, error.remedy)]
    chain, findings = check_registry(evidence.registries, anchor, limits)
    manifest, about = check_manifest(evidence.manifest, chain, limits)
    findings += about
    policy, finding = check_policy(evidence.policy, evidence.disclosures, manifest, chain, limits)
    findings += [finding, check_keys(evidence.keys, chain, evidence.log.policy)]
    proven, about = _check_log(evidence, manifest, policy, chain, limits)
    findings += about
    seen, known, finding = check_witnesses(proven.view, chain, proven.positions)
    findings.append(finding)
    if manifest is None:
        findings.append(unchecked("files", "what should stand here is not known without the manifest"))
    elif with_content:
        findings += _check_data(path, evidence, manifest, limits, progress)
    if manifest is not None:
        findings += _check_place(path, manifest, chain, limits)
    dossier = Dossier(
        path=path,
        kind=MIRROR,
        federation=chain[-1].registry.federation if chain else None,
        registries=chain,
        registry_positions=proven.positions,
        checkpoint=proven.view.seen if proven.view is not None else None,
        cosigned=seen,
        witnesses_known=known,
        quorum=needed(known),
        records=_in_order(proven),
        datasets=() if manifest is None else (_dataset(path, evidence, manifest, policy, proven),),
        prefix_root=lambda size: None if proven.view is None else proven.view.prefixes.get(size),
    )
    return dossier, findings


def _check_log(
    evidence: Evidence,
    manifest: VerifiedManifest | None,
    policy: VerifiedPolicy | None,
    chain: Chain,
    limits: Limits,
) -> tuple[_Proven, list[Finding]]:
    view, finding = open_log(evidence.log.checkpoint, chain, limits)
    findings = [finding]
    positions, finding = check_registry_leaves(view, evidence.log.registry_proofs, chain)
    findings.append(finding)
    if view is None and finding.result is not Result.FAILED and evidence.log.checkpoint is None:
        # One finding says what is missing; six more would not say more.
        findings.append(unchecked("position", "without the log it is not known which keys were valid when"))
        return _Proven(None, positions, None, None, None), findings
    version, finding = check_leaf(
        "version", *evidence.records["version"], view, manifest and expected_version(manifest)
    )
    findings.append(finding)
    logged_policy, finding = check_leaf(
        "policy", *evidence.records["policy"], view, policy and expected_policy(policy)
    )
    findings.append(finding)
    delivery, finding = check_leaf(
        "delivery", *evidence.records["delivery"], view, manifest and expected_delivery(manifest)
    )
    findings.append(finding)
    proven = _Proven(view, positions, version, logged_policy, delivery)
    findings += _check_order(proven, manifest, policy, chain, limits)
    return proven, findings


def _check_order(
    proven: _Proven,
    manifest: VerifiedManifest | None,
    policy: VerifiedPolicy | None,
    chain: Chain,
    limits: Limits,
) -> Iterator[Finding]:
    """What follows from where in the log things stand."""
    if manifest is None:
        yield unchecked("position", "the manifest is not verified")
    else:
        place = None if proven.version is None else proven.version.position
        yield check_manifest_position(manifest, place, chain, proven.positions, limits)
    if policy is not None and proven.policy is not None:
        owner, place = policy.policy.dataset.partition("/")[0], proven.policy.position
        found = check_statement_position(
            policy.envelope, dsse.POLICY, PartnerId(owner), place, chain, proven.positions, limits
        )
        if found.result is Result.FAILED:
            yield found
    if proven.delivery is not None:
        if proven.version is not None and proven.delivery.position <= proven.version.position:
            yield failed(
                "delivery leaf",
                "the delivery was logged before the version that it delivered",
                "stop; keep this evidence, and show it to the federation's administrators",
            )
        yield _check_allowed(proven, proven.delivery, policy, chain)


def _check_allowed(
    proven: _Proven, delivery: LoggedRecord, policy: VerifiedPolicy | None, chain: Chain
) -> Finding:
    if policy is not None and delivery.detail.get("policy_seq") != policy.policy.seq:
        # Received again later, under a newer policy: the older one is not part of the mirror.
        return check_delivery(delivery, None)
    before = [each for each in chain if proven.positions.get(each.registry.seq, (0, 0)) < delivery.position]
    registry = before[-1].registry if before and len(proven.positions) == len(chain) else None
    return check_delivery(delivery, policy, registry, audience=delivery.partner)


def _check_data(
    path: Path, evidence: Evidence, manifest: VerifiedManifest, limits: Limits, progress: Progress | None
) -> list[Finding]:
    inventory = check_inventory(DiskFile("inventory.sha256", evidence.inventory), manifest.manifest)
    if inventory.result is not Result.PASSED:
        return [inventory, unchecked("files", "without the signed inventory nothing says what they must be")]
    return [inventory, *check_content(path, evidence.inventory, manifest.manifest, limits, progress)]


def _check_place(path: Path, manifest: VerifiedManifest, chain: Chain, limits: Limits) -> list[Finding]:
    """In a mirror, the names of the folders say the same as the manifest; a copy elsewhere has no place."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a planted link
    versions = absolute.parent
    if versions.name != "versions" or len(absolute.parts) < 5:
        return []
    said = manifest.manifest
    if f"{versions.parent.parent.name}/{versions.parent.name}" != said.dataset:
        return [failed("place", f"the manifest is about {said.dataset}, the folder is another's", _MIXED)]
    name = _VERSION_NAME.fullmatch(absolute.name)
    if name is None or int(name[1]) != said.seq or not manifest.id.startswith(name[2]):
        words = f"the folder {absolute.name} is not version {said.seq}, which it holds"
        return [failed("place", words, _MIXED)]
    findings = [passed("place", "the folder is named after the version")]
    if said.prev is not None:
        before = next(versions.glob(f"*-{said.prev[:8]}/{EVIDENCE_FOLDER}/manifest.json"), None)
        data = read_bounded(before, limits.envelope_bytes_max) if before is not None else None
        if data is not None:
            findings.append(check_predecessor(manifest, data, chain, limits))
    return findings


def _dataset(
    path: Path,
    evidence: Evidence,
    manifest: VerifiedManifest,
    policy: VerifiedPolicy | None,
    proven: _Proven,
) -> DatasetDossier:
    inventory = DiskFile("inventory.sha256", evidence.inventory)
    version = VersionDossier(manifest, inventory, has_content=True, content=path, record=proven.version)
    positions = (
        {policy.id: proven.policy.position} if policy is not None and proven.policy is not None else {}
    )
    policies = () if policy is None else (policy,)
    return DatasetDossier(manifest.manifest.dataset, (version,), policies, positions)


def _in_order(proven: _Proven) -> tuple[LoggedRecord, ...]:
    records = [each for each in (proven.version, proven.policy, proven.delivery) if each is not None]
    return tuple(sorted(records, key=lambda each: each.index))
