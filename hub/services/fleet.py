"""How each node is doing, by its own word: reports are taken here, many in one transaction.

* A report that is no report, or comes too often, is refused, counted and logged; the newest good one stays.
* Who reports waits until the report is durable; all that wait share one commit. `report_status` commits at
  once, with whatever waits; a server that paces commits calls `submit` and `commit` (`hub.rpc.fleet`).
* What a report says beyond itself is taken in the same transaction: alarms into the log, what owners declare
  of their datasets into `dataset_facts`.

    hub.fleet.report_status(caller, data)              # returns when it is durable
    waiting = hub.fleet.submit(caller, data)           # checked and queued; raises what is wrong with it
    hub.fleet.commit()                                 # waiting.result() is there now
"""

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from core.clock import format_instant, parse_instant
from core.errors import InvalidInput, SynclineError, Unavailable
from core.logs import get_logger
from core.names import NodeName, PartnerId
from hub.overview.report import Report, ReportReader, parsed
from hub.services.alarms import Alarms
from hub.services.context import Caller, Context
from hub.services.dataset_facts import DatasetFacts
from hub.services.events import EventJournal
from hub.services.registry import RegistryService
from hub.services.translog import TransparencyLog
from hub.storage import schema

_log = get_logger("hub.fleet")

#: Waiting reports are committed at once when they are as large as this together.
_WAITING_BYTES_MAX = 16 * 1024 * 1024
_COMPLAIN_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class NodeReport:
    """A node's newest report as it came; `hub.overview.reports` reads what it says."""

    partner: PartnerId
    node: NodeName
    time: datetime
    status: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Waiting:
    caller: Caller
    data: bytes
    report: Report
    time: datetime
    answers: tuple["Future[datetime]", ...]


@dataclass(slots=True)
class _Pace:
    """How many more reports a node may bring now, and when it was last complained of."""

    left: float
    since: float
    complained: float | None = None


@dataclass(slots=True)
class ReportCounts:
    """Since the process began."""

    taken: int = 0
    refused: dict[str, int] = field(default_factory=dict[str, int])


