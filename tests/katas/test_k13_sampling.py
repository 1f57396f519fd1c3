"""k13 sampling: what must be true of it."""

import torch
from hypothesis import strategies as st
from torch import nn

from dojo.spec import Sizes, check, claim, sizes

# As many rows as tokens, too: then a row of numbers, one for each row, fits across the columns by mistake.
SQUARES = sizes("V", V=(3, 6)).map(lambda size: Sizes({"B": size.V, "V": size.V}, size.seed, size.strided))
LOGITS = sizes("B V", V=(4, 8)) | SQUARES
TEXTS = sizes("B T V", V=(6, 9)) | SQUARES.map(lambda size: Sizes({**size.dims, "T": 2}, size.seed, size.strided))
SOME = Sizes({"B": 2, "V": 5})
shares = [0.5, 0.8, 0.3, 0.95, 0.1, 0.99]
seeds = st.integers(0, 99)
news = st.integers(2, 8)
stops = st.integers(0, 2)
orders = [(2.0, None, 0.6), (0.5, None, 0.55), (1.0, 3, 0.45), (2.0, 3, 0.7), (1.0, 2, 0.9)]  # temperature, k, p
BAD = [{"temperature": -1.0}, {"top_k": 0}, {"top_k": -2}, {"top_p": 0.0}, {"top_p": -0.5}, {"top_p": 1.5}]
bad_options = BAD
both_modes = [True, False]
PROBABILITIES = (0.4, 0.25, 0.2, 0.1, 0.05)
DRAWS = 400  # a token of probability 0.05 stays out of all of them once in 800 million times


def logits_of(size, gap=0.4):
    """Logits in which no two of a row are close to each other; each row has a height and a steepness of its own."""
    places = torch.rand(size.shape("B V"), generator=size.generator("places")).argsort(dim=-1)
    logits = (places - 1 + torch.rand(size.shape("B V"), generator=size.generator("bits")) / 2) * gap
    logits = logits * ((torch.arange(size.B) + size.seed) % 3 + 1)[:, None] + size.normal("B 1", salt="height")
    return logits.t().contiguous().t() if size.strided else logits


def prompts(size):
    return size.ids("B T", size.V, salt="prompt")


# --- Oracles: the slow, obvious form ---------------------------------------------------------------------------


def keep_k(row, k):
    """A row of logits with −inf for all but its k largest."""
    kept = torch.full_like(row, -torch.inf)
    for place in row.argsort(descending=True)[:k]:
        kept[place] = row[place]
    return kept


def keep_p(row, p):
    """A row of logits with −inf for all but the fewest, the most likely first, that reach p together."""
    probabilities, kept, total = row.softmax(dim=-1), torch.full_like(row, -torch.inf), 0.0
    for place in row.argsort(descending=True):
        kept[place] = row[place]
        total += probabilities[place].item()
        if total >= p:
            break
    return kept


def away_from_borders(logits, p):
    """A p near the one given, at which no rounding decides how many tokens are kept."""
    sums = logits.softmax(dim=-1).sort(descending=True).values.cumsum(dim=-1)
    while ((sums - p).abs() < 1e-3).any():
        p -= 2.5e-3
    return round(p, 6)


def by_rows(keep, logits, amount):
    return torch.stack([keep(row, amount) for row in logits])


def entropy(logits):
    return torch.distributions.Categorical(logits=logits.double()).entropy()


@torch.no_grad()
def greedy_by_hand(model, ids, new, context_length):
    """Each row by itself: `new` times the most likely token after the last `context_length` tokens."""
    rows = []
    for row in ids:
        for _ in range(new):
            best = model.logits(row[None, -context_length:])[0, -1].argmax()
            row = torch.cat([row, best[None]])
        rows.append(row)
    return torch.stack(rows)


# --- Models that are functions, and keep notes of how they were called -----------------------------------------


class Model(nn.Module):
    def __init__(self, table):
        super().__init__()
        self.table = nn.Parameter(table)
        self.dropout = nn.Dropout(0.5)
        self.widths, self.modes, self.graphs = [], [], []

    def forward(self, ids):
        self.widths.append(ids.shape[1])
        self.modes.append(self.dropout.training)
        self.graphs.append(torch.is_grad_enabled())
        return self.logits(ids)


