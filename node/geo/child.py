"""The process that reads hostile files: `python -m node.geo.child SOCKET LIMITS`, started by `reader`.

It limits itself before it looks at anything: memory, processor time, open files, no file may grow by as much
as a byte; it is nice to everybody. Files come as descriptors that are open for reading, with a word that says
what they are; the answer is a place as JSON. It needs no network and knows no path.
"""

import json
import os
import resource
import socket
import sys
from contextlib import ExitStack
from importlib import import_module
from typing import Any, BinaryIO

from node.geo.place import NotKnown, Place

_MESSAGE_BYTES = 4_096
_DESCRIPTORS = 4


def main(arguments: list[str]) -> None:
    """Serve requests until the other end is closed."""
    limits = json.loads(arguments[1])
    confine(limits)
    with socket.socket(fileno=int(arguments[0])) as parent:
        while True:
            message, descriptors, _, _ = socket.recv_fds(parent, _MESSAGE_BYTES, _DESCRIPTORS)
            if not message:
                return
            _grant(limits["cpu_s"])
            parent.sendall(_answer(message.decode(), descriptors).to_json())


def confine(limits: dict[str, Any]) -> None:
    """Take away what reading does not need."""
    os.nice(19)
    for which, value in (
        (resource.RLIMIT_AS, int(limits["memory_bytes"])),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(which, (value, value))


def _grant(seconds: float) -> None:
    """Processor time for one more request; the kernel ends the process where it is used up."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = usage.ru_utime + usage.ru_stime
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used + seconds) + 1, hard))


def _answer(kind: str, descriptors: list[int]) -> Place:
    with ExitStack() as stack:
        files: list[BinaryIO] = [stack.enter_context(os.fdopen(each, "rb")) for each in descriptors]
        for each in files:
            each.seek(0)  # the place is shared with whoever has read the same descriptor before
        try:
            return import_module(f"node.geo.readers.{kind}").read(files)
        except NotKnown as error:
            return Place(problem=str(error))
        except MemoryError:
            return Place(problem="it needs more memory than a reader gets")
        except Exception as error:  # noqa: BLE001 - whatever a library says to a hostile file
            return Place(problem=f"it cannot be read ({type(error).__name__})")


if __name__ == "__main__":
    main(sys.argv[1:])
