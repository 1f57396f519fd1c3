"""Our Llama against transformers': with the same weights, by their published names, the same logits.

The weights are random, so nothing is downloaded. Needs transformers, which the development extra brings.
"""

import importlib.util

import pytest
import torch

from dojo.curriculum.catalog import Catalog
from dojo.sandbox.loader import Workspace
from dojo.system.root import find_root

# It is imported where it is used: every process that runs tests imports this file.
pytestmark = pytest.mark.skipif(not importlib.util.find_spec("transformers"), reason="needs transformers")

CATALOG = Catalog(find_root())
KATA = CATALOG.find("k24")
REFERENCE = Workspace(CATALOG).reference(KATA)
SIZES = {  # vocabulary, context length, width, heads of queries, of keys and values, layers, hidden entries
    "own keys": (11, 7, 8, 2, 2, 1, 10),
    "shared keys": (29, 16, 36, 9, 3, 2, 24),
    "one key": (50, 9, 32, 4, 1, 5, 40),
}


def config_of(sizes, tie):
    return REFERENCE.LlamaConfig(*sizes, rope_base=100_000.0, eps=1e-3, tie_weights=tie)


def published(config):
    """transformers' Llama of our configuration, with random weights, norms included."""
    import transformers

    theirs = transformers.LlamaConfig(
        vocab_size=config.vocab_size,
        max_position_embeddings=config.context_length,
        hidden_size=config.emb_dim,
        num_attention_heads=config.num_heads,
        num_key_value_heads=config.num_kv_heads,
        num_hidden_layers=config.num_layers,
        intermediate_size=config.hidden_dim,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_base},
        rms_norm_eps=config.eps,
        tie_word_embeddings=config.tie_weights,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = transformers.LlamaForCausalLM(theirs).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return model


def in_double(norm, x):
    """Their norm and no more, but for the dtype: theirs is always float32."""
    return norm.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + norm.variance_epsilon)


def angles_in_double(rotary, x, position_ids):
    """Their tables and no more, but for the dtype: theirs are always float32."""
    base, pairs = rotary.config.rope_parameters["rope_theta"], len(rotary.inv_freq)
    angles = position_ids[..., None].double() * base ** (-torch.arange(pairs).double() / pairs)
    return torch.cat([angles, angles], -1).cos(), torch.cat([angles, angles], -1).sin()


@pytest.fixture
def exact(monkeypatch):
    """Have transformers keep double precision where it would go through float32."""
    from transformers.models.llama import modeling_llama

    monkeypatch.setattr(modeling_llama.LlamaRMSNorm, "forward", in_double)
    monkeypatch.setattr(modeling_llama.LlamaRotaryEmbedding, "forward", angles_in_double)


def assert_same_logits(config, dtype, within):
    """Ours, loaded with their weights, gives their logits, up to `within` of the largest."""
    torch.manual_seed(0)
    theirs = published(config).to(dtype)
    ours = REFERENCE.Llama(config).to(dtype)
    REFERENCE.load_llama(ours, theirs.state_dict())
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)  # that of the angles
    try:
        for tokens in (1, config.context_length // 2, config.context_length):
            ids = torch.randint(config.vocab_size, (3, tokens))
            with torch.no_grad():
                want, got = theirs(ids).logits, ours(ids)
            assert got.shape == want.shape
            assert want.std() > 0.1
            assert (got - want).abs().max() < within * want.abs().max()
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("tie", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_logits_are_those_of_the_published_llama(sizes, tie, exact):
    assert_same_logits(config_of(sizes, tie), torch.float64, 1e-10)


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_logits_in_single_precision_are_theirs_as_it_stands(sizes):
    assert_same_logits(config_of(sizes, tie=True), torch.float32, 1e-4)


def test_weights_have_the_published_names():
    """Loading takes every weight that they have, and needs no other."""
    config = config_of(SIZES["shared keys"], tie=False)
    theirs = published(config).state_dict()
    for name in theirs:
        with pytest.raises(ValueError, match=name):
            REFERENCE.load_llama(REFERENCE.Llama(config), {key: theirs[key] for key in theirs if key != name})


def test_a_small_published_model_has_its_size():
    """SmolLM2-135M has 134,515,008 parameters: the number in its card, and in the lesson."""
    with torch.device("meta"):
        model = REFERENCE.Llama(REFERENCE.LlamaConfig(49_152, 8192, 576, 9, 3, 30, 1536, rope_base=100_000.0))
    assert sum(parameter.numel() for parameter in model.parameters()) == 134_515_008
    assert "134515008" in KATA.text
