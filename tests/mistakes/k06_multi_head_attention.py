"""k06: what people get wrong about multi-head attention."""

from dojo.spec import mistake, swap

MAKE_HEADS = """self.heads = nn.ModuleList(
            CausalAttention(d_in, head_dim, context_length, dropout, qkv_bias) for _ in range(num_heads)
        )"""
HEADS = "self.heads = nn.ModuleList(\n            {} for _ in range(num_heads)\n        )"
JOIN = "return torch.cat([head(x) for head in self.heads], dim=-1)"
CUT = "x = x.reshape(B, T, num_heads, width // num_heads)  # (B, T, h, d)"
SPLIT = "return x.transpose(1, 2)  # (B, h, T, d)"
MERGE = "return x.transpose(1, 2).reshape(B, T, num_heads * d)  # (B, T, h, d), then (B, T, h·d)"
CHECK = "if d_out % num_heads != 0:"
REFUSE = 'raise ValueError(f"d_out = {d_out} cannot be split evenly into {num_heads} heads")'
MAKE_QUERY = "self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)"
MAKE_KEY = "self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)"
MAKE_VALUE = "self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)"
MAKE_OUT = "self.out_proj = nn.Linear(d_out, d_out)"
MAKE_DROPOUT = "self.dropout = nn.Dropout(dropout)"
MAKE_MASK = 'self.register_buffer("mask", causal_mask(context_length))'
QUERY = "query = split_heads(self.W_query(x), self.num_heads)"
KEY = "key = split_heads(self.W_key(x), self.num_heads)"
VALUE = "value = split_heads(self.W_value(x), self.num_heads)"
SCORES = "scores = query / query.shape[-1] ** 0.5 @ key.transpose(2, 3)"
WEIGHTS = "weights = scores.masked_fill_(self.mask[:T, :T], -torch.inf).softmax(dim=-1)"
MIX = "context = self.dropout(weights) @ value"
RESULT = "return self.out_proj(merge_heads(context))  # (B, T, d_out)"

