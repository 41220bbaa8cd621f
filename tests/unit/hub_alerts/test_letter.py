"""What a person reads."""

from datetime import timedelta

from core.limits import LIMITS
from hub.alerts.letter import Sender, letter_of, payload, subject, text, trial_letter
from hub.alerts.pace import Alert, Telling, Word
from hub.overview.model import Message
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
