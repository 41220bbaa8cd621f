"""The log's half of `HubApi` straight over the hub's services.

No loop makes checkpoints here: who asks for one gets one that covers everything.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from core.errors import Unavailable
from core.names import DatasetId
from hub.services.context import Caller
from hub.services.hub import Hub
from sync.ports import CheckpointView, Entries, Evidence

T = TypeVar("T")


class InProcessLog:
    """For one caller; `_call` is the network with its faults."""

    caller: Caller

    def _call(self, name: str, do: Callable[[Hub], T]) -> T:
        raise NotImplementedError

    def get_checkpoint(self, min_size: int = 0) -> CheckpointView:
        def call(hub: Hub) -> CheckpointView:
            hub.registry.require_active(self.caller)
            hub.log.make_checkpoint(force=True)
            return hub.log.checkpoint(min_size)

        return self._call("get_checkpoint", call)

    def get_consistency_proof(self, first_size: int, second_size: int) -> Sequence[bytes]:
        def call(hub: Hub) -> Sequence[bytes]:
            hub.registry.require_active(self.caller)
            return hub.log.consistency(first_size, second_size)

        return self._call("get_consistency_proof", call)

    def get_inclusion_proofs(self, indices: Sequence[int], tree_size: int) -> Sequence[Sequence[bytes]]:
        def call(hub: Hub) -> Sequence[Sequence[bytes]]:
            hub.registry.require_active(self.caller)
            return hub.log.inclusion(indices, tree_size)

        return self._call("get_inclusion_proofs", call)

    def get_entries(self, first_index: int, count: int) -> Entries:
        def call(hub: Hub) -> Entries:
            hub.registry.require_active(self.caller)
            return hub.log.entries(self.caller, first_index, count)

        return self._call("get_entries", call)

    def get_evidence(self, dataset: DatasetId, manifest_id: str) -> Evidence:
        def call(hub: Hub) -> Evidence:
            hub.registry.require_active(self.caller)
            try:
                return hub.log.evidence(self.caller, dataset, manifest_id)
            except Unavailable as error:
                if error.reason != "NOT_COVERED":
                    raise
            hub.log.make_checkpoint(force=True)
            return hub.log.evidence(self.caller, dataset, manifest_id)

        return self._call("get_evidence", call)

    def add_cosignature(self, note: bytes) -> None:
        def call(hub: Hub) -> None:
            hub.registry.require_active(self.caller)
            hub.log.add_cosignature(self.caller, note)

        return self._call("add_cosignature", call)
