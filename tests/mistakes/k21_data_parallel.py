"""k21: what people get wrong about data parallelism."""

from dojo.spec import family, mistake, swap

ROWS = "rows = len(windows) // world_size"
FEW = "if rows == 0:"
TOO_FEW = 'raise ValueError(f"{len(windows)} rows are too few for {world_size} ranks")'
SHARE = "return windows[rank::world_size][:rows]"
RIGHT = "right, left = (rank + 1) % W, (rank - 1) % W"
CHUNKS = "chunks = tensor.new_zeros(W, -(-N // W))  # (W, N / W rounded up); zeros behind the last number"
FILLED = "chunks.view(-1)[:N] = tensor.detach().flatten()"
HALF = "for step in range(W - 1):  # sums travel to the right and grow; in the end chunk rank + 1 is complete here"
SENT = "group.send(chunks[(rank - step) % W], right)"
ADDED = "chunks[(rank - step - 1) % W] += group.receive(left)"
WHOLE = "for step in range(W - 1):  # complete chunks travel on, as they are"
SENT_ON = "group.send(chunks[(rank - step + 1) % W], right)"
TAKEN = "chunks[(rank - step) % W] = group.receive(left)"
SUM = "return chunks.view(-1)[:N].view(tensor.shape)"
SECOND = f"    {WHOLE}\n        {SENT_ON}\n        {TAKEN}\n"
RING = f"    {HALF}\n        {SENT}\n        {ADDED}\n{SECOND}"
SIDES = "right, left = (group.rank + 1) % group.world_size, (group.rank - 1) % group.world_size"
ALL_VALUES = "for values in [*model.parameters(), *model.buffers()]:"
OTHERS = "if group.rank != source:"
COPIED = "values.copy_(group.receive(left))"
PASS_ON = "if right != source:\n            group.send(values, right)"
BROADCAST = f"""    {SIDES}
    {ALL_VALUES}
        {OTHERS}
            {COPIED}
        {PASS_ON}"""
ASKING = "weights = [weight for weight in model.parameters() if weight.requires_grad]"
GRADIENTS = "gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]"
JOINED = "row = torch.cat([gradient.flatten() for gradient in gradients])  # (N,)"
MEAN = "mean = all_reduce_sum(row, group) / group.world_size  # (N,)"
PARTS = "for weight, part in zip(weights, mean.split([weight.numel() for weight in weights])):"
WRITTEN = "weight.grad = part.view(weight.shape)"
CLEAR = "optimizer.zero_grad()"
LOSS = "loss = cross_entropy(model(x), y)"
BACKWARD = "loss.backward()"
AVERAGE = "average_gradients(model, group)\n    if"
CLIP = "nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)"
CLIPPED = f"if max_grad_norm is not None:\n        {CLIP}"
STEP = "optimizer.step()"
RETURNED = "return all_reduce_sum(loss, group).item() / group.world_size"

ROW = "test_each_rank_has_every_wth_row"
EQUAL = "test_all_shares_are_equally_long"
TWICE = "test_no_row_belongs_to_two_ranks"
REFUSED = "test_fewer_rows_than_ranks_are_refused"
SUMS = "test_every_rank_has_the_sum"
UNEVEN = "test_numbers_that_do_not_divide_evenly_are_summed"
LIES = "test_a_tensor_may_lie_in_memory_as_it_likes"
DTYPE = "test_the_sum_has_the_dtype_of_the_tensor"
ARGUMENT = "test_the_argument_stays_as_it_is"
NEIGHBOUR = "test_a_rank_sends_to_its_right_neighbour_alone"
MOST = "test_no_rank_sends_more_than_a_ring_takes"
PARAMETERS = "test_broadcast_gives_all_ranks_the_parameters"
BUFFERS = "test_broadcast_gives_all_ranks_the_buffers"
USUAL = "test_the_usual_source_is_rank_0"
IN_PLACE = "test_broadcast_works_in_place"
MEANS = "test_every_gradient_is_the_mean_over_all_ranks"
MISSING = "test_a_missing_gradient_counts_as_zeros"
FROZEN = "test_frozen_parameters_are_left_alone"
ALONE = "test_averaging_leaves_the_weights_alone"
ONE_MESSAGE = "test_all_gradients_travel_together"
ONE_PROCESS = "test_a_step_together_equals_that_of_one_process"
ONE_LOSS = "test_the_loss_is_that_of_the_whole_batch"
ONE_CLIP = "test_clipping_is_that_of_one_process"
BEFORE = "test_gradients_from_before_play_no_part"
ADAMW = "test_many_steps_of_adamw_equal_those_of_one_process"

