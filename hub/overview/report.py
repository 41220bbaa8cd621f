"""One status report, read strictly: a node's own word, which may hold anything (docs/formats/status.md).

* Only what is no JSON object, or larger than it may be, is refused; a member that is not what it should be
  counts as not said. So nothing that a node says can stop a page, and nothing it says is believed to be
  more than it is: instants ahead of the hub's clock are cut back to it, sizes and texts are bounded.
* Who reports, and when it came, is the hub's knowledge, and never read from here.

    report = read_report(data, received=now, limits=limits)      # raises InvalidInput
    report.backlog_bytes, report.problems, report.mirrors[0].seq
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, cast

from core.errors import InvalidInput
from core.limits import Limits
from hub.overview import claims
from hub.overview.model import Disk, Fault, Source, Watch, Witnessing, Work
from hub.services.alarms import ReportedAlarm, alarms_of
from sync.maintenance import PERIODS

_MESSAGE_LENGTH_MAX = 500
_NOTE_LENGTH_MAX = 200
_WORD_LENGTH_MAX = 64
_DATASETS_COUNT_MAX = 5_000
_FAULTS_COUNT_MAX = 32
_ATTENTION_COUNT_MAX = 10
_DISKS_COUNT_MAX = 16
_ALARMS_COUNT_MAX = 400
_OFFSET_S_MAX = 1e9
_DAYS_MAX = 1e5
_BRANCHES = frozenset({"InvalidInput", "Untrusted", "Denied", "Conflict", "Unavailable", "Corrupt"})

#: The reason of a problem that is no fault: a line for a person about a dataset.
ATTENTION = "ATTENTION"

#: States of a mirror in which the node can do nothing about a newer version.
NOT_TO_BE_HAD = frozenset(
    {"visible, not granted", "not shared with us", "grant ended", "waiting for content"}
)


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
    published = claims.tables(value.get("publish"), _DATASETS_COUNT_MAX)
    publishes = _works(published, received)
    mirrors = _works(claims.tables(value.get("mirrors"), _DATASETS_COUNT_MAX), received)
    faults = tuple(
        _fault(fault, received, about=claims.text(name, _WORD_LENGTH_MAX))
        for name, fault in list(claims.table(value.get("faults")).items())[:_FAULTS_COUNT_MAX]
    )
    transfer = claims.table(value.get("transfer"))
    rates = [claims.size(transfer.get(name)) for name in ("up_bytes_s", "down_bytes_s")]
    works = (*publishes, *mirrors)
    return Report(
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
        last_error=_fault(value["last_error"], received) if value.get("last_error") else None,
        faults=faults,
        alarms=tuple(alarms_of(claims.items(value.get("alarms"), _ALARMS_COUNT_MAX))),
        publishes=publishes,
        mirrors=mirrors,
        omitted=claims.size(value.get("omitted")) or 0,
        facts=tuple(each for each in map(_facts, published) if each is not None),
        problems=(*faults, *(problem for work in works for problem in _problems(work))),
    )


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _fault(value: object, received: datetime, about: str = "") -> Fault:
    table = claims.table(value)
    branch = claims.text(table.get("branch"), _WORD_LENGTH_MAX)
    return Fault(
        branch=branch if branch in _BRANCHES else "",
        reason=claims.text(table.get("reason"), _WORD_LENGTH_MAX),
        message=claims.text(table.get("message"), _MESSAGE_LENGTH_MAX) or "a fault without words",
        remedy=claims.text(table.get("remedy"), _MESSAGE_LENGTH_MAX),
        since=claims.past(table.get("since"), received),
        about=about or claims.text(table.get("about"), 2 * _WORD_LENGTH_MAX),
    )


def _works(rows: list[Mapping[str, Any]], received: datetime) -> tuple[Work, ...]:
    found: dict[str, Work] = {}
    for row in rows:
        dataset = claims.dataset(row.get("dataset"))
        if dataset is not None:
            found.setdefault(dataset, _work(dataset, row, received))
    return tuple(found.values())


def _work(dataset: str, row: Mapping[str, Any], received: datetime) -> Work:
    lines = claims.items(row.get("attention"), _ATTENTION_COUNT_MAX)
    error = row.get("error")
    return Work(
        dataset=dataset,
        state=claims.text(row.get("state"), _WORD_LENGTH_MAX),
        seq=claims.size(row.get("seq")),
        wanted_seq=claims.size(row.get("wanted_seq")),
        bytes_left=claims.size(row.get("bytes_left")) or 0,
        rate_bytes_s=claims.size(row.get("rate_bytes_s")) or 0,
        held=claims.size(row.get("held")) or 0,
        skipped=claims.size(row.get("skipped")) or 0,
        attention=tuple(line for each in lines if (line := claims.text(each, _MESSAGE_LENGTH_MAX))),
        error=None if error is None else _fault(error, received, about=dataset),
    )


def _problems(work: Work) -> list[Fault]:
    found = [] if work.error is None else [work.error]
    lines = (
        Fault(branch="", reason=ATTENTION, message=line, remedy="", since=None, about=work.dataset)
        for line in work.attention
    )
    return [*found, *lines]


def _disks(value: object) -> tuple[Disk, ...]:
    found: list[Disk] = []
    for row in claims.tables(value, _DISKS_COUNT_MAX):
        free, total = claims.size(row.get("free_bytes")), claims.size(row.get("total_bytes"))
        if free is None or total is None or total == 0:
            continue
        days = claims.number(row.get("days_left"), _DAYS_MAX)
        found.append(
            Disk(
                name=claims.text(row.get("name"), _WORD_LENGTH_MAX),
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


def _facts(row: Mapping[str, Any]) -> Facts | None:
    dataset = claims.dataset(row.get("dataset"))
    if dataset is None:
        return None
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
