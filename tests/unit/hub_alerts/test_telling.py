"""Told once, told together, told again in time, told when over; never twice, never a storm."""

from typing import Any

from core.limits import LIMITS
from hub.alerts.letter import Letter, subject, text
from hub.alerts.outbox import waiting_count
from hub.alerts.pace import quiet_s
from hub.storage import schema
from tests.unit.hub_alerts import views
from tests.unit.hub_alerts.conftest import Alerting, RememberingChannel
from tests.unit.hub_alerts.views import DAY

HOUR = 3600.0


def words(letters: list[Letter]) -> list[tuple[str | None, list[tuple[str, str]]]]:
    return [
        (letter.rule, [(item.word, item.key.rpartition("/")[2]) for item in letter.items])
        for letter in letters
    ]


def test_what_lasts_is_told_once(alerting: Alerting) -> None:
    alerting.silent("n1")
    assert alerting.look() == []
    assert words(alerting.pass_time(HOUR)) == [("silent", [("new", "n1")])]


def test_what_passes_by_itself_is_not_told(alerting: Alerting) -> None:
    alerting.silent("n1")
    alerting.pass_time(90)
    alerting.silent()
    assert alerting.pass_time(HOUR) == []
    assert alerting.rows() == []


def test_what_arises_together_is_told_together_one_message_a_rule(alerting: Alerting) -> None:
    alerting.silent("n1", "n2")
    alerting.look()
    alerting.silent(*(f"n{number}" for number in range(30)))
    [first, second] = alerting.pass_time(300)
    assert len(first.items) == 2
    assert len(second.items) == 28
    alerting.overview.late = [views.dataset(f"th-dmr/d{number}") for number in range(700)]
    [letter] = alerting.pass_time(300)
    assert (letter.rule, len(letter.items), letter.more) == ("late", LIMITS.alert_items_count_max, 650)
    assert "And 650 more" in text(letter)
    assert subject(letter) == "[Mekong Geoscience] late: 700 new"


def test_it_is_told_again_once_a_period_and_all_of_a_rule_together(alerting: Alerting) -> None:
    alerting.silent("n1")
    alerting.pass_time(HOUR)
    alerting.silent("n1", "n2")
    alerting.pass_time(HOUR)
    later = words(alerting.pass_time(24 * HOUR, every=300))
    assert later == [("silent", [("still", "n1"), ("still", "n2")])]


def test_it_is_told_when_it_is_over(alerting: Alerting) -> None:
    alerting.silent("n1")
    alerting.pass_time(HOUR)
    alerting.silent()
    assert alerting.pass_time(LIMITS.alert_over_s - 60) == []
    [letter] = alerting.pass_time(120)
    assert words([letter]) == [("silent", [("over", "n1")])]
    assert subject(letter).startswith("[Mekong Geoscience] silent: over: la-dgm (node n1)")
    assert alerting.pass_time(30 * HOUR, every=300) == []


def test_what_flaps_is_one_alert(alerting: Alerting) -> None:
    """Ten minutes there, ten away, for a day: one message, and its repetition."""
    told: list[Letter] = []
    for _ in range(70):
        alerting.silent("n1")
        told += alerting.pass_time(600, every=150)
        alerting.silent()
        told += alerting.pass_time(600, every=150)
    assert words(told) == [("silent", [("new", "n1")])]
    assert len(alerting.rows()) == 1


def test_what_flaps_slowly_needs_longer_each_time_to_be_over(alerting: Alerting) -> None:
    told: list[Letter] = []
    for _ in range(16):  # an hour and a half each
        alerting.silent("n1")
        told += alerting.pass_time(HOUR, every=150)
        alerting.silent()
        told += alerting.pass_time(HOUR / 2, every=150)
    assert len(told) <= 6
    steps = [quiet_s(returns, 24 * HOUR, LIMITS) for returns in range(10)]
    assert steps[:3] == [900, 1800, 3600]
    assert steps[-1] == 24 * HOUR


def test_what_gets_worse_is_told_at_once(alerting: Alerting) -> None:
    days = [views.NOW]

    def nodes() -> list[Any]:
        return [views.node(now=alerting.clock.now(), certificate_expires=days[0])]

    days[0] = alerting.clock.now() + 6 * DAY
    alerting.show = nodes
    assert words(alerting.pass_time(600))[0][1][0][0] == "new"
    days[0] = alerting.clock.now() + 3 * DAY
    assert words(alerting.look())[0][1][0][0] == "worse"
    assert alerting.look() == []
    # A little better again, and back: nothing new.
    days[0] = alerting.clock.now() + 5 * DAY
    alerting.look()
    days[0] = alerting.clock.now() + 3 * DAY
    assert alerting.look() == []


def test_what_cannot_be_judged_stays_as_it_is(alerting: Alerting) -> None:
    """A node with a wrong clock falls silent: that its clock was set right is not known."""

    def wrong() -> list[Any]:
        return [views.node(now=alerting.clock.now(), clock_offset_s=900.0)]

    alerting.show = wrong
    assert words(alerting.pass_time(HOUR)) == [("clock", [("new", "main")])]

    def silent() -> list[Any]:
        now = alerting.clock.now()
        return [views.node(now=now, clock_offset_s=900.0, state="silent", last_seen=now - DAY)]

    alerting.show = silent
    assert words(alerting.pass_time(5 * HOUR, every=150)) == [("silent", [("new", "main")])]
    alerting.show = lambda: [views.node(now=alerting.clock.now())]
    assert sorted(words(alerting.pass_time(HOUR))) == [
        ("clock", [("over", "main")]),
        ("silent", [("over", "main")]),
    ]


