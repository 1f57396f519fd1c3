"""k12 the training loop: what must be true of it."""

import gc
import math
import random
import weakref
from itertools import pairwise

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import nn

from dojo.spec import Sizes, check, claim, randomise, sizes

BATCH = sizes("B T D V", strided=False)
TEXT = sizes("B T D", strided=False, T=(1, 6))  # the text itself is `permuted`, of `LENGTH` tokens
LENGTH = 80  # a tenth of it still holds a window
RATE = 0.5
CORPUS = sizes("B T D V", strided=False, B=(1, 3))
TIED = [False, True]
WRAPPED = [False, True]
# What a step does to model and optimizer is meant to last: earlier steps are part of a law, where they matter.
ASKED = {"earlier": "a model is handed over, and the law itself asks again"}
STEPS = {
    "earlier": "a call changes model and optimizer, so what comes before it is part of the law",
    "gradients": "a step goes by them",
}
RATES = {name: "a rate follows from five numbers" for name in ("layout", "dtype", "earlier")}
counts = st.integers(1, 5)
many = st.integers(1, 9)
schedules = {
    "peak": [1.0, 0.1, 0.004],
    "warmup": st.integers(0, 5),
    "decay": st.integers(1, 6),  # steps from the peak to the end
    "floor": [0.1, 0.0, 0.5, 0.9],  # in parts of the peak; not as many as peaks, so that they do not go in step
}


# --- The model that is trained: logits from the mean of the embeddings so far ----------------------------------


class TinyModel(nn.Module):
    """A causal model of three tensors, or of two where weights are tied, which keeps notes of how it was used."""

    def __init__(self, size, vocab, rate, tied):
        super().__init__()
        self.embedding = nn.Embedding(vocab, size.D)
        self.dropout = nn.Dropout(rate)
        self.head = nn.Linear(size.D, vocab)
        if tied:
            self.head.weight = self.embedding.weight
        self.rows, self.modes, self.tracked, self.graphs = [], [], [], []
        self.learned = []  # what went forward and backward since the optimizer's last step
        randomise(self, size)

    def forward(self, ids):
        self.rows.append(len(ids))
        self.modes.append(self.dropout.training)
        logits = self.head(self.dropout(mean_so_far(self.embedding(ids))))
        self.tracked.append(logits.requires_grad)
        if logits.requires_grad:
            logits.register_hook(self._witness(ids.clone()))
        return logits

    def _witness(self, ids):
        """A function that the graph of one forward pass holds, and nobody else."""

        def witness(gradient):
            self.learned.append(ids)

        self.graphs.append(weakref.ref(witness))
        return witness

    def weights(self):
        """A copy of embedding.weight, head.weight (unless tied) and head.bias."""
        return [weights.detach().clone() for weights in self.parameters()]

    def graphs_alive(self):
        """How many forward passes still have their graph in memory."""
        return sum(graph() is not None for graph in self.graphs)


def tiny(size, rate=0.0, vocab=None, tied=False):
    return TinyModel(size, vocab or size.V, rate, tied)


def mean_so_far(vectors):
    return vectors.cumsum(dim=1) / torch.arange(1, vectors.shape[1] + 1)[:, None]


def batch(size, salt=""):
    return size.ids("B T", size.V, salt=f"x{salt}"), size.ids("B T", size.V, salt=f"y{salt}")


def sgd(model):
    """SGD in two parameter groups, as for weights with and without decay."""
    first, *others = model.parameters()
    return watched(torch.optim.SGD([{"params": [first]}, {"params": others}], lr=RATE), model)


def adamw(model):
    # A large eps, so that a gradient of nearly 0 is not blown up, rounding and all, to a whole step.
    options = {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.3}
    return watched(torch.optim.AdamW(model.parameters(), **options), model)


def watched(optimizer, model):
    """The optimizer, which notes what each of its steps is taken with.

    `batches` holds the rows whose gradient a step follows, in the order of their first tokens, however many forward
    passes they took; `rates` the rates of all groups; `passes` the number of forward passes so far.
    """
    optimizer.batches, optimizer.rates, optimizer.passes = [], [], []

    def note(*_):
        alike = [ids for ids in model.learned if ids.shape[1:] == model.learned[0].shape[1:]]
        rows = torch.cat(alike) if alike else torch.empty(0, 1, dtype=torch.int64)
        optimizer.batches.append(rows[rows[:, 0].argsort(stable=True)])
        optimizer.rates.append([float(group["lr"]) for group in optimizer.param_groups])
        optimizer.passes.append(len(model.rows))
        model.learned.clear()

    optimizer.register_step_post_hook(note)
    return optimizer


