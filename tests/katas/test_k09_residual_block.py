"""k09 residual block: what must be true of it."""

import torch
from hypothesis import strategies as st
from torch.nn.functional import gelu, linear

from dojo.spec import check, claim, randomise, sizes

BANS = []
BLOCK, STREAM = "B T h d", "B T h*d"
DEPTH = 20
SILENT = {"attention": "attention.out_proj", "feed-forward": "feed_forward.down"}  # the last layer of each branch
batches = sizes("B", B=(5, 7))
widths = st.lists(st.integers(1, 4), min_size=2, max_size=6)
rates = [0.5, 0.25, 0.8]
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
                uniform = torch.rand(values.shape, generator=size.generator(f"{number} {values.ndim}")) * 2 - 1
                values.copy_(uniform / layer.in_features**0.5)
    return net


def block(kata, size, room=0, **options):
    """The block under test in eval mode, with parameters that no default start hides."""
    module = kata.TransformerBlock(size.h * size.d, size.T + room, size.h, **options)
    check.instance(module, torch.nn.Module, "TransformerBlock(…)")
    randomise(module, size)
    return module.eval()


def pair(kata, reference, size, room=0, silent=(), **options):
    """The block under test and the reference's with equal parameters; branches in `silent` add nothing."""
    module, model = block(kata, size, room, **options), block(reference, size, room, **options)
    with torch.no_grad():
        for branch in silent:
            for values in model.get_submodule(SILENT[branch]).parameters():
                values.zero_()
    check.copy_parameters(model, module)
    return module, model


# --- Step 1: a deep net, with or without shortcuts -------------------------------------------------------------


@claim(step=1, examples=6, size=batches, layer_sizes=widths, shortcut=[False, True])
def test_one_linear_layer_between_neighbours(kata, size, layer_sizes, shortcut):
    """DeepNet has one linear layer between each two neighbours in layer_sizes, and nothing else to learn."""
    net = deep_net(kata, size, layer_sizes, shortcut)
    count = sum(parameter.numel() for parameter in net.parameters())
    own = sum(parameter.numel() for layer in linears(net) for parameter in layer.parameters())
    check.equal(count, own, "the number of parameters")


@claim(step=1, examples=3, size=batches)
def test_deep_net_leaves_x_alone(kata, size):
    """DeepNet does not change the tensor that it is given."""
    for shortcut in (True, False):
        x = size.normal("B 3")
        before = x.clone()
        check.present(deep_net(kata, size, [3, 3, 3], shortcut)(x), "the output")
        check.exactly(x, before, f"x, after the call, with shortcut={shortcut},")


@claim(step=1, examples=10, size=batches, layer_sizes=widths, double=True)
def test_each_layer_is_linear_then_gelu(kata, size, layer_sizes):
    """A layer gives gelu(layer(x)), the last one too; with shortcut, x + gelu(layer(x)) where both have one shape."""
    for shortcut in (False, True):
        net, x = deep_net(kata, size, layer_sizes, shortcut), size.normal(f"B {layer_sizes[0]}")
        exact = deep_net_by_layers(linears(net), shortcut, x, "none")
        want = deep_net_by_layers(linears(net), shortcut, x, "tanh")
        output = net(x)
        check.tensor(output, want.shape, want.dtype, "the output", want=want)
        if not check.same(output.detach(), exact.detach()):  # either form of GELU will do here
            check.equal(output, want, f"the output with shortcut={shortcut}", x=x)


@claim(step=1, examples=2, size=batches, shortcut=[False, True], double=True)
def test_deep_net_computes_every_call_anew(kata, size, shortcut):
    """The output follows from this call's x, in training and in eval mode, and from no earlier call."""
    net = deep_net(kata, size, [3, 3, 2], shortcut)
    for mode in ("training", "eval mode"):
        x = size.normal("B 3", salt=mode)
        exact, want = (deep_net_by_layers(linears(net), shortcut, x, form) for form in ("none", "tanh"))
        output = net.train(mode == "training")(x)
        check.tensor(output, want.shape, want.dtype, "the output", want=want)
        if not check.same(output.detach(), exact.detach()):
            check.equal(output, want, f"the output in {mode}", x=x)


@claim(step=1, costly=True, examples=2, size=batches)
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


@claim(step=2, examples=8, size=batches, layer_sizes=widths, shortcut=[False, True], double=True)
def test_gradient_norms_are_mean_absolute_gradients(kata, size, layer_sizes, shortcut):
    """gradient_norms gives the mean absolute gradient of each weight, first layer first, of the mean square."""
    net, x = deep_net(kata, size, layer_sizes, shortcut), size.normal(f"B {layer_sizes[0]}")
    want = [gradient.abs().mean() for gradient in weight_gradients(net, x)]
    check.equal(norms(kata, net, x), torch.stack(want).double(), "gradient_norms(model, x)", x=x)


