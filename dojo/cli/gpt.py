"""The verbs around the real thing: `data` fetches texts, `train` trains the GPT, `sample` lets it write."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import torch
from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.text import Text

from ..gpt import download, processes
from ..gpt.encoded import Encoded, OwnText, encode_text
from ..gpt.engine import DEVICES, DTYPES, Engine, EngineError, memory
from ..gpt.model import Parts, parts
from ..gpt.presets import PRESETS, Preset
from ..gpt.pretrained import MODELS
from ..gpt.runs import UnderWay, hold
from ..gpt.texts import TextError
from ..gpt.tokens import KINDS
from ..gpt.trained import NotTrained, latest
from ..gpt.training import Interrupted, Run, TrainingError
from ..learner.session import Session
from ..system import data_files
from ..system.command import command
from ..system.console import console, every, progress_bar, warn
from ..system.data_files import DataError, Source

LINE_EVERY = 20.0  # seconds between the lines of a run that no terminal shows
ESTIMATED_AFTER = 10  # steps
UNITS = {"characters": "characters", "bytes": "bytes", "gpt2": "tokens"}
EXIT = {"SIGINT": 130, "SIGTERM": 143}


@click.command()
@click.option("--weights", default="", help="`gpt2` or `smollm2`: a published model, of 548 and of 93 million bytes.")
def data(weights: str) -> None:
    """Fetch Shakespeare and GPT-2's vocabulary, or a published model.

    They come from the folder DOJO_MIRROR where that is set, else from the network.
    """
    if weights not in ("", *MODELS):
        warn(f"WEIGHTS is {' or '.join(MODELS)}: {command('data', WEIGHTS='gpt2')}")
        raise SystemExit(2)
    listed = data_files.sources(weights=weights)
    if weights == "gpt2":
        listed["encoder.json"] = data_files.sources()["encoder.json"]  # its tokens
    failed = 0
    for source in listed.values():
        try:
            path = _fetch(source)
        except DataError as error:
            failed = 1
            console.print(Text(str(error), "red"), soft_wrap=bool(weights))
        except KeyboardInterrupt:
            console.print(f"Stopped. Go on with: {source.again}")
            raise SystemExit(EXIT["SIGINT"]) from None
        else:
            console.print(f"{path.name}: {path.stat().st_size:,} bytes, checked")
    raise SystemExit(failed)


def _fetch(source: Source) -> Path:
    columns = source.name, BarColumn(), DownloadColumn(), TransferSpeedColumn(), "left", TimeRemainingColumn()
    with progress_bar(*columns, transient=True) as bar:
        task = bar.add_task("", total=source.size, visible=False)
        return download.fetch(source, on_bytes=lambda have: bar.update(task, completed=have, visible=True))


@click.command()
@click.argument("preset", default="verona")
@click.option("--impl", default="yours", help="`solutions`: the reference's parts alone.")
@click.option("--resume", is_flag=True, help="Go on where the last run stopped.")
@click.option("--text", default="", help=f"Your own text: a file, a folder, or several with {os.pathsep} between.")
@click.option("--valid", default="", help="What to validate on; else the last tenth of the text.")
@click.option("--tokens", default="", help=f"Of your own text: {', '.join(KINDS)}.")
@click.option("--run", default="", help="The name of the run's folder in runs/.")
@click.option("--device", default="cpu", type=click.Choice(DEVICES), help="On what to compute.")
@click.option("--dtype", default="float32", type=click.Choice(list(DTYPES)), help="bfloat16: by autocast.")
@click.option("--accumulate", default=0, type=click.IntRange(min=0), help="Take each batch in so many parts.")
@click.option("--processes", default=1, type=click.IntRange(min=1), help="Share each batch among so many processes.")
def train(preset: str, impl: str, **given: Any) -> None:
    """Train a GPT made of your own parts.

    Where a kata is not solved yet the reference's part takes its place.
    """
    session = Session()
    if preset not in PRESETS or impl not in ("yours", "solutions"):
        warn(f"PRESET is one of {', '.join(PRESETS)}; IMPL is yours or solutions.")
        raise SystemExit(2)
    if (given["valid"] or given["tokens"]) and not given["text"]:
        warn("VALID and TOKENS go with a TEXT of your own.")
        raise SystemExit(2)
    if not re.fullmatch(r"(\w[\w.-]*)?", given["run"]):
        warn("RUN is the name of a folder in runs/: letters, digits, and . _ - between them.")
        raise SystemExit(2)
    wanted = Wanted(preset, impl, **given)
    if processes.is_worker():
        wanted = Wanted(**json.loads(os.environ[processes.WANTED]))
    raise SystemExit(train_preset(session, wanted))


@click.command()
@click.option("--prompt", default="", help="What the text begins with.")
@click.option("--preset", "--run", default="", help="Of which run; else the latest.")
@click.option("--characters", default=400, type=click.IntRange(min=1), help="How many to write, or tokens.")
@click.option("--seed", type=int, help="The same seed writes the same text.")
@click.option("--count", default=1, type=click.IntRange(min=1), help="How many texts, written side by side.")
def sample(prompt: str, preset: str, characters: int, seed: int | None, count: int) -> None:
    """Let the trained GPT continue a text."""
    session = Session()
    try:
        gpt = latest(session.catalog, session.progress.solved(session.catalog), preset)
    except NotTrained as error:
        console.print(Text(str(error), "red"))
        raise SystemExit(1) from None
    generator = torch.Generator()
    generator.manual_seed(seed) if seed is not None else generator.seed()
    prompt = prompt or "\n"
    try:
        columns = gpt.stream(prompt, characters, generator, count)
    except ValueError as error:
        problem = f"The prompt cannot be continued: {error}. The model knows only the characters it was trained on."
        console.print(Text(problem, "red"))
        raise SystemExit(2) from None
    _show(columns, prompt, count)


@dataclass(frozen=True)
class Wanted:
    """What was asked of `dojo train`: its options, by their names."""

    preset: str = "verona"
    impl: str = "yours"
    resume: bool = False
    text: str = ""
    valid: str = ""
    tokens: str = ""
    run: str = ""
    device: str = "cpu"
    dtype: str = "float32"
    accumulate: int = 0
    processes: int = 1

    @property
    def again(self) -> str:
        """The command that goes on with the run."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        given = {name: value for name, value in given.items() if value != getattr(Wanted, name) or name == "preset"}
        return command("train", **{name.upper(): value for name, value in (given | {"resume": True}).items()})

    @property
    def name(self) -> str:
        """The name of the run's folder: what was asked for, else that of the text, else that of the preset."""
        text = Path(self.text.split(os.pathsep)[0]).resolve().name.split(".")[0] if self.text else ""
        return self.run or re.sub(r"[^\w.-]+", "-", text).strip("-.") or ("text" if self.text else self.preset)


