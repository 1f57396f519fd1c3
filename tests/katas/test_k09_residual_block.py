"""k09 residual block: what must be true of it."""

from contextlib import contextmanager
from copy import deepcopy
from functools import lru_cache

import torch
from hypothesis import strategies as st
from torch.nn.functional import gelu, linear

from dojo.spec import Sizes, check, claim, randomise, sizes

BANS = []
BLOCK, STREAM = "B T h d", "B T h*d"
DEPTH = 20
SILENT = {"attention": "attention.out_proj", "feed-forward": "feed_forward.down"}  # the last layer of each branch
batches = sizes("B", B=(5, 7))
widths = st.lists(st.integers(1, 4), min_size=2, max_size=6)
equal = st.integers(2, 4).map(lambda width: [width] * 4)  # so that every shortcut but its own would fit as well
rates = [0.5, 0.25, 0.8]
NO_TENSOR = {name: "it is about what the module is made of" for name in ("layout", "dtype", "earlier")}
ASKED = {"earlier": "a model is handed over, and the law itself asks again", "gradients": "they are what is measured"}
AGAIN = {"earlier": "the law itself asks several times"}
CHANCE = {"dtype": "it is about what is drawn", "layout": "likewise", "earlier": "it would draw other numbers"}
rooms = [2, 0]  # how many tokens fewer than the context length


# --- Oracles: the slow, obvious form ---------------------------------------------------------------------------


def deep_net_by_layers(layers, shortcut, x, form):
    for layer in layers:
        out = gelu(linear(x, layer.weight, layer.bias), approximate=form)
        x = x + out if shortcut and out.shape == x.shape else out
    return x


def block_by_parts(model, x):
    """The written-out formula, on the parts of the reference."""
    x = x + model.attention(model.norm1(x))
    return x + model.feed_forward(model.norm2(x))


def weight_gradients(net, x):
    """The gradient of the mean squared output for the weight of each layer, first layer first."""
    output = net(x)
    check.instance(output, torch.Tensor, "the output")
    weights = [layer.weight for layer in linears(net)]
    return torch.autograd.grad(output.pow(2).mean(), weights, allow_unused=True, materialize_grads=True)


# --- The code under test ---------------------------------------------------------------------------------------


def linears(net):
    return [module for module in net.modules() if isinstance(module, torch.nn.Linear)]


def deep_net(kata, size, layer_sizes, shortcut):
    """A DeepNet with as many layers as asked for, and weights of the size that `nn.Linear` starts with."""
    net = kata.DeepNet(layer_sizes, shortcut)
    check.instance(net, torch.nn.Module, "DeepNet(…)")
    found = [(layer.in_features, layer.out_features) for layer in linears(net)]
    check.equal(found, list(zip(layer_sizes, layer_sizes[1:], strict=False)), "the linear layers, (in, out),")
    with torch.no_grad():
        for number, layer in enumerate(linears(net)):
            for values in layer.parameters():
                shape = " ".join(map(str, values.shape))
                values.copy_(size.normal(shape, scale=(3 * layer.in_features) ** -0.5, salt=str(number)))
    return net


def block(kata, size, room=0, start=True, **options):
    """The block under test in eval mode, with parameters that no default start hides."""
    module = kata.TransformerBlock(size.h * size.d, size.T + room, size.h, **options)
    check.instance(module, torch.nn.Module, "TransformerBlock(…)")
    if start:
        randomise(module, size)
    return module.eval()


def silence(module, *branches):
    """Have these branches add nothing."""
    with torch.no_grad():
        for branch in branches:
            for values in ("weight", "bias"):
                check.parameter(module, f"{SILENT[branch]}.{values}").zero_()


def pair(kata, reference, size, room=0, silent=(), **options):
    """The block under test and the reference's with equal parameters; branches in `silent` add nothing.

    The reference's is only to be looked at: it is the same at the next verdict.
    """
    module = block(kata, size, room, start=False, **options)
    dims = tuple(size.dims.items()), size.seed
    model = right_block(reference, dims, torch.get_default_dtype(), room, tuple(silent), tuple(options.items()))
    check.copy_parameters(model, module)
    return module, model


@lru_cache(maxsize=500)
def right_block(reference, dims, dtype, room, silent, options):
    """The reference's block, which takes as long to make as to use."""
    model = block(reference, Sizes(dict(dims[0]), dims[1]), room, **dict(options))
    silence(model, *silent)
    return model


