"""What stands between a stranger's browser and the pages, decided without I/O.

* `Host` must be a name of this hub: a name that was rebound to this address (DNS rebinding) is refused.
* What changes something must come from the pages themselves, by `Sec-Fetch-Site` and `Origin`; one of them
  must be there. The token in the form is checked besides (`hub.web.forms`).
* Every answer, also an error, forbids scripts, styles, frames, forms and requests from elsewhere.
* A path is taken as it stands, or not at all.

    door = Door.of(settings.web)
    door.check_host(headers), door.check_origin(headers)      # raise Denied

Sources: Fetch (https://fetch.spec.whatwg.org, Origin), https://www.w3.org/TR/fetch-metadata, RFC 9110 section
7.2. `Referrer-Policy` is not no-referrer: browsers would send `Origin: null` with our own forms.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from core.errors import Denied, InvalidInput
from hub.addresses import split_address
from hub.config_operator import WebTable

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

#: On every answer.
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
TRANSPORT_SECURITY = "max-age=31536000"

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?", re.ASCII)
_PATH_LENGTH_MAX = 1024
_LOCAL = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f-\x9f]*")
_LOCAL_LENGTH_MAX = 2048


@dataclass(frozen=True, slots=True)
class Door:
    """By which names the pages are reached. `origin` empty: only directly, as they listen."""

    origin: str
    hosts: frozenset[str]
    any_address: bool

    @classmethod
    def of(cls, web: WebTable) -> "Door":
        """As the settings say."""
        hosts: set[str] = set()
        any_address = False
        if web.url:
            hosts.add(urlsplit(web.url).hostname or "")
        if web.listen:
            host = split_address(web.listen)[0].lower()
            address = _address(host)
            any_address = address is not None and address.is_unspecified
            if any_address or host in _LOOPBACK or (address is not None and address.is_loopback):
                hosts |= _LOOPBACK
            hosts.add(host)
        return cls(web.url, frozenset(hosts), any_address)

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the pages over TLS."""
        return self.origin.startswith("https://")

    def check_host(self, headers: Headers) -> None:
        """Raises `Denied` (WRONG_HOST)."""
        given = [value.lower() for value in headers.getlist("host")]
        match = _HOST.fullmatch(given[0]) if len(given) == 1 else None
        name = "" if match is None else match[1].strip("[]")
        # An address cannot be rebound; where every one is listened on, each of them is this machine's.
        if name in self.hosts or (self.any_address and _address(name) is not None):
            return
        raise Denied(
            "these pages are not called that",
            remedy="use the address that is in [web] url of hub.toml, or name this one there",
            reason="WRONG_HOST",
        )

    def check_origin(self, headers: Headers) -> None:
        """That a form was sent by these pages. Raises `Denied` (FOREIGN_ORIGIN)."""
        site, origins = headers.get("sec-fetch-site"), headers.getlist("origin")
        own = {self.origin} if self.origin else set[str]()
        own.add(f"http://{headers.get('host', '')}")
        known = [each in own for each in origins]
        if (site in (None, "same-origin")) and (known == [True] or (not known and site is not None)):
            return
        raise Denied(
            "this form was not sent by these pages",
            remedy="load the page and send it from there; behind a proxy, correct [web] url in hub.toml",
            reason="FOREIGN_ORIGIN",
        )

    def check_navigation(self, headers: Headers) -> None:
        """That a download was asked for here. Raises `Denied` (FOREIGN_ORIGIN)."""
        if headers.get("sec-fetch-site") not in (None, "same-origin", "none"):
            raise Denied(
                "this was asked for by another site", remedy="ask on the page itself", reason="FOREIGN_ORIGIN"
            )


def check_path(path: str, raw_path: bytes) -> None:
    """That a path has one meaning. Raises `InvalidInput` (NO_SUCH_PAGE)."""
    parts = path.split("/")[1:] or [""]  # "OPTIONS *" and CONNECT name no path at all
    odd = "\\" in path or not path.startswith("/") or any(ord(c) < 32 or ord(c) == 127 for c in path)
    hidden = any(each in raw_path.lower() for each in (b"%2f", b"%5c", b"%2e", b"%00"))
    empty = any(part in ("", ".", "..") for part in parts[:-1]) or parts[-1] in (".", "..")
    if odd or hidden or empty or len(raw_path) > _PATH_LENGTH_MAX:
        raise no_such_page()


def no_such_page() -> InvalidInput:
    """What is not there."""
    return InvalidInput("there is no such page", remedy="go back to the first page", reason="NO_SUCH_PAGE")


def local_path(text: str, otherwise: str = "/") -> str:
    """`text` if it leads to a page of this hub, else `otherwise`: nobody is sent elsewhere."""
    ok = (
        len(text) <= _LOCAL_LENGTH_MAX
        and _LOCAL.fullmatch(text)
        and not text.startswith(("/login", "/logout"))
    )
    if not ok:
        return otherwise
    parts = urlsplit(text)
    return text if not parts.scheme and not parts.netloc else otherwise


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
