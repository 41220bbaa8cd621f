"""The hub without a network: `sync.ports.HubApi` straight over its services, with seeded faults.

A lost request never happened, a lost answer did ("failed but stored anyway").

    host = HubHost(layout, clock=clock, limits=limits)
    faults = Faults(seed=7, rate=0.1)
    api = InProcessHub(host, caller, faults)
    api.commit_version(...)                              # may raise Unavailable (CONNECTION)
    faults.script("commit_version", Fault.ANSWER_LOST)   # exactly the next call
    faults.stop()                                        # from here on all is well
"""

import random
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

from core.clock import Clock
from core.errors import Unavailable
from core.limits import LIMITS, Limits
from core.names import DatasetId, PartnerId
from hub.layout import Layout
from hub.services.context import Caller
from hub.services.hub import Hub
from sync.ports import (
    Accepted,
    ChunkId,
    Explanation,
    HubInfo,
    Listing,
    OrdinalRange,
    PolicyExtract,
    RecipeStream,
    VersionDetail,
)
from tests.simulation.in_process_log import InProcessLog

T = TypeVar("T")


class Fault(Enum):
    """What may go wrong with a call. The values are the weights of random choice."""

    REQUEST_LOST = "the request never arrives"
    ANSWER_LOST = "the call happens, its answer is lost"
    CUT = "a stream breaks after some frames"
    RESTART = "the hub is killed and comes back before the call arrives"


class Faults:
    """Faults by seed (`rate`: the share of calls that get one), or by script. The same seed gives the same
    faults."""

    def __init__(self, seed: int = 0, rate: float = 0.0) -> None:
        self.random = random.Random(seed)
        self.rate = rate
        self._scripts: dict[str, deque[Fault | None]] = {}
        self.happened: list[tuple[str, Fault]] = []

    def script(self, call: str, *faults: Fault | None) -> None:
        """The next calls of that name get these, in order; None is a call that goes well."""
        self._scripts.setdefault(call, deque()).extend(faults)

    def stop(self) -> None:
        """No more faults."""
        self.rate = 0.0
        self._scripts.clear()

    def next(self, call: str, *, stream: bool = False) -> Fault | None:
        """The fault of this call."""
        script = self._scripts.get(call)
        if script:
            fault = script.popleft()
        elif self.random.random() < self.rate:
            fault = self.random.choice([each for each in Fault if stream or each is not Fault.CUT])
        else:
            fault = None
        if fault is not None:
            self.happened.append((call, fault))
        return fault


class HubHost:
    """The machine that the hub runs on: `restart` closes it and opens it again from its disk."""

    def __init__(self, layout: Layout, *, clock: Clock, limits: Limits = LIMITS, **options: Any) -> None:
        self.layout = layout
        self.clock = clock
        self.limits = limits
        self._options = options
        self.hub = self._open()
        self.starts = 1

    def _open(self) -> Hub:
        return Hub.open(self.layout, clock=self.clock, limits=self.limits, **self._options)

    def restart(self) -> None:
        """Stop and start; nothing that a process held in memory survives."""
        self.hub.close()
        self.hub = self._open()
        self.starts += 1

    def close(self) -> None:
        """Stop for good."""
        self.hub.close()


