"""The pages as one application: what is shown, accounts, acts, downloads, the API, behind one guard.

with Threads() as threads:
    app = pages_app(hub, settings, Overview(hub, settings), threads)
    port = HttpPort(app, settings.web.listen)
"""

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from core.limits import LIMITS, Limits
from hub.administrators import keep_registry
from hub.config import HubSettings
from hub.overview.service import Overview
from hub.services.desk import Desk
from hub.services.hub import Hub
from hub.web import accounts, acts, api, export
from hub.web.guard import Guard
from hub.web.notices import Notices
from hub.web.pages import routes as page_routes
from hub.web.render import Frame
from hub.web.threads import Threads


def pages_app(
    hub: Hub, settings: HubSettings, overview: Overview, threads: Threads, limits: Limits = LIMITS
) -> ASGIApp:
    """Raises `AssertionError` where a route has no rule in `hub.web.access`."""
    notices = Notices()
    desk = Desk(
        hub,
        two_person=settings.web.two_person,
        keep=lambda: keep_registry(settings.admin_keys, hub.registry.list_from),
    )
    routes: list[BaseRoute] = [
        *page_routes(overview, threads, basemap=settings.web.basemap, waiting=desk.requests, limits=limits),
        *accounts.routes(hub, settings, threads, limits),
        *acts.routes(desk, threads, notices, overview.forget),
        *api.routes(overview, threads),
        export.route(hub, threads, limits),
    ]
    guard = Guard(routes, hub, settings, threads, notices, limits)
    state = guard.app.state
    state.frame = Frame(settings.hub.name, settings.hub.federation, settings.web.two_person)
    state.clock = hub.context.clock
    return guard
