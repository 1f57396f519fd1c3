"""The verbs around published models: `write` continues a text, `chat` answers. Their parts are the learner's own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import click
import torch
from rich.text import Text

from ..gpt.chat import LONGEST, Chat
from ..gpt.model import say_whose
from ..gpt.pretrained import Pretrained, load
from ..learner.session import Session
from ..system.console import console
from ..system.data_files import DataError

LEAVE = ("q", "quit", "exit")
INTERRUPTED = 130


@click.command()
@click.option("--weights", default="gpt2", help="`gpt2`, `smollm2`, or the path of a file in the format of either.")
@click.option("--prompt", default="", help="What the text begins with.")
@click.option("--length", default=100, type=click.IntRange(min=1), help="How many tokens to write.")
@click.option("--seed", type=int, help="The same seed writes the same text.")
def write(weights: str, prompt: str, length: int, seed: int | None) -> None:
    """Let a published model continue a text, in your own parts."""
    try:
        gpt = _introduce(weights)
        room = gpt.preset.context_length - gpt.begin(prompt).shape[1]
    except DataError as error:
        _refuse(error)
    if length > room:
        console.print(f"Only {room:,} of the {length:,} tokens fit into the context with the prompt.")
    pieces = (piece for (piece,) in gpt.stream(prompt, min(length, room), _generator(seed)))
    print(prompt, end="", flush=True)
    raise SystemExit(_print(pieces))


@click.command()
@click.option("--prompt", default="", help="Answer this alone, and end.")
@click.option("--weights", default="smollm2", help="`smollm2`, or the path of a GGUF file of a small Llama.")
@click.option("--length", default=LONGEST, type=click.IntRange(min=1), help="How many tokens an answer has at most.")
@click.option("--seed", type=int, help="The same seed gives the same answers.")
def chat(prompt: str, weights: str, length: int, seed: int | None) -> None:
    """Talk to a published model that runs in your own parts."""
    try:
        gpt = _introduce(weights)
        talk, generator = Chat(gpt, length), _generator(seed)
        if prompt:
            raise SystemExit(_answer(talk, prompt, generator))
    except DataError as error:
        _refuse(error)
    console.print("Type what you want to say; Ctrl-C stops an answer, q leaves.", style="dim")
    while (message := _message()) not in LEAVE:
        if not message:
            continue
        try:
            _answer(talk, message, generator)
        except DataError as error:
            console.print(Text(str(error), "red"), soft_wrap=True)


def _introduce(weights: str) -> Pretrained:
    """The model, and whose its parts are, said before anything else. Raises DataError."""
    session = Session()
    console.print(f"Reading {weights} …", style="dim")
    gpt = load(session.catalog, session.progress.solved(session.catalog), weights)
    count = sum(parameter.numel() for parameter in gpt.model.parameters())
    console.print(f"{gpt.origin}: {count:,} parameters, {gpt.preset.context_length:,} tokens at once")
    console.print(say_whose(session.catalog, gpt.whose) + "\n")
    return gpt


def _refuse(error: DataError) -> None:
    console.print(Text(str(error), "red"), soft_wrap=True)
    raise SystemExit(1) from None


def _generator(seed: int | None) -> torch.Generator:
    generator = torch.Generator()
    generator.manual_seed(seed) if seed is not None else generator.seed()
    return generator


def _message() -> str:
    """A line of the learner's; the end of the input and Ctrl-C leave."""
    with suppress(ImportError):
        import readline  # noqa: F401  # from then on lines can be edited and called back; Windows has none
    try:
        return input("you: ").strip()
    except (EOFError, KeyboardInterrupt):
        print()
        return LEAVE[0]


def _answer(talk: Chat, message: str, generator: torch.Generator) -> int:
    forgotten = 0

    def forget() -> None:
        nonlocal forgotten
        forgotten += 1

    pieces = talk.ask(message, generator, forget)
    if forgotten:
        console.print(f"The conversation is longer than the context: the oldest {2 * forgotten} messages are left out.")
    return _print(pieces)


def _print(pieces: Iterator[str]) -> int:
    """Print a text as it comes, and below it how fast it came; the exit status."""
    start, first, count, status = time.perf_counter(), 0.0, 0, INTERRUPTED
    with suppress(KeyboardInterrupt):
        for piece in pieces:
            count += 1
            first = first or time.perf_counter() - start
            print(piece, end="", flush=True)
        status = 0
    print()
    took = time.perf_counter() - start - first
    rate = f", then {(count - 1) / took:.1f} a second" if count > 1 and took else ""
    console.print(f"the first token after {first:.1f} s{rate}\n", style="dim")
    return status
