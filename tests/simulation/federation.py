"""A whole federation in a temporary folder: hub, administrators, enrolled partners.

No network and no real clock; the keys, statements, transactions and packs are real.

    federation = make_federation(tmp_path, partners=["la-dgm", "th-dmr"])
    api = federation.api("la-dgm")                       # a HubApi
    member = federation.members["la-dgm"]                # its keys and Caller
    publish(federation, "la-dgm", "geology-1m", {"a.txt": b"…"}, read=["th-dmr"])
"""

import atexit
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from core.limits import LIMITS, Limits
from core.names import DatasetId, NodeName, PartnerId
from hub.layout import Layout
from hub.services.context import Caller, Federation
from hub.services.hub import Hub
from security import policy as policies
from security.certificates import certificate_sha256, generate_tls_key, make_csr
from security.digests import sha256_hex
from security.envelope import parse
from security.join import JoinStatement, build_join
from security.keys import SigningKey, WitnessKey
from security.registry import VerifiedRegistry
from sync import manifest as manifests
from sync.chunking import Chunker, chunk_id
from sync.compression import encode
from sync.frames import pack
from sync.inventory import Entry, write
from sync.ports import Accepted, PolicyExtract, StoredChunk
from sync.recipe import ChunkRef, LayoutEntry, Parameters, Root, cut_stream, write_layout, write_table
from tests.simulation.clock import ManualClock
from tests.simulation.in_process_hub import Faults, HubHost, InProcessHub

FEDERATION = "test-geo"
ADDRESS = "hub.test:7443"
ENROL_ADDRESS = "hub.test:7444"


@dataclass
class Member:
    """An enrolled node with its keys."""

    partner: PartnerId
    node: NodeName
    signing: SigningKey
    witness: WitnessKey
    certificate: bytes

    @property
    def caller(self) -> Caller:
        return Caller(self.partner, self.node)


@dataclass
class TestFederation:
    """What `make_federation` made. `members` by partner id for node `main`, else by `partner/node`."""

    __test__ = False

    host: HubHost
    clock: ManualClock
    administrator: SigningKey
    limits: Limits
    members: dict[str, Member] = field(default_factory=dict[str, Member])

    @property
    def hub(self) -> Hub:
        return self.host.hub

    @property
    def registry(self) -> VerifiedRegistry:
        return self.hub.registry.current()

    def caller(self, who: str) -> Caller:
        return self.members[who].caller

    def api(self, who: str, faults: Faults | None = None) -> InProcessHub:
        """A `HubApi` as that member."""
        return InProcessHub(self.host, self.caller(who), faults)

    def enrol(
        self, partner: str, node: str = "main", *, replace: bool = False, signing: SigningKey | None = None
    ) -> Member:
        """Invite, join, approve and fetch the certificate, as node and operator do."""
        name = partner.split("-")[1].upper()
        signing = signing or SigningKey.generate()
        witness, tls = WitnessKey.generate(), generate_tls_key()
        file = read_join_file(
            self.hub.enrolment.invite(PartnerId(partner), {"en": name}, NodeName(node), replace=replace)
        )
        csr = make_csr(tls)
        envelope = build_join(join_statement(file, csr, signing, witness), signing, witness)
        self.hub.enrolment.join(envelope, file["token"], csr)
        join_id = sha256_of_payload(envelope)
        self.hub.enrolment.approve(PartnerId(partner), join_id, [self.administrator], node=NodeName(node))
        _, certificate = self.hub.enrolment.get(join_id, file["token"])
        assert certificate is not None
        member = Member(PartnerId(partner), NodeName(node), signing, witness, certificate)
        self.members[partner if node == "main" else f"{partner}/{node}"] = member
        return member

    def close(self) -> None:
        self.host.close()


def make_federation(
    directory: Path,
    partners: Sequence[str] = ("la-dgm", "th-dmr", "vn-dgm"),
    *,
    clock: Any = None,
    limits: Limits = LIMITS,
    **options: Any,
) -> TestFederation:
    """A federation in `directory` with one node `main` of each partner.

    The same federation is founded once a process and copied: keys are equal between tests, state is not. A
    `directory` that this process, or the one that it was forked from, has used before is opened again.
    """
    template = _template(tuple(partners), limits)
    if not (directory / "hub").exists():
        shutil.copytree(template.layout.directory, directory / "hub")
    clock = clock or ManualClock(template.now)
    host = HubHost(Layout(directory / "hub"), clock=clock, limits=limits, **options)
    return TestFederation(host, clock, template.administrator, limits, dict(template.members))


