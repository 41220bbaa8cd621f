"""One message: what is wrong, what to do next, where to look; as text for people and JSON for programs. Pure.

* A letter is made once and kept as it is: every channel and every further attempt says the same, under one
  `id`.
* Texts may hold a node's own words: control characters and what turns the reading direction are escaped, and
  a subject is one short line.
* At most `alert_items_count_max` alerts are named; the rest is counted.

    letter = letter_of(telling, sender, now, number, limits)
    subject(letter)          # "[Mekong Geoscience] silent: la-dgm (node main) has not reported for 2 hours"
    text(letter)
    payload(letter)          # the body of the webhook
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from core.clock import format_instant
from core.limits import Limits
from core.logs import printable
from hub.alerts.language import ENGLISH, gettext_of
from hub.alerts.pace import Alert, Telling, Word
from hub.config_operator import AlertRule
from hub.overview.model import Instant, Message, Severity, View
from hub.overview.wording import say

_SUBJECT_LENGTH_MAX = 150
_TEXT_LENGTH_MAX = 2_000
_WORDS: tuple[Word, ...] = ("new", "worse", "still", "over")
LIST_COMMAND = "`syncline-hub alerts list`"


class LetterItem(View):
    """One alert in a letter. `last_seen`: for one that is over, when it was seen last."""

    word: Word
    key: str
    severity: Severity
    text: str
    remedy: str
    partner: str | None
    node: str | None
    dataset: str | None
    since: Instant
    last_seen: Instant
    link: str


class Letter(View):
    """One message. `more`: alerts that it does not name; `notes`: what is said about messages themselves;
    `language`: that of its texts."""

    id: str
    kind: Literal["alert", "test"]
    rule: AlertRule | None
    severity: Severity
    time: Instant
    hub: str
    federation: str
    link: str
    items: tuple[LetterItem, ...] = ()
    counts: dict[Word, int] = Field(default_factory=dict[Word, int])
    more: int = 0
    notes: tuple[str, ...] = ()
    language: str = ENGLISH


@dataclass(frozen=True, slots=True)
class Sender:
    """Who tells: the hub's name, its federation, where its pages are (empty: not served elsewhere), and in
    which language."""

    hub: str
    federation: str
    url: str
    language: str = ENGLISH

    def says(self, code: str, **params: str | int) -> str:
        """A template of letters in this language."""
        return _says(self.language, code, **params)


def letter_id(now: datetime, number: int) -> str:
    """The id of the letter with that number in the outbox; a hub that was restored gives none twice."""
    return f"alert.{now:%Y%m%dT%H%M%SZ}.{number}"


def letter_of(
    telling: Telling, sender: Sender, now: datetime, number: int, limits: Limits, notes: tuple[str, ...] = ()
) -> Letter:
    """What is to be said about one rule."""
    named = telling.items[: limits.alert_items_count_max]
    return Letter(
        id=letter_id(now, number),
        kind="alert",
        rule=telling.rule,
        severity=telling.severity,
        time=now,
        hub=sender.hub,
        federation=sender.federation,
        link=sender.url,
        items=tuple(_item(word, alert, sender) for word, alert in named),
        counts=dict(Counter(word for word, _ in telling.items)),
        more=len(telling.items) - len(named),
        notes=notes,
        language=sender.language,
    )


def trial_letter(sender: Sender, now: datetime, number: int) -> Letter:
    """What `alerts test` sends."""
    return Letter(
        id=letter_id(now, number),
        kind="test",
        rule=None,
        severity="info",
        time=now,
        hub=sender.hub,
        federation=sender.federation,
        link=sender.url,
        notes=(sender.says("trial"),),
        language=sender.language,
    )


def subject(letter: Letter) -> str:
    """One line."""
    if letter.kind == "test":
        said = _says(letter.language, "subject.trial")
    elif len(letter.items) == 1 and not letter.more:
        [item] = letter.items
        over = item.word == "over"
        said = f"{letter.rule}: "
        said += _says(letter.language, "subject.over", text=item.text) if over else item.text
    else:
        counts = (
            _says(letter.language, f"count.{word}", count=letter.counts[word])
            for word in _WORDS
            if word in letter.counts
        )
        said = f"{letter.rule}: {', '.join(counts)}"
    line = printable(f"[{letter.hub}] {said}")
    return line if len(line) <= _SUBJECT_LENGTH_MAX else line[: _SUBJECT_LENGTH_MAX - 1] + "…"


def text(letter: Letter) -> str:
    """The letter for a person."""
    lines = [f"{printable(letter.hub)} ({letter.federation}), {format_instant(letter.time)}"]
    word: Word | None = None
    for item in letter.items:
        if item.word != word:
            word = item.word
            lines += ["", f"{_says(letter.language, word)}:"]
        lines += ["", *_lines(item, letter.language)]
    if letter.more:
        lines += ["", _says(letter.language, "more", count=f"{letter.more:,}", command=LIST_COMMAND)]
    for note in letter.notes:
        lines += ["", note]
    lines += ["", _says(letter.language, "all", place=letter.link or _says(letter.language, "command"))]
    return "\n".join(lines) + "\n"


def payload(letter: Letter) -> dict[str, Any]:
    """The letter for a program, as Standard Webhooks has it: type, timestamp, data."""
    data = letter.model_dump(mode="json", exclude={"kind", "time"})
    return {
        "type": f"alert.{'test' if letter.kind == 'test' else 'told'}",
        "timestamp": format_instant(letter.time),
        "data": {**data, "subject": subject(letter)},
    }


def _says(language: str, code: str, **params: str | int) -> str:
    return say(Message(code=f"letter.{code}", params=dict(params)), gettext_of(language))


def _item(word: Word, alert: Alert, sender: Sender) -> LetterItem:
    translate = gettext_of(sender.language)
    return LetterItem(
        word=word,
        key=alert.key,
        severity=alert.severity,
        text=_short(say(alert.message, translate)),
        remedy=_short(say(alert.remedy, translate)),
        partner=alert.partner,
        node=alert.node,
        dataset=alert.dataset,
        since=alert.since,
        last_seen=alert.seen,
        link=f"{sender.url}{_place(alert)}" if sender.url else "",
    )


def _place(alert: Alert) -> str:
    if alert.dataset is not None:
        return f"/datasets/{alert.dataset}"
    if alert.rule == "witness":
        return "/log"
    if alert.partner is not None:
        return f"/partners/{alert.partner}"
    return "/storage" if alert.rule in ("disk", "backup") else "/"


def _lines(item: LetterItem, language: str) -> list[str]:
    since, seen = format_instant(item.since), format_instant(item.last_seen)
    if item.word == "over":
        return [f"  {printable(item.text)}", f"  {_says(language, 'lasted', since=since, seen=seen)}"]
    mark = "!" if item.severity == "error" else "·"
    said, remedy = printable(item.text), printable(item.remedy)
    lines = [f"{mark} {said}", f"  → {remedy}", f"  {_says(language, 'since', since=since)}"]
    return [*lines, f"  {item.link}"] if item.link else lines


def _short(said: str) -> str:
    line = printable(said)
    return line if len(line) <= _TEXT_LENGTH_MAX else line[: _TEXT_LENGTH_MAX - 1] + "…"
