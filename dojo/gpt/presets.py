"""What the graduation run trains on, how large a GPT, and for how long: the presets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import corpus


@dataclass(frozen=True)
class Preset:
    """What to train on, how large a GPT, and for how long; the name is that of its folder in `runs/`."""

    name: str
    corpus: Callable[[], corpus.Corpus] | None  # None where a text of one's own is needed
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
    dropout: float = 0.0
    kind: str = "characters"  # of tokens, where a text of one's own does not say
    accumulate: int = 1  # parts of a batch whose gradients are summed


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("verona", corpus.verona, context_length=64, batch_size=12, steps=1500, peak=3e-3),
        Preset("shakespeare", corpus.tinyshakespeare, context_length=64, batch_size=12, steps=2000, peak=3e-3),
        # The sizes and the schedule of nanoGPT's config/train_shakespeare_char.py, which is for a GPU.
        Preset(
            "nanogpt",
            corpus.tinyshakespeare,
            context_length=256,
            batch_size=64,
            steps=5000,
            peak=1e-3,
            emb_dim=384,
            num_heads=6,
            num_layers=6,
            dropout=0.2,
        ),
        # Of its config/train_gpt2.py, on a text of one's own: 124 million parameters, half a million tokens a step.
        Preset(
            "gpt2",
            None,
            context_length=1024,
            batch_size=480,
            steps=600_000,
            peak=6e-4,
            emb_dim=768,
            num_heads=12,
            num_layers=12,
            warmup=2000,
            betas=(0.9, 0.95),
            evaluate_every=1000,
            kind="gpt2",
            accumulate=40,
        ),
    )
}
