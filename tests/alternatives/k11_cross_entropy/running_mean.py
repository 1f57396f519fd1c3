"""Works on transposed logits, keeps a running mean over the corpus, and takes the maximum from max().values."""

import math

import torch
from torch import Tensor


def log_softmax(logits):
    top, _ = logits.max(dim=logits.dim() - 1, keepdim=True)
    weights = torch.exp(logits - top.detach())
    return logits - top.detach() - torch.log(torch.sum(weights, dim=-1)).unsqueeze(-1)


def cross_entropy(logits, targets):
    by_vocabulary = log_softmax(logits).movedim(-1, 0)  # (V, ...)
    picked = torch.take_along_dim(by_vocabulary, targets[None], dim=0).squeeze(0)
    return picked.neg().mean()


def perplexity(loss):
    if isinstance(loss, Tensor):
        return torch.e**loss
    return float(math.exp(loss))


def corpus_loss(model, batches):
    training = model.training
    try:
        model.eval()
        mean, seen = 0.0, 0
        for x, y in iter(batches):
            with torch.set_grad_enabled(False):
                loss = cross_entropy(model(x), y)
            seen += y.nelement()
            mean += (loss.item() - mean) * y.nelement() / seen
        return mean
    finally:
        if training:
            model.train()
