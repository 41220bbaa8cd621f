"""`status` for people: the new facts in a few lines, aligned in every script, early warning included."""

from datetime import UTC, datetime

from core.terminal import width
from node.cli.own_lines import updates_text
from node.cli.status_cmd import render
from node.status import DiskStatus, LastError, PublishedStatus, StatusReport, TransferStatus, WatchStatus

GB = 1_000_000_000
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
REPORT = StatusReport(
    partner="la-dgm",
    node="main",
    version="1",
    time="2026-11-22T12:00:00Z",
    daemon_running=True,
    started="2026-11-22T11:00:00Z",
    disks=(
        DiskStatus(name="state", free_bytes=71 * GB, total_bytes=100 * GB),
        DiskStatus(name="mirror 1", free_bytes=40 * GB, total_bytes=100 * GB, days_left=3.2),
    ),
    watch=WatchStatus(mode="scan only", last_full_scan="2026-11-22T11:59:00Z", note="la-dgm/maps: by nfs"),
    transfer=TransferStatus(up_bytes_s=1_200_000),
    publish=(
        PublishedStatus(
            dataset="la-dgm/maps",
            state="published",
            seq=3,
            files=4,
            bytes=5_000_000,
            bytes_left=2_000_000,
            rate_bytes_s=1_200_000,
            last_version="2026-01-01T00:00:00Z",
            update_frequency="monthly",
        ),
        PublishedStatus(dataset="la-dgm/x", attention=("held: ແຜນທີ່/地质图.tif: ที่ดิน",)),
    ),
    last_error=LastError(
        branch="Unavailable",
        reason="X",
        message="nobody answers",
        remedy="wait",
        since="2026-11-22T10:00:00Z",
        about="hub",
        cleared="2026-11-22T10:05:00Z",
    ),
)


def test_what_is_new_is_told_in_a_few_lines():
    shown = render(REPORT)
    for line in (
        "disks: "
        + "; ".join(
            (
                "state 71.0 GB free of 100.0 GB (71 %)",
                "mirror 1 40.0 GB free of 100.0 GB (40 %, full in about 3 days)",
            )
        ),
        "changes are noticed by scans only, all compared since 2026-11-22T11:59:00Z (la-dgm/maps: by nfs)",
        "moving: 1.2 MB/s up, 0 B/s down",
        "last error, over since 2026-11-22T10:05:00Z: hub: nobody answers",
        "disk mirror 1: 40.0 GB free of 100.0 GB (40 %, full in about 3 days)",
    ):
        assert line in shown.splitlines(), line
    assert "2.0 MB at 1.2 MB/s" in shown
    assert "held: ແຜນທີ່/地质图.tif: ที่ดิน" in shown


def test_a_node_that_has_nothing_to_tell_tells_nothing():
    shown = render(StatusReport(partner="la-dgm", node="main", version="1", time="t"))
    assert not any(word in shown for word in ("disk", "moving", "last error", "noticed"))


def test_columns_stay_aligned_whatever_the_script():
    rows = tuple(
        PublishedStatus(dataset="la-dgm/maps", state=state, seq=3, files=4, bytes=5)
        for state in ("published", "ແຜນທີ່ທໍລະນີສາດ", "แผนที่ธรณี", "地质图")
    )
    lines = render(REPORT.model_copy(update={"publish": rows})).split("\n\n")[1].splitlines()
    places = {width(line[: line.index(" 5 B")]) for line in lines[1:]}
    assert len(lines) == 5 and len(places) == 1


def test_the_rhythm_says_what_became_of_it():
    row = REPORT.publish[0]
    assert updates_text(row, NOW) == "monthly: late, due 2026-02-01"
    fresh = row.model_copy(update={"last_version": "2026-11-20T00:00:00Z"})
    assert updates_text(fresh, NOW) == "monthly: fresh"
    assert updates_text(row.model_copy(update={"update_frequency": "unknown"}), NOW) == "unknown"
    assert updates_text(row.model_copy(update={"update_frequency": None}), NOW) is None
    assert updates_text(row.model_copy(update={"last_version": None}), NOW) == "monthly"
