"""Judge all katas in a folder that `dojo init` made, with the installed package: `python installed.py FOLDER`.

Stubs are not started, solutions pass, and mistakes are named. Exits with 1 where that is not so.
"""

import collections
import os
import sys
import tempfile
from pathlib import Path

from dojo.curriculum.catalog import Catalog
from dojo.judge.client import Judge
from dojo.spec.suite import load_suite

NAMED = 0.9  # of the mistakes tried, at least


def main(root: Path) -> int:
    os.chdir(root)
    katas = Catalog(root).katas
    count: collections.Counter[str] = collections.Counter()
    with Judge(root) as judge, tempfile.TemporaryDirectory() as folder:
        for kata in katas:
            solution, mistakes = kata.solution.read_text(encoding="utf-8"), load_suite(kata).mistakes
            mistake = mistakes[len(mistakes) // 2]
            file = Path(folder, kata.file.name)
            said = [judge.verdict(kata).verdict]
            for text in (solution, mistake.apply(solution)):
                file.write_text(text, encoding="utf-8")
                verdict = judge.verdict(kata, path=file)
                said.append(verdict.verdict)
            names = [each.name for each in verdict.diagnosis]
            count["right"] += said[:2] == ["not_started", "passed"] and said[2] != "passed"
            count["named"] += mistake.name in names
            print(f"{kata.code}: stub {said[0]}, solution {said[1]}, {mistake.name!r} {said[2]}, looks like {names}")
    print(f"{count['right']} of {len(katas)} judged rightly, {count['named']} mistakes named")
    return 0 if count["right"] == len(katas) and count["named"] >= NAMED * len(katas) else 1


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]).resolve()))
