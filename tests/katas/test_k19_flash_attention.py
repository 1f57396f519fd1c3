"""k19 flash attention: what must be true of it."""

import inspect
import weakref
from contextlib import nullcontext

import torch

from dojo.spec import FUSED_ATTENTION, OperationMode, ban, ban_module, check, claim, sizes, tree_leaves

BANS = [
    ban(*FUSED_ATTENTION, why="it is what you build here."),
    ban_module("numpy", why="what it makes is not counted, and all of it torch has too."),
]
INPUTS = "B h T d"
SIZES = "h B d"
# Queries, keys, and the positions at which they begin: on the diagonal, beside it, across it, in the future as a whole,
# and far behind, where whole numbers of few bits begin anew or have gaps.
TILES = (
    *((2, 2, 0, 0), (1, 3, 1, 0), (3, 2, 4, 4), (2, 3, 7, 2), (3, 1, 0, 2), (3, 4, 2, 3), (2, 1, 1, 5)),
    *((2, 3, 255, 254), (2, 2, 4096, 4096)),
)
# Tokens and block: one token, a last tile of some, of one, a block larger than T, and no last tile that is not full.
TILINGS = [(1, 1), (8, 3), (5, 4), (3, 16), (4, 2)]
tilings = [(5, 3), (5, 4), (2, 16), (6, 2)]
EXACT = 1e-10
LARGEST = 4  # times what a tile or an input holds: room for inputs side by side, or filled up to whole tiles
EXPONENTIALS = ("exp", "exp_", "exp2", "softmax", "_softmax", "log_softmax", "_log_softmax", "logsumexp", "logaddexp")
NAMES = ("query", "key", "value")
NOT_WATCHED = nullcontext()
LAYOUT = {"layout": "the law itself says how they lie in memory"}


# --- Oracles: the slow, obvious form ---------------------------------------------------------------------------


def causal_scores(query, key):
    hidden = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).triu(1)
    return (torch.einsum("bhqd,bhkd->bhqk", query, key) / query.shape[-1] ** 0.5).masked_fill(hidden, -torch.inf)


def plain_attention(query, key, value):
    return torch.softmax(causal_scores(query, key), dim=-1) @ value


def plain_gradients(grad, inputs):
    """The gradients of query, key and value, by autograd."""
    inputs = [one.detach().clone().requires_grad_() for one in inputs]
    return torch.autograd.grad(plain_attention(*inputs), inputs, grad)


def some_inputs(size, tokens, scale=1.0):
    """Query, key and value in double precision, while the default dtype may be another."""
    return [size.normal(f"B h {tokens} d", salt=name, scale=scale).double() for name in NAMES]


def some_grad(size, tokens):
    return size.normal(f"B h {tokens} d", salt="grad").double()


def from_heads(x):
    """The same numbers as they lie in memory where `split_heads` gives them, and `merge_heads` gradients of them."""
    return x.transpose(1, 2).contiguous().transpose(1, 2)


# --- Step 1: a tile --------------------------------------------------------------------------------------------


@claim(step=1, size=sizes(SIZES), examples=3)
def test_tile_is_a_part_of_the_whole_matrix_of_scores(kata, size):
    """The scores of a tile are query · key / √d, and −∞ where the key's position in the sequence is the later one."""
    for rows, columns, first_query, first_key in TILES:
        query = size.normal(f"B h {rows} d").double()
        key = size.normal(f"B h {columns} d", salt="key").double()
        want = (query[..., None, :] * key[..., None, :, :]).sum(-1) / size.d**0.5
        for r in range(rows):
            for c in range(columns):
                if first_key + c > first_query + r:
                    want[..., r, c] = -torch.inf
        got = kata.tile_scores(query, key, first_query, first_key)
        check.equal(got, want, f"tile_scores(query, key, {first_query}, {first_key})", EXACT, query=query, key=key)
        places = {"first_query": first_query, "first_key": first_key}
        got = kata.tile_scores(query=from_heads(-query), key=from_heads(key), **places)
        want = torch.where(want == -torch.inf, want, -want)
        check.equal(got, want, f"tile_scores(−query, key, {first_query}, {first_key})", EXACT, query=query, key=key)


# --- Step 2: forward -------------------------------------------------------------------------------------------


