"""One attempt to tell somebody, over a connection that ends in time.

* An attempt ends after its seconds whatever the other side, the network or the resolver does, and at once
  when the hub stops. Names are resolved and connections made in a thread that nobody waits for: there is no
  way to interrupt `getaddrinfo`. One such thread at the most; a later attempt waits for it first.
* An end hangs up: whoever reads or writes, TLS included, gets an error.

    attempts = Attempts()
    with attempts.attempt(30.0) as attempt:
        connected = attempt.connect("mail.example.org", 587)
    attempts.stop()                          # from any thread
"""

import contextlib
import socket
import threading
from collections.abc import Generator

from core.errors import Unavailable

STOPPED = "CHANNEL_STOPPED"

_STEP_S = 10.0  # one connection attempt, one answer


class Attempt:
    """One that is under way. `end` from any thread; what comes after it raises."""

    def __init__(self, dialling: "_Dialling", seconds: float) -> None:
        self._dialling = dialling
        self._seconds = seconds
        self._lock = threading.Lock()
        self._held: socket.socket | None = None
        self._ended = threading.Event()

    def connect(self, host: str, port: int) -> socket.socket:
        """A connection. Raises `OSError`: `TimeoutError` when the attempt ended first."""
        made = self._dialling.connect(host, port, self._ended)
        if made is None:
            raise TimeoutError(f"no connection within {self._seconds:g} s")
        with self._lock:
            # A second descriptor of the same connection: it stays ours when TLS takes the first one over.
            self._held = made.dup()
            if self._ended.is_set():
                _hang_up(self._held)
        return made

    def end(self) -> None:
        """Hang up."""
        self._ended.set()
        self._dialling.wake()
        with self._lock:
            if self._held is not None:
                _hang_up(self._held)

    def close(self) -> None:
        """It is over; nothing ends it any more."""
        with self._lock:
            if self._held is not None:
                self._held.close()
                self._held = None


class Attempts:
    """Makes attempts, one at a time."""

    def __init__(self) -> None:
        self._dialling = _Dialling()
        self._lock = threading.Lock()
        self._current: Attempt | None = None
        self._stopped = False

    @contextlib.contextmanager
    def attempt(self, seconds: float) -> Generator[Attempt]:
        """An attempt of at most `seconds`. Raises `Unavailable` (CHANNEL_STOPPED) when the hub stops."""
        attempt = Attempt(self._dialling, seconds)
        with self._lock:
            if self._stopped:
                raise _stopped()
            self._current = attempt
        timer = threading.Timer(seconds, attempt.end)
        timer.daemon = True
        timer.start()
        try:
            yield attempt
        except Exception as error:
            if self._stopped:
                raise _stopped() from error
            raise
        finally:
            timer.cancel()
            attempt.close()
            with self._lock:
                self._current = None

    def stop(self) -> None:
        """End the one that is under way; no attempt any more."""
        with self._lock:
            self._stopped = True
            current = self._current
        if current is not None:
            current.end()


class _Dialling:
    """Connects in a thread of its own."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._call: _Call | None = None

    def connect(self, host: str, port: int, ended: threading.Event) -> socket.socket | None:
        """A connection, or None when `ended` was set first. Raises `OSError`, `ValueError`."""
        with self._changed:
            self._changed.wait_for(lambda: ended.is_set() or self._call is None)
            if ended.is_set():
                return None
            call = self._call = _Call()
            threading.Thread(target=self._dial, args=(call, host, port), daemon=True).start()
            self._changed.wait_for(lambda: ended.is_set() or call.done)
            if not call.done:
                call.abandoned = True
                return None
        if call.problem is not None:
            raise call.problem
        return call.made

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _dial(self, call: "_Call", host: str, port: int) -> None:
        made: socket.socket | None = None
        problem: Exception | None = None
        try:
            made = socket.create_connection((host, port), _STEP_S)
        except (OSError, ValueError) as error:  # ValueError: a name that cannot be one (IDNA)
            problem = error
        with self._changed:
            call.made, call.problem, call.done = made, problem, True
            self._call = None
            self._changed.notify_all()
            if call.abandoned and made is not None:
                made.close()


class _Call:
    """What `_dial` does for one attempt."""

    def __init__(self) -> None:
        self.made: socket.socket | None = None
        self.problem: Exception | None = None
        self.done = False
        self.abandoned = False


def _hang_up(held: socket.socket) -> None:
    with contextlib.suppress(OSError):
        held.shutdown(socket.SHUT_RDWR)


def _stopped() -> Unavailable:
    return Unavailable("the hub is stopping", reason=STOPPED)
