"""How much is said of a mistake that nobody wrote down: each entry of the bank is hidden in turn, and its code judged.

    python -m tests.leave_one_out [--each 12] [--show 20] [--seed 0] [k05 …]

Prints, for each kata, how many hidden entries are still named (another entry or a pair explains them as well), how
many are not, and of how many of these something was observed; then random cases as a learner reads them. `--each 0`
takes every entry, which takes about an hour for all katas. Where an index is missing or stale, nothing is named.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from dojo.curriculum.catalog import Catalog, Kata
from dojo.judge import explain
from dojo.judge.diagnosis import MistakeMatcher
from dojo.judge.index import IndexUnusable, load
from dojo.judge.run import KataRun
from dojo.judge.verdict import Verdict
from dojo.learner.verdict_text import render
from dojo.sandbox.loader import Workspace
from dojo.spec.mistakes import Mistake
from dojo.spec.suite import load_suite

# Messages that say the cause, so that no name is needed.
CAUSE = re.compile(
    r"ha(s|ve) (shape|dtype|no attribute)|shape of|is an? [^,]+, not|raises|is accepted|is None|does not say"
    r"|changes its argument|^Whether |^The dtype of|that no gradient reaches|meets one on the device"
)


@dataclass
class Case:
    """What a learner reads who made a mistake that is hidden."""

    kata: Kata
    mistake: Mistake
    verdict: Verdict

    @property
    def says_the_cause(self) -> bool:
        """Whether the message or an error says what is wrong, so that no name is needed."""
        return self.verdict.verdict != "failed" or bool(CAUSE.search(self.verdict.message))


def judge_hidden(kata: Kata, workspace: Workspace, mistake: Mistake, file: Path) -> Verdict | None:
    """The verdict on a mistake, as if it were not in the bank; none where its claim holds."""
    file.write_text(mistake.apply(kata.solution.read_text(encoding="utf-8")), encoding="utf-8")
    run = KataRun(kata, workspace, file)
    if run.load():
        claim = run.suite.claim(mistake.caught_by)
        run.held = {step for step in run.suite.steps if step < claim.step}
        outcome = run.check(claim)
        if outcome.kind == "passed" and run.verdict.verdict == "passed":
            return None
        if run.verdict.verdict == "passed":
            with hidden(mistake):
                run.fail(claim, outcome)
    return run.verdict


class hidden:
    """Have a mistake not be looked up meanwhile."""

    def __init__(self, mistake: Mistake):
        self.mistake = mistake

    def __enter__(self) -> None:
        hide = self.mistake

        class WithoutIt(MistakeMatcher):
            def diagnose(self, claim):
                self.open &= [mistake.name != hide.name for mistake in self.suite.mistakes]
                return super().diagnose(claim)

        explain.MistakeMatcher = WithoutIt

    def __exit__(self, *_: object) -> None:
        explain.MistakeMatcher = MistakeMatcher


def cases_of(kata: Kata, each: int, chance: random.Random) -> list[Case]:
    workspace, suite = Workspace(Catalog(kata.root)), load_suite(kata)
    mistakes = [mistake for mistake in suite.mistakes if not suite.claim(mistake.caught_by).slow]
    chosen = chance.sample(mistakes, min(each, len(mistakes))) if each else mistakes
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        for mistake in chosen:
            verdict = judge_hidden(kata, workspace, mistake, Path(folder) / f"{kata.name}.py")
            if verdict is not None:
                cases.append(Case(kata, mistake, verdict))
    return cases


def table(katas: list[Kata], each: int, chance: random.Random) -> list[Case]:
    """Print the table; the cases that were not named."""
    print(f"{'kata':6}{'judged':>8}{'named':>8}{'unnamed':>9}{'cause said':>12}{'observed':>10}")
    unnamed: list[Case] = []
    for kata in katas:
        try:
            load(kata)
        except IndexUnusable as error:
            print(error)
        cases = cases_of(kata, each, chance)
        left = [case for case in cases if not case.verdict.diagnosis]
        said = [case for case in left if case.says_the_cause]
        observed = [case for case in left if case.verdict.observations and not case.says_the_cause]
        counts = len(cases), len(cases) - len(left), len(left), len(said), len(observed)
        print("{:6}{:8}{:8}{:9}{:12}{:10}".format(kata.code, *counts), flush=True)
        unnamed += left
    return unnamed


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("katas", nargs="*")
    parser.add_argument("--each", type=int, default=12)
    parser.add_argument("--show", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="the message and the observations only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    chance = random.Random(options.seed)
    katas = [kata for kata in Catalog(Path.cwd()).katas if not options.katas or kata.code in options.katas]
    unnamed = table(katas, options.each, chance)
    for case in chance.sample(unnamed, min(options.show, len(unnamed))):
        verdict = case.verdict
        print(f"\n— {case.kata.code} · {case.mistake.name}")
        if options.short:
            example = " ".join(f"{name}={value}" for name, value in verdict.example.items())
            print(f"  [{verdict.property}] {verdict.message} {example[:150]!r}")
            print("".join(f"    * {sentence}\n" for sentence in verdict.observations), end="")
        else:
            print(render(verdict, case.kata.title, advice=False))


if __name__ == "__main__":
    main()
