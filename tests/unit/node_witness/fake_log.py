"""A hub's log that obeys: a real Merkle tree with real signatures, which a test can make lie.

log = FakeLog(clock, owner="la-dgm")
log.version("geology"); log.sign()
hub = FakeHub(log, "la-dgm")                # what a node asks
other = log.fork()                          # the same past; from here on it tells something else
hub.log = other
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from core.clock import format_instant
from core.errors import Denied, InvalidInput
from core.names import DatasetId, NodeName, PartnerId
from security import policy as policies
from security.envelope import parse
from security.keys import SigningKey, WitnessKey
from security.registry import (
    ACTIVE,
    Administrators,
    Registry,
    RegistryLog,
    RegistryNode,
    RegistryPartner,
    VerifiedRegistry,
    first_registry,
    sign_registry,
    verify_first,
    verify_next,
)
from security.tlog.checkpoint import Checkpoint, sign_checkpoint
from security.tlog.cosignature import cosign, merge
from security.tlog.leaf import lane_commitment, leaf_hash, make_leaf, new_salt, registry_leaf
from security.tlog.merkle import consistency_proof, root_at, tree_root
from security.tlog.note import NoteSignature, parse_note
from sync import manifest as manifests
from sync.ports import Accepted, CheckpointView, Entries, HubInfo, OpenedEntry, PolicyExtract
from tests.simulation.clock import ManualClock

FEDERATION = "test-geo"
ORIGIN = f"{FEDERATION}/log"


class Tree:
    """Roots of whole subtrees of a list of leaf hashes."""

    def __init__(self, hashes: Sequence[bytes]) -> None:
        self._hashes = hashes

    def hash(self, level: int, number: int) -> bytes:
        return tree_root(self._hashes[number << level : (number + 1) << level])


@dataclass
class Federation:
    """Administrators, members and the chain of registries, without a hub."""

    clock: ManualClock
    log_key: WitnessKey
    administrator: SigningKey = field(default_factory=SigningKey.generate)
    hub: SigningKey = field(default_factory=SigningKey.generate)
    signing: dict[str, SigningKey] = field(default_factory=dict[str, SigningKey])
    witness: dict[str, WitnessKey] = field(default_factory=dict[str, WitnessKey])
    chain: list[VerifiedRegistry] = field(default_factory=list[VerifiedRegistry])

    @classmethod
    def make(cls, clock: ManualClock, partners: Sequence[str]) -> "Federation":
        made = cls(clock, WitnessKey.generate())
        first = first_registry(
            FEDERATION,
            Administrators((made.administrator.public,), 1),
            (made.hub.public,),
            (RegistryLog(ORIGIN, made.log_key.public),),
            (),
            clock.now(),
        )
        envelope = sign_registry(first, [made.administrator])
        made.chain.append(verify_first(envelope, parse(envelope).id))
        for partner in partners:
            made.admit(partner)
        return made

    @property
    def registry(self) -> Registry:
        return self.chain[-1].registry

    def admit(self, partner: str) -> VerifiedRegistry:
        signing = self.signing[partner] = SigningKey.generate()
        witness = self.witness[partner] = WitnessKey.generate()
        node = RegistryNode(NodeName("main"), witness.public)
        entry = RegistryPartner(PartnerId(partner), {"en": partner}, (signing.public,), (node,), ACTIVE)
        return self.sign(self.draft().with_partner(entry))

    def draft(self) -> Registry:
        return self.chain[-1].successor(self.clock.now())

    def sign(self, draft: Registry) -> VerifiedRegistry:
        self.chain.append(verify_next(self.chain[-1], sign_registry(draft, [self.administrator])))
        return self.chain[-1]


class FakeLog:
    """Leaves, openings, checkpoints, cosignatures."""

    def __init__(self, federation: Federation, owner: str) -> None:
        self.federation = federation
        self.owner = PartnerId(owner)
        self.origin = ORIGIN
        self.key = federation.log_key
        self.leaves: list[bytes] = []
        self.opened: dict[int, OpenedEntry] = {}
        self.lane: list[str] = []
        self.notes: dict[int, bytes] = {}
        self.cosignatures: list[tuple[int, NoteSignature]] = []
        self.size = 0
        self.versions: dict[str, list[bytes]] = {}
        self.policies: dict[str, list[PolicyExtract]] = {}
        for each in federation.chain:
            self.leaves.append(registry_leaf(each.id))

    # --- what an honest hub does ---------------------------------------------------------------------

    def sign(self) -> Checkpoint:
        """A checkpoint over all leaves."""
        self.size = len(self.leaves)
        checkpoint = self.checkpoint(self.size)
        self.notes[self.size] = sign_checkpoint(checkpoint, self.key)
        return checkpoint

    def checkpoint(self, size: int) -> Checkpoint:
        return Checkpoint(self.origin, size, root_at(self.tree, size))

    @property
    def tree(self) -> Tree:
        return Tree([leaf_hash(each) for each in self.leaves])

    def record(self, type_: str, object_: str, *, actor: str | None = None, **more: Any) -> int:
        """Append a record of the owner's lane, opened to the owner; its index."""
        statement = more.pop("statement", None)
        statement_id = more.pop("statement_sha256", None)
        n, prev = len(self.lane) + 1, self.lane[-1] if self.lane else None
        salt = new_salt()
        place = lane_commitment(self.owner, n, prev, salt)
        self.lane.append(place)
        value = {
            "v": 1,
            "type": type_,
            "time": format_instant(more.pop("time", None) or self.federation.clock.now()),
            "actor": actor or self.owner,
            "object": object_,
            "detail": more,
            "lane": place,
        }
        if statement_id is not None:
            value["statement_sha256"] = statement_id
        leaf, opening = make_leaf(value)
        index = len(self.leaves)
        self.leaves.append(leaf)
        self.opened[index] = OpenedEntry(index, opening.record, opening.nonce, n, prev, salt, statement)
        return index

    def strangers(self, count: int) -> None:
        """Records that the owner may not open."""
        for _ in range(count):
            self.leaves.append(make_leaf({"v": 1, "n": len(self.leaves)})[0])

    def policy(self, name: str, readers: Sequence[str], signer: SigningKey | None = None) -> str:
        """A policy that grants `read`, logged; its id."""
        known = self.policies.setdefault(name, [])
        rules = [policies.Rule(f"read-{who}", "permission", who, ("read",)) for who in readers]
        prev = parse(known[-1].envelope).id if known else None
        key = signer or self.federation.signing[self.owner]
        dataset = DatasetId(f"{self.owner}/{name}")
        envelope, disclosures = policies.build(
            dataset, len(known) + 1, prev, self.federation.clock.now(), rules, None, key
        )
        known.append(PolicyExtract(envelope, disclosures))
        self.record("policy", dataset, statement_sha256=parse(envelope).id, seq=len(known))
        return parse(envelope).id

    def version(self, name: str, signer: SigningKey | None = None) -> str:
        """A version, logged; its manifest's id."""
        known = self.versions.setdefault(name, [])
        envelope = self.manifest(name, len(known) + 1, parse(known[-1]).id if known else None, signer)
        known.append(envelope)
        manifest_id = parse(envelope).id
        self.record("version", f"{self.owner}/{name}", statement_sha256=manifest_id, seq=len(known))
        return manifest_id

    def manifest(self, name: str, seq: int, prev: str | None, signer: SigningKey | None = None) -> bytes:
        manifest = manifests.Manifest(
            dataset=DatasetId(f"{self.owner}/{name}"),
            inventory_sha256="1" * 64,
            seq=seq,
            prev=prev,
            created=self.federation.clock.now(),
            owner=self.owner,
            rights_holder="x",
            license=manifests.License(expression="CC-BY-4.0"),
            title={"en": name},
            theme="other",
            policy_seq=1,
            policy_sha256="2" * 64,
            registry_seq=1,
            registry_sha256=self.federation.chain[0].id,
            files=1,
            bytes=1,
        )
        return manifests.build(manifest, signer or self.federation.signing[self.owner])

    def delivery(self, name: str, manifest_id: str, partner: str, **more: Any) -> int:
        return self.record(
            "delivery",
            f"{self.owner}/{name}",
            actor=partner,
            statement_sha256=manifest_id,
            partner=partner,
            node="main",
            policy_seq=1,
            rule=f"read-{partner}",
            **more,
        )

    def cosigned_by(self, partner: str, size: int, at: datetime | None = None) -> None:
        """Another witness stands for the checkpoint of `size`."""
        name = f"{FEDERATION}/{partner}/main"
        text = parse_note(self.notes[size]).text
        when = at or self.federation.clock.now()
        self.cosignatures.append((size, cosign(text, name, self.federation.witness[partner], when)))

    # --- what a dishonest one does -------------------------------------------------------------------

    def fork(self) -> "FakeLog":
        """Another log with the same past, the same key and the same name."""
        other = copy.copy(self)
        for name in ("leaves", "opened", "lane", "notes", "cosignatures", "versions", "policies"):
            setattr(other, name, copy.copy(getattr(self, name)))
        return other

    def roll_back(self, size: int) -> "FakeLog":
        """As it was at `size`, as from a backup."""
        other = self.fork()
        del other.leaves[size:]
        other.opened = {i: e for i, e in other.opened.items() if i < size}
        other.lane = other.lane[: len(other.opened)]
        other.notes = {s: n for s, n in other.notes.items() if s <= size}
        other.cosignatures = [(s, c) for s, c in other.cosignatures if s <= size]
        other.sign()
        return other

    def continued(self, number: int) -> "FakeLog":
        """The administrators sign that this log goes on under another origin and key."""
        other = self.fork()
        other.origin = f"{ORIGIN}/{number}"
        other.key = WitnessKey.generate()
        other.notes, other.cosignatures = {}, []
        last = self.notes[self.size].decode()
        log = RegistryLog(other.origin, other.key.public, (self.origin, last))
        statement = self.federation.sign(self.federation.draft().with_log(log))
        other.leaves.append(registry_leaf(statement.id))
        other.sign()
        return other


