"""k23 LoRA: what must be true of it."""

import io
from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F

from dojo.spec import check, claim, randomise, sizes

BANS = []
LAYER = sizes("B T n m", strided=False, n=(2, 6), m=(2, 6))
MODEL = sizes("B T D E H V", strided=False, B=(1, 3), T=(1, 3), D=(3, 8), E=(3, 8), H=(3, 8), V=(3, 8))
RANK, ALPHA = 2, 3.0
biases = [True, False]
alphas = [1, 5.0]
leading = ["B T", "T", ""]
NAMES = [("W_query",), ["W_query", "W_value"], ("up", "down"), ("lm_head",), ("out_proj", "attention"), {"W_value"}]
BITS = {"layout": "equal to the bit, and tensors that lie otherwise in memory are summed in another order"}


# --- A model with linear layers in many places, and the slow, obvious form -------------------------------------


def Linear(*sizes, **options):
    """An nn.Linear that does not draw its first values: they are all filled in at once afterwards."""
    return nn.utils.skip_init(nn.Linear, *sizes, **options)


class Attention(nn.Module):
    def __init__(self, size, bias):
        super().__init__()
        self.W_query, self.W_value = (Linear(size.D, size.E, bias=bias) for _ in range(2))
        self.out_proj = Linear(size.E, size.D)

    def forward(self, x):
        return self.out_proj(torch.tanh(self.W_query(x)) * self.W_value(x))


class Block(nn.Module):
    def __init__(self, size, bias):
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(size.D), Attention(size, bias)
        layers = {"up": Linear(size.D, size.H), "act": nn.Tanh(), "down": Linear(size.H, size.D)}
        self.feed_forward = nn.Sequential(OrderedDict(layers))

    def forward(self, x):
        x = x + self.attention(self.norm(x))
        return x + self.feed_forward(x)


class Model(nn.Module):
    """Like a GPT: a table, two blocks, a head. `A` is a parameter of its own, with a name that others have too."""

    def __init__(self, size, tied=False, shared=False, bias=True):
        super().__init__()
        self.tok_emb = nn.Embedding(size.V, size.D)
        self.A = nn.Parameter(torch.empty(size.D))
        self.blocks = nn.ModuleList(Block(size, bias) for _ in range(2))
        self.lm_head = Linear(size.D, size.V, bias=False)
        if shared:
            self.blocks[1].attention.W_query = self.blocks[0].attention.W_query
            self.blocks[1].feed_forward = self.blocks[0].feed_forward
        randomise(self, size)
        if tied:
            self.lm_head.weight = self.tok_emb.weight

    def forward(self, ids):
        x = self.tok_emb(ids) * self.A
        for block in self.blocks:
            x = block(x)
        return self.lm_head(x)


def chain(size, *widths, **names):
    """Linear layers one after the other, by their names."""
    layers = OrderedDict((name, Linear(*widths)) for name, widths in names.items())
    model = nn.Sequential(layers)
    randomise(model, size)
    return model


def linears(model):
    """Every linear layer, by each path that leads to it."""
    return {path: part for path, part in model.named_modules(remove_duplicate=False) if isinstance(part, nn.Linear)}


def chosen(model, names):
    return {path: part for path, part in linears(model).items() if path.split(".")[-1] in names}


def layer(kata, size, rank=1, alpha=ALPHA, bias=True, filled=True, **options):
    """The module under test around a linear layer, with an A and a B that no start hides; and the layer."""
    linear = nn.Linear(size.n, size.m, bias=bias)
    randomise(linear, size)
    module = kata.LoRALinear(linear, rank, alpha, **options)
    check.instance(module, nn.Module, "LoRALinear(…)")
    check_factors(module, linear, rank)
    if filled:
        fill(module, size)
    return module, linear


def check_factors(module, linear, rank, where=""):
    """Demand A and B of the right shapes."""
    shapes = {"A": (rank, linear.in_features), "B": (linear.out_features, rank)}
    for name, shape in shapes.items():
        check.tensor(check.parameter(module, name), shape, None, f"`{name}`{where}")


def fill(module, size, salt=""):
    """Give A and B normal numbers."""
    with torch.no_grad():
        for name in ("A", "B"):
            values = check.parameter(module, name)
            numbers = torch.randn(values.shape, generator=size.generator(name + salt), dtype=torch.float64)
            values.copy_(numbers.round(decimals=2))


