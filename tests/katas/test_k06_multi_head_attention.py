"""k06 multi-head attention: what must be true of it."""

import torch
from hypothesis import strategies as st

from dojo.spec import (
    FUSED_ATTENTION,
    Sizes,
    ban,
    ban_module,
    check,
    claim,
    oracle,
    randomise,
    sizes,
)

BANS = [
    ban(*FUSED_ATTENTION, why="it is the fused form of what you build here."),
    ban_module("einops", why="moving the heads by hand is what this kata is about."),
]
PROJECTIONS = ("W_query", "W_key", "W_value")
modes = ["training", "eval mode"]
ATTENTION = "h B d d_in T"
rates = [0.5, 0.25, 0.8]
KNOWN = {}  # modules of the reference, by what they were made for
rooms = [2, 0]  # how many tokens fewer than the context length


def as_wide(size):
    """These sizes with inputs as wide as all heads together."""
    return Sizes(size.dims | {"d_in": size.h * size.d}, size.seed, size.strided)


# --- Oracles: the slow, obvious form ---------------------------------------------------------------------------


@oracle
def one_head_by_tokens(query, key, value):
    outputs = []
    for t in range(query.shape[1]):
        scores = query[:, t : t + 1] @ key[:, : t + 1].transpose(1, 2) / key.shape[-1] ** 0.5
        outputs.append(torch.softmax(scores, dim=-1) @ value[:, : t + 1])
    return torch.cat(outputs, dim=1)


def wrapper_by_heads(model, x):
    heads = [one_head_by_tokens(head.W_query(x), head.W_key(x), head.W_value(x)) for head in model.heads]
    return torch.cat(heads, dim=-1)


def fused_by_heads(model, x, heads):
    projected = [getattr(model, name)(x).chunk(heads, dim=-1) for name in PROJECTIONS]
    return model.out_proj(torch.cat([one_head_by_tokens(*head) for head in zip(*projected)], dim=-1))


# --- Step 1: one head after the other --------------------------------------------------------------------------


@claim(step=1, size=sizes(ATTENTION), bias=[False, True])
def test_wrapper_holds_its_heads_in_a_module_list(kata, size, bias):
    """`heads` is an nn.ModuleList of num_heads attentions from d_in to head_dim, with a bias only if qkv_bias."""
    module = wrapper(kata, size, qkv_bias=bias)
    check.instance(getattr(module, "heads", None), torch.nn.ModuleList, "`heads`")
    check.equal(len(module.heads), size.h, "the number of heads")
    for i in range(size.h):
        for name in PROJECTIONS:
            weight = check.parameter(module, f"heads.{i}.{name}.weight")
            check.tensor(weight, (size.d, size.d_in), None, f"`heads[{i}].{name}.weight`")
            has_bias = getattr(getattr(module.heads[i], name), "bias", None) is not None
            check.equal(has_bias, bias, f"the presence of a bias in `heads[{i}].{name}`")
    want = 3 * size.h * (size.d_in + bias) * size.d
    check.equal(trainable(module), want, "the number of trainable parameters")


@claim(step=1, size=sizes(ATTENTION), room=rooms, bias=[False, True], examples=8, double=True)
def test_wrapper_lays_its_heads_side_by_side(kata, reference, size, room, bias):
    """The wrapper lays the contexts of its heads side by side, head 0 first, at every T up to the context length."""
    module = wrapper(kata, size, room, dropout=0.5, qkv_bias=bias)
    model = known(wrapper, reference, size, room, dropout=0.5, qkv_bias=bias)
    check.copy_parameters(model, module)
    x = size.normal("B T d_in")
    check.equal(module(x.clone()), wrapper_by_heads(model, x), "the output", x=x)


@claim(step=1, size=sizes("h T B", h=(2, 3), T=(2, 5)), rate=rates, examples=6, double=True)
def test_wrapper_passes_the_dropout_rate_on(kata, size, rate):
    """In training every head drops attention weights at the given rate: a weight is 0 or scaled by 1 / (1 − rate)."""
    module = kata.MultiHeadAttentionWrapper(size.T, 2 * size.T, size.T, rate, size.h)
    check.instance(module, torch.nn.Module, "MultiHeadAttentionWrapper(…)")
    randomise(module, size)
    for i in range(size.h):
        values_that_show_the_weights(module, f"heads.{i}.W_value.weight", size.T, 1)
    drops_weights(module, size, rate)


