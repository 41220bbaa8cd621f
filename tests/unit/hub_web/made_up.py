"""A fleet of the tests' own behind the pages: eleven partners, 200 datasets in several scripts, every state.

Whatever comes from nodes and owners holds markup here: no page may let it through.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.errors import InvalidInput
from hub.overview import model
from hub.overview.search import DatasetSearch, EventSearch

NOW = datetime(2026, 11, 22, 19, 45, 10, tzinfo=UTC)
EVIL = '"><script>alert(1)</script><b onclick="x">'
NAMES = {
    "la-dgm": {"en": "Department of Geology and Mines", "lo": "ກົມທໍລະນີສາດ ແລະ ແຮ່ທາດ"},
    "kh-gdmr": {"en": "General Department of Mineral Resources", "km": "អគ្គនាយកដ្ឋានធនធានរ៉ែ"},
    "cn-cgs": {"zh": "中国地质调查局", "en": "China Geological Survey"},
    "th-dmr": {"th": "กรมทรัพยากรธรณี", "en": "Department of Mineral Resources"},
    "vn-gdgm": {"vi": "Cục Địa chất và Khoáng sản", "en": "Department of Geology and Minerals"},
    "mm-dgse": {"my": "ဘူမိဗေဒလေ့လာရေးနှင့် ဓာတ်သတ္တုရှာဖွေရေးဦးစီးဌာန"},
    "id-bg": {"id": "Badan Geologi", "en": "Geological Agency"},
    "ph-mgb": {"en": "Mines and Geosciences Bureau"},
    "my-jmg": {"ms": "Jabatan Mineral dan Geosains", "en": "Minerals and Geoscience"},
    "jp-gsj": {"ja": "地質調査総合センター", "en": "Geological Survey of Japan"},
    "xx-evil": {"en": f"Evil {EVIL}"},
}
TITLES = (
    {"en": "Geological map 1:1,000,000", "lo": "ແຜນທີ່ທໍລະນີສາດ"},
    {"zh": "一比一百万地质图", "en": "Geological map"},
    {"km": "ផែនទីគ្រោះថ្នាក់រអិលបាក់ដី"},
    {"th": "แผนที่ธรณีพิบัติภัย", "en": "Landslide inventory"},
    {"ar": "خريطة المعادن", "en": "Mineral occurrences"},
    {"en": f"Bore holes {EVIL}"},
)
THEMES = ("basic-geology", "hazard", "mineral", "investment", "other")
FRESHNESS: tuple[model.Freshness, ...] = ("fresh", "due", "late", "unknown")


def ago(**named: float) -> datetime:
    """An instant before `NOW`."""
    return NOW - timedelta(**named)


def message(code: str, **params: str | int | None) -> model.Message:
    """A message."""
    return model.Message(code=code, params=params)


FAULT = model.Fault(
    branch="Unavailable",
    reason="DISK_FULL",
    message=f"no room for la-dgm/geology-1m {EVIL}",
    remedy="free 12 GB on /srv",
    since=ago(hours=3),
    about="la-dgm/geology-1m",
)


def node_line(partner: str, node: str, state: model.NodeState) -> model.NodeLine:
    """A node in a list."""
    busy = state in ("behind", "stuck", "trouble", "silent")
    return model.NodeLine(
        partner=partner,
        node=node,
        state=state,
        version="0.2.0",
        last_seen=ago(hours=5) if state == "silent" else ago(seconds=40),
        lag_s=7_300 if busy else None,
        backlog_bytes=4_200_000_000 if busy else 0,
        rate_bytes_s=310_000 if state == "behind" else 0,
        clock_offset_s=0.2,
        alarms=1 if state == "alarm" else 0,
        problems=(FAULT,) if state == "trouble" else (),
    )


def partner_line(place: int, partner: str) -> model.PartnerLine:
    """A partner in the fleet."""
    state = ([*model.WORST_FIRST, "in sync", "in sync", "in sync"])[place]
    node = node_line(partner, "main", state)
    nodes = (node, node_line(partner, "field", "in sync")) if place % 3 == 0 else (node,)
    backlog = tuple(
        None if step < 3 else max(0, int(4e9 * ((step * (place + 3)) % 17) / 17)) for step in range(48)
    )
    return model.PartnerLine(
        partner=partner,
        names=NAMES[partner],
        standing="suspended" if state == "left" else "active",
        state=state,
        lag_s=node.lag_s,
        backlog_bytes=node.backlog_bytes,
        rate_bytes_s=node.rate_bytes_s,
        last_seen=node.last_seen,
        backlog=backlog if node.backlog_bytes else (0,) * 48,
        nodes=nodes,
        datasets=18,
        datasets_late=place % 3,
        used_bytes=3_400_000_000 * (place + 1),
        quota_bytes=50_000_000_000 if place % 2 else None,
    )


def dataset_line(number: int) -> model.DatasetLine:
    """A dataset in a list."""
    owner = list(NAMES)[number % len(NAMES)]
    return model.DatasetLine(
        dataset=f"{owner}/set-{number}",
        owner=owner,
        title=TITLES[number % len(TITLES)],
        theme=THEMES[number % 5],
        license="CC-BY-4.0",
        seq=number % 7 + 1,
        last_version=ago(days=number),
        freshness=FRESHNESS[number % 4],
        update_frequency="monthly",
        next_due=ago(days=number - 31),
        files=number * 12 + 1,
        bytes=number**3 * 40_000 + 512,
        withheld=number % 13 == 5,
        holders=number % 9,
        readers=9,
        owner_left=number % 50 == 7,
    )


def _bbox(number: int) -> tuple[float, float, float, float]:
    if number == 3:
        return (172.0, -21.0, -176.0, -12.0)  # across 180°
    west, south = 95 + number * 7 % 30, -5 + number * 11 % 35
    return (float(west), float(south), west + 1.5 + number % 6, south + 1.0 + number % 4)


@dataclass
class MadeUp:
    """The source. `is_empty`: a hub on its first day."""

    is_empty: bool = False
    number: int = 7

    def revision(self) -> int:
        return self.number

    def fleet(self) -> model.FleetView:
        partners = () if self.is_empty else tuple(partner_line(n, p) for n, p in enumerate(NAMES))
        states = [line.state for line in partners]
        disk = model.Disk(
            name="hub", free_bytes=800_000_000_000, total_bytes=2_000_000_000_000, days_left=92.0
        )
        return model.FleetView(
            revision=self.number,
            hub=model.HubView(
                name="Mekong Geoscience",
                federation="mekong-geoscience-1a2b",
                running=True,
                version="0.2.0",
                address="hub.example.org:7443",
                time=NOW,
                registry_seq=12,
                registry_expires=ago(days=-61),
                certificate_expires=ago(days=-20),
                last_backup=None if self.is_empty else ago(hours=9),
                disk=disk,
            ),
            counts=model.FleetCounts(
                partners=len(partners),
                nodes=sum(len(line.nodes) for line in partners),
                by_state={state: states.count(state) for state in model.WORST_FIRST},
                datasets=0 if self.is_empty else 200,
                versions=0 if self.is_empty else 1_312,
                datasets_by_freshness={} if self.is_empty else dict.fromkeys(FRESHNESS, 50),
                backlog_bytes=sum(line.backlog_bytes for line in partners),
                rate_bytes_s=310_000,
            ),
            attention=() if self.is_empty else ATTENTION,
            partners=partners,
        )

    def partner(self, partner: str) -> model.PartnerView:
        found = next((line for line in self.fleet().partners if line.partner == partner), None)
        if found is None:
            raise InvalidInput(f"there is no partner {partner}", reason="NO_SUCH_PARTNER")
        return model.PartnerView(
            line=found,
            nodes=tuple(_node_view(line) for line in found.nodes),
            attention=ATTENTION[:2],
            enrolments=(_enrolment(1, "approved", partner), _enrolment(2, "pending", partner)),
            datasets=tuple(dataset_line(number) for number in range(1, 12)),
            used=_growth(),
        )

    def datasets(self, search: DatasetSearch) -> model.DatasetPage:
        lines = [] if self.is_empty else [dataset_line(number) for number in range(1, 201)]
        lines = [each for each in lines if search.owner in (None, each.owner)]
        return model.DatasetPage(total=len(lines), lines=tuple(lines[:50]), next="50" if lines[50:] else None)

    def dataset(self, dataset: str) -> model.DatasetView:
        found = next((dataset_line(n) for n in range(1, 201) if dataset_line(n).dataset == dataset), None)
        if found is None:
            raise InvalidInput(f"there is no dataset {dataset}", reason="NO_SUCH_DATASET")
        return model.DatasetView(
            line=found,
            rights_holder=f"Ministry {EVIL}",
            attribution="© somebody",
            classification="unclassified",
            supersedes="la-dgm/old",
            footprint=model.Footprint(
                bbox=_bbox(3), bbox_source="extracted", begin="2001", end=None, period_source="declared"
            ),
            policy_seq=4,
            rules=(
                model.RuleView(
                    uid="r1",
                    effect="permission",
                    assignee="kh-gdmr",
                    actions=("read",),
                    not_before=None,
                    not_after=ago(days=-90),
                    text=message("rule.may-until", assignee_word="kh-gdmr", action_word="may.read"),
                ),
                model.RuleView(
                    uid=EVIL,
                    effect="prohibition",
                    assignee="ph-mgb",
                    actions=("read",),
                    not_before=None,
                    not_after=None,
                    text=message("rule.may-not", assignee_word="ph-mgb", action_word="may-not.read"),
                ),
            ),
            terms=f"For research alone.\n{EVIL}",
            versions=tuple(_version(seq) for seq in range(7, 0, -1)),
            holders=tuple(_holder(n, p) for n, p in enumerate(NAMES)),
            attention=ATTENTION[2:3],
        )

    def transfers(self) -> model.TransfersView:
        if self.is_empty:
            return model.TransfersView(now=(), lately=(), waiting=())
        return model.TransfersView(
            now=(_transfer("up", None), _transfer("down", None)),
            lately=(_transfer("down", ago(minutes=4)),),
            waiting=(WORK,),
        )

    def events(self, search: EventSearch) -> model.EventPage:
        if self.is_empty:
            return model.EventPage(events=(), next=None)
        made = tuple(
            model.EventView(
                id=f"e{number}",
                time=ago(minutes=number * 9),
                severity=("info", "warning", "error")[number % 3],
                message=message("node.trouble", partner="la-dgm", node="main", reason="X", about=EVIL),
                partner="la-dgm" if number % 2 else None,
                node="main",
                dataset="la-dgm/set-1" if number % 4 else None,
                user=EVIL if number == 3 else None,
                leaf=number * 31 if number % 3 else None,
                kind="node",
            )
            for number in range(40)
        )
        return model.EventPage(events=made, next="e39")

    def log(self) -> model.LogView:
        return model.LogView(
            origin="mekong-geoscience-1a2b/log/1",
            leaves=48_120,
            checkpoint_size=48_111,
            checkpoint_time=ago(seconds=30),
            root="a" * 64,
            witnesses_fresh=1,
            witnesses_seen=9,
            witnesses_needed=3,
            witnesses=() if self.is_empty else tuple(_witness(n, p) for n, p in enumerate(NAMES)),
            alarms=()
            if self.is_empty
            else (_alarm("a-1", None), _alarm("a-2", "looked at, a restored disk")),
            leaves_by_type={} if self.is_empty else {"delivery": 40_000, "version": 1_312, "act": 90},
        )

    def storage(self) -> model.StorageView:
        disk = self.fleet().hub.disk
        if self.is_empty:
            return model.StorageView(
                disk=disk,
                database_bytes=0,
                owners=(),
                history=(),
                fsck_time=None,
                fsck_problems=None,
                backups=(),
            )
        return model.StorageView(
            disk=disk,
            database_bytes=310_000_000,
            owners=tuple(_owner(n, p) for n, p in enumerate(NAMES)),
            history=_growth(),
            fsck_time=ago(days=3),
            fsck_problems=0,
            backups=(
                model.BackupView(
                    time=ago(hours=9),
                    place="/mnt/backup",
                    snapshot="20261122T104500Z",
                    bytes_added=120_000_000,
                    bytes_total=410_000_000_000,
                    log_size=47_900,
                ),
            ),
        )

    def map(self) -> model.MapView:
        if self.is_empty:
            return model.MapView(items=(), placeless=0)
        items = tuple(_item(number) for number in range(1, 40))
        return model.MapView(items=items, placeless=161)


def _item(number: int) -> model.MapItem:
    line = dataset_line(number)
    return model.MapItem(
        dataset=line.dataset,
        owner=line.owner,
        title=line.title,
        theme=line.theme,
        freshness=line.freshness,
        bbox=_bbox(number),
        source="declared",
    )


def _transfer(direction: str, ended: datetime | None) -> model.TransferView:
    return model.TransferView(
        partner="la-dgm",
        node="main",
        dataset="la-dgm/set-1",
        direction="up" if direction == "up" else "down",
        started=ago(minutes=12),
        seen=ago(seconds=2),
        bytes_done=700_000_000,
        bytes_left=None if ended else 1_900_000_000,
        rate_bytes_s=910_000,
        ended=ended,
    )


def _alarm(name: str, reason: str | None) -> model.AlarmView:
    return model.AlarmView(
        partner="la-dgm",
        node="main",
        id=name,
        kind="two-histories",
        since=EVIL,
        reported=ago(hours=2),
        open=reason is None,
        acknowledged_by="vilay" if reason else None,
        acknowledged=ago(hours=1) if reason else None,
        reason=reason,
        leaf=47_000,
    )


def _witness(number: int, partner: str) -> model.WitnessLine:
    return model.WitnessLine(
        name=f"{partner}/main/witness",
        partner=partner,
        node="main",
        size=48_111 - number * 10,
        time=ago(minutes=number),
        fresh=number < 8,
    )


def _owner(number: int, owner: str) -> model.OwnerStorage:
    used = 6_000_000_000 * (number + 1)
    return model.OwnerStorage(
        owner=owner,
        used_bytes=used,
        quota_bytes=50_000_000_000 if number % 2 else None,
        disk_bytes=used // 2,
        packs=number * 13 + 1,
        history=_growth(),
    )


def _growth() -> tuple[model.StoragePoint, ...]:
    return tuple(
        model.StoragePoint(
            time=ago(days=30 - day), used_bytes=10**11 + day**2 * 10**9, free_bytes=10**12 - day * 10**9
        )
        for day in range(30)
    )


def _version(seq: int) -> model.VersionView:
    shrunk = seq == 5
    return model.VersionView(
        seq=seq,
        id=f"{seq}" * 64,
        accepted=ago(days=30 * (8 - seq)),
        files=100 if shrunk else 120 + seq,
        bytes=1_000_000_000 if shrunk else 2_000_000_000 + seq * 100_000_000,
        files_delta=-24 if shrunk else 1,
        bytes_delta=-1_400_000_000 if shrunk else 100_000_000,
        shrunk=shrunk,
        withheld=seq == 1,
        policy_seq=seq // 2,
        deliveries=8,
        acknowledgements=7,
        leaf=seq * 6_000,
    )


def _holder(number: int, partner: str) -> model.Holder:
    states: tuple[model.HolderState, ...] = (
        "owner", "current", "behind", "failed", "withheld", "not shared", "not wanted", "ended",
    )  # fmt: skip
    state = states[number % len(states)]
    return model.Holder(
        partner=partner,
        node="main" if state in ("current", "behind", "failed") else None,
        state=state,
        seq=7 if state == "current" else 5 if state in ("behind", "ended") else None,
        since=ago(days=2),
        may_discover=state != "not shared",
        may_read=state in ("current", "behind", "failed", "owner"),
        rule="r1",
        why=message("access.reads", partner=partner, rule="r1", assignee_word=partner),
        error=FAULT if state == "failed" else None,
    )


def _enrolment(number: int, state: str, partner: str) -> model.EnrolmentView:
    return model.EnrolmentView(
        number=number,
        partner=partner,
        node="main",
        state=state,
        invited=ago(days=1),
        expires=ago(days=-1),
        joined=ago(hours=20),
        fingerprint="7F3A-91BC-0D2E-55A8-C4F1-8E77-2B90-AA61",
        replace=number == 2,
    )


def _node_view(line: model.NodeLine) -> model.NodeView:
    return model.NodeView(
        **line.model_dump(),
        started=ago(days=12),
        certificate_expires=ago(days=-20),
        signing_key_since=ago(days=200),
        registry_seq=11,
        registry_behind=1,
        disks=(
            model.Disk(
                name="mirror 1", free_bytes=12_000_000_000, total_bytes=500_000_000_000, days_left=6.5
            ),
        ),
        watch=model.Watch(mode="events", healthy=False, last_full_scan=ago(minutes=11), note=EVIL),
        witness=model.Witnessing(size=48_111, read=48_000, cosigned=47_990, note=""),
        last_error=FAULT,
        publishes=(WORK,),
        mirrors=(WORK,),
        omitted=3,
        history=tuple(
            model.Sample(
                time=ago(hours=48 - hour),
                state="behind",
                bytes_left=hour**2 * 10**6,
                rate_bytes_s=0,
                lag_s=60,
            )
            for hour in range(48)
        ),
    )


WORK = model.Work(
    dataset="la-dgm/set-1",
    state="uploading",
    seq=3,
    wanted_seq=4,
    bytes_left=1_900_000_000,
    rate_bytes_s=910_000,
    held=2,
    skipped=1,
    attention=(f"removal of 40 % waits {EVIL}",),
    error=FAULT,
    partner="la-dgm",
    node="main",
)

ATTENTION = (
    model.Attention(
        severity="warning",
        urgent=True,
        message=message(
            "attention.approval", partner="my-jmg", node="main", fingerprint="7F3A-91BC-0D2E-55A8"
        ),
        remedy=message("remedy.approval"),
        command="syncline-hub approve my-jmg --fingerprint …",
        partner="my-jmg",
        node="main",
        decision=True,
    ),
    model.Attention(
        severity="error",
        urgent=True,
        message=message(
            "attention.alarm", partner="la-dgm", node="main", kind_word="two-histories", id="a-1", since=EVIL
        ),
        remedy=message("remedy.alarm", partner="la-dgm"),
        partner="la-dgm",
    ),
    model.Attention(
        severity="warning",
        urgent=False,
        message=message("attention.datasets-late", count=50),
        remedy=message("remedy.datasets-late", owners="la-dgm, kh-gdmr"),
        dataset="la-dgm/set-1",
    ),
    *(
        model.Attention(
            severity="warning",
            urgent=True,
            message=message("attention.node-silent", partner="kh-gdmr", node="main", since_s=7200 * place),
            remedy=message("remedy.node-silent", partner="kh-gdmr"),
            partner="kh-gdmr",
        )
        for place in range(1, 8)
    ),
)
