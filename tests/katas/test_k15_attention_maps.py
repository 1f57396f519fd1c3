"""k15 attention maps: what must be true of them."""

import sys
from contextlib import contextmanager

import matplotlib
import numpy
import torch
from torch import nn

matplotlib.use("Agg")
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from dojo.spec import check, claim, sizes

BANS = []
MODEL = "layers B h T d"
MAPS = "layers B h T"
RANGES = {"layers": (1, 4), "B": (1, 4), "h": (2, 5), "T": (1, 6), "d": (1, 5)}
DEEP = RANGES | {"layers": (2, 4), "T": (2, 6)}  # what one layer drops, the next ones see
LONGER = RANGES | {"T": (2, 6)}
REPEATS = RANGES | {"T": (4, 6)}
rates = [0.5, 0.0]
kinds = ["train", "part", "eval"]
LOOKED_AT = {"earlier": "a model is handed over, and a law of its own demands that it is left as it was"}
DRAWN = {"earlier": "every call draws a picture of its own"}
GLOBAL_HOOKS = (nn.modules.module._global_forward_hooks, nn.modules.module._global_forward_pre_hooks)


# --- A small model that remembers its own weights --------------------------------------------------------------


class Attention(nn.Module):
    """Causal attention of several heads that keeps the weights which it hands to its dropout module."""

    def __init__(self, heads, width, rate):
        super().__init__()
        self.heads, self.seen = heads, None
        self.project = nn.Linear(heads * width, 2 * heads * width)
        self.dropout = nn.Dropout(rate)

    def forward(self, x):
        B, T, D = x.shape
        query, key = self.project(x).view(B, T, 2, self.heads, -1).permute(2, 0, 3, 1, 4)  # (B, h, T, d) each
        future = torch.ones(T, T, dtype=torch.bool).triu(1)
        weights = torch.softmax((3 * query @ key.transpose(2, 3)).masked_fill(future, -torch.inf), dim=-1)
        self.seen = weights.detach().clone()
        return (self.dropout(weights) @ query).transpose(1, 2).reshape(B, T, D)


class Block(nn.Module):
    def __init__(self, heads, width, rate):
        super().__init__()
        self.attention = Attention(heads, width, rate)
        self.dropout = nn.Dropout(rate)

    def forward(self, x):
        return x + self.dropout(self.attention(x))


class Model(nn.Module):
    """As in kata 10: `blocks`, each with an `attention` that has a `dropout`; other dropouts stand around."""

    def __init__(self, size, rate):
        super().__init__()
        width = size.h * size.d
        self.embedding = nn.Embedding(9, width)
        self.dropout = nn.Dropout(rate)
        self.blocks = nn.ModuleList(Block(size.h, size.d, rate) for _ in range(size.layers))
        self.head = nn.Linear(width, 9)
        self.broken = None  # or the error that it raises
        for hooks in GLOBAL_HOOKS:  # what another run left behind is not this one's fault
            hooks.clear()
        with torch.no_grad():
            for name, values in self.named_parameters():
                values.copy_(torch.randn(values.shape, generator=size.generator(name)))

    def forward(self, ids):
        x = self.dropout(self.embedding(ids))
        for block in self.blocks:
            x = block(x)
        if self.broken:
            raise self.broken("the model raises")
        return self.head(x)

    def maps(self, ids):
        """The weights of eval mode, as the attentions themselves remember them."""
        self.eval()(ids)
        return torch.stack([block.attention.seen for block in self.blocks])


def hooks_of(model):
    """How many hooks hang on the model, and on all modules there are."""
    found = [len(one._forward_hooks) + len(one._forward_pre_hooks) for one in model.modules()]
    return sum(found) + sum(map(len, GLOBAL_HOOKS))


def set_modes(model, kind):
    """Put the model into train mode, with a part of it frozen in eval mode, or into eval mode; return all modes."""
    model.train(kind != "eval")
    if kind == "part":
        model.blocks[0].eval()
    return [module.training for module in model.modules()]


