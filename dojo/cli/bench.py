"""The verbs that measure: `bench`, `bench-train`, and `speedrun` with its `ablate`. No torch here."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..bench import jobs, table
from ..bench import results as files
from ..bench.jobs import ATTENTION, BenchError, Job
from ..learner.session import Session
from ..speedrun import rules
from ..system.command import command
from ..system.console import console, warn
from ..system.files import load_module

BUDGET, QUICK_BUDGET, KATA_BUDGET = 150.0, 45.0, 18.0  # seconds for one device; the last one for one kata
LENGTHS, QUICK_LENGTHS = (128, 256, 512, 1024, 2048, 4096), (128, 256)
DTYPES = ("float32", "bfloat16")
RECORD = Path("solutions") / "speedrun" / "record.py"


@click.command()
@click.argument("kata", default="")
@click.option("--device", default="", help="cpu, cuda or mps; else the CPU, and then the GPU where there is one.")
@click.option("--dtype", type=click.Choice(DTYPES), help="One of them; else both.")
@click.option(
    "--budget",
    type=click.FloatRange(min=1),
    help=f"Seconds for a device; else {BUDGET:.0f}, for one kata {KATA_BUDGET:.0f}.",
)
@click.option("--quick", is_flag=True, help=f"T up to {QUICK_LENGTHS[-1]} only, in {QUICK_BUDGET:.0f} seconds.")
@click.option("--record", is_flag=True, help="Keep the results in data/benchmarks too, to be shown beside others.")
def bench(kata: str, device: str, dtype: str | None, budget: float | None, quick: bool, record: bool) -> None:
    """Race implementations of attention, or of one kata.

    Yours is among them once its kata passes.
    """
    from ..bench.learners_code import judge_learners_code

    session = Session()
    asked = session.find(kata) if kata else None
    if asked is not None and not asked.races.is_file():
        others = ", ".join(other.code for other in session.catalog.katas if other.races.is_file()) or "no kata yet"
        warn(f"{asked.code} has nothing to race. There is something in {others}; attention: {command('bench')}")
        raise SystemExit(2)
    seconds = budget or (KATA_BUDGET if asked else QUICK_BUDGET if quick else BUDGET)
    job = Job(str(session.root), device or "cpu", seconds, slug=asked.slug if asked else "")
    if not asked:
        job = replace(job, lengths=QUICK_LENGTHS if quick else LENGTHS, dtypes=(dtype,) if dtype else DTYPES)
    busy, cores = files.load() or 0.0, os.cpu_count() or 1
    if busy > cores / 2:
        warn(f"The load is {busy:.1f} on {cores} cores: what is measured now may be noisy.")
    learners = judge_learners_code(session, asked or session.catalog.find(ATTENTION))
    if "refused" in learners.event:
        warn(f"refused: yours: {learners.event['refused']['reason']}")
    job = replace(job, solved=sorted(learners.solved), yours=learners.takes_part)
    devices = _run(session, job, learners.event, record)
    for other in [] if device else [name for name in devices if name != "cpu"]:
        _run(session, replace(job, device=other), learners.event, record)


def _run(session: Session, job: Job, event: jobs.Event, record: bool) -> list[str]:
    """Run a job on one device, show and keep what came of it; the devices there are. Ends the program on trouble."""
    results = files.new("kata" if job.slug else "attention")
    jobs.add(results, event)
    try:
        devices = jobs.run(job, results, console)
    except (BenchError, KeyboardInterrupt) as error:
        if results["rows"]:
            table.show(results, table.wide(console))
        warn(str(error) or "Stopped. What was measured is not kept.")
        raise SystemExit(getattr(error, "exit", 130)) from None
    table.show(results, table.wide(console))
    if not any("seconds" in row for row in results["rows"]):
        warn(f"Nothing was timed, so nothing is kept. Give it more seconds: {command('bench', BUDGET=600)}")
        return devices
    name = job.slug or "attention"
    here = session.root / files.FOLDERS[0] / f"{name}-{job.device.replace(':', '')}.json"
    for path in [here, *([files.recorded_path(session.root, name, results)] if record else [])]:
        files.keep(path, results, session.root)
    if not job.slug:
        _draw(session)
    return devices


def _draw(session: Session) -> None:
    """Draw this run beside what was recorded elsewhere; a picture that cannot be drawn is a line, no more."""
    from ..figures.bench import draw_all

    folders = [session.root / name for name in files.FOLDERS]
    try:
        paths = draw_all(folders[0], *(files.read_all(folder, warn) for folder in folders))
    except (OSError, ImportError) as error:
        warn(f"The pictures could not be drawn: {error}.")
    else:
        console.print(
            "Pictures: " + ", ".join(session.relative(path) for path in paths if path.suffix == ".png"), soft_wrap=True
        )


@click.command("bench-train")
@click.option("--against", default="", help="Another program, as one types it in a shell: run in turn with this one.")
@click.option("--pairs", default=3, type=click.IntRange(min=1), help="How often each is run.")
@click.option("--preset", default="shakespeare", help="What to train.")
@click.option("--target", default=1.90, help="The validation loss to reach, in nats a character.")
@click.option("--steps", default=0, help="At most; else those of the preset.")
@click.option("--impl", default="yours", type=click.Choice(["yours", "solutions"]), help="Whose parts.")
def bench_train(against: str, pairs: int, preset: str, target: float, steps: int, impl: str) -> None:
    """Time the training: seconds to a validation loss, and tokens/s."""
    session = Session()
    solved = session.progress.solved(session.catalog) if impl == "yours" else frozenset()
    training = load_module(session.root / "tests" / "benchmarks" / "training.py")
    job = training.Job(str(session.root), preset, target, steps, sorted(solved))
    raise SystemExit(training.run(job, against, pairs if against else 1))


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--target", default=rules.TARGET, help="The loss to reach, in nats a character.")
@click.option("--seeds", default=rules.SEEDS, type=click.IntRange(min=1), help="Fewer than three is no record.")
@click.option("--against", default="", help="Another program, as one types it in a shell: run in turn with this one.")
@click.option("--pairs", default=rules.SEEDS, type=click.IntRange(min=1), help="How often each is run.")
@click.option("--device", default="cpu", help="cpu, cuda or mps.")
@click.option("--record", is_flag=True, help="Keep the results in data/benchmarks too.")
@click.option("--rules", "show", is_flag=True, help="Only list the rules.")
def speedrun(file: Path | None, show: bool, **asked: Any) -> None:
    """Race to a validation loss: the record, or your submission."""
    if show:
        for name, rule in rules.RULES.items():
            console.print(f"{name}: {rule}", soft_wrap=True)
        return
    _require_sessions()
    session = Session()
    path = file or session.root / RECORD
    if not path.is_file():
        warn(f"There is no file {path}. What a submission is: {RECORD.parent / 'README.md'}")
        raise SystemExit(2)
    from ..speedrun import race as races

    raise SystemExit(races.run(path, session.root, console, races.Race(**asked)))


@click.command()
@click.option("--target", default=rules.TARGET, help="The loss to reach, in nats a character.")
@click.option("--seeds", default=rules.SEEDS, type=click.IntRange(min=1), help="How often each is trained.")
@click.option("--only", default="", help="The tricks to try, by name, with commas between; else all.")
def ablate(target: float, seeds: int, only: str) -> None:
    """Measure what each trick of the record is worth."""
    _require_sessions()
    session = Session()
    ablation = load_module(session.root / RECORD.parent / "ablate.py")
    raise SystemExit(ablation.run(session.root, session.root / RECORD, console, target, seeds, only))


def _require_sessions() -> None:
    """End the program where a submission could not be kept apart from whoever judges it (Windows)."""
    if not hasattr(os, "setsid"):
        warn("The speedrun runs on Linux and macOS only. On Windows, take WSL, which is a Linux: https://aka.ms/wsl")
        raise SystemExit(2)
