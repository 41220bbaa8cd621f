"""The agency's commands, a file each; `main` is `syncline-node`.

Only the commands that are named on the line are imported, so that `status` does not wait for gRPC.
"""

import sys
from collections.abc import Collection
from importlib import import_module
from pathlib import Path

import typer

from core import commands

#: In the order of the help.
COMMANDS = ("join", "run", "sync", "plan", "approve", "explain", "status", "doctor")


def make_app(names: Collection[str] = COMMANDS) -> typer.Typer:
    """The application with the commands of these names; each is a function in `<name>_cmd.py`."""
    app = commands.new_app(
        "syncline-node",
        "The agency's node: publishes folders, mirrors what others share.",
        config_default=Path("/etc/syncline/node.toml"),
        config_variable="SYNCLINE_NODE_CONFIG",
    )
    for name in COMMANDS:
        if name in names:
            app.command(name)(getattr(import_module(f"node.cli.{name}_cmd"), name))
    return app


def main() -> None:
    """Run the command line and exit the process."""
    named = set(sys.argv[1:]).intersection(COMMANDS)
    commands.main(make_app(named or COMMANDS))
