"""Our errors as gRPC statuses, and back, so that both ends branch on the same words.

    except SynclineError as error:                      # the hub
        await context.abort_with_status(status_of(error))

    with translated():                                  # the node
        response = stub.GetHubInfo(request, timeout=60)

| branch         | status                                              |
|----------------|-----------------------------------------------------|
| `InvalidInput` | INVALID_ARGUMENT                                    |
| `Untrusted`    | FAILED_PRECONDITION                                 |
| `Denied`       | PERMISSION_DENIED, or NOT_FOUND (reason NOT_FOUND)  |
| `Conflict`     | ABORTED                                             |
| `Unavailable`  | UNAVAILABLE                                         |
| `Corrupt`      | DATA_LOSS                                           |

The details hold a `google.rpc.ErrorInfo`: domain `syncline`, the reason, and `class` and `remedy` as
metadata. What is not ours becomes INTERNAL, which tells the peer nothing. A status without our details
comes from the transport (or another program) and gets a message of its own with a remedy. Nothing that
derives from `grpc.RpcError` leaves this module.
"""

import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from core.errors import (
    BRANCHES,
    Conflict,
    Corrupt,
    Denied,
    InvalidInput,
    SynclineError,
    Unavailable,
    Untrusted,
)
from core.logs import printable

DOMAIN = "syncline"
NOT_FOUND = "NOT_FOUND"

# gRPC refuses trailers at random between 8 and 16 KiB, and always above. The message stands in them twice,
# once with up to three bytes for each of UTF-8's, and the remedy once: 5,400 bytes at most.
_MESSAGE_BYTES_MAX = 1_000
_REMEDY_BYTES_MAX = 800
_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,62}", re.ASCII)

_CODES: dict[type[SynclineError], int] = {
    InvalidInput: code_pb2.INVALID_ARGUMENT,
    Untrusted: code_pb2.FAILED_PRECONDITION,
    Denied: code_pb2.PERMISSION_DENIED,
    Conflict: code_pb2.ABORTED,
    Unavailable: code_pb2.UNAVAILABLE,
    Corrupt: code_pb2.DATA_LOSS,
}
_BY_NAME = {branch.__name__: branch for branch in BRANCHES}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Plain:
    """What a status without our details means."""

    branch: type[SynclineError]
    reason: str
    message: str
    remedy: str


_WAIT = "nothing to do: it is tried again by itself; if it lasts, ask the hub's operator"
_PLAIN: dict[grpc.StatusCode, _Plain] = {
    grpc.StatusCode.UNAVAILABLE: _Plain(
        Unavailable,
        "UNREACHABLE",
        "the hub cannot be reached",
        "check [hub] address, network and firewall, and that the hub runs; it is tried again by itself",
    ),
    grpc.StatusCode.DEADLINE_EXCEEDED: _Plain(
        Unavailable,
        "TIMEOUT",
        "the hub did not answer in time",
        "check the network; it is tried again by itself",
    ),
    grpc.StatusCode.CANCELLED: _Plain(
        Unavailable, "CANCELLED", "the call was cancelled before it was done", "try again"
    ),
    grpc.StatusCode.UNAUTHENTICATED: _Plain(
        Denied,
        "UNAUTHENTICATED",
        "the hub does not accept this node's certificate",
        "see whether this node is approved (syncline-node status); else ask the hub's operator",
    ),
    grpc.StatusCode.PERMISSION_DENIED: _Plain(
        Denied, "DENIED", "the hub refuses this", "ask the owner of the data, or the hub's operator"
    ),
    grpc.StatusCode.NOT_FOUND: _Plain(Denied, NOT_FOUND, "no such thing, as far as this node may know", ""),
    grpc.StatusCode.UNIMPLEMENTED: _Plain(
        Unavailable,
        "UNIMPLEMENTED",
        "the hub does not know this call",
        "check that [hub] address is a Syncline hub; if it is one, it must be upgraded before its nodes",
    ),
    grpc.StatusCode.INVALID_ARGUMENT: _Plain(
        InvalidInput, "INVALID_INPUT", "the hub cannot read this request", "report it; it is a bug"
    ),
    grpc.StatusCode.OUT_OF_RANGE: _Plain(
        InvalidInput, "INVALID_INPUT", "the hub cannot read this request", "report it; it is a bug"
    ),
    grpc.StatusCode.FAILED_PRECONDITION: _Plain(
        Untrusted, "UNTRUSTED", "the hub does not accept this", "ask the hub's operator"
    ),
    grpc.StatusCode.ABORTED: _Plain(Conflict, "CONFLICT", "the hub's state has moved on", "try again"),
    grpc.StatusCode.ALREADY_EXISTS: _Plain(Conflict, "CONFLICT", "the hub has this already", ""),
    grpc.StatusCode.DATA_LOSS: _Plain(
        Corrupt, "CORRUPT", "the hub reports damaged data", "ask the hub's operator to run syncline-hub fsck"
    ),
}
_UNKNOWN = _Plain(Unavailable, "HUB_FAILED", "the hub failed", _WAIT)
_TOO_LARGE = _Plain(
    InvalidInput,
    "TOO_LARGE",
    "a message exceeds what the other side accepts",
    "check that node and hub run releases that work together",
)
_BUSY = _Plain(Unavailable, "BUSY", "the hub has no capacity left for this", _WAIT)
_HUB_UNTRUSTED = _Plain(
    Untrusted,
    "HUB_UNTRUSTED",
    "whoever answers at the hub's address does not have the hub's certificate",
    "check [hub] address and this machine's clock; if both are right, ask the hub's operator before going on",
)
# With TLS 1.3 a client has finished its handshake before the server looks at its certificate, so that a
# refused certificate is seen as a connection that closes at once.
_CLOSED_AT_ONCE = _Plain(
    Unavailable,
    "CLOSED_AT_ONCE",
    "the hub closes the connection at once",
    "if the hub is up, it may refuse this node's certificate: see syncline-node doctor for its dates",
)
# As gRPC and BoringSSL name them; they reach us only inside the text of UNAVAILABLE.
_VERIFY_FAILED = ("CERTIFICATE_VERIFY_FAILED", "Hostname Verification Check failed")


