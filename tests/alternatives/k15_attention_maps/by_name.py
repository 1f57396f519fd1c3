"""Finds the modules by name; importance with NaN where nobody can look; an image that spans from 0 to T."""

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator


class Catcher:
    def __init__(self, model):
        self.model, self.maps = model, []
        self.modes = [module.training for module in model.modules()]

    def __enter__(self):
        modules = dict(self.model.named_modules())
        names = [f"blocks.{i}.attention.dropout" for i in range(len(self.model.blocks))]
        self.handles = [modules[name].register_forward_hook(self) for name in names]
        self.model.eval()
        return self

    def __call__(self, module, inputs, output):
        self.maps.append(output.detach().clone())

    def __exit__(self, *error):
        for handle in self.handles:
            handle.remove()
        for module, mode in zip(self.model.modules(), self.modes):
            module.training = mode


@torch.no_grad()
def attention_weights(model, ids):
    with Catcher(model) as catcher:
        model(ids)
    return torch.stack(catcher.maps)


def importance(weights):
    hidden = torch.ones_like(weights[0, 0, 0]).triu(1).bool()
    seen = weights.masked_fill(hidden, torch.nan)
    return seen.nanmean(dim=(0, 2, 3))


def plot_attention(weights, tokens, ax=None):
    if ax is None:
        figure = Figure()
        ax = figure.add_axes((0.2, 0.2, 0.7, 0.7))
    T = len(tokens)
    ax.imshow(weights.cpu().numpy(), extent=(0, T, T, 0), cmap="gray")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(FixedLocator([i + 0.5 for i in range(T)]))
        axis.set_major_formatter(FixedFormatter(tokens))
    return ax
