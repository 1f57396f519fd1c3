"""The records of the speedrun: GPTs that learn tinyshakespeare fast. Read this from `train` at the end upwards.

Every trick can be switched off by its name in `Tricks`; `make ablate` does so and measures what each is worth.
"""

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace as Recipe

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WINDOW, TABLE_RATE = 512, 0.1  # tokens that the model answers for at once, trained on fewer; Adagrad's rate
# A recipe: sizes, how many tokens before are looked up (back, and in tables: (tokens, rows)), iterations of Muon, what
# matrices lose a step (decay), what the loss grants to all characters alike (smoothing), which power of two is above
# ALiBi's slopes, how far back each head looks first (peaks). The last are of Adam. PLAIN races without look-back.
SHORT = Recipe(steps=100, context=64, batch=12, width=48, heads=2, layers=1, hidden=96, back=0, tables=(
               (2, 4225), (3, 65536), (4, 65536)), iterations=2, muon_rate=0.03, momentum=0.9, decay=0.0, smoothing=0.0,
               slope=0, peaks=(0,), adam_rate=0.015, betas=(0.9, 0.95))  # fmt: skip
PLAIN = Recipe(steps=150, context=64, batch=16, width=96, heads=6, layers=2, hidden=192, back=0, tables=(),
               iterations=4, muon_rate=0.045, momentum=0.82, decay=0.0, smoothing=0.0,
               slope=3, peaks=(1, 2, 3, 0, 0, 0), adam_rate=0.01, betas=(0.7, 0.95))  # fmt: skip
LONG = Recipe(steps=1100, context=128, batch=32, width=128, heads=4, layers=6, hidden=256, back=2, tables=(),
              iterations=3, muon_rate=0.03, momentum=0.9, decay=0.2, smoothing=0.01,
              slope=0, peaks=(0,), adam_rate=0.01, betas=(0.9, 0.95))  # fmt: skip


@dataclass(frozen=True)
class Tricks:
    """What makes it fast, all on; with the median steps to the target without it, of three seeds: with all, 69."""

    muon: bool = True  # matrices are stepped by Muon, not by Adam (69)
    look_back: bool = True  # a token's vector says at once what stood before it, too (122, by PLAIN)
    alibi: bool = True  # far scores are lowered, instead of learned vectors for positions (80)
    long_windows: bool = True  # it answers in longer windows than it learned in, where fewer lack a past (69)
    plain_attention: bool = True  # softmax(QKᵀ)V written out, instead of torch's fused one (69)
    squared_relu: bool = True  # relu(x)² instead of GELU (69)
    zero_outputs: bool = True  # what writes into the residual stream, and the head, begins at 0 (80)
    no_warm_up: bool = True  # the full learning rate from the first step on (69)
    flat_then_linear: bool = True  # the learning rate stays, then falls in a line; instead of a cosine (80)
    bfloat16: bool = True  # 16-bit products, where the device has instructions for them (those two cores have none)


TRICKS = Tricks()


