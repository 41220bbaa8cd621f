"""Exports: what a receiver may have, told to the log, then written as one bundle under one checkpoint.

    plan = hub.export.plan(["la-dgm/*"], "owner", with_data=False, since=None)
    done = hub.export.export(plan, Path("evidence.zip"), progress)

Rules: the act is in the log before the first byte is written; nothing that the plan needs is newer than the
bundle's checkpoint; the same plan at the same checkpoint gives the same bytes. Works beside a running hub and
without one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from audit.bundle.container import check_free
from audit.bundle.contents import (
    BundleDataset,
    BundlePolicy,
    BundleRecord,
    BundleRegistry,
    BundleScope,
    BundleVersion,
    Contents,
    version_folder,
    write_contents,
)
from audit.bundle.keys import key_files, log_policy
from audit.bundle.readme import bag_info, readme
from audit.bundle.writer import new_bag
from core.clock import format_instant
from core.names import DatasetId, PartnerId, owner_of
from core.progress import Progress
from hub.services.auditors import AuditorService
from hub.services.context import Context
from hub.services.export.files import StoredVersion
from hub.services.export.plan import ExportPlan, Planner
from hub.services.export.selection import Selection, acknowledged, departed, select
from hub.services.log import LogService
from hub.services.registry import RegistryService
from hub.services.sharing import SharingService
from hub.services.translog import Record, TransparencyLog, told_by
from hub.storage import schema
from security import envelope as dsse
from security.canonical import JSON
from security.policy import disclosures_from_json, disclosures_to_json
from security.registry import Registry
from security.tlog.checkpoint import Checkpoint, parse_checkpoint
from security.tlog.note import parse_note
from security.tlog.opening_file import LanePlace, OpeningFile
from security.tlog.tlog_proof import to_proof_file
from sync.manifest import verify_manifest

_PAGE_COUNT = 500


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. `witnesses`: how many cosigned the checkpoint; `withheld`: versions whose bytes were
    wanted and are not at the hub."""

    scope: BundleScope
    datasets: int
    versions: int
    records: int
    files: int
    bytes: int
    withheld: int
    witnesses: int


