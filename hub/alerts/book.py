"""The book of alerts: which are open, since when, what was told and when it was over. In the database, so
that a restart tells nothing twice and forgets nothing.

* `update` takes one judgement: what is new is opened, what is seen again stays, what stays away is over. Over
  and never told: as if it had not been (its row goes, and `passed` counts it).
* What comes back before it is over is the same alert; what comes back within `repeat_hours` after that needs
  longer to be over (`pace.quiet_s`).
* `tell` marks what a message says, in the transaction that puts the message on its way.

    book.update(judgement, now, up_since)
    for telling in pace.tellings(book.alerts(), now, repeat_s, limits): …
    open_count(database)                    # by rule: for metrics
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from core.clock import format_instant, parse_instant
from hub.alerts import pace
from hub.alerts.condition import Condition, Judgement
from hub.alerts.pace import Alert, Telling
from hub.config_operator import AlertRule
from hub.overview.model import Message
from hub.services.context import Context
from hub.storage import schema
from hub.storage.database import Database

_ALERTS = schema.alerts


class AlertBook:
    """Keeps alerts. One thread writes (the watch); others may read."""

    def __init__(self, context: Context, repeat_s: float) -> None:
        self._database = context.database
        self._limits = context.limits
        self._repeat_s = repeat_s

    def update(
        self, judgement: Judgement, now: datetime, up_since: datetime, muted: Sequence[AlertRule] = ()
    ) -> int:
        """Take what is wrong `now`. Alerts of rules that are `muted` are closed and not spoken of.

        While the hub was away nobody looked: what is not there any more has been gone since `up_since` at the
        earliest. Returns how many alerts should have been told and passed before they could be.
        """
        now = now.replace(microsecond=0)
        known = {alert.key: alert for alert in self.alerts()}
        found = {each.key: each for each in judgement.conditions}
        gone = [a for key, a in known.items() if key not in found and a.over is None]
        if not found and not gone:
            return 0
        news = [each for key, each in found.items() if key not in known]
        again = [(known[key], each) for key, each in found.items() if key in known]
        text, passed = format_instant(now), 0
        # Made before the transaction, and written in few statements: nodes' reports wait for it to end.
        rows = _seen_again(again, text)
        with self._database.write(visible=False) as connection:
            _open(connection, news, text, format_instant(now - timedelta(seconds=self._repeat_s)))
            if rows.same:
                connection.execute(_SEEN, rows.same)
            if rows.changed:
                connection.execute(_CHANGED, rows.changed)
            for alert in gone:
                if alert.rule in muted:
                    _close(connection, alert, now, told=True)
                elif not judgement.judges(alert.rule, alert.partner, alert.node):
                    continue
                elif self._is_over(alert, now, up_since):
                    _close(connection, alert, now, told=False)
                    passed += self._was_due(alert)
                elif not alert.away:
                    detail = _detail(replace(alert, away=True))
                    connection.execute(_row(alert).values(detail=detail))
            self._prune(connection, now)
        return passed

    def alerts(self) -> list[Alert]:
        """Those that are open, and those whose end was not told yet; the oldest first."""
        query = (
            sa.select(_ALERTS)
            .where(sa.or_(_ALERTS.c.over.is_(None), _ALERTS.c.over_told.is_(None)))
            .order_by(_ALERTS.c.number)
        )
        with self._database.read() as connection:
            return [_alert(row) for row in connection.execute(query)]

    def tell(self, connection: sa.Connection, telling: Telling, now: datetime) -> None:
        """It is told with the message that is written in the same transaction."""
        text = format_instant(now)
        for word, alert in telling.items:
            if word == "over":
                connection.execute(_row(alert).values(over_told=text))
                continue
            detail = _detail(replace(alert, told_step=alert.step))
            connection.execute(_row(alert).values(told=text, told_count=alert.told_count + 1, detail=detail))

    def _is_over(self, alert: Alert, now: datetime, up_since: datetime) -> bool:
        away_s = (now - max(alert.seen, up_since)).total_seconds()
        if alert.told is None:
            return away_s >= self._limits.alert_settle_s
        return away_s >= pace.quiet_s(alert.returns, self._repeat_s, self._limits)

    def _was_due(self, alert: Alert) -> bool:
        lasted_s = (alert.seen - alert.since).total_seconds()
        return alert.told is None and lasted_s >= self._limits.alert_settle_s

    def _prune(self, connection: sa.Connection, now: datetime) -> None:
        oldest = format_instant(now - timedelta(seconds=self._limits.events_keep_s))
        old = sa.and_(_ALERTS.c.over_told.is_not(None), _ALERTS.c.over < oldest)
        connection.execute(_ALERTS.delete().where(old))


def open_count(database: Database) -> Counter[str]:
    """How many alerts are open, by rule."""
    query = (
        sa.select(_ALERTS.c.rule, sa.func.count()).where(_ALERTS.c.over.is_(None)).group_by(_ALERTS.c.rule)
    )
    with database.read() as connection:
        return Counter({row[0]: row[1] for row in connection.execute(query)})


def _row(alert: Alert) -> sa.Update:
    return _ALERTS.update().where(_ALERTS.c.number == alert.number)


_SEEN = _ALERTS.update().where(_ALERTS.c.number == sa.bindparam("which")).values(seen=sa.bindparam("at"))
_CHANGED = (
    _ALERTS.update()
    .where(_ALERTS.c.number == sa.bindparam("which"))
    .values(
        severity=sa.bindparam("how"), seen=sa.bindparam("at"), over=None, detail=sa.bindparam("told_with")
    )
)


@dataclass(frozen=True, slots=True)
class _SeenAgain:
    """Rows of alerts that are seen again, for `_SEEN` and `_CHANGED`."""

    same: list[dict[str, Any]]
    changed: list[dict[str, Any]]


def _seen_again(again: Sequence[tuple[Alert, Condition]], text: str) -> _SeenAgain:
    rows = _SeenAgain([], [])
    for known, condition in again:
        # Back before its end was told: it never ended.
        came_back = known.away or known.over is not None
        if not came_back and _says_the_same(known, condition):
            rows.same.append({"which": known.number, "at": text})
            continue
        returns = known.returns + int(came_back and known.told is not None)
        detail = _new_detail(condition, returns, known)
        rows.changed.append(
            {"which": known.number, "at": text, "how": condition.severity, "told_with": detail}
        )
    return rows


def _says_the_same(known: Alert, condition: Condition) -> bool:
    return (
        known.severity == condition.severity
        and known.urgent == condition.urgent
        and known.step >= condition.step
        and (known.partner, known.node, known.dataset)
        == (condition.partner, condition.node, condition.dataset)
        and known.message == condition.message
        and known.remedy == condition.remedy
    )


def _open(connection: sa.Connection, news: Sequence[Condition], text: str, lately: str) -> None:
    """New alerts; each knows how often it ended and came back since `lately`."""
    if not news:
        return
    ended = sa.select(_ALERTS.c.key, sa.func.count()).where(_ALERTS.c.over >= lately).group_by(_ALERTS.c.key)
    returns = {row[0]: int(row[1]) for row in connection.execute(ended)}
    connection.execute(
        _ALERTS.insert(),
        [
            {
                "key": each.key,
                "rule": each.rule,
                "severity": each.severity,
                "since": text,
                "seen": text,
                "told": None,
                "told_count": 0,
                "over": None,
                "over_told": None,
                "detail": _new_detail(each, returns.get(each.key, 0)),
            }
            for each in news
        ],
    )


def _close(connection: sa.Connection, alert: Alert, now: datetime, *, told: bool) -> None:
    """It is over; what nobody was told of goes without a word."""
    if alert.told is None:
        connection.execute(_ALERTS.delete().where(_ALERTS.c.number == alert.number))
        return
    text = format_instant(now)
    connection.execute(_row(alert).values(over=text, over_told=text if told else None))


def _new_detail(condition: Condition, returns: int, known: Alert | None = None) -> str:
    detail = {
        "message": condition.message.model_dump(mode="json"),
        "remedy": condition.remedy.model_dump(mode="json"),
        "partner": condition.partner,
        "node": condition.node,
        "dataset": condition.dataset,
        "step": condition.step if known is None else max(condition.step, known.step),
        "told_step": 0 if known is None else known.told_step,
        "returns": returns,
        "urgent": condition.urgent,
        "away": False,
    }
    return json.dumps(detail, ensure_ascii=False)


def _detail(alert: Alert) -> str:
    names = ("partner", "node", "dataset", "step", "told_step", "returns", "urgent", "away")
    detail: dict[str, Any] = {name: getattr(alert, name) for name in names}
    detail |= {"message": alert.message.model_dump(mode="json")}
    detail |= {"remedy": alert.remedy.model_dump(mode="json")}
    return json.dumps(detail, ensure_ascii=False)


def _alert(row: sa.Row[Any]) -> Alert:
    detail: dict[str, Any] = json.loads(row.detail)
    return Alert(
        number=row.number,
        key=row.key,
        rule=row.rule,
        severity=row.severity,
        since=parse_instant(row.since),
        seen=parse_instant(row.seen),
        told=None if row.told is None else parse_instant(row.told),
        told_count=row.told_count,
        over=None if row.over is None else parse_instant(row.over),
        message=Message.model_validate(detail["message"]),
        remedy=Message.model_validate(detail["remedy"]),
        partner=detail["partner"],
        node=detail["node"],
        dataset=detail["dataset"],
        step=detail["step"],
        told_step=detail["told_step"],
        returns=detail["returns"],
        urgent=detail["urgent"],
        away=detail["away"],
    )
