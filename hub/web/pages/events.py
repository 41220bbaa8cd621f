"""What happened, the newest first, and why: records of the log and events beside it."""

from starlette.requests import Request
from starlette.responses import Response

from hub.overview.search import EventSearch
from hub.web.pages.datasets import next_address
from hub.web.pages.handler import Build
from hub.web.pages.source import Source
from hub.web.render import render

_SEVERITIES = ("info", "warning", "error")


def events(overview: Source) -> Build:
    """`/events`: a page of those that match."""

    def build(request: Request) -> Response:
        # A browser's date field has no time: a day begins at midnight, UTC.
        query = dict(request.query_params)
        for name in ("since", "until"):
            if len(query.get(name, "")) == len("2026-11-22"):
                query[name] = f"{query[name]}T00:00:00Z"
        search = EventSearch.read(query)
        found = overview.events(search)
        return render(
            request,
            "events.html",
            search=search,
            found=found,
            severities=_SEVERITIES,
            partners=[line.partner for line in overview.fleet().partners],
            next_address=next_address(request, found.next),
        )

    return build
