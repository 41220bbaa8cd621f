"""One pass over everything: greet the hub, publish, witness, subscribe, report; nothing stops anything else.

Rules: a dataset that fails never stops the others; every fault reaches the status board with its remedy,
and the log when it is news; the exit status is 0 when all is done, 8 when a person must look, else the
gravest error's. While an alarm is open no new version is accepted; what is published goes on, since its
owner's word is safe wherever it goes. Steps may be called one by one, from several threads (`publish` of
one dataset in one at a time, `subscribe` in one at a time).

    engine = Engine(session)
    outcome = engine.run_pass()
    outcome.exit_status
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from core.clock import format_instant
from core.errors import SynclineError, Untrusted
from core.logs import get_logger
from core.names import DatasetId, NodeName
from core.progress import NullProgress, Progress
from node import restoring
from node.alarms import ALARM, HISTORY, Alarm, Alarms, summary
from node.board_progress import BoardProgress
from node.config import PublishSection
from node.geo.keeper import PlaceKeeper
from node.greeting import Reception
from node.materialise import system_errors
from node.moving import metered
from node.outcomes import mirrored, publish_failed, published
from node.publish import Publisher
from node.publish.collect import Collector
from node.publish.giving_back import is_owed
from node.publish.records import PublishRecords
from node.publish.recover import hub_turned_back
from node.results import PassOutcome, Result
from node.session import Session
from node.status import AlarmStatus, WitnessStatus
from node.subscribe import Subscriber
from node.vitals import Vitals
from node.witness import Witness, WitnessReport
from node.witnessed import Witnessed

#: Faults of the whole node in spite of which everything is done.
_STOP_NOTHING = ("certificate", "clock", "disk", "keys", "registry", "settings", "witness", "proofs")

#: The share of the disk's reserve that stays free of the log, too.
_SMALL = 0.25

log = get_logger("node.engine")


class Engine:
    """The steps of a pass, on one session. `greet` and `lost_contact` are those of `Reception`.

    `stopping` ends work between two datasets.
    """

    def __init__(self, session: Session, *, stopping: Callable[[], bool] = lambda: False) -> None:
        self._session = session
        restoring.take_over(session.state, format_instant(session.clock.now()))
        self._stopping = stopping
        self._reception = Reception(session)
        self.greet = self._reception.greet
        self.lost_contact = self._reception.lost_contact
        self._turned_back: SynclineError | None = None
        self._alarms = Alarms(session.settings.node.state_dir)
        self._witness = Witness(
            partner=session.settings.partner,
            node=NodeName(session.settings.node.name),
            state_dir=session.settings.node.state_dir,
            state=session.state,
            trust=session.trust,
            identity=session.identity,
            clock=session.clock,
            limits=session.limits,
        )
        self.vitals = Vitals(session)
        self.places = PlaceKeeper(session)
        self._view = Witnessed(session.settings.node.state_dir, session.state, session.clock, session.limits)

    def run_pass(self, progress: Progress | None = None) -> PassOutcome:
        """Everything once."""
        results: list[Result] = []
        errors: dict[str, SynclineError] = {}
        try:
            self.greet()
        except SynclineError as error:
            alarm = summary(self._alarms.open())  # the gravest thing, whether or not the hub answers
            return PassOutcome((), {"hub": error} if alarm is None else {"hub": error, "alarm": alarm})
        for section in self._session.settings.publish:
            if self._stopping():
                break
            results.append(self.publish(section, progress))
        self.witness(begin=True)  # before the mirrors: what it finds stops new versions in this very pass
        if not self._stopping():
            try:
                results += self.subscribe(progress)
            except SynclineError as error:
                errors["subscribe"] = error
        try:
            self.report()
        except SynclineError as error:
            errors["report"] = error
        self.collect()  # at the end: by now a checkpoint covers what was published
        if self.places.run(self._stopping):
            with suppress(SynclineError):
                self.report()
        return self.outcome(results, errors)

    def outcome(
        self, results: Sequence[Result], errors: Mapping[str, SynclineError] | None = None
    ) -> PassOutcome:
        """A pass with these `results` and `errors`, and with what else is wrong with the whole node."""
        found = dict(errors or {})
        if self._turned_back is not None:
            found["hub"] = self._turned_back
        alarm = summary(self._alarms.open())
        if alarm is not None:
            found["alarm"] = alarm
        faults = self._session.board.report.faults
        for name in ("witness", "proofs"):
            fault = faults.get(name)
            if fault is not None and fault.branch == Untrusted.__name__:
                found[name] = Untrusted(fault.message, remedy=fault.remedy, reason=fault.reason)
        attention = (
            f"{each}: {faults[each].message} → {faults[each].remedy}"
            for each in _STOP_NOTHING
            if each in faults and each not in found
        )
        return PassOutcome(tuple(results), found, tuple(attention))

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
                metered(self.greet(), session.meter, dataset),
                session.identity.signing,
                session.clock,
                limits=session.limits,
                progress=shown,
                room=session.room,
            ).run()
        except SynclineError as error:
            self.lost_contact()
            return publish_failed(session, dataset, error)
        finally:
            shown.end()
        result = published(session, dataset, outcome)
        if outcome.changed:
            self._reception.room_changed()
        self.places.want(dataset, changed=outcome.changed)
        return result

    def subscribe(self, progress: Progress | None = None) -> list[Result]:
        """One pass over all mirrors. Raises what concerns all of them, after noting it."""
        session = self._session
        shown: Progress = progress or NullProgress()
        try:
            self._refuse_while_alarmed()
            hub = self.greet()
            accepted = self._accepted()
            listing = hub.list_datasets(None)
            assert listing is not None, "a listing without an etag is always whole"
            self._compare_own(accepted, {each.dataset: each.manifest_seq for each in listing.entries})
            names = tuple(str(each.dataset) for each in listing.entries)
            shown = BoardProgress(session.board, "mirrors", names, shown)
            outcomes = Subscriber(
                subscriptions=session.settings.subscribe,
                partner=session.settings.partner,
                node=NodeName(session.settings.node.name),
                state_dir=session.settings.node.state_dir,
                state=session.state,
                trust=session.trust,
                hub=metered(hub, session.meter),
                signer=session.identity.signing,
                clock=session.clock,
                limits=session.limits,
                progress=shown,
                require_witnesses=session.settings.trust.require_witnesses,
                view=self._view,
                room=session.room,
            ).sync(listing)
        except SynclineError as error:
            self.lost_contact()
            self._reception.fault("mirrors", error)
            raise
        finally:
            shown.end()
        self._reception.clear("mirrors")
        if any(each.error is not None for each in outcomes):
            self.lost_contact()
        return mirrored(session, outcomes)

    def _accepted(self) -> dict[DatasetId, int]:
        """The newest version of each published dataset that the hub has accepted, as this node remembers."""
        heads: dict[DatasetId, int] = {}
        for section in self._session.settings.publish:
            dataset = section.id(self._session.settings.partner)
            head = PublishRecords(self._session.state, dataset).head()
            heads[dataset] = head.manifest_seq if head is not None else 0
        return heads

    def owed(self) -> list[DatasetId]:
        """Own datasets of which a hub that was restored may lack something: they are published at once."""
        session = self._session
        datasets = [section.id(session.settings.partner) for section in session.settings.publish]
        return [each for each in datasets if is_owed(session.state, session.trust, each)]

    def _compare_own(self, accepted: Mapping[DatasetId, int], listed: Mapping[DatasetId, int]) -> None:
        """A hub that has lost what it accepted is told of, also while there is nothing to publish."""
        behind = [each for each, seq in accepted.items() if listed.get(each, 0) < seq]
        if not behind:
            self._turned_back = None
            self._reception.clear("hub-data")
            return
        first = behind[0]
        self._turned_back = error = hub_turned_back(first, listed.get(first, 0), accepted[first])
        self._reception.fault("hub-data", error)

    def _refuse_while_alarmed(self) -> None:
        alarm = summary(self._alarms.open())
        if alarm is not None:
            raise Untrusted(
                f"no new version is accepted while an alarm is open: {alarm.message}",
                remedy=alarm.remedy,
                reason=ALARM,
            )

    def witness(self, *, begin: bool = False) -> bool:
        """One look at the hub's log; whether there is more to read at once. What fails is a fault, and no
        more. `begin`: as for `Witness.run`."""
        session = self._session
        behind = False
        try:
            with system_errors("witnessing the hub's log"):
                # What it writes is small, and it goes on while data must wait for room.
                session.room.need(session.settings.node.state_dir, "witnessing the log", reserve=_SMALL)
                seen = self._witness.run(self.greet(), begin=begin)
        except SynclineError as error:
            self.lost_contact()
            self._reception.fault("witness", error)
        else:
            self._reception.clear("witness")
            session.board.facts(witness=_witness_status(seen))
            behind = seen.behind
        self._show_alarms()
        return behind

    def collect(self) -> None:
        """The log's proofs of what this node has published, as far as they are to be had by now."""
        session = self._session
        try:
            Collector(
                session.settings.partner,
                session.state,
                session.trust,
                self.greet(),
                session.clock,
                session.limits,
            ).run(section.id(session.settings.partner) for section in session.settings.publish)
        except SynclineError as error:
            self.lost_contact()
            self._reception.fault("proofs", error)
        else:
            self._reception.clear("proofs")
        self._show_alarms()

    def decide(self, name: str, reason: str, who: str) -> Alarm:
        """The operator's decision on an alarm. After the last one of two histories, a new history begins.

        Raises `InvalidInput` for an unknown or decided alarm, or without a reason.
        """
        self._alarms.check_decidable(name, reason)
        history = {each.id for each in self._alarms.open() if each.kind in HISTORY}
        if history == {name}:
            self._witness.begin_anew()  # first: an alarm that was decided is not sounded a second time
        decided = self._alarms.decide(name, reason, who, self._session.clock.now())
        self._show_alarms()
        return decided

    def _show_alarms(self) -> None:
        self._session.board.facts(alarms=tuple(AlarmStatus.of(each) for each in self._alarms.open()))

    def report(self) -> None:
        """Tell the hub how this node is doing. Raises what stands in the way."""
        session = self._session
        self._show_alarms()
        self.vitals.refresh()
        try:
            session.hub().report_status(session.board.report.to_send(session.limits))
        except SynclineError as error:
            self.lost_contact()
            self._reception.fault("report", error)
            raise
        self._reception.clear("report")
        session.board.hub(last_contact=format_instant(session.clock.now()))


def _witness_status(seen: WitnessReport) -> WitnessStatus:
    standing = seen.standing
    return WitnessStatus(
        origin=seen.origin,
        size=seen.size,
        read=seen.read,
        cosigned=seen.cosigned,
        lost=seen.lost,
        witnessed=standing.size if standing else None,
        count=standing.count if standing else 0,
        of=standing.of if standing else 0,
        needed=standing.needed if standing else 0,
        note=seen.note,
    )
