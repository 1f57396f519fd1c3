"""k05 causal attention: what must be true of it."""

from contextlib import contextmanager

import torch
from hypothesis import strategies as st

from dojo.spec import DROPOUT, FUSED_ATTENTION, ban, check, claim, oracle, randomise, sizes

BANS = [
    ban(*FUSED_ATTENTION, why="it is the fused form of what you build here."),
    ban(*DROPOUT, why="step 3 is to write dropout yourself.", steps=[3]),
]
ATTENTION = "B T d_in d_out"
rates = [0.5, 0.25, 0.8]
rooms = [2, 0]  # how many tokens fewer than the context length
leading = ["B h", "B", ""]
modes = ["training", "eval mode"]
PROJECTIONS = ("W_query", "W_key", "W_value")
# What gradients must reach. No bias of the key: it adds the same to all scores of a row, so its gradient is 0.
LEARNERS = (*(f"{name}.weight" for name in PROJECTIONS), "W_query.bias", "W_value.bias", "x")

LADDER = 1.15 ** torch.arange(116, dtype=torch.float64)  # from 1 up to 1e7: a fill of -1e9 will do
MANY = sizes("B T D", B=(2, 3), T=(5, 7), D=(4, 8))  # so many entries that some are dropped, whatever is drawn
NO_TENSOR = {
    "layout": "it takes no tensor",
    "dtype": "it neither takes nor gives numbers",
    "earlier": "its only argument is a number",
}
EXACT = {"dtype": "scores this large are not exact in single precision"}
LONG = dict.fromkeys(("layout", "dtype", "earlier", "arguments"), "it is about the length alone, and takes long")


# --- Oracles: the slow, obvious form ---------------------------------------------------------------------------


def masked_softmax_by_rows(scores, mask):
    weights = torch.zeros_like(scores)
    for i, hidden in enumerate(mask):
        visible = ~hidden
        weights[..., i, visible] = torch.softmax(scores[..., i, visible], dim=-1)
    return weights


@oracle
def causal_attention_by_tokens(module, x):
    query, key, value = module.W_query(x), module.W_key(x), module.W_value(x)
    outputs = []
    for t in range(x.shape[1]):
        scores = torch.einsum("bd,bsd->bs", query[:, t], key[:, : t + 1]) / key.shape[-1] ** 0.5
        outputs.append(torch.einsum("bs,bsd->bd", torch.softmax(scores, dim=-1), value[:, : t + 1]))
    return torch.stack(outputs, dim=1)


@contextmanager
def any_draw_alike(got, whole):
    """Hand diagnosis what does not depend on which entries were drawn: the factors that occur, and how zeros lie."""
    try:
        yield
    except check.Mismatch as mismatch:
        if not isinstance(got, torch.Tensor) or got.shape != whole.shape:
            raise
        got, whole = got.detach().double(), whole.detach().double()
        factors = (got / whole)[whole != 0].mul(1000).round().div(1000).add(0.0).unique().tolist()
        gone = (got == 0) & (whole != 0)
        survived = 1 - gone.sum().item() / max((whole != 0).sum().item(), 1)
        if len(factors) == 2 and abs(factors[1] * survived - 1) < 2e-3:
            factors = "1 / the share that survived"
        halves = got.tensor_split(2, dim=-1)
        mismatch.alike = {
            "factors": factors if isinstance(factors, str) or len(factors) <= 4 else "many",
            "dropped": bool(gone.any()),
            "whole columns": bool((gone.any(-2) == gone.all(-2)).all()) if gone.ndim > 1 else False,
            "sums kept": torch.allclose(got.sum(-1), whole.sum(-1), rtol=1e-3),
            "halves alike": halves[0].shape == halves[1].shape and torch.equal(*halves),
        }
        raise


