"""`default_deny` for the log's read path: whoever reads every byte of it learns how much happened, not what;
and can still prove that the log is one tree that only grows."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core.errors import Denied
from core.names import DatasetId, NodeName, PartnerId
from security.canonical import canonical
from security.tlog.checkpoint import Checkpoint, open_checkpoint
from security.tlog.cosignature import cosign
from security.tlog.leaf import leaf_hash, registry_leaf, registry_of_leaf
from security.tlog.merkle import node_hash, tree_root
from security.tlog.note import Note, parse_note
from security.tlog.tiles import WIDTH, entries_path, parse_entries, partial_width, tile_path
from sync import acknowledgement as acks
from sync.ports import OrdinalRange, RecipeStream
from tests.simulation.federation import (
    Published,
    TestFederation,
    build_version,
    make_federation,
    sha256_of_payload,
    share,
    upload,
)
from tests.unit.hub_services.conftest import SMALL
from tests.unit.hub_web.conftest import Site, serve

TITLES = ("ແຜນທີ່ທໍລະນີສາດ", "ຂໍ້ມູນບໍ່ແຮ່ຄຳ", "Rare earths of the north")
PLACES = ("geology-1m", "gold-prospects", "rare-earths")
READERS = ("th-dmr", "vn-dgm")
MAIN = NodeName("main")
ALARM = b'{"alarms": [{"id": "a1", "kind": "two-histories", "since": "2026-11-22T13:00:00Z"}]}'
ORIGIN = "test-geo/log"


@dataclass
class Happened:
    """What was done, and must not be read."""

    names: set[str] = field(default_factory=set[str])
    digests: set[str] = field(default_factory=set[str])
    registries: set[str] = field(default_factory=set[str])

    def forbidden(self) -> Iterator[bytes]:
        """Every spelling of it that bytes can have."""
        for name in self.names:
            yield name.encode()
            yield json.dumps(name)[1:-1].encode()
            yield base64.b64encode(name.encode())[: len(name.encode()) // 3 * 4]
        for digest in self.digests:
            raw = bytes.fromhex(digest)
            yield from (digest.encode(), digest.upper().encode(), raw, base64.b64encode(raw))


def release(federation: TestFederation, name: str, title: str, happened: Happened) -> Published:
    policy = share(federation, "la-dgm", name, READERS[:1], READERS[1:])
    files = {"ລາຍງານ.txt": title.encode() * 50, "a.geojson": b"{}"}
    version = build_version(federation, "la-dgm", name, files, title={"lo": title}, rights_holder="ກົມທໍລະນີສາດ")
    upload(federation, "la-dgm", version.chunks)
    accepted = federation.hub.catalogue.commit_version(
        federation.caller("la-dgm"), version.envelope, version.root
    )
    assert accepted.receipt is not None
    policy_id = sha256_of_payload(policy.envelope)
    happened.names |= {name, f"la-dgm/{name}", title, *files, "ກົມທໍລະນີສາດ", "CC-BY-4.0", "read-th-dmr"}
    happened.digests |= {version.manifest_id, policy_id, sha256_of_payload(accepted.receipt)}
    happened.digests |= {each.id.hex() for each in version.chunks}
    return version


def live(federation: TestFederation) -> Happened:
    """A busy little federation: some of everything that the log records, and witnesses."""
    hub, happened = federation.hub, Happened()
    happened.names |= {*federation.members, "LA-DGM", "ອົງການ", "secret-member", "kh-gdmr"}
    for name, title in zip(PLACES, TITLES, strict=True):
        version = release(federation, name, title, happened)
        list(
            hub.content.read_blobs(
                federation.caller("th-dmr"),
                version.dataset,
                version.manifest_id,
                RecipeStream.CONTENT,
                [OrdinalRange(0, 1)],
            )
        )
        happened.digests.add(acknowledge(federation, version))
        with pytest.raises(Denied):
            hub.content.read_blobs(
                federation.caller("vn-dgm"),
                version.dataset,
                version.manifest_id,
                RecipeStream.CONTENT,
                [OrdinalRange(0, 1)],
            ).__next__()
        hub.log.refused(PartnerId("vn-dgm"), "NOT_GRANTED")
    hub.enrolment.invite(PartnerId("kh-gdmr"), {"lo": "ອົງການ"}, MAIN)
    federation.enrol("la-dgm", "secret-member")
    hub.registry.suspend(PartnerId("vn-dgm"))
    hub.fleet.report_status(
        federation.caller("th-dmr"), b'{"alarms": [{"id": "a1", "kind": "two-histories"}]}'
    )
    hub.log.perform()
    federation.clock.advance(SMALL.refusals_every_s)
    hub.log.perform()
    for number in range(WIDTH):  # a full tile, and a second level
        hub.enrolment.invite(PartnerId("mm-dgsme"), {"lo": f"ອົງການ {number}"}, MAIN)
    happened.names.add("mm-dgsme")
    hub.log.make_checkpoint(force=True)
    witness(federation)
    federation.clock.advance(2)
    for seq in range(1, federation.registry.registry.seq + 1):
        happened.registries.add(sha256_of_payload(hub.registry.list_from(seq)[0]))
    return happened


def acknowledge(federation: TestFederation, version: Published) -> str:
    caller = federation.caller("th-dmr")
    policy = federation.hub.catalogue.list_policies(federation.caller("la-dgm"), version.dataset, 1)[-1]
    said = acks.Acknowledgement(
        dataset=DatasetId(version.dataset),
        manifest_sha256=version.manifest_id,
        policy_sha256=sha256_of_payload(policy.envelope),
        partner=caller.partner,
        node=caller.node,
        created=federation.clock.now(),
    )
    envelope = acks.build(said, federation.members["th-dmr"].signing)
    federation.hub.catalogue.acknowledge(caller, envelope)
    return sha256_of_payload(envelope)


def witness(federation: TestFederation) -> None:
    """Two witnesses cosign: their names are in the note that nodes get, and in no other."""
    for who in ("la-dgm", "th-dmr"):
        api, key = federation.api(who), federation.members[who].witness
        text = parse_note(api.get_checkpoint().note).text
        signature = cosign(text, f"test-geo/{who}/main", key, federation.clock.now())
        api.add_cosignature(Note(text, (signature,)).to_bytes())
    assert b"test-geo/th-dmr/main" in federation.api("la-dgm").get_checkpoint().note


@dataclass
class Read:
    """What a monitor gets that asks for everything."""

    checkpoint: Checkpoint
    note: bytes
    leaves: list[bytes]
    tiles: dict[tuple[int, int], bytes]
    everything: bytes


def read_all(site: Site) -> Read:
    heard: list[bytes] = []

    def get(path: str) -> bytes:
        answer = site.ask(f"/{path}")
        assert answer.status == 200, path
        heard.extend((json.dumps(dict(answer.headers)).encode(), answer.body))
        return answer.body

    note = get("checkpoint")
    checkpoint = Checkpoint(*_lines(note))
    leaves: list[bytes] = []
    tiles: dict[tuple[int, int], bytes] = {}
    level, count = 0, checkpoint.size
    while count:
        for number in range(-(-count // WIDTH)):
            width = min(WIDTH, count - number * WIDTH)
            tiles[level, number] = get(tile_path(level, number, width))
            for smaller in range(1, width):
                assert get(tile_path(level, number, smaller)) == tiles[level, number][: 32 * smaller]
            if level == 0:
                bundle = parse_entries(get(entries_path(number, width)), width)
                for smaller in range(1, width):
                    assert parse_entries(get(entries_path(number, smaller)), smaller) == bundle[:smaller]
                leaves += bundle
        for beyond in (partial_width(level, checkpoint.size) + 1, WIDTH):
            assert site.ask(f"/{tile_path(level, count // WIDTH, beyond)}").status == 404
        level, count = level + 1, count // WIDTH
    heard += [site.ask(path).body for path in ("/", "/tile/", "/nothing")]
    return Read(checkpoint, note, leaves, tiles, b"\n".join(heard))


def _lines(note: bytes) -> tuple[str, int, bytes]:
    origin, size, root, _ = parse_note(note).text.decode().split("\n")
    return origin, int(size), base64.b64decode(root)


@pytest.fixture(scope="module")
def world(tmp_path_factory: Any) -> Iterator[tuple[TestFederation, Happened, Read]]:
    directory: Path = tmp_path_factory.mktemp("busy")
    federation = make_federation(directory, limits=SMALL)
    happened = live(federation)
    site = serve(federation.hub.log)
    try:
        yield federation, happened, read_all(site)
    finally:
        site.stop()
        federation.close()


World = tuple[TestFederation, Happened, Read]


def test_no_name_no_partner_no_dataset_and_no_digest_of_a_statement_is_in_any_byte(world: World) -> None:
    _, happened, read = world
    assert len(happened.names) > 15
    assert len(happened.digests) > 10
    for secret in happened.forbidden():
        assert secret not in read.everything


def test_the_secrets_are_what_the_log_records(world: World) -> None:
    """The test above would pass on an empty log: here is every kind of record, with what is looked for."""
    federation, happened, _ = world
    stored = list(federation.hub.translog.leaves())
    kinds = {leaf.type for leaf in stored}
    assert {"version", "policy", "delivery", "acknowledgement", "act", "refusals", "alarm"} <= kinds
    records = b"".join(leaf.record for leaf in stored)
    assert sum(secret in records for secret in happened.forbidden()) > 15


def test_entries_are_only_commitments_and_ids_of_registry_statements(world: World) -> None:
    _, happened, read = world
    found = {registry_of_leaf(leaf) for leaf in read.leaves}
    assert found - {None} == happened.registries
    for leaf in read.leaves:
        table = json.loads(leaf)
        assert canonical(table) == leaf
        assert sorted(table) in (["commit", "v"], ["registry", "v"])
    commitments = [leaf for leaf in read.leaves if registry_of_leaf(leaf) is None]
    assert len(set(commitments)) == len(commitments)


def test_the_tree_of_the_entries_is_the_one_that_the_log_signed(world: World) -> None:
    federation, _, read = world
    log = federation.registry.registry.logs[-1]
    opened = open_checkpoint(read.note, ORIGIN, log.key)
    assert opened.checkpoint == read.checkpoint
    assert [each.name for each in opened.note.signatures] == [ORIGIN]
    assert read.checkpoint.size == len(read.leaves) > WIDTH
    assert tree_root(leaf_hash(leaf) for leaf in read.leaves) == read.checkpoint.root


def test_tiles_are_the_hashes_of_the_tree_of_the_entries(world: World) -> None:
    _, _, read = world
    hashes = [leaf_hash(leaf) for leaf in read.leaves]
    level = 0
    while hashes:
        tiles = b"".join(read.tiles[level, number] for number in range(-(-len(hashes) // WIDTH)))
        assert tiles == b"".join(hashes)
        hashes = [subtree(hashes[at : at + WIDTH]) for at in range(0, len(hashes) - WIDTH + 1, WIDTH)]
        level += 1


def subtree(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def test_a_registry_statement_is_found_by_whoever_has_it(world: World) -> None:
    _, happened, read = world
    for each in happened.registries:
        assert registry_leaf(each) in read.leaves
