"""`durable_ack` in the upload pipeline: nothing is acknowledged before its commit has ended."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.errors import Corrupt, Unavailable
from core.limits import Limits
from hub.rpc.upload import UploadStream

FRAME = memoryview(bytes(1000))
LIMITS = Limits(group_commit_bytes=5_000, frames_in_flight_max=8)


class Disk:
    """An `Upload` that knows what is durable, and fails on demand."""

    def __init__(self, bad_frame: int | None = None, bad_commit: int | None = None) -> None:
        self.appended = self.durable = self.commits = self.most_pending = 0
        self.bad_frame, self.bad_commit = bad_frame, bad_commit
        self.gate = threading.Event()
        self.gate.set()
        self.closed = False

    def put_frame(self, _: Any) -> int:
        if self.appended == self.bad_frame:
            raise Corrupt("not what its id says")
        self.appended += 1
        self.most_pending = max(self.most_pending, self.appended - self.durable)
        return 0

    def commit(self) -> int:
        self.commits += 1
        if self.commits == self.bad_commit:
            raise Unavailable("the disk is full", reason="DISK_FULL")
        covered = self.appended
        assert self.gate.wait(10)
        self.durable = covered
        return covered

    def close(self) -> None:
        self.closed = True
        if self.bad_commit is None:
            self.commit()


async def in_thread(work: Any, *arguments: Any) -> Any:
    return await asyncio.to_thread(work, *arguments)


def stream(disk: Disk, acks: list[int], limits: Limits = LIMITS) -> UploadStream:
    async def acknowledge(count: int) -> None:
        assert count <= disk.durable, "acknowledged before it was durable"
        acks.append(count)

    return UploadStream(disk, in_thread, acknowledge, limits)  # type: ignore[arg-type]


async def sent(count: int, seed: int) -> AsyncIterator[memoryview]:
    chance = random.Random(seed)
    for _ in range(count):
        yield FRAME
        for _ in range(chance.choice((0, 0, 0, 1, 30))):
            await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(20))
def test_durable_ack_is_never_ahead_of_the_commit_and_reaches_the_last_frame(seed: int) -> None:
    disk, acks = Disk(), list[int]()
    asyncio.run(stream(disk, acks).run(sent(100, seed)))
    assert acks == sorted(set(acks))
    assert acks[-1] == disk.durable == 100
    assert disk.closed


def test_no_more_than_the_bound_waits_for_a_commit() -> None:
    disk, acks = Disk(), list[int]()

    async def main() -> None:
        disk.gate.clear()  # a disk that takes its time
        running = asyncio.create_task(stream(disk, acks).run(sent(60, 1)))
        while disk.commits == 0:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)  # room for a mistake to show; correct code passes whatever the timing
        assert disk.appended <= 3 * LIMITS.group_commit_bytes // len(FRAME)
        disk.gate.set()
        await running

    asyncio.run(main())
    assert acks[-1] == 60


def test_frames_are_appended_while_the_group_before_is_made_durable() -> None:
    disk, acks = Disk(), list[int]()

    async def frames() -> AsyncIterator[memoryview]:
        yield FRAME
        while disk.commits == 0:
            await asyncio.sleep(0.001)
        yield FRAME
        while disk.appended < 2:  # for ever, if a commit kept others out
            await asyncio.sleep(0.001)
        disk.gate.set()

    async def main() -> None:
        disk.gate.clear()
        await asyncio.wait_for(stream(disk, acks).run(frames()), 10)

    asyncio.run(main())
    assert acks == [1, 2]


def test_a_bad_frame_ends_the_stream_with_its_own_error() -> None:
    disk, acks = Disk(bad_frame=3), list[int]()
    with pytest.raises(Corrupt):
        asyncio.run(stream(disk, acks).run(sent(100, 1)))
    assert disk.closed
    assert max(acks, default=0) <= 3


def test_a_failing_disk_ends_the_stream_while_the_sender_waits() -> None:
    # A sender that waits for an acknowledgement sends nothing more: the failure itself must end the stream.
    disk, acks = Disk(bad_commit=1), list[int]()

    async def frames() -> AsyncIterator[memoryview]:
        yield FRAME
        await asyncio.Event().wait()

    with pytest.raises(Unavailable):
        asyncio.run(asyncio.wait_for(stream(disk, acks).run(frames()), 10))
    assert acks == []


def test_a_stream_that_is_ended_from_outside_acknowledges_what_it_kept() -> None:
    disk, acks = Disk(), list[int]()

    async def frames() -> AsyncIterator[memoryview]:
        yield FRAME
        await asyncio.Event().wait()

    async def main() -> None:
        running = asyncio.create_task(stream(disk, acks).run(frames()))
        while not acks:
            await asyncio.sleep(0.001)
        disk.appended += 1  # one more is appended, and not yet acknowledged
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    assert acks[-1] == 2
