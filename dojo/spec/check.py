"""Compare what a learner's code gave with what it should give, and keep the evidence.

A check passes silently or raises `Mismatch`. Type, shape and dtype come before values, and nothing that a
learner returned is ever broadcast.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from .show import show, telling_digits
from .torch_internals import unseen

# How far from the expected value still counts as equal, relative to the largest expected entry. The error of
# the reference itself, float32 against double, stays below 2e-6 on the shapes that the properties draw; 50
# times that leaves room for another order of operations. In double, a constant that a learner rounded to
# float32 (`torch.tensor(0.5)`) costs up to 1e-7.
TOLERANCE = {torch.float64: 5e-6, torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
NEGLIGIBLE = 1e-7
UNDER_TEST = ("katas", "_dojo_reference")  # the packages in which code under test lives (see sandbox/loader)


class Mismatch(AssertionError):
    """A claim that does not hold, with the evidence.

    `problem` is a short sentence; `got` and `want` are the values; `given` maps names to the inputs worth
    showing; `example` is filled in by the claim that was checked. `alike` is what diagnosis compares where `got`
    is in the learner's own words, and `gist` where `problem` is.
    """

    def __init__(
        self,
        problem: str,
        got: Any = None,
        want: Any = None,
        given: dict[str, Any] | None = None,
        alike: Any = None,
        gist: str = "",
    ):
        super().__init__(problem)
        self.problem = problem
        self.gist = gist or problem
        self.got = _frozen(got)
        self.alike = self.got if alike is None else alike
        self.want = _frozen(want)
        self.given = {name: _frozen(value) for name, value in (given or {}).items()}
        self.example: dict[str, Any] = {}
        self.tolerance: float | None = None  # the one it was found with, where that is not the usual one

    def differs(self) -> Tensor | None:
        """Which entries of `got` differ from `want`, when both are tensors of one shape."""
        got, want = self.got, self.want
        if not isinstance(got, Tensor) or not isinstance(want, Tensor) or got.shape != want.shape or got.is_meta:
            return None
        return ~_close(got, want, _tolerance(got, want) if self.tolerance is None else self.tolerance)

    def texts(self) -> tuple[str, str]:
        """Expected and got, ready to read, in as few digits as show the difference."""
        differs = self.differs()
        if differs is None:
            return show(self.want), show(self.got)
        digits = telling_digits(self.got, self.want, differs)
        return show(self.want, differs if self.want.ndim else None, digits), show(self.got, differs, digits)


def equal(got: Any, want: Any, what: str = "the result", tolerance: float | None = None, **given: Any) -> None:
    """Demand that `got` equals `want`; `given` names inputs to show beside them.

    Tensors are compared by shape, dtype and then values, within `tolerance` times the largest expected entry
    (by default `TOLERANCE` of the coarser dtype). A double result may come back in float32. Everything else
    is compared by type and `==`; floats within `tolerance`.
    """
    if isinstance(want, Tensor):
        tensor(got, want.shape, want.dtype, what, want=want, given=given)
        bound = _tolerance(got, want) if tolerance is None else tolerance
        if want.is_meta:
            return
        if _agree(got, want, bound):
            return
        if want.is_floating_point() and got.isnan().any() and not want.isnan().any():
            raise Mismatch(f"{what} holds NaN (not a number)", got, want, given)
        wrong = Mismatch(f"{what} has wrong values", got, want, given)
        wrong.tolerance = tolerance
        raise wrong
    present(got, what, want, given)
    if isinstance(want, float) and isinstance(got, (int, float)) and not isinstance(got, bool):
        bound = 1e-6 if tolerance is None else tolerance
        if got != want and not abs(got - want) <= bound * max(abs(want), NEGLIGIBLE):
            raise Mismatch(f"{what} is wrong", got, want, given)
        return
    if type(got) is not type(want):
        raise _of_another_type(what, got, _a(type(want)), want, given)
    if got != want:
        raise Mismatch(f"{what} is wrong", got, want, given)


def tensor(
    got: Any,
    shape: Iterable[int],
    dtype: torch.dtype | None = None,
    what: str = "the result",
    want: Tensor | None = None,
    given: dict[str, Any] | None = None,
) -> None:
    """Demand a tensor of this shape and, unless None, this dtype."""
    present(got, what, want, given)
    if not isinstance(got, Tensor):
        raise _of_another_type(what, got, "a tensor", want, given)
    shape = tuple(shape)
    if tuple(got.shape) != shape:
        raise Mismatch(f"{what} has shape {tuple(got.shape)}, not {shape}", got, want, given)
    rounded = got.dtype == torch.float32 and dtype == torch.float64
    if dtype is not None and got.dtype != dtype and not rounded:
        raise Mismatch(f"{what} has dtype {_name(got.dtype)}, not {_name(dtype)}", got, want, given)


def exactly(got: Any, want: Tensor, what: str = "the result", **given: Any) -> None:
    """Demand equality to the last bit: for zeros that must be zeros and copies that must be copies."""
    equal(got, want, what, tolerance=0.0, **given)


def no_leak(got: Tensor, where: Tensor, what: str) -> None:
    """Demand that `got` is exactly 0 wherever `where`.

    A leak by rounding alone is one answer to the diagnosis: the order of the sums decides which entries it hits.
    """
    leaks = got.where(where, 0)
    try:
        exactly(leaks, torch.zeros_like(got), what)
    except Mismatch as mismatch:
        if leaks.abs().max() < 1e-4 * got.abs().max():
            mismatch.alike = "a trace"
        raise


def present(got: Any, what: str = "the result", want: Any = None, given: dict[str, Any] | None = None) -> None:
    """Demand anything but None."""
    if got is None:
        raise Mismatch(f"{what} is None: is a `return` missing?", got, want, given)


def instance(got: Any, kind: type | tuple[type, ...], what: str = "the result") -> None:
    """Demand an instance of `kind` (one class, or any of several)."""
    present(got, what)
    if not isinstance(got, kind) or (isinstance(got, bool) and kind in (int, float)):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        raise _of_another_type(what, got, " or ".join(_a(k) for k in kinds))


def raises(
    kinds: type[Exception] | tuple[type[Exception], ...],
    call: Callable[[], Any],
    mentions: Iterable[Any] = (),
    what: str = "the call",
) -> None:
    """Demand that `call` raises one of `kinds`, with each of `mentions` in its message.

    A mention that is an int has to stand there as a whole number; of a tuple any one will do.
    """
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    names = " or ".join(kind.__name__ for kind in kinds)
    try:
        got = call()
    except Exception as error:
        if isinstance(error, NotImplementedError) and NotImplementedError not in kinds:  # a step that is not written
            raise
        if not isinstance(error, kinds):
            kind = type(error).__name__
            problem = f"{what} raises {kind}, but should raise {names}"
            gist = f"{what} raises another error"
            raise Mismatch(problem, f"{kind}: {error}", names, alike=plain_name(type(error)), gist=gist) from error
        refusal, message = error, str(error)
    else:
        raise Mismatch(f"{what} is accepted, but should raise {names}", got, names)
    missing = [_words(mention) for mention in mentions if not _says(message, mention)]
    if missing:
        problem = f"the message of the {names} does not say {' and '.join(missing)}"
        raise Mismatch(problem, message, ", ".join(missing), alike=re.findall(r"\d+", message)) from refusal


def plain_name(kind: type) -> str:
    """The name of a class, or of the nearest it derives from where it is a learner's own: those names are free."""
    return next(each.__name__ for each in kind.__mro__ if each.__module__.split(".")[0] not in UNDER_TEST)


