"""k07 layer norm: what must be true of it."""

import torch

from dojo.spec import NORMALISATION, ban, check, claim, oracle, randomise, sizes

BANS = [ban(*NORMALISATION, why="it is a finished form of what you build here.")]
TOKENS = "B T D"
epsilons = [0.1, 1e-5, 1.0]
NO_TENSOR = {"layout": "it is about what the layer is made of: no tensor is handed over", "earlier": "likewise"}


# --- Oracles: the slow, obvious form ---------------------------------------------------------------------------


@oracle
def normalised(x, weight, bias, eps):
    """The formula for all tokens, one a column."""
    tokens = x.reshape(-1, x.shape[-1]).T
    distance = tokens - tokens.sum(0) / len(tokens)
    variance = (distance * distance).sum(0) / len(tokens)
    return (weight * (distance / (variance + eps) ** 0.5).T + bias).reshape(x.shape)


@oracle
def gradients_of_torch(x, weight, bias, eps, probe):
    output = torch.nn.functional.layer_norm(x, x.shape[-1:], weight, bias, eps)
    return torch.autograd.grad((output * probe).sum(), (x, weight, bias))


def right(module, x, eps=1e-5):
    """What `module`, with its weight and its bias as they now are, should make of x."""
    return normalised(x, module.weight.detach(), module.bias.detach(), eps)


def kind(module, value):
    """What a tensor is to the module that holds it: only a parameter that has a gradient is trained."""
    if any(value is parameter for parameter in module.parameters()):
        return "a parameter" if value.requires_grad else "a parameter without a gradient"
    if any(value is buffer for buffer in module.buffers()):
        return "a buffer"
    return "a plain tensor" if value.grad_fn is None else "the result of a calculation"


def fresh(kata, size, *eps):
    """The module under test as it starts."""
    module = kata.LayerNorm(size.D, *eps)
    check.instance(module, torch.nn.Module, f"LayerNorm({size.D})")
    return module


def trained(kata, size, *eps):
    """The module under test with a weight and a bias that no default start hides."""
    module = fresh(kata, size, *eps)
    for name in ("weight", "bias"):
        check.tensor(check.parameter(module, name), (size.D,), None, f"`{name}`")
    randomise(module, size)
    return module


# --- Step 1: the two parameters --------------------------------------------------------------------------------


@claim(step=1, examples=4, without=NO_TENSOR, size=sizes("D"))
def test_weight_and_bias_are_trained(kata, size):
    """`weight` and `bias` are parameters, one number for each feature, and the layer has no others."""
    module = fresh(kata, size)
    for name in ("weight", "bias"):
        check.tensor(check.parameter(module, name), (size.D,), torch.get_default_dtype(), f"`{name}`")
    found = {name: kind(module, getattr(module, name)) for name in ("weight", "bias")}
    check.equal(found, dict.fromkeys(found, "a parameter"), "the kind of `weight` or of `bias`")
    check.equal(sum(parameter.numel() for parameter in module.parameters()), 2 * size.D, "the number of parameters")


@claim(step=1, examples=4, without=NO_TENSOR, size=sizes("D"))
def test_a_fresh_layer_changes_nothing_after_normalising(kata, size):
    """At the start `weight` is 1 and `bias` is 0 for every feature."""
    module = fresh(kata, size)
    start = torch.stack([check.parameter(module, "weight"), check.parameter(module, "bias")])
    want = torch.stack([torch.ones(size.D), torch.zeros(size.D)])
    try:
        check.exactly(start, want, "the pair of `weight` (first row) and `bias` (second row), in a fresh layer,")
    except check.Mismatch as mismatch:  # which random numbers they are is left to chance
        mismatch.alike = [row[0].item() if (row == row[0]).all() else "random" for row in start.detach()]
        raise


# --- Step 2: normalise -----------------------------------------------------------------------------------------


@claim(step=2, size=sizes(TOKENS))
def test_x_is_left_alone(kata, size):
    """The layer does not change the tensor that it is given."""
    module, x = trained(kata, size), size.normal(TOKENS)
    before = x.clone()
    check.present(module(x), "the output")
    check.exactly(x, before, "x, after the call")


