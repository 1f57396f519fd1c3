"""Races of k04: the two ways to hold the projections, and what the numbers they start from do to training."""

import torch
from torch.nn.functional import mse_loss, scaled_dot_product_attention

from dojo.bench.timing import Race, Racer
from dojo.bench.workloads import Using, agrees, passes

SHAPE = (8, 256, 64)
STEPS = 100


def races(kata, reference):
    """Forward and backward with the same weights in all; then training, each from its own start."""
    batch, tokens, width = SHAPE
    v1 = reference.SelfAttentionV1(width, width)
    with torch.no_grad():
        for matrix in v1.parameters():
            matrix.div_(width)  # else the softmax is saturated, and nothing passes through it
    v2 = reference.v2_from_v1(v1)
    ways = {"V2, nn.Linear": v2, "V1, nn.Parameter": v1, "V2, fused": Using(v2, _fused)}
    if kata is not None:
        ways["yours, V2"] = kata.SelfAttentionV2(width, width)
        ways["yours, V2"].load_state_dict(v2.state_dict())
    yield from passes(f"self-attention {SHAPE}", ways, torch.randn(SHAPE), work=batch * tokens, unit="tokens")
    starts = {"V2, its own start": reference.SelfAttentionV2, "V1, its own start": reference.SelfAttentionV1}
    starts["V1, V2's start"] = _started_as_v2(reference)
    if kata is not None:
        starts |= {"yours, V2": kata.SelfAttentionV2, "yours, V1": kata.SelfAttentionV1}
    racers = [_training(*start) for start in starts.items()]
    yield Race(f"training, {STEPS} steps", racers, work=STEPS, unit="steps")


def _fused(v2, x):
    return scaled_dot_product_attention(v2.W_query(x), v2.W_key(x), v2.W_value(x))


def _started_as_v2(reference):
    """A maker of a V1 that begins with the numbers that `nn.Linear` gives to a V2."""

    def make(d_in, d_out):
        v1, v2 = reference.SelfAttentionV1(d_in, d_out), reference.SelfAttentionV2(d_in, d_out)
        with torch.no_grad():
            for name in ("W_query", "W_key", "W_value"):
                getattr(v1, name).copy_(getattr(v2, name).weight.T)
        return v1

    return make


def _training(name, make):
    """Trains a new module in each call. What it proves is that it mixes values; the loss at the end is its figure."""
    racer = Racer(name, lambda: _train(make))

    def prove():
        model = make(32, 16)
        matrices = [getattr(model, name) for name in ("W_query", "W_key", "W_value")]
        query, key, value = (one.weight.T if hasattr(one, "weight") else one for one in matrices)
        x = torch.randn(2, 8, 32)
        want = scaled_dot_product_attention(x @ query, x @ key, x @ value).detach()
        agrees(lambda: model(x).detach(), want, "its output")
        racer.figures["loss"] = _train(make)

    racer.prove = prove
    return racer


def _train(make):
    """The lesson's task: four pairs of twins, each of which has to find its other and report their average."""
    torch.manual_seed(0)
    topic, news = torch.randn(32, 4, 16).repeat(1, 2, 1), torch.randn(32, 8, 16)
    x, target = torch.cat([topic, news], dim=-1), (news + news.roll(4, dims=1)) / 2
    model = make(32, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(STEPS):
        loss = mse_loss(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()
