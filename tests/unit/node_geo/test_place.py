"""One place of many: the smallest box, across 180° where that is smaller; and nothing that cannot be."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.geo.place import Box, Boxes, NotKnown, Place, check_box, unite


def union(*boxes: Box) -> Box | None:
    return unite([Place(bbox=each) for each in boxes]).bbox


def test_the_union_of_boxes_beside_each_other():
    assert union((100, 10, 101, 11), (103, 5, 104, 6)) == (100, 5, 104, 11)


def test_a_union_across_the_antimeridian_is_smaller_than_around_the_earth():
    assert union((177, -19, 178, -17), (-179, -18, -178, -16)) == (177, -19, -178, -16)
    assert union((179, -18, -179, -16), (177, -19, 178, -17)) == (177, -19, -179, -16)


def test_what_reaches_around_the_earth_stays_so():
    assert union((-180, -90, 180, 90)) == (-180, -90, 180, 90)
    assert union((-180, 0, 10, 1), (0, 0, 180, 1)) == (-180, 0, 180, 1)


def test_nothing_has_no_place():
    assert unite([Place(), Place(problem="x")]) == Place()


def test_periods_are_united():
    places = [Place(begin="2001-01-01", end="2002-01-01"), Place(begin="2000-05-05", end="2001-01-01")]
    assert unite(places) == Place(begin="2000-05-05", end="2002-01-01")


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 181, 1),
        (-181, 0, 0, 1),
        (0, -91, 1, 1),
        (0, 0, 1, 91),
        (0, 2, 1, 1),
        (math.nan, 0, 1, 1),
        (0, 0, math.inf, 1),
        (0, 0, 1),
    ],
)
def test_a_box_out_of_range_is_refused(box: tuple[float, ...]):
    with pytest.raises(NotKnown):
        check_box(box)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{}",
        b"[1]",
        b"[" * 100_000,
        b'{"bbox": [1, 2, 3], "begin": null, "end": null, "problem": ""}',
        b'{"bbox": [0, 0, 999, 1], "begin": null, "end": null, "problem": ""}',
        b'{"bbox": [0, 0, NaN, 1], "begin": null, "end": null, "problem": ""}',
        b'{"bbox": null, "begin": "<script>", "end": "2001-01-01", "problem": ""}',
        b'{"bbox": null, "begin": "2002-01-01", "end": "2001-01-01", "problem": ""}',
        b'{"bbox": null, "begin": "2002-13-01", "end": "2003-01-01", "problem": ""}',
        b'{"bbox": null, "begin": "2002-01-01", "end": null, "problem": ""}',
    ],
)
def test_a_reader_that_a_file_has_taken_over_says_nothing_that_is_believed(answer: bytes):
    with pytest.raises(NotKnown):
        Place.from_json(answer)


def test_a_place_survives_the_pipe():
    place = Place((179.0, -18.5, -179.0, -16.0), "2001-01-01", "2002-01-01", "of a layer: ບໍ່ຮູ້")
    assert Place.from_json(place.to_json()) == place


boxes = st.builds(
    lambda west, width, south, height: (
        west, south, west + width if west + width <= 180 else west + width - 360, min(90.0, south + height)
    ),
    st.integers(-180, 180), st.integers(0, 359), st.integers(-90, 90), st.integers(0, 180),
)  # fmt: skip


def degrees(box: Box) -> set[int]:
    """The whole degrees of longitude that it covers."""
    west, _, east, _ = (int(each) for each in box)
    return {(each + 180) % 360 for each in range(west, east + 1 if west <= east else east + 361)}


@given(st.lists(boxes, min_size=1, max_size=8))
def test_the_union_holds_every_box_and_none_that_holds_them_is_smaller(several: list[Box]):
    made = union(*several)
    assert made is not None
    covered = set[int]().union(*(degrees(each) for each in several))
    assert covered <= degrees(made)
    assert made[1] == min(each[1] for each in several)
    assert made[3] == max(each[3] for each in several)
    ordered = sorted(covered)
    widest = max([right - left for left, right in pairwise([*ordered, ordered[0] + 360])])
    assert len(degrees(made)) in (361 - widest, 360)


def test_many_scattered_boxes_take_little_memory_and_lose_nothing():
    many = Boxes()
    for step in range(20_000):
        many.add((-170 + step / 100, 0, -170 + step / 100 + 0.001, 1))
    assert many.union() == (-170, 0, pytest.approx(29.991), 1)