class Model(nn.Module):
    """A GPT; matrices of one shape lie in one tensor, so that Muon treats them at once."""

    def __init__(self, vocab_size: int, recipe: Recipe):
        super().__init__()
        self.recipe, self.vocab_size = recipe, vocab_size
        self.context_length = WINDOW if TRICKS.alibi and TRICKS.long_windows else recipe.context
        layers, width, hidden = recipe.layers, recipe.width, recipe.hidden
        self.tokens = nn.Parameter(torch.randn(1 + recipe.back * TRICKS.look_back, vocab_size, width) / 2)
        self.groups = recipe.tables if TRICKS.look_back else ()
        self.tables = nn.ParameterList(torch.zeros(rows, width) for _, rows in self.groups)
        self.qkv = nn.Parameter(torch.randn(layers, 3, width, width) / width**0.5)
        self.out = nn.Parameter(torch.zeros(layers, width, width))
        self.up = nn.Parameter(torch.randn(layers, hidden, width) / width**0.5)
        self.down = nn.Parameter(torch.zeros(layers, hidden, width))
        self.head = nn.Parameter(torch.zeros(vocab_size, width))
        if not TRICKS.zero_outputs:
            for weight in (self.out, self.down, self.head):
                nn.init.normal_(weight, std=0.02)
        if not TRICKS.alibi:
            self.positions = nn.Parameter(torch.randn(recipe.context, width) / 10)
        self.register_buffer("bias", attention_bias(self.context_length, recipe))  # (h, T, T)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (B, T, V) for ids (B, T)."""
        x = norm(self.embed(ids)).to(working(ids.device))  # (B, T, C)
        for layer in range(self.recipe.layers):
            x = x + self.attend(norm(x), layer)
            x = x + self.feed_forward(norm(x), layer)
        return linear(norm(x), self.head).float()

    def embed(self, ids: Tensor) -> Tensor:
        """Look-back: vectors of the tokens before and of pairs, triples, fours of them: no layer has to find those out."""
        past = [F.pad(ids, (back, 0))[:, : ids.shape[1]] for back in range(4)]  # each (B, T); first comes no token
        x = sum(F.embedding(tokens, table) for tokens, table in zip(past, self.tokens))  # (B, T, C)
        for (count, rows), table in zip(self.groups, self.tables):
            number = sum(tokens * self.vocab_size ** (count - 1 - back) for back, tokens in enumerate(past[:count]))
            x = x + F.embedding(number % rows, table, sparse=True)  # no arithmetic; where rows are few, some share one
        return x if TRICKS.alibi else x + self.positions[: ids.shape[1]]

    def attend(self, x: Tensor, layer: int) -> Tensor:
        """Causal attention of all heads. At 64 tokens the scores are so small that fusing saves nothing."""
        heads = linear(x, self.qkv[layer].flatten(0, 1)).unflatten(-1, (3, self.recipe.heads, -1))  # (B, T, 3, h, d)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each (B, h, T, d)
        bias = self.bias[:, : x.shape[1], : x.shape[1]].to(query.dtype)
        if TRICKS.plain_attention:
            scores = (query / query.shape[-1] ** 0.5) @ key.mT + bias  # (B, h, T, T)
            context = scores.softmax(-1) @ value  # (B, h, T, d)
        else:
            context = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return linear(context.transpose(1, 2).flatten(2), self.out[layer])  # (B, T, C)

    def feed_forward(self, x: Tensor, layer: int) -> Tensor:
        """Two products, with relu(x)² between them: cheaper than GELU, as no exponential is in it."""
        hidden = linear(x, self.up[layer])  # (B, T, 2C)
        hidden = hidden * F.relu(hidden) if TRICKS.squared_relu else F.gelu(hidden)
        return linear(hidden, self.down[layer].mT)  # (B, T, C)


@functools.cache
def working(device: torch.device) -> torch.dtype:
    """What products are computed in: 16 bits where the device multiplies them; where it does not they are slower."""
    cpu = Path("/proc/cpuinfo")
    fast = device.type != "cpu" or cpu.exists() and "avx512_bf16" in cpu.read_text(encoding="utf-8")
    return torch.bfloat16 if TRICKS.bfloat16 and fast else torch.float32


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """A product in the precision of x; the weight itself stays in 32 bits, where small steps are not lost."""
    return F.linear(x, weight.to(x.dtype))


def norm(x: Tensor) -> Tensor:
    """Bring each token's vector to mean 0 and variance 1; there is nothing in it to learn."""
    return F.layer_norm(x, (x.shape[-1],))


def attention_bias(tokens: int, recipe: Recipe) -> Tensor:
    """What is added to the scores (h, T, T): −∞ for later tokens, else the lower, the further from a head's peak."""
    # ALiBi is Press et al. 2022, "Train Short, Test Long", section 3: there peaks are at 0, and slopes are less steep.
    distance = torch.arange(tokens)[:, None] - torch.arange(tokens)  # (T, T)
    slopes = 2.0 ** (recipe.slope - 4 * torch.arange(1, recipe.heads + 1) / recipe.heads)  # (h,)
    bias = -slopes[:, None, None] * (distance - torch.tensor(recipe.peaks)[:, None, None]).abs() * TRICKS.alibi
    return bias.masked_fill(distance < 0, -torch.inf)