def by_the_formula(module, linear, x, alpha, rank):
    """linear(x) + alpha/rank · x Aᵀ Bᵀ, one number between A and B after the other."""
    out = F.linear(x, linear.weight, linear.bias)
    for a, b in zip(module.A, module.B.T):
        out = out + alpha / rank * (x * a).sum(-1)[..., None] * b
    return out


def exact(x):
    return 1e-10 if x.dtype is torch.float64 else None


def adapted(kata, size, names, alpha=ALPHA, rank=RANK, dropout=0.0, salt="", **options):
    """A model with LoRA in it, A and B filled, in eval mode; and a plain one that computes what it should."""
    model, plain = Model(size, **options), Model(size, **options)
    kata.add_lora(model, names, rank, alpha, dropout)
    for path, linear in chosen(plain, names).items():
        module = wrapped_at(kata, model, path)
        check_factors(module, linear, rank, f" of `{path}`")
        fill(module, size, salt + path)
    if options.get("tied"):
        plain.lm_head.weight = nn.Parameter(plain.lm_head.weight.detach().clone())
    with torch.no_grad():
        for path, linear in {part: path for path, part in chosen(plain, names).items()}.items():
            module = model.get_submodule(linear)
            path.weight += alpha / rank * module.B @ module.A
    return model.eval(), plain.eval()


def wrapped_at(kata, model, path):
    """The LoRALinear at a path."""
    module = model.get_submodule(path)
    if not isinstance(module, kata.LoRALinear):
        raise check.Mismatch(f"`{path}` is not a LoRALinear", type(module).__name__, "LoRALinear")
    return module


def kinds(kata, model, paths):
    """What stands at each path: "linear", "LoRA" or another thing's name."""
    here = [model.get_submodule(path) for path in paths]
    return ["LoRA" if isinstance(part, kata.LoRALinear) else type(part).__name__ for part in here]


def trained(model):
    return sorted(name for name, values in model.named_parameters() if values.requires_grad)


def ids_of(size):
    return size.ids("B T", size.V)


# --- Step 1: the layer -----------------------------------------------------------------------------------------


@claim(step=1, examples=8, size=LAYER, bias=biases, dropout=[0.0, 0.5], without=BITS)
def test_a_new_layer_changes_nothing(kata, size, bias, dropout):
    """With a new LoRALinear the result is that of the linear layer, to the last bit, in train mode too."""
    linear = nn.Linear(size.n, size.m, bias=bias)
    randomise(linear, size)
    x = size.normal("B T n")
    want = F.linear(x, linear.weight, linear.bias).detach()
    module = kata.LoRALinear(linear, 2, ALPHA, dropout).train()
    try:
        check.exactly(module(x), want, "the result of a new LoRALinear", x=x)
    except check.Mismatch as mismatch:  # which numbers were drawn at random, and which dropped, is nobody's mistake
        zeros = {name: not check.parameter(module, name).any() for name in ("A", "B")}
        check.tensor(in_eval := module.eval()(x), want.shape)
        mismatch.alike = [zeros, torch.equal(in_eval.to(want), want)]
        raise


@claim(step=1, examples=4, size=LAYER, rank=[1, 2], bias=biases)
def test_the_linear_layer_itself_is_kept_and_frozen(kata, size, rank, bias):
    """`linear` is the layer that was given, frozen with its bias; `A` (rank, in) and `B` (out, rank) are trained."""
    linear = nn.Linear(size.n, size.m, bias=bias)
    randomise(linear, size)
    before = [values.detach().clone() for values in linear.parameters()]
    module = kata.LoRALinear(linear, rank, ALPHA)
    check.instance(module, nn.Module, "LoRALinear(…)")
    check_factors(module, linear, rank)
    check.equal(getattr(module, "linear", None) is linear, True, "whether `linear` is the layer that was given")
    check.equal(trained(module), ["A", "B"], "the list of all parameters that are trained")
    for values, was in zip(linear.parameters(), before):
        check.exactly(values, was, "a parameter of the linear layer")


