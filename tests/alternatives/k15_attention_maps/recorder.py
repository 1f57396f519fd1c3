"""Puts a recorder in the place of each dropout for one run; means one after the other; `matshow`, origin below."""

import numpy as np
import torch
from matplotlib import pyplot
from torch import nn


class Recorder(nn.Module):
    def forward(self, weights):
        self.weights = weights
        return weights


def attention_weights(model, ids):
    modes = {module: module.training for module in model.modules()}
    dropouts = [block.attention.dropout for block in model.blocks]
    recorders = [Recorder() for _ in dropouts]
    try:
        for block, recorder in zip(model.blocks, recorders):
            block.attention.dropout = recorder
        model.eval()
        with torch.no_grad():
            model.forward(ids)
        return torch.cat([recorder.weights[None] for recorder in recorders])
    finally:
        for block, dropout in zip(model.blocks, dropouts):
            block.attention.dropout = dropout
        for module, mode in modes.items():
            module.training = mode


def importance(weights):
    mean = weights.mean(0).mean(1)
    T = mean.size(-1)
    columns = [mean[:, j:, j].sum(1) / (T - j) for j in range(T)]
    return torch.stack(columns, 1)


def plot_attention(weights, tokens, ax=None):
    if ax is None:
        ax = pyplot.figure().add_subplot()
    ax.matshow(np.asarray(weights.tolist()), origin="lower", vmin=0, vmax=1)
    names = [f"'{token}'" for token in tokens]
    ax.set(xticks=np.arange(len(tokens)), yticks=np.arange(len(tokens)), xticklabels=names, yticklabels=names)
    ax.tick_params(axis="x", labelrotation=90)
    return ax
