"""Nodes that leave by their own word.

* The node's own signing key has signed it; a certificate alone ends nothing.
* At once the node may call nothing; the administrators strike it from the next registry. Its keys stay
  there: what they signed is evidence for ever.
* Datasets of a partner none of whose nodes is left stay as they are: delivered under the last policy that the
  owner signed, marked as of an owner that left, and expected no more.
* Whoever left may be invited again.

    departures.leave(caller, envelope)        # True: it was the partner's last node
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from core.clock import format_instant, parse_instant
from core.errors import Unavailable
from core.logs import get_logger
from core.names import NodeName, PartnerId
from hub.services import acts
from hub.services.context import Caller, Context
from hub.services.registry import RegistryService
from hub.services.statements import check_size, check_speaker
from hub.services.translog import Record, TransparencyLog
from hub.storage import schema
from security.departure import VerifiedDeparture, verify_departure

#: The state of an enrolment whose node left.
LEFT = "left"

_log = get_logger("hub.departures")


@dataclass(frozen=True, slots=True)
class Left:
    """A node that left."""

    partner: PartnerId
    node: NodeName
    time: datetime
    reason: str


class DepartureService:
    """Takes the nodes' words."""

    def __init__(self, context: Context, registry: RegistryService, translog: TransparencyLog) -> None:
        self._context = context
        self._database = context.database
        self._registry = registry
        self._translog = translog

    def leave(self, caller: Caller, envelope: bytes) -> bool:
        """The calling node leaves; whether it was its partner's last.

        Raises `Untrusted` (WRONG_SIGNER, …).
        """
        self._registry.require_active(caller)
        check_size(self._context.limits, envelope)
        verified = verify_departure(envelope, [self._registry.signing_key(caller)], self._context.limits)
        said = verified.departure
        check_speaker(self._context, caller, (said.federation, said.partner, said.node), "a departure")
        with self._database.write() as connection:
            last = self._end(connection, caller, verified)
        _log.warning("a node has left", partner=caller.partner, node=caller.node, reason=said.reason)
        self._strike()
        return last

    def list(self) -> list[Left]:
        """Who left, the first first; those that came back stand here too."""
        table = schema.departures
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(table).where(table.c.node != "").order_by(table.c.time, table.c.node)
            ).all()
        return [Left(row.partner, row.node, parse_instant(row.time), row.reason) for row in rows]

    def _strike(self) -> None:
        """Sign the next registry if the keys are at hand. The node has left, whatever comes of it."""
        keys = self._context.administrator_keys()
        if keys:
            try:
                self._registry.sign_pending(keys)
            except Unavailable as error:
                _log.warning("a node that left waits for the administrators", problem=error.message)

    def _end(self, connection: sa.Connection, caller: Caller, verified: VerifiedDeparture) -> bool:
        member = self._registry.member(caller, self._registry.membership(connection))
        table = schema.enrolments
        connection.execute(table.update().where(table.c.number == member.enrolment).values(state=LEFT))
        acts.queue(connection, acts.LEAVE, caller.partner, member.enrolment, self._context.clock)
        leaf = self._translog.append(
            connection,
            Record(
                type="act",
                actor=caller.partner,
                object=caller.partner,
                owner=caller.partner,
                statement_sha256=verified.id,
                detail={"act": "leave", "node": caller.node, "reason": verified.departure.reason},
            ),
        )
        others = connection.execute(
            sa.select(sa.func.count()).where(table.c.partner == caller.partner, table.c.state == "approved")
        ).scalar_one()
        row = {
            "partner": caller.partner,
            "time": format_instant(self._context.clock.now()),
            "reason": verified.departure.reason,
            "leaf": leaf,
            "envelope": verified.envelope,
        }
        for node in (caller.node, *(() if others else ("",))):
            connection.execute(schema.departures.insert().values(node=node, **row))
        return not others
