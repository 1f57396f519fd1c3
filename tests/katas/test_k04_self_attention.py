"""k04 self-attention: what must be true of it."""

import itertools
import math

import torch
from hypothesis import strategies as st

from dojo.spec import FUSED_ATTENTION, SOFTMAX, ban, check, claim, oracle, randomise, sizes

BANS = [
    ban(*FUSED_ATTENTION, why="it is the fused form of what you build here."),
    ban(*SOFTMAX, why="step 1 is to write softmax yourself.", steps=[1]),
]
PROJECTIONS = ("W_query", "W_key", "W_value")
SELF = "d B T d_v"  # as many queries as keys
CROSS = "h d B T_q T_k d_v"
CROSS_SIZES = sizes(CROSS, T_q=(1, 7), T_k=(1, 7), d_v=(2, 7))
SELF_SIZES = sizes(SELF, d_v=(2, 7))
leading = ["B", "", "B h"]
modes = ["training", "eval mode"]


# --- Oracles: the slow, obvious form ---------------------------------------------------------------------------


@oracle
def softmax_by_rows(scores, dim=-1):
    rows = scores.movedim(dim, -1)
    weights = torch.empty(rows.shape)
    for index in itertools.product(*map(range, rows.shape[:-1])):
        row = rows[index].tolist()
        powers = [math.exp(score - max(row)) for score in row]
        weights[index] = torch.tensor([power / sum(powers) for power in powers])
    return weights.movedim(-1, dim)


@oracle
def attention_by_queries(query, key, value):
    contexts, rows = [], []
    for one in query.unbind(-2):
        scores = (one.unsqueeze(-2) * key).sum(-1) / key.shape[-1] ** 0.5  # one dot product for each key
        rows.append(torch.softmax(scores, dim=-1))
        contexts.append((rows[-1].unsqueeze(-1) * value).sum(-2))
    return torch.stack(contexts, dim=-2), torch.stack(rows, dim=-2)


# --- Step 1: softmax -------------------------------------------------------------------------------------------


@claim(step=1, size=sizes("B T"))
def test_weights_are_not_negative_and_sum_to_one(kata, size):
    """softmax gives weights that are never negative and sum to 1 along the last dimension."""
    scores = size.normal("B T", scale=2)
    weights = kata.softmax(scores)
    check.tensor(weights, scores.shape, scores.dtype, "softmax(scores)", given={"scores": scores})
    check.equal(weights, weights.abs(), "softmax(scores), which may not be negative,", scores=scores)
    exact = 5e-7 if weights.dtype == torch.float64 else None  # single precision inside will do, but nothing is added
    sums, ones = weights.sum(-1), torch.ones(size.B)
    check.equal(sums, ones, "the sum of each row of softmax(scores)", tolerance=exact, scores=scores)


@claim(step=1, size=sizes("h B T"), shape=["T", "B T", "B h T"], double=True)
def test_softmax_is_the_share_of_the_exponential(kata, size, shape):
    """softmax gives each score the share that e^score has in the sum over its row (the last dimension)."""
    scores = size.normal(shape, scale=2)
    check.equal(kata.softmax(scores), softmax_by_rows(scores), "softmax(scores)", scores=scores)


@claim(step=1, size=sizes("B T d"), dim=st.integers(-3, 2), double=True)
def test_softmax_runs_along_dim(kata, size, dim):
    """softmax(scores, dim) shares out along the dimension that it is told, whichever that is."""
    scores = size.normal("B T d", scale=2)
    want = softmax_by_rows(scores, dim)
    check.equal(kata.softmax(scores, dim=dim), want, f"softmax(scores, dim={dim})", scores=scores)


@claim(step=1, size=sizes("B T"), shift=st.integers(-300, 300), double=True)
def test_adding_a_number_to_a_row_changes_nothing(kata, size, shift):
    """Adding one number to all scores of a row does not change its weights."""
    scores = size.normal("B T")
    got, want = kata.softmax(scores + shift), softmax_by_rows(scores)
    check.equal(got, want, f"softmax(scores + {shift})", tolerance=1e-3, scores=scores)