def test_a_restart_tells_nothing_twice_and_forgets_nothing(alerting: Alerting) -> None:
    alerting.silent("n1", "n2")
    assert len(alerting.pass_time(HOUR)) == 1
    alerting.restart()
    assert alerting.pass_time(HOUR) == []
    alerting.silent("n2")
    alerting.restart()
    assert words(alerting.pass_time(HOUR)) == [("silent", [("over", "n1")])]


def test_time_without_a_hub_is_no_time_without_trouble(alerting: Alerting) -> None:
    """A node that flaps, and is well at the first look after the hub was away: that is not yet over."""
    alerting.show = lambda: [views.node(now=alerting.clock.now(), clock_offset_s=900.0)]
    assert words(alerting.pass_time(HOUR)) == [("clock", [("new", "main")])]
    alerting.clock.advance(6 * HOUR)
    alerting.restart()
    alerting.show = lambda: [views.node(now=alerting.clock.now())]
    assert alerting.pass_time(LIMITS.alert_over_s - 60) == []
    alerting.show = lambda: [views.node(now=alerting.clock.now(), clock_offset_s=900.0)]
    assert alerting.pass_time(HOUR) == []
    assert len(alerting.rows()) == 1


def test_after_the_hub_was_away_nobody_is_silent_who_comes_back(alerting: Alerting) -> None:
    alerting.pass_time(300)
    alerting.clock.advance(6 * HOUR)
    alerting.restart()
    alerting.silent(*(f"n{number}" for number in range(40)))
    assert alerting.pass_time(LIMITS.alert_reconnect_s - 60) == []
    alerting.silent("n1")
    assert words(alerting.pass_time(HOUR)) == [("silent", [("new", "n1")])]


def test_never_a_storm_and_what_is_left_out_is_said(alerting: Alerting) -> None:
    told: list[Letter] = []
    names: list[str] = []
    for number in range(40):  # a new one every four minutes, each a message of its own
        names.append(f"n{number}")
        alerting.silent(*names)
        told += alerting.pass_time(240, every=60)
        lately = [each for each in told if (alerting.clock.now() - each.time).total_seconds() < HOUR]
        assert len(lately) <= LIMITS.alert_letters_per_hour_max
    told += alerting.pass_time(HOUR)
    said = [item.key for letter in told for item in letter.items if item.word == "new"]
    assert len(said) == len(set(said)) == 40
    notes = [note for letter in told for note in letter.notes]
    assert any("the most that are sent" in note for note in notes)
    assert any("Messages were held back since" in note for note in notes)


def test_alerts_that_pass_while_messages_are_held_back_are_counted(alerting: Alerting) -> None:
    names: list[str] = []
    for number in range(LIMITS.alert_letters_per_hour_max):
        names.append(f"n{number}")
        alerting.silent(*names)
        alerting.pass_time(180)
    assert len(alerting.channels[0].letters) == LIMITS.alert_letters_per_hour_max
    alerting.silent(*names, "n30", "n31")
    alerting.pass_time(300)
    alerting.silent(*names, "n32")
    after = alerting.pass_time(HOUR)
    assert words(after)[0] == ("silent", [("new", "n32")])
    assert "Alerts that were over by now and are not told: 2." in text(after[0])


def test_a_muted_rule_is_closed_without_a_word(alerting: Alerting) -> None:
    alerting.silent("n1")
    alerting.pass_time(HOUR)
    alerting.settings = alerting.settings.model_copy(
        update={"alerts": alerting.settings.alerts.model_copy(update={"mute": ["silent"]})}
    )
    alerting.restart()
    assert alerting.pass_time(2 * HOUR) == []
    assert [row.over is not None for row in alerting.rows()] == [True]


def test_without_a_channel_the_book_is_kept(alerting: Alerting) -> None:
    alerting.channels = ()
    alerting.restart()
    alerting.channels = (RememberingChannel(),)
    alerting.silent("n1")
    alerting.pass_time(HOUR)
    assert [row.key for row in alerting.rows()] == ["silent:la-dgm/n1"]
    assert alerting.rows(schema.alert_letters) == []
    assert waiting_count(alerting.federation.hub.context.database) == {}


def test_an_alarm_is_told_at_the_first_look(alerting: Alerting) -> None:
    from tests.unit.hub_alerts.test_rules import alarm

    def nodes() -> list[Any]:
        return [views.node(now=alerting.clock.now())]

    alerting.look()
    alerting.overview.show(*nodes(), now=alerting.clock.now())
    alerting.overview.shown_log = views.log(alerting.clock.now(), alarms=(alarm(),))
    alerting.watch.perform()
    [letter] = alerting.channels[0].letters
    assert letter.rule == "witness"
    assert letter.items[0].link == "https://hub.example.org/log"