def check_output(module, x, want, what):
    """Demand this output; where each call gives another, which one it was is left to chance."""
    got = module(x.clone())
    try:
        check.equal(got, want, what, x=x)
    except check.Mismatch as mismatch:
        if isinstance(got, torch.Tensor) and got.shape == want.shape and not torch.equal(got, module(x.clone())):
            mismatch.alike = "another output at every call"
        raise


def check_ladder(got, want, what, **given):
    """Demand this on every rung; what is shown and compared is the first that is wrong."""
    check.tensor(got, want.shape, want.dtype, what)
    off, largest = ((each.flatten(1).abs().amax(1)) for each in (got - want, want))  # (rungs,)
    rung = int((~(off <= 1e-3 * largest.clamp(min=1e-3))).int().argmax())  # NaN is no less than anything
    shown = {name: value[rung] if len(value) == len(LADDER) else value for name, value in given.items()}
    try:
        check.equal(got[rung], want[rung], what, tolerance=1e-3, **shown)
    except check.Mismatch as mismatch:
        mismatch.alike = float(rung), got[rung]  # a number, so that rungs can be nearer and farther
        raise


def some_mask(size):
    """A mask in which every token sees itself, and the rest is drawn."""
    hidden = torch.rand(size.T, size.T, generator=size.generator("mask")) < 0.5
    return hidden & ~torch.eye(size.T, dtype=torch.bool)


def attention(kata, size, room=0, **options):
    """The module under test in eval mode, with parameters that no default start hides."""
    module = kata.CausalAttention(size.d_in, size.d_out, size.T + room, **options)
    check.instance(module, torch.nn.Module, "CausalAttention(…)")
    randomise(module, size)
    return module.eval()


def with_same_parameters(reference, module, size, room=0, **options):
    """The module under test beside the reference's, with parameters copied into it (buffers are its own)."""
    model = attention(reference, size, room, **options)
    check.copy_parameters(model, module)
    return model


# --- Step 1: the mask ------------------------------------------------------------------------------------------


@claim(step=1, tokens=st.integers(1, 8), without=NO_TENSOR)
def test_mask_is_true_exactly_for_later_tokens(kata, tokens):
    """causal_mask is True exactly where the key (column) comes after the query (row)."""
    want = torch.tensor([[key > query for key in range(tokens)] for query in range(tokens)])
    check.equal(kata.causal_mask(tokens), want, f"causal_mask({tokens})")


# --- Step 2: softmax over what is visible ----------------------------------------------------------------------


@claim(step=2, size=sizes("B T"))
def test_hidden_weights_are_exactly_zero(kata, size):
    """masked_softmax gives every hidden entry a weight of exactly 0."""
    scores, mask = size.normal("B T T"), some_mask(size)
    weights = kata.masked_softmax(scores, mask)
    check.tensor(weights, scores.shape, scores.dtype, "masked_softmax(scores, mask)")
    hidden = weights.masked_fill(~mask, 0)
    check.exactly(hidden, torch.zeros_like(weights), "the hidden part of the weights", scores=scores, mask=mask)


@claim(step=2, size=sizes("B h T"), lead=leading, double=True)
def test_visible_weights_are_the_softmax_of_the_visible_scores(kata, size, lead):
    """masked_softmax gives the visible entries of a row the softmax of their own scores."""
    scores, mask = size.normal(f"{lead} T T", scale=2), some_mask(size)
    want = masked_softmax_by_rows(scores, mask)
    weights = kata.masked_softmax(scores, mask)
    check.equal(weights, want, "masked_softmax(scores, mask)", scores=scores, mask=mask)
    exact = 5e-7 if weights.dtype == torch.float64 else None  # single precision inside will do, but nothing is added
    sums = weights.sum(-1)
    check.equal(sums, torch.ones_like(sums), "the sum of each row of masked_softmax(scores, mask)", tolerance=exact)


