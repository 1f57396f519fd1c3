"""k02 batches: what must be true of them."""

import functools

import torch
from hypothesis import strategies as st

from dojo.spec import Sizes, check, claim

BANS = []
contexts = st.integers(1, 6)
strides = st.integers(1, 7)
counts = st.integers(1, 4)
seeds = st.integers(0, 999)
fractions = [0.05, 1.0, 0.9, 0.5, 0.8, 0.3]
# A claim about tokens. They are whole numbers, whatever the default dtype.
of_tokens = functools.partial(claim, without={"dtype": "tokens are whole numbers"})


def tokens(length, seed=0):
    """A row of `length` token ids, all different and all even."""
    return torch.randperm(200, generator=torch.Generator().manual_seed(seed))[:length] * 2


def large_tokens(length, seed=0):
    """Ids that neither 16 bits nor a float32 can hold."""
    return tokens(length, seed) * 500_000 + 16_777_217


def windows_by_hand(data, context_length, stride):
    """Inputs and targets of every whole window, and nothing else: the slow, obvious loop."""
    inputs, targets = [], []
    for start in range(0, len(data), stride):
        if start + context_length + 1 <= len(data):
            inputs.append(data[start : start + context_length])
            targets.append(data[start + 1 : start + context_length + 1])
    return torch.stack(inputs), torch.stack(targets)


def batches(batch_size, offsets):
    """Sizes of a batch from data with so many offsets."""
    return st.builds(lambda T, room: Sizes({"B": batch_size, "T": T, "N": T + room}), contexts, offsets)


def two(got, what):
    """Demand a pair."""
    check.instance(got, (tuple, list), what)
    check.equal(len(got), 2, f"the number of results of {what}")
    return got


def places(data, ids):
    """Where each of `ids` stands in `data` (all different), −1 for what stands nowhere."""
    found = ids[..., None] == data
    return torch.where(found.any(-1), found.int().argmax(-1), -1)


def length_for(context_length, stride, count, full):
    """A length of data that holds `count` windows: with `full`, one token more would make it another one."""
    return context_length + 1 + (count - 1) * stride + (stride - 1 if full else 0)


# --- Step 1: split ---------------------------------------------------------------------------------------------


@of_tokens(step=1, length=st.integers(2, 40), fraction=fractions)
def test_training_part_is_the_beginning(kata, length, fraction):
    """The training part is the first int(len(data) · train_fraction) tokens, in their order."""
    data = tokens(length)
    train, _ = two(kata.split(data, fraction), "split")
    check.equal(train, data[: int(length * fraction)], "the training part", data=data)


@of_tokens(step=1, length=st.integers(2, 40), fraction=fractions)
def test_validation_part_is_the_rest(kata, length, fraction):
    """The validation part is all the other tokens, in their order: none is in both parts, none is lost."""
    data = tokens(length)
    _, val = two(kata.split(data, fraction), "split")
    check.equal(val, data[int(length * fraction) :], "the validation part", data=data)


@of_tokens(step=1, eighths=st.integers(1, 25), fraction=[0.125, 0.875, 0.375])
def test_a_fraction_may_be_finer_than_a_percent(kata, eighths, fraction):
    """The fraction is taken as it is, an eighth as an eighth."""
    data = tokens(8 * eighths)
    train, _ = two(kata.split(data, fraction), "split")
    check.equal(train, data[: int(len(data) * fraction)], "the training part", data=data)


@of_tokens(step=1, length=st.integers(2, 40))
def test_nine_tenths_are_for_training_unless_asked_otherwise(kata, length):
    """Without a fraction, nine tenths of the tokens are for training."""
    data = tokens(length)
    train, val = two(kata.split(data), "split")
    check.equal(train, data[: int(length * 0.9)], "the training part", data=data)
    check.equal(val, data[int(length * 0.9) :], "the validation part", data=data)


# --- Step 2: windows -------------------------------------------------------------------------------------------


@of_tokens(step=2, context_length=contexts, seed=seeds)
def test_data_for_one_window_gives_one_window(kata, context_length, seed):
    """One token more than the context length is one window, and the last token of the data is its last target."""
    data = tokens(context_length + 1, seed)
    inputs, targets = two(kata.windows(data, context_length, 1), "windows")
    check.equal(inputs, data[None, :-1], "the tensor of inputs", data=data)
    check.equal(targets, data[None, 1:], "the tensor of targets", data=data)


@of_tokens(step=2, context_length=contexts, stride=strides, count=counts, full=[False, True])
def test_inputs_are_every_whole_window(kata, context_length, stride, count, full):
    """The inputs are the windows at 0, stride, 2·stride …: all that fit with their last target, and no other."""
    data = tokens(length_for(context_length, stride, count, full))
    inputs, _ = two(kata.windows(data, context_length, stride), "windows")
    want, _ = windows_by_hand(data, context_length, stride)
    check.equal(inputs, want, "the tensor of inputs", data=data)


