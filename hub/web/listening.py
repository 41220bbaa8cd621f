"""The socket of an HTTP port, which listens before anything is served: a taken port stops the start.

    listening = listening_on("127.0.0.1:7446", "web")          # raises Unavailable (PORT_TAKEN)
    listening.getsockname()[1]                                 # for port 0 the system has chosen

Who connects before somebody answers waits: `BACKLOG` may, at once.
"""

import errno
import socket
import time

from core.errors import Unavailable
from hub.addresses import split_address

BACKLOG = 128
_AGAIN_S = 0.05


def listening_on(listen: str, table: str, *, let_go_s: float = 0.0) -> socket.socket:
    """A listening socket; `table` of the settings says `listen`.

    `let_go_s`: how long a port that is taken is tried again, where who has it is about to let go of it.
    Raises `Unavailable` (PORT_TAKEN).
    """
    host, port = split_address(listen)
    until = time.monotonic() + let_go_s
    while True:
        try:
            return _bound(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= until:
                raise Unavailable(
                    f"cannot listen on {listen}",
                    remedy=f"stop what uses the port (ss -ltnp), or correct [{table}] listen in hub.toml",
                    reason="PORT_TAKEN",
                ) from error
            time.sleep(_AGAIN_S)


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    try:
        made = socket.socket(family, kind, protocol)
    except OSError:
        if host == "::":  # a machine without IPv6
            return _bound("0.0.0.0", port)  # noqa: S104
        raise
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind(address)
        made.listen(BACKLOG)  # by now: two sockets may be bound to one port, only one may listen
        made.setblocking(False)  # noqa: FBT003
    except OSError as error:
        made.close()
        if host == "::" and error.errno != errno.EADDRINUSE:
            return _bound("0.0.0.0", port)  # noqa: S104
        raise
    return made
