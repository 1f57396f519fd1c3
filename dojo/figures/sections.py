"""What the report page shows of runs and of benchmarks. No torch here."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..bench import roofline
from ..bench.results import Results, Row
from ..bench.rounds import NOISY, spread
from ..bench.table import in_words
from ..gpt.runs import History, unit_of
from ..system.console import count
from .bench import growth
from .plots import Chart, chart
from .run import loss_curve

PICTURES = {
    "memory": "The peak memory of each way to compute attention against T, here and on other machines.",
    "roofline": "The rate that each way to compute attention reaches, under the limits of each machine.",
}  # what `make bench` drew, and what one sees
BUSY = f"The machine was busy: of ratios that varied by more than {NOISY:.0%}, the middle half is given."
LARGEST = 1_000_000  # bytes of a picture that is taken in


class Race(NamedTuple):
    """Rows that are compared with each other, as cells of a table."""

    title: str
    heads: list[str]
    rows: list[list[str]]
    failures: list[str]  # lines
    growth: Chart | None  # where there are several lengths


class Benchmark(NamedTuple):
    """The results of one file; where they cannot be shown, `problem` says why."""

    title: str
    facts: str = ""
    races: Sequence[Race] = ()
    notes: Sequence[str] = ()
    left_out: Sequence[str] = ()
    problem: str = ""


def curves(runs: Iterable[History]) -> list[Chart]:
    """The loss curve of every run, with the floor where it is known."""
    charts = []
    for run in runs:
        alt = f"Loss in nats a {unit_of(run.kind)} against the step. {run.title}."
        if run.floor is not None:
            alt += f" The floor of this corpus, which no model can go below, is {run.floor:.3f}."
        charts.append(chart(loss_curve(run, titled=False), alt))
    return charts


def benchmarks(measured: Iterable[Results], seen: set[Any]) -> list[Benchmark]:
    """Results, the newest first; of what was measured twice on a machine, the newest alone. `seen`: what was shown."""
    shown = []
    for results in sorted(measured, key=lambda results: results["date"], reverse=True):
        races = tuple(sorted({str(row.get("race")) for row in results["rows"]}))
        key = (results["kind"], races, _device(results))
        if key in seen:
            continue
        seen.add(key)
        try:
            shown.append(_benchmark(results))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            title = f"Results of {results['date'][:10]}, {results['kind']}"
            shown.append(Benchmark(title, problem=f"{title}, cannot be shown: {error!r}"))
    return shown


def _device(results: Results) -> str:
    machine = results["machine"]
    return str(machine.get("device_name") or machine.get("cpu") or "an unknown machine")


def _benchmark(results: Results) -> Benchmark:
    machine, versions, device = results["machine"], results["versions"], _device(results)
    facts = [f"measured on {results['date'][:10]}", f"commit {results['commit'][:9]}"]
    facts += [f"{name} {versions[name]}" for name in ("torch", "python") if versions.get(name)]
    facts += [count(machine["threads"], "thread")] if machine.get("threads") else []
    facts += [sizes] if (sizes := in_words(results)) else []
    refused = [f"Refused: {each.get('name')}. {each.get('reason', '')}" for each in results.get("refused", [])]
    races: dict[str, list[Row]] = {}
    for row in results["rows"]:  # those of attention by number type and pass, all lengths in one: what is compared
        passes = row.get("pass", "")
        labels = ["" if row.get("T") else row.get("race"), row.get("dtype"), roofline.WAYS.get(passes, passes)]
        races.setdefault(", ".join(str(label) for label in labels if label), []).append(row)
    return Benchmark(
        f"{results['kind']}, on {device}",
        ", ".join(facts),
        [_race(title, rows, device) for title, rows in races.items()],
        [*refused, *([BUSY] if not all(map(_steady, results["rows"])) else [])],
        list(map(str, results.get("left_out", []))),
    )


def _race(title: str, rows: list[Row], device: str) -> Race:
    unit = next((row["unit"] for row in rows if row.get("unit")), "work")
    base = next((row["name"] for row in rows if row.get("ratio_low") == row.get("ratio_high") == 1), "the first")
    timed = [row for row in rows if "failure" not in row]
    columns = {
        "name": [row["name"] for row in timed],
        "T": [str(row["T"]) if row.get("T") else "" for row in timed],
        "time": [duration(row["seconds"]) for row in timed],
        "middle half": [_middle_half(row) for row in timed],
        f"{unit} a second": [short(rate) if row["seconds"] and (rate := roofline.rate(row)) else "" for row in timed],
        f"times {base}": list(map(_ratio, timed)),
    }
    columns = {head: cells for head, cells in columns.items() if any(cells)}
    failures = [
        f"Not timed: {row['name']}{', T = ' + str(row['T']) if row.get('T') else ''}: {row['failure']}"
        for row in rows
        if "failure" in row
    ]
    return Race(title, list(columns), list(map(list, zip(*columns.values()))), failures, _growth(title, rows, device))


def _steady(row: Row) -> bool:
    """Whether a row's ratio can be trusted."""
    return not (row.get("ratio") and row.get("ratio_low") and row.get("ratio_high")) or spread(row) <= NOISY


def _ratio(row: Row) -> str:
    """The ratio to the base; where rounds differ too much for a single number, the middle half of them."""
    if not row.get("ratio"):
        return ""
    return f"{row['ratio']:.2f}" if _steady(row) else f"{row['ratio_low']:.2f} to {row['ratio_high']:.2f}"


def _middle_half(row: Row) -> str:
    if not (row.get("low") and row.get("high")):
        return ""
    return f"{duration(row['low'])} to {duration(row['high'])}"


def duration(seconds: float) -> str:
    """A time in three digits and the unit that suits it: 14.0 s, 4.70 ms, 530 µs, 12.5 min."""
    for size, unit in ((60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= (120 if unit == "min" else size):
            break
    return f"{seconds / size:#.3g}".rstrip(".") + f" {unit}"


def _growth(title: str, rows: list[Row], device: str) -> Chart | None:
    """Work a second against T; nothing where there are no two lengths to compare."""
    timed = [row for row in rows if row.get("seconds") and row.get("T") and row.get("work")]
    if len({row["T"] for row in timed}) < 2:
        return None
    unit = next((row["unit"] for row in timed if row.get("unit")), "tokens")
    return chart(growth(timed, unit), f"{unit} a second against T, {title or 'attention'}, on {device}.")


def short(number: float) -> str:
    """A number in few characters: 0.5, 1,500, 20k, 3M."""
    for power, unit in ((9, "G"), (6, "M"), (3, "k")):
        if abs(number) >= 10 ** (power + (1 if power == 3 else 0)):
            return f"{number / 10**power:.3g}{unit}"
    return f"{number:,.0f}" if number == round(number) or abs(number) >= 1000 else f"{number:.3g}"


def pictures(folder: Path) -> dict[str, str]:
    """The pictures of the last benchmark in base64, by what one sees. As images they can run no script."""
    paths = {alt: folder / f"{name}.svg" for name, alt in PICTURES.items()}
    small = {alt: path for alt, path in paths.items() if path.is_file() and path.stat().st_size < LARGEST}
    return {alt: base64.b64encode(path.read_bytes()).decode() for alt, path in small.items()}
