"""Messages on their way: kept in the database until each channel has taken them, or for a day.

* A message is written before it is sent, with the id that it keeps: after a crash it is sent again as the
  same.
* Attempts come further and further apart; a channel that nobody answers at is asked once a turn, not once a
  message. What nobody takes for `alert_given_up_s` is given up, and the event says so.
* Events tell of every message that was told, of the first failure of each, and of each that was given up.

    with database.write(visible=False) as connection:
        outbox.put(connection, letter, ["email", "webhook"], now)
    outbox.deliver(channels, now)
    troubles(database)                       # channels that fail now: for `attention`
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from core.clock import format_instant, parse_instant
from core.errors import Unavailable
from core.logs import get_logger, printable
from hub.alerts.attempt import STOPPED
from hub.alerts.channel import UNREACHABLE, Channel
from hub.alerts.letter import Letter, subject
from hub.services.context import Context
from hub.services.events import EventJournal
from hub.storage import schema
from hub.storage.database import Database

_LETTERS = schema.alert_letters
_AT_ONCE_MAX = 50  # letters a turn and channel

_log = get_logger("hub.alerts")


@dataclass(frozen=True, slots=True)
class ChannelTrouble:
    """A channel whose oldest waiting message has failed."""

    channel: str
    since: datetime
    attempts: int
    waiting: int
    problem: str
    remedy: str


class Outbox:
    """Keeps and sends letters. One thread delivers; others may read."""

    def __init__(self, context: Context, events: EventJournal) -> None:
        self._database = context.database
        self._limits = context.limits
        self._events = events

    def next_number(self) -> int:
        """The number of the next letter."""
        with self._database.read() as connection:
            return (connection.execute(sa.select(sa.func.max(_LETTERS.c.number))).scalar_one() or 0) + 1

    def made_since(self, moment: datetime) -> list[datetime]:
        """When letters were made after `moment`, the oldest first."""
        query = (
            sa.select(_LETTERS.c.created)
            .where(_LETTERS.c.created > format_instant(moment))
            .group_by(_LETTERS.c.letter)
            .order_by(_LETTERS.c.created)
        )
        with self._database.read() as connection:
            return [parse_instant(text) for text in connection.execute(query).scalars()]

    def put(self, connection: sa.Connection, letter: Letter, channels: Sequence[str], now: datetime) -> None:
        """Let it go out, in the caller's transaction."""
        text = format_instant(now)
        for channel in channels:
            connection.execute(
                _LETTERS.insert().values(
                    letter=letter.id,
                    channel=channel,
                    created=text,
                    content=letter.model_dump_json(),
                    attempts=0,
                    next_try=text,
                )
            )

    def deliver(self, channels: Sequence[Channel], now: datetime) -> None:
        """One turn: what is due, the oldest first. Never raises for what a channel does."""
        self._abandon([channel.name for channel in channels], now)
        for channel in channels:
            for row in self._due(channel.name, now):
                if not self._attempt(channel, row, now):
                    break
        self._prune(now)

    def _due(self, channel: str, now: datetime) -> Sequence[sa.Row[Any]]:
        """In order; none while the oldest waits because nobody answered."""
        waiting = sa.and_(_LETTERS.c.channel == channel, _LETTERS.c.done.is_(None))
        query = sa.select(_LETTERS).where(waiting).order_by(_LETTERS.c.number).limit(_AT_ONCE_MAX)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        if rows and rows[0].outcome == UNREACHABLE and not self._is_due(rows[0], now):
            return []
        return [row for row in rows if self._is_due(row, now)]

    def _is_due(self, row: sa.Row[Any], now: datetime) -> bool:
        """Also what waits longer than anything may: the clock was wrong when that was written."""
        latest = now + timedelta(seconds=self._limits.alert_retry_max_s)
        return not format_instant(now) < row.next_try <= format_instant(latest)

    def _attempt(self, channel: Channel, row: sa.Row[Any], now: datetime) -> bool:
        """Whether it makes sense to go on with the next one."""
        letter = Letter.model_validate_json(row.content)
        said = printable(subject(letter))
        try:
            not_taken = channel.send(letter)
        except Unavailable as error:
            if error.reason == STOPPED:
                return False  # it says nothing of the channel: tried again at the next start
            self._failed(row, error, now, said)
            return error.reason != UNREACHABLE
        text = format_instant(now)
        with self._database.write(visible=False) as connection:
            connection.execute(
                _row(row).values(
                    done=text, outcome="told", attempts=row.attempts + 1, problem=not_taken or None
                )
            )
            self._note(connection, "alert-told", "info", channel.name, subject=said)
            if not_taken:
                self._note(connection, "alert-failed", "warning", channel.name, problem=not_taken)
        return True

    def _failed(self, row: sa.Row[Any], error: Unavailable, now: datetime, said: str) -> None:
        attempts = row.attempts + 1
        after_s = min(
            self._limits.alert_retry_first_s * 2 ** min(row.attempts, 20), self._limits.alert_retry_max_s
        )
        problem = json.dumps({"problem": error.message, "remedy": error.remedy}, ensure_ascii=False)
        values: dict[str, Any] = {"attempts": attempts, "outcome": error.reason, "problem": problem}
        values["next_try"] = format_instant(now + timedelta(seconds=after_s))
        _log.warning(
            "an alert did not arrive", channel=row.channel, problem=error.message, remedy=error.remedy
        )
        with self._database.write(visible=False) as connection:
            connection.execute(_row(row).values(values))
            if attempts == 1:
                self._note(
                    connection, "alert-failed", "error", row.channel, problem=error.message, subject=said
                )

    def _abandon(self, channels: Sequence[str], now: datetime) -> None:
        """Give up what is too old, and what was meant for a channel that is no longer there."""
        oldest = format_instant(now - timedelta(seconds=self._limits.alert_given_up_s))
        late = sa.or_(_LETTERS.c.created < oldest, _LETTERS.c.channel.not_in(channels))
        with self._database.read() as connection:
            rows = connection.execute(sa.select(_LETTERS).where(_LETTERS.c.done.is_(None), late)).all()
        for row in rows:
            said = printable(subject(Letter.model_validate_json(row.content)))
            with self._database.write(visible=False) as connection:
                connection.execute(_row(row).values(done=format_instant(now), outcome="given up"))
                self._note(
                    connection, "alert-given-up", "error", row.channel, attempts=row.attempts, subject=said
                )

    def _note(
        self,
        connection: sa.Connection,
        kind: str,
        severity: Any,
        channel: str,
        **detail: str | int | None,
    ) -> None:
        self._events.note(kind, severity, detail={"channel": channel, **detail}, connection=connection)

    def _prune(self, now: datetime) -> None:
        oldest = format_instant(now - timedelta(seconds=self._limits.events_keep_s))
        old = sa.and_(_LETTERS.c.done.is_not(None), _LETTERS.c.created < oldest)
        with self._database.read() as connection:
            found = connection.execute(sa.select(_LETTERS.c.number).where(old).limit(1)).first()
        if found is not None:
            with self._database.write(visible=False) as connection:
                connection.execute(_LETTERS.delete().where(old))


