"""One hub with all its services: for the server, the operator's commands beside it, and the simulation.

`Hub.found` is what `init` does; `Hub.open` never makes anything but missing schema migrations.

    Hub.found(layout, federation, administrators=[key], clock=clock)
    with Hub.open(layout, clock=clock) as hub:
        hub.info(caller)
        hub.catalogue.commit_version(caller, envelope, root)
"""

from collections.abc import Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Self

import sqlalchemy as sa
from cryptography import x509

from core.clock import Clock
from core.errors import Corrupt, InvalidInput
from core.limits import LIMITS, Limits
from hub.layout import Layout
from hub.services import founding
from hub.services.act_requests import ActRequests
from hub.services.alarm_desk import AlarmDesk
from hub.services.auditors import AuditorService
from hub.services.catalogue import CatalogueService
from hub.services.changes import ChangesService
from hub.services.content import ContentService
from hub.services.context import AdministratorKeys, Caller, Context, Federation, Quotas
from hub.services.departures import DepartureService
from hub.services.enrolment import EnrolmentService
from hub.services.events import EventJournal
from hub.services.export import ExportService
from hub.services.fleet import FleetService
from hub.services.fsck import FsckService
from hub.services.log import LogService
from hub.services.log.receipts import Receipts
from hub.services.log_continuation import LogContinuation
from hub.services.registry import RegistryService
from hub.services.retention import RetentionService
from hub.services.rotation import RotationService
from hub.services.sessions import SessionService
from hub.services.sharing import SharingService
from hub.services.storage_samples import StorageSampler
from hub.services.transfer_board import TransferBoard
from hub.services.translog import TransparencyLog
from hub.services.users import UserService
from hub.storage import schema
from hub.storage.database import Database
from hub.storage.stores import OpenStore, OwnerStores
from security.certificates import CertificateAuthority
from security.keys import Signer
from security.keystore import load_tls_key
from sync.ports import HubInfo
from sync.stores.packs import PackStore


def no_keys() -> Sequence[Signer]:
    """The administrators' keys are elsewhere."""
    return ()


