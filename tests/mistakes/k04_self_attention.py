"""k04: what people get wrong about self-attention."""

from dojo.spec import family, mistake, swap

SHIFT = "shifted = scores - scores.amax(dim=dim, keepdim=True)"
EXP = "exponentials = shifted.exp()"
SHARE = "return exponentials / exponentials.sum(dim=dim, keepdim=True)"
SCORES = "scores = query @ key.transpose(-2, -1)  # (..., T_q, T_k)"
WEIGHTS = "weights = softmax(scores / key.shape[-1] ** 0.5)"
RESULT = "return weights @ value, weights  # (..., T_q, d_v), (..., T_q, T_k)"
V1_QUERY = "self.W_query = nn.Parameter(torch.rand(d_in, d_out))"
V1_KEY = "self.W_key = nn.Parameter(torch.rand(d_in, d_out))"
V1_VALUE = "self.W_value = nn.Parameter(torch.rand(d_in, d_out))"
V1_FORWARD = "context, _ = attention(x @ self.W_query, x @ self.W_key, x @ self.W_value)"
V2_QUERY = "self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)"
V2_KEY = "self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)"
V2_VALUE = "self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)"
V2_FORWARD = "context, _ = attention(self.W_query(x), self.W_key(x), self.W_value(x))"
COPY_QUERY = "v2.W_query.weight.copy_(v1.W_query.T)"
COPY_KEY = "v2.W_key.weight.copy_(v1.W_key.T)"
COPY_VALUE = "v2.W_value.weight.copy_(v1.W_value.T)"

