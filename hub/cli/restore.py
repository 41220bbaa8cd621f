"""`syncline-hub restore BACKUP DIR`: a hub's directory made again from a backup, on an empty machine."""

import os
from pathlib import Path
from typing import Annotated

import typer

from core import logs
from core.clock import SystemClock
from core.commands import JsonOption, emit_json, say
from core.errors import InvalidInput
from core.terminal import progress
from hub.backup.place import Place
from hub.backup.restoring import Restored, Wanted
from hub.backup.restoring import restore as make_again
from hub.backup.seal import load_identity
from hub.cli.backup import IdentityOption

_LOSS = """\
  Comes back by itself, as soon as the log is continued and nodes connect:
    registry statements (from beside the administrators' keys, and from nodes); versions, policies and bytes
    (their owners send them again); the newest acknowledgement of each mirror; changed keys; reports
  Does not come back:
    nodes that were enrolled afterwards: they join anew, and `log continue` names them
    earlier versions' bytes and acknowledgements, deliveries, invitations, suspensions, accounts, events
  The leaves of that time stand in the nodes' own records, as evidence."""


def restore(
    backup: Annotated[Path, typer.Argument(metavar="BACKUP", help="The folder that `backup` wrote to.")],
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The hub's directory: a new or empty folder.")
    ],
    identity: IdentityOption = None,
    snapshot: Annotated[
        str | None, typer.Option("--snapshot", metavar="ID", help="Not the newest, but this one.")
    ] = None,
    nothing_lost: Annotated[
        bool,
        typer.Option(
            "--nothing-lost",
            help="I state: the old hub was stopped before this backup was made, and has never run since.",
        ),
    ] = False,
    accept_damage: Annotated[
        bool, typer.Option("--accept-damage", help="Restore also what was damaged when it was backed up.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make the hub's directory again. Everything is decrypted and checked before it is put in its place."""
    logs.configure(level="warning")
    place = Place.open(backup)
    opener = None if identity is None else load_identity(identity)
    if opener is None and place.header.recipient is not None:
        raise InvalidInput(
            f"the backups in {backup} are encrypted",
            remedy="give the identity that the first backup wrote, with --identity FILE",
            reason="NO_IDENTITY",
        )
    wanted = Wanted(place, opener, directory.absolute(), snapshot, nothing_lost, accept_damage)
    with progress() as shown:
        done = make_again(wanted, shown, SystemClock())
    if as_json:
        emit_json(_json(done, directory, nothing_lost=nothing_lost))
        return
    _tell(done, directory.absolute(), nothing_lost=nothing_lost)
    if opener is None or opener.signer is None:
        say()
        say("Who made this backup was not checked: it is plain, or the identity does not say whose it is.")
        say(
            "  Compare the first registry's id (syncline-hub registry show) with one that you have elsewhere."
        )


def _json(done: Restored, directory: Path, *, nothing_lost: bool) -> dict[str, object]:
    saved = done.snapshot
    return {
        "directory": directory,
        "snapshot": saved.id,
        "time": saved.created,
        "log_size": saved.log.size,
        "hub_was_running": saved.running,
        "must_continue_log": not nothing_lost,
        "settings_corrected": done.moved,
        "missing": [str(each) for each in done.missing],
        "damage": done.findings,
    }


def _tell(done: Restored, directory: Path, *, nothing_lost: bool) -> None:
    saved, settings = done.snapshot, done.settings
    command = f"syncline-hub --config {directory / 'hub.toml'}"
    say(f"The hub of {settings.hub.name} stands in {directory} again, as of {saved.created}")
    say(f"  snapshot   {saved.id}, log of {saved.log.size} leaves, checkpoint of {saved.log.checkpoint_size}")
    for each in done.findings:
        say(f"  damaged    {each}")
    for each in done.missing:
        say(f"  missing    {each}: hub.toml names it, and it was not in the hub's directory")
    if done.moved:
        say('  changed    hub.toml: directory = ".", since it stands in it')
    say(f"  nodes dial {settings.hub.address}, enrolment {settings.hub.enrol_address}")
    say("             another machine's name? change both in hub.toml before it runs: it makes itself a new")
    say("             certificate; and tell the agencies, who change [hub] address in node.toml")
    if os.geteuid() == 0:
        say(
            f"  owner      root: give it to the hub's user before it runs: chown -R syncline-hub: {directory}"
        )
    say()
    if nothing_lost:
        say("You stated that the old hub has not run since: the log goes on as it is.")
        say(f"Next: {command} run")
        return
    say(f"What was accepted after {saved.created} is missing here.")
    say(_LOSS)
    say(f"Next: {command} log continue --keys DIR --reason 'restored from {saved.id}'")
    say(f"      {command} run      (refuses until then: two histories would be an attack)")
