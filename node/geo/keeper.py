"""Looks for the places of published datasets, after commits, and writes them on the status board.

    keeper = PlaceKeeper(session)
    keeper.want(dataset, changed=True)   # from any thread; returns at once
    keeper.work(tell)                    # a thread's life; `tell` hears of each change of the board
    keeper.run()                         # or: all that is wanted, now; whether the board has changed

Nobody waits for it, and nothing fails with it. What is declared is not looked for. Without the extra `geo`
nothing is known but what is declared; the log says so once, and `doctor` too.
"""

import queue
import threading
from collections.abc import Callable

from core.errors import SynclineError
from core.logs import get_logger
from node.config import PublishSection
from node.declared import Declared
from node.geo.place import Place
from node.geo.places import Places
from node.geo.reader import is_installed
from node.session import Session
from node.status import FootprintStatus

#: What a single pass gives to it; the next one goes on.
_PASS_S = 120.0

_log = get_logger("node.geo")


class PlaceKeeper:
    """See the module."""

    def __init__(
        self,
        session: Session,
        places: Places | None = None,
        *,
        is_able: Callable[[], bool] = is_installed,
    ) -> None:
        self._session = session
        self._places = places or Places(session.state, session.room)
        self._is_able = is_able
        self._wanted: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._waiting: set[str] = set()
        self._known: dict[str, Place] = {}
        self._guard = threading.Lock()
        self._stopped = False
        self._told = False

    def want(self, dataset: str, *, changed: bool) -> None:
        """Have it looked at; without a change since the last complete look, that one's answer stays."""
        with self._guard:
            if changed:
                self._known.pop(dataset, None)
            if dataset in self._waiting:
                return
            self._waiting.add(dataset)
        self._wanted.put(dataset)

    def work(self, tell: Callable[[], None]) -> None:
        """Look at what is wanted until `stop`."""
        while (dataset := self._wanted.get()) is not None and not self._stopped:
            if self._look(dataset, lambda: self._stopped):
                tell()

    def run(self, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Look at all that is wanted now, for some minutes at the most; whether the board has changed."""
        clock = self._session.clock
        end = clock.monotonic() + _PASS_S
        changed = False
        while not self._wanted.empty():
            dataset = self._wanted.get()
            if dataset is not None:
                changed |= self._look(dataset, lambda: clock.monotonic() > end or stopping())
        return changed

    def stop(self) -> None:
        """Let `work` end soon: a file that is being read is given up."""
        self._stopped = True
        self._places.give_up()
        self._wanted.put(None)

    def _look(self, dataset: str, stopping: Callable[[], bool]) -> bool:
        """Look at one; whether the board has changed."""
        with self._guard:
            self._waiting.discard(dataset)
            place = self._known.get(dataset)
        settings = self._session.settings
        section = next((each for each in settings.publish if each.id(settings.partner) == dataset), None)
        if section is None:
            return False
        declared = Declared.of(section, settings)
        if not declared.extracts or not self._can_look():
            return False
        place = place or self._find(section, stopping)
        return place is not None and self._note(dataset, declared, place)

    def _find(self, section: PublishSection, stopping: Callable[[], bool]) -> Place | None:
        dataset = section.id(self._session.settings.partner)
        try:
            look = self._places.of(dataset, section.path, stopping=stopping)
        except SynclineError as error:
            _log.warning("where the data are stays unknown", dataset=dataset, problem=error.message)
            return None
        except Exception as error:  # noqa: BLE001 - as in a worker: loud, and nothing else stops
            _log.error("a bug; the node goes on", task="geo", exc_info=error)
            return None
        if look.is_complete:
            with self._guard:
                if dataset not in self._waiting:  # else it has changed meanwhile
                    self._known[dataset] = look.place
        return look.place if look.is_complete or not stopping() else None  # else what was found is a part

    def _note(self, dataset: str, declared: Declared, place: Place) -> bool:
        found = FootprintStatus(
            bbox=place.bbox,
            bbox_source="unknown" if place.bbox is None else "extracted",
            begin=place.begin,
            end=place.end,
            period_source="unknown" if place.begin is None else "extracted",
        )
        footprint = declared.footprint(found)
        board = self._session.board
        if any(each.dataset == dataset and each.footprint == footprint for each in board.report.publish):
            return False
        board.progress("publish", dataset, footprint=footprint)
        return True

    def _can_look(self) -> bool:
        if self._is_able():
            return True
        if not self._told:
            self._told = True
            _log.info("the extra geo is not installed: where data are is known only where it is declared")
        return False