@claim(step=2, size=sizes(SIZES), tiling=TILINGS, examples=8)
def test_context_is_that_of_causal_attention(kata, size, tiling):
    """In double precision the context equals that of plain causal attention to 1e-10, whatever T and the block."""
    tokens, block = tiling
    query, key, value = some_inputs(size, tokens)
    got, want = forward(kata, query, key, value, block)[0], plain_attention(query, key, value)
    check.equal(got, want, f"the context of {tokens} tokens, with block = {block},", EXACT, query=query, key=key)


@claim(step=2, size=sizes(SIZES), tiling=TILINGS, examples=5)
def test_logsumexp_is_that_of_the_visible_scores(kata, size, tiling):
    """logsumexp is, for each query, the logarithm of the sum of e^score over the keys that it sees."""
    tokens, block = tiling
    query, key, value = some_inputs(size, tokens)
    got, want = forward(kata, query, key, value, block)[1], torch.logsumexp(causal_scores(query, key), dim=-1)
    check.equal(got, want, f"logsumexp of {tokens} tokens, with block = {block},", EXACT, query=query, key=key)


@claim(step=2, size=sizes(SIZES), tiling=tilings, examples=5)
def test_extreme_scores_do_not_overflow(kata, size, tiling):
    """Scores of many thousands, of either sign, whose e^score no number can hold, change nothing."""
    tokens, block = tiling
    query, key, value = some_inputs(size, tokens, scale=60)
    context, logsumexp = forward(kata, query, key, value, block)
    check.equal(context, plain_attention(query, key, value), "the context for large inputs", 1e-8)
    check.equal(logsumexp, torch.logsumexp(causal_scores(query, key), dim=-1), "logsumexp for large inputs", 1e-8)


@claim(step=2, size=sizes(SIZES), tiling=tilings, examples=4)
def test_results_have_the_dtype_of_the_inputs(kata, size, tiling):
    """In float32 the context and logsumexp are float32 too."""
    tokens, block = tiling
    query, key, value = (one.float() for one in some_inputs(size, tokens))
    context, logsumexp = forward(kata, query, key, value, block)
    check.equal(context, plain_attention(query, key, value), "the context of float32 inputs")
    check.equal(logsumexp, torch.logsumexp(causal_scores(query, key), dim=-1), "logsumexp of float32 inputs")


@claim(step=2, size=sizes(SIZES, B=(2, 4)), tiling=tilings[:2], examples=2, without=LAYOUT)
def test_inputs_may_lie_in_memory_as_they_like(kata, size, tiling):
    """Query, key and value may be what split_heads gives, which does not lie in memory in order, or one key for all."""
    tokens, block = tiling
    query, key, value = some_inputs(size, tokens)
    for what, inputs in (
        ("that split_heads gives", [from_heads(one) for one in (query, key, value)]),
        ("of which one is expanded over the batch", [query, key[:1].expand_as(key), value]),
    ):
        context, logsumexp = forward(kata, *inputs, block)
        check.equal(context, plain_attention(*inputs), f"the context of inputs {what}", EXACT)
        check.equal(logsumexp, torch.logsumexp(causal_scores(*inputs[:2]), dim=-1), f"logsumexp {what}", EXACT)


@claim(step=2, size=sizes(SIZES, d=(2, 2), h=(3, 3), B=(1, 1)), examples=1, costly=True)
def test_no_tile_is_made_for_later_keys(kata, size):
    """flash_forward goes up to the diagonal and no further: for 3 blocks it makes 6 tiles, not 9."""
    counts = []
    for tokens in (16, 48):
        query, key, value = some_inputs(size, tokens)
        memory = Memory()
        context, _ = forward(kata, query, key, value, 16, memory)
        check.equal(context, plain_attention(query, key, value), f"the context of {tokens} tokens", EXACT)
        counts.append(memory.tiles(16))
    demand_half(counts, memory, "flash_forward")


@claim(step=2, size=sizes(SIZES, d=(2, 2), h=(3, 3), B=(1, 1)), examples=1, costly=True)
def test_forward_holds_no_more_than_a_tile(kata, size):
    """flash_forward never holds the scores of all keys at once: no tensor is larger than a tile or an input, and
    exponentials are taken of one tile at a time."""
    for tokens, block in ((80, 16), (4, 1)):
        query, key, value = some_inputs(size, tokens)
        memory = Memory()
        context, _ = forward(kata, query, key, value, block, memory)
        check.equal(context, plain_attention(query, key, value), f"the context of {tokens} tokens", EXACT)
        demand_small(memory, query, block, "flash_forward")


