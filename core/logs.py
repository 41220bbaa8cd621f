"""Structured logs: one line an event, readable by people on a terminal and by programs elsewhere.

    configure(json=False)
    log = get_logger("node.publish")
    log.info("version committed", dataset="la-dgm/geology-1m", seq=3)

Names and titles are written as they are (UTF-8); only control characters are escaped, so that a
hostile file name cannot forge a log line or move a terminal's cursor. The event says what
happened; a warning or error carries `remedy=`. A log that cannot be written stops nobody's work.
"""

import logging
import sys
import unicodedata
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from functools import partial
from typing import Any, TextIO, cast

# structlog is imported with the first event that is shown: it brings a good part of `rich`, and most short
# commands show nothing. Until then a configuration waits here, with the level below which events are dropped.
_waiting: list[tuple[Callable[[], None], int]] = []


def printable(text: str) -> str:
    """`text` with control and line-breaking characters escaped, everything else as it is."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c.encode("unicode_escape").decode("ascii")
        if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")
        or c in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"
        else c
        for c in text
    )


def _escape(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = printable(value)
    return event


def configure(*, json: bool = False, level: str = "info", stream: TextIO | None = None) -> None:
    """Set up logging for the process. `stream` defaults to standard error, as it is at each line."""
    setting = partial(_configure, json, level, _Output(stream))
    _waiting[:] = [(setting, getattr(logging, level.upper()))]
    if "structlog" in sys.modules:
        _configured()


class _Output:
    """The part of a file that lines are written to."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    @property
    def stream(self) -> TextIO:
        return sys.stderr if self._stream is None else self._stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # its reader has gone, its disk is full, it was closed
            self.stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self.stream.flush()


def _configure(json: bool, level: str, output: _Output) -> None:
    import structlog  # noqa: PLC0415

    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer(colors=output.stream.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True),
            _escape,  # before the traceback, whose line breaks stay
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", output)),
        cache_logger_on_first_use=False,
    )


def _configured() -> None:
    while _waiting:
        _waiting.pop()[0]()


def _drop(*_: Any, **__: Any) -> None:
    pass


class _Logger:
    """Looks up its logger at each event, so that it obeys a `configure` that comes after its making."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if _waiting and getattr(logging, attribute.upper(), logging.CRITICAL) < _waiting[0][1]:
            return _drop
        import structlog  # noqa: PLC0415

        _configured()
        return getattr(structlog.get_logger(component=self._name), attribute)


def get_logger(name: str) -> Any:
    """A logger whose lines carry `component=name`."""
    return _Logger(name)
