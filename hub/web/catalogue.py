"""Catalogues of the pages' languages: what there is to translate, and a catalogue brought in line with it.

* What is said stands in the templates of the pages, in `hub.overview.wording` and in `hub.web.words`;
  `messages` finds all of it.
* A catalogue is `catalogues/<tag>/syncline.po`, made and brought up to date by `make catalogue LANG=lo`. What
  it lacks is shown in English; what is no longer said is left out of it.

    python -m hub.web.catalogue lo               # makes or updates one
    python -m hub.web.catalogue                  # updates all
"""

import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from babel import Locale, UnknownLocaleError
from babel.messages import Catalog
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from core.errors import EXIT_OK, InvalidInput
from hub.overview.wording import TEMPLATES
from hub.web.i18n import CATALOGUES, DOMAIN
from hub.web.words import WORDS

_PAGES = Path(__file__).with_name("templates")
_KEYWORDS = ["_", "gettext", "ngettext"]
_WIDTH = 110
#: Lines of a head that would change a file without its words.
_VOLATILE = (
    "POT-Creation-Date",
    "PO-Revision-Date",
    "Generated-By",
    "Last-Translator",
    "Language-Team",
    "Report-Msgid",
)


def messages() -> Catalog:
    """Everything that the pages say, with where it is said."""
    found = Catalog(charset="utf-8", fuzzy=False)
    for text, where, context in _said():
        flags = ["python-brace-format"] if "{" in str(text) else []
        found.add(text, locations=[(where, None)], user_comments=[context] if context else [], flags=flags)  # pyright: ignore[reportArgumentType]
    return found


def lacking(catalogue: Catalog) -> list[str]:
    """The messages that `catalogue` does not translate."""
    known = {each.id: each for each in catalogue if each.id and not each.fuzzy}
    return [
        str(each.id)
        for each in messages()
        if each.id and (each.id not in known or not _is_whole(known[each.id].string))
    ]


def obsolete(catalogue: Catalog) -> list[str]:
    """The messages of `catalogue` that nobody says any more."""
    said: list[Any] = [each.id for each in messages()]
    return [str(each.id) for each in catalogue if each.id and each.id not in said]


def update(tag: str) -> Path:
    """Make or update the catalogue of a language. Raises `InvalidInput` for what is no language."""
    try:
        locale = Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError) as error:
        raise InvalidInput(f"{tag!r} is no language", remedy="give a tag like lo or zh-Hant") from error
    file = CATALOGUES / tag / f"{DOMAIN}.po"
    old = read_catalogue(tag) if file.exists() else Catalog(locale)
    new = Catalog(
        locale,
        domain=DOMAIN,
        project="Syncline",
        version="1",
        header_comment=f"# The pages of Syncline in {locale.english_name}. See docs/operations/pages.md.",
        charset="utf-8",
        fuzzy=False,
    )
    translated = {each.id: each for each in old if each.id}
    for each in messages():
        if not each.id:
            continue
        known = translated.get(each.id)
        new.add(
            each.id,
            known.string if known is not None else None,
            locations=each.locations,
            flags=each.flags,
            user_comments=each.user_comments,
        )
    text = io.BytesIO()
    write_po(text, new, width=_WIDTH, sort_output=True, omit_header=False, include_lineno=False)
    lines = text.getvalue().decode("utf-8").splitlines()
    volatile = tuple(f'"{name}' for name in _VOLATILE)
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = [line for line in lines if not line.startswith(volatile)]
    file.write_text("\n".join(kept).rstrip() + "\n", encoding="utf-8")
    return file


def read_catalogue(tag: str) -> Catalog:
    """A catalogue as it lies."""
    with (CATALOGUES / tag / f"{DOMAIN}.po").open("rb") as file:
        return read_po(file, domain=DOMAIN)


def main(arguments: Sequence[str]) -> int:
    """Update the catalogues named, or all."""
    tags = list(arguments) or sorted(file.parent.name for file in CATALOGUES.glob(f"*/{DOMAIN}.po"))
    for tag in tags:
        file = update(tag)
        left = len(lacking(read_catalogue(tag)))
        sys.stdout.write(f"{file}: {left} to translate\n")
    return EXIT_OK


def _said() -> Iterator[tuple[str | tuple[str, ...], str, str]]:
    """Text (or its forms), where, and what a translator needs to know."""
    options = {"trim_blocks": "true", "lstrip_blocks": "true", "newstyle_gettext": "true"}
    for file in sorted(_PAGES.glob("*.html")):
        with file.open("rb") as text:
            for _, name, found, _ in babel_extract(text, _KEYWORDS, [], options):
                forms = cast("Any", found)
                if name == "ngettext":
                    yield (str(forms[0]), str(forms[1])), f"templates/{file.name}", ""
                else:
                    yield str(forms[0] if isinstance(forms, tuple) else forms), f"templates/{file.name}", ""
    for code, template in TEMPLATES.items():
        yield template, "hub/overview/wording.py", code
    for vocabulary, words in WORDS.items():
        for word, text in words.items():
            yield text, "hub/web/words.py", f"{vocabulary}: {word}"


def _is_whole(text: object) -> bool:
    forms = cast("tuple[str, ...]", text) if isinstance(text, tuple | list) else (str(text or ""),)
    return all(forms)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
