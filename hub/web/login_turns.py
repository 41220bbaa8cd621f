"""Signing in by turns: a flood of wrong passwords costs neither the pages nor the right user much.

* A password is checked for one stranger at a time, and after each the processor rests three times as long as
  that took: whatever strangers send, nodes and pages keep three quarters of it. Nobody waits in a thread.
* Browsers in which the user has signed in before have a turn of their own: they never queue behind strangers.
* An address that sent too many wrong passwords is refused before any is checked, whatever names it tries; of
  one address `_WAITING_OF_ONE_MAX` wait at most, so that it does not fill the queue.

    turns = LoginTurns(limits)
    await turns.stranger(address, check)           # Unavailable (BUSY), Denied (LOGIN_THROTTLED)
    await turns.known(token, check)
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from core.errors import Denied, Unavailable
from core.limits import Limits

_T = TypeVar("_T")
_Clock = Callable[[], float]
_Sleep = Callable[[float], Awaitable[None]]

_WAITING_MAX = 16
_WAITING_OF_ONE_MAX = 2
_REST = 3.0
_ADDRESSES_COUNT_MAX = 10_000


class LoginTurns:
    """For one event loop."""

    def __init__(
        self, limits: Limits, *, clock: _Clock = time.monotonic, sleep: _Sleep = asyncio.sleep
    ) -> None:
        self._failures = _Failures(limits.login_failures_of_address_max, limits.login_locked_s, clock)
        self._strangers = _Lane(_REST, clock, sleep)
        self._known = _Lane(0.0, clock, sleep)

    async def stranger(self, address: str | None, check: Callable[[], Awaitable[_T]]) -> _T:
        """What `check` returns or raises; `address` None: nothing is known of it."""
        self._failures.check(address)
        try:
            return await self._strangers.run(address, check)
        except Denied:
            self._failures.count(address)
            raise

    async def known(self, browser: str, check: Callable[[], Awaitable[_T]]) -> _T:
        """As `stranger`, for a browser that has signed in before."""
        return await self._known.run(browser, check)


class _Lane:
    """One at a time, in the order in which they came."""

    def __init__(self, rest: float, clock: _Clock, sleep: _Sleep) -> None:
        self._rest = rest
        self._clock = clock
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._free_at = clock()
        self._waiting: Counter[str | None] = Counter()

    async def run(self, who: str | None, check: Callable[[], Awaitable[_T]]) -> _T:
        of_one = self._waiting[who] if who is not None else 0
        if of_one >= _WAITING_OF_ONE_MAX or self._waiting.total() >= _WAITING_MAX:
            raise Unavailable("too many sign in at once", remedy="try again in a moment", reason="BUSY")
        self._waiting[who] += 1
        try:
            async with self._turn:
                await self._sleep(max(0.0, self._free_at - self._clock()))
                began = self._clock()
                try:
                    return await check()
                finally:
                    ended = self._clock()
                    self._free_at = ended + self._rest * (ended - began)
        finally:
            self._waiting[who] -= 1
            if not self._waiting[who]:
                del self._waiting[who]


class _Failures:
    """Wrong passwords by address: so many within so long, then as many as the time that passes gives back."""

    def __init__(self, count_max: int, within_s: float, clock: _Clock) -> None:
        self._count_max = count_max
        self._a_second = count_max / within_s
        self._clock = clock
        self._counts: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, address: str | None) -> None:
        if address is not None and self._now(address) > self._count_max - 1:
            raise Denied(
                "too many wrong passwords came from this address",
                remedy="wait a while, or use a browser in which you have signed in before",
                reason="LOGIN_THROTTLED",
            )

    def count(self, address: str | None) -> None:
        if address is None:
            return
        self._counts[address] = (self._now(address) + 1, self._clock())
        self._counts.move_to_end(address)
        while len(self._counts) > _ADDRESSES_COUNT_MAX:
            self._counts.popitem(last=False)

    def _now(self, address: str) -> float:
        count, at = self._counts.get(address, (0.0, 0.0))
        return max(0.0, count - (self._clock() - at) * self._a_second)
