"""Rank r begins with chunk r − 1, so that it completes its own chunk; a list of chunks; broadcast by a sum."""

import torch

from ..k11_cross_entropy.cross_entropy import cross_entropy


def shard(windows, rank, world_size):
    if len(windows) // world_size < 1:
        raise ValueError(f"There are only {len(windows)} windows for {world_size} processes.")
    whole = len(windows) // world_size * world_size
    return windows[:whole].view(-1, world_size, *windows.shape[1:])[:, rank]


def all_reduce_sum(tensor, group):
    world, me = group.world_size, group.rank
    if world == 1:
        return tensor.clone()
    nxt, prev = (me + 1) % world, (me - 1) % world
    total = tensor.numel()
    size = (total + world - 1) // world
    padded = torch.zeros(size * world, dtype=tensor.dtype, device=tensor.device)
    padded[:total] = tensor.detach().reshape(-1)
    chunks = list(padded.split(size))
    for k in range(1, world):
        group.send(chunks[(me - k) % world], nxt)
        at = (me - k - 1) % world
        chunks[at] = chunks[at] + group.receive(prev)
    for k in range(world - 1):
        group.send(chunks[(me - k) % world], nxt)
        chunks[(me - k - 1) % world] = group.receive(prev)
    return torch.cat(chunks)[:total].reshape(tensor.shape)


def broadcast(model, group, source=0):
    with torch.no_grad():
        for values in [*model.parameters(), *model.buffers()]:
            mine = values.double() if group.rank == source else torch.zeros_like(values, dtype=torch.float64)
            values.copy_(all_reduce_sum(mine, group))


def average_gradients(model, group):
    flat = []
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        if parameter.grad is None:
            flat.append(parameter.new_zeros(parameter.numel()))
        else:
            flat.append(parameter.grad.reshape(-1) / group.world_size)
    summed = all_reduce_sum(torch.hstack(flat), group)
    for parameter in model.parameters():
        if parameter.requires_grad:
            mine, summed = summed[: parameter.numel()], summed[parameter.numel() :]
            parameter.grad = mine.reshape(parameter.shape).clone()


def train_step_parallel(model, optimizer, x, y, group, max_grad_norm=None):
    model.zero_grad()
    loss = cross_entropy(model(x), y)
    loss.backward()
    average_gradients(model, group)
    if max_grad_norm is not None:
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        norm = torch.sqrt(sum((g**2).sum() for g in grads))
        if norm > max_grad_norm:
            for g in grads:
                g *= max_grad_norm / norm
    optimizer.step()
    return all_reduce_sum(loss.detach(), group).div(group.world_size).item()
