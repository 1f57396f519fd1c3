import math
import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Settings:
    steps: int = 160
    batch: int = 16
    context: int = 64
    width: int = 128
    heads: int = 4
    layers: int = 2
    expand: int = 2
    muon_lr: float = 0.03
    adam_lr: float = 0.02
    flat: float = 0.4
    warmup: float = 0.0
    lookback: int = 3
    muon: bool = True
    ns: int = 5
    alibi: bool = True
    fused: bool = False
    torch_adam: bool = False
    relu2: bool = True
    zero: bool = True
    momentum: float = 0.9
    b2: float = 0.95
    cosine: bool = False
    embed_std: float = 0.5
    hl: float = 1.0
    softcap: float = 0.0


class Model(nn.Module):
    def __init__(self, vocab_size: int, s: Settings):
        super().__init__()
        self.context_length, self.s = s.context, s
        self.tokens = nn.Parameter(torch.randn(s.lookback, vocab_size, s.width) * s.embed_std)
        std = 1 / math.sqrt(s.width)
        self.qkv = nn.Parameter(torch.randn(s.layers, 3 * s.width, s.width) * std)
        self.out = nn.Parameter(torch.zeros(s.layers, s.width, s.width))
        self.up = nn.Parameter(torch.randn(s.layers, s.expand * s.width, s.width) * std)
        self.down = nn.Parameter(torch.zeros(s.layers, s.expand * s.width, s.width))
        self.head = nn.Parameter(torch.zeros(vocab_size, s.width))
        if not s.zero:
            for p in (self.out, self.down, self.head):
                nn.init.normal_(p, std=0.02)
        self.matrices = [self.qkv, self.out, self.up, self.down]
        if not s.alibi:
            self.positions = nn.Parameter(torch.randn(s.context, s.width) * 0.1)
        slopes = 2.0 ** (-8 * torch.arange(1, s.heads + 1) / s.heads)
        p = torch.arange(s.context)
        d = p[:, None] - p
        bias = -slopes[:, None, None] * d * (1.0 if s.alibi else 0.0)
        self.register_buffer("bias", bias.masked_fill(d < 0, -torch.inf))

    def forward(self, ids):
        s = self.s
        B, T = ids.shape
        x = F.embedding(ids, self.tokens[0])
        for k in range(1, s.lookback):
            x = x + F.pad(F.embedding(ids[:, :-k], self.tokens[k]), (0, 0, k, 0))
        if not s.alibi:
            x = x + self.positions[:T]
        x = F.rms_norm(x, (s.width,))
        bias = self.bias[:, :T, :T]
        d = s.width // s.heads
        for i in range(s.layers):
            q, k, v = F.linear(F.rms_norm(x, (s.width,)), self.qkv[i]).view(B, T, 3 * s.heads, d).transpose(1, 2).chunk(3, 1)
            if s.fused:
                y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
            else:
                y = torch.softmax((q / math.sqrt(d)) @ k.transpose(2, 3) + bias, -1) @ v
            x = x + F.linear(y.transpose(1, 2).reshape(B, T, s.width), self.out[i])
            h = F.linear(F.rms_norm(x, (s.width,)), self.up[i])
            h = F.relu(h).square() if s.relu2 else F.gelu(h)
            x = x + h @ self.down[i]
        logits = F.linear(F.rms_norm(x, (s.width,)), self.head)
        if s.softcap:
            logits = s.softcap * torch.tanh(logits / s.softcap)
        return logits


def newton_schulz(X, steps):
    tall = X.shape[-2] > X.shape[-1]
    if tall:
        X = X.mT
    X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        A = X @ X.mT
        X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
    return X.mT if tall else X


def train(ids, vocab_size, seed, s=Settings(), watch=None):
    torch.manual_seed(seed)
    model = Model(vocab_size, s)
    params = list(model.parameters())
    matrices = model.matrices if s.muon else []
    others = [p for p in params if not any(p is m for m in matrices)]
    moments = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in params}
    gen = torch.Generator().manual_seed(seed)
    offs = torch.arange(s.context + 1)
    n = len(ids) - s.context - 1
    for step in range(s.steps):
        frac = step / s.steps
        if s.cosine:
            rate = 0.5 * (1 + math.cos(math.pi * frac))
        else:
            rate = min(1.0, (1 - frac) / (1 - s.flat))
        if s.warmup:
            rate = min(rate, (frac + 1e-3) / s.warmup)
        start = torch.randint(n, (s.batch, 1), generator=gen)
        w = ids[start + offs]
        logits = model(w[:, :-1])
        loss = F.cross_entropy(logits.view(-1, vocab_size), w[:, 1:].reshape(-1))
        grads = torch.autograd.grad(loss, params)
        with torch.no_grad():
            for p, g in zip(params, grads):
                m, v = moments[p]
                if any(p is q for q in matrices):
                    m.lerp_(g, 1 - s.momentum)
                    u = torch.lerp(g, m, s.momentum)
                    if p is model.qkv:
                        u = newton_schulz(u.view(-1, s.width, s.width), s.ns).view_as(p)
                    else:
                        u = newton_schulz(u, s.ns)
                    p.sub_(u * s.muon_lr * rate)
                else:
                    m.lerp_(g, 0.1)
                    v.lerp_(g * g, 1 - s.b2)
                    c1, c2 = 1 - 0.9 ** (step + 1), 1 - s.b2 ** (step + 1)
                    lr = s.adam_lr * (s.hl if p is model.head else 1) * (0.1 if not s.muon and any(p is q for q in model.matrices) else 1)
                    p.sub_(lr * rate * (m / c1) / ((v / c2).sqrt() + 1e-8))
        if watch:
            watch(step, loss)
    return model
