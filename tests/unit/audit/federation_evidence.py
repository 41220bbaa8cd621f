"""A whole honest little federation, and the evidence that it leaves: mirrors and bundles, made by hand.

    federation = Federation()
    dataset = federation.dataset(DATASET)
    dataset.publish({"README.txt": b"map"})
    dataset.deliver("cn-cgs")
    write_mirror(dataset, tmp_path / "mirror")
    write_bundle(tmp_path / "evidence.zip", bundle_files(federation))

The auditor must not depend on who wrote the evidence: no code of hub and node is used here. Tests that attack
take the files as a dict, change some, and write them.
"""

import hashlib
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from audit.bundle.writer import new_bag
from core.clock import format_instant
from core.names import DatasetId, NodeName, PartnerId, owner_of
from security import envelope as dsse
from security.canonical import canonical
from security.digests import sha256_hex
from security.fields import encode_base64
from security.keys import SigningKey, WitnessKey, ed25519_pem
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
from security.tlog.checkpoint import Checkpoint, sign_checkpoint
from security.tlog.cosignature import Witness, cosign, merge
from security.tlog.leaf import lane_commitment, leaf_hash, make_leaf, registry_leaf
from security.tlog.log_policy import write as write_log_policy
from security.tlog.merkle import inclusion_proof, tree_root
from security.tlog.opening_file import LanePlace, OpeningFile
from security.tlog.quorum import needed
from security.tlog.tlog_proof import to_proof_file
from security.trust import Trust
from sync.acknowledgement import Acknowledgement
from sync.acknowledgement import build as build_acknowledgement
from sync.manifest import License, Manifest, build

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
DATASET = DatasetId("la-dgm/geology-1m")
OWNER = PartnerId("la-dgm")
READER = PartnerId("cn-cgs")
OTHER = PartnerId("th-dmr")
FILES = {
    "README.txt": b"map\n",
    "a-b/x": b"1",
    "a.txt": b"",
    "a/deep/er/y.bin": bytes(range(256)) * 40,
    "a/z": b"z",
    "ໄຟລ໌/ແຜນທີ່.geojson": b"{}",
    "same-as-readme.txt": b"map\n",
}


@dataclass
class Leaf:
    """A leaf's bytes and, but for the registry's, its opening."""

    data: bytes
    type: str
    opening: OpeningFile | None = None


class Log:
    """An honest log: a list of leaves, a key, and proofs under any size."""

    def __init__(self, origin: str, key: WitnessKey | None = None) -> None:
        self.origin = origin
        self.key = key or WitnessKey.generate()
        self.leaves: list[Leaf] = []
        self.now = NOW
        self._lanes: dict[str, tuple[int, str]] = {}

    def registry(self, registry_id: str) -> int:
        self.leaves.append(Leaf(registry_leaf(registry_id), "registry"))
        return len(self.leaves) - 1

    def record(
        self,
        kind: str,
        actor: str,
        about: str,
        statement: str | None = None,
        lane: bool = True,
        **detail: Any,
    ) -> int:
        """Log a record, a minute after the one before."""
        self.now += timedelta(minutes=1)
        index = len(self.leaves)
        value: dict[str, Any] = {
            "v": 1,
            "type": kind,
            "time": format_instant(self.now),
            "actor": actor,
            "object": about,
            "detail": detail,
            "lane": None,
        }
        if statement is not None:
            value["statement_sha256"] = statement
        place = None
        if lane:
            owner = PartnerId(about.partition("/")[0])
            n, prev = self._lanes.get(owner, (0, None))
            place = LanePlace(n + 1, prev, secrets.token_bytes(32))
            value["lane"] = lane_commitment(owner, place.n, place.prev, place.salt)
            self._lanes[owner] = (place.n, value["lane"])
        leaf, opening = make_leaf(value)
        self.leaves.append(Leaf(leaf, kind, OpeningFile(index, opening.record, opening.nonce, place)))
        return index

    # Merkle tree

    @property
    def hashes(self) -> list[bytes]:
        return [leaf_hash(each.data) for each in self.leaves]

    def hash(self, level: int, number: int) -> bytes:
        return tree_root(self.hashes[number << level : (number + 1) << level])

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        size = len(self.leaves) if size is None else size
        return Checkpoint(self.origin, size, tree_root(self.hashes[:size]))

    def note(self, size: int | None = None, cosigners: Mapping[str, WitnessKey] | None = None) -> bytes:
        checkpoint = self.checkpoint(size)
        note = sign_checkpoint(checkpoint, self.key)
        text = checkpoint.to_text()
        return merge(note, [cosign(text, name, key, self.now) for name, key in (cosigners or {}).items()])

    def proof(self, index: int, note: bytes, size: int | None = None) -> bytes:
        size = len(self.leaves) if size is None else size
        return to_proof_file(index, inclusion_proof(self, index, size), note)


