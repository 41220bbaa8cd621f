"""Every bound of the system, with the relations between them asserted.

Units stand last in the name (`_bytes`, `_s`, `_count`). `LIMITS` is what production uses; tests
build a smaller `Limits(...)` and pass it in, so that boundaries are reached in milliseconds:

    small = Limits(frame_bytes_max=4096, chunk_bytes_min=64, chunk_bytes_avg=256, chunk_bytes_max=1024)

What exceeds a bound gets a clear `InvalidInput`, never a truncation.
"""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
TIB = 1024 * GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds. Frozen; relations are checked on construction (`AssertionError` on nonsense)."""

    # Wire
    message_bytes_max: int = 4 * MIB  # gRPC's own default for received messages
    frame_bytes_max: int = 1 * MIB  # one frame of chunks, headers included
    frames_in_flight_max: int = 32  # a sender stops when this many frames are unacknowledged
    page_count_max: int = 500
    find_missing_count_max: int = 16_384  # chunk ids in one question (32 bytes each)
    read_ranges_count_max: int = 8_192  # ordinal ranges in one ReadBlobs
    keepalive_s: float = 30.0
    call_timeout_s: float = 60.0
    progress_timeout_s: float = 120.0  # a stream without a byte or an ack for this long is broken

    # Chunks (FastCDC, normalisation 2)
    chunk_bytes_min: int = 16 * KIB
    chunk_bytes_avg: int = 64 * KIB
    chunk_bytes_max: int = 256 * KIB

    # Packs
    pack_bytes_max: int = 1 * GIB
    group_commit_bytes: int = 64 * MIB  # bytes written between two fsyncs at the most
    group_commit_s: float = 0.25

    # Statements
    payload_bytes_max: int = 1 * MIB  # a manifest, policy or registry payload
    envelope_bytes_max: int = 2 * MIB
    signatures_count_max: int = 64  # in one envelope; every signer gives two
    registry_payload_bytes_max: int = 6_050 * KIB  # 1,000 partners: two names, two nodes of 2.8 kB each
    registry_envelope_bytes_max: int = 8_150 * KIB
    json_depth_max: int = 32
    rules_count_max: int = 5_000
    languages_count_max: int = 64
    text_bytes_max: int = 4 * KIB  # one title, name or attribution
    root_bytes_max: int = 2 * MIB  # the recipe's root: chunk lists of its three streams

    # Datasets
    files_count_max: int = 1_000_000
    dataset_bytes_max: int = 4 * TIB
    path_bytes_max: int = 1_024
    path_component_bytes_max: int = 255
    path_depth_max: int = 64

    # Trust
    join_file_bytes_max: int = 256 * KIB
    token_valid_s: int = 24 * 3600
    certificate_valid_s: int = 14 * 24 * 3600
    certificate_backdate_s: int = 3600
    registry_valid_s: int = 90 * 24 * 3600
    registry_renew_after_s: int = 30 * 24 * 3600
    clock_offset_warn_s: int = 300
    reauthorise_s: float = 1.0  # open streams look up their caller again this often
    partners_count_max: int = 1_000

    # Log
    entries_count_max: int = 50_000  # leaves in one answer, 33 bytes each, openings beside
    note_bytes_max: int = 512 * KIB  # a checkpoint with the cosignatures of 1,000 partners' nodes
    note_signatures_count_max: int = 4_000
    checkpoint_every_s: float = 1.0  # while there is something new, not more often
    refusals_every_s: int = 3600  # one leaf counts them, so that the log grows at least this often
    checkpoint_wait_s: float = 10.0  # how long a call waits for a checkpoint that covers it
    witness_seen_s: int = 30 * 24 * 3600  # who cosigned within this counts among the n witnesses
    cosignature_valid_s: int = 24 * 3600
    log_frozen_s: int = 3 * 3600  # a hub that answers and whose log did not grow for so long is an alarm

    # Bundles
    bundle_files_count_max: int = 2_000_000
    bundle_records_count_max: int = 1_000_000

    # Hub
    upload_retention_s: int = 7 * 24 * 3600  # chunks of no committed version live this long
    status_bytes_max: int = 256 * KIB
    streams_per_node_max: int = 16
    disk_reserve_bytes: int = 256 * MIB  # stop before the disk is full

    # The operator's view
    report_commit_every_s: float = 1.0  # reports that come meanwhile share one commit
    report_every_min_s: float = 1.0  # a node may report this often, and somewhat more for a moment
    reports_burst_max: int = 30
    reports_missed_max: int = 3  # a node that has not reported for so many turns is silent
    stuck_s: int = 1800  # something to do and no byte moved for so long
    sample_every_s: int = 600  # a node's line: one point
    samples_keep_s: int = 14 * 24 * 3600
    events_keep_s: int = 180 * 24 * 3600
    events_count_max: int = 200_000
    view_fresh_s: float = (
        1.0  # pages, metrics, alerts may show a state this old; twice, while the next is made
    )
    session_idle_s: int = 2 * 3600
    session_s: int = 12 * 3600
    login_failures_max: int = 5
    login_locked_s: int = 900
    login_failures_of_address_max: int = 20  # within login_locked_s, whatever names were tried
    known_browser_s: int = 180 * 24 * 3600  # a browser in which a user has signed in is known for so long
    request_bytes_max: int = 64 * KIB  # a form of the pages
    streams_of_pages_max: int = 64  # browsers that are told of changes at once
    act_request_valid_s: int = 7 * 24 * 3600  # an act that nobody confirms is over

    # Alerts
    alert_settle_s: int = 120  # what lasts shorter is not told; what arises within it is told together
    alert_over_s: int = 900  # it is over when it has stayed away for so long; longer each time it came back
    alert_reconnect_s: int = 600  # nodes get so long to come back after the hub was away
    alert_letters_per_hour_max: int = 12
    alert_items_count_max: int = 50  # named in one message; the rest is counted
    alert_send_s: float = 30.0  # one attempt, whatever the other side does
    alert_retry_first_s: int = 60
    alert_retry_max_s: int = 3600
    alert_given_up_s: int = 24 * 3600  # a message that nobody takes

    # Node
    settle_s: float = 2.0
    scan_every_s: float = 900.0
    remove_guard: float = 0.20
    retry_first_s: float = 1.0
    retry_max_s: float = 300.0
    mirror_keep_versions: int = 2
    mirror_keep_s: int = 24 * 3600
    report_every_s: float = 60.0
    report_moving_s: float = 10.0  # while content moves
    report_least_s: float = 5.0  # between two reports, whatever happens

    def __post_init__(self) -> None:
        assert 64 <= self.chunk_bytes_min <= self.chunk_bytes_avg <= self.chunk_bytes_max
        assert self.chunk_bytes_max + 1024 <= self.frame_bytes_max, "a frame holds the largest chunk"
        assert self.frame_bytes_max + 1024 <= self.message_bytes_max
        assert self.root_bytes_max + self.envelope_bytes_max + 1024 <= 2 * self.message_bytes_max
        assert self.payload_bytes_max * 4 // 3 + 16 * KIB <= self.envelope_bytes_max
        assert self.registry_payload_bytes_max * 4 // 3 + 16 * KIB <= self.registry_envelope_bytes_max
        assert self.registry_envelope_bytes_max + 1024 <= 2 * self.message_bytes_max, "what a call may hold"
        assert self.find_missing_count_max * 32 + 1024 <= self.message_bytes_max
        assert self.read_ranges_count_max * 20 + 1024 <= self.message_bytes_max
        assert self.path_component_bytes_max <= self.path_bytes_max
        assert self.entries_count_max * 33 + self.note_bytes_max < self.message_bytes_max
        assert self.refusals_every_s < self.log_frozen_s
        assert self.registry_renew_after_s < self.registry_valid_s
        assert self.certificate_backdate_s < self.certificate_valid_s
        assert self.session_idle_s <= self.session_s <= self.known_browser_s
        assert self.login_failures_max < self.login_failures_of_address_max
        assert self.report_every_min_s < self.report_least_s
        assert self.report_every_s * self.reports_missed_max < self.stuck_s
        assert self.sample_every_s < self.samples_keep_s
        assert self.retry_max_s + self.reports_missed_max * self.report_every_s < self.alert_reconnect_s
        assert self.alert_settle_s < self.alert_over_s
        assert self.alert_retry_first_s <= self.alert_retry_max_s < self.alert_given_up_s
        assert self.checkpoint_wait_s < self.call_timeout_s
        assert 0.0 < self.remove_guard <= 1.0


LIMITS = Limits()
