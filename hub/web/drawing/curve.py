"""A size over time, as steps, with its scale beside it in text that a telephone does not shrink.

curve([(moment, 1_200_000), …], label="Size of each version", capacity=[…])
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from markupsafe import Markup

from core.clock import format_instant
from hub.web.formats import Formats

Point = tuple[datetime, int]
_WIDTH, _HEIGHT = 600.0, 120.0
_POINTS_MAX = 400
_DRAWN = 0.97  # the newest value is seen, too: it goes on to the edge


def curve(
    points: Sequence[Point],
    *,
    label: str,
    formats: Formats,
    ceiling: Sequence[Point] = (),
    marked: Sequence[datetime] = (),
) -> Markup:
    """Steps of `points` (any order); `ceiling`: a second, dashed line; `marked` instants get a line down.

    Nothing for fewer than two points: one point is no course of events.
    """
    drawn = _thinned(sorted(points))
    if len(drawn) < 2:
        return Markup()
    first, last = drawn[0][0], drawn[-1][0]
    span_s = max((last - first).total_seconds(), 1.0)
    top = max([1, *(value for _, value in drawn), *(value for _, value in ceiling)])

    def x(moment: datetime) -> float:
        return _WIDTH * _DRAWN * min(max((moment - first).total_seconds() / span_s, 0.0), 1.0)

    def y(value: int) -> float:
        return 4 + (_HEIGHT - 8) * (1 - value / top)

    steps = f"{_steps(drawn, x, y)}H{_WIDTH}"
    parts = [
        f'<path d="M0 {_HEIGHT - 4}L{steps}V{_HEIGHT - 4}Z" class="curve-area"/>',
        *(f'<path d="M{x(at):.1f} 0V{_HEIGHT}" class="curve-mark"/>' for at in marked),
        f'<path d="M{steps}" class="curve-line"/>',
    ]
    if len(ceiling) > 1:
        parts.append(f'<path d="M{_steps(_thinned(sorted(ceiling)), x, y)}" class="curve-ceiling"/>')
    return Markup(
        '<figure class="curve">'
        '<div class="curve-scale" aria-hidden="true"><span>{top}</span><span>0</span></div>'
        '<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img" aria-label="{said}">'
        '{parts}</svg><div class="curve-times"><time datetime="{from_}" data-form="day">{from_text}</time>'
        '<time datetime="{to}" data-form="day">{to_text}</time></div></figure>'
    ).format(
        top=formats.size(top),
        width=int(_WIDTH),
        height=int(_HEIGHT),
        said=f"{label}: {formats.size(drawn[0][1])} → {formats.size(drawn[-1][1])}",
        parts=Markup("".join(parts)),  # noqa: S704 - numbers alone
        from_=format_instant(first),
        from_text=formats.date(first),
        to=format_instant(last),
        to_text=formats.date(last),
    )


def _steps(points: Sequence[Point], x: Callable[[datetime], float], y: Callable[[int], float]) -> str:
    moment, value = points[0]
    path = [f"{x(moment):.1f} {y(value):.1f}"]
    for moment, value in points[1:]:
        path.append(f"H{x(moment):.1f}V{y(value):.1f}")
    return "".join(path)


def _thinned(points: Sequence[Point]) -> list[Point]:
    """At most `_POINTS_MAX`, evenly; first and last stay."""
    if len(points) <= _POINTS_MAX:
        return list(points)
    step = (len(points) - 1) / (_POINTS_MAX - 1)
    return [points[round(place * step)] for place in range(_POINTS_MAX)]
