"""Instants, the exception tree and the bounds."""

import inspect
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import errors
from core.clock import SystemClock, format_instant, parse_instant
from core.errors import BRANCHES, InvalidInput, SynclineError
from core.limits import LIMITS, Limits


@given(st.datetimes(timezones=st.just(UTC)).filter(lambda moment: moment.year >= 1000))
def test_instants_round_trip_to_the_second(moment: datetime) -> None:
    assert parse_instant(format_instant(moment)) == moment.replace(microsecond=0)


def test_instants_are_written_in_utc() -> None:
    vientiane = timezone(timedelta(hours=7))
    assert format_instant(datetime(2026, 11, 22, 20, 21, tzinfo=vientiane)) == "2026-11-22T13:21:00Z"
    with pytest.raises(ValueError, match="time zone"):
        format_instant(datetime(2026, 11, 22, tzinfo=UTC).replace(tzinfo=None))


@pytest.mark.parametrize(
    "text",
    ["", "2026-11-22", "2026-11-22T13:21:00", "2026-11-22T13:21:00+00:00", "2026-11-22T13:21:00.0Z",
     "2026-11-22 13:21:00Z", "2026-1-2T03:04:05Z", "2026-02-30T00:00:00Z", "2026-11-22T24:00:00Z",
     "2026-11-22T13:21:60Z", "2026-11-22t13:21:00z", "２026-11-22T13:21:00Z", "2026-11-22T13:21:00Z\n"],
)  # fmt: skip
def test_one_spelling_of_an_instant(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_instant(text)


def test_the_systems_clock_is_aware_and_monotonic() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    first = clock.monotonic()
    clock.sleep(0)
    assert clock.monotonic() >= first


def test_every_branch_has_its_own_exit_status_and_reason() -> None:
    statuses = [branch.exit_status for branch in BRANCHES]
    assert statuses == [2, 3, 4, 5, 6, 7]
    assert len({branch.default_reason for branch in BRANCHES}) == len(BRANCHES)
    found = {
        each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, SynclineError)
    }
    assert found == {*BRANCHES, SynclineError}, "a new branch needs a place in BRANCHES"


def test_the_tree_is_drawn_in_the_docstring() -> None:
    for branch in BRANCHES:
        assert f"{branch.__name__} " in (errors.__doc__ or "")


def test_an_error_says_what_to_do_next() -> None:
    error = InvalidInput("wrong", remedy="correct it")
    assert str(error) == "wrong\n  → correct it"
    assert error.reason == "INVALID_INPUT"
    assert str(InvalidInput("wrong", reason="X")) == "wrong"


@pytest.mark.parametrize(
    "nonsense",
    [
        {"chunk_bytes_min": 1},
        {"chunk_bytes_avg": 1},
        {"chunk_bytes_max": 2**20},
        {"frame_bytes_max": 2**22},
        {"payload_bytes_max": 2**22},
        {"find_missing_count_max": 2**20},
        {"read_ranges_count_max": 2**20},
        {"path_component_bytes_max": 2**20},
        {"registry_renew_after_s": 10**9},
        {"certificate_backdate_s": 10**9},
        {"remove_guard": 0.0},
        {"remove_guard": 1.1},
    ],
)
def test_bounds_that_contradict_each_other_are_not_made(nonsense: dict[str, float]) -> None:
    with pytest.raises(AssertionError):
        Limits(**nonsense)  # type: ignore[arg-type]


def test_small_limits_for_tests_can_be_made() -> None:
    assert Limits(frame_bytes_max=4096, chunk_bytes_min=64, chunk_bytes_avg=256, chunk_bytes_max=1024)


def test_units_stand_last_in_every_bounds_name() -> None:
    units = ("_bytes", "_bytes_max", "_bytes_min", "_bytes_avg", "_s", "_max", "_versions", "_guard")
    for field in fields(LIMITS):
        assert field.name.endswith(units), field.name
