"""A page of the log: registry statements that this node must know, openings that must fit their leaves.

    page = read_page(first, entries, place)
    page.hashes, page.kept, page.troubles, page.unknown(ids)

Rules: a registry leaf whose statement this node was not given is an alarm; so is an opening that does not fit
its leaf, or a lane place that its record does not commit to. What does not fit is never kept.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.errors import SynclineError, Untrusted
from core.limits import Limits
from core.names import PartnerId
from node.alarms import WRONG_OPENING, Alarm
from node.witness.ledger import Kept
from security.fields import Fields
from security.tlog.leaf import Opening, leaf_hash, open_leaf, registry_of_leaf
from security.tlog.opening_file import LanePlace, OpeningFile, check_lane
from sync.ports import Entries, OpenedEntry

#: What nearly every leaf is; whatever else it may be is read in full.
_COMMITMENT = re.compile(rb'\{"commit":"[0-9a-f]{64}","v":1\}')

ASK = "ask the hub's operator how this came about, by a channel other than the hub, and keep the evidence"

Evidence = Mapping[str, bytes]
Trouble = tuple[Alarm, Evidence]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page stands: the log, its checkpoint, this node's partner, and when."""

    origin: str
    note: bytes
    partner: PartnerId
    now: datetime
    limits: Limits

    def trouble(
        self, kind: str, index: int, message: str, evidence: Evidence | None = None, **facts: Any
    ) -> Trouble:
        """An alarm about the leaf `index`, with the checkpoint that vouches for it."""
        alarm = Alarm.of(
            kind,
            f"{self.origin}:{index}",
            f"{message} (leaf {index} of {self.origin})",
            ASK,
            self.now,
            origin=self.origin,
            index=index,
            **facts,
        )
        return alarm, {"checkpoint": self.note, **(evidence or {})}


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was read. `registries`: index and id of each registry leaf."""

    first: int
    hashes: list[bytes]
    registries: list[tuple[int, str]]
    kept: list[Kept] = field(default_factory=list[Kept])
    troubles: list[Trouble] = field(default_factory=list[Trouble])

    @property
    def end(self) -> int:
        """The index after its last leaf."""
        return self.first + len(self.hashes)

    def unknown(self, known: Collection[str]) -> list[tuple[int, str]]:
        """The registry leaves whose statements are not among `known`."""
        return [(index, name) for index, name in self.registries if name not in known]


def read_page(first: int, entries: Entries, place: Place) -> Page:
    """Read leaves and openings. Raises `Untrusted` (MALFORMED, …) for a leaf that is none."""
    page = Page(first, [leaf_hash(each) for each in entries.leaves], list(_registries(first, entries.leaves)))
    for opened in sorted(entries.opened, key=lambda each: each.index):
        try:
            page.kept.append(_keep(first, entries.leaves, opened, place))
        except SynclineError as error:
            page.troubles.append(_wrong(first, entries.leaves, opened, place, error))
    return page


def _registries(first: int, leaves: Sequence[bytes]) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for index, leaf in enumerate(leaves, first):
        if not _COMMITMENT.fullmatch(leaf):
            registry = registry_of_leaf(leaf)
            if registry is not None:
                found.append((index, registry))
    return found


def _keep(first: int, leaves: Sequence[bytes], opened: OpenedEntry, place: Place) -> Kept:
    if not first <= opened.index < first + len(leaves):
        raise Untrusted("the opening is for a leaf that was not asked for", reason="WRONG_OPENING")
    leaf = leaves[opened.index - first]
    value = open_leaf(leaf, Opening(opened.record, opened.nonce), place.limits)
    _check_form(value, place.limits)
    if opened.lane_n:
        check_lane(value, place.partner, LanePlace(opened.lane_n, opened.lane_prev, opened.lane_salt or b""))
    return Kept(
        opened.index,
        opened.lane_n,
        opened.lane_prev,
        opened.lane_salt,
        opened.record,
        opened.nonce,
        opened.statement,
        value,
    )


def _check_form(value: dict[str, Any], limits: Limits) -> None:
    """That a record is one; members that are not known stay. Raises `Untrusted` (MALFORMED)."""
    fields = Fields(value, "record", limits)
    fields.version()
    for name in ("type", "actor", "object"):
        fields.text(name)
    fields.instant("time")
    fields.object("detail")
    fields.digest_or_null("lane")
    if "statement_sha256" in fields:
        fields.digest_or_null("statement_sha256")


def _wrong(
    first: int, leaves: Sequence[bytes], opened: OpenedEntry, place: Place, error: SynclineError
) -> Trouble:
    evidence = {"opening.json": OpeningFile(opened.index, opened.record, opened.nonce).to_bytes()}
    if first <= opened.index < first + len(leaves):
        evidence["leaf"] = leaves[opened.index - first]
    return place.trouble(
        WRONG_OPENING, opened.index, f"the hub's opening does not fit: {error.message}", evidence
    )
