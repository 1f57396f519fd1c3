"""Sections of the report page that are tables and curves: progress, runs, benchmarks. No torch here.

Each function returns HTML; all text that comes from elsewhere is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from ..curriculum.catalog import Kata
from ..gpt.runs import History
from ..learner.session import BLACK_BELT, STATUS, School
from ..system.console import count
from .chart import Series, line_chart, short
from .run import smoothed

Results = dict[str, Any]  # as `dojo/bench/results.py` describes them
PASSES = {"forward": "forward", "both": "forward and backward"}


def progress(school: School) -> str:
    """The board, with attempts and hints; the optional katas apart."""
    required, optional = school.catalog.required, school.catalog.optional
    attempts = count(sum(map(school.progress.attempts, school.catalog.katas)), "attempt")
    said = f"{school.solved(required)} katas solved, {attempts}."
    if school.next and school.solved(required).startswith("0 "):
        said += " Nothing is solved yet. Begin: <code>make start</code>"
    elif school.next:
        number, title = school.next.number, escape(school.next.title)
        said += f" Next: {school.next.code}, {title}: <code>make test KATA={number}</code>"
    else:
        said += " Every kata is solved. Train the GPT that you built: <code>make train</code>"
    shown = f"<p>{said}</p>" + _katas(school, required)
    if optional:
        shown += f"<p>{BLACK_BELT}: {school.solved(optional)} solved.</p>" + _katas(school, optional)
    return shown


def _katas(school: School, katas: Sequence[Kata]) -> str:
    rows = []
    for kata in katas:
        entry, status = school.progress.katas.get(kata.slug, {}), school.progress.status(kata)
        standing = school.standing(kata) or "not started"
        rows.append(
            [
                escape(f"{kata.code} · {kata.title}"),
                f'<span class="{status}">{STATUS[status][0]} {escape(standing)}</span>',
                str(school.progress.attempts(kata) or ""),
                str(sum(entry.get("hints", {}).values()) or ""),
                escape(str(entry.get("at", ""))[:10]),
            ]
        )
    return table(["kata", "how far", "attempts", "hints", "last tried"], rows, numbers=(2, 3))


def curves(runs: Iterable[History]) -> str:
    """The loss curve of every run, with the floor where it is known."""
    drawn = []
    for run in runs:
        losses, evaluations, floor = run.losses, run.evaluations, run.floor
        steps, means, width = smoothed(losses)
        name = "training" if width == 1 else f"training, mean of {width}"
        series = [Series(name, list(zip(steps, means)), marked=False), Series("validation", evaluations)]
        level = (f"floor {floor:.3f}", floor) if floor is not None else None
        said = f"Loss in nats a character against the step. {run.title}." + (
            f" The floor of this corpus, which no model can go below, is {floor:.3f}." if floor is not None else ""
        )
        chart = line_chart(series, said, "step", "loss (nats a character)", level=level)
        drawn.append(figure(chart, said))
    return "".join(drawn) or "<p>There is no run yet. Train your GPT: <code>make train</code></p>"


def benchmarks(found: Sequence[Results]) -> str:
    """Curves and tables of results, the newest first; of what was measured twice on a machine, the newest alone."""
    if not found:
        return (
            "<p>Nothing has been measured yet. <code>make bench</code> races ways to write attention on this machine, "
            "<code>make bench KATA=7</code> those of a kata.</p>"
        )
    parts, seen = [], set()
    for results in found:
        races = tuple(sorted({str(row.get("race")) for row in results["rows"]}))
        key = (results["kind"], races, _device(results))
        if key in seen:
            continue
        seen.add(key)
        try:
            parts.append(_results(results))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            said = f"Results of {results['date'][:10]}, {results['kind']}, cannot be shown: {error!r}"
            parts.append(f"<p class='note'>{escape(said)}</p>")
    return "".join(parts)


def _device(results: Results) -> str:
    machine = results["machine"]
    return str(machine.get("device_name") or machine.get("cpu") or "an unknown machine")


def _results(results: Results) -> str:
    machine, versions, device = results["machine"], results["versions"], _device(results)
    title = f"{results['kind']}, on {device}"
    facts = [f"measured on {results['date'][:10]}", f"commit {results['commit'][:9]}"]
    facts += [f"{name} {versions[name]}" for name in ("torch", "python") if versions.get(name)]
    facts += [f"{machine['threads']} threads"] if machine.get("threads") else []
    facts += ["noisy: the ratios are not to be trusted"] if results.get("noisy") else []
    parts = [f"<h3>{escape(title)}</h3><p class='soft'>{escape(', '.join(facts))}</p>"]
    for race, rows in _races(results["rows"]):
        parts.append(_growth(race, rows, device))
        parts.append(_race(race, rows))
    for one in results.get("refused", []):
        reason = f"{one.get('name')}. {one.get('reason', '')}"
        parts.append(f"<p class='note'>Refused: {escape(reason)}</p>")
    for line in results.get("left_out", []):
        parts.append(f"<p class='soft'>Left out: {escape(str(line))}</p>")
    return "".join(parts)


def _races(rows: list[dict[str, Any]]) -> Iterable[tuple[str, list[dict[str, Any]]]]:
    """The rows by race, those of attention by number type and pass, all lengths in one: what is compared."""
    races: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        title = "" if row.get("T") else row.get("race")
        facts = [title, row.get("dtype"), PASSES.get(row.get("pass", ""), row.get("pass"))]
        races.setdefault(", ".join(str(fact) for fact in facts if fact), []).append(row)
    return races.items()


def _growth(race: str, rows: list[dict[str, Any]], device: str) -> str:
    """Work a second against T, a line a racer; nothing where there are no two lengths to compare."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if row.get("seconds") and row.get("T") and row.get("work"):
            lines.setdefault(row["name"], []).append((row["T"], row["work"] / row["seconds"]))
    if len({length for points in lines.values() for length, _ in points}) < 2:
        return ""
    unit = next((row["unit"] for row in rows if row.get("unit")), "tokens")
    said = f"{unit} a second against T, {race or 'attention'}, on {device}."
    series = [Series(name, sorted(points)) for name, points in lines.items()]
    return figure(line_chart(series, said, "T, the length of the sequence", f"{unit} a second", log=True), said)


