"""A conversation with a Llama from a GGUF file: a small one with random weights, in the format of SmolLM2's."""

import dataclasses
import importlib.util

import pytest
import torch

from dojo.curriculum.catalog import Catalog
from dojo.gpt import pretrained
from dojo.gpt.chat import Chat
from dojo.gpt.pretrained import load
from dojo.system.data_files import DataError
from dojo.system.root import find_root

from .tiny_models import SIZES, SPECIAL, read_by_transformers, write_llama

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("gguf"), reason="needs gguf")

CATALOG = Catalog(find_root())


@pytest.fixture(scope="module")
def gpt(tmp_path_factory):
    return read(write_llama(tmp_path_factory.mktemp("weights") / "tiny.gguf"))


def read(path):
    return load(CATALOG, frozenset(), str(path))


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def test_a_model_of_the_file_s_sizes_reads_its_tokens(gpt):
    config = gpt.model.config
    assert (config.emb_dim, config.num_layers, config.num_heads) == (64, 2, 4)
    assert (config.num_kv_heads, config.hidden_dim, config.tie_weights) == (2, 64, True)
    assert config.vocab_size == gpt.tokenizer.vocab_size == len(SPECIAL) + 512
    text = "<|im_start|>user\nHello, 123 Romeo! é🙂<|im_end|>"
    assert gpt.tokenizer.decode(gpt.tokenizer.encode(text)) == text
    assert gpt.tokenizer.encode("<|im_end|>") == [gpt.stop_id]


def test_what_the_cache_gives_is_what_the_model_gives(gpt):
    ids, reader = torch.randint(500, (2, 9)), gpt.reader()
    with torch.no_grad():
        for end in (1, 4, 5, 9):
            want = gpt.model(ids[:, :end])[:, -1]
            assert want.std() > 0.1
            assert torch.allclose(reader(ids[:, :end])[:, -1], want, atol=1e-5)
        other = ids.flip(1)
        assert torch.allclose(reader(other)[:, -1], gpt.model(other)[:, -1], atol=1e-5)


def test_reading_that_was_interrupted_leaves_nothing_wrong_behind(gpt):
    ids, reader = torch.randint(500, (1, 9)), gpt.reader()
    reader(ids[:, :4])

    def interrupt(*_):
        raise KeyboardInterrupt

    hook = gpt.model.blocks[1].register_forward_pre_hook(interrupt)
    other = gpt.model.blocks[1].feed_forward.register_forward_pre_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        reader(ids[:, :6])
    hook.remove(), other.remove()
    with torch.no_grad():
        assert torch.allclose(reader(ids)[:, -1], gpt.model(ids)[:, -1], atol=1e-5)


def test_each_token_is_read_once(gpt, monkeypatch):
    read, talk = [], Chat(gpt, longest=12)
    embedding = gpt.model.tok_emb
    hook = embedding.register_forward_hook(lambda module, inputs, output: read.append(inputs[0].shape[1]))
    list(talk.ask("Hello.", generator()))
    list(talk.ask("And what is that?", generator()))
    hook.remove()
    assert sum(read) <= len(talk.ids)
    assert read[0] > 1 and set(read[1:12]) == {1}


def test_attention_sees_no_later_token_and_sums_to_one(gpt):
    weights = gpt.attention("To be, or not to be")
    layers, _, heads, T, _ = weights.shape
    assert (layers, heads) == (2, 4) and T == len(gpt.tokens("To be, or not to be"))
    assert torch.allclose(weights.sum(-1), torch.ones(()))
    assert weights.triu(1).abs().max() == 0


def test_a_conversation_is_what_the_template_makes_of_it(gpt):
    talk = Chat(gpt, longest=10)
    first = "".join(talk.ask("Who are you?", generator()))
    list(talk.ask("And now?", generator()))
    text = gpt.tokenizer.decode(talk.ids)
    assert text.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWho are you?<|im_end|>\n")
    answer = talk.messages[1]["content"]
    assert first.replace("\ufffd", "") in answer.replace("\ufffd", "") and answer
    assert f"assistant\n{answer}<|im_end|>\n<|im_start|>user\nAnd now?<|im_end|>\n<|im_start|>assistant\n" in text