class ExportService:
    """Writes bundles."""

    def __init__(
        self,
        context: Context,
        registry: RegistryService,
        sharing: SharingService,
        auditors: AuditorService,
        translog: TransparencyLog,
        log: LogService,
    ) -> None:
        self._context = context
        self._database = context.database
        self._limits = context.limits
        self._registry = registry
        self._translog = translog
        self._log = log
        self._planner = Planner(context, registry, sharing, auditors)

    def plan(
        self, wanted: Sequence[str], audience: str, *, with_data: bool, since: datetime | None
    ) -> ExportPlan:
        """What `audience` (`owner`, or an id) may have of the datasets or patterns `wanted`.

        Raises `InvalidInput`, `Denied` (NOT_GRANTED, REVOKED).
        """
        return self._planner.plan(wanted, audience, with_data=with_data, since=since)

    def export(self, plan: ExportPlan, out: Path, progress: Progress, *, by: str | None = None) -> Exported:
        """Log the act, then write the bundle.

        Raises `Conflict` (ALREADY_EXISTS), `InvalidInput`, `Unavailable`, `Corrupt`.
        """
        check_free(out)
        with self._database.read() as connection:
            needed = select(connection, plan, None, self._limits).last + 1
        self._log_act(plan, by)
        self._log.make_checkpoint(force=True)
        return self.write(plan, self._log.best_checkpoint(needed), out, progress)

    def write(self, plan: ExportPlan, note: bytes, out: Path, progress: Progress) -> Exported:
        """Write the bundle of `plan` under the checkpoint `note`."""
        parsed = parse_note(note, self._limits)
        checkpoint = parse_checkpoint(parsed.text)
        with self._database.read() as connection:
            selection = select(connection, plan, checkpoint.size, self._limits)
        contents = self._contents(plan, selection, checkpoint, note)
        with new_bag(out, contents.scope.base, self._limits) as bag:
            write_contents(bag, contents, progress)
            bag.seal(readme(contents.scope), bag_info(contents.scope))
        versions = [row for rows in selection.versions.values() for row in rows]
        return Exported(
            contents.scope,
            len(contents.datasets),
            len(versions),
            len(selection.indices),
            bag.files,
            bag.bytes,
            sum(not row.has_content for row in versions) if plan.with_data else 0,
            len(parsed.signatures) - 1,
        )

    # --- steps -----------------------------------------------------------------------------------

    def _log_act(self, plan: ExportPlan, by: str | None) -> None:
        """An act in the lane of each owner, which says nothing of other owners' datasets."""
        owners = sorted({owner_of(dataset) for dataset in plan.datasets})
        with self._database.write(visible=False) as connection:
            for owner in owners:
                detail: dict[str, JSON] = {
                    "act": "export",
                    "for": plan.audience,
                    "datasets": [each for each in plan.datasets if owner_of(each) == owner],
                    "with_data": plan.with_data,
                    **told_by(by),
                }
                if plan.since is not None:
                    detail["since"] = format_instant(plan.since)
                self._translog.append(
                    connection,
                    Record(type="act", actor="operator", object=owner, owner=owner, detail=detail),
                )

    def _contents(
        self, plan: ExportPlan, selection: Selection, checkpoint: Checkpoint, note: bytes
    ) -> Contents:
        chain = [
            Registry.from_payload(dsse.parse(row.envelope, self._limits).payload, self._limits)
            for row in selection.registries
        ]
        log = next(each for each in chain[-1].logs if each.origin == checkpoint.origin)
        proofs = self._log.inclusions([row.leaf for row in selection.registries], checkpoint.size)
        return Contents(
            scope=BundleScope(
                federation=chain[-1].federation,
                audience=plan.audience,
                lanes=tuple(sorted(plan.whole)),
                datasets=plan.datasets,
                since=plan.since,
                log=checkpoint.origin,
                tree_size=checkpoint.size,
            ),
            datasets=[self._dataset(plan, selection, each, checkpoint.size) for each in plan.datasets],
            keys=key_files(chain, self._signers(plan, selection, checkpoint.size), log),
            checkpoint=note,
            log_policy=log_policy(chain[-1]),
            records=self._records(plan, selection, checkpoint.size, note),
            registries=[
                BundleRegistry(row.seq, row.envelope, to_proof_file(row.leaf, hashes, note))
                for row, hashes in zip(selection.registries, proofs, strict=True)
            ],
            departures=self._departures(plan, selection, checkpoint.size),
        )

    def _departures(self, plan: ExportPlan, selection: Selection, size: int) -> Sequence[tuple[int, bytes]]:
        with self._database.read() as connection:
            rows = connection.execute(departed(plan, selection, size)).all()
        return [(row.leaf, row.envelope) for row in rows]

    def _dataset(
        self, plan: ExportPlan, selection: Selection, dataset: DatasetId, size: int
    ) -> BundleDataset:
        versions = sorted(selection.versions[dataset], key=lambda row: version_folder(row.seq, row.id))
        return BundleDataset(
            dataset,
            (self._version(plan, dataset, row.id) for row in versions),
            (self._policy(plan, dataset, row.id) for row in selection.policies[dataset]),
            self._acknowledgements(plan, selection, dataset, size),
        )

    def _version(self, plan: ExportPlan, dataset: DatasetId, id_: str) -> BundleVersion:
        owner = owner_of(dataset)
        row = self._row(schema.versions, id_)
        keys = self._registry.keys_ever(owner)
        manifest = verify_manifest(row.envelope, keys, dataset, self._limits).manifest
        stored = None
        if row.root is not None and plan.may_list_files(dataset):
            stored = StoredVersion(row.root, self._context.stores.readable(owner), self._limits)
        return BundleVersion(
            seq=row.seq,
            id=row.id,
            manifest=row.envelope,
            inventory_sha256=manifest.inventory_sha256,
            content_bytes=manifest.bytes,
            inventory=None if stored is None else stored.inventory,
            content=stored if plan.with_data and dataset in plan.readable else None,
        )

    def _policy(self, plan: ExportPlan, dataset: DatasetId, id_: str) -> BundlePolicy:
        row = self._row(schema.policies, id_)
        rules = row.disclosures
        if not plan.is_whole(dataset):
            disclosed = disclosures_from_json(rules)
            rules = disclosures_to_json([each for each in disclosed if each.rule.concerns(plan.audience)])
        return BundlePolicy(row.seq, row.envelope, rules)

    def _row(self, table: sa.Table, id_: str) -> sa.Row[Any]:
        with self._database.read() as connection:
            return connection.execute(sa.select(table).where(table.c.id == id_)).one()

    def _acknowledgements(
        self, plan: ExportPlan, selection: Selection, dataset: DatasetId, size: int
    ) -> Iterator[tuple[int, bytes]]:
        with self._database.read() as connection:
            rows = connection.execution_options(yield_per=_PAGE_COUNT).execute(
                acknowledged(plan, selection, dataset, size)
            )
            for row in rows:
                yield row.leaf, row.envelope

    def _signers(self, plan: ExportPlan, selection: Selection, size: int) -> set[PartnerId]:
        """Owners and subscribers whose signatures are in the bundle."""
        found = {owner_of(dataset) for dataset in plan.datasets}
        with self._database.read() as connection:
            for dataset in plan.datasets:
                query = acknowledged(plan, selection, dataset, size).subquery()
                partners = connection.execute(sa.select(query.c.partner).distinct()).scalars()
                found.update(PartnerId(each) for each in partners)
        return found

    def _records(
        self, plan: ExportPlan, selection: Selection, size: int, note: bytes
    ) -> Iterator[BundleRecord]:
        proofs = self._log.inclusions(selection.indices, size)
        remaining = iter(selection.indices)
        while page := list(islice(remaining, _PAGE_COUNT)):
            with self._database.read() as connection:
                rows = connection.execute(_opened(page)).all()
            for row in rows:
                lane = None
                if row.lane_owner in plan.whole:
                    lane = LanePlace(row.lane_n, row.lane_prev, row.lane_salt)
                opening = OpeningFile(row.idx, row.record, row.nonce, lane)
                proof = to_proof_file(row.idx, next(proofs), note)
                yield BundleRecord(row.idx, opening.to_bytes(), proof)


def _opened(indices: Sequence[int]) -> sa.Select[Any]:
    """Leaves by index, with the commitment before each in its lane."""
    leaves = schema.leaves
    before = leaves.alias()
    return (
        sa.select(leaves, before.c.lane_commitment.label("lane_prev"))
        .outerjoin(
            before,
            sa.and_(before.c.lane_owner == leaves.c.lane_owner, before.c.lane_n == leaves.c.lane_n - 1),
        )
        .where(leaves.c.idx.in_(indices))
        .order_by(leaves.c.idx)
    )
