"""k19 flash attention: what must be true of it."""

import weakref
from contextlib import nullcontext

import torch
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dojo import check
from dojo.bans import FUSED_ATTENTION, ban
from dojo.claims import claim
from dojo.strategies import sizes

BANS = [ban(*FUSED_ATTENTION, why="it is what you build here.")]
INPUTS = "B h T d"
TILES = {"R": (1, 6), "C": (1, 6)}
blocks = st.sampled_from([3, 1, 2, 4, 16])  # T is up to 7: several tiles, a last one that is not full, one for all
few = st.sampled_from([3, 2, 16])
EXACT = 1e-10
LARGEST = 4  # times what a tile or an input holds: room for inputs side by side, or filled up to whole tiles
NAMES = ("query", "key", "value")
NOT_WATCHED = nullcontext()


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


def some_inputs(size, names=INPUTS, scale=1.0):
    """Query, key and value in double precision, while the default dtype may be another."""
    return [size.normal(names, salt=name, scale=scale).double() for name in NAMES]


# --- Step 1: a tile --------------------------------------------------------------------------------------------


@claim(step=1, size=sizes("h B R C d", **TILES), first_query=st.integers(0, 9), first_key=st.integers(0, 9), examples=8)
def test_tile_is_a_part_of_the_whole_matrix_of_scores(kata, size, first_query, first_key):
    """The scores of a tile are query · key / √d, and −∞ where the key's position in the sequence is the later one."""
    query, key = size.normal("B h R d").double(), size.normal("B h C d").double()
    want = torch.empty(size.B, size.h, size.R, size.C, dtype=torch.double)
    for r in range(size.R):
        for c in range(size.C):
            visible = first_key + c <= first_query + r
            want[..., r, c] = (query[..., r, :] * key[..., c, :]).sum(-1) / size.d**0.5 if visible else -torch.inf
    got = kata.tile_scores(query, key, first_query, first_key)
    check.equal(got, want, f"tile_scores(query, key, {first_query}, {first_key})", EXACT, query=query, key=key)


# --- Step 2: forward -------------------------------------------------------------------------------------------


@claim(step=2, size=sizes("h B d T", T=(1, 7)), block=blocks, examples=6)
def test_context_is_that_of_causal_attention(kata, size, block):
    """In double precision the context equals that of plain causal attention to 1e-10, whatever the block."""
    query, key, value = some_inputs(size)
    context = forward(kata, query, key, value, block)[0]
    want = plain_attention(query, key, value)
    check.equal(context, want, f"the context, with block = {block},", EXACT, query=query, key=key, value=value)


@claim(step=2, size=sizes("h B d T", T=(1, 7)), block=blocks, examples=6)
def test_logsumexp_is_that_of_the_visible_scores(kata, size, block):
    """logsumexp is, for each query, the logarithm of the sum of e^score over the keys that it sees."""
    query, key, value = some_inputs(size)
    want = torch.logsumexp(causal_scores(query, key), dim=-1)
    got = forward(kata, query, key, value, block)[1]
    check.equal(got, want, f"logsumexp, with block = {block},", EXACT, query=query, key=key)


@claim(step=2, size=sizes("h B d T", T=(2, 7)), block=blocks, examples=5)
def test_extreme_scores_do_not_overflow(kata, size, block):
    """Scores of many thousands, of either sign, whose e^score no number can hold, change nothing."""
    query, key, value = some_inputs(size, scale=60)
    context, logsumexp = forward(kata, query, key, value, block)
    check.equal(context, plain_attention(query, key, value), "the context for large inputs", 1e-8)
    check.equal(logsumexp, torch.logsumexp(causal_scores(query, key), dim=-1), "logsumexp for large inputs", 1e-8)


@claim(step=2, size=sizes("h B d T", T=(1, 7)), block=blocks, examples=3)
def test_results_have_the_dtype_of_the_inputs(kata, size, block):
    """In float32 the context and logsumexp are float32 too."""
    query, key, value = (one.float() for one in some_inputs(size))
    context, logsumexp = forward(kata, query, key, value, block)
    check.equal(context, plain_attention(query, key, value), "the context of float32 inputs")
    check.equal(logsumexp, torch.logsumexp(causal_scores(query, key), dim=-1), "logsumexp of float32 inputs")


@claim(step=2, size=sizes("h", h=(2, 2)), examples=1)
def test_forward_holds_no_more_than_a_tile(kata, size):
    """No tensor that flash_forward makes holds more than a tile or an input does: no scores of all keys at once."""
    query, key, value = some_inputs(size, "1 h 96 2")
    memory = Memory()
    context, _ = forward(kata, query, key, value, 16, memory)
    check.equal(context, plain_attention(query, key, value), "the context of 96 tokens", EXACT)
    demand_small(memory, query, 16, "flash_forward")


# --- Step 3: backward ------------------------------------------------------------------------------------------


@claim(step=3, size=sizes("h B d T", T=(1, 7)), block=blocks, examples=8)
def test_gradients_are_those_of_causal_attention(kata, size, block):
    """In double precision the three gradients equal those that autograd finds through plain attention to 1e-10."""
    inputs, grad = some_inputs(size), size.normal(INPUTS, salt="grad").double()
    for name, got, want in zip(NAMES, backward(kata, grad, inputs, block), plain_gradients(grad, inputs)):
        check.equal(got, want, f"the gradient of {name}, with block = {block},", EXACT, grad=grad)


