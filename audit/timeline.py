"""Lays out a story in time: rows of marks, and columns of instants that need not be equally far apart.

    line = lay_out(story)
    line.columns[3].first, line.rows[0].name, line.rows[0].marks[0].column

Rules: the order is exact. Quiet times are drawn shorter than busy ones, or a year of silence would push a
day's work into one point. Where there are more instants than a picture can show, neighbours share a column,
and marks of one kind in it become one mark with their number. Kinds differ by shape, not by colour alone.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from itertools import pairwise

from audit.plain import instant, joined
from audit.story import DatasetStory, Story
from audit.wording import acknowledged_words, delivered_words, policy_heading, version_name, version_words

COLUMNS_COUNT_MAX = 24
RECIPIENTS_COUNT_MAX = 20
_QUIET_UNIT_S = 60.0


class Kind(Enum):
    """What a mark stands for."""

    VERSION = "version published"
    POLICY = "policy in force"
    DELIVERY = "version delivered"
    ACKNOWLEDGEMENT = "receipt acknowledged"
    REGISTRY = "members or keys changed"
    ACT = "operator's or partner's act"
    ALARM = "alarm of a witness"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `label` is short; `told` is a sentence."""

    at: datetime
    kind: Kind
    label: str
    told: str


@dataclass(frozen=True, slots=True)
class Column:
    """Instants that share a place on the line; `place` is from 0 to 1."""

    first: datetime
    last: datetime
    place: float


@dataclass(frozen=True, slots=True)
class Mark:
    """Events of one kind in one column of a row."""

    column: int
    kind: Kind
    label: str
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of marks. `heading` begins a group (a dataset) above this row, where it is not empty."""

    heading: str
    name: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """All rows over the same columns."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds that occur, in the order of `Kind`."""
        found = {mark.kind for row in self.rows for mark in row.marks}
        return tuple(kind for kind in Kind if kind in found)


def lay_out(story: Story, columns_max: int = COLUMNS_COUNT_MAX) -> Timeline:
    """Everything in the story that has a time."""
    lines = [(heading, name, list(events)) for heading, name, events in _lines(story)]
    lines = [line for line in lines if line[2]]
    columns = _columns({event.at for _, _, events in lines for event in events}, columns_max)
    return Timeline(
        columns, tuple(Row(heading, name, _marks(events, columns)) for heading, name, events in lines)
    )


def _lines(story: Story) -> Iterable[tuple[str, str, Iterable[Event]]]:
    for dataset in story.datasets:
        yield dataset.dataset, "versions", _versions(dataset)
        yield "", "policies", _policies(dataset)
        by_partner: dict[str, list[Event]] = {}
        for partner, event in _holdings(dataset):
            by_partner.setdefault(partner, []).append(event)
        names = sorted(by_partner)
        for name in names[:RECIPIENTS_COUNT_MAX]:
            yield "", name, by_partner[name]
        others = names[RECIPIENTS_COUNT_MAX:]
        if others:
            yield "", f"{len(others)} others", [event for name in others for event in by_partner[name]]
    yield (story.federation or "federation", "registry", _registry(story))
    yield "", "acts, alarms", _acts(story)


def _versions(dataset: DatasetStory) -> Iterable[Event]:
    for each in dataset.versions:
        yield Event(
            each.when.at, Kind.VERSION, str(each.seq), f"{version_words(each)}, {instant(each.when.at)}"
        )


def _policies(dataset: DatasetStory) -> Iterable[Event]:
    for each in dataset.policies:
        yield Event(each.when.at, Kind.POLICY, str(each.seq), policy_heading(each))


def _holdings(dataset: DatasetStory) -> Iterable[tuple[str, Event]]:
    for each in dataset.holdings:
        label = "" if each.version_seq is None else str(each.version_seq)
        told = f"{each.partner}: {version_name(each)}"
        if each.delivered is not None:
            words = f"{told}, {delivered_words(each)}"
            yield each.partner, Event(each.delivered.at, Kind.DELIVERY, label, words)
        for one in each.acknowledged:
            words = f"{told}, {acknowledged_words(each)}"
            yield each.partner, Event(one.when.at, Kind.ACKNOWLEDGEMENT, label, words)


def _registry(story: Story) -> Iterable[Event]:
    for each in story.registry:
        told = f"statement {each.seq}: {joined(each.changes)}, {instant(each.signed)}"
        yield Event(each.signed, Kind.REGISTRY, str(each.seq), told)


def _acts(story: Story) -> Iterable[Event]:
    for each in story.acts:
        kind = Kind.ALARM if each.alarm else Kind.ACT
        yield Event(each.when.at, kind, "", f"{each.words}, about {each.object}, {instant(each.when.at)}")


def _columns(instants: Iterable[datetime], columns_max: int) -> tuple[Column, ...]:
    """At most `columns_max` groups of neighbours, cut at the widest gaps, spread by how long it was quiet."""
    ordered = sorted(instants)
    gaps = [after - before for before, after in pairwise(ordered)]
    widest = sorted(range(len(gaps)), key=lambda place: (-gaps[place], place))[: columns_max - 1]
    cuts = sorted(place + 1 for place in widest)
    groups = [ordered[begin:end] for begin, end in pairwise([0, *cuts, len(ordered)]) if begin < end]
    quiet = [_weight(after[0] - before[-1]) for before, after in pairwise(groups)]
    # Half of the width is shared equally, so that two neighbours never fall together.
    equal, total = 0.5 / max(1, len(quiet)), sum(quiet) or 1.0
    places = [0.0]
    for weight in quiet:
        places.append(places[-1] + equal + 0.5 * weight / total)
    return tuple(Column(group[0], group[-1], place) for group, place in zip(groups, places, strict=False))


def _weight(gap: timedelta) -> float:
    return math.log2(1 + gap.total_seconds() / _QUIET_UNIT_S)


def _marks(events: Sequence[Event], columns: Sequence[Column]) -> tuple[Mark, ...]:
    together: dict[tuple[int, Kind], list[Event]] = {}
    for event in sorted(events, key=lambda each: each.at):
        column = next(place for place, each in enumerate(columns) if event.at <= each.last)
        together.setdefault((column, event.kind), []).append(event)
    return tuple(
        Mark(column, kind, _label(group), tuple(event.told for event in group))
        for (column, kind), group in sorted(together.items(), key=lambda item: (item[0][0], item[1][0].at))
    )


def _label(group: Sequence[Event]) -> str:
    labels = list(dict.fromkeys(event.label for event in group if event.label))
    if len(group) == 1 or (len(labels) == 1 and labels[0]):
        return labels[0] if labels else ""
    numbers = sorted(int(label) for label in labels if label.isdigit())
    if len(numbers) == len(labels) == len(group) and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]}–{numbers[-1]}"
    return f"×{len(group)}"