@claim(step=1, size=sizes(ATTENTION, T=(2, 7)), examples=4, double=True)
def test_training_reaches_every_head(kata, reference, size):
    """Gradients of the output reach every projection of every head, and x by way of all of them."""
    module, model = wrapper(kata, size), known(wrapper, reference, size)
    check.copy_parameters(model, module)
    same_gradients(module, model, size, [f"heads.{i}.{name}.weight" for i in range(size.h) for name in PROJECTIONS])


@claim(step=1, size=sizes(ATTENTION, T=(2, 6)), mode=modes, examples=2, double=True)
def test_wrapper_answers_each_input_anew(kata, reference, size, mode):
    """At rate 0 one wrapper gives every input its own output, in training and in eval mode."""
    module, model = wrapper(kata, size), known(wrapper, reference, size)
    check.copy_parameters(model, module)
    answers_anew(module.train(mode == "training"), lambda x: wrapper_by_heads(model, x), size, mode)


# --- Step 2: split and merge -----------------------------------------------------------------------------------


@claim(step=2, size=sizes("h d B T"), examples=9)
def test_head_i_gets_its_own_channels_of_every_token(kata, size):
    """Head i of split_heads holds the channels i·d to (i+1)·d of every token, in their order."""
    x = numbered(size)
    want = torch.stack(x.chunk(size.h, dim=-1), dim=1)
    check.exactly(kata.split_heads(x, size.h), want, f"split_heads(x, {size.h})", x=x)


@claim(step=2, size=sizes("h d B T"), examples=9)
def test_merge_lays_the_heads_of_a_token_side_by_side(kata, size):
    """merge_heads puts the channels of all heads of a token next to each other, head 0 first."""
    x = torch.stack(numbered(size).chunk(size.h, dim=-1), dim=1)
    x = x.transpose(-1, -2).contiguous().transpose(-1, -2) if size.strided else x
    want = torch.cat(x.unbind(1), dim=-1)
    check.exactly(kata.merge_heads(x), want, "merge_heads(x)", x=x)


@claim(step=2, size=sizes("h d B T"), examples=9)
def test_merge_undoes_split(kata, size):
    """Split, then merged, x is what it was."""
    x = numbered(size)
    heads = kata.split_heads(x=x, num_heads=size.h)
    check.tensor(heads, size.shape("B h T d"), x.dtype, f"split_heads(x, {size.h})")
    check.exactly(kata.merge_heads(x=heads), x, f"merge_heads(split_heads(x, {size.h}))")


@claim(step=2, size=sizes("h d B T"), double=True)
def test_gradients_pass_through_split_and_merge(kata, size):
    """Gradients come back through split_heads and merge_heads, each number's to its own place."""
    whole, heads = size.normal("B T h*d").requires_grad_(), size.normal("B h T d").requires_grad_()
    split, merged = kata.split_heads(whole, size.h), kata.merge_heads(heads)
    for name, made, given in (("split_heads", split, whole), ("merge_heads", merged, heads)):
        probe = size.normal("B h T d" if made is split else "B T h*d", salt="probe")
        check.tensor(made, probe.shape, given.dtype, f"{name}(…)")
        passes_gradients(made)
        (gradient,) = torch.autograd.grad((made * probe).sum(), given)
        want = torch.cat(probe.unbind(1), -1) if made is split else torch.stack(probe.chunk(size.h, -1), 1)
        check.equal(gradient, want, f"the gradient of x through {name}")


@claim(step=2, size=sizes("h d B T"))
def test_split_and_merge_leave_their_arguments_alone(kata, size):
    """Neither split_heads nor merge_heads changes the tensor that it is given."""
    whole, heads = numbered(size), size.normal("B h T d")
    before = whole.clone(), heads.clone()
    check.present(kata.split_heads(whole, size.h), f"split_heads(x, {size.h})")
    check.exactly(whole, before[0], "`x` after split_heads")
    check.present(kata.merge_heads(heads), "merge_heads(x)")
    check.exactly(heads, before[1], "`x` after merge_heads")


# --- Step 3: the layers ----------------------------------------------------------------------------------------


