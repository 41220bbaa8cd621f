"""Builds markup that cannot be anything but what it was meant to be.

    tag("td", "a < b", class_="wide")          # <td class="wide">a &lt; b</td>

Rules: a plain `str` is data and is escaped, always; only what `tag` made is markup. Every element is closed,
so the page is XML as well as HTML. Characters that XML forbids, and those that turn the direction of text
around them, are written as visible escapes.
"""

import re
from html import escape

from core.logs import printable

_VOID = frozenset(["meta", "br", "hr", "link"])
# What neither XML 1.0 nor HTML allows; control characters and surrogates are `printable`'s.
_FORBIDDEN = re.compile("[\ufffe\uffff]")


class Markup(str):
    """Text that is markup already. Only this module and constants make it."""

    __slots__ = ()


LINE = Markup("\n")
"""Between elements, so that the page can be read as text too."""

Content = str | int | float | None


def text(value: Content) -> str:
    """Data, escaped for element content and attribute values."""
    if value is None:
        return ""
    if isinstance(value, Markup):
        return value
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    shown = printable(str(value))
    return escape(_FORBIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", shown), quote=True)


def tag(name: str, /, *content: Content, **attributes: Content) -> Markup:
    """An element. Attributes with None are left out; `class_`, `aria_label` become `class`, `aria-label`."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if not content and name in _VOID:
        return Markup(f"<{name}{written} />")
    return Markup(f"<{name}{written}>{''.join(map(text, content))}</{name}>")


def join(*parts: Content) -> Markup:
    """Parts one after the other; plain text is escaped."""
    return Markup("".join(map(text, parts)))


def lines(*parts: Content) -> Markup:
    """As `join`, each on a line of its own."""
    return Markup("\n".join(text(part) for part in parts if part))
