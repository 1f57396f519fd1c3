"""How the small byte-pair ranks are trained on the embedded corpus; `python -m tests.dojo.gpt.ranks` writes them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import regex

from dojo.gpt.corpus import verona
from dojo.spec.byte_pairs import GPT2_PATTERN, SMALL_RANKS, encoding, ranks_to_text

SMALL_MERGES = 256


def train_ranks(text: str, merges: int, pattern: str = GPT2_PATTERN) -> dict[bytes, int]:
    """Byte-pair ranks: the 256 bytes, then `merges` times the commonest pair of neighbours, joined.

    Of equally common pairs the one that comes first in byte order is taken, so that the same text gives the same
    ranks everywhere. Source: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units",
    section 3.2, on bytes.

    Raises:
        ValueError: the text has too few different pairs.
    """
    pieces = Counter(regex.findall(pattern, text))
    ranks = {bytes([byte]): byte for byte in range(256)}
    for rank in range(256, 256 + merges):
        # Cutting every piece anew by the ranks so far keeps to what tiktoken will do with them.
        cut = encoding(ranks, pattern)
        pairs: Counter[bytes] = Counter()
        for piece, count in pieces.items():
            tokens = cut.decode_tokens_bytes(cut.encode_ordinary(piece))
            for left, right in pairwise(tokens):
                pairs[left + right] += count
        if not pairs:
            raise ValueError(f"the text gives only {rank - 256} merges, not {merges}: take fewer, or more text")
        ranks[min(pairs, key=lambda pair: (-pairs[pair], pair))] = rank
    return ranks


if __name__ == "__main__":  # after a change of the play
    trained = train_ranks(verona().text, SMALL_MERGES)
    SMALL_RANKS.write_text(ranks_to_text(trained), encoding="ascii", newline="\n")
