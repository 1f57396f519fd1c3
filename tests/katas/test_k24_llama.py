"""k24 a Llama: what must be true of it."""

import torch

from dojo.spec import OperationMode, check, claim, randomise, sizes, tree_leaves

BANS = []

epsilons = [1e-5, 0.1, 1.0]
bases = [10_000.0, 100.0, 500_000.0]
leading = ["B T", "T", "h B T"]
# How many heads queries have, and keys and values. A head has n pairs of channels, so d = 2·n.
groups = [(6, 3), (6, 2), (3, 1), (2, 2)]
shared = [(6, 3), (6, 2), (4, 2), (3, 1)]
TEXT = sizes("n B T", n=(2, 4), B=(1, 4), T=(2, 6))
ANY_TEXT = sizes("n B T", n=(2, 4), B=(1, 4), T=(1, 6))
MODEL = sizes("n L B T V f", n=(2, 4), L=(1, 2), B=(1, 4), T=(1, 6), V=(7, 12), f=(5, 9))
PROJECTIONS = ("W_query", "W_key", "W_value")
ATTENTION = (*PROJECTIONS, "out_proj")
FEED_FORWARD = ("gate", "up", "down")


# --- Oracles: the slow, obvious form ---------------------------------------------------------------------------


def normed_by_tokens(x, weight, eps):
    tokens = [token / ((token * token).sum() / len(token) + eps) ** 0.5 for token in x.reshape(-1, x.shape[-1])]
    return weight * torch.stack(tokens).reshape(x.shape)


def swiglu(model, x):
    gate, up, down = (getattr(model, name).weight for name in FEED_FORWARD)
    opened = x @ gate.T
    return (opened / (1 + torch.exp(-opened)) * (x @ up.T)) @ down.T


def turned(x, base):
    """Channels i and i + d/2 are one complex number, which is turned by e^(i·angle)."""
    half = x.shape[-1] // 2
    speeds = torch.tensor([base ** (-i / half) for i in range(half)])
    angles = torch.arange(x.shape[-2])[:, None] * speeds
    pairs = torch.complex(x[..., :half], x[..., half:]) * torch.complex(angles.cos(), angles.sin())
    return torch.cat([pairs.real, pairs.imag], dim=-1)


def grouped_attention(model, x, heads, kv_heads, base):
    """One head of queries after the other, each with the keys and values of its group."""
    d, contexts = x.shape[-1] // heads, []
    query, key, value = ((x @ getattr(model, name).weight.T).split(d, dim=-1) for name in PROJECTIONS)
    later = torch.ones(x.shape[1], x.shape[1]).triu(1).bool()
    for head in range(heads):
        its = head * kv_heads // heads
        scores = turned(query[head], base) @ turned(key[its], base).mT / d**0.5  # (B, T, T)
        contexts.append(torch.softmax(scores.masked_fill(later, -torch.inf), -1) @ value[its])
    return torch.cat(contexts, -1) @ model.out_proj.weight.T


def block_by_parts(model, x, config):
    heads = config.num_heads, config.num_kv_heads, config.rope_base
    x = x + grouped_attention(model.attention, normed_by_tokens(x, model.norm1.weight, config.eps), *heads)
    return x + swiglu(model.feed_forward, normed_by_tokens(x, model.norm2.weight, config.eps))


def logits_by_parts(model, ids, config):
    x = model.tok_emb.weight[ids]
    for block in model.blocks:
        x = block_by_parts(block, x, config)
    return normed_by_tokens(x, model.final_norm.weight, config.eps) @ model.lm_head.weight.T


def turned_side_by_side(x, base=10_000.0):
    """As `turned`, with channels 2i and 2i + 1 as one complex number."""
    return turned(torch.cat([x[..., 0::2], x[..., 1::2]], -1), base)


# --- The code under test ---------------------------------------------------------------------------------------


def made(kind, name, size, scale=1.0):
    """A module under test, with parameters that no default start hides."""
    check.instance(kind, torch.nn.Module, name)
    randomise(kind, size, scale)
    return kind


def norm(kata, size, eps):
    module = kata.RMSNorm(size.D, eps)
    check.instance(module, torch.nn.Module, "RMSNorm(…)")
    check.tensor(check.parameter(module, "weight"), (size.D,), None, "`weight`")
    randomise(module, size)
    return module


