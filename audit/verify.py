"""Verifies a mirror, a version or a single statement, offline, and returns what each check found.

    for report in verify_path(Path("/srv/mirror/la-dgm/geology-1m"), registry_id="ab12…"):
        report.verdict, report.findings

`PATH` may be a mirror's root, a dataset's folder (its `current` version is checked), a version's folder, or
one envelope. Nothing outside it is read.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from audit.content import check_content, check_inventory
from audit.evidence import Evidence, is_plain_folder, read_bounded, read_evidence
from audit.findings import Finding, Result, Verdict, failed, passed, unchecked, verdict
from audit.statements import (
    Chain,
    check_keys,
    check_manifest,
    check_policy,
    check_predecessor,
    check_registry,
    registry_limits,
)
from core.errors import InvalidInput, SynclineError
from core.limits import LIMITS, Limits
from core.names import EVIDENCE_FOLDER
from core.progress import Progress
from security import envelope as dsse
from sync.manifest import VerifiedManifest

_VERSION_NAME = re.compile(r"([0-9]+)-([0-9a-f]{8})", re.ASCII)
_CURRENT = re.compile(r"versions/[0-9]+-[0-9a-f]{8}/?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Report:
    """What was verified, and all that was found. `dataset` and `seq` None when no manifest was accepted."""

    path: Path
    findings: tuple[Finding, ...]
    dataset: str | None = None
    seq: int | None = None
    manifest_id: str | None = None

    @property
    def verdict(self) -> Verdict:
        """All findings in a word."""
        return verdict(self.findings)


def verify_path(
    path: Path, registry_id: str | None = None, limits: Limits = LIMITS, progress: Progress | None = None
) -> Iterator[Report]:
    """Verify what stands at `path`; a report for each dataset found there.

    Raises:
        InvalidInput: there is nothing of Syncline's at `path`.
    """
    if path.is_file():
        yield verify_envelope(path, registry_id, limits)
    elif (path / EVIDENCE_FOLDER).exists():
        yield verify_version(path, registry_id, limits, progress)
    elif os.path.lexists(path / "current"):
        yield verify_dataset(path, registry_id, limits, progress)
    else:
        found = sorted({*path.glob("*/current"), *path.glob("*/*/current")})
        if not found:
            raise InvalidInput(
                f"{path} holds neither a mirror, a version nor a statement",
                remedy="give a folder with `current` or `.syncline` in it, or an envelope's file",
            )
        for current in found:
            yield verify_dataset(current.parent, registry_id, limits, progress)


def verify_dataset(
    path: Path, registry_id: str | None, limits: Limits = LIMITS, progress: Progress | None = None
) -> Report:
    """A dataset's folder: the version that `current` names."""
    try:
        target = str((path / "current").readlink())
    except OSError:
        target = ""
    if not _CURRENT.fullmatch(target) or not is_plain_folder(path / "versions"):
        return Report(path, (failed("place", "`current` is not a link to a folder in versions/"),))
    return verify_version(path / target.rstrip("/"), registry_id, limits, progress)


def verify_version(
    path: Path, registry_id: str | None, limits: Limits = LIMITS, progress: Progress | None = None
) -> Report:
    """A version's folder: registry, manifest, policy, keys, inventory, files, and its place in the mirror."""
    try:
        evidence = read_evidence(path / EVIDENCE_FOLDER, limits)
    except SynclineError as error:
        return Report(path, (unchecked("evidence", error.message, error.remedy),))
    chain, findings = check_registry(evidence.registries, registry_id, limits)
    manifest, about = check_manifest(evidence.manifest, chain, limits)
    findings += [*about, check_policy(evidence, manifest, chain, limits), check_keys(evidence, chain)]
    if manifest is None:
        findings.append(unchecked("files", "what should stand here is not known without the manifest"))
        return Report(path, tuple(findings))
    findings += _check_data(path, evidence, manifest, limits, progress)
    findings += _check_place(path, manifest, chain, limits)
    said = manifest.manifest
    return Report(path, tuple(findings), said.dataset, said.seq, manifest.id)


def verify_envelope(path: Path, registry_id: str | None, limits: Limits = LIMITS) -> Report:
    """One statement, with the registry that stands beside it, if any."""
    wide = registry_limits(limits)
    data = read_bounded(path, wide.envelope_bytes_max)
    try:
        statement = dsse.parse(data or b"", wide)
    except SynclineError as error:
        return Report(path, (failed("envelope", error.message, error.remedy),))
    kind = statement.payload_type
    findings = [passed("envelope", f"{kind}, id {statement.id}")]
    folder = path.parent.parent if path.parent.name == "registry" else path.parent
    evidence = read_evidence(folder, limits)
    chain, about = check_registry(evidence.registries, registry_id, limits)
    findings += about
    manifest: VerifiedManifest | None = None
    if kind == dsse.MANIFEST:
        manifest, about = check_manifest(data, chain, limits)
        findings += about
    elif kind == dsse.POLICY:
        manifest, _ = check_manifest(evidence.manifest, chain, limits)
        findings.append(check_policy(replace(evidence, policy=data), manifest, chain, limits))
    elif kind == dsse.REGISTRY:
        known = any(each.id == statement.id for each in chain)
        findings.append(
            passed("statement", "it stands in the registry's chain")
            if known
            else unchecked("statement", "it is not in the chain of statements beside it")
        )
    else:
        findings.append(unchecked("statement", f"{kind} cannot be checked by itself"))
    if manifest is None:
        return Report(path, tuple(findings))
    return Report(path, tuple(findings), manifest.manifest.dataset, manifest.manifest.seq, manifest.id)


def _check_data(
    path: Path, evidence: Evidence, manifest: VerifiedManifest, limits: Limits, progress: Progress | None
) -> list[Finding]:
    inventory = check_inventory(evidence.inventory, manifest.manifest)
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
        return [failed("place", f"the manifest is about {said.dataset}, the folder is another's")]
    name = _VERSION_NAME.fullmatch(absolute.name)
    if name is None or int(name[1]) != said.seq or not manifest.id.startswith(name[2]):
        return [failed("place", f"the folder {absolute.name} is not version {said.seq}, which it holds")]
    findings = [passed("place", "the folder is named after the version")]
    if said.prev is not None:
        before = next(versions.glob(f"*-{said.prev[:8]}/{EVIDENCE_FOLDER}/manifest.json"), None)
        data = read_bounded(before, limits.envelope_bytes_max) if before is not None else None
        if data is not None:
            findings.append(check_predecessor(manifest, data, chain, limits))
    return findings
