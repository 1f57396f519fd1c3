"""k16 rotary positions: what must be true of them."""

import math

import torch

from dojo.spec import FUSED_ATTENTION, OperationMode, ban, check, claim, oracle, randomise, sizes, tree_leaves

BANS = [ban(*FUSED_ATTENTION, why="it is the fused form of the attention that you build here.")]

# A head has n pairs of channels, so d = 2·n.
PAIRS, HEADS = "n T", "n h B T d_in"
RANGES = {"n": (2, 4), "T": (2, 7)}
ANY_T = {"n": (2, 4), "T": (1, 7)}
bases = [100.0, 2.5]
leading = ["B h", "B", ""]
places = [100, 100_000]  # positions are below
PROJECTIONS = ("W_query", "W_key", "W_value")
LAYERS = (*PROJECTIONS, "out_proj")
LEARNERS = (*(f"{name}.{part}" for name in LAYERS for part in ("weight", "bias")), "x")  # what gradients must reach


# --- Oracles: the slow, obvious form ---------------------------------------------------------------------------


def angles_one_by_one(positions, head_dim, base=10000.0):
    return torch.tensor([[p * base ** (-2 * i / head_dim) for i in range(head_dim // 2)] for p in positions.tolist()])


@oracle
def turned_as_complex_numbers(x, angles):
    """Each pair of channels is one complex number, times e^(i·angle)."""
    first, second = x.chunk(2, dim=-1)
    turned = torch.complex(first, second) * torch.complex(angles.cos(), angles.sin())
    return torch.cat([turned.real, turned.imag], dim=-1)


@oracle
def rotary_attention_by_pairs(model, x, heads, base=10000.0):
    query, key, value = (torch.stack(getattr(model, name)(x).chunk(heads, -1), 1) for name in PROJECTIONS)
    angles = angles_one_by_one(torch.arange(x.shape[1]), query.shape[-1], base)
    query, key = turned_as_complex_numbers(query, angles), turned_as_complex_numbers(key, angles)
    products = (query[:, :, :, None] * key[:, :, None]).sum(-1) / key.shape[-1] ** 0.5  # (B, h, T, T)
    seen = torch.arange(x.shape[1])[:, None] >= torch.arange(x.shape[1])
    weights = torch.softmax(products.where(seen, -torch.inf), -1)
    return model.out_proj((weights[..., None] * value[:, :, None]).sum(3).transpose(1, 2).flatten(2))


def attention(kata, size, *more, **options):
    """The module under test, with parameters that no default start hides."""
    module = kata.RotaryAttention(size.d_in, size.h * 2 * size.n, size.h, *more, **options)
    check.instance(module, torch.nn.Module, "RotaryAttention(…)")
    randomise(module, size)
    return module


def beside(reference, kata, size, **options):
    """The module under test, and the reference's with the same parameters."""
    module, model = (attention(code, size, **options) for code in (kata, reference))
    check.copy_parameters(model, module)
    return module, model


# --- Step 1: the angles ----------------------------------------------------------------------------------------


@claim(step=1, size=sizes(PAIRS, **ANY_T), base=bases, below=places, examples=8)
def test_angle_is_the_position_times_the_frequency_of_the_pair(kata, size, base, below):
    """The angle of pair i at position p is p · base^(−2i / head_dim), whatever the positions; base is 10,000 unless
    told otherwise."""
    width, positions = 2 * size.n, size.ids("T", below)
    others = positions + 1 + size.ids("T", below, salt="others")
    two = [kata.rotary_angles(these, width, base) for these in (positions, others)]
    for_each_its_own(two, (size.T, size.n), "the answer for these positions")
    for these, got, more in (*zip((positions, others), two, ((base,), (base,))), (positions, None, ())):
        want = angles_one_by_one(these, width, *more)
        got = kata.rotary_angles(these, width) if got is None else got
        what = f"rotary_angles(positions, {', '.join(f'{one:g}' for one in (width, *more))})"
        check.equal(got, want, what, tolerance=5e-6, positions=these)
    order = exchanged(others)
    two = [kata.rotary_angles(these, width, base) for these in (others, order)]
    for_each_its_own(
        two, (size.T, size.n), "the answer for these positions in another order", torch.equal(others, order)
    )
    check.equal(two[1], angles_one_by_one(order, width, base), "the angles in another order", tolerance=5e-6)


def exchanged(positions):
    """The same positions in another order: with the same number, sum and ends, from four on."""
    order = list(range(len(positions)))
    order[1:-1] = reversed(order[1:-1])
    return positions[order if len(order) > 3 else order[::-1]]


@claim(step=1, size=sizes("n T", n=(1, 1), T=(2, 7)), base=bases, examples=2)
def test_two_channels_are_one_pair(kata, size, base):
    """The smallest head has two channels: one pair, which turns by one radian a position, whatever the base."""
    positions = size.ids("T", 100)
    want = positions[:, None].to(torch.get_default_dtype())
    check.equal(kata.rotary_angles(positions, 2, base), want, f"rotary_angles(positions, 2, {base:g})")


@claim(step=1, size=sizes(PAIRS, **ANY_T), base=bases, double=True, examples=2)
def test_angles_have_the_default_dtype(kata, size, base):
    """Angles have the default dtype: where someone has set float64, they are float64, with all its digits."""
    positions, width, what = size.ids("T", 100), 2 * size.n, f"rotary_angles(positions, {2 * size.n}, base={base:g})"
    kata.rotary_angles(positions=positions, head_dim=width, base=base)
    before = torch.get_default_dtype()
    try:
        for dtype in (torch.float32, torch.float64):  # the same positions under another default have other angles
            torch.set_default_dtype(dtype)
            got = kata.rotary_angles(positions=positions, head_dim=width, base=base)
            has_the_default_dtype(got, (size.T, size.n), what)
        want = angles_one_by_one(positions, width, base)
        check.equal(got, want, what, tolerance=1e-6, positions=positions)
    finally:
        torch.set_default_dtype(before)  # else it would be said that the code under test left it so


@claim(step=1, size=sizes(PAIRS, **ANY_T), examples=1)
def test_angles_are_on_the_device_of_the_positions(kata, size):
    """Angles are made on the device of the positions."""
    devices, got = _Devices(), None
    with devices:
        got = or_error(lambda: kata.rotary_angles(torch.arange(size.T, device="meta"), 2 * size.n))
    devices.check("the positions")
    if isinstance(got, Exception):  # as in step 3, the code looks at values
        return
    check.tensor(got, (size.T, size.n), torch.get_default_dtype(), "the angles of positions on another device")
    check.equal(got.device.type, "meta", "the device of the angles, for positions on the device meta")


@claim(step=1, odd=[5, 1, 17], examples=3)
def test_odd_width_is_refused(kata, odd):
    """An odd head_dim has a channel left over: there is a ValueError that shows the number."""
    call = lambda: kata.rotary_angles(torch.arange(3), odd)
    check.raises(ValueError, call, mentions=(odd,), what=f"rotary_angles(positions, {odd})")


# --- Step 2: the rotation --------------------------------------------------------------------------------------


@claim(step=2, size=sizes("n h T B", **RANGES), lead=leading, examples=8)
def test_angle_of_zero_changes_nothing(kata, size, lead):
    """Where the cosine is 1 and the sine is 0, as at position 0, x stays as it is."""
    x, cos = size.normal(f"{lead} T 2*n"), torch.ones(size.T, size.n)
    check.equal(kata.apply_rotary(x, cos, torch.zeros_like(cos)), x, "apply_rotary(x, cos=1, sin=0)", x=x)


@claim(step=2, size=sizes(PAIRS, **RANGES), double=True, examples=8)
def test_every_vector_keeps_its_length(kata, size):
    """A turned vector is as long as before."""
    x, angles = size.normal("T 2*n"), some_angles(size)
    got = kata.apply_rotary(x, angles.cos(), angles.sin())
    check.tensor(got, x.shape, x.dtype, "apply_rotary(x, cos, sin)")
    check.equal(got.norm(dim=-1), x.norm(dim=-1), "the length of each token's vector after the rotation", x=x)


@claim(step=2, size=sizes(PAIRS, **RANGES), shift=[1, 50], double=True, examples=8)
def test_scores_depend_on_the_distance_only(kata, size, shift):
    """The score of a turned query with a turned key stays when both positions move by the same amount."""
    query, key = size.normal("T 2*n"), size.normal("T 2*n", salt="key")
    scores = []
    for start in (0, shift):
        angles = angles_one_by_one(torch.arange(start, start + size.T), 2 * size.n)
        one, other = (kata.apply_rotary(x, angles.cos(), angles.sin()) for x in (query, key))
        check.tensor(one, query.shape, query.dtype, "apply_rotary(query, cos, sin)")
        check.tensor(other, key.shape, key.dtype, "apply_rotary(key, cos, sin)")
        scores.append(one @ other.mT)
    here, there = scores
    check.equal(there, here, f"the matrix of scores, all positions moved by {shift},", query=query, key=key)


@claim(step=2, size=sizes("n h T B", n=(1, 4), T=(1, 7)), lead=leading, double=True, examples=8)
def test_rotation_multiplies_complex_numbers(kata, size, lead):
    """Channels i and i + d/2 are one complex number, and the rotation multiplies it by e^(i·angle)."""
    x, angles = size.normal(f"{lead} T 2*n"), some_angles(size)
    two = [kata.apply_rotary(x=one, cos=angles.cos(), sin=angles.sin()) for one in (x, 2 * x)]
    for_each_its_own(two, x.shape, "the answer for an x of this shape")
    want, exact = turned_as_complex_numbers(x, angles), 1e-10 if x.dtype is torch.float64 else None
    check.equal(two[0], want, "apply_rotary(x, cos, sin)", tolerance=exact, x=x, angles=angles)


@claim(step=2, size=sizes("n h T B", B=(2, 5), **RANGES), examples=8)
def test_rotation_takes_what_split_heads_gives(kata, size):
    """However x and the tables lie in memory, such as heads that were split off and every second row of a table."""
    x = size.normal("B T h*2*n").unflatten(-1, (size.h, 2 * size.n)).transpose(1, 2)  # (B, h, T, d)
    angles = angles_one_by_one(size.ids("T*2", 100), 2 * size.n, base=100.0)
    cos, sin = angles.cos()[::2], angles.sin()[::2]
    got, want = kata.apply_rotary(x, cos, sin), turned_as_complex_numbers(x, angles[::2])
    check.equal(got, want, "apply_rotary(x, cos, sin)", x=x, angles=angles[::2])


@claim(step=2, size=sizes(f"{PAIRS} B", **RANGES), dtype=[torch.bfloat16, torch.float64, torch.float16], examples=8)
def test_result_has_the_dtype_of_x(kata, size, dtype):
    """The result has the dtype of x, also where the tables have another, and in double no digit is lost."""
    x, angles = size.normal("B T 2*n").to(dtype), some_angles(size)
    cos, sin = angles.cos().float(), angles.sin().float()
    first, second = x.double().chunk(2, dim=-1)
    want = torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
    got = kata.apply_rotary(x, cos, sin)
    check.tensor(got, x.shape, None, "apply_rotary(x, cos, sin)")
    check.equal(str(got.dtype), str(dtype), "the dtype of the result, for float32 tables,")
    exact = 1e-10 if dtype is torch.float64 else 5e-2
    check.equal(got.double(), want, "apply_rotary(x, cos, sin)", tolerance=exact)


@claim(step=2, size=sizes("n h T B", **RANGES), double=True, examples=8)
def test_gradient_is_turned_back(kata, size):
    """The gradient that comes back through the rotation is turned the other way."""
    x, angles, probe = size.normal("B h T 2*n").requires_grad_(), some_angles(size), size.normal("B h T 2*n", salt="p")
    got = kata.apply_rotary(x, angles.cos(), angles.sin())
    check.tensor(got, x.shape, x.dtype, "apply_rotary(x, cos, sin)")
    passes_gradients(got)
    (gradient,) = torch.autograd.grad((got * probe).sum(), x)
    check.equal(gradient, turned_as_complex_numbers(probe, -angles), "the gradient of x")


# --- Step 3: attention -----------------------------------------------------------------------------------------


@claim(step=3, size=sizes(HEADS, **RANGES), bias=[False, True], examples=3)
def test_layers_are_those_of_multi_head_attention(kata, size, bias):
    """W_query, W_key and W_value are linear layers from d_in to d_out, with a bias if qkv_bias; out_proj has one."""
    module, width = attention(kata, size, 100.0, bias), size.h * 2 * size.n
    for name in LAYERS:
        into, biased = (width, True) if name == "out_proj" else (size.d_in, bias)
        check.tensor(check.parameter(module, f"{name}.weight"), (width, into), None, f"`{name}.weight`")
        check.instance(getattr(module, name), torch.nn.Linear, f"`{name}`")
        check.equal(getattr(module, name).bias is not None, biased, f"the presence of a bias in `{name}`")
    want = 3 * (size.d_in + bias) * width + (width + 1) * width
    check.equal(sum(one.numel() for one in module.parameters()), want, "the number of parameters")
    plain = attention(kata, size)
    for name in PROJECTIONS:
        biased = getattr(plain, name).bias is not None
        check.equal(biased, False, f"the presence of a bias in `{name}`, where nobody asked for one,")


@claim(step=3, size=sizes(HEADS, **RANGES), examples=1)
def test_module_keeps_no_buffer(kata, size):
    """There is no buffer: angles and mask are made for the tokens that came; a checkpoint holds the layers alone."""
    module = attention(kata, size)
    module(size.normal("B T d_in"))
    check.equal(sorted(name for name, _ in module.named_buffers()), [], "the list of the module's buffers")


@claim(step=3, size=sizes(HEADS, **RANGES), double=True, examples=3)
def test_values_are_not_turned(kata, reference, size):
    """With a W_query of 0 all weights of a row are equal, and the context is the mean of the values that are seen."""
    module, model = beside(reference, kata, size)
    with torch.no_grad():
        for one in (module, model):
            check.parameter(one, "W_query.weight").zero_()
    x = size.normal("B T d_in")
    seen = torch.arange(1, size.T + 1)[:, None]
    want = model.out_proj(model.W_value(x).cumsum(1) / seen)
    check.equal(module(x.clone()), want, "the output", x=x)


@claim(step=3, size=sizes(HEADS, **RANGES), base=[None, *bases], bias=[False, True], double=True, examples=6)
def test_output_is_attention_over_turned_queries_and_keys(kata, reference, size, base, bias):
    """In each head the scores are those of turned queries and keys, divided by √d; the rest is as in k06."""
    options, asked = ({"base": base}, f" with base = {base:g}") if base else ({}, "")
    module, model = beside(reference, kata, size, qkv_bias=bias, **options)
    x = size.normal("B T d_in")
    check.equal(module(x), rotary_attention_by_pairs(model, x, size.h, **options), f"the output{asked}", x=x)


@claim(step=3, size=sizes(HEADS, **RANGES), mode=[True, False], examples=2)
def test_each_text_is_read_anew(kata, reference, size, mode):
    """Texts of other lengths and batches of other sizes may follow one another, in either mode, with gradients or
    without."""
    module, model = beside(reference, kata, size)
    module.train(mode)
    for number, (B, T) in enumerate(((1, size.T), (size.B, size.T + 3), (size.B, size.T + 3))):
        x = size.normal(f"{B} {T} d_in", salt=str(number))
        want = rotary_attention_by_pairs(model, x, size.h)
        with torch.set_grad_enabled(mode):
            got = module(x)
        check.equal(got, want, f"the output for {B} × {T} tokens", x=x)


@claim(step=3, size=sizes("n h B d_in", n=(2, 4), h=(1, 1)), mode=[False, True], double=True, examples=2)
def test_one_head_and_one_token_will_do(kata, reference, size, mode):
    """A single head works, so does a single token, in training and in eval mode alike."""
    module, model = beside(reference, kata, size)
    for tokens in (1, 12):
        x = size.normal(f"B {tokens} d_in")
        want = rotary_attention_by_pairs(model, x, 1)
        check.equal(module.train(mode)(x.clone()), want, f"the output of one head for {tokens} tokens", x=x)


@claim(step=3, size=sizes(HEADS, **RANGES), double=True, examples=3)
def test_later_tokens_change_no_earlier_output(kata, size):
    """The outputs of the first tokens are the same when all later ones are 1,000 times as large, or gone."""
    module, x = attention(kata, size), size.normal("B 9 d_in", scale=0.3)
    whole, changed = module(x), torch.cat([x[:, : size.T], 1000 * x[:, size.T :]], dim=1)
    check.tensor(whole, size.shape("B 9 h*2*n"), x.dtype, "the output for 9 tokens")
    for what, other in (("with later tokens 1,000 times as large", changed), ("alone", x[:, : size.T])):
        got = module(other)
        check.tensor(got, (*other.shape[:2], whole.shape[-1]), x.dtype, f"the output, {what},")
        check.equal(got[:, : size.T], whole[:, : size.T], f"the output of the first {size.T} tokens, {what},", x=x)


@claim(step=3, size=sizes(HEADS, **RANGES), double=True, examples=2)
def test_first_token_sees_itself_alone_whatever_its_score(kata, reference, size):
    """The first output is the first token's own value, also where its score is far below −100,000."""
    module, model = beside(reference, kata, size)
    with torch.no_grad():
        for one in (module, model):
            key, query = check.parameter(one, "W_key.weight"), check.parameter(one, "W_query.weight")
            key.copy_(-1e6 * query)
    x = size.normal("B T d_in") + 1
    want = model.out_proj(model.W_value(x[:, :1]))
    got = module(x.clone())
    check.tensor(got, size.shape("B T h*2*n"), x.dtype, "the output")
    check.equal(got[:, :1], want, "the first output", x=x)


@claim(step=3, size=sizes(HEADS, **RANGES), double=True, examples=3)
def test_training_reaches_every_layer(kata, reference, size):
    """Gradients of the output reach every layer, and x by way of queries, keys and values."""
    module, model = beside(reference, kata, size, qkv_bias=True)
    for name, got, want in zip(LEARNERS, gradients(module, size), gradients(model, size)):
        check.equal(got, want, f"the gradient of `{name}`", tolerance=1e-4)


@claim(step=3, size=sizes(HEADS, **RANGES), examples=1, costly=True)
def test_what_forward_makes_is_on_the_device_of_x(kata, size):
    """What forward makes, positions and mask, it makes on the device of x: it runs on a GPU as on a CPU."""
    devices, got = _Devices(), None
    with devices:
        got = on_meta(attention(kata, size), size.normal("B T d_in"))
    devices.check("x")
    if isinstance(got, Exception):  # the code looks at values, which a meta tensor does not have, and that is no fault
        return
    check.tensor(got, size.shape("B T h*2*n"), torch.get_default_dtype(), "the output on another device")
    check.equal(got.device.type, "meta", "the device of the output, for x on the device meta")


@claim(step=3, size=sizes("n h d_in", n=(2, 4)), examples=1, seconds=30.0, costly=True)
def test_no_sequence_is_too_long(kata, size):
    """There is no longest sequence: 2,100 tokens are taken as 10 are."""
    module = attention(kata, size)
    with torch.device("meta"):  # shapes without numbers, since 2,100 × 2,100 scores take their time
        few, many = (on_meta(module, torch.empty(1, tokens, size.d_in)) for tokens in (10, 2_100))
    if isinstance(few, Exception):  # as above, so with numbers after all
        many = attention(kata, size)(size.normal("1 2100 d_in"))
    if isinstance(many, Exception):
        raise check.Mismatch("10 tokens are taken, but not 2,100", str(many), alike="") from many
    check.tensor(many, size.shape("1 2100 h*2*n"), torch.get_default_dtype(), "the output for 2,100 tokens")


@claim(step=3, size=sizes("n h d_in", n=(2, 4)), examples=1, seconds=30.0, costly=True)
def test_far_positions_count_on(kata, reference, size):
    """Positions go on to the end of a long text: those far behind are turned like all others, each by its own angle."""
    module, model = beside(reference, kata, size)
    x = size.normal("1 270 d_in")
    with torch.no_grad():
        check.equal(module(x)[:, 200:], model(x)[:, 200:], "the output for tokens 200 to 269", tolerance=1e-3)


# --- Step 4: ALiBi ---------------------------------------------------------------------------------------------


@claim(step=4, heads=[4, 1, 2, 8, 16], examples=5)
def test_slopes_are_a_geometric_row(kata, heads):
    """The slope of head i is 2^(−8 (i + 1) / num_heads): each head's is the one before, times the first."""
    want = torch.tensor([2 ** (-8 * (i + 1) / heads) for i in range(heads)])
    check.equal(kata.alibi_slopes(heads), want, f"alibi_slopes({heads})", tolerance=1e-6)


def biases_one_by_one(heads, tokens):
    slopes = [2 ** (-8 * (head + 1) / heads) for head in range(heads)]
    every = range(tokens)
    return torch.tensor(
        [[[-slope * (i - j) if j <= i else -math.inf for j in every] for i in every] for slope in slopes]
    )


@claim(step=4, heads=[2, 4, 8], tokens=[1, 2, 3, 6], examples=8)
def test_bias_falls_with_the_distance(kata, heads, tokens):
    """The bias of query i with key j is −slope · (i − j) in each head, and −∞ where the key comes later."""
    two = [kata.alibi_bias(count, tokens) for count in (heads, 2 * heads)]
    for_each_its_own(two, None, f"the answer for {tokens} tokens")
    for count, got in zip((heads, 2 * heads), two):
        check.equal(got, biases_one_by_one(count, tokens), f"alibi_bias({count}, {tokens})", tolerance=1e-6)


@claim(step=4, heads=[2, 8], tokens=[3, 5], double=True, examples=2)
def test_slopes_and_bias_have_the_default_dtype(kata, heads, tokens):
    """Slopes and bias have the default dtype: where someone has set float64, they are float64."""
    slopes, bias = kata.alibi_slopes(num_heads=heads), kata.alibi_bias(num_heads=heads, tokens=tokens)
    has_the_default_dtype(slopes, (heads,), f"alibi_slopes({heads})")
    has_the_default_dtype(bias, (heads, tokens, tokens), f"alibi_bias({heads}, {tokens})")
    check.equal(bias, biases_one_by_one(heads, tokens), f"alibi_bias({heads}, {tokens})", tolerance=1e-6)


# --- What the laws share ---------------------------------------------------------------------------------------


def some_angles(size, salt=""):
    return angles_one_by_one(size.ids("T", 100, salt=salt), 2 * size.n, base=100.0)


def for_each_its_own(answers, shape, what, alike=False):
    """Demand that two questions, unless they are `alike`, have two answers.

    Which of them was kept depends on earlier calls, so it is no evidence.
    """
    for got in answers:
        check.instance(got, torch.Tensor, what) if shape is None else check.tensor(got, shape, None, what)
    if not alike and torch.equal(*answers) and answers[0].any():
        raise check.Mismatch(f"{what} is the same for two different questions", answers[1], alike="kept")


def has_the_default_dtype(got, shape, what):
    check.tensor(got, shape, None, what)
    check.equal(str(got.dtype), str(torch.get_default_dtype()), f"the dtype of {what}")


def on_meta(module, x):
    """What the module gives on the device meta, which holds shapes without numbers, or the error that it raises."""
    return or_error(lambda: module.to("meta")(x.to("meta")))


def or_error(call):
    """What the call gives, or the error that it raises."""
    try:
        return call()
    except Exception as error:
        if isinstance(error, NotImplementedError) and str(error).startswith("step "):
            raise
        return error


def passes_gradients(output):
    if not output.requires_grad:
        raise check.Mismatch("no gradient passes: the result is cut off from what it was made of", output)


def gradients(module, size):
    """The gradient of each of LEARNERS, in their order."""
    x, probe = size.normal("B T d_in", scale=0.3).requires_grad_(), size.normal("B T h*2*n", salt="probe")
    output = module(x)
    check.tensor(output, probe.shape, x.dtype, "the output")
    passes_gradients(output)
    inputs = [x if name == "x" else check.parameter(module, name) for name in LEARNERS]
    found = torch.autograd.grad((output * probe).sum(), inputs, allow_unused=True)
    for name, gradient in zip(LEARNERS, found):
        if gradient is None:
            raise check.Mismatch(f"no gradient reaches `{name}`", output)
    return found


class _Devices(OperationMode):
    """Sees whether a tensor on the CPU meets one on the device meta; a single number may."""

    def __init__(self):
        super().__init__()
        self.mixed, self.here = "", ()

    def check(self, whose):
        if self.mixed:
            problem = f"a tensor on the CPU meets one on the device of {whose}"
            sides = sorted(side for side in self.here if side > 1)  # which table it is, whatever its outer dimensions
            raise check.Mismatch(problem, f"in `{self.mixed}`", f"all on the device of {whose}", alike=sides)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        name = func.overloadpacket.__name__
        meet = any(one.is_meta for one in tensors) and any(one.ndim and not one.is_meta for one in tensors)
        if meet and name not in ("_to_copy", "copy_") and not self.mixed:
            self.mixed = name
            self.here = next(one.shape for one in tensors if one.ndim and not one.is_meta)
        return func(*args, **(kwargs or {}))
