"""Runs tests in a copy of the source, and proves that it is the copy that runs: `python child.py COPY REPORT TEST…`."""

import importlib
import sys
from pathlib import Path

PACKAGES = ("audit", "core", "hub", "node", "security", "sync", "syncline")


def main() -> int:
    copy, report, *tests = sys.argv[1:]
    root = Path(copy).resolve()
    for name in PACKAGES:
        found = importlib.import_module(name)
        place = Path(found.__file__ or next(iter(found.__path__))).resolve()
        assert place.is_relative_to(root), f"{name} was imported from {place}, not from the copy"
    import pytest

    return pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--junitxml={report}", *tests])


if __name__ == "__main__":
    sys.exit(main())
