"""A hub killed while it tells an alert: told after the next start, perhaps once more, under the same id."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.clock import START
from tests.unit.hub_alerts.test_email import Mailbox, Serve, serve  # noqa: F401 - a fixture

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("alerts_crashing.py")


class KillingMailbox(Mailbox):
    """Kills the process that sends: before it takes the mail, or before it says that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.kill_at: str | None = None
        self.sender: subprocess.Popen[bytes] | None = None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        self._strike("RCPT")
        return await super().handle_RCPT(server, session, envelope, address, options)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = await super().handle_DATA(server, session, envelope)
        self._strike("DATA")
        return answer

    def _strike(self, at: str) -> None:
        if self.kill_at == at and self.sender is not None:
            self.kill_at = None
            os.kill(self.sender.pid, signal.SIGKILL)
            self.sender.wait(60)


class Lives:
    """One hub after the other, in the same directory, an hour apart."""

    def __init__(self, folder: Path, mailbox: KillingMailbox, port: int) -> None:
        self._folder = folder
        self._mailbox = mailbox
        self._port = port
        self._start = START

    def live(self, names: str, kill_at: str | None = None, seconds: int = 1800) -> None:
        self._mailbox.kill_at = kill_at
        arguments = [self._folder, self._port, self._start.isoformat(), seconds, names]
        command = [sys.executable, SCRIPT, *map(str, arguments)]
        child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        self._mailbox.sender = child
        status = child.wait(120)
        assert status == (0 if kill_at is None else -signal.SIGKILL)
        self._start += timedelta(hours=1)

    def told(self, what: str) -> list[Message]:
        found = [message_from_bytes(raw) for raw in self._mailbox.raw]
        return [mail for mail in found if what in str(mail["Subject"])]


@pytest.fixture
def lives(tmp_path: Path, serve: Serve) -> Iterator[Lives]:  # noqa: F811
    mailbox = KillingMailbox()
    _, port = serve(mailbox=mailbox)
    yield Lives(tmp_path, mailbox, port)


@pytest.mark.parametrize(("kill_at", "copies"), [("RCPT", 1), ("DATA", 2)])
def test_an_alert_is_never_lost_and_a_copy_has_the_same_id(lives: Lives, kill_at: str, copies: int) -> None:
    lives.live("n1", kill_at)
    lives.live("n1")
    lives.live("n1")
    first = lives.told("has not reported")
    assert len(first) == copies
    assert len({mail["Message-ID"] for mail in first}) == 1
    lives.live("", kill_at)
    lives.live("")
    lives.live("")
    over = lives.told("over:")
    assert len(over) == copies
    assert len({mail["Message-ID"] for mail in over}) == 1
    assert {mail["Message-ID"] for mail in over}.isdisjoint({mail["Message-ID"] for mail in first})
