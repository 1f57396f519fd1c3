"""Places are counted up along each sequence; the lookup is an einsum of one-hot rows."""

import torch
import torch.nn.functional as F
from torch import nn


def lookup(ids, table):
    return torch.einsum("btv,vd->btd", F.one_hot(ids, table.shape[0]).to(table), table)


class GPTEmbedding(nn.Module):
    def __init__(self, vocab_size, context_length, emb_dim, dropout=0.0):
        super().__init__()
        self.tok_emb = nn.Embedding(vocab_size, emb_dim)
        self.pos_emb = nn.Embedding(context_length, emb_dim)
        self.dropout = nn.Dropout(dropout)
        pass

    def forward(self, ids):
        if ids.is_floating_point():
            raise TypeError("integers please")
        T = ids.shape[1]
        if T > self.pos_emb.num_embeddings:
            raise ValueError(f"{T} > {self.pos_emb.num_embeddings}")
        V = self.tok_emb.num_embeddings
        if not ids.is_meta:
            for i in ids.flatten().tolist():
                if not 0 <= i < V:
                    raise IndexError(f"id {i} not in 0..{V - 1}")
        p = torch.ones_like(ids).cumsum(1) - 1
        return self.dropout(self.tok_emb(ids) + self.pos_emb(p))
