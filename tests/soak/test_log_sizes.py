"""A log of a million and of ten million leaves: its proofs stay small, and a checkpoint looks at what is new.

`SYNCLINE_SOAK_FOLDER` says where; ten million leaves need 8 GiB of disk.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.log_tree import Log
from core.limits import LIMITS
from hub.services.log import tree
from hub.services.log.checking import check_log
from tests.simulation.federation import make_federation

pytestmark = pytest.mark.soak

_TILES_MAX = 4  # one of each level: 256**4 leaves


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(
        prefix="syncline-soak-", dir=os.environ.get("SYNCLINE_SOAK_FOLDER")
    ) as place:
        make_federation(Path(place), ["la-dgm"]).close()
        yield Path(place) / "hub"


@pytest.mark.parametrize(("leaves", "hashes_max"), [(10**6, 20), (10**7, 24)])
def test_proofs_of_a_large_log_are_small_and_a_checkpoint_touches_one_tile_a_level(
    folder: Path, leaves: int, hashes_max: int
) -> None:
    with Log(folder) as log:
        rows, grown = log.fill(leaves)
        log.append(1, in_one=1)
        with log.database.read() as connection:
            growth = tree.grow(connection, LIMITS.entries_count_max)
        assert growth.size - growth.base == 1
        assert len(growth.tiles) <= _TILES_MAX
        checkpoint = log.checkpoint()
        proofs = log.prove()
        print(f"rows {rows}, tree {grown}, checkpoint {checkpoint}, {proofs}", flush=True)
        assert proofs.hashes <= hashes_max
        assert proofs.consistency_hashes <= hashes_max + 1
        logs = log.hub.registry.current().registry.logs
        assert list(check_log(log.database, logs, LIMITS)) == []
