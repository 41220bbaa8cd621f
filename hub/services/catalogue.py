"""Policies and versions: accepted once, in order, from the one node that publishes them.

A commit is one transaction: statement, log leaf, revision. Same bytes again get the same answer. `prev` is
compared and swapped, so a restored or doubled node is fenced (`Conflict`, reason FENCED), never merged. A
new statement is signed with the key of the node that brings it; keys of replaced nodes verify what is old,
and nothing new.

    catalogue.publish_policy(caller, PolicyExtract(envelope, disclosures))
    catalogue.commit_version(caller, envelope, root)
    catalogue.list_datasets(other).entries
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from core.clock import format_instant
from core.errors import InvalidInput
from core.names import DatasetId, owner_of
from hub.services.acknowledgements import Acknowledgements
from hub.services.context import Caller, Context
from hub.services.dataset_summaries import DatasetSummary, summaries
from hub.services.keyed_locks import KeyedLocks
from hub.services.log.receipts import Receipts
from hub.services.recipes import check_recipe
from hub.services.registry import RegistryService
from hub.services.sharing import SharingService, not_found
from hub.services.statements import (
    accepted,
    check_next,
    check_pins,
    check_publisher,
    check_size,
    claim,
    claimed_dataset,
    head,
)
from hub.services.translog import Record, TransparencyLog
from hub.storage import schema
from security import envelope as dsse
from security.canonical import canonical
from security.keys import PublicKey
from security.policy import VerifiedPolicy, disclosures_from_json, disclosures_to_json, verify_policy
from security.rules import DISCOVER, READ
from sync.manifest import Manifest, VerifiedManifest, verify_manifest
from sync.ports import Accepted, Listing, PolicyExtract, VersionDetail


class CatalogueService:
    """The datasets: policies, versions, listings, acknowledgements."""

    def __init__(
        self,
        context: Context,
        registry: RegistryService,
        sharing: SharingService,
        translog: TransparencyLog,
        receipts: Receipts,
    ) -> None:
        self._context = context
        self._database = context.database
        self._limits = context.limits
        self._registry = registry
        self._sharing = sharing
        self._translog = translog
        self._receipts = receipts
        self._checking = KeyedLocks()
        self._acknowledgements = Acknowledgements(context, registry, sharing, translog)

    # --- what owners hand over -------------------------------------------------------------------

    def publish_policy(self, caller: Caller, policy: PolicyExtract) -> Accepted:
        """Put a policy in force. Raises `Untrusted`, `Denied` (not the owner), `Conflict` (FENCED)."""
        self._registry.require_active(caller, fresh=True)
        check_size(self._limits, policy.envelope, policy.disclosures)
        parsed = dsse.parse(policy.envelope, self._limits)
        dataset = claimed_dataset(caller, parsed, dsse.POLICY, self._limits)
        verified = verify_policy(
            policy.envelope,
            policy.disclosures,
            self._keys(caller, schema.policies, parsed.id),
            complete=True,
            dataset=dataset,
            limits=self._limits,
        )
        table = schema.policies
        with self._database.write() as connection:
            self._registry.require_active(caller)
            check_publisher(connection, caller, dataset)
            known = connection.execute(sa.select(table).where(table.c.id == verified.id)).one_or_none()
            if known is not None:
                return accepted(known)
            check_next(head(connection, table, dataset), verified.link, f"policy of {dataset}")
            claim(connection, caller, dataset)
            return self._insert_policy(connection, caller, verified, policy)

    def commit_version(self, caller: Caller, envelope: bytes, root: bytes | None) -> Accepted:
        """Commit a manifest; with `root` also its content; answered with a receipt.

        See `sync.ports.HubApi.commit_version`.

        Raises `Untrusted` (also: recipe and inventory disagree), `Denied`, `Conflict` (FENCED), `Unavailable`
        (MISSING_CHUNKS).
        """
        self._registry.require_active(caller, fresh=True)
        check_size(self._limits, envelope)
        parsed = dsse.parse(envelope, self._limits)
        dataset = claimed_dataset(caller, parsed, dsse.MANIFEST, self._limits)
        keys = self._keys(caller, schema.versions, parsed.id)
        verified = verify_manifest(envelope, keys, dataset, self._limits)
        if root is None:
            return self._with_receipt(verified, self._commit(caller, verified, None))
        # A sender that has lost patience asks again: it then waits for the check that runs already.
        # What the check has found is not removed before the version names it.
        with self._checking.of(verified.id), self._context.counting_on.shared(caller.partner):
            with self._database.read() as connection:
                known = self._placed(connection, caller, verified)  # a fenced node learns it at once
            if known is None or known.root is None:
                self._check_recipe(caller, verified.manifest, root)
            made = self._commit(caller, verified, root)
        return self._with_receipt(verified, made)

    def _commit(self, caller: Caller, verified: VerifiedManifest, root: bytes | None) -> Accepted:
        with self._database.write() as connection:
            self._registry.require_active(caller)
            known = self._placed(connection, caller, verified)
            if known is None:
                return self._insert_version(connection, caller, verified, root)
            if root is not None and known.root is None:
                self._add_content(connection, caller, verified, root)
            return accepted(known)

    def _with_receipt(self, verified: VerifiedManifest, made: Accepted) -> Accepted:
        """Signed after the commit, so that others need not wait for it."""
        receipt = self._receipts.of(verified.manifest.dataset, verified.id, made.leaf_index, made.accept_time)
        return replace(made, receipt=receipt)

    def acknowledge(self, caller: Caller, envelope: bytes) -> int:
        """Record a subscriber's acknowledgement once; its leaf's index."""
        return self._acknowledgements.accept(caller, envelope)

    # --- what partners may see -------------------------------------------------------------------

    def list_datasets(self, caller: Caller, if_none_match: str | None = None) -> Listing | None:
        """All that the caller may discover; None when `if_none_match` still is its etag. The wire pages
        it."""
        self._registry.require_active(caller, fresh=True)
        view = self._sharing.view(caller.partner)
        return None if if_none_match == view.etag else Listing(view.entries, view.etag)

    def get_version(self, caller: Caller, dataset: DatasetId, manifest_id: str) -> VersionDetail:
        """One version (`manifest_id` in hex). `root` only with `read` and content. Raises `Denied`
        (NOT_FOUND)."""
        self._sharing.require(caller, dataset, DISCOVER)
        table, policies = schema.versions, schema.policies
        with self._database.read() as connection:
            row = connection.execute(
                sa.select(table).where(table.c.dataset == dataset, table.c.id == manifest_id)
            ).one_or_none()
            policy = connection.execute(
                sa.select(policies)
                .where(policies.c.dataset == dataset)
                .order_by(policies.c.seq.desc())
                .limit(1)
            ).one()
            may_read = self._sharing.decide(caller.partner, dataset, READ, connection).allowed
        if row is None:
            raise not_found()
        return VersionDetail(row.envelope, _extract(policy, caller), row.root if may_read else None)

    def list_versions(
        self, caller: Caller, dataset: DatasetId, from_seq: int, limit: int | None = None
    ) -> list[bytes]:
        """Manifest envelopes in order from `from_seq`, at most `limit` (None: page_count_max)."""
        return [row.envelope for row in self._chain(caller, schema.versions, dataset, from_seq, limit)]

    def list_policies(
        self, caller: Caller, dataset: DatasetId, from_seq: int, limit: int | None = None
    ) -> list[PolicyExtract]:
        """Policies in order from `from_seq`, each with the caller's disclosures."""
        rows = self._chain(caller, schema.policies, dataset, from_seq, limit)
        return [_extract(row, caller) for row in rows]

    def datasets(self) -> list[DatasetSummary]:
        """Every dataset, for the operator."""
        return summaries(self._database)

    # --- steps -----------------------------------------------------------------------------------

    def _keys(self, caller: Caller, table: sa.Table, statement: str) -> Sequence[PublicKey]:
        """The calling node's key for what is new; every key of its partner for what was accepted before."""
        with self._database.read() as connection:
            known = connection.execute(sa.select(table.c.seq).where(table.c.id == statement)).one_or_none()
        if known is None:
            return self._registry.accepted_keys(caller)
        return self._registry.keys_ever(caller.partner)

    def _placed(
        self, connection: sa.Connection, caller: Caller, verified: VerifiedManifest
    ) -> sa.Row[Any] | None:
        """The row that holds this version already, or None when it is the one that comes next."""
        dataset = verified.manifest.dataset
        check_publisher(connection, caller, dataset)
        table = schema.versions
        known = connection.execute(sa.select(table).where(table.c.id == verified.id)).one_or_none()
        if known is None:
            check_next(head(connection, table, dataset), verified.link, f"version of {dataset}")
            check_pins(connection, verified.manifest)
        return known

    def _check_recipe(self, caller: Caller, manifest: Manifest, root: bytes) -> None:
        table = schema.versions
        with self._database.read() as connection:
            before = connection.execute(
                sa.select(table.c.root)
                .where(table.c.dataset == manifest.dataset, table.c.root.is_not(None))
                .order_by(table.c.seq.desc())
                .limit(1)
            ).scalar_one_or_none()
        check_recipe(root, manifest, self._context.stores.of(caller.partner), self._limits, before)

    def _insert_policy(
        self, connection: sa.Connection, caller: Caller, verified: VerifiedPolicy, policy: PolicyExtract
    ) -> Accepted:
        dataset, seq = verified.policy.dataset, verified.policy.seq
        record = Record(
            type="policy",
            actor=caller.partner,
            object=dataset,
            owner=owner_of(dataset),
            statement_sha256=verified.id,
            detail={"node": caller.node, "seq": seq},
        )
        made = self._accept(connection, record)
        connection.execute(
            schema.policies.insert().values(
                dataset=dataset,
                seq=seq,
                id=verified.id,
                envelope=policy.envelope,
                disclosures=policy.disclosures,
                accepted=format_instant(made.accept_time),
                leaf=made.leaf_index,
            )
        )
        return made

    def _insert_version(
        self, connection: sa.Connection, caller: Caller, verified: VerifiedManifest, root: bytes | None
    ) -> Accepted:
        manifest = verified.manifest
        record = Record(
            type="version",
            actor=caller.partner,
            object=manifest.dataset,
            owner=manifest.owner,
            statement_sha256=verified.id,
            detail={"node": caller.node, "seq": manifest.seq, "content": root is not None},
        )
        made = self._accept(connection, record)
        connection.execute(
            schema.versions.insert().values(
                dataset=manifest.dataset,
                seq=manifest.seq,
                id=verified.id,
                envelope=verified.envelope,
                title=canonical(dict(manifest.title)).decode(),
                files=manifest.files,
                bytes=manifest.bytes,
                policy_seq=manifest.policy_seq,
                root=root,
                accepted=format_instant(made.accept_time),
                leaf=made.leaf_index,
            )
        )
        return made

    def _add_content(
        self, connection: sa.Connection, caller: Caller, verified: VerifiedManifest, root: bytes
    ) -> None:
        """A withheld version's bytes have come: manifest, id and time of acceptance stay (ADR 9)."""
        manifest = verified.manifest
        self._translog.append(
            connection,
            Record(
                type="act",
                actor=caller.partner,
                object=manifest.dataset,
                owner=manifest.owner,
                statement_sha256=verified.id,
                detail={"act": "add-content", "node": caller.node, "seq": manifest.seq},
            ),
        )
        table = schema.versions
        connection.execute(table.update().where(table.c.id == verified.id).values(root=root))

    def _accept(self, connection: sa.Connection, record: Record) -> Accepted:
        leaf = self._translog.append(connection, record)
        return Accepted(leaf, self._context.clock.now().replace(microsecond=0))

    def _chain(
        self, caller: Caller, table: sa.Table, dataset: DatasetId, from_seq: int, limit: int | None
    ) -> Sequence[sa.Row[Any]]:
        if from_seq < 1:
            raise InvalidInput("sequence numbers count from 1")
        self._sharing.require(caller, dataset, DISCOVER)
        count = min(limit or self._limits.page_count_max, self._limits.page_count_max)
        with self._database.read() as connection:
            return connection.execute(
                sa.select(table)
                .where(table.c.dataset == dataset, table.c.seq >= from_seq)
                .order_by(table.c.seq)
                .limit(count)
            ).all()


def _extract(row: sa.Row[Any], caller: Caller) -> PolicyExtract:
    """A policy as the caller may have it: all rules for its owner, else those that concern the caller."""
    if caller.partner == owner_of(row.dataset):
        return PolicyExtract(row.envelope, row.disclosures)
    disclosed = disclosures_from_json(row.disclosures)
    mine = [each for each in disclosed if each.rule.concerns(caller.partner)]
    return PolicyExtract(row.envelope, disclosures_to_json(mine))
