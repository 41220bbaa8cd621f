"""The administrators' keys: where they are looked for, and what it means when they are not there.

    keys = load_keys(Path("/media/administrator/keys"), passphrase=None)      # [] where there are none
    keep_registry(directory, hub.registry.list_from)                          # what they have signed, beside

Files end in `.key`. They belong on another machine as soon as a federation is real; whatever needs them
says what to do when they are elsewhere. `registry/00000001.json …` beside them are the statements that were
signed with them: a hub that is restored from an older copy takes them in, so that no number is signed twice.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from core import durable
from core.errors import SynclineError, Unavailable
from core.logs import get_logger
from security.keys import SigningKey
from security.keystore import load_signing_key

_SUFFIX = ".key"
_REGISTRY = "registry"
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


def keep_registry(directory: Path, list_from: Callable[[int], Sequence[bytes]]) -> None:
    """Leave a copy of each registry statement beside the keys; a folder that takes none is warned of."""
    folder = directory / _REGISTRY
    if not key_files(directory):
        return
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        seq = len(kept_registry(directory)) + 1
        while envelopes := list_from(seq):
            for envelope in envelopes:
                durable.write_file(folder / f"{seq:08}.json", envelope)
                seq += 1
    except (OSError, SynclineError) as error:
        _log.warning(
            "the signed registry cannot be kept beside the keys", folder=str(folder), error=str(error)
        )


def kept_registry(directory: Path) -> list[bytes]:
    """The statements beside the keys, in order, up to the first that is missing."""
    found: list[bytes] = []
    while (path := directory / _REGISTRY / f"{len(found) + 1:08}.json").exists():
        found.append(path.read_bytes())
    return found
