"""Reports are small, frequent and on their own: no transfer holds one up, and none is kept for later."""

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import Unavailable
from node.status import load_report
from tests.unit.node_daemon.conftest import Member
from tests.unit.node_daemon.test_daemon import DEADLINE_S, running, wait_until


@pytest.fixture
def owner(members: dict[str, Member]) -> Member:
    member = members["la-dgm"]
    member.configure(publish={"maps": ["th-dmr"]}, more='[metrics]\nlisten = "127.0.0.1:0"\n')
    (member.folder("maps") / "a.bin").write_bytes(bytes(range(256)) * 4_000)
    return member


def told(member: Member) -> dict[str, Any]:
    """The newest report at the hub."""
    reports = member.federation.hub.fleet.reports()
    return next((dict(each.status) for each in reports if each.partner == member.partner), {})


class Stalled:
    """A hub at which an upload stands still until it is let go."""

    def __init__(self, hub: Any, going: threading.Event, begun: threading.Event) -> None:
        self._hub = hub
        self._going = going
        self._begun = begun

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hub, name)

    def update_blobs(self, frames: Iterator[bytes]) -> Iterator[int]:
        def slow() -> Iterator[bytes]:
            for frame in frames:
                self._begun.set()
                assert self._going.wait(DEADLINE_S)
                yield frame

        yield from self._hub.update_blobs(slow())


def test_a_report_never_waits_behind_a_transfer(owner: Member):
    going, begun = threading.Event(), threading.Event()
    owner.wrap = lambda hub: Stalled(hub, going, begun)
    with running(owner):
        try:
            assert begun.wait(DEADLINE_S)
            wait_until(lambda: told(owner).get("transfer", {}).get("up_bytes_s"), "a report of what moves")
            [row] = told(owner)["publish"]
            assert row["bytes_left"] > 0 and row["rate_bytes_s"] > 0 and row["seq"] is None
            assert told(owner)["daemon_running"] is True
        finally:
            going.set()
        wait_until(lambda: told(owner)["publish"][0]["seq"] == 1, "the version in a report")
        # The file is so new that another pass reads it again.
        wait_until(lambda: told(owner)["publish"][0]["bytes_left"] == 0, "a report of nothing left")


class Deaf:
    """A hub that takes no reports while it is told so."""

    def __init__(self, hub: Any, deaf: threading.Event, sent: list[bytes]) -> None:
        self._hub = hub
        self._deaf = deaf
        self._sent = sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hub, name)

    def report_status(self, status: bytes) -> Any:
        self._sent.append(status)
        if self._deaf.is_set():
            raise Unavailable("the hub is away", remedy="wait", reason="UNREACHABLE")
        return self._hub.report_status(status)


def test_what_could_not_be_told_is_not_told_later(owner: Member):
    deaf, sent = threading.Event(), list[bytes]()
    deaf.set()
    owner.wrap = lambda hub: Deaf(hub, deaf, sent)
    with running(owner):
        wait_until(lambda: len(sent) > 3, "some attempts")
        assert not told(owner)
        deaf.clear()
        wait_until(lambda: told(owner), "the newest report")
        received = json.dumps(told(owner), sort_keys=True)
        at = [json.dumps(json.loads(each), sort_keys=True) for each in sent]
        assert received in at[3:]  # none of the first, which nobody took


def test_the_daemon_tells_disks_watching_and_ages(owner: Member):
    with running(owner):
        wait_until(lambda: told(owner).get("watch", {}).get("last_full_scan"), "a scan in a report")
        value = told(owner)
    assert value["disks"][0]["name"] == "state" and value["disks"][0]["free_bytes"] > 0
    assert (value["watch"]["mode"], value["watch"]["healthy"]) == ("events", True)
    assert value["signing_key_since"] and value["certificate_since"] and value["registry_seq"]
    assert str(owner.home) not in json.dumps(value)


def test_the_daemon_opens_its_metrics_and_goes_on_where_it_cannot(owner: Member):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        owner.configure(publish={"maps": []}, more=f'[metrics]\nlisten = "127.0.0.1:{port}"\n')
        with running(owner):
            wait_until(lambda: "metrics" in _faults(owner), "the fault")
            assert _faults(owner)["metrics"].reason == "PORT_TAKEN"
            wait_until(lambda: told(owner).get("publish", [{}])[0].get("last_success"), "a pass")
            other.close()
            wait_until(lambda: "metrics" not in _faults(owner), "the port")


def _faults(member: Member) -> dict[str, Any]:
    found = load_report(member.state_dir)
    return {} if found is None else found.faults
