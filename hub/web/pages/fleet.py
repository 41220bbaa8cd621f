"""The fleet and one partner: who is in sync, who is late, what is stuck, and what a person must decide."""

from starlette.requests import Request
from starlette.responses import Response

from core.names import PartnerId
from hub.web.pages.handler import Build
from hub.web.pages.source import Source
from hub.web.render import render


def fleet(overview: Source) -> Build:
    """`/`: every partner, the worst first."""

    def build(request: Request) -> Response:
        return render(request, "fleet.html", fleet=overview.fleet())

    return build


def partner(overview: Source) -> Build:
    """`/partners/{partner}`: its nodes, datasets, storage, and the acts about it."""

    def build(request: Request) -> Response:
        view = overview.partner(PartnerId(request.path_params["partner"]))
        return render(request, "partner.html", partner=view, line=view.line)

    return build