def same_modes(model, modes, when):
    check.equal([module.training for module in model.modules()], modes, f"whether each module is in train mode, {when}")


def settings_of(model):
    """The plain settings of every module, such as the rate `p` of a dropout."""
    return {
        f"{path}.{name}".removeprefix("."): value
        for path, module in model.named_modules()
        for name, value in vars(module).items()
        if name != "training" and not name.startswith("_") and isinstance(value, bool | int | float | str)
    }


def attributes_of(model):
    """The names of what every module holds of its own, a `forward` put over that of its class included."""
    return {path: sorted(vars(module)) for path, module in model.named_modules()}


def same_parameters(model, before, when):
    check.equal(sorted(model.state_dict()), sorted(before), f"the model's parameters {when}")
    for name, values in model.state_dict().items():
        check.exactly(values, before[name], f"`{name}` {when}")


# --- Step 1: catching the weights ------------------------------------------------------------------------------


@claim(
    step=1,
    examples=12,
    without=LOOKED_AT,
    size=sizes(MODEL, **RANGES) | sizes(MODEL, **DEEP),
    training=[False, True],
    rate=rates,
)
def test_maps_are_the_weights_of_every_layer_and_head(kata, size, training, rate):
    """attention_weights gives the weights of each layer, text and head, as the model uses them in eval mode."""
    model, ids = Model(size, rate), size.ids("B T", 9)
    want = model.maps(ids)
    got = kata.attention_weights(model.train(training), ids)
    check.equal(got, want, "attention_weights(model, ids)", ids=ids)


@claim(step=1, examples=8, without=LOOKED_AT, size=sizes(MODEL, **RANGES), training=[False, True])
def test_rows_sum_to_one_and_the_future_is_zero(kata, size, training):
    """Each row of a map sums to 1, and what a token has on later ones is exactly 0, also when the model is training."""
    model, ids = Model(size, 0.5), size.ids("B T", 9)
    got = kata.attention_weights(model.train(training), ids)
    check.tensor(got, size.shape("layers B h T T"), torch.get_default_dtype(), "attention_weights(model, ids)")
    check.equal(got.sum(-1), torch.ones(size.shape("layers B h T")), "the sum of each row")
    check.exactly(got.triu(1), torch.zeros_like(got), "the weights on later tokens")


@claim(step=1, examples=8, without=LOOKED_AT, size=sizes(MODEL, **RANGES), there=[False, True])
def test_maps_hold_no_gradients(kata, size, there):
    """The maps are plain numbers: they need no gradient, keep no graph alive, and leave the model's gradients alone."""
    model, ids = Model(size, 0.5), size.ids("B T", 9)
    for values in model.parameters():
        values.grad = torch.full_like(values, 2.0) if there else None
    got = kata.attention_weights(model, ids)
    check.tensor(got, size.shape("layers B h T T"), torch.get_default_dtype(), "attention_weights(model, ids)")
    check.equal(got.requires_grad, False, "whether the maps need a gradient")
    if there:
        kept = all(values.grad is not None and bool((values.grad == 2).all()) for values in model.parameters())
        check.equal(kept, True, "whether all parameters still have the gradients that were there")
    else:
        check.equal(all(one.grad is None for one in model.parameters()), True, "whether no parameter has a gradient")
    check.equal(all(one.requires_grad for one in model.parameters()), True, "whether all parameters can be trained")
    check.equal(torch.is_grad_enabled(), True, "whether gradients are computed afterwards")


