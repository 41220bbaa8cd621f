"""From a granted version to all of its files staged: `reserved → fetched → staged`.

Rules: nothing is begun that the disk cannot hold, and the work stops before the disk is full, whoever fills
it; what an earlier run has staged, or stands unedited in the applied version, is not fetched again.

    filling = Filling(tools, dataset, folder, edits)
    filling.fetch_records(record, grant, root)
    filling.fill(mirror, manifest, record, staging, applied=row.folder, resumed=False)
"""

from pathlib import Path

from core.names import DatasetId
from node.room import no_room
from node.subscribe.assemble import Assembly
from node.subscribe.chain import Grant
from node.subscribe.local_edits import LocalEdits
from node.subscribe.mirror import Mirror
from node.subscribe.plan import Plan, plan_version
from node.subscribe.records import Record
from node.subscribe.staging import leftover_bytes, purge, unmark_staged
from node.subscribe.streams import fetch_streams
from node.subscribe.tools import Tools
from sync.manifest import VerifiedManifest
from sync.recipe import TABLE_RECORD_BYTES, Root


class Filling:
    """The fetching of one mirror's versions. `folder` holds their records."""

    def __init__(self, tools: Tools, dataset: DatasetId, folder: Path, edits: LocalEdits) -> None:
        self.bytes_left = 0
        self._tools = tools
        self._dataset = dataset
        self._folder = folder
        self._edits = edits

    def fetch_records(self, record: Record, grant: Grant, root: bytes) -> None:
        """Fetch what tells a version's files and chunks."""
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

    def fill(
        self,
        mirror: Mirror,
        manifest: VerifiedManifest,
        record: Record,
        staging: int,
        *,
        applied: str | None,
        resumed: bool,
    ) -> None:
        """Stage every file of the version; `applied`: the folder of the version to build upon."""
        unmark_staged(record)
        with self._edits.old_version(mirror, applied, record.name) as (old, descriptor, intact):
            if resumed:
                purge(staging, record)
            with plan_version(record, old, intact, folder=self._folder) as plan:
                self._reserve(mirror, plan, staging if resumed else None)
                self._assemble(mirror, manifest, plan, staging, descriptor, resumed=resumed)

    def _reserve(self, mirror: Mirror, plan: Plan, leftover: int | None) -> None:
        """Refuse to begin what the disk cannot hold."""
        self.bytes_left = plan.fetch_bytes
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
            self.bytes_left = assembly.bytes_left
