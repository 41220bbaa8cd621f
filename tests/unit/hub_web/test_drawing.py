"""What is drawn at the server: each footprint where it lies, also across 180°, and nothing from elsewhere."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.config_operator import BasemapTable
from hub.overview.model import MapItem
from hub.web.drawing import bars, curve, marks, sparkline
from hub.web.drawing.basemap import read_basemap
from hub.web.drawing.footprints import DRAWN_MAX, footprints, place
from hub.web.drawing.graticule import degrees, graticule, meridian, parallel
from hub.web.drawing.projection import WIDTH, WORLD, View, extent, parse_view
from hub.web.formats import Formats
from hub.web.i18n import languages
from tests.unit.hub_web.looking import Looking
from tests.unit.hub_web.markup import Whole

FORMATS = Formats(languages()["en"].locale)
FIJI = (172.0, -21.0, -176.0, -12.0)


def item(name: str, bbox: tuple[float, float, float, float]) -> MapItem:
    """A dataset with a place."""
    return MapItem(
        dataset=f"la-dgm/{name}",
        owner="la-dgm",
        title={"en": name},
        theme="hazard",
        freshness="late",
        bbox=bbox,
        source="declared",
    )


def test_a_footprint_across_180_degrees_is_two_pieces_on_a_map_of_the_world() -> None:
    left, right = sorted(WORLD.spans(FIJI[0], FIJI[2]))
    assert left == (0.0, pytest.approx(WIDTH * 4 / 360))
    assert right == (pytest.approx(WIDTH * 352 / 360), WIDTH)


def test_a_footprint_across_180_degrees_is_one_piece_on_a_map_of_the_pacific() -> None:
    view = extent([FIJI])
    [(left, right)] = view.spans(FIJI[0], FIJI[2])
    assert 0 < left < right < WIDTH
    assert view.span < 40


def test_the_extent_of_the_data_goes_the_short_way_round() -> None:
    view = extent([(170.0, 0.0, 175.0, 5.0), (-175.0, 0.0, -170.0, 5.0)])
    assert view.span < 40
    assert view.spans(179.0, -179.0)
    assert not view.spans(0.0, 10.0)


@pytest.mark.parametrize(
    "boxes",
    [
        [],
        [(-180.0, -90.0, 180.0, 90.0)],
        [(0.0, 0.0, 0.0, 0.0)],
        [(105.0, 90.0, 105.0, 90.0)],
        [(-180.0, 0.0, -60.0, 1.0), (-60.0, 0.0, 60.0, 1.0), (60.0, 0.0, 180.0, 1.0)],
        [(179.9, -90.0, -179.9, -89.9)],
    ],
)
def test_the_extent_shows_all_of_the_data(boxes: list[tuple[float, float, float, float]]) -> None:
    view = extent(boxes)
    assert -90 <= view.south < view.north <= 90
    assert -180 <= view.west < 180
    assert 0 < view.span <= 360
    for west, south, east, north in boxes:
        pieces = view.spans(west, east)
        drawn = sum(right - left for left, right in pieces)
        length = 360 if east - west >= 360 else (east - west) % 360
        assert drawn == pytest.approx(view.x(min(length, view.span)), abs=1.5)
        assert view.south <= south
        assert north <= view.north


def test_the_map_is_moved_and_magnified_without_end() -> None:
    view = WORLD
    for _ in range(40):
        view = view.zoomed(0.5).moved(0.4, 0.4)
    assert 0 < view.span < 1
    for _ in range(40):
        view = view.zoomed(2.0).moved(0.9, -0.9)
    assert (view.span, view.south, view.north) == (360.0, -90.0, 90.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2,3",
        "a,b,c,d",
        "nan,0,1,1",
        "0,0,inf,1",
        "0,5,1,1",
        "10,0,5,1",
        "0,-91,1,1",
        "0,0,1,1,1",
        "9" * 99,
    ],
)
def test_a_view_that_is_none_is_passed_over(text: str) -> None:
    assert parse_view(text) is None
    assert Looking().ask(f"/map?view={text}").status == 200


def test_a_view_is_written_as_it_is_read() -> None:
    view = extent([FIJI])
    read = parse_view(view.text)
    assert read is not None
    assert read.spans(FIJI[0], FIJI[2])[0] == pytest.approx(view.spans(FIJI[0], FIJI[2])[0], abs=0.1)


def test_degrees_are_told_with_their_side() -> None:
    assert [meridian(value) for value in (0, 105, -70.5, 180, -180, 190)] == [
        "0°", "105°E", "70.5°W", "180°", "180°", "170°W",
    ]  # fmt: skip
    assert [parallel(value) for value in (0, 15, -12.25)] == ["0°", "15°N", "12.25°S"]
    assert degrees(FIJI) == "172°E – 176°W, 21°S – 12°S"


@pytest.mark.parametrize("view", [WORLD, extent([FIJI]), View.of((100.0, 13.0, 100.1, 13.1))])
def test_a_graticule_has_a_few_labelled_lines(view: View) -> None:
    net = graticule(view)
    assert 3 <= net.count("grid-line") <= 30
    assert net.count("<text") >= 3


def test_of_too_many_footprints_the_largest_are_drawn() -> None:
    many = [item(f"d{n}", (100.0, 10.0, 100.5, 10.5)) for n in range(DRAWN_MAX + 50)]
    placed = place([*many, item("large", (99.0, 9.0, 105.0, 15.0))], extent([(99.0, 9.0, 105.0, 15.0)]))
    drawn = footprints(placed, by="theme")
    assert drawn.count("<a ") == DRAWN_MAX
    assert "/datasets/la-dgm/large" in drawn


def test_a_footprint_is_told_apart_without_colour() -> None:
    text = Looking().ask("/map").text
    found = Whole(text)
    assert found.wrong == []
    assert "hue-hazard" in text
    assert text.count('class="map-number"') == 39, "each has a number that the list explains"
    assert "stroke-dasharray" in Looking().ask("/static/style.css").text


def basemap(folder: Path, text: str) -> BasemapTable:
    """The operator's file."""
    file = folder / "base.geojson"
    file.write_text(text, encoding="utf-8")
    return BasemapTable.model_validate({"file": str(file), "approval": "GS(2026)1234号"})


