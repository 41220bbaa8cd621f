"""What one node's work stands on, opened once: keys, trust, state, report, and the way to the hub.

    with Session.open(settings, passphrase) as session:       # the caller holds the StateLock
        hub = session.hub()                                    # connected when first asked for
        session.disconnect()                                   # a new certificate: connect anew

This and `node.daemon` are the composition roots: only here are adapters constructed. Clock, randomness, how
much the disks have left and the way to connect are arguments.
"""

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from random import Random, SystemRandom
from typing import Protocol, Self

from core.clock import Clock, SystemClock, format_instant
from core.errors import Corrupt, InvalidInput
from core.limits import LIMITS, Limits
from core.logs import get_logger
from node import identity as identities
from node import state as states
from node.alarms import Alarms
from node.config import NodeSettings
from node.declared import declared_by
from node.doctor import Patient
from node.hub_client import GrpcHub
from node.identity import NodeIdentity
from node.moving import Meter
from node.room import Room, Usage, disk_usage
from node.state import NodeState
from node.status import AlarmStatus, StatusBoard, StatusReport, empty_report, load_report, reconcile
from node.trust import TrustStore
from sync.ports import HubApi, HubInfo

log = get_logger("node.session")


class Hub(HubApi, Protocol):
    """A hub that can be hung up on."""

    def close(self) -> None: ...


Connect = Callable[[NodeSettings, NodeIdentity, TrustStore], Hub]


def connect_by_grpc(settings: NodeSettings, identity: NodeIdentity, trust: TrustStore) -> Hub:
    """A channel to the hub of the settings. Raises `InvalidInput` without an address, `Unavailable`."""
    if settings.hub.address is None:
        raise InvalidInput(
            "the settings name no hub", remedy="syncline-node join writes [hub] address; or write it yourself"
        )
    return GrpcHub(
        address=settings.hub.address,
        roots_pem=trust.roots_pem(),
        tls=identity.tls(),
        download_rate=settings.hub.download_rate,
        upload_rate=settings.hub.upload_rate,
    )


@dataclass(slots=True)
class Session:
    """See the module. Methods may be called from any thread."""

    settings: NodeSettings
    passphrase: bytes | None
    identity: NodeIdentity
    trust: TrustStore
    state: NodeState
    board: StatusBoard
    clock: Clock
    random: Random
    limits: Limits
    connect: Connect
    room: Room
    meter: Meter
    _hub: Hub | None = None
    _retired: Hub | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def open(
        cls,
        settings: NodeSettings,
        passphrase: bytes | None = None,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        limits: Limits = LIMITS,
        connect: Connect = connect_by_grpc,
        usage: Usage = disk_usage,
    ) -> Self:
        """Open everything. A damaged state database is moved aside and begun anew.

        Raises `Unavailable` (NOT_ENROLLED) before joining, `Corrupt` when the trust chain is damaged.
        """
        clock = clock or SystemClock()
        state_dir = settings.node.state_dir
        identity = identities.load(state_dir, passphrase)
        trust = TrustStore(state_dir, clock, limits)
        trust.newest()
        state = _open_state(settings, clock)
        board = StatusBoard(state_dir, _report(settings, clock), clock.now)
        return cls(
            settings,
            passphrase,
            identity,
            trust,
            state,
            board,
            clock,
            random or SystemRandom(),
            limits,
            connect,
            Room(limits, usage),
            Meter(clock.monotonic),
        )

    def hub(self) -> Hub:
        """The hub, connected."""
        with self._guard:
            if self._hub is None:
                self._hub = self.connect(self.settings, self.identity, self.trust)
            return self._hub

    def disconnect(self) -> None:
        """Hang up; `hub` connects anew, with the certificate of then."""
        with self._guard:
            hub, self._hub = self._hub, None
        if hub is not None:
            hub.close()

    def retire_connection(self) -> None:
        """Connect anew for what comes, and let what is under way finish on the old connection.

        The connection retired before this one is closed.
        """
        with self._guard:
            oldest, self._retired, self._hub = self._retired, self._hub, None
        if oldest is not None:
            oldest.close()

    def close(self) -> None:
        """Give everything back."""
        self.board.flush()
        self.disconnect()
        if self._retired is not None:
            self._retired.close()
        self.state.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open_state(settings: NodeSettings, clock: Clock) -> NodeState:
    try:
        return NodeState(settings.node.state_dir)
    except Corrupt as error:
        log.critical("the state database is damaged", error=error.message, remedy="recovering by itself")
        return states.rebuild(settings.node.state_dir, format_instant(clock.now()))


def _report(settings: NodeSettings, clock: Clock) -> StatusReport:
    """Where the board begins: the last report, as far as it is this node's."""
    report = load_report(settings.node.state_dir)
    release = version("syncline")
    if report is None or (report.partner, report.node) != (settings.partner, settings.node.name):
        report = empty_report(settings.partner, settings.node.name, release, clock.now())
    published = {str(section.id(settings.partner)): section.path for section in settings.publish}
    report = reconcile(report, published, declared_by(settings), daemon_running=False)
    alarms = tuple(AlarmStatus.of(each) for each in Alarms(settings.node.state_dir).open())
    hub = report.hub.model_copy(update={"address": settings.hub.address})
    # Faults of the whole node are found again by whoever works now, or they are gone.
    return report.model_copy(update={"hub": hub, "version": release, "faults": {}, "alarms": alarms})


def patient_of(settings: NodeSettings, passphrase: bytes | None) -> Patient:
    """What `node.doctor` examines, on the real machine."""
    clock, state_dir = SystemClock(), settings.node.state_dir

    def ask_hub(identity: NodeIdentity, trust: TrustStore) -> HubInfo:
        with closing(connect_by_grpc(settings, identity, trust)) as hub:
            return hub.get_hub_info()

    return Patient(
        settings=settings,
        clock=clock,
        identity=lambda: identities.load(state_dir, passphrase),
        trust=lambda: TrustStore(state_dir, clock),
        ask_hub=ask_hub,
    )