@claim(step=3, uneven=[(10, 3), (20, 7), (17, 4), (4, 8), (25, 3)])
def test_width_that_does_not_divide_is_refused(kata, uneven):
    """Where num_heads does not divide d_out there is a ValueError that shows both numbers."""
    d_out, num_heads = uneven
    check.raises(
        ValueError,
        lambda: kata.MultiHeadAttention(6, d_out, 9, 0.0, num_heads),
        mentions=(d_out, num_heads),
        what=f"MultiHeadAttention with d_out = {d_out} and num_heads = {num_heads}",
    )


@claim(step=3, size=sizes(ATTENTION), bias=[False, True], examples=8)
def test_layers_are_linear_and_serve_all_heads(kata, size, bias):
    """W_query, W_key and W_value lead from d_in to d_out, with a bias if qkv_bias; out_proj has a bias always."""
    module, width = fused(kata, size, qkv_bias=bias), size.h * size.d
    for name in (*PROJECTIONS, "out_proj"):
        into, biased = (width, True) if name == "out_proj" else (size.d_in, bias)
        check.tensor(check.parameter(module, f"{name}.weight"), (width, into), None, f"`{name}.weight`")
        check.instance(getattr(module, name), torch.nn.Linear, f"`{name}`")
        check.equal(getattr(module, name).bias is not None, biased, f"the presence of a bias in `{name}`")
    want = 3 * (size.d_in + bias) * width + (width + 1) * width
    check.equal(trainable(module), want, "the number of trainable parameters")


@claim(step=3, size=sizes(ATTENTION), examples=3)
def test_mask_is_a_buffer(kata, size):
    """`mask` is a buffer: it moves with the module, and it is not trained."""
    module = fused(kata, size)
    if not hasattr(module, "mask"):
        found = [name for name, _ in module.named_buffers()]
        raise check.Mismatch("there is no `mask` among the buffers", found, ["mask"])
    check.parameter(module, "mask")
    check.equal("mask" in dict(module.named_buffers()), True, "the presence of `mask` among the buffers")
    check.equal("mask" in dict(module.named_parameters()), False, "the presence of `mask` among the parameters")
    check.equal(module.to("meta").mask.device.type, "meta", "the device of the mask after module.to('meta')")


@claim(step=3, size=sizes(ATTENTION), examples=2)
def test_dropout_is_a_module(kata, size):
    """`dropout` is a module, so that training and eval mode reach it."""
    check.instance(getattr(fused(kata, size, dropout=0.5), "dropout", None), torch.nn.Module, "`dropout`")


# --- Step 4: all heads at once ---------------------------------------------------------------------------------


@claim(step=4, size=sizes(ATTENTION), room=rooms, bias=[False, True], examples=8, double=True)
def test_fused_equals_wrapper(kata, reference, size, room, bias):
    """With the wrapper's weights and an out_proj that changes nothing, the output is that of the wrapper."""
    model = known(wrapper, reference, size, room, qkv_bias=bias)
    module = working(kata, size, room, qkv_bias=bias)
    with torch.no_grad():
        for name in PROJECTIONS:
            for part in ("weight", "bias") if bias else ("weight",):
                rows = [check.parameter(head, f"{name}.{part}") for head in model.heads]
                check.parameter(module, f"{name}.{part}").copy_(torch.cat(rows))
    x = size.normal("B T d_in")
    check.equal(with_plain_out_proj(module)(x.clone()), wrapper_by_heads(model, x), "the output", x=x)


@claim(step=4, size=sizes(ATTENTION), room=rooms, bias=[False, True], examples=8, double=True)
def test_output_is_multi_head_attention(kata, reference, size, room, bias):
    """The output is out_proj of all heads' causal attentions side by side, at every T up to the context length."""
    module, model = beside(reference, kata, size, room, dropout=0.5, qkv_bias=bias)
    x = size.normal("B T d_in")
    check.equal(module(x.clone()), fused_by_heads(model, x, size.h), "the output", x=x)


@claim(step=4, size=sizes(ATTENTION, h=(12, 12)) | sizes(ATTENTION, h=(1, 1)), examples=4, double=True)
def test_any_number_of_heads_will_do(kata, reference, size):
    """The output is right for a dozen heads, and for one alone, which passes through out_proj too."""
    module, model = beside(reference, kata, size)
    x = size.normal("B T d_in")
    check.equal(module(x.clone()), fused_by_heads(model, x, size.h), f"the output of {size.h} heads", x=x)


