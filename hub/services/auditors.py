"""The federation's auditors: enrolled and revoked by the administrators, in the registry, told to the log.

    auditors.add(PartnerId("la-oag"), {"en": "Office of the Auditor General"}, keys)   # Signed.NOW with keys
    auditors.active("la-oag")                         # may be given openings (hub/services/export)

Rules: an auditor's id is nobody else's; who is to be revoked is given nothing more from the moment of the
act, signed or not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from core.errors import Conflict, InvalidInput
from core.names import PartnerId
from hub.services import acts
from hub.services.context import Context
from hub.services.invitations import LAPSED
from hub.services.registry import RegistryService, Signed
from hub.services.translog import Record, TransparencyLog
from hub.storage import schema
from security.keys import Signer
from security.members import REVOKED, RegistryAuditor

_GONE = (*LAPSED, "rejected")


@dataclass(frozen=True, slots=True)
class AuditorStanding:
    """An auditor, and whether the act that says so still waits for the administrators' signatures."""

    auditor: RegistryAuditor
    waiting: bool


class AuditorService:
    """Who audits."""

    def __init__(self, context: Context, registry: RegistryService, translog: TransparencyLog) -> None:
        self._context = context
        self._database = context.database
        self._registry = registry
        self._translog = translog

    def add(self, auditor: PartnerId, names: Mapping[str, str], keys: Sequence[Signer] = ()) -> Signed:
        """Enrol an auditor, or change its names. Raises `Conflict` (NAME_TAKEN, REVOKED), `InvalidInput`."""
        if not names:
            raise InvalidInput(f"{auditor} has no name", remedy='give --name "Its name"')
        return self._act(RegistryAuditor(auditor, dict(names)), "add-auditor", keys)

    def revoke(self, auditor: PartnerId, keys: Sequence[Signer] = ()) -> Signed:
        """Give it nothing more from now on. Raises `InvalidInput` for an unknown auditor."""
        known = {each.auditor.id: each.auditor for each in self.all()}
        if auditor not in known:
            raise InvalidInput(
                f"{auditor} is no auditor of this federation", remedy="see `syncline-hub auditor list`"
            )
        return self._act(replace(known[auditor], state=REVOKED), "revoke-auditor", keys)

    def all(self) -> list[AuditorStanding]:
        """All auditors by id, as they are once everything that waits is signed."""
        with self._database.read() as connection:
            return self._list(connection)

    def active(self, auditor: str) -> RegistryAuditor | None:
        """The auditor, if the registry lists it as active and nothing waits that revokes it."""
        entry = self._registry.current().registry.auditor(auditor)
        revoked = any(each.auditor.id == auditor and not each.auditor.active for each in self.all())
        return entry if entry is not None and entry.active and not revoked else None

    def _list(self, connection: sa.Connection) -> list[AuditorStanding]:
        signed = self._registry.membership(connection).registry.registry.auditors
        found = {each.id: AuditorStanding(each, waiting=False) for each in signed}
        for each in acts.waiting_auditors(connection):
            found[each.id] = AuditorStanding(each, waiting=True)
        return [found[name] for name in sorted(found)]

    def _act(self, wanted: RegistryAuditor, act: str, keys: Sequence[Signer]) -> Signed:
        if keys:
            self._registry.check_keys(keys)
        with self._database.write() as connection:
            self._check(connection, wanted)
            signed = self._registry.membership(connection).registry.registry.auditor(wanted.id)
            queued = acts.queue_auditor(connection, wanted, signed, self._context.clock)
            if queued:
                self._translog.append(
                    connection,
                    Record(type="act", actor="operator", object=wanted.id, owner=None, detail={"act": act}),
                )
            elif signed == wanted:
                return Signed.NOW
        if not keys:
            return Signed.QUEUED
        self._registry.sign_pending(keys)
        return Signed.NOW

    def _check(self, connection: sa.Connection, wanted: RegistryAuditor) -> None:
        """That the id is free, and that who was revoked does not come back."""
        registry = self._registry.membership(connection).registry.registry
        table = schema.enrolments
        invited = connection.execute(
            sa.select(table.c.number)
            .where(table.c.partner == wanted.id, table.c.state.not_in(_GONE))
            .limit(1)
        ).one_or_none()
        if registry.partner(wanted.id) is not None or invited is not None:
            raise Conflict(
                f"{wanted.id} is a partner's id",
                remedy="give the auditor an id of its own",
                reason="NAME_TAKEN",
            )
        known = next((each.auditor for each in self._list(connection) if each.auditor.id == wanted.id), None)
        if wanted.active and known is not None and not known.active:
            raise Conflict(f"{wanted.id} was revoked", remedy="enrol it under another id", reason="REVOKED")
