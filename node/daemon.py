"""The daemon: what `syncline-node run` is made of.

Two workers publish, one subscribes, one listens to the hub's doorbell, one witnesses the log, and one reports
and does nothing else, so that no report waits for data nor data for a report; the local socket answers at any
time. Rules: events and the doorbell only hint, the periodic scan and the periodic look at the hub find what
was missed; without a hub everything is tried for ever, with jittered backoff, and the report says since when;
SIGTERM ends work between two datasets or, after a grace, breaks it off where it resumes.

    Daemon(settings, passphrase, settings_file=SettingsFile(path)).run(stop)

A changed settings file is read again within a second (and before a `sync`); a wrong one is a fault, and the
node goes on with what it had.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from random import Random, SystemRandom

from core.clock import Clock, SystemClock, format_instant
from core.errors import InvalidInput, SynclineError
from core.limits import LIMITS, Limits
from core.logs import get_logger
from node.admission import await_approval
from node.agenda import Agenda
from node.alarms import Alarms, tell
from node.config import NodeSettings, PublishSection
from node.control import ControlServer, socket_path
from node.declared import declared_by
from node.engine import Engine
from node.metrics import MetricsPort
from node.reporter import Reporter
from node.requests import Requests
from node.results import MIRRORS, Result
from node.room import Usage, disk_usage
from node.service_manager import ServiceManager
from node.session import Connect, Session, connect_by_grpc
from node.settings_file import SettingsFile
from node.state import StateLock
from node.status import StatusReport
from node.watching import Watching
from sync.retry import Backoff

_PUBLISH_WORKERS = 2
_LOOK_EVERY_S = 300.0  # at the hub's listing, beside the doorbell
_UNSETTLED_S = 1.0
_STOP_GRACE_S = 10.0
_JOIN_S = 20.0
_TURN_S = 1.0
_LOOK_AFTER_S = 5.0

log = get_logger("node.daemon")


class Daemon:
    """One node at work until it is told to stop.

    Args:
        settings: checked.
        settings_file: read again when it changes; None for settings that never do.
        notify: whom to tell of readiness and life.
        connect: how to reach the hub; tests give another way.
        usage: how much a disk has left.
    """

    def __init__(
        self,
        settings: NodeSettings,
        passphrase: bytes | None = None,
        *,
        settings_file: SettingsFile | None = None,
        notify: ServiceManager | None = None,
        clock: Clock | None = None,
        random: Random | None = None,
        limits: Limits = LIMITS,
        connect: Connect = connect_by_grpc,
        usage: Usage = disk_usage,
    ) -> None:
        self._settings = settings
        self._passphrase = passphrase
        self._settings_file = settings_file
        self._notify = notify or ServiceManager()
        self._clock = clock or SystemClock()
        self._random = random or SystemRandom()
        self._limits = limits
        self._connect = connect
        self._usage = usage
        self._stop = threading.Event()
        self._sections = {str(each.id(settings.partner)): each for each in settings.publish}
        self._agenda: Agenda[str, list[Result]] = Agenda(self._clock.monotonic)
        self._backoffs: dict[str, Backoff] = {}
        self._changed = threading.Event()
        self._look_again = threading.Event()
        self._reloading = threading.Lock()
        self._failed: set[str] = set()
        self._look_after_at = 0.0
        self._watching = Watching(self._clock, settings.partner, self._agenda.wake)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. Raises `Conflict` when another process holds the state directory."""
        self._stop = stop
        state_dir = self._settings.node.state_dir
        with ExitStack() as stack:
            stack.enter_context(StateLock(state_dir))
            await_approval(
                self._settings, self._passphrase, self._clock, self._limits, self._backoff(), self._idle, stop
            )
            if stop.is_set():
                return
            session = stack.enter_context(
                Session.open(
                    self._settings,
                    self._passphrase,
                    clock=self._clock,
                    random=self._random,
                    limits=self._limits,
                    connect=self._connect,
                    usage=self._usage,
                )
            )
            session.board.facts(daemon_running=True, started=format_instant(self._clock.now()))
            engine = Engine(session, stopping=stop.is_set)
            for alarm in Alarms(state_dir).open():
                tell(alarm)  # at each start, until somebody decides
            stack.callback(lambda: session.board.facts(daemon_running=False, started=None))
            requests = Requests(
                session,
                engine,
                self._agenda,
                stop,
                reload=lambda: self._reload(session),
                shown=lambda: self._shown(session, engine),
                tell=self._tell,
            )
            stack.enter_context(ControlServer(socket_path(state_dir), requests.handlers()))
            self._work(session, engine, stack)

    def _idle(self, seconds: float) -> None:
        """Wait for the operator, alive in the eyes of the service manager, or until the end has come."""
        self._notify.ready("waiting for the operator's approval")
        left = seconds
        while left > 0 and not self._stop.wait(min(left, _TURN_S)):
            left -= _TURN_S
            self._notify.alive()

    def _backoff(self) -> Backoff:
        return Backoff(self._limits, random=self._random)

    def _work(self, session: Session, engine: Engine, stack: ExitStack) -> None:
        self._schedule()
        workers = [
            threading.Thread(target=self._worker, args=(engine, self._is_published), name=f"publish-{n}")
            for n in range(_PUBLISH_WORKERS)
        ]
        workers.append(
            threading.Thread(target=self._worker, args=(engine, self._is_mirrors), name="subscribe")
        )
        workers.append(threading.Thread(target=self._doorbell, args=(engine,), name="doorbell"))
        workers.append(threading.Thread(target=self._witness, args=(engine,), name="witness"))
        reporter = Reporter(session, engine, self._stop, self._changed)
        workers.append(threading.Thread(target=reporter.work, name="report"))
        workers.append(threading.Thread(target=engine.places.work, args=(self._tell,), name="places"))
        for worker in workers:
            worker.daemon = True
            worker.start()
        self._watching.begin(self._sections)
        stack.callback(self._watching.end)
        words = f"{len(self._sections)} published, {len(self._settings.subscribe)} subscriptions"
        self._notify.ready(words)
        log.info("the node works", partner=self._settings.partner, publishes=len(self._sections))
        metrics = MetricsPort(lambda: self._shown(session, engine), session.meter)
        stack.callback(metrics.close)
        while not self._stop.is_set():
            self._look_after(session, engine, metrics)
            self._watching.turn(self._stop, _TURN_S)
            if all(worker.is_alive() for worker in workers):
                self._notify.alive()
            self._reload(session)
            session.board.flush()
        self._end(session, engine, workers)

    def _look_after(self, session: Session, engine: Engine, metrics: MetricsPort) -> None:
        """What is looked at every few seconds, whatever else is done: eyes, disks, the metrics' port."""
        if self._clock.monotonic() < self._look_after_at:
            return
        self._look_after_at = self._clock.monotonic() + min(_LOOK_AFTER_S, self._limits.report_every_s)
        self._watching.show(session.board)
        engine.vitals.refresh()
        if engine.vitals.room_came_back():
            for task in (*self._sections, MIRRORS):
                self._agenda.wake(task)
        try:
            metrics.follow(self._settings.metrics.address)
        except SynclineError as error:
            if session.board.fault("metrics", error):
                log.error(error.message, remedy=error.remedy)
        else:
            session.board.clear("metrics")

    def _shown(self, session: Session, engine: Engine) -> StatusReport:
        """The report of this moment."""
        self._watching.show(session.board)
        engine.vitals.refresh()
        return session.board.report

    def _schedule(self) -> None:
        for dataset in self._sections:
            self._agenda.add(dataset)
        self._agenda.add(MIRRORS)  # also without subscriptions: mirrors that exist are looked after

    def _reload(self, session: Session) -> None:
        """Read a changed settings file and go on with it."""
        with self._reloading:
            if self._settings_file is None or not self._settings_file.has_changed():
                return
            try:
                settings = self._settings_file.read()
                if settings.node != self._settings.node:
                    raise InvalidInput(
                        "[node] has changed, which a running daemon cannot follow",
                        remedy="restart syncline-node",
                    )
            except SynclineError as error:
                if session.board.fault("settings", error):
                    log.error("the settings stay as they were", error=error.message, remedy=error.remedy)
                return
            session.board.clear("settings")
            log.info("the settings have changed")
            if settings.hub != self._settings.hub:
                session.retire_connection()
            self._settings = session.settings = settings
            sections = {str(each.id(settings.partner)): each for each in settings.publish}
            for gone in self._sections.keys() - sections.keys():
                self._agenda.remove(gone)
            self._sections = sections
            paths = {dataset: section.path for dataset, section in sections.items()}
            session.board.reconcile(paths, declared_by(settings))
            self._schedule()
            for task in (*sections, MIRRORS):
                self._agenda.wake(task)
            self._watching.begin(sections)

    def _end(self, session: Session, engine: Engine, workers: list[threading.Thread]) -> None:
        self._notify.stopping()
        log.info("stopping")
        self._agenda.close()
        engine.places.stop()
        self._tell()
        busy = [worker for worker in workers if worker.name != "doorbell"]
        deadline = self._clock.monotonic() + _STOP_GRACE_S
        for worker in busy:
            worker.join(max(0.0, deadline - self._clock.monotonic()))
        session.disconnect()  # breaks off what still moves; it resumes at the next start
        deadline = self._clock.monotonic() + _JOIN_S
        for worker in workers:
            worker.join(max(0.0, deadline - self._clock.monotonic()))
        log.info("stopped")

    def _is_published(self, task: str) -> bool:
        return task in self._sections

    def _is_mirrors(self, task: str) -> bool:
        return task == MIRRORS

    def _worker(self, engine: Engine, is_ours: Callable[[str], bool]) -> None:
        while (task := self._agenda.take(is_ours)) is not None:
            section = self._sections.get(task)
            try:
                results = self._run_mirrors(engine) if section is None else [engine.publish(section)]
            except Exception as error:  # a bug must not end the worker: it is loud, and tried again
                log.error("a bug; the node goes on", task=task, exc_info=error)
                results = [self._bug(task, error)]
            again_in_s = self._again_in_s(task, section, results)
            if any(each.error is not None for each in results):
                self._failed.add(task)
            else:
                self._failed.discard(task)
            self._tell()
            self._agenda.done(task, results, again_in_s=again_in_s)

    def _tell(self) -> None:
        """Something may have changed: the reporter and the witness look."""
        self._changed.set()
        self._look_again.set()

    def _run_mirrors(self, engine: Engine) -> list[Result]:
        try:
            return engine.subscribe()
        except SynclineError as error:
            return [Result("mirror", MIRRORS, "failed", error=error, retry=True)]
        finally:
            for dataset in engine.owed():
                self._agenda.wake(str(dataset))

    def _bug(self, task: str, error: Exception) -> Result:
        wrapped = SynclineError(f"bug: {error!r}", remedy="report it with the daemon's log", reason="BUG")
        return Result("mirror" if task == MIRRORS else "publish", task, "failed", error=wrapped, retry=True)

    def _again_in_s(self, task: str, section: PublishSection | None, results: list[Result]) -> float:
        backoff = self._backoffs.setdefault(task, self._backoff())
        period_s = _LOOK_EVERY_S if section is None else section.scan_every_s
        if any(each.error is not None or (each.retry and section is None) for each in results):
            return min(backoff.next_s(), period_s)
        backoff.reset()
        if section is not None and any(each.retry for each in results):
            return max(section.settle_s, _UNSETTLED_S)
        changes = [each.again_at for each in results if each.again_at is not None]
        if changes:
            return max(0.0, min(period_s, (min(changes) - self._clock.now()).total_seconds()))
        return period_s

    def _doorbell(self, engine: Engine) -> None:
        backoff = self._backoff()
        while not self._stop.is_set():
            try:
                with engine.greet().watch_changes() as rings:
                    for _ in rings:
                        backoff.reset()
                        # What failed may have failed for want of the hub, which is there.
                        failed, self._failed = self._failed, set()
                        for task in failed | {MIRRORS}:
                            self._agenda.wake(task)
                        if self._stop.is_set():
                            return
            except SynclineError as error:
                if not self._stop.is_set():
                    log.debug("the doorbell is out", error=error.message)
            except Exception as error:  # as in a worker
                log.error("a bug; the node goes on", task="doorbell", exc_info=error)
            engine.lost_contact()
            self._stop.wait(backoff.next_s())

    def _witness(self, engine: Engine) -> None:
        """Witness the log and fetch proofs after a change, and every `report_every_s`."""
        while not self._stop.is_set():
            try:
                with suppress(SynclineError):
                    engine.greet()
                    if engine.witness():
                        self._look_again.set()  # there is more of the log to read
                    engine.collect()
            except Exception as error:  # as in a worker
                log.error("a bug; the node goes on", task="witness", exc_info=error)
            self._stop.wait(_TURN_S)
            self._look_again.wait(self._limits.report_every_s)
            self._look_again.clear()
