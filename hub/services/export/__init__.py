"""Evidence that leaves the hub as a bundle (docs/formats/bundle.md). `ExportService` is its face."""

from hub.services.export.plan import ExportPlan
from hub.services.export.service import Exported, ExportService

__all__ = ["ExportPlan", "ExportService", "Exported"]
