"""The picture of k05's lesson: weights as computed, after dropout, and the mean of many passes."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure

from dojo.figures.lesson_pictures import Data, Picture
from dojo.figures.plots import RED, figure
from dojo.gpt.model import Parts


def _dropout(parts: Parts) -> Data:
    k05, rate, passes = parts["k05"], 0.5, 1000
    generator = torch.Generator().manual_seed(15)
    scores = torch.randn(5, 5, generator=generator) / 2
    weights = k05.masked_softmax(scores, k05.causal_mask(5))
    drawn = torch.stack([k05.dropout(weights, rate, True, generator) for _ in range(passes)])
    names = ("as computed", "one pass in training, rate 0.5", "mean of 1,000 passes")
    tables = zip(names, (weights, drawn[0], drawn.mean(0)))
    return {name: [[round(value, 3) for value in row] for row in table.tolist()] for name, table in tables}


def _draw_dropout(data: Data) -> Figure:
    words = ["the", "cat", "sat", "on", "it"]
    drawn = figure(8.4, 3.1)
    for axes, (name, table) in zip(drawn.subplots(1, len(data)), data.items()):
        axes.imshow(table, cmap="Greys", vmin=0, vmax=2)
        for row, values in enumerate(table):
            for column, value in enumerate(values[: row + 1]):
                dropped = value == 0
                shown, colour = ("×", RED) if dropped else (f"{value:.2f}", "white" if value > 1.2 else "black")
                axes.text(column, row, shown, ha="center", va="center", color=colour, fontsize=12 if dropped else 8)
        axes.set_title(name, fontsize=10)
        axes.set_xticks(range(5), words, fontsize=9)
        axes.set_yticks(range(5), words, fontsize=9)
        axes.set_xlabel("looked at")
    drawn.axes[0].set_ylabel("looking")
    return drawn


PICTURES = [Picture("dropout", _dropout, _draw_dropout)]
