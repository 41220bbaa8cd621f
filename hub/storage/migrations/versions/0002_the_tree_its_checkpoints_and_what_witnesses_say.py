"""The tree, its checkpoints, the witnesses' cosignatures and alarms, counted refusals."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Apply."""

    op.add_column("leaves", sa.Column("actor", sa.Text(), nullable=True))
    op.execute(
        "UPDATE leaves SET actor = json_extract(CAST(record AS TEXT), '$.actor') WHERE nonce IS NOT NULL"
    )
    op.add_column("pending_acts", sa.Column("detail", sa.Text(), nullable=True))
    op.create_index("ix_acknowledgements_leaf", "acknowledgements", ["leaf"])
    op.create_table(
        "log_tiles",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_log_tiles")),
    )
    op.create_table(
        "log_checkpoints",
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("made", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "size", name=op.f("pk_log_checkpoints")),
    )
    op.create_table(
        "log_cosignatures",
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("time", sa.Text(), nullable=False),
        sa.Column("last", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["origin", "size"],
            ["log_checkpoints.origin", "log_checkpoints.size"],
            name=op.f("fk_log_cosignatures_origin"),
        ),
        sa.PrimaryKeyConstraint("origin", "size", "partner", "node", name=op.f("pk_log_cosignatures")),
    )
    op.create_index("ix_log_cosignatures_last", "log_cosignatures", ["origin", "last"])
    op.create_index("ix_log_cosignatures_partner", "log_cosignatures", ["origin", "partner", "node", "size"])
    op.create_table(
        "refusals",
        sa.Column("since", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("since", "partner", "reason", name=op.f("pk_refusals")),
    )
    op.create_table(
        "refusal_periods",
        sa.Column("until", sa.Text(), nullable=False),
        sa.Column("leaf", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["leaf"], ["leaves.idx"], name=op.f("fk_refusal_periods_leaf")),
        sa.PrimaryKeyConstraint("until", name=op.f("pk_refusal_periods")),
    )
    op.create_table(
        "alarms",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), nullable=True),
        sa.Column("reported", sa.Text(), nullable=False),
        sa.Column("leaf", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["leaf"], ["leaves.idx"], name=op.f("fk_alarms_leaf")),
        sa.PrimaryKeyConstraint("partner", "node", "id", name=op.f("pk_alarms")),
    )
