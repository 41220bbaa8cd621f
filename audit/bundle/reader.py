"""Reads bundles."""

from pathlib import Path

from audit.dossier import Dossier
from audit.findings import Finding
from core.limits import LIMITS, Limits
from core.progress import Progress


def is_bundle(path: Path) -> bool:
    """Whether a bag stands at `path`."""
    return (path.suffix.lower() == ".zip" and path.is_file()) or (path / "bagit.txt").is_file()


def load_bundle(
    path: Path,
    anchor: str | None,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
    *,
    with_content: bool = True,
) -> tuple[Dossier, list[Finding]]:
    """The bundle at `path`."""
    raise NotImplementedError
