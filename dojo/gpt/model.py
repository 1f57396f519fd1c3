"""A GPT put together from the katas' parts, the learner's own where they are solved: built, and writing text."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch

from ..curriculum.catalog import Catalog
from ..sandbox.loader import Workspace
from ..system.files import content_hash
from .presets import Preset

USED = tuple(f"k{number:02}" for number in range(1, 16))  # the katas whose code takes part in every run
ADAPTED = ("W_query", "W_key", "W_value", "out_proj", "up", "down")  # the layers beside which LoRA learns
LONGEST = 4  # bytes of a character, so that as many tokens can stand for it
Parts = dict[str, ModuleType]  # the modules of the katas, by code


def parts(catalog: Catalog, solved: frozenset[str], used: Collection[str] = USED) -> tuple[Parts, dict[str, str]]:
    """The katas' modules by code, and whose each that is `used` is: "reference" or the hash of the learner's file."""
    whose = {k.code: content_hash(k.file) if k.slug in solved else "reference" for k in catalog.katas if k.code in used}
    return Workspace(catalog, solved).parts(), {code: owner or "reference" for code, owner in whose.items()}


def say_whose(catalog: Catalog, whose: dict[str, str]) -> str:
    """Whose the parts are that a model is made of, in words."""
    titles = {kata.code: kata.title for kata in catalog.katas}
    yours = [f"{code} {titles[code]}" for code, owner in whose.items() if owner != "reference"]
    theirs = [code for code, owner in whose.items() if owner == "reference"]
    if not yours:
        return "Every part of it is the reference's."
    if theirs:
        return f"Yours: {', '.join(yours)}\nThe reference's: {', '.join(theirs)}"
    return "Every part of it is yours."


def build_model(parts: Parts, preset: Preset, vocab_size: int) -> torch.nn.Module:
    """A GPT of the preset's sizes; `vocab_size` is the tokenizer's, where the preset has none."""
    k10 = parts["k10"]
    sizes = (
        preset.vocab_size or vocab_size,
        preset.context_length,
        preset.emb_dim,
        preset.num_heads,
        preset.num_layers,
    )
    options = {"dropout": preset.dropout, "qkv_bias": preset.qkv_bias, "tie_weights": preset.tie_weights}
    return k10.GPT(k10.GPTConfig(*sizes, **options))


def add_lora(parts: Parts, model: torch.nn.Module, rank: int) -> None:
    """Freeze a GPT, and put beside its linear layers what is trained, by k23. ValueError: too large a rank."""
    parts["k23"].add_lora(model, ADAPTED, rank, alpha=2.0 * rank)


@dataclass(frozen=True)
class GPT:
    """A model with what it takes to use it."""

    origin: str  # in words: which model this is
    parts: Parts
    preset: Preset
    tokenizer: Any  # see `tokens.tokenizer`
    model: torch.nn.Module
    kind: str = "characters"  # of its tokens
    vocabulary: str = ""  # of the tokenizer, where it takes one
    stop_id: int | None = None  # the token that ends a text

    def write(self, prompt: str, characters: int, generator: torch.Generator, temperature: float = 0.8) -> str:
        """The prompt and what the model writes after it. Raises ValueError for a character it does not know."""
        ids = self._draw(self.model, self.encode(prompt), characters, generator, temperature)
        return self._text(ids[0].tolist())

    def stream(self, prompt: str, characters: int, generator: torch.Generator, count: int = 1) -> Iterator[list[str]]:
        """What the model writes after the prompt, a token at a time, of `count` texts at once.

        A single text is that of `write` with an equal generator. What was read is kept (k18) for as long as the text
        fits into the context; past it every position moves with each character, and the window is read anew. Raises
        ValueError, at once, for a character the model does not know.
        """
        ids = self.encode(prompt).repeat(count, 1)  # (count, T)

        def texts(ids: torch.Tensor) -> Iterator[list[str]]:
            waiting: list[list[int]] = [[] for _ in range(count)]  # tokens that end amid a character
            for grown in self.grow(ids, characters, generator):
                yield [self.shown(kept, token) for kept, token in zip(waiting, grown[:, -1].tolist())]

        return texts(ids)

    def grow(
        self, ids: torch.Tensor, tokens: int, generator: torch.Generator, reader: Any = None, **options: Any
    ) -> Iterator[torch.Tensor]:
        """The ids, (B, T), with one token more each time, up to so many or to the end of the text; `options` are k13's.

        `reader` reads what fits into the context; without it, one that knows no text yet.
        """
        context, reader = self.preset.context_length, reader or self.reader()
        for _ in range(tokens):
            ids = self._draw(reader if ids.shape[1] <= context else self.model, ids, 1, generator, **options)
            if self.stop_id is not None and (ids[:, -1] == self.stop_id).all():
                return
            yield ids

    def reader(self) -> Any:
        """What gives the logits after a text, and reads each token once for as long as the text only grows (k18)."""
        return self.parts["k18"].CachedGPT(self.model, self.preset.num_heads, self.preset.context_length)

    def shown(self, waiting: list[int], token: int) -> str:
        """The text that a token adds; nothing as long as it may end amid a character, whose bytes are waited for."""
        waiting.append(token)
        text = self._text(waiting)
        if text.endswith("\ufffd") and len(waiting) < LONGEST:
            return ""
        waiting.clear()
        return text

    def _text(self, ids: list[int]) -> str:
        """The text of tokens; a published model knows one more, the end of a text, which is none."""
        text: str = self.tokenizer.decode([each for each in ids if each < self.tokenizer.vocab_size])
        return text

    def tokens(self, text: str) -> list[str]:
        """The tokens of a text, each as text."""
        return [self.tokenizer.decode([token]) for token in self.tokenizer.encode(text)]

    def attention(self, text: str) -> torch.Tensor:
        """The weights of every layer and head, (layers, 1, h, T, T), of each token of a text on each.

        Of a text that is longer than the context, the tokens at its beginning.
        """
        return self.parts["k15"].attention_weights(self.model, self.encode(text)[:, : self.preset.context_length])

    def encode(self, text: str) -> torch.Tensor:
        """The tokens of a text, (1, T). Raises ValueError for a character the model does not know."""
        return torch.tensor([self.tokenizer.encode(text)])

    def _draw(
        self,
        reader: Any,
        ids: torch.Tensor,
        tokens: int,
        generator: torch.Generator,
        temperature: float = 0.8,
        **options: Any,
    ) -> torch.Tensor:
        options |= {"context_length": self.preset.context_length, "temperature": temperature, "generator": generator}
        return self.parts["k13"].generate(reader, ids, tokens, **options)