class FakeHub:
    """What a node asks of `log`. `calls` counts; `broken` calls raise."""

    def __init__(self, log: FakeLog) -> None:
        self.log = log
        self.calls: list[str] = []
        self.broken: dict[str, Exception] = {}
        self.entries_max = 10**9
        self.given: list[bytes] = []
        self.hidden_registries = 0

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.broken:
            raise self.broken[name]

    def get_checkpoint(self, min_size: int = 0) -> CheckpointView:
        self._call("get_checkpoint")
        log = self.log
        last: dict[str, tuple[int, NoteSignature]] = {}
        for size, line in log.cosignatures:
            if line.name not in last or last[line.name][0] <= size:
                last[line.name] = (size, line)
        notes: dict[int, bytes] = {}
        for size, line in last.values():
            notes[size] = merge(notes.get(size, log.notes[size]), [line])
        newest = notes.pop(log.size, log.notes[log.size])
        return CheckpointView(newest, tuple(notes[size] for size in sorted(notes, reverse=True)))

    def get_consistency_proof(self, first_size: int, second_size: int) -> Sequence[bytes]:
        self._call("get_consistency_proof")
        if not 1 <= first_size <= second_size <= self.log.size:
            raise InvalidInput("beyond the checkpoint", reason="OUT_OF_RANGE")
        return consistency_proof(self.log.tree, first_size, second_size)

    def get_entries(self, first_index: int, count: int) -> Entries:
        self._call("get_entries")
        end = min(self.log.size, first_index + min(count, self.entries_max))
        opened = (self.log.opened[i] for i in range(first_index, end) if i in self.log.opened)
        return Entries(tuple(self.log.leaves[first_index:end]), tuple(opened))

    def add_cosignature(self, note: bytes) -> None:
        self._call("add_cosignature")
        self.given.append(note)
        parsed = parse_note(note)
        size = int(parsed.text.split(b"\n")[1])
        (line,) = parsed.signatures
        self.log.cosignatures.append((size, line))

    def list_registry(self, from_seq: int) -> Sequence[bytes]:
        self._call("list_registry")
        chain = self.log.federation.chain
        shown = chain[: len(chain) - self.hidden_registries]
        return [each.envelope for each in shown if each.registry.seq >= from_seq]

    def list_versions(self, dataset: DatasetId, from_seq: int) -> Iterator[bytes]:
        self._call("list_versions")
        if dataset.partition("/")[2] not in self.log.versions:
            raise Denied("no such dataset")
        return iter(self.log.versions[dataset.partition("/")[2]][from_seq - 1 :])

    def list_policies(self, dataset: DatasetId, from_seq: int) -> Iterator[PolicyExtract]:
        self._call("list_policies")
        if dataset.partition("/")[2] not in self.log.policies:
            raise Denied("no such dataset")
        return iter(self.log.policies[dataset.partition("/")[2]][from_seq - 1 :])

    def get_hub_info(self) -> HubInfo:
        raise NotImplementedError

    def commit_version(self, envelope: bytes, root: bytes | None) -> Accepted:
        raise NotImplementedError


LONG = timedelta(days=1)
