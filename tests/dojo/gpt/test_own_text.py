"""A text of one's own: read whole, refused in plain words, encoded as tiktoken and k01 do, trained on by memory map."""

from __future__ import annotations

import gzip
import os
import random
from dataclasses import replace

import pytest
import torch

from dojo.gpt import encoded, texts
from dojo.gpt.encoded import OwnText, encode_text
from dojo.gpt.model import parts
from dojo.gpt.runs import cells, read_runs
from dojo.gpt.texts import TextError, files_of, pieces
from dojo.gpt.tokens import Ids, cut_before_spaces, ranks_of, tokenizer
from dojo.gpt.training import Run, TrainingError
from dojo.spec.byte_pairs import GPT2_PATTERN, encoding, small_ranks

from .test_training import CATALOG, TINY

CONTEXT = 16
PLAY = "To be, or not to be: that is the question. Ça ira — 'tis 𝄞!\n" * 40


@pytest.fixture(scope="module")
def modules():
    torch.set_num_threads(1)
    return parts(CATALOG, frozenset())[0]


@pytest.fixture
def small(monkeypatch):
    """GPT-2's ranks replaced by the few that are always there."""
    monkeypatch.setattr("dojo.gpt.tokens.gpt2_ranks", small_ranks)


def written(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return str(path)


def read(*files, size=texts.PIECE):
    return "".join(pieces(files_of(os.pathsep.join(files)), size=size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 4096])
def test_a_text_is_read_whole_whatever_the_piece(tmp_path, size):
    plain, packed = written(tmp_path, "a.txt", PLAY), written(tmp_path, "b.txt.gz", gzip.compress(PLAY.encode()))
    assert read(plain, size=size) == read(packed, size=size) == PLAY


def test_a_folder_is_its_files_by_name_and_several_are_one_after_the_other(tmp_path):
    written(tmp_path, "books/b/two.txt", "two\n")
    written(tmp_path, "books/a.txt", "\ufeffone")
    written(tmp_path, "books/.git/config", b"\0")
    last = written(tmp_path, "last", "three")
    assert read(str(tmp_path / "books"), last) == "one\ntwo\nthree"


BAD = {
    "missing": (None, "There is no text"),
    "empty": (b"", "empty"),
    "short": (b"to be", "too short: 4 tokens for training, and a context of 16 takes 17"),
    "binary": (b"\x89PNG\0\0" + b"x" * 99, "is no text: it holds zero bytes"),
    "latin": ("äöü ".encode() * 99 + b"caf\xe9 " * 99, "is not UTF-8: byte 0xe9 at place 696"),
    "cut": ("ä".encode() * 99 + b"\xc3", "is not UTF-8: byte 0xc3 at place 198"),
    "damaged.gz": (gzip.compress(PLAY.encode())[:-9], "cannot be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_text_that_does_not_do_is_refused_in_a_plain_line(modules, tmp_path, name):
    content, said = BAD[name]
    path = str(tmp_path / name) if content is None else written(tmp_path, name, content)
    with pytest.raises(TextError) as refused:
        encode_text(OwnText(path), modules, tmp_path / "tokens", CONTEXT)
    assert said in str(refused.value) and "\n" not in str(refused.value)
    assert not list(tmp_path.glob("tokens/*.part"))


def test_a_character_that_training_never_had_is_named(modules, tmp_path):
    text, valid = written(tmp_path, "a", PLAY), written(tmp_path, "b", PLAY + "ß")
    with pytest.raises(TextError, match="VALID holds 'ß'"):
        encode_text(OwnText(text, valid), modules, tmp_path / "tokens", CONTEXT)
    train = encode_text(OwnText(text, valid, "bytes"), modules, tmp_path / "tokens", CONTEXT)
    assert (train.tokens, len(train.validation)) == (len(PLAY.encode()), len((PLAY + "ß").encode()))


def test_a_full_disk_leaves_no_half_file(modules, tmp_path, monkeypatch):
    def full(*ignored):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(encoded, "ids_of", full)
    with pytest.raises(TextError, match="cannot be written: No space left on device. Nothing was started"):
        encode_text(OwnText(written(tmp_path, "a", PLAY)), modules, tmp_path / "tokens", CONTEXT)
    assert list((tmp_path / "tokens").iterdir()) == []


@pytest.mark.parametrize("kind", ["characters", "bytes", "gpt2", "bpe:300"])
def test_a_text_is_encoded_once_split_in_order_and_decoded_again(modules, small, tmp_path, kind, monkeypatch):
    monkeypatch.setattr(texts, "PIECE", 64)
    path, folder = written(tmp_path, "a", PLAY), tmp_path / "tokens"
    text = encode_text(OwnText(path, kind=kind), modules, folder, CONTEXT)
    whole = [*text.train.tolist(), *text.validation.tolist()]
    own = tokenizer(modules, kind, text.vocabulary)
    assert whole == own.encode(PLAY) and own.decode(whole) == PLAY
    assert text.tokens == int(0.9 * len(whole))
    monkeypatch.setattr(encoded, "ids_of", lambda *ignored: pytest.fail("it is encoded again"))
    assert encode_text(OwnText(path, kind=kind), modules, folder, CONTEXT).source == text.source
    monkeypatch.undo()
    written(tmp_path, "a", PLAY + "Exeunt.")
    monkeypatch.setattr("dojo.gpt.tokens.gpt2_ranks", small_ranks)
    assert encode_text(OwnText(path, kind=kind), modules, folder, CONTEXT).source != text.source


def test_cutting_before_spaces_changes_no_token():
    draw, whole = random.Random(1), encoding(small_ranks()).encode_ordinary
    for _ in range(200):
        text = "".join(
            draw.choice(["a", "'s", " ", "\n", "\t", "\x1c", "!", "é", "1", "\u3000", "to"]) for _ in range(60)
        )
        cuts = sorted(draw.sample(range(60), 5))
        parts = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)])]
        cut = list(cut_before_spaces(parts))
        assert "".join(cut) == text
        assert [token for piece in cut for token in whole(piece)] == whole(text)


