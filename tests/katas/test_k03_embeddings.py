"""k03 embeddings: what must be true of them."""

import functools

import torch
from hypothesis import strategies as st

from dojo.spec import OperationMode, check, claim, randomise, sizes, tree_leaves

BANS = []
EMBEDDING = "B T D V"
rooms = [2, 0]  # how many tokens fewer than the context length
rates = [0.5, 0.25, 0.8]
refusals = (ValueError, IndexError)


# --- Oracles and parts -----------------------------------------------------------------------------------------


def one_hot(ids, rows):
    """A 1 in the column of each id and 0 elsewhere: (B, T) becomes (B, T, rows)."""
    return (ids[..., None] == torch.arange(rows)).to(torch.get_default_dtype())


def sum_by_hand(tok, pos, ids):
    """Token row plus position row, one token after the other."""
    rows = [[tok[ids[b, t]] + pos[t] for t in range(ids.shape[1])] for b in range(ids.shape[0])]
    return torch.stack([torch.stack(row) for row in rows])


def some_ids(size):
    """Ids (B, T), the first and the last one of the vocabulary among them."""
    ids = size.ids("B T", size.V)
    ids[-1, -1] = 0
    ids[0, 0] = size.V - 1
    return ids


def ordinary_ids(size):
    """Ids (B, T) that are neither the first nor the last one of the vocabulary."""
    return size.ids("B T", size.V - 2) + 1


def embedding(kata, size, room=0, **options):
    """The module under test in eval mode, with tables that no default start hides."""
    module = kata.GPTEmbedding(size.V, size.T + room, size.D, **options)
    check.instance(module, torch.nn.Module, "GPTEmbedding(…)")
    randomise(module, size)
    return module.eval()


def tables(module):
    """The two tables of a module, as they are, without gradient."""
    return check.parameter(module, "tok_emb.weight").detach(), check.parameter(module, "pos_emb.weight").detach()


# --- Step 1: lookup --------------------------------------------------------------------------------------------


@claim(step=1, size=sizes(EMBEDDING))
def test_lookup_equals_one_hot_times_table(kata, size):
    """lookup gives for every id the row of the table with that number: the same as one-hot rows times the table."""
    ids, table = some_ids(size), size.normal("V D")
    check.equal(kata.lookup(ids, table), one_hot(ids, size.V) @ table, "lookup(ids, table)", ids=ids, table=table)


@claim(step=1, size=sizes(EMBEDDING))
def test_lookup_lets_the_table_learn(kata, size):
    """The gradient reaches each row of the table as often as its id was looked up."""
    ids, table = some_ids(size), size.normal("V D").requires_grad_()
    rows = kata.lookup(ids, table)
    check.tensor(rows, size.shape("B T D"), table.dtype, "lookup(ids, table)")
    count = one_hot(ids, size.V).sum(dim=(0, 1))
    demand_gradients(rows, {"the table": (table, count)}, ids)


@claim(step=1, size=sizes(EMBEDDING))
def test_lookup_leaves_its_arguments_alone(kata, size):
    """lookup changes neither the ids nor the table."""
    ids, table = some_ids(size), size.normal("V D")
    check.present(kata.lookup(ids, table), "lookup(ids, table)")
    check.exactly(ids, some_ids(size), "the tensor of ids after the call")
    check.exactly(table, size.normal("V D"), "the table after the call")


# --- Step 2: two tables ----------------------------------------------------------------------------------------


@claim(step=2, size=sizes(EMBEDDING), room=rooms)
def test_there_is_a_row_for_every_token_and_every_place(kata, size, room):
    """tok_emb and pos_emb are `nn.Embedding`: a row for each token, a row for each place, both of width emb_dim."""
    module = kata.GPTEmbedding(size.V, size.T + room, size.D)
    check.instance(module, torch.nn.Module, "GPTEmbedding(…)")
    shapes = {"tok_emb": [size.V, size.D], "pos_emb": [size.T + room, size.D]}
    for name in shapes:
        if not hasattr(module, name):
            raise check.Mismatch(f"GPTEmbedding has no `{name}`", sorted(dict(module.named_children())), name)
        table = getattr(module, name)
        check.instance(table, torch.nn.Embedding, f"`{name}`")
    got = {name: list(getattr(module, name).weight.shape) for name in shapes}
    check.equal(got, shapes, "the pair of shapes of the two tables")


