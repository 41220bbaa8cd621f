"""The proofs beside a mirrored version, in `.syncline/`, for whoever wants to check it without Syncline.

    manifest.json             the owner's signed envelope
    inventory.sha256          `sha256sum -c .syncline/inventory.sha256` in the version's folder
    policy.json               the owner's signed policy under which it was received
    policy-rules.json         the rules of it that this partner may know, with their salts
    registry/00000001.json …  the administrators' signed statements that this node believes
    keys/<partner>.ed25519.pem   the Ed25519 half of the key that signed the manifest, for openssl

Rules: byte for byte as signed; written into staging, before the version becomes visible, and never read back.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from core.names import EVIDENCE_FOLDER, owner_of
from node.materialise import create_file, open_folder
from security import envelope as dsse
from security.keys import PublicKey
from security.policy import VerifiedPolicy
from security.registry import VerifiedRegistry
from sync.manifest import VerifiedManifest


def write_evidence(
    version: int,
    manifest: VerifiedManifest,
    policy: VerifiedPolicy,
    disclosures: bytes,
    registries: Sequence[VerifiedRegistry],
    keys: Sequence[PublicKey],
    inventory: Path,
) -> None:
    """Write `.syncline/` into the folder `version` (a descriptor). `keys` are the owner's."""
    signer = dsse.verify(manifest.envelope, dsse.MANIFEST, keys).signers[0]
    owner = owner_of(manifest.manifest.dataset)
    evidence = open_folder(version, EVIDENCE_FOLDER, create=True)
    try:
        _write(evidence, "manifest.json", manifest.envelope)
        _write(evidence, "policy.json", policy.envelope)
        _write(evidence, "policy-rules.json", disclosures)
        _copy(evidence, "inventory.sha256", inventory)
        _write_all(evidence, "registry", {f"{r.registry.seq:08}.json": r.envelope for r in registries})
        _write_all(evidence, "keys", {f"{owner}.ed25519.pem": signer.ed25519_pem()})
    finally:
        os.close(evidence)


def _write_all(folder: int, name: str, files: dict[str, bytes]) -> None:
    inner = open_folder(folder, name, create=True)
    try:
        for each, data in files.items():
            _write(inner, each, data)
    finally:
        os.close(inner)


def _write(folder: int, name: str, data: bytes) -> None:
    with os.fdopen(create_file(folder, name), "wb") as file:
        file.write(data)


def _copy(folder: int, name: str, source: Path) -> None:
    with source.open("rb") as reading, os.fdopen(create_file(folder, name), "wb") as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
