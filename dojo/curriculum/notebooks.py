"""Make the notebook of a kata from its lesson and its stub, and put the file of a kata together from cells.

A stub is cut into pieces, of whole definitions: each holds the code of one step, or of a few that share a class. A
notebook has a cell for each piece, `%%kata 5 --step 2`. Nothing here imports torch.
"""

from __future__ import annotations

import ast
import base64
import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import stubs
from .catalog import Kata, section

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

MARK = re.compile(r'(?:NotImplementedError\("step |# <solution step=)(\d+)')
LINKS = re.compile(r"^\[Notebook\]\(.*\n\n", re.MULTILINE)  # the line of a lesson that says where else it can be opened
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)#\s]+)([^)]*)\)")
COLAB = "https://colab.research.google.com/github"
HINTS, STEPS = "## Hints", "## Steps"
FIRST = """\
# Run this cell first. Where the katas are installed it only loads them. In a notebook service it installs them, beside
# the torch that is there, and writes the katas into the folder gpt-katas.
import importlib.util, os, subprocess, sys

if importlib.util.find_spec("dojo") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "git+{address}"], check=True)
if subprocess.run([sys.executable, "-m", "dojo"], capture_output=True).returncode == 2:  # no katas in this folder
    if not os.path.isdir("gpt-katas"):
        subprocess.run([sys.executable, "-m", "dojo", "init", "gpt-katas"], check=True)
    os.chdir("gpt-katas")
%load_ext dojo"""

RACE = """\
race = [sys.executable, "-m", "dojo", "bench", "{number}", "--budget", "4"]
race = subprocess.run(race, capture_output=True, text=True)
print(race.stdout or race.stderr)"""


@dataclass(frozen=True)
class Piece:
    """Part of the file of a kata, that a cell holds."""

    steps: tuple[int, ...]
    text: str  # without line ends before or after

    @property
    def name(self) -> str:
        """What it is called: step 2, or steps 2 to 4."""
        first, last = self.steps[0], self.steps[-1]
        return f"step {first}" if first == last else f"steps {first} to {last}"


def pieces(text: str) -> list[Piece]:
    """The pieces of a stub or a solution, in order; a step is in one of them only."""
    lines = stubs.SEAL.sub("", text).rstrip().splitlines()
    ends = [node.end_lineno or 0 for node in ast.parse(text).body]
    cut: list[tuple[set[int], list[str]]] = []
    start = 0
    for end in ends:
        steps = {int(step) for step in MARK.findall("\n".join(lines[start:end]))}
        if not steps:  # goes with the definition that follows
            continue
        cut.append((steps, lines[start:end]))
        start = end
        while len(cut) > 1 and min(cut[-1][0]) <= max(cut[-2][0]):
            (before, above), (after, below) = cut[-2:]
            cut[-2:] = [(before | after, above + below)]
    cut[-1][1].extend(lines[start:])
    return [Piece(tuple(sorted(steps)), "\n".join(part).strip("\n")) for steps, part in cut]


def piece_of(kata: Kata, step: int) -> Piece:
    """The piece that holds a step. Raises LookupError."""
    for piece in pieces(stubs.stub_of(kata)):
        if step in piece.steps:
            return piece
    raise LookupError(f"{kata.code} has no step {step}: it has {', '.join(map(str, kata.steps))}.")


def joined(kata: Kata, cells: Mapping[int, str]) -> tuple[str, dict[int, int]]:
    """The file of a kata, put together from cells by the first step of each, the stub's where there is none.

    With it, how many lines stand above each.
    """
    lines: list[str] = []
    above: dict[int, int] = {}
    for piece in pieces(stubs.stub_of(kata)):
        lines += ["", ""] if lines else []
        above[piece.steps[0]] = len(lines)
        lines += cells.get(piece.steps[0], piece.text).strip("\n").split("\n")
    return "\n".join(lines) + "\n", above


def notebook_file(kata: Kata) -> Path:
    """Where the notebook of a kata stands."""
    return kata.root / "notebooks" / f"{kata.slug}.ipynb"


def address(root: Path) -> str:
    """The address of the repository, from the one place where it is set: the urls in pyproject.toml."""
    repository: str = project(root)["urls"]["Repository"]
    return repository