# --- Step 3: backward ------------------------------------------------------------------------------------------


@claim(step=3, size=sizes(SIZES), tiling=TILINGS, examples=8)
def test_gradients_are_those_of_causal_attention(kata, size, tiling):
    """In double precision the three gradients equal those that autograd finds through plain attention to 1e-10."""
    tokens, block = tiling
    inputs, grad = some_inputs(size, tokens), some_grad(size, tokens)
    found = backward(kata, grad, inputs, block)
    same_gradients(found, plain_gradients(grad, inputs), f", of {tokens} tokens with block = {block},", EXACT)


@claim(step=3, size=sizes(SIZES), tiling=tilings, examples=4)
def test_extreme_scores_do_not_break_the_gradients(kata, size, tiling):
    """The gradients hold for scores of many thousands too."""
    tokens, block = tiling
    inputs, grad = some_inputs(size, tokens, scale=60), some_grad(size, tokens)
    same_gradients(backward(kata, grad, inputs, block), plain_gradients(grad, inputs), " for large inputs", 1e-6)


@claim(step=3, size=sizes(SIZES, B=(2, 4)), tiling=tilings[:2], examples=2, without=LAYOUT)
def test_gradients_may_arrive_as_they_like(kata, size, tiling):
    """The gradient of the context may be what merge_heads sends back, or that of a sum, one number for all entries."""
    tokens, block = tiling
    inputs, grad = some_inputs(size, tokens), some_grad(size, tokens)
    for what, one in (
        (", where the gradient comes from merge_heads,", from_heads(grad)),
        (", where the gradient is one number expanded,", grad[:1, :1, :1, :1].expand_as(grad)),
    ):
        found = backward(kata, one, [from_heads(x) for x in inputs], block)
        same_gradients(found, plain_gradients(one, inputs), what, EXACT)


@claim(step=3, size=sizes(SIZES), tiling=tilings[:2], examples=2)
def test_gradients_have_the_dtype_of_the_inputs(kata, size, tiling):
    """In float32 the three gradients are float32 too."""
    tokens, block = tiling
    inputs, grad = [one.float() for one in some_inputs(size, tokens)], some_grad(size, tokens).float()
    found = backward(kata, grad, inputs, block)
    same_gradients(found, plain_gradients(grad, inputs), " in float32", 1e-4)


@claim(step=3, size=sizes(SIZES, d=(2, 2), h=(3, 3), B=(1, 1)), examples=1, costly=True)
def test_backward_makes_no_tile_for_later_keys(kata, size):
    """flash_backward goes up to the diagonal and no further: for 3 blocks it makes 6 tiles, not 9."""
    counts = []
    for tokens in (16, 48):
        inputs, grad, memory = some_inputs(size, tokens), some_grad(size, tokens), Memory()
        found = backward(kata, grad, inputs, 16, memory)
        same_gradients(found, plain_gradients(grad, inputs), f", of {tokens} tokens,", EXACT)
        counts.append(memory.tiles(16))
    demand_half(counts, memory, "flash_backward")


@claim(step=3, size=sizes(SIZES, d=(2, 2), h=(3, 3), B=(1, 1)), examples=1, costly=True)
def test_backward_holds_no_more_than_a_tile(kata, size):
    """flash_backward never holds the scores of all keys at once: no tensor is larger than a tile or an input, and
    exponentials are taken of one tile at a time."""
    for tokens, block in ((80, 16), (4, 1)):
        inputs, grad, memory = some_inputs(size, tokens), some_grad(size, tokens), Memory()
        found = backward(kata, grad, inputs, block, memory)
        same_gradients(found, plain_gradients(grad, inputs), f", of {tokens} tokens,", EXACT)
        demand_small(memory, grad, block, "flash_backward")


# --- Step 4: one operation -------------------------------------------------------------------------------------


@claim(step=4, size=sizes(SIZES), tiling=tilings, examples=4)
def test_flash_attention_is_causal_attention(kata, size, tiling):
    """flash_attention gives the context of causal attention, with gradients or without, and needs no block."""
    check.equal(
        issubclass(kata.FlashAttention, torch.autograd.Function), True, "FlashAttention as an autograd.Function"
    )
    tokens, block = tiling
    query, key, value = some_inputs(size, tokens)
    want = plain_attention(query, key, value)
    check.equal(kata.flash_attention(query, key, value), want, "flash_attention(query, key, value)", EXACT)
    query.requires_grad_()
    check.equal(kata.flash_attention(query, key, value, block), want, f"the context, with block = {block},", EXACT)


