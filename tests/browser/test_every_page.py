"""Every page, with 11 partners and 200 datasets in several scripts: whole, quiet, and open to everybody."""

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.serving import Site
from tests.browser.visitor import Visitor

MAIN = ("/", "/partners/la-dgm", "/datasets?text=seismic", "/datasets/la-dgm/geology-1m", "/map")
PAGES = (
    *MAIN,
    "/partners/my-jmg",
    "/datasets",
    "/transfers",
    "/events",
    "/log",
    "/storage",
    "/map?by=freshness",
    "/acts",
)
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "telephone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}


def serious_findings(visitor: Visitor, path: str) -> list[str]:
    """What axe finds that shuts somebody out."""
    answer = Axe().run(visitor.page, options={"resultTypes": ["violations"]}).response
    return [
        f"{path}: {each['id']} ({each['impact']}): {[node['target'] for node in each['nodes'][:3]]}"
        for each in answer["violations"]
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(
    ("look", "pages"), [("light", PAGES), ("dark", MAIN), ("telephone", MAIN)], ids=["light", "dark", "phone"]
)
def test_every_page_is_accessible_and_says_nothing_on_the_console(
    visit: Visit, look: str, pages: tuple[str, ...]
) -> None:
    """No finding of axe above moderate; `visit` fails on a console error and a request elsewhere."""
    visitor = visit("ຄຳ", **LOOKS[look])
    found: list[str] = []
    for path in pages:
        assert visitor.goto(path).status == 200, path
        assert visitor.page.locator("h1").count() == 1, path
        found += serious_findings(visitor, path)
    visitor.context.clear_cookies()
    visitor.goto("/login")
    found += serious_findings(visitor, "/login")
    assert not found, "\n".join(found)


def test_on_a_telephone_no_page_is_wider_than_the_screen(visit: Visit) -> None:
    visitor = visit("ຄຳ", **LOOKS["telephone"])
    wide: list[str] = []
    for path in PAGES:
        visitor.goto(path)
        width = visitor.page.evaluate("document.documentElement.scrollWidth")
        if width > 390:
            wide.append(f"{path}: {width}")
    assert not wide, wide


def test_without_scripts_every_page_says_the_same(visit: Visit) -> None:
    plain, lively = visit("ຄຳ", java_script_enabled=False), visit("ຄຳ")
    for path in ("/", "/datasets", "/log", "/storage", "/map"):
        plain.goto(path)
        lively.goto(path)
        headings = [v.page.locator("main h2, main h3").all_inner_texts() for v in (plain, lively)]
        assert headings[0] == headings[1], path
        rows = [v.page.locator("main tbody tr, main li").count() for v in (plain, lively)]
        assert rows[0] == rows[1] > 0, path


def test_on_paper_there_is_the_content_and_nothing_to_press(visit: Visit) -> None:
    visitor = visit("ຄຳ", color_scheme="dark")
    visitor.page.emulate_media(media="print")
    for path in ("/", "/partners/la-dgm", "/datasets/la-dgm/geology-1m", "/log"):
        visitor.goto(path)
        expect(visitor.page.locator("h1")).to_have_count(1)
        expect(visitor.page.locator("main table, main dl").first).to_be_visible()
        for pressed in visitor.page.locator("nav, button, .skip, .live").all():
            assert not pressed.is_visible(), f"{path}: {pressed.evaluate('e => e.outerHTML')[:200]}"
    ground = visitor.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert ground == "rgb(255, 255, 255)"


def test_the_keyboard_reaches_the_content_at_once_and_everything_shows_its_focus(visit: Visit) -> None:
    visitor = visit("ຄຳ")
    visitor.goto("/")
    visitor.page.keyboard.press("Tab")
    skip = visitor.page.evaluate("document.activeElement.getAttribute('href')")
    assert skip and skip.startswith("#"), "the first stop leads past the navigation"
    visitor.page.keyboard.press("Enter")
    assert visitor.page.evaluate("location.hash") == skip
    unseen: list[str] = []
    for _ in range(40):
        visitor.page.keyboard.press("Tab")
        style = visitor.page.evaluate(
            "(() => { const e = document.activeElement, s = getComputedStyle(e);"
            " return [e.tagName, s.outlineStyle, s.outlineWidth, s.boxShadow]; })()"
        )
        if style[0] != "BODY" and style[1] == "none" and style[3] == "none":
            unseen.append(str(style))
    assert not unseen


def test_events_are_searched(visit: Visit) -> None:
    visitor = visit("auditor")
    visitor.goto("/events")
    rows = visitor.page.locator("table.events tbody tr")
    expect(rows).not_to_have_count(0)
    visitor.page.select_option("#partner", "la-dgm")
    visitor.page.get_by_role("button", name="Search").click()
    expect(visitor.page).to_have_url(re.compile("partner=la-dgm"))
    whom = rows.locator(".whom").all_inner_texts()
    assert whom
    assert all("la-dgm" in each for each in whom)
    visitor.page.fill("#text", "ບໍ່ມີ nothing is called so")
    visitor.page.get_by_role("button", name="Search").click()
    expect(visitor.page.get_by_text("Nothing happened that matches.")).to_be_visible()


def test_the_map_is_drawn_on_the_operators_ground_and_says_its_approval(
    visit: Visit, small_site: Site
) -> None:
    visitor = visit("auditor", at=small_site)
    visitor.goto("/map")
    expect(visitor.page.locator("svg path.land")).to_have_count(1)
    expect(visitor.page.get_by_text("GS(2026)4711")).to_be_visible()
    expect(visitor.page.locator("svg .print").first).to_be_attached()
    assert not serious_findings(visitor, "/map")


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_on_the_narrowest_telephone_no_page_is_cut_off_and_what_happened_is_read_at_once(
    visit: Visit, language: str
) -> None:
    """360 px: no page is wider, and what a line is about is not beyond the edge of a table."""
    narrow = {**LOOKS["telephone"], "viewport": {"width": 360, "height": 740}, "locale": language}
    visitor = visit("auditor", **narrow)
    wide: list[str] = []
    for path in PAGES:
        visitor.goto(path)
        if visitor.page.evaluate("document.documentElement.scrollWidth") > 360:
            wide.append(path)
    assert not wide, wide
    for path, cells in (("/events", ".events .long"), ("/datasets/la-dgm/geology-1m", ".holders .long")):
        visitor.goto(path)
        box = visitor.page.locator(cells).first.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= 360, path
    visitor.goto("/storage")
    here = visitor.page.locator(".main-nav [aria-current]").bounding_box()
    assert here and here["x"] >= 0 and here["x"] + here["width"] <= 360, "the page's own name is in sight"
