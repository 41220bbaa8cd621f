"""What the served hub refuses, by role, forgery, size, path: it says so, briefly, and tells nothing else."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from hub.web.access import RULES
from tests.browser.conftest import Visit
from tests.browser.raw import Answer, ask
from tests.browser.serving import USERS, Site
from tests.browser.visitor import Visitor

_KIB, _MIB = 1024, 1024 * 1024
ACTS = sorted(path for path, rule in RULES.items() if rule.kind == "act")


def address(path: str) -> str:
    return path.format(partner="la-dgm", owner="la-dgm", name="style.css", tag="en")


def token_of(visitor: Visitor) -> str:
    visitor.goto("/transfers")
    return visitor.page.locator("input[name=csrf]").first.get_attribute("value") or ""


def sent(visitor: Visitor, path: str, **options: Any) -> Any:
    """A form, as these pages send it, and the answer itself."""
    headers = {"Origin": visitor.site.url, **options.pop("headers", {})}
    return visitor.context.request.post(
        visitor.site.url + path, headers={k: v for k, v in headers.items() if v}, max_redirects=0, **options
    )


def got(visitor: Visitor, path: str) -> Any:
    return visitor.context.request.get(visitor.site.url + path, max_redirects=0)


def leaves(site: Site) -> int:
    with site.hub() as hub:
        return hub.translog.size()


def is_plain(answer: Any) -> bool:
    """A refusal is dressed as every answer, short, and tells nothing of the hub's inside."""
    text = answer.text()
    return (
        "default-src 'none'" in answer.headers["content-security-policy"]
        and len(text) < 64 * _KIB
        and not re.search(r"Traceback|File \"|/site-packages/|sqlalchemy", text)
    )


@pytest.mark.parametrize(
    "user", [*USERS, None], ids=[*("-".join(roles) for roles in USERS.values()), "stranger"]
)
def test_each_role_over_every_route(visit: Visit, small_site: Site, user: str | None) -> None:
    visitor = visit(user, at=small_site)
    token, roles = token_of(visitor) if user else "", set(USERS.get(user or "", ()))
    before = leaves(small_site)
    wrong: list[str] = []
    for path, rule in RULES.items():
        if (path == "/logout" and user) or (rule.kind == "stream" and user):
            continue  # the one would end the session, the other never ends
        if path == "/datasets/{owner}/{name}" or path == "/api/v1/datasets/{owner}/{name}":
            expected = 404 if user else 303 if rule.kind == "page" else 401
        elif path == "/export" and "auditor" in roles:
            expected = 400  # the federation has no auditor to make evidence for
        elif rule.is_open:
            expected = 303 if path.startswith("/language") or (path == "/login" and user) else 200
        elif user is None:
            expected = 401 if rule.kind in ("api", "stream") else 303
        else:
            allowed = bool(rule.roles & roles)
            expected = (303 if rule.kind == "act" else 200) if allowed else 403
        answer = (
            sent(visitor, path, form={"csrf": token}) if rule.kind == "act" else got(visitor, address(path))
        )
        if answer.status != expected or (answer.status >= 400 and not is_plain(answer)):
            wrong.append(f"{path}: {answer.status}, not {expected}")
        if user is None and answer.status == 303 and not rule.is_open:
            assert answer.headers["location"].startswith("/login")
    assert not wrong, "\n".join(wrong)
    assert leaves(small_site) == before, "an empty form does nothing"


def forgeries(site: Site, token: str, of_another: str) -> Iterator[tuple[str, dict[str, Any], int]]:
    form = {"csrf": token, "partner": "la-dgm", "again": "la-dgm", "number": "1"}
    yield "no token", {"form": {k: v for k, v in form.items() if k != "csrf"}}, 403
    yield "a made-up token", {"form": {**form, "csrf": "A" * len(token)}}, 403
    yield "a token cut short", {"form": {**form, "csrf": token[:-1]}}, 403
    yield "another's token", {"form": {**form, "csrf": of_another}}, 403
    yield "another site", {"form": form, "headers": {"Origin": "https://evil.example"}}, 403
    yield "another port", {"form": form, "headers": {"Origin": site.url + "1"}}, 403
    yield "no site", {"form": form, "headers": {"Origin": "null"}}, 403
    yield "no word of where from", {"form": form, "headers": {"Origin": ""}}, 403
    yield "a site beside", {"form": form, "headers": {"Sec-Fetch-Site": "same-site"}}, 403
    yield "JSON", {"data": form}, 415
    yield "multipart", {"multipart": form}, 415
    twice = f"csrf={token}&csrf={token}&partner=la-dgm"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    yield "a token twice", {"data": twice, "headers": kind}, 400
    yield "no text", {"data": b"csrf=%ff%fe&\xff", "headers": kind}, 400
    yield "too many fields", {"data": "&".join(f"x{n}=1" for n in range(5000)), "headers": kind}, 400
    yield "10 MB", {"data": b"csrf=" + b"x" * 10 * _MIB, "headers": kind}, 413


