"""How each node is doing, by its own word: the newest report of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.names import NodeName, PartnerId
from hub.services.context import Caller, Context
from hub.services.registry import RegistryService


@dataclass(frozen=True, slots=True)
class NodeReport:
    """A node's newest report."""

    partner: PartnerId
    node: NodeName
    time: datetime
    status: Mapping[str, Any]


class FleetService:
    """The nodes' reports."""

    def __init__(self, context: Context, registry: RegistryService) -> None:
        raise NotImplementedError

    def report_status(self, caller: Caller, status_json: bytes) -> datetime:
        """Keep a report (a JSON object of at most `status_bytes_max`); the hub's time."""
        raise NotImplementedError

    def reports(self) -> list[NodeReport]:
        """The newest report of each node, by partner and node."""
        raise NotImplementedError
