"""The disks that this node writes to: how much is free, and when they will be full if it goes on like this.

Rules: each disk once, by the first name that it has: `state`, then `mirror 1`, `mirror 2` … in the order of
the settings; a point an hour of each is kept for a week in `<state_dir>/disks.json`; when a disk is full is
told after half a day, from the straight line through the points (least squares), and not told where
it is not filling. The file is a convenience: damaged or lost, it begins anew.

    found = Disks(state_dir, room, clock).look({"state": state_dir, "mirror 1": Path("/srv/mirror")})
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from core.clock import Clock
from node.room import Room
from node.status import DiskStatus

FILE_NAME = "disks.json"

_POINT_EVERY_S = 3600
_KEEP_S = 7 * 24 * 3600
_KNOWN_AFTER_S = 12 * 3600
_DAYS_MAX = 3650.0
_FILE_BYTES_MAX = 1 << 20

#: A disk that is this full, or will be full this soon, is told early.
LOW_SHARE = 0.10
LOW_DAYS = 7.0

Points = list[tuple[int, int]]


def is_low(disk: DiskStatus) -> bool:
    """Whether a person should make room soon."""
    return disk.free_bytes < disk.total_bytes * LOW_SHARE or (
        disk.days_left is not None and disk.days_left < LOW_DAYS
    )


def days_left(points: Points) -> float | None:
    """Days until nothing is free, from (unix second, free bytes); None: not filling, or not known yet."""
    if len(points) < 2 or points[-1][0] - points[0][0] < _KNOWN_AFTER_S:
        return None
    count = len(points)
    mean_time = sum(time for time, _ in points) / count
    mean_free = sum(free for _, free in points) / count
    spread = sum((time - mean_time) ** 2 for time, _ in points)
    slope = sum((time - mean_time) * (free - mean_free) for time, free in points) / spread
    if slope >= 0:
        return None
    days = points[-1][1] / -slope / 86_400
    return round(days, 1) if days <= _DAYS_MAX else None


class Disks:
    """See the module. One thread at a time."""

    def __init__(self, state_dir: Path, room: Room, clock: Clock) -> None:
        self._path = state_dir / FILE_NAME
        self._room = room
        self._clock = clock
        self._history = self._load()

    def look(self, paths: Mapping[str, Path]) -> tuple[DiskStatus, ...]:
        """Each disk of `paths`, as it is now."""
        now = int(self._clock.now().timestamp())
        found: list[DiskStatus] = []
        seen: set[int] = set()
        is_new = False
        for name, path in paths.items():
            usage = self._room.of(path)
            if usage is None or usage.device in seen:
                continue
            seen.add(usage.device)
            points = self._points(name, now)
            if not points or now - points[-1][0] >= _POINT_EVERY_S:
                points.append((now, usage.free_bytes))
                is_new = True
            line = [*points, (now, usage.free_bytes)] if points[-1][0] != now else points
            found.append(
                DiskStatus(
                    name=name,
                    free_bytes=usage.free_bytes,
                    total_bytes=usage.total_bytes,
                    days_left=days_left(line),
                )
            )
        if is_new:
            self._save()
        return tuple(found)

    def _points(self, name: str, now: int) -> Points:
        """Of the last week; what lies ahead was written by a clock that was wrong."""
        self._history[name] = [
            each for each in self._history.get(name, []) if now - _KEEP_S <= each[0] <= now
        ]
        return self._history[name]

    def _load(self) -> dict[str, Points]:
        try:
            if self._path.stat().st_size > _FILE_BYTES_MAX:
                return {}
            value: Any = json.loads(self._path.read_bytes())
            disks = cast("dict[str, list[list[int]]]", value["disks"])
            return {
                str(name): [(int(time), int(free)) for time, free in points] for name, points in disks.items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _save(self) -> None:
        temporary = self._path.with_name(f".{FILE_NAME}.tmp")
        with suppress(OSError):  # where there is no room, there is no point either
            temporary.write_text(json.dumps({"v": 1, "disks": self._history}), "utf-8")
            os.replace(temporary, self._path)  # noqa: PTH105 - one rename over the old one
