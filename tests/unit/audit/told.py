"""Dossiers as `audit.load` would make them, for what is done with them afterwards.

Statements are signed by real keys and verified; places in the log are taken as given, because checking them
is the loader's work and tested there.
"""

import hashlib
import io
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from audit.dossier import (
    BUNDLE,
    DatasetDossier,
    Dossier,
    LanePlace,
    LogCheckpoint,
    LoggedRecord,
    Scope,
    VersionDossier,
    WitnessSeen,
)
from core.names import DatasetId, NodeName, PartnerId
from security.keys import SigningKey, WitnessKey
from security.members import Administrators, RegistryLog, RegistryNode, RegistryPartner
from security.policy import Rule, VerifiedPolicy, verify_policy
from security.policy import build as build_policy
from security.registry import (
    Registry,
    VerifiedRegistry,
    first_registry,
    sign_registry,
    verify_first,
    verify_next,
)
from sync.manifest import License, Manifest, VerifiedManifest, build, verify_manifest

NOW = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
DATASET = DatasetId("la-dgm/geology-1m")
OWNER = PartnerId("la-dgm")
THAI = PartnerId("th-dmr")
CHINESE = PartnerId("cn-cgs")


@dataclass(frozen=True)
class MemoryFile:
    """A file of the evidence that stands in memory."""

    name: str
    data: bytes

    @contextmanager
    def open(self) -> Generator[BinaryIO]:
        yield io.BytesIO(self.data)


