"""An early flush is a head start: it happens, and what it learns of lost writes is not lost."""

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import durable
from node.subscribe.writeback import Writeback


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_it_flushes_when_enough_was_written(folder: int, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = threading.Event()
    monkeypatch.setattr(durable, "flush_filesystem", lambda _: flushed.set())
    with Writeback(folder, every_bytes=100) as writeback:
        writeback.wrote(99)
        assert not flushed.is_set()
        writeback.wrote(1)
        assert flushed.wait(30)


def test_a_lost_write_that_the_kernel_reports_once_is_raised(
    folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_: int) -> None:
        asked.set()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    asked = threading.Event()
    monkeypatch.setattr(durable, "flush_filesystem", lost)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)), Writeback(folder, every_bytes=1) as writeback:
        writeback.wrote(1)
        assert asked.wait(30)


def test_an_error_of_the_block_itself_comes_first(folder: int) -> None:
    with pytest.raises(ValueError, match="first"), Writeback(folder):
        raise ValueError("first")
