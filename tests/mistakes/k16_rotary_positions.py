"""k16: what people get wrong about rotary positions."""

from dojo.spec import mistake, swap

ODD = 'raise ValueError(f"head_dim = {head_dim} is odd: channels are turned in pairs")'
EXPONENTS = "exponents = torch.arange(0, head_dim, 2, device=positions.device) / head_dim  # (d/2,)"
ANGLES = "return positions[:, None] * base**-exponents  # (T, d/2)"
HALVES = "first, second = x.chunk(2, dim=-1)  # (..., T, d/2)"
TURN = "turned = torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)  # (..., T, d)"
TURNED = "return turned.to(x.dtype)"
KEEP = "self.num_heads, self.base = num_heads, base"
MAKE_QUERY = "self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)"
MAKE_KEY = "self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)"
MAKE_VALUE = "self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)"
MAKE_OUT = "self.out_proj = nn.Linear(d_out, d_out)"
TOKENS = "T = x.shape[1]"
QUERY = "query = split_heads(self.W_query(x), self.num_heads)  # (B, h, T, d)"
VALUE = "value = split_heads(self.W_value(x), self.num_heads)  # (B, h, T, d)"
MAKE_ANGLES = "angles = rotary_angles(torch.arange(T, device=x.device), query.shape[-1], self.base)  # (T, d/2)"
TURN_QUERY = "query = apply_rotary(query, angles.cos(), angles.sin())"
TURN_KEY = "key = apply_rotary(key, angles.cos(), angles.sin())"
SCORES = "scores = query @ key.transpose(2, 3) / key.shape[-1] ** 0.5  # (B, h, T, T)"
WEIGHTS = "weights = masked_softmax(scores, causal_mask(T).to(x.device))"
RESULT = "return self.out_proj(merge_heads(weights @ value))  # (B, T, d_out)"
SLOPES = "return 2.0 ** (-8 * torch.arange(1, num_heads + 1) / num_heads)"
DISTANCE = "distance = position[:, None] - position  # (T, T): how far the key lies behind the query"
BIAS = "bias = -alibi_slopes(num_heads)[:, None, None] * distance  # (h, T, T)"
HIDE = "return bias.masked_fill(distance < 0, -torch.inf)"