@dataclass
class Version:
    """What was published: files, inventory, manifest, where it was logged, the hub's receipt."""

    manifest: Manifest
    id: str
    envelope: bytes
    inventory: bytes
    files: dict[str, bytes]
    index: int
    receipt: bytes

    @property
    def folder(self) -> str:
        return f"{self.manifest.seq}-{self.id[:8]}"


@dataclass
class Published:
    """A policy as it was signed and logged."""

    envelope: bytes
    disclosures: bytes
    index: int
    verified: VerifiedPolicy


class Federation:
    """Keys of everybody, the registry's chain, the hub's log."""

    def __init__(self, name: str = "mekong") -> None:
        self.name = name
        self.administrator = SigningKey.generate()
        self.hub = SigningKey.generate()
        self.log = Log(f"{name}/log")
        self.keys: dict[str, SigningKey] = {}
        self.witness_keys: dict[str, WitnessKey] = {}
        self.chain: list[VerifiedRegistry] = []
        self.registry_indices: dict[int, int] = {}
        self.datasets: list[Dataset] = []
        administrators = Administrators((self.administrator.public,), 1)
        log = RegistryLog(self.log.origin, self.log.key.public)
        first = first_registry(name, administrators, [self.hub.public], [log], [], NOW)
        envelope = sign_registry(first, [self.administrator])
        self._accept(verify_first(envelope, dsse.parse(envelope).id))
        for partner in (OWNER, READER, OTHER):
            self.admit(partner)

    # Registry

    def admit(self, partner: str, key: SigningKey | None = None) -> None:
        key = key or SigningKey.generate()
        self.keys[partner] = key
        witness = WitnessKey.generate()
        self.witness_keys[f"{self.name}/{partner}/main"] = witness
        node = RegistryNode(NodeName("main"), witness.public)
        self.append(
            self.draft().with_partner(
                RegistryPartner(PartnerId(partner), {"en": partner}, (key.public,), (node,))
            )
        )

    def draft(self) -> Registry:
        return self.chain[-1].successor(self.log.now)

    def append(self, draft: Registry) -> None:
        """Sign, accept and log the next statement."""
        self._accept(verify_next(self.chain[-1], sign_registry(draft, [self.administrator])))

    def set_state(self, partner: str, state: str) -> None:
        self.append(self.draft().with_state(PartnerId(partner), state))

    def replace_key(self, partner: str) -> SigningKey:
        """The partner signs with another key from now on; its old one is no longer listed."""
        new = SigningKey.generate()
        member = self.chain[-1].registry.partner(partner)
        assert member is not None
        self.append(self.draft().with_partner(replace(member, signing_keys=(new.public,))))
        self.keys[partner] = new
        return new

    def _accept(self, verified: VerifiedRegistry) -> None:
        self.chain.append(verified)
        self.registry_indices[verified.registry.seq] = self.log.registry(verified.id)

    @property
    def owner(self) -> SigningKey:
        return self.keys[OWNER]

    @owner.setter
    def owner(self, key: SigningKey) -> None:
        self.keys[OWNER] = key

    @property
    def anchor(self) -> str:
        return self.chain[0].id

    @property
    def trust(self) -> Trust:
        return Trust.of(self.chain[0])

    # Log

    def note(self, size: int | None = None, cosigners: Mapping[str, WitnessKey] | None = None) -> bytes:
        """A checkpoint that every witness has cosigned, or those given."""
        return self.log.note(size, self.witness_keys if cosigners is None else cosigners)

    def log_policy(self) -> bytes:
        registry = self.chain[-1].registry
        witnesses = [
            Witness(f"{self.name}/{partner.id}/{node.name}", node.witness_key)
            for partner in registry.partners
            if partner.active
            for node in partner.nodes
        ]
        return write_log_policy(registry.logs, witnesses, needed(len(witnesses)))

    def receipt(self, dataset: str, manifest_id: str, index: int, leaf: bytes | None = None) -> bytes:
        payload = {
            "v": 1,
            "federation": self.name,
            "log": self.log.origin,
            "dataset": dataset,
            "manifest_sha256": manifest_id,
            "leaf_index": index,
            "leaf": encode_base64(self.log.leaves[index].data if leaf is None else leaf),
            "accept_time": format_instant(self.log.now),
        }
        return dsse.sign(dsse.RECEIPT, canonical(payload), [self.hub])

    def dataset(self, dataset: DatasetId = DATASET) -> "Dataset":
        made = Dataset(self, dataset)
        self.datasets.append(made)
        return made

    def act(self, partner: str, act: str) -> int:
        return self.log.record("act", "operator", partner, act=act)

    def refusals(self, **counts: int) -> int:
        end = self.log.now + timedelta(hours=1)
        return self.log.record(
            "refusals", "hub", "hour", lane=False,
            counts=counts, to=format_instant(end), **{"from": format_instant(self.log.now)},
        )  # fmt: skip


