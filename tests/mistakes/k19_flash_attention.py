"""k19: what people get wrong about attention by tiles."""

from dojo.spec import mistake, swap

QUERY_AT = "query_position = first_query + torch.arange(query.shape[-2], device=query.device)  # (R,)"
KEY_AT = "key_position = first_key + torch.arange(key.shape[-2], device=key.device)  # (C,)"
SCORES = "scores = query @ key.mT / query.shape[-1] ** 0.5  # (B, h, R, C)"
HIDE = "return scores.masked_fill(key_position > query_position[:, None], -torch.inf)"
ROWS = "contexts, logsumexps = [], []\n    for first in range(0, query.shape[-2], block):"
TOP = "top = torch.full_like(rows[..., :1], -torch.inf)  # (B, h, R, 1): the largest score so far"
TILES = "for start in range(0, first + 1, block):\n            tile = slice(start, start + block)\n            scores = tile_scores(rows, "
TILE = "scores = tile_scores(rows, key[..., tile, :], first, start)  # (B, h, R, C)"
NEW_TOP = "new_top = torch.maximum(top, scores.amax(-1, keepdim=True))"
SHRINK = "shrink = (top - new_top).exp()  # what was summed so far is relative to the old top"
TOTAL = "total = total * shrink + weights.sum(-1, keepdim=True)"
MIX = "mix = mix * shrink + weights @ value[..., tile, :]"
DIVIDE = "contexts.append(mix / total)"
LOGSUMEXP = "logsumexps.append((top + total.log()).squeeze(-1))"
JOIN = "return torch.cat(contexts, dim=-2), torch.cat(logsumexps, dim=-1)"
ZEROS = "d_query, d_key, d_value = torch.zeros_like(query), torch.zeros_like(key), torch.zeros_like(value)"
ROW_TERM = "row_term = (grad * context).sum(-1, keepdim=True)  # (B, h, T, 1)"
BACK_ROWS = "  # (B, h, T, 1)\n    for first in range(0, query.shape[-2], block):"
BACK_TILES = "rows = slice(first, first + block)\n        for start in range(0, first + 1, block):"
BACK_SCORES = "scores = tile_scores(query[..., rows, :], key[..., tile, :], first, start)  # (B, h, R, C)"
WEIGHTS = "weights = (scores - logsumexp[..., rows, None]).exp()"
D_WEIGHTS = "d_weights = grad[..., rows, :] @ value[..., tile, :].mT  # (B, h, R, C)"
D_SCORES = "d_scores = weights * (d_weights - row_term[..., rows, :]) / query.shape[-1] ** 0.5"
D_QUERY = "d_query[..., rows, :] += d_scores @ key[..., tile, :]"
D_KEY = "d_key[..., tile, :] += d_scores.mT @ query[..., rows, :]"
D_VALUE = "d_value[..., tile, :] += weights.mT @ grad[..., rows, :]"
D_ALL = "return d_query, d_key, d_value"
SAVE = "ctx.save_for_backward(query, key, value, context, logsumexp)"
GIVE = "return *flash_backward(grad, *ctx.saved_tensors, ctx.block), None"
APPLY = "return FlashAttention.apply(query, key, value, block)"

TILE_IS_PART = "test_tile_is_a_part_of_the_whole_matrix_of_scores"
CONTEXT = "test_context_is_that_of_causal_attention"
LSE = "test_logsumexp_is_that_of_the_visible_scores"
EXTREME = "test_extreme_scores_do_not_overflow"
DTYPE = "test_results_have_the_dtype_of_the_inputs"
SMALL = "test_forward_holds_no_more_than_a_tile"
GRADIENTS = "test_gradients_are_those_of_causal_attention"
BACK_EXTREME = "test_extreme_scores_do_not_break_the_gradients"
BACK_SMALL = "test_backward_holds_no_more_than_a_tile"
WHOLE = "test_flash_attention_is_causal_attention"
TRAINING = "test_training_reaches_query_key_and_value"
MEMORY = "test_memory_grows_with_the_tokens_not_with_their_square"

