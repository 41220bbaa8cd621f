"""A whole world in one process: a hub, some nodes, their disks, their network, their clock.

Publishers, subscribers, services, stores, statements and databases are the real ones; only the process
boundary, the network and the time are simulated.

    with World(folder, ["la-dgm", "th-dmr"]) as world:
        la, th = world.nodes["la-dgm"], world.nodes["th-dmr"]
        la.publishes("geology", share=[{"with": ["th-dmr"], "allow": ["read"]}])
        la.write("geology", "maps/a.geojson", b"…")
        la.sync_pass(); th.sync_pass()
        th.files("la-dgm/geology")
        world.restart_hub(Restart.POWER_CUT)
"""

import itertools
import os
import shutil
import threading
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Self

from core.errors import SynclineError
from core.limits import Limits
from core.names import DatasetId
from core.settings import parse
from hub.layout import Layout
from node.alarms import Alarm, Alarms, summary
from node.config import NodeSettings
from node.identity import NodeIdentity
from node.publish import Publisher, PublishOutcome, approve, dataset_status
from node.state import NodeState
from node.subscribe import MirrorOutcome, Subscriber
from node.trust import TrustStore
from node.witness import Witness
from node.witnessed import Witnessed
from tests.simulation.clock import ManualClock
from tests.simulation.disk import Disk, Killed
from tests.simulation.federation import TestFederation, make_federation, sha256_of_payload
from tests.simulation.in_process_hub import Faults
from tests.simulation.link import Link, Watch
from tests.simulation.oracle import resolve, tree

SMALL = Limits(
    chunk_bytes_min=64,
    chunk_bytes_avg=256,
    chunk_bytes_max=1024,
    frame_bytes_max=4096,
    frames_in_flight_max=4,
    find_missing_count_max=64,
    group_commit_bytes=16 * 1024,
    pack_bytes_max=64 * 1024,
    disk_reserve_bytes=0,
    retry_first_s=0.001,
    retry_max_s=0.002,
)


class Restart(Enum):
    """How the hub goes down before it comes back."""

    STOPPED = "stopped in good order"
    KILLED = "killed; what the kernel has is kept"
    POWER_CUT = "what was not flushed is gone"


@dataclass
class Pass:
    """What came of a node's pass."""

    published: dict[str, PublishOutcome | SynclineError | OSError] = field(
        default_factory=dict[str, PublishOutcome | SynclineError | OSError]
    )
    mirrors: list[MirrorOutcome] = field(default_factory=list[MirrorOutcome])
    error: BaseException | None = None

    @property
    def errors(self) -> list[BaseException]:
        """Everything that went wrong."""
        inner = [each for each in self.published.values() if isinstance(each, BaseException)]
        mine = [] if self.error is None else [self.error]
        return [*mine, *inner, *(each.error for each in self.mirrors if each.error is not None)]


