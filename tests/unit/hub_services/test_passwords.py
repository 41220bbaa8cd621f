"""Hashing passwords: a bounded number at once, the same for nobody as for somebody."""

import threading

import pytest

from core.errors import Denied, Unavailable
from hub.services.passwords import PASSWORD_BYTES_MAX, Cost, Passwords

CHEAP = Cost(time=1, memory_kib=8, lanes=1)


class Held(Passwords):
    """One hash is under way until the test lets it go."""

    def __init__(self) -> None:
        super().__init__(CHEAP, at_once=1, patience_s=0.0)
        self.entered, self.go = threading.Event(), threading.Event()

    def hold(self) -> None:
        with self._turn():
            self.entered.set()
            assert self.go.wait(20)


def test_who_comes_while_enough_are_hashed_is_told_to_try_again() -> None:
    passwords = Held()
    thread = threading.Thread(target=passwords.hold)
    thread.start()
    assert passwords.entered.wait(20)
    for attempt in (lambda: passwords.hash("x"), lambda: passwords.verify(None, "x")):
        with pytest.raises(Unavailable) as caught:
            attempt()
        assert caught.value.reason == "BUSY"
    passwords.go.set()
    thread.join()
    assert passwords.verify(passwords.hash("x"), "x") is None


def test_hashes_are_argon2id_with_the_parameters_of_rfc_9106() -> None:
    assert Passwords().hash("x").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_password_typed_on_two_keyboards_is_the_same() -> None:
    passwords = Passwords(CHEAP)
    assert passwords.verify(passwords.hash("caf\u00e9 ຫຼວງພະບາງ"), "cafe\u0301 ຫຼວງພະບາງ") is None


@pytest.mark.parametrize("hash_", [None, "", "$argon2id$", "x" * 100, "$2b$12$abc"])
def test_nobody_and_damaged_hashes_have_no_password(hash_: str | None) -> None:
    with pytest.raises(Denied):
        Passwords(CHEAP).verify(hash_, "x")


@pytest.mark.parametrize("password", ["", "\ud800", "\x00", "x" * PASSWORD_BYTES_MAX * 100])
def test_any_text_may_be_tried(password: str) -> None:
    passwords = Passwords(CHEAP)
    with pytest.raises(Denied):
        passwords.verify(passwords.hash("something else"), password)