MISTAKES = [
    # Step 1
    mistake(
        "no scale",
        swap(SCORES, "scores = query @ key.mT  # (B, h, R, C)"),
        caught_by=TILE_IS_PART,
        explanation="""The scores are plain dot products. They are to be divided by √d, as in all attention before.""",
    ),
    mistake(
        "divided by the width, not its root",
        swap(SCORES, "scores = query @ key.mT / query.shape[-1]  # (B, h, R, C)"),
        caught_by=TILE_IS_PART,
        explanation="""The scores are divided by d itself. It is their standard deviation that grows with d, and that
        grows like a root.""",
    ),
    mistake(
        "scaled by the size of the tile",
        swap(SCORES, "scores = query @ key.mT / key.shape[-2] ** 0.5  # (B, h, R, C)"),
        caught_by=TILE_IS_PART,
        explanation="""The scores are divided by the root of how many keys the tile has. A score sums over channels, and
        knows nothing of tiles.""",
    ),
    mistake(
        "nothing is hidden",
        swap(HIDE, "return scores"),
        caught_by=TILE_IS_PART,
        explanation="""The tile has scores for later keys too. In tiles on the diagonal a query would see the future.""",
    ),
    mistake(
        "the diagonal is hidden",
        swap(HIDE, HIDE.replace(" > ", " >= ")),
        caught_by=TILE_IS_PART,
        explanation="""A key at the query's own position is hidden. A token sees itself, and the first one has nothing
        else.""",
    ),
    mistake(
        "one future key is visible",
        swap(
            HIDE, HIDE.replace("key_position > query_position[:, None]", "key_position > query_position[:, None] + 1")
        ),
        caught_by=TILE_IS_PART,
        explanation="""The mask begins one key too late. The next token is what a model has to predict.""",
    ),
    mistake(
        "the past is hidden",
        swap(HIDE, HIDE.replace(" > ", " < ")),
        caught_by=TILE_IS_PART,
        explanation="""Earlier keys are hidden and later ones visible. A query looks back only.""",
    ),
    mistake(
        "positions are counted within the tile",
        swap(QUERY_AT, QUERY_AT.replace("first_query + ", "")),
        swap(KEY_AT, KEY_AT.replace("first_key + ", "")),
        caught_by=TILE_IS_PART,
        explanation="""Rows and columns are compared as if every tile stood on the diagonal. A tile beside it lies in the
        past as a whole, and hides nothing.""",
    ),
    mistake(
        "the place of the queries is ignored",
        swap(QUERY_AT, QUERY_AT.replace("first_query + ", "")),
        caught_by=TILE_IS_PART,
        explanation="""The queries are taken for the first ones of the sequence, wherever they stand. They would see far
        less than they may.""",
    ),
    mistake(
        "the place of the keys is ignored",
        swap(KEY_AT, KEY_AT.replace("first_key + ", "")),
        caught_by=TILE_IS_PART,
        explanation="""The keys are taken for the first ones of the sequence, wherever they stand. A query would see keys
        that come after it.""",
    ),
    mistake(
        "only tiles on the diagonal are masked",
        swap(
            HIDE,
            HIDE.replace(
                "key_position > query_position[:, None]",
                "(key_position > query_position[:, None]) & (first_query == first_key)",
            ),
        ),
        caught_by=TILE_IS_PART,
        explanation="""Where the two positions differ, nothing is hidden. A tile may lie anywhere, also across the diagonal
        or beyond it.""",
    ),
    mistake(
        "rows are keys",
        swap(SCORES, "scores = (key @ query.mT / query.shape[-1] ** 0.5)  # (B, h, C, R)"),
        swap(HIDE, "return scores.masked_fill(key_position[:, None] > query_position, -torch.inf)"),
        caught_by=TILE_IS_PART,
        explanation="""The tile is transposed. Rows are queries, columns are keys.""",
    ),
    mistake(
        "filled with 0",
        swap(HIDE, HIDE.replace("-torch.inf", "0.0")),
        caught_by=TILE_IS_PART,
        explanation="""A hidden score is 0. That is an ordinary score, with e^0 = 1.""",
    ),
    mistake(
        "filled with -10,000",
        swap(HIDE, HIDE.replace("-torch.inf", "-1e4")),
        caught_by=TILE_IS_PART,
        explanation="""A hidden score is -10,000, which is not the lowest score there can be. It is −∞ that weighs nothing
        whatever the others are.""",
    ),
    # Step 2
    mistake(
        "nothing shrinks",
        swap(TOTAL, "total = total + weights.sum(-1, keepdim=True)"),
        swap(MIX, "mix = mix + weights @ value[..., tile, :]"),
        caught_by=CONTEXT,
        explanation="""What was summed stays as it is when a larger score turns up. Its terms are relative to the old
        largest score, and the new ones to the new.""",
    ),
    mistake(
        "the sum does not shrink",
        swap(TOTAL, "total = total + weights.sum(-1, keepdim=True)"),
        caught_by=CONTEXT,
        explanation="""The values shrink when a larger score turns up, and the sum of weights does not. Both are relative
        to the largest score so far.""",
    ),
    mistake(
        "the values do not shrink",
        swap(MIX, "mix = mix + weights @ value[..., tile, :]"),
        caught_by=CONTEXT,
        explanation="""The sum of weights shrinks when a larger score turns up, and the values do not. Both are relative to
        the largest score so far.""",
    ),
    mistake(
        "it grows where it should shrink",
        swap(SHRINK, "shrink = torch.where(top == -torch.inf, 0.0, (new_top - top).exp())"),
        caught_by=CONTEXT,
        explanation="""The factor is e^(new − old). What was summed relative to a small number has to become smaller when
        the number grows.""",
    ),
    mistake(
        "the new terms shrink too",
        swap(MIX, "mix = (mix + weights @ value[..., tile, :]) * shrink"),
        swap(TOTAL, "total = (total + weights.sum(-1, keepdim=True)) * shrink"),
        caught_by=CONTEXT,
        explanation="""The factor is applied to the tile that was just added as well. Its terms are relative to the new
        largest score already.""",
    ),
    mistake(
        "the largest score is that of the tile",
        swap(NEW_TOP, "new_top = scores.amax(-1, keepdim=True)"),
        caught_by=EXTREME,
        explanation="""Each tile's own largest score is used, also where an earlier one was larger. It is right on paper,
        and overflows as soon as the earlier one was much larger.""",
    ),
    mistake(
        "no largest score at all",
        swap(NEW_TOP, "new_top = torch.zeros_like(top)"),
        caught_by=EXTREME,
        explanation="""The exponentials are taken of the scores as they are. Beyond about 700 they are infinite in double
        precision, beyond 88 in single.""",
    ),
    mistake(
        "the largest score begins at 0",
        swap(TOP, TOP.replace("-torch.inf", "0.0")),
        caught_by=EXTREME,
        explanation="""The largest score so far is never below 0. Where all scores are far below, every exponential is 0,
        and the division is 0 by 0.""",
    ),
    mistake(
        "one largest score for the whole tile",
        swap(NEW_TOP, "new_top = torch.maximum(top, scores.amax((-2, -1), keepdim=True))"),
        caught_by=EXTREME,
        explanation="""All queries of a tile share one largest score. A query whose scores are far below it is left with
        nothing but zeros.""",
    ),
    mistake(
        "the final division is forgotten",
        swap(DIVIDE, "contexts.append(mix)"),
        caught_by=CONTEXT,
        explanation="""The weighted values are returned as they were summed. Their weights do not sum to 1 until they are
        divided by the sum.""",
    ),
    mistake(
        "divided at every tile",
        swap(MIX, "mix = mix * shrink + weights @ value[..., tile, :] / total"),
        swap(DIVIDE, "contexts.append(mix)"),
        caught_by=CONTEXT,
        explanation="""Each tile is divided by the sum so far. The divisor is known only after the last tile.""",
    ),
    mistake(
        "a mean of the tiles",
        swap(MIX, "mix = mix + scores.softmax(-1).nan_to_num() @ value[..., tile, :]"),
        swap(DIVIDE, "contexts.append(mix / (first // block + 1))"),
        caught_by=CONTEXT,
        explanation="""Each tile has a softmax of its own, and the results are averaged. A tile with low scores has to
        weigh less than one with high scores.""",
    ),
    mistake(
        "divided by the number of keys",
        swap(DIVIDE, "contexts.append(mix / (first + rows.shape[-2]))"),
        caught_by=CONTEXT,
        explanation="""The weighted values are divided by how many keys there are. The divisor is the sum of the
        weights.""",
    ),
    mistake(
        "the diagonal tile is skipped",
        swap(TILES, TILES.replace("range(0, first + 1, block)", "range(0, max(first, 1), block)")),
        caught_by=CONTEXT,
        explanation="""The walk ends one tile early. The block that the queries themselves are in is never looked at, but
        for the first.""",
    ),
    mistake(
        "only the diagonal tile",
        swap(TILES, TILES.replace("range(0, first + 1, block)", "range(first, first + 1, block)")),
        caught_by=CONTEXT,
        explanation="""Each block of queries sees its own block of keys and nothing before it. All earlier keys are to be
        seen as well.""",
    ),
    mistake(
        "the first tile is left out",
        swap(TILES, TILES.replace("range(0, first + 1, block)", "range(min(block, first), first + 1, block)")),
        caught_by=CONTEXT,
        explanation="""The walk begins at the second block of keys. The first tokens are to be seen by all.""",
    ),
    mistake(
        "the last tile is dropped unless it is full",
        swap(
            ROWS,
            ROWS.replace(
                "range(0, query.shape[-2], block)", "range(0, max(query.shape[-2] // block, 1) * block, block)"
            ),
        ),
        caught_by=CONTEXT,
        explanation="""Only whole blocks of queries are done. Where T is not a multiple of the block, the last tokens have
        no context.""",
    ),
    mistake(
        "the last keys are dropped unless their tile is full",
        swap(
            TILE,
            "if start and start + block > key.shape[-2]:\n                break\n            " + TILE,
        ),
        caught_by=CONTEXT,
        explanation="""A block of keys that is not full is passed over. Where T is not a multiple of the block, the last
        tokens do not even see themselves.""",
    ),
    mistake(
        "the tile's place is forgotten",
        swap(TILE, "scores = tile_scores(rows, key[..., tile, :], 0, 0)"),
        caught_by=CONTEXT,
        explanation="""Every tile is scored as if it stood at the beginning. Those beside the diagonal are then masked,
        though all of their keys are earlier.""",
    ),
    mistake(
        "logsumexp without the largest score",
        swap(LOGSUMEXP, "logsumexps.append(total.log().squeeze(-1))"),
        caught_by=LSE,
        explanation="""The logarithm is that of the sum relative to the largest score. The largest score has to be added
        again.""",
    ),
    mistake(
        "the largest score is returned",
        swap(LOGSUMEXP, "logsumexps.append(top.squeeze(-1))"),
        caught_by=LSE,
        explanation="""What comes back is the row's largest score. A weight cannot be had from that without the sum.""",
    ),
    mistake(
        "the sum is returned without its logarithm",
        swap(LOGSUMEXP, "logsumexps.append((top.exp() * total).squeeze(-1))"),
        caught_by=LSE,
        explanation="""What comes back is the sum of e^score itself. It overflows where its logarithm is an ordinary
        number.""",
    ),
    mistake(
        "logsumexp in base 2",
        swap(LOGSUMEXP, "logsumexps.append((top + total.log2()).squeeze(-1))"),
        caught_by=LSE,
        explanation="""The logarithm is to the base 2, and the exponential to the base e. They have to be of one base.""",
    ),
    mistake(
        "the sum is multiplied, not added",
        swap(LOGSUMEXP, "logsumexps.append((top * total.log()).squeeze(-1))"),
        caught_by=LSE,
        explanation="""The largest score is multiplied by the logarithm of the sum. A product becomes a sum under the
        logarithm.""",
    ),
    mistake(
        "logsumexp keeps a dimension",
        swap(LOGSUMEXP, "logsumexps.append(top + total.log())"),
        swap(JOIN, "return torch.cat(contexts, dim=-2), torch.cat(logsumexps, dim=-2)"),
        caught_by=CONTEXT,
        explanation="""logsumexp has a last dimension of 1. It is one number for each query: (B, h, T).""",
    ),
    mistake(
        "only the context is returned",
        swap(JOIN, "return torch.cat(contexts, dim=-2)"),
        caught_by=CONTEXT,
        explanation="""The function returns the context alone. The backward pass needs logsumexp too.""",
    ),
    mistake(
        "always in single precision",
        swap(TOP, TOP.replace("rows[..., :1], -torch.inf)", "rows[..., :1], -torch.inf, dtype=torch.float32)")),
        swap(NEW_TOP, "new_top = torch.maximum(top, scores.amax(-1, keepdim=True).float())"),
        swap(JOIN, "return torch.cat(contexts, dim=-2).float().to(query.dtype), torch.cat(logsumexps, dim=-1).float()"),
        caught_by=CONTEXT,
        explanation="""What is summed is kept in float32, whatever the inputs are. In double precision half of the digits
        are lost.""",
    ),
    mistake(
        "always in double precision",
        swap(JOIN, "return torch.cat(contexts, dim=-2).double(), torch.cat(logsumexps, dim=-1).double()"),
        caught_by=DTYPE,
        explanation="""The results are double whatever the inputs are. What comes after, in single precision, does not
        accept them.""",
    ),
    mistake(
        "all keys at once",
        swap(
            TILES,
            "for start in [0]:\n            tile = slice(0, first + block)\n            scores = tile_scores(rows, ",
        ),
        caught_by=SMALL,
        explanation="""Each block of queries meets all of its keys in a single tensor. That is a strip as long as the
        text, where a tile is enough.""",
    ),
    mistake(
        "all queries at once",
        swap(
            ROWS,
            "tall = query.shape[-2]\n    "
            + ROWS.replace("range(0, query.shape[-2], block)", "range(0, query.shape[-2], tall)"),
        ),
        swap("rows = query[..., first : first + block, :]", "rows = query[..., first : first + tall, :]"),
        swap(TILES, TILES.replace("range(0, first + 1, block)", "range(0, tall, block)")),
        caught_by=SMALL,
        explanation="""Each block of keys meets all queries in a single tensor. That is a strip as long as the text, where
        a tile is enough.""",
    ),
    mistake(
        "one query after the other",
        swap(ROWS, ROWS.replace("range(0, query.shape[-2], block)", "range(query.shape[-2])")),
        swap("rows = query[..., first : first + block, :]", "rows = query[..., first : first + 1, :]"),
        swap(
            TILES,
            "for start in [0]:\n            tile = slice(0, first + 1)\n            scores = tile_scores(rows, ",
        ),
        caught_by=SMALL,
        explanation="""Each query by itself meets all of its keys at once. It takes little memory, but no sum is kept from
        tile to tile, and a processor is fed one row at a time.""",
    ),
    mistake(
        "a mask for the whole sequence",
        swap(ROWS, "tokens = query.shape[-2]\n    hidden = torch.ones(tokens, tokens).triu(1).bool()\n    " + ROWS),
        swap(
            TILE,
            "scores = rows @ key[..., tile, :].mT / rows.shape[-1] ** 0.5\n"
            "            scores = scores.masked_fill(hidden[first : first + block, tile], -torch.inf)",
        ),
        caught_by=SMALL,
        explanation="""A T × T tensor is made on the way, if only for the mask. A tile needs no more than its own part of
        it.""",
    ),
    # Step 3
    mistake(
        "the row's term is missing",
        swap(D_SCORES, "d_scores = weights * d_weights / query.shape[-1] ** 0.5"),
        caught_by=GRADIENTS,
        explanation="""The gradient of the scores is that of the weights, times the weights. A softmax shares out a whole:
        what one score gains the others of its row lose, and that term is left out.""",
    ),
    mistake(
        "the row's term is taken from one tile",
        swap(
            D_SCORES,
            "d_scores = weights * (d_weights - (weights * d_weights).sum(-1, keepdim=True)) / query.shape[-1] ** 0.5",
        ),
        caught_by=GRADIENTS,
        explanation="""The sum that is taken off runs over the keys of this tile. It has to run over all keys that the
        query sees.""",
    ),
    mistake(
        "the row's term is added",
        swap(D_SCORES, "d_scores = weights * (d_weights + row_term[..., rows, :]) / query.shape[-1] ** 0.5"),
        caught_by=GRADIENTS,
        explanation="""The row's term has the wrong sign. The gradients of a row of scores have to sum to 0.""",
    ),
    mistake(
        "the row's term is made of the values",
        swap(ROW_TERM, "row_term = (grad * value).sum(-1, keepdim=True)  # (B, h, T, 1)"),
        caught_by=GRADIENTS,
        explanation="""The gradient is multiplied by the value at the query's own position. It is the context that stands
        for the sum over all keys.""",
    ),
    mistake(
        "the row's term is a mean",
        swap(ROW_TERM, "row_term = (grad * context).mean(-1, keepdim=True)  # (B, h, T, 1)"),
        caught_by=GRADIENTS,
        explanation="""The products of gradient and context are averaged over the channels. They are summed.""",
    ),
    mistake(
        "no scale in the backward pass",
        swap(D_SCORES, "d_scores = weights * (d_weights - row_term[..., rows, :])"),
        caught_by=GRADIENTS,
        explanation="""The scores were divided by √d, and their gradient is handed to queries and keys as it is. Whatever
        a number was divided by, so is its gradient.""",
    ),
    mistake(
        "the weights have another scale",
        swap(
            BACK_SCORES,
            "scores = tile_scores(query[..., rows, :], key[..., tile, :], first, start) * query.shape[-1] ** 0.5",
        ),
        caught_by=GRADIENTS,
        explanation="""The scores are made again without their division by √d. They are then not those that logsumexp is
        of, and the weights do not sum to 1.""",
    ),
    mistake(
        "the weights are a softmax of the tile",
        swap(WEIGHTS, "weights = scores.softmax(-1).nan_to_num()"),
        caught_by=GRADIENTS,
        explanation="""The weights of each tile are made to sum to 1. A tile has only its share of the row.""",
    ),
    mistake(
        "the weights are not divided by the sum",
        swap(WEIGHTS, "weights = (scores - scores.amax(-1, keepdim=True)).exp().nan_to_num()"),
        caught_by=GRADIENTS,
        explanation="""The weights are made relative to the tile's largest score, and nothing divides them. logsumexp holds
        both, the largest score and the sum.""",
    ),
    mistake(
        "e^score is divided by e^logsumexp",
        swap(WEIGHTS, "weights = scores.exp() / logsumexp[..., rows, None].exp()"),
        caught_by=BACK_EXTREME,
        explanation="""The two exponentials are taken before one is divided by the other. Each of them overflows where
        their quotient is an ordinary number.""",
    ),
    mistake(
        "queries keep only the last tile",
        swap(D_QUERY, "d_query[..., rows, :] = d_scores @ key[..., tile, :]"),
        caught_by=GRADIENTS,
        explanation="""The gradient of a block of queries is written anew at each tile. Every tile of the row adds its
        part.""",
    ),
    mistake(
        "keys keep only the last tile",
        swap(D_KEY, "d_key[..., tile, :] = d_scores.mT @ query[..., rows, :]"),
        caught_by=GRADIENTS,
        explanation="""The gradient of a block of keys is written anew at each tile. Every later block of queries adds its
        part.""",
    ),
    mistake(
        "values keep only the last tile",
        swap(D_VALUE, "d_value[..., tile, :] = weights.mT @ grad[..., rows, :]"),
        caught_by=GRADIENTS,
        explanation="""The gradient of a block of values is written anew at each tile. Every later block of queries adds its
        part.""",
    ),
    mistake(
        "keys are summed over the wrong side",
        swap(D_KEY, "d_key[..., rows, :] += d_scores @ query[..., tile, :]"),
        caught_by=GRADIENTS,
        explanation="""The tile is not transposed: each query gets a mix of queries, by the gradients of its row. A key is
        to get a mix of queries by the gradients of its column.""",
    ),
    mistake(
        "values are summed over the wrong side",
        swap(D_VALUE, "d_value[..., rows, :] += weights @ grad[..., tile, :]"),
        caught_by=GRADIENTS,
        explanation="""The weights are not transposed. A value gets the gradients of those contexts that it went into: the
        column of its key.""",
    ),
    mistake(
        "values get the gradient of the weights",
        swap(D_VALUE, "d_value[..., tile, :] += d_scores.mT @ grad[..., rows, :]"),
        caught_by=GRADIENTS,
        explanation="""The gradient of the scores stands where the weights belong. The context is weights times values, so
        the values' gradient is the weights times the context's.""",
    ),
    mistake(
        "keys get their own mix",
        swap(D_KEY, "d_key[..., tile, :] += d_scores.mT @ key[..., rows, :]"),
        caught_by=GRADIENTS,
        explanation="""The keys' gradient is made of keys. A score is query times key, so it is made of queries.""",
    ),
    mistake(
        "queries get a mix of values",
        swap(D_QUERY, "d_query[..., rows, :] += d_scores @ value[..., tile, :]"),
        caught_by=GRADIENTS,
        explanation="""The queries' gradient is made of values. A score is query times key, so it is made of keys.""",
    ),
    mistake(
        "backward skips the diagonal",
        swap(BACK_TILES, BACK_TILES.replace("range(0, first + 1, block)", "range(0, first, block)")),
        caught_by=GRADIENTS,
        explanation="""The walk ends one tile early. The block that the queries themselves are in gives gradients too.""",
    ),
    mistake(
        "backward drops the last tile",
        swap(
            BACK_ROWS,
            BACK_ROWS.replace("range(0, query.shape[-2], block)", "range(0, query.shape[-2] // block * block, block)"),
        ),
        caught_by=GRADIENTS,
        explanation="""Only whole blocks of queries are done. Where T is not a multiple of the block, the last tokens give
        no gradient.""",
    ),
    mistake(
        "backward forgets the mask",
        swap(BACK_SCORES, "scores = query[..., rows, :] @ key[..., tile, :].mT / query.shape[-1] ** 0.5"),
        caught_by=GRADIENTS,
        explanation="""The scores are made again without the mask. Hidden keys then get weights that they never had.""",
    ),
    mistake(
        "the gradients are returned in another order",
        swap(D_ALL, "return d_key, d_query, d_value"),
        caught_by=GRADIENTS,
        explanation="""The gradients of queries and keys have changed places. The order is that of the inputs.""",
    ),
    mistake(
        "the queries' gradients do not begin at 0",
        swap(ZEROS, "d_query, d_key, d_value = torch.ones_like(query), torch.zeros_like(key), torch.zeros_like(value)"),
        caught_by=GRADIENTS,
        explanation="""The sum of the queries' gradients does not begin at 0. What was there before is counted as well.""",
    ),
    mistake(
        "gradients are summed in single precision",
        swap(ZEROS, ZEROS.replace("zeros_like(key)", "zeros_like(key, dtype=torch.float32)")),
        swap(D_ALL, "return d_query, d_key.to(key.dtype), d_value"),
        caught_by=GRADIENTS,
        explanation="""A sum is kept in float32, whatever the inputs are. In double precision half of the digits are
        lost.""",
    ),
    mistake(
        "backward by way of plain attention",
        swap(
            ZEROS,
            "with torch.enable_grad():\n"
            "        inputs = [one.detach().requires_grad_() for one in (query, key, value)]\n"
            "        scores = tile_scores(inputs[0], inputs[1], 0, 0)\n"
            "        context = scores.softmax(-1) @ inputs[2]\n"
            "    return torch.autograd.grad(context, inputs, grad)\n    " + ZEROS,
        ),
        caught_by=BACK_SMALL,
        explanation="""The whole matrix of scores is made after all, for autograd to go back through. The numbers are right
        and the memory is what it was.""",
    ),
    # Step 4
    mistake(
        "autograd goes through the tiles",
        swap(APPLY, "return flash_forward(query, key, value, block)[0]"),
        caught_by=MEMORY,
        explanation="""The forward pass runs under autograd, which keeps every tile for its own way back. The gradients are
        right, and T × T numbers are held.""",
    ),
    mistake(
        "plain attention after all",
        swap(APPLY, "return tile_scores(query, key, 0, 0).softmax(-1) @ value"),
        caught_by=MEMORY,
        explanation="""The whole matrix of scores is made, and autograd keeps it. What the steps before have built is not
        used.""",
    ),
    mistake(
        "the weights are kept for backward",
        swap(
            SAVE,
            SAVE + "\n        ctx.kept = [\n"
            "            tile_scores(query[..., i : i + block, :], key[..., j : j + block, :], i, j)\n"
            "            for i in range(0, query.shape[-2], block)\n"
            "            for j in range(0, i + 1, block)\n        ]",
        ),
        caught_by=MEMORY,
        explanation="""The tiles are left with `ctx` until backward. Each is small, and together they are the whole
        matrix.""",
    ),
    mistake(
        "the block is not passed on",
        swap(APPLY, "return FlashAttention.apply(query, key, value, 64)"),
        caught_by=MEMORY,
        explanation="""The tiles have 64 tokens whatever was asked for. They are then larger than they may be.""",
    ),
    mistake(
        "backward takes the whole for one tile",
        swap(GIVE, "return *flash_backward(grad, *ctx.saved_tensors, grad.shape[-2]), None"),
        caught_by=MEMORY,
        explanation="""The backward pass takes one tile for the whole sequence. It is as large as the matrix that was to be
        avoided.""",
    ),
    mistake(
        "nothing is returned for the block",
        swap(GIVE, "return flash_backward(grad, *ctx.saved_tensors, ctx.block)"),
        caught_by=TRAINING,
        explanation="""backward returns three gradients, and forward has four arguments. Each argument needs an answer,
        also one that has no gradient.""",
    ),
    mistake(
        "the gradient that comes in is ignored",
        swap(GIVE, "return *flash_backward(torch.ones_like(grad), *ctx.saved_tensors, ctx.block), None"),
        caught_by=TRAINING,
        explanation="""backward works out the gradient of the sum of all contexts. What comes in says how much each of them
        counts.""",
    ),
    mistake(
        "the inputs are cut off",
        swap(APPLY, "return FlashAttention.apply(query.detach(), key.detach(), value.detach(), block)"),
        caught_by=TRAINING,
        explanation="""The operation gets copies of its inputs that autograd does not follow. Nothing before it can
        learn.""",
    ),
    mistake(
        "what is left for backward belongs to all calls",
        swap(SAVE, "FlashAttention.kept = query, key, value, context, logsumexp"),
        swap(GIVE, "return *flash_backward(grad, *FlashAttention.kept, ctx.block), None"),
        caught_by=TRAINING,
        explanation="""What backward needs is left with the class, where the next call overwrites it. A model calls attention
        once a layer before the first backward begins; each call has a `ctx` of its own.""",
    ),
    mistake(
        "the gradients of key and value are swapped",
        swap(
            GIVE,
            "d_query, d_key, d_value = flash_backward(grad, *ctx.saved_tensors, ctx.block)\n"
            "        return d_query, d_value, d_key, None",
        ),
        caught_by=TRAINING,
        explanation="""The gradients come back in another order than the arguments of forward. Autograd knows them by
        their place.""",
    ),
    mistake(
        "logsumexp is returned too",
        swap(APPLY, "return FlashAttention.apply(query, key, value, block), None"),
        caught_by=WHOLE,
        explanation="""The function returns a pair. Whoever calls it expects the context.""",
    ),
    mistake(
        "a block has to be given",
        swap('value: Float[Tensor, "B h T d"], block: int = 64\n', 'value: Float[Tensor, "B h T d"], block: int\n'),
        caught_by=WHOLE,
        explanation="""The block has no default. Most callers do not care how large a tile is.""",
    ),
]
