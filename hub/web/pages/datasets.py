"""The datasets and one of them: versions, holders, policy, and why each partner has what it has."""

from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from core.names import DatasetId
from hub.overview.model import Holder, HolderState
from hub.overview.search import DatasetSearch
from hub.web.pages.handler import Build
from hub.web.pages.source import Source
from hub.web.render import LONG, render
from sync.manifest import THEMES

_FRESHNESS = ("fresh", "due", "late", "unknown")
_HOLDERS: tuple[HolderState, ...] = (
    "failed",
    "behind",
    "ended",
    "owner",
    "current",
    "not wanted",
    "withheld",
    "not shared",
)


def datasets(overview: Source) -> Build:
    """`/datasets`: a page of those that match."""

    def build(request: Request) -> Response:
        search = DatasetSearch.read(request.query_params)
        found = overview.datasets(search)
        return render(
            request,
            "datasets.html",
            search=search,
            found=found,
            themes=THEMES,
            freshness=_FRESHNESS,
            owners=[line.partner for line in overview.fleet().partners],
            next_address=next_address(request, found.next),
        )

    return build


def dataset(overview: Source) -> Build:
    """`/datasets/{owner}/{name}`."""

    def build(request: Request) -> Response:
        owner, name = request.path_params["owner"], request.path_params["name"]
        view = overview.dataset(DatasetId(f"{owner}/{name}"))
        return render(
            request, "dataset.html", dataset=view, line=view.line, holders=_worst_first(view.holders)
        )

    return build


def _worst_first(holders: Sequence[Holder]) -> Sequence[Holder]:
    """Of many, who lacks something before who has it, for only the first are shown; of few, as they are."""
    if len(holders) <= LONG:
        return holders
    return sorted(holders, key=lambda each: _HOLDERS.index(each.state))


def next_address(request: Request, after: str | None) -> str:
    """Where the next page of the same search is; empty at the end."""
    if after is None:
        return ""
    kept = {name: value for name, value in request.query_params.items() if name != "after" and value}
    return f"{request.url.path}?{urlencode({**kept, 'after': after})}"
