"""`syncline-hub registry`: the administrators' statement of who belongs; `show`, `sign`, `trust`, and the
commands of `registry_apart`."""

from pathlib import Path
from typing import Annotated

import typer

from core import durable
from core.clock import format_instant
from core.commands import ConfigOption, JsonOption, emit_json, new_group, say
from core.errors import Conflict, InvalidInput
from hub.administrators import keep_registry, require_keys
from hub.cli import registry_apart
from hub.cli.setting import instant, opened, passphrase, same_config, settings_of
from security import envelope
from security.registry import verify_first
from security.trust import Trust

registry = new_group("The signed registry: who belongs, with which keys.")
for _command in (registry_apart.draft, registry_apart.cosign, registry_apart.publish):
    registry.command()(_command)


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
    say(f"  first id        {first_id}  (auditors get it with `registry trust`)")
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


@registry.command()
def trust(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write it; must be free.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Write the trust file, with which auditors check this federation's evidence for ever.

    It holds the first registry statement and the keys of the logs in it, and nothing secret. What makes it
    trustworthy is the fingerprint: tell it to each auditor by another way than the file.
    """
    with opened(settings_of(ctx, config)) as hub:
        first = hub.registry.list_from(1, 1)[0]
    made = Trust.of(verify_first(first, envelope.parse(first).id))
    try:
        durable.write_file(out, made.file, exclusive=True)
    except FileExistsError as error:
        raise Conflict(f"{out} exists", remedy="choose another name, or remove it") from error
    except OSError as error:
        raise InvalidInput(
            f"{out}: {error.strerror}", remedy="give a file in a folder that exists"
        ) from error
    if as_json:
        emit_json({"federation": made.federation, "fingerprint": made.fingerprint, "file": str(out)})
        return
    say(f"Trust file of {made.federation}: {out}")
    say(f"Fingerprint  {made.fingerprint}")
    say("Give the file to auditors, and tell them the fingerprint by another way: they compare both.")
