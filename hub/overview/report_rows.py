"""What a report says of datasets, row by row. A row in the very words of the last report is not read again.

Nearly all rows of a report are those of the one before, and to read them takes most of a report's time.
What tells that a row is the same is its bytes: `True`, `1` and `1.0` are equal to Python, and not the same
claim. A row with an error is always read: the error's instant is cut back to when the report came.

    rows = read_rows(value["publish"], received, before, with_facts=True)
    rows.works, rows.facts, rows.problems
"""

import marshal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.overview import claims
from hub.overview.model import Fault, Source, Work
from sync.maintenance import PERIODS

MESSAGE_LENGTH_MAX = 500
WORD_LENGTH_MAX = 64
_DATASETS_COUNT_MAX = 5_000
_ATTENTION_COUNT_MAX = 10
_BRANCHES = frozenset({"InvalidInput", "Untrusted", "Denied", "Conflict", "Unavailable", "Corrupt"})

#: The reason of a problem that is no fault: a line for a person about a dataset.
ATTENTION = "ATTENTION"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a publishing node declares or has extracted about a dataset. All None: nothing."""

    dataset: str
    update_frequency: str | None
    next_update: datetime | None
    bbox: tuple[float, float, float, float] | None
    bbox_source: Source
    begin: str | None
    end: str | None
    period_source: Source


@dataclass(frozen=True, slots=True)
class _Row:
    work: Work
    facts: Facts | None
    problems: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that name a dataset, the first of each. `known`: what need not be read again, by its bytes."""

    works: tuple[Work, ...] = ()
    facts: tuple[Facts, ...] = ()
    problems: tuple[Fault, ...] = ()
    known: Mapping[bytes, _Row] = field(default_factory=dict[bytes, _Row])


NO_ROWS = Rows()


def read_rows(value: object, received: datetime, before: Rows = NO_ROWS, *, with_facts: bool = False) -> Rows:
    """The rows in a member of a report that came at `received`; `before`: the same member of the node's last
    one. `with_facts` for rows of who publishes."""
    found: dict[str, _Row] = {}
    known: dict[bytes, _Row] = {}
    for said in claims.tables(value, _DATASETS_COUNT_MAX):
        key = _bytes(said)
        row = before.known.get(key) or _row(said, received, with_facts=with_facts)
        if row is None:
            continue
        found.setdefault(row.work.dataset, row)
        if key and row.work.error is None:
            known[key] = row
    rows = found.values()
    return Rows(
        works=tuple([row.work for row in rows]),
        facts=tuple([row.facts for row in rows if row.facts is not None]),
        problems=tuple([problem for row in rows for problem in row.problems]),
        known=known,
    )


def _bytes(row: dict[str, Any]) -> bytes:
    """The row with all its types; the same for the same words. None of it is ever read back."""
    try:
        # Version 2: the later ones depend on which texts are the same object.
        return marshal.dumps(row, 2)
    except ValueError:  # too deep
        return b""


def _row(said: Mapping[str, Any], received: datetime, *, with_facts: bool) -> _Row | None:
    dataset = claims.dataset(said.get("dataset"))
    if dataset is None:
        return None
    work = _work(dataset, said, received)
    return _Row(work, _facts(dataset, said) if with_facts else None, tuple(_problems(work)))


def read_fault(value: object, received: datetime, about: str = "") -> Fault:
    """What is wrong, whatever `value` holds."""
    table = claims.table(value)
    branch = claims.text(table.get("branch"), WORD_LENGTH_MAX)
    return Fault(
        branch=branch if branch in _BRANCHES else "",
        reason=claims.text(table.get("reason"), WORD_LENGTH_MAX),
        message=claims.text(table.get("message"), MESSAGE_LENGTH_MAX) or "a fault without words",
        remedy=claims.text(table.get("remedy"), MESSAGE_LENGTH_MAX),
        since=claims.past(table.get("since"), received),
        about=about or claims.text(table.get("about"), 2 * WORD_LENGTH_MAX),
    )


def _work(dataset: str, row: Mapping[str, Any], received: datetime) -> Work:
    lines = claims.items(row.get("attention"), _ATTENTION_COUNT_MAX)
    error = row.get("error")
    return Work(
        dataset=dataset,
        state=claims.text(row.get("state"), WORD_LENGTH_MAX),
        seq=claims.size(row.get("seq")),
        wanted_seq=claims.size(row.get("wanted_seq")),
        bytes_left=claims.size(row.get("bytes_left")) or 0,
        rate_bytes_s=claims.size(row.get("rate_bytes_s")) or 0,
        held=claims.size(row.get("held")) or 0,
        skipped=claims.size(row.get("skipped")) or 0,
        attention=tuple(line for each in lines if (line := claims.text(each, MESSAGE_LENGTH_MAX))),
        error=None if error is None else read_fault(error, received, about=dataset),
    )


def _problems(work: Work) -> list[Fault]:
    found = [] if work.error is None else [work.error]
    lines = (
        Fault(branch="", reason=ATTENTION, message=line, remedy="", since=None, about=work.dataset)
        for line in work.attention
    )
    return [*found, *lines]


def _facts(dataset: str, row: Mapping[str, Any]) -> Facts:
    frequency = row.get("update_frequency")
    footprint = claims.table(row.get("footprint"))
    bbox = claims.box(footprint.get("bbox"))
    begin, end = claims.period_end(footprint.get("begin")), claims.period_end(footprint.get("end"))
    known = begin is not None or end is not None
    return Facts(
        dataset=dataset,
        update_frequency=frequency if isinstance(frequency, str) and frequency in PERIODS else None,
        next_update=claims.day(row.get("next_update")),
        bbox=bbox,
        bbox_source=_source(footprint.get("bbox_source")) if bbox else "unknown",
        begin=begin,
        end=end,
        period_source=_source(footprint.get("period_source")) if known else "unknown",
    )


def _source(value: object) -> Source:
    return "declared" if value == "declared" else "extracted" if value == "extracted" else "unknown"
