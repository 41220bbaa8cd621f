"""One pass over everything: greet the hub, publish, subscribe, report; nothing stops anything else.

Rules: a dataset that fails never stops the others; every fault reaches the status board with its remedy, and
the log when it is news; the exit status is 0 when all is done, 8 when a person must look, else the gravest
error's. Steps may be called one by one, from several threads (`publish` of one dataset in one at a time,
`subscribe` in one at a time).

    engine = Engine(session)
    outcome = engine.run_pass()
    outcome.exit_status
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from core.clock import format_instant
from core.errors import (
    EXIT_BUG,
    EXIT_OK,
    NEEDS_ATTENTION,
    Conflict,
    Corrupt,
    Denied,
    InvalidInput,
    SynclineError,
    Unavailable,
    Untrusted,
)
from core.logs import get_logger
from core.names import DatasetId, NodeName
from core.progress import NullProgress, Progress
from node import enrol
from node.board_progress import BoardProgress
from node.config import PublishSection
from node.control import error_to_json
from node.publish import Publisher, PublishOutcome, PublishState, dataset_status
from node.session import Hub, Session
from node.subscribe import MirrorOutcome, MirrorState, Subscriber
from sync.ports import HubInfo

#: The gravest first: what decides the exit status of a pass with several errors.
_GRAVITY: tuple[type[SynclineError], ...] = (Untrusted, Corrupt, Conflict, Denied, InvalidInput, Unavailable)
_GREETING_VALID_S = 20.0

log = get_logger("node.engine")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one dataset in a pass. `again_at`: a rule begins or ends; `retry`: look again soon."""

    kind: Literal["publish", "mirror"]
    dataset: str
    state: str
    changed: bool = False
    seq: int | None = None
    files: int | None = None
    bytes: int | None = None
    sent_bytes: int | None = None
    attention: tuple[str, ...] = ()
    error: SynclineError | None = None
    again_at: datetime | None = None
    retry: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain values, for the socket and `--json`."""
        return {
            "kind": self.kind,
            "dataset": self.dataset,
            "state": self.state,
            "changed": self.changed,
            "seq": self.seq,
            "files": self.files,
            "bytes": self.bytes,
            "sent_bytes": self.sent_bytes,
            "attention": list(self.attention),
            "error": None if self.error is None else error_to_json(self.error),
        }


@dataclass(frozen=True, slots=True)
class PassOutcome:
    """What became of a pass. `errors` concern the whole node, by what was being done."""

    results: tuple[Result, ...] = ()
    errors: dict[str, SynclineError] = field(default_factory=dict[str, SynclineError])

    @property
    def exit_status(self) -> int:
        """0, 8 when a person must look, else the gravest error's."""
        errors = [*self.errors.values(), *(each.error for each in self.results if each.error is not None)]
        for branch in _GRAVITY:
            if any(isinstance(error, branch) for error in errors):
                return branch.exit_status
        if errors:
            return EXIT_BUG
        return NEEDS_ATTENTION if any(each.attention for each in self.results) else EXIT_OK

    def as_json(self) -> dict[str, Any]:
        """Plain values, for the socket and `--json`."""
        return {
            "results": [each.as_json() for each in self.results],
            "errors": {what: error_to_json(error) for what, error in self.errors.items()},
            "exit_status": self.exit_status,
        }