def factors(got, whole):
    """Which factors occur between what came and what would come without dropout: no matter where."""
    large = whole.abs() > 0.03 * whole.abs().max()  # where rounding does not make a factor of its own
    ratios = (got / whole)[large].double().mul(1000).round().div(1000).unique().tolist()
    return [ratio + 0.0 for ratio in ratios] if len(ratios) <= 3 else "many"


# --- Step 1: a deep net, with or without shortcuts -------------------------------------------------------------


@claim(step=1, examples=6, without=NO_TENSOR, size=batches, layer_sizes=widths, shortcut=[False, True])
def test_one_linear_layer_between_neighbours(kata, size, layer_sizes, shortcut):
    """DeepNet has one linear layer between each two neighbours in layer_sizes, and nothing else to learn."""
    net = deep_net(kata, size, layer_sizes, shortcut)
    count = sum(parameter.numel() for parameter in net.parameters())
    own = sum(parameter.numel() for layer in linears(net) for parameter in layer.parameters())
    check.equal(count, own, "the number of parameters")


@claim(step=1, size=batches, shortcut=[True, False])
def test_deep_net_leaves_x_alone(kata, size, shortcut):
    """DeepNet does not change the tensor that it is given."""
    x = size.normal("B 3")
    before = x.clone()
    check.present(deep_net(kata, size, [3, 3, 3], shortcut)(x), "the output")
    check.exactly(x, before, f"x, after the call, with shortcut={shortcut},")


@claim(step=1, examples=12, size=batches, layer_sizes=equal | widths, shortcut=[False, True])
def test_each_layer_is_linear_then_gelu(kata, size, layer_sizes, shortcut):
    """A layer gives gelu(layer(x)), the last one too; with shortcut, x + gelu(layer(x)) where both have one shape."""
    net, x = deep_net(kata, size, layer_sizes, shortcut), size.normal(f"B {layer_sizes[0]}")
    check_deep_net(net, shortcut, x, f"the output with shortcut={shortcut}")


def check_deep_net(net, shortcut, x, what):
    """Demand what the layers give, with either form of GELU."""
    want, output = deep_net_by_layers(linears(net), shortcut, x, "tanh"), net(x)
    check.tensor(output, want.shape, want.dtype, "the output", want=want)
    if not check.same(output.detach(), want.detach()):
        exact = deep_net_by_layers(linears(net), shortcut, x, "none")
        if not check.same(output.detach(), exact.detach()):
            check.equal(output, want, what, x=x)


@claim(step=1, without=AGAIN, size=batches, shortcut=[False, True])
def test_deep_net_computes_every_call_anew(kata, size, shortcut):
    """The output follows from this call's x, in training and in eval mode, and from no earlier call."""
    net = deep_net(kata, size, [3, 3, 2], shortcut)
    for mode, rows in (("training", size.B), ("training", size.B + 1), ("eval mode", size.B)):
        x = size.normal(f"{rows} 3", salt=mode)
        check_deep_net(net.train(mode == "training"), shortcut, x, f"the output in {mode}")


@claim(step=1, costly=True, examples=2, without={"gradients": "it is about them"}, size=batches)
def test_shortcuts_keep_the_gradient_alive(kata, size):
    """At depth 20 the first layer gets about as much gradient as the last with shortcuts, and next to none without."""
    for shortcut in (True, False):
        net, x = deep_net(kata, size, [8] * (DEPTH + 1), shortcut), size.normal("B 8")
        gradients = [gradient.abs().mean().item() for gradient in weight_gradients(net, x)]
        first, last = gradients[0], gradients[-1]
        if shortcut and not first >= 0.01 * last > 0:
            raise check.Mismatch("with shortcuts, the gradient of the first layer vanishes", [first, last])
        if not shortcut and not first < 1e-6 * last:
            raise check.Mismatch("without shortcuts, the gradient of the first layer is too large", [first, last])


# --- Step 2: measure the gradients -----------------------------------------------------------------------------


@claim(step=2, without=ASKED, size=batches, layer_sizes=widths, shortcut=[False, True])
def test_gradient_norms_are_mean_absolute_gradients(kata, size, layer_sizes, shortcut):
    """gradient_norms gives the mean absolute gradient of each weight, first layer first, of the mean square."""
    net, x = deep_net(kata, size, layer_sizes, shortcut), size.normal(f"B {layer_sizes[0]}")
    want = [gradient.abs().mean() for gradient in weight_gradients(net, x)]
    check.equal(norms(kata, net, x), torch.stack(want).double(), "gradient_norms(model, x)", x=x)


