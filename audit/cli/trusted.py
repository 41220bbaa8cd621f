"""What the auditor trusts, as the commands take it: `--trust FILE`, or the first registry's id alone.

def show(path: PathArgument, trust: TrustOption = None, registry_id: RegistryIdOption = None) -> None:
    for dossier, findings in load_evidence(path, trust, registry_id, shown): ...
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from audit.dossier import Dossier
from audit.findings import Finding
from audit.load import Anchor, load_all
from audit.source import read_bounded
from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS
from core.progress import Progress
from security.digests import is_digest
from security.trust import Trust, read_trust

PathArgument = Annotated[
    Path,
    typer.Argument(help="A mirror, a dataset's or version's folder in it, or a bundle (folder or .zip)."),
]
TrustOption = Annotated[
    Path | None,
    typer.Option("--trust", metavar="FILE", help="The federation's trust file, compared by fingerprint."),
]
RegistryIdOption = Annotated[
    str | None,
    typer.Option(
        "--registry-id", metavar="HEX", help="Instead of --trust: id of the first registry statement."
    ),
]


def load_evidence(
    path: Path,
    trust: Path | None,
    registry_id: str | None,
    progress: Progress | None = None,
    *,
    check_content: bool = False,
) -> Iterator[tuple[Dossier, list[Finding]]]:
    """Every dossier at `path`, checked against what the auditor trusts."""
    if not path.exists():
        raise InvalidInput(f"{path} does not exist", remedy="give the folder of a mirror, or a bundle")
    return load_all(
        path,
        trust_from(trust),
        progress=progress,
        registry_id=_registry_id(registry_id),
        check_content=check_content,
    )


def trust_from(path: Path | None) -> Trust | None:
    """The trust file that was given. Raises `InvalidInput` for none there, `Untrusted` for a wrong one."""
    if path is None:
        return None
    data = read_bounded(path, 2 * LIMITS.registry_envelope_bytes_max)
    if data is None:
        raise InvalidInput(f"{path} cannot be read", remedy="give the federation's trust file")
    try:
        return read_trust(data)
    except Untrusted as error:
        raise Untrusted(
            f"{path} is no trust file that can be relied on: {error.message}",
            remedy=error.remedy or "ask the federation's administrators for it, and compare the fingerprint",
            reason=error.reason,
        ) from error


def anchor_from(trust: Path | None, registry_id: str | None) -> Anchor:
    """Where trust begins, from both options. Raises as `trust_from`, `InvalidInput` for what is no id."""
    return Anchor(trust_from(trust), _registry_id(registry_id))


def _registry_id(text: str | None) -> str | None:
    if text is None:
        return None
    cleaned = text.strip().lower()
    if not is_digest(cleaned):
        raise InvalidInput("--registry-id is not a SHA-256", remedy="give its 64 hex digits")
    return cleaned
