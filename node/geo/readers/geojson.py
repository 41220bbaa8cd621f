"""GeoJSON (RFC 7946, and the `crs` member of 2008): the extent of all coordinates, read as a stream.

Rules: longitude before latitude, on WGS 84, unless an old `crs` names another system (null or a link: not
known). The top's own `bbox` counts where it holds all coordinates: it alone can say that it crosses 180°. An
object that is no GeoJSON has no place, and that is nothing to complain of.
"""

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, cast

from node.geo.place import Box, Boxes, NotKnown, Place, check_box
from node.geo.readers.json_stream import JsonStream

_VALUE_BYTES_MAX = 64 * 1024 * 1024
_TYPES = frozenset(
    {
        "FeatureCollection",
        "Feature",
        "GeometryCollection",
        "Point",
        "MultiPoint",
        "LineString",
        "MultiLineString",
        "Polygon",
        "MultiPolygon",
    }
)
_WGS84_NAMES = frozenset({"urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:OGC::CRS84"})
_ABSENT = object()


def read(files: Sequence[BinaryIO]) -> Place:
    """Where its coordinates are. Raises `NotKnown`."""
    found = _Found()
    try:
        stream = JsonStream(files[0], value_bytes_max=_VALUE_BYTES_MAX)
        for name in stream.members():
            if name in ("features", "geometries") and stream.is_array():
                for element in stream.elements():
                    found.take(element)
            elif name == "coordinates":
                found.take_coordinates(stream.value())
            elif name == "geometry":
                found.take(stream.value())
            else:
                found.members[name] = stream.value()
    except UnicodeDecodeError as error:
        raise NotKnown("it is not UTF-8") from error
    except ValueError as error:
        raise NotKnown(str(error)) from error
    if found.members.get("type") not in _TYPES:
        return Place()
    return Place(bbox=found.box())


class _Found:
    """What was read so far."""

    def __init__(self) -> None:
        self.members: dict[str, Any] = {}
        self._boxes: list[tuple[float, float, float, float]] = []
        self._plain: tuple[float, float, float, float] | None = None
        self._arcs = Boxes()
        self._out_of_range = ""

    def take(self, node: Any) -> None:
        """A feature or geometry, however collections are nested."""
        waiting = [node]
        while waiting:
            each = waiting.pop()
            if not isinstance(each, dict):
                continue
            fields = cast("dict[str, Any]", each)
            if "coordinates" in fields:
                self.take_coordinates(fields["coordinates"])
            for name in ("geometries", "features"):
                if isinstance(fields.get(name), list):
                    waiting += fields[name]
            if isinstance(fields.get("geometry"), dict):
                waiting.append(fields["geometry"])

    def take_coordinates(self, node: Any) -> None:
        """One geometry's."""
        xs: list[float] = []
        ys: list[float] = []
        for x, y in _positions(node):
            xs.append(x)
            ys.append(y)
        if not xs:
            return
        west, south, east, north = bounds = (min(xs), min(ys), max(xs), max(ys))
        try:
            self._arcs.add(check_box(bounds))
        except NotKnown as error:
            self._out_of_range = self._out_of_range or str(error)
        known = self._plain
        self._plain = bounds if known is None else (
            min(known[0], west), min(known[1], south), max(known[2], east), max(known[3], north)
        )  # fmt: skip

    def box(self) -> Box | None:
        """The extent, on WGS 84."""
        crs = self.members.get("crs", _ABSENT)
        name = None if crs is _ABSENT else _crs_name(crs)
        if name is not None and name not in _WGS84_NAMES:
            # Imported only for the few that need it.
            from node.geo.readers.crs import parse_crs, to_wgs84  # noqa: PLC0415

            return None if self._plain is None else to_wgs84(parse_crs(name), self._plain)
        if self._out_of_range:
            raise NotKnown(self._out_of_range)
        box = self._arcs.union()
        declared = _own_box(self.members.get("bbox"))
        if declared is not None and (box is None or _holds(declared, box)):
            return declared
        return box


def _positions(node: Any) -> Iterator[tuple[float, float]]:
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, list) or not each:
            continue
        values = cast("list[Any]", each)
        if isinstance(values[0], (int, float)):
            if len(values) < 2 or not isinstance(values[1], (int, float)):
                raise NotKnown("a position of it is none")
            yield float(values[0]), float(values[1])
        else:
            waiting += values


def _crs_name(crs: Any) -> str:
    """What an old `crs` names. Raises `NotKnown`."""
    if isinstance(crs, dict):
        fields = cast("dict[str, Any]", crs)
        properties = fields.get("properties")
        if fields.get("type") == "name" and isinstance(properties, dict):
            name = cast("dict[str, Any]", properties).get("name")
            if isinstance(name, str):
                return name
    raise NotKnown("its coordinate reference system is undefined")


def _own_box(value: Any) -> Box | None:
    """The `bbox` member; None where there is none, or it cannot be one."""
    if not isinstance(value, list):
        return None
    numbers = [float(each) for each in cast("list[Any]", value) if isinstance(each, (int, float))]
    half = len(numbers) // 2
    if len(numbers) != len(cast("list[Any]", value)) or len(numbers) not in (4, 6):
        return None
    try:
        return check_box([numbers[0], numbers[1], numbers[half], numbers[half + 1]])
    except NotKnown:
        return None


def _holds(outer: Box, inner: Box) -> bool:
    if not (outer[1] <= inner[1] and inner[3] <= outer[3]):
        return False
    together = Boxes()
    together.add(outer)
    together.add(inner)
    return together.union() == outer
