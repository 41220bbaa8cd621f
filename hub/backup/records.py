"""That a backup was made, for the operator's pages: a row, and an event.

record(hub, made, place)
was_there(hub, place)                    # a backup was made to this folder before
"""

from pathlib import Path

import sqlalchemy as sa

from hub.backup.making import Made
from hub.services.hub import Hub
from hub.storage import schema


def record(hub: Hub, made: Made, place: Path) -> None:
    """Note it. `place`: the whole path of the folder."""
    saved = made.snapshot
    with hub.context.database.write(visible=False) as connection:
        connection.execute(
            schema.backups.insert().values(
                time=saved.created,
                place=str(place),
                snapshot=saved.id,
                bytes_added=made.bytes_added,
                bytes_total=made.bytes_total,
                log_size=saved.log.size,
            )
        )
        hub.events.note(
            "backup.made",
            "info",
            detail={"place": str(place), "added_bytes": made.bytes_added, "healed": made.healed},
            connection=connection,
        )


def failed(hub: Hub, place: Path, problem: str) -> None:
    """Note that one failed."""
    hub.events.note("backup.failed", "error", detail={"place": str(place), "problem": problem})


def was_there(hub: Hub, place: Path) -> bool:
    """Whether a backup was made to this folder before."""
    table = schema.backups
    with hub.context.database.read() as connection:
        query = sa.select(sa.func.count()).select_from(table).where(table.c.place == str(place))
        return connection.execute(query).scalar_one() > 0
