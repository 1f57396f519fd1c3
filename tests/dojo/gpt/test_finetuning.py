"""A run that goes on from a trained model, another run's or a published one's: all of its weights, or LoRA beside."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dojo.gpt.base import find_base
from dojo.gpt.encoded import OwnText, encode_text
from dojo.gpt.model import parts
from dojo.gpt.presets import FINETUNE, PRESETS
from dojo.gpt.runs import History
from dojo.gpt.texts import TextError
from dojo.gpt.trained import NotTrained, restore
from dojo.gpt.training import Run, TrainingError
from dojo.spec.byte_pairs import small_ranks

from .test_training import CATALOG, TINY

PLAY = "to be, or not to be: that is the question.\n" * 60
OTHER = "whether it is nobler in the mind to be, or not.\n" * 60


@pytest.fixture(scope="module")
def modules():
    torch.set_num_threads(1)
    return parts(CATALOG, frozenset())[0]


@pytest.fixture(scope="module", autouse=True)
def presets():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "tiny", TINY)
        patch.setitem(PRESETS, FINETUNE, replace(TINY, name=FINETUNE, steps=20, evaluate_every=5, peak=3e-3))
        yield


@pytest.fixture
def root(modules, tmp_path):
    """A root with a trained run, `first`, that knows the letters of both texts."""
    (tmp_path / "texts").mkdir()
    for name, text in (("first", PLAY + OTHER), ("second", OTHER)):
        (tmp_path / "texts" / name).write_text(text, encoding="utf-8")
    trained(modules, tmp_path, "first", replace(TINY, steps=30))
    return tmp_path


def trained(modules, root, name, preset, text="", base=None, lora=0, known=None, kind="characters", resumed=False):
    run = Run(preset, root / "runs" / name, modules, {}, lambda line: None, base=base, origin="first", lora=lora)
    own = OwnText(str(root / "texts" / (text or name)), kind=kind, known=known)
    run.prepare(lambda parts: encode_text(own, parts, root / "tokens", preset.context_length))
    run.resume() if resumed else run.begin()
    run.train()
    return run


@pytest.mark.parametrize("lora", [0, 2])
def test_a_run_goes_on_from_another_and_is_there_to_use(modules, root, lora):
    base = find_base(root, modules, "first")
    before = {name: each.detach().clone() for name, each in base.model.named_parameters()}
    preset = PRESETS[FINETUNE].of_sizes(base.preset.sizes)
    preset = preset.for_lora() if lora else preset
    run = trained(modules, root, "second", preset, base=base, lora=lora, known=base.vocabulary)
    assert run.data.vocabulary == base.vocabulary and run.losses[0] < 2.5
    assert sum(run.losses[-5:]) < sum(run.losses[:5])
    after = {name.replace(".linear.", "."): each for name, each in run.model.named_parameters()}
    assert all(torch.equal(each, after[name]) for name, each in before.items()) == (lora > 0)
    history = History.read(run.folder)
    assert (history.base, history.lora, history.sizes) == ("first", lora, base.preset.sizes)
    gpt = restore(modules, run.folder)
    assert {name for name, _ in gpt.model.named_parameters()} == set(before)
    assert gpt.write("to", 10, torch.Generator().manual_seed(1)).startswith("to")
    longer = replace(preset, steps=25)
    assert trained(modules, root, "second", longer, lora=lora, known=base.vocabulary, resumed=True).step == 25


def test_a_model_that_lora_made_can_be_gone_on_from(modules, root):
    preset = PRESETS[FINETUNE]
    base = find_base(root, modules, "first")
    trained(modules, root, "second", preset.of_sizes(base.preset.sizes), base=base, lora=2, known=base.vocabulary)
    base = find_base(root, modules, "second")
    again = preset.of_sizes(base.preset.sizes)
    run = trained(modules, root, "third", again, text="second", base=base, known=base.vocabulary)
    assert all(each.requires_grad for each in run.model.parameters())


def test_what_cannot_be_gone_on_from_is_refused(modules, root):
    with pytest.raises(NotTrained, match="no model other to go on from. FROM is gpt2, or one of your runs: first"):
        find_base(root, modules, "other")
    base = find_base(root, modules, "first")
    (root / "texts" / "second").write_text(OTHER + "ß", encoding="utf-8")
    with pytest.raises(TextError, match="TEXT holds 'ß', which the model to go on from does not know"):
        trained(modules, root, "second", TINY, base=base, known=base.vocabulary)
    with pytest.raises(TrainingError, match="LORA=99 does not do: rank = 99"):
        trained(modules, root, "first", TINY, base=base, lora=99)


def test_published_weights_are_gone_on_from_with_their_sizes(modules, tmp_path, monkeypatch):
    monkeypatch.setattr("dojo.gpt.tokens.gpt2_ranks", small_ranks)
    save_file = pytest.importorskip("safetensors.torch").save_file
    k10, k22 = modules["k10"], modules["k22"]
    torch.manual_seed(0)
    model = k10.GPT(k10.GPTConfig(513, 16, 128, 2, 2, qkv_bias=True, tie_weights=True))
    tensors = {}
    for name, places in k22.gpt2_places(model).items():
        tensors[name] = torch.cat([each.detach() for each in places], dim=-1).contiguous()
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "mine").write_text(PLAY, encoding="utf-8")
    base = find_base(tmp_path, modules, str(tmp_path / "model.safetensors"))
    preset = PRESETS[FINETUNE].of_sizes(base.preset.sizes)
    run = trained(modules, tmp_path, "mine", preset, base=base, kind="gpt2", lora=2)
    assert run.losses[-1] < run.losses[0] and run.preset.vocab_size == 513
    assert restore(modules, run.folder).write("to be", 5, torch.Generator().manual_seed(1)).startswith("to be")