class Reader(Model):
    """What comes next depends on every token of the window, and on where in the window it stands."""

    def logits(self, ids):
        weights = (2.0 * torch.arange(ids.shape[1]) + 1).sin()[:, None]
        return (self.table[ids] * weights).cumsum(dim=1)  # (B, T, V)


class Chain(Model):
    """After each token comes one token only, as good as surely; the tokens follow each other in one circle."""

    def __init__(self, size):
        circle = torch.randperm(size.V, generator=size.generator("circle"))
        self.follows = dict(zip(circle.tolist(), circle.roll(-1).tolist()))
        super().__init__(60.0 * torch.eye(size.V)[[self.follows[token] for token in range(size.V)]])

    def logits(self, ids):
        return self.table[ids]  # (B, T, V)

    def before(self, token, steps):
        """The token that comes so many steps before another."""
        circle = [token]
        while self.follows[circle[-1]] != token:
            circle.append(self.follows[circle[-1]])
        return circle[-steps % len(circle)]

    def texts(self, ids, new, stop_id=None):
        """The texts that it writes, and the length at which all of them have stopped."""
        rows, lengths = ids.tolist(), []
        for row in rows:
            stopped = ids.shape[1] + new
            for place in range(ids.shape[1], ids.shape[1] + new):
                row.append(stop_id if place >= stopped else self.follows[row[-1]])
                if row[-1] == stop_id and place < stopped:
                    stopped = place + 1
            lengths.append(stopped)
        return torch.tensor(rows), max(lengths)


class Dice(Model):
    """The same logits after any text."""

    def logits(self, ids):
        return self.table.expand(*ids.shape, -1)  # (B, T, V)


def reader(size):
    return Reader(size.normal("V V", salt="table").contiguous())


def dice(seed):
    """Logits, all of them above 0, of `PROBABILITIES` in an order that depends on the seed."""
    probabilities = torch.tensor(PROBABILITIES)[torch.randperm(5, generator=torch.Generator().manual_seed(seed))]
    return probabilities.log() + 4


def drawn(kata, logits, seed, rows=DRAWS, **options):
    """Two new tokens, one after the other, for each of many rows that all begin alike: (2, rows)."""
    ids = torch.zeros(rows, 2, dtype=torch.int64)
    generator = torch.Generator().manual_seed(seed)
    texts = kata.generate(Dice(logits), ids, 2, context_length=4, generator=generator, **options)
    texts_of_shape(texts, (rows, 4))
    new = texts[:, 2:].t()
    below, above = bool((new < 0).any()), bool((new >= len(logits)).any())
    if below or above:
        problem = f"a drawn token is not one of the ids 0 to {len(logits) - 1}"
        raise check.Mismatch(problem, new[:, :8], alike=(below, above))
    return new


def texts_of_shape(texts, shape):
    """Demand a tensor of token ids of this shape. Which ids were drawn is left to chance, so it is no evidence."""
    try:
        check.tensor(texts, shape, torch.int64, "generate(…)")
    except check.Mismatch as mismatch:
        mismatch.alike = "another form"
        raise


def check_drawable(kata, logits, want, seed, **options):
    """Of many draws, all tokens of finite logits in `want` turn up, and no others."""
    new = drawn(kata, logits, seed, **options)
    counts = torch.stack([row.bincount(minlength=len(logits)) for row in new])  # of the first new token, of the second
    probabilities = logits.softmax(dim=-1)
    chosen = ", ".join(f"{name}={value:g}" for name, value in options.items()) or "no options"
    what = f"which tokens are drawn at all, with {chosen}"
    check.equal(counts > 0, want.isfinite().expand(2, -1), what, probabilities=probabilities)


# --- Step 1: the most likely token, and the temperature --------------------------------------------------------


