"""The operator's commands, a file each; `main` is `syncline-hub`.

A base install is a node and an auditor; the hub's parts come with the extra `hub`, and `main` says so.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

from core import commands
from core.errors import InvalidInput

__all__ = ["app", "main"]

PARTS = (
    "alembic",
    "argon2",
    "babel",
    "grpc_health",
    "jinja2",
    "pyrage",
    "python_multipart",
    "sqlalchemy",
    "starlette",
    "uvicorn",
)  # what the extra `hub` of pyproject.toml installs

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
        "auditor": "hub.cli.auditor:auditor",
        "registry": "hub.cli.registry:registry",
        "log": "hub.cli.log:log",
        "datasets": "hub.cli.datasets:datasets",
        "export": "hub.cli.export:export",
        "user": "hub.cli.user:user",
        "status": "hub.cli.status:status",
        "top": "hub.cli.top:top",
        "alerts": "hub.cli.alerts:alerts",
        "fsck": "hub.cli.fsck:fsck",
        "backup": "hub.cli.backup:backup",
        "restore": "hub.cli.restore:restore",
    },
)


def main() -> None:
    """Run the command line and exit the process with its status."""
    if any(find_spec(part) is None for part in PARTS):
        remedy = "in a checkout of Syncline: pip install '.[hub]'"
        sys.exit(commands.show_error(InvalidInput("the hub's parts are not installed", remedy=remedy)))
    commands.main(app)