def test_an_answer_that_nobody_listens_to_any_more_stays_as_far_as_it_came(gpt):
    talk = Chat(gpt, longest=20)
    pieces = talk.ask("Hello?", generator())
    next(pieces)
    pieces.close()
    heard = talk.messages[-1]["content"]
    list(talk.ask("Go on.", generator()))
    assert f"assistant\n{heard}<|im_end|>" in gpt.tokenizer.decode(talk.ids)


def test_a_long_conversation_forgets_its_beginning(gpt):
    talk, forgotten = Chat(gpt, longest=20), []
    for number in range(12):
        list(talk.ask(f"Message {number}: what is that?", generator(), lambda: forgotten.append(number)))
        assert len(talk.ids) <= SIZES["context_length"]
    assert forgotten and talk.messages[0]["role"] == "user"
    assert "Message 0" not in gpt.tokenizer.decode(talk.ids)
    assert "Message 11" in gpt.tokenizer.decode(talk.ids)


def test_a_message_longer_than_the_context_is_refused_and_forgotten(gpt):
    talk = Chat(gpt)
    with pytest.raises(DataError, match=r"The message has \d+ tokens, and the model reads 256 at once"):
        talk.ask("Where is it? " * 100, generator())
    assert talk.messages == []
    assert list(talk.ask("Hello?", generator()))


def test_a_prompt_longer_than_the_context_is_refused(gpt):
    with pytest.raises(DataError, match="the model reads 256 at once"):
        gpt.begin("Where is it? " * 100)
    assert gpt.begin("").tolist() == [[0]]


@pytest.mark.parametrize(
    "how, message",
    [
        ({"arch": "gemma"}, "holds a gemma, and k24 is a llama.*make data WEIGHTS=smollm2"),
        ({"cut": "llama-bpe"}, "tokens of kind gpt2, cut by llama-bpe"),
        ({"extra": "blk.1.attn_q_norm"}, "holds blk.1.attn_q_norm.weight, which has no place"),
    ],
    ids=["another model", "other tokens", "an extra tensor"],
)
def test_a_file_of_something_else_is_refused(tmp_path, how, message):
    with pytest.raises(DataError, match=message):
        read(write_llama(tmp_path / "other.gguf", **how))


@pytest.mark.parametrize("keep", [0, 3, 100, 5_000, 60_000])
def test_a_file_cut_off_is_refused(tmp_path, keep):
    path = write_llama(tmp_path / "cut.gguf")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="cut.gguf cannot be used as a GGUF file: .*make data WEIGHTS=smollm2"):
        read(path)


def test_a_file_without_a_template_writes_and_does_not_chat(tmp_path):
    gpt = read(write_llama(tmp_path / "base.gguf", template=""))
    assert len(list(gpt.stream("To", 5, generator()))) <= 5
    with pytest.raises(DataError, match="no template for a conversation"):
        Chat(gpt)


def test_a_model_larger_than_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = write_llama(tmp_path / "large.gguf")
    monkeypatch.setattr(pretrained, "_free_memory", lambda: 1e5)
    with pytest.raises(DataError, match=r"large.gguf needs about 0.0 GB of memory, and 0.0 GB are free: close"):
        read(path)


def test_without_the_package_it_is_said_how_to_install_it(tmp_path, monkeypatch):
    path = write_llama(tmp_path / "tiny.gguf")
    monkeypatch.setitem(__import__("sys").modules, "gguf", None)
    with pytest.raises(DataError, match="read by the package gguf, .* pip install -c constraints.txt gguf"):
        read(path)


@pytest.mark.skipif(not importlib.util.find_spec("transformers"), reason="needs transformers")
def test_logits_and_greedy_text_are_those_of_transformers_from_the_same_file(gpt, tmp_path):
    theirs = read_by_transformers(write_llama(tmp_path / "tiny.gguf"))
    ids = gpt.encode("To be, or not to be, that is the question.")
    with torch.no_grad():
        want = theirs(ids).logits
        assert want.std() > 0.1
        assert (gpt.model(ids) - want).abs().max() < 1e-3 * want.abs().max()
        assert (gpt.reader()(ids)[:, -1] - want[:, -1]).abs().max() < 1e-3 * want.abs().max()
    written = theirs.generate(ids, max_new_tokens=30, do_sample=False, eos_token_id=None, pad_token_id=0)
    free = dataclasses.replace(gpt, stop_id=None)
    *_, ours = free.grow(ids, 30, generator(), temperature=0)
    assert ours.tolist() == written.tolist()
