"""A hub of the first release is taken over: its leaves become a tree, and find their actors."""

import json
import sqlite3
from pathlib import Path

import sqlalchemy as sa
from alembic import command

from hub.services.log.tree import Tiles, grow, store, tree_size
from hub.storage import schema, upgrade
from hub.storage.database import Database
from security.tlog.leaf import leaf_hash, make_leaf, registry_leaf


def first_release(path: Path) -> list[bytes]:
    """A database at the first schema, with a registry's leaf and some records; their bytes."""
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(upgrade.configuration(connection), "0001")
    engine.dispose()
    leaves = [registry_leaf("0" * 64)]
    with sqlite3.connect(path) as raw:
        insert = "INSERT INTO leaves (idx, leaf, type, record, nonce) VALUES (?, ?, ?, ?, ?)"
        raw.execute(insert, (0, leaves[0], "registry", leaves[0], None))
        for index in range(1, 300):
            leaf, opening = make_leaf({"v": 1, "actor": f"p{index}", "detail": {"actor": "not this one"}})
            raw.execute(insert, (index, leaf, "act", opening.record, opening.nonce))
            leaves.append(leaf)
    raw.close()
    return leaves


def test_leaves_of_the_first_release_find_their_actor_and_their_place_in_the_tree(tmp_path: Path):
    leaves = first_release(tmp_path / "hub.sqlite")
    database = Database.open(tmp_path / "hub.sqlite")
    with database.read() as connection:
        rows = connection.execute(sa.select(schema.leaves).order_by(schema.leaves.c.idx)).all()
        growth = grow(connection, 1000)
    assert rows[0].actor is None
    assert [row.actor for row in rows[1:]] == [json.loads(row.record)["actor"] for row in rows[1:]]
    with database.write() as connection:
        assert tree_size(connection) == 0
        assert store(connection, growth)
        assert tree_size(connection) == 300
        assert Tiles(connection).hash(0, 299) == leaf_hash(leaves[299])
    database.close()


def test_what_a_commit_looks_up_is_found_by_an_index(tmp_path: Path):
    """Appending must stay as fast at ten million leaves as at ten."""
    database = Database.open(tmp_path / "hub.sqlite", create=True)
    leaves, tiles = schema.leaves.c, schema.log_tiles.c
    looked_up = [
        sa.select(leaves.lane_n, leaves.lane_commitment)
        .where(leaves.lane_owner == "la-dgm")
        .order_by(leaves.lane_n.desc())
        .limit(1),
        sa.select(tiles.number).where(tiles.level == 0).order_by(tiles.number.desc()).limit(1),
        sa.select(schema.log_checkpoints)
        .where(schema.log_checkpoints.c.origin == "x")
        .order_by(schema.log_checkpoints.c.size.desc())
        .limit(1),
        sa.select(schema.acknowledgements.c.envelope).where(schema.acknowledgements.c.leaf == 1),
        sa.select(sa.func.max(leaves.idx)),
    ]
    with database.read() as connection:
        for query in looked_up:
            text = str(query.compile(connection.engine, compile_kwargs={"literal_binds": True}))
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
            assert all(step.startswith("SEARCH") for step in plan), (text, plan)
    database.close()
