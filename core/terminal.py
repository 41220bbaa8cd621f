"""Tables that stay aligned in every script, and progress that a person can read.

    say(table(("dataset", "title", "bytes"), rows))
    with progress(sys.stderr) as shown:
        publish(..., progress=shown)

Widths follow POSIX `wcwidth`, which most terminals obey: marks that combine (Thai, Lao, Khmer, Burmese
vowels above and below) take no column, Chinese takes two, everything else one. `rich` counts spacing
vowels (Khmer aa, Burmese e) as nothing, so it is not asked.
"""

import shutil
import sys
import time
import unicodedata
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from core.logs import get_logger, printable
from core.progress import Progress

_GAP = "  "
_LOG_EVERY_S = 10.0
_HANGUL_JAMO_JOINING = range(0x1160, 0x1200)


def width(text: str) -> int:
    """Columns that `text` takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf") or ord(character) in _HANGUL_JAMO_JOINING:
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """`text` filled with spaces to `columns`; `right` puts the text at the right."""
    space = " " * max(0, columns - width(text))
    return space + text if right else text + space


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A plain table: a header, then a line a row; numbers stand at the right. No line break at the end.

    Control characters in cells are escaped. Columns are as wide as their widest cell; nothing is cut,
    because what is cut cannot be copied.
    """
    body = [list(row) for row in rows]
    texts = [[_cell(value) for value in row] for row in body]
    widths = [max([width(name), *(width(row[place]) for row in texts)]) for place, name in enumerate(columns)]
    numeric = [
        bool(body) and all(_is_number(row[place]) or row[place] is None for row in body)
        for place in range(len(columns))
    ]
    lines = [
        _GAP.join(
            pad(cell, columns_wide, right=right)
            for cell, columns_wide, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in [list(columns), *texts]
    ]
    return "\n".join(lines)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ")
    return printable(str(value))


def bytes_text(count: int) -> str:
    """A size for people: `812 B`, `1.4 MB`; decimal units, as disks and networks are sold."""
    if abs(count) < 1000:
        return f"{count} B"
    size = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        size /= 1000
        if abs(size) < 999.95 or unit == "TB":
            return f"{size:.1f} {unit}"
    raise AssertionError


@contextmanager
def progress(stream: TextIO | None = None, *, log: Any = None) -> Generator[Progress]:
    """A `Progress` for this process: a bar on a terminal, log lines elsewhere. `stream` is standard error."""
    target = sys.stderr if stream is None else stream
    shown = _Bar(target) if target.isatty() else LoggedProgress(log or get_logger("progress"))
    try:
        yield shown
    finally:
        shown.end()


class _Bar:
    """A bar with bytes, rate and time left; gone when the task ends."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rich: Any = None
        self._task: Any = None

    def begin(self, task: str, total_bytes: int | None) -> None:
        # Only a bar needs rich, which takes a tenth of a second to import.
        from rich import console, progress  # noqa: PLC0415

        self.end()
        columns = (
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(bar_width=max(10, shutil.get_terminal_size().columns // 5)),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
        )
        shown = console.Console(file=self._stream)
        self._rich = progress.Progress(*columns, console=shown, transient=True)
        self._task = self._rich.add_task(printable(task), total=total_bytes)
        self._rich.start()

    def advance(self, bytes_count: int) -> None:
        if self._rich is not None:
            self._rich.advance(self._task, bytes_count)

    def end(self) -> None:
        if self._rich is not None:
            self._rich.stop()
            self._rich = None


class LoggedProgress:
    """A log line every `every_s` seconds of work, none for work that is done sooner."""

    def __init__(
        self, log: Any, *, every_s: float = _LOG_EVERY_S, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._every_s = every_s
        self._monotonic = monotonic
        self._task = ""
        self._total: int | None = None
        self._done = 0
        self._started = self._said = 0.0

    def begin(self, task: str, total_bytes: int | None) -> None:
        self._task, self._total, self._done = task, total_bytes, 0
        self._started = self._said = self._monotonic()

    def advance(self, bytes_count: int) -> None:
        self._done += bytes_count
        now = self._monotonic()
        if now - self._said < self._every_s:
            return
        self._said = now
        rate = self._done / max(now - self._started, 1e-9)
        facts: dict[str, Any] = {"done": bytes_text(self._done), "rate": f"{bytes_text(int(rate))}/s"}
        if self._total is not None:
            facts["total"] = bytes_text(self._total)
            facts["left_s"] = round(max(0, self._total - self._done) / max(rate, 1.0))
        self._log.info(self._task, **facts)

    def end(self) -> None:
        return None
