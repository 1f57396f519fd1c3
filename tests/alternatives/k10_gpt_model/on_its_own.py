"""GPT with an embedding and blocks of its own making: nothing of the earlier katas but their names."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


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


GPT2_SMALL = GPTConfig(vocab_size=50257, context_length=1024, emb_dim=768, num_heads=12, num_layers=12)
SHAKESPEARE_CPU = GPTConfig(65, 64, 128, 4, 4, 0.0)
TINY = GPTConfig(32, 16, 32, 2, 2, 0.0)


def count_parameters(model):
    return int(sum(torch.tensor(parameter.size()).prod().item() for parameter in model.parameters()))


class Embedding(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.tok_emb = nn.Embedding(config.vocab_size, config.emb_dim)
        self.pos_emb = nn.Embedding(config.context_length, config.emb_dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, ids):
        return self.dropout(self.tok_emb(ids) + self.pos_emb.weight[: ids.shape[-1]])


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.emb_dim
        self.W_query, self.W_key, self.W_value = (nn.Linear(D, D, bias=config.qkv_bias) for _ in range(3))
        self.out_proj = nn.Linear(D, D)
        self.dropout = nn.Dropout(config.dropout)
        self.heads = config.num_heads

    def forward(self, x):
        q, k, v = (layer(x).unflatten(-1, (self.heads, -1)) for layer in (self.W_query, self.W_key, self.W_value))
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(q.shape[-1])
        visible = torch.ones(scores.shape[-2:], dtype=torch.bool, device=x.device).tril()
        weights = F.softmax(scores.where(visible, -torch.inf), dim=-1)
        return self.out_proj(torch.einsum("bhqk,bkhd->bqhd", self.dropout(weights), v).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, D):
        super().__init__()
        self.up, self.down = nn.Linear(D, 4 * D), nn.Linear(4 * D, D)

    def forward(self, x):
        return self.down(F.gelu(self.up(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(config.emb_dim), nn.LayerNorm(config.emb_dim)
        self.attention, self.feed_forward = Attention(config), FeedForward(config.emb_dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x):
        x = x + self.dropout(self.attention(self.norm1(x)))
        return x + self.dropout(self.feed_forward(self.norm2(x)))


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embedding = Embedding(config)
        self.blocks = nn.ModuleList(map(Block, [config] * config.num_layers))
        self.final_norm = nn.LayerNorm(config.emb_dim)
        self.lm_head = nn.Linear(config.emb_dim, config.vocab_size, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                module.weight.data.normal_(0.0, 0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                module.bias.data.zero_()
            if isinstance(module, Block):
                module.residual = [module.attention.out_proj.weight, module.feed_forward.down.weight]
        for block in self.blocks:
            for weight in block.residual:
                weight.data.normal_(0.0, 0.02 / math.sqrt(2 * config.num_layers))
            del block.residual
        if config.tie_weights:
            self.embedding.tok_emb.weight = self.lm_head.weight

    def forward(self, ids):
        B, T = ids.shape
        if T > self.config.context_length:
            raise ValueError(f"T = {T} is more than the context length, {self.config.context_length}")
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.final_norm(x))