VERONA = Wanted()


def train_preset(session: Session, wanted: Wanted = VERONA) -> int:
    """Train a preset and show what came of it; the exit status."""
    modules, whose = parts(
        session.catalog, session.progress.solved(session.catalog) if wanted.impl == "yours" else frozenset()
    )
    preset, folder = PRESETS[wanted.preset], session.root / "runs" / wanted.name
    if processes.is_worker():
        return _work(session, wanted, preset, folder, modules, whose)
    try:
        with hold(folder):
            return _train(session, wanted, preset, folder, modules, whose)
    except (TrainingError, DataError, TextError, EngineError, UnderWay) as error:
        console.print(Text(str(error), "red"), soft_wrap=True)
        return 1


def _train(
    session: Session, wanted: Wanted, preset: Preset, folder: Path, modules: Parts, whose: dict[str, str]
) -> int:
    try:
        asked = (wanted.device, wanted.dtype, wanted.accumulate)
        engine = Engine.choose(*asked, preset, wanted.processes)
        run = Run(preset, folder, modules, whose, lambda line: console.print(Text(line, "yellow")), engine=engine)
        run.prepare(_encode(session, wanted, preset) if wanted.text else None)
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


def _in_processes(run: Run, wanted: Wanted) -> None:
    """Have processes train a run that is begun, and take over what came of it. Raises Interrupted, TrainingError."""
    stopped = processes.launch(wanted.processes, json.dumps(asdict(wanted)))
    run.resume()
    if stopped and run.step < run.preset.steps:
        raise Interrupted("SIGINT")
    if run.step < run.preset.steps:
        problem = f"The processes ended at step {run.step}, as they say above. Go on with: {wanted.again}"
        raise TrainingError(problem)


