"""Numbers, sizes, rates, durations and instants as a language writes them (CLDR, by way of Babel).

* Sizes are decimal, as disks and networks are sold, and as the terminal's `bytes_text` has them.
* Not known is `–`, never 0.
* An instant is written in UTC and says so; `static/live.js` writes it in the viewer's zone, and UTC stays in
  the title. Without scripts, UTC is what is read.

    formats = Formats(language.locale)
    formats.size(1_400_000)                              # "1.4 MB", "1,4 Mo"
    formats.ago(now - timedelta(minutes=5), now)         # "5 min. ago"
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

NOTHING = "–"

_UNITS = ("byte", "kilobyte", "megabyte", "gigabyte", "terabyte", "petabyte")
_DURATIONS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_CACHED = 4096


class Formats:
    """How one locale writes. What was written once is kept: a page of a thousand lines repeats itself."""

    def __init__(self, locale: Locale) -> None:
        self._locale = locale
        self.number = lru_cache(_CACHED)(self._number)
        self.size = lru_cache(_CACHED)(self._size)
        self.duration = lru_cache(_CACHED)(self._duration)
        self._relative = lru_cache(_CACHED)(self._since)
        self.instant = lru_cache(_CACHED)(self._instant)
        self.date = lru_cache(_CACHED)(self._date)

    def _number(self, value: float | None) -> str:
        """`12,345`."""
        if value is None:
            return NOTHING
        return format_decimal(value, "#,##0.#", locale=self._locale)

    def signed(self, value: int | None) -> str:
        """`+12` or `−3`."""
        if value is None:
            return NOTHING
        return f"{'+' if value > 0 else '−' if value < 0 else '±'}{self.number(abs(value))}"

    def signed_size(self, value: int | None) -> str:
        """`+1.4 MB`."""
        if value is None:
            return NOTHING
        return f"{'+' if value > 0 else '−' if value < 0 else '±'}{self.size(abs(value))}"

    def percent(self, share: float | None) -> str:
        """`42%` of a share between 0 and 1."""
        return NOTHING if share is None else format_percent(share, locale=self._locale)

    def _size(self, count: int | None) -> str:
        """`1.4 MB`."""
        if count is None:
            return NOTHING
        size, place = float(count), 0
        while abs(size) >= 999.95 and place < len(_UNITS) - 1:
            size, place = size / 1000, place + 1
        pattern = "#,##0" if place == 0 or abs(size) >= 99.95 else "#,##0.0"
        if place == 0:
            return f"{format_decimal(size, pattern, locale=self._locale)} B"
        return format_unit(size, f"digital-{_UNITS[place]}", "short", format=pattern, locale=self._locale)

    def rate(self, bytes_s: int | None) -> str:
        """`1.4 MB/s`."""
        return NOTHING if bytes_s is None else f"{self.size(bytes_s)}/s"

    def _duration(self, seconds: float | None) -> str:
        """`3 days`: in the largest unit of which there are two."""
        if seconds is None:
            return NOTHING
        unit, length = next(each for each in _DURATIONS if abs(seconds) >= 2 * each[1] or each[1] == 1)
        return format_unit(int(seconds / length), f"duration-{unit}", "short", locale=self._locale)

    def ago(self, moment: datetime, now: datetime) -> str:
        """`5 min. ago`."""
        seconds = int((moment - now).total_seconds())
        # Coarser the longer ago, so that few texts serve many instants.
        step = next((step for step in (86_400, 3_600, 60) if abs(seconds) >= 2 * step), 1)
        return self._relative(int(seconds / step) * step)

    def _since(self, seconds: int) -> str:
        delta = timedelta(seconds=seconds)
        try:
            return format_timedelta(
                delta, threshold=1.5, add_direction=True, format="short", locale=self._locale
            )
        except KeyError:  # a language of which CLDR has no "ago"
            return f"{'−' if seconds < 0 else '+'}{self.duration(abs(seconds))}"

    def _instant(self, moment: datetime | None) -> str:
        """`22 Nov 2026, 19:45 UTC`."""
        if moment is None:
            return NOTHING
        utc = moment.astimezone(UTC)
        return f"{self.date(moment)}, {format_time(utc, 'short', locale=self._locale)} UTC"

    def _date(self, moment: datetime | None) -> str:
        """`22 Nov 2026`."""
        if moment is None:
            return NOTHING
        return format_date(moment.astimezone(UTC).date(), "medium", locale=self._locale)
