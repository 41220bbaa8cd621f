"""A log of the attackers' making: any leaves, any tree, signed with the federation's own log key.

What a hub can do that lies, or that conspires with an owner: everything but other people's signatures.

    log = ForgedLog(federation)
    evidence = log.prove("th-dmr", manifest_envelope, policy)      # holds
    log.records[LeafKind.VERSION]["detail"]["seq"] = 7             # and now it does not
"""

from collections.abc import Sequence
from typing import Any

from core.clock import format_instant
from core.names import owner_of
from security.digests import sha256_hex
from security.envelope import parse
from security.keys import WitnessKey
from security.keystore import load_witness_key
from security.policy import Policy
from security.registry import Registry
from security.tlog.checkpoint import Checkpoint, sign_checkpoint
from security.tlog.cosignature import merge
from security.tlog.leaf import leaf_hash, make_leaf, registry_leaf
from security.tlog.merkle import EMPTY_ROOT, inclusion_proof, tree_root
from security.tlog.note import NoteSignature
from sync import manifest as manifests
from sync.ports import Evidence, LeafKind, PolicyExtract, ProvenLeaf
from tests.simulation.federation import TestFederation, sha256_of_payload


class ForgedLog:
    """Leaves in order. Change `records` before `evidence`, or what it gives afterwards."""

    def __init__(self, federation: TestFederation) -> None:
        self._federation = federation
        self.key: WitnessKey = load_witness_key(federation.host.layout.log_key)
        self.origin = federation.registry.registry.logs[-1].origin
        self.registries = {
            Registry.from_payload(parse(each).payload).seq: sha256_of_payload(each)
            for each in federation.hub.registry.list_from(1)
        }
        self.records: dict[LeafKind, dict[str, Any]] = {}

    def about(self, partner: str, envelope: bytes, policy: PolicyExtract) -> "ForgedLog":
        """Make the records that a version's evidence needs."""
        signed = Policy.from_payload(parse(policy.envelope).payload)
        manifest = manifests.parse_manifest(parse(envelope).payload, signed.dataset)
        policy_seq, owner = signed.seq, owner_of(manifest.dataset)
        self.records = {
            LeafKind.POLICY: self._record(
                "policy", owner, manifest.dataset, sha256_of_payload(policy.envelope), {"seq": policy_seq}
            ),
            LeafKind.VERSION: self._record(
                "version", owner, manifest.dataset, sha256_of_payload(envelope), {"seq": manifest.seq}
            ),
            LeafKind.DELIVERY: self._record(
                "delivery",
                "hub",
                manifest.dataset,
                sha256_of_payload(envelope),
                {
                    "partner": partner,
                    "policy_seq": policy_seq,
                    "policy_sha256": sha256_of_payload(policy.envelope),
                },
            ),
        }
        return self

    def evidence(
        self,
        *,
        size: int | None = None,
        key: WitnessKey | None = None,
        cosignatures: Sequence[NoteSignature] = (),
    ) -> Evidence:
        """All of it, under one checkpoint; `size` and `key` for attacks."""
        kinds: list[tuple[LeafKind, int, bytes, bytes, bytes]] = []
        for seq, id_ in self.registries.items():
            kinds.append((LeafKind.REGISTRY, seq, registry_leaf(id_), b"", b""))
        for kind, record in self.records.items():
            leaf, opening = make_leaf(record)
            kinds.append((kind, 0, leaf, opening.record, opening.nonce))
        hashes = [leaf_hash(leaf) for _, _, leaf, _, _ in kinds]
        nodes = _Nodes(hashes)
        root = EMPTY_ROOT if size == 0 else tree_root(hashes)
        checkpoint = Checkpoint(self.origin, len(hashes) if size is None else size, root)
        note = merge(sign_checkpoint(checkpoint, key or self.key), cosignatures)
        leaves = [
            ProvenLeaf(kind, index, record, nonce, seq, tuple(inclusion_proof(nodes, index, len(hashes))))
            for index, (kind, seq, _, record, nonce) in enumerate(kinds)
        ]
        return Evidence(note, tuple(leaves))

    def prove(self, partner: str, envelope: bytes, policy: PolicyExtract) -> Evidence:
        """Evidence that holds."""
        return self.about(partner, envelope, policy).evidence()

    def _record(
        self, type_: str, actor: str, object_: str, statement: str, detail: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            "v": 1,
            "type": type_,
            "time": format_instant(self._federation.clock.now()),
            "actor": actor,
            "object": object_,
            "statement_sha256": statement,
            "detail": detail,
            "lane": sha256_hex(statement.encode()),
        }


class _Nodes:
    """Complete subtrees of a small tree."""

    def __init__(self, hashes: list[bytes]) -> None:
        self._hashes = hashes

    def hash(self, level: int, number: int) -> bytes:
        return tree_root(self._hashes[number << level : (number + 1) << level])
