"""The fleet on a terminal: aligned in every script, the worst first, with meaning on a narrow one."""

import ctypes
import io
import locale
import os
import pty
import sys
import termios
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from core.clock import SystemClock
from core.names import NodeName, PartnerId
from core.terminal import width
from hub.cli import top as top_module
from hub.cli.colours import written
from hub.cli.fleet_text import MARKS, cut, fleet_lines, plain, spark, table_lines
from hub.cli.top import screen_lines
from hub.layout import Layout
from hub.overview.model import (
    WORST_FIRST,
    Attention,
    Disk,
    FleetCounts,
    FleetView,
    HubView,
    Message,
    NodeLine,
    NodeState,
    PartnerLine,
)
from hub.services.context import Caller
from hub.services.hub import Hub
from tests.unit.hub_cli.test_commands import CommandLine, line, member

__all__ = ["line"]

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NAMES = {
    "la-dgm": {"lo": "ກົມທໍລະນີສາດ ແລະ ບໍ່ແຮ່"},
    "th-dmr": {"th": "กรมทรัพยากรธรณี กระทรวงทรัพยากรธรรมชาติ"},
    "kh-gdr": {"km": "អគ្គនាយកដ្ឋានធនធានរ៉ែ"},
    "mm-dgse": {"my": "ဘူမိဗေဒလေ့လာရေးနှင့်ဓာတ်သတ္တုရှာဖွေရေးဦးစီးဌာန"},
    "cn-cgs": {"zh": "中国地质调查局"},
    "vn-dgm": {"vi": "Cục Địa chất Việt Nam"},
    "jp-gsj": {"ja": "ｶﾞ産業技術総合研究所"},
}


def node(partner: str, name: str, state: NodeState, seen_s: int) -> NodeLine:
    return NodeLine(
        partner=partner,
        node=name,
        state=state,
        version="0.1.0",
        last_seen=NOW - timedelta(seconds=seen_s),
        lag_s=seen_s * 7,
        backlog_bytes=seen_s * 12_345,
        rate_bytes_s=seen_s * 99,
        clock_offset_s=0.0,
        alarms=0,
        problems=(),
    )


def partner(number: int, name: str, nodes: int = 1) -> PartnerLine:
    state = WORST_FIRST[number % len(WORST_FIRST)]
    lines = tuple(
        node(name, f"mirror-{place}" if place else "main", state, 10**number) for place in range(nodes)
    )
    return PartnerLine(
        partner=name,
        names=NAMES[name],
        standing="active",
        state=state,
        lag_s=lines[0].lag_s,
        backlog_bytes=lines[0].backlog_bytes,
        rate_bytes_s=lines[0].rate_bytes_s,
        last_seen=lines[0].last_seen,
        backlog=(*[None] * 20, *range(28)),
        nodes=lines,
        datasets=3,
        datasets_late=number % 2,
        used_bytes=0,
        quota_bytes=None,
    )


PARTNERS = [partner(number, name, 1 + number % 3) for number, name in enumerate(NAMES)]


def view(attention: int = 2, partners: int = len(PARTNERS)) -> FleetView:
    return FleetView(
        revision=1,
        hub=HubView(
            name="ธรณีวิทยา",
            federation="test-geo",
            running=True,
            version="0.1.0",
            address="hub.test:7443",
            time=NOW,
            registry_seq=1,
            registry_expires=NOW,
            certificate_expires=NOW,
            last_backup=None,
            disk=Disk(name="/", free_bytes=1, total_bytes=2),
        ),
        counts=FleetCounts(
            partners=1,
            nodes=12,
            by_state={"silent": 1, "in sync": 11},
            datasets=200,
            versions=1,
            datasets_by_freshness={"late": 3},
            backlog_bytes=5_000_000,
            rate_bytes_s=1000,
        ),
        attention=tuple(
            Attention(
                severity="error",
                urgent=number == 0,
                message=Message(code="attention.node-fault", params={"message": "ເຕັມ" * 40}),
                remedy=Message(code="remedy.ask", params={"partner": "la-dgm"}),
            )
            for number in range(attention)
        ),
        partners=tuple(PARTNERS[:partners]),
    )


@pytest.mark.parametrize("columns", [None, 160, 120, 100, 80, 60, 50])
def test_columns_stay_aligned_in_every_script(columns: int | None):
    lines = [plain(each) for each in table_lines(PARTNERS, NOW, columns)]
    at = width(lines[0].partition("state")[0])
    for text in lines[1:]:
        before = next(text.partition(mark)[0] for mark in MARKS.values() if f" {mark} " in text)
        assert width(before) == at - 0, text
        assert columns is None or width(text) <= columns


@pytest.mark.parametrize("name", [next(iter(names.values())) for names in NAMES.values()])
def test_widths_are_those_of_the_c_library_which_terminals_go_by(name: str):
    library = ctypes.CDLL(None)
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
        assert width(name) == library.wcswidth(ctypes.c_wchar_p(name), len(name))
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    for columns in range(1, width(name) + 2):
        shown = cut(name, columns)
        assert width(shown) <= columns
        assert shown == name or shown.endswith("…")


def test_a_letter_is_not_cut_from_its_marks():
    assert cut("ບໍ່ແຮ່", 2) == "ບໍ່…"
    assert cut("中国地质", 4) == "中…"
    assert cut("abc", 3) == "abc"


def test_narrow_terminals_lose_columns_and_keep_the_state_the_lag_and_when_it_was_seen():
    for columns in (200, 100, 80, 60, 45):
        header = plain(next(table_lines(PARTNERS, NOW, columns))).split()
        assert {"partner", "state", "lag", "seen"} <= {*header}
    assert "rate" in plain(next(table_lines(PARTNERS, NOW, 100)))
    assert "node" not in plain(next(table_lines(PARTNERS, NOW, 60)))
    rows = [*table_lines(PARTNERS, NOW, 60)]
    assert len(rows) == 1 + len(PARTNERS), "where nodes have no column, they have no lines"


