"""The daemon: it follows changes, survives without a hub, answers while it works, and ends cleanly."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
import structlog

from core.clock import SystemClock
from core.errors import NEEDS_ATTENTION, Conflict, InvalidInput, Unavailable
from core.names import NodeName
from node import departure, enrol
from node.cli.status_cmd import render
from node.control import ask, is_listening, socket_path
from node.daemon import Daemon
from node.engine import Engine
from node.service_manager import ServiceManager
from node.settings_file import SettingsFile
from node.state import StateLock
from node.status import StatusReport, load_report
from sync.ports import Listing
from tests.simulation.federation import TestFederation
from tests.unit.node_daemon.conftest import FAST, Member

DEADLINE_S = 60.0


def wait_until(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, f"gave up waiting for {what}"
        pause.wait(0.01)


class Told(ServiceManager):
    """Remembers what the service manager hears."""

    heard: ClassVar[list[str]] = []

    def _send(self, message: str) -> None:
        self.heard.append(message)


@contextmanager
def running(member: Member, notify: ServiceManager | None = None) -> Iterator[threading.Event]:
    stop = threading.Event()
    failed: list[BaseException] = []
    daemon = Daemon(
        member.settings(),
        settings_file=SettingsFile(member.config),
        notify=notify,
        clock=SystemClock(),
        limits=FAST,
        connect=member.connect,
    )

    def run() -> None:
        try:
            daemon.run(stop)
        except BaseException as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until(lambda: is_listening(socket_path(member.state_dir)) or failed, "the daemon")
        yield stop
    finally:
        stop.set()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    assert not failed


def test_a_daemon_that_waits_for_approval_answers_and_says_so_once(
    owner: Member, monkeypatch: pytest.MonkeyPatch
):
    certificate = owner.state_dir / "keys" / departure.CERTIFICATE
    kept = certificate.read_bytes()
    certificate.unlink()
    asked = threading.Semaphore(0)

    def wait(**_: object) -> enrol.JoinOutcome:
        asked.release()
        state = enrol.EnrolmentState.APPROVED if certificate.exists() else enrol.EnrolmentState.PENDING
        partner = owner.settings().partner
        return enrol.JoinOutcome(state, "aaaa bbbb", "test-geo", partner, NodeName("main"), "hub.test:7443")

    monkeypatch.setattr(enrol, "wait", wait)
    with structlog.testing.capture_logs() as logged, running(owner):
        path = socket_path(owner.state_dir)
        for _ in range(4):
            assert asked.acquire(timeout=DEADLINE_S)
        told = StatusReport.model_validate(ask(path, "status"))
        assert told.daemon_running
        assert "daemon running, waiting for the operator's approval" in render(told)
        assert list(told.faults) == ["membership"] and "aaaa bbbb" in told.faults["membership"].remedy
        with pytest.raises(Unavailable, match="waiting for the operator's approval"):
            ask(path, "sync")
        certificate.write_bytes(kept)
        wait_until(lambda: any(each["event"] == "the node works" for each in logged), "the work")
        wait_until(lambda: is_listening(path), "the daemon at work")
        assert ask(path, "sync")["exit_status"] == 0
    assert [each["event"] for each in logged].count("waiting for the operator's approval") == 1


def report(member: Member) -> StatusReport:
    found = load_report(member.state_dir)
    assert found is not None
    return found


def seq(member: Member, dataset: str) -> int | None:
    return next((each.seq for each in report(member).publish if each.dataset == dataset), None)


@pytest.fixture
def owner(members: dict[str, Member]) -> Member:
    member = members["la-dgm"]
    member.configure(publish={"maps": ["th-dmr"]})
    (member.folder("maps") / "a.txt").write_text("rock")
    return member


def test_a_change_is_published_by_itself(owner: Member):
    with running(owner):
        wait_until(lambda: seq(owner, "la-dgm/maps") == 1, "version 1")
        (owner.folder("maps") / "b.txt").write_text("more")
        wait_until(lambda: seq(owner, "la-dgm/maps") == 2, "version 2")


def test_what_others_publish_arrives_by_the_doorbell(owner: Member, members: dict[str, Member]):
    reader = members["th-dmr"]
    reader.configure(subscribe=True)
    with running(reader), running(owner):
        wait_until(lambda: (reader.mirror / "la-dgm/maps/current").exists(), "the mirror")
        assert reader.content("la-dgm/maps") == {"a.txt": b"rock"}


def test_a_daemon_without_a_hub_says_so_and_converges_when_it_is_back(owner: Member):
    owner.is_hub_away = True
    with running(owner):
        wait_until(lambda: "hub" in report(owner).faults, "the fault")
        assert ask(socket_path(owner.state_dir), "ping") == {"running": True}
        owner.is_hub_away = False
        wait_until(lambda: seq(owner, "la-dgm/maps") == 1, "version 1")
        wait_until(lambda: not report(owner).faults, "the fault to be cleared")


def test_sync_through_the_socket_waits_for_a_pass_that_starts_now(owner: Member):
    with running(owner):
        wait_until(lambda: seq(owner, "la-dgm/maps") == 1, "version 1")
        (owner.home / "b.txt").write_text("more")
        (owner.home / "b.txt").rename(owner.folder("maps") / "b.txt")  # never seen empty by a pass under way
        answer = ask(socket_path(owner.state_dir), "sync", timeout_s=DEADLINE_S)
        assert [each["seq"] for each in answer["results"]] == [2]
        assert answer["exit_status"] == 0


def test_a_long_transfer_starves_neither_the_socket_nor_other_datasets(owner: Member):
    owner.configure(publish={"large": ["th-dmr"], "maps": ["th-dmr"]})
    (owner.folder("large") / "raster.tif").write_bytes(bytes(100_000))
    entered, release = threading.Event(), threading.Event()

    def slow_once(hub: Any) -> Any:
        send = hub.update_blobs

        def update_blobs(frames: Iterator[bytes]) -> Iterator[int]:
            if not entered.is_set():
                entered.set()
                assert release.wait(DEADLINE_S)
            yield from send(frames)

        hub.update_blobs = update_blobs
        return hub

    owner.wrap = slow_once
    with running(owner):
        try:
            assert entered.wait(DEADLINE_S)
            wait_until(
                lambda: 1 in (seq(owner, "la-dgm/maps"), seq(owner, "la-dgm/large")), "the other dataset"
            )
            answer = ask(socket_path(owner.state_dir), "status", timeout_s=10)
            assert answer["daemon_running"] is True
        finally:
            release.set()
        wait_until(lambda: seq(owner, "la-dgm/maps") == seq(owner, "la-dgm/large") == 1, "both")


def test_a_changed_settings_file_takes_effect(owner: Member):
    with running(owner):
        wait_until(lambda: seq(owner, "la-dgm/maps") == 1, "version 1")
        (owner.folder("more") / "b.txt").write_text("b")
        owner.configure(publish={"maps": ["th-dmr"], "more": ["th-dmr"]})
        wait_until(lambda: seq(owner, "la-dgm/more") == 1, "the new dataset")
        owner.configure(publish={"more": ["th-dmr"]})
        wait_until(
            lambda: [each.dataset for each in report(owner).publish] == ["la-dgm/more"], "the end of the old"
        )


def test_wrong_settings_are_a_fault_and_the_old_ones_stay(owner: Member):
    with running(owner):
        wait_until(lambda: seq(owner, "la-dgm/maps") == 1, "version 1")
        owner.configure(publish={"maps": ["th-dmr"]}, more="\n[nonsense]\n")
        wait_until(lambda: "settings" in report(owner).faults, "the fault")
        (owner.folder("maps") / "b.txt").write_text("more")
        wait_until(lambda: seq(owner, "la-dgm/maps") == 2, "version 2")
        owner.configure(publish={"maps": ["th-dmr"]})
        wait_until(lambda: "settings" not in report(owner).faults, "the fault to be cleared")


def test_approve_through_the_socket(owner: Member):
    for number in range(10):
        (owner.folder("maps") / f"{number}.txt").write_text("x")
    with running(owner):
        wait_until(lambda: seq(owner, "la-dgm/maps") == 1, "version 1")
        path = socket_path(owner.state_dir)
        with pytest.raises(InvalidInput):
            ask(path, "approve", {"dataset": "maps"})
        for number in range(9):
            (owner.folder("maps") / f"{number}.txt").unlink()
        ask(path, "sync", timeout_s=DEADLINE_S)
        assert seq(owner, "la-dgm/maps") == 1
        assert "guard" in report(owner).publish[0].attention[0]
        answer = ask(path, "approve", {"dataset": "maps"})
        assert answer["approved"]
        wait_until(lambda: seq(owner, "la-dgm/maps") == 2, "the approved removal")


def test_stopping_leaves_a_true_report_and_no_socket(owner: Member):
    told = Told()
    told.heard.clear()
    with running(owner, told):
        wait_until(lambda: seq(owner, "la-dgm/maps") == 1, "version 1")
        assert report(owner).daemon_running is True
        wait_until(lambda: "WATCHDOG=1" in told.heard, "a sign of life")
        with pytest.raises(Conflict):
            StateLock(owner.state_dir).acquire()
    assert report(owner).daemon_running is False
    assert not socket_path(owner.state_dir).exists()
    with StateLock(owner.state_dir):
        pass
    assert told.heard[0].startswith("READY=1")
    assert told.heard[-1] == "STOPPING=1"


def test_an_asker_is_told_when_the_daemon_stops_meanwhile(owner: Member):
    entered, release = threading.Event(), threading.Event()

    def blocked(hub: Any) -> Any:
        def list_datasets(_: object) -> None:
            entered.set()
            assert release.wait(DEADLINE_S)
            raise Unavailable("closed")

        hub.list_datasets = list_datasets
        return hub

    owner.configure()
    owner.wrap = blocked
    errors: list[BaseException] = []

    def asker() -> None:
        try:
            ask(socket_path(owner.state_dir), "sync")
        except Unavailable as error:
            errors.append(error)

    with running(owner) as stop:
        assert entered.wait(DEADLINE_S)
        thread = threading.Thread(target=asker)
        thread.start()
        stop.set()
        thread.join(DEADLINE_S)
        release.set()
    assert len(errors) == 1


def test_a_sync_through_the_daemon_tells_of_a_hub_that_was_turned_back(owner: Member):
    with owner.session() as session:
        assert Engine(session).run_pass().exit_status == 0

    def older(hub: Any) -> Any:
        hub.list_datasets = lambda _etag: Listing((), "etag")
        return hub

    owner.wrap = older
    with running(owner):
        told = ask(socket_path(owner.state_dir), "sync")
    assert told["errors"]["hub"]["reason"] == "HUB_TURNED_BACK"
    assert told["exit_status"] not in (0, 8)


def test_a_sync_through_the_daemon_is_8_when_the_clock_is_off(owner: Member, federation: TestFederation):
    federation.clock.advance(3600)
    with running(owner):
        told = ask(socket_path(owner.state_dir), "sync")
    assert told["exit_status"] == NEEDS_ATTENTION
    assert told["attention"][0].startswith("clock: ")
