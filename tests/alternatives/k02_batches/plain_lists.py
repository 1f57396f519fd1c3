"""Works on a Python list and makes tensors at the very end; a batch picks rows of all windows."""

import torch


def split(data, train_fraction=0.9):
    tokens = data.tolist()
    border = int(len(tokens) * train_fraction)
    return torch.tensor(tokens[:border], dtype=torch.int64), torch.tensor(tokens[border:], dtype=torch.int64)


def windows(data, context_length, stride):
    tokens = data.tolist()
    if len(tokens) <= context_length:
        raise ValueError(f"got {len(tokens)} tokens for windows of {context_length}: too short")
    rows = [tokens[i : i + context_length + 1] for i in range(0, len(tokens), stride)]
    rows = torch.tensor([row for row in rows if len(row) == context_length + 1])
    inputs, targets = rows.split([context_length, 1], dim=1)
    return inputs, torch.cat([inputs[:, 1:], targets], dim=1)


def get_batch(data, batch_size, context_length, generator=None):
    x, y = windows(data, context_length, stride=1)
    rows = torch.multinomial(torch.ones(len(x)), batch_size, replacement=True, generator=generator)
    return x.index_select(0, rows), y.index_select(0, rows)