def test_no_act_is_done_for_a_forged_form(visit: Visit, small_site: Site) -> None:
    visitor, another = visit("both", at=small_site), visit("auditor", at=small_site)
    token, before = token_of(visitor), leaves(small_site)
    wrong: list[str] = []
    for what, options, expected in forgeries(small_site, token, token_of(another)):
        for path in ACTS if expected == 403 else ACTS[:1]:
            if expected == 413:
                answer: Any = _large(visitor, path, [b"csrf=" + b"x" * _MIB] * 10, length=10 * _MIB)
            else:
                answer = sent(visitor, path, **options)
            if answer.status != expected or (isinstance(answer, Answer) or not is_plain(answer)) is (
                expected != 413
            ):
                wrong.append(f"{what}, {path}: {answer.status}, not {expected}")
    assert not wrong, "\n".join(wrong)
    assert leaves(small_site) == before
    assert got(visitor, "/").status == 200, "the session goes on"


def _large(visitor: Visitor, path: str, pieces: list[bytes], *, length: int | None) -> Answer:
    """A form of many bytes: said before, or in pieces without end."""
    headers = {"Origin": visitor.site.url, "Content-Type": "application/x-www-form-urlencoded"}
    if length is None:
        headers["Transfer-Encoding"] = "chunked"
        pieces = [f"{len(each):x}\r\n".encode() + each + b"\r\n" for each in pieces]
    else:
        headers["Content-Length"] = str(length)
    return ask(visitor.site, "POST", path, cookie=cookie_of(visitor), headers=headers, body=pieces)


def test_a_form_in_pieces_without_end_is_refused_unread(visit: Visit, small_site: Site) -> None:
    answer = _large(visit("both", at=small_site), "/acts/suspend", [b"x" * _MIB] * 10, length=None)
    assert answer.status in (413, 0), "hung up on, with or without a word"


def cookie_of(visitor: Visitor) -> str:
    return "; ".join(f"{each.get('name')}={each.get('value')}" for each in visitor.context.cookies())


TRICKS: tuple[str | bytes, ...] = (
    "/partners/../../etc/passwd",
    "/static/../../../etc/passwd",
    "/static/..%2f..%2f..%2fetc%2fpasswd",
    "/static/%2e%2e/%2e%2e/etc/passwd",
    "/static/%252e%252e%252fetc%252fpasswd",
    "/static/..\\..\\etc\\passwd",
    "/static/..%5c..%5cetc%5cpasswd",
    "/static//etc/passwd",
    "//etc/passwd",
    "//evil.example/",
    "/./",
    "/partners/.",
    "/partners/la-dgm%00.html",
    "/partners/%00",
    b"/partners/\x00",
    b"/partners/\xff\xfe",
    "/partners/%ff%fe",
    "/partners/%E2%80%AE%E2%80%8Bla-dgm",
    "/partners/<script>alert(1)</script>",
    "/partners/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    "/partners/" + "a" * 2000,
    "/" + "a" * 7000,
    "/" + "a" * 200_000,
    "/datasets/la-dgm/%2e%2e",
    "/datasets/la-dgm/..;/x",
    "/datasets?text=" + "%00" * 900,
    "/datasets?text=" + "x" * 7000,
    "/datasets?after=%F0%9F%92%A9&count=-1&freshness=%27%20OR%201=1--",
    "/events?since=9999-99-99&until=now&after=-1",
    "/map?west=nan&by=%3Cscript%3E",
    "/language/../../x?next=//evil.example",
    "/language/zh?next=https://evil.example/",
    "/login?next=//evil.example",
    "/api/v1/partners/..%2f..",
    "/api/v1/events?severity=%00",
    "http://evil.example/",
    "*",
)


def test_tricks_with_paths_lead_nowhere(visit: Visit, small_site: Site) -> None:
    cookie = cookie_of(visit("auditor", at=small_site))
    wrong: list[str] = []
    for path in TRICKS:
        answer = ask(small_site, "GET", path, cookie=cookie)
        text = answer.body.decode("utf-8", "replace")
        location = re.search(r"(?im)^location: *(\S+)", answer.head)
        led_astray = location is not None and not re.fullmatch(r"/(?![/\\])\S*", location[1])
        told = re.search(r"root:.*:0:0|Traceback|File \"|sqlalchemy|<script>", text)
        if answer.status not in (0, 200, 303, 400, 404, 414, 421, 431) or led_astray or told:
            wrong.append(f"{str(path)[:80]}: {answer.status} {location and location[0]} {told}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "127.0.0.1:1, evil.example"])
def test_a_name_that_was_rebound_to_this_address_is_refused(small_site: Site, host: str) -> None:
    assert ask(small_site, "GET", "/", headers={"Host": host}).status in (400, 421)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_other_methods_are_none(visit: Visit, small_site: Site, method: str) -> None:
    cookie = cookie_of(visit("both", at=small_site))
    for path in ("/", "/acts/suspend", "/login", "/static/style.css"):
        headers = {"Origin": small_site.url}
        assert ask(small_site, method, path, cookie=cookie, headers=headers).status in (400, 403, 405), path
