"""One status report, read strictly: a node's own word, which may hold anything (docs/formats/status.md).

* Only what is no JSON object, or larger than it may be, is refused; a member that is not what it should be
  counts as not said. So nothing that a node says can stop a page, and nothing it says is believed to be
  more than it is: instants ahead of the hub's clock are cut back to it, sizes and texts are bounded.
* Who reports, and when it came, is the hub's knowledge, and never read from here.

    report = read_report(data, received=now, limits=limits)      # raises InvalidInput
    report.backlog_bytes, report.problems, report.mirrors[0].seq
    reader.read("la-dgm", "main", data, received=now)            # a ReportReader: report after report
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, cast

from core.errors import InvalidInput
from core.limits import Limits
from hub.overview import claims
from hub.overview.model import Disk, Fault, Watch, Witnessing, Work
from hub.overview.report_rows import (
    ATTENTION,
    NO_ROWS,
    WORD_LENGTH_MAX,
    Facts,
    Rows,
    read_fault,
    read_rows,
)
from hub.services.alarms import ReportedAlarm, alarms_of

__all__ = [
    "ATTENTION",
    "NOT_TO_BE_HAD",
    "Facts",
    "Report",
    "ReportReader",
    "is_behind",
    "parsed",
    "read_report",
    "read_value",
]

_NOTE_LENGTH_MAX = 200
_FAULTS_COUNT_MAX = 32
_DISKS_COUNT_MAX = 16
_ALARMS_COUNT_MAX = 400
_OFFSET_S_MAX = 1e9
_DAYS_MAX = 1e5

#: States of a mirror in which the node can do nothing about a newer version.
NOT_TO_BE_HAD = frozenset(
    {"visible, not granted", "not shared with us", "grant ended", "waiting for content"}
)


@dataclass(frozen=True, slots=True)
class Report:
    """What one report says; empty members are what was not said."""

    version: str | None = None
    started: datetime | None = None
    certificate_expires: datetime | None = None
    certificate_since: datetime | None = None
    signing_key_since: datetime | None = None
    registry_seq: int | None = None
    clock_offset_s: float | None = None
    rate_bytes_s: int = 0
    backlog_bytes: int = 0
    disks: tuple[Disk, ...] = ()
    watch: Watch | None = None
    witness: Witnessing | None = None
    last_error: Fault | None = None
    faults: tuple[Fault, ...] = ()
    alarms: tuple[ReportedAlarm, ...] = ()
    publishes: tuple[Work, ...] = ()
    mirrors: tuple[Work, ...] = ()
    omitted: int = 0
    facts: tuple[Facts, ...] = ()
    problems: tuple[Fault, ...] = ()

    @property
    def is_behind(self) -> bool:
        """Whether there is something to do."""
        return self.backlog_bytes > 0 or any(is_behind(each) for each in self.mirrors)


def is_behind(mirror: Work) -> bool:
    """Whether a mirror lacks something that it may have."""
    if mirror.state in NOT_TO_BE_HAD:
        return False
    return mirror.bytes_left > 0 or (mirror.wanted_seq is not None and mirror.wanted_seq != mirror.seq)


def parsed(data: bytes, limits: Limits) -> Mapping[str, Any]:
    """The report as plain JSON. Raises `InvalidInput` for what is too large or no JSON object."""
    if len(data) > limits.status_bytes_max:
        raise InvalidInput(
            f"a status report of {len(data)} bytes exceeds {limits.status_bytes_max}", reason="TOO_LARGE"
        )
    try:
        value = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("a status report is not JSON", reason="MALFORMED") from error
    if not isinstance(value, dict):
        raise InvalidInput("a status report is not a JSON object", reason="MALFORMED")
    return cast("dict[str, Any]", value)


def read_report(data: bytes, received: datetime, limits: Limits) -> Report:
    """The report that came at `received`, by the hub's clock. Raises `InvalidInput` as `parsed`."""
    return read_value(parsed(data, limits), received)


def read_value(value: Mapping[str, Any], received: datetime) -> Report:
    """The report in a JSON object, whatever that holds."""
    return _read(value, received, _NOTHING_BEFORE)[0]


