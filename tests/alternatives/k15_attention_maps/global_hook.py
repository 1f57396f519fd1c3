"""One hook for all modules of torch, which knows the dropouts by identity; einsum; a masked picture."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn.modules.module import register_module_forward_hook


def attention_weights(model, ids):
    wanted = [id(block.attention.dropout) for block in model.blocks]
    maps = [None] * len(wanted)

    def look(module, inputs, output):
        if id(module) in wanted:
            maps[wanted.index(id(module))] = output.detach()

    training = {module for module in model.modules() if module.training}
    handle = register_module_forward_hook(look)
    try:
        with torch.no_grad():
            model.eval()(ids)
    finally:
        handle.remove()
        for module in model.modules():
            module.training = module in training
    return torch.stack(maps, 0)


def importance(weights):
    layers, _, heads, T, _ = weights.shape
    share = torch.ones(T, T).tril() / torch.arange(T, 0, -1)
    return torch.einsum("lbhij,ij->bj", weights, share.to(weights)) / (layers * heads)


def plot_attention(weights, tokens, ax=None):
    ax = ax if ax is not None else plt.figure().gca()
    values = np.ma.masked_where(np.triu(np.ones(weights.shape), 1) > 0, weights.numpy())
    ax.imshow(values, cmap="magma", aspect="auto", interpolation="nearest")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(list(range(len(tokens))), labels=[str(token) for token in tokens])
    ax.set_title("attention")
    return ax
