"""Everything that happened in one list, in order, whatever is looked for and however much there is."""

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from core.clock import format_instant, parse_instant
from core.errors import Denied, InvalidInput
from core.names import PartnerId
from hub.overview import backwards
from hub.overview.model import EventView
from hub.overview.search import EventSearch
from hub.overview.service import Overview
from hub.overview.wording import TEMPLATES, say
from hub.services.passwords import Cost, Passwords
from hub.storage import schema
from tests.simulation.federation import TestFederation, publish
from tests.unit.hub_overview.telling import acknowledge


def everything(overview: Overview, count: int = 500, **search: Any) -> list[EventView]:
    """All pages."""
    found: list[EventView] = []
    after = None
    for _ in range(200):
        page = overview.events(EventSearch(after=after, count=count, **search))
        found += page.events
        after = page.next
        if after is None:
            return found
    raise AssertionError("the list does not end")


def lively(federation: TestFederation) -> None:
    """Leaves of many types, and events between them."""
    hub = federation.hub
    for round_ in range(4):
        federation.clock.advance(60)
        version = publish(federation, "la-dgm", "geo", {"a": b"%d" % round_}, read=["th-dmr"])
        hub.events.note("node.silent", "warning", partner="vn-dgm", node="main", detail={"last_seen": "x"})
        federation.clock.advance(60)
        acknowledge(federation, "th-dmr", version)
        hub.registry.suspend(PartnerId("vn-dgm"))
        hub.events.note("fsck", "error", detail={"problems": round_})
        hub.registry.resume(PartnerId("vn-dgm"))


def test_leaves_and_events_are_one_list_in_order_of_time(federation: TestFederation, overview: Overview):
    lively(federation)
    found = everything(overview)
    times = [each.time for each in found]
    assert times == sorted(times, reverse=True)
    leaves = [each.leaf for each in found if each.leaf is not None]
    assert leaves == list(range(federation.hub.translog.size()))[::-1]
    assert sum(each.kind == "fsck" for each in found) == 4
    assert len({each.id for each in found}) == len(found)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_pages_continue_where_the_last_one_ended(federation: TestFederation, overview: Overview, count: int):
    lively(federation)
    whole = everything(overview)
    assert everything(overview, count=count) == whole
    assert everything(overview, count=count, partner="la-dgm") == everything(overview, partner="la-dgm")


def test_what_came_meanwhile_does_not_shift_the_pages(federation: TestFederation, overview: Overview):
    lively(federation)
    whole = everything(overview)
    first = overview.events(EventSearch(count=5))
    lively(federation)
    second = overview.events(EventSearch(count=5, after=first.next))
    assert [*first.events, *second.events] == whole[:10]


def test_each_is_told_in_words_with_its_reason(federation: TestFederation, overview: Overview):
    lively(federation)
    said = {say(each.message) for each in everything(overview)}
    assert "la-dgm published version 2 of la-dgm/geo" in said
    assert "la-dgm put policy 1 of la-dgm/geo in force" in said
    assert "th-dmr (node main) holds la-dgm/geo, version 4" in said
    assert "vn-dgm was suspended" in said
    assert "fsck read everything again; problems that it found: 3" in said
    assert {each.message.code for each in everything(overview)} <= TEMPLATES.keys()


SEARCHES: dict[str, dict[str, Any]] = {
    "of a partner": {"partner": "vn-dgm"},
    "of a dataset": {"dataset": "la-dgm/geo"},
    "of both": {"dataset": "la-dgm/geo", "partner": "th-dmr"},
    "of a kind of leaf": {"kind": "version"},
    "of a kind of event": {"kind": "fsck"},
    "errors": {"severity": "error"},
    "warnings": {"severity": "warning"},
    "information": {"severity": "info"},
    "warnings of a partner": {"severity": "warning", "partner": "vn-dgm"},
    "a kind of a partner": {"kind": "act", "partner": "vn-dgm"},
    "an event of a partner": {"kind": "node.silent", "partner": "vn-dgm"},
    "nothing such": {"kind": "fsck", "dataset": "la-dgm/geo"},
}


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
@pytest.mark.parametrize("scanned", [3, 100_000])
def test_a_search_finds_exactly_what_matches(
    federation: TestFederation,
    overview: Overview,
    search: dict[str, Any],
    scanned: int,
    monkeypatch: pytest.MonkeyPatch,
):
    lively(federation)
    whole = everything(overview)
    monkeypatch.setattr(backwards, "SCAN_COUNT", scanned)

    def matches(each: EventView) -> bool:
        wanted = {name: value for name, value in search.items() if name != "partner"}
        partner = search.get("partner")
        return all(getattr(each, name) == value for name, value in wanted.items()) and (
            partner is None or each.partner == partner
        )

    assert everything(overview, **search) == [each for each in whole if matches(each)]