@claim(step=4, size=sizes("h B d T").map(as_wide), examples=2, double=True)
def test_input_and_output_may_be_equally_wide(kata, reference, size):
    """The output is right where d_in = d_out too, as in a transformer: nothing is added to it."""
    module, model = beside(reference, kata, size)
    x = size.normal("B T d_in")
    check.equal(module(x.clone()), fused_by_heads(model, x, size.h), "the output", x=x)


@claim(step=4, size=sizes(ATTENTION, T=(9, 12)), mode=modes, examples=4, double=True)
def test_each_input_is_answered_anew(kata, reference, size, mode):
    """At rate 0 one MultiHeadAttention gives every input its own output, in training and in eval mode."""
    module, model = beside(reference, kata, size)
    answers_anew(module.train(mode == "training"), lambda x: fused_by_heads(model, x, size.h), size, mode)


@claim(step=4, size=sizes(ATTENTION), head=st.integers(0, 3), examples=8, double=True)
def test_heads_are_independent(kata, size, head):
    """Changing the weights of one head changes the channels of that head, before out_proj, and no others."""
    module, head = with_plain_out_proj(working(kata, size)), head % size.h
    x, own = size.normal("B T d_in"), slice(head * size.d, (head + 1) * size.d)
    before = module(x)
    check.tensor(before, size.shape("B T h*d"), x.dtype, "the output")
    with torch.no_grad():
        for name in PROJECTIONS:
            check.parameter(module, f"{name}.weight")[own] += 1
    after = module(x)
    check.tensor(after, before.shape, x.dtype, "the output")
    want = before.clone()
    want[..., own] = after[..., own]
    check.equal(after, want, f"the output, after the weights of head {head} have changed,", x=x)
    if torch.equal(after, before):
        raise check.Mismatch(f"the weights of head {head} have changed, and the output has not", after)


@claim(step=4, costly=True)
def test_the_context_is_as_long_as_asked(kata):
    """A sequence may be as long as the context length that was asked for, however long that is."""
    module = kata.MultiHeadAttention(2, 2, 1030, 0.0, 1)
    check.instance(module, torch.nn.Module, "MultiHeadAttention(…)")
    with torch.no_grad():
        check.tensor(module.eval()(torch.ones(1, 1030, 2)), (1, 1030, 2), torch.get_default_dtype(), "the output")


@claim(step=4, size=sizes(ATTENTION, T=(2, 6)), room=rooms, examples=6)
def test_no_gradient_reaches_a_later_token(kata, size, room):
    """The gradient of an output to every later input is exactly 0."""
    gradients = gradient_by_token(working(kata, size, room), size)
    later = torch.ones(size.T, size.T).triu(1).bool()
    check.no_leak(gradients, later, "the gradient of output (row) to a later input (column)")


@claim(step=4, size=sizes(ATTENTION, T=(2, 6)), head=st.integers(0, 3), examples=6)
def test_every_head_sees_the_token_itself_and_all_earlier_ones(kata, size, head):
    """In every head, every output depends on its own token and on each earlier one."""
    module, head = with_plain_out_proj(working(kata, size, 2)), head % size.h
    with torch.no_grad():  # small weights: no softmax is so sharp that a token is seen by a hair only
        for name in PROJECTIONS:
            check.parameter(module, f"{name}.weight").mul_(0.3)
    gradients = gradient_by_token(module, size, slice(head * size.d, (head + 1) * size.d))
    seen = torch.ones(size.T, size.T).tril().bool()
    what = f"the map of which input (column) each output (row) of head {head} depends on"
    check.equal((gradients != 0) & seen, seen, what)


@claim(step=4, size=sizes(ATTENTION, T=(2, 6)), room=rooms)
def test_a_huge_change_of_a_later_token_changes_no_earlier_output(kata, size, room):
    """Making the last token 1,000 times as large changes no output before it."""
    module = working(kata, size, room)
    x = size.normal("B T d_in")
    changed = x.clone()
    changed[:, -1] *= 1000
    before, after = module(x), module(changed)
    check.tensor(before, size.shape("B T h*d"), x.dtype, "the output")
    check.tensor(after, before.shape, x.dtype, "the output")
    check.equal(after[:, :-1], before[:, :-1], "the output before the last token, after the change,", x=x)


