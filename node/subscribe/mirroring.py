"""One mirror in one pass: `entitled → verified → reserved → fetched → staged → applied → acknowledged`.

Rules: nothing becomes visible before every byte of it was verified and flushed; heads are remembered before
anything is fetched, so a replay is refused even after a crash; each step finds what the one before left, so
that a pass may stop anywhere; an acknowledgement is kept and sent until the hub has it; local edits are never
overwritten, linked to, or pruned. The log's evidence is verified last of all, and stands beside the version
when it becomes visible; while it is waited for, everything that was fetched stays staged.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from core import durable
from core.clock import Clock, format_instant
from core.errors import Conflict, Corrupt, Denied, InvalidInput, SynclineError, Unavailable, Untrusted
from core.limits import Limits
from core.logs import get_logger
from core.names import DatasetId, NodeName, PartnerId
from core.progress import Progress
from node.evidence import Statements, renew_evidence, write_evidence
from node.mirror_state import MirrorRow, MirrorTable, VersionRow
from node.room import Room, no_room
from node.subscribe import proofkeeping
from node.subscribe.adopt import adopt, readopt
from node.subscribe.assemble import Assembly
from node.subscribe.chain import ChainReader, Grant, Head, rolled_back
from node.subscribe.edits import Inspection, inspect
from node.subscribe.mirror import Mirror, folder_name
from node.subscribe.outcome import MirrorOutcome, MirrorState
from node.subscribe.plan import Plan, plan_version
from node.subscribe.proving import NO_QUORUM, WAITS, Prover
from node.subscribe.records import PENDING, Record
from node.subscribe.staging import is_staged, leftover_bytes, mark_staged, purge, unmark_staged
from node.subscribe.streams import fetch_streams
from node.subscribe.upkeep import prune
from node.trust import TrustStore
from security.keys import Signer
from sync.acknowledgement import Acknowledgement, build
from sync.manifest import VerifiedManifest
from sync.ports import DatasetEntry, HubApi
from sync.recipe import TABLE_RECORD_BYTES, Root

log = get_logger("node.subscribe")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every mirror's work stands on."""

    partner: PartnerId
    node: NodeName
    records: Path
    mirrors: MirrorTable
    trust: TrustStore
    hub: HubApi
    prover: Prover
    signer: Signer
    clock: Clock
    limits: Limits
    progress: Progress
    room: Room


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
        self._bytes_left = 0
        self._attention: tuple[str, ...] = ()

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
            can_tell = self._look(mirror)
            if can_tell:
                self._improve_evidence(mirror, reader, entry)
                return MirrorState.CURRENT
        head = Head(self.row.head_seq, self.row.head_id) if self.row.head_id else None
        manifest = reader.newest(entry, head)
        self._wanted = manifest.manifest.seq
        self._put(head_seq=manifest.manifest.seq, head_id=manifest.id)
        if not entry.has_content and manifest.id == entry.manifest_id:
            self._look(mirror)
            return MirrorState.WAITING
        grant = self._regrant(reader, manifest)
        if grant.root is None:
            self._look(mirror)
            return MirrorState.WAITING
        self._check_size(manifest)
        record = self._record(manifest)
        self._fetch_records(record, grant, grant.root)
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

    def _fetch_records(self, record: Record, grant: Grant, root: bytes) -> None:
        limits = self._tools.limits
        table_bytes = grant.manifest.manifest.bytes // limits.chunk_bytes_avg * TABLE_RECORD_BYTES
        self._tools.room.need(self._folder, f"mirroring {self._dataset}", table_bytes)
        if record.read("root") != root:  # another cut of the same version: its streams are others
            for each in record.folder.iterdir():
                each.unlink()
            record.keep("root", root)
        others = [
            Record(folder, limits)
            for folder in sorted(self._folder.iterdir())
            if folder != record.folder and (folder / "root").exists()
        ]
        fetch_streams(self._tools.hub, grant.manifest, Root.from_bytes(root, limits), record, others, limits)

    def _apply(self, mirror: Mirror, reader: ChainReader, grant: Grant, record: Record) -> None:
        name = record.name
        if not self._is_published(mirror, record):
            staging, resumed = mirror.stage(name)
            try:
                if resumed and is_staged(record, staging):
                    self._look(mirror)
                else:
                    self._fill(mirror, grant.manifest, record, staging, resumed=resumed)
                grant = self._prove(reader, grant, record, staging)
            finally:
                os.close(staging)
            durable.rename(record.folder / PENDING, record.folder / "stat")
            mirror.publish(name)
        mirror.point(name)
        self._applied(grant, record)

    def _fill(
        self, mirror: Mirror, manifest: VerifiedManifest, record: Record, staging: int, *, resumed: bool
    ) -> None:
        """Stage every file of the version."""
        unmark_staged(record)
        with self._old_version(mirror, record.name) as (old, descriptor, intact):
            if resumed:
                purge(staging, record)
            with plan_version(record, old, intact, folder=self._folder) as plan:
                self._reserve(mirror, plan, staging if resumed else None)
                self._assemble(mirror, manifest, plan, staging, descriptor, resumed=resumed)

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

    @contextmanager
    def _old_version(
        self, mirror: Mirror, name: str
    ) -> Generator[tuple[Record | None, int | None, bytearray]]:
        """The version to build upon: the applied one, if its record is whole and its folder stands."""
        old_name = self.row.folder
        record = Record(self._folder / old_name, self._tools.limits) if old_name else None
        descriptor = None
        if record is not None and old_name is not None and old_name != name and record.is_complete:
            descriptor = mirror.version(old_name)
        if record is None or old_name is None or descriptor is None:
            yield None, None, bytearray()
            return
        try:
            found = self._inspect(record, descriptor)
            if found is None and readopt(record, descriptor):
                found = self._inspect(record, descriptor)
            if found is None:
                yield None, None, bytearray()
                return
            self._note(old_name, found)
            yield record, descriptor, found.intact
        finally:
            os.close(descriptor)

    def _inspect(self, record: Record, descriptor: int) -> Inspection | None:
        """What became of a version; None when its record is damaged, which is set aside and told."""
        try:
            return inspect(record, descriptor)
        except Corrupt as error:
            aside = record.set_aside()
            log.warning(error.message, dataset=self._dataset, version=record.name, kept=str(aside))
            line = (
                f"versions/{record.name}: its record in this node's state was damaged and is kept as {aside};"
                " the mirror is checked anew by hashing → check the disk of [node] state_dir"
            )
            self._attention = (*self._attention, line)
            return None

    def _reserve(self, mirror: Mirror, plan: Plan, leftover: int | None) -> None:
        """Refuse to begin what the disk cannot hold."""
        self._bytes_left = plan.fetch_bytes
        there = leftover_bytes(leftover) if leftover is not None else 0
        needed, kept = max(0, plan.fetch_bytes - there), self._tools.limits.disk_reserve_bytes
        free = mirror.free_bytes()
        if free < needed + kept:
            raise no_room(mirror.path, f"mirroring {self._dataset}", free, needed, kept)

    def _check_room(self, mirror: Mirror, left: int) -> None:
        """Stop before the disk is full, whoever fills it; what was fetched stays."""
        free, kept = mirror.free_bytes(), self._tools.limits.disk_reserve_bytes
        if free < kept:
            raise no_room(mirror.path, f"mirroring {self._dataset}", free, left, kept)

    def _assemble(
        self,
        mirror: Mirror,
        manifest: VerifiedManifest,
        plan: Plan,
        staging: int,
        old: int | None,
        *,
        resumed: bool,
    ) -> None:
        tools = self._tools
        assembly = Assembly(
            tools.hub,
            manifest,
            plan,
            staging=staging,
            old=old,
            progress=tools.progress,
            limits=tools.limits,
            resumed=resumed,
            check_room=lambda left: self._check_room(mirror, left),
        )
        tools.progress.begin(f"fetch {self._dataset}", plan.fetch_bytes)
        try:
            assembly.run()
        finally:
            tools.progress.end()
            self._bytes_left = assembly.bytes_left

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
        acknowledgement = build(
            Acknowledgement(
                dataset=self._dataset,
                manifest_sha256=manifest.id,
                policy_sha256=grant.policy.id,
                partner=tools.partner,
                node=tools.node,
                created=now,
            ),
            tools.signer,
            tools.limits,
        )
        record.keep("acknowledgement.json", acknowledgement)
        self._bytes_left = 0
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
        self._attention = (*self._attention, f"{error.message} → {error.remedy}")
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
                    self._look(mirror)
        except Unavailable:
            pass  # nothing was received
        return self._outcome(MirrorState.GRANT_ENDED)

    # What follows

    def _acknowledge(self) -> None:
        """Send the acknowledgement that is owed. A hub that is away gets it later.

        A hub whose log continues another was restored, and may have lost it: it gets it once more, byte for
        byte; one that has it answers with the first one's leaf.
        """
        mirrors, key = self._tools.mirrors, self.row.key
        current = self._tools.trust.current().registry.logs[-1]
        again = current.continues is not None and mirrors.acknowledged_in(key) != current.origin
        if self.row.acknowledgement is None or (self.row.acknowledged and not again):
            return
        try:
            self._tools.hub.acknowledge(self.row.acknowledgement)
        except (Unavailable, Denied, Untrusted) as error:
            # What a restored hub lacks (the version, its policy) its owner sends again: then it takes this.
            if isinstance(error, Untrusted) and not (again and error.reason == "UNKNOWN_POLICY"):
                raise
            log.info("acknowledgement waits", dataset=self._dataset, error=error.message)
            return
        if again:
            mirrors.set_acknowledged_in(key, current.origin)
        self._put(acknowledged=True)

    def _look(self, mirror: Mirror) -> bool:
        """Notice local edits in the version that `current` names; False when its record was damaged."""
        name = self.row.folder
        if name is None or not Record(self._folder / name).is_complete:
            return True
        descriptor = mirror.version(name)
        if descriptor is None:
            return True
        try:
            found = self._inspect(Record(self._folder / name, self._tools.limits), descriptor)
            if found is None:
                return False
            self._note(name, found)
            if found.edits:
                place = f"{mirror.path}/versions/{name}"
                remedy = f"keep what is yours elsewhere, then remove {place}: it is fetched again"
                self._attention = (*self._attention[:-1], f"{self._attention[-1]} → {remedy}")
            return True
        finally:
            os.close(descriptor)

    def _note(self, name: str, found: Inspection) -> None:
        self._attention += found.summary(name)
        for version in self._tools.mirrors.versions(self.row.key):
            if version.folder == name and version.edited != bool(found.edits):
                self._tools.mirrors.put_version(replace(version, edited=bool(found.edits)))

    def _prune(self, mirror: Mirror) -> None:
        tools = self._tools
        mirror.clear_staging()
        self._attention += prune(
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
        if error is None and self._attention and state in (MirrorState.CURRENT, MirrorState.WAITING):
            state = MirrorState.NEEDS_ATTENTION
        return MirrorOutcome(
            dataset=self._dataset,
            path=self._root / self._dataset,
            state=state,
            seq=self.row.applied_seq or None,
            manifest_id=self.row.applied_id,
            wanted_seq=self._wanted,
            bytes_left=self._bytes_left,
            error=error,
            acknowledged=self.row.acknowledged,
            attention=tuple(dict.fromkeys(self._attention)),
        )
