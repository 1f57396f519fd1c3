"""The verbs: what `make VERB` and `dojo VERB` do. Listing, hints and progress import no torch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from . import stubs
from .catalog import Kata, find_root
from .judge import Judge, JudgeError
from .school import School, console, show_board, warn

app = typer.Typer(
    add_completion=False, no_args_is_help=False, rich_markup_mode=None, pretty_exceptions_enable=False, help=__doc__
)
KataName = Annotated[str, typer.Argument(metavar="KATA", help="5, 05, k05 or causal_attention")]


@app.callback(invoke_without_command=True)
def board(context: typer.Context) -> None:
    """Show the katas: which are solved, and what is next."""
    if context.invoked_subcommand is None:
        show_board(School())


@app.command()
def start() -> None:
    """Show the board, judge the first kata that is not solved, and say what to do next."""
    school = School()
    show_board(school)
    kata = school.next
    if kata is None:
        return
    console.print()
    _judge_all(school, [kata])
    lesson, file = (path.relative_to(school.root).as_posix() for path in (kata.lesson, kata.file))
    console.print(
        f"\nRead the lesson:  {lesson}\nWrite your code:  {file}\nThen be judged:   make test KATA={kata.number}"
    )


@app.command()
def test(
    kata: KataName = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as one JSON object.")] = False,
    traceback: Annotated[bool, typer.Option(help="Show the whole traceback.")] = False,
) -> None:
    """Judge a kata; without a name, every kata in order up to the first that is not solved."""
    school = School()
    katas = [school.find(kata)] if kata else school.catalog.katas
    passed = _judge_all(school, katas, as_json, traceback)
    if not kata and passed and not as_json:
        console.print("\nEvery kata is solved. Train the GPT that you built: make train", style="bold green")
    raise typer.Exit(0 if passed else 1)


@app.command()
def hint(
    kata: KataName = "", step: Annotated[int, typer.Option(help="Of which step; else where you stand.")] = 0
) -> None:
    """Show the next hint for the step you are at; each call shows one more."""
    school = School()
    wanted = school.wanted(kata)
    entry = school.progress.katas.setdefault(wanted.slug, {"attempts": 0})
    step = step or entry.get("step") or 1
    hints = wanted.hints(step)
    if not hints:
        warn(f"There are no hints for step {step} of {wanted.code}: it has steps {', '.join(map(str, wanted.steps))}.")
        raise typer.Exit(2)
    taken = entry.setdefault("hints", {})
    count = taken[str(step)] = min(int(taken.get(str(step), 0)) + 1, len(hints))
    school.save()
    console.print(f"{wanted.code} · {wanted.title}, step {step} · {wanted.steps.get(step, '')}", style="bold")
    for kind, text in hints[:count]:
        console.print(f"\n{kind}:", style="cyan")
        console.print(Text(text))
    left = len(hints) - count
    more = (
        f"{left} more: make hint KATA={wanted.number}"
        if left
        else f"That was the last. make solution KATA={wanted.number}"
    )
    console.print(f"\n{more}", style="dim")


@app.command()
def solution(kata: KataName) -> None:
    """Print the reference solution."""
    school = School()
    wanted = school.find(kata)
    if school.progress.status(wanted) != "solved":
        warn(f"{wanted.code} is not solved yet; a hint may be enough: make hint KATA={wanted.number}")
    text = wanted.solution.read_text(encoding="utf-8").splitlines()
    console.print(Text("\n".join(line for line in text if not (stubs.OPEN.match(line) or stubs.CLOSE.match(line)))))


@app.command()
def reset(kata: KataName) -> None:
    """Write the stub anew; the file that stood there is kept as a backup."""
    school = School()
    wanted = school.find(kata)
    if wanted.file.exists():
        if stubs.read(wanted.file) == stubs.stub_of(wanted):
            console.print(f"{wanted.file.relative_to(school.root).as_posix()} is the untouched stub already.")
            return
        console.print(f"Your file is kept as {_back_up(school.root, wanted).relative_to(school.root).as_posix()}")
    stubs.write(wanted)
    console.print(f"{wanted.file.relative_to(school.root).as_posix()} is the stub again.")


@app.command("stubs")
def make_stubs(
    check: Annotated[bool, typer.Option(help="Write nothing; exit 1 if a stub is out of date.")] = False,
) -> None:
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
    raise typer.Exit(1 if check and stale else 0)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def check(context: typer.Context) -> None:
    """Prove what the repository promises, and count it. Extra arguments go to pytest."""
    root = find_root()
    parallel = ["-n", "2"] if _has("xdist") else []
    command = [sys.executable, "-m", "pytest", "tests/dojo", "-q", *parallel, *context.args]
    raise typer.Exit(subprocess.run(command, cwd=root).returncode)


@app.command()
def data() -> None:
    """Fetch the real texts and GPT-2's vocabulary; from the folder DOJO_MIRROR where that is set."""
    from . import graduation

    raise typer.Exit(graduation.fetch(console))


@app.command()
def train(
    preset: Annotated[str, typer.Argument(metavar="PRESET", help="verona or shakespeare")] = "verona",
    impl: Annotated[str, typer.Option(help="`solutions`: the reference's parts alone.")] = "yours",
    resume: Annotated[bool, typer.Option(help="Go on where the last run stopped.")] = False,
) -> None:
    """Train a GPT made of your own parts, and of the reference's where a kata is not solved yet."""
    from . import graduation

    school = School()
    if preset not in graduation.PRESETS or impl not in ("yours", "solutions"):
        warn(f"PRESET is one of {', '.join(graduation.PRESETS)}; IMPL is yours or solutions.")
        raise typer.Exit(2)
    solved = frozenset() if impl == "solutions" else school.progress.solved(school.catalog)
    raise typer.Exit(graduation.train(school.catalog, solved, preset, resume, console))


@app.command()
def sample(
    prompt: Annotated[str, typer.Option(help="What the text begins with.")] = "",
    preset: Annotated[str, typer.Option(help="Of which run; else the latest.")] = "",
    characters: Annotated[int, typer.Option(min=1, help="How many to write.")] = 400,
    seed: Annotated[int, typer.Option(help="The same seed writes the same text.")] = -1,
) -> None:
    """Let the trained GPT continue a text."""
    from . import graduation

    school = School()
    solved = school.progress.solved(school.catalog)
    chosen = None if seed < 0 else seed
    raise typer.Exit(graduation.sample(school.catalog, solved, prompt, preset, characters, chosen, console))


def _judge_all(school: School, katas: list[Kata], as_json: bool = False, traceback: bool = False) -> bool:
    """Judge katas in order up to the first that does not pass."""
    from .report import render

    with Judge(school.root) as judge:
        for kata in katas:
            try:
                verdict = judge.verdict(kata, school.progress.solved(school.catalog))
            except JudgeError as error:
                warn(str(error))
                raise typer.Exit(1) from None
            school.progress.note(kata, verdict["verdict"], verdict["step"])
            school.save()
            if as_json:
                print(json.dumps(verdict, ensure_ascii=False))
            else:
                console.print(render(verdict, kata.title, traceback))
            if verdict["verdict"] != "passed":
                return False
    return True


def _back_up(root: Path, kata: Kata) -> Path:
    folder = root / ".dojo" / "backups"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kata.slug}-{datetime.now():%Y%m%d-%H%M%S-%f}.py"
    shutil.copyfile(kata.file, path)
    return path


def _has(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def main() -> Any:
    """The entry point of `dojo` and `python -m dojo`."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    try:
        return app(prog_name="dojo")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:  # the reader, `head` for one, had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