@claim(step=3, size=sizes("h B d T", T=(2, 7)), block=blocks, examples=3)
def test_extreme_scores_do_not_break_the_gradients(kata, size, block):
    """The gradients hold for scores of many thousands too."""
    inputs, grad = some_inputs(size, scale=60), size.normal(INPUTS, salt="grad").double()
    for name, got, want in zip(NAMES, backward(kata, grad, inputs, block), plain_gradients(grad, inputs)):
        check.equal(got, want, f"the gradient of {name} for large inputs", 1e-6)


@claim(step=3, size=sizes("h", h=(2, 2)), examples=1)
def test_backward_holds_no_more_than_a_tile(kata, size):
    """No tensor that flash_backward makes holds more than a tile or an input does."""
    inputs, grad = some_inputs(size, "1 h 96 2"), size.normal("1 h 96 2", salt="grad").double()
    memory = Memory()
    found = backward(kata, grad, inputs, 16, memory)
    check.equal(found[0], plain_gradients(grad, inputs)[0], "the gradient of 96 queries", EXACT)
    demand_small(memory, grad, 16, "flash_backward")


# --- Step 4: one operation -------------------------------------------------------------------------------------


@claim(step=4, size=sizes("h B d T", T=(1, 7)), block=blocks, examples=5)
def test_flash_attention_is_causal_attention(kata, size, block):
    """flash_attention gives the context of causal attention, with gradients or without, and needs no block."""
    check.equal(
        issubclass(kata.FlashAttention, torch.autograd.Function), True, "FlashAttention as an autograd.Function"
    )
    query, key, value = some_inputs(size)
    want = plain_attention(query, key, value)
    check.equal(kata.flash_attention(query, key, value), want, "flash_attention(query, key, value)", EXACT)
    query.requires_grad_()
    check.equal(kata.flash_attention(query, key, value, block), want, f"the context, with block = {block},", EXACT)


@claim(step=4, size=sizes("h B d T", T=(2, 7)), alone=st.sampled_from([None, *NAMES]), block=few, examples=4)
def test_training_reaches_query_key_and_value(kata, size, alone, block):
    """backward() brings query, key and value their gradients, all or one alone, also after another call."""
    calls, learners = [some_inputs(size), some_inputs(size, scale=2)], NAMES if alone is None else (alone,)
    grad = size.normal(INPUTS, salt="grad").double()
    for inputs in calls:
        for name, one in zip(NAMES, inputs):
            one.requires_grad_(name in learners)
    contexts = [kata.flash_attention(*inputs, block=block) for inputs in calls]
    for which, inputs, context in zip(("first", "second"), calls, contexts):
        check.tensor(context, grad.shape, grad.dtype, "flash_attention(query, key, value)")
        if not context.requires_grad:
            raise check.Mismatch("no gradient passes: the context is cut off from what it was made of", context)
        context.backward(grad)
        for name, one, want in zip(NAMES, inputs, plain_gradients(grad, inputs)):
            if name in learners:
                check.equal(one.grad, want, f"the gradient of {name}, of the {which} of two calls,", EXACT)


@claim(step=4, size=sizes("h", h=(2, 2)), examples=1)
def test_memory_grows_with_the_tokens_not_with_their_square(kata, size):
    """Twice as many tokens take at most twice the memory, kept for backward or in use at once; no tensor is large."""
    taken = {"kept after forward": [], "in use at once": []}
    for tokens in (96, 48):
        inputs = [one.requires_grad_() for one in some_inputs(size, f"1 h {tokens} 2")]
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
            growth = f"{few_tokens:,} bytes at 48 tokens, {many_tokens:,} at 96"
            raise check.Mismatch(f"the memory {what} grows too fast", growth, "twice as much at most", alike="")


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
    with memory:
        results = kata.flash_backward(grad, *inputs, context, logsumexp, block)
    check.instance(results, (tuple, list), "flash_backward(…)")
    check.equal(len(results), 3, "the number of results of flash_backward")
    for name, result in zip(NAMES, results):
        check.tensor(result, grad.shape, grad.dtype, f"the gradient of {name}")
    return results


def demand_small(memory, x, block, what):
    """Demand that no tensor held more numbers than a tile or x, but for some room."""
    most = max(x.numel(), x.shape[0] * x.shape[1] * block * block)
    if memory.largest.numel() > LARGEST * most:
        shape = tuple(memory.largest)
        got, want = f"one of shape {shape}, {memory.largest.numel():,} numbers", f"{most:,} numbers in a tensor at most"
        raise check.Mismatch(f"{what} makes a tensor that is too large", got, want, alike=shape[-2:])


class Memory(TorchDispatchMode):
    """Counts, while it lasts, the bytes of what torch makes: the most held at once, and the largest tensor."""

    @classmethod
    def _should_skip_dynamo(cls):
        return False  # as in dojo.bans: else torch would load its compiler

    def __init__(self):
        super().__init__()
        self.held, self.peak, self.largest, self.storages = 0, 0, torch.Size([0]), {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for made in tree_leaves(result):
            if isinstance(made, torch.Tensor):
                self.largest = max(self.largest, made.shape, key=torch.Size.numel)
                self._hold(made.untyped_storage())
        return result

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
