"""Colours of states and severities on a terminal.

written([Piece("silent", "silent")], colours=True)       # with escape sequences around
"""

from collections.abc import Mapping, Sequence

from core.logs import printable
from hub.cli.fleet_text import Piece, plain

_OFF = "\033[0m"
_TONES: Mapping[str, str] = {
    "alarm": "\033[1;31m",
    "silent": "\033[1;31m",
    "error": "\033[31m",
    "trouble": "\033[31m",
    "stuck": "\033[35m",
    "warning": "\033[33m",
    "no report yet": "\033[33m",
    "behind": "\033[36m",
    "in sync": "\033[32m",
    "left": "\033[2m",
    "revoked": "\033[2m",
    "suspended": "\033[33m",
    "invited": "\033[2m",
    "pending": "\033[33m",
}


def written(line: Sequence[Piece], *, colours: bool) -> str:
    """The line for a terminal; control characters in its texts are escaped."""
    if not colours:
        return printable(plain(line))
    return "".join(_coloured(piece) for piece in line).rstrip()


def _coloured(piece: Piece) -> str:
    text = printable(piece.text)
    tone = _TONES.get(piece.tone)
    return f"{tone}{text}{_OFF}" if tone and text.strip() else text
