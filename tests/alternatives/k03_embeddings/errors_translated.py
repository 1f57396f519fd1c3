"""Positions are counted by a running sum and moved to where the ids are; functional embedding; `all` in the checks."""

import torch
import torch.nn.functional as F
from torch import nn


def lookup(ids, table):
    return F.embedding(ids, table)


class GPTEmbedding(nn.Module):
    def __init__(self, vocab_size, context_length, emb_dim, dropout=0.0):
        super().__init__()
        self.tok_emb, self.pos_emb = nn.Embedding(vocab_size, emb_dim), nn.Embedding(context_length, emb_dim)
        self.dropout = nn.Dropout(dropout)
        self.limits = {"tokens": vocab_size, "places": context_length}

    def refuse(self, ids):
        kinds = {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
        if ids.dtype not in kinds:
            raise TypeError(f"expected one of {kinds}")
        length = ids.shape[1]
        if not length <= self.limits["places"]:
            raise ValueError(f"sequence length {length} exceeds maximum {self.limits['places']}")
        known = torch.logical_and(ids.ge(0), ids.lt(self.limits["tokens"]))
        if not known.all():
            strange = sorted(set(ids[~known].tolist()))
            raise ValueError(f"unknown ids: {strange}")

    def forward(self, ids):
        self.refuse(ids)
        counted = torch.cumsum(torch.ones(ids.shape[1], dtype=torch.int64), dim=0) - 1
        summed = lookup(ids, self.tok_emb.weight) + lookup(counted.to(ids.device).expand_as(ids), self.pos_emb.weight)
        return self.dropout(summed)
