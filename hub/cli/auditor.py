"""`syncline-hub auditor add`, `revoke` and `list`: who may be given every opening of the log."""

from typing import Annotated

import typer

from core.commands import ConfigOption, JsonOption, emit_json, new_group, say
from core.errors import NEEDS_ATTENTION
from core.names import check_partner
from core.terminal import table
from hub.cli.setting import KeysOption, keys_for, opened, same_config, settings_of
from hub.services.agency_names import parse_names
from hub.services.registry import Signed

auditor = new_group("The federation's auditors, enrolled by its administrators.")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="An id like la-oag; no partner's.")]


@auditor.command()
def add(
    ctx: typer.Context,
    auditor_id: IdArgument,
    name: Annotated[
        list[str],
        typer.Option("--name", metavar="TEXT", help="Its name; LANG=TEXT for others than English."),
    ],
    keys: KeysOption = None,
    config: ConfigOption = None,
) -> None:
    """Enrol an auditor in the registry: `export --for ID` then gives it every opening about a dataset."""
    wanted, names = check_partner(auditor_id), parse_names(name)
    settings = settings_of(ctx, config)
    with opened(settings) as hub:
        outcome = hub.auditors.add(wanted, names, keys_for(settings, keys))
    if outcome is Signed.NOW:
        say(f"{wanted} is an auditor of the federation, in the signed registry.")
        say(f"Next: {same_config(ctx, config)} export DATASET --for {wanted} --out FILE.zip")
        return
    _wait(ctx, config, f"{wanted} is an auditor once the administrators have signed.")


@auditor.command()
def revoke(
    ctx: typer.Context, auditor_id: IdArgument, keys: KeysOption = None, config: ConfigOption = None
) -> None:
    """Give an auditor nothing more. What it was given it keeps."""
    wanted = check_partner(auditor_id)
    settings = settings_of(ctx, config)
    with opened(settings) as hub:
        outcome = hub.auditors.revoke(wanted, keys_for(settings, keys))
    if outcome is Signed.NOW:
        say(f"{wanted} is no auditor any more, and is struck in the signed registry.")
        return
    _wait(ctx, config, f"{wanted} is given nothing more from now on; the registry that strikes it waits.")


@auditor.command("list")
def list_(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List the auditors, also those that were revoked."""
    with opened(settings_of(ctx, config)) as hub:
        found = hub.auditors.all()
    if as_json:
        rows = [{**each.auditor.to_json(), "waits_for_signatures": each.waiting} for each in found]
        emit_json({"auditors": rows})
        return
    if not found:
        say(f"No auditor yet. Enrol one: {same_config(ctx, config)} auditor add ID --name TEXT")
        return
    say(
        table(
            ("auditor", "name", "state"),
            [
                (
                    each.auditor.id,
                    each.auditor.names.get("en") or next(iter(each.auditor.names.values())),
                    f"{each.auditor.state}{', waits for signatures' if each.waiting else ''}",
                )
                for each in found
            ],
        )
    )


def _wait(ctx: typer.Context, config: ConfigOption, text: str) -> None:
    say(text)
    say(f"Next: {same_config(ctx, config)} registry sign --keys DIR, where their keys are")
    raise typer.Exit(NEEDS_ATTENTION)
