"""Published weights in the learner's own parts: found, checked, and read into the GPT of k10 or the Llama of k24."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..curriculum.catalog import Catalog
from ..spec.byte_pairs import GPT2_PATTERN, gpt2_ranks
from ..system import data_files
from ..system.command import command
from ..system.data_files import DataError
from .cached_llama import CachedLlama
from .gguf_file import GGUFFile, Vocabulary, again
from .model import GPT, Parts, parts
from .presets import Preset

MODELS = "gpt2", "smollm2"  # what `make data WEIGHTS=…` fetches
# The katas whose code takes part in each.
OF_GPT2 = ("k01", "k03", "k04", "k06", "k07", "k08", "k09", "k10", "k13", "k18", "k20", "k22")
OF_LLAMA = ("k01", "k04", "k06", "k13", "k16", "k18", "k20", "k24")
END = "<|endoftext|>"  # what stands between two texts that the models were trained on
PEAK = 2.4  # times the weights: what is in memory while they are read, with what torch itself takes
HEAD_WIDTH = 64  # of every GPT-2 that was published; its file says the width of all heads together


def find(weights: str) -> Path:
    """The file of a model's weights: that of its name, checked, or the path itself. Raises DataError."""
    if weights in MODELS:
        (source,) = data_files.sources(weights=weights).values()
        return data_files.locate(source)
    path = Path(weights)
    if not path.is_file():
        names = f"{' or '.join(MODELS)}, or the path of a file of weights"
        fetch = command("data", WEIGHTS="smollm2" if path.suffix == ".gguf" else "gpt2")
        raise DataError(f"WEIGHTS is {names}; there is no file {weights}. Fetch one: {fetch}")
    return path


class Tokenizer:
    """The tokens of a published model: k20's tokenizer, which knows special tokens and builds on that of k01."""

    def __init__(self, parts: Parts, vocabulary: Vocabulary) -> None:
        self.special, self.vocab_size = vocabulary.special, len(vocabulary.ranks) + len(vocabulary.special)
        lacking = [byte for byte in map(bytes, zip(range(256))) if byte not in vocabulary.ranks]  # k01 needs them all
        ranks = vocabulary.ranks | {byte: self.vocab_size + n for n, byte in enumerate(lacking)}
        self._own = parts["k20"].SpecialTokenizer(ranks, vocabulary.pattern, self.special)

    def encode(self, text: str) -> list[int]:
        """The ids of a text, special tokens included; a byte that the vocabulary lacks is left out."""
        text = text.encode("utf-8", "replace").decode()  # what came broken from a terminal
        return [i for i in self._own.encode(text, self.special) if i < self.vocab_size]

    def decode(self, ids: list[int]) -> str:
        """The text of ids; bytes that are no valid UTF-8 become the replacement character."""
        text: str = self._own.decode(ids)
        return text


@dataclass(frozen=True, kw_only=True)
class Pretrained(GPT):
    """A published model in the learner's own parts."""

    whose: dict[str, str]  # the owner of each part, by its code
    template: str = ""  # how a conversation becomes a text, in the language of Jinja2

    def begin(self, prompt: str) -> torch.Tensor:
        """The tokens of a prompt, (1, T); without one, the end of the text before. Raises DataError for too many."""
        ids, context = self.encode(prompt or END), self.preset.context_length
        if ids.shape[1] == 0:
            raise DataError(f"No token stands for {prompt!r}: give the model something that it can read.")
        if ids.shape[1] >= context:
            raise DataError(f"The prompt has {ids.shape[1]:,} tokens, and the model reads {context:,} at once: cut it.")
        return ids


class PretrainedLlama(Pretrained):
    """A Llama, which k15 and k18 do not know: its cache is put together here."""

    def reader(self) -> CachedLlama:
        """What reads each token once."""
        return CachedLlama(self.parts, self.model, self.preset.context_length)

    def attention(self, text: str) -> Tensor:
        """The weights of every layer and head, (layers, 1, h, T, T), of the text's tokens that fit the context."""
        return self.reader().attention(self.encode(text)[:, : self.preset.context_length])


def load(catalog: Catalog, solved: frozenset[str], weights: str) -> Pretrained:
    """A model by its name, or by the path of its file: a GPT-2's safetensors or a Llama's GGUF. Raises DataError."""
    path = find(weights)
    llama = path.suffix == ".gguf"
    modules, whose = parts(catalog, solved, OF_LLAMA if llama else OF_GPT2)
    _need_memory(path)
    try:
        return _llama(modules, whose, path) if llama else _gpt2(modules, whose, path)
    except (MemoryError, RuntimeError) as error:
        raise DataError(f"{path.name} does not fit into memory, or into the model: {error}") from error


