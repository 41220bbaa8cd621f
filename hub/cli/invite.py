"""`syncline-hub invite PARTNER`: write a join file for one node of an agency."""

from pathlib import Path
from typing import Annotated

import typer

from core import durable
from core.clock import SystemClock, format_instant
from core.commands import ConfigOption, say
from core.errors import Conflict, InvalidInput
from core.names import check_node, check_partner
from hub.cli.setting import PartnerArgument, opened, same_config, settings_of
from hub.services.agency_names import parse_names


def invite(
    ctx: typer.Context,
    partner: PartnerArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the join file.")],
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="TEXT", help="The agency's name; LANG=TEXT for others than English."),
    ] = None,
    node: Annotated[str, typer.Option("--node", metavar="NAME", help="Which of its nodes.")] = "main",
    replace: Annotated[
        bool, typer.Option("--replace", help="For new keys in place of the node's old ones.")
    ] = False,
    approve_on_join: Annotated[
        bool,
        typer.Option(
            "--approve-on-join", help="Whoever holds the file is a member at once; no fingerprint is read."
        ),
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Write a single-use join file that makes one node of PARTNER a member."""
    invited, node_name = check_partner(partner), check_node(node)
    names = parse_names(name or [])
    if out.exists():
        raise Conflict(
            f"{out} exists already; nobody was invited", remedy="choose another --out, or remove it"
        )
    if not out.absolute().parent.is_dir():
        raise InvalidInput(
            f"{out.absolute().parent} does not exist", remedy="create it, or choose another --out"
        )
    settings = settings_of(ctx, config)
    with opened(settings) as hub:
        known = {standing.partner.id: standing.partner for standing in hub.registry.partners()}
        if not names and invited not in known:
            raise InvalidInput(f"{invited} is new here and has no name yet", remedy='add --name "Its name"')
        join_file = hub.enrolment.invite(
            invited,
            names or known[invited].names,
            node_name,
            replace=replace,
            approve_on_join=approve_on_join,
        )
        durable.write_file(out, join_file, mode=0o600, exclusive=True)
        expires = max(
            (e.expires for e in hub.enrolment.list() if (e.partner, e.node) == (invited, node_name)),
            default=SystemClock().now(),
        )
    command = same_config(ctx, config)
    say(f"Invited {invited} (node {node_name}); its join file is {out}")
    say(f"  It works once, until {format_instant(expires)}. Send it over a channel that you trust.")
    say("Next:")
    say(f"  the agency runs    syncline-node {'restore' if replace else 'join'} {out.name}")
    if approve_on_join:
        say("  then it is a member: the file alone was its proof")
    else:
        say("  it prints a fingerprint; have it read to you over the telephone, then run")
        say(f'                     {command} approve {invited} --fingerprint "…"')