def feed_forward(kata, size, scale=1.0):
    module = made(kata.SwiGLU(size.D, size.f), "SwiGLU(…)", size, scale)
    for name, shape in (("gate", "f D"), ("up", "f D"), ("down", "D f")):
        check.tensor(check.parameter(module, f"{name}.weight"), size.shape(shape), None, f"`{name}.weight`")
    return module


def attention(kata, size, heads, base=10_000.0):
    number, kv = heads
    module = made(kata.GroupedQueryAttention(width(size, heads), number, kv, base), "GroupedQueryAttention(…)", size)
    for name in ATTENTION:
        rows = 2 * size.n * (kv if name in ("W_key", "W_value") else number)
        check.tensor(check.parameter(module, f"{name}.weight"), (rows, width(size, heads)), None, f"`{name}.weight`")
    return module


def width(size, heads):
    return heads[0] * 2 * size.n


def beside(reference, kata, size, heads, base=10_000.0):
    """The attention under test, and the reference's with the same parameters."""
    return attention(kata, size, heads, base), attention(reference, size, heads, base)


def config_of(kata, size, heads, **options):
    """The configuration of a small Llama: L blocks, V words, f hidden entries a token."""
    number, kv = heads
    options = {"context_length": 6, "vocab_size": size.V, "hidden_dim": size.f, "num_layers": size.L, **options}
    return kata.LlamaConfig(emb_dim=width(size, heads), num_heads=number, num_kv_heads=kv, **options)


def llama(kata, size, heads, **options):
    model = kata.Llama(config_of(kata, size, heads, **options))
    check.instance(model, torch.nn.Module, "Llama(config)")
    check.instance(getattr(model, "blocks", None), torch.nn.Module, "`blocks`")
    randomise(model, size, scale=0.3)  # larger scores would make roundings large
    return model


def twins(kata, reference, size, heads, **options):
    """The model under test and the reference's, with equal parameters."""
    model, twin = (llama(code, size, heads, **options) for code in (kata, reference))
    check.copy_parameters(twin, model)
    return model, twin


def gradients(output, probe, module, names, more=()):
    """The gradients of `output` on the way to these parameters, in their order, and to the tensors of `more`."""
    check.tensor(output, probe.shape, probe.dtype, "the output")
    if not output.requires_grad:
        raise check.Mismatch("no gradient passes: the output is cut off from what it was made of", output)
    inputs = [check.parameter(module, name) for name in names] + list(more)
    found = torch.autograd.grad((output * probe).sum(), inputs, allow_unused=True)
    for name, gradient in zip((*names, "x"), found):
        if gradient is None:
            raise check.Mismatch(f"no gradient reaches `{name}`", output)
    return found


# --- Step 1: the norm and the feed-forward ---------------------------------------------------------------------


@claim(step=1, size=sizes("D B T"))
def test_a_new_norm_has_one_weight_that_changes_nothing(kata, size):
    """`weight` is the norm's only parameter, a number for each feature, trained, and 1 at the start."""
    module = kata.RMSNorm(size.D, 1e-5)
    check.instance(module, torch.nn.Module, "RMSNorm(…)")
    weight = check.parameter(module, "weight")
    check.tensor(weight, (size.D,), torch.get_default_dtype(), "`weight`")
    trained = any(weight is one for one in module.parameters()) and weight.requires_grad
    check.equal(trained, True, "whether `weight` is a parameter that is trained")
    check.equal(sum(one.numel() for one in module.parameters()), size.D, "the number of parameters")
    start = "random" if (weight != weight[0]).any() else weight[0].item()  # which random numbers is left to chance
    if start != 1.0:
        raise check.Mismatch("`weight` is not 1 for every feature at the start", weight, alike=start)


@claim(step=1, size=sizes("D h B T"), eps=epsilons, scale=[2.0, 1e-3], lead=leading, double=True)
def test_each_token_is_divided_by_its_root_mean_square(kata, size, eps, scale, lead):
    """The output is weight · x / √(mean of x² + eps), the mean over the features of each token."""
    module, x = norm(kata, size, eps), size.normal(f"{lead} D", scale=scale)
    want = normed_by_tokens(x, module.weight.detach(), eps)
    check.equal(module(x), want, f"the output for eps={eps:g}", x=x)


