"""The pages' port over real sockets: who is waited for, who is hung up on, and what a stop does."""

import asyncio
import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from core.limits import Limits
from hub.config_operator import WebTable
from hub.web.listening import listening_on
from hub.web.server import HttpPort, _Patient, still_there
from tests.unit.hub_rpc.conftest import RunningHub
from tests.unit.hub_web.browsing import CHEAP, PASSWORD, csrf_of


class Streaming:
    """An application that sends a piece whenever the test says so."""

    def __init__(self) -> None:
        self.pieces: asyncio.Queue[bytes] = asyncio.Queue()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": await self.pieces.get(), "more_body": True})
            still_there(scope)


class Served:
    """An application behind a port, in a loop of its own."""

    def __init__(self, app: Any, patience_s: float) -> None:
        ready = threading.Event()

        async def main() -> None:
            self.loop, self.stopping = asyncio.get_running_loop(), asyncio.Event()
            port = HttpPort(app, listening_on("127.0.0.1:0", "web"), patience_s=patience_s)
            await port.start()
            self.number = port.number
            ready.set()
            await self.stopping.wait()
            await port.stop(1)

        self.thread = threading.Thread(target=lambda: asyncio.run(main()))
        self.thread.start()
        assert ready.wait(20)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.thread.join(20)
        assert not self.thread.is_alive()


def asking(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=30)
    made.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    return made


def read_until_end(connection: socket.socket) -> bytes:
    got = b""
    with connection, contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(4096):
            got += piece
    return got


class Timers:
    """A loop's timers, which never ring by themselves."""

    def __init__(self) -> None:
        self.set: list[Any] = []

    def call_later(self, delay: float, callback: Callable[[], None]) -> Any:
        timer = SimpleNamespace(delay=delay, callback=callback, cancelled=False)
        timer.cancel = lambda: setattr(timer, "cancelled", True)
        self.set.append(timer)
        return timer


class Transport:
    """Knows whether it was hung up."""

    aborted = False

    def get_extra_info(self, name: str) -> Any:
        return None

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


def test_a_stream_is_waited_for_anew_after_each_piece_that_was_taken() -> None:
    class Patient(_Patient):
        PATIENCE_S = 30.0

    async def app(scope: Scope, receive: Receive, send: Send) -> None: ...

    timers, transport = Timers(), Transport()
    config = uvicorn.Config(app, http=Patient, log_config=None)
    connection = Patient(config, ServerState(), {}, timers)  # type: ignore[arg-type]
    connection.connection_made(transport)  # type: ignore[arg-type]
    scope = {"state": connection.app_state.copy()}
    assert [(each.delay, each.cancelled) for each in timers.set] == [(30.0, False)]
    for count in (1, 2, 3):
        still_there(scope)
        assert [each.cancelled for each in timers.set] == [True] * count + [False]
    timers.set[-1].callback()  # nothing more was taken
    assert transport.aborted
    still_there(scope)
    assert len(timers.set) == 4  # who was hung up on stays so


def test_elsewhere_saying_so_does_nothing() -> None:
    still_there({"type": "http"})


def test_an_answer_that_makes_no_progress_is_cut_off() -> None:
    served = Served(Streaming(), patience_s=0.2)
    try:
        assert b"200" in read_until_end(asking(served.number))
    finally:
        served.stop()


def test_a_stop_does_not_wait_for_streams() -> None:
    app = Streaming()
    served = Served(app, patience_s=1000)
    connection = asking(served.number)
    served.loop.call_soon_threadsafe(app.pieces.put_nowait, b"<0>")
    got = b""
    while b"<0>" not in got:
        got += connection.recv(4096)
    served.stop()
    assert read_until_end(connection) == b""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    running = RunningHub(tmp_path_factory.mktemp("port") / "hub", Limits(streams_of_pages_max=2))
    running.settings = running.settings.model_copy(update={"web": WebTable(listen="127.0.0.1:0")})
    running.start()
    with running.beside() as beside:
        beside.users.passwords = type(beside.users.passwords)(CHEAP)
        beside.users.add("vilay", PASSWORD, ["operator"])
    yield running
    running.stop()


def connected(hub: RunningHub) -> http.client.HTTPConnection:
    assert hub.ports.web_port is not None
    return http.client.HTTPConnection("127.0.0.1", hub.ports.web_port, timeout=30)


def session_of(hub: RunningHub) -> str:
    """The cookie of somebody who signed in over the wire."""
    from urllib.parse import urlencode

    connection = connected(hub)
    connection.request("GET", "/login")
    answer = connection.getresponse()
    cookie = (answer.getheader("set-cookie") or "").partition(";")[0]

    class Page:
        text = answer.read().decode()

    fields = {"csrf": csrf_of(Page), "user": "vilay", "password": PASSWORD}  # type: ignore[arg-type]
    headers = {
        "Cookie": cookie,
        "Origin": f"http://127.0.0.1:{hub.ports.web_port}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    connection.request("POST", "/login", urlencode(fields), headers)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 303
    connection.close()
    cookies = [value for name, value in answer.getheaders() if name == "set-cookie"]
    return next(each for each in cookies if "session=" in each).partition(";")[0]


def test_a_running_hub_serves_its_pages_and_their_number_of_streams(hub: RunningHub) -> None:
    cookie = session_of(hub)
    streams = []
    for _ in range(2):
        connection = connected(hub)
        connection.request("GET", "/live", headers={"Cookie": cookie})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("content-type", "").partition(";")[0]) == (
            200,
            "text/event-stream",
        )
        streams.append(connection)
    connection = connected(hub)
    connection.request("GET", "/live", headers={"Cookie": cookie})
    assert connection.getresponse().status == 503
    for each in (*streams, connection):
        each.close()
    connection = connected(hub)
    connection.request("GET", "/", headers={"Cookie": cookie})
    assert connection.getresponse().status == 200
    connection.close()


def test_a_form_of_ten_megabytes_is_answered_before_it_came(hub: RunningHub) -> None:
    connection = connected(hub)
    connection.putrequest("POST", "/login")
    for name, value in {
        "Origin": f"http://127.0.0.1:{hub.ports.web_port}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": "10000000",
    }.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("connection")) == (413, "close")
    connection.close()


def test_a_taken_port_names_its_own_table(hub: RunningHub, tmp_path: Path) -> None:
    from core.errors import Unavailable

    second = RunningHub(tmp_path / "hub")
    taken = WebTable(listen=f"127.0.0.1:{hub.ports.web_port}")
    second.settings = second.settings.model_copy(update={"web": taken})
    with pytest.raises(Unavailable) as caught:
        second.start()
    assert caught.value.reason == "PORT_TAKEN"
    assert "[web] listen" in caught.value.remedy
