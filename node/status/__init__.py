"""How the node is doing: one report, kept in a file, read by anybody at any time.

Whoever works (the daemon, or a command that holds the lock) keeps a `StatusBoard`, which writes
`<state_dir>/status.json` by one rename after each change: a reader sees one consistent report, also while a
transfer runs and when nothing runs at all. `syncline-node status` reads the file and contacts nobody; the
same JSON, with what concerns the reader's own machine left out, is what `ReportStatus` sends. Its keys are
in docs/formats/status.md.

    board = StatusBoard(state_dir, facts, clock.now)
    board.published("la-dgm/geology-1m", state="published", seq=3)
    report = read_report(state_dir)             # in any process
"""

from node.status.board import StatusBoard, empty_report, reconcile
from node.status.file import FILE_NAME, load_report, read_report, report_path
from node.status.model import (
    DISK,
    FORMAT,
    MEMBERSHIP,
    AlarmStatus,
    DiskStatus,
    Fault,
    FootprintStatus,
    HubStatus,
    LastError,
    MirrorStatus,
    PublishedStatus,
    Source,
    StatusReport,
    TransferStatus,
    WatchStatus,
    WitnessStatus,
)

__all__ = [
    "DISK",
    "FILE_NAME",
    "FORMAT",
    "MEMBERSHIP",
    "AlarmStatus",
    "DiskStatus",
    "Fault",
    "FootprintStatus",
    "HubStatus",
    "LastError",
    "MirrorStatus",
    "PublishedStatus",
    "Source",
    "StatusBoard",
    "StatusReport",
    "TransferStatus",
    "WatchStatus",
    "WitnessStatus",
    "empty_report",
    "load_report",
    "read_report",
    "reconcile",
    "report_path",
]