@claim(step=1, size=sizes("D B T"), offset=[100.0, -7.0])
def test_no_mean_is_taken_off(kata, size, offset):
    """A token whose features are all alike stays that, each about 1 or −1 times `weight`: no mean is taken off."""
    module, x = norm(kata, size, 1e-5), torch.full(size.shape("B T D"), offset)
    want = normed_by_tokens(x, module.weight.detach(), 1e-5)
    check.equal(module(x), want, f"the output where every feature is {offset:g}", x=x)


DTYPES = [torch.float16, torch.bfloat16]
HALF_A_STEP = {torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}  # how far rounding goes, of a number


@claim(step=1, size=sizes("D T", D=(40, 60)), dtype=DTYPES, scale=[300.0, 1.0], examples=4)
def test_sixteen_bits_are_normed_in_more(kata, size, dtype, scale):
    """The norm of numbers of 16 bits is worked out in float32 at least, and rounded once; its result has 16 bits."""
    module = kata.RMSNorm(size.D, 1e-5).to(dtype)
    x = size.normal("T D", scale=scale).to(dtype)
    got, exact = module(x), normed_by_tokens(x.double(), 1.0, 1e-5)
    check.tensor(got, x.shape, None, "the output")
    check.equal(str(got.dtype), str(dtype), "the dtype of the output")
    off = (got.double() - exact).abs() / exact.abs().clamp(min=1e-3)
    if not off.max() <= 1.02 * HALF_A_STEP[dtype]:
        problem = f"the output in {str(dtype).removeprefix('torch.')} is less exact than one rounding allows"
        raise check.Mismatch(problem, got, exact.to(dtype))


@claim(step=1, size=sizes("D B T"), eps=epsilons, double=True)
def test_gradients_pass_through_the_norm(kata, size, eps):
    """Gradients reach `weight`, and x both ways: as what is divided and as what it is divided by."""
    x, probe = size.normal("B T D").requires_grad_(), size.normal("B T D", salt="probe")
    module = norm(kata, size, eps)
    outputs = module(x), normed_by_tokens(x, module.weight, eps)
    found = [gradients(output, probe, module, ["weight"], [x]) for output in outputs]
    for name, got, want in zip(("weight", "x"), *found):
        check.equal(got, want, f"the gradient of `{name}`", x=x)


@claim(step=1, size=sizes("D f", f=(5, 9)))
def test_feed_forward_has_three_layers_without_biases(kata, size):
    """`gate` and `up` lead from emb_dim to hidden_dim, `down` leads back; none has a bias."""
    module = feed_forward(kata, size)
    for name in FEED_FORWARD:
        check.instance(getattr(module, name), torch.nn.Linear, f"`{name}`")
    biased = [name for name in FEED_FORWARD if getattr(module, name).bias is not None]
    check.equal(biased, [], "the list of layers with a bias")
    check.equal(sum(one.numel() for one in module.parameters()), 3 * size.D * size.f, "the number of parameters")


@claim(step=1, size=sizes("D f h B T", f=(5, 9)), lead=leading, double=True)
def test_the_gate_opens_and_closes(kata, size, lead):
    """The output is down(silu(gate(x)) · up(x)), with silu(a) = a · sigmoid(a), for each token by itself."""
    module, x = feed_forward(kata, size), size.normal(f"{lead} D")
    check.equal(module(x), swiglu(module, x).detach(), "the output", x=x)


@claim(step=1, size=sizes("D f T", f=(5, 9)))
def test_large_numbers_stay_finite(kata, size):
    """At ±10,000 nothing overflows: silu(a) is about a where a is large, and about 0 where a is far below 0."""
    module, x = feed_forward(kata, size), size.normal("T D", scale=1e4)
    opened = x @ module.gate.weight.T
    want = (opened.clamp(min=0) * (x @ module.up.weight.T)) @ module.down.weight.T
    check.equal(module(x), want.detach(), "the output for x of about 10,000", tolerance=1e-3, x=x)


@claim(step=1, size=sizes("D f B T", f=(5, 9)), double=True)
def test_gradients_reach_all_three_layers(kata, size):
    """Gradients reach `gate`, `up` and `down`, and x by way of both products."""
    module, x = feed_forward(kata, size), size.normal("B T D").requires_grad_()
    probe, names = size.normal("B T D", salt="probe"), [f"{name}.weight" for name in FEED_FORWARD]
    got, want = (gradients(output, probe, module, names, [x]) for output in (module(x), swiglu(module, x)))
    for name, one, other in zip((*names, "x"), got, want):
        check.equal(one, other, f"the gradient of `{name}`", x=x)


