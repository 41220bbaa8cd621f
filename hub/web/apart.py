"""The pages' process, seen from the hub's: begun, kept up and ended with it (ADR 17).

* The port is bound here and handed over: who comes while no process answers waits in its queue, and a taken
  port stops the hub's start with its reason.
* The two share the hub's directory, and a socket: settings go over, how many requests were answered comes
  back, and its end is the sign to stop. A hub that was killed so takes its pages with it.
* A process that ends by itself is told in the log and to the operator, and started again, each time a little
  later; nodes are served meanwhile.

    pages = PagesProcess(settings, limits, answered=counters.answered, ended=tell)
    await pages.start()
    await pages.stop(grace_s)
"""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from core.errors import SynclineError
from core.limits import Limits
from core.logs import get_logger
from hub.config import HubSettings
from hub.web.listening import listening_on

_LET_GO_S = 2.0  # the pages of a hub that was killed just now give their port back within a moment
_AGAIN_S = 1.0
_AGAIN_S_MAX = 60.0
_LASTED_S = 300.0  # a process that ran so long was no failed start
_KILLED_AFTER_S = 5.0  # beyond the grace

_log = get_logger("hub.pages")


class PagesProcess:
    """The port of the pages and the process behind it. Made and used in one event loop."""

    def __init__(
        self,
        settings: HubSettings,
        limits: Limits,
        *,
        answered: Callable[[Mapping[str, int]], None],
        ended: Callable[[int], None],
    ) -> None:
        """`answered` hears of requests, by status code; `ended`, which may block, of an unforeseen end, with
        its exit status. Raises `Unavailable` (PORT_TAKEN).
        """
        self._given = json.dumps({"settings": settings.model_dump(mode="json"), "limits": asdict(limits)})
        self._answered = answered
        self._ended = ended
        self._listening = listening_on(settings.web.listen, "web", let_go_s=_LET_GO_S)
        self.number: int = self._listening.getsockname()[1]
        self.process_id: int | None = None
        """Of the process that serves now; None: there is none."""
        self._stopping = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Have a process from now on. Does not wait until it answers."""
        self._keeping = asyncio.create_task(self._keep())

    async def stop(self, grace_s: float) -> None:
        """End it: answers under way get `grace_s`."""
        self._stopping.set()
        if self._keeping is not None:
            _, late = await asyncio.wait({self._keeping}, timeout=grace_s + _KILLED_AFTER_S)
            if late:
                self._keeping.cancel()  # kills it
                await asyncio.wait(late)
        self.close()

    def close(self) -> None:
        """Give the port back."""
        self._listening.close()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        again_s = _AGAIN_S
        while not self._stopping.is_set():
            begun = loop.time()
            try:
                status = await self._run()
            except OSError as error:  # no memory, no descriptors
                _log.error(
                    "the pages' process cannot be started; it is tried again",
                    error=str(error),
                    remedy="see what the machine lacks (free -m, ulimit -n)",
                )
            else:
                if self._stopping.is_set():
                    return
                _log.error(
                    "the pages' process has ended; it is started again",
                    status=status,
                    remedy="what stands before this line says why; nodes are served meanwhile",
                )
                await self._tell(status)
            again_s = _AGAIN_S if loop.time() - begun > _LASTED_S else again_s
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), again_s)
            again_s = min(2 * again_s, _AGAIN_S_MAX)

    async def _run(self) -> int:
        """One process, to its end; its exit status."""
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-P",
                    "-m",
                    "hub.cli.pages",
                    str(theirs.fileno()),
                    str(self._listening.fileno()),
                    stdin=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(), self._listening.fileno()),
                    start_new_session=True,  # Ctrl-C is for the hub, which then tells it
                )
            except BaseException:
                writer.close()
                raise
        try:
            self.process_id = process.pid
            writer.write(self._given.encode() + b"\n")
            listening = asyncio.create_task(self._listen(reader))
            stopping = asyncio.create_task(self._stopping.wait())
            try:
                await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopping.cancel()
            writer.write_eof()
            await asyncio.wait({listening})
            return await process.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        finally:
            self.process_id = None
            writer.close()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """What the process says, until it ends."""
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                said: Mapping[str, Any] = json.loads(line)
                self._answered(said["answered"])

    async def _tell(self, status: int) -> None:
        try:
            await asyncio.to_thread(self._ended, status)
        except SynclineError as error:
            _log.warning("the end of the pages' process was not noted", problem=error.message)
