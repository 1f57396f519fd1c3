"""Attention maps of a text: every layer and head of a trained model, as a picture."""

from __future__ import annotations

from collections.abc import Callable, Container
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn
from rich.text import Text

from ..curriculum.catalog import Catalog
from ..gpt.model import GPT
from ..gpt.pretrained import load
from ..gpt.trained import QUICK, SECONDS, NotTrained, finished, kept_reference, latest, train_reference
from ..gpt.training import Interrupted, Run
from ..system.command import command
from ..system.console import progress_bar
from ..system.data_files import DataError
from .heads import MANY, draw_heads
from .run import attention_maps

TEXT = "To be, or not to be"
MARKED = 3  # most attended tokens


class UnknownText(ValueError):
    """A text with characters that the model does not know; the message names them."""


def attend(gpt: GPT, text: str, say: Callable[[str], None]) -> tuple[list[str], torch.Tensor, list[float]]:
    """The tokens of a text, the weights (layers, h, T, T) of each on each, and each one's importance.

    A text longer than the model's context is cropped, and `say` is called with a line on it. Raises UnknownText.
    """
    stoi = getattr(gpt.tokenizer, "stoi", None)  # of characters; bytes and pairs of them know every text
    if stoi is not None and (unknown := sorted(set(text) - set(stoi))):
        known = "".join(sorted(character for character in stoi if not character.isspace()))
        raise UnknownText(
            f"The model does not know {', '.join(map(repr, unknown))}: {gpt.origin} has read no such characters, only "
            f"white space and {known}\nThis works: {command('attention', TEXT=_readable(text, stoi))}"
        )
    context, tokens = gpt.preset.context_length, gpt.tokens(text)
    if len(tokens) > context:
        what = "tokens" if stoi is None else "characters"
        say(f"The text has {len(tokens)} {what} and the model sees {context} at once: the rest is left out.")
    weights = gpt.attention(text)  # (layers, 1, h, T, T)
    return tokens[:context], weights[:, 0], gpt.parts["k15"].importance(weights)[0].tolist()


def _readable(text: str, known: Container[str]) -> str:
    """The text nearest to this one that a model can read, or the usual one where little is left."""
    nearest = (next((c for c in (letter, letter.lower(), letter.upper()) if c in known), "") for letter in text)
    kept = " ".join("".join(nearest).split())
    return kept if len(kept) > len(text) / 2 else "".join(letter for letter in TEXT if letter in known)


def most_attended(importance: list[float]) -> list[int]:
    """The indices of the most important tokens, the most important first."""
    order = sorted(range(len(importance)), key=lambda index: -importance[index])
    return order[: min(MARKED, len(importance) // 2)]  # of a short text, not all


def draw(catalog: Catalog, solved: frozenset[str], text: str, name: str, console: Console, weights: str = "") -> int:
    """Draw the maps of a text, with the model of the run `name` or the latest, or a published one; the exit status."""
    try:
        gpt = load(catalog, solved, weights) if weights else _model(catalog, solved, name, console)
        tokens, maps, importance = attend(gpt, text or TEXT, lambda line: console.print(Text(line, "yellow")))
    except (NotTrained, DataError) as error:
        console.print(Text(str(error), "red"), soft_wrap=True)
        return 1
    except UnknownText as error:
        console.print(Text(str(error), "red"), soft_wrap=True)
        return 2
    except Interrupted:
        console.print("Stopped.")
        return 130
    target = catalog.root / "runs" / "attention.png"
    layers, heads = maps.shape[:2]
    try:
        target.parent.mkdir(exist_ok=True)
        seen = _picture(gpt, target, maps, tokens, importance)
    except OSError as error:
        console.print(Text(f"The picture could not be written to {target}: {error.strerror}.", "red"))
        return 1
    console.print(f"{layers} layers of {heads} heads, of {gpt.origin}")
    if seen:
        console.print(seen, soft_wrap=True)
    console.print("Written to runs/attention.png and runs/attention.svg", soft_wrap=True)
    return 0


def _picture(gpt: GPT, target: Path, maps: torch.Tensor, tokens: list[str], importance: list[float]) -> str:
    """Draw the maps, (layers, h, T, T), beside each other, and say what is marked there. Raises OSError."""
    marked, files = most_attended(importance), [target, target.with_suffix(".svg")]
    title, plot = f"{gpt.origin}: where each token looks", gpt.parts["k15"].plot_attention
    if maps.shape[0] * maps.shape[1] >= MANY:
        large = draw_heads(files, maps, tokens, plot, title)
        names = ", ".join(f"{layer + 1}.{head + 1}" for layer, head in large)
        return f"Drawn large, as layer.head: {names}: of those that look so many tokens back, the sharpest"
    attention_maps(files, maps, tokens, plot, title, marked)
    words = ", ".join(f"{tokens[at]!r} at place {at + 1} ({importance[at]:.2f})" for at in marked)
    return f"Most attended, as marked: {words}" if marked else ""


def _model(catalog: Catalog, solved: frozenset[str], name: str, console: Console) -> GPT:
    """The graduation model, or where there is none the reference, trained with a bar to be seen."""
    try:
        return latest(catalog, solved, name)
    except NotTrained as error:
        if name or finished(catalog.root):
            raise  # what was asked for, or is there, is not replaced by something else
        problem = str(error)
    try:
        return kept_reference(catalog)
    except NotTrained:
        console.print(f"{problem}\nUntil then the reference serves: it is trained now, for {SECONDS} seconds at most.")
    columns = "step {task.completed} of {task.total}", BarColumn(), "loss {task.fields[loss]:.3f}"
    with progress_bar(*columns, on=console) as bar:
        task = bar.add_task("", total=QUICK.steps, loss=float("nan"))

        def on_step(run: Run) -> None:
            bar.update(task, completed=run.step, loss=run.losses[-1])

        return train_reference(catalog, on_step)
