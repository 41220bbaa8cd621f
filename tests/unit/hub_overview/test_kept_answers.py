"""What is kept between looks never shows: an overview that has long looked says what a new one says."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.clock import format_instant
from core.limits import LIMITS
from core.names import DatasetId, PartnerId
from hub.overview.attention_of_nodes import SeenNode, Told, of_node
from hub.overview.grants import ReaderSets, readers_of
from hub.overview.model import NodeLine
from hub.overview.report import Report
from hub.overview.search import DatasetSearch
from hub.overview.service import Overview
from hub.services.storage_samples import StorageSampler
from hub.storage import schema
from security.rules import PERMISSION, Rule
from tests.simulation.federation import TestFederation, publish
from tests.unit.hub_overview.telling import acknowledge, mirror, overview_of, report

GEO = "la-dgm/geo"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MEMBERS = frozenset({"la-dgm", "th-dmr", "vn-dgm"})

Step = Callable[[TestFederation], object]


def everything(overview: Overview) -> dict[str, Any]:
    overview.forget()
    answers: dict[str, Any] = {
        "fleet": overview.fleet(),
        "datasets": overview.datasets(DatasetSearch()),
        "found": overview.datasets(DatasetSearch(text="geo")),
        "map": overview.map(),
        "storage": overview.storage(),
        "transfers": overview.transfers(),
        "log": overview.log(),
        "partner": overview.partner(PartnerId("la-dgm")),
    }
    if answers["datasets"].total:
        answers["dataset"] = overview.dataset(DatasetId(GEO))
    said = {name: each.model_dump() for name, each in answers.items()}
    for disk in (said["fleet"]["hub"]["disk"], said["storage"]["disk"]):
        del disk["free_bytes"], disk["days_left"]  # others write to it meanwhile
    return said


def a_leaving_owner(federation: TestFederation) -> None:
    federation.hub.registry.suspend(PartnerId("vn-dgm"))


def _sample_storage(federation: TestFederation) -> None:
    federation.clock.advance(7_200)
    StorageSampler(federation.hub.context).sample()


def _sample_nodes(federation: TestFederation, *lines: tuple[str, int], later_s: int = 0) -> None:
    """As the running hub takes them: some in one second."""
    federation.clock.advance(later_s)
    time = format_instant(federation.clock.now())
    with federation.hub.context.database.write(visible=False) as connection:
        for partner, left in lines:
            connection.execute(
                schema.node_samples.insert().values(
                    partner=partner, node="main", time=time, state="behind", bytes_left=left, rate_bytes_s=0
                )
            )


STEPS: dict[str, Step] = {
    "reports": lambda it: [report(it, who) for who in ("la-dgm", "th-dmr", "vn-dgm")],
    "a version": lambda it: publish(it, "la-dgm", "geo", {"a": b"one"}, read=["th-dmr"]),
    "one lags": lambda it: report(it, "th-dmr", mirrors=[mirror(GEO, bytes_left=3, wanted_seq=1)]),
    "a second of lag": lambda it: it.clock.advance(21),
    "a second version": lambda it: acknowledge(
        it, "th-dmr", publish(it, "la-dgm", "geo", {"a": b"two"}, read=["th-dmr"])
    ),
    "shared with all": lambda it: publish(it, "la-dgm", "geo", {"a": b"three"}, read=["federation"]),
    "trouble": lambda it: report(it, "la-dgm", faults={"disk": {"message": "full"}}),
    "somebody joins": lambda it: it.enrol("cn-cgs"),
    "a second node": lambda it: it.enrol("la-dgm", "mirror-2"),
    "suspended": a_leaving_owner,
    "resumed": lambda it: it.hub.registry.resume(PartnerId("vn-dgm")),
    "a sample of what is stored": _sample_storage,
    "samples of nodes": lambda it: _sample_nodes(it, ("la-dgm", 7), ("th-dmr", 8)),
    "one more sample": lambda it: _sample_nodes(it, ("vn-dgm", 9), later_s=5),
    "another owner stores": lambda it: (
        publish(it, "th-dmr", "wells", {"w": b"water"}, read=["federation"]),
        _sample_storage(it),
    ),
    "silence": lambda it: it.clock.advance(3_600),
    "longer silence": lambda it: it.clock.advance(61),
    "certificates run out": lambda it: it.clock.advance(LIMITS.certificate_valid_s),
}


def test_an_overview_that_has_looked_before_says_what_a_new_one_says(
    federation: TestFederation, overview: Overview
):
    everything(overview)
    for name, step in STEPS.items():
        step(federation)
        federation.clock.advance(20)  # what a store holds is asked again after fifteen seconds
        assert everything(overview) == everything(overview_of(federation)), name


def test_what_was_refreshed_is_not_looked_for_again(federation: TestFederation, overview: Overview):
    publish(federation, "la-dgm", "geo", {"a": b"one"}, read=["th-dmr"])
    overview.refresh()
    seen = overview.fleet()
    fresh_s = LIMITS.view_fresh_s
    federation.clock.advance(0.6 * fresh_s)
    assert overview.fleet() is seen, "kept for view_fresh_s"
    overview.refresh()
    newer = overview.fleet()
    assert newer is not seen, "refreshed ahead of its time"
    federation.clock.advance(0.6 * fresh_s)
    assert overview.fleet() is newer, "who comes when the first would be too old does not look"


def test_a_node_whose_certificate_comes_near_its_end_is_told_though_it_says_the_same():
    report = Report(certificate_expires=NOW + timedelta(seconds=LIMITS.certificate_valid_s / 4))
    seen, told = SeenNode(_line("in sync"), report), Told()
    for later in (0, 0.5, 1, LIMITS.certificate_valid_s / 4, LIMITS.certificate_valid_s):
        now = NOW + timedelta(seconds=later)
        assert [*told.of([seen], now, LIMITS, 7.0)] == [*of_node(seen, now, LIMITS, 7.0)], later
    assert [*told.of([seen], NOW, LIMITS, 7.0)] == [], "and with the clock set back"


def test_how_long_a_node_is_silent_is_told_to_the_second():
    seen, told = SeenNode(_line("silent"), Report()), Told()
    for later in (100, 100.5, 101, 102.9):
        now = NOW + timedelta(seconds=later)
        [said] = told.of([seen], now, LIMITS, 7.0)
        assert said.message.params["since_s"] == int(later)


def test_who_reads_is_decided_again_when_a_rule_ends_or_somebody_is_suspended():
    ends = NOW + timedelta(hours=1)
    rules = (Rule("r1", PERMISSION, "federation", ("read",), None, ends),)
    sets = ReaderSets()

    def count(now: datetime, members: frozenset[str]) -> int:
        found = sets.of("la-dgm", "policy", rules, 1, members, now)
        assert found == readers_of("la-dgm", rules, 1, members, now)
        return len(found)

    assert count(NOW, MEMBERS) == 2
    assert count(NOW, MEMBERS - {"vn-dgm"}) == 1
    assert count(ends, MEMBERS) == 0
    assert count(NOW, MEMBERS) == 2, "and with the clock set back"


@pytest.mark.parametrize("apart_s", [1, 5, 60])
def test_what_a_store_holds_is_asked_again_however_often_somebody_looks(
    federation: TestFederation, overview: Overview, apart_s: int
):
    publish(federation, "la-dgm", "geo", {"a": b"one"}, read=["th-dmr"])
    before = overview.partner(PartnerId("la-dgm")).line.used_bytes
    publish(federation, "la-dgm", "geo", {"a": b"one", "b": bytes(range(256)) * 16}, read=["th-dmr"])
    for _ in range(-(-31 // apart_s)):
        federation.clock.advance(apart_s)
        overview.fleet()
    assert overview.partner(PartnerId("la-dgm")).line.used_bytes > before


def _line(state: Any) -> NodeLine:
    return NodeLine(
        partner="la-dgm",
        node="main",
        state=state,
        version=None,
        last_seen=NOW,
        lag_s=None,
        backlog_bytes=0,
        rate_bytes_s=0,
        clock_offset_s=None,
        alarms=0,
        problems=(),
    )
