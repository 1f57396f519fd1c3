"""k01 tokens: what must be true of them."""

import functools
import itertools
import random
import unicodedata

import tiktoken
from hypothesis import strategies as st

from dojo.spec import ban_module, byte_pairs, check, claim

# A claim about text. No tensor is handed over, so only how arguments are handed over varies.
of_text = functools.partial(
    claim,
    without={
        "layout": "text lies in memory in one way only",
        "dtype": "there are no numbers but ids",
        "earlier": "laws of their own ask whether calls meet",
    },
)
BANS = [ban_module("tiktoken", why="it is the tokenizer that yours is measured with.")]

# Tables made by hand: the tokens beyond the 256 bytes, in the order of their ranks, and characters that meet in them.
# Each token is reached by merges, and ids of bytes differ from the bytes' values.
TABLES = {
    "repeats": ([b"bb", b"aa", b"aaaa", b"bba", b"ab", b"abba", b"aab"], "ab"),
    "banana": ([b"an", b"na", b"ban", b"ana", b"ba"], "ban"),
    "across words": ([b"n ", b" a", b"an", b"!\n", b"n !", b" an"], "an !\n"),
    "white space": ([b"  ", b"\n\n", b"\r\n", b"\n ", b"    ", b" \n"], " \n\r"),
    "capitals": ([b"aB", b"ab", b"Ba", b"AB", b"Ab", b"bA"], "abAB"),
    "across characters": ([b"\xa9n", b"n\xc3", b"\xc3\xa9", b"\xe2\x82", b"an", b"\xe2\x82\xac", b"\xacn"], "né€a"),
    "a merge changes its neighbours": ([b"bc", b"ab", b"bcd", b"abc"], "abcd"),
}
BYTES = {bytes([byte]): (37 * byte + 11) % 256 for byte in range(256)}
PATTERNS = {
    "GPT-2's": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "letters or one other": r"\p{L}+|\P{L}",
    "every character": r"(?s:.)",
    "a capital begins a piece": r"\p{Lu}?\p{Ll}+|\s+|(?s:.)",
}
WHOLE = r"(?s:.+)"
PROSE = """O speak, I'll not deny thee: 'tis the lord's own hand!
   But soft -- my  heart's in 1597, and they've   said, "No more of that" (or so I heard).

Ha! Naïve, was it? I'd rather the truth than 300 crowns...\t"""
ALPHABET = "abcXYZ09 .\né€ß😀"
# What is changed by whoever tidies text up: white space at the ends, line ends of all kinds, a byte-order mark, letters
# of several code points or several spellings, characters that are not seen.
UNTIDY = [
    "a \n",
    "\t a",
    "a\r\nb",
    "a\rb",
    "a\u2028b",
    "\ufeffa",
    "e\u0301",
    "\u212b",
    "ﬁ",
    "ǅ",
    "👩\u200d👧",
    "a\0b",
    "b\0",
]

tables = list(TABLES)
others = tables[1:] + tables[:1]  # choices of one length are taken in step
patterns = list(PATTERNS)
written = st.text(ALPHABET, min_size=1, max_size=12)
lengths = st.integers(4, 12)
seeds = st.integers(0, 999)
# Characters as old as Unicode 3.2: on younger ones two packages may disagree about what a letter is.
old_characters = st.characters(codec="utf-8").filter(lambda c: unicodedata.ucd_3_2_0.category(c) != "Cn")


# --- Oracles ---------------------------------------------------------------------------------------------------


def table_of(name):
    """The ranks of a table made by hand, bytes included; its order says nothing: the last token stands first."""
    tokens, _ = TABLES[name]
    return dict(reversed((BYTES | with_ids(tokens)).items()))


def with_ids(tokens):
    return {token: 256 + i for i, token in enumerate(tokens)}