def permuted(size):
    """A text in which every token occurs once, so that each window can be told from its first token."""
    return torch.randperm(LENGTH, generator=size.generator("text"))


# --- Oracles: the slow, obvious form ---------------------------------------------------------------------------


def logits_by_hand(weights, ids):
    embedding, *untied, bias = weights
    head = untied[0] if untied else embedding
    return mean_so_far(embedding[ids]) @ head.T + bias


def loss_and_gradients(weights, x, y):
    weights = [tensor.requires_grad_() for tensor in weights]
    loss = F.cross_entropy(logits_by_hand(weights, x).flatten(0, 1), y.flatten())
    gradients = torch.autograd.grad(loss, weights)
    for tensor in weights:
        tensor.requires_grad_(False)
    return loss.item(), gradients


def sgd_by_hand(weights, batches, rates):
    """The loss before each step w ← w − rate · gradient, and the weights after it."""
    losses, results = [], []
    for (x, y), rate in zip(batches, rates):
        loss, gradients = loss_and_gradients(weights, x, y)
        weights = [tensor - rate * gradient for tensor, gradient in zip(weights, gradients)]
        losses.append(loss)
        results.append(weights)
    return losses, results


def adamw_by_hand(weights, batches, rate, beta1, beta2, eps, decay):
    """The weights after AdamW: Loshchilov and Hutter 2019, algorithm 2."""
    means = [torch.zeros_like(tensor) for tensor in weights]
    squares = [torch.zeros_like(tensor) for tensor in weights]
    for step, (x, y) in enumerate(batches, start=1):
        _, gradients = loss_and_gradients(weights, x, y)
        for tensor, gradient, mean, square in zip(weights, gradients, means, squares):
            mean.mul_(beta1).add_((1 - beta1) * gradient)
            square.mul_(beta2).add_((1 - beta2) * gradient**2)
            direction = mean / (1 - beta1**step) / ((square / (1 - beta2**step)).sqrt() + eps)
            tensor -= rate * (direction + decay * tensor)
    return weights


def loss_by_windows(weights, data, context_length):
    """The mean loss over each non-overlapping window, token by token."""
    losses = []
    for start in range(0, len(data) - context_length, context_length):
        logits = logits_by_hand(weights, data[None, start : start + context_length])[0]
        for t in range(context_length):
            losses.append(-logits[t].log_softmax(-1)[data[start + t + 1]].item())
    return sum(losses) / len(losses)


# --- Comparisons -----------------------------------------------------------------------------------------------


def check_weights(model, want, what="after the step", **given):
    for (name, got), wanted in zip(model.named_parameters(), want):
        check.equal(got.detach(), wanted, f"`{name}` {what}", **given)


def check_moved(model, before, optimizer):
    """A step that changes nothing is told apart by what can be seen of it."""
    if any(not torch.equal(now, then) for now, then in zip(model.weights(), before)):
        return
    left = any(tensor.grad is not None and bool(tensor.grad.any()) for tensor in model.parameters())
    ran = model.learned or any(map(len, optimizer.batches))
    backward, stepped = "ran" if ran else "never ran", "stepped" if optimizer.batches else "never stepped"
    raise check.Mismatch(
        f"no weight has moved: backward {backward}, the optimizer {stepped}, "
        f"and afterwards there are {'' if left else 'no '}gradients"
    )


def check_graphs(model, optimizer, steps, what):
    """Demand that no more graphs are in memory than forward passes belong to so many steps."""
    most = steps * max(after - before for before, after in pairwise([0, *optimizer.passes]))
    if model.graphs_alive() <= most:
        return
    gc.collect()  # what only hangs together in a circle is as good as gone
    if model.graphs_alive() > most:
        problem = f"{what}, graphs of forward passes are still in memory"
        raise check.Mismatch(problem, model.graphs_alive(), 0, alike="graphs")


