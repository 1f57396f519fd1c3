"""The verb that trains the GPT: `train`."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import torch
from rich.progress import BarColumn, TimeRemainingColumn
from rich.text import Text

from ..gpt import launch, processes
from ..gpt.base import find_base
from ..gpt.encoded import Encoded, OwnText, encode_text
from ..gpt.engine import DEVICES, DTYPES, PARALLEL, Engine, EngineError, memory, why_not_compiled
from ..gpt.model import USED, Parts, parts, say_whose
from ..gpt.presets import FINETUNE, PRESETS
from ..gpt.runs import History, UnderWay, hold, unit_of
from ..gpt.texts import TextError
from ..gpt.tokens import KINDS, learned
from ..gpt.trained import NotTrained
from ..gpt.training import Interrupted, Run, TrainingError
from ..gpt.wanted import Wanted
from ..learner.session import Session
from ..system.console import console, every, progress_bar, warn
from ..system.data_files import DataError
from ..system.files import content_hash

LINE_EVERY = 20.0  # seconds between the lines of a run that no terminal shows
ESTIMATED_AFTER = 10  # steps
EXIT = {"SIGINT": 130, "SIGTERM": 143}
PLAIN = (TrainingError, DataError, TextError, EngineError, NotTrained, UnderWay, launch.LaunchError)


@click.command()
@click.argument("preset", default="")
@click.option("--impl", default="yours", help="`solutions`: the reference's parts alone.")
@click.option("--resume", is_flag=True, help="Go on where the last run stopped.")
@click.option("--text", default="", help=f"Your own text: a file, a folder, or several with {os.pathsep} between.")
@click.option("--valid", default="", help="What to validate on; else the last tenth of the text.")
@click.option("--tokens", default="", help=f"Of your own text: {', '.join(KINDS)}, or bpe:4096, learned from it.")
@click.option("--run", default="", help="The name of the run's folder in runs/.")
@click.option("--from", "base", default="", help="Go on from a trained model: gpt2, or a run of yours.")
@click.option("--lora", default=0, type=click.IntRange(min=0), help="Train so many numbers beside each layer alone.")
@click.option("--device", default="cpu", type=click.Choice(DEVICES), help="On what to compute.")
@click.option("--dtype", default="float32", type=click.Choice(list(DTYPES)), help="bfloat16: by autocast.")
@click.option("--compile", is_flag=True, help="Have torch's compiler make the steps faster, where there is one.")
@click.option("--accumulate", default=0, type=click.IntRange(min=0), help="Take each batch in so many parts.")
@click.option("--processes", default=1, type=click.IntRange(min=1), help="Share each batch among so many processes.")
@click.option("--parallel", default="torch", type=click.Choice(PARALLEL), help="yours: their gradients by your k21.")
@click.option("--nodes", default=1, type=click.IntRange(min=1), help="Print the command for each of so many machines.")
@click.option("--at", default="", help="Where the first of them is found: host:port.")
def train(preset: str, impl: str, **given: Any) -> None:
    """Train a GPT made of your own parts.

    Where a kata is not solved yet the reference's part takes its place.
    """
    session = Session()
    wanted = Wanted(preset or (FINETUNE if given["base"] else "verona"), impl, **given)
    if problem := wanted.problem:
        warn(problem)
        raise SystemExit(2)
    if processes.is_worker():
        from torch.distributed.elastic.multiprocessing.errors import record  # torchrun asks for what was raised

        raise SystemExit(record(lambda: _work(session, wanted))())
    if wanted.nodes > 1:
        raise SystemExit(_print_commands(wanted))
    raise SystemExit(train_preset(session, wanted))


VERONA = Wanted()


def train_preset(session: Session, wanted: Wanted = VERONA) -> int:
    """Train a preset and show what came of it; the exit status."""
    folder = session.root / "runs" / wanted.name
    try:
        with hold(folder):
            return _train(session, wanted, folder)
    except PLAIN as error:
        console.print(Text(str(error), "red"), soft_wrap=True)
        return 1


def _train(session: Session, wanted: Wanted, folder: Path) -> int:
    try:
        run = _prepared(session, wanted, folder if wanted.resume else None)
        run.resume() if wanted.resume else run.begin()
        _introduce(run, session)
        if wanted.processes == 1:
            _with_bar(run)
        else:
            _in_processes(run, wanted)
    except Interrupted as stopped:
        saved = "The checkpoint on disk is an earlier one." if run.unsaved else "It is saved."
        console.print(f"Stopped at step {run.step}. {saved} Go on with: {wanted.again}", soft_wrap=True)
        return EXIT.get(str(stopped), 1)
    return _conclude(run, wanted.again)


def _prepared(session: Session, wanted: Wanted, begun: Path | None) -> Run:
    """The run that was asked for, with its text and its model; one that was `begun` in a folder is as it says there."""
    history = _history(begun) if begun else None
    solved = session.progress.solved(session.catalog) if wanted.impl == "yours" else frozenset()
    modules, whose = parts(session.catalog, solved, [*USED, "k20", "k21", "k23"])
    base = find_base(session.root, modules, wanted.base) if wanted.base and not history else None
    sizes = history.sizes if history else base.preset.sizes if base else None
    preset, workers = PRESETS[wanted.preset].of_sizes(sizes), wanted.processes * wanted.nodes
    engine = Engine.choose(wanted.device, wanted.dtype, wanted.accumulate, preset, workers)
    engine = replace(engine, compiled=_compiled(wanted, engine.device), parallel=wanted.parallel)
    lora = history.lora if history else wanted.lora
    preset = preset.for_lora() if lora else preset
    kind = history.kind if history else base.kind if base else wanted.tokens or preset.kind
    used = {"k20": learned(kind) > 0, "k21": workers > 1 and wanted.parallel == "yours", "k23": lora > 0}
    whose = {code: owner for code, owner in whose.items() if used.get(code, True)}
    folder = session.root / "runs" / wanted.name
    run = Run(preset, folder, modules, whose, _say, engine=engine, base=base, origin=wanted.base, lora=lora)
    if wanted.text:
        known = base.vocabulary if base else history.vocabulary if history and history.base else ""
        run.prepare(_encode(session, OwnText(wanted.text, wanted.valid, kind, known or None), preset.context_length))
    else:
        run.prepare()
    return run


def _history(folder: Path) -> History | None:
    """What a run says of itself; where that cannot be read, `Run.resume` says so."""
    try:
        return History.read(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _say(line: str) -> None:
    console.print(Text(line, "yellow"))


def _compiled(wanted: Wanted, device: str) -> bool:
    if not wanted.compile:
        return False
    if why := why_not_compiled(device):
        _say(f"COMPILE=1 is left out, since torch cannot compile here: {why}")
    return not why


def _encode(session: Session, text: OwnText, context: int) -> Callable[[Parts], Encoded]:
    def encode(parts: Parts) -> Encoded:
        columns = "encoding", BarColumn(), "{task.percentage:.0f} % · left", TimeRemainingColumn()
        with progress_bar(*columns, transient=True) as bar:
            task = bar.add_task("")

            def on_bytes(new: int, total: int) -> None:
                bar.update(task, advance=new, total=total)

            return encode_text(text, parts, session.root / ".dojo" / "tokens", context, on_bytes)

    return encode


def _in_processes(run: Run, wanted: Wanted) -> None:
    """Have processes train a run that is begun, and take over what came of it. Raises Interrupted, TrainingError."""
    ended = launch.launch(wanted.processes, wanted.words)
    run.resume()
    if ended.asked and run.step < run.preset.steps:
        raise Interrupted("SIGINT")
    if run.step < run.preset.steps:
        reason = re.sub(rf"^({'|'.join(each.__name__ for each in PLAIN)}): ", "", ended.problem)
        reason = reason or f"one of them was ended more than {launch.RESTARTS} times"
        raise TrainingError(f"The processes ended at step {run.step}: {reason}\nGo on with: {wanted.again}")


def _work(session: Session, wanted: Wanted) -> int:
    """What one of several processes does: go on from the last checkpoint. The first shows how far they are."""
    folder = session.root / "runs" / wanted.name
    device = Engine.choose(wanted.device, wanted.dtype, 1, PRESETS[wanted.preset]).device
    with processes.joined(device):
        console.quiet = processes.rank() > 0
        try:
            run = _agreed(session, wanted, folder)
        except TrainingError as error:
            if wanted.nodes == 1:
                raise  # whoever started torchrun says it
            console.print(Text(str(error), "red"), soft_wrap=True)
            return 0  # else torchrun would begin all of it again
        if processes.is_first_here():
            print(f"This machine takes part in the run {run.folder.name}, which machine 0 shows.", flush=True)
        if processes.attempt():
            _say(f"A process was ended. All began again, from step {run.step}.")
        with suppress(Interrupted):
            _with_bar(run)
        first = processes.rank() == 0
    if wanted.nodes == 1 or not first:
        return 0
    if run.step < run.preset.steps:
        console.print(f"Stopped at step {run.step}. It is saved. Go on with: {wanted.again}", soft_wrap=True)
        return 0
    return _conclude(run, wanted.again)


def _agreed(session: Session, wanted: Wanted, folder: Path) -> Run:
    """The run, equal in all processes. Raises TrainingError, in all of them, where one has a problem with it."""
    run, problem = None, ""
    try:
        run = _begun(session, wanted, folder) if processes.rank() == 0 else None
    except PLAIN as error:
        problem = str(error)
    _stop_at(problem)
    with processes.handed_over(folder, ("history.json", "last.pt")) as begun:
        try:
            run = run or _prepared(session, wanted, begun)
            run.resume(begun)
        except PLAIN as error:
            problem = str(error)
    _stop_at(problem)
    assert run is not None
    unequal = processes.differences(_facts(session, run, wanted))
    if unequal:
        raise TrainingError(f"The machines differ in {', '.join(unequal)}. These have to be equal on all of them.")
    return run


def _stop_at(problem: str) -> None:
    """Raise TrainingError in all processes, if one of them has a problem."""
    problems = [f"Process {rank}: {each}" for rank, each in enumerate(processes.gathered(problem)) if each]
    if problems:
        raise TrainingError(problems[0].removeprefix("Process 0: "))


def _begun(session: Session, wanted: Wanted, folder: Path) -> Run:
    """The run as the first process has it: where no command has begun it on this machine, this one does."""
    again = processes.attempt() > 0 and (folder / "last.pt").is_file()
    if wanted.nodes == 1 or wanted.resume or again:
        return _prepared(session, wanted, folder)
    run = _prepared(session, wanted, None)
    run.begin()
    _introduce(run, session)
    return run


def _facts(session: Session, run: Run, wanted: Wanted) -> dict[str, str]:
    """What has to be equal in all processes, by its name."""
    katas = [kata for kata in session.catalog.katas if kata.code in run.whose]
    files = {k.code: k.solution if run.whose[k.code] == "reference" else k.file for k in katas}
    options = str(sorted(wanted.given.items()))
    facts = {f"the file of {code}": content_hash(path) or "" for code, path in files.items()}
    return facts | {"the text": run.data.source, "torch": torch.__version__, "the options": options}


def _print_commands(wanted: Wanted) -> int:
    """Print what to type on each of several machines; the exit status."""
    try:
        commands = launch.commands(wanted.nodes, wanted.processes, wanted.at, wanted.words)
    except launch.LaunchError as error:
        console.print(Text(str(error), "red"), soft_wrap=True)
        return 1
    for node, line in enumerate(commands):
        console.print(f"On machine {node}, in the folder of the katas:\n\n{line}\n", soft_wrap=True)
    console.print(
        "Machine 0 writes and shows the run. What has to be equal on all of them stands in SEVERAL_MACHINES.md.",
        soft_wrap=True,
    )
    return 0


def _introduce(run: Run, session: Session) -> None:
    preset, engine, units = run.preset, run.engine, f"{unit_of(run.data.kind)}s"
    count = run.parts["k10"].count_parameters(run.model)
    trained = sum(each.numel() for each in run.model.parameters() if each.requires_grad)
    needed = memory(preset, count, trained, preset.vocab_size or run.data.tokenizer.vocab_size, engine)
    each = " in each process" if engine.workers > 1 else ""
    of_them = f", of which {trained:,} are trained" if trained < count else ""
    in_parts = f", each in {engine.accumulate} parts" if engine.accumulate > 1 else ""
    console.print(
        f"{run.folder.name}: {run.data.tokens:,} {units} to train on and {len(run.validation):,} to validate, "
        f"{preset.num_layers} layers, {preset.num_heads} heads, width {preset.emb_dim}, "
        f"context {preset.context_length}, {count:,} parameters{of_them}, "
        f"{preset.steps:,} steps of {preset.batch_size} windows{in_parts}, on {engine.device} in {engine.dtype}, "
        f"about {_size(needed)} of memory{each}"
    )
    console.print(say_whose(session.catalog, run.whose))


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _with_bar(run: Run) -> None:
    columns = (
        "step {task.completed} of {task.total}",
        BarColumn(),
        "loss {task.fields[loss]:.3f} · {task.fields[rate]:,.0f} tokens/s · left",
        TimeRemainingColumn(),
    )
    tokens = run.preset.batch_size * run.preset.context_length
    reported, now_and_then = len(run.evaluations), every(LINE_EVERY)
    with progress_bar(*columns) as bar:
        task = bar.add_task("", total=run.preset.steps, completed=run.step, loss=math.nan, rate=0.0)

        def on_step(run: Run) -> None:
            nonlocal reported
            recent = run.durations[-20:]
            rate = tokens * len(recent) / sum(recent)
            bar.update(task, completed=run.step, loss=run.losses[-1], rate=rate)
            if len(run.durations) == ESTIMATED_AFTER and run.step < run.preset.steps:
                left = round((run.preset.steps - run.step) * run.median_step)
                console.print(f"After {ESTIMATED_AFTER} steps: it will take about {timedelta(seconds=left)} more.")
            if bar.disable and now_and_then():
                left = round((run.preset.steps - run.step) * run.median_step)
                console.print(
                    f"step {run.step:>5} of {run.preset.steps}  loss {run.losses[-1]:.3f} · {rate:,.0f} tokens/s · "
                    f"left {timedelta(seconds=left)}"
                )
            for step, loss in run.evaluations[reported:]:
                console.print(f"step {step:>5}  validation loss {loss:.4f}")
            reported = len(run.evaluations)

        run.train(on_step)


def _conclude(run: Run, again: str) -> int:
    from ..figures.run import draw  # it takes half a second to import, and nobody waits for it before

    try:
        text = run.finish()
        draw(run, text)
    except OSError as error:
        problem = f"The results could not be written: {error.strerror}. Make room, then: {again}"
        console.print(Text(problem, "red"), soft_wrap=True)
        return 1
    loss = run.evaluations[-1][1]
    console.print(f"\n{text}\n", markup=False)
    perplexity = run.parts["k11"].perplexity(loss)
    console.print(
        f"validation loss {loss:.4f} nats a {unit_of(run.data.kind)}, perplexity {perplexity:.3f}", style="bold"
    )
    if run.data.floor is not None:
        console.print(f"the floor of this corpus is {run.data.floor:.4f}: {loss - run.data.floor:.4f} above it")
    if run.durations:
        threads = torch.get_num_threads()
        console.print(f"median step {1000 * run.median_step:.1f} ms, {threads} thread{'s' * (threads != 1)}")
    here, folder = Path.cwd(), run.folder
    where = folder.relative_to(here).as_posix() if folder.is_relative_to(here) else str(folder)
    console.print(f"best validation loss {run.best:.4f}; curve, sample, attention and checkpoints are in {where}")
    if run.unsaved:
        console.print(Text(f"The last checkpoint could not be saved: {run.unsaved}.", "red"))
        return 1
    return 0