@claim(step=1, examples=8, without=LOOKED_AT, size=sizes(MODEL, **RANGES), kind=kinds)
def test_the_model_is_as_it_was(kata, size, kind):
    """Afterwards the model is as it was: the mode of each module, its settings, its numbers, and what it answers."""
    model, ids = Model(size, 0.5), size.ids("B T", 9)
    before = {name: values.clone() for name, values in model.state_dict().items()}
    want, tokens, settings, own = model.eval()(ids), ids.clone(), settings_of(model), attributes_of(model)
    modes = set_modes(model, kind)
    check.present(kata.attention_weights(model, ids), "attention_weights(model, ids)")
    same_modes(model, modes, "afterwards")
    left = settings_of(model)
    changed = {name: left.get(name) for name in settings if left.get(name) != settings[name]}
    check.equal(changed, {name: settings[name] for name in changed}, "the settings of the modules, afterwards,")
    changed = [path for path, names in attributes_of(model).items() if names != own.get(path)]
    check.equal(changed, [], "the list of modules with other attributes than before")
    same_parameters(model, before, "afterwards")
    check.exactly(ids, tokens, "the ids, afterwards")
    check.exactly(model.eval()(ids), want, "the model's answer, afterwards")


@claim(step=1, examples=8, without=LOOKED_AT, size=sizes(MODEL, **RANGES))
def test_random_numbers_are_left_alone(kata, size):
    """Looking at maps neither draws random numbers nor seeds them: a run goes on with those it would have had."""
    model, ids = Model(size, 0.5), size.ids("B T", 9)
    torch.manual_seed(size.seed + 1)
    want = torch.rand(3)
    torch.manual_seed(size.seed + 1)
    check.present(kata.attention_weights(model, ids), "attention_weights(model, ids)")
    check.exactly(torch.rand(3), want, "torch's next random numbers")


@claim(step=1, examples=8, without=LOOKED_AT, size=sizes(MODEL, **RANGES), times=[1, 2])
def test_no_hook_stays(kata, size, times):
    """Afterwards no hook is left on the model, and one that hung there before still does."""
    model, ids = Model(size, 0.5), size.ids("B T", 9)
    calls = []
    for block in model.blocks:
        block.attention.dropout.register_forward_hook(lambda *_: calls.append(1))
    before = hooks_of(model)
    for _ in range(times):
        check.present(kata.attention_weights(model, ids), "attention_weights(model, ids)")
    if more := hooks_of(model) - before:  # how many is left free: it depends on how they are hung
        problem = "hooks are left on the model" if more > 0 else "hooks that hung on the model before are gone"
        raise check.Mismatch(problem, hooks_of(model), before, alike="hooks")
    calls.clear()
    model(ids)
    check.equal(len(calls), size.layers, "how often the earlier hooks are called, afterwards")


@claim(step=1, examples=8, without=LOOKED_AT, size=sizes(MODEL, **RANGES), error=[ArithmeticError, RuntimeError])
def test_no_hook_stays_after_an_error(kata, size, error):
    """When the model raises, its error comes out and no hook is left."""
    model = maps_of_a_model_that_raises(kata, size, error)
    check.equal(hooks_of(model) > 0, False, "whether a hook is left after the error")


@claim(
    step=1,
    examples=8,
    without=LOOKED_AT,
    size=sizes(MODEL, **RANGES),
    kind=kinds[::-1],
    error=[ArithmeticError, RuntimeError],
)
def test_the_mode_is_as_before_after_an_error(kata, size, kind, error):
    """When the model raises, its error comes out and the mode of each module is as it was."""
    model = Model(size, 0.5)
    modes = set_modes(model, kind)
    maps_of_a_model_that_raises(kata, size, error, model)
    same_modes(model, modes, "after the error")


@claim(step=1, examples=4, without=LOOKED_AT, size=sizes(MODEL, **RANGES))
def test_the_model_is_whole_after_an_error(kata, size):
    """When the model raises, its error comes out, and its modules, settings and numbers are as they were."""
    model = Model(size, 0.5).eval()
    before = {name: values.clone() for name, values in model.state_dict().items()}
    model.broken = ArithmeticError
    settings, own = settings_of(model), attributes_of(model)
    maps_of_a_model_that_raises(kata, size, ArithmeticError, model)
    check.equal(attributes_of(model) == own, True, "whether the modules hold what they held, after the error")
    check.equal(settings_of(model) == settings, True, "whether the modules have the settings they had, after the error")
    same_parameters(model, before, "after the error")


