"""`make write`, `make chat` and `make attention WEIGHTS=…` as one types them, with small models of the same formats."""

from __future__ import annotations

import importlib.util
from unittest import mock

import pytest
from click.testing import CliRunner
from safetensors.torch import save_file

from dojo.cli.main import app
from dojo.system import console, data_files
from dojo.system.data_files import DataError

from ..gpt.tiny_models import gpt2_tensors, write_llama

needs_gguf = pytest.mark.skipif(not importlib.util.find_spec("gguf"), reason="needs gguf")


@pytest.fixture(autouse=True)
def by_make(monkeypatch):
    monkeypatch.setenv("DOJO_DOOR", "make")


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return str(write_llama(tmp_path_factory.mktemp("weights") / "tiny.gguf"))


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    try:
        data_files.locate(data_files.sources()["encoder.json"])
    except DataError:
        pytest.skip("needs GPT-2's tokens: make data")
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(gpt2_tensors(words=50257, context=24, width=64), path)
    return str(path)


def invoke(*words, typed=""):
    with mock.patch.object(console.console, "_width", 120):
        return CliRunner().invoke(app, words, input=typed)


@needs_gguf
def test_write_continues_a_prompt_and_says_whose_the_parts_are(llama):
    done = invoke("write", "--weights", llama, "--prompt", "To be", "--length", "12", "--seed", "3")
    assert done.exit_code == 0, done.output
    first, *_ = [line for line in done.output.splitlines() if "parameters" in line]
    assert first == "tiny: 82,432 parameters, 256 tokens at once"
    assert "Every part of it is the reference's.\n\nTo be" in done.output
    assert "the first token after" in done.output
    again = invoke("write", "--weights", llama, "--prompt", "To be", "--length", "12", "--seed", "3")
    assert again.output.split("the first token")[0] == done.output.split("the first token")[0]


def test_write_runs_a_gpt2_up_to_its_context(gpt2):
    done = invoke("write", "--weights", gpt2, "--prompt", "To be, or not", "--length", "30", "--seed", "3")
    assert done.exit_code == 0, done.output
    assert "Only 19 of the 30 tokens fit into the context with the prompt." in done.output
    done = invoke("write", "--weights", gpt2, "--prompt", "to be " * 30)
    assert done.exit_code == 1
    assert "The prompt has 61 tokens, and the model reads 24 at once: cut it." in done.output


@needs_gguf
def test_chat_answers_turn_by_turn_until_q(llama):
    done = invoke("chat", "--weights", llama, "--length", "8", "--seed", "1", typed="Hello\n\nAnd now?\nq\nnever\n")
    assert done.exit_code == 0, done.output
    assert done.output.count("the first token after") == 2 and "q leaves" in done.output


@needs_gguf
def test_chat_goes_on_after_a_message_that_is_too_long(llama):
    done = invoke("chat", "--weights", llama, "--length", "8", typed=f"{'so on ' * 200}\nHello\n")
    assert done.exit_code == 0, done.output
    assert "tokens, and the model reads 256 at once" in done.output and "the first token after" in done.output


@needs_gguf
def test_chat_with_a_prompt_answers_and_ends(llama):
    done = invoke("chat", "--weights", llama, "--length", "8", "--prompt", "Hello", typed="never\n")
    assert done.exit_code == 0 and "you:" not in done.output
    done = invoke("chat", "--weights", llama, "--prompt", "so on " * 200)
    assert done.exit_code == 1 and "cut it" in done.output


@pytest.mark.parametrize(("verb", "weights"), [("chat", "smollm2"), ("write", "gpt2"), ("attention", "smollm2")])
def test_without_weights_it_is_said_what_to_type(verb, weights, tmp_path, monkeypatch):
    monkeypatch.delenv(data_files.MIRROR, raising=False)
    monkeypatch.setattr(data_files.locate, "__defaults__", (tmp_path,))
    done = invoke(verb, "--weights", weights)
    assert done.exit_code == 1
    assert f"is not here yet. Run `make data WEIGHTS={weights}` with a network" in done.output


@needs_gguf
def test_chat_with_a_gpt2_is_refused(gpt2):
    done = invoke("chat", "--weights", gpt2)
    assert done.exit_code == 1 and "no template for a conversation" in done.output


def test_data_refuses_weights_that_nobody_publishes():
    done = invoke("data", "--weights", "gpt5")
    assert done.exit_code == 2 and "WEIGHTS is gpt2 or smollm2: make data WEIGHTS=gpt2" in done.stderr
