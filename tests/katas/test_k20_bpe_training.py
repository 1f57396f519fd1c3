"""k20 BPE training: what must be true of it."""

import functools
import itertools
import random
import tracemalloc
from collections import Counter
from itertools import pairwise

import regex
import tiktoken
from hypothesis import strategies as st

from dojo.spec import ban_module, byte_pairs, check, claim, oracle

# No tensor is handed over, so only how arguments are handed over varies.
of_text = functools.partial(
    claim,
    without={
        "layout": "text lies in memory in one way only",
        "dtype": "there are no numbers but counts and ids",
        "earlier": "a law of its own asks whether calls meet",
    },
)
BANS = [
    ban_module("tiktoken", why="it is the tokenizer that yours is measured with."),
    ban_module("tokenizers", why="it trains and encodes ready-made, and here you write that."),
    ban_module("transformers", why="its tokenizers are ready-made, and here you write one."),
]

GPT2 = byte_pairs.GPT2_PATTERN
PATTERNS = {
    "GPT-2's": GPT2,
    "letters or one other": r"\p{L}+|\P{L}",
    "letters alone": r"\p{L}+",
    "with groups": r"( ?)(\p{L}|')+|(\p{N})|\s",
    "a capital begins a piece": r"\p{Lu}?\p{Ll}+|\s+|(?s:.)",
    "by lines": r"[^\n]+\n?|\n",
}
PROSE = """O speak, I'll not deny thee: 'tis the lord's own hand, and the hand is the lord's!
   But soft -- my  heart's in 1597, and they've   said, "No more of that" (or so I heard them say).
The king, the king! The other king, my lord, is nothing to the kingdom, nor the king to nothing.

Ha! Naïve, was it? I'd rather the truth than 300 crowns... We'll see the hour, and I'll be there.\t
She'll sing the song of the other shore; the singer sings and the sea, it sings along, as ever.
"""
BYTES = {bytes([byte]): byte for byte in range(256)}
LEARNED = [b"an", b"na", b"ban", b" b", b" ban", b"l ", b"<|", b"ll", b"'ll", b"  ", b" \n", b"\n\n", b"xb"]
RANKS = BYTES | {token: 256 + i for i, token in enumerate(LEARNED)}
SPECIAL = {"<|end|>": 1000, "<|end|><|start|>": 700, "<|start|>": 269, "[a.b*]": 300, "é": 999}
specials = list(SPECIAL)
kinds = ["two letters", "runs", "three letters", "accents", "prose", "spaces"]
patterns = list(PATTERNS)
seeds = st.integers(0, 999)


# --- Texts and oracles: the slow, obvious way ------------------------------------------------------------------


def text_of(kind, seed, words=14):
    """A text of a kind, made by a seed."""
    rng = random.Random(f"{kind} {seed}")
    if kind == "prose":
        start = rng.randrange(0, 200)
        return PROSE[start : start + 120]
    if kind == "spaces":
        return "".join(rng.choices(["a", "b", " ", "  ", "\n", "'ll", "1", "!"], k=3 * words))
    if kind == "runs":
        return " ".join(rng.choice("aab") * rng.randint(1, 7) + rng.choice(["", "b", "aa"]) for _ in range(words))
    letters = {"two letters": "ab", "three letters": "abc", "accents": "né€😀"}[kind]
    return " ".join("".join(rng.choices(letters, k=rng.randint(1, 5))) for _ in range(words))


def parted(text, tokens):
    """The text cut at tokens, leftmost first, the longest where several begin: (part, whether it is a token)."""
    parts, start, at = [], 0, 0
    while at < len(text):
        here = max((token for token in tokens if text.startswith(token, at)), key=len, default=None)
        if here is None:
            at += 1
            continue
        parts += [(text[start:at], False), (here, True)]
        start = at = at + len(here)
    return [*parts, (text[start:], False)]


@functools.lru_cache(maxsize=1024)
def pieces_of(text, pattern, special=()):
    """The pieces of a text, without what is special in it, as tuples of single bytes with their counts."""
    found = [
        match.group().encode("utf-8")
        for part, is_special in parted(text, special)
        if not is_special
        for match in regex.finditer(pattern, part)
    ]
    return {tuple(bytes([byte]) for byte in piece): count for piece, count in Counter(found).items()}


