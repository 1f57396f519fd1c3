"""Line charts as SVG to stand inside a page: their colours are the page's, so they follow its light and dark.

Lines differ by dashes and markers too, and each has its name at its end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 740, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 196, 14, 46  # what axes and names take of it
MARKERS = ("circle", "square", "up", "diamond", "down")
POINTS = 240  # of a line that are drawn; more cannot be seen
APART = 15  # between the names of two lines, or they overlap


@dataclass(frozen=True)
class Series:
    """A line: its name and its points, from left to right."""

    name: str
    points: Sequence[tuple[float, float]]
    marked: bool = True  # with a marker at each point


@dataclass
class Axis:
    """What a number is along one axis, in the units of the drawing."""

    numbers: Sequence[float]
    start: float
    end: float
    log: bool = False
    low: float = field(init=False)
    high: float = field(init=False)

    def __post_init__(self) -> None:
        low, high = (self._scaled(pick(self.numbers)) for pick in (min, max))
        room = 0 if self.end > self.start else (high - low) * 0.06  # lines do not stick to the frame's top and bottom
        self.low, self.high = low - room, high + room if high > low else low + 1

    def _scaled(self, number: float) -> float:
        return math.log10(number) if self.log else number

    def at(self, number: float) -> float:
        """Where a number stands."""
        share = (self._scaled(number) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Round numbers along the axis: about five, and on a logarithmic one 1, 2 and 5 times powers of ten."""
        if not self.log:
            step = _round_step((self.high - self.low) / 7)
            return [k * step for k in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        wanted = (1, 2, 5) if self.high - self.low < 2.5 else (1,)
        found = [digit * 10.0**power for power in powers for digit in wanted]
        return [number for number in found if self.low <= math.log10(number) <= self.high]


def line_chart(
    series: Sequence[Series],
    title: str,
    x: str,
    y: str,
    log: bool = False,
    level: tuple[str, float] | None = None,
) -> str:
    """The SVG of lines over two axes; `log` makes both logarithmic, and drops what is not above 0.

    `level` is the name and the height of a horizontal line. `title` says in words what is to be seen.
    """
    series = [_thinned(one, log) for one in series]
    series = [one for one in series if one.points]
    if not series:
        return ""
    heights = [v for one in series for _, v in one.points] + ([level[1]] if level else [])
    across = Axis([v for one in series for v, _ in one.points], LEFT, WIDTH - RIGHT, log)
    up = Axis(heights, HEIGHT - BOTTOM, TOP, log)
    ticks = sorted({v for one in series for v, _ in one.points}) if log else across.ticks()
    parts = [*_frame(across, up, ticks if len(ticks) < 9 else across.ticks(), x, y)]
    names = []
    for number, one in enumerate(series):
        parts.append(_line(one, across, up, number))
        names.append((up.at(one.points[-1][1]), one.name, f"s{number % 6}"))
    if level:
        height = up.at(level[1])
        parts.append(f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height}" y2="{height}"/>')
        names.append((height, level[0], "level"))
    parts += _names(names)
    label = escape(title, quote=True)
    return f'<svg class="chart" role="img" viewBox="0 0 {WIDTH} {HEIGHT}" aria-label="{label}">{"".join(parts)}</svg>'


def short(number: float) -> str:
    """A number in few characters: 0.5, 1,500, 20k, 3M."""
    for power, unit in ((9, "G"), (6, "M"), (3, "k")):
        if abs(number) >= 10 ** (power + (1 if power == 3 else 0)):
            return f"{number / 10**power:.3g}{unit}"
    return f"{number:,.0f}" if number == round(number) else f"{number:.3g}"


def _thinned(one: Series, log: bool) -> Series:
    kept = [(a, b) for a, b in one.points if math.isfinite(a) and math.isfinite(b) and (not log or min(a, b) > 0)]
    step = max(1, -(-len(kept) // POINTS))
    return Series(one.name, [*kept[:-1:step], *kept[-1:]], one.marked)


def _frame(across: Axis, up: Axis, ticks: Sequence[float], x: str, y: str) -> list[str]:
    floor, right, middle = HEIGHT - BOTTOM, WIDTH - RIGHT, (TOP + HEIGHT - BOTTOM) / 2
    parts = []
    for tick in up.ticks():
        at = up.at(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{at}" y2="{at}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4}" text-anchor="end">{short(tick)}</text>')
    for tick in ticks:
        at = across.at(tick)
        parts.append(f'<line class="grid" x1="{at}" x2="{at}" y1="{TOP}" y2="{floor}"/>')
        parts.append(f'<text x="{at}" y="{floor + 18}" text-anchor="middle">{short(tick)}</text>')
    parts.append(f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{right - LEFT}" height="{floor - TOP}"/>')
    parts.append(f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x)}</text>')
    turned = f'transform="rotate(-90 14 {middle})"'
    parts.append(f'<text x="14" y="{middle}" text-anchor="middle" {turned}>{escape(y)}</text>')
    return parts


def _line(one: Series, across: Axis, up: Axis, number: int) -> str:
    places = [(across.at(a), up.at(b)) for a, b in one.points]
    path = " ".join(f"{a},{b}" for a, b in places)
    drawn = f'<polyline class="s{number % 6}" points="{path}"/>'
    if not one.marked:
        return drawn
    every = max(1, len(places) // 12)
    return drawn + "".join(_marker(a, b, number) for a, b in places[::every])


def _marker(a: float, b: float, number: int) -> str:
    r, kind = 4, MARKERS[number % len(MARKERS)]
    if kind == "circle":
        return f'<circle class="s{number % 6}" cx="{a}" cy="{b}" r="{r}"/>'
    corners = {
        "square": ((-r, -r), (r, -r), (r, r), (-r, r)),
        "up": ((-r, r), (r, r), (0, -r)),
        "down": ((-r, -r), (r, -r), (0, r)),
        "diamond": ((0, -r - 1), (r + 1, 0), (0, r + 1), (-r - 1, 0)),
    }[kind]
    path = " ".join(f"{a + dx:.1f},{b + dy:.1f}" for dx, dy in corners)
    return f'<polygon class="s{number % 6}" points="{path}"/>'


def _names(names: list[tuple[float, str, str]]) -> list[str]:
    """The name of each line at its end, moved apart where they would overlap, and kept inside the drawing."""
    parts, below, ordered = [], HEIGHT - BOTTOM + APART, sorted(names, reverse=True)
    for height, name, style in ordered:
        below = min(height, below - APART)
        shown = name if len(name) <= 24 else f"{name[:23]}…"
        x = WIDTH - RIGHT + 10
        parts.append(f'<text class="name {style}" x="{x}" y="{max(below, TOP) + 4:.1f}">{escape(shown)}</text>')
    return parts


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)
