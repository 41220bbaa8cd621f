"""Signing in and out.

* The login form carries a token that belongs to a cookie of its own: no other site signs a browser in.
* Passwords are checked by turns, those of browsers that have signed in before apart from strangers'
  (`hub.web.login_turns`).
* Whoever signs in gets a new session, whatever it brought; `next` leads to a page of this hub or nowhere.
"""

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from core.errors import Denied, Unavailable
from core.limits import Limits
from hub.config import HubSettings
from hub.overview.model import Message
from hub.services.hub import Hub
from hub.services.passwords import PASSWORD_BYTES_MAX
from hub.services.users import NAME_LENGTH_MAX
from hub.web.callers import Callers
from hub.web.cookies import Cookies, login_token
from hub.web.forms import Form
from hub.web.login_turns import LoginTurns
from hub.web.render import render
from hub.web.security import Door, local_path
from hub.web.threads import Threads

_LOGIN_FORM_S = 3600
_TOKEN_BYTES = 32


def routes(hub: Hub, settings: HubSettings, threads: Threads, limits: Limits) -> list[Route]:
    """`/login` and `/logout`."""
    cookies = Cookies(Door.of(settings.web).is_https)
    callers = Callers.of(settings.web)
    turns = LoginTurns(limits)

    def form(request: Request, status: int, **context: Any) -> Response:
        cookie = cookies.login(request.headers) or secrets.token_urlsafe(_TOKEN_BYTES)
        answer = render(request, "login.html", status, csrf=login_token(cookie), **context)
        cookies.set_login(answer, cookie, _LOGIN_FORM_S)
        return answer

    async def show(request: Request) -> Response:
        wanted = local_path(request.query_params.get("next", ""))
        if request.state.session is not None:
            return RedirectResponse(wanted, 303)
        return form(request, 200, next=wanted, problem=None)

    async def login(request: Request) -> Response:
        given: Form = request.state.form
        wanted = local_path(given.fields.get("next", ""))
        name = given.fields.get("user", "")[: NAME_LENGTH_MAX * 4].strip()
        password = given.fields.get("password", "")[: 2 * PASSWORD_BYTES_MAX]

        browser = cookies.browser(request.headers)

        def sign_in() -> tuple[str, str]:
            user = hub.users.authenticate(name, password, browser)
            hub.sessions.end(cookies.session(request.headers))
            return hub.sessions.begin(user.name), hub.users.browsers.remember(browser, user.name)

        async def check() -> tuple[str, str]:
            return await threads.run_slow(sign_in)

        try:
            if browser and await threads.run(lambda: hub.users.knows_browser(name, browser)):
                token, known = await turns.known(browser, check)
            else:
                token, known = await turns.stranger(callers.address(request.scope, request.headers), check)
        except Denied as error:
            if error.reason != "LOGIN_THROTTLED":
                return form(request, 403, next=wanted, problem=Message(code="login.refused"))
            hub.log.refused(None, "LOGIN")
            return form(request, 429, next=wanted, problem=Message(code="login.throttled"))
        except Unavailable:
            return form(request, 503, next=wanted, problem=Message(code="login.busy"))
        answer = RedirectResponse(wanted, 303)
        cookies.forget_login(answer)
        cookies.set_session(answer, token, limits.session_s)
        cookies.set_browser(answer, known, limits.known_browser_s)
        return answer

    async def logout(request: Request) -> Response:
        token = cookies.session(request.headers)
        await threads.run(lambda: hub.sessions.end(token))
        answer = RedirectResponse("/login", 303)
        answer.headers["Clear-Site-Data"] = '"cache"'
        cookies.forget_session(answer)
        return answer

    return [
        Route("/login", show, methods=["GET"]),
        Route("/login", login, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
    ]
