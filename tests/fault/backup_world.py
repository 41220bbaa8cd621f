"""A hub with one backup, opened by process after process in the same folder."""

from datetime import timedelta
from pathlib import Path

from core.clock import format_instant, parse_instant
from tests.simulation.clock import ManualClock
from tests.simulation.federation import publish
from tests.unit.hub_backup.backing import Backed, packs


def prepared(folder: Path) -> Path:
    """Make it; the folder can be copied."""
    folder.mkdir()
    backed = Backed(folder)
    publish(backed.federation, "la-dgm", "geo", {"a": bytes(range(251)) * 300}, read=["th-dmr"])
    backed.federation.hub.log.make_checkpoint(force=True)
    backed.backup()
    (folder / "now").write_text(format_instant(backed.federation.clock.now()))
    backed.close()
    return folder


def again(folder: Path) -> Backed:
    """The same, opened again where it stands, an hour later each time."""
    moment = parse_instant((folder / "now").read_text()) + timedelta(hours=1)
    (folder / "now").write_text(format_instant(moment))
    return Backed(folder, clock=ManualClock(moment))


def same_packs(backed: Backed, name: str) -> None:
    """What was restored is what the hub has, or had."""
    held = packs(backed.layout.directory)
    for path, data in packs(backed.root / name / "hub").items():
        assert held[path].startswith(data), path