def orthogonal(matrix: Tensor, iterations: int) -> Tensor:
    """Press the singular values of matrices (…, m, n) towards 1. The coefficients are those of Jordan 2024, "Muon"."""
    tall = matrix.shape[-2] > matrix.shape[-1]
    X = matrix.mT if tall else matrix
    X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(iterations):
        A = X @ X.mT
        X = 3.4445 * X + (2.0315 * A @ A - 4.7750 * A) @ X
    return X.mT if tall else X


def muon(weight: Tensor, mean: Tensor, square: Tensor, rate: float, count: int, recipe: Recipe) -> None:
    """Every direction of a matrix is stepped equally far, so the rare ones learn as fast as the common."""
    mean.lerp_(weight.grad, 1 - recipe.momentum)
    gradient = weight.grad.lerp(mean, recipe.momentum).to(working(weight.device))
    weight *= 1 - rate * recipe.decay
    weight -= rate * orthogonal(gradient, recipe.iterations)


def adam(weight: Tensor, mean: Tensor, square: Tensor, rate: float, count: int, recipe: Recipe) -> None:
    """Adam by hand: to make torch.optim.AdamW in a new process takes 1.5 s, longer than the whole race."""
    mean.lerp_(weight.grad, 1 - recipe.betas[0])
    square.lerp_(weight.grad.square(), 1 - recipe.betas[1])
    scale = (1 - recipe.betas[1] ** count) ** 0.5 / (1 - recipe.betas[0] ** count)
    weight -= rate * scale * mean / (square.sqrt() + 1e-8)


def adagrad(weight: Tensor, mean: Tensor, square: Tensor, rate: float, count: int, recipe: Recipe) -> None:
    """For tables: only the rows that a batch holds are stepped, the less the more they were stepped before."""
    gradient = weight.grad.coalesce()
    rows, values = gradient.indices()[0], gradient.values()  # (R,), (R, C)
    square[:, :1].index_add_(0, rows, values.square().mean(-1, keepdim=True))
    weight.index_add_(0, rows, values / (square[rows, :1].sqrt() + 1e-10), alpha=-rate)


def share_of_rate(done: float) -> float:
    """The learning rate, as a share of the full one, when a part `done` of the steps is done."""
    falling = min(1.0, (1 - done) / 0.6) if TRICKS.flat_then_linear else (1 + math.cos(math.pi * done)) / 2
    return falling if TRICKS.no_warm_up else falling * min(1.0, done / 0.1)


def train(ids: Tensor, vocab_size: int, seed: int, target: float) -> Model:
    """Return a model trained on ids (N,), by the recipe for a target loss."""
    torch.manual_seed(seed)
    recipe = LONG if target < 1.7 else SHORT if TRICKS.look_back else PLAIN
    model = Model(vocab_size, recipe).to(ids.device)
    print(f"the products of the layers are of {str(working(ids.device)).removeprefix('torch.')}")
    matrix = (muon, recipe.muon_rate) if TRICKS.muon else (adam, recipe.muon_rate / 10)
    rules = dict.fromkeys(("qkv", "out", "up", "down"), matrix) | {"tables": (adagrad, TABLE_RATE)}
    stepped = []  # rule, full rate, weight and two tensors of its shape for what the rule keeps
    for name, weight in model.named_parameters():
        rule, rate = rules.get(name.split(".")[0], (adam, recipe.adam_rate))
        stepped.append((rule, rate, weight, torch.zeros_like(weight), torch.zeros_like(weight)))
    for count in range(1, recipe.steps + 1):
        starts = torch.randint(len(ids) - recipe.context, (recipe.batch, 1), device=ids.device)
        tokens = ids[starts + torch.arange(recipe.context + 1, device=ids.device)]  # (B, T + 1)
        logits, targets = model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten()
        loss = F.cross_entropy(logits, targets, label_smoothing=recipe.smoothing)
        model.zero_grad(set_to_none=True)
        loss.backward()
        with torch.no_grad():
            for rule, rate, weight, mean, square in stepped:
                rule(weight, mean, square, rate * share_of_rate((count - 1) / recipe.steps), count, recipe)
    return model