def test_the_operators_base_map_lies_under_the_footprints_with_its_approval(tmp_path: Path) -> None:
    ring = [[100.0, 10.0], [110.0, 10.0], [110.0, 20.0], [100.0, 10.0]]
    shape = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}},
            {"type": "Feature", "geometry": None},
            {"type": "Feature", "geometry": {"type": "MultiLineString", "coordinates": [ring]}},
        ],
    }
    text = Looking(basemap=basemap(tmp_path, json.dumps(shape))).ask("/map").text
    assert Whole(text).wrong == []
    assert "GS(2026)1234号" in text
    assert text.index('class="land"') < text.index("grid-line") < text.index('class="print ')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"type": "Polygon", "coordinates": [[["x", 1], [2, 3]]]}',
        '{"type": "Polygon", "coordinates": [[[500000, 4000000], [500001, 4000000]]]}',
        '{"type": "Topology"}',
        '{"type": "FeatureCollection", "features": []}',
    ],
)
def test_a_base_map_that_is_none_costs_the_ground_alone(tmp_path: Path, text: str) -> None:
    table = basemap(tmp_path, text)
    assert read_basemap(table).problem
    page = Looking(basemap=table).ask("/map")
    assert page.status == 200
    assert "base map cannot be read" in page.text


def test_a_base_map_that_is_missing_costs_the_ground_alone(tmp_path: Path) -> None:
    table = BasemapTable.model_validate({"file": str(tmp_path / "none"), "approval": "x"})
    assert "No such file" in read_basemap(table).problem


def test_what_is_not_known_is_a_gap_in_a_line() -> None:
    line = sparkline.sparkline((1, 2, None, None, 3, 4), label="x", formats=FORMATS)
    assert line.count("<polyline") == 2
    assert "–" in sparkline.sparkline((None, None), label="x", formats=FORMATS)


def test_a_label_of_a_drawing_is_escaped() -> None:
    drawn = sparkline.sparkline((1, 2), label='"><script>', formats=FORMATS)
    assert "<script>" not in drawn


def test_a_course_has_at_most_so_many_points_and_both_ends() -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    points = [(begin + timedelta(hours=n), n) for n in range(5_000)]
    drawn = curve.curve(points, label="x", formats=FORMATS)
    assert drawn.count("H") < 1_000
    assert "2026-01-01T00:00:00Z" in drawn
    assert curve.curve(points[:1], label="x", formats=FORMATS) == ""


def test_a_bar_never_leaves_its_frame() -> None:
    assert 'width="119.0"' in bars.share(500, 100)
    assert "bar-over" in bars.share(500, 100)
    assert 'width="0.0"' in bars.share(-5, 100)
    assert bars.share(None, 100) == bars.share(1, 0) == bars.change(None, largest=1) == ""
    assert "bar-shrunk" in bars.change(-50, largest=50, marked=True)


def test_a_state_that_is_not_known_has_a_mark_of_its_own_and_no_class_of_its_own_making() -> None:
    assert "mark-unknown" in marks.mark('x"><script>')
    assert "script" not in marks.mark('x"><script>')
