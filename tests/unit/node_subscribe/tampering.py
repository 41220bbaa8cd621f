"""A hub that lies: everything passes through to the honest one but what a test replaces."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any

from core.names import DatasetId
from security.envelope import parse
from sync import manifest as manifests
from sync.chunking import chunk_id
from sync.compression import encode
from sync.frames import pack
from sync.ports import DatasetEntry, HubApi, Listing, OrdinalRange, PolicyExtract, RecipeStream, VersionDetail
from sync.recipe import ChunkRef, LayoutEntry, Parameters, Root, cut_stream, write_layout, write_table
from tests.simulation.federation import TestFederation, build_version
from tests.unit.node_subscribe.conftest import DATASET


class LyingHub:
    """Delegates to `honest`; `replace(name, lie)` puts `lie(honest, *arguments)` in a call's place."""

    def __init__(self, honest: HubApi) -> None:
        self._honest = honest
        self._lies: dict[str, Callable[..., Any]] = {}

    def replace(self, name: str, lie: Callable[..., Any]) -> None:
        self._lies[name] = lie

    def honest_again(self) -> None:
        self._lies.clear()

    def __getattr__(self, name: str) -> Any:
        lie = self._lies.get(name)
        if lie is None:
            return getattr(self._honest, name)
        return lambda *arguments: lie(self._honest, *arguments)


class ForgedVersion:
    """A version that a dishonest owner or hub serves by itself: any inventory, any recipe, any signer."""

    def __init__(
        self,
        federation: TestFederation,
        policy: PolicyExtract,
        data: Mapping[str, bytes],
        *,
        inventory: bytes | None = None,
        claimed: Mapping[str, bytes] | None = None,
        sizes: Mapping[str, int] | None = None,
        **manifest: Any,
    ) -> None:
        limits = self._limits = federation.limits
        self.policy = policy
        self.chunks: dict[bytes, bytes] = {}
        self.streams: dict[RecipeStream, list[bytes]] = {}
        ordered = sorted(data.items(), key=lambda item: item[0].encode("utf-8", "surrogateescape"))
        lines = b"".join(
            hashlib.sha256((claimed or data)[path]).hexdigest().encode()
            + b"  "
            + path.encode("utf-8", "surrogateescape")
            + b"\n"
            for path, _ in ordered
        )
        self.inventory = lines if inventory is None else inventory
        layout, table = BytesIO(), BytesIO()
        content: list[bytes] = []
        for path, content_of in ordered:
            pieces = [content_of[at : at + 8192] for at in range(0, len(content_of), 8192)]
            for piece in pieces:
                write_table(ChunkRef(self._add(piece), len(piece)), table)
                content.append(chunk_id(piece))
            write_layout(LayoutEntry((sizes or {}).get(path, len(content_of)), len(pieces)), layout)
        for stream in (layout, table):
            stream.seek(0)
        refs = [
            cut_stream(each, lambda _, data: self._add(bytes(data)), limits)
            for each in (BytesIO(self.inventory), layout, table)
        ]
        self.streams = {
            RecipeStream.INVENTORY: [ref.id for ref in refs[0]],
            RecipeStream.LAYOUT: [ref.id for ref in refs[1]],
            RecipeStream.TABLE: [ref.id for ref in refs[2]],
            RecipeStream.CONTENT: content,
        }
        self.root = Root(Parameters.of(limits), *refs).to_bytes(limits)
        values: dict[str, Any] = {
            "inventory_sha256": hashlib.sha256(self.inventory).hexdigest(),
            "files": len(ordered),
            "bytes": sum(len(each) for each in data.values()),
            **manifest,
        }
        signer = values.pop("signer", federation.members["la-dgm"].signing)
        honest = build_version(federation, "la-dgm", "geology", {"x": b"x"})
        read = manifests.parse_manifest(parse(honest.envelope).payload, DATASET)
        self.envelope = manifests.build(replace(read, **values), signer)
        self.id = parse(self.envelope).id
        self.seq: int = manifest.get("seq", 1)

    def _add(self, data: bytes) -> bytes:
        id_ = chunk_id(data)
        self.chunks[id_] = data
        return id_

    def serve(self, hub: LyingHub, *, before: list[bytes] | None = None) -> Listing:
        """Let `hub` serve this version; the listing that names it."""
        chain = [*(before or []), self.envelope]
        hub.replace("list_versions", lambda _, __, seq: iter(chain[seq - 1 :]))
        hub.replace("get_version", lambda *_: VersionDetail(self.envelope, self.policy, self.root))
        hub.replace("read_blobs", self._read)
        hub.replace("acknowledge", lambda *_: 1)
        entry = DatasetEntry(DATASET, self.id, self.seq, 1, True, True)
        listing = Listing((entry,), "forged")
        hub.replace("list_datasets", lambda *_: listing)
        return listing

    def _read(
        self, _: HubApi, __: DatasetId, ___: str, stream: RecipeStream, ranges: list[OrdinalRange]
    ) -> Iterator[bytes]:
        ids = self.streams[stream]
        wanted = [ids[n] for one in ranges for n in range(one.first, one.first + one.count)]
        return pack([encode(id_, self.chunks[id_]) for id_ in wanted], self._limits)
