"""Results as tables on the terminal. No torch here."""

from __future__ import annotations

import os
from collections.abc import Callable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..system.console import count
from . import roofline
from .results import Results, Row
from .roofline import WAYS
from .rounds import NOISY, noisy, spread

WIDTH = 118  # columns, where there is no terminal that says how wide it is
LEGEND = (
    "ratio: to the reference, median over rounds. GFLOP/s: of the arithmetic that the task needs, hidden scores not "
    "counted. of limit: of a matrix product here. peak MB: held in a call, beyond weights and input."
)


def wide(console: Console) -> Console:
    """The console, or one wide enough for tables where nothing says how wide it is."""
    known = console.is_terminal or os.environ.get("COLUMNS")
    return console if known else Console(width=WIDTH, highlight=False, markup=False)


def show(results: Results, console: Console) -> None:
    """Print what a results file holds: the racers, how fast, how close to the limits, and what is missing."""
    _heading(results, console)
    if results["kind"] == "attention":
        for dtype, way in roofline.series(results):
            _attention(results, dtype, way, console)
        _fused(results, console)
        console.print(LEGEND, style="dim")
    else:
        for title in dict.fromkeys(row["race"] for row in results["rows"]):
            _race(results, title, console)
    _failures(results, console)
    for line in results["left_out"]:
        console.print(Text(f"left out: {line}", "dim"))
    _noise(results, console)


def _heading(results: Results, console: Console) -> None:
    machine, limits = results["machine"], results["limits"]
    load = "" if machine["load"] is None else f", load {machine['load']} before"
    load += "" if machine.get("load_after") is None else f" and {machine['load_after']} after"
    threads = f"{count(machine['threads'], 'thread')} on {machine['cores']} cores"
    console.print(
        f"\n{machine['device_name']} ({machine['device']}), {threads}{load}, torch {results['versions']['torch']}",
        style="bold",
    )
    products = [f"{value / 1e9:,.4g} GFLOP/s in {name}" for name, value in limits.items() if name != "copy"]
    if products:
        copying = f"{limits['copy'] / 1e9:,.3g} GB/s"
        console.print(f"Its limits, measured: a matrix product {' and '.join(products)}; copying {copying}")
    if sizes := in_words(results):
        console.print(f"Sizes: {sizes}")


def in_words(results: Results) -> str:
    """The sizes that all rows share: batch 8, heads 12, width 768."""
    return ", ".join(f"{name} {value:g}" for name, value in results["sizes"].items())


def _attention(results: Results, dtype: str, way: str, console: Console) -> None:
    rows = [row for row in results["rows"] if (row.get("dtype"), row.get("pass")) == (dtype, way)]
    lengths = sorted({row["T"] for row in rows})
    if len(lengths) > 1:
        table = _table(*(f"T = {tokens}" for tokens in lengths), "grows as", no_wrap=False)
        for name in roofline.names(rows):
            mine = {row["T"]: row for row in rows if row["name"] == name}
            power = roofline.exponent(mine.values())
            cells = [_milliseconds(mine[tokens]) if tokens in mine else "" for tokens in lengths]
            table.add_row(name, *cells, "" if power is None else f"T^{power:.2f}")
        console.print(f"\n{dtype}, {WAYS[way]}: milliseconds", style="bold")
        console.print(table)
    _race(results, next(row["race"] for row in rows if row["T"] == lengths[-1]), console)


def _table(*columns: str, no_wrap: bool) -> Table:
    table = Table()
    table.add_column("implementation", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=no_wrap)
    return table


COLUMNS: dict[str, Callable[[Results, Row], str]] = {
    "ms": lambda results, row: _milliseconds(row),
    "middle half": lambda results, row: f"{1000 * row['low']:.3g}–{1000 * row['high']:.3g}",
    "ratio": lambda results, row: _ratio(row),
    "rate": lambda results, row: _number(roofline.rate(row)),
    "GFLOP/s": lambda results, row: _number(roofline.flop_rate(row), 1e9),
    "of limit": lambda results, row: _share(roofline.share(results, row)),
    "peak MB": lambda results, row: _number(row.get("peak_bytes"), 1e6),
}


def _race(results: Results, title: str, console: Console) -> None:
    """Print one race: every figure of every racer that has times. Columns that nobody fills are left out."""
    rows = [row for row in results["rows"] if row["race"] == title and "seconds" in row]
    if not rows:
        return
    columns = {name: [cell(results, row) for row in rows] for name, cell in COLUMNS.items()}
    for name in dict.fromkeys(name for row in rows for name in row.get("figures", {})):
        columns[name] = [_number(row.get("figures", {}).get(name)) for row in rows]
    columns = {name: cells for name, cells in columns.items() if any(cells)}
    unit = f"{rows[0].get('unit') or 'calls'}/s"
    table = _table(*(unit if name == "rate" else name for name in columns), no_wrap=True)
    for number, row in enumerate(rows):
        table.add_row(row["name"], *(cells[number] for cells in columns.values()))
    console.print(f"\n{title}", style="bold")
    console.print(table)


def _fused(results: Results, console: Console) -> None:
    """Say what fused attention gains, and why."""
    for dtype, way in roofline.series(results):
        rows = roofline.timed(results, dtype=dtype, **{"pass": way})
        longest = {row["name"]: row for row in rows if row["T"] == max(row["T"] for row in rows)}
        fused, plain = longest.get("sdpa, is_causal"), longest.get("reference")
        if fused and plain and 0 < fused.get("moved_bytes", 0) < plain.get("moved_bytes", 0):
            moved = plain["moved_bytes"] / fused["moved_bytes"]
            memory = plain["peak_bytes"] / max(1, fused["peak_bytes"])
            console.print(
                f"{plain['race']}: fused attention (sdpa, is_causal) takes {fused['ratio']:.2f} times as long as the "
                f"reference. It never writes the T × T scores, so it moves {moved:.1f} times fewer bytes and needs "
                f"{memory:.1f} times less memory; and it skips blocks of scores that are hidden."
            )


def _failures(results: Results, console: Console) -> None:
    for refusal in results["refused"]:
        word, style = ("not here", "yellow") if refusal["kind"] == "unavailable" else ("refused", "red")
        console.print(Text(f"{word}: {refusal['name']}: {refusal['reason']}", style))
    for row in results["rows"]:
        if "failure" in row:
            console.print(Text(f"not timed: {row['name']}, {row['race']}: {row['failure']}", "yellow"))


def _noise(results: Results, console: Console) -> None:
    widest = noisy(results["rows"])
    if widest:
        console.print(
            Text(
                f"This machine was too noisy: ratios (those with ~) vary by up to {widest:.0%} over the middle half of "
                f"the rounds, and {NOISY:.0%} is what can be trusted. Close what else runs, and measure again.",
                "yellow",
            )
        )


def _milliseconds(row: Row) -> str:
    if "seconds" not in row:
        return {"memory": "no memory", "slow": "too slow"}.get(row["kind"], "failed")
    return f"{1000 * row['seconds']:.3g}" if row["seconds"] < 1 else f"{1000 * row['seconds']:,.0f}"


def _ratio(row: Row) -> str:
    return f"{'~' if spread(row) > NOISY else ''}{row['ratio']:.2f}" if "ratio" in row else ""


def _number(value: float | None, unit: float = 1.0) -> str:
    return "" if value is None else f"{value / unit:,.3g}" if value / unit < 1000 else f"{value / unit:,.0f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"
