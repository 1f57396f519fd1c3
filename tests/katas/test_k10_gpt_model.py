"""k10 GPT model: what must be true of it."""

import math
import re
from contextlib import contextmanager

import torch
from hypothesis import strategies as st
from torch.overrides import TorchFunctionMode

from dojo.spec import check, claim, randomise, sizes

BANS = []
MODEL = "L h d B T V"
rooms = [2, 0]  # how many tokens fewer than the context length
RESIDUAL = ("attention.out_proj", "feed_forward.down")  # the layers of a block that write to the stream
DRAWN = ("attention.W_query", "attention.W_key", "attention.W_value", "feed_forward.up")
TWINS = {}  # the reference's models, by what they were made for
PRESETS = {
    "GPT2_SMALL": (50257, 1024, 768, 12, 12),
    "SHAKESPEARE_CPU": (65, 64, 128, 4, 4),
    "TINY": (32, 16, 32, 2, 2),
}


def models(**ranges):
    """Sizes of small models: L blocks of h heads of d channels, B texts of T tokens, V words."""
    return sizes(MODEL, **{"L": (1, 3), "h": (2, 3), "B": (1, 5), "T": (1, 6), "V": (7, 12), **ranges})


# --- Oracle: the slow, obvious form ----------------------------------------------------------------------------


def logits_by_parts(model, ids):
    """The written-out formula, on the parts of the reference."""
    embedding = model.embedding
    x = embedding.tok_emb.weight[ids] + embedding.pos_emb.weight[: ids.shape[1]]
    for block in model.blocks:
        x = block(x)
    return model.final_norm(x) @ model.lm_head.weight.T


# --- The code under test ---------------------------------------------------------------------------------------


def fresh(kata, vocab_size, context_length, emb_dim, num_heads, num_layers, **options):
    """The model under test with its first values, in eval mode; no dropout unless asked for."""
    config = kata.GPTConfig(
        vocab_size=vocab_size,
        context_length=context_length,
        emb_dim=emb_dim,
        num_heads=num_heads,
        num_layers=num_layers,
        **{"dropout": 0.0, **options},
    )
    model = kata.GPT(config)
    check.instance(model, torch.nn.Module, "GPT(config)")
    check.instance(getattr(model, "blocks", None), torch.nn.Module, "`blocks`")
    return model.eval()


def gpt(kata, size, room=0, scale=1.0, **options):
    """The model under test, with parameters that no default start hides."""
    model = fresh(kata, size.V, size.T + room, size.h * size.d, size.h, size.L, **options)
    randomise(model, size, scale)
    return model


def twin_of(reference, size, room=0, **options):
    """The reference's model, which nobody changes: it is made once, since that takes longer than asking it."""
    key = reference, repr(size), room, torch.get_default_dtype(), *sorted(options.items())
    if key not in TWINS:
        with torch.random.fork_rng(devices=[]):  # the same random numbers follow, made or not
            TWINS[key] = gpt(reference, size, room, **options)
    return TWINS[key]


def pair(kata, reference, size, room=0, **options):
    """The model under test and the reference's, with equal parameters."""
    model, twin = gpt(kata, size, room, **options), twin_of(reference, size, room, **options)
    check.copy_parameters(twin, model)
    return model, twin


def where_two_passes_part(model, ids):
    """The first part that does not get the same in a second pass, or "the output"; False where the passes are equal."""
    places = {"the first block": model.blocks[0], "final_norm": model.final_norm, "lm_head": model.lm_head}
    seen = {name: [] for name in places}
    hooks = [
        part.register_forward_pre_hook(lambda _, inputs, name=name: seen[name].append(inputs[0].detach().clone()))
        for name, part in places.items()
    ]
    try:
        outputs = model(ids), model(ids)
    finally:
        for hook in hooks:
            hook.remove()
    parted = [name for name, inputs in seen.items() if len(inputs) == 2 and not torch.equal(*inputs)]
    return False if torch.equal(*outputs) else (parted or ["the output"])[0]


