"""Fixtures of the fault tests."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def fast_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where that is to be had: processes die here, not machines."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="syncline-fault-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
