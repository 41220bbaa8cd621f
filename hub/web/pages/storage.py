"""What lies on the disk, how it grows, when it was last checked and backed up."""

from starlette.requests import Request
from starlette.responses import Response

from hub.web.pages.handler import Build
from hub.web.pages.source import Source
from hub.web.render import render


def storage(overview: Source) -> Build:
    """`/storage`."""

    def build(request: Request) -> Response:
        return render(request, "storage.html", storage=overview.storage())

    return build
