"""The report: one consistent file, loud about faults, bounded when it is sent."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.errors import Unavailable, Untrusted
from core.limits import Limits
from node.board_progress import BoardProgress
from node.status import Fault, StatusBoard, StatusReport, empty_report, load_report, reconcile, report_path

START = datetime(2026, 11, 22, 12, tzinfo=UTC)


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


def test_a_reader_sees_what_was_written(board: StatusBoard, tmp_path: Path):
    board.published("la-dgm/a", state="published", seq=3)
    board.mirror("cn-cgs/b", state="current", seq=1)
    assert load_report(tmp_path) == board.report
    assert board.report.is_healthy


def test_a_fault_is_loud_once_and_keeps_its_beginning(board: StatusBoard, time: Time):
    assert board.fault("hub", Unavailable("no connection", remedy="wait")) is True
    time.now += timedelta(hours=1)
    assert board.fault("hub", Unavailable("no connection", remedy="wait")) is False
    fault = board.report.faults["hub"]
    assert (fault.since, fault.remedy, fault.branch) == ("2026-11-22T12:00:00Z", "wait", "Unavailable")
    assert not board.report.is_healthy
    assert board.clear("hub") is True
    assert board.clear("hub") is False
    assert board.report.is_healthy


def test_success_clears_a_datasets_error(board: StatusBoard):
    assert board.published("la-dgm/a", error=Untrusted("forged", remedy="call"), state="failed") is True
    assert board.published("la-dgm/a", error=Untrusted("forged", remedy="call"), state="failed") is False
    assert not board.report.is_healthy
    board.published("la-dgm/a", state="up to date")
    assert board.report.publish[0].error is None


def test_a_damaged_file_is_as_good_as_none(board: StatusBoard, tmp_path: Path):
    report_path(tmp_path).write_bytes(b"{nonsense")
    assert load_report(tmp_path) is None
    report_path(tmp_path).write_bytes(b'{"v": 99}')
    assert load_report(tmp_path) is None


def test_what_is_sent_names_no_paths(board: StatusBoard):
    board.published("la-dgm/a", path="/srv/secret", state="published")
    board.mirror("cn-cgs/b", path="/srv/mirror", state="current")
    assert b"/srv" not in board.report.to_send()


def test_what_is_sent_is_bounded_and_keeps_what_is_wrong(board: StatusBoard):
    for number in range(300):
        board.mirror(f"cn-cgs/d{number}", state="current")
    board.published("la-dgm/a", error=Unavailable("no disk"), state="failed")
    limits = Limits(status_bytes_max=4096)
    sent = board.report.to_send(limits)
    assert len(sent) <= 4096
    value = json.loads(sent)
    assert [each["dataset"] for each in value["publish"]] == ["la-dgm/a"]
    assert value["omitted"] == 300


def test_datasets_that_left_the_settings_are_not_shown(board: StatusBoard):
    board.published("la-dgm/old", state="published")
    board.reconcile({"la-dgm/new": Path("/srv/new")})
    assert [(each.dataset, each.state) for each in board.report.publish] == [
        ("la-dgm/new", "not published yet")
    ]
    board.mirror("cn-cgs/a")
    board.mirror("cn-cgs/b")
    board.keep_mirrors({"cn-cgs/b"})
    assert [each.dataset for each in board.report.mirrors] == ["cn-cgs/b"]


def test_a_report_of_a_dead_daemon_does_not_claim_that_it_runs():
    report = StatusReport(
        partner="la-dgm", node="main", version="1", time="t", daemon_running=True, started="then"
    )
    shown = reconcile(report, {}, daemon_running=False)
    assert (shown.daemon_running, shown.started) == (False, None)


def test_progress_reaches_the_report(board: StatusBoard):
    class Shown:
        def __init__(self) -> None:
            self.lines: list[object] = []

        def begin(self, task: str, total_bytes: int | None) -> None:
            self.lines.append(task)

        def advance(self, bytes_count: int) -> None:
            self.lines.append(bytes_count)

        def end(self) -> None:
            self.lines.append(None)

    shown = Shown()
    progress = BoardProgress(board, "mirrors", ("cn-cgs/a", "cn-cgs/b"), shown)
    progress.begin("fetch cn-cgs/b", 100)
    progress.advance(30)
    assert [(each.dataset, each.bytes_left) for each in board.report.mirrors] == [("cn-cgs/b", 70)]
    progress.end()
    progress.advance(10)
    assert shown.lines == ["fetch cn-cgs/b", 30, None, 10]


def test_faults_are_read_back_as_written(board: StatusBoard, tmp_path: Path):
    board.fault("clock", Unavailable("off", remedy="set it", reason="CLOCK_OFFSET"))
    report = load_report(tmp_path)
    assert report is not None
    assert report.faults["clock"] == Fault(
        branch="Unavailable",
        reason="CLOCK_OFFSET",
        message="off",
        remedy="set it",
        since="2026-11-22T12:00:00Z",
    )
