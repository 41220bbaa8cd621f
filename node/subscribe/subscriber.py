"""The subscriber's pass over all subscriptions; one dataset's failure never stops the others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from core.clock import Clock
from core.limits import LIMITS, Limits
from core.names import NodeName, PartnerId
from core.progress import NullProgress, Progress
from node.subscribe.outcome import MirrorOutcome
from node.trust import TrustStore
from security.keys import Signer
from sync.ports import HubApi, Listing


class Subscription(Protocol):
    """A `[[subscribe]]` table: `dataset` is a pattern over dataset ids (`cn-cgs/*`)."""

    @property
    def dataset(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def keep(self) -> int | None: ...
    @property
    def max_bytes(self) -> int | None: ...


class Subscriber:
    """Brings mirrors to what the listing names. Not thread-safe; one pass at a time."""

    def __init__(
        self,
        *,
        subscriptions: Sequence[Subscription],
        partner: PartnerId,
        node: NodeName,
        state_dir: Path,
        state: object,
        trust: TrustStore,
        hub: HubApi,
        signer: Signer,
        clock: Clock,
        limits: Limits = LIMITS,
        progress: Progress | None = None,
    ) -> None:
        self._progress = progress or NullProgress()
        raise NotImplementedError

    def sync(self, listing: Listing) -> list[MirrorOutcome]:
        """One pass: every dataset of the listing that a subscription names, and every mirror that exists."""
        raise NotImplementedError