@dataclass
class Dataset:
    """One dataset's statements, all of them logged."""

    federation: Federation
    id: DatasetId
    policies: list[Published] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    deliveries: list[int] = field(default_factory=list)
    acknowledgements: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def owner(self) -> PartnerId:
        return owner_of(self.id)

    @property
    def key(self) -> SigningKey:
        return self.federation.keys[self.owner]

    def allow(self, *rules: Rule) -> Published:
        """A new policy; without rules, that `READER` may read."""
        chosen = list(rules) or [Rule("1", "permission", READER, ("discover", "read"))]
        before = self.policies[-1].verified.id if self.policies else None
        envelope, disclosures = build_policy(
            self.id, len(self.policies) + 1, before, self.federation.log.now, chosen, None, self.key
        )
        verified = verify_policy(envelope, disclosures, [self.key.public], complete=True)
        seq = verified.policy.seq
        index = self.federation.log.record("policy", self.owner, self.id, verified.id, node="main", seq=seq)
        made = Published(envelope, disclosures, index, verified)
        self.policies.append(made)
        return made

    def sign(self, files: Mapping[str, bytes], **changes: Any) -> tuple[Manifest, bytes, bytes]:
        """A manifest for the next version, its envelope, and the inventory."""
        if not self.policies:
            self.allow()
        inventory = inventory_of(files)
        pinned, policy = self.federation.chain[-1], self.policies[-1].verified
        manifest = Manifest(
            dataset=self.id,
            inventory_sha256=sha256_hex(inventory),
            seq=len(self.versions) + 1,
            prev=self.versions[-1].id if self.versions else None,
            created=self.federation.log.now,
            owner=self.owner,
            rights_holder="Department of Geology and Mines",
            license=License(expression="CC-BY-4.0"),
            title={"en": "Geological map", "lo": "ແຜນທີ່ທໍລະນີສາດ"},
            theme="basic-geology",
            policy_seq=policy.policy.seq,
            policy_sha256=policy.id,
            registry_seq=pinned.registry.seq,
            registry_sha256=pinned.id,
            files=len(files),
            bytes=sum(map(len, files.values())),
        )
        manifest = replace(manifest, **changes)
        return manifest, build(manifest, self.key), inventory

    def publish(self, files: Mapping[str, bytes] = FILES, **changes: Any) -> Version:
        manifest, envelope, inventory = self.sign(files, **changes)
        return self.commit(manifest, envelope, inventory, files)

    def commit(
        self, manifest: Manifest, envelope: bytes, inventory: bytes, files: Mapping[str, bytes]
    ) -> Version:
        """The hub accepts: leaf and receipt."""
        identity, federation = dsse.parse(envelope).id, self.federation
        index = federation.log.record(
            "version", self.owner, self.id, identity, node="main", seq=manifest.seq, content=True
        )
        receipt = federation.receipt(self.id, identity, index)
        made = Version(manifest, identity, envelope, inventory, dict(files), index, receipt)
        self.versions.append(made)
        return made

    def deliver(self, partner: str = READER, version: Version | None = None, **changes: Any) -> int:
        version = version or self.versions[-1]
        policy = self.policies[-1].verified
        detail: dict[str, Any] = {
            "node": "main",
            "partner": partner,
            "policy_seq": policy.policy.seq,
            "policy_sha256": policy.id,
            "rule": "1",
            **changes,
        }
        index = self.federation.log.record("delivery", partner, self.id, version.id, **detail)
        self.deliveries.append(index)
        return index

    def acknowledge(self, partner: str = READER, version: Version | None = None) -> int:
        version = version or self.versions[-1]
        policy = self.policies[-1].verified
        said = Acknowledgement(
            dataset=self.id,
            manifest_sha256=version.id,
            policy_sha256=policy.id,
            partner=PartnerId(partner),
            node=NodeName("main"),
            created=self.federation.log.now.replace(microsecond=0),
        )
        envelope = build_acknowledgement(said, self.federation.keys[partner])
        index = self.federation.log.record(
            "acknowledgement", partner, self.id, dsse.parse(envelope).id,
            node="main", version=version.id, policy=policy.id, result="applied",
        )  # fmt: skip
        self.acknowledgements.append((index, envelope))
        return index


