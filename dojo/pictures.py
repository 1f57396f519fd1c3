"""Pictures of what was measured. matplotlib is imported when a picture is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

SMOOTHED = 50  # training losses are averaged over this many steps, or they hide the curve in noise


def loss_curve(
    path: Path, losses: Sequence[float], evaluations: Sequence[tuple[int, float]], floor: float | None, title: str
) -> None:
    """Draw the training loss of each step, the validation losses as (step, loss), and the corpus's floor, as a PNG.

    Losses are in nats a character. Raises OSError when the file cannot be written.
    """
    figure = _figure(7, 4.2)
    axes = figure.add_subplot()
    width = min(SMOOTHED, max(1, len(losses) // 10))
    smooth = [sum(losses[at : at + width]) / width for at in range(len(losses) - width + 1)]
    middle = [at + width / 2 for at in range(len(smooth))]
    axes.plot(middle, smooth, color="#0072b2", linewidth=1.2, label=f"training (mean of {width} steps)")
    if evaluations:
        steps, values = zip(*evaluations)
        axes.plot(steps, values, "o--", color="#d55e00", markersize=4, linewidth=1.2, label="validation")
        axes.annotate(
            f"{values[-1]:.3f}", (steps[-1], values[-1]), xytext=(0, 7), textcoords="offset points", ha="right"
        )
    if floor is not None:
        axes.axhline(floor, color="black", linestyle=":", linewidth=1.2, label=f"floor of this corpus, {floor:.3f}")
    axes.set(xlabel="step", ylabel="loss (nats per character)", title=title)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(path)


def attention_maps(path: Path, maps: Any, tokens: list[str], plot: Callable[..., Any], title: str) -> None:
    """Draw the attention of every layer (a row) and head (a column), (layers, h, T, T), as a PNG.

    `plot` draws one map on given axes: `plot_attention` of k15, the learner's own if it is solved. Raises OSError.
    """
    layers, heads = maps.shape[:2]
    figure = _figure(3.4 * heads, 3.2 * layers + 0.4, layout="none")  # measuring so many labels takes seconds
    margins = {"left": 0.05, "right": 0.97, "bottom": 0.05, "top": 0.93, "wspace": 0.35, "hspace": 0.35}
    grid = figure.subplots(layers, heads, squeeze=False, gridspec_kw=margins)
    for layer in range(layers):
        for head in range(heads):
            axes = plot(maps[layer, head], tokens, grid[layer, head])
            axes.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=9)
            axes.tick_params(labelsize=6)
    figure.suptitle(title)
    figure.savefig(path)


def _figure(width: float, height: float, layout: str = "constrained") -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=130, layout=layout)
    FigureCanvasAgg(figure)
    return figure
