"""provable: whoever holds a dataset can prove offline who published it, when, under which policy."""

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audit.cli import app
from core.names import DatasetId
from core.progress import NullProgress
from tests.simulation import oracle
from tests.simulation.seeded import run, seeds, trust_of
from tests.simulation.world import World

DATASET = DatasetId("la-dgm/geology")


@pytest.mark.parametrize("seed", seeds())
def test_provable(seed: int):
    """Faults over, every mirror and every owner's export verifies, and no witness has a false alarm."""
    run(seed).check("provable")


@pytest.fixture
def exchanged(fast_path: Path) -> Iterator[World]:
    """th-dmr holds a version of la-dgm's, and both have witnessed the log."""
    with World(fast_path, ["la-dgm", "th-dmr"]) as world:
        owner = world.nodes["la-dgm"]
        owner.publishes("geology", [{"with": ["th-dmr"], "allow": ["read"]}])
        owner.write("geology", "maps/ແຜນທີ່.geojson", b"map" * 500)
        world.clock.advance(60)
        for node in (*world.nodes.values(), *world.nodes.values()):
            node.witnesses = True
            assert node.sync_pass().errors == []
            world.clock.advance(3600)
        yield world


def audit(world: World, path: Path) -> int:
    """The exit status of the auditor's command, with a trust file."""
    trust = world.folder / "trust.json"
    trust.write_bytes(trust_of(world).file)
    return CliRunner().invoke(app, ["verify", str(path), "--trust", str(trust)]).exit_code


def test_provable_by_a_mirror_that_was_copied_away(exchanged: World, tmp_path: Path):
    version = oracle.resolve(exchanged.nodes["th-dmr"].mirror(DATASET))
    assert version is not None
    away = shutil.copytree(version, tmp_path / "on-another-disk")
    assert audit(exchanged, away) == 0
    (file,) = (away / "maps").iterdir()
    file.chmod(0o600)
    file.write_bytes(b"mop" + file.read_bytes()[3:])
    assert audit(exchanged, away) == 3


def test_provable_by_an_export(exchanged: World):
    hub, out = exchanged.host.hub, exchanged.folder / "evidence.zip"
    plan = hub.export.plan([DATASET], "owner", with_data=True, since=None)
    hub.export.export(plan, out, NullProgress())
    assert audit(exchanged, out) == 0
    data = bytearray(out.read_bytes())
    with zipfile.ZipFile(out) as archive:
        place = next(each for each in archive.infolist() if each.filename.endswith("log/checkpoint"))
    data[place.header_offset + 200] ^= 1
    out.write_bytes(data)
    assert audit(exchanged, out) == 3
