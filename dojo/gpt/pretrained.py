"""Published weights in the learner's own GPT: found, checked, read through k22 and written into the GPT of k10."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..system import data_files
from ..system.command import command
from ..system.data_files import DataError
from .model import Parts

MODELS = "gpt2", "smollm2"  # what `make data WEIGHTS=…` fetches
HEAD_WIDTH = 64  # of every GPT-2 that was published; its file says the width of all heads together


def find(weights: str) -> Path:
    """The file of a model's weights: that of its name, checked, or the path itself. Raises DataError."""
    if weights in MODELS:
        (source,) = data_files.sources(weights=weights).values()
        return data_files.locate(source)
    path = Path(weights)
    if not path.is_file():
        names = f"{' or '.join(MODELS)}, or the path of a file of weights"
        raise DataError(f"WEIGHTS is {names}; there is no file {weights}. Fetch one: {command('data', WEIGHTS='gpt2')}")
    return path


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
