"""Where the data are: footprints on a graticule, moved and magnified by links, and the same as a list.

`/map?view=w,s,e,n&by=theme|freshness&dataset=owner/name`; without a view, all of the data, or the dataset.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from hub.overview.model import MapItem, MapView
from hub.web.drawing.basemap import Basemap
from hub.web.drawing.footprints import DRAWN_MAX, By, Placed, footprints, place
from hub.web.drawing.graticule import degrees, graticule
from hub.web.drawing.projection import WIDTH, WORLD, View, extent, parse_view
from hub.web.pages.handler import Build
from hub.web.pages.source import Source
from hub.web.render import render
from sync.manifest import THEMES

_LISTED_MAX = 200
_SHEETS_MAX = 16
_FRESHNESS = ("fresh", "due", "late", "unknown")


def show_map(overview: Source, basemap: Basemap | None) -> Build:
    """`/map`."""

    sheets = _Sheets()

    def build(request: Request) -> Response:
        found = overview.map()
        query = request.query_params
        by: By = "freshness" if query.get("by") == "freshness" else "theme"
        wanted = query.get("dataset")
        chosen = next((each for each in found.items if each.dataset == wanted), None) if wanted else None
        fitted = sheets.extent_of(found)
        near = extent([chosen.bbox]).zoomed(1.8) if chosen is not None else fitted
        view = parse_view(query.get("view", "")) or near
        name = "" if chosen is None else chosen.dataset
        sheet = sheets.of(found, view, by, name)
        return render(
            request,
            "map.html",
            map=found,
            view=view,
            width=int(WIDTH),
            net=graticule(view),
            ground=basemap.drawn(view) if basemap is not None else "",
            basemap=basemap,
            prints=sheet.prints,
            placed=sheet.placed[:_LISTED_MAX],
            shown=len(sheet.placed),
            drawn_max=DRAWN_MAX,
            listed_max=_LISTED_MAX,
            by=by,
            chosen=name,
            legend=sheet.legend,
            links=_links(view, fitted, by, name),
            degrees=degrees,
        )

    return build


@dataclass(frozen=True, slots=True)
class _Sheet:
    items: tuple[MapItem, ...]
    placed: list[Placed]
    prints: Markup
    legend: list[tuple[str, int]]


class _Sheets:
    """What was drawn last, for all who look at the same: ten thousand footprints are placed once."""

    def __init__(self) -> None:
        self._drawn: dict[tuple[str, By, str], _Sheet] = {}
        self._fitted: tuple[tuple[MapItem, ...], View] | None = None

    def extent_of(self, found: MapView) -> View:
        """The view that shows all of the data; looked for again when `found` shows something else."""
        fitted = self._fitted
        if fitted is None or fitted[0] is not found.items:
            fitted = self._fitted = found.items, extent([each.bbox for each in found.items])
        return fitted[1]

    def of(self, found: MapView, view: View, by: By, chosen: str) -> _Sheet:
        """The sheet, drawn again when `found` shows something else."""
        key = view.text, by, chosen
        sheet = self._drawn.get(key)
        if sheet is None or sheet.items != found.items:
            placed = place(found.items, view)
            prints, legend = footprints(placed, by=by, chosen=chosen), _legend(found, placed, by)
            sheet = _Sheet(found.items, placed, prints, legend)
            if len(self._drawn) >= _SHEETS_MAX:
                self._drawn = {}
            self._drawn[key] = sheet
        return sheet


def _legend(found: MapView, placed: list[Placed], by: By) -> list[tuple[str, int]]:
    """The words of the colours, and how many footprints on the sheet have each."""
    known = THEMES if by == "theme" else _FRESHNESS
    shown = [_word(each.item, by) for each in placed]
    anywhere = {_word(each, by) for each in found.items}
    return [(word, shown.count(word)) for word in known if word in anywhere]


def _word(item: MapItem, by: By) -> str:
    return item.theme if by == "theme" else item.freshness


def _links(view: View, fitted: View, by: By, dataset: str) -> dict[str, str]:
    def to(wanted: View, colours: str = by) -> str:
        query = {"view": wanted.text, "by": colours, **({"dataset": dataset} if dataset else {})}
        return f"/map?{urlencode(query)}"

    return {
        "closer": to(view.zoomed(0.5)),
        "further": to(view.zoomed(2.0)),
        "west": to(view.moved(-0.35, 0)),
        "east": to(view.moved(0.35, 0)),
        "north": to(view.moved(0, 0.35)),
        "south": to(view.moved(0, -0.35)),
        "data": to(fitted),
        "world": to(WORLD),
        "theme": to(view, "theme"),
        "freshness": to(view, "freshness"),
    }
