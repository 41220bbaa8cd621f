"""`syncline-node export DATASET…`: what this node can prove, in a bundle; asks nobody."""

from pathlib import Path
from typing import Annotated

import typer

from core.clock import SystemClock
from core.commands import ConfigOption, JsonOption, emit_json, say
from core.terminal import bytes_text, progress
from node.cli.opening import open_node
from node.export import Place, choose
from node.export import export as write_bundle


def export(
    ctx: typer.Context,
    datasets: Annotated[
        list[str],
        typer.Argument(
            metavar="DATASET...", help="<partner>/<name>, an own name, or a pattern like 'la-dgm/*'."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR|FILE.zip", help="A new folder, or a new zip file.")
    ],
    with_data: Annotated[
        bool, typer.Option("--with-data", help="The files of the versions that stand here, too.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Write what this node can prove about datasets, published or mirrored: statements, openings, proofs.

    From its own state, under the newest checkpoint that it has read; works offline. What it does not have,
    the hub's operator can export: syncline-hub export.
    """
    opened = open_node(ctx, config, folders=False, log_level="warning")
    place = Place(opened.settings, SystemClock())
    chosen = choose(place, datasets)
    with progress() as shown:
        done = write_bundle(place, chosen, out.absolute(), with_data=with_data, progress=shown)
    scope = done.scope
    if as_json:
        emit_json(
            {
                "out": out,
                "for": scope.audience,
                "datasets": scope.datasets,
                "lanes": scope.lanes,
                "log": scope.log,
                "tree_size": scope.tree_size,
                "records": done.records,
                "files": done.files,
                "bytes": done.bytes,
                "unread_leaves": done.unread,
            }
        )
        return
    say(f"{out}: evidence about {', '.join(scope.datasets)}")
    say(
        f"  {done.records} log records under the checkpoint of {scope.tree_size} leaves;"
        f" lanes opened whole: {', '.join(scope.lanes) or 'none'}"
    )
    say(f"  {done.files} files, {bytes_text(done.bytes)}")
    if done.unread:
        say(f"  This node has still to ask for its openings among the last {done.unread} leaves.")
    say(f"Next: syncline-audit verify {out} --trust FILE")
