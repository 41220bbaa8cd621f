"""The pages in a real browser: a seeded fleet, a hub that is a process of its own, headless Chromium.

Everything here runs in one worker: one hub is seeded and served for all tests, and a small one with settings
of its own. A page that says something on the console, asks another host for anything, or fails in a script,
fails its test.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.browser.serving import Site, served
from tests.browser.visitor import Visitor

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
#: No sandbox where the tests run as root, and nothing of the browser's own that would call out.
_OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
#: A square that is nobody's border.
_BASEMAP = """{"type": "Polygon", "coordinates": [[[100, 10], [110, 10], [110, 20], [100, 20], [100, 10]]]}"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.processes)
            item.add_marker(pytest.mark.timeout(300))
            if CHROMIUM is None:
                item.add_marker(
                    pytest.mark.skip("NO BROWSER: install Debian's package chromium to test the pages")
                )


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """11 partners and 200 datasets."""
    with served(11, 200) as made:
        yield made


@pytest.fixture(scope="session")
def small_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Four partners; what is serious needs two people, and the map has a ground of the operator's own."""
    file = tmp_path_factory.mktemp("map") / "ground.geojson"
    file.write_text(_BASEMAP)
    basemap = f'[web.basemap]\nfile = "{file}"\napproval = "GS(2026)4711"\n\n[metrics]'
    changes = {"two_person = false": "two_person = true", "[metrics]": basemap}
    with served(4, 12, changes) as made:
        yield made


# Not of the session: while it runs, no other test of its worker may run an event loop.
@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as made:
        yield made


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    made = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_OPTIONS))
    yield made
    made.close()


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """`visit("ຄຳ")`: somebody who has signed in; `visit(None)`: a stranger. `at`: another site than `site`;
    all else is for the browser's context."""
    visitors: list[Visitor] = []

    def make(name: str | None = "ຄຳ", *, at: Site | None = None, **options: Any) -> Visitor:
        options.setdefault("locale", "en-GB")
        options.setdefault("timezone_id", "Asia/Vientiane")
        site = at or request.getfixturevalue("site")
        context = browser.new_context(**options)
        context.set_default_timeout(30_000)
        visitor = Visitor(site, context, context.new_page())
        visitors.append(visitor)
        if name is None:
            return visitor
        if name in site.cookies:
            context.add_cookies(site.cookies[name])
            return visitor
        visitor.sign_in(name)
        site.cookies[name] = [each for each in context.cookies() if each.get("httpOnly")]
        return visitor

    yield make
    for visitor in visitors:
        visitor.context.close()
    for visitor in visitors:
        assert not visitor.complaints, "\n".join(visitor.complaints)


@pytest.fixture(scope="session", autouse=True)
def no_proxy() -> None:
    """A proxy of the machine's is not for 127.0.0.1."""
    os.environ["NO_PROXY"] = "127.0.0.1"
