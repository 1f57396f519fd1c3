"""Races of k11: cross-entropy over GPT-2's vocabulary, in time and in memory."""

import torch
from torch.nn import functional

from dojo.bench.workloads import passes

TOKENS, VOCABULARY = 128, 50257


def races(kata, reference):
    """Forward, and forward and backward."""
    targets = torch.randint(VOCABULARY, (TOKENS,))
    ways = {
        "reference": lambda logits: reference.cross_entropy(logits, targets),
        "logsumexp": lambda logits: (logits.logsumexp(-1) - logits.gather(-1, targets[:, None])[:, 0]).mean(),
        "torch": lambda logits: functional.cross_entropy(logits, targets),
    }
    if kata is not None:
        ways["yours"] = lambda logits: kata.cross_entropy(logits, targets)
    logits = 3 * torch.randn(TOKENS, VOCABULARY)
    yield from passes(f"cross-entropy ({TOKENS}, {VOCABULARY})", ways, logits, work=TOKENS, unit="tokens")
