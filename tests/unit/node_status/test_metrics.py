"""Metrics: OpenMetrics that a strict parser reads, bounded, on this machine alone, and never in the way."""

import http.client
import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from core.errors import Unavailable
from node.figures import DATASETS_MAX, OTHER
from node.metrics import MetricsPort
from node.moving import UP, Meter
from node.status import (
    DiskStatus,
    Fault,
    HubStatus,
    MirrorStatus,
    PublishedStatus,
    StatusReport,
    WitnessStatus,
)
from tests.simulation.clock import ManualClock

FAULT = Fault(branch="Unavailable", reason="X", message="m", remedy="r", since="2026-11-22T12:00:00Z")
REPORT = StatusReport(
    partner="la-dgm",
    node="main",
    version="1.2.3",
    time="2026-11-22T12:00:00Z",
    started="2026-11-22T11:00:00Z",
    hub=HubStatus(last_contact="2026-11-22T12:00:00Z", clock_offset_s=-0.5),
    certificate_expires="2026-12-22T12:00:00Z",
    registry_seq=4,
    disks=(DiskStatus(name="state", free_bytes=10, total_bytes=100, days_left=2.0),),
    witness=WitnessStatus(origin="x/log", size=9, read=8),
    publish=(
        PublishedStatus(dataset="la-dgm/maps", seq=3, bytes=500, bytes_left=20, rate_bytes_s=7, error=FAULT),
    ),
    mirrors=(MirrorStatus(dataset="cn-cgs/x", seq=1, wanted_seq=2),),
    faults={"hub": FAULT},
)


class Node:
    def __init__(self) -> None:
        self.report = REPORT
        self.meter = Meter(ManualClock().monotonic)
        self.port = MetricsPort(lambda: self.report, self.meter)

    def ask(
        self, path: str = "/metrics", host: str | None = None
    ) -> tuple[int, http.client.HTTPResponse, bytes]:
        assert self.port.bound is not None
        connection = http.client.HTTPConnection(*self.port.bound, timeout=30)
        connection.request("GET", path, headers={} if host is None else {"Host": host})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, answer, body

    def families(self) -> dict[str, Metric]:
        status, _, body = self.ask()
        assert status == 200
        return {each.name: each for each in text_string_to_metric_families(body.decode())}

    def value(self, family: str, **labels: str) -> float | None:
        samples = self.families()[family].samples
        return next((each.value for each in samples if each.labels == labels), None)


@pytest.fixture
def node() -> Iterator[Node]:
    made = Node()
    made.port.follow(("127.0.0.1", 0))
    yield made
    made.port.close()


def test_every_family_is_openmetrics_with_a_conventional_name(node: Node):
    status, answer, body = node.ask()
    assert status == 200
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    families = node.families()
    assert all(name.startswith("syncline_node_") and each.documentation for name, each in families.items())
    units = ("_seconds", "_bytes", "_per_second", "_version", "_files", "_entries", "_failed")
    others = {"software", "fault", "alarms", "healthy", "watch_healthy"}
    odd = [n for n in families if not n.endswith(units) and n.removeprefix("syncline_node_") not in others]
    assert not odd


def test_the_figures_are_those_of_the_report(node: Node):
    node.meter.note(UP, "la-dgm/maps", 1234)
    assert node.value("syncline_node_sent_bytes") == 1234
    assert node.value("syncline_node_clock_offset_seconds") == -0.5
    expires = datetime(2026, 12, 22, 12, tzinfo=UTC).timestamp()
    assert node.value("syncline_node_certificate_expiry_timestamp_seconds") == expires
    assert node.value("syncline_node_disk_free_bytes", disk="state") == 10
    assert node.value("syncline_node_disk_full_in_seconds", disk="state") == 2 * 86_400
    assert node.value("syncline_node_fault", about="hub") == 1
    assert node.value("syncline_node_healthy") == 0
    assert node.value("syncline_node_published_left_bytes", dataset="la-dgm/maps") == 20
    assert node.value("syncline_node_published_failed", dataset="la-dgm/maps") == 1
    assert node.value("syncline_node_mirrored_newest_version", dataset="cn-cgs/x") == 2
    assert "syncline_node_log_cosigned_entries" not in node.families()  # not known is not 0
    node.report = REPORT.model_copy(update={"registry_seq": 5})
    assert node.value("syncline_node_registry_version") == 5


def test_datasets_beyond_five_hundred_are_summed(node: Node):
    rows = tuple(
        PublishedStatus(dataset=f"la-dgm/d{n:04}", seq=1, bytes_left=1) for n in range(DATASETS_MAX + 40)
    )
    node.report = REPORT.model_copy(update={"publish": rows})
    families = node.families()
    left = families["syncline_node_published_left_bytes"].samples
    assert len(left) == DATASETS_MAX + 1
    assert [each.value for each in left if each.labels["dataset"] == OTHER] == [40]
    assert len(families["syncline_node_published_version"].samples) == DATASETS_MAX


def test_a_name_that_is_hostile_stays_a_label(node: Node):
    fault = {'a"} 1\n# EOF\n': FAULT}
    node.report = REPORT.model_copy(update={"faults": fault})
    assert node.value("syncline_node_fault", about=next(iter(fault))) == 1


def test_a_page_elsewhere_that_points_a_name_at_this_machine_reads_nothing(node: Node):
    assert node.ask(host="evil.example:80")[0] == 421
    assert node.ask(host="127.0.0.1.evil.example")[0] == 421
    assert node.ask(host="localhost:9465")[0] == 200
    assert node.ask(host="[::1]:9465")[0] == 200
    assert node.ask("/")[0] == 404


def test_a_port_that_is_taken_is_told_and_had_when_it_is_free():
    node = Node()
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken: tuple[str, int] = other.getsockname()
        with pytest.raises(Unavailable) as caught:
            node.port.follow(taken)
        assert caught.value.reason == "PORT_TAKEN"
        assert f"{taken[0]}:{taken[1]}" in caught.value.message and "[metrics] listen" in caught.value.remedy
        assert node.port.bound is None
    node.port.follow(taken)
    try:
        assert node.ask()[0] == 200
    finally:
        node.port.close()


def test_the_port_follows_the_settings(node: Node):
    assert node.port.bound is not None
    first = node.port.bound
    node.port.follow(("127.0.0.1", 0))
    assert node.port.bound == first  # the same word is the same port
    node.port.follow(None)
    assert node.port.bound is None
    with pytest.raises(OSError):
        socket.create_connection(first, timeout=5).close()
