"""Somebody at a browser, who notes whatever a page may not do.

visitor = Visitor(site, context, context.new_page())
visitor.sign_in("ຄຳ").goto("/map")
visitor.complaints                       # nothing, or what the console said, or who else was asked
"""

from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import BrowserContext, Page

from tests.browser.serving import PASSWORD, Site

_CLICKS_MAX = 5


@dataclass
class Visitor:
    """A browser of their own. `complaints`: what the console said, failed scripts, requests elsewhere."""

    site: Site
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("request", self._asked)

    def sign_in(self, name: str, password: str = PASSWORD) -> "Visitor":
        """Through the form, as everybody; it has been answered."""
        if "/login" not in self.page.url:
            self.goto("/login")
        self.page.fill("input[name=user]", name)
        self.page.fill("input[name=password]", password)
        with self.page.expect_navigation():
            self.page.click("main form button")
        return self

    def goto(self, path: str) -> Any:
        """Open a page of this site; its answer."""
        return self.page.goto(self.site.url + path, wait_until="load")

    def press(self, name: str) -> str:
        """Press the button of that name; the notice that follows."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name, exact=True).click()
        return self.page.locator("#notice").inner_text()

    def open_and_press(self, fold: str, name: str) -> str:
        """The same with a button that is folded away."""
        self.unfold(fold)
        return self.press(name)

    def unfold(self, fold: str) -> None:
        """Open what is folded; again, as people do, where news moved it away from under the pointer."""
        folded = self.page.locator(fold)
        for _ in range(_CLICKS_MAX):
            if folded.get_attribute("open") is not None:
                return
            folded.locator("summary").click()
        raise AssertionError(f"{fold} does not open")

    def forgive(self) -> None:
        """What has been noted was to be expected: a refusal, a connection that the test has cut."""
        self.complaints.clear()

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.site.url + "/", "data:", "blob:")):
            self.complaints.append(f"asked elsewhere: {request.url}")
