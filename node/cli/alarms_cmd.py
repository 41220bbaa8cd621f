"""`alarms`, `alarms show ID`, `alarms decide ID --reason TEXT`: what the hub was caught at, what follows."""

import json
import os
import pwd
from typing import Annotated

import typer

from core.commands import ConfigOption, JsonOption, emit_json, remember_config, say
from core.errors import Untrusted
from core.terminal import table
from node.alarms import Alarm, Alarms
from node.cli.opening import Opened, open_node

alarms = typer.Typer(
    help="Show what this node has caught the hub at, and decide what is to be done.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
)

AlarmName = Annotated[str, typer.Argument(metavar="ID", help="As `syncline-node alarms` lists it.")]


@alarms.callback()
def list_alarms(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List all alarms, those that wait for a decision first. Exit status 3 while one does."""
    if ctx.invoked_subcommand is not None:
        remember_config(ctx, config)
        return
    opened = open_node(ctx, config, folders=False, log_level="error")
    store = Alarms(opened.state_dir)
    waiting = store.open()
    found = waiting + [each for each in store.all() if not each.is_open]
    if as_json:
        emit_json({"alarms": [each.as_json() for each in found]})
    elif found:
        rows = [(each.id, each.since, _decided(each), each.message) for each in found]
        say(table(("alarm", "since", "decided", "what"), rows))
    else:
        say("No alarm.")
    if waiting:
        raise typer.Exit(Untrusted.exit_status)


@alarms.command()
def show(
    ctx: typer.Context, name: AlarmName, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Show one alarm with its facts and where its evidence stands."""
    opened = open_node(ctx, config, folders=False, log_level="error")
    store = Alarms(opened.state_dir)
    alarm = store.get(name)
    if as_json:
        emit_json(alarm.as_json())
        return
    say(f"{alarm.id}: {alarm.message}")
    say(f"  since {alarm.since}")
    for key, value in alarm.facts.items():
        say(f"  {key}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    say(f"  evidence in {store.folder / alarm.id}:")
    for each in alarm.evidence:
        say(f"    {each}")
    for line in alarm.notes:
        say(f"  note: {line}")
    if alarm.decision is None:
        say(f"  → {alarm.error().remedy}")
    else:
        say(f"  decided by {alarm.decision.who} on {alarm.decision.time}: {alarm.decision.reason}")


@alarms.command()
def decide(
    ctx: typer.Context,
    name: AlarmName,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with the alarm.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Decide that the node may go on. All evidence is kept.

    After two histories, the node follows the hub's current log from its first entry; what it saw before is
    kept.
    """
    opened = open_node(ctx, config, folders=False, log_level="error")
    who = pwd.getpwuid(os.getuid()).pw_name
    arguments = {"name": name, "reason": reason, "who": who}
    decided = opened.ask_daemon("decide-alarm", arguments)
    if decided is None:
        decided = _alone(opened, **arguments)
    if as_json:
        emit_json(decided)
        return
    say(f"{name}: decided by {who}")
    waiting = Alarms(opened.state_dir).open()
    if waiting:
        say(f"{len(waiting)} more wait for a decision: syncline-node alarms")
    else:
        say("New versions are accepted again, from the next syncline-node sync or by the daemon.")


def _alone(opened: Opened, name: str, reason: str, who: str) -> dict[str, object]:
    # Where a daemon does the work, this command needs none of it.
    from node.engine import Engine  # noqa: PLC0415
    from node.session import Session  # noqa: PLC0415
    from node.state import StateLock  # noqa: PLC0415

    with StateLock(opened.state_dir), Session.open(opened.settings, opened.passphrase) as session:
        return Engine(session).decide(name, reason, who).as_json()


def _decided(alarm: Alarm) -> str:
    return "no" if alarm.decision is None else f"{alarm.decision.time} by {alarm.decision.who}"
