"""The two TLS ports: what is served where, and gRPC's own bounds.

    endpoint = Endpoint(hub, checkpoints, identity, threads, enrolment_threads, clock, limits)
    endpoint.bind(node_listen, enrol_listen)             # raises Unavailable when a port is taken
    await endpoint.start()
    await endpoint.stop(grace_s)                         # ends streams, finishes calls

Nothing is compressed by gRPC: frames are already. Probes have no client certificate, so the health service
stands on the enrolment port.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

import grpc
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from syncline.v1 import (
    catalogue_pb2,
    changes_pb2,
    content_pb2,
    enrolment_pb2,
    fleet_pb2,
    hub_pb2,
    log_pb2,
    registry_pb2,
)

from core.clock import Clock
from core.errors import SynclineError, Unavailable
from core.limits import Limits
from hub.addresses import join_address, split_address
from hub.checkpoint_loop import CheckpointLoop
from hub.metrics.counters import Counters
from hub.rpc.calls import Calls, RpcContext, serialize
from hub.rpc.catalogue import CatalogueCalls
from hub.rpc.changes import ChangesCalls
from hub.rpc.content import ContentCalls
from hub.rpc.counted import counted
from hub.rpc.credentials import ServerIdentity
from hub.rpc.enrolment import EnrolmentCalls
from hub.rpc.fleet import FleetCalls
from hub.rpc.gate import NodeGate, StrangerGate
from hub.rpc.log import LogCalls
from hub.services.context import Caller
from hub.services.hub import Hub
from sync.wire import framecodec, messages

_PACKAGE = "syncline.v1"
_HANDSHAKE_TIMEOUT_MS = 20_000

# Anybody may connect to the enrolment port, and must not be able to occupy it for long.
_ENROLMENT_CALLS_MAX = 256
_ENROLMENT_STREAMS_MAX = 4
_ENROLMENT_CONNECTION_MS = 60_000
_ENROLMENT_GRACE_MS = 10_000

Handlers = Mapping[str, "grpc.RpcMethodHandler[Any, Any]"]


class Endpoint:
    """Both ports of one hub. What blocks runs in `threads`; strangers have their own, and starve no node."""

    def __init__(
        self,
        hub: Hub,
        checkpoints: CheckpointLoop,
        identity: ServerIdentity,
        threads: Executor,
        enrolment_threads: Executor,
        clock: Clock,
        limits: Limits,
        counters: Counters | None = None,
    ) -> None:
        self._identity = identity
        counters = counters or Counters()
        self._calls: Calls[Caller] = Calls(NodeGate(hub, clock), threads, limits, hub.log.refused)
        self._strangers: Calls[None] = Calls(StrangerGate(), enrolment_threads, limits, hub.log.refused)
        self._health = _Health()
        self._nodes = aio.server(options=_node_options(limits))
        self._enrolment = aio.server(
            options=_stranger_options(limits), maximum_concurrent_rpcs=_ENROLMENT_CALLS_MAX
        )
        for service, methods in node_services(hub, checkpoints, self._calls, limits).items():
            _register(self._nodes, service, counted(counters, service, methods))
        _register(
            self._enrolment,
            "EnrolmentService",
            counted(
                counters,
                "EnrolmentService",
                enrolment_methods(EnrolmentCalls(hub.enrolment, limits), self._strangers),
            ),
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._enrolment)
        self._sweeper: asyncio.Task[None] | None = None

    def bind(self, listen: str, enrol_listen: str) -> tuple[int, int]:
        """Take both ports; the numbers taken (for port 0 the system chooses). Raises `Unavailable`."""
        return (
            _bind(self._nodes, listen, self._identity.node_port()),
            _bind(self._enrolment, enrol_listen, self._identity.enrolment_port()),
        )

    async def start(self) -> None:
        """Answer calls."""
        await self._nodes.start()
        await self._enrolment.start()
        self._sweeper = asyncio.create_task(self._calls.sweep())

    async def stop(self, grace_s: float) -> None:
        """Take no new calls, end streams after their last commit, let the rest finish within `grace_s`."""
        await self._health.enter_graceful_shutdown()
        stopping: SynclineError = Unavailable(
            "the hub is stopping", remedy="try again soon", reason="HUB_STOPPING"
        )
        closing = asyncio.gather(self._nodes.stop(grace_s), self._enrolment.stop(min(grace_s, 1.0)))
        self._calls.end_streams(stopping)
        await closing
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait({self._sweeper})

    async def set_serving(self, *, serving: bool) -> None:
        """What probes hear."""
        status = (
            health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        await self._health.set("", status)


def node_services(
    hub: Hub, checkpoints: CheckpointLoop, calls: Calls[Caller], limits: Limits
) -> Mapping[str, Handlers]:
    """Everything that an enrolled node may call, by service."""
    unary = CatalogueCalls(hub, limits)
    content = ContentCalls(hub.content, calls, limits)
    changes = ChangesCalls(hub.changes, calls)
    fleet = FleetCalls(hub.fleet, calls, limits)
    log = LogCalls(hub.log, checkpoints, calls, limits)
    return {
        "HubService": {"GetHubInfo": calls.unary(unary.get_hub_info, hub_pb2.GetHubInfoRequest)},
        "FleetService": {
            "ReportStatus": calls.queued(fleet.take, fleet.answer, fleet_pb2.ReportStatusRequest)
        },
        "RegistryService": {
            "ListRegistry": calls.unary(unary.list_registry, registry_pb2.ListRegistryRequest),
            "OfferRegistry": calls.unary(unary.offer_registry, registry_pb2.OfferRegistryRequest),
            "RotateKeys": calls.unary(unary.rotate_keys, registry_pb2.RotateKeysRequest),
            "Leave": calls.unary(unary.leave, registry_pb2.LeaveRequest),
        },
        "CatalogueService": {
            "PublishPolicy": calls.unary(unary.publish_policy, catalogue_pb2.PublishPolicyRequest),
            "CommitVersion": calls.unary(unary.commit_version, catalogue_pb2.CommitVersionRequest),
            "ListDatasets": calls.unary(unary.list_datasets, catalogue_pb2.ListDatasetsRequest),
            "GetVersion": calls.unary(unary.get_version, catalogue_pb2.GetVersionRequest),
            "ListVersions": calls.unary(unary.list_versions, catalogue_pb2.ListVersionsRequest),
            "ListPolicies": calls.unary(unary.list_policies, catalogue_pb2.ListPoliciesRequest),
            "ExplainAccess": calls.unary(unary.explain_access, catalogue_pb2.ExplainAccessRequest),
            "Acknowledge": calls.unary(unary.acknowledge, catalogue_pb2.AcknowledgeRequest),
        },
        "ContentService": {
            "FindMissingBlobs": calls.unary(content.find_missing, content_pb2.FindMissingBlobsRequest),
            # The one message that carries bytes in bulk is coded by hand, at both ends.
            "UpdateBlobs": calls.stream_both(content.update_blobs, framecodec.decode, _durable),
            "ReadBlobs": calls.stream_down(
                content.read_blobs, content_pb2.ReadBlobsRequest, framecodec.encode
            ),
        },
        "ChangesService": {
            "WatchChanges": calls.stream_down(
                changes.watch_changes, changes_pb2.WatchChangesRequest, serialize
            )
        },
        "LogService": {
            "GetCheckpoint": calls.waiting(log.get_checkpoint, log_pb2.GetCheckpointRequest),
            "GetConsistencyProof": calls.unary(log.get_consistency_proof, log_pb2.GetConsistencyProofRequest),
            "GetInclusionProof": calls.unary(log.get_inclusion_proof, log_pb2.GetInclusionProofRequest),
            "GetEntries": calls.unary(log.get_entries, log_pb2.GetEntriesRequest),
            "GetEvidence": calls.waiting(log.get_evidence, log_pb2.GetEvidenceRequest),
            "AddCosignature": calls.unary(log.add_cosignature, log_pb2.AddCosignatureRequest),
        },
    }


def enrolment_methods(enrolment: EnrolmentCalls, calls: Calls[None]) -> Handlers:
    """Everything that a stranger may call."""
    return {
        "Join": calls.unary(enrolment.join, enrolment_pb2.JoinRequest),
        "GetEnrolment": calls.unary(enrolment.get_enrolment, enrolment_pb2.GetEnrolmentRequest),
        "Renew": calls.unary(enrolment.renew, enrolment_pb2.RenewRequest),
    }


def _durable(frames_count: int) -> bytes:
    return messages.durable_to_message(frames_count).SerializeToString()


def _register(server: aio.Server, service: str, methods: Handlers) -> None:
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(f"{_PACKAGE}.{service}", dict(methods)),)
    )


def _bind(server: aio.Server, listen: str, credentials: grpc.ServerCredentials) -> int:
    try:
        port = server.add_secure_port(listen, credentials)
    except RuntimeError:
        port = 0
    host, wanted = split_address(listen)
    if port == 0 and host == "::":
        return _bind(server, join_address("0.0.0.0", wanted), credentials)  # noqa: S104 - a machine without IPv6
    if port == 0:
        raise Unavailable(
            f"cannot listen on {listen}",
            remedy="stop what uses the port (ss -ltnp), or correct listen and enrol_listen in hub.toml",
            reason="PORT_TAKEN",
        )
    return port


def _node_options(limits: Limits) -> list[tuple[str, int]]:
    message_bytes_max = 2 * limits.message_bytes_max  # an envelope with a recipe's root
    return [
        *_common_options(limits),
        ("grpc.max_receive_message_length", message_bytes_max),
        ("grpc.max_send_message_length", message_bytes_max),
        ("grpc.max_concurrent_streams", limits.streams_per_node_max),
    ]


def _stranger_options(limits: Limits) -> list[tuple[str, int]]:
    return [
        *_common_options(limits),
        ("grpc.max_receive_message_length", limits.join_file_bytes_max),
        ("grpc.max_concurrent_streams", _ENROLMENT_STREAMS_MAX),
        ("grpc.max_connection_age_ms", _ENROLMENT_CONNECTION_MS),
        ("grpc.max_connection_age_grace_ms", _ENROLMENT_GRACE_MS),
    ]


def _common_options(limits: Limits) -> list[tuple[str, int]]:
    keepalive_ms = int(limits.keepalive_s * 1000)
    return [
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_TIMEOUT_MS),
        ("grpc.keepalive_time_ms", keepalive_ms),
        ("grpc.keepalive_timeout_ms", keepalive_ms),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", keepalive_ms // 2),
        ("grpc.so_reuseport", 0),  # two hubs on one port would share its connections
    ]


class _Health(HealthServicer):
    """Answers probes; keeps no stream open for strangers."""

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: RpcContext) -> None:  # noqa: ARG002, N802
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "ask with Check")
