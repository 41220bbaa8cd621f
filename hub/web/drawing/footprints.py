"""Footprints on the sheet: the largest below, each with a number that the list beside it explains.

placed = place(items, view)                           # those on the sheet, numbered
footprints(placed, view, by="theme", chosen="la-dgm/geology-1m")
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from markupsafe import Markup

from hub.overview.model import MapItem
from hub.web.drawing.projection import Box, View

By = Literal["theme", "freshness"]

#: More would be neither seen nor told apart; the list says how many there are.
DRAWN_MAX = 600
_POINT = 7.0
_APART_X, _APART_Y = 24.0, 16.8


@dataclass(frozen=True, slots=True)
class Placed:
    """A footprint with its number and its pieces on the sheet: x, y, width, height."""

    number: int
    item: MapItem
    pieces: tuple[tuple[float, float, float, float], ...]

    @property
    def area(self) -> float:
        """On the sheet."""
        return sum(width * height for _, _, width, height in self.pieces)


def place(items: Sequence[MapItem], view: View) -> list[Placed]:
    """Those that the view shows, in their own order, numbered from 1."""
    on_sheet = [(item, pieces) for item in items if (pieces := _pieces(item.bbox, view))]
    return [Placed(number, item, pieces) for number, (item, pieces) in enumerate(on_sheet, 1)]


def footprints(placed: Sequence[Placed], *, by: By, chosen: str = "") -> Markup:
    """The largest `DRAWN_MAX`, and numbers where they do not cover each other."""
    drawn = sorted(placed, key=lambda each: -each.area)[:DRAWN_MAX]
    shapes = [_shape(each, by, chosen) for each in drawn]
    # The smallest first: a large one has room elsewhere for its number.
    taken = _Taken()
    numbers: list[Markup] = []
    for each in sorted(drawn, key=lambda each: (each.item.dataset != chosen, each.area)):
        spot = _free_spot(each, taken)
        if spot is not None:
            taken.add(*spot)
            numbers.append(
                Markup(
                    '<text x="{:.1f}" y="{:.1f}" class="print-number" aria-hidden="true">{}</text>'
                ).format(*spot, each.number)
            )
    return Markup("").join([*shapes, *numbers])


# Ten thousand places hardly ever change, and are looked at through a few views.
@lru_cache(maxsize=50_000)
def _pieces(box: Box, view: View) -> tuple[tuple[float, float, float, float], ...]:
    """Where a box lies on the sheet; nowhere, if it does not."""
    west, south, east, north = box
    if south > view.north or north < view.south:
        return ()
    top, bottom = max(view.y(north), 0.0), min(view.y(south), view.height)
    return tuple((left, top, right - left, bottom - top) for left, right in view.spans(west, east))


def _shape(each: Placed, by: By, chosen: str) -> Markup:
    item = each.item
    hue = item.theme if by == "theme" else item.freshness
    pieces = Markup("").join(_piece(piece, hue, item.dataset == chosen) for piece in each.pieces)
    return Markup(
        '<a href="/datasets/{0}" tabindex="-1" aria-label="{1}. {0}"><title>{1}. {0}</title>{2}</a>'
    ).format(item.dataset, each.number, pieces)


def _piece(piece: tuple[float, float, float, float], hue: str, chosen: bool) -> Markup:
    left, top, width, height = piece
    extra = " print-chosen" if chosen else ""
    if width < _POINT and height < _POINT:
        return Markup('<circle cx="{:.1f}" cy="{:.1f}" r="5" class="print-point hue-{}{}"/>').format(
            left + width / 2, top + height / 2, hue, extra
        )
    return Markup(
        '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" class="print hue-{}{}"/>'
    ).format(left, top, max(width, 1.0), max(height, 1.0), hue, extra)


@dataclass(slots=True)
class _Taken:
    """Where numbers are: in cells as large as a number, so that only neighbours are compared."""

    cells: dict[tuple[int, int], list[tuple[float, float]]] = field(
        default_factory=dict[tuple[int, int], list[tuple[float, float]]]
    )

    def add(self, x: float, y: float) -> None:
        """A number stands there."""
        self.cells.setdefault((int(x // _APART_X), int(y // _APART_Y)), []).append((x, y))

    def leaves_room(self, x: float, y: float) -> bool:
        """Whether one more does not cover any."""
        column, row = int(x // _APART_X), int(y // _APART_Y)
        near = (
            other
            for beside in (column - 1, column, column + 1)
            for below in (row - 1, row, row + 1)
            for other in self.cells.get((beside, below), ())
        )
        return all(abs(x - other[0]) > _APART_X or abs(y - other[1]) > _APART_Y for other in near)


def _free_spot(each: Placed, taken: _Taken) -> tuple[float, float] | None:
    """The middle of its largest piece, or one of its corners, where no number is yet."""
    left, top, width, height = max(each.pieces, key=lambda piece: piece[2] * piece[3])
    if width < _POINT and height < _POINT:
        spots = [(left + width / 2, top - 14)]
    else:
        inset_x, inset_y = min(14.0, width / 2), min(12.0, height / 2)
        spots = [
            (left + width / 2, top + height / 2),
            (left + inset_x, top + inset_y),
            (left + width - inset_x, top + inset_y),
            (left + inset_x, top + height - inset_y),
            (left + width - inset_x, top + height - inset_y),
        ]
    for x, y in spots:
        if taken.leaves_room(x, y):
            return x, y
    return None
