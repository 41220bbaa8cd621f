"""The pages of a made-up fleet, asked for in this process, signed in as whoever the test says."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from hub.config_operator import BasemapTable
from hub.web.pages import routes
from hub.web.render import Frame, Notice
from hub.web.threads import Threads
from tests.unit.hub_web.made_up import NOW, MadeUp


class Stopped:
    """A clock that stands."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError


@dataclass(frozen=True)
class Viewer:
    """A session."""

    user: str = "vilay"
    roles: frozenset[str] = frozenset({"operator", "approver", "auditor"})
    csrf: str = "csrf-token"
    expires: datetime = NOW + timedelta(hours=2)

    @property
    def can_act(self) -> bool:
        return "operator" in self.roles

    @property
    def can_approve(self) -> bool:
        return "approver" in self.roles


@dataclass
class Page:
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Looking:
    """Asks for pages."""

    source: MadeUp = field(default_factory=MadeUp)
    viewer: Viewer | None = field(default_factory=Viewer)
    two_person: bool = True
    basemap: BasemapTable | None = None
    waiting: tuple[object, ...] = ()
    notice: Notice | None = None

    def app(self, threads: Threads) -> "Starlette":
        app = Starlette(
            routes=routes(self.source, threads, basemap=self.basemap, waiting=lambda: self.waiting)
        )
        app.state.frame = Frame("Mekong Geoscience", "mekong-geoscience-1a2b", self.two_person)
        app.state.clock = Stopped()
        return app

    def ask(self, address: str, **headers: str) -> Page:
        """The answer to a GET."""
        with Threads(1) as threads:
            return asyncio.run(self._ask(self.app(threads), address, headers))

    async def _ask(self, app: Starlette, address: str, headers: dict[str, str]) -> Page:
        path, _, query = address.partition("?")
        sent: list[Message] = []
        given = {"host": "hub.test", **{name.replace("_", "-"): value for name, value in headers.items()}}
        scope: Scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "scheme": "http",
            "server": ("hub.test", 80),
            "state": {"session": self.viewer, "notice": self.notice},
        }

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        guarded: tuple[Scope, Receive, Send] = (scope, receive, send)
        await app(*guarded)
        start = sent[0]
        body = b"".join(each.get("body", b"") for each in sent[1:])
        named = {name.decode(): value.decode() for name, value in start["headers"]}
        return Page(start["status"], named, body.decode())
