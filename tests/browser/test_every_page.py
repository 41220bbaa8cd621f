"""Every page, with 11 partners and 200 datasets in several scripts: whole, quiet, and open to everybody."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import Visit, Visitor

PAGES = (
    "/",
    "/partners/la-dgm",
    "/partners/my-jmg",
    "/datasets",
    "/datasets?text=seismic",
    "/transfers",
    "/events",
    "/log",
    "/storage",
    "/map",
    "/map?by=freshness",
    "/acts",
)
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "telephone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}


def pages(visitor: Visitor) -> list[str]:
    """All pages, with some datasets of the list."""
    visitor.goto("/datasets")
    links = visitor.page.locator("main a[href^='/datasets/']").evaluate_all(
        "all => all.map(a => a.getAttribute('href'))"
    )
    assert len(set(links)) >= 20
    return [*PAGES, *sorted(set(links))[:3]]


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_accessible_and_says_nothing_on_the_console(visit: Visit, look: str) -> None:
    """No finding of axe above moderate; `visit` fails on a console error and a request elsewhere."""
    visitor = visit("ຄຳ", **LOOKS[look])
    found: list[str] = []
    for path in pages(visitor):
        answer = visitor.goto(path)
        assert answer.status == 200, path
        assert visitor.page.locator("h1").count() == 1, path
        for each in Axe().run(visitor.page).response["violations"]:
            if each["impact"] in ("serious", "critical"):
                where = [node["target"] for node in each["nodes"][:3]]
                found.append(f"{path}: {each['id']} ({each['impact']}): {where}")
    assert not found, "\n".join(found)


def test_on_a_telephone_no_page_is_wider_than_the_screen(visit: Visit) -> None:
    visitor = visit("ຄຳ", **LOOKS["telephone"])
    wide: list[str] = []
    for path in pages(visitor):
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
