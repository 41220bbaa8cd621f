"""The daemon's local socket: how a command asks the running daemon, and how the daemon answers.

Rules: one request a connection, JSON lines both ways; the socket is 0600 and both ends check that the
other is the same user (or root); an answer is the last line, everything before it is progress; a
client that goes away stops nothing; a request that this daemon does not know is refused by name.

    with ControlServer(socket_path(state_dir), {"status": lambda request: {"running": True}}):
        ...
    answer = ask(socket_path(state_dir), "status")          # in another process

Request: `{"call": "sync", "arguments": {}, "v": 1}`. Lines back: `{"progress": {…}}` any number of times,
then `{"answer": {…}}` or `{"error": {"branch", "message", "remedy", "reason"}}`.
"""

import contextlib
import hashlib
import json
import os
import socket
import stat
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from core.errors import BRANCHES, Denied, InvalidInput, SynclineError, Unavailable
from core.logs import get_logger

VERSION = 1
SOCKET_NAME = "control.sock"

_SUN_PATH_BYTES_MAX = 107  # sockaddr_un.sun_path on Linux, less its final NUL
_REQUEST_BYTES_MAX = 64 * 1024
_LINE_BYTES_MAX = 4 * 1024 * 1024
_CONNECTIONS_MAX = 32
_REQUEST_TIMEOUT_S = 10.0
_ROOT_UID = 0

log = get_logger("node.control")


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks. `tell` sends a progress line; it is quiet once the asker is gone."""

    call: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tell: Callable[[Mapping[str, Any]], None] = lambda _: None


Handler = Callable[[Request], Mapping[str, Any]]


def socket_path(state_dir: Path) -> Path:
    """Where the daemon of `state_dir` listens: `control.sock` in it, where the path is short enough.

    A path of a Unix socket has at most 107 bytes. Behind a longer one the socket stands in
    `/run/user/<uid>/` or, where that is missing, in a private folder of the temporary directory, under
    a name made from the SHA-256 of the state directory's path; both sides compute the same one.
    """
    direct = state_dir.absolute() / SOCKET_NAME
    if len(os.fsencode(direct)) <= _SUN_PATH_BYTES_MAX:
        return direct
    owner = state_dir.stat().st_uid if state_dir.exists() else os.getuid()
    name = hashlib.sha256(os.fsencode(state_dir.resolve())).hexdigest()[:16]
    runtime = Path(f"/run/user/{owner}")
    if runtime.is_dir():
        return runtime / f"syncline-{name}.sock"
    return Path(tempfile.gettempdir()) / f"syncline-{owner}" / f"{name}.sock"


def _private_folder(folder: Path) -> None:
    """Make or check a folder in a shared temporary directory: nobody else may have put it there."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=False)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise Denied(
            f"{folder} belongs to somebody else or is open to others",
            remedy="remove it, or choose a shorter [node] state_dir",
        )


def _peer_is_trusted(connection: socket.socket, owner: int) -> bool:
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the socket's mode has to do
    size = struct.calcsize("3i")
    _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return uid in (owner, _ROOT_UID)


