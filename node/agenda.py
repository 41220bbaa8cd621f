"""When to do what: due times by task, tickets for those who wait, nothing done twice at once.

Rules: a task runs in one worker at a time; waking a task while it runs makes it run once more afterwards, so
that no hint is lost; a ticket is served by a run that started after it was asked for. Time is an argument;
all methods may be called from any thread.

    agenda = Agenda(clock.monotonic)
    agenda.add(task, in_s=0.0)
    task = agenda.take(lanes, stop)             # waits until one is due; None when stopped
    agenda.done(task, again_in_s=900.0, result=outcome)
    agenda.ask([task]).wait()                   # {task: outcome}
"""

import threading
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

TaskT = TypeVar("TaskT", bound=Hashable)
ResultT = TypeVar("ResultT")


@dataclass(slots=True)
class _Entry(Generic[TaskT, ResultT]):
    due: float
    running: bool = False
    removed: bool = False
    waiting: "list[Ticket[TaskT, ResultT]]" = field(default_factory=list["Ticket[TaskT, ResultT]"])
    served: "list[Ticket[TaskT, ResultT]]" = field(default_factory=list["Ticket[TaskT, ResultT]"])


class Ticket(Generic[TaskT, ResultT]):
    """Somebody waits for runs of some tasks."""

    def __init__(self, tasks: Iterable[TaskT]) -> None:
        self._missing = set(tasks)
        self._results: dict[TaskT, ResultT] = {}
        self._complete = threading.Event()
        if not self._missing:
            self._complete.set()

    def wait(self, timeout_s: float | None = None) -> dict[TaskT, ResultT] | None:
        """The results by task; None when the time is over, or the agenda was closed."""
        if not self._complete.wait(timeout_s) or self._missing:
            return None
        return dict(self._results)

    @property
    def is_given_up(self) -> bool:
        """Whether results are missing that will not come."""
        return self._complete.is_set() and bool(self._missing)

    def deliver(self, task: TaskT, result: ResultT) -> None:
        """A run has ended."""
        self._missing.discard(task)
        self._results[task] = result
        if not self._missing:
            self._complete.set()

    def give_up(self) -> None:
        """Nothing more will come."""
        self._complete.set()


class Agenda(Generic[TaskT, ResultT]):
    """See the module. `monotonic` gives seconds; waiting itself is by the system's clock."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._entries: dict[TaskT, _Entry[TaskT, ResultT]] = {}
        self._changed = threading.Condition()
        self._closed = False

    def add(self, task: TaskT, *, in_s: float = 0.0) -> None:
        """Know a task, due in `in_s` seconds; nothing when it is known already."""
        with self._changed:
            due = self._monotonic() + in_s
            entry = self._entries.setdefault(task, _Entry(due))
            if entry.removed:
                entry.removed, entry.due = False, due
            self._changed.notify_all()

    def remove(self, task: TaskT) -> None:
        """Forget a task; a run under way ends as it ends, and nobody waits for another."""
        with self._changed:
            entry = self._entries.get(task)
            if entry is None:
                return
            given_up = [*entry.waiting, *entry.served]
            entry.waiting, entry.served = [], []
            if entry.running:
                entry.removed = True  # until its run has ended, so that it never runs twice at once
            else:
                del self._entries[task]
        for ticket in given_up:
            ticket.give_up()

    def wake(self, task: TaskT, *, in_s: float = 0.0) -> None:
        """Have `task` run in `in_s` seconds at the latest; unknown tasks are ignored."""
        with self._changed:
            entry = self._entries.get(task)
            if entry is None:
                return
            entry.due = min(entry.due, self._monotonic() + in_s)
            self._changed.notify_all()

    def ask(self, tasks: Iterable[TaskT]) -> Ticket[TaskT, ResultT]:
        """Have each of `tasks` run now, and be told of the results."""
        with self._changed:
            known = [task for task in tasks if task in self._entries and not self._entries[task].removed]
            ticket: Ticket[TaskT, ResultT] = Ticket(known)
            if self._closed:
                ticket.give_up()
                return ticket
            for task in known:
                self._entries[task].waiting.append(ticket)
                self.wake(task)
            return ticket

    def take(self, is_ours: Callable[[TaskT], bool]) -> TaskT | None:
        """Wait for the most overdue task that `is_ours` and is not running; None when closed."""
        with self._changed:
            while not self._closed:
                now = self._monotonic()
                free = [
                    (entry.due, place, task)
                    for place, (task, entry) in enumerate(self._entries.items())
                    if not entry.running and is_ours(task)
                ]
                due, _, task = min(free, default=(now + 3600.0, 0, None))
                if task is not None and due <= now:
                    entry = self._entries[task]
                    entry.running = True
                    entry.served, entry.waiting = entry.waiting, []
                    entry.due = float("inf")
                    return task
                self._changed.wait(min(due - now, 3600.0))
            return None

    def done(self, task: TaskT, result: ResultT, *, again_in_s: float) -> None:
        """A run of `task` has ended; the next is due then, or earlier if it was woken meanwhile."""
        with self._changed:
            entry = self._entries[task]
            served, entry.served = entry.served, []
            entry.running = False
            if entry.removed:
                del self._entries[task]
            entry.due = min(entry.due, self._monotonic() + again_in_s)
            self._changed.notify_all()
        for ticket in served:
            ticket.deliver(task, result)

    def close(self) -> None:
        """Let every worker and every waiter go."""
        with self._changed:
            self._closed = True
            for entry in self._entries.values():
                for ticket in (*entry.waiting, *entry.served):
                    ticket.give_up()
            self._changed.notify_all()