def _of_another_type(
    what: str, got: Any, wanted: str, want: Any = None, given: dict[str, Any] | None = None
) -> Mismatch:
    own = plain_name(type(got)) != type(got).__name__
    gist = f"{what} is a {plain_name(type(got))}, not {wanted}" if own else ""
    return Mismatch(f"{what} is {_a(type(got))}, not {wanted}", got, want, given, "its own" if own else None, gist)


def _says(message: str, mention: Any) -> bool:
    if isinstance(mention, tuple):
        return any(_says(message, word) for word in mention)
    if isinstance(mention, int):
        return re.search(rf"(?<!\d){mention}(?!\d)", message) is not None
    return str(mention) in message


def _words(mention: Any) -> str:
    return " or ".join(map(str, mention)) if isinstance(mention, tuple) else str(mention)


def parameter(module: nn.Module, path: str) -> Tensor:
    """The parameter of `module` at a dotted path such as "W_query.weight", or a Mismatch that names it."""
    value: Any = module
    for name in path.split("."):
        if not hasattr(value, name):
            owner = type(value).__name__
            got = sorted(dict(value.named_children())) if isinstance(value, nn.Module) else owner
            raise Mismatch(f"{owner} has no attribute `{name}`", got, path)
        value = getattr(value, name)
    if not isinstance(value, Tensor):
        raise Mismatch(f"`{path}` is {_a(type(value))}, not a parameter", type(value).__name__, "Parameter")
    return value


