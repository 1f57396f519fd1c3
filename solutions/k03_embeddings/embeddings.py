"""Embeddings: every token becomes a vector that knows what the token is and where it stands."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def lookup(ids: Int[Tensor, "B T"], table: Float[Tensor, "V D"]) -> Float[Tensor, "B T D"]:
    """Return, for every id, the row of `table` with that number."""
    # <solution step=1>
    return table[ids]
    # </solution>


class GPTEmbedding(nn.Module):
    """Token embedding plus a learned embedding of the position, as in GPT-2."""

    def __init__(self, vocab_size: int, context_length: int, emb_dim: int, dropout: float = 0.0):
        """Make the `nn.Embedding` tables `tok_emb` and `pos_emb`, with rows of `emb_dim`, and the module `dropout`."""
        super().__init__()
        # <solution step=2>
        self.tok_emb = nn.Embedding(vocab_size, emb_dim)
        self.pos_emb = nn.Embedding(context_length, emb_dim)
        self.dropout = nn.Dropout(dropout)
        # </solution>

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        """Return the embedding of every token at its place; T may be anything up to the context length.

        Raises TypeError for ids that are not integers; ValueError for more tokens than the context length, with
        both numbers, and for an id outside the vocabulary, with the id.
        """
        # <solution step=3>
        T, context_length, vocab_size = ids.shape[1], self.pos_emb.num_embeddings, self.tok_emb.num_embeddings
        if ids.is_floating_point():
            raise TypeError(f"ids must be integers, got {ids.dtype}")
        if T > context_length:
            raise ValueError(f"{T} tokens do not fit into a context of {context_length}")
        if not ids.is_meta:  # a meta tensor has a shape and no values to look at
            outside = ids[(ids < 0) | (ids >= vocab_size)]
            if len(outside) > 0:
                raise ValueError(f"id {outside[0]} is outside the vocabulary, 0 to {vocab_size - 1}")
        # </solution>
        # <solution step=4>
        positions = torch.arange(ids.shape[1], device=ids.device)  # (T,)
        x = self.tok_emb(ids) + self.pos_emb(positions)  # (B, T, D) + (T, D)
        return self.dropout(x)
        # </solution>
