"""An enrolled node of the made-up fleet: its keys, and all that it signs.

    member = Member.enrol(hub, agency, "main", administrator, clock)
    member.publish_policy(plan), member.commit(plan, version, content)
    member.acknowledge(dataset, manifest_id, policy_id), member.cosign(), member.report({...})

It speaks to the hub's services in process, as the calls of the wire would.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from core.clock import Clock
from core.limits import LIMITS
from core.names import DatasetId, NodeName, PartnerId
from hub.services.context import Caller
from hub.services.hub import Hub
from security import policy as policies
from security.certificates import certificate_sha256, generate_tls_key, make_csr
from security.digests import sha256_hex
from security.envelope import parse
from security.join import JoinStatement, Renewal, build_join, build_renewal, format_fingerprint
from security.keys import SigningKey, WitnessKey
from security.rules import Rule
from security.tlog.cosignature import cosign
from security.tlog.note import Note, parse_note
from security.tlog.witnesses import witness_name
from sync import acknowledgement as acknowledgements
from sync import manifest as manifests
from sync.frames import pack
from sync.ports import PolicyExtract, StoredChunk


def hand_in(
    hub: Hub,
    partner: PartnerId,
    names: Mapping[str, str],
    node: NodeName,
    keys: tuple[SigningKey, WitnessKey],
    tls: EllipticCurvePrivateKey,
) -> tuple[str, str]:
    """Invite a node and hand in its join statement; the statement's id and the token."""
    file: dict[str, Any] = json.loads(hub.enrolment.invite(partner, names, node))
    signing, witness = keys
    csr = make_csr(tls)
    statement = JoinStatement(
        federation=file["federation"],
        partner=file["partner"],
        node=file["node"],
        hub=file["hub"],
        enrol=file["enrol"],
        ca_sha256=certificate_sha256(file["ca"].encode()),
        registry_sha256=file["registry_sha256"],
        token_sha256=sha256_hex(file["token"].encode()),
        csr_sha256=sha256_hex(csr),
        signing_key=signing.public,
        witness_key=witness.public,
    )
    envelope = build_join(statement, signing, witness)
    hub.enrolment.join(envelope, file["token"], csr)
    return parse(envelope).id, file["token"]


@dataclass
class Member:
    """A node with its keys. `heads`: the last statement of each of its chains."""

    hub: Hub
    clock: Clock
    partner: PartnerId
    node: NodeName
    signing: SigningKey
    witness: WitnessKey
    heads: dict[tuple[str, DatasetId], tuple[int, str]] = field(
        default_factory=dict[tuple[str, DatasetId], tuple[int, str]]
    )

    @property
    def caller(self) -> Caller:
        """As the services know it."""
        return Caller(self.partner, self.node)

    @classmethod
    def join(
        cls, hub: Hub, clock: Clock, partner: str, names: Mapping[str, str], node: str
    ) -> tuple["Member", str, str]:
        """Invite it and hand in its join statement; with the statement's id and the token."""
        member = cls(
            hub, clock, PartnerId(partner), NodeName(node), SigningKey.generate(), WitnessKey.generate()
        )
        join_id, token = hand_in(
            hub, member.partner, names, member.node, (member.signing, member.witness), generate_tls_key()
        )
        return member, join_id, token

    @classmethod
    def enrol(
        cls,
        hub: Hub,
        clock: Clock,
        partner: str,
        names: Mapping[str, str],
        node: str,
        administrator: SigningKey,
    ) -> "Member":
        """Join, be approved, fetch the certificate."""
        member, join_id, token = cls.join(hub, clock, partner, names, node)
        hub.enrolment.approve(member.partner, format_fingerprint(join_id), [administrator], node=member.node)
        hub.enrolment.get(join_id, token)
        return member

    def at(self, hub: Hub, clock: Clock) -> "Member":
        """The same node, before another opening of the hub."""
        return replace(self, hub=hub, clock=clock)

    def renew_certificate(self) -> None:
        """A new certificate, as a running node asks for at half of the old one's life."""
        csr = make_csr(generate_tls_key())
        renewal = Renewal(
            federation=self.hub.federation.id,
            partner=self.partner,
            node=self.node,
            csr_sha256=sha256_hex(csr),
            created=self.clock.now().replace(microsecond=0),
        )
        self.hub.enrolment.renew(build_renewal(renewal, self.signing), csr)

    def publish_policy(
        self, dataset: DatasetId, rules: Sequence[Rule], terms: Mapping[str, Any] | None = None
    ) -> str:
        """Put the dataset's next policy in force; its id."""
        seq, prev = self._next("policy", dataset)
        created = self.clock.now().replace(microsecond=0)
        envelope, disclosures = policies.build(dataset, seq, prev, created, rules, terms, self.signing)
        self.hub.catalogue.publish_policy(self.caller, PolicyExtract(envelope, disclosures))
        return self._note("policy", dataset, seq, envelope)

    def upload(self, chunks: Sequence[StoredChunk]) -> None:
        """Send chunks to this owner's store."""
        stream = self.hub.content.open_upload(self.caller)
        for frame in pack(chunks, LIMITS):
            stream.put_frame(frame)
        stream.commit()

    def commit(self, dataset: DatasetId, root: bytes | None, fields: Mapping[str, Any]) -> str:
        """Sign and commit the dataset's next version; its id. `fields` are the manifest's own."""
        seq, prev = self._next("version", dataset)
        policy_seq, policy = self.heads["policy", dataset]
        registry = self.hub.registry.current()
        manifest = manifests.Manifest(
            dataset=dataset,
            seq=seq,
            prev=prev,
            created=self.clock.now().replace(microsecond=0),
            owner=self.partner,
            policy_seq=policy_seq,
            policy_sha256=policy,
            registry_seq=registry.registry.seq,
            registry_sha256=registry.id,
            **fields,
        )
        envelope = manifests.build(manifest, self.signing)
        self.hub.catalogue.commit_version(self.caller, envelope, root)
        return self._note("version", dataset, seq, envelope)

    def acknowledge(self, dataset: DatasetId, version: str, policy: str) -> None:
        """Say that this node holds a version."""
        said = acknowledgements.Acknowledgement(
            dataset=dataset,
            manifest_sha256=version,
            policy_sha256=policy,
            partner=self.partner,
            node=self.node,
            created=self.clock.now().replace(microsecond=0),
        )
        self.hub.catalogue.acknowledge(self.caller, acknowledgements.build(said, self.signing))

    def cosign(self) -> int:
        """Cosign the newest checkpoint; its size."""
        text = parse_note(self.hub.log.checkpoint_note()).text
        name = witness_name(self.hub.federation.id, self.partner, self.node)
        line = cosign(text, name, self.witness, self.clock.now())
        self.hub.log.add_cosignature(self.caller, Note(text, (line,)).to_bytes())
        return self.hub.log.checkpoint_size()

    def report(self, status: Mapping[str, Any]) -> None:
        """Hand in a status report."""
        self.hub.fleet.report_status(self.caller, json.dumps(status, ensure_ascii=False).encode())

    def _next(self, chain: str, dataset: DatasetId) -> tuple[int, str | None]:
        known = self.heads.get((chain, dataset))
        return (1, None) if known is None else (known[0] + 1, known[1])

    def _note(self, chain: str, dataset: DatasetId, seq: int, envelope: bytes) -> str:
        self.heads[chain, dataset] = seq, parse(envelope).id
        return self.heads[chain, dataset][1]
