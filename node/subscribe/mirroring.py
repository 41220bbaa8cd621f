"""One mirror in one pass: `entitled → verified → reserved → fetched → staged → applied → acknowledged`.

Rules: nothing becomes visible before every byte of it was verified and flushed; heads are remembered before
anything is fetched, so a replay is refused even after a crash; each step finds what the one before left, so
that a pass may stop anywhere; an acknowledgement is kept and sent until the hub has it; local edits are never
overwritten, linked to, or pruned. The log's evidence is verified last of all, and stands beside the version
when it becomes visible; while it is waited for, everything that was fetched stays staged.
"""

import os
from dataclasses import replace
from pathlib import Path

from core import durable
from core.clock import format_instant
from core.errors import Conflict, Denied, InvalidInput, SynclineError, Unavailable
from core.logs import get_logger
from core.names import DatasetId
from node.evidence import Statements, renew_evidence, write_evidence
from node.mirror_state import MirrorRow, VersionRow
from node.subscribe import acknowledging, proofkeeping
from node.subscribe.adopt import adopt
from node.subscribe.chain import ChainReader, Grant, Head, rolled_back
from node.subscribe.filling import Filling
from node.subscribe.local_edits import LocalEdits
from node.subscribe.mirror import Mirror, folder_name
from node.subscribe.outcome import MirrorOutcome, MirrorState
from node.subscribe.proving import NO_QUORUM, WAITS
from node.subscribe.records import PENDING, Record
from node.subscribe.staging import is_staged, mark_staged
from node.subscribe.tools import Tools
from node.subscribe.upkeep import prune
from sync.manifest import VerifiedManifest
from sync.ports import DatasetEntry

log = get_logger("node.subscribe")


