"""Every metric parses, has its unit and help, bounded labels, and a line in the document."""

import asyncio
import http.client
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from core.clock import format_instant
from core.errors import Unavailable
from core.limits import LIMITS, Limits
from hub.alerts.book import open_count
from hub.alerts.watch import AlertWatch
from hub.config import HubSettings, HubTable
from hub.metrics.collector import HubCollector, RefusalSums
from hub.metrics.counters import Counters
from hub.metrics.families import Shown, families
from hub.metrics.served import metrics_app
from hub.overview.model import Attention, Message
from hub.overview.service import Overview
from hub.rpc.counted import counted
from hub.storage import schema
from hub.web.listening import listening_on
from hub.web.server import HttpPort
from tests.simulation.federation import TestFederation, make_federation, publish
from tests.unit.hub_alerts import views
from tests.unit.hub_alerts.test_rules import alarm
from tests.unit.hub_alerts.views import DAY, NOW

DOCUMENT = Path(__file__).parents[3] / "docs" / "operations" / "metrics.md"


@pytest.fixture
def federation(tmp_path: Path) -> Any:
    made = make_federation(tmp_path)
    yield made
    made.close()


def collector(federation: TestFederation, overview: Any = None) -> HubCollector:
    return HubCollector(federation.hub, overview or full(), Counters())


def full() -> views.FakeOverview:
    """Everything that can have a sample has one."""
    overview = views.FakeOverview()
    node = views.node(
        disks=(views.Disk(name="state", free_bytes=5, total_bytes=10, days_left=2.0),), state="in sync"
    )
    line = views.partner(node, quota_bytes=100)
    fleet = views.fleet(line)
    attention = Attention(severity="error", urgent=True, message=Message(code="x"), remedy=Message(code="y"))
    overview.shown_fleet = fleet.model_copy(update={"attention": (attention,)})
    overview.shown_log = views.log(alarms=(alarm(), alarm(id="a2", acknowledged_by="anna")))
    disk = views.Disk(name="/", free_bytes=5, total_bytes=10, days_left=1.0)
    overview.shown_storage = views.storage(disk=disk, fsck_time=NOW, fsck_problems=0)
    return overview


def parsed(text: bytes) -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(text.decode())}


def value(found: dict[str, Any], name: str, **labels: str) -> float:
    [sample] = [
        s
        for family in found.values()
        for s in family.samples
        if s.name == name and labels.items() <= s.labels.items()
    ]
    return sample.value


def test_everything_parses_with_help_type_and_unit(federation: TestFederation) -> None:
    found = parsed(collector(federation).text())
    assert len(found) > 50
    for name, family in found.items():
        if name.startswith("process_"):
            continue
        assert name.startswith("syncline_hub_")
        assert family.documentation.endswith("."), name
        assert family.type != "unknown", name
        for unit in ("seconds", "bytes"):
            if name.endswith(f"_{unit}"):
                assert family.unit == unit, name
        assert not name.endswith(("_total", "_count", "_ms", "_kb", "_days", "_percent")), name
        if family.type == "counter":
            assert all(sample.name.endswith(("_total", "_created")) for sample in family.samples)


def test_what_is_shown_is_what_is_counted(federation: TestFederation) -> None:
    found = parsed(collector(federation).text())
    who = {"partner": "la-dgm", "node": "main"}
    assert value(found, "syncline_hub_node_state", syncline_hub_node_state="in sync", **who) == 1
    assert value(found, "syncline_hub_node_state", syncline_hub_node_state="silent", **who) == 0
    assert value(found, "syncline_hub_node_last_report_timestamp_seconds", **who) == NOW.timestamp()
    assert value(found, "syncline_hub_node_disk_free_bytes", **who) == 5
    assert value(found, "syncline_hub_node_disk_full_seconds", **who) == 2 * 86_400
    assert value(found, "syncline_hub_partner_quota_bytes", partner="la-dgm") == 100
    assert value(found, "syncline_hub_registry_expiry_timestamp_seconds") == (NOW + 80 * DAY).timestamp()
    assert value(found, "syncline_hub_healthy") == 0
    assert value(found, "syncline_hub_witness_alarms", acknowledged="false") == 1
    assert value(found, "syncline_hub_log_leaves_total", type="version") == 40
    assert value(found, "syncline_hub_datasets", freshness="late") == 1
    assert value(found, "syncline_hub_alerts_open", rule="silent") == 0
    assert value(found, "syncline_hub_build_info", version="0.1.0") == 1


