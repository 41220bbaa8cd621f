"""Who is in sync, who is late, what is stuck; the worst first."""

from core.names import PartnerId
from hub.config import HubSettings
from hub.overview.model import FleetView, PartnerView
from hub.services.hub import Hub


class FleetReader:
    """Answers `fleet` and `partner`. Thread-safe."""

    def __init__(self, hub: Hub, settings: HubSettings) -> None:
        self._hub = hub
        self._settings = settings

    def view(self) -> FleetView:
        """Every partner and node."""
        raise NotImplementedError

    def partner(self, partner: PartnerId) -> PartnerView:
        """One partner. Raises `InvalidInput` (NO_SUCH_PARTNER)."""
        raise NotImplementedError