class Hub:
    """All services over one hub directory. Thread-safe; `close` when done."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.federation = context.federation
        self.events = EventJournal(context)
        self.translog = TransparencyLog(context)
        self.registry = RegistryService(context, self.translog)
        self.sharing = SharingService(context, self.registry)
        self.auditors = AuditorService(context, self.registry, self.translog)
        self.rotation = RotationService(context, self.registry, self.translog)
        self.departures = DepartureService(context, self.registry, self.translog)
        self.enrolment = EnrolmentService(context, self.registry, self.translog)
        self.log = LogService(context, self.registry, self.sharing, self.translog)
        self.log_continuation = LogContinuation(context, self.registry, self.translog)
        receipts = Receipts(context, self.registry)
        self.catalogue = CatalogueService(context, self.registry, self.sharing, self.translog, receipts)
        self.transfers = TransferBoard(context)
        self.content = ContentService(context, self.registry, self.sharing, self.translog, self.transfers)
        self.changes = ChangesService(context, self.registry, self.sharing)
        self.fleet = FleetService(context, self.registry, self.translog, self.events)
        self.export = ExportService(
            context, self.registry, self.sharing, self.auditors, self.translog, self.log
        )
        self.fsck = FsckService(context)
        self.storage_samples = StorageSampler(context)
        self.retention = RetentionService(context)
        self.users = UserService(context, self.translog, self.log.refused, self.events)
        self.sessions = SessionService(context, self.users)
        self.act_requests = ActRequests(context, self.translog)
        self.alarm_desk = AlarmDesk(context, self.translog)

    @property
    def context(self) -> Context:
        """Database, clock, limits: for what reads them directly (`hub.overview`)."""
        return self._context

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
        """Make a federation: CA, the hub's keys and certificate, first registry, empty database and store.

        Does not write `hub.toml` nor the administrators' keys. Raises `Conflict` when there is a hub
        already.
        """
        database, registry = founding.found(
            layout, federation, administrators=administrators, threshold=threshold, clock=clock, limits=limits
        )
        context = _context(layout, federation, database, None, no_keys, clock, limits, PackStore)
        hub = Hub(context)
        try:
            with database.write() as connection:
                hub.registry.append(connection, registry)
        finally:
            hub.close()

    @classmethod
    def open(
        cls,
        layout: Layout,
        *,
        clock: Clock,
        limits: Limits = LIMITS,
        administrator_keys: AdministratorKeys = no_keys,
        federation: Federation | None = None,
        open_store: OpenStore | None = None,
        quotas: Quotas = Quotas(),  # noqa: B008 - frozen
    ) -> Self:
        """Open an existing hub, also beside a running one; applies waiting schema migrations.

        `federation` from the settings, where addresses may have changed since `init`. Raises `InvalidInput`
        when there is no hub, or another federation's; `Conflict` (reason NEWER_SCHEMA) when a newer release
        wrote it.
        """
        database = Database.open(layout.database)
        try:
            stored = _stored_federation(database)
            if federation is not None and federation.id != stored.id:
                raise InvalidInput(
                    f"{layout.directory} belongs to federation {stored.id}, not to {federation.id}",
                    remedy="correct [hub] federation in the settings",
                )
            authority = _authority(layout)
            return cls(
                _context(
                    layout,
                    federation or stored,
                    database,
                    authority,
                    administrator_keys,
                    clock,
                    limits,
                    open_store or partial(PackStore, clock=clock),
                    quotas,
                )
            )
        except BaseException:
            database.close()
            raise

    def info(self, caller: Caller) -> HubInfo:
        """What `GetHubInfo` says to `caller`."""
        limits = self._context.limits
        quota = self._context.quotas.of(caller.partner)
        # Without a quota nobody asks, and counting may read a whole index.
        used = 0 if quota is None else self._context.stores.of(caller.partner).raw_bytes()
        return HubInfo(
            federation=self.federation.id,
            version=software_version(),
            time=self._context.clock.now(),
            registry_seq=self.registry.current().registry.seq,
            frame_bytes_max=limits.frame_bytes_max,
            find_missing_count_max=limits.find_missing_count_max,
            read_ranges_count_max=limits.read_ranges_count_max,
            used_bytes=used,
            quota_bytes=quota,
        )

    def renew_server_certificate(self) -> None:
        """A new key and certificate for the TLS ports; running servers pick them up from the files."""
        if self._context.authority is None:
            raise Corrupt("the certificate authority's key is missing", remedy="restore it from a backup")
        founding.issue_server(
            self._context.layout,
            self._context.authority,
            self.federation,
            self._context.clock,
            self._context.limits,
        )

    def close(self) -> None:
        """Release files. What was acknowledged is durable already."""
        self.changes.stop()
        self.fleet.stop()
        self.retention.stop()
        self.transfers.stop()
        self.log.stop()
        self._context.stores.close()
        self._context.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def software_version() -> str:
    """The installed release."""
    try:
        return version("syncline")
    except PackageNotFoundError:
        return "0"


def _context(
    layout: Layout,
    federation: Federation,
    database: Database,
    authority: CertificateAuthority | None,
    administrator_keys: AdministratorKeys,
    clock: Clock,
    limits: Limits,
    open_store: OpenStore,
    quotas: Quotas = Quotas(),  # noqa: B008 - frozen
) -> Context:
    return Context(
        layout=layout,
        federation=federation,
        database=database,
        stores=OwnerStores(layout, limits, open_store),
        authority=authority,
        administrator_keys=administrator_keys,
        clock=clock,
        limits=limits,
        quotas=quotas,
    )


def _stored_federation(database: Database) -> Federation:
    with database.read() as connection:
        row = connection.execute(sa.select(schema.federation)).one_or_none()
    if row is None:
        raise Corrupt("the hub's database is unfinished", remedy="remove the directory and run `init` again")
    return Federation(row.id, row.address, row.enrol_address)


def _authority(layout: Layout) -> CertificateAuthority | None:
    """The CA, or None where its key was moved away: everything works but new certificates."""
    if not layout.ca_key.exists():
        return None
    try:
        certificate = x509.load_pem_x509_certificate(layout.ca_certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise Corrupt(
            f"{layout.ca_certificate} cannot be read: {error}", remedy="restore it from a backup"
        ) from error
    return CertificateAuthority(load_tls_key(layout.ca_key), certificate)