def test_words_are_found_wherever_they_stand(federation: TestFederation, overview: Overview):
    hub = federation.hub
    hub.events.note(
        "node.trouble", "error", partner="la-dgm", detail={"reason": "DISK_FULL", "about": 'ແຜນ"ທີ່'}
    )
    lively(federation)
    assert [each.kind for each in everything(overview, text="disk_full")] == ["node.trouble"]
    assert [each.kind for each in everything(overview, text='ແຜນ"ທີ່ la-dgm')] == ["node.trouble"]
    assert {each.kind for each in everything(overview, text="suspend")} == {"act"}
    assert everything(overview, text="100%_nowhere") == []


def test_a_time_is_searched_to_its_exact_ends(federation: TestFederation, overview: Overview):
    lively(federation)
    whole = everything(overview)
    since, until = whole[-4].time, whole[3].time
    found = everything(overview, since=since, until=until)
    assert found == [each for each in whole if since <= each.time < until]


def test_a_clock_that_was_set_back_hides_nothing(federation: TestFederation, overview: Overview):
    lively(federation)
    federation.clock.advance(-150)
    lively(federation)
    whole = everything(overview)
    since = min(each.time for each in whole[:12])
    found = everything(overview, since=since)
    assert {each.id for each in found} == {each.id for each in whole if each.time >= since}


@pytest.mark.parametrize("after", ["", "x", "l1", "l-1.e2", "l1.e2; DROP", "l" + "9" * 40 + ".e1"])
def test_a_place_that_is_none_is_refused(overview: Overview, after: str):
    with pytest.raises(InvalidInput):
        overview.events(EventSearch(after=after))


def test_searches_are_bounded():
    for wrong in ({"count": 0}, {"count": 501}, {"text": "x" * 201}, {"partner": "../x"}, {"dataset": "x"}):
        with pytest.raises(InvalidInput):
            EventSearch.read({name: str(value) for name, value in wrong.items()})
    assert EventSearch.read({"severity": "", "lang": "lo"}) == EventSearch()
    with pytest.raises(InvalidInput, match="severity"):
        EventSearch.read({"severity": "fatal"})


# --- a million leaves --------------------------------------------------------------------------------------


def test_no_page_reads_a_whole_table(federation: TestFederation, overview: Overview):
    """Every statement that a page of events makes walks an index or a bounded part of the table."""
    made_up(federation, 3_000)
    plans = planned(federation, overview)
    assert len(plans) > 20
    for statement, plan in plans:
        for step in plan:
            assert "TEMP B-TREE" not in step, (statement, plan)
            scans_all = step.startswith(("SCAN leaves", "SCAN events")) and "USING" not in step
            assert not scans_all or "LIMIT" in statement, (statement, plan)


def test_what_no_index_tells_is_looked_for_in_bounded_steps(
    federation: TestFederation, overview: Overview, monkeypatch: pytest.MonkeyPatch
):
    made_up(federation, 3_000)
    monkeypatch.setattr(backwards, "SCAN_COUNT", 500)
    page = overview.events(EventSearch(text="nowhere"))
    assert page.events == ()
    assert page.next is not None
    steps = 1
    while page.next is not None:
        page = overview.events(EventSearch(text="nowhere", after=page.next))
        steps += 1
    assert 6 <= steps <= 9


