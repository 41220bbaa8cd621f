"""What the local socket of a running daemon answers: its report, a pass, and the operator's decisions.

A pass is work of the daemon's own workers: who asks for one waits for runs that begin after the asking, and
hears meanwhile how much is left.

    requests = Requests(session, engine, agenda, stop, reload=…, shown=…, tell=…)
    ControlServer(socket_path(state_dir), requests.handlers())
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from core.errors import Unavailable
from node.agenda import Agenda, Ticket
from node.control import Request
from node.engine import Engine
from node.publish import approve
from node.results import MIRRORS, Result
from node.session import Session
from node.status import StatusReport

_TELL_EVERY_S = 0.5


class Requests:
    """The answers of one daemon.

    Args:
        reload: reads changed settings.
        shown: the report of this moment.
        tell: called when something may have changed.
    """

    def __init__(
        self,
        session: Session,
        engine: Engine,
        agenda: Agenda[str, list[Result]],
        stop: threading.Event,
        *,
        reload: Callable[[], None],
        shown: Callable[[], StatusReport],
        tell: Callable[[], None],
    ) -> None:
        self._session = session
        self._engine = engine
        self._agenda = agenda
        self._stop = stop
        self._reload = reload
        self._shown = shown
        self._tell = tell

    def handlers(self) -> Mapping[str, Callable[[Request], Mapping[str, Any]]]:
        """Every request by its name."""
        return {
            "ping": lambda _: {"running": True},
            "status": lambda _: self._shown().as_json(),
            "sync": self._sync,
            "approve": self._approve,
            "decide-alarm": self._decide,
        }

    def _sync(self, request: Request) -> Mapping[str, Any]:
        """Publish everything, witness the log, then mirror everything, in runs that start now."""
        self._reload()

        def tell() -> None:
            report = self._session.board.report
            request.tell({"bytes_left": sum(each.bytes_left for each in (*report.publish, *report.mirrors))})

        settings = self._session.settings
        results = self._ask([str(each.id(settings.partner)) for each in settings.publish], tell)
        self._engine.witness(begin=True)
        results += self._ask([MIRRORS], tell)
        return self._engine.outcome(results).as_json()

    def _ask(self, tasks: list[str], tell: Callable[[], None]) -> list[Result]:
        ticket: Ticket[str, list[Result]] = self._agenda.ask(tasks)
        while (found := ticket.wait(_TELL_EVERY_S)) is None:
            if ticket.is_given_up or self._stop.is_set():
                raise Unavailable("the daemon is stopping", remedy="ask again when it runs")
            tell()
        return [each for task in tasks for each in found.get(task, [])]

    def _approve(self, request: Request) -> Mapping[str, Any]:
        dataset = str(request.arguments.get("dataset"))
        settings = self._session.settings
        section = settings.published(dataset)
        lines = approve(self._session.state, section.id(settings.partner))
        self._agenda.wake(str(section.id(settings.partner)))
        return {"approved": list(lines)}

    def _decide(self, request: Request) -> Mapping[str, Any]:
        arguments = {name: str(request.arguments.get(name, "")) for name in ("name", "reason", "who")}
        decided = self._engine.decide(**arguments)
        self._agenda.wake(MIRRORS)  # what waited for this
        self._tell()
        return decided.as_json()
