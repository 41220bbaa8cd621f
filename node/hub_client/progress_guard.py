"""Deadlines on progress: a stream is cancelled when nothing moves for too long, not when it lasts long."""

import threading
import time
from types import TracebackType
from typing import Protocol, Self

from core.errors import Unavailable


class Cancellable(Protocol):
    """A call."""

    def cancel(self) -> object: ...


class ProgressGuard:
    """Cancels `call` when `moved` was not called for `timeout_s`.

    with ProgressGuard(call, 120.0) as guard:
        for message in call: guard.moved(); ...
    """

    def __init__(self, call: Cancellable, timeout_s: float) -> None:
        self._call = call
        self._timeout_s = timeout_s
        self._last = time.monotonic()
        self._done = threading.Event()
        self.expired = False
        self._thread = threading.Thread(target=self._watch, name="progress-guard", daemon=True)

    def moved(self) -> None:
        """Something came or went."""
        self._last = time.monotonic()

    def check(self) -> None:
        """Raise `Unavailable` (reason TIMEOUT) if the guard has cancelled the call."""
        if self.expired:
            raise Unavailable(
                f"the hub's stream stood still for {self._timeout_s:.0f} s",
                remedy="check the network; what was done is kept, and it is tried again by itself",
                reason="TIMEOUT",
            )

    def _watch(self) -> None:
        while not self._done.wait(max(0.01, self._last + self._timeout_s - time.monotonic())):
            if time.monotonic() - self._last >= self._timeout_s:
                self.expired = True
                self._call.cancel()
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._call.cancel()  # harmless after the end; ends a stream that its reader has left
