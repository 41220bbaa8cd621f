"""What a form brings: read whole within a bound, each field once, with the token that says whose it was.

form = await read_form(receive, headers, limits)
check_token(form, session.csrf)                    # Denied (CSRF)
form.text("reason", 1000)                          # InvalidInput where it is missing or too long
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import Receive

from core.errors import Denied, InvalidInput
from core.limits import Limits

_TYPE = "application/x-www-form-urlencoded"
_FIELDS_COUNT_MAX = 64
TOKEN_FIELD = "csrf"  # noqa: S105 - the name of a field


class Gone(Exception):
    """The client went away before its request was whole."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields."""

    fields: Mapping[str, str]

    def text(self, name: str, length_max: int, *, required: bool = True) -> str:
        """A field without the space around it. Raises `InvalidInput`."""
        value = self.fields.get(name, "").strip()
        if required and not value:
            raise InvalidInput(f"{name} is empty", remedy="fill it in", reason="FIELD_MISSING")
        if len(value) > length_max:
            raise InvalidInput(
                f"{name} is longer than {length_max} characters", remedy="shorten it", reason="FIELD_TOO_LONG"
            )
        return value

    def ticked(self, name: str) -> bool:
        """Whether a box was ticked."""
        return self.fields.get(name, "") not in ("", "0", "false")

    def number(self, name: str) -> int:
        """A whole number. Raises `InvalidInput`."""
        value = self.text(name, 12)
        if not (value.isascii() and value.isdigit()):
            raise InvalidInput(f"{name} is not a number", reason="FIELD_WRONG")
        return int(value)


async def read_form(receive: Receive, headers: Headers, limits: Limits) -> Form:
    """Raises `InvalidInput` (TOO_LARGE, WRONG_TYPE, MALFORMED)."""
    bound = limits.request_bytes_max
    declared = headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > bound:
        raise _too_large(bound)
    if headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise InvalidInput(f"a form is sent as {_TYPE}", reason="WRONG_TYPE")
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > bound:
            raise _too_large(bound)
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_FIELDS_COUNT_MAX,
        )
    except ValueError:
        raise InvalidInput("the form is not text in UTF-8", reason="MALFORMED") from None
    fields = dict(pairs)
    if len(fields) != len(pairs) or any("\x00" in value for value in fields.values()):
        raise InvalidInput("the form has a field twice", reason="MALFORMED")
    return Form(fields)


def check_token(form: Form, token: str) -> None:
    """That the form was made for this session. Raises `Denied` (CSRF)."""
    given = form.fields.get(TOKEN_FIELD, "").encode("utf-8")
    if not token or not hmac.compare_digest(given, token.encode("ascii")):
        raise Denied(
            "this form is not one of your session's",
            remedy="load the page again",
            reason="CSRF",
        )


def _too_large(bound: int) -> InvalidInput:
    return InvalidInput(f"a form has at most {bound} bytes", reason="TOO_LARGE")
