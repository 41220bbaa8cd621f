"""The agency's commands, a file each; `main` is `syncline-node`."""

from pathlib import Path

from core import commands

__all__ = ["COMMANDS", "app", "main"]

#: In the order of the help; each is a function in `<name>_cmd.py`, with `_` for `-`.
COMMANDS = (
    "join",
    "run",
    "sync",
    "plan",
    "approve",
    "explain",
    "receipts",
    "export",
    "rotate-keys",
    "leave",
    "restore",
    "status",
    "alarms",
    "doctor",
)

app = commands.new_app(
    "syncline-node",
    "The agency's node: publishes folders, mirrors what others share.",
    config_default=Path("/etc/syncline/node.toml"),
    config_variable="SYNCLINE_NODE_CONFIG",
    table={name: f"node.cli.{word}_cmd:{word}" for name in COMMANDS for word in [name.replace("-", "_")]},
)


def main() -> None:
    """Run the command line and exit the process with its status."""
    commands.main(app)