@of_tokens(step=2, context_length=contexts, stride=strides, count=counts, full=[False, True])
def test_targets_are_the_next_tokens_of_the_data(kata, context_length, stride, count, full):
    """The target of every input is the token that follows it in the data."""
    data = tokens(length_for(context_length, stride, count, full))
    _, targets = two(kata.windows(data, context_length, stride), "windows")
    _, want = windows_by_hand(data, context_length, stride)
    check.equal(targets, want, "the tensor of targets", data=data)


@of_tokens(step=2, context_length=contexts, stride=strides, count=counts)
def test_large_ids_stay_what_they_are_in_windows(kata, context_length, stride, count):
    """Ids come back to the last digit, however large they are."""
    data = large_tokens(length_for(context_length, stride, count, full=False))
    pairs = two(kata.windows(data, context_length, stride), "windows")
    for got, want, name in zip(pairs, windows_by_hand(data, context_length, stride), ("inputs", "targets")):
        check.equal(got, want, f"the tensor of {name}", data=data)


@of_tokens(step=2, context_length=contexts, count=counts, full=[False, True])
def test_a_stride_of_the_context_covers_every_token_once(kata, context_length, count, full):
    """With a stride of the context length the windows lie end to end: no token is skipped, and none comes twice."""
    data = tokens(length_for(context_length, context_length, count, full))
    inputs, targets = two(kata.windows(data, context_length, context_length), "windows")
    check.tensor(inputs, (count, context_length), torch.int64, "the tensor of inputs")
    check.tensor(targets, (count, context_length), torch.int64, "the tensor of targets")
    check.equal(inputs.reshape(-1), data[: count * context_length], "the row of all inputs, window after window,")
    check.equal(
        targets.reshape(-1), data[1 : count * context_length + 1], "the row of all targets, window after window,"
    )


@of_tokens(step=2, stride=strides, context_length=st.integers(31, 49), missing=[1, 2, 31, 7])
def test_windows_refuses_too_short_data(kata, stride, context_length, missing):
    """Data of no more tokens than the context length is a ValueError with both lengths."""
    length = context_length + 1 - missing
    call = lambda: kata.windows(tokens(length), context_length, stride)
    # Whoever says how many tokens it takes, with the last target, has said the context length as well.
    mentions = (length, (context_length, context_length + 1))
    check.raises(
        ValueError, call, mentions, f"windows(…) with a context of {context_length} and data of length {length}"
    )


@of_tokens(step=2, context_length=contexts, stride=strides)
def test_windows_leaves_the_data_alone(kata, context_length, stride):
    """windows does not change the data."""
    data = tokens(20)
    check.present(kata.windows(data, context_length, stride), "windows(…)")
    check.equal(data, tokens(20), "the data after the call")


# --- Step 3: a random batch ------------------------------------------------------------------------------------


@of_tokens(step=3, context_length=contexts, batch_size=st.integers(8, 10), seed=seeds)
def test_one_possible_window_fills_the_batch(kata, context_length, batch_size, seed):
    """Where there is but one window, every row of x is that window, and y is the same moved by one token."""
    data = tokens(context_length + 1, seed)
    x, y = batch_of(kata, data, Sizes({"B": batch_size, "T": context_length}), generator(seed))
    check.equal(x, data[:-1].repeat(batch_size, 1), "`x`", data=data)
    check.equal(y, data[1:].repeat(batch_size, 1), "`y`", data=data)


@of_tokens(step=3, context_length=contexts, batch_size=counts, seed=seeds)
def test_large_ids_stay_what_they_are_in_a_batch(kata, context_length, batch_size, seed):
    """Ids come back to the last digit, however large they are."""
    data = large_tokens(context_length + 1, seed)
    x, y = batch_of(kata, data, Sizes({"B": batch_size, "T": context_length}), generator(seed))
    check.equal(x, data[:-1].repeat(batch_size, 1), "`x`", data=data)
    check.equal(y, data[1:].repeat(batch_size, 1), "`y`", data=data)


@of_tokens(step=3, size=batches(40, st.integers(2, 9)))
def test_rows_are_stretches_of_the_data(kata, size):
    """Every row of x is a stretch of the data, token after token, with or without a generator."""
    data = tokens(size.N)
    for given in (generator(0), None):
        x, _ = batch_of(kata, data, size, given)
        steps = places(data, x).diff(dim=1).unique().tolist()
        what = "the list of steps in the data, from each token of a row of `x` to the next,"
        demand_distances(steps, [1] if size.T > 1 else [], what)


@of_tokens(step=3, size=batches(60, st.integers(2, 9)))
def test_y_is_one_token_further_on(kata, size):
    """Every target is the token that follows its input in the data, in every row."""
    data = tokens(size.N)
    for given in (generator(0), None):
        x, y = batch_of(kata, data, size, given)
        moved = (places(data, y) - places(data, x)).unique().tolist()
        demand_distances(moved, [1], "the list of distances in the data, from an input to its target,")