@claim(step=4, size=sizes(ATTENTION, T=(2, 6)), room=rooms)
def test_a_prefix_gives_the_same_outputs(kata, size, room):
    """The outputs of the first t tokens are the same when the rest is cut off and no gradients are kept."""
    module = working(kata, size, room)
    x = size.normal("B T d_in")
    whole = module(x)
    check.tensor(whole, size.shape("B T h*d"), x.dtype, "the output")
    for t in range(1, size.T):
        with torch.no_grad():
            got = module(x[:, :t])
        check.equal(got, whole[:, :t], f"the output for the first {t} of {size.T} tokens", x=x)


@claim(step=4, size=sizes(ATTENTION, T=(2, 6)), double=True)
def test_extreme_inputs_do_not_break_the_mask(kata, reference, size):
    """Scores of many thousands change nothing: later tokens stay hidden."""
    module, model = beside(reference, kata, size)
    x = size.normal("B T d_in", scale=300)
    want = fused_by_heads(model, x, size.h)
    check.equal(module(x.clone()), want, "the output for large inputs", tolerance=1e-3, x=x)


@claim(step=4, size=sizes("h T B", h=(2, 3), T=(2, 5)), rate=rates, examples=8, double=True)
def test_dropout_acts_on_the_weights(kata, size, rate):
    """In training, attention weights are dropped (exactly 0) or scaled by 1 / (1 − rate), and nothing else is."""
    module = that_shows_its_weights(kata, size, rate)
    with torch.no_grad():
        module.out_proj.bias.fill_(1)  # which no dropout may touch
    drops_weights(module, size, rate, bias=1)


@claim(step=4, size=sizes("h T B", h=(2, 3), T=(9, 9), B=(2, 4)), examples=2)
def test_every_head_drops_weights_of_its_own(kata, size):
    """In training, each weight is dropped by itself: every row of the batch, head, query and key draws its own."""
    module = that_shows_its_weights(kata, size, 0.5).train()
    output = module(torch.eye(size.T).expand(size.B, size.T, size.T).clone())
    check.tensor(output, size.shape("B T h*2*T"), output.dtype, "the output in training")
    kept = output.unflatten(-1, (size.h, 2, size.T))[:, :, :, 0].transpose(1, 2) != 0  # (B, h, T, T)
    pairs = {  # of the last queries and the first keys: nothing of theirs is hidden
        "rows of the batch": (kept[0], kept[1]),
        "heads": (kept[:, 0], kept[:, 1]),
        "queries": (kept[..., -1, :-1], kept[..., -2, :-1]),
        "keys": (kept[..., 1:, 0], kept[..., 1:, 1]),
    }
    same = [what for what, (one, other) in pairs.items() if torch.equal(one, other)]
    if same:
        raise check.Mismatch(f"two {same[-1]} drop the same weights", pairs[same[-1]][0], alike=same)


@claim(step=4, examples=4, seed=st.integers(0, 99))
def test_dropout_is_on_in_training_only(kata, seed):
    """In training two passes differ, in eval mode they do not."""
    demand_step_2(kata)
    torch.manual_seed(seed)
    module = kata.MultiHeadAttention(d_in=3, d_out=4, context_length=20, dropout=0.5, num_heads=2, qkv_bias=True)
    check.instance(module, torch.nn.Module, "MultiHeadAttention(…)")
    x = torch.randn(2, 20, 3)
    module.train()
    if torch.equal(module(x), module(x)):
        raise check.Mismatch("two passes in training are equal: nothing is dropped", module(x)[0, :2])
    module.eval()
    check.exactly(module(x), module(x), "a second pass in eval mode")


@claim(step=4, examples=2, seed=st.integers(0, 99))
def test_weights_pass_through_the_dropout_module(kata, seed):
    """It is the module `dropout` that the attention weights pass through in training."""
    demand_step_2(kata)
    torch.manual_seed(seed)
    module = kata.MultiHeadAttention(3, 4, 5, 0.5, 2)
    check.instance(getattr(module, "dropout", None), torch.nn.Module, "`dropout`")
    calls = []
    module.dropout.register_forward_hook(lambda *_: calls.append(1))
    check.present(module.train()(torch.randn(2, 5, 3)), "the output")
    check.equal(bool(calls), True, "the use of the module `dropout`")