def made_up(federation: TestFederation, count: int) -> None:
    """Many leaves that say little, and some events."""
    first = federation.hub.translog.size()
    start = federation.clock.now()
    leaves: list[dict[str, Any]] = []
    for number in range(first, first + count):
        time = format_instant(start + timedelta(seconds=number))
        record = {"v": 1, "type": "version", "time": time, "detail": {"seq": number}}
        leaves.append(
            {
                "idx": number,
                "leaf": b"",
                "type": "version",
                "record": json.dumps(record).encode(),
                "nonce": b"",
                "actor": "la-dgm",
                "time": time,
                "object": "la-dgm/geo",
            }
        )
    with federation.hub.context.database.write() as connection:
        connection.execute(schema.leaves.insert(), leaves)
        connection.execute(
            schema.events.insert(),
            [
                {"time": leaves[n]["time"], "kind": "fsck", "severity": "info", "detail": "{}"}
                for n in range(0, count, 3)
            ],
        )
        connection.exec_driver_sql("ANALYZE")


def planned(federation: TestFederation, overview: Overview) -> list[tuple[str, list[str]]]:
    """How SQLite answers each statement on leaves and events of the searches above."""
    statements: list[tuple[str, Any]] = []

    def remember(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM leaves" in statement or "FROM events" in statement:
            statements.append((statement, parameters))

    engine = federation.hub.context.database._engine
    now = federation.clock.now() + timedelta(seconds=1000)
    searches = [*SEARCHES.values(), {}, {"text": "x"}, {"since": now}, {"until": now}]
    sa.event.listen(engine, "before_cursor_execute", remember)
    try:
        for search in searches:
            overview.events(EventSearch(**search))
    finally:
        sa.event.remove(engine, "before_cursor_execute", remember)
    plans: list[tuple[str, list[str]]] = []
    with federation.hub.context.database.read() as connection:
        for statement, parameters in statements:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.append((statement, [str(row[-1]) for row in rows]))
    return plans


def test_the_first_of_a_time_is_found_by_bisection(federation: TestFederation):
    made_up(federation, 5_000)
    table = schema.leaves
    with federation.hub.context.database.read() as connection:
        time = connection.execute(sa.select(table.c.time).where(table.c.idx == 4_000)).scalar_one()
        found = backwards.first_since(connection, table.c.idx, table.c.time, time)
        assert found == 4_000 - backwards.CLOCK_SET_BACK_COUNT
        late = format_instant(parse_instant(time) + timedelta(days=400))
        size = federation.hub.translog.size()
        assert backwards.first_since(connection, table.c.idx, table.c.time, late) == (
            size - backwards.CLOCK_SET_BACK_COUNT
        )


def test_who_did_it_is_told_apart_from_whom_it_was_done_to(federation: TestFederation, overview: Overview):
    hub = federation.hub
    hub.users.passwords = Passwords(Cost(time=1, memory_kib=8, lanes=1))
    hub.users.add("vilay", "correct horse battery staple", {"operator"})
    for _ in range(5):
        with pytest.raises(Denied):
            hub.users.authenticate("vilay", "wrong")
    hub.users.unlock("vilay")
    hub.users.authenticate("vilay", "correct horse battery staple")
    hub.registry.suspend(PartnerId("vn-dgm"), by="vilay")
    hub.registry.resume(PartnerId("vn-dgm"))
    publish(federation, "la-dgm", "geo", {"a": b"rock"}, read=["th-dmr"])
    by = {each.message.code: (each.user, each.actor) for each in everything(overview)}
    assert by["log.act.user-add"] == by["log.act.user-unlock"] == (None, "operator")
    assert by["log.act.login-refused"] == by["login.locked"] == (None, None), "nobody knows who tried"
    assert by["log.act.login"] == by["log.act.suspend"] == ("vilay", None)
    assert by["log.act.resume"] == (None, "operator")
    assert by["log.version"] == (None, "la-dgm")
    words = {each.message.code: say(each.message) for each in everything(overview)}
    assert "vilay" in words["log.act.user-add"] and "vilay" in words["login.locked"]