MISTAKES = [
    # Step 1
    mistake(
        "a plain list of heads",
        swap(
            MAKE_HEADS,
            "self.heads = [\n            CausalAttention(d_in, head_dim, context_length, dropout, qkv_bias)"
            " for _ in range(num_heads)\n        ]",
        ),
        caught_by="test_wrapper_holds_its_heads_in_a_module_list",
        explanation="""The heads stand in a Python list, into which the module does not look. Their parameters are not
        trained, moved or saved with it.""",
    ),
    mistake(
        "one head, used several times",
        swap(
            MAKE_HEADS,
            "self.heads = nn.ModuleList([CausalAttention(d_in, head_dim, context_length, dropout, qkv_bias)] * num_heads)",
        ),
        caught_by="test_wrapper_holds_its_heads_in_a_module_list",
        explanation="""One head is made, and the list names it again and again. All heads share their weights and find
        the same thing.""",
    ),
    mistake(
        "a single head",
        swap(
            MAKE_HEADS,
            "self.heads = nn.ModuleList([CausalAttention(d_in, head_dim, context_length, dropout, qkv_bias)])",
        ),
        caught_by="test_wrapper_holds_its_heads_in_a_module_list",
        explanation="""Only one head is made, whatever `num_heads` says. The result is as wide as one head.""",
    ),
    mistake(
        "each head is as wide as all together",
        swap(
            MAKE_HEADS, HEADS.format("CausalAttention(d_in, head_dim * num_heads, context_length, dropout, qkv_bias)")
        ),
        caught_by="test_wrapper_holds_its_heads_in_a_module_list",
        explanation="""Every head gets the width h·d. `head_dim` is the width of one head, and the results of all heads
        make h·d when they stand side by side.""",
    ),
    mistake(
        "the width is shared out among the heads",
        swap(
            MAKE_HEADS, HEADS.format("CausalAttention(d_in, head_dim // num_heads, context_length, dropout, qkv_bias)")
        ),
        caught_by="test_wrapper_holds_its_heads_in_a_module_list",
        explanation="""`head_dim` is divided by the number of heads. It is the width of one head already.""",
    ),
    mistake(
        "the heads are not told about the bias",
        swap(MAKE_HEADS, HEADS.format("CausalAttention(d_in, head_dim, context_length, dropout)")),
        caught_by="test_wrapper_holds_its_heads_in_a_module_list",
        explanation="""`qkv_bias` is accepted and not handed on. The heads then never have a bias.""",
    ),
    mistake(
        "the heads are not told about dropout",
        swap(MAKE_HEADS, HEADS.format("CausalAttention(d_in, head_dim, context_length, qkv_bias=qkv_bias)")),
        caught_by="test_wrapper_passes_the_dropout_rate_on",
        explanation="""The rate is accepted and not handed on. The heads drop nothing, in training either.""",
    ),
    mistake(
        "bias and dropout change places",
        swap(MAKE_HEADS, HEADS.format("CausalAttention(d_in, head_dim, context_length, qkv_bias, dropout)")),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""The last two arguments of a head are handed over in the wrong order. A rate of 0.5 is then read as
        "with a bias", and a bias as a rate of 1.""",
    ),
    mistake(
        "the heads are added up",
        swap(JOIN, "return sum(head(x) for head in self.heads)"),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""The contexts of the heads are summed, so the result is one head wide. What each head has found can
        no longer be told apart.""",
    ),
    mistake(
        "the heads are averaged",
        swap(JOIN, "return sum(head(x) for head in self.heads) / len(self.heads)"),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""The result is the mean of the heads and one head wide. What each head has found can no longer be
        told apart.""",
    ),
    mistake(
        "the heads are joined along the tokens",
        swap(JOIN, "return torch.cat([head(x) for head in self.heads], dim=1)"),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""The contexts are put one after the other, as if they were more tokens. The heads tell of the same
        tokens, so it is the channels that grow.""",
    ),
    mistake(
        "the heads are stacked",
        swap(JOIN, "return torch.stack([head(x) for head in self.heads], dim=1)"),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""`stack` makes a new dimension for the heads. The layer behind expects one row of channels for each
        token.""",
    ),
    mistake(
        "the channels of the heads alternate",
        swap(JOIN, "return torch.stack([head(x) for head in self.heads], dim=-1).flatten(2)"),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""Channel 0 of all heads comes first, then channel 1 of all heads. Here the channels of a head stay
        together.""",
    ),
    mistake(
        "the last head comes first",
        swap(JOIN, "return torch.cat([head(x) for head in reversed(self.heads)], dim=-1)"),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""The heads are joined from the last to the first. Head 0 owns the first channels.""",
    ),
    mistake(
        "each head reads what the one before made",
        swap(
            JOIN,
            "contexts = [self.heads[0](x)]\n        for head in self.heads[1:]:\n"
            "            contexts.append(head(nn.functional.pad(contexts[-1], (0, x.shape[-1]))[..., : x.shape[-1]]))\n"
            "        return torch.cat(contexts, dim=-1)",
        ),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""The heads run in a chain, each on the context of the one before. They stand side by side: all of
        them read the same x.""",
    ),
    # Step 2
    mistake(
        "view straight to (B, h, T, d)",
        swap(CUT, "return x.reshape(B, num_heads, T, width // num_heads)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""The tensor is given its final shape at once. That moves no number: it cuts the row of numbers anew,
        and a head gets all the channels of some tokens where it should get some channels of all tokens.""",
    ),
    mistake(
        "the heads are not brought to the front",
        swap(SPLIT, "return x"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""The channels are cut into heads, and tokens still come before heads. A product over the last two
        dimensions would compare the heads of one token.""",
    ),
    mistake(
        "heads are folded into the batch",
        swap(SPLIT, "return x.transpose(1, 2).reshape(B * num_heads, T, width // num_heads)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""Batch and heads become one dimension. The four dimensions are asked for one by one, so that
        whoever comes next can tell heads from rows of the batch.""",
    ),
    mistake(
        "folded straight into the batch",
        swap(CUT, "return x.reshape(B * num_heads, T, width // num_heads)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""Batch and heads become one dimension, and no number has moved. A head then holds all the channels
        of some tokens.""",
    ),
    mistake(
        "heads take turns in the channels",
        swap(CUT, "x = x.reshape(B, T, width // num_heads, num_heads).transpose(2, 3)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""The channels are dealt out like cards, one to each head in turn. Here each head owns a block of
        neighbouring channels.""",
    ),
    mistake(
        "the last two dimensions are swapped",
        swap(SPLIT, "return x.permute(0, 2, 3, 1)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""The result has channels before tokens, as a transposed key would. It is split here and
        transposed later, where the scores are made.""",
    ),
    mistake(
        "the heads come before the batch",
        swap(SPLIT, "return x.permute(2, 0, 1, 3)  # (B, h, T, d)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""The heads are the first dimension and the batch is the second. The batch stays in front, and the
        heads come after it.""",
    ),
    mistake(
        "the number of heads is taken for their width",
        swap(CUT, "x = x.reshape(B, T, width // num_heads, num_heads)  # (B, T, h, d)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""A token is cut into pieces of `num_heads` channels. There are `num_heads` pieces, and how wide
        each is follows from that.""",
    ),
    mistake(
        "merged without swapping back",
        swap(MERGE, "return x.reshape(B, T, num_heads * d)"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""The heads are joined while they still stand before the tokens. The shape is right, and each token
        gets channels of other tokens.""",
    ),
    mistake(
        "merged with the heads interleaved",
        swap(MERGE, "return x.permute(0, 2, 3, 1).reshape(B, T, num_heads * d)"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""Channel 0 of all heads comes first, then channel 1 of all heads. The channels of a head belong
        together.""",
    ),
    mistake(
        "`view` after a transpose",
        swap(MERGE, "return x.transpose(1, 2).view(B, T, num_heads * d)"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""After the swap the numbers no longer lie in memory in the order in which they are read, and `view`
        never moves any. So it refuses to join the two dimensions.""",
    ),
    mistake(
        "heads are averaged in the merge",
        swap(MERGE, "return x.mean(dim=1)"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""The heads are averaged into one. They should stand side by side, each with its own channels.""",
    ),
    mistake(
        "heads are added in the merge",
        swap(MERGE, "return x.sum(dim=1)"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""What the heads found is added up. Side by side it stays apart, for out_proj to mix.""",
    ),
    mistake(
        "the caller's tensor is turned round",
        swap(MERGE, "return x.transpose_(1, 2).reshape(B, T, num_heads * d)"),
        caught_by="test_split_and_merge_leave_their_arguments_alone",
        explanation="""The function with a trailing underscore swaps the dimensions of the tensor that was handed over.
        Whoever called still holds it, and finds another shape.""",
    ),
    mistake(
        "split_heads cuts the gradient off",
        swap(SPLIT, "return x.detach().transpose(1, 2)"),
        caught_by="test_gradients_pass_through_split_and_merge",
        explanation="""The heads come back outside of what autograd follows. The numbers are right, and no gradient comes
        back to the projections that made them.""",
    ),
    mistake(
        "merge_heads cuts the gradient off",
        swap(MERGE, "return x.detach().transpose(1, 2).reshape(B, T, num_heads * d)"),
        caught_by="test_gradients_pass_through_split_and_merge",
        explanation="""The merged heads come back outside of what autograd follows. The numbers are right, and nothing
        before `out_proj` can learn.""",
    ),
    # Step 3
    mistake(
        "any width is accepted",
        swap(CHECK, "if False:"),
        caught_by="test_width_that_does_not_divide_is_refused",
        explanation="""Nothing is checked. A width that does not divide shows up much later, as a shape that does not fit
        or as channels that nobody reads.""",
    ),
    mistake(
        "the error does not say the numbers",
        swap(REFUSE, 'raise ValueError("d_out must be divisible by num_heads")'),
        caught_by="test_width_that_does_not_divide_is_refused",
        explanation="""The message names the rule and not the numbers that break it. Whoever reads it has to search for
        them.""",
    ),
    mistake(
        "an assertion instead of a ValueError",
        swap(REFUSE, 'raise AssertionError(f"{d_out} cannot be split evenly into {num_heads} heads")'),
        caught_by="test_width_that_does_not_divide_is_refused",
        explanation="""The numbers are checked by an assertion. Assertions vanish when Python runs with -O, and
        callers who expect a ValueError do not catch them.""",
    ),
    mistake(
        "the input width is checked",
        swap(CHECK, "if d_in % num_heads != 0:"),
        caught_by="test_width_that_does_not_divide_is_refused",
        explanation="""It is d_in that is tested for being divisible. x may be of any width: it is the projected channels
        that are shared out among the heads.""",
    ),
    mistake(
        "the check is the wrong way round",
        swap(CHECK, "if num_heads % d_out != 0:"),
        caught_by="test_width_that_does_not_divide_is_refused",
        explanation="""The number of heads is divided by the width. It is the width that is shared out among the
        heads.""",
    ),
    mistake(
        "projections for one head only",
        swap(MAKE_QUERY, "self.W_query = nn.Linear(d_in, d_out // num_heads, bias=qkv_bias)"),
        swap(MAKE_KEY, "self.W_key = nn.Linear(d_in, d_out // num_heads, bias=qkv_bias)"),
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_in, d_out // num_heads, bias=qkv_bias)"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""The projections are as wide as one head. One projection serves all heads at once, so it has to
        hold the channels of all of them.""",
    ),
    mistake(
        "each head is as wide as the output",
        swap(MAKE_QUERY, "self.W_query = nn.Linear(d_in, d_out * num_heads, bias=qkv_bias)"),
        swap(MAKE_KEY, "self.W_key = nn.Linear(d_in, d_out * num_heads, bias=qkv_bias)"),
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_in, d_out * num_heads, bias=qkv_bias)"),
        swap(MAKE_OUT, "self.out_proj = nn.Linear(d_out * num_heads, d_out)"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""The projections are h times as wide as the output. The heads share d_out among them, so that many
        small heads cost as much as one wide one.""",
    ),
    mistake(
        "always with a bias",
        swap(MAKE_QUERY, "self.W_query = nn.Linear(d_in, d_out)"),
        swap(MAKE_KEY, "self.W_key = nn.Linear(d_in, d_out)"),
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_in, d_out)"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""The projections have a bias whether it was asked for or not, since `nn.Linear` makes one unless
        told otherwise. `qkv_bias` decides that here.""",
    ),
    mistake(
        "never with a bias",
        swap(MAKE_QUERY, "self.W_query = nn.Linear(d_in, d_out, bias=False)"),
        swap(MAKE_KEY, "self.W_key = nn.Linear(d_in, d_out, bias=False)"),
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_in, d_out, bias=False)"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""The projections have no bias, also when `qkv_bias` asks for one. The argument is accepted and then
        forgotten.""",
    ),
    mistake(
        "out_proj without a bias",
        swap(MAKE_OUT, "self.out_proj = nn.Linear(d_out, d_out, bias=False)"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""out_proj has no bias. Its bias has nothing to do with `qkv_bias`, which speaks of query, key and
        value.""",
    ),
    mistake(
        "out_proj follows qkv_bias",
        swap(MAKE_OUT, "self.out_proj = nn.Linear(d_out, d_out, bias=qkv_bias)"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""out_proj has a bias only where `qkv_bias` asks for one. That argument speaks of query, key and
        value.""",
    ),
    mistake(
        "no out_proj",
        swap(MAKE_OUT, "self.out_proj = nn.Identity()"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""Nothing stands behind the heads. What one head has found stays in its own channels, and no layer
        brings the heads together.""",
    ),
    mistake(
        "query, key and value share one layer",
        swap(MAKE_KEY, "self.W_key = self.W_query"),
        swap(MAKE_VALUE, "self.W_value = self.W_query"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""All three names mean the same layer, so what is asked, found and handed over is one vector.
        Training one of them trains all.""",
    ),
    mistake(
        "the mask is a plain attribute",
        swap(MAKE_MASK, "self.mask = causal_mask(context_length)"),
        caught_by="test_mask_is_a_buffer",
        explanation="""The mask is an ordinary attribute, which the module does not know about. When the module moves to
        another device the mask stays behind.""",
    ),
    mistake(
        "the mask is a parameter",
        swap(MAKE_MASK, "self.mask = nn.Parameter(causal_mask(context_length), requires_grad=False)"),
        caught_by="test_mask_is_a_buffer",
        explanation="""The mask is counted among the parameters. Parameters are what training changes, and the mask is
        fixed.""",
    ),
    mistake(
        "dropout is kept as a number",
        swap(MAKE_DROPOUT, "self.dropout = dropout"),
        swap(MIX, "context = nn.functional.dropout(weights, self.dropout, self.training) @ value"),
        caught_by="test_dropout_is_a_module",
        explanation="""`self.dropout` is the rate. A module there hears of training and eval mode, and lets others
        look at the weights that pass through it.""",
    ),
    # Step 4
    mistake(
        "split by a direct view",
        swap(QUERY, "query = self.W_query(x).view(len(x), self.num_heads, T, -1)"),
        swap(KEY, "key = self.W_key(x).view(len(x), self.num_heads, T, -1)"),
        swap(VALUE, "value = self.W_value(x).view(len(x), self.num_heads, T, -1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The projections are given the shape (B, h, T, d) at once, which moves no number. Position t of a
        head is then not token t, and the mask guards the wrong tokens.""",
    ),
    mistake(
        "merged by a direct view",
        swap(RESULT, "return self.out_proj(context.reshape(len(x), T, -1))"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The contexts are joined while the heads still stand before the tokens. The shape is right, and each
        token gets contexts of other tokens, later ones too.""",
    ),
    mistake(
        "the wrong dimensions are swapped back",
        swap(RESULT, "return self.out_proj(context.transpose(2, 3).reshape(x.shape[0], T, -1))  # (B, T, d_out)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""Tokens and channels are swapped before the heads are joined. It is the heads and the tokens that
        changed places.""",
    ),
    mistake(
        "heads take turns, and are merged in order",
        swap(QUERY, "query = self.W_query(x).unflatten(2, (-1, self.num_heads)).permute(0, 3, 1, 2)"),
        swap(KEY, "key = self.W_key(x).unflatten(2, (-1, self.num_heads)).permute(0, 3, 1, 2)"),
        swap(VALUE, "value = self.W_value(x).unflatten(2, (-1, self.num_heads)).permute(0, 3, 1, 2)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""Each head gets every h-th channel, and the heads are then joined as if each had had channels
        side by side. Head i has channels i·d to (i+1)·d.""",
    ),
    mistake(
        "split and merged by a direct view",
        swap(QUERY, "query = self.W_query(x).view(len(x), self.num_heads, T, -1)"),
        swap(KEY, "key = self.W_key(x).view(len(x), self.num_heads, T, -1)"),
        swap(VALUE, "value = self.W_value(x).view(len(x), self.num_heads, T, -1)"),
        swap(RESULT, "return self.out_proj(context.reshape(len(x), T, -1))"),
        caught_by="test_fused_equals_wrapper",
        explanation="""No number moves on the way there, and none on the way back. Nothing of the future leaks, but a head
        is now a stretch of the sequence instead of a share of the channels.""",
    ),
    mistake(
        "heads take turns, there and back",
        swap(QUERY, "query = self.W_query(x).view(len(x), T, -1, self.num_heads).permute(0, 3, 1, 2)"),
        swap(KEY, "key = self.W_key(x).view(len(x), T, -1, self.num_heads).permute(0, 3, 1, 2)"),
        swap(VALUE, "value = self.W_value(x).view(len(x), T, -1, self.num_heads).permute(0, 3, 1, 2)"),
        swap(RESULT, "return self.out_proj(context.permute(0, 2, 3, 1).flatten(2))"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The channels are dealt out to the heads in turn, and collected in the same way. It would train,
        but head i does not own the channels that the weights of the wrapper's head i belong to.""",
    ),
    mistake(
        "one wide head",
        swap(QUERY, "query = split_heads(self.W_query(x), 1)"),
        swap(KEY, "key = split_heads(self.W_key(x), 1)"),
        swap(VALUE, "value = split_heads(self.W_value(x), 1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The channels are never cut into heads. Every token has one set of weights, so one mix, as in the
        kata before.""",
    ),
    mistake(
        "every head uses the weights of the first",
        swap(QUERY, "query = split_heads(self.W_query(x), self.num_heads)[:, :1]"),
        swap(KEY, "key = split_heads(self.W_key(x), self.num_heads)[:, :1]"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The queries and keys of head 0 decide for all heads. They all look at the same tokens, and differ
        only in what they take home.""",
    ),
    mistake(
        "no scale",
        swap(SCORES, "scores = query @ key.transpose(2, 3)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The scores go into the softmax as they are. Their spread grows with the width of the head, and a
        wide head would look at one token only.""",
    ),
    mistake(
        "scaled by d_out",
        swap(SCORES, "scores = query / self.out_proj.in_features ** 0.5 @ key.transpose(2, 3)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The scores are divided by the root of the width of all heads together. A score adds up the channels
        of one head, so the weights come out too flat.""",
    ),
    mistake(
        "scaled by the input width",
        swap(SCORES, "scores = query / x.shape[-1] ** 0.5 @ key.transpose(2, 3)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The scores are divided by the root of d_in, the width of the embedding. What is summed in a score
        is one product for each channel of a head.""",
    ),
    mistake(
        "scaled by the number of heads",
        swap(SCORES, "scores = query / self.num_heads ** 0.5 @ key.transpose(2, 3)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The divisor comes from how many heads there are. A score is made in one head and knows nothing of
        the others.""",
    ),
    mistake(
        "scaled by the number of tokens",
        swap(SCORES, "scores = query / T**0.5 @ key.transpose(2, 3)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The scores are divided by the root of T. What is summed in a score is one product for each
        channel of a head, however many tokens there are.""",
    ),
    mistake(
        "multiplied by the root",
        swap(SCORES, "scores = query * query.shape[-1] ** 0.5 @ key.transpose(2, 3)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The scores are multiplied by the root of the head's width. They are too large already, and a
        softmax of larger ones looks at one token only.""",
    ),
    mistake(
        "scaled after the softmax",
        swap(SCORES, "scores = query @ key.transpose(2, 3)"),
        swap(MIX, "context = self.dropout(weights / query.shape[-1] ** 0.5) @ value"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The weights are divided, not the scores. They no longer sum to 1, and the softmax was as sharp
        as without a scale.""",
    ),
    mistake(
        "divided by the width, not its root",
        swap(SCORES, "scores = query / query.shape[-1] @ key.transpose(2, 3)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The scores are divided by the head's width itself. Their variance grows like the width, so their
        typical size grows more slowly than that.""",
    ),
    mistake(
        "query and key are swapped",
        swap(SCORES, "scores = key / query.shape[-1] ** 0.5 @ query.transpose(2, 3)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""Row i holds the key of token i against all queries. Rows are for the one who asks: the query of
        token i against all keys.""",
    ),
    mistake(
        "query and key share a projection",
        swap(KEY, "key = split_heads(self.W_query(x), self.num_heads)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The keys are made with W_query, and W_key is never used. A token then looks for what it is
        itself.""",
    ),
    mistake(
        "the keys are mixed",
        swap(VALUE, "value = split_heads(self.W_key(x), self.num_heads)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""What is mixed are the keys, made for being compared. W_value decides what a token hands on, and
        it is never used.""",
    ),
    mistake(
        "each value is weighed by what it looks at",
        swap(MIX, "context = self.dropout(weights).transpose(2, 3) @ value"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The weights are transposed before the values are mixed. Row i of the weights tells what token i
        takes, not what it gives.""",
    ),
    mistake(
        "the wrong pair of the key is transposed",
        swap(SCORES, "scores = query / query.shape[-1] ** 0.5 @ key.transpose(1, 2)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""Dimensions 1 and 2 of the key are heads and tokens now. The scores compare channels of one token
        with channels of another, so those of the last two dimensions have to change places.""",
    ),
    mistake(
        "no mask",
        swap(WEIGHTS, "weights = scores.softmax(dim=-1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The weights come from all scores: nothing is hidden from the softmax. Every token sees the tokens
        that it is meant to predict.""",
    ),
    mistake(
        "the mask is wider than the sequence",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask, -torch.inf).softmax(dim=-1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The mask that meets the scores still has a column for every token of the context length. As soon as
        a sequence is shorter the two do not fit.""",
    ),
    mistake(
        "the context is always 1024",
        swap(MAKE_MASK, 'self.register_buffer("mask", causal_mask(1024))'),
        caught_by="test_the_context_is_as_long_as_asked",
        explanation="""The mask has 1024 rows, as in GPT-2, whatever context length is asked for. A longer sequence
        does not fit.""",
    ),
    mistake(
        "the last rows of the mask are used",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask[-T:, :T], -torch.inf).softmax(dim=-1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""For a sequence shorter than the context length, the rows are cut from the bottom of the mask, where
        nearly everything is visible. Token 0 stands in row 0.""",
    ),
    mistake(
        "the diagonal is hidden",
        swap(
            WEIGHTS,
            "weights = scores.masked_fill(torch.ones(T, T, dtype=torch.bool).triu(), -torch.inf).softmax(dim=-1)",
        ),
        caught_by="test_fused_equals_wrapper",
        explanation="""The mask also hides each token from itself. The first token then has nothing to look at, and no
        weights can be made of a row of −∞.""",
    ),
    mistake(
        "one future token is visible",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask[:T, :T].triu(2), -torch.inf).softmax(dim=-1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The mask starts one diagonal too far out, so each token sees its successor. The successor is what
        the model has to predict.""",
    ),
    mistake(
        "the past is hidden",
        swap(WEIGHTS, "weights = scores.masked_fill_(~self.mask[:T, :T], -torch.inf).softmax(dim=-1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The mask is read the wrong way round. What may be seen is hidden, and the last token sees
        nothing at all.""",
    ),
    mistake(
        "hidden scores are filled with 0",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask[:T, :T], 0.0).softmax(dim=-1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""A hidden score becomes 0 before the softmax, by filling or by multiplying. The exponential of 0 is
        1, so a hidden entry still gets weight.""",
    ),
    mistake(
        "a fill of -10,000 can be overcome",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask[:T, :T], -1e4).softmax(dim=-1)"),
        caught_by="test_extreme_inputs_do_not_break_the_mask",
        explanation="""A hidden score becomes -10,000, which is not the lowest score there can be. Where visible scores
        fall below it, the hidden entries win the softmax.""",
    ),
    mistake(
        "masked after the softmax",
        swap(WEIGHTS, "weights = scores.softmax(dim=-1).masked_fill(self.mask[:T, :T], 0.0)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""Hidden weights are set to 0 after the softmax has shared out the whole. The rows then sum to less
        than 1, and what is left depends on the hidden scores.""",
    ),
    mistake(
        "masked after the softmax, then renormalised",
        swap(
            WEIGHTS,
            "weights = scores.softmax(dim=-1).masked_fill(self.mask[:T, :T], 0)\n        weights = weights / weights.sum(dim=-1, keepdim=True)",
        ),
        caught_by="test_no_gradient_reaches_a_later_token",
        explanation="""The weights of later tokens are set to 0 and the rest is made to sum to 1. That is right on
        ordinary scores, and 0 divided by 0 where a later token had taken all the weight.""",
    ),
    mistake(
        "a mean over the visible tokens",
        swap(WEIGHTS, "weights = (scores * 0).masked_fill(self.mask[:T, :T], -torch.inf).softmax(dim=-1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""Every visible token gets the same weight, whatever the query and the keys say. It is causal,
        but nobody pays attention.""",
    ),
    mistake(
        "each token sees only itself",
        swap(MIX, "context = value + 0 * (self.dropout(weights) @ value)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The context of a token is its own value and nothing else. No information leaks from the future,
        and none comes from the past.""",
    ),
    mistake(
        "the mask lies across the heads",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask[:T, None, :T], -torch.inf).softmax(dim=-1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The mask gets a dimension in its middle, so its queries meet the heads of the scores. A mask of
        shape (T, T) fits the last two dimensions by itself, whatever stands before them.""",
    ),
    mistake(
        "the mask is transposed",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask[:T, :T].T, -torch.inf).softmax(dim=-1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""Rows and columns of the mask have changed places, so each token sees itself and what comes after
        it. Rows are queries, and a query looks back.""",
    ),
    mistake(
        "softmax over the heads",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask[:T, :T], -torch.inf).softmax(dim=1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""Dimension 1 was the tokens in the kata before, and is the heads now. The heads compete for each
        pair of tokens, and where a pair is hidden there are only scores of −∞ to share out.""",
    ),
    mistake(
        "softmax over the queries",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask[:T, :T], -torch.inf).softmax(dim=2)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The weights sum to 1 down each column, over the queries. Each query shares its attention out among
        the keys, along its own row.""",
    ),
    mistake(
        "softmax over the batch",
        swap(WEIGHTS, "weights = scores.masked_fill_(self.mask[:T, :T], -torch.inf).softmax(dim=0)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The weights sum to 1 along the first dimension, from one sequence to the next. Each query shares
        its attention out among the keys of its own sequence.""",
    ),
    mistake(
        "out_proj is made and never called",
        swap(RESULT, "return merge_heads(context)  # (B, T, d_out)"),
        caught_by="test_output_is_multi_head_attention",
        explanation="""The module has an out_proj, but forward does not use it. It stays at its first random numbers, and
        the heads never meet.""",
    ),
    mistake(
        "out_proj is left out for a single head",
        swap(RESULT, "return self.out_proj(merge_heads(context)) if self.num_heads > 1 else merge_heads(context)"),
        caught_by="test_any_number_of_heads_will_do",
        explanation="""A single head goes past out_proj. There are no heads to bring together then, but the layer is there
        all the same, and its weights take no part.""",
    ),
    mistake(
        "never more than eight heads",
        swap("self.num_heads = num_heads\n", "self.num_heads = min(num_heads, 8)\n"),
        caught_by="test_any_number_of_heads_will_do",
        explanation="""The number of heads is limited. With more than that, the channels are not cut as they were
        asked to be.""",
    ),
    mistake(
        "the bias of out_proj is left out",
        swap(RESULT, "return merge_heads(context) @ self.out_proj.weight.T  # (B, T, d_out)"),
        caught_by="test_output_is_multi_head_attention",
        explanation="""The contexts are multiplied by the weight of out_proj, and its bias is left out. A layer that is
        called like a function does both.""",
    ),
    mistake(
        "the weight of out_proj is turned round",
        swap(RESULT, "return merge_heads(context) @ self.out_proj.weight + self.out_proj.bias  # (B, T, d_out)"),
        caught_by="test_output_is_multi_head_attention",
        explanation="""The weight of out_proj is used as it is stored. `nn.Linear` keeps it as (out, in), and
        multiplies by its transpose.""",
    ),
    mistake(
        "out_proj twice",
        swap(RESULT, "return self.out_proj(self.out_proj(merge_heads(context)))  # (B, T, d_out)"),
        caught_by="test_output_is_multi_head_attention",
        explanation="""The result goes through out_proj a second time. Once is enough to let the heads speak to each
        other.""",
    ),
    mistake(
        "the contexts are added to the result",
        swap(RESULT, "return merge_heads(context) + self.out_proj(merge_heads(context))  # (B, T, d_out)"),
        caught_by="test_output_is_multi_head_attention",
        explanation="""What goes into out_proj is added to what comes out of it. Such a shortcut belongs to the block
        around the attention, in a later kata.""",
    ),
    mistake(
        "dropout on the scores",
        swap(WEIGHTS, "weights = self.dropout(scores).masked_fill(self.mask[:T, :T], -torch.inf).softmax(dim=-1)"),
        swap(MIX, "context = weights @ value"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""Scores are dropped, so some become 0 before the softmax. A score of 0 is an ordinary score, and the
        weight that should be gone is not.""",
    ),
    mistake(
        "dropout on the context",
        swap(MIX, "context = self.dropout(weights @ value)"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""Single channels of the contexts are dropped. In this module it is whole looks from one token to
        another that are dropped: the weights.""",
    ),
    mistake(
        "dropout before out_proj",
        swap(MIX, "context = weights @ value"),
        swap(RESULT, "return self.out_proj(self.dropout(merge_heads(context)))  # (B, T, d_out)"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""Single channels are dropped after the heads have been merged. In this module it is whole looks from
        one token to another that are dropped: the weights.""",
    ),
    mistake(
        "dropout on the result",
        swap(MIX, "context = weights @ value"),
        swap(RESULT, "return self.dropout(self.out_proj(merge_heads(context)))  # (B, T, d_out)"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""Single channels of the result are dropped, after out_proj. In this module it is whole looks from
        one token to another that are dropped: the weights.""",
    ),
    mistake(
        "dropout on weights and result",
        swap(RESULT, "return self.dropout(self.out_proj(merge_heads(context)))  # (B, T, d_out)"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""The weights are dropped, and then entries of the result too. In this module only the weights
        are; the block that uses it drops what it adds.""",
    ),
    mistake(
        "dropout on the values",
        swap(MIX, "context = weights @ self.dropout(value)"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""Single channels of the values are dropped, for everybody who looks. What is dropped is the look
        of one token at another: a weight.""",
    ),
    mistake(
        "dropout in eval mode, too",
        swap(MIX, "context = nn.functional.dropout(weights, self.dropout.p) @ value"),
        caught_by="test_output_is_multi_head_attention",
        explanation="""The function that drops is not told whether the module trains, and without being told it always
        drops. In eval mode nothing may be left to chance.""",
    ),
    mistake(
        "dropout is never used",
        swap(MIX, "context = weights @ value"),
        caught_by="test_dropout_is_on_in_training_only",
        explanation="""The module has a dropout layer, but forward never calls it. Training is then the same at every
        dropout rate.""",
    ),
    mistake(
        "all heads drop the same weights",
        swap(MIX, "context = weights * self.dropout(torch.ones_like(weights[:1, :1])) @ value"),
        caught_by="test_every_head_drops_weights_of_its_own",
        explanation="""One pattern of zeros is drawn, for all heads and all rows of the batch. Each weight is dropped on
        its own.""",
    ),
    mistake(
        "the weights are cut off from training",
        swap(MIX, "context = self.dropout(weights.detach()) @ value"),
        caught_by="test_training_reaches_every_layer",
        explanation="""The weights are taken out of what autograd follows. The values can learn, but no gradient reaches
        queries and keys.""",
    ),
    mistake(
        "the key is cut off from x",
        swap(KEY, "key = split_heads(self.W_key(x.detach()), self.num_heads)"),
        caught_by="test_training_reaches_every_layer",
        explanation="""The keys are made of a copy of x that autograd does not follow. The projections can learn, but
        what made x is not told how it should be found.""",
    ),
    mistake(
        "the first answer is kept",
        swap(
            RESULT,
            'if "first" not in self.__dict__ or self.first.shape[:2] != x.shape[:2] or self.dropout.p > 0:\n'
            "            self.first = merge_heads(context)\n"
            "        return self.out_proj(self.first)",
        ),
        caught_by="test_each_input_is_answered_anew",
        explanation="""What the heads have found for one input is kept and used again for the next of the same shape.
        Another input has another answer.""",
    ),
    mistake(
        "attention runs without gradients",
        swap(RESULT, "return self.out_proj(merge_heads(context)).detach()  # (B, T, d_out)"),
        caught_by="test_training_reaches_every_layer",
        explanation="""The result is cut off from what it was made of, as `no_grad`, `.detach()` and `.data` do. Nothing
        that comes before it can learn.""",
    ),
    mistake(
        "the weights are returned too",
        swap(RESULT, "return self.out_proj(merge_heads(context)), weights"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The module returns a pair. The next layer expects one tensor, the result of out_proj.""",
    ),
    mistake(
        "dropout past its module",
        swap(MIX, "context = nn.functional.dropout(weights, self.dropout.p, self.training) @ value"),
        caught_by="test_weights_pass_through_the_dropout_module",
        explanation="""The weights are dropped by a function, and the module `dropout` only lends its rate. Whoever looks
        at the weights through that module sees nothing.""",
    ),
]
