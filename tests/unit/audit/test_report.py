"""`syncline-audit report`: one page, whole and safe whatever the data say, readable by everybody."""

import base64
import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from audit import cli
from audit.findings import Finding, Result, failed, passed, unchecked
from audit.html.markup import Markup, join, tag
from audit.html.page import page
from audit.html.style import CSS, content_security_policy
from audit.html.tables import table
from audit.story import Story
from audit.telling import tell
from audit.timeline import COLUMNS_COUNT_MAX, RECIPIENTS_COUNT_MAX, Kind, lay_out
from core import commands
from sync.manifest import License
from tests.unit.audit.told import DATASET, THAI, Told, read_rule

XHTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"
MADE = datetime(2027, 1, 2, 3, 4, tzinfo=UTC)
PROVEN = [passed("registry", "holds"), passed("files", "2 files, each as signed")]
TITLES = {
    "en": "Geological map",
    "lo": "ແຜນທີ່ທໍລະນີສາດ",
    "km": "ផែនទីភូគព្ភសាស្ត្រ",
    "my": "ဘူမိဗေဒမြေပုံ",
    "th": "แผนที่ธรณีวิทยา",
    "vi": "Bản đồ địa chất",
    "zh-Hans": "地质图",
    "ar": "خريطة جيولوجية",
}


@pytest.fixture
def told() -> Told:
    made = Told()
    made.join(THAI)
    made.later(hours=1)
    made.policy(read_rule("1", THAI))
    made.later(hours=1)
    version = made.version({"a.txt": b"a", "b.txt": b"bb"}, title=TITLES)
    made.later(hours=1)
    made.deliver(THAI, version)
    made.later(hours=1)
    made.acknowledge(THAI, version)
    made.record("alarm", THAI, "4f2a", node="main", kind="frozen")
    return made


def html(told: Told, findings: list[Finding] | None = None) -> str:
    return page([story(told, findings)], MADE, "1.0")


def story(told: Told, findings: list[Finding] | None = None) -> Story:
    return tell(told.dossier(), PROVEN if findings is None else findings)


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)


