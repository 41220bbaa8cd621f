"""Keeping a seeded fleet alive: its healthy nodes go on reporting, so that the pages move.

    with keep_alive(fleet, every_s=2.0):
        ...                                # beside a running hub, through the hub's services

The reports go straight into the hub's directory, as an operator's command would, and so does what its nodes
seem to move: bytes that nobody sends, counted where streams count theirs. A node that has fallen silent stays
so.
"""

import contextlib
import threading
from collections.abc import Generator
from contextlib import contextmanager

from core.clock import Clock, SystemClock
from core.errors import Denied, SynclineError, Unavailable
from core.logs import get_logger
from deploy.demo.fleet.reports import LIVELY
from deploy.demo.fleet.seeding import SeededFleet
from hub.services.hub import Hub
from hub.services.transfer_board import Moved

_log = get_logger("demo.fleet")


class Reporter:
    """Reports for all lively nodes, turn by turn."""

    def __init__(self, fleet: SeededFleet, hub: Hub, clock: Clock) -> None:
        self._fleet = fleet
        self._hub = hub
        self._clock = clock
        self._turn = 0
        self._moving: dict[tuple[str, str], Moved] = {}
        self._moved_at = clock.monotonic()

    def turn(self) -> int:
        """One report of each lively node, and its cosignature; which turn it was."""
        self._turn += 1
        now = self._clock.now()
        self._move()
        for who, standing in self._fleet.standings.items():
            if standing.mood not in LIVELY:
                continue
            member = self._fleet.members[who].at(self._hub, self._clock)
            # Who is in a hurry reports TOO_OFTEN; who was revoked meanwhile is told so, and the rest go on.
            with contextlib.suppress(Unavailable, Denied):
                if standing.mood != "alarm" and standing.log_size < self._hub.log.checkpoint_size():
                    standing.log_size = standing.cosigned = member.cosign()
                member.report(standing.status(now, self._turn))
        return self._turn

    def _move(self) -> None:
        """Who sends or fetches has moved what he can since the last turn."""
        passed_s = self._clock.monotonic() - self._moved_at
        self._moved_at = self._clock.monotonic()
        for who, standing in self._fleet.standings.items():
            found = standing.moves(self._turn)
            if found is None:
                continue
            dataset, direction, rate = found
            moving = self._moving.get(who)
            if moving is None:  # its time begins now
                caller = self._fleet.members[who].caller
                self._moving[who] = self._hub.transfers.begin(caller, dataset, direction)
            else:
                moving.add(int(rate * passed_s))
        self._hub.transfers.flush()


@contextmanager
def keep_alive(
    fleet: SeededFleet, *, every_s: float = 5.0, clock: Clock | None = None
) -> Generator[Reporter]:
    """A thread that reports every `every_s` seconds until the block ends."""
    clock = clock or SystemClock()
    stopping = threading.Event()
    with Hub.open(fleet.layout, clock=clock) as hub:
        reporter = Reporter(fleet, hub, clock)

        def work() -> None:
            while not stopping.wait(every_s):
                try:
                    reporter.turn()
                except SynclineError as error:
                    _log.warning("the fleet could not report", problem=error.message)

        thread = threading.Thread(target=work, name="fleet", daemon=True)
        thread.start()
        try:
            yield reporter
        finally:
            stopping.set()
            thread.join()
