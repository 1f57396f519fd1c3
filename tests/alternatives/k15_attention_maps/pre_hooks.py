"""Catches what goes into the dropout, in inference mode; a mask of viewers; the map as a mesh."""

from contextlib import ExitStack

import matplotlib.pyplot as plt
import torch


def attention_weights(model, ids):
    found = {}
    training = {module: module.training for module in model.modules()}

    def set_back():
        for module, mode in training.items():
            module.training = mode

    with ExitStack() as stack, torch.inference_mode():
        stack.callback(set_back)
        for number, block in enumerate(model.blocks):

            def remember(module, arguments, number=number):
                found[number] = arguments[0].clone()

            stack.callback(block.attention.dropout.register_forward_pre_hook(remember).remove)
        model.eval()
        model(ids)
    return torch.stack([found[number] for number in sorted(found)])


def importance(weights):
    T = weights.shape[-1]
    sees = torch.ones(T, T, dtype=torch.bool, device=weights.device).tril()
    means = []
    for j in range(T):
        viewers = sees[:, j]
        means.append(weights[:, :, :, viewers, j].mean(dim=(0, 2, 3)))
    return torch.stack(means, dim=-1)


def plot_attention(weights, tokens, ax=None):
    if ax is None:
        _, ax = plt.subplots(figsize=(3, 3))
    mesh = ax.pcolormesh(weights.detach().cpu().numpy(), cmap="Blues")
    places = [place + 0.5 for place in range(len(tokens))]
    ax.set_xticks(places)
    ax.set_xticklabels(tokens, rotation=45)
    ax.set_yticks(places)
    ax.set_yticklabels(tokens)
    ax.invert_yaxis()
    ax.get_figure().colorbar(mesh, ax=ax)
    return ax
