"""Waiting for the operator's approval, as the daemon does it: for ever, politely, until told to stop.

    await_approval(settings, passphrase, clock, limits, backoff, pause, stop)

Meanwhile the local socket answers `status`, and refuses everything else with the reason.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from importlib.metadata import version
from typing import Any

from core.clock import Clock
from core.errors import Denied, SynclineError, Unavailable
from core.limits import Limits
from core.logs import get_logger
from node import enrol, identity
from node.config import NodeSettings
from node.control import ControlServer, Handler, Request, socket_path
from node.status import MEMBERSHIP, Fault, empty_report
from sync.retry import Backoff

_ASK_EVERY_S_MAX = 30.0

log = get_logger("node.admission")


def await_approval(
    settings: NodeSettings,
    passphrase: bytes | None,
    clock: Clock,
    limits: Limits,
    backoff: Backoff,
    pause: Callable[[float], None],
    stop: threading.Event,
) -> None:
    """Return when this node has a certificate, at once if it has one, or when `stop` is set.

    Raises `Unavailable` (NOT_ENROLLED) when it never asked, `Denied` (REJECTED) when it was refused.
    """
    state_dir = settings.node.state_dir
    desk: _Desk | None = None
    with ExitStack() as stack:
        while not stop.is_set() and not identity.load(state_dir, passphrase).is_enrolled:
            reason = _ask(settings, passphrase, clock, limits)
            if reason is None:
                return
            if desk is None:
                desk = _Desk(settings, clock)
                stack.enter_context(ControlServer(socket_path(state_dir), desk.handlers()))
            desk.waits_for(reason)
            pause(min(backoff.next_s(), _ASK_EVERY_S_MAX))


def _ask(
    settings: NodeSettings, passphrase: bytes | None, clock: Clock, limits: Limits
) -> SynclineError | None:
    """Why this node must wait; None when it has been admitted."""
    state_dir = settings.node.state_dir
    try:
        outcome = enrol.wait(
            state_dir=state_dir, clock=clock, limits=limits, passphrase=passphrase, timeout_s=0
        )
    except Unavailable as error:
        if error.reason == "NOT_ENROLLED":
            raise
        return error
    if outcome.state is enrol.EnrolmentState.APPROVED:
        return None
    if outcome.state is enrol.EnrolmentState.REJECTED:
        raise Denied(
            "the hub's operator has refused this node", remedy="ask for a new join file", reason="REJECTED"
        )
    return Unavailable(
        "waiting for the operator's approval",
        remedy=f"read the fingerprint to the operator: {outcome.fingerprint}; the daemon goes on by itself",
        reason="NOT_ENROLLED",
    )


class _Desk:
    """Who answers at the socket while nothing else can be done."""

    def __init__(self, settings: NodeSettings, clock: Clock) -> None:
        self._clock = clock
        self._reason: SynclineError = Unavailable("starting")
        empty = empty_report(settings.partner, settings.node.name, version("syncline"), clock.now())
        hub = empty.hub.model_copy(update={"address": settings.hub.address})
        self._report = empty.model_copy(update={"daemon_running": True, "hub": hub})

    def waits_for(self, reason: SynclineError) -> None:
        """Say so, in the log when it is news."""
        if self._reason.message == reason.message:
            return
        self._reason = reason
        fault = Fault.of(reason, self._clock.now())
        self._report = self._report.model_copy(update={"faults": {MEMBERSHIP: fault}})
        log.warning(reason.message, remedy=reason.remedy)

    def handlers(self) -> Mapping[str, Handler]:
        """By the name of the call."""
        return {
            "ping": lambda _: {"running": True},
            "status": lambda _: self._report.as_json(),
            "sync": self._refuse,
            "approve": self._refuse,
        }

    def _refuse(self, _: Request) -> Mapping[str, Any]:
        raise self._reason
