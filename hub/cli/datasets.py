"""`syncline-hub datasets`: what has been published here."""

import sys

import typer
from rich.console import Console
from rich.table import Column, Table

from core.clock import SystemClock
from core.commands import ConfigOption, JsonOption, emit_json, say
from core.logs import printable
from hub.cli.setting import ago, opened, settings_of

_WIDE = 1_000  # columns, where no terminal bounds them: nothing is shortened


def datasets(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List every dataset: its newest version, size, and whether its bytes are here."""
    with opened(settings_of(ctx, config)) as hub:
        found = hub.catalogue.datasets()
    if as_json:
        emit_json({"datasets": found})
        return
    if not found:
        say("No dataset yet; the agencies' nodes publish by themselves once they have joined.")
        return
    now = SystemClock().now()
    table = Table(
        Column("dataset", overflow="fold"),  # an id that is shortened names nothing
        *("title", "version", "files", "bytes", "content", "accepted"),
        box=None,
        pad_edge=False,
    )
    for each in found:
        title = each.title.get("en") or next(iter(each.title.values()), "")
        table.add_row(
            each.dataset,
            printable(title),
            str(each.version_seq) if each.version_seq else "policy only",
            f"{each.files:,}",
            f"{each.bytes:,}",
            "here" if each.has_content else "withheld",
            ago(each.accepted, now),
        )
    width = None if sys.stdout.isatty() else _WIDE
    Console(highlight=False, markup=False, width=width).print(table)
