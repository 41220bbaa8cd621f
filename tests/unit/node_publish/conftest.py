"""A publishing agency in a temporary folder, against a whole hub in the same process."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.limits import Limits
from core.names import DatasetId, PartnerId
from core.settings import parse
from node.config import NodeSettings
from node.publish import Publisher, PublishOutcome
from node.publish.records import PublishRecords
from node.state import NodeState
from node.trust import TrustStore
from sync.ports import VersionDetail
from tests.simulation.clock import ManualClock
from tests.simulation.federation import TestFederation, make_federation, sha256_of_payload
from tests.simulation.in_process_hub import Faults, InProcessHub

SMALL = Limits(
    chunk_bytes_min=64,
    chunk_bytes_avg=256,
    chunk_bytes_max=1024,
    frame_bytes_max=4096,
    find_missing_count_max=64,
)
READ = [{"with": ["th-dmr"], "allow": ["discover", "read"]}]


@dataclass
class Agency:
    """la-dgm with one dataset."""

    federation: TestFederation
    folder: Path
    state_dir: Path
    clock: ManualClock
    trust: TrustStore
    state: NodeState
    faults: Faults = field(default_factory=Faults)
    keys: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def dataset(self) -> DatasetId:
        return DatasetId("la-dgm/geology")

    @property
    def records(self) -> PublishRecords:
        return PublishRecords(self.state, self.dataset)

    @property
    def hub(self) -> InProcessHub:
        return self.federation.api("la-dgm", self.faults)

    def settings(self, **changes: Any) -> NodeSettings:
        section = {
            "dataset": "geology",
            "path": str(self.folder),
            "title": {"en": "Geology"},
            "theme": "basic-geology",
            "license": "CC-BY-4.0",
            "rights_holder": "Department of Geology and Mines",
            "settle_s": 0.0,
            "share": READ,
            **self.keys,
            **changes,
        }
        groups = section.pop("groups", {})
        return parse(
            {
                "node": {"partner": "la-dgm", "name": "main", "state_dir": str(self.state_dir)},
                "publish": [section],
                "groups": groups,
            },
            NodeSettings,
            source="test",
        )

    def publisher(self, hub: Any = None, **changes: Any) -> Publisher:
        settings = self.settings(**changes)
        return Publisher(
            settings,
            settings.publish[0],
            self.state,
            self.trust,
            hub or self.hub,
            self.federation.members["la-dgm"].signing,
            self.clock,
            self.federation.limits,
        )

    def publish(self, **changes: Any) -> PublishOutcome:
        self.clock.advance(60)  # so that nothing is racy
        return self.publisher(**changes).run()

    def write(self, path: str, data: bytes | str) -> Path:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.encode() if isinstance(data, str) else data)
        return target

    def reopen(self) -> None:
        """As after a restart: everything in memory is lost."""
        self.state.close()
        self.state = NodeState(self.state_dir)

    def versions(self) -> list[bytes]:
        return list(self.federation.api("la-dgm").list_versions(self.dataset, 1))

    def detail(self, who: str = "th-dmr") -> VersionDetail:
        api = self.federation.api(who)
        listing = api.list_datasets(None)
        assert listing is not None
        (entry,) = listing.entries
        assert entry.manifest_id is not None
        return api.get_version(self.dataset, entry.manifest_id)

    def listed(self) -> dict[str, int]:
        return {one.path: one.bytes for one in self.records.published()}


@pytest.fixture
def agency(tmp_path: Path) -> Iterator[Agency]:
    clock = ManualClock(datetime.now(UTC))
    federation = make_federation(tmp_path / "hub", ("la-dgm", "th-dmr", "vn-dgm"), clock=clock, limits=SMALL)
    folder = tmp_path / "geodata"
    folder.mkdir()
    state_dir = tmp_path / "state"
    state = NodeState(state_dir)
    chain = federation.api("la-dgm").list_registry(1)
    trust = TrustStore.establish(state_dir, clock, chain[0], sha256_of_payload(chain[0]))
    trust.update(chain)
    made = Agency(federation, folder, state_dir, clock, trust, state)
    yield made
    made.state.close()
    federation.close()


@pytest.fixture
def partner() -> PartnerId:
    return PartnerId("la-dgm")