def once_each(piece):
    """The pairs of a piece, each as often as it can be merged from left to right."""
    found = Counter()
    for pair in set(pairwise(piece)):
        at = 0
        while at < len(piece) - 1:
            hit = piece[at : at + 2] == pair
            found[pair] += hit
            at += 2 if hit else 1
    return found


def counted_slowly(pieces):
    counts = Counter()
    for piece, count in pieces.items():
        for pair, times in once_each(piece).items():
            counts[pair] += times * count
    return counts


def merged_slowly(pieces, pair):
    merged = {}
    for piece, count in pieces.items():
        tokens = []
        for token in piece:
            # A token of three marks one that was merged already: it is no token of the pair.
            if tokens and tokens[-1] == (pair[0],) and token == pair[1]:
                tokens[-1] = (*pair, "merged")
            else:
                tokens.append((token,))
        merged[tuple(b"".join(part for part in token if part != "merged") for token in tokens)] = count
    return merged


@functools.lru_cache(maxsize=1024)
def training(text, merges, pattern, special=()):
    """The pairs that are merged, each with the pieces before it."""
    pieces, history = pieces_of(text, pattern, special), []
    while len(history) < merges and (counts := counted_slowly(pieces)):
        pair = max(counts, key=lambda pair: (counts[pair], pair))
        history.append((pair, pieces))
        pieces = merged_slowly(pieces, pair)
    return history


def tokens_of(text, merges, pattern, special=()):
    """What the merges make, with their ranks."""
    history = training(text, merges, pattern, special)
    return {left + right: 256 + i for i, ((left, right), _) in enumerate(history)}


@functools.cache
def encoding(pattern):
    return tiktoken.Encoding("kata", pat_str=pattern, mergeable_ranks=RANKS, special_tokens={})


@oracle
def encoded(text, pattern, allowed=()):
    """The ids of a text: special tokens by hand, what is between them by tiktoken."""
    ids = []
    for part, is_special in parted(text, allowed):
        ids += [SPECIAL[part]] if is_special else encoding(pattern).encode_ordinary(part)
    return ids


# --- What is demanded of several places ------------------------------------------------------------------------


def same_counts(got, want, what, **given):
    """Demand these counts, in whatever order; what occurs no times may be listed or not."""
    check.instance(got, dict, what)
    listed = {key: got[key] for key in sorted(got, key=repr) if got[key] != 0}
    check.equal(listed, {key: want[key] for key in sorted(want, key=repr)}, what, **given)


def same_ids(got, want, what, **given):
    """Demand exactly these ids, in a list of plain ints."""
    check.instance(got, list, what)
    strange = [type(i).__name__ for i in got if type(i) is not int]
    if strange:
        raise check.Mismatch(f"{what} holds {strange[0]} where int belongs", got, want, given)
    check.equal(got, want, what, **given)


def trained(kata, text, vocab_size, pattern=GPT2, special=()):
    """Ranks and ids of special tokens, both dicts."""
    result = kata.train_bpe(text, vocab_size, pattern, *([list(special)] if special else []))
    check.instance(result, tuple, "train_bpe(…)")
    check.equal(len(result), 2, "how many things train_bpe returns")
    for part, what in zip(result, ("the ranks", "the ids of special tokens")):
        check.instance(part, dict, what)
    return result


def learned(ranks):
    """What was merged, by rank: all but the single bytes."""
    by_rank = sorted(ranks.items(), key=lambda item: (repr(item[1]).zfill(9), repr(item[0])))
    return {token: rank for token, rank in by_rank if len(token) != 1}


def demand_training(kata, text, merges, pattern=GPT2, special=()):
    ranks, _ = trained(kata, text, 256 + len(special) + merges, pattern, special)
    want = tokens_of(text, merges, pattern, tuple(special))
    what = f"what {merges} merges make" + (f" (special: {', '.join(special)})" if special else "")
    check.equal(learned(ranks), want, what, text=text, pattern=pattern)


# --- Step 1: pieces --------------------------------------------------------------------------------------------


