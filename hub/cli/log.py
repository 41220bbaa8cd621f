"""`syncline-hub log show` and `log continue`: the hub's log, and how it goes on after a restore."""

from pathlib import Path
from typing import Annotated

import typer

from core.clock import SystemClock, format_instant
from core.commands import ConfigOption, JsonOption, emit_json, new_group, say
from core.errors import InvalidInput
from hub.administrators import keep_registry, kept_registry, require_keys
from hub.backup.marker import settle
from hub.cli.setting import ago, instant, opened, passphrase, same_config, settings_of
from hub.services.hub import Hub
from security.tlog.position import continued

log = new_group("The hub's log: its checkpoints, its witnesses, how it goes on after a restore.")


@log.command()
def show(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the log, the logs before it, and how many witnesses stand for its newest checkpoint."""
    with opened(settings_of(ctx, config)) as hub:
        status = hub.log.status()
        logs = hub.registry.current().registry.logs
    bases = [continued(logs, number) for number in range(len(logs))]
    if as_json:
        emit_json(
            {
                "origin": status.origin,
                "leaves": status.leaves,
                "checkpoint_size": status.checkpoint_size,
                "checkpoint_time": instant(status.checkpoint_time),
                "witnesses": status.quorum.seen,
                "cosigned": status.quorum.fresh,
                "needed": status.quorum.needed,
                "logs": [
                    {"origin": each.origin, "continues_at": None if base is None else base[1].size}
                    for each, base in zip(logs, bases, strict=True)
                ],
            }
        )
        return
    quorum = status.quorum
    say(f"Log {status.origin}")
    say(f"  leaves      {status.leaves}")
    made = ago(status.checkpoint_time, SystemClock().now())
    say(f"  checkpoint  {status.checkpoint_size} leaves, signed {made}")
    say(f"  witnesses   {quorum.fresh} of {quorum.seen} stand for it; {quorum.needed} are a quorum")
    for each, base in zip(logs, bases, strict=True):
        if base is not None:
            say(f"  {each.origin} continues {base[1].origin} after its first {base[1].size} leaves")


@log.command("continue")
def go_on(
    ctx: typer.Context,
    keys: Annotated[
        Path, typer.Option("--keys", metavar="DIR", help="Folder with the administrators' keys.")
    ],
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="What happened, for the log.")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            metavar="LEAVES",
            help="Continue the checkpoint of this size, not the last one that a witness stands for.",
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Begin a new log, after this hub was restored from an older copy. Before the hub runs again.

    Takes in the registry statements that stand beside the keys, and signs one with a new log that continues
    what this copy holds. Nodes see by it that this is a restore and no attack, and owners send again what is
    missing.
    """
    settings = settings_of(ctx, config)
    with opened(settings) as hub:
        signers = require_keys(keys, passphrase())
        taken = hub.log_continuation.take_in(kept_registry(keys))
        if taken:
            say(f"{taken} registry statements that this copy lacked were taken in from {keys}.")
        made = hub.log_continuation.begin(signers, _reason(hub, taken, reason), size)
        keep_registry(keys, hub.registry.list_from)
        snapshot = settle(settings.layout)
        if snapshot is not None:
            hub.events.note("hub.restored", "warning", detail={"snapshot": snapshot})
        hub.log.make_checkpoint(force=True)
        strangers = hub.log_continuation.strangers()
        told = hub.registry.current().registry
        base = continued(told.logs, len(told.logs) - 1)
    assert base is not None
    say(f"{made.origin} continues {base[1].origin} after its first {base[1].size} leaves.")
    say(f"Registry {told.seq} says so until {format_instant(told.expires)}; nodes fetch it by themselves.")
    command = same_config(ctx, config)
    for partner, node in strangers:
        say(f"Node {node} of {partner} was enrolled after this copy was made: it joins anew, with its data.")
        say(f"  {command} invite {partner} --node {node} --replace --out {partner}.join")
    say("Next: start the hub. Other nodes go on by themselves.")


def _reason(hub: Hub, taken: int, reason: str | None) -> str:
    """Why a new log is begun. Raises `InvalidInput` where nothing calls for it and nobody says."""
    if reason is not None:
        return reason
    alarms = hub.log_continuation.alarms()
    if taken:
        return "restored: the administrators hold registry statements that this copy lacked"
    if alarms:
        return f"restored: {alarms} alarms of nodes say that the log was turned back"
    raise InvalidInput(
        "nothing shows that this hub was restored from an older copy",
        remedy="if it was, say so: --reason 'restored from the backup of …'",
        reason="NOT_NEEDED",
    )
