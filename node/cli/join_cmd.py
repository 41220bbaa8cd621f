"""`join FILE`: become a member of the federation that wrote the join file."""

from pathlib import Path
from typing import Annotated

import typer

from core.clock import SystemClock
from core.commands import ConfigOption, JsonOption, emit_json, say
from core.errors import NEEDS_ATTENTION, Denied, Unavailable
from core.names import NodeName
from node import enrol, restoring
from node.cli.opening import Opened, open_node
from node.state import DATABASE_NAME, StateLock


def join(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The join file that the hub's operator sent.")],
    wait: Annotated[bool, typer.Option("--wait", help="Stay until the operator has approved.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Join a federation: make the keys, ask the hub, print the fingerprint to read back.

    Repeating it is safe. The private keys never leave this machine.
    """
    opened = open_node(ctx, config, folders=False, log_level="warning")
    with StateLock(opened.state_dir):
        outcome = ask(opened, file)
        note = _of_a_lost_state(opened, file)
        if not as_json:
            introduce(outcome)
            if note:
                say(note)
                say()
        if outcome.state is enrol.EnrolmentState.PENDING:
            timeout_s = None if wait else 0
            if wait and not as_json:
                say("Waiting for the operator's approval (Ctrl-C ends the waiting, not the request) …")
            outcome = enrol.wait(
                state_dir=opened.state_dir,
                clock=SystemClock(),
                passphrase=opened.passphrase,
                timeout_s=timeout_s,
            )
    if as_json:
        emit_json(outcome)
    elif outcome.state is enrol.EnrolmentState.APPROVED:
        say(f"Approved: {outcome.partner}/{outcome.node} is a member of {outcome.federation}.")
        say("Next: syncline-node plan, then syncline-node run")
    elif outcome.state is enrol.EnrolmentState.PENDING and not wait:
        _say_what_happens_next(outcome)
    _leave_unless_approved(outcome, waited=wait)


def ask(opened: Opened, file: Path) -> enrol.JoinOutcome:
    """Ask the hub in `file` for this node; the caller holds the state's lock."""
    settings = opened.settings
    return enrol.join(
        file,
        partner=settings.partner,
        node=NodeName(settings.node.name),
        hub_address=settings.hub.address,
        state_dir=opened.state_dir,
        clock=SystemClock(),
        passphrase=opened.passphrase,
        config_path=opened.config_path,
    )


def _of_a_lost_state(opened: Opened, file: Path) -> str:
    """What joining with this file means for a state that is lost; empty where none is."""
    replaces = enrol.read_join_file(file).replace
    if restoring.is_under_way(opened.state_dir):
        if replaces:
            return (
                "A restoring was begun here: once approved, it goes on when the node starts,"
                f" or with: syncline-node restore {file}"
            )
        restoring.end(opened.state_dir)
        return (
            "The restoring that was begun here is given up, since this file replaces no node:"
            " what was published under this name before waits for syncline-node approve."
        )
    if replaces and not (opened.state_dir / DATABASE_NAME).exists():
        return (
            "This file replaces a node, and its state is not here. If it is lost, run instead:"
            f" syncline-node restore {file}"
        )
    return ""


def introduce(outcome: enrol.JoinOutcome) -> None:
    """Who asks whom, and the fingerprint to read back."""
    say(f"{outcome.partner}/{outcome.node} asks to join {outcome.federation} at {outcome.hub}.")
    say("Fingerprint, to be read to the hub's operator by telephone or in person:")
    say()
    say(f"  {outcome.fingerprint}")
    say()


def _say_what_happens_next(outcome: enrol.JoinOutcome) -> None:
    say("What happens next: the operator compares the fingerprint and runs")
    say(f'  syncline-hub approve {outcome.partner} --fingerprint "{outcome.fingerprint}"')
    say("Then run this command again with --wait, or start the daemon: it goes on by itself.")


def _leave_unless_approved(outcome: enrol.JoinOutcome, *, waited: bool) -> None:
    if outcome.state is enrol.EnrolmentState.REJECTED:
        raise Denied(
            f"the operator of {outcome.federation} has refused this node",
            remedy="ask why, and for a new join file",
            reason="REJECTED",
        )
    if outcome.state is enrol.EnrolmentState.PENDING and waited:
        raise Unavailable(
            "still waiting for the operator's approval", remedy="run the same command again", reason="PENDING"
        )
    if outcome.state is enrol.EnrolmentState.PENDING:
        raise typer.Exit(NEEDS_ATTENTION)
