"""The auditor's bundle: evidence for an auditor of the federation, built in a thread, then streamed.

    GET /export                          # about every dataset, for the one auditor that the registry names
    GET /export?for=la-oag&dataset=la-dgm/*

* For an auditor that the administrators have enrolled, nobody else; the files themselves are never in it
  (`syncline-hub export --with-data` is for those).
* One at a time; on the hub's disk while it is sent, then gone; not at all when the disk is nearly full.
"""

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from core.clock import format_instant
from core.errors import InvalidInput, Unavailable
from core.limits import MIB, Limits
from core.progress import NullProgress
from hub.services.hub import Hub
from hub.services.sessions import Session
from hub.web.server import still_there
from hub.web.threads import Threads

_EVERYTHING = ("*",)
_PATTERNS_COUNT_MAX = 50
_PATTERN_LENGTH_MAX = 200
_PIECE_BYTES = MIB
_ALIVE_EVERY_S = 5.0


def route(hub: Hub, threads: Threads, limits: Limits) -> Route:
    """`/export`."""
    exports = _Exports(hub, threads.stopping, limits)
    turn = asyncio.Semaphore()

    async def export(request: Request) -> Response:
        session: Session = request.state.session
        query = request.query_params
        patterns = query.getlist("dataset") or list(_EVERYTHING)
        if len(patterns) > _PATTERNS_COUNT_MAX or any(len(each) > _PATTERN_LENGTH_MAX for each in patterns):
            raise InvalidInput("too much is asked for at once", remedy="ask in several exports")
        if turn.locked():
            raise Unavailable("another export is under way", remedy="try again soon", reason="BUSY")
        await turn.acquire()
        try:
            building = asyncio.ensure_future(
                threads.run_slow(partial(exports.build, patterns, query.get("for"), session.user))
            )
            while not building.done():
                await asyncio.wait({building}, timeout=_ALIVE_EVERY_S)
                still_there(request.scope)
            return _Bundle(building.result(), threads, turn.release)
        except BaseException:
            turn.release()
            raise

    made = Route("/export", export, methods=["GET"])
    made.methods = {"GET"}  # it is told to the log: no HEAD
    return made


class _Exports:
    """Bundles in a folder of their own beside the database."""

    def __init__(self, hub: Hub, stopping: threading.Event, limits: Limits) -> None:
        self._hub = hub
        self._progress = _UntilStopped(stopping)
        self._limits = limits
        self._folder = hub.context.layout.directory / "exports"
        shutil.rmtree(self._folder, ignore_errors=True)  # what a hub that was killed has left

    def build(self, patterns: list[str], audience: str | None, user: str) -> Path:
        """The bundle's file, in a folder that is to be removed with it. Raises as `ExportService`."""
        auditor = self._auditor(audience)
        directory = self._hub.context.layout.directory
        if shutil.disk_usage(directory).free < 2 * self._limits.disk_reserve_bytes:
            raise Unavailable(
                "the hub's disk is nearly full", remedy="free some space on it", reason="DISK_FULL"
            )
        plan = self._hub.export.plan(patterns, auditor, with_data=False, since=None)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        stamp = format_instant(self._hub.context.clock.now()).replace(":", "").replace("-", "")
        file = folder / f"syncline-{self._hub.federation.id}-{auditor}-{stamp}.zip"
        try:
            self._hub.export.export(plan, file, self._progress, by=user)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return file

    def _auditor(self, wanted: str | None) -> str:
        auditors = self._hub.auditors
        known = [each.auditor.id for each in auditors.all() if auditors.active(each.auditor.id) is not None]
        if not known:
            raise InvalidInput(
                "the federation has no auditor: there is nobody to make evidence for",
                remedy="enrol one: syncline-hub auditor add",
                reason="NO_AUDITOR",
            )
        if wanted is None and len(known) > 1:
            raise InvalidInput(
                "the federation has several auditors", remedy=f"ask for one: /export?for={known[0]}"
            )
        if wanted is not None and wanted not in known:
            raise InvalidInput(
                "this is no auditor of the federation", remedy=f"known are: {', '.join(known)}"
            )
        return wanted if wanted is not None else known[0]


class _Bundle(Response):
    """The file, piece by piece; gone when it was sent, or was not."""

    def __init__(self, file: Path, threads: Threads, over: Callable[[], None]) -> None:
        super().__init__(
            media_type="application/zip",
            headers={
                "Content-Disposition": f'attachment; filename="{quote(file.name)}"',
                "Content-Length": str(file.stat().st_size),
            },
        )
        self._file = file
        self._threads = threads
        self._over = over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            with self._file.open("rb") as source:
                while piece := await self._threads.run(partial(source.read, _PIECE_BYTES)):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            shutil.rmtree(self._file.parent, ignore_errors=True)
            self._over()


class _UntilStopped(NullProgress):
    """Ends a build that nobody will fetch any more: the hub stops."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping

    def advance(self, bytes_count: int) -> None:
        del bytes_count
        if self._stopping.is_set():
            raise Unavailable("the hub stops", remedy="try again when it is back", reason="STOPPING")