@claim(step=4, examples=1)
def test_the_usual_block_is_64(kata):
    """Where nobody says anything, the block is 64."""
    block = inspect.signature(kata.flash_attention).parameters.get("block")
    check.equal(getattr(block, "default", None), 64, "the default of `block`")


@claim(step=4, size=sizes(SIZES, B=(2, 4)), tiling=tilings[:2], examples=2, without=LAYOUT)
def test_heads_are_split_before_and_merged_after(kata, size, tiling):
    """Between split_heads and merge_heads it is one operation among others, by which gradients reach x."""
    tokens, block = tiling
    x, grad = size.normal(f"B {tokens} 3*h*d").double().requires_grad_(), size.normal(f"B {tokens} h*d").double()
    answers = []
    for attend in (lambda *heads: kata.flash_attention(*heads, block=block), plain_attention):
        heads = (one.unflatten(-1, (size.h, size.d)).transpose(1, 2) for one in x.chunk(3, dim=-1))
        context = attend(*heads)
        check.tensor(context, size.shape(f"B h {tokens} d"), x.dtype, "flash_attention(query, key, value)")
        if not context.requires_grad:
            raise check.Mismatch("no gradient passes: the context is cut off from what it was made of", context)
        merged = context.transpose(1, 2).flatten(2)
        (of_merged,) = torch.autograd.grad(merged, x, grad, retain_graph=True)
        (of_sum,) = torch.autograd.grad(context.sum(), x)
        answers.append((merged, of_merged, of_sum))
    names = ("the merged heads", "the gradient of x", "the gradient of x for the sum of all contexts")
    for what, got, want in zip(names, *answers):
        check.equal(got, want, what, EXACT)


@claim(step=4, size=sizes(SIZES), alone=[None, *NAMES], tiling=tilings, examples=4)
def test_training_reaches_query_key_and_value(kata, size, alone, tiling):
    """backward() brings query, key and value their gradients, all or one alone, also after another call."""
    tokens, block = tiling
    calls, grad = [some_inputs(size, tokens), some_inputs(size, tokens, scale=2)], some_grad(size, tokens)
    learn = [alone in (None, name) for name in NAMES]
    for inputs in calls:
        for one, learns in zip(inputs, learn):
            one.requires_grad_(learns)
    contexts = [kata.flash_attention(*inputs, block=block) for inputs in calls]
    for which, inputs, context in zip(("first", "second"), calls, contexts):
        check.tensor(context, grad.shape, grad.dtype, "flash_attention(query, key, value)")
        if not context.requires_grad:
            raise check.Mismatch("no gradient passes: the context is cut off from what it was made of", context)
        context.backward(grad)
        wanted = [want if learns else None for want, learns in zip(plain_gradients(grad, inputs), learn)]
        same_gradients([one.grad for one in inputs], wanted, f", of the {which} of two calls,", EXACT)


@claim(step=4, size=sizes(SIZES, d=(2, 2), h=(3, 3), B=(1, 1)), examples=1, costly=True)
def test_memory_grows_with_the_tokens_not_with_their_square(kata, size):
    """Twice as many tokens take at most twice the memory, kept for backward or in use at once; no tensor is large."""
    taken = {"kept after forward": [], "in use at once": []}
    for tokens in (64, 32):
        inputs = [one.requires_grad_() for one in some_inputs(size, tokens)]
        with Memory() as memory:
            context = kata.flash_attention(*inputs, block=16)
            check.tensor(context, inputs[0].shape, inputs[0].dtype, "flash_attention(query, key, value)")
            taken["kept after forward"].append(memory.held)
            demand_small(memory, inputs[0], 16, "flash_attention")
            context.backward(torch.ones_like(context))
        taken["in use at once"].append(memory.peak)
        demand_small(memory, inputs[0], 16, "the backward of flash_attention")
    for what, (many_tokens, few_tokens) in taken.items():
        if many_tokens > 2.05 * few_tokens:
            growth = f"{few_tokens:,} bytes at 32 tokens, {many_tokens:,} at 64"
            problem, alike = f"the memory {what} grows too fast", is_one_operation(context)
            raise check.Mismatch(problem, growth, "twice as much at most", alike=alike)


# --- What the laws share ---------------------------------------------------------------------------------------


