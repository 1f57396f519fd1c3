"""The picture of k09's lesson: how much of the gradient comes to the first layer, with and without shortcuts."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure

from dojo.figures.lesson_pictures import Data, Picture
from dojo.figures.plots import BLUE, RED, figure
from dojo.gpt.model import Parts

SERIES = ((BLUE, "-", "o"), (RED, "--", "s"))


def _gradients(parts: Parts) -> Data:
    norms = {}
    for name, shortcut in (("with", True), ("without", False)):
        torch.manual_seed(0)
        net = parts["k09"].DeepNet([16] * 21, shortcut)
        absolute = parts["k09"].gradient_norms(net, torch.ones(1, 16))
        norms[name] = [float(f"{norm / absolute[-1]:.4g}") for norm in absolute]
    return norms


def _draw_gradients(data: Data) -> Figure:
    drawn = figure(7, 3.6)
    axes = drawn.add_subplot()
    layers = range(1, len(data["with"]) + 1)
    for name, (colour, line, marker) in zip(("with", "without"), SERIES):
        axes.semilogy(layers, data[name], line, marker=marker, color=colour, markersize=5)
    axes.annotate("with shortcuts", (6, data["with"][5]), (0, 9), textcoords="offset points", color=BLUE)
    axes.annotate("without shortcuts", (6, data["without"][5]), (12, -8), textcoords="offset points", color=RED)
    axes.set(xlabel="layer (1 is the first)", ylabel="gradient, as a share\nof the last layer's")
    axes.set_xticks([1, 5, 10, 15, 20])
    axes.set_ylim(top=300)
    axes.grid(alpha=0.25)
    return drawn


PICTURES = [Picture("gradients", _gradients, _draw_gradients)]
