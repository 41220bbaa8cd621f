"""The fleet and one partner: who is in sync, who is late, what is stuck, and what a person must decide.

Of many partners the page shows `LINES_MAX` at once, the worst first; the counts are always of all.
"""

from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from core.names import PartnerId
from hub.overview.model import PartnerLine
from hub.overview.search import Search
from hub.web.pages.handler import Build
from hub.web.pages.source import Source
from hub.web.render import render

#: A line is some 2.5 KB and half a millisecond: a thousand would be neither read nor made in time.
LINES_MAX = 100


def fleet(overview: Source) -> Build:
    """`/`: the partners, the worst first; `?after=100` goes on, `?text=` looks for names."""

    def build(request: Request) -> Response:
        search, view = Search.read(request.query_params), overview.fleet()
        found = _named(view.partners, search.text)
        first = _number(search.after)
        lines = found[first : first + LINES_MAX]
        last = first + len(lines)
        return render(
            request,
            "fleet.html",
            fleet=view,
            lines=lines,
            search=search,
            first=first + 1,
            last=last,
            found=len(found),
            is_long=len(view.partners) > LINES_MAX,
            first_address=_address(search.text, 0) if first else "",
            next_address=_address(search.text, last) if last < len(found) else "",
        )

    return build


def _named(lines: Sequence[PartnerLine], text: str) -> Sequence[PartnerLine]:
    """Those whose id or names have all the words."""
    words = text.casefold().split()
    if not words:
        return lines
    known = [(line, " ".join((line.partner, *line.names.values())).casefold()) for line in lines]
    return [line for line, said in known if all(word in said for word in words)]


def _number(after: str | None) -> int:
    return int(after) if after and after.isascii() and after.isdigit() and len(after) < 7 else 0


def _address(text: str, after: int) -> str:
    query = {**({"text": text} if text else {}), **({"after": after} if after else {})}
    return f"/?{urlencode(query)}" if query else "/"


def partner(overview: Source) -> Build:
    """`/partners/{partner}`: its nodes, datasets, storage, and the acts about it."""

    def build(request: Request) -> Response:
        view = overview.partner(PartnerId(request.path_params["partner"]))
        return render(request, "partner.html", partner=view, line=view.line)

    return build
