"""The journal of events keeps what is new, whatever is noted and how often."""

import json

import sqlalchemy as sa

from hub.storage import schema
from tests.simulation.federation import TestFederation


def noted(federation: TestFederation) -> list[sa.Row[tuple[object, ...]]]:
    with federation.hub.context.database.read() as connection:
        return list(connection.execute(sa.select(schema.events).order_by(schema.events.c.number)).all())


def test_what_is_noted_can_be_read_again(federation: TestFederation):
    events = federation.hub.events
    events.note("fsck", "error", partner="la-dgm", detail={"problems": 2, "where": "ແຜນທີ່", "x": None})
    row = noted(federation)[0]
    assert (row.kind, row.severity, row.partner, row.node) == ("fsck", "error", "la-dgm", None)
    assert json.loads(row.detail) == {"problems": 2, "where": "ແຜນທີ່", "x": None}


def test_what_is_undone_was_not_noted(federation: TestFederation):
    try:
        with federation.hub.context.database.write() as connection:
            federation.hub.events.note("fsck", "info", connection=connection)
            raise RuntimeError
    except RuntimeError:
        pass
    assert noted(federation) == []


def test_strangers_texts_are_cut_and_storable(federation: TestFederation):
    federation.hub.events.note(
        "fsck", "warning", user="\ud800" + "x" * 10_000, detail={"y": "\udfff" * 10_000}
    )
    row = noted(federation)[0]
    assert len(row.user) <= 500
    assert len(json.loads(row.detail)["y"]) <= 500


def test_the_oldest_go_first(federation: TestFederation):
    for number in range(45):
        federation.hub.events.note("fsck", "info", detail={"n": number})
    assert federation.hub.events.prune() == 25
    assert [json.loads(row.detail)["n"] for row in noted(federation)] == list(range(25, 45))
    assert federation.hub.events.prune() == 0


def test_what_is_older_than_half_a_year_goes(federation: TestFederation):
    federation.hub.events.note("fsck", "info")
    federation.clock.advance(federation.limits.events_keep_s + 1)
    federation.hub.events.note("fsck", "error")
    assert federation.hub.events.prune() == 1
    assert [row.severity for row in noted(federation)] == ["error"]
