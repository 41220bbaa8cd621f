"""Reports over the wire: many nodes' in one commit.

* The first report after a pause is committed at once; those that come within `report_commit_every_s` of a
  commit wait for the next one, in the event loop and without a thread.
* A node is answered when its report is durable.
"""

import asyncio

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

    async def report_status(self, caller: Caller, request: pb.ReportStatusRequest) -> pb.ReportStatusResponse:
        report = messages.status_from_message(request, self._limits)
        answer = await self._calls.in_thread(self._fleet.submit, caller, report)
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit())
        # Shielded: who goes away must not take the answer from those who wait with it.
        return messages.status_time_to_message(await asyncio.shield(asyncio.wrap_future(answer)))

    async def _commit(self) -> None:
        """Until nothing waits."""
        loop = asyncio.get_running_loop()
        while self._fleet.is_waiting:
            await asyncio.sleep(max(0.0, self._next - loop.time()))
            await self._calls.in_thread(self._fleet.commit)
            self._next = loop.time() + self._limits.report_commit_every_s