def test_datasets_whose_newest_bytes_are_withheld_are_counted(federation: TestFederation) -> None:
    publish(federation, "la-dgm", "shared", {"a": b"1"}, read=["th-dmr"])
    publish(federation, "la-dgm", "kept", {"a": b"1"}, withhold=True)
    assert value(parsed(collector(federation).text()), "syncline_hub_datasets_withheld") == 1
    publish(federation, "la-dgm", "kept", {"a": b"2"}, read=["th-dmr"])
    assert value(parsed(collector(federation).text()), "syncline_hub_datasets_withheld") == 0, "the newest"


def test_what_is_not_known_has_no_sample(federation: TestFederation) -> None:
    overview = views.FakeOverview()
    node = views.node(last_seen=None, clock_offset_s=None, certificate_expires=None, lag_s=None, disks=())
    overview.shown_fleet = views.fleet(views.partner(node), view=views.hub(last_backup=None))
    found = parsed(collector(federation, overview).text())
    for name in (
        "node_last_report_timestamp_seconds",
        "node_clock_offset_seconds",
        "node_lag_seconds",
        "node_disk_free_bytes",
        "partner_quota_bytes",
        "last_backup_timestamp_seconds",
        "fsck_problems",
    ):
        assert found[f"syncline_hub_{name}"].samples == [], name


def test_labels_are_bounded_however_many_nodes_there_are() -> None:
    nodes = tuple(views.node(name=f"n{number}") for number in range(20))
    fleet = views.fleet(views.partner(*nodes))
    small = Limits(partners_count_max=7)
    found = {
        family.name: family for family in families(Shown(fleet, nodes, views.log(), views.storage()), small)
    }
    assert found["syncline_hub_nodes_omitted"].samples[0].value == 13
    for family in found.values():
        named = {(s.labels["partner"], s.labels["node"]) for s in family.samples if "node" in s.labels}
        assert len(named) <= 7, family.name
        assert all("dataset" not in sample.labels for sample in family.samples)


def test_a_nodes_free_text_is_no_label(federation: TestFederation) -> None:
    overview = full()
    node = views.node(version='1.0"} evil_metric{x="' + "A" * 5000)
    overview.shown_fleet = views.fleet(views.partner(node))
    found = parsed(collector(federation, overview).text())
    assert value(found, "syncline_hub_node_info", version="other") == 1
    assert not any("evil" in name for name in found)


def test_a_real_hub_is_measured(federation: TestFederation, tmp_path: Path) -> None:
    """The same collector over the real overview: a hub whose three nodes have not reported yet."""
    settings = HubSettings(
        hub=HubTable(
            name="Mekong",
            federation="test-geo",
            directory=str(federation.hub.context.layout.directory),
            address="hub.test:7443",
            enrol_address="hub.test:7444",
        )
    )
    overview = Overview(federation.hub, settings)
    found = parsed(HubCollector(federation.hub, overview, Counters()).text())
    assert value(found, "syncline_hub_partners", standing="active") == 3
    assert value(found, "syncline_hub_nodes", state="no report yet") == 3
    assert value(found, "syncline_hub_log_leaves_total", type="registry") > 0
    alerts = AlertWatch(federation.hub, overview, settings, (), federation.clock)
    alerts.perform()
    assert open_count(federation.hub.context.database) == {}


def test_refusals_outlive_a_restart_and_are_summed_once(federation: TestFederation) -> None:
    database = federation.hub.context.database

    def refuse(since: str, partner: str, reason: str, count: int) -> None:
        with database.write(visible=False) as connection:
            connection.execute(
                schema.refusals.insert().values(since=since, partner=partner, reason=reason, count=count)
            )

    first, second = format_instant(NOW), format_instant(NOW + DAY)
    sums = RefusalSums(database)
    assert sums.now() == {}
    refuse(first, "la-dgm", "NOT_GRANTED", 3)
    refuse(first, "th-dmr", "NOT_GRANTED", 2)
    assert sums.now() == {"NOT_GRANTED": 5}
    refuse(second, "", "evil\n} 1", 4)
    assert sums.now() == sums.now() == {"NOT_GRANTED": 5, "OTHER": 4}
    refuse(second, "", "FENCED", 1)
    assert sums.now() == RefusalSums(database).now() == {"NOT_GRANTED": 5, "OTHER": 4, "FENCED": 1}


