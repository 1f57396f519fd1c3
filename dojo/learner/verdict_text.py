"""A verdict as a learner reads it: the claim, the smallest example, expected and got, what it looks like, what next."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from ..judge.verdict import Verdict
from .advice import after_verdict

MARKS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "not_started": ("·", "yellow"), "not_reached": ("·", "dim")}
WIDTH = 100  # characters of each
PRINTED = 12  # lines of the learner's own output that are shown


def render(verdict: Verdict, title: str, traceback: bool = False, advice: str | None = None) -> Text:
    """All that a learner is to read of a verdict, and below it `advice`, which unless given is what to type next."""
    text = Text()
    for part in _parts(verdict, title, traceback):
        text.append_text(part)
    if advice is None:
        advice = after_verdict(verdict)
    if advice:
        text.append(f"\n{advice}")
    text.rstrip()
    return text


def _parts(verdict: Verdict, title: str, traceback: bool) -> Iterator[Text]:
    yield _line(f"{verdict.kata} · {title}", "bold")
    yield from _steps(verdict)
    if verdict.verdict == "passed":
        yield _line(f"Passed, in {verdict.seconds:.2f} s.", "bold green")
    elif verdict.verdict == "not_started":
        yield _line(f"\n{verdict.message}", "bold yellow")
        yield from _location(verdict)
    else:
        yield from _trouble(verdict)
    for stand_in in verdict.stand_ins if verdict.claim or verdict.verdict == "passed" else []:
        names = " and ".join(stand_in.names)
        yield _line(f"It uses the reference's {names}: {stand_in.kata} is not solved yet.", "dim")
    for note in verdict.notes:
        yield _line(note, "yellow")
    if verdict.output.strip():
        yield from _output(verdict.output)
    if traceback and verdict.traceback:
        yield _line("\n" + verdict.traceback.rstrip(), "dim")


def _steps(verdict: Verdict) -> Iterator[Text]:
    if all(step.status == "not_reached" for step in verdict.steps):
        return
    for step in verdict.steps:
        mark, style = MARKS[step.status]
        name = f"step {step.step}" + (f" · {step.title}" if step.title else "")
        yield _line(f"  {mark} {name}", style)


def _trouble(verdict: Verdict) -> Iterator[Text]:
    if verdict.claim:
        yield Text("\n")
        yield _line(verdict.claim, "bold")
    yield _line(f"{verdict.message}", "red")
    if verdict.example:
        yield _line("\nThe smallest example:")
        for name, value in verdict.example.items():
            if not any(line.startswith(f"{name} = torch.tensor(") or f" {name}=" in line for line in verdict.calls):
                yield _block("" if name in ("size", "sizes") else f"{name} = ", value)
    for line in verdict.calls:
        yield _line(f"    {line}")
    if verdict.expected:
        yield _line("Expected:")
        yield _block("", verdict.expected, "green")
    if verdict.got:
        yield _line("Got:")
        yield _block("", verdict.got, "red")
    if verdict.observations:
        yield _line("\nWhat the examples show:")
        yield from (_line(f"    {sentence}") for sentence in verdict.observations)
    if verdict.diagnosis:
        yield from _diagnosis(verdict)
    if verdict.where:
        yield Text("\n")
        yield from _location(verdict)


def _location(verdict: Verdict) -> Iterator[Text]:
    if where := verdict.where:
        yield _line(f"{where.file}:{where.line}", "cyan")
        if where.code:
            yield _line(f"    {where.code}")


def _diagnosis(verdict: Verdict) -> Iterator[Text]:
    opening = {
        "one": "It looks like this:",
        "both": "It looks like two things at once:",
        "either": "It looks like one of these, which the examples do not tell apart:",
        "includes": "It looks like this, and something else besides:",
    }
    yield _line(f"\n{opening[verdict.relation]}", "bold magenta")
    for mistake in verdict.diagnosis:
        elsewhere = f" (step {mistake.step})" if mistake.step != verdict.step else ""
        yield Text.assemble("  ", (f"{mistake.name}{elsewhere}. ", "bold"), mistake.explanation, "\n")


def _output(output: str) -> Iterator[Text]:
    lines = [line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…" for line in output.rstrip().splitlines()]
    yield _line("\nYour code printed:", "dim")
    yield _line("\n".join(f"    {line}" for line in lines[:PRINTED]), "dim")
    if len(lines) > PRINTED:
        yield _line(f"    … and {len(lines) - PRINTED} lines more", "dim")


def _line(text: str, style: str = "") -> Text:
    return Text(text + "\n", style)


def _block(label: str, value: str, style: str = "") -> Text:
    first, *rest = value.split("\n")
    indent = "    "
    lines = [f"{indent}{label}{first}", *(f"{indent}{' ' * len(label)}{line}" for line in rest)]
    return _line("\n".join(lines), style)
