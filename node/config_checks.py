"""What a settings file must be as a whole, and on this disk.

Rules: a folder is published once and never both published and mirrored into, also through links; the
node's own state is in neither; each dataset stands once; groups that are named exist; a licence is
SPDX, and a national one (`LicenseRef-…`) comes with its text.

    check_settings(settings, source="/etc/syncline/node.toml", folders=True)
"""

import difflib
import os
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from core.errors import InvalidInput
from core.limits import LIMITS
from node.config import GROUP_PREFIX, NodeSettings
from sync.licence import check_licence

Problem = tuple[str, str, str]  # key, what is wrong, remedy


def check_settings(settings: NodeSettings, *, source: str, folders: bool) -> None:
    """Raise `InvalidInput` with every problem of `settings`; `source` names the file."""
    problems = [
        *_datasets(settings),
        *_groups(settings),
        *_rules(settings),
        *_licences(settings),
        *_overlaps(settings),
    ]
    if folders:
        problems += _missing_folders(settings)
    if not problems:
        return
    if len(problems) == 1:
        key, wrong, remedy = problems[0]
        raise InvalidInput(f"{source}: {key}: {wrong}", remedy=remedy)
    lines = [f"{key}: {wrong}; {remedy}" for key, wrong, remedy in problems]
    raise InvalidInput(f"{source}:\n  " + "\n  ".join(lines))


def _datasets(settings: NodeSettings) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for number, section in enumerate(settings.publish, 1):
        first = seen.setdefault(section.dataset, number)
        if first != number:
            yield (
                f"publish[{number}].dataset",
                f"{section.dataset!r} is published already by publish[{first}]",
                "give it another name, or remove one of the two sections",
            )


def _groups(settings: NodeSettings) -> Iterator[Problem]:
    for number, section in enumerate(settings.publish, 1):
        for place, share in enumerate(section.share, 1):
            for one in share.with_:
                name = one.removeprefix(GROUP_PREFIX)
                if name == one or name in settings.groups:
                    continue
                close = difflib.get_close_matches(name, list(settings.groups), n=1)
                yield (
                    f"publish[{number}].share[{place}].with",
                    f"there is no group {name!r} in [groups]",
                    f"did you mean group:{close[0]}?" if close else f'add {name} = ["…"] below [groups]',
                )


def _rules(settings: NodeSettings) -> Iterator[Problem]:
    for number, section in enumerate(settings.publish, 1):
        count = sum(
            len(settings.groups.get(one.removeprefix(GROUP_PREFIX), ()))
            if one.startswith(GROUP_PREFIX)
            else 1
            for share in section.share
            for one in share.with_
        )
        if count > LIMITS.rules_count_max:
            yield (
                f"publish[{number}].share",
                f"{count} rules, one a partner, are more than {LIMITS.rules_count_max}",
                'remove some, or share with = ["federation"]',
            )


def _licences(settings: NodeSettings) -> Iterator[Problem]:
    for number, section in enumerate(settings.publish, 1):
        file = section.license_file
        if file is not None and not file.is_file():
            yield (
                f"publish[{number}].license_file",
                f"{file} does not exist",
                "give the file that holds the licence's text",
            )
            continue
        try:
            check_licence(section.license, has_text=file is not None)
        except InvalidInput as error:
            yield (
                f"publish[{number}].license",
                error.message,
                error.remedy or "give an SPDX expression: CC-BY-4.0",
            )


def _overlaps(settings: NodeSettings) -> Iterator[Problem]:
    published = [(f"publish[{n}].path", s.path) for n, s in enumerate(settings.publish, 1)]
    mirrored = [(f"subscribe[{n}].path", s.path) for n, s in enumerate(settings.subscribe, 1)]
    for (first, one), (second, other) in combinations(published, 2):
        if _overlap(one, other):
            yield second, f"{other} overlaps {first} = {one}", "publish each folder once, side by side"
    for first, one in published:
        for second, other in mirrored:
            if _overlap(one, other):
                yield (
                    second,
                    f"{other} overlaps the published {first} = {one}",
                    "mirror into a folder of its own: what is mirrored is never published",
                )
    state = settings.node.state_dir
    for key, folder in (*published, *mirrored):
        if _overlap(folder, state):
            yield (
                key,
                f"{folder} overlaps node.state_dir = {state}",
                "keep the node's state in a folder of its own",
            )


def _overlap(one: Path, other: Path) -> bool:
    first, second = Path(os.path.realpath(one)), Path(os.path.realpath(other))
    return first == second or first in second.parents or second in first.parents


def _missing_folders(settings: NodeSettings) -> Iterator[Problem]:
    for number, section in enumerate(settings.publish, 1):
        if not section.path.is_dir():
            wrong = "is not a folder" if section.path.exists() else "does not exist"
            yield (
                f"publish[{number}].path",
                f"{section.path} {wrong}",
                "create the folder, mount its disk, or correct the path",
            )
    for number, section in enumerate(settings.subscribe, 1):
        if not section.path.is_dir() and not section.path.parent.is_dir():
            yield (
                f"subscribe[{number}].path",
                f"neither {section.path} nor the folder above it exists",
                "create the folder, mount its disk, or correct the path",
            )
