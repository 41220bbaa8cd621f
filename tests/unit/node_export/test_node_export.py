"""What a node proves by itself, offline: its own lane whole, what it mirrors; the auditor finds it true."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import bagit
import pytest

from audit.dossier import Dossier
from audit.findings import Finding, Result
from audit.load import load
from core.errors import Conflict, InvalidInput, Unavailable
from core.names import DatasetId
from core.progress import NullProgress
from node.export import Exported, Place, choose, export
from security.registry import verify_first
from security.trust import Trust
from tests.simulation.federation import sha256_of_payload
from tests.simulation.world import SMALL, SimNode, World

GEO, TIN = DatasetId("la-dgm/geo"), DatasetId("th-dmr/tin")
READ = {"allow": ["read"]}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """la-dgm and th-dmr share with each other, and have received; both have read the log to its end."""
    with World(tmp_path / "world", ["la-dgm", "th-dmr"]) as made:
        la, th = made.nodes["la-dgm"], made.nodes["th-dmr"]
        la.publishes("geo", share=[{"with": ["th-dmr"], **READ}])
        th.publishes("tin", share=[{"with": ["la-dgm"], **READ}])
        la.write("geo", "ແຜນທີ່/50% done.txt", b"half\n")
        la.write("geo", "a.txt", b"one\n" * 1000)
        th.write("tin", "tin.txt", b"tin\n")
        for node in (la, th, la, th):
            node.witnesses = True
            read(made, node)
        la.write("geo", "b.txt", b"two\n")
        for node in (la, th, la):
            read(made, node)
        for node in (th, la):  # each has cosigned the last checkpoint, and now sees that the other has, too
            node.witness.run(node.link)
        yield made


def read(world: World, node: SimNode) -> None:
    world.clock.advance(60)
    world.federation.hub.log.make_checkpoint(force=True)
    assert node.sync_pass().errors == []
    world.federation.hub.log.make_checkpoint(force=True)
    node.witness.run(node.link)


def place(node: SimNode) -> Place:
    return Place(node.settings(), node.world.clock, SMALL)


def made(node: SimNode, out: Path, *wanted: str, with_data: bool = False) -> Exported:
    where = place(node)
    return export(where, choose(where, wanted), out, with_data=with_data, progress=NullProgress())


def audited(world: World, path: Path) -> tuple[Dossier, list[Finding]]:
    first = world.federation.hub.registry.list_from(1)[0]
    trust = Trust.of(verify_first(first, sha256_of_payload(first)))
    return load(path, trust, SMALL, check_content=True)


def problems(findings: list[Finding]) -> list[Finding]:
    return [each for each in findings if each.result is not Result.PASSED]


def test_an_owner_proves_its_dataset_with_the_whole_lane_and_nobody_is_asked(
    world: World, tmp_path: Path
) -> None:
    la = world.nodes["la-dgm"]
    la.close()
    world.federation.close()  # no hub any more
    done = made(la, tmp_path / "bundle", "geo", with_data=True)
    bagit.Bag(str(tmp_path / "bundle")).validate(processes=1)
    assert (done.scope.lanes, done.scope.datasets, done.unread) == (("la-dgm",), (GEO,), 0)
    [content] = (tmp_path / "bundle").glob("data/datasets/la-dgm/geo/versions/2-*/content")
    assert {str(p.relative_to(content)) for p in content.rglob("*") if p.is_file()} == {
        "a.txt",
        "b.txt",
        "ແຜນທີ່/50% done.txt",
    }
    assert len(list((tmp_path / "bundle").glob("data/datasets/la-dgm/geo/versions/*/receipt.json"))) == 2
    assert len(list((tmp_path / "bundle").glob("data/datasets/la-dgm/geo/acknowledgements/*.json"))) == 2


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_the_auditor_proves_what_an_owner_exports(world: World, tmp_path: Path, name: str) -> None:
    made(world.nodes["la-dgm"], tmp_path / name, "geo", with_data=True)
    dossier, findings = audited(world, tmp_path / name)
    assert [each.result for each in findings if each.result is Result.FAILED] == []
    assert dossier.whole_lanes == ("la-dgm",)
    [dataset] = dossier.datasets
    assert [version.manifest.manifest.seq for version in dataset.versions] == [1, 2]
    assert {record.type for record in dossier.records} >= {"version", "policy", "delivery", "acknowledgement"}


def test_a_mirror_is_proven_without_a_lane(world: World, tmp_path: Path) -> None:
    done = made(world.nodes["th-dmr"], tmp_path / "bundle.zip", "la-dgm/*", with_data=True)
    assert done.scope.lanes == ()
    dossier, findings = audited(world, tmp_path / "bundle.zip")
    assert [each.check for each in problems(findings)] == [], findings
    kinds = [record.type for record in dossier.records]
    assert sorted(set(kinds)) == ["acknowledgement", "delivery", "policy", "version"]
    [dataset] = dossier.datasets
    assert [len(version.manifest.envelope) > 0 for version in dataset.versions] == [True, True]
    assert len(list(dataset.acknowledgements)) == 2


def test_own_and_mirrored_datasets_travel_in_one_bundle(world: World, tmp_path: Path) -> None:
    done = made(world.nodes["la-dgm"], tmp_path / "bundle", "*/*")
    assert done.scope.datasets == (GEO, TIN)
    _, findings = audited(world, tmp_path / "bundle")
    assert [each for each in findings if each.result is Result.FAILED] == []


def test_the_same_state_gives_the_same_bytes(world: World, tmp_path: Path) -> None:
    la = world.nodes["la-dgm"]
    for name in ("a.zip", "b.zip"):
        made(la, tmp_path / name, "*/*", with_data=True)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_what_others_wrote_into_a_mirror_is_not_believed(world: World, tmp_path: Path) -> None:
    th = world.nodes["th-dmr"]
    for opening in th.mirror_root.rglob("*.opening.json"):
        overwrite(opening, opening.read_bytes().replace(b'"index":', b'"index":1'))
    for note in th.mirror_root.rglob("log/checkpoint"):
        overwrite(note, b"forged")
    [manifest] = th.mirror_root.glob("la-dgm/geo/versions/1-*/.syncline/manifest.json")
    overwrite(manifest, b"forged")
    made(th, tmp_path / "bundle", "la-dgm/geo")
    dossier, findings = audited(world, tmp_path / "bundle")
    assert [each for each in findings if each.result is Result.FAILED] == []
    [dataset] = dossier.datasets
    assert [version.manifest.manifest.seq for version in dataset.versions] == [2]
    # What is left are the openings that the hub gave to this node itself.
    assert {record.type for record in dossier.records} == {"acknowledgement", "delivery"}
    for manifest in th.mirror_root.rglob("manifest.json"):
        overwrite(manifest, b"forged")
    with pytest.raises(Unavailable, match="no version of la-dgm/geo stands here"):
        made(th, tmp_path / "nothing", "la-dgm/geo")


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_file_that_has_changed_since_it_was_published_leaves_no_bundle(
    world: World, tmp_path: Path
) -> None:
    la = world.nodes["la-dgm"]
    la.write("geo", "a.txt", b"three\n")
    with pytest.raises(Unavailable, match="not there as it was published"):
        made(la, tmp_path / "bundle", "geo", with_data=True)
    assert not (tmp_path / "bundle").exists()
    made(la, tmp_path / "bundle", "geo")


def test_a_pipe_in_the_place_of_a_file_does_not_stop_it(world: World, tmp_path: Path) -> None:
    import os

    la = world.nodes["la-dgm"]
    (la.folder("geo") / "a.txt").unlink()
    os.mkfifo(la.folder("geo") / "a.txt")
    with pytest.raises(Unavailable):
        made(la, tmp_path / "bundle", "geo", with_data=True)


def test_a_node_that_has_read_no_log_says_what_to_do(tmp_path: Path) -> None:
    with World(tmp_path / "world", ["la-dgm"]) as made_:
        la = made_.nodes["la-dgm"]
        la.publishes("geo")
        la.write("geo", "a.txt", b"one")
        assert la.sync_pass().errors == []
        with pytest.raises(Unavailable, match="has not read the hub's log") as caught:
            made(la, tmp_path / "bundle", "geo")
    assert caught.value.reason == "LOG_NOT_READ"


@pytest.mark.parametrize("wanted", ["gone", "kh-gdmr/*", "th-dmr/gone"])
def test_an_unknown_dataset_is_refused_with_what_there_is(world: World, wanted: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        choose(place(world.nodes["la-dgm"]), [wanted])
    assert "la-dgm/geo, th-dmr/tin" in caught.value.remedy


def test_an_existing_name_is_never_overwritten(world: World, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"precious")
    with pytest.raises(Conflict):
        made(world.nodes["la-dgm"], tmp_path / "a.zip", "geo")
    assert (tmp_path / "a.zip").read_bytes() == b"precious"


def test_reading_changes_nothing_of_the_state(world: World, tmp_path: Path) -> None:
    la = world.nodes["la-dgm"]
    la.close()
    shutil.copytree(la.state_dir, tmp_path / "before", symlinks=True)
    made(la, tmp_path / "bundle", "*/*")
    for path in (tmp_path / "before").rglob("*"):
        if path.is_file() and "state.sqlite" not in path.name:
            assert (la.state_dir / path.relative_to(tmp_path / "before")).read_bytes() == path.read_bytes()
