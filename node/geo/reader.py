"""Reading files for their places in a process of their own, which may be killed.

    with Reader() as reader:
        place = reader.read("geotiff", [descriptor])          # raises `Gone` where the reader did not answer

Rules: files are handed over as descriptors open for reading alone; a reader that takes too long is killed;
one that dies, whatever it died of, costs its file's place and nothing else; a new one takes the next file.
What it answers is checked: it has read hostile bytes.
"""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, Self

from core.limits import MIB
from node.geo.place import NotKnown, Place

Kind = Literal["geotiff", "geopackage", "shapefile", "geojson", "miniseed"]

#: What the extra `geo` brings.
MODULES = ("tifffile", "pyproj", "shapefile", "pymseed")

_ANSWER_BYTES_MAX = 16 * 1024
_ENVIRONMENT = {"PROJ_NETWORK": "OFF", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """For one file: seconds by the clock, seconds of a processor; for the process: its address space."""

    wall_s: float = 60.0
    cpu_s: float = 30.0
    memory_bytes: int = 1024 * MIB


def is_installed() -> bool:
    """Whether the extra `geo` is there; imports nothing of it."""
    return all(importlib.util.find_spec(each) is not None for each in MODULES)


class Unstartable(Exception):
    """No reader can be started now; nothing is known about any file."""


class Gone(Exception):
    """The reader died or was killed over a file; the message says of what."""


class Reader:
    """One reading process at a time, started when first needed. One thread."""

    def __init__(self, limits: ReaderLimits = ReaderLimits()) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def read(self, kind: Kind, descriptors: Sequence[int]) -> Place:
        """The place of one file; with `problem` where it cannot be told. Raises `Gone`, `Unstartable`."""
        channel = self._started()
        try:
            socket.send_fds(channel, [kind.encode()], list(descriptors))
            answer = channel.recv(_ANSWER_BYTES_MAX)
            if not answer:
                raise Gone(self._ended())
            return Place.from_json(answer)
        except TimeoutError:
            self.close()
            raise Gone(f"reading it took longer than {self._limits.wall_s:g} s") from None
        except NotKnown as error:
            self.close()
            raise Gone(str(error)) from error
        except OSError as error:
            raise Gone(self._ended()) from error

    def kill(self) -> None:
        """From any thread: what is being read is given up; `read` raises `Gone`."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the process, whatever it does."""
        channel, self._socket = self._socket, None
        process, self._process = self._process, None
        if channel is not None:
            channel.close()
        if process is not None:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _started(self) -> socket.socket:
        if self._socket is not None:
            return self._socket
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [
                        sys.executable,
                        "-I",
                        "-B",
                        "-m",
                        "node.geo.child",
                        str(theirs.fileno()),
                        json.dumps(asdict(self._limits)),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    cwd="/",
                    env=_ENVIRONMENT,
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise Unstartable(f"no reading process can be started: {error.strerror}") from error
        ours.settimeout(self._limits.wall_s)
        self._socket = ours
        return ours

    def _ended(self) -> str:
        """What became of a process that answers no more."""
        process = self._process
        assert process is not None
        try:
            status = process.wait(self._limits.wall_s)
        except subprocess.TimeoutExpired:
            status = 0
        self.close()
        if status == -signal.SIGXCPU:
            return f"reading it took more than {self._limits.cpu_s:g} s of a processor"
        if status < 0:
            return f"the reader was ended by signal {-status} (too little memory, or a damaged file)"
        return f"the reader ended with status {status}"


def opened(path: str) -> int:
    """A descriptor for reading, of the file itself and of no link. The caller closes it."""
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