@claim(step=4, size=sizes(ATTENTION, T=(2, 7)), double=True)
def test_training_reaches_every_layer(kata, reference, size):
    """Gradients of the output reach W_query, W_key, W_value and out_proj, and x by way of them."""
    module, model = beside(reference, kata, size, qkv_bias=True)
    weights = [f"{name}.weight" for name in (*PROJECTIONS, "out_proj")]
    # No bias of the key: it adds the same to all scores of a row, so its gradient is 0 but for rounding.
    same_gradients(module, model, size, [*weights, "W_query.bias", "W_value.bias", "out_proj.bias"])


@claim(step=4, size=sizes(ATTENTION))
def test_input_stays_as_it_was(kata, size):
    """MultiHeadAttention does not change x."""
    x = size.normal("B T d_in")
    before = x.clone()
    check.present(working(kata, size)(x), "the output")
    check.exactly(x, before, "`x` after the call")


def wrapper(kata, size, room=0, dropout=0.0, **options):
    """The wrapper in eval mode, with parameters that no default start hides."""
    widths = {"d_in": size.d_in, "head_dim": size.d, "context_length": size.T + room}
    module = kata.MultiHeadAttentionWrapper(**widths, dropout=dropout, num_heads=size.h, **options)
    check.instance(module, torch.nn.Module, "MultiHeadAttentionWrapper(…)")
    randomise(module, size)
    return module.eval()


def demand_step_2(kata):
    """Demand the shapes of step 2: where they are wrong, step 4 has nothing to stand on, however it is written."""
    check.tensor(kata.split_heads(torch.zeros(2, 3, 20), 4), (2, 4, 3, 5), None, "split_heads(x, 4)")
    check.tensor(kata.merge_heads(torch.zeros(2, 4, 3, 5)), (2, 3, 20), None, "merge_heads(x)")


def working(kata, size, room=0, dropout=0.0, **options):
    """The attention of all heads at once, as `fused` makes it, where step 2 has been done."""
    demand_step_2(kata)
    return fused(kata, size, room, dropout, **options)


def fused(kata, size, room=0, dropout=0.0, qkv_bias=None):
    """The attention of all heads at once in eval mode, with parameters that no default start hides."""
    options = [] if qkv_bias is None else [qkv_bias]
    module = kata.MultiHeadAttention(size.d_in, size.h * size.d, size.T + room, dropout, size.h, *options)
    check.instance(module, torch.nn.Module, "MultiHeadAttention(…)")
    randomise(module, size)
    return module.eval()


def known(make, reference, size, room=0, **options):
    """The reference's module, which nobody changes: it is made once, since that takes longer than asking it."""
    key = make, reference, repr(size), room, torch.get_default_dtype(), *sorted(options.items())
    if key not in KNOWN:
        with torch.random.fork_rng(devices=[]):  # the same random numbers follow, made or not
            KNOWN[key] = make(reference, size, room, **options)
    return KNOWN[key]


def beside(reference, kata, size, room=0, **options):
    """The module under test and the reference's, with equal parameters (buffers are its own)."""
    module, model = working(kata, size, room, **options), known(fused, reference, size, room, **options)
    check.copy_parameters(model, module)
    return module, model


def with_plain_out_proj(module):
    """The module, with an out_proj that hands on what it gets."""
    weight, bias = check.parameter(module, "out_proj.weight"), check.parameter(module, "out_proj.bias")
    with torch.no_grad():
        weight.copy_(torch.eye(len(weight)))
        bias.zero_()
    return module


def numbered(size):
    """x of shape (B, T, h·d) in which the number 20103 is row 2, token 1, channel 3."""
    row, token, channel = (torch.arange(n) for n in size.shape("B T h*d"))
    x = (10_000 * row[:, None, None] + 100 * token[:, None] + channel).to(torch.get_default_dtype())
    return x.transpose(1, 2).contiguous().transpose(1, 2) if size.strided else x


def trainable(module):
    return sum(values.numel() for values in module.parameters() if values.requires_grad)


def same_gradients(module, model, size, names):
    """Demand that parameters and x get the gradients that they get in the reference."""
    x, probe = size.normal("B T d_in", scale=0.3).requires_grad_(), size.normal("B T h*d", salt="probe")
    for name, got, want in zip((*names, "x"), gradients(module, x, probe, names), gradients(model, x, probe, names)):
        check.equal(got, want, f"the gradient of `{name}`", tolerance=1e-4)


