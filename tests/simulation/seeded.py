"""A seeded life of a world: edits, shares, passes, faults; then peace; and what the promises say of it all.

    report = run(seed)                      # cached: the promises' tests of one seed share one life
    assert report.broken("converges") == []

The same seed writes the same script; only threads within an upload may order their questions differently.
`SYNCLINE_SEED=1234 pytest tests/simulation -k seed` replays one life; `SYNCLINE_SEEDS` says how
many lives `-m soak` has.
"""

import hashlib
import os
import random
import re
import shutil
import tempfile
import unicodedata
from collections import defaultdict
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from audit.findings import Result
from audit.load import Anchor
from audit.verify import verify_paths
from core.errors import Denied, SynclineError, Unavailable
from core.names import DatasetId
from core.progress import NullProgress
from security.policy import disclosures_from_json
from security.registry import verify_first
from security.trust import Trust
from sync.compression import check_chunk
from sync.frames import unpack
from tests.simulation import oracle
from tests.simulation.disk import Killed
from tests.simulation.in_process_hub import Fault, Faults
from tests.simulation.world import Pass, Restart, SimNode, World

PARTNERS = ("la-dgm", "th-dmr", "vn-dgm", "cn-cgs")
NAMES = (
    "geology.geojson",
    "maps/geology.tif",
    "ແຜນທີ່/ຫີນ.geojson",
    "แผนที่/รอยเลื่อน.csv",
    "地质图/断层.json",
    "bản đồ/đứt gãy.json",
    "ផែនទី/ថ្ម.dat",
    "a/b/c/d/e.bin",
    "a b (1).txt",
    "empty",
)
MARK = re.compile(rb"<([a-z-]+/[a-z-]+)>")
KEEP = "read-me.txt"  # never removed: a version is never empty

EVERYDAY_SEEDS = 4


def seeds() -> list[Any]:
    """What the promises' tests are parametrised with."""
    if one := os.environ.get("SYNCLINE_SEED"):
        return [pytest.param(int(one))]
    many = int(os.environ.get("SYNCLINE_SEEDS", "200"))
    everyday = [pytest.param(seed) for seed in range(EVERYDAY_SEEDS)]
    soak = [
        pytest.param(seed, marks=pytest.mark.soak) for seed in range(EVERYDAY_SEEDS, EVERYDAY_SEEDS + many)
    ]
    return everyday + soak


