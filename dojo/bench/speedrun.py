"""`make speedrun`: judge a submission with fresh seeds, alone or in turn with another program, and enter its time."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text as Words

from ..download import DataError
from ..record import now
from ..school import warn
from . import leaderboard, machine, rules
from .nursery import Nursery
from .pairs import PairError, Program, run_pairs, say_pairs
from .referee import Text, judge
from .rules import RuleBroken

Outcome = dict[str, Any]


def run(path: Path, root: Path, console: Console, target: float, seeds: int, against: str = "", pairs: int = 0) -> int:
    """Judge the submission in a file and show the leaderboard; `pairs` runs in turn with `against`; exit status."""
    try:
        source = path.read_bytes()
        text = Text.shakespeare()
    except OSError as error:
        warn(f"{path} cannot be read: {error.strerror}.")
        return 2
    except DataError as error:
        warn(f"{error}\nThe race is on tinyshakespeare: make data")
        return 2
    try:
        if against:
            outcomes = _in_turn(path, target, against, pairs, console)
        else:
            with Nursery() as nursery:
                outcomes = judge_seeds(nursery, source, path.name, text, target, seeds, lambda one: _say(one, console))
    except RuleBroken as error:
        return refused(path.name, error, console)
    except PairError as error:
        warn(str(error))
        return 1
    return conclude(path.name, source, outcomes, target, root, console)


def judge_seeds(
    nursery: Nursery,
    source: bytes,
    name: str,
    text: Text,
    target: float,
    seeds: int,
    say: Callable[[Outcome], Any] = lambda one: None,
) -> list[Outcome]:
    """Judge a submission with so many seeds, each drawn afresh. Raises RuleBroken at the first that fails."""
    outcomes = []
    for _ in range(seeds):
        outcomes.append(judge(nursery, source, name, text, target))
        say(outcomes[-1])
    return outcomes


def refused(name: str, error: RuleBroken, console: Console) -> int:
    """Say which rule a submission broke; the exit status."""
    console.print(Words(f"{name} is refused. Rule “{error.rule}”: {error}.", "red"), soft_wrap=True)
    if error.rule in rules.RULES:
        console.print(f"The rule: {rules.RULES[error.rule]}.", soft_wrap=True)
    return 1


def conclude(name: str, source: bytes, outcomes: list[Outcome], target: float, root: Path, console: Console) -> int:
    """Enter what came of all seeds, and show the leaderboard; the exit status."""
    board = leaderboard.path_of(root)
    if len(outcomes) < rules.SEEDS:
        console.print(f"{len(outcomes)} of {rules.SEEDS} seeds: that does not count as a record, and is marked so.")
    entry = {
        "name": name if len(outcomes) >= rules.SEEDS else f"{name} ({len(outcomes)} seed)",
        "hash": hashlib.sha256(source).hexdigest(),
        "target": float(target),
        "seeds": [one["seed"] for one in outcomes],
        "seconds": [one["seconds"] for one in outcomes],
        "losses": [one["loss"] for one in outcomes],
        "context_length": outcomes[0]["context_length"],
        "parameters": outcomes[0]["parameters"],
        "machine": machine.describe("cpu", root)["machine"] | {"threads": rules.THREADS},
        "date": now(),
    }
    try:
        entries = leaderboard.enter(board, entry)
    except (OSError, ValueError) as error:
        warn(f"The time could not be entered: {error}.")
        entries = [entry]
    console.print(leaderboard.table(entries, float(target)))
    return 0


def _in_turn(path: Path, target: float, against: str, pairs: int, console: Console) -> list[Outcome]:
    """Run the submission and another program pair by pair, say the ratio; what came of each seed."""
    job = json.dumps({"file": str(path.resolve()), "target": target})
    ours = Program(path.name, [sys.executable, "-m", "dojo.bench.referee", job], Path(__file__).parents[2])

    def on_line(program: Program, number: int, line: str) -> None:
        if program is ours and line.startswith('{"refused"'):
            raise RuleBroken(*json.loads(line)["refused"])
        console.print(f"pair {number + 1} of {pairs}, {program.name}: {line.strip()}", soft_wrap=True)

    found = run_pairs(ours, Program("the other", against, Path.cwd()), pairs, on_line)
    console.print(say_pairs(found, path.name, "the other"), soft_wrap=True)
    return ours.said


def _say(one: Outcome, console: Console) -> None:
    said = f"  ({one['said']})" if one["said"] else ""
    console.print(f"seed {one['seed']}: loss {one['loss']:.4f} after {one['seconds']:.2f} s{said}", soft_wrap=True)