@claim(step=2, size=sizes("B T", T=(2, 7)))
def test_extreme_scores_do_not_break_the_mask(kata, size):
    """masked_softmax holds for scores of ±30,000 too: what is hidden stays hidden, what is visible sums to 1."""
    scores, mask = size.normal("B T T", scale=30_000), some_mask(size)
    want, got = masked_softmax_by_rows(scores, mask), kata.masked_softmax(scores, mask)
    check.equal(got, want, "masked_softmax(scores, mask)", tolerance=1e-2, scores=scores, mask=mask)


@claim(step=2, size=sizes("T", T=(2, 4)), double=True)
def test_no_visible_score_is_too_low(kata, size):
    """masked_softmax gives hidden entries weight 0 however low the visible scores of a row are, and they high."""
    mask = some_mask(size)
    mask[0, 1] = True  # something is hidden
    heights = LADDER.view(-1, 1, 1).to(torch.get_default_dtype())
    scores = size.normal("T T") + torch.where(mask, heights, -heights)  # (rungs, T, T)
    got = kata.masked_softmax(scores, mask)
    check.tensor(got, scores.shape, scores.dtype, "masked_softmax(scores, mask)")
    hidden = got.masked_fill(~mask, 0)  # the others may be rounded: scores of 1e7 are, in single precision
    check_ladder(hidden, torch.zeros_like(hidden), "the hidden part of the weights", scores=scores, mask=mask)


@claim(step=2, size=sizes("B T"))
def test_masked_softmax_leaves_its_arguments_alone(kata, size):
    """masked_softmax changes neither the scores nor the mask that it is given."""
    scores, mask = size.normal("B T T"), some_mask(size)
    before = scores.clone(), mask.clone()
    check.present(kata.masked_softmax(scores, mask), "masked_softmax(scores, mask)")
    check.exactly(scores, before[0], "`scores` after the call")
    check.exactly(mask, before[1], "`mask` after the call")


# --- Step 3: dropout -------------------------------------------------------------------------------------------


@claim(step=3, size=MANY, rate=rates)
def test_dropout_does_nothing_outside_training(kata, size, rate):
    """dropout returns x unchanged when training is False, and at rate 0."""
    x = size.normal("B T D")
    for called, got in (
        (f"dropout(x, {rate}, training=False)", kata.dropout(x, rate, False)),
        ("dropout(x, 0.0, training=True)", kata.dropout(x, 0.0, True)),
    ):
        with any_draw_alike(got, x):
            check.equal(got, x, called, x=x)


@claim(step=3, size=MANY, rate=rates, training=[False, True], double=True)
def test_gradients_pass_through_dropout(kata, size, rate, training):
    """The gradient comes back through dropout as x went forth: scaled or stopped in training, unchanged elsewhere."""
    x, probe = (size.normal("B T D") + 3).requires_grad_(), size.normal("B T D", salt="probe")
    got = kata.dropout(x, rate, training, size.generator("dropout"))
    check.tensor(got, x.shape, x.dtype, f"dropout(x, {rate}, training={training})")
    passes_gradients(got)
    (gradient,) = torch.autograd.grad((got * probe).sum(), x)
    want = torch.where(got == 0, 0.0, probe / (1 - rate)) if training else probe
    with any_draw_alike(gradient, probe):
        check.equal(gradient, want, f"the gradient of x through dropout(x, {rate}, training={training})")


@claim(step=3, size=MANY, rate=rates)
def test_dropout_zeroes_or_scales(kata, size, rate):
    """In training every entry is either exactly 0 or x / (1 − rate)."""
    x = size.normal("B T D") + 3  # no entry is 0 by itself
    x_before = x.clone()
    got = kata.dropout(x, rate, True, size.generator("dropout"))
    check.tensor(got, x.shape, x.dtype, f"dropout(x, {rate}, training=True)")
    want = torch.where(got == 0, 0.0, x_before / (1 - rate))
    with any_draw_alike(got, x_before):
        check.equal(got, want, f"dropout(x, {rate}, training=True)", x=x_before)
    check.exactly(x, x_before, "`x` after the call")


