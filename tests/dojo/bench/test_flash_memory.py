"""What the lesson of k19 says about memory: by tiles, attention takes less than a tenth of what the plain one takes."""

import importlib

import torch

from dojo.curriculum.catalog import Catalog
from dojo.sandbox.loader import Workspace

from ..trees import ROOT

TOKENS, WIDTH, BLOCK = 1024, 16, 64


def test_attention_by_tiles_takes_less_than_a_tenth_of_the_memory():
    """At 8,192 tokens the share is smaller still: one part grows with the tokens, the other with their square."""
    laws = importlib.import_module("tests.katas.test_k19_flash_attention")
    catalog = Catalog(ROOT)
    reference = Workspace(catalog).reference(catalog.find("19"))
    peaks = {}
    for name, attention in (
        ("tiles", lambda *inputs: reference.flash_attention(*inputs, block=BLOCK)),
        ("plain", laws.plain_attention),
    ):
        generator = torch.Generator().manual_seed(0)
        inputs = [torch.randn(1, 1, TOKENS, WIDTH, generator=generator).requires_grad_() for _ in range(3)]
        with laws.Memory() as memory:
            context = attention(*inputs)
            context.backward(torch.ones_like(context))
        peaks[name] = memory.peak
    assert peaks["tiles"] < peaks["plain"] / 10