def _need_memory(path: Path) -> None:
    """Raise DataError where the model would not fit into the memory that is free."""
    each = 7.0 if path.suffix == ".gguf" else 1.0  # bytes in float32 for a byte of the file, where that has 4 bits
    needed, free = path.stat().st_size * each * PEAK, _free_memory()
    if needed > free:
        raise DataError(
            f"{path.name} needs about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free: "
            "close what else is open, or take a smaller model."
        )


def _free_memory() -> float:
    """Bytes of memory that are free, or all where the system tells no more."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        return int(text.partition("MemAvailable:")[2].split()[0]) * 1024.0
    except (OSError, ValueError, IndexError):
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
        return float(pages) or float("inf")


def _gpt2(modules: Parts, whose: dict[str, str], path: Path) -> Pretrained:
    ranks = gpt2_ranks()
    vocabulary = Vocabulary(ranks, GPT2_PATTERN, {END: len(ranks)}, stop_id=len(ranks))
    tokenizer, model = Tokenizer(modules, vocabulary), load_gpt2(modules, str(path))
    sizes: Any = model.config
    if sizes.vocab_size != tokenizer.vocab_size:
        counts = f"{sizes.vocab_size:,} tokens, and GPT-2 has {tokenizer.vocab_size:,}"
        raise DataError(f"{path} holds a model of {counts}: nothing here can turn its tokens into text.")
    return Pretrained(
        origin=f"the GPT-2 in {path.name}",
        parts=modules,
        preset=_preset(sizes),
        tokenizer=tokenizer,
        model=model,
        stop_id=vocabulary.stop_id,
        whose=whose,
    )


def _llama(modules: Parts, whose: dict[str, str], path: Path) -> Pretrained:
    file, k24 = GGUFFile(path), modules["k24"]
    vocabulary = file.vocabulary
    try:
        model = k24.Llama(k24.LlamaConfig(**file.sizes))
        weights = file.weights(k24.unpermute)
        k24.load_llama(model, weights)
    except (ValueError, KeyError) as error:
        raise DataError(f"{path} cannot be used as a Llama's weights: {error}. {again()}") from error
    if weights.left:
        raise DataError(f"{path} holds {min(weights.left)}, which has no place in the Llama of k24. {again()}")
    return PretrainedLlama(
        origin=path.stem,
        parts=modules,
        preset=_preset(model.config),
        tokenizer=Tokenizer(modules, vocabulary),
        model=model.eval(),
        stop_id=vocabulary.stop_id,
        whose=whose,
        template=file.get("tokenizer.chat_template", ""),
    )


def _preset(config: Any) -> Preset:
    """The sizes of a model that is not trained here."""
    sizes = {name: getattr(config, name) for name in ("context_length", "emb_dim", "num_heads", "num_layers")}
    return Preset("pretrained", None, batch_size=1, steps=0, peak=0.0, **sizes)


def load_gpt2(parts: Parts, weights: str = "gpt2") -> nn.Module:
    """The GPT of k10 with a published GPT-2's weights, in eval mode; `weights` is "gpt2" or a safetensors file's path.

    The sizes are those of `config.json` beside the file; where there is none, those of the tensors, in heads that are
    64 wide. Its vocabulary is that of GPT-2's tokens and one more, the end of a text.

    Raises:
        DataError: there is no such file, or it is damaged, or holds another model.
    """
    path, k22 = find(weights), parts["k22"]
    try:
        tensors: dict[str, Tensor] = k22.read_safetensors(path)
        model = parts["k10"].GPT(k22.gpt2_config(_config(path, tensors)))
        k22.load_gpt2(model, tensors)
    except (k22.WeightsError, OSError, json.JSONDecodeError) as error:
        raise DataError(f"{path} cannot be used as a GPT-2's weights: {error}. {_instead(weights)}") from error
    except (MemoryError, RuntimeError) as error:
        raise DataError(f"{path} does not fit into memory: {error}") from error
    return model.eval()


def _instead(weights: str) -> str:
    what = "Move it away and fetch it anew" if weights in MODELS else "The published ones do"
    return f"{what}: {command('data', WEIGHTS='gpt2')}"


def _config(path: Path, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """The sizes of a GPT-2, as its `config.json` has them."""
    beside = path.with_name("config.json")
    if beside.is_file():
        config: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8"))
        return config
    shapes = {name.removeprefix("transformer."): list(each.shape) for name, each in tensors.items()}
    words, places = shapes.get("wte.weight", []), shapes.get("wpe.weight", [])
    if len(words) != 2 or len(places) != 2:
        raise DataError(
            f"{path} holds no GPT-2: its tensors wte.weight and wpe.weight, the embeddings, are not there. "
            f"{_instead(str(path))}"
        )
    layers = {name.split(".")[1] for name in shapes if name.startswith("h.")}
    sizes = {"vocab_size": words[0], "n_embd": words[1], "n_positions": places[0], "n_layer": len(layers)}
    return sizes | {"n_head": max(1, words[1] // HEAD_WIDTH)}