@claim(step=1, size=LOGITS)
def test_greedy_takes_the_largest_logit_of_each_row(kata, size):
    """greedy returns, for every row, the id of its largest logit."""
    logits = logits_of(size)
    want = torch.tensor([max(range(size.V), key=row.__getitem__) for row in logits.tolist()])
    check.equal(kata.greedy(logits), want, "greedy(logits)", logits=logits)


@claim(step=1, size=LOGITS, low=[0.5, 0.1, 1.0], double=True)
def test_a_higher_temperature_is_flatter(kata, size, low):
    """The higher the temperature, the more evenly the probabilities are spread: their entropy rises."""
    logits, spread = logits_of(size), []
    for t in (low, 2 * low, 5 * low):
        warm = kata.with_temperature(logits, t)
        check.tensor(warm, logits.shape, logits.dtype, f"with_temperature(logits, {t:g})")
        spread.append(entropy(warm).mean().item())
    if not spread[0] < spread[1] < spread[2]:
        what = f"the entropy does not rise with the temperature, from {low:g} to {2 * low:g} to {5 * low:g}"
        raise check.Mismatch(what, spread, sorted(spread), {"logits": logits})


@claim(step=1, size=LOGITS, t=[1.0, 0.5, 2.0, 0.1, 5.0, 1.4], double=True)
def test_temperature_divides_the_logits(kata, size, t):
    """with_temperature returns logits for the probabilities softmax(logits / t)."""
    logits = logits_of(size)
    want = logits / t
    got = kata.with_temperature(logits, t)
    check.tensor(got, want.shape, want.dtype, f"with_temperature(logits, {t})", want=want, given={"logits": logits})
    if not torch.allclose(got.double().softmax(dim=-1), want.double().softmax(dim=-1), rtol=0, atol=2e-5):
        problem = f"the softmax of with_temperature(logits, {t}) has wrong values"
        raise check.Mismatch(problem, got, want, {"logits": logits})


@claim(step=1, t=[0, 0.0, -1.0, -0.5])
def test_temperature_must_be_above_zero(kata, t):
    """with_temperature raises a ValueError where the temperature is 0 or less."""
    call = lambda: kata.with_temperature(logits_of(SOME), t)  # noqa: E731
    check.raises(ValueError, call, what=f"with_temperature(logits, {t})")


@claim(step=1, size=LOGITS, examples=4)
def test_greedy_and_temperature_leave_the_logits_alone(kata, size):
    """Neither greedy nor with_temperature changes the logits that it is given."""
    check_untouched(logits_of(size), lambda logits: kata.greedy(logits=logits), "greedy")
    check_untouched(logits_of(size), lambda logits: kata.with_temperature(logits=logits, t=0.5), "with_temperature")


def check_untouched(logits, call, name):
    before = logits.clone()
    check.present(call(logits), f"{name}(…)")
    check.exactly(logits, before, f"the logits, after {name}")


# --- Step 2: top-k ---------------------------------------------------------------------------------------------


@claim(step=2, size=LOGITS, rank=st.integers(0, 3), examples=16)
def test_top_k_keeps_the_k_largest_of_each_row(kata, size, rank):
    """top_k leaves the k largest logits of every row as they are, in their places, and makes the others −inf."""
    logits, k = logits_of(size), 1 + rank % (size.V - 1)
    check.equal(kata.top_k(logits, k), by_rows(keep_k, logits, k), f"top_k(logits, {k})", logits=logits)


@claim(step=2, size=LOGITS, more=st.integers(0, 3), examples=6)
def test_top_k_of_all_tokens_keeps_all(kata, size, more):
    """A k of V or more keeps every logit as it is."""
    logits = logits_of(size)
    check.equal(kata.top_k(logits, size.V + more), logits.clone(), f"top_k(logits, {size.V + more})", logits=logits)


