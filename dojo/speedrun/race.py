"""`make speedrun`: judge a submission with fresh seeds, alone or in turn with another program, and enter its time."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ..bench import machine, results
from ..bench.pairs import PairError, Program, called, run_pairs
from ..bench.rounds import Times, rows
from ..system.command import command
from ..system.console import warn
from ..system.data_files import DataError
from ..system.files import timestamp
from ..system.processes import HOME
from . import leaderboard, rules
from .leaderboard import Entry
from .referee import Outcome, Split, judge
from .rules import RuleBroken


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
        text = Split.shakespeare()
    except machine.UnknownDevice as error:
        warn(str(error))
        return 2
    except OSError as error:
        warn(f"{path} cannot be read: {error.strerror}.")
        return 2
    except DataError as error:
        warn(f"{error}\nThe race is on tinyshakespeare: {command('data')}")
        return 2
    facts = machine.describe(device, root)
    facts["machine"]["threads"] = rules.THREADS
    try:
        if race.against:
            outcomes, times = _in_turn(path, race, console)
        else:
            outcomes = list(_seeds(source, path.name, text, race, console))
            times = [Times(path.name, [outcome.seconds for outcome in outcomes])]
    except RuleBroken as error:
        console.print(Text(f"{path.name} is refused. Rule “{error.rule}”: {error}.", "red"), soft_wrap=True)
        if error.rule in rules.RULES:
            console.print(f"The rule: {rules.RULES[error.rule]}.", soft_wrap=True)
        return 1
    except PairError as error:
        warn(str(error))
        return 1
    if race.record:
        _record(root, facts, race, times, max(outcome.loss for outcome in outcomes))
    if len(outcomes) < rules.SEEDS:
        console.print(f"{len(outcomes)} of {rules.SEEDS} seeds: that does not count as a record, and is marked so.")
    entries = _enter(root, _entry(path.name, source, outcomes, race.target, facts["machine"]))
    console.print(leaderboard.table(entries, float(race.target)))
    return 0


def _seeds(source: bytes, name: str, text: Split, race: Race, console: Console) -> Iterator[Outcome]:
    """What comes of each seed, drawn afresh. Raises RuleBroken at the first that fails."""
    for _ in range(race.seeds):
        outcome = judge(source, name, text, race.target, device=race.device)
        printed = f"  ({outcome.printed})" if outcome.printed else ""
        line = f"seed {outcome.seed}: loss {outcome.loss:.4f} after {outcome.seconds:.2f} s{printed}"
        console.print(line, soft_wrap=True)
        yield outcome


def _in_turn(path: Path, race: Race, console: Console) -> tuple[list[Outcome], list[Times]]:
    """Run the submission and another program pair by pair, say the ratio; outcomes, and the times of both."""
    job = json.dumps({"file": str(path.resolve()), "target": race.target, "device": race.device})
    ours = Program(path.name, [sys.executable, "-m", "dojo.speedrun.referee", job], HOME)

    def on_line(program: Program, number: int, line: str) -> None:
        if program is ours and line.startswith('{"refused"'):
            raise RuleBroken(*json.loads(line)["refused"])
        console.print(f"pair {number + 1} of {race.pairs}, {program.name}: {line.strip()}", soft_wrap=True)

    theirs = Program(called(race.against), race.against, Path.cwd())
    pairs = run_pairs(ours, theirs, race.pairs, on_line)
    console.print(pairs.describe(ours.name, theirs.name), soft_wrap=True)
    outcomes = [Outcome(**facts) for facts in ours.results]
    return outcomes, [Times(ours.name, pairs.ours), Times(theirs.name, pairs.theirs)]


def _record(root: Path, facts: results.Facts, race: Race, times: list[Times], worst: float) -> None:
    """Keep a results file: a row for the submission, with its worst loss, and one for what it was raced against."""
    facts["machine"]["load_after"] = results.load()
    kept = results.new("speedrun", **facts)
    kept["rows"] = rows(times, times[0].name, {"race": f"to {race.target:g}"})
    kept["rows"][0]["figures"] = {"loss": worst}
    kept["sizes"] = {"target": race.target}
    results.keep(results.recorded_path(root, f"speedrun-{race.target:g}", kept), kept, root)


def _entry(name: str, source: bytes, outcomes: list[Outcome], target: float, judged_on: results.Machine) -> Entry:
    """What came of all seeds on a machine."""
    return {
        "name": name if len(outcomes) >= rules.SEEDS else f"{name} ({len(outcomes)} seed)",
        "hash": hashlib.sha256(source).hexdigest(),
        "target": float(target),
        "seeds": [outcome.seed for outcome in outcomes],
        "seconds": [outcome.seconds for outcome in outcomes],
        "losses": [outcome.loss for outcome in outcomes],
        "context_length": outcomes[0].context_length,
        "parameters": outcomes[0].parameters,
        "machine": judged_on,
        "date": timestamp(),
    }


def _enter(root: Path, entry: Entry) -> list[Entry]:
    """Put an entry on the leaderboard of a clone; all that are to be shown."""
    try:
        return leaderboard.enter(leaderboard.path_of(root), entry)
    except (OSError, ValueError) as error:
        warn(f"The time could not be entered: {error}.")
        return [entry]
