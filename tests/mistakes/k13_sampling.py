"""k13: what people get wrong about sampling."""

from dojo.spec import mistake, swap

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
    mistake(
        "dropped logits become a low number",
        swap(TOP_K, "return logits.masked_fill(logits < kept[:, -1:], -1e9)"),
        caught_by="test_top_k_keeps_the_k_largest_of_each_row",
        explanation="""A dropped logit becomes -1e9, which no later filter can tell from a logit. What is dropped is
        marked by minus infinity.""",
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
]
