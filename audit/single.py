"""Verifies one file: an envelope, or a leaf's opening with its proof, by the registry that stands beside it.

findings, manifest = verify_single(Path("manifest.json"), Anchor(trust))
"""

import itertools
from pathlib import Path

from audit.evidence import read_registries
from audit.findings import Finding, Result, failed, passed, unchecked
from audit.leaves import leaf_check
from audit.load import Anchor
from audit.logged import check_registry_leaves, open_log
from audit.receipts import read_receipt
from audit.source import FolderSource, read_bounded
from audit.statements import Chain, check_manifest, check_policy, check_registry, registry_limits
from audit.witnesses import check_witnesses
from core.clock import format_instant
from core.errors import SynclineError
from core.limits import LIMITS, Limits
from security import envelope as dsse
from security.tlog.tlog_proof import parse_proof_file
from sync.manifest import VerifiedManifest

_OPENING, _PROOF = ".opening.json", ".tlog-proof"
_UP = 3
_PEOPLE = "do not rely on it; ask who gave it to you, and tell the federation's administrators"


def verify_single(
    path: Path, anchor: Anchor, limits: Limits = LIMITS
) -> tuple[list[Finding], VerifiedManifest | None]:
    """What the file says, and whether it holds. The manifest, if it is one that does."""
    chain, findings = _registry(path, anchor, limits)
    if path.name.endswith((_OPENING, _PROOF)):
        return [*_leaf(path, chain, limits), *findings], None
    found, manifest = _envelope(path, chain, limits)
    return [*found, *findings], manifest


def _registry(path: Path, anchor: Anchor, limits: Limits) -> tuple[Chain, list[Finding]]:
    """The chain in a folder `registry` beside the file or above it; else the trust file's own statement."""
    folder = path.absolute().parent
    for place in [folder, *folder.parents][: _UP + 1]:
        at, name = (place.parent, place.name) if place.name == "registry" else (place, "registry")
        registries = read_registries(FolderSource(at), name, limits)
        first = next(registries, None)
        if first is not None:
            chain, findings = check_registry(itertools.chain((first,), registries), anchor.id, limits)
            return chain, [*anchor.findings(), *findings]
    if anchor.trust is not None:
        return (anchor.trust.registry,), anchor.findings()
    chain, findings = check_registry((), anchor.id, limits)
    return chain, findings


def _envelope(path: Path, chain: Chain, limits: Limits) -> tuple[list[Finding], VerifiedManifest | None]:
    wide = registry_limits(limits)
    data = read_bounded(path, wide.envelope_bytes_max) or b""
    try:
        statement = dsse.parse(data, wide)
    except SynclineError as error:
        return [failed("envelope", error.message, error.remedy or _PEOPLE)], None
    kind = statement.payload_type
    findings = [passed("envelope", f"{kind}, id {statement.id}")]
    if kind == dsse.MANIFEST:
        manifest, about = check_manifest(data, chain, limits)
        return findings + about, manifest
    if kind == dsse.POLICY:
        beside = FolderSource(path.absolute().parent)
        manifest, _ = check_manifest(beside.read("manifest.json", limits.envelope_bytes_max), chain, limits)
        disclosures = beside.read("policy-rules.json", limits.envelope_bytes_max)
        _, finding = check_policy(data, disclosures, manifest, chain, limits)
        return [*findings, finding], manifest
    return [*findings, _statement(data, statement, chain, limits)], None


def _statement(data: bytes, statement: dsse.Envelope, chain: Chain, limits: Limits) -> Finding:
    if statement.payload_type == dsse.REGISTRY:
        if any(each.id == statement.id for each in chain):
            return passed("statement", "it stands in the registry's chain")
        return unchecked("statement", "it is not in the chain of statements beside it")
    if statement.payload_type == dsse.RECEIPT and chain:
        try:
            receipt, _, (dataset, manifest_id) = read_receipt(data, chain, limits)
        except SynclineError as error:
            return failed("receipt", error.message, error.remedy or _PEOPLE)
        return passed(
            "receipt",
            f"the hub accepted {manifest_id} of {dataset} as leaf {receipt.leaf_index} of {receipt.log}",
        )
    return unchecked("statement", f"{statement.payload_type} cannot be checked by itself")


def _leaf(path: Path, chain: Chain, limits: Limits) -> list[Finding]:
    """A pair of opening and proof; a proof's own checkpoint stands for the log."""
    stem = path.name.removesuffix(_OPENING).removesuffix(_PROOF)
    opening = read_bounded(path.with_name(stem + _OPENING), limits.envelope_bytes_max)
    proof = read_bounded(path.with_name(stem + _PROOF), limits.note_bytes_max + 4096)
    if opening is None or proof is None:
        return [
            unchecked("leaf", "an opening and its proof are checked together; one is missing", "copy both")
        ]
    try:
        note = parse_proof_file(proof, limits).note
    except SynclineError as error:
        return [failed("leaf", error.message, error.remedy or _PEOPLE)]
    view, finding = open_log(note, chain, limits)
    findings = [finding]
    if view is None:
        return [*findings, unchecked("leaf", "without the log's checkpoint no leaf can be proven")]
    try:
        record = view.record(opening, proof)
    except SynclineError as error:
        findings.append(failed("leaf", error.message, error.remedy or _PEOPLE))
    else:
        words = f"leaf {record.index}, {format_instant(record.time)}: {record.actor}, {record.object}"
        findings.append(passed(leaf_check(record.type), words))
    positions, about = check_registry_leaves(view, {}, chain)
    if about.result is Result.FAILED:
        findings.append(about)
    return [*findings, check_witnesses(view, chain, positions)[2]]
