"""Pictures of a run: its loss curve, and what its model attends to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..gpt.runs import History, unit_of
from ..gpt.training import Run
from .plots import BLUE, RED, Look, draw_line, figure, save

SMOOTHED = 50  # training losses are averaged over this many steps, or they hide the curve in noise
LOOKED_AT = 16  # characters of a run's sample whose attention is drawn


def draw(run: Run, sample: str) -> None:
    """Draw loss.png and attention.png into the folder of a run that is finished. Raises OSError."""
    save(loss_curve(run.history), run.folder / "loss.png")
    gpt, seen = run.gpt, sample[:LOOKED_AT]
    maps, title = gpt.attention(seen)[:, 0], f"{run.folder.name}: where each token looks"
    attention_maps(
        [run.folder / "attention.png"], maps, gpt.tokens(seen)[: maps.shape[-1]], run.parts["k15"].plot_attention, title
    )


def loss_curve(run: History, titled: bool = True) -> Figure:
    """The training loss of each step, the validation losses, and the corpus's floor, in nats a token."""
    drawn = figure(7, 4.2)
    axes = drawn.add_subplot()
    steps, means, width = smoothed(run.losses)
    draw_line(axes, f"training (mean of {width} steps)" if width > 1 else "training", steps, means, Look(BLUE))
    if run.evaluations:
        at, values = zip(*run.evaluations)
        draw_line(axes, "validation", at, values, Look(RED, "o", "--"))
        last = (at[-1], values[-1])
        axes.annotate(f"{values[-1]:.3f}", last, (0, 7), textcoords="offset points", ha="right")
    if run.floor is not None:
        axes.axhline(run.floor, color="black", linestyle=":", label=f"floor of this corpus, {run.floor:.3f}")
    axes.set(xlabel="step", ylabel=f"loss (nats per {unit_of(run.kind)})", title=run.title if titled else "")
    axes.legend(frameon=False)
    return drawn


def smoothed(losses: Sequence[float]) -> tuple[list[float], list[float], int]:
    """The step in the middle of every window of losses, the window's mean, and how many steps a window has."""
    width = min(SMOOTHED, max(1, len(losses) // 10))
    means = [sum(losses[at : at + width]) / width for at in range(len(losses) - width + 1)]
    return [at + width / 2 for at in range(len(means))], means, width


def attention_maps(
    paths: Sequence[Path],
    maps: torch.Tensor,
    tokens: list[str],
    plot: Callable[..., Axes],
    title: str,
    marked: Iterable[int] = (),
) -> None:
    """Draw the attention of every layer (a row) and head (a column), (layers, h, T, T), into files.

    `plot` draws one map on given axes: `plot_attention` of k15, the learner's own if it is solved. The tokens whose
    indices are `marked` are marked on x. Raises OSError.
    """
    layers, heads = maps.shape[:2]
    side = 3.5 * max(1.0, len(tokens) / 24)  # inches of one map: a long text needs the room
    height = side * layers + 0.4
    drawn = figure(side * 1.12 * heads, height, layout=None)  # measuring so many labels takes seconds
    edges = {"left": 0.2 / heads, "right": 0.975, "bottom": 0.6 / height, "top": 1 - 0.8 / height}
    grid = drawn.subplots(layers, heads, squeeze=False, gridspec_kw=edges | {"wspace": 0.25, "hspace": 0.3})
    for layer in range(layers):
        for head in range(heads):
            axes = plot(maps[layer, head], tokens, grid[layer, head])
            axes.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=9, pad=10)
            axes.tick_params(labelsize=6)
            _mark(axes, marked)
    drawn.suptitle(title, y=1 - 0.12 / height, va="top")
    save(drawn, *paths)


def _mark(axes: Axes, marked: Iterable[int]) -> None:
    """Mark tokens on x with a triangle above their column and a bold label below it."""
    labels = axes.get_xticklabels()
    for column in marked:
        axes.plot(column, 1.03, "v", color=RED, markersize=5, clip_on=False, transform=axes.get_xaxis_transform())
        if column < len(labels):
            labels[column].set(color=RED, weight="bold")