def _race(race: str, rows: list[dict[str, Any]]) -> str:
    lengths = any(row.get("T") for row in rows)
    unit = next((row["unit"] for row in rows if row.get("unit")), "work")
    shown, failed = [], []
    for row in rows:
        if "failure" in row:
            where = f", T = {row['T']}" if row.get("T") else ""
            failed.append(f"Not timed: {row['name']}{where}: {row['failure']}")
            continue
        name = [escape(row["name"])] + ([str(int(row["T"]))] if lengths else [])
        ratio = f"{row['ratio']:.2f}" if row.get("ratio") else ""
        spread = f"{1e3 * row['low']:.3g} to {1e3 * row['high']:.3g}" if row.get("low") and row.get("high") else ""
        rate = short(row["work"] / row["seconds"]) if row.get("work") and row["seconds"] else ""
        shown.append([*name, f"{1e3 * row['seconds']:.4g}", spread, rate, ratio])
    heads = ["name"] + (["T"] if lengths else []) + ["ms", "middle half", f"{unit} a second", "times the base"]
    notes = "".join(f"<p class='soft'>{escape(line)}</p>" for line in failed)
    return (table(heads, shown, numbers=range(1, len(heads)), caption=race) if shown else "") + notes


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Iterable[int] = (), caption: str = "") -> str:
    """A table; the cells are HTML already. `numbers` are the columns that stand to the right."""
    kinds = [' class="number"' if place in set(numbers) else "" for place in range(len(heads))]
    head = "".join(f"<th scope='col'{kind}>{escape(name)}</th>" for name, kind in zip(heads, kinds))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row, kinds)) + "</tr>" for row in rows
    )
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return _wide(f"<table class='rows'>{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def figure(chart: str, said: str) -> str:
    """A chart and what it shows, in words."""
    return f"<figure>{_wide(chart)}<figcaption>{escape(said)}</figcaption></figure>"


def _wide(content: str) -> str:
    """What may be wider than the window scrolls by itself."""
    return f"<div class='wide'>{content}</div>"