@pytest.mark.parametrize("columns", [120, 80, 40, 20])
def test_no_line_is_wider_than_the_terminal(columns: int):
    for each in fleet_lines(view(), columns):
        assert width(plain(each)) <= columns


def test_what_needs_a_person_stands_above_all_then_the_counts_then_the_worst():
    text = [plain(each) for each in fleet_lines(view())]
    assert text[0].startswith("! ")
    assert text[2].startswith("· ")
    assert text[5] == "1 partner, 12 nodes: 1 silent, 11 in sync"
    assert text[6] == "200 datasets with 1 version: 3 late"
    assert text[10].startswith("la-dgm")
    assert "‼ alarm" in text[10]


@pytest.mark.parametrize(
    ("backlog", "shown"),
    [
        ((None,) * 48, " " * 24),
        ((0,) * 48, "▁" * 24),
        ((*[None] * 44, 0, 0, 7, 70), " " * 22 + "▁█"),
        ((*[0] * 46, 1, None), "▁" * 23 + "█"),
    ],
)
def test_the_last_day_in_blocks(backlog: tuple[int | None, ...], shown: str):
    assert spark(backlog) == shown


def test_a_screen_shows_what_fits_and_says_what_does_not():
    for rows in (10, 24, 50):
        lines = screen_lines(view(attention=60), 80, rows)
        assert len(lines) <= rows - 1
        assert "q ends" in plain(lines[-1])
    text = "\n".join(plain(each) for each in screen_lines(view(attention=60), 80, 60))
    assert "… and 50 more" in text
    assert "la-dgm" in text.splitlines()[-20:][0] or "mm-dgse" in text


def test_colours_add_nothing_but_colours():
    for each in fleet_lines(view(), 80):
        coloured = written(each, colours=True)
        for code in (
            "\033[0m",
            "\033[1;31m",
            "\033[31m",
            "\033[35m",
            "\033[33m",
            "\033[36m",
            "\033[32m",
            "\033[2m",
        ):
            coloured = coloured.replace(code, "")
        assert coloured.rstrip() == plain(each)
        assert "\033" not in written(each, colours=False)


def test_rich_passes_lines_through_as_they_were_measured():
    lines = [*table_lines(PARTNERS, NOW, 80)]
    screen = top_module._Screen(lambda _: lines)
    file = io.StringIO()
    Console(file=file, width=20, force_terminal=True, no_color=True).print(screen)
    shown = file.getvalue().replace("\033[K", "").splitlines()
    assert shown[: len(lines)] == [plain(each) for each in lines]


# ── the commands ─────────────────────────────────────────────────────────────────────────────────


def test_status_and_top_give_programs_what_the_api_answers(line: CommandLine, tmp_path: Path):
    member(line, tmp_path)
    status, top = line.json("status"), line.json("top")
    assert status["partners"] == top["partners"]
    assert FleetView.model_validate(status | {"hub": status["hub"]}).partners[0].partner == "la-dgm"
    assert [each["message"]["code"] for each in status["attention"]] == [
        "attention.hub-not-running",
        "attention.admin-keys",
    ]


def test_top_prints_once_where_no_terminal_is_and_exits_as_status_does(line: CommandLine, tmp_path: Path):
    member(line, tmp_path)
    assert line("top") == line("top", "--once") == line("status") == 8
    assert line("top") == 8
    assert "la-dgm" in line.out and "the hub does not run" in line.out
    assert "\033" not in line.out


def test_top_ends_with_q_and_gives_the_terminal_back(
    line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    member(line, tmp_path)
    with Hub.open(Layout(line.directory), clock=SystemClock()) as hub:
        hub.fleet.report_status(Caller(PartnerId("la-dgm"), NodeName("main")), b"{}")
    ours, theirs = pty.openpty()
    drawn: list[str] = []

    def person() -> None:
        """Presses q when the screen is there."""
        while "\033[?1049l" not in "".join(drawn[-2:]):
            drawn.append(os.read(ours, 65_536).decode("utf-8", "replace"))
            if "q ends" in drawn[-1]:
                os.write(ours, b"xq")

    watching = threading.Thread(target=person)
    monkeypatch.setenv("TERM", "xterm-256color")
    with os.fdopen(os.dup(theirs), "r") as keyboard, os.fdopen(theirs, "w", encoding="utf-8") as screen:
        monkeypatch.setattr(sys, "stdin", keyboard)
        monkeypatch.setattr(sys, "stdout", screen)
        before = termios.tcgetattr(keyboard.fileno())
        watching.start()
        assert line("top", "--every", "3600") == 0
        screen.flush()
        watching.join()
        assert termios.tcgetattr(keyboard.fileno()) == before
    os.close(ours)
    text = "".join(drawn)
    assert "✓ in sync" in text
    assert text.index("\033[?1049h") < text.index("la-dgm") < text.index("\033[?1049l")


def test_who_has_left_is_not_said_to_have_never_been_seen():
    def seen(state: NodeState) -> str:
        changes = {"state": state, "last_seen": None}
        gone = PARTNERS[0].model_copy(
            update={**changes, "nodes": tuple(each.model_copy(update=changes) for each in PARTNERS[0].nodes)}
        )
        shown = view(partners=1).model_copy(update={"partners": (gone,)})
        return "\n".join(plain(each) for each in fleet_lines(shown))

    assert "never" not in seen("left")
    assert "never" in seen("no report yet")
