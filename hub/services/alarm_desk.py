"""Witnesses' alarms, acknowledged by a person with a reason: a leaf for ever, the alarm stays as it is.

alarm_desk.acknowledge(PartnerId("la-dgm"), NodeName("main"), "frozen-1", "the line was down", by="vilay")
"""

import unicodedata

import sqlalchemy as sa

from core.clock import format_instant
from core.errors import Conflict, InvalidInput
from core.names import NodeName, PartnerId
from hub.services.context import Context
from hub.services.translog import Record, TransparencyLog
from hub.storage import schema

REASON_LENGTH_MAX = 500


class AlarmDesk:
    """Takes acknowledgements."""

    def __init__(self, context: Context, translog: TransparencyLog) -> None:
        self._database = context.database
        self._clock = context.clock
        self._translog = translog

    def acknowledge(self, partner: PartnerId, node: NodeName, id_: str, reason: str, *, by: str) -> int:
        """The leaf's index. Raises `InvalidInput` (NO_SUCH_ALARM, REASON), `Conflict` (ACKNOWLEDGED)."""
        said = " ".join("".join(c if unicodedata.category(c) != "Cc" else " " for c in reason).split())
        if not 1 <= len(said) <= REASON_LENGTH_MAX:
            raise InvalidInput(
                "an acknowledgement says what was found, and what is done about it",
                remedy=f"give a reason of up to {REASON_LENGTH_MAX} characters",
                reason="REASON",
            )
        alarms, table = schema.alarms, schema.alarm_acknowledgements
        key = {"partner": partner, "node": node, "id": id_}
        with self._database.write(visible=False) as connection:
            if connection.execute(sa.select(alarms.c.id).filter_by(**key)).one_or_none() is None:
                raise InvalidInput("there is no such alarm", remedy="see /log", reason="NO_SUCH_ALARM")
            known = connection.execute(sa.select(table.c.user).filter_by(**key)).scalar_one_or_none()
            if known is not None:
                raise Conflict(f"{known} has acknowledged it already", reason="ACKNOWLEDGED")
            leaf = self._translog.append(
                connection,
                Record(
                    type="act",
                    actor="operator",
                    object=id_,
                    owner=None,
                    detail={
                        "act": "acknowledge-alarm",
                        "partner": partner,
                        "node": node,
                        "reason": said,
                        "user": by,
                    },
                ),
            )
            connection.execute(
                table.insert().values(
                    **key, user=by, reason=said, time=format_instant(self._clock.now()), leaf=leaf
                )
            )
        return leaf
