"""One page: asked for in the event loop, made in a thread. What is wrong is said by `hub.web.guard`.

Route("/storage", page(threads, lambda request: render(request, "storage.html", …)))
"""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from hub.web.threads import Threads

Build = Callable[[Request], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


def page(threads: Threads, build: Build, revision: Callable[[], int]) -> Endpoint:
    """The route's endpoint; `build` may ask the database. The page is live from its own revision on."""

    def built(request: Request) -> Response:
        # Asked before what is shown: at worst the page is fetched once too often.
        request.state.revision = revision()
        return build(request)

    async def endpoint(request: Request) -> Response:
        return await threads.run(lambda: built(request))

    return endpoint
