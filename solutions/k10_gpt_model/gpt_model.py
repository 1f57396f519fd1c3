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
    # <solution step=1>
    return sum(parameter.numel() for parameter in model.parameters())
    # </solution>


def initialise(model: nn.Module) -> None:
    """Give the linear layers and embeddings of `model`, a GPT, their first values, in place.

    Weights are drawn from N(0, 0.02²), biases are 0. In its `TransformerBlock`s, the weights of the two layers that
    write to the residual stream, `attention.out_proj` and `feed_forward.down`, are smaller by a factor √(2 · blocks).

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3.
    """
    # <solution step=2>
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    blocks = [module for module in model.modules() if isinstance(module, TransformerBlock)]
    for block in blocks:
        residual_std = 0.02 / math.sqrt(2 * len(blocks))
        nn.init.normal_(block.attention.out_proj.weight, std=residual_std)
        nn.init.normal_(block.feed_forward.down.weight, std=residual_std)
    # </solution>


class GPT(nn.Module):
    """A decoder-only transformer: from token ids to scores for the token that follows each of them."""

    def __init__(self, config: GPTConfig):
        """Make `embedding`, `blocks`, `final_norm` and `lm_head` (no bias), initialised.

        With `config.tie_weights`, `lm_head` and the token embedding share one weight.
        """
        super().__init__()
        self.config = config
        # <solution step=2>
        self.embedding = GPTEmbedding(config.vocab_size, config.context_length, config.emb_dim, config.dropout)
        self.blocks = nn.ModuleList(
            TransformerBlock(config.emb_dim, config.context_length, config.num_heads, config.dropout, config.qkv_bias)
            for _ in range(config.num_layers)
        )
        self.final_norm = LayerNorm(config.emb_dim)
        self.lm_head = nn.Linear(config.emb_dim, config.vocab_size, bias=False)
        if config.tie_weights:
            self.lm_head.weight = self.embedding.tok_emb.weight
        initialise(self)
        # </solution>

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Return the logits of the next token at every position; T may be anything up to the context length."""
        # <solution step=3>
        x = self.embedding(ids)  # (B, T, D)
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.final_norm(x))  # (B, T, V)
        # </solution>