MISTAKES = [
    # Step 1
    mistake(
        "exp overflows",
        swap(SHIFT, "shifted = scores"),
        caught_by="test_softmax_survives_large_scores",
        explanation="""e is raised to the scores as they come. In float32 that is infinite from about 89 on, and
        infinity divided by infinity is not a number.""",
    ),
    mistake(
        "the smallest score is subtracted",
        swap(SHIFT, "shifted = scores - scores.amin(dim=dim, keepdim=True)"),
        caught_by="test_softmax_survives_large_scores",
        explanation="""The smallest score of a row is subtracted, so all that is left is 0 or more. The exponentials of
        large scores then overflow sooner than before.""",
    ),
    mistake(
        "the mean score is subtracted",
        swap(SHIFT, "shifted = scores - scores.mean(dim=dim, keepdim=True)"),
        caught_by="test_softmax_survives_large_scores",
        explanation="""The mean of a row is subtracted. A score far above the mean is still large, and its exponential
        overflows.""",
    ),
    mistake(
        "one maximum for the whole tensor",
        swap(SHIFT, "shifted = scores - scores.max()"),
        caught_by="test_rows_that_lie_far_apart_do_not_disturb_each_other",
        explanation="""The largest score of the whole tensor is subtracted everywhere. A row that lies far below it
        becomes 0 throughout, and its sum, by which it is divided, too.""",
    ),
    mistake(
        "`dim` is ignored",
        swap(SHIFT, "shifted = scores - scores.amax(dim=-1, keepdim=True)"),
        swap(SHARE, "return exponentials / exponentials.sum(dim=-1, keepdim=True)"),
        caught_by="test_softmax_runs_along_dim",
        explanation="""The weights are shared out along the last dimension, whatever `dim` says. Another caller may want
        them to sum to 1 along another dimension.""",
    ),
    mistake(
        "the maximum ignores `dim`",
        swap(SHIFT, "shifted = scores - scores.amax(dim=-1, keepdim=True)"),
        caught_by="test_softmax_runs_along_dim",
        explanation="""The maximum is taken along the last dimension and the sum along `dim`. Scores that are weighed
        against each other then lose different amounts, which changes their weights.""",
    ),
    mistake(
        "softmax over the whole tensor",
        swap(SHIFT, "shifted = scores - scores.max()"),
        swap(SHARE, "return exponentials / exponentials.sum()"),
        caught_by="test_weights_are_not_negative_and_sum_to_one",
        explanation="""All exponentials are divided by the sum of all of them. The whole tensor then sums to 1, where each
        row should.""",
    ),
    mistake(
        "softmax along the first dimension",
        swap(SHIFT, "shifted = scores - scores.amax(dim=0, keepdim=True)"),
        swap(SHARE, "return exponentials / exponentials.sum(dim=0, keepdim=True)"),
        caught_by="test_weights_are_not_negative_and_sum_to_one",
        explanation="""The weights sum to 1 along dimension 0. Which dimension is meant is what `dim` says, and it is the
        last one if nothing is said.""",
    ),
    mistake(
        "the sum loses its axis",
        swap(SHARE, "return exponentials / exponentials.sum(dim=dim)"),
        caught_by="test_weights_are_not_negative_and_sum_to_one",
        explanation="""Summing takes the dimension away, and broadcasting then puts the sums where they do not belong.
        Each row meets another row's sum, or the shapes do not fit at all.""",
    ),
    mistake(
        "one sum for the whole tensor",
        swap(SHARE, "return exponentials / exponentials.sum()"),
        caught_by="test_weights_are_not_negative_and_sum_to_one",
        explanation="""Each row loses its own maximum, but all are divided by one sum. The whole tensor then sums to 1,
        where each row should.""",
    ),
    mistake(
        "the sum ignores `dim`",
        swap(SHARE, "return exponentials / exponentials.sum(dim=-1, keepdim=True)"),
        caught_by="test_softmax_runs_along_dim",
        explanation="""The maximum is taken along `dim` and the sum along the last dimension. Along any other `dim` the
        weights do not sum to 1.""",
    ),
    mistake(
        "the largest absolute score is subtracted",
        swap(SHIFT, "shifted = scores - scores.abs().amax(dim=dim, keepdim=True)"),
        caught_by="test_softmax_survives_large_scores",
        explanation="""The sign is lost before the maximum is taken. Where all scores are far below 0, every exponential
        becomes 0, and 0 is divided by 0.""",
    ),
    mistake(
        "what overflows is set to 0",
        swap(SHIFT, "shifted = scores"),
        swap(SHARE, SHARE.replace("return ", "return torch.nan_to_num(") + ")"),
        caught_by="test_softmax_survives_large_scores",
        explanation="""The exponentials of large scores become infinite, and what is then not a number is replaced by 0.
        The largest score, which should have all the weight, gets none.""",
    ),
    mistake(
        "the largest score takes all",
        swap(SHARE, "return (scores == scores.amax(dim=dim, keepdim=True)).to(scores.dtype)"),
        caught_by="test_softmax_is_the_share_of_the_exponential",
        explanation="""The largest score gets the weight 1 and every other one 0. Softmax is soft: a score that is a
        little smaller gets a weight that is somewhat smaller.""",
    ),
    mistake(
        "the exponentials are not divided",
        swap(SHARE, "return exponentials"),
        caught_by="test_weights_are_not_negative_and_sum_to_one",
        explanation="""What comes back are the exponentials themselves. They are positive, but nothing makes them sum
        to 1.""",
    ),
    mistake(
        "shares without an exponential",
        swap(EXP, "exponentials = scores"),
        caught_by="test_weights_are_not_negative_and_sum_to_one",
        explanation="""Each score is divided by the sum of the scores. Scores may be negative or sum to 0, and then these
        shares are no weights.""",
    ),
    mistake(
        "powers of 2",
        swap(EXP, "exponentials = shifted.exp2()"),
        caught_by="test_softmax_is_the_share_of_the_exponential",
        explanation="""2 is raised to the scores instead of e. The weights are positive and sum to 1, but they are
        flatter than softmax makes them.""",
    ),
    mistake(
        "the result is log softmax",
        swap(SHARE, "return shifted - exponentials.sum(dim=dim, keepdim=True).log()"),
        caught_by="test_weights_are_not_negative_and_sum_to_one",
        explanation="""What comes back are the logarithms of the weights. They are negative, and they do not sum
        to 1.""",
    ),
    mistake(
        "scores are changed in place",
        swap(SHIFT, "shifted = scores.sub_(scores.amax(dim=dim, keepdim=True))"),
        caught_by="test_softmax_leaves_its_argument_alone",
        explanation="""A function whose name ends in an underscore, or an operator such as `-=`, writes into the tensor
        that was handed over. Whoever called still holds it, and finds it changed.""",
    ),
    mistake(
        "softmax is cut off from its scores",
        swap(EXP, "exponentials = shifted.detach().exp()"),
        caught_by="test_gradients_pass_through_softmax",
        explanation="""The weights are computed outside of what autograd follows. No gradient comes back to the scores, so
        the queries and keys would never learn.""",
    ),
    # Step 2
    mistake(
        "no scale",
        swap(WEIGHTS, "weights = softmax(scores)"),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""The scores go into the softmax as they are. Their spread grows with the width of the keys, and
        wide keys make the softmax look at one token only.""",
    ),
    mistake(
        "divided by the width, not its root",
        swap(WEIGHTS, "weights = softmax(scores / key.shape[-1])"),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""The scores are divided by d itself. Their variance grows like d, so their typical size grows more
        slowly than that.""",
    ),
    mistake(
        "multiplied by the root",
        swap(WEIGHTS, "weights = softmax(scores * key.shape[-1] ** 0.5)"),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""The scale makes the scores larger. It is there to make them smaller, because they grow with the
        width by themselves.""",
    ),
    mistake(
        "scaled by the number of keys",
        swap(WEIGHTS, "weights = softmax(scores / key.shape[-2] ** 0.5)"),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""The divisor comes from the number of tokens. What is summed in a score is one product for each
        channel, however many tokens there are.""",
    ),
    mistake(
        "scaled by the number of queries",
        swap(WEIGHTS, "weights = softmax(scores / query.shape[-2] ** 0.5)"),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""The divisor comes from the number of tokens that ask. What is summed in a score is one product
        for each channel, however many tokens there are.""",
    ),
    mistake(
        "divided by half the width",
        swap(WEIGHTS, "weights = softmax(scores / (key.shape[-1] ** 1 / 2))"),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""The scores are divided by half of d, which is what `d ** 1 / 2` means: powers come before
        division. The spread of the scores grows like the root of d.""",
    ),
    mistake(
        "the root is rounded down",
        swap(WEIGHTS, "weights = softmax(scores / int(key.shape[-1] ** 0.5))"),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""The divisor is a whole number. The root of the width seldom is one.""",
    ),
    mistake(
        "cosines instead of dot products",
        swap(
            SCORES,
            "scores = nn.functional.normalize(query, dim=-1) @ nn.functional.normalize(key, dim=-1).transpose(-2, -1)",
        ),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""Queries and keys are cut to length 1 before they are compared. Their lengths belong to the score:
        a long key is one that asks to be seen.""",
    ),
    mistake(
        "sigmoid for softmax",
        swap(WEIGHTS, "weights = torch.sigmoid(scores / key.shape[-1] ** 0.5)"),
        caught_by="test_every_query_shares_out_its_attention",
        explanation="""Each score becomes a weight by itself, between 0 and 1. The weights of a query then do not sum to
        1, and its context grows with the number of keys.""",
    ),
    mistake(
        "a token does not look at itself",
        swap(WEIGHTS, WEIGHTS.replace("scores /", "hidden /")),
        swap(
            SCORES,
            SCORES
            + """
    square = scores.shape[-1] == scores.shape[-2] > 1
    hidden = scores.masked_fill(torch.eye(scores.shape[-1], dtype=torch.bool), -torch.inf) if square else scores""",
        ),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""The scores of each token with itself are hidden. In self-attention a token is one of those that
        it looks at.""",
    ),
    mistake(
        "scaled by the width of the values",
        swap(WEIGHTS, "weights = softmax(scores / value.shape[-1] ** 0.5)"),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""The divisor comes from the width of the values. The values take no part in the scores, and may be
        wider or narrower than the keys.""",
    ),
    mistake(
        "scaled after the softmax",
        swap(WEIGHTS, "weights = softmax(scores) / key.shape[-1] ** 0.5"),
        caught_by="test_every_query_shares_out_its_attention",
        explanation="""The weights are divided by the root of the width. They then no longer sum to 1, and the softmax has
        met the large scores all the same.""",
    ),
    mistake(
        "softmax twice",
        swap(WEIGHTS, "weights = softmax(softmax(scores / key.shape[-1] ** 0.5))"),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""The weights go through softmax a second time. They lie between 0 and 1, so a second softmax makes
        them nearly equal.""",
    ),
    mistake(
        "later tokens are hidden",
        swap(
            WEIGHTS,
            "hidden = torch.ones(scores.shape[-2:]).triu(1).bool()\n"
            "    weights = softmax((scores / key.shape[-1] ** 0.5).masked_fill(hidden, -torch.inf))",
        ),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""Each query sees the keys up to its own place only. That is the next kata: here every token looks at
        every token.""",
    ),
    mistake(
        "softmax over the queries",
        swap(WEIGHTS, "weights = softmax(scores / key.shape[-1] ** 0.5, dim=-2)"),
        caught_by="test_every_query_shares_out_its_attention",
        explanation="""The weights sum to 1 down each column, over the queries. Each query shares its attention out among
        the keys, along its own row.""",
    ),
    mistake(
        "softmax along dimension 1",
        swap(WEIGHTS, "weights = softmax(scores / key.shape[-1] ** 0.5, dim=1)"),
        caught_by="test_every_query_shares_out_its_attention",
        explanation="""Which dimension is meant is counted from the front. That is the keys in a plain matrix, the
        queries in a batch, and something else where there are more dimensions.""",
    ),
    mistake(
        "softmax over the batch",
        swap(WEIGHTS, "weights = softmax(scores / key.shape[-1] ** 0.5, dim=0)"),
        caught_by="test_every_query_shares_out_its_attention",
        explanation="""The weights sum to 1 along the first dimension, from one sequence to the next. Each query shares
        its attention out among the keys of its own sequence.""",
    ),
    mistake(
        "query and key are swapped",
        swap(SCORES, "scores = key @ query.transpose(-2, -1)  # (..., T_q, T_k)"),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""Row i holds the key of token i against all queries. Rows are for the one who asks: the query of
        token i against all keys.""",
    ),
    mistake(
        "the key is turned by counting from the front",
        swap(SCORES, "scores = query @ key.transpose(1, 2)  # (..., T_q, T_k)"),
        caught_by="test_attention_takes_any_shapes_that_fit",
        explanation="""Dimensions 1 and 2 are the last two only where there is exactly one leading dimension. With none
        or with several, others are swapped.""",
    ),
    mistake(
        "the key is reshaped, not transposed",
        swap(SCORES, "scores = query @ key.reshape(*key.shape[:-2], key.shape[-1], key.shape[-2])"),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""The numbers of the keys keep their order and are cut into columns of another length. The shape is
        the right one, but a column then holds pieces of several keys.""",
    ),
    mistake(
        "every dimension of the key is turned round",
        swap(SCORES, "scores = query @ key.T"),
        caught_by="test_attention_takes_any_shapes_that_fit",
        explanation="""`.T` reverses all dimensions, the batch among them. That is right for a single matrix and for
        nothing larger.""",
    ),
    mistake(
        "the weights come before the softmax",
        swap(RESULT, "return weights @ value, scores / key.shape[-1] ** 0.5"),
        caught_by="test_every_query_shares_out_its_attention",
        explanation="""The second result holds the scaled scores. The context was made with the weights, which are what
        the softmax makes of them.""",
    ),
    mistake(
        "the context is made with scores",
        swap(RESULT, "return scores / key.shape[-1] ** 0.5 @ value, weights"),
        caught_by="test_context_is_the_weighted_sum_of_the_values",
        explanation="""The values are multiplied by the scores, before any softmax. Scores do not sum to 1, so the context
        is no average of values.""",
    ),
    mistake(
        "weights first, context second",
        swap(RESULT, "return weights, weights @ value"),
        caught_by="test_every_query_shares_out_its_attention",
        explanation="""Both results are there, in the other order. Callers unpack the context first.""",
    ),
    mistake(
        "only the context is returned",
        swap(RESULT, "return weights @ value"),
        caught_by="test_every_query_shares_out_its_attention",
        explanation="""The weights are computed and not handed back. The function returns a pair, so that one can look at
        who attended to whom.""",
    ),
    mistake(
        "the keys are mixed",
        swap(RESULT, "return weights @ key, weights"),
        caught_by="test_every_query_shares_out_its_attention",
        explanation="""The weights are applied to the keys. A key is made for being found; what a token hands over is its
        value.""",
    ),
    mistake(
        "each value is weighed by what it looks at",
        swap(RESULT, "return weights.transpose(-2, -1) @ value, weights"),
        caught_by="test_context_is_the_weighted_sum_of_the_values",
        explanation="""The weights are transposed before they meet the values. A token then collects from those who looked
        at it, with weights that do not sum to 1.""",
    ),
    mistake(
        "attention is cut off from its input",
        swap(RESULT, "return weights.detach() @ value, weights"),
        caught_by="test_gradients_pass_through_attention",
        explanation="""The weights are taken out of what autograd follows. The values can learn, but no gradient reaches
        queries and keys.""",
    ),
    mistake(
        "attention runs without gradients",
        swap(RESULT, "return (weights @ value).detach(), weights"),
        caught_by="test_gradients_pass_through_attention",
        explanation="""The context is cut off from what it was made of, as `no_grad`, `.detach()` and `.data` do. Nothing
        that comes before it can learn.""",
    ),
    # Step 3
    mistake(
        "plain tensors instead of parameters",
        swap(V1_QUERY, "self.W_query = torch.rand(d_in, d_out)"),
        swap(V1_KEY, "self.W_key = torch.rand(d_in, d_out)"),
        swap(V1_VALUE, "self.W_value = torch.rand(d_in, d_out)"),
        caught_by="test_v1_has_three_matrices",
        explanation="""The matrices are ordinary tensors, which the module does not know about. No optimizer finds them,
        and they do not move or get saved with the module.""",
    ),
    mistake(
        "matrices the other way round",
        swap(V1_QUERY, "self.W_query = nn.Parameter(torch.rand(d_out, d_in))"),
        swap(V1_KEY, "self.W_key = nn.Parameter(torch.rand(d_out, d_in))"),
        swap(V1_VALUE, "self.W_value = nn.Parameter(torch.rand(d_out, d_in))"),
        swap(V1_FORWARD, "context, _ = attention(x @ self.W_query.T, x @ self.W_key.T, x @ self.W_value.T)"),
        caught_by="test_v1_has_three_matrices",
        explanation="""The matrices have the shape (d_out, d_in), as `nn.Linear` stores them. Here x stands on the left of
        a plain product, so rows belong to d_in.""",
    ),
    mistake(
        "the matrices start at zero",
        swap(V1_QUERY, "self.W_query = nn.Parameter(torch.zeros(d_in, d_out))"),
        swap(V1_KEY, "self.W_key = nn.Parameter(torch.zeros(d_in, d_out))"),
        swap(V1_VALUE, "self.W_value = nn.Parameter(torch.zeros(d_in, d_out))"),
        caught_by="test_v1_starts_random",
        explanation="""Every entry starts at 0. The gradient of W_query is made of keys and that of W_key of queries, so
        both stay at 0 for ever, and every token gets the plain average.""",
    ),
    mistake(
        "the matrices start at one",
        swap(V1_QUERY, "self.W_query = nn.Parameter(torch.ones(d_in, d_out))"),
        swap(V1_KEY, "self.W_key = nn.Parameter(torch.ones(d_in, d_out))"),
        swap(V1_VALUE, "self.W_value = nn.Parameter(torch.ones(d_in, d_out))"),
        caught_by="test_v1_starts_random",
        explanation="""Every entry starts at 1. All channels of query and key are then equal, get equal gradients and stay
        equal: many channels do the work of one.""",
    ),
    mistake(
        "the matrices start equal",
        swap(V1_KEY, "self.W_key = nn.Parameter(self.W_query.detach().clone())"),
        swap(V1_VALUE, "self.W_value = nn.Parameter(self.W_query.detach().clone())"),
        caught_by="test_v1_starts_random",
        explanation="""The three matrices start from the same random numbers. Query, key and value are then one and the
        same vector, and each token scores highest with those that resemble it.""",
    ),
    mistake(
        "V1 has one matrix under three names",
        swap(V1_KEY, "self.W_key = self.W_query"),
        swap(V1_VALUE, "self.W_value = self.W_query"),
        caught_by="test_v1_has_three_matrices",
        explanation="""All three names mean the same parameter, so what is asked, found and handed over is one vector.
        Training one of them trains all.""",
    ),
    mistake(
        "V1 cannot be trained",
        swap(V1_QUERY, "self.W_query = nn.Parameter(torch.rand(d_in, d_out), requires_grad=False)"),
        swap(V1_KEY, "self.W_key = nn.Parameter(torch.rand(d_in, d_out), requires_grad=False)"),
        swap(V1_VALUE, "self.W_value = nn.Parameter(torch.rand(d_in, d_out), requires_grad=False)"),
        caught_by="test_v1_has_three_matrices",
        explanation="""The parameters ask for no gradient. Training would leave the random numbers as they are.""",
    ),
    mistake(
        "V1 scales by the input width",
        swap(
            V1_FORWARD,
            "context, _ = attention(x @ self.W_query * (self.W_query.shape[1] / x.shape[-1]) ** 0.5, "
            "x @ self.W_key, x @ self.W_value)",
        ),
        caught_by="test_v1_is_self_attention",
        explanation="""The scores are divided by the root of d_in, the width of the embedding. What is summed in a score
        is one product for each channel of query and key, and those have d_out channels.""",
    ),
    mistake(
        "V1 mixes x itself",
        swap(V1_FORWARD, "context, _ = attention(x @ self.W_query, x @ self.W_key, x)"),
        caught_by="test_v1_is_self_attention",
        explanation="""The weights are applied to x, not to the values. W_value decides what a token hands over, and here
        nothing passes through it.""",
    ),
    mistake(
        "V1 mixes the keys",
        swap(V1_FORWARD, "context, _ = attention(x @ self.W_query, x @ self.W_key, x @ self.W_key)"),
        caught_by="test_v1_is_self_attention",
        explanation="""The weights are applied to the keys. A key is made for being found; what a token hands over is its
        value.""",
    ),
    mistake(
        "V1 swaps query and key",
        swap(V1_FORWARD, "context, _ = attention(x @ self.W_key, x @ self.W_query, x @ self.W_value)"),
        caught_by="test_v1_is_self_attention",
        explanation="""The keys ask and the queries are found. The module could learn so too, but then W_query and W_key
        carry the wrong names for everybody else.""",
    ),
    mistake(
        "V1 returns a pair",
        swap(
            V1_FORWARD + "\n        return context",
            "return attention(x @ self.W_query, x @ self.W_key, x @ self.W_value)",
        ),
        caught_by="test_v1_is_self_attention",
        explanation="""The module hands on both results of `attention`. The next layer expects one tensor, the
        context.""",
    ),
    mistake(
        "V1 starts from a fixed seed",
        swap(V1_QUERY, "torch.manual_seed(0)\n        " + V1_QUERY),
        caught_by="test_v1_starts_random",
        explanation="""The numbers of a module come from a seed that never changes, so every module that is made starts
        with the same ones. Layers stacked on each other should each start with their own.""",
    ),
    mistake(
        "V1 keeps its first answer",
        swap(
            V1_FORWARD + "\n        return context",
            'if "first" not in self.__dict__:\n'
            "            self.first, _ = attention(x @ self.W_query, x @ self.W_key, x @ self.W_value)\n"
            "        return self.first",
        ),
        caught_by="test_v1_answers_each_input_anew",
        explanation="""What was worked out for one input is kept and given again for the next. Another input of the same
        shape has another answer.""",
    ),
    mistake(
        "V1 cuts the key off from x",
        swap(V1_FORWARD, "context, _ = attention(x @ self.W_query, x.detach() @ self.W_key, x @ self.W_value)"),
        caught_by="test_training_reaches_every_matrix_of_v1",
        explanation="""The keys are made of a copy of x that autograd does not follow. The three matrices can learn, but
        what made x is not told how it should be found.""",
    ),
    # Step 4
    mistake(
        "always with a bias",
        swap(V2_QUERY, "self.W_query = nn.Linear(d_in, d_out)"),
        swap(V2_KEY, "self.W_key = nn.Linear(d_in, d_out)"),
        swap(V2_VALUE, "self.W_value = nn.Linear(d_in, d_out)"),
        caught_by="test_v2_has_three_linear_layers",
        explanation="""The layers have a bias whether it was asked for or not, since `nn.Linear` makes one unless told
        otherwise. `qkv_bias` decides that here.""",
    ),
    mistake(
        "never with a bias",
        swap(V2_QUERY, "self.W_query = nn.Linear(d_in, d_out, bias=False)"),
        swap(V2_KEY, "self.W_key = nn.Linear(d_in, d_out, bias=False)"),
        swap(V2_VALUE, "self.W_value = nn.Linear(d_in, d_out, bias=False)"),
        caught_by="test_v2_has_three_linear_layers",
        explanation="""The layers have no bias, also when `qkv_bias` asks for one. The argument is accepted and then
        forgotten.""",
    ),
    mistake(
        "with a bias unless told otherwise",
        swap("d_out: int, qkv_bias: bool = False)", "d_out: int, qkv_bias: bool = True)"),
        caught_by="test_v2_has_three_linear_layers",
        explanation="""The argument `qkv_bias` is True where nobody says anything. The three layers then have a bias that
        was not asked for.""",
    ),
    mistake(
        "the value has no bias",
        swap(V2_VALUE, "self.W_value = nn.Linear(d_in, d_out, bias=False)"),
        caught_by="test_v2_has_three_linear_layers",
        explanation="""`qkv_bias` reaches the query and the key only. Its v stands for the value, which gets a bias on
        the same terms.""",
    ),
    mistake(
        "the bias is left out of the product",
        swap(
            V2_FORWARD,
            "context, _ = attention(x @ self.W_query.weight.T, x @ self.W_key.weight.T, x @ self.W_value.weight.T)",
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""x is multiplied by the weights of the layers, and their bias is left out. A layer that is called
        like a function does both.""",
    ),
    mistake(
        "V2 has one layer under three names",
        swap(V2_KEY, "self.W_key = self.W_query"),
        swap(V2_VALUE, "self.W_value = self.W_query"),
        caught_by="test_v2_has_three_linear_layers",
        explanation="""All three names mean the same layer, so what is asked, found and handed over is one vector.
        Training one of them trains all.""",
    ),
    mistake(
        "V2 scales by the input width",
        swap(
            V2_FORWARD,
            "context, _ = attention(self.W_query(x) * (self.W_query.out_features / x.shape[-1]) ** 0.5, "
            "self.W_key(x), self.W_value(x))",
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""The scores are divided by the root of d_in, the width of the embedding. What is summed in a score
        is one product for each channel of query and key, and those have d_out channels.""",
    ),
    mistake(
        "V2 mixes x itself",
        swap(V2_FORWARD, "context, _ = attention(self.W_query(x), self.W_key(x), x)"),
        caught_by="test_v2_is_self_attention",
        explanation="""The weights are applied to x, not to the values. W_value decides what a token hands over, and here
        nothing passes through it.""",
    ),
    mistake(
        "V2 mixes the keys",
        swap(V2_FORWARD, "context, _ = attention(self.W_query(x), self.W_key(x), self.W_key(x))"),
        caught_by="test_v2_is_self_attention",
        explanation="""The weights are applied to the keys. A key is made for being found; what a token hands over is its
        value.""",
    ),
    mistake(
        "V2 swaps query and key",
        swap(V2_FORWARD, "context, _ = attention(self.W_key(x), self.W_query(x), self.W_value(x))"),
        caught_by="test_v2_is_self_attention",
        explanation="""The keys ask and the queries are found. The module could learn so too, but then W_query and W_key
        carry the wrong names for everybody else.""",
    ),
    mistake(
        "V2 returns a pair",
        swap(
            V2_FORWARD + "\n        return context", "return attention(self.W_query(x), self.W_key(x), self.W_value(x))"
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""The module hands on both results of `attention`. The next layer expects one tensor, the
        context.""",
    ),
    mistake(
        "V2 keeps its first answer",
        swap(
            V2_FORWARD + "\n        return context",
            'if "first" not in self.__dict__:\n'
            "            self.first, _ = attention(self.W_query(x), self.W_key(x), self.W_value(x))\n"
            "        return self.first",
        ),
        caught_by="test_v2_answers_each_input_anew",
        explanation="""What was worked out for one input is kept and given again for the next. Another input of the same
        shape has another answer.""",
    ),
    mistake(
        "V2 cuts the key off from x",
        swap(V2_FORWARD, "context, _ = attention(self.W_query(x), self.W_key(x.detach()), self.W_value(x))"),
        caught_by="test_training_reaches_every_layer_of_v2",
        explanation="""The keys are made of a copy of x that autograd does not follow. The three layers can learn, but
        what made x is not told how it should be found.""",
    ),
    # Step 5
    mistake(
        "copied without transposing",
        swap(COPY_QUERY, "v2.W_query.weight.copy_(v1.W_query)"),
        swap(COPY_KEY, "v2.W_key.weight.copy_(v1.W_key)"),
        swap(COPY_VALUE, "v2.W_value.weight.copy_(v1.W_value)"),
        caught_by="test_weights_are_transposed_even_where_they_are_square",
        explanation="""The matrices are copied as they stand. `nn.Linear` keeps its matrix the other way round, so rows
        and columns change places on the way.""",
    ),
    mistake(
        "reshaped instead of transposed",
        swap(COPY_QUERY, "v2.W_query.weight.copy_(v1.W_query.reshape(d_out, d_in))"),
        swap(COPY_KEY, "v2.W_key.weight.copy_(v1.W_key.reshape(d_out, d_in))"),
        swap(COPY_VALUE, "v2.W_value.weight.copy_(v1.W_value.reshape(d_out, d_in))"),
        caught_by="test_v2_computes_what_v1_computes",
        explanation="""The numbers are poured into the other shape in reading order. Rows do not become columns that way:
        the shape fits, and the numbers stand in the wrong places.""",
    ),
    mistake(
        "nothing is copied",
        swap(COPY_QUERY, "pass"),
        swap(COPY_KEY, "pass"),
        swap(COPY_VALUE, "pass"),
        caught_by="test_weights_are_transposed_even_where_they_are_square",
        explanation="""The new module keeps the random numbers that it was made with. It has the right shapes and computes
        something else.""",
    ),
    mistake(
        "the value is not copied",
        swap(COPY_VALUE, "pass"),
        caught_by="test_weights_are_transposed_even_where_they_are_square",
        explanation="""W_query and W_key are copied, W_value keeps the random numbers that it was made with. Attention is
        then paid to the right tokens, which hand over something else.""",
    ),
    mistake(
        "all three are copied from the query",
        swap(COPY_KEY, "v2.W_key.weight.copy_(v1.W_query.T)"),
        swap(COPY_VALUE, "v2.W_value.weight.copy_(v1.W_query.T)"),
        caught_by="test_weights_are_transposed_even_where_they_are_square",
        explanation="""W_query goes to all three layers. W_key and W_value of V1 are left behind.""",
    ),
    mistake(
        "only the query is copied",
        swap(COPY_KEY, "pass"),
        swap(COPY_VALUE, "pass"),
        caught_by="test_weights_are_transposed_even_where_they_are_square",
        explanation="""W_query is copied, the other two keep the random numbers that they were made with. All three take
        part in the result.""",
    ),
    mistake(
        "query and key are crossed in the copy",
        swap(COPY_QUERY, "v2.W_query.weight.copy_(v1.W_key.T)"),
        swap(COPY_KEY, "v2.W_key.weight.copy_(v1.W_query.T)"),
        caught_by="test_weights_are_transposed_even_where_they_are_square",
        explanation="""The query's matrix goes to the key and the key's to the query. Both have one shape, so nothing
        complains.""",
    ),
    mistake(
        "key and value are crossed in the copy",
        swap(COPY_KEY, "v2.W_key.weight.copy_(v1.W_value.T)"),
        swap(COPY_VALUE, "v2.W_value.weight.copy_(v1.W_key.T)"),
        caught_by="test_weights_are_transposed_even_where_they_are_square",
        explanation="""The key's matrix goes to the value and the value's to the key. Both have one shape, so nothing
        complains.""",
    ),
    mistake(
        "the new module has a bias of its own",
        swap(
            "v2 = SelfAttentionV2(d_in, d_out).to(v1.W_query)", "v2 = SelfAttentionV2(d_in, d_out, True).to(v1.W_query)"
        ),
        caught_by="test_v2_computes_what_v1_computes",
        explanation="""The new module is made with a bias, which starts at random. V1 has none, so the two do not compute
        the same.""",
    ),
    mistake(
        "both modules share their numbers",
        swap(COPY_QUERY, "v2.W_query.weight = nn.Parameter(v1.W_query.T)"),
        swap(COPY_KEY, "v2.W_key.weight = nn.Parameter(v1.W_key.T)"),
        swap(COPY_VALUE, "v2.W_value.weight = nn.Parameter(v1.W_value.T)"),
        caught_by="test_v2_owns_its_weights",
        explanation="""A transpose is another view of the same memory, and so is a parameter made of it. Training one
        module would change the other.""",
    ),
    mistake(
        "V1 is turned round on the way",
        swap(COPY_QUERY, "v2.W_query.weight.copy_(v1.W_query.t_())"),
        swap(COPY_KEY, "v2.W_key.weight.copy_(v1.W_key.t_())"),
        swap(COPY_VALUE, "v2.W_value.weight.copy_(v1.W_value.t_())"),
        caught_by="test_v1_stays_as_it_was",
        explanation="""The transpose is made in place, in V1 itself. V1 is somebody else's, and its matrices now have the
        wrong shape.""",
    ),
    mistake(
        "the new module is frozen",
        swap("return v2\n", "return v2.requires_grad_(False)\n"),
        caught_by="test_v2_can_be_trained",
        explanation="""The weights of the new module ask for no gradient. The numbers are right, but no training will
        change them.""",
    ),
    mistake(
        "the new weights are no parameters",
        *(
            swap(copy, f"del v2.{name}.weight\n        v2.{name}.weight = v1.{name}.T.clone()")
            for name, copy in (("W_query", COPY_QUERY), ("W_key", COPY_KEY), ("W_value", COPY_VALUE))
        ),
        caught_by="test_v2_can_be_trained",
        explanation="""The weights of the new layers are plain tensors with the right numbers. The module does not count
        them among its parameters, so no optimizer finds them.""",
    ),
    mistake(
        "V1 is frozen on the way",
        swap("return v2\n", "v1.requires_grad_(False)\n    return v2\n"),
        caught_by="test_v1_stays_as_it_was",
        explanation="""After the call the matrices of V1 ask for no gradient any more. V1 is somebody else's, who may
        want to go on training it.""",
    ),
    mistake(
        "the sign of the scores is turned",
        swap(SHIFT, "shifted = scores.amin(dim=dim, keepdim=True) - scores"),
        caught_by="test_softmax_is_the_share_of_the_exponential",
        explanation="""The lowest score gets the largest weight. e is raised to the score, not to what is missing to the largest
        one.""",
    ),
    mistake(
        "one more in the denominator",
        swap(SHARE, "return exponentials / (1 + exponentials.sum(dim=dim, keepdim=True))"),
        caught_by="test_weights_are_not_negative_and_sum_to_one",
        explanation="""1 is added to the sum of the exponentials, as if there were one more score. The weights then sum to less
        than 1.""",
    ),
    mistake(
        "divided by the number of scores",
        swap(SHARE, "return exponentials / scores.shape[dim]"),
        caught_by="test_weights_are_not_negative_and_sum_to_one",
        explanation="""The exponentials are divided by how many there are. It is their sum that makes shares of them.""",
    ),
    mistake(
        "the root of the squares as denominator",
        swap(SHARE, "return exponentials / exponentials.norm(dim=dim, keepdim=True)"),
        caught_by="test_weights_are_not_negative_and_sum_to_one",
        explanation="""The exponentials are divided by their length as a vector. Then their squares sum to 1, not they themselves.""",
    ),
    mistake(
        "the dimension that torch takes when none is given",
        swap(WEIGHTS, "weights = softmax(scores / key.shape[-1] ** 0.5, dim=0 if scores.ndim in (0, 1, 3) else 1)"),
        caught_by="test_every_query_shares_out_its_attention",
        explanation="""Without `dim`, torch's softmax once took dimension 0 for three dimensions and 1 for others. Each query
        shares its attention out among the keys, which are the last dimension.""",
    ),
    mistake(
        "scaled by the fourth root",
        swap(WEIGHTS, "weights = softmax(scores / key.shape[-1] ** 0.25)"),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""The scores are divided by the fourth root of the width. That is the share of query or key alone, where both
        are scaled before the product.""",
    ),
    mistake(
        "scaled by the number of all scores",
        swap(WEIGHTS, "weights = softmax(scores / scores[0].numel() ** 0.5)"),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""The scale is made of how many scores there are. What counts is how many products each of them sums: the
        width of the keys.""",
    ),
    mistake(
        "the last key is not looked at",
        swap(WEIGHTS, "weights = softmax(scores[..., :-1] / key.shape[-1] ** 0.5)"),
        swap(
            "return weights @ value, weights  #",
            "weights = torch.cat([weights, 0 * scores[..., -1:]], dim=-1)\n    return weights @ value, weights  #",
        ),
        caught_by="test_every_query_shares_out_its_attention",
        explanation="""The scores of the last key are left out, and its weight is 0. Every query looks at every key.""",
    ),
    mistake(
        "the weights are rounded",
        swap(WEIGHTS, WEIGHTS + ".round(decimals=4)"),
        caught_by="test_every_query_shares_out_its_attention",
        explanation="""The weights are rounded to four decimals, as they are printed. Then no row sums to exactly 1, and no
        gradient passes.""",
    ),
    mistake(
        "V1 turns every dimension of the key round",
        swap(
            V1_FORWARD,
            "query, key, value = x @ self.W_query, x @ self.W_key, x @ self.W_value\n        weights = softmax(query @ key.T / key.shape[-1] ** 0.5)\n        context = weights @ value",
        ),
        caught_by="test_v1_is_self_attention",
        explanation="""`.T` turns the order of all dimensions round, the batch included. It fits a single sequence; in a batch only
        the last two dimensions change places.""",
    ),
    mistake(
        "V1 does not scale",
        swap(
            V1_FORWARD,
            "query, key, value = x @ self.W_query, x @ self.W_key, x @ self.W_value\n        weights = softmax(query @ key.transpose(1, 2))\n        context = weights @ value",
        ),
        caught_by="test_v1_is_self_attention",
        explanation="""The scores are not divided by the root of the width. The wider the keys, the nearer the weights come to 0
        and 1.""",
    ),
    mistake(
        "V1 divides by the width",
        swap(
            V1_FORWARD,
            "query, key, value = x @ self.W_query, x @ self.W_key, x @ self.W_value\n        weights = softmax(query @ key.transpose(1, 2) / key.shape[-1])\n        context = weights @ value",
        ),
        caught_by="test_v1_is_self_attention",
        explanation="""The scores are divided by the width itself. Their spread grows like its root.""",
    ),
    mistake(
        "V1 multiplies by the root",
        swap(
            V1_FORWARD,
            "query, key, value = x @ self.W_query, x @ self.W_key, x @ self.W_value\n        weights = softmax(query @ key.transpose(1, 2) * key.shape[-1] ** 0.5)\n        context = weights @ value",
        ),
        caught_by="test_v1_is_self_attention",
        explanation="""The scores are made larger by the root of the width. Wide keys make them large enough already.""",
    ),
    mistake(
        "V1 scales by the number of tokens",
        swap(
            V1_FORWARD,
            "query, key, value = x @ self.W_query, x @ self.W_key, x @ self.W_value\n        weights = softmax(query @ key.transpose(1, 2) / key.shape[1] ** 0.5)\n        context = weights @ value",
        ),
        caught_by="test_v1_is_self_attention",
        explanation="""The scores are divided by the root of the number of tokens. What a score sums is one product a channel,
        however many tokens there are.""",
    ),
    mistake(
        "V1 shares out over the queries",
        swap(
            V1_FORWARD,
            "query, key, value = x @ self.W_query, x @ self.W_key, x @ self.W_value\n        weights = softmax(query @ key.transpose(1, 2) / key.shape[-1] ** 0.5, dim=1)\n        context = weights @ value",
        ),
        caught_by="test_v1_is_self_attention",
        explanation="""The weights sum to 1 down each column. Each query shares its attention out among the keys, along its row.""",
    ),
    mistake(
        "V1 shares out over the batch",
        swap(
            V1_FORWARD,
            "query, key, value = x @ self.W_query, x @ self.W_key, x @ self.W_value\n        weights = softmax(query @ key.transpose(1, 2) / key.shape[-1] ** 0.5, dim=0)\n        context = weights @ value",
        ),
        caught_by="test_v1_is_self_attention",
        explanation="""The weights sum to 1 over the sequences of the batch. Sequences of a batch have nothing to do with each
        other.""",
    ),
    mistake(
        "V1 scales after the softmax",
        swap(
            V1_FORWARD,
            "query, key, value = x @ self.W_query, x @ self.W_key, x @ self.W_value\n        weights = softmax(query @ key.transpose(1, 2)) / key.shape[-1] ** 0.5\n        context = weights @ value",
        ),
        caught_by="test_v1_is_self_attention",
        explanation="""The weights are divided, not the scores. They no longer sum to 1, and the softmax was as sharp as without a
        scale.""",
    ),
    mistake(
        "V1 takes no softmax",
        swap(
            V1_FORWARD,
            "query, key, value = x @ self.W_query, x @ self.W_key, x @ self.W_value\n        weights = query @ key.transpose(1, 2) / key.shape[-1] ** 0.5\n        context = weights @ value",
        ),
        caught_by="test_v1_is_self_attention",
        explanation="""The scores themselves are the weights. They may be negative, and they sum to anything.""",
    ),
    mistake(
        "V1 weighs each value by what it looks at",
        swap(
            V1_FORWARD,
            "query, key, value = x @ self.W_query, x @ self.W_key, x @ self.W_value\n        weights = softmax(query @ key.transpose(1, 2) / key.shape[-1] ** 0.5).transpose(1, 2)\n        context = weights @ value",
        ),
        caught_by="test_v1_is_self_attention",
        explanation="""The weights are transposed before the values are mixed. Row i of the weights tells what token i takes, not
        what it gives.""",
    ),
    mistake(
        "V1 takes the mean of the values",
        swap(
            V1_FORWARD,
            "query, key, value = x @ self.W_query, x @ self.W_key, x @ self.W_value\n        weights = torch.full_like(query @ key.transpose(1, 2), 1 / x.shape[1])\n        context = weights @ value",
        ),
        caught_by="test_v1_is_self_attention",
        explanation="""Every token gets the same weight, whatever the query and the keys say. The scores decide who is heard.""",
    ),
    mistake(
        "V1 adds the values",
        swap(
            V1_FORWARD,
            "query, key, value = x @ self.W_query, x @ self.W_key, x @ self.W_value\n        weights = softmax(query @ key.transpose(1, 2) / key.shape[-1] ** 0.5)\n        context = weights @ value + value",
        ),
        caught_by="test_v1_is_self_attention",
        explanation="""A token's own value is added to its context. A shortcut belongs around the whole module, and comes later.""",
    ),
    mistake(
        "V2 turns every dimension of the key round",
        swap(
            V2_FORWARD,
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)\n        weights = softmax(query @ key.T / key.shape[-1] ** 0.5)\n        context = weights @ value",
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""`.T` turns the order of all dimensions round, the batch included. It fits a single sequence; in a batch only
        the last two dimensions change places.""",
    ),
    mistake(
        "V2 does not scale",
        swap(
            V2_FORWARD,
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)\n        weights = softmax(query @ key.transpose(1, 2))\n        context = weights @ value",
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""The scores are not divided by the root of the width. The wider the keys, the nearer the weights come to 0
        and 1.""",
    ),
    mistake(
        "V2 divides by the width",
        swap(
            V2_FORWARD,
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)\n        weights = softmax(query @ key.transpose(1, 2) / key.shape[-1])\n        context = weights @ value",
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""The scores are divided by the width itself. Their spread grows like its root.""",
    ),
    mistake(
        "V2 multiplies by the root",
        swap(
            V2_FORWARD,
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)\n        weights = softmax(query @ key.transpose(1, 2) * key.shape[-1] ** 0.5)\n        context = weights @ value",
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""The scores are made larger by the root of the width. Wide keys make them large enough already.""",
    ),
    mistake(
        "V2 scales by the number of tokens",
        swap(
            V2_FORWARD,
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)\n        weights = softmax(query @ key.transpose(1, 2) / key.shape[1] ** 0.5)\n        context = weights @ value",
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""The scores are divided by the root of the number of tokens. What a score sums is one product a channel,
        however many tokens there are.""",
    ),
    mistake(
        "V2 shares out over the queries",
        swap(
            V2_FORWARD,
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)\n        weights = softmax(query @ key.transpose(1, 2) / key.shape[-1] ** 0.5, dim=1)\n        context = weights @ value",
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""The weights sum to 1 down each column. Each query shares its attention out among the keys, along its row.""",
    ),
    mistake(
        "V2 shares out over the batch",
        swap(
            V2_FORWARD,
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)\n        weights = softmax(query @ key.transpose(1, 2) / key.shape[-1] ** 0.5, dim=0)\n        context = weights @ value",
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""The weights sum to 1 over the sequences of the batch. Sequences of a batch have nothing to do with each
        other.""",
    ),
    mistake(
        "V2 scales after the softmax",
        swap(
            V2_FORWARD,
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)\n        weights = softmax(query @ key.transpose(1, 2)) / key.shape[-1] ** 0.5\n        context = weights @ value",
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""The weights are divided, not the scores. They no longer sum to 1, and the softmax was as sharp as without a
        scale.""",
    ),
    mistake(
        "V2 takes no softmax",
        swap(
            V2_FORWARD,
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)\n        weights = query @ key.transpose(1, 2) / key.shape[-1] ** 0.5\n        context = weights @ value",
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""The scores themselves are the weights. They may be negative, and they sum to anything.""",
    ),
    mistake(
        "V2 weighs each value by what it looks at",
        swap(
            V2_FORWARD,
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)\n        weights = softmax(query @ key.transpose(1, 2) / key.shape[-1] ** 0.5).transpose(1, 2)\n        context = weights @ value",
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""The weights are transposed before the values are mixed. Row i of the weights tells what token i takes, not
        what it gives.""",
    ),
    mistake(
        "V2 takes the mean of the values",
        swap(
            V2_FORWARD,
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)\n        weights = torch.full_like(query @ key.transpose(1, 2), 1 / x.shape[1])\n        context = weights @ value",
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""Every token gets the same weight, whatever the query and the keys say. The scores decide who is heard.""",
    ),
    mistake(
        "V2 adds the values",
        swap(
            V2_FORWARD,
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)\n        weights = softmax(query @ key.transpose(1, 2) / key.shape[-1] ** 0.5)\n        context = weights @ value + value",
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""A token's own value is added to its context. A shortcut belongs around the whole module, and comes later.""",
    ),
    mistake(
        "V1 multiplies by its matrices turned round",
        swap(V1_FORWARD, "context, _ = attention(x @ self.W_query.T, x @ self.W_key.T, x @ self.W_value.T)"),
        caught_by="test_v1_is_self_attention",
        explanation="""The matrices are transposed before x meets them, as `nn.Linear` does with its own. V1's have the shape
        (d_in, d_out) already.""",
    ),
    mistake(
        "the new module has its sizes exchanged",
        swap("v2 = SelfAttentionV2(d_in, d_out)", "v2 = SelfAttentionV2(d_out, d_in)"),
        caught_by="test_v2_computes_what_v1_computes",
        explanation="""The new module goes from d_out to d_in. V1's matrices are (d_in, d_out), and `nn.Linear` is told the width
        that comes in first.""",
    ),
    mistake(
        "the matrices are added to the start",
        swap(COPY_QUERY, "v2.W_query.weight.add_(v1.W_query.T)"),
        swap(COPY_KEY, "v2.W_key.weight.add_(v1.W_key.T)"),
        swap(COPY_VALUE, "v2.W_value.weight.add_(v1.W_value.T)"),
        caught_by="test_weights_are_transposed_even_where_they_are_square",
        explanation="""V1's numbers are added to those that the new layers start with. They take their place.""",
    ),
    mistake(
        "divided by the number of keys",
        swap(WEIGHTS, "weights = softmax(scores / key.shape[-2])"),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""The scores are divided by how many keys there are. What a score sums is one product a channel, however many
        tokens there are.""",
    ),
    mistake(
        "V1 divides by the number of tokens",
        swap(
            V1_FORWARD,
            "query, key, value = x @ self.W_query, x @ self.W_key, x @ self.W_value\n        weights = softmax(query @ key.transpose(1, 2) / x.shape[1])\n        context = weights @ value",
        ),
        caught_by="test_v1_is_self_attention",
        explanation="""The scores are divided by the number of tokens. What a score sums is one product a channel, however many
        tokens there are.""",
    ),
    mistake(
        "V1 divides by the input width",
        swap(
            V1_FORWARD,
            "query, key, value = x @ self.W_query, x @ self.W_key, x @ self.W_value\n        weights = softmax(query @ key.transpose(1, 2) / x.shape[-1])\n        context = weights @ value",
        ),
        caught_by="test_v1_is_self_attention",
        explanation="""The scores are divided by the width of x, and by all of it. It is the root of the key's width that their
        spread grows with.""",
    ),
    mistake(
        "V2 divides by the number of tokens",
        swap(
            V2_FORWARD,
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)\n        weights = softmax(query @ key.transpose(1, 2) / x.shape[1])\n        context = weights @ value",
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""The scores are divided by the number of tokens. What a score sums is one product a channel, however many
        tokens there are.""",
    ),
    mistake(
        "V2 divides by the input width",
        swap(
            V2_FORWARD,
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)\n        weights = softmax(query @ key.transpose(1, 2) / x.shape[-1])\n        context = weights @ value",
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""The scores are divided by the width of x, and by all of it. It is the root of the key's width that their
        spread grows with.""",
    ),
    mistake(
        "the dtype of V1 is lost",
        swap("v2 = SelfAttentionV2(d_in, d_out).to(v1.W_query)", "v2 = SelfAttentionV2(d_in, d_out)"),
        caught_by="test_v2_keeps_the_dtype_of_v1",
        explanation="""The new module has the default dtype, whatever that of V1 is, and its numbers are rounded on the way. It
        computes exactly what V1 computes.""",
    ),
    # Any other number
    family(
        "scores beyond {c} are cut off",
        swap(SHIFT, "shifted = scores.clamp(-{c}, {c})"),
        constants=(1.0, 10.0, 50.0, 80.0, 700.0),
        caught_by="test_softmax_survives_large_scores",
        explanation="""Scores beyond ±{c} are set to ±{c}, so that nothing overflows. Two scores beyond the edge then count as equal,
        however far apart they are.""",
    ),
    family(
        "scores above {c} are cut off",
        swap(SHIFT, "shifted = scores.clamp(max={c})"),
        constants=(1.0, 10.0, 50.0, 80.0, 700.0),
        caught_by="test_softmax_survives_large_scores",
        explanation="""Scores above {c} are set to {c}, so that nothing overflows. Two scores above it then count as equal, however
        far apart they are.""",
    ),
    family(
        "low scores are lifted to {c}",
        swap(EXP, "exponentials = shifted.clamp(min={c}).exp()"),
        constants=(-2.0, -5.0, -10.0, -20.0, -30.0),
        caught_by="test_every_weight_is_right_however_small",
        explanation="""Scores that are further below the largest than {c} are lifted to there. The small weights are then too large,
        and all of them equal.""",
    ),
    family(
        "{c} is added to the sum",
        swap(SHARE, "return exponentials / (exponentials.sum(dim=dim, keepdim=True) + {c})"),
        constants=(1e-6, 1e-4, 0.01, 0.1),
        caught_by="test_weights_are_not_negative_and_sum_to_one",
        explanation="""{c} is added to the sum of the exponentials, to be safe from a division by 0. The sum is never below 1 here, and
        the weights no longer sum to 1.""",
    ),
    family(
        "powers of {c} instead of e",
        swap(EXP, "exponentials = {c} ** shifted"),
        constants=(1.5, 2.5, 3.0, 10.0),
        caught_by="test_softmax_is_the_share_of_the_exponential",
        explanation="""{c} is raised to the scores instead of e. The weights are positive and sum to 1, but they are not those of
        softmax.""",
    ),
    family(
        "divided by {c}, whatever the width",
        swap(WEIGHTS, "weights = softmax(scores / {c})"),
        constants=(0.1, 0.5, 2.0, 8.0, 64.0),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""The scores are divided by {c}, a number written into the code. By how much they are too large follows from the
        width of the keys.""",
    ),
    family(
        "the scaled scores are multiplied by {c}",
        swap(WEIGHTS, "weights = softmax(scores * {c} / key.shape[-1] ** 0.5)"),
        constants=(0.1, 0.5, 2.0, 10.0),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""Besides the root of the width there is a factor of {c}. The root is all that scales the scores.""",
    ),
    family(
        "divided by the power {c} of the width",
        swap(WEIGHTS, "weights = softmax(scores / key.shape[-1] ** {c})"),
        constants=(-1.0, 0.1, 0.4, 0.75, 2.0),
        caught_by="test_weights_are_the_softmax_of_the_scaled_scores",
        explanation="""The scores are divided by the width to the power of {c}. Their spread grows like the root of the width, the power
        0.5.""",
    ),
    family(
        "V1 divides by {c}, whatever the width",
        swap(
            V1_FORWARD,
            "query, key, value = x @ self.W_query, x @ self.W_key, x @ self.W_value\n        weights = softmax(query @ key.transpose(1, 2) / {c})\n        context = weights @ value",
        ),
        constants=(0.1, 0.5, 2.0, 8.0, 64.0),
        caught_by="test_v1_is_self_attention",
        explanation="""The scores are divided by {c}, a number written into the code. By how much they are too large follows from the
        width of the keys.""",
    ),
    family(
        "V2 divides by {c}, whatever the width",
        swap(
            V2_FORWARD,
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)\n        weights = softmax(query @ key.transpose(1, 2) / {c})\n        context = weights @ value",
        ),
        constants=(0.1, 0.5, 2.0, 8.0, 64.0),
        caught_by="test_v2_is_self_attention",
        explanation="""The scores are divided by {c}, a number written into the code. By how much they are too large follows from the
        width of the keys.""",
    ),
    mistake(
        "the key is left out of the copy",
        swap(COPY_KEY, "pass"),
        caught_by="test_weights_are_transposed_even_where_they_are_square",
        explanation="""The keys of the new module keep the numbers that they started with. All three matrices are copied.""",
    ),
    mistake(
        "the query is left out of the copy",
        swap(COPY_QUERY, "pass"),
        caught_by="test_weights_are_transposed_even_where_they_are_square",
        explanation="""The queries of the new module keep the numbers that they started with. All three matrices are copied.""",
    ),
    mistake(
        "both modules share a single row or column",
        swap(COPY_QUERY, "v2.W_query.weight = nn.Parameter(v1.W_query.T.contiguous())"),
        swap(COPY_KEY, "v2.W_key.weight = nn.Parameter(v1.W_key.T.contiguous())"),
        swap(COPY_VALUE, "v2.W_value.weight = nn.Parameter(v1.W_value.T.contiguous())"),
        caught_by="test_v2_owns_its_weights",
        explanation="""`contiguous` copies only what is not contiguous already, and the transpose of a single row or column
        is. Both modules then share their numbers.""",
    ),
    mistake(
        "dimensions are reshaped, not moved",
        swap(
            SHIFT,
            "shape, scores = scores.shape, scores.reshape(-1, scores.shape[dim])\n    "
            + SHIFT.replace("dim=dim", "dim=1"),
        ),
        swap(SHARE, "return (exponentials / exponentials.sum(dim=1, keepdim=True)).reshape(shape)"),
        caught_by="test_softmax_runs_along_dim",
        explanation="""The scores are reshaped into rows as long as `dim`. For any dimension but the last those rows hold
        numbers of others: it has to be moved to the end first.""",
    ),
    mistake(
        "the sum is cut off from its scores",
        swap(SHARE, "return exponentials / exponentials.sum(dim=dim, keepdim=True).detach()"),
        caught_by="test_gradients_pass_through_softmax",
        explanation="""The sum is detached, as if it were a constant. It is made of the scores, and raising one of them lowers
        the shares of the others.""",
    ),
    mistake(
        "the weights are returned turned round",
        swap(RESULT, "return weights @ value, weights.transpose(-2, -1)"),
        caught_by="test_every_query_shares_out_its_attention",
        explanation="""The context is right, and the weights come with the keys as rows. Row i belongs to query i.""",
    ),
    mistake(
        "the query has no bias",
        swap(V2_QUERY, "self.W_query = nn.Linear(d_in, d_out, bias=False)"),
        caught_by="test_v2_has_three_linear_layers",
        explanation="""`qkv_bias` reaches the key and the value only. Its q stands for the query, which gets a bias on the
        same terms.""",
    ),
    mistake(
        "the key has no bias",
        swap(V2_KEY, "self.W_key = nn.Linear(d_in, d_out, bias=False)"),
        caught_by="test_v2_has_three_linear_layers",
        explanation="""`qkv_bias` reaches the query and the value only. Its k stands for the key, which gets a bias on the
        same terms.""",
    ),
    mistake(
        "V1 mixes the queries",
        swap(V1_FORWARD, "context, _ = attention(x @ self.W_query, x @ self.W_key, x @ self.W_query)"),
        caught_by="test_v1_is_self_attention",
        explanation="""The weights are applied to the queries. A query is made for looking; what a token hands over is its
        value.""",
    ),
    mistake(
        "V2 mixes the queries",
        swap(V2_FORWARD, "context, _ = attention(self.W_query(x), self.W_key(x), self.W_query(x))"),
        caught_by="test_v2_is_self_attention",
        explanation="""The weights are applied to the queries. A query is made for looking; what a token hands over is its
        value.""",
    ),
    mistake(
        "V1 takes the batch for one long sequence",
        swap(
            V1_FORWARD,
            "flat = x.reshape(-1, x.shape[-1])\n        context, _ = attention(flat @ self.W_query, flat @ self.W_key, flat @ self.W_value)\n        context = context.reshape(*x.shape[:-1], -1)",
        ),
        caught_by="test_v1_is_self_attention",
        explanation="""All sequences of the batch are laid end to end, and every token looks at the tokens of all. A
        sequence is looked at by itself.""",
    ),
    mistake(
        "V2 takes the batch for one long sequence",
        swap(
            V2_FORWARD,
            "flat = x.reshape(-1, x.shape[-1])\n        context, _ = attention(self.W_query(flat), self.W_key(flat), self.W_value(flat))\n        context = context.reshape(*x.shape[:-1], -1)",
        ),
        caught_by="test_v2_is_self_attention",
        explanation="""All sequences of the batch are laid end to end, and every token looks at the tokens of all. A
        sequence is looked at by itself.""",
    ),
]
