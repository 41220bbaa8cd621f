"""A subscriber's mirrors: whole, verified, atomic, and built from what is here already."""

import os
import subprocess
from datetime import timedelta

from node.subscribe import MirrorState
from tests.simulation.federation import TestFederation, publish, share
from tests.unit.node_subscribe.conftest import DATASET, MirrorNode, noise

FILES = {"a.txt": b"alpha", "maps/geology.geojson": noise(50_000), "maps/empty": b"", "z/deep/er/x": b"x"}

PROVEN = ("version", "policy", "delivery")


def test_materialisable_a_first_version_arrives_whole(federation: TestFederation, node: MirrorNode) -> None:
    published = publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    outcome = node.one()
    assert (outcome.state, outcome.error) == (MirrorState.UPDATED, None)
    assert outcome.manifest_id == published.manifest_id and outcome.seq == 1 and outcome.acknowledged
    assert node.files() == FILES
    assert str(node.current.readlink()) == f"versions/1-{published.manifest_id[:8]}"
    assert (node.current / "a.txt").stat().st_mode & 0o777 == 0o444
    assert node.one().state is MirrorState.CURRENT


def test_materialisable_by_hand_with_sha256sum(federation: TestFederation, node: MirrorNode) -> None:
    publish(federation, "la-dgm", "geology", {"ແຜນທີ່.txt": b"lao", **FILES}, read=["th-dmr"])
    node.sync()
    checked = subprocess.run(
        ["sha256sum", "--quiet", "-c", ".syncline/inventory.sha256"], cwd=node.current, capture_output=True
    )
    assert checked.returncode == 0, checked.stderr


def test_the_evidence_stands_beside_the_data(federation: TestFederation, node: MirrorNode) -> None:
    published = publish(federation, "la-dgm", "geology", FILES, read=["th-dmr", "vn-dgm"])
    node.sync()
    evidence = node.current / ".syncline"
    names = sorted(str(path.relative_to(evidence)) for path in evidence.rglob("*") if path.is_file())
    seqs = range(1, federation.registry.registry.seq + 1)
    registries = [f"registry/{n:08}.json" for n in seqs]
    proofs = [f"log/registry-{n:08}.tlog-proof" for n in seqs]
    leaves = [f"log/{what}.{end}" for what in PROVEN for end in ("opening.json", "tlog-proof")]
    assert names == sorted(
        [
            "inventory.sha256",
            "keys/la-dgm.ed25519.pem",
            "manifest.json",
            "policy.json",
            "policy-rules.json",
            *registries,
            "log/checkpoint",
            "log/log-policy",
            *leaves,
            *proofs,
        ]
    )
    assert (evidence / "manifest.json").read_bytes() == published.envelope
    assert b"vn-dgm" not in (evidence / "policy-rules.json").read_bytes()


def test_an_unchanged_file_is_a_hard_link(federation: TestFederation, node: MirrorNode) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.sync()
    before = (node.current / "maps/geology.geojson").stat()
    publish(federation, "la-dgm", "geology", {**FILES, "a.txt": b"beta"})
    node.hub.bytes_down = 0
    assert node.one().state is MirrorState.UPDATED
    assert (node.current / "maps/geology.geojson").stat().st_ino == before.st_ino
    assert node.files()["a.txt"] == b"beta"
    assert node.hub.bytes_down < 5_000


def test_a_renamed_file_is_not_fetched_again(federation: TestFederation, node: MirrorNode) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.sync()
    renamed = {**FILES, "elsewhere/g.geojson": FILES["maps/geology.geojson"]}
    del renamed["maps/geology.geojson"]
    publish(federation, "la-dgm", "geology", renamed)
    node.hub.bytes_down = 0
    assert node.one().state is MirrorState.UPDATED
    assert node.files() == renamed
    assert node.hub.bytes_down < 5_000


def test_an_edited_file_brings_only_its_changed_chunks(federation: TestFederation, node: MirrorNode) -> None:
    large = noise(400_000, 1)
    publish(federation, "la-dgm", "geology", {"raster.tif": large}, read=["th-dmr"])
    node.sync()
    edited = large[:200_000] + b"an insertion" + large[200_000:]
    publish(federation, "la-dgm", "geology", {"raster.tif": edited})
    node.hub.bytes_down = 0
    assert node.one().state is MirrorState.UPDATED
    assert node.files() == {"raster.tif": edited}
    assert node.hub.bytes_down < 60_000


