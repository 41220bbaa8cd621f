"""Waiting for the operator's approval, as the daemon does it: for ever, politely, until told to stop.

await_approval(settings, passphrase, clock, limits, backoff, pause, stop)
"""

import threading
from collections.abc import Callable

from core.clock import Clock
from core.errors import Denied, Unavailable
from core.limits import Limits
from core.logs import get_logger
from node import enrol, identity
from node.config import NodeSettings
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
    while not stop.is_set():
        if identity.load(state_dir, passphrase).is_enrolled:
            return
        try:
            outcome = enrol.wait(
                state_dir=state_dir, clock=clock, limits=limits, passphrase=passphrase, timeout_s=0
            )
        except Unavailable as error:
            if error.reason == "NOT_ENROLLED":
                raise
            log.warning("the enrolment cannot be asked for", error=error.message, remedy=error.remedy)
        else:
            if outcome.state is enrol.EnrolmentState.APPROVED:
                return
            if outcome.state is enrol.EnrolmentState.REJECTED:
                raise Denied(
                    "the hub's operator has refused this node",
                    remedy="ask for a new join file",
                    reason="REJECTED",
                )
            log.info("waiting for the operator's approval", fingerprint=outcome.fingerprint)
        pause(min(backoff.next_s(), _ASK_EVERY_S_MAX))
