"""The record of the speedrun: a GPT that learns tinyshakespeare in seconds. Read it from `train` at the end upwards.

Every trick can be switched off by its name in `Tricks`; `make ablate` does so and measures what each is worth.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CONTEXT, WIDTH, HEADS, LAYERS, HIDDEN = 64, 128, 4, 2, 256
WINDOW = 512  # tokens that the model answers for at once, trained on fewer
STEPS = 190
BATCH, ITERATIONS = 16, 3  # windows a step, and iterations within a step of Muon
MUON_RATE, ADAM_RATE, MATRIX_ADAM_RATE = 0.03, 0.02, 0.003  # learning rates; the last is for matrices without Muon
MOMENTUM, BETAS = 0.9, (0.9, 0.95)
FLAT = 0.4  # of the steps, at the full learning rate


@dataclass(frozen=True)
class Tricks:
    """What makes it fast, all on."""

    muon: bool = True  # matrices are stepped by Muon, not by Adam
    look_back: bool = True  # a token's vector is the sum of those of the last three tokens
    alibi: bool = True  # far scores are lowered, instead of learned vectors for positions
    long_windows: bool = True  # it answers in longer windows than it learned in, where fewer tokens lack a past
    plain_attention: bool = True  # softmax(QKᵀ)V written out, instead of torch's fused one
    squared_relu: bool = True  # relu(x)² instead of GELU
    zero_outputs: bool = True  # what writes into the residual stream, and the head, begins at 0
    no_warm_up: bool = True  # the full learning rate from the first step on
    flat_then_linear: bool = True  # the learning rate stays, then falls in a line; instead of a cosine
    own_adam: bool = True  # Adam in three lines, instead of torch.optim.AdamW
    bfloat16: bool = True  # 16-bit products, where the processor has instructions for them


TRICKS = Tricks()


class Model(nn.Module):
    """A GPT; matrices of one shape lie in one tensor, so that Muon treats them at once."""

    def __init__(self, vocab_size: int, tricks: Tricks, device: torch.device):
        super().__init__()
        self.context_length = WINDOW if tricks.alibi and tricks.long_windows else CONTEXT
        self.tricks = tricks
        self.working = torch.bfloat16 if tricks.bfloat16 and multiplies_bfloat16(device) else torch.float32
        self.tokens = nn.Parameter(torch.randn(3 if tricks.look_back else 1, vocab_size, WIDTH) / 2)
        self.qkv = nn.Parameter(torch.randn(LAYERS, 3, WIDTH, WIDTH) / WIDTH**0.5)
        self.out = nn.Parameter(torch.zeros(LAYERS, WIDTH, WIDTH))
        self.up = nn.Parameter(torch.randn(LAYERS, HIDDEN, WIDTH) / WIDTH**0.5)
        self.down = nn.Parameter(torch.zeros(LAYERS, HIDDEN, WIDTH))
        self.head = nn.Parameter(torch.zeros(vocab_size, WIDTH))
        if not tricks.zero_outputs:
            for weight in (self.out, self.down, self.head):
                nn.init.normal_(weight, std=0.02)
        if not tricks.alibi:
            self.positions = nn.Parameter(torch.randn(CONTEXT, WIDTH) / 10)
        self.register_buffer("bias", attention_bias(self.context_length, tricks.alibi))  # (h, T, T)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (B, T, V) for ids (B, T)."""
        x = norm(self.embed(ids)).to(self.working)  # (B, T, C)
        for layer in range(LAYERS):
            x = x + self.attend(norm(x), layer)
            x = x + self.feed_forward(norm(x), layer)
        return linear(norm(x), self.head).float()

    def embed(self, ids: Tensor) -> Tensor:
        """Look-back: the first layer need not find out what stood before; pairs and triples are there at once."""
        x = F.embedding(ids, self.tokens[0])  # (B, T, C)
        for back, table in enumerate(self.tokens[1:], start=1):
            x = x + F.pad(F.embedding(ids[:, :-back], table), (0, 0, back, 0))  # nothing stands before the first
        return x if self.tricks.alibi else x + self.positions[: ids.shape[1]]

    def attend(self, x: Tensor, layer: int) -> Tensor:
        """Causal attention of all heads. At 64 tokens the scores are so small that fusing saves nothing."""
        heads = linear(x, self.qkv[layer].flatten(0, 1)).unflatten(-1, (3, HEADS, -1))  # (B, T, 3, h, d)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each (B, h, T, d)
        bias = self.bias[:, : x.shape[1], : x.shape[1]].to(query.dtype)
        if self.tricks.plain_attention:
            scores = (query / query.shape[-1] ** 0.5) @ key.mT + bias  # (B, h, T, T)
            context = scores.softmax(-1) @ value  # (B, h, T, d)
        else:
            context = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return linear(context.transpose(1, 2).flatten(2), self.out[layer])  # (B, T, C)

    def feed_forward(self, x: Tensor, layer: int) -> Tensor:
        """Two products, with relu(x)² between them: cheaper than GELU, as no exponential is in it."""
        hidden = linear(x, self.up[layer])  # (B, T, 2C)
        hidden = hidden * F.relu(hidden) if self.tricks.squared_relu else F.gelu(hidden)
        return linear(hidden, self.down[layer].mT)  # (B, T, C)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies 16-bit numbers; a processor that does not is slower with them than with 32 bits."""
    if device.type != "cpu":
        return True
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return "avx512_bf16" in file.read()
    except OSError:
        return False


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """A product in the precision of x; the weight itself stays in 32 bits, where small steps are not lost."""
    return F.linear(x, weight.to(x.dtype))


