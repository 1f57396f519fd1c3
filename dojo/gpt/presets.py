"""What the graduation run trains: the presets, and a GPT put together from the katas' parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch

from ..curriculum.catalog import Catalog
from ..sandbox.loader import Workspace
from ..system.files import content_hash
from . import corpus

USED = tuple(f"k{number:02}" for number in range(1, 16))  # the katas whose code takes part


@dataclass(frozen=True)
class Preset:
    """What to train on, how large a GPT, and for how long."""

    name: str
    corpus: Callable[[], corpus.Corpus]
    context_length: int
    batch_size: int
    steps: int
    peak: float
    emb_dim: int = 128
    num_heads: int = 4
    num_layers: int = 4
    warmup: int = 100
    floor: float = 0.1  # of the peak
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.1
    evaluate_every: int = 250
    seed: int = 1337


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("verona", corpus.verona, context_length=64, batch_size=12, steps=1500, peak=3e-3),
        Preset("shakespeare", corpus.tinyshakespeare, context_length=64, batch_size=12, steps=2000, peak=3e-3),
    )
}


def parts(catalog: Catalog, solved: frozenset[str]) -> tuple[dict[str, ModuleType], dict[str, str]]:
    """The katas' modules by code, and whose each is: "reference" or the hash of the learner's file."""
    whose = {k.code: content_hash(k.file) if k.slug in solved else "reference" for k in catalog.katas if k.code in USED}
    return Workspace(catalog, solved).parts(), {code: owner or "reference" for code, owner in whose.items()}


def build_model(parts: dict[str, ModuleType], preset: Preset, vocab_size: int) -> torch.nn.Module:
    """A GPT of the preset's sizes, without dropout."""
    k10 = parts["k10"]
    sizes = (vocab_size, preset.context_length, preset.emb_dim, preset.num_heads, preset.num_layers)
    return k10.GPT(k10.GPTConfig(*sizes, dropout=0.0))


def continue_text(
    parts: dict[str, ModuleType],
    model: torch.nn.Module,
    tokenizer: Any,
    prompt: str,
    characters: int,
    preset: Preset,
    generator: torch.Generator | None = None,
    temperature: float = 0.8,
) -> str:
    """The prompt and what the model writes after it. Raises ValueError for a character the model does not know."""
    ids = torch.tensor([tokenizer.encode(prompt)])
    options = {"context_length": preset.context_length, "temperature": temperature, "generator": generator}
    return tokenizer.decode(parts["k13"].generate(model, ids, characters, **options)[0].tolist())


def write(
    parts: dict[str, ModuleType],
    model: torch.nn.Module,
    tokenizer: Any,
    prompt: str,
    characters: int,
    preset: Preset,
    generator: torch.Generator | None = None,
    temperature: float = 0.8,
    count: int = 1,
) -> Iterator[list[str]]:
    """What the model writes after the prompt, a character at a time, of `count` texts at once.

    A single text is that of `continue_text` with an equal generator. What was read is kept (k18) for as long as the
    text fits into the context; past it every position moves with each character, and the window is read anew.
    Raises ValueError, at once, for a character the model does not know.
    """
    ids = torch.tensor([tokenizer.encode(prompt)]).repeat(count, 1)  # (count, T)
    options = {"context_length": preset.context_length, "temperature": temperature, "generator": generator}

    def texts(ids: torch.Tensor) -> Iterator[list[str]]:
        cached = parts["k18"].CachedGPT(model, preset.num_heads, preset.context_length)
        for _ in range(characters):
            reader = cached if ids.shape[1] <= preset.context_length else model
            ids = parts["k13"].generate(reader, ids, 1, **options)
            yield [tokenizer.decode([token]) for token in ids[:, -1].tolist()]

    return texts(ids)