@contextmanager
def silent(model, parts):
    """Have these parts add nothing meanwhile: "embedding", or the number of a block."""
    names = []
    for part in parts:
        tables = ("embedding.tok_emb.weight", "embedding.pos_emb.weight")
        ends = [f"blocks.{part}.{layer}.{values}" for layer in RESIDUAL for values in ("weight", "bias")]
        names += tables if part == "embedding" else ends
    values = [check.parameter(model, name) for name in names]
    before = [each.detach().clone() for each in values]
    with torch.no_grad():
        for each in values:
            each.zero_()
    yield
    with torch.no_grad():
        for each, numbers in zip(values, before):
            each.copy_(numbers)


# --- Step 1: count ---------------------------------------------------------------------------------------------


@claim(step=1)
def test_presets_have_their_sizes(kata):
    """The presets have the sizes that they were given."""
    for name, want in PRESETS.items():
        config = getattr(kata, name)
        got = config.vocab_size, config.context_length, config.emb_dim, config.num_heads, config.num_layers
        check.equal(got, want, f"{name} (vocabulary, context length, width, heads, layers)")


@claim(step=1, size=sizes("V D d"))
def test_every_parameter_counts(kata, size):
    """count_parameters counts each number in each parameter, also deep inside, and frozen ones too."""
    inner = torch.nn.Sequential(torch.nn.Linear(size.D, size.d))
    model = torch.nn.Sequential(torch.nn.Embedding(size.V, size.D), inner)
    model[0].requires_grad_(False)
    want = size.V * size.D + size.D * size.d + size.d
    check.equal(kata.count_parameters(model), want, "count_parameters(model)")


@claim(step=1, size=sizes("V D"))
def test_a_shared_parameter_counts_once(kata, size):
    """A tensor that two layers share counts once."""
    model = torch.nn.Sequential(torch.nn.Embedding(size.V, size.D), torch.nn.Linear(size.D, size.V, bias=False))
    model[1].weight = model[0].weight
    check.equal(kata.count_parameters(model), size.V * size.D, "count_parameters(model)")


@claim(step=1, size=sizes("D"), device=["cpu", "meta"])
def test_layers_of_one_shape_count_each(kata, size, device):
    """Layers of one shape count each, whatever numbers they hold, and where they hold none (on the meta device)."""
    model = torch.nn.Sequential(*(torch.nn.Linear(size.D, size.D, device=device) for _ in range(3)))
    if device == "cpu":
        with torch.no_grad():
            for values in model.parameters():
                values.zero_()
    want = 3 * (size.D + 1) * size.D
    check.equal(kata.count_parameters(model), want, "count_parameters(three layers of one shape)")


@claim(step=1, size=sizes("D"))
def test_buffers_do_not_count(kata, size):
    """A buffer is not learned and does not count."""
    model = torch.nn.Linear(size.D, 1)
    model.register_buffer("mask", torch.ones(size.D, size.D))
    check.equal(kata.count_parameters(model), size.D + 1, "count_parameters(model)")


# --- Step 2: the parts and their first values ------------------------------------------------------------------


@claim(step=2, examples=3, tie=[False, True])
def test_tied_weights_are_one(kata, tie):
    """With tie_weights the token embedding and `lm_head` share one weight, and without it they do not."""
    model = fresh(kata, 8, 6, 4, 2, 1, tie_weights=tie)
    table, head = check.parameter(model, "embedding.tok_emb.weight"), check.parameter(model, "lm_head.weight")
    check.tensor(head, table.shape, table.dtype, "the weight of `lm_head`")
    alike, count = torch.equal(table, head), sum(one is table or one is head for one in model.parameters())
    with torch.no_grad():
        table.fill_(0.5)
        head.fill_(0.25)
    got = {"alike": alike, "parameters": count, "table once the head is 0.25": table[0, 0].item()}
    want = dict(zip(got, (True, 1, 0.25) if tie else (False, 2, 0.5), strict=True))
    check.equal(got, want, "the relation of the token embedding and `lm_head`", tie_weights=tie)


@claim(step=2)
def test_a_new_model_is_in_train_mode(kata):
    """A model that was just made is in train mode, like every module: dropout acts until `eval` is called."""
    config = kata.GPTConfig(vocab_size=7, context_length=4, emb_dim=4, num_heads=2, num_layers=2, dropout=0.5)
    model = kata.GPT(config)
    check.instance(model, torch.nn.Module, "GPT(config)")
    check.equal({one.training for one in model.modules()}, {True}, "the set of modes of the modules in GPT(config)")


