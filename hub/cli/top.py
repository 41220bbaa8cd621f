"""`syncline-hub top`: the fleet, live; `q` or Ctrl-C ends it.

On a terminal the screen is drawn anew some times a minute and given back as it was; elsewhere, and with
`--once`, the same is printed once. It reads the database alone, and works beside the running hub.
"""

import contextlib
import os
import select
import shutil
import sys
import termios
import tty
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import ControlType, Segment

from core.commands import ConfigOption, JsonOption, emit_json
from core.errors import NEEDS_ATTENTION, SynclineError
from hub.cli.colours import written
from hub.cli.fleet_text import Piece, Row, fleet_lines
from hub.cli.setting import opened, same_config, settings_of
from hub.cli.status import title_line
from hub.overview.model import FleetView
from hub.overview.service import Overview

_EVERY_S = 2.0
_ATTENTION_SHARE = 3  # of the screen, at most one part in so many
_HINT = "q ends · syncline-hub status shows all"

OnceOption = Annotated[bool, typer.Option("--once", help="Print it once, and end.")]
EveryOption = Annotated[
    float, typer.Option("--every", metavar="SECONDS", min=0.5, max=3600.0, help="How often to look.")
]


def top(
    ctx: typer.Context,
    once: OnceOption = False,
    every: EveryOption = _EVERY_S,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Watch partners and nodes, the worst first; q ends. Printed once, it exits as status does."""
    settings = settings_of(ctx, config)
    with opened(settings) as hub:
        overview = Overview(hub, settings, same_config(ctx, config))
        if not (once or as_json) and sys.stdin.isatty() and sys.stdout.isatty():
            _watch(overview, every)
            return
        view = overview.fleet()
    if as_json:
        emit_json(view.model_dump(mode="json"))
    else:
        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        for line in [title_line(view), [], *fleet_lines(view, columns)]:
            sys.stdout.write(written(line, colours=columns is not None) + "\n")
    if not view.healthy:
        raise typer.Exit(NEEDS_ATTENTION)


def screen_lines(view: FleetView, columns: int, rows: int, problem: str = "") -> list[Row]:
    """What fits on a screen; the last line says what was left out."""
    lines = [title_line(view), [], *fleet_lines(view, columns, attention_max=rows // _ATTENTION_SHARE)]
    room = max(2, rows - 2)
    hint = problem or (f"{len(lines) - room + 1} more lines · {_HINT}" if len(lines) > room else _HINT)
    if len(lines) > room:
        lines = lines[: room - 1]
    return [*lines, [Piece(hint[: columns - 1], "error" if problem else "left")]]


class _Screen:
    """What `rich` draws. The lines are measured already, better than it does, and passed through."""

    def __init__(self, lines: Callable[[ConsoleOptions], list[Row]]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines(options):
            # Control segments have no width, so that nothing is cut, filled or wrapped by another measure.
            text = written(line, colours=not console.no_color)
            yield Segment(f"{text}\033[K", None, [(ControlType.ERASE_IN_LINE, 0)])
            yield Segment.line()


def _watch(overview: Overview, every_s: float) -> None:
    """Until somebody ends it."""
    console = Console(highlight=False, markup=False)
    shown = overview.fleet()
    problem = ""

    def lines(_: ConsoleOptions) -> list[Row]:
        size = shutil.get_terminal_size()
        return screen_lines(shown, size.columns, size.lines, problem)

    with (
        contextlib.suppress(KeyboardInterrupt),
        _keys() as pressed,
        console.screen(hide_cursor=True),
        Live(_Screen(lines), console=console, auto_refresh=False, vertical_overflow="visible") as live,
    ):
        while True:
            live.refresh()
            if any(key in ("q", "Q", "\x03", "\x04") for key in pressed(every_s)):
                return
            try:
                shown, problem = overview.fleet(), ""
            except SynclineError as error:  # busy, or a disk that fails: the next look may see it
                problem = error.message


@contextmanager
def _keys() -> Generator[Callable[[float], Iterator[str]]]:
    """Keys as they are pressed, without waiting for a line; the terminal is given back as it was."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def pressed(wait_s: float) -> Iterator[str]:
        ready, _, _ = select.select([descriptor], [], [], wait_s)
        if ready:
            yield from os.read(descriptor, 64).decode("utf-8", "replace") or "q"  # no terminal any more

    try:
        tty.setcbreak(descriptor)
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
