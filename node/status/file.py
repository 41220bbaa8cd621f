"""The report's file: `<state_dir>/status.json`, one rename after each change, read by anybody at any time.

report = read_report(state_dir)             # in any process; None when there is none
"""

from pathlib import Path

from pydantic import ValidationError

from core.errors import Corrupt, Denied, SynclineError, Unavailable
from core.logs import get_logger
from node.status.model import StatusReport

FILE_NAME = "status.json"

log = get_logger("node.status")


def report_path(state_dir: Path) -> Path:
    """Where the report of `state_dir` stands."""
    return state_dir / FILE_NAME


def read_report(state_dir: Path) -> StatusReport | None:
    """The report as it was last written; None when there is none.

    Raises `Corrupt` when it is not one, `Denied` or `Unavailable` when it cannot be read.
    """
    path = report_path(state_dir)
    try:
        return StatusReport.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise Denied(
            f"{path} may not be read", remedy="run this command as the user that runs syncline-node"
        ) from error
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read: {error.strerror}", remedy="check the disk of [node] state_dir"
        ) from error
    except ValidationError as error:
        raise Corrupt(
            f"the status file {path} is damaged: it holds no report",
            remedy="nothing is lost: the next syncline-node sync, or the daemon, writes it anew",
            reason="STATUS_DAMAGED",
        ) from error


def load_report(state_dir: Path) -> StatusReport | None:
    """The report as it was last written; None when there is none that can be read."""
    try:
        return read_report(state_dir)
    except SynclineError as error:
        log.warning(error.message, remedy=error.remedy)
        return None
