"""From a text to ids: the tokenizers, and ids that lie in a flat file which is larger than memory may be."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from ..spec.byte_pairs import GPT2_PATTERN, encoding, gpt2_ranks
from .model import Parts

KINDS = ("characters", "bytes", "gpt2")  # and those that a text of one's own is cut into, see `learned`
LEARNED_FROM = 5_000_000  # characters of the beginning of a text, from which its byte pairs are learned
BITS = {16: torch.int16, 32: torch.int32}  # an id of 16 bits is unsigned, and torch cannot index by such
VIEWS = {"unfold", "narrow", "view", "reshape", "flatten", "split", "chunk"}  # methods that copy nothing
FACTS = {"size", "dim", "numel", "shape", "ndim", "device", "is_cuda"}


class ByteTokenizer:
    """A tokenizer in which every byte of the text in UTF-8 is a token."""

    vocab_size = 256

    def encode(self, text: str) -> list[int]:
        """The bytes of a text."""
        return list(text.encode("utf-8"))

    def decode(self, ids: list[int]) -> str:
        """The text of bytes; what is no UTF-8 becomes the replacement character."""
        return bytes(ids).decode("utf-8", errors="replace")


def learned(kind: str) -> int:
    """How many byte pairs and bytes are to be learned from the text itself: of `bpe:4096`, 4096; else 0."""
    number = re.fullmatch(r"bpe:([1-9]\d{0,8})", kind)
    return int(number[1]) if number else 0


def learn(parts: Parts, kind: str, text: str) -> str:
    """The byte pairs that k20 learns from a text, as the vocabulary of a `tokenizer`. Raises ValueError for too few."""
    ranks, _ = parts["k20"].train_bpe(text, learned(kind), GPT2_PATTERN)
    tokens = sorted(ranks, key=ranks.__getitem__)[256:]  # the first are the bytes, in order
    return " ".join(base64.b64encode(token).decode("ascii") for token in tokens)


def ranks_of(kind: str, vocabulary: str) -> dict[bytes, int]:
    """The ranks of byte pairs: GPT-2's, or those that were learned. Raises DataError where GPT-2's are not here."""
    if not learned(kind):
        return gpt2_ranks()  # without the end of a text, which nothing here reads or writes
    tokens = [bytes([byte]) for byte in range(256)] + [base64.b64decode(token) for token in vocabulary.split()]
    return {token: rank for rank, token in enumerate(tokens)}


def tokenizer(parts: Parts, kind: str, vocabulary: str = "") -> Any:
    """A tokenizer with `encode`, `decode` and `vocab_size`.

    `vocabulary` holds the characters, or the byte pairs that `learn` found, where those are the tokens. Raises
    DataError where GPT-2's tokens have not been fetched.
    """
    if kind == "characters":
        return parts["k01"].CharTokenizer(vocabulary)
    if kind == "bytes":
        return ByteTokenizer()
    ranks = ranks_of(kind, vocabulary)
    own = parts["k20"].SpecialTokenizer(ranks, GPT2_PATTERN, {}) if learned(kind) else None
    pairs = own or parts["k01"].BPETokenizer(ranks, GPT2_PATTERN)
    pairs.vocab_size = len(ranks)
    return pairs


def ids_of(kind: str, own: Any, vocabulary: str, pieces: Iterable[str]) -> Iterator[Sequence[int]]:
    """The ids of a text that comes in pieces: those of the text as a whole.

    Byte pairs come from tiktoken, which gives what k01 and k20 give, many times faster.
    """
    if kind != "gpt2" and not learned(kind):
        yield from map(own.encode, pieces)
        return
    encode: Callable[[str], list[int]] = encoding(ranks_of(kind, vocabulary)).encode_ordinary
    yield from map(encode, cut_before_spaces(pieces))


def cut_before_spaces(pieces: Iterable[str]) -> Iterator[str]:
    """The same text in other pieces: each but the first begins with a space or a line's end after something else.

    No byte pair crosses such a place, as GPT-2's pattern cuts, so the pieces can be encoded one by one.
    """
    rest = ""
    for piece in pieces:
        rest += piece
        at = len(rest) - 1
        while at > 0 and (rest[at] not in " \n" or rest[at - 1].isspace()):
            at -= 1
        if at > 0:
            yield rest[:at]
            rest = rest[at:]
    if rest:
        yield rest


class Ids:
    """Ids in 16 or 32 bits, of a file in memory that is read as it is needed. Whatever is taken from them is int64.

    It does for `get_batch` of k02, in whatever way that is written, what a row of ids in a tensor does, without ever
    holding the whole text in 64 bits: a slice, or all windows of `unfold`, are narrow still.
    """

    dtype = torch.int64  # of what is taken

    def __init__(self, narrow: torch.Tensor) -> None:
        self.narrow = narrow

    @classmethod
    def open(cls, path: Path, count: int, bits: int) -> Ids:
        """The ids in a flat file, by memory map. Raises RuntimeError where it cannot be read."""
        return cls(torch.from_file(str(path), shared=False, size=count, dtype=BITS[bits]))

    def on(self, device: torch.device) -> Ids:
        """The same ids on a device, as narrow as they are."""
        return Ids(self.narrow.to(device))

    @property
    def wide(self) -> torch.Tensor:
        """All of them as int64."""
        return self.narrow.long() & 0xFFFF if self.narrow.dtype is torch.int16 else self.narrow.long()

    def __len__(self) -> int:
        return len(self.narrow)

    def __getitem__(self, index: Any) -> Any:
        return self._taken(self.narrow[index])

    def __getattr__(self, name: str) -> Any:
        if name in FACTS:
            return getattr(self.narrow, name)
        if name not in VIEWS:
            return getattr(self.wide, name)
        view = getattr(self.narrow, name)
        return lambda *sizes, **options: self._taken(view(*sizes, **options), keep=name == "unfold")

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        """Run a function of torch on them as int64."""
        return function(*map(_widened, arguments), **{key: _widened(each) for key, each in (options or {}).items()})

    def _taken(self, result: Any, keep: bool = False) -> Any:
        if isinstance(result, (list, tuple)):
            return type(result)(self._taken(each) for each in result)
        ids = Ids(result)
        same = result.untyped_storage().data_ptr() == self.narrow.untyped_storage().data_ptr()
        return ids if same and (keep or result.ndim == 1) else ids.wide


def _widened(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(map(_widened, value))
    return value.wide if isinstance(value, Ids) else value
