"""The verbs: what `make VERB` and `dojo VERB` do. Listing, hints and progress import no torch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

import click

from ..curriculum import stubs
from ..curriculum.catalog import Kata, find_root
from ..judge.client import Judge, JudgeError
from ..learner.session import School, board, hint_text
from ..system.console import console, warn
from . import bench as measuring
from . import figures as gallery
from . import speedrun as racing
from . import upkeep


@click.group(invoke_without_command=True, help=__doc__, context_settings={"max_content_width": 100})
@click.pass_context
def app(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        console.print(board(School()))


@app.command()
def start() -> None:
    """Show the board, judge the first kata that is not solved, and say what to do next; in a terminal, watch it."""
    school = School()
    kata = school.next
    if kata is not None and _terminal():
        raise SystemExit(_watch(school, kata))
    console.print(board(school))
    if kata is None:
        return
    console.print()
    _judge_all(school, [kata])
    console.print(
        f"\nRead the lesson:  {school.near(kata.lesson)}\nWrite your code:  {school.near(kata.file)}\n"
        f"Then be judged:   make test KATA={kata.number}, or each time you save: make watch"
    )


@app.command()
@click.argument("kata", default="")
def watch(kata: str) -> None:
    """Judge on every save; hints, the board and all else are a key away."""
    school = School()
    raise SystemExit(_watch(school, school.find(kata) if kata else None))


@app.command()
@click.argument("kata", default="")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as one JSON object.")
@click.option("--traceback", is_flag=True, help="Show the whole traceback.")
def test(kata: str, as_json: bool, traceback: bool) -> None:
    """Judge a kata; without a name, all but optional ones in order, to the first that is not solved."""
    school = School()
    katas = [school.find(kata)] if kata else school.catalog.required
    passed = _judge_all(school, katas, as_json, traceback)
    if not kata and passed and not as_json:
        console.print("\nEvery kata is solved. Train the GPT that you built: make train", style="bold green")
    raise SystemExit(0 if passed else 1)


@app.command()
@click.argument("kata", default="")
@click.option("--step", default=0, help="Of which step; else where you stand.")
def hint(kata: str, step: int) -> None:
    """Show the next hint for the step you are at; each call shows one more."""
    school = School()
    wanted = school.wanted(kata)
    if step and step not in wanted.steps:
        warn(f"{wanted.code} has no step {step}: it has {', '.join(map(str, wanted.steps))}.")
        raise SystemExit(2)
    step, hints, left = school.hint(wanted, step)
    if not hints:
        warn(f"There are no hints for step {step} of {wanted.code}. The lesson: {school.near(wanted.lesson)}")
        raise SystemExit(2)
    more = f"{left} more: make hint" if left else "That was the last. make solution"
    console.print(hint_text(wanted, step, hints, f"{more} KATA={wanted.number}"))


@app.command()
@click.argument("kata")
def solution(kata: str) -> None:
    """Print the reference solution."""
    school = School()
    wanted = school.find(kata)
    if school.progress.status(wanted) != "solved":
        warn(f"{wanted.code} is not solved yet; a hint may be enough: make hint KATA={wanted.number}")
    print(stubs.plain(wanted), end="")  # the console would break long lines


@app.command()
@click.argument("kata")
def reset(kata: str) -> None:
    """Write the stub anew; the file that stood there is kept as a backup."""
    school = School()
    wanted = school.find(kata)
    missing = not wanted.file.exists()
    try:
        kept = school.reset(wanted)
    except OSError as error:
        warn(f"Your file could not be kept, so nothing was changed: {error}.")
        raise SystemExit(1) from None
    if kept:
        console.print(f"Your file is kept as {school.near(kept)}")
    console.print(f"{school.near(wanted.file)} is the {'stub again' if kept or missing else 'untouched stub already'}.")


@app.command("stubs")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a stub is out of date.")
def make_stubs(check: bool) -> None:
    """For authors: write the stubs that are missing or out of date; files with work in them are left alone."""
    school = School()
    stale = [kata for kata in school.catalog.katas if stubs.outdated(kata)]
    for kata in stale:
        if not check:
            stubs.write(kata)
        console.print(
            f"{kata.file.relative_to(school.root).as_posix()} {'is out of date: make stubs' if check else 'written'}"
        )
    if not stale:
        console.print("Every stub is as its solution makes it.")
    raise SystemExit(1 if check and stale else 0)


@app.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1)
def check(arguments: tuple[str, ...]) -> None:
    """Prove what the repository promises, and count it. Extra arguments go to pytest."""
    root = find_root()
    # The proof has processes of its own: those in which all other tests ran have grown slow, on the clock of whatever
    # code they judge next. The other tests mostly wait for processes, so a third worker finds time; the longest first.
    proof, longest = (
        "tests/dojo/test_proof.py",
        ["tests/dojo/learner/test_watch.py", "tests/dojo/judge/test_bad_input.py"],
    )
    runs = {
        "-n 2 --dist loadgroup": [proof],
        "-n 3 --dist loadfile --no-loadscope-reorder": [*longest, "tests/dojo", f"--ignore={proof}"],
    }
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}  # else each of many processes compiles all of it anew
    statuses = []
    for parallel, tests in runs.items():
        command = [sys.executable, "-m", "pytest", "-q", *tests, *(parallel.split() if _has("xdist") else [])]
        statuses.append(subprocess.run([*command, *arguments], cwd=root, env=environment).returncode)
    nothing = 5  # pytest's status where the arguments select no test
    raise SystemExit(max((status for status in statuses if status != nothing), default=nothing))


@app.command()
def data() -> None:
    """Fetch the real texts and GPT-2's vocabulary; from the folder DOJO_MIRROR where that is set."""
    from . import train as graduation

    raise SystemExit(graduation.fetch(console))


