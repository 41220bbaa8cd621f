"""The transparency log: tree, checkpoints, proofs, entries, witnesses. `LogService` is its face."""

from hub.services.log.service import LogService, LogStatus

__all__ = ["LogService", "LogStatus"]
