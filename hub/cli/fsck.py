"""`syncline-hub fsck`: every stored byte re-read and checked."""

from typing import Annotated

import typer

from core.commands import ConfigOption, JsonOption, emit_json, say
from core.errors import Corrupt, SynclineError
from hub.cli.setting import opened, settings_of
from hub.lock import exclusive
from hub.services.hub import Hub


def fsck(
    ctx: typer.Context,
    rebuild_index: Annotated[
        bool,
        typer.Option(
            "--rebuild-index",
            help="First make the packs' indices and the log's tree anew (stop the hub).",
        ),
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Re-read and check everything: packs, versions, statements, log. Also beside a running hub."""
    settings = settings_of(ctx, config)
    if rebuild_index:
        with exclusive(settings.layout), opened(settings) as hub:  # nothing may write meanwhile
            for line in hub.fsck.rebuild_index():
                typer.echo(line, err=True)
    with opened(settings) as hub:
        findings = list(hub.fsck.check())
        _note(hub, len(findings))
    if as_json:
        emit_json({"findings": findings})
    else:
        for finding in findings:
            say(f"{finding.where}: {finding.problem}\n  → {finding.remedy}")
    if findings:
        raise Corrupt(f"{len(findings)} thing(s) are not what they must be", remedy="see each line above")
    if not as_json:
        say("Everything stored here is what it must be.")


def _note(hub: Hub, problems: int) -> None:
    """For the pages. What was found is told even where nothing can be written any more."""
    try:
        hub.events.note("fsck", "error" if problems else "info", detail={"problems": problems})
    except SynclineError as error:
        typer.echo(f"the result could not be noted: {error.message}", err=True)
