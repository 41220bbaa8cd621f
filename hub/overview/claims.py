"""Reading what a node claims, piece by piece: whatever is not of the expected kind counts as not said.

* Nothing here raises. A text loses what could move a terminal or turn a page's lines around, and is bounded;
  a number outside of sense is no number; a list has no more members than it may.
* Sizes end at `BYTES_MAX`, which every reader of JSON can hold, and which sums of a whole fleet may reach.

    claims.text(report.get("version"), 64)           # "" for anything but a text
    claims.size(report.get("bytes_left"))            # None for -1, True, 1e300, "7"
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from core.clock import parse_instant
from core.errors import InvalidInput
from core.names import check_dataset

#: 9 PB; the largest whole number that every JSON reader keeps exactly.
BYTES_MAX = 2**53 - 1

_MARKS_IN_A_ROW_MAX = 8
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INSTANT_LENGTH = len("2026-11-22T13:21:00Z")
_PERIOD_END = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?)?)?", re.ASCII)


def text(value: object, length_max: int) -> str:
    """One line of at most `length_max` characters; "" for what is no text."""
    if not isinstance(value, str):
        return ""
    shown = value[: length_max + 1]
    if not (shown.isascii() and shown.isprintable()):
        shown = "".join(_kept(shown))
    return shown if len(shown) <= length_max else shown[: length_max - 1] + "…"


def _kept(value: str) -> Iterator[str]:
    marks = 0
    for character in value:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category in ("Cc", "Zl", "Zp"):
            yield " "
        elif category == "Cs":
            yield "\ufffd"
        elif character not in _TURNING and marks <= _MARKS_IN_A_ROW_MAX:
            yield character


def word(value: object, length_max: int = 64) -> str | None:
    """A text as `text`; None where there is none."""
    return text(value, length_max) or None


def size(value: object) -> int | None:
    """A count of bytes or things, from 0 to `BYTES_MAX`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= BYTES_MAX:
        return None
    return value


def number(value: object, magnitude_max: float) -> float | None:
    """A finite number between -`magnitude_max` and `magnitude_max`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return float(value) if -magnitude_max <= value <= magnitude_max else None


def total(sizes: Iterable[int]) -> int:
    """The sum, ending at `BYTES_MAX`."""
    return min(sum(sizes), BYTES_MAX)


def instant(value: object) -> datetime | None:
    """An instant as `core.clock` writes it."""
    if not isinstance(value, str) or len(value) != _INSTANT_LENGTH:
        return None
    return _instant(value)


# Of twenty characters; most instants of a report are those of the last one.
@lru_cache(maxsize=4096)
def _instant(text: str) -> datetime | None:
    try:
        return parse_instant(text)
    except InvalidInput:
        return None


def past(value: object, now: datetime) -> datetime | None:
    """An instant that cannot lie ahead: a clock that runs fast is cut back to `now`."""
    moment = instant(value)
    return None if moment is None else min(moment, now)


def day(value: object) -> datetime | None:
    """An instant, or a date, which is its midnight in UTC."""
    if isinstance(value, str) and len(value) == len("2026-11-22"):
        return instant(f"{value}T00:00:00Z")
    return instant(value)


def period_end(value: object) -> str | None:
    """A year, month, day or instant as ISO 8601 writes them."""
    if not isinstance(value, str) or not _PERIOD_END.fullmatch(value):
        return None
    filled = value if len(value) == _INSTANT_LENGTH else value + "-01-01"[len(value) - 4 :] + "T00:00:00Z"
    return None if instant(filled) is None else value


def box(value: object) -> tuple[float, float, float, float] | None:
    """West, south, east, north in degrees; west may be greater than east."""
    parts = items(value, 5)
    if len(parts) != 4:
        return None
    degrees = [number(each, most) for each, most in zip(parts, (180.0, 90.0, 180.0, 90.0), strict=True)]
    west, south, east, north = degrees
    if west is None or south is None or east is None or north is None or south > north:
        return None
    return west, south, east, north


def dataset(value: object) -> str | None:
    """A dataset's id."""
    try:
        return check_dataset(value) if isinstance(value, str) else None
    except InvalidInput:
        return None


def items(value: object, count_max: int) -> list[object]:
    """The first `count_max` members of a list."""
    return cast("list[object]", value)[:count_max] if isinstance(value, list) else []


def table(value: object) -> Mapping[str, Any]:
    """A JSON object; an empty one for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def tables(value: object, count_max: int) -> list[dict[str, Any]]:
    """The JSON objects among the first `count_max` members of a list."""
    found = [each for each in items(value, count_max) if isinstance(each, dict)]
    return cast("list[dict[str, Any]]", found)
