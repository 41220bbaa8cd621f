"""What happened: one list of the log's leaves and of the events beside it, the newest first.

A million leaves cost no more than a thousand: rows are found by index, and what no index tells is looked at
in bounded steps (`hub.overview.backwards`); a page may then be short, and `next` still goes on. A page ends
where one of the two lists has not been read further: nothing stands out of its order in time.

    page = reader.page(EventSearch(partner="la-dgm", severity="warning"))
    reader.page(EventSearch(after=page.next))
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core.clock import format_instant, parse_instant
from core.errors import InvalidInput
from hub.overview import backwards, claims, leaf_words
from hub.overview.backwards import Conditions, Walk, not_by_index
from hub.overview.model import EventPage, EventView, Message
from hub.overview.search import EventSearch
from hub.services.context import Context
from hub.storage import schema

_AFTER = re.compile(r"l([0-9]{1,15})\.e([0-9]{1,15})", re.ASCII)
_END = 2**53
_TEXT_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class _Lane:
    """One of the two lists: what was found (with its number and time), and where it was not read further.

    `unread`: (number, time) of the first row that was not looked at; None: there is none.
    """

    found: Sequence[tuple[int, str, EventView]]
    unread: tuple[int, str] | None


class EventReader:
    """Answers `events`. Thread-safe."""

    def __init__(self, context: Context) -> None:
        self._database = context.database

    def page(self, search: EventSearch) -> EventPage:
        """Events that match. Raises `InvalidInput` for an `after` that is none."""
        leaf_before, event_before = _position(search.after)
        with self._database.read() as connection:
            leaves = _leaves(connection, search, leaf_before)
            events = _events(connection, search, event_before)
        return _merged(leaves, events, search.count)


def _position(after: str | None) -> tuple[int, int]:
    if after is None:
        return _END, _END
    match = _AFTER.fullmatch(after)
    if match is None:
        raise InvalidInput(f"{after!r} is no place in the list of events", remedy="begin at its top")
    return int(match[1]), int(match[2])


def _merged(leaves: _Lane, events: _Lane, count: int) -> EventPage:
    """Both lists by time, leaves first in the same second."""
    shown: list[EventView] = []
    at = [0, 0]
    lanes = (leaves, events)
    while len(shown) < count:
        heads = [_head(lane, place) for lane, place in zip(lanes, at, strict=True)]
        chosen = 0 if heads[0] is not None and (heads[1] is None or heads[0] >= heads[1]) else 1
        if heads[chosen] is None or at[chosen] >= len(lanes[chosen].found):
            break  # the end, or what comes next in time was not read
        shown.append(lanes[chosen].found[at[chosen]][2])
        at[chosen] += 1
    ends = [_next(lane, place) for lane, place in zip(lanes, at, strict=True)]
    after = None if ends == [0, 0] else f"l{ends[0]}.e{ends[1]}"
    return EventPage(events=tuple(shown), next=after)


def _head(lane: _Lane, place: int) -> str | None:
    """The time of what comes next in a list, read or not; None at its end."""
    if place < len(lane.found):
        return lane.found[place][1]
    return None if lane.unread is None else lane.unread[1]


def _next(lane: _Lane, place: int) -> int:
    """The number below which the list goes on; 0 at its end."""
    if place < len(lane.found):
        return lane.found[place][0] + 1
    return 0 if lane.unread is None else lane.unread[0] + 1


# --- the two lists -----------------------------------------------------------------------------------------


def _leaves(connection: sa.Connection, search: EventSearch, before: int) -> _Lane:
    table = schema.leaves
    arms = _leaf_arms(search)
    if before <= 0 or not arms:
        return _Lane((), None)
    columns = (table.c.time, table.c.type, table.c.actor, table.c.object, table.c.record)
    filters = [*_leaf_filters(search), *_in_time(search, table.c.time)]
    stretch, before = _stretch(connection, search, table.c.idx, table.c.time, columns, arms, filters, before)
    records = [leaf_words.record_of(row) for row in stretch.rows]
    seqs = _seqs(connection, stretch.rows, records)
    found: list[tuple[int, str, EventView]] = []
    for row, record in zip(stretch.rows, records, strict=True):
        told = leaf_words.told(row, record, seqs)
        view = EventView(
            id=f"l{row.idx}",
            time=parse_instant(row.time),
            severity=told.severity,
            message=told.message,
            partner=told.partner,
            node=told.node,
            dataset=told.dataset,
            user=told.user,
            actor=told.actor,
            leaf=row.idx,
            kind=row.type,
        )
        found.append((row.idx, row.time, view))
    return _Lane(found, _unread(connection, table.c.idx, table.c.time, stretch.until))


def _leaf_arms(search: EventSearch) -> list[Conditions]:
    """Through which index leaves are found; none where no leaf can match."""
    table = schema.leaves
    types = [
        type_
        for type_ in leaf_words.TYPES
        if search.kind in (None, type_) and search.severity in (None, *_severities(type_))
    ]
    if not types:
        return []
    if search.dataset is not None:
        return [(table.c.object == search.dataset,)]
    if search.partner is not None:
        return [(table.c.actor == search.partner,), (table.c.object == search.partner,)]
    if len(types) == len(leaf_words.TYPES):
        return [()]
    return [(table.c.type == type_,) for type_ in types]


def _severities(type_: str) -> set[str]:
    """The severities that leaves of a type may have."""
    return {leaf_words.severity(type_), leaf_words.severity(type_, leaf_words.GRAVE_ACTS[0])}


def _leaf_filters(search: EventSearch) -> list[sa.ColumnElement[bool]]:
    """What the index has not told yet."""
    table = schema.leaves
    filters: list[sa.ColumnElement[bool]] = []
    type_ = not_by_index(table.c.type)
    if search.dataset is not None and search.partner is not None:
        filters.append(not_by_index(table.c.actor) == search.partner)
    if (search.dataset is not None or search.partner is not None) and search.kind is not None:
        filters.append(type_ == search.kind)
    if search.severity is not None:
        grave = sa.func.json_extract(sa.cast(table.c.record, sa.Text), "$.detail.act").in_(
            leaf_words.GRAVE_ACTS
        )
        wanted = {
            "error": type_ == "alarm",
            "warning": sa.or_(type_ == "refusals", sa.and_(type_ == "act", grave)),
            "info": sa.and_(type_.not_in(("alarm", "refusals")), sa.or_(type_ != "act", ~grave)),
        }
        filters.append(wanted[search.severity])
    return filters + _worded(search.text, sa.cast(table.c.record, sa.Text))


def _events(connection: sa.Connection, search: EventSearch, before: int) -> _Lane:
    table = schema.events
    if before <= 0 or search.kind in leaf_words.TYPES:
        return _Lane((), None)
    columns = (
        table.c.time,
        table.c.kind,
        table.c.severity,
        table.c.partner,
        table.c.node,
        table.c.dataset,
        table.c.user,
        table.c.detail,
    )
    arm: Conditions = ()
    filters = _in_time(search, table.c.time)
    if search.dataset is not None:
        arm = (table.c.dataset == search.dataset,)
        if search.partner is not None:
            filters.append(not_by_index(table.c.partner) == search.partner)
    elif search.partner is not None:
        arm = (table.c.partner == search.partner,)
    elif search.kind is not None:
        arm = (table.c.kind == search.kind,)
    if search.kind is not None and arm and (search.dataset or search.partner):
        filters.append(not_by_index(table.c.kind) == search.kind)
    if search.severity is not None:
        filters.append(table.c.severity == search.severity)
    words = sa.func.coalesce
    said = table.c.kind + " " + words(table.c.partner, "") + " " + words(table.c.dataset, "") + " "
    said = said + words(table.c.node, "") + " " + words(table.c.user, "") + " " + table.c.detail
    filters += _worded(search.text, said)
    stretch, before = _stretch(
        connection, search, table.c.number, table.c.time, columns, [arm], filters, before
    )
    found = [(row.number, row.time, _event(row)) for row in stretch.rows]
    return _Lane(found, _unread(connection, table.c.number, table.c.time, stretch.until))


def _event(row: Any) -> EventView:
    try:
        detail = claims.table(json.loads(row.detail))
    except (ValueError, RecursionError):
        detail = {}
    params: dict[str, str | int | None] = {
        name: value if isinstance(value, int) else claims.text(value, _TEXT_LENGTH_MAX)
        for name, value in detail.items()
        if isinstance(value, int | str)
    }
    subjects = {"partner": row.partner, "node": row.node, "dataset": row.dataset, "user": row.user}
    said = {name: claims.text(value, _TEXT_LENGTH_MAX) for name, value in subjects.items() if value}
    return EventView(
        id=f"e{row.number}",
        time=parse_instant(row.time),
        severity=row.severity if row.severity in ("info", "warning", "error") else "info",
        message=Message(code=row.kind, params={**said, **params}),
        partner=said.get("partner"),
        node=said.get("node"),
        dataset=said.get("dataset"),
        user=None,  # an event is nobody's doing: a user whom it is about stands in its words
        leaf=None,
        kind=row.kind,
    )


# --- what both have in common ------------------------------------------------------------------------------


def _stretch(
    connection: sa.Connection,
    search: EventSearch,
    number: Any,
    time: Any,
    columns: Sequence[Any],
    arms: Sequence[Conditions],
    filters: Conditions,
    before: int,
) -> tuple[backwards.Stretch, int]:
    floor = 0
    if search.since is not None:
        floor = backwards.first_since(connection, number, time, format_instant(search.since))
    if search.until is not None:
        margin = 2 * backwards.CLOCK_SET_BACK_COUNT
        until = backwards.first_since(connection, number, time, format_instant(search.until))
        before = min(before, until + margin)
    walk = Walk(number, columns, arms, filters, floor)
    return backwards.read(connection, walk, before, search.count + 1), before


def _unread(connection: sa.Connection, number: Any, time: Any, until: int) -> tuple[int, str] | None:
    """The first row below `until`, if there is one."""
    if until <= 0:
        return None
    row = connection.execute(
        sa.select(number, time).where(number < until).order_by(number.desc()).limit(1)
    ).one_or_none()
    return None if row is None else (row[0], row[1] or "")


def _in_time(search: EventSearch, time: Any) -> list[sa.ColumnElement[bool]]:
    column, found = not_by_index(time), list[sa.ColumnElement[bool]]()
    if search.since is not None:
        found.append(column >= format_instant(search.since))
    if search.until is not None:
        found.append(column < format_instant(search.until))
    return found


def _worded(text: str, said: Any) -> list[sa.ColumnElement[bool]]:
    """Each word stands somewhere in what is said, as JSON writes it."""
    return [
        said.contains(json.dumps(word, ensure_ascii=False)[1:-1], autoescape=True) for word in text.split()
    ]


def _seqs(connection: sa.Connection, rows: Sequence[Any], records: Sequence[Any]) -> dict[str, int]:
    """Sequence numbers of the versions and registries that these leaves name by id."""
    versions, registries = schema.versions, schema.registry_statements
    named = {leaf_words.named_version(row, record) for row, record in zip(rows, records, strict=True)}
    listed = {
        str(record.get("registry"))
        for row, record in zip(rows, records, strict=True)
        if row.type == "registry"
    }
    found: dict[str, int] = {}
    for table, ids in ((versions, named - {None}), (registries, listed)):
        if ids:
            query = sa.select(table.c.id, table.c.seq).where(table.c.id.in_(ids))
            found.update((row.id, row.seq) for row in connection.execute(query))
    return found
