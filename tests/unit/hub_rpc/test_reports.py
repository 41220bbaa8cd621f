"""Reports over the wire: the first at once, those that follow together, and none that waits is lost."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from syncline.v1 import fleet_pb2, fleet_pb2_grpc

from core.limits import Limits
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
    assert "not JSON" in refused.value.details()
