"""`syncline-hub status`: how the hub and its fleet are doing, and what a person must look at."""

import shutil
import sys
from collections.abc import Iterator
from datetime import datetime

import typer

from core.clock import format_instant
from core.commands import ConfigOption, JsonOption, emit_json
from core.errors import NEEDS_ATTENTION
from core.terminal import bytes_text
from hub.cli.colours import written
from hub.cli.fleet_text import Piece, Row, fleet_lines
from hub.cli.setting import ago, opened, same_config, settings_of
from hub.config import HubSettings
from hub.overview.model import FleetView, LogView
from hub.overview.service import Overview


def status(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show hub, partners and nodes, the worst first; exits with 8 when a person must look."""
    settings = settings_of(ctx, config)
    with opened(settings) as hub:
        overview = Overview(hub, settings, same_config(ctx, config))
        view = overview.fleet()
        log = None if as_json else overview.log()
    if log is None:
        emit_json(view.model_dump(mode="json"))
    else:
        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        for line in [*head_lines(view, log, settings), [], *fleet_lines(view, columns)]:
            sys.stdout.write(written(line, colours=columns is not None) + "\n")
    if not view.healthy:
        raise typer.Exit(NEEDS_ATTENTION)


def title_line(view: FleetView) -> Row:
    """Which hub, and whether it runs."""
    hub = view.hub
    running = Piece("running", "in sync") if hub.running else Piece("not running", "error")
    return [Piece(f"{hub.name} ({hub.federation}): "), running, Piece(f", {format_instant(hub.time)}")]


def head_lines(view: FleetView, log: LogView, settings: HubSettings) -> Iterator[Row]:
    """The hub itself."""
    hub, now = view.hub, view.hub.time
    yield title_line(view)
    facts = {
        "nodes dial": f"{hub.address}, enrolment {settings.hub.enrol_address}",
        "pages": settings.web.url or settings.web.listen or "not served",
        "registry": f"{hub.registry_seq}, until {format_instant(hub.registry_expires)}",
        "log": f"{log.leaves:,} leaves, last checkpoint {ago(log.checkpoint_time, now)}",
        "witnesses": witnesses_text(log),
        "disk": _disk_text(view),
        "last backup": _backup_text(hub.last_backup, now),
    }
    for name, text in facts.items():
        yield [Piece(f"  {name:<12}  {text}")]


def witnesses_text(log: LogView) -> str:
    """The quorum in words."""
    if not log.witnesses_seen:
        return "none has cosigned yet"
    return (
        f"{log.witnesses_fresh} of {log.witnesses_seen} have cosigned within a day,"
        f" needed {log.witnesses_needed}"
    )


def _disk_text(view: FleetView) -> str:
    disk = view.hub.disk
    text = f"{bytes_text(disk.free_bytes)} of {bytes_text(disk.total_bytes)} free"
    return text if disk.days_left is None else f"{text}, full in {disk.days_left:.0f} days as it went lately"


def _backup_text(last: datetime | None, now: datetime) -> str:
    return "none yet" if last is None else ago(last, now)
