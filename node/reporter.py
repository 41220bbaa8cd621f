"""Tells the hub how this node is doing, at the pace of `node.reporting`; nothing else is done here.

threading.Thread(target=Reporter(session, engine, stop, changed).work)
changed.set()                            # something may have changed: the reporter looks
"""

import threading
from contextlib import suppress

from core.errors import SynclineError
from core.logs import get_logger
from node.engine import Engine
from node.reporting import Pace, state_of
from node.session import Session

_TURN_S = 1.0

log = get_logger("node.daemon")


class Reporter:
    """The reports of one daemon, until `stop` is set (and `changed`, so that it is seen at once)."""

    def __init__(
        self, session: Session, engine: Engine, stop: threading.Event, changed: threading.Event
    ) -> None:
        self._session = session
        self._engine = engine
        self._stop = stop
        self._pace = Pace(session.limits, session.clock)
        self._changed = changed

    def work(self) -> None:
        """Report until the end has come. One thread."""
        while not self._stop.is_set():
            try:
                self._report()
            except Exception as error:  # a bug must not end the reports: it is loud, and they go on
                log.error("a bug; the node goes on", task="report", exc_info=error)
                self._stop.wait(_TURN_S)
            self._changed.wait(self._pace.wait_s(state_of(self._session.board.report)))
            self._changed.clear()

    def _report(self) -> None:
        self._engine.vitals.show_rates()
        shown = state_of(self._session.board.report)
        if not self._pace.is_due(shown):
            return
        self._pace.sent(shown)  # also when it fails: only the newest counts, and nothing piles up
        with suppress(SynclineError):
            self._engine.greet()
            self._engine.vitals.refresh()
            self._pace.sent(state_of(self._session.board.report))
            self._engine.report()
