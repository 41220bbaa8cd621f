"""The story that evidence tells, as plain values: who owns what, who may read it, who received it, and when.

`audit.telling.tell` makes these from a dossier; `show` writes them in words, `report` as a page.

Rules: where a time comes from is kept with it, the hub's log or the clock of whoever signed; what is None or
empty is not known, and is never told as if it had not happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from audit.dossier import LogCheckpoint, Scope, WitnessSeen
from audit.findings import Finding, Verdict


class Source(Enum):
    """Whose clock an instant was read from."""

    LOG = "the hub's log"
    RECEIPT = "the hub's receipt"
    SIGNER = "its signer's clock"


@dataclass(frozen=True, slots=True)
class When:
    """An instant, whose clock it is, and the leaf that records it, if it is at hand."""

    at: datetime
    source: Source
    index: int | None = None


@dataclass(frozen=True, slots=True)
class VersionStory:
    """One version. `logged` is None where neither leaf nor receipt is at hand."""

    seq: int
    id: str
    signed: datetime
    logged: When | None
    files: int
    bytes: int
    policy_seq: int
    has_content: bool

    @property
    def when(self) -> When:
        """The best known instant of its publication."""
        return self.logged or When(self.signed, Source.SIGNER)


@dataclass(frozen=True, slots=True)
class PolicyStory:
    """One policy in plain sentences; `hidden` of its rules are not disclosed here."""

    seq: int
    id: str
    signed: datetime
    logged: When | None
    sentences: tuple[str, ...]
    hidden: int
    terms: Mapping[str, Any] | None

    @property
    def when(self) -> When:
        """The best known instant from which it was in force."""
        return self.logged or When(self.signed, Source.SIGNER)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A node said that it holds the version: logged at `when`."""

    node: str
    when: When


@dataclass(frozen=True, slots=True)
class Holding:
    """A partner and a version: the delivery that was logged, and what the partner's nodes acknowledged.

    `version_seq` is None for a version that is not part of this evidence. `silence_known`: without an
    acknowledgement it is known that none was logged, because the owner's lane is opened whole.
    """

    partner: str
    version_id: str
    version_seq: int | None
    delivered: When | None
    node: str | None
    policy_seq: int | None
    rule: str | None
    acknowledged: tuple[Acknowledged, ...]
    silence_known: bool


@dataclass(frozen=True, slots=True)
class DatasetStory:
    """A dataset as its newest version here describes it. `extent` is the owner's own JSON."""

    dataset: str
    title: Mapping[str, str]
    owner: str
    owner_names: Mapping[str, str]
    rights_holder: str
    producer: str | None
    licence: str
    licence_text_sha256: str | None
    attribution: str | None
    theme: str
    classification: str | None
    supersedes: str | None
    derived_from: tuple[str, ...]
    extent: Mapping[str, Any] | None
    versions: tuple[VersionStory, ...]
    policies: tuple[PolicyStory, ...]
    holdings: tuple[Holding, ...]
    deliveries_complete: bool


@dataclass(frozen=True, slots=True)
class RegistryStory:
    """A registry statement: what it changed, when its administrators signed it, its leaf."""

    seq: int
    id: str
    signed: datetime
    index: int | None
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Act:
    """An act of the operator or of a partner, or a witness's alarm (`alarm` True), as logged."""

    when: When
    actor: str
    object: str
    words: str
    alarm: bool


@dataclass(frozen=True, slots=True)
class Story:
    """All of it. `refusals` counts what the hub refused, by reason; empty where that was not opened."""

    path: Path
    kind: str
    federation: str | None
    verdict: Verdict
    findings: tuple[Finding, ...]
    checkpoint: LogCheckpoint | None
    cosigned: tuple[WitnessSeen, ...]
    witnesses_known: int
    quorum: int
    scope: Scope | None
    whole_lanes: tuple[str, ...]
    datasets: tuple[DatasetStory, ...]
    registry: tuple[RegistryStory, ...]
    acts: tuple[Act, ...]
    refusals: Mapping[str, int]
