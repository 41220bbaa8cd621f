"""`syncline-hub reject PARTNER`: refuse a waiting node, withdraw an invitation."""

import typer

from core.commands import ConfigOption, say
from core.errors import InvalidInput
from core.names import check_node, check_partner
from hub.cli.setting import NodeOption, PartnerArgument, opened, same_config, settings_of


def reject(
    ctx: typer.Context, partner: PartnerArgument, node: NodeOption = None, config: ConfigOption = None
) -> None:
    """Refuse the waiting requests of PARTNER and withdraw its unused invitations."""
    settings = settings_of(ctx, config)
    refused = check_partner(partner)
    with opened(settings) as hub:
        count = hub.enrolment.reject(refused, node=None if node is None else check_node(node))
    command = same_config(ctx, config)
    if count == 0:
        raise InvalidInput(
            f"nothing of {refused} waits here",
            remedy=f"see `{command} partners`; `{command} suspend {refused}` shuts out a member",
        )
    say(f"Rejected: {count} of {refused}. Its join file is worthless now; `{command} invite` makes another.")
