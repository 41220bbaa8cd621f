"""Verifies mirrors, bundles and single statements, offline, and returns what each check found.

    for report in verify_paths([Path("/srv/mirror"), Path("evidence.zip")], Anchor(trust)):
        report.verdict, report.findings

Nothing outside the paths is read; an envelope, an opening or a proof by itself is checked with the registry
that stands beside it. Across the paths, checkpoints of one log must not contradict each other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.bundle.reader import is_bundle
from audit.dossier import Dossier
from audit.findings import Finding, Verdict, verdict
from audit.history import compare
from audit.load import Anchor, load_all
from audit.single import verify_single
from audit.witnesses import check_quorum
from core.errors import InvalidInput
from core.limits import LIMITS, Limits
from core.progress import Progress


@dataclass(frozen=True, slots=True)
class Report:
    """What was verified, and all that was found. `dataset` and `seq` None when no manifest was accepted, or
    when there are several, in a bundle.
    """

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
    path: Path,
    registry_id: str | None = None,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
) -> Iterator[Report]:
    """`verify_paths` of one path, trusting the first registry statement by its id."""
    return verify_paths([path], Anchor(registry_id=registry_id), limits, progress)


def verify_paths(
    paths: Sequence[Path],
    anchor: Anchor,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
    *,
    require_witnesses: bool = False,
) -> Iterator[Report]:
    """A report for each dataset, bundle and statement; a last one for what they say of one another.

    `require_witnesses` demands a quorum of cosignatures of each mirror and bundle.

    Raises:
        InvalidInput: there is nothing of Syncline's at a path, or a bundle is not safe to read.
    """
    dossiers: list[Dossier] = []
    for path in paths:
        if path.is_file() and not is_bundle(path):
            findings, manifest = verify_single(path, anchor, limits)
            said = None if manifest is None else manifest.manifest
            yield Report(
                path,
                tuple(findings),
                None if said is None else said.dataset,
                None if said is None else said.seq,
                None if manifest is None else manifest.id,
            )
            continue
        loaded = load_all(
            path, anchor.trust, limits, progress, registry_id=anchor.registry_id, check_content=True
        )
        for dossier, findings in loaded:
            dossiers.append(dossier)
            quorum = [check_quorum(dossier.cosigned, dossier.witnesses_known)] if require_witnesses else []
            yield _report(dossier, [*findings, *quorum])
    if len(dossiers) > 1:
        about = compare(dossiers)
        if about:
            yield Report(_common(paths), tuple(about))


def _report(dossier: Dossier, findings: Sequence[Finding]) -> Report:
    versions = [each for dataset in dossier.datasets for each in dataset.versions]
    if len(versions) != 1:
        return Report(dossier.path, tuple(findings))
    manifest = versions[0].manifest
    said = manifest.manifest
    return Report(dossier.path, tuple(findings), said.dataset, said.seq, manifest.id)


def _common(paths: Sequence[Path]) -> Path:
    return paths[0] if len(paths) == 1 else Path(" and ".join(str(each) for each in paths[:3]))


def check_exists(path: Path) -> None:
    """Raises `InvalidInput` when nothing is at `path`."""
    if not path.exists():
        raise InvalidInput(f"{path} does not exist", remedy="give the folder of a mirror, or a bundle")
