"""GPT that writes its first values parameter by parameter, from torch.randn, scaling branch ends afterwards."""

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
    return sum({id(parameter): parameter.nelement() for parameter in model.parameters()}.values())


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.context_length = config.context_length
        self.lm_head = nn.Linear(config.emb_dim, config.vocab_size, bias=False)
        self.final_norm = LayerNorm(config.emb_dim)
        self.blocks = nn.ModuleList()
        while len(self.blocks) < config.num_layers:
            block = TransformerBlock(
                emb_dim=config.emb_dim,
                context_length=config.context_length,
                num_heads=config.num_heads,
                dropout=config.dropout,
                qkv_bias=config.qkv_bias,
            )
            self.blocks.append(block)
        self.embedding = GPTEmbedding(config.vocab_size, config.context_length, config.emb_dim, config.dropout)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if parameter.ndim == 2:
                    parameter.copy_(0.02 * torch.randn(parameter.shape))
                elif name.endswith("bias"):
                    parameter.zero_()
            for block in self.blocks:
                scale = torch.sqrt(torch.tensor(2.0 * config.num_layers))
                block.attention.out_proj.weight /= scale
                block.feed_forward.down.weight /= scale
        if config.tie_weights:
            self.lm_head.weight = self.embedding.tok_emb.weight

    def forward(self, ids):
        if ids.shape[1] > self.context_length:
            raise IndexError(f"got {ids.shape[1]} tokens, at most {self.context_length} fit")
        stream = self.embedding(ids)
        for index in range(len(self.blocks)):
            stream = self.blocks[index](stream)
        return torch.einsum("btd,vd->btv", self.final_norm(stream), self.lm_head.weight)
