"""The pages of a hub while its whole fleet reports: a small fleet here, a thousand nodes in tests/soak."""

import contextlib
import re
from pathlib import Path

import pytest

from benchmarks.pages import Measured, Scene
from hub.web.pages.fleet import LINES_MAX

pytestmark = [pytest.mark.processes]

_SHOWN = re.compile(r'id="partner-([a-z0-9-]+)"')


def test_every_page_shows_a_fleet_that_reports(tmp_path: Path) -> None:
    with Scene(tmp_path, nodes=50, datasets=500, days=0.5, every_s=2.0) as scene:
        assert_every_node_is_shown(scene)
        measured = scene.measure(2.0, readers=4, listeners=10)
    assert_sound(measured)
    assert measured.accepted >= len(scene.fleet.nodes)


def assert_every_node_is_shown(scene: Scene) -> None:
    """On one of the pages that lead on from the first."""
    shown, body = set[str](), b""
    with contextlib.closing(scene.browser()) as browser:
        for after in range(0, len(scene.fleet.nodes), LINES_MAX):
            status, body = browser.get(f"/?after={after}")
            assert status == 200
            shown.update(_SHOWN.findall(body.decode()))
    assert b'rel="next"' not in body
    assert shown == {node.partner for node in scene.fleet.nodes}


def assert_sound(measured: Measured) -> None:
    """Every page was there each time; the nodes were answered; the hub had nothing to complain of."""
    assert measured.problems == []
    assert measured.complaints == []
    assert measured.refused == {}
    assert {name: each.statuses for name, each in measured.pages.items() if each.statuses != {200}} == {}
    assert {status for each in measured.refreshes.values() for status in each.statuses} == {200}
    assert measured.published >= 1
