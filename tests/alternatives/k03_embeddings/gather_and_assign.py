"""Rows by index_select or gather; dropout by the functional form; positions are repeated for each row of the batch."""

import torch
from torch import nn


def lookup(ids, table):
    batch, tokens = ids.shape
    return torch.index_select(table, 0, ids.reshape(-1)).reshape(batch, tokens, -1)


class GPTEmbedding(nn.Module):
    def __init__(self, vocab_size, context_length, emb_dim, dropout=0.0):
        super().__init__()
        self.tok_emb = nn.Embedding(vocab_size, emb_dim)
        self.pos_emb = nn.Embedding(context_length, emb_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids):
        if ids.is_floating_point() or ids.is_complex():
            raise TypeError(f"ids of type {ids.dtype}: integers are needed to pick rows")
        B, T = ids.shape
        C, V = self.pos_emb.weight.shape[0], self.tok_emb.weight.shape[0]
        if T > C:
            raise ValueError(f"T = {T} > {C}")
        wrong = (ids < 0).logical_or(ids > V - 1).nonzero()
        if wrong.numel():
            b, t = wrong[0].tolist()
            raise ValueError(f"ids[{b}, {t}] = {ids[b, t].item()}, but vocab_size = {V}")
        places = torch.arange(0, T, dtype=torch.long, device=ids.device).unsqueeze(0).repeat(B, 1)
        where = self.pos_emb(places)
        what = self.tok_emb.forward(ids.contiguous())
        x = torch.zeros_like(what)
        x += what
        x += where
        return nn.functional.dropout(x, p=self.dropout.p, training=self.training)
