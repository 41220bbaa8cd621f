"""Reads what stands beside the data: `.syncline/` of a version's folder (docs/formats/mirror.md).

    evidence = read_evidence(version_folder / ".syncline")

Rules: every file is bounded and read once; links are not followed; a file that is absent is None, because
absence is for the checks to judge; believes nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audit.source import FolderSource, Source, is_plain_folder
from core.errors import InvalidInput, Unavailable
from core.limits import LIMITS, Limits

_REGISTRY_NAME = re.compile(r"([0-9]{8})\.json", re.ASCII)
_REGISTRY_PROOF_NAME = re.compile(r"registry-([0-9]{8})\.tlog-proof", re.ASCII)
_PEM_BYTES_MAX = 64 * 1024
_REGISTRIES_COUNT_MAX = 100_000
_RECORDS = ("version", "policy", "delivery")


@dataclass(frozen=True, slots=True)
class LogEvidence:
    """What stands in `log/`, as bytes: checkpoint, proofs of the registry's leaves by number."""

    checkpoint: bytes | None = None
    policy: bytes | None = None
    registry_proofs: Mapping[int, bytes] = field(default_factory=dict[int, bytes])


@dataclass(frozen=True, slots=True)
class Evidence:
    """The statements beside a version's data, as bytes. `registries` ascend by number, `keys` by name.

    `records` holds opening and proof of the leaves `version`, `policy` and `delivery`.
    """

    folder: Path
    manifest: bytes | None
    policy: bytes | None
    disclosures: bytes | None
    registries: tuple[tuple[int, bytes], ...]
    keys: tuple[tuple[str, bytes], ...]
    log: LogEvidence
    records: Mapping[str, tuple[bytes | None, bytes | None]]

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
    source = FolderSource(folder)
    records = {
        kind: (
            source.read(f"log/{kind}.opening.json", limits.envelope_bytes_max),
            source.read(f"log/{kind}.tlog-proof", proof_bytes_max(limits)),
        )
        for kind in _RECORDS
    }
    return Evidence(
        folder=folder,
        manifest=source.read("manifest.json", limits.envelope_bytes_max),
        policy=source.read("policy.json", limits.envelope_bytes_max),
        disclosures=source.read("policy-rules.json", limits.envelope_bytes_max),
        registries=read_registries(source, "registry", limits),
        keys=read_keys(source, "keys"),
        log=read_log(source, "log", limits),
        records=records,
    )


def read_registries(source: Source, folder: str, limits: Limits = LIMITS) -> tuple[tuple[int, bytes], ...]:
    """The registry's statements in `folder`, by the numbers of their names."""
    found: list[tuple[int, bytes]] = []
    for name in source.names(folder):
        matched = _REGISTRY_NAME.fullmatch(name)
        if matched is None:
            continue
        if len(found) == _REGISTRIES_COUNT_MAX:
            raise InvalidInput(f"more than {_REGISTRIES_COUNT_MAX} registry statements")
        data = source.read(f"{folder}/{name}", limits.registry_envelope_bytes_max)
        if data is not None:
            found.append((int(matched[1]), data))
    return tuple(found)


def read_keys(source: Source, folder: str) -> tuple[tuple[str, bytes], ...]:
    """The PEM files for checks by hand."""
    keys = ((name, source.read(f"{folder}/{name}", _PEM_BYTES_MAX)) for name in source.names(folder))
    return tuple((name, data) for name, data in keys if data is not None)


def read_log(source: Source, folder: str, limits: Limits = LIMITS) -> LogEvidence:
    """Checkpoint, policy of the log, and the proofs of the registry's leaves."""
    proofs: dict[int, bytes] = {}
    for name in source.names(folder):
        matched = _REGISTRY_PROOF_NAME.fullmatch(name)
        if matched is not None and len(proofs) < _REGISTRIES_COUNT_MAX:
            data = source.read(f"{folder}/{name}", proof_bytes_max(limits))
            if data is not None:
                proofs[int(matched[1])] = data
    return LogEvidence(
        checkpoint=source.read(f"{folder}/checkpoint", limits.note_bytes_max),
        policy=source.read(f"{folder}/log-policy", limits.note_bytes_max),
        registry_proofs=proofs,
    )


def proof_bytes_max(limits: Limits) -> int:
    """A proof is its hashes and the checkpoint's note."""
    return limits.note_bytes_max + 4096
