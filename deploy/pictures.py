"""The pictures of the pages that the documents show: `python -m deploy.pictures [DIR]`, or `make pictures`.

A fleet is seeded and served as a real hub, and looked at with the machine's own Chromium.
"""

import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from core.clock import SystemClock
from deploy.demo.fleet import seed
from hub.services.hub import Hub

_USER, _PASSWORD = "operator", "basalt and granite 7"
_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
_PORT = 7446
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Picture:
    """One page as somebody sees it. `height` cuts a long page."""

    name: str
    path: str
    width: int = 1280
    height: int = 900
    scheme: str = "light"
    language: str = "en-GB"
    is_telephone: bool = False


PICTURES = (
    Picture("fleet", "/", height=1240),
    Picture("fleet-dark", "/", height=1240, scheme="dark"),
    Picture("fleet-zh", "/", height=1240, language="zh-CN"),
    Picture("fleet-telephone", "/", width=390, height=844, is_telephone=True),
    Picture("partner", "/partners/la-dgm"),
    Picture("datasets", "/datasets"),
    Picture("dataset", "/datasets/la-dgm/geology-1m", height=1400),
    Picture("map", "/map?view=90,-12,126,38"),
    Picture("log", "/log"),
    Picture("events", "/events"),
    Picture("storage", "/storage"),
)

#: What the documents show.
SHOWN = ("fleet", "fleet-zh", "fleet-telephone", "dataset", "map")


def main() -> None:
    """Make the pictures that are shown, or those named after the folder."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures")
    wanted = sys.argv[2:] or SHOWN
    folder.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="syncline-pictures-"))
    try:
        fleet = seed(root / "hub", web_listen=f"127.0.0.1:{_PORT}")
        with Hub.open(fleet.layout, clock=SystemClock()) as hub:
            hub.users.add(_USER, _PASSWORD, ("operator",))
        command = [Path(sys.executable).with_name("syncline-hub"), "--config", fleet.settings, "run"]
        with (
            (root / "hub.log").open("wb") as log,
            subprocess.Popen(command, stdout=log, stderr=log) as served,
        ):
            try:
                _wait()
                with sync_playwright() as playwright:
                    browser = playwright.chromium.launch(
                        executable_path=shutil.which("chromium"), args=_OPTIONS
                    )
                    cookies = _sign_in(browser)
                    for picture in PICTURES:
                        if picture.name in wanted:
                            _take(browser, picture, folder, cookies)
            finally:
                served.terminate()
    finally:
        shutil.rmtree(root)


def _wait() -> None:
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{_PORT}/login", timeout=5)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return


def _sign_in(browser: Browser) -> Any:
    """Once for all pictures; the cookies."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{_PORT}/login")
    page.fill("input[name=user]", _USER)
    page.fill("input[name=password]", _PASSWORD)
    with page.expect_navigation():
        page.click("main form button")
    cookies = context.cookies()
    context.close()
    return cookies


def _take(browser: Browser, picture: Picture, folder: Path, cookies: Any) -> None:
    context = browser.new_context(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme="dark" if picture.scheme == "dark" else "light",
        locale=picture.language,
        timezone_id="Asia/Vientiane",
        is_mobile=picture.is_telephone,
        has_touch=picture.is_telephone,
        device_scale_factor=2 if picture.is_telephone else 1,
    )
    context.add_cookies(cookies)
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{_PORT}{picture.path}", wait_until="load")
    page.locator("#live:visible").wait_for()
    page.screenshot(path=folder / f"{picture.name}.png")
    context.close()
    sys.stdout.write(f"{folder / picture.name}.png\n")


if __name__ == "__main__":
    main()
