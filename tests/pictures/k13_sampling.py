"""The picture of k13's lesson: what is drawn at three temperatures."""

from __future__ import annotations

import random

import torch
from matplotlib.figure import Figure

from dojo.figures.lesson_pictures import Data, Picture
from dojo.figures.plots import BLUE, figure
from dojo.gpt.model import Parts


def _temperature(parts: Parts) -> Data:
    """The draws of k13's lesson."""
    words, draw = ["mat", "sofa", "roof", "moon"], random.Random(0)
    logits = torch.tensor([[8.0, 4.0, 3.0, 1.0]]).log()
    counts = {}
    for t in (0.1, 1, 5):
        shares = parts["k04"].softmax(parts["k13"].with_temperature(logits.double(), t))[0].tolist()
        drawn = draw.choices(words, shares, k=1000)
        counts[f"T = {t}"] = [drawn.count(word) for word in words]
    return {"words": words, "counts": counts}


def _draw_temperature(data: Data) -> Figure:
    drawn = figure(7, 3.2)
    axes = drawn.add_subplot()
    middles: list[float] = []
    labels: list[str] = []
    for number, ((name, counts), colour) in enumerate(zip(data["counts"].items(), (BLUE, "white", "#f0b050"))):
        at = [word + (number - 1) * 0.28 for word in range(len(counts))]
        bars = axes.bar(at, counts, 0.26, color=colour, edgecolor="black", linewidth=0.7)
        axes.bar_label(bars, fontsize=8, padding=1)
        middles, labels = middles + at, labels + [name] * len(counts)
    axes.xaxis.remove_overlapping_locs = False  # the middle bar stands where its word does
    axes.set_xticks(middles, labels, minor=True, fontsize=8)
    axes.set_xticks(range(len(data["words"])), data["words"], weight="bold")
    axes.tick_params(axis="x", which="major", length=0, pad=18)
    axes.tick_params(axis="x", which="minor", length=0)
    axes.set(ylabel="times drawn, of 1,000", ylim=(0, 1080))
    axes.spines[["top", "right"]].set_visible(False)
    return drawn


PICTURES = [Picture("temperature", _temperature, _draw_temperature)]
