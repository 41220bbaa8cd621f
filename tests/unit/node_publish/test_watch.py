"""Events are hints; where there are none, it is said and the scan finds changes."""

import errno
import threading
from pathlib import Path
from typing import Any

import pytest

from core.clock import SystemClock
from core.names import DatasetId
from node.watch import Debounce, Watcher
from tests.simulation.clock import ManualClock

DATASET = DatasetId("la-dgm/geology")


def test_an_event_makes_its_dataset_due_when_it_is_quiet_again() -> None:
    clock = ManualClock()
    debounce = Debounce(clock)
    assert debounce.next_due_s() is None
    debounce.mark(DATASET)
    assert not debounce.take_due()
    clock.advance(0.1)
    debounce.mark(DATASET)
    assert debounce.next_due_s() == pytest.approx(0.2)
    clock.advance(0.25)
    assert debounce.take_due() == [DATASET]
    assert not debounce.take_due()


def test_a_dataset_that_is_never_quiet_is_due_all_the_same() -> None:
    clock = ManualClock()
    debounce = Debounce(clock)
    for _ in range(110):
        debounce.mark(DATASET)
        clock.advance(0.1)
    assert debounce.take_due() == [DATASET]


def test_real_changes_wake_and_reading_does_not(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "old.txt").write_text("old")
    heard = threading.Event()
    watcher = Watcher(SystemClock(), heard.set)
    try:
        assert watcher.watch(DATASET, tmp_path)
        assert watcher.is_watched(DATASET)
        (tmp_path / "sub" / "old.txt").read_text()
        list((tmp_path / "sub").iterdir())
        assert not heard.wait(0.3)
        (tmp_path / "sub" / "new.txt").write_text("x")
        assert heard.wait(30)
    finally:
        watcher.close()
    assert not watcher.is_watched(DATASET)


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p"])
def test_network_file_systems_are_scanned_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("node.folder.mount_points", lambda: [("/", "ext4"), (str(tmp_path), kind)])
    watcher = Watcher(SystemClock())
    assert not watcher.watch(DATASET, tmp_path)
    assert not watcher.is_watched(DATASET)
    watcher.close()


def test_exhausted_watches_fall_back_to_scans_loudly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Exhausted:
        def start(self) -> None: ...

        def schedule(self, *_: Any, **__: Any) -> None:
            raise OSError(errno.ENOSPC, "inotify watch limit reached")

        def stop(self) -> None: ...

        def join(self, _timeout: float) -> None: ...

        def is_alive(self) -> bool:
            return True

    watcher = Watcher(SystemClock(), make_observer=Exhausted)  # type: ignore[arg-type]
    assert not watcher.watch(DATASET, tmp_path)
    assert not watcher.is_watched(DATASET)
    watcher.close()
    said = capsys.readouterr()
    assert "max_user_watches" in said.out + said.err