@claim(step=1, examples=8, size=LAYER, rank=[1, 2], alpha=alphas, lead=leading, bias=biases, double=True)
def test_the_result_follows_the_formula(kata, size, rank, alpha, lead, bias):
    """The result is linear(x) + alpha/rank · x Aᵀ Bᵀ, for an x of any number of dimensions."""
    module, linear = layer(kata, size, rank, alpha, bias)
    for salt in ("", "another"):
        x = size.normal(f"{lead} n", salt=salt)
        want = by_the_formula(module, linear, x, alpha, rank)
        check.equal(module(x), want, "LoRALinear(linear, rank, alpha)(x)", exact(x), x=x, rank=rank, alpha=alpha)
    fill(module, size, "later")
    want = by_the_formula(module, linear, x, alpha, rank)
    check.equal(module(x), want, "the result after A and B have changed", exact(x), x=x, rank=rank, alpha=alpha)


@claim(step=1, examples=2, size=sizes("T n m", strided=False, n=(2, 4), m=(2, 4)), alpha=alphas, double=True)
def test_rank_may_be_as_large_as_the_smaller_side(kata, size, alpha):
    """A rank as large as the smaller side of the weight is accepted."""
    rank = min(size.n, size.m)
    module, linear = layer(kata, size, rank, alpha)
    x = size.normal("T n")
    want = by_the_formula(module, linear, x, alpha, rank)
    check.equal(module(x), want, f"LoRALinear(linear, {rank}, {alpha})(x)", x=x)


@claim(step=1, examples=8, size=LAYER, rank=[1, 2], bias=biases, double=True)
def test_gradients_are_those_of_the_formula(kata, size, rank, bias):
    """Gradients go to x, by both ways, to A and to B, as the formula gives them; the linear layer gets none."""
    module, linear = layer(kata, size, rank, bias=bias)
    x, weights = size.normal("B T n").requires_grad_(), size.normal("B T m", salt="weights")
    learn = {"x": x, "A": module.A, "B": module.B}
    want = torch.autograd.grad((by_the_formula(module, linear, x, ALPHA, rank) * weights).sum(), learn.values())
    check.tensor(out := module(x), size.shape("B T m"), x.dtype, "LoRALinear(…)(x)")
    (out * weights).sum().backward()
    for (name, values), gradient in zip(learn.items(), want):
        got = torch.zeros_like(gradient) if values.grad is None else values.grad
        check.equal(got, gradient, f"the gradient of {name}", x=x)
    got = [name for name, values in linear.named_parameters() if values.grad is not None]
    check.equal(got, [], "the list of parameters of the linear layer that have a gradient")


@claim(step=1, examples=3, size=LAYER, double=True)
def test_at_the_start_B_learns_first(kata, size):
    """At the start B is 0 and A is random: B has a gradient at once, and A as soon as B has moved."""
    module, _ = layer(kata, size, rank=2, filled=False)
    x = size.normal("B T n").requires_grad_()
    check.tensor(out := module(x), size.shape("B T m"), x.dtype, "LoRALinear(…)(x)")
    (out * size.normal("B T m", salt="weights")).sum().backward()
    moves = {name: values.grad is not None and bool(values.grad.any()) for name, values in [*two(module)]}
    check.equal(moves, {"A": False, "B": True}, "which of the two has a gradient other than 0 at the start")
    check.exactly(module.B.detach(), torch.zeros(size.m, 2, dtype=x.dtype), "`B` at the start")
    other, _ = layer(kata, size, rank=2, filled=False)
    got = {
        "rank of A": torch.linalg.matrix_rank(module.A.detach().double()).item(),
        "as in another layer": alike(other, module),
    }
    check.equal(got, {"rank of A": 2, "as in another layer": False}, "what `A` is at the start")


def alike(one, other):
    return torch.equal(one.A, other.A)


def two(module):
    return ("A", module.A), ("B", module.B)


@claim(step=1, examples=4, size=sizes("T n m", strided=False, T=(40, 60), n=(2, 3), m=(4, 6)), rate=[0.5, 0.2])
def test_dropout_is_on_the_way_through_A_and_B_only(kata, size, rate):
    """In train mode dropout takes entries of x out of the way through A and B, and scales the others up; linear(x) has
    all of them. In eval mode nothing is dropped."""
    module, linear = layer(kata, size, size.n, dropout=rate)
    x = 1 + size.normal("T n").abs()
    want = by_the_formula(module, linear, x, ALPHA, size.n)
    check.equal(module.eval()(x), want, "the result in eval mode", x=x)
    drops(module.train(), linear, x, size.n, rate)


