"""Datasets: fresh, due, late by their owner's own word; what a list and a page say of them."""

import json
from datetime import timedelta
from typing import Any

import pytest

from core.errors import InvalidInput
from core.names import DatasetId, PartnerId
from hub.overview import shelves
from hub.overview.model import DatasetLine
from hub.overview.search import DatasetSearch
from hub.overview.service import Overview
from hub.overview.wording import say
from hub.storage import schema
from security.rules import FEDERATION, Rule
from tests.simulation.federation import (
    TestFederation,
    build_version,
    known_versions,
    publish,
    sha256_of_payload,
    share,
    upload,
)
from tests.unit.hub_overview.telling import acknowledge, overview_of, report

GEO = DatasetId("la-dgm/geo")


def line(overview: Overview, dataset: str = GEO) -> DatasetLine:
    return next(each for each in overview.datasets(DatasetSearch()).lines if each.dataset == dataset)


def declare(federation: TestFederation, dataset: str = GEO, **said: Any) -> None:
    """What the owner's node says of its dataset."""
    report(
        federation, dataset.partition("/")[0], publish=[{"dataset": dataset, "state": "published", **said}]
    )


def publish_about(federation: TestFederation, name: str, **changes: Any) -> None:
    """A first version with other words in its manifest."""
    share(federation, "la-dgm", name, read=["th-dmr"])
    version = build_version(federation, "la-dgm", name, {"a": b"1"}, **changes)
    upload(federation, "la-dgm", version.chunks)
    federation.hub.catalogue.commit_version(federation.caller("la-dgm"), version.envelope, version.root)


def test_a_dataset_is_late_by_its_owners_own_cadence(federation: TestFederation, overview: Overview):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    assert line(overview).freshness == "unknown"
    declare(federation, update_frequency="monthly")
    fresh = line(overview)
    assert (fresh.freshness, fresh.update_frequency) == ("fresh", "monthly")
    assert fresh.next_due is not None
    federation.clock.advance((fresh.next_due - federation.clock.now()).total_seconds())
    assert line(overview).freshness == "due"
    federation.clock.advance(4 * 86_400)
    assert line(overview).freshness == "late"
    late = overview.dataset(GEO).attention
    assert [each.message.code for each in late] == ["attention.dataset-late"]
    assert overview.datasets(DatasetSearch(freshness="late")).total == 1
    publish(federation, "la-dgm", "geo", {"a": b"2"})
    assert line(overview).freshness == "fresh"
    assert overview.datasets(DatasetSearch(freshness="late")).total == 0


def test_an_irregular_one_is_late_after_its_date_alone(federation: TestFederation, overview: Overview):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    day = federation.clock.now() + timedelta(days=10)
    declare(federation, update_frequency="irregular", next_update=day.strftime("%Y-%m-%d"))
    assert line(overview).freshness == "fresh"
    federation.clock.advance(12 * 86_400)
    assert line(overview).freshness == "late"
    publish(federation, "la-dgm", "geo", {"a": b"2"})
    assert (line(overview).freshness, line(overview).next_due) == ("fresh", None)


def test_nothing_more_is_expected_from_an_owner_that_left(federation: TestFederation, overview: Overview):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    declare(federation, update_frequency="daily")
    federation.clock.advance(10 * 86_400)
    assert line(overview).freshness == "late"
    with federation.hub.context.database.write() as connection:
        connection.execute(
            schema.departures.insert().values(
                partner="la-dgm", node="", time="2026-01-01T00:00:00Z", reason="", leaf=0, envelope=b""
            )
        )
        table = schema.enrolments
        connection.execute(table.update().where(table.c.partner == "la-dgm").values(state="left"))
    gone = line(overview)
    assert (gone.owner_left, gone.freshness, gone.next_due) == (True, "unknown", None)
    codes = [each.message.code for each in overview.dataset(GEO).attention]
    assert codes == ["attention.dataset-left"]


def test_holders_are_counted_among_those_who_may_read(federation: TestFederation, overview: Overview):
    rules = [
        Rule("all", "permission", FEDERATION, ("read",)),
        Rule("not", "prohibition", PartnerId("vn-dgm"), ("read",)),
    ]
    share(federation, "la-dgm", "geo", rules=rules)
    version = publish(federation, "la-dgm", "geo", {"a": b"1"})
    assert (line(overview).readers, line(overview).holders) == (1, 0)
    acknowledge(federation, "th-dmr", version)
    assert (line(overview).readers, line(overview).holders) == (1, 1)
    publish(federation, "la-dgm", "geo", {"a": b"2"})
    assert (line(overview).readers, line(overview).holders) == (1, 0)
    share(federation, "la-dgm", "geo", rules=[])
    assert (line(overview).readers, line(overview).holders) == (0, 0)


