"""Bars in a table's cell: a share of a whole, and a change to more (right) or less (left).

share(30, 100)                        # a third of a bar
change(-12_000, largest=80_000, marked=True)
"""

from markupsafe import Markup

_WIDTH, _HEIGHT = 120.0, 12.0
_NEARLY = 0.9


def share(part: float | None, whole: float | None, *, limited: bool = True) -> Markup:
    """`part` of `whole`; nothing where either is not known. Where the whole is a limit, a bar that is nearly
    full, or over, looks so."""
    if part is None or not whole:
        return Markup()
    filled = min(max(part / whole, 0.0), 1.0)
    kind = "bar-fill"
    if limited and filled > _NEARLY:
        kind = "bar-over" if part > whole else "bar-high"
    box = f'x="0.5" y="1.5" height="{_HEIGHT - 3}" rx="2"'
    return _drawn(
        f'<rect {box} width="{_WIDTH - 1}" class="bar-frame"/>'
        f'<rect {box} width="{(_WIDTH - 1) * filled:.1f}" class="{kind}"/>'
    )


def change(value: int | None, *, largest: int, marked: bool = False) -> Markup:
    """A bar from the middle, as long as `value` of `largest`; hollow where `marked`."""
    if value is None or not largest:
        return Markup()
    middle = _WIDTH / 2
    length = min(abs(value) / largest, 1.0) * (middle - 1)
    length = max(length, 1.0) if value else 0.0
    left = middle if value >= 0 else middle - length
    kind = "bar-shrunk" if marked else "bar-more" if value >= 0 else "bar-less"
    return _drawn(
        f'<path d="M{middle} 0V{_HEIGHT}" class="bar-axis"/>'
        f'<rect x="{left:.1f}" y="2" width="{length:.1f}" height="{_HEIGHT - 4}" class="{kind}"/>'
    )


def _drawn(shapes: str) -> Markup:
    size = f'viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" width="{_WIDTH:.0f}" height="{_HEIGHT:.0f}"'
    return Markup(f'<svg class="bar" {size} aria-hidden="true">{shapes}</svg>')  # noqa: S704 - numbers alone