def drops(module, linear, x, rank, rate):
    """Demand that dropout is on x before A: with square A and without the linear layer's part, what was left of x can
    be worked out."""
    step = torch.eye(linear.out_features, rank).roll(1, 0).tril(-1)
    with torch.no_grad():
        for values in linear.parameters():
            values.zero_()
        module.A.copy_(torch.eye(rank) + step[:rank])
        module.B.copy_(torch.eye(linear.out_features, rank) + step)
    check.tensor(out := module(x), (*x.shape[:-1], linear.out_features), x.dtype, "the result in train mode")
    out = out.detach().double() * rank / ALPHA
    share = out @ torch.linalg.pinv((module.B @ module.A).detach().double()).T / x  # of each entry: 0 or 1 / (1 − rate)
    kept = share.abs() > 0.5
    if not torch.allclose(share, torch.where(kept, 1 / (1 - rate), 0.0).double(), atol=1e-3):
        what = "what is left of each entry of x on the way through A and B is neither 0 nor 1/(1 − rate) times it"
        shares = sorted(set(share.round(decimals=2).abs().flatten().tolist()))
        later = bool(((out[:, 1] == 0) & (out[:, 0] != 0)).any())  # where B has an entry of each
        raise check.Mismatch(what, share, None, {"rate": rate}, alike=[shares if len(shares) < 3 else "many", later])
    dropped = 1 - kept.double().mean().item()
    if not abs(dropped - rate) < 0.25:
        raise check.Mismatch(f"the share of x that is dropped is not about {rate}", dropped, rate, alike=dropped < rate)


@claim(step=1, examples=3, size=LAYER, dtype=[torch.bfloat16, torch.float64, torch.float32], bias=biases)
def test_dtype_follows_the_layer(kata, size, dtype, bias):
    """A and B have the dtype of the layer's weight, whatever torch's default is, and so has the result."""
    linear = nn.Linear(size.n, size.m, bias=bias, dtype=dtype)
    module = kata.LoRALinear(linear, 1, ALPHA)
    check_factors(module, linear, 1)
    got = {name: str(values.dtype) for name, values in two(module)}
    check.equal(got, dict.fromkeys("AB", str(dtype)), f"the dtypes of A and B, where that of the layer is {dtype}")
    out = module(size.normal("T n").to(dtype))
    check.tensor(out, size.shape("T m"), None, "the result")
    check.equal(str(out.dtype), str(dtype), f"the dtype of the result, where that of the layer is {dtype}")


@claim(step=1, examples=1, size=LAYER)
def test_device_follows_the_layer(kata, size):
    """A and B are on the device of the layer's weight."""
    module = kata.LoRALinear(nn.Linear(size.n, size.m, device="meta"), 1, ALPHA)
    got = {name: check.parameter(module, name).device.type for name in "AB"}
    check.equal(got, dict.fromkeys("AB", "meta"), "the devices of A and B, where the layer is on the device meta")


@claim(step=1, examples=3, size=LAYER, more=[1, 2, 40])
def test_a_rank_above_the_smaller_side_is_refused(kata, size, more):
    """A rank above the smaller side of the weight is a ValueError with both numbers, and freezes nothing."""
    linear, smaller = nn.Linear(size.n, size.m), min(size.n, size.m)
    what = f"LoRALinear of rank {smaller + more} for {size.n} inputs and {size.m} outputs"
    call = lambda: tuple(kata.LoRALinear(linear, smaller + more, ALPHA).A.shape)
    check.raises(ValueError, call, [smaller + more, smaller], what)
    check.equal(trained(linear), ["bias", "weight"], "the list of parameters of the layer that are trained after that")


# --- Step 2: the model -----------------------------------------------------------------------------------------


@claim(step=2, examples=6, size=MODEL, names=NAMES)
def test_every_linear_layer_with_such_a_name_is_replaced(kata, size, names):
    """Every nn.Linear whose last name is in `names`, wherever it stands, is in a LoRALinear now, and no other; the
    number of them is returned."""
    model, before = Model(size), linears(Model(size))
    old = linears(model)
    count = kata.add_lora(model, names, RANK, ALPHA)
    want = ["LoRA" if path.split(".")[-1] in names else "Linear" for path in before]
    for path, got, kind in zip(before, kinds(kata, model, before), want):
        check.equal(got, kind, f"what stands at `{path}`, with names={names!r},")
    check.equal(count, want.count("LoRA"), f"the result of add_lora(model, {names!r}, …)")
    for path in chosen(Model(size), names):
        here = getattr(model.get_submodule(path), "linear", None)
        check.equal(here is old[path], True, f"whether `linear` of `{path}` is the layer that stood there")
        check_factors(model.get_submodule(path), old[path], RANK, f" of `{path}`")