def test_a_rule_whose_time_comes_changes_the_count_without_any_write(
    federation: TestFederation, overview: Overview
):
    begins = federation.clock.now() + timedelta(hours=1)
    share(
        federation,
        "la-dgm",
        "geo",
        rules=[Rule("soon", "permission", PartnerId("th-dmr"), ("read",), begins, None)],
    )
    assert line(overview).readers == 0
    federation.clock.advance(3600)
    assert line(overview).readers == 1


def test_a_version_whose_bytes_stay_with_the_owner_says_so(federation: TestFederation, overview: Overview):
    version = publish(federation, "la-dgm", "geo", {"a": b"1"}, withhold=True)
    assert line(overview).withheld
    upload(federation, "la-dgm", version.chunks)
    federation.hub.catalogue.commit_version(federation.caller("la-dgm"), version.envelope, version.root)
    assert not line(overview).withheld


def test_before_a_first_version_there_is_a_line_without_one(federation: TestFederation, overview: Overview):
    share(federation, "la-dgm", "geo", read=["th-dmr"])
    first = line(overview)
    assert (first.seq, first.last_version, first.title, first.files) == (None, None, {}, 0)
    assert overview.dataset(GEO).versions == ()


def test_words_are_found_in_id_title_and_theme_of_any_script(federation: TestFederation, overview: Overview):
    publish_about(federation, "sheet-1", title={"en": "Geology of Lao", "lo": "ແຜນທີ່"}, theme="hazard")
    publish_about(federation, "sheet-2", title={"zh-Hans": "地质图"}, theme="mineral")

    def found(**search: Any) -> list[str]:
        return [each.dataset.partition("/")[2] for each in overview.datasets(DatasetSearch(**search)).lines]

    assert found(text="GEOLOGY lao") == ["sheet-1"]
    assert found(text="ແຜນ") == ["sheet-1"]
    assert found(text="地质") == ["sheet-2"]
    assert found(text="mineral") == ["sheet-2"]
    assert found(theme="hazard") == ["sheet-1"]
    assert found(owner="th-dmr") == []
    assert found() == ["sheet-1", "sheet-2"]
    one = overview.datasets(DatasetSearch(text="sheet-1")).lines[0]
    assert (one.theme, one.license) == ("hazard", "CC-BY-4.0")


def test_pages_hold_each_dataset_once(federation: TestFederation, overview: Overview):
    for number in range(7):
        share(federation, "la-dgm", f"d{number}", read=["th-dmr"])
    found: list[str] = []
    after = None
    while True:
        page = overview.datasets(DatasetSearch(count=3, after=after))
        assert page.total == 7
        found += [each.dataset for each in page.lines]
        after = page.next
        if after is None:
            break
    assert found == [f"la-dgm/d{number}" for number in range(7)]


def test_what_other_processes_write_is_seen(federation: TestFederation, overview: Overview):
    """The leaves that came since the last look tell what to look at: whoever wrote them."""
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    beside = overview_of(federation)
    assert line(beside).seq == 1
    publish(federation, "la-dgm", "geo", {"a": b"2"})
    share(federation, "th-dmr", "tin", read=["la-dgm"])
    assert line(beside).seq == 2
    assert [each.dataset for each in beside.datasets(DatasetSearch()).lines] == ["la-dgm/geo", "th-dmr/tin"]


@pytest.mark.parametrize("at_once", [0, 1, 1000])
def test_a_look_at_what_changed_sees_what_a_look_at_all_sees(
    federation: TestFederation, overview: Overview, at_once: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shelves, "_CHANGED_COUNT_MAX", at_once)
    overview.datasets(DatasetSearch())
    for number in range(3):
        publish(federation, "la-dgm", f"d{number}", {"a": b"1"}, read=["th-dmr"])
        publish(federation, "la-dgm", "geo", {"a": b"%d" % number}, read=["vn-dgm"])
        declare(federation, "la-dgm/d0", update_frequency="daily")
        assert overview.datasets(DatasetSearch()) == overview_of(federation).datasets(DatasetSearch())


