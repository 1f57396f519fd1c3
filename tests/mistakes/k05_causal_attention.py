"""k05: what people get wrong about causal attention."""

from dojo.spec import family, mistake, swap

SCORES = "scores = query @ key.transpose(1, 2) / key.shape[-1] ** 0.5  # (B, T, T)"
WEIGHTS = "weights = masked_softmax(scores, self.mask[:tokens, :tokens])"
MASK = "return torch.triu(torch.ones(tokens, tokens, dtype=torch.bool), diagonal=1)"
FILL = "return softmax(scores.masked_fill(mask, -torch.inf))"
KEEP = "keep = torch.rand(x.shape, generator=generator, device=x.device) >= rate"
DROP = "return x * keep / (1 - rate)"
MAKE_QUERY = "self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)"
MAKE_KEY = "self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)"
MAKE_VALUE = "self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)"
MIX = "return self.dropout(weights) @ value  # (B, T, d_out)"

LOW, FORWARD_LOW = "test_no_visible_score_is_too_low", "test_no_visible_score_is_too_low_for_the_mask"
OUTPUT = "test_output_is_causal_attention"

MISTAKES = [
    # Step 1
    mistake(
        "the diagonal is hidden",
        swap(MASK, "return torch.triu(torch.ones(tokens, tokens, dtype=torch.bool), diagonal=0)"),
        caught_by="test_mask_is_true_exactly_for_later_tokens",
        explanation="""The mask also hides each token from itself. A token may look at its own position, and the first
        token has nothing else to look at.""",
    ),
    mistake(
        "one future token is visible",
        swap(MASK, "return torch.triu(torch.ones(tokens, tokens, dtype=torch.bool), diagonal=2)"),
        caught_by="test_mask_is_true_exactly_for_later_tokens",
        explanation="""The mask starts one diagonal too far out, so each token sees its successor. The successor is
        what the model has to predict.""",
    ),
    mistake(
        "the past is hidden",
        swap(MASK, "return torch.tril(torch.ones(tokens, tokens, dtype=torch.bool), diagonal=-1)"),
        caught_by="test_mask_is_true_exactly_for_later_tokens",
        explanation="""The mask hides earlier tokens and leaves later ones visible. Rows are queries and columns are
        keys, and a query may look back only.""",
    ),
    mistake(
        "True means visible",
        swap(MASK, "return torch.tril(torch.ones(tokens, tokens, dtype=torch.bool))"),
        caught_by="test_mask_is_true_exactly_for_later_tokens",
        explanation="""The mask is True where a token may look. Here it is the other way round: True marks what is
        hidden.""",
    ),
    mistake(
        "nothing is hidden",
        swap(MASK, "return torch.zeros(tokens, tokens, dtype=torch.bool)"),
        caught_by="test_mask_is_true_exactly_for_later_tokens",
        explanation="""The mask hides nothing. Every token then sees the whole sequence, the answers included.""",
    ),
    mistake(
        "the mask is made of numbers",
        swap(MASK, "return torch.triu(torch.ones(tokens, tokens), diagonal=1)"),
        caught_by="test_mask_is_true_exactly_for_later_tokens",
        explanation="""The mask holds floating-point ones and zeros. It answers yes or no, and `masked_fill` takes
        nothing but a bool mask.""",
    ),
    mistake(
        "the mask is made of -inf",
        swap(MASK, "return torch.full((tokens, tokens), -torch.inf).triu(diagonal=1)"),
        caught_by="test_mask_is_true_exactly_for_later_tokens",
        explanation="""The mask is what would be added to the scores, 0 and minus infinity. Here it only says what is
        hidden: True or False.""",
    ),
    mistake(
        "everything but the token itself is hidden",
        swap(MASK, "return ~torch.eye(tokens, dtype=torch.bool)"),
        caught_by="test_mask_is_true_exactly_for_later_tokens",
        explanation="""Each token sees only itself. What comes before it is what it is meant to look back at.""",
    ),
    # Step 2
    mistake(
        "the mask is ignored",
        swap(FILL, "return softmax(scores)"),
        caught_by="test_hidden_weights_are_exactly_zero",
        explanation="""The softmax runs over all scores, hidden or not. Hidden entries keep a share of the weight, and
        with it the future leaks.""",
    ),
    mistake(
        "another mask than the one handed over",
        swap(FILL, "return softmax(scores.masked_fill(causal_mask(scores.shape[-1]), -torch.inf))"),
        caught_by="test_hidden_weights_are_exactly_zero",
        explanation="""A causal mask is made here, whatever mask was handed over. Which entries are hidden is for the
        caller to say.""",
    ),
    mistake(
        "the mask is turned round",
        swap(FILL, "return softmax(scores.masked_fill(mask.T, -torch.inf))"),
        caught_by="test_hidden_weights_are_exactly_zero",
        explanation="""Rows and columns of the mask are exchanged. Entry (i, j) of the mask is about entry (i, j) of the
        scores.""",
    ),
    mistake(
        "0 times infinity",
        swap(FILL, "return softmax(scores + mask * -torch.inf)"),
        caught_by="test_hidden_weights_are_exactly_zero",
        explanation="""The mask is multiplied by minus infinity and added. Where it is False that is 0 times infinity,
        which is not a number.""",
    ),
    mistake(
        "the mask is added",
        swap(FILL, "return softmax(scores + mask)"),
        caught_by="test_hidden_weights_are_exactly_zero",
        explanation="""Hidden scores grow by 1, since True counts as 1. They get more weight than before, not none.""",
    ),
    mistake(
        "hidden scores are filled with 0",
        swap(FILL, "return softmax(scores.masked_fill(mask, 0.0))"),
        caught_by="test_hidden_weights_are_exactly_zero",
        explanation="""A hidden score becomes 0 before the softmax, by filling or by multiplying. The exponential of 0 is
        1, so a hidden entry still gets weight.""",
    ),
    mistake(
        "the visible scores are filled",
        swap(FILL, "return softmax(scores.masked_fill(~mask, -torch.inf))"),
        caught_by="test_hidden_weights_are_exactly_zero",
        explanation="""The fill goes where the mask is False, so what should be seen is hidden and the reverse. The
        mask is True where an entry is hidden.""",
    ),
    family(
        "a fill of {c} can be overcome",
        swap(FILL, "return softmax(scores.masked_fill(mask, {c}))"),
        constants=(-0.1, -1.0, -3.0, -10.0, -30.0, -100.0, -1e3, -1e4, -65504.0, -1e6),
        caught_by=LOW,
        explanation="""A hidden score becomes {c}, which is not the lowest score there can be. Where visible scores come
        near it, hidden entries get weight, and where they fall below it, the hidden entries win the softmax.""",
    ),
    mistake(
        "masked after the softmax",
        swap(FILL, "return softmax(scores).masked_fill(mask, 0.0)"),
        caught_by="test_visible_weights_are_the_softmax_of_the_visible_scores",
        explanation="""Hidden weights are set to 0 after the softmax has shared out the whole. The rows then sum to less
        than 1, and what is left depends on the hidden scores.""",
    ),
    mistake(
        "weights are filled with -inf",
        swap(FILL, "return softmax(scores).masked_fill(mask, -torch.inf)"),
        caught_by="test_hidden_weights_are_exactly_zero",
        explanation="""Minus infinity is filled in after the softmax, as a weight. A hidden token has the weight 0;
        minus infinity is the score that leads there.""",
    ),
    mistake(
        "masked after the exponential, then renormalised",
        swap(
            FILL,
            "weights = softmax(scores).masked_fill(mask, 0.0)\n    return weights / weights.sum(dim=-1, keepdim=True)",
        ),
        caught_by="test_extreme_scores_do_not_break_the_mask",
        explanation="""Hidden entries are set to 0 after the exponential, within a softmax or behind it, and each row is
        divided by what is left: right for ordinary scores. Where a hidden score is far above the visible ones, all
        visible entries round to 0 beside it, and the division is 0/0.""",
    ),
    mistake(
        "the softmax runs over the queries",
        swap(FILL, "return softmax(scores.masked_fill(mask, -torch.inf), dim=-2).nan_to_num(0.0)"),
        caught_by="test_visible_weights_are_the_softmax_of_the_visible_scores",
        explanation="""The weights sum to 1 down each column, over the queries. Each query shares its attention out
        among the keys, along its own row.""",
    ),
    mistake(
        "softmax along dimension 1",
        swap(FILL, "return softmax(scores.masked_fill(mask, -torch.inf), dim=1)"),
        caught_by="test_visible_weights_are_the_softmax_of_the_visible_scores",
        explanation="""Which dimension is meant is counted from the front. Those are the keys in a plain matrix, and the
        queries in a batch of them.""",
    ),
    mistake(
        "scores are filled in place",
        swap(FILL, "return softmax(scores.masked_fill_(mask, -torch.inf))"),
        caught_by="test_masked_softmax_leaves_its_arguments_alone",
        explanation="""The function with a trailing underscore writes into the scores that it was given. Whoever
        called still holds that tensor, and finds it changed.""",
    ),
    # Step 3
    mistake(
        "dropout is on outside training",
        swap("if not training or rate == 0:", "if rate == 0:"),
        caught_by="test_dropout_does_nothing_outside_training",
        explanation="""Entries are dropped whatever `training` says. A trained model would give another answer each time
        it is asked.""",
    ),
    mistake(
        "what survives is not scaled",
        swap(DROP, "return x * keep"),
        caught_by="test_dropout_zeroes_or_scales",
        explanation="""Entries are dropped and the survivors stay as they are. The sum is then smaller in training than
        later, when nothing is dropped.""",
    ),
    mistake(
        "scaled by 1/rate",
        swap(DROP, "return x * keep / rate"),
        caught_by="test_dropout_zeroes_or_scales",
        explanation="""The survivors are divided by the share that is dropped. At a rate of 0.5 this happens to be
        right, at any other the expected value is lost.""",
    ),
    mistake(
        "scaled the wrong way",
        swap(DROP, "return x * keep * (1 - rate)"),
        caught_by="test_dropout_zeroes_or_scales",
        explanation="""The survivors are made smaller. They have to make up for what is missing, so they have to
        grow.""",
    ),
    mistake(
        "scaled by what really survived",
        swap(DROP, "return x * keep / keep.to(x.dtype).mean()"),
        caught_by="test_gradients_pass_through_dropout",
        explanation="""The survivors are divided by the share that happened to survive this time. The factor is 1 / (1 -
        rate), the same in every call.""",
    ),
    mistake(
        "what is left sums to the same again",
        swap(DROP, "return x * keep * (x.sum(dim=-1, keepdim=True) / (x * keep).sum(dim=-1, keepdim=True))"),
        caught_by="test_gradients_pass_through_dropout",
        explanation="""Each row is made to sum to what it summed to before. Dropout keeps that on average only, with one
        factor for all entries.""",
    ),
    mistake(
        "normal noise decides",
        swap(KEEP, "keep = torch.randn(x.shape, generator=generator, device=x.device) >= rate"),
        caught_by="test_dropout_keeps_the_expected_share",
        explanation="""What is compared with the rate is drawn from a normal distribution. A number is below `rate` with
        probability `rate` only if it is uniform between 0 and 1.""",
    ),
    mistake(
        "keeps what should be dropped",
        swap(KEEP, "keep = torch.rand(x.shape, generator=generator, device=x.device) < rate"),
        caught_by="test_dropout_keeps_the_expected_share",
        explanation="""About `rate` of the entries survive, not 1 - rate. `rate` is the share that goes.""",
    ),
    mistake(
        "a small rate counts as none",
        swap("if not training or rate == 0:", "if not training or rate < 0.1:"),
        caught_by="test_dropout_draws_from_the_generator",
        explanation="""Below a rate of one tenth nothing is dropped at all. Only a rate of 0 leaves everything.""",
    ),
    mistake(
        "whole rows are dropped",
        swap(KEEP, "keep = torch.rand((*x.shape[:-1], 1), generator=generator, device=x.device) >= rate"),
        caught_by="test_dropout_keeps_the_expected_share",
        explanation="""One random number decides for a whole row. Each entry is dropped on its own.""",
    ),
    mistake(
        "whole columns are dropped",
        swap(KEEP, "keep = torch.rand(x.shape[-1], generator=generator, device=x.device) >= rate"),
        caught_by="test_dropout_keeps_the_expected_share",
        explanation="""One random number decides for a whole column. Each entry is dropped on its own.""",
    ),
    mistake(
        "entries are dropped in place",
        swap(DROP, "return x.mul_(keep) / (1 - rate)"),
        caught_by="test_dropout_zeroes_or_scales",
        explanation="""The entries are set to 0 in the tensor that was handed over. Whoever called still holds it, and
        finds it changed.""",
    ),
    mistake(
        "what is left alone is scaled",
        swap("rate == 0:\n        return x\n", "rate == 0:\n        return x * (1 - rate)\n"),
        caught_by="test_dropout_does_nothing_outside_training",
        explanation="""Outside training the entries are made smaller. That goes with a dropout that does not scale in
        training; here the survivors are scaled then, so that nothing is left to do later.""",
    ),
    mistake(
        "the generator is ignored",
        swap(KEEP, "keep = torch.rand(x.shape, device=x.device) >= rate"),
        caught_by="test_dropout_draws_from_the_generator",
        explanation="""The random numbers come from torch's global generator, not from the one that was handed over.
        A run can then not be repeated by giving it an equal generator.""",
    ),
    mistake(
        "a new generator where none is given",
        swap(KEEP, "generator = generator or torch.Generator()\n    " + KEEP),
        caught_by="test_dropout_needs_no_generator",
        explanation="""Without a generator, the code makes a new one at every call, and a new generator starts from a
        fixed seed. The same entries are then dropped every time.""",
    ),
    mistake(
        "the global seed is set",
        swap(KEEP, "torch.manual_seed(0)\n    " + KEEP),
        caught_by="test_dropout_needs_no_generator",
        explanation="""Every call sets torch's global seed to the same number. The same entries are then dropped every
        time, and whatever else draws at random repeats itself too.""",
    ),
    mistake(
        "what dropout keeps is cut off",
        swap(DROP, "return x.detach() * keep / (1 - rate)"),
        caught_by="test_gradients_pass_through_dropout",
        explanation="""The entries are taken out of what autograd follows before they are dropped or scaled. In training
        no gradient comes back to x, so nothing before the dropout can learn.""",
    ),
    mistake(
        "what dropout leaves alone is cut off",
        swap("rate == 0:\n        return x\n", "rate == 0:\n        return x.detach()\n"),
        caught_by="test_gradients_pass_through_dropout",
        explanation="""Where nothing is dropped, x comes back outside of what autograd follows. The numbers are right,
        and no gradient passes.""",
    ),
    mistake(
        "always the same number is dropped",
        swap(
            KEEP,
            "noise = torch.rand(x.numel(), generator=generator, device=x.device)\n"
            "    keep = (noise.argsort().argsort() >= round(rate * x.numel())).view(x.shape)",
        ),
        caught_by="test_number_of_dropped_entries_is_left_to_chance",
        explanation="""Which entries are dropped is random, how many is not. Each entry is dropped on its own, whatever
        becomes of the others.""",
    ),
    # Step 4
    mistake(
        "attention without a mask",
        swap(WEIGHTS, "weights = softmax(scores)"),
        caught_by="test_output_is_causal_attention",
        explanation="""The weights come from all scores: nothing is hidden from the softmax. Every token sees the tokens
        that it is meant to predict.""",
    ),
    mistake(
        "the token itself is hidden in forward",
        swap(
            WEIGHTS,
            "weights = masked_softmax(scores, self.mask[:tokens, :tokens] | torch.eye(tokens, dtype=torch.bool))",
        ),
        caught_by="test_output_is_causal_attention",
        explanation="""The mask that meets the scores hides the diagonal as well. The first token then sees nothing at
        all, and a softmax over nothing is not a number.""",
    ),
    mistake(
        "forward shows one future token",
        swap(WEIGHTS, "weights = masked_softmax(scores, self.mask[:tokens, :tokens].triu(diagonal=2))"),
        caught_by="test_output_is_causal_attention",
        explanation="""The mask that meets the scores begins one place further to the right. Each token sees the one
        that it is meant to predict.""",
    ),
    mistake(
        "forward hides what should be seen",
        swap(WEIGHTS, "weights = masked_softmax(scores, ~self.mask[:tokens, :tokens])"),
        caught_by="test_output_is_causal_attention",
        explanation="""The mask is turned into its opposite before it meets the scores. The past is hidden, and the last
        token sees nothing at all.""",
    ),
    mistake(
        "forward fills hidden scores with 0",
        swap(WEIGHTS, "weights = softmax(scores.masked_fill(self.mask[:tokens, :tokens], 0.0))"),
        caught_by="test_output_is_causal_attention",
        explanation="""Hidden scores become 0 before the softmax. A score of 0 is an ordinary score, with a weight above
        0.""",
    ),
    family(
        "forward fills with {c}",
        swap(WEIGHTS, "weights = softmax(scores.masked_fill(self.mask[:tokens, :tokens], {c}))"),
        constants=(-0.1, -1.0, -3.0, -10.0, -30.0, -100.0, -1e3, -1e4, -65504.0, -1e6),
        caught_by=FORWARD_LOW,
        explanation="""Hidden scores become {c}. Visible scores may be lower than that, and then the hidden ones win.""",
    ),
    mistake(
        "forward masks after the softmax",
        swap(WEIGHTS, "weights = softmax(scores).masked_fill(self.mask[:tokens, :tokens], 0.0)"),
        caught_by="test_output_is_causal_attention",
        explanation="""The softmax has seen all tokens before the later ones lose their weights. The rows no longer sum
        to 1, and what was hidden still shows in how much is missing.""",
    ),
    mistake(
        "forward masks after the softmax and renormalises",
        swap(
            WEIGHTS,
            "weights = softmax(scores).masked_fill(self.mask[:tokens, :tokens], 0.0)\n        weights = weights / weights.sum(dim=-1, keepdim=True)",
        ),
        caught_by="test_extreme_inputs_do_not_break_the_mask",
        explanation="""The weights of later tokens are set to 0 and the rest is made to sum to 1. That is right on
        ordinary scores, and 0 divided by 0 where a later token had taken all the weight.""",
    ),
    mistake(
        "the softmax of forward runs over the queries",
        swap(WEIGHTS, "weights = softmax(scores.masked_fill(self.mask[:tokens, :tokens], -torch.inf), dim=1)"),
        caught_by="test_output_is_causal_attention",
        explanation="""The weights sum to 1 down each column. Each query shares its attention out among the keys, along
        its row.""",
    ),
    mistake(
        "no scale",
        swap(SCORES, "scores = query @ key.transpose(1, 2)  # (B, T, T)"),
        caught_by="test_output_is_causal_attention",
        explanation="""The scores go into the softmax as they are. Their spread grows with the width of the head, and a
        wide head would look at one token only.""",
    ),
    mistake(
        "scaled by the input width",
        swap(SCORES, "scores = query @ key.transpose(1, 2) / x.shape[-1] ** 0.5  # (B, T, T)"),
        caught_by="test_output_is_causal_attention",
        explanation="""The scores are divided by the root of d_in. What is summed in a score is one product for each
        channel of query and key, and those have d_out channels.""",
    ),
    mistake(
        "scaled by the number of tokens",
        swap(SCORES, "scores = query @ key.transpose(1, 2) / tokens**0.5  # (B, T, T)"),
        caught_by="test_output_is_causal_attention",
        explanation="""The scores are divided by the root of T. What is summed in a score is one product for each
        channel, however many tokens there are.""",
    ),
    mistake(
        "scaled by the context length",
        swap(SCORES, "scores = query @ key.transpose(1, 2) / len(self.mask) ** 0.5  # (B, T, T)"),
        caught_by="test_output_is_causal_attention",
        explanation="""The scores are divided by the root of the context length. What is summed in a score is one
        product for each channel, however long a sequence may be.""",
    ),
    mistake(
        "scaled after the softmax",
        swap(SCORES, "scores = query @ key.transpose(1, 2)  # (B, T, T)"),
        swap(WEIGHTS, WEIGHTS + " / key.shape[-1] ** 0.5"),
        caught_by="test_output_is_causal_attention",
        explanation="""The weights are divided, not the scores. They no longer sum to 1, and the softmax was as sharp as
        without a scale.""",
    ),
    mistake(
        "divided by the width, not its root",
        swap(SCORES, "scores = query @ key.transpose(1, 2) / key.shape[-1]  # (B, T, T)"),
        caught_by="test_output_is_causal_attention",
        explanation="""The scores are divided by d_out itself. It is their standard deviation that grows with the width,
        and that grows like a root.""",
    ),
    mistake(
        "query and key are swapped",
        swap(SCORES, "scores = key @ query.transpose(1, 2) / key.shape[-1] ** 0.5  # (B, T, T)"),
        caught_by="test_output_is_causal_attention",
        explanation="""Row i holds the key of token i against all queries. Rows are for the one who asks: the query of
        token i against all keys.""",
    ),
    mistake(
        "the input is mixed, not the values",
        swap(
            "value = self.W_query(x), self.W_key(x), self.W_value(x)",
            "value = self.W_query(x), self.W_key(x), self.W_key(x)",
        ),
        caught_by="test_output_is_causal_attention",
        explanation="""What is mixed is a projection made for comparing, not the values. W_value decides what a token
        hands on, and here nothing passes through it.""",
    ),
    mistake(
        "query and key share a projection",
        swap("value = self.W_query(x), self.W_key(x), ", "value = self.W_query(x), self.W_query(x), "),
        caught_by="test_output_is_causal_attention",
        explanation="""The keys are made with W_query, and W_key is never used. A token then looks for what it is
        itself.""",
    ),
    mistake(
        "each value is weighed by what it looks at",
        swap(MIX, "return self.dropout(weights).transpose(1, 2) @ value  # (B, T, d_out)"),
        caught_by="test_output_is_causal_attention",
        explanation="""The weights are transposed before the values are mixed. Row i of the weights tells what token i
        takes, not what it gives.""",
    ),
    mistake(
        "the values are added",
        swap(MIX, "return self.dropout(weights) @ value + value  # (B, T, d_out)"),
        caught_by="test_output_is_causal_attention",
        explanation="""A token's own value is added to its context. A shortcut belongs around the whole module, and
        comes later.""",
    ),
    mistake(
        "only the last token is answered",
        swap(MIX, "return (self.dropout(weights) @ value)[:, -1]"),
        caught_by="test_output_is_causal_attention",
        explanation="""What comes back is the context of the last token alone. Every token has a context of its own.""",
    ),
    mistake(
        "a mean over the visible tokens",
        swap(WEIGHTS, "weights = masked_softmax(scores * 0, self.mask[:tokens, :tokens])"),
        caught_by="test_output_is_causal_attention",
        explanation="""Every visible token gets the same weight, whatever the query and the keys say. It is causal,
        but nobody pays attention.""",
    ),
    mistake(
        "each token sees only itself",
        swap(MIX, "return value + 0 * (weights @ value)  # (B, T, d_out)"),
        caught_by="test_output_is_causal_attention",
        explanation="""The output of a token is its own value and nothing else. No information leaks from the future,
        and none comes from the past.""",
    ),
    mistake(
        "the last rows of the mask are used",
        swap(WEIGHTS, "weights = masked_softmax(scores, self.mask[-tokens:, :tokens])"),
        caught_by="test_output_is_causal_attention",
        explanation="""For a sequence shorter than the context length, the rows are cut from the bottom of the mask, where
        nearly everything is visible. Token 0 stands in row 0.""",
    ),
    mistake(
        "the mask is wider than the sequence",
        swap(WEIGHTS, "weights = masked_softmax(scores, self.mask)"),
        caught_by="test_output_is_causal_attention",
        explanation="""The mask that meets the scores still has a column for every token of the context length. As soon as
        a sequence is shorter the two do not fit.""",
    ),
    mistake(
        "the context is always 1024",
        swap(
            'self.register_buffer("mask", causal_mask(context_length))',
            'self.register_buffer("mask", causal_mask(1024))',
        ),
        caught_by="test_the_context_is_as_long_as_asked",
        explanation="""The mask has 1024 rows, as in GPT-2, whatever context length is asked for. A longer sequence
        does not fit.""",
    ),
    mistake(
        "dropout before the softmax",
        swap(WEIGHTS, "weights = masked_softmax(self.dropout(scores), self.mask[:tokens, :tokens])"),
        swap(MIX, "return weights @ value  # (B, T, d_out)"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""Scores are dropped, so some become 0 before the softmax. A score of 0 is an ordinary score, and the
        weight that should be gone is not.""",
    ),
    mistake(
        "dropout on the output",
        swap(MIX, "return self.dropout(weights @ value)  # (B, T, d_out)"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""Single channels of the output are dropped. In this module it is whole looks from one token to
        another that are dropped: the weights.""",
    ),
    mistake(
        "dropout on the values",
        swap(MIX, "return weights @ self.dropout(value)  # (B, T, d_out)"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""Single channels of the values are dropped, for everybody who looks. What is dropped is the look
        of one token at another: a weight.""",
    ),
    mistake(
        "dropout twice",
        swap(MIX, "return self.dropout(self.dropout(weights)) @ value  # (B, T, d_out)"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""The weights are dropped, and what is left is dropped again. More goes than the rate says.""",
    ),
    mistake(
        "dropout on weights and output",
        swap(MIX, "return self.dropout(self.dropout(weights) @ value)  # (B, T, d_out)"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""The weights are dropped, and then channels of the output too. In this module only the weights
        are.""",
    ),
    mistake(
        "renormalised after dropout",
        swap(
            MIX,
            "weights = self.dropout(weights)\n        return weights / weights.sum(dim=-1, keepdim=True).clamp(min=1e-9) @ value  # (B, T, d_out)",
        ),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""After the dropout each row is made to sum to 1 again. The scale of dropout keeps that on average
        already, and no token may rely on the weights of the others.""",
    ),
    mistake(
        "dropout in eval mode, too",
        swap(MIX, "return nn.functional.dropout(weights, self.dropout.p) @ value  # (B, T, d_out)"),
        caught_by="test_output_is_causal_attention",
        explanation="""The function that drops is not told whether the module trains, and without being told it always
        drops. In eval mode nothing may be left to chance.""",
    ),
    mistake(
        "dropout is never used",
        swap(MIX, "return weights @ value  # (B, T, d_out)"),
        caught_by="test_dropout_is_on_in_training_only",
        explanation="""The module has a dropout layer, but forward never calls it. Training is then the same at every
        dropout rate.""",
    ),
    mistake(
        "all rows of a batch drop the same weights",
        swap(MIX, "return weights * self.dropout(torch.ones_like(weights[:1])) @ value  # (B, T, d_out)"),
        caught_by="test_dropout_is_on_in_training_only",
        explanation="""Which weights are dropped is drawn once and serves every row of the batch. Each weight of each row is
        dropped on its own.""",
    ),
    mistake(
        "the mask is left out where no gradients are kept",
        swap(WEIGHTS, WEIGHTS + " if torch.is_grad_enabled() else softmax(scores)"),
        caught_by="test_a_prefix_gives_the_same_outputs",
        explanation="""The mask is used in training alone, where gradients are kept. A model that writes text without them
        sees tokens that it never saw while it learnt.""",
    ),
    mistake(
        "dropout past its module",
        swap(MIX, "return nn.functional.dropout(weights, self.dropout.p, self.training) @ value  # (B, T, d_out)"),
        caught_by="test_weights_pass_through_the_dropout_module",
        explanation="""The weights are dropped by a function, and the module `dropout` only lends its rate. Whoever looks
        at the weights through that module sees nothing.""",
    ),
    mistake(
        "the weights are cut off from training",
        swap(MIX, "return self.dropout(weights.detach()) @ value  # (B, T, d_out)"),
        caught_by="test_training_reaches_every_projection",
        explanation="""The weights are taken out of what autograd follows. The values can learn, but no gradient reaches
        queries and keys.""",
    ),
    mistake(
        "the key is cut off from x",
        swap(
            "query, key, value = self.W_query(x), self.W_key(x), ",
            "query, key, value = self.W_query(x), self.W_key(x.detach()), ",
        ),
        caught_by="test_training_reaches_every_projection",
        explanation="""The keys are made of a copy of x that autograd does not follow. The projections can learn, but
        what made x is not told how it should be found.""",
    ),
    mistake(
        "the first answer is kept",
        swap(
            MIX,
            'if "first" not in self.__dict__ or self.first.shape != value.shape or self.dropout.p > 0:\n'
            "            self.first = self.dropout(weights) @ value\n"
            "        return self.first",
        ),
        caught_by="test_each_input_is_answered_anew",
        explanation="""What was worked out for one input is kept and given again for the next of the same shape. Another
        input has another answer.""",
    ),
    mistake(
        "drops unless told otherwise",
        swap("dropout: float = 0.0", "dropout: float = 0.1"),
        caught_by="test_each_input_is_answered_anew",
        explanation="""The rate is 0.1 where nobody says anything. Weights are then dropped in training that nobody asked
        to drop.""",
    ),
    mistake(
        "the rate is what is kept",
        swap("self.dropout = nn.Dropout(dropout)", "self.dropout = nn.Dropout(1 - dropout)"),
        caught_by="test_each_input_is_answered_anew",
        explanation="""`nn.Dropout` is told 1 - dropout. It asks for the share that goes, and so does this module.""",
    ),
    mistake(
        "the mask is a plain attribute",
        swap('self.register_buffer("mask", causal_mask(context_length))', "self.mask = causal_mask(context_length)"),
        caught_by="test_mask_is_a_buffer",
        explanation="""The mask is an ordinary attribute, which the module does not know about. When the module moves to
        another device the mask stays behind.""",
    ),
    mistake(
        "the mask is a parameter",
        swap(
            'self.register_buffer("mask", causal_mask(context_length))',
            "self.mask = nn.Parameter(causal_mask(context_length), requires_grad=False)",
        ),
        caught_by="test_projections_are_linear_layers",
        explanation="""The mask is counted among the parameters. Parameters are what training changes, and the mask is
        fixed.""",
    ),
    mistake(
        "no mask is kept",
        swap('self.register_buffer("mask", causal_mask(context_length))', "pass"),
        swap(WEIGHTS, "weights = masked_softmax(scores, causal_mask(tokens))"),
        caught_by="test_mask_is_a_buffer",
        explanation="""The mask is made anew in every call, on the CPU. Kept as a buffer `mask` it is made once and
        moves with the module.""",
    ),
    mistake(
        "always with a bias",
        swap(MAKE_QUERY, "self.W_query = nn.Linear(d_in, d_out)"),
        swap(MAKE_KEY, "self.W_key = nn.Linear(d_in, d_out)"),
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_in, d_out)"),
        caught_by="test_projections_are_linear_layers",
        explanation="""The projections have a bias whether it was asked for or not, since `nn.Linear` makes one unless
        told otherwise. `qkv_bias` decides that, and it is False unless somebody says otherwise.""",
    ),
    mistake(
        "never with a bias",
        swap(MAKE_QUERY, "self.W_query = nn.Linear(d_in, d_out, bias=False)"),
        swap(MAKE_KEY, "self.W_key = nn.Linear(d_in, d_out, bias=False)"),
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_in, d_out, bias=False)"),
        caught_by="test_projections_are_linear_layers",
        explanation="""The projections have no bias, also when `qkv_bias` asks for one. The argument is accepted and then
        forgotten.""",
    ),
    mistake(
        "the weights are returned too",
        swap(MIX, "return self.dropout(weights) @ value, weights"),
        caught_by="test_output_is_causal_attention",
        explanation="""The module returns a pair. The next layer expects one tensor, the context.""",
    ),
    mistake(
        "attention runs without gradients",
        swap(MIX, "return (self.dropout(weights) @ value).detach()  # (B, T, d_out)"),
        caught_by="test_training_reaches_every_projection",
        explanation="""The context is cut off from what it was made of, as `no_grad`, `.detach()` and `.data` do. Nothing
        that comes before it can learn.""",
    ),
    mistake(
        "the previous token is hidden too",
        swap(MASK, "return torch.triu(torch.ones(tokens, tokens, dtype=torch.bool), diagonal=-1)"),
        caught_by="test_mask_is_true_exactly_for_later_tokens",
        explanation="""The mask starts one diagonal below the middle: a token sees neither itself nor the one before it. Hidden is
        only what comes later.""",
    ),
    mistake(
        "visible, and one token ahead",
        swap(MASK, "return torch.tril(torch.ones(tokens, tokens, dtype=torch.bool), diagonal=1)"),
        caught_by="test_mask_is_true_exactly_for_later_tokens",
        explanation="""The mask is True for what may be seen, and for one future token more. Here True marks what is hidden, which
        is every later token and nothing else.""",
    ),
    mistake(
        "the other diagonal",
        swap(MASK, "return (torch.triu(torch.ones(tokens, tokens, dtype=torch.bool), diagonal=1)).flip(1)"),
        caught_by="test_mask_is_true_exactly_for_later_tokens",
        explanation="""The mask is mirrored left to right. Columns are keys, and token 0 stands in column 0.""",
    ),
    mistake(
        "the last token sees all of the batch's future",
        swap(
            MASK,
            "mask = torch.triu(torch.ones(tokens, tokens, dtype=torch.bool), diagonal=1)\n    mask[0] = False\n    return mask",
        ),
        caught_by="test_mask_is_true_exactly_for_later_tokens",
        explanation="""The first row of the mask hides nothing, so the first token sees the whole sequence. It has only itself to
        look at.""",
    ),
    mistake(
        "hidden scores are made large",
        swap(FILL, "return softmax(scores.masked_fill(mask, 1e9))"),
        caught_by="test_hidden_weights_are_exactly_zero",
        explanation="""Hidden scores are filled with a large positive number. The softmax then gives them everything; a low score
        hides.""",
    ),
    mistake(
        "the scores are multiplied by the mask",
        swap(FILL, "return softmax(scores * mask)"),
        caught_by="test_hidden_weights_are_exactly_zero",
        explanation="""Scores that should be seen become 0, and hidden ones stay. Multiplied by 0 or not, a score always gets
        weight.""",
    ),
    mistake(
        "the hidden rows are filled",
        swap(FILL, "return softmax(scores.masked_fill(mask.any(dim=-1, keepdim=True), -torch.inf)).nan_to_num(0.0)"),
        caught_by="test_visible_weights_are_the_softmax_of_the_visible_scores",
        explanation="""Where a row hides anything, all of it is hidden. Each entry of the mask is about one entry of the scores.""",
    ),
    mistake(
        "softmax over the batch",
        swap(FILL, "return softmax(scores.masked_fill(mask, -torch.inf), dim=0).nan_to_num(0.0)"),
        caught_by="test_visible_weights_are_the_softmax_of_the_visible_scores",
        explanation="""The weights sum to 1 along the first dimension. Each query shares its attention out among the keys, along
        the last one.""",
    ),
    mistake(
        "training and eval mode are exchanged",
        swap("if not training or rate == 0:", "if training or rate == 0:"),
        caught_by="test_dropout_does_nothing_outside_training",
        explanation="""Entries are dropped where `training` is False, and none where it is True. Dropout is for training.""",
    ),
    mistake(
        "the rate is taken for the share that is kept",
        swap(KEEP, "keep = torch.rand(x.shape, generator=generator, device=x.device) < rate"),
        swap(DROP, "return x * keep / rate"),
        caught_by="test_gradients_pass_through_dropout",
        explanation="""About `rate` of the entries survive and are scaled to match. All is consistent, but `rate` is the share that
        goes.""",
    ),
    mistake(
        "scaled, and nothing dropped",
        swap(DROP, "return x / (1 - rate)"),
        caught_by="test_dropout_keeps_the_expected_share",
        explanation="""Every entry is scaled and none is set to 0. The scale makes up for what was dropped.""",
    ),
    mistake(
        "scaled by the root",
        swap(DROP, DROP + " ** 0.5"),
        caught_by="test_gradients_pass_through_dropout",
        explanation="""The survivors are divided by the root of the share that is kept. It is the mean that dropout keeps, not the
        mean square.""",
    ),
    mistake(
        "scaled twice",
        swap(DROP, DROP + " ** 2"),
        caught_by="test_gradients_pass_through_dropout",
        explanation="""The survivors are scaled, and scaled again. Once makes up for what is missing.""",
    ),
    mistake(
        "scaled by 1 + rate",
        swap(DROP, "return x * keep * (1 + rate)"),
        caught_by="test_gradients_pass_through_dropout",
        explanation="""The survivors are multiplied by 1 + rate. It is nearly 1 / (1 - rate) for a small rate, and far from it for
        a large one.""",
    ),
    mistake(
        "dropped entries become negative",
        swap(DROP, "return torch.where(keep, x, -x) / (1 - rate)"),
        caught_by="test_gradients_pass_through_dropout",
        explanation="""What should go changes its sign. Dropped means 0.""",
    ),
    mistake(
        "the entries are shuffled",
        swap(DROP, "return (x * keep / (1 - rate)).flip(-1)"),
        caught_by="test_gradients_pass_through_dropout",
        explanation="""The result runs backwards along its last dimension. Every entry stays at its place.""",
    ),
    mistake(
        "an additive mask is taken for one of ones",
        swap(
            WEIGHTS,
            "additive = torch.zeros(tokens, tokens, dtype=x.dtype).masked_fill(self.mask[:tokens, :tokens], -torch.inf)\n        weights = softmax(scores + (1 - additive) * -1e9)",
        ),
        caught_by="test_output_is_causal_attention",
        explanation="""The mask holds 0 where a token may look and minus infinity where not, and it is used as if 1 meant visible.
        Every visible score then drowns in -1e9, and what is left is a plain mean.""",
    ),
    mistake(
        "dropout and bias are exchanged",
        swap("dropout: float = 0.0, qkv_bias: bool = False", "qkv_bias: bool = False, dropout: float = 0.0"),
        caught_by="test_output_is_causal_attention",
        explanation="""The signature has the last two arguments in another order. Who hands over a dropout rate by position gets a
        bias instead.""",
    ),
    mistake(
        "what dropout returns is not used",
        swap(MIX, "context = weights @ value\n        self.dropout(weights)\n        return context"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""Dropout is called and its result is thrown away. It does not change what it is given; the dropped weights
        are what it returns.""",
    ),
    mistake(
        "key and value are swapped",
        swap(
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)",
            "query, value, key = self.W_query(x), self.W_key(x), self.W_value(x)",
        ),
        caught_by="test_output_is_causal_attention",
        explanation="""The keys are made by W_value and the values by W_key. The names say which is compared and which is handed
        on.""",
    ),
    mistake(
        "the queries are mixed",
        swap(
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)",
            "query, key, value = self.W_query(x), self.W_key(x), self.W_query(x)",
        ),
        caught_by="test_output_is_causal_attention",
        explanation="""What is mixed are the queries. W_value decides what a token hands on, and here nothing passes through it.""",
    ),
    mistake(
        "query and value are swapped",
        swap(
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)",
            "value, key, query = self.W_query(x), self.W_key(x), self.W_value(x)",
        ),
        caught_by="test_output_is_causal_attention",
        explanation="""The queries are made by W_value and the values by W_query. The names say which is compared and which is
        handed on.""",
    ),
    mistake(
        "the mask is cut to the batch",
        swap(WEIGHTS, "weights = masked_softmax(scores, self.mask[: x.shape[0], : x.shape[0]])"),
        caught_by="test_output_is_causal_attention",
        explanation="""The mask is cut to the number of sequences. Its rows and columns are tokens.""",
    ),
    mistake(
        "forward turns the mask round",
        swap(WEIGHTS, "weights = masked_softmax(scores, self.mask[:tokens, :tokens].T)"),
        caught_by="test_output_is_causal_attention",
        explanation="""Rows and columns of the mask are exchanged on the way to the softmax. A query then sees what comes later,
        and nothing earlier.""",
    ),
    mistake(
        "the last columns of the mask are used",
        swap(WEIGHTS, "weights = masked_softmax(scores, self.mask[:tokens, -tokens:])"),
        caught_by="test_output_is_causal_attention",
        explanation="""For a sequence shorter than the context length, the columns are cut from the right of the mask, where nearly
        everything is hidden. Token 0 stands in column 0.""",
    ),
    mistake(
        "forward takes no softmax",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask[:tokens, :tokens], 0.0)"),
        caught_by="test_output_is_causal_attention",
        explanation="""The visible scores themselves are the weights. They may be negative, and they sum to anything.""",
    ),
    mistake(
        "the softmax of forward runs over the batch",
        swap(
            WEIGHTS,
            "weights = softmax(scores.masked_fill(self.mask[:tokens, :tokens], -torch.inf), dim=0).nan_to_num(0.0)",
        ),
        caught_by="test_output_is_causal_attention",
        explanation="""The weights sum to 1 over the sequences of the batch. Sequences of a batch have nothing to do with each
        other.""",
    ),
    mistake(
        "forward turns every dimension of the key round",
        swap(SCORES, "scores = query @ key.T / key.shape[-1] ** 0.5"),
        caught_by="test_output_is_causal_attention",
        explanation="""`.T` turns the order of all dimensions round, the batch included. It fits a single sequence; in a batch only
        the last two dimensions change places.""",
    ),
    mistake(
        "multiplied by the root",
        swap(SCORES, "scores = query @ key.transpose(1, 2) * key.shape[-1] ** 0.5  # (B, T, T)"),
        caught_by="test_output_is_causal_attention",
        explanation="""The scores are made larger by the root of the width. Wide keys make them large enough already.""",
    ),
    mistake(
        "with a bias unless told otherwise",
        swap("qkv_bias: bool = False", "qkv_bias: bool = True"),
        caught_by="test_each_input_is_answered_anew",
        explanation="""The projections have a bias where nobody says anything. `qkv_bias` is False unless somebody asks for one.""",
    ),
    mistake(
        "the value has no bias",
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_in, d_out, bias=False)"),
        caught_by="test_projections_are_linear_layers",
        explanation="""The value's projection has no bias, also where `qkv_bias` asks for one. It goes for all three.""",
    ),
    mistake(
        "the value is cut off from x",
        swap(
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)",
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x.detach())",
        ),
        caught_by="test_every_token_sees_itself_and_all_earlier_ones",
        explanation="""The values are made of a copy of x that autograd does not follow. The projections can learn, but what made x
        is not told what it should hand on.""",
    ),
    mistake(
        "the query is cut off from x",
        swap(
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)",
            "query, key, value = self.W_query(x.detach()), self.W_key(x), self.W_value(x)",
        ),
        caught_by="test_training_reaches_every_projection",
        explanation="""The queries are made of a copy of x that autograd does not follow. The projections can learn, but what made
        x is not told what it should look for.""",
    ),
    mistake(
        "the mask is used in training only",
        swap(WEIGHTS, WEIGHTS + " if self.training else softmax(scores)"),
        caught_by="test_output_is_causal_attention",
        explanation="""In eval mode nothing is hidden. A model that writes text then sees tokens that it never saw while it learnt.""",
    ),
    mistake(
        "every sequence drops the same entries",
        swap(KEEP, "keep = torch.rand(x.shape[-2:], generator=generator, device=x.device) >= rate"),
        caught_by="test_number_of_dropped_entries_is_left_to_chance",
        explanation="""What is dropped is drawn for one sequence and serves the whole batch. Each entry of each sequence is dropped
        on its own.""",
    ),
    mistake(
        "divided by the number of tokens",
        swap(SCORES, "scores = query @ key.transpose(1, 2) / tokens  # (B, T, T)"),
        caught_by="test_output_is_causal_attention",
        explanation="""The scores are divided by the number of tokens. What a score sums is one product a channel, however many
        tokens there are.""",
    ),
    mistake(
        "divided by the input width",
        swap(SCORES, "scores = query @ key.transpose(1, 2) / x.shape[-1]  # (B, T, T)"),
        caught_by="test_output_is_causal_attention",
        explanation="""The scores are divided by the width of x, and by all of it. It is the root of the key's width that their
        spread grows with.""",
    ),
    mistake(
        "query and value are one",
        swap(
            "query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)",
            "query, key, value = self.W_value(x), self.W_key(x), self.W_value(x)",
        ),
        caught_by="test_output_is_causal_attention",
        explanation="""The queries are made with W_value, and W_query is never used. Each of the three has a projection of its own.""",
    ),
    # Any other number
    family(
        "hidden scores are lowered by {c}",
        swap(FILL, "return softmax(scores - {c} * mask.to(scores.dtype))"),
        constants=(0.1, 1.0, 3.0, 10.0, 30.0, 100.0, 1e3, 1e4, 1e6),
        caught_by=LOW,
        explanation="""{c} is taken off each hidden score. What is hidden may have been higher than what is visible by that much, and
        then it still gets weight.""",
    ),
    family(
        "hidden scores are filled with {c}",
        swap(FILL, "return softmax(scores.masked_fill(mask, {c}))"),
        constants=(0.1, 1.0, 10.0, 100.0),
        caught_by="test_hidden_weights_are_exactly_zero",
        explanation="""Hidden scores become {c}, which is a high score. The lower a score, the smaller its weight.""",
    ),
    family(
        "renormalised with {c} added",
        swap(
            FILL,
            "weights = softmax(scores).masked_fill(mask, 0)\n    return weights / (weights.sum(dim=-1, keepdim=True) + {c})",
        ),
        constants=(1e-12, 1e-9, 1e-6, 1e-3, 0.1),
        caught_by="test_extreme_scores_do_not_break_the_mask",
        explanation="""What is visible is divided by its sum, and {c} keeps that from being 0. Where a hidden score is far above
        the visible ones, no weight is left for them.""",
    ),
    family(
        "forward lowers hidden scores by {c}",
        swap(WEIGHTS, "weights = softmax(scores - {c} * self.mask[:tokens, :tokens])"),
        constants=(0.1, 1.0, 3.0, 10.0, 30.0, 100.0, 1e3, 1e4, 1e6),
        caught_by=FORWARD_LOW,
        explanation="""{c} is taken off each hidden score. A later token's score may be higher than the visible ones by that much,
        and then it still gets weight.""",
    ),
    family(
        "forward fills with {c} before the scale",
        swap(SCORES, "scores = query @ key.transpose(1, 2)  # (B, T, T)"),
        swap(WEIGHTS, "weights = softmax(scores.masked_fill(self.mask[:tokens, :tokens], {c}) / key.shape[-1] ** 0.5)"),
        constants=(-0.1, -1.0, -3.0, -10.0, -30.0, -100.0, -1e3, -1e4, -65504.0, -1e6),
        caught_by=FORWARD_LOW,
        explanation="""Hidden scores become {c}, and are scaled together with the others. Visible scores may be lower than that, and
        then the hidden ones win.""",
    ),
    family(
        "divided by {c}, whatever the width",
        swap(SCORES, "scores = query @ key.transpose(1, 2) / {c}  # (B, T, T)"),
        constants=(0.1, 0.5, 2.0, 8.0, 64.0),
        caught_by=OUTPUT,
        explanation="""The scores are divided by {c}, a number written into the code. By how much they are too large follows from the
        width of the keys.""",
    ),
    family(
        "divided by the power {c} of the width",
        swap(SCORES, "scores = query @ key.transpose(1, 2) / key.shape[-1] ** {c}  # (B, T, T)"),
        constants=(-1.0, 0.25, 0.4, 0.75, 2.0),
        caught_by=OUTPUT,
        explanation="""The scores are divided by the width to the power of {c}. Their spread grows like the root of the width, the power
        0.5.""",
    ),
    family(
        "the rate is always {c}",
        swap(KEEP, "keep = torch.rand(x.shape, generator=generator, device=x.device) >= {c}"),
        swap(DROP, "return x * keep / (1 - {c})"),
        constants=(0.1, 0.3, 0.5, 0.9),
        caught_by="test_gradients_pass_through_dropout",
        explanation="""Entries are dropped with probability {c}, a number written into the code. How much is dropped says the argument
        `rate`.""",
    ),
    family(
        "what survives is multiplied by {c}",
        swap(DROP, "return x * keep * {c}"),
        constants=(0.1, 0.5, 2.0, 10.0),
        caught_by="test_gradients_pass_through_dropout",
        explanation="""What survives is multiplied by {c}, whatever the rate. The expected value stays where it is divided by the share
        that is kept.""",
    ),
    family(
        "the module's rate is always {c}",
        swap("self.dropout = nn.Dropout(dropout)", "self.dropout = nn.Dropout({c})"),
        constants=(0.1, 0.2, 0.5, 0.9),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""The rate is fixed at {c}. How much is dropped says the argument `dropout`, and 0 means nothing.""",
    ),
    mistake(
        "the first two dimensions of the key change places",
        swap(SCORES, "scores = query @ key.transpose(0, 1) / key.shape[-1] ** 0.5  # (B, T, T)"),
        caught_by=OUTPUT,
        explanation="""Batch and tokens of the keys change places. Each query is to meet all keys of its own text: the last two
        dimensions change places.""",
    ),
    mistake(
        "neither the generator nor the scale",
        swap(KEEP, "keep = torch.rand(x.shape, device=x.device) >= rate"),
        swap(DROP, "return x * keep"),
        caught_by="test_dropout_draws_from_the_generator",
        explanation="""What survives stays as it is, and the draw does not ask the generator. The expected value has to stay, and equal
        generators have to drop the same entries.""",
    ),
    mistake(
        "the mask is made of small integers",
        swap(MASK, "return torch.triu(torch.ones(tokens, tokens, dtype=torch.uint8), diagonal=1)"),
        caught_by="test_mask_is_true_exactly_for_later_tokens",
        explanation="""The mask holds the numbers 0 and 1 in eight bits, as masks did before there was a dtype bool. It
        answers yes or no, and `masked_fill` takes nothing but a bool mask.""",
    ),
    mistake(
        "the mask has dimensions in front",
        swap(MASK, "return torch.triu(torch.ones(1, 1, tokens, tokens, dtype=torch.bool), diagonal=1)"),
        caught_by="test_mask_is_true_exactly_for_later_tokens",
        explanation="""The mask has dimensions of size 1 for the batch and the heads. Broadcasting puts them there by itself:
        rows and columns are all it takes.""",
    ),
    mistake(
        "exp overflows in the masked softmax",
        swap(
            FILL,
            "exponentials = scores.exp().masked_fill(mask, 0.0)\n    return exponentials / exponentials.sum(dim=-1, keepdim=True)",
        ),
        caught_by="test_extreme_scores_do_not_break_the_mask",
        explanation="""e is raised to the scores as they come. In float32 that is infinite from about 89 on, and
        infinity divided by infinity is not a number.""",
    ),
    mistake(
        "the largest score may be a hidden one",
        swap(
            FILL,
            "exponentials = (scores - scores.amax(dim=-1, keepdim=True)).exp().masked_fill(mask, 0.0)\n    return exponentials / exponentials.sum(dim=-1, keepdim=True)",
        ),
        caught_by=LOW,
        explanation="""The largest score of the whole row is subtracted, hidden ones among them. Where a hidden score is far
        above the visible ones, all their exponentials are 0, and so is the sum.""",
    ),
    mistake(
        "a batch of one is lost",
        swap(MIX, "return (self.dropout(weights) @ value).squeeze(0)  # (B, T, d_out)"),
        caught_by=OUTPUT,
        explanation="""A batch of one row loses its first dimension. It is a batch all the same.""",
    ),
]
