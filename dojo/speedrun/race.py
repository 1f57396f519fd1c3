"""`make speedrun`: judge a submission with fresh seeds, alone or in turn with another program, and enter its time."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text as Words

from ..bench import machine
from ..bench import results as files
from ..bench.pairs import PairError, Program, run_pairs
from ..bench.rounds import Times
from ..bench.rounds import rows as timed_rows
from ..system.console import warn
from ..system.data_files import DataError
from ..system.files import timestamp
from . import leaderboard, rules
from .nursery import Nursery
from .referee import Text, judge
from .rules import RuleBroken

Outcome = dict[str, Any]
OTHER = "the other"  # what --against runs


@dataclass(frozen=True)
class Race:
    """What is raced for, and where: `pairs` runs in turn with `against` where that is given, else so many `seeds`."""

    target: float
    seeds: int = rules.SEEDS
    device: str = "cpu"
    against: str = ""
    pairs: int = rules.SEEDS
    record: bool = False  # keep the results in data/benchmarks too


def run(path: Path, root: Path, console: Console, race: Race) -> int:
    """Judge the submission in a file and show the leaderboard; exit status."""
    try:
        device = machine.find_device(race.device)
        source = path.read_bytes()
        text = Text.shakespeare()
    except machine.UnknownDevice as error:
        warn(str(error))
        return 2
    except OSError as error:
        warn(f"{path} cannot be read: {error.strerror}.")
        return 2
    except DataError as error:
        warn(f"{error}\nThe race is on tinyshakespeare: make data")
        return 2
    facts = machine.describe(device, root)
    facts["machine"]["threads"] = rules.THREADS
    try:
        if race.against:
            outcomes, times = _in_turn(path, race, console)
        else:
            with Nursery() as nursery:
                outcomes = judge_seeds(nursery, source, path.name, text, race, lambda one: _say(one, console))
            times = [Times(path.name, [one["seconds"] for one in outcomes])]
    except RuleBroken as error:
        return refused(path.name, error, console)
    except PairError as error:
        warn(str(error))
        return 1
    if race.record:
        facts["machine"]["load_after"] = machine.load()
        kept = {name: facts[name] for name in ("machine", "versions", "commit", "changed")}
        _record(root, files.new("speedrun", **kept), race, times, max(one["loss"] for one in outcomes), console)
    return conclude(path.name, source, outcomes, race, facts["machine"], root, console)


def judge_seeds(
    nursery: Nursery,
    source: bytes,
    name: str,
    text: Text,
    race: Race,
    say: Callable[[Outcome], Any] = lambda one: None,
) -> list[Outcome]:
    """Judge a submission with so many seeds, each drawn afresh. Raises RuleBroken at the first that fails."""
    outcomes = []
    for _ in range(race.seeds):
        outcomes.append(judge(nursery, source, name, text, race.target, device=race.device))
        say(outcomes[-1])
    return outcomes


def refused(name: str, error: RuleBroken, console: Console) -> int:
    """Say which rule a submission broke; the exit status."""
    console.print(Words(f"{name} is refused. Rule “{error.rule}”: {error}.", "red"), soft_wrap=True)
    if error.rule in rules.RULES:
        console.print(f"The rule: {rules.RULES[error.rule]}.", soft_wrap=True)
    return 1


def conclude(
    name: str, source: bytes, outcomes: list[Outcome], race: Race, place: dict[str, Any], root: Path, console: Console
) -> int:
    """Enter what came of all seeds on a machine, `place`, and show the leaderboard; the exit status."""
    board = leaderboard.path_of(root)
    if len(outcomes) < rules.SEEDS:
        console.print(f"{len(outcomes)} of {rules.SEEDS} seeds: that does not count as a record, and is marked so.")
    entry = {
        "name": name if len(outcomes) >= rules.SEEDS else f"{name} ({len(outcomes)} seed)",
        "hash": hashlib.sha256(source).hexdigest(),
        "target": float(race.target),
        "seeds": [one["seed"] for one in outcomes],
        "seconds": [one["seconds"] for one in outcomes],
        "losses": [one["loss"] for one in outcomes],
        "context_length": outcomes[0]["context_length"],
        "parameters": outcomes[0]["parameters"],
        "machine": place,
        "date": timestamp(),
    }
    try:
        entries = leaderboard.enter(board, entry)
    except (OSError, ValueError) as error:
        warn(f"The time could not be entered: {error}.")
        entries = [entry]
    console.print(leaderboard.table(entries, float(race.target)))
    return 0


def _in_turn(path: Path, race: Race, console: Console) -> tuple[list[Outcome], list[Times]]:
    """Run the submission and another program pair by pair, say the ratio; what came of each seed, and both' times."""
    job = json.dumps({"file": str(path.resolve()), "target": race.target, "device": race.device})
    ours = Program(path.name, [sys.executable, "-m", "dojo.speedrun.referee", job], Path(__file__).parents[2])

    def on_line(program: Program, number: int, line: str) -> None:
        if program is ours and line.startswith('{"refused"'):
            raise RuleBroken(*json.loads(line)["refused"])
        console.print(f"pair {number + 1} of {race.pairs}, {program.name}: {line.strip()}", soft_wrap=True)

    found = run_pairs(ours, Program(OTHER, race.against, Path.cwd()), race.pairs, on_line)
    console.print(found.describe(path.name, OTHER), soft_wrap=True)
    return ours.results, [Times(path.name, found.ours), Times(OTHER, found.theirs)]


def _record(root: Path, results: Outcome, race: Race, found: list[Times], loss: float, console: Console) -> None:
    """Keep a results file: a row for the submission, with its worst loss, and one for what it was raced against."""
    rows = timed_rows(found, found[0].name, {"race": f"to {race.target:g}"})
    rows[0]["figures"] = {"loss": loss}
    results |= {"rows": rows, "sizes": {"target": race.target}}
    path = files.recorded_path(root, f"speedrun-{race.target:g}", results)
    try:
        files.write(path, results)
    except OSError as error:
        warn(f"The results could not be written: {error}.")
    else:
        console.print(f"Results: {path.relative_to(root).as_posix()}")


def _say(one: Outcome, console: Console) -> None:
    said = f"  ({one['said']})" if one["said"] else ""
    console.print(f"seed {one['seed']}: loss {one['loss']:.4f} after {one['seconds']:.2f} s{said}", soft_wrap=True)
