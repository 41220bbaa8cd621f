"""What the operator sees is the operator's: nothing of it reaches a partner, not even as a change."""

import ast
from pathlib import Path

from core.names import DatasetId, PartnerId
from tests.simulation.federation import TestFederation, publish
from tests.unit.hub_overview.telling import overview_of

HUB = Path(__file__).parents[3] / "hub"
#: Reads what a node sends, and shows nothing.
READS_REPORTS = {"hub.overview.report"}
FOR_THE_OPERATOR = ("hub.overview", "hub.alerts", "hub.metrics", "hub.web.pages", "hub.web.api")
#: The metrics' own counters, which calls count into.
COUNTS = {"hub.metrics.counters"}


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{name.name}" for name in node.names)
    return {name for name in found if (HUB.parent / f"{name.replace('.', '/')}.py").exists()}


def test_the_nodes_port_imports_nothing_of_the_operators_view():
    served = [*(HUB / "rpc").glob("*.py"), HUB / "web" / "read_path.py"]
    assert len(served) > 10
    for path in served:
        of_the_operator = {name for name in imported(path) if name.startswith(FOR_THE_OPERATOR)}
        assert of_the_operator <= READS_REPORTS | COUNTS, path


def test_what_is_noted_for_the_operator_changes_nothing_for_a_partner(federation: TestFederation):
    hub = federation.hub
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    outsider, reader = federation.caller("vn-dgm"), federation.caller("th-dmr")
    before = [hub.sharing.view(each.partner).etag for each in (outsider, reader)]
    size, visible = hub.translog.size(), hub.context.database.revisions()[1]
    hub.events.note("node.silent", "warning", partner="la-dgm", dataset="la-dgm/geo")
    hub.transfers.begin(reader, "la-dgm/geo", "down").add(10)
    hub.transfers.flush()
    hub.storage_samples.sample()
    overview = overview_of(federation)
    overview.dataset(DatasetId("la-dgm/geo"))
    overview.log()
    overview.storage()
    assert hub.translog.size() == size
    assert hub.context.database.revisions()[1] == visible
    assert [hub.sharing.view(each.partner).etag for each in (outsider, reader)] == before


def test_looking_writes_nothing(federation: TestFederation):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    overview = overview_of(federation)
    before = federation.hub.context.database.revisions()
    overview.warm()
    overview.fleet()
    overview.partner(PartnerId("la-dgm"))
    overview.dataset(DatasetId("la-dgm/geo"))
    overview.transfers()
    overview.log()
    overview.storage()
    overview.map()
    assert federation.hub.context.database.revisions() == before