@claim(step=1, size=sizes("B T", T=(2, 7)))
def test_softmax_survives_large_scores(kata, size):
    """softmax is finite and right for scores anywhere between −10,000 and 10,000."""
    scores = size.normal("B T", scale=5_000).clamp(-10_000, 10_000)
    check.equal(kata.softmax(scores), softmax_by_rows(scores), "softmax(scores)", tolerance=2e-3, scores=scores)


@claim(step=1, size=sizes("B T d", B=(2, 4), T=(2, 7)), dim=st.integers(-3, 2))
def test_rows_that_lie_far_apart_do_not_disturb_each_other(kata, size, dim):
    """softmax is right for every row, also where one row lies near 10,000 and another near −10,000."""
    base = size.normal("B T d", salt="base").sign().narrow(dim, 0, 1) * 9_990
    scores = size.normal("B T d") + base
    want = softmax_by_rows(scores, dim)
    check.equal(kata.softmax(scores, dim), want, f"softmax(scores, {dim})", tolerance=2e-3, scores=scores)


@claim(step=1, size=sizes("B T"))
def test_softmax_leaves_its_argument_alone(kata, size):
    """softmax does not change the scores that it is given."""
    scores = size.normal("B T")
    before = scores.clone()
    check.present(kata.softmax(scores), "softmax(scores)")
    check.exactly(scores, before, "`scores` after the call")


@claim(step=1, size=sizes("B T", T=(2, 7)), double=True)
def test_gradients_pass_through_softmax(kata, size):
    """Gradients pass through softmax: a model learns through its weights."""
    scores, probe = size.normal("B T").requires_grad_(), size.normal("B T", salt="probe")
    (gradient,) = gradients(kata.softmax(scores), probe, scores=scores)
    weights = softmax_by_rows(scores.detach())
    want = weights * (probe - (weights * probe).sum(-1, keepdim=True))
    check.equal(gradient, want, "the gradient of the scores", tolerance=1e-4, scores=scores)


@claim(step=1, size=sizes("B T", T=(2, 7)), double=True)
def test_every_weight_is_right_however_small(kata, size):
    """Every weight is right, also where another is 10²⁰ times as large."""
    scores = size.normal("B T", scale=15)
    weights, want = kata.softmax(scores), softmax_by_rows(scores).log()
    check.tensor(weights, scores.shape, scores.dtype, "softmax(scores)")
    try:
        check.equal(weights.log(), want, "the logarithm of softmax(scores)", tolerance=1e-5, scores=scores)
    except check.Mismatch as mismatch:
        mismatch.alike = weights.log() - want  # many answers are nearly right: the same mistake deviates alike
        raise


# --- Step 2: attention -----------------------------------------------------------------------------------------


@claim(step=2, size=SELF_SIZES)
def test_every_query_shares_out_its_attention(kata, size):
    """attention returns the context and the weights, and each query's weights sum to 1."""
    _, weights = attend(kata, *tensors(size, "B", "T", "T"))
    check.equal(weights.sum(-1), torch.ones(size.B, size.T), "the sum of each row of the weights")


@claim(step=2, size=SELF_SIZES, double=True)
def test_weights_are_the_softmax_of_the_scaled_scores(kata, size):
    """The weights are softmax(Q·Kᵀ/√d), where d is the width of the keys: row i belongs to query i."""
    query, key, value = tensors(size, "B", "T", "T")
    _, weights = attend(kata, query, key, value)
    want = attention_by_queries(query, key, value)[1]
    check.equal(weights, want, "the matrix of weights", query=query, key=key)


@claim(step=2, size=SELF_SIZES, double=True)
def test_context_is_the_weighted_sum_of_the_values(kata, size):
    """The context of a query is the sum of all values, each times its weight."""
    query, key, value = tensors(size, "B", "T", "T")
    context, _ = attend(kata, query, key, value)
    want = attention_by_queries(query, key, value)[0]
    check.equal(context, want, "the context", query=query, key=key, value=value)


@claim(step=2, size=CROSS_SIZES, lead=leading, double=True)
def test_attention_takes_any_shapes_that_fit(kata, size, lead):
    """attention works for any leading dimensions, and for more or fewer queries than keys."""
    query, key, value = tensors(size, lead, "T_q", "T_k")
    context, weights = attend(kata, query, key, value)
    want_context, want_weights = attention_by_queries(query, key, value)
    check.equal(weights, want_weights, "the matrix of weights", query=query, key=key)
    check.equal(context, want_context, "the context", query=query, key=key, value=value)


