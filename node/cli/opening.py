"""What every command begins with: settings, log, passphrase, and who does the work.

    opened = open_node(ctx, config)             # settings are read and checked, the log is set up
    answer = opened.ask_daemon("sync")          # None when no daemon runs

Only here does the node read its environment: `$CREDENTIALS_DIRECTORY/syncline-passphrase` (systemd), else the
file that `$SYNCLINE_PASSPHRASE_FILE` names, hold the passphrase of the private keys, if they have one.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from core import commands, logs
from core.errors import InvalidInput, Unavailable
from node import control
from node.config import NodeSettings, load_settings

CREDENTIAL_NAME = "syncline-passphrase"
PASSPHRASE_VARIABLE = "SYNCLINE_PASSPHRASE_FILE"  # noqa: S105 - a variable's name


@dataclass(frozen=True, slots=True)
class Opened:
    """A node's settings, as a command found them."""

    config_path: Path
    settings: NodeSettings
    passphrase: bytes | None

    @property
    def state_dir(self) -> Path:
        """Where this node keeps its state."""
        return self.settings.node.state_dir

    def ask_daemon(
        self,
        call: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        tell: Callable[[Mapping[str, Any]], None] = lambda _: None,
    ) -> dict[str, Any] | None:
        """The running daemon's answer; None when no daemon runs. Raises what the daemon raises."""
        path = control.socket_path(self.state_dir)
        if not control.is_listening(path):
            return None
        return control.ask(path, call, arguments, tell=tell)


def open_node(
    ctx: typer.Context, config: Path | None, *, folders: bool = True, log_level: str = "info"
) -> Opened:
    """Read the settings and set up the log. `folders` also demands that the configured folders exist."""
    path = commands.config_path(ctx, config)
    settings = load_settings(path, folders=folders)
    logs.configure(json=settings.node.log == "json", level=log_level)
    return Opened(path, settings, read_passphrase(os.environ))


def read_passphrase(environment: Mapping[str, str]) -> bytes | None:
    """The passphrase of the private keys; None when none is given. Raises `InvalidInput`, `Unavailable`."""
    credentials = environment.get("CREDENTIALS_DIRECTORY")
    if credentials and (Path(credentials) / CREDENTIAL_NAME).exists():
        path = Path(credentials) / CREDENTIAL_NAME
    elif environment.get(PASSPHRASE_VARIABLE):
        path = Path(environment[PASSPHRASE_VARIABLE])
    else:
        return None
    try:
        passphrase = path.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise Unavailable(
            f"the passphrase file {path} cannot be read: {error.strerror}",
            remedy=f"correct ${PASSPHRASE_VARIABLE}",
        ) from error
    if not passphrase:
        raise InvalidInput(f"the passphrase file {path} is empty", remedy="write the passphrase into it")
    return passphrase