def words(element: ET.Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def test_the_page_is_well_formed_html_and_xml(told: Told) -> None:
    text = html(told)
    assert text.startswith("<!DOCTYPE html>\n<html ")
    assert parsed(text).tag == f"{XHTML}html"
    Balanced().check(text)


class Balanced(HTMLParser):
    """Every element that an HTML parser sees opened is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        assert tag in ("meta", "br"), f"{tag} is not void in HTML"

    def check(self, text: str) -> None:
        self.feed(text)
        self.close()
        assert not self.open


def test_it_needs_no_network_and_runs_nothing(told: Told) -> None:
    text = html(told)
    root = parsed(text)
    assert not re.search(r"<(script|iframe|object|embed|link|img|audio|video|form|base)\b", text)
    for element in root.iter():
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on"), "no handlers"
            assert name != "style", "the policy forbids it"
            if name in ("href", "src"):
                assert value.startswith("#")
    without_names = text.replace("http://www.w3.org/1999/xhtml", "").replace("http://www.w3.org/2000/svg", "")
    assert "http:" not in without_names
    assert "https:" not in without_names
    assert "url(" not in text
    assert "@import" not in text


def test_its_policy_allows_this_one_stylesheet_and_nothing_else(told: Told) -> None:
    root = parsed(html(told))
    (style,) = root.iter(f"{XHTML}style")
    digest = base64.b64encode(hashlib.sha256((style.text or "").encode()).digest()).decode()
    policies = [m.get("content") for m in root.iter(f"{XHTML}meta") if m.get("http-equiv")]
    assert policies == [
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    ]
    assert content_security_policy() == policies[0]
    assert not re.search("[<&]", CSS), "it would not be XML"


def test_titles_carry_their_language_and_direction(told: Told) -> None:
    shown = {
        e.get("lang"): (words(e), e.get("dir"))
        for e in parsed(html(told)).iter(f"{XHTML}span")
        if e.get("lang")
    }
    assert shown == {language: (title, "auto") for language, title in TITLES.items()}


HOSTILE = {
    "markup": "</title></style><script>alert(1)</script>\"'&<img src=x onerror=alert(1)>",
    "a direction override": "safe\u202etxt.exe\u2066",
    "what XML forbids": "a\ufffeb\uffffc",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_the_data_say_is_shown_and_never_obeyed(name: str) -> None:
    evil = HOSTILE[name]
    told = Told()
    told.policy(read_rule(evil, THAI), terms={evil: evil})
    version = told.version(
        {"a.txt": b"a"},
        title={"en": evil},
        rights_holder=evil,
        producer=evil,
        license=License(expression="MIT", attribution=evil),
    )
    told.deliver(THAI, version, evil)
    told.record("delivery", evil, DATASET, evil, partner=evil, node=evil, rule=evil)
    told.record("act", evil, evil, act=evil, more=evil)
    told.record("alarm", evil, evil, kind=evil, node=evil)
    told.record("refusals", "hub", "hour", counts={evil: 1})
    text = html(told, [Finding(evil, Result.FAILED, evil, evil, (evil,))])
    root = parsed(text)
    Balanced().check(text)
    assert not list(root.iter(f"{XHTML}script"))
    assert not list(root.iter(f"{XHTML}img"))
    assert not {"\u202e", "\u2066", "\ufffe", "\uffff"}.intersection(text)
    if name == "markup":
        assert evil in "".join(root.itertext())


def test_a_right_to_left_mark_in_a_title_stays(told: Told) -> None:
    told.version({"a.txt": b"a"}, title={"en": "Map \u200fخريطة"})
    assert "Map \u200fخريطة" in html(told)


def test_every_table_has_a_caption_and_scopes(told: Told) -> None:
    tables = list(parsed(html(told)).iter(f"{XHTML}table"))
    assert len(tables) >= 5
    for each in tables:
        assert words(each.find(f"{XHTML}caption"))
        assert {th.get("scope") for th in each.findall(f"{XHTML}thead//{XHTML}th")} == {"col"}
        assert {th.get("scope") for th in each.findall(f"{XHTML}tbody//{XHTML}th")} == {"row"}
        columns = len(each.findall(f"{XHTML}thead//{XHTML}th"))
        assert {len(list(row)) for row in each.findall(f"{XHTML}tbody/{XHTML}tr")} == {columns}


def test_links_within_the_page_lead_somewhere_and_ids_are_unique(told: Told) -> None:
    text = page([story(told), story(told)], MADE, "1.0")
    root = parsed(text)
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    links = [e.get("href", "")[1:] for e in root.iter(f"{XHTML}a")]
    assert set(links) <= set(ids)
    for e in root.iter():
        for name in (e.get("aria-labelledby") or "").split():
            assert name in ids


def test_skip_links_come_first(told: Told) -> None:
    root = parsed(html(told))
    body = root.find(f"{XHTML}body")
    assert body is not None
    assert [(e.tag, e.get("href")) for e in body[:2]] == [(f"{XHTML}a", "#story"), (f"{XHTML}a", "#checks")]
    assert root.get("lang") == "en"


def test_headings_do_not_skip_a_level(told: Told) -> None:
    levels = [int(e.tag[-1]) for e in parsed(html(told)).iter() if re.fullmatch(f"{XHTML}h[1-6]", e.tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_verdict_and_what_did_not_hold_stand_on_top(told: Told) -> None:
    assert "VERIFIED What is told here was checked and holds." in _header(html(told))
    bad = _header(html(told, [failed("files", "2 files do not have the signed bytes")]))
    assert "FAILED" in bad
    assert "files: 2 files do not have the signed bytes" in bad
    assert "this is a claim" in _header(html(told, [unchecked("anchor", "no trust file")]))


def _header(text: str) -> str:
    found = parsed(text).find(f".//{XHTML}header")
    assert found is not None
    return words(found)


def test_every_check_is_listed_with_its_result_in_words(told: Told) -> None:
    findings = [
        passed("registry", "one chain"),
        Finding("files", Result.FAILED, "1 file differs", "fetch it again", ("a/b.tif",)),
        unchecked("anchor", "no trust file was given"),
    ]
    text = words(parsed(html(told, findings)))
    for expected in (
        "registry ✓holds one chain",
        "files ✗FALSE 1 file differs→ fetch it again a/b.tif",
        "anchor ?not checked no trust file was given",
    ):
        assert expected.replace(" ", "") in text.replace(" ", "")


def test_the_page_tells_what_show_tells(told: Told) -> None:
    text = words(parsed(html(told)))
    for expected in (
        "CC-BY-4.0",
        "© DGM Laos",
        "th-dmr may read it (rule 1).",
        "Nobody else may see or read it, except its owner, la-dgm.",
        "Delivered on 1 March 2026, 09:00 UTC to node main under policy 1, rule 1",
        "Acknowledged by node main on 1 March 2026, 10:00 UTC",
        "1 of 2 witnesses cosigned the checkpoint; a quorum would be 2.",
        "ALARM frozen, node main",
        "cannot be proven absent by any log",
        "Made by syncline-audit 1.0 on 2 January 2027, 03:04 UTC",
        told.versions[0].manifest.id,
    ):
        assert expected in text


# ---------------------------------------------------------------- the picture


def test_each_mark_of_the_picture_tells_its_story(told: Told) -> None:
    root = parsed(html(told))
    picture = next(e for e in root.iter(f"{SVG}svg") if e.get("role") == "img")
    told_titles = [words(e) for e in picture.iter(f"{SVG}title")]
    assert any(each.startswith("version delivered | th-dmr: version 1, delivered on") for each in told_titles)
    assert "alarm of a witness: 1" in words(next(picture.iter(f"{SVG}desc")))


def test_kinds_differ_by_shape_and_not_by_colour_alone(told: Told) -> None:
    root = parsed(html(told))
    shapes = {}
    for item in root.findall(f".//{XHTML}ul[@class='legend']/{XHTML}li"):
        group = item.find(f".//{SVG}g")
        assert group is not None
        shapes[words(item)] = ET.tostring(group).replace(group.get("class", "").encode(), b"")
    assert set(shapes) == {
        "version published",
        "policy in force",
        "version delivered",
        "receipt acknowledged",
        "members or keys changed",
        "alarm of a witness",
    }
    assert len(set(shapes.values())) == len(shapes)


def test_the_order_in_the_picture_is_that_of_time(told: Told) -> None:
    line = lay_out(story(told))
    assert [each.first for each in line.columns] == sorted(each.first for each in line.columns)
    places = [each.place for each in line.columns]
    assert places[0] == 0
    assert places[-1] == pytest.approx(1)
    assert all(before < after for before, after in pairwise(places))


def test_a_year_of_silence_leaves_room_for_a_busy_day(told: Told) -> None:
    told.later(days=365)
    told.version({"a.txt": b"a"})
    places = [each.place for each in lay_out(story(told)).columns]
    assert min(after - before for before, after in pairwise(places)) > 0.5 / len(places) * 0.9


def test_more_than_a_picture_can_show_shares_columns_and_is_counted() -> None:
    told = Told()
    told.policy(read_rule("1", "federation"))
    for number in range(60):
        told.later(days=1, hours=number % 3)
        version = told.version({"a.txt": b"a" * number})
        for partner in range(RECIPIENTS_COUNT_MAX + 3):
            told.later(seconds=1)
            told.deliver(f"th-p{partner:03}", version)
    line = lay_out(story(told))
    assert len(line.columns) == COLUMNS_COUNT_MAX
    names = [row.name for row in line.rows]
    assert len(names) == 2 + RECIPIENTS_COUNT_MAX + 1 + 1
    assert names[-2] == "3 others"
    versions = next(row for row in line.rows if row.name == "versions")
    assert sum(len(mark.told) for mark in versions.marks) == 60
    assert any(re.fullmatch(r"\d+–\d+", mark.label) for mark in versions.marks)
    others = next(row for row in line.rows if row.name == "3 others")
    assert {mark.kind for mark in others.marks} == {Kind.DELIVERY}
    assert sum(len(mark.told) for mark in others.marks) == 180
    parsed(html(told))


def test_a_single_instant_and_no_instant_are_pictures_too() -> None:
    told = Told()
    told.policy()
    told.version({"a.txt": b"a"})
    assert [each.place for each in lay_out(story(told)).columns] == [0]
    told.registries.clear()
    told.records.clear()
    empty = tell(told.dossier(datasets=()), PROVEN)
    assert lay_out(empty).columns == ()
    parsed(page([empty], MADE, "1.0"))
    parsed(page([], MADE, "1.0"))


def test_a_long_table_says_how_much_it_leaves_out() -> None:
    made = table("Many.", ("a", "b"), ((number, "x") for number in range(2_005)))
    assert "5 more are not shown here" in made
    assert made.count("<tr>") == 2_001


# ---------------------------------------------------------------- readability

_VARIABLE = re.compile(r"--([a-z-]+): (#[0-9a-f]{6})")


def themes() -> dict[str, dict[str, str]]:
    roots = [dict(_VARIABLE.findall(block)) for block in re.findall(r":root \{([^}]*)\}", CSS)]
    assert len(roots) == 3
    light, dark, paper = roots
    return {"light": light, "dark": {**light, **dark}, "paper": {**light, **paper}}


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark", "paper"])
def test_text_and_lines_have_the_contrast_of_wcag_aa(theme: str) -> None:
    colours = themes()[theme]
    for ink in ("ink", "soft", "link", "good", "bad", "open"):
        assert contrast(colours[ink], colours["ground"]) >= 4.5, ink
    for kind in ("good", "bad", "open"):
        assert contrast(colours[kind], colours[f"{kind}-tint"]) >= 4.5, kind
        assert contrast(colours["ink"], colours[f"{kind}-tint"]) >= 7, kind
    for kind in ("version", "policy", "delivery", "ack", "registry", "act", "alarm"):
        assert contrast(colours[kind], colours["ground"]) >= 3, kind
        assert contrast(colours[kind], colours[f"{kind}-tint"]) >= 3, kind


def test_every_kind_of_mark_has_its_colours() -> None:
    for kind in Kind:
        assert re.search(rf"\.{kind.name.lower()} \{{\s*--k:", CSS), kind


def test_paper_has_its_own_style() -> None:
    assert "@media print" in CSS
    assert "break-inside: avoid" in CSS
    assert "table-header-group" in CSS


# ---------------------------------------------------------------- markup and command


def test_plain_text_is_always_escaped() -> None:
    assert tag("td", "a < b & c", title='"x"') == '<td title="&quot;x&quot;">a &lt; b &amp; c</td>'
    assert join("<b>", tag("b", "x"), None, 3, 1.25) == "&lt;b&gt;<b>x</b>31.2"
    assert isinstance(tag("td"), Markup)
    assert tag("td", class_=None) == "<td></td>"
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8" />'


@pytest.fixture
def run(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    seen: dict[str, Any] = {}

    def command(findings: list[Finding]) -> int:
        def load(*_: Any, **options: Any) -> Any:
            seen.update(options)
            return iter([(told.dossier(), findings)])

        monkeypatch.setattr("audit.cli.trusted.load_all", load)
        evidence = tmp_path / "evidence"
        evidence.mkdir(exist_ok=True)
        status = commands.run(cli.app, ["report", str(evidence), "--html", str(tmp_path / "report.html")])
        assert seen["check_content"], "the data are read, too"
        return status

    return command


def test_the_command_writes_the_page_and_exits_by_the_verdict(
    run: Callable[..., int], tmp_path: Path
) -> None:
    for findings, status in (
        (PROVEN, 0),
        ([failed("log", "forked")], 3),
        ([unchecked("anchor", "no trust file")], 6),
    ):
        assert run(findings) == status
        assert parsed((tmp_path / "report.html").read_text("utf-8")).tag == f"{XHTML}html"


def test_the_same_evidence_and_time_give_the_same_page(told: Told) -> None:
    assert html(told) == html(told)
    assert page([story(told)], MADE + timedelta(hours=1), "1.0") != html(told)
