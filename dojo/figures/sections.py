"""What the report page shows of runs and of benchmarks. No torch here."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..bench import roofline
from ..bench.results import Results, Row
from ..gpt.runs import History
from .bench import growth
from .plots import Chart, chart
from .run import loss_curve

PICTURES = {
    "memory": "The peak memory of each way to compute attention against the length of the sequence.",
    "roofline": "The rate that each way to compute attention reaches, under the limits of the machine.",
}  # what `make bench` drew, and what one sees
PASSES = {"forward": "forward", "both": "forward and backward"}
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
    refused: Sequence[str] = ()
    left_out: Sequence[str] = ()
    problem: str = ""


def curves(runs: Iterable[History]) -> list[Chart]:
    """The loss curve of every run, with the floor where it is known."""
    charts = []
    for run in runs:
        alt = f"Loss in nats a character against the step. {run.title}."
        if run.floor is not None:
            alt += f" The floor of this corpus, which no model can go below, is {run.floor:.3f}."
        charts.append(chart(loss_curve(run, titled=False), alt))
    return charts


def benchmarks(measured: Sequence[Results]) -> list[Benchmark]:
    """Results, the newest first; of what was measured twice on a machine, the newest alone."""
    shown, seen = [], set()
    for results in measured:
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
    facts += [f"{machine['threads']} threads"] if machine.get("threads") else []
    facts += ["noisy: the ratios are not to be trusted"] if results.get("noisy") else []
    races: dict[str, list[Row]] = {}
    for row in results["rows"]:  # those of attention by number type and pass, all lengths in one: what is compared
        passes = row.get("pass", "")
        labels = ["" if row.get("T") else row.get("race"), row.get("dtype"), PASSES.get(passes, passes)]
        races.setdefault(", ".join(str(label) for label in labels if label), []).append(row)
    return Benchmark(
        f"{results['kind']}, on {device}",
        ", ".join(facts),
        [_race(title, rows, device) for title, rows in races.items()],
        [f"{refusal.get('name')}. {refusal.get('reason', '')}" for refusal in results.get("refused", [])],
        list(map(str, results.get("left_out", []))),
    )


def _race(title: str, rows: list[Row], device: str) -> Race:
    unit = next((row["unit"] for row in rows if row.get("unit")), "work")
    lengths = any(row.get("T") for row in rows)
    heads = ["name", *(["T"] if lengths else []), "ms", "middle half", f"{unit} a second", "times the base"]
    cells, failures = [], []
    for row in rows:
        if "failure" in row:
            where = f", T = {row['T']}" if row.get("T") else ""
            failures.append(f"Not timed: {row['name']}{where}: {row['failure']}")
        else:
            cells.append([row["name"], *([str(int(row["T"]))] if lengths else []), *_measured(row)])
    return Race(title, heads, cells, failures, _growth(title, rows, device))


def _measured(row: Row) -> list[str]:
    """Milliseconds, their middle half, work a second, and the ratio to the base."""
    spread = f"{1e3 * row['low']:.3g} to {1e3 * row['high']:.3g}" if row.get("low") and row.get("high") else ""
    rate = roofline.rate(row) if row["seconds"] else None
    ratio = f"{row['ratio']:.2f}" if row.get("ratio") else ""
    return [f"{1e3 * row['seconds']:.4g}", spread, short(rate) if rate else "", ratio]


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
    return f"{number:,.0f}" if number == round(number) else f"{number:.3g}"


def pictures(folder: Path) -> dict[str, str]:
    """The pictures of the last benchmark in base64, by what one sees. As images they can run no script."""
    paths = {alt: folder / f"{name}.svg" for name, alt in PICTURES.items()}
    small = {alt: path for alt, path in paths.items() if path.is_file() and path.stat().st_size < LARGEST}
    return {alt: base64.b64encode(path.read_bytes()).decode() for alt, path in small.items()}
