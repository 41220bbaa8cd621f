"""A piece of the world on a sheet: longitudes run round, so nothing breaks at 180°. Pure.

Plate carrée, stretched by the cosine of the middle latitude (equirectangular projection).

    view = View.of((100.0, 13.5, 108.0, 23.0))           # west, south, east, north
    view.spans(170.0, -170.0)                            # where a footprint across 180° lies on the sheet
    view.zoomed(0.5), view.moved(0.3, 0.0)
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Box = tuple[float, float, float, float]

WIDTH = 960.0
_HEIGHT_MAX, _HEIGHT_MIN = 640.0, 460.0
_SPAN_LEAST = 0.05
_ROUND = 360.0


@dataclass(frozen=True, slots=True)
class View:
    """What the sheet shows. `west` within [-180, 180), `span` degrees to the east; latitudes within ±90."""

    west: float
    span: float
    south: float
    north: float

    @classmethod
    def of(cls, box: Box) -> "View":
        """A view that holds `box`, in the proportions of the sheet."""
        west, south, east, north = box
        span = _length(west, east)
        return cls._fitted(west + span / 2, (south + north) / 2, span, north - south)

    @classmethod
    def _fitted(cls, middle: float, latitude: float, span: float, height: float) -> "View":
        span = min(max(span, _SPAN_LEAST), _ROUND)
        height = min(max(height, _SPAN_LEAST), 180.0)
        latitude = min(max(latitude, -90 + height / 2), 90 - height / 2)
        stretch = max(math.cos(math.radians(latitude)), 0.2)
        # Degrees of latitude that the sheet's proportions allow to a span, and the other way round.
        tallest, flattest = (span * stretch * limit / WIDTH for limit in (_HEIGHT_MAX, _HEIGHT_MIN))
        if height > tallest:
            span = min(_ROUND, height * WIDTH / (_HEIGHT_MAX * stretch))
        elif height < flattest:
            height = min(flattest, 180.0)
            latitude = min(max(latitude, -90 + height / 2), 90 - height / 2)
        west = (middle - span / 2 + 180) % _ROUND - 180
        return cls(
            round(west, 4), round(span, 4), round(latitude - height / 2, 4), round(latitude + height / 2, 4)
        )

    @property
    def height(self) -> float:
        """Of the sheet; its width is `WIDTH`."""
        stretch = max(math.cos(math.radians((self.south + self.north) / 2)), 0.2)
        drawn = WIDTH * (self.north - self.south) / (self.span * stretch)
        return round(min(max(drawn, _HEIGHT_MIN), _HEIGHT_MAX), 1)

    @property
    def text(self) -> str:
        """As it stands in an address."""
        return ",".join(f"{value:g}" for value in (self.west, self.south, self.west + self.span, self.north))

    def zoomed(self, share: float) -> "View":
        """The middle `share` of it, or more of the world for a share above 1."""
        middle, latitude = self.west + self.span / 2, (self.south + self.north) / 2
        return View._fitted(middle, latitude, self.span * share, (self.north - self.south) * share)

    def moved(self, east: float, north: float) -> "View":
        """By shares of its own size."""
        height = self.north - self.south
        latitude = (self.south + self.north) / 2 + north * height
        return View._fitted(self.west + self.span / 2 + east * self.span, latitude, self.span, height)

    def x(self, offset: float) -> float:
        """Where `offset` degrees east of the view's west are."""
        return WIDTH * offset / self.span

    def y(self, latitude: float) -> float:
        """Where a latitude is."""
        return self.height * (self.north - latitude) / (self.north - self.south)

    def spans(self, west: float, east: float) -> list[tuple[float, float]]:
        """The pieces of the sheet, left to right, between two longitudes; `west` > `east` crosses 180°."""
        length = _length(west, east)
        if length >= _ROUND:
            return [(0.0, WIDTH)]
        begin = (west - self.west) % _ROUND
        pieces = ((begin - _ROUND, begin - _ROUND + length), (begin, begin + length))
        return [
            (self.x(max(left, 0.0)), self.x(min(right, self.span)))
            for left, right in pieces
            if right >= 0 and left <= self.span
        ]


WORLD = View(-180.0, 360.0, -90.0, 90.0)


def extent(boxes: Iterable[Box]) -> View:
    """The smallest view that shows all of `boxes`, with a margin; the world where there are none."""
    found = list(boxes)
    if not found:
        return WORLD
    south, north = min(box[1] for box in found), max(box[3] for box in found)
    west, span = _around([(box[0], box[2]) for box in found])
    margin = max(span, north - south, 0.5) * 0.06
    if span + 2 * margin >= _ROUND:
        west, span = -180.0 + margin, _ROUND - 2 * margin
    view = (west - margin, max(south - margin, -90.0), west + span + margin, min(north + margin, 90.0))
    return View.of(view)


def parse_view(text: str) -> View | None:
    """A view from an address; None for anything else."""
    parts = text.split(",")
    if len(parts) != 4 or len(text) > 80:
        return None
    try:
        west, south, east, north = (float(part) for part in parts)
    except ValueError:
        return None
    if not all(map(math.isfinite, (west, south, east, north))) or not -90 <= south < north <= 90:
        return None
    if not (-360 <= west <= 360 and west < east <= west + _ROUND + 1e-6):
        return None
    return View.of((west, south, east, north))


def _length(west: float, east: float) -> float:
    """Degrees from `west` to `east`, eastwards."""
    return _ROUND if east - west >= _ROUND else (east - west) % _ROUND


def _around(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The shortest arc (its west, its length) that covers all arcs: all of the circle but the largest gap."""
    arcs = sorted((west % _ROUND, _length(west, east)) for west, east in pairs)
    reach = max(begin + length for begin, length in arcs) - _ROUND
    best_gap, best_west, covered = 0.0, arcs[0][0], max(reach, 0.0)
    # Arcs that come round over 0° cover its beginning; gaps are looked for from there on.
    for begin, length in arcs:
        if begin - covered > best_gap:
            best_gap, best_west = begin - covered, begin
        covered = max(covered, begin + length)
    last_gap = arcs[0][0] + _ROUND - covered
    if last_gap > best_gap:
        best_gap, best_west = last_gap, arcs[0][0]
    if best_gap <= 0:
        return -180.0, _ROUND
    return best_west, _ROUND - best_gap
