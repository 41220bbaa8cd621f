"""A map of the operator's own under the footprints: GeoJSON (RFC 7946), read once, drawn as it stands.

None is shipped: which borders are drawn, and how, is for the operator's authorities, whose number for it is
shown on the map. A file that cannot be read costs the map its ground, and nothing else; the page says why.

    basemap = read_basemap(settings.web.basemap)
    basemap.drawn(view)                                  # Markup
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from markupsafe import Markup

from core.logs import get_logger
from hub.config_operator import BasemapTable
from hub.web.drawing.projection import View

_BYTES_MAX = 64 * 1024 * 1024
_POINTS_MAX = 2_000_000
_DEPTH_MAX = 16
_NEAR = 0.6  # of a point of the sheet: what is nearer to the one before is not drawn
_log = get_logger("hub.web.map")

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Course:
    """A line, or the ring of an area, and where it lies."""

    points: Sequence[Point]
    is_area: bool
    west: float
    south: float
    east: float
    north: float


class Basemap:
    """What was read. `problem` says why there is nothing, if there is nothing."""

    def __init__(self, areas: Sequence[Sequence[Course]], approval: str, problem: str = "") -> None:
        self._areas = areas
        self.approval = approval
        self.problem = problem
        self.drawn = lru_cache(32)(self._drawn)

    def _drawn(self, view: View) -> Markup:
        """What of it the view shows."""
        parts: list[str] = []
        for area in self._areas:
            paths = [path for course in area for path in _paths(course, view)]
            if any(paths):
                kind = "land" if area[0].is_area else "land-line"
                parts.append(f'<path d="{"".join(paths)}" fill-rule="evenodd" class="{kind}"/>')
        return Markup("".join(parts))  # noqa: S704 - numbers alone


def read_basemap(table: BasemapTable) -> Basemap:
    """What the settings name."""
    try:
        with table.file.open("rb") as file:
            raw = file.read(_BYTES_MAX + 1)
        if len(raw) > _BYTES_MAX:
            raise ValueError(f"is larger than {_BYTES_MAX} bytes")
        areas = list(_areas(json.loads(raw), _DEPTH_MAX))
        if sum(len(course.points) for area in areas for course in area) > _POINTS_MAX:
            raise ValueError(f"has more than {_POINTS_MAX} points: simplify it")
        if not areas:
            raise ValueError("has no lines and no areas")
    except (OSError, ValueError, RecursionError) as error:
        problem = error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
        _log.error("the base map cannot be read", file=str(table.file), problem=problem)
        return Basemap((), table.approval, f"{table.file.name}: {problem}")
    return Basemap(areas, table.approval)


#: What a kind of GeoJSON holds others in.
_HOLDS = {"FeatureCollection": "features", "GeometryCollection": "geometries"}


def _areas(value: object, depth: int) -> Iterator[list[Course]]:
    if not isinstance(value, dict) or depth == 0:
        raise ValueError("is not GeoJSON")
    node = cast("dict[str, Any]", value)
    kind = node.get("type")
    if kind in _HOLDS:
        for each in _list(node.get(_HOLDS[kind])):
            yield from _areas(each, depth - 1)
    elif kind == "Feature":
        if node.get("geometry") is not None:
            yield from _areas(node["geometry"], depth - 1)
    elif kind not in ("Point", "MultiPoint"):
        yield from _courses(kind, node.get("coordinates"))


def _courses(kind: object, places: object) -> Iterator[list[Course]]:
    if kind == "Polygon":
        yield [_course(ring, is_area=True) for ring in _list(places)]
    elif kind == "MultiPolygon":
        for polygon in _list(places):
            yield [_course(ring, is_area=True) for ring in _list(polygon)]
    elif kind == "LineString":
        yield [_course(places, is_area=False)]
    elif kind == "MultiLineString":
        yield [_course(line, is_area=False) for line in _list(places)]
    else:
        raise ValueError("is not GeoJSON")


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("is not GeoJSON")
    return cast("list[Any]", value)


def _course(value: object, *, is_area: bool) -> Course:
    points = [_point(each) for each in _list(value)]
    if len(points) < 2:
        raise ValueError("has a line of fewer than two points")
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return Course(tuple(points), is_area, min(xs), min(ys), max(xs), max(ys))


def _point(value: object) -> Point:
    numbers = _list(value)[:2]
    if len(numbers) != 2 or not all(isinstance(each, int | float) for each in numbers):
        raise ValueError("has a point that is none")
    x, y = float(numbers[0]), float(numbers[1])
    if not (math.isfinite(x) and math.isfinite(y) and abs(x) <= 360 and abs(y) <= 90):
        raise ValueError("is not in degrees (WGS 84): transform it first")
    return x, y


def _paths(course: Course, view: View) -> Iterator[str]:
    if course.south > view.north or course.north < view.south:
        return
    for turn in (-360.0, 0.0, 360.0):
        shift = turn - view.west
        if course.east + shift >= 0 and course.west + shift <= view.span:
            yield _path(course, view, shift)


def _path(course: Course, view: View, shift: float) -> str:
    parts: list[str] = []
    last_x = last_y = math.inf
    for longitude, latitude in course.points:
        x, y = view.x(longitude + shift), view.y(latitude)
        if abs(x - last_x) > _NEAR or abs(y - last_y) > _NEAR:
            parts.append(f"{x:.1f} {y:.1f}")
            last_x, last_y = x, y
    if len(parts) < 2:
        return ""
    return f"M{'L'.join(parts)}{'Z' if course.is_area else ''}"
