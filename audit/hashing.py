"""Hashes many files with all cores, in order, in bounded memory.

    for key, found in hashed(jobs, progress):          # jobs: (key, size as far as known, read)
        found                                          # Hashed(size, sha256), or None: it could not be read

Rules: small files go to a thread many at a time, large ones one by one, so that neither the hand-over nor
one slow file holds up the rest; results come in the order of the jobs; only so many are under way as keep
the threads busy. Threads suffice: hashing and reading release the interpreter's lock.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, Generic, NamedTuple, TypeVar

from core.progress import NullProgress, Progress

_BATCH_BYTES = 1 << 20
_BATCH_COUNT = 64
_READ_BYTES = 1 << 20
_THREADS_MAX = 16

Key = TypeVar("Key")


class Hashed(NamedTuple):
    """What a file holds: bytes counted while hashing, and hex SHA-256."""

    size: int
    sha256: str


Read = Callable[[], Hashed | None]


class Job(NamedTuple, Generic[Key]):
    """A file to hash. `size` as far as is known: it only says how to share out the work."""

    key: Key
    size: int
    read: Read


def hashed(jobs: Iterable[Job[Key]], progress: Progress | None = None) -> Iterator[tuple[Key, Hashed | None]]:
    """The hash of each job's file, in order. Errors of `read` come out here."""
    shown = progress if progress is not None else NullProgress()
    threads = min(_THREADS_MAX, os.cpu_count() or 1)
    pending: deque[tuple[list[Job[Key]], Future[list[Hashed | None]]]] = deque()

    def settle() -> Iterator[tuple[Key, Hashed | None]]:
        batch, future = pending.popleft()
        for job, found in zip(batch, future.result(), strict=True):
            if found is not None:
                shown.advance(found.size)
            yield job.key, found

    with ThreadPoolExecutor(threads, "hash") as pool:
        try:
            for batch in _batches(jobs):
                pending.append((batch, pool.submit(_work, batch)))
                if len(pending) > 4 * threads:
                    yield from settle()
            while pending:
                yield from settle()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def digest_descriptor(descriptor: int, size: int) -> Hashed:
    """Hash an open file. One read for a small one, 1 MiB at a time for others."""
    if size <= _READ_BYTES:
        data = os.read(descriptor, size + 1)
        if len(data) == size:
            # The end is where it was said to be: nothing more can follow but what is being written now.
            return Hashed(size, hashlib.sha256(data).hexdigest())
        os.lseek(descriptor, 0, os.SEEK_SET)
    digest, count = hashlib.sha256(), 0
    buffer = memoryview(bytearray(_READ_BYTES))
    while got := os.readv(descriptor, [buffer]):
        digest.update(buffer[:got])
        count += got
    return Hashed(count, digest.hexdigest())


def digest_stream(file: BinaryIO) -> Hashed:
    """Hash a stream."""
    digest, count = hashlib.sha256(), 0
    while data := file.read(_READ_BYTES):
        digest.update(data)
        count += len(data)
    return Hashed(count, digest.hexdigest())


def _work(batch: list[Job[Key]]) -> list[Hashed | None]:
    return [job.read() for job in batch]


def _batches(jobs: Iterable[Job[Key]]) -> Iterator[list[Job[Key]]]:
    batch: list[Job[Key]] = []
    size = 0
    for job in jobs:
        batch.append(job)
        size += job.size
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_COUNT:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
