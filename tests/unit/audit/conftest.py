"""A mirror as a node writes it, built by hand from keys: the auditor must not depend on who wrote it."""

import hashlib
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.names import DatasetId, NodeName, PartnerId
from security.keys import SigningKey, WitnessKey
from security.members import Administrators, RegistryNode, RegistryPartner
from security.policy import Rule
from security.policy import build as build_policy
from security.registry import VerifiedRegistry, first_registry, sign_registry, verify_first, verify_next
from sync.manifest import License, Manifest, build

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
DATASET = DatasetId("la-dgm/geology-1m")
OWNER = PartnerId("la-dgm")


@dataclass
class Federation:
    """Keys of everybody, and the chain of registries so far."""

    administrator: SigningKey = field(default_factory=SigningKey.generate)
    owner: SigningKey = field(default_factory=SigningKey.generate)
    chain: list[VerifiedRegistry] = field(default_factory=list)

    def __post_init__(self) -> None:
        administrators = Administrators((self.administrator.public,), 1)
        first = first_registry("mekong", administrators, [SigningKey.generate().public], [], [], NOW)
        envelope = sign_registry(first, [self.administrator])
        self.chain.append(verify_first(envelope, self._id(envelope)))
        self.admit(OWNER, self.owner)

    def admit(self, partner: PartnerId, key: SigningKey) -> None:
        node = RegistryNode(NodeName("main"), WitnessKey.generate().public)
        member = RegistryPartner(partner, {"en": str(partner)}, (key.public,), (node,))
        self.append(self.chain[-1].successor(NOW).with_partner(member))

    def append(self, draft: object) -> None:
        self.chain.append(verify_next(self.chain[-1], sign_registry(draft, [self.administrator])))

    @staticmethod
    def _id(envelope: bytes) -> str:
        from security import envelope as dsse

        return dsse.parse(envelope).id

    @property
    def anchor(self) -> str:
        return self.chain[0].id


@dataclass
class Mirror:
    """A dataset's folder in a mirror."""

    root: Path
    federation: Federation
    versions: list[Path] = field(default_factory=list)
    manifests: list[tuple[Manifest, str]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.root / DATASET

    @property
    def current(self) -> Path:
        return self.versions[-1]

    @property
    def evidence(self) -> Path:
        return self.current / ".syncline"

    def publish(self, files: dict[str, bytes], **changes: object) -> Path:
        lines = [
            f"{hashlib.sha256(data).hexdigest()}  {path}\n".encode()
            for path, data in sorted(files.items(), key=lambda item: item[0].encode())
        ]
        inventory = b"".join(lines)
        rules = [Rule("1", "permission", "cn-cgs", ("discover", "read"))]
        policy, disclosures = build_policy(DATASET, 1, None, NOW, rules, None, self.federation.owner)
        pinned = self.federation.chain[-1]
        policy_id = Federation._id(policy)
        manifest = Manifest(
            dataset=DATASET,
            inventory_sha256=hashlib.sha256(inventory).hexdigest(),
            seq=len(self.versions) + 1,
            prev=self.manifests[-1][1] if self.manifests else None,
            created=NOW,
            owner=OWNER,
            rights_holder="Department of Geology and Mines",
            license=License(expression="CC-BY-4.0"),
            title={"en": "Geological map", "lo": "ແຜນທີ່ທໍລະນີສາດ"},
            theme="basic-geology",
            policy_seq=1,
            policy_sha256=policy_id,
            registry_seq=pinned.registry.seq,
            registry_sha256=pinned.id,
            files=len(files),
            bytes=sum(map(len, files.values())),
        )
        manifest = replace(manifest, **changes)
        envelope = build(manifest, self.federation.owner)
        identity = Federation._id(envelope)
        version = self.folder / "versions" / f"{manifest.seq}-{identity[:8]}"
        for path, data in files.items():
            target = version / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        evidence = version / ".syncline"
        (evidence / "registry").mkdir(parents=True)
        (evidence / "keys").mkdir()
        (evidence / "manifest.json").write_bytes(envelope)
        (evidence / "inventory.sha256").write_bytes(inventory)
        (evidence / "policy.json").write_bytes(policy)
        (evidence / "policy-rules.json").write_bytes(disclosures)
        for one in self.federation.chain:
            (evidence / "registry" / f"{one.registry.seq:08}.json").write_bytes(one.envelope)
        (evidence / "keys" / f"{OWNER}.ed25519.pem").write_bytes(self.federation.owner.public.ed25519_pem())
        current = self.folder / "current"
        if os.path.lexists(current):
            current.unlink()
        current.symlink_to(f"versions/{version.name}")
        self.versions.append(version)
        self.manifests.append((manifest, identity))
        return version


FILES = {
    "README.txt": b"map\n",
    "a-b/x": b"1",
    "a.txt": b"",
    "a/deep/er/y.bin": bytes(range(256)) * 40,
    "a/z": b"z",
    "ໄຟລ໌/ແຜນທີ່.geojson": b"{}",
    "same-as-readme.txt": b"map\n",
}


@pytest.fixture(scope="session")
def federation() -> Federation:
    return Federation()


@pytest.fixture
def mirror(tmp_path: Path, federation: Federation) -> Mirror:
    made = Mirror(tmp_path / "mirror", federation)
    made.publish(FILES)
    return made
