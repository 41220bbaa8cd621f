"""Reads what stands beside the data: `.syncline/` of a version's folder (docs/formats/mirror.md).

    evidence = read_evidence(version_folder / ".syncline")

Rules: every file is bounded and read once; links are not followed; a file that is absent is None, because
absence is for the checks to judge; believes nothing.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from audit.source import FolderSource, Source, is_plain_folder
from core.errors import Unavailable
from core.limits import LIMITS, Limits

_REGISTRY_NAME = re.compile(r"([0-9]{8})\.json", re.ASCII)
_REGISTRY_PROOF_NAME = re.compile(r"registry-([0-9]{8})\.tlog-proof", re.ASCII)
_PEM_BYTES_MAX = 64 * 1024
_REGISTRIES_COUNT_MAX = 100_000
_RECORDS = ("version", "policy", "delivery")


class RegistryProofs(Mapping[int, bytes]):
    """The proofs of the registry's leaves, by number; each is read when it is asked for."""

    def __init__(self, source: Source, folder: str, limits: Limits) -> None:
        self._source = source
        self._folder = folder
        self._bytes_max = proof_bytes_max(limits)
        matched = (_REGISTRY_PROOF_NAME.fullmatch(name) for name in source.names(folder))
        self._numbers = {int(each[1]): None for each in islice(filter(None, matched), _REGISTRIES_COUNT_MAX)}

    def __getitem__(self, number: int) -> bytes:
        name = f"{self._folder}/registry-{number:08}.tlog-proof"
        data = self._source.read(name, self._bytes_max) if number in self._numbers else None
        if data is None:
            raise KeyError(number)
        return data

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


@dataclass(frozen=True, slots=True)
class LogEvidence:
    """What stands in `log/`, as bytes: checkpoint, policy of the log, proofs of the registry's leaves."""

    checkpoint: bytes | None
    policy: bytes | None
    registry_proofs: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The statements beside a version's data, as bytes. `registries` ascend by number, `keys` by name; both
    are streams, read once.

    `records` holds opening and proof of the leaves `version`, `policy` and `delivery`.
    """

    folder: Path
    manifest: bytes | None
    policy: bytes | None
    disclosures: bytes | None
    registries: Iterator[tuple[int, bytes]]
    keys: Iterator[tuple[str, bytes]]
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


def read_registries(source: Source, folder: str, limits: Limits = LIMITS) -> Iterator[tuple[int, bytes]]:
    """The registry's statements in `folder`, by the numbers of their names; one is held at a time."""
    matched = (_REGISTRY_NAME.fullmatch(name) for name in source.names(folder))
    for each in islice(filter(None, matched), _REGISTRIES_COUNT_MAX):
        data = source.read(f"{folder}/{each[0]}", limits.registry_envelope_bytes_max)
        if data is not None:
            yield int(each[1]), data


def read_keys(source: Source, folder: str) -> Iterator[tuple[str, bytes]]:
    """The PEM files for checks by hand; one is held at a time."""
    for name in source.names(folder):
        data = source.read(f"{folder}/{name}", _PEM_BYTES_MAX)
        if data is not None:
            yield name, data


def read_log(source: Source, folder: str, limits: Limits = LIMITS) -> LogEvidence:
    """Checkpoint, policy of the log, and the proofs of the registry's leaves."""
    return LogEvidence(
        checkpoint=source.read(f"{folder}/checkpoint", limits.note_bytes_max),
        policy=source.read(f"{folder}/log-policy", limits.note_bytes_max),
        registry_proofs=RegistryProofs(source, folder, limits),
    )


def proof_bytes_max(limits: Limits) -> int:
    """A proof is its hashes and the checkpoint's note."""
    return limits.note_bytes_max + 4096