@of_tokens(step=3, size=batches(300, st.integers(1, 6)))
def test_every_offset_is_drawn(kata, size):
    """Windows start at every place from 0 to the last one that leaves room for the last target."""
    data = tokens(size.N)
    x, _ = batch_of(kata, data, size, generator(0))
    check.equal(
        places(data, x[:, 0]).unique().tolist(),
        list(range(size.N - size.T)),
        "the list of offsets found in 300 windows",
    )


@of_tokens(step=3, size=batches(3000, st.integers(2, 6)))
def test_offsets_are_equally_likely(kata, size):
    """Each offset is drawn about as often as any other."""
    data, offsets = tokens(size.N), size.N - size.T
    x, _ = batch_of(kata, data, size, generator(1))
    count = places(data, x[:, 0]).bincount(minlength=offsets)
    slack = 6 * (size.B / offsets * (1 - 1 / offsets)) ** 0.5  # six standard deviations
    excess = (count - size.B / offsets).tolist()
    verdict = ["seldom" if c < -slack else "often" if c > slack else "right" for c in excess]
    if set(verdict) != {"right"}:
        problem = f"not every offset is drawn about {size.B // offsets} times in {size.B}"
        raise check.Mismatch(problem, count, torch.full_like(count, size.B // offsets), alike=verdict)


@of_tokens(step=3, costly=True, examples=2, context_length=contexts)
def test_rows_are_drawn_independently(kata, context_length):
    """The rows of a batch have nothing to do with each other: any two offsets may meet, twice the same one too."""
    data = tokens(context_length + 3)
    size, given = Sizes({"B": 2, "T": context_length}), generator(0)
    met = set()
    for _ in range(120):
        x, _ = batch_of(kata, data, size, given)
        met.add(tuple(places(data, x[:, 0]).tolist()))
    want = [(i, j) for i in range(3) for j in range(3)]
    check.equal(sorted(met), want, "the list of offsets that meet in 120 batches of two windows")


@of_tokens(step=3, seed=seeds)
def test_equal_generators_give_equal_batches(kata, seed):
    """Two generators in the same state give the same batch, and the next batch of either is another one."""
    data, size = tokens(200), Sizes({"B": 8, "T": 3})
    one, other = generator(seed), generator(seed)
    first, again = batch_of(kata, data, size, one), batch_of(kata, data, size, other)
    second = batch_of(kata, data, size, one)
    if not all(map(torch.equal, first, again)):
        raise check.Mismatch("two equal generators give different batches", again[0], first[0], alike="different")
    demand_another(first, second)


@of_tokens(step=3, context_length=contexts)
def test_batches_differ_without_a_generator(kata, context_length):
    """Without a generator too, batches are drawn at random: one is not like the next."""
    data, size = tokens(200), Sizes({"B": 8, "T": context_length})
    first, second = batch_of(kata, data, size, None), batch_of(kata, data, size, None)
    demand_another(first, second)


@of_tokens(step=3, batch_size=counts, context_length=st.integers(31, 49), missing=[1, 2, 31, 7])
def test_get_batch_refuses_too_short_data(kata, batch_size, context_length, missing):
    """Data of no more tokens than the context length is a ValueError with both lengths."""
    length = context_length + 1 - missing
    call = lambda: kata.get_batch(tokens(length), batch_size, context_length)
    mentions = (length, (context_length, context_length + 1))
    check.raises(
        ValueError, call, mentions, f"get_batch(…) with a context of {context_length} and data of length {length}"
    )


@of_tokens(step=3, context_length=contexts, batch_size=counts)
def test_get_batch_leaves_the_data_alone(kata, context_length, batch_size):
    """get_batch does not change the data."""
    data = tokens(20)
    check.present(kata.get_batch(data, batch_size, context_length, generator(0)), "get_batch(…)")
    check.equal(data, tokens(20), "the data after the call")


def generator(seed):
    return torch.Generator().manual_seed(seed)


def demand_distances(got, want, what):
    """Demand these distances; of many it is left to chance which ones occur."""
    try:
        check.equal(got, want, what)
    except check.Mismatch as mismatch:
        if len(got) > 3:
            mismatch.alike = "many"
        raise


def demand_another(first, second):
    """Demand that two batches are not the same."""
    if all(map(torch.equal, first, second)):
        raise check.Mismatch("the second batch is the first one again", second[0], "another batch", alike="the same")


def batch_of(kata, data, size, given):
    """x and y of get_batch, both (B, T) int64; `given` is the generator or None."""
    arguments = (data, size.B, size.T) if given is None else (data, size.B, size.T, given)
    try:
        x, y = two(kata.get_batch(*arguments), "get_batch")
    except (IndexError, RuntimeError) as error:
        if str(error) == "step 3":
            raise
        got = f"{type(error).__name__}: {error}"
        problem = f"get_batch raises an error with a context of {size.T} and data of length {len(data)}"
        raise check.Mismatch(problem, got, "a batch", alike="an error") from error
    check.tensor(x, (size.B, size.T), torch.int64, "`x`")
    check.tensor(y, (size.B, size.T), torch.int64, "`y`")
    return x, y