@app.command()
@click.argument("preset", default="verona")
@click.option("--impl", default="yours", help="`solutions`: the reference's parts alone.")
@click.option("--resume", is_flag=True, help="Go on where the last run stopped.")
def train(preset: str, impl: str, resume: bool) -> None:
    """Train a GPT made of your own parts, and of the reference's where a kata is not solved yet."""
    from . import train as graduation

    school = School()
    if preset not in graduation.PRESETS or impl not in ("yours", "solutions"):
        warn(f"PRESET is one of {', '.join(graduation.PRESETS)}; IMPL is yours or solutions.")
        raise SystemExit(2)
    solved = frozenset() if impl == "solutions" else school.progress.solved(school.catalog)
    raise SystemExit(graduation.train(school.catalog, solved, preset, resume, console))


@app.command()
@click.option("--prompt", default="", help="What the text begins with.")
@click.option("--preset", default="", help="Of which run; else the latest.")
@click.option("--characters", default=400, type=click.IntRange(min=1), help="How many to write.")
@click.option("--seed", type=int, help="The same seed writes the same text.")
@click.option("--count", default=1, type=click.IntRange(min=1), help="How many texts, written side by side.")
def sample(prompt: str, preset: str, characters: int, seed: int | None, count: int) -> None:
    """Let the trained GPT continue a text."""
    from . import train as graduation

    school = School()
    solved = school.progress.solved(school.catalog)
    raise SystemExit(graduation.sample(school.catalog, solved, prompt, preset, characters, seed, count, console))


VERBS = [upkeep.progress, upkeep.update, upkeep.doctor, measuring.bench, measuring.bench_train]
VERBS += [gallery.attention, gallery.pictures, gallery.report, racing.speedrun, racing.ablate]
for verb in VERBS:
    app.add_command(verb)


def _judge_all(school: School, katas: list[Kata], as_json: bool = False, traceback: bool = False) -> bool:
    """Judge katas in order up to the first that does not pass."""
    from ..learner.verdict_text import render

    with Judge(school.root) as judge:
        for kata in katas:
            try:
                verdict = judge.verdict(kata, school.progress.solved(school.catalog))
            except JudgeError as error:
                warn(str(error))
                raise SystemExit(1) from None
            school.note(kata, verdict)
            if as_json:
                print(json.dumps(verdict.as_dict(), ensure_ascii=False))
            else:
                console.print(render(verdict, kata.title, traceback))
            if verdict.verdict != "passed":
                return False
    return True


def _terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _watch(school: School, kata: Kata | None) -> int:
    from ..learner.watch import watch as loop

    return loop(school, kata, _terminal())


def _has(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def main() -> Any:
    """The entry point of `dojo` and `python -m dojo`."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))  # who started processes ends them on the way out
    try:
        return app(prog_name="dojo")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:  # the reader, `head` for one, had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
