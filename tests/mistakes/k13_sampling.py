"""k13: what people get wrong about sampling."""

from dojo.spec import family, mistake, swap

GREEDY = "return logits.argmax(dim=-1)"
WARM = "    if not t > 0:\n"
DIVIDE = "return logits / t\n"
K_CHECK = "    if k < 1:\n"
KEPT = "kept = logits.topk(min(k, logits.shape[-1])).values"
TOP_K = "return logits.masked_fill(logits < kept[:, -1:], -torch.inf)"
P_CHECK = "    if not 0 < p <= 1:\n"
ALL = "    if p == 1:\n        return logits"
SORTED = "ordered, order = logits.sort(dim=-1, descending=True)"
PROBABILITIES = "probabilities = softmax(ordered)"
BEFORE = "before = probabilities.cumsum(dim=-1) - probabilities"
DROPPED = "dropped = before >= p"
TOP_P = "return logits.masked_fill(dropped.gather(-1, order.argsort(dim=-1)), -torch.inf)"
EVAL = "    model.eval()\n"
WINDOW = "logits = model(ids[:, -context_length:])[:, -1]"
WHETHER_WARM = "            if temperature != 0:\n"
HEAT = WHETHER_WARM + "                logits = with_temperature(logits, temperature)\n"
KEEP_K = "            if top_k is not None:\n                logits = keep_top_k(logits, top_k)\n"
KEEP_P = "            if top_p is not None:\n                logits = keep_top_p(logits, top_p)\n"
WHETHER_GREEDY = "            if temperature == 0:\n"
DRAW = "next_ids = torch.multinomial(softmax(logits), 1, generator=generator)[:, 0]"
FILL = "                next_ids = next_ids.masked_fill(stopped, stop_id)\n"
STOPPED = "stopped = stopped | (next_ids == stop_id)"
WHETHER_STOP = "            if stop_id is not None:\n"
APPEND = "ids = torch.cat([ids, next_ids[:, None]], dim=1)"
END = "            if stopped.all():\n"
RESTORE = "model.train(was_training)"
SIGNATURE = 'def generate(\n    model: nn.Module,\n    ids: Int64[Tensor, "B T"],\n    max_new_tokens: int,\n'
LOOP = "for _ in range(max_new_tokens):"
RETURN = "    return ids\n"

