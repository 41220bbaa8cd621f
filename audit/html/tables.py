"""Tables that a screen reader can follow: a caption, scopes, the row's subject as its heading.

table("Versions", ("version", "size"), rows, numbers={1})
"""

from collections.abc import Collection, Iterable, Sequence

from audit.html.markup import LINE, Content, Markup, lines, tag

ROWS_COUNT_MAX = 2_000


def table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Content]],
    *,
    numbers: Collection[int] = (),
    more: str = "`syncline-audit show` names them",
) -> Markup:
    """The first cell of a row is its heading; columns in `numbers` stand at the right.

    At most `ROWS_COUNT_MAX` rows are written, and the page says how many there are beyond; `more` says where.
    """
    body: list[Markup] = []
    left_out = 0
    for row in rows:
        if len(body) < ROWS_COUNT_MAX:
            body.append(_row(row, numbers))
        else:
            left_out += 1
    told = f"{caption} {left_out} more are not shown here: {more}." if left_out else caption
    head = tag(
        "tr",
        *(tag("th", name, scope="col", class_=_number(place, numbers)) for place, name in enumerate(columns)),
    )
    made = tag(
        "table", tag("caption", told), LINE, tag("thead", head), LINE, tag("tbody", LINE, lines(*body), LINE)
    )
    # A wide table scrolls by itself; a keyboard must be able to reach it.
    return tag("div", made, class_="wide", role="region", aria_label=caption, tabindex=0)


def _row(row: Sequence[Content], numbers: Collection[int]) -> Markup:
    first, *rest = row
    return tag(
        "tr",
        tag("th", first, scope="row", class_=_number(0, numbers)),
        *(_cell(value, _number(place, numbers)) for place, value in enumerate(rest, start=1)),
    )


def _cell(value: Content, class_: str | None) -> Markup:
    if isinstance(value, Markup) and value.startswith("<td"):
        return value
    return tag("td", value, class_=class_)


def _number(place: int, numbers: Collection[int]) -> str | None:
    return "number" if place in numbers else None
