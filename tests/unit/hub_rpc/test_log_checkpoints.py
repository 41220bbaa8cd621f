"""The loop that makes checkpoints: it wakes who waits, makes none more often than it may, and never dies."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import structlog

from core.errors import Unavailable
from hub.checkpoint_loop import CheckpointLoop

LONG = 3600.0


class FakeLog:
    """`leaves` are appended by the test; `trouble` is raised instead of making a checkpoint."""

    def __init__(self) -> None:
        self.leaves = 1
        self.size = 0
        self.made = 0
        self.looked = 0
        self.trouble: Exception | None = None

    def make_checkpoint(self) -> bool:
        self.looked += 1
        if self.trouble is not None:
            raise self.trouble
        if self.size == self.leaves:
            return False
        self.size = self.leaves
        self.made += 1
        return True

    def checkpoint_size(self) -> int:
        return self.size


def run(log: FakeLog, every_s: float, test: Any) -> Any:
    """`test(loop)` while the loop runs."""

    async def main() -> Any:
        with ThreadPoolExecutor(1) as threads:
            loop = CheckpointLoop(log, every_s, threads)
            running = asyncio.create_task(loop.run())
            try:
                return await asyncio.wait_for(test(loop), 20)
            finally:
                assert not running.done()
                running.cancel()
                await asyncio.wait({running})

    return asyncio.run(main())


def test_the_first_checkpoint_is_made_at_once() -> None:
    log = FakeLog()
    assert run(log, LONG, lambda loop: loop.reached(1, LONG))
    assert log.made == 1


def test_who_waits_is_woken_by_what_is_appended_later() -> None:
    log = FakeLog()

    async def test(loop: CheckpointLoop) -> bool:
        assert await loop.reached(1, LONG)
        waiting = asyncio.create_task(loop.reached(5, LONG))
        for leaves in (2, 3, 5):
            log.leaves = leaves
            assert await loop.reached(leaves, LONG)
        return await waiting

    assert run(log, 0.01, test)
    assert log.made == 4


def test_many_that_wait_cost_one_checkpoint() -> None:
    log = FakeLog()
    assert all(run(log, LONG, lambda loop: asyncio.gather(*(loop.reached(1, LONG) for _ in range(100)))))
    assert (log.made, log.looked) == (1, 1)


def test_who_waits_wakes_an_idle_loop() -> None:
    log = FakeLog()
    log.size = log.leaves  # nothing new at the start: the loop rests without having made one

    async def test(loop: CheckpointLoop) -> bool:
        assert await loop.reached(1, LONG)
        log.leaves = 2
        return await loop.reached(2, LONG)

    assert run(log, LONG, test)
    assert log.made == 1


def test_no_checkpoint_is_made_just_after_another_whoever_waits() -> None:
    log = FakeLog()

    async def test(loop: CheckpointLoop) -> bool:
        assert await loop.reached(1, LONG)
        log.leaves = 2
        return await loop.reached(2, 0.05)

    assert not run(log, LONG, test)
    assert log.made == 1


def test_waiting_in_vain_ends_with_what_there_is() -> None:
    assert not run(FakeLog(), 0.01, lambda loop: loop.reached(99, 0.05))


def test_another_processs_checkpoint_wakes_too() -> None:
    log = FakeLog()

    async def test(loop: CheckpointLoop) -> bool:
        assert await loop.reached(1, LONG)
        log.leaves = log.size = 7
        return await loop.reached(7, LONG)

    assert run(log, 0.01, test)
    assert log.made == 1


def test_what_is_looked_for_is_looked_for_again_after_each_checkpoint() -> None:
    log, looks = FakeLog(), []

    async def look() -> str | None:
        looks.append(log.size)
        log.leaves += 1
        return "found" if len(looks) == 3 else None

    assert run(log, 0.01, lambda loop: loop.found(look, LONG)) == "found"
    assert len(looks) == 3


def test_what_a_look_raises_reaches_who_waits() -> None:
    async def look() -> None:
        raise Unavailable("no", reason="GONE")

    def test(loop: CheckpointLoop) -> Coroutine[Any, Any, None]:
        return loop.found(look, LONG)

    with pytest.raises(Unavailable):
        run(FakeLog(), LONG, test)


@pytest.mark.parametrize("trouble", [Unavailable("no disk", reason="DISK_FULL"), RuntimeError("bug")])
def test_a_failure_is_said_once_and_tried_again(trouble: Exception) -> None:
    log = FakeLog()
    log.trouble = trouble

    async def test(loop: CheckpointLoop) -> bool:
        while log.looked < 3:
            assert not await loop.reached(1, 0.01)
        log.trouble = None
        return await loop.reached(1, LONG)

    with structlog.testing.capture_logs() as logs:
        assert run(log, 0.01, test)
    assert [line["log_level"] for line in logs] == ["error"]
