"""A hub that was restored from an older copy of its directory goes on under a new log.

* It has lost leaves that others have seen, and must never sign another tree under the same key: the
  administrators sign a registry with one more log, of a new origin and key, that begins with the old one's
  leaves up to the last checkpoint of this copy.
* Registry statements that this copy lacks are taken in before: those that nodes have offered, and those that
  the administrators keep beside their keys. What they signed once is never signed a second time.
* Nothing calls for it unless there was such a statement, or a node has reported that the log was turned back;
  else somebody must say why.

    continuation.take_in(envelopes)
    continuation.begin(keys, reason="restored from the backup of Monday")     # the RegistryLog

Format: docs/formats/log.md, continued logs.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from core.errors import Conflict, InvalidInput, Unavailable
from core.names import NodeName, PartnerId
from hub.services.context import Context
from hub.services.registry import RegistryService
from hub.services.translog import Record, TransparencyLog
from hub.storage import schema
from security import envelope as dsse
from security.keys import Signer, WitnessKey
from security.keystore import load_witness_key, save_witness_key
from security.registry import REVOKED, Registry, RegistryLog

#: Alarms that a node raises when a hub was turned back.
_TURNED_BACK = ("two-histories", "rolled-back", "dropped-leaf", "hidden-registry")


class LogContinuation:
    """Begins a new log. For commands: a running hub takes it up by itself."""

    def __init__(self, context: Context, registry: RegistryService, translog: TransparencyLog) -> None:
        self._context = context
        self._database = context.database
        self._registry = registry
        self._translog = translog

    def take_in(self, envelopes: Sequence[bytes]) -> int:
        """Registry statements that were signed after this copy was made; how many were new.

        Raises `Untrusted` when one does not follow: FORK when this hub has made another of that number.
        """
        return self._registry.take_in(envelopes)

    def alarms(self) -> int:
        """How many alarms of nodes say that the current log was turned back."""
        table, statements = schema.alarms, schema.registry_statements
        with self._database.read() as connection:
            logs = self._registry.membership(connection).registry.registry.logs
            # An alarm of before the current log began is about the one before it.
            began = connection.execute(
                sa.select(sa.func.max(statements.c.leaf)).where(
                    statements.c.seq == _first_with(connection, len(logs))
                )
            ).scalar_one_or_none()
            return connection.execute(
                sa.select(sa.func.count())
                .select_from(table)
                .where(table.c.kind.in_(_TURNED_BACK), table.c.leaf > (began or 0))
            ).scalar_one()

    def strangers(self) -> list[tuple[PartnerId, NodeName]]:
        """Nodes that the registry lists and this copy has never enrolled: they must join anew."""
        state = self._registry.membership()
        return [
            (partner.id, node.name)
            for partner in state.registry.registry.partners
            if partner.state != REVOKED
            for node in partner.nodes
            if (partner.id, node.name) not in state.members
        ]

    def begin(self, keys: Sequence[Signer], reason: str, size: int | None = None) -> RegistryLog:
        """A new log, in a registry that `keys` sign; it continues the checkpoint of `size` leaves.

        `size` None: the newest one that a witness stands for, since what a restored hub signs before somebody
        notices is no witness's. Raises `InvalidInput` without a reason, or for a size of which
        there is no checkpoint; `Unavailable` (THRESHOLD).
        """
        if not reason.strip():
            raise InvalidInput("a new log needs a reason", remedy="say it with --reason TEXT")
        self._registry.check_keys(keys)
        logs = self._registry.current().registry.logs
        old = logs[-1]
        note = self._checkpoint(old.origin, size if size is not None else self._cosigned(old.origin))
        number = len(logs) + 1
        log = RegistryLog(
            f"{self._context.federation.id}/log/{number}",
            self._key(number).public,
            (old.origin, note.decode()),
        )
        with self._database.write() as connection:
            if self._registry.membership(connection).registry.registry.logs != logs:
                raise Conflict("another command has begun a new log meanwhile", remedy="see it: log show")
            self._translog.append(
                connection,
                Record(
                    type="act",
                    actor="operator",
                    object=log.origin,
                    owner=None,
                    detail={"act": "continue-log", "reason": reason.strip()},
                ),
            )
            self._registry.sign_with(connection, keys, lambda draft: draft.with_log(log))
        return log

    def _checkpoint(self, origin: str, size: int | None) -> bytes:
        table = schema.log_checkpoints
        query = sa.select(table.c.note).where(table.c.origin == origin)
        if size is not None:
            query = query.where(table.c.size == size)
        with self._database.read() as connection:
            note = connection.execute(query.order_by(table.c.size.desc()).limit(1)).scalar_one_or_none()
        if note is None and size is None:
            raise Unavailable(
                f"this copy holds no checkpoint of {origin}",
                remedy="restore a newer copy; without any checkpoint there is nothing to continue",
                reason="NOT_COVERED",
            )
        if note is None:
            raise InvalidInput(f"there is no checkpoint of {size} leaves", remedy="see syncline-hub log show")
        return note

    def _cosigned(self, origin: str) -> int | None:
        """The size of the newest checkpoint that a witness stands for; None: no witness has ever."""
        table = schema.log_cosignatures
        with self._database.read() as connection:
            return connection.execute(
                sa.select(sa.func.max(table.c.size)).where(table.c.origin == origin)
            ).scalar_one()

    def _key(self, number: int) -> WitnessKey:
        """The new log's key; one that an interrupted command has left is used."""
        path = self._context.layout.log_key_of(number)
        if not path.exists():
            save_witness_key(path, WitnessKey.generate())
        return load_witness_key(path)


def _first_with(connection: sa.Connection, logs_count: int) -> int:
    """The number of the first registry that has that many logs."""
    table = schema.registry_statements
    first = 1
    for row in connection.execute(sa.select(table.c.seq, table.c.envelope).order_by(table.c.seq.desc())):
        if len(Registry.from_payload(dsse.parse(row.envelope).payload).logs) < logs_count:
            break
        first = row.seq
    return first
