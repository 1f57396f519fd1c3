"""k08 feed-forward: what must be true of it."""

import math

import torch
from hypothesis import strategies as st

from dojo.spec import GELU, ban, check, claim, oracle, randomise, sizes

BANS = [ban(*GELU, why="it is what you write here.")]
TOKENS = "B T D"
POINTS = [-3.0, -2.0, -1.0, -0.75, -0.5, -0.1, 0.0, 0.1, 0.5, 1.0, 2.0, 3.0]
FAR = [-1e4, -100.0, -20.0, 20.0, 100.0, 1e4]
EXPANSIONS = (4, 2, 1, 3)
DOUBLE = {"dtype": "it is about what only double precision holds"}
NO_TENSOR = {"layout": "it is about what the layer is made of: no tensor is handed over", "earlier": "likewise"}
NO_ARGUMENT = dict.fromkeys(("layout", "dtype", "earlier", "arguments"), "GELU() takes none, and no call of it is made")


# --- Oracles: the slow, obvious form ---------------------------------------------------------------------------


def gelu_by_entries(x):
    values = [0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))) for v in x.flatten().tolist()]
    return torch.tensor(values, dtype=x.dtype).reshape(x.shape)


def changes(function, x, step):
    """How much what `function` gives changes when x takes a step, in units of the step's size, 1e-10."""
    before, after = function(x), function(x + 1e-10 * step)
    for output in (before, after):
        check.tensor(output, x.shape, x.dtype, "the output")
    return (after - before).detach().double() / 1e-10


def coarse(size):
    """Numbers that float32 can hold, and to which it rounds whatever is within 1e-10 of them."""
    return size.normal(TOKENS).mul(32).floor().div(32) + 1 / 64


@oracle
def gelu_of_torch(x):
    return torch.nn.functional.gelu(x, approximate="tanh")


def feed_forward_of_torch(module, x):
    """What the layers of `module`, with its own parameters, should make of x."""
    hidden = gelu_of_torch(torch.nn.functional.linear(x, module.up.weight, module.up.bias))
    return torch.nn.functional.linear(hidden, module.down.weight, module.down.bias)


def feed_forward(kata, size, *expansion):
    """The module under test, with parameters that no default start hides."""
    module = kata.FeedForward(size.D, *expansion)
    check.instance(module, torch.nn.Module, f"FeedForward({size.D})")
    for name in ("up", "down"):
        check.instance(getattr(module, name, None), torch.nn.Linear, f"`{name}`")
    randomise(module, size)
    return module


# --- Step 1: the activation ------------------------------------------------------------------------------------


@claim(step=1, size=sizes(TOKENS))
def test_gelu_leaves_x_alone(kata, size):
    """gelu does not change the tensor that it is given."""
    x = size.normal(TOKENS)
    before = x.clone()
    check.present(kata.gelu(x), "gelu(x)")
    check.exactly(x, before, "x, after the call")


@claim(step=1, further=st.integers(0, 9), double=True)
def test_gelu_is_the_tanh_form(kata, further):
    """gelu(x) is ½ · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³)))."""
    x = torch.tensor(POINTS) + further / 100
    check.equal(kata.gelu(x), gelu_by_entries(x), "gelu(x)", x=x)


@claim(step=1, further=st.integers(0, 9), double=True, without=DOUBLE)
def test_constants_of_gelu_have_all_their_digits(kata, further):
    """In double precision gelu(x) is right to six decimals: 0.044715 and √(2/π) are not cut short."""
    x = torch.tensor(POINTS) + further / 100
    got, want = kata.gelu(x), gelu_by_entries(x)
    check.tensor(got, x.shape, x.dtype, "gelu(x)")
    error = (got - want).detach().double()  # tells constants apart that give nearly the same
    wrong = check.Mismatch("gelu(x) is off in the seventh decimal or before it", got, want, {"x": x}, alike=error)
    wrong.tolerance = 1e-7  # a constant that was rounded to float32 costs a tenth of that
    if wrong.differs().any():
        raise wrong


@claim(step=1, size=sizes(TOKENS), double=True, without=DOUBLE)
def test_every_digit_of_x_counts(kata, size):
    """What is given in double precision is computed in double: a step of 1e-10 in x makes its difference."""
    x, step = coarse(size), size.normal(TOKENS, salt="step")
    want = changes(gelu_by_entries, x, step)
    check.equal(changes(kata.gelu, x, step), want, "how gelu(x) changes, in steps of 1e-10,", tolerance=1e-3, x=x)


@claim(step=1, size=sizes(TOKENS), names=["T", "B T", TOKENS])
def test_gelu_works_on_any_shape(kata, size, names):
    """gelu treats every entry of a tensor of any shape by itself."""
    x = size.normal(names).clamp(min=-2)  # further left gelu is so near 0 that float32 has few digits of it
    check.equal(kata.gelu(x), gelu_by_entries(x), "gelu(x)", x=x)


