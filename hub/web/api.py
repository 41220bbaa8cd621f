"""`/api/v1`: exactly what the pages show, as JSON, to read only; for whoever is signed in.

* The answers are those of `hub.overview`, member for member (`openapi.json` describes them); a query string
  asks as on the pages. What is wrong is a problem document (RFC 9457).
* Each answer carries the revision in its ETag: who has it is told in a few bytes that nothing has changed.

    curl -b cookies http://127.0.0.1:7446/api/v1/fleet
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import InvalidInput
from core.names import DatasetId, check_dataset, check_partner
from hub.overview.model import View
from hub.overview.search import DatasetSearch, EventSearch
from hub.web.openapi import PREFIX, document
from hub.web.pages.source import Source
from hub.web.threads import Threads

_JSON = "application/json"
_CACHING = "private, no-cache"

#: From the request, and with it the answer. Called in a thread.
_Question = Callable[[Source, Request], View]


def _dataset(overview: Source, request: Request) -> View:
    return overview.dataset(_dataset_id(request))


#: By path.
QUESTIONS: dict[str, _Question] = {
    "/fleet": lambda overview, _: overview.fleet(),
    "/partners/{partner}": lambda overview, request: overview.partner(
        check_partner(request.path_params["partner"])
    ),
    "/datasets": lambda overview, request: overview.datasets(DatasetSearch.read(_query(request))),
    "/datasets/{owner}/{name}": _dataset,
    "/transfers": lambda overview, _: overview.transfers(),
    "/events": lambda overview, request: overview.events(EventSearch.read(_query(request))),
    "/log": lambda overview, _: overview.log(),
    "/storage": lambda overview, _: overview.storage(),
    "/map": lambda overview, _: overview.map(),
}


def routes(overview: Source, threads: Threads) -> list[Route]:
    """The API's routes."""
    return [
        Route(f"{PREFIX}/openapi.json", _described),
        *(
            Route(PREFIX + path, _endpoint(overview, threads, question))
            for path, question in QUESTIONS.items()
        ),
    ]


def _endpoint(
    overview: Source, threads: Threads, question: _Question
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await threads.run(partial(_answer, overview, question, request))

    return endpoint


def _answer(overview: Source, question: _Question, request: Request) -> Response:
    # Asked before what is shown: at worst the same is sent once too often. Silence alone changes what is
    # shown, and no revision: an answer is good for its minute.
    minute = int(request.app.state.clock.now().timestamp()) // 60
    revision = f'W/"r{overview.revision()}.{minute}"'
    headers = {"Cache-Control": _CACHING, "ETag": revision, "Vary": "Cookie"}
    known = (each.strip() for each in request.headers.get("if-none-match", "").split(","))
    if any(each in (revision, revision.removeprefix("W/")) for each in known):
        return Response(status_code=304, headers=headers)
    return Response(question(overview, request).model_dump_json(), media_type=_JSON, headers=headers)


async def _described(_: Request) -> Response:
    return Response(document(), media_type=_JSON, headers={"Cache-Control": _CACHING})


def _dataset_id(request: Request) -> DatasetId:
    params: dict[str, Any] = request.path_params
    return check_dataset(f"{params['owner']}/{params['name']}")


def _query(request: Request) -> dict[str, str]:
    items = request.query_params.multi_items()
    query = dict(items)
    if len(query) != len(items):
        raise InvalidInput("a parameter stands twice", remedy="give each once", reason="MALFORMED")
    return query
