"""The values that keys of `node.toml` may have: read as strictly as TOML gives them, refused with a remedy.

Rules: a path is whole; an instant is UTC and of whole seconds, a bare date is 00:00Z; a period is two dates
or years, the first not after the last; a box is west, south, east, north in degrees (WGS 84), and crosses
180° where west is greater than east; a port for metrics is on this machine alone.

    class PublishSection(Section):
        path: Folder
        bbox: Box | None = None
"""

import difflib
import ipaddress
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, cast

from pydantic import AfterValidator, BeforeValidator

from core.errors import InvalidInput

_DAY = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})")
_EDGES = (("west", 180.0), ("south", 90.0), ("east", 180.0), ("north", 90.0))


def one_of(value: str, allowed: tuple[str, ...]) -> str:
    """`value`, if it is one of `allowed`. Raises `ValueError` with the nearest of them."""
    if value not in allowed:
        close = difflib.get_close_matches(value, allowed, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "use one of " + ", ".join(allowed)
        raise ValueError(f"{value!r} is unknown; {hint}")
    return value


def checked(check: Callable[[str], str], value: str) -> str:
    """What `check` makes of `value`; its refusal in a form to which pydantic adds the key."""
    try:
        return check(value)
    except InvalidInput as error:
        raise ValueError(f"{error.message}; {error.remedy}") from None


def listen_address(text: str) -> tuple[str, int] | None:
    """Host and port of `[metrics] listen`, None for "". Raises `ValueError` unless it is on this machine."""
    if not text:
        return None
    match = _LISTEN.fullmatch(text)
    if match is None or int(match[2]) > 65535:
        raise ValueError(f"{text!r} is not an address; write 127.0.0.1:9465")
    host = match[1].strip("[]")
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = host == "localhost"
    if not is_local:
        raise ValueError(
            f"{host} may be reached from other machines, and metrics are told to whoever asks; "
            "write 127.0.0.1:9465 and let a collector on this machine read it"
        )
    return host, int(match[2])


def _path(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not value or "\0" in value:
        raise ValueError("is not a path; write the folder's full path")
    path = Path(value)
    if not path.is_absolute():
        raise ValueError(f"{value!r} is relative; write the full path, starting with /")
    return path


def _instant(value: object) -> object:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("has no time zone; write UTC with a Z: 2027-01-01T00:00:00Z")
        if value.microsecond:
            raise ValueError("has fractions of a second; write whole seconds")
        return value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise ValueError("is not a date; write it without quotes: 2027-01-01 (00:00Z) or 2027-01-01T08:00:00Z")


def frozen(value: object) -> object:
    """A list as a tuple, which strict models ask for."""
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value


def _box(value: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    for (name, most), degrees in zip(_EDGES, value, strict=True):
        if not math.isfinite(degrees) or abs(degrees) > most:
            raise ValueError(
                f"{name} is {degrees}, which is no angle between -{most:.0f} and {most:.0f}; "
                "write [west, south, east, north] in degrees"
            )
    if value[1] > value[3]:
        raise ValueError("south is north of north; write [west, south, east, north] in degrees")
    return value


def _days(value: object) -> object:
    value = frozen(value)
    if not isinstance(value, tuple):
        return value
    parts = cast("tuple[object, ...]", value)
    return tuple(each.isoformat() if type(each) is date else each for each in parts)


def _period(value: tuple[str, str]) -> tuple[str, str]:
    begin, end = (_first_and_last_day(each) for each in value)
    if begin[0] > end[1]:
        raise ValueError(f"begins after it ends; write the earlier first: {[value[1], value[0]]}")
    return value


def _first_and_last_day(text: str) -> tuple[date, date]:
    """The days that "2001", "2001-02" or "2001-02-28" begins and ends with, as far as an order needs them."""
    if _DAY.fullmatch(text):
        year, month, day = (*text.split("-"), "", "")[:3]
        try:
            first = date(int(year), int(month or 1), int(day or 1))
        except ValueError:
            pass
        else:
            # The order of what is less than a day needs no calendar: 31 is after every day of a month.
            return first, first if day else _end_of(first, whole_year=not month)
    raise ValueError(f'{text!r} is neither a date nor a year; write ["2001-01-01", "2020-12-31"]')


def _end_of(first: date, *, whole_year: bool) -> date:
    if whole_year or first.month == 12:
        return date(first.year, 12, 31)
    return date.fromordinal(date(first.year, first.month + 1, 1).toordinal() - 1)


Folder = Annotated[Path, BeforeValidator(_path)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Box = Annotated[tuple[float, float, float, float], BeforeValidator(frozen), AfterValidator(_box)]
Period = Annotated[tuple[str, str], BeforeValidator(_days), AfterValidator(_period)]