@claim(step=2, without=ASKED, size=batches, layer_sizes=widths, shortcut=[False, True])
def test_gradient_norms_looks_into_any_model(kata, size, layer_sizes, shortcut):
    """Every `nn.Linear` of a model counts, however deep it lies."""
    deep, x = deep_net(kata, size, layer_sizes, shortcut), size.normal(f"B {layer_sizes[0]}")
    wrapped = torch.nn.Sequential(torch.nn.Sequential(deep), torch.nn.Tanh(), torch.nn.Linear(layer_sizes[-1], 3))
    net = torch.nn.Sequential(wrapped)
    with torch.no_grad():
        for values in wrapped[2].parameters():
            values.copy_(size.normal("*".join(map(str, values.shape)), salt="head").view(values.shape))
    want = [gradient.abs().mean() for gradient in weight_gradients(net, x)]
    check.equal(norms(kata, net, x), torch.stack(want).double(), "gradient_norms(model, x)", x=x)


@claim(step=2, without=ASKED, size=batches, shortcut=[False, True])
def test_gradient_norms_does_not_count_old_gradients(kata, size, shortcut):
    """Gradients left over from before do not count: asking twice gives the same numbers."""
    net, x = deep_net(kata, size, [3, 3, 2], shortcut), size.normal("B 3")
    want = torch.stack([gradient.abs().mean() for gradient in weight_gradients(net, x)]).double()
    for parameter in net.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    check.equal(norms(kata, net, x), want, "gradient_norms(model, x), with gradients from before")
    check.equal(norms(kata, net, x), want, "gradient_norms(model, x), asked again")


@claim(step=2, without=ASKED, size=batches, shortcut=[False, True], training=[True, False])
def test_gradient_norms_only_looks(kata, size, shortcut, training):
    """gradient_norms changes neither the model, nor its mode, nor x."""
    net, x = deep_net(kata, size, [3, 3, 2], shortcut), size.normal("B 3")
    net.train(training)
    before = torch.nn.utils.parameters_to_vector(net.parameters()).detach(), x.clone()
    check.present(kata.gradient_norms(net, x), "gradient_norms(model, x)")
    check.equal(net.training, training, "whether the model is in train mode, after the call,")
    check.equal(x.requires_grad, False, "whether x asks for a gradient, after the call,")
    check.exactly(
        torch.nn.utils.parameters_to_vector(net.parameters()), before[0], "the vector of parameters, after the call,"
    )
    check.exactly(x, before[1], "x, after the call")


def norms(kata, net, x):
    """What gradient_norms returns, as a tensor once it is known to be a list of floats."""
    got = kata.gradient_norms(net, x)
    check.instance(got, list, "gradient_norms(model, x)")
    for number, value in enumerate(got):
        check.instance(value, float, f"entry {number} of gradient_norms(model, x)")
    return torch.tensor(got, dtype=torch.float64)


# --- Step 3: the parts of the block ----------------------------------------------------------------------------


@claim(step=3, examples=4, without=NO_TENSOR, size=sizes(BLOCK), bias=[False, True])
def test_block_has_two_norms_one_attention_one_feed_forward(kata, reference, size, bias):
    """The block has `norm1`, `attention`, `norm2`, `feed_forward` and `dropout`, each with its own parameters."""
    module, model = pair(kata, reference, size, qkv_bias=bias)
    check.instance(getattr(module, "dropout", None), torch.nn.Module, "`dropout`")
    got, want = (sum(parameter.numel() for parameter in one.parameters()) for one in (module, model))
    check.equal(got, want, f"the number of parameters with qkv_bias={bias}")


@claim(step=3, size=sizes(BLOCK), room=rooms, bias=[False, True])
def test_parts_are_those_of_the_earlier_katas(kata, reference, size, room, bias):
    """Each part does what it did in its own kata: LayerNorm, attention with all the heads asked for, FeedForward."""
    module, model = pair(kata, reference, size, room, dropout=0.5, qkv_bias=bias)
    x = size.normal(STREAM)
    for name in ("norm1", "attention", "norm2", "feed_forward"):
        check.equal(getattr(module, name)(x), getattr(model, name)(x), f"`{name}` of x, in eval mode,", x=x)


@claim(step=3, examples=4, size=sizes("B h d", B=(1, 5), h=(2, 3), d=(2, 4)))
def test_context_may_be_longer_than_a_token_is_wide(kata, reference, size):
    """The context length has nothing to do with emb_dim: a text of more tokens than that goes through, in order."""
    size = Sizes({**size.dims, "T": size.h * size.d + 2}, size.seed)
    module, model = pair(kata, reference, size)
    x = size.normal(STREAM)
    check.equal(module.attention(x), model.attention(x), "`attention` of x", x=x)


