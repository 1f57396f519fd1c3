"""The words in which authors state a kata: `from dojo.spec import claim, check, sizes, mistake, swap, …`.

Each comes from its module when it is first asked for: who needs one of them does not load Hypothesis and tiktoken.
"""

# ruff: noqa: F401
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import byte_pairs, check
    from .bans import CROSS_ENTROPY, DROPOUT, FUSED_ATTENTION, GELU, NORMALISATION, SOFTMAX, ban, ban_module, oracle
    from .claims import claim
    from .errors import Refused
    from .mistakes import family, mistake, swap
    from .strategies import Sizes, randomise, sizes
    from .torch_internals import OperationMode, tree_leaves

MODULES = ("byte_pairs", "check")
NAMES = {
    "bans": (
        *("CROSS_ENTROPY", "DROPOUT", "FUSED_ATTENTION", "GELU", "NORMALISATION", "SOFTMAX"),
        *("ban", "ban_module", "oracle"),
    ),
    "claims": ("claim",),
    "errors": ("Refused",),
    "mistakes": ("family", "mistake", "swap"),
    "strategies": ("Sizes", "randomise", "sizes"),
    "torch_internals": ("OperationMode", "tree_leaves"),
}


def __getattr__(name: str) -> Any:
    if name in MODULES:
        return importlib.import_module(f".{name}", __name__)
    for module, names in NAMES.items():
        if name in names:
            return getattr(importlib.import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
