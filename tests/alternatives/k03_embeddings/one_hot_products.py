"""Tables are reached by one-hot rows times the table; positions are a buffer; smallest and largest id are checked."""

import torch
import torch.nn.functional as F
from torch import nn


def lookup(ids, table):
    return F.one_hot(ids, num_classes=table.size(0)).to(table.dtype) @ table


class GPTEmbedding(nn.Module):
    def __init__(self, vocab_size, context_length, emb_dim, dropout=0.0):
        super().__init__()
        self.vocab_size, self.context_length = vocab_size, context_length
        self.tok_emb = nn.Embedding(vocab_size, emb_dim)
        self.pos_emb = nn.Embedding(context_length, emb_dim)
        nn.init.normal_(self.tok_emb.weight, std=0.02)
        nn.init.normal_(self.pos_emb.weight, std=0.01)
        self.register_buffer("positions", torch.arange(context_length)[None])
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, ids):
        if not isinstance(ids, torch.Tensor) or ids.dtype not in (torch.int64, torch.int32):
            raise TypeError("integer ids, please")
        if ids.shape[-1] > self.context_length:
            raise IndexError(f"context_length={self.context_length} < {ids.shape[-1]} = number of tokens")
        low, high = ids.min().item(), ids.max().item()
        if low < 0 or high >= self.vocab_size:
            raise IndexError(f"ids from {low} to {high} for a vocabulary of {self.vocab_size}")
        x = lookup(ids, self.tok_emb.weight)
        x = x + lookup(self.positions[:, : ids.shape[-1]], self.pos_emb.weight)
        return self.dropout(x)