@claim(step=2, examples=6, size=MODEL, names=NAMES)
def test_all_else_is_frozen(kata, size, names):
    """Of all parameters only the A and the B of the new layers are trained: rank · (in + out) numbers each."""
    model = Model(size)
    want = sorted(f"{path}.{name}" for path in chosen(model, names) for name in ("A", "B"))
    numbers = sum(RANK * sum(linear.weight.shape) for linear in chosen(model, names).values())
    kata.add_lora(model, names, RANK, ALPHA)
    check.equal(trained(model), want, "the list of all parameters that are trained")
    got = sum(values.numel() for values in model.parameters() if values.requires_grad)
    check.equal(got, numbers, "how many numbers are trained")


@claim(step=2, examples=4, size=MODEL, names=NAMES[:4], dropout=[0.0, 0.5], without=BITS)
def test_a_model_with_new_layers_is_as_before(kata, size, names, dropout):
    """Right after add_lora the model gives what it gave before, to the last bit, in train mode too."""
    model, ids = Model(size), ids_of(size)
    want = model(ids).detach()
    kata.add_lora(model, names, RANK, ALPHA, dropout)
    check.exactly(model.train()(ids), want, "the result of the model with new layers", ids=ids)


@claim(step=2, examples=3, size=MODEL, mode=["train", "part", "eval"])
def test_modes_stay(kata, size, mode):
    """add_lora leaves each module that was there in the mode that it had."""
    model = Model(size).train(mode != "eval")
    if mode == "part":
        model.blocks[0].eval()
    before = {path: part.training for path, part in model.named_modules()}
    kata.add_lora(model, ("W_query",), RANK, ALPHA)
    after = {path: part.training for path, part in model.named_modules() if not isinstance(part, kata.LoRALinear)}
    changed = [path for path, training in after.items() if before.get(path, training) != training]
    check.equal(changed, [], "the list of modules that have another mode than before")


@claim(step=2, examples=8, size=MODEL, names=NAMES, rank=[1, 2], alpha=alphas, bias=biases, double=True)
def test_the_model_computes_with_its_new_layers(kata, size, names, rank, alpha, bias):
    """Once A and B have changed, each new layer adds alpha/rank · B A to its weight."""
    model, plain = adapted(kata, size, names, alpha, rank, bias=bias)
    ids = ids_of(size)
    want = plain(ids).detach()
    check.equal(model(ids), want, "the result of the model", exact(want), ids=ids, rank=rank, alpha=alpha)


@claim(step=2, examples=2, size=sizes("T n m", strided=False, T=(40, 60), n=(2, 3), m=(4, 6)), rate=[0.5, 0.2])
def test_the_new_layers_have_the_dropout(kata, size, rate):
    """`dropout` is handed on to the new layers."""
    model = chain(size, first=(size.n, size.m), second=(size.m, size.m))
    linear = model.first
    kata.add_lora(model, ("first",), size.n, ALPHA, rate)
    module = wrapped_at(kata, model, "first")
    check_factors(module, linear, size.n)
    drops(module.train(), linear, 1 + size.normal("T n").abs(), size.n, rate)


@claim(step=2, examples=4, size=MODEL, names=[("out",), ("attention", "blocks"), ["norm", "tok_emb"], ("proj", "W")])
def test_a_name_that_no_layer_has_is_refused(kata, size, names):
    """Where no linear layer has one of the names, a ValueError shows the names that there are, and nothing changes."""
    model = Model(size)
    before, paths = trained(model), linears(model)
    there_are = ("W_query", "W_value", "out_proj", "up", "down", "lm_head")
    check.raises(ValueError, lambda: kata.add_lora(model, names, RANK, ALPHA), there_are, f"add_lora of {names!r}")
    check.equal(trained(model), before, "the list of all parameters that are trained after that")
    check.equal(set(kinds(kata, model, paths)), {"Linear"}, "what the linear layers are after that")


