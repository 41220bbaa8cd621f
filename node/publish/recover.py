"""Learn a dataset's head from the hub again, when the node's own memory of it was lost.

Rules: every statement is checked with the owner's own keys and as one unbroken chain; the list of files
comes from the recipe that was committed, and must have the inventory's digest that was signed. Where the
bytes were withheld there is no list; the chain continues all the same. Nothing is merged: what the hub has
is taken over as it is.

    found = find_head(hub, dataset, keys)            # None: the hub knows nothing of it
    recover(records, hub, found, work_dir)
"""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from io import BufferedRandom
from pathlib import Path

from core.errors import Conflict, Denied, Untrusted
from core.limits import LIMITS, Limits
from core.names import DatasetId
from node.publish.describe import described_in
from node.publish.records import Head, Listed, PublishRecords
from security.keys import PublicKey
from security.policy import VerifiedPolicy, disclosures_to_json, verify_policy
from security.statement import Link, check_successor
from sync import inventory
from sync.compression import check_chunk
from sync.frames import unpack
from sync.manifest import VerifiedManifest, verify_manifest
from sync.ports import HubApi, OrdinalRange, RecipeStream
from sync.recipe import ChunkRef, Root, check_consistent, read_layout, read_table, write_table


@dataclass(frozen=True, slots=True)
class Found:
    """The newest statements of a dataset at the hub; the manifest is None before a first version."""

    policy: VerifiedPolicy | None
    manifest: VerifiedManifest | None

    @property
    def id(self) -> str:
        """What names this head to a person who approves it."""
        named = self.manifest or self.policy
        assert named is not None
        return named.id


def find_head(
    hub: HubApi, dataset: DatasetId, keys: Sequence[PublicKey], limits: Limits = LIMITS
) -> Found | None:
    """The verified chain's ends, or None when the hub has nothing. Raises `Untrusted` when it does not
    hold."""
    manifest: VerifiedManifest | None = None
    policy: VerifiedPolicy | None = None
    try:
        head: Link | None = None
        for extract in hub.list_policies(dataset, 1):
            policy = verify_policy(
                extract.envelope, extract.disclosures, keys, complete=True, dataset=dataset, limits=limits
            )
            check_successor(head, policy.link, f"policy of {dataset}")
            head = policy.link
        head = None
        for envelope in hub.list_versions(dataset, 1):
            manifest = verify_manifest(envelope, keys, dataset, limits)
            check_successor(head, manifest.link, f"manifest of {dataset}")
            head = manifest.link
    except Denied:
        return None  # so far as we may know, it does not exist
    return None if policy is None and manifest is None else Found(policy, manifest)


def is_behind(found: Found | None, head: Head) -> bool:
    """Whether the hub has less than it has accepted from this node: it was turned back, or says it was.

    Such a head is never taken over: the next version would be a second one of a number that is out already.
    """
    manifest_seq = found.manifest.manifest.seq if found and found.manifest else 0
    policy_seq = found.policy.policy.seq if found and found.policy else 0
    return manifest_seq < head.manifest_seq or policy_seq < head.policy_seq


def hub_turned_back(dataset: DatasetId, seq: int, accepted_seq: int) -> Conflict:
    """What to say of a hub that has version `seq`, and has accepted `accepted_seq`."""
    has = f"version {seq}" if seq else "no version"
    return Conflict(
        f"the hub has {has} of {dataset}, and has accepted version {accepted_seq} before: it was turned back",
        remedy="tell its operator, who restores what it lost; until then nothing new is signed here",
        reason="HUB_TURNED_BACK",
    )


def recover(
    records: PublishRecords, hub: HubApi, found: Found, work_dir: Path, limits: Limits = LIMITS
) -> Head:
    """Take over what `find_head` found, with its list of files where the hub has it."""
    manifest = found.manifest
    head = Head(
        policy_seq=found.policy.policy.seq if found.policy else 0,
        policy_id=found.policy.id if found.policy else None,
        policy_envelope=found.policy.envelope if found.policy else None,
        disclosures=_disclosures(found.policy),
        manifest_seq=manifest.manifest.seq if manifest else 0,
        manifest_id=manifest.id if manifest else None,
        manifest_envelope=manifest.envelope if manifest else None,
        files=manifest.manifest.files if manifest else 0,
        bytes=manifest.manifest.bytes if manifest else 0,
        described=described_in(manifest.manifest) if manifest else "",
    )
    root = hub.get_version(records.dataset, manifest.id).root if manifest else None
    if manifest is None or root is None:
        records.adopt(head, ())
        return head
    with ExitStack() as stack:
        work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        streams: list[BufferedRandom] = []
        parsed = Root.from_bytes(root, limits)
        for stream in (RecipeStream.INVENTORY, RecipeStream.LAYOUT, RecipeStream.TABLE):
            file = stack.enter_context(tempfile.TemporaryFile(dir=work_dir))
            _fetch(hub, records.dataset, manifest.id, stream, parsed.refs(stream), file, limits)
            streams.append(file)
        _check(manifest, streams, limits)
        head = replace(head, has_content=True)
        records.adopt(head, _listed(streams, limits))
    return head


def _disclosures(policy: VerifiedPolicy | None) -> bytes | None:
    return disclosures_to_json(policy.rules) if policy else None


def _fetch(
    hub: HubApi,
    dataset: DatasetId,
    manifest_id: str,
    stream: RecipeStream,
    refs: Sequence[ChunkRef],
    file: BufferedRandom,
    limits: Limits,
) -> None:
    expected = iter(refs)
    if refs:
        for frame in hub.read_blobs(dataset, manifest_id, stream, [OrdinalRange(0, len(refs))]):
            for chunk in unpack(frame, limits):
                ref = next(expected, None)
                if ref is None or chunk.id != ref.id or chunk.raw_bytes != ref.raw_bytes:
                    raise Untrusted("the hub sent a chunk that was not asked for", reason="WRONG_CHUNK")
                file.write(check_chunk(chunk, limits))
    if next(expected, None) is not None:
        raise Untrusted("the hub sent fewer chunks than the recipe lists", reason="WRONG_CHUNK")
    file.seek(0)


def _check(manifest: VerifiedManifest, streams: Sequence[BufferedRandom], limits: Limits) -> None:
    if hashlib.file_digest(streams[0], "sha256").hexdigest() != manifest.manifest.inventory_sha256:
        raise Untrusted("the hub's file list is not the one that was signed", reason="WRONG_INVENTORY")
    for stream in streams:
        stream.seek(0)
    check_consistent(streams[0], streams[1], streams[2], limits)
    for stream in streams:
        stream.seek(0)


def _listed(streams: Sequence[BufferedRandom], limits: Limits) -> Iterator[tuple[Listed, bytes]]:
    table = read_table(streams[2])
    pairs = zip(inventory.read(streams[0], limits), read_layout(streams[1]), strict=True)
    for entry, layout in pairs:
        data = _Bytes()
        for _ in range(layout.chunks):
            write_table(next(table), data)
        yield Listed(entry.path, bytes.fromhex(entry.sha256), layout.bytes), bytes(data.data)


class _Bytes:
    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes, /) -> int:
        self.data += data
        return len(data)
