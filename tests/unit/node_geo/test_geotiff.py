"""Where a raster is, to the edge of its pixels: half a pixel is 15 m of a satellite image, and a wrong
claim."""

import math
from pathlib import Path

import pytest

from tests.unit.node_geo.conftest import Read
from tests.unit.node_geo.making import AREA, POINT, geographic, geotiff, projected

#: UTM on the equator, at the central meridian: radians = metres / (k0 · radius of curvature).
K0, A, E2 = 0.9996, 6_378_137.0, 0.00669437999014
LON_PER_M = math.degrees(1 / (K0 * A))
LAT_PER_M = math.degrees(1 / (K0 * A * (1 - E2)))


def test_pixel_is_area_the_tiepoint_is_the_corner_of_a_pixel(read: Read, tmp_path: Path):
    path = geotiff(tmp_path / "a.tif", keys=geographic(), scale=(0.5, 0.5), tie=(0, 0, 100.0, 20.0))
    assert read("geotiff", path).bbox == (100.0, 10.0, 105.0, 20.0)


def test_pixel_is_point_the_tiepoint_is_the_centre_of_a_pixel(read: Read, tmp_path: Path):
    keys = geographic(raster=POINT)
    path = geotiff(tmp_path / "a.tif", keys=keys, scale=(0.5, 0.5), tie=(0, 0, 100.0, 20.0))
    assert read("geotiff", path).bbox == (99.75, 10.25, 104.75, 20.25)


@pytest.mark.parametrize(("raster", "shift"), [(AREA, 0.0), (POINT, -500.0)])
def test_half_a_pixel_in_utm_48n(read: Read, tmp_path: Path, raster: int, shift: float):
    """One pixel of a kilometre where zone 48's meridian (105°) meets the equator."""
    keys = projected(32648, raster)
    path = geotiff(tmp_path / "a.tif", keys=keys, scale=(1e3, 1e3), tie=(0, 0, 5e5, 0.0), size=(1, 1))
    box = read("geotiff", path).bbox
    expected = (
        105.0 + shift * LON_PER_M,
        (-1000.0 - shift) * LAT_PER_M,
        105.0 + (1000.0 + shift) * LON_PER_M,
        -shift * LAT_PER_M,
    )
    assert box == pytest.approx(expected, abs=1e-7)  # a centimetre


def test_a_tiepoint_in_the_middle_of_the_image(read: Read, tmp_path: Path):
    path = geotiff(tmp_path / "a.tif", keys=geographic(), scale=(0.5, 0.5), tie=(2, 4, 100.0, 20.0))
    assert read("geotiff", path).bbox == (99.0, 12.0, 104.0, 22.0)


def test_a_rotated_image_is_as_wide_as_its_corners(read: Read, tmp_path: Path):
    matrix = (0.5, 0.5, 0, 100, -0.5, 0.5, 0, 20, 0, 0, 0, 0, 0, 0, 0, 1)
    path = geotiff(tmp_path / "a.tif", keys=geographic(), matrix=matrix)
    assert read("geotiff", path).bbox == (100.0, 15.0, 115.0, 30.0)


def test_a_rotated_image_of_points_reaches_half_a_pixel_further(read: Read, tmp_path: Path):
    matrix = (0, 0.5, 0, 100, -0.5, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 1)  # by 90°
    path = geotiff(tmp_path / "a.tif", keys=geographic(raster=POINT), matrix=matrix)
    assert read("geotiff", path).bbox == (99.75, 15.25, 109.75, 20.25)


def test_bigtiff(read: Read, tmp_path: Path):
    path = geotiff(tmp_path / "a.tif", keys=geographic(), scale=(1, 1), tie=(0, 0, 100, 20), big=True)
    assert read("geotiff", path).bbox == (100.0, 0.0, 110.0, 20.0)


def test_an_image_across_the_antimeridian(read: Read, tmp_path: Path):
    keys = projected(32601)  # 183° W to 174° W by its meridian of 177° W
    path = geotiff(tmp_path / "a.tif", keys=keys, scale=(3e4, 1e3), tie=(0, 0, 1e5, 2e4))
    box = read("geotiff", path).bbox
    assert box is not None
    west, _, east, _ = box
    assert (west, east) == pytest.approx((-177 - 4e5 * LON_PER_M + 360, -177 - 1e5 * LON_PER_M), abs=0.02)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({}, "has no coordinate reference system"),
        ({1025: AREA}, "missing"),
        (geographic(32767), "none of EPSG's"),
        (projected(1024), "not known"),
        (projected(5703), "a local one"),  # heights
    ],
)
def test_a_reference_system_is_never_guessed(read: Read, tmp_path: Path, keys: dict[int, int], why: str):
    path = geotiff(tmp_path / "a.tif", keys=keys, scale=(0.5, 0.5), tie=(0, 0, 100.0, 20.0))
    place = read("geotiff", path)
    assert place.bbox is None
    assert why in place.problem


@pytest.mark.parametrize(
    ("keys", "scale", "tie"),
    [
        (geographic(), (0.5, 0.5), (0, 0, 178.0, 20.0)),  # to 183°
        (geographic(), (0.5, 0.5), (0, 0, 100.0, 95.0)),
        (geographic(), (1000.0, 1000.0), (0, 0, 500_000.0, 2_000_000.0)),  # metres said to be degrees
        (projected(32648), (1e9, 1e9), (0, 0, 5e8, 5e8)),
        (projected(3857), (1e8, 1e3), (0, 0, 1e9, 1e3)),  # would wrap around the Earth, many times
        (geographic(), (math.nan, 0.5), (0, 0, 100.0, 20.0)),
        (geographic(), (math.inf, 0.5), (0, 0, 100.0, 20.0)),
        (geographic(), (0.0, 0.0), (0, 0, 100.0, 20.0)),
    ],
)
def test_what_is_out_of_range_is_refused(
    read: Read, tmp_path: Path, keys: dict[int, int], scale: tuple[float, float], tie: tuple[float, ...]
):
    place = read("geotiff", geotiff(tmp_path / "a.tif", keys=keys, scale=scale, tie=tie))
    assert place.bbox is None
    assert place.problem


def test_control_points_are_no_transformation(read: Read, tmp_path: Path):
    tie = (0, 0, 100, 20, 10, 0, 105, 20, 10, 20, 105, 10)
    place = read("geotiff", geotiff(tmp_path / "a.tif", keys=geographic(), tie=tie))
    assert place.bbox is None
    assert "tiepoint" in place.problem
