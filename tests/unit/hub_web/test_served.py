"""The running hub and its HTTP port: served where the settings say, and not at all without."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from core.errors import InvalidInput, Unavailable
from hub.config import TransparencyTable, document, load_settings
from security.tlog.checkpoint import open_checkpoint
from security.tlog.leaf import registry_of_leaf
from security.tlog.tiles import entries_path, parse_entries
from tests.unit.hub_rpc.conftest import RunningHub


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    running = RunningHub(tmp_path_factory.mktemp("served") / "hub")
    running.start()
    yield running
    running.stop()


def get(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", f"/{path}")
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read()
    finally:
        connection.close()


def test_a_running_hub_serves_a_checkpoint_and_the_first_registry(hub: RunningHub) -> None:
    assert hub.ports.log_port is not None
    with hub.beside() as beside:
        registry = beside.registry.current()
    log = registry.registry.logs[-1]
    checkpoint = open_checkpoint(get(hub.ports.log_port, "checkpoint"), log.origin, log.key).checkpoint
    assert checkpoint.size >= 1
    [first] = parse_entries(get(hub.ports.log_port, entries_path(0, 1)), 1)
    assert registry_of_leaf(first) == registry.id


def test_without_the_key_nothing_is_served(tmp_path: Path) -> None:
    running = RunningHub(tmp_path / "hub")
    running.settings = running.settings.model_copy(update={"transparency": TransparencyTable()})
    running.start()
    try:
        assert running.ports.log_port is None
    finally:
        running.stop()


def test_a_hub_whose_log_port_is_taken_names_the_key_and_stops(hub: RunningHub, tmp_path: Path) -> None:
    second = RunningHub(tmp_path / "hub")
    taken = TransparencyTable(listen=f"127.0.0.1:{hub.ports.log_port}")
    second.settings = second.settings.model_copy(update={"transparency": taken})
    with pytest.raises(Unavailable) as caught:
        second.start()
    assert caught.value.reason == "PORT_TAKEN"
    assert "[transparency] listen" in caught.value.remedy


def test_the_port_that_the_system_chose_is_in_the_log(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        running = RunningHub(tmp_path / "hub")
        running.start()
        running.stop()
    [line] = [each for each in logs if each["event"] == "the hub serves"]
    assert line["log"] == f"127.0.0.1:{running.ports.log_port}"


def test_the_settings_that_init_writes_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "hub.toml"
    for written in ("127.0.0.1:7445", "[::1]:0", ""):
        path.write_text(document("N", "f", "h:1", "h:2", written), "utf-8")
        assert load_settings(path).transparency.listen == written
    path.write_text(document("N", "f", "h:1", "h:2").replace('# listen = "127', 'listen = "127'), "utf-8")
    assert load_settings(path).transparency.listen == "127.0.0.1:7445"


@pytest.mark.parametrize(
    "listen", ["7445", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "http://h:1", "a b:1"]
)
def test_what_is_no_address_is_refused_when_the_settings_are_read(tmp_path: Path, listen: str) -> None:
    path = tmp_path / "hub.toml"
    path.write_text(document("N", "f", "h:1", "h:2", "127.0.0.1:1").replace("127.0.0.1:1", listen), "utf-8")
    with pytest.raises(InvalidInput):
        load_settings(path)


def test_the_table_has_no_other_key(tmp_path: Path) -> None:
    text = document("N", "f", "h:1", "h:2", "127.0.0.1:1").replace("[server]", 'path = "/log"\n[server]')
    (tmp_path / "hub.toml").write_text(text, "utf-8")
    with pytest.raises(InvalidInput):
        load_settings(tmp_path / "hub.toml")
