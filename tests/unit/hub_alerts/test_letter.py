"""What a person reads."""

from datetime import timedelta

import pytest

from core.errors import InvalidInput
from core.limits import LIMITS
from hub.alerts.letter import Letter, Sender, letter_of, payload, subject, text, trial_letter
from hub.alerts.pace import Alert, Telling, Word
from hub.config_operator import AlertsTable
from hub.overview.model import Message
from tests.simulation.federation import TestFederation
from tests.unit.hub_alerts.conftest import Alerting
from tests.unit.hub_alerts.views import NOW

SENDER = Sender("Mekong Geoscience", "mekong-geo", "https://hub.example.org")


def alert(number: int = 1, rule: str = "late", title: str = "Wells", **changes: object) -> Alert:
    values: dict[str, object] = {
        "number": number,
        "key": f"late:th-dmr/d{number}",
        "rule": rule,
        "severity": "warning",
        "since": NOW - timedelta(hours=1),
        "seen": NOW,
        "told": None,
        "told_count": 0,
        "over": None,
        "message": Message(
            code="alert.late",
            params={"dataset": f"th-dmr/d{number}", "title": title, "due": "2026-11-01T00:00:00Z"},
        ),
        "remedy": Message(code="remedy.late", params={"owner": "th-dmr"}),
        "partner": "th-dmr",
        "node": None,
        "dataset": f"th-dmr/d{number}",
        "step": 0,
        "told_step": 0,
        "returns": 0,
        "urgent": False,
    }
    return Alert(**{**values, **changes})  # type: ignore[arg-type]


def told(*items: tuple[Word, Alert], sender: Sender = SENDER, **changes: object) -> object:
    return letter_of(Telling("late", items), sender, NOW, 7, LIMITS, **changes)  # type: ignore[arg-type]


def test_one_alert_as_a_letter() -> None:
    letter = told(("new", alert(title="บ่อน้ำ")))
    assert subject(letter) == (
        "[Mekong Geoscience] late: th-dmr/d1 is late: its next version was due 2026-11-01T00:00:00Z (บ่อน้ำ)"
    )
    assert text(letter) == (
        """\
Mekong Geoscience (mekong-geo), 2026-11-22T12:00:00Z

New:

· th-dmr/d1 is late: its next version was due 2026-11-01T00:00:00Z (บ่อน้ำ)
  → ask th-dmr when it comes; if less often is meant, th-dmr says so in update_frequency
  since 2026-11-22T11:00:00Z
  https://hub.example.org/datasets/th-dmr/d1

All of it: https://hub.example.org
"""
    )


def test_many_stand_under_heads() -> None:
    letter = told(("new", alert(1)), ("still", alert(2)), ("over", alert(3)))
    assert subject(letter) == "[Mekong Geoscience] late: 1 new, 1 still, 1 over"
    said = text(letter)
    assert said.index("New:") < said.index("Still so:") < said.index("Over:")
    assert "from 2026-11-22T11:00:00Z to 2026-11-22T12:00:00Z" in said


def test_without_an_address_the_command_is_named() -> None:
    letter = told(("new", alert()), sender=Sender("Hub", "f", ""))
    assert text(letter).endswith("All of it: `syncline-hub status` on the hub\n")
    assert "http" not in text(letter)


def test_a_subject_is_one_short_line_whatever_a_node_says() -> None:
    line = subject(told(("new", alert(title="a\r\nBcc: x\u202e" + "ກ" * 5000))))
    assert len(line) <= 150
    assert line.isprintable()


def test_a_trial_says_that_it_is_one() -> None:
    letter = trial_letter(SENDER, NOW, 9)
    assert letter.id == "alert.20261122T120000Z.9"
    assert "nothing is wrong" in text(letter)
    assert payload(letter)["type"] == "alert.test"


CHINESE = Sender("湄公河地学中心", "mekong-geo", "https://hub.example.org", "zh")


def test_a_letter_speaks_the_operators_language() -> None:
    letter = told(("new", alert(title="บ่อน้ำ")), ("over", alert(2)), sender=CHINESE)
    assert subject(letter) == "[湄公河地学中心] late: 新增 1 项, 结束 1 项"
    said = text(letter)
    assert "新出现:" in said
    assert "自 2026-11-22T11:00:00Z 至 2026-11-22T12:00:00Z" in said
    assert "全部情况：https://hub.example.org" in said
    words = "".join(line for line in said.splitlines() if "http" not in line)
    for english in ("since", "from", "its next version", "ask ", "All of it", "New", "Over"):
        assert english not in words
    assert payload(letter)["data"]["language"] == "zh"
    assert [item["word"] for item in payload(letter)["data"]["items"]] == ["new", "over"]


def test_a_trial_and_what_is_said_of_messages_speak_it_too() -> None:
    letter = trial_letter(CHINESE, NOW, 9)
    assert subject(letter) == "[湄公河地学中心] 测试：本中心的告警将以此方式送达"
    for code in ("last", "held", "passed"):
        assert CHINESE.says(code, count=12) != SENDER.says(code, count=12)


def test_a_letter_made_before_languages_is_english() -> None:
    """What waits in the outbox when the hub is upgraded goes out all the same."""
    made = told(("new", alert()))
    before = made.model_dump_json(exclude={"language"})  # type: ignore[attr-defined]
    assert text(Letter.model_validate_json(before)) == text(made)


def test_a_language_without_a_catalogue_is_said_at_the_start(alerting: Alerting) -> None:
    alerting.settings = alerting.settings.model_copy(update={"alerts": AlertsTable(language="xx")})
    with pytest.raises(InvalidInput, match="no catalogue for 'xx'") as caught:
        alerting.restart()
    assert "en, zh" in caught.value.remedy


def test_the_hub_tells_in_the_language_of_its_settings(federation: TestFederation) -> None:
    alerting = Alerting(federation, federation.clock, language="zh")
    alerting.silent("n1")
    [letter] = alerting.pass_time(600)
    assert "has not reported" not in text(letter)
    assert letter.language == "zh"
