"""Targets as one-hot rows, a loop over the tokens, odds instead of probabilities, inference mode."""

import math

import torch


def log_softmax(logits):
    # p_i = 1 / sum_j exp(x_j - x_i), the difference of every pair
    differences = logits.unsqueeze(-2) - logits.unsqueeze(-1)
    return -torch.logsumexp(differences, dim=-1)


def cross_entropy(logits, targets):
    if logits.dim() == 3:
        return cross_entropy(logits.flatten(0, 1), targets.flatten())
    total = 0
    for row, target in zip(logits, targets):
        one_hot = torch.zeros_like(row)
        one_hot[target] = 1
        total = total + (log_softmax(row) * one_hot).sum()
    return -total / targets.shape[0]


def perplexity(loss):
    return math.exp(loss) if isinstance(loss, (int, float)) else loss.detach().exp()


class evaluating:
    def __init__(self, model):
        self.model = model

    def __enter__(self):
        self.before = self.model.training
        return self.model.train(False)

    def __exit__(self, *error):
        self.model.train(self.before)


def corpus_loss(model, batches):
    nats = tokens = 0
    with torch.inference_mode(), evaluating(model) as quiet:
        for x, y in batches:
            nats += y.numel() * cross_entropy(quiet(x), y).item()
            tokens += y.numel()
    return nats / tokens
