"""The whole application of the pages over a real hub, and browsers that ask it, in this process.

browser = site.signed_in("vilay")
browser.get("/"), browser.act("suspend", partner="la-dgm")
"""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from core.limits import Limits
from hub.config import HubSettings, HubTable
from hub.config_operator import WebTable
from hub.overview.service import Overview
from hub.services.passwords import Cost, Passwords
from hub.web.app import pages_app
from hub.web.guard import Guard
from hub.web.threads import Threads
from tests.simulation.federation import TestFederation, make_federation

PASSWORD = "correct horse battery staple"
HOST = "127.0.0.1:7446"
ORIGIN = f"http://{HOST}"
FORM = "application/x-www-form-urlencoded"
CHEAP = Cost(time=1, memory_kib=8, lanes=1)


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


@dataclass
class Site:
    federation: TestFederation
    app: Guard
    keys: list[Any]
    runner: asyncio.Runner
    origin: str = ORIGIN

    @property
    def hub(self) -> Any:
        return self.federation.hub

    def add(self, name: str, *roles: str) -> None:
        self.hub.users.add(name, PASSWORD, roles)

    def browser(self) -> "Browser":
        return Browser(self)

    def signed_in(self, name: str) -> "Browser":
        browser = self.browser()
        answer = browser.sign_in(name)
        assert answer.status == 303, answer.text
        return browser

    def ask(
        self,
        method: str,
        path: str,
        headers: list[tuple[str, str]],
        body: bytes = b"",
        pieces: list[bytes] | None = None,
        peer: str = "127.0.0.1",
    ) -> Answer:
        """One request, as a server would hand it over."""
        return self.runner.run(self.asked(method, path, headers, body, pieces, peer))

    async def asked(
        self,
        method: str,
        path: str,
        headers: list[tuple[str, str]],
        body: bytes,
        pieces: list[bytes] | None,
        peer: str = "127.0.0.1",
    ) -> Answer:
        """As `ask`, in the event loop."""
        from urllib.parse import unquote

        raw, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(raw),
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
            "server": ("127.0.0.1", 7446),
            "client": (peer, 50000),
            "state": {},
        }
        left = list(pieces) if pieces is not None else [body]
        got: list[Any] = []
        waiting = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if left:
                piece = left.pop(0)
                return {"type": "http.request", "body": piece, "more_body": bool(left)}
            if pieces != []:  # none at all: the client goes away at once
                await waiting.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            got.append(message)

        await self.app(scope, receive, send)
        if not got:
            return Answer(0, [], b"")
        start = got[0]
        found = [(name.decode().lower(), value.decode("latin-1")) for name, value in start["headers"]]
        return Answer(start["status"], found, b"".join(each.get("body", b"") for each in got[1:]))


@dataclass
class Browser:
    """Keeps cookies, sends what browsers send."""

    site: Site
    cookies: dict[str, str] = field(default_factory=dict[str, str])
    host: str = HOST
    peer: str = "127.0.0.1"

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask("GET", path, headers)

    def head(self, path: str) -> Answer:
        return self._ask("HEAD", path, {})

    def post(
        self,
        path: str,
        fields: dict[str, str] | None = None,
        *,
        body: bytes | None = None,
        pieces: list[bytes] | None = None,
        origin: str | None = "",
        site: str | None = "same-origin",
        content_type: str = FORM,
        length: int | None = None,
    ) -> Answer:
        """`origin` empty: the pages' own."""
        sent = urlencode(fields or {}).encode() if body is None else body
        headers = {"content-type": content_type}
        if pieces is None:
            headers["content-length"] = str(len(sent) if length is None else length)
        if origin is not None:
            headers["origin"] = origin or self.site.origin
        if site is not None:
            headers["sec-fetch-site"] = site
        return self._ask("POST", path, headers, sent, pieces)

    def sign_in(self, name: str, password: str = PASSWORD, wanted: str = "/") -> Answer:
        page = self.get("/login")
        if page.status == 303:
            return page
        fields = {"csrf": csrf_of(page), "user": name, "password": password, "next": wanted}
        return self.post("/login", fields)

    def act(self, act: str, **fields: str) -> Answer:
        return self.post(f"/acts/{act}", {"csrf": self.csrf(), **fields})

    def csrf(self) -> str:
        return csrf_of(self.get("/acts"))

    def notice(self, path: str = "/acts") -> str:
        found = re.search(r'id="notice">(.*?)</div>', self.get(path).text, re.DOTALL)
        return "" if found is None else " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())

    def _ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes = b"",
        pieces: list[bytes] | None = None,
    ) -> Answer:
        sent = [("host", self.host), *((name.replace("_", "-"), value) for name, value in headers.items())]
        if self.cookies:
            sent.append(("cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items())))
        answer = self.site.ask(method, path, sent, body, pieces, self.peer)
        for line in answer.all("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if "max-age=0" in line.lower():
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer


def csrf_of(page: Answer) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]


@contextmanager
def pages(
    directory: Path, *, web: WebTable | None = None, limits: Limits | None = None, keys_at_hand: bool = True
) -> Iterator[Site]:
    """A federation of three and its pages."""
    keys: list[Any] = []
    used = limits or Limits(disk_reserve_bytes=1)
    federation = make_federation(directory, limits=used, administrator_keys=lambda: keys)
    if keys_at_hand:
        keys.append(federation.administrator)
    federation.hub.users.passwords = Passwords(CHEAP)
    settings = HubSettings(
        hub=HubTable(
            name="Test",
            federation=federation.hub.federation.id,
            directory=str(directory / "hub"),
            address="hub.test:7443",
            enrol_address="hub.test:7444",
        ),
        web=web or WebTable(listen=HOST),
    )
    with Threads() as threads, asyncio.Runner() as runner:
        app = pages_app(federation.hub, settings, Overview(federation.hub, settings), threads, used)
        assert isinstance(app, Guard)
        yield Site(federation, app, keys, runner)
    federation.close()


def acts_logged(site: Site) -> list[dict[str, Any]]:
    """The details of all acts in the log, with their objects."""
    import json

    found = []
    for leaf in site.hub.translog.leaves():
        if leaf.type == "act":
            record = json.loads(leaf.record)
            found.append({"object": record["object"], **record["detail"]})
    return found
