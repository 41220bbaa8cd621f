"""The language of letters, `[alerts] language`: any that the pages have a catalogue for.

    check_language("zh")                     # InvalidInput where there is no catalogue
    gettext_of("zh")("Over")                 # "已结束"

A letter keeps the language that it was made in: every attempt says the same.
"""

from collections.abc import Callable

from core.errors import InvalidInput
from hub.web.i18n import ENGLISH, languages

__all__ = ["ENGLISH", "check_language", "gettext_of"]


def check_language(tag: str) -> str:
    """`tag`. Raises `InvalidInput`."""
    if tag not in languages():
        raise InvalidInput(
            f"alerts.language: there is no catalogue for {tag!r}",
            remedy=f"write one of {', '.join(languages())}; docs/operations/pages.md says how to add one",
        )
    return tag


def gettext_of(tag: str) -> Callable[[str], str]:
    """Translates templates; into English where the catalogue has gone since."""
    known = languages()
    return known.get(tag, known[ENGLISH]).gettext