@claim(step=2, examples=3, size=batches, shortcut=[False, True])
def test_gradient_norms_does_not_count_old_gradients(kata, size, shortcut):
    """Gradients left over from before do not count: asking twice gives the same numbers."""
    net, x = deep_net(kata, size, [3, 3, 2], shortcut), size.normal("B 3")
    want = torch.stack([gradient.abs().mean() for gradient in weight_gradients(net, x)]).double()
    for parameter in net.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    check.equal(norms(kata, net, x), want, "gradient_norms(model, x), with gradients from before")
    check.equal(norms(kata, net, x), want, "gradient_norms(model, x), asked again")


@claim(step=2, examples=3, size=batches, shortcut=[False, True])
def test_gradient_norms_only_looks(kata, size, shortcut):
    """gradient_norms changes neither the model, nor its mode, nor x."""
    net, x = deep_net(kata, size, [3, 3, 2], shortcut), size.normal("B 3")
    before = torch.nn.utils.parameters_to_vector(net.parameters()).detach(), x.clone()
    check.present(kata.gradient_norms(net, x), "gradient_norms(model, x)")
    check.equal(net.training, True, "whether the model is in train mode, after the call,")
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


@claim(step=3, examples=3, size=sizes(BLOCK))
def test_block_has_two_norms_one_attention_one_feed_forward(kata, reference, size):
    """The block has `norm1`, `attention`, `norm2`, `feed_forward` and `dropout`, each with its own parameters."""
    for bias in (False, True):
        module, model = pair(kata, reference, size, qkv_bias=bias)
        check.instance(getattr(module, "dropout", None), torch.nn.Module, "`dropout`")
        got, want = (sum(parameter.numel() for parameter in one.parameters()) for one in (module, model))
        check.equal(got, want, f"the number of parameters with qkv_bias={bias}")


@claim(step=3, examples=6, size=sizes(BLOCK), room=rooms, bias=[False, True], double=True)
def test_parts_are_those_of_the_earlier_katas(kata, reference, size, room, bias):
    """Each part does what it did in its own kata: LayerNorm, attention with all the heads asked for, FeedForward."""
    module, model = pair(kata, reference, size, room, dropout=0.5, qkv_bias=bias)
    x = size.normal(STREAM)
    for name in ("norm1", "attention", "norm2", "feed_forward"):
        check.equal(getattr(module, name)(x), getattr(model, name)(x), f"`{name}` of x, in eval mode,", x=x)


@claim(step=3, examples=2, seed=st.integers(0, 99))
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


@claim(step=4, examples=3, size=sizes(BLOCK))
def test_block_leaves_x_alone(kata, size):
    """The block does not change the tensor that it is given."""
    module, x = block(kata, size), size.normal(STREAM)
    before = x.clone()
    check.present(module(x), "the output")
    check.exactly(x, before, "x, after the call")


@claim(step=4, examples=3, size=sizes(BLOCK, strided=False))
def test_silent_branches_leave_x_as_it_is(kata, reference, size):
    """When attention and feed-forward give 0, x comes out as it went in, dropout or not."""
    module, _ = pair(kata, reference, size, silent=list(SILENT), dropout=0.5)
    x = size.normal(STREAM)
    check.exactly(module.eval()(x), x, "the output of a block with silent branches", x=x)
    check.exactly(module.train()(x), x, "the output of a block with silent branches, in training,", x=x)


@claim(step=4, examples=4, size=sizes(BLOCK), double=True)
def test_each_branch_alone(kata, reference, size):
    """With one branch silent the output is x + attention(norm1(x)), or x + feed_forward(norm2(x))."""
    for silent in SILENT:
        module, model = pair(kata, reference, size, silent=[silent], dropout=0.5)
        x = size.normal(STREAM)
        check.equal(module(x), block_by_parts(model, x), f"the output with a silent {silent}", x=x)


@claim(step=4, examples=6, size=sizes(BLOCK), room=rooms, bias=[False, True], double=True)
def test_block_adds_attention_then_feed_forward(kata, reference, size, room, bias):
    """The output is y + feed_forward(norm2(y)), where y is x + attention(norm1(x)); nothing is dropped in eval mode."""
    module, model = pair(kata, reference, size, room, dropout=0.5, qkv_bias=bias)
    x = size.normal(STREAM)
    check.equal(module(x), block_by_parts(model, x), "the output", x=x)


