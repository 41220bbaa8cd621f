"""A day of a number in the height of a line of text.

sparkline((3, 4, None, 9), label="Backlog of the last day")        # None: not known, a gap
"""

from collections.abc import Sequence
from functools import lru_cache

from markupsafe import Markup

from hub.web.formats import Formats

_WIDTH, _HEIGHT, _PAD = 96.0, 22.0, 2.0


def sparkline(values: Sequence[int | None], *, label: str, formats: Formats) -> Markup:
    """An area and its line; what is not known is a gap. `label` is read out with the newest and the largest
    value."""
    return _drawn(tuple(values), label, formats)


@lru_cache(4096)
def _drawn(values: tuple[int | None, ...], label: str, formats: Formats) -> Markup:
    """Most lines say the same for half an hour, and a page has a hundred: the same is drawn once."""
    known = [value for value in values if value is not None]
    if not known:
        return Markup('<span class="nothing" title="{}">–</span>').format(label)
    top = max(known)
    step = _WIDTH / max(len(values) - 1, 1)
    kind = "spark-line" if top else "spark-line spark-none"
    lines: list[str] = []
    areas: list[str] = []
    for run in _runs(values):
        points = [
            (place * step, _HEIGHT - _PAD - (_HEIGHT - 2 * _PAD) * value / max(top, 1))
            for place, value in run
        ]
        if len(points) == 1:  # a point alone would not be seen
            points.append((points[0][0] + step, points[0][1]))
        text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        lines.append(f'<polyline points="{text}" class="{kind}"/>')
        base = _HEIGHT - _PAD
        areas.append(
            f'<polygon points="{points[0][0]:.1f},{base} {text} {points[-1][0]:.1f},{base}"'
            ' class="spark-area"/>'
        )
    said = f"{label}: {formats.size(values[-1])} / max {formats.size(top)}"
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">{}</svg>'
    ).format(
        int(_WIDTH),
        int(_HEIGHT),
        int(_WIDTH),
        int(_HEIGHT),
        said,
        Markup("".join([*areas, *lines])),  # noqa: S704 - numbers alone
    )


def _runs(values: Sequence[int | None]) -> list[list[tuple[int, int]]]:
    runs: list[list[tuple[int, int]]] = [[]]
    for place, value in enumerate(values):
        if value is not None:
            runs[-1].append((place, value))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]
