"""k18 KV cache: what must be true of it."""

import torch
from hypothesis import strategies as st
from torch import nn

from dojo.spec import check, claim, sizes

BANS = []
CLOSE = 1e-10  # of the largest logit, in double precision: what a cached pass may be away from a full one
CACHE = sizes("B h d C", strided=False, C=(3, 8))
MODEL = sizes("B h d V", strided=False, B=(1, 3), h=(2, 3), V=(24, 32))  # of so many tokens, the likeliest tells much
ROWS = sizes("B h d V", strided=False, B=(3, 4), h=(2, 3), V=(8, 12))
# How a text comes in: so many tokens at once, then so many.
CHUNKS = [(1, 1, 1, 1), (3, 1, 1), (1, 3, 2), (9, 1, 1), (2, 2, 1, 1)]
rooms = [2, 0]  # how many tokens fewer than the context length
LENGTHS = [(3, 1, 4), (1, 4, 2), (2, 2, 3)]  # tokens of each prompt
STATEFUL = {
    "earlier": "a cache answers by what it was given before: that is what it is for",
    "dtype": "weights so large that nothing is hidden by them; float32 rounds more than is allowed here",
}
FLOAT32 = {"dtype": "a cache is of float32 unless told otherwise, whatever the default is"}
dtypes = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


# --- A GPT with the names of the contract, and the slow, obvious way to its logits -----------------------------


def bare(kind):
    """A kind of layer that does not draw its first values: they are all filled in at once afterwards."""
    return type(kind.__name__, (kind,), {"reset_parameters": lambda self: None})


Linear, LayerNorm, Table = bare(nn.Linear), bare(nn.LayerNorm), bare(nn.Embedding)


