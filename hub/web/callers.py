"""Who calls, as far as an address tells: what wrong passwords are counted by.

* Behind a proxy every connection is the proxy's: its X-Forwarded-For is believed where `[web] proxies` names
  it, and nobody else's ever is.
* Where the address would be that of a proxy which is not named, or of a tunnel's end (loopback), it tells
  nobody apart: None, and nothing is counted by it.
* An IPv6 address stands for its /64: whoever has one has all of them.

    callers = Callers.of(settings.web)
    callers.address(scope, headers)                # "203.0.113.7", "2001:db8::/64", None
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers

from hub.config_operator import WebTable

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_HOPS_COUNT_MAX = 16


@dataclass(frozen=True, slots=True)
class Callers:
    """`behind_proxy`: `[web] url` says that browsers come through one."""

    proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    behind_proxy: bool

    @classmethod
    def of(cls, web: WebTable) -> "Callers":
        """As the settings say."""
        return cls(tuple(ipaddress.ip_network(each) for each in web.proxies), bool(web.url))

    def address(self, scope: Mapping[str, Any], headers: Headers) -> str | None:
        """By what to tell this caller from others; None: by nothing."""
        client = scope.get("client")
        peer = _address(client[0]) if client else None
        if peer is None:
            return None
        if not self._is_proxy(peer):
            hidden = peer.is_loopback or (self.behind_proxy and not self.proxies)
            return None if hidden else _counted(peer)
        hops = ",".join(headers.getlist("x-forwarded-for")).split(",")
        for hop in reversed(
            hops[-_HOPS_COUNT_MAX:]
        ):  # the last is the nearest: what came before may be made up
            address = _address(hop.strip())
            if address is None or not self._is_proxy(address):
                return None if address is None else _counted(address)
        return None

    def _is_proxy(self, address: _Address) -> bool:
        return any(address in network for network in self.proxies)


def _address(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _counted(address: _Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address.packed, 64), strict=False))