class ControlServer:
    """Answers requests, each in a thread of its own, until it is closed.

    Args:
        path: from `socket_path`; a socket left by a dead daemon is replaced, so hold the lock first.
        handlers: by the name of the call; a handler may raise any `SynclineError`.
    """

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = dict(handlers)
        self._slots = threading.BoundedSemaphore(_CONNECTIONS_MAX)
        self._closing = threading.Event()
        if path.name != SOCKET_NAME and path.parent.parent == Path(tempfile.gettempdir()):
            _private_folder(path.parent)
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # Bound before anybody may connect: the mode is set while nothing listens yet.
            self._socket.bind(os.fspath(path))
            path.chmod(0o600)
            self._socket.listen(_CONNECTIONS_MAX)
        except OSError as error:
            self._socket.close()
            raise Unavailable(
                f"the control socket {path} cannot be made: {error.strerror}",
                remedy="check the rights of [node] state_dir and that its filesystem allows sockets",
            ) from error
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and remove the socket; requests under way are left to finish."""
        if self._closing.is_set():
            return
        self._closing.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(timeout=5)
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError as error:
                if self._closing.is_set():
                    return
                log.warning("the control socket failed to accept", error=str(error))
                self._closing.wait(0.1)
                continue
            if not self._slots.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(
                target=self._serve, args=(connection,), name="control-request", daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                if not _peer_is_trusted(connection, os.getuid()):
                    return
                connection.settimeout(_REQUEST_TIMEOUT_S)
                self._answer(connection)
        except OSError:
            pass  # the asker went away; what it asked for is done or not, all the same
        finally:
            self._slots.release()

    def _answer(self, connection: socket.socket) -> None:
        gone = threading.Event()

        def send(line: Mapping[str, Any]) -> None:
            if gone.is_set():
                return
            try:
                connection.sendall(
                    json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
                )
            except OSError:
                gone.set()

        try:
            request = _parse_request(_read_line(connection, _REQUEST_BYTES_MAX))
            handler = self._handlers.get(request.call)
            if handler is None:
                raise InvalidInput(
                    f"the running daemon does not know {request.call!r}",
                    remedy="restart syncline-node: it is older than this command",
                )
            answer = handler(
                Request(request.call, request.arguments, lambda facts: send({"progress": facts}))
            )
            send({"answer": dict(answer)})
        except SynclineError as error:
            send({"error": error_to_json(error)})
        except Exception as error:  # a bug must reach the asker, not only the log
            log.error("a request failed", exc_info=error)
            send(
                {"error": {"branch": "", "message": f"bug in the daemon: {error!r}", "remedy": "see its log"}}
            )


def _read_line(connection: socket.socket, bytes_max: int) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n"):
        part = connection.recv(65536)
        if not part:
            raise InvalidInput("the request ended early")
        received += part
        if len(received) > bytes_max:
            raise InvalidInput("the request is too long")
    return bytes(received)


def _parse_request(line: bytes) -> Request:
    try:
        value = json.loads(line)
        version, call, arguments = value["v"], value["call"], value.get("arguments", {})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidInput("the request is not one JSON object with call and v") from None
    if version != VERSION or not isinstance(call, str) or not isinstance(arguments, dict):
        raise InvalidInput(
            "the request is of another version",
            remedy="use the syncline-node that the daemon was started with",
        )
    return Request(call, arguments)


def error_to_json(error: SynclineError) -> dict[str, str]:
    """An error's form on the socket and in status reports."""
    return {
        "branch": type(error).__name__,
        "message": error.message,
        "remedy": error.remedy,
        "reason": error.reason,
    }


def error_from_json(value: Mapping[str, Any]) -> SynclineError:
    """The error that `error_to_json` wrote; an unknown branch is a bug's `SynclineError`."""
    kinds = {branch.__name__: branch for branch in BRANCHES}
    kind = kinds.get(str(value.get("branch")), SynclineError)
    return kind(
        str(value.get("message", "")),
        remedy=str(value.get("remedy", "")),
        reason=str(value.get("reason", "")),
    )


def is_listening(path: Path) -> bool:
    """Whether a daemon answers at `path`."""
    try:
        with _connect(path):
            return True
    except SynclineError:
        return False


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(os.fspath(path))
        if not _peer_is_trusted(connection, os.getuid()) and os.getuid() != _ROOT_UID:
            raise Denied(
                f"{path} is served by another user",
                remedy="run this command as the user that runs syncline-node, or look who put it there",
            )
    except OSError as error:
        connection.close()
        if isinstance(error, PermissionError):
            raise Denied(
                f"{path} may not be opened", remedy="run this command as the user that runs syncline-node"
            ) from error
        raise Unavailable("the daemon does not answer", remedy="start it: syncline-node run") from error
    except SynclineError:
        connection.close()
        raise
    return connection


def ask(
    path: Path,
    call: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    tell: Callable[[Mapping[str, Any]], None] = lambda _: None,
    timeout_s: float | None = None,
) -> dict[str, Any]:
    """Ask the daemon at `path` and wait; `tell` gets each progress line.

    Raises:
        Unavailable: nobody listens, or the daemon ended before it answered.
        SynclineError: whatever the daemon raised, as the same branch.
    """
    line = json.dumps({"v": VERSION, "call": call, "arguments": dict(arguments or {})}) + "\n"
    with _connect(path) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.sendall(line.encode())
            for answer in _lines(connection):
                if "progress" in answer:
                    tell(answer["progress"])
                elif "error" in answer:
                    raise error_from_json(answer["error"])
                else:
                    return answer["answer"]
        except TimeoutError:
            raise Unavailable("the daemon did not answer in time", remedy="look at its log") from None
        except OSError as error:
            raise Unavailable(f"the daemon hung up: {error}", remedy="look at its log") from error
    raise Unavailable("the daemon ended before it answered", remedy="look at its log, and ask again")


def _lines(connection: socket.socket) -> Iterator[dict[str, Any]]:
    with connection.makefile("rb") as stream:
        while line := stream.readline(_LINE_BYTES_MAX):
            yield json.loads(line)
