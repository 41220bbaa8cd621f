"""What an agency is called, as people give it: `TEXT` in English, `LANG=TEXT` in any other language.

parse_names(["Department of Geology and Mines", "lo=ກົມທໍລະນີສາດ"])
"""

import re
from collections.abc import Sequence

from core.errors import InvalidInput

_LANGUAGE = re.compile(r"([a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)=(.+)", re.ASCII | re.DOTALL)


def parse_names(given: Sequence[str]) -> dict[str, str]:
    """`TEXT` is English, `LANG=TEXT` any other language. Raises `InvalidInput` when one stands twice."""
    names: dict[str, str] = {}
    for text in given:
        match = _LANGUAGE.fullmatch(text)
        language, value = match.groups() if match else ("en", text)
        if language in names or not value.strip():
            raise InvalidInput(
                f"the name {text!r} is empty, or the second in its language ({language})",
                remedy="give one in English, others with their language's code: lo, zh-Hans",
            )
        names[language] = value.strip()
    return names
