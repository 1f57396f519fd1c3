"""Judge a sample of the known mistakes and print what is said of each, a line of JSON each.

`python -m tests.verdicts_by_torch [--each 3] [KATA…] > here.jsonl`, in two environments with other versions of torch:
`diff` shows where their verdicts differ. What is printed holds no times, and no numbers that torch rounds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import torch

from dojo.curriculum import stubs
from dojo.curriculum.catalog import Catalog, Kata
from dojo.judge.client import Judge
from dojo.spec.mistakes import Mistake
from dojo.spec.suite import load_suite

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Judge and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("katas", nargs="*", metavar="KATA", help="all, where none is named")
    parser.add_argument("--each", type=int, default=3, help="mistakes of each kata, evenly spread")
    asked = parser.parse_args()
    catalog = Catalog(ROOT)
    katas = [catalog.find(name) for name in asked.katas] or catalog.katas
    print(f"torch {torch.__version__}, Python {sys.version.split()[0]}", file=sys.stderr)
    with Judge(ROOT) as judge, tempfile.TemporaryDirectory() as folder:
        for kata in katas:
            print(json.dumps(said_of(judge, kata, None, Path(folder))), flush=True)
            for mistake in sample(load_suite(kata).mistakes, asked.each):
                print(json.dumps(said_of(judge, kata, mistake, Path(folder))), flush=True)


def sample(mistakes: list[Mistake], most: int) -> list[Mistake]:
    """So many of them, evenly spread from the first to the last."""
    count = min(most, len(mistakes))
    return [mistakes[number * (len(mistakes) - 1) // max(1, count - 1)] for number in range(count)]


def said_of(judge: Judge, kata: Kata, mistake: Mistake | None, folder: Path) -> dict[str, object]:
    """What the verdict on a mistake, or on the solution, says that no version of torch may change."""
    text = kata.solution.read_text(encoding="utf-8")
    file = folder / kata.file.name
    file.write_text(stubs.unmarked(mistake.apply(text) if mistake else text), encoding="utf-8")
    verdict = judge.verdict(kata, path=file)
    return {
        "kata": kata.code,
        "mistake": mistake.name if mistake else None,
        "verdict": verdict.verdict,
        "claim": verdict.property,
        "example": verdict.example,
        "names": [each.name for each in verdict.diagnosis],
        "notes": verdict.notes,
    }


if __name__ == "__main__":
    main()