@claim(step=1, far=[value for value in FAR if value > 0], further=st.integers(0, 9), double=True)
def test_gelu_far_out(kata, far, further):
    """Far to the right gelu(x) is x, far to the left it is 0."""
    for value in (-far, far):
        x = torch.tensor([value * (1 + further / 10)])
        want = x.clamp(min=0) if value > 0 else 0 * x
        check.equal(kata.gelu(x), want, f"gelu({x.item():g})", tolerance=1e-5)


@claim(step=1, points=st.integers(451, 459), double=True)
def test_gelu_has_its_minimum_near_three_quarters_to_the_left(kata, points):
    """gelu falls to about −0.17 near x = −0.75, and rises everywhere to the right of that."""
    x = torch.linspace(-1.5, 3, points)
    y = kata.gelu(x)
    check.tensor(y, x.shape, x.dtype, "gelu(x)")
    lowest = y.detach().argmin()
    check.equal(x[lowest].item(), -0.75, "where gelu is lowest", tolerance=0.03)
    check.equal(bool((y.diff()[lowest:] > 0).all()), True, "whether gelu rises to the right of that")


@claim(step=1, further=st.integers(0, 9), double=True)
def test_slope_of_gelu(kata, further):
    """The gradient of gelu is its slope, and it is finite also far out: 1 to the right, 0 to the left."""
    x = (torch.tensor(POINTS + FAR) * (1 + further / 100)).requires_grad_()
    (want,) = torch.autograd.grad(gelu_of_torch(x).sum(), x)
    y = kata.gelu(x)
    check.tensor(y, x.shape, x.dtype, "gelu(x)")
    check.equal(y.requires_grad, True, "whether gelu(x) has a gradient")
    check.equal(torch.autograd.grad(y.sum(), x)[0], want, "the gradient of gelu", x=x)


# --- Step 2: the activation as a layer -------------------------------------------------------------------------


@claim(step=2, size=sizes(TOKENS), double=True)
def test_gelu_layer_is_gelu(kata, size):
    """GELU() is a module that gives gelu(x)."""
    module, x = kata.GELU(), size.normal(TOKENS).clamp(min=-2)
    check.instance(module, torch.nn.Module, "GELU()")
    check.equal(module(x), gelu_by_entries(x), "GELU()(x)", x=x)


@claim(step=2, without=NO_ARGUMENT)
def test_gelu_layer_has_no_parameters(kata):
    """GELU has nothing to learn."""
    module = kata.GELU()
    check.instance(module, torch.nn.Module, "GELU()")
    count = sum(parameter.numel() for parameter in module.parameters())
    check.equal(count, 0, "the number of parameters")


# --- Step 3: up and down ---------------------------------------------------------------------------------------


@claim(step=3, examples=4, without=NO_TENSOR, size=sizes("D"), expansion=EXPANSIONS)
def test_up_widens_and_down_brings_back(kata, size, expansion):
    """`up` is a linear layer from D to expansion · D, `down` one back to D, both with bias; there are no others."""
    module, wide = feed_forward(kata, size, expansion), expansion * size.D
    shapes = {"up": ((wide, size.D), (wide,)), "down": ((size.D, wide), (size.D,))}
    got = {name: shapes_of(getattr(module, name)) for name in shapes}
    check.equal(got, shapes, f"the pair of shapes, weight and bias, for expansion={expansion}")
    count = sum(parameter.numel() for parameter in module.parameters())
    check.equal(count, 2 * size.D * wide + wide + size.D, "the number of parameters")


@claim(step=3, examples=4, without=NO_TENSOR, size=sizes("D"), expansion=[4, 1])
def test_up_and_down_share_nothing(kata, size, expansion):
    """Each weight and each bias has numbers of its own: filling one leaves the other three as they are."""
    module = feed_forward(kata, size, expansion)
    parts = [module.up.weight, module.up.bias, module.down.weight, module.down.bias]
    with torch.no_grad():
        for number, values in enumerate(parts, 1):
            values.fill_(number)
    got = [values.mean().item() for values in parts]
    what = f"what up.weight, up.bias, down.weight and down.bias hold, filled in turn, for expansion={expansion},"
    check.equal(got, [1.0, 2.0, 3.0, 4.0], what)


@claim(step=3, examples=4, without=NO_TENSOR, size=sizes("D"))
def test_expansion_is_4_by_default(kata, size):
    """Without an expansion of its own, FeedForward makes each token 4 times as wide."""
    check.equal(feed_forward(kata, size).up.out_features, 4 * size.D, "the width between `up` and `down`")


@claim(step=3, size=sizes(TOKENS))
def test_feed_forward_leaves_x_alone(kata, size):
    """FeedForward does not change the tensor that it is given."""
    module, x = feed_forward(kata, size), size.normal(TOKENS)
    before = x.clone()
    check.present(module(x), "the output")
    check.exactly(x, before, "x, after the call")