@claim(step=2, size=sizes(SELF, T=(2, 7), d_v=(2, 7)), double=True)
def test_order_of_the_tokens_does_not_matter(kata, size):
    """Attention knows no order: shuffled tokens get the same contexts, shuffled in the same way."""
    query, key, value = tensors(size, "B", "T", "T")
    order = torch.randperm(size.T, generator=size.generator("order"))
    context, _ = attend(kata, query[:, order], key[:, order], value[:, order])
    want = attention_by_queries(query, key, value)[0][:, order]
    what = f"the context of the tokens in the order {order.tolist()}"
    check.equal(context, want, what, query=query, key=key, value=value)


@claim(step=2, size=sizes("h d B T_q d_v", T_q=(1, 7), d_v=(2, 7)))
def test_a_single_key_gets_all_the_attention(kata, size):
    """Where there is one key only, every query gives it a weight of 1 and takes its value home."""
    query, key, value = tensors(size, "B", "T_q", "1")
    context, weights = attend(kata, query, key, value)
    check.equal(weights, torch.ones(size.B, size.T_q, 1), "the matrix of weights", query=query, key=key)
    check.equal(context, value.expand_as(context), "the context", value=value)


@claim(step=2, size=sizes(SELF, T=(2, 7), d_v=(2, 7)))
def test_attention_survives_large_scores(kata, size):
    """Scores of many hundreds, far apart, still give finite and right weights."""
    query, key, value = tensors(size, "B", "T", "T", scale=40)
    _, weights = attend(kata, query, key, value)
    want = attention_by_queries(query, key, value)[1]
    check.equal(weights, want, "the matrix of weights for large scores", tolerance=1e-2, query=query, key=key)


@claim(step=2, size=SELF_SIZES)
def test_attention_leaves_its_arguments_alone(kata, size):
    """attention does not change the query, key and value that it is given."""
    given = tensors(size, "B", "T", "T")
    before = [one.clone() for one in given]
    attend(kata, *given)
    for name, one, copy in zip(("query", "key", "value"), given, before):
        check.exactly(one, copy, f"`{name}` after the call")


@claim(step=2, size=sizes(SELF, T=(2, 7), d_v=(2, 7)), double=True)
def test_gradients_pass_through_attention(kata, size):
    """Gradients of the context reach query, key and value."""
    given = [one.requires_grad_() for one in tensors(size, "B", "T", "T", scale=0.5)]
    names = dict(zip(("query", "key", "value"), given))
    probe = size.normal("B T d_v", salt="probe")
    got = gradients(attend(kata, *given)[0], probe, **names)
    want = gradients(attention_by_queries(*given)[0], probe, **names)
    for name, one, other in zip(names, got, want):
        check.equal(one, other, f"the gradient of the {name}", tolerance=1e-4)


# --- Step 3: bare parameters -----------------------------------------------------------------------------------


@claim(step=3, size=sizes("d_in d_out"))
def test_v1_has_three_matrices(kata, size):
    """SelfAttentionV1 has three trainable matrices of shape (d_in, d_out): W_query, W_key, W_value."""
    module = made(kata.SelfAttentionV1, size)
    for name in PROJECTIONS:
        values = check.parameter(module, name)
        check.instance(values, torch.nn.Parameter, f"`{name}`")
        check.tensor(values, (size.d_in, size.d_out), torch.get_default_dtype(), f"`{name}`")
    check.equal(trainable(module), 3 * size.d_in * size.d_out, "the number of trainable parameters")


@claim(step=3, size=sizes("d_in d_out"))
def test_v1_starts_random(kata, size):
    """The three matrices start with random numbers, each with its own, and anew in every module."""
    module, next_one = made(kata.SelfAttentionV1, size), made(kata.SelfAttentionV1, size)
    matrices = [check.parameter(module, name).detach() for name in PROJECTIONS]
    for name, values in zip(PROJECTIONS, matrices):
        if torch.equal(values, values.flatten()[0].expand_as(values)):
            raise check.Mismatch(f"all entries of `{name}` start equal", values, alike=("equal", values.mean().item()))
    for (one, values), (other, others) in itertools.combinations(zip(PROJECTIONS, matrices), 2):
        if torch.equal(values, others):
            raise check.Mismatch(f"`{one}` and `{other}` start equal", values, alike="equal")
    start_apart(module, next_one, PROJECTIONS)