class Mirroring:
    """The work on one mirror. `row` is what is known of it, newest."""

    def __init__(
        self,
        tools: Tools,
        row: MirrorRow,
        dataset: DatasetId,
        root: Path,
        *,
        keep: int,
        max_bytes: int | None,
    ) -> None:
        self.row = row
        self._tools = tools
        self._dataset = dataset
        self._root = root
        self._keep = keep
        self._max_bytes = max_bytes
        self._folder = tools.records / row.key
        self._wanted: int | None = None
        self._edits = LocalEdits(tools, dataset, self._folder, row.key)
        self._filling = Filling(tools, dataset, self._folder, self._edits)

    def run(self, entry: DatasetEntry | None) -> MirrorOutcome:
        """Bring the mirror to what `entry` lists (None: the hub lists it no more).

        Raises any `SynclineError`.
        """
        self._wanted = entry.manifest_seq if entry is not None else None
        if entry is None or not entry.may_read:
            return self._not_granted(entry)
        if entry.manifest_id is None:
            return self._outcome(MirrorState.WAITING)
        if entry.manifest_seq < self.row.head_seq:
            raise rolled_back(self._dataset, entry.manifest_seq, self.row.head_seq)
        reader = ChainReader(self._tools.hub, self._tools.trust, self._tools.partner, self._tools.limits)
        with Mirror.open(self._root, self._dataset, create=not self.row.applied_seq) as mirror:
            try:
                state = self._bring(mirror, reader, entry)
            except Denied as error:
                return self._ended(error)
            except Unavailable as error:
                if error.reason not in WAITS:
                    raise
                return self._waits(error)
            self._acknowledge()
            self._prune(mirror)
            return self._outcome(state)

    def failed(self, error: SynclineError) -> MirrorOutcome:
        """The outcome of a pass that `error` ended."""
        return self._outcome(MirrorState.FAILED, error)

    # From the listing to a version that is applied

    def _bring(self, mirror: Mirror, reader: ChainReader, entry: DatasetEntry) -> MirrorState:
        if entry.manifest_id == self.row.applied_id and self._stands(mirror):
            can_tell = self._edits.look(mirror, self.row.folder)
            if can_tell:
                self._improve_evidence(mirror, reader, entry)
                return MirrorState.CURRENT
        head = Head(self.row.head_seq, self.row.head_id) if self.row.head_id else None
        manifest = reader.newest(entry, head)
        self._wanted = manifest.manifest.seq
        self._put(head_seq=manifest.manifest.seq, head_id=manifest.id)
        if not entry.has_content and manifest.id == entry.manifest_id:
            self._edits.look(mirror, self.row.folder)
            return MirrorState.WAITING
        grant = self._regrant(reader, manifest)
        if grant.root is None:
            self._edits.look(mirror, self.row.folder)
            return MirrorState.WAITING
        self._check_size(manifest)
        record = self._record(manifest)
        self._filling.fetch_records(record, grant, grant.root)
        self._apply(mirror, reader, grant, record)
        return MirrorState.UPDATED

    def _stands(self, mirror: Mirror) -> bool:
        """Whether the applied version is where it was put, and `current` names it (else that is repaired)."""
        name = self.row.folder
        if name is None or not Record(self._folder / name).is_complete:
            return False
        descriptor = mirror.version(name)
        if descriptor is None:
            log.warning("a mirrored version is gone and is fetched again", dataset=self._dataset, folder=name)
            return False
        os.close(descriptor)
        mirror.point(name)
        return True

    def _check_size(self, manifest: VerifiedManifest) -> None:
        size = manifest.manifest.bytes
        if self._max_bytes is not None and size > self._max_bytes:
            raise InvalidInput(
                f"version {manifest.manifest.seq} of {self._dataset} has {size:,} bytes, "
                f"and max_bytes allows {self._max_bytes:,}",
                remedy="raise max_bytes in that [[subscribe]] section, or remove the section",
                reason="MAX_BYTES",
            )

    def _record(self, manifest: VerifiedManifest) -> Record:
        folder = self._folder / folder_name(manifest.manifest.seq, manifest.id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Record(folder, self._tools.limits)

    def _apply(self, mirror: Mirror, reader: ChainReader, grant: Grant, record: Record) -> None:
        name = record.name
        if not self._is_published(mirror, record):
            staging, resumed = mirror.stage(name)
            try:
                if resumed and is_staged(record, staging):
                    self._edits.look(mirror, self.row.folder)
                else:
                    self._filling.fill(
                        mirror, grant.manifest, record, staging, applied=self.row.folder, resumed=resumed
                    )
                grant = self._prove(reader, grant, record, staging)
            finally:
                os.close(staging)
            durable.rename(record.folder / PENDING, record.folder / "stat")
            mirror.publish(name)
        mirror.point(name)
        self._applied(grant, record)

    def _prove(self, reader: ChainReader, grant: Grant, record: Record, staging: int) -> Grant:
        """Put the verified evidence beside the staged version; the grant under which it is received."""
        tools = self._tools
        try:
            proof = tools.prover.prove(grant, lambda: self._regrant(reader, grant.manifest))
        except SynclineError:
            mark_staged(record, staging)
            raise
        write_evidence(staging, self._statements(reader, proof.grant, record), proof.files)
        proofkeeping.keep_policy(record, proof)
        proofkeeping.looked(record, proof, tools.clock.now(), tools.limits)
        return proof.grant

    def _regrant(self, reader: ChainReader, manifest: VerifiedManifest) -> Grant:
        """The policy as it is now, never older than the newest that was seen."""
        floor = Head(self.row.policy_seq, self.row.policy_id) if self.row.policy_id else None
        grant = reader.grant(manifest, floor)
        self._put(policy_seq=grant.policy.policy.seq, policy_id=grant.policy.id)
        return grant

    def _is_published(self, mirror: Mirror, record: Record) -> bool:
        """Whether the version stands in `versions/` already.

        One whose record was lost is checked where it is.
        """
        descriptor = mirror.version(record.name)
        if descriptor is None:
            (record.folder / "stat").unlink(missing_ok=True)
            return False
        try:
            if record.is_complete or adopt(record, descriptor):
                return True
        finally:
            os.close(descriptor)
        if mirror.current() == record.name:
            raise Conflict(
                f"{mirror.path}/versions/{record.name} was changed, and this node has lost its record",
                remedy="move the link `current` and that folder away; the next pass fetches the version anew",
                reason="MIRROR_EDITED",
            )
        mirror.unpublish(record.name)
        return False

    def _statements(self, reader: ChainReader, grant: Grant, record: Record) -> Statements:
        return Statements(
            manifest=grant.manifest,
            policy=grant.policy,
            disclosures=grant.disclosures,
            registries=self._tools.trust.chain(),
            keys=reader.keys(grant.manifest.manifest),
            inventory=record.folder / "inventory",
        )

    def _applied(self, grant: Grant, record: Record) -> None:
        """Remember that `current` names the version, and the acknowledgement owed, in one transaction."""
        tools, manifest = self._tools, grant.manifest
        now = tools.clock.now()
        acknowledgement = acknowledging.build_for(tools, grant, now)
        record.keep("acknowledgement.json", acknowledgement)
        self._filling.bytes_left = 0
        row = replace(
            self.row,
            applied_seq=manifest.manifest.seq,
            applied_id=manifest.id,
            folder=record.name,
            acknowledgement=acknowledgement,
            acknowledged=False,
            last_success=format_instant(now),
        )
        version = VersionRow(
            key=row.key,
            folder=record.name,
            seq=manifest.manifest.seq,
            manifest_id=manifest.id,
            applied=format_instant(now),
        )
        tools.mirrors.apply(row, version)
        self.row = row

    def _improve_evidence(self, mirror: Mirror, reader: ChainReader, entry: DatasetEntry) -> None:
        """Bring what stands beside the applied version to what the log has by now (`proofkeeping`)."""
        assert self.row.folder is not None and self.row.head_id is not None
        tools, record = self._tools, Record(self._folder / self.row.folder, self._tools.limits)
        if not proofkeeping.is_due(record, tools.clock.now()):
            return
        descriptor = mirror.version(record.name)
        if descriptor is None:
            return
        try:
            manifest = reader.newest(entry, Head(self.row.head_seq, self.row.head_id))
            proof = proofkeeping.better(
                record, manifest, reader, tools.prover, lambda: self._regrant(reader, manifest)
            )
            if proof is not None:
                renew_evidence(descriptor, self._statements(reader, proof.grant, record), proof.files)
                proofkeeping.keep_policy(record, proof)
            proofkeeping.looked(record, proof, tools.clock.now(), tools.limits)
        except (Unavailable, Denied) as error:
            log.info("no newer evidence", dataset=self._dataset, error=error.message)
            proofkeeping.looked(record, None, tools.clock.now(), tools.limits)
        finally:
            os.close(descriptor)

    # What is not granted, or not any more

    def _waits(self, error: Unavailable) -> MirrorOutcome:
        """All of the version is here, but for the evidence: nothing is removed, and nothing fetched again."""
        self._acknowledge()
        self._edits.lines = (*self._edits.lines, f"{error.message} → {error.remedy}")
        quorum = error.reason == NO_QUORUM
        return self._outcome(MirrorState.AWAITS_WITNESSES if quorum else MirrorState.AWAITS_LOG)

    def _not_granted(self, entry: DatasetEntry | None) -> MirrorOutcome:
        if self.row.applied_seq or self.row.state == MirrorState.GRANT_ENDED.value or self.row.policy_id:
            return self._ended(None)
        return self._outcome(MirrorState.VISIBLE if entry is not None else MirrorState.NOT_SHARED)

    def _ended(self, error: Denied | None) -> MirrorOutcome:
        """The grant has ended: what was received stays; what was half fetched stays for a day."""
        if not self.row.policy_id and error is not None:
            return self._outcome(MirrorState.VISIBLE)
        try:
            with Mirror.open(self._root, self._dataset, create=False) as mirror:
                if (
                    mirror.staging_age_s(self._tools.clock.now().timestamp())
                    > self._tools.limits.mirror_keep_s
                ):
                    mirror.clear_staging()
                if self.row.applied_seq:
                    self._edits.look(mirror, self.row.folder)
        except Unavailable:
            pass  # nothing was received
        return self._outcome(MirrorState.GRANT_ENDED)

    # What follows

    def _acknowledge(self) -> None:
        if acknowledging.send(self._tools, self.row):
            self._put(acknowledged=True)

    def _prune(self, mirror: Mirror) -> None:
        tools = self._tools
        mirror.clear_staging()
        self._edits.lines += prune(
            tools.mirrors,
            mirror,
            self.row,
            self._folder,
            keep=self._keep,
            now=tools.clock.now(),
            limits=tools.limits,
        )

    def _put(self, **changes: object) -> None:
        self.row = replace(self.row, **changes)  # type: ignore[arg-type]
        self._tools.mirrors.put(self.row)

    def _outcome(self, state: MirrorState, error: SynclineError | None = None) -> MirrorOutcome:
        if error is None and self._edits.lines and state in (MirrorState.CURRENT, MirrorState.WAITING):
            state = MirrorState.NEEDS_ATTENTION
        return MirrorOutcome(
            dataset=self._dataset,
            path=self._root / self._dataset,
            state=state,
            seq=self.row.applied_seq or None,
            manifest_id=self.row.applied_id,
            wanted_seq=self._wanted,
            bytes_left=self._filling.bytes_left,
            error=error,
            acknowledged=self.row.acknowledged,
            attention=tuple(dict.fromkeys(self._edits.lines)),
        )
