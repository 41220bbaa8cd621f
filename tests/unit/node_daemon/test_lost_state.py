"""A state that was lost: who finishes what `restore` began, and what `status` says of what is learnt."""

from datetime import timedelta

import pytest

from core.clock import format_instant
from node import restoring
from node.engine import Engine
from node.status import FILE_NAME
from node.status.model import StatusReport
from tests.simulation.clock import ManualClock
from tests.unit.node_daemon.conftest import Member


@pytest.fixture
def owner(members: dict[str, Member]) -> Member:
    member = members["la-dgm"]
    member.configure(publish={"maps": ["th-dmr"]})
    (member.folder("maps") / "a.txt").write_text("rock")
    return member


def run_pass(member: Member) -> StatusReport:
    with member.session() as session:
        Engine(session).run_pass()
        return session.board.report


def lose(member: Member) -> None:
    """State database and report; the keys are those of the new machine."""
    for path in (*member.state_dir.glob("state.sqlite*"), member.state_dir / FILE_NAME):
        path.unlink()


def test_who_works_first_finishes_a_restoring_that_was_left(owner: Member):
    """`restore` was interrupted, somebody ended with `join` and started the node: nobody is asked."""
    run_pass(owner)
    lose(owner)
    restoring.begin(owner.state_dir)
    (row,) = run_pass(owner).publish
    assert (row.state, row.seq) == ("up to date", 1)
    assert not restoring.is_under_way(owner.state_dir), "or a later restore would pass over a living state"
    with owner.session() as session:
        assert session.state.was_rebuilt


def test_a_state_that_is_gone_without_a_restore_asks_a_person(owner: Member):
    run_pass(owner)
    lose(owner)
    (row,) = run_pass(owner).publish
    assert row.state == "waiting for approval"


def test_freshness_of_what_was_learnt_again_counts_from_when_it_was_signed(owner: Member):
    clock = owner.federation.clock
    assert isinstance(clock, ManualClock)
    run_pass(owner)
    signed = clock.now()
    clock.advance(timedelta(days=40).total_seconds())
    lose(owner)
    restoring.begin(owner.state_dir)
    (row,) = run_pass(owner).publish
    assert row.last_version == format_instant(signed)
    assert run_pass(owner).publish[0].last_version == format_instant(signed)


def test_another_policy_is_no_newer_version(owner: Member):
    clock = owner.federation.clock
    assert isinstance(clock, ManualClock)
    before = run_pass(owner).publish[0].last_version
    clock.advance(3600)
    owner.configure(publish={"maps": []})
    (row,) = run_pass(owner).publish
    assert (row.seq, row.last_version) == (1, before)
    clock.advance(3600)
    (owner.folder("maps") / "b.txt").write_text("more rock")
    (row,) = run_pass(owner).publish
    assert (row.seq, row.last_version) == (2, format_instant(clock.now()))
