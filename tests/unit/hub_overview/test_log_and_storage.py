"""The log with its witnesses and alarms; what is stored, how it grows; what moves and what waits."""

from typing import Any

import sqlalchemy as sa

from core.clock import format_instant
from hub.overview.service import Overview
from hub.services.storage_samples import WHOLE
from hub.storage import schema
from tests.simulation.federation import TestFederation, publish
from tests.unit.hub_overview.telling import mirror, report

ALARM = {"id": "frozen-1", "kind": "frozen", "since": "2026-01-01T00:00:00Z"}


def samples(federation: TestFederation, owner: str) -> list[Any]:
    table = schema.storage_samples
    with federation.hub.context.database.read() as connection:
        query = sa.select(table).where(table.c.owner == owner).order_by(table.c.time)
        return list(connection.execute(query).all())


def test_the_log_counts_its_leaves_by_type(federation: TestFederation, overview: Overview):
    hub = federation.hub
    for number in range(3):
        publish(federation, "la-dgm", "geo", {"a": b"%d" % number}, read=["th-dmr"])
        federation.clock.advance(2)
        hub.log.make_checkpoint()
        shown = overview.log()
        assert shown.leaves == sum(shown.leaves_by_type.values()) == hub.translog.size()
        assert (shown.leaves_by_type["version"], shown.checkpoint_size) == (number + 1, shown.leaves)
        assert shown.root is not None
        assert len(shown.root) == 64


def test_every_node_is_a_witness_that_has_or_has_not_cosigned(federation: TestFederation, overview: Overview):
    witnesses = overview.log().witnesses
    assert [(each.partner, each.fresh, each.size) for each in witnesses] == [
        ("la-dgm", False, None),
        ("th-dmr", False, None),
        ("vn-dgm", False, None),
    ]
    assert witnesses[0].name.endswith("/la-dgm/main")


def test_an_alarm_is_open_until_its_node_reports_without_it(federation: TestFederation, overview: Overview):
    report(federation, "la-dgm", alarms=[ALARM])
    (alarm,) = overview.log().alarms
    assert (alarm.id, alarm.kind, alarm.open, alarm.acknowledged) == ("frozen-1", "frozen", True, None)
    with federation.hub.context.database.write() as connection:
        connection.execute(
            schema.alarm_acknowledgements.insert().values(
                partner="la-dgm",
                node="main",
                id="frozen-1",
                user="vilay",
                reason="the hub was down",
                time=format_instant(federation.clock.now()),
                leaf=0,
            )
        )
    (alarm,) = overview.log().alarms
    assert (alarm.open, alarm.acknowledged_by, alarm.reason) == (True, "vilay", "the hub was down")
    report(federation, "la-dgm", alarms=[])
    assert not overview.log().alarms[0].open


def test_what_is_stored_is_sampled_by_owner(federation: TestFederation, overview: Overview):
    publish(federation, "la-dgm", "geo", {"a": b"x" * 5000}, read=["th-dmr"])
    federation.hub.storage_samples.sample()
    shown = overview.storage()
    (owner,) = shown.owners
    assert (owner.owner, owner.packs) == ("la-dgm", 1)
    assert owner.used_bytes == federation.hub.content.use(federation.caller("la-dgm").partner).used_bytes
    assert owner.disk_bytes > 0
    assert shown.database_bytes > 0
    assert shown.disk.total_bytes > shown.disk.free_bytes > 0
    assert [point.used_bytes for point in owner.history] == [owner.used_bytes]
    assert len(shown.history) == 1


def test_an_owner_has_one_sample_a_day_and_only_when_something_changed(federation: TestFederation):
    sampler = federation.hub.storage_samples
    for number in range(3):
        publish(federation, "la-dgm", "geo", {"a": b"%d" % number * 5000}, read=["th-dmr"])
        sampler.sample()
        federation.clock.advance(3600)
    assert len(samples(federation, "la-dgm")) == 1
    assert len(samples(federation, WHOLE)) == 3
    newest = samples(federation, "la-dgm")[0].used_bytes
    federation.clock.advance(3 * 86_400)
    sampler.sample()
    assert [row.used_bytes for row in samples(federation, "la-dgm")] == [newest]


def test_hours_become_days_after_two_weeks(federation: TestFederation):
    sampler = federation.hub.storage_samples
    for _ in range(48):
        sampler.sample()
        federation.clock.advance(3600)
    federation.clock.advance(federation.limits.samples_keep_s)
    sampler.sample()
    assert len(samples(federation, WHOLE)) in (3, 4)  # the days that 48 hours touch, and now
    federation.clock.advance(900 * 86_400)
    sampler.sample()
    assert len(samples(federation, WHOLE)) == 1


def test_the_last_fsck_is_told(federation: TestFederation, overview: Overview):
    assert (overview.storage().fsck_time, overview.storage().fsck_problems) == (None, None)
    federation.hub.events.note("fsck", "error", detail={"problems": 3})
    federation.clock.advance(60)
    federation.hub.events.note("fsck", "info", detail={"problems": 0})
    assert overview.storage().fsck_time == federation.clock.now()
    assert overview.storage().fsck_problems == 0


def test_what_moves_is_told_apart_from_what_waits_and_what_ended(
    federation: TestFederation, overview: Overview
):
    board = federation.hub.transfers
    report(
        federation,
        "th-dmr",
        mirrors=[
            mirror("la-dgm/geo", state="not fetched yet", bytes_left=700),
            mirror("la-dgm/ore", state="not fetched yet", bytes_left=900),
            mirror("la-dgm/tin", state="visible, not granted", bytes_left=5),
        ],
    )
    moved = board.begin(federation.caller("th-dmr"), "la-dgm/geo", "down")
    moved.add(100)
    federation.clock.advance(1)
    board.flush()
    shown = overview.transfers()
    (now,) = shown.now
    assert (now.partner, now.dataset, now.bytes_done, now.bytes_left, now.rate_bytes_s) == (
        "th-dmr",
        "la-dgm/geo",
        100,
        700,
        100,
    )
    assert [(each.partner, each.dataset) for each in shown.waiting] == [("th-dmr", "la-dgm/ore")]
    moved.end()
    federation.clock.advance(20)
    board.flush()
    shown = overview.transfers()
    assert shown.now == ()
    assert [(each.dataset, each.ended is not None) for each in shown.lately] == [("la-dgm/geo", True)]
    assert len(shown.waiting) == 2


def test_what_a_dead_hub_left_is_not_shown_as_moving(federation: TestFederation, overview: Overview):
    federation.hub.transfers.begin(federation.caller("th-dmr"), "la-dgm/geo", "down").add(100)
    federation.hub.transfers.flush()
    assert len(overview.transfers().now) == 1
    federation.clock.advance(600)
    assert overview.transfers().now == ()
    assert len(overview.transfers().lately) == 1
