"""Which datasets there are, when their versions came, who may see them: drawn by chance, with a seed.

    plan = draw(partners=11, datasets=200, versions=2, now=now)
    plan[0].dataset, plan[0].versions[-1].accepted, plan[0].sharing

The same arguments draw the same fleet. Nothing is signed or written here.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from core.names import DatasetId, check_dataset
from deploy.demo.fleet.agencies import AGENCIES, Agency, Box
from deploy.demo.fleet.subjects import SUBJECTS, Subject
from sync.maintenance import PERIODS, WITH_DATE

#: How old the federation is.
HISTORY = timedelta(days=75)

_SEED = 4
_REGIONS = ("", "north", "south", "central", "east", "west")
_REGION_NAMES = {
    "": "",
    "north": "North",
    "south": "South",
    "central": "Central",
    "east": "East",
    "west": "West",
}
_LICENCES = ("CC-BY-4.0", "CC-BY-4.0", "CC-BY-NC-4.0", "ODbL-1.0", "CC-BY-SA-4.0")

Sharing = Literal[
    "federation",  # everybody reads
    "named",  # some read, others see it
    "seen",  # everybody sees that it exists, one reads
    "ending",  # some read, until a day that is near
    "but one",  # everybody reads but one
    "kept",  # nobody
]
_SHARING: tuple[Sharing, ...] = (
    "federation",
    "federation",
    "federation",
    "named",
    "named",
    "seen",
    "ending",
    "but one",
    "federation",
    "kept",
)


@dataclass(frozen=True, slots=True)
class PlannedVersion:
    """`files` names how many each has of the largest size unit, see `contents`."""

    seq: int
    accepted: datetime
    files: int


@dataclass(frozen=True, slots=True)
class PlannedDataset:
    """One dataset. `readers`, `seers`: the partners that its policy names, if it names some."""

    dataset: DatasetId
    owner: Agency
    subject: Subject
    titles: dict[str, str]
    licence: str
    classification: str | None
    withheld: bool
    sharing: Sharing
    readers: tuple[str, ...]
    seers: tuple[str, ...]
    next_update: str | None
    bbox: Box | None
    bbox_source: Literal["declared", "extracted", "unknown"]
    period: tuple[str, str] | None
    versions: tuple[PlannedVersion, ...]


def agencies(count: int) -> Sequence[Agency]:
    """The first `count` of them."""
    if not 2 <= count <= len(AGENCIES):
        raise ValueError(f"a fleet has 2 to {len(AGENCIES)} partners")
    return AGENCIES[:count]


def draw(*, partners: int, datasets: int, versions: int, now: datetime) -> list[PlannedDataset]:
    """`datasets` of them, turn by turn of each partner; up to `versions` versions each, some three times
    as many."""
    owners = agencies(partners)
    chance = random.Random(_SEED)
    made: list[PlannedDataset] = []
    for number in range(datasets):
        owner, turn = owners[number % partners], number // partners
        subject = SUBJECTS[turn % len(SUBJECTS)]
        again = turn // len(SUBJECTS)
        made.append(_dataset(number, owner, owners, subject, again, versions, now, chance))
    return made


def _dataset(
    number: int,
    owner: Agency,
    owners: Sequence[Agency],
    subject: Subject,
    again: int,
    versions: int,
    now: datetime,
    chance: random.Random,
) -> PlannedDataset:
    region = _REGIONS[again] if again < len(_REGIONS) else f"sheet-{again}"
    slug = f"{subject.slug}-{region}" if region else subject.slug
    others = [each.id for each in owners if each.id != owner.id]
    chance.shuffle(others)
    sharing = _SHARING[number % len(_SHARING)]
    readers = len(others) // 2 if sharing in ("named", "ending") else 1
    place: Literal["declared", "extracted", "unknown"] = chance.choice(
        ("declared", "extracted", "extracted", "unknown")
    )
    return PlannedDataset(
        dataset=check_dataset(f"{owner.id}/{slug}"),
        owner=owner,
        subject=subject,
        titles=_titles(owner, subject, region),
        licence=chance.choice(_LICENCES),
        classification=chance.choice((None, None, "unclassified", "restricted")),
        withheld=number % 17 == 5,
        sharing=sharing,
        readers=tuple(sorted(others[:readers])),
        seers=tuple(sorted(others[readers : readers + 3])),
        next_update=_next_update(subject, now, chance),
        bbox=None if place == "unknown" else _box(owner, subject, chance),
        bbox_source=place,
        period=(f"{chance.randint(1965, 2012)}-01-01", "2026-06-30") if number % 3 else None,
        versions=_versions(subject, versions, now, chance, many=number % 8 == 7, shrinks=number % 40 == 7),
    )


def _titles(owner: Agency, subject: Subject, region: str) -> dict[str, str]:
    """In English and in the owner's language; neighbours of the greatest add Chinese here and there."""
    where = _REGION_NAMES.get(region, region)
    tail = f", {where}" if where else ""
    languages = dict.fromkeys(("en", owner.language))
    if subject.theme == "investment":
        languages["zh"] = None
    return {language: subject.titles[language] + tail for language in languages}


def _next_update(subject: Subject, now: datetime, chance: random.Random) -> str | None:
    if subject.frequency not in WITH_DATE or chance.random() < 0.3:
        return None
    return (now + timedelta(days=chance.randint(-20, 90))).date().isoformat()


def _box(owner: Agency, subject: Subject, chance: random.Random) -> Box:
    """A part of the agency's box; what lies offshore of the easternmost crosses 180°."""
    if owner.id == "cn-cgs" and subject.slug == "offshore":
        return (158.0, 6.0, -152.0, 18.0)
    west, south, east, north = owner.box
    wide, high = (east - west) * chance.uniform(0.25, 0.9), (north - south) * chance.uniform(0.25, 0.9)
    left, low = (
        west + (east - west - wide) * chance.random(),
        south + (north - south - high) * chance.random(),
    )
    return (round(left, 4), round(low, 4), round(left + wide, 4), round(low + high, 4))


def _versions(
    subject: Subject, count: int, now: datetime, chance: random.Random, *, many: bool, shrinks: bool
) -> tuple[PlannedVersion, ...]:
    """The newest is as old as the dataset's cadence makes likely; some are late."""
    period = PERIODS.get(subject.frequency or "unknown") or timedelta(days=60)
    late = chance.random() < 0.12
    newest = period * (chance.uniform(1.3, 2.2) if late else chance.uniform(0.05, 0.95))
    newest = min(max(newest, timedelta(minutes=20)), HISTORY - timedelta(days=6))
    wanted = 3 * count if many else chance.randint(1, count)
    step = min(period, (HISTORY - timedelta(days=5) - newest) / max(1, wanted - 1))
    files = max(3, int(subject.size * chance.uniform(6, 22)))
    made: list[PlannedVersion] = []
    for seq in range(1, wanted + 1):
        files = max(2, int(files * chance.uniform(1.0, 1.25)) + 1)
        if shrinks and seq == wanted and wanted > 1:
            files = max(1, files // 2)
        made.append(PlannedVersion(seq, (now - newest - step * (wanted - seq)).replace(microsecond=0), files))
    return tuple(made)
