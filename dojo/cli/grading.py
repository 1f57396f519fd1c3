"""The verbs that collect and grade: `submit`, `grade`, `gradescope`. No torch here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from ..curriculum.catalog import Catalog, Kata, UnknownKata
from ..grading.grades import UNJUDGED, WORDS, Grade, KataGrade
from ..grading.submissions import Submission
from ..learner.session import Session
from ..system.command import command
from ..system.console import console, count, progress_bar, warn
from ..system.files import write_whole
from ..system.root import find_root

FORMATS = ("table", "json", "csv", "junit", "gradescope", "classroom50", "otter", "nbgrader")
COLOURS = {"passed": "green", "failed": "red", "error": "red", "refused": "red", "spoiled": "yellow"}
MARKS = {"passed": "✓", "failed": "✗", "error": "e", "refused": "!", "spoiled": "?", "not_started": "·", "missing": "-"}
FEW = 3  # katas of which a table says in words what came of them
IN_FULL = 1  # submissions of which the table is followed by all that is to be said


@click.command()
@click.option("--out", default="submission.zip", help="The file to write.")
def submit(out: str) -> None:
    """Put all that you have written into one file, to hand in."""
    from ..grading.handin import archive
    from ..grading.submissions import read_one

    session = Session()
    path = Path(out)
    try:
        write_whole(path.resolve(), archive(session))
    except OSError as error:
        warn(f"{out} could not be written: {error.strerror or error}.")
        raise SystemExit(1) from None
    slugs = list(read_one(path, session.catalog).files)
    codes = ", ".join(slug.split("_")[0] for slug in slugs) or "no kata: none is begun"
    console.print(f"{out} holds {codes}; your record and versions; and nothing else.", soft_wrap=True)
    if slugs:
        console.print("Hand in that one file.")


@click.command()
@click.argument("submissions", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", help="How the grades are written.")
@click.option("--out", type=click.Path(path_type=Path), help="The file, or for one file a submission the folder.")
@click.option("--kata", "names", multiple=True, help="Only this kata; may be given several times.")
@click.option("--points", multiple=True, help="What a kata is worth, as k05=10; else a point for each step.")
@click.option("--trust", is_flag=True, help="Grade without a sandbox where there is none: only whom you know.")
def grade(
    submissions: tuple[Path, ...],
    form: str,
    out: Path | None,
    names: tuple[str, ...],
    points: tuple[str, ...],
    trust: bool,
) -> None:
    """Grade what others handed in, apart from all that is yours.

    SUBMISSIONS are folders, archives (.zip, .tar.gz), single files, clones or notebooks, or folders of these.
    """
    from ..grading.submissions import read_all

    catalog = Catalog(find_root())
    only, worth = _katas(catalog, names), _worth(catalog, points)
    if missing := [path for path in submissions if not path.exists()]:
        warn(f"There is no {missing[0]}.")
        raise SystemExit(2)
    grades = _grade(read_all(list(submissions), catalog), catalog, only, worth, trust)
    if form == "table":
        _show(grades)
    else:
        _write(grades, form, out)


@click.command()
@click.option("--out", default="autograder.zip", help="The file to write.")
@click.option("--kata", "names", multiple=True, help="Only this kata; may be given several times.")
def gradescope(out: str, names: tuple[str, ...]) -> None:
    """Make the autograder that is uploaded to Gradescope."""
    from ..grading.gradescope import autograder

    catalog = Catalog(find_root())
    katas = _katas(catalog, names)
    write_whole(Path(out).resolve(), autograder(catalog.root, [kata.code for kata in katas]))
    what = ", ".join(kata.code for kata in katas) or "whatever is handed in"
    console.print(f"{out} grades {what}. Upload it as the autograder of a programming assignment.", soft_wrap=True)


def _grade(
    handed_in: list[Submission], catalog: Catalog, only: list[Kata], worth: dict[str, int], trust: bool
) -> list[Grade]:
    from ..grading.grading import grade_all
    from ..grading.sandbox import NoSandbox, choose

    try:
        sandbox = choose(catalog.root, trust)
    except NoSandbox as error:
        warn(str(error))
        raise SystemExit(1) from None
    if sandbox.kind == "none":
        warn("There is no sandbox here: what is graded could read and change what is yours.")
    with progress_bar(transient=True) as bar:

        def begin(files: int) -> Callable[[], object]:
            task = bar.add_task("grading", total=files)
            return lambda: bar.advance(task)

        return grade_all(handed_in, catalog, sandbox, only, worth, begin=begin)


def _katas(catalog: Catalog, names: tuple[str, ...]) -> list[Kata]:
    try:
        wanted = {catalog.find(name) for each in names for name in each.split(",")}
    except UnknownKata as error:
        warn(str(error))
        raise SystemExit(2) from None
    return [kata for kata in catalog.katas if kata in wanted]


def _worth(catalog: Catalog, points: tuple[str, ...]) -> dict[str, int]:
    worth = {}
    for each in points:
        name, _, number = each.partition("=")
        if not number.isdecimal():
            warn(f'"{each}" says no points: --points k05=10')
            raise SystemExit(2)
        worth[_katas(catalog, (name,))[0].code] = int(number)
    return worth


def _show(grades: list[Grade]) -> None:
    katas = grades[0].katas if grades else []
    in_words = len(katas) <= FEW
    table = Table("submission", "points", *(kata.kata for kata in katas), box=None, pad_edge=False)
    for column in table.columns:
        column.no_wrap = True
    for grade in grades:
        table.add_row(
            Text(grade.name), f"{grade.points}/{grade.most}", *(_cell(kata, in_words) for kata in grade.katas)
        )
    console.print(table)
    if not in_words:
        console.print(", ".join(f"{mark} {WORDS[kind]}" for kind, mark in MARKS.items()), style="dim")
    for grade in grades:
        for note in grade.notes:
            console.print(Text(f"{grade.name}: {note}", "yellow"))
    if len(grades) <= IN_FULL:
        for kata in (kata for grade in grades for kata in grade.katas if kata.standing != "passed"):
            console.print(_in_full(kata), soft_wrap=True)
    else:
        more = " or ".join(command("grade", FORMAT=form, SUBMISSIONS="FOLDER") for form in ("csv", "json"))
        console.print(f"\n{count(len(grades), 'submission')}. What each is to be told: {more}", soft_wrap=True)


def _cell(kata: KataGrade, in_words: bool) -> Text:
    text = f"{kata.points}/{kata.most} {WORDS[kata.standing]}" if in_words else f"{MARKS[kata.standing]} {kata.points}"
    return Text(text, COLOURS.get(kata.standing, "dim"))


def _in_full(kata: KataGrade) -> Text:
    return Text(f"\n{kata.kata}: {kata.feedback}" if kata.standing in UNJUDGED else f"\n{kata.feedback}")


def _write(grades: list[Grade], form: str, out: Path | None) -> None:
    from ..grading.formats import FORMATS as FORMS

    texts = FORMS[form](grades)
    if out is None and len(texts) > 1:
        again = command("grade", FORMAT=form, OUT="RESULTS", SUBMISSIONS="FOLDER")
        warn(f"This format has a file for each submission: {again}")
        raise SystemExit(2)
    try:
        for name, text in texts.items():
            if out is None:
                print(text, end="")
            elif name and (len(texts) > 1 or out.is_dir()):
                out.mkdir(parents=True, exist_ok=True)
                write_whole((out / name).resolve(), text)
            else:
                write_whole(out.resolve(), text)
    except OSError as error:
        warn(f"The grades could not be written: {error}.")
        raise SystemExit(1) from None
