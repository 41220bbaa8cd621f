"""What tests of the overview share: an acknowledgement, a report, an overview."""

import json
from typing import Any

from core.names import DatasetId
from hub.config import HubSettings, HubTable
from hub.overview.model import Holder
from hub.overview.service import Overview
from sync.acknowledgement import Acknowledgement, build
from tests.simulation.federation import (
    Published,
    TestFederation,
    known_policies,
    sha256_of_payload,
)


def overview_of(federation: TestFederation) -> Overview:
    table = HubTable(
        name="Test",
        federation=federation.hub.federation.id,
        directory=str(federation.host.layout.directory),
        address="hub.test:7443",
        enrol_address="hub.test:7444",
    )
    return Overview(federation.hub, HubSettings(hub=table))


def acknowledge(federation: TestFederation, who: str, version: Published) -> None:
    member = federation.members[who]
    owner = version.dataset.partition("/")[0]
    policy = known_policies(federation, federation.caller(owner), version.dataset)[-1]
    said = Acknowledgement(
        dataset=version.dataset,
        manifest_sha256=version.manifest_id,
        policy_sha256=sha256_of_payload(policy.envelope),
        partner=member.partner,
        node=member.node,
        created=federation.clock.now(),
    )
    federation.hub.catalogue.acknowledge(member.caller, build(said, member.signing))


def report(federation: TestFederation, who: str, **said: Any) -> None:
    """A node's status report."""
    federation.clock.advance(120)  # so that it is not too often
    data = {"v": 1, **said}
    federation.hub.fleet.report_status(federation.caller(who), json.dumps(data).encode())


def mirror(dataset: str, **said: Any) -> dict[str, Any]:
    return {"dataset": dataset, "state": "current", "bytes_left": 0, **said}


def holders(overview: Overview, dataset: str) -> dict[str, Holder]:
    """By partner."""
    return {each.partner: each for each in overview.dataset(DatasetId(dataset)).holders}
