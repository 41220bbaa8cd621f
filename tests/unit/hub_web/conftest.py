"""A log of the test's own behind the HTTP port, in an event loop of its own thread."""

import asyncio
import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from hub.web.listening import listening_on
from hub.web.read_path import read_path
from hub.web.server import HttpPort
from security.keys import WitnessKey
from security.tlog.checkpoint import Checkpoint, sign_checkpoint

KEY, WITNESS = WitnessKey.generate(), WitnessKey.generate()


class FakeLog:
    """Files by their place; `trouble` is raised, or done, instead of every answer."""

    def __init__(self) -> None:
        self.note: bytes | None = sign_checkpoint(Checkpoint("f/log", 3, b"\7" * 32), KEY)
        self.tiles: dict[tuple[int, int, int], bytes] = {
            (0, 0, 3): b"\1" * 96,
            (1, 1234067, 256): b"\2" * 8192,
        }
        self.bundles = {(0, 3): b"\0\1a\0\1b\0\1c", (0, 256): b"full"}
        self.trouble: Callable[[], None] = lambda: None

    def checkpoint_note(self) -> bytes | None:
        self.trouble()
        return self.note

    def tile(self, level: int, number: int, width: int) -> bytes | None:
        self.trouble()
        return self.tiles.get((level, number, width))

    def entry_bundle(self, number: int, width: int) -> bytes | None:
        self.trouble()
        return self.bundles.get((number, width))


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Site:
    """Where the log is served."""

    log: FakeLog
    port: int
    stop: Callable[[], None] = field(default=lambda: None)

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=named)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()


def serve(log: FakeLog, **options: object) -> Site:
    """Serve until `stop`."""
    ready = threading.Event()
    made: list[Site] = []

    async def main() -> None:
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        with ThreadPoolExecutor(2) as threads:
            port = HttpPort(read_path(log, threads), listening_on("127.0.0.1:0", "transparency"), **options)  # type: ignore[arg-type]
            await port.start()
            made.append(Site(log, port.number, lambda: loop.call_soon_threadsafe(stopping.set)))
            ready.set()
            await stopping.wait()
            await port.stop(1)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(20)
    [site] = made
    ask_to_stop = site.stop

    def stop() -> None:
        if thread.is_alive():
            ask_to_stop()
            thread.join(20)
        assert not thread.is_alive()

    site.stop = stop
    return site


@pytest.fixture(scope="module")
def served() -> Iterator[Site]:
    made = serve(FakeLog())
    yield made
    made.stop()


@pytest.fixture
def site(served: Site) -> Site:
    """One port for all, with a log as new."""
    served.log.__init__()
    return served
