"""GPT with blocks in a Sequential, first values by `apply`, and the residual ones found by their names."""

from dataclasses import dataclass

import torch
from torch import nn

from ..k03_embeddings.embeddings import GPTEmbedding
from ..k07_layer_norm.layer_norm import LayerNorm
from ..k09_residual_block.residual_block import TransformerBlock


@dataclass(frozen=True)
class GPTConfig:
    vocab_size: int
    context_length: int
    emb_dim: int
    num_heads: int
    num_layers: int
    dropout: float = 0.1
    qkv_bias: bool = False
    tie_weights: bool = False


GPT2_SMALL = GPTConfig(50257, 1024, 768, 12, 12)
SHAKESPEARE_CPU = GPTConfig(65, 64, 128, 4, 4, dropout=0.0)
TINY = GPTConfig(32, 16, 32, 2, 2, dropout=0.0)


def count_parameters(model):
    seen, total = set(), 0
    for parameter in model.parameters():
        if parameter not in seen:
            seen.add(parameter)
            total += parameter.numel()
    return total


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = config
        self.embedding = GPTEmbedding(c.vocab_size, c.context_length, c.emb_dim, c.dropout)
        self.blocks = nn.Sequential(
            *[
                TransformerBlock(c.emb_dim, c.context_length, c.num_heads, c.dropout, c.qkv_bias)
                for _ in range(c.num_layers)
            ]
        )
        self.final_norm = LayerNorm(c.emb_dim)
        self.lm_head = nn.Linear(c.emb_dim, c.vocab_size, bias=False)
        if c.tie_weights:
            self.embedding.tok_emb.weight = self.lm_head.weight
        self.apply(self._init_weights)
        for name, parameter in self.named_parameters():
            if name.endswith(("out_proj.weight", "down.weight")):
                torch.nn.init.normal_(parameter, mean=0.0, std=0.02 * (2 * c.num_layers) ** -0.5)

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            torch.nn.init.normal_(module.weight, mean=0.0, std=0.02)
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            torch.nn.init.normal_(module.weight, mean=0.0, std=0.02)

    def forward(self, ids):
        return self.lm_head(self.final_norm(self.blocks(self.embedding(ids))))
