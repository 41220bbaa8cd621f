"""Reports over the wire: many nodes' in one commit.

* The first report after a pause is committed at once; those that come within `report_commit_every_s` of a
  commit wait for the next one, in the event loop and without a thread.
* A node is answered when its report is durable.
"""

import asyncio
from concurrent.futures import Future
from datetime import datetime

from syncline.v1 import fleet_pb2 as pb

from core.limits import Limits
from hub.rpc.calls import Calls
from hub.services.context import Caller
from hub.services.fleet import FleetService
from sync.wire import messages


class FleetCalls:
    """`FleetService` of the contract. Made and used in one event loop."""

    def __init__(self, fleet: FleetService, calls: Calls[Caller], limits: Limits) -> None:
        self._fleet = fleet
        self._calls = calls
        self._limits = limits
        self._next = 0.0  # before this time of the loop nothing is committed
        self._committing: asyncio.Task[None] | None = None

    def take(self, caller: Caller, request: pb.ReportStatusRequest) -> "Future[datetime]":
        """In a thread: check a report, and let it wait for a commit."""
        return self._fleet.submit(caller, messages.status_from_message(request, self._limits))

    async def answer(self, waiting: "Future[datetime]") -> pb.ReportStatusResponse:
        """When it is durable."""
        while not waiting.done():
            if self._committing is None or self._committing.done():
                self._committing = asyncio.create_task(self._commit())
            # Shielded: who goes away must not take the answer from those who wait with it.
            await asyncio.shield(self._committing)
        return messages.status_time_to_message(waiting.result())

    async def _commit(self) -> None:
        """All that waits. What has come meanwhile is next, whether or not somebody still waits for it."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._next - loop.time()))
        await self._calls.in_thread(self._fleet.commit)
        self._next = loop.time() + self._limits.report_commit_every_s
        if self._fleet.is_waiting:
            self._committing = asyncio.create_task(self._commit())
