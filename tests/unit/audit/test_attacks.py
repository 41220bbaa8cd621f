"""Every attack on evidence, by name: `syncline-audit verify` catches it, names the check, and exits 3.

Each test begins with an honest federation's evidence, which verifies, and changes what an attacker would;
who signs along is said by whose key the test takes. Refused as unsafe to read is exit 3, too; beyond a limit
is 2.
"""

import base64
import json
import struct
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from audit import cli
from core import commands
from core.limits import LIMITS
from security import envelope as dsse
from security.canonical import canonical
from security.keys import SigningKey, WitnessKey
from security.members import REVOKED, RegistryPartner
from security.policy import Rule
from security.tlog.checkpoint import Checkpoint, sign_checkpoint
from security.tlog.cosignature import cosign, merge
from security.tlog.leaf import make_leaf
from security.tlog.merkle import tree_root
from security.tlog.note import NoteSignature, parse_note
from security.tlog.opening_file import OpeningFile
from security.tlog.tlog_proof import parse_proof_file, to_proof_file
from tests.unit.audit.federation_evidence import (
    FILES,
    OTHER,
    OWNER,
    READER,
    Federation,
    bundle_files,
    honest,
    inventory_of,
    mirror_evidence,
    write_bundle,
    write_mirror,
)

RECORDS = "data/log/records"


@dataclass
class Verified:
    """What the command said."""

    status: int
    told: dict[str, Any]

    def failed(self) -> dict[str, str]:
        """Messages by check, of all that failed."""
        found = (f for report in self.told["reports"] for f in report["findings"] if f["result"] == "failed")
        told: dict[str, str] = {}
        for each in found:
            told[each["check"]] = f"{told.get(each['check'], '')}{each['message']}\n"
        return told

    def remedies(self) -> list[str]:
        found = (f for report in self.told["reports"] for f in report["findings"] if f["result"] == "failed")
        return [each["remedy"] for each in found]


