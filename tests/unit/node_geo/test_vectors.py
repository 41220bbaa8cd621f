"""GeoPackage, shapefile, GeoJSON and miniSEED: what they state, on WGS 84, or nothing."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pyproj import CRS

from node.geo.place import Place
from node.geo.readers.json_stream import JsonStream
from tests.unit.node_geo.conftest import Read
from tests.unit.node_geo.making import geopackage, miniseed, shapefile_of
from tests.unit.node_geo.test_geotiff import LON_PER_M

DAY_NS = 86_400 * 10**9


# --- GeoPackage ------------------------------------------------------------------------------------


def test_all_layers_of_a_geopackage_are_united(read: Read, tmp_path: Path):
    layers = [("a", (100.0, 10.0, 101.0, 11.0), 4326), ("b", (5e5, 0.0, 6e5, 1e5), 32648)]
    box = read("geopackage", geopackage(tmp_path / "a.gpkg", layers)).bbox
    assert box is not None
    assert box == pytest.approx((100.0, 0.0, 105 + 1e5 * LON_PER_M, 11.0), abs=2e-4)


def test_a_layers_own_definition_of_its_system(read: Read, tmp_path: Path):
    definitions = {100_001: CRS.from_epsg(32648).to_wkt("WKT1_GDAL")}
    path = geopackage(tmp_path / "a.gpkg", [("a", (5e5, 0.0, 5e5, 0.0), 100_001)], definitions=definitions)
    assert read("geopackage", path).bbox == pytest.approx((105.0, 0.0, 105.0, 0.0), abs=1e-9)


def test_a_layer_in_an_undefined_system_adds_nothing_and_is_told(read: Read, tmp_path: Path):
    layers = [("a", (100.0, 10.0, 101.0, 11.0), 4326), ("b", (0.0, 0.0, 9.0, 9.0), -1), ("c", None, 4326)]
    place = read("geopackage", geopackage(tmp_path / "a.gpkg", layers))
    assert place.bbox == (100.0, 10.0, 101.0, 11.0)
    assert place.problem.startswith("of a layer: ")


# --- Shapefile -------------------------------------------------------------------------------------


def test_a_shapefile_by_its_header_and_its_prj(read: Read, tmp_path: Path):
    path = shapefile_of(tmp_path / "a.shp", [(100.0, 10.0), (101.5, 12.0)], "EPSG:4326")
    assert read("shapefile", path, path.with_suffix(".prj")).bbox == (100.0, 10.0, 101.5, 12.0)


def test_a_projected_shapefile(read: Read, tmp_path: Path):
    path = shapefile_of(tmp_path / "a.shp", [(5e5, 0.0)], "EPSG:32648")
    box = read("shapefile", path, path.with_suffix(".prj")).bbox
    assert box == pytest.approx((105.0, 0.0, 105.0, 0.0), abs=1e-9)


def test_a_shapefile_without_prj_is_not_known(read: Read, tmp_path: Path):
    place = read("shapefile", shapefile_of(tmp_path / "a.shp", [(100.0, 10.0)], None))
    assert place == Place(problem="it has no .prj beside it")


def test_a_shapefile_without_shapes_has_no_place(read: Read, tmp_path: Path):
    path = shapefile_of(tmp_path / "a.shp", [], "EPSG:4326")
    assert read("shapefile", path, path.with_suffix(".prj")) == Place()


# --- GeoJSON ---------------------------------------------------------------------------------------


def point(x: float, y: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [x, y]}


def features(*points: tuple[float, float], **more: Any) -> dict[str, Any]:
    made = [{"type": "Feature", "properties": {}, "geometry": point(*each)} for each in points]
    return {"type": "FeatureCollection", "features": made, **more}


def old_crs(name: str) -> dict[str, Any]:
    return {"type": "name", "properties": {"name": name}}


@pytest.mark.parametrize(
    ("value", "box"),
    [
        (point(100.0, 10.0), (100.0, 10.0, 100.0, 10.0)),
        (features((100.0, 10.0), (102.0, 8.0)), (100.0, 8.0, 102.0, 10.0)),
        (
            {"type": "Polygon", "coordinates": [[[1, 2, 99], [3, 4, 99], [1, 4, 99], [1, 2, 99]]]},
            (1, 2, 3, 4),
        ),
        (
            {"type": "GeometryCollection", "geometries": [point(1, 2), {"type": "GeometryCollection",
             "geometries": [point(3, 4)]}]},
            (1, 2, 3, 4),
        ),
        (features((179.5, -17.0), (-179.0, -16.0)), (179.5, -17.0, -179.0, -16.0)),
        (features((178.0, -17.0), bbox=[177.0, -20.0, -178.0, -15.0]), (177.0, -20.0, -178.0, -15.0)),
        (features((1.0, 1.0), bbox=[0.0, 0.0, -5.0, 2.0, 2.0, 5.0]), (0.0, 0.0, 2.0, 2.0)),
        (features((9.0, 9.0), bbox=[0.0, 0.0, 2.0, 2.0]), (9.0, 9.0, 9.0, 9.0)),  # it does not hold them
        (features((1.0, 2.0), crs=old_crs("urn:ogc:def:crs:OGC:1.3:CRS84")), (1.0, 2.0, 1.0, 2.0)),
        (features(), None),
        ({"type": "Feature", "geometry": None, "properties": {}}, None),
    ],
)  # fmt: skip
def test_geojson(read: Read, tmp_path: Path, value: dict[str, Any], box: tuple[float, ...] | None):
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(value), encoding="utf-8")
    assert read("geojson", path) == Place(bbox=box)  # type: ignore[arg-type]


def test_an_old_crs_member_counts_wherever_it_stands(read: Read, tmp_path: Path):
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(features((5e5, 0.0), crs=old_crs("urn:ogc:def:crs:EPSG::32648"))))
    assert read("geojson", path).bbox == pytest.approx((105.0, 0.0, 105.0, 0.0), abs=1e-9)


@pytest.mark.parametrize(
    "value",
    [
        features((1.0, 2.0), crs=None),
        features((1.0, 2.0), crs={"type": "link", "properties": {"href": "http://192.0.2.1/crs"}}),
        features((1.0, 2.0), crs=old_crs("no such system")),
        features((5e5, 0.0)),
        features((181.0, 0.0), (5.0, 5.0)),
        {"type": "Point", "coordinates": [1]},
    ],
)
def test_geojson_that_cannot_be_placed(read: Read, tmp_path: Path, value: dict[str, Any]):
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(value), encoding="utf-8")
    place = read("geojson", path)
    assert place.bbox is None
    assert place.problem


def test_json_that_is_no_geojson_is_nothing_to_complain_of(read: Read, tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text('\ufeff{"name": "settings", "type": "module", "files": [1, 2]}', encoding="utf-8")
    assert read("geojson", path) == Place()


class Trickle(BytesIO):
    """Gives three bytes at a time, as a pipe may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(3)


