"""HubService, FleetService and RegistryService: messages and nouns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from syncline.v1 import fleet_pb2, hub_pb2, registry_pb2

from core.clock import format_instant, parse_instant
from core.limits import LIMITS, Limits
from sync.ports import HubInfo
from sync.wire.messages.checks import (
    bounded,
    counted,
    envelope_from_message,
    next_seq_of,
    page_of,
    page_size_of,
    short,
)


@dataclass(frozen=True, slots=True)
class RegistryRequest:
    """ListRegistry: the registry's chain from `from_seq`."""

    from_seq: int
    page_size: int


def hub_info_to_message(info: HubInfo) -> hub_pb2.GetHubInfoResponse:
    """Server side of GetHubInfo."""
    return hub_pb2.GetHubInfoResponse(
        federation=info.federation,
        version=info.version,
        time=format_instant(info.time),
        registry_seq=info.registry_seq,
        frame_bytes_max=info.frame_bytes_max,
        find_missing_count_max=info.find_missing_count_max,
        read_ranges_count_max=info.read_ranges_count_max,
        used_bytes=info.used_bytes,
        quota_bytes=info.quota_bytes,
    )


def hub_info_from_message(message: hub_pb2.GetHubInfoResponse) -> HubInfo:
    """Client side of GetHubInfo."""
    return HubInfo(
        federation=short(message.federation, "federation"),
        version=short(message.version, "version"),
        time=parse_instant(message.time),
        registry_seq=counted(message.registry_seq, "registry_seq"),
        frame_bytes_max=counted(message.frame_bytes_max, "frame_bytes_max", 1),
        find_missing_count_max=counted(message.find_missing_count_max, "find_missing_count_max", 1),
        read_ranges_count_max=counted(message.read_ranges_count_max, "read_ranges_count_max", 1),
        used_bytes=counted(message.used_bytes, "used_bytes"),
        quota_bytes=counted(message.quota_bytes, "quota_bytes") if message.HasField("quota_bytes") else None,
    )


def status_to_message(status_json: bytes) -> fleet_pb2.ReportStatusRequest:
    """Client side of ReportStatus."""
    return fleet_pb2.ReportStatusRequest(status_json=status_json)


def status_from_message(message: fleet_pb2.ReportStatusRequest, limits: Limits = LIMITS) -> bytes:
    """Server side of ReportStatus: bounded bytes, not yet parsed."""
    return bounded(message.status_json, "status_json", 2, limits.status_bytes_max)


def status_time_to_message(time: datetime) -> fleet_pb2.ReportStatusResponse:
    """Server side: the hub's clock."""
    return fleet_pb2.ReportStatusResponse(time=format_instant(time))


def status_time_from_message(message: fleet_pb2.ReportStatusResponse) -> datetime:
    """Client side: the hub's clock."""
    return parse_instant(message.time)


def registry_request_to_message(request: RegistryRequest) -> registry_pb2.ListRegistryRequest:
    """Client side of ListRegistry."""
    return registry_pb2.ListRegistryRequest(from_seq=request.from_seq, page_size=request.page_size)


def registry_request_from_message(
    message: registry_pb2.ListRegistryRequest, limits: Limits = LIMITS
) -> RegistryRequest:
    """Server side of ListRegistry."""
    return RegistryRequest(counted(message.from_seq, "from_seq", 1), page_size_of(message.page_size, limits))


def registry_page_to_message(
    envelopes: Sequence[bytes], next_seq: int | None
) -> registry_pb2.ListRegistryResponse:
    """Server side: a page of envelopes."""
    return registry_pb2.ListRegistryResponse(envelopes=envelopes, next_seq=next_seq or 0)


def registry_page_from_message(
    message: registry_pb2.ListRegistryResponse, limits: Limits = LIMITS
) -> tuple[list[bytes], int | None]:
    """Client side: envelopes, and where the next page starts (None at the end)."""
    page = page_of(message.envelopes, limits)
    return [bounded(raw, "envelope", 1, limits.registry_envelope_bytes_max) for raw in page], next_seq_of(
        message.next_seq
    )


def offer_to_message(envelopes: Sequence[bytes]) -> registry_pb2.OfferRegistryRequest:
    """Client side of OfferRegistry."""
    return registry_pb2.OfferRegistryRequest(envelopes=envelopes)


def offer_from_message(message: registry_pb2.OfferRegistryRequest, limits: Limits = LIMITS) -> list[bytes]:
    """Server side of OfferRegistry: statements in order, not yet verified."""
    counted(len(message.envelopes), "the number of envelopes", 1, limits.page_count_max)
    return [bounded(raw, "envelope", 1, limits.registry_envelope_bytes_max) for raw in message.envelopes]


def offered_to_message(newest_seq: int) -> registry_pb2.OfferRegistryResponse:
    """Server side: the hub's newest statement."""
    return registry_pb2.OfferRegistryResponse(newest_seq=newest_seq)


def offered_from_message(message: registry_pb2.OfferRegistryResponse) -> int:
    """Client side: the hub's newest statement."""
    return counted(message.newest_seq, "newest_seq", 1)


def rotation_to_message(envelope: bytes) -> registry_pb2.RotateKeysRequest:
    """Client side of RotateKeys."""
    return registry_pb2.RotateKeysRequest(envelope=envelope)


def rotation_from_message(message: registry_pb2.RotateKeysRequest, limits: Limits = LIMITS) -> bytes:
    """Server side of RotateKeys: the envelope, not yet verified."""
    return envelope_from_message(message.envelope, limits)


def rotated_to_message(*, signed: bool) -> registry_pb2.RotateKeysResponse:
    """Server side: whether the registry lists the new keys."""
    return registry_pb2.RotateKeysResponse(signed=signed)


def rotated_from_message(message: registry_pb2.RotateKeysResponse) -> bool:
    """Client side: whether the registry lists the new keys."""
    return message.signed


def departure_to_message(envelope: bytes) -> registry_pb2.LeaveRequest:
    """Client side of Leave."""
    return registry_pb2.LeaveRequest(envelope=envelope)


def departure_from_message(message: registry_pb2.LeaveRequest, limits: Limits = LIMITS) -> bytes:
    """Server side of Leave: the envelope, not yet verified."""
    return envelope_from_message(message.envelope, limits)


def departed_to_message(*, last: bool) -> registry_pb2.LeaveResponse:
    """Server side: whether it was its partner's last node."""
    return registry_pb2.LeaveResponse(last=last)


def departed_from_message(message: registry_pb2.LeaveResponse) -> bool:
    """Client side: whether it was the partner's last node."""
    return message.last