@claim(step=2, size=LOGITS, rank=st.integers(0, 3))
def test_top_k_with_ties_keeps_k_or_all_that_are_equal(kata, size, rank):
    """Where logits at the border are equal, exactly k survive or all of the equal ones do, and nothing below them."""
    logits, k = size.ids("B V", 3).float(), 1 + rank % (size.V - 1)
    got = kata.top_k(logits, k)
    want = logits.masked_fill(logits < logits.sort(descending=True).values[:, k - 1 : k], -torch.inf)
    check.tensor(got, want.shape, want.dtype, f"top_k(logits, {k})", want=want, given={"logits": logits})
    if not all(survivors_are_right(row, kept, k) for row, kept in zip(logits.tolist(), got.tolist())):
        raise check.Mismatch(f"top_k(logits, {k}) has wrong values", got, want, {"logits": logits})


def survivors_are_right(row, kept, k):
    """Whether `kept` holds the k largest values of a row, or those and all that equal the k-th."""
    border = sorted(row, reverse=True)[k - 1]
    sure = all(new == (old if old > border else -torch.inf) for old, new in zip(row, kept) if old != border)
    equal = [new for old, new in zip(row, kept) if old == border]
    survivors = len(kept) - kept.count(-torch.inf)
    return sure and set(equal) <= {border, -torch.inf} and survivors in (k, sum(old >= border for old in row))


@claim(step=2, k=[0, -1, -3])
def test_k_must_be_at_least_one(kata, k):
    """top_k raises a ValueError where k is below 1."""
    check.raises(ValueError, lambda: kata.top_k(logits_of(SOME), k), what=f"top_k(logits, {k})")


@claim(step=2, size=LOGITS, examples=4)
def test_top_k_leaves_the_logits_alone(kata, size):
    """top_k does not change the logits that it is given."""
    check_untouched(logits_of(size), lambda logits: kata.top_k(logits=logits, k=2), "top_k")


# --- Step 3: top-p ---------------------------------------------------------------------------------------------


@claim(step=3, size=LOGITS, share=shares, examples=12)
def test_top_p_keeps_the_fewest_tokens_that_reach_p(kata, size, share):
    """top_p keeps the most likely tokens of every row until they reach p together, the one that crosses p included."""
    logits = logits_of(size)
    for p in (away_from_borders(logits, share), away_from_borders(logits, 0.97)):
        check.equal(kata.top_p(logits, p), by_rows(keep_p, logits, p), f"top_p(logits, {p:g})", logits=logits)


@claim(step=3, size=LOGITS, p=[1e-3, 1e-9], examples=6)
def test_top_p_keeps_at_least_one(kata, size, p):
    """However small p is, the most likely token of every row is kept."""
    logits = logits_of(size)
    check.equal(kata.top_p(logits, p), by_rows(keep_k, logits, 1), f"top_p(logits, {p:g})", logits=logits)


@claim(step=3, size=LOGITS, gap=[0.4, 20.0, 0.01])
def test_top_p_of_one_keeps_all(kata, size, gap):
    """p = 1 keeps every logit as it is, also where rounding makes a sum of probabilities reach 1 too early."""
    for shape in (size, Sizes({"B": 9, "V": 500})):  # many tokens, so that rounding adds up
        logits = logits_of(shape, gap)
        check.equal(kata.top_p(logits, 1.0), logits.clone(), "top_p(logits, 1.0)", logits=logits)


@claim(step=3, alike=[4, 8, 16], rows=[3, 1, 2], share=[0.5, 0.25, 0.75])
def test_top_p_ends_where_the_sum_is_p_exactly(kata, alike, rows, share):
    """A sum of p exactly has reached p: none is kept after it, save what is as likely as the last one."""
    logits = torch.zeros(rows, alike + 3).index_fill(1, torch.arange(alike, alike + 3), -torch.inf)  # exact sums
    logits = logits + torch.arange(rows)[:, None]
    got, fewest = kata.top_p(logits, share), int(share * alike)
    check.tensor(got, logits.shape, logits.dtype, f"top_p(logits, {share})", given={"logits": logits})
    kept = got.isfinite().sum(dim=1)
    if not ((got == logits) | (got == -torch.inf)).all() or not ((kept == fewest) | (kept == alike)).all():
        problem = f"of {alike} equally likely tokens, top_p(logits, {share}) keeps the wrong number in each row"
        raise check.Mismatch(problem, kept, f"{fewest}, or all {alike}")


