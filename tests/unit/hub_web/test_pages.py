"""Each page, with a fleet that holds every state and markup in every text: whole, safe, in both languages."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from hub.overview.model import Message
from hub.web.render import Notice
from tests.unit.hub_web.looking import Looking, Viewer
from tests.unit.hub_web.made_up import EVIL, NAMES, NOW, MadeUp
from tests.unit.hub_web.markup import Whole

ADDRESSES = (
    "/",
    "/partners/la-dgm",
    "/partners/xx-evil",
    "/datasets",
    "/datasets?text=map&owner=la-dgm&theme=hazard&freshness=late",
    "/datasets/cn-cgs/set-2",
    "/transfers",
    "/events",
    "/events?severity=error&since=2026-11-01&until=2026-11-30&kind=delivery",
    "/log",
    "/storage",
    "/map",
    "/map?by=freshness&dataset=cn-cgs/set-2",
    "/map?view=-180,-90,180,90",
    "/acts",
)


def request(number: int, asked_by: str, outcome: str | None) -> SimpleNamespace:
    """An act that waits, or did."""
    detail = {"partner": "la-dgm", "node": "main", "names": {"en": EVIL}, "replace": True, "reason": EVIL}
    return SimpleNamespace(
        number=number,
        act="invite",
        detail=detail,
        asked_by=asked_by,
        asked=NOW,
        decided_by="kham" if outcome else None,
        decided=NOW if outcome else None,
        outcome=outcome,
        problem=EVIL,
    )


WAITING = (
    request(1, "kham", None),
    request(2, "vilay", None),
    request(3, "vilay", "confirmed"),
    request(4, "kham", "refused"),
)
OPERATOR = Viewer(roles=frozenset({"operator"}))
APPROVER = Viewer(roles=frozenset({"approver"}))
AUDITOR = Viewer(roles=frozenset({"auditor"}))


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_is_whole_and_lets_no_markup_through(address: str, language: str) -> None:
    page = Looking(waiting=WAITING).ask(address, accept_language=language)
    assert page.status == 200
    found = Whole(page.text)
    assert found.wrong == []
    # Our own script is the only one, and nobody's text became an element or an attribute.
    scripts = [named.get("src") or "" for tag, named in found.tags if tag == "script"]
    assert [each.partition("?")[0] for each in scripts] == ["/static/live.js"]
    assert "<script>alert" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert set(found.fields) <= set(found.labels), "every field has its label"
    assert page.headers["content-language"] == ("zh-Hans-CN" if language == "zh-CN" else "en-GB")


@pytest.mark.parametrize(
    "address", [each for each in ADDRESSES if "partners" not in each and "cn-cgs" not in each]
)
def test_a_page_of_a_hub_on_its_first_day_is_whole(address: str) -> None:
    page = Looking(MadeUp(is_empty=True)).ask(address)
    assert page.status == 200
    assert Whole(page.text).wrong == []


def test_an_empty_fleet_says_how_to_begin_to_those_who_may() -> None:
    assert "Invite the first one below" in Looking(MadeUp(is_empty=True)).ask("/").text
    page = Looking(MadeUp(is_empty=True), AUDITOR).ask("/")
    assert "No partner has joined yet." in page.text
    assert "/acts/invite" not in page.text


@pytest.mark.parametrize("viewer", [APPROVER, AUDITOR])
@pytest.mark.parametrize("address", ADDRESSES)
def test_forms_of_the_operator_are_shown_to_nobody_else(address: str, viewer: Viewer) -> None:
    page = Looking(viewer=viewer, waiting=WAITING).ask(address)
    for act in ("invite", "approve", "reject", "suspend", "resume", "revoke", "acknowledge"):
        assert f'action="/acts/{act}"' not in page.text


def test_every_form_carries_the_sessions_token() -> None:
    for address in ADDRESSES:
        found = Whole(Looking(waiting=WAITING).ask(address).text)
        forms = [named for tag, named in found.tags if tag == "form" and named.get("method") == "post"]
        tokens = [named for tag, named in found.tags if named.get("name") == "csrf"]
        assert len(forms) == len(tokens)
        assert {named["value"] for named in tokens} == {"csrf-token"}


def test_nobody_is_offered_to_confirm_what_he_asked_for() -> None:
    text = Looking(viewer=APPROVER, waiting=WAITING[:1]).ask("/acts").text
    assert 'action="/acts/confirm"' in text
    own = Looking(viewer=APPROVER, waiting=WAITING[1:2]).ask("/acts").text
    assert 'action="/acts/confirm"' not in own
    assert 'action="/acts/refuse"' not in own


def test_only_an_auditor_is_offered_the_evidence() -> None:
    assert 'href="/export"' in Looking(viewer=AUDITOR).ask("/log").text
    assert 'href="/export"' not in Looking(viewer=OPERATOR).ask("/log").text


def test_what_needs_a_decision_stands_above_all() -> None:
    text = Looking().ask("/").text
    order = [text.index(f'id="{name}"') for name in ("decide", "look", "counts-head", "partners-head")]
    assert order == sorted(order)


def test_partners_stand_in_the_order_of_the_overview_the_worst_first() -> None:
    text = Looking().ask("/").text
    order = [text.index(f'id="partner-{partner}"') for partner in NAMES]
    assert order == sorted(order)


def test_a_state_is_told_by_word_and_shape() -> None:
    text = Looking().ask("/").text
    for state in ("alarm", "silent", "trouble", "stuck", "behind", "in sync"):
        mark = f"mark-{state.replace(' ', '-')}"
        assert mark in text
        assert f"<span>{state}</span>" in text


def test_a_title_is_marked_with_its_language_and_direction() -> None:
    def shown(**headers: str) -> str:
        return Looking().ask("/datasets", **headers).text

    arabic = '<span lang="ar" dir="rtl">خريطة المعادن</span>'
    chinese = '<span lang="zh" dir="ltr">一比一百万地质图</span>'
    assert arabic in shown(accept_language="ar,en;q=0.5"), "what the browser wants most"
    assert chinese in shown(accept_language="zh-CN,zh;q=0.9,en;q=0.8")
    assert chinese in shown(accept_language="en", cookie="syncline-language=zh"), "what the viewer chose"
    assert '<span lang="en" dir="ltr">Landslide inventory</span>' in shown(accept_language="fr")
    assert '<span lang="km" dir="ltr">ផែនទីគ្រោះថ្នាក់រអិលបាក់ដី</span>' in shown(accept_language="fr"), (
        "the owner's"
    )


def test_an_instant_is_utc_in_text_and_title_without_scripts() -> None:
    text = Looking().ask("/datasets/cn-cgs/set-2").text
    stamp = 'datetime="2026-11-20T19:45:10Z" data-form="ago" title="2026-11-20 19:45:10 UTC"'
    assert f"<time {stamp}>2 days ago</time>" in text
    assert 'data-form="instant"' in text
    assert "20 Nov 2026, 19:45 UTC" in text


def test_a_notice_is_said_above_the_page_with_what_to_run() -> None:
    notice = Notice(
        "info", Message(code="act.queued.revoke", params={"partner": EVIL}), "syncline-hub registry sign"
    )
    page = replace(Looking(), notice=notice).ask("/partners/la-dgm")
    assert Whole(page.text).wrong == []
    assert '<code class="command">syncline-hub registry sign</code>' in page.text


def test_shrinkage_is_marked_by_word_bar_and_line() -> None:
    text = Looking().ask("/datasets/cn-cgs/set-2").text
    assert text.count("tag-shrunk") == 1
    assert text.count("bar-shrunk") == 1
    assert text.count("curve-mark") == 1


def test_a_page_says_which_revision_it_shows() -> None:
    assert 'data-revision="7"' in Looking().ask("/").text


def test_a_language_is_chosen_by_a_link_and_leads_back_here_only() -> None:
    page = Looking(viewer=None).ask("/language/zh?next=/map%3Fby%3Dtheme")
    assert page.status == 303
    assert page.headers["location"] == "/map?by=theme"
    assert "syncline-language=zh" in page.headers["set-cookie"]
    for away in ("//evil.test", "https://evil.test", "/\\evil.test"):
        assert Looking(viewer=None).ask(f"/language/zh?next={away}").headers["location"] == "/"
    assert "set-cookie" not in Looking(viewer=None).ask("/language/xx").headers
    chosen = Looking().ask("/", cookie="syncline-language=zh", accept_language="en")
    assert '<html lang="zh-Hans-CN" dir="ltr">' in chosen.text


def test_static_files_are_exactly_those_of_the_folder() -> None:
    style = Looking(viewer=None).ask("/static/style.css")
    assert (style.status, style.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "url(" not in style.text, "nothing is fetched by the style"
    assert "@import" not in style.text
    for name in ("..%2frender.py", "render.py", ""):
        assert Looking(viewer=None).ask(f"/static/{name}").status == 404


def test_a_session_that_ends_is_not_shown_longer() -> None:
    assert Looking(viewer=None).ask("/live").status == 401
    over = Viewer(expires=NOW - timedelta(seconds=1))
    page = Looking(viewer=over).ask("/live")
    assert page.status == 200
    assert page.text.count("event:") <= 1
