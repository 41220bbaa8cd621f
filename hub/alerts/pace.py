"""When to tell what: pure decisions about one alert, and what goes into one message.

* New: what has lasted `alert_settle_s` (what is urgent: at once), so that what arises together is told
  together, and what passes by itself is not told.
* Worse: a higher step than the one that was told is told at once.
* Still: `repeat_hours` after it was told last; all open ones of its rule with it, so that a rule repeats
  itself once a period and not once an alert.
* Over: after it has stayed away for `alert_over_s`, doubled each time that it came back within
  `repeat_hours`: what flaps is one alert that lasts.

    word = due(alert, now, repeat_s, limits)         # "new", "worse", "still", "over" or None
    quiet_s(returns, repeat_s, limits)               # how long it must stay away to be over
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.limits import Limits
from hub.config_operator import AlertRule
from hub.overview.model import Message, Severity

Word = Literal["new", "worse", "still", "over"]
_DOUBLINGS_MAX = 16


@dataclass(frozen=True, slots=True)
class Alert:
    """One that is open, or whose end is still to be told. `returns`: how often it has come back.

    `step` is the worst that it has come to; `told_step` the worst that was told. `away`: not seen of late,
    and not away for long enough to be over.
    """

    number: int
    key: str
    rule: AlertRule
    severity: Severity
    since: datetime
    seen: datetime
    told: datetime | None
    told_count: int
    over: datetime | None
    message: Message
    remedy: Message
    partner: str | None
    node: str | None
    dataset: str | None
    step: int
    told_step: int
    returns: int
    urgent: bool
    away: bool = False


@dataclass(frozen=True, slots=True)
class Telling:
    """What one message says about one rule; the worst first."""

    rule: AlertRule
    items: tuple[tuple[Word, Alert], ...]

    @property
    def severity(self) -> Severity:
        """The worst of what is not over."""
        found = {alert.severity for word, alert in self.items if word != "over"}
        return "error" if "error" in found else "warning" if "warning" in found else "info"


def quiet_s(returns: int, repeat_s: float, limits: Limits) -> float:
    """How long an alert must stay away to be over."""
    return min(limits.alert_over_s * 2.0 ** min(returns, _DOUBLINGS_MAX), max(repeat_s, limits.alert_over_s))


def due(alert: Alert, now: datetime, repeat_s: float, limits: Limits) -> Word | None:
    """What is to be told of it now, if anything."""
    if alert.over is not None:
        return "over"
    if alert.seen < now.replace(microsecond=0):
        return None  # it may be over soon: nothing is said about what is not seen now
    if alert.told is None:
        lasted_s = (now - alert.since).total_seconds()
        return "new" if alert.urgent or lasted_s >= limits.alert_settle_s else None
    if alert.step > alert.told_step:
        return "worse"
    return "still" if (now - alert.told).total_seconds() >= repeat_s else None


def tellings(alerts: Sequence[Alert], now: datetime, repeat_s: float, limits: Limits) -> list[Telling]:
    """One a rule, the worst rule first."""
    by_rule: dict[AlertRule, list[tuple[Word, Alert]]] = {}
    for alert in alerts:
        word = due(alert, now, repeat_s, limits)
        if word is not None:
            by_rule.setdefault(alert.rule, []).append((word, alert))
    found: list[Telling] = []
    for rule, items in by_rule.items():
        if any(word == "still" for word, _ in items):
            named = {alert.number for _, alert in items}
            others = (
                alert
                for alert in alerts
                if alert.rule == rule and alert.number not in named and alert.over is None and alert.told
            )
            for alert in others:
                items.append(("still", alert))
        items.sort(key=lambda item: (_ORDER[item[0]], item[1].severity != "error", item[1].key))
        found.append(Telling(rule, tuple(items)))
    return sorted(found, key=lambda telling: (_SEVERITIES[telling.severity], telling.rule))


_ORDER: dict[Word, int] = {"new": 0, "worse": 1, "still": 2, "over": 3}
_SEVERITIES: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}