@claim(step=1, examples=4, without=LOOKED_AT, size=sizes(MODEL, **RANGES))
def test_gradients_are_on_after_an_error(kata, size):
    """When the model raises, gradients are computed afterwards as before."""
    maps_of_a_model_that_raises(kata, size, ArithmeticError)
    check.equal(torch.is_grad_enabled(), True, "whether gradients are computed after the error")


def maps_of_a_model_that_raises(kata, size, error, model=None):
    model = model or Model(size, 0.5).eval()
    model.broken = error
    call = lambda: kata.attention_weights(model, size.ids("B T", 9))
    check.raises(model.broken, call, what=f"attention_weights of a model that raises {model.broken.__name__}")
    return model


# --- Step 2: importance ----------------------------------------------------------------------------------------


def some_maps(size, unseen=0.0):
    """Weights of every layer, text and head: causal, each row with the sum 1.

    A share `unseen` of the looks back has the weight 0 in all layers and heads, as where a softmax underflows.
    """
    scores = size.normal("layers B h T T", scale=2)
    future = torch.ones(size.T, size.T, dtype=torch.bool).triu(1)
    zeros = (torch.rand(size.shape("B T T"), generator=size.generator("unseen")) < unseen).tril(-1)
    return torch.softmax(scores.masked_fill(future | zeros[:, None], -torch.inf), dim=-1)


def importance_by_tokens(weights):
    layers, B, h, T, _ = weights.shape
    result = torch.zeros(B, T)
    for b in range(B):
        for j in range(T):
            looks = [weights[layer, b, head, i, j] for layer in range(layers) for head in range(h) for i in range(j, T)]
            result[b, j] = sum(looks) / len(looks)
    return result


@claim(step=2, size=sizes(MAPS, **RANGES), unseen=[0.0, 0.4])
def test_importance_is_the_mean_over_those_who_can_see(kata, size, unseen):
    """The importance of token j is the mean weight on j over layers, heads and the tokens i ≥ j, which can see it."""
    weights = some_maps(size, unseen)
    check.equal(kata.importance(weights), importance_by_tokens(weights), "importance(weights)", weights=weights)


@claim(step=2, examples=8, size=sizes(MAPS, **RANGES))
def test_importance_has_no_favourites(kata, size):
    """Where every look has the same weight, early and late tokens are equally important."""
    weights = torch.full(size.shape("layers B h T T"), 0.25).tril()
    check.equal(kata.importance(weights), torch.full(size.shape("B T"), 0.25), "importance(weights)", weights=weights)


@claim(step=2, examples=8, size=sizes(MAPS, **RANGES))
def test_importance_leaves_the_weights_alone(kata, size):
    """importance does not change the weights that it is given."""
    weights = some_maps(size)
    before = weights.clone()
    check.present(kata.importance(weights), "importance(weights)")
    check.exactly(weights, before, "the weights, after the call")


# --- Step 3: the picture ---------------------------------------------------------------------------------------

WORDS = ["To", " ", "be", "To", " that", "is"]  # one comes twice, and one is a space


@contextmanager
def no_figure_left():
    """Close the figures that pyplot, if somebody imported it, keeps open."""
    try:
        yield
    finally:
        if pyplot := sys.modules.get("matplotlib.pyplot"):
            pyplot.close("all")


def a_plot(kata, size, given):
    """A map, its tokens, and the axes that it is drawn on; `given`: axes are handed over."""
    weights, tokens = some_maps(size)[-1, -1, -1], WORDS[: size.T]
    ax = Figure().subplots() if given else None
    got = kata.plot_attention(weights, tokens, ax) if given else kata.plot_attention(weights, tokens)
    check.instance(got, Axes, "plot_attention(…)")
    return weights, tokens, ax, got


