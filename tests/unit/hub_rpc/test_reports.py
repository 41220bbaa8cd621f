"""Reports over the wire: the first at once, those that follow together, and none that waits is lost."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from syncline.v1 import fleet_pb2, fleet_pb2_grpc

from core.errors import Unavailable
from core.limits import Limits
from core.names import PartnerId
from hub.services.dataset_facts import DatasetFacts
from hub.services.fleet import FleetService
from tests.unit.hub_rpc.conftest import RunningHub

#: After the first commit no other, until the hub stops.
ONE_COMMIT = Limits(reauthorise_s=0.2, report_commit_every_s=3600)


@pytest.fixture
def one_commit(tmp_path: Path) -> Iterator[RunningHub]:
    hub = RunningHub(tmp_path / "hub", ONE_COMMIT)
    hub.start()
    yield hub
    if hub.thread.is_alive():
        hub.stop()


def request(data: bytes) -> fleet_pb2.ReportStatusRequest:
    return fleet_pb2.ReportStatusRequest(status_json=data)


def test_what_waits_for_a_commit_is_kept_when_the_hub_stops(
    one_commit: RunningHub, monkeypatch: pytest.MonkeyPatch
):
    queued = threading.Semaphore(0)
    submit = FleetService.submit

    def told(self: FleetService, *arguments: Any) -> Any:
        answer = submit(self, *arguments)
        queued.release()
        return answer

    monkeypatch.setattr(FleetService, "submit", told)
    first, second = one_commit.enrol("la-dgm"), one_commit.enrol("th-dmr")
    with first.channel() as one, second.channel() as other:
        fleet_pb2_grpc.FleetServiceStub(one).ReportStatus(request(b'{"n": 1}'), timeout=30)
        waiting = [
            fleet_pb2_grpc.FleetServiceStub(channel).ReportStatus.future(request(data), timeout=60)
            for channel, data in ((one, b'{"n": 2}'), (other, b'{"n": 3}'))
        ]
        for _ in range(3):
            assert queued.acquire(timeout=30)
        assert not any(each.done() for each in waiting), "they wait, and hold no thread"
        one_commit.stop()
        for each in waiting:
            with pytest.raises(grpc.RpcError) as ended:
                each.result()
            assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    with one_commit.beside() as hub:
        assert {each.partner: each.status["n"] for each in hub.fleet.reports()} == {"la-dgm": 2, "th-dmr": 3}


def test_a_bad_report_is_refused_at_once(one_commit: RunningHub):
    member = one_commit.enrol("la-dgm")
    with member.channel() as channel, pytest.raises(grpc.RpcError) as refused:
        fleet_pb2_grpc.FleetServiceStub(channel).ReportStatus(request(b"[" * 100_000), timeout=30)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "not JSON" in (refused.value.details() or "")


def test_who_comes_during_a_commit_is_in_the_next_one_and_who_goes_away_stops_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    committing, go_on, queued = threading.Event(), threading.Event(), threading.Semaphore(0)
    take, submit = DatasetFacts.take, FleetService.submit

    def held_up(self: DatasetFacts, *arguments: Any) -> Any:
        committing.set()
        assert go_on.wait(timeout=30)
        return take(self, *arguments)

    def told(self: FleetService, *arguments: Any) -> Any:
        answer = submit(self, *arguments)
        queued.release()
        return answer

    monkeypatch.setattr(DatasetFacts, "take", held_up)
    monkeypatch.setattr(FleetService, "submit", told)
    hub = RunningHub(tmp_path / "hub", Limits(reauthorise_s=0.2, report_commit_every_s=0.01))
    hub.start()
    try:
        first, second = hub.enrol("la-dgm"), hub.enrol("th-dmr")
        with first.channel() as one, second.channel() as other:
            gone = fleet_pb2_grpc.FleetServiceStub(one).ReportStatus.future(request(b'{"n": 1}'), timeout=30)
            assert committing.wait(timeout=30)
            stays = fleet_pb2_grpc.FleetServiceStub(other).ReportStatus.future(
                request(b'{"n": 2}'), timeout=30
            )
            for _ in range(2):
                assert queued.acquire(timeout=30)
            gone.cancel()
            go_on.set()
            assert stays.result().time
        with hub.beside() as beside:
            reports = beside.fleet.reports()
            assert {each.partner: each.status["n"] for each in reports} == {"la-dgm": 1, "th-dmr": 2}
    finally:
        go_on.set()
        hub.stop()


def test_a_commit_that_fails_is_told_to_who_waits_and_the_next_report_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    take, failures = DatasetFacts.take, ["once"]

    def full(self: DatasetFacts, *arguments: Any) -> Any:
        if failures:
            failures.pop()
            raise Unavailable("no space left for /srv/hub.sqlite", reason="DISK_FULL")
        return take(self, *arguments)

    monkeypatch.setattr(DatasetFacts, "take", full)
    hub = RunningHub(tmp_path / "hub", Limits(reauthorise_s=0.2, report_commit_every_s=0.01))
    hub.start()
    try:
        member = hub.enrol("la-dgm")
        with member.channel() as channel:
            stub = fleet_pb2_grpc.FleetServiceStub(channel)
            with pytest.raises(grpc.RpcError) as refused:
                stub.ReportStatus(request(b'{"n": 1}'), timeout=30)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            assert stub.ReportStatus(request(b'{"n": 2}'), timeout=30).time
    finally:
        hub.stop()


def test_a_suspended_node_is_refused_before_its_report_is_looked_at(one_commit: RunningHub):
    member = one_commit.enrol("la-dgm")
    with member.channel() as channel:
        stub = fleet_pb2_grpc.FleetServiceStub(channel)
        stub.ReportStatus(request(b'{"n": 1}'), timeout=30)
        with one_commit.beside() as hub:
            hub.registry.suspend(PartnerId("la-dgm"))
        with pytest.raises(grpc.RpcError) as refused:
            stub.ReportStatus(request(b"["), timeout=30)
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
