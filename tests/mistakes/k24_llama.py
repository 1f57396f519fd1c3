"""k24: what people get wrong about a Llama."""

from dojo.spec import family, mistake, swap

ONES = "self.weight = nn.Parameter(torch.ones(emb_dim))"
WIDE = "wide = x.to(torch.promote_types(x.dtype, torch.float32))  # squares need more room than 16 bits have"
SQUARE = "mean_square = wide.pow(2).mean(dim=-1, keepdim=True)  # (..., 1)"
NORMED = "normalised = wide / torch.sqrt(mean_square + self.eps)  # (..., D)"
SCALED = "return self.weight * normalised.to(x.dtype)"
MAKE_GATE = "self.gate = nn.Linear(emb_dim, hidden_dim, bias=False)"
MAKE_UP = "self.up = nn.Linear(emb_dim, hidden_dim, bias=False)"
MAKE_DOWN = "self.down = nn.Linear(hidden_dim, emb_dim, bias=False)"
HIDDEN = "hidden = silu(self.gate(x)) * self.up(x)  # (..., hidden_dim)"
BACK = "return self.down(hidden)  # (..., D)"
KV_DIM = "kv_dim = num_kv_heads * (emb_dim // num_heads)"
MAKE_QUERY = "self.W_query = nn.Linear(emb_dim, emb_dim, bias=False)"
MAKE_KEY = "self.W_key = nn.Linear(emb_dim, kv_dim, bias=False)"
MAKE_VALUE = "self.W_value = nn.Linear(emb_dim, kv_dim, bias=False)"
MAKE_OUT = "self.out_proj = nn.Linear(emb_dim, emb_dim, bias=False)"
QUERY = "query = split_heads(self.W_query(x), self.num_heads)  # (B, h, T, d)"
KEY = "key = split_heads(self.W_key(x), self.num_kv_heads)  # (B, h_kv, T, d)"
VALUE = "value = split_heads(self.W_value(x), self.num_kv_heads)  # (B, h_kv, T, d)"
ANGLES = "angles = rotary_angles(torch.arange(T, device=x.device), query.shape[-1], self.rope_base)  # (T, d/2)"
TURN_QUERY = "query = apply_rotary(query, angles.cos(), angles.sin())"
TURN_KEY = "key = apply_rotary(key, angles.cos(), angles.sin())"
SHARING = "sharing = self.num_heads // self.num_kv_heads"
REPEAT_KEY = "key = key.repeat_interleave(sharing, dim=1)  # (B, h, T, d)"
REPEAT_VALUE = "value = value.repeat_interleave(sharing, dim=1)  # (B, h, T, d)"
SCORES = "scores = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5  # (B, h, T, T)"
WEIGHTS = "weights = masked_softmax(scores, causal_mask(T).to(x.device))"
CONTEXT = "return self.out_proj(merge_heads(weights @ value))  # (B, T, D)"
NORM1 = "self.norm1 = RMSNorm(config.emb_dim, config.eps)"
MAKE_ATTENTION = (
    "self.attention = GroupedQueryAttention(config.emb_dim, config.num_heads, config.num_kv_heads, config.rope_base)"
)
NORM2 = "self.norm2 = RMSNorm(config.emb_dim, config.eps)"
MAKE_FEED_FORWARD = "self.feed_forward = SwiGLU(config.emb_dim, config.hidden_dim)"
ATTEND = "x = x + self.attention(self.norm1(x))"
THINK = "return x + self.feed_forward(self.norm2(x))"
TABLE = "self.tok_emb = nn.Embedding(config.vocab_size, config.emb_dim)"
BLOCKS = "self.blocks = nn.ModuleList(LlamaBlock(config) for _ in range(config.num_layers))"
FINAL = "self.final_norm = RMSNorm(config.emb_dim, config.eps)"
HEAD = "self.lm_head = nn.Linear(config.emb_dim, config.vocab_size, bias=False)"
TIED = "if config.tie_weights:"
TIE = "self.lm_head.weight = self.tok_emb.weight"
EMBED = "x = self.tok_emb(ids)  # (B, T, D)"
WALK = "for block in self.blocks:"
THROUGH = "x = block(x)"
LOGITS = "return self.lm_head(self.final_norm(x))  # (B, T, V)"
PATHS = "for path, parameter in model.named_parameters():  # a weight that two layers share comes once, as tok_emb's"
NAME = 'name = ".".join(published.get(part, part) for part in path.split("."))'
ABSENT = 'raise ValueError(f"{name} is missing from the weights")'
UNLIKE = 'raise ValueError(f"{name} has shape {shapes}")'
COPY = "parameter.copy_(weights[name])"
PAIRS = "pairs = weight.unflatten(0, (num_heads, -1, 2))  # (h, d/2, 2, D)"
HALVES = "return pairs.transpose(1, 2).flatten(0, 2)  # (h, 2, d/2, D), then (h·d, D)"

NEW_NORM = "test_a_new_norm_has_one_weight_that_changes_nothing"
DIVIDED = "test_each_token_is_divided_by_its_root_mean_square"
NO_MEAN = "test_no_mean_is_taken_off"
SIXTEEN = "test_sixteen_bits_are_normed_in_more"
THROUGH_NORM = "test_gradients_pass_through_the_norm"
THREE = "test_feed_forward_has_three_layers_without_biases"
GATE = "test_the_gate_opens_and_closes"
LARGE = "test_large_numbers_stay_finite"
ALL_THREE = "test_gradients_reach_all_three_layers"
FEWER = "test_keys_and_values_have_fewer_heads"
IN_ORDER = "test_heads_share_in_order"
OUTPUT = "test_output_is_attention_over_shared_keys_and_values"
NO_GRADIENT = "test_no_gradient_reaches_a_later_token"
EARLIER = "test_later_tokens_change_no_earlier_output"
ALONE = "test_first_token_sees_itself_alone_whatever_its_score"
ANEW = "test_each_text_is_read_anew"
TRAINING = "test_training_reaches_every_layer"
DEVICE = "test_what_forward_makes_is_on_the_device_of_x"
BRANCHES = "test_both_branches_are_added_to_the_stream"
PARTS = "test_parts_have_parameters_of_their_own"
ARE_ONE = "test_tied_weights_are_one"
LOGITS_COME = "test_logits_come_from_all_parts_in_order"
REACHES = "test_gradient_reaches_every_part"
PLACES = "test_every_weight_goes_to_its_layer"
STAYS_TIED = "test_a_tied_head_stays_tied"
COMPUTES = "test_a_loaded_model_computes_with_its_weights"
MISSING = "test_a_missing_weight_is_an_error"
SHAPE = "test_a_weight_of_another_shape_is_an_error"
COPIED = "test_weights_are_copied"
BY_HALVES = "test_pairs_side_by_side_become_halves"


def renamed(ours, before, after):
    """Another published name for one of our parts."""
    return swap(f'"{ours}": "{before}"', f'"{ours}": "{after}"')


def exchanged(one, other, first, second):
    """Two of our parts with each other's published names."""
    return renamed(one, first, second), renamed(other, second, first)


