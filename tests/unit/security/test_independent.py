"""Others verify what we sign: securesystemslib, and openssl with a few lines of shell."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import Key, SSlibKey

from security import envelope as dsse
from security.keys import PublicKey, SigningKey
from tests.installed import needs_openssl, openssl_version

VECTORS = Path(__file__).parents[2] / "vectors"
SCRIPT = Path(__file__).parents[3] / "docs/formats/verify-manifest.sh"


def owner() -> PublicKey:
    return PublicKey.from_json(json.loads((VECTORS / "keys.json").read_bytes())["owner"]["public"])


def their_key(public: PublicKey) -> Key:
    # Only Ed25519: its "ml-dsa-65/1" signs a hash with a prefix of its own, not the message (pure ML-DSA).
    return SSlibKey(public.keyids[0], "ed25519", "ed25519", {"public": public.ed25519.hex()})


def their_envelope(data: bytes) -> Envelope:
    return Envelope.from_dict(json.loads(data))


def test_securesystemslib_verifies_the_ed25519_half() -> None:
    envelope = their_envelope((VECTORS / "envelopes/manifest.json").read_bytes())
    key = their_key(owner())
    assert list(envelope.verify([key], 1)) == [key.keyid]
    assert envelope.pae() == dsse.pae(envelope.payload_type, envelope.payload)


@pytest.mark.parametrize("name", ["payload-swapped", "wrong-key", "ed25519-wrong", "ed25519-missing"])
def test_securesystemslib_refuses_what_we_refuse(name: str) -> None:
    envelope = their_envelope((VECTORS / f"refused/{name}.json").read_bytes())
    with pytest.raises(VerificationError):
        envelope.verify([their_key(owner())], 1)


def test_we_verify_an_envelope_that_securesystemslib_wrote() -> None:
    key = SigningKey.generate()
    ours = their_envelope(dsse.sign(dsse.MANIFEST, b"{}", [key]))
    theirs = json.dumps(ours.to_dict(), indent=2).encode()
    assert dsse.verify(theirs, dsse.MANIFEST, [key.public]).payload == b"{}"


def by_hand(envelope: str, key: str = "owner.ed25519.pem", *more: str) -> subprocess.CompletedProcess[str]:
    paths = [str(VECTORS / name) for name in (envelope, key, *more)]
    return subprocess.run(["sh", str(SCRIPT), *paths], capture_output=True, text=True, check=False)


@needs_openssl
def test_openssl_and_a_few_lines_of_shell_verify_a_manifest() -> None:
    done = by_hand("envelopes/manifest.json", "owner.ed25519.pem", "inventory.sha256")
    assert done.returncode == 0, done.stderr
    envelope = dsse.parse((VECTORS / "envelopes/manifest.json").read_bytes())
    assert f"VERIFIED: version {envelope.id}\n{envelope.payload.decode()}\n" == done.stdout


@needs_openssl
@pytest.mark.parametrize(
    "name",
    [
        "payload-swapped",
        "ed25519-wrong",
        "ed25519-missing",
        "keyid-foreign",
        "signatures-swapped",
        "type-swapped",
        "type-with-suffix",
        "wrong-key",
        "unsigned",
        "duplicate-payload",
        "trailing-bytes",
        "base64-unpadded",
        "not-json",
    ],
)
def test_the_script_refuses_an_altered_envelope(name: str) -> None:
    done = by_hand(f"refused/{name}.json")
    assert done.returncode == 3, done.stdout
    assert "REFUSED" in done.stderr


@needs_openssl
def test_the_script_refuses_another_key_and_another_inventory() -> None:
    assert by_hand("envelopes/manifest.json", "other.ed25519.pem").returncode == 3
    assert by_hand("envelopes/manifest.json", "owner.ed25519.pem", "leaf.json").returncode == 3
    assert by_hand("envelopes/policy.json").returncode == 3


@needs_openssl
def test_openssl_reads_the_public_key_that_we_write() -> None:
    done = subprocess.run(
        ["openssl", "pkey", "-pubin", "-noout", "-text"],
        input=owner().ed25519_pem(),
        capture_output=True,
        check=True,
    )
    shown = re.sub(rb"[^0-9a-f]", b"", done.stdout.split(b"pub:")[1])
    assert shown.decode() == owner().ed25519.hex()


@pytest.mark.skipif(
    openssl_version() < (3, 5), reason="ML-DSA HALF NOT TESTED BY HAND: it needs openssl 3.5 or newer"
)
@pytest.mark.parametrize(("name", "status"), [("envelopes/manifest", 0), ("refused/ml-dsa-65-wrong", 1)])
def test_openssl_verifies_the_ml_dsa_65_half(name: str, status: int, tmp_path: Path) -> None:
    envelope = dsse.parse((VECTORS / f"{name}.json").read_bytes())
    (tmp_path / "key.pem").write_bytes(owner().ml_dsa_65_pem())
    (tmp_path / "sig").write_bytes(envelope.signatures[owner().keyids[1]])
    (tmp_path / "pae").write_bytes(envelope.message)
    command = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in pae -sigfile sig"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == status
