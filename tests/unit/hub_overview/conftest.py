"""A federation of three: la-dgm and th-dmr share, vn-dgm is the outsider."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.limits import Limits
from hub.overview.service import Overview
from tests.simulation.federation import TestFederation, make_federation
from tests.unit.hub_overview.telling import overview_of

#: Boundaries are reached with little.
SMALL = Limits(
    chunk_bytes_min=64,
    chunk_bytes_avg=256,
    chunk_bytes_max=1024,
    frame_bytes_max=4096,
    disk_reserve_bytes=1,
    events_count_max=20,
)


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[TestFederation]:
    made = make_federation(tmp_path, limits=SMALL)
    yield made
    made.close()


@pytest.fixture
def overview(federation: TestFederation) -> Overview:
    return overview_of(federation)