def _work(session: Session, wanted: Wanted, preset: Preset, folder: Path, modules: Parts, whose: dict[str, str]) -> int:
    """What one of several processes does: go on from the last checkpoint. The first shows how far they are."""
    engine = Engine.choose(wanted.device, wanted.dtype, wanted.accumulate, preset, wanted.processes)
    with processes.joined(engine.device):
        console.quiet = processes.rank() > 0
        run = Run(preset, folder, modules, whose, lambda line: console.print(Text(line, "yellow")), engine=engine)
        run.prepare(_encode(session, wanted, preset) if wanted.text else None)
        run.resume()
        with suppress(Interrupted):
            _with_bar(run)
    return 0


def _encode(session: Session, wanted: Wanted, preset: Preset) -> Callable[[Parts], Encoded]:
    text = OwnText(wanted.text, wanted.valid, wanted.tokens or preset.kind)

    def encode(parts: Parts) -> Encoded:
        columns = "encoding", BarColumn(), "{task.percentage:.0f} % · left", TimeRemainingColumn()
        with progress_bar(*columns, transient=True) as bar:
            task = bar.add_task("")

            def on_bytes(new: int, total: int) -> None:
                bar.update(task, advance=new, total=total)

            return encode_text(text, parts, session.root / ".dojo" / "tokens", preset.context_length, on_bytes)

    return encode


def _show(columns: Iterator[list[str]], prompt: str, count: int) -> None:
    """Print texts that come in character by character: a single one at once, on a terminal, several one by one."""
    if count == 1:
        print(prompt, end="")
        for (character,) in columns:
            print(character, end="", flush=sys.stdout.isatty())
        print()
        return
    for number, rest in enumerate(zip(*columns), start=1):
        print(f"--- {number} of {count}\n{prompt}{''.join(rest)}")


def _introduce(run: Run, session: Session) -> None:
    preset, engine, unit = run.preset, run.engine, UNITS[run.data.kind]
    count = run.parts["k10"].count_parameters(run.model)
    needed = memory(preset, count, run.data.tokenizer.vocab_size, engine.accumulate) / 1e9
    in_parts = f", each in {engine.accumulate} parts" if engine.accumulate > 1 else ""
    console.print(
        f"{run.folder.name}: {run.data.tokens:,} {unit} to train on and {len(run.validation):,} to validate, "
        f"{preset.num_layers} layers, {preset.num_heads} heads, width {preset.emb_dim}, "
        f"context {preset.context_length}, {count:,} parameters, "
        f"{preset.steps:,} steps of {preset.batch_size} windows{in_parts}, on {engine.device} in {engine.dtype}, "
        f"about {needed:.1f} GB of memory"
    )
    titles = {kata.code: kata.title for kata in session.catalog.katas}
    yours = [f"{code} {titles[code]}" for code, owner in run.whose.items() if owner != "reference"]
    theirs = [code for code, owner in run.whose.items() if owner == "reference"]
    if not yours:
        console.print("Every part of it is the reference's.")
    elif theirs:
        console.print(f"Yours: {', '.join(yours)}\nThe reference's: {', '.join(theirs)}")
    else:
        console.print("Every part of it is yours.")


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
    unit, perplexity = UNITS[run.data.kind][:-1], run.parts["k11"].perplexity(loss)
    console.print(f"validation loss {loss:.4f} nats a {unit}, perplexity {perplexity:.3f}", style="bold")
    if run.data.floor is not None:
        console.print(f"the floor of this corpus is {run.data.floor:.4f}: {loss - run.data.floor:.4f} above it")
    if run.durations:
        console.print(f"median step {1000 * run.median_step:.1f} ms, {torch.get_num_threads()} threads")
    here, folder = Path.cwd(), run.folder
    where = folder.relative_to(here).as_posix() if folder.is_relative_to(here) else str(folder)
    console.print(f"best validation loss {run.best:.4f}; curve, sample, attention and checkpoints are in {where}")
    if run.unsaved:
        console.print(Text(f"The last checkpoint could not be saved: {run.unsaved}.", "red"))
        return 1
    return 0
