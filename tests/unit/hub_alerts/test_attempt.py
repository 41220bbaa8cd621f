"""An attempt ends in time, and at once when the hub stops, whatever blocks: resolver, handshake, peer."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.errors import Unavailable
from core.limits import Limits
from hub.alerts.attempt import STOPPED, Attempts
from hub.alerts.channel import UNREACHABLE
from tests.unit.hub_alerts.conftest import Alerting
from tests.unit.hub_alerts.test_email import channel, failure
from tests.unit.hub_alerts.test_telling import words

SOON = Limits(alert_send_s=0.05)
LONG = Limits(alert_send_s=3600.0)


class BlockedResolver:
    """`getaddrinfo` that answers when it is told to, as where no name server does."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self._answer = answer
        self.asked = threading.Semaphore(0)
        self.answers = threading.Event()
        self.count = 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.count += 1
        self.asked.release()
        assert self.answers.wait(60)
        return self._answer(*arguments, **named)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[BlockedResolver]:
    blocked = BlockedResolver(socket.getaddrinfo)
    monkeypatch.setattr(socket, "getaddrinfo", blocked)
    yield blocked
    blocked.answers.set()


def stop_when(ready: Callable[[], object], stop: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=lambda: (ready(), stop()))
    thread.start()
    return thread


def test_a_resolver_that_blocks_does_not_outlast_the_bound(resolver: BlockedResolver) -> None:
    error = failure(channel(25, "none", limits=SOON))
    assert error.reason == UNREACHABLE
    assert "no connection within 0.05 s" in error.message


def test_a_hub_that_stops_waits_for_no_resolver(resolver: BlockedResolver) -> None:
    sending = channel(25, "none", limits=LONG)
    stopper = stop_when(resolver.asked.acquire, sending.stop)
    assert failure(sending).reason == STOPPED
    stopper.join(20)


def test_a_resolver_that_blocks_holds_one_thread_however_often_it_is_tried(resolver: BlockedResolver) -> None:
    sending = channel(25, "none", limits=SOON)
    for _ in range(5):
        assert failure(sending).reason == UNREACHABLE
    assert resolver.count == 1


def test_a_connection_that_comes_too_late_is_closed_and_the_next_attempt_makes_its_own(
    resolver: BlockedResolver,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        attempts = Attempts()
        with attempts.attempt(0.05) as attempt, pytest.raises(TimeoutError):
            attempt.connect("127.0.0.1", port)
        resolver.answers.set()
        late, _ = server.accept()
        with late:
            late.settimeout(20)
            assert late.recv(1) == b""
        with attempts.attempt(3600.0) as attempt, attempt.connect("127.0.0.1", port) as made:
            mine, _ = server.accept()
            with mine:
                mine.sendall(b"x")
                assert made.recv(1) == b"x"


def test_a_hub_that_stops_waits_for_no_handshake() -> None:
    """TLS takes the connection's descriptor over: the attempt has one of its own to hang up on."""
    greeted = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def say_nothing() -> None:
            connection, _ = server.accept()
            with connection:
                while connection.recv(4_096):
                    greeted.set()

        peer = threading.Thread(target=say_nothing)
        peer.start()
        sending = channel(server.getsockname()[1], "tls", limits=LONG, tls=ssl.create_default_context())
        stopper = stop_when(lambda: greeted.wait(20), sending.stop)
        error = failure(sending)
        peer.join(20)
        stopper.join(20)
    assert error.reason == STOPPED


def test_a_stop_in_the_middle_is_no_failure_of_the_channel(alerting: Alerting) -> None:
    """The letter goes out after the next start, at once, and nobody reads of a channel that failed."""
    [remembering] = alerting.channels
    remembering.fault = Unavailable("the hub is stopping", reason=STOPPED)
    alerting.silent("n1")
    alerting.pass_time(180)
    assert remembering.letters == []
    assert alerting.events("alert-failed") == []
    remembering.fault = None
    alerting.restart()
    assert words(alerting.look()) == [("silent", [("new", "n1")])]


def test_a_letter_does_not_wait_for_a_time_that_a_wrong_clock_wrote(alerting: Alerting) -> None:
    [remembering] = alerting.channels
    remembering.fault = Unavailable("nobody", reason=UNREACHABLE)
    alerting.clock.advance(3 * 365 * 86_400)
    alerting.silent("n1")
    alerting.pass_time(180)
    remembering.fault = None
    alerting.clock.advance(-3 * 365 * 86_400)
    assert words(alerting.look()) == [("silent", [("new", "n1")])]
