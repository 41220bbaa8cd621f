"""What the operator sees and does: facts, samples, events, alerts, users, backups. Leaves by their record."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""

    op.create_table(
        "act_requests",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_act_requests")),
    )
    op.create_table(
        "alert_letters",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("letter", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("created", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try", sa.Text(), nullable=False),
        sa.Column("done", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_alert_letters")),
        sa.UniqueConstraint("letter", "channel", name=op.f("uq_alert_letters_letter")),
    )
    op.create_index("ix_alert_letters_created", "alert_letters", ["created"], unique=False)
    op.create_index("ix_alert_letters_done", "alert_letters", ["done"], unique=False)
    op.create_table(
        "alerts",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=True),
        sa.Column("told_count", sa.Integer(), nullable=False),
        sa.Column("over", sa.Text(), nullable=True),
        sa.Column("over_told", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_alerts")),
    )
    op.create_index("ix_alerts_key", "alerts", ["key"], unique=False)
    op.create_index("ix_alerts_over", "alerts", ["over"], unique=False)
    op.create_table(
        "backups",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("time", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=False),
        sa.Column("bytes_added", sa.Integer(), nullable=False),
        sa.Column("bytes_total", sa.Integer(), nullable=False),
        sa.Column("log_size", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_backups")),
    )
    op.create_table(
        "dataset_facts",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("time", sa.Text(), nullable=False),
        sa.Column("update_frequency", sa.Text(), nullable=True),
        sa.Column("next_update", sa.Text(), nullable=True),
        sa.Column("footprint", sa.Text(), nullable=True),
        sa.Column("period", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("dataset", name=op.f("pk_dataset_facts")),
    )
    op.create_index("ix_dataset_facts_revision", "dataset_facts", ["revision"], unique=False)
    op.create_table(
        "events",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("time", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=True),
        sa.Column("node", sa.Text(), nullable=True),
        sa.Column("dataset", sa.Text(), nullable=True),
        sa.Column("user", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_events")),
    )
    op.create_index("ix_events_kind", "events", ["kind", "number"], unique=False)
    op.create_index("ix_events_dataset", "events", ["dataset", "number"], unique=False)
    op.create_index("ix_events_partner", "events", ["partner", "number"], unique=False)
    op.create_index("ix_events_time", "events", ["time"], unique=False)
    op.create_table(
        "node_samples",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("time", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("bytes_left", sa.Integer(), nullable=True),
        sa.Column("rate_bytes_s", sa.Integer(), nullable=True),
        sa.Column("lag_s", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("partner", "node", "time", name=op.f("pk_node_samples")),
    )
    op.create_index("ix_node_samples_time", "node_samples", ["time"], unique=False)
    op.create_table(
        "storage_samples",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("time", sa.Text(), nullable=False),
        sa.Column("used_bytes", sa.Integer(), nullable=False),
        sa.Column("disk_bytes", sa.Integer(), nullable=False),
        sa.Column("packs", sa.Integer(), nullable=False),
        sa.Column("free_bytes", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("owner", "time", name=op.f("pk_storage_samples")),
    )
    op.create_table(
        "transfers",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=True),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("started", sa.Text(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("bytes_done", sa.Integer(), nullable=False),
        sa.Column("rate_bytes_s", sa.Integer(), nullable=False),
        sa.Column("ended", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_transfers")),
    )
    op.create_table(
        "users",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("created", sa.Text(), nullable=False),
        sa.Column("changed", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_users")),
    )
    op.create_table(
        "departures",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("time", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["leaf"], ["leaves.idx"], name=op.f("fk_departures_leaf")),
        sa.PrimaryKeyConstraint("partner", "node", "time", name=op.f("pk_departures")),
    )
    op.create_table(
        "sessions",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("csrf", sa.Text(), nullable=False),
        sa.Column("created", sa.Text(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("expires", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name=op.f("fk_sessions_user")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_user", "sessions", ["user"], unique=False)
    op.create_table(
        "alarm_acknowledgements",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("time", sa.Text(), nullable=False),
        sa.Column("leaf", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["leaf"], ["leaves.idx"], name=op.f("fk_alarm_acknowledgements_leaf")),
        sa.ForeignKeyConstraint(
            ["partner", "node", "id"],
            ["alarms.partner", "alarms.node", "alarms.id"],
            name=op.f("fk_alarm_acknowledgements_partner"),
        ),
        sa.PrimaryKeyConstraint("partner", "node", "id", name=op.f("pk_alarm_acknowledgements")),
    )
    op.add_column("leaves", sa.Column("time", sa.Text(), nullable=True))
    op.add_column("leaves", sa.Column("object", sa.Text(), nullable=True))
    op.create_index("ix_leaves_actor", "leaves", ["actor", "idx"], unique=False)
    op.create_index("ix_leaves_object", "leaves", ["object", "idx"], unique=False)
    op.create_index("ix_leaves_type", "leaves", ["type", "idx"], unique=False)
    op.create_index("ix_enrolments_joined", "enrolments", ["partner", "node", "joined"], unique=False)
    op.create_index("ix_deliveries_version", "deliveries", ["version"], unique=False)
    op.create_index("ix_acknowledgements_version", "acknowledgements", ["version", "partner"], unique=False)
    op.add_column("status_reports", sa.Column("revision", sa.Integer(), server_default="0", nullable=False))
    op.create_index("ix_status_reports_revision", "status_reports", ["revision"], unique=False)

    op.execute(
        "UPDATE leaves SET time = json_extract(CAST(record AS TEXT), '$.time'),"
        " object = json_extract(CAST(record AS TEXT), '$.object') WHERE nonce IS NOT NULL"
    )
    op.execute(
        "UPDATE leaves SET time = (SELECT accepted FROM registry_statements WHERE leaf = idx)"
        " WHERE nonce IS NULL"
    )
