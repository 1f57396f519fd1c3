"""Our GPT against a published GPT-2: with the same weights, the same logits.

The weights are random, so nothing is downloaded. Needs transformers, which the development extra brings.
"""

import dataclasses
import importlib.util

import pytest
import torch

from dojo.curriculum.catalog import Catalog
from dojo.sandbox.loader import Workspace
from dojo.system.root import find_root

# It is imported where it is used: every process that runs tests imports this file.
pytestmark = pytest.mark.skipif(not importlib.util.find_spec("transformers"), reason="needs transformers")

CATALOG = Catalog(find_root())
REFERENCE = Workspace(CATALOG).reference(CATALOG.find("k10"))
SIZES = [
    REFERENCE.GPTConfig(vocab_size=11, context_length=7, emb_dim=6, num_heads=2, num_layers=1),
    REFERENCE.GPTConfig(vocab_size=29, context_length=16, emb_dim=12, num_heads=3, num_layers=2),
    REFERENCE.GPTConfig(vocab_size=50, context_length=9, emb_dim=32, num_heads=4, num_layers=5),
]


def published(config):
    """transformers' GPT-2 of our configuration, with random weights, norms and biases included."""
    import transformers

    theirs = transformers.GPT2Config(
        vocab_size=config.vocab_size,
        n_positions=config.context_length,
        n_embd=config.emb_dim,
        n_head=config.num_heads,
        n_layer=config.num_layers,
        tie_word_embeddings=config.tie_weights,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = transformers.GPT2LMHeadModel(theirs).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return model


def ours_from(theirs):
    """Our parameters, by name, from the state of a GPT2LMHeadModel.

    Its `Conv1D` keeps a matrix as (in, out) where `nn.Linear` keeps (out, in), so these are transposed; and its
    `c_attn` holds the projections of query, key and value side by side.
    """
    ours = {
        "embedding.tok_emb.weight": theirs["transformer.wte.weight"],
        "embedding.pos_emb.weight": theirs["transformer.wpe.weight"],
        "final_norm.weight": theirs["transformer.ln_f.weight"],
        "final_norm.bias": theirs["transformer.ln_f.bias"],
        "lm_head.weight": theirs["lm_head.weight"],
    }
    matrices = {"attention.out_proj": "attn.c_proj", "feed_forward.up": "mlp.c_fc", "feed_forward.down": "mlp.c_proj"}
    norms = {"norm1": "ln_1", "norm2": "ln_2"}
    for number in range(sum(name.endswith("ln_1.weight") for name in theirs)):
        block, source = f"blocks.{number}", f"transformer.h.{number}"
        for name in ("weight", "bias"):
            projections = theirs[f"{source}.attn.c_attn.{name}"].chunk(3, dim=-1)
            for layer, values in zip(("W_query", "W_key", "W_value"), projections, strict=True):
                ours[f"{block}.attention.{layer}.{name}"] = values.T if name == "weight" else values
            for layer, other in norms.items():
                ours[f"{block}.{layer}.{name}"] = theirs[f"{source}.{other}.{name}"]
            for layer, other in matrices.items():
                values = theirs[f"{source}.{other}.{name}"]
                ours[f"{block}.{layer}.{name}"] = values.T if name == "weight" else values
    return ours


@pytest.mark.parametrize("tie", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("config", SIZES, ids=lambda config: f"{config.num_layers}x{config.emb_dim}")
def test_logits_are_those_of_the_published_gpt2(config, tie):
    torch.manual_seed(0)
    config = dataclasses.replace(config, qkv_bias=True, tie_weights=tie)
    theirs = published(config)
    ours = REFERENCE.GPT(config).double().eval()
    left_out = ours.load_state_dict(ours_from(theirs.state_dict()), strict=False)
    assert not left_out.unexpected_keys
    assert all(name.endswith("mask") for name in left_out.missing_keys)
    for tokens in (1, config.context_length // 2, config.context_length):
        ids = torch.randint(config.vocab_size, (3, tokens))
        with torch.no_grad():
            want = theirs(ids).logits
            got = ours(ids)
        assert got.shape == want.shape
        assert want.std() > 0.1
        assert (got - want).abs().max() < 1e-10


def test_parameter_counts_are_those_of_the_published_gpt2():
    """Ours with biases for query, key and value has as many parameters; theirs always ties its weights."""
    import transformers

    config = dataclasses.replace(REFERENCE.GPT2_SMALL, qkv_bias=True, tie_weights=True)
    with torch.device("meta"):
        ours = REFERENCE.GPT(config)
        theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config())
    assert REFERENCE.count_parameters(ours) == sum(parameter.numel() for parameter in theirs.parameters())
