"""Schema migrations, run in one transaction at start; what a newer release wrote is refused."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from core.errors import Conflict

_SCRIPTS = Path(__file__).parent / "migrations"


def configuration(connection: sa.Connection | None = None) -> Config:
    """Alembic's settings, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def to_head(connection: sa.Connection, path: Path) -> None:
    """Bring the database of `connection` (in a transaction) to the newest schema.

    Raises `Conflict` (reason NEWER_SCHEMA) when it stands at a migration that this release does not know.
    """
    config = configuration(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise Conflict(
            f"{path} was written by a newer release (schema {current})",
            remedy="upgrade this hub's software; never run an older one on newer data",
            reason="NEWER_SCHEMA",
        )
    command.upgrade(config, "head")
