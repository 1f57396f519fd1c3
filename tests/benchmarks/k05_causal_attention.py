"""Races of k05: ways to hide the future, with the same projections."""

import torch
from torch.nn.functional import scaled_dot_product_attention

from dojo.bench.workloads import Using, passes
from dojo.spec.check import copy_parameters

SHAPES = ((1, 512, 64), (8, 256, 64))


def races(kata, reference):
    """One long sequence, where the mask is as large as the scores; then a batch that shares one mask."""
    for shape in SHAPES:
        batch, tokens, width = shape
        module = reference.CausalAttention(width, width, tokens)
        ways = {
            "reference": module,
            "mask made anew": Using(module, lambda module, x: _anew(reference, module, x)),
            "renormalised": Using(module, lambda module, x: _renormalised(reference, module, x)),
            "torch's softmax": Using(module, _torch_softmax),
            "fused": Using(module, _fused),
        }
        if kata is not None:
            ways["yours"] = kata.CausalAttention(width, width, tokens)
            copy_parameters(module, ways["yours"])
        x = torch.randn(shape)
        yield from passes(f"causal attention {shape}", ways, x, work=batch * tokens, unit="tokens")


def _projected(module, x):
    """Queries and values, (B, T, d), and the scaled scores, (B, T, T)."""
    query, key, value = module.W_query(x), module.W_key(x), module.W_value(x)
    return query, key, value, query @ key.transpose(1, 2) / key.shape[-1] ** 0.5


def _anew(reference, module, x):
    """The reference's way, with a mask for this call alone."""
    _, _, value, scores = _projected(module, x)
    mask = reference.causal_mask(x.shape[1]).to(x.device)
    return reference.masked_softmax(scores, mask) @ value


def _renormalised(reference, module, x):
    """Softmax over everything, the future set to 0 afterwards, and every row divided by what is left of it."""
    _, _, value, scores = _projected(module, x)
    weights = reference.softmax(scores).masked_fill(module.mask, 0.0)
    return weights / weights.sum(dim=-1, keepdim=True) @ value


def _torch_softmax(module, x):
    _, _, value, scores = _projected(module, x)
    return scores.masked_fill(module.mask, -torch.inf).softmax(dim=-1) @ value


def _fused(module, x):
    return scaled_dot_product_attention(module.W_query(x), module.W_key(x), module.W_value(x), is_causal=True)
