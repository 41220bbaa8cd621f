"""A viewer chooses a language: a link sets a cookie and leads back. A preference, no secret, no act."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hub.web.i18n import languages
from hub.web.render import LANGUAGE_COOKIE
from hub.web.security import local_path

_YEAR_S = 365 * 24 * 3600


async def choose_language(request: Request) -> Response:
    """`/language/{tag}?next=/…`: back to a page of ours, whatever `next` says."""
    answer = RedirectResponse(local_path(request.query_params.get("next", "")), 303)
    tag = request.path_params["tag"]
    if tag in languages():
        secure = request.url.scheme == "https"
        answer.set_cookie(
            LANGUAGE_COOKIE, tag, max_age=_YEAR_S, path="/", secure=secure, httponly=True, samesite="lax"
        )
    return answer