def test_versions_say_what_changed_and_mark_what_shrank(federation: TestFederation, overview: Overview):
    sizes = [10, 9, 7, 7]
    for number, count in enumerate(sizes):
        files = {f"{place}.txt": b"x" * (100 + number) for place in range(count)}
        publish(federation, "la-dgm", "geo", files, read=["th-dmr"])
    newest = known_versions(federation, federation.caller("la-dgm"), GEO)[-1]
    shown = overview.dataset(GEO).versions
    assert [each.seq for each in shown] == [4, 3, 2, 1]
    assert [each.files_delta for each in shown] == [0, -2, -1, 10]
    assert [each.shrunk for each in shown] == [False, True, False, False]
    assert shown[0].bytes_delta == 7
    assert shown[0].id == sha256_of_payload(newest)


def test_a_version_counts_its_deliveries_and_acknowledgements(federation: TestFederation, overview: Overview):
    version = publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr", "vn-dgm"])
    acknowledge(federation, "th-dmr", version)
    acknowledge(federation, "vn-dgm", version)
    (shown,) = overview.dataset(GEO).versions
    assert (shown.deliveries, shown.acknowledgements) == (0, 2)


def test_rules_are_sentences_with_their_dates(federation: TestFederation, overview: Overview):
    now = federation.clock.now()
    day = timedelta(days=1)
    rules = [
        Rule("a", "permission", FEDERATION, ("discover",)),
        Rule("b", "permission", PartnerId("th-dmr"), ("discover", "read"), now, now + day),
        Rule("c", "prohibition", PartnerId("vn-dgm"), ("discover",), None, now + day),
        Rule("d", "prohibition", PartnerId("vn-dgm"), ("read",), now + day),
    ]
    share(federation, "la-dgm", "geo", rules=rules)
    begin, end = (moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (now, now + day))
    assert [say(rule.text) for rule in overview.dataset(GEO).rules] == [
        "every member of the federation, future ones too may see that it exists, but not read it",
        f"th-dmr may see and read it, from {begin} until {end}",
        f"vn-dgm may not see or read it, until {end}",
        f"vn-dgm may not read it, from {end}",
    ]


def test_there_is_no_such_dataset(overview: Overview):
    with pytest.raises(InvalidInput) as caught:
        overview.dataset(DatasetId("la-dgm/nowhere"))
    assert caught.value.reason == "NO_SUCH_DATASET"


def test_the_map_draws_what_has_a_place(federation: TestFederation, overview: Overview):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    publish(federation, "la-dgm", "nowhere", {"a": b"1"}, read=["th-dmr"])
    assert (overview.map().items, overview.map().placeless) == ((), 2)
    footprint = {
        "bbox": [170.5, -20, -170, 10.25],
        "bbox_source": "extracted",
        "begin": "2001",
        "end": "2020-12-31",
        "period_source": "declared",
    }
    declare(federation, update_frequency="daily", footprint=footprint)
    (item,) = overview.map().items
    assert (item.bbox, item.source, item.theme) == (
        (170.5, -20.0, -170.0, 10.25),
        "extracted",
        "basic-geology",
    )
    assert (item.freshness, overview.map().placeless) == ("fresh", 1)
    shown = overview.dataset(GEO).footprint
    assert (shown.begin, shown.end, shown.period_source) == ("2001", "2020-12-31", "declared")
    federation.clock.advance(5 * 86_400)
    assert overview.map().items[0].freshness == "late"


def test_facts_that_no_release_has_written_stop_no_page(federation: TestFederation, overview: Overview):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    wrong = ["[]", "{", '{"bbox": [1, 2, 3]}', '{"bbox": [NaN, 0, 0, 0]}', json.dumps({"bbox": "x"})]
    for number, text in enumerate(wrong):
        with federation.hub.context.database.write() as connection:
            connection.execute(schema.dataset_facts.delete())
            connection.execute(
                schema.dataset_facts.insert().values(
                    dataset=GEO,
                    time=f"2026-01-0{number + 1}T00:00:00Z",
                    update_frequency="never",
                    next_update="soon",
                    footprint=text,
                    period=text,
                )
            )
        beside = overview_of(federation)
        assert beside.map().items == ()
        assert line(beside).freshness == "unknown"
