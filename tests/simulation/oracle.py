"""What must be true, worked out again from first principles, without any verdict or list of Syncline's.

The readers of formats (envelopes, roots, frames) are Syncline's; what they say is compared with plain SHA-256
over plain files, and with an evaluation of the policy that shares no code with `security.rules.decide`.
"""

import base64
import hashlib
import json
import os
import struct
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from core.limits import Limits
from security.policy import disclosures_from_json
from sync.compression import check_chunk
from sync.frames import unpack
from sync.ports import HubApi, OrdinalRange, RecipeStream
from sync.recipe import Root

EVIDENCE = ".syncline"


def payload(envelope: bytes) -> dict[str, Any]:
    """A statement, without asking who signed it."""
    return json.loads(base64.b64decode(json.loads(envelope)["payload"]))


def statement_id(envelope: bytes) -> str:
    """The digest of its payload."""
    return hashlib.sha256(base64.b64decode(json.loads(envelope)["payload"])).hexdigest()


def signed_inventory(envelope: bytes) -> str:
    """The inventory's digest in a manifest."""
    return payload(envelope)["subject"][0]["digest"]["sha256"]


def inventory_of(files: dict[str, bytes]) -> bytes:
    """What `sha256sum` prints for these files, sorted by the bytes of their paths."""
    lines = [
        f"{hashlib.sha256(data).hexdigest()}  {path}\n".encode()
        for path, data in sorted(files.items(), key=lambda item: item[0].encode())
    ]
    return b"".join(lines)


def allowed(disclosures: bytes, owner: str, partner: str, action: str, at: datetime) -> bool:
    """May `partner` do `action`? Deny by default; a prohibition wins; `read` implies `discover`, and
    prohibiting `discover` prohibits `read`."""
    if partner == owner:
        return True
    granted = False
    for disclosure in disclosures_from_json(disclosures):
        rule = disclosure.rule
        if rule.assignee not in (partner, "federation"):
            continue
        if rule.not_before is not None and at < rule.not_before:
            continue
        if rule.not_after is not None and at >= rule.not_after:
            continue
        if rule.effect == "prohibition" and (action in rule.actions or "discover" in rule.actions):
            return False
        if rule.effect == "permission" and (action in rule.actions or "read" in rule.actions):
            granted = True
    return granted


def tree(folder: Path) -> dict[str, bytes]:
    """Every regular file below `folder` but the evidence. A link or special file is an `AssertionError`."""
    found: dict[str, bytes] = {}
    for above, folders, names in os.walk(folder):
        if Path(above) == folder and EVIDENCE in folders:
            folders.remove(EVIDENCE)
        for name in [*names, *folders]:
            path = Path(above) / name
            assert not path.is_symlink(), f"{path} is a link"
            if name in names:
                found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def check_mirrored_version(version: Path) -> tuple[str, dict[str, bytes]]:
    """The folder holds exactly one signed version: its manifest's id and files. Raises `AssertionError`."""
    files = tree(version)
    listed = inventory_of(files)
    envelope = (version / EVIDENCE / "manifest.json").read_bytes()
    digest = hashlib.sha256(listed).hexdigest()
    assert digest == signed_inventory(envelope), f"{version} is not the version that its manifest signs"
    assert (version / EVIDENCE / "inventory.sha256").read_bytes() == listed, f"{version}: another inventory"
    assert version.name.endswith(statement_id(envelope)[:8]), f"{version} has another version's name"
    return statement_id(envelope), files


def resolve(mirror: Path) -> Path | None:
    """What `current` names; None when there is none. A link into nothing is an `AssertionError`."""
    current = mirror / "current"
    if not os.path.lexists(current):
        return None
    assert current.is_symlink(), f"{current} is not a link"
    version = Path(os.path.realpath(current))
    assert version.is_dir(), f"{current} names {current.readlink()}, which is not there"
    return version


def fetch_whole(api: HubApi, dataset: Any, manifest_id: str, limits: Limits) -> dict[str, bytes]:
    """A whole version from the hub, every byte checked. Raises what the hub raises, or `AssertionError`."""
    detail = api.get_version(dataset, manifest_id)
    assert detail.root is not None, f"{dataset} {manifest_id[:8]}: no recipe"
    root = Root.from_bytes(detail.root, limits)
    streams = {
        stream: b"".join(_read(api, dataset, manifest_id, stream, len(root.refs(stream)), limits))
        for stream in (RecipeStream.INVENTORY, RecipeStream.LAYOUT, RecipeStream.TABLE)
    }
    digest = hashlib.sha256(streams[RecipeStream.INVENTORY]).hexdigest()
    assert digest == signed_inventory(detail.envelope), f"{dataset}: the inventory is not the signed one"
    count = len(streams[RecipeStream.TABLE]) // 36
    chunks = iter(_read(api, dataset, manifest_id, RecipeStream.CONTENT, count, limits))
    files: dict[str, bytes] = {}
    for number, line in enumerate(streams[RecipeStream.INVENTORY].decode().splitlines()):
        size, pieces = struct.unpack_from("<QI", streams[RecipeStream.LAYOUT], 12 * number)
        data = b"".join(next(chunks) for _ in range(pieces))
        sha256, _, path = line.partition("  ")
        assert len(data) == size and hashlib.sha256(data).hexdigest() == sha256, f"{dataset}: {path} differs"
        files[path] = data
    assert next(chunks, None) is None, f"{dataset}: more chunks than the files need"
    return files


def _read(
    api: HubApi, dataset: Any, manifest_id: str, stream: RecipeStream, count: int, limits: Limits
) -> Sequence[bytes]:
    if not count:
        return []
    frames = api.read_blobs(dataset, manifest_id, stream, [OrdinalRange(0, count)])
    return [bytes(check_chunk(chunk, limits)) for frame in frames for chunk in unpack(frame, limits)]