class Report:
    """What a life showed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.script: list[str] = []
        self.violations: dict[str, list[str]] = defaultdict(list)
        self.crash: BaseException | None = None

    def violated(self, promise: str, what: str) -> None:
        """Note it, with the place in the script."""
        if len(self.violations[promise]) < 5:
            self.violations[promise].append(f"after step {len(self.script)}: {what}")

    def check(self, promise: str) -> None:
        """Fail, with all that is needed to see it again."""
        found = self.violations[promise]
        if found or self.crash is not None:
            replay = f"SYNCLINE_SEED={self.seed} .venv/bin/python -m pytest tests/simulation -k {promise}"
            script = "\n  ".join(self.script)
            told = "\n".join(found) or repr(self.crash)
            raise AssertionError(
                f"{promise} is broken:\n{told}\nreplay: {replay}\nscript:\n  {script}"
            ) from self.crash


@lru_cache(maxsize=4)
def run(seed: int) -> Report:
    """Live that life."""
    report = Report(seed)
    # In memory where that is to be had: what these tests say does not depend on a disk's speed.
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix=f"syncline-life-{seed}-", dir=place))
    try:
        Life(seed, folder, report).live()
    except Exception as error:  # every promise's test of this seed fails with it
        report.crash = error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return report


class SeededFaults(Faults):
    """Faults whose choice for the n-th call of a name depends on the seed, the name and n alone."""

    def __init__(self, seed: str) -> None:
        super().__init__(0, 0.0)
        self._seed = seed
        self._chances: dict[str, random.Random] = {}

    def next(self, call: str, *, stream: bool = False) -> Fault | None:
        self.random = self._chances.setdefault(call, random.Random(f"{self._seed} {call}"))
        return super().next(call, stream=stream)


class Life:
    """One world, its script and its checks."""

    STEPS = 22

    def __init__(self, seed: int, folder: Path, report: Report) -> None:
        self.chance = random.Random(seed)
        self.report = report
        partners = PARTNERS[: self.chance.choice((2, 3, 3, 4))]
        self.world = World(folder, partners, watchers=[self._on_answer])
        self.nodes = list(self.world.nodes.values())
        for node in self.nodes:
            node.faults = SeededFaults(f"{seed} {node.who}")
            node.link.api.faults = node.faults
            node.witnesses = True
        self.removed: dict[str, set[str]] = defaultdict(set)
        self.granted: dict[tuple[str, str], set[str]] = defaultdict(set)  # (partner, dataset): versions
        self.acknowledged = Acknowledged()
        self.whole: set[tuple[str, str, int]] = set()
        self.looks: dict[Path, Any] = {}
        self.paths: dict[str, set[str]] = {}
        self.world.disk.watchers.append(self._on_durable_step)
        self.number = 0

    def live(self) -> None:
        with self.world:
            for node in self.nodes:
                for name in self.chance.sample(("geology", "hazard"), self.chance.choice((1, 1, 2))):
                    node.publishes(name, self._share(node))
                    self._write(node, name, KEEP)
                    for path in self.chance.sample(NAMES, 3):
                        self._write(node, name, path)
            for _ in range(self.STEPS):
                self._step()
            self._peace()

    # --- the script --------------------------------------------------------------------------------

    def _step(self) -> None:
        chance = self.chance
        node = chance.choice(self.nodes)
        name = chance.choice(sorted(node.sections))
        act = chance.choices(
            (self._edit, self._remove, self._rename, self._reshare, self._pass, self._restart, self._trouble),
            (4, 1, 1, 2, 10, 1, 4),
        )[0]
        act(node, name)
        if act in (self._pass, self._restart, self._trouble):
            self._everywhere()

    def _say(self, what: str) -> None:
        self.report.script.append(what)

    def _write(self, node: SimNode, name: str, path: str) -> None:
        self.number += 1
        dataset = f"{node.who}/{name}"
        lines = 0 if path == "empty" else self.chance.choice((1, 5, 40, 120))
        words = self.chance.randbytes(16).hex()
        data = "".join(f"<{dataset}> {words} {n * n}\n" for n in range(lines)).encode()
        # Some disks spell decomposed: always the same folder, since two spellings in one are a collision.
        spelling = "NFD" if len(node.who + name) % 2 else "NFC"
        node.write(name, unicodedata.normalize(spelling, path), data)

    def _edit(self, node: SimNode, name: str) -> None:
        path = self.chance.choice((*NAMES, KEEP))
        self._say(f"{node.who} writes {name}/{path}")
        self._write(node, name, path)

    def _some_file(self, node: SimNode, name: str) -> str | None:
        there = sorted(path for path in oracle.tree(node.folder(name)) if path != KEEP)
        return self.chance.choice(there) if there else None

    def _remove(self, node: SimNode, name: str) -> None:
        path = self._some_file(node, name)
        if path is not None:
            self._say(f"{node.who} removes {name}/{path}")
            (node.folder(name) / path).unlink()
            self.removed[f"{node.who}/{name}"].add(unicodedata.normalize("NFC", path))

    def _rename(self, node: SimNode, name: str) -> None:
        path = self._some_file(node, name)
        if path is not None:
            target = f"renamed/{self.number}-{Path(path).name}"
            self._say(f"{node.who} renames {name}/{path} to {target}")
            (node.folder(name) / "renamed").mkdir(exist_ok=True)
            (node.folder(name) / path).rename(node.folder(name) / target)
            self.number += 1
            self.removed[f"{node.who}/{name}"].add(unicodedata.normalize("NFC", path))

    def _share(self, node: SimNode) -> list[dict[str, Any]]:
        others = [each.who for each in self.nodes if each is not node]
        share: list[dict[str, Any]] = []
        for who in others:
            draw = self.chance.random()
            if draw < 0.5:
                share.append({"with": [who], "allow": ["discover", "read"]})
            elif draw < 0.65:
                share.append({"with": [who], "allow": ["discover"]})
            elif draw < 0.8:
                begins = self.world.clock.now() + timedelta(seconds=self.chance.randint(-600, 900))
                ends = begins + timedelta(seconds=self.chance.randint(60, 1800))
                share.append({"with": [who], "allow": ["read"], "not_before": begins, "not_after": ends})
        if self.chance.random() < 0.2:
            share.append({"with": ["federation"], "allow": ["read"]})
        if self.chance.random() < 0.2:
            share.append(
                {"with": [self.chance.choice(others)], "deny": [self.chance.choice(("discover", "read"))]}
            )
        return share

    def _reshare(self, node: SimNode, name: str) -> None:
        node.sections[name]["share"] = self._share(node)
        self._say(f"{node.who} shares {name} as {node.sections[name]['share']}")

    def _pass(self, node: SimNode, _name: str) -> None:
        self.world.clock.advance(self.chance.choice((5, 30, 300)))
        self._say(f"{node.who} syncs")
        self._outcome(node, node.sync_pass())
        if self.chance.random() < 0.5:
            node.approve_all()

    def _restart(self, _node: SimNode, _name: str) -> None:
        how = self.chance.choice(list(Restart))
        self._say(f"the hub restarts: {how.name}")
        self.world.restart_hub(how)
        self.acknowledged.check(self.world, self.report)

    def _trouble(self, node: SimNode, name: str) -> None:
        """A pass with something going wrong in it."""
        kind = self.chance.choice(("network", "network", "kill node", "kill hub", "disk full"))
        after = self.chance.choice((0, 1, 2, 3, 5, 8, 13, 21, 34))
        self._say(f"{kind} while {node.who} syncs (after {after})")
        match kind:
            case "network":
                node.faults.rate = self.chance.choice((0.05, 0.2, 0.4))
            case "kill node":
                self.world.disk.kill(node.who, after)
            case "kill hub":
                self.world.disk.kill("hub", after)
            case _:
                self.world.disk.full(self.chance.choice((node.who, "hub")), after)
        self.world.clock.advance(30)
        self._outcome(node, node.sync_pass())
        node.faults.stop()
        self.world.disk.stop()
        self.acknowledged.check(self.world, self.report)

    def _outcome(self, node: SimNode, result: Pass) -> None:
        for error in result.errors:
            self._say(
                f"  {node.who}: {type(error).__name__} {getattr(error, 'reason', '')}: {error}".rstrip()
            )
        if result.error is not None and not isinstance(result.error, (SynclineError, OSError, Killed)):
            raise result.error

    def _peace(self) -> None:
        """Faults stop; a few passes; then everything must be as it should."""
        for node in self.nodes:
            node.faults.stop()
        self.world.disk.stop()
        self.world.clock.advance(120)
        self._say("peace")
        if any(each.startswith("hub disk full") for each in self.world.disk.happened):
            self.world.restart_hub(Restart.STOPPED)  # as the hub asks for, when a flush has failed
        for _ in range(3):
            for node in self.nodes:
                result = node.sync_pass()
                self._outcome(node, result)
                node.approve_all()
            self._everywhere()
        for owner in self.nodes:
            for name in owner.sections:
                self._converged(owner, name)
        self.acknowledged.check(self.world, self.report)
        self._provable()

    # --- the promises, at every step ------------------------------------------------------------------

    def _on_durable_step(self, who: str, _step: str, _path: Path) -> None:
        if who != "hub":
            self._never_a_mix(self.world.nodes[who])

    def _never_a_mix(self, node: SimNode) -> None:
        for current in node.mirror_root.glob("*/*/current"):
            try:
                version = oracle.resolve(current.parent)
                assert version is not None
                looks = {path: path.lstat().st_mtime_ns for path in version.rglob("*")}
                if self.looks.get(version) != looks:
                    oracle.check_mirrored_version(version)
                    self.looks[version] = looks
            except (AssertionError, OSError) as error:
                self.report.violated("never_a_mix", f"{node.who}: {error}")

    def _everywhere(self) -> None:
        for node in self.nodes:
            self._never_a_mix(node)
            self._materialisable(node)
        for owner in self.nodes:
            for name in owner.sections:
                self._no_silent_delete(owner, name)

    def _materialisable(self, node: SimNode) -> None:
        """All that the hub lists to this partner with content can be fetched whole, past all faults."""
        api = self.world.federation.api(node.who)
        listing = api.list_datasets(None)
        assert listing is not None
        for entry in listing.entries:
            key = (node.who, entry.manifest_id or "", self.world.host.starts)
            if not (entry.may_read and entry.has_content and entry.manifest_id) or key in self.whole:
                continue
            try:
                oracle.fetch_whole(api, entry.dataset, entry.manifest_id, self.world.limits)
                self.whole.add(key)
            except (SynclineError, AssertionError) as error:
                self.report.violated(
                    "materialisable", f"{node.who} cannot have {entry.dataset} {entry.manifest_seq}: {error}"
                )

    def _no_silent_delete(self, owner: SimNode, name: str) -> None:
        """Whatever a version lacks of the one before was removed by the script."""
        dataset = f"{owner.who}/{name}"
        api = self.world.federation.api(owner.who)
        before: set[str] = set()
        for envelope in self._versions(owner.who, dataset):
            id_ = oracle.statement_id(envelope)
            if id_ not in self.paths:
                try:
                    whole = oracle.fetch_whole(api, DatasetId(dataset), id_, self.world.limits)
                except (SynclineError, AssertionError):
                    continue  # withheld
                self.paths[id_] = set(whole)
            files = self.paths[id_]
            lost = before - files - self.removed[dataset]
            if lost:
                self.report.violated("no_silent_delete", f"{dataset} lost {sorted(lost)}")
            before = files

    def _versions(self, owner: str, dataset: str) -> list[bytes]:
        try:
            return list(self.world.federation.api(owner).list_versions(DatasetId(dataset), 1))
        except Denied:
            return []

    # --- what everybody may know ------------------------------------------------------------------------

    def _allowed(self, partner: str, dataset: str, action: str) -> bool:
        """By the newest policy that the hub has accepted, now."""
        owner = dataset.partition("/")[0]
        hub = self.world.host.hub
        try:
            policies = hub.catalogue.list_policies(self.world.federation.caller(owner), DatasetId(dataset), 1)
        except Denied:
            return False
        return bool(policies) and oracle.allowed(
            policies[-1].disclosures, owner, partner, action, self.world.clock.now()
        )

    def _must(self, partner: str, dataset: str, action: str, what: str) -> None:
        if not self._allowed(partner, dataset, action):
            self.report.violated("default_deny", f"{partner} got {what} of {dataset}")

    def _on_answer(self, who: str, call: str, arguments: tuple[Any, ...], answer: Any) -> None:
        match call:
            case "list_datasets":
                for entry in answer.entries:
                    self._must(who, entry.dataset, "discover", "a record")
                    if entry.may_read:
                        self._must(who, entry.dataset, "read", "the right to read")
            case "get_version":
                self._must(who, arguments[0], "discover", "a version")
                if answer.root is not None:
                    self._must(who, arguments[0], "read", "a recipe")
                    self.granted[who, arguments[0]].add(arguments[1])
                self._only_its_own_rules(who, arguments[0], answer.policy.disclosures)
            case "list_versions" | "list_policies":
                self._must(who, arguments[0], "discover", call)
            case "read_blobs":
                self._must(who, arguments[0], "read", "bytes")
                for dataset in self._marks(answer):
                    self._must(who, dataset, "read", "content")
            case "update_blobs":
                for dataset in self._marks(answer):
                    # Whoever joins tomorrow counts too, where a rule names the federation.
                    others = [each for each in (*self.world.nodes, "zz-tomorrow") if each != who]
                    if not any(self._allowed(each, dataset, "read") for each in others):
                        self.report.violated("default_deny", f"{who} sent content of {dataset} unshared")
            case _:
                self.acknowledged.note(who, call, arguments, answer, self.world)

    def _only_its_own_rules(self, who: str, dataset: str, disclosures: bytes) -> None:
        if who == dataset.partition("/")[0]:
            return
        for disclosure in disclosures_from_json(disclosures):
            if disclosure.rule.assignee not in (who, "federation"):
                self.report.violated("default_deny", f"{who} learnt of {disclosure.rule.assignee}")

    def _marks(self, frame: bytes | memoryview) -> set[str]:
        found: set[str] = set()
        for chunk in unpack(frame, self.world.limits):
            data = bytes(check_chunk(chunk, self.world.limits))
            found |= {each.decode() for each in MARK.findall(data)}
        return found

    # --- in the end ----------------------------------------------------------------------------------

    def _converged(self, owner: SimNode, name: str) -> None:
        dataset = f"{owner.who}/{name}"
        versions = self._versions(owner.who, dataset)
        head = oracle.statement_id(versions[-1]) if versions else None
        here = owner.listed(name)
        signed = oracle.signed_inventory(versions[-1]) if versions else None
        if signed != hashlib.sha256(oracle.inventory_of(here)).hexdigest():
            self.report.violated("converges", f"the newest version of {dataset} is not what its folder holds")
        for node in self.nodes:
            if node is owner:
                continue
            version = oracle.resolve(node.mirror(dataset))
            held = None if version is None else oracle.check_mirrored_version(version)
            if self._allowed(node.who, dataset, "read"):
                if held is None or held != (head, here):
                    has = "nothing" if held is None else f"{held[0][:8]} with {sorted(held[1])}"
                    self.report.violated(
                        "converges", f"{node.who} has {has} of {dataset}, not {head} with {sorted(here)}"
                    )
            elif held is not None and held[0] not in self.granted[node.who, dataset]:
                self.report.violated("default_deny", f"{node.who} holds a version of {dataset} never granted")

    def _provable(self) -> None:
        """Each mirror proves itself to an auditor without a network, and so does what each owner exports."""
        self._let_evidence_grow()
        trust = trust_of(self.world)
        for node in self.nodes:
            for alarm in node.alarms():
                self.report.violated(
                    "provable", f"an honest hub, and {node.who} has an alarm: {alarm.message}"
                )
            for dataset in sorted(f"{o.who}/{name}" for o in self.nodes for name in o.sections):
                if oracle.resolve(node.mirror(dataset)) is not None:
                    # Who may not ask any more holds the evidence of then, maybe before anybody had cosigned.
                    open_ = set[str]() if self._allowed(node.who, dataset, "read") else {"witnesses"}
                    self._proves(node.mirror(dataset), trust, open_)
            datasets = [DatasetId(f"{node.who}/{name}") for name in sorted(node.sections)]
            self._proves(self._exported(node.who, datasets), trust, set())

    def _let_evidence_grow(self) -> None:
        """Every rule has begun or ended; then witnesses have cosigned, and mirrors ask again."""
        for _ in range(2):
            self._say("an hour passes")
            self.world.clock.advance(3600)
            for node in self.nodes:
                self._outcome(node, node.sync_pass())

    def _exported(self, owner: str, datasets: list[DatasetId]) -> Path:
        hub, out = self.world.host.hub, self.world.folder / f"evidence-{owner}"
        there = [each for each in datasets if self._versions(owner, each)]
        hub.export.export(hub.export.plan(there, "owner", with_data=True, since=None), out, NullProgress())
        return out

    def _proves(self, path: Path, trust: Trust, may_be_open: set[str]) -> None:
        for each in verify_paths([path], Anchor(trust), self.world.limits):
            for finding in each.findings:
                wrong = finding.result is Result.FAILED
                if wrong or (finding.result is Result.UNCHECKED and finding.check not in may_be_open):
                    said = f"{finding.check} {finding.result.value}: {finding.message}"
                    self.report.violated("provable", f"{path}: {said}")


def trust_of(world: World) -> Trust:
    """What an administrator gives to an auditor."""
    first = world.federation.hub.registry.list_from(1)[0]
    return Trust.of(verify_first(first, oracle.statement_id(first)))


class Acknowledged:
    """What the hub has said that it has: it must have it after whatever befalls it."""

    def __init__(self) -> None:
        self.chunks: dict[str, set[bytes]] = defaultdict(set)
        self.statements: dict[tuple[str, str], int] = {}
        self.leaves: dict[int, str] = {}

    def note(self, who: str, call: str, arguments: tuple[Any, ...], answer: Any, world: World) -> None:
        """Remember an answer."""
        match call:
            case "durable":
                for frame in answer:
                    self.chunks[who].update(bytes(chunk.id) for chunk in unpack(frame, world.limits))
            case "commit_version":
                self.statements["version", oracle.statement_id(arguments[0])] = answer.leaf_index
            case "publish_policy":
                self.statements["policy", oracle.statement_id(arguments[0].envelope)] = answer.leaf_index
            case "acknowledge":
                self.leaves[answer] = oracle.statement_id(arguments[0])

    def check(self, world: World, report: Report) -> None:
        """That it is all there."""
        hub = world.host.hub
        for who, chunks in self.chunks.items():
            ids = sorted(chunks)
            for at in range(0, len(ids), world.limits.find_missing_count_max):
                part = ids[at : at + world.limits.find_missing_count_max]
                missing = sum(hub.content.find_missing(world.federation.caller(who), part))
                if missing:
                    report.violated("durable_ack", f"{missing} acknowledged chunks of {who} are gone")
        there: set[tuple[str, str]] = set()
        for node in world.nodes.values():
            caller = world.federation.caller(node.who)
            for name in node.sections:
                dataset = DatasetId(f"{node.who}/{name}")
                try:
                    there |= {
                        ("version", oracle.statement_id(each))
                        for each in hub.catalogue.list_versions(caller, dataset, 1)
                    }
                    there |= {
                        ("policy", oracle.statement_id(each.envelope))
                        for each in hub.catalogue.list_policies(caller, dataset, 1)
                    }
                except (Denied, Unavailable):
                    continue
        for kind, id_ in self.statements.keys() - there:
            report.violated("durable_ack", f"the accepted {kind} {id_[:8]} is gone")
