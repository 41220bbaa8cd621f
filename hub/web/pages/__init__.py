"""What people look at: one module a page, each a question to the overview and a template.

    routes(overview, threads)            # for hub.web.app, which puts sessions and headers around them

The addresses: `/`, `/partners/{partner}`, `/datasets`, `/datasets/{owner}/{name}`, `/transfers`, `/events`,
`/log`, `/storage`, `/map`, `/acts`, `/live` (server-sent events), and for everybody `/language/{tag}` and
`/static/{name}`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from starlette.routing import BaseRoute, Route

from core.limits import LIMITS, Limits
from hub.config_operator import BasemapTable
from hub.web.drawing.basemap import read_basemap
from hub.web.live import Live
from hub.web.pages import acts, datasets, events, fleet, log, storage, transfers
from hub.web.pages import map as map_page
from hub.web.pages.handler import Build, page
from hub.web.pages.language import choose_language
from hub.web.pages.source import Source
from hub.web.static_files import static_files
from hub.web.threads import Threads


def routes(
    overview: Source,
    threads: Threads,
    *,
    basemap: BasemapTable | None = None,
    waiting: Callable[[], Sequence[Any]] = tuple,
    limits: Limits = LIMITS,
) -> list[BaseRoute]:
    """The pages' routes. `waiting`: the acts that wait for a second person, or did lately."""
    drawn = read_basemap(basemap) if basemap is not None else None
    pages: dict[str, Build] = {
        "/": fleet.fleet(overview),
        "/partners/{partner}": fleet.partner(overview),
        "/datasets": datasets.datasets(overview),
        "/datasets/{owner}/{name}": datasets.dataset(overview),
        "/transfers": transfers.transfers(overview),
        "/events": events.events(overview),
        "/log": log.log(overview),
        "/storage": storage.storage(overview),
        "/map": map_page.show_map(overview, drawn),
        "/acts": acts.acts(waiting),
    }
    live = Live(overview.revision, threads, limits)
    return [
        *(Route(path, page(threads, build, overview.revision)) for path, build in pages.items()),
        Route("/live", live.endpoint),
        Route("/language/{tag}", choose_language),
        static_files(),
    ]
