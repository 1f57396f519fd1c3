"""SmolLM2 in the katas' parts against transformers and tokenizers, which read the same file.

Where `make data WEIGHTS=smollm2` has not fetched it, or a package is not installed, these are skipped.
"""

import dataclasses
import functools
import importlib.util
import random

import pytest
import torch

from dojo.curriculum.catalog import Catalog
from dojo.gpt import pretrained
from dojo.gpt.gguf_file import GGUFFile
from dojo.system.data_files import DataError
from dojo.system.root import find_root

from .tiny_models import read_by_transformers

NEEDED = ("gguf", "tokenizers", "transformers")
CATALOG = Catalog(find_root())
TEXT = "The capital of France is Paris, and the river that runs through it is called"


def missing():
    try:
        pretrained.find("smollm2")
    except DataError:
        return "needs the weights: make data WEIGHTS=smollm2"
    return "".join(f"needs {name}" for name in NEEDED if not importlib.util.find_spec(name))


pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")


@functools.cache
def ours():
    return pretrained.load(CATALOG, frozenset(), "smollm2")


@functools.cache
def file():
    return GGUFFile(pretrained.find("smollm2"))


@functools.cache
def theirs():
    return read_by_transformers(file().path)


def their_tokenizer():
    """The tokens of the file in the form of SmolLM2's own tokenizer.json: single digits first, then byte pairs."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens, kinds = file().get("tokenizer.ggml.tokens"), file().get("tokenizer.ggml.token_type")
    merges = [tuple(merge.split(" ", 1)) for merge in file().get("tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(token, special=True, normalized=False) for token, kind in zip(tokens, kinds) if kind != 1]
    tokenizer.add_special_tokens(special)
    return tokenizer


# ruff: noqa: SIM905
WORDS = """
the of and a to in is you that it he was for on are as with his they I at be this have from or had by hot but some what
there we can out other were all your when up use word how said an each she which do their time if will way about many
don't I'll we've they're it's he'd I'm DON'T THE End naïve café straße Ελλάδα Москва 東京 にほんご 한국어 עברית العربية
हिन्दी ไทย 🙂 👩\u200d👩\u200d👧 ½ ² Ⅷ ٣ 𝟜
""".split()
CODE = [
    "def f(x): return x**2 + 1",
    "    for i in range(10):",
    "\tif (a && b) { c[i]++; }",
    "x = {'k': [1, 2.5e-3]}  # note",
    '<div class="a">&amp;</div>',
    "https://example.org/?q=a+b&c=%20#top",
    '>>> print("ß")',
    "SELECT * FROM t WHERE id=42;",
    r"$\alpha_{12} \to \infty$",
]
SPACES = [" ", " ", " ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", " \n ", "\u00a0", "\u3000", ""]


def lines(count):
    """Mixed text, always the same: words of many scripts, numbers, code, white space of all kinds, any character."""
    draw = random.Random(0)
    missing = {chr(byte) for byte in (4, 6, 0x13, 0x14, 0x16, 0x1D)}  # no token of SmolLM2 stands for these

    def piece():
        kind = draw.random()
        if kind < 0.55:
            return draw.choice(WORDS)
        if kind < 0.7:
            return str(draw.choice([draw.randrange(10), draw.randrange(10**9), draw.random()]))
        if kind < 0.8:
            return draw.choice(CODE)
        if kind < 0.9:
            return "".join(draw.choice("!?.,;:'\"()[]{}<>|/\\@#$%^&*-_=+~`") for _ in range(draw.randint(1, 4)))
        # Up to the last plane whose first byte in UTF-8 is a token, without surrogates.
        letters = chr(draw.choice([draw.randrange(0x250), draw.randrange(0xD800), draw.randrange(0xE000, 0x30000)]))
        return "" if letters in missing else letters

    return ["".join(piece() + draw.choice(SPACES) for _ in range(draw.randint(0, 20))) for _ in range(count)]


def test_a_thousand_lines_become_the_tokens_of_the_tokenizers_library():
    mine, other = ours().tokenizer, their_tokenizer()
    wrong = [line for line in lines(1000) if mine.encode(line) != other.encode(line).ids]
    assert wrong == []


def test_special_tokens_are_those_of_the_tokenizers_library():
    mine, other = ours().tokenizer, their_tokenizer()
    text = "<|im_start|>user\n12 <|im_end |> <|im_end|>\n<|im_start|>assistant\n<|endoftext|> a<repo_name>"
    assert mine.encode(text) == other.encode(text).ids
    assert mine.decode(mine.encode(text)) == text


def test_logits_are_those_of_transformers():
    ids = ours().encode(TEXT)
    with torch.no_grad():
        want = theirs()(ids).logits
        plain, cached = ours().model(ids), ours().reader()(ids)
    assert (plain - want).abs().max() < 1e-3 * want.abs().max()
    assert (cached[:, -1] - want[:, -1]).abs().max() < 1e-3 * want.abs().max()


def test_two_hundred_tokens_of_greedy_text_are_those_of_transformers():
    ids = ours().encode(TEXT)
    want = theirs().generate(ids, max_new_tokens=200, do_sample=False, eos_token_id=None, pad_token_id=0)
    *_, got = dataclasses.replace(ours(), stop_id=None).grow(ids, 200, torch.Generator(), temperature=0)
    assert got.tolist() == want.tolist()


def test_attention_is_that_of_transformers():
    ids = ours().encode(TEXT)
    theirs().set_attn_implementation("eager")
    with torch.no_grad():
        want = torch.stack(theirs()(ids, output_attentions=True).attentions)
    theirs().set_attn_implementation("sdpa")
    assert (ours().attention(TEXT) - want).abs().max() < 1e-3
