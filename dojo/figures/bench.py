"""Pictures of results files: throughput and memory against T, and the roofline.

Each panel is one machine and dtype, labelled with what was measured where and when. Every implementation has a marker
and a line of its own, so that they can be told apart without colour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from ..bench import roofline
from ..bench.results import Results, Row
from ..bench.roofline import WAYS
from ..system.command import command
from .plots import Look, draw_line, figure, save

PANELS = 4  # side by side at most
# Okabe and Ito's colours, which the colour-blind can tell apart; the reference and the learner's own are black.
LOOKS = {
    "reference": Look("black", "o", "-"),
    "yours": Look("black", "*", "--"),
    "single heads": Look("#999999", "v", ":"),
    "one QKV product": Look("#0072b2", "s", "-."),
    "einsum": Look("#56b4e9", "D", ":"),
    "sdpa, is_causal": Look("#d55e00", "^", "-"),
    "sdpa, mask": Look("#e69f00", "<", "--"),
    "nn.MHA": Look("#009e73", "P", "-."),
    "nn.MHA, weights": Look("#009e73", "X", ":"),
    "FlexAttention": Look("#cc79a7", ">", "--"),
    "torch.compile": Look("#cc79a7", "h", "-"),
}
IN_FULL = "{x:,.12g}"  # 760,000 and not 7.6e+05
OTHERS = list(LOOKS.values())[2:]  # for names that have no look of their own
NO_GPU = "No GPU has been measured yet.\n\nOn a machine with one:\n{}\nand its results stand here."


class Panel(NamedTuple):
    """What one panel of a picture shows."""

    results: Results
    dtype: str
    where: str  # "this machine" or "recorded"

    def heading(self, more: str) -> str:
        """What was measured where and when, and a line more."""
        machine = self.results["machine"]
        threads = f", {machine['threads']} threads" if machine["device"] == "cpu" else ""
        noise = " (noisy)" if self.results["noisy"] else ""
        return (
            f"{self.where}: {machine['device_name']}{threads}, {self.dtype}\n"
            f"torch {self.results['versions']['torch']}, {self.results['date'][:10]}{noise}\n{more}"
        )


def draw_all(folder: Path, here: list[Results], recorded: list[Results]) -> list[Path]:
    """Draw the three pictures, each as PNG and SVG, into a folder; returns their paths. Raises OSError."""
    panels = choose(here, recorded)
    drawn = {
        "throughput": _grid(panels, "throughput of causal attention", "tokens/s", roofline.rate),
        "memory": _grid(panels, "memory of causal attention", "peak memory of a call (MB)", _megabytes),
        "roofline": _roofline(panels),
    }
    paths = [folder / f"{name}.{kind}" for name in drawn for kind in ("png", "svg")]
    for path in paths:
        save(drawn[path.stem], path)
    return paths


def choose(here: list[Results], recorded: list[Results]) -> list[Panel]:
    """The panels of this machine and then of the newest recorded elsewhere, GPUs first.

    What was recorded in the very run that `here` shows is not shown twice.
    """
    mine = [results for results in here if results["kind"] == "attention"]
    dates = {results["date"] for results in mine}
    others = [results for results in recorded if results["kind"] == "attention" and results["date"] not in dates]
    others.sort(key=lambda results: results["date"], reverse=True)
    others.sort(key=lambda results: results["machine"]["device"] == "cpu")
    panels = [Panel(results, dtype, "this machine") for results in mine for dtype in _dtypes(results)]
    panels += [Panel(results, dtype, "recorded") for results in others for dtype in _dtypes(results)]
    return panels[:PANELS]


def growth(rows: list[Row], unit: str) -> Figure:
    """Work a second against T, a line an implementation: the rows of one pass and dtype."""
    drawn = figure(8, 3.7)
    axes = drawn.add_subplot()
    _draw_rows(axes, rows, roofline.rate)
    _scale([axes], rows)
    axes.set(xlabel="T, the length of the sequence", ylabel=f"{unit} a second")
    return _with_legend(drawn)


def _dtypes(results: Results) -> list[str]:
    return list(dict.fromkeys(dtype for dtype, _ in roofline.series(results)))


def _grid(panels: list[Panel], title: str, label: str, value: Callable[[Row], float | None]) -> Figure:
    """A row for each pass, a column for each panel: a figure of `value` against T, on scales that all share."""
    drawn, axes = _subplots(panels, 2, title)
    for column, panel in enumerate(panels):
        timed = roofline.timed(panel.results, dtype=panel.dtype)
        for at, way in enumerate(WAYS):
            rows = [row for row in timed if row["pass"] == way and value(row) is not None]
            _draw_rows(axes[at][column], rows, value)
            if not rows:
                _write(axes[at][column], "not measured\nwithin the time")
            axes[at][column].set_title(panel.heading(WAYS[way]), fontsize=8)
    _scale(axes.flat, [row for panel in panels for row in roofline.timed(panel.results)])
    for first in axes[:, 0]:
        first.set_ylabel(label)
    for last in axes[-1]:
        last.set_xlabel("tokens T of a sequence")
    return _with_legend(drawn)


def _subplots(panels: list[Panel], rows: int, title: str) -> tuple[Figure, Any]:
    """A figure with a column for each panel; where no GPU was measured one more, which says so."""
    no_gpu = all(panel.results["machine"]["device"] == "cpu" for panel in panels)
    columns = len(panels) + no_gpu
    drawn = figure(4.2 * columns + 1.6, 3.6 * rows + 0.6)
    drawn.suptitle(title)
    axes = drawn.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for last in axes[:, -1] if no_gpu else []:
        _write(last, NO_GPU.format(command("bench", RECORD=1)))
    return drawn, axes


def _draw_rows(axes: Axes, rows: list[Row], value: Callable[[Row], float | None]) -> None:
    """A line of `value` against T for each name."""
    for number, name in enumerate(roofline.names(rows)):
        points = [(row["T"], value(row) or 0.0) for row in rows if row["name"] == name]
        lengths, values = zip(*points)
        draw_line(axes, name, lengths, values, _look(name, number))


def _roofline(panels: list[Panel]) -> Figure:
    """Achieved FLOP/s against operations a byte, under the roof that was measured; the longest T of each pass."""
    drawn, axes = _subplots(panels, 1, "how near to the limits of the machine")
    for shown, panel in zip(axes[0], panels):
        rows = [row for row in roofline.timed(panel.results, dtype=panel.dtype) if roofline.intensity(row)]
        for way, fill in (("forward", "full"), ("both", "none")):
            for number, row in enumerate(_longest(rows, way)):
                colour, marker, _ = _look(row["name"], number)
                look = {"color": colour, "marker": marker, "fillstyle": fill, "markersize": 8, "linestyle": ""}
                label = row["name"] if way == "forward" else None
                shown.plot(roofline.intensity(row), _gigaflops(row), **look, label=label)
        _roof(shown, panel, max((roofline.intensity(row) or 1 for row in rows), default=1))
        shown.set_title(panel.heading(_lengths(rows)), fontsize=8)
        shown.set_xlabel("operations a byte moved (FLOP/byte)")
    _scale(axes.flat)
    axes[0][0].set_ylabel("GFLOP/s")
    return _with_legend(drawn)


def _longest(rows: list[Row], way: str) -> list[Row]:
    """The rows of a pass at the longest T that it has."""
    rows = [row for row in rows if row["pass"] == way]
    return [row for row in rows if row["T"] == max(row["T"] for row in rows)]


def _lengths(rows: list[Row]) -> str:
    """What the markers stand for, in words."""
    longest = [(mark, way, _longest(rows, way)) for way, mark in (("forward", "filled"), ("both", "hollow"))]
    return "; ".join(f"{mark}: {WAYS[way]}, T = {those[0]['T']}" for mark, way, those in longest if those)


def _roof(axes: Axes, panel: Panel, right: float) -> None:
    """The roof, from far to the left of the knee to beyond the intensity `right`."""
    copy, most = panel.results["limits"].get("copy"), panel.results["limits"].get(panel.dtype)
    if not copy or not most:
        return
    knee = most / copy
    end = max(knee * 16, 2 * right)
    axes.plot([knee / 16, knee, end], [most / 16 / 1e9, most / 1e9, most / 1e9], color="black", linewidth=1)
    small: dict[str, Any] = {"textcoords": "offset points", "fontsize": 7}
    product, moved = (f"{float(f'{rate / 1e9:.3g}'):,g}" for rate in (most, copy))
    axes.annotate(f"a large matrix product: {product} GFLOP/s", (end, most / 1e9), xytext=(0, 4), ha="right", **small)
    axes.annotate(f"a large copy:\n{moved} GB/s", (knee / 8, most / 8 / 1e9), xytext=(6, -14), **small)


def _megabytes(row: Row) -> float | None:
    return row["peak_bytes"] / 1e6 if row.get("peak_bytes") else None


def _gigaflops(row: Row) -> float:
    return (roofline.flop_rate(row) or 0.0) / 1e9


def _look(name: str, number: int) -> Look:
    """Colour, marker and dashes of an implementation; one without a look of its own takes that of its number."""
    return LOOKS.get(name) or OTHERS[number % len(OTHERS)]


def _write(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=8)


def _scale(panels: Iterable[Axes], rows: Iterable[Row] = ()) -> None:
    """Logarithmic scales with numbers in full, 5,000 and not 5 × 10³; each T of the rows has a tick."""
    lengths = sorted({row["T"] for row in rows})
    for panel in panels:
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        panel.yaxis.set_minor_locator(LogLocator(subs=[2, 5]))
        panel.xaxis.set_major_formatter(IN_FULL)
        panel.yaxis.set_major_formatter(IN_FULL)
        panel.yaxis.set_minor_formatter(IN_FULL)
        panel.grid(alpha=0.25, which="both")
        if lengths:
            panel.set_xticks(lengths, [str(length) for length in lengths])


def _with_legend(drawn: Figure) -> Figure:
    """The figure, with the name of every line beside its panels, in the order of LOOKS."""
    handles: dict[str, Any] = {}
    for panel in drawn.axes:
        for handle, name in zip(*panel.get_legend_handles_labels()):
            handles.setdefault(name, handle)
    names = [name for name in LOOKS if name in handles] + [name for name in handles if name not in LOOKS]
    if names:
        shown = [handles[name] for name in names]
        drawn.legend(shown, names, loc="outside right center", frameon=False, fontsize=8)
    return drawn
