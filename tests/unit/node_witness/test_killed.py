"""Killed at any step, a witness never stands for two histories, and goes on where it was."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest

from core import durable
from security.tlog.checkpoint import Checkpoint, parse_checkpoint
from security.tlog.merkle import consistency_proof, verify_consistency
from security.tlog.note import parse_note
from tests.unit.node_witness.conftest import Node
from tests.unit.node_witness.fake_log import FakeHub, FakeLog


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def killed_at(step: int, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> Generator[list[str]]:
    """Kill at the given step: every durable write and every call, before and after it, is one."""
    steps: list[str] = []

    def pass_by(name: str) -> None:
        steps.append(name)
        if len(steps) == step:
            raise Killed(name)

    with monkeypatch.context() as patch:

        def at(name: str, path: Path) -> None:
            pass_by(f"{name} {path.name}")

        patch.setattr(durable, "fault_hook", at)
        for name in ("get_checkpoint", "get_entries", "get_consistency_proof", "add_cosignature"):
            patch.setattr(hub, name, _stepping(getattr(hub, name), name, pass_by))
        yield steps


def _stepping(call: Callable[..., Any], name: str, pass_by: Callable[[str], None]) -> Callable[..., Any]:
    def stepping(*arguments: Any) -> Any:
        pass_by(f"before {name}")
        answer = call(*arguments)
        pass_by(f"after {name}")
        return answer

    return stepping


def looked_until_killed(node: Node, hub: FakeHub, step: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether it was killed; afterwards another process is there."""
    try:
        with killed_at(step, hub, monkeypatch):
            node.catch_up(hub)
        return False
    except Killed:
        return True
    finally:
        node.restart()


def promises(hub: FakeHub) -> list[Checkpoint]:
    return [parse_checkpoint(parse_note(each).text) for each in hub.given]


def fresh(node: Node, tmp_path: Path, step: int) -> Node:
    return Node(node.federation, node.partner, tmp_path / f"killed-{step}")


def test_killed_at_any_step_it_goes_on_and_cosigns_the_truth(
    node: Node, hub: FakeHub, log: FakeLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, long = log, log.fork()
    long.version("geology")
    long.strangers(12)
    long.sign()
    for step in count(1):
        one = fresh(node, tmp_path, step)
        hub.log, hub.given = short, []
        one.catch_up(hub)
        hub.log = long
        killed = looked_until_killed(one, hub, step, monkeypatch)
        assert one.catch_up(hub).cosigned == 33
        assert not one.open
        assert set(promises(hub)) == {short.checkpoint(20), long.checkpoint(33)}
        assert [each.lane_n for each in one.witness.ledger.lane()] == [1]
        one.restart()
        if not killed:
            break


def test_killed_at_any_step_it_never_stands_for_two_histories(
    node: Node, hub: FakeHub, log: FakeLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub kills nodes to make them forget: it shows one history, and after the crash another."""
    left, right = log.fork(), log.fork()
    left.strangers(5)
    right.strangers(9)
    left.sign()
    right.sign()
    caught = 0
    for step in count(1):
        one = fresh(node, tmp_path, step)
        hub.given, hub.log = [], left
        killed = looked_until_killed(one, hub, step, monkeypatch)
        origin = left.checkpoint(25).origin
        assert set(promises(hub)) <= set(one.witness.histories.promised(origin)), "given and not kept"
        hub.log = right
        one.catch_up(hub)
        caught += bool(one.open)
        stood_for = promises(hub)
        assert not (left.checkpoint(25) in stood_for and right.checkpoint(29) in stood_for), step
        if left.checkpoint(25) in stood_for:
            assert one.kinds == ["two-histories"], step
        one.restart()
        if not killed:
            break
    assert caught


def test_killed_while_an_alarm_is_kept_the_alarm_comes_again(
    node: Node, hub: FakeHub, log: FakeLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in count(1):
        one = fresh(node, tmp_path, step)
        hub.log = log
        one.catch_up(hub)
        hub.log = log.roll_back(12)
        killed = looked_until_killed(one, hub, step, monkeypatch)
        one.look(hub)
        assert one.kinds == ["rolled-back"]
        (alarm,) = one.open
        assert all((one.alarms.folder / alarm.id / each).read_bytes() for each in ("seen", "shown"))
        one.restart()
        if not killed:
            break


def test_killed_while_a_continued_log_is_begun_it_begins_once(
    node: Node, hub: FakeHub, log: FakeLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.policy("geology", [])
    log.version("geology")
    log.sign()
    continued = log.roll_back(21).continued(2)
    for step in count(1):
        one = fresh(node, tmp_path, step)
        hub.log, hub.hidden_registries = log, 1
        one.catch_up(hub)
        hub.log, hub.hidden_registries = continued, 0
        killed = looked_until_killed(one, hub, step, monkeypatch)
        report = one.catch_up(hub)
        assert (report.cosigned, report.lost) == (22, 1)
        assert not one.open
        assert [each.lane_n for each in one.witness.ledger.lane()] == [1]
        assert one.witness.histories.number == 2
        one.restart()
        if not killed:
            break


def test_every_promise_is_consistent_with_every_other(node: Node, hub: FakeHub, log: FakeLog) -> None:
    for _ in range(6):
        node.catch_up(hub)
        node.restart()
        log.strangers(9)
        log.sign()
    made = promises(hub)
    for first, second in pairwise(made):
        proof = consistency_proof(log.tree, first.size, second.size)
        verify_consistency(first.size, second.size, proof, first.root, second.root)