class Engine:
    """The steps of a pass, on one session. `stopping` ends work between two datasets."""

    def __init__(self, session: Session, *, stopping: Callable[[], bool] = lambda: False) -> None:
        self._session = session
        self._stopping = stopping
        self._greeting = threading.Lock()
        self._greeted_at: float | None = None

    def run_pass(self, progress: Progress | None = None) -> PassOutcome:
        """Everything once."""
        results: list[Result] = []
        errors: dict[str, SynclineError] = {}
        try:
            self.greet()
        except SynclineError as error:
            return PassOutcome((), {"hub": error})
        for section in self._session.settings.publish:
            if self._stopping():
                break
            results.append(self.publish(section, progress))
        if not self._stopping():
            try:
                results += self.subscribe(progress)
            except SynclineError as error:
                errors["subscribe"] = error
        try:
            self.report()
        except SynclineError as error:
            errors["report"] = error
        return PassOutcome(tuple(results), errors)

    def greet(self, *, anew: bool = False) -> Hub:
        """The hub, connected and believed: certificate, clock and registry are in order.

        A greeting counts for some seconds, so that several workers share one. Raises what stands in the way,
        after noting it.
        """
        with self._greeting:
            now = self._session.clock.monotonic()
            if not anew and self._greeted_at is not None and now - self._greeted_at < _GREETING_VALID_S:
                return self._session.hub()
            self._greeted_at = None
            try:
                hub = self._greet()
            except SynclineError as error:
                self._fault("hub", error)
                self._session.retire_connection()  # what still moves on the old one may finish
                raise
            self._clear("hub")
            self._greeted_at = self._session.clock.monotonic()
            return hub

    def lost_contact(self) -> None:
        """A call failed: the next greeting is a real one."""
        self._greeted_at = None

    def _greet(self) -> Hub:
        session = self._session
        self._renew_certificate()
        hub = session.hub()
        before = session.clock.now()
        info = hub.get_hub_info()
        self._note_clock(info, before)
        session.board.hub(version=info.version, last_contact=format_instant(session.clock.now()))
        self._update_registry(hub)
        return hub

    def _renew_certificate(self) -> None:
        session = self._session
        try:
            renewed = enrol.renew_if_due(
                state_dir=session.settings.node.state_dir,
                clock=session.clock,
                limits=session.limits,
                passphrase=session.passphrase,
            )
        except SynclineError as error:
            _, expires = session.identity.tls().validity
            self._fault("certificate", error)
            if expires <= session.clock.now():
                raise
        else:
            self._clear("certificate")
            if renewed:
                log.info("the certificate was renewed")
                session.retire_connection()
        _, expires = session.identity.tls().validity
        session.board.facts(certificate_expires=format_instant(expires))

    def _note_clock(self, info: HubInfo, before: datetime) -> None:
        session = self._session
        middle = before + (session.clock.now() - before) / 2
        offset_s = (info.time - middle).total_seconds()
        session.board.hub(clock_offset_s=round(offset_s, 1))
        if abs(offset_s) > session.limits.clock_offset_warn_s:
            direction = "behind" if offset_s > 0 else "ahead of"
            error = Unavailable(
                f"this machine's clock is {abs(offset_s):.0f} s {direction} the hub's",
                remedy="synchronise it (timedatectl set-ntp true), or tell the operator if it is the hub's",
                reason="CLOCK_OFFSET",
            )
            self._fault("clock", error)
        else:
            self._clear("clock")

    def _update_registry(self, hub: Hub) -> None:
        session = self._session
        added = session.trust.refresh(hub)
        newest = session.trust.current().registry
        session.board.facts(
            federation=newest.federation,
            registry_seq=newest.seq,
            registry_expires=format_instant(newest.expires),
        )
        if added:
            log.info("the registry has changed", seq=newest.seq)
        settings, identity = session.settings, session.identity
        try:
            session.trust.check_own_entry(
                settings.partner,
                NodeName(settings.node.name),
                identity.signing.public,
                identity.witness.public,
            )
        except SynclineError as error:
            self._fault("registry", error)  # an alarm; what others signed is still to be had
        else:
            self._clear("registry")

    def publish(self, section: PublishSection, progress: Progress | None = None) -> Result:
        """One pass over one dataset; its fault is in the result."""
        session = self._session
        dataset = section.id(session.settings.partner)
        shown = BoardProgress(session.board, "publish", (dataset,), progress or NullProgress())
        try:
            outcome = Publisher(
                session.settings,
                section,
                session.state,
                session.trust,
                self.greet(),
                session.identity.signing,
                session.clock,
                limits=session.limits,
                progress=shown,
            ).run()
        except SynclineError as error:
            self.lost_contact()
            self._note_publish_failure(dataset, error)
            return Result("publish", dataset, PublishState.FAILED.value, error=error, retry=True)
        finally:
            shown.end()
        self._note_published(dataset, outcome)
        return Result(
            "publish",
            dataset,
            outcome.state.value,
            changed=outcome.changed,
            seq=outcome.seq,
            files=outcome.files,
            bytes=outcome.bytes,
            sent_bytes=outcome.sent_bytes,
            attention=outcome.attention,
            again_at=outcome.again_at,
            retry=outcome.unsettled,
        )

    def _note_publish_failure(self, dataset: DatasetId, error: SynclineError) -> None:
        known = dataset_status(self._session.state, dataset)
        changes = {"state": known.state.value, "bytes_left": known.bytes_left}
        if self._session.board.published(dataset, error=error, **changes):
            log.error("publishing failed", dataset=dataset, error=error.message, remedy=error.remedy)

    def _note_published(self, dataset: DatasetId, outcome: PublishOutcome) -> None:
        now = format_instant(self._session.clock.now())
        changes: dict[str, Any] = {
            "state": outcome.state.value,
            "seq": outcome.seq,
            "manifest_id": outcome.manifest_id,
            "files": outcome.files,
            "bytes": outcome.bytes,
            "bytes_left": 0,
            "held": outcome.held,
            "skipped": outcome.skipped,
            "attention": outcome.attention,
            "last_success": now,
        }
        if outcome.changed:
            changes["last_version"] = now
            log.info(
                "published",
                dataset=dataset,
                seq=outcome.seq,
                files=outcome.files,
                bytes=outcome.bytes,
                sent_bytes=outcome.sent_bytes,
            )
        for line in outcome.attention:
            log.warning("a person must look", dataset=dataset, what=line)
        self._session.board.published(dataset, **changes)

    def subscribe(self, progress: Progress | None = None) -> list[Result]:
        """One pass over all mirrors. Raises what concerns all of them, after noting it."""
        session = self._session
        shown: Progress = progress or NullProgress()
        try:
            hub = self.greet()
            listing = hub.list_datasets(None)
            assert listing is not None, "a listing without an etag is always whole"
            names = tuple(str(each.dataset) for each in listing.entries)
            shown = BoardProgress(session.board, "mirrors", names, shown)
            outcomes = Subscriber(
                subscriptions=session.settings.subscribe,
                partner=session.settings.partner,
                node=NodeName(session.settings.node.name),
                state_dir=session.settings.node.state_dir,
                state=session.state,
                trust=session.trust,
                hub=hub,
                signer=session.identity.signing,
                clock=session.clock,
                limits=session.limits,
                progress=shown,
            ).sync(listing)
        except SynclineError as error:
            self.lost_contact()
            self._fault("mirrors", error)
            raise
        finally:
            shown.end()
        self._clear("mirrors")
        return self._note_mirrors(outcomes)

    def _note_mirrors(self, outcomes: Sequence[MirrorOutcome]) -> list[Result]:
        now = format_instant(self._session.clock.now())
        results: list[Result] = []
        for outcome in outcomes:
            changes: dict[str, Any] = {
                "path": str(outcome.path),
                "state": outcome.state.value,
                "seq": outcome.seq,
                "manifest_id": outcome.manifest_id,
                "wanted_seq": outcome.wanted_seq,
                "bytes_left": outcome.bytes_left,
                "acknowledged": outcome.acknowledged,
                "grant_ended": outcome.state is MirrorState.GRANT_ENDED,
                "attention": outcome.attention,
            }
            if outcome.error is None:
                changes["last_success"] = now
            else:
                self.lost_contact()
            if self._session.board.mirror(outcome.dataset, error=outcome.error, **changes) and outcome.error:
                error = outcome.error
                log.error(
                    "mirroring failed", dataset=outcome.dataset, error=error.message, remedy=error.remedy
                )
            arrived = outcome.state is MirrorState.UPDATED
            if arrived:
                log.info("a version has arrived", dataset=outcome.dataset, seq=outcome.seq)
            results.append(
                Result(
                    "mirror",
                    outcome.dataset,
                    outcome.state.value,
                    changed=arrived,
                    seq=outcome.seq,
                    attention=outcome.attention,
                    error=outcome.error,
                    retry=outcome.error is not None or not outcome.acknowledged,
                )
            )
        self._session.board.keep_mirrors({str(each.dataset) for each in outcomes})
        return results

    def report(self) -> None:
        """Tell the hub how this node is doing. Raises what stands in the way."""
        session = self._session
        try:
            session.hub().report_status(session.board.report.to_send(session.limits))
        except SynclineError as error:
            self.lost_contact()
            self._fault("report", error)
            raise
        self._clear("report")
        session.board.hub(last_contact=format_instant(session.clock.now()))

    def _fault(self, what: str, error: SynclineError) -> None:
        if self._session.board.fault(what, error):
            log.warning(error.message, about=what, remedy=error.remedy)

    def _clear(self, what: str) -> None:
        if self._session.board.clear(what):
            log.info("in order again", about=what)