@claim(step=3, size=sizes("B T d_in d_out"), double=True)
def test_v1_is_self_attention(kata, reference, size):
    """SelfAttentionV1 returns softmax(Q·Kᵀ/√d_out) times V, where Q, K and V are x times its matrices."""
    module, model = beside(reference, kata, "SelfAttentionV1", size)
    x = size.normal("B T d_in")
    want, _ = attention_by_queries(x @ model.W_query, x @ model.W_key, x @ model.W_value)
    check.equal(module(x.clone()), want, "the output", x=x)


@claim(step=3, size=sizes("B T d_in d_out", T=(2, 6)), double=True)
def test_training_reaches_every_matrix_of_v1(kata, reference, size):
    """Gradients of the output reach W_query, W_key and W_value, and x by way of all three."""
    module, model = beside(reference, kata, "SelfAttentionV1", size)
    same_gradients(module, model, size, PROJECTIONS)


@claim(step=3, size=sizes("B T d_in d_out", T=(2, 6)), mode=modes, double=True)
def test_v1_answers_each_input_anew(kata, reference, size, mode):
    """One SelfAttentionV1 gives every input its own output, whatever it was asked before."""
    module, model = beside(reference, kata, "SelfAttentionV1", size)
    project = lambda x: (x @ model.W_query, x @ model.W_key, x @ model.W_value)
    answers_anew(module.train(mode == "training"), project, size, mode)


@claim(step=3, size=sizes("B T d_in d_out"))
def test_v1_leaves_its_input_alone(kata, size):
    """SelfAttentionV1 does not change x."""
    leaves_alone(made(kata.SelfAttentionV1, size), size.normal("B T d_in"))


# --- Step 4: linear layers -------------------------------------------------------------------------------------


@claim(step=4, size=sizes("d_in d_out"), options=[{}, {"qkv_bias": False}, {"qkv_bias": True}])
def test_v2_has_three_linear_layers(kata, size, options):
    """SelfAttentionV2 has three linear layers from d_in to d_out, with a bias only where qkv_bias asks for one."""
    module = made(kata.SelfAttentionV2, size, **options)
    bias = options.get("qkv_bias", False)
    for name in PROJECTIONS:
        check.tensor(check.parameter(module, f"{name}.weight"), (size.d_out, size.d_in), None, f"`{name}.weight`")
        check.instance(getattr(module, name), torch.nn.Linear, f"`{name}`")
    biased = {name: getattr(module, name).bias is not None for name in PROJECTIONS}
    check.equal(biased, dict.fromkeys(PROJECTIONS, bias), "whether each layer has a bias")
    check.equal(trainable(module), 3 * (size.d_in + bias) * size.d_out, "the number of trainable parameters")
    start_apart(module, made(kata.SelfAttentionV2, size, **options), [f"{name}.weight" for name in PROJECTIONS])


@claim(step=4, size=sizes("B T d_in d_out"), bias=[False, True], double=True)
def test_v2_is_self_attention(kata, reference, size, bias):
    """SelfAttentionV2 returns softmax(Q·Kᵀ/√d_out) times V, where Q, K and V are what its layers make of x."""
    module, model = beside(reference, kata, "SelfAttentionV2", size, qkv_bias=bias)
    x = size.normal("B T d_in")
    want, _ = attention_by_queries(model.W_query(x), model.W_key(x), model.W_value(x))
    check.equal(module(x.clone()), want, "the output", x=x)


@claim(step=4, size=sizes("B T d_in d_out", T=(2, 6)), double=True)
def test_training_reaches_every_layer_of_v2(kata, reference, size):
    """Gradients of the output reach W_query, W_key and W_value, and x by way of all three."""
    module, model = beside(reference, kata, "SelfAttentionV2", size, qkv_bias=True)
    # No bias of the key: it adds the same to all scores of a row, so its gradient is 0 but for rounding.
    same_gradients(module, model, size, [*(f"{name}.weight" for name in PROJECTIONS), "W_query.bias", "W_value.bias"])