@claim(step=2, costly=True, examples=3, size=models(L=(2, 4)), asked=["neither", "qkv_bias", "tie_weights"])
def test_parts_have_parameters_of_their_own(kata, reference, size, asked):
    """The model has `embedding`, num_layers `blocks`, `final_norm` and `lm_head`, each with its own parameters."""
    options = {} if asked == "neither" else {asked: True}
    model, twin = gpt(kata, size, **options), twin_of(reference, size, **options)
    check.equal(len(list(model.blocks)), size.L, "the number of blocks")
    got, want = (sum(parameter.numel() for parameter in one.parameters()) for one in (model, twin))
    check.equal(got, want, "the number of parameters", **options)
    check.copy_parameters(twin, model)


@claim(step=2, examples=2, size=models())
def test_the_model_is_counted_as_any_other(kata, reference, size):
    """count_parameters counts a GPT as any other module: every parameter once, a tied one too."""
    for tie in (False, True):
        model, twin = gpt(kata, size, tie_weights=tie), twin_of(reference, size, tie_weights=tie)
        want = sum(values.numel() for values in twin.parameters())
        check.equal(kata.count_parameters(model), want, "count_parameters(GPT(config))", tie_weights=tie)


@claim(step=2, examples=2, size=models())
def test_lm_head_has_no_bias(kata, size):
    """`lm_head` is a linear layer from the width of the model to the vocabulary, without a bias."""
    head = getattr(gpt(kata, size), "lm_head", None)
    check.instance(head, torch.nn.Linear, "`lm_head`")
    check.equal(head.bias is None, True, "whether `lm_head` has no bias")
    check.equal(tuple(head.weight.shape), (size.V, size.h * size.d), "the shape of its weight")


@claim(step=2, examples=3, tie=[False, True])
def test_weights_start_with_a_spread_of_two_hundredths(kata, tie):
    """At the start the weights of embeddings and linear layers are drawn from a normal distribution of spread 0.02."""
    model = fresh(kata, 150, 60, 64, 4, 3, tie_weights=tie)
    names = ["embedding.tok_emb", "embedding.pos_emb", "lm_head"]
    names += [f"blocks.{number}.{layer}" for number in range(3) for layer in DRAWN]
    spreads_are(model, dict.fromkeys(names, 0.02))


@claim(step=2, examples=3, tie=[False, True])
def test_branches_end_with_smaller_weights(kata, tie):
    """At the start `out_proj` and `down` of each block have a spread of 0.02 / √(2 · layers)."""
    model = fresh(kata, 10, 8, 64, 4, 3, tie_weights=tie)
    names = [f"blocks.{number}.{layer}" for number in range(3) for layer in RESIDUAL]
    spreads_are(model, dict.fromkeys(names, 0.02 / math.sqrt(2 * 3)))


@claim(step=2)
def test_weights_start_normal(kata):
    """At the start about 68 % of the weights lie within one spread of 0, as a normal distribution has it."""
    model = fresh(kata, 300, 60, 64, 4, 1)
    shares = {}
    for name in ("embedding.tok_emb", "lm_head", "blocks.0.feed_forward.up", "blocks.0.feed_forward.down"):
        weight = check.parameter(model, f"{name}.weight").detach().double()
        shares[name] = (weight.abs() < weight.pow(2).mean().sqrt()).double().mean().item()
    if any(abs(share - 0.683) > 0.03 for share in shares.values()):
        got = {name: round(share, 1) for name, share in shares.items()}
        raise check.Mismatch("the weights are not normally distributed: the share within one spread is off", got, 0.68)


@claim(step=2, examples=3, tie=[False, True])
def test_biases_start_at_0_and_norms_change_nothing(kata, reference, tie):
    """At the start every bias is 0, and the weight of every norm is 1."""
    sizes, options = (10, 8, 32, 4, 2), {"tie_weights": tie, "qkv_bias": True}
    model, twin = fresh(kata, *sizes, **options), fresh(reference, *sizes, **options)
    vectors = [name for name, values in twin.named_parameters() if values.ndim == 1]
    errors = {name: check.parameter(model, name).detach() - float(name.endswith("weight")) for name in vectors}
    wrong = [name for name, error in errors.items() if error.any()]
    if wrong:
        size = torch.cat(list(errors.values())).pow(2).mean().sqrt().item()
        one_number = all((errors[name] == errors[name][0]).all() for name in wrong)
        how = "all of a layer alike" if one_number else "each by another number"
        got = f"off by about {size:.1f}, {how}: {', '.join(wrong)}"
        raise check.Mismatch("some biases are not 0, or norm weights not 1", got, "all biases 0, all norm weights 1")


