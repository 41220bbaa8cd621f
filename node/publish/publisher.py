"""One pass over one dataset, from the folder to the hub's acceptance.

Rules: what was signed before is answered first; the policy goes before the data, and no data before some
rule grants `read`; what cannot be read holds its last published state; what must wait for a person waits,
whole; a failure is noted where `status` sees it. Each step is a file of this package; here they are put in
order.
"""

import errno
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from core.clock import Clock, format_instant
from core.errors import Conflict, SynclineError, Unavailable
from core.limits import LIMITS, Limits
from core.logs import get_logger
from core.progress import NullProgress, Progress
from node import policy_intent
from node.config import NodeSettings, PublishSection
from node.folder import identify
from node.publish import recover, versions
from node.publish.folder_pass import FolderPass
from node.publish.giving_back import GivingBack
from node.publish.guard import Waiting
from node.publish.hub_room import HubRoom
from node.publish.outcome import PublishOutcome, PublishState
from node.publish.receipts import ReceiptStore
from node.publish.records import Head, Listed, PublishRecords
from node.publish.standing import Standing
from node.publish.statements import Statements
from node.publish.tools import Tools
from node.room import DISK_FULL, Room
from node.state import NodeState, translated
from node.trust import TrustStore
from security.keys import PublicKey, Signer
from security.policy import disclosures_from_json
from security.rules import Rule, next_change
from sync.ports import HubApi

_log = get_logger("node.publish")


