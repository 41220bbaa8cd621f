"""The log over the wire. Calls that wait for a checkpoint wait in the event loop, without a thread."""

from syncline.v1 import log_pb2

from core.errors import Unavailable
from core.limits import Limits
from hub.checkpoint_loop import CheckpointLoop
from hub.rpc.calls import Calls
from hub.services.context import Caller
from hub.services.log import LogService
from sync.ports import Evidence
from sync.wire import messages

NOT_COVERED = "NOT_COVERED"


class LogCalls:
    """`LogService` of the contract."""

    def __init__(
        self, log: LogService, checkpoints: CheckpointLoop, calls: Calls[Caller], limits: Limits
    ) -> None:
        self._log = log
        self._checkpoints = checkpoints
        self._calls = calls
        self._limits = limits

    async def get_checkpoint(
        self, _: Caller, request: log_pb2.GetCheckpointRequest
    ) -> log_pb2.GetCheckpointResponse:
        min_size = messages.checkpoint_request_from_message(request)
        if min_size:
            await self._checkpoints.reached(min_size, self._limits.checkpoint_wait_s)
        return messages.checkpoint_to_message(await self._calls.in_thread(self._log.checkpoint))

    async def get_evidence(
        self, caller: Caller, request: log_pb2.GetEvidenceRequest
    ) -> log_pb2.GetEvidenceResponse:
        asked = messages.evidence_request_from_message(request)
        refusal: list[Unavailable] = []

        async def look() -> Evidence | None:
            try:
                return await self._calls.in_thread(
                    self._log.evidence, caller, asked.dataset, asked.manifest_id
                )
            except Unavailable as error:
                if error.reason != NOT_COVERED:
                    raise
                refusal[:] = [error]
                return None

        evidence = await self._checkpoints.found(look, self._limits.checkpoint_wait_s)
        if evidence is None:
            raise refusal[0]
        return messages.evidence_to_message(evidence)

    def get_consistency_proof(
        self, _: Caller, request: log_pb2.GetConsistencyProofRequest
    ) -> log_pb2.GetConsistencyProofResponse:
        asked = messages.consistency_request_from_message(request)
        return messages.consistency_to_message(self._log.consistency(asked.first_size, asked.second_size))

    def get_inclusion_proof(
        self, _: Caller, request: log_pb2.GetInclusionProofRequest
    ) -> log_pb2.GetInclusionProofResponse:
        asked = messages.inclusion_request_from_message(request, self._limits)
        return messages.inclusion_to_message(self._log.inclusion(asked.indices, asked.tree_size))

    def get_entries(self, caller: Caller, request: log_pb2.GetEntriesRequest) -> log_pb2.GetEntriesResponse:
        asked = messages.entries_request_from_message(request, self._limits)
        return messages.entries_to_message(self._log.entries(caller, asked.first_index, asked.count))

    def add_cosignature(
        self, caller: Caller, request: log_pb2.AddCosignatureRequest
    ) -> log_pb2.AddCosignatureResponse:
        self._log.add_cosignature(caller, messages.cosignature_from_message(request, self._limits))
        return messages.cosigned_to_message()
