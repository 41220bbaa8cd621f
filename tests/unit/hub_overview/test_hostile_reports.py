"""A report may hold anything: nothing raises, moves a terminal, or is believed to be more than it is."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.limits import LIMITS
from hub.overview import claims
from hub.overview.claims import BYTES_MAX
from hub.overview.model import FleetView
from hub.overview.report import Report, read_report, read_value
from hub.overview.service import Overview
from tests.simulation.federation import TestFederation

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DATASET = "la-dgm/geology-1m"


def read(**said: Any) -> Report:
    return read_report(json.dumps(said).encode(), NOW, LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'"x"',
        b"{",
        b"\xff",
        b'{"x": NaN}',
        b'{"x": Infinity}',
        b'{"x": ' + b"9" * 5_000 + b"}",
        b'{"x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"x": "' + b"y" * 10_000_000 + b'"}',
    ],
    ids=["empty", "list", "text", "cut", "bytes", "NaN", "infinity", "huge number", "deep", "10 MB"],
)
def test_what_is_no_report_is_refused(data: bytes):
    with pytest.raises(InvalidInput):
        read_report(data, NOW, LIMITS)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(codec=None, categories=["L", "M", "N", "P", "S", "Z", "C"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = [
    *("version", "started", "hub", "certificate_expires", "registry_seq", "alarms", "witness", "publish"),
    *("mirrors", "faults", "omitted", "disks", "watch", "transfer", "last_error", "signing_key_since"),
]
ROW = st.dictionaries(
    st.sampled_from(
        [
            *("state", "seq", "wanted_seq", "bytes_left", "attention", "error", "rate_bytes_s", "held"),
            *("update_frequency", "next_update", "footprint", "name", "free_bytes", "total_bytes"),
        ]
    ),
    JSON,
).map(lambda row: {"dataset": DATASET, **row})


@given(st.dictionaries(st.sampled_from(KEYS), JSON | st.lists(ROW, max_size=3)))
def test_whatever_a_report_holds_it_is_read_and_can_be_shown(value: dict[str, Any]):
    report = read_value(value, NOW)
    assert 0 <= report.backlog_bytes <= BYTES_MAX
    assert 0 <= report.rate_bytes_s <= BYTES_MAX
    for work in (*report.publishes, *report.mirrors):
        work.model_dump_json().encode()
    for fault in report.problems:
        fault.model_dump_json().encode()


def test_instants_ahead_of_the_hub_are_cut_back_to_it():
    fault = {"reason": "X", "message": "x", "since": "2999-01-01T00:00:00Z"}
    report = read(started="2999-01-01T00:00:00Z", faults={"clock": fault}, certificate_since="0001-01-01")
    assert report.started == NOW
    assert report.problems[0].since == NOW
    assert report.certificate_since is None


@pytest.mark.parametrize("size", [-1, 2**64, 1.5, True, "7", None, [7]])
def test_a_size_that_is_none_counts_as_not_said(size: Any):
    report = read(mirrors=[{"dataset": DATASET, "bytes_left": size, "seq": size}], omitted=size)
    assert (report.backlog_bytes, report.mirrors[0].seq, report.omitted) == (0, None, 0)


def test_sums_end_where_every_reader_still_counts_exactly():
    rows = [{"dataset": f"la-dgm/{number}", "bytes_left": BYTES_MAX} for number in range(9)]
    assert read(mirrors=rows).backlog_bytes == BYTES_MAX


def test_texts_turn_no_line_around_and_are_bounded():
    evil = "a\x1b[2J\r\n\u202eb\u2066c\ud800" + "x" * 1000
    report = read(version=evil, faults={evil: {"message": evil, "remedy": 7}})
    said = report.problems[0]
    for text in (report.version or "", said.about, said.message):
        assert text.startswith("a [2J  bc\ufffd")
        assert len(text) <= 500
        text.encode()
    assert said.remedy == ""


def test_marks_in_a_row_are_bounded_and_scripts_that_need_them_stay_whole():
    assert len(claims.text("e" + "\u0301" * 400, 500)) < 12
    for name in ("ກົມທໍລະນີສາດ ແລະ ບໍ່ແຮ່", "ភូមិសាស្ត្រ", "ဘူမိဗေဒ", "กรมทรัพยากรธรณี", "नमस्\u200dते"):
        assert claims.text(name, 100) == name


def test_many_of_everything_are_too_many():
    rows = [{"dataset": f"la-dgm/{number}", "attention": ["x"] * 100} for number in range(1000)]
    report = read_value(
        {"publish": rows * 20, "faults": {str(n): {} for n in range(99)}, "disks": [{"free_bytes": 1}] * 99},
        NOW,
    )
    assert len(report.publishes) == 1000
    assert len(report.publishes[0].attention) == 10
    assert len(report.faults) == 32
    assert report.disks == ()


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([100, 14, 108, 22.5], (100.0, 14.0, 108.0, 22.5)),
        ([179, -20, -179, -10], (179.0, -20.0, -179.0, -10.0)),  # across 180°
        ([100, 22, 108, 14], None),
        ([100, 14, 108], None),
        ([100, 14, 108, 91], None),
        ([100, 14, 108, True], None),
        ([100, 14, 1e400, 15], None),
        ("100,14,108,22", None),
    ],
)
def test_a_box_is_four_degrees_or_nothing(box: Any, expected: Any):
    assert claims.box(box) == expected


@pytest.mark.parametrize(
    ("text", "legal"),
    [
        ("2001", True),
        ("2001-02", True),
        ("2001-02-28", True),
        ("2001-02-28T10:00:00Z", True),
        ("2001-02-30", False),
        ("2001-13", False),
        ("٢٠٠١", False),
        ("20010228", False),
    ],
)
def test_the_end_of_a_period_is_iso_8601_or_nothing(text: str, legal: bool):
    assert (claims.period_end(text) == text) is legal


def test_a_page_stands_whatever_a_node_says(federation: TestFederation, overview: Overview):
    evil = {
        "publish": [{"dataset": "../../etc", "state": "<script>"}, {"dataset": DATASET, "title": "</html>"}],
        "mirrors": [{"dataset": DATASET, "bytes_left": -5, "seq": "x", "error": [1]}],
        "faults": {"<b>": {"message": "</td>" * 100, "since": "tomorrow"}},
        "alarms": [{"id": "x" * 900, "kind": "<i>"}, 7],
        "disks": [{"name": "d", "free_bytes": 9e99, "total_bytes": 1}],
        "hub": {"clock_offset_s": 1e300},
        "witness": "me",
    }
    federation.hub.fleet.report_status(federation.caller("la-dgm"), json.dumps(evil).encode())
    view = overview.fleet()
    line = next(each for each in view.partners if each.partner == "la-dgm")
    assert line.state == "trouble"
    assert FleetView.model_validate_json(view.model_dump_json(by_alias=True)) == view
