"""What every picture is made of: a figure, lines on axes, files, and SVG for a page. No display is needed.

Pictures are read without colour too: lines differ by dashes and markers, and each has a name. The colours are those of
Okabe and Ito, "Color Universal Design", 2008, which the colour-blind tell apart.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BLUE, RED = "#0072b2", "#d55e00"
WORDS_AS_TEXT: Any = {"svg.hashsalt": "dojo", "svg.fonttype": "none"}  # they can be searched and read aloud


class Look(NamedTuple):
    """What a line looks like to matplotlib."""

    colour: str
    marker: str = ""
    dashes: str = "-"


class Chart(NamedTuple):
    """A picture that stands inside a page and follows its light and dark; `alt` says in words what one sees."""

    alt: str
    view: str  # the viewBox of its SVG
    body: str  # the elements of its SVG


def draw_line(axes: Axes, name: str, x: Sequence[float], y: Sequence[float], look: Look) -> None:
    """Draw a line on a grid; its name waits for a legend."""
    colour, marker, dashes = look
    axes.plot(x, y, color=colour, marker=marker, linestyle=dashes, label=name, markersize=5, linewidth=1.3)
    axes.grid(alpha=0.25)


def figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """A figure of so many inches that belongs to no window."""
    drawn = Figure(figsize=(width, height), dpi=130, layout=layout)
    FigureCanvasAgg(drawn)
    return drawn


def save(drawn: Figure, *paths: Path, about: dict[str, str] | None = None) -> None:
    """Write a figure to files, of the kind that each one's ending says; a new figure always makes the same bytes.

    `about` is kept in an SVG: its `Title` and `Description`. Raises OSError.
    """
    with rc_context(WORDS_AS_TEXT):
        for path in paths:
            facts = {"Date": None, **(about or {})} if path.suffix == ".svg" else None
            drawn.savefig(path, metadata=facts)


def chart(drawn: Figure, alt: str) -> Chart:
    """A figure as SVG for a page, without a background. A colour #c0ffee is the page's --c0ffee where it has one."""
    file, nothing = io.StringIO(), dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with rc_context(WORDS_AS_TEXT):
        drawn.savefig(file, format="svg", transparent=True, metadata=nothing)
    view, body = re.findall(r'<svg[^>]*viewBox="([^"]*)"[^>]*>(.*)</svg>', file.getvalue(), re.DOTALL)[0]
    body = re.sub(r'<style.*?</style>| id="[\w.]+_\d+"', "", body, flags=re.DOTALL)  # a page has each id once
    return Chart(alt, view, re.sub(r"(?<=: )#([0-9a-f]{6})\b", r"var(--\1, #\1)", body))