def inventory_of(files: Mapping[str, bytes]) -> bytes:
    return b"".join(
        f"{hashlib.sha256(data).hexdigest()}  {path}\n".encode()
        for path, data in sorted(files.items(), key=lambda item: item[0].encode())
    )


def honest(name: str = "mekong") -> Federation:
    """A federation in which something of every kind has happened: its dataset is `federation.datasets[0]`."""
    federation = Federation(name)
    dataset = federation.dataset()
    federation.act(OWNER, "invite")
    dataset.allow()
    dataset.publish(FILES)
    dataset.deliver(READER)
    dataset.acknowledge(READER)
    federation.refusals(DENIED=3)
    everybody = Rule("2", "permission", "federation", ("discover", "read"))
    dataset.allow(Rule("1", "permission", READER, ("discover", "read")), everybody)
    dataset.publish({**FILES, "new.txt": b"new"})
    dataset.deliver(READER)
    dataset.deliver(OTHER)
    dataset.acknowledge(READER)
    return federation


# Mirrors


def mirror_evidence(
    dataset: Dataset, version: Version, delivery: int | None, note: bytes, size: int | None = None
) -> dict[str, bytes]:
    """The files of `.syncline/`."""
    federation, policy = dataset.federation, dataset.policies[-1]
    log = federation.log
    made = {
        "manifest.json": version.envelope,
        "inventory.sha256": version.inventory,
        "policy.json": policy.envelope,
        "policy-rules.json": policy.disclosures,
        f"keys/{dataset.owner}.ed25519.pem": dataset.key.public.ed25519_pem(),
        "log/checkpoint": note,
        "log/log-policy": federation.log_policy(),
    }
    leaves = {"version": version.index, "policy": policy.index, "delivery": delivery}
    for kind, index in leaves.items():
        if index is None:
            continue
        opening = log.leaves[index].opening
        assert opening is not None
        made[f"log/{kind}.opening.json"] = replace(opening, lane=None).to_bytes()
        made[f"log/{kind}.tlog-proof"] = log.proof(index, note, size)
    for each in federation.chain:
        seq = each.registry.seq
        made[f"registry/{seq:08}.json"] = each.envelope
        made[f"log/registry-{seq:08}.tlog-proof"] = log.proof(federation.registry_indices[seq], note, size)
    return made


def write_mirror(
    dataset: Dataset,
    root: Path,
    version: Version | None = None,
    note: bytes | None = None,
    evidence: Mapping[str, bytes] | None = None,
) -> Path:
    """A dataset's folder in a mirror at `root`, with `version` as current; the version's folder."""
    version = version or dataset.versions[-1]
    if evidence is None:
        delivery = dataset.deliveries[-1] if dataset.deliveries else None
        evidence = mirror_evidence(dataset, version, delivery, note or dataset.federation.note())
    folder = root / dataset.id / "versions" / version.folder
    write_files(folder, version.files)
    write_files(folder / ".syncline", evidence)
    current = root / dataset.id / "current"
    if os.path.lexists(current):
        current.unlink()
    current.symlink_to(f"versions/{version.folder}")
    return folder


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


