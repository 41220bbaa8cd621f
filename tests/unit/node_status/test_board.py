"""The report's own memory: the last error, what is declared, and nothing that moves where nobody runs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.errors import Unavailable, Untrusted
from core.settings import parse
from node.config import NodeSettings
from node.declared import Declared, declared_by
from node.status import (
    FootprintStatus,
    StatusBoard,
    StatusReport,
    TransferStatus,
    WatchStatus,
    empty_report,
    reconcile,
    report_path,
)

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
PATHS = {"la-dgm/maps": Path("/srv/maps")}


class Time:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def board(tmp_path: Path, time: Time) -> StatusBoard:
    return StatusBoard(tmp_path, empty_report("la-dgm", "main", "0.1.0", START), time)


def test_the_last_error_is_remembered_after_it_has_cleared(board: StatusBoard, time: Time):
    board.fault("hub", Unavailable("nobody answers", remedy="wait", reason="UNREACHABLE"))
    last = board.report.last_error
    assert last is not None
    assert (last.about, last.reason, last.remedy, last.cleared) == ("hub", "UNREACHABLE", "wait", None)
    time.now += timedelta(minutes=5)
    board.clear("hub")
    last = board.report.last_error
    assert last is not None
    assert (last.since, last.cleared) == ("2026-11-22T12:00:00Z", "2026-11-22T12:05:00Z")
    assert board.report.is_healthy


def test_the_last_error_of_a_dataset_too_and_another_success_does_not_clear_it(board: StatusBoard):
    board.published("la-dgm/maps", error=Untrusted("forged", remedy="call"), state="failed")
    board.mirror("cn-cgs/x", state="current")
    last = board.report.last_error
    assert last is not None and (last.about, last.cleared) == ("la-dgm/maps", None)
    board.published("la-dgm/maps", state="published")
    last = board.report.last_error
    assert last is not None and last.cleared is not None


def test_what_changes_nothing_writes_nothing(board: StatusBoard, tmp_path: Path):
    board.facts(registry_seq=4)
    report_path(tmp_path).unlink()
    board.facts(registry_seq=4)
    board.rates(TransferStatus(), lambda _: 0)
    board.flush()
    assert not report_path(tmp_path).exists()


def test_rates_stand_at_their_datasets(board: StatusBoard):
    board.published("la-dgm/maps", state="not published yet")
    board.mirror("cn-cgs/x", state="current")
    board.rates(TransferStatus(up_bytes_s=7), {"la-dgm/maps": 7, "cn-cgs/x": 0}.__getitem__)
    report = board.report
    assert (report.publish[0].rate_bytes_s, report.mirrors[0].rate_bytes_s) == (7, 0)


def test_where_no_daemon_runs_nothing_moves_and_nobody_watches(board: StatusBoard):
    board.published("la-dgm/maps", rate_bytes_s=7)
    board.facts(
        transfer=TransferStatus(up_bytes_s=7),
        watch=WatchStatus(mode="events", healthy=False, last_full_scan="t", note="x"),
    )
    shown = reconcile(board.report, PATHS, daemon_running=False)
    assert shown.transfer == TransferStatus()
    assert shown.publish[0].rate_bytes_s == 0
    assert shown.watch == WatchStatus(mode="off", healthy=True, last_full_scan="t")


def settings(**section: object) -> NodeSettings:
    rest = {"dataset": "maps", "path": "/srv/maps", "title": {"en": "x"}, "theme": "other"}
    rights = {"license": "CC-BY-4.0", "rights_holder": "x"}
    return parse(
        {
            "node": {"partner": "la-dgm", "name": "main", "state_dir": "/var/lib/syncline"},
            "geo": {"extract": section.pop("extract", True)},
            "publish": [{**rest, **rights, **section}],
        },
        NodeSettings,
        source="test",
    )


FOUND = FootprintStatus(
    bbox=(1.0, 2.0, 3.0, 4.0),
    bbox_source="extracted",
    begin="2020",
    end="2021",
    period_source="extracted",
)


def row(report: StatusReport, made: NodeSettings) -> FootprintStatus:
    return reconcile(report, PATHS, declared_by(made), daemon_running=True).publish[0].footprint


def test_what_is_declared_wins_value_by_value_and_says_so(board: StatusBoard):
    board.published("la-dgm/maps", footprint=FOUND)
    box = [100.0, 13.9, 107.7, 22.5]
    declared = row(board.report, settings(bbox=box))
    assert (declared.bbox, declared.bbox_source) == (tuple(box), "declared")
    assert (declared.begin, declared.period_source) == ("2020", "extracted")
    assert row(board.report, settings()) == FOUND
    assert row(board.report, settings(extract=False)) == FootprintStatus()


def test_a_declaration_that_was_taken_back_is_unknown_again(board: StatusBoard):
    made = settings(bbox=[100.0, 13.9, 107.7, 22.5], period=["2001", "2020-12-31"])
    whole = Declared.of(made.publish[0], made).footprint(FootprintStatus())
    assert (whole.begin, whole.end, whole.period_source) == ("2001", "2020-12-31", "declared")
    board.published("la-dgm/maps", footprint=whole)
    assert row(board.report, settings()) == FootprintStatus()


def test_the_rhythm_reaches_the_report():
    made = settings(update_frequency="irregular", next_update=datetime(2027, 6, 30, tzinfo=UTC))
    empty = empty_report("la-dgm", "main", "1", START)
    [found] = reconcile(empty, PATHS, declared_by(made), daemon_running=False).publish
    assert (found.update_frequency, found.next_update) == ("irregular", "2027-06-30T00:00:00Z")
