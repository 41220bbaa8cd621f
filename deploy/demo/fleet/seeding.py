"""Seeding: a real hub directory with a fleet worth looking at, through the hub's own services.

    fleet = seed(Path("hub"), now=clock.now())             # seconds; see `SeededFleet`
    # then: syncline-hub --config hub/hub.toml run

Keys, signatures, log, checkpoints, cosignatures, policies, versions, content and acknowledgements are real
and verify; the clock of the services is moved through `HISTORY` so that all of it has its time. Only samples,
events and transfers of the past are written into the tables directly (`history`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core import durable
from core.clock import Clock, SystemClock
from core.errors import Conflict
from deploy.demo.fleet.agencies import NEWCOMER, Agency
from deploy.demo.fleet.history import write_history
from deploy.demo.fleet.life import Life
from deploy.demo.fleet.member import Member
from deploy.demo.fleet.plan import HISTORY, PlannedDataset, agencies, draw
from deploy.demo.fleet.reports import Standing
from deploy.demo.fleet.set_clock import SetClock
from hub.administrators import key_path
from hub.config import document
from hub.layout import Layout
from hub.lock import is_running
from hub.services.context import Federation
from hub.services.hub import Hub
from hub.storage.database import Database
from security.join import format_fingerprint
from security.keys import SigningKey
from security.keystore import save_signing_key

FEDERATION = "mekong-geo"
NAME = "Regional Geoscience Platform"


@dataclass
class SeededFleet:
    """What was made. `standings`: how each node reports, by (partner, node); `members`: their keys."""

    layout: Layout
    now: datetime
    plan: list[PlannedDataset]
    standings: dict[tuple[str, str], Standing]
    newcomer: str
    newcomer_fingerprint: str
    members: dict[tuple[str, str], Member] = field(default_factory=dict[tuple[str, str], Member])

    @property
    def settings(self) -> Path:
        """`hub.toml`."""
        return self.layout.settings


def seed(
    directory: Path | Layout,
    *,
    partners: int = 11,
    datasets: int = 200,
    versions: int = 2,
    now: datetime | None = None,
    clock: Clock | None = None,
    address: str = "127.0.0.1:7443",
    enrol_address: str = "127.0.0.1:7444",
    listen: str = "127.0.0.1:0",
    web_listen: str = "127.0.0.1:0",
    metrics_listen: str = "127.0.0.1:0",
) -> SeededFleet:
    """Make the hub in a new or empty `directory`; most datasets have up to `versions`
    versions, some three times as many.

    `now` (else `clock`'s, else the machine's) is when the fleet is to be looked at. `address` and
    `enrol_address` stand in `hub.toml` and in certificates; all ports are bound at `listen`, `web_listen` and
    `metrics_listen`, by default free ones. Raises `Conflict` when there is a hub already.
    """
    layout = directory if isinstance(directory, Layout) else Layout(directory.absolute())
    moment = (now or (clock or SystemClock()).now()).astimezone(UTC).replace(microsecond=0)
    plan = draw(partners=partners, datasets=datasets, versions=versions, now=moment)
    administrator = SigningKey.generate()
    moving = SetClock(moment - HISTORY)
    layout.directory.mkdir(parents=True, exist_ok=True)
    _mark(layout).write_text(
        "This hub is made up: python -m deploy.demo.fleet removes it and makes it anew.\n"
    )
    federation = Federation(FEDERATION, address, enrol_address)
    Hub.found(layout, federation, administrators=[administrator], clock=moving)
    layout.admin.mkdir(mode=0o700)
    save_signing_key(key_path(layout.admin, 1), administrator)
    _write_settings(layout, federation, listen, web_listen, metrics_listen)
    with Hub.open(layout, clock=moving) as hub:
        life = Life(hub, moving, administrator, agencies(partners), plan, moment)
        life.live()
        moving.go(moment - timedelta(minutes=25))
        _, join_id, _ = Member.join(hub, moving, NEWCOMER.id, NEWCOMER.names, "main")
        moving.go(moment)
        life.report_all()
        used = _used(hub, agencies(partners), life)
    _write_past(layout, list(life.standings.values()), used, moment)
    return SeededFleet(
        layout, moment, plan, life.standings, NEWCOMER.id, format_fingerprint(join_id), life.members
    )


def refuse_others(layout: Layout) -> bool:
    """Whether a made-up fleet stands there that may be removed; False where nothing does.

    Raises `Conflict` (NOT_EMPTY, ALREADY_RUNNING).
    """
    if not layout.directory.exists() or not any(layout.directory.iterdir()):
        return False
    if not _mark(layout).exists():
        raise Conflict(
            f"{layout.directory} holds something else than a made-up fleet; nothing was changed",
            remedy="give a new or empty folder",
            reason="NOT_EMPTY",
        )
    if is_running(layout):
        raise Conflict(f"a hub runs on {layout.directory}", remedy="stop it first", reason="ALREADY_RUNNING")
    return True


def _mark(layout: Layout) -> Path:
    return layout.directory / "made-up-fleet.txt"


def _write_settings(layout: Layout, federation: Federation, listen: str, web: str, metrics: str) -> None:
    text = document(
        NAME, federation.id, federation.address, federation.enrol_address, "127.0.0.1:0", web, metrics
    )
    for key in ("listen", "enrol_listen"):
        text = "\n".join(
            f'{key} = "{listen}"' if line.startswith(f'# {key} = "0.0.0.0:') else line
            for line in text.split("\n")
        )
    durable.write_file(layout.settings, text.encode(), mode=0o640, exclusive=True)


def _used(hub: Hub, owners: Sequence[Agency], life: Life) -> dict[str, int]:
    return {each.id: hub.content.use(life.publisher(each).partner).used_bytes for each in owners}


def _write_past(layout: Layout, standings: Sequence[Standing], used: dict[str, int], now: datetime) -> None:
    database = Database.open(layout.database)
    try:
        write_history(database, standings, used, layout.directory, now)
    finally:
        database.close()