class Attention(nn.Module):
    def __init__(self, D, h, context_length, bias, rate):
        super().__init__()
        self.W_query, self.W_key, self.W_value = (Linear(D, D, bias=bias) for _ in range(3))
        self.out_proj = Linear(D, D)
        self.dropout = nn.Dropout(rate)
        self.register_buffer("mask", torch.ones(context_length, context_length, dtype=torch.bool).triu(1))
        self.h = h

    def forward(self, x):
        B, T, D = x.shape
        query, key, value = (
            layer(x).reshape(B, T, self.h, D // self.h).transpose(1, 2)
            for layer in (self.W_query, self.W_key, self.W_value)
        )
        scores = (query @ key.mT / (D // self.h) ** 0.5).masked_fill(self.mask[:T, :T], -torch.inf)
        return self.out_proj((self.dropout(scores.softmax(-1)) @ value).transpose(1, 2).reshape(B, T, D))


def filled_in(module, size, scale=1.0):
    """The module, all of its parameters normal numbers, in eval mode."""
    count = sum(values.numel() for values in module.parameters())
    numbers = scale * torch.randn(count, generator=size.generator("parameters"))
    nn.utils.vector_to_parameters(numbers, module.parameters())
    return module.eval()


class Block(nn.Module):
    def __init__(self, D, *options):
        super().__init__()
        self.norm1, self.norm2 = LayerNorm(D), LayerNorm(D)
        self.attention = Attention(D, *options)
        self.feed_forward = nn.Sequential(Linear(D, 4 * D), nn.GELU(), Linear(4 * D, D))
        self.dropout = nn.Dropout(options[-1])

    def forward(self, x):
        x = x + self.dropout(self.attention(self.norm1(x)))
        return x + self.dropout(self.feed_forward(self.norm2(x)))


class Embedding(nn.Module):
    def __init__(self, V, context_length, D, rate):
        super().__init__()
        self.tok_emb, self.pos_emb = Table(V, D), Table(context_length, D)
        self.dropout = nn.Dropout(rate)

    def forward(self, ids):
        return self.dropout(self.tok_emb(ids) + self.pos_emb.weight[: ids.shape[1]])


class GPT(nn.Module):
    def __init__(self, size, context_length, layers=2, bias=False, rate=0.0):
        super().__init__()
        D = size.h * size.d
        self.embedding = Embedding(size.V, context_length, D, rate)
        self.blocks = nn.ModuleList(Block(D, size.h, context_length, bias, rate) for _ in range(layers))
        self.final_norm = LayerNorm(D)
        self.lm_head = Linear(D, size.V, bias=False)
        filled_in(self, size)

    def forward(self, ids):
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.final_norm(x))


def gpt(size, context_length, **options):
    return GPT(size, context_length, **options).eval()


@torch.no_grad()
def logits_after(model, ids):
    """The logits of what follows each row, by the full forward pass."""
    return model(ids)[:, -1]


@torch.no_grad()
def greedy_alone(model, ids, new, context_length):
    """Prompts (B, T) with `new` times the most likely token after the last tokens that fit in."""
    for _ in range(new):
        ids = torch.cat([ids, model(ids[:, -context_length:])[:, -1].argmax(-1, keepdim=True)], dim=1)
    return ids


def prompts_of(size, lengths):
    return [torch.randint(size.V, (n,), generator=size.generator(f"prompt {i}")) for i, n in enumerate(lengths)]


def padded(prompts):
    longest = max(map(len, prompts))
    return torch.stack([torch.cat([torch.full((longest - len(one),), -1), one]) for one in prompts])


def pads_of(lengths):
    return torch.tensor([max(lengths) - n for n in lengths])


def chunks_of(values, chunks):
    """A tensor (B, T, …) cut along the tokens, and after each piece how many there have been."""
    pieces = values.split(list(chunks), dim=1)
    return zip(pieces, torch.tensor(chunks).cumsum(0).tolist())


# --- Step 1: the cache -----------------------------------------------------------------------------------------


def filled(kata, size, chunks=(1, 2), **options):
    """A cache with some tokens in it, and the keys and values that went in."""
    cache = kata.KVCache(size.B, size.h, size.C, size.d, **options)
    keys, values = (size.normal(f"B h {sum(chunks)} d", salt=salt).to(cache.keys.dtype) for salt in ("key", "value"))
    for key, value in zip(keys.split(list(chunks), dim=2), values.split(list(chunks), dim=2)):
        cache.append(key, value)
    return cache, keys, values


@claim(step=1, examples=8, size=CACHE, chunks=[(1, 1, 1), (2, 1), (3,), (1, 2)])
def test_append_gives_all_tokens_so_far(kata, size, chunks):
    """append returns the keys and the values of every token that was put in so far, in order."""
    cache = kata.KVCache(size.B, size.h, size.C, size.d)
    check.equal(cache.length, 0, "the length of a new cache")
    keys, values = (size.normal(f"B h {sum(chunks)} d", salt=salt) for salt in ("key", "value"))
    end = 0
    for count in chunks:
        new = [tensor[:, :, end : end + count].clone() for tensor in (keys, values)]
        end += count
        got = cache.append(*new)
        check.instance(got, (tuple, list), "append(key, value)")
        check.equal(len(got), 2, "the number of things that append returns")
        for tensor in new:
            tensor.fill_(99.0)  # what is in the cache is the cache's own
        check.exactly(got[0], keys[:, :, :end], f"the tensor of keys after {end} of {sum(chunks)} tokens")
        check.exactly(got[1], values[:, :, :end], f"the tensor of values after {end} of {sum(chunks)} tokens")
        check.equal(cache.length, end, "the length")


@claim(step=1, examples=2, size=CACHE, without=FLOAT32)
def test_memory_is_reserved_at_once(kata, size):
    """`keys` and `values` have room for the whole capacity from the start, and tokens are written into that memory."""
    cache = kata.KVCache(size.B, size.h, size.C, size.d)
    places = []
    for name in ("keys", "values"):
        check.tensor(getattr(cache, name, None), size.shape("B h C d"), torch.float32, f"`{name}`")
        places.append(getattr(cache, name).data_ptr())
    key, value = size.normal("B h 2 d", salt="key"), size.normal("B h 2 d", salt="value")
    cache.append(key, value)
    got = [place_of(key, cache.keys), place_of(value, cache.values)]
    check.equal(got, [0, 0], "where in `keys` and in `values` the first tokens stand after append")
    after = [cache.keys.data_ptr(), cache.values.data_ptr()]
    check.equal([a == b for a, b in zip(after, places)], [True, True], "whether keys and values stay where they were")


def place_of(tokens, memory):
    """The first of the places at which tokens stand; None where they do not."""
    places = range(memory.shape[2] - tokens.shape[2] + 1)
    return next((at for at in places if torch.equal(memory[:, :, at : at + tokens.shape[2]], tokens)), None)


@claim(step=1, examples=8, size=CACHE)
def test_a_full_cache_refuses_more(kata, size):
    """A cache takes as many tokens as its capacity; one more is a ValueError with both numbers, and writes nothing."""
    cache, keys, _ = filled(kata, size, (size.C - 1,))
    for held, tokens in ((size.C - 1, 2), (size.C, 1), (size.C, 3)):
        if held == size.C and cache.length < size.C:
            one = size.normal("B h 1 d", salt="last")
            cache.append(one, one)
            keys = torch.cat([keys, one], dim=2)
            check.equal(cache.length, size.C, "the length of a full cache")
        more = size.normal(f"B h {tokens} d")
        for memory in (cache.keys, cache.values):
            memory[:, :, held:] = 7.0  # so that a new token shows
        what = f"append of {tokens} to a cache of {size.C} that holds {held}"
        check.raises(ValueError, lambda: cache.append(more, more), [held + tokens, size.C], what)
        check.equal(cache.length, held, "the length after that")
        check.exactly(cache.keys[:, :, :held], keys, "the keys after that")
        for name in ("keys", "values"):
            free = getattr(cache, name)[:, :, held:]
            check.exactly(free, torch.full_like(free, 7.0), f"what `{name}` has behind them")


@claim(step=1, examples=4, size=CACHE, dtype=dtypes, without=FLOAT32)
def test_a_cache_has_its_dtype(kata, size, dtype):
    """Keys and values have the dtype that was asked for, and torch's default dtype where none was."""
    for options, want in (({"dtype": dtype}, dtype), ({}, torch.float32)):
        cache = kata.KVCache(size.B, size.h, size.C, size.d, **options)
        check.equal(str(cache.keys.dtype), str(want), "the dtype of `keys`")
        check.equal(str(cache.values.dtype), str(want), "the dtype of `values`")


@claim(step=1, examples=1, size=CACHE, double=True)
def test_a_cache_without_a_dtype_has_the_default(kata, size):
    """Where no dtype is asked for it is torch's default dtype: float64 where someone has set that."""
    cache = kata.KVCache(size.B, size.h, size.C, size.d)
    got = [str(cache.keys.dtype), str(cache.values.dtype)]
    check.equal(got, ["torch.float64"] * 2, "the dtypes of keys and values, where the default is float64,")


@claim(step=1, examples=2, size=CACHE)
def test_a_cache_lives_on_its_device(kata, size):
    """Keys and values are made on the device that was asked for (seen with the meta device)."""
    cache = kata.KVCache(size.B, size.h, size.C, size.d, torch.float32, "meta")
    check.equal([cache.keys.device.type, cache.values.device.type], ["meta", "meta"], "the devices of keys and values")


@claim(step=1, examples=8, size=CACHE)
def test_every_cache_keeps_its_own(kata, size):
    """What is put into one cache does not show in another, and keys do not show in values."""
    one, keys, values = filled(kata, size)
    other = kata.KVCache(size.B, size.h, size.C, size.d)
    other.append(*(size.normal("B h 1 d", salt=salt) for salt in "ab"))
    check.equal([one.length, other.length], [3, 1], "the lengths of two caches")
    check.exactly(one.keys[:, :, :3], keys, "the keys of the first")
    check.exactly(one.values[:, :, :3], values, "the values of the first")


@claim(step=1, examples=8, size=CACHE, layers=[1, 3], dtype=dtypes)
def test_cache_bytes_is_what_is_measured(kata, size, layers, dtype):
    """cache_bytes is the number of entries of the keys and values of all layers, times the bytes of an entry."""
    caches = [kata.KVCache(size.B, size.h, size.C, size.d, dtype=dtype) for _ in range(layers)]
    want = sum(tensor.numel() * tensor.element_size() for one in caches for tensor in (one.keys, one.values))
    got = kata.cache_bytes(layers, size.B, size.h, size.C, size.d, dtype)
    check.equal(got, want, f"cache_bytes({layers}, {size.B}, {size.h}, {size.C}, {size.d}, {dtype})")
    by_name = {"num_layers": layers, "batch_size": size.B, "num_heads": size.h, "capacity": size.C, "head_dim": size.d}
    got = kata.cache_bytes(**by_name)
    check.equal(got, want // dtype.itemsize * 4, "cache_bytes(…) without a dtype, which means float32,")
    large = layers * 2**34 * dtype.itemsize  # more than 32 bits can count
    check.equal(kata.cache_bytes(layers, 64, 32, 2**15, 128, dtype), large, "cache_bytes of a large model")


# --- Step 2: attention over a cache ----------------------------------------------------------------------------


def attention_and_cache(kata, size, tokens, bias=True, scale=1.0, batch=None):
    """Layers, and a cache with room for more than there is: a token that is put in twice is no error, but wrong."""
    attention = filled_in(Attention(size.h * size.d, size.h, tokens, bias, 0.5), size, scale)
    return attention, kata.KVCache(batch or size.B, size.h, 2 * tokens + 1, size.d)


@claim(
    step=2,
    examples=6,
    size=MODEL,
    chunks=CHUNKS,
    scale=[1.0, 6.0],
    bias=[False, True],
    mode=[False, True],
    double=True,
    without=STATEFUL,
)
def test_piece_by_piece_equals_all_at_once(kata, size, chunks, scale, bias, mode):
    """Attention over a cache gives each token what the full causal attention gives it, however the text comes in; in
    train mode too nothing is dropped."""
    attention, cache = attention_and_cache(kata, size, sum(chunks), bias, scale)
    x = size.normal(f"B {sum(chunks)} h*d")
    with torch.no_grad():
        whole = attention(x)
        attention.train(mode)
        for piece, end in chunks_of(x, chunks):
            got = kata.cached_attention(attention=attention, x=piece, cache=cache)
            want = whole[:, end - piece.shape[1] : end]
            held = end - piece.shape[1]
            try:
                check.equal(got, want, f"the output for the tokens from number {held + 1} on", tolerance=CLOSE, x=piece)
            except check.Mismatch as mismatch:
                if mode and drops(kata, attention, size, x):
                    mismatch.alike = "dropout"  # what was drawn is no evidence
                raise


def drops(kata, attention, size, x):
    """Whether two readings of one text differ."""
    caches = [kata.KVCache(size.B, size.h, x.shape[1], size.d) for _ in range(2)]
    return not torch.equal(*(kata.cached_attention(attention, x, cache) for cache in caches))


@claim(step=2, examples=2, size=MODEL, chunks=[(3,), (1, 2)], double=True, without=STATEFUL)
def test_later_tokens_are_hidden_whatever_the_scores(kata, size, chunks):
    """The first token's output is made of its own value alone, also where its own score is far below all others."""
    attention, cache = attention_and_cache(kata, size, sum(chunks), bias=False)
    x = size.normal(f"B {sum(chunks)} h*d") + 1
    with torch.no_grad():
        attention.W_key.weight.copy_(-1e5 * attention.W_query.weight)
        want = attention.out_proj(attention.W_value(x[:, :1]))
        for piece, _ in chunks_of(x, chunks):
            got = kata.cached_attention(attention, piece, cache)
            check.tensor(got, piece.shape, piece.dtype, "the output")
            if want is not None:
                check.equal(got[:, :1], want, "the output for the first token", tolerance=CLOSE, x=x)
            want = None


@claim(step=2, examples=8, size=MODEL, chunks=CHUNKS, double=True, without=STATEFUL)
def test_new_tokens_are_put_into_the_cache_once(kata, size, chunks):
    """Each token's key and value are in the cache afterwards, once, where the token stands."""
    attention, cache = attention_and_cache(kata, size, sum(chunks))
    x = size.normal(f"B {sum(chunks)} h*d")
    with torch.no_grad():
        for piece, end in chunks_of(x, chunks):
            kata.cached_attention(attention, piece, cache)
            check.equal(cache.length, end, f"the length of the cache after {end} tokens")
        for name, layer in (("keys", attention.W_key), ("values", attention.W_value)):
            want = layer(x).unflatten(-1, (size.h, size.d)).transpose(1, 2)
            check.equal(getattr(cache, name)[:, :, : sum(chunks)], want, f"`{name}`", tolerance=CLOSE)


@claim(step=2, examples=4, size=MODEL, lengths=LENGTHS, more=[(1,), (2, 1)], double=True, without=STATEFUL)
def test_padding_is_not_seen(kata, size, lengths, more):
    """With padding on the left each row gets what its own tokens alone give, and nothing becomes NaN."""
    T, longest = max(lengths) + sum(more), max(lengths)
    attention, cache = attention_and_cache(kata, size, T, batch=3)
    x, pads = 3 * size.normal(f"3 {T} h*d"), pads_of(lengths)
    with torch.no_grad():
        for piece, end in chunks_of(x, (longest, *more)):
            got = kata.cached_attention(attention, piece, cache, pads)
            check.tensor(got, piece.shape, piece.dtype, "the output")
            check.equal(bool(got.isfinite().all()), True, "whether all of the output is finite, that of padding too,")
            for row, pad in enumerate(pads.tolist()):
                start = max(end - piece.shape[1], pad)
                want = attention(x[row : row + 1, pad:end])[0, start - pad :]
                what = f"row {row}, behind {pad} pads: the output for tokens {start} to {end - 1}"
                check.equal(got[row, piece.shape[1] - len(want) :], want, what, tolerance=CLOSE, pads=pads)


# --- Step 3: the next logits -----------------------------------------------------------------------------------


@claim(step=3, examples=2, size=MODEL, layers=[1, 3])
def test_every_block_has_a_cache_that_fits(kata, size, layers):
    """make_caches gives each block an empty cache of its own, with the shape, dtype and device of the model."""
    other = torch.float32 if torch.get_default_dtype() == torch.float64 else torch.float64
    for options in ({"dtype": other}, {"device": "meta"}):
        model = gpt(size, 5, layers=layers).to(**options)
        caches = kata.make_caches(model, 3, size.h, 7)
        check.instance(caches, (list, tuple), "make_caches(…)")
        check.equal(len(caches), layers, "the number of caches")
        check.equal(len({id(cache) for cache in caches}), layers, "the number of different caches")
        weight = model.lm_head.weight
        for cache in caches:
            check.equal(cache.length, 0, "the length of a cache")
            for name in ("keys", "values"):
                check.tensor(getattr(cache, name), (3, size.h, 7, size.d), None, f"`{name}`")
                got = str(getattr(cache, name).dtype), getattr(cache, name).device.type
                check.equal(got, (str(weight.dtype), weight.device.type), f"dtype and device of `{name}`")


@claim(step=3, examples=5, size=MODEL, chunks=CHUNKS, room=rooms, bias=[False, True], double=True, without=STATEFUL)
def test_each_step_equals_the_full_forward_pass(kata, size, chunks, room, bias):
    """However the text comes in, after each piece the logits are those of a full pass over all of it."""
    model = gpt(size, sum(chunks) + room, bias=bias)
    ids = size.ids(f"B {sum(chunks)}", size.V)
    caches = kata.make_caches(model, size.B, size.h, sum(chunks) + room)
    for piece, end in chunks_of(ids, chunks):
        got = kata.next_logits(model, piece, caches)
        check.equal(
            got,
            logits_after(model, ids[:, :end]),
            f"the matrix of logits after token number {end}",
            tolerance=CLOSE,
            ids=ids,
        )


@claim(step=3, examples=3, size=MODEL, lengths=LENGTHS, room=rooms, double=True, without=STATEFUL)
def test_each_padded_row_is_as_if_alone(kata, size, lengths, room):
    """Prompts of several lengths, padded on the left: every row's logits are those it would get alone, at each step."""
    new, longest = 2, max(lengths)
    model, prompts = gpt(size, longest + new + room), prompts_of(size, [n + new for n in lengths])
    ids, pads = padded(prompts), pads_of(lengths)
    caches = kata.make_caches(model, 3, size.h, longest + new + room)
    for piece, end in chunks_of(ids, (longest, 1, 1)):
        got = kata.next_logits(model=model, ids=piece, caches=caches, pads=pads)
        want = torch.cat([logits_after(model, one[None, : end - pad]) for one, pad in zip(prompts, pads.tolist())])
        check.equal(
            got, want, f"the matrix of logits after column number {end}", tolerance=CLOSE, ids=ids[:, :end], pads=pads
        )


@claim(step=3, examples=1, size=MODEL, double=True)
def test_two_texts_do_not_disturb_each_other(kata, size):
    """Two texts that are read in turns, each with caches of its own, get the logits that each gets alone."""
    model = gpt(size, 5, layers=1)
    texts = [size.ids("B 2", size.V, salt=salt) for salt in ("one", "two")]
    caches = [kata.make_caches(model, size.B, size.h, 5) for _ in texts]
    for end in (1, 2):
        for number, (ids, own) in enumerate(zip(texts, caches), start=1):
            got = kata.next_logits(model, ids[:, end - 1 : end], own)
            want = logits_after(model, ids[:, :end])
            check.equal(
                got, want, f"the matrix of logits of text {number} after token number {end}", tolerance=CLOSE, ids=ids
            )


@claim(step=3, examples=2, size=MODEL)
def test_a_double_model_is_read_in_double(kata, size):
    """A model in double precision loses nothing in its caches, whatever torch's default dtype is."""
    model, ids = gpt(size, 4).double(), size.ids("B 3", size.V)
    caches = kata.make_caches(model, size.B, size.h, 4)
    for end in (1, 2, 3):
        got = kata.next_logits(model, ids[:, end - 1 : end], caches)
        check.equal(
            got,
            logits_after(model, ids[:, :end]),
            f"the matrix of logits after token number {end}",
            tolerance=CLOSE,
            ids=ids,
        )


@claim(step=3, examples=2, size=MODEL, double=True, without=STATEFUL)
def test_nothing_is_dropped(kata, size):
    """The logits are those of eval mode, also where the model is in train mode, and its mode is as before."""
    model, ids = gpt(size, 4, rate=0.5), size.ids("B 3", size.V)
    want = logits_after(model, ids)
    for mode in (True, False):
        caches = kata.make_caches(model.train(mode), batch_size=size.B, num_heads=size.h, capacity=4)
        for piece in (ids[:, :2], ids[:, 2:]):
            got = kata.next_logits(model, piece, caches)
        again = kata.next_logits(model, ids, kata.make_caches(model, size.B, size.h, 4))
        what = "train" if mode else "eval"
        check.tensor(got, want.shape, None, f"the matrix of logits after 3 tokens, in {what} mode,")
        if (
            torch.is_tensor(again)
            and again.shape == want.shape
            and (again - got).abs().max() > CLOSE * want.abs().max()
        ):
            problem = f"two readings of one text, in {what} mode, give different logits: something is dropped"
            raise check.Mismatch(problem, got, want, alike=where_it_drops(kata, model, size, ids))
        check.equal(got, want, f"the matrix of logits after 3 tokens, in {what} mode,", tolerance=CLOSE, ids=ids)
        modes = {module.training for module in model.modules()}
        check.equal(modes, {mode}, "the modes of the model's parts afterwards (True: train mode)")


def where_it_drops(kata, model, size, ids):
    """Whether two readings agree once nothing is dropped in the embedding."""
    model.embedding.eval()
    one, other = (kata.next_logits(model, ids, kata.make_caches(model, size.B, size.h, 4)) for _ in range(2))
    return "in the embedding" if torch.equal(one, other) else "in the blocks"


@claim(step=3, examples=2, size=MODEL, without=STATEFUL)
def test_no_graph_is_kept(kata, size):
    """Nothing is recorded for gradients: the caches hold plain numbers, and so do the logits."""
    model, ids = gpt(size, 4), size.ids("B 3", size.V)
    caches = kata.make_caches(model, size.B, size.h, 4)
    got = kata.next_logits(model, ids, caches)
    check.tensor(got, size.shape("B V"), torch.get_default_dtype(), "the logits")
    flags = got.requires_grad, caches[0].keys.requires_grad, caches[-1].values.requires_grad
    check.equal(flags, (False, False, False), "whether logits, keys and values have a gradient")
    check.equal(torch.is_grad_enabled(), True, "whether gradients are still on afterwards")


@claim(step=3, examples=2, size=MODEL, spare=[0, 2])
def test_a_text_may_fill_the_context_and_no_more(kata, size, spare):
    """As many tokens as the context length can be read; one more is a ValueError or an IndexError, also where the
    caches have room."""
    model, ids = gpt(size, 4), size.ids("B 5", size.V)
    caches = kata.make_caches(model, size.B, size.h, 4 + spare)
    check.tensor(kata.next_logits(model, ids[:, :3], caches), size.shape("B V"), None, "the logits after 3 tokens")
    check.tensor(kata.next_logits(model, ids[:, 3:4], caches), size.shape("B V"), None, "the logits after 4 tokens")
    call = lambda: kata.next_logits(model, ids[:, 4:], caches)  # noqa: E731
    check.raises((ValueError, IndexError), call, what="a fifth token with a context length of 4")


# --- Step 4: writing -------------------------------------------------------------------------------------------


@claim(step=4, examples=8, size=MODEL, lengths=[*LENGTHS, (3,), (2, 2)])
def test_pad_left_puts_the_padding_on_the_left(kata, size, lengths):
    """pad_left gives a row for each prompt; the prompts end at the right edge, with −1 before the shorter ones."""
    prompts = prompts_of(size, lengths)
    check.exactly(kata.pad_left(prompts), padded(prompts), "pad_left(prompts)")


def reader_of(kata, model, size, context_length):
    reader = kata.CachedGPT(model, size.h, context_length)
    check.instance(reader, nn.Module, "CachedGPT(…)")
    return reader


def last(reader, ids, V):
    """The last logits of a result that has a place for each token."""
    got = reader(ids)
    check.tensor(got, (*ids.shape, V), None, "CachedGPT's output")
    return got[:, -1]


@claim(step=4, examples=2, size=ROWS, double=True, without=STATEFUL)
def test_a_growing_text_gets_the_logits_of_the_model(kata, size):
    """While a text grows, by one token or several, the last logits of CachedGPT are those of the model for it."""
    for chunks, room in (((1, 1, 3), 2), ((2, 2, 1), 0)):
        model, ids = gpt(size, 5 + room), size.ids("B 5", size.V)
        reader = reader_of(kata, model, size, 5 + room)
        for _, end in chunks_of(ids, chunks):
            got, want = last(reader, ids[:, :end], size.V), logits_after(model, ids[:, :end])
            check.equal(
                got, want, f"the matrix of last logits, up to token number {end},", tolerance=CLOSE, ids=ids[:, :end]
            )


@claim(step=4, examples=2, size=ROWS, way=["at once", "by growing"], without=STATEFUL)
def test_a_text_that_is_too_long_is_refused(kata, size, way):
    """More than context_length tokens are a ValueError or an IndexError, also where the model could take more."""
    model, ids = gpt(size, 9, layers=1), size.ids("B 5", size.V)
    reader = kata.CachedGPT(model=model, num_heads=size.h, context_length=4)
    if way == "by growing":
        for end in (3, 4):
            last(reader, ids[:, :end], size.V)
    call = lambda: reader(ids)  # noqa: E731
    check.raises((ValueError, IndexError), call, what=f"a text of 5 tokens, {way}, with a context_length of 4,")


@claim(step=4, examples=2, size=ROWS, pads=[0, 1], double=True, without=STATEFUL)
def test_what_was_read_is_not_read_again(kata, size, pads):
    """Once a token has been read its embedding plays no part any more: its keys and values are in the caches."""
    model = gpt(size, 6)
    ids = torch.arange(6).repeat(size.B, 1)  # no token comes twice
    ids[-1, :pads] = -1
    wanted = {}
    for end in range(2 + pads, 7):
        rows = logits_after(model, ids[:-1, :end]), logits_after(model, ids[-1:, pads:end])
        wanted[end] = torch.cat(rows)
    reader = reader_of(kata, model, size, 6)
    last(reader, ids[:, : 1 + pads], size.V)
    for end, want in wanted.items():
        with torch.no_grad():
            model.embedding.tok_emb.weight[: end - 1] = 1000.0  # those of tokens that have been read
        got = last(reader, ids[:, :end], size.V)
        what = f"the matrix of last logits up to token number {end}, when the embeddings of those before have changed,"
        check.equal(got, want, what, tolerance=CLOSE, ids=ids[:, :end])


@claim(step=4, examples=1, size=MODEL, double=True)
def test_two_readers_do_not_disturb_each_other(kata, size):
    """Two stand-ins that read in turns each keep to their own text."""
    model = gpt(size, 5, layers=1)
    texts = [size.ids("B 3", size.V, salt=salt) for salt in ("one", "two")]
    readers = [reader_of(kata, model, size, 5) for _ in texts]
    for end in (2, 3):
        for number, (ids, reader) in enumerate(zip(texts, readers), start=1):
            got, want = last(reader, ids[:, :end], size.V), logits_after(model, ids[:, :end])
            check.equal(
                got,
                want,
                f"the matrix of last logits of text {number} after token number {end}",
                tolerance=CLOSE,
                ids=ids,
            )


def other_last_row(ids):
    return torch.cat([ids[:-1], (ids[-1:] + 1) % 8])


def other_first_row(ids):
    return torch.cat([(ids[:1] + 1) % 8, ids[1:]])


BEGINNINGS = {  # in this order, what compares less and less gives itself away
    "other tokens everywhere": lambda ids: (ids + 1) % 8,
    "another first and last token": lambda ids: torch.cat(
        [(ids[:, :1] + 1) % 8, ids[:, 1:-1], (ids[:, -1:] + 1) % 8], 1
    ),
    "another last token": lambda ids: torch.cat([ids[:, :-1], (ids[:, -1:] + 1) % 8], dim=1),
    "another first token": lambda ids: torch.cat([(ids[:, :1] + 1) % 8, ids[:, 1:]], dim=1),
    "other tokens in the first and the last row": lambda ids: other_first_row(other_last_row(ids)),
    "other tokens in the first row": other_first_row,
    "other tokens in the last row": other_last_row,
    "rows in another order": lambda ids: ids.flip(0),
}
CHANGES = {
    "the same text again": lambda ids: ids,
    "another last token": BEGINNINGS["another last token"],
    "a shorter text": lambda ids: ids[:, :-1],
    "a text one token further on": lambda ids: torch.cat([ids[:, 1:], ids[:, :1]], dim=1),
    "more rows": lambda ids: torch.cat([ids, ids.flip(1)]),
    "one row of a longer text": lambda ids: torch.cat([ids, ids], dim=1)[:1],
}


@claim(step=4, examples=2, size=ROWS, double=True, without=STATEFUL)
def test_a_longer_text_that_began_otherwise_is_read_anew(kata, size):
    """A longer text goes on from the one before only where all rows begin with all of it; else it is read anew."""
    longer = {
        change: lambda ids, make=make, more=(3, 1)[number % 2]: torch.cat([make(ids), ids[:, :more]], 1)
        for number, (change, make) in enumerate(BEGINNINGS.items())
    }
    check_anew(kata, size, longer)


@claim(step=4, examples=1, size=ROWS, double=True)
def test_ids_that_change_in_place_are_noticed(kata, size):
    """What was read is remembered as it was: others may be written into the same tensor."""
    model, ids = gpt(size, 5, layers=1), size.ids("B 5", size.V).contiguous()
    reader = reader_of(kata, model, size, 5)
    last(reader, ids[:, :3], size.V)
    ids[:, 1] = (ids[:, 1] + 1) % size.V
    check.equal(last(reader, ids, size.V), logits_after(model, ids), "the last logits", tolerance=CLOSE, ids=ids)


@claim(step=4, examples=2, size=ROWS, double=True, without=STATEFUL)
def test_another_text_is_read_anew(kata, size):
    """A text that is no longer than the one before, or has other rows, is read anew; nothing is left of the other."""
    check_anew(kata, size, CHANGES)


def check_anew(kata, size, changes):
    model, ids = gpt(size, 6, layers=1), size.ids("B 3", 8)
    reader, before = reader_of(kata, model, size, 6), logits_after(model, ids)
    for change, make in changes.items():
        other = make(ids)
        for text, want in ((ids, before), (other, logits_after(model, other))):
            got = last(reader, text, size.V)
            check.equal(got, want, f"the matrix of last logits ({change})", tolerance=CLOSE, ids=ids, then=other)


@claim(step=4, examples=6, size=MODEL, prompt=[2, 1, 6], room=[5, 4, 0], spare=[0, 3], double=True)
def test_texts_are_those_of_the_model(kata, size, prompt, room, spare):
    """generate_cached at temperature 0 writes what the model finds most likely, past the context length too, also
    where the model could read more."""
    context_length = 2 + room
    model = gpt(size, context_length + spare, layers=1)
    for which in ("first", "second"):
        ids = size.ids(f"B {prompt}", size.V, salt=which)
        got = kata.generate_cached(model, ids, 5, num_heads=size.h, context_length=context_length, temperature=0)
        want = greedy_alone(model, ids, 5, context_length)
        what = f"generate_cached(model, ids, 5, context_length={context_length}) for the {which} prompts"
        check.exactly(got, want, what, ids=ids)


@claim(step=4, examples=6, size=MODEL, lengths=LENGTHS, room=[6, 3, 1, 0, -1], double=True)
def test_prompts_of_several_lengths_are_continued_each_by_itself(kata, size, lengths, room):
    """Each row of a padded batch is continued as if it stood alone, past the context length too."""
    context_length = max(lengths) + room
    model, prompts = gpt(size, context_length), prompts_of(size, lengths)
    ids = padded(prompts)
    got = kata.generate_cached(model, ids, 6, num_heads=size.h, context_length=context_length, temperature=0)
    want = padded([greedy_alone(model, one[None], 6, context_length)[0] for one in prompts])
    check.exactly(got, want, f"generate_cached(model, ids, 6, context_length={context_length})", ids=ids)


@claim(step=4, examples=1, size=MODEL, seed=st.integers(0, 9), double=True)
def test_sampling_takes_the_options_of_generate(kata, size, seed):
    """The options of k13's generate hold: temperature, top_k, top_p, stop_id and the generator."""
    model, ids = gpt(size, 6, layers=1), size.ids("B 2", size.V).repeat(4, 1)
    sizes = {"num_heads": size.h, "context_length": 6}
    best = greedy_alone(model, ids, 3, 6)
    for options in ({"top_k": 1}, {"top_p": 1e-9}, {"temperature": 1e-4}):
        check.exactly(kata.generate_cached(model, ids, 3, **sizes, **options), best, f"the text with {options}")
    hot = [
        kata.generate_cached(model, ids, 3, **sizes, temperature=50.0, generator=torch.Generator().manual_seed(number))
        for number in (seed, seed, seed + 1)
    ]
    if not torch.equal(hot[1], hot[0]):
        raise check.Mismatch("the text with an equal generator is another one", hot[1], hot[0], alike="another")
    check.equal(torch.equal(hot[2], hot[0]), False, "whether another generator gives the same text")
    stop, again = hot[0][0, 2].item(), {"temperature": 50.0, "generator": torch.Generator().manual_seed(seed)}
    got = kata.generate_cached(model, ids, 3, **sizes, **again, stop_id=stop)
    check.instance(got, torch.Tensor, "generate_cached(…)")
    model.lm_head.weight.data.mul_(1e-3)  # all tokens are about equally likely
    usual = [kata.generate_cached(model, ids, 3, **sizes, generator=torch.Generator().manual_seed(n)) for n in (1, 2)]
    check.equal(torch.equal(*usual), False, "whether another generator gives the same text, without a temperature,")
    check.exactly(got[0, 2:], torch.full_like(got[0, 2:], stop), f"row 0 from where it stops, with stop_id={stop}")


@claim(step=4, examples=1, size=MODEL, double=True)
def test_writing_leaves_the_mode_as_it_was(kata, size):
    """The text is written without dropout, and afterwards the model is in the mode it came in."""
    model, ids = gpt(size, 5, layers=1, rate=0.5), size.ids("B 2", size.V)
    want = greedy_alone(model, ids, 3, 5)
    for training in (True, False):
        model.train(training)
        got = kata.generate_cached(model, ids, 3, num_heads=size.h, context_length=5, temperature=0)
        check.exactly(got, want, "the text", ids=ids)
        modes = {module.training for module in model.modules()}
        check.equal(modes, {training}, "the modes of the model's parts afterwards (True: train mode)")
