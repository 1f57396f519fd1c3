"""The words in which authors state a kata: `from dojo.spec import claim, check, sizes, mistake, swap, …`.

Each comes from its module when it is first asked for: who needs one of them does not load Hypothesis and tiktoken.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import byte_pairs as byte_pairs
    from . import check as check
    from .bans import CROSS_ENTROPY as CROSS_ENTROPY
    from .bans import DROPOUT as DROPOUT
    from .bans import FUSED_ATTENTION as FUSED_ATTENTION
    from .bans import GELU as GELU
    from .bans import NORMALISATION as NORMALISATION
    from .bans import SOFTMAX as SOFTMAX
    from .bans import ban as ban
    from .bans import ban_module as ban_module
    from .bans import oracle as oracle
    from .claims import claim as claim
    from .mistakes import mistake as mistake
    from .mistakes import swap as swap
    from .strategies import Sizes as Sizes
    from .strategies import randomise as randomise
    from .strategies import sizes as sizes
    from .torch_internals import OperationMode as OperationMode
    from .torch_internals import tree_leaves as tree_leaves

MODULES = ("byte_pairs", "check")
NAMES = {
    "bans": (
        *("CROSS_ENTROPY", "DROPOUT", "FUSED_ATTENTION", "GELU", "NORMALISATION", "SOFTMAX"),
        *("ban", "ban_module", "oracle"),
    ),
    "claims": ("claim",),
    "mistakes": ("mistake", "swap"),
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