class World:
    """Everything. `watchers` hear of every call's answer and every frame, of all nodes."""

    def __init__(
        self,
        folder: Path,
        partners: Sequence[str],
        *,
        limits: Limits = SMALL,
        watchers: Sequence[Watch] = (),
        clock_at: datetime | None = None,
    ) -> None:
        self.folder = folder
        self.clock = ManualClock(clock_at or datetime.now(UTC).replace(microsecond=0))
        self.federation: TestFederation = make_federation(
            folder, tuple(partners), clock=self.clock, limits=limits
        )
        self.host = self.federation.host
        self.limits = limits
        self.lock = threading.RLock()
        self.watchers = list(watchers)
        self._images = itertools.count(1)
        homes = {who: folder / who for who in partners}
        for home in homes.values():
            home.mkdir(parents=True, exist_ok=True)
        self.disk = Disk({"hub": self.host.layout.directory, **homes})
        self.disk.__enter__()
        self.nodes = {who: SimNode(self, who, homes[who]) for who in partners}

    def watch(self, who: str, call: str, arguments: tuple[Any, ...], answer: Any) -> None:
        """Tell all watchers."""
        for watcher in self.watchers:
            watcher(who, call, arguments, answer)

    def restart_hub(self, how: Restart) -> None:
        """The hub goes down in that way, and comes back from its disk."""
        with self.lock:
            if how is Restart.POWER_CUT:
                image = self.disk.power_cut("hub", self.folder / f"hub-image-{next(self._images)}")
                old = self.host.layout.directory
                self.host.layout = Layout(image)
                self.disk.moved("hub", image)
                self.host.restart()
                shutil.rmtree(old)
            else:
                self.host.restart()

    def close(self) -> None:
        """Give everything back."""
        for node in self.nodes.values():
            node.close()
        self.federation.close()
        self.disk.__exit__()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SimNode:
    """One agency's node. `faults` are those of its network; `witnesses`: it looks at the hub's log."""

    def __init__(self, world: World, who: str, home: Path) -> None:
        self.world = world
        self.who = who
        self.home = home
        self.state_dir = home / "state"
        self.mirror_root = home / "mirror"
        self.mirror_root.mkdir(exist_ok=True)
        self.faults = Faults()
        self.sections: dict[str, dict[str, Any]] = {}
        self.subscribes = "*/*"
        self.witnesses = False
        self.link = Link(
            world.federation.api(who, self.faults),
            world.lock,
            world.watch,
            lambda: world.restart_hub(Restart.KILLED),
        )
        self._member = world.federation.members[who]
        first = world.federation.hub.registry.list_from(1)[0]
        TrustStore.establish(self.state_dir, world.clock, first, sha256_of_payload(first))
        self._state: NodeState | None = None
        self._trust: TrustStore | None = None
        self._witness: Witness | None = None
        self._ticks = itertools.count(1)

    # --- the folders -------------------------------------------------------------------------------

    def publishes(self, name: str, share: Sequence[Mapping[str, Any]] = (), **keys: Any) -> Path:
        """Configure a dataset; its folder."""
        folder = self.home / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        self.sections[name] = {"share": list(share), "remove_guard": 1.0, **keys}
        return folder

    def folder(self, name: str) -> Path:
        """Where the dataset's files are."""
        return self.home / "data" / name

    def write(self, name: str, path: str, data: bytes) -> Path:
        """Write a file, at the world's time."""
        target = self.folder(name) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        instant = int(self.world.clock.now().timestamp()) * 10**9 + next(self._ticks)
        os.utime(target, ns=(instant, instant))
        return target

    def listed(self, name: str) -> dict[str, bytes]:
        """The dataset's files as a version of it lists them."""
        return {unicodedata.normalize("NFC", path): data for path, data in tree(self.folder(name)).items()}

    def mirror(self, dataset: str) -> Path:
        """Where the dataset is mirrored."""
        return self.mirror_root / dataset

    def files(self, dataset: str) -> dict[str, bytes] | None:
        """What the mirror's `current` holds; None when there is none."""
        version = resolve(self.mirror(dataset))
        return None if version is None else tree(version)

    # --- the node ------------------------------------------------------------------------------------

    def settings(self) -> NodeSettings:
        """As if read from node.toml."""
        publish = [
            {
                "dataset": name,
                "path": str(self.folder(name)),
                "title": {"en": name},
                "theme": "basic-geology",
                "license": "CC-BY-4.0",
                "rights_holder": self.who.upper(),
                "settle_s": 0.0,
                **keys,
            }
            for name, keys in self.sections.items()
        ]
        return parse(
            {
                "node": {"partner": self.who, "name": "main", "state_dir": str(self.state_dir)},
                "publish": publish,
                "subscribe": [{"dataset": self.subscribes, "path": str(self.mirror_root)}],
            },
            NodeSettings,
            source="simulation",
        )

    @property
    def state(self) -> NodeState:
        """The node's database."""
        if self._state is None:
            self._state = NodeState(self.state_dir)
        return self._state

    @property
    def trust(self) -> TrustStore:
        """What the node believes."""
        if self._trust is None:
            self._trust = TrustStore(self.state_dir, self.world.clock)
        return self._trust

    def close(self) -> None:
        """The process ends; everything in memory is gone."""
        if self._state is not None:
            self._state.close()
        self._state = self._trust = self._witness = None

    @property
    def witness(self) -> Witness:
        """What looks at the hub's log."""
        if self._witness is None:
            member = self._member
            self._witness = Witness(
                partner=member.partner,
                node=member.node,
                state_dir=self.state_dir,
                state=self.state,
                trust=self.trust,
                identity=NodeIdentity(self.state_dir / "keys", member.signing, member.witness),
                clock=self.world.clock,
                limits=self.world.limits,
            )
        return self._witness

    def alarms(self) -> list[Alarm]:
        """Those that are open."""
        return Alarms(self.state_dir).open()

    def sync_pass(self, *, publish: bool = True, subscribe: bool = True) -> Pass:
        """One pass, as the engine makes it. A node that is killed in it is reopened from its disk."""
        result = Pass()
        try:
            self._pass(result, publish=publish, subscribe=subscribe)
        except Killed as death:
            assert death.who == self.who, f"{death} while {self.who} worked"
            result.error = death
            self.close()
        except (SynclineError, OSError) as error:
            result.error = error
        return result

    def _pass(self, result: Pass, *, publish: bool, subscribe: bool) -> None:
        hub = self.link
        hub.get_hub_info()
        self.trust.refresh(hub)
        settings = self.settings()
        for section in settings.publish if publish else ():
            publisher = Publisher(
                settings,
                section,
                self.state,
                self.trust,
                hub,
                self._member.signing,
                self.world.clock,
                self.world.limits,
            )
            try:
                result.published[section.dataset] = publisher.run()
            except (SynclineError, OSError) as error:
                result.published[section.dataset] = error
        if self.witnesses:
            self.witness.run(hub)
        alarm = summary(self.alarms())
        if alarm is not None:
            raise alarm
        if subscribe:
            listing = hub.list_datasets(None)
            assert listing is not None
            result.mirrors = Subscriber(
                subscriptions=settings.subscribe,
                partner=self._member.partner,
                node=self._member.node,
                state_dir=self.state_dir,
                state=self.state,
                trust=self.trust,
                hub=hub,
                signer=self._member.signing,
                clock=self.world.clock,
                limits=self.world.limits,
                view=Witnessed(self.state_dir, self.state, self.world.clock, self.world.limits),
            ).sync(listing)
        hub.report_status(b"{}")

    def approve_all(self) -> None:
        """Say yes to everything that waits for a person."""
        for name in self.sections:
            dataset = DatasetId(f"{self.who}/{name}")
            if dataset_status(self.state, dataset).waiting:
                approve(self.state, dataset)
