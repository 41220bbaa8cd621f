"""Style, scripts and pictures: few, small, read once, and served under an address that changes with them.

address_of("style.css")              # "/static/style.css?v=3f2a…": may be kept for ever
static_files()                       # serves them; without a session, as the login page needs them too
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from security.digests import sha256_hex

_FOLDER = Path(__file__).with_name("static")
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOR_EVER = "public, max-age=31536000, immutable"
_SHORTLY = "public, max-age=60"


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    version: str
    media_type: str


def address_of(name: str) -> str:
    """Where the file `name` is served, as it is now."""
    return f"/static/{name}?v={_files()[name].version}"


def static_files() -> Mount:
    """`/static/<name>`: exactly the files of the folder."""
    return Mount("/static", routes=[Route("/{name}", _answer)])


async def _answer(request: Request) -> Response:
    found = _files().get(request.path_params["name"])
    if found is None:
        raise HTTPException(404)
    current = request.query_params.get("v") == found.version
    headers = {
        "Cache-Control": _FOR_EVER if current else _SHORTLY,
        "ETag": f'"{found.version}"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(found.content, media_type=found.media_type, headers=headers)


@cache
def _files() -> dict[str, _File]:
    found: dict[str, _File] = {}
    for file in sorted(_FOLDER.iterdir()):
        if file.suffix in _TYPES:
            content = file.read_bytes()
            found[file.name] = _File(content, sha256_hex(content)[:16], _TYPES[file.suffix])
    return found
