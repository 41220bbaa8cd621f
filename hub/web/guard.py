"""Every request to the pages comes through here, whatever it asks: the rules that no page can forget.

In this order: the host's name, the path, the route, the method; the session; the sender and the form with its
token; the role. Then the route answers, and every answer goes out with the headers of `hub.web.security`.

* What is refused is said with its reason, logged (`_LOGGED_A_MINUTE` at most), and counted in the log's
  refusals; what a bug breaks is said by the number under which the log has it.
* A route gets `request.state`: `session`, `form` (of a POST), `notice`, `csrf`, `settings`.
* A stream or a download may last as long as its client takes bytes and its session runs; there are at most
  `limits.streams_of_pages_max` of them.

    app = Guard(routes, hub, settings, threads, notices, limits)
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, cast
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import Message, Receive, Scope, Send

from core.errors import Denied, InvalidInput, SynclineError, Unavailable
from core.limits import Limits
from core.logs import get_logger
from hub.config import HubSettings
from hub.services.hub import Hub
from hub.services.sessions import Session
from hub.web.access import RULES, Rule
from hub.web.cookies import Cookies, login_token
from hub.web.forms import Gone, check_token, read_form
from hub.web.notices import Notices
from hub.web.problems import problem
from hub.web.security import HEADERS, TRANSPORT_SECURITY, Door, check_path, no_such_page
from hub.web.server import still_there
from hub.web.threads import Threads

_SAFE = frozenset({"GET", "HEAD"})
_LOGGED_A_MINUTE = 20
_SESSION_LOOKED_UP_EVERY_S = 10.0

_log = get_logger("hub.web")


class _SessionOver(Exception):
    """The session of a stream has ended."""


class Guard:
    """The pages as an ASGI application."""

    def __init__(
        self,
        routes: Sequence[BaseRoute],
        hub: Hub,
        settings: HubSettings,
        threads: Threads,
        notices: Notices,
        limits: Limits,
    ) -> None:
        self.app = Starlette(routes=list(routes))
        self.routes = [_with_rule(each) for each in routes]
        self._hub = hub
        self._settings = settings
        self._threads = threads
        self._notices = notices
        self._limits = limits
        self._door = Door.of(settings.web)
        self._cookies = Cookies(self._door.is_https)
        self._lasting = 0
        self._logged = _Bounded(_LOGGED_A_MINUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        scope["app"] = self.app
        request = Request(scope)
        state = request.state
        state.session, state.notice, state.csrf, state.settings = None, None, "", self._settings
        answer = _Answer(partial(self._dressed, send))
        try:
            await self._serve(request, receive, answer)
        except (Gone, _SessionOver):
            if answer.started:
                await answer.end()
            return
        except asyncio.CancelledError:
            # The server stops, and gives up what still waits for its turn: no bug, and somebody is told.
            if answer.started:
                raise
            stops = Unavailable("the hub stops", remedy="try again in a moment", reason="STOPPING")
            await problem(request, stops)(scope, receive, answer)
        except Exception as error:  # noqa: BLE001 - the hub goes on
            if answer.started:
                self._bug(request, error)
                return  # cut short: what has begun cannot become another answer
            said = self._said(request, error)
            if request.method == "POST":  # what of the body was not read is not waited for
                said.headers["Connection"] = "close"
            await said(scope, receive, answer)

    async def _serve(self, request: Request, receive: Receive, send: Send) -> None:
        scope = request.scope
        self._door.check_host(request.headers)
        check_path(scope["path"], scope.get("raw_path") or b"/")
        try:
            route, rule = self._route(scope)
        except (HTTPException, SynclineError):
            await self._find_session(request, _REFUSAL)
            raise
        if not rule.is_open or rule.kind == "page":
            await self._find_session(request, rule)
        changes = request.method not in _SAFE
        if changes and rule.kind == "static":
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        if changes:
            self._door.check_origin(request.headers)
        elif rule.kind == "download":
            self._door.check_navigation(request.headers)
        session: Session | None = request.state.session
        if session is None and not rule.is_open:
            await self._sign_in_first(request, rule)(scope, receive, send)
            return
        if changes:
            request.state.form = await read_form(receive, request.headers, self._limits)
            check_token(request.state.form, request.state.csrf)
        if session is not None and not rule.allows(session):
            raise Denied(
                "your roles do not allow this",
                remedy="ask who looks after this hub's accounts: syncline-hub user role",
                reason="ROLE",
            )
        if rule.is_lasting:
            await self._last(request, route, receive, send)
        else:
            await route.handle(scope, receive, send)

    def _route(self, scope: Scope) -> tuple[BaseRoute, Rule]:
        allowed: set[str] = set()
        for route, rule in self.routes:
            match, child = route.matches(scope)
            if match is Match.FULL:
                scope.update(child)
                return route, rule
            if match is Match.PARTIAL:
                allowed |= getattr(route, "methods", None) or set()
        if allowed:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))})
        raise no_such_page()

    async def _find_session(self, request: Request, rule: Rule) -> None:
        state, token = request.state, self._cookies.session(request.headers)
        # A page that fetches itself again (static/live.js) is nobody's doing, and nobody reads its notice.
        by_itself = rule.kind == "stream" or request.headers.get("syncline-live") is not None
        touch = not by_itself
        sessions = self._hub.sessions
        if token is not None:
            state.session = await self._threads.run(lambda: sessions.look_up(token, touch=touch))
        if state.session is not None:
            state.csrf = state.session.csrf
            if rule.kind == "page" and request.method == "GET" and not by_itself:
                state.notice = self._notices.take(state.csrf)
        elif rule.is_open and (cookie := self._cookies.login(request.headers)) is not None:
            state.csrf = login_token(cookie)

    def _sign_in_first(self, request: Request, rule: Rule) -> Response:
        if rule.kind in ("api", "stream"):
            error = Denied("nobody is signed in", remedy="sign in at /login", reason="NO_SESSION")
            return problem(request, error, 401)
        query = request.url.query
        here = f"{request.url.path}?{query}" if query else request.url.path
        wanted = here if request.method in _SAFE else "/"
        address = "/login" if wanted == "/" else f"/login?{urlencode({'next': wanted})}"
        return RedirectResponse(address, 303)

    async def _last(self, request: Request, route: BaseRoute, receive: Receive, send: Send) -> None:
        """An answer that takes its time: counted, and cut off with its session."""
        if self._lasting >= self._limits.streams_of_pages_max:
            raise Unavailable("too many pages are open", remedy="close some, and try again", reason="BUSY")
        token = self._cookies.session(request.headers)
        looked_up = time.monotonic()

        async def watched(message: Message) -> None:
            nonlocal looked_up
            if time.monotonic() - looked_up > _SESSION_LOOKED_UP_EVERY_S:
                looked_up = time.monotonic()
                sessions = self._hub.sessions
                if await self._threads.run(lambda: sessions.look_up(token, touch=False)) is None:
                    raise _SessionOver
            await send(message)
            still_there(request.scope)

        self._lasting += 1
        try:
            still_there(request.scope)
            await route.handle(request.scope, receive, watched)
        finally:
            self._lasting -= 1

    # --- what goes out ---------------------------------------------------------------------------

    async def _dressed(self, send: Send, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            if self._door.is_https:
                headers["Strict-Transport-Security"] = TRANSPORT_SECURITY
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    def _said(self, request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            return self._refused(
                request, error, InvalidInput(error.detail, reason=_REASONS.get(error.status_code, ""))
            )
        if isinstance(error, SynclineError):
            return self._refused(request, error, error)
        incident = self._bug(request, error)
        told = SynclineError(incident, remedy="tell the hub's operator this number", reason="INTERNAL")
        return problem(request, told, 500)

    def _refused(self, request: Request, error: Exception, told: SynclineError) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else None
        answer = problem(request, told, status)
        if isinstance(error, HTTPException):
            answer.headers.update(cast("dict[str, str]", error.headers or {}))
        if not told.reason.startswith("NO_SUCH"):  # a mistyped address is no refusal
            self._hub.log.refused(None, f"PAGES_{told.reason}")
        if (session := request.state.session) is not None or told.reason != "NO_SUCH_PAGE":
            self._logged(
                "the pages refused a request",
                reason=told.reason,
                problem=told.message[:200],
                method=request.method[:10],
                path=request.url.path[:200],
                user=session.user if session is not None else None,
            )
        return answer

    def _bug(self, request: Request, error: Exception) -> str:
        incident = secrets.token_hex(4)
        _log.error(
            "bug while a page was made",
            incident=incident,
            method=request.method[:10],
            path=request.url.path[:200],
            exc_info=error,
        )
        return incident


#: Who is refused sees so in the frame of its own session.
_REFUSAL = Rule("static")
_REASONS = {404: "NO_SUCH_PAGE", 405: "METHOD"}


class _Answer:
    """Sends on, and knows whether an answer has begun."""

    def __init__(self, send: Callable[[Message], Awaitable[None]]) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        self.started = True
        await self._send(message)

    async def end(self) -> None:
        """Nothing more comes."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


