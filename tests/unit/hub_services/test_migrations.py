"""Hubs of earlier releases are taken over: databases at each older schema, with a real federation's rows, are
brought to the newest one and opened."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from core.names import PartnerId
from hub.storage import schema, upgrade
from hub.storage.database import Database
from sync.acknowledgement import Acknowledgement, build
from tests.simulation.federation import TestFederation, make_federation, publish
from tests.unit.hub_services.conftest import SMALL

OLDER = ("0001", "0002", "0003")


def lived_in(federation: TestFederation) -> None:
    """Rows in all tables that older releases had."""
    hub, clock = federation.hub, federation.clock
    version = publish(federation, "la-dgm", "geo", {"a": b"rock" * 400}, read=["th-dmr"])
    reader = federation.members["th-dmr"]
    with hub.context.database.read() as connection:
        policy = connection.execute(sa.select(schema.policies.c.id)).scalar_one()
    said = Acknowledgement(
        dataset=version.dataset,
        manifest_sha256=version.manifest_id,
        policy_sha256=policy,
        partner=reader.partner,
        node=reader.node,
        created=clock.now(),
    )
    hub.catalogue.acknowledge(reader.caller, build(said, reader.signing, SMALL))
    hub.registry.suspend(PartnerId("vn-dgm"))
    hub.registry.resume(PartnerId("vn-dgm"))
    hub.registry.suspend(PartnerId("vn-dgm"))
    hub.log.refused(None, "NOT_FOUND")
    hub.log.perform()
    hub.fleet.report_status(reader.caller, b"{}")
    hub.log.make_checkpoint(force=True)


def older(path: Path, revision: str) -> dict[str, int]:
    """Make the database at `path` one of an older release, with the same rows as far as it had them."""
    newer = path.with_name("newer.sqlite")
    shutil.move(path, newer)
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(upgrade.configuration(connection), revision)
    engine.dispose()
    counts: dict[str, int] = {}
    with closing(sqlite3.connect(path)) as old:
        old.execute("ATTACH ? AS newer", (str(newer),))
        tables = [row[0] for row in old.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")]
        for table in sorted(set(tables) - {"alembic_version"}):
            has = [row[1] for row in old.execute(f'PRAGMA main.table_info("{table}")')]
            still = {row[1] for row in old.execute(f'PRAGMA newer.table_info("{table}")')}
            columns = ", ".join(f'"{name}"' for name in has if name in still)
            old.execute(f'DELETE FROM main."{table}"')
            old.execute(f'INSERT INTO main."{table}" ({columns}) SELECT {columns} FROM newer."{table}"')
            counts[table] = old.execute(f'SELECT count(*) FROM main."{table}"').fetchone()[0]
        old.commit()
    newer.unlink()
    return counts


def leaves(database: Database) -> list[tuple[object, ...]]:
    with database.read() as connection:
        table = schema.leaves
        return [tuple(row) for row in connection.execute(sa.select(table).order_by(table.c.idx))]


@pytest.mark.parametrize("revision", OLDER)
def test_a_hub_of_an_earlier_release_is_taken_over_with_all_it_held(tmp_path: Path, revision: str):
    federation = make_federation(tmp_path, limits=SMALL)
    lived_in(federation)
    before = leaves(federation.hub.context.database)
    path = federation.host.layout.database
    federation.close()
    counts = older(path, revision)
    full = {"leaves", "registry_statements", "enrolments", "versions", "policies", "acknowledgements"}
    assert all(counts[table] for table in full | {"suspensions", "status_reports", "certificates"})

    federation.host.hub = federation.host._open()
    hub = federation.hub
    assert hub.context.database.schema_version() == schema.HEAD
    after = leaves(hub.context.database)
    assert after == before, "actor, time and object of each leaf are found again in its record"
    times = [row for row in after if row[schema.leaves.c.keys().index("time")] is None]
    assert times == []
    hub.log.make_checkpoint(force=True)
    assert list(hub.fsck.check()) == []
    with hub.context.database.read() as connection:
        for table, count in counts.items():
            kept = connection.execute(sa.text(f'SELECT count(*) FROM "{table}"')).scalar_one()
            assert kept >= count, table
    publish(federation, "la-dgm", "geo", {"a": b"sand"})
    federation.close()


@pytest.mark.parametrize("revision", OLDER)
def test_the_schema_that_migrations_lead_to_is_the_one_that_is_made_anew(tmp_path: Path, revision: str):
    federation = make_federation(tmp_path, limits=SMALL)
    path = federation.host.layout.database
    federation.close()
    older(path, revision)
    federation.host.hub = federation.host._open()
    fresh = Database.open(tmp_path / "fresh.sqlite", create=True)

    def shape(database: Database) -> dict[str, set[str]]:
        with database.read() as connection:
            found = sa.inspect(connection)
            return {
                table: {str(column["name"]) + str(column["type"]) for column in found.get_columns(table)}
                | {str(index["name"]) for index in found.get_indexes(table)}
                for table in found.get_table_names()
            }

    assert shape(federation.hub.context.database) == shape(fresh)
    fresh.close()
    federation.close()
