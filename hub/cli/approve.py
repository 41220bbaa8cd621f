"""`syncline-hub approve PARTNER`: the operator has compared the fingerprint."""

from typing import Annotated

import typer

from core.commands import ConfigOption, say
from core.errors import NEEDS_ATTENTION
from core.names import check_node, check_partner
from hub.administrators import keep_registry
from hub.cli.setting import (
    KeysOption,
    NodeOption,
    PartnerArgument,
    keys_for,
    opened,
    same_config,
    settings_of,
)
from hub.services.registry import Signed


def approve(
    ctx: typer.Context,
    partner: PartnerArgument,
    fingerprint: Annotated[
        str,
        typer.Option(
            "--fingerprint",
            metavar="TEXT",
            help="As the agency read it to you; case, spaces and hyphens do not matter.",
        ),
    ],
    node: NodeOption = None,
    keys: KeysOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a waiting node a member, if its fingerprint is the one that the agency reads out."""
    settings = settings_of(ctx, config)
    invited = check_partner(partner)
    with opened(settings) as hub:
        signers = keys_for(settings, keys)
        outcome = hub.enrolment.approve(
            invited, fingerprint, signers, node=None if node is None else check_node(node)
        )
        if outcome is Signed.NOW:
            keep_registry(keys or settings.admin_keys, hub.registry.list_from)
    if outcome is Signed.NOW:
        say(f"{invited} is a member. Its node fetches the certificate by itself; nothing else is to be done.")
        return
    say(f"{invited} is accepted and waits for the administrators' signatures.")
    say(f"Next: {same_config(ctx, config)} registry sign --keys DIR, where their keys are")
    raise typer.Exit(NEEDS_ATTENTION)
