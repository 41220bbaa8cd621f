"""A hub and its agencies as real processes on loopback, driven through their command lines alone.

    with Federation(folder) as federation:
        federation.init_hub("Regional Geoscience Platform")
        federation.start_hub()
        laos = Agency("la-dgm", "Department of Geology and Mines", folder / "la-dgm")
        laos.configure(datasets)
        laos.command("join", "la-dgm.join")

Every process is started in a session of its own and is ended when the block is left, however it is left.
"""

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from core.errors import Unavailable

_COMMANDS = Path(sys.executable).parent
_DEADLINE_S = 60.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ended: who typed what, its exit status and its output."""

    prompt: str
    typed: str
    status: int
    output: str


@dataclass(frozen=True, slots=True)
class Agency:
    """A partner with one node. `home` holds its configuration, state and folders."""

    partner: str
    name: str
    home: Path

    @property
    def config(self) -> Path:
        """The node's configuration file."""
        return self.home / "node.toml"

    def command(self, *arguments: str) -> Finished:
        """Run `syncline-node` with this agency's configuration."""
        setting = ("SYNCLINE_NODE_CONFIG", self.config)
        return run(["syncline-node", *arguments], prompt=self.partner, setting=setting)

    def status(self) -> dict[str, Any]:
        """The node's own report."""
        return json.loads(self.command("status", "--json").output)

    def configure(self, datasets: str) -> None:
        """Write `node.toml`: who this node is, and `datasets`, the [[publish]] and [[subscribe]] tables."""
        self.home.mkdir(parents=True, exist_ok=True)
        head = f'[node]\npartner = "{self.partner}"\nname = "main"\nstate_dir = "{self.home / "state"}"\n\n'
        hub = "\n".join(_hub_table(self.config)) if self.config.exists() else ""
        self.config.write_text(head + hub + datasets, encoding="utf-8")


def _hub_table(config: Path) -> list[str]:
    """The [hub] table that `join` wrote, to be kept when the rest is written again."""
    lines = config.read_text(encoding="utf-8").splitlines()
    if "[hub]" not in lines:
        return []
    start = lines.index("[hub]")
    end = next((i for i in range(start + 1, len(lines)) if lines[i].startswith("[")), len(lines))
    return [*lines[start:end], ""]


def run(
    command: Sequence[str],
    *,
    prompt: str = "",
    cwd: Path | None = None,
    setting: tuple[str, Path] | None = None,
) -> Finished:
    """Run one of the project's commands, or a system tool, to its end, with all of its output.

    `setting` is an environment variable that names a configuration file.
    """
    program = _COMMANDS / command[0]
    resolved = [str(program) if program.exists() else command[0], *command[1:]]
    environment = os.environ | ({setting[0]: str(setting[1])} if setting is not None else {})
    done = subprocess.run(
        resolved,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Finished(prompt, shlex.join(command), done.returncode, done.stdout)


class Federation:
    """The processes and folders of one demonstration, below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hub_folder = root / "hub"
        self.port, self.enrol_port = free_ports(2)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def hub_config(self) -> Path:
        """The hub's configuration file."""
        return self.hub_folder / "hub.toml"

    def hub(self, *arguments: str) -> Finished:
        """Run `syncline-hub` with this federation's configuration."""
        setting = ("SYNCLINE_HUB_CONFIG", self.hub_config)
        return run(["syncline-hub", *arguments], prompt="hub", setting=setting)

    def init_hub(self, name: str) -> Finished:
        """Make the federation: keys, CA, first registry, empty store."""
        address, enrol = f"127.0.0.1:{self.port}", f"127.0.0.1:{self.enrol_port}"
        arguments = ["init", str(self.hub_folder), "--name", name, "--address", address]
        (pages,) = free_ports(1)
        ports = ["--enrol-address", enrol, "--log-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
        ports += ["--web-listen", f"127.0.0.1:{pages}"]
        return run(["syncline-hub", *arguments, *ports], prompt="hub")

    def start_hub(self) -> None:
        """Start the hub's process; returns when both ports answer."""
        self._start("hub", ["syncline-hub", "--config", str(self.hub_config), "run"])
        for port in (self.port, self.enrol_port):
            wait_until(lambda port=port: _answers(port), f"the hub to listen on port {port}")

    def start(self, name: str, command: Sequence[str], port: int) -> None:
        """Start another process; returns when `port` answers."""
        self._start(name, command)
        wait_until(lambda: _answers(port), f"{name} to listen on port {port}")

    def start_daemon(self, agency: Agency) -> None:
        """Start an agency's daemon; returns when its status says that it runs."""
        self._start(agency.partner, ["syncline-node", "--config", str(agency.config), "run"])
        wait_until(lambda: bool(agency.status().get("daemon_running")), f"the daemon of {agency.partner}")

    def stop(self, name: str) -> None:
        """End a process politely, and for certain."""
        process = self._processes.pop(name, None)
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def process_id(self, name: str) -> int:
        """The process that runs as `name`."""
        return self._processes[name].pid

    def log_of(self, name: str) -> str:
        """What a process has logged so far."""
        return (self.root / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def _start(self, name: str, command: Sequence[str]) -> None:
        with (self.root / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [str(_COMMANDS / command[0]), *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Nodes first, so that they do not log the hub's end as a fault.
        for name in sorted(self._processes, key=lambda name: name == "hub"):
            self.stop(name)


def wait_until(condition: Callable[[], bool], what: str, *, deadline_s: float = _DEADLINE_S) -> None:
    """Poll until `condition` holds. Raises `Unavailable` after `deadline_s` seconds."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise Unavailable(f"gave up waiting for {what}", remedy="look at the logs in the demo's folder")
        time.sleep(_POLL_S)


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
