"""The GPT model: embedding, a stack of blocks, a last norm, and a score for every word of the vocabulary."""

import math
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn

from ..k03_embeddings.embeddings import GPTEmbedding
from ..k07_layer_norm.layer_norm import LayerNorm
from ..k09_residual_block.residual_block import TransformerBlock


@dataclass(frozen=True)
class GPTConfig:
    """The sizes of a GPT and the few choices it leaves open."""

    vocab_size: int
    context_length: int
    emb_dim: int
    num_heads: int
    num_layers: int
    dropout: float = 0.1
    qkv_bias: bool = False
    tie_weights: bool = False


GPT2_SMALL = GPTConfig(vocab_size=50257, context_length=1024, emb_dim=768, num_heads=12, num_layers=12)
SHAKESPEARE_CPU = GPTConfig(vocab_size=65, context_length=64, emb_dim=128, num_heads=4, num_layers=4, dropout=0.0)
TINY = GPTConfig(vocab_size=32, context_length=16, emb_dim=32, num_heads=2, num_layers=2, dropout=0.0)


def count_parameters(model: nn.Module) -> int:
    """Return how many numbers the parameters of `model` hold, frozen ones too; a tensor that two layers share counts once."""
    # Step 1: about 1 line.
    raise NotImplementedError("step 1")


def initialise(model: nn.Module) -> None:
    """Give the linear layers and embeddings of `model`, a GPT, their first values, in place.

    Weights are drawn from N(0, 0.02²), biases are 0. In its `TransformerBlock`s, the weights of the two layers that
    write to the residual stream, `attention.out_proj` and `feed_forward.down`, are smaller by a factor √(2 · blocks).

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3.
    """
    # Step 2: about 10 lines.
    raise NotImplementedError("step 2")


class GPT(nn.Module):
    """A decoder-only transformer: from token ids to scores for the token that follows each of them."""

    def __init__(self, config: GPTConfig):
        """Make `embedding`, `blocks`, `final_norm` and `lm_head` (no bias), initialised.

        With `config.tie_weights`, `lm_head` and the token embedding share one weight.
        """
        super().__init__()
        self.config = config
        # Step 2: about 10 lines.
        raise NotImplementedError("step 2")

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Return the logits of the next token at every position; T may be anything up to the context length."""
        # Step 3: about 4 lines.
        raise NotImplementedError("step 3")


# Stub 47c0ee48. `make reset` brings it back; you may delete this line.