def gradients(module, x, probe, names):
    """The gradient of each parameter, and of x, under the sum of output times probe."""
    output = module(x)
    check.tensor(output, probe.shape, probe.dtype, "the output")
    passes_gradients(output)
    inputs = [*(check.parameter(module, name) for name in names), x]
    found = torch.autograd.grad((output * probe).sum(), inputs, allow_unused=True)
    missed = [name for name, gradient in zip((*names, "x"), found) if gradient is None]
    if missed:
        raise check.Mismatch(f"no gradient reaches `{missed[0]}`", missed, [])
    return found


def answers_anew(module, by_heads, size, mode):
    """Demand the right output for two inputs of one shape, one after the other."""
    for which in ("first", "second"):
        x = size.normal("B T d_in", salt=which)
        check.equal(module(x.clone()), by_heads(x), f"the output for the {which} input in {mode}", x=x)


def passes_gradients(output):
    if not output.requires_grad:
        raise check.Mismatch("no gradient passes: the output is cut off from what it was made of", output)


def gradient_by_token(module, size, channels=slice(None)):
    """How much output (row) depends on input (column): the largest absolute gradient over batch and channels."""
    x = size.normal("B T d_in").requires_grad_()
    output = module(x)
    check.tensor(output, size.shape("B T h*d"), x.dtype, "the output")
    passes_gradients(output)
    probe = size.normal("B h*d", salt="probe")[:, channels]
    rows = []
    for t in range(size.T):
        (gradient,) = torch.autograd.grad((output[:, t, channels] * probe).sum(), x, retain_graph=True)
        rows.append(gradient.abs().amax(dim=(0, 2)))
    return torch.stack(rows)


def that_shows_its_weights(kata, size, rate):
    """A module of all heads at once from whose output, given the identity, the weights can be read."""
    demand_step_2(kata)
    module = kata.MultiHeadAttention(size.T, size.h * 2 * size.T, size.T, rate, size.h)
    check.instance(module, torch.nn.Module, "MultiHeadAttention(…)")
    randomise(module, size)
    values_that_show_the_weights(module, "W_value.weight", size.T, size.h)
    return with_plain_out_proj(module)


def values_that_show_the_weights(module, name, T, heads):
    """Make the values of each head the rows of [I I], so that each half of a context is a row of weights."""
    weight = check.parameter(module, name)
    check.tensor(weight, (heads * 2 * T, T), None, f"`{name}`")
    with torch.no_grad():
        weight.copy_(torch.eye(T).repeat(2 * heads, 1))


def what_became_of(weights, dropped):
    """What is true of dropped weights (B, T, h, T) whichever were drawn: their ratios to what they were; whether later
    tokens came in; whether any is 0; whether rows sum to 1; whether two in a row became equal."""
    seen, row = weights != 0, dropped.sort(-1).values
    ratios = {round(ratio, 3) + 0.0 for ratio in (dropped[seen] / weights[seen]).tolist()}
    sums, steps = dropped.sum(-1), row.diff(dim=-1)
    return (
        sorted(ratios) if len(ratios) < 5 else "many ratios",
        bool(dropped[~seen].any()),
        bool((dropped[seen] == 0).any()),
        bool((sums - 1).abs().max() < 1e-6),
        bool(((steps < 1e-9) & (row[..., 1:] > 1e-9)).any()),
    )


def drops_weights(module, size, rate, bias=0):
    """Demand that in training the weights, read off the output, are 0 or scaled, in both readings alike."""
    x = torch.eye(size.T).expand(size.B, size.T, size.T).clone()
    weights, dropped = module.eval()(x), module.train()(x)
    check.tensor(weights, size.shape("B T h*2*T"), x.dtype, "the output in eval mode")
    check.tensor(dropped, weights.shape, x.dtype, "the output in training")
    weights, dropped = weights - bias, dropped - bias
    want = torch.where(dropped == 0, 0.0, weights / (1 - rate))
    try:
        check.equal(dropped, want, "the matrix of weights in training (read off the output, twice side by side)")
    except check.Mismatch as mismatch:  # which of them were drawn is left to chance
        apart = (one.unflatten(-1, (size.h, 2, size.T))[..., 0, :] for one in (weights, dropped))
        mismatch.alike = what_became_of(*apart)
        raise
    one, two = dropped.unflatten(-1, (size.h, 2, size.T)).unbind(-2)
    check.exactly(two, one, "the second reading of the dropped weights")
