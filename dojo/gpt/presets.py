"""What the graduation run trains on, how large a GPT, and for how long: the presets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from . import corpus
from .runs import Sizes

LORA_PEAK = 10.0  # times the learning rate of all weights


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
    qkv_bias: bool = False
    tie_weights: bool = False
    vocab_size: int = 0  # 0: that of the tokenizer

    @property
    def sizes(self) -> Sizes:
        """The sizes of its GPT."""
        given = (self.context_length, self.emb_dim, self.num_heads, self.num_layers)
        return Sizes(*given, self.qkv_bias, self.tie_weights, self.vocab_size)

    def for_lora(self) -> Preset:
        """The same where little is trained, from nothing, beside weights that stay: in larger steps."""
        return replace(self, peak=LORA_PEAK * self.peak)

    def of_sizes(self, sizes: Sizes | None) -> Preset:
        """The same for a GPT of other sizes."""
        return replace(self, **asdict(sizes)) if sizes else self


FINETUNE = "finetune"  # the preset where a trained model is gone on from, and none is named
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
        # Of its config/finetune_shakespeare.py, but smaller batches; the sizes are those of the model that is gone on
        # from. What a model knows is kept by small steps.
        Preset(
            FINETUNE,
            None,
            context_length=64,
            batch_size=8,
            steps=200,
            peak=3e-5,
            warmup=20,
            floor=1.0,
            evaluate_every=50,
        ),
    )
}
