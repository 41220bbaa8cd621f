"""What a node keeps of the log: every root of every size, in bounded memory, whatever the disk does."""

import hashlib
from pathlib import Path

import pytest

from core.errors import Corrupt
from node.alarms import LANE_GAP, Alarm, Alarms
from node.witness.history import About, History
from security.tlog.merkle import EMPTY_ROOT, tree_root
from tests.simulation.clock import ManualClock

ABOUT = About("test-geo/log", "2026-11-22T12:00:00Z")


def hashes(count: int) -> list[bytes]:
    return [hashlib.sha256(b"%d" % number).digest() for number in range(count)]


def filled(folder: Path, leaves: list[bytes], page: int) -> History:
    history = History.begin(folder, ABOUT)
    for first in range(0, len(leaves), page):
        history.stage(leaves[first : first + page])
        history.accept()
    return history


@pytest.mark.parametrize("page", [1, 255, 256, 257])
def test_roots_of_every_size_of_a_small_log(tmp_path: Path, page: int) -> None:
    leaves = hashes(520 if page > 1 else 40)
    history = filled(tmp_path / "history", leaves, page)
    for size in range(len(leaves) + 1):
        assert history.root_at(size) == tree_root(leaves[:size]), size


def test_roots_of_a_log_with_several_levels(tmp_path: Path) -> None:
    leaves = hashes(70_000)
    filled(tmp_path / "history", leaves, 9_999)
    history = History(tmp_path / "history")
    for size in (1, 256, 65_535, 65_536, 65_537, 65_792, 69_999, 70_000):
        assert history.root_at(size) == tree_root(leaves[:size]), size
    history.check()
    assert history.size == 70_000


def test_what_was_staged_and_not_accepted_is_not_believed(tmp_path: Path) -> None:
    leaves = hashes(300)
    history = filled(tmp_path / "history", leaves[:100], 100)
    history.stage(hashes(600)[300:])
    again = History(tmp_path / "history")
    assert (again.size, again.root) == (100, tree_root(leaves[:100]))
    again.stage(leaves[100:])
    again.accept()
    assert again.root == tree_root(leaves)


@pytest.mark.parametrize("name", ["leaves", "nodes.1", "position"])
def test_a_damaged_file_is_noticed_and_the_leaves_are_fetched_again(tmp_path: Path, name: str) -> None:
    filled(tmp_path / "history", hashes(600), 600).see(b"note")
    path = tmp_path / "history" / name
    path.write_bytes(path.read_bytes()[:-20])
    history = History(tmp_path / "history")
    assert (history.size, history.root, history.seen()) == (0, EMPTY_ROOT, b"note")


def test_damage_that_no_root_shows_is_found_before_anybody_is_accused(tmp_path: Path) -> None:
    """A leaf in a whole subtree: its root is kept beside it, so that only a look at the leaves tells."""
    filled(tmp_path / "history", hashes(600), 600)
    path = tmp_path / "history" / "leaves"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    history = History(tmp_path / "history")
    assert history.size == 600
    with pytest.raises(Corrupt) as raised:
        history.check()
    assert raised.value.reason == "HISTORY_DAMAGED"
    assert history.size == 0


def test_a_history_that_goes_on_has_the_leaves_of_the_one_before(tmp_path: Path) -> None:
    leaves = hashes(600)
    old = filled(tmp_path / "history-1", leaves, 600)
    new = History.begin(tmp_path / "history-2", ABOUT, old, 300)
    assert (new.size, new.root) == (300, tree_root(leaves[:300]))
    new.stage(leaves[300:])
    new.accept()
    assert new.root == old.root


def test_an_alarm_whose_file_is_damaged_stays_an_alarm(tmp_path: Path) -> None:
    alarms = Alarms(tmp_path)
    alarm = Alarm.of(LANE_GAP, "1", "a record is missing", "ask", ManualClock().now())
    assert alarms.sound(alarm, {})
    (alarms.folder / alarm.id / "alarm.json").write_bytes(b"{")
    (found,) = alarms.open()
    assert (found.id, found.kind) == (alarm.id, LANE_GAP)