class Publisher:
    """Publishes one dataset. One pass at a time.

    Args:
        settings: all of node.toml (groups, partner); `section` is the dataset's own.
        state: the node's state, whose lock the caller holds.
        trust: the registry, refreshed by the caller.
        hub: the hub, as this node.
        signer: the partner's signing key.
        progress: told of bytes, read or settled at the hub.
        room: asked before much is written to the node's own disk.
    """

    def __init__(
        self,
        settings: NodeSettings,
        section: PublishSection,
        state: NodeState,
        trust: TrustStore,
        hub: HubApi,
        signer: Signer,
        clock: Clock,
        limits: Limits = LIMITS,
        *,
        progress: Progress | None = None,
        room: Room | None = None,
    ) -> None:
        self.dataset = section.id(settings.partner)
        self._state = state
        self._signer = signer
        records = PublishRecords(state, self.dataset)
        self._records = records
        self._tools = Tools(
            section=section,
            partner=settings.partner,
            dataset=self.dataset,
            rules=policy_intent.rules_of(section, settings),
            records=records,
            standing=Standing(state, self.dataset),
            statements=Statements(records, ReceiptStore(state.state_dir), trust, hub, signer, limits),
            work_dir=state.state_dir / "work",
            trust=trust,
            hub=hub,
            clock=clock,
            limits=limits,
            progress=progress or NullProgress(),
            room=room or Room(limits),
            hub_room=HubRoom(hub, state, records, limits),
        )

    def run(self) -> PublishOutcome:
        """One pass. Raises any `SynclineError`, after noting it in the state; what was done so far is
        kept."""
        try:
            with translated(self._state.path), _disk(self._tools.work_dir):
                self._tools.room.need(self._tools.work_dir, f"publishing {self.dataset}")
                return self._run()
        except SynclineError as error:
            found = self._fencing_head() if error.reason == "FENCED" else None
            turned_back = self._turned_back(found) if found is not None else None
            self._note_error(turned_back or error)
            if turned_back is not None:
                raise turned_back from error
            if found is not None:
                self._tools.standing.note(PublishState.FENCED, waiting=_fenced(found).facts())
            raise

    def _run(self) -> PublishOutcome:
        tools = self._tools
        waiting = self._learn_head()
        if waiting is not None:
            return self._wait(waiting)
        given = self._give_back()
        answered = tools.statements.settle(self._reoffer_journalled)
        now = self._now()
        published_policy = self._publish_policy()
        outcome = FolderPass(tools, identify(tools.section.path), now).run()
        return replace(outcome, changed=bool(outcome.changed or answered or published_policy or given))

    def _learn_head(self) -> Waiting | None:
        """Where this node knows nothing of the dataset, or a person approved it: what the hub has, taken
        over."""
        tools = self._tools
        approved = str(tools.standing.approval().get("adopt") or "")
        known = self._records.head() is not None or self._records.journalled("policy") is not None
        if known and not approved:
            return None
        found = recover.find_head(tools.hub, self.dataset, self._own_keys(), tools.limits)
        if found is None:
            return None
        if approved != found.id and (known or not self._state.was_rebuilt):
            return _foreign_head(found)
        turned_back = self._turned_back(found)
        if turned_back is not None:
            raise turned_back
        head = recover.recover(self._records, tools.hub, found, tools.work_dir, tools.limits)
        _log.warning("head recovered from the hub", dataset=self.dataset, seq=head.manifest_seq)
        return None

    def _give_back(self) -> int:
        """What a hub that was restored has lost, where the administrators say that it was."""
        tools, receipts = self._tools, ReceiptStore(self._state.state_dir)
        giving = GivingBack(self._state, self._records, receipts, tools.trust, tools.hub, tools.limits)
        return giving.run(self._own_keys())

    def _publish_policy(self) -> bool:
        tools = self._tools
        head = self._records.head() or Head()
        if head.policy_seq and not policy_intent.differs(tools.rules, signed_rules(head)):
            return False
        tools.statements.policy(tools.rules, head, tools.clock.now())
        return True

    def _now(self) -> datetime:
        """The hub's clock where a rule has times: whether bytes may leave never rests on this node's."""
        timed = any(rule.not_before or rule.not_after for rule in self._tools.rules)
        return self._tools.hub.get_hub_info().time if timed else self._tools.clock.now()

    def _own_keys(self) -> Sequence[PublicKey]:
        return tuple({*self._tools.trust.keys_ever(self._tools.partner), self._signer.public})

    def _reoffer_journalled(self) -> bool:
        """The bytes of the version in the journal, again; False when some are not to be had any more."""

        def listed() -> Iterator[Listed]:
            return versions.next_list(self._records.published(), self._records.journal_changes())

        return self._tools.reoffer(listed)

    def _wait(self, waiting: Waiting) -> PublishOutcome:
        self._tools.standing.note(PublishState.WAITING, detail=waiting.lines[0], waiting=waiting.facts())
        again_at = next_change(self._tools.rules, self._tools.clock.now())
        attention = waiting.attention(self.dataset)
        return PublishOutcome(self.dataset, PublishState.WAITING, attention=attention, again_at=again_at)

    def _fencing_head(self) -> recover.Found | None:
        """What stands at the hub in this node's way; `approve` can take it over, if a person decides so."""
        try:
            return recover.find_head(self._tools.hub, self.dataset, self._own_keys(), self._tools.limits)
        except SynclineError:
            return None  # said at the next pass

    def _turned_back(self, found: recover.Found) -> SynclineError | None:
        """A hub that has less than it accepted is its operator's trouble, and no other node's doing."""
        head = self._records.head() or Head()
        if not recover.is_behind(found, head):
            return None
        seq = found.manifest.manifest.seq if found.manifest else 0
        return recover.hub_turned_back(self.dataset, seq, head.manifest_seq)

    def _note_error(self, error: SynclineError) -> None:
        state = PublishState.FAILED
        if isinstance(error, Conflict) and error.reason == "FENCED":
            state = PublishState.FENCED
        elif error.reason == "FOLDER_MISSING":
            state = PublishState.HELD
        try:
            self._tools.standing.note_error(error, state, format_instant(self._tools.clock.now()))
        except SynclineError:
            _log.error("the error cannot be noted in the state database", dataset=self.dataset)


@contextmanager
def _disk(work_dir: Path) -> Generator[None, None, None]:
    """What the node's own disk refuses; a published file's faults are dealt with where it is read."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"the node cannot work in {work_dir}: {error.strerror or error}",
            remedy="free space on the disk of node.state_dir, or restore its rights",
            reason=DISK_FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else "",
        ) from error


def signed_rules(head: Head) -> list[Rule]:
    """The rules of the policy that the hub accepted last."""
    return [] if head.disclosures is None else [each.rule for each in disclosures_from_json(head.disclosures)]


def _fenced(found: recover.Found) -> Waiting:
    line = (
        f"another state of this node, or another node, has published {_version(found)} with"
        " this partner's keys:"
        " find out which; approve to continue from there with what this folder holds"
    )
    return Waiting(adopt=found.id, lines=(line,))


def _version(found: recover.Found) -> str:
    return f"version {found.manifest.manifest.seq}" if found.manifest else "a policy"


def _foreign_head(found: recover.Found) -> Waiting:
    line = (
        f"the hub has {_version(found)} of this dataset, signed with this partner's keys, and this"
        " node's state"
        " knows nothing of it: approve to continue it here, if no other node publishes it"
    )
    return Waiting(adopt=found.id, lines=(line,))