@claim(step=2, size=sizes(EMBEDDING), room=rooms)
def test_both_tables_are_trained_and_nothing_else(kata, size, room):
    """The module's parameters are the two tables: an optimizer finds both, and each by itself."""
    module = kata.GPTEmbedding(size.V, size.T + room, size.D)
    check.instance(module, torch.nn.Module, "GPTEmbedding(…)")
    count = sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
    check.equal(count, (size.V + size.T + room) * size.D, "the number of trained parameters")


@claim(step=2, size=sizes(EMBEDDING), room=rooms)
def test_each_table_has_numbers_of_its_own(kata, size, room):
    """What is written into one table does not show in the other: they share no memory."""
    module = kata.GPTEmbedding(size.V, size.T + room, size.D)
    check.instance(module, torch.nn.Module, "GPTEmbedding(…)")
    tok, pos = tables(module)
    for written, other, name in ((pos, tok, "tok_emb"), (tok, pos, "pos_emb")):
        other.fill_(1)
        written.fill_(2)
        check.exactly(other, torch.ones_like(other), f"`{name}.weight` after a change of the other table")


# --- Step 3: refuse what cannot be right -----------------------------------------------------------------------


@claim(step=3, size=sizes(EMBEDDING), dtype=[torch.float32, torch.float64, torch.float16])
def test_ids_that_are_not_integers_are_refused(kata, size, dtype):
    """Floating-point ids are a TypeError."""
    module = embedding(kata, size, room=2)
    check.raises(TypeError, lambda: module(ordinary_ids(size).to(dtype)), what=f"an embedding of {dtype} ids")


@claim(step=3, size=sizes(EMBEDDING, T=(11, 15), B=(1, 3)), more=st.integers(1, 9))
def test_too_many_tokens_are_refused(kata, size, more):
    """More tokens than the context length are a ValueError with both numbers."""
    module = embedding(kata, size)
    ids = torch.ones(size.B, size.T + more, dtype=torch.int64)
    call = lambda: module(ids)
    what = f"a sequence of {size.T + more} tokens in a context of {size.T}"
    check.raises(refusals, call, (size.T + more, size.T), what)


@claim(step=3, size=sizes(EMBEDDING), beyond=st.integers(30, 99))
def test_ids_outside_the_vocabulary_are_refused(kata, size, beyond):
    """An id outside the vocabulary, wherever it stands, is a ValueError that names the id."""
    module = embedding(kata, size, room=2)
    first, passed = None, []
    for b in range(size.B):
        for t in range(size.T):
            ids = ordinary_ids(size)
            ids[b, t] = beyond
            try:
                what = f"the id {beyond} at [{b}, {t}] of {size.B}×{size.T} ids, with a vocabulary of {size.V},"
                check.raises(refusals, functools.partial(module, ids), (beyond,), what)
            except check.Mismatch as mismatch:
                mismatch.given = {"ids": ids}
                first = first or mismatch
                passed.append((b, t, mismatch.alike))
    if first is not None:
        first.alike = passed  # at which places the id was not refused, and what was said or given instead
        raise first


@claim(step=3, size=sizes(EMBEDDING))
def test_the_first_id_past_the_table_is_refused(kata, size):
    """The id `vocab_size` is a ValueError: ids go from 0 to vocab_size − 1."""
    ids = ordinary_ids(size)
    ids[size.seed % size.B, size.seed % size.T] = size.V
    module = embedding(kata, size, room=2)
    check.raises(refusals, lambda: module(ids), (size.V,), f"the id {size.V} in a vocabulary of {size.V}")


