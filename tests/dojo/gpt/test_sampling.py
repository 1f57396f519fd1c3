"""`make sample`: the text is the one that the model writes without a cache, and it shows as it is written."""

from __future__ import annotations

import copy
import io
import sys
from types import SimpleNamespace

import pytest
import torch

from dojo.cli import gpt as verbs
from dojo.gpt import presets
from dojo.gpt.model import parts

from .test_training import CATALOG, TINY, begin

PROMPT = "to\nbe"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run in runs/tiny of a folder of its own."""
    torch.set_num_threads(1)
    run = begin(parts(CATALOG, frozenset()), tmp_path_factory.mktemp("clone") / "runs" / "tiny")
    run.train()
    return run


def texts(run, characters, count=1, seed=5):
    generator = torch.Generator().manual_seed(seed)
    return run.gpt.stream(PROMPT, characters, generator, count)


def sample(run, monkeypatch, stdout, count=1, prompt=PROMPT):
    """The exit status of `dojo sample`, which writes to `stdout`."""
    catalog = copy.copy(CATALOG)
    catalog.root = run.folder.parent.parent
    monkeypatch.setitem(presets.PRESETS, "tiny", TINY)
    monkeypatch.setattr(sys, "stdout", stdout)
    session = SimpleNamespace(catalog=catalog, progress=SimpleNamespace(solved=lambda catalog: frozenset()))
    monkeypatch.setattr(verbs, "Session", lambda: session)
    try:
        verbs.sample.callback(prompt, "tiny", 30, 5, count)
    except SystemExit as ended:
        return ended.code
    return 0


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_the_text_is_that_of_the_model_without_a_cache(run, seed):
    plain = run.gpt.write(PROMPT, 40, torch.Generator().manual_seed(seed))
    assert PROMPT + "".join(column[0] for column in texts(run, 40, seed=seed)) == plain


def test_within_the_context_every_character_is_read_once(run):
    read = []
    hook = run.model.blocks[0].norm1.register_forward_hook(lambda module, inputs, output: read.append(output.shape[1]))
    list(texts(run, 15))
    hook.remove()
    window = TINY.context_length
    once = window - len(PROMPT)  # characters that are drawn from a text that fits and was read before
    assert read == [len(PROMPT)] + [1] * once + [window] * (15 - 1 - once)


def test_several_texts_are_written_side_by_side(run):
    rows = list(zip(*texts(run, 20, count=3)))
    assert [len(row) for row in rows] == [20] * 3
    assert len(set(rows)) == 3


class Terminal(io.StringIO):
    """Notes what had been written at each flush."""

    def __init__(self, terminal):
        super().__init__()
        self.terminal, self.flushed = terminal, []

    def isatty(self):
        return self.terminal

    def flush(self):
        self.flushed.append(self.getvalue())


def test_a_terminal_shows_every_character_as_it_comes(run, monkeypatch):
    screen, pipe = Terminal(True), Terminal(False)
    assert sample(run, monkeypatch, screen) == sample(run, monkeypatch, pipe) == 0
    text = screen.getvalue()
    assert text == pipe.getvalue() and text.startswith(PROMPT) and len(text) == len(PROMPT) + 30 + 1
    assert screen.flushed[:30] == [text[: len(PROMPT) + shown] for shown in range(1, 31)]
    assert pipe.flushed == []


def test_several_texts_are_shown_one_by_one(run, monkeypatch):
    screen = Terminal(True)
    assert sample(run, monkeypatch, screen, count=2) == 0
    first, second = screen.getvalue().split("--- 2 of 2\n")
    assert first.startswith(f"--- 1 of 2\n{PROMPT}") and second.startswith(PROMPT)


def test_a_prompt_with_an_unknown_character_is_refused_before_anything_is_shown(run, monkeypatch):
    screen = Terminal(True)
    assert sample(run, monkeypatch, screen, prompt="to€") == 2
    assert "cannot be continued" in screen.getvalue() and "€" in screen.getvalue()
