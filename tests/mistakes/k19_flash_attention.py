"""k19: what people get wrong about attention by tiles."""

from dojo.spec import family, mistake, swap

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
ROWS_OF = "rows = query[..., first : first + block, :]"
MIX_BEGINS = "mix = torch.zeros_like(rows)"
TOTAL_BEGINS = "total = torch.zeros_like(top)"
TILE_WEIGHTS = "weights = (scores - new_top).exp()"
NEXT_TOP = "top = new_top\n"
RUN = "context, logsumexp = flash_forward(query, key, value, block)"
KEEP_BLOCK = "ctx.block = block"
LAYOUTS = "test_inputs_may_lie_in_memory_as_they_like"
GRAD_LAYOUTS = "test_gradients_may_arrive_as_they_like"
NO_LATER = "test_no_tile_is_made_for_later_keys"
NO_LATER_BACK = "test_backward_makes_no_tile_for_later_keys"
TALL_BLOCK = "test_the_usual_block_is_64"

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
        "positions of 8 bits",
        swap(QUERY_AT, QUERY_AT.split("  #")[0] + "\n    query_position = query_position.to(torch.uint8)"),
        swap(KEY_AT, KEY_AT.split("  #")[0] + "\n    key_position = key_position.to(torch.uint8)"),
        caught_by="test_tile_is_a_part_of_the_whole_matrix_of_scores",
        explanation="""Positions become whole numbers of 8 bits, which begin anew after 255. A tile across that
        place is masked the wrong way round.""",
    ),
    mistake(
        "positions of half precision",
        swap(QUERY_AT, QUERY_AT.split("  #")[0] + "\n    query_position = query_position.half()"),
        swap(KEY_AT, KEY_AT.split("  #")[0] + "\n    key_position = key_position.half()"),
        caught_by="test_tile_is_a_part_of_the_whole_matrix_of_scores",
        explanation="""Positions become float16, which has no odd number above 2,048. Neighbours far behind
        share a position and see each other.""",
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
    family(
        "filled with {c}",
        swap(HIDE, "return scores.masked_fill(key_position > query_position[:, None], {c})"),
        constants=(-1e4, -1e9),
        caught_by=TILE_IS_PART,
        explanation="""A hidden score is {c}, which is not the lowest score there can be. It is −∞ that weighs nothing
        whatever the others are.""",
    ),
    mistake(
        "multiplied by the root of the width",
        swap(SCORES, "scores = query @ key.mT * query.shape[-1] ** 0.5  # (B, h, R, C)"),
        caught_by=TILE_IS_PART,
        explanation="""The scores are multiplied where they should be divided. Their spread grows with √d, and the
        division takes that back.""",
    ),
    mistake(
        "scaled by the number of queries",
        swap(SCORES, "scores = query @ key.mT / query.shape[-2] ** 0.5  # (B, h, R, C)"),
        caught_by=TILE_IS_PART,
        explanation="""The scores are divided by the root of how many queries the tile has. A score sums over
        channels, and knows nothing of tiles.""",
    ),
    mistake(
        "scaled by the number of heads",
        swap(SCORES, "scores = query @ key.mT / query.shape[1] ** 0.5  # (B, h, R, C)"),
        caught_by=TILE_IS_PART,
        explanation="""The scores are divided by the root of the number of heads. A score sums over the channels of
        one head.""",
    ),
    mistake(
        "divided by the root of the width of all heads",
        swap(SCORES, "scores = query @ key.mT / (query.shape[1] * query.shape[-1]) ** 0.5"),
        caught_by="test_tile_is_a_part_of_the_whole_matrix_of_scores",
        explanation="""The scores are divided by √(h·d). A head's dot products are sums over its own d channels.""",
    ),
    mistake(
        "the root of the width without its fraction",
        swap(SCORES, "scores = query @ key.mT / int(query.shape[-1] ** 0.5)"),
        caught_by="test_tile_is_a_part_of_the_whole_matrix_of_scores",
        explanation="""The root is cut to a whole number. That is right where the width is a square, and
        elsewhere scores are too large.""",
    ),
    mistake(
        "minus infinity times the mask",
        swap(HIDE, "return scores + (key_position > query_position[:, None]) * -torch.inf"),
        caught_by=TILE_IS_PART,
        explanation="""The mask is multiplied by −∞, and where it is 0 that gives NaN. −∞ is to be filled in, not
        multiplied.""",
    ),
    mistake(
        "hidden scores are +infinity",
        swap(HIDE, HIDE.replace("-torch.inf", "torch.inf")),
        caught_by=TILE_IS_PART,
        explanation="""A hidden score is +∞. What nobody may see has the lowest score there can be.""",
    ),
    mistake(
        "hidden scores are NaN",
        swap(HIDE, HIDE.replace("-torch.inf", "torch.nan")),
        caught_by=TILE_IS_PART,
        explanation="""A hidden score is NaN, which spreads into every sum. −∞ weighs nothing.""",
    ),
    mistake(
        "filled with the lowest number",
        swap(HIDE, HIDE.replace("-torch.inf", "torch.finfo(scores.dtype).min")),
        caught_by=TILE_IS_PART,
        explanation="""A hidden score is the lowest number of the dtype. It is −∞ that was promised: where a whole
        tile is hidden, the lowest number less the lowest number is 0, and e^0 is 1.""",
    ),
    mistake(
        "first query and first key change places",
        swap(QUERY_AT, QUERY_AT.replace("first_query + ", "first_key + ")),
        swap(KEY_AT, KEY_AT.replace("first_key + ", "first_query + ")),
        caught_by=TILE_IS_PART,
        explanation="""The queries are placed where the keys begin, and the keys where the queries do. A tile beside
        the diagonal is then taken for its mirror image.""",
    ),
    mistake(
        "beginnings are taken for counts of tiles",
        swap(QUERY_AT, QUERY_AT.replace("first_query + ", "first_query * query.shape[-2] + ")),
        swap(KEY_AT, KEY_AT.replace("first_key + ", "first_key * key.shape[-2] + ")),
        caught_by=TILE_IS_PART,
        explanation="""The two beginnings are multiplied by the size of the tile. They are positions already, not the
        numbers of tiles.""",
    ),
    mistake(
        "tiles in the future are not looked at",
        swap(SCORES, SCORES + "\n    if first_key >= first_query + query.shape[-2]:\n        return scores"),
        caught_by=TILE_IS_PART,
        explanation="""A tile that lies in the future as a whole comes back without −∞. A tile may lie anywhere.""",
    ),
    mistake(
        "a softmax of the tile",
        swap(HIDE, HIDE + ".softmax(-1)"),
        caught_by=TILE_IS_PART,
        explanation="""The tile's weights are returned. Scores are asked for, since no tile knows the whole row.""",
    ),
    mistake(
        "e^score of the tile",
        swap(HIDE, HIDE + ".exp()"),
        caught_by=TILE_IS_PART,
        explanation="""The exponentials are returned. Scores are asked for; the largest has to be taken off
        before.""",
    ),
    mistake(
        "scores in single precision",
        swap(HIDE, HIDE.replace("scores.masked_fill", "scores.float().masked_fill")),
        caught_by=TILE_IS_PART,
        explanation="""The scores are rounded to float32. In double precision half of the digits are lost.""",
    ),
    mistake(
        "scores are worked out in single precision",
        swap(SCORES, "scores = (query.float() @ key.float().mT / query.shape[-1] ** 0.5).to(query.dtype)"),
        caught_by="test_tile_is_a_part_of_the_whole_matrix_of_scores",
        explanation="""Queries and keys become float32 for the product, and the result goes back. Half of the
        digits are lost on the way.""",
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
    family(
        "the largest score begins at {c}",
        swap(TOP, TOP.replace("-torch.inf", "{c}")),
        constants=(-1e4, -10.0),
        caught_by="test_extreme_scores_do_not_overflow",
        explanation="""The largest score so far begins at {c}. Where all scores are far below, every e^(score − largest) is
        0, and so is what is divided by; nothing but −∞ is below all of them.""",
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
        "each tile is divided by its own sum",
        swap(MIX, "mix = mix * shrink + weights @ value[..., tile, :] / weights.sum(-1, keepdim=True)"),
        swap(DIVIDE, "contexts.append(mix)"),
        caught_by="test_context_is_that_of_causal_attention",
        explanation="""What a tile adds is divided by the sum of that tile. The divisor is the sum of the whole
        row, and comes last.""",
    ),
    mistake(
        "a softmax of each tile in the walk",
        swap(TILE_WEIGHTS, "weights = scores.softmax(-1)"),
        caught_by="test_context_is_that_of_causal_attention",
        explanation="""The weights of each tile sum to 1 by themselves. How much a tile counts beside the others
        is lost.""",
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
        "the tokens have to fill the tiles",
        swap(ROWS, 'if query.shape[-2] % block:\n        raise ValueError("not a multiple of the block")\n    ' + ROWS),
        caught_by="test_context_is_that_of_causal_attention",
        explanation="""Where T is no multiple of the block there is an error. The last tile may be smaller than
        the others.""",
    ),
    mistake(
        "the block may not be larger than the text",
        swap(ROWS, 'if query.shape[-2] < block:\n        raise ValueError("fewer tokens than a block")\n    ' + ROWS),
        caught_by="test_context_is_that_of_causal_attention",
        explanation="""Where there are fewer tokens than a block there is an error. Then all of them are one
        small tile.""",
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
        "the queries' place is forgotten",
        swap(TILE, "scores = tile_scores(rows, key[..., tile, :], 0, start)"),
        caught_by="test_context_is_that_of_causal_attention",
        explanation="""The queries of every tile are taken for the first ones. Tiles of earlier keys are then
        hidden.""",
    ),
    mistake(
        "places of queries and keys change places",
        swap(TILE, "scores = tile_scores(rows, key[..., tile, :], start, first)"),
        caught_by="test_context_is_that_of_causal_attention",
        explanation="""The first key's position is handed over for the first query's, and the other way round.
        Below the diagonal everything is hidden.""",
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
        "largest score and sum are added",
        swap(LOGSUMEXP, "logsumexps.append((top + total).squeeze(-1))"),
        caught_by="test_logsumexp_is_that_of_the_visible_scores",
        explanation="""The sum is added to the largest score as it is. What is added is its logarithm.""",
    ),
    mistake(
        "the largest score is taken off the logarithm",
        swap(LOGSUMEXP, "logsumexps.append((total.log() - top).squeeze(-1))"),
        caught_by="test_logsumexp_is_that_of_the_visible_scores",
        explanation="""The largest score is subtracted. It was taken off every exponent, so it has to come back.""",
    ),
    mistake(
        "logsumexp is single precision",
        swap(LOGSUMEXP, "logsumexps.append((top + total.log()).squeeze(-1).float())"),
        caught_by="test_logsumexp_is_that_of_the_visible_scores",
        explanation="""logsumexp becomes float32. The backward pass makes every weight from it, and loses half
        of its digits.""",
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
        "the block is always 64",
        swap(ROWS, "block = 64\n    " + ROWS),
        caught_by="test_no_tile_is_made_for_later_keys",
        explanation="""The walk goes by 64 queries and keys whatever block was asked for. How large a tile may
        be is the caller's to say.""",
    ),
    mistake(
        "the block is at least 16",
        swap(ROWS, "block = max(block, 16)\n    " + ROWS),
        caught_by="test_forward_holds_no_more_than_a_tile",
        explanation="""Smaller blocks are raised to 16. How large a tile may be is the caller's to say, and it
        may be a single number.""",
    ),
    mistake(
        "plain attention forward",
        swap(
            ROWS,
            "whole = tile_scores(query, key, 0, 0)\n    whole_sum = torch.logsumexp(whole, -1)\n    return (whole - whole_sum[..., None]).exp() @ value, whole_sum\n    "
            + ROWS,
        ),
        caught_by="test_no_tile_is_made_for_later_keys",
        explanation="""All scores are made as one matrix, and the result is right. That matrix of T × T numbers
        is what is to be avoided.""",
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
    mistake(
        "the sum shrinks twice",
        swap(TOTAL, "total = total * shrink**2 + weights.sum(-1, keepdim=True)"),
        caught_by=CONTEXT,
        explanation="""The sum is multiplied by the factor twice. It was relative to the old largest score once.""",
    ),
    mistake(
        "the values shrink twice",
        swap(MIX, "mix = mix * shrink**2 + weights @ value[..., tile, :]"),
        caught_by=CONTEXT,
        explanation="""The values are multiplied by the factor twice. They were relative to the old largest score
        once.""",
    ),
    mistake(
        "the factor without its exponential",
        swap(SHRINK, "shrink = torch.where(top == -torch.inf, 0.0, top - new_top)"),
        caught_by=CONTEXT,
        explanation="""What was summed is multiplied by the difference of the largest scores. It is e to that
        difference.""",
    ),
    mistake(
        "the factor in base 2",
        swap(SHRINK, "shrink = (top - new_top).exp2()"),
        caught_by=CONTEXT,
        explanation="""The factor is a power of 2 and the weights are powers of e. They have to be of one base.""",
    ),
    mistake(
        "the weights in base 2",
        swap(TILE_WEIGHTS, "weights = (scores - new_top).exp2()"),
        caught_by=CONTEXT,
        explanation="""The weights are powers of 2 and the factor is a power of e. They have to be of one base.""",
    ),
    mistake(
        "the ratio of the largest scores",
        swap(SHRINK, "shrink = torch.where(top == -torch.inf, 0.0, top / new_top)"),
        caught_by=CONTEXT,
        explanation="""What was summed is multiplied by the ratio of the largest scores. It is e to their
        difference.""",
    ),
    mistake(
        "the new largest score is not kept",
        swap(NEXT_TOP, "pass\n"),
        caught_by=CONTEXT,
        explanation="""The largest score so far stays what it was at the beginning, −∞, so that the factor is 0 at
        each tile, and what was summed before is lost. The next tile has to know it.""",
    ),
    mistake(
        "the weights are relative to the old largest score",
        swap(TILE_WEIGHTS, "weights = (scores - torch.where(top == -torch.inf, new_top, top)).exp()"),
        caught_by=CONTEXT,
        explanation="""The new terms are relative to the largest score before this tile, and what was summed is made
        relative to the new one. All have to be relative to one number.""",
    ),
    mistake(
        "the smallest score",
        swap(
            NEW_TOP,
            "new_top = torch.where(top == -torch.inf, scores.amax(-1, keepdim=True), torch.minimum(top, scores.amax(-1, keepdim=True)))",
        ),
        caught_by=EXTREME,
        explanation="""The smaller of the two is kept. Exponentials relative to it overflow where a later score is
        much larger.""",
    ),
    mistake(
        "the mean score for the largest",
        swap(
            NEW_TOP,
            "new_top = torch.maximum(top, scores.masked_fill(scores == -torch.inf, 0.0).mean(-1, keepdim=True))",
        ),
        caught_by=EXTREME,
        explanation="""The mean of the tile is taken off its scores. A score far above the mean still overflows.""",
    ),
    mistake(
        "one largest score for all heads",
        swap(NEW_TOP, "new_top = torch.maximum(top, scores.amax((1, -1), keepdim=True))"),
        caught_by=EXTREME,
        explanation="""All heads share one largest score. A head whose scores are far below it is left with nothing
        but zeros.""",
    ),
    mistake(
        "all heads have the keys of the first",
        swap(ROWS, "key = key[:, :1].expand_as(key)\n    " + ROWS),
        caught_by="test_context_is_that_of_causal_attention",
        explanation="""The keys of head 0 are used for every head. Each head has keys of its own.""",
    ),
    mistake(
        "one largest score for the whole batch",
        swap(NEW_TOP, "new_top = torch.maximum(top, scores.amax((0, -1), keepdim=True))"),
        caught_by=EXTREME,
        explanation="""All texts of a batch share one largest score. A text whose scores are far below it is left with
        nothing but zeros.""",
    ),
    mistake(
        "the largest score is clamped",
        swap(NEW_TOP, "new_top = torch.maximum(top, scores.amax(-1, keepdim=True)).clamp(max=100.0)"),
        caught_by=EXTREME,
        explanation="""The largest score is held below 100. Larger scores then overflow after all.""",
    ),
    mistake(
        "the sum takes the new tile alone",
        swap(TOTAL, "total = weights.sum(-1, keepdim=True)"),
        caught_by=CONTEXT,
        explanation="""The sum is written anew at each tile. The tiles before belong to it.""",
    ),
    mistake(
        "the values of the new tile alone",
        swap(MIX, "mix = weights @ value[..., tile, :]"),
        caught_by=CONTEXT,
        explanation="""The mix is written anew at each tile. The tiles before belong to it.""",
    ),
    mistake(
        "the sum over the queries",
        swap(TOTAL, "total = total * shrink + weights.sum((-2, -1), keepdim=True)"),
        caught_by=CONTEXT,
        explanation="""The weights of all queries in the tile are summed. Each query has a sum of its own.""",
    ),
    mistake(
        "the mean for the sum",
        swap(TOTAL, "total = total * shrink + weights.mean(-1, keepdim=True)"),
        caught_by=CONTEXT,
        explanation="""The mean of the tile's weights is added up. Their sum is.""",
    ),
    mistake(
        "the largest weight for the sum",
        swap(TOTAL, "total = torch.maximum(total * shrink, weights.amax(-1, keepdim=True))"),
        caught_by=CONTEXT,
        explanation="""The largest weight is kept where the sum belongs. The divisor is the sum of all.""",
    ),
    mistake(
        "the running mean the wrong way round",
        swap(
            TOTAL,
            "new_total = total * shrink + weights.sum(-1, keepdim=True)\n            ratio = torch.where(total > 0, new_total / total.clamp(min=1e-30), torch.zeros_like(total))",
        ),
        swap(MIX, "mix = mix * ratio + (weights / new_total) @ value[..., tile, :]\n            total = new_total"),
        swap(DIVIDE, "contexts.append(mix)"),
        caught_by=CONTEXT,
        explanation="""The mean of the tiles before is multiplied by the new sum over the old one. As more is summed
        it has to count for less.""",
    ),
    mistake(
        "divided by the sum twice",
        swap(DIVIDE, "contexts.append(mix / total**2)"),
        caught_by=CONTEXT,
        explanation="""The mix is divided by the sum twice. The weights sum to 1 after one division.""",
    ),
    mistake(
        "the last tile stays 0 unless it is full",
        swap(
            ROWS,
            "contexts, logsumexps = [], []\n    full = query.shape[-2] // block * block\n    for first in range(0, full, block):",
        ),
        swap(
            JOIN,
            "contexts.append(torch.zeros_like(query[..., full:, :]))\n    logsumexps.append(torch.zeros_like(query[..., full:, 0]))\n    "
            + JOIN,
        ),
        caught_by=CONTEXT,
        explanation="""Only whole blocks of queries are done, and what is left of the result stays 0. Where T is not a
        multiple of the block, the last tokens have no context.""",
    ),
    mistake(
        "multiplied by the sum",
        swap(DIVIDE, "contexts.append(mix * total)"),
        caught_by=CONTEXT,
        explanation="""The mix is multiplied by the sum. It is divided by it.""",
    ),
    mistake(
        "divided by e^logsumexp",
        swap(DIVIDE, "contexts.append(mix / (top + total.log()).exp())"),
        caught_by=CONTEXT,
        explanation="""The mix is relative to the largest score, and the divisor is not. Both have to be of one
        kind.""",
    ),
    mistake(
        "divided by logsumexp",
        swap(DIVIDE, "contexts.append(mix / (top + total.log()))"),
        caught_by=CONTEXT,
        explanation="""The mix is divided by a logarithm. The sum itself is the divisor.""",
    ),
    mistake(
        "a small number beside the sum",
        swap(DIVIDE, "contexts.append(mix / (total + 1e-6))"),
        caught_by=CONTEXT,
        explanation="""A small number is added to the sum, which is never below 1. It only costs digits.""",
    ),
    mistake(
        "values are keys",
        swap(MIX, MIX.replace("value[", "key[")),
        caught_by=CONTEXT,
        explanation="""The keys are mixed. Keys are for comparing, and values are what is handed on.""",
    ),
    mistake(
        "the walk goes one tile too far",
        swap(
            TILES,
            TILES.replace("range(0, first + 1, block)", "range(0, min(first + block + 1, query.shape[-2]), block)"),
        ),
        caught_by=NO_LATER,
        explanation="""A tile is made beyond the diagonal, where all keys are later. Its weights are 0, and it costs
        as much as any.""",
    ),
    mistake(
        "every tile is made",
        swap(TILES, TILES.replace("range(0, first + 1, block)", "range(0, query.shape[-2], block)")),
        caught_by=NO_LATER,
        explanation="""The walk goes through all keys, and half of the tiles hold nothing but −∞. For later keys no
        tile is made.""",
    ),
    mistake(
        "only the first tile",
        swap(TILES, TILES.replace("range(0, first + 1, block)", "range(0, 1, block)")),
        caught_by=CONTEXT,
        explanation="""Each block of queries looks at the first block of keys alone. Those from there to the diagonal
        are to be seen as well.""",
    ),
    mistake(
        "only the last two tiles",
        swap(TILES, TILES.replace("range(0, first + 1, block)", "range(max(first - block, 0), first + 1, block)")),
        caught_by=CONTEXT,
        explanation="""Each block of queries sees its own block of keys and the one before. All earlier keys are to be
        seen.""",
    ),
    mistake(
        "only the first block of queries",
        swap(ROWS, ROWS.replace("range(0, query.shape[-2], block)", "range(0, 1, block)")),
        caught_by=CONTEXT,
        explanation="""The outer loop ends after one block. Every query has a context.""",
    ),
    mistake(
        "the blocks in reverse",
        swap(JOIN, "return torch.cat(contexts[::-1], dim=-2), torch.cat(logsumexps[::-1], dim=-1)"),
        caught_by=CONTEXT,
        explanation="""The blocks are joined back to front. The order is that of the queries.""",
    ),
    mistake(
        "blocks are joined along the channels",
        swap(JOIN, "return torch.cat(contexts, dim=-1), torch.cat(logsumexps, dim=-1)"),
        caught_by=CONTEXT,
        explanation="""The blocks of queries are laid side by side. They belong one below the other, along the
        tokens.""",
    ),
    mistake(
        "blocks overlap by a token",
        swap(ROWS_OF, "rows = query[..., first : first + block + 1, :]"),
        caught_by=CONTEXT,
        explanation="""Each block of queries takes in the first of the next. A slice does not hold its end.""",
    ),
    mistake(
        "logsumexp with a minus",
        swap(LOGSUMEXP, "logsumexps.append((top - total.log()).squeeze(-1))"),
        caught_by=LSE,
        explanation="""The logarithm of the sum is taken off the largest score. A product becomes a sum under the
        logarithm.""",
    ),
    mistake(
        "the logarithm without the largest score's e",
        swap(LOGSUMEXP, "logsumexps.append((top.exp() + total.log()).squeeze(-1))"),
        caught_by=LSE,
        explanation="""The exponential of the largest score is added to a logarithm. It is the largest score itself
        that is one.""",
    ),
    mistake(
        "logsumexp of unscaled scores",
        swap(LOGSUMEXP, "logsumexps.append(((top + total.log()) * query.shape[-1] ** 0.5).squeeze(-1))"),
        caught_by=LSE,
        explanation="""The result is multiplied by √d. The scores are those that the softmax was taken of, divided by
        √d.""",
    ),
    mistake(
        "logsumexp less what it should be",
        swap(LOGSUMEXP, "logsumexps.append((top + total.log1p()).squeeze(-1))"),
        caught_by=LSE,
        explanation="""`log1p` adds 1 to the sum before it takes the logarithm. The sum is complete as it is.""",
    ),
    mistake(
        "sum and largest score are returned apart",
        swap(LOGSUMEXP, "logsumexps.append(total.squeeze(-1))"),
        caught_by=LSE,
        explanation="""What comes back is the sum relative to the largest score, which itself is lost. Both together
        make one logarithm.""",
    ),
    mistake(
        "logsumexp comes first",
        swap(JOIN, "return torch.cat(logsumexps, dim=-1), torch.cat(contexts, dim=-2)"),
        caught_by=CONTEXT,
        explanation="""The two results stand in the other order. The context comes first.""",
    ),
    mistake(
        "everything in 16 bits",
        swap(TILE_WEIGHTS, "weights = (scores - new_top).exp().bfloat16().to(scores.dtype)"),
        caught_by=CONTEXT,
        explanation="""The weights are rounded to bfloat16 before they are used, as on a GPU. Nothing on the way may
        be coarser than the inputs.""",
    ),
    mistake(
        "weights meet values in half precision",
        swap(MIX, "mix = mix * shrink + (weights.half() @ value[..., tile, :].half()).to(value.dtype)"),
        caught_by="test_context_is_that_of_causal_attention",
        explanation="""Weights and values become float16 for their product, as on a GPU's tensor cores. Nothing
        on the way may be coarser than the inputs.""",
    ),
    mistake(
        "weights meet values in bfloat16",
        swap(MIX, "mix = mix * shrink + (weights.bfloat16() @ value[..., tile, :].bfloat16()).to(value.dtype)"),
        caught_by="test_context_is_that_of_causal_attention",
        explanation="""Weights and values become bfloat16 for their product, as on a GPU's tensor cores. Nothing
        on the way may be coarser than the inputs.""",
    ),
    mistake(
        "the sum has the default dtype",
        swap(TOTAL_BEGINS, "total = torch.zeros(top.shape)"),
        swap(TOTAL, "total = (total * shrink + weights.sum(-1, keepdim=True)).to(total.dtype)"),
        caught_by=CONTEXT,
        explanation="""What is summed is kept in torch's default dtype, whatever the inputs have. In double precision
        half of the digits are lost.""",
    ),
    mistake(
        "only contiguous inputs are taken",
        swap(
            ROWS,
            "shape = query.shape\n    query, key, value = (one.view(1, -1, *shape[-2:]) for one in (query, key, value))\n    "
            + ROWS,
        ),
        swap(JOIN, "return torch.cat(contexts, dim=-2).view(shape), torch.cat(logsumexps, dim=-1).view(shape[:-1])"),
        caught_by=LAYOUTS,
        explanation="""Batch and heads are made one dimension with `view`, which needs numbers that lie in memory in
        order. Those of heads that were split off by `transpose` do not.""",
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
    mistake(
        "the row's term takes the weights twice",
        swap(D_SCORES, "d_scores = weights * (d_weights - weights * row_term[..., rows, :]) / query.shape[-1] ** 0.5"),
        caught_by=GRADIENTS,
        explanation="""The row's term is multiplied by the weights once more. It is one number for the whole row.""",
    ),
    mistake(
        "the row's term is not weighted",
        swap(D_SCORES, "d_scores = (weights * d_weights - row_term[..., rows, :]) / query.shape[-1] ** 0.5"),
        caught_by=GRADIENTS,
        explanation="""The row's term is taken off after the weights are multiplied. It stands inside the
        brackets.""",
    ),
    mistake(
        "the row's term the other way round",
        swap(D_SCORES, "d_scores = weights * (row_term[..., rows, :] - d_weights) / query.shape[-1] ** 0.5"),
        caught_by=GRADIENTS,
        explanation="""The difference has the other sign, and so have the gradients of queries and keys. A larger
        score is good where its value is better than the mean.""",
    ),
    mistake(
        "the row's term is made of the context alone",
        swap(ROW_TERM, "row_term = (context * context).sum(-1, keepdim=True)  # (B, h, T, 1)"),
        caught_by=GRADIENTS,
        explanation="""The context is multiplied by itself. It is multiplied by the gradient that arrives for it.""",
    ),
    mistake(
        "the row's term is made of the gradient alone",
        swap(ROW_TERM, "row_term = grad.sum(-1, keepdim=True)  # (B, h, T, 1)"),
        caught_by=GRADIENTS,
        explanation="""The gradient is summed without the context. The sum over all keys is that of gradient times
        context.""",
    ),
    mistake(
        "the row's term sums over the tokens",
        swap(
            ROW_TERM,
            "row_term = (grad * context).sum((-2, -1), keepdim=True).expand(*grad.shape[:-1], 1)  # (B, h, T, 1)",
        ),
        caught_by=GRADIENTS,
        explanation="""The products are summed over all queries. Each query has a number of its own.""",
    ),
    mistake(
        "the row's term of the keys",
        swap(D_SCORES, "d_scores = weights * (d_weights - row_term[..., tile, :].mT) / query.shape[-1] ** 0.5"),
        caught_by=GRADIENTS,
        explanation="""The number that is taken off is that of the key's position. It belongs to the query, which is
        the row.""",
    ),
    mistake(
        "divided by the width in the backward pass",
        swap(D_SCORES, "d_scores = weights * (d_weights - row_term[..., rows, :]) / query.shape[-1]"),
        caught_by=GRADIENTS,
        explanation="""The scores' gradient is divided by d. The scores were divided by √d.""",
    ),
    mistake(
        "multiplied by the root in the backward pass",
        swap(D_SCORES, "d_scores = weights * (d_weights - row_term[..., rows, :]) * query.shape[-1] ** 0.5"),
        caught_by=GRADIENTS,
        explanation="""The scores' gradient is multiplied by √d. Whatever a number was divided by, so is its
        gradient.""",
    ),
    mistake(
        "the scale for the queries alone",
        swap(D_SCORES, "d_scores = weights * (d_weights - row_term[..., rows, :])"),
        swap(D_QUERY, D_QUERY + " / query.shape[-1] ** 0.5"),
        caught_by=GRADIENTS,
        explanation="""The gradient of the keys is not divided by √d. It is the scores that were, so both are.""",
    ),
    mistake(
        "the scale for the keys alone",
        swap(D_SCORES, "d_scores = weights * (d_weights - row_term[..., rows, :])"),
        swap(D_KEY, D_KEY + " / query.shape[-1] ** 0.5"),
        caught_by=GRADIENTS,
        explanation="""The gradient of the queries is not divided by √d. It is the scores that were, so both are.""",
    ),
    mistake(
        "the values are scaled too",
        swap(D_VALUE, D_VALUE + " / query.shape[-1] ** 0.5"),
        caught_by=GRADIENTS,
        explanation="""The gradient of the values is divided by √d. Values take no part in the scores.""",
    ),
    mistake(
        "the derivative of a sigmoid",
        swap(D_SCORES, "d_scores = weights * (1 - weights) * d_weights / query.shape[-1] ** 0.5"),
        caught_by=GRADIENTS,
        explanation="""Each weight is taken to depend on its own score alone. In a softmax it depends on all scores of
        its row.""",
    ),
    mistake(
        "the gradient of the weights without the weights",
        swap(
            D_SCORES, "d_scores = (d_weights - row_term[..., rows, :]) * (scores > -torch.inf) / query.shape[-1] ** 0.5"
        ),
        caught_by=GRADIENTS,
        explanation="""The weights are left out. The derivative of e^score is e^score, so each entry is multiplied by
        its weight.""",
    ),
    mistake(
        "the weights are the scores",
        swap(WEIGHTS, "weights = (scores - logsumexp[..., rows, None]).masked_fill(scores == -torch.inf, 0.0)"),
        caught_by=GRADIENTS,
        explanation="""The exponential is missing, and what is used are logarithms of weights. e to that is the
        weight.""",
    ),
    mistake(
        "the logarithm is added",
        swap(WEIGHTS, "weights = (scores + logsumexp[..., rows, None]).exp()"),
        caught_by=GRADIENTS,
        explanation="""logsumexp is added to the scores. A quotient becomes a difference under the logarithm.""",
    ),
    mistake(
        "the logarithm in base 2",
        swap(WEIGHTS, "weights = (scores - logsumexp[..., rows, None]).exp2()"),
        caught_by=GRADIENTS,
        explanation="""The weights are made again with the base 2. logsumexp is of the base e.""",
    ),
    mistake(
        "logsumexp of the keys",
        swap(WEIGHTS, "weights = (scores - logsumexp[..., None, tile]).exp()"),
        caught_by=GRADIENTS,
        explanation="""The logarithm is that of the key's position. Each query, a row, was divided by a sum of its
        own.""",
    ),
    mistake(
        "divided by logsumexp itself",
        swap(WEIGHTS, "weights = scores.exp() / logsumexp[..., rows, None]"),
        caught_by=GRADIENTS,
        explanation="""e^score is divided by a logarithm. The divisor is e to it.""",
    ),
    mistake(
        "the gradient meets the keys",
        swap(D_WEIGHTS, D_WEIGHTS.replace("value[", "key[")),
        caught_by=GRADIENTS,
        explanation="""The gradient of the weights is made of keys. The context is weights times values.""",
    ),
    mistake(
        "the context for its gradient",
        swap(D_WEIGHTS, D_WEIGHTS.replace("grad[", "context[")),
        caught_by=GRADIENTS,
        explanation="""The context stands where the gradient that arrives for it belongs.""",
    ),
    mistake(
        "values are mixed by the context",
        swap(D_VALUE, D_VALUE.replace("grad[", "context[")),
        caught_by=GRADIENTS,
        explanation="""The values' gradient is made of contexts. It is made of the gradients of those contexts that
        each value went into.""",
    ),
    mistake(
        "values get the raw gradient",
        swap(D_VALUE, "d_value[..., tile, :] += (scores > -torch.inf).to(grad.dtype).mT @ grad[..., rows, :]"),
        caught_by=GRADIENTS,
        explanation="""The gradients are summed as if every weight were 1. A value gets of each context what it gave
        to it.""",
    ),
    mistake(
        "queries get their own mix",
        swap(D_QUERY, "d_query[..., rows, :] += d_scores.sum(-1, keepdim=True) * query[..., rows, :]"),
        caught_by=GRADIENTS,
        explanation="""The queries' gradient is made of queries. A score is query times key, so it is made of
        keys.""",
    ),
    mistake(
        "keys get a mix of gradients",
        swap(D_KEY, D_KEY.replace("query[", "grad[")),
        caught_by=GRADIENTS,
        explanation="""The keys' gradient is made of the context's gradients. A score is query times key, so it is
        made of queries.""",
    ),
    mistake(
        "keys by the weights",
        swap(D_KEY, D_KEY.replace("d_scores.mT", "weights.mT")),
        caught_by=GRADIENTS,
        explanation="""The weights stand where the gradient of the scores belongs.""",
    ),
    mistake(
        "queries by the weights",
        swap(D_QUERY, D_QUERY.replace("d_scores @", "weights @")),
        caught_by=GRADIENTS,
        explanation="""The weights stand where the gradient of the scores belongs.""",
    ),
    mistake(
        "queries by the gradient of the weights",
        swap(D_QUERY, D_QUERY.replace("d_scores @", "(d_weights * (scores > -torch.inf)) @")),
        caught_by=GRADIENTS,
        explanation="""The gradient of the weights stands where that of the scores belongs. The softmax lies between
        them.""",
    ),
    mistake(
        "queries are taken off",
        swap(D_QUERY, D_QUERY.replace("+=", "-=")),
        caught_by=GRADIENTS,
        explanation="""The queries' gradient has the other sign. Each tile adds its part.""",
    ),
    mistake(
        "keys are taken off",
        swap(D_KEY, D_KEY.replace("+=", "-=")),
        caught_by=GRADIENTS,
        explanation="""The keys' gradient has the other sign. Each tile adds its part.""",
    ),
    mistake(
        "values are taken off",
        swap(D_VALUE, D_VALUE.replace("+=", "-=")),
        caught_by=GRADIENTS,
        explanation="""The values' gradient has the other sign. Each tile adds its part.""",
    ),
    mistake(
        "no gradient for the queries",
        swap(D_QUERY, "pass"),
        caught_by=GRADIENTS,
        explanation="""The queries' gradient stays 0. A score is query times key, and both get a gradient.""",
    ),
    mistake(
        "no gradient for the keys",
        swap(D_KEY, "pass"),
        caught_by=GRADIENTS,
        explanation="""The keys' gradient stays 0. A score is query times key, and both get a gradient.""",
    ),
    mistake(
        "no gradient for the values",
        swap(D_VALUE, "pass"),
        caught_by=GRADIENTS,
        explanation="""The values' gradient stays 0. The context is made of values.""",
    ),
    mistake(
        "backward looks at the diagonal alone",
        swap(BACK_TILES, BACK_TILES.replace("range(0, first + 1, block)", "range(first, first + 1, block)")),
        caught_by=GRADIENTS,
        explanation="""Only tiles on the diagonal give gradients. All tiles before it do.""",
    ),
    mistake(
        "backward leaves out the first tile",
        swap(
            BACK_TILES, BACK_TILES.replace("range(0, first + 1, block)", "range(min(block, first), first + 1, block)")
        ),
        caught_by=GRADIENTS,
        explanation="""The walk begins at the second block of keys. The first tokens were seen by all.""",
    ),
    mistake(
        "backward makes every tile",
        swap(BACK_TILES, BACK_TILES.replace("range(0, first + 1, block)", "range(0, query.shape[-2], block)")),
        caught_by=NO_LATER_BACK,
        explanation="""The walk goes through all keys, and half of the tiles hold nothing but zeros. For later keys no
        tile is made.""",
    ),
    mistake(
        "backward takes the first block of queries alone",
        swap(BACK_ROWS, BACK_ROWS.replace("range(0, query.shape[-2], block)", "range(0, 1, block)")),
        caught_by=GRADIENTS,
        explanation="""The outer loop ends after one block. Every query gives gradients.""",
    ),
    mistake(
        "backward counts positions within the tile",
        swap(BACK_SCORES, BACK_SCORES.replace("first, start)", "0, 0)")),
        caught_by=GRADIENTS,
        explanation="""Every tile is scored as if it stood at the beginning. Those beside the diagonal are then
        masked, though all of their keys are earlier.""",
    ),
    mistake(
        "key and value change places in the result",
        swap(D_ALL, "return d_query, d_value, d_key"),
        caught_by=GRADIENTS,
        explanation="""The gradients of keys and values have changed places. The order is that of the inputs.""",
    ),
    mistake(
        "the gradients in reverse",
        swap(D_ALL, "return d_value, d_key, d_query"),
        caught_by=GRADIENTS,
        explanation="""The gradients are returned in reverse. The order is that of the inputs.""",
    ),
    mistake(
        "only two gradients",
        swap(D_ALL, "return d_query, d_key"),
        caught_by=GRADIENTS,
        explanation="""The values' gradient is not returned. There are three inputs.""",
    ),
    mistake(
        "the gradients are stacked",
        swap(D_ALL, "return torch.stack([d_query, d_key, d_value])"),
        caught_by=GRADIENTS,
        explanation="""The three gradients come as one tensor. A tuple of three is asked for.""",
    ),
    mistake(
        "the values' gradients are single precision",
        swap(D_ALL, "return d_query, d_key, d_value.float()"),
        caught_by=GRADIENTS,
        explanation="""The values' gradient is rounded to float32. In double precision half of the digits are
        lost.""",
    ),
    mistake(
        "only a contiguous gradient is taken",
        swap(
            ROW_TERM,
            "row_term = (grad.view(-1) * context.reshape(-1)).view(grad.shape).sum(-1, keepdim=True)  # (B, h, T, 1)",
        ),
        caught_by=GRAD_LAYOUTS,
        explanation="""`view` needs numbers that lie in memory in order. The gradient that `merge_heads` sends back is
        transposed, and that of a plain sum is one number expanded.""",
    ),
    mistake(
        "the gradient that comes in is scaled in place",
        swap(ROW_TERM, "grad.div_(query.shape[-1] ** 0.5)\n    " + ROW_TERM),
        caught_by=GRADIENTS,
        explanation="""The caller's gradient is overwritten. Others may need it, and a value's gradient is not
        scaled.""",
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
    mistake(
        "the usual block is 128",
        swap("block: int = 64\n", "block: int = 128\n"),
        caught_by=TALL_BLOCK,
        explanation="""Where nobody says anything, tiles are 128 wide. The default is 64.""",
    ),
    mistake(
        "the usual block is 32",
        swap("block: int = 64\n", "block: int = 32\n"),
        caught_by=TALL_BLOCK,
        explanation="""Where nobody says anything, tiles are 32 wide. The default is 64.""",
    ),
    mistake(
        "block and value change places",
        swap(APPLY, "return FlashAttention.apply(query, value, key, block)"),
        caught_by=WHOLE,
        explanation="""Values and keys are handed over in the other order. The order is query, key, value.""",
    ),
    mistake(
        "query and key are handed over in the other order",
        swap(APPLY, "return FlashAttention.apply(key, query, value, block)"),
        caught_by=WHOLE,
        explanation="""The keys ask and the queries are asked. The order is query, key, value.""",
    ),
    mistake(
        "the logsumexp is the context",
        swap("return context\n", "return logsumexp\n"),
        caught_by=WHOLE,
        explanation="""The operation returns logsumexp. The context is asked for.""",
    ),
    mistake(
        "nothing is returned for the values",
        swap(
            GIVE,
            "d_query, d_key, _ = flash_backward(grad, *ctx.saved_tensors, ctx.block)\n        return d_query, d_key, None, None",
        ),
        caught_by=TRAINING,
        explanation="""backward returns None for the values. They have a gradient as queries and keys have.""",
    ),
    mistake(
        "the None comes first",
        swap(GIVE, "return None, *flash_backward(grad, *ctx.saved_tensors, ctx.block)"),
        caught_by=TRAINING,
        explanation="""The None for the block stands before the others. Autograd knows gradients by the places of the
        arguments.""",
    ),
    mistake(
        "key and value are saved in the other order",
        swap(SAVE, "ctx.save_for_backward(query, value, key, context, logsumexp)"),
        caught_by=TRAINING,
        explanation="""Keys and values are left for backward in the other order than it takes them. They come back as
        they were put in.""",
    ),
    mistake(
        "context and logsumexp are saved in the other order",
        swap(SAVE, "ctx.save_for_backward(query, key, value, logsumexp, context)"),
        caught_by=TRAINING,
        explanation="""The two results are left for backward in the other order than it takes them. They come back as
        they were put in.""",
    ),
    mistake(
        "the context is not saved",
        swap(SAVE, "ctx.save_for_backward(query, key, value, value, logsumexp)"),
        caught_by=TRAINING,
        explanation="""The values are left for backward where the context belongs. The context stands for the sum over
        all keys.""",
    ),
    mistake(
        "backward has a block of its own",
        swap(GIVE, GIVE.replace("ctx.block", "64")),
        caught_by=MEMORY,
        explanation="""The backward pass makes tiles of 64 tokens whatever was asked for. They are then larger than
        they may be.""",
    ),
]
