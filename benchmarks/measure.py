"""What a command cost: seconds, CPU seconds, peak memory at both ends, bytes on the loopback wire.

Linux only: reads `/proc`. A service that runs already (the hub, sshd) and all that it starts count as the
other end: its CPU is the difference over the command, its peak is reset before. The wire is all that passed
the loopback device meanwhile, so nothing else should use it.
"""

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLE_S = 0.05
_QUIET_S = 5.0
_RESET_PEAK = "5"  # to /proc/<pid>/clear_refs (proc(5))


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of both ends; `memory_bytes` is the largest resident set of a process of the command, and
    `service_memory_bytes` of one at the other end. Not `ru_maxrss`: that counts this program's own memory
    until the command is loaded."""

    seconds: float
    cpu_seconds: float
    memory_bytes: int = 0
    service_memory_bytes: int = 0
    wire_bytes: int = 0


def cost_of(
    command: Sequence[str],
    *,
    services: Sequence[int] = (),
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
) -> Cost:
    """Run `command` to its end. Raises `CalledProcessError` with its output when it fails."""
    for pid in services:
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK)
    cpu_before = sum(cpu_seconds_of(pid) for pid in services)
    wire_before = _loopback_bytes()
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, cwd=folder
    )
    assert process.stdout is not None
    with process.stdout as stream, _peaks([[process.pid], services]) as peaks:
        output = stream.read()
    _, status, usage = os.wait4(process.pid, 0)  # of this child and its own alone
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    wire = _loopback_bytes() - wire_before
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command, output)
    _await_children(services)  # sshd counts a connection's CPU when that has ended
    cpu = usage.ru_utime + usage.ru_stime + sum(cpu_seconds_of(pid) for pid in services) - cpu_before
    own, others = peaks
    return Cost(seconds, cpu, own, others, wire)


@contextlib.contextmanager
def _peaks(groups: Sequence[Sequence[int]]) -> Generator[list[int]]:
    """Of each group of processes and what they start, the largest peak until the block ends."""
    found = [0 for _ in groups]
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            for place, group in enumerate(groups):
                found[place] = max(
                    [found[place], *(peak_bytes_of(each) for pid in group for each in _tree(pid))]
                )
            ended.wait(_SAMPLE_S)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for child in children_of(pid):
        yield from _tree(child)


def children_of(pid: int) -> list[int]:
    """The processes that it has started and that run still."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _await_children(services: Sequence[int]) -> None:
    until = time.monotonic() + _QUIET_S
    while any(children_of(pid) for pid in services) and time.monotonic() < until:
        time.sleep(0.01)


def cpu_seconds_of(pid: int) -> float:
    """What the process has spent, and those that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # utime, stime and those of its ended children, in clock ticks (proc(5))
    return sum(int(fields[i]) for i in (11, 12, 13, 14)) / _TICKS


def peak_bytes_of(pid: int) -> int:
    """The largest resident set that the process has had."""
    return _memory_of(pid, "VmHWM:")


def resident_bytes_of(pid: int) -> int:
    """The resident set of the process."""
    return _memory_of(pid, "VmRSS:")


def _memory_of(pid: int, what: str) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(what):
                return int(line.split()[1]) * 1024
    return 0


def _loopback_bytes() -> int:
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, counters = line.partition(":")
        if name.strip() == "lo":
            return int(counters.split()[0])
    return 0
