"""k21 data parallelism: what must be true of it."""

import copy
import os
import socket
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from dojo.spec import check, claim, randomise, sizes

BANS = []
CLOSE = 1e-10  # relative, in double precision
WINDOWS = sizes("N T", strided=False, N=(5, 13), T=(2, 4))
TENSOR = sizes("N A C", N=(5, 9), A=(2, 4), C=(2, 4))
NUMBERS = sizes("N A", strided=False, N=(5, 9), A=(2, 4))
NET = sizes("V D", strided=False, V=(3, 6), D=(2, 4))
BATCH = sizes("n T D V", strided=False, n=(1, 3), T=(1, 4), D=(2, 4), V=(4, 7))
shapes = ["N", "N A", "", "A N C"]
alone_too = [2, 3, 4, 1]
several = [2, 3, 4]
uneven = [(7, 3), (5, 4), (9, 2), (7, 5)]  # numbers, and ranks
fewer = [(1, 2), (1, 3), (2, 5), (3, 4)]
sources = [(2, 0), (3, 1), (2, 1), (4, 3), (1, 0), (3, 0)]  # ranks, and the one whose values all get
layouts = ["transposed", "every second", "expanded"]
SIDE_BY_SIDE = "ranks are called side by side, and the law itself says with what"
TOGETHER = dict.fromkeys(
    ("layout", "earlier", "arguments", "modules", "mode", "gradients"),
    SIDE_BY_SIDE,
)


# --- Ranks side by side ----------------------------------------------------------------------------------------


def together(kata, reference, ranks, work):
    """What `work(group)` returns on each rank, by rank, and what each has sent: (to whom, how many numbers) a message.

    What watches calls from outside is made for one at a time, so here calls pass it by.
    """
    calls = kata.calls
    before, calls.inside = calls.inside, True
    try:
        results = reference.in_threads(ranks, lambda group: (work(group), group.sent))
    finally:
        calls.inside = before
    return [result for result, _ in results], [sent for _, sent in results]


def double():
    return torch.get_default_dtype() == torch.float64


def same_on_all(got, want, what):
    """Demand `want` of every rank: to 1e-10 in double precision, and within the usual tolerance in single."""
    for rank, values in enumerate(got):
        check.tensor(values, want.shape, want.dtype, f"{what} on rank {rank}", want=want)
    wanted = want.expand(len(got), *want.shape)
    check.equal(torch.stack(list(got)), wanted, f"{what}, rank by rank,", tolerance=CLOSE if double() else None)


def same_bits(got, what):
    """Demand that all ranks have what rank 0 has, to the last bit."""
    for rank, values in enumerate(got):
        check.tensor(values, got[0].shape, got[0].dtype, f"{what} on rank {rank}")
    off = [int((values != got[0]).sum()) for values in got]
    check.equal(off, [0] * len(got), f"the number of entries of {what} that differ from those on rank 0, rank by rank,")


def right_sum(kata, reference, tensors):
    """Demand the sum of the tensors of all ranks."""
    want = sum(tensors)  # before anyone can change them
    work = lambda group: kata.all_reduce_sum(tensors[group.rank], group)  # noqa: E731
    same_on_all(together(kata, reference, len(tensors), work)[0], want, "the sum")


def tensors_of(size, shape, ranks, scale=1.0):
    return [size.normal(shape, scale, salt=f"rank {rank}") for rank in range(ranks)]


# --- Step 1: shares --------------------------------------------------------------------------------------------


def numbered(size):
    """Windows in which no number occurs twice, so that each row can be told from its first."""
    return torch.randperm(size.N * size.T, generator=size.generator("windows")).view(size.N, size.T)


