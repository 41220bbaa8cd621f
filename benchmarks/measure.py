"""What a command cost: seconds, CPU seconds, peak memory, bytes on the loopback wire.

Linux only: reads `/proc`. CPU of a service that runs already (the hub, sshd) is taken as the
difference over the measured command and added to the command's own.
"""

import os
import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """`memory_bytes` is the largest resident set of any one process that took part."""

    seconds: float
    cpu_seconds: float
    memory_bytes: int
    wire_bytes: int


def cost_of(
    command: Sequence[str], *, services: Sequence[int] = (), environment: dict[str, str] | None = None
) -> Cost:
    """Run `command` to its end. Raises `CalledProcessError` with its output when it fails."""
    cpu_before = sum(_cpu_of(pid) for pid in services)
    wire_before = _loopback_bytes()
    own_before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    output, _ = process.communicate()
    seconds = time.perf_counter() - start
    own_after = resource.getrusage(resource.RUSAGE_CHILDREN)
    wire = _loopback_bytes() - wire_before
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command, output)
    own = (own_after.ru_utime + own_after.ru_stime) - (own_before.ru_utime + own_before.ru_stime)
    cpu = own + sum(_cpu_of(pid) for pid in services) - cpu_before
    memory = max([own_after.ru_maxrss * 1024, *(_peak_of(pid) for pid in services)])
    return Cost(seconds, cpu, memory, wire)


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # utime, stime and those of its ended children, in clock ticks (proc(5))
    return sum(int(fields[i]) for i in (11, 12, 13, 14)) / _TICKS


def _peak_of(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _loopback_bytes() -> int:
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, counters = line.partition(":")
        if name.strip() == "lo":
            return int(counters.split()[0])
    return 0
