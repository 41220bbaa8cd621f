"""Policies and versions: accepted once, in order, from the one node that publishes them.

A commit is one transaction: statement, log leaf, revision. Same bytes again get the same answer. `prev` is compared and
swapped, so a restored or doubled node is fenced (`Conflict`, reason FENCED), never merged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.clock import format_instant, parse_instant
from core.errors import Conflict, Denied, InvalidInput, Untrusted
from core.names import DatasetId, NodeName, check_dataset, owner_of
from hub.services.context import Caller, Context
from hub.services.recipes import check_recipe
from hub.services.registry import RegistryService
from hub.services.sharing import SharingService, not_found
from hub.services.translog import Record, TransparencyLog
from hub.storage import schema
from security import envelope as dsse
from security.canonical import canonical, parse_strict
from security.policy import disclosures_from_json, disclosures_to_json, verify_policy
from security.rules import DISCOVER, READ
from security.statement import Link
from sync.acknowledgement import verify_acknowledgement
from sync.manifest import VerifiedManifest, verify_manifest
from sync.ports import Accepted, Listing, PolicyExtract, VersionDetail


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """One dataset, for the operator. `version_seq` 0 before a first version."""

    dataset: DatasetId
    node: NodeName
    title: Mapping[str, str]
    policy_seq: int
    version_seq: int
    versions: int
    files: int
    bytes: int
    has_content: bool
    accepted: datetime | None


class CatalogueService:
    """The datasets: policies, versions, listings, acknowledgements."""

    def __init__(
        self, context: Context, registry: RegistryService, sharing: SharingService, translog: TransparencyLog
    ) -> None:
        self._context = context
        self._database = context.database
        self._clock = context.clock
        self._limits = context.limits
        self._registry = registry
        self._sharing = sharing
        self._translog = translog

    def publish_policy(self, caller: Caller, policy: PolicyExtract) -> Accepted:
        """Put a policy in force. Raises `Untrusted`, `Denied` (not the owner), `Conflict` (FENCED)."""
        owner = self._registry.require_active(caller, fresh=True)
        self._check_size(policy.envelope, policy.disclosures)
        dataset = self._claimed_dataset(caller, policy.envelope, dsse.POLICY)
        verified = verify_policy(
            policy.envelope,
            policy.disclosures,
            owner.signing_keys,
            complete=True,
            dataset=dataset,
            limits=self._limits,
        )
        table = schema.policies
        with self._database.write() as connection:
            self._registry.require_active(caller)
            self._check_publisher(connection, caller, dataset)
            known = connection.execute(sa.select(table).where(table.c.id == verified.id)).one_or_none()
            if known is not None:
                return _accepted(known)
            _check_next(_head(connection, table, dataset), verified.link, f"policy of {dataset}")
            self._claim(connection, caller, dataset)
            leaf = self._translog.append(
                connection,
                Record(
                    type="policy",
                    actor=caller.partner,
                    object=dataset,
                    owner=owner_of(dataset),
                    statement_sha256=verified.id,
                    detail={"node": caller.node, "seq": verified.policy.seq},
                ),
            )
            accepted = Accepted(leaf, self._now())
            connection.execute(
                table.insert().values(
                    dataset=dataset,
                    seq=verified.policy.seq,
                    id=verified.id,
                    envelope=policy.envelope,
                    disclosures=policy.disclosures,
                    accepted=format_instant(accepted.accept_time),
                    leaf=leaf,
                )
            )
        return accepted

    def commit_version(self, caller: Caller, envelope: bytes, root: bytes | None) -> Accepted:
        """Commit a manifest; with `root` also its content. See `sync.ports.HubApi.commit_version`.

        Raises `Untrusted`, `Denied`, `Conflict` (FENCED), `Corrupt` (recipe and inventory disagree),
        `Unavailable` (MISSING_CHUNKS).
        """
        owner = self._registry.require_active(caller, fresh=True)
        self._check_size(envelope, b"")
        dataset = self._claimed_dataset(caller, envelope, dsse.MANIFEST)
        verified = verify_manifest(envelope, owner.signing_keys, dataset, self._limits)
        # Looked at twice: before the recipe is read, so that a fenced node learns it at once, and in the transaction.
        with self._database.read() as connection:
            known = self._placed(connection, caller, verified)
        if known is not None and (root is None or known.root is not None):
            return _accepted(known)
        if root is not None:
            store = self._context.stores.of(caller.partner)
            check_recipe(root, verified.manifest, store, self._limits)
        with self._database.write() as connection:
            self._registry.require_active(caller)
            known = self._placed(connection, caller, verified)
            if known is None:
                return self._insert_version(connection, caller, verified, root)
            if root is not None and known.root is None:
                self._add_content(connection, caller, verified, root)
            return _accepted(known)

    def list_datasets(self, caller: Caller, if_none_match: str | None = None) -> Listing | None:
        """All that the caller may discover; None when `if_none_match` still is its etag. The wire pages it."""
        self._registry.require_active(caller, fresh=True)
        view = self._sharing.view(caller.partner)
        return None if if_none_match == view.etag else Listing(view.entries, view.etag)

    def get_version(self, caller: Caller, dataset: DatasetId, manifest_id: str) -> VersionDetail:
        """One version (`manifest_id` in hex). `root` only with `read` and content. Raises `Denied` (NOT_FOUND)."""
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

    def acknowledge(self, caller: Caller, envelope: bytes) -> int:
        """Record a subscriber's acknowledgement once; its leaf's index."""
        partner = self._registry.require_active(caller, fresh=True)
        self._check_size(envelope, b"")
        verified = verify_acknowledgement(envelope, partner.signing_keys, caller.partner, self._limits)
        said = verified.acknowledgement
        if said.node != caller.node:
            raise Untrusted(
                f"an acknowledgement of node {said.node} came from {caller.node}", reason="WRONG_SIGNER"
            )
        table = schema.acknowledgements
        with self._database.write(visible=False) as connection:
            self._check_acknowledged(
                connection, caller, said.dataset, said.manifest_sha256, said.policy_sha256
            )
            known = connection.execute(
                sa.select(table.c.leaf).where(
                    table.c.partner == caller.partner,
                    table.c.node == caller.node,
                    table.c.version == said.manifest_sha256,
                )
            ).scalar_one_or_none()
            if known is not None:
                return known
            leaf = self._translog.append(
                connection,
                Record(
                    type="acknowledgement",
                    actor=caller.partner,
                    object=said.dataset,
                    owner=owner_of(said.dataset),
                    statement_sha256=verified.id,
                    detail={
                        "node": caller.node,
                        "version": said.manifest_sha256,
                        "policy": said.policy_sha256,
                        "result": said.result,
                    },
                ),
            )
            connection.execute(
                table.insert().values(
                    id=verified.id,
                    partner=caller.partner,
                    node=caller.node,
                    version=said.manifest_sha256,
                    envelope=envelope,
                    accepted=format_instant(self._now()),
                    leaf=leaf,
                )
            )
        return leaf

    def datasets(self) -> list[DatasetSummary]:
        """Every dataset, for the operator."""
        datasets, policies, versions = schema.datasets, schema.policies, schema.versions
        with self._database.read() as connection:
            return [
                self._summary(connection, row.dataset, row.node, policies, versions)
                for row in connection.execute(sa.select(datasets).order_by(datasets.c.dataset)).all()
            ]

    # --- what a statement must satisfy -----------------------------------------------------------

    def _check_size(self, envelope: bytes, disclosures: bytes) -> None:
        if max(len(envelope), len(disclosures)) > self._limits.envelope_bytes_max:
            raise InvalidInput(
                f"a statement of {max(len(envelope), len(disclosures))} bytes exceeds {self._limits.envelope_bytes_max}"
            )

    def _claimed_dataset(self, caller: Caller, envelope: bytes, payload_type: str) -> DatasetId:
        """The dataset that a statement claims to be about. Only its verification makes that true."""
        parsed = dsse.parse(envelope, self._limits)
        if parsed.payload_type != payload_type:
            raise Untrusted(
                f"expected a statement of type {payload_type}, not {parsed.payload_type}",
                reason="WRONG_PAYLOAD_TYPE",
            )
        fields = parse_strict(parsed.payload, self._limits)
        claimed: Any = fields.get("dataset")
        if payload_type == dsse.MANIFEST:
            match fields.get("subject"):
                case [{"name": name}]:
                    claimed = name
                case _:
                    claimed = None
        if not isinstance(claimed, str):
            raise Untrusted("the statement names no dataset", reason="MALFORMED")
        dataset = check_dataset(claimed)
        if owner_of(dataset) != caller.partner:
            raise Denied(
                f"{dataset} belongs to {owner_of(dataset)}; {caller.partner} cannot publish it",
                reason="NOT_OWNER",
            )
        return dataset

    def _check_publisher(self, connection: sa.Connection, caller: Caller, dataset: DatasetId) -> None:
        table = schema.datasets
        node = connection.execute(
            sa.select(table.c.node).where(table.c.dataset == dataset)
        ).scalar_one_or_none()
        if node is not None and node != caller.node:
            raise Conflict(
                f"{dataset} is published by {caller.partner}'s node {node}, not by {caller.node}",
                remedy=f"remove it from {caller.node}'s [[publish]], or give the data another name",
                reason="FENCED",
            )

    def _claim(self, connection: sa.Connection, caller: Caller, dataset: DatasetId) -> None:
        table = schema.datasets
        if (
            connection.execute(sa.select(table.c.node).where(table.c.dataset == dataset)).one_or_none()
            is None
        ):
            connection.execute(table.insert().values(dataset=dataset, owner=caller.partner, node=caller.node))

    def _placed(
        self, connection: sa.Connection, caller: Caller, verified: VerifiedManifest
    ) -> sa.Row[Any] | None:
        """The row that holds this version already, or None when it is the one that comes next."""
        manifest = verified.manifest
        self._check_publisher(connection, caller, manifest.dataset)
        table = schema.versions
        known = connection.execute(sa.select(table).where(table.c.id == verified.id)).one_or_none()
        if known is None:
            _check_next(
                _head(connection, table, manifest.dataset), verified.link, f"version of {manifest.dataset}"
            )
            self._check_pins(connection, verified)
        return known

    def _check_pins(self, connection: sa.Connection, verified: VerifiedManifest) -> None:
        manifest = verified.manifest
        policies, statements = schema.policies, schema.registry_statements
        policy = connection.execute(
            sa.select(policies.c.id).where(
                policies.c.dataset == manifest.dataset, policies.c.seq == manifest.policy_seq
            )
        ).scalar_one_or_none()
        if policy != manifest.policy_sha256:
            raise Untrusted(
                f"{manifest.dataset}: the manifest pins policy {manifest.policy_seq}, which was not accepted here",
                remedy="publish the policy first",
                reason="UNKNOWN_POLICY",
            )
        registry = connection.execute(
            sa.select(statements.c.id).where(statements.c.seq == manifest.registry_seq)
        ).scalar_one_or_none()
        if registry != manifest.registry_sha256:
            raise Untrusted(
                f"{manifest.dataset}: the manifest pins registry {manifest.registry_seq}, which is not this federation's",
                remedy="stop and tell the operator: node and hub may have seen two histories",
                reason="UNKNOWN_REGISTRY",
            )

    def _check_acknowledged(
        self, connection: sa.Connection, caller: Caller, dataset: DatasetId, version: str, policy: str
    ) -> None:
        """What is acknowledged exists, and was open to the caller: by a delivery, or by a grant now."""
        versions, policies, deliveries = schema.versions, schema.policies, schema.deliveries
        row = connection.execute(
            sa.select(versions.c.id).where(versions.c.id == version, versions.c.dataset == dataset)
        ).one_or_none()
        delivered = connection.execute(
            sa.select(deliveries.c.leaf).where(
                deliveries.c.partner == caller.partner, deliveries.c.version == version
            )
        ).one_or_none()
        if row is None or not (
            delivered is not None or self._sharing.decide(caller.partner, dataset, READ, connection).allowed
        ):
            raise not_found()
        known = connection.execute(
            sa.select(policies.c.seq).where(policies.c.id == policy, policies.c.dataset == dataset)
        ).one_or_none()
        if known is None:
            raise Untrusted(f"{dataset}: an acknowledgement names an unknown policy", reason="UNKNOWN_POLICY")

    # --- what a commit writes --------------------------------------------------------------------

    def _insert_version(
        self, connection: sa.Connection, caller: Caller, verified: VerifiedManifest, root: bytes | None
    ) -> Accepted:
        manifest = verified.manifest
        leaf = self._translog.append(
            connection,
            Record(
                type="version",
                actor=caller.partner,
                object=manifest.dataset,
                owner=manifest.owner,
                statement_sha256=verified.id,
                detail={"node": caller.node, "seq": manifest.seq, "content": root is not None},
            ),
        )
        accepted = Accepted(leaf, self._now())
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
                accepted=format_instant(accepted.accept_time),
                leaf=leaf,
            )
        )
        return accepted

    def _add_content(
        self, connection: sa.Connection, caller: Caller, verified: VerifiedManifest, root: bytes
    ) -> None:
        self._translog.append(
            connection,
            Record(
                type="act",
                actor=caller.partner,
                object=verified.manifest.dataset,
                owner=verified.manifest.owner,
                statement_sha256=verified.id,
                detail={"act": "add-content", "node": caller.node, "seq": verified.manifest.seq},
            ),
        )
        table = schema.versions
        connection.execute(table.update().where(table.c.id == verified.id).values(root=root))

    # --- looking ---------------------------------------------------------------------------------

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

    def _summary(
        self,
        connection: sa.Connection,
        dataset: DatasetId,
        node: NodeName,
        policies: sa.Table,
        versions: sa.Table,
    ) -> DatasetSummary:
        policy_seq = connection.execute(
            sa.select(sa.func.max(policies.c.seq)).where(policies.c.dataset == dataset)
        ).scalar_one_or_none()
        head = connection.execute(
            sa.select(versions).where(versions.c.dataset == dataset).order_by(versions.c.seq.desc()).limit(1)
        ).one_or_none()
        if head is None:
            return DatasetSummary(dataset, node, {}, policy_seq or 0, 0, 0, 0, 0, False, None)
        return DatasetSummary(
            dataset,
            node,
            parse_strict(head.title.encode()),
            policy_seq or 0,
            head.seq,
            head.seq,
            head.files,
            head.bytes,
            head.root is not None,
            parse_instant(head.accepted),
        )

    def _now(self) -> datetime:
        return self._clock.now().replace(microsecond=0)


def _accepted(row: sa.Row[Any]) -> Accepted:
    return Accepted(row.leaf, parse_instant(row.accepted))


def _head(connection: sa.Connection, table: sa.Table, dataset: DatasetId) -> Link | None:
    row = connection.execute(
        sa.select(table.c.seq, table.c.id)
        .where(table.c.dataset == dataset)
        .order_by(table.c.seq.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else Link(row.seq, None, row.id)


def _check_next(head: Link | None, new: Link, what: str) -> None:
    """Compare-and-swap: `new` must name the head. Whoever does not has not seen what was accepted since."""
    if new.seq != (head.seq if head else 0) + 1 or new.prev != (head.id if head else None):
        raise Conflict(
            f"{what}: number {new.seq} does not follow the hub's newest, number {head.seq if head else 0}",
            remedy="another node with these keys, or an older copy of this one, is publishing: stop one of them",
            reason="FENCED",
        )


def _extract(row: sa.Row[Any], caller: Caller) -> PolicyExtract:
    if caller.partner == owner_of(row.dataset):
        return PolicyExtract(row.envelope, row.disclosures)
    disclosed = disclosures_from_json(row.disclosures)
    return PolicyExtract(
        row.envelope, disclosures_to_json([d for d in disclosed if d.rule.concerns(caller.partner)])
    )