@claim(step=1, size=WINDOWS, ranks=[2, 3, 4, 5, 1])
def test_each_rank_has_every_wth_row(kata, size, ranks):
    """The share of a rank is rows rank, rank + W, rank + 2·W, … of the windows, in this order."""
    windows, rows = numbered(size), range(size.N // ranks)
    want = torch.stack([windows[[rank + ranks * row for row in rows]] for rank in range(ranks)])
    shares = [kata.shard(windows, rank, ranks) for rank in range(ranks)]
    for rank, share in enumerate(shares):
        check.tensor(share, want[rank].shape, want.dtype, f"the share of rank {rank} of {ranks}", want=want[rank])
    check.equal(torch.stack(shares), want, "the shares, rank by rank,", windows=windows)


@claim(step=1, size=WINDOWS, ranks=[3, 2, 5, 4])
def test_all_shares_are_equally_long(kata, size, ranks):
    """All ranks get equally many rows, however many windows there are."""
    shares = [kata.shard(windows=numbered(size), rank=rank, world_size=ranks) for rank in range(ranks)]
    for rank, share in enumerate(shares):
        check.instance(share, torch.Tensor, f"the share of rank {rank}")
    check.equal([len(share) for share in shares], [size.N // ranks] * ranks, "the number of rows, rank by rank,")


@claim(step=1, size=WINDOWS, ranks=[3, 2, 5, 4])
def test_no_row_belongs_to_two_ranks(kata, size, ranks):
    """Each row belongs to one rank, except those that are left over at the end, which belong to none."""
    windows = numbered(size)
    shares = [kata.shard(windows, rank, ranks) for rank in range(ranks)]
    for rank, share in enumerate(shares):
        check.tensor(share, (size.N // ranks, size.T), torch.int64, f"the share of rank {rank}")
    want = windows[: size.N // ranks * ranks, 0].sort().values
    check.equal(torch.cat(shares)[:, 0].sort().values, want, "the first numbers of the rows of all shares, sorted,")


@claim(step=1, rows_and_ranks=[(1, 2), (2, 3), (3, 5), (1, 4)])
def test_fewer_rows_than_ranks_are_refused(kata, rows_and_ranks):
    """Fewer rows than ranks are refused on every rank, with a ValueError that names both numbers."""
    rows, ranks = rows_and_ranks
    windows = torch.arange(2 * rows).view(rows, 2)
    for rank in range(ranks):
        check.raises(ValueError, lambda rank=rank: kata.shard(windows, rank, ranks), [rows, ranks], "shard")


# --- Step 2: a sum over all ranks ------------------------------------------------------------------------------


@claim(step=2, without=TOGETHER, size=TENSOR, shape=shapes, ranks=several)
def test_every_rank_has_the_sum(kata, reference, size, shape, ranks):
    """Every rank gets the sum of the tensors of all ranks, in their shape, whatever that is."""
    tensors = tensors_of(size, shape, ranks)
    right_sum(kata, reference, tensors)


@claim(step=2, without=TOGETHER, size=TENSOR, numbers_and_ranks=uneven)
def test_numbers_that_do_not_divide_evenly_are_summed(kata, reference, size, numbers_and_ranks):
    """The sum is right where the numbers cannot be divided evenly among the ranks."""
    count, ranks = numbers_and_ranks
    tensors = tensors_of(size, str(count), ranks)
    right_sum(kata, reference, tensors)


@claim(step=2, without=TOGETHER, size=TENSOR, numbers_and_ranks=fewer)
def test_fewer_numbers_than_ranks_are_summed(kata, reference, size, numbers_and_ranks):
    """The sum is right where there are fewer numbers than ranks."""
    count, ranks = numbers_and_ranks
    tensors = tensors_of(size, str(count), ranks)
    right_sum(kata, reference, tensors)


@claim(step=2, without=TOGETHER, examples=6, size=TENSOR, layout=layouts, ranks=[2, 3])
def test_a_tensor_may_lie_in_memory_as_it_likes(kata, reference, size, layout, ranks):
    """The sum is right for tensors that are transposed, or cut from larger ones, or expanded."""
    plain = tensors_of(size, "N A", ranks)
    how = {
        "transposed": lambda tensor: tensor.T.contiguous().T,
        "every second": lambda tensor: torch.stack([tensor, tensor], dim=-1)[..., 0],
        "expanded": lambda tensor: tensor[:1].expand(size.N, size.A),
    }[layout]
    tensors = [how(tensor) for tensor in plain]
    right_sum(kata, reference, tensors)


@claim(step=2, without=TOGETHER, examples=6, size=TENSOR, dtype=[torch.float32, torch.float64])
def test_the_sum_has_the_dtype_of_the_tensor(kata, reference, size, dtype):
    """The sum of float32 tensors is float32, and that of float64 tensors float64, whatever torch's default dtype is."""
    tensors = [tensor.to(dtype) for tensor in tensors_of(size, "N", 3)]
    got, _ = together(kata, reference, 3, lambda group: kata.all_reduce_sum(tensors[group.rank], group))
    check.equal([str(each.dtype) for each in got], [str(dtype)] * 3, "the dtype of the sum, rank by rank,")


@claim(step=2, without=TOGETHER, examples=6, size=NUMBERS, even=[True, False], ranks=[3, 2, 4, 1])
def test_the_argument_stays_as_it_is(kata, reference, size, even, ranks):
    """all_reduce_sum leaves the tensor that it is given as it is, on every rank, divide its numbers evenly or not."""
    tensors = tensors_of(size, f"{2 * ranks} A" if even else "N A", ranks)
    before = torch.stack(tensors)
    together(kata, reference, ranks, lambda group: kata.all_reduce_sum(tensors[group.rank], group))
    check.exactly(torch.stack(tensors), before, "the argument, rank by rank,")


@claim(step=2, without=TOGETHER, examples=6, size=TENSOR, ranks=[3, 4, 5])
def test_a_rank_sends_to_its_right_neighbour_alone(kata, reference, size, ranks):
    """Each rank sends to rank + 1 and to no other; the last one sends to rank 0."""
    tensors = tensors_of(size, "N", ranks)
    _, sent = together(kata, reference, ranks, lambda group: kata.all_reduce_sum(tensors[group.rank], group))
    got = [sorted({to for to, _ in messages}) for messages in sent]
    check.equal(got, [[(rank + 1) % ranks] for rank in range(ranks)], "to whom each rank sends")


@claim(step=2, without=TOGETHER, size=TENSOR, shape=shapes, ranks=[3, 4, 2, 5])
def test_no_rank_sends_more_than_a_ring_takes(kata, reference, size, shape, ranks):
    """Of N numbers, a rank sends at most 2·(W − 1)·⌈N / W⌉ in all, however many ranks there are."""
    tensors = tensors_of(size, shape, ranks)
    _, sent = together(kata, reference, ranks, lambda group: kata.all_reduce_sum(tensors[group.rank], group))
    most = 2 * (ranks - 1) * -(-tensors[0].numel() // ranks)
    got = [sum(numbers for _, numbers in messages) for messages in sent]
    want = [min(numbers, most) for numbers in got]
    check.equal(got, want, f"how many of {tensors[0].numel()} numbers each of {ranks} ranks sends")


@claim(step=2, without=TOGETHER, examples=6, size=TENSOR, ranks=[3, 4, 5])
def test_the_sum_has_the_same_bits_on_all_ranks(kata, reference, size, ranks):
    """The sum is the same on all ranks to the last bit: each number is added up in one order, and then copied."""
    tensors = [tensor / 3 for tensor in tensors_of(size, "N A", ranks)]
    got, _ = together(kata, reference, ranks, lambda group: kata.all_reduce_sum(tensors[group.rank], group))
    same_bits(got, "the sum")


@claim(step=2, without=TOGETHER, examples=4, size=TENSOR, shape=shapes)
def test_one_rank_alone_sends_nothing(kata, reference, size, shape):
    """Where there is one rank, it sends nothing, and the sum is its own tensor."""
    tensor = size.normal(shape)
    got, sent = together(kata, reference, 1, lambda group: kata.all_reduce_sum(tensor.clone(), group))
    check.equal(sent, [[]], "what the only rank sends: to whom, and how many numbers,")
    same_on_all(got, tensor, "the sum")


@claim(step=2, without=TOGETHER, examples=6, size=TENSOR, ranks=several)
def test_one_sum_follows_another(kata, reference, size, ranks):
    """One sum after another is right, of the same shape or another, and an earlier result stays as it was."""
    rounds = [tensors_of(size, shape, ranks, scale) for shape, scale in (("N", 1), ("N", 2), ("A C", 1), ("N", 4))]
    work = lambda group: [kata.all_reduce_sum(tensors[group.rank], group) for tensors in rounds]  # noqa: E731
    wanted = [sum(tensors) for tensors in rounds]
    results, _ = together(kata, reference, ranks, work)
    for number, want in enumerate(wanted):
        same_on_all([result[number] for result in results], want, f"sum number {number + 1}")


# --- Step 3: one model on all ranks ----------------------------------------------------------------------------


class Net(nn.Module):
    """Parameters of several shapes, one of them frozen, and buffers of several kinds, one of which is never saved."""

    def __init__(self, size, salt=""):
        super().__init__()
        self.table = nn.Embedding(size.V, size.D)
        self.body = nn.Sequential(nn.Linear(size.D, size.V), nn.ReLU())
        self.scale = nn.Parameter(torch.zeros(()))
        self.frozen = nn.Parameter(torch.zeros(size.D), requires_grad=False)
        randomise(self, size)
        with torch.no_grad():
            for name, values in self.named_parameters():
                values.copy_(size.normal(" ".join(map(str, values.shape)), salt=name + salt))
        self.average = nn.Module()
        self.average.register_buffer("mean", size.normal("D", salt="mean" + salt))
        self.average.register_buffer("count", size.ids("", 1000, salt="count" + salt))
        self.average.register_buffer("seen", size.ids("V", 2, salt="seen" + salt).bool(), persistent=False)


def row_of(tensors):
    """All numbers in a row."""
    return torch.cat([values.detach().flatten().to(torch.get_default_dtype()) for values in tensors])


def nets(size, ranks):
    return [Net(size, f"rank {rank}") for rank in range(ranks)]


@claim(step=3, without=TOGETHER, size=NET, ranks_and_source=sources)
def test_broadcast_gives_all_ranks_the_parameters(kata, reference, size, ranks_and_source):
    """After broadcast every parameter has, on all ranks, the bits that it had on the source, frozen ones included."""
    ranks, source = ranks_and_source
    models = nets(size, ranks)
    want = row_of(models[source].parameters())
    together(kata, reference, ranks, lambda group: kata.broadcast(models[group.rank], group, source))
    got = torch.stack([row_of(model.parameters()) for model in models])
    check.exactly(got, want.expand_as(got), f"the parameters, rank by rank, with source {source},")


@claim(step=3, without=TOGETHER, size=NET, ranks_and_source=sources)
def test_broadcast_gives_all_ranks_the_buffers(kata, reference, size, ranks_and_source):
    """After broadcast every buffer has, on all ranks, the bits that it had on the source, saved or not."""
    ranks, source = ranks_and_source
    models = nets(size, ranks)
    want = row_of(models[source].buffers())
    together(kata, reference, ranks, lambda group: kata.broadcast(models[group.rank], group, source))
    got = torch.stack([row_of(model.buffers()) for model in models])
    check.exactly(got, want.expand_as(got), f"the buffers, rank by rank, with source {source},")


@claim(step=3, without=TOGETHER, examples=4, size=NET, ranks=alone_too)
def test_the_usual_source_is_rank_0(kata, reference, size, ranks):
    """Without another word all ranks get what rank 0 has."""
    models = nets(size, ranks)
    want = row_of(models[0].parameters())
    together(kata, reference, ranks, lambda group: kata.broadcast(models[group.rank], group))
    got = torch.stack([row_of(model.parameters()) for model in models])
    check.exactly(got, want.expand_as(got), "the parameters, rank by rank,")


@claim(step=3, without=TOGETHER, examples=4, size=NET, ranks=alone_too)
def test_broadcast_works_in_place(kata, reference, size, ranks):
    """After broadcast the model holds the same tensors as before, of the same kind: an optimizer knows them too."""
    models = nets(size, ranks)
    before = [tensors_in(model) for model in models]
    places = [places_in(model) for model in models]
    kinds = [kinds_in(model) for model in models]
    together(kata, reference, ranks, lambda group: kata.broadcast(models[group.rank], group))
    for model, held, kind, places_before in zip(models, before, kinds, places):
        others = [name for name, values in tensors_in(model).items() if values is not held.get(name)]
        check.equal(others, [], "the names under which the model holds another tensor than before")
        check.equal(kinds_in(model), kind, "dtype and requires_grad of each tensor")
        moved = [name for name, place in places_in(model).items() if place != places_before[name]]
        check.equal(moved, [], "the names of tensors whose numbers lie elsewhere in memory than before")


def tensors_in(model):
    return dict([*model.named_parameters(), *model.named_buffers()])


def places_in(model):
    return {name: values.data_ptr() for name, values in tensors_in(model).items()}


def kinds_in(model):
    return {name: (str(values.dtype), values.requires_grad) for name, values in tensors_in(model).items()}


def give_gradients(model, size, rank, without=()):
    """Gradients that follow from the rank; none for the parameters in `without`. A frozen one has one from earlier."""
    for name, weight in model.named_parameters():
        values = size.normal(" ".join(map(str, weight.shape)), salt=f"gradient of {name} on rank {rank}")
        weight.grad = None if name in without else values


def gradients_of(model, size):
    """All gradients in a row, in the order of the parameters, but for frozen ones."""
    rows = []
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            check.tensor(weight.grad, weight.shape, weight.dtype, f"the gradient of `{name}`")
            rows.append(weight.grad.detach().flatten())
    return torch.cat(rows)


def averaged(kata, reference, size, ranks, without=lambda rank: ()):
    """Models whose gradients have been averaged, their means by hand, and what each rank has sent."""
    models = nets(size, ranks)
    for rank, model in enumerate(models):
        give_gradients(model, size, rank, without(rank))
    rows = []
    for model in models:
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        grads = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
        rows.append(row_of(grads))
    _, sent = together(kata, reference, ranks, lambda group: kata.average_gradients(models[group.rank], group))
    return models, sum(rows) / ranks, sent


@claim(step=3, without=TOGETHER, size=NET, ranks=alone_too)
def test_every_gradient_is_the_mean_over_all_ranks(kata, reference, size, ranks):
    """After average_gradients the gradient of each parameter is, on every rank, the mean of those of all ranks."""
    models, want, _ = averaged(kata, reference, size, ranks)
    same_on_all([gradients_of(model, size) for model in models], want, "the gradients")


@claim(step=3, without=TOGETHER, size=NET, ranks=several, lacking=["table.weight", "scale", "body.0.bias"])
def test_a_missing_gradient_counts_as_zeros(kata, reference, size, ranks, lacking):
    """A parameter that has no gradient on some ranks has the mean there too, to which those ranks add zeros."""
    without = lambda rank: () if rank == ranks - 1 else (lacking, *["body.0.weight"] * (rank == 0))  # noqa: E731
    models, want, _ = averaged(kata, reference, size, ranks, without)
    same_on_all([gradients_of(model, size) for model in models], want, "the gradients")


@claim(step=3, without=TOGETHER, examples=4, size=NET, ranks=alone_too, stale=[True, False])
def test_frozen_parameters_are_left_alone(kata, reference, size, ranks, stale):
    """What stands as the gradient of a frozen parameter stays there, be it an old gradient or nothing."""
    models, _, _ = averaged(kata, reference, size, ranks, lambda rank: () if stale else ("frozen",))
    for rank, model in enumerate(models):
        if stale:
            want = size.normal(str(size.D), salt=f"gradient of frozen on rank {rank}")
            check.present(model.frozen.grad, f"the gradient of a frozen parameter on rank {rank}", want)
            check.exactly(model.frozen.grad, want, f"the gradient of a frozen parameter on rank {rank}")
        else:
            check.equal(model.frozen.grad is None, True, "whether a frozen parameter has no gradient, as before,")


@claim(step=3, without=TOGETHER, examples=4, size=NET, ranks=alone_too)
def test_averaging_leaves_the_weights_alone(kata, reference, size, ranks):
    """average_gradients changes gradients, and no parameter and no buffer."""
    want = torch.stack([row_of(tensors_in(model).values()) for model in nets(size, ranks)])
    models, _, _ = averaged(kata, reference, size, ranks)
    got = torch.stack([row_of(tensors_in(model).values()) for model in models])
    check.exactly(got, want, "parameters and buffers, rank by rank,")


@claim(step=3, without=TOGETHER, examples=4, size=NET, ranks=several)
def test_gradients_have_the_same_bits_on_all_ranks(kata, reference, size, ranks):
    """The averaged gradients are the same on all ranks to the last bit."""
    models, _, _ = averaged(kata, reference, size, ranks)
    same_bits([gradients_of(model, size) for model in models], "the gradients")


@claim(step=3, without=TOGETHER, examples=4, size=NET, ranks=several)
def test_all_gradients_travel_together(kata, reference, size, ranks):
    """average_gradients sends as many messages as one sum does, however many parameters there are."""
    models, want, sent = averaged(kata, reference, size, ranks)
    _, usual = together(kata, reference, ranks, lambda group: kata.all_reduce_sum(torch.ones(len(want)), group))
    got = [len(messages) for messages in sent]
    most = [min(len(messages), number) for messages, number in zip(usual, got)]
    check.equal(got, most, "the number of messages that each rank sends")


# --- Step 4: a step together -----------------------------------------------------------------------------------


class Tiny(nn.Module):
    """Logits from the embedding of each token alone."""

    def __init__(self, size):
        super().__init__()
        self.table = nn.Embedding(size.V, size.D)
        self.head = nn.Linear(size.D, size.V)
        randomise(self, size)

    def forward(self, ids):
        return self.head(self.table(ids))


def batch(size, ranks, salt=""):
    """Inputs and targets of a whole batch: n rows for each rank."""
    return size.ids(f"{ranks * size.n} T", size.V, f"x{salt}"), size.ids(f"{ranks * size.n} T", size.V, f"y{salt}")


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.5)


def adamw(model):
    # A large eps, so that a gradient of nearly 0 is not blown up, rounding and all, to a whole step.
    return torch.optim.AdamW(model.parameters(), lr=0.1, betas=(0.8, 0.9), eps=0.01, weight_decay=0.3)


def alone(model, optimizer, x, y, max_grad_norm=None):
    """The step of one process on the whole batch; returns its loss."""
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
    loss.backward()
    if max_grad_norm is not None:
        norm = row_of([weight.grad for weight in model.parameters()]).norm()
        for weight in model.parameters():
            weight.grad *= min(1.0, max_grad_norm / norm.item())
    optimizer.step()
    return loss.item()


def trained(kata, reference, size, ranks, make=sgd, steps=1, max_grad_norm=None, stale=False):
    """Models and losses of all ranks after some steps together, and those of one process."""
    single = Tiny(size)
    models = [copy.deepcopy(single) for _ in range(ranks)]
    batches = [batch(size, ranks, str(step)) for step in range(steps)]
    if stale:
        for rank, model in enumerate(models):
            for weight in model.parameters():
                weight.grad = torch.full_like(weight, rank + 1.0)

    def work(group):
        model = models[group.rank]
        optimizer, options = make(model), () if max_grad_norm is None else (max_grad_norm,)
        shares = [(x[group.rank :: ranks], y[group.rank :: ranks]) for x, y in batches]
        return [kata.train_step_parallel(model, optimizer, x, y, group, *options) for x, y in shares]

    losses, _ = together(kata, reference, ranks, work)
    optimizer = make(single)
    return models, losses, single, [alone(single, optimizer, x, y, max_grad_norm) for x, y in batches]


@claim(step=4, without=TOGETHER, size=BATCH, ranks=alone_too)
def test_a_step_together_equals_that_of_one_process(kata, reference, size, ranks):
    """After a step on their shares, all ranks have the weights that one process has after a step on the whole batch."""
    models, _, single, _ = trained(kata, reference, size, ranks)
    same_on_all([row_of(model.parameters()) for model in models], row_of(single.parameters()), "the weights")


@claim(step=4, without=TOGETHER, size=BATCH, ranks=alone_too)
def test_the_loss_is_that_of_the_whole_batch(kata, reference, size, ranks):
    """Every rank returns the loss of the whole batch before the step, as a float: the mean of the losses of all."""
    _, losses, _, want = trained(kata, reference, size, ranks)
    for rank, got in enumerate(losses):
        check.instance(got[0], float, f"the loss on rank {rank}")
    got = torch.tensor([loss[0] for loss in losses])
    tolerance = CLOSE if double() else None
    check.equal(got, torch.tensor(want).expand_as(got), "the loss, rank by rank,", tolerance=tolerance)


@claim(step=4, without=TOGETHER, size=BATCH, ranks=alone_too, max_grad_norm=[0.05, 0.2, 1000.0])
def test_clipping_is_that_of_one_process(kata, reference, size, ranks, max_grad_norm):
    """With max_grad_norm the step is that of one process, which clips the gradient of the whole batch."""
    before = row_of(Tiny(size).parameters())
    models, _, single, _ = trained(kata, reference, size, ranks, max_grad_norm=max_grad_norm)
    want = row_of(single.parameters()) - before
    for model in models:
        check.tensor(row_of(model.parameters()), want.shape, want.dtype, "the weights")
    got = torch.stack([row_of(model.parameters()) - before for model in models])
    check.equal(got, want.expand_as(got), "how far the weights move, rank by rank,", tolerance=1e-3)


@claim(step=4, without=TOGETHER, examples=6, size=BATCH, ranks=several)
def test_gradients_from_before_play_no_part(kata, reference, size, ranks):
    """Gradients that the model holds before the step change nothing."""
    models, _, single, _ = trained(kata, reference, size, ranks, stale=True)
    same_on_all([row_of(model.parameters()) for model in models], row_of(single.parameters()), "the weights")


@claim(step=4, without=TOGETHER, examples=4, size=BATCH, ranks=several)
def test_many_steps_of_adamw_equal_those_of_one_process(kata, reference, size, ranks):
    """After three steps of AdamW all ranks have the weights of one process, and every loss was the same."""
    models, losses, single, want = trained(kata, reference, size, ranks, adamw, steps=3)
    same_on_all([row_of(model.parameters()) for model in models], row_of(single.parameters()), "the weights")
    same_on_all([torch.tensor(loss) for loss in losses], torch.tensor(want), "the losses of the steps")


@claim(step=4, without=TOGETHER, examples=4, size=BATCH, ranks=several, max_grad_norm=[None, 0.2])
def test_all_ranks_stay_equal_to_the_last_bit(kata, reference, size, ranks, max_grad_norm):
    """After several steps all ranks hold the same weights to the last bit, and a second run gives these again."""
    first, second = (
        trained(kata, reference, size, ranks, adamw, steps=2, max_grad_norm=max_grad_norm)[0] for _ in range(2)
    )
    rows = [row_of(model.parameters()) for model in (*first, *second)]
    same_bits(rows, "the weights in two runs")


# --- Step 4: real processes ------------------------------------------------------------------------------------


PROCESSES = TOGETHER | {"dtype": "the processes are started once, in double precision"}


@claim(step=4, slow=True, double=True, seconds=30.0, without=PROCESSES)
def test_two_processes_train_as_one(kata, reference):
    """Two real processes, joined by torch.distributed with gloo, get the weights that one process gets by itself."""
    ranks = 2 if hasattr(os, "fork") else 1
    model, batches = beginning(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    losses = [alone(model, optimizer, x, y) for x, y in batches]
    single, ((x, y), *_) = beginning(0)
    step = torch.optim.SGD(single.parameters(), lr=0.5)
    together(kata, reference, 1, lambda group: kata.train_step_parallel(single, step, x, y, group))  # if it is written
    want = torch.cat([*(weight.detach().flatten() for weight in model.parameters()), torch.tensor(losses)])
    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "")
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder, "meeting").as_uri()
        got = kata.in_clean_process(in_a_process, where, ranks, loopback, needs=[joined, beginning])
    same_on_all(list(got), want, "the weights, and the losses of all steps,")


def beginning(seed):
    """A model, and the batches for three steps, which are the same for every seed."""
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Embedding(5, 3), torch.nn.Linear(3, 5))
    generator = torch.Generator().manual_seed(1)
    return model, [torch.randint(5, (2, 4, 3), generator=generator) for _ in range(3)]


def joined():
    """A group of processes, for a file that has lost the one it was given."""

    class Group:
        rank, world_size = torch.distributed.get_rank(), torch.distributed.get_world_size()
        kept = []  # what is on its way has to stay in memory

        def send(self, tensor, to):
            values = tensor.detach().clone().contiguous()
            head = torch.tensor([values.ndim, *values.shape, *[0] * (7 - values.ndim)])
            for part in (head, values):
                self.kept.append((torch.distributed.isend(part, to), part))

        def receive(self, source):
            head = torch.empty(8, dtype=torch.int64)
            torch.distributed.recv(head, source)
            values = torch.empty(head[1 : 1 + head[0]].tolist())  # of the default dtype, as all that is sent here
            torch.distributed.recv(values, source)
            return values

        def close(self):
            for work, _ in self.kept:
                work.wait()

    return Group()


def in_a_process(kata, where, ranks, loopback):
    """What all ranks have after three steps: this process is rank 0, and starts the other."""
    import os
    from datetime import timedelta

    if loopback:
        os.environ["GLOO_SOCKET_IFNAME"] = loopback
    rank = 1 if ranks > 1 and os.fork() == 0 else 0
    try:
        options = {"rank": rank, "world_size": ranks, "timeout": timedelta(seconds=20)}
        torch.distributed.init_process_group("gloo", init_method=where, **options)
        group = getattr(kata, "ProcessGroup", joined)()
        model, batches = beginning(rank)
        kata.broadcast(model, group)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        shares = [(kata.shard(x, rank, ranks), kata.shard(y, rank, ranks)) for x, y in batches]
        losses = [kata.train_step_parallel(model, optimizer, x, y, group) for x, y in shares]
        mine = torch.cat([*(weight.detach().flatten() for weight in model.parameters()), torch.tensor(losses)])
        if rank == 0:
            return torch.stack([mine, *(group.receive(other) for other in range(1, ranks))])
        group.send(mine, 0)
        group.close()
    finally:
        if rank:
            os._exit(0)
