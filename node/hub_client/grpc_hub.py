"""`HubApi` over gRPC; the log's calls stand in `node.hub_client.grpc_log`, the channels in `connection`."""

import secrets
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from syncline.v1 import (
    catalogue_pb2_grpc,
    changes_pb2,
    changes_pb2_grpc,
    content_pb2,
    content_pb2_grpc,
    fleet_pb2_grpc,
    hub_pb2,
    hub_pb2_grpc,
    registry_pb2_grpc,
)

from core.clock import Clock, SystemClock
from core.errors import Conflict, Untrusted
from core.limits import LIMITS, Limits
from core.names import DatasetId, PartnerId
from node.hub_client.connection import Connection
from node.hub_client.grpc_log import GrpcLog
from node.hub_client.progress_guard import ProgressGuard
from node.identity import TlsPair
from sync.bandwidth import TokenBucket
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
from sync.wire import framecodec, messages
from sync.wire.errors import translated_stream

_UPDATE = "/syncline.v1.ContentService/UpdateBlobs"
_READ = "/syncline.v1.ContentService/ReadBlobs"
_LISTING_RESTARTS_MAX = 5

T = TypeVar("T")


class GrpcHub(GrpcLog):
    """One node's way to the hub.

    Methods may be called from any thread; each call connects by itself if need be.

    Args:
        address: `HOST:PORT`, as in the hub's certificate.
        roots_pem: the federation's certificate authorities.
        tls: the node's key and certificate; its federation must be the hub's.
        download_rate, upload_rate: bytes a second for content, None for no limit.
    """

    def __init__(
        self,
        *,
        address: str,
        roots_pem: bytes,
        tls: TlsPair,
        limits: Limits = LIMITS,
        clock: Clock | None = None,
        download_rate: int | None = None,
        upload_rate: int | None = None,
    ) -> None:
        clock = clock or SystemClock()
        connection = Connection(address=address, roots_pem=roots_pem, tls=tls, limits=limits)
        super().__init__(connection, limits)
        self._connection = connection
        self._call = connection.call
        self._limits = limits
        self._download = TokenBucket(download_rate, clock)
        self._upload = TokenBucket(upload_rate, clock)
        self._hub = hub_pb2_grpc.HubServiceStub(connection.control)
        self._registry = registry_pb2_grpc.RegistryServiceStub(connection.control)
        self._catalogue = catalogue_pb2_grpc.CatalogueServiceStub(connection.control)
        self._changes = changes_pb2_grpc.ChangesServiceStub(connection.control)
        self._fleet = fleet_pb2_grpc.FleetServiceStub(connection.control)
        self._blobs = content_pb2_grpc.ContentServiceStub(connection.content)
        self._update: Any = connection.content.stream_stream(
            _UPDATE,
            request_serializer=framecodec.encode,
            response_deserializer=content_pb2.UpdateBlobsResponse.FromString,
        )
        self._read: Any = connection.content.unary_stream(
            _READ,
            request_serializer=content_pb2.ReadBlobsRequest.SerializeToString,
            response_deserializer=framecodec.decode,
        )

    def close(self) -> None:
        """Hang up; calls under way end with `Unavailable`."""
        self._connection.close()

    # Facts, registry, catalogue

    def get_hub_info(self) -> HubInfo:
        return messages.hub_info_from_message(self._call(self._hub.GetHubInfo, hub_pb2.GetHubInfoRequest()))

    def list_registry(self, from_seq: int) -> Sequence[bytes]:
        envelopes: list[bytes] = []
        following: int | None = from_seq
        while following is not None:
            request = messages.RegistryRequest(following, 0)
            answer = self._call(self._registry.ListRegistry, messages.registry_request_to_message(request))
            page, then = messages.registry_page_from_message(answer, self._limits)
            envelopes.extend(page)
            following = _advance(following, then)
        return envelopes

    def offer_registry(self, envelopes: Sequence[bytes]) -> int:
        newest = 0
        for page in _offers(envelopes, self._limits):
            answer = self._call(self._registry.OfferRegistry, messages.offer_to_message(page))
            newest = messages.offered_from_message(answer)
        return newest

    def rotate_keys(self, envelope: bytes) -> bool:
        message = messages.rotation_to_message(envelope)
        return messages.rotated_from_message(self._call(self._registry.RotateKeys, message))

    def leave(self, envelope: bytes) -> bool:
        message = messages.departure_to_message(envelope)
        return messages.departed_from_message(self._call(self._registry.Leave, message))

    def publish_policy(self, policy: PolicyExtract) -> Accepted:
        message = messages.publish_policy_to_message(policy, _request_id())
        return messages.accepted_from_message(self._call(self._catalogue.PublishPolicy, message))

    def commit_version(self, envelope: bytes, root: bytes | None) -> Accepted:
        message = messages.commit_to_message(messages.Commit(envelope, root, _request_id()))
        return messages.accepted_from_message(
            self._call(self._catalogue.CommitVersion, message), self._limits
        )

    def list_datasets(self, if_none_match: str | None) -> Listing | None:
        for _ in range(_LISTING_RESTARTS_MAX):
            listing = self._list_once(if_none_match)
            if not isinstance(listing, str):
                return listing
        raise Conflict("the hub's listing changes faster than it can be read", remedy="tried again by itself")

    def _list_once(self, if_none_match: str | None) -> Listing | str | None:
        """The listing, None where it is unchanged, or a word where it changed between two pages."""
        entries: list[Any] = []
        etag: str | None = None
        token = ""
        while True:
            request = messages.ListingRequest(0, token, if_none_match if not token else None)
            answer: Any = self._call(
                self._catalogue.ListDatasets, messages.listing_request_to_message(request)
            )
            page = messages.listing_page_from_message(answer, self._limits)
            if page.unchanged:
                return None
            if etag is not None and page.etag != etag:
                return "changed"
            etag = page.etag
            entries.extend(page.entries)
            if not page.next_page_token:
                return Listing(tuple(entries), etag)
            token = page.next_page_token

    def get_version(self, dataset: DatasetId, manifest_id: str) -> VersionDetail:
        message = messages.version_request_to_message(messages.VersionRequest(dataset, manifest_id))
        return messages.version_from_message(self._call(self._catalogue.GetVersion, message), self._limits)

    def list_versions(self, dataset: DatasetId, from_seq: int) -> Iterator[bytes]:
        following: int | None = from_seq
        while following is not None:
            request = messages.versions_request_to_message(messages.ChainRequest(dataset, following, 0))
            answer = self._call(self._catalogue.ListVersions, request)
            page, then = messages.versions_page_from_message(answer, self._limits)
            yield from page
            following = _advance(following, then)

    def list_policies(self, dataset: DatasetId, from_seq: int) -> Iterator[PolicyExtract]:
        following: int | None = from_seq
        while following is not None:
            request = messages.policies_request_to_message(messages.ChainRequest(dataset, following, 0))
            answer = self._call(self._catalogue.ListPolicies, request)
            page, then = messages.policies_page_from_message(answer, self._limits)
            yield from page
            following = _advance(following, then)

    def explain_access(self, dataset: DatasetId, partner: PartnerId, action: str) -> Explanation:
        message = messages.explain_request_to_message(messages.ExplainRequest(dataset, partner, action))
        return messages.explanation_from_message(self._call(self._catalogue.ExplainAccess, message))

    def acknowledge(self, envelope: bytes) -> int:
        message = messages.acknowledge_to_message(envelope)
        return messages.acknowledged_from_message(self._call(self._catalogue.Acknowledge, message))

    def report_status(self, status_json: bytes) -> datetime:
        message = messages.status_to_message(status_json)
        # A report of hundreds of datasets repeats its keys: it takes a tenth of the line, beside the content.
        return messages.status_time_from_message(
            self._call(self._fleet.ReportStatus, message, compressed=True)
        )

    # Content

    def find_missing(self, ids: Sequence[ChunkId]) -> Sequence[bool]:
        if not ids:
            return []
        answer = self._call(self._blobs.FindMissingBlobs, messages.find_missing_to_message(ids))
        return messages.missing_from_message(answer, len(ids))

    def update_blobs(self, frames: Iterator[bytes]) -> Iterator[int]:
        self._connection.check()
        guards: list[ProgressGuard] = []

        def sent() -> Iterator[bytes]:
            for frame in frames:
                for guard in guards:
                    guard.moved()
                self._upload.wait(len(frame))
                yield frame

        with self._connection.explained():
            call: Any = self._connection.started(self._update, sent())
            with ProgressGuard(call, self._limits.progress_timeout_s) as guard:
                guards.append(guard)
                yield from self._connection.guarded(call, guard, messages.durable_from_message)

    def read_blobs(
        self, dataset: DatasetId, manifest_id: str, stream: RecipeStream, ranges: Sequence[OrdinalRange]
    ) -> Iterator[memoryview | bytes]:
        if not ranges:
            return
        self._connection.check()
        request = messages.ReadRequest(dataset, manifest_id, stream, tuple(ranges))
        with self._connection.explained():
            call: Any = self._connection.started(self._read, messages.read_to_message(request))
            with ProgressGuard(call, self._limits.progress_timeout_s) as guard:
                for frame in self._connection.guarded(call, guard, _same):
                    self._download.wait(len(frame))
                    guard.moved()
                    yield frame
                    guard.moved()  # the reader's own time is not the hub's

    @contextmanager
    def watch_changes(self) -> Generator[Iterator[None]]:
        self._connection.check()
        with self._connection.explained():
            call: Any = self._connection.started(
                self._changes.WatchChanges, changes_pb2.WatchChangesRequest()
            )
            try:
                yield (None for _ in translated_stream(call))
            finally:
                call.cancel()


def _offers(envelopes: Sequence[bytes], limits: Limits) -> Iterator[Sequence[bytes]]:
    """Pages that a message holds; an empty offer is one page, for the hub to refuse."""
    page: list[bytes] = []
    size = 0
    for envelope in envelopes:
        if page and (len(page) == limits.page_count_max or size + len(envelope) > limits.message_bytes_max):
            yield page
            page, size = [], 0
        page.append(envelope)
        size += len(envelope)
    yield page


def _advance(seq: int, following: int | None) -> int | None:
    if following is not None and following <= seq:
        raise Untrusted("the hub's pages lead backwards", reason="MALFORMED")
    return following


def _same(value: T) -> T:
    return value


def _request_id() -> str:
    return secrets.token_hex(8)
