"""Reads evidence into dossiers, checking it on the way.

    for dossier, findings in load_all(Path("evidence.zip"), trust): ...
    dossier, findings = load(Path("/srv/mirror/la-dgm/geology-1m"), trust)

`check_content` also hashes every file of the data (`verify` and `report` want that, `show` does not).
"""

from collections.abc import Iterator
from pathlib import Path

from audit.dossier import Dossier
from audit.findings import Finding
from core.limits import LIMITS, Limits
from core.progress import Progress
from security.trust import Trust

Loaded = tuple[Dossier, list[Finding]]


def load(
    path: Path,
    trust: Trust | None,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
    *,
    registry_id: str | None = None,
    check_content: bool = False,
) -> Loaded:
    """The one dossier at `path`. Raises `InvalidInput` when there is none, or more than one."""
    raise NotImplementedError


def load_all(
    path: Path,
    trust: Trust | None,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
    *,
    registry_id: str | None = None,
    check_content: bool = False,
) -> Iterator[Loaded]:
    """A dossier for each dataset of a mirror, or the one of a bundle. Raises `InvalidInput` for neither."""
    raise NotImplementedError
