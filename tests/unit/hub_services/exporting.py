"""What the tests of exports share: a dataset that was shared, delivered and acknowledged, and its export."""

import random
from datetime import datetime
from pathlib import Path

from core.names import DatasetId, PartnerId
from core.progress import NullProgress
from hub.services.export import Exported
from hub.services.registry import Signed
from security.envelope import parse
from sync.acknowledgement import Acknowledgement, build
from sync.ports import OrdinalRange, RecipeStream
from tests.simulation.federation import Published, TestFederation, publish, share

GEO, ORE = DatasetId("la-dgm/geo"), DatasetId("la-dgm/ore")
FILES = {"ແຜນທີ່/50% done.tif": random.Random(5).randbytes(5_000), "a.txt": b"one\n", "empty": b""}
AUDITOR = PartnerId("la-oag")


def export(
    federation: TestFederation,
    out: Path,
    *wanted: str,
    audience: str = "owner",
    with_data: bool = False,
    since: datetime | None = None,
) -> Exported:
    plan = federation.hub.export.plan(wanted or [GEO], audience, with_data=with_data, since=since)
    return federation.hub.export.export(plan, out, NullProgress())


def read(federation: TestFederation, who: str, version: Published, dataset: DatasetId = GEO) -> None:
    list(
        federation.api(who).read_blobs(
            dataset, version.manifest_id, RecipeStream.INVENTORY, [OrdinalRange(0, 1)]
        )
    )


def acknowledge(
    federation: TestFederation, who: str, version: Published, policy: bytes, dataset: DatasetId = GEO
) -> None:
    member = federation.members[who]
    said = Acknowledgement(
        dataset=dataset,
        manifest_sha256=version.manifest_id,
        policy_sha256=parse(policy).id,
        partner=member.partner,
        node=member.node,
        created=federation.clock.now(),
    )
    federation.hub.catalogue.acknowledge(member.caller, build(said, member.signing))


def share_geo(federation: TestFederation) -> Published:
    """la-dgm shares geo with th-dmr, which has received it, and ore with nobody; th-dmr has its own tin."""
    policy = share(federation, "la-dgm", "geo", read=["th-dmr"])
    version = publish(federation, "la-dgm", "geo", FILES)
    read(federation, "th-dmr", version)
    acknowledge(federation, "th-dmr", version, policy.envelope)
    publish(federation, "la-dgm", "ore", {"gold.txt": b"here"})
    publish(federation, "th-dmr", "tin", {"tin.txt": b"there"})
    return version


def enrol_auditor(federation: TestFederation) -> None:
    done = federation.hub.auditors.add(AUDITOR, {"en": "Auditor General"}, [federation.administrator])
    assert done is Signed.NOW
