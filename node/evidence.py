"""The proofs beside a mirrored version, in `.syncline/`, for whoever wants to check it without Syncline.

    manifest.json             the owner's signed envelope
    inventory.sha256          `sha256sum -c .syncline/inventory.sha256` in the version's folder
    policy.json               the owner's signed policy under which it was received
    policy-rules.json         the rules of it that this partner may know, with their salts
    registry/00000001.json …  the administrators' signed statements that this node believes
    keys/<partner>.ed25519.pem   the Ed25519 half of the key that signed the manifest, for openssl
    log/checkpoint …             openings and proofs of all this, under one checkpoint (`proofs.proof_files`)

Rules: byte for byte as signed; written into staging, before the version becomes visible, and never read back.
What comes later (more cosignatures; the log's proofs, for a version of an earlier release) is written beside
what is there, flushed, and put in its place by renames.

    write_evidence(staging, statements, log)
    renew_evidence(version, statements, log)
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core import durable
from core.names import EVIDENCE_FOLDER, owner_of
from node.materialise import anchored, create_file, open_folder
from security import envelope as dsse
from security.keys import PublicKey
from security.policy import VerifiedPolicy
from security.registry import VerifiedRegistry
from sync.manifest import VerifiedManifest

_LOG = "log"
_NEW = ".new"
_OLD = ".old"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """What was signed about a version. `keys` are those with which its owner may have signed the manifest."""

    manifest: VerifiedManifest
    policy: VerifiedPolicy
    disclosures: bytes
    registries: Sequence[VerifiedRegistry]
    keys: Sequence[PublicKey]
    inventory: Path


def write_evidence(version: int, statements: Statements, log: Mapping[str, bytes]) -> None:
    """Write `.syncline/` into the folder `version` (a descriptor), in place of what an attempt left there."""
    with suppress(FileNotFoundError):
        shutil.rmtree(EVIDENCE_FOLDER, dir_fd=version)
    evidence = open_folder(version, EVIDENCE_FOLDER, create=True)
    try:
        _write_whole(evidence, statements, log)
    finally:
        os.close(evidence)


def renew_evidence(version: int, statements: Statements, log: Mapping[str, bytes]) -> None:
    """Bring `.syncline/` of a standing version to what is known now. May stop anywhere, and be repeated."""
    evidence = open_folder(version, EVIDENCE_FOLDER, create=True)
    try:
        for leftover in (_NEW, _OLD):
            with suppress(FileNotFoundError):
                shutil.rmtree(leftover, dir_fd=evidence)
        new = open_folder(evidence, _NEW, create=True)
        try:
            _write_whole(new, statements, log)
            durable.sync_filesystem(anchored(new))
            _put_in_place(evidence, new)
        finally:
            os.close(new)
        with suppress(FileNotFoundError):
            shutil.rmtree(_OLD, dir_fd=evidence)
        shutil.rmtree(_NEW, dir_fd=evidence)
    finally:
        os.close(evidence)


def _put_in_place(evidence: int, new: int) -> None:
    """Files one by one over those of the same name; `log`, whose files belong together, as a whole."""
    for folder in ("", "registry", "keys"):
        source = open_folder(new, folder) if folder else os.dup(new)
        try:
            target = open_folder(evidence, folder, create=True) if folder else os.dup(evidence)
            try:
                for name in sorted(os.listdir(source)):
                    if folder or name not in (_LOG, "registry", "keys"):
                        os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
                durable.fsync_dir(anchored(target))
            finally:
                os.close(target)
        finally:
            os.close(source)
    with suppress(FileNotFoundError):
        os.rename(_LOG, _OLD, src_dir_fd=evidence, dst_dir_fd=evidence)
    durable.rename(anchored(new, _LOG), anchored(evidence, _LOG))


def _write_whole(evidence: int, statements: Statements, log: Mapping[str, bytes]) -> None:
    manifest = statements.manifest
    signer = dsse.verify(manifest.envelope, dsse.MANIFEST, statements.keys).signers[0]
    owner = owner_of(manifest.manifest.dataset)
    _write(evidence, "manifest.json", manifest.envelope)
    _write(evidence, "policy.json", statements.policy.envelope)
    _write(evidence, "policy-rules.json", statements.disclosures)
    _copy(evidence, "inventory.sha256", statements.inventory)
    registries = {f"{each.registry.seq:08}.json": each.envelope for each in statements.registries}
    _write_all(evidence, "registry", registries)
    _write_all(evidence, "keys", {f"{owner}.ed25519.pem": signer.ed25519_pem()})
    _write_all(evidence, _LOG, log)


def _write_all(folder: int, name: str, files: Mapping[str, bytes]) -> None:
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