@of_text(step=1, kind=kinds, pattern=patterns, seed=seeds)
def test_pieces_are_counted(kata, kind, pattern, seed):
    """split_pieces counts what the pattern matches as a whole, from left to right, each piece as UTF-8."""
    text = text_of(kind, seed)
    want = Counter(match.group().encode("utf-8") for match in regex.finditer(PATTERNS[pattern], text))
    same_counts(kata.split_pieces(text, PATTERNS[pattern]), want, "split_pieces(text, pattern)", text=text)


@of_text(step=1, text=st.text(max_size=12), pattern=["letters alone", "GPT-2's"])
def test_pieces_of_any_text(kata, text, pattern):
    """Any text has pieces, the empty one none; what the pattern does not match is left out."""
    text = f"{text} e\u0301 \u212b İx\r\n\n  b \n \n{text}"
    want = Counter(match.group().encode("utf-8") for match in regex.finditer(PATTERNS[pattern], text))
    same_counts(kata.split_pieces(text, PATTERNS[pattern]), want, "split_pieces(text, pattern)", text=text)
    same_counts(kata.split_pieces("", PATTERNS[pattern]), {}, 'split_pieces("", pattern)')


@of_text(step=1, kind=kinds, seed=seeds)
def test_pieces_of_one_text_are_not_those_of_another(kata, kind, seed):
    """Each call counts anew: neither an earlier text nor an earlier pattern changes what a later call gives."""
    texts = [text_of(kind, seed), text_of("prose", seed)[::-1]]
    for text in (*texts, texts[0]):
        for pattern in (GPT2, PATTERNS["by lines"]):
            want = Counter(match.group().encode("utf-8") for match in regex.finditer(pattern, text))
            same_counts(kata.split_pieces(text, pattern), want, "split_pieces(text, pattern)", text=text)


# --- Step 2: count and merge -----------------------------------------------------------------------------------


def some_pieces(kind, seed, merges):
    """Pieces with tokens of several bytes among them, as they are after a few merges."""
    text, pattern = text_of(kind, seed), PATTERNS["letters or one other"]
    pieces = pieces_of(text, pattern)
    for pair, before in training(text, merges, pattern):
        pieces = merged_slowly(before, pair)
    return {piece: count + len(piece) % 3 for piece, count in pieces.items()}


RUNS = [
    {(b"a",) * n: 1, (b"b", *(b"a",) * (n + 1), b"b", b"a"): count}
    for n, count in [(2, 1), (3, 1), (4, 2), (5, 3), (7, 2)]
]


@of_text(step=2, kind=kinds, seed=seeds, merges=[0, 1, 3])
def test_pairs_are_counted_with_their_pieces(kata, kind, seed, merges):
    """count_pairs counts every two neighbours within a piece, as often as the piece occurs, and none across pieces."""
    pieces = {p: c for p, c in some_pieces(kind, seed, merges).items() if all(len(set(t)) > 1 for t in zip(p, p[1:]))}
    pieces |= {(b"x", b"y", b"x", b"y"): 3, (b"yx", b"y"): 2, (b"y",): 9}
    same_counts(kata.count_pairs(dict(pieces)), counted_slowly(pieces), "count_pairs(pieces)", pieces=pieces)


@of_text(step=2, pieces=RUNS)
def test_pairs_that_overlap_count_as_often_as_they_merge(kata, pieces):
    """Of occurrences that share a token only those count that can be merged: a a a has (a, a) once, a a a a twice."""
    same_counts(kata.count_pairs(dict(pieces)), counted_slowly(pieces), "count_pairs(pieces)", pieces=pieces)


@of_text(step=2)
def test_where_there_are_no_pairs_none_are_counted(kata):
    """Pieces of a single token, and no pieces at all, have no pairs."""
    for pieces in ({}, {(b"a",): 3, (b"ab",): 2}):
        same_counts(kata.count_pairs(dict(pieces)), {}, f"count_pairs({pieces})")


