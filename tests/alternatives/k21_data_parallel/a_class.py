"""The ring as a class that walks to the right, with helpers that write into what they are given."""

import math

import torch
from torch import nn

from ..k11_cross_entropy.cross_entropy import cross_entropy


def shard(windows, rank, world_size):
    per_rank = math.floor(len(windows) / world_size)
    if not per_rank:
        raise ValueError(f"{len(windows)} rows, {world_size} ranks")
    return torch.stack([windows[i] for i in range(len(windows)) if i % world_size == rank][:per_rank])


class Ring:
    def __init__(self, group):
        self.group, self.size, self.at = group, group.world_size, group.rank

    def swap(self, outgoing):
        """Hand a chunk to the right and take one from the left."""
        self.group.send(outgoing, (self.at + 1) % self.size)
        return self.group.receive(self.at - 1 if self.at else self.size - 1)

    def reduce_scatter(self, chunks):
        index = self.at
        for _ in range(self.size - 1):
            arrived = self.swap(chunks[index])
            index = (index - 1) % self.size
            add_into(chunks[index], arrived)
        return index

    def all_gather(self, chunks, index):
        for _ in range(self.size - 1):
            arrived = self.swap(chunks[index])
            index = (index - 1) % self.size
            write_into(chunks[index], arrived)


def add_into(target, values):
    target += values


def write_into(target, values):
    target[:] = values


def all_reduce_sum(tensor, group):
    flat = tensor.detach().reshape(-1)
    missing = -len(flat) % group.world_size
    chunks = torch.cat([flat, flat.new_zeros(missing)]).reshape(group.world_size, -1).clone()
    ring = Ring(group)
    ring.all_gather(chunks, ring.reduce_scatter(chunks))
    return chunks.reshape(-1)[: len(flat)].reshape(tensor.shape)


def broadcast(model, group, source=0):
    ring = Ring(group)
    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for name in sorted(state):
        value = state[name].detach()
        for step in range(ring.size - 1):
            if (source + step) % ring.size == ring.at:
                group.send(value, (ring.at + 1) % ring.size)
            if (source + step + 1) % ring.size == ring.at:
                write_into(value.view(-1), group.receive((ring.at - 1) % ring.size).reshape(-1))


def average_gradients(model, group):
    gradients = {
        name: torch.zeros_like(p, requires_grad=False) if p.grad is None else p.grad
        for name, p in model.named_parameters()
        if p.requires_grad
    }
    flat = nn.utils.parameters_to_vector(g.contiguous() for g in gradients.values())
    mean = all_reduce_sum(flat.mul(1 / group.world_size), group)
    pieces = iter(mean.split([g.numel() for g in gradients.values()]))
    for name, p in model.named_parameters():
        if name in gradients:
            p.grad = next(pieces).reshape(p.shape).contiguous()


def train_step_parallel(model, optimizer, x, y, group, max_grad_norm=None):
    optimizer.zero_grad()
    (loss := cross_entropy(model(x), y)).backward()
    average_gradients(model, group)
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_(list(model.parameters()), max_norm=max_grad_norm)
    optimizer.step()
    losses = torch.zeros(group.world_size)
    losses[group.rank] = loss.detach()
    return all_reduce_sum(losses, group).mean().item()
