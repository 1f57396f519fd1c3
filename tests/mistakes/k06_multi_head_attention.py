"""k06: what people get wrong about multi-head attention."""

from dojo.spec import family, mistake, swap

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
MADE = "CausalAttention(d_in, head_dim, context_length, dropout, qkv_bias)"
TOKENS = "        T = x.shape[1]\n        query ="
WRAPPER_SIGNATURE = "        head_dim: int,\n        context_length: int,\n        dropout: float,\n        num_heads: int,\n        qkv_bias: bool = False,\n"
SIGNATURE = "        d_out: int,\n        context_length: int,\n        dropout: float,\n        num_heads: int,\n        qkv_bias: bool = False,\n"

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
    mistake(
        "one head too many",
        swap(MAKE_HEADS, MAKE_HEADS.replace("range(num_heads)", "range(num_heads + 1)")),
        caught_by="test_wrapper_holds_its_heads_in_a_module_list",
        explanation="""One more head is made than was asked for. Counting from 0 to num_heads is one too far.""",
    ),
    mistake(
        "one head too few",
        swap(MAKE_HEADS, MAKE_HEADS.replace("range(num_heads)", "range(1, num_heads)")),
        caught_by="test_wrapper_holds_its_heads_in_a_module_list",
        explanation="""One head fewer is made than was asked for. Counting from 1 leaves one out.""",
    ),
    mistake(
        "the heads in a Sequential",
        swap(MAKE_HEADS, "self.heads = nn.Sequential(*(" + MADE + " for _ in range(num_heads)))"),
        caught_by="test_wrapper_holds_its_heads_in_a_module_list",
        explanation="""A Sequential says that one head reads what the one before has made. The heads stand side by side,
        and a ModuleList is only a list.""",
    ),
    mistake(
        "the heads' two widths change places",
        swap(MAKE_HEADS, HEADS.format("CausalAttention(head_dim, d_in, context_length, dropout, qkv_bias)")),
        caught_by="test_wrapper_holds_its_heads_in_a_module_list",
        explanation="""Each head is made to lead from head_dim to d_in. It reads tokens of width d_in and gives contexts
        of width head_dim.""",
    ),
    mistake(
        "the heads are as wide as the input",
        swap(MAKE_HEADS, HEADS.format("CausalAttention(d_in, d_in, context_length, dropout, qkv_bias)")),
        caught_by="test_wrapper_holds_its_heads_in_a_module_list",
        explanation="""Each head keeps the width of its input. head_dim says how wide a head is.""",
    ),
    mistake(
        "the heads always have a bias",
        swap(MAKE_HEADS, HEADS.format("CausalAttention(d_in, head_dim, context_length, dropout, True)")),
        caught_by="test_wrapper_holds_its_heads_in_a_module_list",
        explanation="""The heads are made with a bias whatever qkv_bias says. Without being asked for they have
        none.""",
    ),
    mistake(
        "the wrapper mixes its heads",
        swap(
            MAKE_HEADS, MAKE_HEADS + "\n        self.out_proj = nn.Linear(head_dim * num_heads, head_dim * num_heads)"
        ),
        swap(JOIN, "return self.out_proj(torch.cat([head(x) for head in self.heads], dim=-1))"),
        caught_by="test_wrapper_holds_its_heads_in_a_module_list",
        explanation="""A layer behind the heads mixes what they found. The wrapper only lays it side by side; the mixing
        comes with the other module.""",
    ),
    mistake(
        "each head a list of layers",
        swap(MAKE_HEADS, HEADS.format("nn.ModuleList([" + MADE + "])")),
        swap(JOIN, "return torch.cat([head[0](x) for head in self.heads], dim=-1)"),
        caught_by="test_wrapper_holds_its_heads_in_a_module_list",
        explanation="""Each head stands in a list of its own. `heads` holds the attentions themselves.""",
    ),
    mistake(
        "the heads' context is one too short",
        swap(MAKE_HEADS, HEADS.format("CausalAttention(d_in, head_dim, context_length - 1, dropout, qkv_bias)")),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""The heads are made for one token fewer than the context length. A sequence that is as long as
        allowed does not fit.""",
    ),
    mistake(
        "the heads' context is their width",
        swap(MAKE_HEADS, HEADS.format("CausalAttention(d_in, head_dim, head_dim, dropout, qkv_bias)")),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""The heads are made for as many tokens as they have channels. How long a sequence may be has
        nothing to do with how wide a head is.""",
    ),
    mistake(
        "only the first head is asked",
        swap(JOIN, "return self.heads[0](x)"),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""One head's context is returned and the others are not used. All of them stand side by side in the
        output.""",
    ),
    mistake(
        "the last head is left out",
        swap(JOIN, "return torch.cat([head(x) for head in self.heads[:-1]], dim=-1)"),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""The last head's context is missing. All heads stand side by side in the output.""",
    ),
    mistake(
        "the first head is left out",
        swap(JOIN, "return torch.cat([head(x) for head in self.heads[1:]], dim=-1)"),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""The first head's context is missing. All heads stand side by side in the output.""",
    ),
    mistake(
        "the first head's answer in every place",
        swap(JOIN, "return torch.cat([self.heads[0](x) for head in self.heads], dim=-1)"),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""The first head is asked again and again. Each head has weights of its own, and finds something of
        its own.""",
    ),
    mistake(
        "each head reads a part of x",
        swap(
            JOIN,
            "parts = x.split(-(-x.shape[-1] // len(self.heads)), dim=-1)\n        return torch.cat([head(part) for head, part in zip(self.heads, parts)], dim=-1)",
        ),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""The channels of x are shared out among the heads. Each head reads all of them, and its
        projections choose.""",
    ),
    mistake(
        "the heads are joined along the batch",
        swap(JOIN, "return torch.cat([head(x) for head in self.heads], dim=0)"),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""The contexts of the heads become further rows of the batch. They belong to the same tokens, side
        by side in the channels.""",
    ),
    mistake(
        "a list of contexts",
        swap(JOIN, "return [head(x) for head in self.heads]"),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""The contexts come back as a list. One tensor is asked for, with the heads side by side.""",
    ),
    mistake(
        "the heads are multiplied",
        swap(JOIN, "return torch.stack([head(x) for head in self.heads]).prod(dim=0)"),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""The contexts of the heads are multiplied into one. Each head keeps its own channels in the
        output.""",
    ),
    mistake(
        "the largest of all heads",
        swap(JOIN, "return torch.stack([head(x) for head in self.heads]).amax(dim=0)"),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""For each channel the largest answer of any head is taken. Each head keeps its own channels in the
        output.""",
    ),
    mistake(
        "the wrapper loses a batch of one",
        swap(JOIN, "return torch.cat([head(x).squeeze(0) for head in self.heads], dim=-1)"),
        caught_by="test_wrapper_lays_its_heads_side_by_side",
        explanation="""A batch of one row loses its first dimension. It is a batch all the same.""",
    ),
    mistake(
        "the heads drop a tenth always",
        swap(MAKE_HEADS, HEADS.format("CausalAttention(d_in, head_dim, context_length, 0.1, qkv_bias)")),
        caught_by="test_wrapper_passes_the_dropout_rate_on",
        explanation="""The heads are made with a fixed rate. The rate was given, and is to be handed on.""",
    ),
    mistake(
        "the heads get the share that is kept",
        swap(MAKE_HEADS, HEADS.format("CausalAttention(d_in, head_dim, context_length, 1 - dropout, qkv_bias)")),
        caught_by="test_wrapper_passes_the_dropout_rate_on",
        explanation="""The heads are given 1 - dropout. The rate says how many weights are dropped, here and there.""",
    ),
    mistake(
        "the rate is shared out among the heads",
        swap(
            MAKE_HEADS, HEADS.format("CausalAttention(d_in, head_dim, context_length, dropout / num_heads, qkv_bias)")
        ),
        caught_by="test_wrapper_passes_the_dropout_rate_on",
        explanation="""Each head gets a part of the rate. Every head drops its weights at the whole rate.""",
    ),
    mistake(
        "the wrapper drops too",
        swap(MAKE_HEADS, MAKE_HEADS + "\n        self.dropout = nn.Dropout(dropout)"),
        swap(JOIN, "return self.dropout(torch.cat([head(x) for head in self.heads], dim=-1))"),
        caught_by="test_wrapper_passes_the_dropout_rate_on",
        explanation="""The contexts go through a dropout of their own, behind that of the heads. Only attention weights
        are dropped.""",
    ),
    mistake(
        "the number of heads comes before the rate",
        swap(
            WRAPPER_SIGNATURE,
            "        head_dim: int,\n        context_length: int,\n        num_heads: int,\n        dropout: float,\n        qkv_bias: bool = False,\n",
        ),
        caught_by="test_wrapper_passes_the_dropout_rate_on",
        explanation="""The wrapper's arguments stand in another order than in the signature that was given. Whoever
        calls by place hands the rate in as the number of heads.""",
    ),
    mistake(
        "the heads cut x off",
        swap(JOIN, "return torch.cat([head(x.detach()) for head in self.heads], dim=-1)"),
        caught_by="test_training_reaches_every_head",
        explanation="""The heads read a copy of x through which no gradient comes back. Layers before this one then
        learn nothing from it.""",
    ),
    mistake(
        "only the first head learns",
        swap(JOIN, "return torch.cat([self.heads[0](x), *(head(x).detach() for head in self.heads[1:])], dim=-1)"),
        caught_by="test_training_reaches_every_head",
        explanation="""What the other heads make is cut off from training. They keep their first random weights.""",
    ),
    mistake(
        "only the last head learns",
        swap(JOIN, "return torch.cat([*(head(x).detach() for head in self.heads[:-1]), self.heads[-1](x)], dim=-1)"),
        caught_by="test_training_reaches_every_head",
        explanation="""What the other heads make is cut off from training. They keep their first random weights.""",
    ),
    mistake(
        "a bias in the heads unless told otherwise",
        swap(WRAPPER_SIGNATURE, WRAPPER_SIGNATURE.replace("False", "True")),
        caught_by="test_training_reaches_every_head",
        explanation="""The heads have a bias where nobody says anything of it. Without being asked for they have
        none.""",
    ),
    mistake(
        "the wrapper's first answer is kept",
        swap(
            JOIN,
            'if "first" not in self.__dict__ or self.first.shape[:2] != x.shape[:2]:\n            self.first = torch.cat([head(x) for head in self.heads], dim=-1)\n        return self.first',
        ),
        caught_by="test_wrapper_answers_each_input_anew",
        explanation="""What was worked out for the first input is returned for others of the same shape. Every input has
        an answer of its own.""",
    ),
    mistake(
        "the wrapper keeps its heads waiting in training",
        swap(
            JOIN,
            "return torch.cat([head(x) if not self.training else head(x) / len(self.heads) for head in self.heads], dim=-1)",
        ),
        caught_by="test_wrapper_answers_each_input_anew",
        explanation="""In training the contexts are divided by the number of heads. At rate 0 both modes give the
        same.""",
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
    mistake(
        "channels come before heads",
        swap(SPLIT, "return x.transpose(2, 3)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""Heads and channels change places, and tokens stay in front. Heads and tokens are what has to
        change places.""",
    ),
    mistake(
        "tokens come before the batch",
        swap(SPLIT, "return x.transpose(0, 1)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""Batch and tokens change places. Heads and tokens are what has to change places.""",
    ),
    mistake(
        "channels where the heads should be",
        swap(SPLIT, "return x.transpose(1, 3)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""Tokens and channels change places, and the heads stay where they were. Heads and tokens are what
        has to change places.""",
    ),
    mistake(
        "the tokens are shared out among the heads",
        swap(CUT, "return x.reshape(B, num_heads, -1, width)"),
        swap(SPLIT, "return x"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""Each head gets some of the tokens with all their channels. Every head sees every token, and some
        of its channels.""",
    ),
    mistake(
        "every head gets all channels",
        swap(SPLIT, "return x.reshape(B, T, width)[:, None].expand(B, num_heads, T, width)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""Every head gets the whole token. Its share is a part of the channels, as wide as all channels
        divided by the heads.""",
    ),
    mistake(
        "every head gets the first channels",
        swap(SPLIT, "return x[:, :, :1].expand_as(x).transpose(1, 2)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""All heads get the same first channels. Each has channels of its own.""",
    ),
    mistake(
        "every head gets the last channels",
        swap(SPLIT, "return x[:, :, -1:].expand_as(x).transpose(1, 2)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""All heads get the same last channels. Each has channels of its own.""",
    ),
    mistake(
        "the last head gets the first channels",
        swap(SPLIT, "return x.transpose(1, 2).flip(1)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""The heads stand in reverse order. Head 0 has the first channels.""",
    ),
    mistake(
        "a tuple of heads",
        swap(SPLIT, "return x.unbind(2)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""The heads come back as a tuple, a tensor each. One tensor with a dimension of heads is
        asked for.""",
    ),
    mistake(
        "split_heads loses dimensions of size 1",
        swap(SPLIT, "return x.transpose(1, 2).squeeze()"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""All dimensions of size 1 are taken away, and one row or one token is one. A batch of one is a
        batch all the same.""",
    ),
    mistake(
        "the number of heads comes before x",
        swap(
            'def split_heads(x: Float[Tensor, "B T h*d"], num_heads: int)',
            'def split_heads(num_heads: int, x: Float[Tensor, "B T h*d"])',
        ),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""The arguments stand in another order than in the signature that was given. Whoever calls by place
        hands x in as the number.""",
    ),
    mistake(
        "split_heads scales",
        swap(SPLIT, "return x.transpose(1, 2) / x.shape[-1] ** 0.5"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""The channels are divided by the root of their number on the way. The scale belongs to the scores,
        and values would get it too.""",
    ),
    mistake(
        "split_heads is as wide as the heads are many",
        swap(CUT, "x = x.reshape(B, T, num_heads, num_heads)  # (B, T, h, d)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""The width of a head is taken to be the number of heads. It is all channels divided by that
        number.""",
    ),
    mistake(
        "split_heads returns nothing",
        swap(SPLIT, "x.transpose(1, 2)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""The heads are brought to the front and not returned. Without `return` a function gives None.""",
    ),
    mistake(
        "tokens and channels are swapped back",
        swap(MERGE, "return x.transpose(2, 3).reshape(B, T, num_heads * d)"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""Tokens and channels change places before the merge. Heads and tokens are what was swapped.""",
    ),
    mistake(
        "merged along the wrong pair",
        swap(MERGE, "return x.reshape(B, num_heads * d, T).transpose(1, 2)"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""Heads and channels are read as one dimension while the tokens still stand between them. The
        contents are then cut at other places than they were made.""",
    ),
    mistake(
        "tokens and batch exchanged in the merge",
        swap(MERGE, "return x.permute(2, 0, 1, 3).reshape(T, B, num_heads * d)"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""The tokens come first and the batch second. The batch stays in front.""",
    ),
    mistake(
        "heads and batch exchanged in the merge",
        swap(MERGE, "return x.reshape(num_heads, B, T, d).permute(1, 2, 0, 3).reshape(B, T, num_heads * d)"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""Batch and heads are one dimension for a moment and are taken apart in the other order. Parts of
        one row then stand in another.""",
    ),
    mistake(
        "all tokens in one row",
        swap(MERGE, "return x.transpose(1, 2).flatten(1)"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""Tokens, heads and channels become one dimension. The tokens stay apart; only heads and channels
        are joined.""",
    ),
    mistake(
        "only the first head is merged",
        swap(MERGE, "return x[:, 0]"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""The first head comes back and the others are lost. All heads of a token stand side by side.""",
    ),
    mistake(
        "the first head in every place",
        swap(MERGE, "return x[:, :1].expand_as(x).transpose(1, 2).reshape(B, T, num_heads * d)"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""The first head is repeated as often as there are heads. Each place has a head of its own.""",
    ),
    mistake(
        "merged along the tokens",
        swap(MERGE, "return x.reshape(B, num_heads * T, d)"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""The heads come one after the other along the tokens. They belong side by side in the channels of
        the same token.""",
    ),
    mistake(
        "merged with the last head first",
        swap(MERGE, "return x.flip(1).transpose(1, 2).reshape(B, T, num_heads * d)"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""The heads stand in reverse order. Head 0 has the first channels.""",
    ),
    mistake(
        "merge_heads loses dimensions of size 1",
        swap(MERGE, "return x.transpose(1, 2).reshape(B, T, num_heads * d).squeeze()"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""All dimensions of size 1 are taken away, and one row or one token is one. A batch of one is a
        batch all the same.""",
    ),
    mistake(
        "the largest of the heads in the merge",
        swap(MERGE, "return x.amax(dim=1)"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""For each channel the largest of all heads is taken. All of them stand side by side.""",
    ),
    mistake(
        "merged with heads and channels apart",
        swap(MERGE, "return x.transpose(1, 2)"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""Heads and tokens change places back, and the heads are not joined. A token has one row of
        channels.""",
    ),
    mistake(
        "merge_heads returns nothing",
        swap(MERGE, "x.transpose(1, 2).reshape(B, T, num_heads * d)"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""The heads are joined and not returned. Without `return` a function gives None.""",
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
    mistake(
        "only too many heads are refused",
        swap(CHECK, "if d_out < num_heads:"),
        caught_by="test_width_that_does_not_divide_is_refused",
        explanation="""Only where there are more heads than channels is there an error. A remainder is one too.""",
    ),
    mistake(
        "the context length is checked",
        swap(CHECK, "if context_length % num_heads != 0:"),
        caught_by="test_width_that_does_not_divide_is_refused",
        explanation="""It is asked whether the context can be shared out. Heads share the channels, not the tokens.""",
    ),
    mistake(
        "the error says the width only",
        swap(REFUSE, 'raise ValueError(f"d_out = {d_out} cannot be split evenly")'),
        caught_by="test_width_that_does_not_divide_is_refused",
        explanation="""The message shows one of the two numbers. Which one is to be changed can only be seen from
        both.""",
    ),
    mistake(
        "the error says the number of heads only",
        swap(REFUSE, 'raise ValueError(f"no width for {num_heads} heads")'),
        caught_by="test_width_that_does_not_divide_is_refused",
        explanation="""The message shows one of the two numbers. Which one is to be changed can only be seen from
        both.""",
    ),
    mistake(
        "another kind of error for the width",
        swap(REFUSE, REFUSE.replace("ValueError", "TypeError")),
        caught_by="test_width_that_does_not_divide_is_refused",
        explanation="""A TypeError says that something of the wrong type was given. The type is right here, and the
        value is not.""",
    ),
    mistake(
        "the remainder is shown",
        swap(REFUSE, 'raise ValueError(f"{d_out % num_heads} channels are left over")'),
        caught_by="test_width_that_does_not_divide_is_refused",
        explanation="""The message shows what is left of the division. The two numbers that were given are what can be
        changed.""",
    ),
    mistake(
        "what divides is refused",
        swap(CHECK, "if d_out % num_heads == 0:"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""The check is turned round, and just the good widths raise an error. A remainder is what must not
        be.""",
    ),
    mistake(
        "projections from d_out to d_in",
        swap(MAKE_QUERY, "self.W_query = nn.Linear(d_out, d_in, bias=qkv_bias)"),
        swap(MAKE_KEY, "self.W_key = nn.Linear(d_out, d_in, bias=qkv_bias)"),
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_out, d_in, bias=qkv_bias)"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""The two widths change places. A Linear is told first what comes in, then what goes out.""",
    ),
    mistake(
        "the value keeps the input's width",
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_in, d_in, bias=qkv_bias)"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""The values are as wide as x. They are mixed into contexts, which are d_out wide.""",
    ),
    mistake(
        "out_proj leads back to d_in",
        swap(MAKE_OUT, "self.out_proj = nn.Linear(d_out, d_in)"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""out_proj makes the output as wide as the input. The output is d_out wide.""",
    ),
    mistake(
        "out_proj comes from d_in",
        swap(MAKE_OUT, "self.out_proj = nn.Linear(d_in, d_out)"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""out_proj is made for what comes into the module. What it gets are the merged contexts, d_out
        wide.""",
    ),
    mistake(
        "out_proj for one head",
        swap(MAKE_OUT, "self.out_proj = nn.Linear(d_out // num_heads, d_out)"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""out_proj is made for the width of one head. It mixes all heads, so it takes all their
        channels.""",
    ),
    mistake(
        "the key has no bias",
        swap(MAKE_KEY, "self.W_key = nn.Linear(d_in, d_out, bias=False)"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""qkv_bias is not handed to the key's layer. It is meant for all three.""",
    ),
    mistake(
        "the value has no bias",
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_in, d_out, bias=False)"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""qkv_bias is not handed to the value's layer. It is meant for all three.""",
    ),
    mistake(
        "the value always has a bias",
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_in, d_out)"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""The value's layer has a bias whatever qkv_bias says, since a Linear has one unless told
        otherwise. qkv_bias is meant for all three.""",
    ),
    mistake(
        "one layer for all three",
        swap(MAKE_QUERY, "self.W_qkv = nn.Linear(d_in, 3 * d_out, bias=qkv_bias)"),
        swap(MAKE_KEY, ""),
        swap(MAKE_VALUE, ""),
        swap(
            QUERY, "query, key, value = (split_heads(part, self.num_heads) for part in self.W_qkv(x).chunk(3, dim=-1))"
        ),
        swap(KEY, "key = key"),
        swap(VALUE, "value = value"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""Query, key and value come out of a single layer under another name. That works as well, but the
        three layers of the contract are what others look for.""",
    ),
    mistake(
        "projections as plain matrices",
        swap(MAKE_QUERY, "self.W_query = nn.Parameter(torch.rand(d_in, d_out))"),
        swap(MAKE_KEY, "self.W_key = nn.Parameter(torch.rand(d_in, d_out))"),
        swap(MAKE_VALUE, "self.W_value = nn.Parameter(torch.rand(d_in, d_out))"),
        swap(QUERY, "query = split_heads(x @ self.W_query, self.num_heads)"),
        swap(KEY, "key = split_heads(x @ self.W_key, self.num_heads)"),
        swap(VALUE, "value = split_heads(x @ self.W_value, self.num_heads)"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""The projections are parameters and no layers. A Linear starts with weights of the right size and
        can have a bias.""",
    ),
    mistake(
        "key and value share a layer",
        swap(MAKE_VALUE, "self.W_value = self.W_key"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""One layer stands under two names. What a token is found by and what it then says are two
        things.""",
    ),
    mistake(
        "query and value share a layer",
        swap(MAKE_VALUE, "self.W_value = self.W_query"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""One layer stands under two names. What a token looks for and what it says are two things.""",
    ),
    mistake(
        "query and key share a layer",
        swap(MAKE_KEY, "self.W_key = self.W_query"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""One layer stands under two names. What a token looks for and what it is found by are two
        things.""",
    ),
    mistake(
        "the projections are frozen",
        swap(
            MAKE_OUT,
            MAKE_OUT
            + "\n        for layer in (self.W_query, self.W_key, self.W_value):\n            layer.requires_grad_(False)",
        ),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""The three layers are told that they need no gradient. They keep their first random weights.""",
    ),
    mistake(
        "a norm nobody asked for",
        swap(MAKE_OUT, MAKE_OUT + "\n        self.norm = nn.LayerNorm(d_out)"),
        swap(RESULT, "return self.norm(self.out_proj(merge_heads(context)))  # (B, T, d_out)"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""The output is brought to mean 0 and variance 1 in here. That is the business of the block around
        it.""",
    ),
    mistake(
        "the layers of the heads are a list",
        swap(
            MAKE_QUERY,
            "self.W_query = nn.ModuleList(nn.Linear(d_in, d_out // num_heads, bias=qkv_bias) for _ in range(num_heads))",
        ),
        swap(QUERY, "query = torch.stack([layer(x) for layer in self.W_query], dim=1)"),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""The query has a layer for each head. One layer serves all heads in one matrix product.""",
    ),
    mistake(
        "the mask has another name",
        swap(MAKE_MASK, 'self.register_buffer("bias", causal_mask(context_length))'),
        swap(WEIGHTS, "weights = scores.masked_fill_(self.bias[:T, :T], -torch.inf).softmax(dim=-1)"),
        caught_by="test_mask_is_a_buffer",
        explanation="""The buffer is there under another name. `mask` is what the contract calls it.""",
    ),
    mistake(
        "no mask is kept",
        swap(MAKE_MASK, "pass"),
        swap(WEIGHTS, "weights = scores.masked_fill_(causal_mask(T).to(x.device), -torch.inf).softmax(dim=-1)"),
        caught_by="test_mask_is_a_buffer",
        explanation="""The mask is made anew in each call and none is kept. A buffer is made once, and moves with the
        module.""",
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
    family(
        "a fill of {c} can be overcome",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask[:T, :T], {c}).softmax(dim=-1)"),
        constants=(-1.0, -20.0, -100.0, -1e4),
        caught_by="test_extreme_inputs_do_not_break_the_mask",
        explanation="""A hidden score becomes {c}, which is not the lowest score there can be. Where visible scores come
        near it, hidden entries get weight, and where they fall below it, the hidden entries win the softmax.""",
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
    mistake(
        "the mask is one token too small",
        swap(MAKE_MASK, 'self.register_buffer("mask", causal_mask(context_length - 1))'),
        caught_by="test_fused_equals_wrapper",
        explanation="""The mask is made for one token fewer than the context length. A sequence that is as long as
        allowed does not fit.""",
    ),
    mistake(
        "the mask is as large as the width",
        swap(MAKE_MASK, 'self.register_buffer("mask", causal_mask(d_out))'),
        caught_by="test_each_input_is_answered_anew",
        explanation="""The mask is made for as many tokens as there are channels. How long a sequence may be has nothing
        to do with its width.""",
    ),
    mistake(
        "only the query is split by a direct view",
        swap(QUERY, "query = self.W_query(x).view(len(x), self.num_heads, T, -1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The query is read as (B, h, T, d) at once, which mixes tokens with channels. Heads and channels
        are cut first, and then heads and tokens change places.""",
    ),
    mistake(
        "only the key is split by a direct view",
        swap(KEY, "key = self.W_key(x).view(len(x), self.num_heads, T, -1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The key is read as (B, h, T, d) at once, which mixes tokens with channels. Heads and channels are
        cut first, and then heads and tokens change places.""",
    ),
    mistake(
        "only the value is split by a direct view",
        swap(VALUE, "value = self.W_value(x).view(len(x), self.num_heads, T, -1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The value is read as (B, h, T, d) at once, which mixes tokens with channels. Heads and channels
        are cut first, and then heads and tokens change places.""",
    ),
    mistake(
        "the query is made by the key's layer",
        swap(QUERY, "query = split_heads(self.W_key(x), self.num_heads)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The key's layer makes the query too, and the query's is not used. What a token looks for and what
        it is found by are two things.""",
    ),
    mistake(
        "the query is made by the value's layer",
        swap(QUERY, "query = split_heads(self.W_value(x), self.num_heads)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The value's layer makes the query too, and the query's is not used. What a token looks for and
        what it says are two things.""",
    ),
    mistake(
        "the key is made by the value's layer",
        swap(KEY, "key = split_heads(self.W_value(x), self.num_heads)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The value's layer makes the key too, and the key's is not used. What a token is found by and what
        it says are two things.""",
    ),
    mistake(
        "the queries are mixed",
        swap(VALUE, "value = split_heads(self.W_query(x), self.num_heads)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The contexts are mixed from queries, and the value's layer is not used. What is mixed is what the
        tokens say.""",
    ),
    mistake(
        "key and value are exchanged",
        swap(KEY, "key = split_heads(self.W_value(x), self.num_heads)"),
        swap(VALUE, "value = split_heads(self.W_key(x), self.num_heads)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The key's layer makes the values and the value's the keys. With weights from elsewhere the names
        matter.""",
    ),
    mistake(
        "query and value are exchanged",
        swap(QUERY, "query = split_heads(self.W_value(x), self.num_heads)"),
        swap(VALUE, "value = split_heads(self.W_query(x), self.num_heads)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The query's layer makes the values and the value's the queries. With weights from elsewhere the
        names matter.""",
    ),
    mistake(
        "the fourth root",
        swap(SCORES, "scores = query / query.shape[-1] ** 0.25 @ key.transpose(2, 3)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""Only the query is divided, by a fourth root. That is right where the key is divided by one
        too.""",
    ),
    mistake(
        "scaled by the size of the batch",
        swap(SCORES, "scores = query / len(query) ** 0.5 @ key.transpose(2, 3)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The first dimension gives the scale. That is the number of texts; the dot product adds up the
        channels of a head.""",
    ),
    mistake(
        "scaled by one channel more",
        swap(SCORES, "scores = query / (query.shape[-1] + 1) ** 0.5 @ key.transpose(2, 3)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""1 is added to the width. The dot product adds up exactly d products.""",
    ),
    mistake(
        "the mask is added",
        swap(WEIGHTS, "weights = (scores + self.mask[:T, :T]).softmax(dim=-1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The mask of True and False is added to the scores, which makes the hidden ones larger by 1. A
        mask that is added has to hold minus infinity.""",
    ),
    mistake(
        "the mask is subtracted",
        swap(WEIGHTS, "weights = (scores - self.mask[:T, :T].to(scores.dtype)).softmax(dim=-1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""Hidden scores become smaller by 1, and can still be seen. They have to have no weight at all.""",
    ),
    mistake(
        "hidden scores become plus infinity",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask[:T, :T], torch.inf).softmax(dim=-1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""Hidden scores become larger than any other, and the softmax of them is no number. The sign is the
        other one.""",
    ),
    mistake(
        "the last columns of the mask are used",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask[:T, -T:], -torch.inf).softmax(dim=-1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""For a sequence shorter than the context the mask is cut from the upper right, where everything is
        hidden. Both are cut from the same corner.""",
    ),
    mistake(
        "no mask in eval mode",
        swap(
            WEIGHTS,
            "scores = scores.masked_fill_(self.mask[:T, :T] & self.training, -torch.inf)\n        weights = scores.softmax(dim=-1)",
        ),
        caught_by="test_fused_equals_wrapper",
        explanation="""Later tokens are hidden in training only. The model would read what it is to write.""",
    ),
    mistake(
        "no token sees farther back than two",
        swap(
            WEIGHTS,
            "hidden = self.mask[:T, :T] | ~self.mask.new_ones(T, T).triu(-2)\n        weights = scores.masked_fill_(hidden, -torch.inf).softmax(dim=-1)",
        ),
        caught_by="test_fused_equals_wrapper",
        explanation="""Tokens far back are hidden too. Every token sees all that came before it.""",
    ),
    mistake(
        "the mask hides in the first head only",
        swap(
            WEIGHTS,
            "scores[:, 0].masked_fill_(self.mask[:T, :T], -torch.inf)\n        weights = scores.softmax(dim=-1)",
        ),
        caught_by="test_fused_equals_wrapper",
        explanation="""One head is masked and the others see what is to come. Every head needs the mask.""",
    ),
    mistake(
        "the mask hides in the first row only",
        swap(
            WEIGHTS, "scores[0].masked_fill_(self.mask[:T, :T], -torch.inf)\n        weights = scores.softmax(dim=-1)"
        ),
        caught_by="test_fused_equals_wrapper",
        explanation="""The first text of the batch is masked and the others are not. Every row needs the mask.""",
    ),
    mistake(
        "the last token sees only itself",
        swap(
            WEIGHTS,
            "hidden = self.mask[:T, :T] | (torch.arange(T) < T - 1) & (torch.arange(T)[:, None] == T - 1)\n        weights = scores.masked_fill_(hidden, -torch.inf).softmax(dim=-1)",
        ),
        caught_by="test_fused_equals_wrapper",
        explanation="""From the last token all others are hidden. It sees all of them: it is the last.""",
    ),
    mistake(
        "scores are used as weights",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask[:T, :T], 0.0)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The scores mix the values as they are. Weights are positive and add up to 1, which takes a
        softmax.""",
    ),
    mistake(
        "a sigmoid instead of a softmax",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask[:T, :T], -torch.inf).sigmoid()"),
        caught_by="test_fused_equals_wrapper",
        explanation="""Each score becomes a weight of its own between 0 and 1. The weights of a row have to add up
        to 1.""",
    ),
    mistake(
        "exponentials without their sum",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask[:T, :T], -torch.inf).exp()"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The exponentials are not divided by their sum. The weights of a row have to add up to 1.""",
    ),
    mistake(
        "one softmax over all pairs",
        swap(
            WEIGHTS,
            "weights = scores.masked_fill(self.mask[:T, :T], -torch.inf).flatten(2).softmax(dim=-1).view_as(scores)",
        ),
        caught_by="test_fused_equals_wrapper",
        explanation="""One softmax runs over all queries and keys together. The weights of each query add up to 1.""",
    ),
    mistake(
        "softmax twice",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask[:T, :T], -torch.inf).softmax(dim=-1).softmax(dim=-1)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The softmax is taken of weights. They become nearly equal, and what was hidden has a weight
        again.""",
    ),
    mistake(
        "logarithms of weights",
        swap(WEIGHTS, "weights = scores.masked_fill(self.mask[:T, :T], -torch.inf).log_softmax(dim=-1).clamp(min=-30)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The values are mixed by logarithms of weights. They are all below 0 and do not add up to 1.""",
    ),
    mistake(
        "scores divided by their sum",
        swap(
            WEIGHTS,
            "weights = scores.masked_fill(self.mask[:T, :T], 0.0)\n        weights = weights / weights.sum(dim=-1, keepdim=True)",
        ),
        caught_by="test_fused_equals_wrapper",
        explanation="""The scores themselves are divided by their sum. Some are below 0, and the sum may be nearly 0;
        the exponential makes them all positive.""",
    ),
    mistake(
        "only the best match counts",
        swap(
            WEIGHTS,
            "weights = scores.masked_fill_(self.mask[:T, :T], -torch.inf)\n        weights = (weights == weights.amax(dim=-1, keepdim=True)).to(x.dtype)",
        ),
        caught_by="test_fused_equals_wrapper",
        explanation="""Each query takes the value of the one key that fits best. Softmax mixes all of them, and only
        what is mixed can be learned.""",
    ),
    mistake(
        "the value is added to the context",
        swap(MIX, MIX + " + value"),
        caught_by="test_fused_equals_wrapper",
        explanation="""Each token's own value comes on top of what was mixed. Its weight for itself is among the others
        already.""",
    ),
    mistake(
        "the heads are turned round before the merge",
        swap(RESULT, "return self.out_proj(merge_heads(context.flip(1)))  # (B, T, d_out)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The heads stand in reverse order in the output. Head 0 has the first channels.""",
    ),
    mistake(
        "every head gets the mean of all",
        swap(
            RESULT,
            "return self.out_proj(merge_heads(context.mean(dim=1, keepdim=True).expand_as(context)))  # (B, T, d_out)",
        ),
        caught_by="test_fused_equals_wrapper",
        explanation="""The contexts are averaged over the heads, and each place gets the mean. Each head keeps its own
        channels.""",
    ),
    mistake(
        "heads and batch are taken apart in the other order",
        swap(
            RESULT,
            "context = context.reshape(self.num_heads, len(x), T, -1).transpose(0, 1)\n        return self.out_proj(merge_heads(context))  # (B, T, d_out)",
        ),
        caught_by="test_fused_equals_wrapper",
        explanation="""Batch and heads are one dimension for a moment and are taken apart as heads and batch. Parts of
        one text then stand in another.""",
    ),
    mistake(
        "attention along the batch",
        swap(TOKENS, "        x = x.transpose(0, 1)\n" + TOKENS),
        swap(WEIGHTS, "weights = scores.masked_fill_(causal_mask(T), -torch.inf).softmax(dim=-1)"),
        swap(RESULT, "return self.out_proj(merge_heads(context)).transpose(0, 1)  # (B, T, d_out)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""Batch and tokens change places, and the first texts of the batch are seen by the later ones. The
        batch comes first here; tokens attend to tokens of their own text.""",
    ),
    mistake(
        "batch and tokens exchanged in the output",
        swap(RESULT, "return self.out_proj(merge_heads(context)).transpose(0, 1)  # (B, T, d_out)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The tokens come first in the output and the batch second. The batch comes first, as in the
        input.""",
    ),
    mistake(
        "the heads stay apart in the output",
        swap(RESULT, "return self.out_proj(merge_heads(context)).unflatten(-1, (self.num_heads, -1))  # (B, T, d_out)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The output has a dimension of heads. After out_proj there are none any more, only channels.""",
    ),
    mistake(
        "only the last token is answered",
        swap(RESULT, "return self.out_proj(merge_heads(context))[:, -1]  # (B, T, d_out)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The output of the last token comes back alone. Every token has one.""",
    ),
    mistake(
        "the output loses a batch of one",
        swap(RESULT, "return self.out_proj(merge_heads(context)).squeeze(0)  # (B, T, d_out)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""A batch of one row loses its first dimension. It is a batch all the same.""",
    ),
    mistake(
        "weights of 16 bits",
        swap(
            WEIGHTS, "weights = scores.masked_fill_(self.mask[:T, :T], -torch.inf).softmax(dim=-1).half().to(x.dtype)"
        ),
        caught_by="test_fused_equals_wrapper",
        explanation="""The weights are rounded to 16 bits on the way. They keep the precision of x.""",
    ),
    mistake(
        "the value is not projected",
        swap(
            VALUE,
            "value = split_heads(nn.functional.pad(x, (0, self.W_value.out_features))[..., : self.W_value.out_features], self.num_heads)",
        ),
        caught_by="test_fused_equals_wrapper",
        explanation="""x itself is mixed, and the value's layer is not used. What a token says is made of it by a
        projection.""",
    ),
    mistake(
        "a curve behind out_proj",
        swap(RESULT, "return self.out_proj(merge_heads(context)).relu()  # (B, T, d_out)"),
        caught_by="test_output_is_multi_head_attention",
        explanation="""Whatever is below 0 in the output is lost. Attention ends with a linear layer; the curve belongs
        to the feed-forward part.""",
    ),
    mistake(
        "a curve before out_proj",
        swap(RESULT, "return self.out_proj(merge_heads(context).tanh())  # (B, T, d_out)"),
        caught_by="test_output_is_multi_head_attention",
        explanation="""The contexts are bent before they are mixed. out_proj gets them as they are.""",
    ),
    mistake(
        "the output is divided by the number of heads",
        swap(RESULT, "return self.out_proj(merge_heads(context)) / self.num_heads  # (B, T, d_out)"),
        caught_by="test_output_is_multi_head_attention",
        explanation="""The output is made smaller by the number of heads, as if they had been added up. They stand side
        by side, and out_proj decides how much of each.""",
    ),
    mistake(
        "out_proj before the mix",
        swap(MIX, "context = self.dropout(weights) @ split_heads(self.out_proj(merge_heads(value)), self.num_heads)"),
        swap(RESULT, "return merge_heads(context)  # (B, T, d_out)"),
        caught_by="test_output_is_multi_head_attention",
        explanation="""out_proj is used on the values, before they are mixed. It mixes what all heads have found, so it
        comes last.""",
    ),
    mistake(
        "dropout half the time in eval mode",
        swap(MIX, "context = (self.dropout(weights) if self.training else weights * (1 - self.dropout.p)) @ value"),
        caught_by="test_output_is_multi_head_attention",
        explanation="""In eval mode the weights are made smaller, as if they had not been made larger in training. What
        is kept in training is scaled up there already.""",
    ),
    mistake(
        "one head is taken for two",
        swap("self.num_heads = num_heads\n", "self.num_heads = max(num_heads, 2)\n"),
        caught_by="test_any_number_of_heads_will_do",
        explanation="""At least two heads are made. One is allowed, and is plain attention with out_proj behind it.""",
    ),
    mistake(
        "renormalised with a little added",
        swap(
            WEIGHTS,
            "weights = scores.softmax(dim=-1) * ~self.mask[:T, :T]\n        weights = weights / (weights.sum(dim=-1, keepdim=True) + 1e-9)",
        ),
        caught_by="test_no_gradient_reaches_a_later_token",
        explanation="""The softmax sees all tokens, and the hidden weights are taken out and the rest scaled up. On
        extreme scores nothing is left to scale, and the hidden tokens were part of the sum.""",
    ),
    mistake(
        "the first length is kept",
        swap(TOKENS, TOKENS.replace("T = x.shape[1]", 'T = self.__dict__.setdefault("tokens", x.shape[1])')),
        caught_by="test_a_prefix_gives_the_same_outputs",
        explanation="""The number of tokens of the first call is used for all. Each sequence has a length of its
        own.""",
    ),
    mistake(
        "the mean of all tokens is subtracted",
        swap(TOKENS, "        x = x - x.mean(dim=1, keepdim=True)\n" + TOKENS),
        caught_by="test_a_prefix_gives_the_same_outputs",
        explanation="""The mean over the tokens is taken off, so every token learns something of those that come later.
        What a token knows must not depend on what follows.""",
    ),
    mistake(
        "the weights of the first call are kept",
        swap(
            MIX,
            'if "kept" not in self.__dict__ or self.kept.shape != weights.shape or self.dropout.p > 0:\n            self.kept = weights\n        context = self.dropout(self.kept) @ value',
        ),
        caught_by="test_each_input_is_answered_anew",
        explanation="""Who looks at whom is worked out for the first input and used for others of the same shape. Every
        input has weights of its own.""",
    ),
    mistake(
        "no mask in training",
        swap(
            WEIGHTS,
            "hidden = self.mask[:T, :T] & (not self.training)\n        weights = scores.masked_fill_(hidden, -torch.inf).softmax(dim=-1)",
        ),
        caught_by="test_each_input_is_answered_anew",
        explanation="""Later tokens are hidden in eval mode only. In training the model would learn to copy what it is
        to guess.""",
    ),
    mistake(
        "the context is always 512",
        swap(MAKE_MASK, 'self.register_buffer("mask", causal_mask(512 if context_length > 512 else context_length))'),
        caught_by="test_the_context_is_as_long_as_asked",
        explanation="""The mask is never larger than 512 tokens. The context length is an argument.""",
    ),
    mistake(
        "half of the weights always",
        swap(MAKE_DROPOUT, "self.dropout = nn.Dropout()"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""The rate is not handed on, and a Dropout drops half unless told otherwise. The rate was
        given.""",
    ),
    mistake(
        "a tenth of the weights always",
        swap(MAKE_DROPOUT, "self.dropout = nn.Dropout(0.1)"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""The rate is fixed. It was given.""",
    ),
    mistake(
        "dropped and kept change places",
        swap(MAKE_DROPOUT, "self.dropout = nn.Dropout(1 - dropout)"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""The layer is given the share that is kept. Its argument is the share that is dropped.""",
    ),
    mistake(
        "the weights are dropped twice",
        swap(MIX, "context = self.dropout(self.dropout(weights)) @ value"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""The weights go through dropout two times. What is kept is then scaled up twice, and too few are
        kept.""",
    ),
    mistake(
        "what is kept is not scaled up",
        swap(MIX, "context = weights * (self.dropout(torch.ones_like(weights)) != 0) @ value"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""Weights are dropped and the others stay as they are. What is kept has to make up for what is
        missing.""",
    ),
    mistake(
        "the rest is made to add up to 1",
        swap(
            MIX,
            "weights = self.dropout(weights)\n        context = weights / weights.sum(dim=-1, keepdim=True).clamp(min=1e-6) @ value",
        ),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""After dropout each row is divided by its sum. What is kept is scaled by one fixed number,
        whatever else was dropped.""",
    ),
    mistake(
        "dropout on x",
        swap(TOKENS, "        x = self.dropout(x)\n" + TOKENS),
        swap(MIX, "context = weights @ value"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""Channels of the tokens are dropped before anything is made of them. It is the weights that are
        dropped here.""",
    ),
    mistake(
        "dropout on queries or keys",
        swap(QUERY, "query = self.dropout(split_heads(self.W_query(x), self.num_heads))"),
        swap(MIX, "context = weights @ value"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""Channels of the queries or of the keys are dropped, which changes scores and leaves every weight
        there. It is the weights that are dropped here.""",
    ),
    mistake(
        "dropout on weights and values",
        swap(MIX, "context = self.dropout(weights) @ self.dropout(value)"),
        caught_by="test_dropout_acts_on_the_weights",
        explanation="""Weights and values both go through dropout. Only the weights are dropped here.""",
    ),
    mistake(
        "dropout in eval mode only",
        swap(MIX, "context = nn.functional.dropout(weights, self.dropout.p, not self.training) @ value"),
        caught_by="test_dropout_is_on_in_training_only",
        explanation="""Weights are dropped when the model is used and not when it is trained. It is the other way
        round.""",
    ),
    mistake(
        "all rows of the batch drop the same weights",
        swap(MIX, "context = weights * self.dropout(torch.ones_like(weights[:1])) @ value"),
        caught_by="test_every_head_drops_weights_of_its_own",
        explanation="""One draw is used for every text of the batch. Each row drops weights of its own.""",
    ),
    mistake(
        "one draw for all heads",
        swap(MIX, "context = weights * self.dropout(torch.ones_like(weights[:, :1])) @ value"),
        caught_by="test_every_head_drops_weights_of_its_own",
        explanation="""One draw is used for every head of a text. Each head drops weights of its own.""",
    ),
    mistake(
        "whole heads are dropped",
        swap(MIX, "context = weights * self.dropout(torch.ones_like(weights[:, :, :1, :1])) @ value"),
        caught_by="test_every_head_drops_weights_of_its_own",
        explanation="""A head is dropped with all its weights, or kept. Each weight is dropped by itself.""",
    ),
    mistake(
        "whole keys are dropped",
        swap(MIX, "context = weights * self.dropout(torch.ones_like(weights[:, :, :1])) @ value"),
        caught_by="test_every_head_drops_weights_of_its_own",
        explanation="""A key is dropped for all queries at once. Each weight is dropped by itself.""",
    ),
    mistake(
        "whole queries are dropped",
        swap(MIX, "context = weights * self.dropout(torch.ones_like(weights[..., :1])) @ value"),
        caught_by="test_every_head_drops_weights_of_its_own",
        explanation="""A query loses all its weights or none. Each weight is dropped by itself.""",
    ),
    mistake(
        "the query is cut off from training",
        swap(QUERY, "query = split_heads(self.W_query(x), self.num_heads).detach()"),
        caught_by="test_training_reaches_every_layer",
        explanation="""No gradient reaches the query's layer. It keeps its first random weights.""",
    ),
    mistake(
        "the key is cut off from training",
        swap(KEY, "key = split_heads(self.W_key(x), self.num_heads).detach()"),
        caught_by="test_training_reaches_every_layer",
        explanation="""No gradient reaches the key's layer. It keeps its first random weights.""",
    ),
    mistake(
        "the value is cut off from training",
        swap(VALUE, "value = split_heads(self.W_value(x), self.num_heads).detach()"),
        caught_by="test_training_reaches_every_layer",
        explanation="""No gradient reaches the value's layer. It keeps its first random weights.""",
    ),
    mistake(
        "out_proj cuts the contexts off",
        swap(RESULT, "return self.out_proj(merge_heads(context).detach())  # (B, T, d_out)"),
        caught_by="test_training_reaches_every_layer",
        explanation="""out_proj learns and nothing before it does. The gradient has to go through.""",
    ),
    mistake(
        "x is cut off",
        swap(TOKENS, "        x = x.detach()\n" + TOKENS),
        caught_by="test_training_reaches_every_layer",
        explanation="""The layers learn, and no gradient comes back to x. What stands before this module learns nothing
        from it.""",
    ),
    mistake(
        "the number of heads stands before the rate",
        swap(
            SIGNATURE,
            "        d_out: int,\n        context_length: int,\n        num_heads: int,\n        dropout: float,\n        qkv_bias: bool = False,\n",
        ),
        caught_by="test_layers_are_linear_and_serve_all_heads",
        explanation="""The arguments of MultiHeadAttention stand in another order than in the signature that was given.
        Whoever calls by place hands the rate in as the number of heads.""",
    ),
    mistake(
        "the input width has to divide",
        swap(CHECK, "if d_in % num_heads != 0:"),
        swap(REFUSE, 'raise ValueError(f"d_in = {d_in} cannot be split evenly into {num_heads} heads")'),
        caught_by="test_width_that_does_not_divide_is_refused",
        explanation="""It is d_in that is tested for being divisible, and shown. x may be of any width: it is the projected
        channels that are shared out among the heads.""",
    ),
    mistake(
        "the wrapper drops half of its result",
        swap(
            JOIN,
            "return nn.functional.dropout(torch.cat([head(x) for head in self.heads], dim=-1), 0.5, self.training)",
        ),
        caught_by="test_wrapper_passes_the_dropout_rate_on",
        explanation="""In training half of the contexts are dropped, behind what the heads drop. Only attention weights are
        dropped, at the rate that was asked for.""",
    ),
    mistake(
        "the mode is taken for the rate",
        swap(MIX, "context = nn.functional.dropout(weights, self.training) @ value"),
        caught_by="test_each_input_is_answered_anew",
        explanation="""`self.training` stands where the rate belongs: True counts as 1, so that all weights are dropped in
        training. The rate comes first, and whether it is training after it.""",
    ),
    mistake(
        "scaled by the input's share of a head",
        swap(SCORES, "scores = query / (x.shape[-1] // self.num_heads) ** 0.5 @ key.transpose(2, 3)"),
        caught_by="test_output_is_multi_head_attention",
        explanation="""The width of a head is worked out from x, which may be of another width than the projections. It is
        the projected channels that are shared out among the heads.""",
    ),
    mistake(
        "keys and values of earlier calls stay",
        swap(
            SCORES,
            """if not self.training:
            old = self.__dict__.get("kept")
            if old is not None and old[0].shape[:2] == key.shape[:2]:
                key, value = torch.cat([old[0], key], dim=2), torch.cat([old[1], value], dim=2)
            self.kept = key.detach(), value.detach()
        scores = query / query.shape[-1] ** 0.5 @ key.transpose(2, 3)""",
        ),
        swap(
            WEIGHTS,
            "weights = scores.masked_fill_(torch.ones(scores.shape[-2:], dtype=torch.bool)"
            ".triu(1 + scores.shape[3] - T), -torch.inf).softmax(dim=-1)",
        ),
        caught_by="test_each_input_is_answered_anew",
        explanation="""In eval mode the keys and values of every call are kept and put in front of those of the next. Each
        call gets a text of its own, which has nothing before it.""",
    ),
    mistake(
        "the diagonal is hidden, and NaN becomes 0",
        swap(
            WEIGHTS,
            "weights = scores.masked_fill_(torch.ones(T, T, dtype=torch.bool).triu(), -torch.inf)"
            ".softmax(dim=-1).nan_to_num(0.0)",
        ),
        caught_by="test_output_is_multi_head_attention",
        explanation="""Each token's own score is hidden too. The first token is left with nothing to look at, and the NaN
        that tells of it is painted over.""",
    ),
    mistake(
        "the mask is cut down for good",
        swap(WEIGHTS, "self.mask = self.mask[:T, :T]\n        " + WEIGHTS.replace("masked_fill_", "masked_fill")),
        caught_by="test_a_prefix_gives_the_same_outputs",
        explanation="""The part of the mask that one text needs is put in the place of the whole. The next longer text finds a
        mask that is too small for it.""",
    ),
    mistake(
        "all heads share the first head's keys and values",
        swap(KEY, KEY + "[:, :1]"),
        swap(VALUE, VALUE + "[:, :1]"),
        caught_by="test_output_is_multi_head_attention",
        explanation="""Only the first head's keys and values are used, by every head. That saves memory and is another kind of
        attention, of many queries; here each head has its own.""",
    ),
    mistake(
        "all heads share the first head's keys",
        swap(KEY, KEY + "[:, :1]"),
        caught_by="test_output_is_multi_head_attention",
        explanation="""Every head compares its queries with the keys of the first head. Each head has keys of its own.""",
    ),
    mistake(
        "all heads share the first head's values",
        swap(VALUE, VALUE + "[:, :1]"),
        caught_by="test_output_is_multi_head_attention",
        explanation="""Every head mixes the values of the first head. Each head has values of its own.""",
    ),
    mistake(
        "the heads of a token look at each other",
        swap(QUERY, "query = split_heads(self.W_query(x), self.num_heads).transpose(1, 2)"),
        swap(KEY, "key = split_heads(self.W_key(x), self.num_heads).transpose(1, 2)"),
        swap(VALUE, "value = split_heads(self.W_value(x), self.num_heads).transpose(1, 2)"),
        swap(WEIGHTS, "weights = scores.softmax(dim=-1)"),
        swap(MIX, "context = (self.dropout(weights) @ value).transpose(1, 2)"),
        caught_by="test_output_is_multi_head_attention",
        explanation="""The tokens stand before the heads, so each token's heads are compared with one another. Tokens look at
        tokens, head by head.""",
    ),
    mistake(
        "queries and keys are made of length 1",
        swap(
            SCORES,
            "scores = nn.functional.normalize(query, dim=-1) / query.shape[-1] ** 0.5"
            " @ nn.functional.normalize(key, dim=-1).transpose(2, 3)",
        ),
        caught_by="test_output_is_multi_head_attention",
        explanation="""Queries and keys are divided by their lengths, so that a score is a cosine. Here how long they are
        counts too.""",
    ),
    mistake(
        "the largest score of all is taken off",
        swap(
            WEIGHTS,
            WEIGHTS.replace(
                ".softmax(dim=-1)",
                "\n        weights = (weights - weights.max()).exp()"
                "\n        weights = weights / weights.sum(dim=-1, keepdim=True)",
            ),
        ),
        caught_by="test_extreme_inputs_do_not_break_the_mask",
        explanation="""From every score the largest of the whole batch is taken off before the exponential. Where a row's own
        scores are far below it, all of its exponentials become 0, and the row NaN.""",
    ),
    mistake(
        "exponentials of the scores as they are",
        swap(
            WEIGHTS,
            WEIGHTS.replace(
                ".softmax(dim=-1)", ".exp()\n        weights = weights / weights.sum(dim=-1, keepdim=True)"
            ),
        ),
        caught_by="test_extreme_inputs_do_not_break_the_mask",
        explanation="""Nothing is taken off before the exponential. Scores of a thousand make it infinite, and infinity
        divided by infinity is NaN.""",
    ),
    mistake(
        "the contexts are divided by the number of heads",
        swap(RESULT, "return self.out_proj(merge_heads(context) / self.num_heads)"),
        caught_by="test_output_is_multi_head_attention",
        explanation="""What the heads have found is divided by their number, as for a mean. They stand side by side, and
        nothing is added up.""",
    ),
    mistake(
        "far tokens count less",
        swap(
            WEIGHTS,
            "far = torch.arange(T)[:, None] - torch.arange(T)\n        "
            + WEIGHTS.replace("scores.masked_fill_", "(scores - 0.1 * far).masked_fill"),
        ),
        caught_by="test_output_is_multi_head_attention",
        explanation="""A score falls with the distance between two tokens. Here attention does not know of places: the
        embedding does.""",
    ),
    family(
        "scores beyond {c} are cut off",
        swap(WEIGHTS, WEIGHTS.replace("scores.masked_fill_", "scores.clamp(-{c}, {c}).masked_fill")),
        constants=(5.0, 30.0, 50.0, 100.0),
        caught_by="test_extreme_inputs_do_not_break_the_mask",
        explanation="""No score may be above {c} or below its negative. A softmax that takes off the largest score needs no
        such bounds, and they make different scores equal.""",
    ),
    mistake(
        "x is added where it fits",
        swap(
            RESULT, "out = self.out_proj(merge_heads(context))\n        return x + out if x.shape == out.shape else out"
        ),
        caught_by="test_input_and_output_may_be_equally_wide",
        explanation="""Where input and output are equally wide, x is added to the output. The shortcut comes with the block,
        which would then have two.""",
    ),
    mistake(
        "a view straight to (B, h, T, d)",
        swap(CUT, "return x.view(B, num_heads, T, width // num_heads)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""The tensor is viewed in its final shape at once. That moves no number: it cuts the row of numbers anew,
        and a head gets all the channels of some tokens where it should get some channels of all tokens.""",
    ),
    mistake(
        "heads are stacked before the batch and reshaped",
        swap(CUT, "return torch.stack(x.chunk(num_heads, dim=-1)).reshape(B, num_heads, T, width // num_heads)"),
        caught_by="test_head_i_gets_its_own_channels_of_every_token",
        explanation="""The heads are stacked in front of the batch, and a reshape then names the first two dimensions anew. It
        does not exchange them: heads and rows of the batch are mixed up.""",
    ),
    mistake(
        "the batch and the tokens are exchanged in merge",
        swap(MERGE, "return x.permute(2, 0, 1, 3).reshape(B, T, num_heads * d)"),
        caught_by="test_merge_lays_the_heads_of_a_token_side_by_side",
        explanation="""Tokens come before rows of the batch, and a reshape then names the two anew. It does not exchange
        them: the tokens of one row are dealt out to others.""",
    ),
    mistake(
        "the root is rounded down",
        swap(SCORES, "scores = query / int(query.shape[-1] ** 0.5) @ key.transpose(2, 3)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The root of the head's width becomes a whole number. The root of 2 is 1.41 and not 1.""",
    ),
    mistake(
        "scaled by a head's share of the input",
        swap(SCORES, "scores = query / (x.shape[-1] / self.num_heads) ** 0.5 @ key.transpose(2, 3)"),
        caught_by="test_fused_equals_wrapper",
        explanation="""The input's width is divided by the number of heads, and its root is the scale. What counts is the
        width of a head, which is a part of d_out.""",
    ),
]
