"""What became of an act, said once on the next page: kept in memory, by the token of the session's forms.

notices.put(session.csrf, Notice("info", Message(code="act.done", params={…})))
notices.take(session.csrf)                 # the notice; None the second time
"""

import threading
from collections import OrderedDict

from hub.web.render import Notice

_COUNT_MAX = 1_000


class Notices:
    """One a session, the newest. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, Notice] = OrderedDict()

    def put(self, session: str, notice: Notice) -> None:
        """To be said on the session's next page."""
        with self._lock:
            self._waiting[session] = notice
            self._waiting.move_to_end(session)
            while len(self._waiting) > _COUNT_MAX:
                self._waiting.popitem(last=False)

    def take(self, session: str) -> Notice | None:
        """What is to be said; then it is said."""
        with self._lock:
            return self._waiting.pop(session, None)
