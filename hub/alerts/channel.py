"""What a channel is, and how its secret is read.

* `send` returns when the other side has taken the letter, and raises `Unavailable` otherwise:
  CHANNEL_UNREACHABLE when nobody answered as they should (the next letter would fare no better),
  CHANNEL_REFUSED when this letter was refused, CHANNEL_STOPPED when the hub stops, which says nothing of
  either.
* An attempt ends after `alert_send_s` whatever the other side does, and at once when the hub stops
  (`hub.alerts.attempt`).

    secret = read_secret(Path("/etc/syncline/mail-password"), "alerts.email: password_file")
"""

import os
import stat
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
