"""How a wrong list, text or number relates to the expected one, where both are plain Python values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from .relations import how
from .values import Failure

Pair = tuple[Any, Any]  # got and want


def how_plain(pairs: Sequence[Pair], sizes: Sequence[Mapping[str, int]] = ()) -> Iterator[str]:
    """The first relation that holds on every pair; `sizes` are those of their examples."""
    every = sizes or [{}] * len(pairs)
    for relation in (lambda p: _scalars(p, every), _all_of, lambda p: _numbers(p, every), _parts, _dictionaries):
        if pairs and (sentence := relation(pairs)):
            yield sentence
            return


def _scalars(pairs: Sequence[Pair], sizes: Sequence[Mapping[str, int]]) -> str:
    if len(pairs) < 2 or not all(type(value) in (int, float) for pair in pairs for value in pair):
        return ""
    if len(pairs) > 2 and len({got for got, _ in pairs}) == 1 < len({want for _, want in pairs}):
        return f"It is {pairs[0][0]:g} on every example that fails, whatever is expected."
    differences = {got - want for got, want in pairs}
    if len(differences) == 1 and all(isinstance(got, int) for got, _ in pairs):
        off = differences.pop()
        return f"It is {abs(off)} too {'large' if off > 0 else 'small'}, on every example."
    return _of_numbers([((got,), (want,)) for got, want in pairs], sizes)


def _of_numbers(pairs: Sequence[Pair], sizes: Sequence[Mapping[str, int]]) -> str:
    return next(how([Failure(_tensor(got), _tensor(want), size) for (got, want), size in zip(pairs, sizes)]), "")


def _numbers(pairs: Sequence[Pair], sizes: Sequence[Mapping[str, int]]) -> str:
    """A relation of lists of numbers, or of the numbers of dictionaries, of one length."""
    lists = [(_values(got), _values(want)) for got, want in pairs]
    same = all(not isinstance(got, dict) or list(got) == list(want) for got, want in pairs)
    if not same or not all(_are_numbers(got) and _are_numbers(want) and len(got) == len(want) for got, want in lists):
        return ""
    return _of_numbers(lists, sizes)


def _values(value: Any) -> Any:
    return list(value.values()) if isinstance(value, dict) else value


def _are_numbers(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(type(part) in (int, float) for part in value)


def _tensor(values: Any) -> torch.Tensor:
    return torch.tensor([float(value) for value in values], dtype=torch.float64)


def _parts(pairs: Sequence[Pair]) -> str:
    """A relation that holds of every wrong entry of lists of lists, or of texts."""
    if not all(isinstance(v, (list, tuple)) for pair in pairs for v in pair) or any(len(g) != len(w) for g, w in pairs):
        return ""
    wrong = [each for pair in pairs for each in zip(*pair) if not _equal(*each)]
    if not wrong or not all(isinstance(value, (list, tuple, str, bytes)) for pair in wrong for value in pair):
        return ""
    sentence = _all_of(wrong)
    return f"Of each of its wrong entries: {sentence[0].lower()}{sentence[1:]}" if sentence else ""


def _all_of(pairs: Sequence[Pair]) -> str:
    """A relation of sequences that holds on all pairs; the empty expected one says nothing."""
    if not all(type(got) is type(want) and isinstance(got, (list, tuple, str, bytes)) for got, want in pairs):
        return ""
    if not any(want for _, want in pairs):
        return ""
    unit = "character" if isinstance(pairs[0][0], str) else "byte" if isinstance(pairs[0][0], bytes) else "entry"
    for relation in RELATIONS:
        sentences = {relation(got, want, unit) for got, want in pairs}
        if len(sentences) == 1 and (sentence := sentences.pop()):
            return sentence
    return ""


def _empty(got: Any, want: Any, unit: str) -> str:
    return "It is empty." if not got and want else ""


def _cut(got: Any, want: Any, unit: str) -> str:
    less = len(want) - len(got)
    if less > 0 and want[: len(got)] == got:
        return f"The last {_many(less, unit)} missing."
    if less > 0 and want[less:] == got:
        return f"The first {_many(less, unit)} missing."
    if less == 1 and any(want[:at] + want[at + 1 :] == got for at in range(len(want))):
        return f"One {unit} is missing inside."
    return ""


def _longer(got: Any, want: Any, unit: str) -> str:
    more = len(got) - len(want)
    if more > 0 and got[: len(want)] == want:
        return f"There {'is' if more == 1 else 'are'} {_number(more, unit)} too many at the end."
    if more > 0 and got[more:] == want:
        return f"There {'is' if more == 1 else 'are'} {_number(more, unit)} too many at the start."
    if more == 1 and any(got[:at] + got[at + 1 :] == want for at in range(len(got))):
        return f"There is 1 {unit} too many inside."
    return ""


def _cut_at_an_end(got: Any, want: Any, unit: str) -> str:
    if len(got) < len(want) and want[: len(got)] == got:
        return "It is right as far as it goes, but it ends too early."
    if len(got) < len(want) and want[len(want) - len(got) :] == got:
        return "It begins too late; from there on it is right."
    return "It is right at first, but it does not end where it should." if got[: len(want)] == want != got else ""


def _order(got: Any, want: Any, unit: str) -> str:
    if len(want) < 2 or got == want:
        return ""
    if got == want[::-1]:
        return "It is in reverse order."
    if len(got) == len(want) > 2 and got == want[1:] + want[:1]:
        return f"Everything stands one place too early, and the first {unit} comes last."
    if len(got) == len(want) > 2 and got == want[-1:] + want[:-1]:
        return f"Everything stands one place too late, and the last {unit} comes first."
    try:
        if list(got) == sorted(want):
            return "It is sorted, and it should not be."
        if list(want) == sorted(got):
            return "It holds what it should, but it is not sorted."
    except TypeError:
        pass
    return "It holds what it should, but in another order." if _counts(got) == _counts(want) else ""


def _repeated(got: Any, want: Any, unit: str) -> str:
    counts, wanted = _counts(got), _counts(want)
    plural = "entries" if unit == "entry" else f"{unit}s"
    if counts.keys() == wanted.keys() and all(counts[key] >= wanted[key] for key in counts) and len(got) > len(want):
        return f"Some {plural} stand there more often than they should."
    if counts.keys() == wanted.keys() and all(counts[key] <= wanted[key] for key in counts) and len(got) < len(want):
        return f"Of {plural} that come several times some are missing."
    if not counts.keys() - wanted.keys() and len(got) < len(want):
        return f"Some {plural} are missing; there is none that should not be there."
    return f"Some {plural} are too many; none is missing." if not wanted - counts and len(got) > len(want) else ""


def _shifted(got: Any, want: Any, unit: str) -> str:
    if len(got) != len(want) or not got or not all(type(v) is int for v in (*got, *want)) or isinstance(got, bytes):
        return ""
    offsets = {g - w for g, w in zip(got, want)}
    if len(offsets) == 1:
        off = offsets.pop()
        return f"Every number is {abs(off)} too {'large' if off > 0 else 'small'}."
    return ""


def _texts(got: Any, want: Any, unit: str) -> str:
    if not isinstance(got, str):
        return ""
    if got.lower() == want.lower():
        return "It is right but for capital and small letters."
    if "".join(got.split()) == "".join(want.split()):
        return "It is right but for white space."
    return "Some characters became � (they are no whole UTF-8)." if "\ufffd" in got and "\ufffd" not in want else ""


def _kept_together(got: Any, want: Any, unit: str) -> str:
    kind = type(want[0]) if want else None
    if isinstance(got, (str, bytes)) or kind not in (str, bytes) or any(type(p) is not kind for p in (*got, *want)):
        return ""
    if kind().join(got) != kind().join(want):
        return ""
    pieces = "too many pieces" if len(got) > len(want) else "too few pieces" if len(got) < len(want) else ""
    return f"Nothing is lost, but it is cut {f'into {pieces}' if pieces else 'in other places'}."


def _kinds(got: Any, want: Any, unit: str) -> str:
    """Exactly some kinds of characters are missing."""
    if isinstance(got, str) and len(got) < len(want):
        for words, kind in KINDS.items():
            if got == "".join(letter for letter in want if not kind(letter)):
                return f"{words} are missing; the others are right."
    return ""


KINDS: dict[str, Callable[[str], bool]] = {
    "Characters outside ASCII": lambda letter: not letter.isascii(),
    "Characters �": lambda letter: letter == "\ufffd",
    "Characters of white space": str.isspace,
    "Digits": str.isdigit,
    "Letters": str.isalpha,
    "Characters that are no letters": lambda letter: not letter.isalpha(),
}


def _other_numbers(got: Any, want: Any, unit: str) -> str:
    """Some of the expected entries are wrong wherever they stand, and the others right."""
    if isinstance(got, (str, bytes)) or len(got) != len(want) or len(want) < 4:
        return ""
    right = {repr(w) for g, w in zip(got, want) if g == w}
    wrong = {repr(w): g for g, w in zip(got, want) if g != w}
    consistent = all(wrong[repr(w)] == g for g, w in zip(got, want) if g != w)
    if right and wrong and consistent and not right & wrong.keys():
        return "Some of the expected entries are always another one, the same each time; the others are right."
    return ""


RELATIONS: tuple[Callable[[Any, Any, str], str], ...] = (
    *(_empty, _texts, _kinds, _kept_together, _cut, _longer, _order, _shifted, _cut_at_an_end),
    *(_repeated, _other_numbers),
)


def _dictionaries(pairs: Sequence[Pair]) -> str:
    if not all(isinstance(value, dict) for pair in pairs for value in pair):
        return ""
    missing = [want.keys() - got.keys() for got, want in pairs]
    extra = [got.keys() - want.keys() for got, want in pairs]
    if all(missing) and not any(extra):
        return f"Some keys are missing, such as {sorted(map(repr, missing[0]))[0]}."
    if all(extra) and not any(missing):
        return f"It has keys that it should not have, such as {sorted(map(repr, extra[0]))[0]}."
    if not any(missing) and not any(extra):
        kinds = {tuple(key for key in want if not _equal(got[key], want[key])) for got, want in pairs}
        wrong = kinds.pop() if len(kinds) == 1 else ()
        if len(wrong) == 1:
            return f"Only the entry {wrong[0]!r} is wrong."
        numbers = [(got[key], want[key]) for got, want in pairs for key in want]
        if all(type(value) is int for pair in numbers for value in pair):
            if all(got <= want for got, want in numbers):
                return "No number is too large, and some are too small: something is not counted."
            if all(got >= want for got, want in numbers):
                return "No number is too small, and some are too large: something is counted too often."
        values = [(got[key], want[key]) for got, want in pairs for key in want if not _equal(got[key], want[key])]
        return next(iter(how_plain(values)), "").replace("It is", "The value is")
    return ""


def _equal(left: Any, right: Any) -> bool:
    try:
        return bool(left == right)
    except Exception:  # tensors, say
        return False


def _counts(value: Any) -> Counter[Any]:
    return Counter(map(repr, value))


def _number(count: int, unit: str) -> str:
    plural = "entries" if unit == "entry" else f"{unit}s"
    return f"1 {unit}" if count == 1 else f"{count} {plural}"


def _many(count: int, unit: str) -> str:
    return f"{unit} is" if count == 1 else f"{_number(count, unit)} are"
