"""The log's read path: checkpoint, tiles and entries, as C2SP tlog-tiles names them.

* `/checkpoint`, `/tile/<level>/<number>[.p/<width>]`, `/tile/entries/<number>[.p/<width>]`; GET and HEAD, one
  spelling each, nothing else is there. Whoever can connect may read.
* A tile never changes and may be cached for ever; a checkpoint and an absence may not.
* Cosignatures are not served: their names are those of partners and nodes. Witnesses get them over gRPC.
* The database is asked in `threads`, which are not those that serve nodes.

    app = read_path(hub.log, threads)                    # an ASGI application

Specification: https://c2sp.org/tlog-tiles. Operation: docs/operations/hub.md.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import SynclineError
from core.limits import LIMITS, Limits
from core.logs import get_logger
from security.digests import sha256_hex
from security.tlog.note import Note, parse_note
from security.tlog.tiles import parse_path

_NOTE = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"
_FOR_EVER = "public, max-age=31536000, immutable"
_NOT_AT_ALL = "no-store"
_RETRY_AFTER_S = "2"

#: A browser that is led here shows bytes, and does nothing with them.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_log = get_logger("hub.web")


class PublicLog(Protocol):
    """What anybody may read of a log. None: not there (yet)."""

    def checkpoint_note(self) -> bytes | None:
        """The newest checkpoint."""
        ...

    def tile(self, level: int, number: int, width: int) -> bytes | None:
        """Hashes of a level of the tree, under the newest checkpoint."""
        ...

    def entry_bundle(self, number: int, width: int) -> bytes | None:
        """The leaves below a tile of level 0."""
        ...


def read_path(log: PublicLog, threads: Executor, limits: Limits = LIMITS) -> Starlette:
    """The application that serves `log`."""

    async def checkpoint(request: Request) -> Response:
        def read() -> bytes | None:
            note = log.checkpoint_note()
            return note and _without_witnesses(note, limits)

        return await _answer(request, threads, read, _NOTE, _NOT_AT_ALL)

    async def tile(request: Request) -> Response:
        # As it was sent: a path that is spelled otherwise (`%30`) is another file to a cache.
        raw: bytes = request.scope.get("raw_path", b"")
        place = parse_path(raw.decode("latin-1").removeprefix("/"))
        if place is None:
            raise HTTPException(404)
        level, number, width = place.level, place.number, place.width

        def read() -> bytes | None:
            return log.entry_bundle(number, width) if level is None else log.tile(level, number, width)

        return await _answer(request, threads, read, _BYTES, _FOR_EVER)

    app = Starlette(
        routes=[Route("/checkpoint", checkpoint), Route("/tile/{path:path}", tile)],
        exception_handlers={HTTPException: _refused},
    )
    app.router.redirect_slashes = False
    return app


async def _answer(
    request: Request, threads: Executor, read: Callable[[], bytes | None], media_type: str, caching: str
) -> Response:
    try:
        found = await asyncio.get_running_loop().run_in_executor(threads, read)
    except SynclineError as error:
        _log.error("the log cannot be read over HTTP", problem=error.message, remedy=error.remedy)
        raise HTTPException(503) from error
    except Exception as error:
        incident = secrets.token_hex(4)
        _log.error("bug while the log was read over HTTP", incident=incident, exc_info=error)
        raise HTTPException(500, f"the hub failed; tell its operator: incident {incident}") from error
    if not found:
        raise HTTPException(404)
    etag = f'"{sha256_hex(found)[:32]}"'
    headers = {**_HEADERS, "Cache-Control": caching, "ETag": etag}
    if _is_known(etag, request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(found, media_type=media_type, headers=headers)


def _without_witnesses(note: bytes, limits: Limits) -> bytes:
    parsed = parse_note(note, limits)
    origin = parsed.text.partition(b"\n")[0].decode()
    return Note(parsed.text, tuple(each for each in parsed.signatures if each.name == origin)).to_bytes()


def _is_known(etag: str, if_none_match: str) -> bool:
    known = (each.strip().removeprefix("W/") for each in if_none_match.split(","))
    return any(each in (etag, "*") for each in known)


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers: Mapping[str, str] = {**_HEADERS, **(error.headers or {}), "Cache-Control": _NOT_AT_ALL}
    if error.status_code == 503:
        headers = {**headers, "Retry-After": _RETRY_AFTER_S}
    return Response(f"{error.detail}\n", error.status_code, headers, _NOTE)