@claim(step=3, size=sizes(TOKENS), expansion=EXPANSIONS, double=True)
def test_output_is_down_of_gelu_of_up(kata, size, expansion):
    """The output is down(gelu(up(x))), in training and in eval mode."""
    module, x = feed_forward(kata, size, expansion), size.normal(TOKENS)
    want = feed_forward_of_torch(module, x)
    for mode in ("eval mode", "training"):
        got = module.train(mode == "training")(x)
        try:
            check.equal(got, want, f"the output in {mode}", x=x)
        except check.Mismatch as mismatch:
            if isinstance(got, torch.Tensor) and not torch.equal(got, module(x)):  # which one it was is left to chance
                mismatch.alike = "another output at every call"
            raise


@claim(step=3, without={"earlier": "the law itself asks several times"}, size=sizes(TOKENS))
def test_every_call_is_computed_anew(kata, size):
    """The output follows from this call's x and from the layers as they are now, not from an earlier call."""
    module = feed_forward(kata, size)
    for number in ("first", "second"):
        x = size.normal(TOKENS, salt=number)
        check.equal(module(x), feed_forward_of_torch(module, x), f"the output of the {number} call", x=x)
    with torch.no_grad():
        for values in module.parameters():
            values.mul_(-0.5)
    check.equal(module(x), feed_forward_of_torch(module, x), "the output for other numbers in the layers", x=x)


@claim(step=3, size=sizes(TOKENS), double=True, without=DOUBLE)
def test_every_digit_counts_between_the_layers(kata, size):
    """What is given in double precision stays in double: a step of 1e-10 in x makes its difference in the output."""
    module, x, step = feed_forward(kata, size), coarse(size), size.normal(TOKENS, salt="step")
    want = changes(lambda x: feed_forward_of_torch(module, x), x, step)
    check.equal(changes(module, x, step), want, "how the output changes, in steps of 1e-10,", tolerance=1e-2, x=x)


@claim(step=3, size=sizes(TOKENS, B=(2, 4), T=(2, 7)))
def test_a_token_thinks_alone(kata, size):
    """Changing the last token of the last text changes no other token's output."""
    module, x = feed_forward(kata, size), size.normal(TOKENS)
    changed = x.clone()
    changed[-1, -1] = 100 * changed[-1, -1] + 1
    before, after = module(x), module(changed)
    check.tensor(before, x.shape, x.dtype, "the output")
    check.tensor(after, x.shape, x.dtype, "the output")
    others = torch.ones(size.B, size.T, dtype=torch.bool)
    others[-1, -1] = False
    check.equal(after[others], before[others], "the output of all other tokens, after the change", x=x)


@claim(step=3, size=sizes(TOKENS), double=True)
def test_feed_forward_bends(kata, size):
    """FeedForward is more than one linear layer: f(x) + f(−x) is not 2 · f(0)."""
    module, x = feed_forward(kata, size), size.normal(TOKENS) + 3
    output = module(torch.cat([x, -x, 0 * x]))
    check.tensor(output, (3 * size.B, size.T, size.D), x.dtype, "the output")
    ahead, back, rest = output.chunk(3)
    bend = ahead + back - 2 * rest
    if bend.abs().max() < 1e-3:
        raise check.Mismatch("f(x) + f(−x) equals 2 · f(0), as for a single linear layer", bend)


@claim(step=3, size=sizes(TOKENS), scale=[1.0, 1e4], double=True)
def test_gradients_reach_everything(kata, size, scale):
    """The gradient reaches x and both layers, and it is finite also where x is as large as 10,000."""
    gradients_are_right(feed_forward(kata, size), size.normal(TOKENS, scale=scale).requires_grad_(), size)


def shapes_of(layer):
    return tuple(layer.weight.shape), None if layer.bias is None else tuple(layer.bias.shape)


def gradients_are_right(module, x, size):
    inputs = {"x": x, "up.weight": module.up.weight, "down.weight": module.down.weight}
    inputs |= {"up.bias": module.up.bias, "down.bias": module.down.bias}
    probe = size.normal(TOKENS, salt="probe")
    wanted = torch.autograd.grad((feed_forward_of_torch(module, x) * probe).sum(), inputs.values())
    output = module(x)
    check.tensor(output, x.shape, x.dtype, "the output")
    check.equal(output.requires_grad, True, "whether the output has a gradient")
    loss = (output * probe).sum()
    gradients = torch.autograd.grad(loss, inputs.values(), allow_unused=True, materialize_grads=True)
    try:
        for name, got, want in zip(inputs, gradients, wanted, strict=True):
            check.equal(got, want, f"the gradient of {name}", x=x)
    except check.Mismatch as mismatch:  # whether others are wrong too tells where it is cut off
        mismatch.alike = list(gradients)
        raise