class ReportReader:
    """Reads the reports of many nodes; what a node says again costs little (`report_rows`). Thread-safe."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._before: dict[tuple[str, str], _Before] = {}

    def read(self, partner: str, node: str, data: bytes, received: datetime) -> Report:
        """As `read_report`, to which it is equal."""
        value = parsed(data, self._limits)
        before = self._before.get((partner, node), _NOTHING_BEFORE)
        report, self._before[partner, node] = _read(value, received, before)
        return report


_Before = tuple[Rows, Rows]
_NOTHING_BEFORE: _Before = NO_ROWS, NO_ROWS


def _read(value: Mapping[str, Any], received: datetime, before: _Before) -> tuple[Report, _Before]:
    publishes = read_rows(value.get("publish"), received, before[0], with_facts=True)
    mirrors = read_rows(value.get("mirrors"), received, before[1])
    faults = tuple(
        read_fault(fault, received, about=claims.text(name, WORD_LENGTH_MAX))
        for name, fault in list(claims.table(value.get("faults")).items())[:_FAULTS_COUNT_MAX]
    )
    transfer = claims.table(value.get("transfer"))
    rates = [claims.size(transfer.get(name)) for name in ("up_bytes_s", "down_bytes_s")]
    works = (*publishes.works, *mirrors.works)
    report = Report(
        version=claims.word(value.get("version")),
        started=claims.past(value.get("started"), received),
        certificate_expires=claims.instant(value.get("certificate_expires")),
        certificate_since=claims.past(value.get("certificate_since"), received),
        signing_key_since=claims.past(value.get("signing_key_since"), received),
        registry_seq=claims.size(value.get("registry_seq")),
        clock_offset_s=claims.number(claims.table(value.get("hub")).get("clock_offset_s"), _OFFSET_S_MAX),
        rate_bytes_s=claims.total(each or 0 for each in rates)
        if rates != [None, None]
        else claims.total(each.rate_bytes_s for each in works),
        backlog_bytes=claims.total(each.bytes_left for each in works if each.state not in NOT_TO_BE_HAD),
        disks=_disks(value.get("disks")),
        watch=_watch(claims.table(value.get("watch")), received),
        witness=_witness(claims.table(value.get("witness"))),
        last_error=read_fault(value["last_error"], received) if value.get("last_error") else None,
        faults=faults,
        alarms=tuple(alarms_of(claims.items(value.get("alarms"), _ALARMS_COUNT_MAX))),
        publishes=publishes.works,
        mirrors=mirrors.works,
        omitted=claims.size(value.get("omitted")) or 0,
        facts=publishes.facts,
        problems=(*faults, *publishes.problems, *mirrors.problems),
    )
    return report, (publishes, mirrors)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _disks(value: object) -> tuple[Disk, ...]:
    found: list[Disk] = []
    for row in claims.tables(value, _DISKS_COUNT_MAX):
        free, total = claims.size(row.get("free_bytes")), claims.size(row.get("total_bytes"))
        if free is None or total is None or total == 0:
            continue
        days = claims.number(row.get("days_left"), _DAYS_MAX)
        found.append(
            Disk(
                name=claims.text(row.get("name"), WORD_LENGTH_MAX),
                free_bytes=min(free, total),
                total_bytes=total,
                days_left=None if days is None else max(0.0, days),
            )
        )
    return tuple(found)


def _watch(row: Mapping[str, Any], received: datetime) -> Watch | None:
    mode = claims.word(row.get("mode"))
    if mode is None:
        return None
    return Watch(
        mode=mode,
        healthy=row.get("healthy") is True,
        last_full_scan=claims.past(row.get("last_full_scan"), received),
        note=claims.text(row.get("note"), _NOTE_LENGTH_MAX),
    )


def _witness(row: Mapping[str, Any]) -> Witnessing | None:
    size, read = claims.size(row.get("size")), claims.size(row.get("read"))
    if size is None or read is None:
        return None
    return Witnessing(
        size=size,
        read=read,
        cosigned=claims.size(row.get("cosigned")),
        note=claims.text(row.get("note"), _NOTE_LENGTH_MAX),
    )
