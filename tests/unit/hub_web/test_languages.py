"""Catalogues are whole, templates keep their parameters, and a viewer gets the language he reads."""

import re
from string import Formatter
from typing import Any

import pytest
from babel.messages import Catalog

from hub.overview.model import Message
from hub.overview.wording import TEMPLATES, say
from hub.web import catalogue
from hub.web.catalogue import lacking, messages, obsolete, read_catalogue
from hub.web.formats import Formats
from hub.web.i18n import accepted_tags, choose, languages, own_text
from hub.web.words import word

TAGS = sorted(file.parent.name for file in catalogue.CATALOGUES.glob("*/syncline.po"))
_PERCENT = re.compile(r"%\(\w+\)s")


def test_chinese_is_there() -> None:
    assert "zh" in TAGS
    assert choose(languages(), "", "zh-CN,zh;q=0.9").gettext("in sync") == "已同步"


def test_the_chinese_catalogue_lacks_nothing_and_has_nothing_obsolete() -> None:
    """After a change of words: make catalogue LANG=zh, then translate what is empty."""
    found = read_catalogue("zh")
    assert lacking(found) == []
    assert obsolete(found) == []


def test_a_message_that_is_new_is_found_lacking_and_one_that_is_gone_obsolete() -> None:
    found = Catalog()
    found.add("said by nobody any more", "x")
    assert "in sync" in lacking(found)
    assert obsolete(found) == ["said by nobody any more"]


def test_everything_that_is_said_is_in_the_catalogues() -> None:
    said: list[Any] = [each.id for each in messages()]
    assert set(TEMPLATES.values()) <= {each for each in said if isinstance(each, str)}
    assert "Needs a decision" in said, "from a template"
    assert "basic geology" in said, "from the words"


@pytest.mark.parametrize("tag", TAGS)
def test_a_translation_takes_the_parameters_of_its_message(tag: str) -> None:
    for each in read_catalogue(tag):
        if not each.id:
            continue
        ids, strings = _forms(each.id), [text for text in _forms(each.string) if text]
        wanted = {name for text in ids for name in _parameters(text)}
        for text in strings:
            # A language without a singular need not say the number; a parameter of its own none may have.
            assert _parameters(text) <= wanted, each.id
            if len(ids) == 1:
                assert _parameters(text) == wanted, each.id


@pytest.mark.parametrize("tag", TAGS)
def test_every_message_can_be_said_in_the_language(tag: str) -> None:
    gettext = languages()[tag].gettext
    for code, template in TEMPLATES.items():
        names = {name for _, name, _, _ in Formatter().parse(template) if name}
        said = say(Message(code=code, params=dict.fromkeys(names, 7)), gettext)
        assert "{" not in said


def test_a_catalogue_is_made_and_updated_by_a_command(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(catalogue, "CATALOGUES", tmp_path)
    assert catalogue.main(["lo"]) == 0
    file = tmp_path / "lo" / "syncline.po"
    text = file.read_text(encoding="utf-8")
    assert "to translate" in capsys.readouterr().out
    file.write_text(
        text.replace('msgid "in sync"\nmsgstr ""', 'msgid "in sync"\nmsgstr "ທັນ"'), encoding="utf-8"
    )
    assert catalogue.main([]) == 0, "all that are there"
    assert 'msgstr "ທັນ"' in file.read_text(encoding="utf-8"), "what was translated stays"
    before = file.read_bytes()
    catalogue.main(["lo"])
    assert file.read_bytes() == before, "nothing but words changes the file"


@pytest.mark.parametrize(
    ("cookie", "header", "tag"),
    [
        ("", "", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "fr-FR,zh;q=0.4,en;q=0.5", "en"),
        ("zh", "en", "zh"),
        ("../../etc", "en;q=nan, zh;q=1e999", "zh"),
        ("", "zh;q=0", "en"),
        ("", ",;;,=;q", "en"),
    ],
)
def test_a_viewer_gets_the_language_he_reads(cookie: str, header: str, tag: str) -> None:
    assert choose(languages(), cookie, header).tag == tag


def test_a_header_of_any_length_is_bounded() -> None:
    assert len(accepted_tags("a," * 100_000)) <= 16


def test_the_owners_own_title_is_shown_where_there_is_none_for_the_viewer() -> None:
    assert own_text({"en": "Map", "lo": "ແຜນທີ່"}, ("zh",)) == ("lo", "ແຜນທີ່")
    assert own_text({"en": "Map", "lo": "ແຜນທີ່"}, ("zh", "en")) == ("en", "Map")
    assert own_text({"zh-Hans": "图"}, ("zh-CN",)) == ("zh-Hans", "图")
    assert own_text({}, ("en",)) == ("", "")


@pytest.mark.parametrize("tag", ["en", "zh"])
def test_sizes_and_durations_are_written_as_the_language_does(tag: str) -> None:
    formats = Formats(languages()[tag].locale)
    assert [formats.size(size) for size in (None, 0, 999, 1_000, 1_449_000, 999_960, 3 * 10**15)] == [
        "–", "0 B", "999 B", "1.0 kB", "1.4 MB", "1.0 MB", "3.0 PB",
    ]  # fmt: skip
    assert formats.signed(-1_200) == "−1,200"
    assert formats.signed_size(0) == "±0 B"
    assert formats.rate(None) == "–"
    assert formats.duration(7_300) == {"en": "2 hrs", "zh": "2小时"}[tag]


def test_a_word_that_nobody_has_named_is_shown_as_it_stands() -> None:
    assert word("<b>new</b>", str, "theme") == "<b>new</b>"


def _forms(text: Any) -> list[str]:
    return [str(each) for each in text] if isinstance(text, tuple | list) else [str(text or "")]


def _parameters(text: str) -> set[str]:
    braces = {name for _, name, _, _ in Formatter().parse(text) if name} if "{" in text else set[str]()
    return braces | set(_PERCENT.findall(text))
