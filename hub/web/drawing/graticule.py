"""Meridians and parallels with their degrees: all of a map that is nobody's claim.

graticule(view)                          # Markup of lines and labels; about eight across
"""

import math

from markupsafe import Markup

from hub.web.drawing.projection import WIDTH, View

_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0)
_ACROSS = 9


def graticule(view: View) -> Markup:
    """The net and its labels."""
    step = next((step for step in _STEPS if view.span / step <= _ACROSS), _STEPS[-1])
    parts: list[str] = []
    labels: list[str] = []
    first = math.ceil(view.west / step)
    for place in range(first, math.floor((view.west + view.span) / step) + 1):
        longitude = place * step
        x = view.x(longitude - view.west)
        parts.append(_line(f"M{x:.1f} 0V{view.height}", main=round(longitude % 180, 6) == 0))
        if 24 < x < WIDTH - 24:
            labels.append(_label(x, view.height - 8, "middle", meridian(longitude)))
    for place in range(math.ceil(view.south / step), math.floor(view.north / step) + 1):
        latitude = place * step
        y = view.y(latitude)
        parts.append(_line(f"M0 {y:.1f}H{WIDTH:.0f}", main=place == 0))
        if 14 < y < view.height - 26:
            labels.append(_label(6, y + 5, "start", parallel(latitude)))
    return Markup("".join([*parts, *labels]))  # noqa: S704 - numbers alone


def meridian(longitude: float) -> str:
    """`105°E`."""
    turned = (longitude + 180) % 360 - 180
    if turned in (-180.0, 0.0):
        return "180°" if turned else "0°"
    return f"{_degrees(turned)}°{'E' if turned > 0 else 'W'}"


def parallel(latitude: float) -> str:
    """`15°N`."""
    return "0°" if latitude == 0 else f"{_degrees(latitude)}°{'N' if latitude > 0 else 'S'}"


def degrees(box: tuple[float, float, float, float]) -> str:
    """`100.1°E–107.6°E, 13.9°N–22.5°N`."""
    west, south, east, north = (round(value, 2) for value in box)
    return f"{meridian(west)} – {meridian(east)}, {parallel(south)} – {parallel(north)}"


def _degrees(value: float) -> str:
    return f"{abs(value):.2f}".rstrip("0").rstrip(".")


def _line(path: str, *, main: bool) -> str:
    return f'<path d="{path}" class="grid-line{" grid-main" if main else ""}"/>'


def _label(x: float, y: float, anchor: str, text: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} class="grid-label" aria-hidden="true">{text}</text>'
