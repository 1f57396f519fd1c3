"""The pictures of k12's lesson: the schedule of the learning rate, and learning by heart against learning."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure

from dojo.figures.lesson_pictures import Data, Picture
from dojo.figures.plots import BLUE, RED, figure
from dojo.gpt.model import Parts
from dojo.gpt.presets import PRESETS

SERIES = ((BLUE, "-", "o"), (RED, "--", "s"))


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


PICTURES = [Picture("schedule", _schedule, _draw_schedule), Picture("memory", _memory, _draw_memory)]
