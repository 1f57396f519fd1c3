"""k12 the training loop: what must be true of it."""

import gc
import math
import random
import weakref

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
counts = st.integers(1, 5)
many = st.integers(1, 9)
schedules = {
    "peak": [1.0, 0.1, 0.004],
    "warmup": st.integers(0, 5),
    "decay": st.integers(1, 6),  # steps from the peak to the end
    "floor": [0.1, 0.0, 0.5],  # in parts of the peak
}


# --- The model that is trained: logits from the mean of the embeddings so far ----------------------------------


class TinyModel(nn.Module):
    """A causal model of three tensors, which keeps notes of how it was used."""

    def __init__(self, size, vocab, rate):
        super().__init__()
        self.embedding = nn.Embedding(vocab, size.D)
        self.dropout = nn.Dropout(rate)
        self.head = nn.Linear(size.D, vocab)
        self.batches, self.modes, self.tracked, self.graphs = [], [], [], []
        self.backwards = 0
        randomise(self, size)

    def forward(self, ids):
        self.batches.append(ids.clone())
        self.modes.append(self.dropout.training)
        logits = self.head(self.dropout(mean_so_far(self.embedding(ids))))
        self.tracked.append(logits.requires_grad)
        if logits.requires_grad:
            logits.register_hook(self._witness())
        return logits

    def _witness(self):
        """A function that the graph of one forward pass holds, and nobody else."""

        def witness(gradient):
            self.backwards += 1

        self.graphs.append(weakref.ref(witness))
        return witness

    def weights(self):
        """A copy of embedding.weight, head.weight and head.bias."""
        return [weights.detach().clone() for weights in self.parameters()]

    def graphs_alive(self):
        """How many forward passes still have their graph in memory."""
        return sum(graph() is not None for graph in self.graphs)


def tiny(size, rate=0.0, vocab=None):
    return TinyModel(size, vocab or size.V, rate)


def mean_so_far(vectors):
    return vectors.cumsum(dim=1) / torch.arange(1, vectors.shape[1] + 1)[:, None]


def batch(size, salt=""):
    return size.ids("B T", size.V, salt=f"x{salt}"), size.ids("B T", size.V, salt=f"y{salt}")


def sgd(model):
    """SGD in two parameter groups, as for weights with and without decay."""
    groups = [{"params": [model.embedding.weight]}, {"params": [model.head.weight, model.head.bias]}]
    optimizer = torch.optim.SGD(groups, lr=RATE)
    optimizer.steps = 0
    optimizer.register_step_post_hook(lambda *_: setattr(optimizer, "steps", optimizer.steps + 1))
    return optimizer


def permuted(size):
    """A text in which every token occurs once, so that each window can be told from its first token."""
    return torch.randperm(LENGTH, generator=size.generator("text"))


# --- Oracles: the slow, obvious form ---------------------------------------------------------------------------


def logits_by_hand(weights, ids):
    embedding, head, bias = weights
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
    raise check.Mismatch(
        f"no weight has moved: backward ran {times(model.backwards)}, the optimizer stepped {times(optimizer.steps)}, "
        f"and afterwards there are {'' if left else 'no '}gradients"
    )


def check_graphs(model, most, what):
    if model.graphs_alive() <= most:
        return
    gc.collect()  # what only hangs together in a circle is as good as gone
    if model.graphs_alive() > most:
        raise check.Mismatch(f"{what}, graphs of forward passes are still in memory", model.graphs_alive(), 0)


