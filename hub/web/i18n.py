"""The languages of the pages: catalogues, which one a viewer gets, and which of a title's texts.

* A language is there when `catalogues/<tag>/syncline.po` is; English needs none: the templates are English.
  The catalogues are read once, as they lie: nothing is compiled or generated beside them.
* A viewer gets the language of the cookie that the link in the page's head sets, else the best of
  `Accept-Language`, else English. What a catalogue lacks is said in English.
* A title or a name comes in several languages of its owner's choice: the viewer's own is shown if there is
  one, else the owner's. Each is marked with its `lang` and `dir`, so that it is read out and set rightly.

    language = choose(languages(), cookie="", accepted="zh-CN,zh;q=0.9,en;q=0.8")
    language.gettext("in sync")                         # "已同步"
    own_text({"lo": "ທໍລະນີສາດ", "en": "Geology"}, ("zh", "en"))  # ("en", "Geology")
"""

import gettext
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

CATALOGUES = Path(__file__).with_name("catalogues")
DOMAIN = "syncline"
ENGLISH = "en"

_ACCEPTED_MAX = 16
#: How numbers and dates are written where the tag alone would say otherwise: days before months, 24 hours.
_LOCALES = {"en": "en_GB", "zh": "zh_Hans_CN"}
_NAMES = {"en": "English", "zh": "简体中文"}


@dataclass(frozen=True, slots=True)
class Language:
    """A language that the pages speak. `tag` is BCP 47, `name` as its own speakers write it."""

    tag: str
    name: str
    locale: Locale
    translations: gettext.NullTranslations

    @property
    def lang(self) -> str:
        """What the page's `lang` says: the locale that numbers and dates are written in."""
        return str(self.locale).replace("_", "-")

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`."""
        return self.locale.text_direction

    def gettext(self, text: str) -> str:
        """`text` in this language; itself where the catalogue lacks it."""
        return self.translations.gettext(text) if text else ""

    def ngettext(self, singular: str, plural: str, count: int) -> str:
        """The form for `count`."""
        return self.translations.ngettext(singular, plural, count)


@cache
def languages() -> Mapping[str, Language]:
    """Every language that has a catalogue, and English, by tag; English first."""
    found = {ENGLISH: _language(ENGLISH, gettext.NullTranslations())}
    for file in sorted(CATALOGUES.glob(f"*/{DOMAIN}.po")):
        tag = file.parent.name
        found[tag] = _language(tag, _read(file))
    return found


def choose(known: Mapping[str, Language], cookie: str, accepted: str) -> Language:
    """The language for a viewer, by his own choice or his browser's `Accept-Language`."""
    if cookie in known:
        return known[cookie]
    for tag in accepted_tags(accepted):
        found = known.get(tag) or known.get(tag.partition("-")[0])
        if found is not None:
            return found
    return known[ENGLISH]


def accepted_tags(header: str) -> tuple[str, ...]:
    """The languages of an `Accept-Language` header, the most wanted first (RFC 9110, 12.5.4)."""
    wanted: list[tuple[float, str]] = []
    for item in header.split(",")[:_ACCEPTED_MAX]:
        tag, _, parameter = item.strip().partition(";")
        weight = _weight(parameter)
        if weight > 0 and tag.strip() not in ("", "*"):
            wanted.append((weight, tag.strip()))
    return tuple(tag for _, tag in sorted(wanted, key=lambda each: -each[0]))


def own_text(texts: Mapping[str, str], accepted: Sequence[str]) -> tuple[str, str]:
    """Language and text of what a viewer who reads `accepted` is shown; both empty where there is none."""
    if not texts:
        return "", ""
    for tag in accepted:
        for own in (tag, tag.partition("-")[0]):
            if own in texts:
                return own, texts[own]
        same = next((each for each in texts if each.partition("-")[0] == tag.partition("-")[0]), None)
        if same is not None:
            return same, texts[same]
    # English is what owners add for others; the other one is their own.
    own = next((each for each in texts if each.partition("-")[0] != ENGLISH), next(iter(texts)))
    return own, texts[own]


@lru_cache(maxsize=256)
def direction_of(tag: str) -> str:
    """`ltr` or `rtl`; `auto` where the language is not known, which lets the browser look at the text."""
    try:
        return Locale.parse(tag, sep="-").text_direction
    except (UnknownLocaleError, ValueError):
        return "auto"


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0


def _language(tag: str, translations: gettext.NullTranslations) -> Language:
    locale = Locale.parse(_LOCALES.get(tag, tag.replace("-", "_")))
    name = _NAMES.get(tag) or locale.get_display_name() or tag
    return Language(tag, name, locale, translations)


def _read(file: Path) -> gettext.NullTranslations:
    with file.open("rb") as text:
        catalogue = read_po(text, domain=DOMAIN)
    binary = io.BytesIO()
    write_mo(binary, catalogue)
    binary.seek(0)
    return gettext.GNUTranslations(binary)
