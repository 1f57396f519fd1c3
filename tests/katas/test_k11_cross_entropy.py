"""k11 cross-entropy and perplexity: what must be true of them."""

import math

import torch
import torch.nn.functional as F
from hypothesis import strategies as st

from dojo.spec import CROSS_ENTROPY, ban, check, claim, oracle, sizes

BANS = [ban(*CROSS_ENTROPY, why="it is what you build here.")]
SIZES = "B T V"
SHAPES = ["B T", "T"]  # of the targets: (B, T), or one row of N tokens
MODES = [True, False]
# `logits.view(-1, V)` is how half the world writes it, and models give contiguous logits.
LOGITS = {"layout": "logits come from a linear layer, which hands them over contiguous: a `view` of them is right"}
MEASURED = {
    "layout": "the corpus is the law's own, and the model takes its ids as they are",
    "earlier": "a model is handed over, and a law of its own asks twice",
}
NUMBER = {"layout": "a loss is one number"}
CORPUS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 6)), min_size=1, max_size=4)  # batches of B times T


# --- Oracles and parts -----------------------------------------------------------------------------------------


@oracle
def log_softmax(logits):
    return F.log_softmax(logits, dim=-1)


def cross_entropy_by_hand(logits, targets):
    """The mean of −ln p(target), one token after the other."""
    rows = log_softmax(logits).reshape(-1, logits.shape[-1])
    return sum(-row[target] for row, target in zip(rows, targets.reshape(-1))) / targets.numel()


def logits_and_targets(size, shape="B T", scale=2.0):
    return size.normal(f"{shape} V", scale), size.ids(shape, size.V)


class Model(torch.nn.Module):
    """A small model: an embedding, dropout, a layer. It remembers how it was called, and may raise at a call."""

    def __init__(self, vocab_size=7, raises_at=None):
        super().__init__()
        self.table = torch.nn.Embedding(vocab_size, 5)
        self.dropout = torch.nn.Dropout(0.5)
        self.layer = torch.nn.Linear(5, vocab_size)
        self.raises_at, self.modes, self.graphs = raises_at, Notes(), Notes()

    def forward(self, ids):
        if len(self.modes) == self.raises_at:
            raise ModelError("the model raises")
        logits = self.layer(self.dropout(self.table(ids)))
        self.modes.append(self.training)
        self.graphs.append(logits.requires_grad)
        return logits


class Notes(list):
    """What a model notes down; a copy of the model writes into the same."""

    def __deepcopy__(self, memo):
        return self


class ModelError(Exception):
    pass