@claim(step=3, examples=2, without=CHANCE, seed=st.integers(0, 99))
def test_attention_gets_the_dropout(kata, seed):
    """The attention drops weights at the rate that the block is given, in training."""
    torch.manual_seed(seed)
    x = torch.randn(4, 8, 6)
    for rate in (0.5, 0.0):
        module = kata.TransformerBlock(6, 8, 2, dropout=rate)
        check.instance(module, torch.nn.Module, "TransformerBlock(…)")
        module.train()
        differ = not torch.equal(module.attention(x), module.attention(x))
        check.equal(differ, rate > 0, f"whether two passes of the attention in training differ, for dropout={rate},")


# --- Step 4: put it together -----------------------------------------------------------------------------------


@claim(step=4, size=sizes(BLOCK))
def test_block_leaves_x_alone(kata, size):
    """The block does not change the tensor that it is given."""
    module, x = block(kata, size), size.normal(STREAM)
    before = x.clone()
    check.present(module(x), "the output")
    check.exactly(x, before, "x, after the call")


@claim(step=4, examples=6, size=sizes(BLOCK, strided=False))
def test_silent_branches_leave_x_as_it_is(kata, size):
    """When attention and feed-forward give 0, x comes out as it went in, dropout or not."""
    module, x = block(kata, size, dropout=0.5), size.normal(STREAM)
    silence(module, *SILENT)
    check.exactly(module.eval()(x), x, "the output of a block with silent branches", x=x)
    output, what = module.train()(x), "the output of a block with silent branches, in training,"
    with whatever_was_drawn(output, x, x=x):
        check.exactly(output, x, what, x=x)


@claim(step=4, size=sizes(BLOCK), silent=list(SILENT))
def test_each_branch_alone(kata, reference, size, silent):
    """With one branch silent the output is x + attention(norm1(x)), or x + feed_forward(norm2(x))."""
    module, model = pair(kata, reference, size, silent=[silent], dropout=0.5)
    x = size.normal(STREAM)
    check_output(module, x, block_by_parts(model, x), f"the output with a silent {silent}")


@claim(step=4, size=sizes(BLOCK), room=rooms, bias=[False, True])
def test_block_adds_attention_then_feed_forward(kata, reference, size, room, bias):
    """The output is y + feed_forward(norm2(y)), where y is x + attention(norm1(x)); nothing is dropped in eval mode."""
    module, model = pair(kata, reference, size, room, dropout=0.5, qkv_bias=bias)
    x = size.normal(STREAM)
    check_output(module, x, block_by_parts(model, x), "the output")


@claim(step=4, examples=4, without=AGAIN, size=sizes(BLOCK))
def test_every_call_is_computed_anew(kata, reference, size):
    """The output follows from this call's x and from the parameters as they are now, not from an earlier call."""
    module, model = pair(kata, reference, size)
    for number, more in (("first", 0), ("second", 1), ("third", 0)):
        x = Sizes({**size.dims, "B": size.B + more}, size.seed, size.strided).normal(STREAM, salt=number)
        check.equal(module(x), block_by_parts(model, x), f"the output of the {number} call", x=x)
    model = deepcopy(model)
    with torch.no_grad():
        for values in model.parameters():
            values.mul_(-0.5)
    check.copy_parameters(model, module)
    check.equal(module(x), block_by_parts(model, x), "the output for other parameters", x=x)


@claim(step=4, examples=6, size=sizes(BLOCK), options=[{"dropout": 0.0}, {}])
def test_without_dropout_training_changes_nothing(kata, reference, size, options):
    """With dropout=0, or where none is asked for, the block gives the same in training as in eval mode."""
    module, model = pair(kata, reference, size, **options)
    x = size.normal(STREAM)
    what = f"the output in training, {'with dropout=0' if options else 'where no dropout is asked for'},"
    check_output(module.train(), x, block_by_parts(model, x), what)


@claim(step=4, size=sizes(BLOCK))
def test_gradient_passes_skip_and_branches(kata, reference, size):
    """The gradient comes back along the skip path and through both branches."""
    module, model = pair(kata, reference, size)
    x, probe = size.normal(STREAM).requires_grad_(), size.normal(STREAM, salt="probe")
    (want,) = torch.autograd.grad((block_by_parts(model, x) * probe).sum(), x)
    output = module(x)
    check.tensor(output, x.shape, x.dtype, "the output")
    (got,) = torch.autograd.grad((output * probe).sum(), x, allow_unused=True, materialize_grads=True)
    check.equal(got, want, "the gradient of x", x=x)


