"""Where and when data are: a box on the globe and a span of dates; how several become one. Pure.

Rules: degrees of WGS 84; `west > east` crosses 180°; what is out of range is refused, never wrapped; a
place that is not known is None and says why, never a guess. The union of boxes is the smallest that holds
them all: it crosses 180° only where that makes it smaller.

    unite([Place(bbox=(179.0, -18.0, -179.0, -16.0)), Place(bbox=(177.0, -19.0, 178.0, -17.0))])
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any, cast

Box = tuple[float, float, float, float]

_PROBLEM_LENGTH_MAX = 300
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class NotKnown(Exception):
    """Where or when it is cannot be said; the message is for people."""


@dataclass(frozen=True, slots=True)
class Place:
    """`begin`, `end`: dates. `problem`: why something is not known, for the log; empty where there is nothing
    to say."""

    bbox: Box | None = None
    begin: str | None = None
    end: str | None = None
    problem: str = ""

    def to_json(self) -> bytes:
        """For the pipe and the cache."""
        box = None if self.bbox is None else list(self.bbox)
        fields = {"bbox": box, "begin": self.begin, "end": self.end, "problem": self.problem}
        return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace")

    @classmethod
    def from_json(cls, data: bytes | str) -> "Place":
        """Read what `to_json` writes, strictly: who wrote it has read hostile files. Raises `NotKnown`."""
        try:
            value: Any = json.loads(data)
            fields = cast("dict[str, Any]", value)
            box, begin, end = fields["bbox"], fields["begin"], fields["end"]
            problem = str(fields["problem"])[:_PROBLEM_LENGTH_MAX]
            found = None if box is None else check_box([float(each) for each in box])
            period = (None, None) if begin is None and end is None else check_period(begin, end)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise NotKnown("the reader's answer cannot be understood") from error
        return cls(found, *period, problem)


def check_box(values: Sequence[float]) -> Box:
    """West, south, east, north in range. Raises `NotKnown`."""
    if len(values) != 4 or not all(math.isfinite(each) for each in values):
        raise NotKnown("its extent is not four numbers")
    west, south, east, north = (float(each) for each in values)
    if not (-180.0 <= west <= 180.0 and -180.0 <= east <= 180.0):
        raise NotKnown(f"longitudes {west:g} to {east:g} are out of range")
    if not -90.0 <= south <= north <= 90.0:
        raise NotKnown(f"latitudes {south:g} to {north:g} are out of range")
    return west, south, east, north


def check_period(begin: object, end: object) -> tuple[str, str]:
    """Two days, in order. Raises `NotKnown`."""
    days: list[str] = []
    for each in (begin, end):
        if not isinstance(each, str) or not _DAY.fullmatch(each):
            raise NotKnown("its dates cannot be read")
        try:
            date.fromisoformat(each)
        except ValueError as error:
            raise NotKnown("its dates cannot be read") from error
        days.append(each)
    if days[0] > days[1]:
        raise NotKnown("its dates are in the wrong order")
    return days[0], days[1]


def unite(places: Iterable[Place]) -> Place:
    """One place that holds all that is known of `places`."""
    boxes = Boxes()
    begins: list[str] = []
    ends: list[str] = []
    for place in places:
        if place.bbox is not None:
            boxes.add(place.bbox)
        if place.begin is not None and place.end is not None:
            begins.append(place.begin)
            ends.append(place.end)
    return Place(boxes.union(), min(begins, default=None), max(ends, default=None))


class Boxes:
    """The union of many boxes, in little memory."""

    _KEPT = 512

    def __init__(self) -> None:
        self._arcs: list[tuple[float, float]] = []
        self._south = math.inf
        self._north = -math.inf

    def add(self, box: Box) -> None:
        """One more."""
        west, south, east, north = box
        self._south, self._north = min(self._south, south), max(self._north, north)
        self._arcs += [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
        if len(self._arcs) > 2 * self._KEPT:
            self._arcs = _merged(self._arcs)
            if len(self._arcs) > self._KEPT:
                self._arcs = _coarse(self._arcs, self._KEPT)

    def union(self) -> Box | None:
        """The smallest box that holds all; None where there was none."""
        arcs = _merged(self._arcs)
        if not arcs:
            return None
        west, east = arcs[0][0], arcs[-1][1]
        widest = west + 360.0 - east
        for (_, left), (right, _) in pairwise(arcs):
            if right - left > widest:
                widest, west, east = right - left, right, left
        return west, self._south, east, self._north


def _merged(arcs: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same, without overlaps, from west to east."""
    made: list[tuple[float, float]] = []
    for west, east in sorted(arcs):
        if made and west <= made[-1][1]:
            made[-1] = made[-1][0], max(made[-1][1], east)
        else:
            made.append((west, east))
    return made


def _coarse(arcs: list[tuple[float, float]], count: int) -> list[tuple[float, float]]:
    """Neighbours joined over the smallest gaps, until `count` are left."""
    gaps = sorted(range(len(arcs) - 1), key=lambda at: arcs[at + 1][0] - arcs[at][1])
    closed = set(gaps[: len(arcs) - count])
    made = [arcs[0]]
    for at, arc in enumerate(arcs[1:]):
        if at in closed:
            made[-1] = made[-1][0], arc[1]
        else:
            made.append(arc)
    return made
