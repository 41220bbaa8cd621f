"""The evidence of docs/operations/audit.md: a small federation's, with every time fixed.

    walk_through(folder)         # evidence.zip, mirror/, mekong.trust

la-dgm shares a geological map with cn-cgs, two weeks later also with th-dmr, under another licence, and
replaces its signing key.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from core.names import DatasetId
from security.policy import Rule
from security.registry import Registry
from sync.manifest import License
from tests.unit.audit.federation_evidence import (
    OTHER,
    READER,
    Federation,
    bundle_files,
    write_bundle,
    write_mirror,
)

DATASET = DatasetId("la-dgm/geology-1m")
TITLE = {"en": "Geological map of Laos 1:1 000 000", "lo": "ແຜນທີ່ທໍລະນີສາດ ສປປ ລາວ"}
NAMES = {
    "la-dgm": {"en": "Department of Geology and Mines", "lo": "ກົມທໍລະນີສາດ ແລະ ບໍ່ແຮ່"},
    "cn-cgs": {"en": "China Geological Survey", "zh-Hans": "中国地质调查局"},
    "th-dmr": {"en": "Department of Mineral Resources", "th": "กรมทรัพยากรธรณี"},
}
FILES = {
    "README.txt": b"Geological map, first edition.\n",
    "ທໍລະນີສາດ/faults.geojson": b'{"type": "FeatureCollection", "features": []}\n',
    "ທໍລະນີສາດ/geology.geojson": b'{"type": "FeatureCollection", "features": [1]}\n',
    "ລະດັບຄວາມສູງ/dtm.tif": bytes(range(256)) * 300,
}
SECOND = {
    **FILES,
    "README.txt": b"Geological map, second edition.\n",
    "ທໍລະນີສາດ/structures.geojson": b'{"type": "FeatureCollection", "features": [2]}\n',
}


class _Named(Federation):
    """Members have the names that they have in the world."""

    def append(self, draft: Registry) -> None:
        named = (replace(each, names=NAMES[each.id]) for each in draft.partners)
        super().append(replace(draft, partners=tuple(named)))


def walk_through(folder: Path) -> Federation:
    """Write everything that the walk needs into `folder`."""
    federation = _Named()
    dataset = federation.dataset(DATASET)
    federation.log.now = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
    reader = Rule("china", "permission", READER, ("discover", "read"))
    dataset.allow(reader)
    dataset.publish(FILES, title=TITLE, license=License(expression="CC-BY-NC-4.0"))
    dataset.deliver(READER, rule="china")
    dataset.acknowledge(READER)
    federation.log.now = datetime(2026, 12, 15, 1, 0, tzinfo=UTC)
    until = datetime(2028, 1, 1, tzinfo=UTC)
    other = Rule("thailand", "permission", OTHER, ("discover", "read"), not_after=until)
    dataset.allow(reader, other)
    dataset.publish(
        SECOND, title=TITLE, license=License(expression="CC-BY-4.0", attribution="© DGM, Vientiane")
    )
    dataset.deliver(READER, rule="china")
    dataset.deliver(OTHER, rule="thailand")
    dataset.acknowledge(OTHER)
    federation.log.now = datetime(2027, 1, 20, 1, 0, tzinfo=UTC)
    federation.replace_key(dataset.owner)
    federation.act("la-dgm", "rotate-keys")
    write_mirror(dataset, folder / "mirror")
    write_bundle(folder / "evidence.zip", bundle_files(federation, audience="la-sao"))
    (folder / "mekong.trust").write_bytes(federation.trust.file)
    return federation
