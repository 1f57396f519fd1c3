"""Calls that a kata may not make, caught while its code runs and not by reading it.

A test file lists its bans in `BANS`. While a claim is checked every call of torch passes here, as a function by
name and as an operation of the dispatcher, so an alias, a method, a module or a subclass is caught alike. What
the test itself computes with torch's built-ins stands in a function marked `oracle`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from torch.overrides import TorchFunctionMode

from .errors import Refused
from .torch_internals import OperationMode

SOFTMAX = ("softmax", "log_softmax", "softmin", "special_softmax", "special_log_softmax", "safe_softmax")
FUSED_ATTENTION = (
    "scaled_dot_product_attention",
    "scaled_dot_product_flash_attention_for_cpu",
    "scaled_dot_product_flash_attention",
    "scaled_dot_product_efficient_attention",
    "scaled_dot_product_cudnn_attention",
    "scaled_dot_product_attention_math",
    "multi_head_attention_forward",
    "native_multi_head_attention",
    "transformer_encoder_layer_fwd",
    "flex_attention",
)
DROPOUT = (
    *("dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout", "alpha_dropout"),
    *("feature_alpha_dropout", "native_dropout", "fused_dropout"),
)
NORMALISATION = (
    *("layer_norm", "native_layer_norm", "group_norm", "native_group_norm", "instance_norm", "batch_norm"),
    *("native_batch_norm", "native_batch_norm_legit", "rms_norm", "fused_rms_norm", "cudnn_batch_norm"),
)
GELU = ("gelu",)
CROSS_ENTROPY = (
    *("cross_entropy", "cross_entropy_loss", "nll_loss", "nll_loss_nd", "nll_loss2d", "nll_loss_forward"),
    *("nll_loss2d_forward", "log_softmax", "linear_cross_entropy", "gaussian_nll_loss"),
)

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Ban:
    """Names that may not be called (of functions, or one module), why, and in which steps (none given: in all)."""

    names: tuple[str, ...]
    why: str
    steps: tuple[int, ...] = ()
    module: str = ""

    def message(self, name: str) -> str:
        return f"Your code calls `{name}`, which this kata does not allow: {self.why}"


def ban(*names: str, why: str, steps: Sequence[int] = ()) -> Ban:
    """Ban torch functions by name."""
    return Ban(names, why, tuple(steps))


def ban_module(module: str, why: str, steps: Sequence[int] = ()) -> Ban:
    """Ban whatever a module holds; importing it is allowed, using it is not."""
    return Ban((), why, tuple(steps), module)


_allowed = 0


def oracle(function: F) -> F:
    """Mark a function of a test that computes with what learners may not call."""

    @functools.wraps(function)
    def allowed(*args: Any, **kwargs: Any) -> Any:
        global _allowed
        _allowed += 1
        try:
            return function(*args, **kwargs)
        finally:
            _allowed -= 1

    return allowed  # type: ignore[return-value]


@contextmanager
def enforced(bans: Sequence[Ban], step: int) -> Iterator[None]:
    """While this lasts, a call that `bans` forbid in `step` raises Refused, also if the learner catches it."""
    active = [ban for ban in bans if not ban.steps or step in ban.steps]
    names = {name: ban for ban in active for name in ban.names}
    broken: list[Refused] = []
    with ExitStack() as stack:
        for ban in active:
            if ban.module:
                stack.enter_context(_hidden(ban))
        if names:
            stack.enter_context(_Functions(names, broken))
            stack.enter_context(_Operations(names, broken))
        try:
            yield
        finally:
            if broken:
                raise broken[0]


def _look(name: str, names: dict[str, Ban], broken: list[Refused]) -> None:
    if _allowed:
        return
    plain = name.strip("_")
    if plain in names:
        broken.append(Refused(names[plain].message(plain)))
        raise broken[-1]


class _Functions(TorchFunctionMode):
    def __init__(self, names: dict[str, Ban], broken: list[Refused]):
        super().__init__()
        self.names, self.broken = names, broken

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        _look(getattr(func, "__name__", ""), self.names, self.broken)
        return func(*args, **(kwargs or {}))


class _Operations(OperationMode):
    def __init__(self, names: dict[str, Ban], broken: list[Refused]):
        super().__init__()
        self.names, self.broken = names, broken

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        _look(func.overloadpacket.__name__, self.names, self.broken)
        return func(*args, **(kwargs or {}))


class _Unusable(ModuleType):
    def __init__(self, name: str, ban: Ban):
        super().__init__(name)
        self.__dict__["_ban"] = ban
        self.__path__: list[str] = []

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        raise Refused(self.__dict__["_ban"].message(f"{self.__name__}.{attribute}"))


@contextmanager
def _hidden(ban: Ban) -> Iterator[None]:
    """Put a module that refuses in the place of the real one. Tests imported the real one before."""
    loaded = {name: sys.modules.pop(name) for name in _parts(ban.module)}
    hidden = {ban.module, *loaded}
    for name in hidden:
        sys.modules[name] = _Unusable(name, ban)
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
        sys.modules.update(loaded)


def _parts(module: str) -> list[str]:
    """The loaded modules that belong to `module`. Asked at every example, so thousands of names are not looked through
    for nothing: without the package none of its parts is loaded."""
    return [name for name in sys.modules if name.split(".")[0] == module] if module in sys.modules else []
