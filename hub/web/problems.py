"""What went wrong, as an answer: a page for people, a problem document (RFC 9457) for programs.

problem(request, error)                # 400, 403, 404, 409, 503 … by what the error is
"""

import json
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from core.errors import Conflict, Corrupt, Denied, InvalidInput, SynclineError, Unavailable, Untrusted
from core.logs import get_logger
from hub.web.render import render

_log = get_logger("hub.web")

_PROBLEM = "application/problem+json"
_RETRY_AFTER_S = "5"

_BY_REASON = {
    "NO_SUCH_PAGE": 404,
    "NO_SUCH_PARTNER": 404,
    "NO_SUCH_DATASET": 404,
    "NO_SUCH_REQUEST": 404,
    "METHOD": 405,
    "TOO_LARGE": 413,
    "WRONG_TYPE": 415,
    "WRONG_HOST": 421,
}
_BY_CLASS: tuple[tuple[type[SynclineError], int], ...] = (
    (InvalidInput, 400),
    (Untrusted, 422),
    (Denied, 403),
    (Conflict, 409),
    (Unavailable, 503),
    (Corrupt, 500),
)

_TEXT = "text/plain; charset=utf-8"
_KINDS = {403: "denied", 404: "absent", 503: "later"}


def status_of(error: SynclineError) -> int:
    """The status that says it best."""
    if error.reason in _BY_REASON:
        return _BY_REASON[error.reason]
    return next((status for kind, status in _BY_CLASS if isinstance(error, kind)), 500)


def problem(request: Request, error: SynclineError, status: int | None = None) -> Response:
    """The answer that says it."""
    status = status or status_of(error)
    headers = {"Retry-After": _RETRY_AFTER_S} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    path = request.url.path
    if path.startswith("/api/") or path == "/live":
        return Response(document(error, status), status, headers, _PROBLEM)
    kind = _KINDS.get(status, "bug" if status == HTTPStatus.INTERNAL_SERVER_ERROR else "wrong")
    try:
        return render(
            request,
            "error.html",
            status,
            headers=headers,
            kind=kind,
            reason=error.reason,
            message=error.message,
            remedy=error.remedy,
        )
    except Exception as bug:  # noqa: BLE001 - what went wrong before is said all the same
        _log.error("bug while an error was shown", exc_info=bug)
        return Response(f"{error}\n", status, headers, _TEXT)


def document(error: SynclineError, status: int) -> bytes:
    """The problem as JSON: `type` is about:blank, `reason` the stable word."""
    told = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
        "remedy": error.remedy,
        "reason": error.reason,
    }
    return json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")