def drawn_at(ax, x, y):
    """The number whose colour stands at the point (x, y) of a plot, drawn as an image or as a mesh."""
    if ax.images:
        image = ax.images[0]
        values = numpy.ma.filled(image.get_array().astype(float), 0.0)
        left, right, bottom, top = image.get_extent()
        rows, columns = values.shape[:2]
        row, column = (y - bottom) / (top - bottom) * rows, (x - left) / (right - left) * columns
        row = row if image.origin == "lower" else rows - row
    else:
        mesh = next(one for one in ax.collections if hasattr(one, "get_coordinates"))
        corners = mesh.get_coordinates()
        rows, columns = corners.shape[0] - 1, corners.shape[1] - 1
        values = numpy.ma.filled(mesh.get_array().astype(float), 0.0).reshape(rows, columns)
        column = numpy.interp(x, *_rising(corners[0, :, 0]))
        row = numpy.interp(y, *_rising(corners[:, 0, 1]))
    at = min(max(int(row), 0), rows - 1), min(max(int(column), 0), columns - 1)
    return float(numpy.nan_to_num(values[at]))


def _rising(edges):
    places = numpy.arange(len(edges))
    return (edges, places) if edges[0] < edges[-1] else (edges[::-1], places[::-1])


def has_picture(ax):
    return bool(ax.images) or any(hasattr(one, "get_coordinates") for one in ax.collections)


def colour_of(ax, weight):
    """The colour that a weight has in the image or mesh of a plot."""
    picture = ax.images[0] if ax.images else next(one for one in ax.collections if hasattr(one, "get_coordinates"))
    return picture.to_rgba(numpy.array([float(weight)]))[0].tolist()


def ends_of_colours(ax):
    """The colours of what is far too small and far too large for the scale of colours of a plot."""
    return [colour_of(ax, weight) for weight in (-1e9, 1e9)]


INPUT, OUTPUT = ("input", "key"), ("output", "query")


def role_of(label):
    """Whose tokens the label of an axis says there are, "input" or "output"; None where it says neither, or both."""
    said = [any(word in label.lower() for word in words) for words in (INPUT, OUTPUT)]
    return {(True, False): "input", (False, True): "output"}.get(tuple(said))


@claim(step=3, costly=True, examples=4, without=DRAWN, size=sizes(MAPS, **RANGES), given=[False, True])
def test_the_axes_come_back(kata, size, given):
    """plot_attention returns the axes it drew on: those that it was given, or new ones, on a figure of their own."""
    with no_figure_left():
        weights, tokens, ax, got = a_plot(kata, size, given)
        if given:
            check.equal(got is ax, True, "whether the axes are those that were given")
        else:
            other = kata.plot_attention(weights, tokens)
            check.equal(other.figure is got.figure, False, "whether a second picture is on the figure of the first")
        check.equal(has_picture(got), True, "whether there is an image on the axes")


@claim(step=3, examples=3, without=DRAWN, size=sizes(MAPS, **REPEATS), given=[False, True])
def test_ticks_carry_the_tokens(kata, size, given):
    """Both axes show a tick for every token, in order, with the token's text, also where a token comes again."""
    with no_figure_left():
        _, tokens, _, ax = a_plot(kata, size, given)
        got = [[label.get_text() for label in labels] for labels in (ax.get_xticklabels(), ax.get_yticklabels())]
        found = [[token_of(text) for text in texts] for texts in got]
        check.equal(ax.axison, True, "whether the axes are shown")
        if found != [tokens, tokens]:
            raise check.Mismatch("the labels on x and y are not the tokens", got, [tokens, tokens], alike=found)


def token_of(label):
    """The token that a label stands for, quoted or not; a space may be shown as it is, or by any sign for it."""
    words = [word for word in WORDS if word.strip() and word.strip() in label]
    return words[0] if words else " " if label else ""


