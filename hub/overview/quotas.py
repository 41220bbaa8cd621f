"""How many bytes are kept for each owner, and how many may be.

To count a store that this process does not write reads its whole index: what took long is asked less often,
so that counting takes a two-hundredth of the time at the most. Nobody is asked again within `_LEAST_S`, and
not all in one look: looks that follow one another share the owners between them.

    uses.of(["la-dgm", "th-dmr"])["la-dgm"].used_bytes
"""

import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import SynclineError
from core.names import PartnerId
from hub.services.content import Use
from hub.services.context import Context

_COST_RATIO = 200
_LEAST_S = 15.0


@dataclass(frozen=True, slots=True)
class _Known:
    use: Use
    until: float


class Uses:
    """Remembers for a while. Thread-safe."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._clock = context.clock
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}  # who was asked longest ago stands first
        self._asked = -math.inf

    def of(self, partners: Iterable[str]) -> dict[str, Use]:
        """What each owner's chunks take, as of some seconds ago. Whoever is not known yet is asked now."""
        wanted, now = dict.fromkeys(partners), self._clock.monotonic()
        with self._lock:
            self._known = {name: each for name, each in self._known.items() if name in wanted}
            share = min(1.0, (now - self._asked) / _LEAST_S)
            over = [name for name, each in self._known.items() if now >= each.until]
            again = over[: math.ceil(share * len(self._known))]
            new = [name for name in wanted if name not in self._known]
            for name in (*again, *new):
                self._ask(name)
            self._asked = now
            return {name: self._known[name].use for name in wanted}

    def _ask(self, partner: str) -> None:
        begun, before = self._clock.monotonic(), self._known.pop(partner, None)
        quota = self._context.quotas.of(PartnerId(partner))
        try:
            use = Use(self._held(PartnerId(partner)), quota)
        except SynclineError:  # a damaged store: `fsck` tells; the page goes on
            use = Use(before.use.used_bytes if before else 0, quota)
        if before is not None and before.use == use:
            use = before.use  # who keeps something of it sees that it is the same
        end = self._clock.monotonic()
        self._known[partner] = _Known(use, end + max(_LEAST_S, (end - begun) * _COST_RATIO))

    def _held(self, partner: PartnerId) -> int:
        if not self._context.layout.owner_store(partner).is_dir():
            return 0
        return self._context.stores.readable(partner).raw_bytes()