def project(root: Path) -> dict[str, Any]:
    """What stands in pyproject.toml of the project."""
    table: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def lesson_of(kata: Kata) -> str:
    """The lesson of a kata, with the line that says where else it can be opened."""
    repository = address(kata.root).removeprefix("https://github.com/")
    notebook = f"notebooks/{kata.slug}.ipynb"
    links = f"[Notebook](../../{notebook}) · [Open in Colab]({COLAB}/{repository}/blob/main/{notebook})"
    title, between, rest = re.split(r"((?:\n+\*Black belt: optional\.\*)?\n\n)", LINKS.sub("", kata.text), maxsplit=1)
    return f"{title}{between}{links}\n\n{rest}"


def notebook_of(kata: Kata) -> str:
    """The notebook of a kata, as the text of its file."""
    lesson, rest = LINKS.sub("", kata.text).split(f"\n{STEPS}\n")
    cells = [_lesson(kata, lesson), _code(FIRST.format(address=address(kata.root)))]
    for piece in pieces(stubs.stub_of(kata)):
        steps = "\n\n".join(_with_heading(kata, f"### Step {step}", STEPS) for step in piece.steps)
        hints = "\n\n".join(_hints(kata, piece.steps))
        cells.append(_lesson(kata, steps))
        cells.append(_code(f"%%kata {kata.number} --step {piece.steps[0]}\n{piece.text}"))
        cells += [_lesson(kata, hints)] if hints else []
    sections = [f"## {part}" for part in rest.split("\n## ")[1:]]
    cells.append(_lesson(kata, "\n".join(part for part in sections if not part.startswith(HINTS))))
    cells.append(_lesson(kata, "Keep it: what the cells hold is written into the kata's file. Only then it counts."))
    cells.append(_code(f"%kata {kata.number} --save"))
    if kata.races.is_file():
        cells.append(_lesson(kata, "And the race, a short one, yours among them if it passed:"))
        cells.append(_code(RACE.format(number=kata.number)))
    numbered = [cell | {"id": f"cell-{number}"} for number, cell in enumerate(cells, 1)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    whole = {"cells": numbered, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def outdated(katas: Iterable[Kata]) -> list[Kata]:
    """The katas whose notebook, or link to it, is missing or out of date; none where it is not a clone."""
    here = [kata for kata in katas if (kata.root / "pyproject.toml").is_file()]
    return [
        kata for kata in here if stubs.read(notebook_file(kata)) != notebook_of(kata) or kata.text != lesson_of(kata)
    ]


def write(kata: Kata) -> None:
    """Write the notebook of a kata, and the link to it into the lesson. Raises OSError."""
    notebook_file(kata).parent.mkdir(exist_ok=True)
    notebook_file(kata).write_text(notebook_of(kata), encoding="utf-8", newline="\n")
    kata.lesson.write_text(lesson_of(kata), encoding="utf-8", newline="\n")


def _with_heading(kata: Kata, heading: str, within: str) -> str:
    number = int(heading.split()[-1])
    return f"{heading} · {kata.steps.get(number, '')}\n\n{section(section(kata.text, within), heading)}"


def _hints(kata: Kata, steps: Iterable[int]) -> list[str]:
    return [
        f"<details><summary>Hint for step {step}: {summary.lower()}</summary>\n\n{text}\n\n</details>"
        for step in steps
        for summary, text in kata.hints(step)
    ]


def _code(text: str) -> dict[str, Any]:
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": _lines(text)}


def _lesson(kata: Kata, text: str) -> dict[str, Any]:
    """A cell of text, with its pictures in it and its links as they are from the folder of notebooks."""
    pictures: dict[str, dict[str, str]] = {}

    def linked(link: re.Match[str]) -> str:
        picture, words, target, title = link.groups()
        path = kata.lesson.parent / target
        if picture and path.is_file():
            pictures[path.name] = {_type_of(path): base64.b64encode(path.read_bytes()).decode()}
            return f"![{words}](attachment:{path.name})"
        return f"[{words}]({posixpath.normpath(f'../katas/{kata.slug}/{target}')}{title})"

    cell: dict[str, Any] = {"cell_type": "markdown", "metadata": {}, "source": _lines(LINK.sub(linked, text.strip()))}
    return cell | ({"attachments": pictures} if pictures else {})


def _type_of(path: Path) -> str:
    return "image/svg+xml" if path.suffix == ".svg" else f"image/{path.suffix[1:]}"


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