@claim(step=3, rate=rates, seed=st.integers(0, 99))
def test_dropout_keeps_the_expected_share(kata, rate, seed):
    """In training about 1 − rate of the entries survive, each on its own."""
    x = torch.ones(60, 100)
    got = kata.dropout(x, rate, True, torch.Generator().manual_seed(seed))
    check.tensor(got, x.shape, x.dtype, f"dropout(x, {rate}, training=True)")
    kept = got != 0
    # Five standard deviations of the share kept: whole, by row and by column.
    for dim, count in ((None, 6000), (1, 100), (0, 60)):
        share = kept.double().mean() if dim is None else kept.double().mean(dim)
        slack = 5 * (rate * (1 - rate) / count) ** 0.5
        want = torch.full_like(share, 1 - rate)
        if ((share - want).abs() > slack).any():
            part = {None: "of all entries", 1: "of each row", 0: "of each column"}[dim]
            alike = ["less" if share.mean() < 1 - rate else "more", bool(((share == 0) | (share == 1)).all())]
            raise check.Mismatch(f"the share kept {part} is not about {1 - rate:g}", share, want, alike=alike)


@claim(step=3, rate=rates, seed=st.integers(0, 99))
def test_number_of_dropped_entries_is_left_to_chance(kata, rate, seed):
    """Each entry is dropped on its own, so how many are dropped varies, from call to call and from row to row."""
    generator, x = torch.Generator().manual_seed(seed), torch.ones(2, 20, 30)
    calls = [kata.dropout(x, rate, True, generator) for _ in range(8)]
    for got in calls:
        check.tensor(got, x.shape, x.dtype, f"dropout(x, {rate}, training=True)")
    dropped = torch.stack(calls) == 0
    if torch.equal(dropped[:, 0], dropped[:, 1]):
        raise check.Mismatch("both halves of a batch drop the same entries", dropped[0].int(), alike="the same")
    for part, dims in (("call", (1, 2, 3)), ("row", 3), ("column", 2)):
        counts = dropped.sum(dims).unique()
        if len(counts) == 1:
            raise check.Mismatch(f"every {part} drops the same number of entries", counts.item())


@claim(step=3, rate=[0.05, 0.5, 0.8], seed=st.integers(0, 99))
def test_dropout_draws_from_the_generator(kata, rate, seed):
    """Equal generators drop the same entries, and a second call on one generator drops others."""
    x = torch.ones(20, 20)
    generator = torch.Generator().manual_seed(seed)
    one = kata.dropout(x, rate, True, generator)
    two = kata.dropout(x, rate, True, generator)
    again = kata.dropout(x, rate, True, torch.Generator().manual_seed(seed))
    check.tensor(one, x.shape, x.dtype, "dropout(…)")
    if not torch.equal(again, one):
        raise check.Mismatch("equal generators drop different entries", again, one, alike="different")
    if torch.equal(one, two):
        alike = "the same, which are none" if two.all() else "the same"
        raise check.Mismatch("a second call drops the same entries as the first", two, alike=alike)


@claim(step=3, rate=rates, rows=st.integers(15, 25))
def test_dropout_needs_no_generator(kata, rate, rows):
    """Without a generator, every call in training drops entries of its own."""
    x = torch.ones(rows, 20)
    state = torch.get_rng_state()
    one, two = kata.dropout(x, rate, True), kata.dropout(x, rate, True)
    check.tensor(one, x.shape, x.dtype, f"dropout(x, {rate}, training=True)")
    if torch.equal(one, two):
        seeded = not torch.equal(state, torch.get_rng_state())  # else torch's own generator was not asked
        raise check.Mismatch("two calls drop the same entries", two, alike=["the same", seeded])


# --- Step 4: the module ----------------------------------------------------------------------------------------


