"""The attentions that need a compiler: FlexAttention, and the reference put through `torch.compile`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .attention import Make, Projected, Sizes
from .timing import Unavailable

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


class Flex(Projected):
    """FlexAttention: the mask is a function, and a kernel is generated for it that skips blocks that are hidden."""

    def __init__(self, sizes: Sizes):
        try:
            from torch.nn.attention.flex_attention import create_block_mask, flex_attention
        except ImportError:
            raise Unavailable(f"torch {torch.__version__} has no FlexAttention") from None
        super().__init__(sizes)
        self.block_mask, self.blocks = create_block_mask, {}
        self.attend = torch.compile(flex_attention, dynamic=False)

    def mix(self, query, key, value, visible):
        where = query.shape[2], query.device
        if where not in self.blocks:
            self.blocks[where] = self.block_mask(causal, None, None, where[0], where[0], device=where[1])
        return self.attend(query, key, value, block_mask=self.blocks[where])


class Compiled(nn.Module):
    """A module whose forward is compiled, once for all batch sizes and lengths."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module
        self.run = torch.compile(module, dynamic=True)

    def forward(self, x: Tensor) -> Tensor:
        """What the module gives."""
        return self.run(x)


def compiled(make: Make) -> Make:
    """A maker of a compiled module, from a maker of a plain one; it raises Unavailable where no compiler is."""

    def checked(sizes: Sizes, reference: nn.Module) -> nn.Module:
        require_compiler(str(reference.out_proj.weight.device))
        return make(sizes, reference)

    return checked