RANKS = [("narrow last", 3), ("narrow first", 3), ("narrow last", 43), ("narrow first", 43)]


@claim(step=2, examples=4, size=MODEL, case=RANKS)
def test_a_rank_that_one_layer_cannot_have_leaves_the_model_alone(kata, size, case):
    """Where the rank is above the smaller side of one of the layers, there is a ValueError with both numbers, and no
    layer is replaced or frozen."""
    (order, rank), layers = case, {"wide": (size.D + 9, size.E + 9), "narrow": (size.E + 9, 2), "last": (2, size.D)}
    model = chain(size, **dict(reversed(layers.items())) if order == "narrow first" else layers)
    before, paths = trained(model), linears(model)
    what = f"add_lora of rank {rank} where a layer has a side of 2"
    check.raises(
        ValueError,
        lambda: kata.add_lora(model, ("wide", "narrow"), rank, ALPHA),
        [rank, (2, size.D + 9, size.E + 9)],
        what,
    )
    check.equal(kinds(kata, model, paths), ["Linear"] * 3, "what the linear layers are after that")
    check.equal(trained(model), before, "the list of all parameters that are trained after that")
    count = kata.add_lora(model, ("wide",), 3, ALPHA)
    check.equal(count, 1, "the number of new layers, where only layers that were not chosen are too narrow,")


@claim(step=2, examples=4, size=MODEL, names=[("W_query",), ("up", "W_value"), ("down", "W_query")], double=True)
def test_a_layer_that_is_used_twice_stays_one(kata, size, names):
    """A layer that stands in two places of the model is one LoRALinear in both, and counts once."""
    model, count = Model(size, shared=True), len(set(chosen(Model(size, shared=True), names).values()))
    check.equal(kata.add_lora(model, names, RANK, ALPHA), count, "the number of new layers")
    for path in ("attention.W_query", "feed_forward.up", "feed_forward.down"):
        if path.split(".")[-1] in names:
            first, second = (wrapped_at(kata, model, f"blocks.{i}.{path}") for i in (0, 1))
            check.equal(first is second, True, f"whether `{path}` is one layer in both blocks")
    model, plain = adapted(kata, size, names, shared=True)
    ids = ids_of(size)
    check.equal(model(ids), plain(ids).detach(), "the result of the model", ids=ids)


@claim(step=2, examples=2, size=MODEL)
def test_what_is_wrapped_is_not_wrapped_again(kata, size):
    """The layer within a LoRALinear stays what it is, whatever its name: in the same call and in a later one."""
    model = chain(size, linear=(size.D, size.E), other=(size.E, size.H), third=(size.H, size.D))
    paths = ("linear", "other", "third")
    check.equal(kata.add_lora(model, ("linear",), RANK, ALPHA), 1, "the number of new layers")
    kept = wrapped_at(kata, model, "linear")
    inner = kept.linear
    check.equal(type(inner).__name__, "Linear", "what a LoRALinear holds as `linear`")
    check.equal(kata.add_lora(model, ("linear", "other"), RANK, ALPHA), 1, "the number of new layers in a second call")
    check.equal(kinds(kata, model, paths), ["LoRA", "LoRA", "Linear"], f"what stands at {', '.join(paths)}")
    check.equal(model.linear is kept, True, "whether the LoRALinear of the first call still stands there")
    check.equal(kept.linear is inner, True, "whether it still holds its layer")


@claim(step=2, examples=2, size=MODEL, names=[("lm_head",), ("lm_head", "W_query")])
def test_tied_weights_stay_tied(kata, size, names):
    """A weight that the head shares with the table of embeddings is the same parameter in both afterwards."""
    model = Model(size, tied=True)
    table = model.tok_emb.weight
    kata.add_lora(model, names, RANK, ALPHA)
    check.equal(model.tok_emb.weight is table, True, "whether the table has its parameter")
    head = check.parameter(wrapped_at(kata, model, "lm_head"), "linear.weight")
    check.equal(head is table, True, "whether the head has the table's parameter")
    check.equal(table.requires_grad, False, "whether the weight that both have is trained")


