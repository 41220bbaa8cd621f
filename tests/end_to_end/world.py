"""A hub and its agencies as real processes on loopback, for the tests; nothing here knows their insides.

Commands are run as people run them; readiness is polled, never slept for; everything started is ended.
"""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.control import is_listening, socket_path

DEADLINE_S = 90.0
_COMMANDS = Path(sys.executable).parent
_FINGERPRINT = re.compile(r"\b[0-9a-f]{4}(?:[ -]?[0-9a-f]{4}){15}\b")


@dataclass(frozen=True)
class Finished:
    typed: str
    status: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"$ {self.typed}\n{self.out}{self.err}[{self.status}]"


def run(*command: str, expect: int | None = 0, timeout_s: float = DEADLINE_S) -> Finished:
    """Run one of the commands to its end; `expect` None accepts any exit status."""
    done = subprocess.run(
        [str(_COMMANDS / command[0]), *command[1:]],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    finished = Finished(" ".join(command), done.returncode, done.stdout, done.stderr)
    assert expect is None or finished.status == expect, str(finished)
    assert "Traceback" not in finished.err, str(finished)
    return finished


def wait_until(condition: Callable[[], Any], what: str, *, deadline_s: float = DEADLINE_S) -> Any:
    """Poll until `condition` is true; its value."""
    end = time.monotonic() + deadline_s
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < end, f"gave up waiting for {what}"
        pause.wait(0.05)
    return value


class Process:
    """A started command, with its output in a file."""

    def __init__(self, log: Path, *command: str, environment: Mapping[str, str] | None = None) -> None:
        self.log_path = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(_COMMANDS / command[0]), *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """As a power cut ends it."""
        self._process.kill()
        self._process.wait()

    def stop(self, *, timeout_s: float = 40.0) -> int:
        """Politely; the exit status."""
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return self._process.returncode

    def wait(self, timeout_s: float = DEADLINE_S) -> int:
        return self._process.wait(timeout_s)

    def log(self) -> str:
        return self.log_path.read_text("utf-8", "replace")


@dataclass
class Agency:
    """A partner with one node in `home`."""

    world: "World"
    partner: str
    home: Path
    name: str = "main"
    daemon: Process | None = None
    tables: str = ""
    settle_s: float = 0.0

    @property
    def config(self) -> Path:
        return self.home / "node.toml"

    @property
    def state_dir(self) -> Path:
        return self.home / "state"

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def mirror(self) -> Path:
        return self.home / "mirror"

    def node(self, *arguments: str, expect: int | None = 0) -> Finished:
        """Run `syncline-node` with this agency's settings."""
        return run("syncline-node", "--config", str(self.config), *arguments, expect=expect)

    def status(self) -> dict[str, Any]:
        return self.node("status", "--json", expect=None).json()

    def report(self) -> dict[str, Any]:
        """The same, as it stands in its file: for polling, without a process each time."""
        return json.loads((self.state_dir / "status.json").read_text("utf-8"))

    def configure(self, tables: str = "") -> None:
        """Write node.toml; the [hub] table that `join` wrote is kept."""
        self.tables = tables
        self.home.mkdir(parents=True, exist_ok=True)
        self.mirror.mkdir(exist_ok=True)
        head = f'[node]\npartner = "{self.partner}"\nname = "{self.name}"\nstate_dir = "{self.state_dir}"\n\n'
        hub = ""
        if self.config.exists():
            found = re.search(r"^\[hub\]\n(?:[^\[\n].*\n|\n)*", self.config.read_text("utf-8"), re.MULTILINE)
            hub = found.group() if found else ""
        self.config.write_text(head + hub + tables, "utf-8")

    def publishes(
        self, name: str, *, to: Sequence[str] = (), allow: Sequence[str] = ("read",), extra: str = ""
    ) -> str:
        """A [[publish]] table over `data/<name>`, which is made."""
        folder = self.data / name
        folder.mkdir(parents=True, exist_ok=True)
        share = ""
        if to:
            share = (
                f"  [[publish.share]]\n  with = {json.dumps(list(to))}\n  allow = {json.dumps(list(allow))}\n"
            )
        return (
            f'[[publish]]\ndataset = "{name}"\npath = "{folder}"\ntitle = {{ en = "{name}", lo = "ແຜນທີ່" }}\n'
            'theme = "basic-geology"\nlicense = "CC-BY-4.0"\nrights_holder = "Department"\n'
            f"settle_s = {self.settle_s}\n{extra}{share}\n"
        )

    def subscribes(self, pattern: str = "*/*") -> str:
        """A [[subscribe]] table into `mirror/`."""
        return f'[[subscribe]]\ndataset = "{pattern}"\npath = "{self.mirror}"\n\n'

    def invite(self, *options: str) -> Path:
        """A join file for this agency."""
        path = self.home / f"{self.partner}.join"
        self.home.mkdir(parents=True, exist_ok=True)
        name = f"Agency {self.partner}"
        self.world.hub("invite", self.partner, "--name", name, "--out", str(path), *options)
        return path

    def join_quickly(self) -> None:
        """Become a member without a fingerprint read back, as for a test bed."""
        self.node("join", str(self.invite("--approve-on-join")), "--wait")

    def join(self) -> str:
        """Become a member, as the README says; the fingerprint."""
        path = self.invite()
        asked = self.node("join", str(path), expect=8)
        found = _FINGERPRINT.search(asked.out)
        assert found, str(asked)
        self.world.hub("approve", self.partner, "--fingerprint", found.group())
        self.node("join", str(path), "--wait")
        return found.group()

    def start(self) -> Process:
        """Start the daemon; returns when its socket answers."""
        self.daemon = Process(self.home / "daemon.log", "syncline-node", "--config", str(self.config), "run")
        self.world.processes.append(self.daemon)
        started = self.daemon

        def answers() -> bool:
            assert started.is_running, f"the daemon of {self.partner} ended: {started.log()}"
            return is_listening(socket_path(self.state_dir))

        wait_until(answers, f"the daemon of {self.partner}")
        return self.daemon

    def current(self, dataset: str) -> Path:
        return self.mirror / dataset / "current"

    def version(self, dataset: str) -> int:
        """The version that `current` holds; 0 for none."""
        link = self.current(dataset)
        return int(link.readlink().name.partition("-")[0]) if link.is_symlink() else 0

    def content(self, dataset: str) -> dict[str, bytes]:
        """What the mirror holds, without its evidence."""
        return tree(self.current(dataset).resolve())


def tree(root: Path) -> dict[str, bytes]:
    """Every file below `root` by its path; evidence is left out."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not str(path.relative_to(root)).startswith(".syncline")
    }


class World:
    """A federation below `root`, founded there or copied from another one (whose ports it takes over)."""

    def __init__(self, root: Path, template: "World | None" = None) -> None:
        self.root = root
        self.processes: list[Process] = []
        self.hub_process: Process | None = None
        self._template = template
        if template is not None:
            self.port, self.enrol_port = template.port, template.enrol_port
            shutil.copytree(template.hub_folder, self.hub_folder)
            return
        self.port, self.enrol_port = _free_ports(2)
        run(
            "syncline-hub", "init", str(self.hub_folder), "--name", "Test Platform",
            "--address", f"127.0.0.1:{self.port}", "--enrol-address", f"127.0.0.1:{self.enrol_port}",
            "--log-listen", "127.0.0.1:0", "--web-listen", "", "--metrics-listen", "",
        )  # fmt: skip

    @property
    def hub_folder(self) -> Path:
        return self.root / "hub"

    @property
    def hub_config(self) -> Path:
        return self.hub_folder / "hub.toml"

    def hub(self, *arguments: str, expect: int | None = 0) -> Finished:
        return run("syncline-hub", "--config", str(self.hub_config), *arguments, expect=expect)

    def start_hub(self) -> Process:
        """Start the hub; returns when both ports answer."""
        process = Process(self.root / "hub.log", "syncline-hub", "--config", str(self.hub_config), "run")
        self.hub_process = process
        self.processes.append(process)

        def answers() -> bool:
            assert process.is_running, f"the hub ended: {process.log()}"
            return all(_answers(port) for port in (self.port, self.enrol_port))

        wait_until(answers, "the hub's ports")
        return process

    def serve_pages(self) -> int:
        """Let the hub serve its pages from its next start on; where."""
        [port] = _free_ports(1)
        text = self.hub_config.read_text("utf-8")
        self.hub_config.write_text(text.replace("[web]\n", f'[web]\nlisten = "127.0.0.1:{port}"\n'), "utf-8")
        return port

    def agency(self, partner: str) -> Agency:
        """An agency with settings; a member if it is one in the template."""
        agency = Agency(self, partner, self.root / partner)
        agency.configure()
        known = None if self._template is None else self._template.root / partner
        if known is not None and known.exists():
            shutil.copytree(known / "state", agency.state_dir)
            table = f'[hub]\naddress = "127.0.0.1:{self.port}"\n\n'
            agency.config.write_text(agency.config.read_text("utf-8") + table, "utf-8")
        return agency

    def close(self) -> None:
        """End every process."""
        for process in reversed(self.processes):
            if process.is_running:
                process.kill()


def _free_ports(count: int) -> list[int]:
    """Ports that stay free while no hub listens: the kernel gives those to nobody's connection."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(10_000, 30_000)  # below Linux's and IANA's ephemeral ports
        if port not in ports and not _answers(port):
            ports.append(port)
    return ports


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
