"""The doorbell over the wire."""

import asyncio

from syncline.v1 import changes_pb2 as pb

from hub.rpc.calls import Calls, RpcContext
from hub.services.changes import ChangesService
from hub.services.context import Caller


class ChangesCalls:
    """`ChangesService` of the contract. A waiting node costs a task, no thread."""

    def __init__(self, changes: ChangesService, calls: Calls[Caller]) -> None:
        self._changes = changes
        self._calls = calls

    async def watch_changes(self, caller: Caller, _: pb.WatchChangesRequest, context: RpcContext) -> None:
        loop = asyncio.get_running_loop()
        rung = asyncio.Event()

        def ring() -> None:
            loop.call_soon_threadsafe(rung.set)

        watcher = await self._calls.in_thread(lambda: self._changes.watch(caller, ring=ring))
        rung.set()  # once at the start, whatever rang before
        try:
            while True:
                await rung.wait()
                rung.clear()
                await self._calls.in_thread(watcher.check)
                await context.write(pb.WatchChangesResponse())
        finally:
            await self._calls.in_thread(watcher.close)
