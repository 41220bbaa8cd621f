"""Chooses one version out of evidence, to compare it or to ask about it.

place, seq = split("evidence.zip#3")               # Path("evidence.zip"), 3
dataset = choose_dataset(dossier.datasets, None)   # the only one
side = side_of(dossier, dataset, seq)              # version 3; the newest without a number
"""

import re
from collections.abc import Iterable
from pathlib import Path

from audit.diff import Side
from audit.dossier import DatasetDossier, Dossier, VersionDossier
from audit.findings import Finding, Result
from core.errors import InvalidInput, Unavailable, Untrusted
from security.policy import VerifiedPolicy

_SEE = "see `syncline-audit verify`"
_NUMBERED = re.compile(r"(.+)#([1-9][0-9]{0,9})", re.ASCII | re.DOTALL)


def split(text: str) -> tuple[Path, int | None]:
    """`PATH#SEQ` or `PATH`. In a mirror, the folder of that version stands for the dataset's folder."""
    found = _NUMBERED.fullmatch(text)
    if found is None or Path(text).exists():
        return Path(text), None
    path, seq = Path(found[1]), int(found[2])
    folders = sorted((path / "versions").glob(f"{seq}-*"))
    return (folders[0] if len(folders) == 1 else path), seq


def choose(
    loaded: Iterable[tuple[Dossier, list[Finding]]], wanted: str | None
) -> tuple[Dossier, DatasetDossier, list[Finding]]:
    """The dataset of that id, or the only one there is, with what was found about it.

    Raises:
        Untrusted: nothing of it can be believed. Unavailable: nothing could be checked.
        InvalidInput: it is not there, or there are several.
    """
    all_ = list(loaded)
    held = [
        (dossier, each, findings) for dossier, findings in all_ for each in dossier.datasets if each.versions
    ]
    if not held:
        false = [f.message for _, findings in all_ for f in findings if f.result is Result.FAILED]
        if false:
            raise Untrusted(f"no version here can be believed: {false[0]}", remedy=_SEE)
        raise Unavailable("no version here could be checked", remedy=_SEE)
    found = [each for each in held if wanted in (None, each[1].dataset)]
    names = ", ".join(each.dataset for _, each, _ in held)
    if len(found) == 1:
        return found[0]
    if not found:
        raise InvalidInput(f"{wanted} is not part of this evidence, which holds {names}")
    raise InvalidInput(f"this evidence holds {names}", remedy="choose one with --dataset")


def side_of(dossier: Dossier, dataset: DatasetDossier, seq: int | None) -> Side:
    """That version of the dataset with all that is known beside it. Raises `InvalidInput`."""
    version = _version(dataset, seq)
    manifest = version.manifest.manifest
    registry = next(
        (each.registry for each in dossier.registries if each.id == manifest.registry_sha256), None
    )
    return Side(
        manifest=version.manifest,
        inventory=version.inventory.open,
        content=version.content,
        policy=_policy(dataset, version),
        registry=registry,
    )


def _version(dataset: DatasetDossier, seq: int | None) -> VersionDossier:
    held = ", ".join(str(each.manifest.manifest.seq) for each in dataset.versions) or "none"
    found = [each for each in dataset.versions if seq in (None, each.manifest.manifest.seq)]
    if not found:
        raise InvalidInput(
            f"version {seq or ''} of {dataset.dataset} is not part of this evidence; versions: {held}",
            remedy="choose one of them with PATH#NUMBER",
        )
    return found[-1]


def _policy(dataset: DatasetDossier, version: VersionDossier) -> VerifiedPolicy | None:
    """The policy that the manifest names; a mirror may hold a newer one instead, under which it came."""
    pinned = version.manifest.manifest.policy_sha256
    named = next((each for each in dataset.policies if each.id == pinned), None)
    return named or (dataset.policies[-1] if dataset.policies else None)
