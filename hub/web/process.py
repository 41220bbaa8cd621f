"""The pages' process: pages, API and live streams, beside the process that serves nodes (ADR 17).

    asyncio.run(serve(control, listening, passphrase))       # hub.cli.pages, which hub.web.apart starts

It opens the hub's directory as the operator's commands do, and serves until its control socket ends, or it
gets SIGTERM. Each second it says there what it has answered: `{"answered": {"200": 12}}`.
"""

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from core.clock import SystemClock
from core.collector import settle
from core.errors import SynclineError
from core.limits import Limits
from core.logs import get_logger
from hub.administrators import keys_at_hand
from hub.config import HubSettings
from hub.metrics.answers import counting
from hub.overview.service import Overview
from hub.services.hub import Hub
from hub.web.app import pages_app
from hub.web.fresh import Fresh
from hub.web.server import HttpPort
from hub.web.threads import Threads

GRACE_S = 1.0  # what is read here is small, and anybody can ask again

_SETTINGS_BYTES_MAX = 1024 * 1024
_COUNTS_EVERY_S = 1.0
_REFUSALS_EVERY_S = 60.0
_SWITCH_S = 0.001

_log = get_logger("hub.pages")


async def serve(
    control: socket.socket, listening: socket.socket, passphrase: Callable[[], bytes | None]
) -> None:
    """Serve on `listening` until `control` ends. `passphrase`: of the administrators' keys.

    Raises what opening a hub raises.
    """
    # Pages are made by threads that compute; the one that answers waits so long for its turn among them.
    sys.setswitchinterval(_SWITCH_S)
    reader, writer = await asyncio.open_unix_connection(sock=control, limit=_SETTINGS_BYTES_MAX)
    given: dict[str, Any] = json.loads(await reader.readline())
    settings = HubSettings.model_validate(given["settings"])
    limits = Limits(**given["limits"])
    settings.log.configure()
    secret = passphrase()
    with (
        Hub.open(
            settings.layout,
            federation=settings.federation,
            clock=SystemClock(),
            limits=limits,
            administrator_keys=lambda: keys_at_hand(settings.admin_keys, secret),
            quotas=settings.quotas,
        ) as hub,
        Threads() as threads,
    ):
        overview = Overview(hub, settings)
        fresh = Fresh(overview.refresh, threads, limits.view_fresh_s)
        answered = Counter[str]()
        pages = pages_app(hub, settings, overview, threads, limits)
        port = HttpPort(counting(fresh.noting(pages), lambda code: answered.update([code])), listening)
        await port.start()
        _log.debug("the pages' process serves")
        duties = [
            asyncio.create_task(_warm(overview, threads)),
            asyncio.create_task(fresh.run()),
            asyncio.create_task(_repeat(lambda: _tell(writer, answered), _COUNTS_EVERY_S)),
            asyncio.create_task(_repeat(lambda: _keep_refusals(hub, threads), _REFUSALS_EVERY_S)),
        ]
        await _stopped(reader)
        for duty in duties:
            duty.cancel()
        await port.stop(GRACE_S)
        await asyncio.wait(duties)
        await _tell(writer, answered)
    writer.close()


async def _stopped(reader: asyncio.StreamReader) -> None:
    """Until the hub's process says so, has gone, or somebody ends this one."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    ends = [asyncio.create_task(told.wait()), asyncio.create_task(_end_of(reader))]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()


async def _end_of(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        await reader.read()


async def _tell(writer: asyncio.StreamWriter, answered: Counter[str]) -> None:
    if not answered:
        return
    line = json.dumps({"answered": dict(answered)})
    answered.clear()
    with contextlib.suppress(OSError):  # nobody counts any more
        writer.write(line.encode() + b"\n")
        await writer.drain()


async def _keep_refusals(hub: Hub, threads: Threads) -> None:
    try:
        await threads.run_duty(hub.log.perform)
    except SynclineError as error:
        _log.warning("counts of refusals wait", problem=error.message, remedy=error.remedy)


async def _repeat(work: Callable[[], Coroutine[Any, Any, None]], every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        await work()


async def _warm(overview: Overview, threads: Threads) -> None:
    """Read what the first page would else wait for; the most of it lives as long as the process."""
    try:
        await threads.run_duty(overview.warm)
    except SynclineError as error:
        _log.warning("nothing was read ahead", problem=error.message, remedy=error.remedy)
    settle()
