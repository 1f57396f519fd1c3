"""What the graduation run trains on, how large a GPT, and for how long: the presets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import corpus


@dataclass(frozen=True)
class Preset:
    """What to train on, how large a GPT, and for how long; the name is that of its folder in `runs/`."""

    name: str
    corpus: Callable[[], corpus.Corpus]
    context_length: int
    batch_size: int
    steps: int
    peak: float  # learning rate
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
