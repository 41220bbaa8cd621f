"""`syncline-hub partners`: who belongs, who waits, who was invited."""

from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from core.clock import SystemClock
from core.commands import ConfigOption, JsonOption, emit_json, say
from core.logs import printable
from hub.cli.setting import ago, instant, opened, same_config, settings_of
from hub.services.content import Use
from hub.services.enrolment import Enrolment
from hub.services.registry import PartnerStanding

_OPEN = ("invited", "pending", "accepted")


def partners(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List the members and their nodes, and the invitations that are open."""
    with opened(settings_of(ctx, config)) as hub:
        standings, enrolments = hub.registry.partners(), hub.enrolment.list()
        uses = {standing.partner.id: hub.content.use(standing.partner.id) for standing in standings}
    waiting = [enrolment for enrolment in enrolments if enrolment.state in _OPEN]
    if as_json:
        members = [{**partner_json(s), **use_json(uses[s.partner.id])} for s in standings]
        emit_json({"partners": members, "enrolments": [_json(e) for e in waiting]})
        return
    command = same_config(ctx, config)
    if not standings and not waiting:
        say(f"No partners yet. Invite one: {command} invite PARTNER --name TEXT --out FILE")
        return
    now = SystemClock().now()
    table = Table("partner", "name", "nodes", "state", "last seen", "bytes", box=None, pad_edge=False)
    for standing in standings:
        names = standing.partner.names
        nodes = ", ".join(node.name for node in standing.partner.nodes)
        shown = names.get("en") or next(iter(names.values()), "")
        seen, use = ago(standing.last_seen, now), use_text(uses[standing.partner.id])
        table.add_row(standing.partner.id, printable(shown), nodes, standing.state, seen, use)
    if standings:
        Console(highlight=False, markup=False).print(table)
    for enrolment in waiting:
        say(_waiting(enrolment, command))


def _waiting(enrolment: Enrolment, command: str) -> str:
    who = f"{enrolment.partner} (node {enrolment.node})"
    if enrolment.state == "pending":
        return (
            f"{who} waits for you. Have its fingerprint read to you, and run\n"
            f'  {command} approve {enrolment.partner} --node {enrolment.node} --fingerprint "…"\n'
            f"  this hub sees  {enrolment.fingerprint}"
        )
    if enrolment.state == "accepted":
        return f"{who} waits for the administrators: {command} registry sign --keys DIR"
    return f"{who} is invited and has not joined; its file expires {instant(enrolment.expires)}"


def partner_json(standing: PartnerStanding) -> dict[str, Any]:
    """A partner for programs."""
    return {
        "partner": standing.partner.id,
        "names": dict(standing.partner.names),
        "nodes": [node.name for node in standing.partner.nodes],
        "state": standing.state,
        "last_seen": instant(standing.last_seen),
    }


def use_json(use: Use) -> dict[str, Any]:
    """What an owner's chunks take, for programs."""
    return {"used_bytes": use.used_bytes, "quota_bytes": use.quota_bytes}


def use_text(use: Use) -> str:
    """What an owner's chunks take, for people."""
    return f"{use.used_bytes:,}" + ("" if use.quota_bytes is None else f" of {use.quota_bytes:,}")


def _json(enrolment: Enrolment) -> dict[str, Any]:
    return {
        "partner": enrolment.partner,
        "node": enrolment.node,
        "names": dict(enrolment.names),
        "state": enrolment.state,
        "invited": instant(enrolment.invited),
        "expires": instant(enrolment.expires),
        "joined": instant(enrolment.joined),
        "fingerprint": enrolment.fingerprint,
        "replace": enrolment.replace,
    }