@claim(step=3, size=LOGITS, short=[1e-9, 1e-7, 1e-6, 1e-16], wide=[5, 300, 2000])
def test_top_p_close_to_one(kata, size, short, wide):
    """A p as close to 1 as you like is a p as any other, also where rounding keeps the sum of all tokens below it."""
    logits, p = logits_of(Sizes({"B": size.B, "V": wide}, size.seed, size.strided), 5 / wide), 1 - short
    got, what = kata.top_p(logits, p), f"top_p(logits, {p!r})"
    check.tensor(got, logits.shape, logits.dtype, what)
    lost = logits.double().softmax(dim=-1).where(got == -torch.inf, 0.0).sum(dim=-1)
    if not ((got == logits) | (got == -torch.inf)).all():
        raise check.Mismatch(f"{what} changes logits that it keeps", got, logits)
    if (lost > 1e-4).any():  # rounding costs less than a tenth of that
        problem = f"the tokens that {what} drops have more than next to nothing of the probability of a row"
        raise check.Mismatch(problem, lost, "next to nothing")


@claim(step=3, size=LOGITS, share=shares, examples=8)
def test_top_p_after_top_k(kata, size, share):
    """Tokens that are −inf already have no probability: they stay −inf, and the others share it among themselves."""
    logits = by_rows(keep_k, logits_of(size), 3)
    p = away_from_borders(logits, share)
    check.equal(kata.top_p(logits, p), by_rows(keep_p, logits, p), f"top_p(logits, {p:g})", logits=logits)
    check.equal(kata.top_p(logits, 1.0), logits.clone(), "top_p(logits, 1.0)", logits=logits)


@claim(step=3, p=[0, 0.0, -0.5, 1.5, 2])
def test_p_must_be_above_zero_and_at_most_one(kata, p):
    """top_p raises a ValueError where p is 0 or less, or above 1."""
    check.raises(ValueError, lambda: kata.top_p(logits_of(SOME), p), what=f"top_p(logits, {p})")


@claim(step=3, size=LOGITS, examples=4)
def test_top_p_leaves_the_logits_alone(kata, size):
    """top_p does not change the logits that it is given."""
    check_untouched(logits_of(size), lambda logits: kata.top_p(logits=logits, p=0.5), "top_p")


# --- Step 4: generate ------------------------------------------------------------------------------------------


@claim(step=4, size=TEXTS, context=st.integers(1, 5), new=st.integers(1, 5), examples=6, double=True)
def test_the_prompt_is_kept(kata, size, context, new):
    """generate returns every prompt, whole and unchanged, with max_new_tokens more tokens behind it."""
    ids = prompts(size)
    before = ids.clone()
    texts = kata.generate(reader(size), ids, new, context_length=context)
    check.tensor(texts, (size.B, size.T + new), torch.int64, "generate(…)")
    check.exactly(texts[:, : size.T], before, "the beginning of the texts")
    check.exactly(ids, before, "the prompts that were given, after the call")


@claim(step=4, size=TEXTS, examples=2)
def test_no_new_tokens_leave_the_prompt(kata, size):
    """With max_new_tokens = 0, generate returns the prompts as they are."""
    ids = prompts(size)
    texts = kata.generate(model=reader(size), ids=ids, max_new_tokens=0, context_length=4)
    check.equal(texts, ids.clone(), "generate(model, ids, 0)")


@claim(step=4, size=TEXTS, context=st.integers(1, 5), new=st.integers(1, 5), examples=6, double=True)
def test_the_window_is_cropped(kata, size, context, new):
    """The model is never given more than context_length tokens at a time."""
    model = reader(size)
    kata.generate(model, prompts(size), new, context_length=context)
    check.equal(max(model.widths, default=0) <= context, True, f"whether the model got at most {context} tokens")