def tiktoken_with(ranks, pattern):
    return tiktoken.Encoding("kata", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


@functools.cache
def tiktoken_of(name, pattern):
    """tiktoken with a table made by hand."""
    return tiktoken_with(table_of(name), pattern)


@functools.cache
def trained(source):
    """Trained ranks and tiktoken with them, or None where their files are not at hand."""
    try:
        ranks = source()
    except byte_pairs.DataError:
        return None
    return ranks, tiktoken_with(ranks, byte_pairs.GPT2_PATTERN)


def some_text(table, length, seed):
    """A text of the characters that meet in a table."""
    _, characters = TABLES[table]
    return "".join(random.Random(seed).choices(characters, k=length))


def same_ids(got, want, what, **given):
    """Demand exactly these ids, in a list of plain ints."""
    check.instance(got, list, what)
    strange = [type(i).__name__ for i in got if type(i) is not int]
    if strange:
        raise check.Mismatch(f"{what} holds {strange[0]} where int belongs", got, want, given)
    check.equal(got, want, what, **given)


def demand_ids(calls):
    """Demand of each call, given as (call, ids, name, inputs), these ids; the evidence is what all of them gave."""
    first, answers = None, []
    for call, want, what, given in calls:
        try:
            answers.append(call())
            same_ids(answers[-1], want, what, **given)
        except check.Mismatch as mismatch:
            first = first or mismatch
        except Exception as error:
            if first is None:
                raise
            answers.append(type(error).__name__)
    if first is not None:
        first.alike = answers
        raise first


def demand_untidy_texts_back(tokenizer_of):
    """Demand that decode(encode(text)) is the text, for each of the untidy ones; the evidence is those that are not."""
    changed, kept = {}, {}
    for text in UNTIDY:
        tokenizer = tokenizer_of(text)
        back = tokenizer.decode(tokenizer.encode(text))
        check.instance(back, str, f"decode(encode({text!r}))")
        if back != text:
            changed[text], kept[text] = back, text
    check.equal(list(changed.values()), list(kept.values()), f"decode(encode(text)) of each of {list(kept)}")


def looked_up(mapping, keys):
    """What a dict or a list holds at each key, None where it holds nothing."""
    found = []
    for key in keys:
        try:
            found.append(mapping[key])
        except (KeyError, IndexError):
            found.append(None)
    return found


def encoded(kata, table, pattern, text):
    """The ids of a text under a tokenizer of the kata, made for it."""
    return kata.BPETokenizer(table_of(table), pattern).encode(text)


# --- Step 1: the vocabulary ------------------------------------------------------------------------------------


@of_text(step=1, text=written)
def test_ids_are_exactly_0_to_vocab_size(kata, text):
    """The characters of the text have the ids 0 to vocab_size − 1, each id once."""
    tokenizer = kata.CharTokenizer(text)
    size = len(set(text))
    check.equal(tokenizer.vocab_size, size, "vocab_size", text=text)
    ids = looked_up(tokenizer.stoi, sorted(set(text)))
    ids = sorted(ids, key=lambda i: (i is None, i))
    check.equal(ids, list(range(size)), "the sorted list of ids in stoi", text=text)


@of_text(step=1, order=st.permutations(ALPHABET), count=st.integers(10, len(ALPHABET)))
def test_characters_are_numbered_in_sorted_order(kata, order, count):
    """stoi numbers the characters in sorted order, from 0 on, in whichever order the text brings them."""
    text = "".join(order[:count])  # so many that no set happens to be in order
    characters = sorted(text)
    for one in (text, text[::-1], text + 3 * max(text)):
        ids = looked_up(kata.CharTokenizer(one).stoi, characters)
        try:
            check.equal(ids, list(range(count)), f"the list of ids of {characters}", text=one)
        except check.Mismatch as mismatch:  # Python shuffles sets of strings from run to run
            shuffled = list(set(one))
            if ids == [shuffled.index(character) for character in characters]:
                mismatch.alike = "the order of a set"
            raise


@of_text(step=1, text=written)
def test_itos_is_stoi_turned_round(kata, text):
    """itos gives the character of each id in stoi."""
    tokenizer, characters = kata.CharTokenizer(text), sorted(set(text))
    ids = looked_up(tokenizer.stoi, characters)
    what = f"the list of what itos gives for the ids of {characters}"
    check.equal(looked_up(tokenizer.itos, ids), characters, what, text=text)


# --- Step 2: encode and decode ---------------------------------------------------------------------------------


@of_text(step=2, text=written, other=st.lists(st.integers(0, 59), max_size=12))
def test_encode_gives_the_id_of_every_character(kata, text, other):
    """encode gives a list of ints: the id in stoi of each character, in the order of the text."""
    characters = sorted(set(text))
    new = "".join(characters[i % len(characters)] for i in other)
    tokenizer = kata.CharTokenizer(text)
    want = looked_up(tokenizer.stoi, new)
    try:
        got = tokenizer.encode(new)
    except ValueError as error:
        given = {"vocabulary": characters}
        raise check.Mismatch(f"encode({new!r}) is refused", str(error), want, given, alike="refused") from error
    same_ids(got, want, f"encode({new!r})", vocabulary=characters)


@of_text(step=2, text=written, other=st.lists(st.integers(0, 59), max_size=12))
def test_decode_gives_the_text_of_the_ids(kata, text, other):
    """decode gives one string: the character of each id, in the order of the ids."""
    tokenizer, characters = kata.CharTokenizer(text), sorted(set(text))
    want = "".join(characters[i % len(characters)] for i in other)
    ids = looked_up(tokenizer.stoi, want)
    check.equal(tokenizer.decode(ids), want, f"decode({ids})", vocabulary=characters)


@of_text(step=2, text=st.text(min_size=1, max_size=20))
def test_any_text_over_the_vocabulary_comes_back(kata, text):
    """decode(encode(text)) is the text itself, whatever characters it is made of."""
    tokenizer = kata.CharTokenizer(text)
    check.equal(tokenizer.decode(tokenizer.encode(text)), text, "decode(encode(text))")


@of_text(step=2)
def test_characters_come_back_unchanged(kata):
    """decode(encode(text)) is the text to the last character: white space at the ends, line ends, code points alike."""
    demand_untidy_texts_back(kata.CharTokenizer)


@of_text(step=2, text=written, other=written)
def test_calls_of_a_char_tokenizer_do_not_meet(kata, text, other):
    """Each call starts afresh: no call, of this tokenizer or of another, changes what a second one gives or gave."""
    one, two = kata.CharTokenizer(text), kata.CharTokenizer(other)
    texts = [(one, text), (two, other), (one, text[::-1]), (one, text)]
    ids = [tokenizer.encode(new) for tokenizer, new in texts]
    want = [looked_up(tokenizer.stoi, new) for tokenizer, new in texts]
    check.equal(ids, want, f"encode(…) of {[new for _, new in texts]}, one after the other,")
    back = [tokenizer.decode(numbers) for (tokenizer, _), numbers in zip(texts, want)]
    check.equal(back, [new for _, new in texts], f"decode(…) of {want}, one after the other,")


@of_text(step=2, stranger="~^@&B", place=st.integers(20, 39), extra=st.integers(0, 9))
def test_a_strange_character_is_refused_with_its_place(kata, stranger, place, extra):
    """The first character outside the vocabulary is a ValueError that shows it and its place, counted from 0."""
    tokenizer = kata.CharTokenizer("abé😀 ")  # places are counted in characters, however many bytes they have
    text = ("abé😀 " * 10)[:place] + stranger + "éab"[:extra] + (stranger + "%a~" if extra > 3 else "")
    check.raises(ValueError, lambda: tokenizer.encode(text), (stranger, place), f"encode({text!r})")


@of_text(step=2, stranger="~^@&", place=st.integers(0, 3))
def test_a_strange_character_is_refused_wherever_it_stands(kata, stranger, place):
    """A character outside the vocabulary is a ValueError also as the first, the last or the only one."""
    tokenizer = kata.CharTokenizer("abc ")
    text = ("", "abc ", "", "a")[place] + stranger + ("", "", "abc", "a")[place]
    check.raises(ValueError, lambda: tokenizer.encode(text), (stranger,), f"encode({text!r})")


@of_text(step=2, stranger=" \n\t\r\u00a0\0\u0301", place=st.integers(20, 39))
def test_strange_white_space_is_refused(kata, stranger, place):
    """White space, and what is not seen, is a character like others: outside the vocabulary it is a ValueError."""
    tokenizer = kata.CharTokenizer("abc")
    text = ("abc" * 20)[:place] + stranger + "b"
    check.raises(ValueError, lambda: tokenizer.encode(text), (place,), f"encode({text!r})")


# --- Step 3: merge one piece -----------------------------------------------------------------------------------


@of_text(step=3, byte=st.integers(0, 255))
def test_a_single_byte_has_the_id_that_the_table_gives_it(kata, byte):
    """A piece of one byte has one id: the one that stands in ranks."""
    piece, ranks = bytes([byte]), table_of("banana")
    same_ids(kata.bpe_merge(piece, ranks), [ranks[piece]], f"bpe_merge({piece}, ranks)")


@of_text(step=3)
def test_every_token_of_the_table_is_reached(kata):
    """A piece that is a token itself comes out as this one token."""
    for name, (tokens, _) in TABLES.items():
        ranks = table_of(name)
        got = [kata.bpe_merge(token, ranks) for token in tokens]
        want = [[ranks[token]] for token in tokens]
        check.equal(got, want, f"bpe_merge of each of {tokens}", tokens=with_ids(tokens))


@of_text(step=3, length=lengths, seed=seeds)
def test_neighbours_merge_by_rank(kata, length, seed):
    """Of all neighbours that make a token, those of lowest rank merge first, the left of equals, until none is left."""
    calls = []
    for table, (tokens, _) in TABLES.items():
        text = some_text(table, length, seed)
        piece, want = text.encode("utf-8"), tiktoken_of(table, WHOLE).encode_ordinary(text)
        call = functools.partial(kata.bpe_merge, piece, table_of(table))
        calls.append((call, want, f"bpe_merge({piece}, ranks)", {"tokens": with_ids(tokens)}))
    demand_ids(calls)


@of_text(step=3, table=tables, length=st.integers(30, 50), seed=seeds)
def test_long_pieces_merge_to_the_end(kata, table, length, seed):
    """A long piece follows the same rule from its first byte to its last."""
    text = some_text(table, length, seed)
    want = tiktoken_of(table, WHOLE).encode_ordinary(text)
    same_ids(kata.bpe_merge(text.encode("utf-8"), table_of(table)), want, f"bpe_merge of {text!r}")


@of_text(step=3, table=tables, piece=st.binary(min_size=1, max_size=12))
def test_any_bytes_come_back(kata, table, piece):
    """The tokens of any bytes, put together, are these bytes again, also where they are no text."""
    ranks = table_of(table)
    token_of = {i: token for token, i in ranks.items()}
    got = kata.bpe_merge(piece, ranks)
    check.instance(got, list, f"bpe_merge({piece}, ranks)")
    check.equal(b"".join(token_of.get(i, b"?") for i in got), piece, "what the tokens make together")


@of_text(step=3, examples=7, table=tables, length=lengths, seed=seeds)
def test_merging_leaves_the_table_alone(kata, table, length, seed):
    """bpe_merge does not change the ranks that it is given."""
    ranks = table_of(table)
    check.present(kata.bpe_merge(some_text(table, length, seed).encode("utf-8"), ranks), "bpe_merge(piece, ranks)")
    check.equal(ranks, table_of(table), "the table of ranks after the call")


@of_text(step=3, examples=8, table=tables, other=others, length=lengths, seed=seeds)
def test_calls_of_bpe_merge_do_not_meet(kata, table, other, length, seed):
    """Each call starts afresh: neither an earlier piece nor an earlier table changes what a later call gives."""
    piece = some_text(table, length, seed).encode("utf-8")
    calls = [(table, piece), (other, piece), (table, piece[::-1]), (table, piece)]
    got = [kata.bpe_merge(one, table_of(name)) for name, one in calls]
    want = [tiktoken_of(name, WHOLE)._encode_single_piece(one) for name, one in calls]
    check.equal(got, want, f"bpe_merge of {[one for _, one in calls]}, one after the other,")


# --- Step 4: the whole tokenizer -------------------------------------------------------------------------------


@of_text(step=4, length=lengths, seed=seeds)
def test_encode_equals_tiktoken(kata, length, seed):
    """encode gives the ids that tiktoken gives with these ranks and this pattern: no token crosses a piece's border."""
    calls = []
    for (table, (tokens, _)), pattern in itertools.product(TABLES.items(), PATTERNS.values()):
        text = some_text(table, length, seed)
        call = functools.partial(encoded, kata, table, pattern, text)
        want = tiktoken_of(table, pattern).encode_ordinary(text)
        calls.append((call, want, f"encode({text!r})", {"pattern": pattern, "tokens": with_ids(tokens)}))
    demand_ids(calls)


@of_text(step=4, table=tables, pattern=patterns, text=st.text(old_characters, max_size=20))
def test_encode_equals_tiktoken_on_any_text(kata, table, pattern, text):
    """encode gives tiktoken's ids for text in any script, emoji and control characters included."""
    want = tiktoken_of(table, PATTERNS[pattern]).encode_ordinary(text)
    got = kata.BPETokenizer(table_of(table), PATTERNS[pattern]).encode(text)
    same_ids(got, want, f"encode({text!r})", pattern=PATTERNS[pattern])


@of_text(step=4, start=st.integers(0, 180), length=st.integers(1, 60))
def test_encode_equals_tiktoken_on_trained_ranks(kata, start, length):
    """encode gives tiktoken's ids with ranks that were trained on a play, too."""
    ranks, encoding = trained(byte_pairs.small_ranks)
    text = PROSE[start : start + length]
    want = encoding.encode_ordinary(text)
    same_ids(kata.BPETokenizer(dict(ranks), byte_pairs.GPT2_PATTERN).encode(text), want, f"encode({text!r})")


@of_text(step=4)
def test_a_text_that_is_a_token_is_cut_all_the_same(kata):
    """A text that happens to be a token of the table is cut into pieces first, like any other."""
    calls = []
    for table, (tokens, _) in TABLES.items():
        for text in (token.decode() for token in tokens if token.decode(errors="ignore").encode() == token):
            for pattern in PATTERNS.values():
                call = functools.partial(encoded, kata, table, pattern, text)
                want = tiktoken_of(table, pattern).encode_ordinary(text)
                calls.append((call, want, f"encode({text!r})", {"pattern": pattern, "tokens": with_ids(tokens)}))
    demand_ids(calls)


@of_text(step=4, length=lengths, seed=seeds)
def test_decode_gives_the_text_that_was_encoded(kata, length, seed):
    """decode turns tiktoken's ids back into the text, also where a character is spread over several tokens."""
    for table in TABLES:
        text, pattern = some_text(table, length, seed), PATTERNS["GPT-2's"]
        ids = tiktoken_of(table, pattern).encode_ordinary(text)
        check.equal(kata.BPETokenizer(table_of(table), pattern).decode(ids), text, f"decode({ids})")


@of_text(step=4)
def test_broken_bytes_become_the_replacement_character(kata):
    """Bytes that are no valid UTF-8, such as a character cut in two, decode to the replacement character."""
    tokenizer = kata.BPETokenizer(table_of("banana"), PATTERNS["GPT-2's"])
    broken = ["né€😀".encode()[:length] for length in (2, 5, 9)] + [b"\xffan", b"a\x80\x80n"]
    got = [tokenizer.decode([BYTES[bytes([byte])] for byte in piece]) for piece in broken]
    want = [piece.decode("utf-8", errors="replace") for piece in broken]
    check.equal(got, want, f"decode of the bytes of each of {broken}, one id a byte,")


@of_text(step=4, table=tables, text=st.lists(st.text(max_size=9), max_size=3).map(" ".join), examples=12)
def test_any_unicode_text_comes_back(kata, table, text):
    """decode(encode(text)) is the text itself, for any Unicode text and the empty one."""
    tokenizer = kata.BPETokenizer(table_of(table), PATTERNS["GPT-2's"])
    check.equal(tokenizer.decode(tokenizer.encode(text)), text, "decode(encode(text))")


@of_text(step=4)
def test_text_comes_back_unchanged(kata):
    """decode(encode(text)) is the text to the last code point: line ends, a byte-order mark, accents put together."""
    demand_untidy_texts_back(lambda _: kata.BPETokenizer(table_of("white space"), PATTERNS["GPT-2's"]))


@of_text(step=4, table=tables, other=others, pattern=patterns, length=lengths, seed=seeds)
def test_calls_of_a_bpe_tokenizer_do_not_meet(kata, table, other, pattern, length, seed):
    """Each call starts afresh: no call, of this tokenizer or of another, changes what a second one gives or gave."""
    text, regex = some_text(table, length, seed), PATTERNS[pattern]
    tokenizers = {name: kata.BPETokenizer(table_of(name), regex) for name in (table, other)}
    calls = [(table, text), (other, text), (table, text[::-1]), (table, text)]
    want = [tiktoken_of(name, regex).encode_ordinary(new) for name, new in calls]
    got = [tokenizers[name].encode(new) for name, new in calls]
    check.equal(got, want, f"encode(…) of {[new for _, new in calls]}, one after the other,")
    back = [tokenizers[name].decode(ids) for (name, _), ids in zip(calls, want)]
    check.equal(back, [new for _, new in calls], f"decode(…) of {want}, one after the other,")


@of_text(step=4, costly=True)
def test_gpt2_itself(kata):
    """With GPT-2's own ranks (where their files are at hand) the ids are GPT-2's."""
    if trained(byte_pairs.gpt2_ranks) is None:
        return
    ranks, encoding = trained(byte_pairs.gpt2_ranks)
    tokenizer = kata.BPETokenizer(dict(ranks), byte_pairs.GPT2_PATTERN)
    want = encoding.encode_ordinary(PROSE)
    same_ids(tokenizer.encode(PROSE), want, "encode(text)", text=PROSE)
    check.equal(tokenizer.decode(want), PROSE, "decode(encode(text))")