@claim(step=3, size=sizes(EMBEDDING), below=st.integers(1, 30))
def test_negative_ids_are_refused(kata, size, below):
    """A negative id is a ValueError that names the id, though Python would count from the end."""
    ids = ordinary_ids(size)
    ids[below % size.B, below % size.T] = -below
    module = embedding(kata, size, room=2)
    check.raises(refusals, lambda: module(ids), (-below,), f"the id {-below}")


# --- Step 4: token plus position -------------------------------------------------------------------------------


@claim(step=4, size=sizes(EMBEDDING))
def test_every_length_up_to_the_context_is_accepted(kata, size):
    """A sequence may have any number of tokens from 1 to the context length, that length included."""
    module = embedding(kata, size)
    inputs = {T: torch.zeros(size.B, T, dtype=torch.int64) for T in range(1, size.T + 1)}
    demand_no_refusal(inputs, module, f"sequences of this many tokens are refused, with a context of {size.T}")


@claim(step=4, size=sizes(EMBEDDING))
def test_every_id_of_the_vocabulary_is_accepted(kata, size):
    """An id may be anything from 0 to vocab_size − 1, both included."""
    module = embedding(kata, size)
    inputs = {i: torch.full((size.B, size.T), i) for i in range(size.V)}
    demand_no_refusal(inputs, module, f"these ids are refused, with a vocabulary of {size.V}")


@claim(step=4, size=sizes(EMBEDDING), room=rooms)
def test_the_same_token_differs_from_place_to_place(kata, size, room):
    """The same token at two places differs by exactly what the rows of these places differ by."""
    module = embedding(kata, size, room)
    tok, pos = tables(module)
    ids = torch.full((size.B, size.T), size.V - 1)
    want = (tok[size.V - 1] + pos[: size.T]).expand(size.B, -1, -1)
    check.equal(module(ids), want, f"the embedding of {size.T} times the token {size.V - 1}", positions=pos)


@claim(step=4, size=sizes(EMBEDDING), room=rooms)
def test_equal_sequences_of_a_batch_are_embedded_alike(kata, size, room):
    """Equal sequences get equal embeddings, in whichever row of the batch they stand."""
    module = embedding(kata, size, room)
    ids = some_ids(size)[:1].expand(size.B, -1)
    got = module(ids)
    check.tensor(got, size.shape("B T D"), torch.get_default_dtype(), "the embedding")
    check.equal(got, module(ids[:1]).expand(size.B, -1, -1), "the embedding of equal rows", ids=ids)


@claim(step=4, size=sizes("T B D V"), room=rooms)  # the first dimension is the one that is sure to be 1 somewhere
def test_token_row_plus_position_row(kata, size, room):
    """In eval mode every token gets its row of tok_emb plus the row of its place in pos_emb, at every T."""
    module = embedding(kata, size, room, dropout=0.5)
    ids = some_ids(size)
    want = sum_by_hand(*tables(module), ids)
    check.equal(module(ids), want, "the embedding", ids=ids)


@claim(step=4, size=sizes(EMBEDDING, T=(2, 7)), room=rooms)
def test_each_input_is_embedded_anew(kata, size, room):
    """One module embeds every input with the tables as they are then, whatever it was given before, and how long."""
    module, ids = embedding(kata, size, room), some_ids(size)
    for length in (size.T, 1, size.T):
        want = sum_by_hand(*tables(module), ids[:, :length])
        check.equal(module(ids[:, :length]), want, f"the embedding of {length} tokens, after others,", ids=ids)
        with torch.no_grad():
            for values in module.parameters():
                values.add_(1)


@claim(step=4, size=sizes(EMBEDDING, T=(2, 7)))
def test_order_matters(kata, size):
    """Turning a sequence round does more than to turn its rows round: the places stay where they are."""
    module = embedding(kata, size)
    _, pos = tables(module)
    ids = some_ids(size)
    forwards, backwards = module(ids), module(ids.flip(1))
    check.tensor(forwards, size.shape("B T D"), torch.get_default_dtype(), "the embedding")
    want = (forwards - pos).flip(1) + pos
    check.equal(backwards, want, "the embedding of the sequence turned round", ids=ids)


