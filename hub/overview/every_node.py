"""All that every node of an active partner says: for metrics and alerts.

nodes = every_node(overview, overview.fleet())
"""

from core.names import check_partner
from hub.overview.model import FleetView, NodeView
from hub.overview.service import Overview


def every_node(overview: Overview, fleet: FleetView) -> list[NodeView]:
    """The nodes of active partners, in the order of the fleet: the worst partner first."""
    found: list[NodeView] = []
    for line in fleet.partners:
        if line.standing == "active" and line.nodes:
            found += overview.partner(check_partner(line.partner)).nodes
    return found