class _Bounded:
    """Warnings, so many a minute; how many were left out is said with the next."""

    def __init__(self, a_minute: int) -> None:
        self._a_minute = a_minute
        self._minute, self._count, self._left_out = 0.0, 0, 0

    def __call__(self, event: str, **fields: Any) -> None:
        now = time.monotonic()
        if now - self._minute >= 60:
            self._minute, self._count = now, 0
        if self._count >= self._a_minute:
            self._left_out += 1
            return
        self._count += 1
        left_out, self._left_out = self._left_out, 0
        _log.warning(event, **fields, **({"left_out": left_out} if left_out else {}))


def paths_of(route: BaseRoute, before: str = "") -> list[str]:
    """The paths that `route` serves, as `RULES` names them."""
    if isinstance(route, Mount):
        return [path for each in route.routes for path in paths_of(each, before + route.path)]
    assert isinstance(route, Route), "the pages have plain routes only"
    return [before + route.path]


def _with_rule(route: BaseRoute) -> tuple[BaseRoute, Rule]:
    rules = {path: RULES.get(path) for path in paths_of(route)}
    for path, rule in rules.items():
        assert rule is not None, f"{path} has no rule in hub/web/access.py: who may ask for it?"
    [rule] = set(rules.values())
    assert rule is not None
    return route, rule