@claim(step=2, examples=2, size=MODEL, dtype=[torch.float64, torch.bfloat16])
def test_each_new_layer_has_the_dtype_of_its_own(kata, size, dtype):
    """In a model of several dtypes each A and B has that of its own layer."""
    model = chain(size, first=(size.D, size.E), second=(size.E, size.D), third=(size.D, size.E))
    model.second.to(dtype)
    kata.add_lora(model, ("first", "second"), RANK, ALPHA)
    for path, want in (("first", torch.get_default_dtype()), ("second", dtype)):
        for name, values in two(wrapped_at(kata, model, path)):
            check.equal(str(values.dtype), str(want), f"the dtype of `{path}.{name}`")


# --- Step 3: save and merge ------------------------------------------------------------------------------------


def state_of(kata, model):
    """What lora_state gives, apart from the model."""
    state = kata.lora_state(model)
    check.instance(state, dict, "lora_state(model)")
    for name, values in state.items():
        check.instance(values, torch.Tensor, f"the entry {name!r} of lora_state(model)")
    return OrderedDict((name, values.detach().clone()) for name, values in state.items())


@claim(step=3, examples=4, size=MODEL, names=NAMES[:4])
def test_the_state_is_A_and_B_alone(kata, size, names):
    """lora_state holds the A and the B of every LoRALinear, and nothing else of the model."""
    model, _ = adapted(kata, size, names)
    state = list(state_of(kata, model).values())
    paths = chosen(Model(size), names)
    wanted = {f"{path}.{name}": values for path in paths for name, values in two(model.get_submodule(path))}
    got = {name: sum(torch.equal(values, want) for values in state) for name, want in wanted.items()}
    got["numbers in all"], numbers = (sum(values.numel() for values in each) for each in (state, wanted.values()))
    want = dict.fromkeys(wanted, 1) | {"numbers in all": numbers}
    check.equal(got, want, "how often lora_state(model) holds each A and B, and how many numbers in all,")


@claim(step=3, examples=4, size=MODEL, names=NAMES[:4], double=True)
def test_what_was_saved_is_loaded(kata, size, names):
    """A model that loads the state computes what the one that was saved does, and only its A and B have changed."""
    model, plain = adapted(kata, size, names)
    file = io.BytesIO()
    torch.save(dict(state_of(kata, model)), file)
    file.seek(0)
    state = dict(reversed(torch.load(file, weights_only=True).items()))  # what counts are names, not their order
    other, _ = adapted(kata, size, names, salt="other")
    before = {name: values.detach().clone() for name, values in other.named_parameters() if not values.requires_grad}
    kata.load_lora(other, state)
    ids = ids_of(size)
    check.equal(other(ids), plain(ids).detach(), "the result of the model that loaded the state", ids=ids)
    for name, values in before.items():
        check.exactly(check.parameter(other, name), values, f"`{name}` after load_lora")
    want = sorted(f"{path}.{name}" for path in chosen(plain, names) for name in ("A", "B"))
    check.equal(trained(other), want, "the list of all parameters that are trained after load_lora")


@claim(step=3, examples=1, size=MODEL)
def test_a_state_goes_into_several_models(kata, size):
    """What is loaded is copied: a model that is trained on leaves the state alone, and so others that loaded it."""
    model, _ = adapted(kata, size, ("W_query",))
    state = state_of(kata, model)
    before = {name: values.clone() for name, values in state.items()}
    kata.load_lora(model, state)
    with torch.no_grad():
        for path in chosen(Model(size), ("W_query",)):
            for _, values in two(model.get_submodule(path)):
                values.add_(1)
    for name, values in before.items():
        check.exactly(state[name], values, f"{name} in the state, after the model that loaded it has changed")


@claim(step=3, examples=2, size=MODEL, other=[torch.float64, torch.bfloat16], without={"dtype": "it is drawn here"})
def test_a_loaded_state_takes_the_dtype_of_the_model(kata, size, other):
    """A and B keep the dtype that they have in the model, whatever that of the state is."""
    model, _ = adapted(kata, size, ("W_query",))
    kata.load_lora(model, {name: values.to(other) for name, values in state_of(kata, model).items()})
    for path in chosen(Model(size), ("W_query",)):
        for name, values in two(model.get_submodule(path)):
            check.equal(str(values.dtype), "torch.float32", f"the dtype of `{name}` after load_lora of {other}")


FAULTS = ["missing", "extra", "one row", "another rank", "transposed"]


