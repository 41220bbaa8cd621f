"""Two months of a fleet's life, in order of time: joining, sharing, publishing, fetching, witnessing.

    life = Life(hub, clock, administrator, agencies, plan, now)
    life.live()                       # up to a moment before `now`
    life.report_all()                 # and how every node stands

What is to happen is put into one list, sorted by time, and then done, the hub's clock set before each.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.limits import LIMITS
from core.names import DatasetId
from deploy.demo.fleet.agencies import Agency
from deploy.demo.fleet.contents import Content, Contents
from deploy.demo.fleet.member import Member
from deploy.demo.fleet.plan import PlannedDataset, PlannedVersion
from deploy.demo.fleet.reports import LAGS, SILENT_SINCE, Held, Owned, Standing
from deploy.demo.fleet.rules import readers_of, rules_of, terms_of
from deploy.demo.fleet.set_clock import SetClock
from hub.services.hub import Hub
from security.digests import sha256_hex
from security.keys import SigningKey
from sync.manifest import License
from sync.ports import OrdinalRange, RecipeStream, StoredChunk

Who = tuple[str, str]

_WANTED = 0.28
_LATELY = timedelta(days=2)
_LICENCE_TEXT = "Free use within the federation."


@dataclass(frozen=True, slots=True)
class Committed:
    """A version that the hub has accepted."""

    plan: PlannedDataset
    seq: int
    id: str
    policy: str
    accepted: datetime
    files: int
    bytes: int


class Life:
    """Lives it."""

    def __init__(
        self,
        hub: Hub,
        clock: SetClock,
        administrator: SigningKey,
        agencies: Sequence[Agency],
        plan: Sequence[PlannedDataset],
        now: datetime,
    ) -> None:
        self._hub = hub
        self._clock = clock
        self._administrator = administrator
        self._agencies = agencies
        self._plan = plan
        self._now = now
        self._contents = Contents()
        self._made: dict[tuple[DatasetId, int], Content] = {}
        self._start = clock.now()
        self._agenda: list[tuple[datetime, Callable[[], None]]] = []
        self._committed: dict[DatasetId, list[Committed]] = {}
        self._enrolled: dict[Who, datetime] = {}
        self._cosigned: dict[Who, int] = {}
        self._moods = {
            (agency.id, machine.name): machine.mood for agency in agencies for machine in agency.machines
        }
        self._lacking = self._draw_wishes()
        self.members: dict[Who, Member] = {}
        self.standings: dict[Who, Standing] = {}

    def publisher(self, agency: Agency) -> Member:
        """The node that publishes for the agency."""
        return self.members[agency.id, agency.machines[0].name]

    def live(self) -> None:
        """Everything that happens, in its order."""
        self._plan_enrolments()
        for each in self._plan:
            self._plan_dataset(each)
        self._plan_witnessing()
        self._at(self._now - timedelta(days=3), self._renew)
        self._at(self._now - SILENT_SINCE, lambda: self._report_moods({"silent"}))
        for moment, act in sorted(self._agenda, key=lambda item: item[0]):
            self._clock.go(moment)
            act()

    def report_all(self) -> None:
        """How each node stands at the end, but those that have fallen silent."""
        self._witness(self._hub.log.make_checkpoint)
        self._report_moods(set(self._moods.values()) - {"silent", "no report yet"})
        self._hub.log.refused(self._agencies[-1].id, "NOT_GRANTED")  # type: ignore[arg-type]
        self._hub.log.perform()

    # --- what is to happen -----------------------------------------------------------------------

    def _at(self, moment: datetime, act: Callable[[], None]) -> None:
        self._agenda.append((moment, act))

    def _plan_enrolments(self) -> None:
        moment = self._start
        for agency in self._agencies:
            for machine in agency.machines:
                moment += timedelta(minutes=40)
                late = machine.mood == "no report yet"
                at = self._now - timedelta(hours=1) if late else moment
                self._at(at, lambda a=agency, m=machine.name: self._enrol(a, m))

    def _plan_dataset(self, plan: PlannedDataset) -> None:
        first = plan.versions[0].accepted
        self._at(first - timedelta(minutes=1), lambda: self._share(plan))
        if len(plan.versions) > 2 and len(plan.dataset) % 5 == 0:
            self._at(plan.versions[2].accepted - timedelta(minutes=1), lambda: self._share(plan))
        for version in plan.versions:
            self._at(version.accepted, lambda v=version: self._publish(plan, v))
        for who, seq in self._lacking.get(plan.dataset, {}).items():
            if seq is not None:
                at = self._fetched_at(plan.versions[seq - 1].accepted, who)
                self._at(at, lambda w=who, s=seq: self._fetch(w, plan.dataset, s))

    def _plan_witnessing(self) -> None:
        for day in range(2, (self._now - self._start).days, 7):
            self._at(self._start + timedelta(days=day), lambda: self._witness(self._hub.log.make_checkpoint))
        self._at(
            self._now - SILENT_SINCE - timedelta(hours=1),
            lambda: self._witness(self._hub.log.make_checkpoint, silent_too=True),
        )

    def _fetched_at(self, accepted: datetime, who: Who) -> datetime:
        """Within minutes lately; before, the next night, all together (the hub works out once who may)."""
        if self._now - accepted < _LATELY:
            return accepted + timedelta(minutes=random.Random(f"{who} {accepted}").uniform(2, 18))
        return accepted.replace(hour=20, minute=0, second=0) + timedelta(days=accepted.hour // 20)

    def _draw_wishes(self) -> dict[DatasetId, dict[Who, int | None]]:
        """For each dataset the nodes that mirror it, and which version each holds last (None: none yet)."""
        partners = [each.id for each in self._agencies]
        wishes: dict[DatasetId, dict[Who, int | None]] = {}
        by_node: dict[Who, list[PlannedDataset]] = {}
        for plan in self._plan:
            readers = readers_of(plan, partners)
            for who, mood in self._moods.items():
                wanted = random.Random(f"wish {who} {plan.dataset}").random() < _WANTED
                if who[0] in readers and wanted and mood != "no report yet":
                    by_node.setdefault(who, []).append(plan)
        for who, plans in by_node.items():
            mood = self._moods[who]
            with_bytes = [each for each in plans if not each.withheld]
            newest = sorted(with_bytes, key=lambda each: each.versions[-1].accepted, reverse=True)
            late = {each.dataset for each in newest[: LAGS.get(mood, 0)]}
            for plan in plans:
                seq: int | None = len(plan.versions)
                heard = self._now - (SILENT_SINCE if mood == "silent" else timedelta(minutes=19))
                missed = plan.versions[-1].accepted > heard - timedelta(minutes=20)
                if plan.withheld:
                    seq = None
                elif plan.dataset in late or missed:
                    seq = seq - 1 or None
                wishes.setdefault(plan.dataset, {})[who] = seq
        return wishes

    # --- what happens ----------------------------------------------------------------------------

    def _enrol(self, agency: Agency, node: str) -> None:
        member = Member.enrol(self._hub, self._clock, agency.id, agency.names, node, self._administrator)
        self.members[agency.id, node] = member
        self._enrolled[agency.id, node] = self._clock.now()
        if node == agency.machines[0].name and any(each.owner is agency for each in self._plan):
            member.upload([*self._contents.blocks, *self._prepare(agency)])

    def _prepare(self, agency: Agency) -> list[StoredChunk]:
        """Make what the agency will publish; the chunks of all of it, uploaded at once because that is
        cheap."""
        chunks: list[StoredChunk] = []
        for plan in self._plan:
            for version in plan.versions if plan.owner is agency else ():
                made = self._contents.version(
                    plan.dataset, seq=version.seq, files=version.files, suffix=plan.subject.suffix
                )
                self._made[plan.dataset, version.seq] = made
                chunks += () if plan.withheld else made.chunks
        return chunks

    def _share(self, plan: PlannedDataset) -> None:
        self.publisher(plan.owner).publish_policy(plan.dataset, rules_of(plan, self._now), terms_of(plan))

    def _publish(self, plan: PlannedDataset, version: PlannedVersion) -> None:
        member = self.publisher(plan.owner)
        made = self._made[plan.dataset, version.seq]
        own_licence = plan.sharing in ("seen", "kept")
        fields = {
            "inventory_sha256": made.inventory_sha256,
            "rights_holder": plan.owner.names["en"],
            "license": License(
                expression="LicenseRef-Federation" if own_licence else plan.licence,
                text_sha256=sha256_hex(_LICENCE_TEXT.encode()) if own_licence else None,
                attribution=f"© {plan.owner.names['en']}",
            ),
            "title": plan.titles,
            "theme": plan.subject.theme,
            "classification": plan.classification,
            "files": made.files,
            "bytes": made.bytes,
        }
        manifest_id = member.commit(plan.dataset, None if plan.withheld else made.root, fields)
        policy = member.heads["policy", plan.dataset][1]
        self._committed.setdefault(plan.dataset, []).append(
            Committed(plan, version.seq, manifest_id, policy, self._clock.now(), made.files, made.bytes)
        )

    def _fetch(self, who: Who, dataset: DatasetId, seq: int) -> None:
        """The first frame makes the delivery's leaf; the rest need not be read."""
        member, held = self.members[who], self._committed[dataset][seq - 1]
        frames = self._hub.content.read_blobs(
            member.caller, dataset, held.id, RecipeStream.INVENTORY, [OrdinalRange(0, 1)]
        )
        next(iter(frames))
        member.acknowledge(dataset, held.id, held.policy)

    def _renew(self) -> None:
        """What lives shorter than the fleet: the registry and all certificates."""
        self._hub.registry.renew([self._administrator])
        for member in self.members.values():
            member.renew_certificate()
        self._hub.renew_server_certificate()

    def _witness(self, make: Callable[..., bool], *, silent_too: bool = False) -> None:
        make(force=True)
        for who, member in self.members.items():
            mood = self._moods[who]
            asleep = mood == "silent" and not silent_too and self._clock.now() > self._now - SILENT_SINCE
            if mood != "no report yet" and not asleep:
                self._cosigned[who] = member.cosign()

    def _report_moods(self, moods: set[str]) -> None:
        for who, member in self.members.items():
            if self._moods[who] in moods:
                self.standings[who] = self._standing(who)
                member.report(self.standings[who].status(self._clock.now()))

    def _standing(self, who: Who) -> Standing:
        now, registry = self._clock.now(), self._hub.registry.current().registry
        renewed = max(self._enrolled[who], self._now - timedelta(days=3))
        standing = Standing(
            partner=who[0],
            node=who[1],
            mood=self._moods[who],
            federation=self._hub.federation.id,
            address=self._hub.federation.address,
            started=max(self._enrolled[who], now - timedelta(days=12)),
            registry_seq=registry.seq,
            registry_expires=registry.expires,
            certificate_since=renewed,
            certificate_expires=renewed + timedelta(seconds=LIMITS.certificate_valid_s),
            signing_key_since=self._enrolled[who],
            log_size=self._hub.log.checkpoint_size(),
            cosigned=self._cosigned.get(who, 0),
        )
        for dataset, versions in sorted(self._committed.items()):
            newest = versions[-1]
            if self.publisher(newest.plan.owner).caller == self.members[who].caller:
                standing.publishes.append(
                    Owned(newest.plan, newest.seq, newest.id, newest.files, newest.bytes, newest.accepted)
                )
            wishes = self._lacking.get(dataset, {})
            if who in wishes:
                seq = wishes[who]
                held = None if seq is None or seq > len(versions) else versions[seq - 1]
                standing.mirrors.append(
                    Held(
                        dataset,
                        None if held is None else held.seq,
                        None if held is None else held.id,
                        newest.seq,
                        newest.bytes,
                        newest.plan.withheld,
                    )
                )
        return standing
