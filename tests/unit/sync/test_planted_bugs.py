"""The tests of the promises find the bugs that they are for: each is planted here, and must be found."""

from collections.abc import Callable
from pathlib import Path

import pytest

from core import durable
from sync.stores.packs import PackStore
from sync.transfer import Transfer
from tests.unit.sync import test_packs, test_upload


def test_durable_ack_an_index_written_before_the_flush_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    filled = fill(tmp_path)
    flush = PackStore._flush

    def index_first(self: PackStore, packs: set[int], number: int, end: int) -> dict[int, int]:
        self._index.add(self._flushing, {number: end}, 0)
        return flush(self, packs, number, end)

    monkeypatch.setattr(PackStore, "_flush", index_first)
    found_by(test_packs.test_durable_ack_the_pack_is_flushed_before_the_index_names_it, filled)


def test_durable_ack_a_missing_flush_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    filled = fill(tmp_path)
    monkeypatch.setattr(durable, "fsync", lambda *_: None)
    found_by(test_packs.test_durable_ack_the_pack_is_flushed_before_the_index_names_it, filled)


def test_resumes_sending_again_without_asking_is_found(monkeypatch: pytest.MonkeyPatch):
    def send_again(self: Transfer) -> None:
        self._ready.extendleft(reversed([c for frame in self._in_flight for c in frame.offered]))
        self._in_flight.clear()
        self._durable_frames = 0

    monkeypatch.setattr(Transfer, "stream_broke", send_again)
    with pytest.raises(AssertionError):
        test_upload.test_resumes_repeating_at_most_one_frame_a_stream(stored_anyway=True)


def test_resumes_forgetting_what_was_under_way_is_found(monkeypatch: pytest.MonkeyPatch):
    def forget(self: Transfer) -> None:
        for frame in self._in_flight:
            for chunk in frame.offered:
                self._settle(chunk)
        self._in_flight.clear()
        self._durable_frames = 0

    monkeypatch.setattr(Transfer, "stream_broke", forget)
    with pytest.raises(Exception, match="not in the store"):
        test_upload.test_resumes_repeating_at_most_one_frame_a_stream(stored_anyway=False)


def fill(tmp_path: Path) -> tuple[Path, list[test_packs.StoredChunk]]:
    put = test_packs.chunks(0, 60)
    store = PackStore(tmp_path / "store", test_packs.SMALL)
    store.put(put)
    store.commit()
    store.close()
    return tmp_path / "store", put


def found_by(promise: Callable[..., None], filled: tuple[Path, list[test_packs.StoredChunk]]) -> None:
    with pytest.MonkeyPatch.context() as inner, pytest.raises(AssertionError):
        promise(filled, inner)
