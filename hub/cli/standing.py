"""`syncline-hub suspend`, `resume` and `revoke PARTNER`: shut a member out, for a while or for good."""

import typer

from core.commands import ConfigOption, say
from core.errors import NEEDS_ATTENTION
from hub.administrators import keep_registry
from hub.cli.setting import (
    KeysOption,
    PartnerArgument,
    keys_for,
    known_partner,
    opened,
    same_config,
    settings_of,
)
from hub.services.registry import Signed


def suspend(ctx: typer.Context, partner: PartnerArgument, config: ConfigOption = None) -> None:
    """Refuse PARTNER from now on, until `resume`. Needs no administrator."""
    with opened(settings_of(ctx, config)) as hub:
        named = known_partner(hub, partner)
        hub.registry.suspend(named)
    say(f"{named} is suspended: its calls are refused, and its open streams end within seconds.")
    say(f"Next: {same_config(ctx, config)} resume {named}, or revoke {named}")


def resume(ctx: typer.Context, partner: PartnerArgument, config: ConfigOption = None) -> None:
    """End a suspension."""
    with opened(settings_of(ctx, config)) as hub:
        named = known_partner(hub, partner)
        hub.registry.resume(named)
    say(f"{named} may call again; its nodes come back by themselves.")


def revoke(
    ctx: typer.Context, partner: PartnerArgument, keys: KeysOption = None, config: ConfigOption = None
) -> None:
    """Shut PARTNER out at once, and strike it from the next registry. What it published stays provable."""
    settings = settings_of(ctx, config)
    with opened(settings) as hub:
        named = known_partner(hub, partner)
        outcome = hub.registry.revoke(named, keys_for(settings, keys))
        if outcome is Signed.NOW:
            keep_registry(keys or settings.admin_keys, hub.registry.list_from)
    if outcome is Signed.NOW:
        say(f"{named} is revoked: refused from now on, and struck in the signed registry.")
        return
    say(
        f"{named} is refused from now on; the registry that strikes it waits"
        " for the administrators' signatures."
    )
    say(f"Next: {same_config(ctx, config)} registry sign --keys DIR, where their keys are")
    raise typer.Exit(NEEDS_ATTENTION)