def status_of(error: BaseException) -> grpc.Status:
    """The status that a server aborts with; says nothing about an error that is not ours."""
    return rpc_status.to_status(message_of(error))


def message_of(error: BaseException) -> status_pb2.Status:
    """As `status_of`, in the form of `google.rpc.Status`."""
    if not isinstance(error, SynclineError):
        return status_pb2.Status(code=code_pb2.INTERNAL, message="the hub failed; its log says more")
    branch = next((each for each in BRANCHES if isinstance(error, each)), None)
    if branch is None:
        return status_pb2.Status(code=code_pb2.INTERNAL, message="the hub failed; its log says more")
    code = _CODES[branch]
    if branch is Denied and error.reason == NOT_FOUND:
        code = code_pb2.NOT_FOUND
    info = error_details_pb2.ErrorInfo(
        domain=DOMAIN,
        reason=error.reason,
        metadata={"class": branch.__name__, "remedy": _clean(error.remedy, _REMEDY_BYTES_MAX)},
    )
    detail = any_pb2.Any()
    detail.Pack(info)
    return status_pb2.Status(code=code, message=_clean(error.message, _MESSAGE_BYTES_MAX), details=[detail])


@contextmanager
def translated() -> Generator[None]:
    """Within it, each `grpc.RpcError` becomes the `SynclineError` that it stands for."""
    try:
        yield
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error
    except grpc.FutureTimeoutError as error:
        raise _from_plain(_PLAIN[grpc.StatusCode.UNAVAILABLE], "no connection in time") from error
    except ValueError as error:
        # What grpc says of a channel that was closed while others still used it.
        if "closed channel" not in str(error):
            raise
        raise _from_plain(_PLAIN[grpc.StatusCode.CANCELLED], "") from error


def translated_stream(responses: Iterable[T]) -> Iterator[T]:
    """A stream of responses, whose errors are translated."""
    with translated():
        yield from responses


def from_rpc_error(error: grpc.RpcError) -> SynclineError:
    """The error that the other side meant, or that the transport's failure means for us."""
    call: Any = error
    try:
        code, details = call.code(), call.details() or ""
    except AttributeError:
        return _from_plain(_UNKNOWN, str(error))
    ours = _from_details(call)
    return ours if ours is not None else _from_transport(code, details)


def _from_details(call: Any) -> SynclineError | None:
    try:
        status = rpc_status.from_call(call)
    except (ValueError, DecodeError, AttributeError, TypeError):
        return None  # a trailer that contradicts its status is not worth more than none
    if status is None:
        return None
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if not detail.Is(info.DESCRIPTOR):
            continue
        try:
            detail.Unpack(info)
        except DecodeError:
            continue
        branch = _BY_NAME.get(info.metadata.get("class", ""))
        if info.domain != DOMAIN or branch is None or not _agrees(branch, status.code):
            continue
        return branch(
            _clean(status.message, _MESSAGE_BYTES_MAX),
            remedy=_clean(info.metadata.get("remedy", ""), _REMEDY_BYTES_MAX),
            reason=info.reason if _REASON.fullmatch(info.reason) else "",
        )
    return None


def _agrees(branch: type[SynclineError], code: int) -> bool:
    return code == _CODES[branch] or (branch is Denied and code == code_pb2.NOT_FOUND)


def _from_transport(code: grpc.StatusCode, details: str) -> SynclineError:
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return _from_plain(_TOO_LARGE if "larger than max" in details else _BUSY, details)
    if code is grpc.StatusCode.UNAVAILABLE:
        if any(text in details for text in _VERIFY_FAILED):
            return _from_plain(_HUB_UNTRUSTED, "")
        if "failed to connect" in details and "Socket closed" in details:
            return _from_plain(_CLOSED_AT_ONCE, "")
    return _from_plain(_PLAIN.get(code, _UNKNOWN), details)


def _from_plain(plain: _Plain, details: str) -> SynclineError:
    shown = _clean(details, 200)
    message = f"{plain.message} ({shown})" if shown else plain.message
    return plain.branch(message, remedy=plain.remedy, reason=plain.reason)


def _clean(text: str, bytes_max: int) -> str:
    # A peer's words are shown in logs and on terminals.
    line = printable(" ".join(text.encode("utf-8", "replace").decode("utf-8").split()))
    encoded = line.encode()
    if len(encoded) <= bytes_max:
        return line
    return encoded[: bytes_max - len("…".encode())].decode(errors="ignore") + "…"