@claim(step=3, examples=10, size=MODEL, fault=FAULTS, which=["first", "last"])
def test_a_wrong_state_is_refused(kata, size, fault, which):
    """A state with an entry that is missing, too many or of another shape is a ValueError with the entry's name, and
    leaves the model as it was."""
    model, _ = adapted(kata, size, ("W_query", "lm_head"))
    state = OrderedDict((name, values + 1) for name, values in state_of(kata, model).items())
    if len(state) < 2:
        raise check.Mismatch("lora_state(model) has fewer entries than the model has A and B", len(state), 6)
    name = next(iter(state if which == "first" else reversed(state)))
    if fault == "missing":
        del state[name]
    elif fault == "extra":
        name = "not_there.A"
        state[name] = torch.ones(RANK, size.D)
        state.move_to_end(name, last=which == "last")
    else:
        old = state[name]
        others = {"one row": old[:1], "another rank": torch.cat([old, old], int(len(old) != RANK)), "transposed": old.T}
        state[name] = others[fault]
    before = {path: values.detach().clone() for path, values in model.named_parameters()}
    refusals = (ValueError, KeyError, RuntimeError)
    check.raises(
        refusals, lambda: kata.load_lora(model, dict(state)), [name], f"load_lora of a state ({fault}: {name})"
    )
    for path, values in before.items():
        check.exactly(check.parameter(model, path), values, f"`{path}` after a wrong state")


@claim(step=3, examples=8, size=MODEL, names=NAMES, bias=biases, dropout=[0.0, 0.5], alpha=alphas, double=True)
def test_a_merged_model_computes_the_same(kata, size, names, bias, dropout, alpha):
    """After merge every layer is a plain nn.Linear again, with the names from before, and in eval mode the model gives
    what it gave with LoRA."""
    model, plain = adapted(kata, size, names, alpha, dropout=dropout, bias=bias)
    kata.merge(model)
    merged_is(kata, model, plain, ids_of(size))


def merged_is(kata, model, plain, ids):
    """Demand a merged model that computes what a plain one does."""
    want, paths = plain(ids).detach(), linears(plain)
    check.equal(model.eval()(ids), want, "the result of the merged model", exact(want), ids=ids)
    check.equal(kinds(kata, model, paths), ["Linear"] * len(paths), "what the linear layers are after merge")
    names = [sorted(name for name, _ in each.named_parameters()) for each in (model, plain)]
    check.equal(*names, "the list of parameters after merge")
    for name, values in plain.named_parameters():
        check.equal(check.parameter(model, name), values.detach(), f"`{name}` of the merged model")


@claim(step=3, examples=3, size=MODEL, names=[("W_query",), ("up", "W_value"), ("down", "W_query")], double=True)
def test_a_layer_that_is_used_twice_is_merged_once(kata, size, names):
    """A layer that stands in two places is merged once, and stays one."""
    model, plain = adapted(kata, size, names, shared=True)
    kata.merge(model)
    merged_is(kata, model, plain, ids_of(size))
    first, second = (block.attention.W_query for block in model.blocks)
    check.equal(first is second, True, "whether `W_query` is one layer in both blocks after merge")


@claim(step=3, examples=2, size=MODEL, names=[("lm_head",), ("lm_head", "W_query")], double=True)
def test_a_shared_weight_is_not_merged_into(kata, size, names):
    """Where the head shares its weight with the table of embeddings, the merged head gets a weight of its own: the
    table stays, or the model would compute something else."""
    model, plain = adapted(kata, size, names, tied=True)
    kata.merge(model)
    merged_is(kata, model, plain, ids_of(size))


@claim(step=3, examples=3, size=MODEL, dtype=[torch.bfloat16, torch.float64, torch.float32], bias=biases)
def test_merged_layers_keep_dtype_and_device(kata, size, dtype, bias):
    """A merged layer has the dtype of the layer that was there, whatever torch's default is, and is on its device."""
    for device in ("cpu", "meta"):
        model = nn.Sequential(nn.Linear(size.D, size.E, bias=bias, dtype=dtype, device=device))
        kata.add_lora(model, ("0",), RANK, ALPHA)
        kata.merge(model)
        check.equal(kinds(kata, model, ["0"]), ["Linear"], "what the linear layers are after merge")
        got = sorted({(str(values.dtype), values.device.type) for values in model.parameters()})
        check.equal(got, [(str(dtype), device)], "the dtypes and devices of a merged layer's parameters")
