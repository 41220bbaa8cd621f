"""Acts that one person asked for and another must confirm, and what became of the last ones."""

from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from hub.web.pages.handler import Build
from hub.web.render import render


def acts(waiting: Callable[[], Sequence[Any]]) -> Build:
    """`/acts`."""

    def build(request: Request) -> Response:
        found = waiting()
        return render(
            request,
            "acts.html",
            open=[each for each in found if each.outcome is None],
            settled=[each for each in found if each.outcome is not None],
        )

    return build
