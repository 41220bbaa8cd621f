"""The log: its newest checkpoint, who has witnessed it, and their alarms."""

from starlette.requests import Request
from starlette.responses import Response

from hub.web.pages.handler import Build
from hub.web.pages.source import Source
from hub.web.render import render


def log(overview: Source) -> Build:
    """`/log`."""

    def build(request: Request) -> Response:
        return render(request, "log.html", log=overview.log())

    return build