@dataclass
class Mirror:
    """A dataset's folder in a mirror, published into version by version."""

    root: Path
    federation: Federation
    versions: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dataset = self.federation.dataset()

    @property
    def folder(self) -> Path:
        return self.root / DATASET

    @property
    def current(self) -> Path:
        return self.versions[-1]

    @property
    def evidence(self) -> Path:
        return self.current / ".syncline"

    def publish(self, files: Mapping[str, bytes], **changes: Any) -> Path:
        self.dataset.publish(files, **changes)
        self.dataset.deliver(READER)
        self.versions.append(write_mirror(self.dataset, self.root))
        return self.versions[-1]


# Bundles


def bundle_files(
    federation: Federation,
    *,
    audience: str = "auditor",
    lanes: Sequence[str] = (OWNER,),
    datasets: Iterable[Dataset] | None = None,
    with_data: bool = True,
    note: bytes | None = None,
    size: int | None = None,
) -> dict[str, bytes]:
    """The payload of a bundle that opens every record: paths from `data/` on, to bytes."""
    log = federation.log
    size = len(log.leaves) if size is None else size
    note = note or federation.note(size)
    chosen = list(federation.datasets if datasets is None else datasets)
    scope = {
        "v": 1,
        "federation": federation.name,
        "for": audience,
        "lanes": sorted(lanes),
        "datasets": sorted({each.id for each in chosen}),
        "log": log.origin,
        "tree_size": size,
    }
    made = {
        "data/scope.json": canonical(scope),
        "data/keys/log.pem": ed25519_pem(log.key.public),
        "data/log/checkpoint": note,
        "data/log/log-policy": federation.log_policy(),
    }
    for each in federation.chain:
        seq = each.registry.seq
        if federation.registry_indices[seq] < size:
            made[f"data/registry/{seq:08}.json"] = each.envelope
            made[f"data/log/registry-{seq:08}.tlog-proof"] = log.proof(
                federation.registry_indices[seq], note, size
            )
    for index, leaf in enumerate(log.leaves[:size]):
        if leaf.opening is not None:
            made[f"data/log/records/{index:012}.opening.json"] = leaf.opening.to_bytes()
            made[f"data/log/records/{index:012}.tlog-proof"] = log.proof(index, note, size)
    for dataset in chosen:
        made |= dataset_files(dataset, size, with_data)
    return made


def dataset_files(dataset: Dataset, size: int, with_data: bool) -> dict[str, bytes]:
    at = f"data/datasets/{dataset.id}"
    made = {f"data/keys/{dataset.owner}.ed25519.pem": dataset.key.public.ed25519_pem()}
    for policy in dataset.policies:
        if policy.index < size:
            seq = policy.verified.policy.seq
            made[f"{at}/policies/{seq:08}.json"] = policy.envelope
            made[f"{at}/policies/{seq:08}.rules.json"] = policy.disclosures
    for version in dataset.versions:
        if version.index >= size:
            continue
        folder = f"{at}/versions/{version.folder}"
        made[f"{folder}/manifest.json"] = version.envelope
        made[f"{folder}/inventory.sha256"] = version.inventory
        made[f"{folder}/receipt.json"] = version.receipt
        if with_data:
            made |= {f"{folder}/content/{path}": data for path, data in version.files.items()}
    for index, envelope in dataset.acknowledgements:
        if index < size:
            made[f"{at}/acknowledgements/{index:012}.json"] = envelope
    return made


def write_bundle(out: Path, files: Mapping[str, bytes]) -> Path:
    """A valid bag of `files` at `out`: a folder, or a zip file where the name ends with .zip."""
    with new_bag(out, base="evidence") as bag:
        for path in sorted(files, key=str.encode):
            bag.add(path, files[path])
        bag.seal("How to check this by hand.\n", {"Source-Organization": "mekong"})
    return out
