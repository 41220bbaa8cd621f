"""Rows of policies, versions, deliveries and acknowledgements, with true leaves and signatures of zeros.

    tables = Tables(database, partners, registry, datasets=10_000)
    tables.write(begin, end)                          # how many leaves there are now
    tables.mirrors(7)                                 # what the seventh node holds, and should

Each dataset has two versions; half of the policies name the federation, the others twenty partners. A node
mirrors `MIRRORS` datasets of others and acknowledged their newest version, but for the first of a node that
is behind. Every sixteenth dataset says nothing of its cadence, every eighth has no place.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from typing import Any

import sqlalchemy as sa

from core.clock import format_instant
from core.limits import LIMITS
from core.names import DatasetId, NodeName, PartnerId
from deploy.demo.fleet.subjects import SUBJECTS
from hub.services.translog import leaf_count
from hub.storage import schema
from hub.storage.database import Database
from security.canonical import JSON, canonical
from security.digests import sha256_hex
from security.envelope import ACKNOWLEDGEMENT, MANIFEST, POLICY, assemble
from security.policy import SALT_BYTES, Disclosure, Policy, disclosures_to_json
from security.registry import VerifiedRegistry
from security.rules import FEDERATION, Rule
from security.tlog.leaf import lane_commitment, make_leaf, new_salt
from sync.acknowledgement import Acknowledgement
from sync.manifest import License, Manifest
from sync.recipe import Parameters, Root, cut_stream

MIRRORS = 20
_NAMED = 20
_NODE = NodeName("main")
_NO_SIGNATURES = {"0" * 64: bytes(64), "1" * 64: bytes(3309)}  # the lengths of Ed25519's and ML-DSA-65's
_ROWS_COUNT = 5_000
_FREQUENCIES = ("annually", "monthly", "weekly", "daily", "irregular", "continual")


@dataclass(frozen=True, slots=True)
class Version:
    """The newest version of a dataset, and its policy."""

    dataset: DatasetId
    owner: PartnerId
    manifest: Manifest
    id: str
    policy: str


class Tables:
    """Writes them once."""

    def __init__(
        self, database: Database, partners: list[PartnerId], registry: VerifiedRegistry, datasets: int
    ) -> None:
        self.partners = partners
        self.datasets = [
            DatasetId(f"{partners[n % len(partners)]}/sheet-{n // len(partners):03}") for n in range(datasets)
        ]
        self.newest: dict[DatasetId, Version] = {}
        self._database = database
        self._registry = registry
        self._root = Root(Parameters.of(LIMITS), *[cut_stream(BytesIO(), _nowhere, LIMITS)] * 3)

    def write(self, begin: datetime, end: datetime) -> int:
        """Everything, evenly from `begin` to `end`; how many leaves the log has then."""
        with self._database.write() as connection:
            rows = _Rows(leaf_count(connection), begin, end, self._leaves(), _lanes(connection))
            for number, dataset in enumerate(self.datasets):
                self._policy(rows, number, dataset)
            for seq in (1, 2):
                for number, dataset in enumerate(self.datasets):
                    self._version(rows, number, dataset, seq)
            for place in range(len(self.partners)):
                self._acknowledge(rows, place)
            for table in (
                schema.leaves,
                schema.datasets,
                schema.policies,
                schema.versions,
                schema.deliveries,
                schema.acknowledgements,
                schema.dataset_facts,
            ):
                found = rows.of[table.name]
                for first in range(0, len(found), _ROWS_COUNT):
                    connection.execute(table.insert(), found[first : first + _ROWS_COUNT])
            return rows.next

    def published(self, place: int) -> list[Version]:
        """The datasets of a node."""
        return [self.newest[each] for each in self.datasets[place :: len(self.partners)]]

    def mirrors(self, place: int) -> list[Version]:
        """What a node subscribes to: of those that come after its own."""
        step = len(self.datasets) // MIRRORS + 1
        numbers = {(place + 1 + turn * step) % len(self.datasets) for turn in range(MIRRORS)}
        found = (self.newest[self.datasets[number]] for number in sorted(numbers))
        return [each for each in found if each.owner != self.partners[place]]

    def is_behind(self, place: int) -> bool:
        """Every tenth node lacks the newest version of its first mirror."""
        return place % 10 == 3

    def facts(self, number: int) -> dict[str, Any]:
        """What the owner declares of a dataset, as reports say it."""
        west, south = 95 + number * 7 % 40, -8 + number * 3 % 32
        return {
            "update_frequency": None if number % 16 == 5 else _FREQUENCIES[number % len(_FREQUENCIES)],
            "next_update": None,
            "footprint": {
                "bbox": None if number % 8 == 5 else [west, south, west + 1 + number % 3, south + 1],
                "bbox_source": "unknown" if number % 8 == 5 else "declared",
                "begin": "2001-01-01",
                "end": "2020-12-31",
                "period_source": "declared",
            },
        }

    # --- steps -----------------------------------------------------------------------------------

    def _leaves(self) -> int:
        return 3 * len(self.datasets) + 2 * MIRRORS * len(self.partners)

    def _policy(self, rows: "_Rows", number: int, dataset: DatasetId) -> None:
        owner = self.partners[number % len(self.partners)]
        named = [self.partners[(number + 1 + n) % len(self.partners)] for n in range(_NAMED)]
        readers = [FEDERATION] if number % 2 else sorted(set(named) - {owner})
        rules = [Rule(f"read-{each}", "permission", each, ("read",)) for each in readers]
        disclosed = [Disclosure(rule, number.to_bytes(SALT_BYTES)) for rule in rules]
        digests = tuple(sorted(each.digest for each in disclosed))
        payload = Policy(dataset, 1, None, rows.moment, digests, None).to_payload()
        id_ = sha256_hex(payload)
        leaf = rows.leaf("policy", owner, dataset, owner, id_, {"seq": 1})
        rows.of["datasets"].append({"dataset": dataset, "owner": owner, "node": _NODE})
        rows.of["policies"].append(
            {
                "dataset": dataset,
                "seq": 1,
                "id": id_,
                "envelope": assemble(POLICY, payload, _NO_SIGNATURES),
                "disclosures": disclosures_to_json(disclosed),
                "accepted": format_instant(rows.moment),
                "leaf": leaf,
            }
        )
        said = self.facts(number)
        place = said["footprint"]
        bbox = {"bbox": place["bbox"], "source": place["bbox_source"]}
        rows.of["dataset_facts"].append(
            {
                "dataset": dataset,
                "time": format_instant(rows.moment),
                "update_frequency": said["update_frequency"],
                "next_update": None,
                "footprint": json.dumps(bbox) if place["bbox"] else None,
                "period": json.dumps({"begin": "2001-01-01", "end": "2020-12-31", "source": "declared"}),
            }
        )
        first = self._first(dataset, owner, number, id_, rows.moment)
        self.newest[dataset] = Version(dataset, owner, first, "", id_)

    def _first(
        self, dataset: DatasetId, owner: PartnerId, number: int, policy: str, created: datetime
    ) -> Manifest:
        subject = SUBJECTS[number % len(SUBJECTS)]
        titles = {tag: f"{text} · {number}" for tag, text in list(subject.titles.items())[:3]}
        return Manifest(
            dataset=dataset,
            inventory_sha256="0" * 64,
            seq=0,
            prev=None,
            created=created,
            owner=owner,
            rights_holder=f"Agency {owner}",
            license=License(expression="CC-BY-4.0"),
            title=titles,
            theme=subject.theme,
            policy_seq=1,
            policy_sha256=policy,
            registry_seq=self._registry.registry.seq,
            registry_sha256=self._registry.id,
            files=100 + number % 900,
            bytes=10_000_000 + number * 1_000,
        )

    def _version(self, rows: "_Rows", number: int, dataset: DatasetId, seq: int) -> None:
        before = self.newest[dataset]
        manifest = replace(
            before.manifest,
            seq=seq,
            prev=before.id or None,
            created=rows.moment,
            files=before.manifest.files + seq,
            bytes=before.manifest.bytes + seq * 100_000,
        )
        payload = manifest.to_payload()
        id_ = sha256_hex(payload)
        owner = before.owner
        root = None if number % 50 == 7 else self._root.to_bytes(LIMITS)
        detail: dict[str, JSON] = {"node": _NODE, "seq": seq, "content": root is not None}
        leaf = rows.leaf("version", owner, dataset, owner, id_, detail)
        rows.of["versions"].append(
            {
                "dataset": dataset,
                "seq": seq,
                "id": id_,
                "envelope": assemble(MANIFEST, payload, _NO_SIGNATURES),
                "title": canonical(dict(manifest.title)).decode(),
                "files": manifest.files,
                "bytes": manifest.bytes,
                "policy_seq": 1,
                "root": root,
                "accepted": format_instant(rows.moment),
                "leaf": leaf,
            }
        )
        self.newest[dataset] = replace(before, manifest=manifest, id=id_)

    def _acknowledge(self, rows: "_Rows", place: int) -> None:
        partner = self.partners[place]
        for turn, version in enumerate(self.mirrors(place)):
            if turn == 0 and self.is_behind(place):
                continue
            said = {"partner": partner, "version": version.id}
            leaf = rows.leaf("delivery", "hub", version.dataset, version.owner, None, dict(said))
            rows.of["deliveries"].append({**said, "leaf": leaf})
            payload = Acknowledgement(
                dataset=version.dataset,
                manifest_sha256=version.id,
                policy_sha256=version.policy,
                partner=partner,
                node=_NODE,
                created=rows.moment,
            ).to_payload()
            id_ = sha256_hex(payload)
            detail: dict[str, JSON] = {
                "node": _NODE,
                "version": version.id,
                "policy": version.policy,
                "result": "applied",
            }
            leaf = rows.leaf("acknowledgement", partner, version.dataset, version.owner, id_, detail)
            rows.of["acknowledgements"].append(
                {
                    "id": id_,
                    **said,
                    "node": _NODE,
                    "envelope": assemble(ACKNOWLEDGEMENT, payload, _NO_SIGNATURES),
                    "accepted": format_instant(rows.moment),
                    "leaf": leaf,
                }
            )


class _Rows:
    """Rows by table. Leaves have their place in the log and in their owner's lane, as the hub makes them."""

    def __init__(
        self,
        first: int,
        begin: datetime,
        end: datetime,
        count: int,
        lanes: dict[PartnerId, tuple[int, str | None]],
    ) -> None:
        self.next = first
        self.of: dict[str, list[dict[str, Any]]] = {table: [] for table in schema.metadata.tables}
        self._first, self._begin, self._step = first, begin, (end - begin) / count
        self._lanes = lanes

    @property
    def moment(self) -> datetime:
        """When the next leaf is appended."""
        return (self._begin + (self.next - self._first) * self._step).replace(microsecond=0)

    def leaf(
        self,
        type_: str,
        actor: str,
        dataset: str,
        owner: PartnerId,
        statement: str | None,
        detail: dict[str, JSON],
    ) -> int:
        """A leaf; its index."""
        n, prev = self._lanes.get(owner, (0, None))
        salt = new_salt()
        commitment = lane_commitment(owner, n + 1, prev, salt)
        self._lanes[owner] = n + 1, commitment
        time = format_instant(self.moment)
        record: dict[str, JSON] = {
            "v": 1,
            "type": type_,
            "time": time,
            "actor": actor,
            "object": dataset,
            "detail": detail,
            "lane": commitment,
        }
        if statement is not None:
            record["statement_sha256"] = statement
        leaf, opening = make_leaf(record)
        self.of["leaves"].append(
            {
                "idx": self.next,
                "leaf": leaf,
                "type": type_,
                "record": opening.record,
                "nonce": opening.nonce,
                "lane_owner": owner,
                "lane_n": n + 1,
                "lane_commitment": commitment,
                "lane_salt": salt,
                "actor": actor,
                "time": time,
                "object": dataset,
            }
        )
        self.next += 1
        return self.next - 1


def _lanes(connection: sa.Connection) -> dict[PartnerId, tuple[int, str | None]]:
    """Where each owner's lane ends: enrolments stand there already."""
    table = schema.leaves
    # Beside a maximum, SQLite gives the other columns of the row that has it.
    query = sa.select(table.c.lane_owner, sa.func.max(table.c.lane_n).label("n"), table.c.lane_commitment)
    rows = connection.execute(query.where(table.c.lane_owner.is_not(None)).group_by(table.c.lane_owner))
    return {row.lane_owner: (row.n, row.lane_commitment) for row in rows}


def _nowhere(_id: bytes, _data: memoryview) -> None:
    """There is no content."""
