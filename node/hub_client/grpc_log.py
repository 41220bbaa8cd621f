"""The log's half of `HubApi` over gRPC: checkpoints, proofs, entries, evidence, cosignatures."""

from collections.abc import Sequence

from syncline.v1 import log_pb2_grpc

from core.limits import Limits
from core.names import DatasetId
from node.hub_client.connection import Connection
from sync.ports import CheckpointView, Entries, Evidence
from sync.wire import messages


class GrpcLog:
    """`LogService` of the contract. Nothing here verifies: whoever asks does."""

    def __init__(self, connection: Connection, limits: Limits) -> None:
        self._ask = connection.call
        self._log = log_pb2_grpc.LogServiceStub(connection.control)
        self._bounds = limits

    def get_checkpoint(self, min_size: int = 0) -> CheckpointView:
        message = messages.checkpoint_request_to_message(min_size)
        return messages.checkpoint_from_message(self._ask(self._log.GetCheckpoint, message), self._bounds)

    def get_consistency_proof(self, first_size: int, second_size: int) -> Sequence[bytes]:
        message = messages.consistency_request_to_message(
            messages.ConsistencyRequest(first_size, second_size)
        )
        return messages.consistency_from_message(self._ask(self._log.GetConsistencyProof, message))

    def get_inclusion_proofs(self, indices: Sequence[int], tree_size: int) -> Sequence[Sequence[bytes]]:
        proofs: list[Sequence[bytes]] = []
        most = self._bounds.page_count_max
        for first in range(0, len(indices), most):
            page = tuple(indices[first : first + most])
            message = messages.inclusion_request_to_message(messages.InclusionRequest(page, tree_size))
            answer = self._ask(self._log.GetInclusionProof, message)
            proofs.extend(messages.inclusion_from_message(answer, len(page)))
        return proofs

    def get_entries(self, first_index: int, count: int) -> Entries:
        most = self._bounds.entries_count_max
        asked = messages.EntriesRequest(first_index, min(count or most, most))
        answer = self._ask(self._log.GetEntries, messages.entries_request_to_message(asked))
        return messages.entries_from_message(answer, asked, self._bounds)

    def get_evidence(self, dataset: DatasetId, manifest_id: str) -> Evidence:
        message = messages.evidence_request_to_message(messages.EvidenceRequest(dataset, manifest_id))
        return messages.evidence_from_message(self._ask(self._log.GetEvidence, message), self._bounds)

    def add_cosignature(self, note: bytes) -> None:
        self._ask(self._log.AddCosignature, messages.cosignature_to_message(note))
