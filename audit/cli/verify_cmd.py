"""`verify`: checks what is signed and what is stored, and says what it found."""

from pathlib import Path
from typing import Annotated

import typer

from audit.cli.trusted import RegistryIdOption, TrustOption, anchor_from
from audit.report import as_json, as_text, in_all, worst
from audit.verify import Report, check_exists, verify_paths
from core.commands import JsonOption, emit_json, say
from core.progress import NullProgress
from core.terminal import progress


def verify(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH…",
            help="A mirror, a dataset's or version's folder in it, a bundle (folder or .zip), an envelope, or"
            " a leaf's opening with its proof. Several are also compared with each other.",
        ),
    ],
    trust: TrustOption = None,
    registry_id: RegistryIdOption = None,
    require_witnesses: Annotated[
        bool,
        typer.Option("--require-witnesses", help="Demand that a quorum of witnesses has cosigned the log."),
    ] = False,
    as_json_: JsonOption = False,
) -> None:
    """Verify signatures, chains, the hub's log and every file; contacts nobody and changes nothing.

    Exit status: 0 all proven; 3 something is false; 6 something could not be checked, and it says what.

    The trust file comes from the federation's administrators (`syncline-hub registry trust`); compare its
    fingerprint with them before the first use.
    """
    anchor = anchor_from(trust, registry_id)
    for path in paths:
        check_exists(path)
    reports: list[Report] = []
    with progress() as shown:
        bar = NullProgress() if as_json_ else shown
        for report in verify_paths(paths, anchor, progress=bar, require_witnesses=require_witnesses):
            reports.append(report)
            if not as_json_:
                say(("\n" if len(reports) > 1 else "") + as_text(report))
    if as_json_:
        emit_json(as_json(reports))
    elif len(reports) > 1:
        say("\n" + in_all(reports))
    raise typer.Exit(worst(reports).value)