MISTAKES = [
    # Step 1
    mistake(
        "positions are counted from 1",
        swap(ANGLES, "return (positions[:, None] + 1) * base**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Every position is taken for the next one. Position 0 is then turned, and where one part of a
        program counts so and another does not, all distances are off by one.""",
    ),
    mistake(
        "the positions that were given are ignored",
        swap(ANGLES, "return torch.arange(len(positions))[:, None] * base**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The angles are those of 0, 1, 2, … whatever the positions are. A token that is decoded alone, at
        position 57, would be turned as if it were the first.""",
    ),
    mistake(
        "the exponent is halved",
        swap(EXPONENTS, "exponents = torch.arange(0, head_dim // 2, device=positions.device) / head_dim  # (d/2,)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The exponent of pair i is i / head_dim. It has to go from 0 up to nearly 1 over the pairs; here it
        gets only half as far, and no pair is slow.""",
    ),
    mistake(
        "the exponent is divided by the number of pairs",
        swap("device=positions.device) / head_dim", "device=positions.device) / (head_dim // 2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The exponent of pair i is 2i divided by the number of pairs, so it goes up to nearly 2. Either i is
        divided by the pairs, or 2i by the channels.""",
    ),
    mistake(
        "the last pair turns by 1 / base",
        swap("device=positions.device) / head_dim", "device=positions.device) / max(head_dim - 2, 1)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The exponents are spread so that the last is exactly 1, as `linspace` does. In the formula the
        last pair stays a step short of that.""",
    ),
    mistake(
        "pairs are counted from 1",
        swap("torch.arange(0, head_dim, 2, device", "torch.arange(2, head_dim + 2, 2, device"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Every pair has the frequency of the next one. Pair 0 turns by one radian a position.""",
    ),
    mistake(
        "frequencies grow from pair to pair",
        swap(ANGLES, "return positions[:, None] * base**exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The minus of the exponent is missing. Later pairs turn by thousands of radians a position, which
        no neighbours could be told apart by.""",
    ),
    mistake(
        "frequencies are in reverse",
        swap(ANGLES, "return positions[:, None] * (base**-exponents).flip(0)  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The last pair is the fastest. The fast ones come first.""",
    ),
    mistake(
        "every pair has the same angle",
        swap(ANGLES, "return positions[:, None] * base ** -(0 * exponents)  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""All pairs turn by one radian a position. After some six positions they are all back where they
        began, so tokens at that distance look like neighbours.""",
    ),
    mistake(
        "the base is ignored",
        swap(ANGLES, "return positions[:, None] * 10000.0**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The base is 10,000 whatever was asked for. Models made for long texts have a larger one.""",
    ),
    mistake(
        "another base unless told",
        swap("head_dim: int, base: float = 10000.0)", "head_dim: int, base: float = 1000.0)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Where nobody gives a base it is not 10,000, which is that of the paper. Weights that were trained
        with one base cannot be used with another.""",
    ),
    mistake(
        "one radian is taken for a whole turn",
        swap(ANGLES, "return 2 * torch.pi * positions[:, None] * base**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The angles are multiplied by 2π. Pair 0 then makes a whole turn at every position, which is no turn
        at all.""",
    ),
    mistake(
        "angles in degrees",
        swap(ANGLES, "return torch.deg2rad(positions[:, None] * base**-exponents)  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The numbers are taken for degrees and divided by 57. They are angles in radians as they stand.""",
    ),
    mistake(
        "the powers are not multiplied by the position",
        swap(ANGLES, "return base ** (-exponents * positions[:, None])  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The position stands in the exponent. An angle has to grow evenly, by the same amount from each
        position to the next.""",
    ),
    mistake(
        "each angle stands twice",
        swap(ANGLES, "return (positions[:, None] * base**-exponents).repeat(1, 2)  # (T, d)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The angles are laid side by side twice, one for each channel. Here there is one for each pair.""",
    ),
    mistake(
        "rows are pairs",
        swap(ANGLES, "return (positions[:, None] * base**-exponents).T  # (d/2, T)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The table is transposed: a row for each pair. It has a row for each position.""",
    ),
    mistake(
        "an odd width is accepted",
        swap(ODD, "pass"),
        caught_by="test_odd_width_is_refused",
        explanation="""An odd head_dim goes through. One channel has no partner, and the trouble shows later and
        elsewhere, as shapes that do not fit.""",
    ),
    mistake(
        "the message lacks the width",
        swap(ODD, 'raise ValueError("head_dim is odd")'),
        caught_by="test_odd_width_is_refused",
        explanation="""The error does not say which number was wrong. Whoever meets it wants to know that first.""",
    ),
    # Step 2
    mistake(
        "neighbours are paired",
        swap(HALVES, "first, second = x[..., ::2], x[..., 1::2]  # (..., T, d/2)"),
        swap(
            TURN,
            TURN.replace("turned = torch.cat([", "turned = torch.stack([").replace(
                "], dim=-1)", "], dim=-1).flatten(-2)"
            ),
        ),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""Channels 2i and 2i + 1 are turned together. That is the pairing of the paper, and it works as well,
        but this contract pairs i with i + d/2, and trained weights fit one of the two only.""",
    ),
    mistake(
        "read as neighbours, written as halves",
        swap(HALVES, "first, second = x[..., ::2], x[..., 1::2]  # (..., T, d/2)"),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The pairs are taken from neighbouring channels and put back as halves. Even where nothing is
        turned, the channels change places.""",
    ),
    mistake(
        "read as halves, written as neighbours",
        swap(
            TURN,
            TURN.replace("turned = torch.cat([", "turned = torch.stack([").replace(
                "], dim=-1)", "], dim=-1).flatten(-2)"
            ),
        ),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The pairs are taken from the two halves and put back as neighbours. Even where nothing is turned,
        the channels change places.""",
    ),
    mistake(
        "tables for neighbours, channels by halves",
        swap(
            TURN,
            "cos, sin = cos.repeat_interleave(2, dim=-1), sin.repeat_interleave(2, dim=-1)\n    turned = x * cos + torch.cat([-second, first], dim=-1) * sin  # (..., T, d)",
        ),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""Each angle stands twice side by side in the tables, and the channels are paired by halves. The two channels of a
        pair are then turned by different angles.""",
    ),
    mistake(
        "the channel itself instead of its partner",
        swap(
            TURN, "turned = torch.cat([first * cos + first * sin, second * cos + second * sin], dim=-1)  # (..., T, d)"
        ),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""Each channel is multiplied by the cosine and by the sine and never meets its partner. A rotation mixes the two
        channels of a pair.""",
    ),
    mistake(
        "turned the other way",
        swap(TURN, "turned = torch.cat([first * cos + second * sin, second * cos - first * sin], dim=-1)"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""The sign of the sine is reversed, so every pair turns backwards. Scores come out the same, but
        trained weights do not fit.""",
    ),
    mistake(
        "sine and cosine are swapped",
        swap(TURN, "turned = torch.cat([first * sin - second * cos, first * cos + second * sin], dim=-1)"),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The cosine stands where the sine belongs. At an angle of 0 the first of a pair has to stay the
        first, and here it moves to the second.""",
    ),
    mistake(
        "a minus is missing",
        swap("first * cos - second * sin", "first * cos + second * sin"),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""Both sines are added. That is no rotation: some vectors grow and others shrink.""",
    ),
    mistake(
        "only the first half is turned",
        swap("first * sin + second * cos]", "second]"),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""The first channel of each pair gets its new value, and the second stays. A point on a plane has
        two coordinates, and turning it changes both.""",
    ),
    mistake(
        "only the second half is turned",
        swap("[first * cos - second * sin,", "[first,"),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""The second channel of each pair gets its new value, and the first stays. A point on a plane has
        two coordinates, and turning it changes both.""",
    ),
    mistake(
        "half of the pairs are turned",
        swap(
            HALVES,
            "cos, sin = cos.clone(), sin.clone()\n"
            "    cos[:, cos.shape[1] // 2 :], sin[:, sin.shape[1] // 2 :] = 1, 0\n    " + HALVES,
        ),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""The later pairs are left as they are, which some models do on purpose. Here every pair is
        turned.""",
    ),
    mistake(
        "the second half is made of the new first half",
        swap(HALVES, HALVES.split("  #")[0] + "\n    first = first * cos - second * sin"),
        swap("[first * cos - second * sin,", "[first,"),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""The first half is overwritten, and then the second is computed from the new values. Both need the
        old ones.""",
    ),
    mistake(
        "the halves are joined in the wrong order",
        swap(TURN, "turned = torch.cat([first * sin + second * cos, first * cos - second * sin], dim=-1)"),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The second channels of the pairs come first. Even where nothing is turned, the halves change
        places.""",
    ),
    mistake(
        "nothing is turned",
        swap(TURNED, "return (turned * 0 + x).to(x.dtype)"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""x comes back as it was. All that one could ask of lengths and distances holds for that, and the
        tokens have no positions.""",
    ),
    mistake(
        "the angle is doubled",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos * cos - sin * sin, 2 * sin * cos"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""Every pair is turned by twice its angle. The distances would count double, and the speeds are no longer
        those of the tables.""",
    ),
    mistake(
        "all positions are turned by the last angle",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos[-1:], sin[-1:]"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""One row of the tables is used for every token. A token's row is that of its own position.""",
    ),
    mistake(
        "the tables lie along the heads",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos[:, None], sin[:, None]"),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The tables get a dimension in their middle, so their positions meet the dimension before that of
        the tokens. A table of shape (T, d/2) fits the last two dimensions by itself.""",
    ),
    mistake(
        "always four dimensions",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos[None, None], sin[None, None]"),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The tables are given four dimensions, and with them the result, whatever x has. There may be any
        number of dimensions before the tokens.""",
    ),
    mistake(
        "the dtype of the tables wins",
        swap(TURNED, "return turned"),
        caught_by="test_result_has_the_dtype_of_x",
        explanation="""Numbers of 16 bits, times tables of 32, become numbers of 32. What comes after, such as a product
        with values of 16 bits, does not accept them.""",
    ),
    mistake(
        "always 32 bits",
        swap(TURNED, "return turned.float()"),
        caught_by="test_result_has_the_dtype_of_x",
        explanation="""The result is float32 whatever x is. It has the dtype of x.""",
    ),
    mistake(
        "the rotation stops the gradient",
        swap(TURNED, "return turned.detach().to(x.dtype)"),
        caught_by="test_gradient_is_turned_back",
        explanation="""The result is cut off from x, as `no_grad`, `.detach()` and `.data` do. Queries and keys could not
        learn.""",
    ),
    # Step 3
    mistake(
        "the values are turned too",
        swap(TURN_KEY, TURN_KEY + "\n        value = apply_rotary(value, angles.cos(), angles.sin())"),
        caught_by="test_values_are_not_turned",
        explanation="""The values are turned like queries and keys. Scores need only the distance, and get it; a mix of
        turned values depends on where in the text it stands.""",
    ),
    mistake(
        "the context is turned",
        swap(RESULT, "return self.out_proj(merge_heads(apply_rotary(weights @ value, angles.cos(), angles.sin())))"),
        caught_by="test_values_are_not_turned",
        explanation="""What the heads have mixed is turned by the position of the query. Positions belong into the scores; the context
        is to say the same wherever it stands.""",
    ),
    mistake(
        "only the queries are turned",
        swap(TURN_KEY, "key = key.clone()"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The keys stay as they are. A score then depends on the position of the query, not on the distance
        to the key.""",
    ),
    mistake(
        "only the keys are turned",
        swap(TURN_QUERY, "query = query.clone()"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The queries stay as they are. A score then depends on the position of the key, not on the distance
        to the query.""",
    ),
    mistake(
        "no positions at all",
        swap(TURN_QUERY, "query = query.clone()"),
        swap(TURN_KEY, "key = key.clone()"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Neither queries nor keys are turned, or all tokens of a head alike, which no dot product notices. This
        is the attention of k06, which cannot tell one order of earlier tokens from another.""",
    ),
    mistake(
        "the keys are turned backwards",
        swap(TURN_KEY, "key = apply_rotary(key, angles.cos(), -angles.sin())"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Queries turn one way and keys the other. The angles then add up, and a score depends on i + j. In a
        dot product, turning both the same way is what leaves the difference.""",
    ),
    mistake(
        "attention counts positions backwards",
        swap(TURN_QUERY, TURN_QUERY.replace("angles.sin", "-angles.sin")),
        swap(TURN_KEY, TURN_KEY.replace("angles.sin", "-angles.sin")),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Queries and keys are turned by the negative angles, or their positions are counted from the end, which comes to
        the same. The distance between the two then has the other sign.""",
    ),
    mistake(
        "the angles of the whole width",
        swap(
            MAKE_ANGLES,
            MAKE_ANGLES.replace("query.shape[-1]", "query.shape[1] * query.shape[-1]").replace(
                "self.base)", "self.base)[:, : query.shape[-1] // 2]"
            ),
        ),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The angles are made for the width of all heads, and each head takes the first of them. Within a head the exponent
        counts in parts of the width of that head.""",
    ),
    mistake(
        "the keys are one position off",
        swap(
            TURN_KEY,
            "angles = rotary_angles(torch.arange(1, T + 1, device=x.device), query.shape[-1], self.base)\n        "
            + TURN_KEY,
        ),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Queries are counted from 0 and keys from 1, so every distance is off by one, and a token is not at
        the distance 0 from itself.""",
    ),
    mistake(
        "turned before the heads are split",
        swap(
            QUERY,
            "whole = rotary_angles(torch.arange(T, device=x.device), self.W_query.out_features, self.base)\n        "
            "query = split_heads(apply_rotary(self.W_query(x), whole.cos(), whole.sin()), self.num_heads)",
        ),
        swap(
            "key = split_heads(self.W_key(x), self.num_heads)",
            "key = split_heads(apply_rotary(self.W_key(x), whole.cos(), whole.sin()), self.num_heads)",
        ),
        swap(TURN_QUERY, "query = query.clone()"),
        swap(TURN_KEY, "key = key.clone()"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""All channels of a token are turned at once, before they are shared out. The two channels of a pair
        then sit in different heads. Each head has pairs of its own.""",
    ),
    mistake(
        "x is turned, not queries and keys",
        swap(
            TOKENS,
            TOKENS
            + "\n        turns = rotary_angles(torch.arange(T, device=x.device), x.shape[-1] // 2 * 2, self.base)\n"
            "        even = apply_rotary(x[..., : x.shape[-1] // 2 * 2], turns.cos(), turns.sin())\n"
            "        x = torch.cat([even, x[..., x.shape[-1] // 2 * 2 :]], dim=-1)",
        ),
        swap(TURN_QUERY, "query = query.clone()"),
        swap(TURN_KEY, "key = key.clone()"),
        caught_by="test_values_are_not_turned",
        explanation="""The input is turned before the projections. They mix all channels, so the score of two tokens no
        longer follows from their distance, and the values are turned as well.""",
    ),
    mistake(
        "attention ignores the base",
        swap(MAKE_ANGLES, "angles = rotary_angles(torch.arange(T, device=x.device), query.shape[-1])  # (T, d/2)"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The module takes a base and then computes its angles without it. They are those of 10,000, whatever was
        asked for.""",
    ),
    mistake(
        "attention has another base unless told",
        swap("num_heads: int, base: float = 10000.0,", "num_heads: int, base: float = 100.0,"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Where nobody gives a base, the module's is not 10,000. Weights that were trained with one base cannot be
        used with another.""",
    ),
    mistake(
        "the fastest pair alone is used",
        swap(TURN_QUERY, "angles = angles[:, :1].expand_as(angles)\n        " + TURN_QUERY),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Every pair of a head turns at the speed of pair 0. Distances of some six tokens then look like
        none.""",
    ),
    mistake(
        "no scale",
        swap(SCORES, "scores = query @ key.transpose(2, 3)  # (B, h, T, T)"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The scores go into the softmax as they are. Turning keeps lengths, so it does not replace the
        scale.""",
    ),
    mistake(
        "scaled by the width of all heads",
        swap(SCORES, "scores = query @ key.transpose(2, 3) / self.out_proj.in_features ** 0.5  # (B, h, T, T)"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The scores are divided by the root of the width of all heads together. A score adds up the channels
        of one head.""",
    ),
    mistake(
        "scaled by the number of pairs",
        swap(SCORES, "scores = query @ key.transpose(2, 3) / (key.shape[-1] // 2) ** 0.5  # (B, h, T, T)"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The scores are divided by the root of how many pairs there are. A score adds up one product for each
        channel.""",
    ),
    mistake(
        "query and key are swapped",
        swap(SCORES, "scores = key @ query.transpose(2, 3) / key.shape[-1] ** 0.5  # (B, h, T, T)"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Row i holds the key of token i against all queries. Rows are for the one who asks.""",
    ),
    mistake(
        "no mask",
        swap(WEIGHTS, "weights = scores.softmax(-1)"),
        caught_by="test_values_are_not_turned",
        explanation="""The weights come from all scores: nothing is hidden from the softmax. Positions say how far away a
        token is, not that it may not be seen.""",
    ),
    mistake(
        "the diagonal is hidden",
        swap(WEIGHTS, "weights = masked_softmax(scores, causal_mask(T).to(x.device) | torch.eye(T).bool())"),
        caught_by="test_values_are_not_turned",
        explanation="""The mask also hides each token from itself. The first token then has nothing to look at.""",
    ),
    mistake(
        "one future token is visible",
        swap(WEIGHTS, "weights = masked_softmax(scores, causal_mask(T).to(x.device).triu(2))"),
        caught_by="test_values_are_not_turned",
        explanation="""Each token sees its successor, which is what the model has to predict.""",
    ),
    mistake(
        "a fill of -10,000 can be overcome",
        swap(WEIGHTS, "weights = scores.masked_fill(causal_mask(T).to(x.device), -1e4).softmax(-1)"),
        caught_by="test_first_token_sees_itself_alone_whatever_its_score",
        explanation="""A hidden score becomes -10,000, which is not the lowest score there can be. Where visible scores
        fall below it, the hidden entries win the softmax.""",
    ),
    mistake(
        "masked after the softmax",
        swap(WEIGHTS, "weights = scores.softmax(-1).masked_fill(causal_mask(T).to(x.device), 0.0)"),
        caught_by="test_values_are_not_turned",
        explanation="""Hidden weights are set to 0 after the softmax has shared out the whole. The rows then sum to less
        than 1, and what is left depends on the hidden scores.""",
    ),
    mistake(
        "masked after the softmax and divided by what is left",
        swap(
            WEIGHTS,
            "seen = scores.softmax(-1).masked_fill(causal_mask(T).to(x.device), 0.0)\n        weights = seen / seen.sum(-1, keepdim=True)",
        ),
        caught_by="test_first_token_sees_itself_alone_whatever_its_score",
        explanation="""The softmax goes over all keys, and what is left after the mask is made to sum to 1. Where a hidden score is far
        above the others nothing is left, and 0 is divided by 0.""",
    ),
    mistake(
        "out_proj is never called",
        swap(RESULT, "return merge_heads(weights @ value)  # (B, T, d_out)"),
        caught_by="test_values_are_not_turned",
        explanation="""The module has an out_proj, but forward does not use it, and the heads never meet.""",
    ),
    mistake(
        "heads are laid out in the wrong order",
        swap(RESULT, "return self.out_proj((weights @ value).reshape(*x.shape[:2], -1))  # (B, T, d_out)"),
        caught_by="test_values_are_not_turned",
        explanation="""The contexts are cut anew without bringing tokens and channels together first. The shape is right,
        and tokens and heads are mixed up.""",
    ),
    mistake(
        "a table of 1,024 positions",
        swap(
            MAKE_ANGLES,
            MAKE_ANGLES.replace("torch.arange(T, device=x.device)", "torch.arange(min(T, 1024), device=x.device)"),
        ),
        caught_by="test_no_sequence_is_too_long",
        explanation="""The angles end at 1,024 positions. They follow from a formula, so there is no reason for a longest
        sequence.""",
    ),
    mistake(
        "positions begin again after 256",
        swap(
            MAKE_ANGLES,
            MAKE_ANGLES.replace("torch.arange(T, device=x.device)", "torch.arange(T, device=x.device) % 256"),
        ),
        caught_by="test_far_positions_count_on",
        explanation="""Position 256 is turned like position 0. The first token of a long text then seems to stand right beside it.""",
    ),
    mistake(
        "positions end at 255",
        swap(
            MAKE_ANGLES,
            MAKE_ANGLES.replace("torch.arange(T, device=x.device)", "torch.arange(T, device=x.device).clamp(max=255)"),
        ),
        caught_by="test_far_positions_count_on",
        explanation="""All positions from 255 on are turned alike. Tokens so far behind in the text are in no order any more.""",
    ),
    mistake(
        "positions are made on the CPU",
        swap("rotary_angles(torch.arange(T, device=x.device),", "rotary_angles(torch.arange(T),"),
        caught_by="test_what_forward_makes_is_on_the_device_of_x",
        explanation="""`torch.arange` makes its tensor on the CPU unless told otherwise. On a GPU, the angles then cannot
        meet the queries.""",
    ),
    mistake(
        "the mask is made on the CPU",
        swap("causal_mask(T).to(x.device)", "causal_mask(T)"),
        caught_by="test_what_forward_makes_is_on_the_device_of_x",
        explanation="""The mask stays where it was made, on the CPU. On a GPU, it then cannot meet the scores.""",
    ),
    mistake(
        "always with a bias",
        swap(MAKE_QUERY, "self.W_query = nn.Linear(d_in, d_out)"),
        swap(MAKE_KEY, "self.W_key = nn.Linear(d_in, d_out)"),
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_in, d_out)"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""The projections have a bias whether it was asked for or not, since `nn.Linear` makes one unless
        told otherwise.""",
    ),
    mistake(
        "never with a bias",
        swap(MAKE_QUERY, "self.W_query = nn.Linear(d_in, d_out, bias=False)"),
        swap(MAKE_KEY, "self.W_key = nn.Linear(d_in, d_out, bias=False)"),
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_in, d_out, bias=False)"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""The projections have no bias, also when `qkv_bias` asks for one.""",
    ),
    mistake(
        "out_proj has no bias",
        swap(MAKE_OUT, "self.out_proj = nn.Linear(d_out, d_out, bias=False)"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""The last layer has no bias. `qkv_bias` speaks of queries, keys and values; out_proj has one
        always.""",
    ),
    mistake(
        "out_proj has a bias where the others have one",
        swap(MAKE_OUT, "self.out_proj = nn.Linear(d_out, d_out, bias=qkv_bias)"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""The last layer follows `qkv_bias`, which speaks of queries, keys and values. Its own bias is always there.""",
    ),
    mistake(
        "the angles are learned",
        swap(KEEP, KEEP + "\n        self.frequencies = nn.Parameter(torch.ones(d_out // num_heads // 2))"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""The module has parameters besides its four layers. The angles follow from a formula; nothing about
        them is learned.""",
    ),
    mistake(
        "the weights are cut off from training",
        swap(RESULT, "return self.out_proj(merge_heads(weights.detach() @ value))  # (B, T, d_out)"),
        caught_by="test_training_reaches_every_layer",
        explanation="""The weights are taken out of what autograd follows. The values can learn, but no gradient reaches
        queries and keys.""",
    ),
    mistake(
        "the key is cut off from x",
        swap("self.W_key(x)", "self.W_key(x.detach())"),
        caught_by="test_training_reaches_every_layer",
        explanation="""The keys are made of a copy of x that autograd does not follow. What made x is not told how it
        should be found.""",
    ),
    mistake(
        "the first answer is kept",
        swap(
            RESULT,
            'if "first" not in self.__dict__ or self.first.shape[:2] != x.shape[:2]:\n'
            "            self.first = merge_heads(weights @ value)\n"
            "        return self.out_proj(self.first)",
        ),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""What the heads have found for one input is kept and used again for the next of the same shape.
        Another input has another answer.""",
    ),
    mistake(
        "the weights are returned too",
        swap(RESULT, "return self.out_proj(merge_heads(weights @ value)), weights"),
        caught_by="test_values_are_not_turned",
        explanation="""The module returns a pair. The next layer expects one tensor, the result of out_proj.""",
    ),
    # Step 4
    mistake(
        "the slopes begin at 1",
        swap("torch.arange(1, num_heads + 1)", "torch.arange(num_heads)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""Heads are counted from 0 in the exponent, so the first slope is 1. It is the ratio that the row
        begins with, as it does in the paper.""",
    ),
    mistake(
        "the ratio is one half for any number of heads",
        swap(SLOPES, "return 2.0 ** -torch.arange(1, num_heads + 1)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""Each slope is half of the one before. That is right for 8 heads only: the last slope is 2^−8 however
        many there are.""",
    ),
    mistake(
        "the exponent is not divided by the heads",
        swap(SLOPES, "return 2.0 ** (-8 * torch.arange(1, num_heads + 1))"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""Each slope is 1/256 of the one before, and all heads but the first hardly look at distances. The
        exponent is shared out among the heads.""",
    ),
    mistake(
        "the ratio is 2^(−8 · heads)",
        swap(SLOPES, "return 2.0 ** (-torch.arange(1, num_heads + 1) * num_heads / 8)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The fraction stands upside down: heads / 8 where it is 8 / heads.""",
    ),
    mistake(
        "slopes grow",
        swap(SLOPES, SLOPES + ".flip(0)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The slopes are in reverse. Head 0 has the steepest.""",
    ),
    mistake(
        "slopes are negative",
        swap(SLOPES, SLOPES.replace("return 2.0", "return -(2.0") + ")"),
        swap("bias = -alibi_slopes", "bias = alibi_slopes"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The minus of the bias is put into the slopes. By the contract a slope is positive, and the bias
        takes it away.""",
    ),
    mistake(
        "powers of e",
        swap(SLOPES, "return torch.exp(-8 * torch.arange(1, num_heads + 1) / num_heads)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The row is made of powers of e. It is made of powers of 2.""",
    ),
    mistake(
        "spread evenly",
        swap(SLOPES, "return torch.linspace(2 ** (-8 / num_heads), 2**-8, num_heads)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""Each slope is a constant amount below the one before. It is a constant part of it.""",
    ),
    mistake(
        "far scores are raised",
        swap(BIAS, "bias = alibi_slopes(num_heads)[:, None, None] * distance  # (h, T, T)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The bias grows with the distance, so a token looks at what is far away. It is meant to fall.""",
    ),
    mistake(
        "the future mirrors the past",
        swap(HIDE, "return -alibi_slopes(num_heads)[:, None, None] * distance.abs()"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""A later key is lowered as much as an earlier one at the same distance. That suits a model that
        reads both ways; here a later key is not to be seen at all.""",
    ),
    mistake(
        "the future is not hidden",
        swap(HIDE, "return bias"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The line goes on past the query, where the distance is negative, so later keys are raised above all
        others. They are not to be seen at all.""",
    ),
    mistake(
        "the future has a bias of -1e9",
        swap(HIDE, HIDE.replace("-torch.inf", "-1e9")),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""A later key gets a large negative number. That may do in a softmax; −∞ is what was promised, and nothing
        overcomes it.""",
    ),
    mistake(
        "the future has a bias of 0",
        swap(HIDE, "return bias.masked_fill(distance < 0, 0.0)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""A later key is neither lowered nor hidden. Adding 0 to a score hides nothing.""",
    ),
    mistake(
        "the query itself is hidden",
        swap(HIDE, "return bias.masked_fill(distance <= 0, -torch.inf)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The diagonal is −∞ too, so no token sees itself, and the first one sees nothing.""",
    ),
    mistake(
        "rows are keys",
        swap(DISTANCE, "distance = position - position[:, None]  # (T, T)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The matrix is transposed: the past is hidden and the future lowered. A row is a query.""",
    ),
    mistake(
        "the distance is counted from 1",
        swap(BIAS, "bias = -alibi_slopes(num_heads)[:, None, None] * (distance + 1)  # (h, T, T)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""A token is lowered at the distance 0 from itself. Softmax would not notice, for a whole row is
        lowered alike, but the numbers are not those of the formula.""",
    ),
    mistake(
        "the bias follows the key's position",
        swap(BIAS, "bias = alibi_slopes(num_heads)[:, None, None] * position.expand(tokens, tokens)  # (h, T, T)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""Each key is raised by its own position, whoever asks. A softmax gives the same weights, since a row
        differs by a constant, but the numbers grow with the text and are not those of the formula.""",
    ),
    mistake(
        "all heads have one slope",
        swap(BIAS, "bias = -alibi_slopes(num_heads)[:1, None, None].expand(num_heads, 1, 1) * distance"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""Every head gets the slope of head 0. With slopes of their own, some heads look near and others
        far.""",
    ),
    mistake(
        "the heads come last",
        swap(HIDE, HIDE + ".permute(1, 2, 0)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The heads are the last dimension. Scores have them before queries and keys: (B, h, T, T).""",
    ),
]
