"""Server-sent events: browsers are told that something changed, and fetch what they show again.

* `event: changed` with the newest revision as id and data. The browser says what it shows: `?known=` as the
  page has it, then `Last-Event-ID`; so nothing is lost between page and stream, or between two streams.
* The revision is asked for once in `limits.view_fresh_s` for all browsers together, and by nobody when none
  listens.
* A large fleet changes every second, and each browser that is told fetches a page: they are told in turn,
  `_TOLD_A_SECOND` of them, so that what they fetch keeps nobody else waiting; who is late hears the newest.
* A stream ends by itself after `STREAM_S`, and with the session: the browser comes back, and is then looked
  at again. Who may no longer look, learns nothing after that.
* `limits.streams_of_pages_max` streams at once, `_STREAMS_OF_ONE_MAX` for one session; more are told to ask
  again later.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from core.clock import Clock, SystemClock
from core.errors import SynclineError
from core.limits import LIMITS, Limits
from core.logs import get_logger
from hub.web.threads import Threads

STREAM_S = 300.0
HEARTBEAT_S = 10.0
_STREAMS_OF_ONE_MAX = 12
_TOLD_A_SECOND = 4
_COME_BACK_MS = 1000
_CLOCK = SystemClock()

_log = get_logger("hub.web.live")


class NewsStream(StreamingResponse):
    """Counts from where it was allowed, without a turn of the loop between: a burst is bounded, too."""

    def __init__(
        self, events: AsyncGenerator[str], counted: Callable[[], contextlib.AbstractContextManager[None]]
    ) -> None:
        super().__init__(
            events,
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        self.counted = counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self.counted():
            await super().__call__(scope, receive, send)


class Live:
    """One revision, watched for everybody who listens."""

    def __init__(
        self,
        revision: Callable[[], int],
        threads: Threads,
        limits: Limits = LIMITS,
        *,
        stream_s: float = STREAM_S,
        heartbeat_s: float = HEARTBEAT_S,
        clock: Clock = _CLOCK,
    ) -> None:
        self._ask = revision
        self._threads = threads
        self._limits = limits
        self._stream_s = stream_s
        self._heartbeat_s = heartbeat_s
        self._clock = clock
        self._revision: int | None = None
        self._moved = asyncio.Event()
        self._listening: Counter[str] = Counter()
        self._watching: asyncio.Task[None] | None = None
        self._next_turn = 0.0

    async def endpoint(self, request: Request) -> Response:
        """`/live`: a stream of events, for who has a session."""
        session = getattr(request.state, "session", None)
        if session is None:
            return Response("sign in\n", 401, media_type="text/plain", headers={"Cache-Control": "no-store"})
        who = str(session.csrf)  # one for each session; never shown, never logged
        full = self._listening.total() >= self._limits.streams_of_pages_max
        if full or self._listening[who] >= _STREAMS_OF_ONE_MAX:
            headers = {"Cache-Control": "no-store", "Retry-After": "60"}
            return Response("too many listen\n", 503, media_type="text/plain", headers=headers)
        known = request.headers.get("last-event-id") or request.query_params.get("known", "")
        return NewsStream(self._events(session.expires, known), lambda: self._counted(who))

    @property
    def watchers(self) -> int:
        """How many tasks ask for the revision: one while anybody listens."""
        return 0 if self._watching is None else 1

    async def _events(self, expires: datetime, known: str) -> AsyncGenerator[str]:
        until = self._clock.monotonic() + min(
            self._stream_s, max(0.0, (expires - self._clock.now()).total_seconds())
        )
        yield f"retry: {_COME_BACK_MS}\nevent: hello\ndata:\n\n"
        told = known
        while (left_s := until - self._clock.monotonic()) > 0:
            newest = "" if self._revision is None else str(self._revision)
            if newest and newest != told:
                await asyncio.sleep(min(self.turn_s(), left_s))
                told = newest = str(self._revision)  # what came meanwhile is told with it
                yield f"event: changed\nid: {newest}\ndata: {newest}\n\n"
                continue
            if not await self._moves_within(min(self._heartbeat_s, left_s)):
                yield ": \n\n"

    @contextlib.contextmanager
    def _counted(self, who: str) -> Generator[None]:
        self._listening[who] += 1
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self._listening[who] -= 1
            if not self._listening[who]:
                del self._listening[who]
            if not self._listening:
                self._rest()

    def _rest(self) -> None:
        """Nobody listens: nobody asks."""
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None

    def turn_s(self) -> float:
        """How long one who is to be told waits until it is his turn."""
        now = self._clock.monotonic()
        turn = max(now, self._next_turn)
        self._next_turn = turn + 1 / _TOLD_A_SECOND
        return turn - now

    async def _moves_within(self, seconds: float) -> bool:
        moved = self._moved
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await moved.wait()
                return True
        return False

    async def _watch(self) -> None:
        while True:
            try:
                revision = await self._threads.run(self._ask)
            except SynclineError as error:
                _log.warning("cannot tell whether anything changed", problem=error.message)
            except Exception as error:  # noqa: BLE001 - a task that ended would leave every page looking live
                _log.error("bug while the revision was asked for", exc_info=error)
            else:
                if revision != self._revision:
                    self._revision = revision
                    self._moved.set()
                    self._moved = asyncio.Event()
            await asyncio.sleep(self._limits.view_fresh_s)
