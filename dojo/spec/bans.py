"""Calls that a kata may not make, caught while its code runs and not by reading it.

A test file lists its bans in `BANS`. While a claim is checked every call of torch passes here, as a function by
name and as an operation of the dispatcher, so an alias, a method, a module or a subclass is caught alike. A banned
module, or a part of one, is replaced by one that refuses; and where the real one was imported before, its functions
are known by the module that they come from. What the test itself computes with torch's built-ins stands in a function
marked `oracle`.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from types import FrameType, ModuleType
from typing import Any, TypeVar

from torch.overrides import TorchFunctionMode

from .errors import Refused
from .torch_internals import OperationMode, unseen

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
# Where a function of torch is banned, so is what other packages have ready-made.
READY_MADE = ("scipy", "jax", "tensorflow", "keras", "sklearn", "transformers", "xformers", "flash_attn", "tinygrad")
# How a tensor becomes another package's array, whose methods come along without a call of the package itself.
ARRAYS = {"numpy": ("numpy", "array")}
# Packages that may use a banned module at the learner's behest; `_dojo_tests_k05_…` and their like may too.
TRUSTED = ("torch", "numpy", "scipy", "hypothesis", "importlib", "dojo")

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
    """Ban whatever a module holds, "numpy" or only "numpy.linalg"; importing it is allowed, using it is not."""
    return Ban(ARRAYS.get(module, ()), why, tuple(steps), module)


_allowed = 0


def oracle(function: F) -> F:
    """Mark a function of a test that computes with what learners may not call."""

    @functools.wraps(function)
    def allowed(*args: Any, **kwargs: Any) -> Any:
        global _allowed
        _allowed += 1
        try:
            with unseen():
                return function(*args, **kwargs)
        finally:
            _allowed -= 1

    return allowed  # type: ignore[return-value]


@contextmanager
def enforced(bans: Sequence[Ban], step: int) -> Iterator[None]:
    """While this lasts, a call that `bans` forbid in `step` raises Refused, also if the learner catches it."""
    active = [ban for ban in bans if not ban.steps or step in ban.steps]
    names = {name: ban for ban in active for name in ban.names}
    modules = {ban.module: ban for ban in active if ban.module}
    if ready_made := next((ban for ban in active if not ban.module), None):
        modules = dict.fromkeys(READY_MADE, ready_made) | modules
    broken: list[Refused] = []
    with ExitStack() as stack:
        # Watching makes code slow. What is banned as a whole, and was while the file was imported, the code never got.
        known = {name: ban for name, ban in modules.items() if name in sys.modules and (ban.steps or "." in name)}
        if known:
            stack.enter_context(_watched(known, broken))
        if modules:
            stack.enter_context(_hidden(modules, broken))
        if names:
            looked_up = _Names(names, broken)
            stack.enter_context(_Functions(looked_up))
            stack.enter_context(_Operations(looked_up))
        try:
            yield
        finally:
            if broken:
                raise broken[0]


class _Names(dict[str, "Ban | None"]):
    """The ban of each name that is called, or None; looked up by thousands of calls, with or without underscores."""

    def __init__(self, banned: Mapping[str, Ban], broken: list[Refused]):
        super().__init__()
        self.banned, self.broken = banned, broken

    def __missing__(self, name: str) -> Ban | None:
        self[name] = ban = self.banned.get(name.strip("_"))
        return ban

    def refuse(self, ban: Ban, name: str) -> None:
        if not _allowed:
            self.broken.append(Refused(ban.message(name.strip("_"))))
            raise self.broken[-1]


class _Functions(TorchFunctionMode):
    def __init__(self, names: _Names):
        super().__init__()
        self.names = names

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if ban := self.names[name := getattr(func, "__name__", "")]:
            self.names.refuse(ban, name)
        return func(*args, **(kwargs or {}))


class _Operations(OperationMode):
    def __init__(self, names: _Names):
        super().__init__()
        self.names = names

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if ban := self.names[name := func.overloadpacket.__name__]:
            self.names.refuse(ban, name)
        return func(*args, **(kwargs or {}))


class Unusable(ModuleType):
    """Stands in the place of a banned module for as long as the code under test has it."""

    def __init__(self, name: str, ban: Ban, broken: list[Refused], real: ModuleType | None = None):
        super().__init__(name)
        self.__dict__.update(_ban=ban, _broken=broken, _real=real)
        self.__path__: list[str] = []

    def __getattr__(self, attribute: str) -> Any:
        real = self.__dict__["_real"]
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        if real is not None and (_allowed or _trusted(sys._getframe(1))):
            return getattr(real, attribute)
        refused = Refused(self.__dict__["_ban"].message(f"{self.__name__}.{attribute}"))
        self.__dict__["_broken"].append(refused)
        raise refused


class _Finder(MetaPathFinder, Loader):
    """Serves banned modules that are not loaded yet, to whoever is not trusted."""

    def __init__(self, modules: Mapping[str, Ban], broken: list[Refused]):
        self.modules, self.broken = modules, broken
        self.served: list[str] = []

    def find_spec(self, name: str, *about: Any) -> importlib.machinery.ModuleSpec | None:
        importer: FrameType | None = sys._getframe(1)
        while importer and importer.f_globals.get("__name__", "").startswith("importlib."):
            importer = importer.f_back
        if _allowed or _trusted(importer) or _banned(name, self.modules) is None:
            return None
        return importlib.util.spec_from_loader(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        self.served.append(spec.name)
        return Unusable(spec.name, self.modules[_banned(spec.name, self.modules) or ""], self.broken)

    def exec_module(self, module: ModuleType) -> None:
        pass


def _trusted(frame: FrameType | None) -> bool:
    name = frame.f_globals.get("__name__", "") if frame is not None else ""
    return name.startswith("_dojo_tests_") or name.partition(".")[0] in TRUSTED


def _banned(name: str, modules: Mapping[str, Ban]) -> str | None:
    """The banned module that a module is or belongs to."""
    return next((module for module in modules if name == module or name.startswith(f"{module}.")), None)


@contextmanager
def _hidden(modules: Mapping[str, Ban], broken: list[Refused]) -> Iterator[None]:
    """Put modules that refuse in the place of the real ones, for whoever looks them up from now on."""
    # Thousands of names are looked through for each claim: without a package none of its parts is loaded.
    loaded = [module for module in modules if module in sys.modules]
    parts = tuple(f"{module}." for module in loaded)
    names = [*loaded, *(name for name in list(sys.modules) if name.startswith(parts))] if loaded else []
    real = {name: sys.modules[name] for name in names}
    hidden = {name: Unusable(name, modules[_banned(name, modules) or ""], broken, real[name]) for name in real}
    sys.modules.update(hidden)
    for module in loaded:
        _put(module, real[module], hidden[module])
    finder = _Finder(modules, broken)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        with suppress(ValueError):
            sys.meta_path.remove(finder)
        for name in finder.served:
            sys.modules.pop(name, None)
        sys.modules.update(real)
        for module in loaded:
            _put(module, hidden[module], real[module])


def _put(module: str, old: ModuleType, new: ModuleType) -> None:
    """Replace a module where its package holds it."""
    package, _, part = module.rpartition(".")
    holder = vars(sys.modules[package]) if package in sys.modules else {}
    if holder.get(part) is old:
        holder[part] = new


@contextmanager
def _watched(modules: Mapping[str, Ban], broken: list[Refused]) -> Iterator[None]:
    """Refuse calls of the functions of banned modules, by whatever name the code under test has them."""
    banned = functools.lru_cache(maxsize=None)(lambda name: _banned(name, modules))

    def watch(frame: FrameType, event: str, function: Any) -> None:
        if event == "call":
            home, caller = frame.f_globals.get("__name__"), frame.f_back
            name = getattr(frame.f_code, "co_qualname", frame.f_code.co_name).removesuffix(".__init__")
        elif event == "c_call":
            home = getattr(function, "__module__", None) or type(getattr(function, "__self__", None)).__module__
            name, caller = function.__name__, frame
        else:
            return
        module = banned(home) if isinstance(home, str) else None
        if module and name != "<module>" and not _allowed and not _trusted(caller):
            name = name.strip("_").removesuffix("_dispatcher")  # numpy has one for each of its functions
            broken.append(Refused(modules[module].message(f"{module}.{name}")))
            raise broken[-1]

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(before)
