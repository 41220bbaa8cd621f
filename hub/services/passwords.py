"""Passwords: how strong they must be, and their argon2id hashes, a bounded number at once.

Hashing takes 64 MiB and a tenth of a second, so that guessing is dear; here at most `_AT_ONCE` are under way,
and who waits too long is told to try again: a flood of logins eats neither memory nor all threads.

    passwords = Passwords()
    passwords.verify(hash_, "correct horse battery staple")          # None, or a newer hash to keep
    check_strength("correct horse battery staple", "vilay")          # InvalidInput (WEAK_PASSWORD)

Algorithm and parameters: RFC 9106, second recommended option.
"""

import threading
import unicodedata
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from argon2 import PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerificationError

from core.errors import Denied, InvalidInput, Unavailable

PASSWORD_LENGTH_MIN = 12
PASSWORD_BYTES_MAX = 1024
_AT_ONCE = 2
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Cost:
    """How dear a hash is. Tests take less."""

    time: int = profiles.RFC_9106_LOW_MEMORY.time_cost
    memory_kib: int = profiles.RFC_9106_LOW_MEMORY.memory_cost
    lanes: int = profiles.RFC_9106_LOW_MEMORY.parallelism


class Passwords:
    """Hashes and checks. Thread-safe."""

    def __init__(
        self, cost: Cost = Cost(), *, at_once: int = _AT_ONCE, patience_s: float = _PATIENCE_S
    ) -> None:
        self._hasher = PasswordHasher(cost.time, cost.memory_kib, cost.lanes)
        self._turns = threading.BoundedSemaphore(at_once)
        self._patience_s = patience_s
        self._nobodys: str | None = None

    def hash(self, password: str) -> str:
        """To be kept. Raises `Unavailable` (BUSY)."""
        with self._turn():
            return self._hasher.hash(_bytes(password))

    def verify(self, hash_: str | None, password: str) -> str | None:
        """A new hash where the parameters have moved on, else None; `hash_` None: the same work for nobody.

        Raises `Denied` (LOGIN) when it is another password, `Unavailable` (BUSY).
        """
        given = _bytes(password)
        with self._turn():
            known = hash_ if hash_ is not None else self._of_nobody()
            try:
                self._hasher.verify(known, given)
            except (VerificationError, InvalidHashError):
                raise Denied("the password is wrong", reason="LOGIN") from None
            if hash_ is None:
                raise Denied("the password is wrong", reason="LOGIN")
            return self._hasher.hash(given) if self._hasher.check_needs_rehash(known) else None

    def _of_nobody(self) -> str:
        """A hash of the same cost that no password has."""
        if self._nobodys is None:
            self._nobodys = self._hasher.hash(b"\xff nobody's")  # not UTF-8: no password is this
        return self._nobodys

    @contextmanager
    def _turn(self) -> Generator[None]:
        if not self._turns.acquire(timeout=self._patience_s):
            raise Unavailable("too many sign in at once", remedy="try again in a moment", reason="BUSY")
        try:
            yield
        finally:
            self._turns.release()


def check_strength(password: str, name: str) -> None:
    """Raises `InvalidInput` (WEAK_PASSWORD)."""
    length = len(unicodedata.normalize("NFC", password))
    if length < PASSWORD_LENGTH_MIN:
        raise _weak(f"the password has {length} characters, {PASSWORD_LENGTH_MIN} are needed")
    if len(_bytes(password)) > PASSWORD_BYTES_MAX:
        raise _weak(f"the password is longer than {PASSWORD_BYTES_MAX} bytes")
    plain = password.casefold().strip()
    if plain in (name.casefold(), name.casefold() * (len(plain) // max(1, len(name)))):
        raise _weak("the password is the name")
    if len(set(plain)) < 4:
        raise _weak("the password is the same few characters over and over")


def _bytes(password: str) -> bytes:
    """The same password typed on two keyboards is the same; what is far too long is cut off, wrong anyway."""
    text = unicodedata.normalize("NFC", password[: 2 * PASSWORD_BYTES_MAX])
    return text.encode("utf-8", "replace")


def _weak(message: str) -> InvalidInput:
    return InvalidInput(message, remedy="take four words that do not belong together", reason="WEAK_PASSWORD")