@claim(step=4, without={"gradients": "it is about them"}, size=sizes(EMBEDDING), room=rooms)
def test_both_tables_learn(kata, size, room):
    """The gradient reaches each row of a table as often as its token or its place came up."""
    module = embedding(kata, size, room)
    ids = some_ids(size)
    got = module(ids)
    check.tensor(got, size.shape("B T D"), torch.get_default_dtype(), "the embedding")
    counts = one_hot(ids, size.V).sum(dim=(0, 1)), (torch.arange(size.T + room) < size.T) * float(size.B)
    names = ("tok_emb", "pos_emb")
    learning = {f"`{name}`": (check.parameter(module, f"{name}.weight"), n) for name, n in zip(names, counts)}
    demand_gradients(got, learning, ids)


@claim(step=4, size=sizes("B T D V", B=(2, 3), T=(4, 7), D=(4, 8)), rate=rates)
def test_dropout_acts_on_the_sum(kata, size, rate):
    """In training every entry of the sum is dropped (exactly 0) or scaled by 1 / (1 − dropout)."""
    module = embedding(kata, size, dropout=rate)
    ids = some_ids(size)
    whole = module(ids)
    got = module.train()(ids)
    check.tensor(whole, size.shape("B T D"), torch.get_default_dtype(), "the embedding in eval mode")
    check.tensor(got, whole.shape, torch.get_default_dtype(), "the embedding in training")
    try:
        check.equal(got, torch.where(got == 0, 0.0, whole / (1 - rate)), "the embedding in training", ids=ids)
    except check.Mismatch as mismatch:
        tok, pos = (table[rows] for table, rows in zip(tables(module), (ids, torch.arange(size.T))))
        ways = {"of the sum": got / whole, "of the token rows": (got - pos) / tok, "of the places": (got - tok) / pos}
        factors = {way: sorted({round(factor, 2) for factor in f.flatten().tolist()}) for way, f in ways.items()}
        # The same factors on other entries are the same mistake.
        few = {way: found for way, found in factors.items() if len(found) <= 3}
        mismatch.alike = [few, bool((got == 0).any())]
        raise


@claim(step=4, rate=rates, seed=st.integers(0, 99))
def test_dropout_drops_the_expected_share(kata, rate, seed):
    """In training about 1 − dropout of the entries survive, each on its own."""
    torch.manual_seed(seed)
    module = kata.GPTEmbedding(5, 60, 100, dropout=rate)
    check.instance(module, torch.nn.Module, "GPTEmbedding(…)")
    torch.nn.init.ones_(check.parameter(module, "tok_emb.weight"))
    torch.nn.init.ones_(check.parameter(module, "pos_emb.weight"))
    got = module.train()(torch.zeros(2, 60, dtype=torch.int64))
    check.tensor(got, (2, 60, 100), torch.get_default_dtype(), "the embedding in training")
    kept = (got != 0).double()
    for part, dims, count in (("all entries", (0, 1, 2), 12000), ("a token", (2,), 100), ("a channel", (0, 1), 120)):
        share = kept.mean(dims)
        want = torch.full_like(share, 1 - rate)
        slack = 6 * (rate * (1 - rate) / count) ** 0.5  # six standard deviations
        if ((share - want).abs() > slack).any():
            alike = ["less" if share.mean() < 1 - rate else "more", bool(((share == 0) | (share == 1)).all())]
            raise check.Mismatch(f"the share kept of {part} is not about {1 - rate:g}", share, want, alike=alike)
    if torch.equal(*kept):
        raise check.Mismatch("the same entries are dropped in every sequence of a batch", kept[1], alike="the same")


@claim(step=4, size=sizes(EMBEDDING), room=rooms)
def test_nothing_is_dropped_unless_asked_for(kata, size, room):
    """Without a dropout rate, training and eval mode give the same."""
    module = embedding(kata, size, room)
    ids = some_ids(size)
    check.equal(module.train()(ids), sum_by_hand(*tables(module), ids), "the embedding in training", ids=ids)


