"""`leave`: this node leaves the federation, by its own signed word."""

import sys
from contextlib import closing
from typing import Annotated

import typer

from core.clock import SystemClock
from core.commands import ConfigOption, JsonOption, emit_json, say
from core.errors import Denied, InvalidInput
from core.logs import printable
from core.names import NodeName
from node import departure
from node import identity as identities
from node.cli.opening import Opened, open_node
from node.state import StateLock
from security.departure import Departure

#: What the hub answers to a node that it does not know any more.
_GONE = ("NOT_ENROLLED", "REPLACED")


def leave(
    ctx: typer.Context,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the log.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Leave the federation: the hub is told, in writing, and this node may call nothing more.

    Nothing is deleted anywhere. What was published stays at the hub, and is given to whom the last policy
    allows it: to end that, remove the rules of sharing and sync before leaving. Stop the daemon first.
    Safe to repeat until it says that it is done.
    """
    opened = open_node(ctx, config, folders=False, log_level="critical")
    identity = identities.load(opened.state_dir, opened.passphrase)
    departure.check_not_left(identity.directory)
    if not yes:
        _ask(opened)
    with StateLock(opened.state_dir):
        last = _tell(opened, reason)
    if as_json:
        emit_json({"left": True, "last_node": last})
        return
    settings = opened.settings
    say(f"{settings.partner}/{settings.node.name} has left the federation.")
    if last:
        say(f"It was the last node of {settings.partner}.")
    say("Keys, published folders and mirrors are where they were.")
    say("Next: disable the service (systemctl disable syncline-node).")


def _ask(opened: Opened) -> None:
    settings = opened.settings
    if not sys.stdin.isatty():
        raise InvalidInput("leaving must be confirmed", remedy="run it in a terminal, or add --yes")
    say(f"{settings.partner}/{settings.node.name} leaves the federation at {settings.hub.address}.")
    say(
        "  published here  stays at the hub under its last policy (to end that: remove its rules, sync first)"
    )
    for section in settings.publish:
        say(f"                  {printable(section.id(settings.partner))}")
    say("  mirrors         stay on this disk, and get nothing new")
    say("  to come back    needs a new join file")
    typed = typer.prompt(f"Type {settings.partner} to leave")
    if typed.strip() != settings.partner:
        raise InvalidInput("nothing was done: that is not this agency's id")


def _tell(opened: Opened, reason: str) -> bool:
    """Tell the hub; whether this was the last node of its partner."""
    from node.session import Session  # noqa: PLC0415

    with closing(Session.open(opened.settings, opened.passphrase)) as session:
        keys = session.identity.directory
        asked_before = departure.said(keys) is not None
        word = Departure(
            session.trust.newest().registry.federation,
            opened.settings.partner,
            NodeName(opened.settings.node.name),
            SystemClock().now(),
            reason,
        )
        envelope = departure.say(keys, word, session.identity.signing)
        try:
            last = session.hub().leave(envelope)
        except Denied as error:
            if not asked_before or error.reason not in _GONE:
                raise
            last = False  # the answer to what was asked before was lost
        departure.settle(keys)
    return last
