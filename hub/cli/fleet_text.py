"""The fleet as lines for a terminal: what needs a person, the counts, then partners, the worst first. Pure.

* Columns are as wide as `core.terminal.width` says (marks of Lao, Thai, Khmer and Burmese that combine take
  none, Chinese characters two), so that they stay aligned; a text that must be shortened is cut between
  letters, never between a letter and its marks.
* On a narrow terminal columns go, the least telling first: partner, state, lag and when it was last seen
  stay. Where no terminal bounds them, nothing is cut.
* A line is pieces of text, each with the state or severity that colours it; without colours it says the same.

    for line in fleet_lines(view, width=80):
        print(plain(line))
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from core.logs import printable
from core.terminal import bytes_text, pad, width
from hub.overview.model import Attention, FleetView, NodeLine, PartnerLine
from hub.overview.wording import duration, say, word

_GAP = "  "
_BLOCKS = "▁▂▃▄▅▆▇█"
_NAME_COLUMNS_MAX = 34
_NAME_COLUMNS_MIN = 12

#: What stands before a state, for those who see no colours.
MARKS: Mapping[str, str] = {
    "alarm": "‼",
    "silent": "✖",
    "trouble": "!",
    "stuck": "‖",
    "no report yet": "?",
    "behind": "↓",
    "in sync": "✓",
    "left": "·",
}


class Piece(NamedTuple):
    """A text, and the state or severity whose colour it takes; empty: none."""

    text: str
    tone: str = ""


Row = list[Piece]


def plain(line: Sequence[Piece]) -> str:
    """The line without colours, and without spaces at its end."""
    return "".join(piece.text for piece in line).rstrip()


def fleet_lines(view: FleetView, columns: int | None = None, attention_max: int | None = None) -> list[Row]:
    """Everything that Fleet shows. `columns` None: as wide as it takes; `attention_max`: lines of that."""
    lines = [*attention_lines(view.attention, attention_max)]
    if lines:
        lines.append([])
    lines += [[Piece(text)] for text in count_lines(view)]
    if view.partners:
        lines += [[], *table_lines(view.partners, view.hub.time, columns)]
    return lines if columns is None else [_fitted(line, columns) for line in lines]


def attention_lines(found: Sequence[Attention], count_max: int | None = None) -> Iterator[Row]:
    """Two lines each: what it is, and what to do. `count_max` lines at the most."""
    fits = count_max is None or 2 * len(found) <= count_max
    shown = found if fits else found[: max(1, (count_max or 0) // 2)]
    for each in shown:
        mark = "!" if each.urgent else "·"
        yield [Piece(f"{mark} ", each.severity), Piece(printable(say(each.message)), each.severity)]
        remedy = say(each.remedy)
        yield [Piece(f"  → {printable(f'{remedy}: {each.command}' if each.command else remedy)}")]
    if not fits:
        yield [Piece(f"  … and {len(found) - len(shown)} more")]


def count_lines(view: FleetView) -> Iterator[str]:
    """The numbers at the top."""
    counts = view.counts
    states = ", ".join(f"{number} {word(state)}" for state, number in counts.by_state.items())
    yield f"{_many(counts.partners, 'partner')}, {_many(counts.nodes, 'node')}{states and ': ' + states}"
    fresh = ", ".join(f"{number} {word(name)}" for name, number in counts.datasets_by_freshness.items())
    versions = _many(counts.versions, "version")
    yield f"{_many(counts.datasets, 'dataset')} with {versions}{fresh and ': ' + fresh}"
    yield f"{bytes_text(counts.backlog_bytes)} to move, {bytes_text(counts.rate_bytes_s)}/s now"


def table_lines(partners: Sequence[PartnerLine], now: datetime, columns: int | None) -> Iterator[Row]:
    """A header, a line for each partner, and one for each node of those that have several."""
    rows = [row for partner in partners for row in _rows(partner, now)]
    header = _Row({name: Piece(name) for name in _COLUMNS})
    widths = {name: max(width(row.cells[name].text) for row in [header, *rows]) for name in _COLUMNS}
    shown = _shown(widths, columns)
    for row in [header, *rows]:
        if row.is_node and "node" not in shown:
            continue
        line: Row = []
        for name in shown:
            piece = row.cells[name]
            text = pad(cut(piece.text, widths[name]), widths[name], right=name in _AT_THE_RIGHT)
            line += [Piece(text, piece.tone), Piece(_GAP)]
        yield line[:-1]


def spark(backlog: Sequence[int | None]) -> str:
    """The last day in blocks, two steps each; a space where nothing is known."""
    pairs = [backlog[place : place + 2] for place in range(0, len(backlog), 2)]
    points = [max((each for each in pair if each is not None), default=None) for pair in pairs]
    most = max((each for each in points if each is not None), default=0)
    top = len(_BLOCKS) - 1
    return "".join(
        " " if each is None else _BLOCKS[0 if most == 0 else -(-each * top // most)] for each in points
    )


def cut(text: str, columns: int) -> str:
    """`text`, shortened with `…` if it takes more than `columns`."""
    if width(text) <= columns:
        return text
    kept: list[str] = []
    used = 0
    for cluster in _clusters(text):
        used += width(cluster)
        if used > columns - 1:
            break
        kept.append(cluster)
    return "".join(kept) + "…"


def short(seconds: float | None) -> str:
    """A duration in a few columns."""
    return (
        ""
        if seconds is None
        else duration(seconds).replace(" minutes", " min").replace(" hours", " h").replace(" days", " d")
    )


# --- the table ---------------------------------------------------------------------------------------------

_COLUMNS = ("partner", "name", "node", "state", "lag", "left", "rate", "seen", "last day", "late")
_AT_THE_RIGHT = frozenset({"lag", "left", "rate", "seen", "late"})
#: What goes first where there is no room.
_DISPENSABLE = ("name", "last day", "rate", "late", "node", "left")


class _Row(NamedTuple):
    cells: Mapping[str, Piece]
    is_node: bool = False


def _rows(partner: PartnerLine, now: datetime) -> Iterator[_Row]:
    names = partner.names
    alone = partner.nodes[0] if len(partner.nodes) == 1 else None
    state = partner.state if partner.standing == "active" else partner.standing
    yield _Row(
        {
            **_cells(partner, now),
            "partner": Piece(partner.partner),
            "name": Piece(printable(names.get("en") or next(iter(names.values()), ""))),
            "node": Piece(alone.node if alone else f"{len(partner.nodes)} nodes" if partner.nodes else ""),
            "state": _state(state),
            "last day": Piece(spark(partner.backlog)),
            "late": Piece(str(partner.datasets_late) if partner.datasets_late else ""),
        }
    )
    if alone is None:
        for node in partner.nodes:
            yield _Row(
                {
                    **_cells(node, now),
                    "partner": Piece(""),
                    "name": Piece(""),
                    "node": Piece(node.node),
                    "state": _state(node.state),
                    "last day": Piece(""),
                    "late": Piece(""),
                },
                is_node=True,
            )


def _cells(line: PartnerLine | NodeLine, now: datetime) -> dict[str, Piece]:
    seen = None if line.last_seen is None else max(0.0, (now - line.last_seen).total_seconds())
    return {
        "lag": Piece(short(line.lag_s)),
        "left": Piece(bytes_text(line.backlog_bytes) if line.backlog_bytes else ""),
        "rate": Piece(f"{bytes_text(line.rate_bytes_s)}/s" if line.rate_bytes_s else ""),
        "seen": Piece(_seen(line.state, seen)),
    }


def _seen(state: str, seconds: float | None) -> str:
    if seconds is None:  # what a node reported goes with it when it leaves
        return "" if state == "left" else "never"
    return short(seconds)


def _state(state: str) -> Piece:
    return Piece(f"{MARKS.get(state, '·')} {word(state)}", state)


def _shown(widths: dict[str, int], columns: int | None) -> list[str]:
    """The columns that fit; `widths` of those that are cut become narrower."""
    shown = [name for name in _COLUMNS if widths[name] > 0]
    if columns is None:
        return shown
    widths["name"] = natural = min(widths["name"], _NAME_COLUMNS_MAX)

    def excess() -> int:
        return sum(widths[name] for name in shown) + len(_GAP) * (len(shown) - 1) - columns

    widths["name"] = min(natural, max(_NAME_COLUMNS_MIN, natural - max(0, excess())))
    dropped: list[str] = []
    for name in _DISPENSABLE:
        if excess() > 0 and name in shown:
            shown.remove(name)
            dropped.append(name)
    for name in dropped:  # there may be room for one that went before a wide one
        if len(_GAP) + widths[name] <= -excess():
            shown += [name]
    if "name" in shown:
        widths["name"] = min(natural, widths["name"] + max(0, -excess()))
    return [name for name in _COLUMNS if name in shown]


def _fitted(line: Row, columns: int) -> Row:
    """The line, cut where the terminal ends."""
    fitted: Row = []
    left = columns
    for piece in line:
        text = cut(piece.text, left)
        fitted.append(piece._replace(text=text))
        left -= width(text)
        if text != piece.text or left <= 0:
            break
    return fitted


def _clusters(text: str) -> Iterator[str]:
    """Letters with the marks that belong to them."""
    cluster = ""
    for character in text:
        if cluster and not unicodedata.category(character).startswith("M"):
            yield cluster
            cluster = ""
        cluster += character
    if cluster:
        yield cluster


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}".replace(",", " ")
