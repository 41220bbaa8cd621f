"""The folder's part of a pass: observe, settle, guard, read and upload, sign and commit.

Rules: bytes go to the hub while they are read, each read once; only where the hub may lack the room for them,
that is counted first, and they are read once more (`hub_room`); a list is signed only when every byte that
it names is durable there (or it is withheld whole); without a difference nothing is signed.

    outcome = FolderPass(tools, folder, now).run()
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime

from core.clock import format_instant
from node.folder import FolderIdentity
from node.publish import guard, unlisted, versions
from node.publish.describe import describe, described
from node.publish.guard import Waiting
from node.publish.observe import Observed, observe
from node.publish.outcome import PublishOutcome, PublishState
from node.publish.prepare import Preparer
from node.publish.records import Head, ListChange, Listed
from node.publish.resting import await_rest
from node.publish.scratch import ABSENT, KNOWN, NEW, READY, Scratch
from node.publish.tools import Tools
from node.publish.versions import Summary
from security.rules import next_change
from sync.ports import ChunkId
from sync.upload import BlobUploader

_ISSUES_SHOWN = 5
_ISSUES_KEPT = 1_000


@dataclass(slots=True)
class _Built:
    """A list that is ready to be signed. `root` None: withheld."""

    summary: Summary
    root: bytes | None
    sent_bytes: int = 0


@dataclass(slots=True)
class FolderPass:
    """One pass. `now` is the instant by which the rules are judged."""

    tools: Tools
    folder: FolderIdentity
    now: datetime
    _scratch: Scratch = field(default_factory=Scratch)
    _unsettled: bool = False
    _unmounted: frozenset[str] = frozenset()
    _unlisted: Observed | None = None  # what the folder holds, while the last version's list is not known
    _notes: list[str] = field(default_factory=list[str])

    def run(self) -> PublishOutcome:
        """See the module. Raises `SynclineError`."""
        tools = self.tools
        try:
            head = tools.records.head() or Head()
            before = FolderIdentity.from_text(head.folder)
            approval = tools.standing.approval()
            self._unmounted = self.folder.unmounted(before) - frozenset(approval.get("unmounted") or ())
            observed = observe(tools.section, tools.records, self._scratch, self._unmounted, tools.limits)
            self._unlisted = observed if unlisted.is_unlisted(tools.records, head) else None
            if self._scratch.count(NEW, KNOWN, ABSENT).files:
                self._unsettled = await_rest(self._scratch, tools.section, tools.clock)
            waiting = self._waiting(head)
            if waiting is not None:
                return self._wait(waiting, head)
            outcome = self._publish(head)
            self._remember_folder()
            return outcome
        finally:
            self._scratch.close()

    def _waiting(self, head: Head, *, read: bool = False) -> Waiting | None:
        """What a person must approve first; `read`: the files were, so a new name shows by its content."""
        removals = self._scratch.removals(by_content=read)
        if self._unlisted is not None:
            removals = unlisted.removals(head, self._unlisted)
        waiting = guard.check(head, removals, self.folder, self.tools.section.remove_guard)
        return waiting if waiting and not waiting.covered_by(self.tools.standing.approval()) else None

    # -- reading, uploading ---------------------------------------------------------------------

    def _publish(self, head: Head) -> PublishOutcome:
        tools, scratch = self.tools, self._scratch
        uploads = tools.may_upload(self.now)
        tight = uploads and self._is_tight(head)
        to_read = scratch.count(NEW)
        if to_read.files:
            tools.progress.begin(f"publish {tools.dataset}", to_read.bytes)
        try:
            with ExitStack() as stack:
                preparer = stack.enter_context(tools.preparer(scratch))
                uploader = stack.enter_context(tools.uploader()) if uploads else None
                at_once = None if tight else uploader
                preparer.read_all(
                    at_once.add if at_once else _discard, _ignore if at_once else tools.progress.advance
                )
                self._unsettled = self._unsettled or preparer.restless
                wanted = self._wanted(head, uploads)
                if wanted is not None:
                    return wanted
                if tight:
                    self._require_room(head)
                built = self._build(head, preparer, uploader, sent=at_once is not None)
        finally:
            if to_read.files or tight:
                tools.progress.end()
        waiting = self._waiting(head, read=True)  # a new name that was held meanwhile stands for nothing
        return self._commit(head, built) if waiting is None else self._wait(waiting, head)

    def _wanted(self, head: Head, uploads: bool) -> PublishOutcome | None:
        """None when something is to be signed or brought to the hub; else how the pass ends."""
        changed = self._scratch.count(READY, KNOWN, ABSENT).files
        added = self._scratch.count(READY, KNOWN, published=False).files
        if head.manifest_seq == 0 and not changed:
            state = PublishState.NEW if self._unsettled else PublishState.EMPTY
            return self._finish(state, head)
        if self._unlisted is not None and not changed and self._scratch.issue_count("held"):
            return self._hold_unlisted(head)
        none_left = changed and head.files + added == self._scratch.count(ABSENT).files
        if none_left or (self._unlisted is not None and not changed):
            self._notes.append(
                "every file is gone, and a version cannot be empty: the last one stands;"
                " remove its shares to withdraw it"
            )
            return self._finish(PublishState.HELD, head)
        same = not changed and described(self.tools.section) == head.described
        if same and (head.has_content or not uploads):
            return self._finish(PublishState.UP_TO_DATE if head.has_content else PublishState.WITHHELD, head)
        return None

    def _is_tight(self, head: Head) -> bool:
        """Whether the hub may lack the room for what this pass could bring it."""
        tools = self.tools
        new = self._scratch.count(NEW, KNOWN)
        changed = new.files or self._scratch.count(ABSENT).files or described(tools.section) != head.described
        if head.has_content and not changed:
            return False
        most = head.bytes + new.bytes
        return tools.hub_room.is_tight(new.bytes if head.has_content else most, head.files + new.files, most)

    def _require_room(self, head: Head) -> None:
        """Count what the hub lacks of the next version. Raises `Denied` (QUOTA_EXCEEDED)."""
        tools = self.tools
        with tools.streams() as streams:
            listed = versions.next_list(tools.records.published(), versions.changes(self._scratch))
            summary = streams.write(listed, tools.records)
            needed = tools.hub_room.require(summary, self._unsent(head, READY, KNOWN), streams)
        tools.progress.begin(f"publish {tools.dataset}", needed)

    def _build(self, head: Head, preparer: Preparer, uploader: BlobUploader | None, *, sent: bool) -> _Built:
        tools = self.tools
        complete = uploader is not None
        if uploader is not None:
            unsent = self._unsent(head, KNOWN) if sent else self._unsent(head, READY, KNOWN)
            lost = tools.offerer(preparer).offer(unsent, uploader.add)
            for path in lost:
                self._scratch.hold(path, "changed while it was read")
            self._scratch.hold_broken_units()
            if lost and not head.has_content and head.manifest_seq:
                published = [path for path in lost if tools.records.was_published(path)]
                if published:
                    complete = False
                    self._notes.append(
                        f"the bytes of {published[0]!r} as signed are neither in the folder nor at the hub:"
                        " the version is signed, its bytes follow when the file can be read"
                    )
        with tools.streams() as streams:
            listed = versions.next_list(tools.records.published(), versions.changes(self._scratch))
            summary = streams.write(listed, tools.records)
            if uploader is None:
                return _Built(summary, None)
            root = streams.send(uploader.add).to_bytes(tools.limits)
            stats = uploader.finish()
        return _Built(summary, root if complete else None, stats.sent_bytes)

    def _unsent(self, head: Head, *states: str) -> Iterator[Listed]:
        """Content that this pass has not sent and that the hub may lack: of changed files, those in
        `states`."""
        if head.has_content:
            for item in self._scratch.items(*states):
                if item.sha256 is not None:
                    yield Listed(item.path, item.sha256, item.bytes)
            return
        changes = (
            ListChange(item.path, item.sha256 if item.state in states else None, item.bytes)
            for item in self._scratch.items(READY, KNOWN, ABSENT)
        )
        yield from versions.next_list(self.tools.records.published(), changes)

    # -- signing ---------------------------------------------------------------------------------

    def _commit(self, head: Head, built: _Built) -> PublishOutcome:
        tools = self.tools
        same = not self._scratch.count(READY, KNOWN, ABSENT).files
        if not same and self._unlisted is not None:
            same = unlisted.holds_the_same(head, tools.dataset, built.summary, tools.limits)
            if same:
                tools.records.learn_list(versions.changes(self._scratch))
            elif self._scratch.issue_count("held"):
                return self._hold_unlisted(head)
        digest = described(tools.section)
        if same and digest == head.described and head.manifest_seq:
            if built.root is None:
                return self._finish(PublishState.WITHHELD, head)
            tools.statements.content(head, built.root)
        else:
            manifest = describe(
                tools.section, tools.partner, head, built.summary, tools.trust.current(), tools.clock.now()
            )
            facts = {
                "files": built.summary.files,
                "bytes": built.summary.bytes,
                "described": digest,
                "folder": self.folder.keeping(self._unmounted).to_text(),
            }
            tools.statements.version(
                manifest, built.root, facts, versions.changes(self._scratch), self._reoffer
            )
        head = tools.records.head() or Head()
        state = PublishState.PUBLISHED if head.has_content else PublishState.WITHHELD
        return self._finish(state, head, sent_bytes=built.sent_bytes, changed=True)

    def _reoffer(self) -> bool:
        def listed() -> Iterator[Listed]:
            return versions.next_list(self.tools.records.published(), self.tools.records.journal_changes())

        return self.tools.reoffer(listed)

    def _hold_unlisted(self, head: Head) -> PublishOutcome:
        """A held file keeps its last published state, and which that was is not known here."""
        self._notes.append(
            "files are held, and what was signed of them is not known here: nothing new is signed until they"
            " can be read"
        )
        return self._finish(PublishState.WITHHELD, head)

    # -- ends ------------------------------------------------------------------------------------

    def _finish(
        self, state: PublishState, head: Head, *, sent_bytes: int = 0, changed: bool = False
    ) -> PublishOutcome:
        tools, scratch = self.tools, self._scratch
        held, skipped = scratch.issue_count("held"), scratch.issue_count("skipped")
        issues = scratch.issues(_ISSUES_KEPT)
        waiting = guard.check_mounts(self._unmounted)
        shown = (f"{each.kind}: {each.path}: {each.reason}" for each in issues[:_ISSUES_SHOWN])
        attention = [*self._notes, *waiting.lines, *shown]
        if held + skipped > _ISSUES_SHOWN:
            attention.append(
                f"… {held} held and {skipped} skipped in all: see syncline-node plan {tools.dataset}"
            )
        tools.standing.note(
            state,
            detail=attention[0] if attention else "",
            waiting=waiting.facts() if waiting else None,
            success=format_instant(tools.clock.now()),
            issues=issues,
            held=held,
            skipped=skipped,
        )
        return PublishOutcome(
            tools.dataset,
            state,
            head.manifest_seq or None,
            head.manifest_id,
            head.files,
            head.bytes,
            sent_bytes,
            held,
            skipped,
            tuple(attention),
            next_change(tools.rules, self.now),
            changed,
            self._unsettled,
        )

    def _wait(self, waiting: Waiting, head: Head) -> PublishOutcome:
        tools, scratch = self.tools, self._scratch
        tools.standing.note(PublishState.WAITING, detail=waiting.lines[0], waiting=waiting.facts())
        return PublishOutcome(
            tools.dataset,
            PublishState.WAITING,
            head.manifest_seq or None,
            head.manifest_id,
            head.files,
            head.bytes,
            held=scratch.issue_count("held"),
            skipped=scratch.issue_count("skipped"),
            attention=waiting.attention(tools.dataset),
            again_at=next_change(tools.rules, self.now),
            unsettled=self._unsettled,
        )

    def _remember_folder(self) -> None:
        """An approved folder, or one with more mounts than before; a version has remembered it already."""
        records = self.tools.records
        head = records.head()
        folder = self.folder.keeping(self._unmounted).to_text()
        if head is not None and head.manifest_seq and head.folder != folder:
            records.set_folder(folder)


def _discard(_id: ChunkId, _data: memoryview) -> None:
    """The sink of bytes that must not leave."""


def _ignore(_bytes_count: int) -> None:
    """The uploader tells the progress itself."""
