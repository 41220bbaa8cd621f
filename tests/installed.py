"""Tools that some tests need and a machine may lack: without them they are skipped, with a loud line."""

import re
import shutil
import subprocess

import pytest


def openssl_version() -> tuple[int, ...]:
    """(0,) when checks by hand cannot be run."""
    if shutil.which("openssl") is None or shutil.which("sha256sum") is None:
        return (0,)
    said = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"OpenSSL (\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0,)


needs_openssl = pytest.mark.skipif(
    openssl_version() < (3, 0),
    reason="NOT TESTED BY HAND: openssl 3.0 or newer and sha256sum are missing here",
)