def other_batches(data, offsets):
    """Ways in which a learner may take windows of 3 from a row of ids."""
    yield torch.stack([data[at : at + 3] for at in offsets])
    yield data[offsets[:, None] + torch.arange(3)]
    yield data.unfold(0, 3, 1)[offsets]
    yield torch.stack([data.unfold(0, 3, 1)[at] for at in offsets])
    yield torch.take(data, offsets[:, None] + torch.arange(3))
    yield torch.cat([data[at : at + 3].view(1, 3) for at in offsets])
    yield torch.tensor([data[at : at + 3].tolist() for at in offsets])
    yield torch.stack([torch.narrow(data, 0, int(at), 3) for at in offsets])


@pytest.mark.parametrize("top", [40_000, 60_000])
def test_narrow_ids_are_int64_however_they_are_taken(top):
    wide = torch.tensor([0, 1, top, 5, 7, top - 1, 9, 2])
    data, offsets = Ids(wide.to(torch.int16)), torch.tensor([0, 5, 3])
    for got, want in zip(other_batches(data, offsets), other_batches(wide, offsets), strict=True):
        assert type(got) is torch.Tensor and got.dtype is torch.int64 and torch.equal(got, want)
    assert (len(data), data.shape, data.numel(), int(data.max())) == (8, wide.shape, 8, top)
    assert isinstance(data[2:], Ids) and isinstance(data[:4][1:], Ids)


@pytest.mark.parametrize("kind", ["characters", "bytes", "gpt2", "bpe:300"])
def test_a_run_on_a_text_of_ones_own_writes_text_and_goes_on_with_no_other(modules, small, tmp_path, kind):
    text = OwnText(written(tmp_path, "mine.txt", PLAY), kind=kind)
    run = own_run(modules, text, tmp_path)
    run.begin()
    run.train()
    assert run.losses[-1] < run.losses[0]
    assert len(run.finish()) > 40
    assert cells(tmp_path, *read_runs(tmp_path, pytest.fail))[:2] == ["mine", f"mine.txt, {kind}"]
    columns = run.gpt.stream("To", 20, torch.Generator().manual_seed(1))
    assert "".join(column[0] for column in columns)
    written(tmp_path, "mine.txt", PLAY.upper())
    with pytest.raises(TrainingError, match="begun on another text|cannot be resumed"):
        own_run(modules, text, tmp_path).resume()


@pytest.mark.parametrize("kind", ["bpe", "bpe:0", "bpe:x", "words"])
def test_tokens_that_are_none_are_refused(modules, tmp_path, kind):
    with pytest.raises(TextError, match="TOKENS is one of characters, bytes, gpt2, or bpe:4096"):
        encode_text(OwnText(written(tmp_path, "a", PLAY), kind=kind), modules, tmp_path / "tokens", CONTEXT)


def test_byte_pairs_are_learned_by_k20_and_too_few_are_refused(modules, tmp_path):
    path = written(tmp_path, "a", PLAY)
    text = encode_text(OwnText(path, kind="bpe:270"), modules, tmp_path / "tokens", CONTEXT)
    assert ranks_of("bpe:270", text.vocabulary) == modules["k20"].train_bpe(PLAY, 270, GPT2_PATTERN)[0]
    assert text.tokenizer.vocab_size == 270 and text.tokens < 0.9 * len(PLAY.encode())
    with pytest.raises(TextError, match="TOKENS=bpe:200 does not do: .*256"):
        encode_text(OwnText(path, kind="bpe:200"), modules, tmp_path / "tokens", CONTEXT)


def own_run(modules, text, tmp_path):
    run = Run(replace(TINY, steps=20), tmp_path / "runs" / "mine", modules, {}, say=lambda line: None)
    run.prepare(lambda parts: encode_text(text, parts, tmp_path / "tokens", TINY.context_length))
    return run


def test_a_character_of_several_tokens_is_shown_once_it_is_whole(modules, small, tmp_path):
    run = own_run(modules, OwnText(written(tmp_path, "mine.txt", PLAY), kind="bytes"), tmp_path)
    gpt, waiting = run.gpt, []
    assert [gpt.shown(waiting, byte) for byte in "é𝄞a".encode()] == ["", "é", "", "", "", "𝄞", "a"]
    assert gpt.tokens("aé") == ["a", "\ufffd", "\ufffd"]
    assert gpt.attention("To be, or not to be, that is").shape[-1] == TINY.context_length