@claim(step=2, examples=2, size=models(L=(2, 3)))
def test_no_two_blocks_start_alike(kata, size):
    """Each block draws weights of its own."""
    model = fresh(kata, size.V, size.T, size.h * size.d, size.h, size.L)
    for layer in (*DRAWN, *RESIDUAL):
        one, two = (check.parameter(model, f"blocks.{number}.{layer}.weight") for number in (0, 1))
        check.equal(torch.equal(one, two), False, f"whether `{layer}` starts alike in blocks 0 and 1")


@claim(step=2, examples=2, size=models(L=(1, 2)))
def test_no_two_models_start_alike(kata, size):
    """Each model draws weights of its own, wherever torch's generator stands."""
    weights = [fresh(kata, size.V, size.T, size.h * size.d, size.h, size.L).lm_head.weight for _ in range(2)]
    check.equal(torch.equal(*weights), False, "whether `lm_head` starts alike in two models")


@claim(step=2, costly=True)
def test_gpt2_small_has_its_size(kata):
    """GPT-2 small has 163,009,536 parameters, and 124,412,160 when its weights are tied."""
    for tie, want in ((False, 163_009_536), (True, 124_412_160)):
        model = without_numbers(lambda: fresh(kata, *PRESETS["GPT2_SMALL"], tie_weights=tie))
        if model is not None:
            count = sum(parameter.numel() for parameter in model.parameters())
            check.equal(count, want, f"the number of parameters of GPT-2 small, tie_weights={tie},")


# --- Step 3: forward -------------------------------------------------------------------------------------------


@claim(step=3, examples=8, size=models(), room=rooms, tie=[False, True], bias=[False, True], double=True)
def test_logits_come_from_all_parts_in_order(kata, reference, size, room, tie, bias):
    """The logits are lm_head(final_norm(…)) of the embedding after every block in turn, for each position."""
    model, twin = pair(kata, reference, size, room, tie_weights=tie, qkv_bias=bias, dropout=0.5)
    ids = size.ids("B T", size.V)
    want = logits_by_parts(twin, ids)
    check.equal(model(ids), want, "the output in eval mode", ids=ids)


@claim(step=3, examples=4, size=models(T=(2, 6), L=(1, 2)), room=rooms)
def test_no_later_token_changes_earlier_logits(kata, size, room):
    """Another last token changes none of the logits before it, and neither does cutting it off."""
    model, ids = gpt(kata, size, room), size.ids("B T", size.V)
    changed = ids.clone()
    changed[:, -1] = (ids[:, -1] + 1) % size.V
    before = model(ids)
    check.tensor(before, size.shape("B T V"), torch.get_default_dtype(), "the output")
    for what, other in (("after the change", changed), ("without the last token", ids[:, :-1])):
        after = model(other)
        check.tensor(after, (*other.shape, size.V), before.dtype, f"the output {what}")
        check.equal(after[:, : size.T - 1], before[:, :-1], f"the part before the last logits, {what}", ids=ids)


@claim(
    step=3, examples=2, without={"gradients": "it is about them"}, size=models(T=(2, 6), L=(2, 3)), tie=[False, True]
)
def test_gradient_reaches_every_part(kata, reference, size, tie):
    """The gradient of the logits reaches every weight of every block, the embedding, the norm and the head."""
    model, twin = pair(kata, reference, size, scale=0.3, tie_weights=tie)
    output = model(size.ids("B T", size.V))
    check.tensor(output, size.shape("B T V"), torch.get_default_dtype(), "the output")
    check.equal(output.requires_grad, True, "whether the logits have a gradient")
    (output * size.normal("B T V")).sum().backward()
    gradients = {name: check.parameter(model, name).grad for name, _ in twin.named_parameters()}
    untouched = [name for name, gradient in gradients.items() if gradient is None or not gradient.any()]
    check.equal(untouched, [], "the list of parameters that no gradient reaches")


