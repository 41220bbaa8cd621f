"""Private keys at rest: created once, 0600, refused when others may read them."""

import os
import stat
from pathlib import Path

import pytest

from core.errors import Conflict, Corrupt, InvalidInput, Unavailable
from security import keystore
from security.certificates import generate_tls_key
from security.keys import SigningKey, WitnessKey


@pytest.mark.parametrize("passphrase", [None, b"a passphrase"])
def test_keys_come_back_as_they_were_saved(tmp_path: Path, passphrase: bytes | None) -> None:
    signing, witness, tls = SigningKey.generate(), WitnessKey.generate(), generate_tls_key()
    keystore.save_signing_key(tmp_path / "signing", signing, passphrase)
    keystore.save_witness_key(tmp_path / "witness", witness, passphrase)
    keystore.save_tls_key(tmp_path / "tls", tls, passphrase)
    loaded = keystore.load_signing_key(tmp_path / "signing", passphrase)
    assert loaded.private_bytes() == signing.private_bytes()
    assert keystore.load_witness_key(tmp_path / "witness", passphrase).public == witness.public
    found = keystore.load_tls_key(tmp_path / "tls", passphrase)
    assert found.private_numbers() == tls.private_numbers()
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert (b"ENCRYPTED" in path.read_bytes()) is (passphrase is not None)


def test_a_key_is_0600_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keystore.save_witness_key(tmp_path / "key", WitnessKey.generate())
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    first = SigningKey.generate()
    keystore.save_signing_key(path, first)
    with pytest.raises(Conflict) as caught:
        keystore.save_signing_key(path, SigningKey.generate())
    assert caught.value.reason == "KEY_EXISTS"
    assert keystore.load_signing_key(path).public == first.public
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o666])
def test_a_key_that_others_may_touch_is_refused_with_a_remedy(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    keystore.save_witness_key(path, WitnessKey.generate())
    path.chmod(mode)
    with pytest.raises(InvalidInput) as caught:
        keystore.load_witness_key(path)
    assert caught.value.reason == "KEY_EXPOSED"
    assert f"chmod 600 {path}" in caught.value.remedy
    path.chmod(0o400)
    keystore.load_witness_key(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can give a file away")
def test_a_key_that_belongs_to_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    keystore.save_witness_key(path, WitnessKey.generate())
    os.chown(path, 12345, -1)
    with pytest.raises(InvalidInput, match="another user"):
        keystore.load_witness_key(path)


def test_a_missing_key_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        keystore.load_signing_key(tmp_path / "none")
    assert caught.value.reason == "KEY_MISSING"
    with pytest.raises(InvalidInput):
        keystore.load_signing_key(tmp_path)


def test_a_pipe_does_not_hang_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(InvalidInput, match="not a regular file"):
        keystore.load_signing_key(tmp_path / "pipe")


def test_passphrases(tmp_path: Path) -> None:
    path, plain = tmp_path / "key", tmp_path / "plain"
    keystore.save_signing_key(path, SigningKey.generate(), b"right")
    keystore.save_signing_key(plain, SigningKey.generate())
    for given, reason in [(None, "PASSPHRASE_MISSING"), (b"wrong", "PASSPHRASE_WRONG")]:
        with pytest.raises(InvalidInput) as caught:
            keystore.load_signing_key(path, given)
        assert caught.value.reason == reason
    keystore.load_signing_key(plain, b"not needed")
    with pytest.raises(InvalidInput):
        keystore.save_signing_key(tmp_path / "empty", SigningKey.generate(), b"")


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path, witness = tmp_path / "key", tmp_path / "witness"
    keystore.save_signing_key(path, SigningKey.generate())
    keystore.save_witness_key(witness, WitnessKey.generate())
    good, lone = path.read_bytes(), witness.read_bytes()
    blocks = good.split(b"-----END PRIVATE KEY-----\n")
    swapped = blocks[1] + b"-----END PRIVATE KEY-----\n" + blocks[0] + b"-----END PRIVATE KEY-----\n"
    for bad in (
        b"",
        good[:-30],
        good + b"x",
        lone,
        lone + lone,
        swapped,
        good + lone,
        bytes(100_000),
        b"\xff" * 9,
    ):
        path.write_bytes(bad)
        with pytest.raises(Corrupt):
            keystore.load_signing_key(path)
    with pytest.raises(Corrupt):
        keystore.load_tls_key(witness)
    for wrong in (good, b""):
        witness.write_bytes(wrong)
        with pytest.raises(Corrupt):
            keystore.load_witness_key(witness)