MISTAKES = [
    # Step 1
    mistake(
        "the same share for all ranks",
        swap(SHARE, "return windows[::world_size][:rows]"),
        caught_by=ROW,
        explanation="""Every rank gets the rows of rank 0. The ranks then compute the same gradient W times, and the other
        rows are never seen.""",
    ),
    mistake(
        "every rank gets all rows",
        swap(SHARE, "return windows"),
        caught_by=ROW,
        explanation="""The windows come back whole. All ranks do the work of one process on the whole batch, and nothing is
        shared.""",
    ),
    mistake(
        "blocks of rows that stand together",
        swap(SHARE, "return windows[rank * rows : (rank + 1) * rows]"),
        caught_by=ROW,
        explanation="""The share of a rank is a block of neighbouring rows. The contract deals rows out in turn, so that
        each rank has rows from all over.""",
    ),
    mistake(
        "blocks, and the last rank takes the rest",
        swap(SHARE, "return windows[rank * rows :] if rank == world_size - 1 else windows[rank * rows :][:rows]"),
        caught_by=ROW,
        explanation="""Rows are cut into blocks, and what is left over goes to the last rank. With more rows than the others
        its mean would have to count for more.""",
    ),
    mistake(
        "blocks that are rounded up",
        swap(SHARE, "return windows.split(-(-len(windows) // world_size))[rank]"),
        caught_by=ROW,
        explanation="""Blocks of N / W rows, rounded up, leave the last rank fewer rows, or none. All shares have to be
        equally long.""",
    ),
    mistake(
        "blocks that overlap",
        swap(SHARE, "return windows[rank : rank + rows]"),
        caught_by=ROW,
        explanation="""Each block begins a single row after the one of the rank before. Most rows belong to several ranks,
        and the last ones to none.""",
    ),
    mistake(
        "the remainder is kept",
        swap(SHARE, "return windows[rank::world_size]"),
        caught_by=ROW,
        explanation="""The first ranks get a row more where the rows do not divide evenly. Then a mean of means is no longer
        the mean over all rows, and some ranks take a step more than others.""",
    ),
    mistake(
        "the remainder is doubled",
        swap(
            SHARE,
            "return windows[[(rank + i * world_size) % len(windows) for i in range(-(-len(windows) // world_size))]]",
        ),
        caught_by=ROW,
        explanation="""Where rows do not divide evenly, the first rows are dealt out once more, to fill all shares. They
        count twice; the remainder belongs to nobody.""",
    ),
    mistake(
        "ranks are counted from 1",
        swap(
            SHARE,
            "return windows[rank - 1 :: world_size][:rows] if rank else windows[world_size - 1 :: world_size][:rows]",
        ),
        caught_by=ROW,
        explanation="""Rank r begins at row r − 1, and rank 0 with the last of the first W rows. Ranks are counted from 0,
        and so are rows.""",
    ),
    mistake(
        "world size and rank are exchanged",
        swap(SHARE, "return windows[world_size :: rank + 1][:rows]"),
        caught_by=ROW,
        explanation="""The slice begins at the world size and goes on in steps of the rank. It is the rank that says where
        to begin, and the number of ranks how far it is to the next row.""",
    ),
    mistake(
        "the shares in reverse order",
        swap(SHARE, "return windows[world_size - 1 - rank :: world_size][:rows]"),
        caught_by=ROW,
        explanation="""Rank 0 gets the share of the last rank, and the last that of rank 0. Rank r begins with row r.""",
    ),
    mistake(
        "a row too few",
        swap(SHARE, "return windows[rank::world_size][: rows - 1]"),
        caught_by=ROW,
        explanation="""Each share lacks its last row. N // W rows is what each rank gets; only the remainder is dropped.""",
    ),
    mistake(
        "the step is one too large",
        swap(SHARE, "return windows[rank :: world_size + 1][:rows]"),
        caught_by=ROW,
        explanation="""The next row of a rank is taken W + 1 rows further on. With W ranks, each one's turn comes every W
        rows.""",
    ),
    mistake(
        "too few rows are accepted",
        swap(f"    {FEW}\n        {TOO_FEW}\n", ""),
        caught_by=REFUSED,
        explanation="""Where there are fewer rows than ranks, shares are empty, and the mean loss of an empty share is NaN.
        It is refused before that.""",
    ),
    mistake(
        "as many rows as ranks are refused",
        swap(FEW, "if rows <= 1:"),
        caught_by=ROW,
        explanation="""A single row for each rank is refused. It is little, and enough: only fewer rows than ranks are too
        few.""",
    ),
    mistake(
        "an error that does not say how many ranks there are",
        swap(TOO_FEW, 'raise ValueError(f"{len(windows)} rows are too few")'),
        caught_by=REFUSED,
        explanation="""The message names the rows alone. Whoever reads it wants both numbers, to see which one is wrong.""",
    ),
    mistake(
        "an error that does not say how many rows there are",
        swap(TOO_FEW, 'raise ValueError(f"too few rows for {world_size} ranks")'),
        caught_by=REFUSED,
        explanation="""The message names the ranks alone. Whoever reads it wants both numbers, to see which one is wrong.""",
    ),
    mistake(
        "an error of another kind",
        swap(TOO_FEW, 'raise IndexError(f"{len(windows)} rows are too few for {world_size} ranks")'),
        caught_by=REFUSED,
        explanation="""Too few rows raise another error than the contract says. A ValueError is what callers look out
        for.""",
    ),
    mistake(
        "too few rows are refused by an assertion",
        swap(f"{FEW}\n        {TOO_FEW}", 'assert rows, f"{len(windows)} rows are too few for {world_size} ranks"'),
        caught_by=REFUSED,
        explanation="""An assertion raises AssertionError, and with `python -O` nothing at all. A ValueError is what callers
        look out for.""",
    ),
    # Step 2
    mistake(
        "only the first half of the ring",
        swap(SECOND, ""),
        caught_by=SUMS,
        explanation="""After the first W − 1 steps each rank has one complete chunk, and parts of sums in the others. The
        complete ones have to go round as well.""",
    ),
    mistake(
        "what goes round in the second half was never added to",
        swap(HALF, HALF.replace("W - 1)", "W - 2)")),
        caught_by=SUMS,
        explanation="""Each chunk of the result is the own one of a single rank. The first half is missing, or ends a step too
        early, or adds what arrives to the chunk that was just sent.""",
    ),
    mistake(
        "a step too many in one of the halves",
        swap(HALF, HALF.replace("W - 1)", "W)")),
        caught_by=MOST,
        explanation="""One of the two loops goes round W times. There are W − 1 others: the numbers come out right, but each
        rank sends a chunk more than it has to, and a rank that is alone sends to itself.""",
    ),
    mistake(
        "a step too few in the second half",
        swap(WHOLE, WHOLE.replace("W - 1)", "W - 2)")),
        caught_by=SUMS,
        explanation="""The complete chunks stop a step too early, and each rank keeps one chunk that is not complete. There
        are W − 1 others to tell.""",
    ),
    mistake(
        "a step too many in both halves",
        swap(HALF, HALF.replace("W - 1)", "W)")),
        swap(WHOLE, WHOLE.replace("W - 1)", "W)")),
        caught_by=MOST,
        explanation="""Both loops go round W times. There are W − 1 others: nothing is wrong in the end, but each
        rank sends two chunks more than it has to.""",
    ),
    mistake(
        "what arrives is added in the second half",
        swap(TAKEN, TAKEN.replace(" = ", " += ")),
        caught_by=SUMS,
        explanation="""Complete chunks are added to what stands in their place. That is a part of the same sum, so
        some numbers count several times; they have to replace it.""",
    ),
    mistake(
        "the chunk one too far is added to",
        swap(ADDED, "chunks[(rank - step - 2) % W] += group.receive(left)"),
        caught_by=SUMS,
        explanation="""What arrives is added to a chunk one place before its own. The left neighbour sends, in the same
        step, the chunk right before the one that is sent from here.""",
    ),
    mistake(
        "the same chunk is sent in each step of the first half",
        swap(SENT, "group.send(chunks[rank], right)"),
        caught_by=SUMS,
        explanation="""Each rank sends its own chunk in every step. What has to go on is the chunk that came in and has
        grown in the step before.""",
    ),
    mistake(
        "the first half walks the wrong way through the chunks",
        swap(SENT, "group.send(chunks[(rank + step) % W], right)"),
        swap(ADDED, "chunks[(rank + step - 1) % W] += group.receive(left)"),
        caught_by=SUMS,
        explanation="""The number of the chunk grows from step to step. A chunk that came from the left has a smaller
        number, and it is the one to send next.""",
    ),
    mistake(
        "sums are overwritten before they are complete",
        swap(SENT_ON, "group.send(chunks[(rank - step) % W], right)"),
        swap(TAKEN, "chunks[(rank - step - 1) % W] = group.receive(left)"),
        caught_by=SUMS,
        explanation="""Each chunk ends as the numbers of a single rank. Either what arrives in the first half is not added to
        what is there, or the second half begins with another chunk than the one that came in last.""",
    ),
    mistake(
        "the second half sends a chunk and puts what comes in the wrong place",
        swap(TAKEN, "chunks[(rank - step - 1) % W] = group.receive(left)"),
        caught_by=SUMS,
        explanation="""In the second half what arrives is put one place before its own. The left neighbour sends the chunk
        right before the one that is sent from here.""",
    ),
    mistake(
        "what comes replaces the chunk that is under way",
        swap(TAKEN, "chunks[(rank - step + 1) % W] = group.receive(left)"),
        caught_by=SUMS,
        explanation="""In the second half the chunk that was just sent is overwritten with the one that arrives. They are
        different parts of the sum, and each has its own place.""",
    ),
    mistake(
        "the same chunk is sent in each step of the second half",
        swap(SENT_ON, "group.send(chunks[(rank + 1) % W], right)"),
        caught_by=SUMS,
        explanation="""In the second half each rank sends its complete chunk in every step. After the first, what came in
        has to be passed on.""",
    ),
    mistake(
        "the mean instead of the sum",
        swap(SUM, "return chunks.view(-1)[:N].view(tensor.shape) / W"),
        caught_by=SUMS,
        explanation="""The sum is divided by the number of ranks. `all_reduce_sum` gives the sum; dividing is the business of
        whoever wants a mean.""",
    ),
    mistake(
        "the shape is lost",
        swap(SUM, "return chunks.view(-1)[:N]"),
        caught_by=SUMS,
        explanation="""The sum comes back as one long row. It has the shape of the tensor that came in.""",
    ),
    mistake(
        "the padding comes back",
        swap(SUM, "return chunks.view(-1)"),
        caught_by=SUMS,
        explanation="""The chunks come back as they are, in a row, with the zeros behind the last number. Only as many
        numbers as came in belong to the result.""",
    ),
    mistake(
        "the numbers that do not fill a chunk are dropped",
        swap(CHUNKS, "chunks = tensor.new_zeros(W, N // W)"),
        swap(FILLED, "chunks.view(-1)[:] = tensor.detach().flatten()[: N // W * W]"),
        swap(SUM, "return torch.cat([chunks.view(-1), tensor.detach().flatten()[N // W * W :]]).view(tensor.shape)"),
        caught_by=SUMS,
        explanation="""Chunks have N / W numbers, rounded down, and the last few numbers are in none. They come back without
        having been added up.""",
    ),
    mistake(
        "only tensors that divide evenly",
        swap(CHUNKS, "chunks = tensor.new_zeros(W, N // W)"),
        caught_by=SUMS,
        explanation="""There is room for W · (N // W) numbers, which is too little where N is no multiple of W. The size of a
        chunk has to be rounded up.""",
    ),
    mistake(
        "only tensors of one dimension",
        swap(FILLED, "chunks.view(-1)[:N] = tensor.detach()"),
        caught_by=SUMS,
        explanation="""The tensor is written into the chunks without being flattened. A tensor of any shape has to become one
        row first.""",
    ),
    mistake(
        "the length of the first dimension for the number of numbers",
        swap("group.rank, tensor.numel()", "group.rank, len(tensor)"),
        caught_by=SUMS,
        explanation="""`len` counts rows. How many numbers a tensor holds, over all its dimensions, is what has to be
        shared out.""",
    ),
    mistake(
        "tensors that lie otherwise in memory are refused",
        swap(FILLED, "chunks.view(-1)[:N] = tensor.detach().view(-1)"),
        caught_by=SUMS,
        explanation="""`view` refuses a tensor whose numbers do not lie one after another. A transposed or expanded tensor
        has to be summed as well.""",
    ),
    mistake(
        "the numbers in the order in which they lie in memory",
        swap(FILLED, "chunks.view(-1)[:N] = tensor.detach().as_strided((N,), (1,))"),
        caught_by=LIES,
        explanation="""The numbers are read in the order of memory, whatever the strides are. In a tensor that is transposed
        or cut from a larger one, they are in another order, or are not its own.""",
    ),
    mistake(
        "the sum has torch's default dtype",
        swap(CHUNKS, "chunks = torch.zeros(W, -(-N // W))"),
        caught_by=DTYPE,
        explanation="""The chunks are made with torch's default dtype. They have to be of the tensor's own, or float64
        gradients are rounded and float32 ones come back as another kind.""",
    ),
    mistake(
        "the sum is always float32",
        swap(CHUNKS, "chunks = torch.zeros(W, -(-N // W), dtype=torch.float32)"),
        caught_by=SUMS,
        explanation="""The chunks are float32, whatever the tensor is. In double precision more than half of the digits are
        lost on the way.""",
    ),
    mistake(
        "the argument is changed",
        swap(SUM, "return tensor.detach().copy_(chunks.view(-1)[:N].view(tensor.shape))"),
        caught_by=ARGUMENT,
        explanation="""The sum is written into the tensor that was handed over. Whoever called still needs it, and gets the
        sum as a result.""",
    ),
    mistake(
        "chunks that are views of the argument",
        swap(FILLED, FILLED + "\n    chunks = chunks if N % W else tensor.detach().reshape(W, -1)"),
        caught_by=ARGUMENT,
        explanation="""Where the numbers divide evenly, the chunks are views: they lie in the memory of the argument, and
        sums are written into it. A view is no copy.""",
    ),
    mistake(
        "nothing comes back",
        swap(SUM, "tensor.detach().copy_(chunks.view(-1)[:N].view(tensor.shape))"),
        caught_by=SUMS,
        explanation="""The sum is written into the argument, and the function returns None. The contract asks for a result,
        and for an argument that stays as it is.""",
    ),
    mistake(
        "to the left",
        swap(RIGHT, "left, right = (rank + 1) % W, (rank - 1) % W"),
        caught_by=SUMS,
        explanation="""Chunks are sent to rank − 1, while their numbers are those of a ring to the right. So they meet other
        chunks than their own.""",
    ),
    mistake(
        "a ring to the left",
        swap(RIGHT, "left, right = (rank + 1) % W, (rank - 1) % W"),
        swap(SENT, "group.send(chunks[(rank + step) % W], right)"),
        swap(ADDED, "chunks[(rank + step + 1) % W] += group.receive(left)"),
        swap(SENT_ON, "group.send(chunks[(rank + step - 1) % W], right)"),
        swap(TAKEN, "chunks[(rank + step) % W] = group.receive(left)"),
        caught_by=NEIGHBOUR,
        explanation="""The sum is right, but goes round the other way: each rank sends to rank − 1. The contract sends to the
        right, and all ranks have to agree.""",
    ),
    mistake(
        "the last rank has no right neighbour",
        swap(RIGHT, "right, left = rank + 1, rank - 1"),
        caught_by=SUMS,
        explanation="""The last rank sends to a rank that does not exist, and rank 0 waits for rank −1. In a ring the last
        one's right neighbour is rank 0.""",
    ),
    mistake(
        "everybody sends to rank 0",
        swap(
            RING,
            """    for other in range(1, W):
        if rank == other:
            group.send(chunks, 0)
        elif rank == 0:
            chunks += group.receive(other)
    for other in range(1, W):
        if rank == 0:
            group.send(chunks, other)
        elif rank == other:
            chunks = group.receive(0)
""",
        ),
        caught_by=NEIGHBOUR,
        explanation="""Rank 0 collects all tensors and sends the sum back to each. The sum is right, but all numbers of all
        ranks go through one of them, which the others wait for.""",
    ),
    mistake(
        "everybody sends to everybody",
        swap(
            RING,
            """    for other in range(W):
        if other != rank:
            group.send(chunks, other)
    chunks = chunks + sum(group.receive(other) for other in range(W) if other != rank)
""",
        ),
        caught_by=NEIGHBOUR,
        explanation="""Each rank sends its whole tensor to all others and adds up what it gets, in an order of its own. That
        is (W − 1)·N numbers for each, and rounding differs from rank to rank.""",
    ),
    mistake(
        "the whole tensor is sent in each step",
        swap(
            RING,
            """    passed = chunks.clone()
    for _ in range(W - 1):
        group.send(passed, right)
        passed = group.receive(left)
        chunks += passed
""",
        ),
        caught_by=MOST,
        explanation="""Whole tensors go round, and each rank adds up those that come by, beginning with its own. That sends
        (W − 1)·N numbers, and each rank adds in another order, so the last bits differ.""",
    ),
    mistake(
        "all chunks are sent in each step",
        swap(SENT, "group.send(chunks, right)"),
        swap(ADDED, "chunks[(rank - step - 1) % W] += group.receive(left)[(rank - step - 1) % W]"),
        caught_by=MOST,
        explanation="""All chunks are sent in each step of the first half, and a single one is used. Sending only that one
        is what the ring is for.""",
    ),
    mistake(
        "all chunks are sent in each step of both halves",
        swap(SENT, "group.send(chunks, right)"),
        swap(ADDED, "chunks[(rank - step - 1) % W] += group.receive(left)[(rank - step - 1) % W]"),
        swap(SENT_ON, "group.send(chunks, right)"),
        swap(TAKEN, "chunks[(rank - step) % W] = group.receive(left)[(rank - step) % W]"),
        caught_by=MOST,
        explanation="""The whole tensor is sent in each step, and one chunk of it is used. That is W times as much as a ring
        takes.""",
    ),
    mistake(
        "the whole tensor goes round twice",
        swap(
            RING,
            """    for step in range(2 * W - 2):
        if (rank - step) % W == 0 and step < W - 1 or (rank - step) % W == 0:
            group.send(chunks, right)
        if (rank - step - 1) % W == 0:
            arrived = group.receive(left)
            chunks = chunks + arrived if step < W - 1 else arrived
""",
        ),
        caught_by=MOST,
        explanation="""The tensor travels whole: once round to be added up, and on to be handed out. Each rank but the last
        ones sends it all twice, and while one rank works the others wait.""",
    ),
    mistake(
        "waits before it sends",
        swap(
            f"{SENT}\n        {ADDED}",
            f"arrived = group.receive(left)\n        {SENT}\n        {ADDED.replace('group.receive(left)', 'arrived')}",
        ),
        caught_by=SUMS,
        explanation="""Each rank waits for its left neighbour before it sends anything itself. So all wait, for ever: send
        first, then receive.""",
    ),
    mistake(
        "receives from the right",
        swap(ADDED, ADDED.replace("(left)", "(right)")),
        caught_by=SUMS,
        explanation="""A rank sends to the right and waits for the right. What comes to it is sent by its left neighbour.""",
    ),
    mistake(
        "two ranks only",
        swap(ADDED, "chunks[1 - rank] += group.receive(left)"),
        caught_by=SUMS,
        explanation="""The other chunk is number 1 − rank, as it is with two ranks. With more of them it depends on the step
        as well.""",
    ),
    # Step 3: broadcast
    mistake(
        "each rank keeps its own start",
        swap(BROADCAST, "    return"),
        caught_by=PARAMETERS,
        explanation="""Nothing is sent, and each rank keeps the weights that it was made with. Gradients of one model are then
        followed by another.""",
    ),
    mistake(
        "buffers are not sent",
        swap(ALL_VALUES, "for values in model.parameters():"),
        caught_by=BUFFERS,
        explanation="""Only parameters are sent. Buffers, such as running means, are part of the model too, and differ from
        rank to rank.""",
    ),
    mistake(
        "parameters are not sent",
        swap(ALL_VALUES, "for values in model.buffers():"),
        caught_by=PARAMETERS,
        explanation="""Only buffers are sent. The parameters are what all ranks have to begin with alike.""",
    ),
    mistake(
        "frozen parameters are not sent",
        swap(ALL_VALUES, "for values in [*(p for p in model.parameters() if p.requires_grad), *model.buffers()]:"),
        caught_by=PARAMETERS,
        explanation="""Parameters that do not ask for gradients are left out. They are used in every forward pass all the
        same, and must be equal on all ranks.""",
    ),
    mistake(
        "what is in no checkpoint is not sent",
        swap(
            ALL_VALUES,
            "for values in [*model.parameters(), *(v for n, v in model.named_buffers() if n in model.state_dict())]:",
        ),
        caught_by=BUFFERS,
        explanation="""Only what `state_dict` lists is sent. A buffer may be registered as not persistent: it is in no
        checkpoint, and part of the model.""",
    ),
    mistake(
        "only buffers of floating point are sent",
        swap(
            ALL_VALUES, "for values in [*model.parameters(), *(v for v in model.buffers() if v.is_floating_point())]:"
        ),
        caught_by=BUFFERS,
        explanation="""Buffers that hold whole numbers or True and False are left out. A count or a mask has to be the same on
        all ranks too.""",
    ),
    mistake(
        "only the model's own parameters are sent",
        swap(ALL_VALUES, "for values in [*model.parameters(recurse=False), *model.buffers()]:"),
        caught_by=PARAMETERS,
        explanation="""Only what the outermost module holds itself is sent. Most parameters are in its parts.""",
    ),
    mistake(
        "the source is always rank 0",
        swap(OTHERS, "if group.rank != 0:"),
        swap(PASS_ON, PASS_ON.replace("source", "0")),
        caught_by=PARAMETERS,
        explanation="""All ranks get what rank 0 has, whichever source was asked for. `source` says whose values count.""",
    ),
    mistake(
        "the usual source is the last rank",
        swap("source: int = 0", "source: int = -1"),
        swap(SIDES, f"source %= group.world_size\n    {SIDES}"),
        caught_by=USUAL,
        explanation="""Without another word the values of the last rank are sent. It is rank 0 whose values count.""",
    ),
    mistake(
        "only the next rank gets the values",
        swap(OTHERS, "if (group.rank - 1) % group.world_size == source and group.rank != source:"),
        swap(PASS_ON, "if group.rank == source != right:\n            group.send(values, right)"),
        caught_by=PARAMETERS,
        explanation="""The source sends to its right neighbour, and there it ends. Everyone else has to get the values too:
        pass them on.""",
    ),
    mistake(
        "everyone sends to the right what it has",
        swap(BROADCAST, f"    {SIDES}\n    {ALL_VALUES}\n        group.send(values, right)\n        {COPIED}"),
        caught_by=PARAMETERS,
        explanation="""Each rank takes over the values of its left neighbour, the source too. The models only move on by one
        rank: the source keeps its own, and all others get those.""",
    ),
    mistake(
        "values are passed on before they come in",
        swap(
            f"{OTHERS}\n            {COPIED}\n        {PASS_ON}", f"{PASS_ON}\n        {OTHERS}\n            {COPIED}"
        ),
        caught_by=PARAMETERS,
        explanation="""A rank first sends on what it has itself, and then takes over what comes. So each rank gets what its
        left neighbour began with.""",
    ),
    mistake(
        "parameters get the memory of what came in",
        swap(COPIED, "values.data = group.receive(left)"),
        caught_by=IN_PLACE,
        explanation="""`.data = ` puts other memory under the parameter. Whoever has a view of the old memory, such as one
        long row of all gradients or weights, goes on with the old numbers. `copy_` writes in place.""",
    ),
    mistake(
        "divided by how many ranks have a gradient",
        swap(
            MEAN,
            """there = [torch.full((weight.numel(),), weight.grad is not None, dtype=row.dtype) for weight in weights]
    summed = all_reduce_sum(torch.cat([row, *there]), group)
    mean = summed[: len(row)] / summed[len(row) :].clamp(min=1)""",
        ),
        caught_by="test_a_missing_gradient_counts_as_zeros",
        explanation="""The sum is divided by the number of ranks that have a gradient. One process with the whole batch would
        divide by all: a rank without gradient adds zeros.""",
    ),
    mistake(
        "the source waits as well",
        swap(f"{OTHERS}\n            {COPIED}\n        {PASS_ON}", f"{COPIED}\n        group.send(values, right)"),
        caught_by=PARAMETERS,
        explanation="""Every rank waits for its left neighbour first, the source included. So nobody ever begins.""",
    ),
    mistake(
        "the mean of all models instead of the source's",
        swap(
            f"{OTHERS}\n            {COPIED}\n        {PASS_ON}",
            "mean = all_reduce_sum(values.double(), group) / group.world_size\n        values.copy_(mean)",
        ),
        caught_by=PARAMETERS,
        explanation="""All models are averaged. They are equal afterwards, but a mean of random starts is no start: it has
        smaller weights than any of them.""",
    ),
    mistake(
        "the sum of all models instead of the source's",
        swap(
            f"{OTHERS}\n            {COPIED}\n        {PASS_ON}", "values.copy_(all_reduce_sum(values.double(), group))"
        ),
        caught_by=PARAMETERS,
        explanation="""All models are added up. The values of the source are what each rank has to get, unchanged.""",
    ),
    mistake(
        "another tensor takes the place of each parameter",
        swap(
            BROADCAST,
            f"""    {SIDES}
    for part in model.modules():
        for name, values in list(part.named_parameters(recurse=False)):
            if group.rank != source:
                values = nn.Parameter(group.receive(left), values.requires_grad)
                setattr(part, name, values)
            if right != source:
                group.send(values, right)
        for values in part.buffers(recurse=False):
            if group.rank != source:
                values.copy_(group.receive(left))
            if right != source:
                group.send(values, right)""",
        ),
        caught_by=IN_PLACE,
        explanation="""The model holds new parameters after the broadcast. An optimizer that was made before still holds the
        old ones, and moves those; write the values into the parameters that are there.""",
    ),
    mistake(
        "everything asks for gradients afterwards",
        swap(PASS_ON, f"{PASS_ON}\n    for weight in model.parameters():\n        weight.requires_grad_(True)"),
        caught_by=IN_PLACE,
        explanation="""Frozen parameters are thawed by the broadcast. It changes values, and nothing else.""",
    ),
    mistake(
        "nothing asks for gradients afterwards",
        swap(PASS_ON, f"{PASS_ON}\n    for weight in model.parameters():\n        weight.requires_grad_(False)"),
        caught_by=IN_PLACE,
        explanation="""After the broadcast no parameter asks for gradients any more, and nothing is learned. It changes
        values, and nothing else.""",
    ),
    # Step 3: gradients
    mistake(
        "the sum instead of the mean",
        swap(MEAN, "mean = all_reduce_sum(row, group)"),
        caught_by=MEANS,
        explanation="""The gradients of all ranks are added up and not divided. The step would be W times as long as that of
        one process on the whole batch.""",
    ),
    mistake(
        "divided twice",
        swap(MEAN, "mean = all_reduce_sum(row / group.world_size, group) / group.world_size"),
        caught_by=MEANS,
        explanation="""The gradients are divided by W before the sum and again after it. Once makes a mean.""",
    ),
    mistake(
        "divided by the number of the others",
        swap(MEAN, "mean = all_reduce_sum(row, group) / max(1, group.world_size - 1)"),
        caught_by=MEANS,
        explanation="""The sum is divided by W − 1. This rank's own gradient is in it too, so there are W of them.""",
    ),
    mistake(
        "divided by the rank",
        swap(MEAN, "mean = all_reduce_sum(row, group) / (group.rank + 1)"),
        caught_by=MEANS,
        explanation="""The sum is divided by this rank's own number. Each rank then has another gradient, and the models
        drift apart.""",
    ),
    mistake(
        "the own gradient counts twice",
        swap(MEAN, "mean = (all_reduce_sum(row, group) + row) / (group.world_size + 1)"),
        caught_by=MEANS,
        explanation="""This rank's gradient is added to a sum that it is in already. Each rank then has another gradient.""",
    ),
    mistake(
        "each rank keeps its own gradients",
        swap(MEAN, "mean = row"),
        caught_by=MEANS,
        explanation="""After averaging, every `grad` is what it was before: the mean is not made, or ends up elsewhere. Each rank
        then trains a model of its own.""",
    ),
    mistake(
        "the mean is added to the gradient",
        swap(WRITTEN, "weight.grad = part.view(weight.shape) + (0 if weight.grad is None else weight.grad)"),
        caught_by=MEANS,
        explanation="""The mean comes on top of this rank's own gradient. It has to take its place.""",
    ),
    mistake(
        "the weights are averaged",
        swap(GRADIENTS, "gradients = [weight.detach() for weight in weights]"),
        swap(WRITTEN, "weight.data.copy_(part.view(weight.shape))"),
        caught_by=MEANS,
        explanation="""Parameters are averaged, not their gradients. With an optimizer that keeps its own record of gradients,
        as AdamW does, that is another way to train.""",
    ),
    mistake(
        "the mean is written into the weights",
        swap(WRITTEN, "weight.data.copy_(part.view(weight.shape))"),
        caught_by=MEANS,
        explanation="""The mean gradient overwrites the parameter itself. It belongs into `grad`; the optimizer moves the
        parameter.""",
    ),
    mistake(
        "the weights take a step of their own",
        swap(WRITTEN, f"{WRITTEN}\n        weight.data -= 0.001 * weight.grad"),
        caught_by=ALONE,
        explanation="""Averaging moves the parameters a little as well. The optimizer does that, once.""",
    ),
    mistake(
        "parameters without a gradient are left out",
        swap(
            ASKING,
            "weights = [weight for weight in model.parameters() if weight.requires_grad and weight.grad is not None]",
        ),
        caught_by=MISSING,
        explanation="""A rank that has no gradient for a parameter leaves it out of the row, and all that follow move up.
        Ranks then add numbers of different parameters, or wait for chunks of another size.""",
    ),
    mistake(
        "a missing gradient stays missing",
        swap(WRITTEN, "weight.grad = None if weight.grad is None else part.view(weight.shape)"),
        caught_by=MISSING,
        explanation="""A rank that had no gradient for a parameter ends without one, and does not move it. Others do, so the
        models drift apart.""",
    ),
    mistake(
        "a missing gradient counts as ones",
        swap(GRADIENTS, GRADIENTS.replace("zeros_like", "ones_like")),
        caught_by=MISSING,
        explanation="""Where a parameter has no gradient, ones are added. It plays no part in this rank's loss, and a slope of
        0 is what says so.""",
    ),
    mistake(
        "the weight stands in for a missing gradient",
        swap(GRADIENTS, GRADIENTS.replace("torch.zeros_like(weight)", "weight.detach()")),
        caught_by=MISSING,
        explanation="""Where a parameter has no gradient, its own values are added. It plays no part in this rank's loss, and
        a slope of 0 is what says so.""",
    ),
    mistake(
        "the mean over the ranks that have a gradient",
        swap(
            MEAN,
            """have = torch.cat([torch.full((w.numel(),), float(w.grad is not None), dtype=w.dtype) for w in weights])
    mean = all_reduce_sum(row, group) / all_reduce_sum(have, group).clamp(min=1)""",
        ),
        caught_by=MISSING,
        explanation="""The sum is divided by the number of ranks that have a gradient. The rows of the others are part of the
        batch as well, and what they say of this parameter is 0.""",
    ),
    mistake(
        "a missing gradient raises an error",
        swap(GRADIENTS, "gradients = [weight.grad for weight in weights]"),
        caught_by=MISSING,
        explanation="""A parameter that this rank's share does not touch has None for a gradient, and None cannot be
        flattened. It counts as zeros.""",
    ),
    mistake(
        "frozen parameters are averaged too",
        swap(ASKING, "weights = list(model.parameters())"),
        caught_by=FROZEN,
        explanation="""Frozen parameters get a gradient as well, and their old one is overwritten. What does not ask for
        gradients is left alone.""",
    ),
    mistake(
        "the gradients of frozen parameters are cleared",
        swap(
            ASKING,
            "[setattr(weight, 'grad', None) for weight in model.parameters() if not weight.requires_grad]\n    "
            + ASKING,
        ),
        caught_by=FROZEN,
        explanation="""What stands as the gradient of a frozen parameter is thrown away. Averaging has no business with it.""",
    ),
    mistake(
        "parts in reverse order",
        swap(
            PARTS, "for weight, part in zip(weights[::-1], mean.split([weight.numel() for weight in weights[::-1]])):"
        ),
        caught_by=MEANS,
        explanation="""The row is taken apart in another order than it was put together in. Each parameter gets numbers of
        others.""",
    ),
    mistake(
        "each parameter gets the first numbers",
        swap(WRITTEN, "weight.grad = mean[: weight.numel()].view(weight.shape)"),
        caught_by=MEANS,
        explanation="""Each parameter gets numbers from the beginning of the row. Its own part begins where that of the one
        before ends.""",
    ),
    mistake(
        "gradients that have lost their shape",
        swap(WRITTEN, "weight.grad = part"),
        caught_by=MEANS,
        explanation="""A part of the row is put into `grad` as it is, one long row. A gradient has the shape of its
        parameter.""",
    ),
    mistake(
        "a message for each parameter",
        swap(
            f"{JOINED}\n    {MEAN}\n    {PARTS}\n        {WRITTEN}",
            "for weight, gradient in zip(weights, gradients):\n        weight.grad = all_reduce_sum(gradient, group) / group.world_size",
        ),
        caught_by=ONE_MESSAGE,
        explanation="""Each gradient is summed by itself. Every message takes its time to set out, and a model has hundreds of
        parameters: joined, they go round once.""",
    ),
    mistake(
        "only rank 0 has the mean",
        swap(WRITTEN, "weight.grad = part.view(weight.shape) if group.rank == 0 else weight.grad"),
        caught_by=MEANS,
        explanation="""Rank 0 takes the mean, and the others keep their own gradients. All have to take the same step.""",
    ),
    mistake(
        "the mean over the parameters of a rank",
        swap(MEAN, "mean = all_reduce_sum(row, group) / len(weights)"),
        caught_by=MEANS,
        explanation="""The sum is divided by the number of parameters. As many gradients were added as there are ranks.""",
    ),
    # Step 4
    mistake(
        "each rank steps with its own gradient",
        swap(AVERAGE, "if"),
        caught_by=ONE_PROCESS,
        explanation="""Gradients are not averaged, or not between backward and the step. The models drift apart, and none has
        seen the whole batch.""",
    ),
    mistake(
        "multiplied by the number of ranks",
        swap(
            AVERAGE,
            "average_gradients(model, group)\n    for weight in model.parameters():\n        weight.grad *= group.world_size\n    if",
        ),
        caught_by=ONE_PROCESS,
        explanation="""The step follows the sum of all gradients. One process on the whole batch follows their mean.""",
    ),
    mistake(
        "the loss is divided by the number of ranks too",
        swap(BACKWARD, "(loss / group.world_size).backward()"),
        caught_by=ONE_PROCESS,
        explanation="""The loss is divided by W before backward, and the gradients once more when they are averaged. One of the
        two makes a mean.""",
    ),
    mistake(
        "gradients from before are not cleared",
        swap(f"    {CLEAR}\n", ""),
        caught_by=BEFORE,
        explanation="""Gradients of earlier steps stay, and new ones are added to them. They are cleared before
        backward.""",
    ),
    mistake(
        "gradients are cleared after backward",
        swap(f"    {CLEAR}\n", ""),
        swap(BACKWARD, f"{BACKWARD}\n    {CLEAR}"),
        caught_by=ONE_PROCESS,
        explanation="""The gradients are cleared when they have just been made. Nothing, or next to nothing, is left to
        follow.""",
    ),
    mistake(
        "gradients are cleared after the step only",
        swap(f"    {CLEAR}\n", ""),
        swap(STEP, f"{STEP}\n    {CLEAR}"),
        caught_by=BEFORE,
        explanation="""The step clears gradients when it has been taken, and not before it. What the model holds from
        elsewhere then plays a part.""",
    ),
    mistake(
        "no step is taken",
        swap(f"    {STEP}\n", ""),
        caught_by=ONE_PROCESS,
        explanation="""Gradients are made and averaged, and the optimizer is never asked to step. The weights stay as they
        are.""",
    ),
    mistake(
        "only rank 0 takes the step",
        swap(STEP, f"if group.rank == 0:\n        {STEP}"),
        caught_by=ONE_PROCESS,
        explanation="""The other ranks keep their weights. Weights are never sent again, so each rank has to take the same
        step by itself.""",
    ),
    mistake(
        "the step comes before the gradients are averaged",
        swap(f"    {STEP}\n", ""),
        swap(BACKWARD, f"{BACKWARD}\n    {STEP}"),
        caught_by=ONE_PROCESS,
        explanation="""The optimizer steps right after backward, with this rank's own gradient. The mean comes too late.""",
    ),
    mistake(
        "clipped before averaging",
        swap(f"{AVERAGE[:-2]}{CLIPPED}", f"{CLIPPED}\n    average_gradients(model, group)"),
        caught_by=ONE_CLIP,
        explanation="""Each rank clips its own gradient, by a factor of its own. One process clips the gradient of the whole
        batch, which the ranks have only after averaging.""",
    ),
    mistake(
        "the step is taken without clipping",
        swap(f"    {CLIPPED}\n", ""),
        caught_by=ONE_CLIP,
        explanation="""`max_grad_norm` is not used, or only when the step is taken already. A gradient with a larger norm has to
        be scaled down to it first.""",
    ),
    mistake(
        "each parameter is clipped by itself",
        swap(CLIP, "for weight in model.parameters():\n            nn.utils.clip_grad_norm_(weight, max_grad_norm)"),
        caught_by=ONE_CLIP,
        explanation="""Each parameter's gradient is scaled by a factor of its own, and their direction changes. The norm is that
        over all parameters together.""",
    ),
    mistake(
        "each number is clipped by itself",
        swap(CLIP, "nn.utils.clip_grad_value_(model.parameters(), max_grad_norm)"),
        caught_by=ONE_CLIP,
        explanation="""Every number of the gradient is cut off at the limit. It is the norm of all together that is limited, so
        that the direction stays.""",
    ),
    mistake(
        "always scaled to the norm",
        swap(
            CLIP,
            "norm = torch.cat([weight.grad.flatten() for weight in model.parameters()]).norm()\n        for weight in model.parameters():\n            weight.grad *= max_grad_norm / norm",
        ),
        caught_by=ONE_CLIP,
        explanation="""A gradient that is smaller than the limit is blown up to it. Only larger ones are scaled.""",
    ),
    mistake(
        "the limit is shared among the ranks",
        swap(CLIP, "nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm / group.world_size)"),
        caught_by=ONE_CLIP,
        explanation="""The limit is divided by the number of ranks. The averaged gradient is that of one process, and so is its
        limit.""",
    ),
    mistake(
        "the limit times the number of ranks",
        swap(CLIP, "nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm * group.world_size)"),
        caught_by=ONE_CLIP,
        explanation="""The limit is multiplied by the number of ranks. The averaged gradient is that of one process, and so is
        its limit.""",
    ),
    mistake(
        "the own loss is returned",
        swap(RETURNED, "return loss.item()"),
        caught_by=ONE_LOSS,
        explanation="""Each rank returns the loss of its own share. The loss of the batch is the mean over all ranks.""",
    ),
    mistake(
        "the sum of all losses is returned",
        swap(RETURNED, "return all_reduce_sum(loss, group).item()"),
        caught_by=ONE_LOSS,
        explanation="""The losses of all ranks are added up and not divided. With more ranks the loss would seem larger.""",
    ),
    mistake(
        "the own loss is divided by the number of ranks",
        swap(RETURNED, "return loss.item() / group.world_size"),
        caught_by=ONE_LOSS,
        explanation="""Only this rank's loss is in what comes back, and it is divided as if all were. Those of the others have
        to be added first.""",
    ),
    mistake(
        "a tensor is returned",
        swap(RETURNED, "return all_reduce_sum(loss, group) / group.world_size"),
        caught_by=ONE_LOSS,
        explanation="""The loss comes back as a tensor. A plain number is what callers write down, and what holds on to no
        memory.""",
    ),
    mistake(
        "the loss after the step",
        swap(RETURNED, "return all_reduce_sum(cross_entropy(model(x), y).detach(), group).item() / group.world_size"),
        caught_by=ONE_LOSS,
        explanation="""The loss is worked out again with the new weights. It is the one before the step that is asked for, and
        it is there already.""",
    ),
    mistake(
        "the loss weighted by rows",
        swap(RETURNED, "return all_reduce_sum(loss * len(x), group).item() / group.world_size"),
        caught_by=ONE_LOSS,
        explanation="""Each loss is multiplied by the rows of the share, and the sum is divided by ranks alone. Shares are
        equally large, so a plain mean is the mean over all rows.""",
    ),
    mistake(
        "the share is cut once more",
        swap(
            LOSS,
            "if len(x) >= group.world_size:\n        x, y = shard(x, group.rank, group.world_size), shard(y, group.rank, group.world_size)\n    "
            + LOSS,
        ),
        caught_by=ONE_PROCESS,
        explanation="""x and y are cut into shares, and they are this rank's share already. Most rows of the batch are seen by
        nobody.""",
    ),
    mistake(
        "the weights are averaged after the step",
        swap(AVERAGE, "if"),
        swap(
            STEP,
            f"{STEP}\n    for weight in model.parameters():\n        weight.data.copy_(all_reduce_sum(weight.detach(), group) / group.world_size)",
        ),
        caught_by=ADAMW,
        explanation="""Each rank steps with its own gradient, and then the weights are averaged. For plain SGD it is the same;
        AdamW keeps means of squares, and those are each rank's own.""",
    ),
    family(
        "gradients are scaled by {c}",
        swap(MEAN, "mean = {c} * all_reduce_sum(row, group) / group.world_size  # (N,)"),
        constants=(0.1, 0.5, 2.0, 10.0),
        caught_by=MEANS,
        explanation="""The mean is multiplied by {c}, whatever the number of ranks is. The mean itself is what one process
        would have.""",
    ),
]
