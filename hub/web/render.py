"""A page out of a template: in the viewer's language, everything escaped, nothing from elsewhere.

* Every value is escaped by the templates' own autoescape; there is no `safe` in them. What is drawn is built
  by `hub.web.drawing` as `Markup`, from numbers and escaped texts alone.
* What a page's head and navigation need is found on the request: `request.state.session` (None: not signed
  in), `request.state.notice` (a `Notice`, said once above the page), `request.app.state.frame` (a `Frame`),
  `request.app.state.clock`. Each may be missing.
* Templates get: `session`, `frame`, `notice`, `language`, `path`, `now`, `_`/`gettext`, `ngettext`, and the
  functions of `hub.web.template_language`.

    return render(request, "fleet.html", fleet=overview.fleet())
    return render(request, "error.html", 404, title=…, message=…, remedy=…)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from core.clock import SystemClock
from hub.overview.model import Message, Severity
from hub.web.i18n import Language, accepted_tags, choose, languages
from hub.web.static_files import address_of
from hub.web.template_language import names_for, translated

LANGUAGE_COOKIE = "syncline-language"
#: Lines of a list that a page shows before somebody asks for all.
LONG = 100
_CLOCK = SystemClock()
_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page says in its head. `hub`: its name; `two_person`: acts wait for a second person."""

    hub: str = ""
    federation: str = ""
    two_person: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """What became of an act, said once. `command`: what to run, if something is left to do elsewhere.

    `form`, `typed`: the form that is to be corrected, and what stands in it already; no secret is among it.
    """

    severity: Severity
    message: Message
    command: str = ""
    form: str = ""
    typed: Mapping[str, str] = field(default_factory=dict[str, str])


def render(
    request: Request,
    template: str,
    status_code: int = 200,
    *,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Response:
    """The page. `headers` are added to its own."""
    language = language_of(request)
    state, app_state = request.state, request.app.state
    # For titles: the language that was chosen, else what the browser wants, in its order.
    accepted = (*accepted_tags(request.headers.get("accept-language", "")), language.tag)
    if request.cookies.get(LANGUAGE_COOKIE) == language.tag:
        accepted = (language.tag, *accepted)
    text = (
        environment(language.tag)
        .get_template(template)
        .render(
            {
                "session": getattr(state, "session", None),
                "revision": getattr(state, "revision", None),
                "notice": getattr(state, "notice", None),
                "frame": getattr(app_state, "frame", Frame()),
                "language": language,
                "accepted": accepted,
                "path": request.url.path,
                "address": _address(request),
                "show_all": request.query_params.get("all") == "1",
                "LONG": LONG,
                "now": getattr(app_state, "clock", _CLOCK).now(),
                **context,
            }
        )
    )
    own = {"Cache-Control": "no-store", "Content-Language": language.lang, "Vary": "Cookie, Accept-Language"}
    return HTMLResponse(text, status_code, {**own, **(headers or {})})


def language_of(request: Request) -> Language:
    """The viewer's language."""
    cookie = request.cookies.get(LANGUAGE_COOKIE, "")
    return choose(languages(), cookie, request.headers.get("accept-language", ""))


@cache
def environment(tag: str) -> Environment:
    """The templates in the language `tag`, which is there."""
    language = languages()[tag]
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    install: Any = made
    install.install_gettext_callables(language.gettext, language.ngettext, newstyle=True)
    # The extension's own `gettext` translates and formats at each call: a table calls it a thousand times.
    made.globals["gettext"] = made.globals["_"] = translated(language)  # pyright: ignore[reportArgumentType]
    made.globals["languages"] = languages()  # pyright: ignore[reportArgumentType]
    made.globals["static"] = address_of  # pyright: ignore[reportArgumentType]
    filters, functions = names_for(language)
    made.filters.update(filters)
    made.globals.update(functions)
    return made


def _address(request: Request) -> str:
    """Path and query, for links that come back here."""
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path
