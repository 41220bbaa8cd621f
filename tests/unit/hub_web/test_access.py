"""Who may ask for what: every route, every role, every method."""

from collections.abc import Iterator

import pytest

from hub.web.access import RULES
from hub.web.guard import paths_of
from tests.unit.hub_web.browsing import Browser, Site, pages

ROLES = ("operator", "approver", "auditor")
FILLED = {
    "{partner}": "la-dgm",
    "{owner}": "la-dgm",
    "{name}": "style.css",
    "{tag}": "en",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with pages(tmp_path_factory.mktemp("access")) as made:
        for role in ROLES:
            made.add(role, role)
        yield made


@pytest.fixture(scope="module")
def browsers(site: Site) -> dict[str, Browser]:
    return {"": site.browser(), **{role: site.signed_in(role) for role in ROLES}}


def address(path: str) -> str:
    for name, value in FILLED.items():
        path = path.replace(name, value)
    return path


def served(site: Site) -> dict[str, set[str]]:
    """Every path that is served, with its methods."""
    found: dict[str, set[str]] = {}
    for route, _ in site.app.routes:
        for path in paths_of(route):
            found.setdefault(path, set()).update(getattr(route, "methods", None) or {"GET", "HEAD"})
    return found


def test_every_route_has_a_rule_and_every_rule_a_route(site: Site) -> None:
    assert set(served(site)) == set(RULES)


def test_what_changes_something_is_never_asked_for_with_get(site: Site) -> None:
    for path, methods in served(site).items():
        acting = RULES[path].kind == "act"
        assert methods == ({"POST"} if acting else {"GET"} if path == "/export" else methods), path
        assert acting or path == "/login" or "POST" not in methods, path


#: Who may, by path; every other path is everybody's who is signed in.
_OPERATORS = ("invite", "collect", "approve", "reject", "suspend", "resume", "revoke", "acknowledge")
ONLY = {
    **{f"/acts/{act}": {"operator"} for act in _OPERATORS},
    "/acts/confirm": {"approver"},
    "/acts/refuse": {"approver"},
    "/export": {"auditor"},
}
OPEN = {"/login", "/static/{name}", "/language/{tag}"}


@pytest.mark.parametrize("path", sorted(set(RULES) - OPEN))
def test_without_a_session_nothing_is_shown_and_nothing_done(
    path: str, site: Site, browsers: dict[str, Browser]
) -> None:
    stranger = site.browser()
    if RULES[path].kind == "act":
        before = site.hub.translog.size()
        answer = stranger.post(address(path), {"partner": "la-dgm"})
        assert (answer.status, answer.header("location")) == (303, "/login")
        assert site.hub.translog.size() == before
    else:
        answer = stranger.get(address(path))
        if RULES[path].kind in ("api", "stream"):
            assert answer.status == 401
            assert answer.header("content-type") == "application/problem+json"
        else:
            assert answer.status == 303
            assert (answer.header("location") or "").startswith("/login")
    assert "la-dgm" not in answer.text


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("path", sorted(set(RULES) - OPEN - {"/logout", "/live"}))
def test_each_role_may_what_it_may_and_nothing_else(
    path: str, role: str, site: Site, browsers: dict[str, Browser]
) -> None:
    browser = browsers[role]
    before = site.hub.translog.size()
    if RULES[path].kind == "act":
        answer = browser.post(address(path), {"csrf": browser.csrf()})
    else:
        answer = browser.get(address(path))
    if role in ONLY.get(path, set(ROLES)):
        assert answer.status != 403, answer.text
        assert RULES[path].kind != "act" or answer.status == 303
    else:
        assert answer.status == 403
        assert "ROLE" in answer.text
        assert site.hub.translog.size() == before


@pytest.mark.parametrize("path", sorted(RULES))
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "QUATSCH"])
def test_other_methods_are_refused(path: str, method: str, browsers: dict[str, Browser]) -> None:
    answer = browsers["operator"]._ask(method, address(path), {"origin": "http://127.0.0.1:7446"})
    assert answer.status == 405
    assert answer.header("allow")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/..%5capp.py",
        "/static//style.css",
        "//static/style.css",
        "/static/style.css%00.html",
        "/partners/..%2f..%2fetc%2fpasswd",
        "/partners/la-dgm/",
        "/api/v1/partners/%2e%2e",
        "/api/v1/../fleet",
        "/" + "a" * 2000,
        "/nothing",
        "/static/",
        "/static",
    ],
)
def test_path_tricks_lead_nowhere(path: str, browsers: dict[str, Browser]) -> None:
    for who in ("", "operator"):
        answer = browsers[who].get(path)
        assert answer.status == 404, (who, answer.status)
        assert b"root:" not in answer.body


def test_a_route_that_nobody_gave_a_rule_is_not_served(site: Site) -> None:
    from starlette.routing import Route

    from hub.web.guard import _with_rule

    with pytest.raises(AssertionError, match="who may ask"):
        _with_rule(Route("/secret", lambda request: None))  # type: ignore[arg-type]
