"""What moves is counted where it moves, written while it moves, and forgotten in time."""

from typing import Any

import sqlalchemy as sa

from core.names import DatasetId
from hub.storage import schema
from sync.ports import OrdinalRange, RecipeStream
from tests.simulation.federation import TestFederation, publish


def rows(federation: TestFederation) -> list[Any]:
    with federation.hub.context.database.read() as connection:
        return list(connection.execute(sa.select(schema.transfers).order_by(schema.transfers.c.number)).all())


def test_bytes_up_and_down_are_seen_while_they_move(federation: TestFederation):
    hub = federation.hub
    moved = hub.transfers.begin(federation.caller("la-dgm"), None, "up")
    moved.add(1000)
    federation.clock.advance(2)
    hub.transfers.flush()
    (row,) = rows(federation)
    assert (row.partner, row.node, row.dataset, row.direction) == ("la-dgm", "main", None, "up")
    assert (row.bytes_done, row.rate_bytes_s, row.ended) == (1000, 500, None)
    moved.add(3000)
    federation.clock.advance(2)
    hub.transfers.flush()
    (row,) = rows(federation)
    assert (row.bytes_done, row.rate_bytes_s) == (4000, 1000)
    moved.end()
    moved.end()
    federation.clock.advance(10)
    hub.transfers.flush()
    (row,) = rows(federation)
    assert (row.bytes_done, row.rate_bytes_s, row.ended) == (4000, 0, row.seen)


def test_nothing_is_written_while_nothing_moves(federation: TestFederation):
    hub = federation.hub
    federation.hub.transfers.begin(federation.caller("la-dgm"), None, "up")
    before = hub.context.database.revisions()
    for _ in range(5):
        federation.clock.advance(2)
        hub.transfers.flush()
    assert hub.context.database.revisions() == before
    assert rows(federation) == []


def test_calls_that_follow_each_other_are_one_transfer(federation: TestFederation):
    hub = federation.hub
    for _ in range(3):
        moved = hub.transfers.begin(federation.caller("la-dgm"), "th-dmr/x", "down")
        moved.add(10)
        moved.end()
        federation.clock.advance(2)
        hub.transfers.flush()
    assert [(row.bytes_done, row.ended) for row in rows(federation)] == [(30, None)]
    federation.clock.advance(10)
    hub.transfers.flush()
    again = hub.transfers.begin(federation.caller("la-dgm"), "th-dmr/x", "down")
    again.add(1)
    hub.transfers.flush()
    assert [row.bytes_done for row in rows(federation)] == [30, 1]


def test_what_a_killed_hub_left_behind_is_over(federation: TestFederation):
    moved = federation.hub.transfers.begin(federation.caller("la-dgm"), None, "up")
    moved.add(10)
    federation.hub.transfers.flush()
    federation.hub.transfers._lines.clear()  # as when the process is killed
    federation.host.restart()
    assert rows(federation)[0].ended is None
    federation.hub.transfers.start()
    assert rows(federation)[0].ended == rows(federation)[0].seen


def test_a_hub_that_stops_ends_what_moves(federation: TestFederation):
    federation.hub.transfers.begin(federation.caller("la-dgm"), None, "up").add(10)
    federation.host.restart()
    assert rows(federation)[0].ended is not None


def test_what_ended_an_hour_ago_is_forgotten(federation: TestFederation):
    hub = federation.hub
    for _ in range(2):
        moved = hub.transfers.begin(federation.caller("la-dgm"), None, "up")
        moved.add(10)
        moved.end()
        hub.transfers.flush()
        federation.clock.advance(3700)
        hub.transfers.flush()
    moved = hub.transfers.begin(federation.caller("la-dgm"), None, "up")
    moved.add(10)
    hub.transfers.flush()
    assert len(rows(federation)) == 1


def test_the_content_service_tells_the_board(federation: TestFederation):
    hub, dataset = federation.hub, DatasetId("la-dgm/geology-1m")
    version = publish(federation, "la-dgm", "geology-1m", {"a.txt": b"x" * 5000}, read=["th-dmr"])
    frames = hub.content.read_blobs(
        federation.caller("th-dmr"),
        dataset,
        version.manifest_id,
        RecipeStream.INVENTORY,
        [OrdinalRange(0, 1)],
    )
    received = sum(len(frame) for frame in frames)
    hub.transfers.flush(last=True)
    up, down = rows(federation)
    assert up.direction == "up"
    assert up.bytes_done > 0
    assert (down.partner, down.dataset, down.direction) == ("th-dmr", dataset, "down")
    assert down.bytes_done == received


def test_a_broken_download_ends_its_transfer(federation: TestFederation):
    hub, dataset = federation.hub, DatasetId("la-dgm/geology-1m")
    version = publish(federation, "la-dgm", "geology-1m", {"a.txt": b"x" * 50_000}, read=["th-dmr"])
    frames = hub.content.read_blobs(
        federation.caller("th-dmr"), dataset, version.manifest_id, RecipeStream.CONTENT, [OrdinalRange(0, 9)]
    )
    next(iter(frames))
    frames.close()  # type: ignore[attr-defined]
    assert all(not line.streams for key, line in hub.transfers._lines.items() if key[3] == "down")