@of_text(step=2, kind=kinds, seed=seeds, merges=[0, 1, 3])
def test_every_occurrence_is_merged(kata, kind, seed, merges):
    """merge_pair merges all occurrences of a pair in every piece, and keeps the counts and what else there is."""
    pieces = some_pieces(kind, seed, merges)
    counts = counted_slowly(pieces)
    for pair in sorted(counts, key=lambda pair: (counts[pair], pair))[-3:]:
        same_counts(
            kata.merge_pair(dict(pieces), pair),
            merged_slowly(pieces, pair),
            f"merge_pair(pieces, {pair})",
            pieces=pieces,
        )


@of_text(step=2, pieces=RUNS)
def test_runs_are_merged_from_left_to_right(kata, pieces):
    """In a run such as a a a the left two are merged, and a token that was merged is not merged again."""
    for pair in [(b"a", b"a"), (b"b", b"a"), (b"a", b"b")]:
        same_counts(
            kata.merge_pair(dict(pieces), pair),
            merged_slowly(pieces, pair),
            f"merge_pair(pieces, {pair})",
            pieces=pieces,
        )


@of_text(step=2)
def test_other_pairs_stay(kata):
    """Only neighbours that are the two tokens of the pair are merged: others may make the same bytes, or hold them."""
    pieces = {
        (b"ab", b"c", b"a", b"b", b"c"): 2,
        (b"a", b"bc", b"ab", b"c"): 3,
        (b"xa", b"bcx"): 1,
        (b"c", b"ab"): 4,
        (b"abc",): 5,
        (b"a", b"x", b"bc"): 6,
    }
    for pair in [(b"a", b"bc"), (b"ab", b"c"), (b"c", b"a"), (b"z", b"z")]:
        same_counts(
            kata.merge_pair(dict(pieces), pair),
            merged_slowly(pieces, pair),
            f"merge_pair(pieces, {pair})",
            pieces=pieces,
        )


# --- Step 3: train ---------------------------------------------------------------------------------------------


@of_text(step=3, kind=["two letters", "accents", "prose"], merges=[0, 3], seed=seeds, examples=4)
def test_the_bytes_come_first_in_order(kata, kind, merges, seed):
    """Ranks 0 to 255 are the single bytes in order, whether the text holds them or not."""
    ranks, special = trained(kata, text_of(kind, seed), 256 + merges)
    got = {token: rank for token, rank in sorted(ranks.items(), key=repr) if len(token) == 1}
    check.equal(got, dict(sorted(BYTES.items(), key=repr)), "the ranks of single bytes")
    check.equal(special, {}, "the ids of special tokens, where there are none,")


@of_text(step=3, special=[(), ("<|end|>",), ("<a>", "<b>", "<c>")], size=st.integers(1, 250), examples=6)
def test_a_vocabulary_too_small_is_refused(kata, special, size):
    """A vocab_size with no room for the bytes and the special tokens is a ValueError with both numbers."""
    smallest = 256 + len(special)
    for vocab_size in (smallest - 1, size):
        call = functools.partial(kata.train_bpe, "ab ab", vocab_size, GPT2, list(special))
        check.raises(
            ValueError,
            call,
            (vocab_size, smallest),
            f"train_bpe(text, {vocab_size}, …) with {len(special)} special tokens",
        )
    ranks, ids = trained(kata, "ab ab", smallest, GPT2, special)
    check.equal((len(ranks), len(ids)), (256, len(special)), f"how many ranks and ids there are at {smallest}")


@of_text(step=3, kind=kinds, room=[0, 1, 200], seed=seeds)
def test_training_ends_when_no_pair_is_left(kata, kind, room, seed):
    """With fewer pairs than asked for all of them are merged, and training ends early, with fewer ranks."""
    text = text_of(kind, seed, words=3)[:9]
    demand_training(kata, text, len(training(text, 99, GPT2)) + room)


@of_text(step=3)
def test_without_pairs_nothing_is_merged(kata):
    """A text with no pairs, an empty one say, leaves the 256 bytes."""
    for text in ("", "a", "1 a!\nb", "a a a a"):
        demand_training(kata, text, 5, PATTERNS["letters or one other"])


TIES = {
    "all alike": "ab cd ef gh",
    "the larger one first": "zy dc ba",
    "the same left token": "ab ac ad aé",
    "longer and shorter": "xabb xabb xaz xaz xa xaba qa qaba",
    "a prefix of another": "ca cab cab caba cb cb cbc",
    "beyond ASCII": "za ñb éc ab",
    "runs and others": "aaa bcb bcb dd aaaa",
    "two by two": "abab cdcd baba dcdc abcd",
}


