"""A hub with content, and a place for its backups."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.federation import publish
from tests.unit.hub_backup.backing import Backed


@pytest.fixture
def backed(tmp_path: Path) -> Iterator[Backed]:
    made = Backed(tmp_path)
    publish(made.federation, "la-dgm", "geo", {"a": os.urandom(60_000)}, read=["th-dmr"])
    made.federation.hub.log.make_checkpoint(force=True)
    yield made
    made.close()
