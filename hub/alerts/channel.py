"""What a channel is, how its secret is read, and that an attempt ends in time.

* `send` returns when the other side has taken the letter, and raises `Unavailable` otherwise:
  CHANNEL_UNREACHABLE when nobody answered as they should (the next letter would fare no better),
  CHANNEL_REFUSED when this letter was refused.
* An attempt ends after `alert_send_s` whatever the other side does, and at once when the hub stops.

    secret = read_secret(Path("/etc/syncline/mail-password"), "alerts.email: password_file")
    with watch.attempt(30.0) as attempt:
        attempt.holds(connection.sock)
"""

import contextlib
import os
import socket
import stat
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Protocol

from core.errors import InvalidInput, Unavailable
from hub.alerts.letter import Letter

UNREACHABLE = "CHANNEL_UNREACHABLE"
REFUSED = "CHANNEL_REFUSED"

_SECRET_BYTES_MAX = 4_096


class Channel(Protocol):
    """A way to tell somebody."""

    @property
    def name(self) -> str:
        """`email` or `webhook`."""
        ...

    def send(self, letter: Letter) -> str:
        """Deliver; what the other side did not take of it, in words (empty: it took all).

        Raises `Unavailable`.
        """
        ...

    def stop(self) -> None:
        """End an attempt that is under way, and make none any more."""
        ...


def unreachable(message: str, remedy: str) -> Unavailable:
    """Nobody answered, or not as they should."""
    return Unavailable(message, remedy=remedy, reason=UNREACHABLE)


def refused(message: str, remedy: str) -> Unavailable:
    """Somebody answered, and said no."""
    return Unavailable(message, remedy=remedy, reason=REFUSED)


def read_secret(path: Path, key: str) -> str:
    """The one line of a secret's file. Raises `InvalidInput`, which never quotes it."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_SECRET_BYTES_MAX + 1)
    except OSError as error:
        raise InvalidInput(
            f"{key}: {path} cannot be read: {error.strerror}",
            remedy="create it, readable by the hub's user alone (mode 0600), or correct hub.toml",
        ) from error
    if mode & stat.S_IRWXO:
        raise InvalidInput(
            f"{key}: everybody on this machine may read {path}", remedy=f"run: chmod 0600 {path}"
        )
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError:
        text = ""
    if not text or len(data) > _SECRET_BYTES_MAX or not text.isprintable():
        raise InvalidInput(
            f"{key}: {path} does not hold one line of text", remedy="write the secret alone into it"
        )
    return text


class Attempts:
    """Ends what takes too long. One attempt at a time; `stop` from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._stopped = False

    @contextlib.contextmanager
    def attempt(self, seconds: float) -> Generator["Attempts"]:
        """An attempt of at most `seconds` once it `holds` a socket."""
        if self._stopped:
            raise unreachable("the hub is stopping", "")
        timer = threading.Timer(seconds, self._hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield self
        finally:
            timer.cancel()
            with self._lock:
                self._socket = None

    def holds(self, held: socket.socket | None) -> None:
        """The socket to hang up on; again after TLS has wrapped it."""
        with self._lock:
            self._socket = held
        if self._stopped:
            self._hang_up()

    def stop(self) -> None:
        """No attempt any more."""
        self._stopped = True
        self._hang_up()

    def _hang_up(self) -> None:
        with self._lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    # Not SSLSocket's own, which takes the TLS state away from the thread that uses it.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
