"""The tables, and the head of their migrations.

Statements are kept as the bytes that were signed; columns beside them are for finding them. Instants are
text as `core.clock.format_instant` writes it; ids are hex SHA-256 of a payload. A change here needs a
migration in `hub/storage/migrations/versions` and a new `HEAD`; a test compares both.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

#: The migration that this release writes and reads.
HEAD = "0004"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: One row: who this hub serves.
federation = Table(
    "federation",
    metadata,
    Column("one", Integer, CheckConstraint("one = 1", name="single"), primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("enrol_address", Text, nullable=False),
    Column("created", Text, nullable=False),
)

#: One row: `any` grows with every write, `visible` with those that may change what some partner sees.
revision = Table(
    "revision",
    metadata,
    Column("one", Integer, CheckConstraint("one = 1", name="single"), primary_key=True, autoincrement=False),
    Column("any", Integer, nullable=False),
    Column("visible", Integer, nullable=False),
)

registry_statements = Table(
    "registry_statements",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    Column("envelope", LargeBinary, nullable=False),
    Column("accepted", Text, nullable=False),
    Column("leaf", Integer, ForeignKey("leaves.idx"), nullable=False),
)

#: Invitations and what became of them; `state` as in `hub.services.enrolment.Enrolment`.
enrolments = Table(
    "enrolments",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("names", Text, nullable=False),
    Column("token_sha256", Text, nullable=False, unique=True),
    Column("registry_sha256", Text, nullable=False),
    Column("invited", Text, nullable=False),
    Column("expires", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("replace", Boolean, nullable=False),
    Column("approve_on_join", Boolean, nullable=False),
    Column("joined", Text),
    Column("join_sha256", Text, unique=True),
    Column("join_envelope", LargeBinary),
    Column("csr_der", LargeBinary),
    Column("signing_key", Text),
    Column("witness_key", Text),
    Index("ix_enrolments_partner", "partner", "node"),
    Index("ix_enrolments_joined", "partner", "node", "joined"),
)

#: TLS certificates that were issued, by the digest of the key that they certify.
certificates = Table(
    "certificates",
    metadata,
    Column("tls_key_sha256", Text, primary_key=True),
    Column("enrolment", Integer, ForeignKey("enrolments.number"), nullable=False),
    Column("pem", LargeBinary, nullable=False),
    Column("issued", Text, nullable=False),
    Column("expires", Text, nullable=False),
    Index("ix_certificates_enrolment", "enrolment"),
)

#: Suspensions by the hub itself; they need no administrator.
suspensions = Table(
    "suspensions",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("since", Text, nullable=False),
)

#: Acts that wait for the administrators' signatures (`done` is null), or did. `detail`: JSON, by kind.
pending_acts = Table(
    "pending_acts",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("partner", Text),
    Column("enrolment", Integer, ForeignKey("enrolments.number")),
    Column("created", Text, nullable=False),
    Column("done", Text),
    Column("detail", Text),
)

#: The one node that publishes a dataset: the first that did.
datasets = Table(
    "datasets",
    metadata,
    Column("dataset", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("node", Text, nullable=False),
)

policies = Table(
    "policies",
    metadata,
    Column("dataset", Text, ForeignKey("datasets.dataset"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    Column("envelope", LargeBinary, nullable=False),
    Column("disclosures", LargeBinary, nullable=False),
    Column("accepted", Text, nullable=False),
    Column("leaf", Integer, ForeignKey("leaves.idx"), nullable=False),
)

#: `root` is null while the bytes are withheld.
versions = Table(
    "versions",
    metadata,
    Column("dataset", Text, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    Column("envelope", LargeBinary, nullable=False),
    Column("title", Text, nullable=False),
    Column("files", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("policy_seq", Integer, nullable=False),
    Column("root", LargeBinary),
    Column("accepted", Text, nullable=False),
    Column("leaf", Integer, ForeignKey("leaves.idx"), nullable=False),
    ForeignKeyConstraint(["dataset", "policy_seq"], ["policies.dataset", "policies.seq"]),
)

#: The first delivery of a version to a partner; its leaf precedes the first byte.
deliveries = Table(
    "deliveries",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("version", Text, ForeignKey("versions.id"), primary_key=True),
    Column("leaf", Integer, ForeignKey("leaves.idx"), nullable=False),
    Index("ix_deliveries_version", "version"),
)

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("id", Text, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("version", Text, ForeignKey("versions.id"), nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("accepted", Text, nullable=False),
    Column("leaf", Integer, ForeignKey("leaves.idx"), nullable=False),
    UniqueConstraint("partner", "node", "version"),
    Index("ix_acknowledgements_leaf", "leaf"),
    Index("ix_acknowledgements_version", "version", "partner"),
)

#: Each node's newest report; `revision` is the database's `any` when it came: readers fetch what is new.
status_reports = Table(
    "status_reports",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("time", Text, nullable=False),
    Column("report", LargeBinary, nullable=False),
    Column("revision", Integer, nullable=False, server_default="0"),
    Index("ix_status_reports_revision", "revision"),
)

#: The log: leaf bytes and, for commitments, the opening. `lane_*` place a record in its owner's lane;
#: `actor`, `time` and `object` are the record's, for finding it.
leaves = Table(
    "leaves",
    metadata,
    Column("idx", Integer, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("type", Text, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("nonce", LargeBinary),
    Column("lane_owner", Text),
    Column("lane_n", Integer),
    Column("lane_commitment", Text),
    Column("lane_salt", LargeBinary),
    Column("actor", Text),
    Column("time", Text),
    Column("object", Text),
    UniqueConstraint("lane_owner", "lane_n"),
    Index("ix_leaves_object", "object", "idx"),
    Index("ix_leaves_actor", "actor", "idx"),
    Index("ix_leaves_type", "type", "idx"),
)

#: The tree over the leaves: up to 256 hashes of 32 bytes a row, laid out as C2SP tlog-tiles. Only the last
#: tile of a level is partial, and grows; the last of level 0 says how large the tree is.
log_tiles = Table(
    "log_tiles",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

#: What the log's key has signed, before anybody saw it; one checkpoint a size, for ever.
log_checkpoints = Table(
    "log_checkpoints",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("made", Text, nullable=False),
)

#: Witnesses' cosignatures of checkpoints: each one's newest (`last`), and for some hours those before.
#: `signature` is what follows the key id in a note.
log_cosignatures = Table(
    "log_cosignatures",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("partner", Text, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("key", LargeBinary, nullable=False),
    Column("key_id", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("time", Text, nullable=False),
    Column("last", Boolean, nullable=False),
    ForeignKeyConstraint(["origin", "size"], ["log_checkpoints.origin", "log_checkpoints.size"]),
    Index("ix_log_cosignatures_last", "origin", "last"),
    Index("ix_log_cosignatures_partner", "origin", "partner", "node", "size"),
)

#: Refused calls, counted by the period that begins at `since`; `partner` is empty where it is not known.
refusals = Table(
    "refusals",
    metadata,
    Column("since", Text, primary_key=True),
    Column("partner", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("count", Integer, nullable=False),
)

#: The periods whose refusals are in the log; `leaf` is null in the first row, where counting began.
refusal_periods = Table(
    "refusal_periods",
    metadata,
    Column("until", Text, primary_key=True),
    Column("leaf", Integer, ForeignKey("leaves.idx")),
)

#: Alarms that nodes reported, each logged once.
alarms = Table(
    "alarms",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("since", Text),
    Column("reported", Text, nullable=False),
    Column("leaf", Integer, ForeignKey("leaves.idx"), nullable=False),
)

#: What the operator said to an alarm.
alarm_acknowledgements = Table(
    "alarm_acknowledgements",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("user", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("time", Text, nullable=False),
    Column("leaf", Integer, ForeignKey("leaves.idx"), nullable=False),
    ForeignKeyConstraint(["partner", "node", "id"], ["alarms.partner", "alarms.node", "alarms.id"]),
)

#: What a publishing node says of a dataset beside its versions; `footprint` and `period` are JSON.
dataset_facts = Table(
    "dataset_facts",
    metadata,
    Column("dataset", Text, primary_key=True),
    Column("time", Text, nullable=False),
    Column("update_frequency", Text),
    Column("next_update", Text),
    Column("footprint", Text),
    Column("period", Text),
    Column("revision", Integer, nullable=False, server_default="0"),
    Index("ix_dataset_facts_revision", "revision"),
)

#: How a node stood, some times an hour, for the lines on the pages. `bytes_left` and `lag_s` null: not known.
node_samples = Table(
    "node_samples",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("time", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("bytes_left", Integer),
    Column("rate_bytes_s", Integer),
    Column("lag_s", Integer),
    Index("ix_node_samples_time", "time"),
)

#: How much is stored, day by day. Of an owner's chunks: `used_bytes` as the quota counts them (uncompressed),
#: `disk_bytes` and `packs` on the disk. `owner` empty: the whole directory, as on the disk, hour by hour.
storage_samples = Table(
    "storage_samples",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("time", Text, primary_key=True),
    Column("used_bytes", Integer, nullable=False),
    Column("disk_bytes", Integer, nullable=False),
    Column("packs", Integer, nullable=False),
    Column("free_bytes", Integer),
)

#: Content that moves now, or did a moment ago: one row a call's stream, replaced while it runs.
transfers = Table(
    "transfers",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("dataset", Text),
    Column("direction", Text, nullable=False),
    Column("started", Text, nullable=False),
    Column("seen", Text, nullable=False),
    Column("bytes_done", Integer, nullable=False),
    Column("rate_bytes_s", Integer, nullable=False),
    Column("ended", Text),
)

#: What happened beside the log, for the operator: a node that went silent, a login refused, an alert sent.
#: `kind` is a word of `hub.overview.wording`, `detail` a JSON object with what it needs.
events = Table(
    "events",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("time", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("partner", Text),
    Column("node", Text),
    Column("dataset", Text),
    Column("user", Text),
    Column("detail", Text, nullable=False),
    Index("ix_events_time", "time"),
    Index("ix_events_kind", "kind", "number"),
    Index("ix_events_partner", "partner", "number"),
    Index("ix_events_dataset", "dataset", "number"),
)

#: Alerts that are open (`over` is null) or were; `key` says rule and subject.
alerts = Table(
    "alerts",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("key", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("seen", Text, nullable=False),
    Column("told", Text),
    Column("told_count", Integer, nullable=False),
    Column("over", Text),
    Column("over_told", Text),
    Column("detail", Text, nullable=False),
    Index("ix_alerts_key", "key"),
    Index("ix_alerts_over", "over"),
)

#: Messages of alerts that go out, one row a channel; `done` null: still to be taken. `letter` is the same for
#: all channels and attempts, so that what arrives twice is seen to be one; `content`: JSON.
alert_letters = Table(
    "alert_letters",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("letter", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try", Text, nullable=False),
    Column("done", Text),
    Column("outcome", Text),
    Column("problem", Text),
    UniqueConstraint("letter", "channel"),
    Index("ix_alert_letters_done", "done"),
    Index("ix_alert_letters_created", "created"),
)

#: Who may look at the pages, and act. `roles`: words with commas between; `locked_until` after failures.
users = Table(
    "users",
    metadata,
    Column("name", Text, primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("changed", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("locked_until", Text),
)

#: Who is signed in: the digest of the cookie, never the cookie.
sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", Text, primary_key=True),
    Column("user", Text, ForeignKey("users.name"), nullable=False),
    Column("csrf", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("seen", Text, nullable=False),
    Column("expires", Text, nullable=False),
    Index("ix_sessions_user", "user"),
)

#: Browsers in which a user has signed in before, with a lock-out of their own: the digest of a cookie.
known_browsers = Table(
    "known_browsers",
    metadata,
    Column("token_sha256", Text, primary_key=True),
    Column("user", Text, ForeignKey("users.name"), primary_key=True),
    Column("seen", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("locked_until", Text),
    Index("ix_known_browsers_user", "user"),
)

#: Acts that one person asked for and another must confirm; `outcome` null: waits. `detail`: JSON, by act.
act_requests = Table(
    "act_requests",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("act", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked", Text, nullable=False),
    Column("decided_by", Text),
    Column("decided", Text),
    Column("outcome", Text),
    Column("problem", Text),
)

#: Nodes that left by their own word, and partners none of whose nodes is left (`node` empty).
departures = Table(
    "departures",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("time", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("leaf", Integer, ForeignKey("leaves.idx"), nullable=False),
)

#: Backups that were made and verified. `log_size`: leaves that it holds.
backups = Table(
    "backups",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("time", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("snapshot", Text, nullable=False),
    Column("bytes_added", Integer, nullable=False),
    Column("bytes_total", Integer, nullable=False),
    Column("log_size", Integer, nullable=False),
)
