"""The administrators' keys: where they are looked for, and what it means when they are not there.

    keys = load_keys(Path("/media/administrator/keys"), passphrase=None)      # [] where there are none

Files end in `.key`. They belong on another machine as soon as a federation is real; whatever needs them
says what to do when they are elsewhere.
"""

from collections.abc import Sequence
from pathlib import Path

from core.errors import SynclineError, Unavailable
from core.logs import get_logger
from security.keys import SigningKey
from security.keystore import load_signing_key

_SUFFIX = ".key"
_log = get_logger("hub.administrators")


def key_path(directory: Path, number: int) -> Path:
    """Where `init` writes the key of administrator `number`, from 1."""
    return directory / f"administrator-{number}{_SUFFIX}"


def key_files(directory: Path) -> list[Path]:
    """The key files in `directory`, by name; none when it does not exist."""
    try:
        return sorted(path for path in directory.iterdir() if path.suffix == _SUFFIX)
    except (FileNotFoundError, NotADirectoryError):
        return []


def load_keys(directory: Path, passphrase: bytes | None = None) -> list[SigningKey]:
    """Every key in `directory`. Raises what `security.keystore` raises."""
    return [load_signing_key(path, passphrase) for path in key_files(directory)]


def require_keys(directory: Path, passphrase: bytes | None = None) -> list[SigningKey]:
    """As `load_keys`, and at least one. Raises `Unavailable` (NO_KEYS)."""
    keys = load_keys(directory, passphrase)
    if not keys:
        raise Unavailable(
            f"there are no administrators' keys in {directory}",
            remedy="give the folder that holds them with --keys DIR",
            reason="NO_KEYS",
        )
    return keys


def keys_at_hand(directory: Path, passphrase: bytes | None = None) -> Sequence[SigningKey]:
    """The keys that can be used now, for work that goes on without them; what cannot be used is logged."""
    try:
        return load_keys(directory, passphrase)
    except SynclineError as error:
        _log.warning("the administrators' keys cannot be used", problem=error.message, remedy=error.remedy)
        return []
