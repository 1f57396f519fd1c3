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
        # <solution step=1>
        self.weight = nn.Parameter(torch.ones(emb_dim))
        # </solution>

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        """Return x / √(mean of x² + eps), times `weight`; the mean is over the features of each token.

        It is worked out in float32 at least, whatever x has; the result has the dtype of x.
        """
        # <solution step=1>
        wide = x.to(torch.promote_types(x.dtype, torch.float32))  # squares need more room than 16 bits have
        mean_square = wide.pow(2).mean(dim=-1, keepdim=True)  # (..., 1)
        normalised = wide / torch.sqrt(mean_square + self.eps)  # (..., D)
        return self.weight * normalised.to(x.dtype)
        # </solution>


class SwiGLU(nn.Module):
    """A feed-forward of three linear layers, in which one product opens and closes the other, entry by entry.

    Source: Shazeer 2020, "GLU Variants Improve Transformer", section 2.
    """

    def __init__(self, emb_dim: int, hidden_dim: int):
        """Make the `nn.Linear` layers `gate` and `up`, to hidden_dim, and `down`, back again; none has a bias."""
        super().__init__()
        # <solution step=1>
        self.gate = nn.Linear(emb_dim, hidden_dim, bias=False)
        self.up = nn.Linear(emb_dim, hidden_dim, bias=False)
        self.down = nn.Linear(hidden_dim, emb_dim, bias=False)
        # </solution>

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        """Return down(silu(gate(x)) · up(x)), where silu(a) is a · sigmoid(a)."""
        # <solution step=1>
        hidden = silu(self.gate(x)) * self.up(x)  # (..., hidden_dim)
        return self.down(hidden)  # (..., D)
        # </solution>


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
        # <solution step=2>
        kv_dim = num_kv_heads * (emb_dim // num_heads)
        self.W_query = nn.Linear(emb_dim, emb_dim, bias=False)
        self.W_key = nn.Linear(emb_dim, kv_dim, bias=False)
        self.W_value = nn.Linear(emb_dim, kv_dim, bias=False)
        self.out_proj = nn.Linear(emb_dim, emb_dim, bias=False)
        # </solution>

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Return the context of every token, for any T.

        The first num_heads / num_kv_heads heads of queries share the first head of keys and values, and so on. Queries
        and keys are turned as in k16, with channels paired by halves; scores are divided by √d.
        """
        # <solution step=2>
        T = x.shape[1]
        query = split_heads(self.W_query(x), self.num_heads)  # (B, h, T, d)
        key = split_heads(self.W_key(x), self.num_kv_heads)  # (B, h_kv, T, d)
        value = split_heads(self.W_value(x), self.num_kv_heads)  # (B, h_kv, T, d)

        angles = rotary_angles(torch.arange(T, device=x.device), query.shape[-1], self.rope_base)  # (T, d/2)
        query = apply_rotary(query, angles.cos(), angles.sin())
        key = apply_rotary(key, angles.cos(), angles.sin())

        sharing = self.num_heads // self.num_kv_heads
        key = key.repeat_interleave(sharing, dim=1)  # (B, h, T, d)
        value = value.repeat_interleave(sharing, dim=1)  # (B, h, T, d)

        scores = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5  # (B, h, T, T)
        weights = masked_softmax(scores, causal_mask(T).to(x.device))
        return self.out_proj(merge_heads(weights @ value))  # (B, T, D)
        # </solution>


class LlamaBlock(nn.Module):
    """A block as in k09: attention, then feed-forward, each behind a norm and added to the stream. No dropout."""

    def __init__(self, config: LlamaConfig):
        """Make `norm1`, `attention`, `norm2` and `feed_forward`."""
        super().__init__()
        # <solution step=3>
        self.norm1 = RMSNorm(config.emb_dim, config.eps)
        self.attention = GroupedQueryAttention(config.emb_dim, config.num_heads, config.num_kv_heads, config.rope_base)
        self.norm2 = RMSNorm(config.emb_dim, config.eps)
        self.feed_forward = SwiGLU(config.emb_dim, config.hidden_dim)
        # </solution>

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Return x with what both branches add to it."""
        # <solution step=3>
        x = x + self.attention(self.norm1(x))
        return x + self.feed_forward(self.norm2(x))
        # </solution>


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
        # <solution step=3>
        self.tok_emb = nn.Embedding(config.vocab_size, config.emb_dim)
        self.blocks = nn.ModuleList(LlamaBlock(config) for _ in range(config.num_layers))
        self.final_norm = RMSNorm(config.emb_dim, config.eps)
        self.lm_head = nn.Linear(config.emb_dim, config.vocab_size, bias=False)
        if config.tie_weights:
            self.lm_head.weight = self.tok_emb.weight
        # </solution>

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Return the logits of the next token at every position; T may be anything up to the context length."""
        # <solution step=3>
        x = self.tok_emb(ids)  # (B, T, D)
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.final_norm(x))  # (B, T, V)
        # </solution>


def load_llama(model: Llama, weights: Mapping[str, Tensor]) -> None:
    """Copy the weights of a published Llama into `model`, which has its sizes; they go by the published names.

    A tied `lm_head` stays tied, whether the weights have one or not. Raises ValueError or KeyError, with the name,
    when a weight is missing, and ValueError or RuntimeError when one has another shape.
    """
    # <solution step=4>
    published = {
        "tok_emb": "model.embed_tokens",
        "blocks": "model.layers",
        "norm1": "input_layernorm",
        "attention": "self_attn",
        "W_query": "q_proj",
        "W_key": "k_proj",
        "W_value": "v_proj",
        "out_proj": "o_proj",
        "norm2": "post_attention_layernorm",
        "feed_forward": "mlp",
        "gate": "gate_proj",
        "up": "up_proj",
        "down": "down_proj",
        "final_norm": "model.norm",
    }
    found = {}
    for path, parameter in model.named_parameters():  # a weight that two layers share comes once, as tok_emb's
        name = ".".join(published.get(part, part) for part in path.split("."))
        if name not in weights:
            raise ValueError(f"{name} is missing from the weights")
        if weights[name].shape != parameter.shape:
            shapes = f"{tuple(weights[name].shape)}, not {tuple(parameter.shape)}"
            raise ValueError(f"{name} has shape {shapes}")
        found[name] = parameter
    with torch.no_grad():
        for name, parameter in found.items():
            parameter.copy_(weights[name])
    # </solution>


def unpermute(weight: Float[Tensor, "h*d D"], num_heads: int) -> Float[Tensor, "h*d D"]:
    """Bring the rows of a projection that has rotary pairs side by side into the order of k16, pairs by halves.

    In each head, rows 2i and 2i + 1 become rows i and i + d/2. `num_heads` is that of the projection: for keys it is
    the number of heads of keys.
    """
    # <solution step=4>
    pairs = weight.unflatten(0, (num_heads, -1, 2))  # (h, d/2, 2, D)
    return pairs.transpose(1, 2).flatten(0, 2)  # (h, 2, d/2, D), then (h·d, D)
    # </solution>