@claim(step=3, examples=4, without={"gradients": "it is about them"}, size=models(T=(2, 6), L=(1, 2)), double=True)
def test_a_tied_weight_learns_at_both_ends(kata, reference, size):
    """The gradient of a tied weight is that of its use in the embedding and of its use in `lm_head`, together."""
    gradients = []
    for model in pair(kata, reference, size, scale=0.3, tie_weights=True):
        output = model(size.ids("B T", size.V))
        check.tensor(output, size.shape("B T V"), torch.get_default_dtype(), "the output")
        check.equal(output.requires_grad, True, "whether the logits have a gradient")
        table = check.parameter(model, "embedding.tok_emb.weight")
        gradients += torch.autograd.grad((output * size.normal("B T V")).sum(), table, allow_unused=True)
    check.equal(*gradients, "the gradient of the weight that embedding and `lm_head` share")


@claim(step=3, examples=2, seed=st.integers(0, 99))
def test_first_loss_is_that_of_guessing(kata, seed):
    """A fresh model knows nothing: its loss on random targets is about ln V."""
    torch.manual_seed(seed)
    model = fresh(kata, 200, 16, 64, 4, 1)
    ids, targets = torch.randint(200, (2, 8, 16)).unbind()
    logits = model(ids)
    check.tensor(logits, (8, 16, 200), torch.get_default_dtype(), "the output")
    picked = torch.log_softmax(logits.detach().double(), dim=-1).gather(-1, targets.unsqueeze(-1))
    loss = -picked.mean().item()
    if abs(loss - math.log(200)) > 0.1:
        raise check.Mismatch("the loss of a fresh model is not about ln V", round(loss, 1), math.log(200))


@claim(step=3, examples=2, size=models(T=(2, 6), L=(1, 2)))
def test_eval_mode_is_deterministic(kata, size):
    """In eval mode two passes give the same logits; with a dropout of 0 a pass in training gives them too."""
    for rate in (0.5, 0.0):
        model, ids = gpt(kata, size, dropout=rate), size.ids("B T", size.V)
        logits = model(ids)
        check.tensor(logits, size.shape("B T V"), torch.get_default_dtype(), "the output")
        demand_no_chance(model, ids, logits, "two passes in eval mode")
    in_training = model.train()(ids)
    demand_no_chance(model, ids, in_training, "two passes in training with a dropout of 0")
    check.equal(in_training, logits, "the output in training with a dropout of 0")


@claim(step=3, examples=4, size=models(), double=True)
def test_each_text_gets_logits_of_its_own(kata, reference, size):
    """One model reads one text after the other, and what it reads leaves no trace in the logits of the next."""
    model, twin = pair(kata, reference, size)
    for number in (1, 2):
        ids = size.ids("B T", size.V, salt=str(number))
        want = logits_by_parts(twin, ids)
        check.equal(model(ids), want, f"the output for text number {number}", ids=ids)


@claim(step=3, examples=2, size=models(L=(1, 2), B=(3, 6), T=(5, 8)))
def test_dropout_acts_in_embedding_and_blocks(kata, size):
    """In training the dropout acts in the embedding and in every block, and nowhere else."""
    parts = ["embedding", *range(size.L)]
    model, ids = gpt(kata, size, scale=0.5, dropout=0.5).train(), size.ids("B T", size.V)
    got = {}
    for part in parts:
        with silent(model, [other for other in parts if other != part]):
            got[part] = not torch.equal(model(ids), model(ids))
    for inner in (model.embedding, *model.blocks):
        inner.eval()
    got["elsewhere"] = where_two_passes_part(model, ids)
    want = dict.fromkeys(parts, True) | {"elsewhere": False}
    check.equal(got, want, "where two passes in training differ (embedding, block 0, …)")


