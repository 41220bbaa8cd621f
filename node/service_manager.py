"""A few words to systemd, without a dependency: ready, alive, stopping.

    notify = ServiceManager.from_environment(os.environ)
    notify.ready("3 datasets, 2 mirrors")
    notify.alive()                              # at least every notify.watchdog_s / 2
    notify.stopping()

sd_notify(3): datagrams to the socket named by $NOTIFY_SOCKET. Without that variable nothing is said.
"""

import contextlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """Where to send, and how often the watchdog wants to hear (None: not at all)."""

    address: str | None = None
    watchdog_s: float | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID."""
        interval = environment.get("WATCHDOG_USEC", "")
        for_us = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watchdog_s = int(interval) / 1e6 if interval.isdigit() and int(interval) and for_us else None
        return cls(environment.get("NOTIFY_SOCKET") or None, watchdog_s)

    def ready(self, status: str) -> None:
        """The service has started; `status` is a line for `systemctl status`."""
        self._send(f"READY=1\nSTATUS={_line(status)}")

    def status(self, status: str) -> None:
        """What the service is doing, a line for `systemctl status`."""
        self._send(f"STATUS={_line(status)}")

    def alive(self) -> None:
        """Still working."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if self.address is None:
            return
        # An address that begins with @ is in Linux's abstract namespace.
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.sendto(message.encode("utf-8", "backslashreplace"), address)


def _line(text: str) -> str:
    return " ".join(text.split())
