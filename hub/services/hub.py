"""One hub, all its services: opened by the server, by the operator's commands beside it, and by the simulation.

    Hub.found(layout, federation, administrators=[key], clock=clock)       # `init`: CA, keys, first registry, database
    with Hub.open(layout, clock=clock) as hub:
        hub.info()
        hub.catalogue.commit_version(caller, envelope, root)
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from core.clock import Clock
from core.limits import LIMITS, Limits
from hub.layout import Layout
from hub.services.catalogue import CatalogueService
from hub.services.changes import ChangesService
from hub.services.content import ContentService
from hub.services.context import AdministratorKeys, Context, Federation
from hub.services.enrolment import EnrolmentService
from hub.services.fleet import FleetService
from hub.services.fsck import FsckService
from hub.services.registry import RegistryService
from hub.services.sharing import SharingService
from hub.services.translog import TransparencyLog
from security.keys import Signer
from sync.ports import HubInfo


def no_keys() -> Sequence[Signer]:
    """The administrators' keys are elsewhere."""
    return ()


class Hub:
    """All services over one hub directory. Thread-safe; `close` when done."""

    federation: Federation
    sharing: SharingService
    registry: RegistryService
    enrolment: EnrolmentService
    catalogue: CatalogueService
    content: ContentService
    changes: ChangesService
    fleet: FleetService
    translog: TransparencyLog
    fsck: FsckService

    def __init__(self, context: Context) -> None:
        raise NotImplementedError

    @staticmethod
    def found(
        layout: Layout,
        federation: Federation,
        *,
        administrators: Sequence[Signer],
        threshold: int = 1,
        clock: Clock,
        limits: Limits = LIMITS,
    ) -> None:
        """Make a federation: CA, the hub's, log's and server's keys, first registry, empty database and store.

        Does not write `hub.toml` nor the administrators' keys. Raises `Conflict` when there is a hub already.
        """
        raise NotImplementedError

    @classmethod
    def open(
        cls,
        layout: Layout,
        *,
        clock: Clock,
        limits: Limits = LIMITS,
        administrator_keys: AdministratorKeys = no_keys,
    ) -> Self:
        """Open an existing hub; applies waiting schema migrations. Also beside a running hub (the operator's commands).

        Raises `InvalidInput` when there is none, `Conflict` (reason NEWER_SCHEMA) when a newer release wrote it.
        """
        raise NotImplementedError

    def info(self) -> HubInfo:
        """What `GetHubInfo` says."""
        raise NotImplementedError

    def close(self) -> None:
        """Release files. What was acknowledged is durable already."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
