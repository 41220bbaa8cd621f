"""The operator's commands, a file each; `main` is `syncline-hub`."""

from core import commands
from hub.cli import approve, datasets, fsck, init, invite, partners, registry, reject, run, standing, status
from hub.cli.app import app

__all__ = [
    "app",
    "approve",
    "datasets",
    "fsck",
    "init",
    "invite",
    "main",
    "partners",
    "registry",
    "reject",
    "run",
    "standing",
    "status",
]


def main() -> None:
    """Run the command line and exit the process with its status."""
    commands.main(app)