@of_text(step=3, text=list(TIES), merges=[1, 3, 7])
def test_of_equally_frequent_pairs_the_larger_is_merged(kata, text, merges):
    """Of equally frequent pairs the larger one is merged, as tuples of bytes are compared: left tokens first."""
    demand_training(kata, TIES[text], merges, PATTERNS["letters or one other"])


@of_text(step=3, kind=kinds, merges=[1, 4, 12], seed=seeds, pattern=patterns)
def test_each_merge_is_of_the_most_frequent_pair(kata, kind, merges, seed, pattern):
    """Each merge is of the pair that is most frequent in the pieces as they then stand; its token has the next rank."""
    demand_training(kata, text_of(kind, seed), merges, PATTERNS[pattern])


@of_text(step=3, pattern=["GPT-2's", "by lines", "a capital begins a piece"], examples=3)
def test_counts_hold_over_many_merges(kata, pattern):
    """After many merges, too, the pair that is merged is the most frequent one by a count from scratch."""
    demand_training(kata, PROSE, 110, PATTERNS[pattern])


@of_text(step=3, runs=st.lists(st.integers(1, 12), min_size=4, max_size=9), merges=[3, 9])
def test_counts_hold_in_runs(kata, runs, merges):
    """Where the same token is repeated over and over, counts hold as well: neighbours of a merge may be merged too."""
    text = "\n".join("a" * n + "b" * (n % 3) + "a" * (n // 2) for n in runs)
    demand_training(kata, text, merges, PATTERNS["by lines"])
    demand_training(kata, text.replace("a", "ab"), merges, PATTERNS["by lines"])


@of_text(step=3, kind=["two letters", "runs", "three letters", "accents"], merges=[6], seed=seeds)
def test_the_order_of_pieces_makes_no_difference(kata, kind, merges, seed):
    """The same pieces in another order give the same ranks."""
    words = text_of(kind, seed).split()
    for order in (words, words[::-1], sorted(words)):
        demand_training(kata, "\n".join(order), merges, PATTERNS["letters or one other"])


@of_text(step=3, kind=kinds, seed=seeds, pattern=["GPT-2's", "letters or one other", "by lines"])
def test_every_token_is_the_join_of_two_earlier_ones(kata, kind, seed, pattern):
    """Each rank beyond the bytes is the join of two tokens of lower rank, and ranks are 0, 1, 2, … without a gap."""
    ranks, _ = trained(kata, text_of(kind, seed), 270, PATTERNS[pattern])
    check.equal(sorted(ranks.values(), key=repr), sorted(range(len(ranks)), key=repr), "the sorted list of ranks")
    orphans = [
        token
        for token, rank in learned(ranks).items()
        if not any(ranks.get(token[:i], rank) < rank > ranks.get(token[i:], rank) for i in range(1, len(token)))
    ]
    check.equal(orphans, [], "the list of tokens that are no join of two earlier ones")


@of_text(step=3, kind=kinds, seed=seeds)
def test_tiktoken_cuts_the_text_as_training_did(kata, reference, kind, seed):
    """With the ranks, tiktoken and the tokenizer of k01 cut the text into just the tokens that training ended with."""
    text, pattern = text_of(kind, seed), PATTERNS["letters or one other"]
    ranks, _ = trained(kata, text, 268, pattern)
    history = training(text, 12, pattern)
    pieces = merged_slowly(history[-1][1], history[-1][0]) if history else pieces_of(text, pattern)
    if set(ranks.values()) != set(range(len(ranks))) or not BYTES.items() <= ranks.items():
        raise check.Mismatch("the ranks are not those of a tokenizer", learned(ranks))
    want = sum(len(piece) * count for piece, count in pieces.items())
    check.equal(len(reference.BPETokenizer(ranks, pattern).encode(text)), want, "how many tokens k01 gives", text=text)
    check.equal(count_by_tiktoken(ranks, pattern, text), want, "how many tokens tiktoken gives", text=text)


@oracle
def count_by_tiktoken(ranks, pattern, text):
    made = tiktoken.Encoding("trained", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return len(made.encode_ordinary(text))


@of_text(step=3, special=[("<|end|>",), ("<b>", "<a>", "<|end|>"), ("z", "y")], merges=[2, 12], examples=6)
def test_special_tokens_follow_the_ranks(kata, special, merges):
    """Special tokens get the ids after the last rank, in the order given; together they fill the vocabulary."""
    text = "the bat, the cat; " + "".join(special) + "the hat"
    ranks, ids = trained(kata, text, 256 + merges + len(special), GPT2, special)
    made = len(tokens_of(text, merges, GPT2, special))
    check.equal(len(ranks), 256 + made, "how many ranks there are", text=text)
    want = {token: 256 + made + i for i, token in enumerate(special)}
    check.equal(
        dict(sorted(ids.items(), key=repr)),
        dict(sorted(want.items(), key=repr)),
        "the ids of special tokens",
        text=text,
    )


SPECIAL_TEXTS = {
    "they are no text": ("ab<|end|>ab<|end|>cab <|end|> <|end|>", ("<|end|>",)),
    "nothing is merged across": ("b<|>a b<|>a ba ab ab<|>", ("<|>",)),
    "they mean what they say": ("a.b axb axb a+ aa aa a.b [x] x x", ("a.b", "a+", "[x]")),
    "the longest wins": ("<e>xyxy <e>xyxy ab <e>xyxy ba <e>xyxy<e>ab<e>", ("<e>", "<e>xyxy", "xy <e>")),
    "capitals are others": ("<e> <E> ab<E>ab <E> <E>b a<e>a", ("<e>",)),
    "letters may be special": ("abcabcab abcab", ("ca",)),
    "pieces are those of each part": ("a   <e>  b  a   <e>   b", ("<e>",)),
    "beyond ASCII": ("néné né ené ené", ("é",)),
    "they do not stand there": ("abc abc ab", ("<|end|>",)),
}


@of_text(step=3, text=list(SPECIAL_TEXTS), merges=[1, 3, 6], examples=12)
def test_special_tokens_take_no_part_in_training(kata, text, merges):
    """The text is cut at special tokens, the longest where two begin alike: they are not counted nor merged across."""
    text, special = SPECIAL_TEXTS[text]
    demand_training(kata, text, merges, GPT2, special)


@of_text(step=3, kind=kinds, seed=seeds)
def test_trainings_do_not_meet(kata, kind, seed):
    """Each training begins afresh: what an earlier one counted or learned is no part of a later one."""
    demand_training(kata, text_of(kind, seed), 5)
    demand_training(kata, text_of("prose", seed + 1), 5, GPT2, ("the",))
    demand_training(kata, text_of(kind, seed), 5)


# --- Step 4: special tokens and streams ------------------------------------------------------------------------


def special_text(seed):
    """A text with special tokens in it, wherever they happen to stand."""
    rng = random.Random(f"special {seed}")
    return "".join(rng.choices([*SPECIAL, "<|end", "|>", " banana", "<|END|>", " ", "  ", "'ll", "[a.b", "axbb]"], k=9))


def tokenizer_of(kata, pattern=GPT2, special=SPECIAL):
    return kata.SpecialTokenizer(dict(RANKS), pattern, dict(special))


@of_text(step=4, kind=kinds, pattern=["GPT-2's", "letters or one other", "by lines"], seed=seeds)
def test_plain_text_is_encoded_as_in_k01(kata, kind, pattern, seed):
    """Without special tokens encode gives what tiktoken gives for these ranks and this pattern."""
    text = text_of(kind, seed) + " banana"
    want = encoded(text, PATTERNS[pattern])
    for special in (SPECIAL, {}):
        same_ids(tokenizer_of(kata, PATTERNS[pattern], special).encode(text), want, f"encode({text!r})")
    same_ids(tokenizer_of(kata, special={}).encode(""), [], 'encode("")')


@of_text(step=4, seed=seeds)
def test_special_tokens_are_text_unless_allowed(kata, seed):
    """A special token that is not allowed is encoded like any other text, also where another one is allowed."""
    text = "<|end|>" + special_text(seed)
    same_ids(tokenizer_of(kata).encode(text), encoded(text, GPT2), f"encode({text!r})")
    want = encoded(text, GPT2, ("[a.b*]",))
    got = tokenizer_of(kata).encode(text, allowed_special=("[a.b*]",))
    same_ids(got, want, f"encode({text!r}, allowed_special=('[a.b*]',))")


@of_text(
    step=4,
    seed=seeds,
    allowed=[tuple(specials), ("<|end|>", "é"), ("<|start|>", "[a.b*]", "<|end|>"), ("<|end|><|start|>",)],
)
def test_allowed_special_tokens_are_one_id(kata, seed, allowed):
    """An allowed special token is one id wherever it stands, the longest where two begin alike."""
    text = special_text(seed) + "<|end|><|start|>x<|end|>" + special_text(seed + 1)
    for collection in (allowed, set(allowed), list(allowed)[::-1]):
        got = tokenizer_of(kata).encode(text, collection)
        same_ids(got, encoded(text, GPT2, allowed), f"encode({text!r}, {list(allowed)})", special=SPECIAL)


@of_text(step=4, token=specials, pattern=["GPT-2's", "by lines"])
def test_special_tokens_at_the_ends(kata, token, pattern):
    """A special token at the beginning, at the end, beside another or alone is one id, and nothing comes between."""
    tokenizer = tokenizer_of(kata, PATTERNS[pattern])
    for text in (token, token + token, token + " banana", "ban  " + token, f" {token}  {token}b"):
        got = tokenizer.encode(text, allowed_special={token})
        same_ids(got, encoded(text, PATTERNS[pattern], (token,)), f"encode({text!r}, {{{token!r}}})", special=SPECIAL)


@of_text(step=4, seed=seeds, allowed=[(), tuple(specials)])
def test_decode_gives_the_text_back(kata, seed, allowed):
    """decode turns ids into the text, special tokens spelt out, also where a character spans several tokens."""
    text = special_text(seed)
    got = tokenizer_of(kata).decode(encoded(text, GPT2, allowed))
    check.equal(got, text, f"decode of the ids of {text!r}")


@of_text(step=4)
def test_broken_bytes_are_replaced(kata):
    """Bytes that are no valid UTF-8 decode to the replacement character, also beside a special token."""
    lists = [[195], [195, 1000, 169], [226, 130, 700], [255, 256, 97], [1000, 169, 269], []]
    spelt = {i: token for token, i in RANKS.items()} | {i: token.encode() for token, i in SPECIAL.items()}
    want = [b"".join(spelt[i] for i in ids).decode("utf-8", errors="replace") for ids in lists]
    check.equal([tokenizer_of(kata).decode(ids) for ids in lists], want, f"decode of each of {lists}")


@of_text(step=4, seed=seeds)
def test_calls_of_a_tokenizer_do_not_meet(kata, seed):
    """Each call starts afresh: what was allowed, or encoded, before makes no difference, nor does another tokenizer."""
    text = special_text(seed) + "<|end|>é"
    one, two = tokenizer_of(kata), tokenizer_of(kata, special={"é": 5000})
    got = [one.encode(text, ["<|end|>"]), one.encode(text), two.encode(text, ("é",)), list(one.encode_iterable([text]))]
    plain, ended = encoded(text, GPT2), encoded(text, GPT2, ("<|end|>",))
    other = [5000 if i == SPECIAL["é"] else i for i in encoded(text, GPT2, ("é",))]
    want = [ended, plain, other, plain]
    check.equal([list(ids) for ids in got], want, f"encode of {text!r}, with other things allowed each time,")


def cut(text, how, seed):
    """A text in pieces: by characters, by lines, anywhere with empty ones among them, or not at all."""
    if how == "by characters":
        return list(text)
    if how == "by lines":
        return text.splitlines(keepends=True)
    if how == "anywhere":
        rng = random.Random(seed)
        cuts = sorted(rng.choices(range(len(text) + 1), k=len(text) // 3))
        return [text[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(text)])]
    return [text]


cuts = ["by characters", "anywhere", "by lines", "not at all"]


@of_text(
    step=4, kind=kinds, how=cuts, pattern=["GPT-2's", "letters or one other", "a capital begins a piece"], seed=seeds
)
def test_a_stream_has_the_ids_of_the_whole_text(kata, kind, how, pattern, seed):
    """encode_iterable gives the ids that encode gives for the whole text, wherever it is cut into lines."""
    text = text_of(kind, seed, words=8)
    lines = cut(text + " banana", how, seed)
    got = list(tokenizer_of(kata, PATTERNS[pattern]).encode_iterable(iter(lines)))
    same_ids(
        got, encoded("".join(lines), PATTERNS[pattern]), f"list(encode_iterable({lines}))", pattern=PATTERNS[pattern]
    )


@of_text(step=4, how=["one after the other", "one is given up", "in turns"])
def test_streams_of_a_tokenizer_do_not_meet(kata, how):
    """Several texts go through encode_iterable of one tokenizer, one after the other or in turns, and each has its own
    ids, also after one that was given up half way."""
    tokenizer, texts = tokenizer_of(kata), ["banana ba", "nab   an", " I'll naïve"]
    streams = [tokenizer.encode_iterable(list(text)) for text in texts]
    got = [[] for _ in texts]
    if how == "one is given up":
        next(iter(tokenizer.encode_iterable(list(" banana" * 9))), None)
    if how == "in turns":
        for ids in itertools.zip_longest(*streams):
            for own, i in zip(got, ids):
                own += [] if i is None else [i]
    else:
        got = [list(stream) for stream in streams]
    want = [encoded(text, GPT2) for text in texts]
    check.equal(got, want, f"the ids of {texts}, each from a stream of its own")


@of_text(step=4)
def test_a_cut_within_a_piece_is_not_seen(kata):
    """A cut within a word, before its ending, between blanks, or with nothing after it leaves the ids as they are."""
    texts = [
        "banana banana",
        "I'll",
        "they're  we've",
        "   a  \n b",
        "a\n\n\n",
        "naïve 1597!?",
        "ba",
        "",
        "<|end|> b an b",
        " \n",
    ]
    got, want = [], []
    for text in texts:
        for at in range(len(text) + 1):
            got.append(list(tokenizer_of(kata).encode_iterable([text[:at], text[at:]])))
            want.append(encoded(text, GPT2))
    same_ids(
        [i for ids in got for i in ids], [i for ids in want for i in ids], f"the ids of {texts}, cut at each place,"
    )


@of_text(step=4, how=cuts[:2], examples=2)
def test_a_stream_is_read_as_it_is_used(kata, how):
    """encode_iterable reads no more lines than it needs for the next id, and none before it is asked."""
    read = []

    def lines():
        for line in cut(" banana" * 400, how, 0):
            read.append(line)
            yield line

    ids = tokenizer_of(kata).encode_iterable(lines())
    check.equal(len(read), 0, "how many lines are read before the first id is asked for")
    if not hasattr(ids, "__next__"):
        raise check.Mismatch("encode_iterable(lines) is no iterator", type(ids).__name__, "an iterator")
    first = [next(ids) for _ in range(20)]
    same_ids(first, encoded(" banana" * 400, GPT2)[:20], "the first 20 ids")
    far = len("".join(read)) > 200
    if far:
        raise check.Mismatch(
            "for the first 20 ids too much is read", f"{len(''.join(read))} characters", "at most 200", alike="far"
        )


@of_text(step=4, costly=True)
def test_memory_does_not_grow_with_the_text(kata):
    """encode_iterable forgets what it has encoded: a long text needs no more memory than a short one."""
    line = (" " + "x" * 499) * 8
    count = 60
    tokenizer = tokenizer_of(kata)
    tracing = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        total = sum(1 for _ in tokenizer.encode_iterable(f"{line}{i}" for i in range(count)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        if not tracing:
            tracemalloc.stop()
    check.equal(total, sum(len(f"{line}{i}") for i in range(count)), "how many ids there are")
    if peak - before > count * len(line) * 2 // 3:
        problem = f"encoding a text of {count * len(line):,} characters line by line takes too much memory"
        raise check.Mismatch(
            problem, f"{peak - before:,} bytes", f"at most {count * len(line) * 2 // 3:,}", alike="grows"
        )
