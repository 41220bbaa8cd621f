"""The documents name every key of the report and every metric, and nothing that is not there."""

import re
from pathlib import Path

from pydantic import BaseModel

from node.figures import figures
from node.moving import Meter
from node.status import (
    DiskStatus,
    FootprintStatus,
    LastError,
    MirrorStatus,
    PublishedStatus,
    StatusReport,
    TransferStatus,
    WatchStatus,
    WitnessStatus,
)
from tests.simulation.clock import ManualClock
from tests.unit.node_status.test_metrics import REPORT

DOCS = Path(__file__).resolve().parents[3] / "docs"
MODELS: tuple[type[BaseModel], ...] = (
    StatusReport, PublishedStatus, MirrorStatus, WitnessStatus, DiskStatus, WatchStatus, TransferStatus,
    FootprintStatus, LastError,
)  # fmt: skip


def test_every_key_of_the_report_is_explained():
    text = (DOCS / "formats/status.md").read_text("utf-8")
    missing = [
        f"{model.__name__}.{key}" for model in MODELS for key in model.model_fields if f"`{key}`" not in text
    ]
    assert not missing


def test_every_metric_is_documented_and_every_documented_one_exists():
    text = (DOCS / "operations/node.md").read_text("utf-8")
    part = text[text.index("## Metrics") :].split("\n## ")[0]
    cells = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    instant = "2026-11-22T12:00:00Z"
    whole = REPORT.model_copy(
        update={
            "signing_key_since": instant,
            "certificate_since": instant,
            "registry_expires": instant,
            "watch": WatchStatus(last_full_scan=instant),
            "witness": WitnessStatus(origin="x", size=1, read=1, cosigned=1),
        }
    )
    suffix = {"counter": "_total", "info": "_info"}
    told = {
        each.name.removeprefix("syncline_node_") + suffix.get(each.type, "")
        for each in figures(whole, Meter(ManualClock().monotonic))
    }
    assert named == told
