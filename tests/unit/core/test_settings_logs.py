"""Settings say which key is wrong and what to do; logs cannot be forged by a file's name."""

import io
import json
from pathlib import Path

import pytest
from pydantic import Field

from core import logs
from core.errors import InvalidInput
from core.settings import Section, load, parse


class Share(Section):
    allow: list[str]


class Publish(Section):
    dataset: str
    settle_s: float = 2.0
    share: list[Share] = Field(default=[])


class Settings(Section):
    publish: list[Publish] = Field(default=[])
    groups: dict[str, list[str]] = Field(default={})


def _load(tmp_path: Path, text: str | bytes) -> Settings:
    path = tmp_path / "node.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path, Settings)


def _refusal(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        _load(tmp_path, text)
    assert "node.toml" in caught.value.message
    return caught.value.message


def test_a_file_becomes_a_frozen_model(tmp_path: Path) -> None:
    settings = _load(tmp_path, '[[publish]]\ndataset = "a"\nsettle_s = 1\n[groups]\nx = ["la-dgm"]\n')
    assert settings.publish[0].settle_s == 1.0
    with pytest.raises(ValueError, match="frozen"):
        settings.publish[0].dataset = "b"  # type: ignore[misc]


def test_unknown_keys_ask_did_you_mean(tmp_path: Path) -> None:
    text = '[[publish]]\ndataset = "a"\nsetle_s = 1\n'
    assert "publish[1].setle_s; did you mean 'settle_s'?" in _refusal(tmp_path, text)
    assert "zzz; known here: publish, groups" in _refusal(tmp_path, "zzz = 1\n")
    nested = '[[publish]]\ndataset = "a"\n[[publish.share]]\nalow = []\nallow = []\n'
    assert "publish[1].share[1].alow; did you mean 'allow'?" in _refusal(tmp_path, nested)


def test_missing_keys_and_wrong_types_are_named(tmp_path: Path) -> None:
    assert "key publish[1].dataset is missing" in _refusal(tmp_path, "[[publish]]\n")
    assert "publish[1].settle_s" in _refusal(tmp_path, '[[publish]]\ndataset = "a"\nsettle_s = "2"\n')
    assert "publish[1].dataset" in _refusal(tmp_path, "[[publish]]\ndataset = 3\n")


def test_a_wrong_type_says_how_to_write_it(tmp_path: Path) -> None:
    table = '[[publish]]\ndataset = "a"\n'
    assert "settle_s: '2' is not a number; write it without quotes" in _refusal(
        tmp_path, table + 'settle_s = "2"\n'
    )
    assert 'share[1].allow: \'read\' is not a list; write ["…", "…"]' in _refusal(
        tmp_path, table + '[[publish.share]]\nallow = "read"\n'
    )


def test_text_without_quotes_and_other_encodings_come_with_a_remedy(tmp_path: Path) -> None:
    for text in (b"[[publish]]\ndataset = geology\n", '# "ä"\n'.encode("latin-1")):
        (tmp_path / "node.toml").write_bytes(text)
        with pytest.raises(InvalidInput) as caught:
            load(tmp_path / "node.toml", Settings)
        assert "line " in caught.value.message
        assert caught.value.remedy


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert _load(tmp_path, '\ufeff[[publish]]\ndataset = "a"\n').publish[0].dataset == "a"


def test_every_problem_is_listed_at_once(tmp_path: Path) -> None:
    message = _refusal(tmp_path, "[[publish]]\nx = 1\n[[publish]]\ndataset = 1\n")
    assert message.count("publish[") == 3


def test_unreadable_files_are_usage_errors(tmp_path: Path) -> None:
    _refusal(tmp_path, b"\xff\xfe")
    _refusal(tmp_path, "[[publish")
    _refusal(tmp_path, "a = 1\na = 2\n")
    with pytest.raises(InvalidInput) as caught:
        load(tmp_path / "nowhere.toml", Settings)
    assert "--config" in caught.value.remedy
    with pytest.raises(InvalidInput):
        load(tmp_path, Settings)


def test_a_table_can_be_parsed_without_a_file() -> None:
    assert parse({}, Settings, source="built-in").publish == []


HOSTILE = "map\x1b[2J\nerror forged\u202e\u2028.tif"


@pytest.mark.parametrize("as_json", [False, True])
def test_a_hostile_file_name_cannot_forge_a_line(as_json: bool) -> None:
    stream = io.StringIO()
    logs.configure(json=as_json, stream=stream)
    logs.get_logger("test").info("added", path=HOSTILE, title="ແຜນທີ່ 地质图")
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert "\x1b[2J" not in text
    assert "\u202e" not in text
    assert "ແຜນທີ່ 地质图" in text
    if as_json:
        assert json.loads(text)["component"] == "test"


def test_printable_leaves_scripts_alone() -> None:
    for text in ("ແຜນທີ່", "ផែនទី\u200b", "地质图", "plain", "a'b\"c"):
        assert logs.printable(text) == text
    assert logs.printable("\udcb5") == "\\udcb5"


def test_levels_filter() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream, level="warning")
    logs.get_logger("test").info("quiet")
    logs.get_logger("test").warning("loud", remedy="look")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


def test_the_log_goes_to_standard_error_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    logs.configure()
    now = io.StringIO()
    monkeypatch.setattr("sys.stderr", now)
    logs.get_logger("test").warning("here")
    assert "here" in now.getvalue()


@pytest.mark.parametrize("fault", [OSError("no reader"), ValueError("closed")])
def test_a_log_that_cannot_be_written_stops_nobody(fault: Exception) -> None:
    class Broken(io.StringIO):
        def write(self, text: str, /) -> int:
            raise fault

    logs.configure(stream=Broken())
    logs.get_logger("test").error("lost")
