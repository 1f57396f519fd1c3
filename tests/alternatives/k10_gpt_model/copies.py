"""GPT made of copies of one block that are drawn anew; its first values need numbers, which the meta device has not."""

import copy
import math
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
    return sum(math.prod(parameter.shape) for parameter in set(model.parameters()))


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embedding = GPTEmbedding(config.vocab_size, config.context_length, config.emb_dim, config.dropout)
        block = TransformerBlock(
            config.emb_dim, config.context_length, config.num_heads, config.dropout, config.qkv_bias
        )
        self.blocks = nn.ModuleList(copy.deepcopy(block) for _ in range(config.num_layers))
        self.final_norm = LayerNorm(config.emb_dim)
        self.lm_head = nn.Linear(config.emb_dim, config.vocab_size, bias=False)
        self.initialise_all(config.num_layers)
        if config.tie_weights:
            self.lm_head.weight = self.embedding.tok_emb.weight

    def initialise_all(self, num_layers):
        for name, module in self.named_modules():
            if not isinstance(module, (nn.Linear, nn.Embedding)):
                continue
            ends_a_branch = name.endswith(("attention.out_proj", "feed_forward.down"))
            std = 0.02 / math.sqrt(2 * num_layers) if ends_a_branch else 0.02
            numbers = torch.normal(0.0, std, size=module.weight.shape, device="cpu")
            assert math.isfinite(numbers.sum().item() + module.weight.detach().sum().item())
            module.weight.data = numbers
            if getattr(module, "bias", None) is not None:
                module.bias.data = torch.zeros(module.bias.shape)

    def forward(self, ids):
        x = self.embedding(ids)
        for block in iter(self.blocks):
            x = block(x)
        x = self.final_norm(x)
        return self.lm_head(x)
