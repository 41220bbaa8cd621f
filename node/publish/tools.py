"""All that the steps of a pass share: whose dataset, which state, which hub, and what is made from them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.clock import Clock
from core.limits import Limits
from core.names import DatasetId, PartnerId
from core.progress import Progress
from node import policy_intent
from node.config import PublishSection
from node.publish import versions
from node.publish.hub_room import HubRoom
from node.publish.offer import Offerer
from node.publish.prepare import Preparer
from node.publish.records import Listed, PublishRecords
from node.publish.scratch import Scratch
from node.publish.standing import Standing
from node.publish.statements import Statements
from node.room import Room
from node.trust import TrustStore
from security.rules import Rule
from sync.ports import HubApi
from sync.upload import BlobUploader


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Of one publisher."""

    section: PublishSection
    partner: PartnerId
    dataset: DatasetId
    rules: tuple[Rule, ...]
    records: PublishRecords
    standing: Standing
    statements: Statements
    work_dir: Path
    trust: TrustStore
    hub: HubApi
    clock: Clock
    limits: Limits
    progress: Progress
    room: Room
    hub_room: HubRoom

    def preparer(self, scratch: Scratch) -> Preparer:
        """A reader of this dataset's files."""
        return Preparer(
            self.section.path, self.records, scratch, self.work_dir, self.clock, self.limits, room=self.room
        )

    def uploader(self) -> BlobUploader:
        """An upload session."""
        return BlobUploader(self.hub, self.limits, progress=self.progress.advance, clock=self.clock)

    def streams(self) -> versions.VersionStreams:
        """Private files for the three streams of a version. Raises `Unavailable` (DISK_FULL)."""
        self.room.need(self.work_dir, f"publishing {self.dataset}")
        return versions.VersionStreams(self.work_dir, self.limits)

    def offerer(self, preparer: Preparer) -> Offerer:
        """An offerer of known content."""
        return Offerer(self.hub, self.records, preparer, self.section.path, self.limits)

    def may_upload(self, now: datetime) -> bool:
        """Whether bytes may leave the owner: some rule grants `read` now, or the settings say always."""
        members = [partner.id for partner in self.trust.current().registry.partners]
        granted = policy_intent.grants_read(self.rules, self.partner, members, now)
        return granted or self.section.upload == "always"

    def reoffer(self, listed: Callable[[], Iterable[Listed]]) -> bool:
        """Offer the contents of the list `listed`, and its streams; False when some bytes are not to be had.

        Raises `Denied` (QUOTA_EXCEEDED) before anything is sent when the hub has no room for it.
        """
        with (
            Scratch() as scratch,
            self.preparer(scratch) as preparer,
            self.uploader() as uploader,
            self.streams() as streams,
        ):
            summary = streams.write(listed(), self.records)
            if self.hub_room.is_tight(summary.bytes, summary.files, summary.bytes):
                self.hub_room.require(summary, listed(), streams)
            lost = self.offerer(preparer).offer(listed(), uploader.add)
            streams.send(uploader.add)
            uploader.finish()
        return not lost
