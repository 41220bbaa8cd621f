"""A report after a report is read as if it were the first, though only what is new in it is read."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.limits import LIMITS
from hub.overview.report import Report, ReportReader, read_report

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
DATASET = "la-dgm/geology-1m"
AHEAD = "2999-01-01T00:00:00Z"
PLACE = {"bbox": [100, 14, 108, 22.5], "bbox_source": "declared", "begin": "2001"}


def said(**values: Any) -> bytes:
    return json.dumps(values).encode()


def read(reader: ReportReader, *, received: datetime = NOW, **values: Any) -> Report:
    return reader.read("la-dgm", "main", said(**values), received)


VALUE = st.sampled_from([None, True, False, 0, 1, 1.0, -1, "1", "", "current", [], ["x"], [7], {}, {"a": 1}])
ROW = st.fixed_dictionaries(
    {"dataset": st.sampled_from([DATASET, "la-dgm/dem", "no dataset", 7])},
    optional={
        **dict.fromkeys(("state", "seq", "wanted_seq", "bytes_left", "attention", "held"), VALUE),
        "error": st.none()
        | st.fixed_dictionaries({"since": st.sampled_from([AHEAD, "2026-11-22T12:00:30Z"])}),
        "next_update": st.sampled_from(["2027-01-01", True, 1]),
        "footprint": st.sampled_from(
            [PLACE, {**PLACE, "bbox": [True, 14, 108, 22.5]}, {"bbox": [1, 14, 108, 22.5]}]
        ),
    },
)
REPORT = st.fixed_dictionaries({"publish": st.lists(ROW, max_size=3), "mirrors": st.lists(ROW, max_size=3)})


@given(st.lists(REPORT, min_size=2, max_size=4))
def test_what_was_said_before_changes_nothing_of_what_is_read(reports: list[dict[str, Any]]):
    reader = ReportReader(LIMITS)
    for turn, values in enumerate(reports):
        received = NOW + turn * timedelta(seconds=20)
        assert read(reader, received=received, **values) == read_report(said(**values), received, LIMITS)


def test_a_row_in_the_same_words_is_not_read_again_and_a_changed_one_is():
    reader = ReportReader(LIMITS)
    rows = [{"dataset": DATASET, "seq": 1}, {"dataset": "la-dgm/dem", "seq": 1}]
    first = read(reader, mirrors=rows, publish=rows)
    second = read(reader, mirrors=[{**rows[0], "seq": 2}, rows[1]], publish=rows)
    assert second.mirrors[0].seq == 2
    assert second.mirrors[1] is first.mirrors[1]
    assert second.facts[0] is first.facts[0]


@pytest.mark.parametrize("claim", [True, 1.0])
def test_what_python_takes_for_equal_is_not_the_same_claim(claim: Any):
    reader = ReportReader(LIMITS)
    assert read(reader, mirrors=[{"dataset": DATASET, "bytes_left": 1}]).backlog_bytes == 1
    assert read(reader, mirrors=[{"dataset": DATASET, "bytes_left": claim}]).backlog_bytes == 0


def test_an_error_in_the_same_words_is_cut_back_to_when_it_was_said_again():
    reader = ReportReader(LIMITS)
    row = {"dataset": DATASET, "error": {"message": "x", "since": AHEAD}}
    assert read(reader, mirrors=[row]).problems[0].since == NOW
    assert read(reader, mirrors=[row], received=LATER).problems[0].since == LATER


def test_a_mirror_is_no_publication_in_the_same_words():
    reader, row = ReportReader(LIMITS), {"dataset": DATASET, "update_frequency": "daily"}
    assert read(reader, mirrors=[row]).facts == ()
    assert [each.update_frequency for each in read(reader, publish=[row]).facts] == ["daily"]
    assert read(reader, mirrors=[row]).facts == ()


def test_what_is_no_report_leaves_nothing_behind():
    reader = ReportReader(LIMITS)
    first = read(reader, mirrors=[{"dataset": DATASET}])
    with pytest.raises(InvalidInput):
        reader.read("la-dgm", "main", b"[", NOW)
    assert read(reader, mirrors=[{"dataset": DATASET}]) == first


def test_a_row_that_is_too_deep_to_be_compared_is_read_or_refused_and_never_a_bug():
    reader = ReportReader(LIMITS)
    for depth in (100, 900, 3_000, 50_000):
        deep = f'{{"mirrors": [{{"dataset": "{DATASET}", "x": {"[" * depth}{"]" * depth}}}]}}'.encode()
        try:
            report = reader.read("la-dgm", "main", deep, NOW)
        except InvalidInput:
            continue
        assert [each.dataset for each in report.mirrors] == [DATASET]
