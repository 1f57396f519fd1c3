"""Chunks that are not equally long, views of one copy, joined in place; gradients written back in place."""

import torch
from torch.nn.functional import cross_entropy


def shard(windows, rank, world_size):
    count = windows.shape[0]
    if count < world_size:
        raise ValueError(f"cannot share {count} rows among {world_size}")
    return windows[: count - count % world_size][rank::world_size]


def all_reduce_sum(tensor, group):
    flat = tensor.detach().clone().contiguous().reshape(-1)
    W, r = group.world_size, group.rank
    pieces = flat.tensor_split(W)  # views
    for i in range(r, r - W + 1, -1):
        group.send(pieces[i % W], (r + 1) % W)
        pieces[(i - 1) % W].add_(group.receive((r + W - 1) % W))
    for i in range(r + 1, r - W + 2, -1):
        group.send(pieces[i % W], (r + 1) % W)
        pieces[(i - 1) % W].copy_(group.receive((r + W - 1) % W))
    return flat.reshape(tensor.shape)


def broadcast(model, group, source=0):
    tensors = list(model.parameters()) + list(model.buffers())
    if group.rank == source:
        for other in range(group.world_size):
            if other != source:
                for values in tensors:
                    group.send(values.data, other)
    else:
        for values in tensors:
            values.data.copy_(group.receive(source))


def average_gradients(model, group):
    trained = [p for p in model.parameters() if p.requires_grad]
    for p in trained:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    total = all_reduce_sum(torch.nn.utils.parameters_to_vector([p.grad.contiguous() for p in trained]), group)
    start = 0
    for p in trained:
        end = start + p.numel()
        p.grad.copy_(total[start:end].view_as(p)).div_(group.world_size)
        start = end


def train_step_parallel(model, optimizer, x, y, group, max_grad_norm=None):
    for p in model.parameters():
        p.grad = None
    logits = model(x)
    loss = cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))
    loss.backward()
    average_gradients(model, group)
    if max_grad_norm:
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    mean = all_reduce_sum(loss.detach() / group.world_size, group)
    return float(mean)
