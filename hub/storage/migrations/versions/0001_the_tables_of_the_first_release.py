"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Apply."""

    op.create_table(
        "datasets",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("dataset", name=op.f("pk_datasets")),
    )
    op.create_table(
        "enrolments",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("registry_sha256", sa.Text(), nullable=False),
        sa.Column("invited", sa.Text(), nullable=False),
        sa.Column("expires", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("replace", sa.Boolean(), nullable=False),
        sa.Column("approve_on_join", sa.Boolean(), nullable=False),
        sa.Column("joined", sa.Text(), nullable=True),
        sa.Column("join_sha256", sa.Text(), nullable=True),
        sa.Column("join_envelope", sa.LargeBinary(), nullable=True),
        sa.Column("csr_der", sa.LargeBinary(), nullable=True),
        sa.Column("signing_key", sa.Text(), nullable=True),
        sa.Column("witness_key", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_enrolments")),
        sa.UniqueConstraint("join_sha256", name=op.f("uq_enrolments_join_sha256")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_enrolments_token_sha256")),
    )
    with op.batch_alter_table("enrolments", schema=None) as batch_op:
        batch_op.create_index("ix_enrolments_partner", ["partner", "node"], unique=False)

    op.create_table(
        "federation",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("enrol_address", sa.Text(), nullable=False),
        sa.Column("created", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_federation")),
    )
    op.create_table(
        "leaves",
        sa.Column("idx", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=True),
        sa.Column("lane_owner", sa.Text(), nullable=True),
        sa.Column("lane_n", sa.Integer(), nullable=True),
        sa.Column("lane_commitment", sa.Text(), nullable=True),
        sa.Column("lane_salt", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("idx", name=op.f("pk_leaves")),
        sa.UniqueConstraint("lane_owner", "lane_n", name=op.f("uq_leaves_lane_owner")),
    )
    op.create_table(
        "revision",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("any", sa.Integer(), nullable=False),
        sa.Column("visible", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_revision")),
    )
    op.create_table(
        "status_reports",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("time", sa.Text(), nullable=False),
        sa.Column("report", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("partner", "node", name=op.f("pk_status_reports")),
    )
    op.create_table(
        "suspensions",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("partner", name=op.f("pk_suspensions")),
    )
    op.create_table(
        "certificates",
        sa.Column("tls_key_sha256", sa.Text(), nullable=False),
        sa.Column("enrolment", sa.Integer(), nullable=False),
        sa.Column("pem", sa.LargeBinary(), nullable=False),
        sa.Column("issued", sa.Text(), nullable=False),
        sa.Column("expires", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["enrolment"], ["enrolments.number"], name=op.f("fk_certificates_enrolment")),
        sa.PrimaryKeyConstraint("tls_key_sha256", name=op.f("pk_certificates")),
    )
    with op.batch_alter_table("certificates", schema=None) as batch_op:
        batch_op.create_index("ix_certificates_enrolment", ["enrolment"], unique=False)

    op.create_table(
        "pending_acts",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=True),
        sa.Column("enrolment", sa.Integer(), nullable=True),
        sa.Column("created", sa.Text(), nullable=False),
        sa.Column("done", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["enrolment"], ["enrolments.number"], name=op.f("fk_pending_acts_enrolment")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_pending_acts")),
    )
    op.create_table(
        "policies",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("disclosures", sa.LargeBinary(), nullable=False),
        sa.Column("accepted", sa.Text(), nullable=False),
        sa.Column("leaf", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.dataset"], name=op.f("fk_policies_dataset")),
        sa.ForeignKeyConstraint(["leaf"], ["leaves.idx"], name=op.f("fk_policies_leaf")),
        sa.PrimaryKeyConstraint("dataset", "seq", name=op.f("pk_policies")),
        sa.UniqueConstraint("id", name=op.f("uq_policies_id")),
    )
    op.create_table(
        "registry_statements",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("accepted", sa.Text(), nullable=False),
        sa.Column("leaf", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["leaf"], ["leaves.idx"], name=op.f("fk_registry_statements_leaf")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_registry_statements")),
        sa.UniqueConstraint("id", name=op.f("uq_registry_statements_id")),
    )
    op.create_table(
        "versions",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("policy_seq", sa.Integer(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=True),
        sa.Column("accepted", sa.Text(), nullable=False),
        sa.Column("leaf", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset", "policy_seq"], ["policies.dataset", "policies.seq"], name=op.f("fk_versions_dataset")
        ),
        sa.ForeignKeyConstraint(["leaf"], ["leaves.idx"], name=op.f("fk_versions_leaf")),
        sa.PrimaryKeyConstraint("dataset", "seq", name=op.f("pk_versions")),
        sa.UniqueConstraint("id", name=op.f("uq_versions_id")),
    )
    op.create_table(
        "acknowledgements",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("accepted", sa.Text(), nullable=False),
        sa.Column("leaf", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["leaf"], ["leaves.idx"], name=op.f("fk_acknowledgements_leaf")),
        sa.ForeignKeyConstraint(["version"], ["versions.id"], name=op.f("fk_acknowledgements_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acknowledgements")),
        sa.UniqueConstraint("partner", "node", "version", name=op.f("uq_acknowledgements_partner")),
    )
    op.create_table(
        "deliveries",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("leaf", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["leaf"], ["leaves.idx"], name=op.f("fk_deliveries_leaf")),
        sa.ForeignKeyConstraint(["version"], ["versions.id"], name=op.f("fk_deliveries_version")),
        sa.PrimaryKeyConstraint("partner", "version", name=op.f("pk_deliveries")),
    )
    op.execute('INSERT INTO revision (one, "any", visible) VALUES (1, 0, 0)')