@claim(step=4, size=sizes("B T d_in d_out", T=(2, 6)), mode=modes, double=True)
def test_v2_answers_each_input_anew(kata, reference, size, mode):
    """One SelfAttentionV2 gives every input its own output, whatever it was asked before."""
    module, model = beside(reference, kata, "SelfAttentionV2", size)
    project = lambda x: (model.W_query(x), model.W_key(x), model.W_value(x))
    answers_anew(module.train(mode == "training"), project, size, mode)


@claim(step=4, size=sizes("B T d_in d_out"))
def test_v2_leaves_its_input_alone(kata, size):
    """SelfAttentionV2 does not change x."""
    leaves_alone(made(kata.SelfAttentionV2, size), size.normal("B T d_in"))


# --- Step 5: from one to the other -----------------------------------------------------------------------------


@claim(step=5, size=sizes("d_in"))
def test_weights_are_transposed_even_where_they_are_square(kata, size):
    """v2_from_v1 gives each layer the transpose of V1's matrix, also where d_in = d_out and nothing would complain."""
    v1 = kata.SelfAttentionV1(size.d_in, size.d_in)
    randomise(v1, size)
    want = torch.stack([check.parameter(v1, name).detach().T for name in PROJECTIONS])
    check.equal(weights_of(converted(kata, v1)), want, "the stack of the three weights")


@claim(step=5, size=sizes("B T d_in d_out"), double=True)
def test_v2_computes_what_v1_computes(kata, reference, size):
    """The SelfAttentionV2 that v2_from_v1 makes gives the same output as the V1 that it was made from."""
    v1, model = beside(reference, kata, "SelfAttentionV1", size)
    x = size.normal("B T d_in")
    want, _ = attention_by_queries(x @ model.W_query, x @ model.W_key, x @ model.W_value)
    check.equal(converted(kata, v1)(x), want, "v2_from_v1(v1)(x)", x=x)


@claim(step=5, size=sizes("d_in"), shape=["d_in d_in", "d_in 1", "1 d_in"])
def test_v2_owns_its_weights(kata, size, shape):
    """The new module has weights of its own: changing those of V1 does not change them."""
    v1 = kata.SelfAttentionV1(*size.shape(shape))  # the transpose of a single row or column lies as it lay
    randomise(v1, size)
    v2 = converted(kata, v1)
    before = weights_of(v2)
    with torch.no_grad():
        for values in v1.parameters():
            values.add_(1)
    check.exactly(weights_of(v2), before, "the stack of V2's weights, after a change of V1's,")


@claim(step=5, size=sizes("d_in d_out"))
def test_v2_keeps_the_dtype_of_v1(kata, size):
    """The weights of the new module have V1's dtype, whatever the default is."""
    other = torch.float32 if torch.get_default_dtype() == torch.float64 else torch.float64
    v1 = kata.SelfAttentionV1(size.d_in, size.d_out).to(other)
    v2 = converted(kata, v1)
    dtypes = {name: check.parameter(v2, f"{name}.weight").dtype for name in PROJECTIONS}
    check.equal(dtypes, dict.fromkeys(PROJECTIONS, other), "the dtype of each weight of the new module")


@claim(step=5, size=sizes("d_in"))
def test_v2_can_be_trained(kata, size):
    """The weights of the new module are parameters that can be trained."""
    v1 = kata.SelfAttentionV1(size.d_in, size.d_in)
    randomise(v1, size)
    v2 = converted(kata, v1)
    for name in PROJECTIONS:
        check.instance(check.parameter(v2, f"{name}.weight"), torch.nn.Parameter, f"`{name}.weight` of the new module")
    theirs = {id(values) for values in v2.parameters() if values.requires_grad}
    got = [name for name in PROJECTIONS if id(check.parameter(v2, f"{name}.weight")) in theirs]
    check.equal(got, list(PROJECTIONS), "the list of layers whose weight can be trained")


@claim(step=5, size=sizes("d_in"))
def test_v1_stays_as_it_was(kata, size):
    """v2_from_v1 does not change the V1 that it is given: neither its numbers nor whether they can be trained."""
    v1 = kata.SelfAttentionV1(size.d_in, size.d_in)
    randomise(v1, size)
    before = [check.parameter(v1, name).detach().clone() for name in PROJECTIONS]
    converted(kata, v1)
    trained = [name for name, values in v1.named_parameters() if values.requires_grad and name in PROJECTIONS]
    check.equal(sorted(trained), sorted(PROJECTIONS), "the list of V1's matrices that can be trained, after the call,")
    for name, values in zip(PROJECTIONS, before):
        check.exactly(check.parameter(v1, name).detach(), values, f"`{name}` of V1 after the call")


