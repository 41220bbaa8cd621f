"""A small shape for each state, so that states differ without colour. The word always stands beside it.

mark("silent")                        # <svg class="mark mark-silent" aria-hidden="true" …>…</svg>
"""

from functools import cache

from markupsafe import Markup

_RING = '<circle cx="8" cy="8" r="5.5" class="line"/>'
_DISC = '<circle cx="8" cy="8" r="6.5" class="fill"/>'
_CHECK = '<path d="M4.9 8.3 7.2 10.6 11.3 5.7" class="cut"/>'
_TRIANGLE = '<path d="M8 1.8 14.8 13.8H1.2Z" class="fill"/><path d="M8 6v3.6M8 11.4v.6" class="cut"/>'
_OCTAGON = (
    '<path d="M5 1.2h6L14.8 5v6L11 14.8H5L1.2 11V5Z" class="fill"/><path d="M8 4.4v4.4M8 11v.6" class="cut"/>'
)
_HALF = f'{_RING}<path d="M8 2.5a5.5 5.5 0 0 1 0 11Z" class="fill"/>'
_DASH = '<path d="M3.5 8h9" class="line"/>'
_CLOCK = f'{_RING}<path d="M8 4.9V8l2.3 1.5" class="line"/>'

_SHAPES: dict[str, str] = {
    # nodes
    "alarm": _OCTAGON,
    "silent": f'{_RING}<path d="M4.2 11.8l7.6-7.6" class="line"/>',
    "trouble": _TRIANGLE,
    "stuck": '<rect x="1.8" y="1.8" width="12.4" height="12.4" rx="2" class="fill"/>'
    '<path d="M6 5v6M10 5v6" class="cut"/>',
    "behind": _HALF,
    "in sync": _DISC + _CHECK,
    "no report yet": '<circle cx="8" cy="8" r="5.5" class="line dotted"/>',
    "left": _DASH,
    # freshness
    "fresh": _DISC + _CHECK,
    "due": _CLOCK,
    "late": '<circle cx="8" cy="8" r="6.5" class="fill"/><path d="M8 4.4V8l2.6 1.7" class="cut"/>',
    "unknown": '<circle cx="8" cy="8" r="5.5" class="line dotted"/>',
    # holders
    "current": _DISC + _CHECK,
    "failed": _TRIANGLE,
    "withheld": '<rect x="3" y="7" width="10" height="7" rx="1.4" class="line"/>'
    '<path d="M5.3 7V5a2.7 2.7 0 0 1 5.4 0v2" class="line"/>',
    "not shared": _DASH,
    "not wanted": _RING,
    "ended": '<rect x="2.5" y="2.5" width="11" height="11" rx="1.5" class="line"/>'
    '<path d="M5 11l6-6" class="line"/>',
    "owner": '<path d="M8 1.6 14.4 8 8 14.4 1.6 8Z" class="fill"/>',
    # severity
    "info": f'{_RING}<path d="M8 7.4v3.6M8 4.6v.7" class="line"/>',
    "warning": _TRIANGLE,
    "error": _OCTAGON,
    # directions
    "up": '<path d="M8 13.5V3M3.8 7 8 2.8 12.2 7" class="line"/>',
    "down": '<path d="M8 2.5V13M3.8 9 8 13.2 12.2 9" class="line"/>',
    # standing
    "suspended": f'{_RING}<path d="M6.3 6v4M9.7 6v4" class="line"/>',
    "revoked": f'{_RING}<path d="M4.2 4.2l7.6 7.6" class="line"/>',
    "pending": _CLOCK,
    "invited": '<rect x="1.8" y="3.5" width="12.4" height="9" rx="1.2" class="line"/>'
    '<path d="M2.2 4.5 8 9l5.8-4.5" class="line"/>',
    "active": _DISC + _CHECK,
    # the rest
    "decision": '<path d="M8 1.6 14.4 8 8 14.4 1.6 8Z" class="line"/>'
    '<path d="M8 5v3.6M8 10.4v.6" class="line"/>',
    "shrunk": '<path d="M2 3v10h12M4.5 5l3 3 2-2 4 4.5" class="line"/>',
}


def known(name: str) -> str:
    """The name as part of a class; `unknown` for a word that has no shape."""
    return name.replace(" ", "-") if name in _SHAPES else "unknown"


@cache
def mark(name: str) -> Markup:
    """The shape of a state; a dotted ring for a word that is not known. Read out by nobody."""
    shape = _SHAPES.get(name)
    return Markup(  # noqa: S704 - from the table above alone
        f'<svg class="mark mark-{known(name)}" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"'
        f' focusable="false">{shape or _SHAPES["unknown"]}</svg>'
    )
