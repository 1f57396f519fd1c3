"""Takes the first T rows of the position table, looks at ids one by one, and drops entries by a mask of its own."""

import torch
from torch import nn


def lookup(ids, table):
    return torch.stack([torch.stack([table[i] for i in row]) for row in ids])


class Dropout(nn.Module):
    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if not self.training or self.rate == 0.0:
            return x
        keep = torch.empty_like(x).bernoulli_(1 - self.rate)
        return x * keep / (1 - self.rate)


class GPTEmbedding(nn.Module):
    def __init__(self, vocab_size, context_length, emb_dim, dropout=0.0):
        super().__init__()
        self.pos_emb = nn.Embedding(num_embeddings=context_length, embedding_dim=emb_dim)
        self.tok_emb = nn.Embedding(num_embeddings=vocab_size, embedding_dim=emb_dim)
        self.dropout = Dropout(dropout)

    def forward(self, ids):
        rows = len(self.tok_emb.weight)
        places = self.pos_emb.weight
        if torch.is_floating_point(ids):
            raise TypeError(f"{ids.dtype} cannot be looked up")
        if ids.size(1) > len(places):
            raise ValueError(f"got {ids.size(1)} tokens, have {len(places)} places")
        for sequence in ids.tolist():
            for token in sequence:
                if not 0 <= token < rows:
                    raise ValueError(f"there is no token {token}")
        return self.dropout(torch.add(self.tok_emb(ids), places[: ids.size(1)]))