def flat(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


# --- Step 1: one step ------------------------------------------------------------------------------------------


@claim(step=1, examples=8, without=STEPS, size=BATCH)
def test_step_returns_the_loss_before_the_update(kata, size):
    """train_step returns the mean loss of the batch as it was before the step, as a Python float."""
    model, (x, y) = tiny(size), batch(size)
    want, _ = loss_and_gradients(model.weights(), x, y)
    loss = kata.train_step(model, sgd(model), x, y)
    if isinstance(loss, torch.Tensor) and loss.requires_grad:
        raise check.Mismatch("train_step(…) is a tensor with its graph, not a float", loss, want)
    check.equal(loss, want, "train_step(…)", tolerance=1e-5, x=x, y=y)


@claim(step=1, examples=8, without=STEPS, size=BATCH, tied=TIED, wrapped=WRAPPED)
def test_one_step_of_sgd(kata, size, tied, wrapped):
    """One step of SGD moves every weight against its gradient, by the rate times the gradient."""
    model, (x, y) = tiny(size, tied=tied), batch(size)
    before, optimizer = model.weights(), sgd(model)
    _, (want,) = sgd_by_hand(before, [(x, y)], [RATE])
    kata.train_step(nn.Sequential(model) if wrapped else model, optimizer, x, y)
    check_moved(model, before, optimizer)
    check_weights(model, want, x=x, y=y)


@claim(step=1, examples=8, without=STEPS, size=BATCH)
def test_gradients_left_from_before_play_no_part(kata, size):
    """Gradients that are there before train_step is called change nothing about the step."""
    model, (x, y) = tiny(size), batch(size)
    _, (want,) = sgd_by_hand(model.weights(), [(x, y)], [RATE])
    for weights in model.parameters():
        weights.grad = torch.full_like(weights, 10.0)
    kata.train_step(model, sgd(model), x, y)
    check_weights(model, want, x=x, y=y)


def batches_of_other_sizes(size):
    """Three batches: the second has a row more, the third is longer by a token."""
    dims = [{}, {"B": size.B + 1}, {"T": size.T + 1}]
    return [batch(Sizes({**size.dims, **other}, size.seed), salt) for other, salt in zip(dims, "abc")]


@claim(step=1, examples=8, without=STEPS, size=BATCH)
def test_gradients_do_not_add_up_over_steps(kata, size):
    """Every step follows the gradient of its own batch, whatever its size, and of no batch before it."""
    model, batches = tiny(size), batches_of_other_sizes(size)
    optimizer = sgd(model)
    _, wanted = sgd_by_hand(model.weights(), batches, [RATE] * 3)
    for number, ((x, y), want) in enumerate(zip(batches, wanted), start=1):
        kata.train_step(model, optimizer, x, y)
        check_weights(model, want, f"after {number} steps")


@claim(step=1, examples=8, without=STEPS, size=BATCH)
def test_steps_of_adamw(kata, size):
    """With AdamW the weights go where its formula says."""
    model, batches = tiny(size), [batch(size, salt) for salt in "abc"]
    want = adamw_by_hand(model.weights(), batches, 0.1, 0.8, 0.9, eps=0.01, decay=0.3)
    optimizer = adamw(model)
    for x, y in batches:
        kata.train_step(model, optimizer, x, y)
    check_weights(model, want, "after 3 steps")


@claim(step=1, examples=8, without=STEPS, size=BATCH, share=[0.5, 0.1, 0.0], tied=TIED)
def test_a_long_gradient_is_cut_to_the_norm(kata, size, share, tied):
    """Where the norm of the whole gradient is above max_grad_norm, the gradient is scaled down to that norm."""
    check_step_with_clipping(kata, size, share, share, tied)


@claim(step=1, examples=8, without=STEPS, size=BATCH, share=[1.5, 10.0], tied=TIED)
def test_a_short_gradient_is_left_alone(kata, size, share, tied):
    """Where the norm of the whole gradient is below max_grad_norm, the step is the same as without it."""
    check_step_with_clipping(kata, size, share, 1.0, tied)


def check_step_with_clipping(kata, size, share, scale, tied):
    """With a max_grad_norm of `share` times the norm, the step follows `scale` times the gradient."""
    model, x = tiny(size, tied=tied), batch(size)[0]
    before = model.weights()
    y = logits_by_hand(before, x).argmin(dim=-1)  # the least likely tokens, so that the gradient is not tiny
    gradient = flat(loss_and_gradients(before, x, y)[1])
    norm = gradient.norm().item()
    optimizer = sgd(model)
    kata.train_step(model, optimizer, x, y, max_grad_norm=share * norm)
    rates = [group["lr"] for group in optimizer.param_groups]
    check.equal(rates, [RATE] * len(rates), "the list of rates after the step")
    moved = (flat(before) - flat(model.weights())) / RATE
    if share < 1 and torch.allclose(moved, gradient, rtol=1e-3, atol=1e-3 * norm):
        now = flat([torch.zeros(0) if tensor.grad is None else tensor.grad for tensor in model.parameters()]).norm()
        cut = "are cut" if 0 < now < 0.9 * norm else "are not cut"
        raise check.Mismatch(f"the step is as long as without clipping; the gradients {cut} when it is over")
    what = f"with max_grad_norm={share * norm:.3g} and a gradient of norm {norm:.3g}: step / rate of all weights"
    check.equal(moved, scale * gradient, what, tolerance=1e-4)


@claim(step=1, examples=8, without=STEPS, size=BATCH)
def test_step_leaves_its_batch_alone(kata, size):
    """train_step does not change the batch that it is given."""
    model, (x, y) = tiny(size), batch(size)
    before = x.clone(), y.clone()
    kata.train_step(model, sgd(model), x, y)
    check.exactly(x, before[0], "x, after the step")
    check.exactly(y, before[1], "y, after the step")


@claim(step=1, examples=8, without=STEPS, size=BATCH)
def test_step_keeps_dropout_on(kata, size):
    """A model in train mode is in train mode during the step and after it."""
    model, (x, y) = tiny(size, rate=0.5).train(), batch(size)
    kata.train_step(model, sgd(model), x, y)
    check.equal(all(model.modes), True, "whether dropout was on in the forward pass")
    check.equal(model.training and model.dropout.training, True, "whether train mode is on after the step")


@claim(step=1, examples=4, without=STEPS, seed=st.integers(0, 99))
def test_every_step_drops_other_numbers(kata, seed):
    """A step draws its dropout from torch's random numbers as they come: the next step drops others."""
    size = Sizes({"B": 6, "T": 5, "D": 4, "V": 7}, seed)
    model, (x, y) = tiny(size, rate=0.5).train(), batch(size)
    still = torch.optim.SGD(model.parameters(), lr=0.0)
    losses = [kata.train_step(model, still, x, y) for _ in range(2)]
    check.equal(losses[0] == losses[1], False, "whether two steps at rate 0 have one loss, in spite of dropout,")


@claim(step=1, costly=True, examples=2, without=STEPS, size=BATCH)
def test_step_holds_no_graph(kata, size):
    """Nothing keeps the graph of a step alive when the step is done, the returned loss included."""
    gc.freeze()  # garbage is looked for in what is made from here on, or it takes a second in a large process
    model, (x, y) = tiny(size), batch(size)
    optimizer = sgd(model)
    losses = [kata.train_step(model, optimizer, x, y) for _ in range(5)]
    check_graphs(model, optimizer, 1, f"after {len(losses)} steps, whose losses were kept")


@claim(step=1, costly=True, examples=1, without=STEPS, seed=st.integers(0, 9))
def test_a_tiny_model_learns_one_batch_by_heart(kata, seed):
    """Sixty steps on one batch bring its loss close to 0."""
    size = Sizes({"B": 3, "T": 1, "D": 8, "V": 7}, seed)
    model, x = tiny(size), torch.tensor([[1], [4], [6]])
    y = size.ids("B T", size.V)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    losses = [kata.train_step(model, optimizer, x, y) for _ in range(60)]
    check.instance(losses[-1], float, "the loss of the last step")
    if not losses[-1] < 0.05:
        raise check.Mismatch("the loss after 60 steps on the same batch is not below 0.05", losses[-1])


# --- Step 2: evaluate ------------------------------------------------------------------------------------------


def measured(size, windows):
    """A text of so many windows and up to one window more, of which no last target is known."""
    return torch.randint(size.V, (windows * size.T + 1 + size.seed % size.T,), generator=size.generator("text"))


@claim(step=2, examples=16, without=ASKED, size=CORPUS, windows=range(1, 10), wrapped=WRAPPED)
def test_evaluate_is_the_mean_loss_of_all_windows(kata, size, windows, wrapped):
    """evaluate returns the mean loss per token over every non-overlapping window, once each, as a float."""
    model, data = tiny(size), measured(size, windows)
    before, want = data.clone(), loss_by_windows(model.weights(), data, size.T)
    got = kata.evaluate(nn.Sequential(model) if wrapped else model, data, size.T, size.B)
    check.equal(got, want, "evaluate(…)", tolerance=1e-5, data=data)
    check.exactly(data, before, "data, after the call")


@claim(step=2, examples=8, without=ASKED, size=CORPUS, windows=many)
def test_evaluate_takes_no_more_than_batch_size_windows_at_a_time(kata, size, windows):
    """The model gets at most batch_size windows at a time."""
    model = tiny(size)
    kata.evaluate(model, measured(size, windows), size.T, size.B)
    check.equal(max(model.rows, default=0) <= size.B, True, f"whether at most {size.B} came at a time")


@claim(step=2, examples=8, without=ASKED, size=CORPUS, windows=many)
def test_evaluate_measures_without_dropout(kata, size, windows):
    """While evaluate measures, dropout is off."""
    model = tiny(size, rate=0.5).train()
    kata.evaluate(model, measured(size, windows), size.T, size.B)
    check.equal(any(model.modes), False, "whether dropout was on in a forward pass")


@claim(step=2, examples=8, without=ASKED, size=CORPUS, windows=many)
def test_evaluate_builds_no_graph(kata, size, windows):
    """While evaluate measures, no graph for gradients is built: eval mode alone does not see to that."""
    model = tiny(size)
    kata.evaluate(model, measured(size, windows), size.T, size.B)
    check.equal(any(model.tracked), False, "whether logits had a graph")


@claim(step=2, examples=8, without=ASKED, size=CORPUS, windows=many, training=[False, True])
def test_evaluate_leaves_the_mode_as_it_was(kata, size, windows, training):
    """A model in train mode is in train mode after evaluate, and a model in eval mode in eval mode."""
    model = tiny(size, rate=0.5).train(training)
    kata.evaluate(model, measured(size, windows), size.T, size.B)
    check.equal([model.training, model.dropout.training], [training] * 2, "train mode of model and dropout, after")


@claim(step=2, examples=8, without=ASKED, size=CORPUS, windows=many, there=[False, True])
def test_evaluate_leaves_weights_and_gradients_as_they_were(kata, size, windows, there):
    """evaluate changes no weight and no gradient: what was there stays, and none is added."""
    model = tiny(size)
    before = model.weights()
    for weights in model.parameters():
        weights.grad = torch.full_like(weights, 2.0) if there else None
    kata.evaluate(model, measured(size, windows), size.T, size.B)
    for name, weights in model.named_parameters():
        if not there:
            check.equal(weights.grad is None, True, f"whether `{name}` is still without a gradient")
        elif weights.grad is None:
            raise check.Mismatch(f"the gradient of `{name}` was there before evaluate and is gone afterwards")
        else:
            check.exactly(weights.grad, torch.full_like(weights, 2.0), f"the gradient of `{name}`, afterwards")
    check_weights(model, before, "after evaluate")
    check.equal(torch.is_grad_enabled(), True, "whether gradients are computed after evaluate")
    frozen = [name for name, weights in model.named_parameters() if not weights.requires_grad]
    check.equal(frozen, [], "the parameters that are frozen after evaluate")


@claim(step=2, examples=8, without=ASKED, size=CORPUS, windows=many)
def test_evaluate_leaves_the_random_state_as_it_was(kata, size, windows):
    """evaluate draws no random numbers: a run goes on as if nobody had measured."""
    model, data, afterwards = tiny(size, rate=0.5), measured(size, windows), []
    for world in (1, 2):
        torch.default_generator.manual_seed(world)
        random.seed(world)
        before = torch.get_rng_state(), random.getstate()
        kata.evaluate(model, data, size.T, size.B)
        check.equal(random.getstate() == before[1], True, "whether Python's random state is as before")
        afterwards.append(torch.get_rng_state())
    if not torch.equal(afterwards[-1], before[0]):
        fixed = torch.equal(*afterwards)
        raise check.Mismatch(f"torch's random state {'is a fixed one' if fixed else 'has moved on'} after evaluate")


# --- Step 3: the learning rate ---------------------------------------------------------------------------------


def check_rates(kata, steps, want, **options):
    """The rates of `steps`, all of them at once."""
    steps, rates = list(steps), []
    for step in steps:
        rates.append(kata.learning_rate(step, **options))
        check.instance(rates[-1], (float, int), f"learning_rate({step}, …)")
    got = torch.tensor(rates, dtype=torch.float64)
    wanted = torch.tensor([want(step) for step in steps], dtype=torch.float64)
    check.equal(got, wanted, f"learning_rate at steps {steps}")


@claim(step=3, examples=12, without=RATES, **{**schedules, "warmup": [1, 5, 3, 2, 4]})
def test_the_rate_rises_in_a_straight_line(kata, peak, warmup, decay, floor):
    """While step < warmup, the rate is peak · (step + 1) / warmup: above 0 at once, the peak at the last of them."""
    options = {"peak": peak, "warmup": warmup, "total": warmup + decay, "floor": floor * peak}
    check_rates(kata, range(warmup), lambda step: peak * (step + 1) / warmup, **options)


@claim(step=3, without=RATES, **{**schedules, "warmup": st.integers(1, 5)})
def test_the_rate_falls_by_half_a_cosine(kata, peak, warmup, decay, floor):
    """From the peak, at step = warmup, the rate falls along half a cosine that ends at the floor, at step = total."""
    low = floor * peak
    options = {"peak": peak, "warmup": warmup, "total": warmup + decay, "floor": low}

    def cosine(step):
        return low + (peak - low) / 2 * (1 + math.cos(math.pi * (step - warmup) / decay))

    check_rates(kata, range(warmup, warmup + decay), cosine, **options)


@claim(step=3, without=RATES, **schedules)
def test_the_rate_stays_at_the_floor(kata, peak, warmup, decay, floor):
    """From step = total on, the rate is the floor, however long the run goes on."""
    total = warmup + decay
    options = {"peak": peak, "warmup": warmup, "total": total, "floor": floor * peak}
    check_rates(kata, [*range(total, total + decay + 2), 10 * total], lambda step: floor * peak, **options)


@claim(step=3, examples=6, without=RATES, **schedules)
def test_without_a_warmup_the_fall_comes_at_once(kata, peak, decay, floor):
    """With a warmup of 0 the rate is the peak at step 0, and falls from there."""
    low = floor * peak
    options = {"peak": peak, "warmup": 0, "total": decay, "floor": low}
    cosine = lambda step: low + (peak - low) / 2 * (1 + math.cos(math.pi * step / decay))
    check_rates(kata, range(decay), cosine, **options)


@claim(step=3, without=RATES, **{**schedules, "floor": st.just(0.0)})
def test_the_floor_is_zero_unless_given(kata, peak, warmup, decay, floor):
    """Without a floor the rate ends at 0."""
    check_rates(kata, [warmup + decay], lambda step: 0.0, peak=peak, warmup=warmup, total=warmup + decay)


# --- Step 4: train ---------------------------------------------------------------------------------------------


def run(kata, size, model, optimizer, steps, seed=0, **options):
    """The losses of a run on `permuted` text."""
    options = {"batch_size": size.B, "context_length": size.T, **options}
    generator = torch.Generator().manual_seed(seed)
    torch.rand(3, generator=generator)  # a run may begin anywhere in a generator's numbers
    return kata.train(model, optimizer, permuted(size), steps=steps, generator=generator, **options)


def batches_of(optimizer, size, steps):
    """The batches that steps were taken on, with the targets that belong to them. Raises where they are no windows."""
    check.equal(len(optimizer.batches), steps, "the number of steps that the optimizer took")
    data = permuted(size)
    follows = torch.full((LENGTH,), -1).index_put((data[:-1],), data[1:])
    pairs = []
    for x in optimizer.batches:
        check.tensor(x, (size.B, size.T), torch.int64, "the batch of a step")
        y = follows[x]
        if (y < 0).any() or not torch.equal(y[:, :-1], x[:, 1:]):
            problem = "a row of a batch is not a piece of data that is followed by a token"
            raise check.Mismatch(problem, x, alike="not a piece")
        pairs.append((x, y))
    return pairs


@claim(step=4, examples=8, without=STEPS, size=TEXT, steps=counts)
def test_train_returns_a_loss_for_each_step(kata, size, steps):
    """train returns a list with one Python float for each step."""
    model = tiny(size, vocab=LENGTH)
    check_numbers(run(kata, size, model, sgd(model), steps), steps)


def check_numbers(losses, steps):
    check.instance(losses, list, "train(…)")
    check.equal(len(losses), steps, "the number of losses")
    for loss in losses:
        check.instance(loss, float, "a loss")


@claim(step=4, examples=8, without=STEPS, size=TEXT, steps=counts, tied=TIED, wrapped=WRAPPED)
def test_training_is_one_step_after_the_other(kata, size, steps, tied, wrapped):
    """train gives each batch one step, on the tokens that follow in data, and its losses are those before each step."""
    model = tiny(size, vocab=LENGTH, tied=tied)
    before, optimizer = model.weights(), sgd(model)
    losses = run(kata, size, nn.Sequential(model) if wrapped else model, optimizer, steps)
    wanted, trained = sgd_by_hand(before, batches_of(optimizer, size, steps), [RATE] * steps)
    check_numbers(losses, steps)
    check.equal(torch.tensor(losses), torch.tensor(wanted), "the list of losses", tolerance=1e-5)
    check_moved(model, before, optimizer)
    check_weights(model, trained[-1], f"after {steps} steps")


@claim(step=4, examples=8, without=STEPS, size=TEXT, steps=st.integers(2, 5))
def test_schedule_sets_every_groups_rate_before_each_step(kata, size, steps):
    """Before step 0, 1, 2 … the rate of every parameter group becomes schedule(0), schedule(1), schedule(2) …"""
    model = tiny(size, vocab=LENGTH)
    groups = [{"params": [weights], "lr": own} for weights, own in zip(model.parameters(), (0.5, 0.25, 0.125))]
    optimizer = watched(torch.optim.SGD(groups), model)
    schedule = lambda step: 0.0 if step == 1 else 1 / (step + 3)
    check_rates_of_steps(optimizer, schedule, run(kata, size, model, optimizer, steps, schedule=schedule))


def check_rates_of_steps(optimizer, schedule, losses):
    """What the optimizer had for its rates when it stepped, in a run that gave these losses."""
    groups = len(optimizer.param_groups)
    got, want = optimizer.rates, [[schedule(step)] * groups for step in range(len(losses))]
    check.equal(len(got), len(want), "the number of steps that the optimizer took")
    what = "the rates of the steps (a row a step, a column a parameter group)"
    check.equal(torch.tensor(got), torch.tensor(want), what)


@claim(step=4, examples=8, without=STEPS, size=TEXT, steps=counts)
def test_on_step_is_told_of_every_step(kata, size, steps):
    """on_step(step, loss) is called after each step, with its number from 0 and its loss."""
    model = tiny(size, vocab=LENGTH)
    optimizer, before, calls, heads = sgd(model), model.weights(), [], []

    def on_step(step, loss):
        calls.append((step, loss, len(optimizer.batches)))
        heads.append(model.head.weight.detach().clone())

    losses = run(kata, size, model, optimizer, steps, on_step=on_step)
    check.equal([call[0] for call in calls], list(range(steps)), "the list of steps that on_step was told of")
    check.equal([call[1] for call in calls], losses, "the list of losses that on_step was told of")
    what = "the number of steps that the optimizer had taken, at each call of on_step"
    check.equal([call[2] for call in calls], list(range(1, steps + 1)), what)
    _, trained = sgd_by_hand(before, batches_of(optimizer, size, steps), [RATE] * steps)
    for number, (got, (_, want, _)) in enumerate(zip(heads, trained)):
        check.equal(got, want, f"`head.weight` when on_step({number}, …) is called")


@claim(step=4, examples=8, without=STEPS, size=TEXT, steps=counts, training=[False, True])
def test_train_switches_train_mode_on(kata, size, steps, training):
    """train trains in train mode, also where the model comes in eval mode."""
    model = tiny(size, rate=0.5, vocab=LENGTH).train(training)
    run(kata, size, model, sgd(model), steps)
    check.equal(all(model.modes), True, "whether dropout was on in every forward pass")


@claim(step=4, examples=4, without=STEPS, size=TEXT, seed=st.integers(0, 99))
def test_equal_generators_give_equal_batches(kata, size, seed):
    """The batches depend on the generator and on nothing else: an equal one repeats them, another draws others."""
    size = Sizes({**size.dims, "B": 6}, size.seed)

    def batches(seed, world):
        torch.default_generator.manual_seed(world)
        random.seed(world)
        model = tiny(size, vocab=LENGTH)
        optimizer = sgd(model)
        run(kata, size, model, optimizer, 3, seed=seed)
        check.equal(len(optimizer.batches), 3, "the number of steps that the optimizer took")
        return torch.cat(optimizer.batches)

    one, again, other = batches(seed, 1), batches(seed, 2), batches(seed + 1, 1)
    if not torch.equal(again, one):
        raise check.Mismatch("a second run with an equal generator has other batches", again, one, alike="other")
    if torch.equal(one, other):
        raise check.Mismatch("the batches are the same with another generator", other, alike="same")


@claim(step=4, examples=4, without=STEPS, size=TEXT)
def test_a_second_run_draws_other_batches(kata, size):
    """A run takes up the random numbers where they stand, and they move on: a second run has other batches."""
    size = Sizes({**size.dims, "B": 6}, size.seed)
    options = {"batch_size": size.B, "context_length": size.T}
    for generator in (torch.Generator().manual_seed(size.seed), None):
        runs, moved = [], []
        for _ in range(2):
            model = tiny(size, vocab=LENGTH)
            optimizer = sgd(model)
            before = torch.get_rng_state()
            kata.train(model, optimizer, permuted(size), steps=2, generator=generator, **options)
            moved.append(not torch.equal(before, torch.get_rng_state()))
            check.equal(len(optimizer.batches), 2, "the number of steps that the optimizer took")
            runs.append(torch.cat(optimizer.batches))
        if torch.equal(*runs):
            how = "without a generator" if generator is None else "with the same generator"
            alike = ["same", *moved]  # whether torch's own random numbers were used
            raise check.Mismatch(f"a second run {how} draws the same batches", runs[1], alike=alike)


@claim(step=4, examples=4, without=STEPS, size=TEXT)
def test_every_step_draws_a_new_batch(kata, size):
    """Every step draws a batch of its own."""
    size = Sizes({**size.dims, "B": 8}, size.seed)
    model = tiny(size, vocab=LENGTH)
    optimizer = sgd(model)
    run(kata, size, model, optimizer, 3)
    batches = optimizer.batches
    again = [any(torch.equal(rows, earlier) for earlier in batches[:n]) for n, rows in enumerate(batches)]
    check.equal(again, [False] * 3, "whether the batch of each step is one that was there before")


@claim(step=4, examples=2, without=STEPS, seed=st.integers(0, 99))
def test_every_part_of_the_data_is_used(kata, seed):
    """Batches come from the whole of the data that train is given, to its very end."""
    # 300 draws over 13 parts: that one is never drawn from happens once in two billion runs.
    size = Sizes({"B": 60, "T": 2, "D": 2}, seed)
    model, data = tiny(size, vocab=LENGTH), permuted(size)
    optimizer = sgd(model)
    run(kata, size, model, optimizer, 5, seed=seed)
    firsts = torch.cat(optimizer.batches)[:, 0]
    parts = torch.tensor([bool(torch.isin(part, firsts).any()) for part in data[:-2].split(6)])
    check.equal(parts, torch.ones_like(parts), "whether each thirteenth of data was drawn from")
    model = tiny(size, vocab=LENGTH)
    optimizer = sgd(model)
    kata.train(model, optimizer, data[:4], steps=2, batch_size=size.B, context_length=size.T)
    firsts = torch.cat(optimizer.batches)[:, 0]
    parts = torch.tensor([bool((firsts == token).any()) for token in data[:2]])
    check.equal(parts, torch.ones_like(parts), "whether both windows of four tokens were drawn")


@claim(step=4, examples=8, without=STEPS, size=TEXT, steps=st.integers(1, 3))
def test_train_needs_no_generator(kata, size, steps):
    """Without a generator, a schedule or on_step, train runs as well, and leaves data alone."""
    model, data = tiny(size, vocab=LENGTH), permuted(size)
    optimizer, before = sgd(model), data.clone()
    kata.train(model, optimizer, data, steps=steps, batch_size=size.B, context_length=size.T)
    batches_of(optimizer, size, steps)
    check.exactly(data, before, "data, after training")
    rates = torch.tensor(optimizer.rates)
    check.equal(rates, torch.full((steps, 2), RATE), "the rates of the steps, without a schedule")


@claim(step=4, examples=4, without=STEPS, size=TEXT)
def test_a_second_run_goes_on_with_the_optimizer(kata, size):
    """What the optimizer remembers is left to it: a second run goes on where the first one ended."""
    model = tiny(size, vocab=LENGTH)
    before, optimizer = model.weights(), adamw(model)
    run(kata, size, model, optimizer, 2)
    run(kata, size, model, optimizer, 2, seed=1)
    want = adamw_by_hand(before, batches_of(optimizer, size, 4), 0.1, 0.8, 0.9, eps=0.01, decay=0.3)
    check_weights(model, want, "after two runs of 2 steps with AdamW")


@claim(step=4, costly=True, examples=2, without=STEPS)
def test_a_run_is_as_long_as_asked(kata):
    """However often a run goes through data, steps, rates and losses go on: none of them begins anew."""
    size, steps, told = Sizes({"B": 2, "T": 2, "D": 2}), 20, []
    model, data = tiny(size, vocab=LENGTH), permuted(size)[:12]
    optimizer = sgd(model)
    schedule = lambda step: 1 / (step + 3)
    options = {"batch_size": size.B, "context_length": size.T, "schedule": schedule}
    losses = kata.train(model, optimizer, data, steps=steps, on_step=lambda step, loss: told.append(step), **options)
    check_numbers(losses, steps)
    check_rates_of_steps(optimizer, schedule, losses)
    check.equal(told, list(range(steps)), "the list of steps that on_step was told of")


@claim(step=4, costly=True, examples=2, without=STEPS, size=TEXT)
def test_training_holds_no_graphs(kata, size):
    """However long the training, no graphs of earlier steps are kept."""
    gc.freeze()  # as above
    model = tiny(size, vocab=LENGTH)
    optimizer = sgd(model)
    on_step = lambda step, loss: check_graphs(model, optimizer, 2, f"in step {step}")
    kept = run(kata, size, model, optimizer, 8, on_step=on_step)
    check_graphs(model, optimizer, 1, f"after {len(kept)} steps")
