"""Browsers that signed in before: what keeps a user's own browser in when strangers lock the account."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "known_browsers",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name=op.f("fk_known_browsers_user")),
        sa.PrimaryKeyConstraint("token_sha256", "user", name=op.f("pk_known_browsers")),
    )
    op.create_index("ix_known_browsers_user", "known_browsers", ["user"], unique=False)
