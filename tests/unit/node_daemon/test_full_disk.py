"""A node stops before its disk is full, says how much is free and needed, and goes on by itself."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.clock import SystemClock
from core.limits import GIB
from core.names import PartnerId
from hub.services.context import Quotas
from node.daemon import Daemon
from node.engine import Engine
from node.room import DiskUsage
from node.session import Session
from node.status import StatusReport, load_report
from tests.unit.node_daemon.conftest import FAST, Member
from tests.unit.node_daemon.test_daemon import wait_until

ROOT = Path(__file__).resolve().parents[3]


class Machine:
    """A state disk and a mirror disk, as full as the test has them."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.state = self.mirror = 50 * GIB

    def __call__(self, path: Path) -> DiskUsage:
        if path.is_relative_to(self.member.mirror):
            return DiskUsage(100 * GIB, self.mirror, 2)
        return DiskUsage(100 * GIB, self.state, 1)


@pytest.fixture
def owner(members: dict[str, Member]) -> Member:
    member = members["la-dgm"]
    member.configure(publish={"maps": ["th-dmr"]})
    (member.folder("maps") / "a.txt").write_text("rock")
    return member


def opened(member: Member, machine: Machine) -> Session:
    return Session.open(
        member.settings(),
        clock=member.federation.clock,
        connect=member.connect,
        limits=FAST,
        usage=machine,
    )


def report(member: Member) -> StatusReport:
    found = load_report(member.state_dir)
    assert found is not None
    return found


def test_publishing_stops_before_the_disk_of_the_state_is_full_and_goes_on(owner: Member):
    machine = Machine(owner)
    machine.state = FAST.disk_reserve_bytes - 1
    with opened(owner, machine) as session:
        engine = Engine(session)
        assert engine.run_pass().exit_status == 6
        [row] = session.board.report.publish
        assert row.error is not None and row.error.reason == "DISK_FULL"
        assert "268.4 MB are free there, 268.4 MB are always kept free" in row.error.message
        assert "it goes on by itself" in row.error.remedy
        assert session.board.report.faults["disk"].reason == "DISK_FULL"
        assert "witness" not in session.board.report.faults  # it is small, and goes on
        machine.state = 50 * GIB
        owner.federation.clock.advance(120)
        assert engine.run_pass().exit_status == 0
        assert session.board.report.is_healthy
        assert session.board.report.publish[0].seq == 1
        assert engine.vitals.room_came_back() and not engine.vitals.room_came_back()
        last = session.board.report.last_error
        assert last is not None and last.cleared is not None


def test_the_hub_is_told_of_a_full_disk(owner: Member):
    machine = Machine(owner)
    machine.state = 1
    with opened(owner, machine) as session:
        Engine(session).run_pass()
    [told] = [each.status for each in owner.federation.hub.fleet.reports() if each.partner == "la-dgm"]
    assert told["disks"] == [{"name": "state", "free_bytes": 1, "total_bytes": 100 * GIB, "days_left": None}]
    assert told["faults"]["disk"]["reason"] == "DISK_FULL"


def test_a_log_is_not_fetched_into_the_last_quarter_of_the_reserve(owner: Member):
    machine = Machine(owner)
    machine.state = FAST.disk_reserve_bytes // 4 - 1
    with opened(owner, machine) as session:
        engine = Engine(session)
        engine.witness()
        assert session.board.report.faults["witness"].reason == "DISK_FULL"
        machine.state = FAST.disk_reserve_bytes // 4
        engine.witness()
        assert "witness" not in session.board.report.faults


def test_a_mirror_disk_is_another_one_and_full_by_itself(members: dict[str, Member], owner: Member):
    reader = members["th-dmr"]
    reader.configure(subscribe=True)
    machine = Machine(reader)
    machine.mirror = 5
    with opened(reader, machine) as session:
        Engine(session).vitals.refresh()
        assert [(each.name, each.free_bytes) for each in session.board.report.disks] == [
            ("state", 50 * GIB),
            ("mirror 1", 5),
        ]
        assert "mirroring stops before the disk of" in session.board.report.faults["disk"].message


def test_a_daemon_goes_on_by_itself_when_there_is_room(owner: Member):
    machine = Machine(owner)
    machine.state = 1
    stop = threading.Event()
    daemon = Daemon(owner.settings(), clock=SystemClock(), limits=FAST, connect=owner.connect, usage=machine)
    thread = threading.Thread(target=daemon.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: load_report(owner.state_dir) and report(owner).faults.get("disk"), "the fault")
        machine.state = 50 * GIB
        wait_until(lambda: report(owner).publish[0].seq == 1, "the version")
        wait_until(lambda: "disk" not in report(owner).faults, "the end of the fault")
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


@contextmanager
def daemon_of(member: Member) -> Iterator[None]:
    stop = threading.Event()
    daemon = Daemon(member.settings(), clock=SystemClock(), limits=FAST, connect=member.connect)
    thread = threading.Thread(target=daemon.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


def refused_for(member: Member, reason: str) -> bool:
    found = load_report(member.state_dir)
    errors = [each.error for each in found.publish] if found else []
    return any(error is not None and error.reason == reason for error in errors)


def test_a_daemon_goes_on_by_itself_when_the_hubs_disk_has_room_again(
    owner: Member, monkeypatch: pytest.MonkeyPatch
):
    """The hub needs no restart either: it looks again at every upload."""
    free = {"bytes": 1}
    usage = SimpleNamespace(disk_usage=lambda _path: SimpleNamespace(free=free["bytes"]))
    monkeypatch.setattr("hub.services.content.shutil", usage)
    with daemon_of(owner):
        wait_until(lambda: refused_for(owner, "DISK_FULL"), "the hub's refusal")
        free["bytes"] = 50 * GIB
        wait_until(lambda: report(owner).publish[0].seq == 1, "the version")
        wait_until(lambda: report(owner).publish[0].error is None, "the end of the fault")


def test_a_daemon_goes_on_by_itself_when_its_quota_is_raised(owner: Member):
    quota = {PartnerId("la-dgm"): 10}
    owner.federation.host._options["quotas"] = Quotas(None, quota)
    owner.federation.host.restart()
    with daemon_of(owner):
        wait_until(lambda: refused_for(owner, "QUOTA_EXCEEDED"), "the refusal")
        assert owner.federation.hub.content.use(PartnerId("la-dgm")).used_bytes == 0
        quota[PartnerId("la-dgm")] = GIB
        wait_until(lambda: report(owner).publish[0].seq == 1, "the version")
        wait_until(lambda: report(owner).publish[0].error is None, "the end of the fault")
        assert not report(owner).faults


def test_a_real_filesystem_that_somebody_fills_is_left_with_its_reserve(tmp_path: Path):
    """In a mount namespace of its own, a mirror on 24 MB that another program fills meanwhile."""
    unshare = shutil.which("unshare")
    command = [unshare or "unshare", "--user", "--map-root-user", "--mount"]
    if unshare is None or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("NOT TESTED: this machine lets nobody mount a small filesystem")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    program = Path(__file__).with_name("small_filesystem.py")
    done = subprocess.run(
        [*command, sys.executable, str(program), str(tmp_path)],
        env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "done" in done.stdout