def corpus(shapes, seed=0, vocab_size=7):
    """Batches of inputs and targets of these shapes."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda shape: torch.randint(vocab_size, shape, generator=generator)
    return [(draw(shape), draw(shape)) for shape in shapes]


def loss_by_tokens(model, batches):
    """The mean loss over all tokens of all batches, in eval mode."""
    rows = [(model.layer(model.table(x)), y) for x, y in batches]
    logits = torch.cat([logits.reshape(-1, logits.shape[-1]) for logits, _ in rows])
    return cross_entropy_by_hand(logits, torch.cat([y.reshape(-1) for _, y in rows])).item()


# --- Step 1: log-softmax ---------------------------------------------------------------------------------------


@claim(step=1, size=sizes(SIZES), names=["V", "T V", "B T V"])
def test_log_softmax_is_the_logarithm_of_softmax(kata, size, names):
    """log_softmax gives, along the last dimension, the logarithms of the probabilities that the logits stand for."""
    logits = size.normal(names, scale=2)
    check.equal(kata.log_softmax(logits), log_softmax(logits), "log_softmax(logits)", logits=logits)


@claim(step=1, examples=8, size=sizes(SIZES))
def test_probabilities_sum_to_1(kata, size):
    """The exponentials of log_softmax sum to 1 along the last dimension."""
    logits = size.normal("B T V", scale=2)
    got = kata.log_softmax(logits)
    check.tensor(got, logits.shape, logits.dtype, "log_softmax(logits)")
    exact = 5e-7 if got.dtype == torch.float64 else None  # single precision inside will do, but nothing is added
    sums, ones = got.exp().sum(dim=-1), torch.ones(size.B, size.T)
    check.equal(sums, ones, "the sum of the probabilities", tolerance=exact, logits=logits)


@claim(step=1, size=sizes(SIZES), shift=[-3.0, 5.0, 50.0])
def test_a_constant_changes_nothing(kata, size, shift):
    """The same number added to all logits of a token changes none of its probabilities."""
    logits = size.normal("B T V", scale=2)
    shifted = logits + shift * size.normal("B T 1", salt="shift")
    check.equal(kata.log_softmax(shifted), log_softmax(logits), "log_softmax(logits + constant)", logits=shifted)


@claim(step=1, size=sizes(SIZES), scale=[1000.0, 3000.0])
def test_huge_logits_give_finite_results(kata, size, scale):
    """With logits in the thousands log_softmax is finite and right: far from the largest it is the distance to it."""
    logits = size.normal("B T V", scale)
    check.equal(kata.log_softmax(logits), log_softmax(logits), "log_softmax(logits)", logits=logits)


@claim(step=1, size=sizes(SIZES), level=[2000.0, -2000.0])
def test_rows_far_apart_do_not_disturb_each_other(kata, size, level):
    """Tokens whose logits lie thousands apart are each right by themselves."""
    logits = (8 * size.normal("B T V", scale=2)).round() / 8  # so that float32 holds them exactly, thousands apart too
    logits = logits + level * (torch.arange(size.B * size.T, dtype=logits.dtype) % 3).reshape(size.B, size.T, 1)
    check.equal(kata.log_softmax(logits), log_softmax(logits), "log_softmax(logits)", logits=logits)


@claim(step=1, examples=8, size=sizes(SIZES))
def test_log_softmax_leaves_the_logits_alone(kata, size):
    """log_softmax does not change the logits that it is given."""
    logits = size.normal("B T V")
    check.present(kata.log_softmax(logits), "log_softmax(logits)")
    check.exactly(logits, size.normal("B T V"), "the tensor of logits, after the call,")


# --- Step 2: cross-entropy -------------------------------------------------------------------------------------


@claim(step=2, without=LOGITS, size=sizes(SIZES, strided=False), shape=SHAPES)
def test_uniform_logits_give_ln_V(kata, size, shape):
    """Where all tokens are equally likely, the loss is ln V, whatever the targets."""
    _, targets = logits_and_targets(size, shape)
    logits = size.normal(f"{shape} 1").expand(*targets.shape, size.V)
    want = torch.tensor(math.log(size.V))
    check.equal(kata.cross_entropy(logits, targets), want, f"the loss for V = {size.V}", targets=targets)


@claim(step=2, without=LOGITS, size=sizes(SIZES, strided=False), shape=SHAPES)
def test_loss_is_the_mean_of_minus_ln_p(kata, size, shape):
    """The loss is the mean over all tokens of −ln p(target), in one number, for (B, T, V) and for (N, V)."""
    logits, targets = logits_and_targets(size, shape)
    want = cross_entropy_by_hand(logits, targets)
    check.equal(kata.cross_entropy(logits, targets), want, "the loss", logits=logits, targets=targets)


@claim(step=2, without=LOGITS, size=sizes(SIZES, strided=False, B=(2, 4), T=(2, 7)), shape=SHAPES)
def test_every_token_counts_the_same(kata, size, shape):
    """The loss of a batch is the mean of the losses of its tokens, each taken by itself."""
    logits, targets = logits_and_targets(size, shape)
    rows = zip(logits.reshape(-1, 1, size.V), targets.reshape(-1, 1))
    alone = torch.stack([scalar(kata.cross_entropy(row, target)) for row, target in rows])
    whole = scalar(kata.cross_entropy(logits, targets))
    check.equal(whole, alone.mean(), "the loss of the whole batch", by_token=alone)


@claim(step=2, without=LOGITS, size=sizes(SIZES, strided=False), shape=SHAPES)
def test_huge_logits_give_a_finite_loss(kata, size, shape):
    """With logits in the thousands the loss is finite and right."""
    logits, targets = logits_and_targets(size, shape, scale=1000.0)
    want = cross_entropy_by_hand(logits, targets)
    check.equal(kata.cross_entropy(logits, targets), want, "the loss", logits=logits, targets=targets)


@claim(step=2, without=LOGITS, size=sizes(SIZES, strided=False), shape=SHAPES)
def test_gradient_is_softmax_minus_one_hot(kata, size, shape):
    """The gradient of the loss is (softmax − one-hot) / N for N tokens: it pulls the target up and the others down."""
    logits, targets = logits_and_targets(size, shape)
    logits.requires_grad_()
    loss = scalar(kata.cross_entropy(logits, targets))
    check.equal(loss.requires_grad, True, "that the loss depends on the logits")
    (gradient,) = torch.autograd.grad(loss, logits)
    one_hot = (targets[..., None] == torch.arange(size.V)).to(logits.dtype)
    want = (torch.softmax(logits.detach(), dim=-1) - one_hot) / targets.numel()
    check.equal(gradient, want, "the gradient of the logits", targets=targets)


@claim(step=2, without=LOGITS, size=sizes(SIZES, strided=False), shape=SHAPES)
def test_cross_entropy_leaves_its_arguments_alone(kata, size, shape):
    """cross_entropy changes neither the logits nor the targets."""
    logits, targets = logits_and_targets(size, shape)
    check.present(kata.cross_entropy(logits, targets), "the loss")
    before = logits_and_targets(size, shape)
    check.exactly(logits, before[0], "the tensor of logits, after the call,")
    check.exactly(targets, before[1], "the tensor of targets, after the call,")


# --- Step 3: perplexity ----------------------------------------------------------------------------------------


@claim(step=3, without=NUMBER, choices=st.integers(2, 50))
def test_perplexity_of_a_float_is_a_float(kata, choices):
    """As unsure as between n equally likely tokens is a perplexity of n: a float for a float."""
    check.equal(kata.perplexity(math.log(choices)), float(choices), f"perplexity(ln {choices})")
    check.instance(kata.perplexity(math.log(choices)), float, f"perplexity(ln {choices})")


@claim(step=3, without=NUMBER, choices=st.integers(2, 50))
def test_perplexity_of_a_tensor_is_a_tensor(kata, choices):
    """The perplexity of a loss in a tensor is a tensor of the same shape."""
    loss = torch.tensor(math.log(choices))
    check.equal(kata.perplexity(loss), torch.tensor(float(choices)), f"perplexity(tensor of ln {choices})")
    check.equal(loss, torch.tensor(math.log(choices)), "the loss, after the call")


@claim(step=3, without=NUMBER, loss=[25.0, 60.0, 85.0])
def test_perplexity_of_a_large_loss(kata, loss):
    """A loss of 25 or more has its perplexity too: it is large, and not cut off."""
    check.equal(kata.perplexity(loss), math.exp(loss), f"perplexity({loss})")
    check.equal(kata.perplexity(torch.tensor(loss)), torch.tensor(loss).exp(), f"perplexity(tensor of {loss})")


# --- Step 4: the loss of a corpus ------------------------------------------------------------------------------


@claim(step=4, without=MEASURED, shapes=CORPUS, seed=st.integers(0, 99))
def test_corpus_loss_is_the_mean_over_all_tokens(kata, shapes, seed):
    """Every token of the corpus counts the same, whatever the size of the batch that it is in."""
    model, batches = Model(), corpus(shapes, seed)
    loss = kata.corpus_loss(model, batches)
    check.equal(loss, loss_by_tokens(model, batches), f"the loss of batches of {shapes}", tolerance=1e-5)
    check.instance(loss, float, "the loss")


@claim(step=4, without=MEASURED, shapes=CORPUS)
def test_batches_may_come_from_a_generator(kata, shapes):
    """The batches may be anything to loop over once: a generator, a loader, with tuples or lists in it."""
    model, batches = Model(), corpus(shapes)
    want = loss_by_tokens(model, batches)
    loss = kata.corpus_loss(model, ([x, y] for x, y in batches))
    check.equal(loss, want, f"the loss of a generator of {len(shapes)} batches", tolerance=1e-5)


@claim(step=4, without=MEASURED, shapes=CORPUS, training=MODES)
def test_model_is_in_eval_mode_meanwhile(kata, shapes, training):
    """While its loss is computed the model is in eval mode: no dropout."""
    model = Model().train(training)
    kata.corpus_loss(model, corpus(shapes))
    check.equal(set(model.modes), {False}, "the model's `training`, at each call")


@claim(step=4, without=MEASURED, shapes=CORPUS, training=MODES)
def test_loss_is_the_same_each_time(kata, shapes, training):
    """The same corpus has the same loss each time."""
    model = Model().train(training)
    first = kata.corpus_loss(model, corpus(shapes))
    check.equal(kata.corpus_loss(model, corpus(shapes)), first, "the second loss of the same corpus")


@claim(step=4, without=MEASURED, shapes=CORPUS, training=MODES)
def test_mode_is_as_before_afterwards(kata, shapes, training):
    """A model in training mode is in training mode afterwards, one in eval mode in eval mode, down to its dropout."""
    model = Model().train(training)
    kata.corpus_loss(model, corpus(shapes))
    check.equal([part.training for part in model.modules()], [training] * 4, "`training` of the model and its parts")


@claim(step=4, without=MEASURED, shapes=CORPUS, training=MODES, at=st.integers(0, 3))
def test_mode_is_as_before_when_the_model_raises(kata, shapes, training, at):
    """An error in the model comes through to the caller, and leaves the model in the mode that it was in."""
    model = Model(raises_at=at % len(shapes)).train(training)
    check.raises(ModelError, lambda: kata.corpus_loss(model, corpus(shapes)), what="corpus_loss of a model that raises")
    check.equal([part.training for part in model.modules()], [training] * 4, "`training` of the model and its parts")
    check.equal(torch.is_grad_enabled(), True, "whether gradients are computed afterwards")


@claim(step=4, without=MEASURED, shapes=CORPUS)
def test_no_gradient_is_computed(kata, shapes):
    """While the loss is computed no graph is built for a gradient, and afterwards gradients are computed as before."""
    model = Model()
    model.table.weight.requires_grad_(False)
    kata.corpus_loss(model, corpus(shapes))
    check.equal(set(model.graphs), {False}, "whether the logits ask for a gradient, at each call")
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
    check.equal(frozen, ["table.weight"], "the list of frozen parameters, afterwards,")
    check.equal(torch.is_grad_enabled(), True, "whether gradients are computed afterwards")
    with torch.no_grad():
        kata.corpus_loss(model, corpus(shapes))
        check.equal(torch.is_grad_enabled(), False, "whether gradients are computed after a call under torch.no_grad()")


@claim(step=4, without=MEASURED, shapes=CORPUS)
def test_gradients_and_random_numbers_are_as_before(kata, shapes):
    """Measuring leaves no trace: gradients that were there stay, and the random numbers to come are the same."""
    model = Model()
    for weights in model.parameters():
        weights.grad = torch.full_like(weights, 2.0)
    torch.rand(1)  # away from where a seed would put it
    state = torch.get_rng_state()
    kata.corpus_loss(model, corpus(shapes))
    kept = [weights.grad is not None and bool((weights.grad == 2).all()) for weights in model.parameters()]
    check.equal(kept, [True] * len(kept), "whether each parameter still has its gradient, afterwards")
    check.equal(torch.equal(torch.get_rng_state(), state), True, "whether torch's random state is as before")


@claim(step=4, without=MEASURED, shapes=CORPUS, level=[0.5, 20.0])
def test_perplexity_of_a_corpus_is_that_of_its_mean_loss(kata, shapes, level):
    """The perplexity of a corpus is the exponential of its mean loss, not the mean of exponentials."""
    model, batches = Model(), corpus(shapes)
    with torch.no_grad():
        model.layer.weight.mul_(level)
    want = math.exp(loss_by_tokens(model, batches))
    check.equal(kata.perplexity(kata.corpus_loss(model, batches)), want, "the perplexity", tolerance=1e-4)


def scalar(loss):
    """The loss, which is one number in a tensor."""
    check.tensor(loss, (), None, "the loss")
    return loss
