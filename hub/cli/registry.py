"""`syncline-hub registry show` and `registry sign`: the administrators' statement of who belongs."""

from pathlib import Path
from typing import Annotated

import typer

from core.clock import format_instant
from core.commands import ConfigOption, JsonOption, emit_json, new_group, say
from hub.administrators import keep_registry, require_keys
from hub.cli.setting import instant, opened, passphrase, same_config, settings_of
from security import envelope

registry = new_group("The signed registry: who belongs, with which keys.")


@registry.command()
def show(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the newest registry, and what waits for the administrators' signatures."""
    with opened(settings_of(ctx, config)) as hub:
        current, pending = hub.registry.current(), hub.registry.pending()
        first_id = envelope.parse(hub.registry.list_from(1, 1)[0]).id
    told = current.registry
    if as_json:
        emit_json(
            {
                "federation": told.federation,
                "seq": told.seq,
                "id": current.id,
                "first_id": first_id,
                "created": instant(told.created),
                "expires": instant(told.expires),
                "threshold": told.administrators.threshold,
                "administrators": [list(key.keyids) for key in told.administrators.keys],
                "partners": [
                    {"partner": p.id, "state": p.state, "nodes": [node.name for node in p.nodes]}
                    for p in told.partners
                ],
                "pending": [
                    {"number": a.number, "kind": a.kind, "partner": a.partner, "text": a.text}
                    for a in pending
                ],
            }
        )
        return
    say(f"Registry {told.seq} of {told.federation}")
    say(f"  id              {current.id}")
    say(f"  first id        {first_id}  (for auditors: syncline-audit verify --registry-id)")
    say(f"  valid           {format_instant(told.created)} to {format_instant(told.expires)}")
    say(
        f"  administrators  {len(told.administrators.keys)}, of whom"
        f" {told.administrators.threshold} must sign"
    )
    for partner in told.partners:
        nodes = ", ".join(node.name for node in partner.nodes)
        say(f"  {partner.id:<14}  {partner.state}; nodes: {nodes or 'none'}")
    if pending:
        say("Waiting for signatures:")
        for act in pending:
            say(f"  {act.text}")
        say(f"Next: {same_config(ctx, config)} registry sign --keys DIR, where the administrators' keys are")


@registry.command()
def sign(
    ctx: typer.Context,
    keys: Annotated[
        Path, typer.Option("--keys", metavar="DIR", help="Folder with the administrators' keys.")
    ],
    config: ConfigOption = None,
) -> None:
    """Sign everything that waits, in one new registry; or, if nothing waits, renew the registry."""
    with opened(settings_of(ctx, config)) as hub:
        signers = require_keys(keys, passphrase())
        acts = hub.registry.pending()
        if hub.registry.sign_pending(signers) is None:
            hub.registry.renew(signers)
        keep_registry(keys, hub.registry.list_from)
        told = hub.registry.current().registry
    for act in acts:
        say(f"Signed: {act.text}")
    say(
        f"Registry {told.seq} is in force until {format_instant(told.expires)}; nodes fetch it by themselves."
    )
