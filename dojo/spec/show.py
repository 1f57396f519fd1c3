"""Print values the way a learner reads them: few digits, and a mark on the entries that differ."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import torch

EDGE = 6  # rows and columns shown of a large matrix
TEXT = 160  # characters shown of a long text
WRITTEN = 32  # entries of a tensor that is written out to be pasted, at most
LINE = 80  # characters, beyond which its rows stand below each other
NEXT = "\n    "


def number(value: float | int | bool, digits: int = 3) -> str:
    """One number in few digits: 0.333, 12.5, 3.16e+04, -inf."""
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    text = f"{value:.{digits}g}"
    return text if "e" in text or "." in text or text.strip("-") in ("inf", "nan") else f"{value:.1f}"


def show(value: Any, differs: torch.Tensor | None = None, digits: int = 3) -> str:
    """Return `value` as text; entries where the bool tensor `differs` is True stand between » and «."""
    if isinstance(value, torch.Tensor):
        return _tensor(value.detach(), differs, digits)
    if isinstance(value, float):
        return number(value, digits)
    text = repr(value)
    return text if len(text) <= TEXT else f"{text[: TEXT - 1]}…"


def literal(value: Any, dtype: torch.dtype = torch.float32) -> str | None:
    """A value as Python has it, to be pasted where `dtype` is the default one; None for objects.

    Of a large tensor only the shape is stated, with a comment that says so.
    """
    if isinstance(value, torch.Tensor):
        return _tensor_literal(value.detach(), dtype)
    if isinstance(value, (list, tuple)):
        parts = [literal(part, dtype) for part in value]
        if None in parts:
            return None
        inner = ", ".join(part for part in parts if part is not None)
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(parts) == 1 else ''})"
    if isinstance(value, dict):
        pairs = [(literal(key, dtype), literal(part, dtype)) for key, part in value.items()]
        return None if any(None in pair for pair in pairs) else f"{{{', '.join(f'{k}: {v}' for k, v in pairs)}}}"
    if isinstance(value, torch.Generator):
        seed = value.initial_seed()
        unused = torch.equal(torch.Generator().manual_seed(seed).get_state(), value.get_state())
        return f"torch.Generator().manual_seed({seed})" if unused else None
    return repr(value) if isinstance(value, (int, float, str, bytes, type(None), torch.dtype, torch.device)) else None


def _tensor_literal(value: torch.Tensor, dtype: torch.dtype) -> str:
    kind = "" if value.dtype in (dtype, torch.int64, torch.bool) else f", dtype={value.dtype}"
    shape = ", ".join(map(str, value.shape))
    if value.numel() > WRITTEN or value.is_meta:
        if value.is_floating_point():
            return f"torch.randn({shape}{kind})  # of this shape; too large to be written out"
        kind = f", dtype={value.dtype}"
        return f"torch.ones({shape}{kind})  # of this shape; too large to be written out"
    if not value.numel():
        return f"torch.empty({shape}{kind})"
    single = value.to(torch.float32)
    if value.dtype == torch.float64 and torch.equal(single.double(), value) and not torch.equal(value, value.round()):
        value, kind, after = single, ", dtype=torch.float32", ".double()"  # drawn in float32: shorter, and exact
    else:
        after = ""
    text = _nested(value)
    return f"torch.tensor({text if len(text) <= LINE else text.replace('], [', '],' + NEXT + '[')}{kind}){after}"


def _nested(value: torch.Tensor) -> str:
    return _exact(value) if value.ndim == 0 else f"[{', '.join(map(_nested, value))}]"


def _exact(value: torch.Tensor) -> str:
    """A number in as few digits as give it back."""
    number = value.item()
    if not isinstance(number, float):
        return str(number)
    if not math.isfinite(number):
        return f'float("{number}")'
    digits = next(
        d for d in range(3, 18) if d == 17 or torch.tensor(float(f"{number:.{d}g}"), dtype=value.dtype) == value
    )
    text = f"{number:.{digits}g}"
    return text if "." in text or "e" in text else f"{text}.0"


def telling_digits(got: torch.Tensor, want: torch.Tensor, differs: torch.Tensor) -> int:
    """How many digits it takes to see that each differing entry differs: 3 if that is enough, 9 at most."""
    pairs = list(zip(got[differs].tolist(), want[differs].tolist()))[:EDGE]
    for digits in range(3, 9):
        if all(number(a, digits) != number(b, digits) for a, b in pairs):
            return digits
    return 9


def _tensor(value: torch.Tensor, differs: torch.Tensor | None, digits: int) -> str:
    if value.is_meta:
        return f"a tensor of shape {tuple(value.shape)} on the meta device"
    if value.ndim == 0:
        return number(value.item(), digits)
    if value.numel() == 0:
        return f"an empty tensor of shape {tuple(value.shape)}"
    where, block, marks = _interesting_block(value, differs)
    rows = block.tolist() if block.ndim == 2 else [block.tolist()]
    marked = marks.tolist() if block.ndim == 2 else [marks.tolist()]
    cells = [
        [f"»{number(v, digits)}«" if m else number(v, digits) for v, m in zip(row, row_marks)]
        for row, row_marks in zip(rows, marked)
    ]
    width = max(len(cell) for row in cells for cell in row)
    lines = ["[" + ", ".join(cell.rjust(width) for cell in row) + "]" for row in cells]
    text = lines[0] if block.ndim == 1 else "[" + ",\n ".join(lines) + "]"
    shape = "×".join(map(str, value.shape))
    return text if not where else f"{text}\n(entry {where} of a tensor of shape {shape})"


def _interesting_block(value: torch.Tensor, differs: torch.Tensor | None) -> tuple[str, torch.Tensor, torch.Tensor]:
    """The last two dimensions around the first entry that differs, and which part of the whole they are."""
    marks = torch.zeros_like(value, dtype=torch.bool) if differs is None else differs
    first = marks.nonzero()[0].tolist() if marks.any() else [0] * value.ndim
    outer, inner = first[:-2], first[-2:]
    block, marks = value[tuple(outer)], marks[tuple(outer)]
    window = [slice(max(0, at - EDGE + 1), max(EDGE, at + 1)) for at in inner]
    cropped = any(size > EDGE for size in block.shape)
    if cropped:
        block, marks = block[tuple(window)], marks[tuple(window)]
    if not outer and not cropped:
        return "", block, marks
    index = [str(at) for at in outer]
    index += (
        [f"{w.start}:{min(w.stop, n)}" for w, n in zip(window, value.shape[-2:])] if cropped else [":"] * len(inner)
    )
    return f"[{', '.join(index)}]", block, marks


def sentence(problem: str) -> str:
    """A problem as a sentence: a capital, a full stop. Names of functions stay as they are."""
    first = problem.split(" ")[0]
    opening = problem[0].upper() if first.isalpha() else problem[0]
    return opening + problem[1:] + ("" if problem.endswith(("?", ".")) else ".")


def summary(error: BaseException) -> str:
    """An error in a line: its type, the first line of its message, and what may be missing."""
    if isinstance(error, EOFError) and "reading a line" in str(error):
        return "EOFError: your code waits for input, and here is nobody to type it."
    text = str(error).strip().split("\n")[0]
    if isinstance(error, NameError) and error.name in sys.stdlib_module_names:
        text += f". Is `import {error.name}` missing?"
    return f"{type(error).__name__}: {text}" if text else f"{type(error).__name__}."


def quoted(path: Path, line: int) -> str:
    """A line of a file, counted from 1; nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[line - 1].strip()
    except (OSError, IndexError):
        return ""