@claim(step=2, size=sizes(TOKENS), eps=epsilons, scale=[3.0, 0.3], double=True)
def test_each_token_has_mean_0_and_variance_1(kata, size, eps, scale):
    """A fresh layer gives each token mean 0 and, but for eps, variance 1: its squares averaged over all n features."""
    x = size.normal(TOKENS, scale=scale)
    variance = x.var(-1, correction=0)
    output = fresh(kata, size, eps)(x)
    check.tensor(output, x.shape, x.dtype, "the output")
    got = torch.stack([output.mean(-1), output.var(-1, correction=0)])
    want = torch.stack([torch.zeros_like(variance), variance / (variance + eps)])
    check.equal(got, want, f"the pair of mean (first block) and variance (second) of each token, for eps={eps},", x=x)


@claim(step=2, size=sizes(TOKENS), eps=epsilons, double=True)
def test_output_is_the_layer_norm_of_each_token(kata, size, eps):
    """The output is weight · (x − mean) / √(variance + eps) + bias, with mean and variance of each token's features."""
    module, x = trained(kata, size, eps), size.normal(TOKENS)
    check.equal(module(x), right(module, x, eps), f"the output for eps={eps}", x=x)


@claim(step=2, size=sizes("h B T D"), names=["T D", "h B T D"])
def test_any_dimensions_may_come_before_the_features(kata, size, names):
    """The features are the last dimension, however many come before it: one, two or three."""
    module, x = trained(kata, size), size.normal(names)
    check.equal(module(x), right(module, x), f"the output for x of shape {tuple(x.shape)}", x=x)


@claim(step=2, without={"earlier": "the law itself asks several times"}, size=sizes(TOKENS))
def test_every_call_is_computed_anew(kata, size):
    """The output follows from this call's x and from weight and bias as they are now, not from an earlier call."""
    module = trained(kata, size)
    for number in ("first", "second"):
        x = size.normal(TOKENS, salt=number)
        check.equal(module(x), right(module, x), f"the output of the {number} call", x=x)
    with torch.no_grad():
        module.weight.mul_(2)
        module.bias.sub_(1)
    check.equal(module(x), right(module, x), "the output for other numbers in weight and bias", x=x)


@claim(step=2, size=sizes(TOKENS), double=True)
def test_eval_mode_changes_nothing(kata, size):
    """Nothing is learned from the tokens that pass: in eval mode the output is what it is in training."""
    module, x = trained(kata, size), size.normal(TOKENS)
    check.equal(module.train()(x + 1), right(module, x + 1), "the output in training", x=x + 1)
    check.equal(module.eval()(x), right(module, x), "the output in eval mode", x=x)


@claim(step=2, size=sizes(TOKENS), double=True)
def test_eps_is_a_hundred_thousandth_by_default(kata, size):
    """Without an eps of its own the layer adds 1e-5 to the variance."""
    module, x = trained(kata, size), size.normal(TOKENS, scale=0.01)
    check.equal(module(x), right(module, x), "the output for numbers of about 0.01", x=x)


@claim(step=2, size=sizes("T D", D=(2, 6)), eps=epsilons, double=True)
def test_tokens_of_any_size(kata, size, eps):
    """eps counts beside the variance of a token, little where that is large, much where it is small."""
    module = trained(kata, size, eps)
    x = size.normal("T D") * torch.logspace(-6, 1, 15, dtype=torch.get_default_dtype()).view(-1, 1, 1)
    check.equal(module(x.clone()), right(module, x, eps), f"the output for eps={eps}", x=x)


@claim(step=2, size=sizes(TOKENS), double=True)
def test_shift_and_scale_of_a_token_are_lost(kata, size):
    """Shifting a token, or scaling it, changes nothing: only its pattern is left (here eps is next to nothing)."""
    module, x = trained(kata, size, 1e-12), size.normal(TOKENS) + torch.arange(size.D) ** 2
    shift, scale = size.normal("B T 1", scale=5), size.normal("B T 1", salt="scale").abs() + 0.5
    moved, want = module(x * scale + shift), module(x)
    check.tensor(want, x.shape, x.dtype, "the output")
    check.equal(moved, want, "the output for the shifted and scaled tokens", tolerance=1e-3, x=x)


@claim(step=2, size=sizes(TOKENS, B=(2, 4), T=(2, 7)))
def test_a_token_is_normalised_by_itself(kata, size):
    """Changing the last token of the last text changes no other token's output."""
    module, x = trained(kata, size), size.normal(TOKENS)
    changed = x.clone()
    changed[-1, -1] = 100 * changed[-1, -1] + torch.arange(size.D)
    before, after = module(x.clone()), module(changed)
    check.tensor(before, x.shape, x.dtype, "the output")
    check.tensor(after, x.shape, x.dtype, "the output")
    others = torch.ones(size.B, size.T, dtype=torch.bool)
    others[-1, -1] = False
    check.equal(after[others], before[others], "the output of all other tokens, after the change", x=x)