def copy_parameters(source: nn.Module, target: nn.Module) -> None:
    """Copy every parameter of `source`, by its path, into `target`. Buffers stay: a copied mask hides a wrong one."""
    with torch.no_grad():
        own = dict(target.named_parameters(remove_duplicate=False))
        for path, values in source.named_parameters():
            theirs = own[path] if path in own else parameter(target, path)
            tensor(theirs, values.shape, None, f"`{path}`", want=values)
            theirs.copy_(values)


def same(left: Any, right: Any) -> bool:
    """Whether two values are the same within the usual tolerance, however they are nested."""
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        if left.shape != right.shape or left.dtype != right.dtype or left.is_meta or right.is_meta:
            return left.shape == right.shape and left.dtype == right.dtype
        return _agree(left, right, _tolerance(left, right))
    if isinstance(left, float) and isinstance(right, float):
        bound = 1e-5 * max(abs(left), abs(right), NEGLIGIBLE)
        return left == right or abs(left - right) <= bound or (left != left and right != right)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    compare: Any = type(left).__eq__
    if compare is object.__eq__ and left is not None:  # modules, say: no two are equal, so their kind has to do
        return type(left).__qualname__ == type(right).__qualname__
    return type(left) is type(right) and bool(left == right)


def _agree(got: Tensor, want: Tensor, bound: float) -> bool:
    """Whether all entries are close: what most checks end with, so in as few operations as it takes."""
    if not type(got) is type(want) is Tensor:
        return bool(_close(got, want, bound).all())
    got, want = got.detach(), want.detach()
    with unseen():
        if got.dtype == want.dtype and torch.equal(got, want):
            return True
        if want.is_floating_point() and want.numel():
            scale = want.abs().max().item()
            if (got.double() - want.double()).abs().max().item() <= bound * max(scale, NEGLIGIBLE) < math.inf:
                return True
        return bool(_close(got, want, bound).all())


def _close(got: Tensor, want: Tensor, bound: float) -> Tensor:
    if not want.is_floating_point() and not want.is_complex():
        return got == want
    got, want = got.double(), want.double()
    finite = want[want.isfinite()]
    scale = finite.abs().max().item() if finite.numel() else 1.0
    slack = bound * max(scale, NEGLIGIBLE) if bound else 0.0
    return (got == want) | ((got - want).abs() <= slack) | (got.isnan() & want.isnan())


def _tolerance(got: Tensor, want: Tensor) -> float:
    return max(TOLERANCE.get(got.dtype, 0.0), TOLERANCE.get(want.dtype, 0.0))


def _frozen(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _a(kind: type) -> str:
    article = "an" if kind.__name__[0] in "aeiou" else "a"
    return f"{article} {kind.__name__.lower() if kind is Tensor else kind.__name__}"
