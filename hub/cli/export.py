"""`syncline-hub export DATASET…`: evidence in a bundle, for the owner, an auditor or another partner."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from core.clock import parse_instant
from core.commands import ConfigOption, JsonOption, emit_json, say
from core.errors import InvalidInput
from core.terminal import bytes_text, progress
from hub.cli.setting import opened, settings_of
from hub.services.export import Exported

_DATE_CHARACTERS = 10


def export(
    ctx: typer.Context,
    datasets: Annotated[
        list[str],
        typer.Argument(metavar="DATASET...", help="<partner>/<name>, or a pattern like 'la-dgm/*'."),
    ],
    audience: Annotated[
        str,
        typer.Option(
            "--for", metavar="WHO", help='Who gets it: "owner", or the id of an auditor or a partner.'
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR|FILE.zip", help="A new folder, or a new zip file.")
    ],
    with_data: Annotated[
        bool, typer.Option("--with-data", help="The files too, where a rule lets the receiver read them.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DATE", help="Only versions and records from then on (2026-11-22)."),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Write all that proves the datasets, as far as the receiver may have it. The log says that it was done.

    Also beside a running hub. An existing --out is never overwritten.
    """
    begin = None if since is None else parse_since(since)
    with opened(settings_of(ctx, config)) as hub, progress() as shown:
        plan = hub.export.plan(datasets, audience, with_data=with_data, since=begin)
        done = hub.export.export(plan, out.absolute(), shown)
    if as_json:
        emit_json({"out": out, "for": done.scope.audience, **_json(done)})
        return
    scope = done.scope
    say(f"{out}: evidence for {scope.audience} about {done.datasets} dataset(s), {done.versions} version(s)")
    say(
        f"  {done.records} log records under the checkpoint of {scope.tree_size} leaves;"
        f" lanes opened whole: {', '.join(scope.lanes) or 'none'}"
    )
    if done.witnesses:
        say(f"  {done.witnesses} witness(es) have cosigned that checkpoint")
    else:
        say("  no witness has cosigned that checkpoint yet: export again in some minutes for one that is")
    say(f"  {done.files} files, {bytes_text(done.bytes)}")
    if done.withheld:
        say(f"  The bytes of {done.withheld} version(s) are not at this hub: their owner withholds them.")
    say(f"Next: syncline-audit verify {out} --trust FILE")


def parse_since(text: str) -> datetime:
    """A date (00:00 UTC), or an instant in RFC 3339. Raises `InvalidInput`."""
    try:
        return parse_instant(f"{text}T00:00:00Z" if len(text) == _DATE_CHARACTERS else text)
    except InvalidInput as error:
        raise InvalidInput(
            f"{text!r} is no date", remedy="give --since 2026-11-22, or 2026-11-22T08:00:00Z"
        ) from error


def _json(done: Exported) -> dict[str, object]:
    return {
        "datasets": done.scope.datasets,
        "lanes": done.scope.lanes,
        "log": done.scope.log,
        "tree_size": done.scope.tree_size,
        "versions": done.versions,
        "records": done.records,
        "files": done.files,
        "bytes": done.bytes,
        "withheld_versions": done.withheld,
        "witnesses": done.witnesses,
    }
