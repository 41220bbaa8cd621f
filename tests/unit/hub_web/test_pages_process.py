"""The pages' process beside the hub's: what it is given, what it tells, how each outlives the other."""

import http.client
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.config import HubSettings, QuotaTable
from hub.config_operator import (
    AlertsTable,
    BasemapTable,
    EmailTable,
    MetricsTable,
    WebhookTable,
    WebTable,
)
from tests.end_to_end.world import wait_until
from tests.unit.hub_rpc.conftest import RunningHub

ANYWHERE = "127.0.0.1:0"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    running = RunningHub(tmp_path / "hub")
    tables = {"web": WebTable(listen=ANYWHERE), "metrics": MetricsTable(listen=ANYWHERE)}
    running.settings = running.settings.model_copy(update=tables)
    running.start()
    yield running
    running.stop()


def status_of(port: int | None, path: str) -> tuple[int, str]:
    assert port is not None
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def pages_process() -> int | None:
    """The process that serves the pages of the hub that runs in this one."""
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            try:
                called = Path(f"/proc/{child}/cmdline").read_bytes()
            except FileNotFoundError:
                continue
            if b"hub.cli.pages" in called:
                return int(child)
    return None


def a_pages_process() -> int:
    wait_until(lambda: pages_process() is not None, "the pages' process")
    found = pages_process()
    assert found is not None
    return found


def events_of(hub: RunningHub, kind: str) -> int:
    from hub.overview.search import EventSearch
    from hub.overview.service import Overview

    with hub.beside() as beside:
        return len(Overview(beside, hub.settings).events(EventSearch(kind=kind)).events)


def test_pages_that_were_killed_come_back_and_it_is_told(hub: RunningHub) -> None:
    assert status_of(hub.ports.web_port, "/login")[0] == 200
    killed = a_pages_process()
    os.kill(killed, signal.SIGKILL)
    # Whoever asks meanwhile waits; the port is the hub's, and is not given back.
    assert status_of(hub.ports.web_port, "/login")[0] == 200
    assert a_pages_process() != killed
    wait_until(lambda: events_of(hub, "pages.ended") == 1, "the event")
    hub.enrol("la-dgm")  # nodes were served all the while


def test_pages_end_with_their_hub_and_give_the_port_back(hub: RunningHub) -> None:
    assert status_of(hub.ports.web_port, "/login")[0] == 200
    first = a_pages_process()
    held = hub.ports.web_port
    hub.stop()
    assert pages_process() is None
    assert not Path(f"/proc/{first}").exists()
    hub.settings = hub.settings.model_copy(update={"web": WebTable(listen=f"127.0.0.1:{held}")})
    hub.start()
    assert status_of(hub.ports.web_port, "/login")[0] == 200


def test_metrics_count_what_the_pages_process_answers_and_what_it_uses(hub: RunningHub) -> None:
    for _ in range(3):
        assert status_of(hub.ports.web_port, "/login")[0] == 200
    assert status_of(hub.ports.web_port, "/nowhere")[0] == 404

    def told(line: str) -> bool:
        return line in status_of(hub.ports.metrics_port, "/metrics")[1]

    wait_until(lambda: told('syncline_hub_http_requests_total{code="200",port="pages"} 3.0'), "the count")
    assert told('syncline_hub_http_requests_total{code="404",port="pages"} 1.0')
    assert told("syncline_hub_pages_process_resident_memory_bytes")


def test_refusals_of_the_pages_are_kept_when_they_end(hub: RunningHub) -> None:
    assert status_of(hub.ports.web_port, "/%2e%2e/hub.toml")[0] in (400, 404)
    connection = http.client.HTTPConnection("127.0.0.1", hub.ports.web_port or 0, timeout=60)
    connection.request("GET", "/login", headers={"Host": "evil.example"})
    assert connection.getresponse().status >= 400
    connection.close()
    os.kill(a_pages_process(), signal.SIGTERM)
    wait_until(lambda: refusals_of(hub) > 0, "the refusals")


def refusals_of(hub: RunningHub) -> int:
    import sqlalchemy as sa

    from hub.storage import schema

    with hub.beside() as beside, beside.context.database.read() as connection:
        rows = connection.execute(sa.select(schema.refusals.c.reason)).scalars()
        return sum(reason.startswith("PAGES_") for reason in rows)


def test_every_setting_reaches_the_pages_process(tmp_path: Path) -> None:
    running = RunningHub(tmp_path / "hub")
    basemap = BasemapTable.model_validate({"file": str(tmp_path / "地图.svg"), "approval": "GS(2026)0001号"})
    email = EmailTable(server="mail.example.org:587", sender="hub@example.org", to=["vilay@example.org"])
    hook = {"url": "https://example.org/hook", "secret_file": str(tmp_path / "secret")}
    webhook = WebhookTable.model_validate(hook)
    given = running.settings.model_copy(
        update={
            "web": WebTable(listen=ANYWHERE, two_person=True, basemap=basemap),
            "alerts": AlertsTable(email=email, webhook=webhook),
            "quota": QuotaTable(default_bytes=1 << 40, partners={"la-dgm": 7}),
        }
    )
    assert HubSettings.model_validate(json.loads(given.model_dump_json())) == given
