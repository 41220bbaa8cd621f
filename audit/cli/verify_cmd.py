"""`verify`: checks what is signed and what is stored, and says what it found."""

from pathlib import Path
from typing import Annotated

import typer

from audit.report import as_json, as_text, worst
from audit.verify import Report, verify_path
from core.commands import JsonOption, emit_json, say
from core.errors import InvalidInput
from core.progress import NullProgress
from core.terminal import progress
from security.digests import is_digest


def verify(
    path: Annotated[
        Path, typer.Argument(help="A mirror, a dataset's folder in it, a version's folder, or one envelope.")
    ],
    registry_id: Annotated[
        str | None,
        typer.Option(
            "--registry-id", metavar="HEX", help="Id of the first registry statement that you trust."
        ),
    ] = None,
    as_json_: JsonOption = False,
) -> None:
    """Verify signatures, chain and hashes; contacts nobody and changes nothing.

    The id of the first registry statement stands in every join file; `syncline-hub registry show` prints it.
    """
    if registry_id is not None:
        registry_id = registry_id.strip().lower()
        if not is_digest(registry_id):
            raise InvalidInput("--registry-id is not a SHA-256", remedy="give its 64 hex digits")
    if not path.exists():
        raise InvalidInput(f"{path} does not exist", remedy="give the folder of a mirror")
    reports: list[Report] = []
    with progress() as shown:
        for report in verify_path(path, registry_id, progress=NullProgress() if as_json_ else shown):
            reports.append(report)
            if not as_json_:
                say(("\n" if len(reports) > 1 else "") + as_text(report))
    if as_json_:
        emit_json(as_json(reports))
    raise typer.Exit(worst(reports).value)
