"""A text as ids, in a training and a validation part: of the embedded corpora, or of a text of one's own.

One's own is encoded once, into a flat file in `.dojo/tokens` that is named by its content and its tokenizer.
"""

from __future__ import annotations

import array
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..system.files import write_whole
from .corpus import Corpus
from .model import Parts
from .texts import TextError, digest, files_of, pieces, size_of
from .tokens import KINDS, LEARNED_FROM, Ids, ids_of, learn, learned, tokenizer

EVALUATED = 200_000  # tokens of the validation part that are evaluated, at most: more would take longer than training
UNSEEN = (
    "VALID holds {}, which the text to train on has not. "
    "Leave it out, or take TOKENS=bytes, which knows every character."
)
STRANGE = "TEXT holds {}, which the model to go on from does not know. Leave it out."
OnBytes = Callable[[int, int], object]  # is called with the bytes that were encoded since, and those there are


@dataclass(frozen=True)
class OwnText:
    """A text of one's own, as it was given."""

    paths: str  # files and folders, with the separator of PATH between them
    validation: str = ""  # the same, else the last tenth of the text
    kind: str = "characters"  # of tokens
    known: str | None = None  # the vocabulary, where a model that was trained before brings it


@dataclass(frozen=True)
class Encoded:
    """A text as ids, and the tokenizer that made them."""

    tokenizer: Any
    source: str  # which text it is: a name, with the hash of its content where it is one's own
    kind: str  # of tokens
    vocabulary: str  # every character of the text, or its byte pairs, where those are the tokens
    train: torch.Tensor | Ids
    validation: torch.Tensor
    floor: float | None  # nats a token, where it is known
    title: str = ""  # what its files are called, where it is one's own

    @property
    def tokens(self) -> int:
        """How many there are to train on."""
        return len(self.train)


def encode_corpus(corpus: Corpus, parts: Parts) -> Encoded:
    """A corpus in memory, by characters."""
    vocabulary = "".join(sorted(set(corpus.text)))
    own = tokenizer(parts, "characters", vocabulary)
    train, validation = parts["k02"].split(torch.tensor(own.encode(corpus.text), dtype=torch.int64))
    return Encoded(own, corpus.name, "characters", vocabulary, train, validation, corpus.floor)


def encode_text(
    text: OwnText, parts: Parts, folder: Path, context: int, on_bytes: OnBytes = lambda new, total: None
) -> Encoded:
    """A text of one's own, from its flat file in `folder`, which is made where it is not there yet.

    Raises TextError for a text that cannot be trained on, DataError where GPT-2's tokens have not been fetched.
    """
    if text.kind not in KINDS and not learned(text.kind):
        raise TextError(f"TOKENS is one of {', '.join(KINDS)}, or bpe:4096: so many learned from the text itself.")
    cache = _Cache(folder, text.kind, parts, on_bytes)
    source, vocabulary, train = cache.ids(files_of(text.paths), text.known, STRANGE)
    if text.validation:
        _, _, validation = cache.ids(files_of(text.validation), vocabulary, UNSEEN)
    else:
        train, validation = parts["k02"].split(train)
    for what, ids in (("training", train), ("validation", validation)):
        if len(ids) <= context:
            raise TextError(
                f"The text is too short: {len(ids):,} tokens for {what}, and a context of {context} takes "
                f"{context + 1} at least. A longer text will do, or a PRESET with a shorter context."
            )
    own = tokenizer(parts, text.kind, vocabulary)
    title = ", ".join(Path(path).resolve().name for path in filter(None, text.paths.split(os.pathsep)))
    return Encoded(own, source, text.kind, vocabulary, train, validation[:EVALUATED].wide, None, title)


@dataclass(frozen=True)
class _Cache:
    """The flat files of texts that were encoded: ids as they are, and beside them what they are."""

    folder: Path
    kind: str
    parts: Parts
    on_bytes: OnBytes

    def ids(self, files: list[Path], known: str | None, problem: str) -> tuple[str, str, Ids]:
        """The name, the vocabulary and the ids of a text; in the `known` vocabulary, where one is given."""
        name = digest(files, self.kind, known if known is not None else "its own")[:16]
        name += "-" + self.kind.replace(":", "-")
        path, about = self.folder / f"{name}.ids", self.folder / f"{name}.json"
        try:
            facts = json.loads(about.read_text(encoding="utf-8"))
            if path.stat().st_size != facts["count"] * facts["bits"] // 8:
                raise ValueError
        except (OSError, ValueError, KeyError, TypeError):
            if known is None:
                known = self._vocabulary(files)
            elif self.kind == "characters":
                self._check(files, known, problem)
            facts = self._encode(files, known, path)
            write_whole(about, json.dumps(facts))
        return path.stem, facts["vocabulary"], Ids.open(path, facts["count"], facts["bits"])

    def _encode(self, files: list[Path], vocabulary: str, path: Path) -> dict[str, Any]:
        own = tokenizer(self.parts, self.kind, vocabulary)
        bits = 16 if own.vocab_size <= 1 << 16 else 32
        part = path.with_suffix(f".{os.getpid()}.part")
        count = 0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                for ids in ids_of(self.kind, own, vocabulary, self._read(files)):
                    array.array("H" if bits == 16 else "I", ids).tofile(file)
                    count += len(ids)
            if not count:
                raise TextError(f"There is no text in {', '.join(map(str, files))}: empty.")
            part.replace(path)
        except OSError as error:
            raise TextError(f"{path} cannot be written: {error.strerror}. Nothing was started.") from None
        finally:
            part.unlink(missing_ok=True)
        return {"vocabulary": vocabulary, "count": count, "bits": bits}

    def _read(self, files: list[Path]) -> Iterator[str]:
        total = size_of(files)
        return pieces(files, lambda new: self.on_bytes(new, total))

    def _vocabulary(self, files: list[Path]) -> str:
        """Every character of the text, or the byte pairs of its beginning, where those are the tokens."""
        if self.kind == "characters":
            seen: set[str] = set()
            for piece in pieces(files):
                seen.update(piece)
            return "".join(sorted(seen))
        if not learned(self.kind):
            return ""
        beginning = ""
        for piece in pieces(files):
            beginning += piece
            if len(beginning) >= LEARNED_FROM:
                break
        try:
            return learn(self.parts, self.kind, beginning[:LEARNED_FROM])
        except ValueError as error:
            raise TextError(f"TOKENS={self.kind} does not do: {error}.") from None

    def _check(self, files: list[Path], known: str, problem: str) -> None:
        """Refuse a text with characters that are not known."""
        for piece in pieces(files):
            if strange := sorted(set(piece) - set(known)):
                raise TextError(problem.format(", ".join(map(repr, strange[:5]))))
