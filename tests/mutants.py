"""An independent check of the properties: change the solutions in every way that cosmic-ray knows; see who survives.

The mistake bank was written by the people who wrote the properties; these changes were not. A mutant that passes is
either equivalent to the solution, and listed with the reason in `tests/mistakes/SURVIVORS.md`, or a hole in the
properties. Run by `make mutants`, for all katas or `KATA=5`; not part of `make check`, it takes long.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from cosmic_ray import mutating, plugins
from rich.progress import track

from dojo.curriculum import stubs
from dojo.curriculum.catalog import Catalog, Kata
from dojo.judge.client import Judge
from dojo.system.root import find_root

SKIPPED = re.compile(
    r"core/(VariableReplacer|VariableInserter|RemoveDecorator|ReplaceBinaryOperator_\w+_(RShift|LShift|BitXor|Mod))"
)
WORKERS = 2
SURVIVORS = Path(__file__).parent / "mistakes" / "SURVIVORS.md"

Mutant = tuple[str, str]  # the changed line, before and after


def mutants(kata: Kata) -> dict[Mutant, str]:
    """The mutants of what a learner writes (between the markers), each with the whole text."""
    text = kata.solution.read_text(encoding="utf-8")
    inside = between_markers(text)
    found: dict[Mutant, str] = {}
    for name in plugins.operator_names():
        if SKIPPED.match(name):
            continue
        operator, occurrence = plugins.get_operator(name)(), 0
        while (changed := mutating.mutate_code(text, operator, occurrence)) is not None:
            occurrence += 1
            lines = [line for line in difflib.ndiff(text.splitlines(), changed.splitlines()) if line[0] in "+-"]
            before = [line[2:].strip() for line in lines if line[0] == "-"]
            after = [line[2:].strip() for line in lines if line[0] == "+"]
            if before and before[0] in inside:
                found[plain(" ".join(before)), plain(" ".join(after))] = changed
    return found


def plain(line: str) -> str:
    """A line without its comment, in a form that a table can hold."""
    return line.split("  #")[0].replace("|", "¦").strip()


def between_markers(text: str) -> set[str]:
    inside, lines = False, set()
    for line in text.splitlines():
        if stubs.OPEN.match(line) or stubs.CLOSE.match(line):
            inside = bool(stubs.OPEN.match(line))
        elif inside:
            lines.add(line.strip())
    return lines


def survivors(kata: Kata, texts: dict[Mutant, str], judges: SimpleQueue[Judge]) -> list[Mutant]:
    """The mutants that pass."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(WORKERS) as pool:

        def passes(numbered: tuple[int, str]) -> bool:
            number, text = numbered
            path = Path(folder) / f"mutant_{number}.py"
            path.write_text(text, encoding="utf-8")
            judge = judges.get()
            try:
                return judge.verdict(kata, path=path, diagnose=False).verdict == "passed"
            finally:
                judges.put(judge)

        results = pool.map(passes, enumerate(texts.values()))
        shown = track(results, kata.code, total=len(texts), disable=not sys.stdout.isatty())
        return [mutant for mutant, passed in zip(texts, shown) if passed]


def explained(kata: Kata) -> set[Mutant]:
    """The survivors that SURVIVORS.md gives a reason for."""
    rows = re.findall(rf"^\| {kata.code} \| `(.*?)` \| `(.*?)` \| .+ \|$", SURVIVORS.read_text(encoding="utf-8"), re.M)
    return set(rows)


def main(names: list[str]) -> int:
    """Run over the katas named, or all; the exit status is 1 when a survivor is not explained."""
    catalog = Catalog(find_root())
    katas = [catalog.find(name) for name in names] or catalog.katas
    judges: SimpleQueue[Judge] = SimpleQueue()
    os.environ["DOJO_SERVER"] = "0"  # a server for each, and not one for all
    started = [Judge(catalog.root) for _ in range(WORKERS)]
    for judge in started:
        judges.put(judge)
    total = alive = holes = 0
    for kata in katas:
        texts = mutants(kata)
        passed = survivors(kata, texts, judges)
        unknown = [mutant for mutant in passed if mutant not in explained(kata)]
        print(
            f"{kata.code}: {len(texts)} mutants, {len(texts) - len(passed)} killed, {len(unknown)} unexplained",
            flush=True,
        )
        for before, after in unknown:
            print(f"| {kata.code} | `{before}` | `{after}` |  |")
        total, alive, holes = total + len(texts), alive + len(passed), holes + len(unknown)
    for judge in started:
        judge.close()
    share = (total - alive) / max(total, 1)
    print(f"{total} mutants, {total - alive} killed ({share:.1%}), {holes} survivors unexplained")
    return 1 if holes else 0


if __name__ == "__main__":
    raise SystemExit(main([name for name in sys.argv[1:] if name]))
