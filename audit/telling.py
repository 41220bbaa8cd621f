"""Tells the story of a dossier.

    story = tell(dossier, findings)
    story.verdict, story.datasets[0].versions, story.registry

Rules: pure, and nothing is said that the dossier does not hold. That something did *not* happen (an
acknowledgement) is said only where the owner's lane is opened whole. One pass over the records; refusals are
summed up, everything else is kept once.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from audit.dossier import DatasetDossier, Dossier, LoggedRecord, VersionDossier
from audit.findings import Finding, verdict
from audit.plain import hidden_count, sentences
from audit.registry_changes import changes
from audit.story import (
    Acknowledged,
    Act,
    DatasetStory,
    Holding,
    PolicyStory,
    RegistryStory,
    Source,
    Story,
    VersionStory,
    When,
)
from core.names import owner_of
from security.policy import VerifiedPolicy


@dataclass(slots=True)
class _Logged:
    """What one pass over the records finds."""

    policies: dict[str, LoggedRecord] = field(default_factory=dict[str, LoggedRecord])
    holdings: dict[str, dict[tuple[str, str], list[LoggedRecord]]] = field(
        default_factory=lambda: defaultdict[str, dict[tuple[str, str], list[LoggedRecord]]](dict)
    )
    acts: list[Act] = field(default_factory=list[Act])
    refusals: Counter[str] = field(default_factory=Counter[str])


def tell(dossier: Dossier, findings: Sequence[Finding]) -> Story:
    """The story of one dossier, with the verdict on it. Pure."""
    logged = _read(dossier)
    names = {p.id: p.names for each in dossier.registries[-1:] for p in each.registry.partners}
    return Story(
        path=dossier.path,
        kind=dossier.kind,
        federation=dossier.federation,
        verdict=verdict(findings),
        findings=tuple(findings),
        checkpoint=dossier.checkpoint,
        cosigned=dossier.cosigned,
        witnesses_known=dossier.witnesses_known,
        quorum=dossier.quorum,
        scope=dossier.scope,
        whole_lanes=dossier.whole_lanes,
        datasets=tuple(
            _dataset(
                each,
                logged,
                names.get(owner_of(each.dataset), {}),
                owner_of(each.dataset) in dossier.whole_lanes,
            )
            for each in dossier.datasets
            if each.versions
        ),
        registry=_registry(dossier),
        acts=tuple(logged.acts),
        refusals=dict(sorted(logged.refusals.items())),
    )


def _read(dossier: Dossier) -> _Logged:
    logged = _Logged()
    for record in dossier.records:
        if record.type == "policy" and record.statement_sha256 is not None:
            logged.policies[record.statement_sha256] = record
        elif record.type in ("delivery", "acknowledgement"):
            version = record.statement_sha256 if record.type == "delivery" else record.detail.get("version")
            key = (record.partner, str(version))
            logged.holdings[record.object].setdefault(key, []).append(record)
        elif record.type == "refusals":
            counts = record.detail.get("counts")
            logged.refusals.update(counts if isinstance(counts, dict) else {})
        elif record.type in ("act", "alarm"):
            logged.acts.append(_act(record))
    return logged


def _act(record: LoggedRecord) -> Act:
    alarm = record.type == "alarm"
    what = record.detail.get("kind" if alarm else "act")
    rest = {
        key: value
        for key, value in record.detail.items()
        if key not in ("act", "kind", "user") and isinstance(value, str | int)
    }
    words = f"{what or record.type}" + "".join(f", {key} {value}" for key, value in sorted(rest.items()))
    user = _text(record.detail.get("user"))  # who it was of those who may use the hub's pages
    actor = record.actor if alarm or user is None else f"{record.actor} ({user})"
    return Act(_when(record), actor, record.object, words, alarm)


def _when(record: LoggedRecord) -> When:
    return When(record.time, Source.LOG, record.index)


def _registry(dossier: Dossier) -> tuple[RegistryStory, ...]:
    told: list[RegistryStory] = []
    before = None
    for each in dossier.registries:
        position = dossier.registry_positions.get(each.registry.seq)
        index = None if position is None else position[1]
        made = RegistryStory(
            each.registry.seq, each.id, each.registry.created, index, changes(before, each.registry)
        )
        told.append(made)
        before = each.registry
    return tuple(told)


def _dataset(
    dossier: DatasetDossier, logged: _Logged, owner_names: Mapping[str, str], whole: bool
) -> DatasetStory:
    newest = dossier.versions[-1].manifest.manifest
    numbers = {each.manifest.id: each.manifest.manifest.seq for each in dossier.versions}
    holdings = [
        _holding(partner, version, records, numbers.get(version), whole)
        for (partner, version), records in logged.holdings.get(dossier.dataset, {}).items()
    ]
    return DatasetStory(
        dataset=dossier.dataset,
        title=newest.title,
        owner=newest.owner,
        owner_names=owner_names,
        rights_holder=newest.rights_holder,
        producer=newest.producer,
        licence=newest.license.expression,
        licence_text_sha256=newest.license.text_sha256,
        attribution=newest.license.attribution,
        theme=newest.theme,
        classification=newest.classification,
        supersedes=newest.supersedes,
        derived_from=newest.derived_from,
        extent=newest.extent,
        versions=tuple(_version(each) for each in dossier.versions),
        policies=tuple(_policy(each, logged) for each in dossier.policies),
        holdings=tuple(holdings),
        deliveries_complete=whole,
    )


def _version(version: VersionDossier) -> VersionStory:
    manifest = version.manifest.manifest
    logged = None
    if version.record is not None:
        logged = _when(version.record)
    elif version.receipt is not None:
        logged = When(version.receipt.accept_time, Source.RECEIPT, version.receipt.leaf_index)
    return VersionStory(
        seq=manifest.seq,
        id=version.manifest.id,
        signed=manifest.created,
        logged=logged,
        files=manifest.files,
        bytes=manifest.bytes,
        policy_seq=manifest.policy_seq,
        has_content=version.has_content,
    )


def _policy(verified: VerifiedPolicy, logged: _Logged) -> PolicyStory:
    record = logged.policies.get(verified.id)
    return PolicyStory(
        seq=verified.policy.seq,
        id=verified.id,
        signed=verified.policy.created,
        logged=None if record is None else _when(record),
        sentences=sentences(verified),
        hidden=hidden_count(verified),
        terms=verified.policy.terms,
    )


def _holding(
    partner: str, version: str, records: Sequence[LoggedRecord], seq: int | None, whole: bool
) -> Holding:
    delivery = next((each for each in records if each.type == "delivery"), None)
    detail = {} if delivery is None else delivery.detail
    return Holding(
        partner=partner,
        version_id=version,
        version_seq=seq,
        delivered=None if delivery is None else _when(delivery),
        node=_text(detail.get("node")),
        policy_seq=seq_ if isinstance(seq_ := detail.get("policy_seq"), int) else None,
        rule=_text(detail.get("rule")),
        acknowledged=tuple(
            Acknowledged(_text(each.detail.get("node")) or "", _when(each))
            for each in records
            if each.type == "acknowledgement"
        ),
        silence_known=whole,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
