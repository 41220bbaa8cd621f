"""What pages show is brought up to date ahead of them, while somebody looks; whatever fails, it goes on."""

import asyncio
import itertools
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from core.errors import Unavailable
from hub.web.fresh import Fresh
from hub.web.threads import Threads


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers nothing."""


async def ask(app: Callable[..., object]) -> None:
    await app({"type": "http"}, None, None)  # type: ignore[misc]


def test_nothing_is_refreshed_where_nobody_looks() -> None:
    calls: list[None] = []

    async def main() -> None:
        with Threads() as threads:
            fresh = Fresh(lambda: calls.append(None), threads, 0.0)
            running = asyncio.create_task(fresh.run())
            for _ in range(100):
                await asyncio.sleep(0)
            running.cancel()

    asyncio.run(main())
    assert not calls


def test_who_looks_is_refreshed_for_again_and_again_also_after_failures_and_bugs() -> None:
    async def main() -> None:
        loop, often = asyncio.get_running_loop(), asyncio.Event()
        numbers = itertools.count()

        def refresh() -> None:
            number = next(numbers)
            if number == 0:
                raise Unavailable("the database is busy", reason="BUSY")
            if number == 1:
                raise AssertionError("a bug")
            if number == 4:
                loop.call_soon_threadsafe(often.set)

        with Threads() as threads:
            fresh = Fresh(refresh, threads, 0.0)
            running = asyncio.create_task(fresh.run())
            await ask(fresh.noting(page))
            await asyncio.wait_for(often.wait(), 60)
            running.cancel()

    asyncio.run(main())