@claim(step=4, size=sizes(EMBEDDING), room=rooms)
def test_ids_are_left_alone(kata, size, room):
    """The ids are not changed."""
    module = embedding(kata, size, room)
    ids = some_ids(size)
    check.present(module(ids), "the embedding")
    check.exactly(ids, some_ids(size), "the tensor of ids after the call")


@claim(step=4, size=sizes(EMBEDDING), room=rooms)
def test_positions_are_made_where_the_ids_are(kata, size, room):
    """What forward makes, it makes on the device of the ids: it runs on a GPU as on a CPU."""
    module = embedding(kata, size, room).to("meta")
    ids = some_ids(size).to("meta")
    got = None
    for answer in (0, 1):  # what a comparison of ids says, which a meta tensor cannot know
        devices = _Devices(answer)
        try:
            with devices:
                got = module(ids)
        except Exception as error:
            if isinstance(error, NotImplementedError) and str(error).startswith("step "):
                raise
        if devices.mixed:
            problem = "a tensor on the CPU meets one on the device of the ids"
            raise check.Mismatch(problem, f"in `{devices.mixed}`", "all on the device of the ids", alike="")
        if got is not None:
            check.tensor(got, size.shape("B T D"), torch.get_default_dtype(), "the embedding on another device")
            check.equal(got.device.type, "meta", "the device of the embedding, for ids on the device meta")
            return  # else a check of the ids' values stood in the way both times, which is no fault


def demand_no_refusal(inputs, module, what):
    """Demand that the module takes each of some named inputs."""
    refused, cause = {}, None
    for name, ids in inputs.items():
        try:
            module(ids)
        except (TypeError, ValueError, IndexError) as error:
            refused[name], cause = str(error), cause or error
    if refused:
        raise check.Mismatch(what, refused, {}, alike=list(refused)) from cause


def demand_gradients(got, tables, ids):
    """Demand that the sum of `got` has, for each row of each named table, the gradient that is told for it."""
    if got.requires_grad:
        got.sum().backward()
    reached = [name for name, (table, _) in tables.items() if table.grad is not None]
    for name, (table, count) in tables.items():
        want = count[:, None].expand(table.shape)
        if table.grad is None:
            raise check.Mismatch(f"no gradient reaches {name}", None, want, {"ids": ids}, alike=reached)
        if table.grad.is_sparse:
            problem = f"the gradient of {name} is sparse: AdamW takes dense ones only"
            raise check.Mismatch(problem, table.grad.to_dense(), want, {"ids": ids}, alike="sparse")
        check.equal(table.grad, want, f"the gradient of {name}", ids=ids)


class _Devices(OperationMode):
    """Sees whether tensors of two devices meet, and answers what a check asks about the values of meta tensors."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.mixed = answer, ""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name, kwargs = func.overloadpacket.__name__, kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        on_meta = [one for one in tensors if one.is_meta]
        if on_meta and name == "_local_scalar_dense":
            return torch.full((), self.answer, dtype=on_meta[0].dtype).item()
        if on_meta and name == "nonzero":
            return torch.empty(0, on_meta[0].ndim, dtype=torch.int64, device="meta")
        if on_meta and name == "index" and any(one.dtype == torch.bool for one in on_meta):
            return torch.empty(0, dtype=on_meta[0].dtype, device="meta")
        if on_meta and name == "_to_copy" and kwargs.get("device", on_meta[0].device).type == "cpu":
            return torch.full(on_meta[0].shape, self.answer, dtype=on_meta[0].dtype)
        # A single number from the CPU may meet a GPU's tensors, but not as an index of an embedding.
        harmful = [one for one in tensors if not one.is_meta and (one.ndim > 0 or name == "embedding")]
        if on_meta and harmful and name not in ("_to_copy", "copy_"):
            self.mixed = self.mixed or name
        return func(*args, **kwargs)
