"""The agency's commands, a file each; `main` is `syncline-node`."""

from pathlib import Path

from core import commands
from node.cli.approve_cmd import approve
from node.cli.doctor_cmd import doctor
from node.cli.explain_cmd import explain
from node.cli.join_cmd import join
from node.cli.plan_cmd import plan
from node.cli.run_cmd import run
from node.cli.status_cmd import status
from node.cli.sync_cmd import sync

__all__ = ["app", "main"]

app = commands.new_app(
    "syncline-node",
    "The agency's node: publishes folders, mirrors what others share.",
    config_default=Path("/etc/syncline/node.toml"),
    config_variable="SYNCLINE_NODE_CONFIG",
)
for _command in (join, run, sync, plan, approve, explain, status, doctor):
    app.command()(_command)


def main() -> None:
    """Run the command line and exit the process."""
    commands.main(app)