def serve(collector: Any, counters: Counters, *paths: str) -> list[tuple[int, str, bytes]]:
    """Ask a real port for each path."""
    answers: list[tuple[int, str, bytes]] = []

    async def main() -> None:
        with ThreadPoolExecutor(2) as threads:
            app = counters.counting(metrics_app(collector, threads), "metrics")
            port = HttpPort(app, listening_on("127.0.0.1:0", "metrics"))
            await port.start()

            def ask() -> None:
                for path in paths:
                    connection = http.client.HTTPConnection("127.0.0.1", port.number, timeout=20)
                    connection.request("GET", path)
                    answer = connection.getresponse()
                    answers.append((answer.status, answer.getheader("content-type", ""), answer.read()))
                    connection.close()

            asking = threading.Thread(target=ask)
            asking.start()
            await asyncio.get_running_loop().run_in_executor(None, asking.join)
            await port.stop(1)

    asyncio.run(main())
    return answers


def test_it_is_served_as_openmetrics_and_counts_itself(federation: TestFederation) -> None:
    counters = Counters()
    made = HubCollector(federation.hub, full(), counters)  # type: ignore[arg-type]
    first, elsewhere, second = serve(made, counters, "/metrics", "/", "/metrics")
    assert first[0] == 200
    assert first[1].startswith("application/openmetrics-text; version=1.0.0")
    assert elsewhere[0] == 404
    found = parsed(second[2])
    assert value(found, "syncline_hub_http_requests_total", port="metrics", code="200") == 1
    assert value(found, "syncline_hub_http_requests_total", port="metrics", code="404") == 1


def test_a_database_that_is_busy_is_a_failed_scrape() -> None:
    class Busy:
        def text(self) -> bytes:
            raise Unavailable("busy", remedy="try again")

    [(status, _, body)] = serve(Busy(), Counters(), "/metrics")
    assert status == 503
    assert b"busy" not in body


def test_calls_are_counted_by_method_and_code() -> None:
    """Over a real gRPC server: one that answers, one that refuses, one that fails."""
    import grpc
    from grpc import aio

    counters = Counters()

    async def answer(message: bytes, context: Any) -> bytes:
        if message == b"no":
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "no")
        if message == b"bug":
            raise RuntimeError("bug")
        return b"yes"

    async def stream(message: bytes, context: Any) -> None:
        await context.write(b"1")
        await context.write(b"2")

    async def main() -> None:
        server = aio.server()
        handlers = counted(
            counters,
            "CatalogueService",
            {
                "Ask": grpc.unary_unary_rpc_method_handler(answer),
                "Read": grpc.unary_stream_rpc_method_handler(stream),
            },
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.S", handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            ask = channel.unary_unary("/t.S/Ask")
            assert await ask(b"x") == b"yes"
            for message in (b"no", b"bug"):
                with pytest.raises(aio.AioRpcError):
                    await ask(message)
            assert [each async for each in channel.unary_stream("/t.S/Read")(b"x")] == [b"1", b"2"]
        await server.stop(None)

    asyncio.run(main())
    from prometheus_client.openmetrics.exposition import generate_latest

    found = parsed(generate_latest(counters.registry))
    calls = {
        (s.labels["method"], s.labels["code"]): s.value
        for s in found["syncline_hub_grpc_calls"].samples
        if s.name.endswith("_total")
    }
    assert calls == {
        ("CatalogueService/Ask", "OK"): 1,
        ("CatalogueService/Ask", "PERMISSION_DENIED"): 1,
        ("CatalogueService/Ask", "UNKNOWN"): 1,
        ("CatalogueService/Read", "OK"): 1,
    }
    assert value(found, "syncline_hub_grpc_call_duration_seconds_count", method="CatalogueService/Ask") == 3
    assert value(found, "syncline_hub_grpc_calls_running", method="CatalogueService/Ask") == 0


def test_the_document_lists_exactly_what_there_is(federation: TestFederation) -> None:
    rows = re.findall(
        r"^\| `(syncline_hub_\w+)`(?: \{([^}]*)\})? \| (\w+) \|", DOCUMENT.read_text(), re.MULTILINE
    )
    documented = {name: (tuple(filter(None, labels.split(", "))), kind) for name, labels, kind in rows}
    assert len(documented) == len(rows)
    found = parsed(collector(federation).text())
    there: dict[str, tuple[tuple[str, ...], str]] = {}
    for name, family in found.items():
        if name.startswith("process_"):
            continue
        shown = {"counter": "_total", "info": "_info"}.get(family.type, "")
        there[name + shown] = ((), family.type)
    assert {name: kind for name, (_, kind) in documented.items()} == {
        name: kind for name, (_, kind) in there.items()
    }
    for family in found.values():
        for sample in family.samples:
            own = {"le", "version", "federation", family.name}
            labels = set(sample.labels) - own
            if sample.name in documented:
                assert labels == set(documented[sample.name][0]), sample.name


def test_limits_of_production_hold_the_document(federation: TestFederation) -> None:
    assert f"{LIMITS.partners_count_max:,} nodes" in DOCUMENT.read_text()
