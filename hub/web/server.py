"""The HTTP port: uvicorn in the hub's own event loop, with bounds that uvicorn does not set.

* Whoever does not finish a request, or does not take its answer, within `PATIENCE_S` is hung up on: a slow
  client costs one of the connections that there may be, for that long, and nobody a thread.
* An application that streams says after each piece that was taken that it goes on: `still_there(scope)`.
  Whoever takes nothing for `PATIENCE_S` is hung up on all the same.
* It serves on a socket that listens already (`hub.web.listening`): a taken port stops the start.
* Signals are the hub's; requests are not logged: a reverse proxy does that where it is wanted.

    port = HttpPort(read_path(hub.log, threads), listening_on("127.0.0.1:7445", "transparency"))
    port.number                                                         # for port 0 the system chooses
    await port.start()
    await port.stop(grace_s)
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator

import uvicorn
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from hub.web.listening import BACKLOG

PATIENCE_S = 30.0
CONNECTIONS_MAX = 256
_KEEP_ALIVE_S = 5
_HEAD_BYTES_MAX = 8 * 1024
_STILL_THERE = "syncline_still_there"


class HttpPort:
    """One listening socket and the application behind it."""

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        *,
        patience_s: float = PATIENCE_S,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        """Takes `listening` over: closes it in the end."""
        self._socket = listening
        self.number: int = self._socket.getsockname()[1]

        class Patient(_Patient):
            PATIENCE_S = patience_s

        self._server = _Server(
            uvicorn.Config(
                app,
                http=Patient,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=connections_max,
                timeout_keep_alive=_KEEP_ALIVE_S,
                h11_max_incomplete_event_size=_HEAD_BYTES_MAX,
                backlog=BACKLOG,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Answer."""
        self._serving = asyncio.create_task(self._server.serve([self._socket]))

    def close(self) -> None:
        """Give the port back, where nothing was served yet."""
        if self._serving is None:
            self._socket.close()

    async def stop(self, grace_s: float) -> None:
        """Take no new connections, finish answers under way within `grace_s`, hang up on everybody.

        Streams are not waited for.
        """
        if self._serving is None:
            self._socket.close()
            return
        self._server.config.timeout_graceful_shutdown = int(grace_s)
        self._server.should_exit = True
        self._server.end_streams()
        await asyncio.wait({self._serving})
        self._server.hang_up()
        await asyncio.sleep(0)  # the connections' own turn to end
        self._serving.result()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    def hang_up(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    def end_streams(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, _Patient) and connection.streams:
                connection.transport.abort()


class _Patient(H11Protocol):
    """Counts from the connection's begin, and from each answer's end, to the next answer's end."""

    PATIENCE_S: float
    streams = False
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # Every request's scope gets a copy of this.
        self.app_state = {**self.app_state, _STILL_THERE: self._goes_on}
        self._count_again()

    def _goes_on(self) -> None:
        if not self.transport.is_closing():
            self.streams = True
            self._count_again()

    def on_response_complete(self) -> None:
        self.streams = False
        self._count_again()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    def _count_again(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = self.loop.call_later(self.PATIENCE_S, self.transport.abort)


def still_there(scope: Scope) -> None:
    """Whoever asks with `scope` has taken what was sent so far, and is waited for anew."""
    goes_on: Callable[[], None] | None = scope.get("state", {}).get(_STILL_THERE)
    if goes_on is not None:
        goes_on()
