"""k22 against the libraries that it stands for: safetensors for the file, transformers for the model."""

import importlib.util
import json

import pytest
import torch

from dojo.curriculum.catalog import Catalog
from dojo.sandbox.loader import Workspace
from dojo.system.root import find_root

CATALOG = Catalog(find_root())
REFERENCE = Workspace(CATALOG).reference(CATALOG.find("k22"))
DTYPES = sorted(REFERENCE.DTYPES.items())
# They are imported where they are used: every process that runs tests imports this file.
needs_transformers = pytest.mark.skipif(not importlib.util.find_spec("transformers"), reason="needs transformers")


def numbers(shape, dtype):
    return (torch.randn(shape) * 50).abs().to(dtype)


def assert_same(got, want):
    assert sorted(got) == sorted(want)
    for name, values in want.items():
        assert got[name].dtype == values.dtype
        assert got[name].shape == values.shape
        assert torch.equal(got[name], values)


@pytest.mark.parametrize("metadata", [None, {"format": "pt", "größe": "⅞"}], ids=["plain", "metadata"])
def test_files_of_the_library_are_read(tmp_path, metadata):
    from safetensors.torch import load_file, save_file

    torch.manual_seed(0)
    tensors = {
        f"{code}.{shape}": numbers(shape, dtype) for code, dtype in DTYPES for shape in [(), (0, 3), (3,), (2, 5)]
    }
    save_file(tensors, tmp_path / "all", metadata)
    assert_same(REFERENCE.read_safetensors(tmp_path / "all"), load_file(tmp_path / "all"))
    assert_same(REFERENCE.read_safetensors(tmp_path / "all"), tensors)


def damaged(name, data):
    """The same file, with something wrong about it."""
    length = int.from_bytes(data[:8], "little")
    header, numbers = json.loads(data[8 : 8 + length]), data[8 + length :]
    first = sorted(header)[0]
    changes = {
        "cut": lambda: None,
        "shape": lambda: header[first].update(shape=[7, 7]),
        "negative": lambda: header[first].update(shape=[-2, -3]),
        "dtype": lambda: header[first].update(dtype="F31"),
        "outside": lambda: header[first].update(data_offsets=[len(numbers), len(numbers) + 24]),
        "list": lambda: header.update({first: []}),
    }
    changes[name]()
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + (numbers[:-1] if name == "cut" else numbers)


@pytest.mark.parametrize("name", ["cut", "shape", "negative", "dtype", "outside", "list"])
def test_what_the_library_refuses_is_refused(tmp_path, name):
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save_file

    save_file({"a": torch.ones(2, 3), "b": torch.zeros(4)}, tmp_path / "right")
    file = tmp_path / "wrong"
    file.write_bytes(damaged(name, (tmp_path / "right").read_bytes()))
    with pytest.raises(SafetensorError):
        load_file(file)
    with pytest.raises(REFERENCE.WeightsError, match="wrong"):
        REFERENCE.read_safetensors(file)


SIZES = [(11, 7, 6, 2, 1), (29, 16, 12, 3, 2), (50, 9, 32, 4, 5)]  # words, context, width, heads, layers


@needs_transformers
@pytest.mark.parametrize("head", [True, False], ids=["with its head", "without"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_what_transformers_saves_answers_alike(tmp_path, sizes, head):
    """From the two files that it writes, config.json and model.safetensors, to the same logits."""
    import transformers

    torch.manual_seed(0)
    names = ("vocab_size", "n_positions", "n_embd", "n_head", "n_layer")
    config = transformers.GPT2Config(**dict(zip(names, sizes)), bos_token_id=0, eos_token_id=0)
    theirs = transformers.GPT2LMHeadModel(config).double().eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    (theirs if head else theirs.transformer).save_pretrained(tmp_path)
    read = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    ours = REFERENCE.GPT(REFERENCE.gpt2_config(read)).double().eval()
    REFERENCE.load_gpt2(ours, REFERENCE.read_safetensors(tmp_path / "model.safetensors"))
    ids = torch.randint(sizes[0], (3, sizes[1]))
    with torch.no_grad():
        want = theirs(ids).logits
        assert want.std() > 0.1
        assert (ours(ids) - want).abs().max() < 1e-10
    assert ours.lm_head.weight is ours.embedding.tok_emb.weight


@needs_transformers
def test_the_published_configuration_is_understood():
    """What transformers knows of GPT-2 without a file: every setting at its default, all of them written out."""
    import transformers

    config = REFERENCE.gpt2_config(transformers.GPT2Config().to_dict())
    assert (config.vocab_size, config.context_length, config.emb_dim) == (50257, 1024, 768)
    with torch.device("meta"):
        model = REFERENCE.GPT(config)
    assert sum(parameter.numel() for parameter in model.parameters()) == 124_439_808
