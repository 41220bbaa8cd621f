"""What leaves the hub for a backup: encrypted to a recipient (age, https://age-encryption.org/v1), or plain.

* The hub keeps the recipient alone, and a key for names: it can add to a backup, and cannot read one.
* The identity opens everything. It is made once, written to a file that `age` reads, and nowhere else.
* An object's name is the HMAC-SHA256 of its SHA-256: whoever sees the backup learns no digest. In a plain
  backup it is the SHA-256 itself.

    seal = Seal(keys)                      # or Seal(None): plain
    seal.name(sha256), seal.close(data)
    opener = load_identity(path)
    opener.open(sealed)                    # InvalidInput (WRONG_IDENTITY), Corrupt
"""

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage as _pyrage

from core import durable
from core.errors import Corrupt, InvalidInput
from security.keystore import read_private_file

age: Any = _pyrage  # its module carries no types

_NAMING_BYTES = 32
_IDENTITY = re.compile(r"^(AGE-SECRET-KEY-1[0-9A-Z]+)$", re.MULTILINE)
_SIGNER = re.compile(r"^# hub key: ([0-9a-f]{64}) ([0-9a-f]{64})$", re.MULTILINE)
_FILE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class SealKeys:
    """What the hub keeps in `keys/backup.json`: whom to encrypt to, and with what to name objects."""

    recipient: str
    naming: bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """What opens a backup; `signer`: the ids of the hub's key that signs snapshots, where the file says."""

    secret: Any
    signer: tuple[str, str] | None

    @property
    def recipient(self) -> str:
        """The recipient that it belongs to."""
        return str(self.secret.to_public())

    def open(self, sealed: bytes, what: str) -> bytes:
        """The plaintext. Raises `InvalidInput` (WRONG_IDENTITY), `Corrupt`."""
        try:
            return age.decrypt(sealed, [self.secret])
        except age.DecryptError as error:
            if "matching" in str(error).lower():
                raise InvalidInput(
                    f"this identity does not open {what}",
                    remedy="give the identity file that was made with the first backup, with --identity FILE",
                    reason="WRONG_IDENTITY",
                ) from error
            raise Corrupt(
                f"{what} cannot be decrypted: it was changed or cut off",
                remedy="check the disk; another snapshot or another copy of the backup may be whole",
                reason="CORRUPT_BACKUP",
            ) from error


class Seal:
    """Encrypts and names. `keys` None: does neither."""

    def __init__(self, keys: SealKeys | None) -> None:
        self._keys = keys
        self._recipient = None if keys is None else _recipient(keys.recipient)

    @property
    def recipient(self) -> str | None:
        """Whom to encrypt to; None: plain."""
        return None if self._keys is None else self._keys.recipient

    def name(self, sha256: str) -> str:
        """The name of the object with that content, 64 hex digits."""
        if self._keys is None:
            return sha256
        return hmac.new(self._keys.naming, bytes.fromhex(sha256), hashlib.sha256).hexdigest()

    def close(self, data: bytes) -> bytes:
        """As it is stored."""
        return data if self._recipient is None else age.encrypt(data, [self._recipient])


def load_keys(path: Path) -> SealKeys | None:
    """The hub's side; None before the first encrypted backup. Raises `Corrupt`."""
    if not path.exists():
        return None
    try:
        value = json.loads(read_private_file(path, _FILE_BYTES_MAX))
        keys = SealKeys(value["recipient"], bytes.fromhex(value["naming"]))
        _recipient(keys.recipient)
    except (ValueError, KeyError, TypeError, InvalidInput) as error:
        raise Corrupt(f"{path} cannot be read", remedy="restore it from a backup") from error
    return keys


def make_keys(path: Path, identity_path: Path, signer: tuple[str, str], made: str) -> SealKeys:
    """Make the identity at `identity_path` (one that is there already is used), then the hub's side.

    `signer`: the ids of the hub's key, written beside the identity, so that a backup that somebody else has
    made is not restored by it. Raises `InvalidInput` when the file holds no identity, `OSError`.
    """
    if identity_path.exists():  # the operator's own, or of a run that was interrupted between the two files
        identity = load_identity(identity_path)
    else:
        secret = age.x25519.Identity.generate()
        identity = Identity(secret, signer)
        text = (
            "# Opens the backups of a Syncline hub, also with `age --decrypt --identity THIS-FILE`.\n"
            "# Keep it where neither the hub nor its backups are: without it nothing can be restored.\n"
            f"# created: {made}\n"
            f"# public key: {identity.recipient}\n"
            f"# hub key: {signer[0]} {signer[1]}\n"
            f"{secret}\n"
        )
        durable.write_file(identity_path, text.encode(), mode=0o600)
    keys = SealKeys(identity.recipient, secrets.token_bytes(_NAMING_BYTES))
    value = {"recipient": keys.recipient, "naming": keys.naming.hex()}
    durable.write_file(path, json.dumps(value).encode(), mode=0o600)
    return keys


def load_identity(path: Path) -> Identity:
    """An identity file of ours or of `age-keygen`. Raises `InvalidInput`."""
    try:
        text = path.read_bytes()[:_FILE_BYTES_MAX].decode("utf-8")
        found = _IDENTITY.search(text)
        if found is None:
            raise ValueError("no AGE-SECRET-KEY-1… line")
        secret = age.x25519.Identity.from_str(found.group(1))
    except FileNotFoundError:
        raise InvalidInput(
            f"{path} does not exist",
            remedy="give the identity file that was made with the first backup, with --identity FILE",
            reason="NO_IDENTITY",
        ) from None
    except (OSError, ValueError, age.IdentityError) as error:
        raise InvalidInput(f"{path} holds no age identity: {error}", reason="NO_IDENTITY") from error
    signer = _SIGNER.search(text)
    return Identity(secret, None if signer is None else (signer.group(1), signer.group(2)))


def _recipient(text: str) -> Any:
    try:
        return age.x25519.Recipient.from_str(text)
    except age.RecipientError as error:
        raise InvalidInput(f"{text!r} is not an age recipient") from error
