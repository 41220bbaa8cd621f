"""The peer: rsync over ssh with AES-GCM, through an sshd of its own on loopback.

    with RsyncOverSsh(folder) as peer:
        cost = peer.push(source, "raster")

Raises `Unavailable` where `rsync`, `ssh` or `sshd` is missing.
"""

import getpass
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.measure import Cost, cost_of
from core.errors import Unavailable

_SSHD_PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/sbin"


class RsyncOverSsh:
    """An sshd with throw-away keys in `folder`, and pushes and pulls through it."""

    def __init__(self, folder: Path) -> None:
        sshd = shutil.which("sshd", path=_SSHD_PLACES)
        if sshd is None or shutil.which("rsync") is None or shutil.which("ssh") is None:
            raise Unavailable(
                "rsync, ssh or sshd is not installed", remedy="install rsync and openssh-server"
            )
        self.folder = folder
        self.target = folder / "target"
        self.target.mkdir(parents=True)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        for name in ("host", "client"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
            )
        (folder / "authorized").write_text((folder / "client.pub").read_text())
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        )
        Path("/run/sshd").mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [sshd, "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "sshd.log")]
        )
        self._wait_until_it_listens()
        options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        self._shell = f"ssh -p {self.port} -i {folder}/client -c aes128-gcm@openssh.com {options}"

    def push(self, source: Path, name: str) -> Cost:
        """Push `source` into the target folder `name`; a repeated push sends what has changed."""
        remote = f"{getpass.getuser()}@127.0.0.1:{self.target / name}/"
        return self._rsync(f"{source}/", remote)

    def pull(self, name: str, target: Path) -> Cost:
        """Pull the target folder `name` to a local folder."""
        target.mkdir(parents=True, exist_ok=True)
        return self._rsync(f"{getpass.getuser()}@127.0.0.1:{self.target / name}/", f"{target}/")

    def _rsync(self, source: str, target: str) -> Cost:
        command = ["rsync", "-a", "--delete", "--inplace", "-e", self._shell, source, target]
        return cost_of(command, services=[self._process.pid])

    def _wait_until_it_listens(self) -> None:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise Unavailable("sshd did not start", remedy=f"see {self.folder}/sshd.log")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
