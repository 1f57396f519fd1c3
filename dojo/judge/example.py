"""The example on which a claim fails as lines that can be pasted: the values, the object, the call that was made."""

from __future__ import annotations

import inspect
import io
import re
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..sandbox.calls import Make
from ..sandbox.limits import limit
from ..sandbox.subject import Subject
from ..spec.check import same
from ..spec.claims import Claim, Example
from ..spec.errors import TimeUp
from ..spec.show import literal

EARLIER = 3  # calls of the same object before the call that is shown
CALLS = 200  # of an example
SHORT = 60  # characters of a value that stands within the call
LONG = 1000  # characters of several tensors, beyond which only their shapes are stated
LARGE = "  # of this shape; too large to be written out"  # as `literal` says it


@dataclass
class Call:
    """A call from outside, and what came of it."""

    name: str  # as in the contract: "lookup" or "GPTEmbedding.forward"
    function: Callable[..., Any]
    positional: tuple[Any, ...]
    named: dict[str, Any]
    result: Any


def calls_of(claim: Claim, subject: Subject, reference: Any, example: Example) -> list[Call]:
    """The calls from outside that a law makes on an example, with their arguments as they were then.

    The last call is there also where it raises an error.
    """
    calls: list[Call] = []
    kept: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}  # tensors, and copies of what they held

    def copied(value: Any) -> Any:
        if isinstance(value, torch.Generator):
            return torch.Generator().set_state(value.get_state())
        if not isinstance(value, Tensor):
            return list(value) if isinstance(value, list) else value
        return kept.setdefault((id(value), value._version), (value, value.detach().clone()))[1]

    def noted(make: Make, function: Any, name: str, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
        copies = tuple(map(copied, positional)), {key: copied(value) for key, value in named.items()}
        call = Call(name, function, *copies, None)
        calls.append(call)
        call.result = copied(result := make(function, name, positional, named))
        return result

    with subject.calls.made_by(noted), redirect_stdout(io.StringIO()), suppress(TimeUp):
        with limit(claim.seconds):
            claim.once(subject, reference, example)
        return calls[:CALLS]
    return []


def pasted(calls: Sequence[Call], got: Any, contract: Any, dtype: torch.dtype) -> list[str]:
    """Lines that make the call after which a law failed: the last one that gave `got`, else the last of all."""
    if not calls:
        return []
    last = decisive(calls, got)
    lines = _Lines(contract, dtype)
    if "." in calls[last].name:
        owner = calls[last].positional[0]
        before = [each for each in calls[:last] if "." in each.name and each.positional[0] is owner]
        made = [each for each in before if each.name.endswith(".__init__")]
        others = [each for each in before if each not in made and not isinstance(owner, nn.Module)]
        for each in (*made[:1], *(others if len(others) <= EARLIER else ())):
            lines.add(each)
    lines.add(calls[last])
    text = "\n".join(lines.written)
    if dtype == torch.float64 and ("torch.tensor" in text or "torch.randn" in text or "# the weights" in text):
        text = f"torch.set_default_dtype({dtype})\n{text}"
    return text.split("\n")


def decisive(calls: Sequence[Call], got: Any) -> int:
    """Which of some calls a law failed after: the last that gave `got`, else the last."""
    same = [at for at, call in enumerate(calls) if _equal(call.result, got)]
    return same[-1] if same else len(calls) - 1


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        alike = left.shape == right.shape and left.dtype == right.dtype and left.device == right.device
        return alike and (left.is_meta or torch.equal(left, right))
    return type(left) is type(right) and isinstance(left, (str, list, bytes)) and same(left, right)


class _Lines:
    """Lines of Python, each large value under a name of its own."""

    def __init__(self, contract: Any, dtype: torch.dtype) -> None:
        self.contract, self.dtype = contract, dtype
        self.written: list[str] = []
        self.names: dict[int, str] = {}  # of values that have a line already

    def add(self, call: Call) -> None:
        """Add a call, and the values that it is given."""
        owner, _, method = call.name.rpartition(".")
        first = call.positional[0] if owner else None
        given = call.positional[1:] if owner else call.positional
        names = _parameters(call.function, owner)
        contract = (
            getattr(getattr(self.contract, owner), method, None) if owner else getattr(self.contract, method, None)
        )
        by_name = contract is not None and names == _parameters(contract, owner)  # then position and name are the same
        pairs = list(zip([*names, *["values"] * len(given)], given))
        texts = [self._value(name, value) for name, value in pairs]
        last = max((at for at, (_, value) in enumerate(pairs) if not _is_plain(value)), default=-1)
        first_named = max(last + 1, 0 if method == "__init__" and len(given) > 1 else 1) if by_name else len(pairs)
        values = [
            f"{name}={text}" if at >= first_named and name in names else text
            for at, ((name, _), text) in enumerate(zip(pairs, texts))
        ]
        values += [f"{name}={self._value(name, value)}" for name, value in call.named.items()]
        arguments = f"({', '.join(values)})"
        if method == "__init__":
            weights = isinstance(first, nn.Module) and any(True for _ in first.parameters())
            comment = "  # the weights are not shown" if weights else ""
            self.written.append(f"{self._name(_short(owner), first)} = {owner}{arguments}{comment}")
        elif owner:
            about = self.names.get(id(first)) or self._name(_short(owner), first)
            self.written.append(f"{about}{'' if method == 'forward' else f'.{method}'}{arguments}")
        else:
            self.written.append(f"{method}{arguments}")

    def _name(self, wanted: str, value: Any) -> str:
        names = [wanted, *(f"{wanted}{number}" for number in range(2, 100))]
        self.names[id(value)] = next(name for name in names if name not in self.names.values())
        return self.names[id(value)]

    def _value(self, name: str, value: Any) -> str:
        """A value as it stands in a call: itself where it is short, else the name of a line of its own."""
        if id(value) in self.names:
            return self.names[id(value)]
        text = _byte_table(value) or _written(value, self.dtype)
        if text is None:  # a model, an optimizer
            own = self._name(name, value)
            self.written.append(f"# {own}: an object that the test makes")
            return own
        if not isinstance(value, Tensor) and len(text) <= SHORT:
            return text
        own = self._name(name, value)
        self.written.append(f"{own} = {text}")
        return own


def _byte_table(table: Any) -> str | None:
    """A table of tokens in two lines, where it ends with the 256 bytes and their ids follow one rule."""
    if not isinstance(table, dict) or not all(isinstance(table.get(bytes([byte])), int) for byte in range(256)):
        return None
    first, step = table[b"\0"], (table[b"\1"] - table[b"\0"]) % 256
    more = {token: i for token, i in table.items() if len(token) != 1}
    for order, written in ((range(256), "range(256)"), (range(255, -1, -1), "reversed(range(256))")):
        by_rule = {bytes([byte]): (step * byte + first) % 256 for byte in order}
        if list((more | by_rule).items()) == list(table.items()):
            rule = f"{{bytes([b]): ({step} * b + {first}) % 256 for b in {written}}}"
            return f"{literal(more)} | {rule}" if more else rule
    return None


def _written(value: Any, dtype: torch.dtype) -> str | None:
    """A value as `literal` has it; what is left out of many numbers is said at its end."""
    text = literal(value, dtype)
    if text is None or isinstance(value, Tensor):
        return text
    if len(text) > LONG:
        text = literal(_shapes(value), dtype) or text
    return text if LARGE not in text else text.replace(LARGE, "") + LARGE.replace("this shape", "these shapes")


def _shapes(value: Any) -> Any:
    """The same without the numbers of its tensors."""
    if isinstance(value, dict):
        return {key: _shapes(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shapes(part) for part in value] if isinstance(value, list) else tuple(map(_shapes, value))
    return value.detach().to("meta") if isinstance(value, Tensor) else value


def _is_plain(value: Any) -> bool:
    """Whether a value stands within the call, and is clearer with its name."""
    return not isinstance(value, Tensor) and literal(value) is not None


def _parameters(function: Any, owner: str) -> list[str]:
    return list(inspect.signature(function).parameters)[1 if owner else 0 :]


def _short(name: str) -> str:
    """What an object of a class is called: "attention" for MultiHeadAttention."""
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]*", name)[-1].lower() if name[0].isupper() else name.lower()
