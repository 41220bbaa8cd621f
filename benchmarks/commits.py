"""Commits a second through the hub's services, with and without the loop that signs checkpoints.

    with Log(hub_folder) as log:
        committers = Committers(log.hub, Caller(…), signing_key, threads=4)
        committers.run(100, checkpoints=True)

Versions are withheld ones, so that no content hides what a commit costs: signatures are checked, a row and a
leaf are written, the transaction is flushed, a receipt is signed. Each thread has a dataset of its own, as
each publisher has. Statements are signed before the clock starts.
"""

import asyncio
import contextlib
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from benchmarks.log_tree import Spent, spent
from core.clock import SystemClock
from core.limits import LIMITS
from core.names import DatasetId
from hub.checkpoint_loop import CheckpointLoop
from hub.services.context import Caller
from hub.services.hub import Hub
from security import policy as policies
from security.envelope import parse
from security.keys import SigningKey
from sync.manifest import License, Manifest, build
from sync.ports import PolicyExtract


@dataclass(frozen=True, slots=True)
class Committed:
    """What a run cost, and how many commits and checkpoints it made."""

    cost: Spent
    commits: int
    checkpoints: int


class Committers:
    """Datasets of `caller`, one a thread."""

    def __init__(self, hub: Hub, caller: Caller, signer: SigningKey, *, threads: int) -> None:
        self._hub = hub
        self._caller = caller
        self._signer = signer
        self._clock = SystemClock()
        self._chains = [self._begin(f"commits-{number}") for number in range(threads)]

    def run(self, versions: int, *, checkpoints: bool) -> Committed:
        """Commit that many versions of each dataset."""
        signed = [chain.sign(versions) for chain in self._chains]
        made = _Counted(self._hub)
        with made.loop() if checkpoints else contextlib.nullcontext():
            _, cost = spent(lambda: self._commit_all(signed))
        return Committed(cost, versions * len(signed), made.count)

    def _commit_all(self, signed: Sequence[Sequence[bytes]]) -> None:
        def commit(envelopes: Sequence[bytes]) -> None:
            for envelope in envelopes:
                self._hub.catalogue.commit_version(self._caller, envelope, None)

        with ThreadPoolExecutor(len(signed)) as threads:
            list(threads.map(commit, signed))

    def _begin(self, name: str) -> "_Chain":
        dataset = DatasetId(f"{self._caller.partner}/{name}")
        envelope, disclosures = policies.build(
            dataset, 1, None, self._clock.now(), (), None, self._signer, LIMITS
        )
        self._hub.catalogue.publish_policy(self._caller, PolicyExtract(envelope, disclosures))
        registry = self._hub.registry.current()
        first = Manifest(
            dataset=dataset,
            inventory_sha256="0" * 64,
            seq=1,
            prev=None,
            created=self._clock.now(),
            owner=self._caller.partner,
            rights_holder="Benchmark",
            license=License(expression="CC0-1.0"),
            title={"en": name},
            theme="other",
            policy_seq=1,
            policy_sha256=parse(envelope).id,
            registry_seq=registry.registry.seq,
            registry_sha256=registry.id,
            files=1,
            bytes=1,
        )
        return _Chain(first, self._signer)


class _Chain:
    """The versions of one dataset; `next` is signed next."""

    def __init__(self, first: Manifest, signer: SigningKey) -> None:
        self._next = first
        self._signer = signer

    def sign(self, count: int) -> list[bytes]:
        envelopes: list[bytes] = []
        for _ in range(count):
            envelope = build(self._next, self._signer)
            envelopes.append(envelope)
            self._next = replace(self._next, seq=self._next.seq + 1, prev=parse(envelope).id)
        return envelopes


class _Counted:
    """The hub's log as its checkpoint loop sees it; counts what is signed."""

    def __init__(self, hub: Hub) -> None:
        self._log = hub.log
        self.count = 0

    def make_checkpoint(self) -> bool:
        made = self._log.make_checkpoint()
        self.count += made
        return made

    def checkpoint_size(self) -> int:
        return self._log.checkpoint_size()

    @contextlib.contextmanager
    def loop(self) -> Generator[None]:
        """The server's own loop, in a thread, until the block ends."""
        ended: asyncio.Event = asyncio.Event()
        events = asyncio.new_event_loop()

        async def run(threads: ThreadPoolExecutor) -> None:
            loop = asyncio.create_task(CheckpointLoop(self, LIMITS.checkpoint_every_s, threads).run())
            await ended.wait()
            loop.cancel()
            await asyncio.wait([loop])

        with ThreadPoolExecutor(1) as threads, contextlib.closing(events):
            thread = threading.Thread(target=lambda: events.run_until_complete(run(threads)))
            thread.start()
            try:
                yield
            finally:
                events.call_soon_threadsafe(ended.set)
                thread.join()
