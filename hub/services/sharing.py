"""Every access decision of the hub, in one place.

Deny by default; the highest accepted policy decides, at the hub's clock, for partners that are active. Who may not
discover a dataset gets one and the same error as for a dataset that does not exist (`not_found`).
"""

from dataclasses import dataclass

from core.errors import Denied
from core.names import DatasetId, PartnerId
from hub.services.context import Caller, Context
from hub.services.registry import RegistryService
from security.policy import Decision
from sync.ports import DatasetEntry, Explanation


def not_found() -> Denied:
    """The one answer for what does not exist and for what the caller may not know of."""
    return Denied(
        "no such dataset or version, or it is not shared with you",
        remedy="check the name; ask its owner for a rule that names your agency",
        reason="NOT_FOUND",
    )


@dataclass(frozen=True, slots=True)
class View:
    """All that one partner may discover, with the etag of exactly this."""

    entries: tuple[DatasetEntry, ...]
    etag: str


class SharingService:
    """Who may discover and read what, now."""

    def __init__(self, context: Context, registry: RegistryService) -> None:
        raise NotImplementedError

    def decide(self, partner: PartnerId, dataset: DatasetId, action: str) -> Decision:
        """The decision for an active partner now; deny without a policy. Pure look, no error."""
        raise NotImplementedError

    def require(self, caller: Caller, dataset: DatasetId, action: str) -> Decision:
        """The allowing decision. Raises `Denied`: NOT_FOUND without `discover`, NOT_GRANTED with `discover` alone."""
        raise NotImplementedError

    def view(self, partner: PartnerId) -> View:
        """What the partner may discover now, by dataset id; its own always."""
        raise NotImplementedError

    def explain(self, caller: Caller, dataset: DatasetId, partner: PartnerId, action: str) -> Explanation:
        """A decision in words; about others only for the owner. Raises `Denied` (NOT_FOUND), `InvalidInput`."""
        raise NotImplementedError
