"""The cookies: who is signed in, the form that somebody is about to sign in with, and that somebody has
signed in with this browser before (`hub.services.known_browsers`).

Neither is readable by scripts, neither is sent when another site leads here; over https neither is sent in
the clear nor set by a neighbouring host (`__Host-`, RFC 6265bis).

    cookies = Cookies(https=True)
    cookies.session(headers)                       # the token, or None
    cookies.set_session(response, token, 43200)
"""

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from security.digests import sha256_hex

_SESSION = "syncline-session"
_LOGIN = "syncline-login"
_BROWSER = "syncline-browser"
_LENGTH_MAX = 4096
_TOKEN_LENGTH_MAX = 128


@dataclass(frozen=True, slots=True)
class Cookies:
    """How they are called and set."""

    https: bool

    def session(self, headers: Headers) -> str | None:
        """The session's token."""
        return self._value(headers, _SESSION)

    def login(self, headers: Headers) -> str | None:
        """What the login page has set."""
        return self._value(headers, _LOGIN)

    def browser(self, headers: Headers) -> str | None:
        """What a browser got when somebody signed in with it."""
        return self._value(headers, _BROWSER)

    def set_session(self, response: Response, token: str, age_s: int) -> None:
        """For so long."""
        self._set(response, _SESSION, token, age_s)

    def set_login(self, response: Response, token: str, age_s: int) -> None:
        """For so long."""
        self._set(response, _LOGIN, token, age_s)

    def set_browser(self, response: Response, token: str, age_s: int) -> None:
        """For so long, also after signing out."""
        self._set(response, _BROWSER, token, age_s)

    def forget_session(self, response: Response) -> None:
        """Take it back."""
        self._set(response, _SESSION, "", 0)

    def forget_login(self, response: Response) -> None:
        """Take it back."""
        self._set(response, _LOGIN, "", 0)

    def _value(self, headers: Headers, name: str) -> str | None:
        found: list[str] = []
        for header in headers.getlist("cookie"):
            if len(header) > _LENGTH_MAX:
                return None
            found += [value for key, value in cookie_parser(header).items() if key == self._name(name)]
        ok = len(found) == 1 and found[0].isascii() and 0 < len(found[0]) <= _TOKEN_LENGTH_MAX
        return found[0] if ok else None

    def _set(self, response: Response, name: str, value: str, age_s: int) -> None:
        response.set_cookie(
            self._name(name),
            value,
            max_age=age_s,
            path="/",
            secure=self.https,
            httponly=True,
            samesite="strict",
        )

    def _name(self, name: str) -> str:
        return f"__Host-{name}" if self.https else name


def login_token(cookie: str) -> str:
    """What stands in the login form that belongs to `cookie`."""
    return sha256_hex(b"login form:" + cookie.encode("ascii"))
