"""Races of k06: ways to compute the same multi-head causal attention, each with weights copied from the reference.

`implementations` are those that `make bench` races at all sizes, `races` a few of them at one small size. All have
biases in every projection, as GPT-2 has, so that all have the same number of parameters.
"""

from __future__ import annotations

import copy
import functools
import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from dojo.bench.comparison import Comparison, Configuration, Implementation, Make, Sizes
from dojo.bench.timing import Unavailable
from dojo.bench.workloads import Using
from dojo.spec import check

SIZES = Sizes(batch=4, heads=12, d_in=384, width=384, tokens=128)
NAMES = ("reference", "yours", "single heads", "one QKV product", "sdpa, is_causal")
RECOMPILED = 64  # times: each length, dtype and pass may be one; beyond that torch would go on uncompiled
SETTINGS = {  # of torch's compiler, each by its name since 2.7 and by that before
    ("recompile_limit", "cache_size_limit"): RECOMPILED,
    ("fail_on_recompile_limit_hit", "fail_on_cache_limit_hit"): True,  # and not time what is not compiled
}


def races(kata, reference):
    """The wrapper of single heads against one projection for all, one product for all three, and fused attention."""
    comparison = Comparison(reference.MultiHeadAttention, torch.empty(0).device.type)
    chosen = [implementation for implementation in implementations(kata, reference) if implementation.name in NAMES]
    for passes in ("forward", "both"):
        yield comparison.race(chosen, Configuration("float32", passes, SIZES), prove=True)


def implementations(kata, reference) -> list[Implementation]:
    """All of them, the reference's first; the learner's is among them unless `kata` is None."""
    yours = [Implementation("yours", plain(kata.MultiHeadAttention))] if kata else []
    return [
        Implementation("reference", plain(reference.MultiHeadAttention)),
        *yours,
        Implementation("single heads", single_heads(reference.MultiHeadAttentionWrapper)),
        Implementation("one QKV product", one_product),
        Implementation("einsum", using(_einsum)),
        Implementation("sdpa, is_causal", mixing(functools.partial(scaled_dot_product_attention, is_causal=True))),
        Implementation("sdpa, mask", fused_masked),
        Implementation("nn.MHA", library(weights=False), square=True),
        Implementation("nn.MHA, weights", library(weights=True), square=True),
        Implementation("FlexAttention", flex, compiled=True, no_backward_on=("cpu", "mps")),
        Implementation("torch.compile", compiled(plain(reference.MultiHeadAttention)), compiled=True),
    ]


def plain(attention: type[nn.Module]) -> Make:
    """A maker of k06's `MultiHeadAttention`, from the class of the reference or of a learner."""

    def make(sizes: Sizes, reference: Any) -> nn.Module:
        module = attention(sizes.d_in, sizes.width, sizes.tokens, 0.0, sizes.heads, True)
        check.copy_parameters(reference, module)
        return module

    return make


def using(function: Callable[[Any, Tensor], Tensor]) -> Make:
    """A maker of a copy of the reference whose output is `function(copy, x)`."""
    return lambda sizes, reference: Using(copy.deepcopy(reference), function)