def norm(x: Tensor) -> Tensor:
    """Bring each token's vector to mean 0 and variance 1; there is nothing in it to learn."""
    return F.layer_norm(x, (x.shape[-1],))


def attention_bias(tokens: int, alibi: bool) -> Tensor:
    """What is added to the scores (h, T, T): −∞ for later tokens, and by ALiBi the further back the less.

    Each head has a slope of its own, and the slope goes on where no training was: that lets windows be longer than
    those of training. Source: Press et al. 2022, "Train Short, Test Long", section 3.
    """
    position = torch.arange(tokens)
    distance = position[:, None] - position  # (T, T)
    slopes = 2.0 ** (-8 * torch.arange(1, HEADS + 1) / HEADS)  # (h,)
    bias = -slopes[:, None, None] * distance if alibi else torch.zeros(HEADS, tokens, tokens)
    return bias.masked_fill(distance < 0, -torch.inf)


def orthogonal(matrix: Tensor) -> Tensor:
    """Press the singular values of matrices (…, m, n) towards 1. The coefficients are those of Jordan 2024, "Muon"."""
    tall = matrix.shape[-2] > matrix.shape[-1]
    X = matrix.mT if tall else matrix
    X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        A = X @ X.mT
        X = 3.4445 * X + (2.0315 * A @ A - 4.7750 * A) @ X
    return X.mT if tall else X


class Muon:
    """Every direction of a matrix is stepped equally far, so the rare ones learn as fast as the common."""

    def __init__(self, weights: list[Tensor], working: torch.dtype):
        self.weights, self.working = weights, working
        self.means = [torch.zeros_like(weight) for weight in weights]

    def step(self, share: float) -> None:
        """Step, at a share of the full learning rate."""
        for weight, mean in zip(self.weights, self.means):
            mean.lerp_(weight.grad, 1 - MOMENTUM)
            weight -= share * MUON_RATE * orthogonal(weight.grad.lerp(mean, MOMENTUM).to(self.working))


class Adam:
    """Adam by hand: to make torch.optim.AdamW imports more than the whole race can afford."""

    def __init__(self, weights: list[Tensor], rate: float):
        self.weights, self.rate, self.steps = weights, rate, 0
        self.means, self.squares = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))

    def step(self, share: float) -> None:
        """Step, at a share of the full learning rate."""
        self.steps += 1
        for weight, mean, square in zip(self.weights, self.means, self.squares):
            mean.lerp_(weight.grad, 1 - BETAS[0])
            square.lerp_(weight.grad.square(), 1 - BETAS[1])
            scale = (1 - BETAS[1] ** self.steps) ** 0.5 / (1 - BETAS[0] ** self.steps)
            weight -= share * self.rate * scale * mean / (square.sqrt() + 1e-8)


class TorchAdam(Adam):
    """What `Adam` stands in for."""

    def step(self, share: float) -> None:
        """Step, at a share of the full learning rate."""
        if self.steps == 0:
            self.adam = torch.optim.AdamW(self.weights, lr=self.rate, betas=BETAS, weight_decay=0.0)
        self.steps += 1
        self.adam.param_groups[0]["lr"] = share * self.rate
        self.adam.step()


def share_of_rate(done: float, tricks: Tricks) -> float:
    """The learning rate, as a share of the full one, when a part `done` of the steps is done."""
    falling = min(1.0, (1 - done) / (1 - FLAT)) if tricks.flat_then_linear else (1 + math.cos(math.pi * done)) / 2
    return falling if tricks.no_warm_up else falling * min(1.0, done / 0.1)


def train(ids: Tensor, vocab_size: int, seed: int) -> Model:
    """Return a model trained on ids (N,)."""
    torch.manual_seed(seed)
    model = Model(vocab_size, TRICKS, ids.device).to(ids.device)
    print(f"the products of the layers are of {str(model.working).removeprefix('torch.')}")
    matrices = [model.qkv, model.out, model.up, model.down]
    others = [weight for weight in model.parameters() if all(weight is not matrix for matrix in matrices)]
    adam = Adam if TRICKS.own_adam else TorchAdam
    optimizers = [adam(others, ADAM_RATE), Muon(matrices, model.working) if TRICKS.muon else adam(matrices, MATRIX_ADAM_RATE)]
    window = torch.arange(CONTEXT + 1, device=ids.device)
    for step in range(STEPS):
        tokens = ids[torch.randint(len(ids) - CONTEXT, (BATCH, 1), device=ids.device) + window]  # (B, T + 1)
        loss = F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
        model.zero_grad(set_to_none=True)
        loss.backward()
        with torch.no_grad():
            for optimizer in optimizers:
                optimizer.step(share_of_rate(step / STEPS, TRICKS))
    return model
