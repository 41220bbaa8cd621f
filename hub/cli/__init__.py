"""The operator's commands, a file each; `main` is `syncline-hub`."""

from pathlib import Path

from core import commands

__all__ = ["app", "main"]

app = commands.new_app(
    "syncline-hub",
    "The operator's hub: partners enrol here, and exchange what their owners share.",
    config_default=Path("/etc/syncline/hub.toml"),
    config_variable="SYNCLINE_HUB_CONFIG",
    table={
        "init": "hub.cli.init:init",
        "run": "hub.cli.run:run",
        "invite": "hub.cli.invite:invite",
        "approve": "hub.cli.approve:approve",
        "reject": "hub.cli.reject:reject",
        "partners": "hub.cli.partners:partners",
        "suspend": "hub.cli.standing:suspend",
        "resume": "hub.cli.standing:resume",
        "revoke": "hub.cli.standing:revoke",
        "registry": "hub.cli.registry:registry",
        "datasets": "hub.cli.datasets:datasets",
        "status": "hub.cli.status:status",
        "fsck": "hub.cli.fsck:fsck",
    },
)


def main() -> None:
    """Run the command line and exit the process with its status."""
    commands.main(app)