@claim(step=4, size=TEXTS, context=st.integers(1, 5), new=st.integers(1, 5), picky=[False, True], double=True)
def test_temperature_zero_takes_the_most_likely_token(kata, size, context, new, picky):
    """At temperature 0 every new token is the most likely one after the last context_length tokens of its own row."""
    model, ids = reader(size), prompts(size)
    options = {"top_k": 3, "top_p": 0.9} if picky else {}
    want = greedy_by_hand(model, ids, new, context)
    texts = kata.generate(model, ids, new, context_length=context, temperature=0, **options)
    check.equal(texts, want, "generate(…, temperature=0)", prompts=ids)


@claim(step=4, size=TEXTS, new=st.integers(1, 5), temperature=[1.0, 0.5], examples=8)
def test_new_tokens_follow_from_the_last_of_their_row(kata, size, new, temperature):
    """What is drawn follows from the logits at the last position of the row's own text."""
    model, ids = Chain(size), prompts(size)
    want, _ = model.texts(ids, new)
    texts = kata.generate(model, ids, new, context_length=3, temperature=temperature)
    check.equal(texts, want, "generate(…), where the model leaves one choice only", prompts=ids)


@claim(step=4, size=TEXTS, training=[False, True], temperature=[1.0, 0.0], examples=8)
def test_the_model_writes_without_dropout(kata, size, training, temperature):
    """While generate runs, the model is in eval mode: dropout is off."""
    model = reader(size).train(training)
    kata.generate(model, prompts(size), 2, context_length=4, temperature=temperature)
    check.equal(any(model.modes), False, "whether dropout was on")


@claim(step=4, size=TEXTS, training=both_modes, temperature=[1.0, 0.0], examples=8)
def test_the_mode_comes_back(kata, size, training, temperature):
    """After generate the model is in the mode that it was in before."""
    model = reader(size).train(training)
    kata.generate(model, prompts(size), 2, context_length=4, temperature=temperature)
    check.equal([model.training, model.dropout.training], [training] * 2, "train mode of model and dropout, after")


@claim(step=4, size=TEXTS, temperature=[1.0, 0.0], examples=4)
def test_the_model_writes_without_gradients(kata, size, temperature):
    """While generate runs, no gradients are recorded: nobody goes back through a text that is written."""
    model = reader(size)
    kata.generate(model, prompts(size), 2, context_length=4, temperature=temperature)
    check.equal(any(model.graphs), False, "whether the model's operations were recorded for a gradient")


@claim(step=4, size=TEXTS, temperature=[1.0, 0.0], examples=4)
def test_the_model_can_be_trained_on(kata, size, temperature):
    """generate changes nothing about the parameters: their values stay, and they can be trained as before."""
    model = reader(size)
    before = model.table.detach().clone()
    kata.generate(model, prompts(size), 2, context_length=4, temperature=temperature)
    check.exactly(model.table.detach(), before, "a parameter of the model, after the call")
    check.equal([values.requires_grad for values in model.parameters()], [True], "requires_grad of it, after the call")


@claim(step=4, seed=seeds, examples=3)
def test_every_row_draws_for_itself(kata, seed):
    """Rows that begin alike do not all go on alike: each draws its own tokens."""
    new = drawn(kata, dice(seed), seed)[0]
    if (new == new[0]).all():
        raise check.Mismatch(f"{len(new)} rows with the same prompt all drew the same token", new[:8], alike="one")


@claim(step=4, seed=seeds, examples=3)
def test_every_token_can_be_drawn(kata, seed):
    """Without filters, every token turns up sooner or later, as often as it is likely."""
    check_drawable(kata, dice(seed), dice(seed), seed)
    even = drawn(kata, torch.linspace(0, 0.1, 200), seed, rows=200)  # fewer than 100 different ones would be no chance
    check.equal(len(even.unique()) > 100, True, "whether more than 100 of 200 tokens turn up, all nearly as likely,")


@claim(step=4, seed=seeds, examples=3)
def test_a_low_temperature_draws_the_most_likely_token_only(kata, seed):
    """At a temperature close to 0, as good as only the most likely token is drawn."""
    check_drawable(kata, dice(seed), keep_k(dice(seed), 1), seed, temperature=0.02)