@claim(step=4, examples=2, size=sizes(BLOCK), double=True)
def test_every_call_is_computed_anew(kata, reference, size):
    """The output follows from this call's x and from the parameters as they are now, not from an earlier call."""
    module, model = pair(kata, reference, size)
    for number in ("first", "second"):
        x = size.normal(STREAM, salt=number)
        check.equal(module(x), block_by_parts(model, x), f"the output of the {number} call", x=x)
    with torch.no_grad():
        for values in model.parameters():
            values.mul_(-0.5)
    check.copy_parameters(model, module)
    check.equal(module(x), block_by_parts(model, x), "the output for other parameters", x=x)


@claim(step=4, examples=2, size=sizes(BLOCK), double=True)
def test_without_dropout_training_changes_nothing(kata, reference, size):
    """With dropout=0, or where none is asked for, the block gives the same in training as in eval mode."""
    for options in ({"dropout": 0.0}, {}):
        module, model = pair(kata, reference, size, **options)
        x = size.normal(STREAM)
        what = f"the output in training, {'with dropout=0' if options else 'where no dropout is asked for'},"
        check.equal(module.train()(x), block_by_parts(model, x), what, x=x)


@claim(step=4, examples=3, size=sizes(BLOCK), double=True)
def test_gradient_passes_skip_and_branches(kata, reference, size):
    """The gradient comes back along the skip path and through both branches."""
    module, model = pair(kata, reference, size)
    x, probe = size.normal(STREAM).requires_grad_(), size.normal(STREAM, salt="probe")
    (want,) = torch.autograd.grad((block_by_parts(model, x) * probe).sum(), x)
    output = module(x)
    check.tensor(output, x.shape, x.dtype, "the output")
    (got,) = torch.autograd.grad((output * probe).sum(), x, allow_unused=True, materialize_grads=True)
    check.equal(got, want, "the gradient of x", x=x)


@claim(step=4, examples=3, size=sizes(BLOCK, T=(2, 6)), room=rooms)
def test_no_gradient_reaches_a_later_token(kata, size, room):
    """The gradient of an output to every later input is exactly 0."""
    module, x = block(kata, size, room), size.normal(STREAM).requires_grad_()
    output = module(x)
    check.tensor(output, x.shape, x.dtype, "the output")
    for t in range(size.T - 1):
        (gradient,) = torch.autograd.grad(output[:, t].sum(), x, retain_graph=True)
        later = gradient[:, t + 1 :]
        check.exactly(later, torch.zeros_like(later), f"the gradient of output {t} to later inputs")


@claim(step=4, examples=4, size=sizes(BLOCK, strided=False), rate=rates, double=True)
def test_dropout_acts_on_what_a_branch_adds(kata, reference, size, rate):
    """In training each entry that a branch adds is dropped or scaled by 1 / (1 − rate); x itself never is."""
    for silent in SILENT:
        module, model = pair(kata, reference, size, silent=[silent], dropout=rate)
        x = size.normal(STREAM)
        branch = block_by_parts(model, x) - x
        output = training_with_whole_attention(module)(x.clone())
        check.tensor(output, x.shape, x.dtype, "the output in training")
        added = output - x
        want = torch.where(added == 0, 0.0, branch / (1 - rate))
        check.equal(added, want, f"what is added to x in training, with a silent {silent},", x=x)


@claim(step=4, examples=3, rate=rates, seed=st.integers(0, 99))
def test_dropout_drops_the_expected_share(kata, rate, seed):
    """In training about `rate` of what each branch adds is dropped."""
    torch.manual_seed(seed)
    shares = {}
    for silent in SILENT:
        module = kata.TransformerBlock(16, 16, 2, dropout=rate)
        check.instance(module, torch.nn.Module, "TransformerBlock(…)")
        with torch.no_grad():
            for values in ("weight", "bias"):
                check.parameter(module, f"{SILENT[silent]}.{values}").zero_()
        x = torch.randn(8, 16, 16)
        output = training_with_whole_attention(module)(x.clone())
        check.tensor(output, x.shape, x.dtype, "the output in training")
        shares[f"silent {silent}"] = (output == x).double().mean().item()
    slack = 6 * (rate * (1 - rate) / x.numel()) ** 0.5
    if any(abs(share - rate) > slack for share in shares.values()):
        got = {name: round(share, 1) for name, share in shares.items()}
        raise check.Mismatch("the share dropped of what the other branch adds is off", got, dict.fromkeys(got, rate))


def training_with_whole_attention(module):
    """The block in training, but for the weights inside its attention: those are not dropped."""
    module.train()
    module.attention.eval()
    return module
