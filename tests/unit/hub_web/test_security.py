"""What every request meets and every answer carries; hostile bodies, names of the host, bugs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from core.errors import Denied, InvalidInput
from hub.config_operator import WebTable
from hub.web.security import CONTENT_SECURITY_POLICY, Door, check_path, local_path
from tests.unit.hub_web.browsing import FORM, HOST, ORIGIN, Site, pages


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with pages(tmp_path_factory.mktemp("security")) as made:
        made.add("vilay", "operator")
        yield made


# ── headers ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/login", 303),
        ("/nothing", 404),
        ("/partners/NOT", 404),
        ("/export", 403),
        ("/api/v1/fleet", 200),
        ("/api/v1/nothing", 404),
        ("/static/style.css", 200),
        ("/static/nothing", 404),
        ("/acts/suspend", 405),
    ],
)
def test_every_answer_also_an_error_forbids_what_comes_from_elsewhere(
    site: Site, path: str, status: int
) -> None:
    answer = site.signed_in("vilay").get(path)
    assert answer.status == status
    assert answer.all("content-security-policy") == [CONTENT_SECURITY_POLICY]
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("x-frame-options") == "DENY"
    assert answer.header("referrer-policy") == "same-origin"
    assert answer.header("cross-origin-opener-policy") == "same-origin"
    assert "unsafe" not in (answer.header("content-security-policy") or "")
    assert answer.header("cache-control")
    assert answer.header("strict-transport-security") is None  # plain HTTP


def test_a_bug_is_an_incident_in_the_log_and_nothing_of_it_on_the_page(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = site.signed_in("vilay")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(site.hub.sessions, "look_up", broken)
    with structlog.testing.capture_logs() as logs:
        answer = browser.get("/")
    assert answer.status == 500
    assert "secret detail" not in answer.text
    [line] = [each for each in logs if each["log_level"] == "error"]
    assert line["incident"] in answer.text
    assert answer.all("content-security-policy") == [CONTENT_SECURITY_POLICY]


@pytest.mark.parametrize("target", ["*", "evil.example:443"])
def test_a_target_that_is_no_path_is_no_page_and_no_bug(target: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_path(target, target.encode())
    assert refused.value.reason == "NO_SUCH_PAGE"


# ── the host's name ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("host", ["evil.example", "evil.example:1", "", "127.0.0.1:7446@evil", "192.0.2.1"])
def test_a_name_that_was_rebound_to_this_address_is_refused(site: Site, host: str) -> None:
    browser = site.browser()
    browser.host = host
    for path in ("/login", "/", "/static/style.css", "/api/v1/fleet"):
        assert browser.get(path).status == 421


def test_two_hosts_or_none_are_refused(site: Site) -> None:
    assert site.ask("GET", "/login", []).status == 421
    assert site.ask("GET", "/login", [("host", HOST), ("host", HOST)]).status == 421


@pytest.mark.parametrize(
    ("web", "host", "allowed"),
    [
        (WebTable(listen="127.0.0.1:7446"), "localhost:7446", True),
        (WebTable(listen="127.0.0.1:7446"), "[::1]:7446", True),
        (WebTable(listen="127.0.0.1:7446"), "LOCALHOST", True),
        (WebTable(listen="127.0.0.1:7446"), "192.0.2.1:7446", False),
        (WebTable(listen="192.0.2.1:7446"), "192.0.2.1:7446", True),
        (WebTable(listen="192.0.2.1:7446"), "localhost", False),
        (WebTable(listen="0.0.0.0:7446"), "192.0.2.77:7446", True),
        (WebTable(listen="[::]:7446"), "[2001:db8::1]:7446", True),
        (WebTable(listen="0.0.0.0:7446"), "evil.example:7446", False),
        (WebTable(listen="127.0.0.1:7446", url="https://hub.example.org"), "hub.example.org", True),
        (WebTable(listen="127.0.0.1:7446", url="https://hub.example.org"), "hub.example.org.evil", False),
        (WebTable(listen="127.0.0.1:7446", url="https://hub.example.org:8443"), "hub.example.org:8443", True),
    ],
)
def test_the_pages_answer_to_their_own_names(web: WebTable, host: str, allowed: bool) -> None:
    from starlette.datastructures import Headers

    headers = Headers({"host": host})
    if allowed:
        Door.of(web).check_host(headers)
    else:
        with pytest.raises(Denied):
            Door.of(web).check_host(headers)


def test_a_refusal_is_logged_within_bounds_and_counted(tmp_path: Path) -> None:
    counted: list[str] = []
    with pages(tmp_path) as site, structlog.testing.capture_logs() as logs:
        site.hub.log.refused = lambda _, reason: counted.append(reason)
        browser = site.browser()
        browser.host = "evil.example"
        for _ in range(100):
            browser.get("/" + "x" * 900)
    assert counted == ["PAGES_WRONG_HOST"] * 100
    lines = [each for each in logs if each["event"] == "the pages refused a request"]
    assert 1 <= len(lines) <= 20
    assert all(len(each["path"]) <= 200 for each in lines)


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────


def test_a_form_of_ten_megabytes_is_refused_by_its_length_alone(site: Site) -> None:
    browser = site.signed_in("vilay")
    for path in ("/login", "/acts/suspend"):
        answer = browser.post(path, body=b"x", length=10_000_000)
        assert (answer.status, answer.header("connection")) == (413, "close")


def test_a_form_that_says_no_length_is_read_up_to_the_bound(site: Site) -> None:
    browser = site.signed_in("vilay")
    pieces = [b"csrf=" + b"a" * 9_995] * 1000
    assert browser.post("/acts/suspend", pieces=pieces).status == 413


@pytest.mark.parametrize("length", ["-1", "1e9", "x", "99999999999999999999"])
def test_lengths_that_are_none_are_refused(site: Site, length: str) -> None:
    browser = site.signed_in("vilay")
    headers = {"origin": ORIGIN, "content-type": FORM, "content-length": length}
    assert browser._ask("POST", "/login", headers, b"x").status == 413


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_other_kinds_of_bodies_are_refused(site: Site, kind: str) -> None:
    answer = site.signed_in("vilay").post("/acts/suspend", {"partner": "la-dgm"}, content_type=kind)
    assert answer.status == 415


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe=1",
        b"csrf=%ff",
        b"csrf=a&csrf=b",
        b"&".join(b"f%d=1" % n for n in range(100)),
        b"a=%00&csrf=x",
    ],
)
def test_bodies_that_are_no_form_are_refused(site: Site, body: bytes) -> None:
    assert site.signed_in("vilay").post("/acts/suspend", body=body).status == 400


def test_a_client_that_goes_away_in_the_middle_of_its_form_is_forgotten(site: Site) -> None:
    browser = site.signed_in("vilay")
    answer = browser.post("/acts/suspend", pieces=[b"csrf=", b"a"], site="same-origin")
    assert answer.status == 403
    gone = site.ask("POST", "/login", [("host", HOST), ("origin", ORIGIN), ("content-type", FORM)], pieces=[])
    assert gone.status == 0


# ── where one is led ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/", "/partners/la-dgm", "/events?text=%2F%2Fx", "/datasets?text=ລາວ"])
def test_pages_of_this_hub_may_be_led_to(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path", ["//x", "/\\x", "x", "http://x", "/a\nb", "/\\b", "", " /", "/login", "/\x7f"]
)
def test_nothing_else_may(path: str) -> None:
    assert local_path(path) == "/"