@claim(step=4, seed=seeds, examples=3)
def test_a_high_temperature_draws_unlikely_tokens_too(kata, seed):
    """At a high temperature, tokens turn up that were as good as impossible before."""
    check_drawable(kata, dice(seed) * 12, dice(seed), seed, temperature=12.0)


@claim(step=4, seed=seeds, k=[2, 1, 3, 9], examples=5)
def test_generate_draws_from_the_top_k(kata, seed, k):
    """With top_k, the k most likely tokens are drawn and no others."""
    check_drawable(kata, dice(seed), keep_k(dice(seed), k), seed, top_k=k)


@claim(step=4, seed=seeds, p=[0.6, 0.3, 0.8, 1.0], examples=5)
def test_generate_draws_from_the_top_p(kata, seed, p):
    """With top_p, the fewest tokens that reach p together are drawn and no others."""
    check_drawable(kata, dice(seed), keep_p(dice(seed), p), seed, top_p=p)


@claim(step=4, seed=seeds, options=orders)
def test_temperature_then_top_k_then_top_p(kata, seed, options):
    """The temperature comes first, then top-k, then top-p: each looks at what the one before has left."""
    temperature, k, p = options
    left = dice(seed) / temperature
    left = left if k is None else keep_k(left, k)
    chosen = {"temperature": temperature, "top_p": p} | ({} if k is None else {"top_k": k})
    check_drawable(kata, dice(seed), keep_p(left, p), seed, **chosen)


@claim(step=4, seed=seeds, options=[{}, {"temperature": 2.0}, {"top_k": 3}, {"temperature": 0.5}], examples=4)
def test_tokens_are_drawn_as_often_as_they_are_likely(kata, seed, options):
    """Each token is drawn about as often as the softmax says."""
    rows = 1000
    left = keep_k(dice(seed), options.get("top_k", 5)) / options.get("temperature", 1.0)
    want = left.double().softmax(dim=-1)
    got = drawn(kata, dice(seed), seed, rows, **options).flatten().bincount(minlength=5).double() / (2 * rows)
    # Six standard deviations: right code is refused once in a hundred million runs.
    off = (got - want).abs() > 6 * (want * (1 - want) / (2 * rows)).sqrt()
    if off.any():
        problem = f"the shares of the tokens in {2 * rows} draws are far from their probabilities"
        raise check.Mismatch(problem, got, want, alike=how_they_are_spread(got, left, 2 * rows))


def how_they_are_spread(shares, logits, count):
    """What two right minds would agree on: which tokens were drawn, and whether likely ones come too often."""
    want = logits.double().softmax(dim=-1)
    best, spread = want.argmax(), 4 * (want.max() / count) ** 0.5
    more = (shares[best] - want[best]).item()
    return (shares > 0).tolist(), 0 if abs(more) < spread else 1 if more > 0 else -1


@claim(step=4, seed=seeds, examples=3)
def test_equal_generators_give_equal_texts(kata, seed):
    """The text depends on the generator and on nothing else: an equal one repeats it, another writes another."""

    def texts(generator, world):
        torch.default_generator.manual_seed(world)
        ids = torch.zeros(3, 1, dtype=torch.int64)
        return kata.generate(Dice(dice(0)), ids, 6, context_length=4, generator=generator)

    given, equal, another = (torch.Generator().manual_seed(number) for number in (seed, seed, seed + 1))
    one, again, other = texts(given, 1), texts(equal, 2), texts(another, 1)
    texts_of_shape(one, (3, 7))
    if not torch.equal(again, one):
        problem = "the texts of a second call with an equal generator are other ones"
        raise check.Mismatch(problem, again, one, alike="others")
    if torch.equal(other, one):
        raise check.Mismatch("the texts are the same with another generator", other, alike="the same")
    if torch.equal(texts(given, 1), one):
        problem = "the texts are the same again with the same generator, which does not move on"
        raise check.Mismatch(problem, one, alike="the same")