def test_content_that_occurs_twice_is_fetched_once(federation: TestFederation, node: MirrorNode) -> None:
    same = noise(100_000, 2)
    files = {"one/a": same, "two/b": same, "two/c": same, "z": b"end"}
    publish(federation, "la-dgm", "geology", files, read=["th-dmr"])
    node.hub.bytes_down = 0
    assert node.one().state is MirrorState.UPDATED
    assert node.files() == files
    assert node.hub.bytes_down < 110_000


def test_files_appear_and_vanish_with_their_versions(federation: TestFederation, node: MirrorNode) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.sync()
    second = {"a.txt/now/a/folder": b"1", "maps": b"now a file", "neu": noise(9_000)}
    publish(federation, "la-dgm", "geology", second)
    assert node.one().state is MirrorState.UPDATED
    assert node.files() == second


def test_a_node_that_was_away_skips_versions(federation: TestFederation, node: MirrorNode) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.sync()
    for number in range(4):
        publish(federation, "la-dgm", "geology", {**FILES, "n": str(number).encode()})
    assert node.one().seq == 5
    assert node.files()["n"] == b"3"


def test_old_versions_are_kept_for_a_day_and_then_pruned(
    federation: TestFederation, node: MirrorNode
) -> None:
    for number in range(4):
        publish(federation, "la-dgm", "geology", {**FILES, "n": str(number).encode()}, read=["th-dmr"])
        node.sync()
    assert len(os.listdir(node.mirror / "versions")) == 4
    federation.clock.advance(25 * 3600)
    outcome = node.one()
    assert outcome.state is MirrorState.CURRENT
    assert sorted(name[0] for name in os.listdir(node.mirror / "versions")) == ["3", "4"]
    assert node.files()["n"] == b"3"


def test_keep_one_still_keeps_a_day(federation: TestFederation, node: MirrorNode) -> None:
    node.keep = 1
    for number in range(2):
        publish(federation, "la-dgm", "geology", {"n": str(number).encode()}, read=["th-dmr"])
        node.sync()
    assert len(os.listdir(node.mirror / "versions")) == 2
    federation.clock.advance(timedelta(days=1, seconds=1).total_seconds())
    node.sync()
    assert len(os.listdir(node.mirror / "versions")) == 1


def test_default_deny_what_is_not_shared_is_not_there(federation: TestFederation, node: MirrorNode) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["vn-dgm"])
    assert node.sync() == []
    node.pattern = DATASET
    assert node.one().state is MirrorState.NOT_SHARED
    assert not node.mirror.exists()


def test_discover_without_read_is_visible_and_not_granted(
    federation: TestFederation, node: MirrorNode
) -> None:
    publish(federation, "la-dgm", "geology", FILES, discover=["th-dmr"])
    outcome = node.one()
    assert (outcome.state, outcome.seq, outcome.wanted_seq) == (MirrorState.VISIBLE, None, 1)
    assert not node.current.exists()


def test_content_that_the_owner_withholds_is_waited_for(federation: TestFederation, node: MirrorNode) -> None:
    version = publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"], withhold=True)
    assert node.one().state is MirrorState.WAITING
    from tests.simulation.federation import upload

    upload(federation, "la-dgm", version.chunks)
    federation.hub.catalogue.commit_version(federation.caller("la-dgm"), version.envelope, version.root)
    assert node.one().state is MirrorState.UPDATED


def test_what_was_received_stays_when_the_grant_ends(federation: TestFederation, node: MirrorNode) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.sync()
    share(federation, "la-dgm", "geology", read=["vn-dgm"])
    outcome = node.one()
    assert (outcome.state, outcome.seq) == (MirrorState.GRANT_ENDED, 1)
    assert node.files() == FILES
    share(federation, "la-dgm", "geology", read=["th-dmr"])
    assert node.one().state is MirrorState.CURRENT


def test_own_datasets_are_never_mirrored(federation: TestFederation, node: MirrorNode) -> None:
    publish(federation, "th-dmr", "own", FILES, read=["la-dgm"])
    node.pattern = "*/*"
    assert node.sync() == []


def test_one_failing_dataset_does_not_stop_the_others(federation: TestFederation, node: MirrorNode) -> None:
    publish(federation, "la-dgm", "aa-large", {"f": noise(50_000)}, read=["th-dmr"])
    publish(federation, "la-dgm", "bb-small", {"f": b"small"}, read=["th-dmr"])
    node.max_bytes = 1000
    first, second = node.sync()
    assert first.state is MirrorState.FAILED and first.error is not None
    assert first.error.reason == "MAX_BYTES"
    assert second.state is MirrorState.UPDATED
