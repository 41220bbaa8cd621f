"""News for browsers: told once for each change, asked for once for all, bounded, over with the session."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.types import Message

from core.clock import SystemClock
from core.errors import Corrupt
from core.limits import LIMITS
from hub.web.live import Live, NewsStream
from hub.web.threads import Threads
from tests.unit.hub_web.looking import Viewer

QUICK = replace(LIMITS, view_fresh_s=0.001, streams_of_pages_max=20)


@dataclass
class Hub:
    """What the revision is, and how often it was asked for."""

    revision: int = 5
    asked: int = 0
    is_broken: bool = False
    asked_again: asyncio.Event = field(default_factory=asyncio.Event)

    def ask(self) -> int:
        self.asked += 1
        if self.is_broken:
            raise Corrupt("the disk is gone")
        return self.revision


def viewer(csrf: str = "one", lasts_s: float = 3600) -> Viewer:
    """Whose session ends after so long."""
    return Viewer(csrf=csrf, expires=SystemClock().now() + timedelta(seconds=lasts_s))


def asking(session: Viewer | None, known: str = "", last: str = "") -> Request:
    """A request for the stream."""
    headers = [(b"last-event-id", last.encode())] if last else []
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/live",
            "query_string": f"known={known}".encode(),
            "headers": headers,
            "state": {"session": session},
        }
    )


@asynccontextmanager
async def stream(live: Live, request: Request) -> AsyncGenerator[AsyncIterator[str]]:
    """What the browser reads, heartbeats left out."""
    answer = await live.endpoint(request)
    assert isinstance(answer, NewsStream)
    body = answer.body_iterator

    async def told() -> AsyncIterator[str]:
        async for piece in body:
            text = str(piece)
            if "event: changed" in text:
                yield text

    with answer.counted():
        try:
            yield told()
        finally:
            await body.aclose()  # type: ignore[attr-defined]


def run(hub: Hub, test: "object", **named: float) -> None:
    """In an event loop with threads."""

    async def inner() -> None:
        with Threads(1) as threads:
            await asyncio.wait_for(test(Live(hub.ask, threads, QUICK, **named)), 60)  # type: ignore[operator]

    asyncio.run(inner())


def test_a_change_is_told_with_its_revision() -> None:
    hub = Hub()

    async def test(live: Live) -> None:
        async with stream(live, asking(viewer(), known="5")) as told:
            hub.revision = 6
            assert await anext(told) == "event: changed\nid: 6\ndata: 6\n\n"
            hub.revision = 9
            assert "id: 9" in await anext(told)

    run(hub, test)


def test_what_changed_between_the_page_and_the_stream_is_told_at_once() -> None:
    async def test(live: Live) -> None:
        async with stream(live, asking(viewer(), known="4")) as told:
            assert "id: 5" in await anext(told)
        async with stream(live, asking(viewer(), known="5", last="3")) as told:
            assert "id: 5" in await anext(told), "what the stream before told counts, not the page"

    run(Hub(), test)


def test_everybody_is_told_and_the_hub_is_asked_by_one() -> None:
    hub = Hub()

    async def test(live: Live) -> None:
        async with (
            stream(live, asking(viewer("a"), known="5")) as one,
            stream(live, asking(viewer("b"), known="5")) as two,
        ):
            hub.revision = 6
            pieces = await asyncio.gather(anext(one), anext(two))
            assert pieces[0] == pieces[1]
            assert live.watchers == 1
        assert live.watchers == 0, "nobody listens, nobody asks"

    run(hub, test)


def test_a_stream_ends_by_itself_and_with_its_session() -> None:
    async def test(live: Live) -> None:
        async with stream(live, asking(viewer(), known="5")) as told:
            assert [each async for each in told] == []
        async with stream(live, asking(viewer(lasts_s=-1), known="4")) as told:
            assert [each async for each in told] == [], "a session that is over is told nothing"

    run(Hub(), test, stream_s=0.01)


def test_without_a_session_nothing_is_told() -> None:
    async def test(live: Live) -> None:
        answer = await live.endpoint(asking(None))
        assert answer.status_code == 401

    run(Hub(), test)


def test_streams_are_bounded_for_all_and_for_each() -> None:
    async def test(live: Live) -> None:
        opened = []
        for number in range(12):
            opened.append(stream(live, asking(viewer("greedy"), known=str(number + 50))))
            await anext(await opened[-1].__aenter__())
        assert (await live.endpoint(asking(viewer("greedy")))).status_code == 503
        for number in range(8):
            opened.append(stream(live, asking(viewer(f"v{number}"), known="4")))
            await anext(await opened[-1].__aenter__())
        assert (await live.endpoint(asking(viewer("late")))).status_code == 503
        for each in opened:
            await each.__aexit__(None, None, None)
        async with stream(live, asking(viewer("late"), known="4")) as told:
            assert await anext(told)

    run(Hub(), test)


def test_a_burst_of_streams_that_read_nothing_is_bounded_for_each() -> None:
    async def test(live: Live) -> None:
        refused: list[int] = []
        let_go = asyncio.Event()

        async def send(_: Message) -> None:
            await let_go.wait()

        async def receive() -> Message:
            await let_go.wait()
            return {"type": "http.disconnect"}

        async def browser() -> None:
            request = asking(viewer("greedy"))
            answer = await live.endpoint(request)
            if answer.status_code != 200:
                refused.append(answer.status_code)
                return
            await answer(request.scope, receive, send)

        burst = [asyncio.create_task(browser()) for _ in range(19)]
        while len(refused) < 7:
            await asyncio.sleep(0)
        let_go.set()
        await asyncio.gather(*burst)
        assert refused == [503] * 7
        assert live.watchers == 0

    run(Hub(), test)


def test_a_hub_that_cannot_be_asked_ends_no_stream() -> None:
    hub = Hub(is_broken=True)

    async def test(live: Live) -> None:
        async with stream(live, asking(viewer(), known="4")) as told:
            waiting = asyncio.ensure_future(anext(told))
            while hub.asked < 3:
                await asyncio.sleep(0)
            hub.is_broken = False
            assert "id: 5" in await waiting

    run(hub, test)


class Stopped:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return SystemClock().now()

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def test_who_is_told_at_the_same_time_is_told_in_turn() -> None:
    clock = Stopped()
    with Threads() as threads:

        async def make() -> Live:
            return Live(lambda: 1, threads, QUICK, clock=clock)

        live = asyncio.run(make())
        assert [live.turn_s() for _ in range(5)] == [0.0, 0.25, 0.5, 0.75, 1.0]
        clock.sleep(0.5)
        assert live.turn_s() == 0.75
        clock.sleep(60)
        assert live.turn_s() == 0.0
