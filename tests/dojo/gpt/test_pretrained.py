"""Published weights run through the learner's own parts: files of the same format, with random numbers."""

import importlib.util
import json

import pytest
import torch
from safetensors.torch import save_file

from dojo.curriculum.catalog import Catalog
from dojo.gpt.model import parts
from dojo.gpt.pretrained import load_gpt2
from dojo.system import data_files
from dojo.system.data_files import DataError
from dojo.system.root import find_root

from .tiny_models import gpt2_tensors

CATALOG = Catalog(find_root())


@pytest.fixture(scope="module")
def modules():
    return parts(CATALOG, frozenset())[0]


@pytest.fixture
def file(tmp_path):
    save_file(gpt2_tensors(), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_sizes_are_those_of_the_tensors(modules, file):
    config = load_gpt2(modules, str(file)).config
    sizes = config.vocab_size, config.context_length, config.emb_dim, config.num_heads, config.num_layers
    assert sizes == (300, 32, 128, 2, 2)
    assert config.qkv_bias and config.tie_weights


def test_sizes_beside_the_file_come_first(modules, file):
    names = ("vocab_size", "n_positions", "n_embd", "n_head", "n_layer")
    file.with_name("config.json").write_text(json.dumps(dict(zip(names, (300, 32, 128, 4, 2)))))
    assert load_gpt2(modules, str(file)).config.num_heads == 4


def test_a_model_reads_the_same_after_it_was_loaded_by_another_name(modules, file, tmp_path):
    prefixed = {f"transformer.{name}": values for name, values in gpt2_tensors().items()}
    save_file(prefixed, tmp_path / "prefixed.safetensors")
    ids = torch.randint(300, (2, 9))
    with torch.no_grad():
        one, other = (load_gpt2(modules, str(path))(ids) for path in (file, tmp_path / "prefixed.safetensors"))
    assert one.std() > 0.1 and torch.equal(one, other)


def wrong(change):
    tensors = gpt2_tensors()
    change(tensors)
    return tensors


@pytest.mark.parametrize(
    "tensors, message",
    [
        (lambda: {"model.embed_tokens.weight": torch.ones(3, 4)}, "holds no GPT-2: its tensors wte.weight"),
        (lambda: wrong(lambda tensors: tensors.pop("h.1.mlp.c_fc.bias")), "h.1.mlp.c_fc.bias is missing"),
        (lambda: wrong(lambda tensors: tensors.update(extra=torch.ones(1))), "extra has no place in the model"),
        (lambda: wrong(lambda tensors: tensors.update({"ln_f.bias": torch.ones(3)})), r"ln_f.bias has shape \(3,\)"),
    ],
    ids=["another model", "missing", "extra", "shape"],
)
def test_a_file_of_something_else_is_refused_by_what_is_wrong(modules, file, tensors, message):
    save_file(tensors(), file)
    with pytest.raises(DataError, match=message) as caught:
        load_gpt2(modules, str(file))
    assert str(file) in str(caught.value) and "make data WEIGHTS=gpt2" in str(caught.value)


def test_a_file_cut_off_is_refused(modules, file):
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"cannot be used as a GPT-2's weights: .*model.safetensors: .* bytes"):
        load_gpt2(modules, str(file))


def test_no_such_file_says_what_to_type(modules, tmp_path, monkeypatch):
    with pytest.raises(DataError, match="WEIGHTS is gpt2 or smollm2, or the path .* no file nowhere.* WEIGHTS=gpt2"):
        load_gpt2(modules, "nowhere")
    monkeypatch.delenv(data_files.MIRROR, raising=False)
    monkeypatch.setattr(data_files.locate, "__defaults__", (tmp_path,))
    with pytest.raises(DataError, match="gpt2.safetensors is not here yet. Run `make data WEIGHTS=gpt2`"):
        load_gpt2(modules, "gpt2")


@pytest.mark.skipif(not importlib.util.find_spec("transformers"), reason="needs transformers")
@pytest.mark.parametrize("sizes", [(64, 16, 1, 1), (192, 24, 3, 2)], ids=str)
def test_a_file_that_transformers_wrote_gives_its_logits_with_and_without_a_cache(modules, tmp_path, sizes):
    import transformers

    torch.manual_seed(0)
    names = ("n_embd", "n_positions", "n_head", "n_layer")
    config = transformers.GPT2Config(vocab_size=77, bos_token_id=0, eos_token_id=0, **dict(zip(names, sizes)))
    theirs = transformers.GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    theirs.transformer.save_pretrained(tmp_path)
    (tmp_path / "config.json").unlink()  # as the published file comes, alone
    ours, ids = load_gpt2(modules, str(tmp_path / "model.safetensors")), torch.randint(77, (2, sizes[1]))
    cached = modules["k18"].CachedGPT(ours, sizes[2], sizes[1])
    with torch.no_grad():
        want = theirs(ids).logits
        assert want.std() > 0.1
        assert (ours(ids) - want).abs().max() < 1e-4 * want.abs().max()
        assert (cached(ids)[:, -1] - want[:, -1]).abs().max() < 1e-4 * want.abs().max()
