"""A learner at k05 who may save anything at all, and what the judge says of it."""

from __future__ import annotations

from pathlib import Path

from dojo.curriculum import stubs
from dojo.curriculum.catalog import Catalog
from dojo.judge.client import Judge
from dojo.judge.verdict import Verdict

from .trees import ROOT

K05 = Catalog(ROOT).find("5")
SOLUTION = K05.solution.read_text(encoding="utf-8")
STUB = stubs.stub_of(K05)
STEP_1 = stubs.make_stub(SOLUTION, solved=1)  # all that is cheap to judge: step 1 is done, the rest is not started

# The lines of the solution that tests change.
MASK = "return torch.triu(torch.ones(tokens, tokens, dtype=torch.bool), diagonal=1)"
FILL = "return softmax(scores.masked_fill(mask, -torch.inf))"
DROP = "return x * keep / (1 - rate)"
WEIGHTS = "weights = masked_softmax(scores, self.mask[:tokens, :tokens])"
MIX = "return self.dropout(weights) @ value  # (B, T, d_out)"


def swapped(old: str, new: str, text: str = SOLUTION) -> str:
    """The text with `new` in the place of `old`, which must stand there once."""
    assert text.count(old) == 1, (text.count(old), old)
    return text.replace(old, new)


def body(function: str, *lines: str, text: str = SOLUTION) -> str:
    """The text with `lines` at the beginning of what a function does."""
    at = text.index('"""\n', text.index(f"def {function}(")) + 4
    return text[:at] + "".join(f"    {line}\n" for line in lines) + text[at:]


def line_of(text: str, part: str) -> int:
    """The number of the line in which `part` stands."""
    return text[: text.index(part)].count("\n") + 1


class Learner:
    """Saves a file outside of the tree and has it judged as k05."""

    def __init__(self, judge: Judge, folder: Path):
        self.judge = judge
        self.file = folder / "causal_attention.py"

    def saves(self, content: str | bytes) -> Verdict:
        self.file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self.asks()

    def asks(self) -> Verdict:
        return self.judge.verdict(K05, path=self.file)
