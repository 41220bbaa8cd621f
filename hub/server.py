"""The running hub: composition root of the server. Starts, serves, performs its duties, stops.

    asyncio.run(serve(settings, keys, SystemClock()))        # until SIGTERM or SIGINT

One hub a directory (a lock says so; the kernel lets go of it whatever happens); its pages are served by a
process of their own, which begins and ends with it (`hub.web.apart`). On a signal it takes no
new calls, commits and acknowledges what uploads have brought, finishes the rest within the grace, and closes
the stores. The operator's commands work beside it.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from core.clock import Clock
from core.errors import Unavailable
from core.limits import LIMITS, Limits
from core.logs import get_logger
from hub.addresses import join_address, split_address
from hub.alerts.watch import EVERY_S as ALERTS_EVERY_S
from hub.alerts.watch import AlertWatch, open_channels
from hub.checkpoint_loop import CheckpointLoop
from hub.config import HubSettings
from hub.http_ports import http_ports
from hub.lock import exclusive
from hub.metrics.counters import Counters
from hub.overview.dead_man import EVERY_S as DEAD_MAN_EVERY_S
from hub.overview.dead_man import DeadMan
from hub.overview.service import Overview
from hub.rpc.credentials import ServerIdentity
from hub.rpc.endpoint import Endpoint
from hub.services.context import AdministratorKeys
from hub.services.hub import Hub
from hub.signing_duties import EVERY_S, SigningDuties

_ENROLMENT_THREADS = 2
_DUTY_THREADS = 4
_RETENTION_EVERY_S = 3600.0
_SAMPLE_EVERY_S = 3600.0
_BOARD_EVERY_S = 1.5
_SWITCH_S = 0.001

_log = get_logger("hub.server")


@dataclass(frozen=True, slots=True)
class Started:
    """Where the hub listens now; `log_port`, `web_port`, `metrics_port` None: not served over HTTP."""

    node_port: int
    enrolment_port: int
    log_port: int | None = None
    web_port: int | None = None
    metrics_port: int | None = None


async def serve(
    settings: HubSettings,
    administrator_keys: AdministratorKeys,
    clock: Clock,
    *,
    limits: Limits = LIMITS,
    stop: asyncio.Event | None = None,
    on_started: Callable[[Started], None] | None = None,
) -> None:
    """Serve until `stop` is set, or, without one, until SIGTERM or SIGINT.

    Raises `Conflict` (ALREADY_RUNNING), `Unavailable` (PORT_TAKEN), and what opening a hub raises.
    """
    # Nodes are served by one thread of many: while others compute, it waits so long for its turn.
    sys.setswitchinterval(_SWITCH_S)
    stopping = stop if stop is not None else _stop_on_signals()
    with (
        exclusive(settings.layout),
        Hub.open(
            settings.layout,
            federation=settings.federation,
            clock=clock,
            limits=limits,
            administrator_keys=administrator_keys,
            quotas=settings.quotas,
        ) as hub,
    ):
        overview, counters = Overview(hub, settings), Counters()
        dead_man = DeadMan(hub, overview)
        alerts = AlertWatch(hub, overview, settings, open_channels(settings, clock, limits), clock)
        duties = SigningDuties(hub, settings, administrator_keys, clock, limits)
        duties.perform()  # before the first connection: an expired certificate would refuse everybody
        with (
            ThreadPoolExecutor(settings.server.threads, "hub") as threads,
            ThreadPoolExecutor(_ENROLMENT_THREADS, "hub-enrolment") as enrolment_threads,
            ThreadPoolExecutor(_DUTY_THREADS, "hub-duty") as duty_threads,
            ThreadPoolExecutor(1, "hub-alerts") as alert_thread,
            http_ports(settings, hub, overview, counters, limits) as http,
        ):
            identity = ServerIdentity(settings.layout)
            checkpoints = CheckpointLoop(hub.log, limits.checkpoint_every_s, duty_threads)
            endpoint = Endpoint(
                hub, checkpoints, identity, threads, enrolment_threads, clock, limits, counters
            )
            bound = endpoint.bind(settings.listen, settings.enrol_listen)
            ports = Started(*bound, http.log_port, http.web_port, http.metrics_port)
            hub.transfers.start()
            await endpoint.start()
            await http.start()
            hub.changes.start()
            dead_man.begin()
            working = [
                asyncio.create_task(checkpoints.run()),
                asyncio.create_task(_repeat(duties.perform, EVERY_S, duty_threads)),
                asyncio.create_task(_repeat(identity.refresh, EVERY_S, duty_threads)),
                asyncio.create_task(_repeat(hub.retention.perform, _RETENTION_EVERY_S, duty_threads)),
                asyncio.create_task(_repeat(hub.events.prune, _RETENTION_EVERY_S, duty_threads)),
                asyncio.create_task(_repeat(hub.act_requests.expire, _RETENTION_EVERY_S, duty_threads)),
                asyncio.create_task(_repeat(hub.transfers.flush, _BOARD_EVERY_S, duty_threads)),
                asyncio.create_task(
                    _repeat(hub.storage_samples.sample, _SAMPLE_EVERY_S, duty_threads, at_once=True)
                ),
                asyncio.create_task(_repeat(dead_man.perform, DEAD_MAN_EVERY_S, duty_threads)),
                asyncio.create_task(_repeat(alerts.perform, ALERTS_EVERY_S, alert_thread)),
            ]
            await endpoint.set_serving(serving=True)
            _log_started(settings, ports)
            if on_started is not None:
                on_started(ports)
            await stopping.wait()
            _log.info("stopping", grace_s=settings.server.stop_grace_s)
            hub.retention.stop()
            alerts.stop()
            for task in working:
                task.cancel()
            await asyncio.wait(working)
            await http.stop()
            await endpoint.stop(settings.server.stop_grace_s)
    _log.info("stopped")


def _log_started(settings: HubSettings, ports: Started) -> None:
    _log.info(
        "the hub serves",
        federation=settings.hub.federation,
        nodes=_bound(settings.listen, ports.node_port),
        enrolment=_bound(settings.enrol_listen, ports.enrolment_port),
        log=_served(settings.transparency.listen, ports.log_port),
        pages=_served(settings.web.listen, ports.web_port),
        metrics=_served(settings.metrics.listen, ports.metrics_port),
        address=settings.hub.address,
        directory=settings.hub.directory,
    )


def _bound(listen: str, port: int) -> str:
    return join_address(split_address(listen)[0], port)


def _served(listen: str, port: int | None) -> str:
    return "not served" if port is None else _bound(listen, port)


def _stop_on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


async def _repeat(
    work: Callable[[], object], every_s: float, threads: ThreadPoolExecutor, *, at_once: bool = False
) -> None:
    """Run `work` in a thread, again and again. It must not die: a failure is logged, the next turn comes."""
    loop = asyncio.get_running_loop()
    last_complaint = 0.0
    wait_s = 0.0 if at_once else every_s
    while True:
        await asyncio.sleep(wait_s)
        wait_s = every_s
        try:
            await loop.run_in_executor(threads, work)
        except Unavailable as error:
            if time.monotonic() - last_complaint > EVERY_S:
                last_complaint = time.monotonic()
                _log.warning("housekeeping waits", problem=error.message, remedy=error.remedy)
        except Exception:  # noqa: BLE001 - the hub goes on
            if time.monotonic() - last_complaint > EVERY_S:
                last_complaint = time.monotonic()
                _log.error("bug in housekeeping", exc_info=True)