def troubles(database: Database) -> list[ChannelTrouble]:
    """The channels that fail now: whose oldest waiting message was tried in vain."""
    with database.read() as connection:
        return read_troubles(connection)


def read_troubles(connection: sa.Connection) -> list[ChannelTrouble]:
    """`troubles`, in the caller's transaction."""
    query = sa.select(_LETTERS).where(_LETTERS.c.done.is_(None)).order_by(_LETTERS.c.number)
    by_channel: dict[str, list[sa.Row[Any]]] = {}
    for row in connection.execute(query):
        by_channel.setdefault(row.channel, []).append(row)
    return [
        _trouble(channel, waiting)
        for channel, waiting in by_channel.items()
        if any(each.attempts for each in waiting)
    ]


def waiting_count(database: Database) -> dict[str, int]:
    """How many messages wait, by channel."""
    query = (
        sa.select(_LETTERS.c.channel, sa.func.count())
        .where(_LETTERS.c.done.is_(None))
        .group_by(_LETTERS.c.channel)
    )
    with database.read() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def _trouble(channel: str, waiting: list[sa.Row[Any]]) -> ChannelTrouble:
    first = next(row for row in waiting if row.attempts)
    said: dict[str, str] = json.loads(first.problem)
    return ChannelTrouble(
        channel, parse_instant(first.created), first.attempts, len(waiting), said["problem"], said["remedy"]
    )


def _row(row: sa.Row[Any]) -> sa.Update:
    return _LETTERS.update().where(_LETTERS.c.number == row.number)
