"""The attentions that need a compiler: FlexAttention, and the reference put through `torch.compile`."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn

from .attention import Make, Sizes, mixing
from .timing import Unavailable
from .workloads import Using

RECOMPILED = 64  # times: each length, dtype and pass may be one; beyond that torch would go on uncompiled


def require_compiler(device: str) -> None:
    """Raise Unavailable where `torch.compile` finds no compiler for a device; else set it up for many sizes."""
    _find_compiler(device)
    import torch._dynamo

    torch._dynamo.config.recompile_limit = RECOMPILED
    torch._dynamo.config.fail_on_recompile_limit_hit = True  # and not time what is not compiled


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


def whole(make: Make) -> Make:
    """A maker of a module that is compiled, once for all batch sizes and lengths, from a maker of a plain one."""

    def made(sizes: Sizes, reference: Any) -> nn.Module:
        require_compiler(str(reference.out_proj.weight.device))
        module = make(sizes, reference)
        run = torch.compile(module, dynamic=True)
        return Using(module, lambda module, x: run(x))

    return made
