"""What a licence may be: an SPDX expression, or `LicenseRef-…` with its text.

    check_licence("CC-BY-4.0", has_text=False)
    check_licence("LicenseRef-LA-Open-Data-1.0", has_text=True)

The expression is checked against the SPDX list; a `LicenseRef-…` is a national licence that no list
knows, so its text must come with it, and the manifest names that text's digest (SPDX 2.3, annex D).
"""

import re
from functools import lru_cache

from license_expression import (
    ExpressionError,
    ExpressionParseError,
    LicenseSymbol,
    Licensing,
    get_spdx_licensing,
)

from core.errors import InvalidInput

_LICENSE_REF = re.compile(r"\bLicenseRef-[A-Za-z0-9.-]+", re.ASCII)
_EXPRESSION = re.compile(r"[A-Za-z0-9.+() -]{1,1000}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9.+-]+", re.ASCII)


def check_licence(expression: str, *, has_text: bool) -> str:
    """`expression` as it is, if it may stand in a manifest. Raises `InvalidInput` that says why not."""
    if not _EXPRESSION.fullmatch(expression):
        raise _invalid(expression, "it is empty, too long or has illegal characters")
    references = frozenset(_LICENSE_REF.findall(expression))
    if references and not has_text:
        raise InvalidInput(
            f"licence {expression!r} refers to {min(references)}, whose text is not given",
            remedy="name the file with its text as license_file",
        )
    licensing = _spdx() if not references else _with_references(references)
    try:
        parsed = licensing.parse(expression, validate=True, strict=True)
    except (ExpressionError, ExpressionParseError) as error:
        raise _invalid(expression, " ".join(str(error).split())) from None
    if parsed is None:
        raise _invalid(expression, "it is empty")
    # The parser takes any case and old aliases; evidence is written in one way only.
    keys = {word.casefold(): word for word in licensing.known_symbols}
    for word in _WORD.findall(expression):
        if word not in licensing.known_symbols and word not in ("AND", "OR", "WITH"):
            better = keys.get(word.casefold())
            raise _invalid(expression, f"write {better}" if better else f"{word} is an old or unknown name")
    return expression


def needs_text(expression: str) -> bool:
    """Whether `expression` names a licence that only its own text describes."""
    return _LICENSE_REF.search(expression) is not None


def _invalid(expression: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"licence {expression[:200]!r} is not an SPDX expression: {why}",
        remedy="use one of spdx.org/licenses, for example CC-BY-4.0, or LicenseRef-<ID> with license_file",
    )


@lru_cache(maxsize=1)
def _spdx() -> Licensing:
    return get_spdx_licensing()


@lru_cache(maxsize=64)
def _with_references(references: frozenset[str]) -> Licensing:
    known = list(_spdx().known_symbols.values())
    return Licensing([*known, *(LicenseSymbol(key=reference) for reference in sorted(references))])
