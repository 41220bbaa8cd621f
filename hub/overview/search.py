"""What to look for among datasets and events: the questions that pages, API and terminal ask.

Bounded and checked on construction; what is wrong with a question is said as `InvalidInput`, never guessed.

    DatasetSearch(text="geology", freshness="late")
    EventSearch.read({"partner": "la-dgm", "severity": "error", "after": "l4711.e12"})     # a query string
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self, cast

from pydantic import ValidationError, field_validator

from core.clock import parse_instant
from core.errors import InvalidInput
from core.names import check_dataset, check_partner
from hub.overview.model import Instant, Severity, View
from sync.maintenance import Freshness

COUNT_MAX = 500
_TEXT_LENGTH_MAX = 200


class Search(View):
    """What every search has: words, how many answers, and where the page before ended."""

    text: str = ""
    after: str | None = None
    count: int = 100

    @field_validator("text", "after")
    @classmethod
    def _short(cls, value: str | None) -> str | None:
        if value is not None and len(value) > _TEXT_LENGTH_MAX:
            raise InvalidInput(f"a search of {len(value)} characters exceeds {_TEXT_LENGTH_MAX}")
        return value

    @field_validator("count")
    @classmethod
    def _page(cls, value: int) -> int:
        if not 1 <= value <= COUNT_MAX:
            raise InvalidInput(f"{value} at once; 1 to {COUNT_MAX} may be asked for")
        return value

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        """A search from texts, as a query string or a form gives them: empty ones count as not given, others
        than those of this search are passed over. Raises `InvalidInput`."""
        given = {name: query[name].strip() for name in cls.model_fields if query.get(name, "").strip()}
        values: dict[str, Any] = dict(given)
        for name in ("since", "until"):
            if name in values:
                values[name] = parse_instant(given[name])
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in cast("tuple[object, ...]", first["loc"]))
            raise InvalidInput(f"{where}: {first['msg']}", remedy="correct the search") from None


class DatasetSearch(Search):
    """Datasets by words (of id, title or theme), owner, theme and freshness."""

    owner: str | None = None
    theme: str | None = None
    freshness: Freshness | None = None

    @field_validator("owner")
    @classmethod
    def _partner(cls, value: str | None) -> str | None:
        return None if value is None else check_partner(value)


class EventSearch(Search):
    """Events by words, severity, whom and what they concern, kind, and time (`since` <= time < `until`).

    `kind`: the type of a leaf (version, policy, delivery, act …) or of an event beside the log.
    """

    severity: Severity | None = None
    partner: str | None = None
    dataset: str | None = None
    kind: str | None = None
    since: Instant | None = None
    until: Instant | None = None

    @field_validator("partner")
    @classmethod
    def _partner(cls, value: str | None) -> str | None:
        return None if value is None else check_partner(value)

    @field_validator("dataset")
    @classmethod
    def _dataset(cls, value: str | None) -> str | None:
        return None if value is None else check_dataset(value)

    @field_validator("since", "until")
    @classmethod
    def _aware(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise InvalidInput("a time needs its zone", remedy="write UTC like 2026-11-22T13:21:00Z")
        return value