@claim(step=3, examples=4, without=DRAWN, size=sizes(MAPS, **LONGER), given=[False, True])
def test_colours_are_the_weights(kata, size, given):
    """Above the tick of input token j and beside that of output token i, the colour is the weight of i on j."""
    with no_figure_left():
        weights, tokens, _, ax = a_plot(kata, size, given)
        xs, ys = ax.get_xticks(), ax.get_yticks()
        if not has_picture(ax) or len(xs) < size.T or len(ys) < size.T:
            raise check.Mismatch("there is no image, or no tick for every token", [len(xs), len(ys)], [size.T, size.T])
        for off in (0.0, 0.3, -0.3):  # of a cell: a tick stands in the middle of its own
            dx, dy = off * (xs[1] - xs[0]), off * (ys[1] - ys[0])
            got = torch.tensor([[drawn_at(ax, x + dx, y + dy) for x in xs[: size.T]] for y in ys[: size.T]])
            where = "the weights in the picture (rows: around ticks of y, columns: around ticks of x)"
            check.equal(got, weights, where, tokens=tokens)


@claim(step=3, examples=4, without=DRAWN, size=sizes(MAPS, **LONGER), given=[False, True])
def test_every_cell_can_be_seen(kata, size, given):
    """x goes from left to right, as one reads, and no token is cut off; whether y goes down or up is free."""
    with no_figure_left():
        _, _, _, ax = a_plot(kata, size, given)
        places = numpy.column_stack([ax.get_xticks()[: size.T], ax.get_yticks()[: size.T]])
        at = ax.transAxes.inverted().transform(ax.transData.transform(places))  # from 0 to 1, upward
        check.equal(bool((numpy.diff(at[:, 0]) > 0).all()), True, "whether x goes from left to right")
        margin = 0.3 * numpy.abs(at[1] - at[0])
        shown = bool((at - margin >= -1e-6).all() and (at + margin <= 1 + 1e-6).all())
        check.equal(shown, True, "whether the cells of all tokens can be seen")


@claim(step=3, costly=True, examples=2, without=DRAWN, size=sizes(MAPS, **LONGER))
def test_the_names_of_the_axes_are_not_exchanged(kata, size):
    """If x has a name, it is not that of the output tokens, and y does not have that of the input tokens."""
    with no_figure_left():
        _, _, _, ax = a_plot(kata, size, False)
        x, y = role_of(ax.get_xlabel()), role_of(ax.get_ylabel())
        if (x == "output" and y != "output") or (y == "input" and x != "input"):
            names = [ax.get_xlabel(), ax.get_ylabel()]
            raise check.Mismatch("the names of the axes x and y are exchanged", names, alike=[x, y])


@claim(step=3, costly=True, examples=2, without=DRAWN, size=sizes(MAPS, **LONGER))
def test_a_large_weight_does_not_look_like_a_small_one(kata, size):
    """A quarter of the largest weight has another colour than three quarters of it."""
    with no_figure_left():
        weights, _, _, ax = a_plot(kata, size, False)
        if has_picture(ax):
            small, large = (colour_of(ax, part * weights.max()) for part in (0.25, 0.75))
            if small == large:
                problem, end = "a small and a large weight have the same colour", ends_of_colours(ax).index(small)
                raise check.Mismatch(problem, [small, large], alike=end)


@claim(step=3, costly=True, examples=2, without=DRAWN, size=sizes(MAPS, **LONGER))
def test_plotting_leaves_the_weights_alone(kata, size):
    """plot_attention does not change the weights that it is given."""
    with no_figure_left():
        weights, tokens = some_maps(size)[0, 0, 0], WORDS[: size.T]
        before = weights.clone()
        check.present(kata.plot_attention(weights, tokens), "plot_attention(…)")
        check.exactly(weights, before, "the weights, after the call")
