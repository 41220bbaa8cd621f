"""A member that lies: markup and direction marks wherever it may write, impossible numbers, 10 MB of report.

Nothing of it becomes markup, no page breaks or grows without end, and what it says is not believed.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.clock import SystemClock, format_instant
from core.errors import InvalidInput
from core.names import DatasetId
from deploy.demo.fleet.contents import Contents
from deploy.demo.fleet.member import Member
from security.rules import FEDERATION, PERMISSION, READ, Rule
from sync.manifest import License
from tests.browser.conftest import Visit
from tests.browser.serving import Site

WHO = ("kh-gdmr", "main")
DATASET = DatasetId("kh-gdmr/lies")
MARKUP = "\"'><img src=x onerror=window.pwned=1><script>window.pwned=1</script></td></main><h1>{{7*7}}"
TURNED = "\u202egnp.exe\u2066\u200f\u0000\u001b[2J"
EVIL = MARKUP + TURNED
LONG = "W" * 20_000  # seven times, and the report is as large as one may be
_PAGE_CHARS_MAX = 1_000_000


def hostile_report(honest: dict[str, Any]) -> dict[str, Any]:
    """Everything that a report has a place for, filled as badly as can be."""
    ahead = format_instant(datetime.now(UTC).replace(microsecond=0) + timedelta(days=4000))
    fault = {"branch": EVIL, "reason": EVIL, "message": EVIL + LONG, "remedy": EVIL, "since": ahead}
    return honest | {
        "version": EVIL,
        "time": ahead,
        "started": ahead,
        "hub": {"address": EVIL, "version": EVIL, "last_contact": ahead, "clock_offset_s": -1e300},
        "certificate_expires": EVIL,
        "alarms": [{"id": "lie", "kind": EVIL, "since": ahead}],
        "witness": {"origin": EVIL, "size": -1, "note": EVIL + LONG, "witnessed": 10**30},
        "disks": [{"name": EVIL, "free_bytes": -5, "total_bytes": 2**63, "days_left": -1e9}] * 40,
        "watch": {"mode": EVIL, "healthy": EVIL, "last_full_scan": ahead, "note": EVIL + LONG},
        "transfer": {"up_bytes_s": -1, "down_bytes_s": 2**70},
        "last_error": fault | {"about": EVIL},
        "faults": {EVIL: fault, "clock": fault},
        "publish": [
            {
                "dataset": DATASET,
                "state": EVIL,
                "seq": 1,
                "bytes_left": -7,
                "rate_bytes_s": 1e308,
                "attention": [EVIL, LONG],
                "error": fault,
                "update_frequency": EVIL,
                "next_update": EVIL,
                "footprint": {
                    "bbox": [-1e9, "<b>", 7, None],
                    "bbox_source": EVIL,
                    "begin": EVIL,
                    "end": ahead,
                    "period_source": EVIL,
                },
            }
        ],
        "mirrors": [{"dataset": EVIL, "state": EVIL}, {"dataset": "../../etc/passwd", "bytes_left": -1}],
    }


@pytest.fixture(scope="module")
def lied(small_site: Site) -> Site:
    """The small site, after the member has said all that."""
    with small_site.hub() as hub:
        member: Member = small_site.fleet.members[WHO].at(hub, SystemClock())
        made = Contents().version(DATASET, seq=1, files=3, suffix="txt")
        member.upload(made.chunks)
        rule = Rule("all-read", PERMISSION, FEDERATION, (READ,))
        member.publish_policy(DATASET, [rule], {"text": {"en": MARKUP, "lo": MARKUP + LONG[:500]}})
        fields = {
            "inventory_sha256": made.inventory_sha256,
            "rights_holder": MARKUP,
            "license": License(expression="CC-BY-4.0", text_sha256=None, attribution=MARKUP),
            "title": {"en": MARKUP, "ar": "\u0627\u0644\u062c\u064a\u0648 " + MARKUP},
            "theme": "other",
            "classification": "unclassified",
            "files": made.files,
            "bytes": made.bytes,
        }
        member.commit(DATASET, made.root, fields)
        honest = small_site.fleet.standings[WHO].status(datetime.now(UTC))
        member.report(hostile_report(honest))
        with pytest.raises(InvalidInput):
            hub.fleet.report_status(member.caller, json.dumps({"x": "y" * 10_000_000}).encode())
    return small_site


def test_nothing_that_a_member_writes_becomes_markup(visit: Visit, lied: Site) -> None:
    visitor = visit("ຄຳ", at=lied)
    seen = 0
    for path in (
        "/", f"/partners/{WHO[0]}", "/datasets", f"/datasets/{DATASET}", "/transfers", "/events", "/log",
        "/storage", "/map", "/acts",
    ):  # fmt: skip
        answer = visitor.goto(path)
        assert answer.status == 200, path
        assert len(answer.text()) < _PAGE_CHARS_MAX, path
        page = visitor.page
        assert page.evaluate("window.pwned") is None, path
        assert page.locator("main img, main script, main iframe, main *[onerror]").count() == 0, path
        assert page.locator("h1").count() == 1, path
        assert page.locator("main").count() == 1, path
        assert page.locator("footer").is_visible(), path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is too wide"
        text = page.locator("main").inner_text()
        assert "\u202e" not in text, path
        assert "<h1>49" not in text, f"{path}: a template was filled in"
        seen += "<script>" in text
    assert seen >= 3, "it is shown, as the text that it is"


def test_a_clock_ahead_and_sizes_below_nothing_are_not_believed(visit: Visit, lied: Site) -> None:
    answer = visit("auditor", at=lied).context.request.get(f"{lied.url}/api/v1/partners/{WHO[0]}")
    view = answer.json()
    now = format_instant(datetime.now(UTC).replace(microsecond=0))
    assert view["line"]["last_seen"] <= now
    assert "-" not in {str(size)[0] for size in _numbers(view)}
    [node] = view["nodes"]
    assert node["state"] != "in sync"


def _numbers(value: Any) -> list[float]:
    """Every size and rate in it."""
    if isinstance(value, dict):
        pairs: list[tuple[Any, Any]] = list(value.items())  # type: ignore[reportUnknownArgumentType]
        own = [each for key, each in pairs if str(key).endswith(("_bytes", "_bytes_s")) and each is not None]
        return [*own, *(number for _, each in pairs for number in _numbers(each))]
    return [number for each in value for number in _numbers(each)] if isinstance(value, list) else []