@claim(step=4, size=sizes(ATTENTION), bias=[False, True])
def test_projections_are_linear_layers(kata, reference, size, bias):
    """CausalAttention has three projections as in kata 4, with a bias only where qkv_bias asks for one."""
    module = attention(kata, size, qkv_bias=bias)
    model = with_same_parameters(reference, module, size, qkv_bias=bias)
    for name in PROJECTIONS:
        check.instance(getattr(module, name), torch.nn.Linear, f"`{name}`")
    count = sum(parameter.numel() for parameter in module.parameters())
    check.equal(count, sum(parameter.numel() for parameter in model.parameters()), "the number of parameters")


@claim(step=4, size=sizes(ATTENTION), room=rooms, bias=[False, True], double=True)
def test_output_is_causal_attention(kata, reference, size, room, bias):
    """At every T up to the context length the output is softmax(Q·Kᵀ/√d_out) over the visible tokens, times V."""
    module = attention(kata, size, room, dropout=0.5, qkv_bias=bias)
    model = with_same_parameters(reference, module, size, room, dropout=0.5, qkv_bias=bias)
    x = size.normal("B T d_in")
    check_output(module, x, causal_attention_by_tokens(model, x), "the output")


@claim(step=4, size=sizes(ATTENTION, T=(9, 12)), mode=modes, double=True)
def test_each_input_is_answered_anew(kata, reference, size, mode):
    """Without a dropout rate, one CausalAttention gives every input its own output, in training and in eval mode."""
    module = attention(kata, size)
    model = with_same_parameters(reference, module, size)
    module.train(mode == "training")
    for which in ("first", "second"):
        x = size.normal("B T d_in", salt=which)
        want = causal_attention_by_tokens(model, x)
        check_output(module, x, want, f"the output for the {which} input in {mode}")


@claim(step=4, costly=True, without=LONG)
def test_the_context_is_as_long_as_asked(kata):
    """A sequence may be as long as the context length that was asked for, however long that is."""
    module = kata.CausalAttention(2, 2, 1100)
    check.instance(module, torch.nn.Module, "CausalAttention(…)")
    with torch.no_grad():
        check.tensor(module.eval()(torch.ones(1, 1100, 2)), (1, 1100, 2), torch.get_default_dtype(), "the output")


@claim(step=4, size=sizes(ATTENTION, T=(2, 6)), room=rooms)
def test_no_gradient_reaches_a_later_token(kata, size, room):
    """The gradient of an output to every later input is exactly 0."""
    module = attention(kata, size, room)
    gradients = gradient_by_token(module, size)
    later = torch.ones(size.T, size.T).triu(1).bool()
    check.no_leak(gradients, later, "the gradient of output (row) to a later input (column)")


@claim(step=4, size=sizes(ATTENTION, T=(2, 6)), room=rooms)
def test_every_token_sees_itself_and_all_earlier_ones(kata, size, room):
    """Every output depends on its own token and on each earlier one."""
    module = attention(kata, size, room)
    with torch.no_grad():  # small weights: no softmax is so sharp that a token is seen by a hair only
        for parameter in module.parameters():
            parameter.mul_(0.3)
    gradients = gradient_by_token(module, size)
    seen = torch.ones(size.T, size.T).tril().bool()
    check.equal((gradients != 0) & seen, seen, "the map of which input (column) each output (row) depends on")


@claim(step=4, size=sizes(ATTENTION, T=(2, 6)), room=rooms)
def test_a_huge_change_of_a_later_token_changes_no_earlier_output(kata, size, room):
    """Making the last token 1,000 times as large changes no output before it."""
    module = attention(kata, size, room)
    x = size.normal("B T d_in")
    changed = x.clone()
    changed[:, -1] *= 1000
    before, after = module(x), module(changed)
    check.tensor(before, size.shape("B T d_out"), x.dtype, "the output")
    check.tensor(after, before.shape, x.dtype, "the output")
    check.equal(after[:, :-1], before[:, :-1], "the output before the last token, after the change,", x=x)


