"""Keeps what pages show up to date while somebody looks: no page pays for what came since the last one.

fresh = Fresh(overview.refresh, threads, limits.view_fresh_s)
app = fresh.noting(app)                     # each request says that somebody looks
await fresh.run()                           # for ever

A hub at whose pages nobody looks does nothing here; the first page afterwards reads what it needs itself.
"""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import SynclineError
from core.logs import get_logger
from hub.web.threads import Threads

_LOOKS_FOR_S = 60.0  # so long after a request, the next one is expected
_SHARE = 0.5  # of the time that an answer is kept: it is made anew before it is too old

_log = get_logger("hub.web")


class Fresh:
    """Refreshes in a thread, in the event loop that runs it."""

    def __init__(self, refresh: Callable[[], None], threads: Threads, kept_s: float) -> None:
        """`kept_s`: how long an answer of `refresh` is good for."""
        self._refresh = refresh
        self._threads = threads
        self._every_s = kept_s * _SHARE
        self._looked_at: float | None = None
        self._somebody = asyncio.Event()

    def noting(self, app: ASGIApp) -> ASGIApp:
        """The same application; its requests are noted."""

        async def noted(scope: Scope, receive: Receive, send: Send) -> None:
            self._looked_at = asyncio.get_running_loop().time()
            self._somebody.set()
            await app(scope, receive, send)

        return noted

    async def run(self) -> None:
        """For ever. What fails is logged: the page that asks says it too."""
        loop = asyncio.get_running_loop()
        while True:
            await self._somebody.wait()
            while self._looked_at is not None and loop.time() - self._looked_at < _LOOKS_FOR_S:
                try:
                    await self._threads.run_duty(self._refresh)
                except SynclineError as error:
                    _log.warning("what pages show was not refreshed", problem=error.message)
                except Exception as error:  # noqa: BLE001 - a task that ended would make every page slow
                    _log.error("bug while pages were refreshed", exc_info=error)
                await asyncio.sleep(self._every_s)
            self._somebody.clear()
