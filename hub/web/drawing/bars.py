"""Bars in a table's cell: a share of a whole, and a change to more (right) or less (left).

share(30, 100)                        # a third of a bar
change(-12_000, largest=80_000, marked=True)
"""

from markupsafe import Markup

_WIDTH, _HEIGHT = 120.0, 12.0


def share(part: float | None, whole: float | None) -> Markup:
    """`part` of `whole`; over it, the bar is full and marked. Nothing where either is not known."""
    if part is None or not whole:
        return Markup()
    filled = min(max(part / whole, 0.0), 1.0)
    kind = "bar-over" if part > whole else "bar-high" if filled > 0.9 else "bar-fill"
    return Markup(  # noqa: S704 - numbers and our own words
        f'<svg class="bar" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" width="120" height="12" aria-hidden="true">'
        f'<rect x="0.5" y="1.5" width="{_WIDTH - 1}" height="{_HEIGHT - 3}" rx="2" class="bar-frame"/>'
        f'<rect x="0.5" y="1.5" width="{(_WIDTH - 1) * filled:.1f}" height="{_HEIGHT - 3}" rx="2" class="{kind}"/>'
        "</svg>"
    )


def change(value: int | None, *, largest: int, marked: bool = False) -> Markup:
    """A bar from the middle, as long as `value` of `largest`; hatched where `marked`. The number stands beside."""
    if value is None or not largest:
        return Markup()
    middle = _WIDTH / 2
    length = min(abs(value) / largest, 1.0) * (middle - 1)
    length = max(length, 1.0) if value else 0.0
    left = middle if value >= 0 else middle - length
    kind = "bar-shrunk" if marked else "bar-more" if value >= 0 else "bar-less"
    return Markup(  # noqa: S704 - numbers and our own words
        f'<svg class="bar" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" width="120" height="12" aria-hidden="true">'
        f'<path d="M{middle} 0V{_HEIGHT}" class="bar-axis"/>'
        f'<rect x="{left:.1f}" y="2" width="{length:.1f}" height="{_HEIGHT - 4}" class="{kind}"/></svg>'
    )
