"""Reads the statements about each dataset of a bundle, by signature and form.

    for read in read_datasets(tree, chain, gathered): read.dataset, read.versions, read.policies

What does not hold is left out, and a finding says so.
"""

import re
from dataclasses import dataclass

from audit.bundle.tree import Tree
from audit.findings import failed, passed
from audit.gathering import Gathering
from audit.statements import Chain, check_manifest, owner_keys, rules_words
from core.errors import InvalidInput, SynclineError
from core.limits import LIMITS, Limits
from core.names import DatasetId, check_dataset, owner_of
from security.policy import VerifiedPolicy, verify_policy
from sync.manifest import VerifiedManifest

_POLICY = re.compile(r"([0-9]{8})\.json", re.ASCII)
_VERSION = re.compile(r"([0-9]+)-([0-9a-f]{8})", re.ASCII)
_FALSE = "do not rely on it; ask who gave it to you, and tell the federation's administrators"
_ASK = "ask who made the bundle for it again"


@dataclass(frozen=True, slots=True)
class ReadVersion:
    """A version's folder in the bundle, and its manifest."""

    folder: str
    manifest: VerifiedManifest


@dataclass(frozen=True, slots=True)
class Read:
    """What holds about a dataset; versions and policies by number."""

    dataset: DatasetId
    versions: tuple[ReadVersion, ...]
    policies: tuple[VerifiedPolicy, ...]


def read_datasets(tree: Tree, chain: Chain, gathered: Gathering, limits: Limits = LIMITS) -> list[Read]:
    """Every dataset in the bundle, by id."""
    found: list[Read] = []
    for owner in tree.folders("data/datasets"):
        for name in tree.folders(f"data/datasets/{owner}"):
            try:
                dataset = check_dataset(f"{owner}/{name}")
            except InvalidInput as error:
                gathered.add(failed("manifest", error.message, _ASK))
                continue
            folder = f"data/datasets/{dataset}"
            policies = _policies(tree, folder, dataset, chain, gathered, limits)
            versions = _versions(tree, folder, dataset, chain, gathered, limits)
            found.append(Read(dataset, versions, policies))
    return found


def _policies(
    tree: Tree, folder: str, dataset: DatasetId, chain: Chain, gathered: Gathering, limits: Limits
) -> tuple[VerifiedPolicy, ...]:
    keys = owner_keys(chain, owner_of(dataset))
    found: list[VerifiedPolicy] = []
    for name in tree.names(f"{folder}/policies"):
        matched = _POLICY.fullmatch(name)
        if matched is None:
            continue
        envelope = tree.read(f"{folder}/policies/{name}", limits.envelope_bytes_max) or b""
        rules = tree.read(f"{folder}/policies/{matched[1]}.rules.json", limits.envelope_bytes_max) or b"[]"
        try:
            policy = verify_policy(envelope, rules, keys, complete=False, dataset=dataset, limits=limits)
        except SynclineError as error:
            words = f"{dataset} policy {int(matched[1])}: {error.message}"
            gathered.add(failed("policy", words, error.remedy or _FALSE))
            continue
        if policy.policy.seq != int(matched[1]):
            words = f"{dataset}: {name} holds policy {policy.policy.seq}"
            gathered.add(failed("policy", words, _ASK))
            continue
        gathered.add(passed("policy", f"{dataset} policy {policy.policy.seq}; {rules_words(policy)}"))
        found.append(policy)
    return tuple(sorted(found, key=lambda each: each.policy.seq))


def _versions(
    tree: Tree, folder: str, dataset: DatasetId, chain: Chain, gathered: Gathering, limits: Limits
) -> tuple[ReadVersion, ...]:
    found: list[ReadVersion] = []
    for name in tree.folders(f"{folder}/versions"):
        at = f"{folder}/versions/{name}"
        envelope = tree.read(f"{at}/manifest.json", limits.envelope_bytes_max)
        manifest, findings = check_manifest(envelope, chain, limits)
        if manifest is None:
            for each in findings:
                gathered.add(each, f"{dataset} {name}")
            continue
        said, matched = manifest.manifest, _VERSION.fullmatch(name)
        if said.dataset != dataset:
            words = f"{at} holds a version of {said.dataset}"
            gathered.add(failed("manifest", words, _ASK))
            continue
        if matched is None or int(matched[1]) != said.seq or not manifest.id.startswith(matched[2]):
            words = f"{at} is not called after version {said.seq}, which it holds"
            gathered.add(failed("place", words, _ASK))
        gathered.add(passed("manifest", f"{dataset} version {said.seq}, signed by {said.owner}"))
        found.append(ReadVersion(at, manifest))
    return tuple(sorted(found, key=lambda each: each.manifest.manifest.seq))
