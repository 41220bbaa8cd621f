"""A node's way to the hub in a simulated world: counted, watched, and fit for a hub that dies under a call.

Every call, and every frame of a stream, is one step: the hub does one thing at a time, whoever asks. A stream
that was begun before the hub's restart is broken. `watch` hears of every answer that arrived, and of every
frame that left.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from core.names import DatasetId, PartnerId
from sync.ports import (
    Accepted,
    CheckpointView,
    ChunkId,
    Entries,
    Evidence,
    Explanation,
    HubInfo,
    Listing,
    OrdinalRange,
    PolicyExtract,
    RecipeStream,
    VersionDetail,
)
from tests.simulation.disk import Killed
from tests.simulation.in_process_hub import HubHost, InProcessHub, lost

Watch = Callable[[str, str, tuple[Any, ...], Any], None]
"""who, call, its arguments, its answer (of streams: one frame; of "durable": the frames acknowledged)."""


class Link:
    """`HubApi` of one node. `lock` is the world's; `died` reopens a hub that was killed in a call."""

    def __init__(
        self, api: InProcessHub, lock: threading.RLock, watch: Watch, died: Callable[[], None]
    ) -> None:
        self.api = api
        self._lock = lock
        self._watch = watch
        self._died = died
        self.who = str(api.caller.partner)
        self.calls: dict[str, int] = {}
        self.sent_bytes = 0
        self.received_bytes = 0

    @property
    def host(self) -> HubHost:
        """The hub's machine."""
        return self.api.host

    def _ask(self, name: str, *arguments: Any) -> Any:
        with self._lock:
            self.calls[name] = self.calls.get(name, 0) + 1
            try:
                answer = getattr(self.api, name)(*arguments)
                if name in ("list_versions", "list_policies"):
                    answer = list(answer)
            except Killed as death:
                raise self._after(death, name) from None
            self._watch(self.who, name, arguments, answer)
            return iter(answer) if name in ("list_versions", "list_policies") else answer

    def _after(self, death: Killed, name: str) -> BaseException:
        if death.who != "hub":
            return death
        self._died()
        return lost(name)

    def get_hub_info(self) -> HubInfo:
        return self._ask("get_hub_info")

    def list_registry(self, from_seq: int) -> Sequence[bytes]:
        return self._ask("list_registry", from_seq)

    def publish_policy(self, policy: PolicyExtract) -> Accepted:
        return self._ask("publish_policy", policy)

    def commit_version(self, envelope: bytes, root: bytes | None) -> Accepted:
        return self._ask("commit_version", envelope, root)

    def list_datasets(self, if_none_match: str | None) -> Listing | None:
        return self._ask("list_datasets", if_none_match)

    def get_version(self, dataset: DatasetId, manifest_id: str) -> VersionDetail:
        return self._ask("get_version", dataset, manifest_id)

    def list_versions(self, dataset: DatasetId, from_seq: int) -> Iterator[bytes]:
        return self._ask("list_versions", dataset, from_seq)

    def list_policies(self, dataset: DatasetId, from_seq: int) -> Iterator[PolicyExtract]:
        return self._ask("list_policies", dataset, from_seq)

    def explain_access(self, dataset: DatasetId, partner: PartnerId, action: str) -> Explanation:
        return self._ask("explain_access", dataset, partner, action)

    def acknowledge(self, envelope: bytes) -> int:
        return self._ask("acknowledge", envelope)

    def find_missing(self, ids: Sequence[ChunkId]) -> Sequence[bool]:
        return self._ask("find_missing", ids)

    def report_status(self, status_json: bytes) -> datetime:
        return self._ask("report_status", status_json)

    def offer_registry(self, envelopes: Sequence[bytes]) -> int:
        return self._ask("offer_registry", envelopes)

    def rotate_keys(self, envelope: bytes) -> bool:
        return self._ask("rotate_keys", envelope)

    def leave(self, envelope: bytes) -> bool:
        return self._ask("leave", envelope)

    def get_checkpoint(self, min_size: int = 0) -> CheckpointView:
        return self._ask("get_checkpoint", min_size)

    def get_consistency_proof(self, first_size: int, second_size: int) -> Sequence[bytes]:
        return self._ask("get_consistency_proof", first_size, second_size)

    def get_inclusion_proofs(self, indices: Sequence[int], tree_size: int) -> Sequence[Sequence[bytes]]:
        return self._ask("get_inclusion_proofs", indices, tree_size)

    def get_entries(self, first_index: int, count: int) -> Entries:
        return self._ask("get_entries", first_index, count)

    def get_evidence(self, dataset: DatasetId, manifest_id: str) -> Evidence:
        return self._ask("get_evidence", dataset, manifest_id)

    def add_cosignature(self, note: bytes) -> None:
        return self._ask("add_cosignature", note)

    def watch_changes(self) -> AbstractContextManager[Iterator[None]]:
        return self.api.watch_changes()

    def update_blobs(self, frames: Iterator[bytes]) -> Iterator[int]:
        sent: list[bytes] = []

        def leaving() -> Iterator[bytes]:
            began = self.host.starts
            while True:
                self._lock.release()  # the node may take its time, and ask meanwhile
                try:
                    frame = next(frames, None)
                finally:
                    self._lock.acquire()
                if frame is None:
                    return
                if self.host.starts != began:
                    raise lost("update_blobs")
                sent.append(frame)
                self.sent_bytes += len(frame)
                self._watch(self.who, "update_blobs", (), frame)
                yield frame

        for durable_frames in self._steps("update_blobs", lambda: self.api.update_blobs(leaving())):
            with self._lock:
                self._watch(self.who, "durable", (), sent[:durable_frames])
            yield durable_frames

    def read_blobs(
        self, dataset: DatasetId, manifest_id: str, stream: RecipeStream, ranges: Sequence[OrdinalRange]
    ) -> Iterator[memoryview | bytes]:
        arguments = (dataset, manifest_id, stream, ranges)
        for frame in self._steps("read_blobs", lambda: self.api.read_blobs(*arguments)):
            self.received_bytes += len(frame)
            with self._lock:
                self._watch(self.who, "read_blobs", arguments, frame)
            yield frame

    def _steps(self, name: str, begin: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        """The items of a stream, each taken while nobody else is at the hub."""
        with self._lock:
            self.calls[name] = self.calls.get(name, 0) + 1
            stream = begin()
        began: int | None = None
        while True:
            with self._lock:
                if began is not None and self.host.starts != began:
                    raise lost(name)
                try:
                    item = next(stream, None)
                except Killed as death:
                    raise self._after(death, name) from None
                began = self.host.starts if began is None else began
            if item is None:
                return
            yield item
