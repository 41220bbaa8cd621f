"""A thousand nodes that report every ten seconds, ten thousand datasets, people who look: all is shown.

How long the pages take is measured by `make bench-pages` and stands in docs/benchmarks.md; here it decides
nothing. `SYNCLINE_SOAK_FOLDER` says where; it needs 2 GiB.
"""

import os
import tempfile
from pathlib import Path

import pytest

from benchmarks.pages import Scene, figures
from tests.end_to_end.test_many_nodes import assert_every_node_is_shown, assert_sound

pytestmark = pytest.mark.soak


def test_every_page_shows_a_thousand_nodes_and_ten_thousand_datasets() -> None:
    with (
        tempfile.TemporaryDirectory(
            prefix="syncline-soak-", dir=os.environ.get("SYNCLINE_SOAK_FOLDER")
        ) as place,
        Scene(Path(place), nodes=1000, datasets=10_000, days=14, every_s=10) as scene,
    ):
        assert_every_node_is_shown(scene)
        measured = scene.measure(60, readers=4, listeners=20)
    print(figures(measured), flush=True)
    assert_sound(measured)
    assert measured.accepted >= 3 * len(scene.fleet.nodes)