@claim(step=4, size=sizes(ATTENTION, T=(2, 6)), room=rooms)
def test_a_prefix_gives_the_same_outputs(kata, size, room):
    """The outputs of the first t tokens are the same when the rest is cut off and no gradients are kept."""
    module = attention(kata, size, room)
    x = size.normal("B T d_in")
    whole = module(x)
    check.tensor(whole, size.shape("B T d_out"), x.dtype, "the output")
    for t in range(1, size.T):
        with torch.no_grad():
            got = module(x[:, :t])
        check.equal(got, whole[:, :t], f"the output for the first {t} of {size.T} tokens", x=x)


@claim(step=4, size=sizes(ATTENTION, T=(2, 6)), double=True)
def test_extreme_inputs_do_not_break_the_mask(kata, reference, size):
    """Scores of many thousands change nothing: later tokens stay hidden."""
    module = attention(kata, size)
    model = with_same_parameters(reference, module, size)
    x = size.normal("B T d_in", scale=300)
    want = causal_attention_by_tokens(model, x)
    check.equal(module(x.clone()), want, "the output for large inputs", tolerance=1e-3, x=x)


@claim(step=4, size=sizes("T d_in d_out", T=(2, 4)), double=True, without=EXACT)
def test_no_visible_score_is_too_low_for_the_mask(kata, reference, size):
    """Later tokens stay hidden however low the scores of the earlier ones are."""
    module = attention(kata, size)
    with torch.no_grad():  # a query that is the opposite of the key: scores far below 0
        check.parameter(module, "W_query.weight").copy_(-check.parameter(module, "W_key.weight"))
    model = with_same_parameters(reference, module, size)
    x = size.normal("T d_in") * LADDER.sqrt().view(-1, 1, 1)  # (rungs, T, d_in)
    got = module(x.clone())
    check.tensor(got, (len(LADDER), size.T, size.d_out), x.dtype, "the output")
    first = causal_attention_by_tokens(model, x[:, :1])  # it sees itself alone, however its score is rounded
    check_ladder(got[:, :1], first, "the output of the first token", x=x)


@claim(step=4, size=sizes("B T d_in", B=(2, 3), T=(4, 6)), rate=rates, double=True)
def test_dropout_acts_on_the_weights(kata, size, rate):
    """In training, attention weights are dropped (exactly 0) or scaled by 1 / (1 − rate), and nothing else is."""
    # The values are the rows of [I I]: each half of an output is then the row of weights itself.
    T = size.T
    module = kata.CausalAttention(T, 2 * T, T, dropout=rate)
    check.instance(module, torch.nn.Module, "CausalAttention(…)")
    randomise(module, size)
    value = check.parameter(module, "W_value.weight")
    with torch.no_grad():
        value.copy_(torch.cat([torch.eye(T), torch.eye(T)]))
    x = torch.eye(T).expand(size.B, T, T).clone()
    weights = module.eval()(x)
    check.tensor(weights, (size.B, T, 2 * T), x.dtype, "the output in eval mode")
    dropped = module.train()(x)
    check.tensor(dropped, weights.shape, x.dtype, "the output in training")
    want = torch.where(dropped == 0, 0.0, weights / (1 - rate))
    with any_draw_alike(dropped, weights):
        check.equal(dropped, want, "the matrix of weights in training (read off the output, twice side by side)")
        check.exactly(dropped[..., T:], dropped[..., :T], "the second reading of the dropped weights")


@claim(step=4, seed=st.integers(0, 99))
def test_dropout_is_on_in_training_only(kata, seed):
    """In training two passes differ, and so do equal rows of a batch; in eval mode they do not."""
    torch.manual_seed(seed)
    module = kata.CausalAttention(3, 4, 20, dropout=0.5)
    check.instance(module, torch.nn.Module, "CausalAttention(…)")
    check.instance(getattr(module, "dropout", None), torch.nn.Module, "`dropout`")
    x = torch.randn(1, 20, 3).repeat(2, 1, 1)
    module.train()
    if torch.equal(module(x), module(x)):
        got = module(x)[0, :2]
        raise check.Mismatch("two passes in training are equal: nothing is dropped", got, alike="equal")
    if torch.equal(*module(x)):
        raise check.Mismatch("two rows of a batch drop the same weights", alike="the same")
    module.eval()
    one, two = module(x), module(x)
    if not torch.equal(one, two):
        raise check.Mismatch("two passes in eval mode differ", two, one, alike="different")


