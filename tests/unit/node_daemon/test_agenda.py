"""What is due when, and that no hint and no question is lost."""

import threading

import pytest

from node.agenda import Agenda


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def agenda(time: Time) -> Agenda[str, int]:
    return Agenda(time)


def any_task(_: str) -> bool:
    return True


def test_the_most_overdue_comes_first(agenda: Agenda[str, int], time: Time):
    agenda.add("late", in_s=5)
    agenda.add("early", in_s=1)
    time.now += 10
    assert [agenda.take(any_task), agenda.take(any_task)] == ["early", "late"]


def test_a_worker_takes_only_its_own(agenda: Agenda[str, int]):
    agenda.add("theirs")
    agenda.add("ours")
    assert agenda.take(lambda task: task == "ours") == "ours"


def test_a_hint_during_a_run_is_not_lost(agenda: Agenda[str, int]):
    agenda.add("task")
    assert agenda.take(any_task) == "task"
    agenda.wake("task")
    agenda.done("task", 1, again_in_s=1000)
    assert agenda.take(any_task) == "task"


def test_a_hint_with_a_delay_waits_for_it(agenda: Agenda[str, int], time: Time):
    agenda.add("task")
    agenda.take(any_task)
    agenda.done("task", 1, again_in_s=1000)
    agenda.wake("task", in_s=2)
    taken: list[str | None] = []
    worker = threading.Thread(target=lambda: taken.append(agenda.take(any_task)))
    worker.start()
    worker.join(0.05)
    assert taken == []
    time.now += 2
    agenda.wake("nothing")
    agenda.wake("task", in_s=0)
    worker.join(10)
    assert taken == ["task"]


def test_a_ticket_is_served_by_a_run_that_started_after_it(agenda: Agenda[str, int]):
    agenda.add("task")
    agenda.take(any_task)
    ticket = agenda.ask(["task"])
    agenda.done("task", 1, again_in_s=1000)
    assert ticket.wait(0.01) is None
    assert agenda.take(any_task) == "task"
    agenda.done("task", 2, again_in_s=1000)
    assert ticket.wait(1) == {"task": 2}


def test_a_ticket_waits_for_every_task(agenda: Agenda[str, int]):
    agenda.add("a")
    agenda.add("b")
    ticket = agenda.ask(["a", "b"])
    for value in (1, 2):
        task = agenda.take(any_task)
        assert task is not None
        assert ticket.wait(0) is None
        agenda.done(task, value, again_in_s=9)
    assert ticket.wait(1) == {"a": 1, "b": 2}


def test_closing_lets_workers_and_waiters_go(agenda: Agenda[str, int]):
    agenda.add("task", in_s=1000)
    ticket = agenda.ask(["task"])
    agenda.take(any_task)
    worker = threading.Thread(target=lambda: agenda.take(any_task))
    worker.start()
    agenda.close()
    worker.join(10)
    assert not worker.is_alive()
    assert ticket.wait(10) is None
    assert agenda.ask(["task"]).wait(10) is None
    assert agenda.take(any_task) is None


def test_a_task_that_is_removed_and_comes_back_never_runs_twice_at_once(agenda: Agenda[str, int], time: Time):
    agenda.add("task")
    agenda.add("other", in_s=1)
    ticket = agenda.ask(["task"])
    agenda.take(any_task)
    agenda.remove("task")
    assert ticket.wait(1) is None
    assert ticket.is_given_up
    agenda.add("task")
    time.now += 2
    assert agenda.take(any_task) == "other"
    agenda.done("task", 1, again_in_s=1000)
    agenda.wake("task")
    assert agenda.take(any_task) == "task"


def test_a_removed_task_is_forgotten_when_its_run_ends(agenda: Agenda[str, int]):
    agenda.add("task")
    agenda.take(any_task)
    agenda.remove("task")
    agenda.done("task", 1, again_in_s=0)
    assert agenda.ask(["task"]).wait(1) == {}