class Auditor:
    """Runs the command with one federation's trust file."""

    def __init__(self, federation: Federation, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.federation = federation
        self.folder = folder
        self._capsys = capsys
        self._trust = folder / f"{len(list(folder.iterdir()))}.trust"
        self._trust.write_bytes(federation.trust.file)

    def verify(self, *paths: Path) -> Verified:
        self._capsys.readouterr()
        arguments = ["verify", *map(str, paths), "--trust", str(self._trust), "--json"]
        status = commands.run(cli.app, arguments)
        out = self._capsys.readouterr().out
        return Verified(status, json.loads(out) if out else {"reports": []})

    def bundle(self, files: Mapping[str, bytes], name: str = "evidence.zip") -> Verified:
        return self.verify(write_bundle(self.folder / name, files))


def caught(verified: Verified, check: str, words: str = "") -> None:
    """Exit 3, by this check, with a remedy."""
    assert verified.status == 3
    assert check in verified.failed(), verified.failed()
    assert words in verified.failed()[check]
    assert all(verified.remedies())


@pytest.fixture(scope="session")
def federation() -> Federation:
    return honest()


@pytest.fixture
def auditor(federation: Federation, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Auditor:
    return Auditor(federation, tmp_path, capsys)


@pytest.fixture
def own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Auditor:
    """An auditor of a federation that the test may change."""
    return Auditor(honest(), tmp_path, capsys)


@pytest.fixture
def files(federation: Federation) -> dict[str, bytes]:
    return bundle_files(federation)


def test_honest_bundles_and_mirrors_are_proven(auditor: Auditor, files: dict[str, bytes]) -> None:
    mirror = write_mirror(auditor.federation.datasets[0], auditor.folder / "mirror")
    verified = auditor.verify(
        write_bundle(auditor.folder / "folder", files), write_bundle(auditor.folder / "b.zip", files), mirror
    )
    assert (verified.status, verified.failed()) == (0, {})


# The log


def test_rewritten_leaf(own: Auditor) -> None:
    """The hub changes a record after the fact and signs a new tree; its receipt still names the old leaf."""
    log, version = own.federation.log, own.federation.datasets[0].versions[0]
    opening = log.leaves[version.index].opening
    assert opening is not None
    record = {**json.loads(opening.record), "time": "2026-11-22T12:00:00Z"}
    leaf, made = make_leaf(record)
    log.leaves[version.index].data = leaf
    log.leaves[version.index].opening = replace(opening, record=made.record, nonce=made.nonce)
    caught(own.bundle(bundle_files(own.federation)), "receipt", "dropped leaf")


def test_rewritten_leaf_without_a_new_checkpoint(auditor: Auditor, files: dict[str, bytes]) -> None:
    index = auditor.federation.datasets[0].versions[0].index
    name = f"{RECORDS}/{index:012}.opening.json"
    opening = OpeningFile.from_bytes(files[name])
    record = {**json.loads(opening.record), "time": "2026-11-22T12:00:00Z"}
    files[name] = replace(opening, record=canonical(record)).to_bytes()
    caught(auditor.bundle(files), "version leaf", "does not hold")


def test_dropped_leaf(own: Auditor) -> None:
    """The version's leaf is gone from the tree: another one stands where the hub's receipt promised it."""
    log, version = own.federation.log, own.federation.datasets[0].versions[-1]
    dropped = log.leaves[version.index]
    assert dropped.opening is not None
    again = log.record(
        "version", OWNER, str(own.federation.datasets[0].id), version.id, node="main", seq=2, content=True
    )
    filler, _ = make_leaf({"v": 1})
    log.leaves[version.index].data = filler
    log.leaves[version.index].opening = None
    version.index = again
    caught(own.bundle(bundle_files(own.federation)), "receipt", "dropped leaf")


def test_forked_log(own: Auditor) -> None:
    """Two partners are shown trees of one size: either verifies alone, both together prove the fork."""
    dataset = own.federation.datasets[0]
    one = write_mirror(dataset, own.folder / "one")
    tail = own.federation.log.leaves[-1]
    own.federation.log.leaves[-1] = replace(tail, data=make_leaf({"v": 1})[0])
    two = write_mirror(dataset, own.folder / "two")
    assert own.verify(one).status == own.verify(two).status == 0
    caught(own.verify(one, two), "history", "the hub has shown two histories")


def test_forked_log_of_different_sizes(own: Auditor) -> None:
    """The larger tree does not begin with the smaller one."""
    dataset = own.federation.datasets[0]
    log = own.federation.log
    delivery = dataset.deliveries[-1]
    one = write_mirror(dataset, own.folder / "one")
    note = own.federation.note(delivery + 1)
    forged = replace(log.checkpoint(delivery + 1), root=tree_root([b"\x00" * 32]))
    small = sign_checkpoint(forged, log.key)
    files = mirror_evidence(dataset, dataset.versions[-1], delivery, note, delivery + 1)
    two = write_mirror(dataset, own.folder / "two", evidence=files | {"log/checkpoint": small})
    caught(own.verify(one, two), "history", "the hub has shown two histories")


def test_rolled_back_checkpoint(own: Auditor) -> None:
    """The bundle's checkpoint is older than what it holds: records beyond it have no proof under it."""
    files = bundle_files(own.federation)
    files["data/log/checkpoint"] = own.federation.note(8)
    verified = own.bundle(files)
    caught(verified, "registry leaves", "another checkpoint")
    assert "version leaf" in verified.failed()


def test_rolled_back_checkpoint_against_another_piece_of_evidence(own: Auditor) -> None:
    """After a rollback the log grows anew: the same index is another leaf."""
    federation, dataset = own.federation, own.federation.datasets[0]
    one = write_bundle(own.folder / "one.zip", bundle_files(federation))
    del federation.log.leaves[-1]
    dataset.acknowledgements.pop()
    federation.act(OWNER, "suspend")
    federation.act(OWNER, "resume")
    two = write_bundle(own.folder / "two.zip", bundle_files(federation, lanes=()))
    caught(own.verify(one, two), "history", "the hub has shown two histories")


def test_hidden_registry(own: Auditor) -> None:
    """A statement that revokes the owner is logged; who is not told of it shows by the other evidence."""
    federation, dataset = own.federation, own.federation.datasets[0]
    federation.set_state(OWNER, REVOKED)
    witnesses = {name: key for name, key in federation.witness_keys.items() if OWNER not in name}
    note = federation.note(cosigners=witnesses)
    knows = write_mirror(dataset, own.folder / "knows", note=note)
    hidden = federation.chain.pop()
    ignores = write_mirror(dataset, own.folder / "ignores", note=note)
    assert own.verify(ignores).status == 0
    caught(own.verify(knows, ignores), "registry leaves", f"statement {hidden.registry.seq}")


def test_hidden_registry_whose_proof_was_left(own: Auditor) -> None:
    federation = own.federation
    federation.set_state(OTHER, REVOKED)
    files = bundle_files(federation, note=federation.note(cosigners={}))
    del files["data/registry/00000005.json"]
    caught(own.bundle(files), "registry leaves", "hidden registry: statement 5")


def test_cosignature_by_a_revoked_witness(own: Auditor) -> None:
    federation = own.federation
    federation.set_state(OTHER, REVOKED)
    caught(own.bundle(bundle_files(federation, note=federation.note())), "witnesses", f"mekong/{OTHER}/main")


def test_cosignature_by_a_replaced_witness_key(own: Auditor) -> None:
    federation = own.federation
    member = federation.chain[-1].registry.partner(OTHER)
    assert member is not None
    node = replace(member.nodes[0], witness_key=WitnessKey.generate().public)
    federation.append(federation.draft().with_partner(replace(member, nodes=(node,))))
    caught(own.bundle(bundle_files(federation, note=federation.note())), "witnesses", "revoked or replaced")


def test_invalid_cosignature(auditor: Auditor, federation: Federation) -> None:
    name, key = next(iter(federation.witness_keys.items()))
    text = federation.log.checkpoint().to_text()
    wrong = cosign(federation.log.checkpoint(3).to_text(), name, key, federation.log.now)
    note = merge(sign_checkpoint(federation.log.checkpoint(), federation.log.key), [wrong])
    assert parse_note(note).text == text
    caught(auditor.bundle(bundle_files(federation, note=note)), "witnesses", f"{name} does not verify")


def test_one_key_under_two_ids_counts_once(own: Auditor, capsys: pytest.CaptureFixture[str]) -> None:
    """A partner that enrols one witness key for three nodes is one witness."""
    federation = own.federation
    member = federation.chain[-1].registry.partner(OTHER)
    assert member is not None
    copies = tuple(replace(member.nodes[0], name=name) for name in ("main", "second", "third"))
    federation.append(federation.draft().with_partner(replace(member, nodes=copies)))
    key = federation.witness_keys[f"mekong/{OTHER}/main"]
    note = federation.note(cosigners={f"mekong/{OTHER}/{each.name}": key for each in copies})
    verified = own.bundle(bundle_files(federation, note=note))
    found = [f for f in verified.told["reports"][0]["findings"] if f["check"] == "witnesses"]
    assert found[0]["message"].startswith("1 of ")


def test_one_signing_key_under_two_ids(own: Auditor) -> None:
    """The registry is refused when two partners have one key: who signed would be a question."""
    federation = own.federation
    thief = RegistryPartner("vn-gdgm", {"en": "x"}, (federation.owner.public,), ())  # pyright: ignore[reportArgumentType]
    draft = federation.draft().with_partner(thief)
    files = bundle_files(federation)
    files["data/registry/00000005.json"] = dsse.sign(
        dsse.REGISTRY, draft.to_payload(), [federation.administrator]
    )
    caught(own.bundle(files), "registry", "same key twice")


def test_checkpoint_of_a_foreign_log(auditor: Auditor, federation: Federation) -> None:
    note = sign_checkpoint(federation.log.checkpoint(), WitnessKey.generate())
    caught(auditor.bundle(bundle_files(federation, note=note)), "log", "has not signed")


def test_tree_size_0(auditor: Auditor, files: dict[str, bytes], federation: Federation) -> None:
    empty = Checkpoint(federation.log.origin, 0, tree_root([]))
    files["data/log/checkpoint"] = sign_checkpoint(empty, federation.log.key)
    caught(auditor.bundle(files), "log", "without leaves")


# Proofs and openings


def _record_of(federation: Federation, kind: str = "version") -> str:
    index = next(number for number, leaf in enumerate(federation.log.leaves) if leaf.type == kind)
    return f"{RECORDS}/{index:012}"


def test_wrong_opening(auditor: Auditor, files: dict[str, bytes], federation: Federation) -> None:
    name = _record_of(federation)
    opening = OpeningFile.from_bytes(files[f"{name}.opening.json"])
    files[f"{name}.opening.json"] = replace(opening, nonce=b"\x07" * 32).to_bytes()
    caught(auditor.bundle(files), "version leaf", "does not hold")


def test_opening_of_another_lane_place(
    auditor: Auditor, files: dict[str, bytes], federation: Federation
) -> None:
    name = _record_of(federation)
    opening = OpeningFile.from_bytes(files[f"{name}.opening.json"])
    assert opening.lane is not None
    moved = replace(opening.lane, n=opening.lane.n + 1)
    files[f"{name}.opening.json"] = replace(opening, lane=moved).to_bytes()
    caught(auditor.bundle(files), "version leaf", "does not stand at place")


def test_proof_for_another_leaf(auditor: Auditor, files: dict[str, bytes], federation: Federation) -> None:
    name, other = _record_of(federation), _record_of(federation, "policy")
    files[f"{name}.tlog-proof"] = files[f"{other}.tlog-proof"]
    caught(auditor.bundle(files), "version leaf", "proof of inclusion does not hold")


def _with_hashes(proof: bytes, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    parsed = parse_proof_file(proof)
    return to_proof_file(parsed.index, change(list(parsed.hashes)), parsed.note)


@pytest.mark.parametrize(
    "change",
    [
        lambda hashes: hashes[:-1],
        lambda hashes: [*hashes, b"\x00" * 32],
        lambda _: [],
        lambda hashes: hashes[::-1],
    ],
    ids=["one_too_few", "one_too_many", "none", "in_another_order"],
)
def test_proof_with_a_wrong_number_of_hashes(
    auditor: Auditor,
    files: dict[str, bytes],
    federation: Federation,
    change: Callable[[list[bytes]], list[bytes]],
) -> None:
    name = f"{_record_of(federation)}.tlog-proof"
    files[name] = _with_hashes(files[name], change)
    caught(auditor.bundle(files), "version leaf", "does not hold")


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_proof_with_wrong_hash_lengths(
    auditor: Auditor, files: dict[str, bytes], federation: Federation, length: int
) -> None:
    name = f"{_record_of(federation)}.tlog-proof"
    lines = files[name].split(b"\n")
    lines[2] = base64.b64encode(b"\x01" * length)
    files[name] = b"\n".join(lines)
    caught(auditor.bundle(files), "version leaf", "not a proof" if length else "")


def test_gap_in_a_lane(auditor: Auditor, files: dict[str, bytes], federation: Federation) -> None:
    """A delivery is left out of a lane that the bundle says to open whole."""
    gone = f"{RECORDS}/{federation.datasets[0].deliveries[1]:012}"
    del files[f"{gone}.opening.json"], files[f"{gone}.tlog-proof"]
    caught(auditor.bundle(files), "lanes", "lane gap: records 8 to 8 are missing")


def test_lane_place_slipped_in(own: Auditor) -> None:
    """The hub logs a record with a place that is taken: the one after does not follow it."""
    federation, dataset = own.federation, own.federation.datasets[0]
    federation.log._lanes[OWNER] = (10, "0" * 64)  # pyright: ignore[reportPrivateUsage]
    dataset.deliver(READER)
    caught(own.bundle(bundle_files(federation)), "lanes", "record 11 does not follow record 10")


def test_delivery_that_no_policy_allowed(own: Auditor) -> None:
    """The hub gave data to a partner whom the policy did not name, and logged it as if."""
    federation = Federation()
    dataset = federation.dataset()
    dataset.publish(FILES)
    dataset.deliver(OTHER)
    auditor = Auditor(federation, own.folder, own._capsys)  # pyright: ignore[reportPrivateUsage]
    caught(auditor.bundle(bundle_files(federation)), "deliveries", f"to {OTHER}")
    caught(auditor.verify(write_mirror(dataset, own.folder / "m")), "deliveries", "not allowed")


def test_delivery_under_a_policy_that_was_no_longer_in_force(own: Auditor) -> None:
    dataset = own.federation.datasets[0]
    first = dataset.policies[0].verified
    dataset.deliver(READER, policy_seq=1, policy_sha256=first.id)
    caught(own.bundle(bundle_files(own.federation)), "deliveries", "2 was in force")


# What owners sign


def _version_folder(federation: Federation, number: int = -1) -> str:
    dataset = federation.datasets[0]
    return f"data/datasets/{dataset.id}/versions/{dataset.versions[number].folder}"


def _resign(federation: Federation, files: dict[str, bytes], key: SigningKey) -> None:
    name = f"{_version_folder(federation)}/manifest.json"
    files[name] = dsse.sign(dsse.MANIFEST, dsse.parse(files[name]).payload, [key])


def test_manifest_signed_by_another_partner(
    auditor: Auditor, files: dict[str, bytes], federation: Federation
) -> None:
    _resign(federation, files, federation.keys[OTHER])
    caught(auditor.bundle(files), "manifest", "none of the expected keys")


def test_policy_swapped_under_a_manifest(own: Auditor) -> None:
    """The owner's own key signs another policy of that number, and rule lists to go with it."""
    federation, dataset = own.federation, own.federation.datasets[0]
    files = bundle_files(federation)
    kept = list(dataset.policies)
    dataset.policies = dataset.policies[:1]
    swapped = dataset.allow(Rule("9", "permission", OTHER, ("read",)))
    dataset.policies = kept
    at = f"data/datasets/{dataset.id}/policies/00000002"
    files[f"{at}.json"], files[f"{at}.rules.json"] = swapped.envelope, swapped.disclosures
    caught(own.bundle(files), "policy", "names another policy 2")
    evidence = mirror_evidence(dataset, dataset.versions[-1], dataset.deliveries[-1], federation.note())
    evidence |= {"policy.json": swapped.envelope, "policy-rules.json": swapped.disclosures}
    mirror = write_mirror(dataset, own.folder / "m", evidence=evidence)
    caught(own.verify(mirror), "policy", "another policy number 2")


def test_replayed_version(own: Auditor) -> None:
    """The hub logs an old version a second time, as if it were new."""
    dataset = own.federation.datasets[0]
    first = dataset.versions[0]
    own.federation.log.record("version", OWNER, dataset.id, first.id, node="main", seq=1, content=True)
    caught(own.bundle(bundle_files(own.federation)), "version leaf", "a second time")


def test_replayed_version_as_the_newest_of_a_mirror(own: Auditor) -> None:
    """Version 1 stands where the mirror has version 2."""
    dataset = own.federation.datasets[0]
    second = write_mirror(dataset, own.folder / "m")
    first = write_mirror(dataset, own.folder / "m", dataset.versions[0])
    second.rename(second.with_name("kept"))
    first.rename(second)
    caught(own.verify(second), "place", "is not version 1")


def test_two_versions_of_one_seq(own: Auditor) -> None:
    """The owner's key signs two second versions: a fork of the dataset."""
    dataset = own.federation.datasets[0]
    prev = dataset.versions[0].id
    dataset.publish({"other.txt": b"x"}, seq=2, prev=prev)
    caught(own.bundle(bundle_files(own.federation)), "chain", "two different statements with number 2")


def test_gap_in_seq(auditor: Auditor, federation: Federation) -> None:
    folder = _version_folder(federation, 0)
    files = {path: data for path, data in bundle_files(federation).items() if not path.startswith(folder)}
    caught(auditor.bundle(files), "chain", "number 2 does not follow 0")


def test_altered_inventory(auditor: Auditor, files: dict[str, bytes], federation: Federation) -> None:
    """The file and the inventory agree, but the owner signed another inventory."""
    folder = _version_folder(federation)
    files[f"{folder}/content/a/z"] = b"!"
    files[f"{folder}/inventory.sha256"] = inventory_of({**FILES, "new.txt": b"new", "a/z": b"!"})
    verified = auditor.bundle(files)
    caught(verified, "inventory", "not the one that the manifest signs")
    assert "bag" not in verified.failed()


def test_altered_file(auditor: Auditor, files: dict[str, bytes], federation: Federation) -> None:
    """The bag agrees with the altered file: whoever altered it has made a valid bag again."""
    files[f"{_version_folder(federation)}/content/a/z"] = b"!"
    verified = auditor.bundle(files)
    caught(verified, "files", "1 files do not have the signed bytes")
    assert "bag" not in verified.failed()


def test_altered_file_in_the_bag_alone(
    auditor: Auditor, files: dict[str, bytes], federation: Federation
) -> None:
    bag = write_bundle(auditor.folder / "bag", files)
    (bag / f"{_version_folder(federation)}/content/a/z").write_bytes(b"!")
    verified = auditor.verify(bag)
    caught(verified, "files")
    caught(verified, "bag", "do not have the bytes")


@pytest.mark.parametrize(
    "alter",
    [
        lambda bag: (bag / "data/extra").write_bytes(b""),
        lambda bag: (bag / "extra").write_bytes(b""),
        lambda bag: (bag / "README.txt").write_bytes(b"run this: rm -rf"),
        lambda bag: (bag / "manifest-sha256.txt").unlink(),
        lambda bag: (bag / "data/scope.json").unlink(),
        lambda bag: (bag / "bagit.txt").write_bytes(b"BagIt-Version: 0.97\n"),
        lambda bag: (bag / "manifest-sha256.txt").write_bytes(b""),
    ],
    ids=["extra", "extra_beside", "readme", "no_manifest", "missing", "declaration", "empty_manifest"],
)
def test_altered_bag(auditor: Auditor, files: dict[str, bytes], alter: Callable[[Path], object]) -> None:
    bag = write_bundle(auditor.folder / "bag", files)
    alter(bag)
    verified = auditor.verify(bag)
    assert verified.status == 3
    assert {"bag", "nothing else"} & verified.failed().keys()


# Envelopes


def _altered(envelope: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    value = json.loads(envelope)
    change(value)
    return json.dumps(value).encode()


def _payload(envelope: bytes, key: SigningKey, change: Callable[[bytes], bytes]) -> bytes:
    """What the owner's own key signs, though it must not."""
    return dsse.sign(dsse.MANIFEST, change(dsse.parse(envelope).payload), [key])


def _wrong_kind(value: dict[str, Any]) -> None:
    first, second = value["signatures"]
    first["sig"], second["sig"] = second["sig"], first["sig"]


ENVELOPES: dict[str, tuple[Callable[[bytes, SigningKey], bytes], str]] = {
    "one_of_the_two_signatures_missing": (
        lambda e, _: _altered(e, lambda value: value["signatures"].pop()),
        "one of its two signatures only",
    ),
    "ed25519_missing": (
        lambda e, _: _altered(e, lambda value: value["signatures"].pop(0)),
        "one of its two signatures only",
    ),
    "signatures_of_the_wrong_kind": (lambda e, _: _altered(e, _wrong_kind), "does not verify"),
    "duplicate_json_keys": (lambda e, key: _payload(e, key, lambda p: b'{"_type":"x",' + p[1:]), "twice"),
    "duplicate_json_keys_in_the_envelope": (lambda e, _: b'{"payload":"",' + e[1:], "twice"),
    "non_canonical_payload": (
        lambda e, key: _payload(e, key, lambda p: p.replace(b":", b": ", 1)),
        "canonical",
    ),
    "trailing_bytes_in_the_payload": (lambda e, key: _payload(e, key, lambda p: p + b"\n"), "canonical"),
    "trailing_bytes": (lambda e, _: e + b"{}", "not JSON"),
    "wrong_payload_type": (
        lambda e, key: dsse.sign(dsse.POLICY, dsse.parse(e).payload, [key]),
        "expected a statement of type",
    ),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_envelope(auditor: Auditor, federation: Federation, name: str) -> None:
    attack, words = ENVELOPES[name]
    dataset = federation.datasets[0]
    evidence = mirror_evidence(dataset, dataset.versions[-1], dataset.deliveries[-1], federation.note())
    evidence["manifest.json"] = attack(evidence["manifest.json"], dataset.key)
    mirror = write_mirror(dataset, auditor.folder / "m", evidence=evidence)
    caught(auditor.verify(mirror), "manifest", words)
    alone = auditor.verify(mirror / ".syncline/manifest.json")
    assert alone.status == (6 if name == "wrong_payload_type" else 3)


# Archives


def _zip(path: Path, members: Iterable[tuple[str | zipfile.ZipInfo, bytes]], packed: bool = False) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "b/data/../../x", "b\\..\\x", "b//x", "b/data/./x", "b/data/\u0001"],
)
def test_path_that_escapes(auditor: Auditor, files: dict[str, bytes], name: str) -> None:
    good = [(f"b/{path}", files[path]) for path in sorted(files, key=str.encode)]
    verified = auditor.verify(_zip(auditor.folder / "b.zip", [*good, (name, b"x")]))
    caught(verified, "bag", "is not safe to read")


def test_path_that_escapes_in_a_folder(auditor: Auditor, files: dict[str, bytes]) -> None:
    """The bag's own list names a file outside it, and a link leads there."""
    bag = write_bundle(auditor.folder / "bag", files)
    (auditor.folder / "secret").write_bytes(b"x")
    (bag / "data/link").symlink_to(auditor.folder / "secret")
    caught(auditor.verify(bag), "bag")
    lines = (bag / "manifest-sha256.txt").read_bytes()
    (bag / "manifest-sha256.txt").write_bytes(b"0" * 64 + b"  data/../../secret\n" + lines)
    caught(auditor.verify(bag), "bag", "'..'")


def test_names_that_differ_by_unicode_form(auditor: Auditor) -> None:
    names = ["b/data/caf\u00e9", "b/data/cafe\u0301"]
    verified = auditor.verify(_zip(auditor.folder / "b.zip", [(name, b"x") for name in sorted(names)]))
    caught(verified, "bag", "normal form C")


def test_names_that_would_command_a_terminal(
    auditor: Auditor, files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write_bundle(auditor.folder / "bag", files)
    (bag / "data/datasets/la-dgm/geology-1m/versions/\x1b[2Jx").mkdir()
    (bag / "data/datasets/la-dgm/geology-1m/versions/\x1b[2Jx/\x1b[1m").write_bytes(b"")
    assert commands.run(cli.app, ["verify", str(bag), "--registry-id", auditor.federation.anchor]) == 3
    assert "\x1b" not in capsys.readouterr().out


def test_duplicate_names(auditor: Auditor) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        path = _zip(auditor.folder / "b.zip", [("b/data/x", b"1"), ("b/data/x", b"2")])
    caught(auditor.verify(path), "bag", "stands in it twice")


def test_link_in_an_archive(auditor: Auditor) -> None:
    link = zipfile.ZipInfo("b/data/link")
    link.external_attr = 0o120777 << 16
    caught(auditor.verify(_zip(auditor.folder / "b.zip", [(link, b"/etc/passwd")])), "bag", "link")


def test_encrypted_entry(auditor: Auditor) -> None:
    path = _zip(auditor.folder / "b.zip", [("b/data/x", b"1")])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    caught(auditor.verify(path), "bag", "encrypted")


def test_zip_bomb(auditor: Auditor) -> None:
    path = _zip(auditor.folder / "b.zip", [("b/data/x", bytes(64 << 20))], packed=True)
    caught(auditor.verify(path), "bag", "zip bomb")


def test_zip_bomb_that_lies_about_its_size(auditor: Auditor, files: dict[str, bytes]) -> None:
    """It declares a few bytes and would unfold to more: no more than declared is ever taken."""
    members = [(f"b/{path}", files[path]) for path in sorted(files, key=str.encode)]
    path = _zip(auditor.folder / "b.zip", members, packed=True)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"b/data/scope.json") - 46
    data[at + 24 : at + 28] = struct.pack("<L", 10)
    path.write_bytes(data)
    verified = auditor.verify(path)
    caught(verified, "bag", "does not have the 10 bytes that it declares")


def test_zip_bomb_of_overlapping_members(auditor: Auditor) -> None:
    """Many members of the list share one member's bytes."""
    path = _zip(auditor.folder / "b.zip", [("b/data/0", bytes(1000))])
    data = path.read_bytes()
    at, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    central, tail = data[at:end], bytearray(data[end:])
    many = b"".join(central.replace(b"b/data/0", b"b/data/%c" % (48 + n)) for n in range(9))
    tail[8:12] = struct.pack("<2H", 9, 9)
    tail[12:16] = struct.pack("<L", len(many))
    path.write_bytes(data[:at] + many + tail)
    caught(auditor.verify(path), "bag", "overlap")


def test_more_files_than_the_limit(auditor: Auditor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a limit is refused as such, whatever stands in it: exit 2, and nothing is read."""
    small = replace(LIMITS, bundle_files_count_max=10)
    monkeypatch.setattr("audit.verify.verify_paths.__defaults__", (small, None))
    many = [(f"b/data/{number:03}", b"") for number in range(100)]
    assert auditor.verify(_zip(auditor.folder / "b.zip", many)).status == 2
    folder = auditor.folder / "bag"
    write_bundle(folder, {f"data/{number:03}": b"" for number in range(100)})
    assert auditor.verify(folder).status == 2


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06", b"PK\x03\x04" + bytes(100), bytes(70_000)])
def test_what_is_no_archive_is_a_usage_error(auditor: Auditor, data: bytes) -> None:
    path = auditor.folder / "b.zip"
    path.write_bytes(data)
    assert auditor.verify(path).status == 2


def test_no_altered_byte_of_an_archive_passes_or_crashes(auditor: Auditor, federation: Federation) -> None:
    """Bytes of the list of members and of the end, changed in turn: never a traceback."""
    files = bundle_files(federation, with_data=False)
    path = write_bundle(auditor.folder / "b.zip", files)
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    step = max(1, (len(data) - start) // 60)
    for at in range(start, len(data), step):
        altered = bytearray(data)
        altered[at] ^= 0xFF
        path.write_bytes(altered)
        assert auditor.verify(path).status in (0, 2, 3)


def test_dataset_of_signature_lines_stays_bounded(auditor: Auditor, federation: Federation) -> None:
    """A checkpoint with more lines than any federation has witnesses is refused, not read for ever."""
    note = federation.note()
    lines = [
        NoteSignature(f"x/{number}", b"\x00" * 4, b"\x01")
        for number in range(LIMITS.note_signatures_count_max)
    ]
    caught(auditor.bundle(bundle_files(federation, note=merge(note, lines))), "log", "signatures")