@claim(step=4, seed=seeds, examples=2)
def test_the_temperature_is_one_unless_given(kata, seed):
    """Without a temperature the text is that of temperature 1: the model's own opinion."""

    def written(rows, **options):
        ids, generator = torch.zeros(rows, 1, dtype=torch.int64), torch.Generator().manual_seed(seed)
        text = kata.generate(Dice(dice(seed)), ids, 5, context_length=4, generator=generator, **options)
        texts_of_shape(text, (rows, 6))
        return text

    got, want = written(300), written(300, temperature=1.0)
    if not torch.equal(got, want):
        shares = written(2000)[:, 1:].flatten().bincount(minlength=5).double() / 10_000
        alike = how_they_are_spread(shares, dice(seed), 10_000)
        raise check.Mismatch("the texts of generate without a temperature are other ones", got, want, alike=alike)


@claim(step=4, seed=seeds, examples=2)
def test_without_a_generator_every_call_draws_anew(kata, seed):
    """Without a generator the text is left to chance: a second call writes another."""
    ids = torch.zeros(3, 1, dtype=torch.int64)
    one, other = (kata.generate(Dice(dice(seed)), ids, 8, context_length=4) for _ in range(2))
    texts_of_shape(one, (3, 9))
    if torch.equal(one, other):
        alike = bool((other[:, 1:] == dice(seed).argmax()).all())  # whether anything was drawn at all
        raise check.Mismatch("a second call without a generator writes the same texts", other, alike=alike)


@claim(step=4, seed=seeds, examples=3)
def test_every_token_is_drawn_anew(kata, seed):
    """With even chances, one token after another is drawn, and they are not all the same."""
    ids = torch.zeros(4, 1, dtype=torch.int64)
    generator = torch.Generator().manual_seed(seed)
    texts = kata.generate(Dice(torch.ones(5)), ids, 9, context_length=4, generator=generator)
    texts_of_shape(texts, (4, 10))
    if (texts[:, 2:] == texts[:, 1:2]).all():
        raise check.Mismatch("every row repeats the first token that it drew", texts[:, 1:9], alike="one")


@claim(step=4, size=TEXTS, late=st.integers(0, 2), new=news, stop=stops, temperature=[1.0, 0.0], upward=[False, True])
def test_each_row_stops_by_itself(kata, size, late, new, stop, temperature, upward):
    """A row that has drawn stop_id gets stop_id from then on, and the other rows go on as before."""
    model, ids = Chain(size), prompts(size)
    for b in range(size.B):
        step = size.B - 1 - b if upward else b
        ids[b, -1] = model.before(stop, late + step + 1)  # each row stops a step later than its neighbour
    check_stopping(kata, model, ids, new, stop, temperature)


@claim(step=4, size=TEXTS, new=news, stop=stops, temperature=[1.0, 0.0], examples=8)
def test_a_stop_id_in_the_prompt_stops_nothing(kata, size, new, stop, temperature):
    """Only a stop_id that was drawn ends a row, not one that stands in its prompt."""
    ids = prompts(size)
    ids[:, size.seed % size.T] = stop
    check_stopping(kata, Chain(size), ids, new, stop, temperature)


def check_stopping(kata, model, ids, new, stop, temperature):
    """The texts of `Chain`, either to their full length or to where all rows have stopped."""
    want, shortest = model.texts(ids, new, stop)
    got = kata.generate(model, ids, new, context_length=3, temperature=temperature, stop_id=stop)
    if isinstance(got, torch.Tensor) and got.ndim == 2 and shortest <= got.shape[1] < want.shape[1]:
        want = want[:, : got.shape[1]]
    check.equal(got, want, f"generate(…, stop_id={stop})", prompts=ids)


@claim(step=4, examples=8, option=bad_options)
def test_generate_refuses_bad_options(kata, option):
    """generate raises a ValueError for a temperature below 0, a k below 1, and a p of 0 or less, or above 1."""
    ids = torch.zeros(2, 1, dtype=torch.int64)
    call = lambda: kata.generate(Dice(dice(0)), ids, 1, context_length=4, **option)  # noqa: E731
    check.raises(ValueError, call, what=f"generate(…, {told(option)})")


def told(option):
    return ", ".join(f"{name}={value}" for name, value in option.items())
