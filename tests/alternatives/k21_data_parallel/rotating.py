"""Chunks are rotated so that the indices are the same on every rank; recursion for the rounds."""

import torch
from torch import nn

from ..k11_cross_entropy.cross_entropy import cross_entropy


def shard(windows, rank, world_size):
    rows, left_over = divmod(len(windows), world_size)
    if not rows:
        raise ValueError(f"{left_over} rows for {world_size} ranks: too few")
    index = torch.arange(rows) * world_size + rank
    return windows.index_select(0, index)


def all_reduce_sum(tensor, group):
    W, rank = group.world_size, group.rank
    numbers = nn.functional.pad(tensor.detach().flatten(), (0, -tensor.numel() % W)).reshape(W, -1)
    mine = list(numbers.roll(-rank, dims=0).flip(0).unbind())  # rank, ..., down to rank + 1, after turning once more
    mine = mine[-1:] + mine[:-1]
    right, left = (rank + 1) % W, (rank + W - 1) % W

    def add(at):
        if at < W - 1:
            group.send(mine[at], right)
            mine[at + 1] = mine[at + 1] + group.receive(left)
            add(at + 1)

    def collect(at, steps):
        if steps:
            group.send(mine[at], right)
            at = (at + 1) % W
            mine[at] = group.receive(left)
            collect(at, steps - 1)

    add(0)
    collect(W - 1, W - 1)
    mine = mine[1:] + mine[:1]
    return torch.stack(mine).flip(0).roll(rank, dims=0).flatten()[: tensor.numel()].reshape(tensor.shape)


def broadcast(model, group, source=0):
    tensors = [t.detach() for t in (*model.parameters(), *model.buffers())]
    right, left = (group.rank + 1) % group.world_size, (group.rank - 1) % group.world_size
    if group.rank != source:
        for tensor in tensors:
            tensor.copy_(group.receive(left))
    if right != source:
        for tensor in tensors:
            group.send(tensor, right)


def average_gradients(model, group):
    parameters = [p for p in model.parameters() if p.requires_grad]
    row = torch.concatenate([(p.grad if p.grad is not None else 0 * p.detach()).ravel() for p in parameters])
    row = all_reduce_sum(row, group) / group.world_size
    with torch.no_grad():
        for p in parameters:
            part, row = torch.tensor_split(row, [p.numel()])
            if p.grad is None:
                p.grad = torch.empty_like(p)
            p.grad.copy_(part.reshape(p.shape))


def train_step_parallel(model, optimizer, x, y, group, max_grad_norm=None):
    optimizer.zero_grad()
    loss = cross_entropy(model(x), y)
    (loss / group.world_size).backward()
    for p in model.parameters():
        if p.grad is not None:
            p.grad *= group.world_size
    average_gradients(model, group)
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    return all_reduce_sum(loss, group).item() / group.world_size
