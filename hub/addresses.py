"""Addresses in the hub's settings: `host:port`, and text as TOML writes it.

split_address("[::1]:7443")          # ("::1", 7443)
join_address("::1", 7443)            # "[::1]:7443"
"""

import json
import re

from core.errors import InvalidInput

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\]", re.ASCII | re.IGNORECASE)
_PORT_MAX = 65535


def split_address(address: str, key: str = "") -> tuple[str, int]:
    """Host (IPv6 without brackets) and port of `HOST:PORT`. Raises `InvalidInput`, which names the `key`."""
    host, colon, port = address.rpartition(":")
    legal = colon and _HOST.fullmatch(host) and port.isascii() and port.isdigit()
    if not legal or not 0 <= int(port) <= _PORT_MAX:
        raise InvalidInput(
            f"{f'{key}: ' if key else ''}{address!r} is not an address",
            remedy="write HOST:PORT, for example hub.example.org:7443",
        )
    return host.strip("[]"), int(port)


def join_address(host: str, port: int) -> str:
    """`HOST:PORT`, with brackets around an IPv6 host."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def text_of(value: str) -> str:
    """`value` as a TOML basic string."""
    # A JSON string is one, save for DEL, which JSON leaves raw.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
