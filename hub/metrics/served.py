"""`/metrics`, for Prometheus. Plain HTTP, who can connect reads: the port is this machine's alone at first.

app = metrics_app(collector, threads)
HttpPort(app, settings.metrics.listen, table="metrics")
"""

import asyncio
from concurrent.futures import Executor
from typing import Protocol

from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from core.errors import SynclineError
from core.logs import get_logger

_log = get_logger("hub.metrics")


class Text(Protocol):
    """Gives the metrics as text; may block."""

    def text(self) -> bytes:
        """Everything, as OpenMetrics."""
        ...


def metrics_app(collector: Text, threads: Executor) -> Starlette:
    """The application behind `[metrics] listen`. What goes wrong is a 503: Prometheus then says `up == 0`."""

    async def metrics(_: Request) -> Response:
        try:
            body = await asyncio.get_running_loop().run_in_executor(threads, collector.text)
        except SynclineError as error:
            _log.warning("metrics cannot be read", problem=error.message, remedy=error.remedy)
            return PlainTextResponse("not now; the hub's log says why\n", 503)
        return Response(body, media_type=CONTENT_TYPE_LATEST, headers={"cache-control": "no-store"})

    return Starlette(routes=[Route("/metrics", metrics)])