@dataclass
class Told:
    """Adds statement after statement and record after record; `dossier()` gives what there is so far."""

    owner: SigningKey = field(default_factory=SigningKey.generate)
    administrator: SigningKey = field(default_factory=SigningKey.generate)
    registries: list[VerifiedRegistry] = field(default_factory=list)
    positions: dict[int, tuple[int, int]] = field(default_factory=dict)
    records: list[LoggedRecord] = field(default_factory=list)
    versions: list[VersionDossier] = field(default_factory=list)
    policies: list[VerifiedPolicy] = field(default_factory=list)
    disclosures: list[bytes] = field(default_factory=list)
    policy_positions: dict[str, tuple[int, int]] = field(default_factory=dict)
    lane: int = 0
    size: int = 0
    now: datetime = NOW

    def __post_init__(self) -> None:
        log = RegistryLog("mekong/log", WitnessKey.generate().public)
        first = first_registry(
            "mekong",
            Administrators((self.administrator.public,), 1),
            [SigningKey.generate().public],
            [log],
            [],
            self.now,
        )
        envelope = sign_registry(first, [self.administrator])
        from security import envelope as dsse

        self.registries.append(verify_first(envelope, dsse.parse(envelope).id))
        self._place_registry()
        self.join(OWNER, self.owner, {"en": "Department of Geology and Mines", "lo": "ກົມທໍລະນີສາດ"})

    def join(
        self, partner: PartnerId, key: SigningKey | None = None, names: Mapping[str, str] | None = None
    ) -> None:
        node = RegistryNode(NodeName("main"), WitnessKey.generate().public)
        keys = ((key or SigningKey.generate()).public,)
        member = RegistryPartner(partner, names or {"en": partner.upper()}, keys, (node,))
        self.registry(self.registries[-1].successor(self.now).with_partner(member))

    def registry(self, draft: Registry) -> None:
        self.registries.append(verify_next(self.registries[-1], sign_registry(draft, [self.administrator])))
        self._place_registry()

    def _place_registry(self) -> None:
        self.positions[self.registries[-1].registry.seq] = (0, self.size)
        self.size += 1

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    def record(
        self,
        type_: str,
        actor: str,
        object_: str,
        statement: str | None = None,
        *,
        lane: bool = True,
        **detail: Any,
    ) -> LoggedRecord:
        place = None
        if lane:
            self.lane += 1
            place = LanePlace(OWNER, self.lane, None if self.lane == 1 else f"{self.lane - 1:064x}")
        made = LoggedRecord(
            index=self.size,
            position=(0, self.size),
            record={"lane": f"{self.lane:064x}" if lane else None},
            leaf=b"",
            type=type_,
            time=self.now,
            actor=actor,
            object=object_,
            statement_sha256=statement,
            detail=detail,
            lane=place,
        )
        self.records.append(made)
        self.size += 1
        return made

    def policy(
        self, *rules: Rule, hide: Sequence[str] = (), terms: Mapping[str, Any] | None = None
    ) -> VerifiedPolicy:
        """Sign and log the next policy; rules whose uid is in `hide` are not disclosed."""
        before = self.policies[-1] if self.policies else None
        seq, prev = (1, None) if before is None else (before.policy.seq + 1, before.id)
        envelope, disclosures = build_policy(DATASET, seq, prev, self.now, rules, terms, self.owner)
        made = verify_policy(envelope, disclosures, [self.owner.public], complete=True)
        made = replace(made, rules=tuple(each for each in made.rules if each.rule.uid not in hide))
        record = self.record("policy", OWNER, DATASET, made.id, node="main", seq=seq)
        self.policies.append(made)
        self.policy_positions[made.id] = record.position
        return made

    def version(
        self, files: Mapping[str, bytes], folder: Path | None = None, **changes: Any
    ) -> VersionDossier:
        """Sign and log the next version, under the newest policy and registry."""
        lines = [f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in sorted(files.items())]
        inventory = "".join(lines).encode()
        pinned = self.registries[-1]
        manifest = Manifest(
            dataset=DATASET,
            inventory_sha256=hashlib.sha256(inventory).hexdigest(),
            seq=len(self.versions) + 1,
            prev=self.versions[-1].manifest.id if self.versions else None,
            created=self.now,
            owner=OWNER,
            rights_holder="Department of Geology and Mines",
            license=License(expression="CC-BY-4.0", attribution="© DGM Laos"),
            title={"en": "Geological map", "lo": "ແຜນທີ່ທໍລະນີສາດ"},
            theme="basic-geology",
            classification="unclassified",
            policy_seq=self.policies[-1].policy.seq,
            policy_sha256=self.policies[-1].id,
            registry_seq=pinned.registry.seq,
            registry_sha256=pinned.id,
            files=len(files),
            bytes=sum(map(len, files.values())),
        )
        manifest = replace(manifest, **changes)
        verified: VerifiedManifest = verify_manifest(
            build(manifest, self.owner), [self.owner.public], manifest.dataset
        )
        for path, data in files.items() if folder is not None else ():
            target = Path(str(folder)) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        record = self.record("version", OWNER, manifest.dataset, verified.id, node="main", seq=manifest.seq)
        made = VersionDossier(
            verified, MemoryFile("inventory.sha256", inventory), folder is not None, folder, record
        )
        self.versions.append(made)
        return made

    def deliver(self, partner: str, version: VersionDossier, rule: str | None = "1") -> LoggedRecord:
        policy = self.policies[-1]
        return self.record(
            "delivery",
            "hub",
            DATASET,
            version.manifest.id,
            partner=partner,
            node="main",
            policy_seq=policy.policy.seq,
            policy_sha256=policy.id,
            rule=rule,
        )

    def acknowledge(self, partner: str, version: VersionDossier) -> LoggedRecord:
        return self.record(
            "acknowledgement",
            partner,
            DATASET,
            "a" * 64,
            node="main",
            version=version.manifest.id,
            result="applied",
        )

    def dossier(self, *, whole: bool = True, **changes: Any) -> Dossier:
        made = Dossier(
            path=Path("evidence"),
            kind=BUNDLE,
            federation="mekong",
            registries=tuple(self.registries),
            registry_positions=dict(self.positions),
            checkpoint=LogCheckpoint("mekong/log", self.size, b"\x5a" * 32, b""),
            cosigned=(WitnessSeen("mekong/la-dgm/main", OWNER, "main", self.now),),
            witnesses_known=2,
            quorum=2,
            records=tuple(self.records),
            whole_lanes=(OWNER,) if whole else (),
            datasets=(
                DatasetDossier(
                    DATASET, tuple(self.versions), tuple(self.policies), dict(self.policy_positions)
                ),
            ),
            scope=Scope("mekong", "la-dgm", (OWNER,), (DATASET,), None, "mekong/log", self.size),
        )
        return replace(made, **changes)


def read_rule(uid: str, partner: str, **times: datetime) -> Rule:
    """A permission to read."""
    return Rule(uid, "permission", partner, ("discover", "read"), **times)
