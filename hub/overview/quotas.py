"""How many bytes are kept for each owner, and how many may be.

To count a store that this process does not write reads its whole index: what took long is asked less often,
so that counting takes a two-hundredth of the time at the most.

    uses.of("la-dgm").used_bytes
"""

import threading
from dataclasses import dataclass

from core.errors import SynclineError
from core.names import PartnerId
from hub.services.content import Use
from hub.services.hub import Hub

_COST_RATIO = 200
_LEAST_S = 15.0


@dataclass(frozen=True, slots=True)
class _Known:
    use: Use
    until: float


class Uses:
    """Remembers for a while. Thread-safe."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._clock = hub.context.clock
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}

    def of(self, partner: str) -> Use:
        """What an owner's chunks take, as of a moment ago."""
        now = self._clock.monotonic()
        with self._lock:
            known = self._known.get(partner)
            if known is not None and now < known.until:
                return known.use
            try:
                use = self._hub.content.use(PartnerId(partner))
            except SynclineError:  # a damaged store: `fsck` tells; the page goes on
                use = known.use if known else Use(0, self._hub.context.quotas.of(PartnerId(partner)))
            end = self._clock.monotonic()
            self._known[partner] = _Known(use, end + max(_LEAST_S, (end - now) * _COST_RATIO))
            return use
