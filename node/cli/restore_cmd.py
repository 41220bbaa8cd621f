"""`restore FILE`: a node whose state directory is lost takes its place again, with new keys."""

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from core.clock import SystemClock, format_instant
from core.commands import ConfigOption, JsonOption, emit_json, say
from core.errors import Conflict, Denied, InvalidInput
from core.logs import printable
from core.names import NodeName
from node import enrol, restoring
from node.cli.join_cmd import ask, introduce
from node.cli.opening import Opened, open_node
from node.publish import recover
from node.publish.records import PublishRecords
from node.state import DATABASE_NAME, StateLock


def restore(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A join file made with `syncline-hub invite --replace`.")
    ],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Take the place of this node after its state directory was lost.

    Makes new keys, waits for the operator's approval (Ctrl-C ends the waiting; run it again), and learns from
    the hub what this node had published. From the approval on, the old machine, or a copy of its state, is
    shut out. Folders and mirrors are compared by their content, and nothing is sent or fetched twice.
    """
    opened = open_node(ctx, config, log_level="warning")
    clock = SystemClock()
    with StateLock(opened.state_dir):
        _begin(opened, file)
        outcome = ask(opened, file)
        if outcome.state is enrol.EnrolmentState.PENDING:
            if not as_json:
                introduce(outcome)
                say("Waiting for the operator's approval (Ctrl-C ends the waiting, not the request) …")
            outcome = enrol.wait(state_dir=opened.state_dir, clock=clock, passphrase=opened.passphrase)
        if outcome.state is enrol.EnrolmentState.REJECTED:
            raise Denied(
                f"the operator of {outcome.federation} has refused this node",
                remedy="ask why, and for a new join file made with --replace",
                reason="REJECTED",
            )
        # The settings again: joining may have written the hub's address.
        found = _learn(open_node(ctx, config, log_level="warning"))
    if as_json:
        emit_json({"restored": True, "datasets": found})
    else:
        _tell(opened, found)


def _begin(opened: Opened, file: Path) -> None:
    """Demand that the state is lost, or that this command was interrupted before."""
    partner, node = opened.settings.partner, NodeName(opened.settings.node.name)
    # Before anything is noted:
    read = enrol.check_meant_for_us(file, partner, node, opened.settings.hub.address)
    if not read.replace:
        raise InvalidInput(
            f"{file} invites a new node and puts no lost machine out: there is nothing to restore with it",
            remedy=f"to become a member: syncline-node join {file}; for a lost machine's place ask the"
            f" operator for a file of: syncline-hub invite {partner} --node {node} --replace",
            reason="NOT_A_REPLACEMENT",
        )
    if restoring.is_under_way(opened.state_dir):
        return
    if (opened.state_dir / DATABASE_NAME).exists():
        raise Conflict(
            f"{opened.state_dir} holds this node's state: there is nothing to restore",
            remedy="start the node (syncline-node run); if that state is to be given up, move it away first",
            reason="STATE_EXISTS",
        )
    restoring.begin(opened.state_dir)


def _learn(opened: Opened) -> list[dict[str, Any]]:
    """What the hub knows of this node's datasets; from here on the state believes it."""
    from node.session import Session  # noqa: PLC0415

    found: list[dict[str, Any]] = []
    with closing(Session.open(opened.settings, opened.passphrase)) as session:
        session.state.mark_lost(format_instant(session.clock.now()))
        hub, partner = session.hub(), opened.settings.partner
        session.trust.refresh(hub)
        keys = tuple({*session.trust.keys_ever(partner), session.identity.signing.public})
        for section in opened.settings.publish:
            dataset = section.id(partner)
            head = recover.find_head(hub, dataset, keys, session.limits)
            if head is not None:
                records, work_dir = PublishRecords(session.state, dataset), opened.state_dir / "work"
                recover.recover(records, hub, head, work_dir, session.limits)
            manifest = head.manifest.manifest if head and head.manifest else None
            found.append(
                {
                    "dataset": dataset,
                    "seq": manifest.seq if manifest else None,
                    "files": manifest.files if manifest else None,
                    "bytes": manifest.bytes if manifest else None,
                }
            )
    restoring.end(opened.state_dir)
    return found


def _tell(opened: Opened, found: list[dict[str, Any]]) -> None:
    settings = opened.settings
    say(f"{settings.partner}/{settings.node.name} has its place again; the machine before is shut out.")
    for each in found:
        there = (
            "nothing at the hub yet"
            if each["seq"] is None
            else f"version {each['seq']}, {each['files']:,} files"
        )
        say(f"  {printable(each['dataset'])}: {there}")
    say("Not restored: the receipts and alarms that were in the lost folder, and what its witness had seen.")
    say("Next: syncline-node plan, then syncline-node run")