@claim(step=2, size=sizes(TOKENS), level=[0.0, 3.0, -0.25])
def test_a_constant_token_stays_finite(kata, size, level):
    """A token whose features are all equal comes out as the bias, and its gradient is finite."""
    module, x = trained(kata, size), torch.full(size.shape(TOKENS), level, requires_grad=True)
    output = module(x)
    want = module.bias.detach().expand(x.shape)
    check.equal(output, want, f"the output for features that are all {level}", tolerance=1e-2)
    gradients = torch.autograd.grad((output * size.normal(TOKENS)).sum(), (x, module.weight), allow_unused=True)
    finite = [gradient is None or bool(gradient.isfinite().all()) for gradient in gradients]
    check.equal(finite, [True, True], "whether the gradients of x and of the weight are finite")


@claim(
    step=2,
    size=sizes(TOKENS),
    double=True,
    without={"dtype": "it is about what only double precision holds"},
)
def test_every_digit_of_x_counts(kata, size):
    """What is given in double precision is computed in double: a step of 1e-10 in x makes its difference."""
    module, step = trained(kata, size), size.normal(TOKENS, salt="step")
    x = size.normal(TOKENS).mul(32).floor().div(32) + 1 / 64  # float32 can hold it, and rounds each step away
    before, after = module(x), module(x + 1e-10 * step)
    check.tensor(before, x.shape, x.dtype, "the output")
    check.tensor(after, x.shape, x.dtype, "the output")
    want = right(module, x + 1e-10 * step) - right(module, x)
    change = "how the output changes, in steps of 1e-10,"
    check.equal((after - before).double() / 1e-10, want / 1e-10, change, tolerance=1e-2, x=x)


@claim(step=2, size=sizes("B T D", D=(2, 8)), far=[8192.0, -8192.0, 16384.0])
def test_a_large_mean_costs_no_precision(kata, size, far):
    """A token far from 0 is normalised as well as one near it, also in float32."""
    D = 2 ** (size.D.bit_length() - 1)  # 2, 4 or 8: halves and quarters are exact, so every right way is too
    order = torch.rand(size.B, size.T, D, generator=size.generator("order")).argsort(-1)
    near = torch.where(order % 2 == 0, 1.0, -1.0)
    module = kata.LayerNorm(D)
    check.equal(module(near + far), near, f"the output for features {far:g} ± 1", tolerance=1e-2, x=near + far)


@claim(step=2, size=sizes(TOKENS), eps=epsilons, double=True)
def test_gradients_are_those_of_layer_norm(kata, size, eps):
    """The gradient reaches x through mean and variance too, and it reaches weight and bias."""
    module, x, probe = trained(kata, size, eps), size.normal(TOKENS).requires_grad_(), size.normal(TOKENS, salt="probe")
    wanted = gradients_of_torch(x, module.weight, module.bias, eps, probe)
    output = module(x)
    check.tensor(output, x.shape, x.dtype, "the output")
    check.equal(output.requires_grad, True, "whether the output has a gradient")
    inputs = (x, module.weight, module.bias)
    gradients = torch.autograd.grad((output * probe).sum(), inputs, allow_unused=True, materialize_grads=True)
    for name, got, want in zip(("x", "the weight", "the bias"), gradients, wanted, strict=True):
        check.equal(got, want, f"the gradient of {name}", x=x)


@claim(step=2, size=sizes(TOKENS), eps=epsilons, double=True)
def test_gradient_passes_a_constant_token(kata, size, eps):
    """A token whose features are all equal lets the gradient through, like any other: a small step would change it."""
    module, x, probe = trained(kata, size, eps), torch.ones(size.shape(TOKENS), requires_grad=True), size.normal(TOKENS)
    want, *_ = gradients_of_torch(x, module.weight, module.bias, eps, probe)
    output = module(x)
    check.tensor(output, x.shape, x.dtype, "the output")
    (got,) = torch.autograd.grad((output * probe).sum(), x, allow_unused=True, materialize_grads=True)
    check.equal(got, want, "the gradient of x", x=x)