def test_json_is_read_piece_by_piece():
    text = '{"a": 12345, "ສຽງ": [1, {"b": "]}"}, -2.5e3], "last": true}'
    stream = JsonStream(Trickle(text.encode()), value_bytes_max=1000)
    found: dict[str, Any] = {}
    for name in stream.members():
        found[name] = list(stream.elements()) if stream.is_array() else stream.value()
    assert found == {"a": 12345, "ສຽງ": [1, {"b": "]}"}, -2500.0], "last": True}


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a" 1}', '{"a": 1', '{"a": [1,}', "[1]", "", "{1: 2}"])
def test_what_is_no_json_object_is_refused(text: str):
    stream = JsonStream(BytesIO(text.encode()), value_bytes_max=1000)
    with pytest.raises(ValueError, match=r"JSON"):
        for _ in stream.members():
            stream.value()


def test_a_part_that_is_too_large_is_refused_before_it_is_held():
    stream = JsonStream(BytesIO(b'{"a": "' + b"x" * 1_000_000 + b'"}'), value_bytes_max=1000)
    with pytest.raises(ValueError, match=r"larger than"):
        for _ in stream.members():
            stream.value()


# --- miniSEED --------------------------------------------------------------------------------------


def test_miniseed_from_its_first_day_to_its_last(read: Read, tmp_path: Path):
    path = miniseed(tmp_path / "a.mseed", [20_000 * DAY_NS - 10**9, 19_998 * DAY_NS])
    place = read("miniseed", path)  # the samples of the later record reach into the next day
    assert (place.bbox, place.begin, place.end) == (None, "2024-10-02", "2024-10-04")


def test_what_is_no_miniseed(read: Read, tmp_path: Path):
    path = tmp_path / "a.mseed"
    path.write_bytes(b"no records here" * 100)
    place = read("miniseed", path)
    assert place.begin is None
    assert place.problem