def mixing(mix: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Make:
    """A maker of a copy of the reference whose context is `mix(query, key, value)`, all of them (B, h, T, d)."""

    def forward(module: Any, x: Tensor) -> Tensor:
        layers = module.W_query, module.W_key, module.W_value
        parts = (layer(x).unflatten(-1, (module.num_heads, -1)).transpose(1, 2) for layer in layers)
        context = mix(*parts)  # only this is held on to
        return module.out_proj(context.transpose(1, 2).flatten(2))

    return using(forward)


def fused_masked(sizes: Sizes, reference: Any) -> nn.Module:
    """PyTorch's kernel, given the mask as a matrix: it cannot skip the half that is hidden."""
    visible = ~reference.mask

    def mix(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        tokens = query.shape[2]
        return scaled_dot_product_attention(query, key, value, attn_mask=visible[:tokens, :tokens])

    return mixing(mix)(sizes, reference)


def _einsum(module: Any, x: Tensor) -> Tensor:
    """Every product as an einsum, from the input on."""
    query, key, value = (
        torch.einsum("btc,hdc->bhtd", x, layer.weight.unflatten(0, (module.num_heads, -1)))
        + layer.bias.view(module.num_heads, 1, -1)
        for layer in (module.W_query, module.W_key, module.W_value)
    )
    scores = torch.einsum("bhqd,bhkd->bhqk", query * query.shape[-1] ** -0.5, key)
    weights = scores.masked_fill_(module.mask[: x.shape[1], : x.shape[1]], -torch.inf).softmax(-1)
    context = torch.einsum("bhqk,bhkd->bqhd", weights, value)
    return module.out_proj(context.flatten(2))


def one_product(sizes: Sizes, reference: Any) -> nn.Module:
    """One matrix product makes queries, keys and values."""

    def forward(module: Any, x: Tensor) -> Tensor:
        parts = module.qkv(x).unflatten(-1, (3, module.num_heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (B, h, T, d)
        scores = query * query.shape[-1] ** -0.5 @ key.transpose(2, 3)
        weights = scores.masked_fill_(module.mask[: x.shape[1], : x.shape[1]], -torch.inf).softmax(-1)
        return module.out_proj((weights @ value).transpose(1, 2).flatten(2))

    module = _without_projections(reference)
    module.qkv = nn.Linear(sizes.d_in, 3 * sizes.width)
    _stack(reference, module.qkv.weight, module.qkv.bias)
    return Using(module, forward)


def single_heads(wrapper: type[nn.Module]) -> Make:
    """A maker of k06's wrapper, one head after the other, with the output projection that it lacks."""

    def make(sizes: Sizes, reference: Any) -> nn.Module:
        d = sizes.width // sizes.heads
        module = _without_projections(reference)
        module.wrapper = wrapper(sizes.d_in, d, sizes.tokens, 0.0, sizes.heads, True)
        for number, head in enumerate(module.wrapper.heads):
            rows = slice(number * d, (number + 1) * d)
            for name in ("W_query", "W_key", "W_value"):
                source = getattr(reference, name)
                getattr(head, name).load_state_dict({"weight": source.weight[rows], "bias": source.bias[rows]})
        return Using(module, lambda module, x: module.out_proj(module.wrapper(x)))

    return make


def library(weights: bool) -> Make:
    """A maker of `nn.MultiheadAttention`, which gives the mean of the heads' weights too, if asked."""

    def forward(module: Any, x: Tensor) -> Tensor:
        mask = module.mask[: x.shape[1], : x.shape[1]]
        return module(x, x, x, attn_mask=mask, is_causal=True, need_weights=weights)[0]

    def make(sizes: Sizes, reference: Any) -> nn.Module:
        module = nn.MultiheadAttention(sizes.width, sizes.heads, batch_first=True)
        _stack(reference, module.in_proj_weight, module.in_proj_bias)
        module.out_proj.load_state_dict(reference.out_proj.state_dict())
        module.register_buffer("mask", reference.mask)
        return Using(module, forward)

    return make


def _without_projections(reference: Any) -> Any:
    """A copy of the reference that lacks the layers that make queries, keys and values."""
    module = copy.deepcopy(reference)
    del module.W_query, module.W_key, module.W_value
    return module


@torch.no_grad()
def _stack(reference: Any, weight: Tensor, bias: Tensor) -> None:
    """Fill a weight and a bias with those of queries, keys and values, one below the other."""
    layers = reference.W_query, reference.W_key, reference.W_value
    weight.copy_(torch.cat([layer.weight for layer in layers]))
    bias.copy_(torch.cat([layer.bias for layer in layers]))


# Those that need a compiler.


def require_compiler(device: str) -> None:
    """Set up torch's compiler for many sizes; raise Unavailable where it finds none, or torch keeps it elsewhere."""
    try:
        _find_compiler(device)
        config = importlib.import_module("torch._dynamo.config")
    except ImportError as error:
        raise Unavailable(f"torch {torch.__version__} keeps its compiler elsewhere: {error}") from None
    for names, value in SETTINGS.items():
        known = [name for name in names if hasattr(config, name)]
        if not known:
            raise Unavailable(f"the compiler of torch {torch.__version__} has no setting {names[0]}")
        setattr(config, known[0], value)


def _find_compiler(device: str) -> None:
    if device.startswith("cuda"):
        from torch.utils._triton import has_triton

        if not has_triton():
            raise Unavailable("no compiler is at hand: triton is not installed")
        return
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        raise Unavailable("no compiler is at hand: a C++ compiler is needed, g++ for one") from None


def causal(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
    """Whether a query may see a key, the way FlexAttention asks."""
    return query >= key


def flex(sizes: Sizes, reference: Any) -> nn.Module:
    """FlexAttention: the mask is a function, and a kernel is generated for it that skips blocks that are hidden."""
    require_compiler(str(reference.out_proj.weight.device))
    try:
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    except ImportError:
        raise Unavailable(f"torch {torch.__version__} has no FlexAttention") from None
    attend = torch.compile(flex_attention, dynamic=False)

    @functools.cache
    def blocks(tokens: int, device: torch.device) -> Any:
        return create_block_mask(causal, None, None, tokens, tokens, device=device)

    def mix(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return attend(query, key, value, block_mask=blocks(query.shape[2], query.device))

    return mixing(mix)(sizes, reference)


def compiled(make: Make) -> Make:
    """A maker of a module that is compiled, once for all batch sizes and lengths, from a maker of a plain one."""

    def made(sizes: Sizes, reference: Any) -> nn.Module:
        require_compiler(str(reference.out_proj.weight.device))
        module = make(sizes, reference)
        run = torch.compile(module, dynamic=True)
        return Using(module, lambda module, x: run(x))

    return made