def forward(kata, query, key, value, block, memory=NOT_WATCHED):
    """What flash_forward gives: the context and logsumexp, of the right shapes."""
    with memory:
        results = kata.flash_forward(query, key, value, block)
    check.instance(results, (tuple, list), "flash_forward(query, key, value, block)")
    check.equal(len(results), 2, "the number of results of flash_forward")
    check.tensor(results[0], query.shape, query.dtype, "the context")
    check.tensor(results[1], query.shape[:-1], query.dtype, "logsumexp")
    return results


def backward(kata, grad, inputs, block, memory=NOT_WATCHED):
    """What flash_backward gives: three gradients of the right shapes, made from the true context and logsumexp."""
    context, logsumexp = plain_attention(*inputs), torch.logsumexp(causal_scores(*inputs[:2]), dim=-1)
    given = dict(zip(NAMES, inputs))
    with memory:
        results = kata.flash_backward(grad=grad, **given, context=context, logsumexp=logsumexp, block=block)
    check.instance(results, (tuple, list), "flash_backward(…)")
    check.equal(len(results), 3, "the number of results of flash_backward")
    for name, result in zip(NAMES, results):
        check.tensor(result, grad.shape, grad.dtype, f"the gradient of {name}")
    return results


def same_gradients(found, wanted, what, tolerance):
    """Demand equal gradients, None where none is wanted, within `tolerance` times the largest entry of all three."""
    scale = max(want.abs().max().item() for want in wanted if want is not None)
    for name, got, want in zip(NAMES, found, wanted):
        if want is not None:
            own = max(want.abs().max().item(), check.NEGLIGIBLE)
            check.equal(got, want, f"the gradient of {name}{what}", tolerance * scale / own)


def demand_small(memory, x, block, what):
    """Demand that no tensor held more numbers than a tile or x, and no exponentials more than a tile; but for some
    room."""
    tile = x.shape[0] * x.shape[1] * block * block
    for found, most, problem in (
        (memory.largest, LARGEST * max(tile, x.numel()), "makes a tensor that is too large"),
        (memory.exponentials, 2 * tile, "takes the exponentials of more than a tile at once"),
    ):
        if found.numel() > most:
            got = f"a tensor of shape {tuple(found)}"
            want = f"for {x.shape[-2]} tokens and block = {block}, tiles of {block} × {block}"
            raise check.Mismatch(f"{what} {problem}", got, want, alike=tuple(found[-2:]))


def demand_half(counts, memory, what):
    """Demand that of the tiles of a matrix of 3 × 3 the 6 up to the diagonal were made, by what one tile takes."""
    one, all_of_them = counts
    if all_of_them > 6 * one:
        problem = f"{what} makes tiles of which all keys are later"
        alike = round(all_of_them / one), tuple(memory.exponentials[-2:])
        raise check.Mismatch(problem, f"{all_of_them / one:g} tiles for 3 blocks", "6", alike=alike)


def is_one_operation(context):
    """Whether autograd comes from the context by way of FlashAttention, and not by way of every tile."""
    waiting = [context.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and type(node).__name__.startswith("FlashAttention"):
            return True
        waiting += [] if node is None else [one for one, _ in node.next_functions]
    return False


class Memory(OperationMode):
    """Counts, while it lasts, the bytes of what torch makes: the most held at once, and the largest tensor."""

    def __init__(self):
        super().__init__()
        self.held, self.peak, self.storages = 0, 0, {}
        self.largest = self.exponentials = torch.Size([0])  # the shapes of the largest ones
        self.taken = []  # the shapes of what exponentials were taken of

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for made in tree_leaves(result):
            if isinstance(made, torch.Tensor):
                self.largest = max(self.largest, made.shape, key=torch.Size.numel)
                self._hold(made.untyped_storage())
        if func.overloadpacket.__name__ in EXPONENTIALS:
            self.exponentials = max(self.exponentials, args[0].shape, key=torch.Size.numel)
            self.taken.append(args[0].shape)
        return result

    def tiles(self, block):
        """How many numbers exponentials were taken of, in pieces of at least half a tile."""
        return sum(shape.numel() for shape in self.taken if 2 * shape[-2:].numel() >= block * block)

    def _hold(self, storage):
        at, size = storage._cdata, storage.nbytes()
        if at in self.storages:
            return

        def let_go(_):
            self.held -= size
            del self.storages[at]

        self.storages[at] = weakref.ref(storage, let_go)
        self.held += size
        self.peak = max(self.peak, self.held)
