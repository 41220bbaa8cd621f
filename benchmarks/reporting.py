"""Many nodes that report, in a process of its own: real ReportStatus calls, each node over its own mTLS.

    python -m benchmarks.reporting FLEET.JSON
    # {"address", "roots", "every_s", "nodes": [{"key", "chain", "status", "moving"}]}

Every node has a connection of its own, as a daemon has, and reports every `every_s` seconds, the nodes spread
evenly; a report travels compressed. Twice a second one of them asks GetHubInfo instead: what a node waits for
the hub. Standard output says `ready` when each has reported once; then lines on standard input are obeyed:
`begin` counts from now on, `end` prints what came of it as one line of JSON, and ends.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import grpc
from syncline.v1 import fleet_pb2, fleet_pb2_grpc, hub_pb2, hub_pb2_grpc

from core.clock import format_instant
from core.commands import say

_PROBE_EVERY_S = 0.5
_CALL_S = 30.0
_AT_ONCE_FIRST = 100


class Node:
    """A node with its connection."""

    def __init__(self, address: str, roots: bytes, given: dict[str, Any]) -> None:
        self._status: dict[str, Any] = given["status"]
        self._moving: bool = given["moving"]
        self._turn = 0
        credentials = grpc.ssl_channel_credentials(roots, given["key"].encode(), given["chain"].encode())
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
        channel: Any = grpc.aio.secure_channel(address, credentials, options)
        self._fleet: Any = fleet_pb2_grpc.FleetServiceStub(channel)
        self._hub: Any = hub_pb2_grpc.HubServiceStub(channel)

    async def report(self) -> None:
        """One report; who fetches something has less to do with each."""
        self._turn += 1
        status: dict[str, Any] = {**self._status, "time": format_instant(datetime.now(UTC))}
        if self._moving:
            mirrors: list[dict[str, Any]] = status["mirrors"]
            first, *rest = mirrors
            left = int(first["bytes"] * (1 - self._turn % 20 / 20))
            status["mirrors"] = [{**first, "bytes_left": left, "rate_bytes_s": 900_000}, *rest]
        message = fleet_pb2.ReportStatusRequest(status_json=json.dumps(status).encode())
        await self._fleet.ReportStatus(message, timeout=_CALL_S, compression=grpc.Compression.Gzip)

    async def probe(self) -> float:
        """How long GetHubInfo takes, in seconds."""
        begun = time.perf_counter()
        await self._hub.GetHubInfo(hub_pb2.GetHubInfoRequest(), timeout=_CALL_S)
        return time.perf_counter() - begun


class Reporters:
    """All of them, and what is counted."""

    def __init__(self, given: dict[str, Any]) -> None:
        roots = given["roots"].encode()
        self.nodes = [Node(given["address"], roots, each) for each in given["nodes"]]
        self._every_s = float(given["every_s"])
        self._tasks: set[asyncio.Task[None]] = set()
        self.begin()

    def begin(self) -> None:
        """Count from now on."""
        self._begun = time.monotonic()
        self._accepted = 0
        self._refused: Counter[str] = Counter()
        self._waited: list[float] = []
        self._asked: list[float] = []

    def counted(self) -> dict[str, Any]:
        """What came of it."""
        return {
            "seconds": time.monotonic() - self._begun,
            "accepted": self._accepted,
            "refused": dict(self._refused),
            "report_s": self._waited,
            "hub_info_s": self._asked,
        }

    async def connect(self) -> None:
        """Each reports once, some at a time."""
        gate = asyncio.Semaphore(_AT_ONCE_FIRST)

        async def first(node: Node) -> None:
            async with gate:
                await node.report()

        await asyncio.gather(*(first(node) for node in self.nodes))

    async def run(self) -> None:
        """Until cancelled. A call that takes long holds up no other."""
        step, due = self._every_s / len(self.nodes), time.monotonic()
        probe_due = due
        for node in cycle(self.nodes):
            due += step
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self._start(self._report(node))
            if due >= probe_due:
                probe_due += _PROBE_EVERY_S
                self._start(self._probe(node))

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _report(self, node: Node) -> None:
        begun = time.perf_counter()
        try:
            await node.report()
        except grpc.aio.AioRpcError as error:
            self._refused[f"{error.code().name}: {error.details()}"[:200]] += 1
        else:
            self._accepted += 1
            self._waited.append(time.perf_counter() - begun)

    async def _probe(self, node: Node) -> None:
        try:
            self._asked.append(await node.probe())
        except grpc.aio.AioRpcError as error:
            self._refused[f"probe {error.code().name}"] += 1


async def main() -> None:
    """Connect, report, obey."""
    reporters = Reporters(json.loads(Path(sys.argv[1]).read_bytes()))
    await reporters.connect()
    say("ready")
    running = asyncio.create_task(reporters.run())
    while (line := await asyncio.to_thread(sys.stdin.readline)) and line.strip() != "end":
        if line.strip() == "begin":
            reporters.begin()
    counted = reporters.counted()
    running.cancel()
    say(json.dumps(counted))


if __name__ == "__main__":
    asyncio.run(main())