@claim(step=4, seed=st.integers(0, 99))
def test_weights_pass_through_the_dropout_module(kata, seed):
    """It is the module `dropout` that the attention weights pass through in training."""
    torch.manual_seed(seed)
    module = kata.CausalAttention(3, 4, 5, dropout=0.5)
    check.instance(getattr(module, "dropout", None), torch.nn.Module, "`dropout`")
    calls = []
    module.dropout.register_forward_hook(lambda *_: calls.append(1))
    check.present(module.train()(torch.randn(2, 5, 3)), "the output")
    check.equal(bool(calls), True, "the use of the module `dropout`")


@claim(step=4, size=sizes(ATTENTION, T=(2, 6)), double=True)
def test_training_reaches_every_projection(kata, reference, size):
    """Gradients of the output reach W_query, W_key and W_value, and x by way of all three."""
    module = attention(kata, size, qkv_bias=True)
    model = with_same_parameters(reference, module, size, qkv_bias=True)
    for name, got, want in zip(LEARNERS, gradients(module, size), gradients(model, size)):
        check.equal(got, want, f"the gradient of `{name}`", tolerance=1e-4)


@claim(step=4, size=sizes(ATTENTION))
def test_input_stays_as_it_was(kata, size):
    """CausalAttention does not change x."""
    x = size.normal("B T d_in")
    before = x.clone()
    check.present(attention(kata, size)(x), "the output")
    check.exactly(x, before, "`x` after the call")


@claim(step=4, size=sizes(ATTENTION))
def test_mask_is_a_buffer(kata, size):
    """`mask` is a buffer: it moves with the module, and it is not trained."""
    module = attention(kata, size)
    check.parameter(module, "mask")
    check.equal("mask" in dict(module.named_buffers()), True, "the presence of `mask` among the buffers")
    check.equal("mask" in dict(module.named_parameters()), False, "the presence of `mask` among the parameters")
    check.equal(module.to("meta").mask.device.type, "meta", "the device of the mask after module.to('meta')")


def gradient_by_token(module, size):
    """How much output (row) depends on input (column): the largest absolute gradient over batch and channels."""
    x = size.normal("B T d_in").requires_grad_()
    output = module(x)
    check.tensor(output, size.shape("B T d_out"), x.dtype, "the output")
    passes_gradients(output)
    rows = []
    for t in range(size.T):
        weight = size.normal("B d_out", salt="probe")
        (gradient,) = torch.autograd.grad((output[:, t] * weight).sum(), x, retain_graph=True)
        rows.append(gradient.abs().amax(dim=(0, 2)))
    return torch.stack(rows)


def passes_gradients(output):
    if not output.requires_grad:
        raise check.Mismatch("no gradient passes: the output is cut off from what it was made of", output)


def gradients(module, size):
    """The gradient of each of LEARNERS, in their order."""
    x, probe = size.normal("B T d_in", scale=0.3).requires_grad_(), size.normal("B T d_out", salt="probe")
    output = module(x)
    check.tensor(output, probe.shape, x.dtype, "the output")
    passes_gradients(output)
    inputs = [x if name == "x" else check.parameter(module, name) for name in LEARNERS]
    found = torch.autograd.grad((output * probe).sum(), inputs, allow_unused=True)
    for name, gradient in zip(LEARNERS, found):
        if gradient is None:
            raise check.Mismatch(f"no gradient reaches `{name}`", output)
    return found
