"""A long table read from its end, in bounded steps, whatever is looked for in it.

Rows have a number that grows. They are found through one or more *arms*, each walking one index from the end;
what an index cannot tell (`filters`) is looked at row by row, for no more than `SCAN_COUNT` rows of each arm.
So an answer may hold fewer rows than asked for, or none, and still say where to go on.

    stretch = read(connection, Walk(leaves.c.idx, columns, arms=[()], filters=[...]), before=4711, count=101)
    stretch.rows, stretch.until           # every row that matches with a number >= until is among the rows
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

#: Rows that are looked at through one arm for one answer.
SCAN_COUNT = 20_000

#: How many rows a clock may be set back over: so much further is looked at both ends of a time.
CLOCK_SET_BACK_COUNT = 1_000

Conditions = Sequence[sa.ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Walk:
    """What to read. `arms`: conditions that an index ending with `number` answers; () is the table itself.

    A row that two arms find is given once. `floor`: rows below it are not looked for.
    """

    number: sa.ColumnElement[int]
    columns: Sequence[sa.ColumnElement[Any]]
    arms: Sequence[Conditions]
    filters: Conditions = ()
    floor: int = 0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows, the newest first, and how far down they are all there are; `until` 0: there are no more."""

    rows: Sequence[Any]
    until: int


def read(connection: sa.Connection, walk: Walk, before: int, count: int) -> Stretch:
    """Up to `count` rows with a number below `before`."""
    found: dict[int, Any] = {}
    until = 0
    for arm in walk.arms:
        rows, reached = _through(connection, walk, arm, before, count)
        found.update((row[0], row) for row in rows)
        until = max(until, reached)
    rows = [found[number] for number in sorted(found, reverse=True) if number >= until]
    if len(rows) > count:
        rows = rows[:count]
        until = rows[-1][0]
    return Stretch(rows, until if until > walk.floor else 0)


def _through(
    connection: sa.Connection, walk: Walk, arm: Conditions, before: int, count: int
) -> tuple[Sequence[Any], int]:
    """The rows of one arm, and down to which number they are all."""
    lowest = walk.floor
    if walk.filters:
        # Found in the index alone: where the step must end.
        end = connection.execute(
            sa.select(walk.number)
            .where(*arm, walk.number < before, walk.number >= walk.floor)
            .order_by(walk.number.desc())
            .offset(SCAN_COUNT)
            .limit(1)
        ).scalar_one_or_none()
        lowest = walk.floor if end is None else end + 1
    rows = connection.execute(
        sa.select(walk.number, *walk.columns)
        .where(*arm, walk.number < before, walk.number >= lowest, *walk.filters)
        .order_by(walk.number.desc())
        .limit(count)
    ).all()
    return rows, rows[-1][0] if len(rows) == count else lowest


def first_since(connection: sa.Connection, number: Any, time: Any, since: str) -> int:
    """The first number whose row is of `since` or later, by bisection; where a clock was set back, some rows
    more. One past the last where there is none."""
    low, high = 0, (connection.execute(sa.select(sa.func.max(number))).scalar_one_or_none() or 0) + 1
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            sa.select(number, time).where(number >= middle).order_by(number).limit(1)
        ).one_or_none()
        if row is None or (row[1] or "") >= since:
            high = middle
        else:
            low = row[0] + 1
    return max(0, low - CLOCK_SET_BACK_COUNT)


def not_by_index(column: Any) -> Any:
    """`column`, for a filter that must not choose the index."""
    return sa.literal_column(f"+{column.table.name}.{column.name}", column.type)