MISTAKES = [
    # Step 1
    mistake(
        "the largest logit, not its place",
        swap(GREEDY, "return logits.amax(dim=-1)"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""What comes back is how large the largest logit is. A token is known by its place in the row.""",
    ),
    mistake(
        "greedy looks down the batch",
        swap(GREEDY, "return logits.argmax(dim=0)"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""The largest logit is looked for among the rows of the batch. Each row chooses among the tokens of
        the vocabulary, along the last dimension.""",
    ),
    mistake(
        "one token for the whole batch",
        swap(GREEDY, "return logits.argmax()"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""The largest logit of the whole table is taken, counted through all rows. Every row needs a token
        of its own.""",
    ),
    mistake(
        "the least likely token",
        swap(GREEDY, "return logits.argmin(dim=-1)"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""The smallest logit wins. A larger logit means a more likely token.""",
    ),
    mistake(
        "greedy keeps a dimension",
        swap(GREEDY, "return logits.argmax(dim=-1, keepdim=True)"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""The result is a column, (B, 1). One id for each row is (B,).""",
    ),
    mistake(
        "greedy draws",
        swap(GREEDY, "return torch.multinomial(softmax(logits), 1)[:, 0]"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""A token is drawn at random, by its probability. Greedy means no chance: the most likely one.""",
    ),
    mistake(
        "the largest logit and its place",
        swap(GREEDY, "return logits.max(dim=-1)"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""`max` with a dimension gives two things, values and places, and both are returned. The token is the place.""",
    ),
    mistake(
        "multiplied by the temperature",
        swap(DIVIDE, "return logits * t\n"),
        caught_by="test_a_higher_temperature_is_flatter",
        explanation="""The logits grow with the temperature, so that a high one sharpens. It is the other way round: heat
        brings the tokens closer together.""",
    ),
    mistake(
        "the temperature comes after the softmax",
        swap(DIVIDE, "return softmax(logits) / t\n"),
        caught_by="test_temperature_divides_the_logits",
        explanation="""Probabilities are divided, not logits. Dividing all of them by one number does not change which is
        how much more likely; and what comes back are no logits any more.""",
    ),
    mistake(
        "probabilities are returned instead of logits",
        swap(DIVIDE, "return softmax(logits / t)\n"),
        caught_by="test_temperature_divides_the_logits",
        explanation="""The softmax is taken already. Whoever gets these as logits takes it a second time, and everything
        becomes nearly even.""",
    ),
    mistake(
        "the temperature is ignored",
        swap(DIVIDE, "return logits\n"),
        caught_by="test_a_higher_temperature_is_flatter",
        explanation="""The logits come back as they were. The temperature has no effect.""",
    ),
    mistake(
        "powers of the probabilities",
        swap(DIVIDE, "return softmax(logits) ** (1 / t)\n"),
        caught_by="test_a_higher_temperature_is_flatter",
        explanation="""Probabilities are raised to the power 1 / t. That is what a temperature does to them, up to a factor;
        but what comes back are no logits any more.""",
    ),
    mistake(
        "divided by the square of the temperature",
        swap(DIVIDE, "return logits / t**2\n"),
        caught_by="test_temperature_divides_the_logits",
        explanation="""The temperature enters twice. It divides the logits once.""",
    ),
    mistake(
        "the temperature is a threshold",
        swap(
            DIVIDE,
            "return logits.masked_fill(softmax(logits) < t * softmax(logits).amax(dim=-1, keepdim=True), -torch.inf)\n",
        ),
        caught_by="test_a_higher_temperature_is_flatter",
        explanation="""Tokens below some probability are dropped, and the others left as they are. That is a filter; a
        temperature drops nothing and changes how far apart the logits are.""",
    ),
    mistake(
        "the logits are divided in place",
        swap(DIVIDE, "return logits.div_(t)\n"),
        caught_by="test_greedy_and_temperature_leave_the_logits_alone",
        explanation="""The function writes into the logits that it was given. Whoever called still holds them, and finds
        them changed.""",
    ),
    mistake(
        "a temperature of 0 divides by 0",
        swap(WARM, "    if t < 0:\n"),
        caught_by="test_temperature_must_be_above_zero",
        explanation="""Only negative temperatures are refused, and a division by 0 gives infinities. Without a softmax
        that survives them, the next thing to appear is NaN.""",
    ),
    mistake(
        "a negative temperature is accepted",
        swap(WARM, "    if t == 0:\n"),
        caught_by="test_temperature_must_be_above_zero",
        explanation="""Only a temperature of exactly 0 is refused. A negative one turns the order of the tokens round, and
        the least likely comes out on top.""",
    ),
    mistake(
        "any temperature is accepted",
        swap(WARM, "    if False:\n"),
        caught_by="test_temperature_must_be_above_zero",
        explanation="""No temperature is refused. One of 0 gives infinities, and a negative one turns the order of the
        tokens round.""",
    ),
    mistake(
        "a temperature below 1e-5 becomes 1e-5",
        swap(WARM, "    t = max(t, 1e-5)\n    if not t > 0:\n"),
        caught_by="test_temperature_must_be_above_zero",
        explanation="""A small number takes the place of a temperature that cannot be. Below 0 it means nothing, and at 0 the
        division is asked for that greedy is there to avoid; whoever gives one should be told.""",
    ),
    mistake(
        "a temperature below 1e-8 becomes 1e-8",
        swap(WARM, "    t = max(t, 1e-8)\n    if not t > 0:\n"),
        caught_by="test_temperature_must_be_above_zero",
        explanation="""A small number takes the place of a temperature that cannot be. Below 0 it means nothing, and at 0 the
        division is asked for that greedy is there to avoid; whoever gives one should be told.""",
    ),
    mistake(
        "the largest logit whatever its sign",
        swap(GREEDY, "return logits.abs().argmax(dim=-1)"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""The logit that is farthest from 0 wins, a very negative one too. A very negative logit belongs to
        a very unlikely token.""",
    ),
    mistake(
        "greedy counts from 1",
        swap(GREEDY, "return logits.argmax(dim=-1) + 1"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""The place is counted from 1. Token ids begin at 0, so every token is the one after the
        right one.""",
    ),
    mistake(
        "greedy counts from the end",
        swap(GREEDY, "return logits.flip(-1).argmax(dim=-1)"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""The row is turned round before the place is looked for. Places in the turned row count from the
        other end.""",
    ),
    mistake(
        "the second most likely token",
        swap(GREEDY, "return logits.topk(2).indices[:, 1]"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""The token in second place is taken. Counted from 0, the most likely one stands in place 0.""",
    ),
    mistake(
        "greedy takes the first row's token for all",
        swap(GREEDY, "return logits[0].argmax().expand(len(logits))"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""Only the first row is looked at, and every row gets its token. Each row has a most likely token
        of its own.""",
    ),
    mistake(
        "greedy takes the last row's token for all",
        swap(GREEDY, "return logits[-1].argmax().expand(len(logits))"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""Only the last row is looked at, and every row gets its token. Each row has a most likely token of
        its own.""",
    ),
    mistake(
        "greedy returns numbers with a point",
        swap(GREEDY, "return logits.argmax(dim=-1).float()"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""The ids come back as floats. A token id is a whole number, int64, and nothing else can look up an
        embedding.""",
    ),
    mistake(
        "greedy returns 32-bit ids",
        swap(GREEDY, "return logits.argmax(dim=-1).int()"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""The ids come back as int32. Ids are int64 everywhere, and tensors of two kinds do not go together
        in one text.""",
    ),
    mistake(
        "greedy returns a list",
        swap(GREEDY, "return logits.argmax(dim=-1).tolist()"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""The ids come back as a Python list. A tensor of ids is asked for, which can be put behind the
        text.""",
    ),
    mistake(
        "greedy returns one number",
        swap(GREEDY, "return logits.argmax(dim=-1).item()"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""A single number is made of the result, which works for one row only. A batch has an id for each
        row.""",
    ),
    mistake(
        "greedy loses a batch of one",
        swap(GREEDY, "return logits.argmax(dim=-1, keepdim=True).squeeze()"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""All dimensions of size 1 are taken away, and with one row that is the batch itself. One row gives
        a tensor of one id.""",
    ),
    mistake(
        "greedy marks the token",
        swap(GREEDY, "return torch.nn.functional.one_hot(logits.argmax(dim=-1), logits.shape[-1])"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""Every row comes back as zeros with a 1 at the token. One id for each row is asked for.""",
    ),
    mistake(
        "greedy returns all tokens in order",
        swap(GREEDY, "return logits.argsort(dim=-1, descending=True)"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""The whole vocabulary comes back, the most likely token first. Only the first of each row is asked
        for.""",
    ),
    mistake(
        "the first row of the order",
        swap(GREEDY, "return logits.argsort(dim=-1, descending=True)[0]"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""Each row is sorted, and then the first row is taken. What is wanted is the first column: the best
        place of each row.""",
    ),
    mistake(
        "logits are cut to whole numbers",
        swap(GREEDY, "return logits.long().argmax(dim=-1)"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""What stands behind the point is lost before the largest is looked for. Logits that differ by less
        than 1 are then the same.""",
    ),
    mistake(
        "the largest probability, not its place",
        swap(GREEDY, "return softmax(logits).amax(dim=-1)"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""What comes back is how likely the likeliest token is. A token is known by its place in the
        row.""",
    ),
    mistake(
        "shares among the rows are compared",
        swap(GREEDY, "return softmax(logits, dim=0).argmax(dim=-1)"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""A softmax over the batch comes first, so a token wins where the other rows have little of it. A
        row's tokens are compared with each other.""",
    ),
    mistake(
        "the temperature is subtracted",
        swap(DIVIDE, "return logits - t\n"),
        caught_by="test_temperature_divides_the_logits",
        explanation="""Every logit loses the same amount. A softmax does not see that, so the temperature has no
        effect.""",
    ),
    mistake(
        "the root of the temperature",
        swap(DIVIDE, "return logits / t**0.5\n"),
        caught_by="test_temperature_divides_the_logits",
        explanation="""The logits are divided by the square root of the temperature. It is the temperature itself that
        divides them.""",
    ),
    mistake(
        "divided by 1 plus the temperature",
        swap(DIVIDE, "return logits / (1 + t)\n"),
        caught_by="test_temperature_divides_the_logits",
        explanation="""1 is added to the temperature, perhaps against a division by 0. At a temperature of 1 the logits
        should stay as they are.""",
    ),
    mistake(
        "logits to a power",
        swap(DIVIDE, "return logits ** (1 / t)\n"),
        caught_by="test_temperature_divides_the_logits",
        explanation="""The logits themselves are raised to the power 1 / t. That belongs to the probabilities; a
        negative logit has no root at all.""",
    ),
    mistake(
        "rounded down to whole numbers",
        swap(DIVIDE, "return logits // t\n"),
        caught_by="test_temperature_divides_the_logits",
        explanation="""The division rounds down to whole numbers. Tokens that are not equally likely become so.""",
    ),
    mistake(
        "divided probabilities, then a logarithm",
        swap(DIVIDE, "return (softmax(logits) / t).log()\n"),
        caught_by="test_temperature_divides_the_logits",
        explanation="""Probabilities are divided, and the logarithm taken. To divide all of them by one number takes one
        number off all logarithms, which a softmax does not see.""",
    ),
    mistake(
        "only logits above 0 are divided",
        swap(DIVIDE, "return torch.where(logits > 0, logits / t, logits)\n"),
        caught_by="test_temperature_divides_the_logits",
        explanation="""Logits below 0 stay as they are. The temperature changes all differences alike, whatever height
        the logits have.""",
    ),
    mistake(
        "the temperature of the first row only",
        swap(DIVIDE, "return torch.cat([logits[:1] / t, logits[1:]])\n"),
        caught_by="test_temperature_divides_the_logits",
        explanation="""Only the first row is divided. One temperature is meant for every row of the batch.""",
    ),
    family(
        "a temperature is never above {c}",
        swap(DIVIDE, "return logits / min(t, {c})\n"),
        constants=(1.0, 1.5, 2.0),
        caught_by="test_temperature_divides_the_logits",
        explanation="""The temperature is held at {c} from above, as sliders of many programs do. No upper end is asked for.""",
    ),
    family(
        "a temperature is never below {c}",
        swap(DIVIDE, "return logits / max(t, {c})\n"),
        constants=(0.25, 0.5, 1.0),
        caught_by="test_temperature_divides_the_logits",
        explanation="""The temperature is held at {c} from below. Any above 0 is allowed, and the lower it is, the sharper the
        choice.""",
    ),
    mistake(
        "the temperature is rounded",
        swap(DIVIDE, "return logits / max(1, round(t))\n"),
        caught_by="test_temperature_divides_the_logits",
        explanation="""The temperature is made a whole number. The useful ones lie between 0 and 2, and nearly all of
        them are no whole numbers.""",
    ),
    mistake(
        "a temperature above 1 is refused",
        swap(WARM, "    if not 0 < t <= 1:\n"),
        caught_by="test_temperature_divides_the_logits",
        explanation="""A temperature above 1 raises an error, as if it were a probability. It is a divisor, and may be
        as large as you like.""",
    ),
    mistake(
        "a temperature below 1 is refused",
        swap(WARM, "    if t < 1:\n"),
        caught_by="test_temperature_divides_the_logits",
        explanation="""Temperatures between 0 and 1 raise an error. They are the ones that sharpen, and are used
        most.""",
    ),
    mistake(
        "temperature comes before the logits",
        swap(
            'def with_temperature(logits: Float[Tensor, "B V"], t: float)',
            'def with_temperature(t: float, logits: Float[Tensor, "B V"])',
        ),
        caught_by="test_temperature_divides_the_logits",
        explanation="""The arguments stand in another order than in the signature that was given. Whoever calls by place
        hands the logits in as the temperature.""",
    ),
    mistake(
        "the temperature's function returns nothing",
        swap(DIVIDE, "logits / t\n"),
        caught_by="test_temperature_divides_the_logits",
        explanation="""The quotient is worked out and not returned. Without `return` a function gives None.""",
    ),
    mistake(
        "an assertion refuses the temperature",
        swap(WARM, "    assert t > 0\n    if not t > 0:\n"),
        caught_by="test_temperature_must_be_above_zero",
        explanation="""A bad temperature ends in an AssertionError, and in none where Python runs with -O. A ValueError
        is what says that a value is wrong.""",
    ),
    mistake(
        "a bad temperature leaves the logits alone",
        swap(WARM, "    if t <= 0:\n        return logits\n    if not t > 0:\n"),
        caught_by="test_temperature_must_be_above_zero",
        explanation="""At 0 or below the logits come back unchanged, as at a temperature of 1. Whoever gives such a
        number should be told.""",
    ),
    mistake(
        "a bad temperature is only printed about",
        swap(
            WARM,
            "    if not t > 0:\n        print('temperature must be above 0')\n        return None\n    if not t > 0:\n",
        ),
        caught_by="test_temperature_must_be_above_zero",
        explanation="""A message is printed, and None comes back. The caller's program goes on with it and fails
        somewhere else; an error has to be raised.""",
    ),
    mistake(
        "the temperature's sign is ignored",
        swap(WARM, "    t = abs(t)\n    if not t > 0:\n"),
        caught_by="test_temperature_must_be_above_zero",
        explanation="""A negative temperature is taken for the positive one. It means nothing, and whoever gives one
        should be told.""",
    ),
    mistake(
        "the error is returned, not raised",
        swap(WARM, "    if not t > 0:\n        return ValueError(t)\n    if not t > 0:\n"),
        caught_by="test_temperature_must_be_above_zero",
        explanation="""The error is made and handed back like an answer. Only `raise` stops the caller.""",
    ),
    mistake(
        "a temperature of another kind of error",
        swap(WARM, "    if not t > 0:\n        raise TypeError(t)\n    if not t > 0:\n"),
        caught_by="test_temperature_must_be_above_zero",
        explanation="""A TypeError says that something of the wrong type was given. The type is right here, and the
        value is not.""",
    ),
    mistake(
        "a temperature of 0 gives the largest logit alone",
        swap(
            WARM,
            "    if t == 0:\n        return logits.masked_fill(logits < logits.amax(dim=-1, keepdim=True), -torch.inf)\n    if not t > 0:\n",
        ),
        caught_by="test_temperature_must_be_above_zero",
        explanation="""At 0 all but the largest logit are dropped, which is where smaller and smaller temperatures lead.
        But this function refuses 0: the greedy choice is made elsewhere.""",
    ),
    # Step 2
    mistake(
        "one too many is kept",
        swap(KEPT, "kept = logits.topk(min(k + 1, logits.shape[-1])).values"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The border is the logit after the k-th, and it survives. Counting from the largest as number 1,
        the k-th is the last one.""",
    ),
    mistake(
        "one too few is kept",
        swap(TOP_K, "return logits.masked_fill(logits <= kept[:, -1:], -torch.inf)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""What equals the k-th largest is dropped as well, and so is the k-th itself. With k = 1 nothing is
        left.""",
    ),
    mistake(
        "only the largest is kept",
        swap(TOP_K, TOP_K.replace("kept[:, -1:]", "kept[:, :1]")),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The border is the largest of the k largest logits. It is the smallest of them.""",
    ),
    mistake(
        "the border is the k-th smallest",
        swap(KEPT, "kept = logits.kthvalue(min(k, logits.shape[-1]), dim=-1, keepdim=True).values"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""`kthvalue` counts from the smallest logit, and what is above that is kept. The k largest are counted from the
        other end.""",
    ),
    mistake(
        "what one row keeps, all rows keep",
        swap(
            TOP_K,
            "places = logits.topk(min(k, logits.shape[-1])).indices\n    dropped = torch.ones_like(logits, dtype=torch.bool)\n    dropped[:, places] = False\n    return logits.masked_fill(dropped, -torch.inf)",
        ),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The places found in each row are used for every row. Each row keeps its own k.""",
    ),
    mistake(
        "what survives becomes 0",
        swap(
            TOP_K,
            "places = logits.topk(min(k, logits.shape[-1])).indices\n    return torch.full_like(logits, -torch.inf).scatter(-1, places, 0.0)",
        ),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The k largest are marked, and their own values are lost. All of them are then equally likely.""",
    ),
    mistake(
        "what survives becomes 1",
        swap(
            TOP_K,
            "places = logits.topk(min(k, logits.shape[-1])).indices\n    return torch.full_like(logits, -torch.inf).scatter(-1, places, 1.0)",
        ),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The k largest are marked, and their own values are lost. All of them are then equally likely.""",
    ),
    mistake(
        "the places are returned, not the logits",
        swap(TOP_K, "return logits.topk(min(k, logits.shape[-1])).indices"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""What comes back says which tokens are the k largest. Logits are asked for, with −inf for all others.""",
    ),
    mistake(
        "a k of V drops one",
        swap(KEPT, KEPT.replace("logits.shape[-1])", "logits.shape[-1] - 1)")),
        caught_by="test_top_k_of_all_tokens_keeps_all",
        explanation="""k is held below the size of the vocabulary, as if it were a place in it. A k of V keeps all V.""",
    ),
    mistake(
        "the k smallest are kept",
        swap(KEPT, "kept = -(-logits).topk(min(k, logits.shape[-1])).values"),
        swap(TOP_K, "return logits.masked_fill(logits > kept[:, -1:], -torch.inf)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The k smallest logits survive. The likely tokens are those with the largest.""",
    ),
    mistake(
        "the k largest are dropped",
        swap(TOP_K, "return logits.masked_fill(logits >= kept[:, -1:], -torch.inf)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The fill goes to what should be kept. `masked_fill` fills where the mask is True.""",
    ),
    mistake(
        "dropped logits become 0 or nearly 0",
        swap(TOP_K, "return logits.masked_fill(logits < kept[:, -1:], 0.0)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""A dropped logit becomes 0 or a number like 1e-10, which would be small as a probability. As a logit it
        is an ordinary one: its exponential is 1, and the token can still be drawn.""",
    ),
    family(
        "dropped logits become {c}",
        swap(TOP_K, "return logits.masked_fill(logits < kept[:, -1:], {c})"),
        constants=(-100.0, -1e4, -1e9, -1e10),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""A dropped logit becomes {c}, which no later filter can tell from a logit. What is dropped is marked by
        minus infinity.""",
    ),
    mistake(
        "the first row's border for the whole batch",
        swap(TOP_K, "return logits.masked_fill(logits < kept[0, -1], -torch.inf)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The k-th largest logit of the first row decides for all rows. Each row has a border of its own.""",
    ),
    mistake(
        "the last row's border for the whole batch",
        swap(TOP_K, "return logits.masked_fill(logits < kept[-1, -1], -torch.inf)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The k-th largest logit of the last row decides for all rows. Each row has a border of its own.""",
    ),
    mistake(
        "the lowest border for the whole batch",
        swap(TOP_K, "return logits.masked_fill(logits < kept.min(), -torch.inf)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The smallest of all that was kept decides for all rows, so rows with larger logits keep too many.
        Each row has a border of its own.""",
    ),
    mistake(
        "the highest border for the whole batch",
        swap(TOP_K, "return logits.masked_fill(logits < kept[:, -1].max(), -torch.inf)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The highest of the rows' borders decides for all rows, so rows with smaller logits keep too few, or
        nothing. Each row has a border of its own.""",
    ),
    mistake(
        "the borders lie across the rows",
        swap(TOP_K, "return logits.masked_fill(logits < kept[:, -1], -torch.inf)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The borders, one for each row, are compared with the columns. That fails at once, unless there are
        as many rows as tokens: then it is silently wrong.""",
    ),
    mistake(
        "the k largest of the whole batch",
        swap(KEPT, "kept = logits.flatten().topk(min(k, logits.shape[-1])).values[None]"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The k largest logits are looked for in all rows together. Some rows then keep nothing.""",
    ),
    mistake(
        "only the k largest are returned",
        swap(TOP_K, "return kept"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The largest logits come back without their places. Nobody can tell any more which token each of
        them stands for.""",
    ),
    mistake(
        "the survivors are sorted",
        swap(TOP_K, "return torch.cat([kept, torch.full_like(logits, -torch.inf)], dim=-1)[:, : logits.shape[-1]]"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The survivors stand at the front, the largest first. A logit's place is its token, so it has to
        stay where it was.""",
    ),
    mistake(
        "the first k are kept",
        swap(TOP_K, "return logits.masked_fill(torch.arange(logits.shape[-1]) >= k, -torch.inf)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The first k tokens of the vocabulary are kept. It is the k most likely ones that should be.""",
    ),
    mistake(
        "top-k returns probabilities",
        swap(TOP_K, "return softmax(logits.masked_fill(logits < kept[:, -1:], -torch.inf))"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The softmax is taken already. A filter returns logits, for the next filter or for the one softmax
        at the end.""",
    ),
    mistake(
        "a k above V raises",
        swap(KEPT, "kept = logits.topk(k).values"),
        caught_by="test_top_k_of_all_tokens_keeps_all",
        explanation="""`topk` cannot give more numbers than there are. More than all of them is simply all of them.""",
    ),
    mistake(
        "any k is accepted",
        swap(K_CHECK, "    k = max(k, 1)\n    if k < 1:\n"),
        caught_by="test_k_must_be_at_least_one",
        explanation="""A k below 1 is taken for 1. Nobody can draw from no tokens, and whoever asks for that should be
        told.""",
    ),
    mistake(
        "a bad k keeps everything",
        swap(K_CHECK, "    if k < 1:\n        return logits\n    if k < 1:\n"),
        caught_by="test_k_must_be_at_least_one",
        explanation="""A k below 1 turns the filter off without a word. Whoever asks for fewer than one token should be
        told that this cannot be.""",
    ),
    mistake(
        "top-k writes into the logits",
        swap(TOP_K, "return logits.masked_fill_(logits < kept[:, -1:], -torch.inf)"),
        caught_by="test_top_k_leaves_the_logits_alone",
        explanation="""The function with a trailing underscore changes the logits that it was given. Whoever called still
        holds them.""",
    ),
    mistake(
        "top-k returns a mask",
        swap(TOP_K, "return logits >= kept[:, -1:]"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""What comes back says for each token whether it is kept. Logits are asked for, with −inf for all
        others.""",
    ),
    mistake(
        "dropped logits become nan",
        swap(TOP_K, "return logits.masked_fill(logits < kept[:, -1:], torch.nan)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""A dropped logit is marked as no number, and the softmax of a row with one of those is none
        either. Minus infinity is a number that a softmax understands.""",
    ),
    mistake(
        "dropped logits become plus infinity",
        swap(TOP_K, "return logits.masked_fill(logits < kept[:, -1:], torch.inf)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""A dropped logit becomes larger than any other. The sign is the other one.""",
    ),
    mistake(
        "dropped logits become the lowest number there is",
        swap(TOP_K, "return logits.masked_fill(logits < kept[:, -1:], torch.finfo(logits.dtype).min)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""A dropped logit becomes the smallest finite number, which no later filter can tell from a logit.
        What is dropped is marked by minus infinity.""",
    ),
    mistake(
        "dropped logits become the smallest logit",
        swap(TOP_K, "return logits.masked_fill(logits < kept[:, -1:], logits.min())"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""What is dropped gets the smallest logit of all, and can still be drawn. What is dropped has to be
        impossible.""",
    ),
    mistake(
        "minus infinity times false",
        swap(TOP_K, "return logits + (logits < kept[:, -1:]) * -torch.inf"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The mask is multiplied by infinity and added. Where the mask is False that is 0 times infinity,
        which is no number, and just the kept ones are lost.""",
    ),
    mistake(
        "the survivors in one long row",
        swap(TOP_K, "return logits[logits >= kept[:, -1:]]"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""What is kept is picked out of the table, and rows and places are lost. The result has the shape
        of the logits.""",
    ),
    mistake(
        "the k largest of each column",
        swap(KEPT, "kept = logits.topk(min(k, len(logits)), dim=0).values"),
        swap(TOP_K, "return logits.masked_fill(logits < kept[-1:], -torch.inf)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The k largest are looked for down the batch. Tokens compete within a row.""",
    ),
    mistake(
        "the k largest whatever their sign",
        swap(KEPT, "kept = logits.abs().topk(min(k, logits.shape[-1])).values"),
        swap(TOP_K, "return logits.masked_fill(logits.abs() < kept[:, -1:], -torch.inf)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The logits that are farthest from 0 are kept. A very negative one belongs to a very unlikely
        token.""",
    ),
    mistake(
        "the largest itself is dropped",
        swap(TOP_K, "return logits.masked_fill((logits < kept[:, -1:]) | (logits >= kept[:, :1]), -torch.inf)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""What is as large as the largest goes too, as if the list of the best began in second place. The
        most likely token is the first of the k.""",
    ),
    mistake(
        "the last k are kept",
        swap(TOP_K, "return logits.masked_fill(torch.arange(logits.shape[-1]) < logits.shape[-1] - k, -torch.inf)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The last k tokens of the vocabulary are kept. It is the k most likely ones that should be.""",
    ),
    mistake(
        "what is below the average is dropped",
        swap(TOP_K, "return logits.masked_fill(logits < logits.mean(dim=-1, keepdim=True), -torch.inf)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The average of a row decides, and k plays no part. The border is the k-th largest logit.""",
    ),
    mistake(
        "the border is the one before the k-th",
        swap(KEPT, "kept = logits.topk(min(k, logits.shape[-1]) - 1).values"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""k - 1 tokens are kept, and with k = 1 there is no border at all. Counted from 1, the k-th is the
        last that stays.""",
    ),
    mistake(
        "the survivors change places",
        swap(
            TOP_K,
            "places = logits.topk(min(k, logits.shape[-1])).indices\n    return torch.full_like(logits, -torch.inf).scatter(-1, places, kept.flip(-1))",
        ),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The k largest values are put back in another order than their places were found in. Each value
        belongs to the token it came from.""",
    ),
    mistake(
        "top-k throws its answer away",
        swap(TOP_K, TOP_K.removeprefix("return ") + "\n    return logits"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""`masked_fill` makes a new tensor, which nobody keeps, and the logits come back as they were. Only
        the form with a trailing underscore changes the tensor itself.""",
    ),
    mistake(
        "top-k returns nothing",
        swap(TOP_K, TOP_K.removeprefix("return ")),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The filtered logits are worked out and not returned. Without `return` a function gives None.""",
    ),
    mistake(
        "a k of 1 is refused",
        swap(K_CHECK, "    if k <= 1:\n"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""k = 1 raises an error. It keeps the most likely token, which is a sensible thing to ask for.""",
    ),
    mistake(
        "top-k takes k before the logits",
        swap('def top_k(logits: Float[Tensor, "B V"], k: int)', 'def top_k(k: int, logits: Float[Tensor, "B V"])'),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The arguments stand in another order than in the signature that was given. Whoever calls by place
        hands the logits in as k.""",
    ),
    mistake(
        "top-k keeps a share of the vocabulary",
        swap(KEPT, "kept = logits.topk(max(1, logits.shape[-1] // k)).values"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The vocabulary is divided by k, and so many tokens are kept. k is how many.""",
    ),
    mistake(
        "the survivors are compared with the largest",
        swap(TOP_K, "return (logits - kept[:, :1]).masked_fill(logits < kept[:, -1:], -torch.inf)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The largest logit is subtracted from all. That draws the same tokens; but a filter leaves the
        logits that it keeps as they are.""",
    ),
    mistake(
        "equal logits count once",
        swap(KEPT, "kept = torch.stack([row.unique().flip(0)[:k][-1:] for row in logits])"),
        caught_by="test_top_k_with_ties_keeps_k_or_all_that_are_equal",
        explanation="""The k-th largest is looked for among the different values. Where logits are equal, that goes
        farther down than the k-th token, and too many stay.""",
    ),
    mistake(
        "a k above V is refused",
        swap(K_CHECK, "    if not 1 <= k <= logits.shape[-1]:\n"),
        caught_by="test_top_k_of_all_tokens_keeps_all",
        explanation="""A k above the size of the vocabulary raises an error. More than all of them is simply all of
        them.""",
    ),
    mistake(
        "a k above V begins again",
        swap(KEPT, "kept = logits.topk((k - 1) % logits.shape[-1] + 1).values"),
        caught_by="test_top_k_of_all_tokens_keeps_all",
        explanation="""What k has above V is counted anew from 1. More than all of them is simply all of them.""",
    ),
    mistake(
        "the border is looked for at place k",
        swap(TOP_K, "return logits.masked_fill(logits < kept[:, k - 1 : k], -torch.inf)"),
        caught_by="test_top_k_of_all_tokens_keeps_all",
        explanation="""The border is looked for at the k-th place of what `topk` gave. Where k is above V there is no
        such place.""",
    ),
    mistake(
        "a k of V is refused",
        swap(K_CHECK, "    if not 1 <= k < logits.shape[-1]:\n"),
        caught_by="test_top_k_of_all_tokens_keeps_all",
        explanation="""A k of V or more raises an error, as if it were a place in the vocabulary. k is a number of
        tokens, and V of them are all.""",
    ),
    mistake(
        "a k of 0 is let through",
        swap(K_CHECK, "    if k < 0:\n"),
        caught_by="test_k_must_be_at_least_one",
        explanation="""Only a negative k is refused. With 0 tokens there is no border, and nothing to draw from.""",
    ),
    mistake(
        "a negative k is let through",
        swap(K_CHECK, "    if k == 0:\n"),
        caught_by="test_k_must_be_at_least_one",
        explanation="""Only a k of exactly 0 is refused. A negative one goes on to `topk`, which complains about
        something else.""",
    ),
    mistake(
        "the sign of k is ignored",
        swap(K_CHECK, "    k = abs(k)\n    if k < 1:\n"),
        caught_by="test_k_must_be_at_least_one",
        explanation="""A negative k is taken for the positive one. It means nothing, and whoever gives one should be
        told.""",
    ),
    mistake(
        "an assertion refuses k",
        swap(K_CHECK, "    assert k >= 1\n    if k < 1:\n"),
        caught_by="test_k_must_be_at_least_one",
        explanation="""A bad k ends in an AssertionError, and in none where Python runs with -O. A ValueError is what
        says that a value is wrong.""",
    ),
    mistake(
        "only a k of 0 keeps everything",
        swap(K_CHECK, "    if k == 0:\n        return logits\n    if k < 1:\n"),
        caught_by="test_k_must_be_at_least_one",
        explanation="""A k of 0 turns the filter off, as in some libraries. Here nothing turns it off but not calling
        it, and 0 tokens are refused.""",
    ),
    # Step 3
    mistake(
        "the crossing token is dropped",
        swap(BEFORE, "before = probabilities.cumsum(dim=-1)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""A token is dropped when the sum *with* it reaches p, so what is kept never reaches p. Where one
        token is likelier than p, nothing is left at all.""",
    ),
    mistake(
        "only the first is saved from the cut",
        swap(BEFORE, "before = probabilities.cumsum(dim=-1).index_fill(-1, torch.tensor([0]), 0.0)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""A token is dropped when the sum with it reaches p, and only the most likely one is always kept. The
        token that crosses p belongs to those that are kept.""",
    ),
    mistake(
        "the likeliest token is dropped where it reaches p alone",
        swap(BEFORE, "before = torch.cat([probabilities[:, :1], probabilities.cumsum(dim=-1)[:, :-1]], dim=-1)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The marks are moved on by one token, and the first keeps its old mark. Where the likeliest token reaches p by
        itself, nothing is left.""",
    ),
    mistake(
        "all rows keep equally many",
        swap(DROPPED, DROPPED + "\n    dropped = dropped.all(dim=0).expand_as(dropped)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""How many tokens are kept is counted once, in one row, and used for all rows. Each row
        has its own.""",
    ),
    mistake(
        "top-p returns probabilities",
        swap(TOP_P, "kept = softmax(" + TOP_P.removeprefix("return ") + ")\n    return kept"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The survivors' probabilities are returned. A filter returns logits, with −inf where it dropped, so that another
        one may follow.""",
    ),
    mistake(
        "the survivors become logarithms of probabilities",
        swap(TOP_P, "return softmax(" + TOP_P.removeprefix("return ") + ").log()"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The probabilities are shared out anew, and their logarithms returned. That draws the same tokens; but a
        filter leaves the logits that it keeps as they are.""",
    ),
    mistake(
        "one more than needed is kept",
        swap(BEFORE, "before = probabilities.cumsum(dim=-1) - probabilities - probabilities.roll(1, dims=-1)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The cut comes one token late. When the tokens so far have reached p, no other is needed.""",
    ),
    mistake(
        "the least likely tokens are kept",
        swap(SORTED, "ordered, order = logits.sort(dim=-1, descending=False)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The tokens are added up from the least likely one. The fewest that reach p are found from the other
        end.""",
    ),
    mistake(
        "the mask is not put back in order",
        swap(TOP_P, "return logits.masked_fill(dropped, -torch.inf)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""What is dropped was found in sorted order, and is applied to logits that are not sorted. The wrong
        tokens go.""",
    ),
    mistake(
        "the mask is sorted instead of put back",
        swap(TOP_P, "return logits.masked_fill(dropped.gather(-1, order), -torch.inf)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The mask is sorted a second time by the same order. To undo a permutation takes its inverse, and
        only some permutations are their own.""",
    ),
    mistake(
        "the logits come back sorted",
        swap(TOP_P, "return ordered.masked_fill(dropped, -torch.inf)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The largest logit stands first in every row. A logit's place is its token, so each has to go back
        to where it was.""",
    ),
    mistake(
        "logits are added up",
        swap(PROBABILITIES, "probabilities = ordered"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""Logits are summed and compared with p. They are no probabilities: they may be negative, and they do
        not add up to 1.""",
    ),
    mistake(
        "the softmax runs over the batch",
        swap(PROBABILITIES, "probabilities = softmax(ordered, dim=0)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""Probabilities are shared out among the rows. Each row has a distribution of its own, over its
        tokens.""",
    ),
    mistake(
        "the sum runs over the batch",
        swap(BEFORE, "before = probabilities.cumsum(dim=0) - probabilities"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The probabilities are added up from row to row. They belong together along a row.""",
    ),
    mistake(
        "tokens less likely than p are dropped",
        swap(DROPPED, "dropped = (probabilities < p) & (before > 0)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""Each token's own probability is compared with p. p is what the tokens that are kept reach
        together.""",
    ),
    mistake(
        "only tokens that reach p alone are kept",
        swap(DROPPED, "dropped = probabilities < p"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""Each token's own probability is compared with p, the likeliest one's too. p is what the tokens that
        are kept reach together; where none reaches it alone, nothing is left.""",
    ),
    mistake(
        "p is measured against the likeliest token",
        swap(DROPPED, "dropped = probabilities < p * probabilities[:, :1]"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""Tokens below a share p of the most likely one are dropped. That is another filter; p is what the
        tokens that are kept reach together.""",
    ),
    mistake(
        "a share p of the vocabulary is kept",
        swap(DROPPED, "dropped = torch.arange(len(logits[0])) >= max(1, p * len(logits[0]))"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""So many tokens are kept that they are a share p of the vocabulary. p is a share of the probability,
        which a few tokens may have among them.""",
    ),
    mistake(
        "p is what is cut off",
        swap(DROPPED, "dropped = before >= 1 - p"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The tokens that are kept reach 1 - p. p is the share that stays, not the share that goes.""",
    ),
    mistake(
        "what top-p drops becomes 0",
        swap(TOP_P, TOP_P.replace("-torch.inf", "0.0")),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""A dropped logit becomes 0, an ordinary logit. Its exponential is 1, so the token can still be
        drawn.""",
    ),
    mistake(
        "p = 1 is treated like any other p",
        swap(ALL, "    if False:\n        return logits"),
        caught_by="test_top_p_of_one_keeps_all",
        explanation="""At p = 1 the cut is looked for as at any other p. Tokens are lost that should all be kept: even
        where the sum is compared, in floating point it can reach 1 before the last token.""",
    ),
    mistake(
        "at p = 1 rounding decides",
        swap(PROBABILITIES, "probabilities = torch.softmax(ordered, dim=-1)"),
        swap(ALL, "    pass"),
        swap(
            BEFORE,
            "before = torch.cat([torch.zeros_like(probabilities[:, :1]), probabilities.cumsum(dim=-1)[:, :-1]], dim=-1)",
        ),
        swap(DROPPED, "dropped = before > p"),
        caught_by="test_top_p_of_one_keeps_all",
        explanation="""The sum before a token is compared with p, also where p is 1. Rounding may bring that sum above 1, and
        the last tokens are dropped.""",
    ),
    mistake(
        "at p = 1 a full sum ends it",
        swap(PROBABILITIES, "probabilities = torch.softmax(ordered, dim=-1)"),
        swap(ALL, "    pass"),
        swap(
            BEFORE,
            "before = torch.cat([torch.zeros_like(probabilities[:, :1]), probabilities.cumsum(dim=-1)[:, :-1]], dim=-1)",
        ),
        caught_by="test_top_p_of_one_keeps_all",
        explanation="""What is dropped comes after the sum has reached p, also where p is 1. Rounding makes the sum 1 while some
        tokens are still to come.""",
    ),
    mistake(
        "a p close to 1 keeps all",
        swap(ALL, "    if p > 0.95:\n        return logits"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""From some p below 1 on, every token is kept. Only p = 1 keeps all; at p = 0.99 the tail that is not
        needed goes, and in a large vocabulary that is most of the tokens.""",
    ),
    mistake(
        "p = 1 is refused",
        swap(P_CHECK, "    if not 0 < p < 1:\n"),
        caught_by="test_top_p_of_one_keeps_all",
        explanation="""p = 1 raises an error. It is a sensible p, the one that keeps every token.""",
    ),
    mistake(
        "p = 0 is accepted",
        swap(P_CHECK, "    if not 0 <= p <= 1:\n"),
        caught_by="test_p_must_be_above_zero_and_at_most_one",
        explanation="""A p of 0 is let through. No tokens at all would reach it, and there would be nothing to draw
        from.""",
    ),
    mistake(
        "any p is accepted",
        swap(P_CHECK, "    if False:\n"),
        caught_by="test_p_must_be_above_zero_and_at_most_one",
        explanation="""p is not looked at. Someone who writes 90 and means 0.9 is never told that the filter does
        nothing.""",
    ),
    mistake(
        "a p above 1 is accepted",
        swap(P_CHECK, "    if p <= 0:\n"),
        caught_by="test_p_must_be_above_zero_and_at_most_one",
        explanation="""A p above 1 is let through, though no probability is larger than 1. Someone who writes 90 and means
        0.9 is never told.""",
    ),
    mistake(
        "top-p writes into the logits",
        swap(TOP_P, TOP_P.replace("masked_fill", "masked_fill_")),
        caught_by="test_top_p_leaves_the_logits_alone",
        explanation="""The function with a trailing underscore changes the logits that it was given. Whoever called still
        holds them.""",
    ),
    mistake(
        "gathered by the order a second time",
        swap(TOP_P, "return ordered.masked_fill(dropped, -torch.inf).gather(-1, order)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The filtered logits stand in sorted order, and are sorted by the same order again. To undo a
        permutation takes its inverse.""",
    ),
    mistake(
        "the sum runs in the vocabulary's order",
        swap(SORTED, "ordered, order = logits, torch.arange(logits.shape[-1]).expand_as(logits)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""Probabilities are added up in the order of the ids. The fewest tokens that reach p are found by
        beginning with the most likely.""",
    ),
    mistake(
        "sorted down the batch",
        swap(SORTED, "ordered, order = logits.sort(dim=0, descending=True)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The columns are sorted, from row to row. Each row is sorted for itself, over its tokens.""",
    ),
    mistake(
        "the first row's order for all rows",
        swap(SORTED, SORTED + "\n    order = order[:1].expand_as(order)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""Every row is put back in the order of the first. Each row was sorted by an order of its own.""",
    ),
    mistake(
        "the first row's cut for all rows",
        swap(DROPPED, DROPPED + "\n    dropped = dropped[:1].expand_as(dropped)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""How many tokens stay is found in the first row and used for all. Each row reaches p after a
        number of its own.""",
    ),
    mistake(
        "the last row's cut for all rows",
        swap(DROPPED, DROPPED + "\n    dropped = dropped[-1:].expand_as(dropped)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""How many tokens stay is found in the last row and used for all. Each row reaches p after a number
        of its own.""",
    ),
    mistake(
        "the row that keeps fewest decides",
        swap(DROPPED, DROPPED + "\n    dropped = dropped.any(dim=0).expand_as(dropped)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""All rows keep as few tokens as the row that needs fewest. The others then do not reach p.""",
    ),
    mistake(
        "the likeliest token is always dropped",
        swap(BEFORE, "before = probabilities.cumsum(dim=-1).roll(1, dims=-1)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The sums are moved on by one place, and the last one, which is 1, comes round to the front.
        Nothing stands before the most likely token, so its sum is 0.""",
    ),
    mistake(
        "the sums are moved the wrong way",
        swap(
            BEFORE,
            "before = torch.cat([probabilities.cumsum(dim=-1)[:, 1:], torch.ones_like(probabilities[:, :1])], dim=-1)",
        ),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""Each token is judged by the sum with it and the next one. It is the sum of those in front of it
        that counts.""",
    ),
    mistake(
        "what comes first is dropped",
        swap(DROPPED, "dropped = before < p"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The tokens that make up p are dropped and the tail is kept. The comparison is the other way
        round.""",
    ),
    mistake(
        "exponentials are added up",
        swap(PROBABILITIES, "probabilities = ordered.exp()"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The exponentials are not divided by their sum. Only then do they add up to 1, and can be compared
        with p.""",
    ),
    mistake(
        "each token a probability of its own",
        swap(PROBABILITIES, "probabilities = ordered.sigmoid()"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""Each logit goes through a sigmoid, as if every token were a question of its own. The tokens of a
        row share one probability, and only softmax adds up to 1.""",
    ),
    mistake(
        "one distribution for the whole batch",
        swap(PROBABILITIES, "probabilities = softmax(ordered.flatten()).view_as(ordered)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""One softmax runs over all rows together. Each row has a distribution of its own, that adds up to
        1.""",
    ),
    mistake(
        "one sum for the whole batch",
        swap(BEFORE, "before = probabilities.flatten().cumsum(dim=0).view_as(probabilities) - probabilities"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The sum goes on from the end of one row into the next. Each row begins at 0.""",
    ),
    mistake(
        "the border's probability is compared with logits",
        swap(
            TOP_P,
            "border = probabilities.masked_fill(dropped, torch.inf).amin(dim=-1, keepdim=True)\n    return logits.masked_fill(logits < border, -torch.inf)",
        ),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The smallest probability that stays is compared with logits. Only like can be compared with
        like.""",
    ),
    mistake(
        "top-p returns a mask",
        swap(TOP_P, "return ~" + TOP_P.removeprefix("return logits.masked_fill(").removesuffix(", -torch.inf)")),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""What comes back says for each token whether it is kept. Logits are asked for, with −inf for all
        others.""",
    ),
    mistake(
        "top-p throws its answer away",
        swap(TOP_P, TOP_P.removeprefix("return ") + "\n    return logits"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""`masked_fill` makes a new tensor, which nobody keeps, and the logits come back as they were. Only
        the form with a trailing underscore changes the tensor itself.""",
    ),
    mistake(
        "top-p returns nothing",
        swap(TOP_P, TOP_P.removeprefix("return ")),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The filtered logits are worked out and not returned. Without `return` a function gives None.""",
    ),
    family(
        "top-p's dropped logits become {c}",
        swap(TOP_P, TOP_P.replace("-torch.inf", "{c}")),
        constants=(-100.0, -1e4, -1e9, -1e10),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""A dropped logit becomes {c}, which no later filter can tell from a logit. What is dropped is marked by
        minus infinity.""",
    ),
    mistake(
        "top-p's dropped logits become nan",
        swap(TOP_P, TOP_P.replace("-torch.inf", "torch.nan")),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""A dropped logit is marked as no number, and the softmax of a row with one of those is none
        either. Minus infinity is a number that a softmax understands.""",
    ),
    mistake(
        "top-p's dropped logits become plus infinity",
        swap(TOP_P, TOP_P.replace("-torch.inf", "torch.inf")),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""A dropped logit becomes larger than any other. The sign is the other one.""",
    ),
    mistake(
        "top-p's dropped logits become the lowest number there is",
        swap(TOP_P, TOP_P.replace("-torch.inf", "torch.finfo(logits.dtype).min")),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""A dropped logit becomes the smallest finite number, which no later filter can tell from a logit.
        What is dropped is marked by minus infinity.""",
    ),
    mistake(
        "what is still to come is compared with p",
        swap(BEFORE, "before = 1 - probabilities.cumsum(dim=-1)"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The tokens behind each one are added up, not those in front. The first tokens have most behind
        them, and just they are dropped.""",
    ),
    mistake(
        "top-p takes p before the logits",
        swap('def top_p(logits: Float[Tensor, "B V"], p: float)', 'def top_p(p: float, logits: Float[Tensor, "B V"])'),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The arguments stand in another order than in the signature that was given. Whoever calls by place
        hands the logits in as p.""",
    ),
    mistake(
        "top-p moves the logits",
        swap(TOP_P, TOP_P.replace("logits.masked_fill", "(logits - logits.amax(dim=-1, keepdim=True)).masked_fill")),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The largest logit is subtracted from all. That draws the same tokens; but a filter leaves the
        logits that it keeps as they are.""",
    ),
    mistake(
        "the sum of squares",
        swap(PROBABILITIES, "probabilities = softmax(ordered) ** 2"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""Squares of probabilities are added up. They do not add up to 1, and p asks for probability
        itself.""",
    ),
    mistake(
        "softmax twice in top-p",
        swap(PROBABILITIES, "probabilities = softmax(softmax(ordered))"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""The softmax is taken of probabilities. All of them lie between 0 and 1, and become nearly equal,
        so far too many are needed to reach p.""",
    ),
    mistake(
        "at least two are kept",
        swap(DROPPED, DROPPED + "\n    dropped[:, :2] = False"),
        caught_by="test_top_p_keeps_at_least_one",
        explanation="""Two tokens stay however small p is. One is enough where it reaches p by itself.""",
    ),
    mistake(
        "the logits are brought to an average of 0 first",
        swap(PROBABILITIES, "probabilities = softmax(ordered - ordered.mean(dim=-1, keepdim=True))"),
        caught_by="test_top_p_after_top_k",
        explanation="""The average of a row is subtracted, and where a token is −inf that average is −inf too. What
        comes out is no number, and no comparison with it is true.""",
    ),
    mistake(
        "unlikely tokens get more probability",
        swap(PROBABILITIES, "probabilities = softmax(ordered.clamp(min=-1.0))"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""Logits are held above a lowest value before the softmax. What is −inf has no probability, and has
        to keep none.""",
    ),
    mistake(
        "a sum of exactly p has not reached it",
        swap(DROPPED, "dropped = before > p"),
        caught_by="test_top_p_ends_where_the_sum_is_p_exactly",
        explanation="""A token is dropped only where those in front hold more than p. Where they hold exactly p they
        have reached it, and one too many stays.""",
    ),
    mistake(
        "the cut is looked for past the end",
        swap(
            DROPPED,
            "last = torch.searchsorted(probabilities.cumsum(dim=-1), torch.full_like(probabilities[:, :1], p))\n    ordered.gather(-1, last)\n    dropped = before >= p",
        ),
        caught_by="test_top_p_close_to_one",
        explanation="""`searchsorted` gives the place where the sum reaches p, and one past the end where it never does.
        Rounding keeps the sum below a p close to 1, and there is no token at that place.""",
    ),
    mistake(
        "no sum that reaches p, no token",
        swap(
            DROPPED,
            "dropped = before >= p\n    dropped = dropped | ~(probabilities.cumsum(dim=-1) >= p).any(dim=-1, keepdim=True)",
        ),
        caught_by="test_top_p_close_to_one",
        explanation="""The first place at which the sum reaches p is looked for, and where there is none, all are
        dropped. Rounding keeps the sum below a p close to 1; then every token is needed.""",
    ),
    mistake(
        "a negative p is accepted",
        swap(P_CHECK, "    if p == 0 or p > 1:\n"),
        caught_by="test_p_must_be_above_zero_and_at_most_one",
        explanation="""Only a p of exactly 0 is refused below. A negative one is reached before any token is looked at,
        and nothing is left.""",
    ),
    mistake(
        "p is moved into its range",
        swap(P_CHECK, "    p = min(max(p, 1e-6), 1.0)\n    if not 0 < p <= 1:\n"),
        caught_by="test_p_must_be_above_zero_and_at_most_one",
        explanation="""A p below 0 or above 1 becomes the nearest one that is allowed. Whoever gives such a number
        should be told.""",
    ),
    mistake(
        "an assertion refuses p",
        swap(P_CHECK, "    assert 0 < p <= 1\n    if not 0 < p <= 1:\n"),
        caught_by="test_p_must_be_above_zero_and_at_most_one",
        explanation="""A bad p ends in an AssertionError, and in none where Python runs with -O. A ValueError is what
        says that a value is wrong.""",
    ),
    mistake(
        "a p of 0 turns the filter off",
        swap(P_CHECK, "    if p == 0:\n        return logits\n    if not 0 < p <= 1:\n"),
        caught_by="test_p_must_be_above_zero_and_at_most_one",
        explanation="""With p = 0 every token is kept, as in some libraries. Here nothing turns the filter off but not
        calling it, or p = 1.""",
    ),
    mistake(
        "a bad p keeps everything",
        swap(P_CHECK, "    if not 0 < p <= 1:\n        return logits\n    if not 0 < p <= 1:\n"),
        caught_by="test_p_must_be_above_zero_and_at_most_one",
        explanation="""A p outside its range turns the filter off without a word. Whoever gives one should be told that
        this cannot be.""",
    ),
    # Step 4
    mistake(
        "only the new tokens are returned",
        swap("    return ids\n", "    return ids[:, -max_new_tokens:]\n"),
        caught_by="test_the_prompt_is_kept",
        explanation="""What was drawn comes back without the prompt. The whole text was asked for.""",
    ),
    mistake(
        "no text is returned",
        swap("    return ids\n", "    return None\n"),
        caught_by="test_the_prompt_is_kept",
        explanation="""The function ends without `return`, or returns nothing. The texts are what is asked for.""",
    ),
    mistake(
        "the cropped window is returned",
        swap(WINDOW, "ids = ids[:, -context_length:]\n                logits = model(ids)[:, -1]"),
        caught_by="test_the_prompt_is_kept",
        explanation="""The text itself is cropped to what the model can see. Its beginning is lost; only the model's view
        of it should be short.""",
    ),
    mistake(
        "one token too few",
        swap("for _ in range(max_new_tokens):", "for _ in range(max_new_tokens - 1):"),
        caught_by="test_the_prompt_is_kept",
        explanation="""The loop ends one token early. max_new_tokens is how many are drawn, the prompt not counted.""",
    ),
    mistake(
        "the prompt counts as new tokens",
        swap("for _ in range(max_new_tokens):", "for _ in range(max_new_tokens - ids.shape[1]):"),
        caught_by="test_the_prompt_is_kept",
        explanation="""The text is filled up to max_new_tokens, prompt included. That many tokens should come after the
        prompt.""",
    ),
    mistake(
        "the window is never cropped",
        swap(WINDOW, "logits = model(ids)[:, -1]"),
        caught_by="test_the_window_is_cropped",
        explanation="""The model gets the whole text, however long. It has position vectors for context_length tokens and
        no more.""",
    ),
    mistake(
        "the beginning of the text is read",
        swap(WINDOW, "logits = model(ids[:, :context_length])[:, -1]"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""The window is cut from the front, so a long text is never read to its end. What comes next depends on
        the last tokens.""",
    ),
    mistake(
        "only the last token is read",
        swap(WINDOW, "logits = model(ids[:, -1:])[:, -1]"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""The model sees one token and none of what came before. All that attention is for is lost.""",
    ),
    mistake(
        "the window is one token short",
        swap(WINDOW, "logits = model(ids[:, -context_length + 1 :])[:, -1]"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""The model sees one token less than it could, and where that leaves none, the whole text. The window
        holds context_length tokens.""",
    ),
    mistake(
        "the first position is read",
        swap(WINDOW, "logits = model(ids[:, -context_length:])[:, 0]"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""The logits of the first position say what follows the first token. The new token follows the
        last.""",
    ),
    mistake(
        "all rows go by the first",
        swap(WINDOW, "logits = model(ids[:1, -context_length:])[:, -1].expand(len(ids), -1)"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""Only the first text is read, and its logits are used for all. Every row has a prompt of its own.""",
    ),
    mistake(
        "the text is written back to front",
        swap(APPEND, "ids = torch.cat([next_ids[:, None], ids], dim=1)"),
        caught_by="test_the_prompt_is_kept",
        explanation="""New tokens are put in front of the prompt. A text goes on at its end.""",
    ),
    mistake(
        "the prompt is read again and again",
        swap(
            WINDOW,
            "prompt = ids if _ == 0 else prompt\n                logits = model(prompt[:, -context_length:])[:, -1]",
        ),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""The model is shown the prompt each time, and never what was drawn since. Each new token has to follow
        the one before it.""",
    ),
    mistake(
        "temperature 0 samples all the same",
        swap(WHETHER_GREEDY, "            if False:\n"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""At temperature 0 a token is drawn at random, as at temperature 1. A temperature of 0 means no chance
        at all: the most likely token.""",
    ),
    mistake(
        "temperature 0 is refused",
        swap(HEAT, "            logits = with_temperature(logits, temperature)\n"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""Temperature 0 is handed to the division, which cannot do it. Here it means the most likely
        token.""",
    ),
    mistake(
        "dropout is on while writing",
        swap(EVAL, "    model.train()\n"),
        caught_by="test_the_model_writes_without_dropout",
        explanation="""The model writes in train mode, with parts of it dropped at random. Writing is not training.""",
    ),
    mistake(
        "the mode is left as it comes",
        swap(EVAL, ""),
        caught_by="test_the_model_writes_without_dropout",
        explanation="""Nobody switches dropout off. A model that is being trained then writes with parts of it dropped at
        random.""",
    ),
    mistake(
        "eval mode is never left",
        swap(RESTORE, "pass"),
        caught_by="test_the_mode_comes_back",
        explanation="""The model stays in eval mode when the text is written. A training that goes on after a sample goes
        on without dropout.""",
    ),
    mistake(
        "train mode is always switched on afterwards",
        swap(RESTORE, "model.train()"),
        caught_by="test_the_mode_comes_back",
        explanation="""The model is put into train mode at the end, whatever mode it came in. A finished model is handed
        back with dropout on.""",
    ),
    mistake(
        "a default temperature below 1",
        swap("    temperature: float = 1.0,\n", "    temperature: float = 0.8,\n"),
        caught_by="test_the_temperature_is_one_unless_given",
        explanation="""Whoever gives no temperature gets a sharper text than the model would write. Without one the logits
        stay as they are, which is a temperature of 1.""",
    ),
    mistake(
        "seeded where no generator is given",
        swap(EVAL, EVAL + "    if generator is None:\n        generator = torch.Generator()\n"),
        caught_by="test_without_a_generator_every_call_draws_anew",
        explanation="""Without a generator every call writes the same text. A new `torch.Generator` always begins with the
        same seed, and so does torch after `manual_seed` with a fixed number; None leaves the draw to chance.""",
    ),
    mistake(
        "at least one token is drawn",
        swap("for _ in range(max_new_tokens):", "for _ in range(max(1, max_new_tokens)):"),
        caught_by="test_no_new_tokens_leave_the_prompt",
        explanation="""A token is drawn before anybody asks how many there should be. With max_new_tokens = 0 there should
        be none.""",
    ),
    mistake(
        "a top_k of 0 is taken for none",
        swap("            if top_k is not None:\n", "            if top_k:\n"),
        caught_by="test_generate_refuses_bad_options",
        explanation="""The question is whether top_k is true, and 0 is not. None is what says that there is no top_k; whoever
        asks for 0 tokens should be told that this cannot be.""",
    ),
    mistake(
        "a top_k below 1 is taken for none",
        swap("            if top_k is not None:\n", "            if top_k is not None and top_k > 0:\n"),
        caught_by="test_generate_refuses_bad_options",
        explanation="""A top_k of 0 or less filters nothing. None is what says that there is no top_k; whoever asks for fewer than one
        token should be told that this cannot be.""",
    ),
    mistake(
        "a top_k of 50 unless given",
        swap(EVAL, EVAL + "    top_k = 50 if top_k is None else top_k\n"),
        caught_by="test_every_token_can_be_drawn",
        explanation="""Whoever gives no top_k gets one of 50, as in some libraries. Without one nothing is filtered, however large the
        vocabulary is.""",
    ),
    mistake(
        "a top_p of 0 is taken for none",
        swap("            if top_p is not None:\n", "            if top_p:\n"),
        caught_by="test_generate_refuses_bad_options",
        explanation="""The question is whether top_p is true, and 0 is not. None is what says that there is no top_p; whoever
        asks for a share of 0 should be told that this cannot be.""",
    ),
    mistake(
        "one draw for all rows",
        swap(DRAW, "next_ids = torch.multinomial(softmax(logits)[0], 1, generator=generator).expand(len(ids))"),
        caught_by="test_new_tokens_follow_from_the_last_of_their_row",
        explanation="""One token is drawn, from the first row, and given to all. Each row draws its own.""",
    ),
    mistake(
        "all rows draw from the first row's probabilities",
        swap(DRAW, "next_ids = torch.multinomial(softmax(logits)[0], len(ids), replacement=True, generator=generator)"),
        caught_by="test_new_tokens_follow_from_the_last_of_their_row",
        explanation="""Every row draws, but from the probabilities of the first. Each row has a distribution of its own.""",
    ),
    mistake(
        "the same luck for all rows",
        swap(
            DRAW,
            "next_ids = torch.multinomial(softmax(logits[:1]), len(ids), True, generator=generator)[0, :1]\n"
            "                places = softmax(logits).cumsum(dim=-1)\n"
            "                luck = torch.rand(1, generator=generator, dtype=places.dtype)\n"
            "                next_ids = (places < luck).sum(dim=-1).clamp(max=places.shape[-1] - 1)",
        ),
        caught_by="test_every_row_draws_for_itself",
        explanation="""One random number decides for every row. Rows with the same prompt then all write the same
        text.""",
    ),
    mistake(
        "the most likely token, though sampling was asked",
        swap(DRAW, "next_ids = greedy(logits)"),
        caught_by="test_every_row_draws_for_itself",
        explanation="""The most likely token is taken at every temperature. Nothing is drawn, and every text from one prompt
        is the same.""",
    ),
    mistake(
        "logits are drawn from as if they were probabilities",
        swap(DRAW, "next_ids = torch.multinomial(logits, 1, generator=generator)[:, 0]"),
        caught_by="test_tokens_are_drawn_as_often_as_they_are_likely",
        explanation="""`multinomial` wants probabilities and is given logits. It refuses those below 0, and the others have
        the wrong proportions.""",
    ),
    mistake(
        "the softmax over the batch",
        swap(DRAW, "next_ids = torch.multinomial(softmax(logits, dim=0), 1, generator=generator)[:, 0]"),
        caught_by="test_tokens_are_drawn_as_often_as_they_are_likely",
        explanation="""The softmax shares out each token's probability among the rows. Each row has a distribution of its
        own, over the tokens.""",
    ),
    mistake(
        "two softmaxes",
        swap(DRAW, "next_ids = torch.multinomial(softmax(softmax(logits)), 1, generator=generator)[:, 0]"),
        caught_by="test_new_tokens_follow_from_the_last_of_their_row",
        explanation="""The softmax is taken twice. Probabilities are all between 0 and 1, and as logits that is nearly the
        same.""",
    ),
    mistake(
        "all tokens are equally likely",
        swap(DRAW, "next_ids = torch.randint(logits.shape[-1], (len(ids),), generator=generator)"),
        caught_by="test_new_tokens_follow_from_the_last_of_their_row",
        explanation="""A token is drawn from the whole vocabulary, whatever the model says. The logits play no part.""",
    ),
    mistake(
        "the temperature changes nothing",
        swap(HEAT, ""),
        caught_by="test_a_low_temperature_draws_the_most_likely_token_only",
        explanation="""The temperature has no effect on the draw: it is not used, or it divides the probabilities after the
        softmax. Dividing all of them by one number leaves their proportions as they were.""",
    ),
    mistake(
        "the logits are multiplied by the temperature",
        swap(HEAT, WHETHER_WARM + "                logits = logits * temperature\n"),
        caught_by="test_a_low_temperature_draws_the_most_likely_token_only",
        explanation="""A low temperature makes the draw more random, and a high one less. It is the other way round.""",
    ),
    mistake(
        "top_k is not used",
        swap(KEEP_K, ""),
        caught_by="test_generate_draws_from_the_top_k",
        explanation="""`top_k` is taken and forgotten. Tokens are drawn that it should have kept out.""",
    ),
    mistake(
        "top_p is not used",
        swap(KEEP_P, ""),
        caught_by="test_generate_draws_from_the_top_p",
        explanation="""`top_p` is taken and forgotten. Tokens are drawn that it should have kept out.""",
    ),
    mistake(
        "top-k and top-p exclude each other",
        swap(KEEP_P, KEEP_P.replace("if top_p", "elif top_p")),
        caught_by="test_temperature_then_top_k_then_top_p",
        explanation="""Where top_k is given, top_p is passed over. Both may be asked for, one after the other.""",
    ),
    mistake(
        "top-p before top-k",
        swap(KEEP_P, ""),
        swap(KEEP_K, KEEP_P + KEEP_K),
        caught_by="test_temperature_then_top_k_then_top_p",
        explanation="""top-p looks at all tokens and top-k at what it left. In the order asked for, top-p comes last and
        looks at the probabilities among the k.""",
    ),
    mistake(
        "the temperature comes last",
        swap(HEAT, ""),
        swap(KEEP_P, KEEP_P + HEAT),
        caught_by="test_temperature_then_top_k_then_top_p",
        explanation="""The filters look at the logits before the temperature has changed them. It comes first, and top-p
        then counts with the new probabilities.""",
    ),
    mistake(
        "the generator is not used",
        swap(DRAW, "next_ids = torch.multinomial(softmax(logits), 1)[:, 0]"),
        caught_by="test_equal_generators_give_equal_texts",
        explanation="""The draw uses torch's global random numbers. A text cannot be written again with an equal
        generator.""",
    ),
    mistake(
        "always the same seed",
        swap(EVAL, EVAL + "    generator = torch.Generator().manual_seed(0)\n"),
        caught_by="test_equal_generators_give_equal_texts",
        explanation="""A generator with a fixed seed is made, and the one that was given is dropped. The same prompt always
        gives the same text.""",
    ),
    mistake(
        "every token starts the generator anew",
        swap(
            DRAW,
            "seed = generator.initial_seed() if generator else 0\n"
            "                next_ids = torch.multinomial(\n"
            "                    softmax(logits), 1, generator=torch.Generator().manual_seed(seed)\n"
            "                )[:, 0]",
        ),
        caught_by="test_every_token_is_drawn_anew",
        explanation="""Each token is drawn with a fresh generator of the same seed, so with the same luck. A generator moves
        on by itself, and that is how the next draw differs.""",
    ),
    mistake(
        "one stop id stops all rows",
        swap(END, "            if stopped.any():\n"),
        caught_by="test_each_row_stops_by_itself",
        explanation="""As soon as one row has drawn stop_id, the loop ends for all. The other texts break off in the middle
        of a sentence.""",
    ),
    mistake(
        "all rows are filled when one has stopped",
        swap(STOPPED, "stopped = stopped | (next_ids == stop_id).any()"),
        swap(END, "            if False:\n"),
        caught_by="test_each_row_stops_by_itself",
        explanation="""One row that draws stop_id marks all rows as stopped, and the others get stop_id in the middle of
        a sentence. Each row ends on its own.""",
    ),
    mistake(
        "a stopped row goes on",
        swap(FILL, ""),
        caught_by="test_each_row_stops_by_itself",
        explanation="""A row that has drawn stop_id goes on drawing while others are not done. What stands after its end
        is no part of the text.""",
    ),
    mistake(
        "nothing ever stops",
        swap(WHETHER_STOP, "            if False:\n"),
        caught_by="test_each_row_stops_by_itself",
        explanation="""`stop_id` is taken and not used. Texts go on to max_new_tokens, whatever is drawn.""",
    ),
    mistake(
        "stop id 0 is taken for none",
        swap(WHETHER_STOP, "            if stop_id:\n"),
        caught_by="test_each_row_stops_by_itself",
        explanation="""The question is whether stop_id is true, and 0 is not. Token 0 is a token like any other; None is
        what says that there is no stop_id.""",
    ),
    mistake(
        "a stopped row is filled with 0",
        swap(FILL, "                next_ids = next_ids.masked_fill(stopped, 0)\n"),
        caught_by="test_each_row_stops_by_itself",
        explanation="""After its end a row gets token 0, which may be any character. It is filled with stop_id.""",
    ),
    mistake(
        "the stop id itself is not written",
        swap(FILL, FILL + "                if (next_ids == stop_id).all():\n                    break\n"),
        caught_by="test_each_row_stops_by_itself",
        explanation="""The loop ends before the last stop_id is put behind the text. The text ends with it.""",
    ),
    mistake(
        "a stop id in the prompt counts",
        swap(
            "stopped = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)",
            "stopped = (ids == (-1 if stop_id is None else stop_id)).any(dim=1)",
        ),
        caught_by="test_a_stop_id_in_the_prompt_stops_nothing",
        explanation="""A row whose prompt holds stop_id is taken for finished before it has begun. Only what is drawn can
        end a row.""",
    ),
    mistake(
        "a stop id at the end of the prompt counts",
        swap(
            "stopped = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)",
            "stopped = ids[:, -1] == (-1 if stop_id is None else stop_id)",
        ),
        caught_by="test_a_stop_id_in_the_prompt_stops_nothing",
        explanation="""A row whose prompt ends with stop_id is taken for finished before it has begun. Only what is drawn
        can end a row.""",
    ),
    mistake(
        "the token before is asked whether it stops",
        swap(STOPPED, "stopped = stopped | (ids[:, -1] == stop_id)"),
        caught_by="test_each_row_stops_by_itself",
        explanation="""The last token of the text is compared with stop_id before the new one stands there. A row then ends one
        token late, and a prompt can end it.""",
    ),
    mistake(
        "a negative temperature means greedy",
        swap(WHETHER_WARM, "            if temperature > 0:\n"),
        swap(WHETHER_GREEDY, "            if temperature <= 0:\n"),
        caught_by="test_generate_refuses_bad_options",
        explanation="""Any temperature that is not above 0 takes the most likely token. Below 0 it means nothing, and whoever
        gives one should be told.""",
    ),
    mistake(
        "a negative temperature means 1",
        swap(WHETHER_WARM, "            if temperature > 0:\n"),
        caught_by="test_generate_refuses_bad_options",
        explanation="""A temperature below 0 is passed over, and the text drawn as at 1. It means nothing, and whoever gives one should
        be told.""",
    ),
    mistake(
        "one token too many",
        swap(LOOP, "for _ in range(max_new_tokens + 1):"),
        caught_by="test_the_prompt_is_kept",
        explanation="""The loop goes round once more than it should. max_new_tokens is how many are drawn.""",
    ),
    mistake(
        "the text ends where the context is full",
        swap(LOOP, "for _ in range(min(max_new_tokens, max(0, context_length - ids.shape[1]))):"),
        caught_by="test_the_prompt_is_kept",
        explanation="""Writing stops when the text is as long as the context. The model reads a window of that length;
        the text itself may be longer.""",
    ),
    mistake(
        "the prompt is cropped before the loop",
        swap(LOOP, "ids = ids[:, -context_length:]\n        " + LOOP),
        caught_by="test_the_prompt_is_kept",
        explanation="""The prompt is cut to the context once, before anything is drawn. What was cut off is missing in
        the result, and the text outgrows the context again.""",
    ),
    mistake(
        "the last token is overwritten",
        swap(APPEND, "ids = torch.cat([ids[:, :-1], next_ids[:, None]], dim=1)"),
        caught_by="test_the_prompt_is_kept",
        explanation="""Each new token takes the place of the last one. The text never grows; a new token comes behind
        it.""",
    ),
    mistake(
        "every token is written twice",
        swap(APPEND, "ids = torch.cat([ids, next_ids[:, None], next_ids[:, None]], dim=1)"),
        caught_by="test_the_prompt_is_kept",
        explanation="""The new token is put behind the text two times. One draw gives one token.""",
    ),
    mistake(
        "the text slides along",
        swap(APPEND, "ids = torch.cat([ids[:, 1:], next_ids[:, None]], dim=1)"),
        caught_by="test_the_prompt_is_kept",
        explanation="""For each new token the first one of the text is dropped. The model's window slides; the text
        keeps its beginning.""",
    ),
    mistake(
        "the new tokens are put below the texts",
        swap(APPEND, "ids = torch.cat([ids, next_ids[None]], dim=0)"),
        caught_by="test_the_prompt_is_kept",
        explanation="""The new tokens are added as a row, as if they were another text. Each belongs to the end of its
        own row.""",
    ),
    mistake(
        "the ids become numbers with a point",
        swap(APPEND, "ids = torch.cat([ids, next_ids[:, None].float()], dim=1)"),
        caught_by="test_the_prompt_is_kept",
        explanation="""The new ids are floats, and the whole text becomes floats with them. An embedding is looked up by
        whole numbers.""",
    ),
    mistake(
        "only the first text is returned",
        swap(RETURN, "    return ids[0]\n"),
        caught_by="test_the_prompt_is_kept",
        explanation="""One text comes back. Every prompt of the batch has one.""",
    ),
    mistake(
        "a list is returned",
        swap(RETURN, "    return ids.tolist()\n"),
        caught_by="test_the_prompt_is_kept",
        explanation="""The texts come back as Python lists. A tensor of ids is asked for.""",
    ),
    mistake(
        "the texts come back as 32-bit ids",
        swap(RETURN, "    return ids.int()\n"),
        caught_by="test_the_prompt_is_kept",
        explanation="""The ids are made int32. Ids are int64 everywhere, prompts too.""",
    ),
    mistake(
        "writing ends after one token",
        swap(END, "            if True:\n"),
        caught_by="test_the_prompt_is_kept",
        explanation="""The loop is left after its first round, as with a `return` that is indented too far.
        max_new_tokens of them are asked for.""",
    ),
    mistake(
        "all but the window is read",
        swap(WINDOW, "logits = model(ids[:, :-context_length])[:, -1]"),
        caught_by="test_the_prompt_is_kept",
        explanation="""The colon stands on the wrong side: the last context_length tokens are cut off and what is before
        them is read. In a short text nothing is left to read.""",
    ),
    mistake(
        "the model is taken to give a loss too",
        swap(WINDOW, "logits, _loss = model(ids[:, -context_length:])\n                logits = logits[:, -1]"),
        caught_by="test_the_prompt_is_kept",
        explanation="""Two things are unpacked, logits and a loss. This model gives logits only, and with two rows in
        the batch each is taken for one of the two.""",
    ),
    mistake(
        "the model is taken for a library's",
        swap(WINDOW, "logits = model(ids[:, -context_length:]).logits[:, -1]"),
        caught_by="test_the_prompt_is_kept",
        explanation="""The logits are looked for in an attribute of the answer, as some libraries have it. Here the
        answer is the logits.""",
    ),
    mistake(
        "the number of tokens stands before the prompts",
        swap(
            SIGNATURE,
            'def generate(\n    model: nn.Module,\n    max_new_tokens: int,\n    ids: Int64[Tensor, "B T"],\n',
        ),
        caught_by="test_the_prompt_is_kept",
        explanation="""The arguments stand in another order than in the signature that was given. Whoever calls by place
        hands the prompts in as a number.""",
    ),
    mistake(
        "the prompts stand before the model",
        swap(
            SIGNATURE,
            'def generate(\n    ids: Int64[Tensor, "B T"],\n    model: nn.Module,\n    max_new_tokens: int,\n',
        ),
        caught_by="test_the_prompt_is_kept",
        explanation="""The arguments stand in another order than in the signature that was given. Whoever calls by place
        hands the model in as the prompts.""",
    ),
    mistake(
        "a batch of one loses its dimension",
        swap(DRAW, "next_ids = torch.multinomial(softmax(logits), 1, generator=generator).squeeze()"),
        caught_by="test_the_prompt_is_kept",
        explanation="""All dimensions of size 1 are taken away from what was drawn, and with one prompt that is the
        batch itself. Only the last dimension is to go.""",
    ),
    mistake(
        "the window is one token long",
        swap(WINDOW, "logits = model(ids[:, -context_length - 1 :])[:, -1]"),
        caught_by="test_the_window_is_cropped",
        explanation="""The model gets one token more than it has positions for. The window holds context_length
        tokens.""",
    ),
    mistake(
        "the rows are cropped, not the tokens",
        swap(WINDOW, "logits = model(ids[-context_length:])[:, -1]"),
        caught_by="test_the_window_is_cropped",
        explanation="""The last rows of the batch are taken, and each text stays as long as it is. The first dimension
        is the batch, the second the tokens.""",
    ),
    mistake(
        "the last but one position is read",
        swap(WINDOW, "logits = model(ids[:, -context_length:])[:, -2:][:, 0]"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""The logits of the last but one position say what follows the token before the last. That token is
        there already.""",
    ),
    mistake(
        "the average over all positions",
        swap(WINDOW, "logits = model(ids[:, -context_length:]).mean(dim=1)"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""The logits of all positions are averaged. Each position speaks about the token after it, and only
        the last one about the token that comes next.""",
    ),
    mistake(
        "the largest over all positions",
        swap(WINDOW, "logits = model(ids[:, -context_length:]).amax(dim=1)"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""For each token the largest logit of any position counts. Only the last position speaks about the
        token that comes next.""",
    ),
    mistake(
        "the last text, not the last position",
        swap(WINDOW, "logits = model(ids[:, -context_length:])[-1]"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""The index stands in the first dimension, which is the batch. Positions are the second one.""",
    ),
    mistake(
        "the last token's logit of every position",
        swap(WINDOW, "logits = model(ids[:, -context_length:])[:, :, -1]"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""The index stands in the dimension of the vocabulary. Positions are the one before it.""",
    ),
    mistake(
        "the window is filled up in front",
        swap(
            WINDOW,
            "window = ids[:, -context_length:]\n                window = torch.nn.functional.pad(window, (context_length - window.shape[1], 0))\n                logits = model(window)[:, -1]",
        ),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""A short text is filled up with token 0 in front. Token 0 is a token like any other, and the model
        reads it.""",
    ),
    mistake(
        "the window is filled up behind",
        swap(
            WINDOW,
            "window = ids[:, -context_length:]\n                window = torch.nn.functional.pad(window, (0, context_length - window.shape[1]))\n                logits = model(window)[:, -1]",
        ),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""A short text is filled up with token 0 behind, and the last position is then one of those. What
        comes next follows the last token of the text.""",
    ),
    mistake(
        "the text is read backwards",
        swap(WINDOW, "logits = model(ids[:, -context_length:].flip(1))[:, -1]"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""The window is turned round before it is read. The model has learned to read from left to
        right.""",
    ),
    mistake(
        "all rows go by the last",
        swap(WINDOW, "logits = model(ids[-1:, -context_length:])[:, -1].expand(len(ids), -1)"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""Only the last text is read, and its logits are used for all. Every row has a prompt of its
        own.""",
    ),
    mistake(
        "half a window is read",
        swap(WINDOW, "logits = model(ids[:, -context_length // 2 :])[:, -1]"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""Only the last half of what would fit is read. The model can see context_length tokens, and each
        of them may matter.""",
    ),
    mistake(
        "windows lie side by side",
        swap(WINDOW, "logits = model(ids[:, (ids.shape[1] - 1) // context_length * context_length :])[:, -1]"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""When a window is full the next one begins with nothing in it. The window slides along by one
        token, so that as much as possible is read.""",
    ),
    mistake(
        "after the first token only the newest is read",
        swap(WINDOW, "logits = model(ids[:, -context_length:] if _ == 0 else ids[:, -1:])[:, -1]"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""The prompt is read once, and then each new token by itself. That takes a model that remembers;
        this one begins anew at each call.""",
    ),
    mistake(
        "tokens of the text are not used again",
        swap(WINDOW, WINDOW + "\n                logits = logits.scatter(-1, ids, -torch.inf)"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""Tokens that stand in the text already are forbidden. Nobody asked for that, and when all have
        been used nothing is left.""",
    ),
    mistake(
        "the prompt decides how long the window is",
        swap(LOOP, "width = ids.shape[1]\n        " + LOOP),
        swap(WINDOW, "logits = model(ids[:, -min(width, context_length) :])[:, -1]"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""The window stays as long as the prompt was. It may grow to context_length, and a short prompt
        needs that.""",
    ),
    mistake(
        "temperature 0 draws from the filtered",
        swap(WHETHER_GREEDY, "            if temperature == 0 and top_k is None and top_p is None:\n"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""At temperature 0 a token is still drawn at random where a filter is given. Temperature 0 means
        the most likely token, filter or not.""",
    ),
    mistake(
        "the last row's draw for all",
        swap(DRAW, "next_ids = torch.multinomial(softmax(logits)[-1], 1, generator=generator).expand(len(ids))"),
        caught_by="test_new_tokens_follow_from_the_last_of_their_row",
        explanation="""One token is drawn, from the last row, and given to all. Each row draws its own.""",
    ),
    mistake(
        "all rows draw from one pot",
        swap(
            DRAW,
            "next_ids = torch.multinomial(softmax(logits).flatten(), len(ids), True, generator=generator) % logits.shape[-1]",
        ),
        caught_by="test_new_tokens_follow_from_the_last_of_their_row",
        explanation="""The probabilities of all rows are thrown together, and each row draws from all of them. Each row
        has a distribution of its own.""",
    ),
    mistake(
        "rows exchange what they drew",
        swap(DRAW, DRAW + ".flip(0)"),
        caught_by="test_new_tokens_follow_from_the_last_of_their_row",
        explanation="""What was drawn for the first row goes to the last. Each row goes on with its own token.""",
    ),
    mistake(
        "the drawn id is one too high",
        swap(DRAW, DRAW + " + 1"),
        caught_by="test_new_tokens_follow_from_the_last_of_their_row",
        explanation="""1 is added to what was drawn. Places count from 0, and so do ids.""",
    ),
    mistake(
        "the temperature divides probabilities, and a softmax follows",
        swap(HEAT, WHETHER_WARM + "                logits = with_temperature(softmax(logits), temperature)\n"),
        caught_by="test_new_tokens_follow_from_the_last_of_their_row",
        explanation="""The softmax is taken before the temperature and again at the draw. Probabilities are all between
        0 and 1, and as logits that is nearly the same.""",
    ),
    mistake(
        "log-probabilities are drawn from",
        swap(DRAW, "next_ids = torch.multinomial(softmax(logits).log(), 1, generator=generator)[:, 0]"),
        caught_by="test_new_tokens_follow_from_the_last_of_their_row",
        explanation="""`multinomial` is given logarithms of probabilities. They are below 0, and it wants
        probabilities.""",
    ),
    mistake(
        "gradients are recorded",
        swap("            with torch.no_grad():\n", "            if True:\n"),
        caught_by="test_the_model_writes_without_gradients",
        explanation="""Every operation of the model is recorded for a gradient that nobody asks for. That takes time and
        memory for each token.""",
    ),
    mistake(
        "the model is frozen for good",
        swap(EVAL, EVAL + "    model.requires_grad_(False)\n"),
        caught_by="test_the_model_can_be_trained_on",
        explanation="""The parameters are told that they need no gradient, and nobody tells them otherwise afterwards. A
        training that goes on after a sample learns nothing.""",
    ),
    mistake(
        "the other mode comes back",
        swap(RESTORE, "model.train(not was_training)"),
        caught_by="test_the_mode_comes_back",
        explanation="""The mode is the opposite of what it was. `train` takes True for train mode.""",
    ),
    mistake(
        "only the outermost module gets its mode back",
        swap(RESTORE, "model.training = was_training"),
        caught_by="test_the_mode_comes_back",
        explanation="""The flag of the model itself is set, and those of its parts are not. Dropout inside stays as it
        was put.""",
    ),
    mistake(
        "dropout is off at temperature 0 only",
        swap(EVAL, "    model.train(was_training and temperature != 0)\n"),
        caught_by="test_the_model_writes_without_dropout",
        explanation="""The model is put into eval mode only where nothing is drawn. Writing is not training, at any
        temperature.""",
    ),
    mistake(
        "greedy unless asked",
        swap("    temperature: float = 1.0,\n", "    temperature: float = 0.0,\n"),
        caught_by="test_the_temperature_is_one_unless_given",
        explanation="""Whoever gives no temperature gets the most likely token each time. Without one the logits stay as
        they are, which is a temperature of 1.""",
    ),
    mistake(
        "a default temperature above 1",
        swap("    temperature: float = 1.0,\n", "    temperature: float = 1.2,\n"),
        caught_by="test_the_temperature_is_one_unless_given",
        explanation="""Whoever gives no temperature gets a wilder text than the model would write. Without one the
        logits stay as they are, which is a temperature of 1.""",
    ),
    mistake(
        "without a generator nothing is drawn",
        swap(WHETHER_GREEDY, "            if temperature == 0 or generator is None:\n"),
        caught_by="test_without_a_generator_every_call_draws_anew",
        explanation="""Where no generator is given, the most likely token is taken. None leaves the draw to torch's own
        random numbers.""",
    ),
    mistake(
        "a top_p of 0.9 unless given",
        swap(EVAL, EVAL + "    top_p = 0.9 if top_p is None else top_p\n"),
        caught_by="test_every_token_can_be_drawn",
        explanation="""Whoever gives no top_p gets one of 0.9. Without one nothing is filtered.""",
    ),
    mistake(
        "a temperature of 1 is greedy",
        swap(WHETHER_GREEDY, "            if temperature in (0, 1):\n"),
        caught_by="test_every_token_can_be_drawn",
        explanation="""At temperature 1 the most likely token is taken, as at 0. A temperature of 1 leaves the odds as
        they are, and draws by them.""",
    ),
    mistake(
        "a temperature below 1 is ignored",
        swap(WHETHER_WARM, "            if not 0 <= temperature < 1:\n"),
        caught_by="test_a_low_temperature_draws_the_most_likely_token_only",
        explanation="""Only a temperature of 1 and more divides the logits. One below 1 is there to sharpen the
        choice.""",
    ),
    mistake(
        "a temperature above 1 is ignored",
        swap(WHETHER_WARM, "            if temperature < 1 and temperature != 0:\n"),
        caught_by="test_a_high_temperature_draws_unlikely_tokens_too",
        explanation="""Only a temperature below 1 divides the logits. One above 1 is there to make the choice more
        even.""",
    ),
    mistake(
        "the temperature counts for the first token only",
        swap(WHETHER_WARM, "            if temperature != 0 and _ == 0:\n"),
        caught_by="test_a_low_temperature_draws_the_most_likely_token_only",
        explanation="""After the first new token the temperature is forgotten. It holds for every token that is
        drawn.""",
    ),
    mistake(
        "a temperature below 1 is greedy",
        swap(WHETHER_GREEDY, "            if temperature < 1:\n"),
        caught_by="test_tokens_are_drawn_as_often_as_they_are_likely",
        explanation="""Below a temperature of 1 the most likely token is taken. Only 0 means that; the others sharpen
        the choice and still draw.""",
    ),
    mistake(
        "top-p wins over top-k",
        swap("            if top_k is not None:\n", "            if top_k is not None and top_p is None:\n"),
        caught_by="test_temperature_then_top_k_then_top_p",
        explanation="""Where top_p is given, top_k is passed over. Both may be asked for, one after the other.""",
    ),
    mistake(
        "what either filter keeps is kept",
        swap(KEEP_K, "            full = logits\n" + KEEP_K),
        swap(
            KEEP_P,
            KEEP_P.replace(
                "keep_top_p(logits, top_p)",
                "torch.maximum(keep_top_p(full, top_p), logits if top_k else keep_top_p(full, top_p))",
            ),
        ),
        caught_by="test_temperature_then_top_k_then_top_p",
        explanation="""A token stays if one of the two filters keeps it. Each filter takes away from what the one before
        has left.""",
    ),
    mistake(
        "top-p first, then the temperature, then top-k",
        swap(HEAT, KEEP_P + HEAT),
        swap(KEEP_K + KEEP_P, KEEP_K),
        caught_by="test_temperature_then_top_k_then_top_p",
        explanation="""top-p looks at all tokens, as likely as they are without a temperature. In the order asked for it
        comes last.""",
    ),
    mistake(
        "generate keeps one too many",
        swap(KEEP_K, KEEP_K.replace("(logits, top_k)", "(logits, top_k + 1 if top_k > 0 else top_k)")),
        caught_by="test_generate_draws_from_the_top_k",
        explanation="""1 is added to top_k on the way to the filter. It is the number of tokens already.""",
    ),
    mistake(
        "top_k counts for the first token only",
        swap("            if top_k is not None:\n", "            if top_k is not None and _ == 0:\n"),
        caught_by="test_generate_draws_from_the_top_k",
        explanation="""After the first new token nothing is filtered any more. The filter holds for every token that is
        drawn.""",
    ),
    mistake(
        "top_k counts from the second token on",
        swap("            if top_k is not None:\n", "            if top_k is not None and (_ > 0 or top_k < 1):\n"),
        caught_by="test_generate_draws_from_the_top_k",
        explanation="""The first new token is drawn without the filter. It holds for every token that is drawn.""",
    ),
    mistake(
        "top_p counts for the first token only",
        swap("            if top_p is not None:\n", "            if top_p is not None and _ == 0:\n"),
        caught_by="test_generate_draws_from_the_top_p",
        explanation="""After the first new token nothing is filtered any more. The filter holds for every token that is
        drawn.""",
    ),
    mistake(
        "a top_p of 1 and more is taken for none",
        swap("            if top_p is not None:\n", "            if top_p is not None and top_p < 1:\n"),
        caught_by="test_generate_refuses_bad_options",
        explanation="""Only a top_p below 1 gets as far as the filter. What is above 1 is an error like any other, and the
        filter would say so.""",
    ),
    mistake(
        "a top_p outside 0 to 1 is taken for none",
        swap("            if top_p is not None:\n", "            if top_p is not None and 0 < top_p < 1:\n"),
        caught_by="test_generate_refuses_bad_options",
        explanation="""Only a top_p between 0 and 1 gets as far as the filter. What is outside is an error, and the filter
        would say so.""",
    ),
    mistake(
        "shifted along the batch",
        swap(
            DROPPED,
            "reached = probabilities.cumsum(dim=-1) >= p\n    "
            "dropped = torch.cat([torch.zeros_like(reached[:1]), reached[:-1]])",
        ),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""To keep the token that crosses p, what is dropped is shifted by one: along the tokens of a row, and
        here it goes along the rows.""",
    ),
    mistake(
        "generate hands on what is to be cut off",
        swap(KEEP_P, KEEP_P.replace("(logits, top_p)", "(logits, 1 - top_p if 0 < top_p < 1 else top_p)")),
        caught_by="test_generate_draws_from_the_top_p",
        explanation="""The filter gets 1 - top_p. It takes the share that stays, and so does generate.""",
    ),
    mistake(
        "top-p is given probabilities",
        swap(KEEP_P, KEEP_P.replace("(logits, top_p)", "(softmax(logits), top_p)")),
        caught_by="test_generate_draws_from_the_top_p",
        explanation="""The softmax is taken before the filter, which takes it again. Probabilities are all between 0 and
        1, and as logits that is nearly the same.""",
    ),
    mistake(
        "top-k is given probabilities",
        swap(KEEP_K, KEEP_K.replace("(logits, top_k)", "(softmax(logits), top_k)")),
        caught_by="test_tokens_are_drawn_as_often_as_they_are_likely",
        explanation="""The right tokens are kept, but as probabilities, and the softmax at the draw takes them for
        logits. All of them become nearly equally likely.""",
    ),
    mistake(
        "the temperature divides twice",
        swap(DRAW, "next_ids = torch.multinomial(softmax(logits / temperature), 1, generator=generator)[:, 0]"),
        caught_by="test_tokens_are_drawn_as_often_as_they_are_likely",
        explanation="""The logits are divided before the filters and again at the draw. The temperature enters once.""",
    ),
    mistake(
        "probabilities times luck",
        swap(DRAW, "next_ids = (softmax(logits) * torch.rand(logits.shape, generator=generator)).argmax(dim=-1)"),
        caught_by="test_tokens_are_drawn_as_often_as_they_are_likely",
        explanation="""Each probability is multiplied by a random number and the largest wins. The likely tokens win too
        often that way: likelihood and frequency are not the same.""",
    ),
    mistake(
        "even noise is added to the logits",
        swap(DRAW, "next_ids = (logits + torch.rand(logits.shape, generator=generator)).argmax(dim=-1)"),
        caught_by="test_tokens_are_drawn_as_often_as_they_are_likely",
        explanation="""Random numbers between 0 and 1 are added, and the largest wins. Only noise of one special shape
        makes that as frequent as it is likely.""",
    ),
    mistake(
        "normal noise is added to the logits",
        swap(DRAW, "next_ids = (logits + torch.randn(logits.shape, generator=generator)).argmax(dim=-1)"),
        caught_by="test_tokens_are_drawn_as_often_as_they_are_likely",
        explanation="""Normal random numbers are added, and the largest wins. Only noise of one special shape makes that
        as frequent as it is likely.""",
    ),
    mistake(
        "all that are left are equally likely",
        swap(DRAW, "next_ids = torch.multinomial(logits.isfinite().double(), 1, generator=generator)[:, 0]"),
        caught_by="test_tokens_are_drawn_as_often_as_they_are_likely",
        explanation="""One of the tokens that the filters left is drawn, each as often as another. How likely each of
        them is has been forgotten.""",
    ),
    mistake(
        "probabilities are squared",
        swap(DRAW, "next_ids = torch.multinomial(softmax(logits) ** 2, 1, generator=generator)[:, 0]"),
        caught_by="test_tokens_are_drawn_as_often_as_they_are_likely",
        explanation="""The squares of the probabilities are drawn from, which is a temperature of one half. Each token
        is to be drawn as often as it is likely.""",
    ),
    mistake(
        "a copy of the generator draws",
        swap(EVAL, EVAL + "    generator = generator.clone_state() if generator is not None else None\n"),
        caught_by="test_equal_generators_give_equal_texts",
        explanation="""The text is drawn from a copy, and the generator that was given never moves on. A second text
        from it is the first one again.""",
    ),
    mistake(
        "rows stop only all together",
        swap(STOPPED, "stopped = stopped | (next_ids == stop_id).all()"),
        caught_by="test_each_row_stops_by_itself",
        explanation="""A row is marked only where all rows draw stop_id at once. Each row ends on its own.""",
    ),
    mistake(
        "running rows are filled",
        swap(FILL, "                next_ids = next_ids.masked_fill(~stopped, stop_id)\n"),
        caught_by="test_each_row_stops_by_itself",
        explanation="""The rows that are still writing get stop_id, and the others go on. The mask is the wrong way
        round.""",
    ),
    mistake(
        "a stopped row is filled with a negative id",
        swap(FILL, "                next_ids = next_ids.masked_fill(stopped, -1)\n"),
        caught_by="test_each_row_stops_by_itself",
        explanation="""After its end a row gets −1, which is no token. It is filled with stop_id.""",
    ),
    mistake(
        "the first row decides when all end",
        swap(END, "            if stopped[0]:\n"),
        caught_by="test_each_row_stops_by_itself",
        explanation="""The loop ends as soon as the first row has stopped. The others may still be writing.""",
    ),
    mistake(
        "the last row decides when all end",
        swap(END, "            if stopped[-1]:\n"),
        caught_by="test_each_row_stops_by_itself",
        explanation="""The loop ends as soon as the last row has stopped. The others may still be writing.""",
    ),
    mistake(
        "a stop ends the row a token late",
        swap(
            "                next_ids = next_ids.masked_fill(stopped, stop_id)\n                " + STOPPED,
            "                drawn = next_ids\n                next_ids = next_ids.masked_fill(stopped, stop_id)\n                stopped = stopped | (ids[:, -1] == stop_id) & (_ > 0)",
        ),
        caught_by="test_each_row_stops_by_itself",
        explanation="""A row is marked when stop_id is the last token of the text already, a round too late. One more
        token is drawn behind its end.""",
    ),
    mistake(
        "only the first new token can stop a row",
        swap(STOPPED, "stopped = stopped | ((next_ids == stop_id) & (_ == 0))"),
        caught_by="test_each_row_stops_by_itself",
        explanation="""Only in the first round is stop_id looked for. A row may end at any token.""",
    ),
    mistake(
        "rows that are not stopped lose their token",
        swap(STOPPED, STOPPED + "\n                next_ids = torch.where(stopped.any(), stop_id, next_ids)"),
        caught_by="test_each_row_stops_by_itself",
        explanation="""As soon as one row has stopped, all rows get stop_id for their tokens. Each row is filled by
        itself.""",
    ),
    mistake(
        "token 0 always ends a text",
        swap("    stop_id: int | None = None,\n", "    stop_id: int | None = 0,\n"),
        caught_by="test_new_tokens_follow_from_the_last_of_their_row",
        explanation="""Without a stop_id, token 0 ends a row. None means that nothing does.""",
    ),
    mistake(
        "the largest logit, cut to a whole number",
        swap(GREEDY, "return logits.amax(dim=-1).long()"),
        caught_by="test_greedy_takes_the_largest_logit_of_each_row",
        explanation="""What comes back is how large the largest logit is, cut to a whole number so that it looks like an id. A token is known by its
        place in the row.""",
    ),
    mistake(
        "top-k keeps probabilities",
        swap(TOP_K, "return softmax(logits).masked_fill(logits < kept[:, -1:], 0.0)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""What is kept comes back as its probability, and what is dropped as 0. A filter returns logits, and marks what is dropped by
        minus infinity.""",
    ),
    mistake(
        "top-k returns log-probabilities",
        swap(TOP_K, TOP_K + ".log_softmax(dim=-1)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The survivors become logarithms of their probabilities. That draws the same tokens; but a filter leaves the logits that it
        keeps as they are.""",
    ),
    mistake(
        "top-k's mask is put back by the wrong order",
        swap(
            TOP_K,
            "order = logits.argsort(dim=-1, descending=True)\n"
            "    dropped = torch.arange(logits.shape[-1]).expand_as(order) >= k\n"
            "    return logits.masked_fill(dropped.gather(-1, order), -torch.inf)",
        ),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""The mask of the sorted logits is read at the places that the order names, which is no way back. Each token's place in the
        order says whether it is dropped.""",
    ),
    mistake(
        "the crossing token is dropped, save at p exactly",
        swap(BEFORE, "before = probabilities.cumsum(dim=-1)"),
        swap(DROPPED, "dropped = before > p"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""A token is dropped when the sum *with* it is above p, so what is kept hardly ever reaches p. Where one token is likelier than
        p, nothing is left at all.""",
    ),
    mistake(
        "only the first is saved from the cut above p",
        swap(BEFORE, "before = probabilities.cumsum(dim=-1).index_fill(-1, torch.tensor([0]), 0.0)"),
        swap(DROPPED, "dropped = before > p"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""A token is dropped when the sum with it is above p, and only the most likely one is always kept. The token that crosses p
        belongs to those that are kept.""",
    ),
    mistake(
        "the sum is kept in half precision",
        swap(BEFORE, "before = (probabilities.half().cumsum(dim=-1) - probabilities.half()).to(logits.dtype)"),
        caught_by="test_top_p_close_to_one",
        explanation="""The probabilities are added up in 16 bits, of which three digits are right. Where the cut comes depends on the
        rounding.""",
    ),
    mistake(
        "tokens less likely than 1 - p are dropped",
        swap(DROPPED, "dropped = probabilities < 1 - p"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""Each token's own probability is compared with 1 − p. p is what the tokens that are kept reach together.""",
    ),
    mistake(
        "a share 1 - p of the likeliest is the border",
        swap(DROPPED, "dropped = probabilities < (1 - p) * probabilities[:, :1]"),
        caught_by="test_top_p_keeps_the_fewest_tokens_that_reach_p",
        explanation="""Tokens below a share 1 − p of the most likely one are dropped. That is another filter; p is what the tokens that are kept
        reach together.""",
    ),
    mistake(
        "p stops short of 1",
        swap(ALL, "    p = min(p, 0.999999)"),
        caught_by="test_top_p_of_one_keeps_all",
        explanation="""A p of 1 becomes 0.999999. What is left of the last millionth is dropped, where p = 1 keeps everything.""",
    ),
    mistake(
        "summed from below, p = 1 drops what is next to 0",
        swap(ALL, "    pass"),
        swap(SORTED, "ordered, order = logits.sort(dim=-1)"),
        swap(BEFORE, "before = probabilities.cumsum(dim=-1)"),
        swap(DROPPED, "dropped = (before <= 1 - p).index_fill(-1, torch.tensor([logits.shape[-1] - 1]), False)"),
        caught_by="test_top_p_of_one_keeps_all",
        explanation="""From the least likely token up, what sums to no more than 1 − p is dropped. At p = 1 those go whose probability is rounded to
        0, where every token is kept.""",
    ),
    mistake(
        "summed from below, none is kept at a small p",
        swap(SORTED, "ordered, order = logits.sort(dim=-1)"),
        swap(BEFORE, "before = probabilities.cumsum(dim=-1)"),
        swap(DROPPED, "dropped = before <= 1 - p"),
        caught_by="test_top_p_keeps_at_least_one",
        explanation="""From the least likely token up, what sums to no more than 1 − p is dropped. Where p is so small that 1 − p is rounded to 1,
        that is all of them.""",
    ),
    mistake(
        "p = 0 keeps the likeliest",
        swap(P_CHECK, "    if not 0 <= p <= 1:\n"),
        swap(DROPPED, "dropped = (before >= p).index_fill(-1, torch.tensor([0]), False)"),
        caught_by="test_p_must_be_above_zero_and_at_most_one",
        explanation="""A p of 0 is taken for greedy. Whoever wants that says temperature 0; a p of 0 is refused.""",
    ),
    mistake(
        "the window is one token short, but never empty",
        swap(WINDOW, "logits = model(ids[:, -max(context_length - 1, 1) :])[:, -1]"),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""The model sees one token less than it could. The window holds context_length tokens.""",
    ),
    mistake(
        "logits are kept by the length of the window",
        swap(
            WINDOW,
            "window = ids[:, -context_length:]\n"
            "                kept = {} if _ == 0 else kept  # noqa: F821\n"
            "                logits = kept.setdefault(window.shape[1], model(window)[:, -1])",
        ),
        caught_by="test_temperature_zero_takes_the_most_likely_token",
        explanation="""The logits of the first window of a length are used for every other of that length. Once the window is full, its length stays
        and its tokens do not.""",
    ),
    family(
        "a temperature below {c} counts as {c}",
        swap(EVAL, EVAL + "    temperature = max(temperature, {c})\n"),
        constants=(1e-8, 1e-5, 0.01, 0.1),
        caught_by="test_generate_refuses_bad_options",
        explanation="""A small number takes the place of a lower temperature, of 0 and of those below 0 as well. 0 means greedy, and what is below 0
        is refused.""",
    ),
    mistake(
        "Gumbel noise of the wrong sign",
        swap(
            DRAW, "next_ids = (logits + torch.rand(logits.shape, generator=generator).log().neg().log()).argmax(dim=-1)"
        ),
        caught_by="test_tokens_are_drawn_as_often_as_they_are_likely",
        explanation="""Noise is added and the largest wins, but the noise has its long side below. With the other sign it would draw each token as
        often as it is likely.""",
    ),
    mistake(
        "the luck has one logarithm",
        swap(DRAW, "next_ids = (logits - torch.rand(logits.shape, generator=generator).log()).argmax(dim=-1)"),
        caught_by="test_tokens_are_drawn_as_often_as_they_are_likely",
        explanation="""Noise with a single logarithm is added, and the largest wins. It takes two to draw each token as often as it is likely.""",
    ),
    mistake(
        "the drawn id is one too low",
        swap(
            DRAW,
            "luck = torch.rand(len(logits), 1, generator=generator)\n"
            "                next_ids = ((softmax(logits).cumsum(dim=-1) < luck).sum(dim=-1) - 1) % logits.shape[-1]",
        ),
        caught_by="test_new_tokens_follow_from_the_last_of_their_row",
        explanation="""The token before the one that was drawn is written. As many sums lie below the random number as there are tokens before the
        drawn one.""",
    ),
    mistake(
        "each logit through a sigmoid",
        swap(DRAW, "next_ids = torch.multinomial(logits.sigmoid(), 1, generator=generator)[:, 0]"),
        caught_by="test_new_tokens_follow_from_the_last_of_their_row",
        explanation="""A sigmoid looks at each logit alone, and all large ones become 1. The tokens of a row share one probability among
        them.""",
    ),
    mistake(
        "logits below 0 count as 0, the others as shares",
        swap(DRAW, "next_ids = torch.multinomial(logits.clamp(min=0) + 1e-9, 1, generator=generator)[:, 0]"),
        caught_by="test_a_low_temperature_draws_the_most_likely_token_only",
        explanation="""Tokens are drawn in proportion to their logits, as far as those are above 0. It is their exponentials that are in proportion
        to the probabilities.""",
    ),
    mistake(
        "a stopped row repeats the token before",
        swap(FILL, "                next_ids = torch.where(stopped, ids[:, -2], next_ids)\n"),
        caught_by="test_each_row_stops_by_itself",
        explanation="""A row that has stopped is filled with the token before its last. It is filled with stop_id.""",
    ),
]
