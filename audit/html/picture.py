"""Draws a timeline as SVG, within the page: a row a subject, a shape a kind, words beside and below.

    picture(lay_out(story), "mekong"), legend(timeline.kinds)

Rules: shape and label say what colour says too; colours come from the page's stylesheet, so that dark screens
and paper have their own; every mark tells its story to a pointer and to a screen reader, and the tables below
the picture hold the same facts.
"""

from collections.abc import Iterator

from audit.html.markup import LINE, Markup, join, lines, tag
from audit.plain import day, instant
from audit.timeline import Column, Kind, Mark, Row, Timeline

_WIDTH = 1000.0
_LEFT = 172.0
_RIGHT = 966.0
_AXIS_HEIGHT = 46.0
_HEADING_HEIGHT = 30.0
_ROW_HEIGHT = 46.0
_LABEL_GAP = 84.0
_BESIDE = 22.0
_TOLD_COUNT_MAX = 12
_NAME_LENGTH_MAX = 22

_SHAPES = {
    Kind.VERSION: tag("circle", r=9),
    Kind.POLICY: tag("path", d="M0,-11 L11,0 L0,11 L-11,0 Z"),
    Kind.DELIVERY: tag("path", d="M-8,-9 L10,0 L-8,9 Z"),
    Kind.ACKNOWLEDGEMENT: join(
        tag("rect", x=-9, y=-9, width=18, height=18, rx=5),
        tag("path", class_="tick", d="M-4.5,0.5 L-1.5,4 L5,-4"),
    ),
    Kind.REGISTRY: tag("rect", x=-8.5, y=-8.5, width=17, height=17),
    Kind.ACT: tag("path", d="M-3.5,-10 H3.5 V-3.5 H10 V3.5 H3.5 V10 H-3.5 V3.5 H-10 V-3.5 H-3.5 Z"),
    Kind.ALARM: join(
        tag("path", d="M0,-11 L11.5,9 L-11.5,9 Z"), tag("path", class_="tick", d="M0,-4 V2.5 M0,5 V6.5")
    ),
}
_CLASSES = {kind: f"mark {kind.name.lower()}" for kind in Kind}


def picture(timeline: Timeline, name: str) -> Markup:
    """The drawing; empty where there is nothing with a time. `name` keeps its ids apart on the page."""
    if not timeline.columns:
        return Markup("")
    heights = [_ROW_HEIGHT + (_HEADING_HEIGHT if row.heading else 0) for row in timeline.rows]
    height = _AXIS_HEIGHT + sum(heights) + 4
    drawn: list[Markup] = []
    top = _AXIS_HEIGHT
    for row, each in zip(timeline.rows, heights, strict=True):
        drawn.append(_row(row, top, top + each, timeline.columns))
        top += each
    return tag(
        "svg",
        LINE,
        tag("title", "Timeline", id=f"{name}-title"),
        tag("desc", _summary(timeline), id=f"{name}-description"),
        lines(*_axis(timeline.columns, height)),
        LINE,
        lines(*drawn),
        xmlns="http://www.w3.org/2000/svg",
        class_="timeline",
        viewBox=f"0 0 {_WIDTH:.0f} {height:.0f}",
        role="img",
        aria_labelledby=f"{name}-title {name}-description",
    )


def legend(kinds: tuple[Kind, ...]) -> Markup:
    """What the shapes mean, as a list beside the picture."""
    return tag(
        "ul",
        *(
            tag(
                "li",
                tag(
                    "svg",
                    tag("g", _SHAPES[kind], class_=_CLASSES[kind]),
                    xmlns="http://www.w3.org/2000/svg",
                    viewBox="-13 -13 26 26",
                    aria_hidden="true",
                ),
                f" {kind.value}",
            )
            for kind in kinds
        ),
        class_="legend",
    )


def _summary(timeline: Timeline) -> str:
    counts = dict.fromkeys(timeline.kinds, 0)
    for row in timeline.rows:
        for mark in row.marks:
            counts[mark.kind] += len(mark.told)
    what = ", ".join(f"{kind.value}: {count}" for kind, count in counts.items())
    first, last = timeline.columns[0].first, timeline.columns[-1].last
    return f"From {instant(first)} to {instant(last)}. {what}. The tables below hold the same facts."


def _x(column: Column) -> float:
    return _LEFT + column.place * (_RIGHT - _LEFT)


def _axis(columns: tuple[Column, ...], height: float) -> Iterator[Markup]:
    shown_at, shown_day = -_LABEL_GAP, ""
    for column in columns:
        x = _x(column)
        yield tag("line", class_="guide", x1=x, x2=x, y1=_AXIS_HEIGHT, y2=height - 4)
        if x - shown_at < _LABEL_GAP:
            continue
        # "22 Nov 2026": long month names would not stand beside each other.
        number, month, year = day(column.first).split()
        date = f"{number} {month[:3]} {year}"
        if date != shown_day:
            yield tag("text", date, class_="date", x=x, y=18, text_anchor="middle")
        yield tag("text", f"{column.first:%H:%M}", class_="hour", x=x, y=35, text_anchor="middle")
        shown_at, shown_day = x, date


def _row(row: Row, top: float, bottom: float, columns: tuple[Column, ...]) -> Markup:
    middle = bottom - _ROW_HEIGHT / 2 - 4
    drawn: list[Markup] = []
    if row.heading:
        drawn.append(tag("line", class_="rule", x1=0, x2=_WIDTH, y1=top, y2=top))
        drawn.append(tag("text", row.heading, class_="group", x=0, y=top + 20))
    name = row.name if len(row.name) <= _NAME_LENGTH_MAX else f"{row.name[: _NAME_LENGTH_MAX - 1]}…"
    drawn.append(tag("text", name, class_="row", x=14, y=middle + 4))
    drawn.append(tag("line", class_="track", x1=_LEFT - 14, x2=_RIGHT + 14, y1=middle, y2=middle))
    for place in sorted({mark.column for mark in row.marks}):
        beside = [mark for mark in row.marks if mark.column == place]
        start = _x(columns[place]) - _BESIDE * (len(beside) - 1) / 2
        drawn += [_mark(mark, start + _BESIDE * number, middle) for number, mark in enumerate(beside)]
    return tag("g", LINE, lines(*drawn), LINE)


def _mark(mark: Mark, x: float, y: float) -> Markup:
    told = list(mark.told[:_TOLD_COUNT_MAX])
    more = len(mark.told) - len(told)
    if more:
        told.append(f"… and {more} more")
    return tag(
        "g",
        tag("title", " | ".join([mark.kind.value, *told])),
        _SHAPES[mark.kind],
        tag("text", mark.label, y=23, text_anchor="middle") if mark.label else None,
        class_=_CLASSES[mark.kind],
        transform=f"translate({x:.1f} {y:.1f})",
    )