@claim(step=4, size=sizes(BLOCK, T=(2, 6)), room=rooms)
def test_no_gradient_reaches_a_later_token(kata, size, room):
    """The gradient of an output to every later input is exactly 0."""
    module, x = block(kata, size, room), size.normal(STREAM).requires_grad_()
    output = module(x)
    check.tensor(output, x.shape, x.dtype, "the output")
    for t in {0, size.seed % (size.T - 1)}:  # the first, which has most behind it, and any other
        (gradient,) = torch.autograd.grad(output[:, t].sum(), x, retain_graph=True)
        later = gradient[:, t + 1 :]
        check.exactly(later, torch.zeros_like(later), f"the gradient of output {t} to later inputs")


@claim(step=4, size=sizes(BLOCK, B=(2, 3), T=(3, 4), strided=False), rate=rates, silent=list(SILENT))
def test_dropout_acts_on_what_a_branch_adds(kata, reference, size, rate, silent):
    """In training each entry that a branch adds is dropped or scaled by 1 / (1 − rate); x itself never is."""
    module, model = pair(kata, reference, size, silent=[silent], dropout=rate)
    x = size.normal(STREAM)
    branch = block_by_parts(model, x) - x
    output = training_with_whole_attention(module)(x.clone())
    check.tensor(output, x.shape, x.dtype, "the output in training")
    added = output - x
    kept = (added - branch / (1 - rate)).abs() < (added - 0.0).abs()
    want = torch.where(kept, branch / (1 - rate), 0.0)
    with whatever_was_drawn(added, branch, sum=x + branch, x=x):
        check.equal(added, want, f"what is added to x in training, with a silent {silent},", x=x)


@contextmanager
def whatever_was_drawn(got, branch, **others):
    """Hand diagnosis which factors occur: of what a branch adds, and of the others where x is added to `got`."""
    try:
        yield
    except check.Mismatch as mismatch:
        if isinstance(got, torch.Tensor) and got.shape == branch.shape:
            got, branch = got.detach(), branch.detach()
            whole = got if "sum" not in others else got + others["x"]
            mismatch.alike = {"branch": factors(got, branch), "gone": bool((whole == 0).any())}
            mismatch.alike |= {name: factors(whole, other.detach()) for name, other in others.items()}
        raise


def check_output(module, x, want, what):
    """Demand this output; where every call gives another, which one it was is left to chance."""
    got = module(x)
    try:
        check.equal(got, want, what, x=x)
    except check.Mismatch as mismatch:
        if isinstance(got, torch.Tensor) and got.shape == want.shape and not torch.equal(got, module(x)):
            mismatch.alike = "another output at every call"
        raise


@claim(step=4, examples=3, without=CHANCE, rate=rates, seed=st.integers(0, 99))
def test_dropout_drops_the_expected_share(kata, rate, seed):
    """In training about `rate` of what each branch adds is dropped, each entry by itself."""
    torch.manual_seed(seed)
    shares = {}
    for silent in SILENT:
        module = kata.TransformerBlock(16, 16, 2, dropout=rate)
        check.instance(module, torch.nn.Module, "TransformerBlock(…)")
        silence(module, silent)
        x = torch.randn(8, 16, 16)
        output = training_with_whole_attention(module)(x.clone())
        check.tensor(output, x.shape, x.dtype, "the output in training")
        dropped = output == x
        shares[f"silent {silent}"] = dropped.double().mean().item()
        for whole, dims in (("texts", (1, 2)), ("features", (0, 1)), ("features of a text", (1,)), ("tokens", (2,))):
            together = dropped.float().mean(dims)
            if dropped.any() and bool(((together == 0) | (together == 1)).all()):
                raise check.Mismatch(f"whole {whole} are dropped of what a branch adds", dropped, alike=whole)
        again = training_with_whole_attention(module)(x.clone()) == x
        if 0 < shares[f"silent {silent}"] < 1 and bool((again == dropped).all()):
            raise check.Mismatch("every call drops the same entries of what a branch adds", dropped, alike="again")
    slack = 6 * (rate * (1 - rate) / x.numel()) ** 0.5
    if any(abs(share - rate) > slack for share in shares.values()):
        got = {name: round(share, 1) for name, share in shares.items()}
        alike = {name: "none" if not share else "less" if share < rate else "more" for name, share in shares.items()}
        problem = "the share dropped of what the other branch adds is off"
        raise check.Mismatch(problem, got, dict.fromkeys(got, rate), alike=alike)


def training_with_whole_attention(module):
    """The block in training, but for the weights inside its attention: those are not dropped."""
    module.train()
    module.attention.eval()
    return module
