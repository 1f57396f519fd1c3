"""Pictures of results files: throughput and memory against T, and the roofline. matplotlib is imported to draw one.

Each panel is one machine and dtype, labelled with what was measured where and when. Every implementation has a marker
and a line of its own, so that they can be told apart without colour.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..bench import roofline
from ..bench.results import Results, Row
from ..bench.roofline import WAYS

PANELS = 4  # side by side at most
# Okabe and Ito's colours, which the colour-blind can tell apart; the reference and the learner's own are black.
LOOKS = {
    "reference": ("black", "o", "-"),
    "yours": ("black", "*", "--"),
    "single heads": ("#999999", "v", ":"),
    "one QKV product": ("#0072b2", "s", "-."),
    "einsum": ("#56b4e9", "D", ":"),
    "sdpa, is_causal": ("#d55e00", "^", "-"),
    "sdpa, mask": ("#e69f00", "<", "--"),
    "nn.MHA": ("#009e73", "P", "-."),
    "nn.MHA, weights": ("#009e73", "X", ":"),
    "FlexAttention": ("#cc79a7", ">", "--"),
    "torch.compile": ("#cc79a7", "h", "-"),
}
NO_GPU = "No GPU has been measured yet.\n\nOn a machine with one:\nmake bench RECORD=1\nand its results stand here."


def draw_all(folder: Path, here: list[Results], recorded: list[Results]) -> list[Path]:
    """Draw the three pictures, each as PNG and SVG, into a folder; returns their paths. Raises OSError, ImportError."""
    panels = choose(here, recorded)
    drawn = {
        "throughput": _grid(panels, "throughput of causal attention", "tokens/s", roofline.rate),
        "memory": _grid(panels, "memory of causal attention", "peak memory of a call (MB)", _megabytes),
        "roofline": _roofline(panels),
    }
    paths = [folder / f"{name}.{kind}" for name in drawn for kind in ("png", "svg")]
    from matplotlib import rc_context

    with rc_context({"svg.fonttype": "none"}):  # words stay words, which can be searched and read aloud
        for path in paths:
            drawn[path.stem].savefig(path)
    return paths


def choose(here: list[Results], recorded: list[Results]) -> list[tuple[Results, str, str]]:
    """The panels: (results, dtype, where) of this machine and then of the newest recorded elsewhere, GPUs first.

    What was recorded in the very run that `here` shows is not shown twice.
    """
    mine = [one for one in here if one["kind"] == "attention"]
    dates = {one["date"] for one in mine}
    others = [one for one in recorded if one["kind"] == "attention" and one["date"] not in dates]
    others.sort(key=lambda one: one["date"], reverse=True)
    others.sort(key=lambda one: one["machine"]["device"] == "cpu")
    found = [(one, dtype, "this machine") for one in mine for dtype in _dtypes(one)]
    found += [(one, dtype, "recorded") for one in others for dtype in _dtypes(one)]
    return found[:PANELS]


def _dtypes(results: Results) -> list[str]:
    return list(dict.fromkeys(dtype for dtype, _ in roofline.series(results)))


def _grid(panels: list[Any], title: str, label: str, value: Callable[[Row], float | None]) -> Any:
    """A row for each pass, a column for each panel: a figure of `value` against T, on scales that all share."""
    figure, columns = _figure(panels, rows=2)
    axes = figure.subplots(2, columns, squeeze=False, sharex=True, sharey=True)
    for column, (results, dtype, where) in enumerate(panels):
        for row, way in enumerate(WAYS):
            _curves(axes[row][column], roofline.timed(results, dtype=dtype), way, value)
            axes[row][column].set_title(f"{_heading(results, dtype, where)}\n{WAYS[way]}", fontsize=8)
    _scales(axes)
    ticks = sorted({row["T"] for results, *_ in panels for row in roofline.timed(results)}) or [128]
    axes[0][0].set_xticks(ticks, [str(tick) for tick in ticks])
    for row in axes:
        row[0].set_ylabel(label)
    for panel in axes[-1]:
        panel.set_xlabel("tokens T of a sequence")
    _finish(figure, axes, panels, title)
    return figure


def _curves(axes: Any, rows: list[Row], way: str, value: Callable[[Row], float | None]) -> None:
    rows = [row for row in rows if row["pass"] == way and value(row) is not None]
    for name in roofline.names(rows):
        mine = [row for row in rows if row["name"] == name]
        colour, marker, line = _look(name)
        axes.plot(
            [row["T"] for row in mine],
            [value(row) for row in mine],
            color=colour,
            marker=marker,
            linestyle=line,
            markersize=6,
            linewidth=1.3,
            label=name,
        )
    if not rows:
        _say(axes, "not measured\nwithin the time")


def _roofline(panels: list[Any]) -> Any:
    """Achieved FLOP/s against operations a byte, under the roof that was measured; the longest T of each pass."""
    figure, columns = _figure(panels, rows=1)
    axes = figure.subplots(1, columns, squeeze=False, sharex=True, sharey=True)
    for panel, (results, dtype, where) in zip(axes[0], panels):
        rows = [row for row in roofline.timed(results, dtype=dtype) if roofline.intensity(row)]
        for way, fill in (("forward", "full"), ("both", "none")):
            mine = [row for row in rows if row["pass"] == way]
            for row in [row for row in mine if row["T"] == max(row["T"] for row in mine)]:
                colour, marker, _ = _look(row["name"])
                label = row["name"] if way == "forward" else None
                panel.plot(
                    roofline.intensity(row),
                    roofline.flop_rate(row) / 1e9,
                    color=colour,
                    marker=marker,
                    fillstyle=fill,
                    markersize=8,
                    linestyle="",
                    label=label,
                )
        _roof(panel, results, dtype, max((roofline.intensity(row) for row in rows), default=1))
        panel.set_title(f"{_heading(results, dtype, where)}\n{_longest(rows)}", fontsize=8)
    _scales(axes)
    for panel in axes[0]:
        panel.set_xlabel("operations a byte moved (FLOP/byte)")
    axes[0][0].set_ylabel("GFLOP/s")
    _finish(figure, axes, panels, "how near to the limits of the machine")
    return figure


def _roof(axes: Any, results: Results, dtype: str, right: float) -> None:
    """The roof, from far to the left of the knee to beyond the intensity `right`."""
    copy, most = results["limits"].get("copy"), results["limits"].get(dtype)
    if not copy or not most:
        return
    knee = most / copy
    end = max(knee * 16, 2 * right)
    axes.plot([knee / 16, knee, end], [most / 16 / 1e9, most / 1e9, most / 1e9], color="black", linewidth=1)
    near = {"textcoords": "offset points", "fontsize": 7}
    product, moved = (_number(float(f"{rate / 1e9:.3g}")) for rate in (most, copy))
    axes.annotate(f"a large matrix product: {product} GFLOP/s", (end, most / 1e9), xytext=(0, 4), ha="right", **near)
    axes.annotate(f"a large copy:\n{moved} GB/s", (knee / 8, most / 8 / 1e9), xytext=(6, -14), **near)


def _longest(rows: list[Row]) -> str:
    said = []
    for way, mark in (("forward", "filled"), ("both", "hollow")):
        lengths = [row["T"] for row in rows if row["pass"] == way]
        said += [f"{mark}: {WAYS[way]}, T = {max(lengths)}"] if lengths else []
    return "; ".join(said)


def _megabytes(row: Row) -> float | None:
    return row["peak_bytes"] / 1e6 if row.get("peak_bytes") else None


def _heading(results: Results, dtype: str, where: str) -> str:
    machine = results["machine"]
    threads = f", {machine['threads']} threads" if machine["device"] == "cpu" else ""
    noise = " (noisy)" if results["noisy"] else ""
    return (
        f"{where}: {machine['device_name']}{threads}, {dtype}\n"
        f"torch {results['versions']['torch']}, {results['date'][:10]}{noise}"
    )


def _look(name: str) -> tuple[str, str, str]:
    return LOOKS.get(name, ("#666666", "d", "--"))


def _has_gpu(panels: list[Any]) -> bool:
    return any(results["machine"]["device"] != "cpu" for results, *_ in panels)


def _say(axes: Any, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=8)


def _figure(panels: list[Any], rows: int) -> tuple[Any, int]:
    """A figure and its number of columns: one more than the panels where no GPU was measured, to say so."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = len(panels) + (not _has_gpu(panels))
    figure = Figure(figsize=(4.2 * columns + 1.6, 3.6 * rows + 0.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, columns


def _number(value: float) -> str:
    """A number in full: 760,000 and not 7.6e+05."""
    return f"{value:,.12g}"


def _scales(axes: Any) -> None:
    """Logarithmic scales with numbers in full: 5,000 and not 5 × 10³."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    for panel in axes.flat:
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        panel.yaxis.set_minor_locator(LogLocator(subs=[2, 5]))
        for scale in (panel.yaxis, panel.xaxis):
            scale.set_major_formatter(FuncFormatter(lambda value, _: _number(value)))
        panel.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: _number(value)))
        panel.grid(alpha=0.25, which="both")


def _finish(figure: Any, axes: Any, panels: list[Any], title: str) -> None:
    """Say where no GPU was measured, and add a legend of all who raced."""
    if not _has_gpu(panels):
        for row in axes:
            _say(row[-1], NO_GPU)
    found = {}
    for panel in axes.flat:
        for handle, name in zip(*panel.get_legend_handles_labels()):
            found.setdefault(name, handle)
    names = [name for name in LOOKS if name in found] + [name for name in found if name not in LOOKS]
    if names:
        figure.legend([found[name] for name in names], names, loc="outside right center", frameon=False, fontsize=8)
    figure.suptitle(title)
