"""Pictures of what was measured, as PNG and SVG. matplotlib is imported when a picture is drawn; no display is needed.

They are read without colour too: lines differ by style and marker, and a name stands beside each. The colours are
those of Okabe and Ito, "Color Universal Design", 2008, which the colour-blind tell apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

SMOOTHED = 50  # training losses are averaged over this many steps, or they hide the curve in noise
Data = dict[str, Any]  # plain numbers, as JSON holds them
BLUE, RED = "#0072b2", "#d55e00"


@dataclass(frozen=True)
class Picture:
    """A picture of a lesson: whose, what one sees in it, how to measure it (with the katas' modules) and draw it.

    What was measured is kept inside an SVG, so that it can be measured again and compared.
    """

    kata: str
    name: str
    alt: str
    measure: Callable[[Any], Data]
    draw: Callable[[Data], Any]

    def write(self, data: Data, *paths: Path) -> None:
        """Draw what was measured into files. Raises OSError."""
        for path in paths:  # each from a new figure: one that was written before is laid out a little differently
            save(self.draw(data), path, about={"Title": self.alt, "Description": json.dumps(data)})


def measured(path: Path) -> Data:
    """What was measured for the picture in an SVG. Raises OSError and ValueError."""
    found = re.search(r"<dc:description>(.*?)</dc:description>", path.read_text(encoding="utf-8"), re.DOTALL)
    if not found:
        raise ValueError(f"{path.name} is no picture of a lesson")
    return json.loads(unescape(found.group(1)))


def loss_curve(
    path: Path, losses: Sequence[float], evaluations: Sequence[tuple[int, float]], floor: float | None, title: str
) -> None:
    """Draw the training loss of each step, the validation losses as (step, loss), and the corpus's floor.

    Losses are in nats a character. The file's ending says which kind it is. Raises OSError when it cannot be written.
    """
    drawn = figure(7, 4.2)
    axes = drawn.add_subplot()
    steps, means, width = smoothed(losses)
    axes.plot(steps, means, color=BLUE, linewidth=1.2, label=f"training (mean of {width} steps)")
    if evaluations:
        steps, values = zip(*evaluations)
        axes.plot(steps, values, "o--", color=RED, markersize=4, linewidth=1.2, label="validation")
        axes.annotate(
            f"{values[-1]:.3f}", (steps[-1], values[-1]), xytext=(0, 7), textcoords="offset points", ha="right"
        )
    if floor is not None:
        axes.axhline(floor, color="black", linestyle=":", linewidth=1.2, label=f"floor of this corpus, {floor:.3f}")
    axes.set(xlabel="step", ylabel="loss (nats per character)", title=title)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    save(drawn, path)


def smoothed(losses: Sequence[float]) -> tuple[list[float], list[float], int]:
    """The mean of every window of losses, the step in its middle, and how many steps a window has."""
    width = min(SMOOTHED, max(1, len(losses) // 10))
    means = [sum(losses[at : at + width]) / width for at in range(len(losses) - width + 1)]
    return [at + width / 2 for at in range(len(means))], means, width


def attention_maps(
    path: Path,
    maps: Any,
    tokens: list[str],
    plot: Callable[..., Any],
    title: str,
    marked: Iterable[int] = (),
    also: Sequence[Path] = (),
) -> None:
    """Draw the attention of every layer (a row) and head (a column), (layers, h, T, T).

    `plot` draws one map on given axes: `plot_attention` of k15, the learner's own if it is solved. The tokens at the
    places `marked` are marked on x. `also` are files with the same picture. Raises OSError.
    """
    layers, heads = maps.shape[:2]
    side = 3.5 * max(1.0, len(tokens) / 24)  # inches of one map: a long text needs the room
    height = side * layers + 0.4
    drawn = figure(side * 1.12 * heads, height, layout="none")  # measuring so many labels takes seconds
    edges = {"left": 0.2 / heads, "right": 0.975, "bottom": 0.6 / height, "top": 1 - 0.8 / height}
    grid = drawn.subplots(layers, heads, squeeze=False, gridspec_kw=edges | {"wspace": 0.25, "hspace": 0.3})
    for layer in range(layers):
        for head in range(heads):
            axes = plot(maps[layer, head], tokens, grid[layer, head])
            axes.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=9, pad=10)
            axes.tick_params(labelsize=6)
            _mark(axes, marked)
    drawn.suptitle(title, y=1 - 0.12 / height, va="top")
    save(drawn, path, *also)


def _mark(axes: Any, places: Iterable[int]) -> None:
    """Mark tokens on x with a triangle above their column and a bold label below it."""
    labels = axes.get_xticklabels()
    for place in places:
        axes.plot(place, 1.03, "v", color=RED, markersize=5, clip_on=False, transform=axes.get_xaxis_transform())
        if place < len(labels):
            labels[place].set(color=RED, weight="bold")


def figure(width: float, height: float, layout: str = "constrained") -> Any:
    """A figure of so many inches that belongs to no window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height), dpi=130, layout=layout)
    FigureCanvasAgg(drawn)
    return drawn


def save(drawn: Any, *paths: Path, about: dict[str, str] | None = None) -> None:
    """Write a figure to files, of the kind that each one's ending says; a new figure always makes the same bytes.

    `about` is kept in an SVG: its `Title` and `Description`. Raises OSError.
    """
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": "dojo", "svg.fonttype": "none"}):
        for path in paths:
            facts = {"Date": None} | (about or {}) if path.suffix == ".svg" else None
            drawn.savefig(path, metadata=facts)