def found_once(partners: Sequence[str], limits: Limits) -> None:
    """Found the federation that `make_federation` copies, so that forked processes share its keys."""
    _template(tuple(partners), limits)


@dataclass(frozen=True)
class _Template:
    layout: Layout
    administrator: SigningKey
    members: dict[str, Member]
    now: datetime


@lru_cache
def _template(partners: tuple[str, ...], limits: Limits) -> _Template:
    directory = Path(tempfile.mkdtemp(prefix="syncline-test-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    clock = ManualClock()
    administrator = SigningKey.generate()
    layout = Layout(directory / "hub")
    federation = Federation(FEDERATION, ADDRESS, ENROL_ADDRESS)
    Hub.found(layout, federation, administrators=[administrator], clock=clock, limits=limits)
    host = HubHost(layout, clock=clock, limits=limits)
    made = TestFederation(host, clock, administrator, limits)
    for partner in partners:
        made.enrol(partner)
    made.close()
    return _Template(layout, administrator, made.members, clock.now())


def read_join_file(data: bytes) -> dict[str, Any]:
    return json.loads(data)


def join_statement(
    file: Mapping[str, Any], csr: bytes, signing: SigningKey, witness: WitnessKey, **changes: Any
) -> JoinStatement:
    """What a node says about a join file; `changes` for attacks."""
    values: dict[str, Any] = {
        "federation": file["federation"],
        "partner": file["partner"],
        "node": file["node"],
        "hub": file["hub"],
        "enrol": file["enrol"],
        "ca_sha256": certificate_sha256(file["ca"].encode()),
        "registry_sha256": file["registry_sha256"],
        "token_sha256": sha256_hex(file["token"].encode()),
        "csr_sha256": sha256_hex(csr),
        "signing_key": signing.public,
        "witness_key": witness.public,
    }
    return JoinStatement(**{**values, **changes})


def sha256_of_payload(envelope: bytes) -> str:
    return parse(envelope).id


# --- publishing without a node -----------------------------------------------------------------------


@dataclass
class Published:
    """A version that `publish` made."""

    dataset: DatasetId
    manifest_id: str
    envelope: bytes
    root: bytes
    accepted: Accepted | None
    chunks: list[StoredChunk]


def make_policy(
    federation: TestFederation,
    owner: str,
    name: str,
    rules: Sequence[policies.Rule],
    *,
    seq: int = 1,
    prev: str | None = None,
    signer: SigningKey | None = None,
) -> PolicyExtract:
    key = signer or federation.members[owner].signing
    envelope, disclosures = policies.build(
        DatasetId(f"{owner}/{name}"), seq, prev, federation.clock.now(), rules, None, key
    )
    return PolicyExtract(envelope, disclosures)


def grants(read: Sequence[str] = (), discover: Sequence[str] = ()) -> list[policies.Rule]:
    """Permissions, one a partner."""
    rules = [policies.Rule(f"read-{who}", "permission", who, ("read",)) for who in read]
    return rules + [policies.Rule(f"discover-{who}", "permission", who, ("discover",)) for who in discover]


def share(
    federation: TestFederation,
    owner: str,
    name: str,
    read: Sequence[str] = (),
    discover: Sequence[str] = (),
    rules: Sequence[policies.Rule] | None = None,
    who: str | None = None,
) -> PolicyExtract:
    """Publish the next policy of `owner/name`."""
    who = who or owner
    dataset = DatasetId(f"{owner}/{name}")
    known = known_policies(federation, federation.caller(who), dataset)
    seq, prev = len(known) + 1, sha256_of_payload(known[-1].envelope) if known else None
    chosen = grants(read, discover) if rules is None else rules
    made = make_policy(
        federation, owner, name, chosen, seq=seq, prev=prev, signer=federation.members[who].signing
    )
    federation.hub.catalogue.publish_policy(federation.caller(who), made)
    return made


def build_version(
    federation: TestFederation,
    owner: str,
    name: str,
    files: Mapping[str, bytes],
    /,
    *,
    seq: int = 1,
    prev: str | None = None,
    signer: SigningKey | None = None,
    **changes: Any,
) -> Published:
    """Sign a version of `files`; nothing is sent. `changes` replace fields of the manifest."""
    limits = federation.limits
    chunks: dict[bytes, StoredChunk] = {}

    def sink(id_: bytes, data: memoryview) -> None:
        chunks.setdefault(id_, encode(id_, bytes(data)))

    inventory, layout, table = BytesIO(), BytesIO(), BytesIO()
    ordered = sorted(files.items(), key=lambda item: item[0].encode())
    summary = write([Entry(path, sha256_hex(data)) for path, data in ordered], inventory, limits)
    chunker = Chunker(limits)
    for _, data in ordered:
        pieces: list[memoryview] = []
        if data:
            at = 0
            for length in cut_lengths(chunker, data):
                pieces.append(memoryview(data)[at : at + length])
                at += length
        for piece in pieces:
            id_ = chunk_id(piece)
            sink(id_, piece)
            write_table(ChunkRef(id_, len(piece)), table)
        write_layout(LayoutEntry(len(data), len(pieces)), layout)
    for stream in (inventory, layout, table):
        stream.seek(0)
    root = Root(
        Parameters.of(limits),
        cut_stream(inventory, sink, limits),
        cut_stream(layout, sink, limits),
        cut_stream(table, sink, limits),
    ).to_bytes(limits)
    dataset = DatasetId(f"{owner}/{name}")
    key = signer or federation.members[owner].signing
    pin = known_policies(federation, Caller(PartnerId(owner), _node_of(federation, dataset)), dataset)
    registry = federation.registry
    values: dict[str, Any] = {
        "dataset": dataset,
        "inventory_sha256": summary.sha256,
        "seq": seq,
        "prev": prev,
        "created": federation.clock.now(),
        "owner": PartnerId(owner),
        "rights_holder": owner.upper(),
        "license": manifests.License(expression="CC-BY-4.0"),
        "title": {"en": name},
        "theme": "basic-geology",
        "policy_seq": len(pin) or 1,
        "policy_sha256": sha256_of_payload(pin[-1].envelope) if pin else "0" * 64,
        "registry_seq": registry.registry.seq,
        "registry_sha256": registry.id,
        "files": len(files),
        "bytes": sum(map(len, files.values())),
    }
    envelope = manifests.build(manifests.Manifest(**{**values, **changes}), key, limits)
    return Published(dataset, sha256_of_payload(envelope), envelope, root, None, list(chunks.values()))


def cut_lengths(chunker: Chunker, data: bytes) -> list[int]:
    return [len(piece) for piece in chunker.stream(BytesIO(data))]


def upload(federation: TestFederation, who: str, chunks: Sequence[StoredChunk]) -> None:
    """Send chunks through the content service."""
    stream = federation.hub.content.open_upload(federation.caller(who))
    for frame in pack(chunks, federation.limits):
        stream.put_frame(frame)
    stream.commit()


def publish(
    federation: TestFederation,
    owner: str,
    name: str,
    files: Mapping[str, bytes],
    *,
    read: Sequence[str] | None = None,
    discover: Sequence[str] = (),
    withhold: bool = False,
) -> Published:
    """Share (if `read` or `discover` is given, or nothing was shared yet), upload and commit the next
    version."""
    caller = federation.caller(owner)
    dataset = DatasetId(f"{owner}/{name}")
    known = known_versions(federation, caller, dataset)
    if read is not None or discover or not _has_policy(federation, dataset):
        share(federation, owner, name, read or (), discover)
    prev = sha256_of_payload(known[-1]) if known else None
    version = build_version(federation, owner, name, files, seq=len(known) + 1, prev=prev)
    if not withhold:
        upload(federation, owner, version.chunks)
    version.accepted = federation.hub.catalogue.commit_version(
        caller, version.envelope, None if withhold else version.root
    )
    return version


def known_policies(federation: TestFederation, caller: Caller, dataset: DatasetId) -> list[PolicyExtract]:
    """Every policy that the hub holds, for its owner; none where there is no such dataset."""
    if not _has_policy(federation, dataset):
        return []
    return list(InProcessHub(federation.host, caller).list_policies(dataset, 1))


def known_versions(federation: TestFederation, caller: Caller, dataset: DatasetId) -> list[bytes]:
    """Every version that the hub holds, for its owner."""
    if not _has_policy(federation, dataset):
        return []
    return list(InProcessHub(federation.host, caller).list_versions(dataset, 1))


def _has_policy(federation: TestFederation, dataset: DatasetId) -> bool:
    return any(each.dataset == dataset and each.policy_seq for each in federation.hub.catalogue.datasets())


def _node_of(federation: TestFederation, dataset: DatasetId) -> NodeName:
    return next(
        (d.node for d in federation.hub.catalogue.datasets() if d.dataset == dataset), NodeName("main")
    )
