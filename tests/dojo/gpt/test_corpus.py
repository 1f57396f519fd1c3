"""The texts and the ranks that katas learn from."""

import math
import os
import subprocess
import sys
from collections import Counter
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dojo.gpt import corpus
from dojo.spec import byte_pairs
from dojo.system import data_files
from dojo.system.data_files import DataError

from .ranks import SMALL_MERGES, train_ranks


@pytest.fixture
def fetched(tmp_path):
    """A folder with the downloads, as far as they are at hand here without a network."""

    def folder(*names: str):
        for name in names:
            try:
                (tmp_path / name).write_bytes(data_files.read(data_files.sources()[name]))
            except DataError as error:
                pytest.skip(str(error))
        return tmp_path

    return folder


def merged(piece: bytes, ranks: dict[bytes, int]) -> list[int]:
    """Byte-pair encoding by merges alone: the slow, obvious way."""
    parts = [piece[i : i + 1] for i in range(len(piece))]
    while True:
        joined = [a + b for a, b in zip(parts, parts[1:], strict=False)]
        best = min((pair for pair in joined if pair in ranks), key=ranks.get, default=None)
        if best is None:
            return [ranks[part] for part in parts]
        at = joined.index(best)
        parts[at : at + 2] = [best]


# The embedded corpus.


def test_the_embedded_corpus_is_as_long_as_asked_and_always_the_same():
    play = corpus.verona()
    assert 500_000 <= len(play.text) < 500_500
    assert play == corpus.verona()
    assert corpus.verona(10_000).text == play.text[: len(corpus.verona(10_000).text)]
    assert corpus.verona(10_000, seed=2).text != corpus.verona(10_000).text


def test_no_short_memory_beats_the_floor_of_the_embedded_corpus():
    play = corpus.verona(150_000)

    def conditional_entropy(memory: int) -> float:
        """Entropy of a character, given the `memory` characters before it, in nats."""
        seen = Counter(play.text[i : i + memory] for i in range(len(play.text) - memory))
        pairs = Counter(play.text[i : i + memory + 1] for i in range(len(play.text) - memory))
        return -sum(n * math.log(n / seen[pair[:-1]]) for pair, n in pairs.items()) / sum(pairs.values())

    losses = [conditional_entropy(memory) for memory in range(4)]
    assert losses == sorted(losses, reverse=True)
    assert play.floor < losses[-1] < play.floor + 0.5


# The small ranks.


def test_the_kept_ranks_are_those_that_training_gives():
    kept = byte_pairs.SMALL_RANKS.read_text(encoding="ascii")
    trained = train_ranks(corpus.verona().text, SMALL_MERGES)
    assert kept == byte_pairs.ranks_to_text(trained), "the play has changed: run python -m tests.dojo.gpt.ranks"


def test_the_small_ranks_are_all_bytes_and_then_the_merges():
    ranks = byte_pairs.small_ranks()
    assert sorted(ranks.values()) == list(range(256 + SMALL_MERGES))
    assert all(ranks[bytes([byte])] == byte for byte in range(256))


def test_every_small_token_is_reached_by_merges():
    ranks = byte_pairs.small_ranks()
    assert all(merged(token, ranks) == [rank] for token, rank in ranks.items())


def test_small_ranks_cut_the_play_into_far_fewer_tokens():
    text = corpus.verona(20_000).text
    cut = byte_pairs.encoding(byte_pairs.small_ranks())
    assert len(cut.encode(text)) < len(text) / 2
    assert cut.decode(cut.encode(text)) == text


@settings(deadline=None, derandomize=True)
@given(text=st.text() | st.text("they kiss'd ,.\n", max_size=40))
def test_small_ranks_carry_any_text_there_and_back(text):
    cut = byte_pairs.encoding(byte_pairs.small_ranks())
    assert cut.decode(cut.encode(text)) == text
    pieces = cut.decode_tokens_bytes(cut.encode(text))
    assert b"".join(pieces) == text.encode()


def test_training_takes_the_commonest_pair_first_and_of_equals_the_first_in_byte_order():
    ranks = train_ranks("low low low slow bow", 3)
    assert list(ranks)[256:] == [b"ow", b"low", b" low"]
    assert list(train_ranks("ba\nba\ndc\ndc", 2))[256:] == [b"ba", b"dc"]


def test_a_text_too_poor_for_the_merges_is_refused_with_both_numbers():
    with pytest.raises(ValueError, match="only 2 merges, not 5"):
        train_ranks("abc", 5)


# What was downloaded.


def test_without_the_files_each_asks_for_make_data(tmp_path, monkeypatch):
    monkeypatch.delenv(data_files.MIRROR, raising=False)
    for wanted in (corpus.tinyshakespeare, byte_pairs.gpt2_ranks):
        with pytest.raises(DataError, match="not here yet. Run `make data`"):
            wanted(tmp_path)


def test_a_damaged_file_is_never_used(tmp_path):
    (tmp_path / "tinyshakespeare.txt").write_bytes(b"First Citizen:\n")
    with pytest.raises(DataError, match="damaged: it has 15 bytes instead of 1,115,394"):
        corpus.tinyshakespeare(tmp_path)


def test_tinyshakespeare_is_the_text_whose_floor_nobody_knows(fetched):
    play = corpus.tinyshakespeare(fetched("tinyshakespeare.txt"))
    assert len(play.text) == 1_115_394 and len(set(play.text)) == 65
    assert play.floor is None


def test_gpt2_ranks_are_those_that_tiktoken_reads(fetched):
    from tiktoken.load import data_gym_to_mergeable_bpe_ranks

    folder = fetched("vocab.bpe", "encoder.json")
    with mock.patch.dict(os.environ, {"TIKTOKEN_CACHE_DIR": ""}):  # no cache
        theirs = data_gym_to_mergeable_bpe_ranks(str(folder / "vocab.bpe"), str(folder / "encoder.json"))
    ours = byte_pairs.gpt2_ranks(folder)
    assert ours == theirs and len(ours) == 50_256


@settings(deadline=None, derandomize=True)
@given(text=st.text() | st.text("they'll 've12 ,.\n\t", max_size=40))
def test_the_pattern_cuts_as_gpt2_does(text):
    from tiktoken_ext.openai_public import r50k_pat_str

    ranks = byte_pairs.small_ranks()
    theirs = byte_pairs.encoding(ranks, r50k_pat_str)
    assert byte_pairs.encoding(ranks).encode(text) == theirs.encode(text)


def test_the_machinery_loads_neither_torch_nor_tiktoken_for_a_text():
    code = (
        "import sys; from dojo.gpt import corpus; from dojo.spec import byte_pairs;"
        "corpus.verona(1000); byte_pairs.small_ranks();"
        "print({'torch', 'tiktoken', 'regex'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=data_files.DATA.parent)
    assert done.stdout.strip() == "set()", done.stderr
