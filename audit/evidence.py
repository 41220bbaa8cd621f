"""Reads what stands beside the data: `.syncline/` of a version's folder (docs/formats/mirror.md).

    evidence = read_evidence(version_folder / ".syncline")

Rules: every file is bounded and read once; links are not followed; a file that is absent is None, because
absence is for the checks to judge; believes nothing.
"""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from core.errors import InvalidInput, Unavailable
from core.limits import LIMITS, Limits

_REGISTRY_NAME = re.compile(r"[0-9]{8}\.json", re.ASCII)
_PEM_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Evidence:
    """The statements beside a version's data, as bytes. `registries` ascend by number, `keys` by name."""

    folder: Path
    manifest: bytes | None
    policy: bytes | None
    disclosures: bytes | None
    registries: tuple[tuple[int, bytes], ...]
    keys: tuple[tuple[str, bytes], ...]

    @property
    def inventory(self) -> Path:
        """Where the inventory stands; it may be large and is read as a stream."""
        return self.folder / "inventory.sha256"


def read_evidence(folder: Path, limits: Limits = LIMITS) -> Evidence:
    """Read `folder`, the `.syncline` of a version. Raises `Unavailable` when it is not there."""
    if not is_plain_folder(folder):
        raise Unavailable(
            f"{folder} does not exist, so there is no evidence to check",
            remedy="copy a version's folder whole, with its hidden .syncline",
            reason="NO_EVIDENCE",
        )
    registries: list[tuple[int, bytes]] = []
    for name in _names(folder / "registry"):
        data = read_bounded(folder / "registry" / name, limits.registry_envelope_bytes_max)
        if _REGISTRY_NAME.fullmatch(name) and data is not None:
            registries.append((int(name.removesuffix(".json")), data))
    keys = ((name, read_bounded(folder / "keys" / name, _PEM_BYTES_MAX)) for name in _names(folder / "keys"))
    return Evidence(
        folder=folder,
        manifest=read_bounded(folder / "manifest.json", limits.envelope_bytes_max),
        policy=read_bounded(folder / "policy.json", limits.envelope_bytes_max),
        disclosures=read_bounded(folder / "policy-rules.json", limits.envelope_bytes_max),
        registries=tuple(registries),
        keys=tuple((name, data) for name, data in keys if data is not None),
    )


def read_bounded(path: Path, bytes_max: int) -> bytes | None:
    """The bytes of a plain file, None when there is none. Raises `InvalidInput` above `bytes_max`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise InvalidInput(f"{path} is larger than {bytes_max} bytes", remedy="it is not what it should be")
    return data


def is_plain_folder(path: Path) -> bool:
    """Whether `path` is a folder itself, not a link to one."""
    return path.is_dir() and not path.is_symlink()


def _names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if is_plain_folder(folder) else []