class InProcessHub(InProcessLog):
    """`HubApi` for one caller. `faults` None: a perfect network."""

    def __init__(self, host: HubHost, caller: Caller, faults: Faults | None = None) -> None:
        self.host = host
        self.caller = caller
        self.faults = faults or Faults()
        self.page_count: int | None = None
        self.bytes_up = 0
        self.bytes_down = 0

    # --- plain calls -----------------------------------------------------------------------------

    def get_hub_info(self) -> HubInfo:
        def call(hub: Hub) -> HubInfo:
            hub.registry.require_active(self.caller)
            return hub.info(self.caller)

        return self._call("get_hub_info", call)

    def list_registry(self, from_seq: int) -> Sequence[bytes]:
        def call(hub: Hub) -> Sequence[bytes]:
            hub.registry.require_active(self.caller)
            return hub.registry.list_from(from_seq)

        return self._call("list_registry", call)

    def offer_registry(self, envelopes: Sequence[bytes]) -> int:
        def call(hub: Hub) -> int:
            hub.registry.require_active(self.caller)
            return hub.registry.offer(self.caller, envelopes)

        return self._call("offer_registry", call)

    def rotate_keys(self, envelope: bytes) -> bool:
        def call(hub: Hub) -> bool:
            hub.registry.require_active(self.caller)
            return hub.rotation.request(self.caller, envelope)

        return self._call("rotate_keys", call)

    def leave(self, envelope: bytes) -> bool:
        def call(hub: Hub) -> bool:
            hub.registry.require_active(self.caller)
            return hub.departures.leave(self.caller, envelope)

        return self._call("leave", call)

    def publish_policy(self, policy: PolicyExtract) -> Accepted:
        return self._call("publish_policy", lambda hub: hub.catalogue.publish_policy(self.caller, policy))

    def commit_version(self, envelope: bytes, root: bytes | None) -> Accepted:
        return self._call(
            "commit_version", lambda hub: hub.catalogue.commit_version(self.caller, envelope, root)
        )

    def list_datasets(self, if_none_match: str | None) -> Listing | None:
        return self._call(
            "list_datasets", lambda hub: hub.catalogue.list_datasets(self.caller, if_none_match)
        )

    def get_version(self, dataset: DatasetId, manifest_id: str) -> VersionDetail:
        return self._call(
            "get_version", lambda hub: hub.catalogue.get_version(self.caller, dataset, manifest_id)
        )

    def list_versions(self, dataset: DatasetId, from_seq: int) -> Iterator[bytes]:
        return self._pages(
            "list_versions",
            from_seq,
            lambda hub, seq: hub.catalogue.list_versions(self.caller, dataset, seq, self.page_count),
        )

    def list_policies(self, dataset: DatasetId, from_seq: int) -> Iterator[PolicyExtract]:
        return self._pages(
            "list_policies",
            from_seq,
            lambda hub, seq: hub.catalogue.list_policies(self.caller, dataset, seq, self.page_count),
        )

    def _pages(self, name: str, from_seq: int, ask: Callable[[Hub, int], Sequence[T]]) -> Iterator[T]:
        seq = from_seq
        while page := self._call(name, lambda hub: ask(hub, seq)):  # noqa: B023 - called at once
            yield from page
            seq += len(page)

    def explain_access(self, dataset: DatasetId, partner: PartnerId, action: str) -> Explanation:
        return self._call(
            "explain_access", lambda hub: hub.sharing.explain(self.caller, dataset, partner, action)
        )

    def acknowledge(self, envelope: bytes) -> int:
        return self._call("acknowledge", lambda hub: hub.catalogue.acknowledge(self.caller, envelope))

    def find_missing(self, ids: Sequence[ChunkId]) -> Sequence[bool]:
        return self._call("find_missing", lambda hub: hub.content.find_missing(self.caller, ids))

    def report_status(self, status_json: bytes) -> datetime:
        return self._call("report_status", lambda hub: hub.fleet.report_status(self.caller, status_json))

    def _call(self, name: str, do: Callable[[Hub], T]) -> T:
        fault = self.faults.next(name)
        if fault is Fault.RESTART:
            self.host.restart()
        if fault in (Fault.REQUEST_LOST, Fault.CUT):
            raise lost(name)
        answer = do(self.host.hub)
        if fault is Fault.ANSWER_LOST:
            raise lost(name)
        return answer

    # --- streams ---------------------------------------------------------------------------------

    def update_blobs(self, frames: Iterator[bytes]) -> Iterator[int]:
        fault = self.faults.next("update_blobs", stream=True)
        if fault is Fault.RESTART:
            self.host.restart()
        if fault is Fault.REQUEST_LOST:
            raise lost("update_blobs")
        limits = self.host.limits
        upload = self.host.hub.content.open_upload(self.caller)
        cut_at = self.faults.random.randint(1, 8) if fault is Fault.CUT else 0
        every = max(1, limits.frames_in_flight_max // 2)
        for count, frame in enumerate(frames, 1):
            pending = upload.put_frame(frame)
            self.bytes_up += len(frame)
            if count == cut_at:
                if self.faults.random.random() < 0.5:
                    upload.close()  # what had arrived became durable, and nobody was told
                raise lost("update_blobs")
            if pending >= limits.group_commit_bytes or count % every == 0:
                yield upload.commit()
        done = upload.commit()
        if fault in (Fault.ANSWER_LOST, Fault.CUT):
            raise lost("update_blobs")
        yield done

    def read_blobs(
        self, dataset: DatasetId, manifest_id: str, stream: RecipeStream, ranges: Sequence[OrdinalRange]
    ) -> Iterator[memoryview | bytes]:
        fault = self.faults.next("read_blobs", stream=True)
        if fault is Fault.RESTART:
            self.host.restart()
        if fault is Fault.REQUEST_LOST:
            raise lost("read_blobs")
        cut_at = (
            {Fault.CUT: self.faults.random.randint(1, 8), Fault.ANSWER_LOST: 1}.get(fault, 0) if fault else 0
        )
        frames = self.host.hub.content.read_blobs(self.caller, dataset, manifest_id, stream, ranges)
        for count, frame in enumerate(frames, 1):
            if count == cut_at:
                raise lost("read_blobs")
            self.bytes_down += len(frame)
            yield frame
        if cut_at:
            raise lost("read_blobs")

    @contextmanager
    def watch_changes(self) -> Iterator[Iterator[None]]:
        """The doorbell; its iterator waits in steps of 20 ms, and breaks off when the hub restarts."""
        if self.faults.next("watch_changes") is not None:
            raise lost("watch_changes")
        hub = self.host.hub
        closed = threading.Event()

        def rings() -> Iterator[None]:
            while not closed.is_set():
                if self.host.hub is not hub:
                    raise lost("watch_changes")
                hub.changes.tick()
                if watcher.wait(0.02):
                    yield None

        with hub.changes.watch(self.caller) as watcher:
            try:
                yield rings()
            finally:
                closed.set()


def lost(call: str) -> Unavailable:
    """What a caller sees of a broken connection."""
    return Unavailable(f"{call}: the connection to the hub broke", remedy="try again", reason="CONNECTION")
