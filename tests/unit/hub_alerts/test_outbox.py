"""A message reaches each channel once, or everybody hears that it did not."""

import json

import pytest

from core.errors import Unavailable
from core.limits import LIMITS
from hub.alerts.channel import REFUSED, UNREACHABLE
from hub.alerts.outbox import troubles, waiting_count
from hub.overview.service import Overview
from hub.overview.wording import TEMPLATES, say
from hub.storage import schema
from tests.simulation.federation import TestFederation
from tests.unit.hub_alerts.conftest import Alerting, RememberingChannel

NOBODY = Unavailable("mail.example.org:587 does not answer", remedy="see", reason=UNREACHABLE)
NO = Unavailable("mail.example.org:587 refuses the mail", remedy="correct it", reason=REFUSED)


@pytest.fixture
def both(federation: TestFederation) -> Alerting:
    return Alerting(federation, federation.clock, RememberingChannel("webhook"), RememberingChannel("email"))


def tell(alerting: Alerting) -> None:
    alerting.silent("n1")
    alerting.pass_time(180)


def test_every_channel_gets_the_same_letter(both: Alerting) -> None:
    tell(both)
    webhook, email = both.channels
    assert webhook.letters == email.letters
    assert len(both.events("alert-told")) == 2
    assert waiting_count(both.federation.hub.context.database) == {}


def test_a_channel_that_fails_is_tried_again_with_the_same_letter_and_shows(both: Alerting) -> None:
    webhook, email = both.channels
    email.fault = NOBODY
    tell(both)
    both.restart()
    both.pass_time(3600)
    assert len(webhook.letters) == 1
    assert len(set(email.tried)) == 1
    assert 3 <= len(email.tried) <= 8  # further and further apart
    [trouble] = troubles(both.federation.hub.context.database)
    assert (trouble.channel, trouble.waiting, trouble.attempts) == ("email", 1, len(email.tried))
    assert trouble.problem == NOBODY.message
    assert len(both.events("alert-failed")) == 1
    shown = Overview(both.federation.hub, both.settings).fleet().attention
    [attention] = [each for each in shown if each.message.code == "attention.channel-failing"]
    assert "alerts by email do not arrive: mail.example.org:587 does not answer" in say(attention.message)
    assert attention.urgent
    email.fault = None
    both.pass_time(LIMITS.alert_retry_max_s)
    assert [letter.id for letter in email.letters] == [webhook.letters[0].id]
    assert troubles(both.federation.hub.context.database) == []


def test_a_channel_that_nobody_answers_at_is_asked_once_a_turn(both: Alerting) -> None:
    _, email = both.channels
    email.fault = NOBODY
    names: list[str] = []
    for number in range(6):
        names.append(f"n{number}")
        both.silent(*names)
        both.pass_time(180)
    before = len(email.tried)
    both.clock.advance(LIMITS.alert_retry_max_s)
    both.look()
    assert len(email.tried) == before + 1
    email.fault = None
    both.clock.advance(LIMITS.alert_retry_max_s)
    both.look()
    assert len(email.letters) == 6


def test_one_letter_that_is_refused_does_not_keep_others(both: Alerting) -> None:
    _, email = both.channels
    email.fault = NO
    tell(both)
    email.fault = None
    both.silent("n1", "n2")
    both.pass_time(150)
    assert any(item.key.endswith("n2") for letter in email.letters for item in letter.items)


def test_what_nobody_takes_is_given_up_and_said(both: Alerting) -> None:
    webhook, email = both.channels
    email.fault = NO
    tell(both)
    both.silent("n1")
    both.clock.advance(LIMITS.alert_given_up_s)
    both.look()
    [detail] = both.events("alert-given-up")
    assert json.loads(detail)["channel"] == "email"
    assert webhook.letters


def test_letters_of_a_channel_that_was_taken_away_are_given_up(both: Alerting) -> None:
    _, email = both.channels
    email.fault = NOBODY
    tell(both)
    both.channels = both.channels[:1]
    both.restart()
    both.look()
    assert len(both.events("alert-given-up")) == 1
    assert troubles(both.federation.hub.context.database) == []


def test_a_crash_between_writing_and_sending_loses_nothing(both: Alerting) -> None:
    webhook, email = both.channels

    class Crash(BaseException):
        pass

    webhook.fault = Crash()
    both.silent("n1")
    with pytest.raises(Crash):
        both.pass_time(600)
    webhook.fault = None
    both.restart()
    both.look()
    assert len(webhook.letters) == len(email.letters) == 1
    assert webhook.letters[0].id == webhook.tried[0]


def test_every_event_and_what_a_failing_channel_says_has_its_words() -> None:
    for code in ("alert-told", "alert-failed", "alert-given-up"):
        assert code in TEMPLATES
    assert {"attention.channel-failing", "remedy.channel-failing"} <= set(TEMPLATES)


def test_old_letters_and_alerts_go(both: Alerting) -> None:
    tell(both)
    both.silent()
    both.pass_time(3600)
    both.clock.advance(LIMITS.events_keep_s + 10)
    both.look()
    assert both.rows(schema.alert_letters) == []
    both.silent("n3")
    both.look()
    assert [row.key for row in both.rows()] == ["silent:la-dgm/n3"]