# --- Step 2: grouped queries -----------------------------------------------------------------------------------


@claim(step=2, size=sizes("n", n=(2, 4)), heads=groups)
def test_keys_and_values_have_fewer_heads(kata, size, heads):
    """`W_query` and `out_proj` keep the width; `W_key` and `W_value` lead to num_kv_heads heads; none has a bias."""
    module = attention(kata, size, heads)
    for name in ATTENTION:
        check.instance(getattr(module, name), torch.nn.Linear, f"`{name}`")
    biased = [name for name in ATTENTION if getattr(module, name).bias is not None]
    check.equal(biased, [], "the list of layers with a bias")
    want = 2 * width(size, heads) * (width(size, heads) + heads[1] * 2 * size.n)
    check.equal(sum(one.numel() for one in module.parameters()), want, "the number of parameters")


@claim(step=2, size=TEXT, heads=shared, double=True)
def test_heads_share_in_order(kata, reference, size, heads):
    """Neighbouring heads share: with 6 heads of queries and 3 of values, they take values 0, 0, 1, 1, 2, 2."""
    module, model = beside(reference, kata, size, heads)
    x, number, kv = size.normal(f"B T {width(size, heads)}"), *heads
    with torch.no_grad():
        for one in (module, model):
            check.parameter(one, "W_query.weight").zero_()  # all weights of a row are equal
            check.parameter(one, "out_proj.weight").copy_(torch.eye(width(size, heads)))
    seen = torch.arange(1, size.T + 1)[:, None]
    value = (x @ model.W_value.weight.T).detach().cumsum(1) / seen
    want = torch.cat([value.unflatten(-1, (kv, -1))[:, :, head * kv // number] for head in range(number)], -1)
    what = f"the mean of the values seen, for {number} heads of queries and {kv} of values,"
    check.equal(module(x), want, what, x=x)


@claim(step=2, size=ANY_TEXT, heads=groups, base=bases, double=True)
def test_output_is_attention_over_shared_keys_and_values(kata, reference, size, heads, base):
    """Each head's scores are those of its turned query with the turned keys that it shares, divided by √d."""
    module, model = beside(reference, kata, size, heads, base)
    x = size.normal(f"B T {width(size, heads)}")
    want = grouped_attention(model, x, *heads, base).detach()
    what = f"the output of {heads[0]} heads of queries and {heads[1]} of keys and values, for the base {base:g},"
    check.equal(module(x), want, what, x=x)


@claim(step=2, size=TEXT, heads=shared, double=True)
def test_no_gradient_reaches_a_later_token(kata, size, heads):
    """The gradient of an output is exactly 0 at every later input."""
    module, t = attention(kata, size, heads), size.T // 2
    x = size.normal(f"B T {width(size, heads)}", scale=0.3).requires_grad_()
    output = module(x)
    check.tensor(output, x.shape, x.dtype, "the output")
    if not output.requires_grad:
        raise check.Mismatch("no gradient passes: the output is cut off from what it was made of", output)
    (gradient,) = torch.autograd.grad(output[:, :t].sum(), x)
    later = (torch.arange(size.T) >= t)[:, None].expand(x.shape[1:]).expand(x.shape)
    check.no_leak(gradient, later, f"the gradient of the first {t} outputs, at later inputs,")


@claim(step=2, size=TEXT, heads=shared, double=True)
def test_later_tokens_change_no_earlier_output(kata, size, heads):
    """The outputs of the first tokens are the same when all later ones are 1,000 times as large, or gone."""
    module, x = attention(kata, size, heads), size.normal(f"B 9 {width(size, heads)}", scale=0.3)
    whole, changed = module(x), torch.cat([x[:, : size.T], 1000 * x[:, size.T :]], dim=1)
    check.tensor(whole, x.shape, x.dtype, "the output for 9 tokens")
    for what, other in (("with later tokens 1,000 times as large", changed), ("alone", x[:, : size.T])):
        got = module(other)
        check.tensor(got, other.shape, x.dtype, f"the output, {what},")
        check.equal(got[:, : size.T], whole[:, : size.T], f"the output of the first {size.T} tokens, {what},", x=x)


@claim(step=2, size=TEXT, heads=[(2, 2), (3, 3)], double=True)
def test_first_token_sees_itself_alone_whatever_its_score(kata, reference, size, heads):
    """The first output is the first token's own value, also where its score is far below −100,000."""
    module, model = beside(reference, kata, size, heads)
    with torch.no_grad():
        for one in (module, model):
            check.parameter(one, "W_key.weight").copy_(-1e6 * check.parameter(one, "W_query.weight"))
    x = size.normal(f"B T {width(size, heads)}") + 1
    want = (x[:, :1] @ model.W_value.weight.T @ model.out_proj.weight.T).detach()
    got = module(x)
    check.tensor(got, x.shape, x.dtype, "the output")
    check.equal(got[:, :1], want, "the first output", x=x)


@claim(step=2, size=TEXT, heads=shared, mode=[True, False], examples=4)
def test_each_text_is_read_anew(kata, reference, size, heads, mode):
    """Texts of other lengths and batches of other sizes may follow one another, in either mode."""
    module, model = beside(reference, kata, size, heads)
    module.train(mode)
    for number, (B, T) in enumerate(((1, size.T), (size.B, size.T + 3), (size.B, size.T + 3), (size.B, 1))):
        x = size.normal(f"{B} {T} {width(size, heads)}", salt=str(number))
        want = grouped_attention(model, x, *heads, 10_000.0).detach()
        check.equal(module(x), want, f"the output for {B} × {T} tokens", x=x)


@claim(step=2, size=TEXT, heads=shared, double=True, examples=4)
def test_training_reaches_every_layer(kata, reference, size, heads):
    """Gradients of the output reach every layer, and x by way of queries, keys and values."""
    module, model = beside(reference, kata, size, heads)
    x = size.normal(f"B T {width(size, heads)}", scale=0.3).requires_grad_()
    probe, names = size.normal(f"B T {width(size, heads)}", salt="p"), [f"{name}.weight" for name in ATTENTION]
    outputs = module(x), grouped_attention(model, x, *heads, 10_000.0)
    got, want = (gradients(output, probe, one, names, [x]) for output, one in zip(outputs, (module, model)))
    for name, one, other in zip((*names, "x"), got, want):
        check.equal(one, other, f"the gradient of `{name}`", tolerance=1e-4, x=x)


@claim(step=2, size=TEXT, heads=[(6, 2)], examples=1, costly=True)
def test_what_forward_makes_is_on_the_device_of_x(kata, size, heads):
    """What forward makes, positions and mask, it makes on the device of x: it runs on a GPU as on a CPU."""
    devices, module = _Devices(), attention(kata, size, heads).to("meta")
    x, got = size.normal(f"B T {width(size, heads)}").to("meta"), None
    with devices:
        try:
            got = module(x)
        except Exception as error:  # the code looks at values, which a meta tensor does not have: that is no fault
            if isinstance(error, NotImplementedError) and str(error).startswith("step "):
                raise
    devices.check()
    if got is not None:
        check.equal(got.device.type, "meta", "the device of the output, for x on the device meta")


# --- Step 3: the model -----------------------------------------------------------------------------------------


@claim(step=3, size=MODEL, heads=groups, eps=epsilons, base=bases, double=True)
def test_both_branches_are_added_to_the_stream(kata, reference, size, heads, eps, base):
    """A block gives x + attention(norm1(x)), and to that adds feed_forward(norm2(…)); it keeps to its config."""
    blocks = []
    for code in (kata, reference):
        block = code.LlamaBlock(config_of(code, size, heads, eps=eps, rope_base=base))
        blocks.append(made(block, "LlamaBlock(config)", size, scale=0.3))
    block, model = blocks
    check.copy_parameters(model, block)
    x = size.normal(f"B T {width(size, heads)}")
    want = block_by_parts(model, x, config_of(reference, size, heads, eps=eps, rope_base=base)).detach()
    check.equal(block(x), want, f"the output for eps = {eps:g} and the base {base:g}", x=x)


@claim(step=3, size=MODEL, tie=["by default", True, False], examples=4)
def test_tied_weights_are_one(kata, size, tie):
    """With tie_weights, as by default, `tok_emb` and `lm_head` share one weight, and without it they do not."""
    options = {} if tie == "by default" else {"tie_weights": tie}
    model = kata.Llama(config_of(kata, size, (3, 1), **options))
    check.instance(model, torch.nn.Module, "Llama(config)")
    table, head = check.parameter(model, "tok_emb.weight"), check.parameter(model, "lm_head.weight")
    check.tensor(head, table.shape, table.dtype, "the weight of `lm_head`")
    alike, count = torch.equal(table, head), sum(one is table or one is head for one in model.parameters())
    with torch.no_grad():
        table.fill_(0.5)
        head.fill_(0.25)
    got = {"alike": alike, "parameters": count, "table once the head is 0.25": table[0, 0].item()}
    want = dict(zip(got, (True, 1, 0.25) if tie else (False, 2, 0.5), strict=True))
    check.equal(got, want, "the relation of `tok_emb` and `lm_head`", **options)


@claim(step=3, size=MODEL, heads=groups, tie=[True, False])
def test_parts_have_parameters_of_their_own(kata, reference, size, heads, tie):
    """The model has `tok_emb`, num_layers `blocks`, `final_norm` and `lm_head`, each with its own parameters."""
    model, twin = (llama(code, size, heads, tie_weights=tie) for code in (kata, reference))
    check.equal(len(list(model.blocks)), size.L, "the number of blocks")
    got, want = (sum(parameter.numel() for parameter in one.parameters()) for one in (model, twin))
    check.equal(got, want, "the number of parameters", tie_weights=tie)
    check.copy_parameters(twin, model)


@claim(step=3, size=MODEL, heads=groups, tie=[True, False], eps=epsilons, base=bases, mode=[True, False], double=True)
def test_logits_come_from_all_parts_in_order(kata, reference, size, heads, tie, eps, base, mode):
    """The logits are lm_head(final_norm(…)) of the embedding after every block in turn, for each position, also of a
    text as long as the context; `eps` and `rope_base` of the config hold in every layer."""
    options = {"eps": eps, "rope_base": base, "context_length": size.T}
    model, twin = twins(kata, reference, size, heads, tie_weights=tie, **options)
    ids = size.ids("B T", size.V)
    want = logits_by_parts(twin, ids, config_of(reference, size, heads, **options)).detach()
    check.equal(model.train(mode)(ids), want, f"the output for eps = {eps:g} and the base {base:g}", ids=ids)


@claim(step=3, size=MODEL, heads=[(6, 2), (3, 1)], double=True, examples=3)
def test_no_later_token_changes_earlier_logits(kata, size, heads):
    """Another last token changes none of the logits before it, and neither does cutting it off."""
    model, ids = llama(kata, size, heads), size.ids("B 6", size.V)
    changed = torch.cat([ids[:, :-1], (ids[:, -1:] + 1) % size.V], dim=1)
    before = model(ids)
    check.tensor(before, size.shape("B 6 V"), None, "the output")
    for what, other in (("after the change", changed), ("without the last token", ids[:, :-1])):
        after = model(other)
        check.tensor(after, (*other.shape, size.V), None, f"the output {what}")
        check.equal(after[:, :5], before[:, :5], f"the part before the last logits, {what}", ids=ids)


@claim(
    step=3,
    size=MODEL,
    heads=[(6, 2), (3, 1)],
    tie=[True, False],
    double=True,
    examples=3,
    without={"gradients": "it is about them"},
)
def test_gradient_reaches_every_part(kata, reference, size, heads, tie):
    """The gradient of the logits reaches every weight: embedding, norms, blocks and head, the tied one at both ends."""
    model, twin = twins(kata, reference, size, heads, tie_weights=tie, num_layers=2)
    ids, probe = size.ids("B T", size.V), size.normal("B T V")
    names = [name for name, _ in twin.named_parameters()][::-1]  # where gradients come from, first
    output = model(ids)
    check.tensor(output, probe.shape, None, "the output")
    got = gradients(output.to(probe.dtype), probe, model, names)
    want = gradients(logits_by_parts(twin, ids, config_of(reference, size, heads)), probe, twin, names)
    for name, one, other in zip(names, got, want):
        check.equal(one, other, f"the gradient of `{name}`", tolerance=1e-4, ids=ids)


# --- Step 4: real weights --------------------------------------------------------------------------------------


PUBLISHED = {
    "norm1": "input_layernorm",
    "attention.W_query": "self_attn.q_proj",
    "attention.W_key": "self_attn.k_proj",
    "attention.W_value": "self_attn.v_proj",
    "attention.out_proj": "self_attn.o_proj",
    "norm2": "post_attention_layernorm",
    "feed_forward.gate": "mlp.gate_proj",
    "feed_forward.up": "mlp.up_proj",
    "feed_forward.down": "mlp.down_proj",
}


def names_of(layers, tie):
    """What each published weight is called here: matrices of the blocks, their norms, then the rest."""
    names = {}
    for norms in (False, True):
        for number in range(layers):
            for ours, theirs in PUBLISHED.items():
                if norms == ours.startswith("norm"):
                    names[f"model.layers.{number}.{theirs}.weight"] = f"blocks.{number}.{ours}.weight"
    names |= {"model.embed_tokens.weight": "tok_emb.weight", "model.norm.weight": "final_norm.weight"}
    return names | ({} if tie else {"lm_head.weight": "lm_head.weight"})


def weights_for(reference, size, heads, layers, tie):
    """The weights of a published Llama with random numbers, by their published names."""
    twin = llama(reference, size, heads, num_layers=layers, tie_weights=tie)
    names = names_of(layers, tie)
    return {theirs: check.parameter(twin, ours).detach().clone() for theirs, ours in names.items()}


@claim(
    step=4,
    size=MODEL,
    heads=[(6, 2), (3, 1)],
    layers=[2, 11],
    order=["as published", "by name"],
    tie=[True, False],
    examples=4,
)
def test_every_weight_goes_to_its_layer(kata, reference, size, heads, layers, order, tie):
    """Each weight goes where its published name says, in whatever order they come, and all logits follow."""
    model = llama(kata, size, heads, num_layers=layers, tie_weights=tie)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    weights = weights_for(reference, size, heads, layers, tie)
    names = names_of(layers, tie)
    kata.load_llama(model, dict(sorted(weights.items())) if order == "by name" else weights)
    for theirs, ours in names.items():
        check.equal(check.parameter(model, ours), weights[theirs], f"`{ours}`, which is published as {theirs},")


@claim(step=4, size=MODEL, heads=shared, extra=[False, True], examples=4)
def test_a_tied_head_stays_tied(kata, reference, size, heads, extra):
    """After the weights are in, a tied `lm_head` still shares its weight with `tok_emb`, also where it was published
    as well."""
    model, weights = llama(kata, size, heads), weights_for(reference, size, heads, size.L, tie=True)
    if extra:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    kata.load_llama(model, weights)
    table, head = check.parameter(model, "tok_emb.weight"), check.parameter(model, "lm_head.weight")
    check.equal(table, weights["model.embed_tokens.weight"], "`tok_emb.weight`")
    check.equal(head, table, "`lm_head.weight`")
    with torch.no_grad():
        table.fill_(0.5)
        head.fill_(0.25)
    check.equal(table[0, 0].item(), 0.25, "an entry of `tok_emb`, once all of `lm_head` are 0.25,")


@claim(step=4, size=MODEL, heads=[(6, 2), (3, 1)], examples=2, double=True)
def test_a_loaded_model_computes_with_its_weights(kata, reference, size, heads):
    """What was loaded is what the model computes with, also where it has computed before, and it can be trained on."""
    model, ids = llama(kata, size, heads), size.ids("B T", size.V)
    model(ids)
    weights = weights_for(reference, size, heads, size.L, tie=True)
    kata.load_llama(model, weights)
    twin = llama(reference, size, heads)
    want = logits_by_parts(twin, ids, config_of(reference, size, heads)).detach()
    check.equal(model(ids), want, "the output after loading", ids=ids)
    frozen = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    check.equal(frozen, [], "the list of parameters that are no longer trained")


MISSING = ["self_attn.k_proj", "mlp.up_proj", "post_attention_layernorm", "input_layernorm"]


@claim(step=4, size=MODEL, heads=shared, missing=MISSING, examples=4)
def test_a_missing_weight_is_an_error(kata, reference, size, heads, missing):
    """A weight that is missing is an error that names it, and not silently left as it was."""
    model, weights = llama(kata, size, heads), weights_for(reference, size, heads, size.L, tie=True)
    name = f"model.layers.{size.L - 1}.{missing}.weight"
    del weights[name]
    call = lambda: kata.load_llama(model, weights)  # noqa: E731
    words = (name, names_of(size.L, True)[name])
    check.raises(Exception, call, mentions=(words,), what=f"load_llama without {missing}")


SHAPES = [
    ("a transposed k_proj", "model.layers.0.self_attn.k_proj", lambda weight: weight.T.contiguous()),
    ("half an up_proj", "model.layers.0.mlp.up_proj", lambda weight: weight[: len(weight) // 2]),
    ("a longer norm", "model.norm", lambda weight: torch.cat([weight, weight[:1]])),
    ("two more words", "model.embed_tokens", lambda weight: torch.cat([weight, weight[:2]])),
]


@claim(step=4, size=MODEL, heads=[(6, 2), (3, 1)], fault=range(len(SHAPES)), examples=4)
def test_a_weight_of_another_shape_is_an_error(kata, reference, size, heads, fault):
    """A weight of another shape is an error: a transposed one, a shorter or a longer one."""
    model, weights = llama(kata, size, heads), weights_for(reference, size, heads, size.L, tie=True)
    what, name, change = SHAPES[fault]
    weights[f"{name}.weight"] = change(weights[f"{name}.weight"])
    check.raises(Exception, lambda: kata.load_llama(model, weights), what=f"load_llama with {what}")


@claim(step=4, size=MODEL, heads=[(6, 2), (3, 1)], tie=[True, False], examples=2)
def test_weights_are_copied(kata, reference, size, heads, tie):
    """The weights go into several models: one that is trained on changes neither them nor the others."""
    weights = weights_for(reference, size, heads, size.L, tie)
    before = {name: values.clone() for name, values in weights.items()}
    model = llama(kata, size, heads, tie_weights=tie)
    kata.load_llama(model, weights)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    for name, values in before.items():
        check.exactly(weights[name], values, f"{name} among the weights, after the model has changed")


@claim(step=4, size=sizes("n D", n=(2, 4)), heads=[3, 2, 1])
def test_pairs_side_by_side_become_halves(kata, size, heads):
    """In each head rows 2i and 2i + 1 become rows i and i + d/2."""
    weight, n = size.normal(f"{heads}*2*n D"), size.n
    rows = [head * 2 * n + 2 * i + half for head in range(heads) for half in (0, 1) for i in range(n)]
    check.exactly(kata.unpermute(weight, heads), weight[rows], f"unpermute(weight, {heads})", weight=weight)


@claim(step=4, size=sizes("n D T", n=(2, 4)), heads=[3, 2, 1], double=True)
def test_scores_are_the_same_in_both_conventions(kata, size, heads):
    """Queries and keys of unpermuted projections, turned by halves, give the scores that the ones before gave, turned
    side by side."""
    x, two = size.normal("T D"), [size.normal(f"{heads}*2*n D", salt=salt) for salt in ("query", "key")]
    split = [(x @ weight.T).unflatten(-1, (heads, -1)).transpose(0, 1) for weight in two]
    want = turned_side_by_side(split[0]) @ turned_side_by_side(split[1]).mT
    halves = []
    for weight in two:
        ours = kata.unpermute(weight, heads)
        check.tensor(ours, weight.shape, weight.dtype, f"unpermute(weight, {heads})")
        halves.append(turned((x @ ours.T).unflatten(-1, (heads, -1)).transpose(0, 1), 10_000.0))
    check.equal(halves[0] @ halves[1].mT, want, "the matrix of scores")


# --- What the laws share ---------------------------------------------------------------------------------------


class _Devices(OperationMode):
    """Sees whether a tensor on the CPU meets one on the device meta; a single number may."""

    def __init__(self):
        super().__init__()
        self.mixed, self.here = "", ()

    def check(self):
        if self.mixed:
            problem = "a tensor on the CPU meets one on the device of x"
            sides = sorted(side for side in self.here if side > 1)  # which table it is, whatever its outer dimensions
            raise check.Mismatch(problem, f"in `{self.mixed}`", "all on the device of x", alike=sides)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        name = func.overloadpacket.__name__
        meet = any(one.is_meta for one in tensors) and any(one.ndim and not one.is_meta for one in tensors)
        if meet and name not in ("_to_copy", "copy_") and not self.mixed:
            self.mixed = name
            self.here = next(one.shape for one in tensors if one.ndim and not one.is_meta)
        return func(*args, **(kwargs or {}))
