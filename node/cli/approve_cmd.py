"""`approve DATASET`: let what waits for a person go on."""

from contextlib import closing
from typing import Annotated

import typer

from core.commands import ConfigOption, JsonOption, emit_json, say
from node.cli.opening import open_node
from node.publish import approve as approve_dataset
from node.state import NodeState, StateLock


def approve(
    ctx: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Its name, with or without the partner.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Approve what a dataset waits for: many removals, or a folder that is another than before.

    The daemon goes on at once; without one, the next sync does.
    """
    opened = open_node(ctx, config, folders=False, log_level="warning")
    name = opened.settings.published(dataset).id(opened.settings.partner)
    answer = opened.ask_daemon("approve", {"dataset": str(name)})
    if answer is None:
        with StateLock(opened.state_dir), closing(NodeState(opened.state_dir)) as state:
            lines = list(approve_dataset(state, name))
        next_step = "The next syncline-node sync, or the daemon, publishes it."
    else:
        lines, next_step = list(answer["approved"]), "The daemon goes on."
    if as_json:
        emit_json({"dataset": name, "approved": lines})
        return
    say(f"{name}: approved")
    for line in lines:
        say(f"  {line}")
    say(next_step)
