"""A Llama: what most open models are made of today, up to the published weights of one."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import silu

from ..k05_causal_attention.causal_attention import causal_mask, masked_softmax
from ..k06_multi_head_attention.multi_head_attention import merge_heads, split_heads
from ..k16_rotary_positions.rotary_positions import apply_rotary, rotary_angles


@dataclass(frozen=True)
class LlamaConfig:
    """The sizes of a Llama. `num_kv_heads` divides `num_heads`, which divides `emb_dim` into heads of an even width."""

    vocab_size: int
    context_length: int
    emb_dim: int
    num_heads: int
    num_kv_heads: int
    num_layers: int
    hidden_dim: int
    rope_base: float = 10000.0
    eps: float = 1e-5
    tie_weights: bool = True


class RMSNorm(nn.Module):
    """Divide each token by the root of the mean of its squares, then scale its features by learned amounts.

    Source: Zhang and Sennrich 2019, "Root Mean Square Layer Normalization", section 4.
    """

    def __init__(self, emb_dim: int, eps: float = 1e-5):
        """Make the parameter `weight`, of shape (emb_dim,), which changes nothing at the start."""
        super().__init__()
        self.eps = eps
        # Step 1: about 1 line.
        raise NotImplementedError("step 1")

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        """Return x / √(mean of x² + eps), times `weight`; the mean is over the features of each token.

        It is worked out in float32 at least, whatever x has; the result has the dtype of x.
        """
        # Step 1: about 4 lines.
        raise NotImplementedError("step 1")


class SwiGLU(nn.Module):
    """A feed-forward of three linear layers, in which one product opens and closes the other, entry by entry.

    Source: Shazeer 2020, "GLU Variants Improve Transformer", section 2.
    """

    def __init__(self, emb_dim: int, hidden_dim: int):
        """Make the `nn.Linear` layers `gate` and `up`, to hidden_dim, and `down`, back again; none has a bias."""
        super().__init__()
        # Step 1: about 3 lines.
        raise NotImplementedError("step 1")

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        """Return down(silu(gate(x)) · up(x)), where silu(a) is a · sigmoid(a)."""
        # Step 1: about 2 lines.
        raise NotImplementedError("step 1")


class GroupedQueryAttention(nn.Module):
    """Causal attention with rotary positions in which several heads of queries share one head of keys and values.

    Source: Ainslie et al. 2023, "GQA: Training Generalized Multi-Query Transformer Models", section 2.2.
    """

    def __init__(self, emb_dim: int, num_heads: int, num_kv_heads: int, rope_base: float = 10000.0):
        """Make the `nn.Linear` layers `W_query`, `W_key`, `W_value` and `out_proj`; none has a bias.

        A head has d = emb_dim / num_heads channels, d even. Queries have num_heads heads, keys and values have
        num_kv_heads, which divides num_heads.
        """
        super().__init__()
        self.num_heads, self.num_kv_heads, self.rope_base = num_heads, num_kv_heads, rope_base
        # Step 2: about 5 lines.
        raise NotImplementedError("step 2")

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Return the context of every token, for any T.

        The first num_heads / num_kv_heads heads of queries share the first head of keys and values, and so on. Queries
        and keys are turned as in k16, with channels paired by halves; scores are divided by √d.
        """
        # Step 2: about 13 lines.
        raise NotImplementedError("step 2")


class LlamaBlock(nn.Module):
    """A block as in k09: attention, then feed-forward, each behind a norm and added to the stream. No dropout."""

    def __init__(self, config: LlamaConfig):
        """Make `norm1`, `attention`, `norm2` and `feed_forward`."""
        super().__init__()
        # Step 3: about 4 lines.
        raise NotImplementedError("step 3")

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Return x with what both branches add to it."""
        # Step 3: about 2 lines.
        raise NotImplementedError("step 3")


class Llama(nn.Module):
    """A decoder-only transformer in today's form: from token ids to scores for the token that follows each of them.

    Source: Touvron et al. 2023, "LLaMA: Open and Efficient Foundation Language Models", section 2.2.
    """

    def __init__(self, config: LlamaConfig):
        """Make `tok_emb`, `blocks`, `final_norm` and `lm_head` (no bias). There is no table of positions.

        With `config.tie_weights`, `lm_head` and `tok_emb` share one weight.
        """
        super().__init__()
        self.config = config
        # Step 3: about 6 lines.
        raise NotImplementedError("step 3")

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Return the logits of the next token at every position; T may be anything up to the context length."""
        # Step 3: about 4 lines.
        raise NotImplementedError("step 3")


def load_llama(model: Llama, weights: Mapping[str, Tensor]) -> None:
    """Copy the weights of a published Llama into `model`, which has its sizes; they go by the published names.

    A tied `lm_head` stays tied, whether the weights have one or not. Raises ValueError or KeyError, with the name,
    when a weight is missing, and ValueError or RuntimeError when one has another shape.
    """
    # Step 4: about 28 lines.
    raise NotImplementedError("step 4")


def unpermute(weight: Float[Tensor, "h*d D"], num_heads: int) -> Float[Tensor, "h*d D"]:
    """Bring the rows of a projection that has rotary pairs side by side into the order of k16, pairs by halves.

    In each head, rows 2i and 2i + 1 become rows i and i + d/2. `num_heads` is that of the projection: for keys it is
    the number of heads of keys.
    """
    # Step 4: about 2 lines.
    raise NotImplementedError("step 4")


# Stub e0b8ab0c. `make reset` brings it back; you may delete this line.
