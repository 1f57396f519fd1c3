"""Embeddings: every token becomes a vector that knows what the token is and where it stands."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def lookup(ids: Int[Tensor, "B T"], table: Float[Tensor, "V D"]) -> Float[Tensor, "B T D"]:
    """Return, for every id, the row of `table` with that number."""
    # Step 1: about 1 line.
    raise NotImplementedError("step 1")


class GPTEmbedding(nn.Module):
    """Token embedding plus a learned embedding of the position, as in GPT-2."""

    def __init__(self, vocab_size: int, context_length: int, emb_dim: int, dropout: float = 0.0):
        """Make the `nn.Embedding` tables `tok_emb` and `pos_emb`, with rows of `emb_dim`, and the module `dropout`."""
        super().__init__()
        # Step 2: about 3 lines.
        raise NotImplementedError("step 2")

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        """Return the embedding of every token at its place; T may be anything up to the context length.

        Raises TypeError for ids that are not integers; ValueError for more tokens than the context length, with
        both numbers, and for an id outside the vocabulary, with the id.
        """
        # Step 3: about 9 lines.
        raise NotImplementedError("step 3")
        # Step 4: about 3 lines.
        raise NotImplementedError("step 4")


# Stub ffe79c6c. `make reset` brings it back; you may delete this line.
