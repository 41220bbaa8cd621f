"""What the nodes' reports mean for the operator: in sync, late, troubled. Pure.

    for node in look(reports, now, limits):
        node.state                          # "in sync", "behind", "trouble", "late"

A report is a node's own word and may hold anything (docs/formats/status.md says what it should):
whatever is not of the expected kind is passed over, and every text is shown bounded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from core.limits import Limits
from core.names import NodeName, PartnerId
from hub.services.fleet import NodeReport

_REPORTS_MISSED_MAX = 3
_PROBLEMS_SHOWN_MAX = 5
_TEXT_LENGTH_MAX = 300


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node. `problems` in the node's own words, the first few."""

    partner: PartnerId
    node: NodeName
    last_report: datetime
    state: str
    problems: tuple[str, ...]


def look(reports: Sequence[NodeReport], now: datetime, limits: Limits) -> list[NodeView]:
    """Each node's standing, in the order of the reports."""
    return [_look(report, now, limits) for report in reports]


def _look(report: NodeReport, now: datetime, limits: Limits) -> NodeView:
    datasets = [*_tables(report.status.get("publish")), *_tables(report.status.get("mirrors"))]
    faults = _table(report.status.get("faults"))
    problems = [f"{name}: {_message(fault)}" for name, fault in faults.items()]
    problems += [problem for dataset in datasets for problem in _problems(dataset)]
    silent_s = (now - report.time).total_seconds()
    if silent_s > _REPORTS_MISSED_MAX * limits.report_every_s:
        state = "late"
    elif problems:
        state = "trouble"
    elif any(_is_behind(dataset) for dataset in datasets):
        state = "behind"
    else:
        state = "in sync"
    shown = tuple(problem[:_TEXT_LENGTH_MAX] for problem in problems[:_PROBLEMS_SHOWN_MAX])
    return NodeView(report.partner, report.node, report.time, state, shown)


def _problems(dataset: Mapping[str, Any]) -> list[str]:
    name = dataset.get("dataset")
    label = name if isinstance(name, str) else "a dataset"
    attention = dataset.get("attention")
    found = [f"{label}: {text}" for text in _items(attention) if isinstance(text, str)]
    if dataset.get("error") is not None:
        found.append(f"{label}: {_message(dataset['error'])}")
    return found


def _message(fault: object) -> str:
    table = _table(fault)
    parts = [table.get("message"), table.get("remedy")]
    return " → ".join(part for part in parts if isinstance(part, str) and part) or "a fault without words"


def _is_behind(dataset: Mapping[str, Any]) -> bool:
    left, wanted = dataset.get("bytes_left"), dataset.get("wanted_seq")
    return (isinstance(left, int) and left > 0) or (wanted is not None and wanted != dataset.get("seq"))


def _items(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _table(value: object) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _tables(value: object) -> list[Mapping[str, Any]]:
    return [_table(item) for item in _items(value) if isinstance(item, dict)]
