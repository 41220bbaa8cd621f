"""The pages in a real browser: a seeded fleet, a hub that is a process of its own, headless Chromium.

Everything here runs in one worker: one hub is seeded and served for all tests, but for those that need a
setting of their own. A page that says something on the console, asks another host for anything, or fails in a
script, fails its test.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from core.clock import SystemClock
from deploy.demo.fleet import SeededFleet, seed
from deploy.demo.fleet.alive import Reporter, keep_alive
from hub.services.hub import Hub
from tests.end_to_end.world import Process, wait_until

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
#: No sandbox where the tests run as root, and nothing of the browser's own that would call out.
_OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip

PASSWORD = "basalt and granite 7"
USERS = {
    "ຄຳ": ("operator",),
    "李梅": ("approver",),
    "both": ("operator", "approver"),
    "auditor": ("auditor",),
}
#: Nobody reports by itself: what moves in a test, the test has moved.
_NEVER_S = 86_400.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.processes)
            item.add_marker(pytest.mark.timeout(300))
            item.add_marker(pytest.mark.xdist_group("browser"))
            if CHROMIUM is None:
                item.add_marker(
                    pytest.mark.skip("NO BROWSER: install Debian's package chromium to test the pages")
                )


@dataclass
class Site:
    """A served hub. `reporter.turn()` lets every lively node report once."""

    fleet: SeededFleet
    reporter: Reporter
    url: str
    directory: Path


@contextmanager
def serving(directory: Path, fleet: SeededFleet, port: int) -> Iterator[Site]:
    """The hub of `directory` as a process, its pages on `port`."""
    log = directory.parent / "hub.log"
    process = Process(log, "syncline-hub", "--config", str(directory / "hub.toml"), "run")
    try:

        def answers() -> bool:
            assert process.is_running, f"the hub ended: {process.log()}"
            return "the hub serves" in process.log()

        wait_until(answers, "the hub")
        with keep_alive(fleet, every_s=_NEVER_S) as reporter:
            yield Site(fleet, reporter, f"http://127.0.0.1:{port}", directory)
        process.stop()
    finally:
        if process.is_running:
            process.kill()
        lines = process.log().splitlines()
        sys.stderr.write("\n".join(line[:400] for line in lines[-20:]))
        bugs = [line for line in lines if '"event": "bug' in line]
        assert not bugs, bugs[0]


@contextmanager
def seeded(partners: int, datasets: int, **changes: str) -> Iterator[tuple[Path, SeededFleet, int]]:
    """A hub directory with a fleet and the `USERS`; `changes` replaces lines of its hub.toml."""
    port = free_port()
    root = Path(tempfile.mkdtemp(prefix="syncline-"))
    try:
        directory = root / "hub"
        fleet = seed(directory, partners=partners, datasets=datasets, web_listen=f"127.0.0.1:{port}")
        text = fleet.settings.read_text("utf-8")
        for before, after in changes.items():
            assert before in text
            text = text.replace(before, after)
        fleet.settings.write_text(text, "utf-8")
        with Hub.open(fleet.layout, clock=SystemClock()) as hub:
            for name, roles in USERS.items():
                hub.users.add(name, PASSWORD, roles)
        yield directory, fleet, port
    finally:
        shutil.rmtree(root, ignore_errors=True)


def free_port() -> int:
    """A port that stays free until the hub listens: below those that the kernel gives to connections."""
    from tests.end_to_end.world import _free_ports

    return _free_ports(1)[0]


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """11 partners and 200 datasets."""
    with seeded(11, 200) as (directory, fleet, port), serving(directory, fleet, port) as made:
        yield made


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as made:
        yield made


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    made = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_OPTIONS))
    yield made
    made.close()


@dataclass
class Visitor:
    """Somebody at a browser of their own. `complaints`: what the console said, and requests elsewhere."""

    site: Site
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list[str])

    def sign_in(self, name: str, password: str = PASSWORD) -> "Visitor":
        self.goto("/login")
        self.page.fill("input[name=user]", name)
        self.page.fill("input[name=password]", password)
        self.page.click("main form button")
        self.page.wait_for_load_state()
        return self

    def goto(self, path: str) -> Any:
        """Open a page of this site; its answer."""
        return self.page.goto(self.site.url + path, wait_until="load")


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visit]:
    """`visit("ຄຳ")`: signed in as that user; `visit(None)`: a stranger. Options are the browser context's."""
    visitors: list[Visitor] = []

    def make(name: str | None = "ຄຳ", *, at: Site | None = None, **options: Any) -> Visitor:
        options.setdefault("locale", "en-GB")
        options.setdefault("timezone_id", "Asia/Vientiane")
        context = browser.new_context(**options)
        context.set_default_timeout(20_000)
        visitor = Visitor(at or site, context, context.new_page())
        watch(visitor)
        visitors.append(visitor)
        return visitor if name is None else visitor.sign_in(name)

    yield make
    for visitor in visitors:
        visitor.context.close()
    for visitor in visitors:
        assert not visitor.complaints, "\n".join(visitor.complaints)


def watch(visitor: Visitor) -> None:
    """Collect what a page may not do."""
    page, complaints = visitor.page, visitor.complaints
    page.on(
        "console",
        lambda said: (
            complaints.append(f"console: {said.type}: {said.text}")
            if said.type in ("error", "warning")
            else None
        ),
    )
    page.on("pageerror", lambda error: complaints.append(f"script: {error}"))

    def asked(request: Any) -> None:
        if not request.url.startswith((visitor.site.url, "data:", "blob:")):
            complaints.append(f"asked elsewhere: {request.url}")

    page.on("request", asked)


@pytest.fixture(scope="session", autouse=True)
def no_proxy() -> None:
    """A proxy of the machine's is not for 127.0.0.1."""
    os.environ["NO_PROXY"] = "127.0.0.1"