@claim(step=3, examples=4, size=sizes("B T", B=(7, 9), T=(10, 12)), part=["embedding", "block"], rate=[0.5, 0.25])
def test_dropout_acts_once(kata, size, part, rate):
    """In training the embedding drops a share of its numbers, once and at the configured rate; so does each branch."""
    width = 24
    model = fresh(kata, width, size.T, width, 2, 2, dropout=rate)
    randomise(model, size)
    with torch.no_grad():  # what is in the stream is handed on number by number
        for name in ("final_norm.bias", "blocks.0.feed_forward.down.weight", "blocks.0.feed_forward.down.bias"):
            check.parameter(model, name).zero_()
        check.parameter(model, "final_norm.weight").fill_(1)
        check.parameter(model, "lm_head.weight").copy_(torch.eye(width))
    with silent(model, [0, 1] if part == "embedding" else ["embedding", 1]):
        output = model.train()(size.ids("B T", width))
    check.tensor(output, (size.B, size.T, width), torch.get_default_dtype(), "the output")
    alike = output.unsqueeze(-1) == output.unsqueeze(-2)  # dropped numbers of a token are equal, and no others
    dropped = alike.sum(dim=-1) > 1
    share = dropped.double().mean().item()
    if abs(share - rate) > 6 * math.sqrt(rate * (1 - rate) / output.numel()):  # standard deviations
        times = round(math.log(max(1 - share, 1e-6)) / math.log(1 - rate))
        problem = f"the share of numbers that are dropped of the {part}, at a rate of {rate}, is wrong"
        zeros = bool((output == 0)[dropped].any())  # behind the last norm
        raise check.Mismatch(problem, round(share, 2), rate, alike=(times, zeros))


@claim(step=3, costly=True)
def test_the_context_is_as_long_as_asked(kata):
    """A text may be as long as the configuration's context length, however long that is."""
    model, ids = fresh(kata, 7, 1030, 2, 1, 1), torch.arange(1030)[None] % 7
    with torch.no_grad():
        check.tensor(model(ids), (1, 1030, 7), None, "the output for 1030 tokens")


@claim(step=3)
def test_too_many_tokens_are_refused(kata):
    """More tokens than the context length: ValueError or IndexError, with both numbers."""
    model = fresh(kata, 7, 23, 4, 2, 1)
    for tokens in (24, 29):
        ids = torch.randint(7, (2, tokens))
        check.present(model(ids[:, :23]), "the output for 23 tokens")
        what = f"GPT with a context length of 23, on {tokens} tokens,"
        check.raises((ValueError, IndexError), lambda: model(ids), [23, tokens], what)


def demand_no_chance(model, ids, before, what):
    """Demand the same output again. By how much it differs is left to what was drawn; the evidence is where."""
    again = model(ids)
    check.tensor(again, before.shape, before.dtype, f"the second of {what}")
    if not torch.equal(again, before):
        x = model.embedding(ids)
        parts = (model.embedding, ids), (model.blocks[0], x.detach())
        alike = [not torch.equal(part(given), part(given)) for part, given in parts]
        raise check.Mismatch(f"{what} differ: something is dropped", again, before, alike=alike)


# --- Helpers ---------------------------------------------------------------------------------------------------


def spreads_are(model, wanted):
    """Demand that weights have these spreads (root mean square), within what chance allows."""
    found, off = {}, False
    for name, want in wanted.items():
        weight = check.parameter(model, f"{name}.weight").detach().double()
        found[name] = weight.pow(2).mean().sqrt().item()
        off |= not abs(found[name] / want - 1) < 6 / math.sqrt(2 * weight.numel())
    if not off:
        return
    kinds = {}  # one number for each kind of layer; of one digit, so that it does not hang on what was drawn
    for name, spread in found.items():
        kinds.setdefault(re.sub(r"^blocks\.\d+\.", "", name), []).append(float(f"{spread:.0e}"))
    got = {kind: max(spreads) if len(set(spreads)) == 1 else spreads for kind, spreads in kinds.items()}
    if all(spread == float(f"{want:.0e}") for spread in got.values()):
        got = {name: float(f"{spread:.3g}") for name, spread in found.items()}
    raise check.Mismatch(f"the spread of the weights at the start is not {want:.3g}", got, want)


class _NoNumbers(TorchFunctionMode):
    """Skips what only fills a tensor of the meta device, where there are no numbers to fill in."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        first = args[0] if args else kwargs.get("tensor")
        fills = name in ("triu", "tril") or re.fullmatch(r"[a-z_]*[a-z]_", name) and name != "requires_grad_"
        if fills and isinstance(first, torch.Tensor) and first.is_meta:
            return first
        return func(*args, **kwargs)


def without_numbers(build):
    """What `build` builds on the meta device, where a tensor is a shape; None where its code needs the numbers."""
    try:
        with torch.device("meta"), _NoNumbers():
            return build()
    except check.Mismatch:
        raise
    except Exception as error:
        if re.fullmatch(r"step \d+", str(error)):
            raise
        return None
