"""The heads of a large model, in one picture: all of them side by side, and those that look at something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes

from .plots import figure, save

MANY = 64  # heads, from which on they no longer have labels of their own
LARGE = 6  # heads that are drawn large
GAP = 1  # entry between two maps


def draw_heads(
    paths: Sequence[Path], maps: torch.Tensor, tokens: list[str], plot: Callable[..., Axes], title: str
) -> list[tuple[int, int]]:
    """Draw the attention of many layers and heads, (layers, h, T, T); return which are drawn large, as (layer, head).

    All stand in one image, a layer a row, and beside it some that `plot` draws with their tokens. Raises OSError.
    """
    layers, heads = maps.shape[:2]
    chosen = telling(maps)
    side = 4.6 * max(1.0, len(tokens) / 24)  # inches of one large map
    width = max(3.0, 0.42 * heads)
    drawn = figure(width + 1.2 + 2 * side, max(3 * side, 0.42 * layers + 1))
    beside: Any = drawn.subfigures(1, 2, width_ratios=[width + 1.2, 2 * side])
    left, right = beside
    axes = left.add_subplot()
    axes.imshow(mosaic(maps).numpy(), vmin=0, vmax=1, interpolation="nearest")
    step, middle = maps.shape[-1] + GAP, maps.shape[-1] / 2
    axes.set_xticks([middle + step * head for head in range(heads)], range(1, heads + 1), fontsize=7)
    axes.set_yticks([middle + step * layer for layer in range(layers)], range(1, layers + 1), fontsize=7)
    axes.set(xlabel="head", ylabel="layer", title="all heads")
    for at, (layer, head) in zip(right.subplots(3, 2, squeeze=False).flat, chosen):
        plot(maps[layer, head], tokens, at).set_title(f"layer {layer + 1}, head {head + 1}", fontsize=9)
        at.tick_params(labelsize=6)
    drawn.suptitle(title)
    save(drawn, *paths)
    return chosen


def mosaic(maps: torch.Tensor) -> torch.Tensor:
    """All maps, (layers, h, T, T), in one: a layer a row, a head a column, with nothing (NaN) between them."""
    padded = torch.nn.functional.pad(maps, (0, GAP, 0, GAP), value=torch.nan)
    layers, heads, T, _ = padded.shape
    return padded.transpose(1, 2).reshape(layers * T, heads * T)


def telling(maps: torch.Tensor, count: int = LARGE) -> list[tuple[int, int]]:
    """The heads to be looked at, as (layer, head): each looks hard at few tokens, and not all at the same place.

    Most heads of a large model look at the first token, where they have nothing else to do, at themselves or at the
    token before; of each kind of place, by how far back it lies, the sharpest head is taken.
    """
    heads, T = maps.shape[1], maps.shape[-1]
    if T < 2:
        return [(0, 0)]
    looked = maps[:, :, 1:].flatten(0, 1).clone()  # (layers·h, T − 1, T): the first token sees itself alone
    back = torch.arange(1, T)[:, None] - torch.arange(T)  # (T − 1, T)
    looked[:, :, 0] = 0
    by_distance = torch.stack([(looked * (back == distance)).sum((1, 2)) for distance in range(T - 1)], 1) / (T - 1)
    chosen: list[int] = []
    for distance in by_distance.amax(0).argsort(descending=True).tolist():
        best = [head for head in by_distance[:, distance].argsort(descending=True).tolist() if head not in chosen]
        chosen += best[:1]
    chosen += [head for head in range(len(looked)) if head not in chosen]  # of a very short text
    return [divmod(head, heads) for head in chosen[:count]]
