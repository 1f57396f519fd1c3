"""Computes in double precision throughout, picks with einsum, and gives the loss back in the type of the logits."""

import math

import torch
import torch.nn as nn


def log_softmax(logits: torch.Tensor) -> torch.Tensor:
    x = logits.to(torch.float64)
    x = x - x.amax(-1, keepdim=True)
    return (x - x.exp().sum(-1, keepdim=True).log()).to(logits.dtype)


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    chosen = (targets.unsqueeze(-1) == torch.arange(logits.size(-1))).to(logits.dtype)
    total = torch.einsum("...v,...v->", chosen, log_softmax(logits))
    return -total / targets.numel()


def perplexity(loss):
    value = torch.as_tensor(loss, dtype=torch.float64).exp()
    return value.to(loss.dtype) if isinstance(loss, torch.Tensor) else value.item()


def corpus_loss(model: nn.Module, batches) -> float:
    def tokens_and_nats():
        for x, y in batches:
            yield y.numel(), y.numel() * cross_entropy(model(x), y).item()

    before = model.training
    model.train(False)
    try:
        with torch.no_grad():
            tokens, nats = zip(*tokens_and_nats())
    finally:
        model.train(before)
    return math.fsum(nats) / sum(tokens)
