"""Acts that one person asks for and another confirms (`[web] two_person`), kept until they are decided.

* Nobody decides what he has asked for; who confirms needs the role approver, who asked must still be an
  operator.
* What nobody decides within `limits.act_request_valid_s` is over.
* Asking, confirming and refusing are leaves, in nobody's lane: a partner is not told what may never be done.

    number = requests.ask("revoke", {"partner": "la-dgm"}, "vilay")
    request = requests.confirm(number, "somchai")        # Denied (SAME_PERSON) for "vilay"
    requests.settle(number, "done")
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

import sqlalchemy as sa

from core.clock import format_instant, parse_instant
from core.errors import Conflict, Denied, InvalidInput
from hub.services.context import Context
from hub.services.translog import Record, TransparencyLog
from hub.services.users import roles_of
from hub.storage import schema
from security.canonical import JSON

#: `confirmed`: to be done, or a join file to be fetched by who asked; `queued`: waits for the administrators'
#: signatures.
Outcome = Literal["confirmed", "done", "queued", "refused", "expired", "failed"]
Detail = Mapping[str, JSON]

_WAITING_COUNT_MAX = 100
_SHOWN_COUNT = 100
_PROBLEM_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class ActRequest:
    """An act that waits, or did."""

    number: int
    act: str
    detail: Detail
    asked_by: str
    asked: datetime
    decided_by: str | None
    decided: datetime | None
    outcome: Outcome | None
    problem: str | None


class ActRequests:
    """The requests. Thread-safe."""

    def __init__(self, context: Context, translog: TransparencyLog) -> None:
        self._database = context.database
        self._clock = context.clock
        self._valid = timedelta(seconds=context.limits.act_request_valid_s)
        self._translog = translog

    def ask(self, act: str, detail: Detail, user: str) -> int:
        """Let an act wait; its number. Raises `Conflict` (ALREADY_ASKED, TOO_MANY)."""
        table = schema.act_requests
        text = json.dumps(dict(detail), ensure_ascii=False, sort_keys=True)
        with self._database.write(visible=False) as connection:
            self._expire(connection)
            waiting = connection.execute(sa.select(table).where(table.c.outcome.is_(None))).all()
            if any(row.act == act and row.detail == text for row in waiting):
                raise Conflict(
                    "this was asked for already", remedy="somebody else confirms it", reason="ALREADY_ASKED"
                )
            if len(waiting) >= _WAITING_COUNT_MAX:
                raise Conflict(
                    f"{len(waiting)} acts wait already", remedy="decide some of them first", reason="TOO_MANY"
                )
            number = connection.execute(
                sa.insert(table)
                .values(act=act, detail=text, asked_by=user, asked=format_instant(self._clock.now()))
                .returning(table.c.number)
            ).scalar_one()
            self._log(connection, "request", user, act, number, detail)
        return number

    def list(self) -> list[ActRequest]:
        """Those that wait, oldest first, then what was decided, the newest first."""
        table = schema.act_requests
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(table).where(table.c.outcome.is_(None)).order_by(table.c.number)
            ).all()
            settled = connection.execute(
                sa.select(table)
                .where(table.c.outcome.is_not(None))
                .order_by(table.c.decided.desc(), table.c.number.desc())
                .limit(_SHOWN_COUNT)
            ).all()
        found = [self._read(row) for row in (*rows, *settled)]
        return sorted(found, key=lambda each: each.outcome is not None)

    def get(self, number: int) -> ActRequest:
        """One of them. Raises `InvalidInput` (NO_SUCH_REQUEST)."""
        with self._database.read() as connection:
            return self._one(connection, number)

    def confirm(self, number: int, user: str) -> ActRequest:
        """The act is to be done. Raises `InvalidInput` (NO_SUCH_REQUEST), `Denied` (SAME_PERSON,
        ASKER_GONE), `Conflict` (DECIDED)."""
        return self._decide(number, user, "confirmed", "confirm")

    def refuse(self, number: int, user: str) -> ActRequest:
        """It is not to be done. Raises as `confirm`."""
        return self._decide(number, user, "refused", "refuse")

    def settle(
        self, number: int, outcome: Outcome, problem: str | None = None, *, was: Outcome = "confirmed"
    ) -> None:
        """What became of a confirmed act. Raises `Conflict` (DECIDED) when that is known already."""
        table = schema.act_requests
        with self._database.write(visible=False) as connection:
            changed = connection.execute(
                table.update()
                .where(table.c.number == number, table.c.outcome == was)
                .values(outcome=outcome, problem=None if problem is None else problem[:_PROBLEM_LENGTH_MAX])
            )
            if changed.rowcount != 1:
                raise _decided()

    def give_up_interrupted(self, collected: str) -> None:
        """What was confirmed when the hub stopped, and never done; not those that who asked still fetches.

        For the start of the only process that does such acts.
        """
        table = schema.act_requests
        interrupted = sa.and_(table.c.outcome == "confirmed", table.c.act != collected)
        with self._database.read() as connection:
            if connection.execute(sa.select(table.c.number).where(interrupted)).first() is None:
                return
        problem = "the hub stopped meanwhile; see whether it was done, else ask again"
        with self._database.write(visible=False) as connection:
            connection.execute(table.update().where(interrupted).values(outcome="failed", problem=problem))

    def expire(self) -> None:
        """End what nobody has decided; a duty of the server."""
        table = schema.act_requests
        with self._database.read() as connection:
            rows = connection.execute(sa.select(table).where(table.c.outcome.is_(None))).all()
        if not any(self._read(row).outcome == "expired" for row in rows):
            return
        with self._database.write(visible=False) as connection:
            self._expire(connection)

    # --- steps -----------------------------------------------------------------------------------

    def _decide(self, number: int, user: str, outcome: Outcome, act: str) -> ActRequest:
        table = schema.act_requests
        with self._database.write(visible=False) as connection:
            self._expire(connection)
            found = self._one(connection, number)
            if found.outcome is not None:
                raise _decided(found)
            if found.asked_by == user:
                raise Denied(
                    "you have asked for this yourself",
                    remedy="let another person with the role approver decide",
                    reason="SAME_PERSON",
                )
            if outcome == "confirmed":
                self._check_asker(connection, found.asked_by)
            connection.execute(
                table.update()
                .where(table.c.number == number)
                .values(outcome=outcome, decided_by=user, decided=format_instant(self._clock.now()))
            )
            self._log(connection, act, user, found.act, number, found.detail, found.asked_by)
            return self._one(connection, number)

    def _check_asker(self, connection: sa.Connection, user: str) -> None:
        table = schema.users
        roles = connection.execute(sa.select(table.c.roles).where(table.c.name == user)).scalar_one_or_none()
        if roles is None or "operator" not in roles_of(roles):
            raise Denied(
                f"{user}, who asked for this, is no operator any more",
                remedy="refuse it; an operator asks again",
                reason="ASKER_GONE",
            )

    def _expire(self, connection: sa.Connection) -> None:
        table = schema.act_requests
        now = self._clock.now()
        before = format_instant(now - self._valid)
        connection.execute(
            table.update()
            .where(table.c.outcome.is_(None), table.c.asked <= before)
            .values(outcome="expired", decided=format_instant(now))
        )

    def _one(self, connection: sa.Connection, number: int) -> ActRequest:
        table = schema.act_requests
        row = connection.execute(sa.select(table).where(table.c.number == number)).one_or_none()
        if row is None:
            raise InvalidInput("there is no such request", remedy="see /acts", reason="NO_SUCH_REQUEST")
        return self._read(row)

    def _read(self, row: sa.Row[Any]) -> ActRequest:
        asked = parse_instant(row.asked)
        decided = None if row.decided is None else parse_instant(row.decided)
        outcome = row.outcome
        if outcome is None and self._clock.now() >= asked + self._valid:
            outcome, decided = "expired", asked + self._valid
        return ActRequest(
            row.number,
            row.act,
            cast("dict[str, JSON]", json.loads(row.detail)),
            row.asked_by,
            asked,
            row.decided_by,
            decided,
            outcome,
            row.problem,
        )

    def _log(
        self,
        connection: sa.Connection,
        act: str,
        user: str,
        asked: str,
        number: int,
        detail: Detail,
        asked_by: str | None = None,
    ) -> None:
        told: dict[str, JSON] = {"act": act, "for": asked, "number": number, "user": user}
        if asked_by is not None:
            told["asked_by"] = asked_by
        self._translog.append(
            connection,
            Record(type="act", actor="operator", object=str(detail["partner"]), owner=None, detail=told),
        )


def _decided(request: ActRequest | None = None) -> Conflict:
    message = "this was decided already"
    if request is not None and request.decided_by is not None:
        message = f"{request.decided_by} has decided this already: {request.outcome}"
    return Conflict(message, remedy="see what became of it", reason="DECIDED")