MISTAKES = [
    # Step 1: the norm
    mistake(
        "the mean is taken off",
        swap(WIDE, WIDE.split("  #")[0] + "\n        wide = wide - wide.mean(dim=-1, keepdim=True)"),
        caught_by=NO_MEAN,
        explanation="""The mean is taken off before the token is divided, as LayerNorm does. RMSNorm leaves the mean where
        it is.""",
    ),
    mistake(
        "divided by the spread",
        swap(SQUARE, "mean_square = wide.var(dim=-1, keepdim=True, correction=0)"),
        caught_by=DIVIDED,
        explanation="""The token is divided by its standard deviation, whose squares are taken from the mean. Here they are
        taken from 0.""",
    ),
    mistake(
        "divided by the unbiased spread",
        swap(SQUARE, "mean_square = wide.var(dim=-1, keepdim=True)"),
        caught_by=DIVIDED,
        explanation="""The token is divided by a standard deviation, with n − 1 in it. What is asked for is the mean of the
        squares, from 0 and over all n.""",
    ),
    mistake(
        "eps outside the root",
        swap(NORMED, "normalised = wide / (torch.sqrt(mean_square) + self.eps)"),
        caught_by=DIVIDED,
        explanation="""eps is added to the root. It belongs to the mean of the squares, under it.""",
    ),
    mistake(
        "no eps",
        swap(NORMED, "normalised = wide / torch.sqrt(mean_square)"),
        caught_by=DIVIDED,
        explanation="""eps is not used. A token of zeros is then 0/0, and real weights were trained with theirs.""",
    ),
    mistake(
        "eps is squared",
        swap(NORMED, "normalised = wide / torch.sqrt(mean_square + self.eps**2)"),
        caught_by=DIVIDED,
        explanation="""The square of eps stands under the root. What is asked for there is eps itself.""",
    ),
    family(
        "eps is always {c}",
        swap(NORMED, "normalised = wide / torch.sqrt(mean_square + {c})"),
        constants=[1e-6, 1e-5, 1e-8],
        caught_by=DIVIDED,
        explanation="""eps is {c} whatever was asked for. Models were trained with the one in their configuration.""",
    ),
    mistake(
        "eps as a least value",
        swap(NORMED, "normalised = wide / torch.sqrt(mean_square.clamp(min=self.eps))"),
        caught_by=DIVIDED,
        explanation="""The mean of the squares is raised to eps where it is less. eps is added to it, large or small.""",
    ),
    mistake(
        "no root",
        swap(NORMED, "normalised = wide / (mean_square + self.eps)"),
        caught_by=DIVIDED,
        explanation="""The token is divided by the mean of its squares. Twice the token would then give half the result.""",
    ),
    mistake(
        "the root is multiplied",
        swap(NORMED, "normalised = wide * torch.sqrt(mean_square + self.eps)"),
        caught_by=DIVIDED,
        explanation="""The token is multiplied by its root mean square. Large tokens become larger still.""",
    ),
    mistake(
        "divided by the length",
        swap(SQUARE, "mean_square = wide.pow(2).sum(dim=-1, keepdim=True)"),
        caught_by=DIVIDED,
        explanation="""The squares are summed and not averaged, so every token gets length 1. With the mean, its entries are
        about 1 on average.""",
    ),
    mistake(
        "the mean of n − 1",
        swap(SQUARE, "mean_square = wide.pow(2).sum(dim=-1, keepdim=True) / max(wide.shape[-1] - 1, 1)"),
        caught_by=DIVIDED,
        explanation="""The sum of the squares is divided by one less than there are features. No mean was taken off, so all n
        of them count.""",
    ),
    mistake(
        "the mean of the sizes",
        swap(SQUARE, "mean_square = wide.abs().mean(dim=-1, keepdim=True).pow(2)"),
        caught_by=DIVIDED,
        explanation="""The sizes are averaged and then squared. The squares are averaged, which is never less.""",
    ),
    mistake(
        "the square of the mean",
        swap(SQUARE, "mean_square = wide.mean(dim=-1, keepdim=True).pow(2)"),
        caught_by=DIVIDED,
        explanation="""The mean is squared, and entries of both signs cancel in it. Each is squared first.""",
    ),
    mistake(
        "divided by the largest",
        swap(SQUARE, "mean_square = wide.abs().amax(dim=-1, keepdim=True).pow(2)"),
        caught_by=DIVIDED,
        explanation="""The token is divided by its largest entry. What is asked for is the root of the mean of the
        squares.""",
    ),
    mistake(
        "the norm is over the tokens",
        swap(SQUARE, "mean_square = wide.pow(2).mean(dim=-2, keepdim=True)"),
        caught_by=DIVIDED,
        explanation="""Squares are averaged over the tokens of a text, feature by feature. Each token is normed by itself,
        or a later one changes it.""",
    ),
    mistake(
        "the norm is over everything",
        swap(SQUARE, "mean_square = wide.pow(2).mean()"),
        caught_by=DIVIDED,
        explanation="""One mean is taken over all tokens and texts. Each token is divided by a number of its own.""",
    ),
    mistake(
        "the norm is over dimension 1",
        swap(SQUARE, "mean_square = wide.pow(2).mean(dim=min(1, wide.ndim - 1), keepdim=True)"),
        caught_by=DIVIDED,
        explanation="""Squares are averaged over dimension 1, which is the features only where there are two dimensions. The
        features come last, however many come before.""",
    ),
    mistake(
        "the mean loses its dimension",
        swap(SQUARE, "mean_square = wide.pow(2).mean(dim=-1)"),
        caught_by=DIVIDED,
        explanation="""The mean has no dimension for the features, so it lines up with others or with none. `keepdim` keeps
        one of size 1 there.""",
    ),
    mistake(
        "the weight is not used",
        swap(SCALED, "return normalised.to(x.dtype)"),
        caught_by=DIVIDED,
        explanation="""`weight` is made and never multiplied. It would stay what it was, in training and after loading.""",
    ),
    mistake(
        "the weight comes before the norm",
        swap(WIDE, "wide = (self.weight * x).to(torch.promote_types(x.dtype, torch.float32))"),
        swap(SCALED, "return normalised.to(x.dtype)"),
        caught_by=DIVIDED,
        explanation="""x is multiplied by `weight` and then divided by its root mean square. That takes part of what
        `weight` does away again; it is the last thing.""",
    ),
    mistake(
        "the weight is added",
        swap(SCALED, "return self.weight + normalised.to(x.dtype)"),
        caught_by=DIVIDED,
        explanation="""`weight` is added to the normed token. It is a factor for each feature.""",
    ),
    mistake(
        "one plus the weight",
        swap(SCALED, "return (1 + self.weight) * normalised.to(x.dtype)"),
        caught_by=DIVIDED,
        explanation="""The factor is 1 + `weight`, as in some other models. Here it is `weight`, and a Llama's weights are
        about 1 already.""",
    ),
    mistake(
        "the weight starts at 0 and 1 is added",
        swap(ONES, "self.weight = nn.Parameter(torch.zeros(emb_dim))"),
        swap(SCALED, "return (1 + self.weight) * normalised.to(x.dtype)"),
        caught_by=NEW_NORM,
        explanation="""`weight` is kept as the distance from 1, as in some other models. A Llama's published weights are the
        factors themselves.""",
    ),
    mistake(
        "the weight starts at 0",
        swap(ONES, "self.weight = nn.Parameter(torch.zeros(emb_dim))"),
        caught_by=NEW_NORM,
        explanation="""`weight` is 0 at the start, and so is every output. It is to change nothing at first.""",
    ),
    mistake(
        "the weight starts at random",
        swap(ONES, "self.weight = nn.Parameter(torch.randn(emb_dim))"),
        caught_by=NEW_NORM,
        explanation="""`weight` is drawn at random. It is to change nothing at first.""",
    ),
    mistake(
        "the weight is one number",
        swap(ONES, "self.weight = nn.Parameter(torch.ones(1))"),
        caught_by=NEW_NORM,
        explanation="""There is one factor for all features. Each feature has its own.""",
    ),
    mistake(
        "the weight is no parameter",
        swap(ONES, "self.weight = torch.ones(emb_dim)"),
        caught_by=NEW_NORM,
        explanation="""`weight` is a plain tensor. Nothing trains it, saves it or moves it to a GPU.""",
    ),
    mistake(
        "the weight is a buffer",
        swap(ONES, 'self.register_buffer("weight", torch.ones(emb_dim))'),
        caught_by=NEW_NORM,
        explanation="""`weight` is a buffer: saved, and never trained. It is learned, so it is a parameter.""",
    ),
    mistake(
        "the weight is frozen",
        swap(ONES, "self.weight = nn.Parameter(torch.ones(emb_dim), requires_grad=False)"),
        caught_by=NEW_NORM,
        explanation="""`weight` asks for no gradient, so that no training changes it. It is learned like any other.""",
    ),
    mistake(
        "a bias as in LayerNorm",
        swap(ONES, ONES + "\n        self.bias = nn.Parameter(torch.zeros(emb_dim))"),
        swap(SCALED, SCALED + " + self.bias"),
        caught_by=NEW_NORM,
        explanation="""There is a bias as well. RMSNorm scales and does not shift.""",
    ),
    mistake(
        "squares in 16 bits",
        swap(WIDE, "wide = x"),
        caught_by=SIXTEEN,
        explanation="""The squares, or their mean, are kept in the dtype of x. In float16 those of numbers above 255 are infinite, and in
        bfloat16 their mean has two or three digits.""",
    ),
    mistake(
        "the root in 16 bits",
        swap(NORMED, "normalised = x / torch.sqrt(mean_square + self.eps).to(x.dtype)"),
        caught_by=SIXTEEN,
        explanation="""The root is rounded to the dtype of x, and so is the quotient. Only the result is to be rounded,
        once.""",
    ),
    mistake(
        "half precision is widened to the other half",
        swap(
            WIDE,
            "wide = x.to(torch.bfloat16) if x.dtype == torch.float16 else x.to(torch.promote_types(x.dtype, torch.float32))",
        ),
        caught_by=SIXTEEN,
        explanation="""float16 is turned into bfloat16, which has the room and not the digits. float32 has both.""",
    ),
    mistake(
        "only float16 is widened",
        swap(WIDE, "wide = x.float() if x.dtype == torch.float16 else x"),
        caught_by=SIXTEEN,
        explanation="""float16 is widened and bfloat16 is not. Its squares fit, and their mean has two or three digits.""",
    ),
    mistake(
        "only bfloat16 is widened",
        swap(WIDE, "wide = x.float() if x.dtype == torch.bfloat16 else x"),
        caught_by=SIXTEEN,
        explanation="""bfloat16 is widened and float16 is not. Its squares are infinite from 256 on.""",
    ),
    mistake(
        "the result stays wide",
        swap(SCALED, "return self.weight * normalised"),
        caught_by=SIXTEEN,
        explanation="""The result is float32 where x had 16 bits. The next layer, whose weights have 16, would refuse
        it.""",
    ),
    mistake(
        "no gradient through the root",
        swap(NORMED, "normalised = wide / torch.sqrt(mean_square + self.eps).detach()"),
        caught_by=THROUGH_NORM,
        explanation="""What x is divided by is cut off from x. It changes with x, and that is part of the gradient.""",
    ),
    mistake(
        "no gradient through the norm",
        swap(SCALED, "return self.weight * normalised.detach().to(x.dtype)"),
        caught_by=THROUGH_NORM,
        explanation="""The normed token is cut off from x. Nothing before the norm would ever be trained.""",
    ),
    mistake(
        "no gradient for the weight",
        swap(SCALED, "return self.weight.data * normalised.to(x.dtype)"),
        caught_by=THROUGH_NORM,
        explanation="""The numbers of `weight` are used, without the parameter. It would never be trained.""",
    ),
    # Step 1: the feed-forward
    mistake(
        "silu on the wrong product",
        swap(HIDDEN, "hidden = self.gate(x) * silu(self.up(x))"),
        caught_by=GATE,
        explanation="""silu is taken of `up`. It is `gate` that opens and closes; with trained weights the two are not the
        same.""",
    ),
    mistake(
        "silu on both",
        swap(HIDDEN, "hidden = silu(self.gate(x)) * silu(self.up(x))"),
        caught_by=GATE,
        explanation="""silu is taken of both products. `up` goes through as it is.""",
    ),
    mistake(
        "silu of the product",
        swap(HIDDEN, "hidden = silu(self.gate(x) * self.up(x))"),
        caught_by=GATE,
        explanation="""The two are multiplied first and silu is taken of that. It belongs to `gate` alone.""",
    ),
    mistake(
        "no silu",
        swap(HIDDEN, "hidden = self.gate(x) * self.up(x)"),
        caught_by=GATE,
        explanation="""The two products are multiplied as they are. Then a gate far below 0 lets through as much as one far
        above.""",
    ),
    mistake(
        "silu after down",
        swap(HIDDEN, "hidden = self.gate(x) * self.up(x)"),
        swap(BACK, "return silu(self.down(hidden))"),
        caught_by=GATE,
        explanation="""silu is taken at the very end. It belongs to `gate`, before the product.""",
    ),
    mistake(
        "a sigmoid as gate",
        swap(HIDDEN, "hidden = torch.sigmoid(self.gate(x)) * self.up(x)"),
        caught_by=GATE,
        explanation="""The gate is a sigmoid, between 0 and 1, as in the first gated layers. silu is that times the number
        itself.""",
    ),
    mistake(
        "GELU for silu",
        swap(HIDDEN, "hidden = nn.functional.gelu(self.gate(x)) * self.up(x)"),
        caught_by=GATE,
        explanation="""The gate goes through GELU, which makes it GEGLU. It looks much alike, and weights trained with silu
        do not fit it.""",
    ),
    mistake(
        "GELU's tanh form for silu",
        swap(HIDDEN, 'hidden = nn.functional.gelu(self.gate(x), approximate="tanh") * self.up(x)'),
        caught_by=GATE,
        explanation="""The gate goes through the GELU of GPT-2. It looks much like silu, and weights trained with that do not
        fit it.""",
    ),
    mistake(
        "ReLU for silu",
        swap(HIDDEN, "hidden = torch.relu(self.gate(x)) * self.up(x)"),
        caught_by=GATE,
        explanation="""The gate is cut off at 0. silu is smooth there, and a little below 0 on the left.""",
    ),
    mistake(
        "tanh for silu",
        swap(HIDDEN, "hidden = torch.tanh(self.gate(x)) * self.up(x)"),
        caught_by=GATE,
        explanation="""The gate goes through tanh, which never exceeds 1. silu grows with the number itself.""",
    ),
    mistake(
        "silu as softplus",
        swap(HIDDEN, "hidden = nn.functional.softplus(self.gate(x)) * self.up(x)"),
        caught_by=GATE,
        explanation="""The gate goes through softplus, log(1 + e^a). silu is a · sigmoid(a), which is 0 at 0.""",
    ),
    mistake(
        "a sigmoid with 1.702",
        swap(HIDDEN, "hidden = self.gate(x) * torch.sigmoid(1.702 * self.gate(x)) * self.up(x)"),
        caught_by=GATE,
        explanation="""The sigmoid is that of GELU's quick form, with 1.702 in it. silu has the number itself there.""",
    ),
    mistake(
        "the products are added",
        swap(HIDDEN, "hidden = silu(self.gate(x)) + self.up(x)"),
        caught_by=GATE,
        explanation="""Gate and `up` are added. A gate multiplies: where it is 0 nothing gets through.""",
    ),
    mistake(
        "up is not used",
        swap(HIDDEN, "hidden = silu(self.gate(x))"),
        caught_by=GATE,
        explanation="""`up` plays no part, and what is left is an ordinary feed-forward. Its product is what the gate lets
        through.""",
    ),
    mistake(
        "the gate is not used",
        swap(HIDDEN, "hidden = silu(self.up(x))"),
        caught_by=GATE,
        explanation="""`gate` plays no part, and what is left is an ordinary feed-forward. It says how much of `up` gets
        through.""",
    ),
    mistake(
        "the gate is its own product",
        swap(HIDDEN, "hidden = silu(self.gate(x)) * self.gate(x)"),
        caught_by=GATE,
        explanation="""The gate is multiplied by itself, and `up` plays no part. The two products come from two layers.""",
    ),
    mistake(
        "x itself goes through the gate",
        swap(BACK, "return self.down(hidden) + x"),
        caught_by=GATE,
        explanation="""x is added to the result. That is for the block to do, and it would be done twice.""",
    ),
    mistake(
        "silu from exp",
        swap(HIDDEN, "gate = self.gate(x)\n        hidden = gate * gate.exp() / (1 + gate.exp()) * self.up(x)"),
        caught_by=LARGE,
        explanation="""The sigmoid is written as e^a / (1 + e^a), which is ∞/∞ where a is large. `torch.sigmoid` and `silu`
        know how to avoid that.""",
    ),
    mistake(
        "the feed-forward has biases",
        swap(MAKE_GATE, MAKE_GATE.replace(", bias=False", "")),
        swap(MAKE_UP, MAKE_UP.replace(", bias=False", "")),
        swap(MAKE_DOWN, MAKE_DOWN.replace(", bias=False", "")),
        caught_by=THREE,
        explanation="""All three layers have biases, which `nn.Linear` makes unless told not to. No published weights would
        fit them.""",
    ),
    mistake(
        "gate has a bias",
        swap(MAKE_GATE, MAKE_GATE.replace(", bias=False", "")),
        caught_by=THREE,
        explanation="""`gate` has a bias. No layer of the feed-forward has.""",
    ),
    mistake(
        "up has a bias",
        swap(MAKE_UP, MAKE_UP.replace(", bias=False", "")),
        caught_by=THREE,
        explanation="""`up` has a bias. No layer of the feed-forward has.""",
    ),
    mistake(
        "down has a bias",
        swap(MAKE_DOWN, MAKE_DOWN.replace(", bias=False", "")),
        caught_by=THREE,
        explanation="""`down` has a bias. No layer of the feed-forward has.""",
    ),
    mistake(
        "four times the width",
        swap(MAKE_GATE, MAKE_GATE.replace("hidden_dim", "4 * emb_dim")),
        swap(MAKE_UP, MAKE_UP.replace("hidden_dim", "4 * emb_dim")),
        swap(MAKE_DOWN, MAKE_DOWN.replace("hidden_dim", "4 * emb_dim")),
        caught_by=THREE,
        explanation="""The hidden layer is 4 times as wide as the model, as in GPT-2. It is hidden_dim wide.""",
    ),
    mistake(
        "eight thirds of the width",
        swap(MAKE_GATE, MAKE_GATE.replace("hidden_dim", "8 * emb_dim // 3")),
        swap(MAKE_UP, MAKE_UP.replace("hidden_dim", "8 * emb_dim // 3")),
        swap(MAKE_DOWN, MAKE_DOWN.replace("hidden_dim", "8 * emb_dim // 3")),
        caught_by=THREE,
        explanation="""The hidden layer is worked out from the model's width. hidden_dim says how wide it is.""",
    ),
    mistake(
        "gate and up are one layer",
        swap(MAKE_UP, "self.up = self.gate"),
        caught_by=THREE,
        explanation="""`gate` and `up` are the same layer under two names. Each has a weight of its own.""",
    ),
    mistake(
        "the gate is cut off from training",
        swap(HIDDEN, "hidden = silu(self.gate(x)).detach() * self.up(x)"),
        caught_by=ALL_THREE,
        explanation="""The gate is cut off from `gate` and x. When to open would never be learned.""",
    ),
    mistake(
        "up is cut off from training",
        swap(HIDDEN, "hidden = silu(self.gate(x)) * self.up(x).detach()"),
        caught_by=ALL_THREE,
        explanation="""What the gate lets through is cut off from `up` and x. What to let through would never be
        learned.""",
    ),
    # Step 2
    mistake(
        "keys repeated as 0 1 2 0 1 2",
        swap(REPEAT_KEY, "key = key.repeat(1, sharing, 1, 1)"),
        caught_by=OUTPUT,
        explanation="""The heads of keys are repeated as a whole, so that head 1 of the queries takes keys 1. Neighbours share:
        the first few heads take keys 0.""",
    ),
    mistake(
        "values repeated as 0 1 2 0 1 2",
        swap(REPEAT_VALUE, "value = value.repeat(1, sharing, 1, 1)"),
        caught_by=IN_ORDER,
        explanation="""The heads of values are repeated as a whole, so that head 1 takes values 1. Neighbours share: the first
        few heads take values 0.""",
    ),
    mistake(
        "keys and values repeated as 0 1 2 0 1 2",
        swap(REPEAT_KEY, "key = key.repeat(1, sharing, 1, 1)"),
        swap(REPEAT_VALUE, "value = value.repeat(1, sharing, 1, 1)"),
        caught_by=IN_ORDER,
        explanation="""Keys and values are repeated as a whole: 0 1 2 0 1 2. Neighbours share: 0 0 1 1 2 2.""",
    ),
    mistake(
        "all heads share the first keys and values",
        swap(REPEAT_KEY, "key = key[:, :1].expand(-1, self.num_heads, -1, -1)"),
        swap(REPEAT_VALUE, "value = value[:, :1].expand(-1, self.num_heads, -1, -1)"),
        caught_by=IN_ORDER,
        explanation="""Every head takes keys and values 0, and the others are never used. Each group has its own.""",
    ),
    mistake(
        "groups take keys and values in reverse",
        swap(REPEAT_KEY, "key = key.flip(1).repeat_interleave(sharing, dim=1)"),
        swap(REPEAT_VALUE, "value = value.flip(1).repeat_interleave(sharing, dim=1)"),
        caught_by=IN_ORDER,
        explanation="""The last group takes keys and values 0. The first does.""",
    ),
    mistake(
        "keys or values are not repeated",
        swap(REPEAT_KEY, "pass"),
        caught_by=OUTPUT,
        explanation="""There are fewer heads of keys and values than of queries, and they are multiplied as they are. Each head
        of queries needs one of both.""",
    ),
    mistake(
        "repeated too often",
        swap(SHARING, "sharing = self.num_heads"),
        caught_by=IN_ORDER,
        explanation="""Keys and values are repeated num_heads times. There are num_kv_heads of them already, so fewer
        will do.""",
    ),
    mistake(
        "repeated as often as there are groups",
        swap(SHARING, "sharing = self.num_kv_heads"),
        caught_by=IN_ORDER,
        explanation="""Keys and values are repeated num_kv_heads times. How many heads share is num_heads /
        num_kv_heads.""",
    ),
    mistake(
        "heads of values are cut by a view",
        swap(VALUE, "value = self.W_value(x).reshape(x.shape[0], self.num_kv_heads, T, -1)"),
        caught_by=IN_ORDER,
        explanation="""Values are reshaped straight to heads and tokens. The shape is right, and a head then holds channels of
        several tokens.""",
    ),
    mistake(
        "heads of keys are cut by a view",
        swap(KEY, "key = self.W_key(x).reshape(x.shape[0], self.num_kv_heads, T, -1)"),
        caught_by=OUTPUT,
        explanation="""Keys are reshaped straight to heads and tokens. The shape is right, and a head then holds channels of
        several tokens.""",
    ),
    mistake(
        "channels are repeated, not heads",
        swap(REPEAT_VALUE, "value = split_heads(self.W_value(x).repeat_interleave(sharing, dim=-1), self.num_heads)"),
        caught_by=IN_ORDER,
        explanation="""Every channel of the values is repeated and then heads are split. A head is repeated as a whole.""",
    ),
    mistake(
        "tokens are repeated, not heads",
        swap(REPEAT_KEY, "key = key.repeat_interleave(sharing, dim=2).reshape(*query.shape)"),
        swap(REPEAT_VALUE, "value = value.repeat_interleave(sharing, dim=2).reshape(*query.shape)"),
        caught_by=IN_ORDER,
        explanation="""Dimension 2 is repeated, which are the tokens, and reshaped into more heads. Heads are dimension 1.""",
    ),
    mistake(
        "as many heads of keys and values as of queries",
        swap(KV_DIM, "kv_dim = emb_dim"),
        swap(KEY, "key = split_heads(self.W_key(x), self.num_heads)"),
        swap(VALUE, "value = split_heads(self.W_value(x), self.num_heads)"),
        swap(SHARING, "sharing = 1"),
        caught_by=FEWER,
        explanation="""Every head has keys and values of its own, as in k16. There are num_kv_heads of them, so that the cache
        is smaller.""",
    ),
    mistake(
        "one head of keys and values",
        swap(KV_DIM, "kv_dim = emb_dim // num_heads"),
        swap(KEY, "key = split_heads(self.W_key(x), 1)"),
        swap(VALUE, "value = split_heads(self.W_value(x), 1)"),
        swap(SHARING, "sharing = self.num_heads"),
        caught_by=FEWER,
        explanation="""All heads share one head of keys and values, whatever num_kv_heads is. There are that many.""",
    ),
    mistake(
        "wider heads of keys and values",
        swap(KV_DIM, "kv_dim = emb_dim"),
        caught_by=FEWER,
        explanation="""Keys and values keep the model's width, so that their fewer heads are wider than those of the queries.
        A head is emb_dim / num_heads wide.""",
    ),
    mistake(
        "width and heads are exchanged",
        swap(KV_DIM, "kv_dim = num_heads * (emb_dim // num_heads // num_kv_heads)"),
        caught_by=FEWER,
        explanation="""The width of keys and values is num_heads times a part of a head. It is num_kv_heads times a whole
        head.""",
    ),
    mistake(
        "the attention has biases",
        swap(MAKE_QUERY, MAKE_QUERY.replace(", bias=False", "")),
        swap(MAKE_KEY, MAKE_KEY.replace(", bias=False", "")),
        swap(MAKE_VALUE, MAKE_VALUE.replace(", bias=False", "")),
        swap(MAKE_OUT, MAKE_OUT.replace(", bias=False", "")),
        caught_by=FEWER,
        explanation="""All four layers have biases, which `nn.Linear` makes unless told not to. No published weights would
        fit them.""",
    ),
    mistake(
        "queries, keys and values have biases",
        swap(MAKE_QUERY, MAKE_QUERY.replace(", bias=False", "")),
        swap(MAKE_KEY, MAKE_KEY.replace(", bias=False", "")),
        swap(MAKE_VALUE, MAKE_VALUE.replace(", bias=False", "")),
        caught_by=FEWER,
        explanation="""The three projections have biases, as in GPT-2 and Qwen. A Llama has none.""",
    ),
    mistake(
        "queries have a bias",
        swap(MAKE_QUERY, MAKE_QUERY.replace(", bias=False", "")),
        caught_by=FEWER,
        explanation="""`nn.Linear` has a bias unless it is told not to. A Llama's queries have none.""",
    ),
    mistake(
        "keys have a bias",
        swap(MAKE_KEY, MAKE_KEY.replace(", bias=False", "")),
        caught_by=FEWER,
        explanation="""`nn.Linear` has a bias unless it is told not to. A Llama's keys have none.""",
    ),
    mistake(
        "values have a bias",
        swap(MAKE_VALUE, MAKE_VALUE.replace(", bias=False", "")),
        caught_by=FEWER,
        explanation="""`nn.Linear` has a bias unless it is told not to. A Llama's values have none.""",
    ),
    mistake(
        "queries and keys are normed",
        swap(
            ANGLES,
            """query = torch.nn.functional.normalize(query, dim=-1) * query.shape[-1] ** 0.5
        key = torch.nn.functional.normalize(key, dim=-1) * key.shape[-1] ** 0.5
        """
            + ANGLES,
        ),
        caught_by=OUTPUT,
        explanation="""Queries and keys are brought to one length before they meet, as some models do (QK norm). A Llama
        compares them as they are.""",
    ),
    mistake(
        "the softmax is in 16 bits",
        swap(WEIGHTS, "weights = masked_softmax(scores.half(), causal_mask(T).to(x.device)).to(x.dtype)"),
        caught_by=IN_ORDER,
        explanation="""Scores are rounded to 16 bits before the softmax: three digits are left of each weight.""",
    ),
    mistake(
        "out_proj has a bias",
        swap(MAKE_OUT, MAKE_OUT.replace(", bias=False", "")),
        caught_by=FEWER,
        explanation="""`out_proj` has a bias, as in k06 and k16. A Llama's has none.""",
    ),
    mistake(
        "out_proj is not used",
        swap(CONTEXT, "return merge_heads(weights @ value)"),
        caught_by=OUTPUT,
        explanation="""The heads are laid side by side and returned. `out_proj` mixes them.""",
    ),
    mistake(
        "heads are not split back",
        swap(CONTEXT, "return self.out_proj((weights @ value).reshape(*x.shape))"),
        caught_by=IN_ORDER,
        explanation="""Heads are reshaped into channels without changing places with the tokens. The shape is right, and the
        numbers are other tokens'.""",
    ),
    mistake(
        "scaled by the model's width",
        swap(SCORES, "scores = query @ key.transpose(2, 3) / x.shape[-1] ** 0.5"),
        caught_by=OUTPUT,
        explanation="""Scores are divided by the root of the model's width. A dot product sums over the channels of one head,
        so that is the width that counts.""",
    ),
    mistake(
        "scaled by the width of all keys",
        swap(SCORES, "scores = query @ key.transpose(2, 3) / self.W_key.out_features ** 0.5"),
        caught_by=OUTPUT,
        explanation="""Scores are divided by the root of the width of all heads of keys together. A dot product sums over the
        channels of one head.""",
    ),
    mistake(
        "no scale",
        swap(SCORES, "scores = query @ key.transpose(2, 3)"),
        caught_by=OUTPUT,
        explanation="""Scores are not divided. They grow with the width of a head, and the softmax sees little but the
        largest.""",
    ),
    mistake(
        "divided by d",
        swap(SCORES, "scores = query @ key.transpose(2, 3) / query.shape[-1]"),
        caught_by=OUTPUT,
        explanation="""Scores are divided by the width of a head. It is its root.""",
    ),
    mistake(
        "multiplied by the root of d",
        swap(SCORES, "scores = query @ key.transpose(2, 3) * query.shape[-1] ** 0.5"),
        caught_by=OUTPUT,
        explanation="""Scores are multiplied by the root of the width. They are to be divided by it.""",
    ),
    mistake(
        "scaled by the length of the text",
        swap(SCORES, "scores = query @ key.transpose(2, 3) / T**0.5"),
        caught_by=OUTPUT,
        explanation="""Scores are divided by the root of the number of tokens. What counts is how many channels are
        summed.""",
    ),
    mistake(
        "scaled as if keys had all channels",
        swap(SCORES, "scores = query @ key.transpose(2, 3) / (x.shape[-1] / self.num_kv_heads) ** 0.5"),
        caught_by=OUTPUT,
        explanation="""Scores are divided by the root of the model's width over the number of heads of keys. Their heads are as
        wide as those of the queries; there are only fewer.""",
    ),
    mistake(
        "scaled by the number of heads",
        swap(SCORES, "scores = query @ key.transpose(2, 3) / self.num_heads ** 0.5"),
        caught_by=OUTPUT,
        explanation="""Scores are divided by the root of the number of heads. What counts is how many channels are
        summed.""",
    ),
    mistake(
        "no rotation",
        swap(TURN_QUERY, "pass"),
        swap(TURN_KEY, "pass"),
        caught_by=OUTPUT,
        explanation="""Nothing is turned, so attention does not know where a token stands. There is no table of positions that
        would say so either.""",
    ),
    mistake(
        "keys are not turned",
        swap(TURN_KEY, "pass"),
        caught_by=OUTPUT,
        explanation="""Queries are turned and keys are not. The scores then know where the query stands, and not how far away
        the key is.""",
    ),
    mistake(
        "queries are not turned",
        swap(TURN_QUERY, "pass"),
        caught_by=OUTPUT,
        explanation="""Keys are turned and queries are not. The scores then know where the key stands, and not how far away it
        is.""",
    ),
    mistake(
        "values are turned too",
        swap(TURN_KEY, TURN_KEY + "\n        value = apply_rotary(value, angles.cos(), angles.sin())"),
        caught_by=IN_ORDER,
        explanation="""Values are turned as well. They are summed up, and nothing would turn them back.""",
    ),
    mistake(
        "values are turned instead of keys",
        swap(TURN_KEY, "value = apply_rotary(value, angles.cos(), angles.sin())"),
        caught_by=IN_ORDER,
        explanation="""Queries and values are turned, and keys are not. It is queries and keys that meet in scores.""",
    ),
    mistake(
        "keys are turned backwards",
        swap(TURN_KEY, "key = apply_rotary(key, angles.cos(), -angles.sin())"),
        caught_by=OUTPUT,
        explanation="""Queries are turned one way and keys the other. Their angles then add up, and the scores know the sum of
        two positions.""",
    ),
    mistake(
        "everything is turned backwards",
        swap(TURN_QUERY, "query = apply_rotary(query, angles.cos(), -angles.sin())"),
        swap(TURN_KEY, "key = apply_rotary(key, angles.cos(), -angles.sin())"),
        caught_by=OUTPUT,
        explanation="""Both are turned the other way round, as exchanging cosine and sine does too. Scores still know the distance, but trained weights expect its
        other sign.""",
    ),
    mistake(
        "key positions from 1",
        swap(
            TURN_KEY,
            "further = rotary_angles(torch.arange(1, T + 1, device=x.device), query.shape[-1], self.rope_base)\n        key = apply_rotary(key, further.cos(), further.sin())",
        ),
        caught_by=OUTPUT,
        explanation="""Keys are counted from 1 and queries from 0. Every distance is off by one.""",
    ),
    mistake(
        "query positions from 1",
        swap(
            TURN_QUERY,
            "further = rotary_angles(torch.arange(1, T + 1, device=x.device), query.shape[-1], self.rope_base)\n        query = apply_rotary(query, further.cos(), further.sin())",
        ),
        caught_by=OUTPUT,
        explanation="""Queries are counted from 1 and keys from 0. Every distance is off by one.""",
    ),
    mistake(
        "positions in reverse",
        swap(ANGLES, ANGLES.replace("torch.arange(T, device=x.device)", "torch.arange(T, device=x.device).flip(0)")),
        caught_by=OUTPUT,
        explanation="""Positions are counted from the end of the text. Distances have the other sign, and trained weights
        expect it to be positive.""",
    ),
    mistake(
        "the base is ignored",
        swap(ANGLES, ANGLES.replace(", self.rope_base", "")),
        caught_by=OUTPUT,
        explanation="""The base of the rotation is k16's default whatever was asked for. Weights that were trained with one
        cannot be used with another.""",
    ),
    mistake(
        "the angles of all heads together",
        swap(ANGLES, ANGLES.replace("query.shape[-1]", "x.shape[-1]")),
        swap(
            TURN_QUERY,
            "half = query.shape[-1] // 2\n        query = apply_rotary(query, angles.cos()[:, :half], angles.sin()[:, :half])",
        ),
        swap(TURN_KEY, "key = apply_rotary(key, angles.cos()[:, :half], angles.sin()[:, :half])"),
        caught_by=OUTPUT,
        explanation="""The speeds are those of a head as wide as the whole model, and only the fastest are used. They follow
        from the width of one head.""",
    ),
    mistake(
        "turned before the heads are split",
        swap(
            QUERY,
            "angles = rotary_angles(torch.arange(T, device=x.device), x.shape[-1], self.rope_base)\n        query = split_heads(apply_rotary(self.W_query(x), angles.cos(), angles.sin()), self.num_heads)",
        ),
        swap(
            KEY,
            "angles = rotary_angles(torch.arange(T, device=x.device), self.W_key.out_features, self.rope_base)\n        key = split_heads(apply_rotary(self.W_key(x), angles.cos(), angles.sin()), self.num_kv_heads)",
        ),
        swap(ANGLES, "pass"),
        swap(TURN_QUERY, "pass"),
        swap(TURN_KEY, "pass"),
        caught_by=OUTPUT,
        explanation="""Queries and keys are turned as a whole and then split into heads. The two channels of a pair fall into
        different heads.""",
    ),
    mistake(
        "pairs side by side",
        swap(
            TURN_QUERY,
            "query = apply_rotary(torch.cat([query[..., ::2], query[..., 1::2]], -1), angles.cos(), angles.sin())",
        ),
        swap(
            TURN_KEY, "key = apply_rotary(torch.cat([key[..., ::2], key[..., 1::2]], -1), angles.cos(), angles.sin())"
        ),
        caught_by=OUTPUT,
        explanation="""Channels 2i and 2i + 1 are turned together. In weights as they are published channels i and i + d/2
        belong together.""",
    ),
    mistake(
        "pairs side by side in keys",
        swap(
            TURN_KEY, "key = apply_rotary(torch.cat([key[..., ::2], key[..., 1::2]], -1), angles.cos(), angles.sin())"
        ),
        caught_by=OUTPUT,
        explanation="""Channels of keys are brought into another order than those of queries. A dot product multiplies a channel
        with its like.""",
    ),
    mistake(
        "tables side by side, pairs by halves",
        swap(
            TURN_QUERY,
            "cos, sin = (table.repeat_interleave(2, dim=-1) for table in (angles.cos(), angles.sin()))\n        query = query * cos + torch.cat([-query.chunk(2, -1)[1], query.chunk(2, -1)[0]], -1) * sin",
        ),
        swap(TURN_KEY, "key = key * cos + torch.cat([-key.chunk(2, -1)[1], key.chunk(2, -1)[0]], -1) * sin"),
        caught_by=OUTPUT,
        explanation="""Each angle stands twice side by side in the tables, while channels i and i + d/2 are turned together. The
        two of a pair then turn by different angles.""",
    ),
    mistake(
        "tables by halves, pairs side by side",
        swap(
            TURN_QUERY,
            "cos, sin = (torch.cat([table, table], dim=-1) for table in (angles.cos(), angles.sin()))\n        query = query * cos + torch.stack([-query[..., 1::2], query[..., ::2]], -1).flatten(-2) * sin",
        ),
        swap(TURN_KEY, "key = key * cos + torch.stack([-key[..., 1::2], key[..., ::2]], -1).flatten(-2) * sin"),
        caught_by=OUTPUT,
        explanation="""The tables are repeated as a whole, while channels 2i and 2i + 1 are turned together. The two of a pair
        then turn by different angles.""",
    ),
    mistake(
        "speeds fall half as fast",
        swap(ANGLES, ANGLES.replace("self.rope_base", "self.rope_base**0.5")),
        caught_by=OUTPUT,
        explanation="""The exponents of the base go only half as far as they should, and no pair is slow. Pair i has the exponent
        2i / d.""",
    ),
    mistake(
        "each head is turned by its own number",
        swap(
            REPEAT_KEY,
            "key = key.repeat_interleave(sharing, dim=1)\n        key = apply_rotary(key.transpose(1, 2), *(f(rotary_angles(torch.arange(self.num_heads, device=x.device), key.shape[-1], self.rope_base)) for f in (torch.cos, torch.sin))).transpose(1, 2)",
        ),
        swap(TURN_KEY, "pass"),
        caught_by=OUTPUT,
        explanation="""Heads and tokens have changed places when keys are turned: each head is turned by its number. Tokens are
        turned by their positions.""",
    ),
    mistake(
        "turned twice",
        swap(TURN_QUERY, TURN_QUERY + "\n        query = apply_rotary(query, angles.cos(), angles.sin())"),
        swap(TURN_KEY, TURN_KEY + "\n        key = apply_rotary(key, angles.cos(), angles.sin())"),
        caught_by=OUTPUT,
        explanation="""Queries and keys are turned twice. All distances count double.""",
    ),
    mistake(
        "no mask",
        swap(WEIGHTS, "weights = scores.softmax(-1)"),
        caught_by=IN_ORDER,
        explanation="""Nothing is hidden, so that every token sees those that come after it. A model that is to say what comes
        next must not.""",
    ),
    mistake(
        "the diagonal is hidden",
        swap(
            WEIGHTS,
            "weights = masked_softmax(scores, torch.ones(T, T, device=x.device).triu(0).bool()).nan_to_num(0.0)",
        ),
        caught_by=IN_ORDER,
        explanation="""A token does not see itself. It does, and the first sees nothing else.""",
    ),
    mistake(
        "one later token is seen",
        swap(WEIGHTS, "weights = masked_softmax(scores, torch.ones(T, T, device=x.device).triu(2).bool())"),
        caught_by=IN_ORDER,
        explanation="""The mask begins one place too far, so that every token sees the next one. That is what it is to
        guess.""",
    ),
    mistake(
        "the past is hidden",
        swap(WEIGHTS, "weights = masked_softmax(scores, causal_mask(T).to(x.device).T)"),
        caught_by=IN_ORDER,
        explanation="""The mask is transposed: the past is hidden and the future is seen. Rows are queries, columns are
        keys.""",
    ),
    family(
        "later scores are {c}",
        swap(WEIGHTS, "weights = scores.masked_fill(causal_mask(T).to(x.device), {c}).softmax(-1)"),
        constants=[-20.0, -100.0, -10000.0],
        caught_by=ALONE,
        explanation="""Scores of later tokens are set to {c}, which others may be below. −∞ is below everything.""",
    ),
    mistake(
        "later scores are 0",
        swap(WEIGHTS, "weights = scores.masked_fill(causal_mask(T).to(x.device), 0.0).softmax(-1)"),
        caught_by=IN_ORDER,
        explanation="""Scores of later tokens are set to 0, which is a score like any other. Their weights are to be 0.""",
    ),
    mistake(
        "masked after the softmax",
        swap(WEIGHTS, "weights = scores.softmax(-1).masked_fill(causal_mask(T).to(x.device), 0.0)"),
        caught_by=IN_ORDER,
        explanation="""Later tokens lose their weights after the softmax, and a row no longer sums to 1. They are to be hidden
        before.""",
    ),
    mistake(
        "the softmax is over queries",
        swap(WEIGHTS, "weights = scores.masked_fill(causal_mask(T).to(x.device), -torch.inf).softmax(2)"),
        caught_by=IN_ORDER,
        explanation="""The softmax is taken along the columns. Each query's weights over the keys sum to 1.""",
    ),
    mistake(
        "the softmax is over heads",
        swap(
            WEIGHTS,
            "weights = scores.masked_fill(causal_mask(T).to(x.device), torch.finfo(scores.dtype).min).softmax(1)",
        ),
        caught_by=IN_ORDER,
        explanation="""The softmax is taken over the heads. Each head's weights over the keys sum to 1.""",
    ),
    mistake(
        "scores are used as weights",
        swap(WEIGHTS, "weights = scores.masked_fill(causal_mask(T).to(x.device), 0.0)"),
        caught_by=IN_ORDER,
        explanation="""There is no softmax, and scores are used as they are. Weights are positive and sum to 1.""",
    ),
    mistake(
        "queries and keys change places",
        swap(SCORES, "scores = key @ query.transpose(2, 3) / query.shape[-1] ** 0.5"),
        caught_by=OUTPUT,
        explanation="""Keys stand in the rows and queries in the columns. The mask and the softmax take rows for queries.""",
    ),
    mistake(
        "keys for values",
        swap(VALUE, "value = split_heads(self.W_key(x), self.num_kv_heads)"),
        caught_by=IN_ORDER,
        explanation="""The keys are mixed, and `W_value` plays no part. Keys are for comparing, values for handing on.""",
    ),
    mistake(
        "values for keys",
        swap(KEY, "key = split_heads(self.W_value(x), self.num_kv_heads)"),
        caught_by=OUTPUT,
        explanation="""Queries are compared with values, and `W_key` plays no part. Keys are for comparing, values for handing
        on.""",
    ),
    mistake(
        "a mask of the first text",
        swap(
            WEIGHTS,
            'if not hasattr(self, "mask"):\n            self.mask = causal_mask(T).to(x.device)\n        weights = masked_softmax(scores, self.mask[:T, :T])',
        ),
        caught_by=ANEW,
        explanation="""The mask is made once, as large as the first text, and a longer one does not fit. It is made for the
        tokens that came.""",
    ),
    mistake(
        "the angles of the first text",
        swap(
            ANGLES,
            'if not hasattr(self, "angles"):\n            self.angles = rotary_angles(torch.arange(T, device=x.device), query.shape[-1], self.rope_base)\n        angles = self.angles[:T]',
        ),
        caught_by=ANEW,
        explanation="""The angles are made once, for as many tokens as the first text had, and a longer one does not fit. They
        are made for the tokens that came.""",
    ),
    mistake(
        "queries are cut off from training",
        swap(TURN_QUERY, "query = apply_rotary(query.detach(), angles.cos(), angles.sin())"),
        caught_by=TRAINING,
        explanation="""Queries are cut off from `W_query`, which would never be trained. Gradients pass through a rotation.""",
    ),
    mistake(
        "keys are cut off from training",
        swap(TURN_KEY, "key = apply_rotary(key.detach(), angles.cos(), angles.sin())"),
        caught_by=TRAINING,
        explanation="""Keys are cut off from `W_key`, which would never be trained. Gradients pass through a rotation.""",
    ),
    mistake(
        "only the first of a group trains its keys",
        swap(
            REPEAT_KEY,
            "key = torch.cat([one if i == 0 else one.detach() for head in key.split(1, dim=1) for i, one in enumerate([head] * sharing)], 1)",
        ),
        caught_by=TRAINING,
        explanation="""Only one head of each group passes gradients on to its keys. All that share them do, and the gradients
        add up.""",
    ),
    mistake(
        "the mask stays on the CPU",
        swap(WEIGHTS, "weights = masked_softmax(scores, causal_mask(T))"),
        caught_by=DEVICE,
        explanation="""The mask is made on the CPU and stays there. With x on a GPU the call would fail.""",
    ),
    mistake(
        "the positions stay on the CPU",
        swap(ANGLES, ANGLES.replace("torch.arange(T, device=x.device)", "torch.arange(T)")),
        caught_by=DEVICE,
        explanation="""Positions are made on the CPU, and so are their angles. With x on a GPU the call would fail.""",
    ),
    # Step 3: the block
    mistake(
        "the norm comes after the branch",
        swap(ATTEND, "x = x + self.norm1(self.attention(x))"),
        swap(THINK, "return x + self.norm2(self.feed_forward(x))"),
        caught_by=BRANCHES,
        explanation="""What a branch gives is normed, and not what it gets. The norm stands in front of it.""",
    ),
    mistake(
        "the norm comes after the sum",
        swap(ATTEND, "x = self.norm1(x + self.attention(x))"),
        swap(THINK, "return self.norm2(x + self.feed_forward(x))"),
        caught_by=BRANCHES,
        explanation="""The stream itself is normed after each sum, as in the first transformers. It is left alone; only what a
        branch reads is normed.""",
    ),
    mistake(
        "attention's sum is normed",
        swap(ATTEND, "x = self.norm1(x + self.attention(x))"),
        caught_by=BRANCHES,
        explanation="""The norm comes after attention was added, and the stream itself is normed (post-norm). Here it goes in
        front of the branch, and the stream stays as it is.""",
    ),
    mistake(
        "feed-forward's sum is normed",
        swap(THINK, "return self.norm2(x + self.feed_forward(x))"),
        caught_by=BRANCHES,
        explanation="""The norm comes after the feed-forward was added, and the stream itself is normed (post-norm). Here it
        goes in front of the branch, and the stream stays as it is.""",
    ),
    mistake(
        "attention is normed behind, not in front",
        swap(ATTEND, "x = x + self.norm1(self.attention(x))"),
        caught_by=BRANCHES,
        explanation="""The first norm stands behind attention, and attention reads the raw stream. The norm goes in front.""",
    ),
    mistake(
        "feed-forward is normed behind, not in front",
        swap(THINK, "return x + self.norm2(self.feed_forward(x))"),
        caught_by=BRANCHES,
        explanation="""The second norm stands behind the feed-forward, which reads the raw stream. The norm goes in front.""",
    ),
    mistake(
        "the normed tokens are kept",
        swap(ATTEND, "x = self.norm1(x)\n        x = x + self.attention(x)"),
        swap(THINK, "x = self.norm2(x)\n        return x + self.feed_forward(x)"),
        caught_by=BRANCHES,
        explanation="""The branch is added to the normed tokens. It is added to the stream as it was.""",
    ),
    mistake(
        "attention is added to the normed tokens",
        swap(ATTEND, "x = self.norm1(x)\n        x = x + self.attention(x)"),
        caught_by=BRANCHES,
        explanation="""What attention gives is added to the normed tokens. It is added to the stream as it was.""",
    ),
    mistake(
        "feed-forward is added to the normed tokens",
        swap(THINK, "x = self.norm2(x)\n        return x + self.feed_forward(x)"),
        caught_by=BRANCHES,
        explanation="""What feed-forward gives is added to the normed tokens. It is added to the stream as it was.""",
    ),
    mistake(
        "attention without norm",
        swap(ATTEND, "x = x + self.attention(x)"),
        caught_by=BRANCHES,
        explanation="""Attention reads the stream as it is, and `norm1` plays no part. Each branch reads through its norm.""",
    ),
    mistake(
        "feed-forward without norm",
        swap(THINK, "return x + self.feed_forward(x)"),
        caught_by=BRANCHES,
        explanation="""Feed-forward reads the stream as it is, and `norm2` plays no part. Each branch reads through its
        norm.""",
    ),
    mistake(
        "no norms",
        swap(ATTEND, "x = x + self.attention(x)"),
        swap(THINK, "return x + self.feed_forward(x)"),
        caught_by=BRANCHES,
        explanation="""Both branches read the stream as it is. Each reads through its norm.""",
    ),
    mistake(
        "the first norm twice",
        swap(THINK, "return x + self.feed_forward(self.norm1(x))"),
        caught_by=BRANCHES,
        explanation="""Both branches read through `norm1`. Each has a norm of its own.""",
    ),
    mistake(
        "the norms are exchanged",
        swap(ATTEND, "x = x + self.attention(self.norm2(x))"),
        swap(THINK, "return x + self.feed_forward(self.norm1(x))"),
        caught_by=BRANCHES,
        explanation="""Attention reads through `norm2` and feed-forward through `norm1`. With published weights each has the
        other's.""",
    ),
    mistake(
        "one norm under two names",
        swap(NORM2, "self.norm2 = self.norm1"),
        caught_by=PARTS,
        explanation="""The two norms are one module, so they have one weight. Each branch has its own.""",
    ),
    mistake(
        "attention is not added",
        swap(ATTEND, "x = self.attention(self.norm1(x))"),
        caught_by=BRANCHES,
        explanation="""What attention gives takes the place of the stream. It is added to it.""",
    ),
    mistake(
        "feed-forward is not added",
        swap(THINK, "return self.feed_forward(self.norm2(x))"),
        caught_by=BRANCHES,
        explanation="""What feed-forward gives takes the place of the stream. It is added to it.""",
    ),
    mistake(
        "nothing is added",
        swap(ATTEND, "x = self.attention(self.norm1(x))"),
        swap(THINK, "return self.feed_forward(self.norm2(x))"),
        caught_by=BRANCHES,
        explanation="""What each branch gives takes the place of the stream. Both are added to it.""",
    ),
    mistake(
        "both branches read the same",
        swap(ATTEND, "attended = self.attention(self.norm1(x))"),
        swap(THINK, "return x + attended + self.feed_forward(self.norm2(x))"),
        caught_by=BRANCHES,
        explanation="""Feed-forward reads the stream as it was before attention, as in some other models. Here it reads what
        attention has added as well.""",
    ),
    mistake(
        "the first shortcut reaches over both",
        swap(ATTEND, "shortcut = x\n        x = x + self.attention(self.norm1(x))"),
        swap(THINK, "return shortcut + self.feed_forward(self.norm2(x))"),
        caught_by=BRANCHES,
        explanation="""Feed-forward is added to the stream as it was before attention, and what attention gave is lost. The
        second shortcut begins after the first sum.""",
    ),
    mistake(
        "feed-forward comes first",
        swap(ATTEND, "x = x + self.feed_forward(self.norm2(x))"),
        swap(THINK, "return x + self.attention(self.norm1(x))"),
        caught_by=BRANCHES,
        explanation="""The feed-forward comes before attention. First tokens look around, then each thinks.""",
    ),
    mistake(
        "one norm for both branches",
        swap(ATTEND, "normed = self.norm1(x)\n        x = x + self.attention(normed)"),
        swap(THINK, "return x + self.feed_forward(normed)"),
        caught_by=BRANCHES,
        explanation="""Feed-forward reads what attention read. It reads the stream after attention, through `norm2`.""",
    ),
    mistake(
        "attention keeps to the default base",
        swap(MAKE_ATTENTION, MAKE_ATTENTION.replace(", config.rope_base", "")),
        caught_by=BRANCHES,
        explanation="""The base of the config does not get to the attention, which takes 10,000. Weights trained with another
        cannot be used.""",
    ),
    mistake(
        "the norms of a block keep to the default eps",
        swap(NORM1, NORM1.replace(", config.eps", "")),
        swap(NORM2, NORM2.replace(", config.eps", "")),
        caught_by=BRANCHES,
        explanation="""The config's eps does not get to the two norms, which take 0.00001. It is the config that says.""",
    ),
    mistake(
        "norm1 keeps to the default eps",
        swap(NORM1, NORM1.replace(", config.eps", "")),
        caught_by=BRANCHES,
        explanation="""The config's eps does not get to `norm1`, which takes 0.00001. It is the config that says.""",
    ),
    mistake(
        "norm2 keeps to the default eps",
        swap(NORM2, NORM2.replace(", config.eps", "")),
        caught_by=BRANCHES,
        explanation="""The config's eps does not get to `norm2`, which takes 0.00001. It is the config that says.""",
    ),
    mistake(
        "every head has its own keys in the block",
        swap(MAKE_ATTENTION, MAKE_ATTENTION.replace("config.num_kv_heads", "config.num_heads")),
        caught_by=BRANCHES,
        explanation="""The block hands num_heads over for num_kv_heads. Keys and values then have more heads than there are
        weights for.""",
    ),
    mistake(
        "heads of queries and keys are exchanged",
        swap(
            MAKE_ATTENTION,
            MAKE_ATTENTION.replace("config.num_heads, config.num_kv_heads", "config.num_kv_heads, config.num_heads"),
        ),
        caught_by=BRANCHES,
        explanation="""The block hands num_kv_heads over for num_heads, and the other way round. Queries have more heads than
        keys.""",
    ),
    mistake(
        "the feed-forward has the model's width",
        swap(MAKE_FEED_FORWARD, MAKE_FEED_FORWARD.replace("config.hidden_dim", "config.emb_dim")),
        caught_by=BRANCHES,
        explanation="""The hidden layer is as wide as the model. hidden_dim says how wide it is.""",
    ),
    mistake(
        "four times the width in the block",
        swap(MAKE_FEED_FORWARD, MAKE_FEED_FORWARD.replace("config.hidden_dim", "4 * config.emb_dim")),
        caught_by=BRANCHES,
        explanation="""The hidden layer is 4 times as wide as the model, as in GPT-2. hidden_dim says how wide it is.""",
    ),
    mistake(
        "the block norms with LayerNorm",
        swap(NORM1, "self.norm1 = nn.LayerNorm(config.emb_dim, config.eps, bias=False)"),
        swap(NORM2, "self.norm2 = nn.LayerNorm(config.emb_dim, config.eps, bias=False)"),
        caught_by=BRANCHES,
        explanation="""The block uses LayerNorm, which takes the mean off. A Llama's norm leaves it.""",
    ),
    mistake(
        "the stream is changed in place",
        swap(ATTEND, "x += self.attention(self.norm1(x))"),
        caught_by=BRANCHES,
        explanation="""`+=` writes into the tensor that was handed in. Whoever called still has it.""",
    ),
    # Step 3: the model
    mistake(
        "blocks in a list",
        swap(BLOCKS, "self.blocks = [LlamaBlock(config) for _ in range(config.num_layers)]"),
        caught_by=PARTS,
        explanation="""The blocks stand in a Python list, where the model does not find them. Their parameters are not trained,
        saved or moved.""",
    ),
    mistake(
        "one block, many times",
        swap(BLOCKS, "self.blocks = nn.ModuleList([LlamaBlock(config)] * config.num_layers)"),
        caught_by=PARTS,
        explanation="""The list holds one block several times, so that all layers have the same weights. Each has its
        own.""",
    ),
    mistake(
        "a block too few",
        swap(BLOCKS, BLOCKS.replace("config.num_layers", "config.num_layers - 1")),
        caught_by=PARTS,
        explanation="""There is a block less than num_layers. `range` leaves out its end by itself.""",
    ),
    mistake(
        "a block too many",
        swap(BLOCKS, BLOCKS.replace("config.num_layers", "config.num_layers + 1")),
        caught_by=PARTS,
        explanation="""There is a block more than num_layers. `range` counts from 0.""",
    ),
    mistake(
        "as many blocks as heads",
        swap(BLOCKS, BLOCKS.replace("config.num_layers", "config.num_heads")),
        caught_by=PARTS,
        explanation="""There are num_heads blocks. num_layers says how many there are.""",
    ),
    mistake(
        "the head has a bias",
        swap(HEAD, HEAD.replace(", bias=False", "")),
        caught_by=PARTS,
        explanation="""`lm_head` has a bias. A Llama's has none.""",
    ),
    mistake(
        "a table of positions",
        swap(TABLE, TABLE + "\n        self.pos_emb = nn.Embedding(config.context_length, config.emb_dim)"),
        swap(EMBED, "x = self.tok_emb(ids) + self.pos_emb(torch.arange(ids.shape[1], device=ids.device))"),
        caught_by=PARTS,
        explanation="""Learned positions are added, as in GPT-2. Here queries and keys are turned, and nothing is added.""",
    ),
    mistake(
        "the head is a copy",
        swap(TIE, "self.lm_head.weight = nn.Parameter(self.tok_emb.weight.detach().clone())"),
        caught_by=ARE_ONE,
        explanation="""The head gets a copy of the embedding's weight. From the first step of training on the two would
        differ.""",
    ),
    mistake(
        "the head shares numbers, not the parameter",
        swap(TIE, "self.lm_head.weight.data = self.tok_emb.weight.data"),
        caught_by=ARE_ONE,
        explanation="""The two parameters share their memory and are still two. An optimizer would change the numbers twice.""",
    ),
    mistake(
        "never tied",
        swap(TIED, "if False:"),
        caught_by=ARE_ONE,
        explanation="""The head has a weight of its own whatever the config says. With tie_weights it shares that of
        `tok_emb`.""",
    ),
    mistake(
        "always tied",
        swap(TIED, "if True:"),
        caught_by=ARE_ONE,
        explanation="""The head is tied whatever the config says. Without tie_weights it has a weight of its own.""",
    ),
    mistake(
        "tied the other way round",
        swap(TIED, "if not config.tie_weights:"),
        caught_by=ARE_ONE,
        explanation="""The head is tied where it should not be, and not where it should. tie_weights is True where it
        is.""",
    ),
    mistake(
        "untied unless asked",
        swap("tie_weights: bool = True", "tie_weights: bool = False"),
        caught_by=ARE_ONE,
        explanation="""Where nobody says anything the head is not tied. In the given config it is.""",
    ),
    mistake(
        "no final norm",
        swap(LOGITS, "return self.lm_head(x)"),
        caught_by=LOGITS_COME,
        explanation="""The head reads the stream as it is, and `final_norm` plays no part. The stream has grown by every
        block, so it is normed first.""",
    ),
    mistake(
        "the final norm comes first",
        swap(EMBED, "x = self.final_norm(self.tok_emb(ids))"),
        swap(LOGITS, "return self.lm_head(x)"),
        caught_by=LOGITS_COME,
        explanation="""`final_norm` is used before the blocks. It stands between the last block and the head.""",
    ),
    mistake(
        "the final norm after every block",
        swap(THROUGH, "x = self.final_norm(block(x))"),
        swap(LOGITS, "return self.lm_head(x)"),
        caught_by=LOGITS_COME,
        explanation="""The stream is normed after every block. It is only normed for reading, and at the end once.""",
    ),
    mistake(
        "the final norm keeps to the default eps",
        swap(FINAL, FINAL.replace(", config.eps", "")),
        caught_by=LOGITS_COME,
        explanation="""The config's eps does not get to `final_norm`, which takes 0.00001. It is the config that says.""",
    ),
    mistake(
        "the last norm is a LayerNorm",
        swap(FINAL, "self.final_norm = nn.LayerNorm(config.emb_dim, config.eps, bias=False)"),
        caught_by=LOGITS_COME,
        explanation="""The last norm is LayerNorm, which takes the mean off. A Llama's leaves it.""",
    ),
    mistake(
        "blocks in reverse",
        swap(WALK, "for block in reversed(self.blocks):"),
        caught_by=LOGITS_COME,
        explanation="""The last block reads first. They are gone through in order.""",
    ),
    mistake(
        "the first block again and again",
        swap(THROUGH, "x = self.blocks[0](x)"),
        caught_by=LOGITS_COME,
        explanation="""Every layer is block 0. Each is the next.""",
    ),
    mistake(
        "only the last block counts",
        swap(WALK, "embedded = x\n        for block in self.blocks:"),
        swap(THROUGH, "x = block(embedded)"),
        caught_by=LOGITS_COME,
        explanation="""Every block reads the embedding, and only what the last gave is kept. Each reads what the one before
        gave.""",
    ),
    mistake(
        "the first block is left out",
        swap(WALK, "for block in self.blocks[1:]:"),
        caught_by=LOGITS_COME,
        explanation="""The walk begins at block 1. Blocks are counted from 0.""",
    ),
    mistake(
        "the last block is left out",
        swap(WALK, "for block in self.blocks[:-1]:"),
        caught_by=LOGITS_COME,
        explanation="""The walk ends before the last block. All of them are gone through.""",
    ),
    mistake(
        "every block twice",
        swap(THROUGH, "x = block(block(x))"),
        caught_by=LOGITS_COME,
        explanation="""Each block reads what it gave. It is gone through once.""",
    ),
    mistake(
        "blocks are added once more",
        swap(THROUGH, "x = x + block(x)"),
        caught_by=LOGITS_COME,
        explanation="""The stream is added to what a block gives. A block adds to the stream by itself.""",
    ),
    mistake(
        "the embedding is scaled",
        swap(EMBED, "x = self.tok_emb(ids) * self.tok_emb.weight.shape[1] ** 0.5"),
        caught_by=LOGITS_COME,
        explanation="""The embedding is multiplied by the root of the width, as in the first transformers and in Gemma. A
        Llama takes it as it is.""",
    ),
    mistake(
        "the table is always the head",
        swap(LOGITS, "return self.final_norm(x) @ self.tok_emb.weight.T"),
        caught_by=LOGITS_COME,
        explanation="""The logits are made with the embedding's weight, and an untied `lm_head` plays no part. Tied or not, it is
        the head that makes them.""",
    ),
    mistake(
        "probabilities for logits",
        swap(LOGITS, "return self.lm_head(self.final_norm(x)).softmax(-1)"),
        caught_by=LOGITS_COME,
        explanation="""A softmax is taken at the end. The loss and the sampling want logits, and take it themselves.""",
    ),
    mistake(
        "logarithms for logits",
        swap(LOGITS, "return self.lm_head(self.final_norm(x)).log_softmax(-1)"),
        caught_by=LOGITS_COME,
        explanation="""A log-softmax is taken at the end. The loss and the sampling want logits, and take it themselves.""",
    ),
    mistake(
        "a text may not be as long as the context",
        swap(EMBED, "ids = ids[:, : self.config.context_length - 1]\n        " + EMBED),
        caught_by=LOGITS_COME,
        explanation="""A text as long as the context loses its last token. T may be anything up to the context length, and
        that itself.""",
    ),
    mistake(
        "a text as long as the context is refused",
        swap(
            EMBED,
            "if ids.shape[1] >= self.config.context_length:\n            raise ValueError(f'{ids.shape[1]} tokens')\n        "
            + EMBED,
        ),
        caught_by=LOGITS_COME,
        explanation="""A text as long as the context is refused. T may be anything up to the context length, and that
        itself: `>` and not `>=`.""",
    ),
    mistake(
        "only the last position",
        swap(LOGITS, "return self.lm_head(self.final_norm(x[:, -1]))"),
        caught_by=LOGITS_COME,
        explanation="""Logits are given for the last position alone. Training needs those of all.""",
    ),
    mistake(
        "the last position, with its dimension",
        swap(LOGITS, "return self.lm_head(self.final_norm(x[:, -1:]))"),
        caught_by=LOGITS_COME,
        explanation="""Logits are given for the last position alone. Training needs those of all.""",
    ),
    mistake(
        "no gradient through the embedding",
        swap(EMBED, "x = self.tok_emb(ids).detach()"),
        caught_by=REACHES,
        explanation="""What the table gives is cut off from it. The embedding would never be trained, or at one end only.""",
    ),
    mistake(
        "no gradient for the head",
        swap(LOGITS, "return self.final_norm(x) @ self.lm_head.weight.detach().T"),
        caught_by=REACHES,
        explanation="""The head's weight is used without its gradient. It would never be trained, or at one end only.""",
    ),
    mistake(
        "no gradient from block to block",
        swap(THROUGH, "x = block(x.detach())"),
        caught_by=REACHES,
        explanation="""Each block is cut off from what came before. Only the last would be trained.""",
    ),
    # Step 4
    mistake(
        "the norms are exchanged in loading",
        *exchanged("norm1", "norm2", "input_layernorm", "post_attention_layernorm"),
        caught_by=PLACES,
        explanation="""`input_layernorm` goes to `norm2` and the other to `norm1`. The first stands before attention, and the
        one "post attention" before the feed-forward.""",
    ),
    mistake(
        "gate and up are exchanged in loading",
        *exchanged("gate", "up", "gate_proj", "up_proj"),
        caught_by=PLACES,
        explanation="""The weight of the gate goes to `up` and the other way round. The shapes fit, and silu is then on the
        wrong one.""",
    ),
    mistake(
        "queries and outputs are exchanged in loading",
        *exchanged("W_query", "out_proj", "q_proj", "o_proj"),
        caught_by=PLACES,
        explanation="""`q_proj` goes to `out_proj` and `o_proj` to `W_query`. Both are square, so nothing complains.""",
    ),
    mistake(
        "keys and values are exchanged in loading",
        *exchanged("W_key", "W_value", "k_proj", "v_proj"),
        caught_by=PLACES,
        explanation="""`k_proj` goes to `W_value` and `v_proj` to `W_key`. They have one shape, so nothing complains.""",
    ),
    mistake(
        "values are loaded from keys",
        renamed("W_value", "v_proj", "k_proj"),
        caught_by=PLACES,
        explanation="""`W_value` gets the weight of the keys as well. It has one of its own, `v_proj`.""",
    ),
    mistake(
        "keys are loaded from values",
        renamed("W_key", "k_proj", "v_proj"),
        caught_by=PLACES,
        explanation="""`W_key` gets the weight of the values. It has one of its own, `k_proj`.""",
    ),
    mistake(
        "queries are loaded from outputs",
        renamed("W_query", "q_proj", "o_proj"),
        caught_by=PLACES,
        explanation="""`W_query` gets the weight of the output. It has one of its own, `q_proj`.""",
    ),
    mistake(
        "outputs are loaded from queries",
        renamed("out_proj", "o_proj", "q_proj"),
        caught_by=PLACES,
        explanation="""`out_proj` gets the weight of the queries. It has one of its own, `o_proj`.""",
    ),
    mistake(
        "the gate is loaded from up",
        renamed("gate", "gate_proj", "up_proj"),
        caught_by=PLACES,
        explanation="""`gate` gets the weight of `up`. It has one of its own, `gate_proj`.""",
    ),
    mistake(
        "up is loaded from the gate",
        renamed("up", "up_proj", "gate_proj"),
        caught_by=PLACES,
        explanation="""`up` gets the weight of the gate. It has one of its own, `up_proj`.""",
    ),
    mistake(
        "the second norm gets the first weight",
        renamed("norm2", "post_attention_layernorm", "input_layernorm"),
        caught_by=PLACES,
        explanation="""Both norms get `input_layernorm`. The second has a weight of its own.""",
    ),
    mistake(
        "the first norm gets the second weight",
        renamed("norm1", "input_layernorm", "post_attention_layernorm"),
        caught_by=PLACES,
        explanation="""Both norms get `post_attention_layernorm`. The first has a weight of its own.""",
    ),
    mistake(
        "the last norm gets the weight of the first layer",
        swap(
            NAME,
            NAME + '\n        name = "model.layers.0.input_layernorm.weight" if name == "model.norm.weight" else name',
        ),
        caught_by=PLACES,
        explanation="""`final_norm` gets the weight of a norm of layer 0. Its own is `model.norm`.""",
    ),
    mistake(
        "every layer gets the weights of the first",
        swap(NAME, 'name = ".".join(published.get(part, "0" if part.isdigit() else part) for part in path.split("."))'),
        caught_by=PLACES,
        explanation="""Every block gets the weights of layer 0. The number in a name is that of its block.""",
    ),
    mistake(
        "layers in reverse",
        swap(
            NAME,
            'last = len(model.blocks) - 1\n        name = ".".join(published.get(part, str(last - int(part)) if part.isdigit() else part) for part in path.split("."))',
        ),
        caught_by=PLACES,
        explanation="""The last layer goes to block 0. The number in a name is that of its block.""",
    ),
    mistake(
        "layers in the order of their names",
        swap(
            NAME,
            'order = sorted(str(number) for number in range(len(model.blocks)))\n        name = ".".join(published.get(part, order[int(part)] if part.isdigit() else part) for part in path.split("."))',
        ),
        caught_by=PLACES,
        explanation="""Layers are sorted as words, and "10" comes before "2". They are sorted as numbers.""",
    ),
    mistake(
        "only one digit of the layer",
        swap(
            NAME,
            'name = ".".join(published.get(part, part[:1] if part.isdigit() else part) for part in path.split("."))',
        ),
        caught_by=PLACES,
        explanation="""Of the layer's number one digit is read. From the tenth layer on there are two.""",
    ),
    mistake(
        "square matrices are transposed",
        swap(
            COPY,
            "values = weights[name]\n            parameter.copy_(values.T if values.ndim == 2 and values.shape[0] == values.shape[1] else values)",
        ),
        caught_by=PLACES,
        explanation="""Square matrices are transposed, as GPT-2's files need it. A Llama's are kept as `nn.Linear` keeps
        them.""",
    ),
    mistake(
        "all matrices are transposed",
        swap(COPY, "parameter.copy_(weights[name].T if parameter.ndim == 2 else weights[name])"),
        caught_by=PLACES,
        explanation="""Every matrix is transposed, as GPT-2's files need it. A Llama's are kept as `nn.Linear` keeps them.""",
    ),
    mistake(
        "queries and keys are unpermuted while loading",
        swap(
            COPY,
            'heads = {"q_proj": model.config.num_heads, "k_proj": model.config.num_kv_heads}.get(name.split(".")[-2])\n            parameter.copy_(unpermute(weights[name], heads) if heads else weights[name])',
        ),
        caught_by=PLACES,
        explanation="""The rows of queries and keys are brought into another order. Under these names they are published by
        halves already.""",
    ),
    mistake(
        "the norms are left out",
        swap(COPY, "if parameter.ndim > 1:\n                parameter.copy_(weights[name])"),
        caught_by=PLACES,
        explanation="""Only matrices are copied, and the weights of the norms stay as they were. They are published too.""",
    ),
    mistake(
        "the last norm is left out",
        swap(COPY, 'if name != "model.norm.weight":\n                parameter.copy_(weights[name])'),
        caught_by=PLACES,
        explanation="""`final_norm` keeps the weight that it had. Its own is published as `model.norm`.""",
    ),
    mistake(
        "the embedding is left out",
        swap(COPY, 'if "embed" not in name:\n                parameter.copy_(weights[name])'),
        caught_by=PLACES,
        explanation="""`tok_emb` keeps the weight that it had. Its own is published as `model.embed_tokens`.""",
    ),
    mistake(
        "the head is left out",
        swap(COPY, 'if "lm_head" not in name:\n                parameter.copy_(weights[name])'),
        caught_by=PLACES,
        explanation="""An untied `lm_head` keeps the weight that it had. Its own is published too.""",
    ),
    mistake(
        "the head is loaded from the embedding",
        swap(NAME, NAME + '\n        name = "model.embed_tokens.weight" if name == "lm_head.weight" else name'),
        caught_by=PLACES,
        explanation="""An untied `lm_head` gets the weight of the embedding. It has one of its own.""",
    ),
    mistake(
        "only the first layer is loaded",
        swap(
            COPY, 'if ".layers." not in name or ".layers.0." in name:\n                parameter.copy_(weights[name])'
        ),
        caught_by=PLACES,
        explanation="""Of the layers only the first gets its weights. All of them have some.""",
    ),
    mistake(
        "the last layer is left out",
        swap(
            COPY, 'if f".layers.{len(model.blocks) - 1}." not in name:\n                parameter.copy_(weights[name])'
        ),
        caught_by=PLACES,
        explanation="""The last layer keeps the weights that it had. `range` leaves out its end by itself.""",
    ),
    mistake(
        "nothing is copied",
        swap(COPY, "parameter = weights[name]"),
        caught_by=PLACES,
        explanation="""A name is given to another tensor, and the parameter stays as it was. Its numbers have to be
        written.""",
    ),
    mistake(
        "weights in the order of the file",
        swap(COPY, "parameter.copy_(values)"),
        swap(
            "for name, parameter in found.items():",
            "for (name, parameter), values in zip(found.items(), [w for n, w in weights.items() if n in found]):",
        ),
        caught_by=PLACES,
        explanation="""Weights and parameters are taken in the order in which they come. They may come in any; it is the names
        that say.""",
    ),
    mistake(
        "the head is untied",
        swap(
            COPY,
            COPY
            + '\n    model.lm_head.weight = nn.Parameter(weights.get("lm_head.weight", weights["model.embed_tokens.weight"]).detach().clone())',
        ),
        caught_by=STAYS_TIED,
        explanation="""The head or the embedding gets a new parameter with the right numbers, and the two are no longer tied. Training would change one
        and not the other.""",
    ),
    mistake(
        "a published head unties",
        swap(
            COPY,
            COPY
            + '\n    if "lm_head.weight" in weights:\n        model.lm_head.weight = nn.Parameter(weights["lm_head.weight"].detach().clone())',
        ),
        caught_by=STAYS_TIED,
        explanation="""Where the weights hold an `lm_head` it becomes a parameter of its own. A tied head stays tied.""",
    ),
    mistake(
        "a head is always asked for",
        swap(
            NAME, NAME + '\n        if "lm_head.weight" not in weights:\n            raise KeyError("lm_head.weight")'
        ),
        caught_by=PLACES,
        explanation="""Weights without an `lm_head` are refused. Where it is tied it need not be there.""",
    ),
    mistake(
        "a head that is there is refused",
        swap(
            NAME,
            NAME
            + '\n        if model.config.tie_weights and "lm_head.weight" in weights:\n            raise ValueError("lm_head.weight is not expected")',
        ),
        caught_by=STAYS_TIED,
        explanation="""Weights with an `lm_head` are refused where it is tied. Many files hold it all the same.""",
    ),
    mistake(
        "what is loaded is frozen",
        swap(COPY, COPY + "\n            parameter.requires_grad_(False)"),
        caught_by=COMPUTES,
        explanation="""After loading nothing asks for gradients any more. A loaded model can be trained on.""",
    ),
    mistake(
        "a missing weight is left as it was",
        swap(ABSENT, "continue"),
        caught_by=MISSING,
        explanation="""What the weights do not have is passed over in silence. The model would be part trained and part
        random, and nobody would know.""",
    ),
    mistake(
        "the name of what is missing is not said",
        swap(ABSENT, 'raise ValueError("a weight is missing")'),
        caught_by=MISSING,
        explanation="""The error does not say which weight is missing. Whoever meets it wants to know that first.""",
    ),
    mistake(
        "the model keeps the weights' own tensors",
        swap(COPY, "parameter.data = weights[name]"),
        caught_by=COPIED,
        explanation="""The parameters are the published tensors themselves. Training the model changes them under everybody
        who has them; `copy_` writes their numbers into the model's own.""",
    ),
    mistake(
        "what is too long is cut",
        swap(
            NAME,
            NAME
            + "\n        weights = {**weights, name: weights[name][: len(parameter)]} if name in weights else weights",
        ),
        caught_by=SHAPE,
        explanation="""Rows that do not fit are cut off. A vocabulary of another size belongs to another model.""",
    ),
    mistake(
        "another shape is accepted",
        swap(UNLIKE, "continue"),
        caught_by=SHAPE,
        explanation="""A weight of another shape is passed over in silence, or turned until it fits. It is a sign that the model and
        the weights do not belong together.""",
    ),
    mistake(
        "unpermute does nothing",
        swap(HALVES, "return weight"),
        caught_by=BY_HALVES,
        explanation="""The rows stay as they were, side by side. Your rotation takes channels i and i + d/2 for a pair.""",
    ),
    mistake(
        "permuted the other way",
        swap(PAIRS, "pairs = weight.unflatten(0, (num_heads, 2, -1))"),
        caught_by=BY_HALVES,
        explanation="""Halves are brought side by side, which is how such files are written. When reading it is to be
        undone.""",
    ),
    mistake(
        "the heads are ignored",
        swap(PAIRS, "pairs = weight.unflatten(0, (1, -1, 2))"),
        caught_by=BY_HALVES,
        explanation="""All rows are ordered as if they were one head. Pairs lie within each head.""",
    ),
    mistake(
        "the number of heads is taken for their width",
        swap(PAIRS, "pairs = weight.unflatten(0, (-1, num_heads, 2))"),
        caught_by=BY_HALVES,
        explanation="""A head is taken to have num_heads pairs. There are num_heads heads, with as many pairs as it takes.""",
    ),
    mistake(
        "halves in the other order",
        swap(HALVES, "return pairs.flip(2).transpose(1, 2).flatten(0, 2)"),
        caught_by=BY_HALVES,
        explanation="""The second channel of each pair comes first. Row 2i becomes row i, and row 2i + 1 becomes i + d/2.""",
    ),
    mistake(
        "heads and pairs change places",
        swap(HALVES, "return pairs.transpose(0, 1).flatten(0, 2)"),
        caught_by=BY_HALVES,
        explanation="""Heads and pairs are exchanged. Each head stays where it is; within it, pairs and the two of a pair
        change places.""",
    ),
    mistake(
        "the result keeps its heads",
        swap(HALVES, "return pairs.transpose(1, 2).flatten(1, 2)"),
        caught_by=BY_HALVES,
        explanation="""The result has a dimension for the heads. It has the shape of the weight that came in.""",
    ),
    mistake(
        "rows in reverse",
        swap(HALVES, "return pairs.transpose(1, 2).flip(2).flatten(0, 2)"),
        caught_by=BY_HALVES,
        explanation="""Within each half the pairs stand in reverse. Pair 0, the fastest, comes first.""",
    ),
]
