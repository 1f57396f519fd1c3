"""The pictures of the lessons: each measures something with the reference's code, and draws what it measured.

Each lives as an SVG beside its lesson. Drawing them all takes seconds, and nothing comes from a run that cannot be
repeated.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from ..gpt.model import Parts
from ..gpt.presets import PRESETS
from .plots import BLUE, RED, figure, save

Data = dict[str, Any]  # what a picture measured and draws: plain numbers, as JSON holds them
SERIES = ((BLUE, "-", "o"), (RED, "--", "s"))


@dataclass(frozen=True)
class Picture:
    """A picture of a lesson: how to measure it, with the katas' modules, and draw it.

    What was measured is kept inside an SVG, so that it can be measured again and compared.
    """

    kata: str
    name: str
    measure: Callable[[Parts], Data]
    draw: Callable[[Data], Figure]

    def write(self, data: Data, lesson: str, *paths: Path) -> None:
        """Draw what was measured into files; what one sees in it is said in the lesson's text. Raises OSError."""
        alt = lesson.partition(f"]({self.name}.svg)")[0].rpartition("![")[2]
        for path in paths:  # each from a new figure: one that was written before is laid out a little differently
            save(self.draw(data), path, about={"Title": alt, "Description": json.dumps(data)})


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


def _schedule(parts: Parts) -> Data:
    preset = PRESETS["verona"]
    facts = {"peak": preset.peak, "warmup": preset.warmup, "total": preset.steps, "floor": preset.floor * preset.peak}
    steps = [*range(0, preset.warmup, 10), *range(preset.warmup, preset.steps + 301, 25)]
    return facts | {"steps": steps, "rates": [round(parts["k12"].learning_rate(at, **facts), 8) for at in steps]}


def _draw_schedule(data: Data) -> Figure:
    warmup, total, peak, floor = (data[name] for name in ("warmup", "total", "peak", "floor"))
    drawn = figure(7, 3.4)
    axes = drawn.add_subplot()
    axes.plot(data["steps"], data["rates"], color=BLUE, linewidth=2)
    for at in (warmup, total):
        axes.axvline(at, color="black", linestyle=":", linewidth=1)
    words = f"warm-up:\n{warmup} steps straight up"
    axes.annotate(words, (warmup / 2, peak / 2), (150, peak * 0.12), arrowprops={"arrowstyle": "->"})
    axes.annotate("half a cosine down", ((warmup + total) / 2, (peak + floor) / 2), (12, 4), textcoords="offset points")
    axes.annotate(f"the floor,\n{floor:g}", (total, floor), (8, 12), textcoords="offset points")
    axes.annotate(f"the peak, {peak:g}", (warmup, peak), (10, 5), textcoords="offset points")
    axes.set(xlabel="step", ylabel="learning rate", ylim=(0, 1.15 * peak))
    axes.grid(alpha=0.25)
    return drawn


def _memory(parts: Parts) -> Data:
    """The experiment of k12's lesson: a table learns from one sheet by heart, or from a thousand, each read once."""
    generator = torch.Generator().manual_seed(0)
    chances = (1.5 * torch.randn(8, 8, generator=generator)).softmax(-1)
    often = chances.matrix_power(100)[0]
    loss = parts["k11"].cross_entropy

    def sheets(count: int, length: int) -> torch.Tensor:
        words = torch.zeros(count, length, dtype=torch.long)
        for t in range(1, length):
            words[:, t] = torch.multinomial(chances[words[:, t - 1]], 1, generator=generator)[:, 0]
        return words

    def loss_on(sheet: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        return loss(table[sheet[:-3], sheet[1:-2], sheet[2:-1]], sheet[3:])

    def learn(all_sheets: torch.Tensor) -> dict[str, list[float]]:
        table, recent = torch.zeros(8, 8, 8, 8, requires_grad=True), []
        seen: dict[str, list[float]] = {"sheet": [], "exam": []}
        for number, sheet in enumerate(all_sheets, 1):
            now = loss_on(sheet, table)
            recent.append(now.item())
            if number in steps:
                seen["sheet"].append(round(sum(recent) / len(recent), 4))
                seen["exam"].append(round(loss_on(exam, table).item(), 4))
                recent.clear()
            table = (table - 5 * torch.autograd.grad(now, table)[0]).detach().requires_grad_()
        return seen

    steps = [1, *range(20, 1001, 20)]
    exam = sheets(1, 2000)[0]
    floor = round(-(often[:, None] * chances * chances.log()).sum().item(), 4)
    heart = learn(sheets(1, 200).expand(1000, 200))
    return {"steps": steps, "floor": floor, "by heart": heart, "new": learn(sheets(1000, 200))}


def _draw_memory(data: Data) -> Figure:
    drawn = figure(8, 3.7)
    pair = drawn.subplots(1, 2, sharey=True)
    titles = {"by heart": "one sheet, read 1,000 times", "new": "1,000 sheets, each read once"}
    names = {"sheet": "on the sheet\n(mean of 20 steps)", "exam": "in the exam"}
    labels_at = {
        "by heart": {"sheet": (520, 0.6), "exam": (150, 1.95)},
        "new": {"sheet": (330, 1.6), "exam": (330, 0.9)},
    }
    for axes, (way, title) in zip(pair, titles.items()):
        for (series, words), (colour, line, marker) in zip(names.items(), SERIES):
            values = data[way][series]
            axes.plot(data["steps"], values, line, marker=marker, color=colour, markersize=4, markevery=5)
            x, y = labels_at[way][series]
            at = data["steps"].index(400)
            arrow = {"arrowstyle": "-", "color": colour, "linewidth": 0.6}
            axes.annotate(words, (400, values[at]), (x, y), color=colour, arrowprops=arrow)
        axes.axhline(data["floor"], color="black", linestyle=":")
        axes.set(xlabel="step", title=title, ylim=(0.3, 2.2))
        axes.grid(alpha=0.25)
    pair[0].set_ylabel("loss (nats a word)")
    pair[0].annotate(f"the floor, {data['floor']:.2f}", (640, data["floor"]), (0, 4), textcoords="offset points")
    return drawn


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


PICTURES = (
    Picture("k05", "dropout", _dropout, _draw_dropout),
    Picture("k09", "gradients", _gradients, _draw_gradients),
    Picture("k12", "schedule", _schedule, _draw_schedule),
    Picture("k12", "memory", _memory, _draw_memory),
    Picture("k13", "temperature", _temperature, _draw_temperature),
)