class FleetService:
    """Takes the nodes' reports. Thread-safe."""

    def __init__(
        self, context: Context, registry: RegistryService, translog: TransparencyLog, events: EventJournal
    ) -> None:
        self._context = context
        self._limits = context.limits
        self._registry = registry
        self._events = events
        self._alarms = Alarms(context, translog)
        self._facts = DatasetFacts()
        self._reader = ReportReader(context.limits)
        self._lock = threading.Lock()
        self._committing = threading.Lock()
        self._waiting: dict[tuple[str, str], _Waiting] = {}
        self._waiting_bytes = 0
        self._paces: dict[tuple[str, str], _Pace] = {}
        self.counts = ReportCounts()
        #: The newest reports that this process has taken, parsed, with their revision: for who shows them.
        self.parsed: dict[tuple[str, str], tuple[int, Report]] = {}

    def report_status(self, caller: Caller, status_json: bytes) -> datetime:
        """Keep a report (a JSON object of at most `status_bytes_max`); the hub's time.

        Raises `Denied` as `require_active`, `InvalidInput` for what is no report, `Unavailable` (TOO_OFTEN).
        """
        answer = self.submit(caller, status_json)
        self.commit()
        return answer.result()

    def submit(self, caller: Caller, status_json: bytes) -> "Future[datetime]":
        """Check a report and let it wait for the next commit. Raises as `report_status`."""
        self._registry.require_active(caller)
        now = self._context.clock.now()
        try:
            self._check_pace(caller)
            report = self._reader.read(caller.partner, caller.node, status_json, now)
        except SynclineError as error:
            self._refused(caller, error)
            raise
        answer: Future[datetime] = Future()
        key = caller.partner, caller.node
        with self._lock:
            before = self._waiting.pop(key, None)
            answers = (*(before.answers if before else ()), answer)
            self._waiting[key] = _Waiting(caller, status_json, report, now, answers)
            self._waiting_bytes += len(status_json) - (len(before.data) if before else 0)
            is_much = self._waiting_bytes > _WAITING_BYTES_MAX
        if is_much:
            self.commit()
        return answer

    def reports(self) -> list[NodeReport]:
        """The newest report of each node, by partner and node."""
        table = schema.status_reports
        with self._context.database.read() as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.partner, table.c.node)).all()
        return [
            NodeReport(row.partner, row.node, parse_instant(row.time), parsed(row.report, self._limits))
            for row in rows
        ]

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to commit."""
        return bool(self._waiting)

    def commit(self) -> None:
        """Make durable what waits, in one transaction. Who waits hears of a failure; this does not raise."""
        with self._committing:
            with self._lock:
                batch, self._waiting, self._waiting_bytes = list(self._waiting.values()), {}, 0
            if not batch:
                return
            try:
                self._keep(batch)
            except BaseException as error:  # noqa: BLE001 - each caller raises it
                _answer(batch, error)
            else:
                self.counts.taken += len(batch)
                _answer(batch, None)

    def stop(self) -> None:
        """Commit what still waits. Never raises."""
        self.commit()

    # --- steps -----------------------------------------------------------------------------------

    def _keep(self, batch: list[_Waiting]) -> None:
        table = schema.status_reports
        with self._context.database.write(visible=False) as connection:
            revision = connection.execute(sa.select(schema.revision.c.any)).scalar_one() + 1
            statement = insert(table)
            columns = {name: statement.excluded[name] for name in ("time", "report", "revision")}
            connection.execute(
                statement.on_conflict_do_update(index_elements=["partner", "node"], set_=columns),
                [
                    {
                        "partner": each.caller.partner,
                        "node": each.caller.node,
                        "time": format_instant(each.time),
                        "report": each.data,
                        "revision": revision,
                    }
                    for each in batch
                ],
            )
            for each in batch:
                if each.report.alarms:
                    self._alarms.take(connection, each.caller, each.report.alarms)
            said = [(each.caller, each.report.facts) for each in batch]
            taken = self._facts.take(connection, said, self._context.clock.now(), revision)
        self._facts.remember(taken)
        for each in batch:
            self.parsed[each.caller.partner, each.caller.node] = revision, each.report

    def _check_pace(self, caller: Caller) -> None:
        """A node may bring `reports_burst_max` at once, and then one every `report_every_min_s`."""
        now = self._context.clock.monotonic()
        most = float(self._limits.reports_burst_max)
        with self._lock:
            pace = self._paces.setdefault((caller.partner, caller.node), _Pace(most, now))
            pace.left = min(most, pace.left + (now - pace.since) / self._limits.report_every_min_s)
            pace.since = now
            if pace.left < 1.0:
                raise Unavailable(
                    f"node {caller.node} of {caller.partner} reports too often",
                    remedy="nothing to do; it is tried again",
                    reason="TOO_OFTEN",
                )
            pace.left -= 1.0

    def _refused(self, caller: Caller, error: SynclineError) -> None:
        """Count it; tell of a node's first in an hour."""
        now = self._context.clock.monotonic()
        with self._lock:
            self.counts.refused[error.reason] = self.counts.refused.get(error.reason, 0) + 1
            pace = self._paces[caller.partner, caller.node]
            is_news = pace.complained is None or now - pace.complained >= _COMPLAIN_EVERY_S
            if is_news:
                pace.complained = now
        if not is_news:
            return
        tell = _log.warning if isinstance(error, InvalidInput) else _log.info
        tell(
            "a status report was refused",
            partner=caller.partner,
            node=caller.node,
            problem=error.message,
            remedy="the node's newest good report stays; more refusals are counted, and told once an hour",
        )
        self._events.note(
            "node.report-refused",
            "warning",
            partner=caller.partner,
            node=caller.node,
            detail={"reason": error.reason},
        )


def _answer(batch: list[_Waiting], error: BaseException | None) -> None:
    for each in batch:
        for answer in each.answers:
            if not answer.set_running_or_notify_cancel():
                continue
            if error is None:
                answer.set_result(each.time)
            else:
                answer.set_exception(error)
