"""What moves now, what ended lately, what waits."""

from starlette.requests import Request
from starlette.responses import Response

from hub.web.pages.handler import Build
from hub.web.pages.source import Source
from hub.web.render import render


def transfers(overview: Source) -> Build:
    """`/transfers`."""

    def build(request: Request) -> Response:
        return render(request, "transfers.html", transfers=overview.transfers())

    return build