# --- What the laws share ---------------------------------------------------------------------------------------


def tensors(size, lead, queries, keys, scale=1.0):
    """A query, a key and a value, with these leading dimensions and numbers of queries and keys."""
    return (
        size.normal(f"{lead} {queries} d", scale, "query"),
        size.normal(f"{lead} {keys} d", scale, "key"),
        size.normal(f"{lead} {keys} d_v", 1.0, "value"),
    )


def attend(kata, query, key, value):
    """The context and the weights of the attention under test, after a look at type, shape and dtype."""
    result = kata.attention(query, key, value)
    check.instance(result, (tuple, list), "attention(query, key, value)")
    check.equal(len(result), 2, "the number of tensors that attention(query, key, value) returns")
    context, weights = result
    check.tensor(weights, (*query.shape[:-1], key.shape[-2]), query.dtype, "the second result, the weights,")
    check.tensor(context, (*query.shape[:-1], value.shape[-1]), query.dtype, "the first result, the context,")
    return context, weights


def made(kind, size, **options):
    """A module of this class."""
    module = kind(size.d_in, size.d_out, **options)
    check.instance(module, torch.nn.Module, f"{kind.__name__}(…)")
    return module


def beside(reference, kata, name, size, **options):
    """The module under test and the reference's, with equal parameters."""
    module, model = made(getattr(kata, name), size, **options), made(getattr(reference, name), size, **options)
    randomise(module, size)
    randomise(model, size)
    check.copy_parameters(model, module)
    return module, model


def trainable(module):
    return sum(values.numel() for values in module.parameters() if values.requires_grad)


def gradients(output, probe, **inputs):
    """The gradient of each input under the sum of output times probe."""
    check.tensor(output, probe.shape, probe.dtype, "the result")
    if not output.requires_grad:
        raise check.Mismatch("no gradient passes: the result is cut off from what it was made of", output)
    found = torch.autograd.grad((output * probe).sum(), list(inputs.values()), allow_unused=True)
    for name, gradient in zip(inputs, found):
        if gradient is None:
            raise check.Mismatch(f"no gradient reaches `{name}`", output)
    return found


def same_gradients(module, model, size, names):
    """Demand that parameters and x get the gradients that they get in the reference."""
    x, probe = size.normal("B T d_in", scale=0.3).requires_grad_(), size.normal("B T d_out", salt="probe")
    got = gradients(module(x), probe, **{name: check.parameter(module, name) for name in names}, x=x)
    want = gradients(model(x), probe, **{name: check.parameter(model, name) for name in names}, x=x)
    for name, one, other in zip((*names, "x"), got, want):
        check.equal(one, other, f"the gradient of `{name}`", tolerance=1e-4)


def answers_anew(module, project, size, mode):
    """Demand the right output for two inputs of one shape, one after the other."""
    for which in ("first", "second"):
        x = size.normal("B T d_in", salt=which)
        want, _ = attention_by_queries(*project(x))
        check.equal(module(x.clone()), want, f"the output for the {which} input in {mode}", x=x)


def start_apart(module, next_one, names):
    """Demand that two modules, made one after the other, do not start with the same numbers."""
    for name in names:
        if torch.equal(check.parameter(module, name), check.parameter(next_one, name)):
            raise check.Mismatch(f"`{name}` starts equal in two modules made one after the other", alike="")


def leaves_alone(module, x):
    before = x.clone()
    check.present(module(x), "the output")
    check.exactly(x, before, "`x` after the call")


def converted(kata, v1):
    """What v2_from_v1 makes of v1, after a look at its type."""
    v2 = kata.v2_from_v1(v1)
    check.instance(v2, kata.SelfAttentionV2, "v2_from_v1(v1)")
    return v2


def weights_of(v2):
    """A copy of the three weights of a SelfAttentionV2, one on the other."""
    return torch.stack([check.parameter(v2, f"{name}.weight").detach().clone() for name in PROJECTIONS])