def times(count):
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def flat(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


# --- Step 1: one step ------------------------------------------------------------------------------------------


@claim(step=1, examples=8, size=BATCH, double=True)
def test_step_returns_the_loss_before_the_update(kata, size):
    """train_step returns the mean loss of the batch as it was before the step, as a Python float."""
    model, (x, y) = tiny(size), batch(size)
    want, _ = loss_and_gradients(model.weights(), x, y)
    check.equal(kata.train_step(model, sgd(model), x, y), want, "train_step(…)", tolerance=1e-5, x=x, y=y)


@claim(step=1, examples=8, size=BATCH, double=True)
def test_one_step_of_sgd(kata, size):
    """One step of SGD moves every weight against its gradient, by the rate times the gradient."""
    model, (x, y) = tiny(size), batch(size)
    before, optimizer = model.weights(), sgd(model)
    _, (want,) = sgd_by_hand(before, [(x, y)], [RATE])
    kata.train_step(model, optimizer, x, y)
    check_moved(model, before, optimizer)
    check_weights(model, want, x=x, y=y)


@claim(step=1, examples=4, size=BATCH, double=True)
def test_gradients_left_from_before_play_no_part(kata, size):
    """Gradients that are there before train_step is called change nothing about the step."""
    model, (x, y) = tiny(size), batch(size)
    _, (want,) = sgd_by_hand(model.weights(), [(x, y)], [RATE])
    for weights in model.parameters():
        weights.grad = torch.full_like(weights, 10.0)
    kata.train_step(model, sgd(model), x, y)
    check_weights(model, want, x=x, y=y)


@claim(step=1, examples=4, size=BATCH, double=True)
def test_gradients_do_not_add_up_over_steps(kata, size):
    """Every step follows the gradient of its own batch, and of no batch before it."""
    model, batches = tiny(size), [batch(size, salt) for salt in "abc"]
    optimizer = sgd(model)
    _, wanted = sgd_by_hand(model.weights(), batches, [RATE] * 3)
    for number, ((x, y), want) in enumerate(zip(batches, wanted), start=1):
        kata.train_step(model, optimizer, x, y)
        check_weights(model, want, f"after {number} steps")


@claim(step=1, examples=4, size=BATCH, double=True)
def test_steps_of_adamw(kata, size):
    """With AdamW the weights go where its formula says."""
    model, batches = tiny(size), [batch(size, salt) for salt in "abc"]
    # A large eps, so that a gradient of nearly 0 is not blown up, rounding and all, to a whole step.
    want = adamw_by_hand(model.weights(), batches, 0.1, 0.8, 0.9, eps=0.01, decay=0.3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, betas=(0.8, 0.9), eps=0.01, weight_decay=0.3)
    for x, y in batches:
        kata.train_step(model, optimizer, x, y)
    check_weights(model, want, "after 3 steps")


@claim(step=1, examples=8, size=BATCH, share=[0.5, 0.1], double=True)
def test_a_long_gradient_is_cut_to_the_norm(kata, size, share):
    """Where the norm of the whole gradient is above max_grad_norm, the gradient is scaled down to that norm."""
    check_step_with_clipping(kata, size, share, share)


@claim(step=1, examples=5, size=BATCH, share=[1.5, 10.0], double=True)
def test_a_short_gradient_is_left_alone(kata, size, share):
    """Where the norm of the whole gradient is below max_grad_norm, the step is the same as without it."""
    check_step_with_clipping(kata, size, share, 1.0)


def check_step_with_clipping(kata, size, share, scale):
    """With a max_grad_norm of `share` times the norm, the step follows `scale` times the gradient."""
    model, x = tiny(size), batch(size)[0]
    before = model.weights()
    y = logits_by_hand(before, x).argmin(dim=-1)  # the least likely tokens, so that the gradient is not tiny
    gradient = flat(loss_and_gradients(before, x, y)[1])
    norm = gradient.norm().item()
    kata.train_step(model, sgd(model), x, y, max_grad_norm=share * norm)
    moved = (flat(before) - flat(model.weights())) / RATE
    if share < 1 and torch.allclose(moved, gradient):
        now = flat([torch.zeros(0) if tensor.grad is None else tensor.grad for tensor in model.parameters()]).norm()
        cut = "are cut" if 0 < now < 0.9 * norm else "are not cut"
        raise check.Mismatch(f"the step is as long as without clipping; the gradients {cut} when it is over")
    what = f"with max_grad_norm={share * norm:.3g} and a gradient of norm {norm:.3g}: step / rate of all weights"
    check.equal(moved, scale * gradient, what, tolerance=1e-4)


@claim(step=1, examples=2, size=BATCH)
def test_step_leaves_its_batch_alone(kata, size):
    """train_step does not change the batch that it is given."""
    model, (x, y) = tiny(size), batch(size)
    before = x.clone(), y.clone()
    kata.train_step(model, sgd(model), x, y)
    check.exactly(x, before[0], "x, after the step")
    check.exactly(y, before[1], "y, after the step")


@claim(step=1, examples=2, size=BATCH)
def test_step_keeps_dropout_on(kata, size):
    """A model in train mode is in train mode during the step and after it."""
    model, (x, y) = tiny(size, rate=0.5).train(), batch(size)
    kata.train_step(model, sgd(model), x, y)
    check.equal(all(model.modes), True, "whether dropout was on in the forward pass")
    check.equal(model.training and model.dropout.training, True, "whether train mode is on after the step")


@claim(step=1, examples=2, seed=st.integers(0, 99))
def test_every_step_drops_other_numbers(kata, seed):
    """A step draws its dropout from torch's random numbers as they come: the next step drops others."""
    size = Sizes({"B": 6, "T": 5, "D": 4, "V": 7}, seed)
    model, (x, y) = tiny(size, rate=0.5).train(), batch(size)
    still = torch.optim.SGD(model.parameters(), lr=0.0)
    losses = [kata.train_step(model, still, x, y) for _ in range(2)]
    check.equal(losses[0] == losses[1], False, "whether two steps at rate 0 have one loss, in spite of dropout,")


@claim(step=1, costly=True, examples=2, size=BATCH)
def test_step_holds_no_graph(kata, size):
    """Nothing keeps the graph of a step alive when the step is done, the returned loss included."""
    gc.freeze()  # garbage is looked for in what is made from here on, or it takes a second in a large process
    model, (x, y) = tiny(size), batch(size)
    optimizer = sgd(model)
    losses = [kata.train_step(model, optimizer, x, y) for _ in range(5)]
    check_graphs(model, 1, f"after {len(losses)} steps, whose losses were kept")


@claim(step=1, costly=True, examples=1, seed=st.integers(0, 9))
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


@claim(step=2, examples=16, size=CORPUS, windows=range(1, 10), double=True)
def test_evaluate_is_the_mean_loss_of_all_windows(kata, size, windows):
    """evaluate returns the mean loss per token over every non-overlapping window, once each, as a float."""
    model, data = tiny(size), measured(size, windows)
    before, want = data.clone(), loss_by_windows(model.weights(), data, size.T)
    check.equal(kata.evaluate(model, data, size.T, size.B), want, "evaluate(…)", tolerance=1e-5, data=data)
    check.exactly(data, before, "data, after the call")


@claim(step=2, examples=8, size=CORPUS, windows=many)
def test_evaluate_takes_no_more_than_batch_size_windows_at_a_time(kata, size, windows):
    """The model gets at most batch_size windows at a time."""
    model = tiny(size)
    kata.evaluate(model, measured(size, windows), size.T, size.B)
    check.equal(max(map(len, model.batches), default=0) <= size.B, True, f"whether at most {size.B} came at a time")


@claim(step=2, examples=4, size=CORPUS, windows=many)
def test_evaluate_measures_without_dropout(kata, size, windows):
    """While evaluate measures, dropout is off."""
    model = tiny(size, rate=0.5).train()
    kata.evaluate(model, measured(size, windows), size.T, size.B)
    check.equal(model.modes, [False] * len(model.modes), "whether dropout was on, for each batch")


@claim(step=2, examples=4, size=CORPUS, windows=many)
def test_evaluate_builds_no_graph(kata, size, windows):
    """While evaluate measures, no graph for gradients is built: eval mode alone does not see to that."""
    model = tiny(size)
    kata.evaluate(model, measured(size, windows), size.T, size.B)
    check.equal(model.tracked, [False] * len(model.tracked), "whether the logits had a graph, for each batch")


@claim(step=2, examples=6, size=CORPUS, windows=many, training=[False, True])
def test_evaluate_leaves_the_mode_as_it_was(kata, size, windows, training):
    """A model in train mode is in train mode after evaluate, and a model in eval mode in eval mode."""
    model = tiny(size, rate=0.5).train(training)
    kata.evaluate(model, measured(size, windows), size.T, size.B)
    check.equal([model.training, model.dropout.training], [training] * 2, "train mode of model and dropout, after")


@claim(step=2, examples=6, size=CORPUS, windows=many, there=[False, True])
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


@claim(step=2, examples=4, size=CORPUS, windows=many)
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


@claim(step=3, examples=12, **{**schedules, "warmup": [1, 5, 3, 2, 4]})
def test_the_rate_rises_in_a_straight_line(kata, peak, warmup, decay, floor):
    """While step < warmup, the rate is peak · (step + 1) / warmup: above 0 at once, the peak at the last of them."""
    options = {"peak": peak, "warmup": warmup, "total": warmup + decay, "floor": floor * peak}
    check_rates(kata, range(warmup), lambda step: peak * (step + 1) / warmup, **options)


@claim(step=3, **{**schedules, "warmup": st.integers(1, 5)})
def test_the_rate_falls_by_half_a_cosine(kata, peak, warmup, decay, floor):
    """From the peak, at step = warmup, the rate falls along half a cosine that ends at the floor, at step = total."""
    low = floor * peak
    options = {"peak": peak, "warmup": warmup, "total": warmup + decay, "floor": low}

    def cosine(step):
        return low + (peak - low) / 2 * (1 + math.cos(math.pi * (step - warmup) / decay))

    check_rates(kata, range(warmup, warmup + decay), cosine, **options)


@claim(step=3, **schedules)
def test_the_rate_stays_at_the_floor(kata, peak, warmup, decay, floor):
    """From step = total on, the rate is the floor, however long the run goes on."""
    total = warmup + decay
    options = {"peak": peak, "warmup": warmup, "total": total, "floor": floor * peak}
    check_rates(kata, [*range(total, total + decay + 2), 10 * total], lambda step: floor * peak, **options)


@claim(step=3, examples=6, **schedules)
def test_without_a_warmup_the_fall_comes_at_once(kata, peak, decay, floor):
    """With a warmup of 0 the rate is the peak at step 0, and falls from there."""
    low = floor * peak
    options = {"peak": peak, "warmup": 0, "total": decay, "floor": low}
    cosine = lambda step: low + (peak - low) / 2 * (1 + math.cos(math.pi * step / decay))
    check_rates(kata, range(decay), cosine, **options)


@claim(step=3, **{**schedules, "floor": st.just(0.0)})
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


def batches_of(model, size, steps):
    """The batches that the model was given, with the targets that belong to them. Raises where they are no windows."""
    check.equal(len(model.batches), steps, "the number of batches that the model was given")
    data = permuted(size)
    follows = torch.full((LENGTH,), -1).index_put((data[:-1],), data[1:])
    found = []
    for x in model.batches:
        check.tensor(x, (size.B, size.T), torch.int64, "a batch that the model was given")
        y = follows[x]
        if (y < 0).any() or not torch.equal(y[:, :-1], x[:, 1:]):
            raise check.Mismatch("a row of a batch is not a piece of data that is followed by a token", x)
        found.append((x, y))
    return found


@claim(step=4, examples=4, size=TEXT, steps=counts)
def test_train_returns_a_loss_for_each_step(kata, size, steps):
    """train returns a list with one Python float for each step."""
    model = tiny(size, vocab=LENGTH)
    check_numbers(run(kata, size, model, sgd(model), steps), steps)


def check_numbers(losses, steps):
    check.instance(losses, list, "train(…)")
    check.equal(len(losses), steps, "the number of losses")
    for loss in losses:
        check.instance(loss, float, "a loss")


@claim(step=4, examples=6, size=TEXT, steps=counts, double=True)
def test_training_is_one_step_after_the_other(kata, size, steps):
    """train gives each batch one step, on the tokens that follow in data, and its losses are those before each step."""
    model = tiny(size, vocab=LENGTH)
    before, optimizer = model.weights(), sgd(model)
    losses = run(kata, size, model, optimizer, steps)
    wanted, trained = sgd_by_hand(before, batches_of(model, size, steps), [RATE] * steps)
    check_numbers(losses, steps)
    check.equal(torch.tensor(losses), torch.tensor(wanted), "the list of losses", tolerance=1e-5)
    check_moved(model, before, optimizer)
    check_weights(model, trained[-1], f"after {steps} steps")


@claim(step=4, examples=4, size=TEXT, steps=st.integers(2, 5), double=True)
def test_schedule_sets_every_groups_rate_before_each_step(kata, size, steps):
    """Before step 0, 1, 2 … the rate of every parameter group becomes schedule(0), schedule(1), schedule(2) …"""
    model = tiny(size, vocab=LENGTH)
    before = model.weights()
    run(kata, size, model, sgd(model), steps, schedule=lambda step: 1 / (step + 3))
    rates = [1 / (step + 3) for step in range(steps)]
    _, trained = sgd_by_hand(before, batches_of(model, size, steps), rates)
    check_weights(model, trained[-1], f"after {steps} steps at rates 1/3, 1/4, …")


@claim(step=4, examples=4, size=TEXT, steps=counts, double=True)
def test_on_step_is_told_of_every_step(kata, size, steps):
    """on_step(step, loss) is called after each step, with its number from 0 and its loss."""
    model = tiny(size, vocab=LENGTH)
    before, calls, heads = model.weights(), [], []

    def on_step(step, loss):
        calls.append((step, loss, len(model.batches)))
        heads.append(model.head.weight.detach().clone())

    losses = run(kata, size, model, sgd(model), steps, on_step=on_step)
    check.equal([call[0] for call in calls], list(range(steps)), "the list of steps that on_step was told of")
    check.equal([call[1] for call in calls], losses, "the list of losses that on_step was told of")
    check.equal([call[2] for call in calls], list(range(1, steps + 1)), "the count of batches at each call of on_step")
    _, trained = sgd_by_hand(before, batches_of(model, size, steps), [RATE] * steps)
    for number, (got, (_, want, _)) in enumerate(zip(heads, trained)):
        check.equal(got, want, f"`head.weight` when on_step({number}, …) is called")


@claim(step=4, examples=4, size=TEXT, steps=counts, training=[False, True])
def test_train_switches_train_mode_on(kata, size, steps, training):
    """train trains in train mode, also where the model comes in eval mode."""
    model = tiny(size, rate=0.5, vocab=LENGTH).train(training)
    run(kata, size, model, sgd(model), steps)
    check.equal(model.modes, [True] * len(model.modes), "whether dropout was on, for each batch")


@claim(step=4, examples=3, size=TEXT, seed=st.integers(0, 99))
def test_equal_generators_give_equal_batches(kata, size, seed):
    """The batches depend on the generator and on nothing else: an equal one repeats them, another draws others."""
    size = Sizes({**size.dims, "B": 6}, size.seed)

    def batches(seed, world):
        torch.default_generator.manual_seed(world)
        random.seed(world)
        model = tiny(size, vocab=LENGTH)
        run(kata, size, model, sgd(model), 3, seed=seed)
        return torch.cat(model.batches)

    one, again, other = batches(seed, 1), batches(seed, 2), batches(seed + 1, 1)
    check.equal(again, one, "the sequence of batches in a second run with an equal generator")
    if torch.equal(one, other):
        raise check.Mismatch("the batches are the same with another generator", other)


@claim(step=4, examples=1, size=TEXT)
def test_a_second_run_draws_other_batches(kata, size):
    """A run takes up the random numbers where they stand, and they move on: a second run has other batches."""
    size = Sizes({**size.dims, "B": 6}, size.seed)
    options = {"batch_size": size.B, "context_length": size.T}
    for generator in (torch.Generator().manual_seed(size.seed), None):
        runs = []
        for _ in range(2):
            model = tiny(size, vocab=LENGTH)
            kata.train(model, sgd(model), permuted(size), steps=2, generator=generator, **options)
            check.equal(len(model.batches), 2, "the number of batches that the model was given")
            runs.append(torch.cat(model.batches))
        if torch.equal(*runs):
            how = "without a generator" if generator is None else "with the same generator"
            raise check.Mismatch(f"a second run {how} draws the same batches", runs[1])


@claim(step=4, examples=3, size=TEXT)
def test_every_step_draws_a_new_batch(kata, size):
    """Every step draws a batch of its own."""
    size = Sizes({**size.dims, "B": 8}, size.seed)
    model = tiny(size, vocab=LENGTH)
    run(kata, size, model, sgd(model), 3)
    first, *later = model.batches
    if any(torch.equal(first, ids) for ids in later):
        raise check.Mismatch("the first batch comes again", first)


@claim(step=4, examples=2, seed=st.integers(0, 99))
def test_every_part_of_the_data_is_used(kata, seed):
    """Batches come from the whole of the data that train is given, to its very end."""
    # 300 draws over 13 parts: that one is never drawn from happens once in two billion runs.
    size = Sizes({"B": 60, "T": 2, "D": 2}, seed)
    model, data = tiny(size, vocab=LENGTH), permuted(size)
    run(kata, size, model, sgd(model), 5, seed=seed)
    firsts = torch.cat(model.batches)[:, 0]
    parts = torch.tensor([bool(torch.isin(part, firsts).any()) for part in data[:-2].split(6)])
    check.equal(parts, torch.ones_like(parts), "whether each thirteenth of data was drawn from")
    model = tiny(size, vocab=LENGTH)
    kata.train(model, sgd(model), data[:4], steps=2, batch_size=size.B, context_length=size.T)
    firsts = torch.cat(model.batches)[:, 0]
    parts = torch.tensor([bool((firsts == token).any()) for token in data[:2]])
    check.equal(parts, torch.ones_like(parts), "whether both windows of four tokens were drawn")


@claim(step=4, examples=2, size=TEXT, steps=st.integers(1, 3))
def test_train_needs_no_generator(kata, size, steps):
    """Without a generator, a schedule or on_step, train runs as well, and leaves data alone."""
    model, data = tiny(size, vocab=LENGTH), permuted(size)
    before = data.clone()
    kata.train(model, sgd(model), data, steps=steps, batch_size=size.B, context_length=size.T)
    batches_of(model, size, steps)
    check.exactly(data, before, "data, after training")


@claim(step=4, examples=3, size=TEXT, double=True)
def test_a_second_run_goes_on_with_the_optimizer(kata, size):
    """What the optimizer remembers is left to it: a second run goes on where the first one ended."""
    model = tiny(size, vocab=LENGTH)
    before = model.weights()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, betas=(0.8, 0.9), eps=0.01, weight_decay=0.3)
    run(kata, size, model, optimizer, 2)
    run(kata, size, model, optimizer, 2, seed=1)
    want = adamw_by_hand(before, batches_of(model, size, 4), 0.1, 0.8, 0.9, eps=0.01, decay=0.3)
    check_weights(model, want, "after two runs of 2 steps with AdamW")


@claim(step=4, costly=True, examples=1)
def test_a_run_is_as_long_as_asked(kata):
    """The number of steps has nothing to do with the length of data: each step draws anew."""
    size = Sizes({"B": 1, "T": 2, "D": 2})
    model = tiny(size, vocab=LENGTH)
    check_numbers(run(kata, size, model, sgd(model), LENGTH + 25), LENGTH + 25)


@claim(step=4, costly=True, examples=2, size=TEXT)
def test_training_holds_no_graphs(kata, size):
    """However long the training, no graphs of earlier steps are kept."""
    gc.freeze()  # as above
    model = tiny(size, vocab=LENGTH)
    kept = run(kata, size, model, sgd(model), 8, on_step=lambda step, loss: check_graphs(model, 2, f"in step {step}"))
    check_graphs(model, 1, f"after {len(kept)} steps")
