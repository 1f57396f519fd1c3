"""The verbs: what `make VERB` and `dojo VERB` do. Listing, hints and progress import no torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from . import stubs
from .catalog import Catalog, Kata, UnknownKata, find_root
from .judge import Judge, JudgeError
from .progress import Progress

app = typer.Typer(
    add_completion=False, no_args_is_help=False, rich_markup_mode=None, pretty_exceptions_enable=False, help=__doc__
)
console = Console(highlight=False)
KataName = Annotated[str, typer.Argument(metavar="KATA", help="5, 05, k05 or causal_attention")]
STATUS = {
    "solved": ("✓", "solved", "green"),
    "changed": ("~", "solved before, changed since", "yellow"),
    "started": ("…", "started", "yellow"),
    "untouched": ("·", "", "dim"),
}


class School:
    """The tree this command works on."""

    def __init__(self) -> None:
        self.root = find_root()
        self.catalog = Catalog(self.root)
        self.progress = Progress.load(self.root, lambda text: warn(text))

    def find(self, name: str) -> Kata:
        """The kata called `name`; ends the program with a usage error where there is none."""
        try:
            return self.catalog.find(name)
        except UnknownKata as error:
            warn(str(error))
            raise typer.Exit(2) from None

    @property
    def next(self) -> Kata | None:
        """The first kata that is not solved."""
        return next((kata for kata in self.catalog.katas if self.progress.status(kata) != "solved"), None)

    def wanted(self, name: str) -> Kata:
        """The kata called `name`, or the next one where no name is given."""
        if name:
            return self.find(name)
        if self.next is None:
            console.print("Every kata is solved. Train the GPT that you built: make train")
            raise typer.Exit(0)
        return self.next


@app.callback(invoke_without_command=True)
def board(context: typer.Context) -> None:
    """Show the katas: which are solved, and what is next."""
    if context.invoked_subcommand is None:
        _board(School())


@app.command()
def start() -> None:
    """Show the board, judge the first kata that is not solved, and say what to do next."""
    school = School()
    _board(school)
    kata = school.next
    if kata is None:
        return
    console.print()
    _judge_all(school, [kata])
    lesson, file = (path.relative_to(school.root).as_posix() for path in (kata.lesson, kata.file))
    console.print(f"\nRead the lesson:  {lesson}\nWrite your code:  {file}\nThen be judged:   make test KATA={kata.number}")


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
def hint(kata: KataName = "", step: Annotated[int, typer.Option(help="Of which step; else where you stand.")] = 0) -> None:
    """Show the next hint for the step you are at; each call shows one more."""
    school = School()
    wanted = school.wanted(kata)
    entry = school.progress.katas.setdefault(wanted.slug, {"attempts": 0})
    step = step or entry.get("step") or 1
    hints = wanted.hints(step)
    if not hints:
        warn(f"There are no hints for step {step} of {wanted.code}; it has the steps {', '.join(map(str, wanted.steps))}.")
        raise typer.Exit(2)
    taken = entry.setdefault("hints", {})
    count = taken[str(step)] = min(int(taken.get(str(step), 0)) + 1, len(hints))
    _save(school.progress)
    console.print(f"{wanted.code} · {wanted.title}, step {step} · {wanted.steps.get(step, '')}", style="bold")
    for kind, text in hints[:count]:
        console.print(f"\n{kind}:", style="cyan")
        console.print(Text(text))
    left = len(hints) - count
    more = f"{left} more: make hint KATA={wanted.number}" if left else f"That was the last. make solution KATA={wanted.number}"
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
def make_stubs(check: Annotated[bool, typer.Option(help="Write nothing; exit 1 if a stub is out of date.")] = False) -> None:
    """For authors: write the stubs that are missing or out of date; files with work in them are left alone."""
    school = School()
    stale = [kata for kata in school.catalog.katas if stubs.outdated(kata)]
    for kata in stale:
        if not check:
            stubs.write(kata)
        console.print(f"{kata.file.relative_to(school.root).as_posix()} {'is out of date: make stubs' if check else 'written'}")
    if not stale:
        console.print("Every stub is as its solution makes it.")
    raise typer.Exit(1 if check and stale else 0)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def check(context: typer.Context) -> None:
    """Prove the repository: stubs, solutions, alternatives, mistakes, and the machinery. Extra arguments go to pytest."""
    root = find_root()
    parallel = ["-n", "2"] if _has("xdist") else []
    command = [sys.executable, "-m", "pytest", "tests/dojo", "-q", *parallel, *context.args]
    raise typer.Exit(subprocess.run(command, cwd=root).returncode)


@app.command()
def data() -> None:
    """Fetch the real texts and the GPT-2 vocabulary; from the folder DOJO_MIRROR where that is set."""
    from .downloads import fetch_all

    raise typer.Exit(0 if fetch_all(find_root(), console) else 1)


def _board(school: School) -> None:
    katas = school.catalog.katas
    solved = sum(school.progress.status(kata) == "solved" for kata in katas)
    console.print(f"GPT katas: {solved} of {len(katas)} solved\n", style="bold")
    for kata in katas:
        mark, words, style = STATUS[school.progress.status(kata)]
        arrow = "→" if kata is school.next else " "
        line = Text(f"{arrow} {mark} {kata.code}  {kata.title:<32}", style if style != "dim" else "")
        console.print(line.append(words, "dim"))
    if school.next is not None:
        console.print(f"\nNext: {school.next.code}. Read {school.next.lesson.relative_to(school.root).as_posix()}, then make test KATA={school.next.number}")
    else:
        console.print("\nEvery kata is solved. Train the GPT that you built: make train")


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
            _save(school.progress)
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


def _save(progress: Progress) -> None:
    try:
        progress.save()
    except OSError as error:
        warn(f"Your progress could not be written: {error}. The verdict stands.")


def _has(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def warn(text: str) -> None:
    """Say something beside the output, on standard error."""
    Console(stderr=True, highlight=False).print(Text(text, "yellow"))


def main() -> Any:
    """The entry point of `dojo` and `python -m dojo`."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    try:
        return app(prog_name="dojo")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
