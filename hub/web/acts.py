"""The acts of the pages: small forms, each answered by a way back to the page with what became of it.

The guard has checked sender, token and role before (`hub.web.access`); what is asked is checked here and at
the desk. A failure is said above the page as well: nothing was done then, unless it says so; what was typed
into a long form stands there again (kept in memory with the notice, never in an address).
"""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from core.errors import InvalidInput, SynclineError
from core.logs import get_logger
from core.names import NodeName, PartnerId, check_node, check_partner
from hub.overview.model import Message
from hub.services.agency_names import parse_names
from hub.services.alarm_desk import REASON_LENGTH_MAX
from hub.services.desk import Desk, Done
from hub.services.sessions import Session
from hub.web.forms import Form
from hub.web.notices import Notices
from hub.web.render import Notice
from hub.web.threads import Threads

_ID_LENGTH_MAX = 128
_NAME_LENGTH_MAX = 300
_LANGUAGE_LENGTH_MAX = 35
_FINGERPRINT_LENGTH_MAX = 300
_SIGN = "syncline-hub registry sign --keys DIR"

_log = get_logger("hub.web")

#: Fields of the forms that are worth typing once only. Never what must be typed to be sure.
_KEPT = {
    "invite": ("partner", "name_en", "name_own", "lang_own", "node", "replace"),
    "acknowledge": ("partner", "node", "id", "reason"),
}
_KEPT_LENGTH_MAX = 1_000

#: What to do with a form, and where to go afterwards.
_Act = Callable[[str, Form], Done]


def routes(desk: Desk, threads: Threads, notices: Notices, forget: Callable[[], None]) -> list[Route]:
    """All of `/acts/…`. `forget` is called after each: who acts sees what became of it."""

    def route(name: str, act: _Act) -> Route:
        return Route(f"/acts/{name}", _endpoint(act, threads, notices, forget), methods=["POST"])

    return [
        route("invite", lambda user, form: _invite(desk, user, form)),
        route("collect", lambda user, form: desk.collect(user, form.number("number"))),
        route(
            "approve",
            lambda user, form: desk.approve(
                user, _partner(form), form.text("fingerprint", _FINGERPRINT_LENGTH_MAX), _node(form)
            ),
        ),
        route("reject", lambda user, form: desk.reject(user, _partner(form), _node(form))),
        route("suspend", lambda user, form: desk.suspend(user, _partner(form))),
        route("resume", lambda user, form: desk.resume(user, _partner(form))),
        route("revoke", lambda user, form: _revoke(desk, user, form)),
        route("acknowledge", lambda user, form: _acknowledge(desk, user, form)),
        route("confirm", lambda user, form: desk.confirm(user, form.number("number"))),
        route("refuse", lambda user, form: desk.refuse(user, form.number("number"))),
    ]


def _endpoint(
    act: _Act, threads: Threads, notices: Notices, forget: Callable[[], None]
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        session: Session = request.state.session
        form: Form = request.state.form

        def work() -> Done:
            try:
                return act(session.user, form)
            finally:
                forget()

        try:
            done = await threads.run(work)
        except SynclineError as error:
            _log.warning(
                "an act was not done",
                path=request.url.path,
                user=session.user,
                reason=error.reason,
                problem=error.message[:200],
            )
            params: dict[str, str | int | None] = {"problem": error.message, "remedy": error.remedy or "–"}
            kept, typed = _typed(request, form)
            message = Message(code="act.failed", params=params)
            notices.put(session.csrf, Notice("error", message, form=kept, typed=typed))
            return RedirectResponse(_back(request, form), 303)
        _log.info("act", act=done.act, partner=done.partner, outcome=done.outcome, user=session.user)
        if done.file:
            return _download(done)
        notices.put(session.csrf, _notice(done))
        return RedirectResponse("/" if done.is_gone else _back(request, form), 303)

    return endpoint


def _invite(desk: Desk, user: str, form: Form) -> Done:
    given = [form.text("name_en", _NAME_LENGTH_MAX, required=False)]
    own = form.text("name_own", _NAME_LENGTH_MAX, required=False)
    language = form.text("lang_own", _LANGUAGE_LENGTH_MAX, required=False)
    if bool(own) != bool(language):
        raise InvalidInput(
            "a name in another language needs its language, and the other way round",
            remedy="give both, or neither",
            reason="FIELD_MISSING",
        )
    texts = [f"en={each}" for each in given if each] + ([f"{language}={own}"] if own else [])
    node = check_node(form.text("node", _ID_LENGTH_MAX))
    return desk.invite(user, _partner(form), _names(texts), node, replace=form.ticked("replace"))


def _names(texts: list[str]) -> dict[str, str]:
    names = parse_names(texts)
    if len(names) != len(texts) or any("=" not in text or text.split("=")[0] not in names for text in texts):
        raise InvalidInput(
            "this is not a language", remedy="write its tag, like lo or zh-Hans", reason="FIELD_WRONG"
        )
    return names


def _revoke(desk: Desk, user: str, form: Form) -> Done:
    partner = _partner(form)
    if form.text("again", _ID_LENGTH_MAX) != partner:
        raise InvalidInput(
            f"what was typed is not {partner}", remedy="type it to be sure", reason="FIELD_WRONG"
        )
    return desk.revoke(user, partner)


def _acknowledge(desk: Desk, user: str, form: Form) -> Done:
    node = check_node(form.text("node", _ID_LENGTH_MAX))
    reason = form.text("reason", 2 * REASON_LENGTH_MAX)
    return desk.acknowledge(user, _partner(form), node, form.text("id", _ID_LENGTH_MAX), reason)


def _partner(form: Form) -> PartnerId:
    return check_partner(form.text("partner", _ID_LENGTH_MAX))


def _node(form: Form) -> NodeName | None:
    given = form.text("node", _ID_LENGTH_MAX, required=False)
    return check_node(given) if given else None


def _download(done: Done) -> Response:
    """A join file: its name is made of checked ids alone."""
    return Response(
        done.file,
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{quote(done.name)}"'},
    )


def _notice(done: Done) -> Notice:
    message = Message(code=f"act.{done.outcome}.{done.act}", params={"partner": done.partner})
    if done.outcome in ("waits", "ready", "refused"):
        params: dict[str, str | int | None] = {"partner": done.partner, "act_word": f"act.{done.act}"}
        message = Message(code=f"act.{done.outcome}", params=params)
    return Notice("info", message, _SIGN if done.outcome == "queued" else "")


def _typed(request: Request, form: Form) -> tuple[str, dict[str, str]]:
    """The form's name, and what is to stand in it again."""
    name = request.url.path.rpartition("/")[2]
    if name not in _KEPT:
        return "", {}
    return name, {each: form.fields.get(each, "")[:_KEPT_LENGTH_MAX] for each in _KEPT[name]}


def _back(request: Request, form: Form) -> str:
    """The page on which it was asked, never one of another site."""
    name = request.url.path.rpartition("/")[2]
    if name in ("confirm", "refuse", "collect"):
        return "/acts"
    if name == "acknowledge":
        return "/log"
    if name == "invite":
        return "/"
    try:
        return f"/partners/{check_partner(form.fields.get('partner', ''))}"
    except InvalidInput:
        return "/"
