"""Sums that go round the ring from rank 0 and come round again, a chunk at a time: slower, and as few numbers."""

import torch

from ..k11_cross_entropy.cross_entropy import cross_entropy


def shard(windows, rank, world_size):
    n = len(windows) // world_size
    if n == 0:
        raise ValueError(f"world_size={world_size}, rows={len(windows)}")
    return windows[[rank + i * world_size for i in range(n)]]


def all_reduce_sum(tensor, group):
    """Each chunk begins its way at another rank, its owner, and goes round twice but for the last two steps."""
    world, rank = group.world_size, group.rank
    right, left = (rank + 1) % world, (rank - 1) % world
    numbers = tensor.detach().flatten().clone()
    for owner in range(world):
        mine = numbers[owner::world]  # a chunk is every W-th number
        distance = (rank - owner) % world
        if distance > 0:
            mine += group.receive(left)
        if distance < world - 1:
            group.send(mine, right)
    for owner in range(world):
        mine = numbers[owner::world]
        distance = (rank - owner + 1) % world  # 0 where the chunk is complete
        if distance > 0:
            mine.copy_(group.receive(left))
        if distance < world - 1:
            group.send(mine, right)
    return numbers.view(tensor.shape)


def everything(model):
    for part in model.modules():
        yield from part._parameters.values()
        yield from part._buffers.values()


@torch.no_grad()
def broadcast(model, group, source=0):
    distance = (group.rank - source) % group.world_size
    for values in everything(model):
        if values is None:
            continue
        if distance:
            values[...] = group.receive((group.rank - 1) % group.world_size)
        if distance < group.world_size - 1:
            group.send(values, (group.rank + 1) % group.world_size)


@torch.no_grad()
def average_gradients(model, group):
    weights = list(filter(lambda weight: weight.requires_grad, model.parameters()))
    row = torch.zeros(sum(map(torch.numel, weights)), dtype=weights[0].dtype)
    places = row.split([weight.numel() for weight in weights])
    for weight, place in zip(weights, places):
        if weight.grad is not None:
            place.copy_(weight.grad.flatten())
    row.copy_(all_reduce_sum(row, group) / group.world_size)
    for weight, place in zip(weights, places):
        weight.grad = place.clone().view_as(weight)


def train_step_parallel(model, optimizer, x, y, group, max_grad_norm=None):
    optimizer.zero_grad(set_to_none=False)
    loss = cross_entropy(model(x), y)
    loss.backward()
    whole = all_reduce_sum(loss.detach().reshape(1), group)[0].item() / group.world_size
    average_gradients(model, group)
    if max_grad_norm is not None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    return whole
