"""loud: nothing fails silently.

Whatever call of the hub's fails, the exit status, `status`, the log and, where it can be told, the hub's list
of nodes say so, with what to do next; and when the call works again, nothing of it is left.
"""

from typing import Any

import pytest
import structlog

from core.errors import Unavailable
from node.engine import Engine
from tests.simulation.federation import TestFederation
from tests.unit.node_daemon.conftest import Member

LOUD = ("warning", "error", "critical")
REMEDY = "wait for it"
PUBLISHING = ("find_missing", "update_blobs", "commit_version")
SUBSCRIBING = ("list_datasets", "get_version", "list_versions", "read_blobs", "get_evidence")
WITNESSING = ("get_checkpoint", "get_entries", "get_consistency_proof", "add_cosignature")
REPORTING = ("get_hub_info", "list_registry", "report_status")  # cannot be told to the hub meanwhile


class Broken:
    """A hub of which one call fails."""

    def __init__(self, hub: Any, call: str) -> None:
        self._hub = hub
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return self._fail if name == self._call else getattr(self._hub, name)

    def _fail(self, *_: Any) -> Any:
        raise Unavailable(f"{self._call} fails", remedy=REMEDY, reason="BROKEN")


@pytest.fixture
def exchanged(members: dict[str, Member], federation: TestFederation) -> dict[str, Member]:
    """Both have exchanged and witnessed a version, and there is a new file."""
    owner, reader = members["la-dgm"], members["th-dmr"]
    owner.configure(publish={"maps": ["th-dmr"]})
    reader.configure(subscribe=True)
    (owner.folder("maps") / "a.txt").write_text("rock")
    for member in (owner, reader):
        with member.session() as session:
            assert Engine(session).run_pass().exit_status == 0
        federation.clock.advance(120)
    (owner.folder("maps") / "b.txt").write_text("water")
    return members


@pytest.mark.parametrize(
    ("who", "call"),
    [
        *(("la-dgm", call) for call in (*PUBLISHING, *WITNESSING, *REPORTING)),
        *(("th-dmr", call) for call in (*SUBSCRIBING, *WITNESSING)),
    ],
)
def test_loud_whatever_call_fails(
    exchanged: dict[str, Member], federation: TestFederation, who: str, call: str
) -> None:
    member = exchanged[who]
    if who != "la-dgm":
        with exchanged["la-dgm"].session() as session:
            assert Engine(session).run_pass().exit_status == 0
        federation.clock.advance(120)
    member.wrap = lambda hub: Broken(hub, call)
    with member.session() as session:
        engine = Engine(session)
        with structlog.testing.capture_logs() as logs:
            assert engine.run_pass().exit_status != 0
        report = session.board.report
        assert not report.is_healthy
        assert REMEDY in report.model_dump_json()
        assert [each for each in logs if each["log_level"] in LOUD and each.get("remedy") == REMEDY]
        told = [each.status for each in federation.hub.fleet.reports() if each.partner == who]
        if call not in REPORTING:
            assert REMEDY in str(told)
        member.wrap = lambda hub: hub
        session.disconnect()
        federation.clock.advance(120)
        engine = Engine(session)
        assert engine.run_pass().exit_status == 0
        assert session.board.report.is_healthy
        assert REMEDY not in session.board.report.model_dump_json(exclude={"last_error"})
        last = session.board.report.last_error
        assert last is None or last.cleared is not None  # what was wrong is remembered, and that it is over


def test_loud_an_acknowledgement_that_did_not_arrive(exchanged: dict[str, Member]) -> None:
    reader = exchanged["th-dmr"]
    with exchanged["la-dgm"].session() as session:
        Engine(session).run_pass()
    reader.wrap = lambda hub: Broken(hub, "acknowledge")
    with reader.session() as session:
        Engine(session).run_pass()
        (mirror,) = session.board.report.mirrors
        assert not mirror.acknowledged
