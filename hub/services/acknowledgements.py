"""Acknowledgements: a subscriber's signed word that it holds a version, recorded once for each of its
nodes."""

import sqlalchemy as sa

from core.clock import format_instant
from core.errors import Untrusted
from core.names import DatasetId, owner_of
from hub.services.context import Caller, Context
from hub.services.registry import RegistryService
from hub.services.sharing import SharingService, not_found
from hub.services.statements import check_size
from hub.services.translog import Record, TransparencyLog
from hub.storage import schema
from security.rules import READ
from sync.acknowledgement import Acknowledgement, verify_acknowledgement


class Acknowledgements:
    """Takes them, and answers a repetition with the first one's leaf."""

    def __init__(
        self, context: Context, registry: RegistryService, sharing: SharingService, translog: TransparencyLog
    ) -> None:
        self._context = context
        self._registry = registry
        self._sharing = sharing
        self._translog = translog

    def accept(self, caller: Caller, envelope: bytes) -> int:
        """Record an acknowledgement; its leaf's index. Raises `Untrusted`, `Denied` (NOT_FOUND)."""
        self._registry.require_active(caller, fresh=True)
        check_size(self._context.limits, envelope)
        key = self._registry.signing_key(caller)
        verified = verify_acknowledgement(envelope, [key], caller.partner, self._context.limits)
        said = verified.acknowledgement
        if said.node != caller.node:
            raise Untrusted(
                f"an acknowledgement of node {said.node} came from {caller.node}", reason="WRONG_SIGNER"
            )
        table = schema.acknowledgements
        with self._context.database.write(visible=False) as connection:
            self._check(connection, caller, said)
            known = connection.execute(
                sa.select(table.c.leaf).where(
                    table.c.partner == caller.partner,
                    table.c.node == caller.node,
                    table.c.version == said.manifest_sha256,
                )
            ).scalar_one_or_none()
            if known is not None:
                return known
            leaf = self._translog.append(connection, _record(caller, said, verified.id))
            connection.execute(
                table.insert().values(
                    id=verified.id,
                    partner=caller.partner,
                    node=caller.node,
                    version=said.manifest_sha256,
                    envelope=envelope,
                    accepted=format_instant(self._context.clock.now()),
                    leaf=leaf,
                )
            )
        return leaf

    def _check(self, connection: sa.Connection, caller: Caller, said: Acknowledgement) -> None:
        """What is acknowledged exists, and was open to the caller: by a delivery, or by a grant now."""
        versions, policies = schema.versions, schema.policies
        version = connection.execute(
            sa.select(versions.c.id).where(
                versions.c.id == said.manifest_sha256, versions.c.dataset == said.dataset
            )
        ).one_or_none()
        if version is None or not self._was_open(connection, caller, said.dataset, said.manifest_sha256):
            raise not_found()
        policy = connection.execute(
            sa.select(policies.c.seq).where(
                policies.c.id == said.policy_sha256, policies.c.dataset == said.dataset
            )
        ).one_or_none()
        if policy is None:
            raise Untrusted(
                f"{said.dataset}: an acknowledgement names an unknown policy", reason="UNKNOWN_POLICY"
            )

    def _was_open(self, connection: sa.Connection, caller: Caller, dataset: DatasetId, version: str) -> bool:
        deliveries = schema.deliveries
        delivered = connection.execute(
            sa.select(deliveries.c.leaf).where(
                deliveries.c.partner == caller.partner, deliveries.c.version == version
            )
        ).one_or_none()
        return (
            delivered is not None or self._sharing.decide(caller.partner, dataset, READ, connection).allowed
        )


def _record(caller: Caller, said: Acknowledgement, statement: str) -> Record:
    return Record(
        type="acknowledgement",
        actor=caller.partner,
        object=said.dataset,
        owner=owner_of(said.dataset),
        statement_sha256=statement,
        detail={
            "node": caller.node,
            "version": said.manifest_sha256,
            "policy": said.policy_sha256,
            "result": said.result,
        },
    )
