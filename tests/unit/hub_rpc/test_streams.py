"""Streams: durable acknowledgements, reads, the doorbell, and their end when the caller is shut out."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import grpc
import pytest
from blake3 import blake3
from syncline.v1 import (
    changes_pb2,
    changes_pb2_grpc,
    content_pb2,
    content_pb2_grpc,
    fleet_pb2,
    fleet_pb2_grpc,
)

from core.errors import Unavailable
from core.names import PartnerId
from sync import frames as frame_format
from sync.ports import StoredChunk
from sync.stores.packs import PackStore
from sync.wire import framecodec, messages


def chunk(data: bytes) -> StoredChunk:
    return StoredChunk(blake3(data).digest(), 0, len(data), data)


def frame(*datas: bytes) -> bytes:
    return b"".join(bytes(each) for each in frame_format.pack([chunk(data) for data in datas]))


def upload(channel: grpc.Channel, frames: Iterator[bytes], timeout_s: float = 30) -> Any:
    call = channel.stream_stream(
        "/syncline.v1.ContentService/UpdateBlobs",
        request_serializer=framecodec.encode,
        response_deserializer=content_pb2.UpdateBlobsResponse.FromString,
    )
    return call(frames, timeout=timeout_s)


def test_what_is_acknowledged_is_in_the_store_and_counted_from_the_streams_start(running: Any) -> None:
    member = running.enrol("la-dgm")
    datas = [bytes([n]) * 5000 for n in range(40)]
    with member.channel() as channel:
        acks = [a.durable_frames_count for a in upload(channel, iter([frame(data) for data in datas]))]
        assert acks == sorted(acks)
        assert acks[-1] == 40
        ids = [chunk(data).id for data in [*datas, b"never sent"]]
        answer = content_pb2_grpc.ContentServiceStub(channel).FindMissingBlobs(
            messages.find_missing_to_message(ids), timeout=10
        )
    assert messages.missing_from_message(answer, 41) == [False] * 40 + [True]


def test_durable_ack_is_sent_while_the_stream_stays_open(running: Any) -> None:
    # A sender that waits for its window must get its acknowledgement without sending more.
    member = running.enrol("la-dgm")
    more: Queue[bytes | None] = Queue()
    with member.channel() as channel:
        call = upload(channel, iter(more.get, None))
        for count in (1, 2, 3):
            more.put(frame(bytes([count]) * 100))
            assert next(call).durable_frames_count == count
        more.put(None)
        assert list(call) == []


def test_a_chunk_that_is_not_what_its_id_says_is_refused_and_what_came_before_is_kept(running: Any) -> None:
    member = running.enrol("la-dgm")
    good = b"good" * 100
    lie = StoredChunk(blake3(b"another").digest(), 0, 4, b"data")
    bad = b"".join(bytes(each) for each in frame_format.pack([lie]))
    with member.channel() as channel:
        with pytest.raises(grpc.RpcError) as caught:
            list(upload(channel, iter([frame(good), bad])))
        assert caught.value.code() is grpc.StatusCode.DATA_LOSS
        answer = content_pb2_grpc.ContentServiceStub(channel).FindMissingBlobs(
            messages.find_missing_to_message([chunk(good).id, lie.id]), timeout=10
        )
    assert messages.missing_from_message(answer, 2) == [False, True]


def test_what_one_partner_uploaded_is_missing_for_another(running: Any) -> None:
    first, second = running.enrol("la-dgm"), running.enrol("th-dmr")
    with first.channel() as channel:
        list(upload(channel, iter([frame(b"secret")])))
    with second.channel() as channel:
        answer = content_pb2_grpc.ContentServiceStub(channel).FindMissingBlobs(
            messages.find_missing_to_message([chunk(b"secret").id]), timeout=10
        )
    assert messages.missing_from_message(answer, 1) == [True]


def test_what_is_not_a_frame_is_refused_with_a_reason(running: Any) -> None:
    member = running.enrol("la-dgm")
    with member.channel() as channel, pytest.raises(grpc.RpcError) as caught:
        list(upload(channel, iter([b"not a frame"])))
    assert caught.value.code() in (grpc.StatusCode.DATA_LOSS, grpc.StatusCode.INVALID_ARGUMENT)


def test_a_refusal_reaches_its_client_when_the_first_answer_is_cut_off_by_it(
    running: Any, monkeypatch: Any
) -> None:
    """As when a disk is full while the first acknowledgement is on its way: the client must not wait."""

    class Refused:
        def __init__(self, _upload: Any, _in_thread: Any, acknowledge: Any, _limits: Any) -> None:
            self._acknowledge = acknowledge

        async def run(self, _frames: Any) -> None:
            first = asyncio.create_task(self._acknowledge(1))
            await asyncio.sleep(0)  # it has begun, and cannot have ended
            first.cancel()
            raise Unavailable("no space left", reason="DISK_FULL")

    monkeypatch.setattr("hub.rpc.content.UploadStream", Refused)
    member = running.enrol("la-dgm")
    more: Queue[bytes | None] = Queue()
    more.put(frame(b"one"))
    with member.channel() as channel:
        with pytest.raises(grpc.RpcError) as caught:
            list(upload(channel, iter(more.get, None), timeout_s=10))
        more.put(None)
    assert (caught.value.code(), "disk is full" in (caught.value.details() or "")) == (
        grpc.StatusCode.UNAVAILABLE,
        True,
    )


def test_an_upload_ends_when_its_caller_is_suspended(running: Any) -> None:
    member = running.enrol("la-dgm")
    more: Queue[bytes | None] = Queue()
    with member.channel() as channel:
        call = upload(channel, iter(more.get, None))
        more.put(frame(b"one"))
        assert next(call).durable_frames_count == 1
        with running.beside() as hub:
            hub.registry.suspend(PartnerId("la-dgm"))
        with pytest.raises(grpc.RpcError) as caught:
            list(call)
        more.put(None)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_a_download_ends_when_its_caller_is_suspended_even_while_it_stalls(
    running: Any, monkeypatch: Any
) -> None:
    from hub.services.content import ContentService

    closed = threading.Event()

    def endless(*_: Any) -> Iterator[bytes]:
        try:
            while True:
                yield bytes(500_000)
        finally:
            closed.set()

    monkeypatch.setattr(ContentService, "read_blobs", endless)
    member = running.enrol("la-dgm")
    request = content_pb2.ReadBlobsRequest(
        dataset="la-dgm/x",
        manifest_sha256=bytes(32),
        stream=content_pb2.RECIPE_STREAM_CONTENT,
        ranges=[content_pb2.OrdinalRange(first=0, count=1)],
    )
    with member.channel() as channel:
        call = content_pb2_grpc.ContentServiceStub(channel).ReadBlobs(request, timeout=30)
        next(call)  # and then reads no more: the hub waits for flow control
        with running.beside() as hub:
            hub.registry.suspend(PartnerId("la-dgm"))
        assert closed.wait(10)
        with pytest.raises(grpc.RpcError) as caught:
            list(call)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_a_download_that_nobody_wants_any_more_is_closed(running: Any, monkeypatch: Any) -> None:
    from hub.services.content import ContentService

    closed = threading.Event()

    def endless(*_: Any) -> Iterator[bytes]:
        try:
            while True:
                yield bytes(500_000)
        finally:
            closed.set()

    monkeypatch.setattr(ContentService, "read_blobs", endless)
    member = running.enrol("la-dgm")
    request = content_pb2.ReadBlobsRequest(
        dataset="la-dgm/x",
        manifest_sha256=bytes(32),
        stream=content_pb2.RECIPE_STREAM_CONTENT,
        ranges=[content_pb2.OrdinalRange(first=0, count=1)],
    )
    with member.channel() as channel:
        call = content_pb2_grpc.ContentServiceStub(channel).ReadBlobs(request, timeout=30)
        next(call)
        call.cancel()
        assert closed.wait(10)


def test_an_upload_that_breaks_keeps_what_had_arrived(running: Any) -> None:
    member = running.enrol("la-dgm")
    more: Queue[bytes | None] = Queue()
    with member.channel() as channel:
        call = upload(channel, iter(more.get, None))
        more.put(frame(b"one"))
        next(call)
        call.cancel()
        more.put(None)
        answer = content_pb2_grpc.ContentServiceStub(channel).FindMissingBlobs(
            messages.find_missing_to_message([chunk(b"one").id]), timeout=10
        )
    assert messages.missing_from_message(answer, 1) == [False]


def test_the_doorbell_rings_at_the_start_and_when_the_registry_changes(running: Any) -> None:
    member = running.enrol("la-dgm")
    with member.channel() as channel:
        bell = changes_pb2_grpc.ChangesServiceStub(channel).WatchChanges(
            changes_pb2.WatchChangesRequest(), timeout=30
        )
        next(bell)
        running.enrol("th-dmr")
        next(bell)
        bell.cancel()


def test_the_doorbell_ends_for_a_revoked_partner_within_the_bound(running: Any) -> None:
    member = running.enrol("la-dgm")
    with member.channel() as channel:
        bell = changes_pb2_grpc.ChangesServiceStub(channel).WatchChanges(
            changes_pb2.WatchChangesRequest(), timeout=30
        )
        next(bell)
        with running.beside() as hub:
            hub.registry.revoke(PartnerId("la-dgm"), [running.administrator])
        began = time.monotonic()
        with pytest.raises(grpc.RpcError) as caught:
            list(bell)
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert time.monotonic() - began < 20  # the bound is 0.2 s here; a slow machine gets room


def test_an_unknown_version_opens_no_stream(running: Any) -> None:
    member = running.enrol("la-dgm")
    request = content_pb2.ReadBlobsRequest(
        dataset="th-dmr/secret",
        manifest_sha256=bytes(32),
        stream=content_pb2.RECIPE_STREAM_INVENTORY,
        ranges=[content_pb2.OrdinalRange(first=0, count=1)],
    )
    with member.channel() as channel, pytest.raises(grpc.RpcError) as caught:
        list(content_pb2_grpc.ContentServiceStub(channel).ReadBlobs(request, timeout=10))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_bug_reaches_the_caller_as_an_incident_and_nothing_more(running: Any, monkeypatch: Any) -> None:
    from hub.services.fleet import FleetService

    def fail(*_: Any) -> None:
        raise KeyError("the secret inside /var/lib/syncline-hub")

    member = running.enrol("la-dgm")
    monkeypatch.setattr(FleetService, "submit", fail)
    with member.channel() as channel, pytest.raises(grpc.RpcError) as caught:
        fleet_pb2_grpc.FleetServiceStub(channel).ReportStatus(
            fleet_pb2.ReportStatusRequest(status_json=b"{}"), timeout=10
        )
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "incident" in caught.value.details()
    assert "secret" not in str(caught.value) + str(caught.value.trailing_metadata())


def test_the_hubs_own_troubles_go_to_its_log_and_no_path_to_a_partner(running: Any, monkeypatch: Any) -> None:
    from hub.services.fleet import FleetService

    def fail(*_: Any) -> None:
        raise Unavailable("no space left for /var/lib/secret", remedy="free it", reason="DISK_FULL")

    member = running.enrol("la-dgm")
    monkeypatch.setattr(FleetService, "submit", fail)
    with member.channel() as channel, pytest.raises(grpc.RpcError) as caught:
        fleet_pb2_grpc.FleetServiceStub(channel).ReportStatus(
            fleet_pb2.ReportStatusRequest(status_json=b"{}"), timeout=10
        )
    assert "the hub's disk is full" in caught.value.details()
    assert "secret" not in str(caught.value) + str(caught.value.trailing_metadata())


def test_stopping_acknowledges_what_has_arrived_and_ends_the_waiting(running: Any) -> None:
    member = running.enrol("la-dgm")
    more: Queue[bytes | None] = Queue()
    with member.channel() as channel:
        bell = changes_pb2_grpc.ChangesServiceStub(channel).WatchChanges(
            changes_pb2.WatchChangesRequest(), timeout=30
        )
        next(bell)
        call = upload(channel, iter(more.get, None))
        more.put(frame(b"one"))
        assert next(call).durable_frames_count == 1
        stopping = threading.Thread(target=running.stop)
        began = time.monotonic()
        stopping.start()
        for stream in (bell, call):
            with pytest.raises(grpc.RpcError) as caught:
                list(stream)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        more.put(None)
        stopping.join(30)
        assert time.monotonic() - began < 20  # less than the grace: nothing hangs until it
    store = PackStore(Path(running.layout.owner_store(PartnerId("la-dgm"))), running.limits)
    assert store.missing([chunk(b"one").id]) == [False]
    store.close()
    running.start()  # the same directory, again; the fixture stops it
