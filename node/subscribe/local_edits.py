"""The local edits of one mirror, noticed in one pass: each is told once, and nothing is built upon it.

A version whose record was damaged is checked anew by hashing, and that is told too.

    edits = LocalEdits(tools, dataset, folder, row.key)
    edits.look(mirror, row.folder)
    with edits.old_version(mirror, row.folder, name) as (record, descriptor, intact): …
    edits.lines                              # for a person
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from core.errors import Corrupt
from core.logs import get_logger
from core.names import DatasetId
from node.subscribe.adopt import readopt
from node.subscribe.edits import Inspection, inspect
from node.subscribe.mirror import Mirror
from node.subscribe.records import Record
from node.subscribe.tools import Tools

log = get_logger("node.subscribe")


class LocalEdits:
    """What somebody has done to a mirror's versions. `folder` holds their records."""

    def __init__(self, tools: Tools, dataset: DatasetId, folder: Path, key: str) -> None:
        self.lines: tuple[str, ...] = ()
        self._tools = tools
        self._dataset = dataset
        self._folder = folder
        self._key = key

    def look(self, mirror: Mirror, name: str | None) -> bool:
        """Notice edits in `name`, which `current` names; False when its record was damaged."""
        if name is None or not Record(self._folder / name).is_complete:
            return True
        descriptor = mirror.version(name)
        if descriptor is None:
            return True
        try:
            found = self._inspect(Record(self._folder / name, self._tools.limits), descriptor)
            if found is None:
                return False
            self._note(name, found)
            if found.edits:
                place = f"{mirror.path}/versions/{name}"
                remedy = f"keep what is yours elsewhere, then remove {place}: it is fetched again"
                self.lines = (*self.lines[:-1], f"{self.lines[-1]} → {remedy}")
            return True
        finally:
            os.close(descriptor)

    @contextmanager
    def old_version(
        self, mirror: Mirror, old_name: str | None, name: str
    ) -> Generator[tuple[Record | None, int | None, bytearray]]:
        """The version to build `name` upon: the applied one, if its record is whole and its folder stands."""
        record = Record(self._folder / old_name, self._tools.limits) if old_name else None
        descriptor = None
        if record is not None and old_name is not None and old_name != name and record.is_complete:
            descriptor = mirror.version(old_name)
        if record is None or old_name is None or descriptor is None:
            yield None, None, bytearray()
            return
        try:
            found = self._inspect(record, descriptor)
            if found is None and readopt(record, descriptor):
                found = self._inspect(record, descriptor)
            if found is None:
                yield None, None, bytearray()
                return
            self._note(old_name, found)
            yield record, descriptor, found.intact
        finally:
            os.close(descriptor)

    def _inspect(self, record: Record, descriptor: int) -> Inspection | None:
        """What became of a version; None when its record is damaged, which is set aside and told."""
        try:
            return inspect(record, descriptor)
        except Corrupt as error:
            aside = record.set_aside()
            log.warning(error.message, dataset=self._dataset, version=record.name, kept=str(aside))
            line = (
                f"versions/{record.name}: its record in this node's state was damaged and is kept as {aside};"
                " the mirror is checked anew by hashing → check the disk of [node] state_dir"
            )
            self.lines = (*self.lines, line)
            return None

    def _note(self, name: str, found: Inspection) -> None:
        self.lines += found.summary(name)
        for version in self._tools.mirrors.versions(self._key):
            if version.folder == name and version.edited != bool(found.edits):
                self._tools.mirrors.put_version(replace(version, edited=bool(found.edits)))
