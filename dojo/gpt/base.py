"""The trained model that a run goes on from: another run's, or a published one's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import pretrained
from .model import GPT, Parts
from .presets import FINETUNE, PRESETS
from .runs import FILE, Sizes
from .tokens import tokenizer
from .trained import NotTrained, finished, restore


def find_base(root: Path, parts: Parts, name: str) -> GPT:
    """The model of the run `name`, or of published weights: "gpt2", or the path of a safetensors file.

    Raises NotTrained where there is neither, DataError for weights that cannot be had or used.
    """
    folder = root / "runs" / name
    if (folder / FILE).is_file():
        if not finished(root, name):
            raise NotTrained(f"The run {name} has no trained model yet.")
        return restore(parts, folder)
    if name not in pretrained.MODELS and not Path(name).is_file():
        runs = ", ".join(sorted({each.name for each in finished(root)})) or "none yet"
        raise NotTrained(f"There is no model {name} to go on from. FROM is gpt2, or one of your runs: {runs}.")
    if name == "smollm2":
        raise NotTrained("FROM is gpt2, or one of your runs: smollm2 is no GPT of k10.")
    model = pretrained.load_gpt2(parts, name)
    return GPT(f"the weights {name}", parts, _preset(model.config), tokenizer(parts, "gpt2"), model, "gpt2")


def _preset(config: Any) -> Any:
    names = ("context_length", "emb_dim", "num_heads", "num_layers", "qkv_bias", "tie_weights", "vocab_size")
    return PRESETS[FINETUNE].of_sizes(Sizes(**{name: getattr(config, name) for name in names}))
