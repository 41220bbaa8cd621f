"""Tables stay aligned in every script; progress is said once in a while, and never too often."""

import ctypes
import io
import locale
import unicodedata
from typing import Any

import pytest

from core.progress import NullProgress, Progress
from core.terminal import LoggedProgress, bytes_text, pad, progress, table, width

TITLES = ["ແຜນທີ່ທໍລະນີສາດ", "แผนที่ธรณีวิทยา", "ផែនទីភូគព្ភសាស្ត្រ", "地质图", "မြေပုံ", "Geology", "한국 지질도", "Bản đồ"]


def test_every_column_starts_at_one_place() -> None:
    lines = table(("title", "owner", "files"), [(title, "la-dgm", 12) for title in TITLES]).splitlines()
    starts = {width(line[: line.index("la-dgm")]) for line in lines[1:]}
    assert starts == {width(lines[0][: lines[0].index("owner")])}
    assert len({width(line) for line in lines}) == 1


def test_widths_are_the_terminals() -> None:
    """The C library's `wcwidth` is what terminals and `column` go by."""
    library = ctypes.CDLL(None)
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
        blocks = [range(0x20, 0x7F), range(0xE00, 0xF00), range(0x1000, 0x10A0), range(0x1780, 0x17E0),
                  range(0x300, 0x370), range(0x4E00, 0x4F00), range(0xAC00, 0xAC80)]  # fmt: skip
        for block in blocks:
            for point in block:
                if unicodedata.category(chr(point)) != "Cn":
                    assert width(chr(point)) == library.wcwidth(point), hex(point)
    except (locale.Error, AttributeError):
        pytest.skip("WIDTHS NOT COMPARED: this system has no C.UTF-8 locale or no wcwidth")
    finally:
        locale.setlocale(locale.LC_CTYPE, before)


def test_cells_are_harmless_and_readable() -> None:
    text = table(("name", "ok", "none", "n"), [("a\x1b[2J\nb", True, None, 1234567), ("c", False, "x", 1)])
    lines = text.splitlines()
    assert len(lines) == 3
    assert "\x1b" not in text
    assert "yes" in lines[1]
    assert " - " in lines[1]
    assert lines[1].endswith("1 234 567")
    assert lines[2].endswith("        1")


def test_an_empty_table_is_its_header() -> None:
    assert table(("a", "b"), []) == "a  b"


def test_pad_counts_columns() -> None:
    assert pad("ທີ່", 3) == "ທີ່  "
    assert pad("地", 3, right=True) == " 地"
    assert pad("long", 2) == "long"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_400_000, "1.4 MB"), (999_999, "1.0 MB"),
     (10**12, "1.0 TB"), (10**16, "10000.0 TB"), (-5, "-5 B")],
)  # fmt: skip
def test_sizes_for_people(count: int, text: str) -> None:
    assert bytes_text(count) == text


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **facts: Any) -> None:
        self.lines.append((event, facts))


def test_log_lines_come_every_few_seconds() -> None:
    log, now = Log(), [0.0]
    shown = LoggedProgress(log, every_s=10, monotonic=lambda: now[0])
    shown.begin("upload", 4_000)
    for second in range(1, 36):
        now[0] = float(second)
        shown.advance(100)
    shown.end()
    assert [facts["done"] for _, facts in log.lines] == ["1.0 kB", "2.0 kB", "3.0 kB"]
    assert log.lines[0] == ("upload", {"done": "1.0 kB", "rate": "100 B/s", "total": "4.0 kB", "left_s": 30})


def test_work_that_is_done_soon_says_nothing_and_an_unknown_total_is_fine() -> None:
    log, now = Log(), [0.0]
    shown = LoggedProgress(log, every_s=10, monotonic=lambda: now[0])
    shown.begin("scan", None)
    shown.advance(5)
    assert log.lines == []
    now[0] = 11.0
    shown.advance(5)
    assert "total" not in log.lines[0][1]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_that_goes_when_the_work_ends() -> None:
    stream = Terminal()
    with progress(stream) as shown:
        shown.begin("upload ແຜນທີ່ [red]", 100)
        shown.advance(50)
        shown.begin("next", None)
        shown.advance(1)
    assert "upload ແຜນທີ່ [red]" in stream.getvalue()


def test_elsewhere_there_are_log_lines() -> None:
    with progress(io.StringIO(), log=Log()) as shown:
        assert isinstance(shown, LoggedProgress)


def test_null_progress_is_a_progress() -> None:
    shown: Progress = NullProgress()
    shown.begin("x", None)
    shown.advance(1)
    shown.end()
